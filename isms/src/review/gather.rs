//! What a review is drawn from, read from board and store; and the reviews there are.

use std::{collections::HashMap, sync::Arc};

use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Record, Row, Store, StoreError};

use super::{HELD_KIND, INSTRUCTION_KIND, Input, PACK, REVIEW_KIND};
use crate::{
    Board, days,
    hall::{Hall, text_of},
    signed,
};

/// Without an earlier review so much is looked back.
const LOOKS_BACK_DAYS: i64 = 365;
const RECORDS_MAX: usize = 20_000;
const REVIEWS_SHOWN_MAX: usize = 50;

/// Records that a review reports of.
const REPORTED: [&str; 10] = [
    "isms.change_judged",
    "isms.audit_sample",
    "isms.training_completed",
    "threat_intelligence.brief_issued",
    "leakage_prevention.leak",
    "leakage_prevention.near_miss",
    "monitoring.finding",
    "ict_readiness.activation",
    "physical_monitoring.alarm",
    "leakage_prevention.education_result",
];

/// Kinds of assets whose changes and dates a review reports.
const ASSETS: [&str; 8] = [
    "context_issue",
    "party_need",
    "interface",
    "scope_statement",
    "objective",
    "audit_finding",
    "licence",
    "intel_item",
];

/// Everything a review is drawn from.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// When the last review was held; else the beginning of the window.
    pub since: Timestamp,
    pub is_first: bool,
    /// Instructions of earlier reviews and orders of executives.
    pub instructions: Vec<Row>,
    pub tasks: Vec<Row>,
    /// Live rows of the kinds that are reported.
    pub assets: Vec<Row>,
    pub suppliers: Vec<Row>,
    /// Records since the last review, oldest first.
    pub records: Vec<Record>,
    pub parties: HashMap<Id, String>,
    /// People, and how many of them read the policy in force.
    pub acknowledged: Option<(usize, usize)>,
    /// Controls without audit for three years, and the eleven without one for a year.
    pub unaudited: (usize, usize),
    pub controls: Vec<ControlLine>,
    pub hall: Arc<Hall>,
}

/// How a control of the eleven stands.
#[derive(Clone, Debug)]
pub struct ControlLine {
    pub number: String,
    pub ja: &'static str,
    pub en: &'static str,
    pub level: &'static str,
    pub target: Option<&'static str>,
    pub stale: usize,
    pub unknown: usize,
    pub coverage: (u64, u64),
}

impl Gathered {
    /// Reads what a review held now reports.
    pub async fn load(store: &Store, board: &Board) -> Result<Gathered, StoreError> {
        let now = store.now();
        let held = last_held(store).await?;
        let since = held.unwrap_or_else(|| now.minus_hours(24 * LOOKS_BACK_DAYS));
        let audit = crate::audit::load(store, board).await?;
        let coverage = crate::audit::coverage(&audit.state);
        let instructions =
            store.all(Table::Decision, &[INSTRUCTION_KIND, "executive_order"]).await?;
        // What still waits for signatures instructs nobody.
        let stands = |row: &Row| row.kind != INSTRUCTION_KIND || row.status == "approved";
        let instructions = instructions.into_iter().filter(stands).collect::<Vec<_>>();
        let tasks = store.all(Table::Task, &["task"]).await?;
        let assets = store.all(Table::Asset, &ASSETS).await?;
        let suppliers = store.all(Table::Party, &["supplier"]).await?;
        let records = store.records_since(&REPORTED, since, RECORDS_MAX).await?;
        let acknowledged = match crate::policy::current(store).await? {
            Some(policy) => Some(crate::policy::coverage(store, policy).await?),
            None => None,
        };
        let named = instructions.iter().chain(&tasks).chain(&assets);
        let fields = ["assignee", "responsible"];
        let ids: Vec<Id> = named
            .flat_map(|row| fields.iter().filter_map(|f| text_of(row, f)?.parse().ok()))
            .collect();
        let parties = store.rows_by_id(Table::Party, &unique(ids)).await?;
        Ok(Gathered {
            since,
            is_first: held.is_none(),
            instructions,
            tasks,
            assets,
            suppliers,
            records,
            parties: parties.into_iter().map(|row| (row.id, row.name)).collect(),
            acknowledged: acknowledged.map(|c| (c.people.len(), c.current())),
            unaudited: (coverage.unaudited.len(), coverage.new_all - coverage.new_audited),
            controls: board.controls.iter().map(control).collect(),
            hall: board.view.clone(),
        })
    }

    /// Name of the party that a field names.
    pub fn party(&self, row: &Row, field: &str) -> &str {
        let id: Option<Id> = text_of(row, field).and_then(|id| id.parse().ok());
        id.and_then(|id| self.parties.get(&id)).map_or("–", String::as_str)
    }
}

fn unique(mut ids: Vec<Id>) -> Vec<Id> {
    ids.sort();
    ids.dedup();
    ids
}

fn control(control: &crate::Control) -> ControlLine {
    let count = |status| control.verdicts.iter().filter(|v| v.status == status).count();
    let target = (control.target > control.level).then(|| control.target.sign());
    let add = |(a, b): (u64, u64), v: &crate::Verdict| (a + v.passed, b + v.total);
    ControlLine {
        number: control.spec.control.to_owned(),
        ja: control.spec.name.ja,
        en: control.spec.name.en,
        level: control.level.sign(),
        target,
        stale: count(model::Status::Stale),
        unknown: count(model::Status::Unknown),
        coverage: control.verdicts.iter().fold((0, 0), add),
    }
}

/// When the last signed review was held.
async fn last_held(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    let packs = store.newest_records(&[PACK], None, 1).await?;
    Ok(packs.first().map(|r| r.observed_to))
}

/// One review as pages show it.
#[derive(Clone, Debug)]
pub struct Held {
    pub row: Row,
    pub inputs: Vec<Input>,
    pub instructions: Vec<Instruction>,
    /// The decision over it as it stands.
    pub signed: Option<Row>,
    /// The same, as long as signatures are missing.
    pub begun: Option<Row>,
}

impl Held {
    /// Instructions whose task is closed.
    pub fn done(&self) -> usize {
        self.instructions.iter().filter(|i| i.state == "closed").count()
    }
}

/// One instruction, before or after the signature.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Instruction {
    pub text: String,
    pub owner: Option<Id>,
    pub due: String,
    /// The risk it is about, if it names one.
    pub risk: Option<Id>,
    /// The task, once there is one.
    pub task: Option<Id>,
    /// `open`, `closed`; empty where there is none.
    pub state: String,
}

/// The reviews, newest first: three statements.
pub async fn overview(store: &Store) -> Result<Vec<Held>, StoreError> {
    let mut rows = store.all(Table::Plan, &[REVIEW_KIND]).await?;
    rows.sort_by_key(|row| {
        std::cmp::Reverse((days::field(row, "held_on"), row.created_at, row.id))
    });
    rows.truncate(REVIEWS_SHOWN_MAX);
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let tasks: Vec<Id> =
        decisions.iter().filter_map(|d| text_of(d, "task")?.parse().ok()).collect();
    let tasks = store.rows_by_id(Table::Task, &tasks).await?;
    rows.into_iter().map(|row| held(row, &decisions, &tasks)).collect()
}

/// One review: three statements.
pub async fn one(store: &Store, id: Id) -> Result<Option<Held>, StoreError> {
    let row = store.row(Table::Plan, id).await?;
    let Some(row) = row.filter(|row| row.kind == REVIEW_KIND && !row.deleted) else {
        return Ok(None);
    };
    let decisions = store.rows_about(Table::Decision, &[id]).await?;
    let tasks: Vec<Id> =
        decisions.iter().filter_map(|d| text_of(d, "task")?.parse().ok()).collect();
    let tasks = store.rows_by_id(Table::Task, &tasks).await?;
    held(row, &decisions, &tasks).map(Some)
}

fn held(row: Row, decisions: &[Row], tasks: &[Row]) -> Result<Held, StoreError> {
    let signed = signed::newest(decisions, &row, &[HELD_KIND])?;
    let signed = signed.filter(|d| d.status == "approved").cloned();
    let hash = row.content_hash()?;
    let begun = decisions.iter().find(|d| {
        d.kind == HELD_KIND
            && d.subject == Some(row.id)
            && d.status == web::decide::PROPOSED
            && d.subject_hash.as_deref() == Some(hash.as_str())
    });
    let given: Vec<&Row> = decisions
        .iter()
        .filter(|d| d.kind == INSTRUCTION_KIND && d.subject == Some(row.id))
        .collect();
    let instructions = match signed {
        Some(_) => given.iter().map(|d| given_instruction(d, tasks)).collect(),
        None => proposed(&row),
    };
    Ok(Held { inputs: inputs(&row), instructions, signed, begun: begun.cloned(), row })
}

pub(crate) fn given_instruction(decision: &Row, tasks: &[Row]) -> Instruction {
    let text = |name: &str| text_of(decision, name).unwrap_or("").to_owned();
    let task = tasks.iter().find(|t| text_of(decision, "task") == Some(&t.id.to_string()));
    Instruction {
        text: text("order"),
        owner: text("assignee").parse().ok(),
        due: text("due"),
        risk: text("risk").parse().ok(),
        task: task.map(|t| t.id),
        state: task.map_or(String::new(), |t| t.status.clone()),
    }
}

/// The inputs as they stand in the row.
pub fn inputs(row: &Row) -> Vec<Input> {
    let inputs = row.attributes.get("inputs").cloned().unwrap_or_default();
    serde_json::from_value(inputs).unwrap_or_default()
}

/// The instructions as they stand in the row.
pub fn proposed(row: &Row) -> Vec<Instruction> {
    let lines = row.attributes.get("instructions").and_then(Json::as_array);
    let text = |line: &Json, name: &str| line[name].as_str().unwrap_or("").trim().to_owned();
    let line = |line: &Json| Instruction {
        text: text(line, "text"),
        owner: text(line, "owner").parse().ok(),
        due: text(line, "due"),
        risk: text(line, "risk").parse().ok(),
        task: None,
        state: String::new(),
    };
    lines.into_iter().flatten().map(line).collect()
}
