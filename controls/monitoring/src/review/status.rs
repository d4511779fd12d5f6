//! The look at the steady state of a site: what is heard, what is silent, what waits; signed once a week.
//!
//! Invariants: what a signer saw is counted by Ume, not typed in; of a site without any source nothing can be signed
//! that would count, since nothing was seen.

use std::collections::BTreeMap;

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write, derived_id};

use crate::{
    findings::{self, CANARY, FINDING},
    work::canary::SOURCE,
};

/// Type of the record of a look.
pub const REVIEW: &str = "monitoring.status_review";
const STATUS: &str = "monitoring.source_status";
const OPEN_MAX: usize = 1_000;
/// A status older than this says nothing of now.
const FRESH_H: i64 = 24;
const SITES_MAX: usize = 1_000;
const ACTOR: &str = "system:monitoring.status_tasks";

/// What is to be seen.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Sources of this machine by name, with what was received.
    pub sources: Vec<(String, u64)>,
    /// Newest status of each asset: whether it was silent, and when it was.
    pub assets: Vec<(Id, bool, Timestamp)>,
    /// Findings that wait, and those that wait too long.
    pub open: usize,
    pub late: usize,
    /// Whether the newest test of the alarm arrived, and when it was.
    pub canary: Option<(bool, Timestamp)>,
    pub pending: u64,
    pub lost: u64,
}

impl Status {
    /// Four statements, and one for the scope.
    pub async fn load(store: &Store, intake: &Json, now: Timestamp) -> Result<Status, StoreError> {
        let latest = store.latest_per_subject(&[STATUS, CANARY]).await?;
        let (statuses, canary): (Vec<Record>, Vec<Record>) =
            latest.into_iter().partition(|record| record.ty == STATUS);
        let number = |record: &Record, name: &str| {
            record.facts.get(name).and_then(Json::as_u64).unwrap_or(0)
        };
        let fresh: Vec<&Record> =
            statuses.iter().filter(|r| now.hours_since(r.observed_to) < FRESH_H).collect();
        let silent = |record: &Record| {
            let said = record.facts.get("silent") != Some(&Json::Bool(false));
            said || now.hours_since(record.observed_to) >= FRESH_H
        };
        let found = store.newest_records(&[FINDING], None, OPEN_MAX).await?;
        let alerts = findings::with_judgements(store, found).await?;
        let due = findings::Due::load(store).await?;
        let open: Vec<_> = alerts.iter().filter(|alert| alert.judged.is_none()).collect();
        let is_late = |alert: &&&findings::Alert| {
            alert.waited_min(now) > due.within_min(alert.fact("severity"))
        };
        let arrived = |r: &Record| r.facts.get("arrived") == Some(&Json::Bool(true));
        Ok(Status {
            sources: sources(intake),
            assets: statuses
                .iter()
                .filter_map(|r| Some((r.subject?, silent(r), r.observed_to)))
                .collect(),
            open: open.len(),
            late: open.iter().filter(is_late).count(),
            canary: canary.first().map(|r| (arrived(r), r.observed_to)),
            pending: fresh.iter().map(|r| number(r, "pending")).sum(),
            lost: fresh.iter().map(|r| number(r, "lost_total")).sum(),
        })
    }

    /// What of it lies at a site: assets placed there, and those that are placed nowhere.
    pub fn at(&self, site: Id, places: &BTreeMap<Id, Id>) -> Status {
        let is_here = |(asset, ..): &&(Id, bool, Timestamp)| {
            places.get(asset).is_none_or(|place| *place == site)
        };
        Status { assets: self.assets.iter().filter(is_here).copied().collect(), ..self.clone() }
    }

    pub fn silent(&self) -> usize {
        self.assets.iter().filter(|(_, silent, _)| *silent).count()
    }

    pub fn seen(&self) -> usize {
        self.sources.len() + self.assets.len()
    }

    /// What is not as it should be.
    pub fn abnormal(&self) -> usize {
        let canary = self.canary.is_none_or(|(arrived, _)| !arrived);
        self.silent() + self.late + usize::from(canary)
    }
}

/// Sources of this machine, without Ume's own test.
fn sources(intake: &Json) -> Vec<(String, u64)> {
    let all = intake.as_object().into_iter().flatten();
    let all = all.filter(|(name, _)| name.as_str() != SOURCE);
    all.map(|(name, counts)| (name.clone(), counts["received"].as_u64().unwrap_or(0))).collect()
}

/// Sites of the register, by name.
pub async fn sites(store: &Store) -> Result<Vec<Row>, StoreError> {
    let mut rows = store.all(Table::Asset, &["site"]).await?;
    rows.retain(|row| row.status == "active");
    rows.truncate(SITES_MAX);
    Ok(rows)
}

/// Site of each asset that says where it lies, as far as one link tells.
pub async fn places(store: &Store, status: &Status) -> Result<BTreeMap<Id, Id>, StoreError> {
    let ids: Vec<Id> = status.assets.iter().map(|(id, ..)| *id).collect();
    let links = store.links(&ids, "located_in", store::End::Subject).await?;
    Ok(links.iter().filter_map(|link| Some((link.subject?, link.object?))).collect())
}

/// Writes the look of somebody at a site.
pub async fn sign(
    write: &mut Write<'_>,
    site: Id,
    status: &Status,
    (note, signer, tasks): (&str, Option<Id>, i64),
    now: Timestamp,
) -> Result<Record, StoreError> {
    let mut facts = json!({
        "signed": true,
        "sources_seen": status.seen(),
        "abnormal": status.abnormal(),
        "tasks": tasks,
    });
    if let Some(signer) = signer {
        facts["signer"] = json!(signer);
    }
    let payload = json!({
        "note": note,
        "silent": status.assets.iter().filter(|(_, s, _)| *s).map(|(id, ..)| id).collect::<Vec<_>>(),
        "open": status.open,
        "late": status.late,
        "pending": status.pending,
        "lost": status.lost,
    });
    let draft = RecordDraft {
        source: "monitoring.review".to_owned(),
        payload: serde_json::to_vec(&payload).ok(),
        ..room::draft(REVIEW, Some(site), now, facts)
    };
    write.record(draft).await
}

/// Makes the weekly task of each site; the record of a look closes it, and then comes the next.
pub async fn tasks(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (store, now) = (ctx.store(), ctx.store().now());
    let mut made = 0;
    for site in sites(store).await? {
        let id = derived_id(site.created_at, &format!("ume/status-review/{}", site.id));
        // Whoever deletes it does not want it.
        if store.row(Table::Task, id).await?.is_some() {
            continue;
        }
        let mut write = store.write(ACTOR, "weekly task", "").await?;
        write.put(task(id, &site, now)).await?;
        write.commit().await?;
        made += 1;
    }
    Ok(json!({ "made": made }))
}

fn task(id: Id, site: &Row, now: Timestamp) -> Row {
    let name = format!("定常状態の確認 / Status review: {}", site.name);
    let mut task = Row::new(Table::Task, id, "task", &name.chars().take(150).collect::<String>());
    let due = now.plus_hours(24 * 7);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(site.id);
    task.ends_at = Some(due);
    let attributes = json!({
        "due": due.rfc3339().chars().take("2026-01-31".len()).collect::<String>(),
        "zone": "UTC",
        "rrule": "FREQ=WEEKLY",
        "closes_with": REVIEW,
        "description": format!("/monitoring/review/status?site={}", site.id),
        "remind_days": 1,
        "role": "administrator",
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}
