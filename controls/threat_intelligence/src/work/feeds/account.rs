//! How a source stands: what was tried, what came, what failed, what waits for a person.

use std::collections::BTreeMap;

use fetch::{Fault, Tags};
use model::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Row, Store, StoreError, Write};

use super::source::{self, Rule};

/// Setting of a source: its account. It holds no secret.
const ACCOUNT: &str = "threat_intelligence.source:";
const MINUTE: i64 = 60_000_000;
/// Before a source that failed is tried again; twice as long each time, up to its interval.
const AGAIN: i64 = MINUTE;
const DOUBLED_MAX: u32 = 10;
/// The longest that a server may ask us to stay away.
const AWAY_MAX: i64 = 24 * 60 * MINUTE;

/// A value that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub reason: String,
    pub value: String,
    pub ja: String,
    pub en: String,
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub at: i64,
    pub ja: String,
    pub en: String,
}

/// A delivery that lost too much and waits for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub at: i64,
    pub had: u64,
    pub have: u64,
    pub bytes: u64,
    /// Of what came.
    pub digest: String,
    /// Groups are gone, which stay until a person lets them go; nothing else of the delivery waits.
    #[serde(default)]
    pub of_groups: bool,
    pub cursor: Option<String>,
    pub tags: Tags,
    pub refused: BTreeMap<String, u64>,
    pub samples: Vec<Sample>,
}

/// How a source stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Microseconds since 1970, as all times here.
    pub tried_at: Option<i64>,
    /// It answered, be it with nothing new.
    pub good_at: Option<i64>,
    /// Something came.
    pub arrived_at: Option<i64>,
    pub watched_at: Option<i64>,
    pub trouble: Option<Trouble>,
    pub failures: u32,
    /// Its server asked to be left alone until then.
    pub not_before: Option<i64>,
    /// Of the address that they were given for.
    pub tags: Tags,
    pub address: String,
    pub cursor: Option<String>,
    /// SHA-256 of the last documents that were taken.
    pub digest: Option<String>,
    pub rows: u64,
    pub items: u64,
    pub bytes: u64,
    pub refused: BTreeMap<String, u64>,
    pub samples: Vec<Sample>,
    pub held: Option<Held>,
    /// Of the last delivery that a person rejected, and of the last loss of groups that a person confirmed.
    pub rejected: Option<String>,
    pub confirmed: Option<String>,
}

impl Account {
    pub async fn load(store: &Store, id: Id) -> Result<Account, StoreError> {
        let text = store.setting(&format!("{ACCOUNT}{id}")).await?;
        // One that cannot be read is begun anew: everything is fetched again.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// The accounts of all sources.
    pub async fn all(store: &Store) -> Result<BTreeMap<Id, Account>, StoreError> {
        let all = store.settings(ACCOUNT).await?;
        let one = |(name, text): (String, String)| {
            let id = name.strip_prefix(ACCOUNT)?.parse().ok()?;
            Some((id, serde_json::from_str(&text).ok()?))
        };
        Ok(all.into_iter().filter_map(one).collect())
    }

    pub async fn save(&self, store: &Store, id: Id) -> Result<(), StoreError> {
        store.set_setting(&format!("{ACCOUNT}{id}"), &self.text()).await
    }

    /// Saves it with whatever else the change holds.
    pub async fn save_in(&self, write: &mut Write<'_>, id: Id) -> Result<(), StoreError> {
        write.set_setting(&format!("{ACCOUNT}{id}"), &self.text()).await
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the time of a source has come.
    pub fn is_due(&self, row: &Row, rule: Option<&Rule>, now: Timestamp) -> bool {
        let Some(tried) = self.tried_at else {
            let watched = self.watched_at.filter(|_| !source::is_fetched(row));
            return watched.is_none_or(|at| now.0 >= at + source::watch_every(row));
        };
        if self.not_before.is_some_and(|at| now.0 < at) {
            return false;
        }
        let every = source::interval_min(row, rule) * MINUTE;
        let wait = match self.failures {
            0 => every,
            n => every.min(AGAIN << (n - 1).min(DOUBLED_MAX)),
        };
        // A clock that was set back does not keep a source away.
        !(0..wait).contains(&(now.0 - tried))
    }

    /// It failed; what it gave before stays.
    pub fn fail(&mut self, fault: &Fault, now: Timestamp) {
        let (ja, en) = fault.words();
        self.tried_at = Some(now.0);
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(Trouble { at: now.0, ja, en });
        self.not_before = match fault {
            Fault::Wait { seconds, .. } => {
                Some(now.0 + seconds.saturating_mul(1_000_000).clamp(0, AWAY_MAX))
            }
            _ => None,
        };
    }

    /// It answered.
    pub fn succeed(&mut self, now: Timestamp) {
        (self.tried_at, self.good_at) = (Some(now.0), Some(now.0));
        (self.failures, self.trouble, self.not_before) = (0, None, None);
    }
}

#[cfg(test)]
mod tests {
    use model::Table;
    use serde_json::json;

    use super::*;

    fn source() -> Row {
        let mut row = Row::new(Table::Asset, Id::nil(), "intel_source", "x");
        let facts = json!({ "format": "list", "url": "https://a.example/", "interval_min": 60 });
        row.attributes = facts.as_object().cloned().unwrap_or_default();
        row
    }

    #[test]
    fn a_source_that_failed_is_asked_sooner_and_one_that_asks_for_peace_is_left_alone() {
        let (row, mut account) = (source(), Account::default());
        let at = |min: i64| Timestamp(min * MINUTE);
        assert!(account.is_due(&row, None, at(0)));
        account.succeed(at(0));
        assert!(!account.is_due(&row, None, at(59)) && account.is_due(&row, None, at(60)));
        account.fail(&Fault::Late, at(60));
        assert!(!account.is_due(&row, None, at(60)) && account.is_due(&row, None, at(61)));
        for _ in 0..9 {
            account.fail(&Fault::Late, at(60));
        }
        assert!(!account.is_due(&row, None, at(119)) && account.is_due(&row, None, at(120)));
        account.fail(&Fault::Wait { status: 429, seconds: 7_200 }, at(60));
        assert!(!account.is_due(&row, None, at(179)) && account.is_due(&row, None, at(180)));
        assert!(account.good_at == Some(0), "what was good stays known");
        account.succeed(at(200));
        assert!(account.is_due(&row, None, at(10)), "the clock was set back");
    }
}
