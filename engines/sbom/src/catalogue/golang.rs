//! Go: the build information that every program since Go 1.13 carries (section `.go.buildinfo`).

use super::build::{Found, sha256};
use super::elf::Elf;
use super::{Source, purl};
use crate::bom::{Kind, Rest};

/// Bytes of the text that lists modules.
const TEXT_MAX: usize = 16 << 20;
const MAGIC: &[u8] = b"\xff Go buildinf:";

fn found(path: &str, module: &str, version: &str) -> Found {
    let (namespace, name) = module.rsplit_once('/').unwrap_or(("", module));
    let parts: Vec<&str> = namespace.split('/').collect();
    let version = if version == "(devel)" { "" } else { version };
    let mut found =
        Found::at(path, purl::purl("golang", &parts, name, version, &[]), module, version);
    (found.parts_known, found.needs_known) = (true, false);
    found
}

/// The modules a program was built from.
pub(super) fn build_info(
    path: &str,
    elf: &Elf,
    source: &mut dyn Source,
) -> Result<Vec<Found>, String> {
    let Some(section) = elf.section(".go.buildinfo") else { return Ok(Vec::new()) };
    let bytes = section.read(source, TEXT_MAX as u64)?;
    if !bytes.starts_with(MAGIC) || bytes.len() < 32 {
        return Ok(Vec::new());
    }
    let (go, modules) = match bytes[15] & 2 {
        2 => {
            // The texts stand behind the head, each after its length.
            let (go, rest) = text(&bytes[32..]).ok_or("a broken build information")?;
            (go, text(rest).map(|(modules, _)| modules).unwrap_or_default())
        }
        _ => pointed(elf, source, &bytes)?,
    };
    let mut all = vec![program(path, source, &go)?];
    // Sixteen bytes in front and behind mark the text in the running program.
    let modules = modules.get(16..modules.len().saturating_sub(16)).unwrap_or_default();
    for line in String::from_utf8_lossy(modules).lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        match parts.as_slice() {
            ["mod", module, version, ..] => {
                all[0].component.name = (*module).to_owned();
                let made = found(path, module, version);
                all[0].component.purl = made.component.purl;
                all[0].component.version = made.component.version;
            }
            ["dep", module, version, ..] => {
                let mut made = found(path, module, version);
                made.within = Some(0);
                all.push(made);
            }
            // What stands in place of the module before.
            ["=>", module, version, ..] => {
                let mut made = found(path, module, version);
                made.within = Some(0);
                if all.len() > 1 {
                    all.pop();
                    all.push(made);
                }
            }
            _ => {}
        }
    }
    all[0].needs = (1..all.len()).collect();
    Ok(all)
}

/// The program itself; the standard library is a module of its own in advisories.
fn program(path: &str, source: &mut dyn Source, go: &[u8]) -> Result<Found, String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut program = Found::at(path, String::new(), name, "");
    program.component.purl = None;
    program.component.kind = Some(Kind::Application);
    program.hashed(path, sha256(source)?);
    program.component.set_property("ume:go", String::from_utf8_lossy(go).trim());
    (program.parts_known, program.needs_known) = (true, true);
    let version = String::from_utf8_lossy(go).trim_start_matches("go").to_owned();
    program.component.rest = Rest::new();
    program.holds.push(purl::purl(
        "golang",
        &[],
        "stdlib",
        version.split(' ').next().unwrap_or(""),
        &[],
    ));
    Ok(program)
}

/// A text after its length, and what follows.
fn text(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut length, mut shift, mut at) = (0usize, 0, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
    let end = at.checked_add(length).filter(|_| length <= TEXT_MAX)?;
    Some((bytes.get(at..end)?.to_vec(), &bytes[end..]))
}

/// Before Go 1.18 the head points to the texts.
fn pointed(elf: &Elf, source: &mut dyn Source, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let width = usize::from(bytes[14]);
    if !matches!(width, 4 | 8) {
        return Err("a broken build information".into());
    }
    let number = |bytes: &[u8], at: usize| {
        let part = bytes.get(at..at + width)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if elf.big { part.iter().fold(0, add) } else { part.iter().rev().fold(0, add) })
    };
    let mut texts = Vec::new();
    for at in [16, 16 + width] {
        let pointer = number(bytes, at).ok_or("a broken build information")?;
        let head = elf.at_address(source, pointer, 2 * width)?;
        let (start, length) = (number(&head, 0), number(&head, width));
        let (Some(start), Some(length)) = (start, length.and_then(|n| usize::try_from(n).ok()))
        else {
            return Err("a broken build information".into());
        };
        let length = Some(length).filter(|n| *n <= TEXT_MAX).ok_or("a text that is too long")?;
        texts.push(if length == 0 { Vec::new() } else { elf.at_address(source, start, length)? });
    }
    let modules = texts.pop().unwrap_or_default();
    Ok((texts.pop().unwrap_or_default(), modules))
}
