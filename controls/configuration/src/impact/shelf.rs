//! The advisories of every source: as files on disk, and as numbers of one index.
//!
//! A source's folder holds `parcel` (what it gave last) and `state.json`. A new parcel takes the place of the old one
//! only once it was read and said something: a feed that breaks or empties leaves its last good state standing, and its
//! age is shown. Of a parcel only documents whose bytes changed are parsed, and only advisories that say something else
//! are changed in the index.
//!
//! Invariant: what could not be read is in the quarantine with its reason and is never taken for silence.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use model::Timestamp;
use sbom::{
    Limits,
    advisory::{self, Advisory},
    judge::{Fleet, Index},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::parcel;

/// Debian's tracker alone has some four million values.
const LIMITS: Limits = Limits {
    bytes_max: parcel::DOCUMENT_BYTES_MAX as usize,
    values_max: 16_000_000,
    ..Limits::DEFAULT
};
pub(crate) const ADVISORIES_MAX: usize = 3_000_000;
/// Documents of the quarantine that are kept by name; further ones are counted.
pub(crate) const QUARANTINE_MAX: usize = 1_000;
const REASON_CHARS_MAX: usize = 500;

/// What is known of a source between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// When it was first configured.
    pub since: i64,
    /// When it was last seen to be what it is: fetched, or said to be unchanged.
    pub good_at: Option<i64>,
    /// When it was last tried.
    pub tried_at: Option<i64>,
    pub etag: Option<String>,
    pub modified: Option<String>,
    /// Of a folder: names, sizes and times.
    pub stamp: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
}

impl Account {
    /// Hours since it was last good; of one that never was, since it was configured.
    pub fn age_h(&self, now: Timestamp) -> i64 {
        now.hours_since(Timestamp(self.good_at.unwrap_or(self.since))).max(0)
    }
}

/// A document that was put aside, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quarantined {
    pub document: String,
    pub reason: String,
}

/// A source in memory.
#[derive(Debug, Default)]
pub(crate) struct Shelved {
    documents: HashMap<String, Document>,
    pub quarantine: Vec<Quarantined>,
    /// All of them, kept by name or not.
    pub quarantined: usize,
    pub advisories: usize,
    /// Over names and digests of all documents.
    pub root: String,
}

#[derive(Debug)]
struct Document {
    digest: [u8; 32],
    numbers: Vec<u32>,
    problems: Vec<String>,
}

/// A parcel that was read, and is not yet in the index.
pub(crate) struct Read {
    /// Documents whose bytes are those of before.
    same: BTreeSet<String>,
    new: BTreeMap<String, Parsed>,
    root: String,
}

/// A document that was parsed.
struct Parsed {
    digest: [u8; 32],
    advisories: Vec<Advisory>,
    problems: Vec<String>,
}

/// What came of a parcel.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub changed: usize,
    /// Subjects of the fleet that an advisory speaks of which was added, changed or taken out.
    pub touched: BTreeSet<u32>,
}

impl Shelved {
    /// Digests of the documents as they are known.
    pub fn known(&self) -> HashMap<String, [u8; 32]> {
        self.documents.iter().map(|(name, one)| (name.clone(), one.digest)).collect()
    }

    /// Brings index and shelf to what a parcel says. Whose subjects are to be judged again, is told.
    pub fn take(&mut self, read: Read, index: &mut Index, fleet: &Fleet) -> Change {
        let mut change = Change::default();
        let gone = |name: &String| !read.same.contains(name) && !read.new.contains_key(name);
        let gone: Vec<String> = self.documents.keys().filter(|name| gone(name)).cloned().collect();
        for name in gone {
            let numbers = self.documents.remove(&name).map(|one| one.numbers).unwrap_or_default();
            self.exchange(numbers, Vec::new(), index, fleet, &mut change);
        }
        for (name, Parsed { digest, advisories, problems }) in read.new {
            let before = self.documents.remove(&name).map(|one| one.numbers).unwrap_or_default();
            // A document that broke takes nothing back: what it said last stands until it can be read.
            if advisories.is_empty() && !problems.is_empty() {
                self.documents.insert(name, Document { digest, numbers: before, problems });
                continue;
            }
            let numbers = self.exchange(before, advisories, index, fleet, &mut change);
            self.documents.insert(name, Document { digest, numbers, problems });
        }
        self.root = read.root;
        self.summarise();
        change
    }

    /// Takes out what is said no more, puts in what is said now; what is said as before stays.
    fn exchange(
        &mut self,
        before: Vec<u32>,
        advisories: Vec<Advisory>,
        index: &mut Index,
        fleet: &Fleet,
        change: &mut Change,
    ) -> Vec<u32> {
        let mut old: HashMap<String, Vec<u32>> = HashMap::new();
        for number in before {
            if let Some(advisory) = index.get(number) {
                old.entry(advisory.id.clone()).or_default().push(number);
            }
        }
        let mut numbers = Vec::new();
        for advisory in advisories {
            let same = old.get_mut(&advisory.id).and_then(|all| {
                let at = all.iter().position(|number| index.get(*number) == Some(&advisory))?;
                Some(all.swap_remove(at))
            });
            numbers.push(same.unwrap_or_else(|| {
                change.changed += 1;
                change.touched.extend(fleet.touched(&advisory));
                index.insert(advisory)
            }));
        }
        for number in old.into_values().flatten() {
            if let Some(advisory) = index.remove(number) {
                change.changed += 1;
                change.touched.extend(fleet.touched(&advisory));
            }
        }
        numbers
    }

    /// Takes everything of the source out.
    pub fn empty(&mut self, index: &mut Index, fleet: &Fleet) -> Change {
        let nothing = Read { same: BTreeSet::new(), new: BTreeMap::new(), root: String::new() };
        self.take(nothing, index, fleet)
    }

    fn summarise(&mut self) {
        self.advisories = self.documents.values().map(|one| one.numbers.len()).sum();
        let mut names: Vec<&String> = self
            .documents
            .iter()
            .filter(|(_, one)| !one.problems.is_empty())
            .map(|(n, _)| n)
            .collect();
        names.sort_unstable();
        let all = names.iter().flat_map(|name| {
            let problems = self.documents[*name].problems.iter();
            problems.map(|reason| Quarantined { document: (*name).clone(), reason: reason.clone() })
        });
        let all: Vec<Quarantined> = all.collect();
        self.quarantined = all.len();
        self.quarantine = all.into_iter().take(QUARANTINE_MAX).collect();
    }
}

/// Reads a parcel; documents with these digests are not parsed again. Refused is one that cannot be unpacked, or in
/// which there is no advisory at all.
pub(crate) fn read(path: &Path, known: &HashMap<String, [u8; 32]>) -> Result<Read, String> {
    let mut read = Read { same: BTreeSet::new(), new: BTreeMap::new(), root: String::new() };
    let (mut count, mut first) = (0usize, None);
    let mut digests: BTreeMap<String, [u8; 32]> = BTreeMap::new();
    parcel::each(path, &mut |name, content| {
        let parsed = match content {
            Err(why) => Parsed { digest: [0; 32], advisories: Vec::new(), problems: vec![why] },
            Ok(bytes) => {
                let digest: [u8; 32] = Sha256::digest(&bytes).into();
                if known.get(name) == Some(&digest) {
                    digests.insert(name.to_owned(), digest);
                    read.same.insert(name.to_owned());
                    return;
                }
                parse(&bytes, digest)
            }
        };
        count += parsed.advisories.len();
        let problem = parsed.problems.first().map(|why| format!("{name}: {why}"));
        first = first.take().or(problem);
        digests.insert(name.to_owned(), parsed.digest);
        read.new.insert(name.to_owned(), parsed);
    })?;
    if count == 0 && read.same.is_empty() {
        return Err(first.unwrap_or_else(|| "there is no advisory in it".to_owned()));
    }
    if count > ADVISORIES_MAX {
        return Err(format!("more than {ADVISORIES_MAX} advisories"));
    }
    let mut root = Sha256::new();
    for (name, digest) in digests {
        root.update(Sha256::digest(name.as_bytes()));
        root.update(digest);
    }
    read.root = hex::encode(root.finalize());
    Ok(read)
}

fn parse(bytes: &[u8], digest: [u8; 32]) -> Parsed {
    let read = advisory::read(bytes, &LIMITS);
    let reason =
        |problem: &sbom::Problem| problem.to_string().chars().take(REASON_CHARS_MAX).collect();
    let mut problems: Vec<String> = read.problems.iter().map(reason).collect();
    if problems.is_empty() && read.advisories.is_empty() {
        problems.push("there is no advisory in it".to_owned());
    }
    let (named, nameless): (Vec<Advisory>, Vec<Advisory>) =
        read.advisories.into_iter().partition(|advisory| !advisory.id.is_empty());
    if !nameless.is_empty() {
        problems.push("an advisory without id".to_owned());
    }
    Parsed { digest, advisories: named, problems }
}

/// Where the files of a source lie.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder of a source; made where it is missing.
    pub fn of(shelf: &Path, source: &str) -> io::Result<Folder> {
        let folder = shelf.join(source);
        fs::create_dir_all(&folder)?;
        Ok(Folder(folder))
    }

    /// What the source gave last.
    pub fn parcel(&self) -> PathBuf {
        self.0.join("parcel")
    }

    /// What is being fetched, until it was read.
    pub fn incoming(&self) -> PathBuf {
        self.0.join("incoming")
    }

    /// Puts what came in the place of what was there.
    pub fn accept(&self) -> io::Result<()> {
        disk::rename(&self.incoming(), &self.parcel())?;
        disk::sync_folder(&self.0)
    }

    /// What is known of the source. A file that cannot be read is as good as none: everything is asked for again.
    pub fn account(&self) -> Account {
        let text = fs::read(self.0.join("state.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub fn set_account(&self, account: &Account) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(account).map_err(io::Error::other)?;
        disk::replace(&self.0.join("state.json"), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sbom::{
        judge::{State, Subject},
        purl::Purl,
    };

    fn osv(id: &str, name: &str, fixed: &str, more: &str) -> String {
        format!(
            r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", {more} "affected": [{{"package":
            {{"ecosystem": "npm", "name": "{name}"}}, "ranges": [{{"type": "SEMVER", "events":
            [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}}]}}"#
        )
    }

    struct Place {
        folder: tempfile::TempDir,
        shelved: Shelved,
        index: Index,
        fleet: Fleet,
    }

    impl Place {
        fn new() -> Place {
            let mut fleet = Fleet::default();
            for (host, purl) in [(1, "pkg:npm/a@1.0.0"), (2, "pkg:npm/b@1.0.0")] {
                fleet.add(host, &Subject::of(&Purl::parse(purl).expect("a purl")));
            }
            let folder = tempfile::tempdir().expect("folder");
            Place { folder, shelved: Shelved::default(), index: Index::default(), fleet }
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).expect("written");
        }

        fn read(&self) -> Result<Read, String> {
            let listing = parcel::list(self.folder.path()).expect("listed");
            let to = self.folder.path().join("parcel");
            parcel::pack(self.folder.path(), &listing, &to).expect("packed");
            read(&to, &self.shelved.known())
        }

        fn load(&mut self) -> (usize, Vec<u32>) {
            let read = self.read().expect("read");
            let change = self.shelved.take(read, &mut self.index, &self.fleet);
            (change.changed, change.touched.into_iter().collect())
        }

        fn state(&self, number: u32) -> Option<State> {
            let (subject, _) = self.fleet.subject(number)?;
            self.index.verdicts(subject).pop().map(|(_, verdict)| verdict.state)
        }
    }

    #[test]
    fn only_what_changed_is_judged_again() {
        let mut place = Place::new();
        place.put("a.json", &osv("A-1", "a", "2.0.0", ""));
        place.put("b.json", &osv("B-1", "b", "2.0.0", ""));
        assert_eq!(place.load(), (2, vec![0, 1]));
        assert_eq!(
            (place.state(0), place.state(1)),
            (Some(State::Affected), Some(State::Affected))
        );
        assert_eq!(place.load(), (0, vec![]), "nothing is parsed again");
        place.put("b.json", &format!(" {}", osv("B-1", "b", "2.0.0", "")));
        assert_eq!(place.load(), (0, vec![]), "other bytes, the same said");
        place.put("b.json", &osv("B-1", "b", "1.0.0", ""));
        assert_eq!(place.load(), (2, vec![1]), "one in, one out");
        assert_eq!(place.state(1), Some(State::NotAffected));
        assert_eq!(place.index.len(), 2);
    }

    #[test]
    fn what_was_withdrawn_or_taken_out_affects_nothing_any_more() {
        let mut place = Place::new();
        place.put("a.json", &osv("A-1", "a", "2.0.0", ""));
        place.put("b.json", &osv("B-1", "b", "2.0.0", ""));
        place.load();
        place.put("a.json", &osv("A-1", "a", "2.0.0", "\"withdrawn\": \"2026-02-01T00:00:00Z\","));
        fs::remove_file(place.folder.path().join("b.json")).expect("removed");
        assert_eq!(place.load().1, [0, 1]);
        assert_eq!((place.state(0), place.state(1)), (Some(State::NotAffected), None));
        let (subject, _) = place.fleet.subject(1).expect("there");
        assert!(place.index.covers(subject), "another advisory still speaks of npm");
        place.shelved.empty(&mut place.index, &place.fleet);
        assert!(place.index.is_empty());
        assert!(!place.index.covers(place.fleet.subject(1).expect("there").0));
    }

    #[test]
    fn a_broken_document_is_put_aside_and_the_rest_stands() {
        let mut place = Place::new();
        place.put("a.json", &osv("A-1", "a", "2.0.0", ""));
        place.put("broken.json", "{\"id\": ");
        place.put("other.json", "{\"hello\": 1}");
        place.load();
        assert_eq!(place.state(0), Some(State::Affected));
        let names: Vec<&str> =
            place.shelved.quarantine.iter().map(|q| q.document.as_str()).collect();
        assert_eq!(names, ["broken.json", "other.json"]);
        assert!(place.shelved.quarantine.iter().all(|q| !q.reason.is_empty()));
    }

    #[test]
    fn a_document_that_breaks_takes_nothing_back() {
        let mut place = Place::new();
        place.put("a.json", &osv("A-1", "a", "2.0.0", ""));
        place.put("b.json", &osv("B-1", "b", "2.0.0", ""));
        place.load();
        place.put("a.json", "{\"id\": ");
        assert_eq!(place.load(), (0, vec![]));
        assert_eq!((place.state(0), place.shelved.quarantined), (Some(State::Affected), 1));
        place.put("a.json", &osv("A-1", "a", "1.0.0", ""));
        place.load();
        assert_eq!((place.state(0), place.shelved.quarantined), (Some(State::NotAffected), 0));
    }

    #[test]
    fn a_parcel_that_says_nothing_is_refused() {
        let mut place = Place::new();
        place.put("a.json", &osv("A-1", "a", "2.0.0", ""));
        place.load();
        place.put("a.json", "{\"id\": ");
        assert!(place.read().is_err());
        assert_eq!(place.state(0), Some(State::Affected), "the last good state stands");
    }
}
