//! What the TAXII server costs: the engine's answers over the storage of the room, with nothing around them.
//!
//! `taxii-bench serve DB ADDRESS` answers over plain HTTP, everybody being one peer with all rights (the program
//! itself also checks a token and records what was given). `taxii-bench fill DB COUNT` puts objects in,
//! `taxii-bench pages DB` tells the CPU time of pages of 1,000 at the start, in the middle and at the end.

#[allow(dead_code)]
#[path = "../../../controls/threat_intelligence/src/work/objects.rs"]
mod objects;

use std::{path::Path, time::SystemTime};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::Response,
};
use indicators::{
    stix::time,
    taxii::{
        self, Collection, Context, Discovery, Entry, Filter, Root, Storage as _, Window,
    },
};
use objects::{Desk, Objects};
use serde_json::Value;
use tokio::runtime::{Handle, Runtime};

const COLLECTION: &str = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";
const PAGE: usize = 1_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = Runtime::new().expect("a runtime");
    let open = |db: &str| runtime.block_on(Objects::open(Path::new(db))).expect("a database");
    match words.as_slice() {
        ["serve", db, address] => runtime.block_on(serve(open(db), address)),
        ["fill", db, count] => fill(&runtime, &open(db), count.parse().expect("a number")),
        ["pages", db] => pages(&runtime, open(db)),
        _ => eprintln!("serve DB ADDRESS | fill DB COUNT | pages DB"),
    }
}

async fn serve(objects: Objects, address: &str) {
    let listener = tokio::net::TcpListener::bind(address).await.expect("an address");
    let router = Router::new().fallback(answer).with_state(objects);
    axum::serve(listener, router).await.expect("a server");
}

async fn answer(
    State(objects): State<Objects>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let runtime = Handle::current();
    let reply = tokio::task::spawn_blocking(move || {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let request = taxii::Request {
            method: match method {
                Method::GET => taxii::Method::Get,
                Method::POST => taxii::Method::Post,
                _ => taxii::Method::Other,
            },
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            accept: text(header::ACCEPT),
            content_type: text(header::CONTENT_TYPE),
            body: &body,
            who: Some("peer"),
            tolerant: false,
        };
        let mut desk = Desk { objects, collections: vec![collection()], runtime };
        taxii::handle(&request, &mut desk, &context())
    })
    .await
    .expect("an answer");
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).expect("a response")
}

fn collection() -> Collection {
    Collection {
        id: COLLECTION.to_owned(),
        alias: None,
        title: "measured".to_owned(),
        description: None,
        can_read: true,
        can_write: true,
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    i64::try_from(now.as_micros()).expect("a time")
}

fn context() -> Context {
    let now = now();
    let mut fresh = [0; 16];
    fresh[..8].copy_from_slice(&now.to_le_bytes());
    let root = Root {
        name: "root".to_owned(),
        title: "measured".to_owned(),
        description: None,
        max_content_length: 100 << 20,
    };
    Context {
        base: "/taxii2/".to_owned(),
        discovery: Discovery::default(),
        roots: vec![root],
        challenges: Vec::new(),
        key: [7; 32],
        page_max: PAGE,
        now,
        fresh,
    }
}

fn fill(runtime: &Runtime, objects: &Objects, count: u64) {
    let began = cpu();
    for start in (0..count).step_by(10_000) {
        let entries = (start..count.min(start + 10_000)).map(entry).collect();
        runtime.block_on(objects.add_all(COLLECTION, entries, now())).expect("stored");
    }
    println!("{count} objects, {:.1} s CPU", (cpu() - began) as f64 / 1e9);
}

fn entry(n: u64) -> Entry {
    let id = format!("indicator--{:08x}-0000-4000-8000-{n:012x}", n >> 16);
    let date = "2026-01-01T00:00:00.000Z";
    let json = format!(
        "{{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"{id}\",\"created\":\"{date}\",\
         \"modified\":\"{date}\",\"pattern_type\":\"stix\",\"valid_from\":\"{date}\",\
         \"pattern\":\"[domain-name:value = 'n{n}.example']\"}}"
    );
    Entry {
        date_added: 0,
        id,
        version: time::parse(date).expect("a time"),
        spec_version: "2.1".to_owned(),
        bytes: json.into_bytes(),
    }
}

/// Of each place the least of nine runs: what other load adds is not the page's.
fn pages(runtime: &Runtime, objects: Objects) {
    let filter = Filter::default();
    let count = runtime.block_on(objects.count(COLLECTION)).expect("a count");
    let desk = Desk { objects, collections: vec![collection()], runtime: runtime.handle().clone() };
    let first = |after| {
        let window = Window { filter: &filter, after, limit: 1 };
        desk.page(COLLECTION, &window).expect("a page").entries.first().map(|one| one.date_added)
    };
    let start = first(None).expect("an object");
    let last = runtime.block_on(last(&desk.objects, start)).expect("an object");
    let mut least = f64::MAX;
    for (name, after) in [("start", None), ("middle", Some(start + (last - start) / 2)), ("end", Some(last - PAGE as i64))] {
        let path = format!("/taxii2/root/collections/{COLLECTION}/objects/");
        let query = match after {
            Some(after) => format!("limit={PAGE}&added_after={}", time::print_micros(after)),
            None => format!("limit={PAGE}"),
        };
        let mut spent = f64::MAX;
        let mut got = 0;
        for _ in 0..9 {
            let mut storage =
                Desk { objects: desk.objects.clone(), collections: vec![collection()], runtime: runtime.handle().clone() };
            let request = taxii::Request {
                method: taxii::Method::Get,
                path: &path,
                query: &query,
                accept: Some("application/taxii+json;version=2.1"),
                content_type: None,
                body: &[],
                who: Some("peer"),
                tolerant: false,
            };
            let began = cpu();
            let reply = taxii::handle(&request, &mut storage, &context());
            spent = spent.min((cpu() - began) as f64 / 1e6);
            let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
            got = body["objects"].as_array().map_or(0, Vec::len);
        }
        least = least.min(spent);
        println!("{count} objects, {name}: {got} in {spent:.2} ms CPU, {:.2} of the least", spent / least);
    }
}

/// When the last object was added, found by halving.
async fn last(objects: &Objects, start: i64) -> Option<i64> {
    let (mut low, mut high) = (start, now() + 1_000_000_000);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match objects.after(COLLECTION, middle, 1).await.expect("a page").first() {
            Some(entry) => low = entry.date_added,
            None => high = middle,
        }
    }
    Some(low)
}

/// CPU time of all threads of this process in nanoseconds.
fn cpu() -> u64 {
    let of = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
    tasks.flatten().map(|task| of(task.path().join("schedstat"))).sum()
}
