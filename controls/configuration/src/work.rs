//! What this room does by itself: it looks at hosts, and judges what it saw.

mod account;
mod actors;
pub(crate) mod addresses;
pub mod bill;
pub mod changes;
pub mod collect;
pub(crate) mod decided;
pub mod drift;
pub mod driver;
pub mod handled;
pub mod here;
pub mod judge;
pub mod keys;
pub(crate) mod life;
pub mod manifests;
mod pulse;
pub mod reached;
pub mod review;
pub(crate) mod seen;
pub mod twin;
pub(crate) mod walk;
pub mod watch;

use std::{
    path::Path,
    sync::PoisonError,
    time::{Duration, Instant},
};

use model::{Text, t};
use room::{Error, Job, Service, Shared, blocking, draft, this_host};
use serde_json::{Value as Json, json};

use crate::{impact::run, licences, proofs};

/// Whether collections of the house hold every file of every package against its sum, and bills of materials look at
/// every file. Builds for debugging hash too slowly for that.
pub const FULL: bool = !cfg!(debug_assertions);

const LICENCES: Text = t("ライセンスと保守の照合", "Count licences and maintenance");
const TEMPLATES: Text = t("テンプレートとの相違", "Hold systems against their templates");
const TRACE: Text = t("要件から試験結果までの追跡", "Trace requirements to results");
const DEFAULTS: Text = t("導入時の初期値の確認", "Defaults at introduction");
const COPIES: Text = t("構成の書き出しとバックアップの突合", "Look for exports in backups");
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
    let title = t("このマシンの部品表の作成", "Make this machine's bill of materials");
    let bill = Job::new("configuration.sbom", title, bill::here);
    let title = t("ぜい弱性の勧告の取込みと判定", "Read advisories, and judge");
    let advisories = Job::new("configuration.advisories", title, run::advisories);
    let title = t("ぜい弱性の影響の判定", "Judge what vulnerabilities mean for us");
    let impact = Job::new("configuration.impact", title, run::impact);
    let title = t("変更の結果と差異の決定の反映", "Settle changes and what was decided on drift");
    let settle = Job::new("configuration.settle", title, settle);
    let title = t("変更者の集計（30日）", "Count whose changes are known (30 days)");
    let actors = Job::new("configuration.actors", title, account::run);
    let title = t("SSHによる構成の収集", "Collect configurations over SSH");
    let ssh = Job::new("configuration.ssh", title, reached::run);
    vec![
        bill.every(MINUTE * 10).limit(MINUTE * 10).local(),
        advisories.every(MINUTE * 5).limit(MINUTE * 60),
        impact.every(MINUTE * 5).limit(MINUTE * 30),
        settle.every(MINUTE * 10).limit(MINUTE * 5),
        job.every(MINUTE * 360).limit(MINUTE * 10).local(),
        ssh.every(MINUTE * 5).limit(MINUTE * 60).local(),
        judge.every(MINUTE * 10).limit(MINUTE * 10),
        addresses.every(MINUTE * 60).limit(MINUTE * 5).local(),
        Job::new("configuration.licences", LICENCES, licences::load::run).every(MINUTE * 360),
        Job::new("configuration.templates", TEMPLATES, life::templates).every(MINUTE * 60),
        Job::new("configuration.trace", TRACE, life::trace).every(MINUTE * 60),
        Job::new("configuration.defaults", DEFAULTS, life::defaults).every(MINUTE * 360),
        Job::new("configuration.copies", COPIES, proofs::copies).every(MINUTE * 1_440),
        actors.every(MINUTE * 1440),
    ]
}

/// Writes what follows from signatures and snapshots, then verifies the changes.
pub async fn settle(ctx: Shared) -> Result<Json, Error> {
    Ok(settle_house(&ctx.house).await?)
}

/// The same, right behind a signature.
pub async fn settle_house(house: &web::House) -> Result<Json, store::StoreError> {
    let store = &house.store;
    let local = house.people.local();
    let clock = drift::days::Clock::at(store.now(), &local.zone);
    let done = drift::settle::all(store, &clock).await?;
    let (verified, closed) = changes::verify::all(store, store.now()).await?;
    if done.decided + verified + closed > 0 {
        house.wake();
    }
    Ok(json!({
        "decided": done.decided, "signers_unnamed": done.unnamed,
        "verified": verified, "closed": closed,
    }))
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
    settle(ctx.clone()).await?;
    ctx.house.wake();
    Ok(json!({ "host": host.to_string(), "payload_bytes": bytes, "judged": judged }))
}

#[cfg(test)]
#[path = "work/flow_tests.rs"]
mod flow_tests;
