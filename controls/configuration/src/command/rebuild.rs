//! `ume baseline export` and `ume baseline prove`: a host as a project that builds it again, and the
//! proof that it does.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use baseline::{
    Facts, FingerprintKey, Plan,
    export::{Host, Project, Target, export},
};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use room::{Error, Outcome};
use serde_json::json;

use crate::{
    sheet::hosts,
    work::{
        driver::{RootDriver, collect},
        twin::{Asked, Proof, prove},
    },
};

/// `export`.
pub(super) fn export_command() -> Command {
    let to = Arg::new("to")
        .long("to")
        .required(true)
        .value_parser(PossibleValuesParser::new(Target::ALL.map(Target::as_str)))
        .help("What will run the project");
    let roots = Arg::new("root")
        .long("root")
        .value_name("[NAME=]DIR")
        .required(true)
        .action(ArgAction::Append)
        .help("Folder that holds the root of a host; repeat it for several");
    let output = Arg::new("output")
        .long("output")
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Where the project goes: a folder that is not there yet");
    Command::new("export")
        .about("Write a project that builds hosts again: equal resources once, differences per host, secrets by look-up")
        .args([to, roots, pristine(), output])
}

/// `prove`.
pub(super) fn prove_command() -> Command {
    let root = Arg::new("root")
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Folder that holds the root of the host");
    let folder = Arg::new("folder")
        .long("folder")
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Where pristine roots are kept and twins are built");
    let via = Arg::new("via")
        .long("via")
        .default_value("ansible")
        .value_parser(PossibleValuesParser::new(["ansible", "shell"]))
        .help("What builds the twin; ansible needs python3 among the packages of the host");
    let class = Arg::new("class")
        .long("class")
        .value_name("TEMPLATE")
        .help("Class of hosts that the proof is for; it stands in the JSON, which a server takes as it is");
    Command::new("prove")
        .about("Build a host's twin from nothing and hold it against the host; exit 1 for a silent loss, too few equal facts, or a second run that changes something")
        .args([root, folder, via, pristine(), class, super::format()])
}

fn pristine() -> Arg {
    Arg::new("pristine")
        .long("pristine")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("Root with the same packages, freshly installed")
}

/// Fingerprints are compared within one run only, so their key lives as long.
fn key() -> Result<FingerprintKey, Error> {
    let path = Path::new("/dev/urandom");
    let at = |source| Error::Io { path: path.to_owned(), source };
    let mut bytes = [0; 32];
    std::fs::File::open(path).map_err(at)?.read_exact(&mut bytes).map_err(at)?;
    Ok(FingerprintKey::new(bytes))
}

fn facts_of(root: &Path, key: &FingerprintKey) -> Result<Facts, Error> {
    let at = |source| Error::Io { path: root.to_owned(), source };
    let mut driver = RootDriver::open(root, false).map_err(at)?;
    let plan = Plan { live: false, full: true, key: key.clone() };
    let facts = baseline::facts(&collect(&mut driver, plan));
    for unread in &facts.unread {
        eprintln!("ume: {}: {}: {}", root.display(), unread.place, unread.reason);
    }
    Ok(facts)
}

fn name_of(facts: &Facts) -> String {
    // It becomes the name of a file, whatever a host calls itself.
    let name = hosts::name(facts).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name: String = name.chars().filter(|c| plain(*c)).take(63).collect();
    let name = name.trim_start_matches('.').to_owned();
    if name.is_empty() { "host".to_owned() } else { name }
}

pub(super) fn run_export(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let key = key()?;
    let output = matches.get_one::<PathBuf>("output").cloned().unwrap_or_default();
    if output.exists() {
        return Err(Error::said(format!("{}: is there already", output.display())));
    }
    let pristine = matches.get_one::<PathBuf>("pristine");
    let pristine = pristine.map(|root| facts_of(root, &key)).transpose()?;
    let mut all = Vec::new();
    for said in matches.get_many::<String>("root").into_iter().flatten() {
        let (name, root) = match said.split_once('=') {
            Some((name, root)) => (Some(name.to_owned()), root),
            None => (None, said.as_str()),
        };
        let facts = facts_of(Path::new(root), &key)?;
        let name = name.unwrap_or_else(|| name_of(&facts));
        if all.iter().any(|(known, _)| *known == name) {
            return Err(Error::said(format!(
                "{root}: a second host named {name}: say NAME={root}"
            )));
        }
        all.push((name, facts));
    }
    let made: Vec<Host<'_>> =
        all.iter().map(|(name, facts)| Host { name, facts, pristine: pristine.as_ref() }).collect();
    let to = matches.get_one::<String>("to").map_or("", String::as_str);
    let target = Target::ALL.into_iter().find(|target| target.as_str() == to);
    let project = export(&made, target.unwrap_or(Target::Ansible));
    write_project(&project, &output)?;
    let _ = writeln!(out, "{} files in {}", project.files.len(), output.display());
    for (host, steps) in &project.steps {
        let host = if host.is_empty() { "(all)" } else { host };
        let _ = writeln!(out, "{host}: {steps} steps");
    }
    let _ = writeln!(
        out,
        "{} residuals, {} secrets to be put in place",
        project.residuals.len(),
        project.secrets.len()
    );
    let unread = all.iter().any(|(_, facts)| !facts.unread.is_empty());
    Ok(if unread { Outcome::Incomplete } else { Outcome::Good })
}

fn write_project(project: &Project, folder: &Path) -> Result<(), Error> {
    for (name, bytes) in &project.files {
        let path = folder.join(name);
        let above = path.parent().unwrap_or(folder).to_owned();
        let at = |source| Error::Io { path: path.clone(), source };
        std::fs::create_dir_all(above).map_err(at)?;
        std::fs::write(&path, bytes).map_err(at)?;
    }
    Ok(())
}

pub(super) fn run_prove(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let key = key()?;
    let root = matches.get_one::<PathBuf>("root").cloned().unwrap_or_default();
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    let real = facts_of(&root, &key)?;
    let name = name_of(&real);
    let via = matches.get_one::<String>("via").map(String::as_str);
    let target = if via == Some("shell") { Target::Shell } else { Target::Ansible };
    let pristine = matches.get_one::<PathBuf>("pristine").map(PathBuf::as_path);
    let asked =
        Asked { name: &name, real: &real, key, target, folder: &folder, pristine, full: true };
    let proof = prove(&asked).map_err(Error::said)?;
    let _ = match super::format_name(matches) {
        "json" => writeln!(out, "{:#}", document(&proof, matches.get_one("class"))),
        form => table(&proof, form == "csv", out),
    };
    Ok(if proof.holds() { Outcome::Good } else { Outcome::Found })
}

/// What a server takes at `/api/v1/configuration/rebuilds`.
fn document(proof: &Proof, class: Option<&String>) -> serde_json::Value {
    let mut document = json!({
        "rebuild": proof.rebuild, "changes": proof.changes, "holds": proof.holds(),
        "proved_at": jiff::Timestamp::now().to_string(),
    });
    if let Some(class) = class {
        document["class"] = json!(class);
    }
    document
}

fn table(proof: &Proof, csv: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if csv {
        writeln!(out, "outcome,fact,real,twin")?;
    }
    let mut line = |outcome: &str, fact: &str, real: &str, twin: &str| match csv {
        true => writeln!(out, "{}", [outcome, fact, real, twin].map(web::csv_cell).join(",")),
        false => {
            let text = format!("{outcome:<20} {fact} {real} {twin}");
            writeln!(out, "{}", text.trim_end().replace(char::is_control, " "))
        }
    };
    for residual in &proof.rebuild.residuals {
        let reason = json!(residual.reason);
        line(reason.as_str().unwrap_or(""), &residual.fact, "", "")?;
    }
    for loss in &proof.rebuild.silent {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        line("silent", &loss.fact, &text(&loss.real), &text(&loss.twin))?;
    }
    if csv {
        return Ok(());
    }
    let rebuild = &proof.rebuild;
    let (whole, part) = (rebuild.permille() / 10, rebuild.permille() % 10);
    writeln!(
        out,
        "{} of {} facts equal ({whole}.{part} %), {} residuals, {} silent losses, changes {} then {}",
        rebuild.equal,
        rebuild.managed,
        rebuild.residuals.len(),
        rebuild.silent.len(),
        proof.changes[0],
        proof.changes[1]
    )
}
