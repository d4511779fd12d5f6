//! Tables of dpkg and apt: packages with their selection, sums, diversions, overrides, alternatives,
//! debconf.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Sink, at, paragraphs, settings, sorted, val};
use crate::{
    capture::Capture,
    fact::{Class, Origin, Value},
};

/// The fact of what dpkg was told not to unpack.
pub(crate) const UNPACKING: &str = "dpkg/path-exclude";

const STATUS: &str = "/var/lib/dpkg/status";

#[derive(Debug, Default)]
pub(crate) struct Package {
    pub name: String,
    pub architecture: String,
    pub version: String,
    pub want: String,
    pub error: String,
    pub state: String,
    pub source: String,
    pub conffiles: HashMap<Vec<u8>, Conffile>,
    pub line: u32,
}

impl Package {
    /// `name:architecture`.
    pub(crate) fn key(&self) -> String {
        format!("{}:{}", self.name, self.architecture)
    }

    /// Held and half-installed ones count: their files are there.
    pub(crate) fn has_files(&self) -> bool {
        !matches!(self.state.as_str(), "not-installed" | "config-files")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Status {
    pub packages: Vec<Package>,
    pub problems: Vec<(u32, String)>,
}

/// `/var/lib/dpkg/status`.
pub(crate) fn status(capture: &Capture) -> Status {
    let mut status = Status::default();
    let Some(text) = super::text(capture, STATUS) else { return status };
    let wanted = ["package", "status", "version", "architecture", "source", "conffiles"];
    let mut problems = Vec::new();
    let all = paragraphs(&text.text, &wanted, |line, why| problems.push((line, why.to_owned())));
    for paragraph in all {
        let words: Vec<&str> = paragraph.get("status").split_whitespace().collect();
        let ([want, error, state], false) = (&words[..], paragraph.get("package").is_empty())
        else {
            problems.push((paragraph.line, "package without name or status".to_owned()));
            continue;
        };
        let package = Package {
            name: paragraph.get("package").to_owned(),
            architecture: paragraph.get("architecture").to_owned(),
            version: paragraph.get("version").to_owned(),
            source: paragraph.get("source").to_owned(),
            conffiles: conffiles(paragraph.get("conffiles")),
            want: (*want).to_owned(),
            error: (*error).to_owned(),
            state: (*state).to_owned(),
            line: paragraph.line,
        };
        if package.has_files() && (package.version.is_empty() || package.architecture.is_empty()) {
            problems.push((paragraph.line, "package without version or architecture".to_owned()));
            continue;
        }
        status.packages.push(package);
    }
    status.problems = problems;
    status
}

/// A configuration file as its package brought it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conffile {
    pub md5: [u8; 16],
    /// The installed version no longer brings it.
    pub is_obsolete: bool,
}

/// Lines `path md5 [obsolete | remove-on-upgrade]`.
fn conffiles(text: &str) -> HashMap<Vec<u8>, Conffile> {
    let entries = text.lines().filter_map(|line| {
        let line = line.trim();
        let bare = line.strip_suffix(" obsolete").or(line.strip_suffix(" remove-on-upgrade"));
        let is_obsolete = bare.is_some();
        let line = bare.unwrap_or(line);
        let (path, sum) = line.rsplit_once(' ')?;
        let mut md5 = [0; 16];
        // `newconffile` stands where no sum is known.
        hex::decode_to_slice(sum, &mut md5).ok()?;
        Some((crate::Bytes::parse(path).0, Conffile { md5, is_obsolete }))
    });
    entries.collect()
}

/// Path without the first `/`, and sum.
pub(crate) fn md5sums(table: &[u8]) -> impl Iterator<Item = (&[u8], [u8; 16])> {
    table.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut md5 = [0; 16];
        hex::decode_to_slice(line.get(..32)?, &mut md5).ok()?;
        // A leading `\` of md5sum escapes is not written by dpkg; two blanks are.
        line.get(34..).map(|path| (path, md5))
    })
}

/// Path to where it goes and whose file stays in its place.
pub(crate) fn diversions(capture: &Capture) -> HashMap<Vec<u8>, (Vec<u8>, String)> {
    let Some(text) = super::text(capture, "/var/lib/dpkg/diversions") else {
        return HashMap::new();
    };
    let lines: Vec<&str> = text.text.lines().collect();
    let bytes = |text: &str| crate::Bytes::parse(text).0;
    let triples = lines.chunks_exact(3);
    triples.map(|three| (bytes(three[0]), (bytes(three[1]), three[2].to_owned()))).collect()
}

/// Patterns of `path-exclude` and `path-include`, in order.
pub(crate) fn excludes(capture: &Capture) -> Vec<(bool, Vec<u8>)> {
    let mut found = Vec::new();
    let files = super::paths(capture, "/etc/dpkg/dpkg.cfg.d/*").into_iter();
    for path in files.chain(["/etc/dpkg/dpkg.cfg".to_owned()]) {
        let Some(text) = super::text(capture, &path) else { continue };
        for (_, line) in settings(&text.text) {
            let Some((name, pattern)) = line.split_once(['=', ' ']) else { continue };
            let pattern = crate::Bytes::parse(pattern.trim()).0;
            match name.trim().trim_start_matches("--") {
                "path-exclude" => found.push((true, pattern)),
                "path-include" => found.push((false, pattern)),
                _ => {}
            }
        }
    }
    found
}

/// All facts of layer 2 that dpkg and debconf keep.
pub(crate) fn facts(sink: &mut Sink<'_>) {
    packages(sink);
    architectures(sink);
    for (from, (to, by)) in sorted_map(diversions(sink.capture)) {
        let by = if by == ":" { "local" } else { &by };
        let value = Value::map([("to", Value::Text(to.into())), ("by", val(by))]);
        sink.add(Class::Diversion, from, value, at("/var/lib/dpkg/diversions", 0));
    }
    overrides(sink);
    alternatives(sink);
    debconf(sink);
    unpacking(sink);
}

/// What dpkg was told not to unpack: patterns in their order, each with `-` or `+` before it.
fn unpacking(sink: &mut Sink<'_>) {
    let patterns = excludes(sink.capture);
    if patterns.is_empty() {
        return;
    }
    let texts = patterns
        .into_iter()
        .map(|(excluded, pattern)| [if excluded { &b"-"[..] } else { b"+" }, &pattern].concat());
    let origin = Origin::Command("dpkg --path-exclude".into());
    sink.add(Class::AptConfig, UNPACKING, Value::texts(texts), origin);
}

fn sorted_map<V>(map: HashMap<Vec<u8>, V>) -> BTreeMap<Vec<u8>, V> {
    map.into_iter().collect()
}

fn packages(sink: &mut Sink<'_>) {
    let automatic = automatic(sink);
    let status = status(sink.capture);
    for (line, why) in &status.problems {
        sink.problem(STATUS, *line, why);
    }
    for package in status.packages {
        // What is gone and wanted gone is no fact; held back from installing is one.
        if package.state == "not-installed" && package.want != "hold" {
            continue;
        }
        let mut map = BTreeMap::from([
            ("name".to_owned(), val(&package.name)),
            ("architecture".to_owned(), val(&package.architecture)),
            ("version".to_owned(), val(&package.version)),
            ("want".to_owned(), val(&package.want)),
            ("state".to_owned(), val(&package.state)),
        ]);
        let automatic = automatic.contains(&(package.name.clone(), package.architecture.clone()));
        map.insert("automatic".to_owned(), Value::Bool(automatic));
        if package.error != "ok" {
            map.insert("error".to_owned(), val(&package.error));
        }
        if !package.source.is_empty() {
            map.insert("source".to_owned(), val(&package.source));
        }
        sink.add(Class::Package, package.key(), Value::Map(map), at(STATUS, package.line));
    }
}

/// Name and architecture of packages that came as dependencies.
fn automatic(sink: &mut Sink<'_>) -> HashSet<(String, String)> {
    let path = "/var/lib/apt/extended_states";
    let Some(text) = sink.text(path) else { return HashSet::new() };
    let mut problems = Vec::new();
    let wanted = ["package", "architecture", "auto-installed"];
    let all = paragraphs(&text.text, &wanted, |line, why| problems.push((line, why.to_owned())));
    for (line, why) in problems {
        sink.problem(path, line, &why);
    }
    let native =
        sink.text("/var/lib/dpkg/arch").and_then(|t| t.text.lines().next().map(str::to_owned));
    let mut found = HashSet::new();
    for one in all.iter().filter(|one| one.get("auto-installed") == "1") {
        let name = one.get("package").to_owned();
        found.insert((name.clone(), one.get("architecture").to_owned()));
        // apt writes the native architecture for packages of `all` too.
        if native.is_none() || native.as_deref() == Some(one.get("architecture")) {
            found.insert((name, "all".to_owned()));
        }
    }
    found
}

fn architectures(sink: &mut Sink<'_>) {
    let Some(text) = sink.text("/var/lib/dpkg/arch") else { return };
    for (line, name) in settings(&text.text) {
        sink.add(Class::Architecture, name, Value::Bool(true), at(&text.path, line));
    }
}

fn overrides(sink: &mut Sink<'_>) {
    let Some(text) = sink.text("/var/lib/dpkg/statoverride") else { return };
    for (line, entry) in settings(&text.text) {
        let mut words = entry.splitn(4, ' ');
        let (Some(user), Some(group), Some(mode), Some(path)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            sink.problem(&text.path, line, "not user group mode path");
            continue;
        };
        let Ok(bits) = u16::from_str_radix(mode, 8) else {
            sink.problem(&text.path, line, "mode is not octal");
            continue;
        };
        let value = Value::map([
            ("user", val(user)),
            ("group", val(group)),
            ("mode", Value::Mode(bits & 0o7777)),
        ]);
        sink.add(Class::StatOverride, crate::Bytes::parse(path), value, at(&text.path, line));
    }
}

fn alternatives(sink: &mut Sink<'_>) {
    for text in sink.matching("/var/lib/dpkg/alternatives/*") {
        let name = super::base(&text.path).to_owned();
        let mut lines = text.text.lines();
        let (Some(mode), Some(link)) = (lines.next(), lines.next()) else {
            sink.problem(&text.path, 1, "not a group of alternatives");
            continue;
        };
        let place = format!("/etc/alternatives/{name}");
        let entry = sink.capture.entry(crate::Bytes::parse(&place).as_slice());
        let target = entry.and_then(|entry| entry.target.as_ref());
        let target = target.map_or(Value::Absent, |target| Value::text(&target[..]));
        let value = Value::map([("mode", val(mode)), ("link", val(link)), ("value", target)]);
        sink.add(Class::Alternative, crate::Bytes::parse(&name), value, at(&text.path, 1));
    }
}

fn debconf(sink: &mut Sink<'_>) {
    let path = "/var/cache/debconf/config.dat";
    let Some(text) = sink.text(path) else { return };
    let mut problems = Vec::new();
    let wanted = ["name", "template", "value", "owners", "flags"];
    let all = paragraphs(&text.text, &wanted, |line, why| problems.push((line, why.to_owned())));
    for (line, why) in problems {
        sink.problem(path, line, &why);
    }
    for question in all {
        let name = question.get("name");
        if name.is_empty() {
            continue;
        }
        let value = Value::map([
            ("value", question.fields.get("value").map_or(Value::Absent, |value| val(value))),
            ("template", val(question.get("template"))),
            ("owners", sorted(question.get("owners").split(',').map(str::trim))),
            ("flags", sorted(question.get("flags").split_whitespace())),
        ]);
        sink.add(
            Class::Debconf,
            crate::Bytes::parse(name),
            value,
            Origin::File(path.into(), question.line),
        );
    }
}
