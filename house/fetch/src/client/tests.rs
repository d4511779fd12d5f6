use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;

fn limits(bytes_max: u64) -> Limits {
    Limits {
        bytes_max,
        time: Duration::from_secs(2),
        wait: Duration::from_millis(10),
        ..Limits::default()
    }
}

/// Answers each connection with the next of these and gives what was asked.
async fn server(answers: Vec<String>) -> (Url, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/x", listener.local_addr().expect("bound"));
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut buffer = vec![0; 4_096];
            let read = stream.read(&mut buffer).await.expect("read");
            asked.push(String::from_utf8_lossy(&buffer[..read]).to_lowercase());
            stream.write_all(answer.as_bytes()).await.expect("answered");
            stream.shutdown().await.expect("ended");
        }
        asked
    });
    (url.parse().expect("an address"), served)
}

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn get(url: &Url, known: &Tags, bytes_max: u64) -> (Result<Got, Fault>, Vec<u8>) {
    let folder = tempfile::tempdir().expect("folder");
    let to = folder.path().join("incoming");
    let client = Client::new(limits(bytes_max), &Trust::default()).expect("a client");
    let got = client.file(url, known, &to).await;
    (got, std::fs::read(&to).unwrap_or_default())
}

#[tokio::test]
async fn what_is_known_is_not_fetched_again() {
    let tags = Tags { etag: Some("\"v1\"".to_owned()), modified: None };
    let new = answer("200 OK\r\netag: \"v1\"", "body");
    let (url, served) = server(vec![new, answer("304 Not Modified", "")]).await;
    let (got, body) = get(&url, &Tags::default(), 100).await;
    assert!(matches!(&got, Ok(Got::New { tags: t, bytes: 4, .. }) if *t == tags), "{got:?}");
    assert_eq!(body, b"body");
    assert_eq!(get(&url, &tags, 100).await.0, Ok(Got::Same));
    let asked = served.await.expect("served");
    assert!(!asked[0].contains("if-none-match") && asked[1].contains("if-none-match: \"v1\""));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
    let busy = || answer("503 Service Unavailable", "");
    let soon = || answer("429 Too Many Requests\r\nretry-after: 0", "");
    let (url, served) = server(vec![busy(), soon(), answer("200 OK", "late")]).await;
    assert_eq!(get(&url, &Tags::default(), 100).await.1, b"late");
    assert_eq!(served.await.expect("served").len(), 3);
    let gone = answer("404 Not Found\r\ncontent-type: text/plain", "no such feed");
    let (url, _served) = server(vec![gone]).await;
    let fault = Fault::Status(404, "no such feed".to_owned());
    assert_eq!(get(&url, &Tags::default(), 100).await.0, Err(fault));
    let (url, _served) = server(vec![answer("429 x\r\nretry-after: 7200", "")]).await;
    let fault = Fault::Wait { status: 429, seconds: 7_200 };
    assert_eq!(
        get(&url, &Tags::default(), 100).await.0,
        Err(fault),
        "who says when is not asked before"
    );
}

#[tokio::test]
async fn what_is_too_large_or_ends_early_is_refused() {
    let (url, _served) = server(vec![answer("200 OK", "much too long")]).await;
    assert_eq!(get(&url, &Tags::default(), 5).await.0, Err(Fault::Large { max: 5 }));
    let open = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nno length given".to_owned();
    let (url, _served) = server(vec![open]).await;
    assert_eq!(get(&url, &Tags::default(), 5).await.0, Err(Fault::Large { max: 5 }));
    let cut = || "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_owned();
    let (url, _served) = server(vec![cut(), cut(), cut()]).await;
    assert!(matches!(get(&url, &Tags::default(), 1_000).await.0, Err(Fault::Cut(_))));
}

#[tokio::test]
async fn a_redirect_leads_to_https_or_from_this_machine_to_itself() {
    let (end, _served) = server(vec![answer("200 OK", "here")]).await;
    let (url, _served) = server(vec![answer(&format!("302 Found\r\nlocation: {end}"), "")]).await;
    assert_eq!(get(&url, &Tags::default(), 100).await.1, b"here");
    for to in ["http://192.0.2.1/x", "ftp://a.example/x", "file:///etc/passwd"] {
        let (url, _served) =
            server(vec![answer(&format!("302 Found\r\nlocation: {to}"), "")]).await;
        let (got, body) = get(&url, &Tags::default(), 100).await;
        assert!(got.is_err() && body.is_empty(), "{to}: {got:?}");
    }
}

#[tokio::test]
async fn who_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url: Url =
        format!("http://{}/", listener.local_addr().expect("bound")).parse().expect("one");
    let limits = Limits { time: Duration::from_millis(100), tries: 1, ..limits(9) };
    let client = Client::new(limits, &Trust::default()).expect("a client");
    let folder = tempfile::tempdir().expect("folder");
    let got = client.file(&url, &Tags::default(), &folder.path().join("x")).await;
    assert_eq!(got, Err(Fault::Late));
    drop(listener);
    let got = client.file(&url, &Tags::default(), &folder.path().join("x")).await;
    assert!(matches!(got, Err(Fault::Unreachable(_))), "{got:?}");
}
