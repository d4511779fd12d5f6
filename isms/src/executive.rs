//! What goes to the executive between two reviews: a level that dropped, and a threat that does not
//! wait. Each has one page; an instruction is signed there and becomes a decision with a task.
//!
//! Invariants: an instruction is a decision of kind [`INSTRUCTION_KIND`] about the task of the drop or
//! the row of the threat, signed like every decision; it has owner and date from the start and its task
//! from its last signature on; the same instruction about the same matter exists once.

use model::{Id, Level, Status, Table, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError, Write, derived_id};
use web::decide::Ruling;

use crate::{
    Control, days, drops,
    hall::{Acceptance, Hall, RiskView, text_of},
    review::{INSTRUCTION_KIND, follow::Follow},
};

/// Kind of the rows from which a threat is brought before the executive.
pub const THREAT_KIND: &str = "intel_item";
/// Kind of the link from a risk to the threat that makes it.
const THREAT_LINK: &str = "references";
/// Months for which an instruction stands.
const MONTHS: i64 = 24;
/// Days an executive has to look at a threat.
const LOOK_DAYS: i64 = 2;
/// Drops and threats that are listed.
const LISTED_MAX: usize = 50;
const LISTED_DAYS: i64 = 90;
/// Names of misses that are kept with a drop, of each criterion.
const NAMES_MAX: usize = 20;
pub const ORDER_CHARS_MAX: usize = 2_000;
const ACTOR_TASK: &str = "executive";

/// A criterion that keeps a control from a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub criterion: String,
    pub status: String,
    pub passed: u64,
    pub total: u64,
    /// Named misses; `total` less `passed` says how many there are.
    pub misses: Vec<String>,
}

/// The criteria that keep a control from `level`, the lowest rung first.
pub fn why(control: &Control, level: Level) -> Vec<Why> {
    let missing = |v: &&crate::Verdict| {
        v.status != Status::Pass
            && control.spec.criterion(v.criterion).is_some_and(|c| c.level <= level)
    };
    let one = |v: &crate::Verdict| Why {
        criterion: v.criterion.to_owned(),
        status: v.status.name().to_owned(),
        passed: v.passed,
        total: v.total,
        misses: v.misses.iter().take(NAMES_MAX).map(|m| m.name.clone()).collect(),
    };
    control.verdicts.iter().filter(missing).map(one).collect()
}

/// Hours that lift a control back to `level`: misses times the effort of one.
pub fn hours_back(control: &Control, level: Level) -> u64 {
    let minutes = why(control, level).iter().fold(0u64, |sum, why| {
        let each = control.spec.criterion(&why.criterion).map_or(0, |c| c.minutes_per_miss);
        let misses = why.total.saturating_sub(why.passed).max(1);
        sum.saturating_add(u64::from(each).saturating_mul(misses))
    });
    minutes.div_ceil(60)
}

/// A drop with its task.
pub struct Drop {
    pub record: Record,
    pub control: String,
    pub from: Level,
    pub to: Level,
    /// What kept the control from its level when it dropped; empty for records of an older Ume.
    pub why: Vec<Why>,
    pub task: Option<Row>,
}

/// The drop that a record tells of: three statements.
pub async fn drop(store: &Store, id: Id) -> Result<Option<Drop>, StoreError> {
    let Some(record) = store.record(id).await? else { return Ok(None) };
    if record.ty != drops::LEVEL_CHANGED {
        return Ok(None);
    }
    let Some((from, to)) = drops::drop_of(&record) else { return Ok(None) };
    let payload = match record.payload_commit {
        Some(_) => store.payload(id).await?,
        None => None,
    };
    let why = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let task = store.row(Table::Task, drops::task_id(&record)).await?.filter(|t| !t.deleted);
    let control = record.facts.get("control").and_then(Json::as_str).unwrap_or("").to_owned();
    Ok(Some(Drop { control, from, to, why, task, record }))
}

/// Drops of the last months, newest first: one statement.
pub async fn recent_drops(store: &Store) -> Result<Vec<Record>, StoreError> {
    let since = store.now().minus_hours(24 * LISTED_DAYS);
    let mut all = store.newest_records(&[drops::LEVEL_CHANGED], None, 1_000).await?;
    all.retain(|r| r.observed_to >= since && drops::drop_of(r).is_some());
    all.truncate(LISTED_MAX);
    Ok(all)
}

/// Urgent threats of the last months, newest first: one statement.
pub async fn recent_threats(store: &Store) -> Result<Vec<Row>, StoreError> {
    let since = store.now().minus_hours(24 * LISTED_DAYS);
    let mut all = store.all(Table::Asset, &[THREAT_KIND]).await?;
    all.retain(|row| {
        row.created_at >= since && row.attributes.get("urgent") == Some(&Json::Bool(true))
    });
    all.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    all.truncate(LISTED_MAX);
    Ok(all)
}

/// A threat of the register.
pub async fn threat(store: &Store, id: Id) -> Result<Option<Row>, StoreError> {
    let row = store.row(Table::Asset, id).await?;
    Ok(row.filter(|row| row.kind == THREAT_KIND && !row.deleted))
}

/// The task by which executives are told of a threat at once.
pub fn threat_task_id(threat: &Row) -> Id {
    derived_id(threat.created_at, &format!("ume/threat/{}", threat.id))
}

/// The task that makes executives look at a threat; its date is near enough to be told of at once.
pub fn threat_task(threat: &Row, now: Timestamp) -> Row {
    let mut task = Row::new(Table::Task, threat_task_id(threat), "task", &threat.name);
    let due = now.plus_hours(24 * LOOK_DAYS);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(threat.id);
    task.ends_at = Some(due);
    let attributes = json!({
        "due": days::of(due),
        "zone": "UTC",
        "role": ACTOR_TASK,
        "description": format!("/review/threat/{}", threat.id),
        "remind_days": LOOK_DAYS + 1,
        "escalation": ["1 executive"],
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}

/// What an executive instructs.
pub struct Order<'a> {
    pub text: &'a str,
    pub owner: Id,
    /// A day, as `2026-01-31`.
    pub due: &'a str,
    /// The risk it is about, if it names one.
    pub risk: Option<Id>,
}

impl Order<'_> {
    /// Whether it says what, and by when, today or later.
    pub fn is_whole(&self, now: Timestamp) -> bool {
        // The day may have begun already where the organisation is.
        let due = days::begin(self.due).is_some_and(|due| due.plus_hours(38) >= now);
        !self.text.is_empty() && self.text.chars().count() <= ORDER_CHARS_MAX && due
    }

    /// The task it becomes: of the same instruction about the same matter there is one.
    pub fn task_id(&self, about: &Row) -> Id {
        let said = json!([about.id, self.text, self.owner, self.due]);
        derived_id(about.created_at, &format!("ume/order/{said}"))
    }

    /// What is signed about the task of a drop, or the row of a threat.
    pub fn ruling<'s>(&'s self, about: &Row, hash: &'s str, reason: &'s str) -> Ruling<'s> {
        let mut notes = vec![
            ("order", self.text.into()),
            ("assignee", self.owner.to_string().into()),
            ("due", self.due.into()),
            ("task", self.task_id(about).to_string().into()),
        ];
        notes.extend(self.risk.map(|risk| ("risk", risk.to_string().into())));
        Ruling {
            hash,
            outcome: "approved",
            reason,
            hours: web::decide::months(MONTHS),
            kind: INSTRUCTION_KIND,
            notes,
        }
    }
}

/// What the last signature sets going: the task, and the change of the risk that is named.
pub async fn settle(
    store: &Store,
    write: &mut Write<'_>,
    decision: &Row,
) -> Result<(), StoreError> {
    let task = text_of(decision, "task").and_then(|id| id.parse().ok());
    match (task, decision.status.as_str()) {
        (Some(task), "approved") => Follow::new(store).up(write, decision, task).await,
        _ => Ok(()),
    }
}

/// Risks that were linked to a threat.
pub async fn risks_of_threat(store: &Store, threat: Id) -> Result<Vec<Id>, StoreError> {
    let mut links = store.rows_about(Table::Link, &[threat]).await?;
    links.retain(|l| l.kind == THREAT_LINK && l.object == Some(threat) && !l.deleted);
    Ok(links.iter().filter_map(|link| link.subject).collect())
}

/// The link from a risk to the threat that makes it.
pub fn threat_link(id: Id, risk: &Row, threat: &Row) -> Row {
    let name = format!("{} → {}", risk.name, threat.name);
    let mut row = Row::new(Table::Link, id, THREAT_LINK, &name);
    row.subject = Some(risk.id);
    row.object = Some(threat.id);
    row
}

/// Decisions that instruct about this row: those that stand, and those that wait for signatures.
pub async fn instructions(store: &Store, about: Id) -> Result<Vec<Row>, StoreError> {
    let mut all = store.rows_about(Table::Decision, &[about]).await?;
    all.retain(|d| d.kind == INSTRUCTION_KIND && d.subject == Some(about) && !d.deleted);
    all.retain(|d| d.status == "approved" || d.status == web::decide::PROPOSED);
    all.sort_by_key(|d| (d.created_at, d.id));
    Ok(all)
}

/// Open risks that a control treats, the largest first.
pub fn risks_of<'h>(hall: &'h Hall, control: &str) -> Vec<&'h RiskView> {
    let mut all: Vec<&RiskView> =
        hall.risks.iter().filter(|r| r.open && r.controls.iter().any(|c| c == control)).collect();
    all.sort_by_key(|r| (std::cmp::Reverse(r.current.map(|c| c.size())), r.id));
    all
}

/// Whether the drop of a control took the acceptance of a risk away.
pub fn reopened(risk: &RiskView) -> bool {
    matches!(risk.acceptance, Acceptance::Risen)
}
