//! From a file that a process changes to a difference whose actor is known, through the room: watch, collection,
//! judge, and what the page says. As root; elsewhere each test says so and ends.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use configuration::work::{
    self, CANARY_CHANGE, SNAPSHOT, TOUCHES, collect, keys,
    watch::{Observer, Places},
};
use model::{Id, Table};
use reqwest::Method;
use room::{Schedule, draft};
use serde_json::{Value as Json, json};
use store::{Record, Row};

use crate::findings::Place;

const WAIT: Duration = Duration::from_secs(60);
const LOGIN: &str = "4242";

async fn put(place: &Place, table: Table, kind: &str, name: &str, attributes: Json) -> Id {
    let mut row = Row::new(table, place.store().new_id().unwrap(), kind, name);
    row.attributes = attributes.as_object().cloned().unwrap();
    let mut write = place.store().write("test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row.id
}

/// Runs the job of the room with this name as the schedule does.
async fn job(place: &Place, name: &str) {
    let jobs: Vec<_> = work::jobs().into_iter().filter(|job| job.name == name).collect();
    let row = jobs[0].row();
    let schedule = Schedule::new(place.ctx(), jobs, "test".to_owned());
    schedule.declare().await.unwrap();
    place.store().job_ask(&row).await.unwrap();
    for run in schedule.look().await.unwrap() {
        run.await.unwrap();
    }
    let row = place.store().job(&row).await.unwrap().unwrap();
    assert_eq!(row.last_error, None);
}

/// What an agent sends of its host.
async fn look(place: &Place, host: Id, root: &Path, observer: &Observer) {
    let key = keys::of_file(&root.join("state/key")).unwrap();
    let from = place.store().now();
    let facts = collect::collect(root, false, true, &key).unwrap();
    let mut all = observer.take(Duration::ZERO).records();
    let document = facts.to_document().to_string();
    all.push((SNAPSHOT, collect::summary(&facts), Some(document)));
    for (ty, facts, payload) in all {
        let mut draft = draft(ty, Some(host), place.store().now(), facts);
        draft.observed_from = from;
        draft.payload = payload.map(String::into_bytes);
        room::write(place.store(), "agent:test", draft).await.unwrap();
    }
}

fn wait_until_due(observer: &Observer) {
    let started = Instant::now();
    while !observer.is_due() {
        assert!(started.elapsed() < WAIT, "never due");
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn drift(place: &Place) -> Vec<(Record, Json)> {
    let mut found = Vec::new();
    for record in place.store().newest_records(&["configuration.drift"], None, 50).await.unwrap() {
        let payload = place.store().payload(record.id).await.unwrap().unwrap();
        found.push((record, serde_json::from_slice(&payload).unwrap()));
    }
    found
}

fn host_root() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:4242:4242::/home/ann:/bin/sh\n");
    put("etc/group", "root:x:0:\n");
    put("etc/hostname", "one\n");
    put("etc/ssh/sshd_config", "PermitRootLogin no\n");
    put("usr/lib/os-release", "ID=debian\n");
    put("var/lib/dpkg/status", "");
    put("state/.keep", "");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_who_logged_in_is_a_difference_with_its_actor() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let (served, root) = (&place.served, host_root());
    let path = root.path().canonicalize().unwrap();
    let clock = {
        let house = served.house.clone();
        move || house.store.now()
    };
    let key = keys::of_file(&path.join("state/key")).unwrap();
    let begun = Observer::over(Places::Root(path.clone()), &path.join("state"), key, clock);
    let observer = begun.unwrap();
    if let Some(trouble) = observer.status().trouble {
        eprintln!("skipped: {trouble}");
        return;
    }
    let system = put(&place, Table::Asset, "system", "web", json!({})).await;
    let attributes = json!({ "hostname": "one", "system": system.to_string() });
    let host = put(&place, Table::Asset, "host", "one", attributes).await;
    let ann = put(&place, Table::Party, "person", "安藤", json!({ "account": "ann" })).await;
    look(&place, host, &path, &observer).await;
    job(&place, "configuration.judge").await;
    assert!(drift(&place).await.is_empty());

    // One who logged in, and one of whom nothing is known but the program.
    let script = format!(
        "echo {LOGIN} > /proc/self/loginuid || exit 7; sh -c 'echo PermitRootLogin yes > {}'; true",
        path.join("etc/ssh/sshd_config").display()
    );
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    if status.code() == Some(7) {
        eprintln!("skipped: loginuid cannot be set here");
        return;
    }
    wait_until_due(&observer);
    look(&place, host, &path, &observer).await;
    job(&place, "configuration.judge").await;
    let found = drift(&place).await;
    let sshd = found.iter().find(|(record, _)| record.facts["key"] == "sshd/permitrootlogin");
    let (record, payload) = sshd.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(record.facts["actor_known"], true);
    // Who it is stands in the payload, which can be shredded, and in no fact.
    assert!(!serde_json::to_string(&record.facts).unwrap().contains(&ann.to_string()));
    let actor = &payload[0]["verdict"]["actor"];
    assert_eq!(actor["party"], ann.to_string());
    let evidence = actor["evidence"].as_str().unwrap();
    for part in
        ["source=fanotify", "login=4242", "session=", "file=/etc/ssh/sshd_config", "command=sh -c"]
    {
        assert!(evidence.contains(part), "{part}: {evidence}");
    }
    let auditor = served.browser("auditor").await;
    let shown = served
        .request(Method::GET, &format!("/configuration/host/{host}"))
        .header("cookie", &auditor.cookie)
        .send()
        .await
        .unwrap();
    let text = shown.text().await.unwrap();
    assert!(text.contains("安藤") && text.contains("sh -c"), "{text}");

    job(&place, "configuration.actors").await;
    let newest =
        place.store().newest_records(&["configuration.actor_account"], Some(system), 1).await;
    let newest = newest.unwrap().remove(0);
    assert_eq!(newest.facts["deltas"], found.len());
    assert_eq!(newest.facts["known_permille"], 1_000, "{found:?}");
    assert_eq!(newest.facts["unknown_undecided"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_change_is_recorded_within_a_minute_and_becomes_the_pulse_of_its_host() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let root = host_root();
    let path = root.path().canonicalize().unwrap();
    let clock = {
        let house = place.served.house.clone();
        move || house.store.now()
    };
    let key = keys::of_file(&path.join("state/key")).unwrap();
    let begun = Observer::over(Places::Root(path.clone()), &path.join("state"), key, clock);
    let observer = begun.unwrap();
    if let Some(trouble) = observer.status().trouble {
        eprintln!("skipped: {trouble}");
        return;
    }
    let host = room::this_host(&place.ctx()).await.unwrap();
    observer.test_now();
    wait_until_due(&observer);
    look(&place, host, &path, &observer).await;
    let tests = place.store().newest_records(&[CANARY_CHANGE], Some(host), 9).await.unwrap();
    assert_eq!(tests.len(), 1);
    assert_eq!(tests[0].facts["noticed"], true);
    work::pulse(place.ctx()).await.unwrap();
    // Twenty minutes in which nothing was heard.
    place.later(20 * 60);
    work::pulse(place.ctx()).await.unwrap();
    observer.test_now();
    wait_until_due(&observer);
    look(&place, host, &path, &observer).await;
    work::pulse(place.ctx()).await.unwrap();
    let pulses = place.store().newest_records(&["configuration.collector_pulse"], Some(host), 9);
    let pulses = pulses.await.unwrap();
    assert_eq!(pulses.len(), 2, "{pulses:?}");
    let number = |record: &Record, name: &str| record.facts[name].as_i64().unwrap();
    assert!(pulses.iter().all(|pulse| number(pulse, "canary_s") <= 60), "{pulses:?}");
    assert!(number(&pulses[1], "heartbeat_min_max") <= 1);
    assert!((20..=21).contains(&number(&pulses[0], "heartbeat_min_max")), "{pulses:?}");
    // Nothing twice.
    work::pulse(place.ctx()).await.unwrap();
    let again = place.store().newest_records(&["configuration.collector_pulse"], Some(host), 9);
    assert_eq!(again.await.unwrap().len(), 2);
    let touches = place.store().newest_records(&[TOUCHES], Some(host), 9).await.unwrap();
    assert!(touches.iter().all(|record| record.facts["watch"] == "full"));
}
