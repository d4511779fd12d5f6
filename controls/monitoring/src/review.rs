//! The three reviews: why it happened, what went unnoticed, what is coming; and the look at the steady state.
//!
//! Invariants: a period has one record that says it fell due, written with its review or, where that is late, by
//! Ume; a panel that nothing feeds says so and is counted; what a signer saw is kept with what they signed.

pub mod due;
mod fill;
mod panels;
pub mod status;

use model::{Id, Text, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, StoreError, Write};

pub use fill::{Filled, Found, Hit, State, fill};
pub use panels::{PANELS, Panel};

/// What a review is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Investigation,
    Discovery,
    Prevention,
}

impl Purpose {
    pub const ALL: [Purpose; 3] = [Purpose::Investigation, Purpose::Discovery, Purpose::Prevention];

    pub fn name(self) -> &'static str {
        match self {
            Purpose::Investigation => "investigation",
            Purpose::Discovery => "discovery",
            Purpose::Prevention => "prevention",
        }
    }

    pub fn parse(name: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    pub fn text(self) -> Text {
        match self {
            Purpose::Investigation => t("原因調査", "Investigation"),
            Purpose::Discovery => t("問題発見", "Discovery"),
            Purpose::Prevention => t("予防", "Prevention"),
        }
    }

    /// The question that it answers.
    pub fn question(self) -> Text {
        match self {
            Purpose::Investigation => t(
                "前に、その間に何があったか。手当ては効いたか。",
                "What happened before it and during it, and did the answer help?",
            ),
            Purpose::Discovery => t(
                "気づかないうちに、機密性・完全性・可用性を損ねたものはないか。",
                "What probably has cost confidentiality, integrity or availability already?",
            ),
            Purpose::Prevention => {
                t("これから損ねるおそれのあるものは何か。", "What may come to cost them?")
            }
        }
    }

    /// Type of the record of such a review.
    pub fn record(self) -> &'static str {
        match self {
            Purpose::Investigation => "monitoring.review_investigation",
            Purpose::Discovery => "monitoring.review_discovery",
            Purpose::Prevention => "monitoring.review_prevention",
        }
    }

    /// Days that it looks back.
    pub fn days(self) -> i64 {
        match self {
            Purpose::Investigation => 1,
            Purpose::Discovery => 7,
            Purpose::Prevention => 31,
        }
    }
}

/// What somebody signs.
pub struct Signing<'a> {
    pub note: &'a str,
    /// What they noticed, in numbers, and tasks that came of it.
    pub findings: i64,
    pub tasks: i64,
    pub signer: Option<Id>,
}

/// Writes the review, and that it fell due where that is not written yet.
pub async fn sign(
    write: &mut Write<'_>,
    pending: &due::Pending,
    filled: &[Filled],
    signing: &Signing<'_>,
    now: Timestamp,
) -> Result<Record, StoreError> {
    let about = match pending.record {
        Some(id) => id,
        None => write.record(due::draft(pending, now.min(pending.due))).await?.id,
    };
    let without = filled.iter().filter(|panel| panel.state == State::NoSource).count();
    let late_us = (now.0 - pending.due.0).max(0);
    let mut facts = json!({
        "signed": true,
        // An hour that has begun is late.
        "late_h": (late_us + 3_599_999_999) / 3_600_000_000,
        "panels": filled.len(),
        "panels_without_source": without,
        "findings": signing.findings,
        "tasks": signing.tasks,
    });
    if let Some(signer) = signing.signer {
        facts["signer"] = json!(signer);
    }
    let panels: Vec<Json> = filled.iter().map(Filled::document).collect();
    let payload = json!({ "note": signing.note, "panels": panels });
    let draft = RecordDraft {
        source: "monitoring.review".to_owned(),
        payload: serde_json::to_vec(&payload).ok(),
        ..room::draft(pending.purpose.record(), Some(about), now, facts)
    };
    write.record(draft).await
}
