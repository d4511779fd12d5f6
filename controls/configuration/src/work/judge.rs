//! From snapshots to drift and checks: each new snapshot of a host is held against the one before it
//! and against the eight families; what came out is recorded in one transaction.
//!
//! Invariants: a snapshot is judged once; every difference is in a record, singly or, beyond
//! `SINGLE_MAX`, together with others in the payload of one.

use baseline::{
    CheckResult, Context, Delta, DriftClass, Facts, Family, Integrity, Mask, Outcome, RuleSet,
    Verdict, check, classify, tally,
};
use model::{Id, Table, Timestamp};
use room::{Error, Shared, blocking, draft};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Filter, Record, RecordDraft, Row, Store};

use super::{
    SNAPSHOT, actors,
    changes::{self, scope::setting},
    handled::{self, Handled},
    keys, manifests,
};

/// Differences with a record of their own.
const SINGLE_MAX: usize = 300;
const RULES_MAX: usize = 1_000;
const MICROSECONDS_DAY: i64 = 86_400_000_000;

/// The job and whoever has just collected may judge at once; a snapshot is judged by one of them.
static JUDGING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Judges what has come since the last run.
pub async fn judge(ctx: Shared) -> Result<Json, Error> {
    let _one = JUDGING.lock().await;
    let store = ctx.store();
    let (mut judged, mut deltas, mut waiting) = (0, 0, 0);
    for record in store.latest_per_subject(&[SNAPSHOT]).await? {
        let Some(host) = record.subject else { continue };
        let setting = format!("configuration.judged:{host}");
        let before = store.setting(&setting).await?.and_then(|id| id.parse::<Id>().ok());
        if before == Some(record.id) {
            continue;
        }
        match one(&ctx, host, before, &record).await? {
            Judged::Done(count) => (judged, deltas) = (judged + 1, deltas + count),
            Judged::Unreadable => {}
            Judged::Later => {
                waiting += 1;
                continue;
            }
        }
        store.set_setting(&setting, &record.id.to_string()).await?;
    }
    if judged > 0 {
        ctx.house.wake();
    }
    let archives = ctx.house.kept.get::<manifests::Archives>().seen();
    Ok(json!({ "judged": judged, "deltas": deltas, "waiting": waiting, "archives": archives }))
}

/// What became of a snapshot.
enum Judged {
    /// With so many differences.
    Done(usize),
    /// It has no facts that can be read.
    Unreadable,
    /// An archive that cannot be reached may be there again.
    Later,
}

async fn facts_of(store: &Store, id: Id) -> Result<Option<Facts>, Error> {
    let payload = store.payload(id).await?;
    // A payload of an older format, or a shredded one, is nothing to compare with.
    Ok(payload.and_then(|bytes| Facts::from_document(&bytes).ok()))
}

async fn one(ctx: &Shared, host: Id, before: Option<Id>, record: &Record) -> Result<Judged, Error> {
    let store = ctx.store();
    let Some(new) = facts_of(store, record.id).await? else { return Ok(Judged::Unreadable) };
    let (new, held) = manifests::of(ctx, new).await?;
    if manifests::waits(&held, record, store.now()) {
        return Ok(Judged::Later);
    }
    let (old, old_time) = match before {
        Some(id) => {
            (facts_of(store, id).await?, store.record(id).await?.map(|r| r.observed_from.0))
        }
        None => (None, None),
    };
    let mut rules = RuleSet::standard(None, &keys::of_house(store).await?);
    rules.today = Some(record.observed_to.0 / MICROSECONDS_DAY);
    let (seen_from, seen_to) =
        (old_time.unwrap_or(record.observed_from.0) / 1_000_000, record.observed_to.0 / 1_000_000);
    let deltas = old.as_ref().map(|old| baseline::changes(old, &new)).unwrap_or_default();
    let past = match old {
        Some(old) if !deltas.is_empty() => manifests::kept(ctx, old).await?,
        _ => Integrity::default(),
    };
    let told = manifests::findings(store, host, &new, &held, &deltas).await?;
    let hash_check = manifests::hash_check(host, record, &new, &held);
    let agreed = changes::agreed(store, host, (seen_from, seen_to), &deltas).await?;
    let context = Context {
        masks: masks(store).await?,
        integrity: held.integrity,
        before: past,
        changes: agreed.changes,
        design: agreed.design,
        actors: actors::of(store, host, (seen_from, seen_to), &new, &deltas).await?,
        seen_from,
        seen_to,
    };
    let (mut drift, results) = blocking(move || {
        let mut verdicts = classify(&deltas, &context);
        changes::mark_pending(&deltas, &mut verdicts, &context, agreed.pending);
        let drift: Vec<(Delta, Verdict)> = deltas.into_iter().zip(verdicts).collect();
        (drift, check(&new, &rules))
    })
    .await?;
    drift.extend(told.drift);
    let count = drift.len();
    let failing = results.iter().filter(|r| r.outcome == Outcome::Fail).map(|r| r.id);
    let handled = handled::of(store, host, failing).await?;
    let mut write = store.write("system:configuration.judge", "work", "").await?;
    for mut draft in drift_drafts(host, record, before, &drift) {
        // The earliest at which it can have come about.
        draft.observed_from = old_time.map_or(draft.observed_from, Timestamp);
        write.record(draft).await?;
    }
    if let Some(draft) = hash_check {
        write.record(draft).await?;
    }
    for family in Family::ALL {
        let run = write.record(check_draft(host, record, family, &results, &handled)).await?;
        handled::close(store, &mut write, host, &run, &results).await?;
    }
    write.commit().await?;
    if let Some((name, value)) = told.setting {
        store.set_setting(&name, &value).await?;
    }
    Ok(Judged::Done(count))
}

/// Masks of the register that have not ended.
async fn masks(store: &Store) -> Result<Vec<Mask>, Error> {
    let filter =
        Filter { kind: Some("volatile".to_owned()), limit: RULES_MAX, ..Filter::default() };
    let rows = store.list(Table::Rule, &filter).await?;
    Ok(rows.iter().filter_map(mask).collect())
}

/// `class/pattern`, or a path, whose files are meant.
fn mask(row: &Row) -> Option<Mask> {
    let text = |name: &str| row.attributes.get(name).and_then(Json::as_str);
    // A path without class means a file.
    let scope = setting(text("mask")?)?;
    let ends_on: jiff::civil::Date = text("expires_on")?.parse().ok()?;
    // The last day counts to its end.
    let midnight = ends_on.tomorrow().ok()?.at(0, 0, 0, 0);
    let ends = jiff::tz::TimeZone::UTC.to_timestamp(midnight).ok()?;
    Some(Mask {
        scope,
        ends_at: ends.as_second(),
        reason: text("reason").unwrap_or_default().to_owned(),
    })
}

fn hash(value: &baseline::Value) -> String {
    Sha256::digest(value.to_json().to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn drift_drafts(
    host: Id,
    record: &Record,
    before: Option<Id>,
    drift: &[(Delta, Verdict)],
) -> Vec<RecordDraft> {
    let told = |delta: &Delta, verdict: &Verdict| json!({ "delta": delta, "verdict": verdict, "old": before, "new": record.id });
    let single = drift.iter().take(SINGLE_MAX).map(|(delta, verdict)| {
        let payload = json!([told(delta, verdict)]);
        drift_draft(host, record, &delta.path(), delta, verdict, payload)
    });
    let mut drafts: Vec<RecordDraft> = single.collect();
    let rest = drift.get(SINGLE_MAX..).unwrap_or_default();
    // The gravest class stands for all of them.
    if let Some((delta, verdict)) = rest.iter().max_by_key(|(_, verdict)| verdict.class) {
        let all: Vec<Json> = rest.iter().map(|(delta, verdict)| told(delta, verdict)).collect();
        let key = format!("{} (+{})", delta.path(), rest.len() - 1);
        drafts.push(drift_draft(host, record, &key, delta, verdict, Json::Array(all)));
    }
    drafts
}

fn drift_draft(
    host: Id,
    record: &Record,
    key: &str,
    delta: &Delta,
    verdict: &Verdict,
    payload: Json,
) -> RecordDraft {
    let mut facts = Map::from_iter([
        ("key".to_owned(), json!(key.replace('\0', "\\x00"))),
        ("class".to_owned(), json!(verdict.class.as_str())),
        ("actor_known".to_owned(), json!(verdict.actor.is_some())),
        ("change_approved".to_owned(), json!(verdict.class == DriftClass::Authorised)),
    ]);
    for (name, value) in [("before", &delta.before), ("after", &delta.after)] {
        if let Some(value) = value {
            facts.insert(name.to_owned(), json!(hash(value)));
        }
    }
    let is_of_change =
        verdict.class == DriftClass::Authorised || verdict.reason == changes::PENDING;
    if let Some(change) = verdict.by.as_ref().filter(|_| is_of_change) {
        facts.insert("change".to_owned(), json!(change));
    }
    let mut draft =
        draft("configuration.drift", Some(host), record.observed_to, Json::Object(facts));
    draft.payload = Some(payload.to_string().into_bytes());
    draft
}

fn check_draft(
    host: Id,
    record: &Record,
    family: Family,
    results: &[CheckResult],
    handled: &Handled,
) -> RecordDraft {
    let is_open =
        |r: &&CheckResult| r.family == family && r.outcome == Outcome::Fail && !handled.has(r.id);
    let open = results.iter().filter(is_open).count();
    let [pass, fail, unknown, _] = tally(results, family);
    let facts = json!({
        "family": family.as_str(),
        "ran": unknown == 0,
        "checks": pass + fail + unknown,
        "failures": fail,
        // What has neither an open task nor an exception that holds.
        "failures_open": open,
        "unknown": unknown,
    });
    let mut draft = draft("configuration.check_run", Some(host), record.observed_to, facts);
    let own: Vec<&CheckResult> = results
        .iter()
        .filter(|r| r.family == family && r.outcome != Outcome::NotApplicable)
        .collect();
    draft.payload = Some(json!(own).to_string().into_bytes());
    draft
}
