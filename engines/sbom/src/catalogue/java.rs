//! Java: archives, and archives within them.

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::build::{Found, sha256};
use super::{Source, purl};

/// Archives in each other.
const DEPTH_MAX: usize = 6;
/// Bytes of an archive within another.
const INNER_MAX: u64 = 64 << 20;
/// Bytes of all archives within one file.
const ALL_MAX: u64 = 512 << 20;
/// Bytes of a file of metadata.
const META_MAX: u64 = 1 << 20;

/// Whether a name is one of an archive.
pub(super) fn is_one(name: &str) -> bool {
    let ends = [".jar", ".war", ".ear", ".par", ".sar", ".jpi", ".hpi", ".kar", ".nar"];
    let lower = name.to_ascii_lowercase();
    ends.iter().any(|end| lower.ends_with(end))
}

/// The bytes of a file as `zip` wants them.
struct Seeker<'a> {
    source: &'a mut dyn Source,
    at: u64,
}

impl Read for Seeker<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.source.read_at(self.at, buffer.len()).map_err(std::io::Error::other)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for Seeker<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The archive and those within it.
pub(super) fn archive(path: &str, source: &mut dyn Source) -> Result<Vec<Found>, String> {
    let hash = sha256(source)?;
    let mut all = Vec::new();
    let mut left = ALL_MAX;
    let seeker = std::io::BufReader::with_capacity(64 << 10, Seeker { source, at: 0 });
    read(path, path, seeker, None, 0, &mut left, &mut all)?;
    if let Some(first) = all.first_mut() {
        first.hashed(path, hash);
    }
    Ok(all)
}

fn read<R: Read + Seek>(
    path: &str,
    inner: &str,
    bytes: R,
    within: Option<usize>,
    depth: usize,
    left: &mut u64,
    all: &mut Vec<Found>,
) -> Result<(), String> {
    let mut zip = zip::ZipArchive::new(bytes).map_err(|error| format!("{inner}: {error}"))?;
    let names: Vec<String> = zip.file_names().flatten().map(Into::into).collect();
    let mut properties: Vec<Coordinates> = Vec::new();
    let mut manifest = Coordinates::default();
    for name in &names {
        if name.ends_with("/pom.properties") && name.starts_with("META-INF/maven/") {
            let text = entry(&mut zip, name, META_MAX)?;
            properties.push(Coordinates::properties(&String::from_utf8_lossy(&text)));
        } else if name.eq_ignore_ascii_case("META-INF/MANIFEST.MF") {
            let text = entry(&mut zip, name, META_MAX)?;
            manifest = Coordinates::manifest(&String::from_utf8_lossy(&text));
        }
    }
    let file = inner.rsplit('/').next().unwrap_or(inner);
    let (own, shaded) = chosen(properties, manifest, file);
    let at = all.len();
    let mut found = own.found(path, within);
    found.parts_known = depth < DEPTH_MAX;
    if inner != path {
        found.component.locations = vec![format!("/{path}!/{inner}")];
    }
    all.push(found);
    // What was shaded into it has lost its archive but says who it was.
    all.extend(shaded.into_iter().map(|one| one.found(path, Some(at))));
    for name in names.iter().filter(|name| is_one(name)) {
        if depth + 1 >= DEPTH_MAX {
            return Err(format!("{inner}: archives nest deeper than {DEPTH_MAX}"));
        }
        let bytes = entry(&mut zip, name, INNER_MAX.min(*left))?;
        *left -= (bytes.len() as u64).min(*left);
        // One that is broken does not hide the others.
        let deeper = read(path, name, Cursor::new(bytes), Some(at), depth + 1, left, all);
        if deeper.is_err() {
            all[at].parts_known = false;
        }
    }
    Ok(())
}

fn entry<R: Read + Seek>(
    zip: &mut zip::ZipArchive<R>,
    name: &str,
    max: u64,
) -> Result<Vec<u8>, String> {
    let file = zip.by_name(name).map_err(|error| format!("{name}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
    if bytes.len() as u64 > max {
        return Err(format!("{name}: more than {max} bytes"));
    }
    Ok(bytes)
}

/// What an archive calls itself.
#[derive(Clone, Debug, Default)]
struct Coordinates {
    group: String,
    artifact: String,
    version: String,
}

impl Coordinates {
    fn properties(text: &str) -> Coordinates {
        let field = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
            line.map_or("", str::trim).to_owned()
        };
        Coordinates {
            group: field("groupId"),
            artifact: field("artifactId"),
            version: field("version"),
        }
    }

    fn manifest(text: &str) -> Coordinates {
        // A line that begins with a space goes on with the one before.
        let text = text.replace("\r\n", "\n").replace("\n ", "");
        let main = text.split("\n\n").next().unwrap_or_default();
        let field = |names: &[&str]| {
            names.iter().find_map(|name| {
                main.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            })
        };
        let text = |names: &[&str]| field(names).map_or("", str::trim).to_owned();
        let bundle = text(&["Bundle-SymbolicName"]);
        let artifact = text(&["Implementation-Title", "Specification-Title", "Bundle-Name"]);
        Coordinates {
            group: text(&["Implementation-Vendor-Id"]),
            artifact: Some(bundle.split(';').next().unwrap_or_default().to_owned())
                .filter(|name| !name.is_empty())
                .unwrap_or(artifact),
            version: text(&["Implementation-Version", "Bundle-Version", "Specification-Version"]),
        }
    }

    fn found(&self, path: &str, within: Option<usize>) -> Found {
        let made = purl::purl("maven", &[&self.group], &self.artifact, &self.version, &[]);
        let mut found = Found::at(path, made, &self.artifact, &self.version);
        found.component.group = Some(self.group.clone()).filter(|group| !group.is_empty());
        if self.group.is_empty() {
            // Maven has no package without a group: the name alone identifies nothing.
            found.component.purl = None;
        }
        found.within = within;
        found.parts_known = true;
        found
    }
}

/// `NAME-VERSION.jar`.
fn of_file(file: &str) -> (String, String) {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let digit =
        |(at, _): &(usize, &str)| stem.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    match stem.match_indices('-').find(digit) {
        Some((at, _)) => (stem[..at].to_owned(), stem[at + 1..].to_owned()),
        None => (stem.to_owned(), String::new()),
    }
}

/// The archive's own coordinates, and those of what was merged into it. Its file says which of
/// several it is; the manifest fills in what is not said.
fn chosen(
    mut properties: Vec<Coordinates>,
    manifest: Coordinates,
    file: &str,
) -> (Coordinates, Vec<Coordinates>) {
    let (name, version) = of_file(file);
    properties.retain(|one| !one.artifact.is_empty());
    let own = properties.iter().position(|one| one.artifact == name);
    let own = own.or((properties.len() == 1).then_some(0));
    let mut own = own.map_or_else(Coordinates::default, |at| properties.remove(at));
    let fill = |slot: &mut String, others: [&str; 2]| {
        if slot.is_empty() {
            *slot = others.into_iter().find(|one| !one.is_empty()).unwrap_or_default().to_owned();
        }
    };
    fill(&mut own.artifact, [&name, &manifest.artifact]);
    fill(&mut own.version, [&version, &manifest.version]);
    fill(&mut own.group, [&manifest.group, ""]);
    (own, properties)
}
