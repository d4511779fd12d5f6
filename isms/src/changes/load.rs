//! Changes found in the registers, and what was judged of them.

use std::collections::{BTreeMap, BTreeSet};

use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{PAGE_ROWS_MAX, Record, RecordDraft, Row, Store, StoreError};

use super::{
    Change, JUDGED, PLAN_KIND, Plan, RULES_MAX, Signature, Threshold, Version, What, judge,
};
use crate::{hall::EDITION_KIND, scope::STATEMENT, signed};

const ACTOR: &str = "system:isms.changes";
/// Rows of scope and method seen so far, so that a deleted one is missed.
const KNOWN: &str = "isms_changes/known";
/// Changes older than this are not looked for: the criterion does not count them either.
const LOOKS_BACK_DAYS: i64 = 365;
const JUDGED_MAX: usize = 10_000;
const SHOWN_MAX: usize = 200;
/// Rules that have a signature, a judgement or a threshold of their own.
const OTHER_RULES: [&str; 3] = ["control_use", "risk_method", "change_threshold"];

/// What page, command line and API show.
#[derive(Debug)]
pub struct Overview {
    pub threshold: Threshold,
    /// Newest first.
    pub judged: Vec<Record>,
    /// Plans, newest first, with the approval that holds.
    pub plans: Vec<(Row, Option<Row>)>,
}

impl Overview {
    /// Changes of the last year that wanted a plan and had none.
    pub fn findings(&self) -> impl Iterator<Item = &Record> {
        self.judged.iter().filter(|r| is_finding(r))
    }

    /// Everything as one document.
    pub fn json(&self) -> Json {
        let plan = |(row, approval): &(Row, Option<Row>)| {
            json!({
                "id": row.id, "name": row.name, "attributes": row.attributes,
                "is_approved": approval.is_some(),
                "approved_until": approval.as_ref().and_then(|d| d.ends_at).map(Timestamp::rfc3339),
            })
        };
        let judged =
            |r: &Record| json!({"id": r.id, "at": r.observed_to.rfc3339(), "facts": r.facts});
        json!({
            "threshold": self.threshold,
            "findings": self.findings().count(),
            "judged": self.judged.iter().map(judged).collect::<Vec<Json>>(),
            "plans": self.plans.iter().map(plan).collect::<Vec<Json>>(),
        })
    }
}

/// Whether a judged change wanted a plan and had none.
pub(crate) fn is_finding(record: &Record) -> bool {
    let says = |name: &str| record.facts.get(name) == Some(&Json::Bool(true));
    says("above_threshold") && !says("plan_signed_before")
}

/// Four statements.
pub async fn overview(store: &Store) -> Result<Overview, StoreError> {
    let since = store.now().minus_hours(24 * LOOKS_BACK_DAYS);
    let mut judged = store.newest_records(&[JUDGED], None, SHOWN_MAX).await?;
    judged.retain(|r| r.observed_to >= since);
    let mut plans = store.all(Table::Plan, &[PLAN_KIND]).await?;
    plans.sort_by_key(|row| std::cmp::Reverse((row.updated_at, row.id)));
    plans.truncate(SHOWN_MAX);
    let ids: Vec<Id> = plans.iter().map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let mut with = Vec::with_capacity(plans.len());
    for plan in plans {
        let approval = signed::approval(&decisions, &plan, store.now())?.cloned();
        with.push((plan, approval));
    }
    Ok(Overview { threshold: threshold(store).await?, judged, plans: with })
}

async fn threshold(store: &Store) -> Result<Threshold, StoreError> {
    let rows = store.all(Table::Rule, &["change_threshold"]).await?;
    let newest = rows.iter().filter(|r| r.status == "active").max_by_key(|r| (r.updated_at, r.id));
    Ok(newest.map_or_else(Threshold::default, Threshold::of))
}

/// Judges what changed and was not judged yet; returns how many changes that were.
pub async fn record(store: &Store) -> Result<u64, StoreError> {
    let Some(ground) = Ground::load(store).await? else { return Ok(0) };
    let threshold = threshold(store).await?;
    let mut found = ground.scope_and_method(store).await?;
    found.extend(ground.norms(store).await?);
    found.extend(ground.rules(store, &threshold).await?);
    found.retain(|change| !ground.judged.contains(&change.key));
    if found.is_empty() {
        return Ok(0);
    }
    found.sort_by_key(|change| change.at);
    let plans = plans(store).await?;
    let mut write = store.write(ACTOR, "changes of the ISMS", "").await?;
    for change in &found {
        let facts = judge(change, &threshold, &plans);
        write
            .record(RecordDraft {
                ty: JUDGED.to_owned(),
                subject: change.subject,
                observed_from: change.at,
                observed_to: change.at,
                source: "isms.state".to_owned(),
                assurance: Assurance::Machine,
                facts: facts.as_object().cloned().unwrap_or_default(),
                payload: None,
            })
            .await?;
    }
    write.commit().await?;
    Ok(found.len() as u64)
}

/// What changes are held against.
struct Ground {
    /// From when on the ISMS is in force, and the earliest moment looked at.
    since: Timestamp,
    in_force: Timestamp,
    /// Scope statements and methods, deleted ones among them.
    rows: Vec<Row>,
    judged: BTreeSet<String>,
    /// When a change of many rules was judged last.
    rules_judged: Option<Timestamp>,
}

impl Ground {
    /// `None` as long as nothing was approved.
    async fn load(store: &Store) -> Result<Option<Ground>, StoreError> {
        let assets = store.all(Table::Asset, &[STATEMENT, EDITION_KIND]).await?;
        let methods = store.all(Table::Rule, &["risk_method"]).await?;
        let gone = remembered(store, &assets, &methods).await?;
        let lost = gone.iter().filter(|row| row.table == Table::Asset);
        let about: Vec<Id> = assets.iter().chain(lost).map(|row| row.id).collect();
        let decisions = store.rows_about(Table::Decision, &about).await?;
        let approved = |d: &&Row| d.kind == "approval" && d.status == "approved";
        let Some(in_force) = decisions.iter().filter(approved).map(|d| d.updated_at).min() else {
            return Ok(None);
        };
        let since = in_force.max(store.now().minus_hours(24 * LOOKS_BACK_DAYS));
        let records = store.records_since(&[JUDGED], since, JUDGED_MAX).await?;
        let text = |r: &Record, name: &str| r.facts.get(name)?.as_str().map(str::to_owned);
        let of_rules = |r: &&Record| text(r, "what").as_deref() == Some(What::Rules.name());
        let rows = assets.into_iter().filter(|r| r.kind == STATEMENT).chain(methods).chain(gone);
        Ok(Some(Ground {
            since,
            in_force,
            rows: rows.collect(),
            judged: records.iter().filter_map(|r| text(r, "change")).collect(),
            rules_judged: records.iter().filter(of_rules).map(|r| r.observed_to).max(),
        }))
    }

    async fn scope_and_method(&self, store: &Store) -> Result<Vec<Change>, StoreError> {
        let mut found = Vec::new();
        for row in self.rows.iter().filter(|row| row.updated_at > self.since) {
            let what = if row.table == Table::Rule { What::Method } else { What::Scope };
            let mut versions = store.history(row.table, row.id).await?;
            versions.reverse();
            let mut before: Option<(String, bool)> = None;
            for version in versions {
                let says = (version.content_hash()?, version.deleted);
                if version.updated_at > self.since && before.as_ref() != Some(&says) {
                    let (table, id) = (row.table.name(), row.id);
                    found.push(Change {
                        what,
                        key: format!("{table}/{id}/{}", version.version),
                        subject: Some(row.id),
                        at: version.updated_at,
                        rules: 0,
                    });
                }
                before = Some(says);
            }
        }
        Ok(found)
    }

    /// One change for each edition that came in, however many norms it holds.
    async fn norms(&self, store: &Store) -> Result<Vec<Change>, StoreError> {
        let rows = store.all(Table::Norm, &["annex_a", "clause"]).await?;
        let edition = |row: &Row| {
            let text = |name: &str| crate::hall::text_of(row, name).unwrap_or("").to_owned();
            (text("set"), text("edition"))
        };
        let known: BTreeSet<(String, String)> =
            rows.iter().filter(|r| r.created_at <= self.in_force).map(&edition).collect();
        let mut came: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
        let mut note = |of: (String, String), at: Timestamp| {
            let first = came.entry(of).or_insert(at);
            *first = at.min(*first);
        };
        for row in rows.iter().filter(|row| row.updated_at > self.since) {
            if row.created_at > self.since && !known.contains(&edition(row)) {
                note(edition(row), row.created_at);
            }
            let mut before = None;
            for version in store.history(row.table, row.id).await?.iter().rev() {
                let now = edition(version);
                let moved = before.as_ref().is_some_and(|before| *before != now);
                if moved && version.updated_at > self.since {
                    note(now.clone(), version.updated_at);
                }
                before = Some(now);
            }
        }
        let change = |((set, edition), at): ((String, String), Timestamp)| Change {
            what: What::NormVersion,
            key: format!("norm/{set}/{edition}"),
            subject: None,
            at,
            rules: 0,
        };
        Ok(came.into_iter().map(change).collect())
    }

    /// At most one change: what was counted once is not counted again.
    async fn rules(
        &self,
        store: &Store,
        threshold: &Threshold,
    ) -> Result<Option<Change>, StoreError> {
        let window = store.now().minus_hours(24 * threshold.window_days);
        let from = self.since.max(window).max(self.rules_judged.unwrap_or(window));
        let changed = store
            .changed_since(&[Table::Rule], Timestamp(from.0.saturating_add(1)), PAGE_ROWS_MAX)
            .await?;
        // What the program itself brings is no change that people plan.
        let own = |by: &str| by == "ume" || by.starts_with("system:");
        let by_people = changed
            .iter()
            .filter(|r| !OTHER_RULES.contains(&r.kind.as_str()) && !own(&r.updated_by));
        let times: Vec<Timestamp> = by_people.map(|r| r.updated_at).collect();
        let count = times.len() as u64;
        let Some(newest) =
            times.iter().max().filter(|_| count > threshold.rules_max.min(RULES_MAX))
        else {
            return Ok(None);
        };
        Ok(Some(Change {
            what: What::Rules,
            key: format!("rules/{}", newest.0),
            subject: None,
            at: *newest,
            rules: count,
        }))
    }
}

/// Rows of scope and method that were there once and are gone; remembers those that are there.
async fn remembered(
    store: &Store,
    assets: &[Row],
    methods: &[Row],
) -> Result<Vec<Row>, StoreError> {
    let name = |row: &Row| format!("{}/{}", row.table.name(), row.id);
    let watched = assets.iter().filter(|r| r.kind == STATEMENT).chain(methods);
    let there: BTreeSet<String> = watched.map(name).collect();
    let before = store.setting(KNOWN).await?.unwrap_or_default();
    let known: BTreeSet<String> = before.split_whitespace().map(str::to_owned).collect();
    let mut gone = Vec::new();
    for missing in known.difference(&there) {
        let Some((table, id)) = missing.split_once('/') else { continue };
        if let (Some(table), Ok(id)) = (Table::parse(table), id.parse::<Id>()) {
            gone.extend(store.row(table, id).await?);
        }
    }
    let all: Vec<String> = known.union(&there).cloned().collect();
    let all = all.join(" ");
    if all != before {
        store.set_setting(KNOWN, &all).await?;
    }
    Ok(gone)
}

async fn plans(store: &Store) -> Result<Vec<Plan>, StoreError> {
    let rows = store.all(Table::Plan, &[PLAN_KIND]).await?;
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let mut plans = Vec::with_capacity(rows.len());
    for row in rows {
        let mut history = store.history(Table::Plan, row.id).await?;
        history.reverse();
        let versions = history.iter().map(Version::of).collect::<Result<Vec<_>, _>>()?;
        let signed = decisions.iter().filter(|d| {
            d.subject == Some(row.id) && d.kind == "approval" && d.status == "approved"
        });
        let signature = |d: &Row| {
            let hash = d.subject_hash.clone()?;
            Some(Signature { hash, at: d.updated_at, until: d.ends_at })
        };
        plans.push(Plan {
            id: row.id,
            versions,
            signatures: signed.filter_map(signature).collect(),
        });
    }
    Ok(plans)
}
