//! `ume baseline diff --archive`: which differences a change of packages explains, by a signed archive
//! in a folder and keys of one's own; and what of the newer side is not as its packages have it.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use baseline::{Context, Delta, DriftClass, Facts, Integrity, Verdict, classify};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use room::{Error, Outcome};
use serde_json::json;

use super::print::{self, Format};
use crate::{
    archive::{Archive, Folder, Made, Transport, make},
    work::manifests::standing,
};

const SUITES_MAX: usize = 64;

/// Arguments that `diff` takes for this.
pub(super) fn args() -> [Arg; 2] {
    let path = || value_parser!(PathBuf);
    [
        Arg::new("archive")
            .long("archive")
            .value_name("DIR")
            .requires("keyring")
            .action(ArgAction::Append)
            .value_parser(path())
            .help("Folder that holds a signed Debian archive: say which differences its packages explain; repeat it for several"),
        Arg::new("keyring")
            .long("keyring")
            .value_name("FILE")
            .requires("archive")
            .action(ArgAction::Append)
            .value_parser(path())
            .help("Keys that are believed for the archives, binary or in armour"),
    ]
}

/// Suites of an archive in a folder; none for a flat one.
fn suites(place: &Path) -> Result<Vec<String>, Error> {
    let is_suite =
        |folder: &Path| ["InRelease", "Release"].iter().any(|name| folder.join(name).is_file());
    if is_suite(place) {
        return Ok(Vec::new());
    }
    let below = place.join("dists");
    let mut found = Vec::new();
    let entries = fs::read_dir(&below).map_err(|source| Error::Io { path: below, source })?;
    for entry in entries.flatten().filter(|entry| is_suite(&entry.path())) {
        found.extend(entry.file_name().to_str().map(str::to_owned));
    }
    found.sort();
    found.truncate(SUITES_MAX);
    if found.is_empty() {
        let what = "neither InRelease nor dists/SUITE/InRelease is there";
        return Err(Error::said(format!("{}: {what}", place.display())));
    }
    Ok(found)
}

fn manifests(facts: &Facts, archives: &[Archive], places: &[Folder]) -> Result<Made, Error> {
    let way = |one: &Archive| {
        let at = archives.iter().position(|known| known.name == one.name).unwrap_or_default();
        Ok(&places[at] as &dyn Transport)
    };
    make(facts, archives, way, None, jiff::Timestamp::now().as_second(), None)
}

/// Judges the differences and prints them.
pub(super) fn run(
    matches: &ArgMatches,
    [old, new]: [&Facts; 2],
    deltas: Vec<Delta>,
    format: Format,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let paths = |name: &str| -> Vec<PathBuf> {
        matches.get_many::<PathBuf>(name).into_iter().flatten().cloned().collect()
    };
    let keyrings = paths("keyring");
    let mut archives = Vec::new();
    for place in paths("archive") {
        archives.push(Archive {
            name: place.display().to_string(),
            suites: suites(&place)?,
            place: place.display().to_string(),
            keyrings: keyrings.clone(),
        });
    }
    let places: Vec<Folder> = archives.iter().map(|one| Folder((&one.place).into())).collect();
    let now = manifests(new, &archives, &places)?;
    let past = manifests(old, &archives, &places)?;
    for index in &now.indexes {
        if let Some((_, fault)) = &index.fault {
            eprintln!("ume: {} {}: {fault}", index.archive, index.suite);
        }
    }
    for missing in &now.missing {
        eprintln!("ume: {} {}: {}", missing.package, missing.version, missing.reason);
    }
    let context = Context {
        integrity: Integrity::of(new, now.manifests),
        before: Integrity::of(old, past.manifests),
        ..Context::default()
    };
    let verdicts = classify(&deltas, &context);
    let told: BTreeSet<String> = deltas.iter().map(Delta::path).collect();
    let mut judged: Vec<(Delta, Verdict)> = deltas.into_iter().zip(verdicts).collect();
    let stands = standing(new, &context.integrity);
    judged.extend(stands.into_iter().filter(|(delta, _)| !told.contains(&delta.path())));
    let printed = match format {
        Format::Json => {
            let (files, matched, unverified) = context.integrity.tally();
            let all: Vec<_> = judged
                .iter()
                .map(|(delta, verdict)| json!({ "delta": delta, "verdict": verdict }))
                .collect();
            let numbers = json!({
                "files": files,
                "matched": matched,
                "manifests_unverified": unverified,
            });
            print::json(&json!({ "drift": all, "hash_check": numbers }), out)
        }
        format => print::judged(&judged, format, out),
    };
    let _closed = printed.is_err();
    let open = judged.iter().any(|(_, verdict)| verdict.class != DriftClass::PackageManaged);
    Ok(match (open, now.missing.is_empty()) {
        (true, _) => Outcome::Found,
        (false, true) => Outcome::Good,
        (false, false) => Outcome::Incomplete,
    })
}
