//! Advisories and statements: `match`, `vex` and `csaf check`.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use room::{Error, Outcome};
use sbom::{
    Limits, advisory,
    csaf::check::check_bytes,
    judge::{Index, State, Subject, Verdict},
    purl::Purl,
    vex::{self, Document, Form, Product, Statement},
};

use super::{
    format, format_of,
    identity::lines,
    read::{bytes, document, load},
    table,
};

/// How deep folders of advisories lie in each other at most.
const DEPTH_MAX: usize = 32;

fn files(name: &'static str, long: &'static str) -> Arg {
    let arg = Arg::new(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    arg.long(long).action(ArgAction::Append)
}

pub(super) fn match_command() -> Command {
    let what = Arg::new("file").value_name("FILE").value_parser(value_parser!(PathBuf)).help(
        "Bill of materials; without it package URLs are read from standard input, one a line",
    );
    let advisories = Arg::new("advisories")
        .long("advisories")
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Folder of advisories: OSV, RustSec, CSAF, Debian's tracker, Alpine's secdb, JVN");
    let statements = files("vex", "vex").help("Statements that decide: OpenVEX, CycloneDX, CSAF");
    let release = Arg::new("release").long("release").value_name("RELEASE").help(
        "Release of packages of distributions that do not name theirs: bookworm, 22.04, 3.20",
    );
    let all = Arg::new("all")
        .long("all")
        .action(ArgAction::SetTrue)
        .help("Show what is not affected as well, with the reason");
    Command::new("match")
        .about("Which advisories touch what is listed, and why; exit 1 if one does, 3 if one cannot be judged")
        .args([what, advisories, statements, release, all, format()])
}

pub(super) fn vex_command() -> Command {
    let to = Arg::new("to")
        .long("to")
        .value_name("FORM")
        .value_parser(PossibleValuesParser::new(["openvex", "cyclonedx", "csaf-2.0", "csaf-2.1"]))
        .help("Write the statements in this form; without it they are listed");
    let option = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").help(help)
    };
    Command::new("vex")
        .about("Statements about weaknesses (OpenVEX, CycloneDX, CSAF): list them, or write them in another form")
        .args([
            document("file"),
            to,
            option("id", "Name of the new document: an IRI, of CycloneDX a UUID"),
            option("author", "Who makes the statements; without it who made the first"),
            option("namespace", "IRI of who makes them, which CSAF asks for"),
            option("at", "When, as RFC 3339; without it the time of the latest statement"),
            format(),
        ])
}

pub(super) fn csaf_command() -> Command {
    let given = Arg::new("file")
        .value_name("FILE")
        .action(ArgAction::Append)
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("CSAF documents; - is one on standard input");
    let check = Command::new("check")
        .about("Hold documents against the mandatory tests 6.1.1 to 6.1.33; exit 1 with each that fails")
        .args([given, format()]);
    Command::new("csaf")
        .about("Security advisories in CSAF")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check)
}

pub(super) fn advisories(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let mut incomplete = false;
    let folder = matches.get_one::<PathBuf>("advisories").cloned().unwrap_or_default();
    let mut found = Vec::new();
    walk(&folder, 0, &mut found)?;
    let mut read = Vec::new();
    for file in &found {
        let one = advisory::read(&bytes(file)?, &Limits::DEFAULT);
        for problem in &one.problems {
            incomplete = true;
            eprintln!("ume: {}: {problem}", file.display());
        }
        read.extend(one.advisories);
    }
    let index = Index::new(read);
    let mut statements = Vec::new();
    for file in matches.get_many::<PathBuf>("vex").into_iter().flatten() {
        statements.extend(statements_of(file, &mut incomplete)?);
    }
    let subjects = subjects(matches, &mut incomplete)?;
    let verdicts = index.judge(&subjects, &statements);
    let all = matches.get_flag("all");
    let shown: Vec<&Verdict> =
        verdicts.iter().filter(|v| all || v.state != State::NotAffected).collect();
    let rows: Vec<Vec<String>> = shown.iter().map(|v| row(v, &subjects[v.subject])).collect();
    let heads = ["state", "advisory", "package", "version", "reason", "fixed", "reason_ja"];
    match format_of(matches) {
        "table" => {
            let short: Vec<Vec<String>> = rows.iter().map(|r| r[..5].to_vec()).collect();
            table("table", &heads[..5], &short, out);
        }
        format => table(format, &heads, &rows, out),
    }
    eprintln!(
        "ume: {} advisories, {} packages, {} verdicts",
        index.len(),
        subjects.len(),
        verdicts.len()
    );
    let is = |state| verdicts.iter().any(|v| v.state == state);
    Ok(match (is(State::Affected), incomplete || is(State::Unknown)) {
        (true, _) => Outcome::Found,
        (_, true) => Outcome::Incomplete,
        _ => Outcome::Good,
    })
}

/// Files that may be advisories, in order. A link that leads back is not followed.
fn walk(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::Io { path: folder.to_owned(), source };
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if name.starts_with('.') || name.starts_with("readme") {
            continue;
        }
        let ends = [".json", ".yaml", ".yml", ".md", ".xml", ".rdf"];
        if kind.is_dir() && depth < DEPTH_MAX {
            walk(&path, depth + 1, out)?;
        } else if kind.is_file() && ends.iter().any(|end| name.ends_with(end)) {
            out.push(path);
        }
    }
    Ok(())
}

fn subjects(matches: &ArgMatches, incomplete: &mut bool) -> Result<Vec<Subject>, Error> {
    let mut out = Vec::new();
    match matches.get_one::<PathBuf>("file") {
        Some(file) => out.extend(load(file)?.walk().map(Subject::from)),
        None => {
            for line in lines() {
                let line = line?;
                match Purl::parse_lenient(line.trim()) {
                    Ok(purl) => out.push(Subject::of(&purl)),
                    Err(error) => {
                        *incomplete = true;
                        eprintln!("ume: {line}: {error}");
                    }
                }
            }
        }
    }
    if let Some(release) = matches.get_one::<String>("release") {
        out = out.into_iter().map(|s| s.with_release(release)).collect();
    }
    Ok(out)
}

fn statements_of(file: &Path, incomplete: &mut bool) -> Result<Vec<Statement>, Error> {
    let read = vex::read(&bytes(file)?, &Limits::DEFAULT);
    for problem in &read.problems {
        *incomplete = true;
        eprintln!("ume: {}: {problem}", file.display());
    }
    Ok(read.statements)
}

fn row(verdict: &Verdict, subject: &Subject) -> Vec<String> {
    let (ja, en) = verdict.reason.words();
    let package = match &subject.purl {
        Some(purl) => purl.versionless().to_string(),
        None => subject.name.clone(),
    };
    vec![
        verdict.state.name().to_owned(),
        verdict.advisory.clone(),
        package,
        subject.version.clone(),
        en,
        verdict.fixed.join(" "),
        ja,
    ]
}

pub(super) fn statements(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let mut incomplete = false;
    let statements = statements_of(&file, &mut incomplete)?;
    match matches.get_one::<String>("to") {
        Some(to) => {
            let written = vex::write(&head(matches, &statements)?, &statements, form(to));
            let text = serde_json::to_string_pretty(&written).map_err(Error::said)?;
            // A closed pipe is no error.
            let _ = writeln!(out, "{text}");
        }
        None => {
            let rows: Vec<Vec<String>> = statements.iter().map(listed).collect();
            let heads = ["status", "original", "advisory", "product", "reason", "author", "at"];
            table(format_of(matches), &heads, &rows, out);
        }
    }
    Ok(if incomplete { Outcome::Incomplete } else { Outcome::Good })
}

fn form(name: &str) -> Form {
    match name {
        "openvex" => Form::OpenVex,
        "cyclonedx" => Form::CycloneDx,
        "csaf-2.1" => Form::Csaf21,
        _ => Form::Csaf20,
    }
}

/// What stands around the statements: given, or as the statements themselves say.
fn head(matches: &ArgMatches, statements: &[Statement]) -> Result<Document, Error> {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let needed = |name: &str| Error::said(format!("--{name} is needed: no statement says it"));
    let author = given("author").or_else(|| statements.first().map(|s| s.author.clone()));
    let csaf = given("to").is_some_and(|to| to.starts_with("csaf"));
    let at = given("at").or_else(|| statements.iter().filter_map(|s| s.at.clone()).max());
    Ok(Document {
        id: given("id").ok_or_else(|| needed("id"))?,
        author: author.ok_or_else(|| needed("author"))?,
        namespace: match (given("namespace"), csaf) {
            (None, true) => return Err(Error::said("--namespace is needed: CSAF asks for it")),
            (namespace, _) => namespace.unwrap_or_default(),
        },
        at: at.ok_or_else(|| needed("at"))?,
        edition: 1,
        title: "VEX".to_owned(),
    })
}

fn listed(statement: &Statement) -> Vec<String> {
    let product = match &statement.product {
        Product::Purl(purl) => purl.to_string(),
        Product::Cpe(text) | Product::Hash(text) | Product::Name(text) => text.clone(),
    };
    vec![
        statement.status.name().to_owned(),
        statement.original.clone(),
        statement.advisory.clone(),
        product,
        statement.reason_text(),
        statement.author.clone(),
        statement.at.clone().unwrap_or_default(),
    ]
}

pub(super) fn csaf(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let Some(("check", matches)) = matches.subcommand() else {
        return Err(Error::said("csaf: no such subcommand"));
    };
    let mut rows = Vec::new();
    for file in matches.get_many::<PathBuf>("file").into_iter().flatten() {
        let name = file.display().to_string();
        let findings = check_bytes(&bytes(file)?, &Limits::DEFAULT)
            .map_err(|problem| Error::said(format!("{name}: {problem}")))?;
        for finding in findings {
            rows.push(vec![name.clone(), finding.test.to_owned(), finding.pointer, finding.what]);
        }
    }
    table(format_of(matches), &["file", "test", "pointer", "what"], &rows, out);
    Ok(if rows.is_empty() { Outcome::Good } else { Outcome::Found })
}
