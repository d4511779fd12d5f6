//! What this room does by itself: it looks at hosts, and judges what it saw.

mod actors;
pub(crate) mod addresses;
pub mod bill;
pub mod changes;
pub mod collect;
pub(crate) mod decided;
pub mod drift;
pub mod driver;
pub mod handled;
pub mod judge;
pub mod keys;
pub(crate) mod life;
pub mod manifests;
pub mod review;
pub(crate) mod seen;
pub mod twin;
pub(crate) mod walk;

use std::{path::Path, time::Duration};

use model::{Text, t};
use room::{Error, Job, Shared, blocking, draft, this_host, write};
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
const MINUTE: Duration = Duration::from_secs(60);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("このマシンの構成の収集", "Collect this machine's configuration");
    let job = Job::new("configuration.collect", title, collect_here);
    let title = t("使われているアドレスの突合", "Hold addresses in use against the register");
    let addresses = Job::new("configuration.addresses", title, addresses::run);
    let title = t("構成の差異と八項目の判定", "Judge drift and the eight families");
    let judge = Job::new("configuration.judge", title, judge::judge);
    let title = t("このマシンの部品表の作成", "Make this machine's bill of materials");
    let bill = Job::new("configuration.sbom", title, bill::here);
    let title = t("ぜい弱性の勧告の取込みと判定", "Read advisories, and judge");
    let advisories = Job::new("configuration.advisories", title, run::advisories);
    let title = t("ぜい弱性の影響の判定", "Judge what vulnerabilities mean for us");
    let impact = Job::new("configuration.impact", title, run::impact);
    let title = t("変更の結果と差異の決定の反映", "Settle changes and what was decided on drift");
    let settle = Job::new("configuration.settle", title, settle);
    vec![
        bill.every(MINUTE * 10).limit(MINUTE * 10).local(),
        advisories.every(MINUTE * 5).limit(MINUTE * 60),
        impact.every(MINUTE * 5).limit(MINUTE * 30),
        settle.every(MINUTE * 10).limit(MINUTE * 5),
        job.every(MINUTE * 360).limit(MINUTE * 10).local(),
        judge.every(MINUTE * 10).limit(MINUTE * 10),
        addresses.every(MINUTE * 60).limit(MINUTE * 5).local(),
        Job::new("configuration.licences", LICENCES, licences::load::run).every(MINUTE * 360),
        Job::new("configuration.templates", TEMPLATES, life::templates).every(MINUTE * 60),
        Job::new("configuration.trace", TRACE, life::trace).every(MINUTE * 60),
        Job::new("configuration.defaults", DEFAULTS, life::defaults).every(MINUTE * 360),
        Job::new("configuration.copies", COPIES, proofs::copies).every(MINUTE * 1_440),
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

/// Collects the configuration of this machine.
async fn collect_here(ctx: Shared) -> Result<Json, Error> {
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let (host, store) = (this_host(&ctx).await?, ctx.store());
    let key = keys::of_house(store).await?;
    let started = store.now();
    let (summary, payload) = blocking(move || {
        let root = Path::new("/");
        let facts = collect::collect(root, true, FULL, &key)
            .map_err(|source| Error::Io { path: root.to_owned(), source })?;
        Ok::<_, Error>((collect::summary(&facts), facts.to_document().to_string().into_bytes()))
    })
    .await??;
    let mut draft = draft("configuration.snapshot", Some(host), store.now(), summary);
    draft.observed_from = started;
    let bytes = payload.len();
    draft.payload = Some(payload);
    write(store, "system:configuration.collect", draft).await?;
    let judged = judge::judge(ctx.clone()).await?;
    settle(ctx.clone()).await?;
    ctx.house.wake();
    Ok(json!({ "host": host.to_string(), "payload_bytes": bytes, "judged": judged }))
}

#[cfg(test)]
#[path = "work/flow_tests.rs"]
mod flow_tests;
