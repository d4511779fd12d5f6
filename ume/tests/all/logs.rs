//! From lines that do not come any more, or come differently, to findings: real intake, pages and API, over restarts.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use model::Table;
use monitoring::{
    findings::{FINDING, SPOKE},
    work::logs,
};
use serde_json::{Value as Json, json};
use store::Record;

use crate::findings::Place;

const LINE: &str = "<30>Nov 28 10:00:00 db1 systemd[1]: Started Daily apt download activities.";
const DAY_S: i64 = 86_400;

impl Place {
    /// A round of what is learnt of logs, as the service goes it.
    async fn learn(&self) {
        self.later(20);
        logs::round(self.ctx()).await.unwrap();
    }

    async fn of(&self, ty: &str) -> Vec<Record> {
        self.store().newest_records(&[ty], None, 100).await.unwrap()
    }
}

#[tokio::test]
async fn a_source_that_falls_silent_is_one_finding_and_its_return_is_recorded_once() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let host = place.put_row(Table::Asset, "host", json!({"hostname": "db1"})).await;
    let expected = json!({
        "source_class": "database", "protocol": "syslog_udp", "asset": host.id, "cadence_s": 60,
        "criticality": "high",
    });
    place.put_row(Table::Asset, "log_source", expected).await;
    place.come(&[LINE, LINE]);
    place.learn().await;
    assert_eq!(place.found().await.len(), 0);

    place.later(300);
    place.learn().await;
    place.learn().await;
    let found = place.found().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    assert_eq!((found[0].subject, &found[0].facts["class"]), (Some(host.id), &json!("silence")));
    assert_eq!(found[0].facts["severity"], "high");
    let page = place.page("auditor", "/monitoring/sources").await;
    assert!(page.contains("db1") && page.contains("Silent sources"), "{page}");

    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == logs::status::STATUS).unwrap();
    let due = logs::status::due(&place.ctx(), place.store().now()).await.unwrap();
    let row =
        due.iter().find(|draft| draft.facts["source_class"] == "database").expect("the row's");
    assert_eq!((spec.validate(&row.facts), &row.facts["silent"]), (vec![], &json!(true)));
    assert_eq!(row.facts["received"], 2);
    // Nothing else of that host is heard.
    let of_host = due.iter().find(|draft| draft.subject == Some(host.id)).expect("the host's");
    assert_eq!((spec.validate(&of_host.facts), &of_host.facts["silent"]), (vec![], &json!(true)));
    let mut write = place.store().write("test", "", "").await.unwrap();
    for draft in due {
        write.record(draft).await.unwrap();
    }
    write.commit().await.unwrap();
    let again = logs::status::due(&place.ctx(), place.store().now()).await.unwrap();
    assert_eq!(again.len(), 0, "recorded when it changes, and every few hours");

    // Killed before anything was saved: it is known, and not told again.
    let place = place.restarted().await;
    place.learn().await;
    place.later(300);
    place.learn().await;
    assert_eq!(place.found().await.len(), 1);
    let told = place.api("/api/v1/monitoring/sources").await;
    let state = |told: &Json, source: &str| -> Json {
        let all = told["sources"].as_array().unwrap();
        all.iter().find(|s| s["source"] == source).map(|s| s["state"].clone()).unwrap_or_default()
    };
    assert_eq!((state(&told, "own"), state(&told, "syslog")), (json!("silent"), json!("silent")));

    place.come(&[LINE]);
    place.learn().await;
    place.learn().await;
    let spoke = place.of(SPOKE).await;
    assert_eq!((spoke.len(), spoke[0].subject), (1, Some(found[0].id)));
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == SPOKE).unwrap();
    assert_eq!(spec.validate(&spoke[0].facts), []);
    let page = place.page("administrator", &format!("/findings/{}", found[0].id)).await;
    assert!(page.contains("Heard again"), "{page}");
    let told = place.api("/api/v1/monitoring/sources").await;
    assert_eq!(state(&told, "own"), "heard");

    // A second silence is another finding.
    place.later(400);
    place.learn().await;
    assert_eq!(place.found().await.len(), 2);
}

#[tokio::test]
async fn a_new_kind_of_line_is_one_finding_and_a_crash_before_the_state_is_saved_makes_no_second() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    for _ in 0..21 {
        place.come(&[LINE, "<30>db1 app[7]: nightly job finished in 12 s"]);
        place.learn().await;
        place.later(DAY_S - 20);
    }
    assert_eq!(place.found().await.len(), 0, "{:?}", place.found().await);
    let path = place.served.folder.path().join("stream/logs/state");
    let before = std::fs::read(&path).unwrap();
    place.come(&["<30>Nov 28 10:00:00 db1 systemd[1]: Cannot open the vault door at noon"]);
    place.later(1_200);
    place.learn().await;
    place.later(1_200);
    place.learn().await;
    let found = place.found().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0].facts["class"], &found[0].facts["severity"]),
        (&json!("anomaly"), &json!("low"))
    );
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == FINDING).unwrap();
    assert_eq!(spec.validate(&found[0].facts), []);
    let path_of = format!("/findings/{}", found[0].id);
    assert!(place.page("administrator", &path_of).await.contains("vault door"));
    assert!(!place.page("auditor", &path_of).await.contains("vault door"));

    assert_ne!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, &before).unwrap();
    let place = place.restarted().await;
    place.learn().await;
    place.later(1_200);
    place.learn().await;
    assert_eq!(place.found().await.len(), 1, "the same events once more");
}

#[tokio::test]
async fn failed_log_ins_that_rise_are_a_finding_after_four_weeks_and_not_before() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let failed = |n: usize, address: &str| -> Vec<String> {
        let line = |i| {
            json!({
                "app": "portal", "message": "sign-in refused", "class_uid": 3002, "outcome": "failure",
                "user": format!("user{}", i % 4), "src_ip": address,
            })
            .to_string()
        };
        (1..=n).map(line).collect()
    };
    let day = async |n: usize, address: &str| {
        let lines = failed(n, address);
        place.come(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        place.learn().await;
        logs::trends(place.ctx()).await.unwrap();
        place.later(DAY_S - 20);
    };
    for n in 0..20 {
        day(3 + n % 3, "10.0.0.9").await;
    }
    let states = place.of("monitoring.trend_status").await;
    assert!(states.iter().all(|s| s.facts["cold_start"] == json!(true)), "{states:?}");
    for n in 20..34 {
        day(3 + n % 3, "10.0.0.9").await;
    }
    let states = place.of("monitoring.trend_status").await;
    let of_class = |s: &&Record| s.facts["security_class"] == json!("login_failure");
    let newest = states.iter().find(of_class).expect("the class has a source");
    assert_eq!(newest.facts["cold_start"], json!(false));
    let spec = monitoring::SPEC.records.iter().find(|r| r.ty == "monitoring.trend_status").unwrap();
    assert_eq!(spec.validate(&newest.facts), []);
    assert!(!states.iter().any(|s| s.facts["security_class"] == json!("antivirus")), "no source");
    let trends = |found: &[Record]| -> Vec<Record> {
        found.iter().filter(|f| f.facts["rule"] == json!("steady.trend")).cloned().collect()
    };
    assert_eq!(trends(&place.found().await).len(), 0);

    for n in 34..46 {
        day(40 + n % 3, "192.0.2.66").await;
    }
    let found = trends(&place.found().await);
    let titles: Vec<&str> = found.iter().filter_map(|f| f.facts["title_en"].as_str()).collect();
    assert!(titles.contains(&"Failed log-ins: a higher level"), "{titles:?}");
    assert!(titles.contains(&"Failed log-ins: a new main contributor"), "{titles:?}");
    assert!(titles.len() <= 3, "each is told once: {titles:?}");
    assert!(
        found.iter().all(|f| !Json::Object(f.facts.clone()).to_string().contains("192.0.2.66"))
    );

    let page = place.page("auditor", "/monitoring/trends").await;
    assert!(page.contains("Failed log-ins") && page.contains("<path class=\"line\""), "{page}");
    assert!(!page.contains("192.0.2.66"), "an address is for those who judge");
    assert!(place.page("administrator", "/monitoring/trends").await.contains("192.0.2.66"));
    let told = place.api("/api/v1/monitoring/trends").await;
    let of = |name: &str| {
        let all = told["classes"].as_array().unwrap();
        all.iter().find(|c| c["class"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(
        (&of("login_failure")["state"], &of("dlp")["state"]),
        (&json!("watched"), &json!("no_source"))
    );
}

fn ume(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(args)
        .envs([("LC_ALL", "C"), ("UME_LOG", "warn"), ("TZ", "UTC")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Lines of ten ordinary days, every half hour.
fn ordinary() -> String {
    let mut text = String::new();
    for hour in 0..240 {
        for minute in [0, 30] {
            let (day, hour) = (1 + hour / 24, hour % 24);
            text += &format!(
                "<30>1 2026-04-{day:02}T{hour:02}:{minute:02}:00Z db1 app - - - job {hour} finished in 12 s\n"
            );
        }
    }
    text
}

#[test]
fn the_command_line_finds_new_lines_and_silences_in_files() {
    let quiet = ordinary();
    let out = ume(&["steady", "templates", "--format", "json", "-"], &quiet);
    assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(0), &b"[]\n"[..]), "{out:?}");
    let new = format!("{quiet}<30>1 2026-04-11T00:00:00Z db1 app - - - the disk cannot be read\n");
    let out = ume(&["steady", "templates", "--format", "json", "-"], &new);
    assert_eq!(out.status.code(), Some(1));
    let rows: Json = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((rows[0]["what"].as_str(), rows.as_array().unwrap().len()), (Some("new"), 1));
    let out = ume(&["steady", "templates", "--all", "-"], &quiet);
    assert!(String::from_utf8_lossy(&out.stdout).contains("job <*> finished in <*> s"), "{out:?}");

    let out = ume(&["steady", "silence", "-"], &quiet);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let until = ["steady", "silence", "--until", "2026-04-12T00:00:00Z", "--format", "json", "-"];
    let out = ume(&until, &quiet);
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    let rows: Json = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (rows[0]["host"].as_str(), rows[0]["usual_s"].as_i64().is_some()),
        (Some("db1"), true)
    );

    assert_eq!(ume(&["steady", "silence", "--until", "noon", "-"], "").status.code(), Some(2));
    assert_eq!(ume(&["steady", "templates", "/nonexistent/log"], "").status.code(), Some(2));
}
