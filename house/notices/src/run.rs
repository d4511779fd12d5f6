//! The jobs: tell, deliver, let tasks recur. A failure of one never stops the
//! others, and each writes down how it went.

use std::time::Duration;

use model::Timestamp;
use store::{Store, StoreError};
use web::{House, Shared};

use crate::{deliver, event, settings, triggers};

const TELL_EVERY: Duration = Duration::from_secs(15);
const DELIVER_EVERY: Duration = Duration::from_secs(5);
const RECUR_EVERY: Duration = Duration::from_secs(600);
const KEEP_HOURS: i64 = 24 * 400;

/// Runs until dropped.
pub async fn run(house: Shared) {
    // Both TLS users of this crate take the process-wide provider; a second installation is refused
    // harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::join!(tell(&house), deliver(&house), recur(&house));
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

/// Tells the officers that a verification of the ledger found mismatches.
pub async fn ledger_fault(store: &Store, place: &str, count: usize) -> Result<(), StoreError> {
    let (settings, _) = settings::load(store).await?;
    let readers = event::readers(store, &jiff::tz::TimeZone::system()).await?;
    let event = triggers::ledger_fault(place, count, store.now());
    event::tell(store, &settings, &readers, &event).await.map(drop)
}
