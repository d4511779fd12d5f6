//! The verdict on an item: discard, watch, act, brief; and what it asks of whom.
//!
//! Invariants: an item is judged once, but for what was only watched; the delay counts from when it was received; the
//! reason may name people and lies in the payload; what is to be done becomes tasks in the same change.

use std::sync::LazyLock;

use model::{Assurance, Table, Text, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use super::{
    process::{deeds, routing},
    relevance::{Hit, Reason, hits},
};

pub const TRIAGED: &str = "threat_intelligence.intel_triaged";
pub const CLOSED: &str = "threat_intelligence.action_closed";
pub const ROUTING: &str = "intel_routing";
pub const REASON_CHARS_MAX: usize = 2_000;
const URGENT_MIN: i64 = 4 * 60;
const MINUTE_MICROS: i64 = 60_000_000;
const DAY_CHARS: usize = "2026-11-29".len();
/// Hours for an action where its rule says nothing.
const DUE_HOURS: i64 = 5 * 24;
const DUE_HOURS_URGENT: i64 = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Discard,
    Watch,
    Act,
    Brief,
}

impl Verdict {
    pub const ALL: [Verdict; 4] = [Verdict::Discard, Verdict::Watch, Verdict::Act, Verdict::Brief];

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Discard => "discard",
            Verdict::Watch => "watch",
            Verdict::Act => "act",
            Verdict::Brief => "brief",
        }
    }

    pub fn named(word: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }

    pub fn text(self) -> Text {
        match self {
            Verdict::Discard => t("対象外", "Discard"),
            Verdict::Watch => t("様子見", "Watch"),
            Verdict::Act => t("対応", "Act"),
            Verdict::Brief => t("幹部へ報告", "Brief executives"),
        }
    }
}

/// What an item brings that somebody has to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Method,
    Vulnerability,
    Indicator,
    Sector,
    Brand,
    Actor,
}

impl Input {
    pub const ALL: [Input; 6] = [
        Input::Indicator,
        Input::Vulnerability,
        Input::Method,
        Input::Sector,
        Input::Brand,
        Input::Actor,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Input::Method => "method",
            Input::Vulnerability => "vulnerability",
            Input::Indicator => "indicator",
            Input::Sector => "sector",
            Input::Brand => "brand",
            Input::Actor => "actor",
        }
    }

    pub fn named(word: &str) -> Option<Input> {
        Input::ALL.into_iter().find(|input| input.as_str() == word)
    }

    pub fn text(self) -> Text {
        match self {
            Input::Method => t("攻撃手法", "Method"),
            Input::Vulnerability => t("脆弱性", "Vulnerability"),
            Input::Indicator => t("侵害指標（IoC）", "Indicators"),
            Input::Sector => t("同業種の事例", "Case in our sector"),
            Input::Brand => t("偽サイト・なりすまし", "Brand abuse"),
            Input::Actor => t("当組織を狙う攻撃主体", "Actor aiming at us"),
        }
    }

    /// Who is asked for what, where the register has no rule of its own; and what proves it.
    fn usual(self) -> Vec<Route> {
        routing::shipped(self)
    }
}

/// Who is expected to do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it is about; an action of another input closes by a record of its own.
    pub input: Option<Input>,
    pub audience: String,
    pub expected: String,
    /// The record that shows it was done.
    pub proof: String,
    pub due_hours: Option<i64>,
}

/// Why an item was not judged.
#[derive(Debug, thiserror::Error)]
pub enum TriageError {
    #[error("it was judged already")]
    Judged,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody makes of an item.
pub struct Judging<'a> {
    pub verdict: Verdict,
    pub reason: &'a str,
    /// What is to be done; asked for where the verdict is to act.
    pub advice: &'a str,
    pub is_urgent: bool,
    pub inputs: &'a [Input],
    pub relevance: &'a [Reason],
}

/// Minutes within which an item is to be judged.
pub fn limit_min(is_urgent: bool, received: Timestamp) -> i64 {
    if is_urgent {
        return URGENT_MIN;
    }
    // Two business days, by the law's holidays.
    let day: Option<jiff::civil::Date> =
        received.rfc3339().get(..DAY_CHARS).and_then(|day| day.parse().ok());
    let ends = day.map(|day| {
        let (mut end, mut left) = (day, 2);
        while left > 0 {
            end = end.tomorrow().unwrap_or(end);
            left -= i64::from(HOLIDAYS.is_business_day(end));
        }
        (end - day).get_days()
    });
    i64::from(ends.unwrap_or(2)) * 24 * 60
}

static HOLIDAYS: LazyLock<calendar::Holidays> = LazyLock::new(calendar::Holidays::by_law);

/// Writes the verdict, the record of it, and the tasks that follow.
pub async fn judge(
    store: &Store,
    write: &mut Write<'_>,
    item: Row,
    judging: &Judging<'_>,
) -> Result<Record, TriageError> {
    let before = item.attributes.get("verdict").and_then(Json::as_str).and_then(Verdict::named);
    if before.is_some_and(|verdict| verdict != Verdict::Watch) {
        return Err(TriageError::Judged);
    }
    let now = store.now();
    let origin = origin(store, &item).await?;
    let record = write.record(draft(&item, judging, origin, now)).await?;
    let routes = routes(store, judging.verdict, judging.inputs).await?;
    let mut item = item;
    item.attributes.insert("verdict".to_owned(), json!(judging.verdict.as_str()));
    item.attributes.insert("urgent".to_owned(), json!(judging.is_urgent));
    if !judging.advice.is_empty() {
        item.attributes.insert("advice".to_owned(), json!(judging.advice));
    }
    let item = write.put(item).await?;
    for route in routes {
        write.put(task(store, &item, judging, &route, now)?).await?;
    }
    Ok(record)
}

/// Where an item came from; one that was judged, or missed, before is not counted twice.
async fn origin(store: &Store, item: &Row) -> Result<&'static str, StoreError> {
    if item.attributes.contains_key("internal_of") {
        return Ok("internal");
    }
    let before = store.newest_records(&[TRIAGED], Some(item.id), 1).await?;
    Ok(if before.is_empty() { "external" } else { "external_again" })
}

fn draft(item: &Row, judging: &Judging<'_>, origin: &str, now: Timestamp) -> RecordDraft {
    let received = item.created_at;
    let mut reasons: Vec<&str> =
        judging.relevance.iter().map(|reason| reason.touch.as_str()).collect();
    reasons.dedup();
    let mut facts = json!({
        "item": item.id,
        "origin": origin,
        "verdict": judging.verdict.as_str(),
        "reasons": reasons,
        "hits": hits(item).into_iter().map(Hit::as_str).collect::<Vec<_>>(),
        "urgent": judging.is_urgent,
        "delay_min": (now.0 - received.0).max(0) / MINUTE_MICROS,
        "limit_min": limit_min(judging.is_urgent, received),
    });
    if let Some(of) = item.attributes.get("internal_of") {
        facts["of"] = of.clone();
    }
    RecordDraft {
        ty: TRIAGED.to_owned(),
        subject: Some(item.id),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.inbox".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&json!({ "reason": judging.reason })).ok(),
    }
}

/// What follows from a verdict: by the rules of the register, else as usual.
async fn routes(
    store: &Store,
    verdict: Verdict,
    inputs: &[Input],
) -> Result<Vec<Route>, StoreError> {
    match verdict {
        Verdict::Discard | Verdict::Watch => return Ok(Vec::new()),
        Verdict::Brief => return Ok(vec![brief()]),
        Verdict::Act => {}
    }
    let rules = store.all(Table::Rule, &[ROUTING]).await?;
    let active: Vec<&Row> = rules.iter().filter(|rule| rule.status == "active").collect();
    let mut all = Vec::new();
    for input in inputs {
        let text = |rule: &Row, name: &str| {
            rule.attributes.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let own = active.iter().filter(|rule| text(rule, "input") == input.as_str());
        let own = own.map(|rule| Route {
            input: Some(*input),
            audience: text(rule, "audience"),
            expected: text(rule, "expected"),
            proof: text(rule, "closing_record"),
            due_hours: rule.attributes.get("due_hours").and_then(Json::as_i64),
        });
        let own: Vec<Route> = own.collect();
        all.extend(if own.is_empty() { input.usual() } else { own });
    }
    Ok(all)
}

fn brief() -> Route {
    let text = t(
        "1ページの要約にまとめ、幹部へ届ける",
        "Sum it up on one page and deliver it to executives",
    );
    Route {
        input: None,
        audience: "executive".to_owned(),
        expected: format!("{} / {}", text.ja, text.en),
        proof: "threat_intelligence.brief_acknowledged".to_owned(),
        due_hours: None,
    }
}

fn task(
    store: &Store,
    item: &Row,
    judging: &Judging<'_>,
    route: &Route,
    now: Timestamp,
) -> Result<Row, StoreError> {
    let hours = route.due_hours.filter(|hours| *hours > 0).unwrap_or(DUE_HOURS);
    let hours = if judging.is_urgent { hours.min(DUE_HOURS_URGENT) } else { hours };
    let due = now.plus_hours(hours);
    let name: String = route.expected.chars().take(100).collect();
    let mut task = Row::new(Table::Task, store.new_id()?, "task", &name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(item.id);
    task.ends_at = Some(due);
    let role = match route.audience.as_str() {
        "it" | "csirt" => "administrator",
        _ => "officer",
    };
    let mut closes_where = json!({ "audience": route.audience, "item": item.id });
    if let Some(input) = route.input {
        closes_where["input"] = json!(input.as_str());
        // Actions about indicators are closed by two records of the deed, which `closing` knows.
        if input != Input::Indicator && deeds::is_awaited(&route.proof) {
            closes_where["wanted"] = json!(route.proof);
        }
    }
    let attributes = json!({
        "due": due.rfc3339().chars().take(DAY_CHARS).collect::<String>(),
        "zone": "UTC",
        "description": format!("{}\n{}\n/intelligence/{}", super::tlp::label(item), judging.advice, item.id),
        "remind_days": 1,
        "role": role,
        "closes_with": CLOSED,
        "closes_where": closes_where,
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    Ok(task)
}

/// The audience that a task asks.
pub fn audience(task: &Row) -> &str {
    let wanted = task.attributes.get("closes_where").and_then(|wanted| wanted.get("audience"));
    wanted.and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_business_days_leave_out_the_weekend() {
        let friday = Timestamp::parse("2024-06-14T01:00:00Z").expect("time");
        assert_eq!(limit_min(false, friday), 4 * 24 * 60);
        assert_eq!(limit_min(true, friday), 240);
        let monday = Timestamp::parse("2024-06-10T01:00:00Z").expect("time");
        assert_eq!(limit_min(false, monday), 2 * 24 * 60);
    }

    #[test]
    fn every_input_is_known_by_its_word() {
        for input in Input::ALL {
            assert_eq!(Input::named(input.as_str()), Some(input));
            assert!(!input.usual().is_empty());
        }
    }
}
