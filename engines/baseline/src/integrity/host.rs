//! Where the files of manifests lie on a host, and what its snapshot has to say of each.

use std::collections::{BTreeMap, HashMap};

use super::{Why, bytes};
use crate::{
    archive::{PackageManifest, Shipped},
    bytes::Bytes,
    capture::Kind,
    fact::{Class, Fact, Facts, Value},
    glob,
    parse::dpkg::UNPACKING,
    pristine::{conventional_mode, is_covered},
};

/// A file of a manifest and the package it is of.
pub(super) struct Member<'a> {
    pub package: &'a str,
    pub shipped: &'a Shipped,
    /// Several packages may bring one folder; any of their attributes is good.
    also: Vec<&'a Shipped>,
}

/// What a snapshot says that bears on the files of packages.
pub(super) struct Host<'a> {
    pub facts: &'a Facts,
    links: HashMap<&'a [u8], &'a [u8]>,
    /// Path to where it goes, and whose file stays.
    diversions: HashMap<&'a [u8], (&'a [u8], &'a str)>,
    excludes: Vec<(bool, &'a [u8])>,
}

impl<'a> Host<'a> {
    pub(super) fn of(facts: &'a Facts) -> Host<'a> {
        let targets = facts.class(Class::File).iter();
        let links = targets
            .filter_map(|fact| Some((fact.name.as_slice(), bytes(fact.value.get("target")?)?)));
        let diverted = facts.class(Class::Diversion).iter();
        let diversions = diverted.filter_map(|fact| {
            let to = bytes(fact.value.get("to")?)?;
            Some((fact.name.as_slice(), (to, fact.attribute("by").unwrap_or_default())))
        });
        let patterns = facts.get(Class::AptConfig, UNPACKING.as_bytes());
        let patterns = patterns.map(|fact| fact.value.as_list()).unwrap_or_default().iter();
        let excludes = patterns.filter_map(bytes).filter_map(|pattern| {
            let (sign, pattern) = pattern.split_first()?;
            Some((*sign == b'-', pattern))
        });
        Host {
            facts,
            links: links.collect(),
            diversions: diversions.collect(),
            excludes: excludes.collect(),
        }
    }

    /// Every path that a manifest names, links in folders followed, with the package it is of.
    pub(super) fn members(
        &self,
        manifests: &'a HashMap<String, PackageManifest>,
    ) -> BTreeMap<Bytes, Member<'a>> {
        let mut sorted: Vec<(&String, &PackageManifest)> = manifests.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        let mut known: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        let mut members: BTreeMap<Bytes, Member<'a>> = BTreeMap::new();
        for (key, manifest) in sorted {
            for shipped in &manifest.files {
                let path = self.place(shipped.path.as_slice(), &manifest.name);
                let path = Bytes(self.real(path, &mut known, 0));
                let Some(first) = members.get_mut(&path) else {
                    members.insert(path, Member { package: key, shipped, also: Vec::new() });
                    continue;
                };
                if first.shipped.kind == Kind::Directory || shipped.kind == Kind::Directory {
                    first.also.push(shipped);
                    continue;
                }
                let takes_over = manifests
                    .get(first.package)
                    .is_some_and(|other| manifest.replaces.contains(&other.name));
                let has_sum = !first.shipped.has_sum && shipped.has_sum;
                if takes_over || (has_sum && !replaced(manifests, first.package, manifest)) {
                    *first = Member { package: key, shipped, also: Vec::new() };
                }
            }
        }
        members
    }

    fn place<'b>(&self, path: &'b [u8], package: &str) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.diversions.get(path) {
            Some((to, by)) if *by != package => to,
            _ => path,
        }
    }

    /// The path with the links in its folders followed.
    fn real(&self, path: &[u8], known: &mut HashMap<Vec<u8>, Vec<u8>>, depth: u32) -> Vec<u8> {
        let at = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (folder, name) = path.split_at(at);
        if folder.is_empty() {
            return path.to_vec();
        }
        if let Some(real) = known.get(folder) {
            return [&real[..], name].concat();
        }
        let mut real = self.real(folder, known, depth + 1);
        // A link of a link of … ends like in the kernel.
        let mut left = 40_u32.saturating_sub(depth);
        while let Some(target) = self.links.get(&real[..]).filter(|_| left > 0) {
            left -= 1;
            let joined = match target.first() {
                Some(b'/') => target.to_vec(),
                _ => [parent(&real), b"/", target].concat(),
            };
            real = self.real(&normal(&joined), known, depth + 1 + (40 - left));
        }
        known.insert(folder.to_vec(), real.clone());
        [&real[..], name].concat()
    }

    pub(super) fn told(&self, path: &[u8]) -> Option<&'a Fact> {
        self.facts.get(Class::File, path)
    }

    pub(super) fn is_excluded(&self, path: &[u8]) -> bool {
        let last = self.excludes.iter().rev().find(|(_, pattern)| glob::loose(pattern, path));
        last.is_some_and(|(excluded, _)| *excluded)
    }

    /// Whether a folder above it was not read.
    pub(super) fn is_missed(&self, path: &[u8]) -> bool {
        let unread = &self.facts.unread;
        let is_unread =
            |folder: &[u8]| unread.binary_search_by(|one| one.place.as_slice().cmp(folder)).is_ok();
        let above = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
        above.map(|(at, _)| &path[..at]).any(is_unread)
    }

    pub(super) fn deviates(&self, path: &Bytes, member: &Member<'_>) -> Option<Why> {
        if !is_covered(path.as_slice()) || self.is_excluded(path.as_slice()) {
            return None;
        }
        let found = self.told(path.as_slice());
        let all = [member.shipped].into_iter().chain(member.also.iter().copied());
        let mut why = None;
        for shipped in all {
            match self.expected(path, shipped).differs(shipped, found) {
                None => return None,
                Some(one) => why = why.or(Some(one)),
            }
        }
        // A folder that was not read says nothing of what is in it.
        why.filter(|_| !self.is_missed(path.as_slice()))
    }

    /// What a snapshot says of a file that is as its package brought it.
    fn expected(&self, path: &Bytes, shipped: &Shipped) -> Expected {
        let (mut user, mut group, mut mode) = (&shipped.user[..], &shipped.group[..], shipped.mode);
        let overrides = [path.as_slice(), shipped.path.as_slice()];
        let set = overrides.iter().find_map(|path| self.facts.get(Class::StatOverride, path));
        if let Some(fact) = set {
            user = fact.attribute("user").unwrap_or(user);
            group = fact.attribute("group").unwrap_or(group);
            if let Some(Value::Mode(bits)) = fact.value.get("mode") {
                mode = *bits;
            }
        }
        let mut attributes = BTreeMap::from([
            ("kind", Value::text(shipped.kind.as_str())),
            ("user", Value::text(user)),
            ("group", Value::text(group)),
        ]);
        match &shipped.target {
            Some(target) => attributes.insert("target", Value::Text(target.clone())),
            None => attributes.insert("mode", Value::Mode(mode)),
        };
        let is_quiet = matches!(shipped.kind, Kind::File | Kind::Directory)
            && user == "root"
            && group == "root"
            && mode == conventional_mode(path.as_slice(), shipped.kind);
        Expected { attributes, is_quiet }
    }
}

/// What a snapshot has to say of a path.
struct Expected {
    attributes: BTreeMap<&'static str, Value>,
    /// It has to say nothing.
    is_quiet: bool,
}

/// Attributes that are not compared: they say how a fact came about, or are compared by themselves.
const NOTES: [&str; 6] = ["change", "package", "conffile", "sha256", "keyed", "content"];

impl Expected {
    fn differs(&self, shipped: &Shipped, found: Option<&Fact>) -> Option<Why> {
        let Some(fact) = found else {
            let why = if shipped.kind == Kind::Link { Why::Kind } else { Why::Attributes };
            return (!self.is_quiet).then_some(why);
        };
        let change = fact.attribute("change").unwrap_or_default();
        if change == "removed" {
            // dpkg, too, leaves it to an administrator which configuration files are there.
            return Some(if shipped.is_conffile { Why::Conffile } else { Why::Removed });
        }
        if fact.attribute("kind") != Some(shipped.kind.as_str()) {
            return Some(Why::Kind);
        }
        if fact.value.get("target") != self.attributes.get("target") {
            return Some(Why::Target);
        }
        let same = |name: &str, value: &Value| self.attributes.get(name) == Some(value);
        let Value::Map(value) = &fact.value else { return Some(Why::Kind) };
        let mut own = value.iter().filter(|(name, _)| !NOTES.contains(&&name[..]));
        if !own.all(|(name, value)| same(name, value)) {
            return Some(Why::Attributes);
        }
        match change {
            "changed" => content(shipped, fact),
            // The host's own tables gave it away.
            "added" => Some(Why::Sum),
            _ => self.is_quiet.then_some(Why::Attributes),
        }
    }
}

fn content(shipped: &Shipped, fact: &Fact) -> Option<Why> {
    let found = fact.attribute("sha256");
    let same = shipped.sha256.is_some_and(|hash| found == Some(&hex::encode(hash)[..]));
    match (same, shipped.is_conffile) {
        // The package keeps no sum of it, so the host could not say that it is the same.
        (true, _) if !shipped.has_sum => None,
        (true, _) => Some(Why::Sum),
        (false, true) => Some(Why::Conffile),
        (false, false) => Some(Why::Content),
    }
}

/// Whether `manifest` gives way to the package that was there before it.
fn replaced(
    manifests: &HashMap<String, PackageManifest>,
    first: &str,
    manifest: &PackageManifest,
) -> bool {
    manifests.get(first).is_some_and(|other| other.replaces.contains(&manifest.name))
}

fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |at| &path[..at])
}

/// Without `.`, `..` and empty parts.
pub(crate) fn normal(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.iter().flat_map(|part| [&b"/"[..], part]).collect::<Vec<_>>().concat()
}
