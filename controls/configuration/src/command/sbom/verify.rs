//! `verify`: files against the hashes that a bill of materials gives them.

use std::io::Write;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use room::{Error, Outcome};
use sbom::bom::{Algorithm, Kind};
use sbom::catalogue::Source;
use sbom::{Component, Hash};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::read::{document, load};
use super::{format, format_of, table};
use crate::work::walk::Root;

pub(super) fn command() -> Command {
    let root = Arg::new("root")
        .long("root")
        .value_name("DIR")
        .default_value("/")
        .value_parser(value_parser!(PathBuf))
        .help("Folder that holds the root of a host or image");
    Command::new("verify")
        .about("Hash files again and compare with a document; exit 1 where one differs, 3 where nothing could be compared")
        .args([document("file"), root, format()])
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let path = matches.get_one::<PathBuf>("root").cloned().unwrap_or_else(|| "/".into());
    let bom = load(&file)?;
    let root = Root::open(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    let (mut rows, mut compared, mut open) = (Vec::new(), 0u64, 0u64);
    for one in bom.walk() {
        let Some(path) = place(one) else { continue };
        for hash in &one.hashes {
            match compare(&root, path, hash) {
                Compared::Equal => compared += 1,
                Compared::Unknown => open += 1,
                Compared::Differs(what) => {
                    compared += 1;
                    let name = hash.algorithm.to_cyclonedx().unwrap_or_default().to_owned();
                    rows.push(vec![path.to_owned(), name, what]);
                }
            }
        }
    }
    table(format_of(matches), &["path", "algorithm", "what"], &rows, out);
    eprintln!("ume: {compared} compared, {} differ, {open} not comparable", rows.len());
    Ok(match (rows.is_empty(), compared) {
        (false, _) => Outcome::Found,
        (true, 0) => Outcome::Incomplete,
        (true, _) if open > 0 => Outcome::Incomplete,
        (true, _) => Outcome::Good,
    })
}

/// The file that the hashes of a component are of. Those of a package out of a lock file are of its
/// archive, which is not here.
fn place(one: &Component) -> Option<&str> {
    match one.kind {
        Some(Kind::File) => Some(one.name.as_str()),
        _ => one.property("ume:file"),
    }
}

enum Compared {
    Equal,
    Differs(String),
    /// A hash function that is not computed here.
    Unknown,
}

fn compare(root: &Root, path: &str, hash: &Hash) -> Compared {
    let digest: fn(&mut dyn Source) -> Result<String, String> = match hash.algorithm {
        Algorithm::Sha256 => digits::<Sha256>,
        Algorithm::Sha384 => digits::<Sha384>,
        Algorithm::Sha512 => digits::<Sha512>,
        _ => return Compared::Unknown,
    };
    let file = root.file(path.trim_start_matches('/'));
    let made = match file {
        Ok(mut file) if file.regular => digest(&mut file),
        Ok(_) => Err("no regular file".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match made {
        Ok(digits) if digits.eq_ignore_ascii_case(&hash.value) => Compared::Equal,
        Ok(digits) => Compared::Differs(format!("{digits} instead of {}", hash.value)),
        Err(what) => Compared::Differs(what),
    }
}

fn digits<D: Digest>(source: &mut dyn Source) -> Result<String, String> {
    let (mut digest, mut at) = (D::new(), 0);
    while at < source.size() {
        let bytes = source.read_at(at, 1 << 20)?;
        if bytes.is_empty() {
            return Err("the file became shorter while it was read".into());
        }
        digest.update(&bytes);
        at += bytes.len() as u64;
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
