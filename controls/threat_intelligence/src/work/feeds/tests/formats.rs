//! CSV, STIX, MISP and TAXII from a server.

use model::Table;
use serde_json::{Value as Json, json};

use super::place::{Place, answer, document, plain};
use crate::work::inbox;

fn indicator(number: u32, pattern: &str) -> Json {
    json!({
        "type": "indicator", "spec_version": "2.1",
        "id": format!("indicator--8e2e2d2b-17d4-4cbf-938f-{number:012}"),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "pattern": pattern, "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
    })
}

fn id(number: u32) -> String {
    format!("indicator--8e2e2d2b-17d4-4cbf-938f-{number:012}")
}

async fn values(place: &Place) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for item in place.items().await {
        let lines = inbox::confirmed(&place.house.store, &item).await.expect("lines");
        let mut values: Vec<String> =
            lines.unwrap_or_default().into_iter().map(|line| line.value).collect();
        values.sort();
        all.push((item.name.clone(), values));
    }
    all.sort();
    all
}

#[tokio::test]
async fn columns_are_found_by_header_by_comment_by_the_source_or_by_their_values() {
    let place = Place::new().await;
    let sjis: &[u8] = b"\x8e\xed\x97\xde,\x8ew\x95W,\x94\xf5\x8dl\r\nurl,http://evil.example.com/a,\x83e\x83X\x83g\r\n";
    let files: [(&str, Vec<u8>, Json, u64); 6] = [
        ("header", b"first_seen,ioc_value,ioc_type,confidence\n2026-01-01,evil.example.com,domain,75\n2026-01-01,192.0.2.1:443,ip:port,50\n".to_vec(), json!({}), 2),
        ("comment", b"# made today\n# \"dateadded\",\"url\",\"tags\"\n\"2026-01-01 00:00:00\",\"http://evil.example.com/x,y\",\"a\"\n".to_vec(), json!({}), 1),
        ("told", b"wann|wo|was\n2026-01-01|ignored|evil.example.com\n".to_vec(), json!({ "columns": ["was=domain", "wann=first_seen"] }), 1),
        ("values", b"1;evil.example.com;x\n2;worse.example.com;\"multi\nline\"\n".to_vec(), json!({}), 2),
        ("hashes", b"md5_hash,sha256_hash\nd41d8cd98f00b204e9800998ecf8427e,e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n".to_vec(), json!({}), 2),
        ("sjis", sjis.to_vec(), json!({ "encoding": "cp932" }), 1),
    ];
    for (name, body, more, rows) in files {
        place.serve(&format!("/{name}"), vec![answer("200 OK", &body)]);
        let source = place.source("csv", &format!("/{name}"), more).await;
        let account = place.fetch(source).await;
        assert_eq!((account.rows, &account.trouble), (rows, &None), "{name}: {account:?}");
    }
    for (more, words) in [
        (json!({ "columns": ["nowhere=url"] }), "no column"),
        (json!({ "columns": ["1=colour"] }), "colour"),
        (json!({}), "column of values"),
    ] {
        place.serve("/bad", vec![answer("200 OK", b"a,b\nc,d\n")]);
        let source = place.source("csv", "/bad", more).await;
        let trouble = place.fetch(source).await.trouble.expect(words);
        assert!(trouble.en.contains(words), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_bundle_becomes_one_item_for_each_report_and_one_bad_object_costs_itself_alone() {
    let place = Place::new().await;
    let report = json!({
        "type": "report", "spec_version": "2.1", "id": "report--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "name": "製造業を狙う攻撃", "published": "2026-01-01T00:00:00Z", "object_refs": [id(1), id(2)],
    });
    let bundle = |objects: Vec<Json>| {
        document(
            &json!({ "type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "objects": objects }),
        )
    };
    let first = vec![
        report.clone(),
        indicator(1, "[domain-name:value = 'evil.example.com']"),
        indicator(2, "[ipv4-addr:value = '203.0.113.7' OR ipv4-addr:value = '203.0.113.8']"),
        indicator(3, "[url:value = 'http://alone.example.com/']"),
        indicator(4, "[domain-name:value = 'a.example.com'] FOLLOWEDBY [url:value = 'x']"),
        indicator(5, "[broken"),
        json!("no object"),
    ];
    place.serve("/bundle", vec![bundle(first)]);
    let source = place.source("stix", "/bundle", json!({ "rows_use": "inbox" })).await;
    let account = place.fetch(source).await;
    assert_eq!(
        (account.rows, account.refused["pattern"], account.refused["unreadable"]),
        (4, 2, 1)
    );
    let items = values(&place).await;
    assert_eq!(items.len(), 2, "{items:?}");
    let named = items.iter().find(|item| item.0 == "製造業を狙う攻撃").expect("a report");
    assert_eq!(named.1, ["203.0.113.7", "203.0.113.8", "evil.example.com"]);
    let row = place.items().await.into_iter().find(|row| row.name == named.0).expect("a row");
    let raw = row.attributes["raw"].as_str().expect("an original").to_owned();
    let bytes = place.house.store.blob_bytes(&raw).await.expect("read").expect("kept");
    assert!(String::from_utf8_lossy(&bytes).contains("report--8e2e2d2b"));
    let page = place.page("officer", &format!("/intelligence/{}", row.id)).await;
    assert!(page.contains("203.0.113.8"), "a person sees what is judged");
}

fn event(uuid: &str, info: &str, values: &[(&str, &str, bool)]) -> Json {
    let attributes: Vec<Json> = values
        .iter()
        .enumerate()
        .map(|(n, (ty, value, to_ids))| {
            json!({ "uuid": format!("5e2e2d2b-17d4-4cbf-938f-{n:012}"), "type": ty, "value": value, "to_ids": to_ids, "timestamp": "1767225600" })
        })
        .collect();
    json!({ "Event": { "uuid": uuid, "info": info, "timestamp": "1767225600", "publish_timestamp": "1767225600", "distribution": "3", "Attribute": attributes } })
}

const ONE: &str = "6e2e2d2b-17d4-4cbf-938f-000000000001";
const TWO: &str = "6e2e2d2b-17d4-4cbf-938f-000000000002";

#[tokio::test]
async fn of_a_misp_feed_only_changed_events_are_fetched_and_what_leaves_an_event_leaves_the_rows() {
    let place = Place::new().await;
    let manifest = |one: u32, two: u32| {
        document(&json!({ ONE: { "timestamp": one.to_string() }, TWO: { "timestamp": two } }))
    };
    place.serve("/feed/manifest.json", vec![manifest(1, 1), manifest(2, 1), manifest(2, 1)]);
    place.serve(
        &format!("/feed/{ONE}.json"),
        vec![
            document(&event(
                ONE,
                "一つ目",
                &[
                    ("domain", "evil.example.com", true),
                    (
                        "filename|sha256",
                        "x.exe|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                        true,
                    ),
                ],
            )),
            document(&event(ONE, "一つ目", &[("domain", "other.example.com", false)])),
        ],
    );
    place.serve(
        &format!("/feed/{TWO}.json"),
        vec![document(&event(TWO, "二つ目", &[("ip-dst", "203.0.113.9", true)]))],
    );
    let source = place.source("misp", "/feed/", json!({ "rows_use": "inbox" })).await;
    let account = place.fetch(source).await;
    assert_eq!((account.rows, account.items, account.trouble), (4, 2, None));
    assert_eq!(
        values(&place).await.iter().map(|item| item.0.as_str()).collect::<Vec<_>>(),
        ["一つ目", "二つ目"]
    );
    let account = place.fetch(source).await;
    assert_eq!((account.rows, account.items), (2, 1), "the event's old values are gone");
    let before = place.asked().len();
    place.fetch(source).await;
    assert_eq!(place.asked().len(), before + 1, "the manifest alone");

    // Half of the events are gone: they stay until a person lets them go.
    let one = || document(&json!({ ONE: { "timestamp": "2" } }));
    place.serve("/feed/manifest.json", vec![one(), one()]);
    let account = place.fetch(source).await;
    let held = account.held.expect("held");
    assert_eq!((held.had, held.have, place.rows(source).await), (2, 1, 2));
    let path = format!("/intelligence/sources/{source}/ruling");
    let sent = [("ruling", "confirm"), ("reason", "提供元が取り下げた")];
    assert_eq!(place.send("officer", &path, &sent).await, 303);
    place.round().await;
    assert_eq!(place.rows(source).await, 1);
}

#[tokio::test]
async fn a_search_of_misp_goes_page_by_page_with_its_key_and_on_from_the_newest() {
    let place = Place::new().await;
    let page = |from: usize, count: usize| {
        let events: Vec<Json> = (from..from + count)
            .map(|n| {
                event(
                    &format!("7e2e2d2b-17d4-4cbf-938f-{n:012}"),
                    "x",
                    &[("domain", &format!("bad{n}.example.com"), true)],
                )
            })
            .collect();
        document(&json!({ "response": events }))
    };
    place.serve("/events/restsearch", vec![page(0, 50), page(50, 3), page(0, 0)]);
    let source = place.source("misp", "/events/restSearch", json!({})).await;
    let account = place.fetch(source).await;
    assert_eq!((account.rows, account.trouble), (53, None));
    assert_eq!(account.cursor.as_deref(), Some("1767225600,1,0"));
    place.fetch(source).await;
    let asked = place.asked();
    assert!(
        asked[1].contains("\"page\":2") && asked[2].contains("\"publish_timestamp\":1767225600"),
        "{asked:?}"
    );
    assert_eq!(place.rows(source).await, 53);
}

const TAXII: &str = "200 OK\r\ncontent-type: application/taxii+json;version=2.1";

fn taxii(more: &str, body: &Json) -> Vec<u8> {
    answer(&format!("{TAXII}{more}"), body.to_string().as_bytes())
}

#[tokio::test]
async fn from_discovery_to_the_last_page_with_credentials_and_on_from_there() {
    let place = Place::new().await;
    let roots = json!({ "title": "x", "default": "/api1/", "api_roots": ["/api1/"] });
    let collections = json!({ "collections": [
        { "id": "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "title": "High", "can_read": true, "can_write": false },
        { "id": "52892447-4d7e-4f70-b94d-d7f22742ff63", "title": "Secret", "can_read": false, "can_write": true },
    ] });
    let base = "/api1/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/objects/";
    let page = |n: u32, more: bool| {
        let mut body = json!({ "more": more, "objects": [indicator(n, &format!("[domain-name:value = 'bad{n}.example.com']"))] });
        if more {
            body["next"] = json!("page2");
        }
        taxii(&format!("\r\nx-taxii-date-added-last: 2026-01-0{n}T00:00:00.000000Z"), &body)
    };
    place.serve(
        "/taxii2/",
        vec![
            answer("401 Unauthorized\r\nwww-authenticate: basic", b""),
            taxii("", &roots),
            taxii("", &roots),
            taxii("", &roots),
            taxii("", &roots),
        ],
    );
    place.serve("/api1/collections/", vec![taxii("", &collections); 4]);
    place.serve(
        base,
        vec![
            page(1, true),
            page(2, false),
            taxii("", &json!({ "more": false })),
            answer("503 x\r\nretry-after: 0", b""),
            page(3, false),
        ],
    );
    let source = place.source("taxii", "/taxii2/", json!({})).await;
    let trouble = place.fetch(source).await.trouble.expect("no credentials");
    assert!(trouble.en.contains("401"), "{trouble:?}");
    let secret = [("user", "guest"), ("password", "p@ss")];
    assert_eq!(
        place.send("officer", &format!("/intelligence/sources/{source}/secret"), &secret).await,
        303
    );
    let account = place.fetch(source).await;
    assert_eq!((account.rows, &account.trouble), (2, &None));
    assert_eq!(account.cursor.as_deref(), Some("2026-01-02T00:00:00.000000Z"));
    let asked = place.asked();
    assert!(
        asked[1..].iter().all(|asked| asked.contains("authorization: basic z3vlc3q6cebzcw==")),
        "{asked:?}"
    );
    assert!(
        asked[1..].iter().all(|asked| asked.contains("accept: application/taxii+json;version=2.1"))
    );
    let received = place.of_type(inbox::RECEIVED).await;
    assert_eq!(received.len(), 1);
    place.fetch(source).await;
    assert!(
        place
            .asked()
            .last()
            .is_some_and(|asked| asked.contains("added_after=2026-01-02t00%3a00%3a00.000000z"))
    );
    assert_eq!(place.of_type(inbox::RECEIVED).await.len(), 1, "nothing came");
    let account = place.fetch(source).await;
    assert_eq!((account.rows, account.trouble), (3, None), "it was asked again");

    // Taken back by its producer.
    let mut gone = indicator(3, "[domain-name:value = 'bad3.example.com']");
    gone["revoked"] = json!(true);
    place.serve("/taxii2/", vec![taxii("", &roots); 3]);
    place.serve("/api1/collections/", vec![taxii("", &collections); 3]);
    place.serve(
        base,
        vec![taxii(
            "\r\nx-taxii-date-added-last: 2026-01-04T00:00:00.000000Z",
            &json!({ "more": false, "objects": [gone] }),
        )],
    );
    place.fetch(source).await;
    let feeds = crate::work::feeds::rows::feeds(&place.house).await.expect("feeds");
    let rows = feeds.page(0, i64::MIN, 10).await.expect("rows");
    assert_eq!(
        rows.iter().filter(|row| row.revoked).map(|row| row.value.as_str()).collect::<Vec<_>>(),
        ["bad3.example.com"]
    );
}

#[tokio::test]
async fn what_a_taxii_server_may_do_wrong_is_said() {
    let place = Place::new().await;
    let collection = "/api1/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/";
    let objects = format!("{collection}objects/");
    let more = json!({ "more": true, "next": "same", "objects": [indicator(1, "[domain-name:value = 'a.example.com']")] });
    for (answers, words) in [
        (vec![taxii("", &more); 5], "circles"),
        (
            vec![answer(
                "404 Not Found",
                b"{\"title\":\"gone\",\"description\":\"no such collection\"}",
            )],
            "no such collection",
        ),
        (vec![taxii("", &json!([1]))], "envelope"),
        (vec![answer("406 Not Acceptable", b"")], "406"),
        (vec![answer("429 x\r\nretry-after: 3600", b"")], "3600"),
    ] {
        place.serve(&objects, answers);
        let source = place.source("taxii", collection, json!({})).await;
        let trouble = place.fetch(source).await.trouble.expect(words);
        assert!(trouble.en.contains(words), "{words}: {trouble:?}");
        assert_eq!(place.rows(source).await, 0);
    }
    let elsewhere = json!({ "title": "x", "api_roots": ["http://127.0.0.1:1/api1/"] });
    place.serve("/taxii2/", vec![taxii("", &elsewhere)]);
    let source = place.source("taxii", "/taxii2/", json!({})).await;
    let trouble = place.fetch(source).await.trouble.expect("refused");
    assert!(trouble.en.contains("another host"), "{trouble:?}");
    place.serve("/taxii2/", vec![plain("hello")]);
    let source = place.source("taxii", "/taxii2/", json!({})).await;
    let trouble = place.fetch(source).await.trouble.expect("refused");
    assert!(trouble.en.contains("no server of TAXII"), "{trouble:?}");
    let two = json!({ "collections": [
        { "id": "a", "title": "One", "can_read": true }, { "id": "b", "title": "Two", "can_read": true },
        { "id": "c", "title": "Three", "can_read": false },
    ] });
    place.serve("/api1/collections/", vec![taxii("", &two); 2]);
    let source = place.source("taxii", "/api1/collections/", json!({})).await;
    let trouble = place.fetch(source).await.trouble.expect("a choice");
    assert!(trouble.en.contains("One, Two"), "{trouble:?}");
    let source =
        place.source("taxii", "/api1/collections/", json!({ "collection": "Three" })).await;
    let trouble = place.fetch(source).await.trouble.expect("no right");
    assert!(trouble.en.contains("may not be read"), "{trouble:?}");
}

#[tokio::test]
async fn sources_are_entered_by_a_checked_form_and_shown_by_page_and_document() {
    let place = Place::new().await;
    let good = [
        ("name", "URLhaus"),
        ("format", "csv"),
        ("url", "https://feed.example.com/csv"),
        ("interval_min", "60"),
        ("rows_use", "alert"),
        ("use_reason", "よく保守されている"),
    ];
    let with = |name: &str, value: &'static str| -> Vec<(&'static str, &'static str)> {
        good.iter().map(|(n, v)| (*n, if *n == name { value } else { *v })).collect()
    };
    for (name, value) in [
        ("name", ""),
        ("format", "rss2"),
        ("url", "http://feed.example.com/"),
        ("url", "https://u:p@feed.example.com/"),
        ("interval_min", "0"),
        ("use_reason", ""),
        ("rows_use", "block"),
    ] {
        assert_eq!(
            place.send("officer", "/intelligence/sources", &with(name, value)).await,
            200,
            "{name}"
        );
    }
    let sources = || place.house.store.all(Table::Asset, &[inbox::SOURCE]);
    assert!(sources().await.expect("read").is_empty(), "nothing was entered");
    assert_eq!(place.send("officer", "/intelligence/sources", &good).await, 303);
    assert_eq!(sources().await.expect("read").len(), 1);
    assert_ne!(place.send("employee", "/intelligence/sources", &good).await, 303);
    let page = place.page("officer", "/intelligence/sources").await;
    assert!(page.contains("URLhaus") && page.contains("not fetched yet"), "{page}");
}
