//! What to read of a host, step by step; every driver answers the same questions, so all of them
//! yield the same capture.
//!
//! Invariants: secrets are cut before anything is kept; what a driver could not answer is in
//! `unread`, but for the absence of something optional; the order of questions depends on the host's
//! bytes alone.
//!
//! Limits: 64 MiB of contents, 400 MiB of tables, 200,000 paths per question of digests.

use std::collections::{BTreeMap, BTreeSet};

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::{
    bytes::Bytes,
    capture::{
        Ask, Capture, Content, Digest, Digests, Entry, FILE_BYTES_MAX, Fault, Got, Kind, Live,
        Only, TABLE_BYTES_MAX,
    },
    fact::Unread,
    parse::sysctl,
    pristine::Pristine,
    secret::{
        FingerprintKey, Holds, binary_holds_secret, cut_debconf, cut_gshadow, cut_shadow, cut_text,
        holds, is_binary,
    },
};

/// Top folders that make a host what it is. What lies elsewhere is data.
const TOPS: &[&str] = &[
    "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sbin", "/srv",
    "/usr", "/var",
];

/// Folders of data, caches and logs below them.
const PRUNED: &[&str] = &[
    "/var/backups",
    "/var/cache",
    "/var/crash",
    "/var/lib/apt/lists",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/lxc",
    "/var/lib/machines",
    "/var/lib/mysql",
    "/var/lib/postgresql",
    "/var/lib/snapd",
    "/var/log",
    "/var/mail",
    "/var/spool/mail",
    "/var/tmp",
];

/// Where files that give rights may hide beside the above.
const HIDEOUTS: &[&str] = &["/home", "/root", "/tmp", "/var/tmp", "/var/log", "/var/cache"];

/// Folders whose files are read as texts, beside all of `/etc`.
const TEXT_FOLDERS: &[&str] = &[
    "/usr/lib/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/modprobe.d",
    "/usr/lib/modules-load.d",
    "/usr/lib/systemd/system-preset",
    "/usr/lib/systemd/logind.conf.d",
    "/usr/lib/systemd/timesyncd.conf.d",
    "/usr/lib/systemd/journald.conf.d",
    "/usr/lib/systemd/resolved.conf.d",
    "/usr/lib/pam.d",
    "/var/spool/cron/crontabs",
    "/usr/local/etc",
    "/var/lib/dpkg/alternatives",
    "/var/lib/systemd/deb-systemd-helper-masked",
];

/// Single texts; absence is a fact of its own.
const TEXTS: &[&str] = &[
    "/usr/lib/os-release",
    "/boot/grub/grub.cfg",
    "/boot/cmdline.txt",
    "/usr/lib/systemd/logind.conf",
    "/usr/lib/systemd/timesyncd.conf",
    "/usr/lib/systemd/resolved.conf",
    "/usr/lib/systemd/journald.conf",
    "/usr/lib/systemd/system.conf",
];

/// Tables of packages.
const TABLES: &[&str] = &[
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/diversions",
    "/var/lib/dpkg/statoverride",
    "/var/lib/dpkg/arch",
    "/var/lib/apt/extended_states",
    "/var/cache/debconf/config.dat",
];

/// Tables of the running system.
const LIVE_TABLES: &[&str] = &[
    "/proc/mounts",
    "/proc/cmdline",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/hostname",
    "/proc/net/tcp",
    "/proc/net/tcp6",
    "/proc/net/udp",
    "/proc/net/udp6",
    "/proc/net/fib_trie",
    "/proc/net/if_inet6",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/bios_vendor",
    "/sys/class/dmi/id/bios_version",
];

/// Tables of log-ins: binary, read as they are.
const LOGINS: &[&str] = &["/var/log/lastlog", "/var/log/wtmp", "/var/lib/lastlog/lastlog2.db"];

const CONTENT_BYTES_MAX: usize = 64 << 20;
const DIGESTS_MAX: usize = 200_000;

/// What a collection is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The root is that of the running system, which is asked as well.
    pub live: bool,
    /// Every file of every package is held against its manifest, not only those of `/etc`.
    pub full: bool,
    pub key: FingerprintKey,
}

/// What a step ends in.
#[derive(Debug)]
pub enum Step {
    /// Answer these, in this order, and come back.
    Ask(Vec<Ask>),
    Done(Box<Capture>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    Top,
    Tree,
    Texts,
    Digests,
    Deltas,
}

/// A collection on its way.
#[derive(Debug)]
pub struct Collector {
    plan: Plan,
    phase: Phase,
    asked: Vec<Ask>,
    capture: Capture,
    unread: BTreeSet<Unread>,
    unstable: BTreeSet<Bytes>,
    content_bytes: usize,
}

impl Collector {
    pub fn new(plan: Plan) -> Self {
        let capture = Capture {
            key_id: plan.key.id(),
            is_live: plan.live,
            is_full: plan.full,
            ..Capture::default()
        };
        Self {
            plan,
            phase: Phase::Start,
            asked: Vec::new(),
            capture,
            unread: BTreeSet::new(),
            unstable: BTreeSet::new(),
            content_bytes: 0,
        }
    }

    /// Takes the answers to what was asked last, none at first, and says what is next. Answers that
    /// are missing count as faults.
    pub fn step(&mut self, got: Vec<Got>) -> Step {
        let asked = std::mem::take(&mut self.asked);
        let mut got = got.into_iter();
        for ask in asked {
            self.take(ask, got.next());
        }
        loop {
            let asks = match self.phase {
                Phase::Start => self.top(),
                Phase::Top => self.tree(),
                Phase::Tree => self.texts(),
                Phase::Texts => self.digests(),
                Phase::Digests => self.deltas(),
                Phase::Deltas => return self.done(),
            };
            if !asks.is_empty() {
                self.asked = asks.clone();
                return Step::Ask(asks);
            }
        }
    }

    fn done(&mut self) -> Step {
        let mut capture = std::mem::take(&mut self.capture);
        capture.unread = std::mem::take(&mut self.unread).into_iter().collect();
        capture.unstable = std::mem::take(&mut self.unstable).into_iter().collect();
        Step::Done(Box::new(capture))
    }

    fn top(&mut self) -> Vec<Ask> {
        self.phase = Phase::Top;
        vec![Ask::Walk { path: "/".into(), prune: Vec::new(), depth_max: 1, only: Only::All }]
    }

    fn tree(&mut self) -> Vec<Ask> {
        self.phase = Phase::Tree;
        let is_top = |path: &[u8]| TOPS.iter().any(|top| top.as_bytes() == path);
        let found = self.capture.entries.iter();
        let tops: Vec<Bytes> = found
            .filter(|entry| entry.kind() == Kind::Directory && is_top(&entry.path))
            .map(|entry| Bytes(entry.path.to_vec()))
            .collect();
        let prune: Vec<Bytes> = PRUNED.iter().map(|path| Bytes::from(*path)).collect();
        self.capture.entries.retain(|entry| !tops.iter().any(|top| top.0 == *entry.path));
        let walk = |path, only| Ask::Walk { path, prune: prune.clone(), depth_max: u32::MAX, only };
        let mut asks: Vec<Ask> = tops.into_iter().map(|top| walk(top, Only::All)).collect();
        if self.plan.full {
            asks.extend(HIDEOUTS.iter().map(|path| Ask::Walk {
                path: Bytes::from(*path),
                prune: Vec::new(),
                depth_max: u32::MAX,
                only: Only::Privileged,
            }));
        }
        asks
    }

    fn texts(&mut self) -> Vec<Ask> {
        self.phase = Phase::Texts;
        self.capture.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.capture.entries.dedup_by(|a, b| a.path == b.path);
        let mut paths = BTreeMap::new();
        let small = |entry: &&Entry| entry.kind() == Kind::File && entry.size <= FILE_BYTES_MAX;
        for entry in self.capture.below(b"/etc").filter(small) {
            paths.insert(Bytes(entry.path.to_vec()), FILE_BYTES_MAX);
        }
        for folder in TEXT_FOLDERS {
            let Ok(real) = self.capture.resolve(folder.as_bytes()) else { continue };
            for entry in self.capture.below(&real).filter(small) {
                paths.insert(Bytes(entry.path.to_vec()), FILE_BYTES_MAX);
            }
        }
        for path in TEXTS {
            if let Ok(real) = self.capture.resolve(path.as_bytes()) {
                paths.insert(Bytes(real), FILE_BYTES_MAX);
            }
        }
        if let Ok(info) = self.capture.resolve(b"/var/lib/dpkg/info") {
            for entry in self.capture.list(&info) {
                if entry.path.ends_with(b".list") || entry.path.ends_with(b".md5sums") {
                    paths.insert(Bytes(entry.path.to_vec()), TABLE_BYTES_MAX);
                }
            }
        }
        for path in TABLES.iter().chain(LOGINS) {
            paths.insert(Bytes::from(*path), TABLE_BYTES_MAX);
        }
        let mut asks: Vec<Ask> =
            paths.into_iter().map(|(path, bytes_max)| Ask::Read { path, bytes_max }).collect();
        if self.plan.live {
            asks.extend(LIVE_TABLES.iter().map(|path| read(path, TABLE_BYTES_MAX)));
            asks.extend([Live::SocketHolders, Live::Chrony, Live::Timedate].map(Ask::Live));
        }
        asks
    }

    fn digests(&mut self) -> Vec<Ask> {
        self.phase = Phase::Digests;
        let mut asks = Vec::new();
        for home in homes(&self.capture) {
            for name in [".ssh/authorized_keys", ".ssh/authorized_keys2"] {
                let path = format!("{}/{name}", home.trim_end_matches('/'));
                // What was walked is known; what was not is asked for, no link in its path.
                let top = path.split('/').nth(1).map_or(String::new(), |top| format!("/{top}"));
                if !TOPS.contains(&top.as_str()) {
                    asks.push(read(&path, FILE_BYTES_MAX));
                } else if let Ok(real) = self.capture.resolve(path.as_bytes()) {
                    asks.push(Ask::Read { path: Bytes(real), bytes_max: FILE_BYTES_MAX });
                }
            }
        }
        if self.plan.live {
            let keys = sysctl::asked(&self.capture);
            asks.extend(keys.iter().map(|key| read(&sysctl::path(key), FILE_BYTES_MAX)));
        }
        let pristine = Pristine::of(&self.capture);
        let (packaged, others) = pristine.to_digest(&self.capture, self.plan.full);
        for (paths, md5) in [(packaged, true), (others, false)] {
            for some in paths.chunks(DIGESTS_MAX) {
                asks.push(Ask::Digest { paths: some.to_vec(), md5 });
            }
        }
        asks
    }

    /// Texts outside `/etc` that differ from what a package brought.
    fn deltas(&mut self) -> Vec<Ask> {
        self.phase = Phase::Deltas;
        let pristine = Pristine::of(&self.capture);
        let paths = pristine.to_read(&self.capture, FILE_BYTES_MAX);
        paths.into_iter().map(|path| Ask::Read { path, bytes_max: FILE_BYTES_MAX }).collect()
    }

    fn take(&mut self, ask: Ask, got: Option<Got>) {
        match (ask, got) {
            (Ask::Walk { path, only, .. }, Some(Got::Walk { entries, faults })) => {
                self.walked(&path, only, entries, faults);
            }
            (Ask::Read { path, .. }, Some(Got::Read(result))) => self.read(path, result),
            (Ask::Digest { paths, .. }, Some(Got::Digest(results))) => {
                let mut results = results.into_iter();
                for path in paths {
                    self.digested(path, results.next().unwrap_or(Err(Fault::Io)));
                }
            }
            (Ask::Live(live), Some(Got::Live(result))) => match result {
                Ok(bytes) => {
                    self.capture.attempted += 1;
                    self.capture.live.insert(live, bytes);
                }
                // Not every host has every program.
                Err(Fault::Absent | Fault::Unsupported) => {}
                Err(fault) => self.miss(Bytes::from(format!("{live:?}")), fault),
            },
            (Ask::Walk { path, .. } | Ask::Read { path, .. }, _) => self.miss(path, Fault::Io),
            (Ask::Digest { paths, .. }, _) => {
                paths.into_iter().for_each(|path| self.miss(path, Fault::Io));
            }
            (Ask::Live(live), _) => self.miss(Bytes::from(format!("{live:?}")), Fault::Io),
        }
    }

    fn miss(&mut self, place: Bytes, fault: Fault) {
        self.capture.attempted += 1;
        if fault == Fault::Changed {
            self.unstable.insert(place);
        } else {
            self.unread.insert(Unread { place, reason: fault.to_string() });
        }
    }

    fn walked(
        &mut self,
        path: &Bytes,
        only: Only,
        entries: Vec<Entry>,
        faults: Vec<(Bytes, Fault)>,
    ) {
        self.capture.attempted += 1;
        self.capture.entries.extend(entries);
        for (place, fault) in faults {
            // A hideout that is not there hides nothing.
            let missing = fault == Fault::Absent && (only == Only::Privileged || place != *path);
            if !missing {
                self.miss(place, fault);
            }
        }
    }

    fn read(&mut self, path: Bytes, result: Result<Vec<u8>, Fault>) {
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(Fault::Absent) if !must_be(path.as_slice()) => return,
            Err(fault) => return self.miss(path, fault),
        };
        self.capture.attempted += 1;
        self.capture.sums.insert(path.clone(), Sha256::digest(&bytes).into());
        let known = self.capture.entry(path.as_slice());
        let mode = known.map_or(0o644, |entry| entry.mode);
        let is_table = path.0.starts_with(b"/var/lib/dpkg/info/") || path.0.starts_with(b"/proc/");
        if is_table {
            let content = plain(bytes);
            self.capture.contents.insert(path, content);
            return;
        }
        let content = self.cut(path.as_slice(), mode, bytes);
        self.content_bytes += content.bytes.len();
        let is_needed = self.phase == Phase::Texts;
        if self.content_bytes > CONTENT_BYTES_MAX && !is_needed {
            self.capture.digests.insert(path, (content.digest, None));
            return;
        }
        self.capture.contents.insert(path, content);
    }

    fn cut(&self, path: &[u8], mode: u32, bytes: Vec<u8>) -> Content {
        let key = &self.plan.key;
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let md5 = Md5::digest(&bytes).into();
        let keyed = || Digest::Keyed(key.print(b"file", &sha256));
        let kind = match path {
            b"/var/cache/debconf/config.dat" => Holds::Debconf,
            _ if path.starts_with(b"/var/log/") => return plain(bytes),
            _ => holds(path, mode),
        };
        let capture = &self.capture;
        let is_path = |part: &[u8]| part.first() == Some(&b'/') && capture.resolve(part).is_ok();
        // A program that others may not read is a program still; other binaries only in the open.
        let in_question = kind == Holds::Text || bytes.starts_with(b"\x7fELF");
        // Beyond the settings, what is no text comes back as a whole or not at all.
        let is_setting = path.starts_with(b"/etc/");
        let is_text = !is_binary(&bytes) && (is_setting || std::str::from_utf8(&bytes).is_ok());
        let kind = match kind {
            Holds::Secret | Holds::Text if in_question && !is_text => {
                if !binary_holds_secret(&bytes, key) {
                    return plain(bytes);
                }
                Holds::Secret
            }
            kind => kind,
        };
        let cut = match kind {
            Holds::Secret => {
                let secrets = vec![(0, key.print(b"file", &sha256))];
                let digest = keyed();
                return Content {
                    bytes: Vec::new(),
                    digest,
                    md5: Some(md5),
                    secrets,
                    withheld: true,
                };
            }
            Holds::Shadow => cut_shadow(&bytes, key),
            Holds::Gshadow => cut_gshadow(&bytes, key),
            Holds::Debconf => cut_debconf(&bytes, key),
            Holds::Directives => cut_text(&bytes, key, true, &is_path),
            Holds::Text => cut_text(&bytes, key, false, &is_path),
        };
        let whole = cut.prints.is_empty() && kind != Holds::Shadow && kind != Holds::Gshadow;
        let digest = if whole { Digest::Plain(sha256) } else { keyed() };
        Content { bytes: cut.bytes, digest, md5: Some(md5), secrets: cut.prints, withheld: false }
    }

    fn digested(&mut self, path: Bytes, result: Result<Digests, Fault>) {
        match result {
            Ok(digests) => {
                self.capture.attempted += 1;
                self.capture.sums.insert(path.clone(), digests.sha256);
                let mode = self.capture.entry(path.as_slice()).map_or(0, |entry| entry.mode);
                let plain = match holds(path.as_slice(), mode) {
                    Holds::Text | Holds::Directives => Digest::Plain(digests.sha256),
                    _ => Digest::Keyed(self.plan.key.print(b"file", &digests.sha256)),
                };
                self.capture.digests.insert(path, (plain, digests.md5));
            }
            // It went away between walk and digest: a moment later it would not have been seen.
            Err(Fault::Absent) => {
                self.unstable.insert(path);
            }
            Err(fault) => self.miss(path, fault),
        }
    }
}

fn read(path: &str, bytes_max: u64) -> Ask {
    Ask::Read { path: path.into(), bytes_max }
}

fn plain(bytes: Vec<u8>) -> Content {
    let digest = Digest::Plain(Sha256::digest(&bytes).into());
    Content {
        md5: Some(Md5::digest(&bytes).into()),
        bytes,
        digest,
        secrets: Vec::new(),
        withheld: false,
    }
}

/// Files without which a Debian host is none.
fn must_be(path: &[u8]) -> bool {
    const NEEDED: [&[u8]; 6] = [
        b"/var/lib/dpkg/status",
        b"/etc/passwd",
        b"/etc/group",
        b"/proc/mounts",
        b"/proc/net/tcp",
        b"/proc/net/udp",
    ];
    NEEDED.contains(&path)
}

/// Homes of the users in passwd, sorted.
fn homes(capture: &Capture) -> BTreeSet<String> {
    let Some(content) = capture.content(b"/etc/passwd") else { return BTreeSet::new() };
    let lines = content.bytes.split(|byte| *byte == b'\n');
    let homes = lines.filter_map(|line| line.split(|byte| *byte == b':').nth(5));
    let homes = homes.filter_map(|home| std::str::from_utf8(home).ok());
    homes
        .filter(|home| home.starts_with('/') && home.len() > 1)
        .take(10_000)
        .map(str::to_owned)
        .collect()
}
