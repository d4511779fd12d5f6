//! Sources added as the page says: its configuration is what the server and the sender take, and what came is judged.

use std::process::{Command, Output};

use reqwest::Method;
use serde_json::Value as Json;

use crate::findings::Place;

fn ume(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command.args(args).env("LC_ALL", "C").output().unwrap()
}

#[tokio::test]
async fn the_page_gives_both_configurations_and_names_what_is_wrong() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let page = place.page("administrator", "/monitoring/sources/add").await;
    assert!(page.contains("sender=rsyslog\"") && page.contains("sender=postgresql"), "{page}");
    let page = place.page("administrator", "/monitoring/sources/add?class=database").await;
    assert!(!page.contains("sender=rsyslog\"") && page.contains("sender=postgresql"));
    let at = "/monitoring/sources/add?sender=journal";
    let form = place.page("administrator", at).await;
    assert!(form.contains("name=\"from\"") && !form.contains("[[intake.journal_upload]]"));
    let good = format!("{at}&host=ume.example.jp&source=far&from=192.0.2.0%2F24&port=19532");
    let page = place.page("administrator", &good).await;
    assert!(
        page.contains("[[intake.journal_upload]]")
            && page.contains("URL=http://ume.example.jp:19532")
    );
    assert!(page.contains("allow = [&#34;192.0.2.0/24&#34;]"), "{page}");
    // What would end in a file of root is held against what it may be.
    let bad = format!("{at}&host=x%22%0Aexec&source=far&from=192.0.2.0%2F24");
    let page = place.page("administrator", &bad).await;
    assert!(
        page.contains("id=\"wrong-host\"") && !page.contains("[[intake.journal_upload]]"),
        "{page}"
    );
    let token = place.served.token("auditor").await;
    let ask = |query: &str| {
        place.served.with(&token, Method::GET, &format!("/api/v1/monitoring/senders{query}")).send()
    };
    let all: Json = ask("").await.unwrap().json().await.unwrap();
    assert!(all["senders"].as_array().unwrap().len() >= 17);
    let one: Json = ask("?sender=ndjson&host=h&source=s").await.unwrap().json().await.unwrap();
    let token = one["token"].as_str().unwrap();
    assert!(token.len() >= 32 && !one["ume_toml"].as_str().unwrap().contains(token));
    for (query, status) in [
        ("?sender=ndjson&host=%24", 400),
        ("?sender=x", 404),
        ("?sender=relp&port=0", 404),
        ("?sender=ndjson&port=0", 400),
    ] {
        assert_eq!(ask(query).await.unwrap().status().as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn what_came_says_how_it_is_written() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let first = "/monitoring/sources/first?source=syslog";
    assert!(place.page("administrator", first).await.contains("Nothing arrived yet"));
    let now = place.store().now();
    // A clock nine hours ahead, without saying so.
    let ahead = now.plus_hours(9).rfc3339().replace('T', " ");
    let line = format!("{} something happened", &ahead[..19]);
    place.come(&[&line, &line]);
    place.served.stream.refused("syslog", "line too long", 3).unwrap();
    let counted = serde_json::to_value(place.served.stream.counters()).unwrap();
    *place.served.house.intake.write().unwrap() = counted;
    assert!(place.page("administrator", first).await.contains("some 15 seconds"));
    place.served.stream.flush(now).unwrap();
    let page = place.page("administrator", first).await;
    assert!(page.contains("It is heard") && page.contains("line too long"), "{page}");
    assert!(page.contains("+9:00") && page.contains("utf-8 (2)"), "{page}");
}

/// The configuration of each sender that the command prints is one that the server reads, all in one file.
#[test]
fn every_configuration_is_one_that_the_server_takes() {
    let listed = ume(&["monitoring", "sender", "--format", "json"]);
    assert!(listed.status.success());
    let kinds: Vec<Json> = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(kinds.len() >= 17);
    let mut file = String::new();
    for (place, kind) in kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).enumerate() {
        let port = (20_000 + place).to_string();
        let said = ume(&[
            "monitoring",
            "sender",
            kind,
            "--port",
            &port,
            "--source",
            kind,
            "--host",
            "ume.example.jp",
            "--format",
            "json",
        ]);
        assert!(said.status.success(), "{kind}: {}", String::from_utf8_lossy(&said.stderr));
        let said: Json = serde_json::from_slice(&said.stdout).unwrap();
        match said["ume_toml"].as_str() {
            Some(toml) => file.push_str(&format!("{toml}\n")),
            None => assert_eq!(kind, "agent"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ume.toml"), &file).unwrap();
    let at = folder.path().to_str().unwrap();
    let checked = ume(&["status", "--data", at]);
    let errors = String::from_utf8_lossy(&checked.stderr);
    // The folder has no database: the file was read before that was found.
    assert!(!errors.contains("ume.toml"), "{errors}\n{file}");
    std::fs::write(
        folder.path().join("ume.toml"),
        file.replace("[[intake.relp]]", "[[intake.help]]"),
    )
    .unwrap();
    let checked = ume(&["status", "--data", at]);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("ume.toml"), "it is read at all");
    let wrong = ume(&["monitoring", "sender", "fax"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("rsyslog"));
}
