//! Ways out for indicators and items: real server, real set, real tokens; and whom a marking shuts out.

use indicators::Kind;
use model::{Id, Table};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value as Json, json};
use store::Row;
use threat_intelligence::work::{
    channels,
    inbox::{self, Confirmed},
    misp, outlets, publish, share,
    tlp::{changes, probe},
};

use crate::findings::Place;

async fn put(place: &Place, row: Row) -> Row {
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

/// An item judged "act" with confirmed values.
async fn item(place: &Place, name: &str, tlp: &str, values: &[(Kind, &str)]) -> Row {
    let store = place.store();
    let source = store.all(Table::Asset, &["intel_source"]).await.unwrap();
    let source = match source.first() {
        Some(source) => source.id,
        None => {
            let facts = json!({"active": true, "format": "hand", "interval_min": 60});
            place.put_row(Table::Asset, "intel_source", facts).await.id
        }
    };
    let mut row = Row::new(Table::Asset, store.new_id().unwrap(), inbox::ITEM, name);
    row.status = "active".to_owned();
    let facts = json!({
        "source": source, "received": "2026-11-29", "field": "technical", "tlp": tlp,
        "verdict": "act", "advice": "block",
    });
    row.attributes = facts.as_object().cloned().unwrap();
    let confirmed: Vec<Confirmed> = values
        .iter()
        .map(|(kind, value)| Confirmed {
            kind: *kind,
            value: (*value).to_owned(),
            direction: None,
            period: None,
        })
        .collect();
    let lines = inbox::lines(&row, &confirmed, store.now()).unwrap();
    let blob = inbox::keep(store, &lines, "account:test").await.unwrap();
    inbox::put_into(&mut row, &lines, &blob);
    put(place, row).await
}

async fn outlet(place: &Place, name: &str, facts: Json) -> (Row, String) {
    let mut row = Row::new(Table::Rule, place.store().new_id().unwrap(), outlets::OUTLET, name);
    row.status = "active".to_owned();
    row.schema_version = 2;
    row.attributes = facts.as_object().cloned().unwrap();
    let row = put(place, row).await;
    let token = outlets::renew_token(place.store(), &row, "account:test").await.unwrap();
    (row, token)
}

async fn place() -> Place {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let address = place.served.base.trim_start_matches("http://").parse().unwrap();
    place.served.house.kept.get::<web::Listening>().at(address);
    place
}

async fn fetch(place: &Place, path: &str, token: &str) -> (StatusCode, header::HeaderMap, String) {
    let answer = place.served.with(token, Method::GET, path).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn an_edge_fetches_what_may_be_blocked_and_may_leave_with_its_token_alone() {
    let place = place().await;
    let facts = json!({"form": "rpz", "tlp_ceiling": "green", "audience": "community", "token_required": true});
    let (row, token) = outlet(&place, "dns", facts).await;
    item(
        &place,
        "green",
        "green",
        &[(Kind::Domain, "evil.example"), (Kind::Url, "http://host.example/x")],
    )
    .await;
    item(&place, "amber", "amber", &[(Kind::Domain, "amber.example")]).await;
    publish::round(place.ctx()).await.unwrap();

    let (status, headers, zone) = fetch(&place, "/outlets/dns", &token).await;
    assert_eq!(status, 200);
    assert!(zone.contains("\nevil.example CNAME .\n"), "{zone}");
    for absent in ["amber.example", "host.example"] {
        assert!(!zone.contains(absent), "{zone}");
    }
    let refused =
        place.store().newest_records(&["threat_intelligence.tlp_refused"], None, 9).await.unwrap();
    assert_eq!((refused.len(), &refused[0].facts["tlp"]), (1, &json!("amber")));
    assert!(headers[header::CACHE_CONTROL].to_str().unwrap().starts_with("private, max-age="));

    // The same again costs nothing; HEAD tells the same; gzip is the same list.
    let tag = headers[header::ETAG].clone();
    let again = place.served.with(&token, Method::GET, "/outlets/dns");
    let again = again.header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let head = place.served.with(&token, Method::HEAD, "/outlets/dns").send().await.unwrap();
    assert_eq!((head.status(), &head.headers()[header::ETAG]), (StatusCode::OK, &tag));
    assert!(head.text().await.unwrap().is_empty());
    let packed = place.served.with(&token, Method::GET, "/outlets/dns");
    let packed = packed.header(header::ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
    let bytes = packed.bytes().await.unwrap();
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain)
        .unwrap();
    assert_eq!(plain, zone);

    // The serial rises with the content, and a token is what opens it.
    let serial = |zone: &str| -> u64 {
        let line = zone.lines().find(|line| line.contains(" SOA ")).unwrap();
        line.split(' ').nth(4).unwrap().parse().unwrap()
    };
    item(&place, "more", "clear", &[(Kind::Domain, "worse.example")]).await;
    publish::round(place.ctx()).await.unwrap();
    let (_, _, more) = fetch(&place, "/outlets/dns", &token).await;
    assert!(more.contains("worse.example") && serial(&more) > serial(&zone));
    let basic = place.served.request(Method::GET, "/outlets/dns");
    let basic = basic.basic_auth("anyone", Some(&token)).send().await.unwrap();
    assert_eq!(basic.status(), 200);
    for (path, token) in [("/outlets/dns", "0000"), ("/outlets/none", token.as_str())] {
        assert_eq!(fetch(&place, path, token).await.0, 401, "{path}");
    }
    let seen = outlets::fetched(place.store(), row.id).await.unwrap().unwrap();
    assert!(seen.by.starts_with("token ") && seen.from == "127.0.0.1");
    outlets::revoke_token(place.store(), &row, "account:test").await.unwrap();
    assert_eq!(fetch(&place, "/outlets/dns", &token).await.0, 401);
    // Guessing is made to wait.
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = fetch(&place, "/outlets/dns", "guess").await.0;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn without_a_token_an_outlet_opens_to_this_machine_alone_and_a_raised_marking_closes_at_once()
{
    let place = place().await;
    let facts = json!({"form": "list", "tlp_ceiling": "green", "audience": "community", "token_required": false, "kinds": ["domain"]});
    outlet(&place, "list", facts).await;
    let row = item(
        &place,
        "green",
        "green",
        &[(Kind::Domain, "evil.example"), (Kind::Ip, "203.0.113.7")],
    )
    .await;
    publish::round(place.ctx()).await.unwrap();
    let get = async || {
        place
            .served
            .request(Method::GET, "/outlets/list")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert_eq!(get().await, "evil.example\n");
    let mut raised = row;
    raised.attributes.insert("tlp".into(), json!("red"));
    put(&place, raised).await;
    assert_eq!(get().await, "", "the set is the same, the marking is not");
}

#[tokio::test]
async fn a_row_that_ends_drops_out_of_the_list_though_no_new_set_came() {
    let place = place().await;
    let facts = json!({"form": "list", "tlp_ceiling": "clear", "audience": "public", "token_required": false});
    outlet(&place, "list", facts).await;
    item(&place, "clear", "clear", &[(Kind::Domain, "evil.example")]).await;
    publish::round(place.ctx()).await.unwrap();
    let get = async || {
        place
            .served
            .request(Method::GET, "/outlets/list")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert_eq!(get().await, "evil.example\n");
    // Behind the default life of a name.
    place.later(200 * 86_400);
    assert_eq!(get().await, "");
}

#[tokio::test]
async fn the_probe_asks_every_level_over_http_and_a_way_out_that_leaks_is_told() {
    let place = place().await;
    let facts = |form: &str| json!({"form": form, "tlp_ceiling": "amber", "audience": "clients", "token_required": true});
    let mut ids = Vec::new();
    for form in ["list", "csv", "rpz", "squid", "hsb", "taxii", "misp"] {
        ids.push(outlet(&place, form, facts(form)).await.0);
    }
    let pdf = outlet(&place, "pdf", facts("pdf")).await.0;
    probe::run(place.ctx()).await.unwrap();
    for row in &ids {
        let records =
            place.store().newest_records(&[probe::PROBED], Some(row.id), 9).await.unwrap();
        assert_eq!(records[0].facts["levels_probed"], 5, "{}", row.name);
        assert_eq!(records[0].facts["leaks"], 0, "{}", row.name);
        let matrix = probe::matrix(place.store(), row.id).await.unwrap().unwrap();
        let shown: Vec<bool> = matrix.cells.iter().map(|cell| cell.is_shown).collect();
        assert_eq!(shown, [true, true, true, false, false], "{}", row.name);
        let how =
            if ["taxii", "misp"].contains(&row.name.as_str()) { "in_process" } else { "http" };
        assert!(matrix.cells.iter().all(|cell| cell.how == how), "{matrix:?}");
    }
    // What no probe can ask yet is not passed.
    let records = place.store().newest_records(&[probe::PROBED], Some(pdf.id), 9).await.unwrap();
    assert_eq!(records[0].facts["levels_probed"], 0);
    // Nothing of it is in the list that an edge gets.
    let token = outlets::renew_token(place.store(), &ids[0], "account:test").await.unwrap();
    assert_eq!(fetch(&place, "/outlets/list", &token).await.2, "");
    let page = place.page("administrator", "/intelligence/outlets").await;
    assert!(page.contains("withheld") && page.contains("not probed"));
    let one = place.page("administrator", &format!("/intelligence/outlets/{}", ids[2].id)).await;
    assert!(one.contains("response-policy") && one.contains("/outlets/rpz"));
}

impl Place {
    async fn sees(&self, role: &str, path: &str) -> (u16, String) {
        let browser = self.served.browser(role).await;
        let request = self.served.request(Method::GET, path);
        let answer = request.header(header::COOKIE, &browser.cookie).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

async fn named(place: &Place, id: Id, login: &str) {
    let mut row = place.store().row(Table::Asset, id).await.unwrap().unwrap();
    row.attributes.insert("named".into(), json!([login]));
    put(place, row).await;
}

#[tokio::test]
async fn red_is_there_for_the_named_alone_on_every_page_and_in_the_api() {
    let place = place().await;
    let red = item(&place, "秘密裏の件 ultramarine", "red", &[(Kind::Domain, "red.example")]).await;
    let strict =
        item(&place, "strict viridian", "amber_strict", &[(Kind::Domain, "strict.example")]).await;
    let paths = [
        format!("/intelligence/{}", red.id),
        format!("/row/asset/{}", red.id),
        format!("/intelligence/{}/marking", red.id),
        format!("/api/v1/assets/{}", red.id),
        format!("/api/v1/assets/{}/history", red.id),
    ];
    // While it names nobody, who judges sees it and can name.
    assert_eq!(place.sees("officer", &paths[0]).await.0, 200);
    assert_eq!(place.sees("executive", &paths[0]).await.0, 404);
    named(&place, red.id, "officer").await;
    for path in &paths {
        assert_eq!(place.sees("officer", path).await.0, 200, "{path}");
        for role in
            ["administrator", "executive", "risk_owner", "auditor", "department", "employee"]
        {
            let (status, text) = place.sees(role, path).await;
            assert!(status == 404 || status == 403, "{role} {path}: {status}");
            assert!(!text.contains("ultramarine"), "{role} {path}");
        }
    }
    let lists = [
        "/intelligence",
        "/register/asset/intel_item",
        "/search?q=ultramarine",
        "/search?q=viridian",
        "/api/v1/assets?kind=intel_item",
        "/api/v1/threat_intelligence/items",
        "/api/v1/threat_intelligence/indicators",
        "/intelligence/channels",
    ];
    for path in lists {
        let (_, own) = place.sees("administrator", path).await;
        // A search shows what was asked for.
        let is_said = own.contains("ultramarine") && !path.contains("ultramarine");
        assert!(!is_said && !own.contains("秘密裏") && !own.contains("red.example"), "{path}");
        let (_, outside) = place.sees("auditor", path).await;
        for word in ["ultramarine", "red.example", "viridian", "strict.example"] {
            let is_question = path.contains(word);
            assert!(is_question || !outside.contains(word), "{path}: {word}");
        }
    }
    let (_, shown) = place.sees("administrator", "/register/asset/intel_item").await;
    assert!(shown.contains("viridian"), "what is for the organisation is there for it");
    // A set's rows name no item that is closed.
    publish::round(place.ctx()).await.unwrap();
    let folder = place.served.house.folder().join("indicators");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "uix") {
            let bytes = std::fs::read(&path).unwrap();
            let has = |word: &str| bytes.windows(word.len()).any(|at| at == word.as_bytes());
            assert!(!has("ultramarine") && !has("viridian"));
        }
    }
    let _ = strict;
}

#[tokio::test]
async fn a_marking_is_raised_freely_and_lowered_by_nobody_alone() {
    let place = place().await;
    let row = item(&place, "green", "green", &[(Kind::Domain, "evil.example")]).await;
    let path = format!("/intelligence/{}/marking", row.id);
    let sent = [("to", "amber"), ("named", "")];
    assert_eq!(place.send("administrator", &path, &sent).await, 303);
    changes::round(place.ctx()).await.unwrap();
    changes::round(place.ctx()).await.unwrap();
    let changed = place.store().newest_records(&[changes::CHANGED], Some(row.id), 9).await.unwrap();
    assert_eq!(changed.len(), 1, "recorded once");
    assert_eq!(
        (&changed[0].facts["from"], &changed[0].facts["to"]),
        (&json!("green"), &json!("amber"))
    );
    // Whichever way it comes.
    assert_eq!(place.send("administrator", &path, &[("to", "green"), ("named", "")]).await, 403);
    let token = place.served.token("officer").await;
    let now = place.store().row(Table::Asset, row.id).await.unwrap().unwrap();
    let mut attributes = now.attributes.clone();
    attributes.insert("tlp".into(), json!("green"));
    let url = format!("/api/v1/assets/{}", row.id);
    let request = place.served.with(&token, Method::PATCH, &url);
    let request = request.header(header::IF_MATCH, format!("\"{}\"", now.version));
    let body = json!({"attributes": attributes});
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 403, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn a_peer_searches_views_and_adds_events_and_sends_sightings() {
    let place = place().await;
    let facts = json!({"active": true, "protocol": "taxii", "tlp_ceiling": "green", "agreement": "ISAC", "agreement_end": "2030-01-01"});
    let channel = place.put_row(Table::Asset, channels::CHANNEL, facts).await;
    let key = channels::renew_token(place.store(), channel.id, "account:test").await.unwrap();
    let objects = channels::objects(&place.served.house).await.unwrap();
    let row = item(&place, "green", "green", &[(Kind::Domain, "evil.example")]).await;
    share::give(&place.served.house, &objects, &channel, &row, "account:test").await.unwrap();
    let base = format!("/misp/{}", channel.id);
    let ask = async |method: Method, path: &str, key: &str, body: Option<Json>| {
        let mut request = place.served.request(method, &format!("{base}/{path}"));
        request = request.header(header::AUTHORIZATION, key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str::<Json>(&text).unwrap_or(Json::String(text)))
    };
    let (status, closed) = ask(Method::GET, "servers/getVersion", "wrong", None).await;
    assert_eq!((status, closed["url"].as_str()), (403, Some("/servers/getVersion")));
    assert_eq!(ask(Method::GET, "servers/getVersion", &key, None).await.0, 200);
    let (_, found) =
        ask(Method::POST, "events/restSearch", &key, Some(json!({"value": "evil.example"}))).await;
    let event = &found["response"][0]["Event"];
    let uuid = event["uuid"].as_str().unwrap();
    assert_eq!(event["Attribute"][0]["value"], "evil.example");
    let (_, manifest) = ask(Method::GET, "manifest.json", &key, None).await;
    assert!(manifest.get(uuid).is_some());
    let (status, viewed) = ask(Method::GET, &format!("{uuid}.json"), &key, None).await;
    assert_eq!((status, &viewed["Event"]["uuid"]), (200, &event["uuid"]));
    let sighting = json!({"value": "evil.example", "type": "0"});
    assert_eq!(ask(Method::POST, "sightings/add", &key, Some(sighting)).await.0, 200);
    let seen =
        place.store().newest_records(&["threat_intelligence.sighting"], None, 9).await.unwrap();
    assert_eq!((seen.len(), &seen[0].facts["about"]), (1, &json!("ours")));
    let unknown = json!({"value": "nobody.example"});
    assert_eq!(ask(Method::POST, "sightings/add", &key, Some(unknown)).await.0, 404);

    let posted = json!({"Event": {"uuid": "5f1f2b1c-3d64-4b1e-9a44-0a1b2c3d4e5f", "info": "x", "timestamp": "1795600000",
        "Attribute": [{"uuid": "0d9d5f0e-9f53-4f53-8a3a-8a7b2e8d0c11", "type": "ip-dst", "value": "203.0.113.9", "to_ids": true}]}});
    let (status, added) = ask(Method::POST, "events/add", &key, Some(posted.clone())).await;
    assert_eq!((status, &added["Event"]), (200, &posted["Event"]));
    let taken =
        objects.after(&channels::collection(channel.id, false), i64::MIN, 50).await.unwrap();
    assert!(
        taken.iter().any(|entry| String::from_utf8_lossy(&entry.bytes).contains("x_misp_event"))
    );
    let (status, wrong) = ask(Method::POST, "events/add", &key, Some(json!({"Event": {}}))).await;
    assert_eq!((status, wrong["saved"].as_bool()), (403, Some(false)));
    // Raised, it is there no more, over neither protocol.
    let mut raised = place.store().row(Table::Asset, row.id).await.unwrap().unwrap();
    raised.attributes.insert("tlp".into(), json!("red"));
    put(&place, raised).await;
    let (_, none) = ask(Method::POST, "events/restSearch", &key, Some(json!({}))).await;
    assert_eq!(none["response"], json!([]));
    let root =
        format!("/taxii2/ume/collections/{}/objects/", channels::collection(channel.id, true));
    let taxii = place.served.request(Method::GET, &root).basic_auth(channel.id, Some(&key));
    let taxii = taxii.header("accept", "application/taxii+json;version=2.1").send().await.unwrap();
    assert!(!taxii.text().await.unwrap().contains("evil.example"));
    let _ = misp::org(place.store()).await.unwrap();
}
