//! The API over the real router, store and ledger.

use reqwest::{Method, header};
use serde_json::{Value as Json, json};

use crate::{
    rooms,
    served::{Served, read},
};

const ASSETS: &str = "/api/v1/assets";
const MANY: u32 = 1_000_000;

fn host(name: &str) -> Json {
    json!({"kind": "host", "name": name, "attributes": {"hostname": name, "os": "Debian 12"}})
}

async fn add(served: &Served, token: &str, path: &str, body: &Json) -> Json {
    let request = served.with(token, Method::POST, path).json(body);
    let (status, headers, made) = read(request).await;
    assert_eq!(status, 201, "{made}");
    let at = headers[header::LOCATION].to_str().unwrap();
    assert_eq!(at, format!("{path}/{}", made["id"].as_str().unwrap()));
    made
}

fn pointers(problem: &Json) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_change_names_the_version_it_saw_and_history_keeps_the_old_one() {
    let served = Served::start(MANY).await;
    let token = served.token("administrator").await;
    let made = add(&served, &token, ASSETS, &host("梅の木")).await;
    let path = format!("{ASSETS}/{}", made["id"].as_str().unwrap());
    let get = || served.with(&token, Method::GET, &path);
    let (status, headers, row) = read(get()).await;
    assert_eq!(
        (status, &headers[header::ETAG], &row["name"]),
        (200, &"\"1\"".parse().unwrap(), &json!("梅の木"))
    );
    let before = row["updated_at"].as_str().unwrap().to_owned();

    let patch = |etag: Option<&str>, body: Json| {
        let request = served.with(&token, Method::PATCH, &path).json(&body);
        match etag {
            Some(etag) => request.header(header::IF_MATCH, etag),
            None => request,
        }
    };
    for (etag, status) in [(None, 428), (Some("*"), 428), (Some("\"9\""), 412), (Some("x"), 412)] {
        let (found, ..) = read(patch(etag, json!({"name": "竹"}))).await;
        assert_eq!(found, status, "{etag:?}");
    }
    let (status, headers, row) =
        read(patch(Some("\"1\""), json!({"name": "竹", "reason": "renamed"}))).await;
    assert_eq!((status, headers[header::ETAG].to_str().unwrap()), (200, "\"2\""));
    assert_eq!((&row["name"], &row["reason"]), (&json!("竹"), &json!("renamed")));
    let (status, headers, _) = read(patch(Some("\"1\""), json!({"name": "松"}))).await;
    assert_eq!((status, headers[header::ETAG].to_str().unwrap()), (412, "\"2\""));

    let (_, _, history) = read(served.with(&token, Method::GET, &format!("{path}/history"))).await;
    let names: Vec<&Json> =
        history["items"].as_array().unwrap().iter().map(|v| &v["name"]).collect();
    assert_eq!(names, ["竹", "梅の木"]);
    let (_, _, old) =
        read(served.with(&token, Method::GET, &format!("{path}?as_of={before}"))).await;
    assert_eq!(old["name"], "梅の木");
    let (_, _, old) =
        read(served.with(&token, Method::GET, &format!("{ASSETS}?as_of={before}"))).await;
    assert_eq!(old["items"][0]["name"], "梅の木");

    let delete = served.with(&token, Method::DELETE, &path);
    assert_eq!(read(delete).await.0, 428);
    let delete = served.with(&token, Method::DELETE, &path).header(header::IF_MATCH, "\"2\"");
    assert_eq!(read(delete).await.0, 204);
    assert_eq!(read(get()).await.0, 404);
    let row = served.house.store.row(model::Table::Asset, path[15..].parse().unwrap()).await;
    let row = row.unwrap().unwrap();
    assert!(row.deleted && row.updated_by == "account:administrator", "{row:?}");
    assert!(row.request.starts_with("api token "), "{}", row.request);
}

#[tokio::test]
async fn every_fault_has_its_pointer_in_the_readers_language() {
    let served = Served::start(MANY).await;
    let token = served.token("officer").await;
    let body = json!({
        "kind": "host", "name": " ", "colour": "red", "status": "approved", "owner": "me",
        "subject": "01936b3a-0000-7000-8000-000000000000", "starts_at": "yesterday",
        "attributes": {"no/such": 1, "os": 1.5},
    });
    let (status, headers, english) =
        read(served.with(&token, Method::POST, ASSETS).json(&body)).await;
    assert_eq!((status, &headers[header::CONTENT_LANGUAGE]), (422, &"en".parse().unwrap()));
    let found = pointers(&english);
    for pointer in
        ["/colour", "/name", "/status", "/owner", "/subject", "/starts_at", "/attributes/no~1such"]
    {
        assert!(found.contains(&pointer), "{pointer} in {found:?}");
    }
    let request = served
        .client
        .post(format!("{}{ASSETS}", served.base))
        .bearer_auth(&token)
        .header(header::ACCEPT_LANGUAGE, "ja")
        .json(&body);
    let (_, headers, japanese) = read(request).await;
    assert_eq!(headers[header::CONTENT_LANGUAGE], "ja");
    assert_eq!(pointers(&japanese), found);
    assert_ne!(japanese["title"], english["title"]);
    assert_eq!(served.house.store.count_by_kind(model::Table::Asset).await.unwrap(), []);
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let served = Served::start(MANY).await;
    let token = served.token("officer").await;
    let nothing = format!("{ASSETS}/01936b3a-0000-7000-8000-000000000000");
    let with = |method: Method, path: &str| served.with(&token, method, path);
    let post = || with(Method::POST, ASSETS);
    let json =
        |body: &str| post().header(header::CONTENT_TYPE, "application/json").body(body.to_owned());
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(3 << 20));
    let cases = [
        (401, served.request(Method::GET, ASSETS)),
        (401, served.with("ume_wrong", Method::GET, ASSETS)),
        (401, served.request(Method::GET, ASSETS).basic_auth("a", Some("b"))),
        (404, with(Method::GET, "/api/v1/nothing")),
        (404, with(Method::GET, "/api/v2")),
        (404, with(Method::GET, &nothing)),
        (404, with(Method::GET, &format!("{ASSETS}/x"))),
        (405, with(Method::PUT, ASSETS)),
        (415, post().body("{}")),
        (400, json("{")),
        (400, json("{\"a\":1e999}")),
        (422, json("[]")),
        (413, json(&large)),
        (400, with(Method::GET, &format!("{ASSETS}?limit=0"))),
        (400, with(Method::GET, &format!("{ASSETS}?limit=101"))),
        (400, with(Method::GET, &format!("{ASSETS}?page=2"))),
        (400, with(Method::GET, &format!("{ASSETS}?after=x"))),
        (400, with(Method::GET, &format!("{ASSETS}?subject=x"))),
        (400, with(Method::GET, &format!("{ASSETS}?kind=%00"))),
        (400, with(Method::GET, &format!("{ASSETS}?q=a&as_of=2026-01-01T00:00:00Z"))),
        (400, with(Method::GET, "/api/v1/records?as_of=now")),
        (415, with(Method::POST, &format!("{ASSETS}/import?kind=host")).body("x")),
    ];
    for (at, (status, request)) in cases.into_iter().enumerate() {
        let (found, headers, problem) = read(request).await;
        assert_eq!(found, status, "case {at}: {problem}");
        if found == 401 {
            assert!(headers.contains_key(header::WWW_AUTHENTICATE));
        }
    }
    let auditor = served.token("auditor").await;
    let (status, _, problem) =
        read(served.with(&auditor, Method::POST, ASSETS).json(&host("a"))).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
}

#[tokio::test]
async fn a_request_with_a_key_counts_once() {
    let served = Served::start(MANY).await;
    let (token, other) = (served.token("officer").await, served.token("administrator").await);
    let post = |token: &str, name: &str| {
        served.with(token, Method::POST, ASSETS).header("idempotency-key", "k1").json(&host(name))
    };
    let (first, second, third) =
        tokio::join!(read(post(&token, "a")), read(post(&token, "a")), read(post(&token, "a")));
    let late = read(post(&token, "a")).await;
    for answer in [&first, &second, &third, &late] {
        assert_eq!((answer.0, &answer.2), (201, &first.2));
    }
    assert_eq!(late.1["idempotency-replayed"], "true");
    let (status, _, problem) = read(post(&token, "b")).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid")));
    // The key of another account is another key.
    let (status, _, theirs) = read(post(&other, "a")).await;
    assert!(status == 201 && theirs["id"] != first.2["id"]);
    let counts = served.house.store.count_by_kind(model::Table::Asset).await.unwrap();
    assert_eq!(counts, [("host".to_owned(), 2)]);
    let kept = served.house.store.db().fetch("SELECT key_hash FROM idempotency", &[]).await;
    assert!(kept.unwrap().iter().all(|row| row[0].text().unwrap().len() == 64));
}

#[tokio::test]
async fn a_decision_is_proposed_here_and_never_signed() {
    let served = Served::start(MANY).await;
    let token = served.token("officer").await;
    let path = "/api/v1/decisions";
    let mut body = json!({"kind": "exclusion", "name": "8.11", "attributes": {}});
    body["status"] = "approved".into();
    let (status, _, problem) = read(served.with(&token, Method::POST, path).json(&body)).await;
    assert_eq!(status, 422);
    let found = problem["errors"].as_array().unwrap();
    let fault = found.iter().find(|e| e["pointer"] == "/status").unwrap();
    assert!(fault["detail"].as_str().unwrap().contains("signature"), "{fault}");

    let store = &served.house.store;
    let id = store.new_id().unwrap();
    let mut signed = store::Row::new(model::Table::Decision, id, "exclusion", "8.11");
    signed.status = "approved".to_owned();
    let mut write = store.write("account:officer", "", "web").await.unwrap();
    write.put(signed).await.unwrap();
    write.commit().await.unwrap();
    for method in [Method::PATCH, Method::DELETE] {
        let request = served
            .with(&token, method.clone(), &format!("{path}/{id}"))
            .header(header::IF_MATCH, "\"1\"")
            .json(&json!({"name": "8.12"}));
        assert_eq!(read(request).await.0, 409, "{method}");
    }
}

#[tokio::test]
async fn a_record_comes_in_as_imported_and_gets_its_proof() {
    let served = Served::start(MANY).await;
    let token = served.token("officer").await;
    let path = "/api/v1/records";
    let facts = json!({"course": "5.7", "held_on": "2026-01-10"});
    let mut body =
        json!({"type": "isms.training_completed", "source": "migration", "facts": facts});
    let made = add(&served, &token, path, &body).await;
    assert_eq!((&made["assurance"], &made["leaf_index"]), (&json!("imported"), &Json::Null));
    let proof_path = format!("{path}/{}/proof", made["id"].as_str().unwrap());
    let proof = || served.with(&token, Method::GET, &proof_path);
    let (status, headers, _) = read(proof()).await;
    assert!(status == 409 && headers.contains_key(header::RETRY_AFTER));
    served.drain().await;
    let (status, _, text) = read(proof()).await;
    assert_eq!(status, 200);
    let text = text.as_str().unwrap();
    assert!(text.starts_with("c2sp.org/tlog-proof@"), "{text}");
    let record = served.house.store.record(made["id"].as_str().unwrap().parse().unwrap()).await;
    let leaf = store::record_leaf(&record.unwrap().unwrap()).unwrap();
    assert!(leaf.contains("\"assurance\":\"imported\""));

    body["assurance"] = "machine".into();
    body["observed_to"] = "2999-01-01T00:00:00Z".into();
    body["facts"]["more"] = json!({"deep": 0.5});
    body["payload"] = "not base64!".into();
    let (status, _, problem) = read(served.with(&token, Method::POST, path).json(&body)).await;
    assert_eq!(status, 422);
    for pointer in ["/assurance", "/observed_to", "/facts/more", "/facts/more/deep", "/payload"] {
        assert!(pointers(&problem).contains(&pointer), "{pointer}: {problem}");
    }
    let (_, _, list) =
        read(served.with(&token, Method::GET, &format!("{path}?type=isms.training_completed")))
            .await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let served = Served::start(MANY).await;
    let token = served.token("officer").await;
    for n in 0..7 {
        add(&served, &token, ASSETS, &host(&format!("同じ名 {}", n / 2))).await;
        let body =
            json!({"type": "isms.training_completed", "source": "s", "facts": {"course": "5.7"}});
        add(&served, &token, "/api/v1/records", &body).await;
    }
    for base in [
        format!("{ASSETS}?kind=host&limit=3"),
        "/api/v1/records?type=isms.training_completed&limit=3".to_owned(),
    ] {
        let (mut ids, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!("{base}&after={}", after.replace(' ', "%20"));
            let (status, _, page) = read(served.with(&token, Method::GET, &path)).await;
            assert_eq!(status, 200, "{page}");
            pages += 1;
            for item in page["items"].as_array().unwrap() {
                ids.push(item["id"].as_str().unwrap().to_owned());
            }
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        assert_eq!((pages, ids.len()), (3, 7));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }
}

#[tokio::test]
async fn a_browser_needs_its_form_token_and_our_origin_for_a_change() {
    let served = Served::start(MANY).await;
    let browser = served.browser("officer").await;
    let post = || {
        served
            .request(Method::POST, ASSETS)
            .header(header::COOKIE, &browser.cookie)
            .json(&host("a"))
    };
    assert_eq!(read(post()).await.0, 403);
    assert_eq!(read(post().header("x-csrf-token", "wrong")).await.0, 403);
    let foreign =
        post().header("x-csrf-token", &browser.csrf).header(header::ORIGIN, "http://evil.example");
    assert_eq!(read(foreign).await.0, 403);
    assert_eq!(read(post().header("x-csrf-token", &browser.csrf)).await.0, 201);
    // A wrong token is never overlooked in favour of the cookie.
    let both = served.with("ume_x", Method::GET, ASSETS).header(header::COOKIE, &browser.cookie);
    assert_eq!(read(both).await.0, 401);
}

#[tokio::test]
async fn too_many_requests_wait_and_others_do_not() {
    let served = Served::start(4).await;
    let (token, other) = (served.token("officer").await, served.token("auditor").await);
    for left in (0..4).rev() {
        let (status, headers, _) = read(served.with(&token, Method::GET, ASSETS)).await;
        assert_eq!(status, 200);
        assert_eq!(headers["ratelimit-policy"], "\"caller\";q=4;w=60");
        let state = headers["ratelimit"].to_str().unwrap();
        assert!(state.starts_with(&format!("\"caller\";r={left};t=")), "{state}");
    }
    let (status, headers, _) = read(served.with(&token, Method::GET, ASSETS)).await;
    assert_eq!(status, 429);
    let wait: u64 = headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=15).contains(&wait), "{wait}");
    assert_eq!(read(served.with(&other, Method::GET, ASSETS)).await.0, 200);
    // Guessing tokens ends for the whole address.
    for _ in 0..4 {
        assert_eq!(read(served.with("ume_guess", Method::GET, ASSETS)).await.0, 401);
    }
    assert_eq!(read(served.with("ume_guess", Method::GET, ASSETS)).await.0, 429);
}

#[tokio::test]
async fn a_token_ends_with_its_days_its_account_or_its_revocation() {
    let served = Served::start(MANY).await;
    let store = &served.house.store;
    let account = served.account("officer").await;
    let (id, token) = store.add_api_token(account, "revoked", 1).await.unwrap();
    let (_, expired) = store.add_api_token(account, "expired", 0).await.unwrap();
    let status = |token: String| {
        let request = served.with(&token, Method::GET, "/api/v1/status");
        async move { read(request).await.0 }
    };
    assert_eq!(status(token.clone()).await, 200);
    assert_eq!(status(expired).await, 401);
    let used = store.api_tokens().await.unwrap();
    let used = used.iter().find(|t| t.id == id).unwrap();
    assert!(used.used_at.is_some());
    let kept = store.db().fetch("SELECT token_hash FROM token_api", &[]).await.unwrap();
    assert!(kept.iter().all(|row| row[0].text().unwrap() != token));
    assert!(store.revoke_api_token(id).await.unwrap());
    assert!(!store.revoke_api_token(id).await.unwrap());
    assert_eq!(status(token).await, 401);
}

#[tokio::test]
async fn a_table_is_imported_whole_or_not_at_all() {
    let served = Served::start(MANY).await;
    let token = served.token("officer").await;
    let import = |query: &str, csv: &str| {
        served
            .with(&token, Method::POST, &format!("{ASSETS}/import?kind=host{query}"))
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8")
            .body(csv.to_owned())
    };
    let (status, _, problem) =
        read(import("", "名称,hostname,os\r\nweb1,w,Debian\r\nweb1,w,Debian\r\n")).await;
    assert_eq!((status, pointers(&problem)), (422, vec!["A3"]));
    let good = "名称,hostname,os\r\nweb1,w,Debian\r\nweb2,w,Debian\r\n";
    let (_, _, checked) = read(import("&check=true", good)).await;
    assert_eq!((&checked["added"], &checked["saved"]), (&json!(2), &json!(false)));
    let count = || served.house.store.count_by_kind(model::Table::Asset);
    assert_eq!(count().await.unwrap(), []);
    assert_eq!(read(import("", good)).await.0, 200);
    let (_, _, again) = read(import("", good)).await;
    assert_eq!((&again["added"], &again["same"]), (&json!(0), &json!(2)));
    assert_eq!(count().await.unwrap(), [("host".to_owned(), 2)]);
}

#[tokio::test]
async fn before_the_first_board_no_level_is_shown_and_everyone_is_told_why() {
    let served = Served::starting(MANY).await;
    let token = served.token("department").await;
    let status = || served.with(&token, Method::GET, "/api/v1/status");
    let (code, headers, problem) = read(status()).await;
    assert_eq!((code, headers[header::RETRY_AFTER].to_str().unwrap()), (503, "2"), "{problem}");
    assert_eq!(problem["code"], "starting");
    let browser = served.browser("department").await;
    let page = async |path: &str| {
        let request = served.request(Method::GET, path).header(header::COOKIE, &browser.cookie);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for path in ["/", "/rooms/configuration"] {
        let (code, text) = page(path).await;
        assert_eq!(code, 200, "{path}");
        assert!(text.contains("levels are being computed"), "{path}: {text}");
        assert!(!text.contains("class=\"level"), "{path} shows a level: {text}");
    }
    assert_eq!(page("/rooms/none").await.0, 404);
    served.board.put(isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap());
    assert_eq!(read(status()).await.0, 200);
    for path in ["/", "/rooms/configuration"] {
        let (_, text) = page(path).await;
        assert!(
            !text.contains("being computed") && text.contains("class=\"level"),
            "{path}: {text}"
        );
    }
}
