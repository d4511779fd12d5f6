//! A criterion by which something reaches executives: what it asks for, and whether it was approved as it stands.
//!
//! Invariants: what is not approved as it stands watches nothing; a criterion that cannot be read names the field.

use std::collections::HashMap;

use model::{Id, Table, Text, Timestamp, t};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

use super::{ESCALATION, Horizon, text_of};

/// Short-term hits are delivered within a day, whatever a row says.
const SHORT_HOURS_MAX: i64 = 24;
const WINDOW_DAYS: i64 = 30;
const QUARTER_DAYS: i64 = 92;
const EPSS_PERMILLE: i64 = 500;
/// Growth from one window to the next: half as much again.
const RISE_PERMILLE: i64 = 1_500;
const CRITERIA_MAX: usize = 200;

/// What a criterion looks for. A closed set: each has its test in [`super::met`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    OwnSighting,
    Vulnerability,
    NamesUs,
    SupplierAttacked,
    FakeSite,
    ActorInSector,
    NewMethod,
    OwnTrend,
}

impl Trigger {
    pub const ALL: [Trigger; 8] = [
        Trigger::OwnSighting,
        Trigger::Vulnerability,
        Trigger::NamesUs,
        Trigger::SupplierAttacked,
        Trigger::FakeSite,
        Trigger::ActorInSector,
        Trigger::NewMethod,
        Trigger::OwnTrend,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::OwnSighting => "own_sighting",
            Trigger::Vulnerability => "vulnerability",
            Trigger::NamesUs => "names_us",
            Trigger::SupplierAttacked => "supplier_attacked",
            Trigger::FakeSite => "fake_site",
            Trigger::ActorInSector => "actor_in_sector",
            Trigger::NewMethod => "new_method",
            Trigger::OwnTrend => "own_trend",
        }
    }

    pub fn named(word: &str) -> Option<Trigger> {
        Trigger::ALL.into_iter().find(|trigger| trigger.as_str() == word)
    }

    pub fn text(self) -> Text {
        match self {
            Trigger::OwnSighting => t("自組織での目撃", "Seen in our own logs"),
            Trigger::Vulnerability => t("悪用される脆弱性", "Exploited vulnerability"),
            Trigger::NamesUs => t("当組織の名指し", "Notice naming us"),
            Trigger::SupplierAttacked => t("取引先の被害", "Supplier attacked"),
            Trigger::FakeSite => t("偽サイト", "Fake site"),
            Trigger::ActorInSector => t("同業を狙う攻撃主体", "Actor active in our sector"),
            Trigger::NewMethod => t("10大脅威の新しい手口", "New among IPA's ten"),
            Trigger::OwnTrend => t("自組織での増加", "Trend of our own"),
        }
    }
}

/// How grave a finding is, gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub fn named(word: &str) -> Option<Severity> {
        Some(match word {
            "low" | "informational" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            _ => return None,
        })
    }
}

/// A criterion as it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    pub id: Id,
    pub name: String,
    pub trigger: Trigger,
    pub horizon: Horizon,
    /// From the evidence to the executives; of a long-term one, before the review.
    pub due_hours: i64,
    pub severity_min: Severity,
    pub epss_permille_min: i64,
    pub times_min: usize,
    pub window_days: i64,
    pub rise_permille_min: i64,
}

/// Why a row is no criterion that can be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {said}")]
pub struct Fault {
    pub field: &'static str,
    pub said: &'static str,
}

impl Criterion {
    /// Reads a row of the register.
    pub fn of(row: &Row) -> Result<Criterion, Fault> {
        let fault = |field, said| Fault { field, said };
        let number = |name: &str| row.attributes.get(name).and_then(Json::as_i64);
        let trigger = Trigger::named(text_of(row, "trigger"))
            .ok_or(fault("trigger", "choose what is looked for"))?;
        let horizon = Horizon::named(text_of(row, "horizon"))
            .ok_or(fault("horizon", "choose short or long term"))?;
        let due = number("due_hours").filter(|hours| *hours > 0);
        let due = due.ok_or(fault("due_hours", "must be above 0"))?;
        let severity = match text_of(row, "severity_min") {
            "" => Severity::High,
            word => Severity::named(word).ok_or(fault("severity_min", "no such severity"))?,
        };
        let usual_window = match trigger {
            Trigger::ActorInSector | Trigger::OwnTrend => QUARTER_DAYS,
            Trigger::NewMethod => super::YEAR_HOURS / 24,
            _ => WINDOW_DAYS,
        };
        let usual_times = match trigger {
            Trigger::ActorInSector => 2,
            Trigger::OwnTrend => 3,
            _ => 1,
        };
        Ok(Criterion {
            id: row.id,
            name: row.name.clone(),
            trigger,
            horizon,
            due_hours: if horizon == Horizon::Short { due.min(SHORT_HOURS_MAX) } else { due },
            severity_min: severity,
            epss_permille_min: number("epss_permille_min").unwrap_or(EPSS_PERMILLE),
            times_min: number("times_min").and_then(|n| n.try_into().ok()).unwrap_or(usual_times),
            window_days: number("window_days").filter(|days| *days > 0).unwrap_or(usual_window),
            rise_permille_min: number("rise_permille_min").unwrap_or(RISE_PERMILLE),
        })
    }
}

/// How a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In force since then.
    Approved(Timestamp),
    /// Nobody approved it yet.
    Draft,
    /// It was approved, and changed or ended since.
    Void,
    /// It cannot be evaluated.
    Unreadable(Fault),
}

/// A row of the register with how it stands.
#[derive(Clone, Debug)]
pub struct Ruled {
    pub row: Row,
    pub standing: Standing,
}

impl Ruled {
    /// What is evaluated, and since when; none unless approved.
    pub fn in_force(&self) -> Option<(Criterion, Timestamp)> {
        match self.standing {
            Standing::Approved(since) => Some((Criterion::of(&self.row).ok()?, since)),
            _ => None,
        }
    }
}

/// The criteria that are not retired, by horizon and name: two statements.
pub async fn all(store: &Store) -> Result<Vec<Ruled>, StoreError> {
    let mut rows = store.all(Table::Rule, &[ESCALATION]).await?;
    rows.retain(|row| row.status != "retired");
    rows.sort_by(|a, b| {
        (text_of(b, "horizon"), &a.name, a.id).cmp(&(text_of(a, "horizon"), &b.name, b.id))
    });
    rows.truncate(CRITERIA_MAX);
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let mut about: HashMap<Id, Vec<&Row>> = HashMap::new();
    for decision in &decisions {
        if let Some(subject) = decision.subject {
            about.entry(subject).or_default().push(decision);
        }
    }
    let none = Vec::new();
    let now = store.now();
    rows.into_iter()
        .map(|row| {
            let standing = standing(&row, about.get(&row.id).unwrap_or(&none), now)?;
            Ok(Ruled { row, standing })
        })
        .collect()
}

fn standing(row: &Row, decisions: &[&Row], now: Timestamp) -> Result<Standing, StoreError> {
    if let Err(fault) = Criterion::of(row) {
        return Ok(Standing::Unreadable(fault));
    }
    let signed = |d: &&&Row| d.kind == "approval" && web::decide::is_signed(d) && !d.deleted;
    let hash = row.content_hash()?;
    let about = decisions.iter().filter(signed);
    let newest = about
        .clone()
        .filter(|d| d.subject_hash.as_deref() == Some(hash.as_str()))
        .max_by_key(|d| (d.updated_at, d.id));
    let holds = |d: &&&&Row| d.status == "approved" && d.ends_at.is_none_or(|end| end > now);
    Ok(match newest.as_ref().filter(holds) {
        Some(approval) => Standing::Approved(approval.updated_at),
        None if about.count() > 0 => Standing::Void,
        None => Standing::Draft,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn row(attributes: Json) -> Row {
        let mut row = Row::new(Table::Rule, Id::nil(), ESCALATION, "x");
        row.attributes = attributes.as_object().cloned().unwrap_or_default();
        row
    }

    #[test]
    fn a_row_that_lacks_something_names_the_field() {
        let of = |attributes| Criterion::of(&row(attributes)).map_err(|fault| fault.field);
        assert_eq!(of(json!({})).unwrap_err(), "trigger");
        assert_eq!(of(json!({"trigger": "prose"})).unwrap_err(), "trigger");
        assert_eq!(of(json!({"trigger": "names_us"})).unwrap_err(), "horizon");
        let short = json!({"trigger": "names_us", "horizon": "short_term", "due_hours": 0});
        assert_eq!(of(short).unwrap_err(), "due_hours");
        let odd = json!({"trigger": "own_sighting", "horizon": "short_term", "due_hours": 4, "severity_min": "x"});
        assert_eq!(of(odd).unwrap_err(), "severity_min");
    }

    #[test]
    fn what_does_not_wait_is_due_within_a_day_whatever_the_row_says() {
        let due = |horizon: &str, hours: i64| {
            let said = json!({"trigger": "names_us", "horizon": horizon, "due_hours": hours});
            Criterion::of(&row(said)).unwrap().due_hours
        };
        assert_eq!((due("short_term", 4), due("short_term", 100)), (4, 24));
        assert_eq!(due("long_term", 336), 336);
    }

    #[test]
    fn every_trigger_is_read_back() {
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::named(trigger.as_str()), Some(trigger));
        }
    }
}
