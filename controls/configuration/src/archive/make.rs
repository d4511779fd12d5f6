//! From archives to manifests of the packages that hosts have.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use baseline::{
    Class, Facts, PackageManifest,
    archive::{
        ArchiveError, Keyring, Listed, RELEASE_BYTES_MAX, Release, Signed, Wanted, agrees, listed,
        unpack_index, verified,
    },
};
use room::Error;
use serde::Serialize;
use serde_json::json;

use super::{
    Archive, Keep,
    fetch::{self, Failure, Transport},
};

/// Where apt of this host leaves what it fetched: a way for bytes, believed like any other.
const CACHE: &str = "/var/cache/apt/archives";

/// A signed index as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Index {
    pub archive: String,
    pub suite: String,
    /// Seconds since 1970: when the archive says that it was made.
    pub date: Option<i64>,
    pub valid_until: Option<i64>,
    pub signed_by: Option<String>,
    /// Why it is not believed: a stable word and a sentence.
    pub fault: Option<(String, String)>,
}

/// A package without a verified manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missing {
    pub package: String,
    pub version: String,
    /// A stable word; with the archive before it where it is one archive's.
    pub reason: String,
}

/// What came of a search.
#[derive(Default)]
pub struct Made {
    /// By `name:architecture`.
    pub manifests: HashMap<String, PackageManifest>,
    pub missing: Vec<Missing>,
    pub indexes: Vec<Index>,
    /// How many were made anew.
    pub new: usize,
    /// Something failed that may be over later, or time ran out.
    pub is_passing: bool,
}

/// Packages that have files on a host: name, version, architecture.
fn installed(facts: &Facts) -> Wanted {
    let all = facts.class(Class::Package).iter().filter(|fact| {
        !matches!(fact.attribute("state"), Some("not-installed" | "config-files") | None)
    });
    let parts = all.filter_map(|fact| {
        let text = |name| fact.attribute(name).map(str::to_owned);
        Some((text("name")?, text("version")?, text("architecture")?))
    });
    parts.collect()
}

/// One suite of an archive, its index verified.
struct Suite<'a> {
    transport: &'a dyn Transport,
    name: String,
    /// `dists/trixie/`, or nothing.
    below: String,
    release: Release,
    signed: Signed,
}

/// Finds the manifest of every package of a host: among those kept, else in the archives, in their
/// order. `transport` gives the way to an archive; `keep` is missing on the command line.
pub fn make<'a>(
    facts: &Facts,
    archives: &'a [Archive],
    transport: impl Fn(&Archive) -> Result<&'a dyn Transport, Failure>,
    keep: Option<&Keep>,
    now: i64,
    until: Option<Instant>,
) -> Result<Made, Error> {
    let mut made = Made::default();
    let mut wanted = installed(facts);
    if let Some(keep) = keep {
        wanted.retain(|(name, version, architecture)| {
            let key = format!("{name}:{architecture}");
            let Some(manifest) = keep.read(&key, version) else { return true };
            made.manifests.insert(key, manifest);
            false
        });
    }
    let mut faults: BTreeMap<(String, String, String), String> = BTreeMap::new();
    let mut search =
        Search { keep, until, made: &mut made, faults: &mut faults, wanted: &mut wanted };
    for archive in archives {
        search.archive(archive, &transport, now)?;
    }
    // Nothing was found where it was looked for; where it could not be looked, that is the reason.
    let closed = made
        .indexes
        .iter()
        .find_map(|one| one.fault.as_ref().map(|(word, _)| format!("{}: {word}", one.archive)));
    let reason = closed.unwrap_or_else(|| "not_in_archives".to_owned());
    made.missing = wanted
        .into_iter()
        .map(|key| {
            let reason = faults.remove(&key).unwrap_or_else(|| reason.clone());
            let (name, version, architecture) = key;
            Missing { package: format!("{name}:{architecture}"), version, reason }
        })
        .collect();
    Ok(made)
}

struct Search<'a> {
    keep: Option<&'a Keep>,
    until: Option<Instant>,
    made: &'a mut Made,
    faults: &'a mut BTreeMap<(String, String, String), String>,
    wanted: &'a mut Wanted,
}

impl Search<'_> {
    fn archive<'t>(
        &mut self,
        archive: &'t Archive,
        transport: &impl Fn(&Archive) -> Result<&'t dyn Transport, Failure>,
        now: i64,
    ) -> Result<(), Error> {
        let flat = [String::new()];
        let suites = if archive.suites.is_empty() { &flat[..] } else { &archive.suites[..] };
        for suite in suites {
            let mut index =
                Index { archive: archive.name.clone(), suite: suite.clone(), ..Index::default() };
            let opened = transport(archive)
                .map_err(Fault::from)
                .and_then(|way| self.open(archive, suite, way, now, &mut index));
            match opened {
                Ok(suite) => self.packages(&suite, &mut index)?,
                Err(fault) => self.note(&mut index, fault),
            }
            self.made.indexes.push(index);
        }
        Ok(())
    }

    fn note(&mut self, index: &mut Index, fault: Fault) {
        self.made.is_passing |= fault.is_passing;
        index.fault.get_or_insert((fault.word, fault.text));
    }

    /// The signed index of a suite.
    fn open<'t>(
        &self,
        archive: &Archive,
        suite: &str,
        transport: &'t dyn Transport,
        now: i64,
        index: &mut Index,
    ) -> Result<Suite<'t>, Fault> {
        let ring = keyring(archive)?;
        let below = if suite.is_empty() { String::new() } else { format!("dists/{suite}/") };
        let max = RELEASE_BYTES_MAX as u64;
        let signed = match transport.get(&format!("{below}InRelease"), max) {
            Ok(bytes) => ring.verify_inline(&bytes, now)?,
            Err(Failure::Absent) => {
                let text = transport.get(&format!("{below}Release"), max)?;
                let signature = transport.get(&format!("{below}Release.gpg"), max)?;
                ring.verify_detached(&text, &signature, now)?
            }
            Err(failure) => return Err(failure.into()),
        };
        let release = Release::parse(&signed.text)?;
        index.date = Some(release.date);
        index.valid_until = release.valid_until;
        index.signed_by = Some(signed.by.clone());
        release.fresh(now)?;
        let name = format!("{} {suite}", archive.name);
        if let Some(keep) = self.keep
            && !keep.newest(&name, release.date)
        {
            return Err(Fault::of("older_than_seen", "older than an index that was seen before"));
        }
        Ok(Suite { transport, name, below, release, signed })
    }

    /// Goes through the indexes of packages until nothing is wanted any more.
    fn packages(&mut self, suite: &Suite<'_>, index: &mut Index) -> Result<(), Error> {
        let architectures: BTreeSet<String> =
            self.wanted.iter().map(|(_, _, architecture)| architecture.clone()).collect();
        for (component, architecture) in suite.release.indexes(&architectures) {
            if self.wanted.is_empty() {
                return Ok(());
            }
            match self.listed(suite, &component, &architecture) {
                Ok(found) => {
                    for one in found {
                        self.package(suite, &one)?;
                    }
                }
                Err(fault) => self.note(index, fault),
            }
        }
        Ok(())
    }

    fn listed(
        &self,
        suite: &Suite<'_>,
        component: &str,
        architecture: &str,
    ) -> Result<Vec<Listed>, Fault> {
        let mut nearest = Fault::of("index_missing", "no index of packages there");
        for (path, file) in suite.release.packages(component, architecture) {
            let kept = self.keep.and_then(|keep| keep.package(file.size, &file.sha256));
            let bytes = match kept {
                Some(bytes) => bytes,
                None => match self.index_file(suite, &path, file.size, &file.sha256) {
                    Ok(bytes) => bytes,
                    Err(fault) => {
                        nearest = fault;
                        continue;
                    }
                },
            };
            let text = unpack_index(&path, &bytes)?;
            return Ok(listed(&path, &text, self.wanted)?);
        }
        Err(nearest)
    }

    fn index_file(
        &self,
        suite: &Suite<'_>,
        path: &str,
        size: u64,
        sha256: &[u8; 32],
    ) -> Result<Vec<u8>, Fault> {
        let folder =
            path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        // By its hash it is the one that was signed, even while the archive is renewed.
        let by_hash = format!("{folder}by-hash/SHA256/{}", hex::encode(sha256));
        let names = [suite.release.by_hash.then_some(by_hash), Some(path.to_owned())];
        let mut nearest = Fault::of("index_missing", "no index of packages there");
        for name in names.into_iter().flatten() {
            match suite.transport.get(&format!("{}{name}", suite.below), size) {
                Ok(bytes) => {
                    agrees(path, &bytes, size, sha256)?;
                    if let Some(keep) = self.keep {
                        keep.pool(sha256, &bytes).map_err(|error| Fault::passing(&error))?;
                    }
                    return Ok(bytes);
                }
                Err(failure) => nearest = failure.into(),
            }
        }
        Err(nearest)
    }

    /// Makes the manifest of a package that an index names.
    fn package(&mut self, suite: &Suite<'_>, one: &Listed) -> Result<(), Error> {
        let key = (one.name.clone(), one.version.clone(), one.architecture.clone());
        if !self.wanted.contains(&key) {
            return Ok(());
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            self.made.is_passing = true;
            self.faults.insert(key, "out_of_time".to_owned());
            return Ok(());
        }
        match self.fetched(suite, one) {
            Ok(manifest) => {
                if let Some(keep) = self.keep {
                    let origin = json!({
                        "archive": suite.name.trim_end(),
                        "origin": suite.release.origin,
                        "date": suite.release.date,
                        "signed_by": suite.signed.by,
                        "sha256": hex::encode(one.sha256),
                    });
                    keep.write(&manifest, &origin)?;
                }
                self.wanted.remove(&key);
                self.made.new += 1;
                self.made.manifests.insert(manifest.key(), manifest);
            }
            Err(fault) => {
                self.made.is_passing |= fault.is_passing;
                self.faults.insert(key, format!("{}: {}", suite.name.trim_end(), fault.word));
            }
        }
        Ok(())
    }

    fn fetched(&self, suite: &Suite<'_>, one: &Listed) -> Result<PackageManifest, Fault> {
        if let Some(bytes) = self.keep.and_then(|keep| keep.package(one.size, &one.sha256)) {
            return Ok(verified(one, &bytes)?);
        }
        let version = one.version.replace(':', "%3a");
        let cached = format!("{CACHE}/{}_{version}_{}.deb", one.name, one.architecture);
        let inside = !one.name.contains('/') && !version.contains('/');
        let cached = if inside { fetch::read(cached.as_ref(), one.size).ok() } else { None };
        let cached = cached.filter(|bytes| agrees("", bytes, one.size, &one.sha256).is_ok());
        let bytes = match cached {
            Some(bytes) => bytes,
            None => suite.transport.get(&one.filename, one.size)?,
        };
        let manifest = verified(one, &bytes)?;
        if let Some(keep) = self.keep {
            keep.pool(&one.sha256, &bytes).map_err(|error| Fault::passing(&error))?;
        }
        Ok(manifest)
    }
}

fn keyring(archive: &Archive) -> Result<Keyring, Fault> {
    let mut ring = Keyring::default();
    for path in &archive.keyrings {
        let bytes = fetch::read(path, RELEASE_BYTES_MAX as u64)
            .map_err(|failure| Fault::of("keyring", &format!("{}: {failure}", path.display())))?;
        ring.add(Keyring::parse(&bytes)?);
    }
    Ok(ring)
}

/// Why something of an archive is not used.
struct Fault {
    word: String,
    text: String,
    is_passing: bool,
}

impl Fault {
    fn of(word: &str, text: &str) -> Fault {
        Fault { word: word.to_owned(), text: text.to_owned(), is_passing: false }
    }

    fn passing(error: &Error) -> Fault {
        Fault { is_passing: true, ..Fault::of("unreachable", &error.to_string()) }
    }
}

impl From<ArchiveError> for Fault {
    fn from(error: ArchiveError) -> Fault {
        Fault::of(error.word(), &error.to_string())
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        let word = match failure {
            Failure::Absent => "absent",
            Failure::Large(_) => "too_large",
            Failure::Passing(_) => "unreachable",
        };
        let is_passing = matches!(failure, Failure::Passing(_));
        Fault { is_passing, ..Fault::of(word, &failure.to_string()) }
    }
}

#[cfg(test)]
mod tests;
