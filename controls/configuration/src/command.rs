//! `ume baseline`: looks at a host, over SSH or by the folder that holds its root, without a server.

mod print;
mod rebuild;
pub mod sbom;
mod sheet;
mod upgrade;
mod watch;

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use baseline::{Class, Facts, FingerprintKey, Layer, Outcome as Checked, RuleSet, changes, check};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use room::{Error, Outcome, Verb};

use crate::work::{collect, driver::SshDriver, keys};
use print::Format;

const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
const SECONDS_DAY: i64 = 86_400;

/// The room's verb.
pub fn verb() -> Verb {
    let gather = Command::new("gather")
        .about("Collect the configuration: one line per fact; exit 3 if something was not readable")
        .args(host_args())
        .arg(format());
    let facts = Command::new("facts")
        .about("Print the facts of a document that gather --format json wrote")
        .arg(document("FILE", "Document of facts; - is the input"))
        .arg(
            Arg::new("layer")
                .long("layer")
                .value_name("LAYER")
                .help("Only this layer")
                .value_parser(PossibleValuesParser::new(Layer::ALL.map(Layer::as_str))),
        )
        .arg(
            Arg::new("class")
                .long("class")
                .value_name("CLASS")
                .help("Only this class, as user or sshd"),
        )
        .arg(key())
        .arg(format());
    let diff = Command::new("diff")
        .about("What changed between two documents of facts, or folders that hold roots; exit 1 if anything, with --archive if anything that no package explains")
        .arg(document("A", "The older document or folder"))
        .arg(document("B", "The newer document or folder"))
        .args(upgrade::args())
        .arg(key())
        .arg(format());
    let check = Command::new("check")
        .about(
            "Hold a host against the eight families; exit 1 if a check fails, 3 if one is unknown",
        )
        .arg(
            document("FILE", "Document of facts; without it the host is looked at").required(false),
        )
        .args(host_args())
        .arg(format());
    let command = Command::new("baseline")
        .about("Configuration of a host, or of a folder that holds the root of one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([gather, facts, diff, check])
        .subcommand(rebuild::export_command())
        .subcommand(rebuild::prove_command())
        .subcommand(sheet::command())
        .subcommand(watch::command());
    Verb { command, run }
}

fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .default_value("table")
        .value_parser(PossibleValuesParser::new(["table", "json", "csv"]))
        .help("Output format")
}

fn key() -> Arg {
    Arg::new("key")
        .long("key")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Key of the fingerprints of secrets; made where it is missing")
}

fn document(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(name).required(true).value_parser(value_parser!(PathBuf)).help(help)
}

fn host_args() -> [Arg; 6] {
    [
        Arg::new("root")
            .long("root")
            .value_name("DIR")
            .default_value("/")
            .value_parser(value_parser!(PathBuf))
            .help("Folder that holds the root of a host; of / the running kernel is asked as well"),
        Arg::new("ssh")
            .long("ssh")
            .value_name("HOST")
            .help("Collect over SSH, as the system's ssh reaches HOST; its key must be known"),
        Arg::new("ssh-config")
            .long("ssh-config")
            .value_name("FILE")
            .requires("ssh")
            .value_parser(value_parser!(PathBuf))
            .help("Configuration for ssh instead of the user's"),
        Arg::new("sudo")
            .long("sudo")
            .action(ArgAction::SetTrue)
            .requires("ssh")
            .help("Over SSH, read as root by sudo -n"),
        Arg::new("quick")
            .long("quick")
            .action(ArgAction::SetTrue)
            .help("Hold only the files of /etc against their packages"),
        key(),
    ]
}

fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    match matches.subcommand() {
        Some(("gather", matches)) => gather(matches, out),
        Some(("facts", matches)) => facts(matches, out),
        Some(("diff", matches)) => diff(matches, out),
        Some(("check", matches)) => check_host(matches, out),
        Some(("export", matches)) => rebuild::run_export(matches, out),
        Some(("prove", matches)) => rebuild::run_prove(matches, out),
        Some(("sheet", matches)) => sheet::run(matches, out),
        Some(("watch", matches)) => watch::run(matches, out),
        _ => Err(Error::said("baseline: no such subcommand")),
    }
}

fn path<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a PathBuf> {
    matches.get_one::<PathBuf>(name)
}

fn format_name(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("format").map_or("table", String::as_str)
}

fn format_of(matches: &ArgMatches) -> Format {
    Format::named(format_name(matches))
}

/// The key named, else that of the user.
fn key_of(matches: &ArgMatches) -> Result<FingerprintKey, Error> {
    match path(matches, "key").cloned().or_else(keys::path_of_user) {
        Some(path) => keys::of_file(&path),
        None => Err(Error::said("no home for the key of the fingerprints: name a file with --key")),
    }
}

fn look(matches: &ArgMatches) -> Result<Facts, Error> {
    let key = key_of(matches)?;
    let full = !matches.get_flag("quick");
    if let Some(host) = matches.get_one::<String>("ssh") {
        let root = path(matches, "root").map_or(Path::new("/"), PathBuf::as_path);
        let config = path(matches, "ssh-config").map(PathBuf::as_path);
        let mut driver = SshDriver::to(host, matches.get_flag("sudo"), root, config)?;
        let live = root == Path::new("/");
        let facts = collect::collect_by(&mut driver, live, full, &key);
        return driver.failure().map_or(Ok(facts), |failure| Err(Error::said(failure)));
    }
    folder(path(matches, "root").map_or(Path::new("/"), PathBuf::as_path), full, &key)
}

fn folder(root: &Path, full: bool, key: &FingerprintKey) -> Result<Facts, Error> {
    collect::collect(root, true, full, key)
        .map_err(|source| Error::Io { path: root.to_owned(), source })
}

/// A document of facts, or of a folder that holds a root what is found there.
fn read(path: &Path, key: impl FnOnce() -> Result<FingerprintKey, Error>) -> Result<Facts, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if path.is_dir() {
        return folder(path, true, &key()?);
    }
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    } else {
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    }
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(Error::said(format!(
            "{}: larger than {DOCUMENT_BYTES_MAX} bytes",
            path.display()
        )));
    }
    Facts::from_document(&bytes)
        .map_err(|error| Error::said(format!("{}: {error}", path.display())))
}

/// What was not read goes to standard error.
fn tell_unread(facts: &Facts) -> bool {
    for unread in &facts.unread {
        eprintln!("ume: {}: {}", unread.place, unread.reason);
    }
    for place in &facts.unstable {
        eprintln!("ume: {place}: changed while it was read");
    }
    facts.unread.is_empty() && facts.unstable.is_empty()
}

fn gather(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let facts = look(matches)?;
    let printed = match format_of(matches) {
        Format::Json => print::json(&facts.to_document(), out),
        format => print::facts(facts.iter(), format, out),
    };
    let whole = tell_unread(&facts);
    // A closed pipe (`| head`) is no error.
    Ok(if whole || printed.is_err() { Outcome::Good } else { Outcome::Incomplete })
}

fn facts(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let file = path(matches, "FILE").map_or(Path::new("-"), PathBuf::as_path);
    let facts = read(file, || key_of(matches))?;
    let class = match matches.get_one::<String>("class") {
        None => None,
        Some(name) => Some(Class::named(name).ok_or_else(|| {
            let known: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
            Error::said(format!("{name}: no such class; there are {}", known.join(", ")))
        })?),
    };
    let layer = matches.get_one::<String>("layer");
    let chosen = facts.iter().filter(|fact| {
        class.is_none_or(|class| class == fact.class)
            && layer.is_none_or(|layer| layer == fact.layer().as_str())
    });
    let printed = match format_of(matches) {
        Format::Json => print::json(&chosen.map(baseline::Fact::to_json).collect(), out),
        format => print::facts(chosen, format, out),
    };
    let _closed = printed.is_err();
    Ok(Outcome::Good)
}

fn diff(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let side = |name: &str| {
        let path = path(matches, name).map_or(Path::new("-"), PathBuf::as_path);
        read(path, || key_of(matches))
    };
    let (old, new) = (side("A")?, side("B")?);
    let deltas = changes(&old, &new);
    if matches.contains_id("archive") {
        let outcome = upgrade::run(matches, [&old, &new], deltas, format_of(matches), out)?;
        let whole = tell_unread(&new);
        return Ok(if outcome == Outcome::Good && !whole { Outcome::Incomplete } else { outcome });
    }
    let printed = print::deltas(&deltas, format_of(matches), out);
    let whole = tell_unread(&new);
    Ok(match (deltas.is_empty(), printed.is_err() || whole) {
        (false, _) => Outcome::Found,
        (true, true) => Outcome::Good,
        (true, false) => Outcome::Incomplete,
    })
}

fn check_host(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let key = key_of(matches)?;
    let facts = match path(matches, "FILE") {
        Some(file) => read(file, || key_of(matches))?,
        None => look(matches)?,
    };
    let today = jiff::Timestamp::now().as_second() / SECONDS_DAY;
    let results = check(&facts, &RuleSet::standard(Some(today), &key));
    let printed = print::checks(&results, format_of(matches), out);
    let any = |outcome| results.iter().any(|result| result.outcome == outcome);
    Ok(match (any(Checked::Fail), any(Checked::Unknown) && printed.is_ok()) {
        (true, _) => Outcome::Found,
        (false, true) => Outcome::Incomplete,
        (false, false) => Outcome::Good,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ume(arguments: &[&str], key: &Path) -> (Result<Outcome, Error>, String) {
        let mut out = Vec::new();
        let key = key.to_string_lossy().into_owned();
        let mut all = vec!["baseline"];
        all.extend(arguments);
        all.extend(["--key", &key]);
        let matches = verb().command.try_get_matches_from(all).expect("arguments");
        let outcome = run(&matches, &mut out);
        (outcome, String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn a_folder_is_gathered_compared_and_checked() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().join("root");
        let key = folder.path().join("key");
        std::fs::create_dir_all(root.join("etc")).expect("etc");
        std::fs::write(
            root.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\neve:x:0:0::/:/bin/sh\n",
        )
        .expect("written");
        let shown = root.to_string_lossy().into_owned();
        let (outcome, text) = ume(&["gather", "--root", &shown, "--format", "csv"], &key);
        assert_eq!(outcome.expect("read"), Outcome::Incomplete);
        assert!(text.starts_with("layer,class,name,value,origin\n"), "{text}");
        let (_, old) = ume(&["gather", "--root", &shown, "--format", "json"], &key);
        let file = folder.path().join("old.json");
        std::fs::write(&file, old).expect("written");
        let file = file.to_string_lossy().into_owned();
        let (outcome, text) = ume(&["facts", &file, "--class", "user"], &key);
        assert_eq!(outcome.expect("read"), Outcome::Good);
        assert_eq!(text.lines().count(), 2, "{text}");
        std::fs::write(
            root.join("etc/passwd"),
            "root:x:0:0::/root:/bin/bash\neve:x:0:0::/:/bin/sh\n",
        )
        .expect("written");
        let (outcome, text) = ume(&["diff", &file, &shown], &key);
        assert_eq!(outcome.expect("compared"), Outcome::Found);
        assert!(text.contains("user/root") && text.contains("/bin/bash"), "{text}");
        let (outcome, text) = ume(&["check", &file], &key);
        assert_eq!(outcome.expect("checked"), Outcome::Found);
        assert!(text.contains("privileged.uid0") && text.contains("user/eve"), "{text}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let (outcome, _) = ume(&["gather", "--root", "/no/such/root"], &folder.path().join("key"));
        assert!(outcome.expect_err("refused").to_string().starts_with("/no/such/root"));
    }
}
