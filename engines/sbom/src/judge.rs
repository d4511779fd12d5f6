//! Which of what is installed is touched by which advisory, and why, or why that cannot be said.
//!
//! # Invariants
//! - Packages of distributions are judged by data of their distribution, by source package where the
//!   distribution publishes by source package; never by the name alone, never by data of a language.
//! - What cannot be compared is `unknown` with the reason; there is no comparison that takes anything.
//! - A verdict depends on advisory and subject only: no clock, no order of the input.
//!
//! # Limits
//! Verdicts are only made where an advisory names the package: silence is no verdict.

mod compile;
mod fleet;
mod reason;

use std::collections::{BTreeMap, HashMap};

use crate::{
    advisory::{Advisory, Package, Said, full_name, language_name, release},
    bom::Component,
    cpe::{Cpe, Relation},
    order::{Ecosystem, Key},
    purl::Purl,
    vex::{self, Statement},
};

pub use fleet::{Fleet, HostSet};
pub use reason::Reason;

/// Something that is installed, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    pub purl: Option<Purl>,
    /// Ecosystem as package URLs name it (`deb`, `npm`) or as OSV does; of the purl where there is one.
    pub ecosystem: String,
    /// The name as the registry writes it, namespace included.
    pub name: String,
    pub version: String,
    /// `debian`, `alpine`: whose package it is.
    pub distribution: Option<String>,
    /// `12`, `3.18`, in the form of [`release`].
    pub release: Option<String>,
    pub source_name: Option<String>,
    /// Where it differs from the version.
    pub source_version: Option<String>,
    pub cpes: Vec<Cpe>,
    /// `sha256:…` and others, in lower case.
    pub hashes: Vec<String>,
    /// The package of a distribution that brought it: what is judged is that package.
    pub part_of: Option<String>,
}

/// What is said of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    NotAffected,
    Unknown,
    Affected,
}

impl State {
    /// The word in records and files.
    pub fn name(self) -> &'static str {
        match self {
            State::NotAffected => "not_affected",
            State::Unknown => "unknown",
            State::Affected => "affected",
        }
    }
}

/// What an advisory means for a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Place among the subjects.
    pub subject: usize,
    pub advisory: String,
    pub state: State,
    pub reason: Reason,
    /// Versions in which it is fixed, as the advisory writes them.
    pub fixed: Vec<String>,
    /// What the versions alone say, where a statement decided otherwise.
    pub without_statements: Option<State>,
}

/// Advisories, found by whom they name.
#[derive(Debug, Default)]
pub struct Index {
    /// By number; one that was taken out is empty.
    advisories: Vec<Advisory>,
    entries: Vec<Entry>,
    /// Places of entries whose advisory was taken out.
    free: Vec<u32>,
    live: usize,
    by_name: HashMap<Name, Vec<u32>>,
    by_id: HashMap<String, Vec<u32>>,
    /// How many entries there are of an ecosystem or distribution, and of its release.
    spoken_of: HashMap<(String, Option<String>), u32>,
}

/// Ecosystem or distribution, and the name in it.
type Name = (String, String);

#[derive(Debug)]
struct Entry {
    advisory: u32,
    /// None for products by CPE: their versions have no order.
    order: Option<Ecosystem>,
    release: Option<String>,
    cpe: Option<Box<Cpe>>,
    said: Said,
    versions: compile::Versions,
}

impl Index {
    /// Takes advisories in. Two with one id both stand: sources name weaknesses alike and speak of
    /// different packages.
    pub fn new(advisories: impl IntoIterator<Item = Advisory>) -> Index {
        let mut index = Index::default();
        for advisory in advisories {
            index.insert(advisory);
        }
        index
    }

    /// Takes an advisory in and gives its number.
    pub fn insert(&mut self, advisory: Advisory) -> u32 {
        let number = self.advisories.len() as u32;
        for affected in &advisory.affected {
            let (name, order, release, cpe) = keys(&affected.package);
            *self.spoken_of.entry((name.0.clone(), release.clone())).or_default() += 1;
            let entry = Entry {
                advisory: number,
                order,
                release,
                cpe,
                said: affected.said.clone(),
                versions: compile::Versions::new(order, affected),
            };
            let at = self.place(entry);
            self.by_name.entry(name).or_default().push(at);
        }
        for id in [&advisory.id].into_iter().chain(&advisory.aliases) {
            self.by_id.entry(id.clone()).or_default().push(number);
        }
        self.advisories.push(advisory);
        self.live += 1;
        number
    }

    fn place(&mut self, entry: Entry) -> u32 {
        if let Some(at) = self.free.pop() {
            self.entries[at as usize] = entry;
            return at;
        }
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    /// Takes an advisory out: nothing is judged by it any more.
    pub fn remove(&mut self, number: u32) -> Option<Advisory> {
        let there = self.advisories.get_mut(number as usize).filter(|a| !a.id.is_empty())?;
        let advisory = std::mem::take(there);
        self.live -= 1;
        for affected in &advisory.affected {
            let (name, _, release, _) = keys(&affected.package);
            let spoken = (name.0.clone(), release);
            if let Some(count) = self.spoken_of.get_mut(&spoken) {
                *count -= 1;
                if *count == 0 {
                    self.spoken_of.remove(&spoken);
                }
            }
            let Some(places) = self.by_name.get_mut(&name) else { continue };
            let (entries, free) = (&self.entries, &mut self.free);
            places.retain(|at| {
                let stays = entries[*at as usize].advisory != number;
                if !stays {
                    free.push(*at);
                }
                stays
            });
            if places.is_empty() {
                self.by_name.remove(&name);
            }
        }
        for id in [&advisory.id].into_iter().chain(&advisory.aliases) {
            if let Some(numbers) = self.by_id.get_mut(id) {
                numbers.retain(|n| *n != number);
                if numbers.is_empty() {
                    self.by_id.remove(id);
                }
            }
        }
        Some(advisory)
    }

    /// The advisory of a number.
    pub fn get(&self, number: u32) -> Option<&Advisory> {
        self.advisories.get(number as usize).filter(|a| !a.id.is_empty())
    }

    /// How many advisories there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether any advisory speaks of the ecosystem, or the distribution and release, of a subject.
    /// Where none does, silence says nothing about it.
    pub fn covers(&self, subject: &Subject) -> bool {
        let spoken = |of: &str, release: &Option<String>| {
            let any =
                |release: Option<String>| self.spoken_of.contains_key(&(of.to_owned(), release));
            any(None) || (release.is_some() && any(release.clone()))
        };
        let names = subject.names();
        // A distribution answers for its packages: data about products does not speak of them.
        let known = |name: &&Name| name.0 != "cpe" || subject.distribution.is_none();
        subject.part_of.is_some()
            || names.iter().filter(known).any(|name| spoken(&name.0, &subject.release))
    }

    /// The ecosystems and distributions, with their releases, that advisories speak of.
    pub fn kinds(&self) -> std::collections::BTreeSet<(String, Option<String>)> {
        self.spoken_of.keys().cloned().collect()
    }

    /// The advisories of an id or alias.
    pub fn find(&self, id: &str) -> impl Iterator<Item = &Advisory> {
        self.by_id.get(id).into_iter().flatten().map(|at| &self.advisories[*at as usize])
    }

    /// What each advisory says of a subject by its version alone, with the advisory's number.
    pub fn verdicts(&self, subject: &Subject) -> Vec<(u32, Verdict)> {
        let verdict = |(number, found): (u32, Found)| {
            let verdict = Verdict {
                subject: 0,
                advisory: self.advisories[number as usize].id.clone(),
                state: found.0,
                reason: found.1,
                fixed: found.2,
                without_statements: None,
            };
            (number, verdict)
        };
        self.of(subject, None).into_iter().map(verdict).collect()
    }

    /// Judges subjects, and lets statements decide where they speak of subject and advisory.
    pub fn judge(&self, subjects: &[Subject], statements: &[Statement]) -> Vec<Verdict> {
        let statements = vex::Book::new(statements);
        let mut out = Vec::new();
        for (at, subject) in subjects.iter().enumerate() {
            for (advisory, found) in self.of(subject, None) {
                let advisory = &self.advisories[advisory as usize];
                let mut verdict = Verdict {
                    subject: at,
                    advisory: advisory.id.clone(),
                    state: found.0,
                    reason: found.1,
                    fixed: found.2,
                    without_statements: None,
                };
                if let Some(statement) = statements.on(subject, advisory) {
                    verdict.without_statements = Some(verdict.state);
                    verdict.state = statement.status.state();
                    verdict.reason = Reason::Statement {
                        status: statement.status,
                        by: statement.author.clone(),
                        why: statement.reason_text(),
                    };
                }
                out.push(verdict);
            }
        }
        out
    }

    /// Which hosts of a fleet an advisory touches. Each version is judged once, whatever the number of hosts.
    pub fn who(&self, advisory: &str, fleet: &Fleet) -> HostSet {
        let mut out = HostSet::default();
        let Some(numbers) = self.by_id.get(advisory) else { return out };
        for number in numbers {
            for affected in &self.advisories[*number as usize].affected {
                for (subject, hosts) in fleet.named(&keys(&affected.package).0) {
                    let verdicts = self.of(subject, Some(*number));
                    match verdicts.get(number).map(|v| v.0) {
                        Some(State::Affected) => out.affected |= hosts,
                        Some(State::Unknown) => out.unknown |= hosts,
                        _ => {}
                    }
                }
            }
        }
        // A host with an affected package is affected, whatever else is not known of it.
        out.unknown -= &out.affected;
        out
    }

    /// What each advisory (or the one) says of a subject: the gravest of its entries.
    fn of(&self, subject: &Subject, only: Option<u32>) -> BTreeMap<u32, Found> {
        let mut out: BTreeMap<u32, Found> = BTreeMap::new();
        if subject.part_of.is_some() {
            return out;
        }
        let mut read = Versions::default();
        for name in subject.names() {
            for at in self.by_name.get(&name).into_iter().flatten() {
                let entry = &self.entries[*at as usize];
                if only.is_some_and(|o| o != entry.advisory) {
                    continue;
                }
                let Some(found) = self.entry(entry, subject, &name, &mut read) else { continue };
                match out.get(&entry.advisory) {
                    Some(known) if weight(known) >= weight(&found) => {}
                    _ => {
                        out.insert(entry.advisory, found);
                    }
                }
            }
        }
        out
    }

    fn entry(
        &self,
        entry: &Entry,
        subject: &Subject,
        name: &Name,
        read: &mut Versions,
    ) -> Option<Found> {
        let say = |state, reason| Some((state, reason, entry.versions.fixed()));
        let advisory = &self.advisories[entry.advisory as usize];
        if let Some(cpe) = &entry.cpe {
            return product(entry, cpe, subject);
        }
        if let Some(at) = &advisory.withdrawn {
            return say(State::NotAffected, Reason::Withdrawn(at.clone()));
        }
        if let Some(wanted) = &entry.release {
            match &subject.release {
                Some(own) if own != wanted => return None,
                None => return say(State::Unknown, Reason::NoRelease(wanted.clone())),
                _ => {}
            }
        }
        let Some(order) = entry.order else {
            return say(State::Unknown, Reason::NoOrder(name.0.clone()));
        };
        if subject.distribution.is_some() && subject.source_name.is_none() && by_source(&name.0) {
            return say(State::Unknown, Reason::NoSource);
        }
        let version = match by_source(&name.0) {
            true => subject.source_version.as_ref().unwrap_or(&subject.version),
            false => &subject.version,
        };
        let (state, reason) = match read.key(order, version) {
            Ok(key) => entry.versions.holds(version, Some(key)),
            Err(why) => match entry.versions.lists(version) {
                true => (Some(true), Reason::Listed(version.clone())),
                false => (None, Reason::Version(why)),
            },
        };
        let (state, reason) = said(&entry.said, state, reason)?;
        say(state, reason)
    }
}

/// State, reason, versions that fix it.
type Found = (State, Reason, Vec<String>);

/// Of several entries of one advisory the one counts that says most: an affected one, then one that is not
/// known, then one that says outright that it is not affected.
fn weight(found: &Found) -> u8 {
    match (&found.0, &found.1) {
        (State::Affected, _) => 3,
        (State::Unknown, _) => 2,
        (_, Reason::SaidNot) => 1,
        _ => 0,
    }
}

/// What an entry says of a version that lies within its ranges, outside, or nobody knows where.
fn said(said: &Said, within: Option<bool>, reason: Reason) -> Option<(State, Reason)> {
    Some(match (said, within) {
        (_, None) => (State::Unknown, reason),
        (Said::Affected, Some(true)) => (State::Affected, reason),
        (Said::Affected, Some(false)) => (State::NotAffected, reason),
        (Said::Fixed | Said::NotAffected, Some(true)) => (State::NotAffected, Reason::SaidNot),
        (Said::Open, Some(true)) => (State::Unknown, Reason::Open),
        // Of versions that it does not name it says nothing.
        (_, Some(false)) => return None,
    })
}

/// Products by CPE. Versions have no order here: they are named, or it is not known.
fn product(entry: &Entry, cpe: &Cpe, subject: &Subject) -> Option<Found> {
    let mut best: Option<Found> = None;
    for own in &subject.cpes {
        let found = match cpe.relation(&own.versionless()) {
            Relation::Disjoint => continue,
            Relation::Equal | Relation::Superset => {
                let version = own.version().unwrap_or(&subject.version);
                let (state, reason) = entry.versions.holds(version, None);
                said(&entry.said, state, reason)
            }
            Relation::Subset | Relation::Undefined => {
                Some((State::Unknown, Reason::Product(own.to_string())))
            }
        };
        let found = found.map(|(state, reason)| (state, reason, entry.versions.fixed()));
        if best.as_ref().map(weight) <= found.as_ref().map(weight) {
            best = found;
        }
    }
    best
}

/// Whether a distribution publishes by source package.
fn by_source(distribution: &str) -> bool {
    matches!(distribution, "debian" | "ubuntu" | "alpine" | "wolfi" | "chainguard")
}

fn keys(package: &Package) -> (Name, Option<Ecosystem>, Option<String>, Option<Box<Cpe>>) {
    match package {
        Package::Language { ecosystem, name } => {
            ((ecosystem.name().to_owned(), name.clone()), Some(*ecosystem), None, None)
        }
        Package::Distribution { order, distribution, release, name } => {
            ((distribution.clone(), name.clone()), Some(*order), release.clone(), None)
        }
        Package::Cpe(cpe) => {
            let (vendor, product) = cpe.product().unwrap_or_default();
            (("cpe".to_owned(), format!("{vendor}:{product}")), None, None, Some(cpe.clone()))
        }
        Package::Other { ecosystem, name } => {
            ((ecosystem.to_ascii_lowercase(), name.clone()), None, None, None)
        }
    }
}

/// The version of a subject, read once for all the entries that name it.
#[derive(Default)]
struct Versions(Vec<(Ecosystem, String, Result<Key, String>)>);

impl Versions {
    fn key(&mut self, order: Ecosystem, version: &str) -> Result<&Key, String> {
        let known = self.0.iter().position(|(o, v, _)| *o == order && v == version);
        let at = known.unwrap_or_else(|| {
            let key = order.key(version).map_err(|e| e.to_string());
            // No range means a Python version from before PEP 440.
            let key = key.and_then(|k| match k.is_legacy() {
                true => Err(format!("{version:?} is no version of PEP 440")),
                false => Ok(k),
            });
            self.0.push((order, version.to_owned(), key));
            self.0.len() - 1
        });
        self.0[at].2.as_ref().map_err(Clone::clone)
    }
}

impl Subject {
    /// The subject of a package URL.
    pub fn of(purl: &Purl) -> Subject {
        let mut subject = Subject {
            ecosystem: purl.kind.clone(),
            name: full_name(purl),
            version: purl.version.clone().unwrap_or_default(),
            purl: Some(purl.clone()),
            ..Subject::default()
        };
        if !matches!(purl.kind.as_str(), "deb" | "rpm" | "apk") {
            return subject;
        }
        subject.name = purl.name.clone();
        if let Package::Distribution { distribution, release, .. } = Package::of(purl) {
            (subject.distribution, subject.release) = (Some(distribution), release);
        }
        if let Some(epoch) = purl.qualifier("epoch").filter(|_| purl.kind == "rpm") {
            subject.version = format!("{epoch}:{}", subject.version);
        }
        if purl.qualifier("arch").is_some_and(|a| a == "source" || a == "src") {
            subject.source_name = Some(purl.name.clone());
        }
        if let Some((name, version)) = purl.qualifier("upstream").and_then(upstream) {
            (subject.source_name, subject.source_version) = (Some(name), version);
        }
        subject
    }

    /// The names under which advisories may speak of it.
    fn names(&self) -> Vec<Name> {
        let mut out = Vec::new();
        if let Some(distribution) = &self.distribution {
            let own = self.source_name.as_ref().unwrap_or(&self.name);
            out.push((distribution.clone(), own.clone()));
            if !by_source(distribution) && own != &self.name {
                out.push((distribution.clone(), self.name.clone()));
            }
        } else if let Some(ecosystem) = Ecosystem::named(&self.ecosystem) {
            // A package of an unknown distribution is nobody's: the name alone says nothing.
            if !matches!(ecosystem, Ecosystem::Dpkg | Ecosystem::Rpm | Ecosystem::Apk) {
                let name = language_name(ecosystem, &self.name);
                out.push((ecosystem.name().to_owned(), name));
            }
        } else {
            out.push((self.ecosystem.to_ascii_lowercase(), self.name.clone()));
        }
        for (vendor, product) in self.cpes.iter().filter_map(Cpe::product) {
            out.push(("cpe".to_owned(), format!("{vendor}:{product}")));
        }
        out
    }
}

/// `glibc@2.36-9`, `curl-8.2-1.fc39.src.rpm`, `glibc`
fn upstream(text: &str) -> Option<(String, Option<String>)> {
    if let Some(file) = text.strip_suffix(".src.rpm") {
        let mut parts = file.rsplitn(3, '-');
        let (release, version) = (parts.next()?, parts.next()?);
        return Some((parts.next()?.to_owned(), Some(format!("{version}-{release}"))));
    }
    match text.split_once('@') {
        Some((name, version)) => Some((name.to_owned(), Some(version.to_owned()))),
        None => Some((text.to_owned(), None)).filter(|(name, _)| !name.is_empty()),
    }
}

impl From<&Component> for Subject {
    fn from(component: &Component) -> Subject {
        let purl = component.purl.as_deref().and_then(|p| Purl::parse_lenient(p).ok());
        let mut subject = purl.as_ref().map(Subject::of).unwrap_or_default();
        if purl.is_none() {
            let group = component.group.as_ref().map(|g| format!("{g}/")).unwrap_or_default();
            subject.name = format!("{group}{}", component.name);
        }
        if subject.version.is_empty() {
            subject.version = component.version.clone().unwrap_or_default();
        }
        if let Some(source) = component.source_package() {
            (subject.source_name, subject.source_version) = (Some(source.name), source.version);
        }
        subject.cpes = component.cpe.iter().filter_map(|c| Cpe::parse(c).ok()).collect();
        let hash = |h: &crate::bom::Hash| {
            format!("{}:{}", h.algorithm.to_cyclonedx().unwrap_or_default(), h.value)
                .to_ascii_lowercase()
        };
        subject.hashes = component.hashes.iter().map(hash).collect();
        subject.part_of = owner(component, &subject.ecosystem);
        subject
    }
}

/// Whose a component is, where its place says so: `/usr/lib/python3/dist-packages` belongs to Debian's
/// packages alone, pip writes below `/usr/local`. Other makers list such a wheel beside its package.
fn owner(component: &Component, ecosystem: &str) -> Option<String> {
    const OWNED: &str = "/usr/lib/python3/dist-packages/";
    let of_property = component.properties.iter().filter_map(|p| {
        let name = p.name.as_deref()?;
        p.value.as_deref().filter(|_| name.starts_with("syft:location:") && name.ends_with(":path"))
    });
    let mut places = component.locations.iter().map(String::as_str).chain(of_property);
    let owned = ecosystem == "pypi" && places.any(|place| place.contains(OWNED));
    owned.then(|| "a package of the distribution".to_owned())
}

impl Subject {
    /// Says of which release a package is where its package URL does not.
    pub fn with_release(mut self, text: &str) -> Subject {
        if let (Some(distribution), None) = (&self.distribution, &self.release) {
            self.release = Some(release(distribution, text));
        }
        self
    }
}

#[cfg(test)]
#[path = "judge/changing_tests.rs"]
mod tests;
