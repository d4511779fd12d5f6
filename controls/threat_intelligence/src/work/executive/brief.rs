//! The brief: issued of itself, kept as its snapshot, acknowledged by executives.
//!
//! Invariants: the PDF is made of the snapshot and never kept; its hash is in the record; who acknowledges does so once;
//! what was to be briefed is done by the acknowledgement.

use model::{Assurance, Id, Lang, Table, Timestamp};
use reports::pdf::PdfError;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Record, RecordDraft, Row, Store, StoreError};

use super::{
    super::{actions, triage},
    ACKNOWLEDGED, ACTOR, Horizon, ISSUED, ROLE, YEAR_HOURS, criterion, fact,
    hits::{self, Hit},
    orders, review_day, sheet,
    snapshot::{self, Made, Making, Snapshot},
};

const TLP_REFUSED: &str = "threat_intelligence.tlp_refused";
/// Name of the exit in records of what was refused.
const OUTLET: &str = "brief";
const BRIEFS_MAX: usize = 1_000;
const MINUTE_MICROS: i64 = 60_000_000;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;
/// Executives are reminded of a short-term brief from the beginning.
const REMIND_DAYS: i64 = 2;
const LOOK_HOURS: i64 = 24;

/// Why there is no brief.
#[derive(Debug, thiserror::Error)]
pub enum BriefError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pdf(#[from] PdfError),
}

/// A brief as it was issued.
#[derive(Clone, Debug)]
pub struct Brief {
    pub record: Record,
    /// None where its payload was shredded.
    pub snapshot: Option<Snapshot>,
    pub acknowledged: Vec<Record>,
}

impl Brief {
    pub fn horizon(&self) -> Horizon {
        horizon(&self.record)
    }

    /// The page as PDF, made of the snapshot.
    pub fn pdf(&self, lang: Lang) -> Result<Option<Vec<u8>>, BriefError> {
        let Some(snapshot) = &self.snapshot else { return Ok(None) };
        Ok(Some(pdf(snapshot, lang)?))
    }

    /// Whether a PDF is the one that was issued: another build of this program may draw another.
    pub fn is_as_issued(&self, pdf: &[u8], lang: Lang) -> bool {
        hex::encode(Sha256::digest(pdf)) == fact(&self.record, hash_field(lang))
    }
}

fn hash_field(lang: Lang) -> &'static str {
    match lang {
        Lang::Ja => "pdf_hash",
        Lang::En => "pdf_hash_en",
    }
}

fn horizon(record: &Record) -> Horizon {
    Horizon::named(fact(record, "horizon")).unwrap_or(Horizon::Short)
}

/// The page of a snapshot.
pub fn pdf(snapshot: &Snapshot, lang: Lang) -> Result<Vec<u8>, BriefError> {
    let hash = snapshot.hash()?;
    Ok(reports::pdf::write_sheet(&sheet::sheet(snapshot, &hash, lang))?)
}

/// Briefs without what they say, newest first.
pub async fn records(store: &Store) -> Result<Vec<Record>, StoreError> {
    store.newest_records(&[ISSUED], None, BRIEFS_MAX).await
}

/// One brief: three statements.
pub async fn one(store: &Store, id: Id) -> Result<Option<Brief>, StoreError> {
    let Some(record) = store.record(id).await?.filter(|record| record.ty == ISSUED) else {
        return Ok(None);
    };
    let snapshot = match record.payload_commit {
        Some(_) => store.payload(id).await?,
        None => None,
    };
    let snapshot = snapshot.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let acknowledged = store.newest_records(&[ACKNOWLEDGED], Some(id), BRIEFS_MAX).await?;
    Ok(Some(Brief { record, snapshot, acknowledged }))
}

/// When each brief was acknowledged first.
pub async fn acknowledgements(store: &Store) -> Result<Vec<Record>, StoreError> {
    let since = store.now().minus_hours(2 * YEAR_HOURS);
    store.records_since(&[ACKNOWLEDGED], since, BRIEFS_MAX * 10).await
}

fn moment(record: &Record, name: &str) -> Timestamp {
    Timestamp::parse(fact(record, name)).unwrap_or(Timestamp(0))
}

/// Whether a brief tells of a hit.
pub fn covers(brief: &Record, hit: &Record) -> bool {
    fact(brief, "horizon") == fact(hit, "horizon")
        && hit.received_at > moment(brief, "covers_from")
        && hit.received_at <= moment(brief, "covers_to")
}

/// When an executive first acknowledged a brief that tells of the hit.
pub fn delivered(hit: &Record, briefs: &[Record], acks: &[Record]) -> Option<Timestamp> {
    let telling = briefs.iter().filter(|brief| covers(brief, hit));
    telling
        .flat_map(|brief| acks.iter().filter(move |ack| ack.subject == Some(brief.id)))
        .map(|ack| ack.received_at)
        .min()
}

/// From where on hits are new: the end of the newest brief that was acknowledged.
fn covers_from(horizon: Horizon, briefs: &[Record], acks: &[Record], now: Timestamp) -> Timestamp {
    let seen = |brief: &&Record| acks.iter().any(|ack| ack.subject == Some(brief.id));
    let of = briefs.iter().filter(|brief| fact(brief, "horizon") == horizon.as_str());
    let last = of.filter(seen).map(|brief| moment(brief, "covers_to")).max();
    last.unwrap_or(now.minus_hours(2 * YEAR_HOURS))
}

/// Makes the brief of this moment, without issuing it.
pub async fn make(store: &Store, horizon: Horizon) -> Result<Made, BriefError> {
    let now = store.now();
    let (organisation, zone) = super::organisation(store).await?;
    let (briefs, acks) = (records(store).await?, acknowledgements(store).await?);
    let from = covers_from(horizon, &briefs, &acks, now);
    let mut told = hits::records(store, from).await?;
    told.retain(|hit| {
        fact(hit, "horizon") == horizon.as_str() && hit.received_at > from && hit.received_at <= now
    });
    let hits: Vec<Hit> = hits::with_details(store, told).await?;
    let orders = orders::all(store, &zone).await?;
    let owners = orders::owners(store, &orders).await?;
    let criteria = criterion::all(store).await?;
    let last = briefs.iter().filter(|brief| fact(brief, "horizon") == horizon.as_str());
    let making = Making {
        horizon,
        organisation: &organisation,
        zone: &zone,
        covers_from: from,
        told_until: last.map(|brief| moment(brief, "covers_to")).max().unwrap_or(Timestamp(0)),
        hits: &hits,
        orders: &orders,
        owners: &owners,
        criteria: &criteria,
        review_on: review_day::next(store, &zone).await?,
    };
    Ok(snapshot::make(store, &making).await?)
}

/// Issues the brief of this moment; executives get the task to look at it unless they have one.
pub async fn issue(store: &Store, horizon: Horizon, actor: &str) -> Result<Record, BriefError> {
    let made = make(store, horizon).await?;
    let snapshot = &made.snapshot;
    let payload = snapshot.canonical()?.into_bytes();
    let mut criteria: Vec<&str> = snapshot.hits.iter().map(|hit| hit.trigger.as_str()).collect();
    criteria.sort_unstable();
    criteria.dedup();
    let facts = json!({
        "horizon": horizon.as_str(),
        "criteria": criteria,
        "pdf_hash": hex::encode(Sha256::digest(pdf(snapshot, Lang::Ja)?)),
        "pdf_hash_en": hex::encode(Sha256::digest(pdf(snapshot, Lang::En)?)),
        "snapshot_hash": snapshot.hash()?,
        "tlp": snapshot.tlp,
        "verdict": snapshot.verdict().as_str(),
        "hits": snapshot.hits.len() as i64 + snapshot.hits_beyond,
        "left_out": snapshot.left_out,
        "covers_from": snapshot.covers_from,
        "covers_to": snapshot.covers_to,
        "review_on": snapshot.review_on.clone().filter(|_| horizon == Horizon::Long),
    });
    let facts = facts.as_object().cloned().unwrap_or_default();
    let refused = newly_refused(store, &made.refused).await?;
    let task = look_task(store, snapshot, horizon).await?;
    let now = store.now();
    let mut write = store.write(actor, "brief", "work").await?;
    let record = write
        .record(RecordDraft {
            ty: ISSUED.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.executive".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            payload: Some(payload),
        })
        .await?;
    for item in refused {
        let facts = json!({ "outlet": OUTLET, "tlp": "red" });
        write.record(room::draft(TLP_REFUSED, Some(item), now, facts)).await?;
    }
    if let Some(mut task) = task {
        task.attributes.insert(
            "description".to_owned(),
            format!("{}\n/intelligence/brief/{}", task.name, record.id).into(),
        );
        write.put(task).await?;
    }
    write.commit().await?;
    Ok(record)
}

/// Items whose refusal was not recorded before.
async fn newly_refused(store: &Store, items: &[Id]) -> Result<Vec<Id>, StoreError> {
    let since = store.now().minus_hours(2 * YEAR_HOURS);
    let known = store.present().records_about(TLP_REFUSED, items, since).await?;
    let is_known = |id: &Id| {
        known.iter().any(|record| record.subject == Some(*id) && fact(record, "outlet") == OUTLET)
    };
    Ok(items.iter().copied().filter(|id| !is_known(id)).collect())
}

/// The task of looking at it: one at a time for each horizon.
async fn look_task(
    store: &Store,
    snapshot: &Snapshot,
    horizon: Horizon,
) -> Result<Option<Row>, StoreError> {
    if !open_looks(store, horizon).await?.is_empty() {
        return Ok(None);
    }
    let now = store.now();
    let first = snapshot.hits.iter().filter_map(|hit| Timestamp::parse(hit.due.as_deref()?)).min();
    let due = first.unwrap_or(now.plus_hours(LOOK_HOURS)).max(now.plus_hours(1));
    let name = match horizon {
        Horizon::Short => "脅威の要約（短期）の確認 / Acknowledge the short-term threat brief",
        Horizon::Long => "脅威の要約（中長期）の確認 / Acknowledge the long-term threat brief",
    };
    let mut task = Row::new(Table::Task, store.new_id()?, "task", name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.ends_at = Some(due);
    let attributes = json!({
        "due": due.rfc3339().chars().take(super::DAY_CHARS).collect::<String>(),
        "zone": "UTC",
        "role": ROLE,
        "remind_days": REMIND_DAYS,
        "closes_with": ACKNOWLEDGED,
        "closes_where": { "horizon": horizon.as_str() },
        "escalation": ["1 officer"],
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    Ok(Some(task))
}

async fn open_looks(store: &Store, horizon: Horizon) -> Result<Vec<Row>, StoreError> {
    let open = store.open_tasks(10_000).await?;
    let is_it = |task: &Row| {
        super::text_of(task, "closes_with") == ACKNOWLEDGED
            && task.attributes.get("closes_where").and_then(|w| w.get("horizon"))
                == Some(&json!(horizon.as_str()))
    };
    Ok(open.into_iter().filter(|task| !task.deleted && is_it(task)).collect())
}

/// Why a brief is not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeError {
    #[error("this account acknowledged it already")]
    Twice,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes that an executive has read it, and closes what waited for that. The caller has made sure of the role.
pub async fn acknowledge(
    store: &Store,
    brief: &Brief,
    actor: &str,
) -> Result<Record, AcknowledgeError> {
    if brief.acknowledged.iter().any(|ack| ack.actor == actor) {
        return Err(AcknowledgeError::Twice);
    }
    let now = store.now();
    let facts = json!({
        "audience": ROLE,
        "verdict": match fact(&brief.record, "verdict") { "" => "watch", word => word },
        "proof": format!("{ISSUED} {}", brief.record.id),
        "delay_min": (now.0 - brief.record.received_at.0).max(0) / MINUTE_MICROS,
        "horizon": brief.horizon().as_str(),
    });
    let mut write = store.write(actor, "brief acknowledged", "web").await?;
    let record = write.record(room::draft(ACKNOWLEDGED, Some(brief.record.id), now, facts)).await?;
    write.commit().await?;
    for task in open_looks(store, brief.horizon()).await? {
        // One record closes one task.
        let closed = tasks::close::close(store, task, &record, actor).await;
        if closed.inspect_err(|error| tracing::warn!(%error, "a task stays open")).is_ok() {
            break;
        }
    }
    close_briefed(store, brief, &record, actor).await?;
    Ok(record)
}

/// What was judged to be briefed, and stands in this brief, is done.
async fn close_briefed(
    store: &Store,
    brief: &Brief,
    ack: &Record,
    actor: &str,
) -> Result<(), StoreError> {
    let issued = brief.record.received_at;
    for task in snapshot::open_tasks(store).await? {
        let Some(item) = task.subject else { continue };
        if triage::audience(&task) != ROLE || task.created_at > issued {
            continue;
        }
        let Some(row) = store.row(Table::Asset, item).await? else { continue };
        // What was left out was not read here.
        if super::evidence::level(super::text_of(&row, "tlp")) == indicators::tlp::Level::Red {
            continue;
        }
        let proof = format!("{ACKNOWLEDGED} {}", ack.id);
        let mut write = store.write(actor, "brief acknowledged", "web").await?;
        let done = actions::done(store, &mut write, &row, &task, &proof).await?;
        write.commit().await?;
        let closed = tasks::close::close(store, task, &done, actor).await;
        let _ = closed.inspect_err(|error| tracing::warn!(%error, "a task stays open"));
    }
    Ok(())
}

/// Issues what is due: at once what does not wait, at most once an hour; before a review what waits for it.
pub async fn issue_due(store: &Store) -> Result<Vec<Record>, BriefError> {
    let now = store.now();
    let (_, zone) = super::organisation(store).await?;
    let briefs = records(store).await?;
    let newest =
        |horizon: Horizon| briefs.iter().find(|brief| fact(brief, "horizon") == horizon.as_str());
    let mut issued = Vec::new();
    let last = newest(Horizon::Short);
    let told = last.map_or(Timestamp(0), |brief| moment(brief, "covers_to"));
    let is_new =
        |hit: &Record| fact(hit, "horizon") == Horizon::Short.as_str() && hit.received_at > told;
    let hits = hits::records(store, told.max(now.minus_hours(YEAR_HOURS))).await?;
    let briefed = snapshot::open_tasks(store).await?;
    let is_asked = |task: &Row| triage::audience(task) == ROLE && task.created_at > told;
    let waits = hits.iter().any(is_new) || briefed.iter().any(is_asked);
    let may_again = last.is_none_or(|brief| now.0 - brief.received_at.0 >= HOUR_MICROS);
    if waits && may_again {
        issued.push(issue(store, Horizon::Short, ACTOR).await?);
    }
    let Some(day) = review_day::next(store, &zone).await? else { return Ok(issued) };
    let criteria = criterion::all(store).await?;
    let long = criteria.iter().filter_map(criterion::Ruled::in_force);
    let before = long.filter(|(c, _)| c.horizon == Horizon::Long).map(|(c, _)| c.due_hours).max();
    let begins =
        super::begin(&day.to_string(), &zone).and_then(|day| Some(day.minus_hours(before?)));
    let is_for = |brief: &Record| fact(brief, "review_on") == day.to_string();
    if begins.is_some_and(|begins| now >= begins) && !newest(Horizon::Long).is_some_and(is_for) {
        issued.push(issue(store, Horizon::Long, ACTOR).await?);
    }
    Ok(issued)
}

/// A brief as lists show it.
pub fn document(record: &Record, acks: &[Record]) -> Json {
    let seen = acks.iter().filter(|ack| ack.subject == Some(record.id));
    let first = seen.clone().map(|ack| ack.received_at).min();
    json!({
        "id": record.id,
        "horizon": fact(record, "horizon"),
        "issued_at": record.received_at.rfc3339(),
        "tlp": fact(record, "tlp"),
        "hits": record.facts.get("hits"),
        "left_out": record.facts.get("left_out"),
        "criteria": record.facts.get("criteria"),
        "snapshot_hash": fact(record, "snapshot_hash"),
        "pdf_hash": fact(record, "pdf_hash"),
        "pdf_hash_en": fact(record, "pdf_hash_en"),
        "acknowledged": seen.count(),
        "acknowledged_at": first.map(Timestamp::rfc3339),
    })
}
