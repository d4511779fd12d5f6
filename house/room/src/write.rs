//! How a run writes down what it saw.

use model::{Assurance, Id, Timestamp};
use serde_json::Value as Json;
use store::{RecordDraft, Store, StoreError};

use crate::Error;

/// A record that a machine made at one moment, without payload. `facts` is an object.
pub fn draft(ty: &str, subject: Option<Id>, at: Timestamp, facts: Json) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject,
        observed_from: at,
        observed_to: at,
        source: "this machine".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

/// Writes one record in a transaction of its own.
pub async fn write(store: &Store, actor: &str, draft: RecordDraft) -> Result<(), StoreError> {
    let mut write = store.write(actor, "work", "").await?;
    write.record(draft).await?;
    write.commit().await
}

/// Does work that blocks (files, processes) beside the async tasks.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    Ok(tokio::task::spawn_blocking(work).await?)
}
