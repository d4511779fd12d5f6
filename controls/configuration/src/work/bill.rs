//! The bill of materials of a root: of this machine, or of the host an agent looks at.
//!
//! Made anew once a day and when a package manager wrote. Of a running system it also names the files that were
//! replaced and that processes still hold: what they run is not what is installed. Memory is that of the engine's
//! catalogue (files are read by parts, databases whole) and of one document.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    time::Duration,
};

use model::Timestamp;
use room::{Error, Shared, blocking, draft, this_host, write};
use sbom::{
    Bom, Format,
    catalogue::{Catalogue, FIRST, Options},
};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::walk::Root;
use crate::impact::document::{self, Aliases};

/// Folders that are not the host's own installation: what containers and machines on it hold, what is only passing by,
/// what lies elsewhere.
const NOT_OURS: [&str; 12] = [
    "media",
    "mnt",
    "tmp",
    "var/lib/containerd",
    "var/lib/containers",
    "var/lib/docker",
    "var/lib/kubelet",
    "var/lib/libvirt",
    "var/lib/lxc",
    "var/lib/lxd",
    "var/lib/machines",
    "var/tmp",
];
/// Property of the host: package, file and number of processes that still hold what was there before.
pub(crate) const RESTART: &str = "ume:restart";
/// A bill is renewed before it is a day old.
const RENEW_HOURS: i64 = 18;
const HELD_MAX: usize = 200;
const MAPS_MAX: u64 = 8 << 20;
const SETTING: &str = "configuration.sbom_made";

/// A bill of materials, ready for a record.
pub struct Bill {
    pub facts: Map<String, Json>,
    /// The document, packed.
    pub packed: Vec<u8>,
    /// How much could not be read.
    pub unread: usize,
}

impl Bill {
    /// The payload as an agent sends it.
    pub fn text(&self) -> String {
        document::pack_text(&self.packed)
    }
}

/// Catalogues a root; of `/`, if `live`, running processes are looked at as well. If not `deep`, only the databases of
/// package managers are read, and the bill says that it is not whole.
pub fn of_root(path: &Path, name: &str, live: bool, deep: bool) -> Result<Bill, Error> {
    let root = Root::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let root = root.without(&NOT_OURS);
    let merged_usr = root.merged_usr();
    let options = Options { merged_usr, name: name.to_owned(), ..Options::default() };
    let mut catalogue = Catalogue::new(options);
    match deep {
        true => root.offer(&mut catalogue),
        false => {
            root.offer_databases(&mut catalogue);
            catalogue.fail("", "files beside the databases of packages were not looked at");
        }
    }
    let (mut bom, unread) = catalogue.finish();
    bom.serial = Some(serial(&bom));
    if live && let Some(subject) = &mut bom.subject {
        for held in held(path) {
            subject.set_property(RESTART, held);
        }
    }
    let written = sbom::write(&bom, Format::CycloneDxJson(7)).map_err(Error::said)?;
    let packed = document::pack(written.text.as_bytes()).map_err(Error::said)?;
    let facts = document::facts(&bom, &Aliases::default(), false);
    Ok(Bill { facts, packed, unread: unread.len() })
}

/// A name for the document that follows from what is in it: the same finds, the same name.
pub(crate) fn serial(bom: &Bom) -> String {
    let mut digest = Sha256::new();
    for one in bom.walk() {
        for part in [one.reference.as_deref(), one.version.as_deref(), Some(one.name.as_str())] {
            digest.update(part.unwrap_or_default());
            digest.update([0]);
        }
        for hash in &one.hashes {
            digest.update(&hash.value);
        }
    }
    digest.update(bom.created.as_deref().unwrap_or_default());
    let mut bytes: Vec<u8> = digest.finalize()[..16].to_vec();
    // RFC 9562, version 8: made by a hash of one's own.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    format!("urn:uuid:{}", parts.join("-"))
}

/// Changes whenever a package manager wrote: sizes and times of the databases.
pub fn stamp(root: &Path) -> String {
    let mut digest = Sha256::new();
    for place in FIRST {
        let Ok(about) = fs::symlink_metadata(root.join(place)) else { continue };
        let time =
            about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let time = time.map_or(Duration::ZERO, |time| time);
        digest.update(format!("{place} {} {}\n", about.len(), time.as_nanos()));
    }
    hex::encode(&digest.finalize()[..16])
}

/// Whether a bill made then, when the databases had that stamp, is to be made anew.
fn is_due(made: Option<(Timestamp, &str)>, stamp: &str, now: Timestamp) -> bool {
    made.is_none_or(|(at, before)| {
        before != stamp || now.hours_since(at) >= RENEW_HOURS || at > now
    })
}

/// What was noted of the last bill: time and stamp.
fn noted(text: &str) -> Option<(Timestamp, &str)> {
    let (at, stamp) = text.trim().split_once(' ')?;
    Some((Timestamp(at.parse().ok()?), stamp))
}

/// The bill of an agent's host, if one is due; `note` is the file that says when the last was made.
pub fn when_due(note: &Path, name: &str, now: Timestamp) -> Result<Option<Bill>, Error> {
    let root = Path::new("/");
    let (before, stamp) = (fs::read_to_string(note).unwrap_or_default(), stamp(root));
    if !is_due(noted(&before), &stamp, now) {
        return Ok(None);
    }
    let bill = of_root(root, name, true, super::FULL)?;
    let io = |source| Error::Io { path: note.to_owned(), source };
    // Should the note be lost, a bill too many is made.
    fs::write(note, format!("{} {stamp}\n", now.0)).map_err(io)?;
    Ok(Some(bill))
}

/// The job: the bill of this machine, if one is due.
pub(super) async fn here(ctx: Shared) -> Result<Json, Error> {
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (host, store) = (this_host(&ctx).await?, ctx.store());
    let setting = format!("{SETTING}:{host}");
    let before = store.setting(&setting).await?.unwrap_or_default();
    let (now, stamp) = (store.now(), blocking(|| stamp(Path::new("/"))).await?);
    if !is_due(noted(&before), &stamp, now) {
        return Ok(json!({ "host": host.to_string(), "made": false }));
    }
    let name = room::host_name();
    let bill = blocking(move || of_root(Path::new("/"), &name, true, super::FULL)).await??;
    let told = json!({
        "host": host.to_string(), "made": true, "components": bill.facts["components"],
        "packed_bytes": bill.packed.len(), "unread": bill.unread,
    });
    let mut draft = draft(document::RECORD, Some(host), store.now(), Json::Object(bill.facts));
    draft.observed_from = now;
    draft.payload = Some(bill.packed);
    write(store, "system:configuration.sbom", draft).await?;
    store.set_setting(&setting, &format!("{} {stamp}", now.0)).await?;
    ctx.house.wake();
    Ok(told)
}

/// Files that were replaced and that processes still hold, with their package where dpkg knows it:
/// `PACKAGE FILE PROCESSES`. What this process may not look at is left out.
fn held(root: &Path) -> Vec<String> {
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    let processes = fs::read_dir(root.join("proc")).into_iter().flatten().flatten();
    for process in processes {
        let is_process = process.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit());
        let Ok(maps) = fs::File::open(process.path().join("maps")) else { continue };
        if is_process {
            for file in replaced(BufReader::new(std::io::Read::take(maps, MAPS_MAX))) {
                *files.entry(file).or_default() += 1;
            }
        }
    }
    if files.is_empty() {
        return Vec::new();
    }
    let owners = owners(root, &files);
    let line = |(file, count): (&String, &usize)| {
        format!("{} {file} {count}", owners.get(file).map_or("-", String::as_str))
    };
    files.iter().take(HELD_MAX).map(line).collect()
}

/// Programs and libraries that are mapped and no longer there. Logs, shared memory and the like are replaced all the
/// time and mean nothing.
fn replaced(maps: impl BufRead) -> std::collections::BTreeSet<String> {
    let places = ["/usr/", "/lib", "/bin/", "/sbin/", "/opt/"];
    let file = |line: String| {
        let path = line.get(line.find('/')?..)?.strip_suffix(" (deleted)")?.to_owned();
        let is_code = line.split(' ').nth(1).is_some_and(|mode| mode.contains('x'));
        let is_plain = !path.contains(|c: char| c.is_whitespace() || c.is_control());
        (is_code && is_plain && places.iter().any(|place| path.starts_with(place))).then_some(path)
    };
    maps.lines().map_while(Result::ok).filter_map(file).collect()
}

/// The packages of dpkg that own files.
fn owners(root: &Path, files: &BTreeMap<String, usize>) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    let lists = fs::read_dir(root.join("var/lib/dpkg/info")).into_iter().flatten().flatten();
    for list in lists {
        let name = list.file_name().to_string_lossy().into_owned();
        let Some(package) = name.strip_suffix(".list") else { continue };
        let package = package.split(':').next().unwrap_or(package);
        let Ok(text) = fs::read_to_string(list.path()) else { continue };
        for line in text.lines() {
            // Packages may name a file by the place that is a link into /usr.
            for path in [line.to_owned(), format!("/usr{line}")] {
                if files.contains_key(&path) {
                    owners.insert(path, package.to_owned());
                }
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn host() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path();
        put(root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n");
        let status = "Package: libcurl4\nStatus: install ok installed\nSource: curl\n\
                      Version: 7.88.1-10+deb12u4\nArchitecture: amd64\n\n";
        put(root, "var/lib/dpkg/status", status);
        put(root, "var/lib/dpkg/info/libcurl4:amd64.list", "/usr/lib/libcurl.so.4\n/lib/old.so\n");
        folder
    }

    #[test]
    fn a_root_gives_a_bill_that_can_be_judged() {
        let folder = host();
        let bill = of_root(folder.path(), "web-1", false, true).expect("made");
        assert_eq!((&bill.facts["components"], &bill.facts["identified"]), (&json!(1), &json!(1)));
        let bom = document::open(&bill.packed).expect("read");
        assert_eq!(document::open(bill.text().as_bytes()).as_ref(), Ok(&bom));
        let subjects = document::subjects(&bom, &Aliases::default());
        let curl = subjects.iter().find(|one| one.name == "libcurl4").expect("listed");
        assert_eq!(curl.source_name.as_deref(), Some("curl"));
        assert_eq!(curl.release.as_deref(), Some("12"));
    }

    #[test]
    fn a_bill_is_due_once_a_day_and_after_each_change_of_packages() {
        let folder = host();
        let (before, now) = (stamp(folder.path()), Timestamp(1_795_600_000_000_000));
        assert!(is_due(None, &before, now));
        let made = Some((now, before.as_str()));
        assert!(!is_due(made, &before, now.plus_hours(17)));
        assert!(is_due(made, &before, now.plus_hours(18)));
        assert!(is_due(made, &before, now.minus_hours(1)), "a clock that was set back");
        put(folder.path(), "var/lib/dpkg/status", "Package: other\n");
        assert!(is_due(made, &stamp(folder.path()), now));
        assert_eq!(noted("12 ab\n"), Some((Timestamp(12), "ab")));
        assert_eq!(noted("nonsense"), None);
    }

    #[test]
    fn code_that_was_replaced_and_is_still_held_is_named_with_its_package() {
        let folder = host();
        put(
            folder.path(),
            "proc/12/maps",
            "7f r-xp 0 08:01 5 /usr/lib/libcurl.so.4 (deleted)\n\
             7f r--p 0 08:01 5 /usr/lib/data.bin (deleted)\n\
             7f r-xp 0 08:01 5 /usr/lib/libc.so.6\n\
             7f r-xp 0 00:01 5 /memfd:x (deleted)\n",
        );
        put(folder.path(), "proc/13/maps", "7f r-xp 0 08:01 5 /usr/lib/old.so (deleted)\n");
        put(folder.path(), "proc/self/maps", "7f r-xp 0 08:01 5 /usr/lib/libcurl.so.4 (deleted)\n");
        let held = held(folder.path());
        assert_eq!(held, ["libcurl4 /usr/lib/libcurl.so.4 1", "libcurl4 /usr/lib/old.so 1"]);
    }
}
