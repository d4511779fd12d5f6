//! The chain from key to member, on packages of dpkg-deb and signatures of gpg; and what is left of it
//! when bytes of it are changed.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::capture::Kind;

/// 2024-01-10.
const NOW: i64 = 1_704_844_800;
const YEAR: i64 = 366 * 86_400;

const KEYS: &[u8] = include_bytes!("../../tests/data/archive.gpg");
const OTHER: &[u8] = include_bytes!("../../tests/data/other.gpg");
const SHORT: &[u8] = include_bytes!("../../tests/data/short.asc");
const IN_RELEASE: &[u8] = include_bytes!("../../tests/data/InRelease");
const PACKAGES: &[u8] = include_bytes!("../../tests/data/Packages");
const XZ: &[u8] = include_bytes!("../../tests/data/sample_1_xz.deb");
const PLAIN: &[u8] = include_bytes!("../../tests/data/sample_1_none.deb");

fn word<T: std::fmt::Debug>(result: Result<T, ArchiveError>) -> &'static str {
    result.expect_err("refused").word()
}

/// Parsed once: verifying its bindings is the dear part.
static TRUSTED: LazyLock<Keyring> = LazyLock::new(|| ring(KEYS));

fn ring(bytes: &[u8]) -> Keyring {
    Keyring::parse(bytes).expect("keyring")
}

#[test]
fn a_text_is_believed_by_a_key_of_the_ring_and_by_no_other() {
    let release = include_str!("../../tests/data/Release");
    let signed = ring(KEYS).verify_inline(IN_RELEASE, NOW).expect("signed");
    // gpg leaves the last line end out of a clear-signed text.
    assert_eq!(signed.text.trim_end(), release.trim_end());
    assert_eq!((signed.by.len(), signed.at), (40, 1_704_672_000));
    assert!(ring(OTHER).verify_inline(IN_RELEASE, NOW).is_ok(), "two keys signed it");
    for signature in [
        &include_bytes!("../../tests/data/Release.gpg")[..],
        include_bytes!("../../tests/data/Release.asc"),
    ] {
        let ring = ring(KEYS);
        assert!(ring.verify_detached(release.as_bytes(), signature, NOW).is_ok());
        let other = release.replace("stable", "stabl3");
        assert_eq!(word(ring.verify_detached(other.as_bytes(), signature, NOW)), "signature_bad");
    }
    let short = include_bytes!("../../tests/data/InRelease.short");
    let weak = include_bytes!("../../tests/data/InRelease.weak");
    assert_eq!(word(ring(KEYS).verify_inline(short, NOW)), "key_unknown");
    assert!(ring(SHORT).verify_inline(short, NOW).is_ok());
    assert_eq!(word(ring(SHORT).verify_inline(short, NOW + YEAR)), "key_expired");
    assert_eq!(word(ring(KEYS).verify_inline(weak, NOW)), "signature_weak");
    assert_eq!(word(ring(KEYS).verify_inline(IN_RELEASE, NOW - YEAR)), "signature_time");
    assert_eq!(word(ring(KEYS).verify_inline(release.as_bytes(), NOW)), "signature_form");
    assert_eq!(word(Keyring::parse(b"no keys")), "keyring");
}

#[test]
fn the_chain_holds_from_the_key_to_the_member() {
    let signed = ring(KEYS).verify_inline(IN_RELEASE, NOW).expect("signed");
    let release = Release::parse(&signed.text).expect("release");
    assert_eq!(release.fresh(NOW), Ok(()));
    assert_eq!(word(release.fresh(NOW + YEAR)), "expired");
    let (path, file) = release.packages("", "amd64").next().expect("index");
    agrees(&path, PACKAGES, file.size, &file.sha256).expect("the signed index");
    let wanted = Wanted::from([("sample".into(), "1".into(), "all".into())]);
    let found = listed(&path, PACKAGES, &wanted).expect("index");
    assert_eq!(found.len(), 4, "one version, packed in four ways");
    for one in &found {
        let own = if one.filename.ends_with("_xz.deb") { XZ } else { PLAIN };
        let is_own = one.filename.ends_with("_xz.deb") || one.filename.ends_with("_none.deb");
        let outcome = verified(one, own).map(|manifest| manifest.version);
        match is_own {
            true => assert_eq!(outcome.as_deref(), Ok("1"), "{}", one.filename),
            false => assert_eq!(word(outcome), "mismatch", "{}", one.filename),
        }
    }
    let other_name = Listed { name: "other".into(), ..found[1].clone() };
    assert_eq!(word(verified(&other_name, XZ)), "deb");
    let mut other = PACKAGES.to_vec();
    other[0] ^= 1;
    assert_eq!(word(agrees(&path, &other, file.size, &file.sha256)), "mismatch");
}

#[test]
fn a_manifest_says_what_is_in_a_package_however_it_is_packed() {
    let manifest = manifest_of_deb(XZ).expect("package");
    for other in [
        &include_bytes!("../../tests/data/sample_1_gzip.deb")[..],
        include_bytes!("../../tests/data/sample_1_zstd.deb"),
        PLAIN,
    ] {
        assert_eq!(manifest_of_deb(other).as_ref(), Ok(&manifest));
    }
    assert_eq!(manifest.key(), "sample:all");
    assert_eq!(manifest.replaces, ["other", "older"]);
    let file = |path: &str| {
        let found = manifest.files.iter().find(|one| one.path == path.into());
        found.unwrap_or_else(|| panic!("{path} of {:?}", manifest.files))
    };
    let program = file("/usr/bin/sample");
    assert_eq!((program.kind, program.mode, program.has_sum), (Kind::File, 0o755, true));
    assert_eq!(file("/usr/bin/sample-again").sha256, program.sha256, "a hard link");
    assert_eq!(file("/usr/bin/sample-link").target, Some("sample".into()));
    assert_eq!(file("/usr/bin/raised").mode, 0o4755);
    assert!(file("/etc/sample/sample.conf").is_conffile);
    let long = manifest.files.iter().map(|one| one.path.0.len()).max();
    assert!(long > Some(250), "long names are whole: {long:?}");
    assert!(manifest.says("_sample") && manifest.says("/var/lib/sample"));
    let link = "/etc/systemd/system/multi-user.target.wants/sample.service";
    assert_eq!(manifest.enables, [(link.into(), "/usr/lib/systemd/system/sample.service".into())]);
    assert_eq!(manifest.scripts.len(), 64);
    let json = manifest.to_document();
    assert_eq!(PackageManifest::from_document(&json), Some(manifest));
    assert_eq!(PackageManifest::from_document(&serde_json::json!({ "format": 1 })), None);
}

#[test]
fn a_stream_that_unpacks_to_too_much_is_stopped() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![0; 1 << 20]).expect("packed");
    let bomb = packed.finish().expect("packed");
    assert!(bomb.len() < 2_000);
    assert!(unpack::whole("Packages.gz", &bomb, 1 << 20).is_ok());
    let error = unpack::whole("Packages.gz", &bomb, (1 << 20) - 1).expect_err("stopped");
    assert!(error.to_string().contains("more bytes than allowed"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_release_is_never_believed_as_another_text(
        at in 0..IN_RELEASE.len(),
        byte: u8,
        cut: bool,
    ) {
        let mut bytes = IN_RELEASE.to_vec();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let whole = TRUSTED.verify_inline(IN_RELEASE, NOW).expect("signed");
        if let Ok(signed) = TRUSTED.verify_inline(&bytes, NOW) {
            // Blanks at line ends are not signed and mean nothing.
            let lines = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(lines(&signed.text), lines(&whole.text));
        }
    }

    #[test]
    fn changed_bytes_of_a_package_panic_nowhere(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        packed: bool,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = if packed { XZ.to_vec() } else { PLAIN.to_vec() };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(manifest) = manifest_of_deb(&bytes) {
            prop_assert!(manifest.files.iter().all(|file| file.path.0.starts_with(b"/")));
        }
    }

    #[test]
    fn any_bytes_are_a_keyring_or_an_index_or_refused(bytes: Vec<u8>) {
        let _ = Keyring::parse(&bytes);
        let _ = manifest_of_deb(&bytes);
        let _ = TRUSTED.verify_inline(&bytes, NOW);
        let _ = TRUSTED.verify_detached(b"text", &bytes, NOW);
        let _ = Release::parse(&String::from_utf8_lossy(&bytes));
        let _ = listed("Packages", &bytes, &Wanted::new());
        for name in ["a.gz", "a.xz", "a.zst", "a.bz2", "a"] {
            let _ = unpack::whole(name, &bytes, 1 << 16);
        }
    }
}
