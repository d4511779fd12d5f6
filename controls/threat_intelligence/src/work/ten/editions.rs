//! Editions in the register: threats, measures, what changed from one edition to the next.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Table};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

use super::content::{Audience, month};

pub const THREAT: &str = "ipa10_threat";
pub const MEASURE: &str = "threat_measure";
/// Status of what a newer edition took the place of.
pub const SUPERSEDED: &str = "superseded";

/// A threat of the register.
#[derive(Clone, Debug)]
pub struct Threat {
    pub row: Row,
    pub key: String,
    pub edition: i64,
    pub audience: Audience,
    pub number: i64,
    pub rank: Option<i64>,
    pub rank_before: Option<i64>,
    pub first_year: Option<i64>,
    pub title: (String, String),
    pub about: (String, String),
    /// Ids of proposed measures.
    pub measures: Vec<String>,
}

/// A measure of the register.
#[derive(Clone, Debug)]
pub struct Measure {
    pub id: String,
    pub text: (String, String),
    pub maps_to: Vec<String>,
}

/// All editions and measures.
#[derive(Debug, Default)]
pub struct Editions {
    /// By audience, edition and place.
    pub threats: Vec<Threat>,
    pub measures: BTreeMap<String, Measure>,
}

fn text(row: &Row, name: &str) -> String {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

pub(super) fn list(row: &Row, name: &str) -> Vec<String> {
    let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
    all.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

impl Threat {
    pub fn of(row: Row) -> Option<Threat> {
        let number = |name: &str| row.attributes.get(name).and_then(Json::as_i64);
        Some(Threat {
            key: text(&row, "key"),
            edition: number("edition")?,
            audience: Audience::named(&text(&row, "audience"))?,
            number: number("number").or_else(|| number("rank")).unwrap_or_default(),
            rank: number("rank"),
            rank_before: number("rank_before"),
            first_year: number("first_year"),
            title: (text(&row, "title_ja"), text(&row, "title_en")),
            about: (text(&row, "about_ja"), text(&row, "about_en")),
            measures: list(&row, "measures"),
            row,
        })
    }

    /// `ipa10/2026/org/1`.
    pub fn norm_id(&self) -> String {
        text(&self.row, "norm_id")
    }

    /// First day of the month in which its edition was published.
    pub fn published(&self) -> Option<jiff::civil::Date> {
        month(&text(&self.row, "published"))
    }

    /// What was not held against the publication yet, in Japanese and English.
    pub fn to_check(&self) -> (String, String) {
        (text(&self.row, "to_check_ja"), text(&self.row, "to_check_en"))
    }
}

impl Editions {
    pub async fn load(store: &Store) -> Result<Editions, StoreError> {
        let rows = store.all(Table::Norm, &[THREAT, MEASURE]).await?;
        let mut all = Editions::default();
        for row in rows {
            if row.kind == MEASURE {
                let measure = Measure {
                    id: text(&row, "measure_id"),
                    text: (text(&row, "text_ja"), text(&row, "text_en")),
                    maps_to: list(&row, "maps_to"),
                };
                all.measures.insert(measure.id.clone(), measure);
            } else if let Some(threat) = Threat::of(row) {
                all.threats.push(threat);
            }
        }
        all.threats.sort_by_key(|threat| (threat.audience, threat.edition, threat.number));
        Ok(all)
    }

    /// Years of the editions for an audience, the newest first.
    pub fn years(&self, audience: Audience) -> Vec<i64> {
        let years: BTreeSet<i64> =
            self.threats.iter().filter(|t| t.audience == audience).map(|t| t.edition).collect();
        years.into_iter().rev().collect()
    }

    /// The threats of an edition in their order.
    pub fn of(&self, audience: Audience, year: i64) -> Vec<&Threat> {
        let fits = |threat: &&Threat| threat.audience == audience && threat.edition == year;
        self.threats.iter().filter(fits).collect()
    }

    /// The newest edition.
    pub fn newest(&self, audience: Audience) -> Vec<&Threat> {
        let year = self.years(audience).first().copied();
        year.map_or_else(Vec::new, |year| self.of(audience, year))
    }

    pub fn one(&self, id: Id) -> Option<&Threat> {
        self.threats.iter().find(|threat| threat.row.id == id)
    }

    /// By id of the register, id of the norm, or key in the newest edition.
    pub fn named(&self, word: &str) -> Option<&Threat> {
        let by_id = self
            .threats
            .iter()
            .find(|threat| threat.row.id.to_string() == word || threat.norm_id() == word);
        let newest = || self.newest(Audience::Org).into_iter().find(|threat| threat.key == word);
        by_id.or_else(newest)
    }

    /// The same threat in the edition before.
    pub fn before(&self, threat: &Threat) -> Option<&Threat> {
        let same = |other: &&Threat| {
            other.key == threat.key
                && other.audience == threat.audience
                && other.edition < threat.edition
        };
        self.threats.iter().filter(same).max_by_key(|other| other.edition)
    }
}

/// What became of a threat from one edition to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    New,
    Gone,
    Up,
    Down,
    Same,
    /// One of the lists has no ranks.
    Unranked,
}

/// A threat in two editions.
#[derive(Debug)]
pub struct Change<'a> {
    pub moved: Moved,
    pub before: Option<&'a Threat>,
    pub after: Option<&'a Threat>,
}

/// What changed, in the order of the newer edition, what is gone at the end.
pub fn diff<'a>(before: &[&'a Threat], after: &[&'a Threat]) -> Vec<Change<'a>> {
    let find = |all: &[&'a Threat], key: &str| all.iter().copied().find(|t| t.key == key);
    let change = |threat: &'a Threat| {
        let old = find(before, &threat.key);
        let moved = match old.map(|old| (old.rank, threat.rank)) {
            None => Moved::New,
            Some((Some(old), Some(new))) if new < old => Moved::Up,
            Some((Some(old), Some(new))) if new > old => Moved::Down,
            Some((Some(_), Some(_))) => Moved::Same,
            Some(_) => Moved::Unranked,
        };
        Change { moved, before: old, after: Some(threat) }
    };
    let mut changes: Vec<Change<'a>> = after.iter().copied().map(change).collect();
    let gone = before.iter().copied().filter(|old| find(after, &old.key).is_none());
    changes.extend(gone.map(|old| Change { moved: Moved::Gone, before: Some(old), after: None }));
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn threat(edition: i64, key: &str, rank: i64) -> Threat {
        let mut row = Row::new(Table::Norm, Id::nil(), THREAT, key);
        let all = json!({ "key": key, "edition": edition, "audience": "org", "number": rank, "rank": rank });
        row.attributes = all.as_object().cloned().unwrap_or_default();
        Threat::of(row).expect("threat")
    }

    #[test]
    fn a_diff_names_what_is_new_gone_and_moved() {
        let old = [threat(2026, "a", 1), threat(2026, "b", 2), threat(2026, "c", 3)];
        let new = [threat(2027, "b", 1), threat(2027, "a", 2), threat(2027, "d", 3)];
        let changes = diff(&old.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>());
        let moved: Vec<Moved> = changes.iter().map(|change| change.moved).collect();
        assert_eq!(moved, [Moved::Up, Moved::Down, Moved::New, Moved::Gone]);
        assert_eq!(changes[3].before.map(|t| t.key.as_str()), Some("c"));
    }
}
