//! The jobs: tell, deliver, let tasks recur, verify the ledger. A failure of one never stops the
//! others, and each writes down how it went.

use std::time::Duration;

use model::Timestamp;
use store::StoreError;
use web::{House, Shared};

use crate::{deliver, event, settings, triggers};

const TELL_EVERY: Duration = Duration::from_secs(15);
const DELIVER_EVERY: Duration = Duration::from_secs(5);
const RECUR_EVERY: Duration = Duration::from_secs(600);
const VERIFY_AFTER: Duration = Duration::from_secs(60);
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 3600);
const KEEP_HOURS: i64 = 24 * 400;

/// Why a verification did not run.
#[derive(Debug, thiserror::Error)]
enum Unverified {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
}

/// Runs until dropped.
pub async fn run(house: Shared) {
    // Both TLS users of this crate take the process-wide provider; a second installation is refused
    // harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::join!(tell(&house), deliver(&house), recur(&house), verify(&house));
}

/// Writes down how a run went, when that changed: a good run every few seconds is no news.
async fn note(house: &House, name: &str, was: &mut Option<String>, error: String, every: Duration) {
    if !error.is_empty() {
        tracing::error!(job = name, error, "a job failed");
    }
    if was.as_ref() == Some(&error) {
        return;
    }
    let now = house.store.now();
    let next = Timestamp(now.0 + every.as_micros() as i64);
    if let Err(failed) = house.store.note_job(name, now, &error, next).await {
        tracing::error!(job = name, error = %failed, "a job's run was not written down");
        return;
    }
    *was = Some(error);
}

fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.err().map_or_else(String::new, |e| e.to_string())
}

async fn tell(house: &House) {
    let mut triggers = triggers::Triggers::default();
    let mut was = None;
    loop {
        let told = triggers.run(&house.store, &house.people.local().zone).await;
        note(house, "notices.tell", &mut was, said(told), TELL_EVERY).await;
        tokio::time::sleep(TELL_EVERY).await;
    }
}

async fn deliver(house: &House) {
    let mut was = None;
    loop {
        let done = deliver::deliver(&house.store, &house.people.local().zone).await;
        note(house, "notices.deliver", &mut was, said(done), DELIVER_EVERY).await;
        tokio::time::sleep(DELIVER_EVERY).await;
    }
}

async fn recur(house: &House) {
    let mut was = None;
    loop {
        let made = tasks::materialise(&house.store).await;
        note(house, "tasks.recur", &mut was, said(made), RECUR_EVERY).await;
        let old = house.store.now().minus_hours(KEEP_HOURS);
        if let Err(error) = house.store.forget_notices(old).await {
            tracing::error!(%error, "old notices were not forgotten");
        }
        tokio::time::sleep(RECUR_EVERY).await;
    }
}

async fn verify(house: &House) {
    let mut was = None;
    tokio::time::sleep(VERIFY_AFTER).await;
    loop {
        let done = verify_once(house).await;
        note(house, "ledger.verify", &mut was, said(done), VERIFY_EVERY).await;
        tokio::time::sleep(VERIFY_EVERY).await;
    }
}

/// Verifies log, rows and payloads, and tells of mismatches.
async fn verify_once(house: &House) -> Result<usize, Unverified> {
    // Held while reading, so that the log does not grow under the verifier.
    let mut guard = house.ledger.lock().await;
    guard.checkpoint()?;
    let (mut report, leaves) = ledger::verify(guard.folder())?;
    ledger::verify_rows(&house.store, &leaves, &mut report).await?;
    drop(guard);
    if let Some(first) = report.faults.first() {
        let (settings, _) = settings::load(&house.store).await?;
        let readers = event::readers(&house.store, &house.people.local().zone).await?;
        let event = triggers::ledger_fault(&first.place, report.faults.len(), house.store.now());
        event::tell(&house.store, &settings, &readers, &event).await?;
    }
    Ok(report.faults.len())
}
