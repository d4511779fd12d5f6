//! A small archive of dpkg-deb and gpg in a folder.

use std::{fs, path::Path};

use baseline::{Fact, FingerprintKey, Origin, Value};

use super::*;
use crate::archive::Folder;

/// 2024-01-10; the index is valid until the 15th.
const NOW: i64 = 1_704_844_800;

const DATA: [(&str, &[u8]); 6] = [
    ("InRelease", include_bytes!("../../../../../engines/baseline/tests/data/InRelease")),
    ("Packages", include_bytes!("../../../../../engines/baseline/tests/data/Packages")),
    ("archive.gpg", include_bytes!("../../../../../engines/baseline/tests/data/archive.gpg")),
    ("short.asc", include_bytes!("../../../../../engines/baseline/tests/data/short.asc")),
    (
        "sample_1_gzip.deb",
        include_bytes!("../../../../../engines/baseline/tests/data/sample_1_gzip.deb"),
    ),
    (
        "sample_1_xz.deb",
        include_bytes!("../../../../../engines/baseline/tests/data/sample_1_xz.deb"),
    ),
];

fn host(version: &str) -> Facts {
    let value = Value::map([
        ("name", Value::text("sample")),
        ("version", Value::text(version)),
        ("architecture", Value::text("all")),
        ("state", Value::text("installed")),
    ]);
    let fact =
        Fact { class: Class::Package, name: "sample:all".into(), value, origin: Origin::Default };
    Facts::new(vec![fact])
}

struct Place {
    folder: tempfile::TempDir,
    keep: Keep,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("folder");
        for (name, bytes) in DATA {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        let key = FingerprintKey::new([1; 32]);
        let keep = Keep::open(&folder.path().join("data"), 64, key).expect("folders");
        Place { folder, keep }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn made(&self, version: &str, keyring: &str, now: i64) -> Made {
        let archives = [Archive {
            name: "local".into(),
            place: self.path().display().to_string(),
            suites: Vec::new(),
            keyrings: vec![self.path().join(keyring)],
        }];
        let folder = Folder(self.path().to_owned());
        let way = |_: &Archive| Ok(&folder as &dyn Transport);
        make(&host(version), &archives, way, Some(&self.keep), now, None).expect("search")
    }

    fn reason(&self, version: &str, keyring: &str, now: i64) -> String {
        let made = self.made(version, keyring, now);
        assert!(made.manifests.is_empty() && made.missing.len() == 1, "{:?}", made.missing);
        made.missing[0].reason.clone()
    }
}

#[test]
fn a_manifest_is_made_once_and_kept() {
    let place = Place::new();
    let made = place.made("1", "archive.gpg", NOW);
    assert_eq!((made.new, made.missing.len(), made.is_passing), (1, 0, false));
    assert_eq!(made.indexes[0].date, Some(1_704_672_000));
    assert!(made.manifests["sample:all"].files.len() > 5);
    fs::remove_file(place.path().join("InRelease")).expect("removed");
    let again = place.made("1", "archive.gpg", NOW + 366 * 86_400);
    assert_eq!((again.new, again.missing.len()), (0, 0), "without the archive, years later");
    assert_eq!(again.manifests, made.manifests);
}

#[test]
fn a_package_without_a_verified_manifest_says_why() {
    let place = Place::new();
    assert_eq!(place.reason("2", "archive.gpg", NOW), "not_in_archives");
    assert_eq!(place.reason("1", "short.asc", NOW), "local: key_unknown");
    assert_eq!(place.reason("1", "none.gpg", NOW), "local: keyring");
    assert_eq!(place.reason("1", "archive.gpg", NOW + 6 * 86_400), "local: expired");
    for name in ["sample_1_gzip.deb", "sample_1_xz.deb"] {
        let path = place.path().join(name);
        let mut bytes = fs::read(&path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("written");
    }
    // Of the four files of that version two are there, and neither is what was signed.
    let reason = place.reason("1", "archive.gpg", NOW);
    assert!(["local: mismatch", "local: absent"].contains(&&reason[..]), "{reason}");
    let path = place.path().join("InRelease");
    let text = fs::read_to_string(&path).expect("read").replace("Suite: stable", "Suite: evil");
    fs::write(&path, text).expect("written");
    assert_eq!(place.reason("1", "archive.gpg", NOW), "local: signature_bad");
    fs::remove_file(&path).expect("removed");
    assert_eq!(place.reason("1", "archive.gpg", NOW), "local: absent");
}
