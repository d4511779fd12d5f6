//! What items say beyond single values: from the item to the finding, over restarts and in what came before; hunts
//! that ask only for what is new; what was met, for who asks.

use intel::Sightings;
use model::Table;
use monitoring::work::{
    activation::ACTIVATED,
    hunts::{self, HUNT},
    live::Live,
};
use serde_json::{Value as Json, json};
use store::{Record, Row};
use threat_intelligence::work::{
    inbox::{self, Line},
    publish,
};

use crate::findings::Place;

const FAILED: &str =
    "<38>Nov 28 09:00:00 h sshd[7]: Failed password for root from 192.0.2.77 port 22 ssh2";
const PATTERN: &str = "[ipv4-addr:value = '192.0.2.77'] REPEATS 3 TIMES WITHIN 3600 SECONDS";
const RULE: &str = "title: Ume test rule\nid: 5e1f2d6c-0a6d-4c58-8c4e-0f6a6f1b2c3d\nlogsource:\n  category: message\ndetection:\n  word:\n    - 'reaktor überhitzt'\n  condition: word\nlevel: high";
const ONE: &str = "<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://one.example/a mika HIER_DIRECT/198.51.100.7 text/html";
const TWO: &str = "<30>Nov 28 09:00:01 gw squid: 1795600001.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://two.example/a mika HIER_DIRECT/198.51.100.8 text/html";

impl Place {
    /// An item that was judged "act", with its patterns and confirmed domains.
    async fn item(&self, name: &str, patterns: &str, domains: &[&str]) -> Row {
        let store = self.store();
        let mut row = Row::new(Table::Asset, store.new_id().unwrap(), inbox::ITEM, name);
        row.status = "active".to_owned();
        let today: String = store.now().rfc3339().chars().take(10).collect();
        let attributes = json!({
            "received": today, "field": "technical", "tlp": "amber", "verdict": "act",
            "advice": "x", "patterns": patterns, "victim_organisation": "Secret Ltd",
        });
        row.attributes = attributes.as_object().cloned().unwrap();
        let line = |domain: &&str| Line {
            kind: "domain".to_owned(),
            value: (*domain).to_owned(),
            source: row.id.to_string(),
            received: Some(store.now().rfc3339()),
            ..Line::default()
        };
        let lines: Vec<Line> = domains.iter().map(line).collect();
        let blob = inbox::keep(store, &lines, "test").await.unwrap();
        inbox::put_into(&mut row, &lines, &blob);
        let mut write = store.write("test", "test", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    async fn set_published(&self) {
        self.later(1);
        publish::round(self.ctx()).await.unwrap();
        self.round().await;
    }

    async fn of_rule(&self, start: &str) -> Vec<Record> {
        let mut found = self.found().await;
        found.retain(|f| f.facts["rule"].as_str().is_some_and(|rule| rule.starts_with(start)));
        found
    }

    /// Hunts for sets that ended.
    async fn hunted(&self) -> Vec<Record> {
        for _ in 0..40 {
            hunts::round(self.ctx()).await.unwrap();
            self.later(1);
        }
        let store = self.store();
        let activated = store.newest_records(&[ACTIVATED], None, 50).await.unwrap();
        let is_of_set = |hunt: &Record| {
            let activation = activated.iter().find(|record| Some(record.id) == hunt.subject);
            activation.is_some_and(|record| record.facts["kind"] == "indicators")
        };
        let mut hunts = store.newest_records(&[HUNT], None, 50).await.unwrap();
        hunts.retain(is_of_set);
        hunts
    }

    fn archived_now(&self) {
        self.served.stream.flush(self.store().now()).unwrap();
    }
}

#[tokio::test]
async fn a_pattern_of_an_item_is_met_by_events_before_and_after_a_restart() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let item = place.item("Campaign", PATTERN, &[]).await;
    place.set_published().await;
    place.come(&[FAILED, FAILED]);
    place.round().await;
    assert!(place.of_rule("pattern:").await.is_empty());
    // The state is saved, and another process goes on with it.
    place.later(20);
    place.round().await;
    let place = place.restarted().await;
    place.come(&[FAILED]);
    place.round().await;
    place.round().await;
    let found = place.of_rule("pattern:").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let facts = &found[0].facts;
    assert_eq!(facts["indicator_kind"], "pattern");
    assert_eq!(facts["indicator_items"], item.id.to_string());
    let payload = place.store().payload(found[0].id).await.unwrap().unwrap();
    let told: Json = serde_json::from_slice(&payload).unwrap();
    assert_eq!(told["indicator"]["pattern"], PATTERN);
    assert_eq!(told["indicator"]["seen"].as_array().unwrap().len(), 3);
    for (role, words) in [
        ("administrator", ["192.0.2.77", "Campaign"]),
        ("auditor", ["Threat pattern met", "脅威のパターン"]),
    ] {
        let page = place.page(role, &format!("/findings/{}", found[0].id)).await;
        assert!(words.iter().any(|word| page.contains(word)), "{role}: {page}");
    }
    assert!(place.page("administrator", "/monitoring").await.contains("id=\"indicators\""));
    // Nothing of the victim left the register.
    let folder = place.served.house.folder().join(intel::FOLDER);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("Secret Ltd"));
    }
}

#[tokio::test]
async fn patterns_and_rules_of_an_item_look_back() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[FAILED, ONE, FAILED, "<30>Nov 28 09:00:00 h app: Reaktor überhitzt"]);
    place.round().await;
    place.come(&[FAILED]);
    place.round().await;
    place.archived_now();
    place.item("Campaign", &format!("{PATTERN}\n---\n{RULE}"), &[]).await;
    place.set_published().await;
    place.round().await;
    let ended = place.hunted().await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    let found = place.of_rule("pattern:").await;
    assert_eq!((found.len(), &found[0].facts["retro"]), (1, &true.into()));
    assert_eq!(place.of_rule("5e1f2d6c").await.len(), 1);
}

#[tokio::test]
async fn a_hunt_reads_what_can_hold_something_new_and_nothing_else() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.round().await;
    for line in [ONE, TWO, FAILED, FAILED] {
        place.come(&[line]);
        place.round().await;
        place.archived_now();
    }
    place.item("First", "", &["one.example"]).await;
    place.set_published().await;
    let first = place.hunted().await;
    let counts = |hunt: &Record| {
        let count = |name: &str| hunt.facts[name].as_u64().unwrap();
        (count("scanned"), count("pruned"), count("findings"))
    };
    assert_eq!(counts(&first[0]), (1, 3, 1));
    place.item("Second", "", &["two.example"]).await;
    place.set_published().await;
    let second = place.hunted().await;
    assert_eq!(second.len(), 2);
    let newest = second.iter().max_by_key(|record| record.received_at.0).unwrap();
    assert_eq!(counts(newest), (1, 3, 1), "what was hunted for is asked of nobody again");

    // What was met is known without reading findings, and keeps the value young.
    place.later(20);
    place.round().await;
    let folder = place.served.house.folder().join(intel::FOLDER);
    let seen = Sightings::read(&folder).unwrap();
    let one = seen.of("domain", "one.example").unwrap();
    assert_eq!((one.count, one.items.len()), (1, 1));
    place.come(&[ONE]);
    place.round().await;
    place.later(20);
    place.round().await;
    assert_eq!(Sightings::read(&folder).unwrap().of("domain", "one.example").unwrap().count, 2);
    let shown = place.served.house.kept.get::<Live>().shown();
    assert_eq!(shown.sightings.of("domain", "one.example").unwrap().count, 2);
}
