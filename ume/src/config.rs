//! `ume.toml`: one typed configuration file. A key that is not known, or a value of a wrong type,
//! keeps Ume from starting and is shown with file, line, column and the nearest valid key.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

#[path = "config_bus.rs"]
mod bus_keys;
#[path = "config_intake.rs"]
mod intake;

pub use bus_keys::Bus;
pub use intake::{ClientCa, Intake, Snmp, SnmpAccess, Tls};

/// Name of the file in the data folder.
pub const FILE: &str = "ume.toml";
/// Where Ume listens unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:8620";
const FILE_BYTES_MAX: u64 = 1 << 20;
const SPOOL_MIB_MIN: u32 = 16;
const SPOOL_MIB_MAX: u32 = 1 << 20;
const FILE_MIB_MAX: u32 = 1024;
const SOURCE_CHARS_MAX: usize = 64;
/// A key further away than this is no likely slip of the finger.
const SLIPS_MAX: usize = 3;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub data: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub database: Option<DatabaseUrl>,
    pub log: Option<LogFilter>,
    pub intake: Intake,
    pub files: Files,
    pub agent: Agent,
    pub bus: Option<Bus>,
    pub packages: configuration::archive::Packages,
    pub configuration: configuration::impact::settings::Settings,
    pub threat_intelligence: threat_intelligence::work::settings::Settings,
    pub watch: Watch,
}

/// What is watched of the host that Ume runs on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// Who changes its configuration, as the kernel reports it.
    pub changes: Option<bool>,
}

/// What an agent lets the rules of its centre do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    pub may_follow: MayFollow,
}

/// Patterns of the log files that rules may make this host follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct MayFollow(pub stream::intake::Allow);

/// Nothing else of a host is for others to read unless its own administrator says so.
impl Default for MayFollow {
    fn default() -> MayFollow {
        MayFollow(stream::intake::Allow::below("/var/log"))
    }
}

impl TryFrom<Vec<String>> for MayFollow {
    type Error = String;
    fn try_from(patterns: Vec<String>) -> Result<MayFollow, String> {
        stream::intake::Allow::new(patterns).map(MayFollow)
    }
}

/// Files of registers and records.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    pub max_mib: FileMib,
}

/// Size of one file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub struct FileMib(u32);

impl FileMib {
    /// The same in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.0) << 20
    }
}

impl Default for FileMib {
    fn default() -> FileMib {
        FileMib((store::FILE_BYTES_MAX >> 20) as u32)
    }
}

impl TryFrom<u32> for FileMib {
    type Error = String;
    fn try_from(mib: u32) -> Result<FileMib, String> {
        let fits = (1..=FILE_MIB_MAX).contains(&mib);
        if fits { Ok(FileMib(mib)) } else { Err(format!("a file has 1 to {FILE_MIB_MAX} MiB")) }
    }
}

/// Size of the spool; a smaller one would never have the room that waiting intakes want to see.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub struct SpoolMib(pub u32);

impl TryFrom<u32> for SpoolMib {
    type Error = String;
    fn try_from(mib: u32) -> Result<SpoolMib, String> {
        let fits = (SPOOL_MIB_MIN..=SPOOL_MIB_MAX).contains(&mib);
        let range = format!("the spool has {SPOOL_MIB_MIN} to {SPOOL_MIB_MAX} MiB");
        if fits { Ok(SpoolMib(mib)) } else { Err(range) }
    }
}

/// Name of a source: lower-case letters, digits, `.`, `-`, `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SourceName(pub String);

impl TryFrom<String> for SourceName {
    type Error = String;
    fn try_from(name: String) -> Result<SourceName, String> {
        let plain = name.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_')
        });
        if plain && (1..=SOURCE_CHARS_MAX).contains(&name.len()) {
            return Ok(SourceName(name));
        }
        Err(format!("a source is 1 to {SOURCE_CHARS_MAX} of a-z, 0-9, '.', '-' and '_'"))
    }
}

/// SHA-256 of a bearer token; the token itself stands in no file of Ume.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHash(pub [u8; 32]);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash")
    }
}

impl TryFrom<String> for TokenHash {
    type Error = String;
    fn try_from(text: String) -> Result<TokenHash, String> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text.trim(), &mut hash).map_err(|_| {
            "the SHA-256 of the token in 64 hex digits, as `printf %s TOKEN | sha256sum` prints it"
                .to_owned()
        })?;
        Ok(TokenHash(hash))
    }
}

/// Address of a PostgreSQL database; its password is never shown.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(pub String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;
    fn try_from(url: String) -> Result<DatabaseUrl, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(DatabaseUrl(url));
        }
        Err("an address begins with postgres://; leave it out for ume.db in the data folder".into())
    }
}

/// What is logged, as `UME_LOG` takes it: `info`, `debug,sqlx=warn`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct LogFilter(pub String);

impl TryFrom<String> for LogFilter {
    type Error = String;
    fn try_from(text: String) -> Result<LogFilter, String> {
        let known = ["off", "error", "warn", "info", "debug", "trace"];
        let level = |part: &str| {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
            known.contains(&level.trim())
        };
        if text.split(',').all(level) {
            return Ok(LogFilter(text));
        }
        Err("a level is off, error, warn, info, debug or trace, or part=level with commas".into())
    }
}

/// What is wrong with the file, and where.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{place}: {what}")]
pub struct ConfigError {
    /// `file:line:column`.
    place: String,
    what: String,
    #[help]
    help: Option<String>,
    #[source_code]
    text: miette::NamedSource<String>,
    #[label("here")]
    span: miette::SourceSpan,
}

/// Reads a configuration file.
pub fn read(path: &Path) -> Result<Config, crate::CliError> {
    let io = |source| crate::CliError::Io { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
        return Err(io(std::io::Error::other(format!("more than {FILE_BYTES_MAX} bytes"))));
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    Ok(parse(&path.display().to_string(), &text)?)
}

fn parse(file: &str, text: &str) -> Result<Config, Box<ConfigError>> {
    let config: Config =
        toml::from_str(text).map_err(|e| error(file, text, e.message(), e.span()))?;
    let mut seen = BTreeSet::new();
    for name in config.intake.sources() {
        if !seen.insert(name) {
            let what = format!("source {:?} stands twice; its counts would mix", name.0);
            let quoted = format!("\"{}\"", name.0);
            let span = text.rfind(&quoted).map(|at| at..at + quoted.len());
            return Err(error(file, text, &what, span));
        }
    }
    let mut known = BTreeSet::new();
    for archive in &config.packages.archive {
        if !known.insert(&archive.name) {
            let what = format!("archive {:?} stands twice", archive.name);
            let quoted = format!("\"{}\"", archive.name);
            let span = text.rfind(&quoted).map(|at| at..at + quoted.len());
            return Err(error(file, text, &what, span));
        }
    }
    Ok(config)
}

fn error(
    file: &str,
    text: &str,
    what: &str,
    span: Option<std::ops::Range<usize>>,
) -> Box<ConfigError> {
    let span = span.unwrap_or(0..0);
    let before = &text[..text.floor_char_boundary(span.start.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Box::new(ConfigError {
        place: format!("{file}:{line}:{column}"),
        what: without_secrets(what),
        help: help(what),
        text: miette::NamedSource::new(file, without_secrets(text)),
        span: span.into(),
    })
}

/// `unknown field `x`, expected one of `a`, `b`` → the names in backticks.
fn names(what: &str) -> Vec<&str> {
    what.split('`').skip(1).step_by(2).collect()
}

fn help(what: &str) -> Option<String> {
    if !what.starts_with("unknown field") && !what.starts_with("unknown variant") {
        return None;
    }
    let names = names(what);
    let (wrong, valid) = names.split_first()?;
    let nearest = valid.iter().map(|name| (distance(wrong, name), *name)).min()?;
    Some(if nearest.0 <= SLIPS_MAX {
        format!("did you mean `{}`?", nearest.1)
    } else {
        format!("valid here: {}", valid.join(", "))
    })
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let best = (corner + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[b.len()]
}

/// Blots out passwords of addresses, byte for byte, so that places still fit.
fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail.find(['"', '\'', '\n', ' ', '/']).unwrap_or(tail.len());
        let (login, after) = tail.split_at(end);
        match login.rsplit_once('@') {
            Some((secret, host)) => {
                out.push_str(&"*".repeat(secret.len()));
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(login),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// One key of the file, as the reference shows it.
#[cfg(test)]
struct Key {
    path: &'static str,
    example: &'static str,
    default: &'static str,
    ja: &'static str,
    en: &'static str,
}

#[cfg(test)]
#[path = "config_reference.rs"]
pub(crate) mod reference;
