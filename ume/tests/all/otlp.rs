//! A listener of OTLP over a real socket: HTTP with everything around it. gRPC is OpenTelemetry's own client's in
//! `tests/intake/otlp`.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use stream::{
    Limits, Query, SpoolLimits, Stream,
    intake::{Door, TcpLimits, now},
};
use tokio::sync::watch;

use crate::{intake_otlp::OtlpListener, intake_upload::Gate};

struct Place {
    stream: Stream,
    base: String,
    client: Client,
    end: watch::Sender<bool>,
    task: tokio::task::JoinHandle<stream::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn open(spool: SpoolLimits) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits { spool, ..Limits::default() }).unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let door = Door::bind(local, "otlp", TcpLimits::default()).await.unwrap();
        let base = format!("http://{}", door.local_addr().unwrap());
        let token_sha256 = Some(Sha256::digest("secret").into());
        let gate = Gate { token_sha256, allow: vec!["127.0.0.0/8".parse().unwrap()] };
        let (end, shutdown) = watch::channel(false);
        let listener = OtlpListener::at(vec![door], "otlp", gate);
        let task = tokio::spawn(listener.run(stream.clone(), shutdown));
        let _ = rustls::crypto::ring::default_provider().install_default();
        Place { stream, base, client: Client::new(), end, task, _folder: folder }
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth("secret");
        request.header(header::CONTENT_TYPE, "application/json").body(body)
    }

    fn refused(&self, reason: &str) -> u64 {
        let counters = self.stream.counters();
        counters.get("otlp").and_then(|c| c.refused.get(reason)).copied().unwrap_or(0)
    }
}

fn logs(texts: impl Iterator<Item = String>) -> String {
    let records: Vec<Json> = texts.map(|text| json!({"body": {"stringValue": text}})).collect();
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string()
}

async fn told(request: RequestBuilder) -> (StatusCode, Json) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    (status, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_on_the_disk_and_what_is_not_taken_is_said() {
    let place = Place::open(SpoolLimits::default()).await;
    let body = logs((0..500).map(|n| format!("record {n}")));
    assert_eq!(told(place.post("/v1/logs", body)).await, (StatusCode::OK, json!({})));
    let point = json!({"asInt": "7", "timeUnixNano": "1795600000000000000"});
    let gauge = json!({"name": "load", "gauge": {"dataPoints": [point, {"flags": 0}]}});
    let metrics =
        json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}).to_string();
    let (status, partial) = told(place.post("/v1/metrics", metrics)).await;
    assert_eq!(
        (status, &partial["partialSuccess"]["rejectedDataPoints"]),
        (StatusCode::OK, &json!("1"))
    );
    for (wanted, request) in [
        (404, place.post("/v1/traces", "{}")),
        (400, place.post("/v1/logs", "[")),
        (400, place.post("/v1/logs", r#"{"resourceLogs":7}"#)),
        (415, place.post("/v1/logs", "").header(header::CONTENT_ENCODING, "zstd")),
        (413, place.post("/v1/logs", vec![b' '; 9 << 20])),
    ] {
        assert_eq!(told(request).await.0, wanted);
    }
    let wrong = place.client.post(format!("{}/v1/logs", place.base)).bearer_auth("other");
    let answer = wrong.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
    let counters = &place.stream.counters()["otlp"];
    assert!(counters.identity_holds());
    assert_eq!((counters.stored, counters.received), (501, 506));
    assert_eq!(counters.turned_away["127.0.0.1: wrong token"], 1);
    place.stream.flush(now()).unwrap();
    let found = place.stream.search(&Query { limit: 1_000, ..Query::default() }).unwrap().events;
    assert_eq!(found.len(), 501);
    assert!(found.iter().any(|e| e.message == "record 499" && e.fields["peer"] == "127.0.0.1"));
    assert!(found.iter().any(|e| e.message == "load 7" && e.host == "127.0.0.1"));
    place.end.send(true).unwrap();
    place.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_is_said_and_counts_nothing() {
    let place = Place::open(SpoolLimits { max_bytes: 1 << 20, segment_bytes: 1 << 18 }).await;
    let body = logs((0..10).map(|n| format!("{n} {}", "x".repeat(50_000))));
    let until = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        let answer = place.post("/v1/logs", body.clone()).send().await.unwrap();
        if answer.status() != 200 || Instant::now() > until {
            break answer;
        }
    };
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[header::RETRY_AFTER]),
        (503, &"15".parse().unwrap())
    );
    let before = place.stream.counters()["otlp"].clone();
    assert_eq!(before.received, before.stored);
    place.stream.flush(now()).unwrap();
    assert_eq!(place.post("/v1/logs", body).send().await.unwrap().status(), 200);
    assert_eq!(place.stream.counters()["otlp"].stored, before.stored + 10);
    assert_eq!(place.refused("spool full"), 0);
    // What never fits is not asked for again.
    let body = logs((0..30).map(|n| format!("{n} {}", "x".repeat(50_000))));
    assert_eq!(place.post("/v1/logs", body).send().await.unwrap().status(), 413);
    assert_eq!(place.refused("request too large"), 1);
}
