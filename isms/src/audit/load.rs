//! What audits are drawn from, read from board and store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError};

use super::{
    ALL_DAYS, AUDIT_KIND, Asked, Item, Question, SAMPLED, State, coverage, findings, questions,
};
use crate::{
    Board,
    drops::LEVEL_CHANGED,
    hall::{fact, soa::SoaRow, text_of},
    norms,
};

const RECORDS_MAX: usize = 50_000;

/// What was asked so far, newest first, by item.
pub(super) type History = HashMap<String, Vec<Asked>>;

/// What page and command line need of the audits.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub state: State,
    pub findings: Vec<Row>,
    /// Newest first.
    pub audits: Vec<Row>,
    /// The programme changed last.
    pub programme: Option<Row>,
}

/// Reads the state: four statements.
pub async fn load(store: &Store, board: &Board) -> Result<Loaded, StoreError> {
    let history = history(store, board.at).await?;
    let levels = store
        .records_since(&[LEVEL_CHANGED], board.at.minus_hours(24 * ALL_DAYS), RECORDS_MAX)
        .await?;
    let rows = store.all(Table::Asset, &["audit_finding", "audit_item"]).await?;
    let plans = store.all(Table::Plan, &["audit_programme", AUDIT_KIND]).await?;
    let (mut audits, programmes): (Vec<Row>, Vec<Row>) =
        plans.into_iter().partition(|row| row.kind == AUDIT_KIND);
    audits.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    let programme = programmes.into_iter().max_by_key(|r| (r.updated_at, r.id));
    let known = Known {
        history,
        moved: moved(&levels),
        findings: rows.iter().filter(|r| r.kind == "audit_finding").collect(),
        own: rows.iter().filter(|r| r.kind == "audit_item").collect(),
        isms_owner: programme.as_ref().and_then(|r| text_of(r, "isms_owner")?.parse().ok()),
    };
    let controls = board.view.soa.iter().map(|row| known.control(row, board));
    let items = controls.chain(known.clauses()).collect();
    let state = State { at: board.at, items };
    let findings = rows.into_iter().filter(|r| r.kind == "audit_finding").collect();
    Ok(Loaded { state, findings, audits, programme })
}

pub(super) async fn history(store: &Store, now: Timestamp) -> Result<History, StoreError> {
    let since = now.minus_hours(24 * ALL_DAYS);
    let records = store.records_since(&[SAMPLED], since, RECORDS_MAX).await?;
    let mut history = History::new();
    for record in records.iter().rev().filter(|r| r.observed_to <= now) {
        if let Some(number) = fact(record, "control") {
            history.entry(number.to_owned()).or_default().push(asked(record));
        }
    }
    Ok(history)
}

fn asked(record: &Record) -> Asked {
    Asked {
        at: record.observed_to,
        auditor: fact(record, "auditor").and_then(|id| id.parse().ok()),
        question: fact(record, "question").unwrap_or("").to_owned(),
    }
}

/// When the level of each control moved last.
fn moved(levels: &[Record]) -> BTreeMap<&str, Timestamp> {
    levels.iter().filter_map(|r| Some((fact(r, "control")?, r.observed_to))).collect()
}

struct Known<'a> {
    history: History,
    moved: BTreeMap<&'a str, Timestamp>,
    findings: Vec<&'a Row>,
    own: Vec<&'a Row>,
    isms_owner: Option<Id>,
}

impl Known<'_> {
    fn control(&self, row: &SoaRow, board: &Board) -> Item {
        let asked = self.history.get(&row.control).cloned().unwrap_or_default();
        let last = asked.first().map(|a| a.at);
        let level = self.moved.get(row.control.as_str());
        let differs = row.difference.is_some() && board.view.approved.is_some();
        Item {
            number: row.control.clone(),
            title_ja: row.title_ja.clone(),
            title_en: row.title_en.clone(),
            owner: row.owner,
            is_new: row.new_in_2022,
            applicable: row.is_applicable(),
            moved: differs || level.is_some_and(|at| last.is_none_or(|last| *at > last)),
            coverage: row.coverage,
            exception_until: row.exceptions.iter().filter_map(|(_, until)| *until).min(),
            findings: self.findings_of(&row.control, last),
            questions: self.questions(&row.control),
            asked,
        }
    }

    /// Clauses that questions are shipped for.
    fn clauses(&self) -> Vec<Item> {
        let numbers: BTreeSet<&str> = questions::all()
            .iter()
            .map(questions::Shipped::number)
            .filter(|number| number.starts_with("c."))
            .collect();
        let clauses = norms::clauses();
        let titled = |number: &str| clauses.iter().find(|n| n.id == number).copied();
        let item = |number: &str, norm: Option<&norms::Norm>| {
            let asked = self.history.get(number).cloned().unwrap_or_default();
            Item {
                number: number.to_owned(),
                title_ja: norm.map_or(String::new(), |n| n.title_ja.clone()),
                title_en: norm.map_or(String::new(), |n| n.title_en.clone()),
                owner: self.isms_owner,
                is_new: false,
                applicable: true,
                moved: false,
                coverage: None,
                exception_until: None,
                findings: self.findings_of(number, asked.first().map(|a| a.at)),
                questions: self.questions(number),
                asked,
            }
        };
        numbers.iter().map(|number| item(number, titled(number))).collect()
    }

    /// Findings still open, and those made since it was looked at last.
    fn findings_of(&self, number: &str, last: Option<Timestamp>) -> u64 {
        let counts = |row: &&&Row| {
            text_of(row, "control") == Some(number)
                && (text_of(row, "closed_on").is_none()
                    || last.is_none_or(|last| row.created_at >= last))
        };
        self.findings.iter().filter(counts).count() as u64
    }

    fn questions(&self, number: &str) -> Vec<Question> {
        let shipped = questions::all().iter().filter(|q| q.number() == number);
        let own = self.own.iter().filter(|row| text_of(row, "clause") == Some(number));
        shipped.map(questions::Shipped::question).chain(own.map(|row| own_question(row))).collect()
    }
}

fn own_question(row: &Row) -> Question {
    let text = row.attributes.get("question").and_then(Json::as_str).unwrap_or("").to_owned();
    Question {
        id: row.id.to_string(),
        ja: text.clone(),
        en: text,
        evidence_ja: String::new(),
        evidence_en: String::new(),
    }
}

impl Loaded {
    /// Coverage, findings and items as one document.
    pub fn json(&self, now: Timestamp) -> Json {
        let finding = |row: &Row| {
            json!({
                "id": row.id, "attributes": row.attributes,
                "standing": findings::standing(row, now),
            })
        };
        json!({
            "at": self.state.at.rfc3339(),
            "coverage": coverage(&self.state),
            "findings": self.findings.iter().map(finding).collect::<Vec<Json>>(),
            "items": self.state.items,
        })
    }
}
