//! Peers both ways over real servers: what they post, what they are given, probes, sightings; and the edges that
//! enforce the set.

use model::{Id, Table};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use store::{Record, Row};
use threat_intelligence::work::{
    channels, closing, edges, explain, past,
    peers::{
        login::{self, Login},
        probe, push, receive,
        sightings::{self, Form},
    },
    publish, share,
};

use crate::{
    findings::Place,
    intelligence::{noticed, paste, row},
};

const TO_PEERS_EVIL: &str = "<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.0.9 TCP_MISS/200 1234 CONNECT bad.peer.example:443 mika HIER_DIRECT/203.0.113.99 text/html";

async fn channel(place: &Place, with: Json) -> Row {
    let mut attributes = json!({
        "active": true, "protocol": "taxii", "tlp_ceiling": "amber", "agreement": "NDA",
        "agreement_end": "2030-01-01",
    });
    for (name, value) in with.as_object().unwrap() {
        attributes[name] = value.clone();
    }
    place.put_row(Table::Asset, channels::CHANNEL, attributes).await
}

async fn change(place: &Place, id: Id, name: &str, value: Json) {
    let mut row = row(place, Table::Asset, id).await;
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    if name == "tlp" {
        // A marking is lowered only with a signed decision about the row as it is.
        let new = place.store().new_id().unwrap();
        let mut lowered = Row::new(Table::Decision, new, "marking_downgrade", "x");
        lowered.status = "approved".into();
        (lowered.subject, lowered.subject_hash) = (Some(id), Some(row.content_hash().unwrap()));
        for (part, said) in [
            ("from", row.attributes["tlp"].clone()),
            ("to", value.clone()),
            ("signatures", json!([{"who": "officer"}])),
        ] {
            lowered.attributes.insert(part.into(), said);
        }
        write.put(lowered).await.unwrap();
    }
    row.attributes.insert(name.to_owned(), value);
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
}

/// A server with an item of four confirmed indicators.
async fn with_item(tlp: &str) -> (Place, Id) {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    place.confirm(&path).await;
    change(&place, id, "tlp", json!(tlp)).await;
    (place, id)
}

fn indicator(number: u8, value: &str, modified: &str) -> Json {
    json!({
        "type": "indicator", "spec_version": "2.1",
        "id": format!("indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd{number:02x}"),
        "created": "2026-01-01T00:00:00.000Z", "modified": modified,
        "pattern": format!("[domain-name:value = '{value}']"), "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    })
}

fn report(refs: &[&Json], modified: &str) -> Json {
    let refs: Vec<&Json> = refs.iter().map(|object| &object["id"]).collect();
    json!({
        "type": "report", "spec_version": "2.1",
        "id": "report--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd00",
        "created": "2026-01-01T00:00:00.000Z", "modified": modified, "name": "Wave of invoices",
        "description": "Mails with a link", "published": "2026-01-01T00:00:00Z", "object_refs": refs,
    })
}

struct Peer<'a> {
    place: &'a Place,
    row: Row,
    token: String,
}

impl Peer<'_> {
    async fn of(place: &Place) -> Peer<'_> {
        let row = channel(place, json!({})).await;
        let token = channels::renew_token(place.store(), row.id, "account:test").await.unwrap();
        Peer { place, row, token }
    }

    async fn post(&self, objects: &[Json]) -> Json {
        let path = format!(
            "/taxii2/ume/collections/{}/objects/",
            channels::collection(self.row.id, false)
        );
        let name = self.row.id.to_string();
        let body = Some(json!({ "objects": objects }));
        let who = Some((name.as_str(), self.token.as_str()));
        let (status, _, said) = self.place.taxii(Method::POST, &path, who, body).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        receive::run(self.place.ctx()).await.unwrap();
        said
    }

    async fn items(&self) -> Vec<Row> {
        let mut items = self.place.store().all(Table::Asset, &["intel_item"]).await.unwrap();
        items.retain(|item| item.attributes.get("channel") == Some(&json!(self.row.id)));
        items.sort_by_key(|item| item.id);
        items
    }
}

async fn published(place: &Place) -> Record {
    publish::round(place.ctx()).await.unwrap();
    place.of_type(publish::PUBLISHED).await.remove(0)
}

#[tokio::test]
async fn what_a_peer_posts_becomes_items_that_later_versions_change_and_revoke() {
    let (place, _) = noticed().await;
    place.round().await;
    let peer = Peer::of(&place).await;
    let first = indicator(1, "bad.peer.example", "2026-01-01T00:00:00.000Z");
    let second = indicator(2, "worse.peer.example", "2026-01-01T00:00:00.000Z");
    let mut hard = indicator(3, "x", "2026-01-01T00:00:00.000Z");
    hard["pattern"] =
        json!("[domain-name:value = 'a.example'] FOLLOWEDBY [url:value = 'http://b/']");
    let whole = report(&[&first, &second, &hard], "2026-01-01T00:00:00.000Z");
    peer.post(&[first.clone(), second.clone(), hard, whole]).await;
    let item = peer.items().await.pop().unwrap();
    assert_eq!(peer.items().await.len(), 1, "one report is one item");
    assert_eq!(item.name, "Wave of invoices");
    assert_eq!(item.attributes["indicators"], json!(["bad.peer.example", "worse.peer.example"]));
    // The report itself bears no mark: that of the unmarked is stricter.
    assert_eq!(item.attributes["tlp"], "amber");
    let received = place.of_type("threat_intelligence.intel_received").await;
    assert_eq!(
        received[0].facts["refused"].as_object().unwrap().len(),
        1,
        "told why: {received:?}"
    );

    // It waits for a verdict; then it is in force and its deed carries the channel.
    publish::round(place.ctx()).await.unwrap();
    assert!(place.of_type(publish::PUBLISHED).await.is_empty());
    place.act(&format!("/intelligence/{}", item.id)).await;
    place.later(5);
    assert_eq!(published(&place).await.facts["added"], 2);

    // The same once more, and an older version late: nothing.
    let late = indicator(1, "old.peer.example", "2025-01-01T00:00:00.000Z");
    peer.post(&[second.clone(), late]).await;
    assert_eq!(peer.items().await[0].version, row(&place, Table::Asset, item.id).await.version);
    assert_eq!(peer.items().await.len(), 1);

    // A new value does not slip into what was judged: it is an item that waits.
    let moved = indicator(1, "google.example", "2026-02-01T00:00:00.000Z");
    peer.post(&[moved]).await;
    let items = peer.items().await;
    assert_eq!(items.len(), 2);
    assert!(items[1].attributes.get("verdict").is_none());
    // What it said before it says no more.
    let next = published(&place).await;
    assert_eq!((&next.facts["added"], &next.facts["removed"]), (&json!(0), &json!(1)));

    // Revoked: out of the set, and said why.
    let mut gone = indicator(2, "worse.peer.example", "2026-03-01T00:00:00.000Z");
    gone["revoked"] = json!(true);
    peer.post(&[gone]).await;
    place.later(5);
    assert_eq!(published(&place).await.facts["removed"], 1);
    let said = explain::explain(
        place.store(),
        &place.served.house.folder().join(intel::FOLDER),
        "worse.peer.example",
    )
    .await
    .unwrap();
    assert_eq!(said[0].judged.verdict.state.as_str(), "revoked");
    assert_eq!(said[0].items[0].id, item.id);
    // After a revocation there are no later versions.
    peer.post(&[indicator(2, "worse.peer.example", "2026-04-01T00:00:00.000Z")]).await;
    publish::round(place.ctx()).await.unwrap();
    let said = explain::explain(
        place.store(),
        &place.served.house.folder().join(intel::FOLDER),
        "worse.peer.example",
    )
    .await
    .unwrap();
    assert_eq!(said[0].judged.verdict.state.as_str(), "revoked");
}

#[tokio::test]
async fn a_deed_on_what_came_by_a_channel_names_the_channel_and_a_sighting_goes_back() {
    let (place, _) = noticed().await;
    place.round().await;
    let peer = Peer::of(&place).await;
    let theirs = indicator(1, "bad.peer.example", "2026-01-01T00:00:00.000Z");
    peer.post(std::slice::from_ref(&theirs)).await;
    let item = peer.items().await.remove(0);
    let path = format!("/intelligence/{}", item.id);
    place.act(&path).await;
    place.later(5);
    published(&place).await;
    place.round().await;
    place.come(&[TO_PEERS_EVIL]);
    place.round().await;
    for _ in 0..30 {
        monitoring::work::hunts::round(place.ctx()).await.unwrap();
        place.later(1);
    }
    closing::run(place.ctx()).await.unwrap();
    let closed = place.of_type("threat_intelligence.action_closed").await;
    assert_eq!(closed[0].facts["channel"], json!(peer.row.id));

    let proposed = sightings::proposed(place.store(), &peer.row).await.unwrap();
    assert_eq!(proposed.len(), 1, "{proposed:?}");
    assert_eq!((proposed[0].form, &json!(proposed[0].object)), (Form::Sighting, &theirs["id"]));
    let hub = format!("/intelligence/channels/{}", peer.row.id);
    let page = place.page("administrator", &hub).await;
    assert!(page.contains("bad.peer.example") && page.contains("<svg"));
    assert!(!place.page("auditor", &hub).await.contains("bad.peer.example"));
    let form = [("form", "sighting"), ("object", proposed[0].object.as_str())];
    assert_eq!(place.send("administrator", &format!("{hub}/say"), &form).await, 303);
    assert_eq!(place.send("administrator", &format!("{hub}/say"), &form).await, 404, "once");
    let objects = channels::objects(&place.served.house).await.unwrap();
    let given = channels::collection(peer.row.id, true);
    let laid = objects.after(&given, i64::MIN, 9).await.unwrap();
    let laid: Vec<Json> = laid.iter().map(|e| serde_json::from_slice(&e.bytes).unwrap()).collect();
    let said = laid.iter().find(|object| object["type"] == "sighting").unwrap();
    assert_eq!((&said["sighting_of_ref"], &said["count"]), (&theirs["id"], &json!(1)));
    let sent = place.of_type(sightings::SIGHTING).await;
    assert_eq!(
        (&sent[0].facts["direction"], &sent[0].facts["about"]),
        (&json!("sent"), &json!("theirs"))
    );
}

#[tokio::test]
async fn what_a_peer_saw_of_ours_is_recorded_and_what_is_no_object_of_ours_is_not() {
    let (place, id) = with_item("green").await;
    let peer = Peer::of(&place).await;
    let objects = channels::objects(&place.served.house).await.unwrap();
    let item = row(&place, Table::Asset, id).await;
    let house = &place.served.house;
    share::give(house, &objects, &peer.row, &item, "account:test").await.unwrap();
    let shared = place.of_type(share::SHARED).await;
    let ours = shared[0].facts["object"].clone();
    let said = |number: u8, of: &Json| {
        json!({
            "type": "sighting", "spec_version": "2.1",
            "id": format!("sighting--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd{number:02x}"),
            "created": "2026-02-01T00:00:00.000Z", "modified": "2026-02-01T00:00:00.000Z",
            "sighting_of_ref": of, "count": 3,
        })
    };
    let foreign = json!("indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cdff");
    let opinion = json!({
        "type": "opinion", "spec_version": "2.1",
        "id": "opinion--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd11",
        "created": "2026-02-01T00:00:00.000Z", "modified": "2026-02-01T00:00:00.000Z",
        "opinion": "strongly-disagree", "object_refs": [foreign, ours],
    });
    peer.post(&[said(1, &ours), said(2, &foreign), opinion]).await;
    let records = place.of_type(sightings::SIGHTING).await;
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(records.iter().all(|r| r.facts["about"] == "ours" && r.facts["object"] == ours));
    assert!(peer.items().await.is_empty(), "a sighting is no item");

    // What is taken back is a last version, and it is not given again.
    let all = objects.count(&channels::collection(peer.row.id, true)).await.unwrap();
    place.later(5);
    let gone = share::withdraw(house, &objects, &peer.row, &item, "account:test").await.unwrap();
    assert_eq!(gone as u64 + 1, all, "all but the mark");
    let again = share::give(house, &objects, &peer.row, &item, "account:test").await;
    assert!(matches!(again, Err(share::ShareError::Withdrawn)));
    let laid = objects.after(&channels::collection(peer.row.id, true), i64::MIN, 99).await.unwrap();
    let revoked =
        laid.iter().filter(|e| String::from_utf8_lossy(&e.bytes).contains("\"revoked\":true"));
    assert_eq!(revoked.count(), gone);
}

#[tokio::test]
async fn what_is_pushed_arrives_once_at_the_peers_server_and_both_sides_pass_their_probe() {
    let (ours, id) = with_item("green").await;
    let (theirs, _) = noticed().await;
    let peer = Peer::of(&theirs).await;
    let base = theirs.served.request(Method::GET, "/taxii2/").build().unwrap().url().to_string();
    let channel = channel(&ours, json!({ "address": base })).await;
    let refused = probe::probe(ours.store(), &channel).await.unwrap();
    assert!(refused.is_err_and(|why| why.contains("401")), "no login yet");
    assert!(probe::probe(theirs.store(), &peer.row).await.unwrap().is_err(), "nobody came yet");
    let login = Login { user: peer.row.id.to_string(), secret: peer.token.clone() };
    login::set(ours.store(), channel.id, &login, "account:test").await.unwrap();
    assert!(probe::probe(ours.store(), &channel).await.unwrap().is_ok());
    assert!(probe::probe(theirs.store(), &peer.row).await.unwrap().is_ok());
    let probed = ours.of_type(probe::PROBED).await;
    assert_eq!(
        (&probed[0].facts["passed"], &probed[1].facts["passed"]),
        (&json!(true), &json!(false))
    );

    let item = row(&ours, Table::Asset, id).await;
    let objects = channels::objects(&ours.served.house).await.unwrap();
    let preview = share::parcel(ours.store(), &channel, &item).await.unwrap().objects;
    let done = share::give(&ours.served.house, &objects, &channel, &item, "account:test").await;
    assert_eq!(done.unwrap(), share::Given::Queued);
    assert!(ours.of_type(share::SHARED).await.is_empty(), "nothing was given yet");

    // The process dies after the POST: the peer has it, and here it still waits.
    let to =
        format!("/taxii2/ume/collections/{}/objects/", channels::collection(peer.row.id, false));
    let name = peer.row.id.to_string();
    let who = Some((name.as_str(), peer.token.as_str()));
    theirs.taxii(Method::POST, &to, who, Some(json!({ "objects": preview }))).await;
    push::run(ours.ctx()).await.unwrap();
    assert_eq!(push::waiting(ours.store()).await.unwrap(), []);
    let shared = ours.of_type(share::SHARED).await;
    let accepted = ours.of_type(channels::ACCEPTED).await;
    assert_eq!((shared.len(), accepted.len()), (preview.len() - 1, preview.len() - 1));
    assert!(
        accepted
            .iter()
            .all(|r| r.facts["proof"] == "taxii_success" && r.facts["own_object"] == true)
    );
    let kept = channels::objects(&theirs.served.house).await.unwrap();
    let there = kept.after(&channels::collection(peer.row.id, false), i64::MIN, 99).await.unwrap();
    let there: Vec<Json> =
        there.iter().map(|e| serde_json::from_slice(&e.bytes).unwrap()).collect();
    assert_eq!(there, preview, "the peer has what the preview showed, once");

    // Given again, it is the same: no second record.
    share::give(&ours.served.house, &objects, &channel, &item, "account:test").await.unwrap();
    push::run(ours.ctx()).await.unwrap();
    assert_eq!(ours.of_type(share::SHARED).await.len(), shared.len());

    // The marking of the moment it is sent decides.
    share::give(&ours.served.house, &objects, &channel, &item, "account:test").await.unwrap();
    change(&ours, id, "tlp", json!("red")).await;
    push::run(ours.ctx()).await.unwrap();
    assert_eq!(ours.of_type("threat_intelligence.tlp_refused").await.len(), 1);
    assert_eq!(push::waiting(ours.store()).await.unwrap(), []);
}

#[tokio::test]
async fn a_dead_peer_is_tried_again_and_given_up_with_a_task() {
    let (place, id) = with_item("clear").await;
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let address = format!("http://127.0.0.1:{port}/taxii2/");
    let channel = channel(&place, json!({ "address": address })).await;
    let item = row(&place, Table::Asset, id).await;
    let objects = channels::objects(&place.served.house).await.unwrap();
    share::give(&place.served.house, &objects, &channel, &item, "account:test").await.unwrap();
    push::run(place.ctx()).await.unwrap();
    let waits = push::waiting(place.store()).await.unwrap().remove(0);
    assert!(waits.tries == 1 && !waits.why.is_empty(), "{waits:?}");
    push::run(place.ctx()).await.unwrap();
    assert_eq!(push::waiting(place.store()).await.unwrap()[0].tries, 1, "not before its time");
    let place = place.restarted().await;
    place.later(180);
    push::run(place.ctx()).await.unwrap();
    assert_eq!(push::waiting(place.store()).await.unwrap()[0].tries, 2, "it outlives the process");
    place.later(73 * 3_600);
    push::run(place.ctx()).await.unwrap();
    assert_eq!(push::waiting(place.store()).await.unwrap(), []);
    let expired = place.of_type(push::EXPIRED).await;
    assert_eq!((expired.len(), &expired[0].facts["tries"]), (1, &json!(2)));
    let tasks = place.store().rows_about(Table::Task, &[channel.id]).await.unwrap();
    assert_eq!((tasks.len(), tasks[0].status.as_str()), (1, "open"));
}

#[tokio::test]
async fn no_word_of_the_victim_leaves_with_the_attack_part_and_a_rule_gives_the_whole_after_two_persons()
 {
    let (place, id) = with_item("green").await;
    let words = ["青梅商事", "八百万円の被害", "食品卸", "六月二日に発覚"];
    let fields = ["victim_organisation", "victim_damage", "victim_sector", "timeline"];
    for (field, word) in fields.iter().zip(words) {
        change(&place, id, field, json!(word)).await;
    }
    let peer = Peer::of(&place).await;
    let objects = channels::objects(&place.served.house).await.unwrap();
    let item = row(&place, Table::Asset, id).await;
    let house = &place.served.house;
    share::give(house, &objects, &peer.row, &item, "account:one").await.unwrap();
    let sent = || async {
        let given = channels::collection(peer.row.id, true);
        let all = objects.after(&given, i64::MIN, 99).await.unwrap();
        all.iter().map(|e| String::from_utf8_lossy(&e.bytes).into_owned()).collect::<String>()
    };
    let text = sent().await;
    assert!(text.contains("evil-parts.example"));
    for word in words.iter().chain([&item.name.as_str()]) {
        assert!(!text.contains(word), "{word}");
    }
    let rule = json!({
        "channel": peer.row.id, "part": "whole", "tlp_ceiling": "green", "needs_approval": true,
    });
    place.put("intel_sharing", rule).await;
    let give = async |actor| share::give(house, &objects, &peer.row, &item, actor).await.unwrap();
    assert_eq!(give("account:one").await, share::Given::Asked);
    assert_eq!(give("account:one").await, share::Given::Asked, "one person alone gives nothing");
    assert!(!sent().await.contains(words[0]));
    assert!(matches!(give("account:two").await, share::Given::Laid(_)));
    let text = sent().await;
    assert!(words.iter().all(|word| text.contains(word)));
    let shared = place.of_type(share::SHARED).await;
    assert_eq!(shared[0].facts["redaction"], "none");
}

/// Runs the check as often as it needs to come to a word on the edges.
async fn checked(place: &Place, is_edge_alive: bool) -> Record {
    let before = place.of_type(edges::CHECKED).await.len();
    place.later(6 * 3_600 + 1);
    edges::run(place.ctx()).await.unwrap();
    if is_edge_alive {
        place.round().await;
    }
    place.later(11 * 60);
    edges::run(place.ctx()).await.unwrap();
    let all = place.of_type(edges::CHECKED).await;
    assert_eq!(all.len(), before + 1);
    all.into_iter().next().unwrap()
}

#[tokio::test]
async fn the_canary_is_met_on_the_way_of_events_and_an_edge_that_is_cut_off_fails() {
    let (place, source) = noticed().await;
    place.round().await;
    let (path, _) = paste(&place, source.id).await;
    place.confirm(&path).await;
    place.act(&path).await;
    place.later(5);
    let first = published(&place).await;
    edges::run(place.ctx()).await.unwrap();
    let second = published(&place).await;
    assert_eq!(second.facts["added"], 1, "the canary is a row of every set from now on");
    place.round().await;
    let findings = place.found().await.len();
    let good = checked(&place, true).await;
    assert_eq!(good.facts["edge"], "monitoring");
    assert_eq!(good.facts["root"], second.facts["root"]);
    let outcome = |record: &Record| {
        let fact = |name: &str| record.facts[name].clone();
        (fact("root_current"), fact("invalid_enforced"), fact("canary_refused"))
    };
    assert_eq!(outcome(&good), (json!(true), json!(0), json!(true)));
    assert_eq!(place.found().await.len(), findings, "a test is no finding");

    // A false positive, taken out by a person: what the edge still holds is wrong until the next set is applied.
    let form = [("value", "203.0.113.77"), ("reason", "shared host"), ("expires", "2020-01-01")];
    assert_eq!(place.send("administrator", "/intelligence/explain", &form).await, 400);
    let day = place.store().now().rfc3339()[..10].to_owned();
    let form = [("value", "203.0.113.77"), ("reason", "shared host"), ("expires", day.as_str())];
    assert_eq!(place.send("auditor", "/intelligence/explain", &form).await, 403);
    let page = place.page("administrator", "/intelligence/explain?value=203.0.113.77").await;
    assert!(page.contains("/intelligence/") && page.contains("203.0.113.77"));
    let until = place.store().now().plus_hours(24 * 30).rfc3339()[..10].to_owned();
    let form = [("value", "203.0.113.77"), ("reason", "shared host"), ("expires", until.as_str())];
    assert_eq!(place.send("administrator", "/intelligence/explain", &form).await, 303);
    assert_eq!(place.of_type(explain::DECIDED).await[0].facts["state"], "excluded");
    assert_eq!(outcome(&checked(&place, true).await), (json!(true), json!(1), json!(true)));
    let third = published(&place).await;
    // Its row stays, for the time behind the exclusion; until then it is met by nothing.
    assert_ne!(third.facts["root"], second.facts["root"]);
    place.later(61);
    let cut = checked(&place, false).await;
    assert_eq!(outcome(&cut).0, json!(false), "it works by the set before");
    assert_eq!(outcome(&cut).2, json!(false), "and meets nothing");
    place.round().await;
    assert_eq!(outcome(&checked(&place, true).await), (json!(true), json!(0), json!(true)));
    place.come(&["<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://other.example/ mika HIER_DIRECT/203.0.113.77 text/html"]);
    place.round().await;
    assert_eq!(place.found().await.len(), findings, "what was taken out is not met");

    // Any set of the past can be made again.
    let sets = place.served.house.folder().join(intel::FOLDER);
    let names = netname::Names::shipped();
    for record in [first, second, third] {
        let root = record.facts["root"].as_str().unwrap();
        let kept = past::find(&sets, root).unwrap();
        assert_eq!(past::rebuild(&sets, &kept, &names).unwrap(), root);
    }
}

/// What stands for a MISP here: it checks the key, keeps events by UUID, and loses its first answer.
async fn misp() -> (String, std::sync::Arc<std::sync::Mutex<Vec<Json>>>) {
    use axum::{
        Json as Body, Router,
        extract::{Path, State},
        http::{HeaderMap, StatusCode},
        routing::{get, post},
    };
    type Kept = std::sync::Arc<std::sync::Mutex<Vec<Json>>>;
    fn uuid(event: &Json) -> &str {
        event["Event"]["uuid"].as_str().unwrap_or_default()
    }
    async fn version(headers: HeaderMap) -> (StatusCode, Body<Json>) {
        match headers.get("authorization").is_some_and(|key| key == "the-key") {
            true => (StatusCode::OK, Body(json!({ "version": "2.5.0" }))),
            false => (StatusCode::FORBIDDEN, Body(json!({ "message": "no" }))),
        }
    }
    async fn add(State(kept): State<Kept>, Body(event): Body<Json>) -> (StatusCode, Body<Json>) {
        let mut kept = kept.lock().unwrap();
        if kept.iter().any(|known| uuid(known) == uuid(&event)) {
            return (StatusCode::FORBIDDEN, Body(json!({ "message": "Event already exists" })));
        }
        kept.push(event);
        (StatusCode::BAD_GATEWAY, Body(json!({})))
    }
    async fn view(State(kept): State<Kept>, Path(id): Path<String>) -> (StatusCode, Body<Json>) {
        match kept.lock().unwrap().iter().find(|known| uuid(known) == id) {
            Some(event) => (StatusCode::OK, Body(event.clone())),
            None => (StatusCode::NOT_FOUND, Body(json!({}))),
        }
    }
    let kept = Kept::default();
    let router = Router::new()
        .route("/servers/getVersion", get(version))
        .route("/events/add", post(add))
        .route("/events/view/{id}", get(view))
        .with_state(kept.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, kept)
}

#[tokio::test]
async fn an_event_goes_to_a_misp_once_though_its_answer_is_lost() {
    let (place, id) = with_item("green").await;
    change(&place, id, "victim_organisation", json!("青梅商事")).await;
    let (address, kept) = misp().await;
    let channel = channel(&place, json!({ "protocol": "misp", "address": address })).await;
    let login = |secret: &str| Login { user: String::new(), secret: secret.to_owned() };
    login::set(place.store(), channel.id, &login("wrong"), "account:test").await.unwrap();
    assert!(probe::probe(place.store(), &channel).await.unwrap().is_err());
    login::set(place.store(), channel.id, &login("the-key"), "account:test").await.unwrap();
    assert_eq!(probe::probe(place.store(), &channel).await.unwrap(), Ok("MISP 2.5.0".to_owned()));
    let name = format!("threat_intelligence.channel_login:{}", channel.id);
    let sealed = place.store().setting(&name);
    assert!(!sealed.await.unwrap().unwrap().contains("the-key"), "a key is sealed");

    let item = row(&place, Table::Asset, id).await;
    let objects = channels::objects(&place.served.house).await.unwrap();
    share::give(&place.served.house, &objects, &channel, &item, "account:test").await.unwrap();
    push::run(place.ctx()).await.unwrap();
    // It was stored, the answer said otherwise: what is there counts.
    let accepted = place.of_type(channels::ACCEPTED).await;
    assert!(accepted.len() >= 3 && accepted.iter().all(|r| r.facts["proof"] == "misp_200"));
    assert_eq!(push::waiting(place.store()).await.unwrap(), []);
    let kept = kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 1);
    let text = kept[0].to_string();
    assert!(text.contains("evil-parts.example") && !text.contains("青梅商事"));
    assert!(!text.contains(item.name.as_str()));
    let limits = indicators::misp::Limits::default();
    assert!(indicators::misp::read_event(text.as_bytes(), &limits).is_ok());
}

#[tokio::test]
async fn who_knocks_too_often_is_told_when_to_come_again() {
    let served = crate::served::Served::start(5).await;
    let knock = async || served.request(Method::GET, "/taxii2/").send().await.unwrap();
    for _ in 0..5 {
        assert_eq!(knock().await.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = knock().await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.headers()["content-type"], "application/taxii+json;version=2.1");
    assert_eq!(answer.json::<Json>().await.unwrap()["http_status"], "429");
}
