//! What the packages brought, and what differs from it: layer 4.
//!
//! dpkg keeps a list of paths and MD5 sums for each package, and neither mode nor owner. So a mode
//! is held against convention (programs 0755, other files 0644, all of root); what departs from it is
//! a fact whoever made it so, which costs a few facts and hides nothing.
//!
//! `package_files` holds a root over what of a package is no fact of its own: path, kind, content or
//! target, by SHA-256. So a file and its sum changed together still show, and whoever has the signed
//! package can say what the root has to be (`crate::integrity`). Content that equals its sum is what
//! the package brought and no secret of this host, so its digest goes into the root as it is.

mod roots;

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use crate::{
    bytes::Bytes,
    capture::{Capture, Digest, Entry, Kind},
    fact::{Class, Fact, Origin, Value},
    names::Names,
    parse::dpkg,
};

use roots::Sum;
pub(crate) use roots::{add_member, add_script};

/// An unpackaged folder with more entries is one fact.
const TREE_ENTRIES: usize = 300;
/// Contents that are kept of one file.
const BLOB_BYTES_MAX: usize = 8 << 20;

/// Files whose meaning is in facts of their own: here only mode and owner count.
const TYPED: &[&[u8]] = &[
    b"/etc/passwd",
    b"/etc/passwd-",
    b"/etc/group",
    b"/etc/group-",
    b"/etc/shadow",
    b"/etc/shadow-",
    b"/etc/gshadow",
    b"/etc/gshadow-",
    b"/etc/subuid",
    b"/etc/subuid-",
    b"/etc/subgid",
    b"/etc/subgid-",
    b"/etc/hostname",
    b"/etc/machine-id",
    b"/etc/hosts",
    b"/etc/mailname",
    b"/etc/fstab",
    b"/etc/resolv.conf",
    b"/etc/timezone",
    b"/etc/mtab",
];

/// Files that programs make anew from others.
const GENERATED: &[&[u8]] = &[
    b"/etc/ld.so.cache",
    b"/etc/.pwd.lock",
    b"/etc/.updated",
    b"/var/.updated",
    b"/usr/share/info/dir",
    b"/usr/lib/locale/locale-archive",
    b"/usr/share/mime/mime.cache",
    b"/usr/share/applications/mimeinfo.cache",
    b"/usr/share/glib-2.0/schemas/gschemas.compiled",
    b"/etc/ssl/certs/ca-certificates.crt",
    b"/boot/grub/grubenv",
];

/// Ends and middles of names that say the same.
const GENERATED_PARTS: &[&[u8]] = &[
    b"/__pycache__/",
    b"gconv-modules.cache",
    b"/modules.dep",
    b"/modules.alias",
    b"/modules.symbols",
    b"/modules.builtin.",
    b"/modules.devname",
    b"/modules.softdep",
    b"/icon-theme.cache",
    b"/fontconfig/",
    b"/boot/initrd.img-",
    b"/share/mime/",
    b"/giomodule.cache",
];

/// Scripts of packages that run as root when packages change.
pub(crate) const SCRIPTS: &[&str] = &["config", "postinst", "postrm", "preinst", "prerm"];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned {
    package: u32,
    md5: Option<[u8; 16]>,
    is_conffile: bool,
    is_obsolete: bool,
}

/// The paths of all packages, links in folders followed.
#[derive(Debug, Default)]
pub(crate) struct Pristine {
    packages: Vec<String>,
    paths: HashMap<Box<[u8]>, Owned>,
    /// Paths given to dpkg not to be unpacked.
    excludes: Vec<(bool, Vec<u8>)>,
    /// By package: SHA-256 of its table of sums, and its scripts by name.
    sums: HashMap<u32, [u8; 32]>,
    scripts: HashMap<Box<[u8]>, u32>,
}

impl Pristine {
    pub(crate) fn of(capture: &Capture) -> Pristine {
        let mut pristine = Pristine { excludes: dpkg::excludes(capture), ..Pristine::default() };
        let diversions = dpkg::diversions(capture);
        let mut folders = Folders { capture, known: HashMap::new() };
        let Ok(info) = capture.resolve(b"/var/lib/dpkg/info") else { return pristine };
        let mut status = dpkg::status(capture).packages;
        status.retain(dpkg::Package::has_files);
        // Of a file in two packages of one name the first by name counts, wherever it is asked.
        status.sort_by_cached_key(dpkg::Package::key);
        for package in &status {
            let number = pristine.packages.len() as u32;
            pristine.packages.push(package.key());
            pristine.scripts_of(capture, &info, package, number);
            let Some(list) = table(capture, &info, package, "list") else { continue };
            let sums = table(capture, &info, package, "md5sums").unwrap_or_default();
            if !sums.is_empty() {
                pristine.sums.insert(number, Sha256::digest(sums).into());
            }
            let mut sums: HashMap<&[u8], [u8; 16]> = dpkg::md5sums(sums).collect();
            let place = |path: &[u8]| match diversions.get(path) {
                Some((to, by)) if *by != package.name => to.clone(),
                _ => path.to_vec(),
            };
            for path in list.split(|byte| *byte == b'\n') {
                if path.len() < 2 || path == b"/." {
                    continue;
                }
                let md5 = sums.remove(&path[1..]);
                let conffile = package.conffiles.get(path);
                let real = folders.real(&place(path));
                let owned = Owned {
                    package: number,
                    md5: conffile.map(|one| one.md5).or(md5),
                    is_conffile: conffile.is_some(),
                    is_obsolete: conffile.is_some_and(|one| one.is_obsolete),
                };
                pristine.add(real, owned);
            }
        }
        pristine
    }

    fn add(&mut self, path: Vec<u8>, owned: Owned) {
        let known = self.paths.entry(path.into_boxed_slice()).or_insert(owned);
        // Folders have many owners; of a file the one with a sum counts.
        if known.md5.is_none() && owned.md5.is_some() {
            *known = owned;
        }
    }

    /// Which scripts belong to a package.
    fn scripts_of(&mut self, capture: &Capture, info: &[u8], package: &dpkg::Package, number: u32) {
        for script in SCRIPTS {
            for stem in [format!("{}:{}", package.name, package.architecture), package.name.clone()]
            {
                let path = [info, format!("/{stem}.{script}").as_bytes()].concat();
                if capture.entry(&path).is_some_and(|entry| entry.kind() == Kind::File) {
                    self.scripts.insert(path.into_boxed_slice(), number);
                    break;
                }
            }
        }
    }

    /// Regular files that have a sum, and others; without those whose content was read.
    pub(crate) fn to_digest(&self, capture: &Capture, full: bool) -> (Vec<Bytes>, Vec<Bytes>) {
        let mut packaged = Vec::new();
        let mut others = Vec::new();
        for entry in capture.entries.iter().filter(|entry| entry.kind() == Kind::File) {
            let path = Bytes(entry.path.to_vec());
            if capture.contents.contains_key(&path) || !(full || entry.path.starts_with(b"/etc/")) {
                continue;
            }
            match self.paths.get(&*entry.path) {
                Some(owned) if owned.md5.is_some() => packaged.push(path),
                Some(_) => others.push(path),
                None if is_recorded(entry) || self.scripts.contains_key(&*entry.path) => {
                    others.push(path);
                }
                None => {}
            }
        }
        (packaged, others)
    }

    /// Regular files outside the texts that differ from their sum or belong to no package.
    pub(crate) fn to_read(&self, capture: &Capture, bytes_max: u64) -> Vec<Bytes> {
        let trees = self.trees(capture);
        let files = capture.entries.iter().filter(|entry| {
            entry.kind() == Kind::File
                && entry.size <= bytes_max
                && is_recorded(entry)
                && !is_generated(&entry.path)
                && tree_of(&trees, &entry.path).is_none()
        });
        let differs = |entry: &&Entry| {
            let path: &[u8] = &entry.path;
            let Some((_, md5)) = capture.digests.get(path) else { return false };
            match self.paths.get(path) {
                Some(owned) => owned.md5.is_some() && owned.md5 != *md5,
                None => true,
            }
        };
        files.filter(differs).map(|entry| Bytes(entry.path.to_vec())).collect()
    }

    /// Topmost folders of no package that hold many entries, with their numbers of entries.
    fn trees(&self, capture: &Capture) -> BTreeMap<Vec<u8>, usize> {
        let mut trees = BTreeMap::new();
        let mut at = 0;
        while let Some(entry) = capture.entries.get(at) {
            at += 1;
            let own = entry.kind() == Kind::Directory && !self.paths.contains_key(&entry.path);
            if !own || !is_recorded(entry) || entry.path.starts_with(b"/etc/") {
                continue;
            }
            let count = capture.below(&entry.path).count();
            if count > TREE_ENTRIES || entry.path.ends_with(b"/__pycache__") {
                trees.insert(entry.path.to_vec(), count);
                // Entries below a folder do not all follow it at once: `a-b` sorts before `a/b`.
            }
        }
        let tops: Vec<Vec<u8>> = trees.keys().cloned().collect();
        for path in tops {
            let above =
                path.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |n| &path[..n]);
            if tree_of(&trees, above).is_some() {
                trees.remove(&path);
            }
        }
        trees
    }

    /// Layer 4, and the contents of its files.
    pub(crate) fn facts(&self, capture: &Capture, names: &Names) -> Found {
        let mut found = Found::default();
        let trees = self.trees(capture);
        for entry in &capture.entries {
            if trees.contains_key(&*entry.path) {
                found.facts.push(tree_fact(capture, entry, names));
            } else if tree_of(&trees, &entry.path).is_none() {
                self.entry(capture, entry, names, &mut found);
            }
        }
        self.tombstones(capture, &mut found);
        if capture.is_full {
            self.roots(capture, &mut found);
        }
        found
    }

    fn entry(&self, capture: &Capture, entry: &Entry, names: &Names, found: &mut Found) {
        let owned = self.paths.get(&*entry.path);
        let kind = entry.kind();
        if owned.is_none() && !is_recorded(entry) {
            if gives_rights(entry) {
                found.facts.push(fact(entry, "added", attributes(entry, names)));
            }
            return;
        }
        let mut value = attributes(entry, names);
        let (digest, md5) = seen(capture, &entry.path);
        let change = match owned {
            Some(owned) if kind == Kind::File => match self.differs(owned, md5) {
                true if digest.is_some() => "changed",
                _ if is_conventional(entry) => return,
                _ => "attributes",
            },
            Some(_) if kind == Kind::Directory && is_conventional(entry) => return,
            Some(_) if kind == Kind::Link => "link",
            Some(_) => "attributes",
            None if is_alternative(entry) => return,
            None if is_generated(&entry.path) => "generated",
            None => "added",
        };
        if let Some(owned) = owned {
            value.insert(
                "package".into(),
                Value::text(self.packages[owned.package as usize].as_str()),
            );
            if owned.is_conffile {
                value.insert("conffile".into(), Value::Bool(true));
            }
        }
        let is_typed = TYPED.contains(&&*entry.path);
        let keeps = matches!(change, "added" | "changed") && kind == Kind::File && !is_typed;
        if keeps {
            insert_digest(&mut value, digest);
            if let Some(content) = capture.contents.get(&*entry.path)
                && !content.withheld
                && content.bytes.len() <= BLOB_BYTES_MAX
            {
                let hash: [u8; 32] = Sha256::digest(&content.bytes).into();
                value.insert("content".into(), Value::text(hex::encode(hash)));
                found.blobs.entry(hash).or_insert_with(|| content.bytes.clone());
            }
        } else if change == "generated" {
            value.retain(|name, _| matches!(name.as_str(), "kind" | "target"));
        }
        found.facts.push(fact(entry, change, value));
    }

    /// Whether a file is not what its package keeps a sum of. A regular file without a sum in a package
    /// that has sums took the place of something else.
    fn differs(&self, owned: &Owned, md5: Option<[u8; 16]>) -> bool {
        match (owned.md5, md5) {
            (Some(wanted), Some(found)) => wanted != found,
            (Some(_), None) => false,
            (None, _) => self.sums.contains_key(&owned.package),
        }
    }

    /// Paths of packages that are not there.
    fn tombstones(&self, capture: &Capture, found: &mut Found) {
        for (path, owned) in &self.paths {
            if capture.entry(path).is_some() || self.is_excluded(path) || !is_walked(capture, path)
            {
                continue;
            }
            let value = BTreeMap::from([
                ("change".to_owned(), Value::text("removed")),
                ("package".to_owned(), Value::text(self.packages[owned.package as usize].as_str())),
            ]);
            found.facts.push(Fact {
                class: Class::File,
                name: Bytes(path.to_vec()),
                value: Value::Map(value),
                origin: Origin::Command("dpkg -V".into()),
            });
        }
    }

    /// Whether dpkg was told not to unpack it: the last pattern that matches decides.
    fn is_excluded(&self, path: &[u8]) -> bool {
        let last =
            self.excludes.iter().rev().find(|(_, pattern)| crate::glob::loose(pattern, path));
        last.is_some_and(|(excluded, _)| *excluded)
    }

    fn roots(&self, capture: &Capture, found: &mut Found) {
        let mut all: BTreeMap<u32, Sum> = BTreeMap::new();
        for entry in &capture.entries {
            if let Some(package) = self.scripts.get(&*entry.path) {
                all.entry(*package).or_default().script(capture, entry);
            }
            let Some(owned) = self.paths.get(&*entry.path) else { continue };
            if entry.kind() == Kind::Directory || owned.is_obsolete || !is_covered(&entry.path) {
                continue;
            }
            if !self.is_excluded(&entry.path) {
                let differs = self.differs(owned, seen(capture, &entry.path).1);
                all.entry(owned.package).or_default().file(capture, entry, owned, differs);
            }
        }
        for (package, mut sum) in all {
            let scripts = std::mem::take(&mut sum.scripts);
            let mut value = sum.value();
            if let Some(table) = self.sums.get(&package) {
                value.insert("sums".into(), Value::text(hex::encode(table)));
            }
            if !scripts.is_empty() {
                let mut hash = Sha256::new();
                scripts.iter().for_each(|(name, digest)| add_script(&mut hash, name, digest));
                let root: [u8; 32] = hash.finalize().into();
                value.insert("scripts".into(), Value::text(hex::encode(root)));
            }
            let name = Bytes::from(self.packages[package as usize].as_str());
            let origin = Origin::Command("dpkg -V".into());
            let value = Value::Map(value);
            found.facts.push(Fact { class: Class::PackageFiles, name, value, origin });
        }
    }
}

/// Facts and the contents they name.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub facts: Vec<Fact>,
    pub blobs: BTreeMap<[u8; 32], Vec<u8>>,
}

/// Real folders by the names that packages give them.
struct Folders<'a> {
    capture: &'a Capture,
    known: HashMap<Vec<u8>, Vec<u8>>,
}

impl Folders<'_> {
    fn real(&mut self, path: &[u8]) -> Vec<u8> {
        let at = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (folder, name) = path.split_at(at);
        let real = match self.known.get(folder) {
            Some(real) => real,
            None => {
                let real = match self.capture.resolve(folder) {
                    Ok(real) if real == b"/" => Vec::new(),
                    Ok(real) => real,
                    // What is missing is missing below the folder that is there.
                    Err(_) => self.real(folder),
                };
                self.known.entry(folder.to_vec()).or_insert(real)
            }
        };
        [real, name].concat()
    }
}

fn table<'a>(
    capture: &'a Capture,
    info: &[u8],
    package: &dpkg::Package,
    end: &str,
) -> Option<&'a [u8]> {
    let info = String::from_utf8_lossy(info);
    let with = format!("{info}/{}:{}.{end}", package.name, package.architecture);
    let without = format!("{info}/{}.{end}", package.name);
    let content =
        capture.contents.get(with.as_bytes()).or_else(|| capture.contents.get(without.as_bytes()));
    content.map(|content| &content.bytes[..])
}

/// Unpackaged things there are facts; elsewhere (`/var`) they are data.
fn is_recorded(entry: &Entry) -> bool {
    let path: &[u8] = &entry.path;
    let data = path.starts_with(b"/var/") && !path.starts_with(b"/var/spool/cron/");
    let other = [&b"/home"[..], b"/root", b"/tmp", b"/proc", b"/sys", b"/dev", b"/run"];
    let elsewhere = other.iter().any(|top| path.starts_with(top));
    let top =
        path.iter().filter(|byte| **byte == b'/').count() == 1 && entry.kind() == Kind::Directory;
    !data && !elsewhere && !top
}

/// Whether the place where `path` would be was looked at.
fn is_walked(capture: &Capture, path: &[u8]) -> bool {
    is_covered(path)
        && capture.entry(top(path)).is_some()
        && !capture.unread.iter().any(|one| path.starts_with(one.place.as_slice()))
}

fn top(path: &[u8]) -> &[u8] {
    path.iter().skip(1).position(|byte| *byte == b'/').map_or(path, |n| &path[..=n])
}

/// Whether a path of a package is held against it at all: outside data, in a folder that is walked.
pub(crate) fn is_covered(path: &[u8]) -> bool {
    let data =
        [&b"/var/cache"[..], b"/var/log", b"/var/lib", b"/var/backups", b"/var/mail", b"/var/tmp"];
    let inside = [
        &b"/etc"[..],
        b"/usr",
        b"/boot",
        b"/opt",
        b"/srv",
        b"/bin",
        b"/sbin",
        b"/lib",
        b"/lib64",
        b"/lib32",
        b"/libx32",
        b"/var",
    ];
    inside.contains(&top(path)) && !data.iter().any(|folder| path.starts_with(folder))
}

fn gives_rights(entry: &Entry) -> bool {
    let file = entry.kind() == Kind::File;
    (file && entry.mode & 0o6000 != 0)
        || entry.xattrs.iter().any(|(name, _)| &**name == b"security.capability")
}

pub(crate) fn is_generated(path: &[u8]) -> bool {
    GENERATED.contains(&path)
        || GENERATED_PARTS.iter().any(|part| memchr::memmem::find(path, part).is_some())
}

/// Links of the alternatives system are facts of the class `alternative`.
fn is_alternative(entry: &Entry) -> bool {
    let target = entry.target.as_deref().unwrap_or_default();
    entry.kind() == Kind::Link
        && (target.starts_with(b"/etc/alternatives/")
            || entry.path.starts_with(b"/etc/alternatives/"))
}

/// The topmost tree that holds `path`, itself included.
fn tree_of<'a>(trees: &'a BTreeMap<Vec<u8>, usize>, path: &[u8]) -> Option<&'a [u8]> {
    if trees.is_empty() {
        return None;
    }
    let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(n, _)| n);
    ends.chain([path.len()])
        .find_map(|end| trees.get_key_value(&path[..end]))
        .map(|(key, _)| &key[..])
}

/// What a mode is by convention: programs 0755, other files 0644, folders 0755.
pub(crate) fn conventional_mode(path: &[u8], kind: Kind) -> u16 {
    match kind {
        Kind::Directory => 0o755,
        Kind::File if is_program(path) => 0o755,
        _ => 0o644,
    }
}

/// The mode of convention, all of root and without attributes.
fn is_conventional(entry: &Entry) -> bool {
    entry.permissions() == conventional_mode(&entry.path, entry.kind())
        && entry.uid == 0
        && entry.gid == 0
        && entry.xattrs.is_empty()
        && !entry.immutable
}

pub(crate) fn is_program(path: &[u8]) -> bool {
    let folders = [
        &b"/bin/"[..],
        b"/sbin/",
        b"/games/",
        b"/libexec/",
        b"/etc/init.d/",
        b"/etc/cron.daily/",
        b"/etc/cron.hourly/",
        b"/etc/cron.weekly/",
        b"/etc/cron.monthly/",
    ];
    let is_in = |folder: &&[u8]| {
        let at = memchr::memmem::rfind(path, folder);
        at.is_some_and(|at| !path[at + folder.len()..].contains(&b'/'))
    };
    folders.iter().any(is_in)
}

pub(crate) fn seen(capture: &Capture, path: &[u8]) -> (Option<Digest>, Option<[u8; 16]>) {
    if let Some(content) = capture.contents.get(path) {
        return (Some(content.digest), content.md5);
    }
    match capture.digests.get(path) {
        Some((digest, md5)) => (Some(*digest), *md5),
        None => (None, None),
    }
}

fn insert_digest(value: &mut BTreeMap<String, Value>, digest: Option<Digest>) {
    match digest {
        Some(Digest::Plain(hash)) => {
            value.insert("sha256".into(), Value::text(hex::encode(hash)));
        }
        Some(Digest::Keyed(print)) => {
            value.insert("keyed".into(), Value::Secret(print));
        }
        None => {}
    }
}

fn attributes(entry: &Entry, names: &Names) -> BTreeMap<String, Value> {
    let mut value = BTreeMap::from([
        ("kind".to_owned(), Value::text(entry.kind().as_str())),
        ("user".to_owned(), Value::text(names.user(entry.uid))),
        ("group".to_owned(), Value::text(names.group(entry.gid))),
    ]);
    match &entry.target {
        // The mode of a link means nothing.
        Some(target) => {
            value.insert("target".into(), Value::text(&target[..]));
        }
        None => {
            value.insert("mode".into(), Value::Mode(entry.permissions()));
        }
    }
    if entry.immutable {
        value.insert("immutable".into(), Value::Bool(true));
    }
    for (name, bytes) in &entry.xattrs {
        let (name, shown) = crate::xattr::shown(name, bytes, names);
        value.insert(name, Value::text(shown));
    }
    value
}

fn fact(entry: &Entry, change: &str, mut value: BTreeMap<String, Value>) -> Fact {
    value.insert("change".into(), Value::text(change));
    Fact {
        class: Class::File,
        name: Bytes(entry.path.to_vec()),
        value: Value::Map(value),
        origin: Origin::File(Bytes(entry.path.to_vec()), 0),
    }
}

/// One fact for all of a folder of no package.
fn tree_fact(capture: &Capture, top: &Entry, names: &Names) -> Fact {
    let mut hash = Sha256::new();
    let mut files = 0;
    let mut rights = 0;
    for entry in capture.below(&top.path) {
        files += i64::from(entry.kind() == Kind::File);
        rights += i64::from(gives_rights(entry));
        add_to(&mut hash, entry, seen(capture, &entry.path).0);
    }
    let mut value = attributes(top, names);
    value.insert("kind".into(), Value::text("tree"));
    value.insert("files".into(), Value::Int(files));
    value.insert("privileged".into(), Value::Int(rights));
    let root: [u8; 32] = hash.finalize().into();
    value.insert("sha256".into(), Value::text(hex::encode(root)));
    let change = if is_generated(&[&top.path, &b"/"[..]].concat()) { "generated" } else { "added" };
    fact(top, change, value)
}

/// Length before each part, so that no two entries read alike.
fn add_to(hash: &mut Sha256, entry: &Entry, digest: Option<Digest>) {
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&entry.path);
    part(&entry.mode.to_le_bytes());
    part(&entry.uid.to_le_bytes());
    part(&entry.gid.to_le_bytes());
    part(entry.target.as_deref().unwrap_or_default());
    match digest {
        Some(Digest::Plain(sum)) => part(&sum),
        Some(Digest::Keyed(print)) => part(&print.0),
        None => part(b""),
    }
    for (name, value) in &entry.xattrs {
        part(name);
        part(value);
    }
}
