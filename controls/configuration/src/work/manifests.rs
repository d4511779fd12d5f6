//! What the packages of a host are made of, as their signed archives say; and what of a host is not so.
//!
//! Invariants: a package without a verified manifest is of no package; a file that is not as its package
//! has it is told once, however old it is, and again when it comes back.
//!
//! Limits: one run makes manifests for so long and goes on in the next; a snapshot waits for an archive
//! that cannot be reached for so long and is judged without it then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use baseline::{
    Class, Delta, DriftClass, Facts, Finding, FingerprintKey, Integrity, Origin, Verdict, Why,
};
use model::Id;
use room::{Error, Shared, blocking, draft};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use store::{Record, RecordDraft, Store};

use super::keys;
use crate::archive::{self, Archive, Failure, Folder, Keep, Made, Packages, Transport, Web};

/// Longest making of manifests in one run of the judge.
const MAKING: Duration = Duration::from_secs(300);
/// How long a snapshot waits for what may be over later.
const WAIT_MICROSECONDS: i64 = 2 * 3_600_000_000;
/// What is told of one host.
const TOLD_MAX: usize = 5_000;
/// Named in the payload of one record.
const NAMED_MAX: usize = 2_000;

/// The archives of `ume.toml`, for this room's work.
#[derive(Default)]
pub struct Archives {
    configured: OnceLock<(Packages, PathBuf)>,
    /// What the last search saw, for pages.
    seen: RwLock<Json>,
}

impl Archives {
    /// Says once which archives there are, and where the data folder is.
    pub fn configure(&self, packages: Packages, data: PathBuf) {
        let _again = self.configured.set((packages, data));
    }

    /// Archives as they were last seen: name, suite, date, fault.
    pub fn seen(&self) -> Json {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A snapshot held against manifests.
#[derive(Default)]
pub(super) struct Held {
    pub integrity: Integrity,
    pub made: Made,
    /// False without archives: nothing was held against anything.
    pub is_configured: bool,
}

/// Holds a snapshot against the manifests of its packages, which are made where they are missing.
pub(super) async fn of(ctx: &Shared, facts: Facts) -> Result<(Facts, Held), Error> {
    let archives = ctx.house.kept.get::<Archives>();
    let configured = archives.configured.get().filter(|(packages, _)| !packages.is_empty());
    let Some((packages, data)) = configured.cloned() else {
        return Ok((facts, Held::default()));
    };
    let key = keys::of_house(ctx.store()).await?;
    let now = ctx.store().now().0 / 1_000_000;
    let runtime = tokio::runtime::Handle::current();
    let (facts, held) = blocking(move || {
        let mut made = make(&facts, &packages, data, key, now, runtime)?;
        let integrity = Integrity::of(&facts, std::mem::take(&mut made.manifests));
        Ok::<_, Error>((facts, Held { integrity, made, is_configured: true }))
    })
    .await??;
    let seen = json!(held.made.indexes);
    *archives.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
    Ok((facts, held))
}

/// An older snapshot held against the manifests that are kept; none is made for it.
pub(super) async fn kept(ctx: &Shared, facts: Facts) -> Result<Integrity, Error> {
    let archives = ctx.house.kept.get::<Archives>();
    let configured = archives.configured.get().filter(|(packages, _)| !packages.is_empty());
    let Some((packages, data)) = configured.cloned() else { return Ok(Integrity::default()) };
    let key = keys::of_house(ctx.store()).await?;
    blocking(move || {
        let keep = Keep::open(&data, packages.pool_mib, key)?;
        let way = |_: &Archive| Err(Failure::Absent);
        let made = archive::make(&facts, &[], way, Some(&keep), 0, None)?;
        Ok(Integrity::of(&facts, made.manifests))
    })
    .await?
}

fn make(
    facts: &Facts,
    packages: &Packages,
    data: PathBuf,
    key: FingerprintKey,
    now: i64,
    runtime: tokio::runtime::Handle,
) -> Result<Made, Error> {
    let keep = Keep::open(&data, packages.pool_mib, key)?;
    let mut ways: BTreeMap<&str, Result<Box<dyn Transport>, Failure>> = BTreeMap::new();
    for one in packages.archives() {
        ways.insert(&one.name, way(one, &runtime));
    }
    let transport = |one: &Archive| match ways.get(&one.name[..]) {
        Some(Ok(way)) => Ok(&**way),
        Some(Err(failure)) => Err(failure.clone()),
        None => Err(Failure::Absent),
    };
    let until = Instant::now().checked_add(MAKING);
    archive::make(facts, packages.archives(), transport, Some(&keep), now, until)
}

fn way(archive: &Archive, runtime: &tokio::runtime::Handle) -> Result<Box<dyn Transport>, Failure> {
    if archive.place.starts_with('/') {
        return Ok(Box::new(Folder(archive.place.clone().into())));
    }
    Ok(Box::new(Web::new(&archive.place, runtime.clone())?))
}

/// Whether a snapshot is judged later: something that may pass kept manifests from being made.
pub(super) fn waits(held: &Held, record: &Record, now: model::Timestamp) -> bool {
    let age = now.0.saturating_sub(record.observed_to.0);
    held.made.is_passing && !held.made.missing.is_empty() && age < WAIT_MICROSECONDS
}

/// What is told, and the setting that keeps it in mind once it is recorded.
#[derive(Default)]
pub(super) struct Told {
    pub drift: Vec<(Delta, Verdict)>,
    pub setting: Option<(String, String)>,
}

/// What of a host is not as its packages have it, without what differences tell already and what was
/// told before.
pub(super) async fn findings(
    store: &Store,
    host: Id,
    facts: &Facts,
    held: &Held,
    deltas: &[Delta],
) -> Result<Told, Error> {
    if !held.is_configured {
        return Ok(Told::default());
    }
    let setting = format!("configuration.integrity_told:{host}");
    let told: BTreeSet<String> = store
        .setting(&setting)
        .await?
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let by_delta: BTreeSet<(Class, &[u8])> =
        deltas.iter().map(|delta| (delta.class, delta.name.as_slice())).collect();
    let (mut now, mut found) = (BTreeSet::new(), Vec::new());
    for (delta, verdict) in standing(facts, &held.integrity).into_iter().take(TOLD_MAX) {
        let value = delta.after.as_ref().map(|value| value.to_json().to_string());
        let text = format!("{} {} {}", delta.path(), verdict.reason, value.unwrap_or_default());
        let print = hex::encode(&Sha256::digest(text)[..16]);
        now.insert(print.clone());
        // What the same snapshot shows as a difference is told there.
        if !told.contains(&print) && !by_delta.contains(&(delta.class, delta.name.as_slice())) {
            found.push((delta, verdict));
        }
    }
    let setting = (now != told).then(|| (setting, json!(now).to_string()));
    Ok(Told { drift: found, setting })
}

/// What of a host is not as its packages have it, as drift.
pub(crate) fn standing(facts: &Facts, integrity: &Integrity) -> Vec<(Delta, Verdict)> {
    integrity.findings().iter().map(|finding| drift(facts, finding)).collect()
}

fn drift(facts: &Facts, finding: &Finding) -> (Delta, Verdict) {
    let (class, name) = match &finding.path {
        Some(path) => (Class::File, path.clone()),
        None => (Class::PackageFiles, finding.package.as_str().into()),
    };
    let fact = facts.get(class, name.as_slice());
    let origin = match (&finding.path, fact) {
        (_, Some(fact)) => fact.origin.clone(),
        (Some(path), None) => Origin::File(path.clone(), 0),
        (None, None) => Origin::Default,
    };
    let after = fact.map(|fact| fact.value.clone());
    let delta = Delta { class, name, before: None, after, origin };
    let reason = match (finding.records, finding.why) {
        (Some("scripts"), _) => "other_scripts",
        (Some("sums"), _) | (_, Some(Why::Sum)) => "other_sums",
        _ => "not_as_packaged",
    };
    let by = Some(finding.package.clone());
    (delta, Verdict { class: DriftClass::Unauthorised, reason, by, actor: None })
}

/// The record of a host's files held against manifests; none without archives, or where the snapshot
/// did not look at the files of packages.
pub(super) fn hash_check(
    host: Id,
    record: &Record,
    facts: &Facts,
    held: &Held,
) -> Option<RecordDraft> {
    if !held.is_configured || facts.class(Class::PackageFiles).is_empty() {
        return None;
    }
    let (files, matched, unverified) = held.integrity.tally();
    let numbers = json!({
        "files": files,
        "matched": matched,
        "manifests_unverified": unverified,
    });
    let mut draft = draft("configuration.hash_check", Some(host), record.observed_to, numbers);
    let edited = held.integrity.deviations.iter().filter(|(_, one)| one.why == Why::Conffile);
    let payload = json!({
        "archives": held.made.indexes,
        "missing": held.made.missing.iter().take(NAMED_MAX).collect::<Vec<_>>(),
        "findings": held.integrity.findings().into_iter().take(NAMED_MAX).collect::<Vec<_>>(),
        "edited": edited.map(|(path, _)| path).take(NAMED_MAX).collect::<Vec<_>>(),
    });
    draft.payload = Some(payload.to_string().into_bytes());
    Some(draft)
}
