//! Findings as server-sent events over real connections: each once over any number of cuts, to those who may.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use model::Assurance;
use monitoring::findings::FINDING;
use reqwest::{Method, Response, header};
use serde_json::{Value as Json, json};
use store::RecordDraft;

use crate::served::{Served, read};

const PATH: &str = "/api/v1/monitoring/findings/stream";

/// Writes findings with these numbers, and gives them their places in the ledger.
async fn find(served: &Served, numbers: std::ops::Range<u64>) {
    let store = &served.house.store;
    let mut write = store.write("system:test", "test", "").await.unwrap();
    for number in numbers {
        let facts =
            json!({"title_en": format!("finding {number}"), "severity": "high", "rule": "r"});
        let now = store.now();
        let draft = RecordDraft {
            ty: FINDING.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().unwrap().clone(),
            payload: None,
        };
        write.record(draft).await.unwrap();
    }
    write.commit().await.unwrap();
    served.drain().await;
}

/// A client as the specification of server-sent events has it.
struct Listener {
    response: Response,
    text: String,
    last: Option<String>,
}

impl Listener {
    async fn open(served: &Served, token: &str, last: Option<&str>) -> Listener {
        let mut request = served.with(token, Method::GET, PATH);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Listener { response, text: String::new(), last: last.map(str::to_owned) }
    }

    /// The next finding; `None` if the connection ended, or nothing came within the time.
    async fn next(&mut self, within: Duration) -> Option<Json> {
        let until = Instant::now() + within;
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                if let Some(id) = field("id: ") {
                    self.last = Some(id.to_owned());
                }
                if let Some(data) = field("data: ") {
                    assert_eq!(field("event: "), Some("finding"), "{block}");
                    return Some(serde_json::from_str(data).unwrap());
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            let chunk = tokio::time::timeout(left, self.response.chunk()).await.ok()?;
            self.text += std::str::from_utf8(&chunk.ok()??).unwrap();
        }
    }

    async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        while titles.len() < count {
            let Some(finding) = self.next(Duration::from_secs(20)).await else { break };
            titles.push(finding["title_en"].as_str().unwrap().to_owned());
        }
        titles
    }

    async fn has_ended(mut self) -> bool {
        let end = async { while let Ok(Some(_)) = self.response.chunk().await {} };
        tokio::time::timeout(Duration::from_secs(20), end).await.is_ok()
    }
}

fn named(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|n| format!("finding {n}")).collect()
}

#[tokio::test]
async fn who_listens_hears_each_finding_once_over_any_number_of_cuts() {
    let served = Served::start(1_000_000).await;
    let token = served.token("auditor").await;
    find(&served, 0..3).await;
    let mut listener = Listener::open(&served, &token, None).await;
    // It is told at once where it stands, and hears nothing of before.
    assert!(listener.next(Duration::from_millis(300)).await.is_none());
    let first = listener.last.clone().unwrap();
    find(&served, 3..5).await;
    assert_eq!(listener.titles(2).await, named(3..5));
    // Away while much is written, more than one step reads; what it hears is the list's own word.
    let last = listener.last.clone();
    drop(listener);
    find(&served, 5..2_505).await;
    let mut listener = Listener::open(&served, &token, last.as_deref()).await;
    assert_eq!(listener.titles(2_500).await, named(5..2_505));
    let told = read(served.with(&token, Method::GET, "/api/v1/monitoring/findings")).await.2;
    assert_eq!(told["findings"].as_array().unwrap().len(), 50);
    drop(listener);
    // Who was cut before it heard anything, and who begins at the beginning.
    let mut listener = Listener::open(&served, &token, Some(&first)).await;
    assert_eq!(listener.titles(2_502).await, named(3..2_505));
    let mut listener = Listener::open(&served, &token, Some("0")).await;
    let heard = listener.next(Duration::from_secs(20)).await.unwrap();
    assert_eq!(heard["title_en"], "finding 0");
    assert!(heard["severity"] == "high" && heard["id"].as_str().is_some());
}

#[tokio::test]
async fn cuts_while_findings_are_written_lose_and_double_nothing() {
    let served = std::sync::Arc::new(Served::start(1_000_000).await);
    let token = served.token("officer").await;
    let mut last = {
        let mut listener = Listener::open(&served, &token, None).await;
        listener.next(Duration::from_millis(200)).await;
        listener.last.unwrap()
    };
    let writer = served.clone();
    let writing = tokio::spawn(async move {
        for n in 0..60 {
            find(&writer, n * 5..n * 5 + 5).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    });
    let (mut heard, until) = (Vec::new(), Instant::now() + Duration::from_secs(60));
    let mut round = 0;
    while heard.len() < 300 && Instant::now() < until {
        let mut listener = Listener::open(&served, &token, Some(&last)).await;
        round += 1;
        for _ in 0..(round * 7) % 23 {
            let Some(finding) = listener.next(Duration::from_secs(2)).await else { break };
            heard.push(finding["title_en"].as_str().unwrap().to_owned());
        }
        last = listener.last.unwrap();
    }
    writing.await.unwrap();
    assert_eq!(heard, named(0..300));
    assert!(round > 10, "{round} connections");
}

#[tokio::test]
async fn it_ends_with_the_token_the_session_and_the_server() {
    let served = Served::start(1_000_000).await;
    let (account, mut ids) = (served.account("officer").await, BTreeSet::new());
    let store = &served.house.store;
    let (id, token) = store.add_api_token(account, "test", 1).await.unwrap();
    assert!(ids.insert(id));
    let mut listener = Listener::open(&served, &token, None).await;
    listener.next(Duration::from_millis(200)).await;
    assert!(store.revoke_api_token(id).await.unwrap());
    find(&served, 0..1).await;
    assert!(listener.next(Duration::from_secs(20)).await.is_none());
    assert!(listener.has_ended().await);

    let session = store.open_session(account, "full", "test").await.unwrap();
    let cookie = format!("ume={session}");
    let request = served.request(Method::GET, PATH).header(header::COOKIE, &cookie);
    let mut listener =
        Listener { response: request.send().await.unwrap(), text: String::new(), last: None };
    find(&served, 1..2).await;
    assert_eq!(listener.titles(1).await, named(1..2));
    store.end_session(&session).await.unwrap();
    find(&served, 2..3).await;
    assert!(listener.has_ended().await);

    let token = served.token("auditor").await;
    let listener = Listener::open(&served, &token, None).await;
    served.house.closing.send_replace(true);
    assert!(listener.has_ended().await);
}

#[tokio::test]
async fn only_those_hear_who_may_see_the_list_and_not_too_many() {
    let served = Served::start(1_000_000).await;
    for (role, wanted) in [("employee", 403), ("department", 403)] {
        let token = served.token(role).await;
        assert_eq!(read(served.with(&token, Method::GET, PATH)).await.0, wanted, "{role}");
    }
    assert_eq!(read(served.request(Method::GET, PATH)).await.0, 401);
    let token = served.token("auditor").await;
    for wrong in ["x", "-1", "1.5", ""] {
        let request = served.with(&token, Method::GET, PATH).header("last-event-id", wrong);
        assert_eq!(read(request).await.0, 400, "{wrong:?}");
    }
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Listener::open(&served, &token, None).await);
    }
    let (status, headers, _) = read(served.with(&token, Method::GET, PATH)).await;
    assert_eq!((status, headers[header::RETRY_AFTER].to_str().unwrap()), (429, "60"));
    // Another account still may, and a place that is given back is taken again.
    drop(Listener::open(&served, &served.token("executive").await, None).await);
    open.clear();
    let until = Instant::now() + Duration::from_secs(20);
    while served.with(&token, Method::GET, PATH).send().await.unwrap().status() != 200 {
        assert!(Instant::now() < until, "no place came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The page says where its script hears.
    let browser = served.browser("auditor").await;
    let request = served.request(Method::GET, "/findings").header(header::COOKIE, &browser.cookie);
    let page = request.send().await.unwrap();
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("connect-src 'self'"), "{policy}");
    assert!(page.text().await.unwrap().contains("/assets/findings.js"));
}
