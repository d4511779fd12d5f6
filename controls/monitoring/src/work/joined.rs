//! One thing that two ways of looking tell: more lines of a source than usual, and a burst of one kind of line. What
//! comes second is no finding of its own but is named in the first.
//!
//! Invariant: they are one only where the host agrees and they began within [`NEAR`] of each other, and where there
//! were more lines than usual, not fewer.

use model::{Id, Timestamp};
use room::Error;
use serde_json::{Value as Json, json};
use steady::{MINUTE, Micros};
use store::{Record, RecordDraft, Store};

use super::series::{RULE, site::VOLUME};
use crate::findings::{FINDING, JOINED};

pub const BURST: &str = "steady.burst_lines";
/// Volumes are counted by ten minutes and bursts gathered for as long.
const NEAR: Micros = 20 * MINUTE;
const LOOKED_MAX: usize = 500;

/// Which of both is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    Volume,
    Burst,
}

/// What comes second, in words.
pub struct Second {
    pub rule: &'static str,
    pub title: (String, String),
    pub group: String,
    pub series: Option<String>,
    pub onset: Micros,
}

/// The finding of the other half about the same host and time, if there is one.
pub async fn first(
    store: &Store,
    half: Half,
    host: &str,
    onset: Micros,
) -> Result<Option<Id>, Error> {
    let since = Timestamp(onset.saturating_sub(NEAR));
    let found = store.records_since(&[FINDING], since, LOOKED_MAX).await?;
    for record in found.iter().filter(|record| half.is_near(record, onset)) {
        let payload = store.payload(record.id).await?;
        let told: Option<Json> = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if told.is_some_and(|told| half.is_of(&told, host)) {
            return Ok(Some(record.id));
        }
    }
    Ok(None)
}

impl Half {
    fn is_near(self, record: &Record, onset: Micros) -> bool {
        let rule = if self == Half::Burst { BURST } else { RULE };
        let began = record.facts.get("onset_us").and_then(Json::as_i64);
        let began = began.unwrap_or(record.observed_from.0);
        record.facts.get("rule") == Some(&json!(rule)) && (began - onset).abs() <= NEAR
    }

    fn is_of(self, told: &Json, host: &str) -> bool {
        let text = |name: &str| told[name].as_str().unwrap_or("");
        if !text("host").eq_ignore_ascii_case(host) {
            return false;
        }
        let number = |name: &str| told["anomaly"][name].as_f64().unwrap_or(f64::NAN);
        self == Half::Burst
            || (told["series"]["name"] == VOLUME && number("observed") > number("expected"))
    }
}

impl Second {
    pub fn draft(&self, first: Id, now: Timestamp) -> RecordDraft {
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        let mut facts = json!({
            "rule": self.rule,
            "title_ja": cut(&self.title.0),
            "title_en": cut(&self.title.1),
            "group": self.group,
            "onset_us": self.onset,
        });
        if let Some(series) = &self.series {
            facts["series"] = json!(series);
        }
        let mut draft = room::draft(JOINED, Some(first), Timestamp(self.onset).min(now), facts);
        draft.source = "monitoring".to_owned();
        draft
    }
}
