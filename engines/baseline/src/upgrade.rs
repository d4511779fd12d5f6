//! Which differences a change of packages explains.
//!
//! Explained is what the verified manifests of the packages that changed account for: their files; what
//! files of theirs say (a unit, a schedule, a kernel value); and what their scripts make, where the
//! manifest lets it be known what that is. Everything else stays unexplained, however close in time.
//!
//! Left unexplained on purpose: configuration files that an administrator had edited; files that
//! scripts compose of several sources (PAM's common files, boot menus); accounts that somebody can log
//! in with; anything beside a file in the same folder that nobody explains.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashSet},
};

use crate::{
    classify::Context,
    diff::Delta,
    fact::{Class, Origin, Value},
    integrity::{Integrity, Why},
};

/// Shells that open nothing.
const CLOSED_SHELLS: [&str; 5] =
    ["/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync"];
/// Numbers that packages take for accounts of their own.
const SYSTEM_IDS: std::ops::Range<i64> = 100..1_000;

/// Entries of a new folder that are looked at.
const FOLDER_ENTRIES_MAX: usize = 1_000;

/// The packages that changed between two snapshots.
pub(crate) struct Upgrade<'a> {
    now: &'a Integrity,
    before: &'a Integrity,
    /// Verified now, and of another version than before or not there before.
    changed: HashSet<&'a str>,
    /// There before and gone.
    gone: HashSet<String>,
    deltas: &'a [Delta],
    /// Differences of files that nothing explains.
    unexplained: OnceCell<BTreeSet<&'a [u8]>>,
}

fn text<'a>(value: &'a Option<Value>, name: &str) -> Option<&'a str> {
    value.as_ref().and_then(|value| value.get(name)).and_then(Value::as_str)
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn folder(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |at| &path[..at])
}

impl<'a> Upgrade<'a> {
    pub(crate) fn of(deltas: &'a [Delta], context: &'a Context) -> Self {
        let (now, before) = (&context.integrity, &context.before);
        let (mut changed, mut gone) = (HashSet::new(), HashSet::new());
        for delta in deltas.iter().filter(|delta| delta.class == Class::Package) {
            let key = delta.name.to_string();
            let version = |value| text(value, "version");
            if has_files(&delta.before) && !has_files(&delta.after) {
                gone.insert(key);
            } else if version(&delta.before) != version(&delta.after)
                || has_files(&delta.before) != has_files(&delta.after)
            {
                let known = now.packages.get_key_value(&key[..]).map(|(key, _)| &key[..]);
                changed.extend(known.filter(|key| now.is_verified(key)));
            }
        }
        Upgrade { now, before, changed, gone, deltas, unexplained: OnceCell::new() }
    }

    /// The package that a difference follows from, or what of several packages.
    pub(crate) fn explains(&self, delta: &Delta) -> Option<String> {
        match delta.class {
            Class::Package => self.package(delta),
            Class::PackageFiles => self.package_files(delta),
            Class::File => self.file(delta),
            Class::Alternative => self.alternative(delta),
            Class::User | Class::Group => self.account(delta),
            Class::Debconf => self.question(delta),
            Class::Diversion => {
                self.spoken_of(text(&delta.after, "by")?, &["dpkg-divert", delta.name.as_str()?])
            }
            Class::StatOverride => self.override_of(delta),
            _ => self.by_origin(delta),
        }
    }

    fn package(&self, delta: &Delta) -> Option<String> {
        let name = delta.name.to_string();
        if !self.changed.contains(&name[..]) {
            return None;
        }
        // Selection and the rest are an administrator's, so only the version may differ.
        let only = delta.parts().iter().all(|(part, ..)| {
            matches!(part.as_str(), "version" | "source" | "state" | "architecture")
        });
        (only || !has_files(&delta.before)).then_some(name)
    }

    fn package_files(&self, delta: &Delta) -> Option<String> {
        let name = delta.name.to_string();
        if delta.after.is_none() {
            return self.gone.contains(&name).then_some(name);
        }
        self.now.is_verified(&name).then_some(name)
    }

    fn file(&self, delta: &Delta) -> Option<String> {
        let path = delta.name.as_slice();
        if self.now.owner(path).is_some() {
            return self.own_file(delta);
        }
        if delta.after.is_none() {
            return self.vanished(delta);
        }
        let made = self.generated(delta).or_else(|| self.link(delta));
        made.or_else(|| self.copied(delta)).or_else(|| self.folder(delta))
    }

    /// A folder that came, or went, with a link in it that is explained.
    fn folder(&self, delta: &Delta) -> Option<String> {
        let side = if delta.after.is_some() { &delta.after } else { &delta.before };
        let is_plain = text(side, "kind") == Some("directory")
            && text(side, "user") == Some("root")
            && text(side, "group") == Some("root")
            && side.as_ref().and_then(|value| value.get("mode")) == Some(&Value::Mode(0o755));
        if !is_plain || (delta.before.is_some() && delta.after.is_some()) {
            return None;
        }
        let below = [delta.name.as_slice(), b"/"].concat();
        let inside = self.deltas.iter().filter(|other| {
            other.class == Class::File
                && other.name.0.starts_with(&below)
                && other.before.is_some() == delta.before.is_some()
        });
        inside.take(FOLDER_ENTRIES_MAX).find_map(|other| self.link(other))
    }

    /// A file that a manifest names and that is as the manifest says.
    fn own_file(&self, delta: &Delta) -> Option<String> {
        let path = delta.name.as_slice();
        let owner = self.now.clean(path)?;
        // dpkg gives no edited configuration file back by itself: somebody decided that.
        let was = self.before.deviations.get(path).map(|one| one.why);
        let edited = was == Some(Why::Conffile)
            || (text(&delta.before, "change") == Some("changed") && is_conffile(&delta.before));
        // What is so because the host says that it may be so, and nobody explains why it says so.
        let overridden = self.deltas.iter().any(|other| {
            other.class == Class::StatOverride
                && other.name == delta.name
                && self.override_of(other).is_none()
        });
        (!edited && !overridden).then(|| owner.to_owned())
    }

    /// What a package had brought and its new version does not, or what went with its package.
    fn vanished(&self, delta: &Delta) -> Option<String> {
        let path = delta.name.as_slice();
        let named = text(&delta.before, "package").map(str::to_owned);
        let owner = self.before.owner(path).map(str::to_owned).or(named);
        if let Some(owner) = owner {
            let follows = self.changed.contains(&owner[..]) || self.gone.contains(&owner);
            return follows.then_some(owner);
        }
        self.generated(delta).or_else(|| self.link(delta)).or_else(|| self.folder(delta))
    }

    /// What programs make anew from others: what is in it is not known here, only where it lies.
    fn generated(&self, delta: &Delta) -> Option<String> {
        let side = if delta.after.is_some() { &delta.after } else { &delta.before };
        if text(side, "change") != Some("generated") {
            return None;
        }
        if text(side, "kind") != Some("tree") {
            let any = !self.changed.is_empty() || !self.gone.is_empty();
            return any.then(|| "triggers".to_owned());
        }
        // A tree has a digest, so it has to lie within what changed.
        let above = folder(delta.name.as_slice());
        let owners = [self.now.owner(above), self.before.owner(above)];
        let owner = owners.into_iter().flatten().find(|owner| self.follows(owner));
        owner.map(str::to_owned)
    }

    fn follows(&self, package: &str) -> bool {
        self.changed.contains(package) || self.gone.contains(package)
    }

    /// Links that enable what a package brings, where the package says which.
    fn link(&self, delta: &Delta) -> Option<String> {
        let path = delta.name.as_slice();
        let side = if delta.after.is_some() { &delta.after } else { &delta.before };
        if text(side, "kind") != Some("link") || (delta.before.is_some() && delta.after.is_some()) {
            return None;
        }
        let is_there = delta.after.is_some();
        let integrity = if is_there { self.now } else { self.before };
        let target = absolute(path, text(side, "target")?.as_bytes());
        let owner = integrity.owner(&target).or_else(|| integrity.owner(&merged(&target)))?;
        let real = if integrity.owner(&target).is_some() { target } else { merged(&target) };
        if !self.follows(owner) || (is_there && integrity.clean(&real).is_none()) {
            return None;
        }
        let enables = integrity.manifest(owner).is_some_and(|manifest| {
            manifest.enables.iter().any(|(link, unit)| {
                link.as_slice() == path && merged(unit.as_slice()) == merged(&real)
            })
        });
        (enables || is_run_level(path, &real) || is_certificate(path, &real))
            .then(|| owner.to_owned())
    }

    /// A copy, under its own name, of a file that the package brings for that purpose (ucf).
    fn copied(&self, delta: &Delta) -> Option<String> {
        let path = delta.name.as_slice();
        let after = delta.after.as_ref()?;
        let is_new = delta.before.is_none();
        if !is_new || !path.starts_with(b"/etc/") || text(&delta.after, "kind") != Some("file") {
            return None;
        }
        let root = text(&delta.after, "user") == Some("root")
            && text(&delta.after, "group") == Some("root");
        let plain = after.get("mode") == Some(&Value::Mode(0o644));
        let hash = text(&delta.after, "sha256")?;
        if !root || !plain {
            return None;
        }
        let owner = self.changed.iter().find(|package| {
            self.now.manifest(package).is_some_and(|manifest| {
                manifest.says(&delta.name.to_string())
                    && manifest.files.iter().any(|file| {
                        file.path.0.starts_with(b"/usr/share/")
                            && base(file.path.as_slice()) == base(path)
                            && file.sha256.is_some_and(|own| hex::encode(own) == hash)
                    })
            })
        });
        owner.map(|owner| (*owner).to_owned())
    }

    fn alternative(&self, delta: &Delta) -> Option<String> {
        if self.changed.is_empty() && self.gone.is_empty() {
            return None;
        }
        let Some(after) = &delta.after else {
            let target = text(&delta.before, "value")?.as_bytes();
            let owner = self.before.owner(target).or_else(|| self.now.owner(target))?;
            return self.follows(owner).then(|| owner.to_owned());
        };
        if after.get("mode").and_then(Value::as_str) != Some("auto") {
            return None;
        }
        let target = text(&delta.after, "value")?.as_bytes();
        let clean = self.now.clean(target).or_else(|| self.now.clean(&merged(target)))?;
        Some(clean.to_owned())
    }

    /// An account of a service: new, closed, with a number of the system, and the script names it.
    fn account(&self, delta: &Delta) -> Option<String> {
        let after = delta.after.as_ref().filter(|_| delta.before.is_none())?;
        let name = delta.name.to_string();
        let gid = after.get("gid").and_then(Value::as_int)?;
        let is_closed = match delta.class {
            Class::User => {
                let uid = after.get("uid").and_then(Value::as_int)?;
                let shell = after.get("shell").and_then(Value::as_str)?;
                let is_locked = after.get("locked").and_then(Value::as_bool) == Some(true);
                SYSTEM_IDS.contains(&uid) && is_locked && CLOSED_SHELLS.contains(&shell)
            }
            // Who is in it says `members`: a group for a service begins empty.
            _ => after.get("members").is_none_or(|list| list.as_list().is_empty()),
        };
        // `nogroup` and the groups that Debian fixes are good for a service.
        if !is_closed || !(SYSTEM_IDS.contains(&gid) || gid == 65_534) {
            return None;
        }
        self.changed
            .iter()
            .find(|package| self.now.manifest(package).is_some_and(|manifest| manifest.says(&name)))
            .map(|package| (*package).to_owned())
    }

    /// A new question of debconf that a package brings the template of.
    fn question(&self, delta: &Delta) -> Option<String> {
        if let Some(owner) = delta.after.is_none().then(|| self.owner_of_question(&delta.before)) {
            return owner;
        }
        if delta.before.is_some() {
            return None;
        }
        self.owner_of_question(&delta.after)
    }

    fn owner_of_question(&self, side: &Option<Value>) -> Option<String> {
        let template = text(side, "template")?;
        let brings = |integrity: &Integrity, package: &str| {
            let manifest = integrity.manifest(package);
            manifest.is_some_and(|one| one.templates.iter().any(|known| known == template))
        };
        let mut all = self.changed.iter().copied().chain(self.gone.iter().map(String::as_str));
        let owner = all.find(|package| brings(self.now, package) || brings(self.before, package));
        owner.map(str::to_owned)
    }

    /// What the scripts of a package that changed speak of, entered in its name.
    fn spoken_of(&self, by: &str, words: &[&str]) -> Option<String> {
        let owner = self.changed.iter().find(|package| {
            package.split(':').next() == Some(by)
                && self
                    .now
                    .manifest(package)
                    .is_some_and(|manifest| words.iter().all(|word| manifest.says(word)))
        });
        owner.map(|owner| (*owner).to_owned())
    }

    /// A new override that the scripts of the path's own package enter: command, path and mode.
    fn override_of(&self, delta: &Delta) -> Option<String> {
        let owner = self.now.owner(delta.name.as_slice()).filter(|_| delta.before.is_none())?;
        let by = owner.split(':').next().unwrap_or(owner);
        let mode = delta.after.as_ref()?.get("mode").and_then(Value::as_int)?;
        let path = delta.name.as_str()?;
        let spoken = |mode: String| self.spoken_of(by, &["dpkg-statoverride", path, &mode]);
        spoken(format!("{mode:o}")).or_else(|| spoken(format!("{mode:04o}")))
    }

    /// What a file says that is as a changed package brought it.
    fn by_origin(&self, delta: &Delta) -> Option<String> {
        let Origin::File(path, _) = &delta.origin else { return None };
        let path = path.as_slice();
        let now = self.now.clean(path).filter(|_| delta.after.is_some());
        let before = self.before.owner(path).filter(|_| delta.after.is_none());
        let owner = now.or(before).filter(|owner| self.follows(owner))?;
        let is_alone = !self.unexplained().iter().any(|other| bears_on(delta, path, other));
        is_alone.then(|| owner.to_owned())
    }

    /// Files that differ and that nothing here explains.
    fn unexplained(&self) -> &BTreeSet<&'a [u8]> {
        self.unexplained.get_or_init(|| {
            let files = self.deltas.iter().filter(|delta| delta.class == Class::File);
            let open = files.filter(|delta| self.file(delta).is_none());
            open.map(|delta| delta.name.as_slice()).collect()
        })
    }
}

fn has_files(side: &Option<Value>) -> bool {
    !matches!(text(side, "state"), None | Some("not-installed" | "config-files"))
}

fn is_conffile(side: &Option<Value>) -> bool {
    side.as_ref().and_then(|value| value.get("conffile")).and_then(Value::as_bool) == Some(true)
}

/// Whether a file that nobody explains may have a say in a fact that is read from another one.
fn bears_on(delta: &Delta, origin: &[u8], other: &[u8]) -> bool {
    if other == origin {
        return true;
    }
    match delta.class {
        Class::Unit => {
            let unit = delta.name.as_slice();
            base(other) == unit
                || base(folder(other)).strip_suffix(b".d") == Some(unit)
                || base(folder(other)).strip_suffix(b".d").is_some_and(|kind| {
                    !kind.contains(&b'.') && unit.ends_with(&[b".", kind].concat())
                })
        }
        // Each file of schedules stands for itself.
        Class::Cron => false,
        // Its meaning is put together from all files of such folders.
        _ => {
            let own = |path: &[u8]| path.split(|byte| *byte == b'/').nth(2).map(stem);
            origin.starts_with(b"/etc/") && other.starts_with(b"/etc/") && own(origin) == own(other)
        }
    }
}

/// `sysctl.d` and `sysctl.conf` are one matter.
fn stem(name: &[u8]) -> Vec<u8> {
    name.split(|byte| *byte == b'.').next().unwrap_or(name).to_vec()
}

/// A target from the root, `..` resolved.
fn absolute(link: &[u8], target: &[u8]) -> Vec<u8> {
    let joined = match target.first() {
        Some(b'/') => target.to_vec(),
        _ => [folder(link), b"/", target].concat(),
    };
    crate::integrity::normal(&joined)
}

/// Where a path lies on a host with a merged `/usr`.
fn merged(path: &[u8]) -> Vec<u8> {
    let top = [&b"/bin/"[..], b"/sbin/", b"/lib/", b"/lib32/", b"/lib64/", b"/libx32/"];
    match top.iter().any(|top| path.starts_with(top)) {
        true => [b"/usr", path].concat(),
        false => path.to_vec(),
    }
}

/// `/etc/rc2.d/S01cron` to `/etc/init.d/cron`.
fn is_run_level(path: &[u8], target: &[u8]) -> bool {
    let name = base(path);
    let rank = name.len() > 3
        && matches!(name[0], b'S' | b'K')
        && name[1].is_ascii_digit()
        && name[2].is_ascii_digit();
    let level = folder(path).strip_prefix(b"/etc/rc").and_then(|rest| rest.strip_suffix(b".d"));
    rank && level.is_some_and(|level| matches!(level, [b'0'..=b'6' | b'S']))
        && target.strip_prefix(b"/etc/init.d/") == Some(&name[3..])
}

/// A certificate of the system's own collection.
fn is_certificate(path: &[u8], target: &[u8]) -> bool {
    folder(path) == b"/etc/ssl/certs" && target.starts_with(b"/usr/share/ca-certificates/")
}
