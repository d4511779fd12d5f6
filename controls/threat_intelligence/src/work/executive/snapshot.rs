//! What a brief says, as data: the one thing that is kept and from which its page is made again.
//!
//! Invariants: integers and texts only, so that it has one canonical form; both languages stand in it; nothing RED
//! does, it is counted.

use std::collections::{BTreeMap, BTreeSet};

use indicators::tlp::{Audience, Exit, Level, Marking, Permit, permits};
use jiff::tz::TimeZone;
use model::{Id, Table, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::{Filter, Record, Row, Store, StoreError};

use super::{
    super::{
        inbox::{ITEM, RECEIVED, tlp_word},
        triage::{CLOSED, Verdict, audience},
    },
    Horizon, ROLE,
    criterion::Ruled,
    evidence::level,
    fact,
    hits::{Hit, Named},
    orders::Given,
    text_of,
};

/// Version of the form; what is made of a snapshot follows it.
pub const FORM: &str = "ume.brief/1";
/// Hits that a snapshot holds; what is more is counted.
pub const HITS_MAX: usize = 500;
const LINES_MAX: usize = 60;
const TASKS_MAX: usize = 500;
const RECORDS_MAX: usize = 10_000;
const MONTH_DAYS: i64 = 30;
const YEAR_DAYS: i64 = 365;
/// What is named of our own and bears no mark goes no further than to those who need it.
const OWN: Level = Level::Amber;

/// A sentence in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub ja: String,
    pub en: String,
}

fn said(ja: String, en: String) -> Said {
    Said { ja, en }
}

/// A hit as a brief names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitLine {
    /// The record of the hit; of what somebody judged to be briefed, the item.
    pub id: Id,
    pub title: Said,
    /// What it met: a trigger, or `judged`.
    pub trigger: String,
    pub assets: Vec<Named>,
    pub advice: String,
    pub due: Option<String>,
    pub at: String,
    pub tlp: String,
    pub verdict: Option<String>,
    pub is_urgent: bool,
    pub is_new: bool,
}

/// An open order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    pub id: Id,
    pub text: String,
    pub owner: String,
    pub due: String,
    /// Days overdue; none if it is in time.
    pub days_late: Option<i64>,
}

/// All that a brief says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub form: String,
    pub horizon: String,
    pub made_at: String,
    /// The day where the organisation is.
    pub day: String,
    pub organisation: String,
    /// Hits that were told after this moment, and up to that one.
    pub covers_from: String,
    pub covers_to: String,
    pub review_on: Option<String>,
    pub tlp: String,
    pub hits: Vec<HitLine>,
    pub hits_beyond: i64,
    /// RED: told of by number only.
    pub left_out: i64,
    pub outlook: Vec<Said>,
    pub done: Vec<Said>,
    pub asked: Vec<Said>,
    pub orders: Vec<OrderLine>,
}

impl Snapshot {
    /// The one form in which it is kept (RFC 8785).
    pub fn canonical(&self) -> Result<String, StoreError> {
        let json = serde_json::to_value(self).unwrap_or_default();
        Ok(model::canonical::to_string(&json)?)
    }

    pub fn hash(&self) -> Result<String, StoreError> {
        Ok(hex::encode(Sha256::digest(self.canonical()?)))
    }

    pub fn level(&self) -> Level {
        level(&self.tlp)
    }

    /// On whose judgement it rests: somebody's, or an approved criterion's; else nobody was asked to look.
    pub fn verdict(&self) -> Verdict {
        let named = |word: &str| self.hits.iter().any(|hit| hit.verdict.as_deref() == Some(word));
        match (named("act"), self.hits.is_empty()) {
            (true, _) => Verdict::Act,
            (false, false) => Verdict::Brief,
            (false, true) => Verdict::Watch,
        }
    }
}

/// What a snapshot is made of.
pub struct Making<'a> {
    pub horizon: Horizon,
    pub organisation: &'a str,
    pub zone: &'a TimeZone,
    pub covers_from: Timestamp,
    /// Up to here hits were told before.
    pub told_until: Timestamp,
    pub hits: &'a [Hit],
    pub orders: &'a [Given],
    pub owners: &'a std::collections::HashMap<Id, String>,
    pub criteria: &'a [Ruled],
    pub review_on: Option<jiff::civil::Date>,
}

/// A snapshot, and the items that its readers may not have.
pub struct Made {
    pub snapshot: Snapshot,
    pub refused: Vec<Id>,
}

/// Makes the snapshot of this moment.
pub async fn make(store: &Store, making: &Making<'_>) -> Result<Made, StoreError> {
    let now = store.now();
    let mut open = open_tasks(store).await?;
    let briefed = briefed(store, &open).await?;
    let mut lines: Vec<HitLine> = making.hits.iter().map(|hit| line(hit, making)).collect();
    let known: BTreeSet<Id> = making.hits.iter().filter_map(|hit| hit.record.subject).collect();
    lines.extend(
        briefed
            .iter()
            .filter(|item| making.horizon == Horizon::Short && !known.contains(&item.id))
            .map(|item| judged(item, making)),
    );
    let subjects: std::collections::HashMap<Id, Id> =
        making.hits.iter().filter_map(|hit| Some((hit.record.id, hit.record.subject?))).collect();
    let (lines, red): (Vec<HitLine>, Vec<HitLine>) = lines.into_iter().partition(may_stand);
    let refused: Vec<Id> =
        red.iter().map(|line| subjects.get(&line.id).copied().unwrap_or(line.id)).collect();
    let mut lines = lines;
    lines.sort_by_key(rank);
    let beyond = lines.len().saturating_sub(HITS_MAX);
    lines.truncate(HITS_MAX);
    open.retain(|task| audience(task) != ROLE);
    let orders = orders(making, now);
    let (done, of_done) = done(store, making, now).await?;
    let tlp = strictest(&lines, !orders.is_empty(), of_done);
    let snapshot = Snapshot {
        form: FORM.to_owned(),
        horizon: making.horizon.as_str().to_owned(),
        made_at: now.rfc3339(),
        day: super::day(now, making.zone).to_string(),
        organisation: making.organisation.to_owned(),
        covers_from: making.covers_from.rfc3339(),
        covers_to: now.rfc3339(),
        review_on: making.review_on.map(|day| day.to_string()),
        tlp: tlp_word(tlp).to_owned(),
        outlook: outlook(store, making, &open, now).await?,
        done,
        asked: asked(making, &lines, &orders),
        orders,
        hits: lines,
        hits_beyond: i64::try_from(beyond).unwrap_or(i64::MAX),
        left_out: i64::try_from(refused.len()).unwrap_or(i64::MAX),
    };
    Ok(Made { snapshot, refused })
}

/// A brief is for the organisation's executives; the engine says what they may have.
fn may_stand(line: &HitLine) -> bool {
    let exit = Exit::to(Audience::Organisation);
    permits(&exit, &Marking::level(level(&line.tlp))) == Permit::Allow
}

fn strictest(lines: &[HitLine], has_orders: bool, of_done: Level) -> Level {
    let of_line = |line: &HitLine| {
        let own = if line.assets.is_empty() { Level::Clear } else { OWN };
        level(&line.tlp).max(own)
    };
    let of_orders = if has_orders { OWN } else { Level::Clear };
    lines.iter().map(of_line).fold(of_orders.max(of_done), Level::max)
}

/// What matters most first: new, on something exposed, urgent, due soon, newest.
fn rank(line: &HitLine) -> impl Ord + use<> {
    let exposed = line.assets.iter().filter(|a| a.faces_internet || a.is_important).count();
    (
        !line.is_new,
        std::cmp::Reverse((exposed > 0, line.is_urgent, exposed)),
        line.due.is_none(),
        line.due.clone(),
        std::cmp::Reverse(line.at.clone()),
        line.id,
    )
}

fn line(hit: &Hit, making: &Making<'_>) -> HitLine {
    let detail = hit.detail.clone();
    let gone = || said("（内容は消去済み）".to_owned(), "(its content was shredded)".to_owned());
    HitLine {
        id: hit.record.id,
        title: detail.as_ref().map_or_else(gone, |d| said(d.title_ja.clone(), d.title_en.clone())),
        trigger: fact(&hit.record, "trigger").to_owned(),
        assets: detail.as_ref().map(|d| d.assets.clone()).unwrap_or_default(),
        advice: detail.as_ref().map(|d| d.advice.clone()).unwrap_or_default(),
        due: hit.due().map(Timestamp::rfc3339),
        at: hit.record.observed_from.rfc3339(),
        tlp: fact(&hit.record, "tlp").to_owned(),
        verdict: detail.as_ref().and_then(|d| d.verdict.clone()),
        is_urgent: detail.is_some_and(|d| d.is_urgent),
        is_new: hit.record.received_at > making.told_until,
    }
}

fn judged(item: &Row, making: &Making<'_>) -> HitLine {
    HitLine {
        id: item.id,
        title: said(item.name.clone(), item.name.clone()),
        trigger: "judged".to_owned(),
        assets: Vec::new(),
        advice: text_of(item, "advice").to_owned(),
        due: None,
        at: item.created_at.rfc3339(),
        tlp: text_of(item, "tlp").to_owned(),
        verdict: Some(text_of(item, "verdict").to_owned()),
        is_urgent: item.attributes.get("urgent") == Some(&Json::Bool(true)),
        is_new: item.updated_at > making.told_until,
    }
}

/// Open tasks that verdicts made.
pub async fn open_tasks(store: &Store) -> Result<Vec<Row>, StoreError> {
    let filter = Filter {
        kind: Some("task".to_owned()),
        status: Some("open".to_owned()),
        limit: TASKS_MAX,
        ..Filter::default()
    };
    let mut tasks = store.list(Table::Task, &filter).await?;
    tasks.retain(|task| text_of(task, "closes_with") == CLOSED);
    Ok(tasks)
}

/// Items that were judged to be briefed and that no executive acknowledged.
async fn briefed(store: &Store, open: &[Row]) -> Result<Vec<Row>, StoreError> {
    let of = open.iter().filter(|task| audience(task) == ROLE).filter_map(|task| task.subject);
    let mut ids: Vec<Id> = of.collect();
    ids.sort();
    ids.dedup();
    let rows = store.rows_by_id(Table::Asset, &ids).await?;
    Ok(rows.into_iter().filter(|row| row.kind == ITEM).collect())
}

fn orders(making: &Making<'_>, now: Timestamp) -> Vec<OrderLine> {
    let open = making.orders.iter().filter(|given| given.is_open());
    open.take(LINES_MAX)
        .map(|given| OrderLine {
            id: given.decision.id,
            text: given.text().to_owned(),
            owner: given.owner.and_then(|id| making.owners.get(&id).cloned()).unwrap_or_default(),
            due: given.due_day().to_owned(),
            days_late: given.days_late(now),
        })
        .collect()
}

/// What was done since the last time, and how far its names may go.
async fn done(
    store: &Store,
    making: &Making<'_>,
    now: Timestamp,
) -> Result<(Vec<Said>, Level), StoreError> {
    let days = if making.horizon == Horizon::Short { MONTH_DAYS } else { YEAR_DAYS };
    let since = now.minus_hours(24 * days);
    let closed = store.records_since(&[CLOSED], since, RECORDS_MAX).await?;
    let closed: Vec<&Record> = closed.iter().filter(|r| fact(r, "audience") != ROLE).collect();
    let mut ended: Vec<&Given> = making.orders.iter().filter(|given| !given.is_open()).collect();
    ended.retain(|given| given.closed.as_ref().is_some_and(|r| r.received_at >= since));
    let mut lines = Vec::new();
    if !closed.is_empty() || !ended.is_empty() {
        lines.push(said(
            format!("{days}日間に完了した対応{}件、指示{}件", closed.len(), ended.len()),
            format!("In {days} days: {} actions and {} orders closed", closed.len(), ended.len()),
        ));
    }
    for given in ended.into_iter().take(LINES_MAX / 2) {
        let text = given.text();
        lines.push(said(format!("指示の完了：{text}"), format!("Order closed: {text}")));
    }
    let ids: BTreeSet<Id> = closed.iter().filter_map(|record| record.subject).collect();
    let ids: Vec<Id> = ids.into_iter().collect();
    let items = store.rows_by_id(Table::Asset, &ids).await?;
    let by_id: BTreeMap<Id, &Row> = items.iter().map(|row| (row.id, row)).collect();
    let mut strictest = if lines.is_empty() { Level::Clear } else { OWN };
    let mut named = BTreeSet::new();
    for record in closed.iter().rev() {
        let Some(item) = record.subject.and_then(|id| by_id.get(&id)) else { continue };
        let of_item = level(text_of(item, "tlp"));
        if of_item == Level::Red || lines.len() >= LINES_MAX || !named.insert(item.id) {
            continue;
        }
        strictest = strictest.max(of_item);
        let name = &item.name;
        lines.push(said(format!("対応済み：{name}"), format!("Acted on: {name}")));
    }
    Ok((lines, strictest))
}

async fn outlook(
    store: &Store,
    making: &Making<'_>,
    open: &[Row],
    now: Timestamp,
) -> Result<Vec<Said>, StoreError> {
    let month = 24 * MONTH_DAYS;
    let records = store.records_since(&[RECEIVED], now.minus_hours(2 * month), RECORDS_MAX).await?;
    let count = |from: Timestamp, to: Timestamp| -> i64 {
        let within = records.iter().filter(|r| r.observed_to > from && r.observed_to <= to);
        within.filter_map(|r| r.facts.get("items").and_then(Json::as_i64)).sum()
    };
    let (this, before) = (
        count(now.minus_hours(month), now),
        count(now.minus_hours(2 * month), now.minus_hours(month)),
    );
    let mut lines = vec![said(
        format!(
            "受け取った脅威情報：{MONTH_DAYS}日間に{this}件（その前の{MONTH_DAYS}日間は{before}件）"
        ),
        format!("Items received: {this} in {MONTH_DAYS} days, {before} in the {MONTH_DAYS} before"),
    )];
    let next = open.iter().filter_map(|task| task.ends_at).min();
    if let Some(next) = next {
        let late = open.iter().filter(|task| task.ends_at.is_some_and(|due| due < now)).count();
        let day = super::day(next, making.zone);
        lines.push(said(
            format!("対応中{}件（最も早い期限 {day}、期限超過{late}件）", open.len()),
            format!("{} actions open (first due {day}, {late} overdue)", open.len()),
        ));
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for hit in making.hits {
        *kinds.entry(fact(&hit.record, "trigger")).or_default() += 1;
    }
    for trigger in super::criterion::Trigger::ALL {
        if let Some(count) = kinds.get(trigger.as_str()).filter(|count| **count > 1) {
            let text = trigger.text();
            lines.push(said(
                format!("{}の該当が{count}件続いている", text.ja),
                format!("{count} hits of one kind: {}", text.en),
            ));
        }
    }
    if let Some(day) = making.review_on {
        lines.push(said(
            format!("次のマネジメントレビュー：{day}"),
            format!("Next management review: {day}"),
        ));
    }
    Ok(lines)
}

/// Decisions that only executives take.
fn asked(making: &Making<'_>, lines: &[HitLine], orders: &[OrderLine]) -> Vec<Said> {
    let mut all = Vec::new();
    for order in orders.iter().filter(|order| order.days_late.is_some()) {
        let (text, late) = (&order.text, order.days_late.unwrap_or(0));
        all.push(said(
            format!("{late}日遅れの指示を続けるか：{text}"),
            format!("An order {late} days overdue: go on with it? {text}"),
        ));
    }
    let waiting = making.criteria.iter().filter(|ruled| ruled.in_force().is_none()).count();
    if waiting > 0 {
        all.push(said(
            format!("経営層へ上げる条件{waiting}件の承認"),
            format!("Approval of {waiting} criteria for what reaches you"),
        ));
    }
    let exposed = lines.iter().filter(|line| {
        line.is_new && line.assets.iter().any(|a| a.faces_internet || a.is_important)
    });
    for line in exposed.take(LINES_MAX / 3) {
        let name = |ja: bool| {
            let names: Vec<&str> = line.assets.iter().take(3).map(|a| a.name.as_str()).collect();
            names.join(if ja { "、" } else { ", " })
        };
        let advice =
            if line.advice.is_empty() { String::new() } else { format!(" – {}", line.advice) };
        all.push(said(
            format!("{}の停止・更新を優先するか（{}）{advice}", name(true), line.title.ja),
            format!("Stop or update {} first? ({}){advice}", name(false), line.title.en),
        ));
    }
    all.truncate(LINES_MAX);
    all
}
