//! The set in force, as an edge holds it: files mapped where they lie, replaced when `set.json` is.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use indicators::{Set, set};
use merkle::VerifierKey;
use self_cell::self_cell;
use sha2::{Digest, Sha256};

use crate::{
    Error, FileRef, MANIFEST, Manifest, Map, PatternLine, Signed, manifest::BYTES_MAX, origins,
    patterns,
};

self_cell!(
    struct Open {
        owner: Vec<Map>,
        #[covariant]
        dependent: Set,
    }
);

/// A set in force.
pub struct Current {
    manifest: Manifest,
    /// The bytes of `set.json`.
    signed: Vec<u8>,
    open: Open,
    patterns: Vec<PatternLine>,
    origins: Option<Map>,
}

impl Current {
    /// The set that the folder's `set.json` names; none where there is none yet.
    pub fn load(folder: &Path, keys: &[VerifierKey]) -> Result<Option<Current>, Error> {
        match manifest_bytes(folder)? {
            Some(bytes) => Current::of(folder, &bytes, keys).map(Some),
            None => Ok(None),
        }
    }

    /// The set that these bytes of a `set.json` name, its files in a folder.
    pub fn of(folder: &Path, signed: &[u8], keys: &[VerifierKey]) -> Result<Current, Error> {
        if signed.len() as u64 > BYTES_MAX {
            return Err(Error::Large(signed.len() as u64));
        }
        let manifest = Signed::open(signed, keys)?;
        let (mut maps, mut patterns, mut origins) = (Vec::new(), Vec::new(), None);
        for file in &manifest.files {
            let map = map(folder, file)?;
            match &file.name {
                name if patterns::is_it(name) => patterns.extend(patterns::read(name, &map)?),
                name if origins::is_it(name) => {
                    origins::check(name, &map)?;
                    origins = Some(map);
                }
                _ => maps.push(map),
            }
        }
        let name = || manifest.files.first().map_or(MANIFEST, |file| &file.name).to_owned();
        let open = Open::try_new(maps, |maps| {
            let Some((base, deltas)) = maps.split_first() else {
                return Err(Error::File { name: name() });
            };
            let deltas: Vec<&[u8]> = deltas.iter().map(|map| &map[..]).collect();
            Set::open(base, &deltas)
                .map_err(|damage| Error::Damage { name: name(), damage: damage.to_string() })
        })?;
        Ok(Current { manifest, signed: signed.to_vec(), open, patterns, origins })
    }

    /// The manifest with its signature, as `set.json` holds it: what is given to who loads it elsewhere.
    pub fn signed(&self) -> &[u8] {
        &self.signed
    }

    pub fn patterns(&self) -> &[PatternLine] {
        &self.patterns
    }

    /// Ids of the items that a row came with.
    pub fn items(&self, row: u64) -> Vec<[u8; 16]> {
        self.origins.as_ref().map(|map| origins::of(map, row)).unwrap_or_default()
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn set(&self) -> &Set<'_> {
        self.open.borrow_dependent()
    }
}

fn manifest_bytes(folder: &Path) -> Result<Option<Vec<u8>>, Error> {
    let io = |source| Error::Io { name: MANIFEST.to_owned(), source };
    let file = match File::open(folder.join(MANIFEST)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let size = file.metadata().map_err(io)?.len();
    if size > BYTES_MAX {
        return Err(Error::Large(size));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

fn map(folder: &Path, wanted: &FileRef) -> Result<Map, Error> {
    let name = wanted.name.as_str();
    let wrong = || Error::File { name: name.to_owned() };
    let is_set = name.ends_with(".uix");
    let is_known = is_set || patterns::is_it(name) || origins::is_it(name);
    if name.contains(['/', '\\']) || !is_known {
        return Err(wrong());
    }
    let io = |source| Error::Io { name: name.to_owned(), source };
    let map = Map::open(&folder.join(name)).map_err(io)?;
    if map.len() as u64 != wanted.bytes {
        return Err(wrong());
    }
    if hex::encode(Sha256::digest(&map[..])) != wanted.sha256 {
        return Err(wrong());
    }
    if is_set {
        set::verify(&map).map_err(|damage| Error::Damage {
            name: name.to_owned(),
            damage: damage.to_string(),
        })?;
    }
    Ok(map)
}

/// What a look at the folder found.
pub enum Look {
    Unchanged,
    New(Arc<Current>),
    /// What is there now is not used, and why; the set before it stays.
    Refused(Error),
}

/// Keeps the newest good set of a folder.
pub struct Watch {
    folder: PathBuf,
    keys: Vec<VerifierKey>,
    stamp: Option<(SystemTime, u64)>,
    current: Option<Arc<Current>>,
}

impl Watch {
    pub fn new(folder: PathBuf, keys: Vec<VerifierKey>) -> Watch {
        Watch { folder, keys, stamp: None, current: None }
    }

    pub fn current(&self) -> Option<&Arc<Current>> {
        self.current.as_ref()
    }

    /// Looks whether another set came: one stat where none did.
    pub fn look(&mut self) -> Look {
        let Ok(meta) = std::fs::metadata(self.folder.join(MANIFEST)) else {
            return Look::Unchanged;
        };
        let stamp = Some((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len()));
        if stamp == self.stamp {
            return Look::Unchanged;
        }
        // A set that is refused is told once, until another comes.
        self.stamp = stamp;
        match Current::load(&self.folder, &self.keys) {
            Ok(Some(current)) => self.follow(current),
            Ok(None) => Look::Unchanged,
            Err(error) => Look::Refused(error),
        }
    }

    fn follow(&mut self, next: Current) -> Look {
        let found = next.manifest.sequence;
        if let Some(known) = self.current.as_ref().map(|current| current.manifest.sequence)
            && found < known
        {
            return Look::Refused(Error::Older { known, found });
        }
        let next = Arc::new(next);
        self.current = Some(next.clone());
        Look::New(next)
    }
}

#[cfg(test)]
mod tests {
    use indicators::{
        Direction, Entry, Key, Kind, Observable,
        set::{Limits, build},
    };
    use merkle::{SignedNote, Signer};
    use netname::Names;

    use super::*;
    use crate::{add_file, put, sweep};

    const AT: i64 = 1_795_600_000_000_000;

    fn signer() -> Signer {
        Signer::from_seed("ume.example", &[7; 32]).unwrap()
    }

    fn file(names: &Names, domains: &[&str]) -> Vec<u8> {
        let rows = domains.iter().enumerate().map(|(id, domain)| {
            let key = indicators::normalise(Kind::Domain, domain, names).unwrap();
            Entry::new(id as u64, key, "test")
        });
        let mut out = Vec::new();
        build(rows, [3; 16], &Limits::DEFAULT, &mut out).unwrap();
        out
    }

    fn publish(folder: &Path, sequence: u64, domains: &[&str]) -> Manifest {
        let bytes = file(&Names::shipped(), domains);
        let files = vec![add_file(folder, "base", &bytes).unwrap()];
        let manifest = Manifest { sequence, made_at: AT, rows: domains.len() as u64, files };
        let mut note = SignedNote::new(&manifest.text()).unwrap();
        note.sign(&signer()).unwrap();
        put(folder, &manifest, &note.to_string()).unwrap();
        manifest
    }

    fn hits(current: &Current, domain: &str) -> usize {
        let names = Names::shipped();
        let key: Key = indicators::normalise(Kind::Domain, domain, &names).unwrap();
        let seen = Observable::of(&key, Direction::Destination, &names);
        let mut out = Vec::new();
        current.set().lookup(&seen, AT, &mut out).unwrap();
        out.len()
    }

    #[test]
    fn a_new_set_is_taken_and_a_bad_one_leaves_the_old_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(folder.path().to_owned(), vec![signer().verifier_key()]);
        assert!(matches!(watch.look(), Look::Unchanged));
        let first = publish(folder.path(), 1, &["evil.example"]);
        let Look::New(current) = watch.look() else { panic!("a set came") };
        assert_eq!((hits(&current, "evil.example"), hits(&current, "good.example")), (1, 0));
        assert!(matches!(watch.look(), Look::Unchanged));

        let second = publish(folder.path(), 2, &["worse.example", "worst.example"]);
        let torn = folder.path().join(&second.files[0].name);
        let bytes = std::fs::read(&torn).unwrap();
        std::fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(watch.look(), Look::Refused(Error::File { .. })));
        assert_eq!(watch.current().unwrap().manifest().root(), first.root());

        publish(folder.path(), 3, &["worst.example"]);
        assert!(matches!(watch.look(), Look::New(_)));
        publish(folder.path(), 2, &["older.example", "x.example", "y.example"]);
        assert!(matches!(watch.look(), Look::Refused(Error::Older { known: 3, found: 2 })));
        assert_eq!(hits(watch.current().unwrap(), "worst.example"), 1);
    }

    #[test]
    fn a_set_that_another_signed_or_that_says_otherwise_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = publish(folder.path(), 1, &["evil.example"]);
        let stranger = Signer::from_seed("ume.example", &[8; 32]).unwrap().verifier_key();
        assert!(matches!(Current::load(folder.path(), &[stranger]), Err(Error::Signature(_))));
        let mut note = SignedNote::new(&manifest.text()).unwrap();
        note.sign(&signer()).unwrap();
        let more = Manifest { rows: 9, ..manifest };
        put(folder.path(), &more, &note.to_string()).unwrap();
        let keys = [signer().verifier_key()];
        assert!(matches!(Current::load(folder.path(), &keys), Err(Error::Other)));
    }

    #[test]
    fn a_file_outside_the_folder_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let files = vec![FileRef { name: "../x.uix".into(), sha256: String::new(), bytes: 0 }];
        let manifest = Manifest { sequence: 1, made_at: AT, rows: 0, files };
        let mut note = SignedNote::new(&manifest.text()).unwrap();
        note.sign(&signer()).unwrap();
        put(folder.path(), &manifest, &note.to_string()).unwrap();
        let keys = [signer().verifier_key()];
        assert!(matches!(Current::load(folder.path(), &keys), Err(Error::File { .. })));
    }

    #[test]
    fn files_of_no_set_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), 1, &["a.example"]);
        let second = publish(folder.path(), 2, &["b.example"]);
        assert_eq!(sweep(folder.path(), &[&second]).unwrap(), 1);
        let keys = [signer().verifier_key()];
        assert!(Current::load(folder.path(), &keys).unwrap().is_some());
    }
}
