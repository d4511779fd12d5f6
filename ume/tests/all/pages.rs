//! What pages show and refuse, on the real router: signed decisions, links, the home of an employee.

use model::{Id, Table};
use reqwest::{Method, header};
use serde_json::json;
use store::Row;

use crate::served::{Browser, Served};

impl Served {
    /// Writes a row, `fill` being what the test is about.
    async fn written(
        &self,
        table: Table,
        kind: &str,
        name: &str,
        fill: impl FnOnce(&mut Row),
    ) -> Row {
        let mut row = Row::new(table, self.house.store.new_id().unwrap(), kind, name);
        fill(&mut row);
        let mut write = self.house.store.write("test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    async fn seen(&self, who: &Browser, path: &str) -> (u16, String) {
        let request = self.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn posted(&self, who: &Browser, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &who.csrf));
        let request = self.request(Method::POST, path).header(header::COOKIE, &who.cookie);
        let encode =
            |(name, value): &(&str, &str)| format!("{name}={}", urlencoding::encode(value));
        let body = fields.iter().map(encode).collect::<Vec<_>>().join("&");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

fn set(row: &mut Row, field: &str, value: &str) {
    row.attributes.insert(field.to_owned(), value.into());
}

#[tokio::test]
async fn a_signed_decision_is_neither_edited_nor_deleted_on_its_page() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    for status in ["approved", "rejected", "active"] {
        let sign = |row: &mut Row| row.status = status.to_owned();
        let row = served.written(Table::Decision, "approval", "a decision", sign).await;
        let page = format!("/row/decision/{}", row.id);
        let (edit, delete) = (format!("{page}/edit"), format!("{page}/delete"));
        let signed = status != "active";
        let (shown, text) = served.seen(&officer, &page).await;
        assert_eq!(shown, 200);
        assert_eq!(text.contains(&edit) || text.contains(&delete), !signed, "{status}");

        let change = [("name", "another"), ("version", "1"), ("reason", "a reason")];
        let (form, _) = served.seen(&officer, &edit).await;
        let (changed, _) = served.posted(&officer, &edit, &change).await;
        let now = served.house.store.row(Table::Decision, row.id).await.unwrap().unwrap();
        assert_eq!((form, changed), if signed { (409, 409) } else { (200, 303) }, "{status}");
        let version = now.version.to_string();
        let away = [("version", version.as_str()), ("reason", "a reason")];
        let (gone, _) = served.posted(&officer, &delete, &away).await;
        assert_eq!(gone, if signed { 409 } else { 303 }, "{status}");
        let last = served.house.store.row(Table::Decision, row.id).await.unwrap().unwrap();
        assert_eq!((now.name == "a decision", last.deleted), (signed, !signed), "{status}");
    }
}

#[tokio::test]
async fn an_approval_that_is_asked_for_waits_for_those_who_may_sign_and_one_signature_answers_it() {
    let served = Served::start(1_000_000).await;
    let (writer, signer) =
        (served.browser("administrator").await, served.browser("executive").await);
    let row = served.written(Table::Asset, "host", "srv-mail-01", |_| {}).await;
    let page = format!("/row/asset/{}", row.id);
    let (ask, hash) = (format!("{page}/ask"), row.content_hash().unwrap());
    let say = |hash, reason| [("hash", hash), ("reason", reason)];
    let (_, text) = served.seen(&signer, "/approvals").await;
    assert!(text.contains("Nothing waits"), "{text}");
    assert_eq!(served.posted(&writer, &ask, &say("00", "ready")).await.0, 400, "another version");
    assert_eq!(served.posted(&writer, &ask, &say(&hash, " ")).await.0, 400, "no reason");
    assert_eq!(served.posted(&signer, &ask, &say(&hash, "ready")).await.0, 403);
    assert_eq!(served.posted(&writer, &ask, &say(&hash, "ready to go live")).await.0, 303);
    let (status, text) = served.posted(&writer, &ask, &say(&hash, "again")).await;
    assert!(status == 400 && text.contains("already"), "{text}");

    let shown = format!("href=\"{page}\">srv-mail-01</a>");
    for path in ["/approvals", "/"] {
        let (_, text) = served.seen(&signer, path).await;
        assert!(text.contains(&shown) && text.contains("ready to go live"), "{path} {text}");
    }
    for who in [&writer, &served.browser("risk_owner").await] {
        let (_, text) = served.seen(who, "/").await;
        assert!(!text.contains("ready to go live"), "who may not sign is not asked to");
        let (_, text) = served.seen(who, "/approvals").await;
        assert!(text.contains("wait for someone who may decide"), "{text}");
        assert!(text.contains("ISMS officer, executive"), "{text}");
    }
    let mut edited = row.clone();
    edited.name = "srv-mail-02".to_owned();
    let mut write = served.house.store.write("another", "", "").await.unwrap();
    let edited = write.put(edited).await.unwrap();
    write.commit().await.unwrap();
    assert!(served.seen(&signer, "/approvals").await.1.contains("edited since"));

    // Someone adds to the request what no signer is shown; and proposes a decision of another kind.
    let waiting = store::Filter {
        subject: Some(row.id),
        status: Some("proposed".to_owned()),
        ..store::Filter::default()
    };
    let waiting = served.house.store.list(Table::Decision, &waiting).await.unwrap();
    let [request] = waiting.as_slice() else { panic!("{waiting:?}") };
    let mut crafted = request.clone();
    set(&mut crafted, "criterion", "8.9/ume-1");
    crafted.name = "something else".to_owned();
    let mut write = served.house.store.write("another", "", "").await.unwrap();
    write.put(crafted).await.unwrap();
    write.commit().await.unwrap();
    let other = served
        .written(Table::Decision, "exclusion", "an exclusion", |decision| {
            decision.status = "proposed".to_owned();
            decision.subject = Some(row.id);
            set(decision, "subject_table", "asset");
            set(decision, "criterion", "8.9/ume-1");
        })
        .await;

    let hash = edited.content_hash().unwrap();
    let ruling = web::decide::Ruling {
        hash: &hash,
        outcome: "approved",
        reason: "looked at",
        hours: web::decide::months(12),
        kind: "approval",
        notes: Vec::new(),
    };
    let by = web::decide::Signer { login: "executive", method: "test" };
    let store = &served.house.store;
    let mut write = store.write("account:executive", "looked at", "").await.unwrap();
    let signed = ruling.sign(store, &mut write, &edited, &by).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!((signed.status.as_str(), signed.version), ("approved", 3));
    assert_eq!(signed.id, request.id, "the request itself");
    assert_eq!((signed.kind.as_str(), signed.name.as_str()), ("approval", "srv-mail-02"));
    let names: Vec<&str> = signed.attributes.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["signer", "method", "subject_table", "signatures"],
        "nothing that was not shown"
    );
    assert_eq!(signed.subject_hash, Some(hash.clone()), "what was seen, not what was asked for");
    let (_, text) = served.seen(&signer, "/approvals").await;
    assert!(
        text.contains(&format!("/row/decision/{}", other.id)),
        "it is signed by itself: {text}"
    );
    assert!(!text.contains(&format!("/row/asset/{}", row.id)), "{text}");
    let exclusion = web::decide::Ruling { kind: "exclusion", ..ruling };
    let mut write = store.write("account:executive", "looked at", "").await.unwrap();
    let signed = exclusion.sign(store, &mut write, &edited, &by).await.unwrap();
    write.commit().await.unwrap();
    assert_ne!(signed.id, other.id, "what was proposed elsewhere is not signed along");
    assert!(!signed.attributes.contains_key("criterion"));
}

#[tokio::test]
async fn an_approval_of_a_person_does_not_repeat_their_name() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let person = served.written(Table::Party, "person", "渡辺 彩", |_| {}).await;
    let hash = person.content_hash().unwrap();
    let ask = format!("/row/party/{}/ask", person.id);
    let fields = [("hash", hash.as_str()), ("reason", "joined")];
    assert_eq!(served.posted(&officer, &ask, &fields).await.0, 303);
    let store = &served.house.store;
    let decisions = store.all(Table::Decision, &["approval"]).await.unwrap();
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].name, person.id.to_string());
}

#[tokio::test]
async fn a_link_is_added_once_and_shown_at_both_ends() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let host = |name| served.written(Table::Asset, "host", name, |_| {});
    let (mail, base, spare) =
        (host("srv-mail-01").await, host("srv-db-01").await, host("srv-db-02").await);
    let add = format!("/row/asset/{}/link", mail.id);
    let say = |object| [("kind", "depends_on"), ("object", object), ("note", "the mailboxes")];

    let (status, text) = served.posted(&officer, &add, &say("srv db")).await;
    assert_eq!(status, 200, "two rows hold the words, so the page asks");
    assert!(text.contains(&base.id.to_string()) && text.contains(&spare.id.to_string()), "{text}");
    let (status, _) = served.posted(&officer, &add, &say("srv-db-01")).await;
    assert_eq!(status, 303, "a whole name is meant as it stands");
    let by_id = base.id.to_string();
    let (status, text) = served.posted(&officer, &add, &say(&by_id)).await;
    assert_eq!(status, 400, "the same link stands once");
    assert!(text.contains("already"), "{text}");
    for (object, why) in [("no such thing", "nothing fits"), ("srv-mail-01", "not itself")] {
        assert_eq!(served.posted(&officer, &add, &say(object)).await.0, 400, "{why}");
    }
    let unknown = [("kind", "likes"), ("object", "srv-db-01")];
    assert_eq!(served.posted(&officer, &add, &unknown).await.0, 404, "no such kind of link");

    for (row, other) in [(&mail, &base), (&base, &mail)] {
        let (_, text) = served.seen(&officer, &format!("/row/asset/{}", row.id)).await;
        let there = format!("href=\"/row/asset/{}\">{}</a>", other.id, other.name);
        assert!(text.contains(&there) && text.contains("the mailboxes"), "{text}");
    }
    let auditor = served.browser("auditor").await;
    assert_eq!(served.posted(&auditor, &add, &say("srv-db-02")).await.0, 403);
}

#[tokio::test]
async fn an_employee_sees_at_home_the_open_tasks_that_are_theirs_and_in_registers_their_own() {
    let served = Served::start(1_000_000).await;
    let employee = served.browser("employee").await;
    let (status, text) = served.seen(&employee, "/").await;
    assert_eq!(status, 200);
    assert!(text.contains("No open task is yours") && !text.contains("/events"), "{text}");

    let person = |account: &'static str| {
        move |row: &mut Row| {
            set(row, "account", account);
        }
    };
    let aya = served.written(Table::Party, "person", "渡辺 彩", person("employee")).await;
    served.written(Table::Party, "person", "伊藤 誠", person("employees")).await;
    let task = |name, status: &'static str, assignee: &'static str, owner: Option<Id>| {
        served.written(Table::Task, "task", name, move |row| {
            row.status = status.to_owned();
            row.owner = owner;
            row.attributes = json!({"due": "2026-11-25", "assignee": assignee,
                "description": "renew the certificate of 渡辺 彩"})
            .as_object()
            .cloned()
            .unwrap();
        })
    };
    task("by sign-in name", "open", "employee", None).await;
    task("by name", "open", "渡辺 彩", Some(aya.id)).await;
    task("by owner", "open", "", Some(aya.id)).await;
    task("done already", "closed", "渡辺 彩", None).await;
    task("of someone else", "open", "伊藤 誠", None).await;
    task("of someone of like name", "open", "渡辺 彩子", None).await;
    let (_, text) = served.seen(&employee, "/").await;
    for name in ["by sign-in name", "by name", "by owner"] {
        assert_eq!(text.matches(&format!("<td>{name}</td>")).count(), 1, "{name}: {text}");
    }
    for name in ["done already", "of someone else", "of someone of like name"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
    let (status, text) = served.seen(&employee, "/register/task/task").await;
    assert!(status == 200 && text.contains("by owner") && !text.contains("of someone else"));
    assert_eq!(served.seen(&employee, "/events").await.0, 403);

    let store = &served.house.store;
    store.create_account("test", "fresh", "employee", "no password fits this", true).await.unwrap();
    let fresh = served.browser("fresh").await;
    let request = served.request(Method::GET, "/").header(header::COOKIE, &fresh.cookie);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[header::LOCATION], "/people/me/password", "first a password");
}

#[tokio::test]
async fn the_page_of_the_ledger_sets_the_outside_and_tells_of_a_fork() {
    let served = Served::start(1_000_000).await;
    let (administrator, auditor) =
        (served.browser("administrator").await, served.browser("auditor").await);
    let signer = merkle::Signer::from_seed("witness.example/w1", &[7; 32]).unwrap();
    let key = signer.cosigner_key().to_string();
    let witness = [
        ("change", "witness_add"),
        ("url", "https://witness.example/witness"),
        ("vkey", key.as_str()),
    ];
    assert_eq!(served.posted(&auditor, "/ledger/outside", &witness).await.0, 403);
    let wrong = [("change", "log_add"), ("vkey", key.as_str())];
    assert_eq!(served.posted(&administrator, "/ledger/outside", &wrong).await.0, 400);
    assert_eq!(served.posted(&administrator, "/ledger/outside", &witness).await.0, 303);
    let newest = served.house.store.newest_records(&["house.outside_changed"], None, 9).await;
    assert_eq!(newest.unwrap()[0].facts["name"], json!("witness.example/w1"));
    // Who inspects sees it, and no form.
    let (status, page) = served.seen(&auditor, "/ledger").await;
    assert_eq!(status, 200);
    assert!(page.contains("witness.example/w1") && !page.contains("/ledger/outside\""), "{page}");
    assert_eq!(served.seen(&auditor, "/ledger/cosigned").await.0, 404);
    assert_eq!(served.seen(&auditor, "/ledger/timestamps/local/token.tsr").await.0, 404);
    assert_eq!(served.seen(&auditor, "/ledger/timestamps/..%2F..%2Fkey/token.tsr").await.0, 404);

    served.drain().await;
    served.house.ledger.lock().await.doubt("witness.example/w1", 9_999).unwrap();
    let (status, page) = served.seen(&administrator, "/ledger").await;
    assert_eq!(status, 200);
    assert!(page.contains("9999") && page.contains("accept-fork"), "{page}");
    let link = "/register/decision/fork";
    assert!(page.contains(link));
    assert_eq!(served.seen(&administrator, link).await.0, 200);
}
