//! Rust: `Cargo.lock`, and programs that carry their list of crates (section `.dep-v0`).

use std::collections::HashMap;
use std::io::Read as _;

use serde_json::Value;

use super::build::{Found, sha256};
use super::elf::Elf;
use super::{Source, purl};
use crate::Limits;
use crate::bom::{Algorithm, Hash, Kind};

/// Bytes of an unpacked list; a large program has some 100 kB.
const LIST_MAX: u64 = 16 << 20;

fn found(path: &str, name: &str, version: &str, source: &str) -> Found {
    let url = source.strip_prefix("git+").map(|url| format!("git+{url}"));
    let qualifiers = [("vcs_url", url.as_deref().unwrap_or_default())];
    Found::at(path, purl::purl("cargo", &[], name, version, &qualifiers), name, version)
}

/// A lock file. Only its four keys matter, so the lines are read as they are always written.
pub(super) fn lock(path: &str, bytes: &[u8]) -> Result<Vec<Found>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "no UTF-8")?;
    let mut all: Vec<Found> = Vec::new();
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for stanza in text.split("[[package]]").skip(1) {
        // A table after the packages ends the last of them.
        let stanza = stanza.split("\n[").next().unwrap_or(stanza);
        let field = |name: &str| {
            let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.map_or("", |value| value.trim().trim_matches('"'))
        };
        let (name, version) = (field("name"), field("version"));
        if name.is_empty() {
            return Err("a package without a name".into());
        }
        let mut made = found(path, name, version, field("source"));
        if !field("checksum").is_empty() {
            let value = field("checksum").to_owned();
            made.component.hashes.push(Hash { algorithm: Algorithm::Sha256, value });
        }
        made.needs_known = true;
        made.parts_known = true;
        all.push(made);
        let list = stanza.split_once("dependencies = [").map_or("", |(_, rest)| rest);
        let list = list.split(']').next().unwrap_or_default();
        wanted.push(list.split('"').skip(1).step_by(2).map(str::to_owned).collect());
    }
    let mut index: HashMap<String, usize> = HashMap::new();
    for (at, one) in all.iter().enumerate() {
        let version = one.component.version.clone().unwrap_or_default();
        index.insert(format!("{} {version}", one.component.name), at);
        index.insert(one.component.name.clone(), at);
    }
    for (at, names) in wanted.into_iter().enumerate() {
        // `NAME`, `NAME VERSION` where there are several, `NAME VERSION (SOURCE)` in old files.
        let plain = |name: &String| name.split(" (").next().unwrap_or_default().to_owned();
        all[at].needs = names.iter().filter_map(|name| index.get(&plain(name)).copied()).collect();
    }
    Ok(all)
}

/// The crates a program was built from.
pub(super) fn auditable(
    path: &str,
    elf: &Elf,
    source: &mut dyn Source,
) -> Result<Vec<Found>, String> {
    let Some(section) = elf.section(".dep-v0") else { return Ok(Vec::new()) };
    let packed = section.read(source, LIST_MAX)?;
    let mut list = Vec::new();
    let unpacked = flate2::read::ZlibDecoder::new(packed.as_slice()).take(LIST_MAX + 1);
    { unpacked }.read_to_end(&mut list).map_err(|error| format!(".dep-v0: {error}"))?;
    if list.len() as u64 > LIST_MAX {
        return Err(".dep-v0: the list is too long".into());
    }
    let value = crate::json::read(&list, &Limits::DEFAULT).map_err(|error| error.to_string())?;
    let packages = value.get("packages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut program = Found::at(path, String::new(), path.rsplit('/').next().unwrap_or(path), "");
    program.component.purl = None;
    program.component.kind = Some(Kind::Application);
    program.hashed(path, sha256(source)?);
    (program.parts_known, program.needs_known) = (true, true);
    let mut all = vec![program];
    for one in packages {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut made = found(path, text("name"), text("version"), "");
        made.within = Some(0);
        (made.parts_known, made.needs_known) = (true, true);
        if text("kind") == "build" {
            // It made the program and is not in it.
            made.component.set_property("ume:scope", "build");
        }
        let needs = one.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let needs = needs.filter_map(|need| usize::try_from(need.as_u64()?).ok());
        made.needs = needs.filter(|need| *need < packages.len()).map(|need| need + 1).collect();
        if one.get("root") == Some(&Value::Bool(true)) {
            let at = all.len();
            all[0].needs.push(at);
        }
        all.push(made);
    }
    Ok(all)
}
