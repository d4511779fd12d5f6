//! From a measurement that comes in to a judged departure: real stream, files, pages and API, over restarts; and
//! `ume steady` over files.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use model::{Id, Table, Timestamp};
use monitoring::{
    findings::{FINDING, HANDLED},
    work::series::{self, Steady},
};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store};
use stream::{Format, RawLine};

use crate::{declared, served::Served};

const MINUTE: i64 = 60_000_000;
const STEP: i64 = 15 * MINUTE;
const DAY: i64 = 96 * STEP;
/// Midnight in Japan is so long before midnight in UTC.
const JAPAN: i64 = 9 * 60 * MINUTE;
const LOAD: &str = "node_load1";
const DISK: &str = "node_filesystem_avail_bytes";

struct Place {
    served: Served,
    ahead: Arc<AtomicI64>,
}

impl Place {
    async fn over(folder: tempfile::TempDir) -> Place {
        let ahead = Arc::<AtomicI64>::default();
        let (time, system) = (ahead.clone(), store::system_clock());
        let clock: store::Clock =
            Arc::new(move || Timestamp(system().0 + time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), clock).await.unwrap();
        let store = declared::settled(store).await.unwrap();
        Place { served: Served::over(store, folder, 1_000_000).await, ahead }
    }

    /// The process ends, and another begins with what is on disk.
    async fn restarted(self) -> Place {
        let Served { folder, house, .. } = self.served;
        house.store.db().close().await;
        let copy = tempfile::tempdir().unwrap();
        let done = Command::new("cp")
            .args(["-a", &format!("{}/.", folder.path().display())])
            .arg(copy.path())
            .status()
            .unwrap();
        assert!(done.success());
        let place = Place::over(copy).await;
        place.ahead.store(self.ahead.load(Ordering::SeqCst), Ordering::SeqCst);
        place
    }

    fn store(&self) -> &Store {
        &self.served.house.store
    }

    fn later(&self, seconds: i64) {
        self.ahead.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    fn ctx(&self) -> room::Shared {
        let (house, stream) = (self.served.house.clone(), self.served.stream.clone());
        Arc::new(room::Ctx { house, stream })
    }

    /// A round of the series, as the service goes it, some time later.
    async fn round(&self) {
        self.later(400);
        series::round(self.ctx()).await.unwrap();
    }

    /// Values at these steps since the beginning arrive together.
    fn come(
        &self,
        name: &str,
        begin: i64,
        steps: std::ops::Range<i64>,
        value: impl Fn(i64) -> f64,
    ) {
        let arrived = Timestamp(begin + (steps.end - 1) * STEP);
        let line = |n: i64| {
            let time = Timestamp(begin + n * STEP).rfc3339();
            let line = json!({ "time": time, "metric": name, "value": value(n).to_string(), "host": "db1:9100" });
            RawLine::with_format(line.to_string(), Format::Json)
        };
        let ack = self.served.stream.ingest("node", steps.map(line).collect(), arrived).unwrap();
        assert!(ack.refused.is_empty());
    }

    /// Three weeks up to the last midnight in Japan; gives their beginning.
    fn three_weeks(&self) -> i64 {
        let now = self.store().now().0;
        let begin = (now + JAPAN).div_euclid(DAY) * DAY - JAPAN - 21 * DAY;
        for day in 0..21 {
            self.come(LOAD, begin, day * 96..(day + 1) * 96, load);
            self.come(DISK, begin, day * 96..(day + 1) * 96, |n| 1e12 - n as f64 * 1e8);
        }
        begin
    }

    async fn found(&self) -> Vec<Record> {
        let mut found = self.store().newest_records(&[FINDING], None, 100).await.unwrap();
        found.retain(|r| r.facts["title_en"].as_str().unwrap().contains(LOAD));
        found
    }

    fn is_open(&self, name: &str) -> bool {
        let site = self.served.house.kept.get::<Steady>().site().unwrap();
        let site = site.lock().unwrap();
        let tracked = site.known.values().find(|t| t.about.name == name).unwrap();
        tracked.series.open_since().is_some()
    }

    async fn page(&self, role: &str, path: &str) -> String {
        let who = self.served.browser(role).await;
        let request = self.served.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let answer = request.send().await.unwrap();
        let cost = answer.headers()["server-timing"].to_str().unwrap().to_owned();
        let statements = cost.split(['"', ' ']).find_map(|word| word.parse::<u64>().ok());
        assert!(statements.unwrap() <= 8, "{path}: {cost}");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    }

    async fn api(&self, path: &str) -> Json {
        let token = self.served.token("administrator").await;
        let answer = self.served.with(&token, Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn judge(&self, id: Id, verdict: &str) {
        let who = self.served.browser("administrator").await;
        let body = format!("csrf={}&verdict={verdict}&reason=backup", who.csrf);
        let path = format!("/findings/{id}/judge");
        let request = self.served.request(Method::POST, &path).header(header::COOKIE, &who.cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        assert_eq!(request.body(body).send().await.unwrap().status().as_u16(), 303);
    }

    async fn put(&self, table: Table, kind: &str, status: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.store().new_id().unwrap(), kind, "db1");
        row.attributes = attributes.as_object().cloned().unwrap();
        row.status = status.to_owned();
        let mut write = self.store().write("account:test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }
}

fn load(n: i64) -> f64 {
    (if (36..72).contains(&(n % 96)) { 60.0 } else { 20.0 }) + (n * 7 % 5) as f64
}

#[tokio::test]
async fn work_at_midnight_is_one_finding_over_restarts_until_it_is_judged() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let begin = place.three_weeks();
    place.round().await;
    assert!(place.found().await.is_empty() && !place.is_open(LOAD));

    let night = 21 * 96;
    place.come(LOAD, begin, night..night + 1, |_| 64.0);
    place.come(LOAD, begin, night + 1..night + 2, |_| 65.0);
    place.round().await;
    let found = place.found().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    assert_eq!(
        (&found[0].facts["class"], &found[0].facts["phase"]),
        (&json!("anomaly"), &json!("sign"))
    );
    assert_eq!(found[0].observed_from, Timestamp(begin + night * STEP));
    let payload = place.store().payload(found[0].id).await.unwrap().unwrap();
    let payload: Json = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["anomaly"]["observed"], 64.0);
    assert!(payload["anomaly"]["high"].as_f64().unwrap() < 64.0);

    // Nothing was saved since the beginning: all of it comes a second time.
    let place = place.restarted().await;
    place.round().await;
    assert_eq!(place.found().await.len(), 1);
    assert!(place.is_open(LOAD), "nothing is learnt of an open anomaly, after a restart neither");
    // Saved now.
    place.come(LOAD, begin, night + 2..night + 4, |_| 66.0);
    place.round().await;
    let place = place.restarted().await;
    place.round().await;
    assert_eq!(place.found().await.len(), 1);
    assert!(place.is_open(LOAD));

    let id = found[0].id;
    place.judge(id, "false_alarm").await;
    place.round().await;
    assert!(!place.is_open(LOAD), "such things happen");
    let judged = place.store().newest_records(&[HANDLED], None, 10).await.unwrap();
    assert_eq!(judged.len(), 1);
}

#[tokio::test]
async fn series_are_shown_with_range_week_and_outlook_and_recorded() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let begin = place.three_weeks();
    place.round().await;
    let night = 21 * 96;
    place.come(LOAD, begin, night..night + 2, |_| 64.0);
    place.round().await;
    let found = place.found().await;
    let all = place.page("administrator", "/monitoring/series").await;
    assert!(all.contains("node_load1") && all.contains(DISK) && all.contains("class=\"spark\""));
    let open = place.page("administrator", "/monitoring/series?state=open&q=db1+load").await;
    assert!(open.contains(LOAD) && !open.contains(DISK));
    let series = found[0].facts["series"].as_str().unwrap().to_owned();
    let path = format!("/monitoring/series/{series}");
    for span in ["day", "week", "month", "quarter", "years"] {
        let page = place.page("administrator", &format!("{path}?span={span}")).await;
        assert!(page.contains("class=\"usual\"") && page.contains("class=\"heat\""), "{span}");
        assert!(page.contains(&found[0].id.to_string()), "{span}: its finding");
        assert!(!page.contains("style="), "no inline style");
    }
    let finding = place.page("administrator", &format!("/findings/{}", found[0].id)).await;
    assert!(finding.contains(&path));
    let who = place.served.browser("employee").await;
    let request = place.served.request(Method::GET, &path).header(header::COOKIE, &who.cookie);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
    let told = place.api("/api/v1/monitoring/series?q=load").await;
    assert_eq!(
        (&told["series"][0]["state"], &told["series"][0]["id"]),
        (&json!("open"), &json!(series))
    );

    let host =
        place.put(Table::Asset, "host", "active", json!({ "hostname": "db1", "os": "x" })).await;
    let source = json!({ "source_class": "resource", "target": "http://db1:9100/metrics", "interval_s": 900 });
    let source = place.put(Table::Asset, "metric_source", "active", source).await;
    let silent =
        json!({ "source_class": "resource", "target": "http://web1:9100/", "interval_s": 60 });
    let silent = place.put(Table::Asset, "metric_source", "active", silent).await;
    let done = series::record_daily(place.ctx()).await.unwrap();
    assert_eq!(done["records"], 4, "two sources, a profile, a forecast");
    let of = async |ty: &str, subject: Id| {
        let ty = format!("monitoring.{ty}");
        let found = place.store().newest_records(&[&ty], Some(subject), 10).await.unwrap();
        assert_eq!(found.len(), 1, "{ty}");
        let spec = monitoring::SPEC.records.iter().find(|r| r.ty == ty).unwrap();
        assert_eq!(spec.validate(&found[0].facts), []);
        found[0].facts.clone()
    };
    let baseline = of("baseline_status", source.id).await;
    assert_eq!(baseline["baseline_days"], 21);
    assert!(baseline["samples_permille"].as_i64().unwrap() >= 950, "{baseline:?}");
    let nothing = of("baseline_status", silent.id).await;
    assert_eq!((&nothing["baseline_days"], &nothing["samples"]), (&json!(0), &json!(0)));
    let profile = of("load_profile", host.id).await;
    let permille = |name: &str| profile[name].as_i64().unwrap();
    assert!(permille("steady_permille") < 500 && permille("high_permille") > 800, "{profile:?}");
    let forecast = of("capacity_forecast", host.id).await;
    let eta = forecast["eta_days"].as_i64().unwrap();
    assert!((75..=90).contains(&eta), "{forecast:?}");
    let told = place.api("/api/v1/monitoring/forecasts").await;
    assert_eq!(told["forecasts"][0]["eta_days"], eta);
    let disk = place.api(&format!("/api/v1/monitoring/series?q={DISK}")).await;
    let path = format!("/monitoring/series/{}", disk["series"][0]["id"].as_str().unwrap());
    let page = place.page("administrator", &path).await;
    assert!(page.contains("class=\"fan\""), "the outlook is drawn");
}

#[tokio::test]
async fn an_approved_decision_makes_the_new_level_normal_once() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let begin = place.three_weeks();
    place.round().await;
    let night = 21 * 96;
    place.come(LOAD, begin, night..night + 3, |_| 64.0);
    place.round().await;
    assert!(place.is_open(LOAD));
    let series = place.found().await[0].facts["series"].clone();
    let said = json!({ "series": series, "since": "2026-11-01", "cause": "moved" });
    place.put(Table::Decision, "new_normal", "draft", said.clone()).await;
    place.round().await;
    assert!(place.is_open(LOAD), "a draft decides nothing");
    place.put(Table::Decision, "new_normal", "approved", said).await;
    place.round().await;
    assert!(!place.is_open(LOAD));
}

#[tokio::test]
async fn a_damaged_state_is_made_again_and_recorded() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.three_weeks();
    place.round().await;
    // Saved after a minute.
    place.round().await;
    let state = place.served.folder.path().join("stream/series/state");
    let mut bytes = std::fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let place = place.restarted().await;
    place.round().await;
    let told = place.store().newest_records(&["monitoring.state_rebuilt"], None, 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].facts["whole"], false);
    let site = place.served.house.kept.get::<Steady>().site().unwrap();
    let site = site.lock().unwrap();
    assert_eq!(site.known.len(), 2);
    assert!(site.known.values().all(|tracked| tracked.series.is_warm()));
}

#[tokio::test]
async fn a_threshold_holds_from_the_first_day_and_a_rule_within_seconds() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let begin = place.store().now().0 - DAY;
    place.come(LOAD, begin, 0..2, |_| 20.0);
    place.round().await;
    let said = json!({
        "series": "node_load*", "hosts": ["db*"], "sensitivity": "medium",
        "warn_above": 50, "critical_above": 90, "hold_s": 900,
    });
    let rule = place.put(Table::Rule, "steady", "active", said.clone()).await;
    place.later(5);
    series::round(place.ctx()).await.unwrap();
    {
        let site = place.served.house.kept.get::<Steady>().site().unwrap();
        let site = site.lock().unwrap();
        let tracked = site.known.values().find(|tracked| tracked.about.name == LOAD).unwrap();
        assert_eq!(tracked.rule.as_ref().map(|rule| rule.id), Some(rule.id));
    }
    place.come(LOAD, begin, 2..3, |_| 60.0);
    place.round().await;
    assert!(place.found().await.is_empty(), "it has not held yet");
    place.come(LOAD, begin, 3..5, |_| 61.0);
    place.round().await;
    let found = place.found().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    let said_of = |record: &Record| {
        let fact = |name: &str| record.facts[name].as_str().unwrap().to_owned();
        (fact("severity"), fact("phase"))
    };
    assert_eq!(said_of(&found[0]), ("medium".to_owned(), "precursor".to_owned()));
    assert_eq!(found[0].observed_from, Timestamp(begin + 2 * STEP));
    assert!(found[0].facts.get("rarity").is_none());

    // Nothing is told twice after a restart, and what becomes critical is told although something is open.
    let place = place.restarted().await;
    place.round().await;
    assert_eq!(place.found().await.len(), 1);
    place.come(LOAD, begin, 5..8, |_| 95.0);
    place.round().await;
    let found = place.found().await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|f| said_of(f) == ("high".to_owned(), "sign".to_owned())));

    let series = found[0].facts["series"].as_str().unwrap().to_owned();
    let page = place.page("administrator", &format!("/monitoring/series/{series}")).await;
    assert!(page.contains(&format!("/row/rule/{}", rule.id)), "judged by the rule");
    let finding = place.page("administrator", &format!("/findings/{}", found[0].id)).await;
    assert!(finding.contains("Judged by"), "{finding}");
    let told = place.api("/api/v1/monitoring/series?q=load").await;
    assert_eq!(told["series"][0]["judged_by"]["id"], json!(rule.id));
}

#[tokio::test]
async fn hours_that_a_rule_leaves_out_are_neither_judged_nor_learnt() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let begin = place.three_weeks();
    place.round().await;
    let said = json!({
        "series": LOAD, "sensitivity": "medium",
        "excluded": [{ "days": "every", "from_h": 0, "until_h": 6 }],
    });
    let week = json!({ "country": "japan", "zone": "Asia/Tokyo" });
    place.put(Table::Norm, "working_calendar", "active", week).await;
    place.put(Table::Rule, "steady", "active", said).await;
    place.round().await;
    let hours = |place: &Place| {
        let site = place.served.house.kept.get::<Steady>().site().unwrap();
        let site = site.lock().unwrap();
        let tracked = site.known.values().find(|t| t.about.name == LOAD).unwrap();
        (tracked.series.hours_learnt(), tracked.series.is_in_maintenance())
    };
    let before = hours(&place).0;
    let night = 21 * 96;
    // Midnight in Japan and five hours of it, at work.
    place.come(LOAD, begin, night..night + 20, |_| 64.0);
    place.round().await;
    assert!(place.found().await.is_empty());
    let (learnt, rests) = hours(&place);
    assert!(rests && learnt <= before + 1, "{before} {learnt}");
}

#[tokio::test]
async fn a_rule_warns_before_a_limit_is_met_once() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.three_weeks();
    place.round().await;
    let warn = |days: i64| {
        json!({
            "series": format!("{DISK}*"), "step": "day", "limit_value": 400_000_000_000i64,
            "limit_side": "below", "warn_days": days,
        })
    };
    let rule = place.put(Table::Rule, "trend", "active", warn(10)).await;
    place.round().await;
    series::record_daily(place.ctx()).await.unwrap();
    let told = || async {
        let mut all = place.store().newest_records(&[FINDING], None, 100).await.unwrap();
        all.retain(|record| record.facts["rule"] == "steady.exhaustion");
        all
    };
    assert!(told().await.is_empty(), "forty days are more than ten");
    let mut changed = rule.clone();
    changed.attributes = warn(60).as_object().cloned().unwrap();
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    write.put(changed).await.unwrap();
    write.commit().await.unwrap();
    place.round().await;
    series::record_daily(place.ctx()).await.unwrap();
    series::record_daily(place.ctx()).await.unwrap();
    let found = told().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    assert_eq!(found[0].facts["phase"], "precursor");
    let page = place.page("administrator", &format!("/findings/{}", found[0].id)).await;
    assert!(page.contains("Judged by"));
    let series = found[0].facts["series"].as_str().unwrap();
    let page = place.page("administrator", &format!("/monitoring/series/{series}")).await;
    assert!(page.contains("limit set by") && page.contains("class=\"fan\""));
}

#[tokio::test]
async fn another_calendar_forgets_nothing() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.three_weeks();
    place.round().await;
    let state = |place: &Place| {
        let site = place.served.house.kept.get::<Steady>().site().unwrap();
        let site = site.lock().unwrap();
        // 文化の日 of 2026, at noon in Japan, a Tuesday.
        let is_off = site.calendar.is_day_off(1_793_674_800_000_000);
        let all: Vec<_> = site.known.values().map(|tracked| tracked.series.clone()).collect();
        (is_off, all)
    };
    let (is_off, before) = state(&place);
    assert!(is_off);
    let none = json!({ "country": "none" });
    place.put(Table::Norm, "working_calendar", "active", none).await;
    place.later(5);
    series::round(place.ctx()).await.unwrap();
    let (is_off, after) = state(&place);
    assert!(!is_off && after == before);
}

#[tokio::test]
async fn more_lines_of_a_host_and_a_burst_of_one_kind_are_one_finding() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let now = place.store().now().0;
    let begin = (now + JAPAN).div_euclid(DAY) * DAY - JAPAN - 22 * DAY;
    let lines = |n: usize| vec![RawLine::new("<30>1 - db1 app - - - job finished"); n];
    let stream = &place.served.stream;
    for n in 0..21 * 48 {
        let arrived = Timestamp(begin + n * 2 * STEP);
        stream.ingest("syslog", lines(2 + (n % 3) as usize), arrived).unwrap();
    }
    place.round().await;
    let night = begin + 21 * DAY;
    // What the learning of logs tells of the same ten minutes.
    let facts = json!({
        "severity": "medium", "class": "anomaly", "phase": "sign", "retro": false,
        "rule": "steady.burst_lines", "title_ja": "急に増えたログ1件（db1）",
        "title_en": "Bursts of log lines: 1 (db1)", "group": "a".repeat(64),
    });
    let mut draft = room::draft(FINDING, None, Timestamp(night + MINUTE), facts);
    draft.payload = serde_json::to_vec(&json!({ "host": "db1" })).ok();
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    let burst = write.record(draft).await.unwrap();
    write.commit().await.unwrap();
    stream.ingest("syslog", lines(600), Timestamp(night)).unwrap();
    stream.ingest("syslog", lines(3), Timestamp(night + 2 * STEP)).unwrap();
    place.round().await;
    let all = place.store().newest_records(&[FINDING], None, 100).await.unwrap();
    assert_eq!(all.iter().map(|r| r.id).collect::<Vec<_>>(), [burst.id], "{all:?}");
    let joined = "monitoring.finding_joined";
    let found = place.store().newest_records(&[joined], Some(burst.id), 10).await.unwrap();
    assert_eq!(found.len(), 1);
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == joined).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    let page = place.page("administrator", &format!("/findings/{}", burst.id)).await;
    assert!(page.contains("Also told") && page.contains("ume_events"), "{page}");
}

fn ume(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(args)
        .envs([("LC_ALL", "C"), ("UME_LOG", "warn")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn files_are_scored_and_looked_ahead_on_the_command_line() {
    let begin = 1_775_401_200i64;
    let row = |n: i64, value: f64| format!("{},{value}\n", begin + n * 900);
    let mut csv: String = "time,value\n".to_owned();
    csv.extend((0..21 * 96).map(|n| row(n, load(n))));
    let quiet = ume(&["steady", "score", "-"], &csv);
    assert_eq!(quiet.status.code(), Some(0), "{quiet:?}");
    csv.push_str(&row(21 * 96, 64.0));
    let found = ume(&["steady", "score", "--format", "json", "-"], &csv);
    assert_eq!(found.status.code(), Some(1));
    let told: Json = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((told.as_array().unwrap().len(), &told[0]["observed"]), (1, &json!(64.0)));
    csv.push_str("nonsense\n");
    assert_eq!(ume(&["steady", "score", "-"], &csv).status.code(), Some(3));

    let closer = |args: &[&str]| {
        ume(&[&["steady", "score", "--closer", "--format", "json"], args, &["-"]].concat(), &csv)
    };
    let all = closer(&["--each"]);
    assert_eq!(all.status.code(), Some(3), "{all:?}");
    let told: Json = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 21 * 96 + 1);
    let score = |n: usize| told[n]["score"].as_f64().unwrap();
    assert!(score(21 * 96) > score(20 * 96 + 10), "work at midnight stands out");
    assert_eq!(closer(&["--kind", "counter"]).status.code(), Some(2));

    let disk: String =
        (0..30).map(|day| format!("{},{}\n", begin + day * 86_400, 40 + day)).collect();
    let ends = ume(&["steady", "forecast", "--at-most", "100", "--format", "json", "-"], &disk);
    assert_eq!(ends.status.code(), Some(1), "{ends:?}");
    let told: Json = serde_json::from_slice(&ends.stdout).unwrap();
    assert!((told["days"].as_f64().unwrap() - 31.0).abs() < 1.0, "{told}");
    let away = ume(&["steady", "forecast", "--at-least", "0", "-"], &disk);
    assert_eq!(away.status.code(), Some(0));
    assert_eq!(ume(&["steady", "forecast", "-"], &disk).status.code(), Some(2));
    assert_eq!(ume(&["steady", "score", "/nowhere.csv"], "").status.code(), Some(2));
}
