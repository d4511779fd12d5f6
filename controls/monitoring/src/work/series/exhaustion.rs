//! Findings of what runs out, where a rule of the register wants to be told.
//!
//! Invariant: while a finding about a series waits to be judged there is no other, and one that was judged is not told
//! again for [`QUIET_DAYS`].

use model::{Assurance, Id, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use steady::Forecast;
use store::{RecordDraft, Store, StoreError};

use super::{files::About, rules::Outlook, tell::bare};
use crate::findings::{FINDING, with_judgements};

pub const RULE: &str = "steady.exhaustion";
const QUIET_DAYS: i64 = 30;
const LOOKED_MAX: usize = 10_000;

/// A series that meets its limit sooner than its rule bears.
pub(super) struct Warned {
    pub about: About,
    pub rule: Outlook,
    pub eta: i64,
    pub subject: Option<Id>,
    pub forecast: Forecast,
}

impl Warned {
    fn key(&self) -> String {
        let text = format!("ume/{RULE}/v1\n{:016x}\n{}", self.about.id, self.rule.id);
        hex::encode(Sha256::digest(text))
    }

    fn titles(&self) -> (String, String) {
        let (name, host) = (self.about.title(), bare(&self.about.host));
        let (of_ja, of_en) = match host.is_empty() {
            true => (name.clone(), name),
            false => (format!("{host}の{name}"), format!("{name} of {host}")),
        };
        match self.eta {
            0 => (format!("{of_ja}：限界に達している"), format!("{of_en} has met its limit")),
            days => (
                format!("{of_ja}：約{days}日で限界に達する見込み"),
                format!("{of_en} is expected to meet its limit in {days} days"),
            ),
        }
    }

    fn draft(&self, now: Timestamp) -> RecordDraft {
        let (ja, en) = self.titles();
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        let is_met = self.eta == 0;
        let facts = json!({
            "severity": if is_met { "high" } else { "medium" },
            "class": "anomaly",
            "phase": if is_met { "sign" } else { "precursor" },
            "retro": false,
            "rule": RULE,
            "title_ja": cut(&ja),
            "title_en": cut(&en),
            "group": self.key(),
            "series": format!("{:016x}", self.about.id),
        });
        let payload = json!({
            "time": now.rfc3339(),
            "arrived": now.rfc3339(),
            "source": self.about.source,
            "host": self.about.host,
            "series": self.about,
            "forecast": self.forecast,
            "judged_by": { "id": self.rule.id, "name": self.rule.name },
        });
        RecordDraft {
            ty: FINDING.to_owned(),
            subject: self.subject,
            observed_from: now,
            observed_to: now,
            source: "monitoring.series".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: serde_json::to_vec(&payload).ok(),
        }
    }
}

/// Findings that are not there yet.
pub(super) async fn news(
    store: &Store,
    warned: &[Warned],
    now: Timestamp,
) -> Result<Vec<RecordDraft>, StoreError> {
    if warned.is_empty() {
        return Ok(Vec::new());
    }
    let mut told = store.newest_records(&[FINDING], None, LOOKED_MAX).await?;
    told.retain(|record| record.facts.get("rule") == Some(&json!(RULE)));
    let told = with_judgements(store, told).await?;
    let is_new = |warned: &&Warned| {
        let key = warned.key();
        let mut same = told.iter().filter(|alert| alert.fact("group") == key);
        !same.any(|alert| {
            let age_h = now.hours_since(alert.record.observed_to);
            alert.judged.is_none() || age_h < 24 * QUIET_DAYS
        })
    };
    Ok(warned.iter().filter(is_new).map(|warned| warned.draft(now)).collect())
}
