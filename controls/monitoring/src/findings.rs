//! What rules found, and what people made of it.
//!
//! Invariants: a finding is judged once; the time it took counts from when it was written down, not from when it was
//! observed; what asks for something to be done becomes a task in the same change, and what is an incident a finding
//! of that class with a review of its cause that is due.

use std::collections::HashMap;

use model::{Assurance, Id, Table, Text, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use crate::review;

/// Type of the record that says what was found.
pub const FINDING: &str = "monitoring.finding";
/// Type of the record that says what somebody made of it.
pub const HANDLED: &str = "monitoring.alert_handled";
/// Type of the record that says that a silent source speaks again.
pub const SPOKE: &str = "monitoring.silence_ended";
/// Another way of looking told the same thing: a record about the finding.
pub const JOINED: &str = "monitoring.finding_joined";
/// Class of a finding that is an incident.
pub const INCIDENT: &str = "incident";
/// Class of a finding that a person reported.
pub const REPORT: &str = "report";
pub(crate) const CANARY: &str = "monitoring.canary_run";
const SCOPE: &str = "monitoring_scope";
pub const REASON_CHARS_MAX: usize = 2_000;
/// Hours that stand for "never".
const NEVER_H: i64 = 24 * 3_650;

/// What a finding can be judged to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    Normal,
    FalseAlarm,
    Action,
    Incident,
}

impl Judgement {
    pub const ALL: [Judgement; 4] =
        [Judgement::Normal, Judgement::FalseAlarm, Judgement::Action, Judgement::Incident];

    pub fn name(self) -> &'static str {
        match self {
            Judgement::Normal => "normal",
            Judgement::FalseAlarm => "false_alarm",
            Judgement::Action => "action",
            Judgement::Incident => "incident",
        }
    }

    pub fn text(self) -> Text {
        match self {
            Judgement::Normal => t("正常", "normal"),
            Judgement::FalseAlarm => t("誤検知", "false alarm"),
            Judgement::Action => t("要対応", "action needed"),
            Judgement::Incident => t("インシデント", "incident"),
        }
    }

    pub fn parse(name: &str) -> Option<Judgement> {
        Judgement::ALL.into_iter().find(|judgement| judgement.name() == name)
    }

    /// Days within which what it asks for is done.
    fn task_days(self) -> Option<i64> {
        match self {
            Judgement::Normal | Judgement::FalseAlarm => None,
            Judgement::Action => Some(7),
            Judgement::Incident => Some(1),
        }
    }
}

/// A finding with what was made of it.
#[derive(Clone, Debug)]
pub struct Alert {
    pub record: Record,
    pub judged: Option<Record>,
}

impl Alert {
    pub fn fact(&self, name: &str) -> &str {
        self.record.facts.get(name).and_then(Json::as_str).unwrap_or("")
    }

    /// Minutes since it was written down.
    pub fn waited_min(&self, now: Timestamp) -> i64 {
        (now.0 - self.record.received_at.0).max(0) / 60_000_000
    }

    pub fn judgement(&self) -> Option<Judgement> {
        let record = self.judged.as_ref()?;
        Judgement::parse(record.facts.get("verdict")?.as_str()?)
    }
}

/// Joins findings with their judgements: one statement.
pub async fn with_judgements(
    store: &Store,
    findings: Vec<Record>,
) -> Result<Vec<Alert>, StoreError> {
    let ids: Vec<Id> = findings.iter().map(|record| record.id).collect();
    let oldest = findings.iter().map(|record| record.observed_to).min().unwrap_or(Timestamp(0));
    let judged = store.present().records_about(HANDLED, &ids, oldest).await?;
    Ok(joined(findings, &judged))
}

/// Findings with those of these records that judge them: where both were read at once.
pub fn joined(findings: Vec<Record>, records: &[Record]) -> Vec<Alert> {
    let judged = records.iter().filter(|record| record.ty == HANDLED);
    let judged: HashMap<Id, &Record> =
        judged.filter_map(|record| Some((record.subject?, record))).collect();
    let of = |id: Id| judged.get(&id).map(|record| (*record).clone());
    findings.into_iter().map(|record| Alert { judged: of(record.id), record }).collect()
}

/// One finding.
pub async fn one(store: &Store, id: Id) -> Result<Option<Alert>, StoreError> {
    let Some(record) = store.record(id).await?.filter(|record| record.ty == FINDING) else {
        return Ok(None);
    };
    Ok(with_judgements(store, vec![record]).await?.pop())
}

/// The document in force that says what is watched and how.
async fn scope(store: &Store) -> Result<Option<Row>, StoreError> {
    let scopes = store.all(Table::Norm, &[SCOPE]).await?;
    let in_force = scopes.into_iter().filter(|row| row.status == "active");
    Ok(in_force.max_by_key(|row| (row.updated_at, row.id)))
}

/// False alarms a day that the site bears.
pub async fn budget_per_day(store: &Store) -> Result<f64, StoreError> {
    let said = scope(store).await?;
    let said = said.and_then(|row| row.attributes.get("false_alarms_day")?.as_f64());
    Ok(said.unwrap_or(steady::PER_DAY))
}

/// How soon findings have to be judged.
pub struct Due {
    /// What the scope in force says.
    said_min: Option<i64>,
}

impl Due {
    pub async fn load(store: &Store) -> Result<Due, StoreError> {
        let scope = scope(store).await?;
        Ok(Due { said_min: scope.and_then(|row| row.attributes.get("due_min")?.as_i64()) })
    }

    /// Minutes for one of this severity: what the scope says, less for what is grave.
    pub fn within_min(&self, severity: &str) -> i64 {
        let usual = match severity {
            "critical" => 60,
            "high" => 4 * 60,
            "medium" => 24 * 60,
            _ => 7 * 24 * 60,
        };
        self.said_min.map_or(usual, |said| match severity {
            "critical" | "high" => said.min(usual),
            _ => said,
        })
    }
}

/// Why a finding was not judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error("it was judged already")]
    Judged,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody makes of a finding.
pub struct Judging<'a> {
    pub judgement: Judgement,
    pub reason: &'a str,
    /// The row of the person, if the account names one.
    pub handler: Option<Id>,
}

/// What a judgement wrote.
#[derive(Debug)]
pub struct Judged {
    pub record: Record,
    /// The incident that it made of the finding.
    pub incident: Option<Id>,
}

/// Writes the judgement, and what it asks for.
pub async fn judge(
    store: &Store,
    write: &mut Write<'_>,
    alert: &Alert,
    judging: &Judging<'_>,
) -> Result<Judged, JudgeError> {
    if alert.judged.is_some() {
        return Err(JudgeError::Judged);
    }
    let now = store.now();
    let facts = handled(store, alert, judging).await?;
    let record = write.record(handled_draft(alert.record.id, now, &facts, judging)).await?;
    if let Some(days) = judging.judgement.task_days() {
        write.put(task(store, alert, judging, now.plus_hours(24 * days))?).await?;
    }
    if judging.judgement != Judgement::Incident {
        return Ok(Judged { record, incident: None });
    }
    if alert.fact("class") == INCIDENT {
        write.put(review::due::task(store, alert.record.id, now)?).await?;
        return Ok(Judged { record, incident: None });
    }
    let incident = write.record(incident(alert, now)).await?;
    // Who said that it is an incident has seen it.
    write.record(handled_draft(incident.id, now, &facts, judging)).await?;
    write.put(review::due::task(store, incident.id, now)?).await?;
    Ok(Judged { record, incident: Some(incident.id) })
}

async fn handled(store: &Store, alert: &Alert, judging: &Judging<'_>) -> Result<Json, StoreError> {
    let now = store.now();
    let canaries = store.newest_records(&[CANARY], None, 20).await?;
    let arrived = canaries.iter().find(|record| record.facts.get("arrived") == Some(&json!(true)));
    let age = arrived.map_or(NEVER_H, |record| now.hours_since(record.observed_to).max(0));
    let mut facts = json!({
        "ack_min": alert.waited_min(now),
        "due_min": Due::load(store).await?.within_min(alert.fact("severity")),
        "canary_age_h": age,
        "verdict": judging.judgement.name(),
    });
    if let Some(handler) = judging.handler {
        facts["handler"] = json!(handler);
    }
    Ok(facts)
}

fn handled_draft(about: Id, now: Timestamp, facts: &Json, judging: &Judging<'_>) -> RecordDraft {
    let reason = json!({ "reason": judging.reason });
    RecordDraft {
        ty: HANDLED.to_owned(),
        subject: Some(about),
        observed_from: now,
        observed_to: now,
        source: "monitoring.findings".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&reason).ok(),
    }
}

/// The incident that a finding turned out to be. What detection took is measured to when the finding was written
/// down, not to when somebody called it an incident.
fn incident(alert: &Alert, now: Timestamp) -> RecordDraft {
    let own = &alert.record;
    let mut facts = own.facts.clone();
    facts.retain(|name, _| ["phase", "rule", "title_ja", "title_en"].contains(&name.as_str()));
    let severity = match alert.fact("severity") {
        "critical" => "critical",
        _ => "high",
    };
    facts.insert("severity".to_owned(), severity.into());
    facts.insert("class".to_owned(), INCIDENT.into());
    facts.insert("of".to_owned(), own.id.to_string().into());
    let detected_s = (own.received_at.0 - own.observed_from.0).max(0) / 1_000_000;
    facts.insert("detected_s".to_owned(), detected_s.into());
    RecordDraft {
        ty: FINDING.to_owned(),
        subject: own.subject,
        observed_from: own.observed_from,
        observed_to: now,
        source: "monitoring.findings".to_owned(),
        assurance: Assurance::Machine,
        facts,
        payload: None,
    }
}

fn task(
    store: &Store,
    alert: &Alert,
    judging: &Judging<'_>,
    due: Timestamp,
) -> Result<Row, StoreError> {
    let name = format!("{} / {}", alert.fact("title_ja"), alert.fact("title_en"));
    let name: String = name.chars().take(150).collect();
    let mut task = Row::new(Table::Task, store.new_id()?, "task", &name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = alert.record.subject;
    task.ends_at = Some(due);
    let mut attributes = json!({
        "due": due.rfc3339().chars().take(10).collect::<String>(),
        "zone": "UTC",
        "description": format!("{}\n/findings/{}", judging.reason, alert.record.id),
        "remind_days": 1,
    });
    match judging.handler {
        Some(handler) => attributes["assignee"] = json!(handler),
        None => attributes["role"] = json!("administrator"),
    }
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    Ok(task)
}
