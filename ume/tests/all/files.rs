//! Files through the real router: sent by form and API, shown, fetched, refused.

use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value as Json, json};
use sha2::Digest;

use crate::{
    rooms,
    served::{Browser, Served, read},
};

const BOUNDARY: &str = "ume-test-boundary";

/// One part of a form: name, file name, content.
type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn form(request: RequestBuilder, browser: &Browser, parts: &[Part<'_>]) -> RequestBuilder {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map_or(String::new(), |f| format!("; filename=\"{f}\""));
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    request.header(header::COOKIE, &browser.cookie).header(header::CONTENT_TYPE, kind).body(body)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

async fn page(served: &Served, browser: &Browser, path: &str) -> (u16, String) {
    let request = served.request(Method::GET, path).header(header::COOKIE, &browser.cookie);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Sends a document with a file; gives status and where it led.
async fn document(served: &Served, who: &Browser, file: &str, content: &[u8]) -> (u16, String) {
    let parts: [Part; 5] = [
        ("csrf", None, who.csrf.as_bytes()),
        ("name", None, "規程".as_bytes()),
        ("f_rank", None, b"policy"),
        ("f_content", None, b""),
        ("f_content", Some(file), content),
    ];
    let request = served.request(Method::POST, "/register/asset/document/new");
    let response = form(request, who, &parts).send().await.unwrap();
    let to = response.headers().get(header::LOCATION).map(|v| v.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (
        status,
        match to {
            Some(to) => to,
            None => response.text().await.unwrap(),
        },
    )
}

fn files(served: &Served) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path());
        entries.map(|p| if p.is_dir() { count(&p) } else { 1 }).sum()
    }
    let all = count(&served.folder.path().join("blobs"));
    all - usize::from(served.folder.path().join("blobs/lock").exists())
}

#[tokio::test]
async fn a_form_brings_a_file_and_the_page_its_history_and_a_download_show_it() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let content = b"%PDF-1.7 <script>alert(1)</script>";
    let (status, to) = document(&served, &officer, "a/../規程 第3版.pdf", content).await;
    assert_eq!(status, 303, "{to}");
    let sha = sha256(content);
    let (_, html) = page(&served, &officer, &to).await;
    let link = format!("<a href=\"/blobs/{sha}\">規程 第3版.pdf</a>");
    assert_eq!(html.matches(&link).count(), 2, "on the page and in its history");
    assert!(html.contains("34 B, application/pdf"), "{html}");

    let auditor = served.browser("auditor").await;
    let request = served.request(Method::GET, &format!("/blobs/{sha}"));
    let response = request.header(header::COOKIE, &auditor.cookie).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let text = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(text("content-type"), "application/pdf");
    assert!(text("content-disposition").starts_with("attachment; filename=\"__ _3_.pdf\"; "));
    assert_eq!(text("x-content-type-options"), "nosniff");
    assert!(text("content-security-policy").contains("sandbox"));
    assert_eq!(response.bytes().await.unwrap(), content.as_slice());

    let employee = served.browser("employee").await;
    assert_eq!(page(&served, &employee, &format!("/blobs/{sha}")).await.0, 404);
    for nothing in ["0".repeat(64), "..%2f..%2fume.db".to_owned(), sha.to_uppercase()] {
        assert_eq!(page(&served, &officer, &format!("/blobs/{nothing}")).await.0, 404, "{nothing}");
    }

    // Saved again without a file the row keeps it; the box takes it off.
    let edit = format!("{to}/edit");
    for (drop, version, kept) in [(false, "1", true), (true, "2", false)] {
        let mut parts: Vec<Part> = vec![
            ("csrf", None, officer.csrf.as_bytes()),
            ("version", None, version.as_bytes()),
            ("name", None, b"renamed"),
            ("reason", None, b"looked"),
            ("f_rank", None, b"policy"),
            ("f_content", None, sha.as_bytes()),
            ("f_content", Some(""), b""),
        ];
        if drop {
            parts.push(("drop_content", None, b"1"));
        }
        let saved = form(served.request(Method::POST, &edit), &officer, &parts).send().await;
        assert_eq!(saved.unwrap().status(), 303);
        let id = to.rsplit('/').next().unwrap().parse().unwrap();
        let row = served.house.store.row(model::Table::Asset, id).await.unwrap().unwrap();
        assert_eq!(row.attributes.get("content").is_some(), kept, "{version}");
    }
}

#[tokio::test]
async fn what_is_too_large_of_another_type_or_foreign_leaves_nothing() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let limit = served.house.store.file_bytes_max() as usize;
    let (status, text) = document(&served, &officer, "big.bin", &vec![7; limit + 1]).await;
    assert_eq!(status, 413);
    assert!(text.contains("25 MiB"), "{text}");
    let (status, _) = document(&served, &officer, "fake.png", b"MZ\x90\0").await;
    assert_eq!(status, 415);
    let stranger = Browser { csrf: "0".repeat(officer.csrf.len()), ..officer.clone() };
    assert_eq!(document(&served, &stranger, "a.txt", b"x").await.0, 403);
    // A file before the token is not even read.
    let request = served.request(Method::POST, "/register/asset/document/new");
    let parts: [Part; 2] =
        [("f_content", Some("a.txt"), b"x"), ("csrf", None, officer.csrf.as_bytes())];
    assert_eq!(form(request, &officer, &parts).send().await.unwrap().status(), 403);
    // A field that holds no file takes none.
    let request = served.request(Method::POST, "/register/asset/document/new");
    let parts: [Part; 2] =
        [("csrf", None, officer.csrf.as_bytes()), ("f_edition", Some("a.txt"), b"x")];
    assert_eq!(form(request, &officer, &parts).send().await.unwrap().status(), 400);
    assert_eq!(files(&served), 0);
    let token = served.token("officer").await;
    let send = |bytes: usize| {
        let request = served.with(&token, Method::POST, "/api/v1/blobs?name=big.bin");
        request.header(header::CONTENT_TYPE, "application/octet-stream").body(vec![7; bytes])
    };
    let (status, _, problem) = read(send(limit + 1)).await;
    assert_eq!(status, 413);
    assert!(problem["detail"].as_str().unwrap().contains("25 MiB"), "{problem}");
    assert_eq!(files(&served), 0);
    assert_eq!(read(send(limit)).await.0, 201);
}

#[tokio::test]
async fn the_api_takes_and_gives_files_and_refuses_a_hash_nobody_sent() {
    let served = Served::start(1_000_000).await;
    let token = served.token("officer").await;
    let row = |sha: &str| {
        let body = json!({
            "kind": "document", "name": "規程",
            "attributes": {"rank": "policy", "content": sha},
        });
        served.with(&token, Method::POST, "/api/v1/assets").json(&body)
    };
    let sha = sha256("番号,名称\r\n".as_bytes());
    let (status, _, problem) = read(row(&sha)).await;
    assert_eq!(status, 422);
    assert_eq!(problem["errors"][0]["pointer"], "/attributes/content", "{problem}");

    let name = "一覧\u{202e}vsc.csv";
    let path = format!("/api/v1/blobs?name={}", urlencoding::encode(name));
    let request = served.with(&token, Method::POST, &path).body("番号,名称\r\n");
    let (status, headers, blob) = read(request).await;
    assert_eq!(status, 201, "{blob}");
    assert_eq!(headers["location"], format!("/api/v1/blobs/{sha}"));
    assert_eq!((&blob["name"], &blob["bytes"]), (&json!("一覧vsc.csv"), &json!(15)));
    assert_eq!(read(row(&sha)).await.0, 201);
    // Two rows may name one file.
    assert_eq!(read(row(&sha)).await.0, 201);
    let request = served.with(&token, Method::GET, &format!("/api/v1/blobs/{sha}"));
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "番号,名称\r\n");
}

#[tokio::test]
async fn a_table_past_a_limit_is_refused_by_name_and_nothing_is_stored() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let columns = format!("name{}\r\na\r\n", ",".repeat(1_000_000));
    let giant = format!("name,hostname\r\nx,\"{}", "y\r\n".repeat(50_000));
    for (file, named) in [(columns, "500"), (giant, "B2")] {
        let parts: [Part; 2] =
            [("csrf", None, officer.csrf.as_bytes()), ("file", Some("a.csv"), file.as_bytes())];
        let request = served.request(Method::POST, "/register/asset/host/import");
        let response = form(request, &officer, &parts).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let text = response.text().await.unwrap();
        assert!(text.contains(named) && text.contains("Nothing was taken in"), "{text}");
    }
    let rows = served.house.store.all(model::Table::Asset, &["host"]).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn evidence_handed_in_with_a_file_commits_to_it_in_the_ledger() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let criterion = rooms::ROOMS
        .iter()
        .flat_map(|room| room.criteria)
        .find(|c| c.by_hand.is_some())
        .expect("a criterion that is met by hand");
    let content = "点検しました".as_bytes();
    let parts: [Part; 6] = [
        ("csrf", None, officer.csrf.as_bytes()),
        ("criterion", None, criterion.id.as_bytes()),
        ("kind", None, b"attested"),
        ("held_on", None, b"2026-01-15"),
        ("statement", None, b"looked at it"),
        ("file", Some("記録.txt"), content),
    ];
    let request = served.request(Method::POST, "/hand-in");
    assert_eq!(form(request, &officer, &parts).send().await.unwrap().status(), 303);
    let found = served.house.store.newest_records(&["isms.attested"], None, 5).await.unwrap();
    let [record] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(record.facts["file"], Json::from(sha256(content)));
    let leaf = store::record_leaf(record).unwrap();
    assert!(leaf.contains(&sha256(content)), "{leaf}");
    served.drain().await;
    let (_, html) = page(&served, &officer, &format!("/records/{}", record.id)).await;
    assert!(html.contains("記録.txt"), "{html}");
    let auditor = served.browser("auditor").await;
    assert_eq!(page(&served, &auditor, &format!("/blobs/{}", sha256(content))).await.0, 200);
}
