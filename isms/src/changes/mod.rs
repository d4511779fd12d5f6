//! Changes of the ISMS that want a plan (6.3): of the scope, of the norm's version, of the risk method,
//! and of many rules at once. Each is judged once, against the plans as they were signed then.
//!
//! Invariants: pure but for [`load`](mod@load). A plan counts if it named purpose, consequences,
//! resources and responsibilities, and that very text was signed before the change; what is signed
//! afterwards mends nothing. Before the first approval of scope or Statement of Applicability the ISMS
//! is being set up, and nothing is a change of it.

mod load;

use model::{Id, Text, Timestamp, t};
use serde::Serialize;
use serde_json::{Value as Json, json};
use store::Row;

use crate::{days, hall::text_of};

pub(crate) use load::is_finding;
pub use load::{Overview, overview, record};

/// Type of the record of a judged change.
pub const JUDGED: &str = "isms.change_judged";
/// Kind of the plan.
pub const PLAN_KIND: &str = "isms_change";
/// More rules than this always want a plan, whatever the threshold says: what is read at once is bounded.
const RULES_MAX: u64 = 100;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Scope,
    NormVersion,
    Method,
    Rules,
}

impl What {
    pub const ALL: [What; 4] = [What::Scope, What::NormVersion, What::Method, What::Rules];

    /// Stable name: in records, and of the field by which a plan or threshold speaks of it.
    pub fn name(self) -> &'static str {
        match self {
            What::Scope => "scope",
            What::NormVersion => "norm_version",
            What::Method => "method",
            What::Rules => "rules",
        }
    }

    /// Parses [`What::name`].
    pub fn parse(name: &str) -> Option<What> {
        What::ALL.into_iter().find(|what| what.name() == name)
    }

    /// How people read it.
    pub fn text(self) -> Text {
        match self {
            What::Scope => t("適用範囲", "Scope"),
            What::NormVersion => t("規格の版", "Norm version"),
            What::Method => t("リスクの評価方法", "Risk method"),
            What::Rules => t("多数のルール", "Many rules"),
        }
    }
}

/// From what size a change wants a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Threshold {
    /// The rule it comes from; `None` for the built-in one.
    pub rule: Option<Id>,
    pub rules_max: u64,
    pub scope: bool,
    pub norm_version: bool,
    pub method: bool,
    pub window_days: i64,
}

impl Default for Threshold {
    fn default() -> Threshold {
        Threshold {
            rule: None,
            rules_max: 20,
            scope: true,
            norm_version: true,
            method: true,
            window_days: 30,
        }
    }
}

impl Threshold {
    /// The threshold that a `change_threshold` row describes.
    pub fn of(row: &Row) -> Threshold {
        let standard = Threshold::default();
        let number = |name: &str| row.attributes.get(name).and_then(Json::as_i64);
        let flag = |name: &str| row.attributes.get(name).and_then(Json::as_bool).unwrap_or(true);
        Threshold {
            rule: Some(row.id),
            rules_max: number("rules_max").map_or(standard.rules_max, |n| n.max(0) as u64),
            scope: flag("scope"),
            norm_version: flag("norm_version"),
            method: flag("method"),
            window_days: number("window_days").filter(|d| *d > 0).unwrap_or(standard.window_days),
        }
    }

    fn wants(&self, change: &Change) -> bool {
        match change.what {
            What::Scope => self.scope,
            What::NormVersion => self.norm_version,
            What::Method => self.method,
            What::Rules => change.rules > self.rules_max.min(RULES_MAX),
        }
    }
}

/// A change that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub what: What,
    /// Names it for ever: it is judged once.
    pub key: String,
    /// The row that changed.
    pub subject: Option<Id>,
    pub at: Timestamp,
    /// How many rules; 0 for what is no change of rules.
    pub rules: u64,
}

/// What a plan said from some moment on.
#[derive(Clone, Debug)]
pub struct Version {
    pub from: Timestamp,
    pub hash: String,
    /// Purpose, consequences, resources and responsibilities are all named.
    pub complete: bool,
    pub covers: Vec<What>,
    pub starts: Option<Timestamp>,
    /// First moment behind its last day.
    pub ends: Option<Timestamp>,
}

/// A signature under a plan.
#[derive(Clone, Debug)]
pub struct Signature {
    pub hash: String,
    pub at: Timestamp,
    pub until: Option<Timestamp>,
}

/// A plan with everything it ever said.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: Id,
    /// Oldest first.
    pub versions: Vec<Version>,
    pub signatures: Vec<Signature>,
}

impl Version {
    /// What a version of the row says.
    pub fn of(row: &Row) -> Result<Version, store::StoreError> {
        const SAID: [&str; 4] = ["purpose", "consequences", "resources", "responsibilities"];
        let flag = |what: &What| row.attributes.get(what.name()) == Some(&Json::Bool(true));
        Ok(Version {
            from: row.updated_at,
            hash: row.content_hash()?,
            complete: !row.deleted && SAID.iter().all(|name| text_of(row, name).is_some()),
            covers: What::ALL.into_iter().filter(flag).collect(),
            starts: days::field(row, "starts_on"),
            ends: days::field(row, "ends_on").map(|day| day.plus_hours(24)),
        })
    }

    fn speaks_of(&self, change: &Change) -> bool {
        self.complete
            && self.covers.contains(&change.what)
            // A day of the calendar begins earlier in the east.
            && self.starts.is_none_or(|t| t.minus_hours(14) <= change.at)
            && self.ends.is_none_or(|t| change.at < t.plus_hours(12))
    }
}

impl Plan {
    /// Whether it was signed before the change, for exactly what it said then.
    pub fn covers(&self, change: &Change) -> bool {
        let Some(then) = self.versions.iter().rev().find(|v| v.from <= change.at) else {
            return false;
        };
        then.speaks_of(change)
            && self.signatures.iter().any(|s| {
                s.hash == then.hash
                    && s.at < change.at
                    && s.until.is_none_or(|until| until > change.at)
            })
    }
}

/// The judgement of a change, as facts of its record.
pub fn judge(change: &Change, threshold: &Threshold, plans: &[Plan]) -> Json {
    let plan = plans.iter().find(|plan| plan.covers(change));
    let mut facts = json!({
        "what": change.what.name(),
        "above_threshold": threshold.wants(change),
        "plan_signed_before": plan.is_some(),
        "change": change.key,
    });
    if let Some(plan) = plan {
        facts["plan"] = plan.id.to_string().into();
    }
    if change.what == What::Rules {
        facts["rules"] = change.rules.into();
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_795_600_000_000_000);

    fn plan(signed: Timestamp, edited: Option<Timestamp>) -> Plan {
        let version = |from, hash: &str| Version {
            from,
            hash: hash.to_owned(),
            complete: true,
            covers: vec![What::Scope],
            starts: Some(AT.minus_hours(48)),
            ends: Some(AT.plus_hours(48)),
        };
        let mut versions = vec![version(AT.minus_hours(100), "a")];
        versions.extend(edited.map(|at| version(at, "b")));
        let signature = Signature { hash: "a".to_owned(), at: signed, until: None };
        Plan { id: Id::from_parts(AT, &[1; 10]), versions, signatures: vec![signature] }
    }

    fn change(what: What, at: Timestamp) -> Change {
        Change { what, key: "k".to_owned(), subject: None, at, rules: 0 }
    }

    #[test]
    fn a_signature_counts_before_the_change_for_the_text_that_stood_then() {
        let scope = change(What::Scope, AT);
        assert!(plan(AT.minus_hours(1), None).covers(&scope));
        assert!(!plan(AT.plus_hours(1), None).covers(&scope), "signed afterwards");
        assert!(!plan(AT, None).covers(&scope), "not before");
        assert!(!plan(AT.minus_hours(5), Some(AT.minus_hours(2))).covers(&scope), "edited since");
        assert!(plan(AT.minus_hours(5), Some(AT.plus_hours(2))).covers(&scope), "edited later");
        assert!(!plan(AT.minus_hours(1), None).covers(&change(What::Method, AT)));
        assert!(!plan(AT.minus_hours(1), None).covers(&change(What::Scope, AT.plus_hours(200))));
        let mut vague = plan(AT.minus_hours(1), None);
        vague.versions[0].complete = false;
        assert!(!vague.covers(&scope));
        let mut expired = plan(AT.minus_hours(9), None);
        expired.signatures[0].until = Some(AT.minus_hours(1));
        assert!(!expired.covers(&scope));
    }

    #[test]
    fn rules_count_from_the_threshold_on_and_a_huge_threshold_is_bounded() {
        let mut rules = change(What::Rules, AT);
        rules.rules = 21;
        assert_eq!(judge(&rules, &Threshold::default(), &[])["above_threshold"], true);
        rules.rules = 20;
        assert_eq!(judge(&rules, &Threshold::default(), &[])["above_threshold"], false);
        let lax = Threshold { rules_max: 1_000_000, ..Threshold::default() };
        rules.rules = 101;
        assert_eq!(judge(&rules, &lax, &[])["above_threshold"], true);
    }
}
