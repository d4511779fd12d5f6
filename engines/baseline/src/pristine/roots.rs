//! What the files of one package are together: one root over those that no fact speaks of, and the
//! scripts of the package.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Owned, seen};
use crate::{
    bytes::Bytes,
    capture::{Capture, Digest, Entry, Kind},
    fact::Value,
};

/// Unread files of a package that are named.
const UNREAD_MAX: usize = 1_000;

/// What is said of the files of one package together.
#[derive(Default)]
pub(super) struct Sum {
    files: i64,
    equal: i64,
    root: Sha256,
    pub(super) scripts: BTreeMap<Vec<u8>, [u8; 32]>,
    unread: Vec<Bytes>,
}

impl Sum {
    /// What differs from its sum is a fact of its own, with its digest.
    pub(super) fn file(&mut self, capture: &Capture, entry: &Entry, owned: &Owned, differs: bool) {
        self.files += 1;
        let path: &[u8] = &entry.path;
        if entry.kind() != Kind::File {
            self.equal += 1;
            return add_member(
                &mut self.root,
                path,
                entry.kind().as_str(),
                entry.target.as_deref(),
            );
        }
        let (digest, _) = seen(capture, path);
        let (Some(digest), Some(plain)) = (digest, capture.sums.get(path)) else {
            self.unread.push(Bytes(path.to_vec()));
            return;
        };
        if differs {
            return;
        }
        self.equal += 1;
        let print;
        let content = match (owned.md5, digest) {
            (Some(_), _) => &plain[..],
            (None, Digest::Plain(_)) => &plain[..],
            (None, Digest::Keyed(keyed)) => {
                print = keyed.0;
                &print[..]
            }
        };
        add_member(&mut self.root, path, Kind::File.as_str(), Some(content));
    }

    pub(super) fn script(&mut self, capture: &Capture, entry: &Entry) {
        let name = entry.path.rsplit(|byte| *byte == b'.').next().unwrap_or_default().to_vec();
        match capture.sums.get(&*entry.path) {
            Some(hash) => self.scripts.insert(name, *hash),
            None => {
                self.unread.push(Bytes(entry.path.to_vec()));
                None
            }
        };
    }

    pub(super) fn value(mut self) -> BTreeMap<String, Value> {
        let root: [u8; 32] = self.root.finalize().into();
        let mut value = BTreeMap::from([
            ("files".to_owned(), Value::Int(self.files)),
            ("equal".to_owned(), Value::Int(self.equal)),
            ("content".to_owned(), Value::text(hex::encode(root))),
        ]);
        if !self.unread.is_empty() {
            self.unread.truncate(UNREAD_MAX);
            value.insert("unread".into(), Value::texts(self.unread));
        }
        value
    }
}

/// Adds a file, link or device to the root of its package, the members sorted by path. Length before
/// each part, so that no two members read alike.
pub(crate) fn add_member(root: &mut Sha256, path: &[u8], kind: &str, content: Option<&[u8]>) {
    for part in [path, kind.as_bytes(), content.unwrap_or_default()] {
        root.update((part.len() as u64).to_le_bytes());
        root.update(part);
    }
}

/// Adds a script to the root of those of its package, sorted by name.
pub(crate) fn add_script(root: &mut Sha256, name: &[u8], digest: &[u8; 32]) {
    root.update((name.len() as u64).to_le_bytes());
    root.update(name);
    root.update(digest);
}
