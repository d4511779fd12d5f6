//! Leases over two stores on one database, and what a panic may not do.

#[path = "../../web/tests/hall/mod.rs"]
mod hall;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use model::t;
use room::{Ctx, Error, Job, Schedule, Shared};
use serde_json::{Value as Json, json};

static RUNS: AtomicUsize = AtomicUsize::new(0);

fn job<Fut>(name: &'static str, run: fn(Shared) -> Fut) -> Job
where
    Fut: Future<Output = Result<Json, Error>> + Send + 'static,
{
    Job::new(name, t("試験", "Test"), run).limit(Duration::from_secs(3600))
}

async fn ctx(database: &str, folder: &Path) -> Shared {
    let store = store::Store::at(database, true, store::system_clock()).await.unwrap();
    let ledger = ledger::Ledger::open(&folder.join("ledger"), "ume.test/work").unwrap();
    let stream = stream::Stream::open(&folder.join("stream"), stream::Limits::default()).unwrap();
    let archive = folder.join("stream");
    let house = web::House::new(store, ledger, archive, Vec::new(), &hall::HALL);
    Arc::new(Ctx { house: Arc::new(house), stream })
}

/// SQLite, and a database of its own on PostgreSQL if the tests have one.
async fn databases(folder: &Path) -> Vec<String> {
    let mut all = vec![format!("sqlite:{}", folder.join("ume.db").display())];
    if let Ok(url) = std::env::var("UME_TEST_POSTGRES") {
        let admin = store::Db::postgres(&url).await.unwrap();
        let name = format!("work_{}", std::process::id());
        // CREATE DATABASE runs in no transaction, so not through `begin`.
        admin.fetch(&format!("CREATE DATABASE {name}"), &[]).await.unwrap();
        all.push(url.replace("/postgres?", &format!("/{name}?")));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_run_a_due_job_once() {
    async fn count(_: Shared) -> Result<Json, Error> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(json!({ "ran": true }))
    }
    let folder = tempfile::tempdir().unwrap();
    for database in databases(folder.path()).await {
        RUNS.store(0, Ordering::SeqCst);
        let mut nodes = Vec::new();
        for n in 0..2 {
            let own = tempfile::tempdir().unwrap();
            let ctx = ctx(&database, own.path()).await;
            nodes.push((
                Schedule::new(ctx, vec![job("test.count", count)], format!("node{n}")),
                own,
            ));
        }
        nodes[0].0.declare().await.unwrap();
        let store = store::Store::at(&database, true, store::system_clock()).await.unwrap();
        for round in 1..=5 {
            store.job_ask("test.count").await.unwrap();
            let both = tokio::join!(nodes[0].0.look(), nodes[1].0.look());
            for run in [both.0.unwrap(), both.1.unwrap()].into_iter().flatten() {
                run.await.unwrap();
            }
            assert_eq!(RUNS.load(Ordering::SeqCst), round, "{database}");
            let row = store.job("test.count").await.unwrap().unwrap();
            assert_eq!(row.last_result.as_deref(), Some("{\"ran\":true}"));
            assert!(row.owner.is_empty() && row.next_due > store.now());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_start_together_register_this_machine_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("ume.db").display());
    let ctx = ctx(&database, folder.path()).await;
    let all = (0..8).map(|_| {
        let ctx = ctx.clone();
        tokio::spawn(async move { room::this_host(&ctx).await.unwrap() })
    });
    let mut ids = std::collections::BTreeSet::new();
    for one in all.collect::<Vec<_>>() {
        ids.insert(one.await.unwrap());
    }
    let hosts = store::Filter { kind: Some("host".to_owned()), ..store::Filter::default() };
    let rows = ctx.store().list(model::Table::Asset, &hosts).await.unwrap();
    assert_eq!((ids.len(), rows.len()), (1, 1));
}

#[tokio::test]
async fn an_abandoned_run_is_taken_up_again_and_its_late_end_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = Arc::new(std::sync::atomic::AtomicI64::new(1_795_600_000_000_000));
    let clock = at.clone();
    let clock: store::Clock = Arc::new(move || model::Timestamp(clock.load(Ordering::SeqCst)));
    let store = store::Store::open(folder.path(), clock).await.unwrap();
    store.job_declare("a").await.unwrap();
    assert!(store.job_take("a", "one", 1_000, 1_000_000).await.unwrap());
    assert!(!store.job_take("a", "two", 1_000, 1_000_000).await.unwrap());
    at.fetch_add(1_000, Ordering::SeqCst);
    assert!(store.job_take("a", "two", 1_000, 1_000_000).await.unwrap());
    assert!(!store.job_end("a", "one", Ok("1"), 0).await.unwrap());
    assert!(!store.job_renew("a", "one", 1_000).await.unwrap());
    assert!(store.job_end("a", "two", Err("no"), 50).await.unwrap());
    let row = store.job("a").await.unwrap().unwrap();
    assert_eq!((row.last_error.as_deref(), row.last_result), (Some("no"), None));
    assert_eq!(row.next_due.0, at.load(Ordering::SeqCst) + 50);
}

#[tokio::test]
async fn a_panic_in_one_job_is_its_error_and_stops_no_other() {
    async fn panics(_: Shared) -> Result<Json, Error> {
        panic!("on purpose")
    }
    async fn works(_: Shared) -> Result<Json, Error> {
        Ok(json!(1))
    }
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("ume.db").display());
    let ctx = ctx(&database, folder.path()).await;
    let jobs = vec![job("test.panics", panics), job("test.works", works)];
    let schedule = Schedule::new(ctx.clone(), jobs, "me".to_owned());
    let running = tokio::spawn(schedule.run());
    for _ in 0..2 {
        let asked = ctx.store().now();
        for name in ["test.panics", "test.works"] {
            ctx.store().job_declare(name).await.unwrap();
            ctx.store().job_ask(name).await.unwrap();
        }
        let mut ended = false;
        for _ in 0..100 {
            let rows = ctx.store().jobs().await.unwrap();
            ended = rows.iter().all(|r| r.last_ended.is_some_and(|t| t >= asked));
            if ended {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(ended);
        let row = ctx.store().job("test.panics").await.unwrap().unwrap();
        assert!(row.last_error.unwrap().contains("panicked: on purpose"));
        let row = ctx.store().job("test.works").await.unwrap().unwrap();
        assert_eq!((row.last_error, row.last_result.as_deref()), (None, Some("1")));
    }
    assert!(!running.is_finished());
    running.abort();
}
