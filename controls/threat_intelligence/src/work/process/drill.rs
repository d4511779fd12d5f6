//! Drills of the CSIRT: those who hold its roles are told, and answer; without an answer the deputy is told.
//!
//! Invariants: of a drill and role there is one record that says when it was answered, and one at the limit if it was
//! not; the time counts from when the holder was told, whoever answers; only who was told may answer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use model::{Id, Table, Text, Timestamp, t};
use notices::{
    event::{Audience, Event, readers, tell},
    settings,
};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError};

pub const ROLE: &str = "csirt_role";
pub const DRILL: &str = "threat_intelligence.csirt_drill";
pub const ASKED: &str = "threat_intelligence.csirt_drill_asked";
pub const PATH: &str = "/intelligence/drill";
const ACTOR: &str = "system:threat_intelligence.drills";
/// An answer is due within four hours.
pub const LIMIT_MIN: i64 = 240;
/// After so long nobody waits for an answer any more.
const OPEN_HOURS: i64 = 7 * 24;
/// By calendar: a week before half a year is over.
const EVERY_HOURS: i64 = 175 * 24;
/// The first one comes so long after the roles were last changed.
const FIRST_HOURS: i64 = 14 * 24;
/// Drills by calendar begin within these hours of a working day.
const HOURS: std::ops::Range<i8> = 9..16;
const RECORDS_MAX: usize = 200;
const MINUTE_MICROS: i64 = 60_000_000;

/// The three roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Triage,
    Contact,
    Decision,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Triage, Role::Contact, Role::Decision];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Triage => "triage",
            Role::Contact => "contact",
            Role::Decision => "decision",
        }
    }

    pub fn named(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }

    pub fn text(self) -> Text {
        match self {
            Role::Triage => t("簡易分析", "Triage"),
            Role::Contact => t("連絡", "Contact"),
            Role::Decision => t("判断", "Decision"),
        }
    }
}

/// Who holds a role.
#[derive(Clone, Debug, Default)]
pub struct Held {
    pub row: Option<Row>,
    pub holder: Option<Id>,
    pub deputy: Option<Id>,
}

/// Who holds which role: of several rules in use the newest.
pub async fn held(store: &Store) -> Result<BTreeMap<Role, Held>, StoreError> {
    let mut rows = store.all(Table::Rule, &[ROLE]).await?;
    rows.retain(|row| row.status == "active");
    rows.sort_by_key(|row| (row.updated_at, row.id));
    let mut all: BTreeMap<Role, Held> = Role::ALL.map(|role| (role, Held::default())).into();
    for row in rows {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str);
        let party = |name: &str| text(name).and_then(|id| id.parse::<Id>().ok());
        let Some(role) = text("role").and_then(Role::named) else { continue };
        let held = Held { holder: party("holder"), deputy: party("deputy"), row: Some(row) };
        all.insert(role, held);
    }
    Ok(all)
}

/// Somebody was told and may answer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The record of the first question of this drill and role.
    pub begun: Record,
    pub role: Role,
    pub drill: String,
    /// Whether the deputy was told as well.
    pub is_with_deputy: bool,
    /// Whether the limit passed and that was written down.
    pub is_missed: bool,
    pub answered: Option<Record>,
}

impl Ask {
    pub fn waited_min(&self, now: Timestamp) -> i64 {
        (now.0 - self.begun.observed_to.0).max(0) / MINUTE_MICROS
    }

    pub fn is_open(&self, now: Timestamp) -> bool {
        self.answered.is_none() && self.waited_min(now) <= OPEN_HOURS * 60
    }

    /// In whose place somebody may answer: `holder` or `deputy`.
    pub fn place_of(&self, held: &Held, party: Option<Id>) -> Option<&'static str> {
        let party = party?;
        if held.holder == Some(party) {
            return Some("holder");
        }
        (self.is_with_deputy && held.deputy == Some(party)).then_some("deputy")
    }
}

fn fact<'r>(record: &'r Record, name: &str) -> &'r str {
    record.facts.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// The newest questions, the newest first.
pub async fn asks(store: &Store) -> Result<Vec<Ask>, StoreError> {
    let asked = store.newest_records(&[ASKED], None, RECORDS_MAX).await?;
    let said = store.newest_records(&[DRILL], None, RECORDS_MAX).await?;
    let of = |record: &Record, ask: &Record| {
        fact(record, "drill") == fact(ask, "drill") && fact(record, "role") == fact(ask, "role")
    };
    let mut all = Vec::new();
    for begun in asked.iter().filter(|record| fact(record, "asked") == "holder") {
        let Some(role) = Role::named(fact(begun, "role")) else { continue };
        let mut about = said.iter().filter(|record| of(record, begun));
        let answered = about.clone().find(|record| record.facts.contains_key("answered_min"));
        all.push(Ask {
            role,
            drill: fact(begun, "drill").to_owned(),
            is_with_deputy: asked.iter().any(|r| of(r, begun) && fact(r, "asked") == "deputy"),
            is_missed: about.any(|record| !record.facts.contains_key("answered_min")),
            answered: answered.cloned(),
            begun: begun.clone(),
        });
    }
    Ok(all)
}

fn told_of(role: Role, held: &Held, drill: &str, more: &[(&str, Json)]) -> Json {
    let mut facts = json!({
        "role": role.as_str(),
        "holder_named": held.holder.is_some(),
        "deputy_named": held.deputy.is_some(),
        "drill": drill,
    });
    for (name, value) in more {
        facts[*name] = value.clone();
    }
    facts
}

/// Begins a drill: every role's holder is told. A role without a holder is written down as that. Gives its name, or
/// none while another is open.
pub async fn start(store: &Store, actor: &str) -> Result<Option<String>, Error> {
    let now = store.now();
    if asks(store).await?.iter().any(|ask| ask.is_open(now) && !ask.is_missed) {
        return Ok(None);
    }
    let drill = store.new_id()?.to_string();
    for (role, held) in held(store).await? {
        match held.holder {
            Some(party) => ask(store, actor, (role, &held), &drill, ("holder", party)).await?,
            None => {
                let facts = told_of(role, &held, &drill, &[]);
                let subject = held.row.as_ref().map(|row| row.id);
                room::write(store, actor, draft(DRILL, subject, now, facts)).await?;
            }
        }
    }
    Ok(Some(drill))
}

/// Tells one person, and writes down that they were told.
async fn ask(
    store: &Store,
    actor: &str,
    (role, held): (Role, &Held),
    drill: &str,
    (asked, party): (&str, Id),
) -> Result<(), Error> {
    let readers = readers(store, &TimeZone::system()).await?;
    let accounts: Vec<Id> =
        readers.iter().filter(|r| r.party == Some(party)).map(|r| r.id).collect();
    let facts = json!({
        "role": role.as_str(),
        "drill": drill,
        "asked": asked,
        "reached": !accounts.is_empty(),
    });
    let subject = held.row.as_ref().map(|row| row.id);
    // Written first: a notice without it could not be answered.
    room::write(store, actor, draft(ASKED, subject, store.now(), facts)).await?;
    let text = role.text();
    let event = Event::new(
        "csirt_drill",
        format!("csirt_drill/{drill}/{}/{asked}", role.as_str()),
        Audience::Accounts(accounts),
        json!({ "role": format!("{} / {}", text.ja, text.en) }),
        PATH,
    );
    let (settings, _) = settings::load(store).await?;
    tell(store, &settings, &readers, &event).await?;
    Ok(())
}

/// Writes an answer down.
pub async fn answer(
    store: &Store,
    actor: &str,
    ask: &Ask,
    held: &Held,
    place: &str,
) -> Result<(), StoreError> {
    let now = store.now();
    let more = [("answered_min", json!(ask.waited_min(now))), ("asked", json!(place))];
    let facts = told_of(ask.role, held, &ask.drill, &more);
    room::write(store, actor, draft(DRILL, ask.begun.subject, now, facts)).await
}

/// One run: what nobody answered in time is written down and goes to the deputy; and the calendar.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let now = store.now();
    let roles = held(store).await?;
    let all = asks(store).await?;
    let mut missed = 0;
    for ask in all.iter().filter(|ask| ask.is_open(now) && !ask.is_missed) {
        if ask.waited_min(now) <= LIMIT_MIN {
            continue;
        }
        let Some(held) = roles.get(&ask.role) else { continue };
        let facts = told_of(ask.role, held, &ask.drill, &[]);
        room::write(store, ACTOR, draft(DRILL, ask.begun.subject, now, facts)).await?;
        if let Some(deputy) = held.deputy.filter(|_| !ask.is_with_deputy) {
            self::ask(store, ACTOR, (ask.role, held), &ask.drill, ("deputy", deputy)).await?;
        }
        missed += 1;
    }
    let is_begun = is_due(&roles, &all, now) && start(store, ACTOR).await?.is_some();
    if missed > 0 || is_begun {
        ctx.house.wake();
    }
    let open = all.iter().filter(|ask| ask.is_open(now)).count();
    Ok(json!({ "open": open, "missed": missed, "begun": is_begun }))
}

/// Whether the calendar asks for a drill now: where there are roles, each half year, on a working day.
fn is_due(roles: &BTreeMap<Role, Held>, asks: &[Ask], now: Timestamp) -> bool {
    let changed = roles.values().filter_map(|held| held.row.as_ref()).map(|row| row.updated_at);
    let Some(changed) = changed.max() else { return false };
    let last: BTreeSet<Timestamp> = asks.iter().map(|ask| ask.begun.observed_to).collect();
    let due = match last.last() {
        Some(last) => last.plus_hours(EVERY_HOURS),
        None => changed.plus_hours(FIRST_HOURS),
    };
    let Ok(at) = jiff::Timestamp::from_microsecond(now.0) else { return false };
    let local = at.to_zoned_datetime(TimeZone::system());
    let holidays = calendar::Holidays::by_law();
    now >= due && HOURS.contains(&local.hour()) && holidays.is_business_day(local.date())
}
