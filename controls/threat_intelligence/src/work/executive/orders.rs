//! Orders of executives: a signed decision with owner and date, its task, the risk it is about, and its end.
//!
//! Invariants: decision, task, link and record are one change; the task is closed by the record that the order is
//! closed and by nothing else; what closes an order is a record or a decision that is there and came after it.

use jiff::tz::TimeZone;
use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write, derived_id};
use web::decide::Ruling;

use super::{ACTOR, GIVEN, Horizon, ORDER, ORDER_CLOSED, ROLE, YEAR_HOURS, begin, fact, text_of};

pub const ORDER_CHARS_MAX: usize = 2_000;
const NAME_CHARS_MAX: usize = 80;
/// Months for which an order stands.
const MONTHS: i64 = 24;
const ORDERS_MAX: usize = 1_000;
const CLOSED_MAX: usize = 10_000;
const RISK_LINK: &str = "references";
const REMIND_DAYS: i64 = 7;

/// What an executive orders.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    pub text: &'a str,
    pub owner: Id,
    /// A day, as `2026-01-31`.
    pub due: &'a str,
    pub horizon: Horizon,
    pub risk: Option<Id>,
    /// The brief upon which it is given.
    pub brief: Option<&'a Record>,
}

/// Why an order cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    Text,
    Due,
}

impl Order<'_> {
    /// What keeps it from being given.
    pub fn lacks(&self, now: Timestamp, zone: &TimeZone) -> Option<Lacks> {
        if self.text.trim().is_empty() || self.text.chars().count() > ORDER_CHARS_MAX {
            return Some(Lacks::Text);
        }
        match begin(self.due, zone) {
            Some(day) if day.plus_hours(24) > now => None,
            _ => Some(Lacks::Due),
        }
    }

    /// As decision and task are called.
    pub fn name(&self) -> String {
        self.text.lines().next().unwrap_or("").chars().take(NAME_CHARS_MAX).collect()
    }

    /// The same order upon the same brief has one task.
    pub fn task_id(&self) -> Id {
        let about = self.brief.map(|brief| brief.id);
        let said = json!([about, self.text, self.owner, self.due]);
        let at = self.brief.map_or(Timestamp(0), |brief| brief.received_at);
        derived_id(at, &format!("ume/executive-order/{said}"))
    }

    /// What is signed.
    pub fn ruling<'s>(&'s self, reason: &'s str) -> Ruling<'s> {
        let mut notes = vec![
            ("order", Json::from(self.text)),
            ("assignee", self.owner.to_string().into()),
            ("due", self.due.into()),
            ("horizon", self.horizon.as_str().into()),
            ("task", self.task_id().to_string().into()),
        ];
        notes.extend(self.risk.map(|risk| ("risk", risk.to_string().into())));
        notes.extend(self.brief.map(|brief| ("brief", brief.id.to_string().into())));
        Ruling {
            hash: "",
            outcome: "approved",
            reason,
            hours: web::decide::months(MONTHS),
            kind: ORDER,
            notes,
        }
    }
}

/// What the last signature sets going: task, link to the risk, record. As long as signatures are missing nothing
/// happens.
pub async fn settle(
    store: &Store,
    write: &mut Write<'_>,
    decision: &Row,
    zone: &TimeZone,
) -> Result<bool, StoreError> {
    let task = text_of(decision, "task").parse::<Id>();
    let (Ok(task), "approved") = (task, decision.status.as_str()) else { return Ok(false) };
    let due = text_of(decision, "due");
    write.put(task_of(decision, task, due, zone)).await?;
    let risk = match text_of(decision, "risk").parse::<Id>() {
        Ok(id) => store.row(Table::Risk, id).await?.filter(|row| !row.deleted),
        Err(_) => None,
    };
    if let Some(risk) = risk {
        let name = format!("{} → {}", risk.name, decision.name);
        let mut link = Row::new(Table::Link, store.new_id()?, RISK_LINK, &name);
        (link.subject, link.object) = (Some(risk.id), Some(decision.id));
        link.status = "active".to_owned();
        write.put(link).await?;
    }
    let facts = json!({ "due": due, "horizon": horizon(decision).as_str() });
    write.record(draft(store, GIVEN, decision, Assurance::Machine, facts)).await?;
    Ok(true)
}

fn horizon(decision: &Row) -> Horizon {
    Horizon::named(text_of(decision, "horizon")).unwrap_or(Horizon::Short)
}

fn task_of(decision: &Row, id: Id, due: &str, zone: &TimeZone) -> Row {
    let mut task = Row::new(Table::Task, id, "task", &decision.name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(decision.id);
    task.ends_at = begin(due, zone).map(|day| day.plus_hours(24));
    let attributes = json!({
        "due": due,
        "zone": zone.iana_name().unwrap_or("UTC"),
        "assignee": text_of(decision, "assignee"),
        "description": format!("{}\n/intelligence/orders", text_of(decision, "order")),
        "remind_days": REMIND_DAYS,
        "closes_with": ORDER_CLOSED,
        "escalation": ["1 officer", format!("1 {ROLE}")],
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}

fn draft(
    store: &Store,
    ty: &str,
    decision: &Row,
    assurance: Assurance,
    facts: Json,
) -> RecordDraft {
    let now = store.now();
    RecordDraft {
        ty: ty.to_owned(),
        subject: Some(decision.id),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.executive".to_owned(),
        assurance,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

/// An order as it stands.
#[derive(Clone, Debug)]
pub struct Given {
    pub decision: Row,
    pub task: Option<Row>,
    pub closed: Option<Record>,
    /// The end of the day on which it is due.
    pub due: Option<Timestamp>,
    pub owner: Option<Id>,
}

impl Given {
    pub fn text(&self) -> &str {
        match text_of(&self.decision, "order") {
            "" => &self.decision.name,
            text => text,
        }
    }

    pub fn due_day(&self) -> &str {
        text_of(&self.decision, "due")
    }

    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Whole days for which it is overdue; none if it is not.
    pub fn days_late(&self, now: Timestamp) -> Option<i64> {
        let due = self.due.filter(|due| self.is_open() && *due < now)?;
        Some(now.hours_since(due) / 24)
    }
}

/// All orders that stand, open ones first and of them what is due first: three statements.
pub async fn all(store: &Store, zone: &TimeZone) -> Result<Vec<Given>, StoreError> {
    let mut decisions = store.all(Table::Decision, &[ORDER]).await?;
    decisions.retain(|d| !matches!(d.status.as_str(), "rejected" | web::decide::PROPOSED));
    decisions.sort_by_key(|d| std::cmp::Reverse((d.created_at, d.id)));
    decisions.truncate(ORDERS_MAX);
    let ids: Vec<Id> = decisions.iter().map(|d| d.id).collect();
    let tasks = store.rows_about(Table::Task, &ids).await?;
    let since = store.now().minus_hours(3 * YEAR_HOURS);
    let closed = store.records_since(&[ORDER_CLOSED], since, CLOSED_MAX).await?;
    let mut all: Vec<Given> = decisions
        .into_iter()
        .map(|decision| Given {
            task: tasks.iter().find(|task| task.subject == Some(decision.id)).cloned(),
            closed: closed.iter().find(|record| record.subject == Some(decision.id)).cloned(),
            due: begin(text_of(&decision, "due"), zone).map(|day| day.plus_hours(24)),
            owner: text_of(&decision, "assignee").parse().ok(),
            decision,
        })
        .collect();
    all.sort_by_key(|given| (!given.is_open(), given.due));
    Ok(all)
}

/// Why an order is not closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    #[error("it was closed already")]
    Closed,
    #[error("{0}: this is no id of a record or decision")]
    NoId(String),
    #[error("{0}: there is no such record, and no such decision that was approved")]
    Nothing(Id),
    #[error("{0}: it is older than the order")]
    Old(Id),
    #[error("{0}: an order is not closed by itself")]
    Itself(Id),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Task(#[from] tasks::close::NotClosed),
}

/// The record or decision that shows the deed, as the closing record names it.
pub async fn proof(store: &Store, given: &Given, named: &str) -> Result<String, CloseError> {
    let named = named.trim().rsplit('/').next().unwrap_or_default();
    let id: Id = named.parse().map_err(|_| CloseError::NoId(named.to_owned()))?;
    let ordered = given.decision.created_at;
    if id == given.decision.id {
        return Err(CloseError::Itself(id));
    }
    if let Some(record) = store.record(id).await? {
        if record.ty == GIVEN && record.subject == Some(given.decision.id) {
            return Err(CloseError::Itself(id));
        }
        return match record.observed_to < ordered {
            true => Err(CloseError::Old(id)),
            false => Ok(format!("{} {id}", record.ty)),
        };
    }
    let decision = store.row(Table::Decision, id).await?;
    let decision = decision.filter(|d| !d.deleted && d.status == "approved");
    match decision {
        None => Err(CloseError::Nothing(id)),
        Some(decision) if decision.updated_at < ordered => Err(CloseError::Old(id)),
        Some(decision) => Ok(format!("{} {id}", decision.kind)),
    }
}

/// Writes that the order is carried out, and closes its task by it.
pub async fn close(
    store: &Store,
    mut write: Write<'_>,
    given: &Given,
    proof: &str,
) -> Result<Record, CloseError> {
    if !given.is_open() {
        return Err(CloseError::Closed);
    }
    let in_time = given.due.is_none_or(|due| store.now() <= due);
    let facts = json!({ "in_time": in_time, "proof": proof });
    let actor = write.actor().to_owned();
    let record = write
        .record(draft(store, ORDER_CLOSED, &given.decision, Assurance::Attested, facts))
        .await?;
    write.commit().await?;
    if let Some(task) = given.task.clone().filter(|task| task.status != "closed") {
        tasks::close::close(store, task, &record, &actor).await?;
    }
    Ok(record)
}

/// Sets going what was signed elsewhere and has no task yet.
pub async fn follow_up(store: &Store, zone: &TimeZone) -> Result<usize, StoreError> {
    let mut count = 0;
    for given in all(store, zone).await? {
        let lacks = given.task.is_none() && given.is_open() && given.decision.status == "approved";
        let Ok(task) = text_of(&given.decision, "task").parse::<Id>() else { continue };
        // A task that was deleted stays so; that an order has none is told.
        if !lacks || store.row(Table::Task, task).await?.is_some() {
            continue;
        }
        let mut write = store.write(ACTOR, "an order that was signed", "work").await?;
        settle(store, &mut write, &given.decision, zone).await?;
        write.commit().await?;
        count += 1;
    }
    Ok(count)
}

/// Owners by id.
pub async fn owners(
    store: &Store,
    all: &[Given],
) -> Result<std::collections::HashMap<Id, String>, StoreError> {
    let mut ids: Vec<Id> = all.iter().filter_map(|given| given.owner).collect();
    ids.sort();
    ids.dedup();
    let rows = store.rows_by_id(Table::Party, &ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// An order as a document.
pub fn document(given: &Given, owner: Option<&String>, now: Timestamp) -> Json {
    let closed = given.closed.as_ref();
    json!({
        "id": given.decision.id,
        "order": given.text(),
        "assignee": given.owner,
        "assignee_name": owner,
        "due": given.due_day(),
        "horizon": horizon(&given.decision).as_str(),
        "given_at": given.decision.created_at.rfc3339(),
        "task": given.task.as_ref().map(|task| task.id),
        "state": if given.is_open() { "open" } else { "closed" },
        "days_late": given.days_late(now),
        "proof": closed.map(|record| fact(record, "proof")),
        "in_time": closed.and_then(|record| record.facts.get("in_time")),
    })
}
