//! What KEV, EPSS and JVN say of all vulnerabilities, in files of the room: asked by CVE, never copied into registers.
//!
//! Invariants: a file is replaced whole, by what was read without a fault of its form; a damaged file is as if it was
//! never there, and is told. Until a list has come its answer is "not known", never "no".
//!
//! Limits: EPSS 16 bytes a CVE (300,000: 5 MB), KEV and JVN as below.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use indicators::feed::{Entry, epss, kev};
use room::Error;
use serde::{Deserialize, Serialize};

/// Below the room's folder.
const FOLDER: &str = "vulnerabilities";
const KEV: &str = "kev.json";
const EPSS: &str = "epss.bin";
const JVN: &str = "jvn.json";
/// Entries of JVN that are kept, the newest; JVN has some 250,000 in all.
const NOTES_MAX: usize = 100_000;
const PRODUCTS_MAX: usize = 50;
const TITLE_CHARS_MAX: usize = 300;

/// Where the lists of a data folder are.
pub fn folder(data: &Path) -> PathBuf {
    data.join(intel::FOLDER).join(FOLDER)
}

/// What the catalogue says of a vulnerability that is exploited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exploited {
    pub name: String,
    pub product: String,
    pub action: String,
    /// Micros since 1970.
    pub added: Option<i64>,
    pub due: Option<i64>,
    pub is_ransomware: bool,
}

/// What JVN says of a vulnerability.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    pub jvndb: String,
    pub title: String,
    pub link: String,
    pub products: Vec<String>,
    pub cvss2: Option<u16>,
    pub cvss3: Option<u16>,
    pub cvss4: Option<u16>,
    pub vector: String,
    /// Micros since 1970.
    pub published: Option<i64>,
    pub updated: i64,
}

/// The lists, as read.
#[derive(Default)]
pub struct Lists {
    /// None until a catalogue has come.
    kev: Option<HashMap<String, Exploited>>,
    epss: Vec<u8>,
    notes: HashMap<String, Note>,
    /// Files that are there and do not open.
    pub damaged: Vec<String>,
}

/// What is known of one vulnerability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// None if no catalogue has come.
    pub is_exploited: Option<bool>,
    pub exploited: Option<Exploited>,
    pub epss_permille: Option<u16>,
    pub note: Option<Note>,
}

impl Known {
    /// Exploited, or as likely as not to be.
    pub fn is_pressing(&self) -> bool {
        self.is_exploited == Some(true) || self.epss_permille.is_some_and(|score| score >= 500)
    }

    /// The newest version of CVSS that JVN scores it by.
    pub fn tenths(&self) -> Option<u16> {
        let note = self.note.as_ref()?;
        note.cvss4.or(note.cvss3).or(note.cvss2)
    }
}

impl Lists {
    fn read(folder: &Path) -> Lists {
        let mut lists = Lists::default();
        let read = |name: &str| std::fs::read(folder.join(name)).ok();
        if let Some(bytes) = read(KEV) {
            match serde_json::from_slice(&bytes) {
                Ok(kev) => lists.kev = Some(kev),
                Err(_) => lists.damaged.push(KEV.to_owned()),
            }
        }
        if let Some(bytes) = read(EPSS) {
            match epss::Table::open(&bytes).is_ok() {
                true => lists.epss = bytes,
                false => lists.damaged.push(EPSS.to_owned()),
            }
        }
        if let Some(bytes) = read(JVN) {
            match serde_json::from_slice(&bytes) {
                Ok(notes) => lists.notes = notes,
                Err(_) => lists.damaged.push(JVN.to_owned()),
            }
        }
        lists
    }

    /// What is known of a CVE.
    pub fn of(&self, cve: &str) -> Known {
        let exploited = self.kev.as_ref().and_then(|kev| kev.get(cve)).cloned();
        // Held against its checksum when it was read.
        let table = epss::Table::unchecked(&self.epss);
        Known {
            is_exploited: self.kev.as_ref().map(|_| exploited.is_some()),
            exploited,
            epss_permille: table.and_then(|table| table.get(cve)).map(epss::Score::permille),
            note: self.notes.get(cve).cloned(),
        }
    }

    pub fn has_kev(&self) -> bool {
        self.kev.is_some()
    }

    pub fn has_epss(&self) -> bool {
        !self.epss.is_empty()
    }

    pub fn notes(&self) -> impl Iterator<Item = (&String, &Note)> {
        self.notes.iter()
    }
}

/// The lists in memory, read again when a file changes.
#[derive(Default)]
pub struct Shelf(Mutex<Option<(Stamp, Arc<Lists>)>>);

/// Lengths and times of the files.
pub type Stamp = Vec<(u64, Option<std::time::SystemTime>)>;

fn stamp(folder: &Path) -> Stamp {
    let of = |name: &&str| {
        let about = std::fs::metadata(folder.join(name)).ok();
        (about.as_ref().map_or(0, std::fs::Metadata::len), about.and_then(|a| a.modified().ok()))
    };
    [KEV, EPSS, JVN].iter().map(of).collect()
}

impl Shelf {
    /// The lists as they are on disk; reading blocks.
    pub fn lists(&self, data: &Path) -> (Stamp, Arc<Lists>) {
        let folder = folder(data);
        let now = stamp(&folder);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, lists)) = kept.as_ref()
            && *known == now
        {
            return (now, lists.clone());
        }
        let lists = Arc::new(Lists::read(&folder));
        *kept = Some((now.clone(), lists.clone()));
        (now, lists)
    }
}

fn replace(data: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let folder = folder(data);
    let path = folder.join(name);
    let failed = |source| Error::Io { path: path.clone(), source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    disk::replace(&path, bytes).map_err(failed)
}

/// Puts a catalogue in the place of the one before.
pub fn put_kev(data: &Path, catalogue: &kev::Catalogue) -> Result<(), Error> {
    let one = |known: &kev::Known| {
        let product = format!("{} {}", known.vendor, known.product).trim().to_owned();
        let exploited = Exploited {
            name: known.name.clone(),
            product,
            action: known.action.clone(),
            added: known.added,
            due: known.due,
            is_ransomware: known.is_ransomware,
        };
        (known.cve.clone(), exploited)
    };
    let all: std::collections::BTreeMap<String, Exploited> =
        catalogue.entries.iter().map(one).collect();
    replace(data, KEV, &serde_json::to_vec(&all).map_err(Error::said)?)
}

/// Puts scores in the place of those before.
pub fn put_epss(data: &Path, scores: &epss::Scores) -> Result<(), Error> {
    replace(data, EPSS, &epss::pack(scores))
}

/// Adds what JVN says to what it said before; the newest word on each vulnerability stands.
pub fn put_notes(data: &Path, entries: &[Entry]) -> Result<usize, Error> {
    let path = folder(data).join(JVN);
    let mut notes: HashMap<String, Note> = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => HashMap::new(),
    };
    let mut changed = 0;
    for entry in entries {
        let note = note(entry);
        let cves: Vec<&String> =
            entry.vulnerabilities.iter().filter(|id| id.starts_with("CVE-")).collect();
        for cve in cves {
            let known = notes.get(cve);
            if known.is_none_or(|known| known.updated <= note.updated && *known != note) {
                notes.insert(cve.clone(), note.clone());
                changed += 1;
            }
        }
    }
    if changed == 0 {
        return Ok(0);
    }
    if notes.len() > NOTES_MAX {
        let mut all: Vec<(String, Note)> = notes.into_iter().collect();
        all.sort_by(|a, b| (b.1.updated, &a.0).cmp(&(a.1.updated, &b.0)));
        all.truncate(NOTES_MAX);
        notes = all.into_iter().collect();
    }
    replace(data, JVN, &serde_json::to_vec(&notes).map_err(Error::said)?)?;
    Ok(changed)
}

fn note(entry: &Entry) -> Note {
    let jvndb = entry.vulnerabilities.iter().find(|id| id.starts_with("JVNDB-"));
    let newest = entry.scores.iter().max_by_key(|score| score.version);
    Note {
        jvndb: jvndb.cloned().unwrap_or_default(),
        title: entry.title.chars().take(TITLE_CHARS_MAX).collect(),
        link: entry.link.clone(),
        products: products(entry),
        cvss2: entry.tenths(2),
        cvss3: entry.tenths(3),
        cvss4: entry.tenths(4),
        vector: newest.map(|score| score.vector.clone()).unwrap_or_default(),
        published: entry.published,
        updated: entry.updated.or(entry.published).unwrap_or_default(),
    }
}

/// Products in words: vendor, name, versions.
pub fn products(entry: &Entry) -> Vec<String> {
    let one = |product: &indicators::feed::Product| {
        let vendor = match product.name.starts_with(&product.vendor) {
            true => "",
            false => product.vendor.as_str(),
        };
        let versions = product.versions.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = if product.versions.len() > 5 { " …" } else { "" };
        format!("{vendor} {} {versions}{more}", product.name).trim().to_owned()
    };
    entry.products.iter().take(PRODUCTS_MAX).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &[u8] = br#"{"vulnerabilities": [{"cveID": "CVE-2026-10001", "vendorProject": "A",
        "product": "B", "vulnerabilityName": "n", "requiredAction": "update", "dateAdded": "2026-11-01"}]}"#;

    #[test]
    fn until_a_list_has_come_nothing_is_known() {
        let data = tempfile::tempdir().expect("folder");
        let shelf = Shelf::default();
        let (_, lists) = shelf.lists(data.path());
        assert_eq!(lists.of("CVE-2026-10001"), Known::default());
        put_kev(data.path(), &kev::read(CATALOGUE).expect("catalogue")).expect("put");
        let (_, lists) = shelf.lists(data.path());
        let known = lists.of("CVE-2026-10001");
        assert_eq!(known.is_exploited, Some(true));
        assert_eq!(known.exploited.expect("exploited").product, "A B");
        assert_eq!(lists.of("CVE-2026-10002").is_exploited, Some(false));
    }

    #[test]
    fn scores_are_asked_by_cve_and_damage_is_told() {
        let data = tempfile::tempdir().expect("folder");
        let scores = epss::read(b"cve,epss,percentile\nCVE-2026-10001,0.5,0.9\n").expect("scores");
        put_epss(data.path(), &scores).expect("put");
        let shelf = Shelf::default();
        let known = shelf.lists(data.path()).1.of("CVE-2026-10001");
        assert_eq!((known.epss_permille, known.is_pressing()), (Some(500), true));
        let path = folder(data.path()).join(EPSS);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.truncate(bytes.len() - 1);
        std::fs::write(&path, bytes).expect("written");
        let (_, lists) = shelf.lists(data.path());
        assert_eq!((lists.of("CVE-2026-10001").epss_permille, lists.damaged.len()), (None, 1));
    }

    #[test]
    fn the_newest_word_of_jvn_stands() {
        let data = tempfile::tempdir().expect("folder");
        let entry = |day: &str, score: &str| {
            let text = format!(
                "{{\"feed\": {{\"entry\": [{{\"id\": \"JVNDB-2026-000001\", \"title\": \"t\", \"modified\": \"{day}\",
                \"references\": [{{\"summary\": \"CVE-2026-10001\", \"url\": \"https://c.example\"}}],
                \"products\": [{{\"vname\": \"V\", \"pname\": \"P\", \"version\": \"1\"}}],
                \"metrics\": [{{\"content\": {{\"cvss_v3\": {{\"version\": \"3.0\", \"baseScore\": {score}}}}}}}]}}]}}}}"
            );
            indicators::feed::read(text.as_bytes()).expect("a feed").entries
        };
        assert_eq!(put_notes(data.path(), &entry("2026-11-20", "7.5")).expect("put"), 1);
        assert_eq!(
            put_notes(data.path(), &entry("2026-11-20", "7.5")).expect("put"),
            0,
            "the same"
        );
        assert_eq!(put_notes(data.path(), &entry("2026-11-21", "9.8")).expect("put"), 1);
        assert_eq!(put_notes(data.path(), &entry("2026-11-19", "1.0")).expect("put"), 0, "older");
        let note = Shelf::default().lists(data.path()).1.of("CVE-2026-10001").note.expect("a note");
        assert_eq!((note.cvss3, note.jvndb.as_str()), (Some(98), "JVNDB-2026-000001"));
        assert_eq!(note.products, ["V P 1"]);
    }
}
