//! Asks the root for each family and hands the bytes to its parser.
//!
//! Invariant: every read that fails, and every problem of a parser, ends in `unread`; only the
//! absence of something optional is a fact of its own.

use super::collect::{Snapshot, Unread};
use super::parse::{self, Parsed, Problem, is_clean, text};
use super::root::{ENTRIES_MAX, Fault, Root};
use super::units::{self, Shape, Units};
use super::{accounts, apt, cron, sshd, sysctl};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const FILE_MAX: u64 = 1 << 20;
const TABLE_MAX: u64 = 64 << 20;
const PROBLEMS_MAX: usize = 100;
const SUDOERS_MAX: usize = 1_000;

/// Whether absence is a finding.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Must,
    May,
}

pub(super) struct Collector {
    root: Root,
    live: bool,
    families: BTreeMap<&'static str, BTreeMap<String, Value>>,
    unread: BTreeSet<Unread>,
    attempted: u64,
}

impl Collector {
    pub(super) fn new(root: &Path, live: bool) -> Self {
        Self {
            root: Root::new(root),
            live,
            families: BTreeMap::new(),
            unread: BTreeSet::new(),
            attempted: 0,
        }
    }

    pub(super) fn run(&mut self) {
        self.one_file("os_release", "/etc/os-release", FILE_MAX, Need::Must, parse::os_release);
        self.hostname();
        let status = "/var/lib/dpkg/status";
        self.one_file("packages", status, TABLE_MAX, Need::Must, parse::dpkg_status);
        self.users();
        self.one_file("groups", "/etc/group", FILE_MAX, Need::Must, accounts::group);
        self.units();
        self.sshd();
        self.cron();
        self.one_file("fstab", "/etc/fstab", FILE_MAX, Need::May, parse::mounts);
        self.apt();
        self.sudoers();
        if self.live {
            self.kernel();
            self.sysctl_running();
            self.one_file("mounts", "/proc/self/mounts", TABLE_MAX, Need::Must, parse::mounts);
            self.listeners();
        } else {
            self.sysctl_files();
        }
    }

    pub(super) fn finish(self) -> Snapshot {
        Snapshot {
            families: self.families,
            unread: self.unread.into_iter().collect(),
            attempted: self.attempted,
        }
    }

    pub(super) fn miss(&mut self, path: &str, reason: impl ToString) {
        self.unread.insert(Unread { path: path.to_owned(), reason: reason.to_string() });
    }

    fn problems(&mut self, path: &str, problems: &[Problem]) {
        for problem in problems.iter().take(PROBLEMS_MAX) {
            self.miss(&format!("{path}:{}", problem.line), problem.reason);
        }
        if problems.len() > PROBLEMS_MAX {
            self.miss(path, format!("{} lines not understood", problems.len()));
        }
    }

    fn add(&mut self, family: &'static str, facts: Vec<(String, Value)>) {
        let known = self.families.entry(family).or_default();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut full = false;
        for (key, value) in facts {
            if known.len() >= ENTRIES_MAX {
                full = true;
                break;
            }
            // A second entry of one name is a fact too: a second root hides there.
            let mut place = key.clone();
            while known.contains_key(&place) {
                let count = counts.entry(key.clone()).or_insert(1);
                *count += 1;
                place = format!("{key}#{count}");
            }
            known.insert(place, value);
        }
        if full {
            self.miss(family, Fault::Many);
        }
    }

    fn outcome<T>(&mut self, path: &Path, need: Need, result: Result<T, Fault>) -> Option<T> {
        if !matches!((&result, need), (Err(Fault::Absent), Need::May)) {
            self.attempted += 1;
        }
        match result {
            Ok(value) => Some(value),
            Err(Fault::Absent) if need == Need::May => None,
            Err(fault) => {
                self.miss(&shown(path), fault);
                None
            }
        }
    }

    fn read(&mut self, path: &Path, size_max: u64, need: Need) -> Option<(Vec<u8>, Metadata)> {
        let result = self.root.read(path, size_max);
        self.outcome(path, need, result)
    }

    fn read_text(&mut self, path: &Path, size_max: u64, need: Need) -> Option<String> {
        let (bytes, _) = self.read(path, size_max, need)?;
        if !is_clean(&bytes) {
            self.miss(&shown(path), "not UTF-8: foreign bytes shown as \\xNN");
        }
        Some(text(&bytes))
    }

    /// Full paths of the entries of an optional folder.
    fn list(&mut self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let folder = folder.as_ref();
        let result = self.root.list(folder);
        let names = self.outcome(folder, Need::May, result).unwrap_or_default();
        names.iter().map(|name| folder.join(name)).collect()
    }

    fn one_file(
        &mut self,
        family: &'static str,
        path: &str,
        size_max: u64,
        need: Need,
        parser: fn(&str) -> Parsed,
    ) {
        let Some(text) = self.read_text(Path::new(path), size_max, need) else { return };
        let parsed = parser(&text);
        self.problems(path, &parsed.problems);
        self.add(family, parsed.facts);
    }

    fn hostname(&mut self) {
        let mut facts = Vec::new();
        if let Some(name) = self.read_text(Path::new("/etc/hostname"), FILE_MAX, Need::Must) {
            facts.push(("configured".to_owned(), json!(name.trim())));
        }
        if self.live {
            let path = Path::new("/proc/sys/kernel/hostname");
            let running = self.read_text(path, FILE_MAX, Need::Must);
            facts.extend(running.map(|name| ("running".to_owned(), json!(name.trim()))));
        }
        if !facts.is_empty() {
            self.add("hostname", facts);
        }
    }

    fn kernel(&mut self) {
        let mut facts = Vec::new();
        for (key, file) in [("release", "osrelease"), ("version", "version"), ("name", "ostype")] {
            let path = Path::new("/proc/sys/kernel").join(file);
            let value = self.read_text(&path, FILE_MAX, Need::Must);
            facts.extend(value.map(|value| (key.to_owned(), json!(value.trim()))));
        }
        if !facts.is_empty() {
            self.add("kernel", facts);
        }
    }

    fn users(&mut self) {
        let shadow = self.read_text(Path::new("/etc/shadow"), FILE_MAX, Need::Must);
        let passwords = shadow.map(|text| {
            let (passwords, parsed) = accounts::shadow(&text);
            self.problems("/etc/shadow", &parsed.problems);
            passwords
        });
        let Some(text) = self.read_text(Path::new("/etc/passwd"), FILE_MAX, Need::Must) else {
            return;
        };
        let parsed = accounts::passwd(&text, passwords.as_ref());
        self.problems("/etc/passwd", &parsed.problems);
        self.add("users", parsed.facts);
    }

    fn units(&mut self) {
        let mut units = Units::default();
        let mut seen = BTreeSet::new();
        for (rank, folder) in units::FOLDERS.into_iter().enumerate() {
            // On a merged /usr the last two folders are one.
            let real = self.root.resolve(Path::new(folder)).ok();
            if real.is_some_and(|real| !seen.insert(real)) {
                continue;
            }
            for path in self.list(folder) {
                let name = file_name(&path);
                match units::wanting(&name) {
                    Some(wanting) if rank == 0 => self.wants(&path, wanting, &mut units),
                    _ if units::is_unit(&name) => self.unit(path, name, rank == 0, &mut units),
                    _ => {}
                }
            }
        }
        let facts = units.names().into_iter().map(|name| {
            let fact = json!({
                "state": units.state(name),
                "file": units.files.get(name).map(|(file, _)| file),
                "wanted_by": units.wanted_by.get(name).into_iter().flatten().collect::<Vec<_>>(),
                "aliases": units.aliases.get(name).into_iter().flatten().collect::<Vec<_>>(),
            });
            (name.clone(), fact)
        });
        let facts: Vec<_> = facts.collect();
        if !seen.is_empty() {
            self.add("units", facts);
        }
    }

    fn wants(&mut self, folder: &Path, wanting: &str, units: &mut Units) {
        for path in self.list(folder) {
            let name = file_name(&path);
            if self.root.link(&path).is_some() && units::is_unit(&name) {
                units.wanted_by.entry(name).or_default().insert(wanting.to_owned());
            }
        }
    }

    fn unit(&mut self, path: PathBuf, name: String, local: bool, units: &mut Units) {
        if units.files.contains_key(&name) {
            return;
        }
        let shape = match self.root.link(&path) {
            Some(target) if target == Path::new("/dev/null") => Shape::Masked,
            Some(target) if file_name(&target) != name => {
                if local {
                    units.aliases.entry(file_name(&target)).or_default().insert(name.clone());
                }
                Shape::Alias
            }
            Some(_) if local => Shape::Linked,
            _ => self.unit_file(&path),
        };
        units.files.insert(name, (shown(&path), shape));
    }

    fn unit_file(&mut self, path: &Path) -> Shape {
        match self.read_text(path, FILE_MAX, Need::Must) {
            None => Shape::Unreadable,
            Some(text) if text.is_empty() => Shape::Masked,
            Some(text) => Shape::File(units::install(&text)),
        }
    }

    fn sysctl_running(&mut self) {
        let mut facts = Vec::new();
        for key in sysctl::KEYS {
            let path = sysctl::path(key);
            let result = self.root.read(Path::new(&path), FILE_MAX);
            let absent = matches!(result, Err(Fault::Absent));
            let value = self.outcome(Path::new(&path), Need::May, result);
            let value = value.map(|(bytes, _)| text(bytes.trim_ascii()).replace('\t', " "));
            if value.is_some() || absent {
                facts.push((key.to_owned(), json!({ "value": value, "origin": "running" })));
            }
        }
        self.add("sysctl", facts);
    }

    fn sysctl_files(&mut self) {
        let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
        for folder in sysctl::FOLDERS {
            for path in self.list(folder) {
                let name = file_name(&path);
                if name.ends_with(".conf") {
                    files.entry(name).or_insert(path);
                }
            }
        }
        let classic = Path::new("/etc/sysctl.conf");
        let classic_real = self.root.resolve(classic).ok();
        let mut settings = BTreeMap::new();
        let mut linked = false;
        for path in files.into_values() {
            if self.root.link(&path).is_some_and(|target| target == Path::new("/dev/null")) {
                continue;
            }
            linked |= classic_real.is_some() && self.root.resolve(&path).ok() == classic_real;
            if let Some(text) = self.read_text(&path, FILE_MAX, Need::Must) {
                let parsed = sysctl::apply(&text, &shown(&path), &mut settings);
                self.problems(&shown(&path), &parsed.problems);
            }
        }
        if !linked {
            self.sysctl_classic(classic, &mut settings);
        }
        self.add("sysctl", settings.into_iter().collect());
    }

    /// systemd reads `/etc/sysctl.conf` only through a link in sysctl.d; without one its settings
    /// are kept where nothing else sets the key, and say so.
    fn sysctl_classic(&mut self, path: &Path, settings: &mut BTreeMap<String, Value>) {
        let Some(text) = self.read_text(path, FILE_MAX, Need::May) else { return };
        let mut own = BTreeMap::new();
        let parsed = sysctl::apply(&text, &shown(path), &mut own);
        self.problems(&shown(path), &parsed.problems);
        for (key, mut fact) in own {
            fact["by_systemd"] = json!(false);
            settings.entry(key).or_insert(fact);
        }
    }

    fn sshd(&mut self) {
        let path = "/etc/ssh/sshd_config";
        let Some(text) = self.read_text(Path::new(path), FILE_MAX, Need::May) else { return };
        let found = sshd::effective(path, &text, self);
        for (path, problem) in &found.problems {
            self.problems(path, std::slice::from_ref(problem));
        }
        self.add("sshd", found.settings.into_iter().collect());
    }

    fn cron(&mut self) {
        self.families.entry("cron").or_default();
        self.cron_table(Path::new("/etc/crontab"), None, true);
        for path in self.list("/etc/cron.d") {
            let active = cron::runs(&file_name(&path));
            self.cron_table(&path, None, active);
        }
        for path in self.list("/var/spool/cron/crontabs") {
            let owner = file_name(&path);
            self.cron_table(&path, Some(&owner), true);
        }
        for period in ["hourly", "daily", "weekly", "monthly", "yearly"] {
            for path in self.list(format!("/etc/cron.{period}")) {
                self.cron_script(&path, period);
            }
        }
    }

    fn cron_table(&mut self, path: &Path, owner: Option<&str>, active: bool) {
        let Some((bytes, _)) = self.read(path, FILE_MAX, Need::May) else { return };
        if !is_clean(&bytes) {
            self.miss(&shown(path), "not UTF-8: foreign bytes shown as \\xNN");
        }
        let (entries, parsed) = cron::table(&text(&bytes), owner);
        self.problems(&shown(path), &parsed.problems);
        let fact = json!({ "entries": entries, "active": active, "sha256": hash(&bytes) });
        self.add("cron", vec![(shown(path), fact)]);
    }

    fn cron_script(&mut self, path: &Path, period: &str) {
        let Some((bytes, meta)) = self.read(path, FILE_MAX, Need::Must) else { return };
        let active = cron::runs(&file_name(path)) && meta.mode() & 0o111 != 0;
        let fact = json!({
            "schedule": period, "active": active, "mode": mode(&meta), "sha256": hash(&bytes),
        });
        self.add("cron", vec![(shown(path), fact)]);
    }

    fn apt(&mut self) {
        self.families.entry("apt_sources").or_default();
        let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
        paths.extend(self.list("/etc/apt/sources.list.d"));
        for path in paths {
            let name = file_name(&path);
            let parser = match name.rsplit_once('.') {
                Some((_, "list")) => apt::one_line,
                Some((_, "sources")) => apt::deb822,
                _ => continue,
            };
            let Some(text) = self.read_text(&path, FILE_MAX, Need::May) else { continue };
            let parsed = parser(&text, &shown(&path));
            self.problems(&shown(&path), &parsed.problems);
            self.add("apt_sources", parsed.facts);
        }
    }

    fn sudoers(&mut self) {
        self.families.entry("sudoers").or_default();
        let mut waiting = VecDeque::from([PathBuf::from("/etc/sudoers")]);
        let mut seen = BTreeSet::new();
        while let Some(path) = waiting.pop_front() {
            if !seen.insert(path.clone()) {
                continue;
            }
            if seen.len() > SUDOERS_MAX {
                self.miss("/etc/sudoers", "too many files included");
                return;
            }
            let Some((bytes, meta)) = self.read(&path, FILE_MAX, Need::May) else { continue };
            let fact = json!({ "sha256": hash(&bytes), "mode": mode(&meta) });
            self.add("sudoers", vec![(shown(&path), fact)]);
            for (is_folder, target) in includes(&text(&bytes)) {
                let target = path.parent().unwrap_or(Path::new("/")).join(target);
                match is_folder {
                    true => waiting.extend(self.list(target).into_iter().filter(|p| in_force(p))),
                    false => waiting.push_back(target),
                }
            }
        }
    }

    fn listeners(&mut self) {
        let mut sockets: BTreeMap<String, (BTreeSet<u64>, BTreeSet<u64>)> = BTreeMap::new();
        for table in ["tcp", "tcp6", "udp", "udp6"] {
            let path = PathBuf::from(format!("/proc/net/{table}"));
            // A kernel without IPv6 has no tcp6.
            let need = if table.ends_with('6') { Need::May } else { Need::Must };
            let Some(text) = self.read_text(&path, TABLE_MAX, need) else { continue };
            let (found, problems) = parse::listeners(&text, table.starts_with("udp"));
            self.problems(&shown(&path), &problems);
            for one in found {
                let key = format!("{} {}", table.trim_end_matches('6'), one.address);
                let (uids, inodes) = sockets.entry(key).or_default();
                uids.insert(one.uid);
                inodes.insert(one.inode);
            }
        }
        let wanted: BTreeSet<u64> = sockets.values().flat_map(|(_, i)| i).copied().collect();
        let names = holders(&wanted);
        if wanted.iter().any(|inode| !names.contains_key(inode)) {
            self.miss("/proc/*/fd", "some listening sockets have no process that can be seen");
        }
        let facts = sockets.into_iter().map(|(key, (uids, inodes))| {
            let held = inodes.iter().filter_map(|inode| names.get(inode));
            let processes: BTreeSet<&String> = held.flatten().collect();
            (key, json!({ "uids": uids, "processes": processes }))
        });
        self.attempted += 1;
        self.add("listeners", facts.collect());
    }
}

impl sshd::Files for Collector {
    fn include(&mut self, pattern: &str) -> Vec<(String, String)> {
        let pattern = Path::new("/etc/ssh").join(pattern);
        let result = self.root.glob(&pattern);
        let paths = self.outcome(&pattern, Need::May, result).unwrap_or_default();
        let mut files = Vec::new();
        for path in paths {
            if let Some(text) = self.read_text(&path, FILE_MAX, Need::Must) {
                files.push((shown(&path), text));
            }
        }
        files
    }
}

/// Includes of a sudoers file: whether a folder is meant, and its path.
fn includes(text: &str) -> Vec<(bool, String)> {
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?.trim_matches('"').to_owned()))
    });
    let kinds = words.filter_map(|(keyword, path)| match keyword {
        "@includedir" | "#includedir" => Some((true, path)),
        "@include" | "#include" => Some((false, path)),
        _ => None,
    });
    kinds.collect()
}

/// sudo skips names with a dot or a tilde at the end in an included folder.
fn in_force(path: &Path) -> bool {
    let name = file_name(path);
    !name.contains('.') && !name.ends_with('~')
}

/// Names of the processes that hold the sockets in `wanted`. Processes come and go, so one that
/// vanishes is no fault; a socket that stays without a holder is reported by the caller.
fn holders(wanted: &BTreeSet<u64>) -> BTreeMap<u64, BTreeSet<String>> {
    let mut names: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let Ok(processes) = Path::new("/proc").read_dir() else { return names };
    for process in processes.flatten().take(ENTRIES_MAX) {
        if !process.file_name().as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(descriptors) = process.path().join("fd").read_dir() else { continue };
        for descriptor in descriptors.flatten().take(ENTRIES_MAX) {
            let Some(inode) = socket(&descriptor.path()) else { continue };
            if !wanted.contains(&inode) {
                continue;
            }
            if let Ok(name) = std::fs::read(process.path().join("comm")) {
                names.entry(inode).or_default().insert(text(name.trim_ascii_end()));
            }
        }
    }
    names
}

fn socket(descriptor: &Path) -> Option<u64> {
    let target = descriptor.read_link().ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn shown(path: &Path) -> String {
    text(path.as_os_str().as_bytes())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| text(name.as_bytes())).unwrap_or_default()
}

fn hash(bytes: &[u8]) -> String {
    apt::hex(&Sha256::digest(bytes))
}

fn mode(meta: &Metadata) -> String {
    format!("{:04o}", meta.mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_of_sudoers_are_found() {
        let text = "@includedir /etc/sudoers.d\n#include \"local\"\n# include x\nDefaults x\n";
        assert_eq!(includes(text), [(true, "/etc/sudoers.d".into()), (false, "local".into())]);
        assert!(in_force(Path::new("/a/b")));
        assert!(!in_force(Path::new("/a/b.bak")) && !in_force(Path::new("/a/b~")));
    }

    #[test]
    fn a_second_entry_of_one_name_is_kept() {
        let mut collector = Collector::new(Path::new("/nowhere"), false);
        let facts = ["a", "a", "a", "b"].map(|key| (key.to_owned(), json!(1)));
        collector.add("users", facts.into());
        let keys: Vec<_> = collector.families["users"].keys().collect();
        assert_eq!(keys, ["a", "a#2", "a#3", "b"]);
    }
}
