//! Packs of rules that others wrote: a zip, a tar.gz, or one document, kept as the file that was given.
//!
//! Invariants: what a pack holds is read in memory and nothing of it is ever written to a path; only documents
//! (`.yml`, `.yaml`) are taken, everything else is counted; what passes a limit refuses the whole pack, so that no half
//! of one is at work. Source, author and licence stay with the file, and those of each rule in its own text.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Read},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

pub const KIND: &str = "rule_pack";
/// What stands before the names of documents of a pack; the row's id comes next.
pub(super) const PACK: &str = "pack/";

/// Entries of an archive, folders and what is not taken included.
const ENTRIES_MAX: usize = 50_000;
pub const DOCUMENTS_MAX: usize = 20_000;
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
/// Everything unpacked, what is not taken included: the bound of a bomb.
const UNPACKED_BYTES_MAX: u64 = 128 << 20;
const DEPTH_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 512;

/// Why a pack is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error("the archive cannot be read: {0}")]
    Damaged(String),
    #[error("the archive passes a limit: {0}, at most {1}")]
    Limit(&'static str, u64),
    #[error("no rule (.yml, .yaml) in it")]
    Empty,
    #[error("its file is not there any more")]
    Gone,
}

impl PackError {
    pub fn ja(&self) -> String {
        match self {
            PackError::Damaged(why) => {
                format!("アーカイブを読めません（{why}）。作り直してください")
            }
            PackError::Limit(what, max) => {
                format!("アーカイブが上限を超えています（{what}、上限{max}）。分けてください")
            }
            PackError::Empty => "ルール（.yml、.yaml）が入っていません".to_owned(),
            PackError::Gone => "ファイルが残っていません。登録し直してください".to_owned(),
        }
    }

    pub fn en(&self) -> String {
        self.to_string()
    }
}

/// What a pack holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Documents by their path in the pack.
    pub documents: BTreeMap<String, Vec<u8>>,
    /// Files that are no documents, or whose names say that they belong elsewhere.
    pub left_out: usize,
}

/// Unpacks what was given; `name` is what a document that stands alone is called.
pub fn unpack(bytes: &[u8], name: &str) -> Result<Contents, PackError> {
    let mut taking = Taking::default();
    match bytes {
        [b'P', b'K', ..] => zip(bytes, &mut taking)?,
        [0x1f, 0x8b, ..] => tar(GzDecoder::new(bytes), &mut taking)?,
        _ => taking.take(name, &mut Cursor::new(bytes))?,
    }
    match taking.contents.documents.is_empty() {
        true => Err(PackError::Empty),
        false => Ok(taking.contents),
    }
}

/// The pack of a folder: a tar.gz that is the same whenever the documents are.
pub fn packed(documents: &BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, bytes) in documents {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, bytes.as_slice())?;
    }
    builder.into_inner()?.finish()
}

#[derive(Default)]
struct Taking {
    contents: Contents,
    entries: usize,
    bytes: u64,
}

impl Taking {
    fn entry(&mut self) -> Result<(), PackError> {
        self.entries += 1;
        match self.entries > ENTRIES_MAX {
            true => Err(PackError::Limit("entries", ENTRIES_MAX as u64)),
            false => Ok(()),
        }
    }

    fn count(&mut self, bytes: u64) -> Result<(), PackError> {
        self.bytes += bytes;
        match self.bytes > UNPACKED_BYTES_MAX {
            true => Err(PackError::Limit("unpacked bytes", UNPACKED_BYTES_MAX)),
            false => Ok(()),
        }
    }

    fn take(&mut self, name: &str, from: &mut dyn Read) -> Result<(), PackError> {
        if !is_document(name) {
            self.contents.left_out += 1;
            return Ok(());
        }
        let mut bytes = Vec::new();
        let read = from.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| PackError::Damaged(error.to_string()))?;
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(PackError::Limit("bytes of a rule", DOCUMENT_BYTES_MAX));
        }
        self.count(bytes.len() as u64)?;
        if self.contents.documents.len() >= DOCUMENTS_MAX {
            return Err(PackError::Limit("rules", DOCUMENTS_MAX as u64));
        }
        self.contents.documents.insert(name.to_owned(), bytes);
        Ok(())
    }
}

/// Whether a path is that of a document of the pack and of nothing else.
fn is_document(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let is_plain = |part: &&str| !part.is_empty() && !part.starts_with('.');
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    is_yaml
        && name.len() <= NAME_BYTES_MAX
        && parts.len() <= DEPTH_MAX
        && parts.iter().all(is_plain)
        && !name.chars().any(|c| c.is_control() || c == '\\')
}

fn zip(bytes: &[u8], taking: &mut Taking) -> Result<(), PackError> {
    let damaged = |error: zip::result::ZipError| PackError::Damaged(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    for at in 0..archive.len() {
        taking.entry()?;
        let mut entry = archive.by_index(at).map_err(damaged)?;
        if entry.is_file() {
            let name = entry.name().map_err(damaged)?.trim_start_matches("./").to_owned();
            taking.take(&name, &mut entry)?;
        }
    }
    Ok(())
}

fn tar(unpacked: impl Read, taking: &mut Taking) -> Result<(), PackError> {
    // What is passed over is unpacked as well.
    let mut bounded = unpacked.take(UNPACKED_BYTES_MAX);
    let done = entries(&mut bounded, taking);
    match bounded.limit() {
        0 => Err(PackError::Limit("unpacked bytes", UNPACKED_BYTES_MAX)),
        _ => done,
    }
}

fn entries(from: impl Read, taking: &mut Taking) -> Result<(), PackError> {
    let damaged = |error: std::io::Error| PackError::Damaged(error.to_string());
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries().map_err(damaged)? {
        taking.entry()?;
        let mut entry = entry.map_err(damaged)?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            taking.take(name.trim_start_matches("./"), &mut entry)?;
        }
    }
    Ok(())
}

/// A pack of the register.
#[derive(Clone, Debug)]
pub struct Pack {
    pub row: Row,
    pub contents: Result<Contents, PackError>,
}

impl Pack {
    /// Ids, or paths, of its rules that somebody switched off.
    pub fn disabled(&self) -> BTreeSet<String> {
        let list = self.row.attributes.get("disabled").and_then(Json::as_array);
        list.into_iter().flatten().filter_map(|id| Some(id.as_str()?.to_owned())).collect()
    }

    /// Its documents as they are loaded: name, text. Those that are switched off are left out.
    pub fn texts(&self) -> impl Iterator<Item = (String, &Vec<u8>)> {
        let (disabled, id) = (self.disabled(), self.row.id);
        let documents = self.contents.iter().flat_map(|contents| &contents.documents);
        documents
            .filter(move |(path, text)| !is_disabled(&disabled, path, text))
            .map(move |(path, text)| (format!("{PACK}{id}/{path}"), text))
    }
}

/// Whether a document is named in the list, by its id or its path.
fn is_disabled(disabled: &BTreeSet<String>, path: &str, text: &[u8]) -> bool {
    !disabled.is_empty()
        && (disabled.contains(path)
            || super::rules::id_of_bytes(text).is_some_and(|id| disabled.contains(id)))
}

/// Reads the file of a pack.
pub async fn open(store: &Store, row: Row) -> Result<Pack, StoreError> {
    let sha256 = row.attributes.get("file").and_then(Json::as_str).unwrap_or("").to_owned();
    let blob = store.blob(&sha256).await?;
    let bytes = match &blob {
        Some(blob) => store.whole_blob(blob).await?,
        None => None,
    };
    let Some((blob, bytes)) = blob.zip(bytes) else {
        return Ok(Pack { row, contents: Err(PackError::Gone) });
    };
    let unpacked = room::blocking(move || unpack(&bytes, &blob.name)).await;
    let contents = unpacked.unwrap_or_else(|error| Err(PackError::Damaged(error.to_string())));
    Ok(Pack { row, contents })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const RULE: &[u8] = b"title: a\nid: 1\n";

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn tarred(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            // A name that nobody would write.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_zip_a_tarball_and_a_document_alone_are_packs() {
        let files: &[(&str, &[u8])] = &[
            ("rules/windows/a.yml", RULE),
            ("./rules/b.yaml", RULE),
            ("LICENSE", b"DRL"),
            (".github/x.yml", b"no rule"),
            ("../up.yml", RULE),
            ("/etc/root.yml", RULE),
        ];
        for bytes in [zipped(files), tarred(files)] {
            let found = unpack(&bytes, "pack").unwrap();
            let names: Vec<&String> = found.documents.keys().collect();
            assert_eq!(names, ["rules/b.yaml", "rules/windows/a.yml"]);
            assert_eq!(found.left_out, 4);
        }
        let again = packed(&unpack(&zipped(files), "x").unwrap().documents).unwrap();
        assert_eq!(unpack(&again, "x").unwrap().documents.len(), 2);
        assert_eq!(again, packed(&unpack(&again, "x").unwrap().documents).unwrap());
        assert_eq!(unpack(RULE, "one.yml").unwrap().documents["one.yml"], RULE);
        assert_eq!(unpack(RULE, "one.txt"), Err(PackError::Empty));
        assert_eq!(unpack(b"", "a.zip"), Err(PackError::Empty));
        assert!(matches!(unpack(b"PK\x03\x04xxx", "a.zip"), Err(PackError::Damaged(_))));
        assert!(matches!(unpack(b"\x1f\x8bxxxxxxxxxxxxx", "a.tgz"), Err(PackError::Damaged(_))));
    }

    #[test]
    fn a_bomb_is_refused_as_a_whole() {
        let zeros = vec![b' '; 2 << 20];
        let many: Vec<(String, &[u8])> =
            (0..130).map(|i| (format!("{i}.bin"), zeros.as_slice())).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(n, b)| (n.as_str(), *b)).collect();
        let limit = Err(PackError::Limit("unpacked bytes", UNPACKED_BYTES_MAX));
        assert_eq!(unpack(&tarred(&[&[("a.yml", RULE)], many.as_slice()].concat()), "x"), limit);
        let large = Err(PackError::Limit("bytes of a rule", DOCUMENT_BYTES_MAX));
        assert_eq!(unpack(&zipped(&[("a.yml", RULE), ("b.yml", &zeros)]), "x"), large);
        let full = &zeros[..1 << 20];
        let many: Vec<(String, &[u8])> = (0..129).map(|i| (format!("{i}.yml"), full)).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(n, b)| (n.as_str(), *b)).collect();
        assert_eq!(unpack(&zipped(&many), "x"), limit);
    }

    #[test]
    fn a_rule_is_switched_off_by_its_id_or_its_path() {
        let row = |disabled: Json| {
            let mut row = Row::new(model::Table::Rule, model::Id::nil(), KIND, "p");
            row.attributes.insert("disabled".to_owned(), disabled);
            row
        };
        let contents = unpack(&zipped(&[("a.yml", RULE), ("b/c.yml", b"title: c\n")]), "x");
        let names = |disabled: Json| {
            let pack = Pack { row: row(disabled), contents: contents.clone() };
            pack.texts().map(|(name, _)| name[PACK.len() + 37..].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(serde_json::json!([])), ["a.yml", "b/c.yml"]);
        assert_eq!(names(serde_json::json!(["1"])), ["b/c.yml"]);
        assert_eq!(names(serde_json::json!(["b/c.yml", "x"])), ["a.yml"]);
    }

    #[test]
    fn the_public_rules_are_a_pack_and_load() {
        let Some(corpora) = std::env::var_os("UME_CORPORA") else {
            println!("skipped: no corpora");
            return;
        };
        let root = std::path::Path::new(&corpora).join("sigma/rules");
        let (mut open, mut documents) = (vec![root.clone()], BTreeMap::new());
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|e| e == "yml") {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    documents.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        let unpacked = unpack(&packed(&documents).unwrap(), "rules.tar.gz").unwrap();
        assert_eq!(unpacked.documents, documents);
        let env = sigma::Env::default();
        let loaded = super::super::rules::Loaded::of(unpacked.documents, &env);
        let (rules, refused) = (loaded.set.rules().len(), loaded.rejected.len());
        assert!(rules > 3_000 && refused < 100, "{rules} rules, {refused} refused");
    }
}
