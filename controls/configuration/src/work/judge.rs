//! From snapshots to drift and checks: each new snapshot of a host is held against the one before it
//! and against the eight families; what came out is recorded in one transaction.
//!
//! Invariants: a snapshot is judged once; every difference is in a record, singly or, beyond
//! `SINGLE_MAX`, together with others in the payload of one.

use baseline::{
    CheckResult, Class, Context, Delta, DriftClass, Facts, Family, Mask, Outcome, RuleSet, Scope,
    Verdict, check, classify, tally,
};
use model::{Id, Table};
use room::{Error, Shared, blocking, draft};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Filter, Record, RecordDraft, Row, Store};

use super::{SNAPSHOT, actors, changes, keys, manifests};

/// Differences with a record of their own.
const SINGLE_MAX: usize = 300;
const RULES_MAX: usize = 1_000;
const MICROSECONDS_DAY: i64 = 86_400_000_000;

/// The job and whoever has just collected may judge at once; a snapshot is judged by one of them.
static JUDGING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Judges what has come since the last run.
pub(super) async fn judge(ctx: Shared) -> Result<Json, Error> {
    let _one = JUDGING.lock().await;
    let store = ctx.store();
    let (mut judged, mut deltas) = (0, 0);
    for record in store.latest_per_subject(&[SNAPSHOT]).await? {
        let Some(host) = record.subject else { continue };
        let setting = format!("configuration.judged:{host}");
        let before = store.setting(&setting).await?.and_then(|id| id.parse::<Id>().ok());
        if before == Some(record.id) {
            continue;
        }
        if let Some(count) = one(store, host, before, &record).await? {
            (judged, deltas) = (judged + 1, deltas + count);
        }
        store.set_setting(&setting, &record.id.to_string()).await?;
    }
    if judged > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "judged": judged, "deltas": deltas }))
}

async fn facts_of(store: &Store, id: Id) -> Result<Option<Facts>, Error> {
    let payload = store.payload(id).await?;
    // A payload of an older format, or a shredded one, is nothing to compare with.
    Ok(payload.and_then(|bytes| Facts::from_document(&bytes).ok()))
}

/// How many differences there were; none for a snapshot without readable facts.
async fn one(
    store: &Store,
    host: Id,
    before: Option<Id>,
    record: &Record,
) -> Result<Option<usize>, Error> {
    let Some(new) = facts_of(store, record.id).await? else { return Ok(None) };
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
    let deltas = old.map(|old| baseline::changes(&old, &new)).unwrap_or_default();
    let context = Context {
        masks: masks(store).await?,
        manifests: manifests::of(store, host, &new).await?,
        changes: changes::approved(store, host).await?,
        design: changes::design(store, host).await?,
        actors: actors::of(store, host, (seen_from, seen_to), &new, &deltas).await?,
        seen_from,
        seen_to,
    };
    let (drift, results) = blocking(move || {
        let verdicts = classify(&deltas, &context);
        let drift: Vec<(Delta, Verdict)> = deltas.into_iter().zip(verdicts).collect();
        (drift, check(&new, &rules))
    })
    .await?;
    let count = drift.len();
    let mut write = store.write("system:configuration.judge", "work", "").await?;
    for draft in drift_drafts(host, record, &drift) {
        write.record(draft).await?;
    }
    for family in Family::ALL {
        write.record(check_draft(host, record, family, &results)).await?;
    }
    write.commit().await?;
    Ok(Some(count))
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
    let given = text("mask")?;
    let (class, pattern) = match given.split_once('/') {
        Some((class, pattern)) if !class.is_empty() => (Class::named(class)?, pattern),
        _ => (Class::File, given),
    };
    let ends_on: jiff::civil::Date = text("expires_on")?.parse().ok()?;
    // The last day counts to its end.
    let midnight = ends_on.tomorrow().ok()?.at(0, 0, 0, 0);
    let ends = jiff::tz::TimeZone::UTC.to_timestamp(midnight).ok()?;
    Some(Mask {
        scope: Scope { class: Some(class), pattern: pattern.into() },
        ends_at: ends.as_second(),
        reason: text("reason").unwrap_or_default().to_owned(),
    })
}

fn hash(value: &baseline::Value) -> String {
    Sha256::digest(value.to_json().to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn drift_drafts(host: Id, record: &Record, drift: &[(Delta, Verdict)]) -> Vec<RecordDraft> {
    let single = drift.iter().take(SINGLE_MAX).map(|(delta, verdict)| {
        let payload = json!([{ "delta": delta, "verdict": verdict }]);
        drift_draft(host, record, &delta.path(), delta, verdict, payload)
    });
    let mut drafts: Vec<RecordDraft> = single.collect();
    let rest = drift.get(SINGLE_MAX..).unwrap_or_default();
    // The gravest class stands for all of them.
    if let Some((delta, verdict)) = rest.iter().max_by_key(|(_, verdict)| verdict.class) {
        let all: Vec<Json> = rest
            .iter()
            .map(|(delta, verdict)| json!({ "delta": delta, "verdict": verdict }))
            .collect();
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
    if let (DriftClass::Authorised, Some(change)) = (verdict.class, &verdict.by) {
        facts.insert("change".to_owned(), json!(change));
    }
    let mut draft =
        draft("configuration.drift", Some(host), record.observed_to, Json::Object(facts));
    draft.payload = Some(payload.to_string().into_bytes());
    draft
}

fn check_draft(host: Id, record: &Record, family: Family, results: &[CheckResult]) -> RecordDraft {
    let [pass, fail, unknown, _] = tally(results, family);
    let facts = json!({
        "family": family.as_str(),
        "ran": unknown == 0,
        "checks": pass + fail + unknown,
        "failures": fail,
        // Tasks and exceptions are decided later; until then every failure is open.
        "failures_open": fail,
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
