//! The search of events and the board of monitoring, on the real router: who sees what of people, and what is counted.

use reqwest::Method;
use serde_json::Value as Json;

use crate::findings::{DISK, Place, QUIET};

const LOGIN: &str =
    "<38>Nov 28 10:00:00 web1 sshd[7]: Failed password for yamada from 192.0.2.7 port 22 ssh2";
const MEASURED: &str = r#"{"kind":"metric","app":"metrics","host":"web1","message":"node_load1 3","metric":"node_load1","value":"3"}"#;

impl Place {
    async fn told(&self, role: &str, path: &str) -> (u16, Json) {
        let token = self.served.token(role).await;
        let answer = self.served.with(&token, Method::GET, path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The counts of the intake as the service of the archive publishes them.
    fn published(&self) {
        let counted = serde_json::to_value(self.served.stream.counters()).unwrap();
        *self.served.house.intake.write().unwrap() = counted;
    }

    async fn archived(lines: &[&str]) -> Place {
        let place = Place::over(tempfile::tempdir().unwrap()).await;
        place.come(lines);
        place.served.stream.flush(place.store().now()).unwrap();
        place
    }
}

#[tokio::test]
async fn who_does_not_judge_sees_events_without_people_and_does_not_find_them_by_name() {
    let place = Place::archived(&[LOGIN, QUIET]).await;
    let names = ["yamada", "192.0.2.7"];
    let page = place.page("auditor", "/events").await;
    assert!(
        page.contains("Failed password for •••") && !names.iter().any(|n| page.contains(n)),
        "{page}"
    );
    assert!(page.contains("shown as •••"), "the reader is told");
    let page = place.page("administrator", "/events").await;
    assert!(names.iter().all(|name| page.contains(name)) && !page.contains("•••"), "{page}");
    for (q, whole, masked) in [("yamada", 1, 0), ("user:yamada", 1, 0), ("sshd", 1, 1), ("", 2, 2)]
    {
        let path = format!("/api/v1/monitoring/events?q={q}");
        for (role, wanted) in [("administrator", whole), ("auditor", masked)] {
            let (status, told) = place.told(role, &path).await;
            assert_eq!(
                (status, told["events"].as_array().unwrap().len()),
                (200, wanted),
                "{role} {q}"
            );
            assert_eq!(told["masked"], role == "auditor");
        }
    }
    let (_, told) = place.told("auditor", "/api/v1/monitoring/events?q=sshd").await;
    assert!(!names.iter().any(|name| told.to_string().contains(name)), "{told}");
    // A statement could say of people whatever it likes.
    let page = place.page("auditor", "/events").await;
    assert!(!page.contains("/events/sql"));
    let token = place.served.token("auditor").await;
    let ask = place.served.with(&token, Method::POST, "/api/v1/search/sql");
    let answer =
        ask.json(&serde_json::json!({ "sql": "SELECT raw FROM events" })).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}

#[tokio::test]
async fn what_is_asked_for_is_found_and_what_is_wrong_with_it_is_named() {
    let place = Place::archived(&[LOGIN, QUIET, MEASURED]).await;
    let page = place.page("administrator", "/events").await;
    assert!(
        page.contains("apt download") && !page.contains("node_load1"),
        "measurements wait to be asked for"
    );
    assert!(page.contains("show measurements too") && page.contains("Found 2"), "{page}");
    for path in ["/events?measurements=1", "/events?q=node_load1", "/events?source=syslog"] {
        assert!(place.page("administrator", path).await.contains("node_load1"), "{path}");
    }
    // A field of an event narrows the search to its value.
    assert!(page.contains("/events?q=user%3A%22yamada%22"), "{page}");
    let narrowed = place.page("administrator", "/events?q=user%3A%22yamada%22").await;
    assert!(narrowed.contains("Found 1") && !narrowed.contains("apt download"), "{narrowed}");
    let later = place.page("administrator", "/events?from=2099-01-01T00:00").await;
    assert!(later.contains("No events match"), "{later}");
    for (asked, said) in [
        ("from=yesterday", "The start is no time"),
        ("to=%22", "The end is no time"),
        ("from=2026-11-25T09:00&to=2026-11-25T08:00", "must lie behind the start"),
        ("q=%22", "does not end"),
    ] {
        let page = place.page("administrator", &format!("/events?{asked}")).await;
        assert!(page.contains(said) && page.contains("aria-invalid"), "{asked}: {page}");
        let (status, told) =
            place.told("administrator", &format!("/api/v1/monitoring/events?{asked}")).await;
        assert!(
            status == 400 && told["detail"].as_str().unwrap().contains(said),
            "{asked}: {told}"
        );
    }
    for limit in ["0", "1001"] {
        let path = format!("/api/v1/monitoring/events?limit={limit}");
        assert_eq!(place.told("administrator", &path).await.0, 400, "{limit}");
    }
    let (_, one) = place.told("administrator", "/api/v1/monitoring/events?limit=1").await;
    assert_eq!(one["events"].as_array().unwrap().len(), 1);
    place.costs_little("administrator", "/events").await;
}

#[tokio::test]
async fn the_board_says_what_waits_and_what_became_of_every_event() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let (_, told) = place.told("auditor", "/api/v1/monitoring/board").await;
    assert_eq!((told["state"].as_str(), &told["flow"]), (Some("unknown"), &serde_json::json!([])));
    place.come(&[QUIET, DISK, LOGIN]);
    place.published();
    let (_, told) = place.told("auditor", "/api/v1/monitoring/board").await;
    let counts = |told: &Json| {
        ["received", "stored", "evaluated", "pending"].map(|n| told["flow"][0][n].as_u64().unwrap())
    };
    assert_eq!(counts(&told), [3, 3, 0, 3], "nothing is evaluated yet");
    place.round().await;
    let (_, told) = place.told("auditor", "/api/v1/monitoring/board").await;
    assert_eq!(counts(&told), [3, 3, 3, 0]);
    assert_eq!(
        (told["state"].as_str(), told["findings"]["grave"].as_u64()),
        (Some("red"), Some(1)),
        "{told}"
    );
    for page in
        [place.page("executive", "/monitoring").await, place.page("auditor", "/monitoring").await]
    {
        assert!(
            page.contains("Something needs a look at once") && page.contains("critical or high 1"),
            "{page}"
        );
    }
    place.costs_little("administrator", "/monitoring").await;
    let finding = place.found().await[0].id;
    let path = format!("/findings/{finding}/judge");
    let fields = [("verdict", "normal"), ("reason", "the disk is being replaced")];
    assert!(place.send("administrator", &path, &fields).await < 400);
    let (_, told) = place.told("auditor", "/api/v1/monitoring/board").await;
    assert_eq!(
        (told["findings"]["waiting"].as_u64(), told["state"] == "red"),
        (Some(0), false),
        "{told}"
    );
}
