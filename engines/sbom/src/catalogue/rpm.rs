//! rpm: the SQLite form of its database, or the output of a query.
//!
//! A row of `Packages` is a header without its magic: the number of entries and of bytes, entries of
//! tag, type, offset and count, then the bytes (rpm's own format description).

use std::collections::HashMap;

use super::build::Found;
use super::sqlite::{Cell, Database, record};
use super::{Catalogue, purl};
use crate::bom::{Licence, SOURCE_NAME, SOURCE_VERSION};

/// Entries of one header, and names in one list.
const ENTRIES_MAX: usize = 4_000_000;

mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const SUMMARY: u32 = 1004;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const ARCH: u32 = 1022;
    pub(super) const SOURCE: u32 = 1044;
    pub(super) const PROVIDES: u32 = 1047;
    pub(super) const REQUIRES: u32 = 1049;
    pub(super) const FOLDER_INDEXES: u32 = 1116;
    pub(super) const BASENAMES: u32 = 1117;
    pub(super) const FOLDERS: u32 = 1118;
}

/// A header's values by tag.
struct Header<'a> {
    bytes: &'a [u8],
    entries: HashMap<u32, (u32, usize, usize)>,
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

impl<'a> Header<'a> {
    fn read(blob: &'a [u8]) -> Option<Header<'a>> {
        let count = number(blob, 0)? as usize;
        let length = number(blob, 4)? as usize;
        let data = 8 + count.checked_mul(16)?;
        let bytes = blob.get(data..data.checked_add(length)?)?;
        let entry = |index: usize| {
            let at = 8 + index * 16;
            let (tag, kind) = (number(blob, at)?, number(blob, at + 4)?);
            let (offset, count) = (number(blob, at + 8)? as usize, number(blob, at + 12)? as usize);
            Some((tag, (kind, offset, count)))
        };
        let entries = (0..count).map(entry).collect::<Option<_>>()?;
        Some(Header { bytes, entries })
    }

    fn texts(&self, tag: u32) -> Vec<String> {
        let Some((6 | 8 | 9, offset, count)) = self.entries.get(&tag).copied() else {
            return Vec::new();
        };
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let parts = rest.split(|byte| *byte == 0).take(count.min(ENTRIES_MAX));
        parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    fn text(&self, tag: u32) -> String {
        self.texts(tag).into_iter().next().unwrap_or_default()
    }

    fn numbers(&self, tag: u32) -> Vec<u32> {
        let Some((4, offset, count)) = self.entries.get(&tag).copied() else { return Vec::new() };
        (0..count.min(ENTRIES_MAX)).map_while(|at| number(self.bytes, offset + at * 4)).collect()
    }

    /// Every file, from the compressed form.
    fn files(&self) -> Vec<String> {
        let (folders, names) = (self.texts(tag::FOLDERS), self.texts(tag::BASENAMES));
        let indexes = self.numbers(tag::FOLDER_INDEXES);
        let files = names.iter().zip(indexes);
        files
            .filter_map(|(name, index)| Some(format!("{}{name}", folders.get(index as usize)?)))
            .collect()
    }
}

impl Catalogue {
    pub(super) fn rpm(&mut self, bytes: &[u8]) -> Result<(), String> {
        let database = Database::open(bytes)?;
        let mut provided: HashMap<String, usize> = HashMap::new();
        let mut wanted = Vec::new();
        for row in database.rows("Packages")? {
            let cells = record(&row).ok_or("a broken row")?;
            let Some(Cell::Blob(blob)) =
                cells.iter().map(|(cell, _)| cell).find(|c| matches!(c, Cell::Blob(_)))
            else {
                continue;
            };
            let header = Header::read(blob).ok_or("a broken header")?;
            let Some(found) = package(self, &header) else { continue };
            let index = self.add(found);
            for file in header.files() {
                self.own(&file, index);
                provided.insert(file, index);
            }
            for name in header.texts(tag::PROVIDES) {
                provided.insert(name, index);
            }
            wanted.push((index, header.texts(tag::REQUIRES)));
        }
        for (index, names) in wanted {
            let needs = names.iter().filter_map(|name| provided.get(name)).copied();
            self.found[index].needs.extend(needs.filter(|need| *need != index));
        }
        Ok(())
    }
}

fn package(catalogue: &Catalogue, header: &Header<'_>) -> Option<Found> {
    let name = header.text(tag::NAME);
    // Keys that were imported are rows as well.
    if name.is_empty() || name == "gpg-pubkey" {
        return None;
    }
    let epoch = header.numbers(tag::EPOCH).first().copied();
    Some(made(
        catalogue,
        &Query {
            name,
            epoch: epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
            version: header.text(tag::VERSION),
            release: header.text(tag::RELEASE),
            architecture: header.text(tag::ARCH),
            source: header.text(tag::SOURCE),
            licence: header.text(tag::LICENSE),
            vendor: header.text(tag::VENDOR),
            summary: header.text(tag::SUMMARY),
        },
    ))
}

struct Query {
    name: String,
    epoch: String,
    version: String,
    release: String,
    architecture: String,
    source: String,
    licence: String,
    vendor: String,
    summary: String,
}

fn made(catalogue: &Catalogue, query: &Query) -> Found {
    let version = format!("{}-{}", query.version, query.release);
    let full = match query.epoch.as_str() {
        "" => version.clone(),
        epoch => format!("{epoch}:{version}"),
    };
    let distro = catalogue.distribution.qualifier();
    let qualifiers = [
        ("arch", query.architecture.as_str()),
        ("epoch", query.epoch.as_str()),
        ("distro", distro.as_str()),
    ];
    let namespace = catalogue.distribution.namespace("rpm");
    let made = purl::purl("rpm", &[namespace], &query.name, &version, &qualifiers);
    let mut component = super::component(made, &query.name, &full);
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    component.supplier = given(&query.vendor);
    component.description = given(&query.summary);
    component.licences.extend(given(&query.licence).map(|text| Licence::declared(&text)));
    source(&mut component, &query.source, &version);
    Found { component, needs_known: true, ..Found::default() }
}

/// `NAME-VERSION-RELEASE.src.rpm`.
fn source(component: &mut crate::Component, file: &str, version: &str) {
    let Some(file) = file.strip_suffix(".src.rpm").or(file.strip_suffix(".nosrc.rpm")) else {
        return;
    };
    let mut parts = file.rsplitn(3, '-');
    let (Some(release), Some(of), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    component.set_property(SOURCE_NAME, name);
    let of = format!("{of}-{release}");
    if of != version {
        component.set_property(SOURCE_VERSION, of);
    }
}

/// The format to give `rpm -qa --queryformat`: what [`from_query`] reads.
pub const QUERY: &str =
    "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\t%{LICENSE}\\n";

/// Packages from the output of `rpm -qa --queryformat` with [`QUERY`], for databases in older forms.
pub fn from_query(catalogue: &mut Catalogue, text: &str) {
    for (number, line) in text.lines().enumerate() {
        let parts: Vec<&str> = line.split('\t').collect();
        let [name, epoch, version, release, architecture, source, licence] = parts.as_slice()
        else {
            catalogue.fail("rpm -qa", format!("line {}: not seven columns", number + 1));
            continue;
        };
        if *name == "gpg-pubkey" {
            continue;
        }
        let query = Query {
            name: (*name).into(),
            epoch: Some(*epoch).filter(|epoch| *epoch != "0").unwrap_or_default().into(),
            version: (*version).into(),
            release: (*release).into(),
            architecture: (*architecture).into(),
            source: (*source).into(),
            licence: (*licence).into(),
            vendor: String::new(),
            summary: String::new(),
        };
        let mut found = made(catalogue, &query);
        found.needs_known = false;
        catalogue.add(found);
    }
}
