//! The files of packages, held against what their signed archive says they are.
//!
//! A snapshot says of each file of a package either nothing (content, mode and owner are as the host's
//! own tables and convention have them) or what it is. So for each file that a verified manifest names
//! it can be said what the snapshot has to say; where it says something else, that path *deviates*. The
//! silent rest is one root per package (`crate::pristine`), which is computed here again from the
//! manifest: a file that was changed together with its sum makes the root another.
//!
//! Limits: folders of data (`/var/lib`, `/var/cache`, …) and what dpkg was told not to unpack are left
//! out on both sides; attributes that a maintainer script sets are no part of a manifest.

mod host;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    archive::PackageManifest,
    bytes::Bytes,
    capture::Kind,
    fact::{Class, Facts, Value},
    pristine::{add_member, is_covered},
};

pub(crate) use host::normal;
use host::{Host, Member};

/// What the files of an installed package are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// All but the deviations named are those of the signed archive.
    Verified,
    /// Something differs that the host itself does not tell of.
    Differs,
    /// No verified manifest, or the host was not looked at in full.
    Unknown,
}

/// Why a path is not what its package brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    Content,
    /// A configuration file has other content: an administrator's right, and a fact.
    Conffile,
    /// The table of sums says another sum, and the content is right.
    Sum,
    Attributes,
    Target,
    Removed,
    Kind,
}

/// A path that is not what its package brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    pub package: String,
    pub why: Why,
}

/// One package held against its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub standing: Standing,
    pub version: String,
    /// Files, links and devices that are held against it; configuration files that were edited are not.
    pub files: u64,
    pub matched: u64,
    /// Its maintainer scripts or its table of sums are not the archive's.
    pub records: Option<&'static str>,
}

/// All packages of a snapshot held against manifests.
#[derive(Clone, Debug, Default)]
pub struct Integrity {
    /// By `name:architecture`, of every package that has files.
    pub packages: BTreeMap<String, Checked>,
    pub deviations: BTreeMap<Bytes, Deviation>,
    /// Real path to the package whose manifest names it.
    owners: HashMap<Bytes, String>,
    manifests: HashMap<String, PackageManifest>,
}

impl Integrity {
    /// Holds a snapshot against manifests by `name:architecture`. A manifest of another version than
    /// the installed one says nothing.
    pub fn of(facts: &Facts, mut manifests: HashMap<String, PackageManifest>) -> Integrity {
        let installed: BTreeMap<String, &str> = installed(facts);
        manifests.retain(|key, manifest| {
            installed.get(key).is_some_and(|version| *version == manifest.version)
        });
        let host = Host::of(facts);
        let members = host.members(&manifests);
        let mut integrity = Integrity::default();
        for (path, member) in &members {
            if let Some(why) = host.deviates(path, member) {
                let package = member.package.to_owned();
                integrity.deviations.insert(path.clone(), Deviation { package, why });
            }
            integrity.owners.insert(path.clone(), member.package.to_owned());
        }
        let mut by_package: HashMap<&str, Vec<(&Bytes, &Member<'_>)>> = HashMap::new();
        for (path, member) in &members {
            by_package.entry(member.package).or_default().push((path, member));
        }
        for (key, version) in installed {
            let members = by_package.remove(&key[..]).unwrap_or_default();
            let checked = match manifests.get(&key) {
                Some(manifest) => integrity.check(&host, manifest, &members),
                None => unverified(facts, &key, version),
            };
            integrity.packages.insert(key, checked);
        }
        integrity.manifests = manifests;
        integrity
    }

    fn check(
        &self,
        host: &Host<'_>,
        manifest: &PackageManifest,
        members: &[(&Bytes, &Member<'_>)],
    ) -> Checked {
        let key = manifest.key();
        let found = host.facts.get(Class::PackageFiles, key.as_bytes());
        let unread: Vec<&[u8]> = found
            .and_then(|fact| fact.value.get("unread"))
            .map(|list| list.as_list().iter().filter_map(bytes).collect())
            .unwrap_or_default();
        let mut root = Sha256::new();
        let (mut files, mut matched) = (0, 0);
        for (path, member) in members {
            let own = member.shipped;
            if own.kind == Kind::Directory
                || !is_covered(path.as_slice())
                || host.is_excluded(path.as_slice())
                || host.is_missed(path.as_slice())
            {
                continue;
            }
            let why = self.deviations.get(*path).map(|deviation| deviation.why);
            if why != Some(Why::Conffile) {
                files += 1;
                matched += u64::from(why.is_none());
            }
            let told = host.told(path.as_slice());
            let change = told.and_then(|fact| fact.attribute("change"));
            if matches!(change, Some("changed" | "removed" | "added"))
                || unread.contains(&path.as_slice())
            {
                continue;
            }
            match (why, told) {
                // It deviates by name; the root is of what is there.
                (Some(Why::Kind | Why::Target), Some(fact)) => {
                    let kind = fact.attribute("kind").unwrap_or_default();
                    let target = fact.value.get("target").and_then(bytes);
                    add_member(&mut root, path.as_slice(), kind, target);
                }
                _ => {
                    let content = match own.kind {
                        Kind::File => own.sha256.as_ref().map(|hash| &hash[..]),
                        _ => own.target.as_ref().map(Bytes::as_slice),
                    };
                    add_member(&mut root, path.as_slice(), own.kind.as_str(), content);
                }
            }
        }
        let root: [u8; 32] = root.finalize().into();
        let text = |name: &str| found.and_then(|fact| fact.attribute(name));
        let standing = match text("content") {
            // A package without any file has no root.
            None if files == 0 => Standing::Verified,
            None => Standing::Unknown,
            Some(found) if found == hex::encode(root) => Standing::Verified,
            Some(_) => Standing::Differs,
        };
        let scripts = text("scripts").unwrap_or_default() != manifest.scripts;
        let sums = manifest.sums.is_some_and(|sums| text("sums") != Some(&hex::encode(sums)[..]));
        let records = match (found.is_some(), scripts, sums) {
            (true, true, _) => Some("scripts"),
            (true, _, true) => Some("sums"),
            _ => None,
        };
        // Which file it is nobody can say, so none counts.
        let matched = if standing == Standing::Verified { matched } else { 0 };
        Checked { standing, version: manifest.version.clone(), files, matched, records }
    }

    /// The verified package that a path belongs to, if the path is as that package brought it.
    pub fn clean(&self, path: &[u8]) -> Option<&str> {
        let owner = self.owners.get(path)?;
        let good = self.is_verified(owner) && !self.deviations.contains_key(path);
        good.then_some(&owner[..])
    }

    /// The package whose manifest names a path, clean or not.
    pub fn owner(&self, path: &[u8]) -> Option<&str> {
        self.owners.get(path).map(String::as_str)
    }

    pub fn is_verified(&self, package: &str) -> bool {
        self.packages
            .get(package)
            .is_some_and(|one| one.standing == Standing::Verified && one.records.is_none())
    }

    /// The manifest that a package was held against.
    pub fn manifest(&self, package: &str) -> Option<&PackageManifest> {
        self.manifests.get(package)
    }

    /// Files held against manifests, those that match, and packages that nothing is known of.
    pub fn tally(&self) -> (u64, u64, u64) {
        let sum = |what: fn(&Checked) -> u64| self.packages.values().map(what).sum();
        let unknown = self.packages.values().filter(|one| one.standing == Standing::Unknown);
        (sum(|one| one.files), sum(|one| one.matched), unknown.count() as u64)
    }

    /// What is not as its package brought it and may not be so: no edited configuration files.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self
            .deviations
            .iter()
            .filter(|(_, one)| one.why != Why::Conffile)
            .filter(|(path, one)| one.why != Why::Attributes || !self.is_scripted(path, one))
            .map(|(path, one)| Finding {
                package: one.package.clone(),
                path: Some(path.clone()),
                why: Some(one.why),
                records: None,
            })
            .collect();
        for (package, one) in &self.packages {
            if one.standing == Standing::Differs || one.records.is_some() {
                let records = one.records.or(Some("files"));
                found.push(Finding { package: package.clone(), path: None, why: None, records });
            }
        }
        found
    }

    /// Whether the package's own verified script speaks of the path and of changing such a thing.
    fn is_scripted(&self, path: &Bytes, deviation: &Deviation) -> bool {
        let Some(manifest) = self.manifests.get(&deviation.package) else { return false };
        let Some(path) = path.as_str() else { return false };
        let changes = ["chmod", "chown", "chgrp", "setcap", "dpkg-statoverride"];
        if !changes.iter().any(|word| manifest.says(word)) {
            return false;
        }
        let merged = path.strip_prefix("/usr").filter(|rest| rest.starts_with('/'));
        manifest.says(path) || merged.is_some_and(|short| manifest.says(short))
    }
}

/// Something that is not as its signed package has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub package: String,
    /// None: something the host does not tell of.
    pub path: Option<Bytes>,
    pub why: Option<Why>,
    /// `files`, `scripts` or `sums`.
    pub records: Option<&'static str>,
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Text(bytes) => Some(bytes.as_slice()),
        _ => None,
    }
}

/// Packages that have files, with their versions.
fn installed(facts: &Facts) -> BTreeMap<String, &str> {
    let all = facts.class(Class::Package).iter().filter(|fact| {
        !matches!(fact.attribute("state"), Some("not-installed" | "config-files") | None)
    });
    let versions = all.filter_map(|fact| Some((fact.name.to_string(), fact.attribute("version")?)));
    versions.collect()
}

fn unverified(facts: &Facts, key: &str, version: &str) -> Checked {
    let found = facts.get(Class::PackageFiles, key.as_bytes());
    let files = found.and_then(|fact| fact.value.get("files")).and_then(Value::as_int);
    Checked {
        standing: Standing::Unknown,
        version: version.to_owned(),
        files: files.and_then(|files| u64::try_from(files).ok()).unwrap_or_default(),
        matched: 0,
        records: None,
    }
}

#[cfg(test)]
mod tests;
