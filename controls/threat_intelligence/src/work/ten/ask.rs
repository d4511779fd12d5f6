//! What programs ask for: an edition from a file, a proposal for a decision. Pages and command line share it.

use std::collections::BTreeSet;

use model::{RoomSpec, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

use super::{
    content::{self, Fault, Known},
    editions::Editions,
    load::{self, Loaded},
    standing::{self, Decisions, Wish},
};

const REASON_CHARS_MAX: usize = 500;

/// A proposal as a program sends it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Id of the norm (`ipa10/2026/org/1`), of its row, or the key in the newest edition.
    pub threat: String,
    pub measures: Vec<String>,
    #[serde(default)]
    pub exposure: String,
    pub reason: String,
}

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{} faults", .0.len())]
    Faults(Vec<Fault>),
    #[error("there is no such threat: {0}")]
    Threat(String),
    #[error("there is no such measure: {0}")]
    Measure(String),
    #[error("a reason of at most {REASON_CHARS_MAX} characters is needed")]
    Reason,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AskError {
    /// Each fault in words, Japanese and English.
    pub fn words(&self) -> Vec<(String, String)> {
        match self {
            AskError::Faults(faults) => faults
                .iter()
                .map(|fault| {
                    let line = fault.line;
                    (format!("{line}行目：{}", fault.ja), format!("line {line}: {}", fault.en))
                })
                .collect(),
            AskError::Threat(word) => {
                vec![(format!("「{word}」という脅威はありません"), self.to_string())]
            }
            AskError::Measure(word) => {
                vec![(format!("「{word}」という対策はありません"), self.to_string())]
            }
            AskError::Reason => vec![(
                format!("理由を{REASON_CHARS_MAX}文字以内で入れてください"),
                self.to_string(),
            )],
            AskError::Store(error) => vec![(error.to_string(), error.to_string())],
        }
    }
}

/// Reads an edition and puts it into the register.
pub async fn import(
    store: &Store,
    rooms: impl Iterator<Item = &'static RoomSpec>,
    actor: &str,
    text: &str,
) -> Result<Loaded, AskError> {
    let norms = store.all(Table::Norm, &["annex_a"]).await?;
    let id = |row: &Row| row.attributes.get("norm_id").and_then(Json::as_str).map(str::to_owned);
    let controls: Vec<String> = norms.iter().filter_map(id).collect();
    let known = Known {
        criteria: rooms.flat_map(|room| room.criteria).map(|criterion| criterion.id).collect(),
        controls: controls.iter().map(String::as_str).collect(),
    };
    let edition = content::read(text, &known).map_err(AskError::Faults)?;
    Ok(load::import(store, actor, &edition).await?)
}

/// Writes a proposal that waits for its signature.
pub async fn propose(store: &Store, actor: &str, asked: &Proposal) -> Result<Row, AskError> {
    let editions = Editions::load(store).await?;
    let unknown = || AskError::Threat(asked.threat.clone());
    let threat = editions.named(&asked.threat).ok_or_else(unknown)?;
    let measures: BTreeSet<&String> = asked.measures.iter().collect();
    if let Some(word) = measures.iter().find(|id| !editions.measures.contains_key(**id)) {
        return Err(AskError::Measure((*word).clone()));
    }
    let reason = asked.reason.trim();
    let is_long = |text: &str| text.chars().count() > REASON_CHARS_MAX;
    if reason.is_empty() || is_long(reason) || is_long(&asked.exposure) {
        return Err(AskError::Reason);
    }
    let wish = Wish {
        measures: measures.into_iter().cloned().collect(),
        exposure: asked.exposure.clone(),
        reason: reason.to_owned(),
    };
    let known = Decisions::load(store).await?;
    let mut write = store.write(actor, reason, "").await?;
    let row = standing::propose(store, &mut write, threat, &wish, &known).await?;
    write.commit().await?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proposal_waits_for_a_signature_and_names_what_is_wrong() {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        load::load(&store).await.expect("loaded");
        let asked = Proposal {
            threat: "ransomware".to_owned(),
            measures: vec!["offline-copy".to_owned()],
            exposure: String::new(),
            reason: "基幹サーバーがある".to_owned(),
        };
        let first = propose(&store, "local:test", &asked).await.expect("proposed");
        assert_eq!(first.status, "proposed");
        let kind = crate::SPEC.others.iter().find(|kind| kind.id == first.kind).expect("kind");
        assert_eq!(kind.validate(&first.attributes), []);
        let again = propose(&store, "local:test", &asked).await.expect("again");
        assert_eq!(again.id, first.id, "a second one takes the place of the first");
        let wrong = Proposal { threat: "ipa10/1999/org/1".to_owned(), ..asked.clone() };
        let refused = propose(&store, "local:test", &wrong).await;
        assert!(matches!(refused, Err(AskError::Threat(_))), "{refused:?}");
        let wrong = Proposal { measures: vec!["pray".to_owned()], ..asked.clone() };
        let refused = propose(&store, "local:test", &wrong).await.expect_err("no measure");
        assert!(refused.words()[0].0.contains("pray"));
        let wrong = Proposal { reason: " ".to_owned(), ..asked };
        assert!(matches!(propose(&store, "local:test", &wrong).await, Err(AskError::Reason)));
    }
}
