//! From a line that comes in to a judged finding: real intake, real rules, pages and API, over restarts.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use model::{Id, Table, Timestamp};
use monitoring::{
    findings::{FINDING, HANDLED},
    work::live::{self, Live},
};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store};
use stream::RawLine;

use crate::{declared, served::Served};

pub(crate) struct Place {
    pub(crate) served: Served,
    ahead: Arc<AtomicI64>,
}

impl Place {
    pub(crate) async fn over(folder: tempfile::TempDir) -> Place {
        let ahead = Arc::<AtomicI64>::default();
        let (time, system) = (ahead.clone(), store::system_clock());
        let clock: store::Clock =
            Arc::new(move || Timestamp(system().0 + time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), clock).await.unwrap();
        let store = declared::settled(store).await.unwrap();
        Place { served: Served::over(store, folder, 1_000_000).await, ahead }
    }

    /// The process ends, and another begins with what is on disk.
    pub(crate) async fn restarted(self) -> Place {
        let Served { folder, house, stream, .. } = self.served;
        stream.flush(house.store.now()).unwrap();
        house.store.db().close().await;
        let copy = tempfile::tempdir().unwrap();
        let done = std::process::Command::new("cp")
            .args(["-a", &format!("{}/.", folder.path().display())])
            .arg(copy.path())
            .status()
            .unwrap();
        assert!(done.success());
        Place::over(copy).await
    }

    pub(crate) fn store(&self) -> &Store {
        &self.served.house.store
    }

    pub(crate) fn later(&self, seconds: i64) {
        self.ahead.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) fn come(&self, lines: &[&str]) {
        let lines = lines.iter().map(|line| RawLine::new(*line)).collect();
        let ack = self.served.stream.ingest("syslog", lines, self.store().now()).unwrap();
        assert!(ack.refused.is_empty());
    }

    /// What jobs and services work on.
    pub(crate) fn ctx(&self) -> room::Shared {
        let (house, stream) = (self.served.house.clone(), self.served.stream.clone());
        Arc::new(room::Ctx { house, stream })
    }

    /// A round of the rules, as the service goes it.
    pub(crate) async fn round(&self) {
        self.later(1);
        live::round(self.ctx()).await.unwrap();
    }

    pub(crate) async fn found(&self) -> Vec<Record> {
        self.store().newest_records(&[FINDING], None, 100).await.unwrap()
    }

    pub(crate) fn again(&self, id: Id) -> u64 {
        let shown = self.served.house.kept.get::<Live>().shown();
        shown.again.get(&id).map_or(0, |again| again.count)
    }

    pub(crate) async fn send(&self, role: &str, path: &str, fields: &[(&str, &str)]) -> u16 {
        let who = self.served.browser(role).await;
        let mut fields = fields.to_vec();
        fields.push(("csrf", &who.csrf));
        let encode = |(n, v): &(&str, &str)| format!("{n}={}", urlencoding::encode(v));
        let body = fields.iter().map(encode).collect::<Vec<_>>().join("&");
        let request = self.served.request(Method::POST, path).header(header::COOKIE, &who.cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(body).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn page(&self, role: &str, path: &str) -> String {
        let who = self.served.browser(role).await;
        let request = self.served.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// The page costs no more than a few statements.
    pub(crate) async fn costs_little(&self, role: &str, path: &str) {
        let who = self.served.browser(role).await;
        let request = self.served.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let answer = request.send().await.unwrap();
        let cost = answer.headers()["server-timing"].to_str().unwrap().to_owned();
        let statements = cost.split(['"', ' ']).find_map(|word| word.parse::<u64>().ok());
        assert!(statements.unwrap() <= 8, "{path}: {cost}");
    }

    /// How a criterion of this room is judged now.
    pub(crate) async fn verdict(&self, id: &str) -> isms::Verdict {
        let board = isms::compute(self.store(), &crate::rooms::ROOMS).await.unwrap();
        let control = board.all().find(|control| control.spec.id == "monitoring").unwrap();
        control.verdict(id).unwrap().clone()
    }

    pub(crate) async fn api(&self, path: &str) -> Json {
        let token = self.served.token("administrator").await;
        let answer = self.served.with(&token, Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn put(&self, kind: &str, attributes: Json) -> Row {
        self.put_row(Table::Rule, kind, attributes).await
    }

    pub(crate) async fn put_row(&self, table: Table, kind: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.store().new_id().unwrap(), kind, "own");
        row.attributes = attributes.as_object().cloned().unwrap();
        row.status = "active".to_owned();
        let mut write = self.store().write("account:test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }
}

pub(crate) const DISK: &str =
    "<3>Nov 28 10:00:00 db1 kernel: [  12.3] blk_update_request: I/O error, dev sda, sector 2048";
pub const QUIET: &str =
    "<30>Nov 28 10:00:00 db1 systemd[1]: Started Daily apt download activities.";

#[tokio::test]
async fn a_line_becomes_one_finding_that_takes_in_the_rest_until_it_is_judged() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[QUIET, DISK, QUIET]);
    place.round().await;
    let found = place.found().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    assert_eq!(found[0].facts["severity"], "high");
    let shown = place.served.house.kept.get::<Live>().shown();
    assert_eq!(shown.progress.evaluated["syslog"], 3, "each event counts, met or not");

    place.come(&[DISK, DISK]);
    place.round().await;
    assert_eq!((place.found().await.len(), place.again(found[0].id)), (1, 2));

    // The event is for those who judge; the list and the rule are for all who look.
    let path = format!("/findings/{}", found[0].id);
    let list = place.page("auditor", "/findings").await;
    assert!(list.contains(&path) && list.contains("Disk Reports"), "{list}");
    let page = place.page("auditor", &path).await;
    assert!(!page.contains("sector 2048") && page.contains("shown to those who judge"), "{page}");
    let page = place.page("administrator", &path).await;
    assert!(page.contains("sector 2048") && page.contains("<mark>io_error</mark>"), "{page}");
    let told = place.api("/api/v1/monitoring/findings").await;
    assert_eq!(told["findings"][0]["again"], 2);
    assert_eq!(told["findings"][0]["verdict"], Json::Null);

    let form = [("verdict", "action"), ("reason", "ディスクを交換する")];
    let judge = format!("{path}/judge");
    assert_eq!(place.send("auditor", &judge, &form).await, 403);
    assert_eq!(place.send("employee", &judge, &form).await, 403);
    assert_eq!(
        place.send("administrator", &judge, &[("verdict", "x"), ("reason", "y")]).await,
        400
    );
    assert_eq!(
        place.send("administrator", &judge, &[("verdict", "normal"), ("reason", " ")]).await,
        400
    );
    assert_eq!(place.send("administrator", &judge, &form).await, 303);
    assert_eq!(place.send("administrator", &judge, &form).await, 400, "judged once");
    let judged = place.store().newest_records(&[HANDLED], None, 10).await.unwrap();
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == HANDLED).unwrap();
    assert_eq!(spec.validate(&judged[0].facts), []);
    assert_eq!((judged.len(), judged[0].subject), (1, Some(found[0].id)));
    assert!(!judged[0].facts.to_string_lossy().contains("交換"), "what may name people is no fact");
    let tasks = place.store().all(Table::Task, &["task"]).await.unwrap();
    assert_eq!(tasks.len(), 1, "what needs action is a task");
    assert!(place.page("administrator", &path).await.contains("ディスクを交換する"));

    // What happens after that is a new finding.
    place.later(30);
    place.come(&[DISK]);
    place.round().await;
    assert_eq!(place.found().await.len(), 2);
}

trait Told {
    fn to_string_lossy(&self) -> String;
}

impl Told for serde_json::Map<String, Json> {
    fn to_string_lossy(&self) -> String {
        Json::Object(self.clone()).to_string()
    }
}

#[tokio::test]
async fn a_restart_before_or_after_the_state_is_saved_tells_nothing_twice_and_forgets_nothing() {
    for saved in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::over(folder).await;
        place.come(&[DISK, DISK]);
        place.round().await;
        let first = place.found().await;
        assert_eq!((first.len(), place.again(first[0].id)), (1, 1));
        if saved {
            place.later(60);
            place.round().await;
            assert!(place.served.folder.path().join("stream/rules/state.json").exists());
        }
        place.come(&[QUIET, DISK]);
        let place = place.restarted().await;
        place.round().await;
        let after = place.found().await;
        assert_eq!(after.len(), 1, "saved {saved}: told once");
        assert_eq!(place.again(first[0].id), 2, "saved {saved}: every event counts");
        let shown = place.served.house.kept.get::<Live>().shown();
        assert_eq!(shown.progress.evaluated["syslog"], 4, "saved {saved}");
        assert_eq!(shown.progress.gone_bytes, 0);
    }
}

#[tokio::test]
async fn what_only_the_clock_decides_is_told_once_where_an_alert_was_told_at_the_same_place() {
    for (saved, judged) in [(false, false), (true, false), (false, true)] {
        let place = Place::over(tempfile::tempdir().unwrap()).await;
        let at = place.store().now().rfc3339();
        let mut lines: Vec<String> = (0..12)
            .map(|n| {
                format!("<38>1 {at} gate sshd 7 - - Failed password for root from 192.0.2.7 port {n} ssh2")
            })
            .collect();
        // The newest line is an alert of its own: what comes of the others later stands at the same place.
        lines.push(DISK.to_owned());
        place.come(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        place.round().await;
        assert_eq!(place.found().await.len(), 1);
        place.later(130);
        place.round().await;
        let guessing = |found: &[Record]| {
            let is_it = |r: &&Record| r.facts["title_en"] == "Password Guessing Over SSH";
            found.iter().filter(is_it).cloned().collect::<Vec<_>>()
        };
        let first = guessing(&place.found().await);
        assert_eq!(first.len(), 1, "decided by the clock");
        let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
        assert_eq!(spec.validate(&first[0].facts), []);
        if judged {
            let path = format!("/findings/{}/judge", first[0].id);
            let form = [("verdict", "normal"), ("reason", "x")];
            assert_eq!(place.send("administrator", &path, &form).await, 303);
        }
        if saved {
            place.later(60);
            place.round().await;
        }
        place.come(&[QUIET, QUIET]);
        let place = place.restarted().await;
        place.later(200);
        place.round().await;
        place.round().await;
        let after = guessing(&place.found().await);
        assert_eq!(after.len(), 1, "saved {saved}, judged {judged}: told once");
        assert_eq!(place.again(first[0].id), 0, "saved {saved}, judged {judged}: it was once");
    }
}

#[tokio::test]
async fn what_was_judged_before_a_crash_is_not_found_again_by_the_replay() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[DISK, DISK]);
    place.round().await;
    let path = format!("/findings/{}/judge", place.found().await[0].id);
    let form = [("verdict", "normal"), ("reason", "x")];
    assert_eq!(place.send("administrator", &path, &form).await, 303);
    let place = place.restarted().await;
    place.round().await;
    assert_eq!(place.found().await.len(), 1, "the same events once more");
    place.come(&[DISK]);
    place.round().await;
    assert_eq!(place.found().await.len(), 2, "another event");
}

#[tokio::test]
async fn an_account_narrowed_to_a_site_meets_no_finding() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let here = place.put_row(Table::Asset, "site", json!({"address": "1-1"})).await;
    let there = place.put_row(Table::Asset, "site", json!({"address": "2-2"})).await;
    let host = place.put_row(Table::Asset, "host", json!({"hostname": "db1"})).await;
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    let mut link = Row::new(Table::Link, place.store().new_id().unwrap(), "located_in", "at");
    (link.subject, link.object) = (Some(host.id), Some(there.id));
    write.put(link).await.unwrap();
    write.commit().await.unwrap();
    place.come(&[DISK]);
    place.round().await;
    let found = place.found().await;
    assert_eq!(found[0].subject, Some(host.id), "a host is known by its name");
    let path = format!("/findings/{}", found[0].id);
    let form = [("verdict", "normal"), ("reason", "x")];
    for site in [&here, &there] {
        let who = place.served.browser("administrator").await;
        let account = place.store().account("administrator").await.unwrap().unwrap();
        let sites = [site.id];
        let change = store::AccountChange::Sites(&sites);
        assert!(place.store().change_account("test", &account, change).await.unwrap());
        let stream = "/api/v1/monitoring/findings/stream";
        for page in ["/findings", &path, "/detections", "/api/v1/monitoring/findings", stream] {
            let request = place.served.request(Method::GET, page);
            let answer = request.header(header::COOKIE, &who.cookie).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 403, "{page}");
        }
        assert_eq!(place.send("administrator", &format!("{path}/judge"), &form).await, 403);
    }
    assert!(place.store().newest_records(&[HANDLED], None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_new_folder_of_events_begins_at_its_beginning_whatever_was_recorded_before() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[QUIET; 40]);
    place.come(&[DISK]);
    place.round().await;
    assert_eq!(place.found().await.len(), 1);
    let Served { folder, house, stream, .. } = place.served;
    drop(stream);
    house.store.db().close().await;
    let copy = tempfile::tempdir().unwrap();
    for name in ["ume.db", "ume.db-wal", "ume.db-shm", "keys", "ledger"] {
        let from = folder.path().join(name);
        let to = copy.path();
        if from.exists() {
            let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
            assert!(done.unwrap().success());
        }
    }
    // Its offsets begin anew, far before those that are recorded.
    let place = Place::over(copy).await;
    place.come(&[
        "<3>Nov 28 10:00:00 db2 kernel: [  1.3] blk_update_request: I/O error, dev sdb, sector 1",
    ]);
    place.come(&[DISK]);
    place.round().await;
    let found = place.found().await;
    assert_eq!(found.len(), 2, "another host's disk is a new finding");
    let first = found.iter().min_by_key(|record| record.received_at).unwrap();
    assert_eq!(place.again(first.id), 1, "and the one that is open takes in what came");
}

#[tokio::test]
async fn a_flood_of_hosts_makes_no_more_alerts_of_a_rule_than_it_may() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let lines: Vec<String> = (0..260)
        .map(|n| {
            format!(
                "<3>Nov 28 10:00:00 h{n} kernel: blk_update_request: I/O error, dev sda, sector {n}"
            )
        })
        .collect();
    place.come(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    place.round().await;
    let found = place.store().newest_records(&[FINDING], None, 1_000).await.unwrap();
    assert_eq!(found.len(), 201, "200 of their own, and one for all others");
    let again: u64 = found.iter().map(|record| place.again(record.id)).sum();
    assert_eq!(again, 59, "none is forgotten");
}

#[tokio::test]
async fn a_rule_of_the_register_is_at_work_at_once_and_a_broken_one_is_told_with_its_line() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.round().await;
    let own = "title: Own words\nlogsource:\n    category: message\ndetection:\n    keywords:\n        - 梅干し製造装置\n    condition: keywords\nlevel: medium\n";
    let own = place.put("detection", json!({"source": own, "level": "medium"})).await;
    let broken = "title: Broken\nlogsource:\n    product: linux\ndetection:\n    a:\n        b|nonsense: c\n    condition: a\n";
    let broken = place.put("detection", json!({"source": broken, "level": "low"})).await;
    place.come(&["<13>Nov 28 10:00:00 gate door: 梅干し製造装置が始動した"]);
    place.round().await;
    let found = place.found().await;
    assert_eq!((found.len(), &found[0].facts["title_en"]), (1, &json!("Own words")));
    let page = place.page("administrator", "/detections").await;
    assert!(page.contains(&format!("rule/{}:6", broken.id)) && page.contains("nonsense"), "{page}");
    let rules = place.api("/api/v1/monitoring/rules").await;
    assert_eq!(rules["refused"].as_array().unwrap().len(), 1);
    let listed = |rules: &Json| {
        let all = rules["rules"].as_array().unwrap().clone();
        all.iter().any(|rule| rule["row"] == json!(own.id))
    };
    assert!(listed(&rules));

    // Retired, it is off with the next round.
    let mut off = own.clone();
    off.status = "retired".to_owned();
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    write.put(off).await.unwrap();
    write.commit().await.unwrap();
    place.come(&["<13>Nov 28 10:00:00 other door: 梅干し製造装置が始動した"]);
    place.round().await;
    assert_eq!(place.found().await.len(), 1);
    assert!(!listed(&place.api("/api/v1/monitoring/rules").await));
    let loaded =
        place.store().newest_records(&["monitoring.ruleset_loaded"], None, 9).await.unwrap();
    assert_eq!(loaded.len(), 3, "each set that was at work is on record");
}

#[tokio::test]
async fn the_alarm_tests_itself_and_says_so_when_it_is_deaf() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    use monitoring::work::canary;
    let ctx = || {
        let (house, stream) = (place.served.house.clone(), place.served.stream.clone());
        Arc::new(room::Ctx { house, stream })
    };
    let runs = || async {
        place.store().newest_records(&["monitoring.canary_run"], None, 9).await.unwrap()
    };
    canary::run(ctx()).await.unwrap();
    assert!(runs().await.is_empty(), "sent is not arrived");
    place.later(3);
    place.round().await;
    assert_eq!((runs().await.len(), &runs().await[0].facts["arrived"]), (1, &json!(true)));
    assert_eq!(place.found().await.len(), 0, "it is no alert");
    // Nobody else can make it arrive.
    canary::run(ctx()).await.unwrap();
    place.come(&[r#"{"app":"ume-canary","canary":"guessed","message":"x"}"#]);
    place.round().await;
    assert_eq!(runs().await.len(), 1);
    // The rules stand still: the next one never arrives.
    place.later(13 * 3_600);
    canary::run(ctx()).await.unwrap();
    place.later(11 * 60);
    canary::run(ctx()).await.unwrap();
    let newest = &runs().await[0];
    assert_eq!(newest.facts["arrived"], json!(false));
}
