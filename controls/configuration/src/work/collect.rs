//! The facts of a host, and what of them a record of a snapshot holds.

use std::{collections::BTreeSet, path::Path};

use baseline::{ChunkIndex, Facts, FingerprintKey, Layer, Plan, Roots, facts, seal};
use serde_json::{Value, json};

use super::driver::{self, DigestCache, Driver, RootDriver};

const UNREAD_SHOWN_MAX: usize = 200;
/// How many of the eight considerations there are.
const FAMILIES: usize = 8;

/// Collects below `root`. Of `/` the running kernel is asked as well, if `live`.
pub fn collect(
    root: &Path,
    live: bool,
    full: bool,
    key: &FingerprintKey,
) -> std::io::Result<Facts> {
    let live = live && root == Path::new("/");
    let mut driver = RootDriver::open(root, live)?;
    Ok(collect_by(&mut driver, live, full, key))
}

/// Collects below `root`, the running kernel included, with the digests of an earlier collection for files whose
/// stamps are the same; those of every few hours are all taken anew.
pub fn collect_again(
    root: &Path,
    full: bool,
    key: &FingerprintKey,
    digests: &mut DigestCache,
) -> std::io::Result<Facts> {
    let mut driver = RootDriver::open(root, true)?;
    driver.remember(std::mem::take(digests));
    let facts = collect_by(&mut driver, root == Path::new("/"), full, key);
    *digests = driver.remembered();
    Ok(facts)
}

/// Collects by any driver.
pub fn collect_by(driver: &mut dyn Driver, live: bool, full: bool, key: &FingerprintKey) -> Facts {
    facts(&driver::collect(driver, Plan { live, full, key: key.clone() }))
}

/// The summary that a record `configuration.snapshot` holds; the roots go with it into the ledger.
pub fn summary(facts: &Facts) -> Value {
    let (roots, _) = seal(facts, &ChunkIndex::default());
    let counts: serde_json::Map<String, Value> = Layer::ALL
        .iter()
        .map(|layer| (layer.as_str().to_owned(), json!(facts.layer(*layer).len())))
        .collect();
    let places: BTreeSet<String> =
        facts.unread.iter().map(|one| path_of(&one.place.to_string())).collect();
    json!({
        "roots": root_texts(&roots),
        "counts": counts,
        "unread": places.iter().take(UNREAD_SHOWN_MAX).collect::<Vec<_>>(),
        "unread_permille": permille(places.len() as u64, facts.attempted),
        "unstable": facts.unstable.iter().take(UNREAD_SHOWN_MAX).collect::<Vec<_>>(),
        "family_count": FAMILIES,
    })
}

/// Roots as records write them.
fn root_texts(roots: &Roots) -> Value {
    let hex = |id: &[u8; 32]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut texts: serde_json::Map<String, Value> =
        roots.layers.iter().map(|(layer, id)| ((*layer).to_owned(), json!(hex(id)))).collect();
    texts.insert("origins".to_owned(), json!(hex(&roots.origins)));
    Value::Object(texts)
}

/// Without the line.
fn path_of(place: &str) -> String {
    match place.rsplit_once(':') {
        Some((path, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => path.to_owned(),
        _ => place.to_owned(),
    }
}

/// Rounded up: one unread file among thousands is not none.
fn permille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1000).div_ceil(whole.max(1)).min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use baseline::{Class, changes};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const KEY: [u8; 32] = [3; 32];

    fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn host() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, "usr/lib/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
        fs::create_dir_all(root.join("etc")).unwrap();
        symlink("/usr/lib/os-release", root.join("etc/os-release")).unwrap();
        put(root, "etc/hostname", "ume\n");
        let status = "Package: bash\nStatus: hold ok installed\nVersion: 5\nArchitecture: amd64\n";
        put(root, "var/lib/dpkg/status", status);
        put(root, "etc/passwd", "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n");
        put(root, "etc/shadow", "root:$y$SECRETHASH$x:1::\ntoor:!:1::\n");
        put(root, "etc/group", "root:x:0:\nsudo:x:27:ann\n");
        put(root, "etc/sudoers", "root ALL=(ALL) ALL\n");
        put(root, "etc/app.conf", "password = SECRETWORD\nmode = 1\n");
        put(root, "etc/ssh/sshd_config", "PermitRootLogin yes\n");
        folder
    }

    fn read(root: &Path) -> Facts {
        collect(root, false, true, &FingerprintKey::new(KEY)).unwrap()
    }

    #[test]
    fn equal_roots_have_equal_facts_and_a_change_is_one_delta() {
        let (one, two) = (host(), host());
        let (old, new) = (read(one.path()), read(two.path()));
        assert_eq!(summary(&old), summary(&new));
        put(two.path(), "etc/hostname", "take\n");
        let deltas = changes(&old, &read(two.path()));
        let keys: Vec<String> = deltas.iter().map(|delta| delta.path()).collect();
        assert_eq!(keys, ["identity/hostname"]);
        let document = old.to_document().to_string();
        assert!(!document.contains("SECRET"), "{document}");
    }

    #[test]
    fn traps_are_named_and_the_rest_stands() {
        let folder = host();
        let root = folder.path();
        let outside = tempfile::tempdir().unwrap();
        put(outside.path(), "secret", "outside");
        symlink(outside.path().join("secret"), root.join("etc/out")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("etc/fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        put(root, "etc/bytes\u{1}", [0xff, 0]);
        fs::File::create(root.join("etc/huge")).unwrap().set_len(4 << 30).unwrap();
        symlink("loop", root.join("etc/loop")).unwrap();
        fs::remove_file(root.join("etc/group")).unwrap();
        let facts = read(root);
        let unread: Vec<String> =
            facts.unread.iter().map(|one| format!("{} {}", one.place, one.reason)).collect();
        assert!(
            unread.contains(&"/etc/huge larger than 1073741824 bytes".to_owned()),
            "{unread:?}"
        );
        let fifo = facts.get(Class::File, b"/etc/fifo").unwrap();
        assert_eq!(fifo.attribute("kind"), Some("fifo"));
        assert!(facts.get(Class::File, "/etc/bytes\u{1}".as_bytes()).is_some());
        assert_eq!(facts.class(Class::User).len(), 2);
        assert!(!facts.to_document().to_string().contains("outside\""));
    }

    #[test]
    fn a_mode_is_a_difference() {
        let folder = host();
        let old = read(folder.path());
        let path = folder.path().join("etc/sudoers");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let deltas = changes(&old, &read(folder.path()));
        let keys: Vec<String> = deltas.iter().map(|delta| delta.path()).collect();
        assert_eq!(keys, ["file//etc/sudoers"]);
    }

    #[test]
    fn this_host_has_packages() {
        if !Path::new("/var/lib/dpkg/status").exists() {
            println!("skipped: no dpkg on this host");
            return;
        }
        let facts = collect(Path::new("/"), true, false, &FingerprintKey::new(KEY)).unwrap();
        assert!(facts.class(Class::Package).len() > 50);
        assert!(!facts.class(Class::KernelValue).is_empty());
    }
}
