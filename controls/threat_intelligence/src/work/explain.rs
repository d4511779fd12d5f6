//! Why a value is met: its verdict with every step, the items that say it, and its exclusion as a false positive.

use std::{collections::BTreeSet, path::Path};

use indicators::{Kind, validity::State};
use model::{Assurance, Id, Table, Text, Timestamp, t};
use netname::Names;
use room::Error;
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store, StoreError, Write};

use super::{
    inbox::{self, ITEM},
    publish::{self, Judged},
};

pub const DECIDED: &str = "threat_intelligence.validity_decided";
const EXCLUSION: &str = "indicator_exclusion";
const REASON_CHARS_MAX: usize = 2_000;
const VALUE_CHARS_MAX: usize = 2_000;
/// A decision is looked at again after a year at the latest.
const DAYS_MAX: i64 = 366;
const DAY_CHARS: usize = "2026-11-29".len();
const DAY_MICROS: i64 = 86_400_000_000;

/// A value and all that is known of it.
pub struct Explained {
    pub judged: Judged,
    /// Items that say it.
    pub items: Vec<Row>,
}

impl Explained {
    pub fn is_in_force(&self) -> bool {
        self.judged.verdict.state == State::Active
    }
}

/// The texts of a value in every kind that it can be.
fn texts(value: &str, names: &Names) -> BTreeSet<(Kind, String)> {
    let of = |kind: &Kind| {
        let key = indicators::normalise(*kind, value, names).ok()?;
        Some((*kind, key.text().to_owned()))
    };
    Kind::ALL.iter().filter_map(of).collect()
}

/// What stands about a value; `sets` is the folder of the sets.
pub async fn explain(store: &Store, sets: &Path, value: &str) -> Result<Vec<Explained>, Error> {
    let names = Names::shipped();
    let texts = texts(value, &names);
    let judged = publish::judged_of(store, sets, &texts).await?;
    let mut found: Vec<Explained> =
        judged.into_iter().map(|judged| Explained { judged, items: Vec::new() }).collect();
    if found.is_empty() {
        return Ok(found);
    }
    let items = store.all(Table::Asset, &[ITEM]).await?;
    for item in items.into_iter().filter(|item| !item.deleted && item.status == "active") {
        let lines = inbox::confirmed(store, &item).await.map_err(Error::said)?.unwrap_or_default();
        for one in &mut found {
            let key = &one.judged.row.key;
            let says =
                |line: &inbox::Line| line.kind == key.kind().as_str() && line.value == key.text();
            if lines.iter().any(says) {
                one.items.push(item.clone());
            }
        }
    }
    Ok(found)
}

/// A value that somebody takes out.
pub struct Excluded<'a> {
    pub value: &'a str,
    pub reason: &'a str,
    /// A day, as in 2026-11-29.
    pub expires: &'a str,
}

impl Excluded<'_> {
    /// What is missing or wrong.
    pub fn check(&self, now: Timestamp) -> Result<(), Text> {
        let value = self.value.trim();
        if value.chars().count() > VALUE_CHARS_MAX || texts(value, &Names::shipped()).is_empty() {
            return Err(t(
                "値が指標として読めません。",
                "The value cannot be read as an indicator.",
            ));
        }
        let reason = self.reason.trim().chars().count();
        if reason == 0 || reason > REASON_CHARS_MAX {
            return Err(t(
                "理由を2,000字までで入れてください。",
                "Give a reason of at most 2,000 characters.",
            ));
        }
        let until = self.until().filter(|until| until.0 > now.0);
        match until.is_some_and(|until| until.0 - now.0 <= DAYS_MAX * DAY_MICROS) {
            true => Ok(()),
            false => Err(t(
                "期限を今日から1年以内の日付（例 2026-11-29）で入れてください。",
                "Give an end within a year from today, as in 2026-11-29.",
            )),
        }
    }

    /// The last day counts to its end.
    fn until(&self) -> Option<Timestamp> {
        let day = self.expires.trim();
        let day = (day.len() == DAY_CHARS).then_some(day)?;
        Timestamp::parse(&format!("{day}T00:00:00Z")).map(|start| Timestamp(start.0 + DAY_MICROS))
    }
}

/// Writes the exclusion and the record of it; the next set lacks the value.
pub async fn exclude(
    store: &Store,
    write: &mut Write<'_>,
    out: &Excluded<'_>,
) -> Result<Id, StoreError> {
    let now = store.now();
    let value = out.value.trim();
    let name: String = value.chars().take(120).collect();
    let mut rule = Row::new(Table::Rule, store.new_id()?, EXCLUSION, &name);
    rule.status = "active".to_owned();
    let attributes =
        json!({ "value": value, "reason": out.reason.trim(), "expires": out.expires.trim() });
    rule.attributes = attributes.as_object().cloned().unwrap_or_default();
    let rule = write.put(rule).await?;
    let mut facts = json!({ "state": "excluded", "step": "decision" });
    if let Some(until) = out.until() {
        facts["expires"] = json!(until.rfc3339());
    }
    write
        .record(RecordDraft {
            ty: DECIDED.to_owned(),
            subject: Some(rule.id),
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.explain".to_owned(),
            assurance: Assurance::Attested,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: serde_json::to_vec::<Json>(&attributes).ok(),
        })
        .await?;
    Ok(rule.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_false_positive_has_a_value_a_reason_and_an_end_within_a_year() {
        let now = Timestamp::parse("2026-11-29T10:00:00Z").expect("time");
        let check = |value, reason, expires| Excluded { value, reason, expires }.check(now).is_ok();
        assert!(check("evil.example", "shared host", "2026-11-29"), "today counts to its end");
        assert!(check("203.0.113.7", "shared host", "2027-11-20"));
        for (value, reason, expires) in [
            ("", "x", "2027-01-01"),
            ("evil.example", " ", "2027-01-01"),
            ("evil.example", "x", "2026-11-28"),
            ("evil.example", "x", "2029-01-01"),
            ("evil.example", "x", "tomorrow"),
        ] {
            assert!(!check(value, reason, expires), "{value} {reason} {expires}");
        }
    }
}
