//! The first collector: what a host, or a folder that holds the root of one, is set to.
//!
//! Invariants: equal hosts give equal bytes, so the roots of two snapshots can be compared; a family
//! whose source could not be read is absent, never empty; whatever could not be read or understood
//! is in `unread`; no password hash and no float is in any value.
//!
//! Limits: 64 MiB for `/var/lib/dpkg/status` and tables of the kernel, 1 MiB for other files, 1 GiB
//! in all, 200,000 entries per family and per folder, 100 problems per file.

use super::apt::hex;
use super::gather::Collector;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const UNREAD_SHOWN_MAX: usize = 200;

/// Something that was not read, or a line (`path:line`) that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unread {
    pub path: String,
    pub reason: String,
}

/// The facts of one host at one time, by family and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub families: BTreeMap<&'static str, BTreeMap<String, Value>>,
    /// Sorted, without doubles.
    pub unread: Vec<Unread>,
    /// Files, folders and tables that were there, or had to be.
    pub attempted: u64,
}

/// Collects below `root`. With `live`, and only for `/`, the running kernel is asked as well.
pub fn collect(root: &Path, live: bool) -> Snapshot {
    let mut collector = Collector::new(root, live && root == Path::new("/"));
    if live && root != Path::new("/") {
        collector.miss(&root.to_string_lossy(), "live facts exist only for the root /");
    }
    collector.run();
    collector.finish()
}

impl Snapshot {
    /// SHA-256 of the canonical JSON of each family.
    pub fn roots(&self) -> BTreeMap<&'static str, String> {
        self.families.iter().map(|(name, facts)| (*name, root(facts))).collect()
    }

    /// The summary a record holds.
    pub fn facts(&self) -> Value {
        let counts: BTreeMap<_, _> =
            self.families.iter().map(|(name, f)| (name, f.len())).collect();
        let paths: BTreeSet<&str> = self.unread.iter().map(|one| one.path.as_str()).collect();
        json!({
            "roots": self.roots(),
            "counts": counts,
            "unread": paths.iter().take(UNREAD_SHOWN_MAX).collect::<Vec<_>>(),
            "unread_permille": self.unread_permille(paths.len() as u64),
            "unstable": [],
            "family_count": self.families.len(),
        })
    }

    /// Rounded up: one unread file among thousands is not none.
    fn unread_permille(&self, unread: u64) -> u64 {
        unread.saturating_mul(1000).div_ceil(self.attempted.max(1)).min(1000)
    }

    /// Everything, as [`diff`] takes it.
    pub fn to_json(&self) -> Value {
        json!({
            "families": self.families,
            "unread": self.unread,
            "attempted": self.attempted,
        })
    }
}

/// A family that somebody filled with what has no canonical form never equals a hash.
fn root(facts: &BTreeMap<String, Value>) -> String {
    match model::canonical::to_string(&json!(facts)) {
        Ok(text) => hex(&Sha256::digest(text.as_bytes())),
        Err(error) => format!("invalid: {error}"),
    }
}

/// One fact that differs; `None` where it is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delta {
    pub family: String,
    pub key: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What changed between two payloads of [`Snapshot::to_json`], sorted by family and key. A family
/// that one side has not, or a key that is gone where its file or folder was unread, is no change.
pub fn diff(old: &Value, new: &Value) -> Vec<Delta> {
    let none = Map::new();
    let families = |side: &'_ Value| side["families"].as_object().cloned().unwrap_or_default();
    let (before, after) = (families(old), families(new));
    let (missed_before, missed_after) = (unread(old), unread(new));
    let mut deltas = Vec::new();
    let names: BTreeSet<&String> = before.keys().filter(|name| after.contains_key(*name)).collect();
    for family in names {
        let one = before[family].as_object().unwrap_or(&none);
        let two = after[family].as_object().unwrap_or(&none);
        let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        for key in keys {
            let (before, after) = (one.get(key), two.get(key));
            let missed = (before.is_none() && is_missed(key, after, &missed_before))
                || (after.is_none() && is_missed(key, before, &missed_after));
            if before != after && !missed {
                deltas.push(Delta {
                    family: family.clone(),
                    key: key.clone(),
                    before: before.cloned(),
                    after: after.cloned(),
                });
            }
        }
    }
    deltas
}

/// Whether the file a fact came from, or a folder above it, is among the unread paths.
fn is_missed(key: &str, fact: Option<&Value>, unread: &BTreeSet<&str>) -> bool {
    let origin = |fact: &Value| {
        let origin = fact["origin"].as_str().or_else(|| fact["origin"][0].as_str());
        let file = origin.and_then(|origin| origin.rsplit_once(':')).map(|(file, _)| file);
        fact["file"].as_str().or(file).map(str::to_owned)
    };
    let source = fact.and_then(origin).unwrap_or_else(|| key.to_owned());
    let mut above = Path::new(&source).ancestors().filter_map(Path::to_str);
    source.starts_with('/') && above.any(|path| unread.contains(path))
}

fn unread(side: &Value) -> BTreeSet<&str> {
    let list = side["unread"].as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|one| one["path"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

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
        put(
            root,
            "var/lib/dpkg/status",
            "Package: bash\nStatus: install ok installed\nVersion: 5\nArchitecture: amd64\n",
        );
        put(
            root,
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nroot:x:0:0::/:/x\n",
        );
        put(root, "etc/shadow", "root:$y$SECRETHASH:1::\ntoor:!:1::\n");
        put(root, "etc/group", "root:x:0:\nsudo:x:27:ann\n");
        put(root, "lib/systemd/system/a.service", "[Install]\nWantedBy=multi-user.target\n");
        put(root, "lib/systemd/system/b.service", "[Install]\nWantedBy=multi-user.target\n");
        let wants = root.join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink("/lib/systemd/system/a.service", wants.join("a.service")).unwrap();
        symlink("/dev/null", root.join("etc/systemd/system/c.service")).unwrap();
        put(root, "usr/lib/sysctl.d/50-x.conf", "kernel.sysrq=1\nkernel.y=1\n");
        put(root, "etc/sysctl.d/50-x.conf", "kernel.sysrq=0\n");
        put(root, "etc/sysctl.conf", "net.z=1\n");
        put(root, "etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPermitRootLogin yes\n");
        put(root, "etc/ssh/sshd_config.d/a.conf", "PermitRootLogin no\n");
        put(root, "etc/crontab", "1 2 * * * root run\n");
        put(root, "etc/cron.daily/job", b"\x7fELF\xff");
        put(root, "var/spool/cron/crontabs/eve", "@daily x\n");
        put(root, "etc/fstab", "/dev/sda / ext4 defaults 0 1\n");
        put(root, "etc/apt/sources.list", "deb http://h/d trixie main\n");
        put(root, "etc/sudoers", "root ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n");
        put(root, "etc/sudoers.d/x", "ann ALL=(ALL) NOPASSWD: ALL\n");
        folder
    }

    #[test]
    fn a_root_folder_gives_all_its_families() {
        let folder = host();
        let snapshot = collect(folder.path(), false);
        let f = &snapshot.families;
        assert_eq!(snapshot.unread, []);
        assert_eq!(f["os_release"]["ID"], "debian");
        assert_eq!(f["hostname"]["configured"], "ume");
        assert_eq!(f["packages"]["bash:amd64"]["version"], "5");
        assert_eq!(f["users"]["root"]["password"], "set");
        assert_eq!(f["users"]["root#2"]["shell"], "/x");
        assert_eq!(f["users"]["toor"]["password"], "locked");
        assert_eq!(f["groups"]["sudo"]["members"], json!(["ann"]));
        assert_eq!(f["units"]["a.service"]["state"], "enabled");
        assert_eq!(f["units"]["a.service"]["wanted_by"], json!(["multi-user.target"]));
        assert_eq!(f["units"]["b.service"]["state"], "disabled");
        assert_eq!(f["units"]["c.service"]["state"], "masked");
        assert_eq!(f["sysctl"]["kernel.sysrq"]["value"], "0");
        assert!(!f["sysctl"].contains_key("kernel.y"));
        assert_eq!(f["sysctl"]["net.z"]["by_systemd"], false);
        assert_eq!(f["sshd"]["permitrootlogin"]["values"], json!(["no"]));
        assert_eq!(f["cron"]["/etc/crontab"]["entries"][0]["user"], "root");
        assert_eq!(f["cron"]["/var/spool/cron/crontabs/eve"]["entries"][0]["user"], "eve");
        assert!(f["cron"].contains_key("/etc/cron.daily/job"));
        assert_eq!(f["fstab"]["/"]["type"], "ext4");
        assert_eq!(f["apt_sources"]["deb http://h/d trixie"]["enabled"], true);
        assert_eq!(f["sudoers"].len(), 2);
        assert!(!f.contains_key("listeners") && !f.contains_key("mounts"));
        assert!(!snapshot.to_json().to_string().contains("SECRETHASH"));
    }

    #[test]
    fn equal_hosts_have_equal_roots_and_a_change_is_one_delta() {
        let (one, two) = (host(), host());
        let (old, new) = (collect(one.path(), false), collect(two.path(), false));
        assert_eq!(old.roots(), new.roots());
        assert_eq!(old.roots()["users"].len(), 64);
        put(two.path(), "etc/hostname", "take\n");
        let new = collect(two.path(), false);
        let expected = Delta {
            family: "hostname".into(),
            key: "configured".into(),
            before: Some(json!("ume")),
            after: Some(json!("take")),
        };
        assert_eq!(diff(&old.to_json(), &new.to_json()), [expected]);
        assert_ne!(old.roots()["hostname"], new.roots()["hostname"]);
    }

    #[test]
    fn what_cannot_be_read_is_unread_and_never_a_removal() {
        let folder = host();
        let old = collect(folder.path(), false);
        let root = folder.path();
        for path in ["etc/passwd", "etc/sudoers.d/x", "etc/group"] {
            fs::remove_file(root.join(path)).unwrap();
        }
        symlink("passwd", root.join("etc/passwd")).unwrap();
        fs::create_dir(root.join("etc/sudoers.d/x")).unwrap();
        put(root, "etc/fstab", "\0\u{fffd}\n/dev/sda / ext4 defaults 0 1\n");
        let new = collect(root, false);
        let paths: Vec<_> = new.unread.iter().map(|one| one.path.as_str()).collect();
        let expected =
            ["/etc/fstab", "/etc/fstab:1", "/etc/group", "/etc/passwd", "/etc/sudoers.d/x"];
        assert_eq!(paths, expected);
        assert!(!new.families.contains_key("users"));
        assert_eq!(diff(&old.to_json(), &new.to_json()), []);
        assert!(new.facts()["unread_permille"].as_u64().unwrap() > 0);
    }

    #[test]
    fn a_unit_gone_with_its_folder_is_no_change() {
        let unit = json!({"state": "static", "file": "/lib/systemd/system/a.service"});
        let old = json!({"families": {"units": {"a.service": unit}}, "unread": []});
        let missed = json!([{"path": "/lib/systemd/system", "reason": "permission denied"}]);
        let new = json!({"families": {"units": {}}, "unread": missed});
        assert_eq!(diff(&old, &new), []);
        let new = json!({"families": {"units": {}}, "unread": []});
        assert_eq!(diff(&old, &new).len(), 1);
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let folder = host();
        let noise: Vec<u8> =
            (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for path in [
            "usr/lib/os-release",
            "etc/passwd",
            "etc/shadow",
            "etc/group",
            "etc/fstab",
            "var/lib/dpkg/status",
            "etc/ssh/sshd_config",
            "etc/crontab",
            "etc/sudoers",
            "etc/apt/sources.list",
            "etc/apt/sources.list.d/x.sources",
            "etc/sysctl.conf",
            "lib/systemd/system/a.service",
        ] {
            put(folder.path(), path, &noise);
        }
        let snapshot = collect(folder.path(), false);
        assert!(snapshot.unread.len() > 8);
        assert!(snapshot.roots().values().all(|root| root.len() == 64));
    }

    #[test]
    fn an_empty_or_missing_root_is_unread() {
        let folder = tempfile::tempdir().unwrap();
        for root in [folder.path().to_path_buf(), folder.path().join("none")] {
            let snapshot = collect(&root, true);
            assert!(!snapshot.families.contains_key("packages"));
            assert!(snapshot.unread.iter().any(|one| one.path == "/var/lib/dpkg/status"));
            assert_eq!(snapshot.facts()["unread_permille"], 1000);
        }
    }

    #[test]
    fn this_host_has_packages() {
        if !Path::new("/var/lib/dpkg/status").exists() {
            println!("skipped: no dpkg on this host");
            return;
        }
        let snapshot = collect(Path::new("/"), true);
        assert!(snapshot.families["packages"].len() > 50);
        assert!(snapshot.families.contains_key("kernel"));
        println!("{:#}\n{:#?}", snapshot.facts(), snapshot.unread);
    }
}
