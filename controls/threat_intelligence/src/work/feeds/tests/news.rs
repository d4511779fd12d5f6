//! News and vulnerability services from a server.

use serde_json::json;

use super::place::{Place, plain};

fn rss(entries: &[(&str, &str)]) -> String {
    let entry = |(id, title): &(&str, &str)| {
        format!(
            "<item><guid>{id}</guid><title>{title}</title><link>https://n.example/{id}</link><description>CVE-2026-10001</description></item>"
        )
    };
    let entries: String = entries.iter().map(entry).collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>n</title>{entries}</channel></rss>"
    )
}

#[tokio::test]
async fn entries_become_items_once_and_an_update_changes_the_same() {
    let place = Place::new().await;
    let first = rss(&[("1", "製造業への攻撃"), ("2", "別の話題")]);
    let second = rss(&[("1", "製造業への攻撃（続報）"), ("2", "別の話題"), ("3", "新しい話題")]);
    place.serve("/news", vec![plain(&first), plain(&first), plain(&second)]);
    let source = place.source("rss", "/news", json!({ "rows_use": "inbox" })).await;
    let account = place.fetch(source).await;
    assert_eq!(account.trouble, None);
    assert_eq!(place.items().await.len(), 2);
    place.later(7_200);
    place.fetch(source).await;
    assert_eq!(place.items().await.len(), 2, "nothing twice");
    place.later(7_200);
    place.fetch(source).await;
    let mut names: Vec<String> = place.items().await.into_iter().map(|item| item.name).collect();
    names.sort();
    // What a person may have named keeps its name; that it changed is counted.
    assert_eq!(names, ["別の話題", "新しい話題", "製造業への攻撃"]);
    let items = place.items().await;
    let changed = items.iter().find(|item| item.name == "製造業への攻撃").expect("there");
    assert_eq!(changed.attributes["updates"], json!(1));
    let received = place.of_type("threat_intelligence.intel_received").await;
    assert!(received.iter().any(|record| record.facts["items"] == json!(2)), "{received:?}");
}

#[tokio::test]
async fn a_page_that_is_no_feed_is_told_and_lists_take_their_place() {
    let place = Place::new().await;
    place.serve("/page", vec![plain("<html><body>maintenance</body></html>")]);
    let source = place.source("rss", "/page", json!({ "rows_use": "inbox" })).await;
    let trouble = place.fetch(source).await.trouble.expect("trouble");
    assert!(trouble.en.contains("none of RSS"), "{trouble:?}");

    let kev = json!({"catalogVersion": "1", "vulnerabilities": [{"cveID": "CVE-2026-10001"}]});
    place.serve("/kev", vec![plain(&kev.to_string())]);
    let source = place.source("kev", "/kev", json!({ "rows_use": "inbox" })).await;
    let account = place.fetch(source).await;
    assert_eq!(account.trouble, None);
    let shelf = crate::work::news::shelf::Shelf::default();
    let lists = shelf.lists(place.house.folder()).1;
    assert_eq!(lists.of("CVE-2026-10001").is_exploited, Some(true));
}

#[tokio::test]
async fn myjvn_is_read_page_by_page_and_then_from_the_day_before() {
    let place = Place::new().await;
    let page = |first: u64, count: u64| {
        let entry = |n: u64| {
            format!(
                "<item rdf:about=\"https://j.example/{n}\"><title>t{n}</title><link>https://j.example/{n}</link>\
                 <sec:identifier>JVNDB-2026-{n:06}</sec:identifier>\
                 <sec:references source=\"CVE\" id=\"CVE-2026-{}\">https://c.example/{n}</sec:references></item>",
                20_000 + n
            )
        };
        let entries: String = (first..first + count).map(entry).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rdf:RDF xmlns=\"http://purl.org/rss/1.0/\" \
             xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
             xmlns:sec=\"http://jvn.jp/rss/mod_sec/3.0/\" xmlns:status=\"http://jvndb.jvn.jp/myjvn/Status\">\
             <channel rdf:about=\"https://j.example/\"><title>JVN</title></channel>{entries}\
             <status:Status version=\"3.3\" method=\"getVulnOverviewList\" feed=\"hnd\" retCd=\"0\" retMax=\"50\" \
             totalRes=\"60\" totalResRet=\"{count}\" firstRes=\"{first}\"/></rdf:RDF>"
        )
    };
    place.serve("/myjvn", vec![plain(&page(1, 50)), plain(&page(51, 10))]);
    let source = place.source("jvn", "/myjvn", json!({ "rows_use": "inbox" })).await;
    let account = place.fetch(source).await;
    assert_eq!(account.trouble, None);
    let asked = place.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let cursor: serde_json::Value =
        serde_json::from_str(account.cursor.as_deref().expect("a cursor")).expect("JSON");
    assert_eq!(cursor["start"], 1);
    let shelf = crate::work::news::shelf::Shelf::default();
    let lists = shelf.lists(place.house.folder()).1;
    assert!(lists.of("CVE-2026-20001").note.is_some());
    assert!(lists.of("CVE-2026-20060").note.is_some(), "of the second page");
}
