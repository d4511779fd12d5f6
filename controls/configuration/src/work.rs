//! What this room does by itself: it looks at hosts, and judges what it saw.

mod account;
mod actors;
pub(crate) mod addresses;
mod changes;
pub mod collect;
pub mod driver;
pub mod here;
mod judge;
pub mod keys;
mod manifests;
mod pulse;
pub mod twin;
pub mod watch;

use std::{
    path::Path,
    sync::PoisonError,
    time::{Duration, Instant},
};

use model::t;
use room::{Error, Job, Service, Shared, blocking, draft, this_host};
use serde_json::{Value as Json, json};

/// Whether collections of the house hold every file of every package against its sum. Builds for
/// debugging hash too slowly for that.
pub const FULL: bool = !cfg!(debug_assertions);

/// The configuration of a host as it was at one moment.
pub const SNAPSHOT: &str = "configuration.snapshot";
/// What was seen of changes on a host.
pub const TOUCHES: &str = "configuration.touches";
/// The change that a host makes to see whether it is noticed.
pub const CANARY_CHANGE: &str = "configuration.canary_change";
const COLLECT: &str = "configuration.collect";
const JUDGE: &str = "configuration.judge";

const MINUTE: Duration = Duration::from_secs(60);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("このマシンの構成の収集", "Collect this machine's configuration");
    let job = Job::new(COLLECT, title, collect_here);
    let title = t("使われているアドレスの突合", "Hold addresses in use against the register");
    let addresses = Job::new("configuration.addresses", title, addresses::run);
    let title = t("構成の差異と八項目の判定", "Judge drift and the eight families");
    let judge = Job::new(JUDGE, title, judge::judge);
    let title = t("変更者の集計（30日）", "Count whose changes are known (30 days)");
    let actors = Job::new("configuration.actors", title, account::run);
    vec![
        job.every(MINUTE * 360).limit(MINUTE * 10).local(),
        judge.every(MINUTE * 10).limit(MINUTE * 10),
        addresses.every(MINUTE * 60).limit(MINUTE * 5).local(),
        actors.every(MINUTE * 1440),
    ]
}

/// One round of the service that keeps the pulse of the collectors.
pub async fn pulse(ctx: Shared) -> Result<(), Error> {
    pulse::round(ctx).await
}

/// The room's services.
pub fn services() -> Vec<Service> {
    let mut all = here::services();
    all.push(pulse::service());
    all
}

/// Collects the configuration of this machine.
async fn collect_here(ctx: Shared) -> Result<Json, Error> {
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (host, store) = (this_host(&ctx).await?, ctx.store());
    let key = keys::of_house(store).await?;
    let started = store.now();
    let here = ctx.house.kept.get::<here::Here>();
    let (observer, digests) = (here.look(), here.digests.clone());
    let began = Instant::now();
    let looked = blocking(move || {
        let root = Path::new("/");
        let mut digests = digests.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = collect::collect_again(root, FULL, &key, &mut digests)
            .map_err(|source| Error::Io { path: root.to_owned(), source })?;
        Ok::<_, Error>((collect::summary(&facts), facts.to_document().to_string().into_bytes()))
    });
    let (summary, payload) = match looked.await.and_then(|looked| looked) {
        Ok(found) => found,
        Err(error) => {
            observer.iter().for_each(|observer| observer.failed());
            return Err(error);
        }
    };
    let cost = began.elapsed();
    let taken = match &observer {
        Some(observer) => {
            let observer = observer.clone();
            Some(blocking(move || observer.take(cost)).await?)
        }
        None => None,
    };
    let seen = taken.as_ref().map(watch::Taken::records).unwrap_or_default();
    let bytes = payload.len();
    let write = async {
        let mut write = store.write("system:configuration.collect", "work", "").await?;
        for (ty, facts, payload) in seen {
            let mut draft = draft(ty, Some(host), store.now(), facts);
            draft.payload = payload.map(String::into_bytes);
            write.record(draft).await?;
        }
        let mut draft = draft(SNAPSHOT, Some(host), store.now(), summary);
        draft.observed_from = started;
        draft.payload = Some(payload);
        write.record(draft).await?;
        write.commit().await
    };
    if let Err(error) = write.await {
        if let (Some(observer), Some(taken)) = (observer, taken) {
            observer.give_back(taken);
        }
        return Err(error.into());
    }
    let judged = judge::judge(ctx.clone()).await?;
    ctx.house.wake();
    Ok(json!({ "host": host.to_string(), "payload_bytes": bytes, "judged": judged }))
}
