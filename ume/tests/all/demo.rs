//! The demonstration is honest: real ways in, no evidence of engines that do not exist, never mixed
//! with real data.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};

use model::{Assurance, Id, Producer, RoomSpec, Table, Timestamp};
use serde_json::Value as Json;
use store::Store;

use crate::rooms;

/// Long enough for every kind of work but the late rooms; the browser test runs the whole year.
const DAYS: &str = "24";

fn ume(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command.args(args).env("UME_LOG", "warn,sqlx=error").output().expect("ume runs")
}

fn demo(folder: &Path) -> String {
    let folder = folder.to_str().expect("path");
    let made = ume(&["demo", "--data", folder, "--days", DAYS, "--until", "2026-11-01"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("utf-8")
}

async fn open(folder: &Path) -> Store {
    Store::open_read_only(folder, store::system_clock()).await.expect("opens")
}

fn specs() -> impl Iterator<Item = &'static RoomSpec> {
    rooms::ROOMS.into_iter().chain([&isms::SPEC])
}

/// Record types that something in this build writes: those of jobs that exist, and the hall's.
fn producible() -> BTreeSet<&'static str> {
    let exists = |c: &&model::Criterion| matches!(c.producer, Producer::Exists(_));
    let read = specs().flat_map(|r| r.criteria).filter(exists).flat_map(|c| c.check.reads());
    read.chain(["monitoring.segment_root"]).collect()
}

/// Ids are drawn; what they name is compared where it stands.
fn without_ids(text: String) -> String {
    let mut rest = text.as_str();
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let id = rest.get(..36).filter(|part| part.parse::<Id>().is_ok());
        out.push_str(id.map_or(&rest[..first.len_utf8()], |_| "id"));
        rest = &rest[id.map_or(first.len_utf8(), str::len)..];
    }
    out
}

/// What the seed decides: everything but ids of records and accounts, salts, nonces and keys.
async fn said(store: &Store) -> Vec<String> {
    let mut said = Vec::new();
    for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
        for row in store.all(table, &[]).await.expect("rows") {
            let mut attributes = row.attributes.clone();
            let kept = attributes.get_mut("signatures").and_then(Json::as_array_mut);
            for signature in kept.into_iter().flatten().filter_map(Json::as_object_mut) {
                // The nonce is drawn and stands in the hash, and items name rows by their ids.
                signature.retain(|name, _| name != "nonce" && name != "hash");
                if let Some(statement) = signature["statement"].as_object_mut() {
                    statement.remove("decisions");
                }
            }
            let attributes = without_ids(serde_json::to_string(&attributes).expect("json"));
            said.push(format!("{} {} {} {attributes}", row.kind, row.name, row.status));
        }
    }
    for record in store.records_after(None, 1_000_000).await.expect("records") {
        let mut facts = record.facts.clone();
        facts.remove("account_id");
        let facts = without_ids(serde_json::to_string(&facts).expect("json"));
        said.push(format!("{} {} {facts}", record.ty, record.observed_to.rfc3339()));
    }
    said.sort();
    said
}

#[tokio::test]
async fn the_demonstration_holds_what_it_shows_and_nothing_more() {
    let (one, two) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let out = demo(one.path());
    assert_eq!(out.matches("/demo-sign-in?token=").count(), 7, "a link per role:\n{out}");
    let store = open(one.path()).await;

    let allowed = producible();
    let records = store.records_after(None, 1_000_000).await.expect("records");
    for record in &records {
        let claims = record.assurance == Assurance::Machine && !record.ty.starts_with("isms.");
        assert!(!claims || allowed.contains(record.ty.as_str()), "{} has no engine", record.ty);
    }
    assert!(records.iter().any(|r| r.ty == "isms.attested"));
    assert!(records.iter().any(|r| r.ty == "isms.level_changed"), "a level rises");

    for spec in specs() {
        for kind in web::kinds_of(spec).filter(|k| k.table != Table::Decision) {
            for row in store.all(kind.table, &[kind.id]).await.expect("rows") {
                assert_eq!(kind.validate(&row.attributes), [], "{} {}", kind.id, row.name);
            }
        }
    }
    let count = async |table, kind: &str| store.all(table, &[kind]).await.expect("rows").len();
    assert!(count(Table::Party, "person").await >= 60);
    assert!(count(Table::Asset, "host").await >= 40);
    assert!(count(Table::Risk, "risk").await >= 10);
    assert!(count(Table::Check, "check").await >= 3);
    let links = store.all(Table::Link, &["references"]).await.expect("links");
    assert!(links.len() >= 10, "risks name what they are about");
    let until = Timestamp::parse("2026-11-01T00:00:00Z").expect("time");
    assert!(records.iter().all(|r| r.received_at < until), "nothing comes from the future");

    let verified = ume(&["ledger", "verify", "--data", one.path().to_str().expect("path")]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    demo(two.path());
    let (first, second) = (said(&store).await, said(&open(two.path()).await).await);
    let differing = first.iter().zip(&second).find(|(one, other)| one != other);
    assert!(differing.is_none() && first.len() == second.len(), "the seed decides: {differing:?}");

    // Once more on the same folder: new links, nothing else.
    let again = ume(&["demo", "--data", one.path().to_str().expect("path")]);
    assert_eq!(String::from_utf8_lossy(&again.stdout).matches("?token=").count(), 7);
    assert_eq!(store.records_after(None, 1_000_000).await.expect("records").len(), records.len());
}

#[tokio::test]
async fn a_folder_with_real_data_is_refused_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().to_str().expect("path");
    let store = Store::open(folder.path(), store::system_clock()).await.expect("opens");
    store.add_account("umeko", "officer", "x").await.expect("account");
    store.db().close().await;
    let refused = ume(&["demo", "--data", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("real data"));
    let store = open(folder.path()).await;
    assert_eq!(store.account_count().await.expect("count"), 1);
    assert!(!web::demo::is_demo(&store).await.expect("setting"));

    let other = tempfile::tempdir().expect("folder");
    std::fs::write(other.path().join("notes.txt"), "mine").expect("file");
    let refused = ume(&["demo", "--data", other.path().to_str().expect("path")]);
    assert_eq!(refused.status.code(), Some(2), "a folder of something else is left alone");
    let future = ume(&["demo", "--data", path, "--until", "2999-01-01"]);
    assert_eq!(future.status.code(), Some(2));
}

#[tokio::test]
async fn a_link_opens_one_session_only() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path(), store::system_clock()).await.expect("opens");
    let token = web::demo::new_token(&store, "sato").await.expect("token");
    let rows = store.db().fetch("SELECT name FROM setting", &[]).await.expect("rows");
    let names: Vec<&str> = rows.iter().map(|r| r[0].text().expect("text")).collect();
    assert!(names.iter().all(|name| !name.contains(&token)), "only the hash is stored");
    let name = names.iter().find(|n| n.starts_with("demo_link/")).expect("link");
    assert_eq!(store.take_setting(name).await.expect("take").as_deref(), Some("sato"));
    assert_eq!(store.take_setting(name).await.expect("take"), None);
}
