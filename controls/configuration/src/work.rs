//! What this room does by itself: it looks at hosts.

mod accounts;
pub(crate) mod addresses;
mod apt;
pub mod collect;
mod cron;
pub mod driver;
mod gather;
mod parse;
mod root;
mod sshd;
mod sysctl;
pub mod twin;
mod units;

use std::{path::Path, time::Duration};

use model::t;
use room::{Error, Job, Shared, blocking, draft, this_host, write};
use serde_json::{Value as Json, json};

const MINUTE: Duration = Duration::from_secs(60);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("このマシンの構成の収集", "Collect this machine's configuration");
    let job = Job::new("configuration.collect", title, collect_here);
    let title = t("使われているアドレスの突合", "Hold addresses in use against the register");
    let addresses = Job::new("configuration.addresses", title, addresses::run);
    vec![
        job.every(MINUTE * 360).limit(MINUTE * 10).local(),
        addresses.every(MINUTE * 60).limit(MINUTE * 5).local(),
    ]
}

/// Collects the configuration of this machine.
async fn collect_here(ctx: Shared) -> Result<Json, Error> {
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (host, store) = (this_host(&ctx).await?, ctx.store());
    let started = store.now();
    let (facts, payload) = blocking(|| {
        let snapshot = collect::collect(Path::new("/"), true);
        (snapshot.facts(), snapshot.to_json())
    })
    .await?;
    let mut draft = draft("configuration.snapshot", Some(host), store.now(), facts);
    draft.observed_from = started;
    let payload = payload.to_string().into_bytes();
    let bytes = payload.len();
    draft.payload = Some(payload);
    write(store, "system:configuration.collect", draft).await?;
    ctx.house.wake();
    Ok(json!({ "host": host.to_string(), "payload_bytes": bytes }))
}
