//! The services: tell what happened, deliver what waits. They are rounds, not jobs: each comes again
//! within seconds, and how a round went shows among the services.

use std::{sync::Arc, time::Duration};

use room::{Error, Pause, Service, Shared};
use store::{Store, StoreError};
use tokio::sync::Mutex;

use crate::{deliver, event, settings, triggers, triggers::Triggers};

const TELL_EVERY: Duration = Duration::from_secs(15);
const DELIVER_EVERY: Duration = Duration::from_secs(5);
const KEEP_HOURS: i64 = 24 * 400;

/// What this crate does all the time.
pub fn services() -> Vec<Service> {
    // Both TLS users of this crate take the process-wide provider; a second installation is refused
    // harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seen = Arc::new(Mutex::new(Triggers::default()));
    let tell = move |ctx| tell(ctx, seen.clone());
    vec![
        Service::new("notices.tell", Pause::For(TELL_EVERY), tell),
        Service::new("notices.deliver", Pause::For(DELIVER_EVERY), deliver),
    ]
}

/// Makes notices of what happened, and forgets old ones.
async fn tell(ctx: Shared, seen: Arc<Mutex<Triggers>>) -> Result<(), Error> {
    let store = ctx.store();
    seen.lock().await.run(store, &ctx.house.people.local().zone).await.map_err(Error::said)?;
    store.forget_notices(store.now().minus_hours(KEEP_HOURS)).await?;
    Ok(())
}

/// Takes what waits to its readers.
async fn deliver(ctx: Shared) -> Result<(), Error> {
    deliver::deliver(ctx.store(), &ctx.house.people.local().zone).await?;
    Ok(())
}

/// Tells the officers that a verification of the ledger found mismatches.
pub async fn ledger_fault(store: &Store, place: &str, count: usize) -> Result<(), StoreError> {
    let (settings, _) = settings::load(store).await?;
    let readers = event::readers(store, &jiff::tz::TimeZone::system()).await?;
    let event = triggers::ledger_fault(place, count, store.now());
    event::tell(store, &settings, &readers, &event).await.map(drop)
}
