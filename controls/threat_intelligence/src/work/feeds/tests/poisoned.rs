//! What feeds list and must not be blocked; how rows come into the signed set and leave it.

use indicators::{Ceiling, Direction, Kind, Observable};
use intel::Current;
use model::{Id, Table};
use netname::Names;
use serde_json::json;

use super::place::{Place, plain};
use crate::work::{
    feeds::rows,
    lists,
    publish::{self, PUBLISHED, Publisher},
};

impl Place {
    async fn publish(&self) {
        self.later(1);
        publish::round(self.ctx()).await.expect("published");
    }

    async fn current(&self) -> Option<Current> {
        let keys = self.house.ledger.lock().await.own_keys().expect("keys");
        Current::load(&self.folder.path().join(intel::FOLDER), &keys).expect("a good set")
    }

    /// What the set in force allows for a value now.
    async fn met(&self, kind: Kind, value: &str) -> Option<Ceiling> {
        let names = Names::shipped();
        let current = self.current().await?;
        let seen = Observable::read(kind, value, Direction::Destination, &names).expect("a value");
        let mut hits = Vec::new();
        current.set().lookup(&seen, self.house.store.now().0, &mut hits).expect("asked");
        hits.iter().map(|hit| hit.ceiling).max()
    }

    async fn verdicts(&self, source: Id) -> Vec<(String, u64)> {
        let feeds = rows::feeds(&self.house).await.expect("feeds");
        let mut all: Vec<(String, u64)> = feeds
            .verdicts(source)
            .await
            .expect("read")
            .into_iter()
            .map(|one| (one.verdict, one.count))
            .collect();
        all.sort();
        all
    }
}

const POISONED: &str = "8.8.8.8\nours.example.com\nwww.ours.example.com\n0.0.0.0/0\nco.jp\n127.0.0.1\n10.1.2.3\n\
                        10.20.0.9\n203.0.113.9\nevil.example.com\n";

#[tokio::test]
async fn what_is_ours_or_everybodys_is_not_blocked_whoever_lists_it_and_the_reason_is_shown() {
    let place = Place::new().await;
    lists::round(place.ctx()).await.expect("lists");
    let brand = json!({ "words": ["Ours"], "domains": ["ours.example.com"] });
    place.put(Table::Asset, "brand", "Ours", brand).await;
    place.serve("/list", vec![plain(POISONED)]);
    let source = place.source("list", "/list", json!({ "value_kind": "domain" })).await;
    let account = place.fetch(source).await;
    // As domains addresses and networks are read as what they are, but for the network.
    assert_eq!(account.rows + account.refused.values().sum::<u64>(), 10, "{account:?}");
    place.publish().await;
    let met = |kind, value| place.met(kind, value);
    assert_eq!(met(Kind::Domain, "evil.example.com").await, Some(Ceiling::Block));
    assert_eq!(met(Kind::Ip, "203.0.113.9").await, Some(Ceiling::Block));
    assert_eq!(met(Kind::Ip, "8.8.8.8").await, Some(Ceiling::Alert), "told, never blocked");
    assert_eq!(met(Kind::Ip, "10.20.0.9").await, Some(Ceiling::Alert));
    for (kind, value) in [
        (Kind::Domain, "ours.example.com"),
        (Kind::Domain, "www.ours.example.com"),
        (Kind::Domain, "any.co.jp"),
        (Kind::Ip, "127.0.0.1"),
        (Kind::Ip, "198.51.100.1"),
    ] {
        assert_eq!(met(kind, value).await, None, "{value}");
    }
    let verdicts = place.verdicts(source).await;
    let count = |word: &str| {
        verdicts.iter().filter(|one| one.0.starts_with(word)).map(|one| one.1).sum::<u64>()
    };
    assert_eq!(
        (count("own"), count("suffix"), count("special"), count("warning:")),
        (2, 1, 1, 3),
        "{verdicts:?}"
    );
    let page = place.page("officer", &format!("/intelligence/sources/{source}")).await;
    assert!(
        page.contains("ours, so it is not used") && page.contains("Public DNS resolvers"),
        "{page}"
    );
    // A network that is everything is no domain; told that it is a list of addresses, it is too broad.
    place.serve("/all", vec![plain("0.0.0.0/0\n203.0.113.0/24\n")]);
    let source = place.source("list", "/all", json!({})).await;
    place.fetch(source).await;
    place.publish().await;
    assert_eq!(met(Kind::Ip, "198.51.100.1").await, None);
    assert_eq!(met(Kind::Ip, "203.0.113.200").await, Some(Ceiling::Block));
    assert_eq!(place.verdicts(source).await, [("broad".to_owned(), 1)]);
}

#[tokio::test]
async fn a_new_feed_is_a_file_of_its_own_at_once_and_the_base_is_made_beside_it() {
    let place = Place::new().await;
    let publisher = place.house.kept.get::<Publisher>();
    publisher.whole_rows_max(10);
    place.serve(
        "/list",
        vec![
            plain(&super::list(100)),
            plain(&super::list(98)),
            plain(&format!("{}more.example.com\n", super::list(98))),
        ],
    );
    let source = place.source("list", "/list", json!({ "rows_use": "alert" })).await;
    place.fetch(source).await;
    // The first base is made beside the rounds.
    let mut rounds = 0;
    while place.current().await.is_none() {
        place.publish().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        rounds += 1;
        assert!(rounds < 200, "no base");
    }
    let files = |current: &Current| -> Vec<String> {
        let names = current.manifest().files.iter();
        names.map(|file| file.name.split('-').next().unwrap_or_default().to_owned()).collect()
    };
    let first = place.current().await.expect("a set");
    assert_eq!((files(&first), first.manifest().rows), (vec!["base".to_owned()], 100));
    assert_eq!(
        place.met(Kind::Domain, "bad99.example.com").await,
        Some(Ceiling::Alert),
        "as its source says"
    );

    place.fetch(source).await;
    place.publish().await;
    let second = place.current().await.expect("a set");
    assert_eq!(
        (files(&second), second.manifest().rows),
        (vec!["base".to_owned(), "delta".to_owned()], 98)
    );
    assert_eq!(place.met(Kind::Domain, "bad99.example.com").await, None, "gone at once");
    assert_eq!(place.met(Kind::Domain, "bad97.example.com").await, Some(Ceiling::Alert));
    place.fetch(source).await;
    place.publish().await;
    assert_eq!(place.met(Kind::Domain, "more.example.com").await, Some(Ceiling::Alert));
    let before = place.current().await.expect("a set").manifest().sequence;
    place.publish().await;
    assert_eq!(
        place.current().await.expect("a set").manifest().sequence,
        before,
        "nothing changed"
    );
    let published = place.of_type(PUBLISHED).await;
    let counts: Vec<(i64, i64)> = published
        .iter()
        .map(|one| {
            (one.facts["added"].as_i64().unwrap_or(-1), one.facts["removed"].as_i64().unwrap_or(-1))
        })
        .collect();
    assert_eq!(counts, [(1, 0), (0, 2), (100, 0)]);

    // A person takes one out: everything is judged anew, and the files become one.
    let out = json!({ "value": "bad1.example.com", "reason": "誤検知", "expires": "2099-01-01" });
    place.put(Table::Rule, "indicator_exclusion", "x", out).await;
    let mut rounds = 0;
    while place.met(Kind::Domain, "bad1.example.com").await.is_some() {
        place.publish().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        rounds += 1;
        assert!(rounds < 200, "never taken out");
    }
    let last = place.current().await.expect("a set");
    assert_eq!((files(&last), last.manifest().rows), (vec!["base".to_owned()], 98));
    assert_eq!(place.met(Kind::Domain, "bad2.example.com").await, Some(Ceiling::Alert));
}

#[tokio::test]
async fn a_source_that_is_judged_in_the_inbox_is_in_no_set_and_one_that_is_let_go_leaves_it() {
    let place = Place::new().await;
    place.serve("/list", vec![plain("evil.example.com\n")]);
    let source = place.source("list", "/list", json!({ "rows_use": "inbox" })).await;
    place.fetch(source).await;
    place.publish().await;
    assert!(place.current().await.is_none(), "nobody judged it");
    let path = format!("/intelligence/sources/{source}/use");
    assert_eq!(
        place.send("officer", &path, &[("rows_use", "enforce"), ("use_reason", "")]).await,
        400
    );
    let sent = [("rows_use", "enforce"), ("use_reason", "信頼できる提供元")];
    assert_eq!(place.send("officer", &path, &sent).await, 303);
    place.publish().await;
    assert_eq!(place.met(Kind::Domain, "evil.example.com").await, Some(Ceiling::Block));
    let mut row = place.house.store.row(Table::Asset, source).await.expect("read").expect("a row");
    row.attributes.insert("active".to_owned(), json!(false));
    let mut write = place.house.store.write("account:test", "", "").await.expect("begun");
    write.put(row).await.expect("put");
    write.commit().await.expect("committed");
    place.publish().await;
    assert_eq!(place.met(Kind::Domain, "evil.example.com").await, None);
}

/// `UME_ROWS=1000000 cargo nextest run --release … --run-ignored all`: how long a large feed takes, and how much memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_feed_is_taken_and_published() {
    let rows: usize = std::env::var("UME_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let place = Place::new().await;
    let incoming = place.folder.path().join("indicators/incoming");
    std::fs::create_dir_all(&incoming).expect("made");
    let text: String = (0..rows).map(|n| format!("host{n}.bad{}.example.com\n", n % 977)).collect();
    std::fs::write(incoming.join("a.txt"), text).expect("written");
    let source = place
        .source_at("list", incoming.to_str().expect("utf-8"), json!({ "value_kind": "domain" }))
        .await;
    let start = std::time::Instant::now();
    assert_eq!(place.fetch(source).await.rows, rows as u64);
    let fetched = start.elapsed();
    while place.current().await.is_none() {
        place.publish().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let published = start.elapsed() - fetched;
    let last = format!("host{}.bad{}.example.com", rows - 1, (rows - 1) % 977);
    assert_eq!(place.met(Kind::Domain, &last).await, Some(Ceiling::Block));
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = text.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("{rows} rows: taken in {fetched:?}, published in {published:?}; {peak}");
}
