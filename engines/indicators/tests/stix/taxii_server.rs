//! The rules of the server, and paging while others write.

use indicators::taxii::{
    Collection, Context, Discovery, MEDIA_TYPE, Memory, Method, Reply, Request, Root, handle,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const COLLECTION: &str = "472c94ae-3113-4e3e-a4dd-a9f4ac7471d4";
pub const BASE: &str = "/taxii2/ti/";

pub struct Server {
    pub memory: Memory,
    pub context: Context,
    pub tolerant: bool,
}

impl Server {
    pub fn new() -> Server {
        let collection = |id: &str, can_read, can_write| Collection {
            id: id.into(),
            alias: None,
            title: "共有".into(),
            description: None,
            can_read,
            can_write,
        };
        let mut memory = Memory::default();
        let mut own = collection(COLLECTION, true, true);
        own.alias = Some("shared".into());
        let others = vec![
            own,
            collection("aaaa", true, false),
            collection("bbbb", false, true),
            collection("0000", false, false),
        ];
        memory.collections.insert("ti".into(), others);
        let root = Root {
            name: "ti".into(),
            title: "TI".into(),
            description: None,
            max_content_length: 5_000,
        };
        let context = Context {
            base: "/taxii2/".into(),
            discovery: Discovery { title: "Ume".into(), ..Discovery::default() },
            roots: vec![root],
            challenges: vec!["Basic realm=\"ti\"".into(), "Mutual".into()],
            key: [7; 32],
            page_max: 1_000,
            now: 1_767_225_600_000_000,
            fresh: [1; 16],
        };
        Server { memory, context, tolerant: false }
    }

    pub fn ask(&mut self, method: Method, path: &str, body: &str) -> Reply {
        self.as_who(Some("peer"), method, path, body)
    }

    fn as_who(&mut self, who: Option<&str>, method: Method, path: &str, body: &str) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method,
            path,
            query,
            accept: Some(MEDIA_TYPE),
            content_type: Some(MEDIA_TYPE),
            body: body.as_bytes(),
            who,
            tolerant: self.tolerant,
        };
        handle(&request, &mut self.memory, &self.context)
    }

    fn get(&mut self, below: &str) -> (u16, Value, Reply) {
        let path = if below.starts_with('/') { below.to_owned() } else { format!("{BASE}{below}") };
        let reply = self.ask(Method::Get, &path, "");
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default(), reply)
    }

    pub fn post(&mut self, objects: &[Value]) -> (u16, Value) {
        let body = json!({ "objects": objects }).to_string();
        let reply =
            self.ask(Method::Post, &format!("{BASE}collections/{COLLECTION}/objects/"), &body);
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    fn ids(&mut self, query: &str) -> Vec<String> {
        let (status, body, _) = self.get(&format!("collections/{COLLECTION}/objects/{query}"));
        assert_eq!(status, 200, "{query} {body}");
        list(&body, "objects")
            .iter()
            .map(|o| {
                format!(
                    "{} {}",
                    o["id"].as_str().unwrap_or("?"),
                    o["modified"].as_str().unwrap_or("-")
                )
            })
            .collect()
    }
}

fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

pub fn note(number: u32, day: u32) -> Value {
    json!({"type": "note", "spec_version": "2.1", "id": format!("note--{number:08}-0000-4000-8000-000000000000"),
        "modified": format!("2026-01-{day:02}T00:00:00.000Z"), "x_kept": "é"})
}

fn id(number: u32) -> String {
    note(number, 1)["id"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn nobody_gets_401_with_every_way_to_prove_oneself() {
    let reply = Server::new().as_who(None, Method::Get, "/taxii2/", "");
    assert_eq!(reply.status, 401);
    let ways: Vec<_> = reply
        .headers
        .iter()
        .filter(|(key, _)| *key == "WWW-Authenticate")
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(ways, ["Basic realm=\"ti\"", "Mutual"]);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["http_status"], "401");
    assert!(
        body["title"].is_string()
            && body["description"].is_string()
            && body["error_id"].is_string()
    );
}

#[test]
fn every_answer_is_of_taxii_2_1() {
    let mut server = Server::new();
    for path in
        ["/taxii2/", "/taxii2/ti/", "/taxii2/none/", "/taxii2/ti/collections/", "/elsewhere"]
    {
        let (_, _, reply) = server.get(path);
        assert_eq!(
            header(&reply, "Content-Type"),
            Some("application/taxii+json;version=2.1"),
            "{path}"
        );
    }
}

#[test]
fn accept_and_content_type_are_strict_unless_a_client_is_tolerated() {
    let mut server = Server::new();
    let path = format!("{BASE}collections/{COLLECTION}/objects/");
    for tolerant in [false, true] {
        let ask = |accept, content_type, method, memory: &mut Memory, context: &Context| {
            let request = Request {
                method,
                path: &path,
                query: "",
                accept,
                content_type,
                body: b"{\"objects\":[{}]}",
                who: Some("peer"),
                tolerant,
            };
            handle(&request, memory, context).status
        };
        let any = Some("application/json, text/plain, */*");
        let json = Some("application/json");
        let (m, c) = (&mut server.memory, &server.context);
        assert_eq!(ask(any, None, Method::Get, m, c), if tolerant { 200 } else { 406 });
        assert_eq!(
            ask(Some("application/taxii+json"), json, Method::Post, m, c),
            if tolerant { 202 } else { 415 }
        );
        assert_eq!(ask(Some("application/taxii+json;version=2.0"), None, Method::Get, m, c), 406);
        assert_eq!(ask(Some(MEDIA_TYPE), Some("text/xml"), Method::Post, m, c), 415);
    }
}

#[test]
fn discovery_root_and_collections_say_what_there_is() {
    let mut server = Server::new();
    let (_, discovery, _) = server.get("/taxii2/");
    assert_eq!(
        discovery,
        json!({"title": "Ume", "default": "/taxii2/ti/", "api_roots": ["/taxii2/ti/"]})
    );
    let (_, root, _) = server.get("");
    assert_eq!(
        (&root["versions"], &root["max_content_length"]),
        (&json!([MEDIA_TYPE]), &json!(5000))
    );
    let (_, collections, _) = server.get("collections/");
    let ids: Vec<_> =
        list(&collections, "collections").iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["0000", COLLECTION, "aaaa", "bbbb"], "by id, ascending");
    assert_eq!(server.get("collections/shared/").1["id"], COLLECTION, "an alias stands for the id");
}

#[test]
fn rights_decide_between_403_and_404() {
    let mut server = Server::new();
    for (path, method, status) in [
        ("collections/bbbb/objects/", Method::Get, 403),
        ("collections/bbbb/manifest/", Method::Get, 403),
        ("collections/aaaa/objects/", Method::Post, 403),
        ("collections/aaaa/objects/note--1/", Method::Delete, 403),
        ("collections/bbbb/objects/note--1/", Method::Delete, 403),
        ("collections/0000/objects/", Method::Get, 404),
        ("collections/0000/objects/", Method::Post, 404),
        ("collections/0000/", Method::Get, 200),
        ("collections/none/", Method::Get, 404),
        ("collections/aaaa/objects/note--1/", Method::Get, 404),
        ("collections/aaaa/objects/note--1/versions/", Method::Get, 404),
        ("status/none/", Method::Get, 404),
        ("none/", Method::Get, 404),
        ("collections/aaaa/objects", Method::Get, 404),
        ("collections/", Method::Post, 405),
        ("collections/aaaa/manifest/", Method::Delete, 405),
    ] {
        let reply = server.ask(method, &format!("{BASE}{path}"), "{\"objects\":[{}]}");
        assert_eq!(reply.status, status, "{method:?} {path}");
    }
    assert_eq!(server.get("/taxii2/none/").0, 404);
    let closed = server.get("collections/0000/").1;
    assert_eq!((&closed["can_read"], &closed["can_write"]), (&json!(false), &json!(false)));
}

#[test]
fn queries_are_read_strictly() {
    let mut server = Server::new();
    server.post(&[note(1, 1)]);
    for (query, status) in [
        ("?limit=0", 400),
        ("?limit=-1", 400),
        ("?limit=x", 400),
        ("?limit=99999999999", 200),
        ("?added_after=yesterday", 400),
        ("?match[version]=all,last", 400),
        ("?match[version]=odd", 400),
        ("?match[id]=a&match[id]=b", 400),
        ("?match%5Bid%5D=a&match[id]=b", 400),
        ("?match[odd]=a", 400),
        ("?next=forged", 400),
        ("?other=1", 200),
        ("?limit=%", 400),
        ("?match[type]=note&match[id]=x", 200),
    ] {
        let path = format!("collections/{COLLECTION}/objects/{query}");
        assert_eq!(server.get(&path).0, status, "{query}");
    }
}

#[test]
fn nothing_is_an_envelope_without_objects() {
    let mut server = Server::new();
    let (_, body, reply) = server.get("collections/aaaa/objects/");
    assert_eq!(body, json!({"more": false}));
    assert_eq!(header(&reply, "X-TAXII-Date-Added-First"), None);
}

#[test]
fn versions_are_chosen_by_name_or_moment_and_the_last_by_default() {
    let mut server = Server::new();
    server.post(&[note(1, 2), note(1, 3)]);
    server.post(&[note(1, 1), note(2, 5)]);
    let day = |d: u32| format!("{} 2026-01-{d:02}T00:00:00.000Z", id(1));
    let one = |q: &str| format!("?match[id]={}{q}", id(1));
    assert_eq!(server.ids(&one("")), [day(3)]);
    assert_eq!(server.ids(&one("&match[version]=first")), [day(1)]);
    assert_eq!(
        server.ids(&one("&match[version]=last,first")),
        [day(3), day(1)],
        "as they were added"
    );
    assert_eq!(server.ids(&one("&match[version]=all")), [day(2), day(3), day(1)]);
    assert_eq!(server.ids(&one("&match[version]=2026-01-02T00:00:00Z")), [day(2)]);
    assert_eq!(server.ids(&format!("?match[id]={},{}", id(1), id(2))).len(), 2);
    assert_eq!(server.ids("?match[type]=indicator"), [] as [String; 0]);
    let (_, versions, _) =
        server.get(&format!("collections/{COLLECTION}/objects/{}/versions/", id(1)));
    let expected: Vec<_> = [2, 3, 1].map(|d| format!("2026-01-{d:02}T00:00:00.000Z")).into();
    assert_eq!(versions, json!({"more": false, "versions": expected}));
}

#[test]
fn an_older_edition_of_stix_shows_only_when_asked_for() {
    let mut server = Server::new();
    let mut old = note(1, 1);
    old["spec_version"] = "2.0".into();
    server.post(&[old, note(1, 1)]);
    let (_, body, _) = server.get(&format!("collections/{COLLECTION}/objects/"));
    assert_eq!(
        list(&body, "objects").iter().map(|o| &o["spec_version"]).collect::<Vec<_>>(),
        ["2.1"]
    );
    let (_, body, _) =
        server.get(&format!("collections/{COLLECTION}/objects/?match[spec_version]=2.0"));
    assert_eq!(
        list(&body, "objects").iter().map(|o| &o["spec_version"]).collect::<Vec<_>>(),
        ["2.0"]
    );
}

#[test]
fn a_manifest_has_no_next_and_is_paged_by_time() {
    let mut server = Server::new();
    server.post(&(1..=5).map(|n| note(n, 1)).collect::<Vec<_>>());
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let (_, body, reply) =
            server.get(&format!("collections/{COLLECTION}/manifest/?limit=2{after}"));
        assert!(body.get("next").is_none());
        seen.extend(list(&body, "objects").iter().map(|r| r["id"].as_str().unwrap().to_owned()));
        if body["more"] == json!(false) {
            break;
        }
        after = format!("&added_after={}", header(&reply, "X-TAXII-Date-Added-Last").unwrap());
    }
    assert_eq!(seen, (1..=5).map(id).collect::<Vec<_>>());
}

#[test]
fn what_was_posted_is_told_to_its_poster_and_kept_as_it_came() {
    let mut server = Server::new();
    let mut other = note(1, 1);
    other["x_kept"] = "other".into();
    let (status, first) = server.post(&[
        note(1, 1),
        json!({"id": "note--x"}),
        json!({"type": "note", "id": "ipv4-addr--x"}),
    ]);
    assert_eq!(status, 202);
    assert_eq!(
        (
            &first["status"],
            &first["total_count"],
            &first["success_count"],
            &first["failure_count"],
            &first["pending_count"]
        ),
        (&json!("complete"), &json!(3), &json!(1), &json!(2), &json!(0))
    );
    assert_eq!(first["successes"][0], json!({"id": id(1), "version": "2026-01-01T00:00:00.000Z"}));
    assert!(first["failures"][0]["message"].is_string() && first["request_timestamp"].is_string());
    let path = format!("{BASE}status/{}/", first["id"].as_str().unwrap());
    let told = server.ask(Method::Get, &path, "");
    assert_eq!(serde_json::from_slice::<Value>(&told.body).unwrap(), first);
    assert_eq!(server.as_who(Some("another"), Method::Get, &path, "").status, 404);

    let (_, again) = server.post(&[note(1, 1), other]);
    assert_eq!(
        (&again["success_count"], &again["failure_count"]),
        (&json!(1), &json!(1)),
        "the same again is no failure"
    );
    let (_, _, reply) = server.get(&format!("collections/{COLLECTION}/objects/"));
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.contains("\"x_kept\":\"é\""), "{text}");
    assert_eq!(server.ids("").len(), 1);
}

#[test]
fn what_cannot_be_used_or_is_too_large_is_refused() {
    let mut server = Server::new();
    let path = format!("{BASE}collections/{COLLECTION}/objects/");
    for (body, status) in
        [("", 422), ("{}", 422), ("{\"objects\":[]}", 422), ("{\"objects\":{}}", 422), ("[1]", 422)]
    {
        assert_eq!(server.ask(Method::Post, &path, body).status, status, "{body}");
    }
    assert_eq!(server.ask(Method::Post, &path, &" ".repeat(5_001)).status, 413);
}

#[test]
fn deleting_takes_all_versions_unless_some_are_named() {
    let mut server = Server::new();
    server.post(&[note(1, 1), note(1, 2), note(1, 3), note(2, 1)]);
    let path = format!("{BASE}collections/{COLLECTION}/objects/{}/", id(1));
    assert_eq!(server.ask(Method::Delete, &format!("{path}?match[version]=first"), "").status, 200);
    assert_eq!(server.ids(&format!("?match[version]=all&match[id]={}", id(1))).len(), 2);
    assert_eq!(server.ask(Method::Delete, &path, "").status, 200);
    assert_eq!(server.ids("?match[version]=all"), [format!("{} 2026-01-01T00:00:00.000Z", id(2))]);
    assert_eq!(server.ask(Method::Delete, &path, "").status, 404);
}

#[test]
fn next_belongs_to_its_filter_and_its_server() {
    let mut server = Server::new();
    server.post(&(1..=5).map(|n| note(n, 1)).collect::<Vec<_>>());
    let objects = format!("collections/{COLLECTION}/objects/");
    let next = server.get(&format!("{objects}?limit=2")).1["next"].as_str().unwrap().to_owned();
    assert_eq!(
        server.get(&format!("{objects}?limit=3&next={next}")).0,
        200,
        "the size of a page may change"
    );
    assert_eq!(server.get(&format!("{objects}?limit=2&next={next}&match[type]=note")).0, 400);
    assert_eq!(
        server.get(&format!("{objects}?limit=2&next={next}&added_after=2020-01-01T00:00:00Z")).0,
        400
    );
    let flipped = next.replacen(next.chars().next().unwrap(), "Z", 1);
    assert_eq!(server.get(&format!("{objects}?limit=2&next={flipped}")).0, 400);
    let mut other = Server::new();
    other.memory = server.memory.clone();
    assert_eq!(
        other.get(&format!("{objects}?limit=2&next={next}")).0,
        200,
        "a restart does not matter"
    );
    other.context.key = [8; 32];
    assert_eq!(other.get(&format!("{objects}?limit=2&next={next}")).0, 400);
}

/// What happens between two pages: objects posted, and how far the clock goes, perhaps back.
fn happenings() -> impl Strategy<Value = Vec<(Vec<u32>, i64)>> {
    prop::collection::vec(
        (prop::collection::vec(0..30_u32, 0..4), -3_000_000..3_000_000_i64),
        1..12,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn paging_while_others_write_loses_and_doubles_nothing(
        before in prop::collection::vec(0..30_u32, 1..12), happenings in happenings(), limit in 1..4_usize, by_time in any::<bool>(),
    ) {
        let mut server = Server::new();
        let mut day = 0;
        let mut write = |server: &mut Server, numbers: &[u32]| {
            day += 1;
            let objects: Vec<Value> = numbers.iter().map(|n| note(*n, 1 + day % 28)).collect();
            if !objects.is_empty() {
                server.post(&objects);
            }
        };
        write(&mut server, &before);
        let mut seen: Vec<(String, String)> = Vec::new();
        let mut cursor = String::new();
        let mut happenings = happenings.into_iter();
        loop {
            let path = format!("collections/{COLLECTION}/objects/?match[version]=all&limit={limit}{cursor}");
            let (status, body, reply) = server.get(&path);
            prop_assert_eq!(status, 200);
            seen.extend(list(&body, "objects").iter().map(|o| (o["id"].to_string(), o["modified"].to_string())));
            if let Some((numbers, clock)) = happenings.next() {
                server.context.now += clock;
                write(&mut server, &numbers);
            } else if body["more"] == json!(false) {
                break;
            }
            let last = header(&reply, "X-TAXII-Date-Added-Last").map(str::to_owned);
            match (body["next"].as_str(), last) {
                (Some(next), _) if !by_time => cursor = format!("&next={next}"),
                // `next` is bound to its query, so going on by time goes on without it.
                (_, Some(last)) if by_time => cursor = format!("&added_after={last}"),
                _ if body["more"] == json!(false) && !by_time => {
                    // At the end with `next`: begin anew and look for what is new.
                    seen.clear();
                    cursor.clear();
                }
                _ => {}
            }
        }
        let mut all = Server::new();
        std::mem::swap(&mut all.memory, &mut server.memory);
        let (_, body, _) = all.get(&format!("collections/{COLLECTION}/objects/?match[version]=all"));
        let whole: Vec<_> = list(&body, "objects").iter().map(|o| (o["id"].to_string(), o["modified"].to_string())).collect();
        prop_assert_eq!(seen, whole);
    }
}
