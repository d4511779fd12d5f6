//! From a confirmed notice to what is met in the logs, a task that closes itself, and a peer that fetches it over
//! TAXII 2.1.

use model::Table;
use monitoring::work::hunts;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use store::{Record, Row};
use threat_intelligence::work::{channels, closing, publish};

use crate::{
    findings::Place,
    intelligence::{fields, noticed, paste, row},
};

const TAXII: &str = "application/taxii+json;version=2.1";
const TO_EVIL: &str = "<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.0.9 TCP_MISS/200 1234 CONNECT cdn.evil-parts.example:443 mika HIER_DIRECT/203.0.113.77 text/html";

impl Place {
    pub(crate) async fn confirm(&self, path: &str) {
        let page = self.page("administrator", path).await;
        let fields = fields(&page);
        let sent: Vec<(&str, &str)> =
            fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(self.send("administrator", &format!("{path}/confirm"), &sent).await, 303);
    }

    pub(crate) async fn act(&self, path: &str) {
        let act = [("verdict", "act"), ("reason", "x"), ("advice", "y"), ("input-indicator", "1")];
        assert_eq!(self.send("administrator", &format!("{path}/triage"), &act).await, 303);
    }

    pub(crate) async fn of_type(&self, ty: &str) -> Vec<Record> {
        let records = self.store().newest_records(&[ty], None, 50).await.unwrap();
        let spec = threat_intelligence::SPEC.records.iter().find(|spec| spec.ty == ty).unwrap();
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records
    }

    pub(crate) async fn taxii(
        &self,
        method: Method,
        path: &str,
        who: Option<(&str, &str)>,
        body: Option<Json>,
    ) -> (StatusCode, reqwest::header::HeaderMap, Json) {
        let mut request = self.served.request(method, path).header("accept", TAXII);
        if let Some((name, token)) = who {
            request = request.basic_auth(name, Some(token));
        }
        if let Some(body) = body {
            request = request.header("content-type", TAXII).body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        (status, headers, serde_json::from_str(&text).unwrap_or_default())
    }
}

async fn channel(place: &Place, ceiling: &str) -> (Row, String) {
    let attributes = json!({
        "active": true, "protocol": "taxii", "tlp_ceiling": ceiling, "agreement": "ISAC",
        "agreement_end": "2030-01-01",
    });
    let row = place.put_row(Table::Asset, channels::CHANNEL, attributes).await;
    let token = channels::renew_token(place.store(), row.id, "account:test").await.unwrap();
    (row, token)
}

#[tokio::test]
async fn confirmed_indicators_are_met_in_the_logs_and_the_task_closes_by_the_deed() {
    let (place, source) = noticed().await;
    place.round().await;
    place.come(&[TO_EVIL]);
    place.round().await;
    place.served.stream.flush(place.store().now()).unwrap();
    let (path, id) = paste(&place, source.id).await;
    place.confirm(&path).await;
    publish::round(place.ctx()).await.unwrap();
    assert!(place.of_type(publish::PUBLISHED).await.is_empty(), "nothing is judged yet");
    place.act(&path).await;
    place.later(5);
    closing::run(place.ctx()).await.unwrap();
    let task = place.store().rows_about(Table::Task, &[id]).await.unwrap().remove(0);
    assert_eq!(task.status, "open", "nothing was done yet");

    publish::round(place.ctx()).await.unwrap();
    let published = place.of_type(publish::PUBLISHED).await;
    assert_eq!(published.len(), 1);
    assert!(published[0].facts["added"].as_u64().unwrap() >= 3, "{:?}", published[0].facts);
    publish::round(place.ctx()).await.unwrap();
    assert_eq!(place.of_type(publish::PUBLISHED).await.len(), 1, "the same is published once");
    place.round().await;
    for _ in 0..40 {
        hunts::round(place.ctx()).await.unwrap();
        place.later(1);
    }
    let met: Vec<Record> = place.found().await;
    let met = met.iter().filter(|f| f.facts["rule"].as_str().unwrap().starts_with("indicator:"));
    assert!(met.count() >= 1, "what went there before is found");

    closing::run(place.ctx()).await.unwrap();
    let task = row(&place, Table::Task, task.id).await;
    assert_eq!(task.status, "closed");
    let closed = place.of_type("threat_intelligence.action_closed").await.remove(0);
    let proof = closed.facts["proof"].as_str().unwrap();
    assert!(proof.contains("house.rules_applied") && proof.contains("monitoring.hunt_run"));

    // What people take out leaves the set, with their reason, until it ends.
    let out = json!({"value": "203.0.113.77", "reason": "誤検知", "expires": "2099-01-01"});
    place.put_row(Table::Rule, "indicator_exclusion", out).await;
    publish::round(place.ctx()).await.unwrap();
    let published = place.of_type(publish::PUBLISHED).await;
    assert_eq!((published.len(), &published[0].facts["removed"]), (2, &json!(1)));

    // The set before was applied and hunted with; this one was not yet.
    let mut open = task.clone();
    (open.id, open.status) = (place.store().new_id().unwrap(), "open".to_owned());
    open.version = 0;
    open.attributes.remove("closed_by");
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    let open = write.put(open).await.unwrap();
    write.commit().await.unwrap();
    let mut judged_before = false;
    for step in 0..3 {
        let out = json!({"value": format!("198.51.100.{}", 9 + step), "reason": "誤検知", "expires": "2099-01-01"});
        place.put_row(Table::Rule, "indicator_exclusion", out).await;
        place.later(5);
        publish::round(place.ctx()).await.unwrap();
        closing::run(place.ctx()).await.unwrap();
        judged_before |= row(&place, Table::Task, open.id).await.status == "closed";
    }
    assert!(!judged_before, "a set that nobody applied closes nothing");
}

#[tokio::test]
async fn a_peer_fetches_what_it_was_given_and_no_more_than_the_marking_permits() {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    place.confirm(&path).await;
    let (peer, token) = channel(&place, "green").await;
    let (other, other_token) = channel(&place, "green").await;
    let (name, other_name) = (peer.id.to_string(), other.id.to_string());
    let who = Some((name.as_str(), token.as_str()));

    for wrong in [None, Some((name.as_str(), "no")), Some((other_name.as_str(), token.as_str()))] {
        let (status, headers, _) = place.taxii(Method::GET, "/taxii2/", wrong, None).await;
        assert_eq!(status, 401);
        assert!(headers.contains_key("www-authenticate"));
    }
    let (status, headers, found) = place.taxii(Method::GET, "/taxii2/", who, None).await;
    assert_eq!((status.as_u16(), &found["api_roots"]), (200, &json!(["/taxii2/ume/"])));
    assert_eq!(headers["content-type"], TAXII);
    let (_, _, all) = place.taxii(Method::GET, "/taxii2/ume/collections/", who, None).await;
    assert_eq!(all["collections"].as_array().unwrap().len(), 2);
    let given = channels::collection(peer.id, true);
    let objects = format!("/taxii2/ume/collections/{given}/objects/");
    let (_, _, none) = place.taxii(Method::GET, &objects, who, None).await;
    assert_eq!(none, json!({"more": false}));

    // The notice is for the own organisation only.
    let give = format!("/intelligence/channels/{}/give", peer.id);
    let item = id.to_string();
    let form = [("item", item.as_str())];
    assert_eq!(place.send("administrator", &give, &form).await, 400);
    assert_eq!(place.of_type("threat_intelligence.tlp_refused").await.len(), 1);
    // It is lowered only with a signed decision about it as it is.
    let mut notice = row(&place, Table::Asset, id).await;
    let new = place.store().new_id().unwrap();
    let mut lowered = store::Row::new(Table::Decision, new, "marking_downgrade", "x");
    lowered.status = "approved".into();
    (lowered.subject, lowered.subject_hash) =
        (Some(notice.id), Some(notice.content_hash().unwrap()));
    for (name, value) in [
        ("from", notice.attributes["tlp"].clone()),
        ("to", json!("green")),
        ("signatures", json!([{"who": "officer"}])),
    ] {
        lowered.attributes.insert(name.into(), value);
    }
    notice.attributes.insert("tlp".into(), json!("green"));
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    write.put(lowered).await.unwrap();
    write.put(notice).await.unwrap();
    write.commit().await.unwrap();
    let page = place
        .page("administrator", &format!("{}/preview?item={item}", give.trim_end_matches("/give")))
        .await;
    let (_, seen) = page.split_once("<pre>").unwrap();
    let seen = seen.split_once("</pre>").unwrap().0;
    assert!(seen.contains("evil-parts") && !seen.contains("製造業"), "what the peer sees");
    assert_eq!(place.send("administrator", &give, &form).await, 303);
    let shared = place.of_type("threat_intelligence.shared").await.len();
    assert_eq!(place.send("administrator", &give, &form).await, 303);
    let again = place.of_type("threat_intelligence.shared").await.len();
    assert_eq!(again, shared, "what a peer has is given nothing twice");

    let (status, headers, first) =
        place.taxii(Method::GET, &format!("{objects}?limit=2"), who, None).await;
    assert_eq!(status, 200);
    assert!(headers.contains_key("x-taxii-date-added-last"));
    assert_eq!((first["objects"].as_array().unwrap().len(), &first["more"]), (2, &json!(true)));
    let next = first["next"].as_str().unwrap();
    let (_, _, rest) =
        place.taxii(Method::GET, &format!("{objects}?limit=2&next={next}"), who, None).await;
    assert!(!rest["objects"].as_array().unwrap().is_empty());
    let shared = place.of_type("threat_intelligence.shared").await;
    assert!(shared.len() >= 3 && shared[0].facts["tlp"] == "green");
    let accepted = place.of_type("threat_intelligence.peer_accepted").await;
    assert!(accepted.len() >= 3, "{}", accepted.len());

    // The other peer sees none of it, and not even that it is there.
    let other = Some((other_name.as_str(), other_token.as_str()));
    assert_eq!(place.taxii(Method::GET, &objects, other, None).await.0, 404);

    let received = channels::collection(peer.id, false);
    let inbox = format!("/taxii2/ume/collections/{received}/objects/");
    let object = json!({
        "type": "indicator", "spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "pattern": "[domain-name:value = 'bad.example']", "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z", "x_ours": "kept",
    });
    let body = json!({ "objects": [object] });
    assert_eq!(place.taxii(Method::GET, &inbox, who, None).await.0, 403, "it only writes there");
    let (status, _, said) = place.taxii(Method::POST, &inbox, who, Some(body.clone())).await;
    assert_eq!((status.as_u16(), &said["success_count"]), (202, &json!(1)));
    let path = format!("/taxii2/ume/status/{}/", said["id"].as_str().unwrap());
    assert_eq!(place.taxii(Method::GET, &path, who, None).await.0, 200);
    assert_eq!(place.taxii(Method::GET, &path, other, None).await.0, 404, "another's status");
    assert_eq!(
        place.taxii(Method::POST, &objects, who, Some(body)).await.0,
        403,
        "it only reads there"
    );
    let kept = channels::objects(&place.served.house).await.unwrap();
    let entries = kept.after(&received, i64::MIN, 9).await.unwrap();
    let text = String::from_utf8(entries[0].bytes.clone()).unwrap();
    assert!(entries.len() == 1 && text.contains("x_ours"), "{text}");

    let mut closed = row(&place, Table::Asset, peer.id).await;
    closed.attributes.insert("active".into(), json!(false));
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    write.put(closed).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(place.taxii(Method::GET, "/taxii2/", who, None).await.0, 401, "a closed channel");
}
