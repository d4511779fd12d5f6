//! The pages by which the ISMS is run, on the real router: each is shown to whom it is for, its forms do
//! what they say, and the API says the same.

use model::Table;
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::Row;

use crate::{
    rooms,
    served::{Browser, Served, read},
};

impl Served {
    async fn put(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.house.store.new_id().unwrap(), kind, name);
        row.attributes = attributes.as_object().cloned().unwrap();
        let mut write = self.house.store.write("test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    async fn approve(&self, row: &Row) {
        let mut decision =
            Row::new(Table::Decision, self.house.store.new_id().unwrap(), "approval", &row.name);
        decision.status = "approved".to_owned();
        decision.subject = Some(row.id);
        decision.subject_hash = Some(row.content_hash().unwrap());
        let mut write = self.house.store.write("account:keiei", "", "").await.unwrap();
        write.put(decision).await.unwrap();
        write.commit().await.unwrap();
    }

    /// Shows a page, which may cost no more than a few statements.
    async fn show(&self, who: &Browser, path: &str) -> (u16, String) {
        let request = self.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let response = request.send().await.unwrap();
        let cost = response.headers()["server-timing"].to_str().unwrap();
        let statements = cost.split(['"', ' ']).find_map(|word| word.parse::<u64>().ok());
        assert!(statements.unwrap() <= 8, "{path}: {cost}");
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn send(&self, who: &Browser, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &who.csrf));
        let encode =
            |(name, value): &(&str, &str)| format!("{name}={}", urlencoding::encode(value));
        let body = fields.iter().map(encode).collect::<Vec<_>>().join("&");
        let request = self
            .request(Method::POST, path)
            .header(header::COOKIE, &who.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap();
        let to = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok());
        let to = to.unwrap_or("").to_owned();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        (status, if to.is_empty() { text } else { to })
    }

    async fn board_again(&self) {
        self.board.put(isms::compute(&self.house.store, &rooms::ROOMS).await.unwrap());
    }

    async fn rows(&self, table: Table, kind: &str) -> Vec<Row> {
        self.house.store.all(table, &[kind]).await.unwrap()
    }
}

#[tokio::test]
async fn every_page_and_document_is_shown_in_both_languages_to_who_inspects_and_to_nobody_below() {
    let served = Served::start(1_000_000).await;
    let (officer, employee) = (served.browser("officer").await, served.browser("employee").await);
    let pages = ["/context", "/context/samples?part=party", "/changes", "/review", "/audit"];
    let more =
        ["/templates", "/templates/information-security-policy", "/templates/change-plan/file"];
    for path in pages.into_iter().chain(more) {
        for language in ["ja", "en"] {
            let request = served
                .request(Method::GET, path)
                .header(header::COOKIE, format!("{}; ume_lang={language}", officer.cookie));
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
        }
        assert_eq!(served.show(&officer, path).await.0, 200);
        assert_eq!(served.show(&employee, path).await.0, 403, "{path}");
    }
    let token = served.token("auditor").await;
    let auditor = served.put(Table::Party, "person", "監査員", json!({})).await;
    let sample = format!("/api/v1/isms/audit/sample?seed=1&auditor={}", auditor.id);
    for path in [
        "/api/v1/isms/context",
        "/api/v1/isms/changes",
        "/api/v1/isms/review",
        "/api/v1/isms/audit",
        "/api/v1/isms/policy",
        "/api/v1/isms/templates",
        sample.as_str(),
    ] {
        let (status, _, document) = read(served.with(&token, Method::GET, path)).await;
        assert_eq!(status, 200, "{path} {document}");
        assert!(document.is_object(), "{path}");
    }
    let bad = served.with(&token, Method::GET, "/api/v1/isms/audit/sample?seed=1");
    assert_eq!(read(bad).await.0, 400);
}

#[tokio::test]
async fn samples_of_the_context_become_rows_once() {
    let served = Served::start(1_000_000).await;
    let (officer, auditor) = (served.browser("officer").await, served.browser("auditor").await);
    let chosen = [("id", "external/climate-change"), ("id", "external/law-revision")];
    assert_eq!(served.send(&auditor, "/context/samples", &chosen).await.0, 403);
    for _ in 0..2 {
        assert_eq!(served.send(&officer, "/context/samples", &chosen).await.0, 303);
        assert_eq!(served.rows(Table::Asset, "context_issue").await.len(), 2);
    }
    let (_, text) = served.show(&officer, "/context/samples").await;
    assert_eq!(text.matches("taken</span>").count(), 2);
    let id = served.rows(Table::Asset, "context_issue").await[0].id.to_string();
    assert_eq!(served.send(&officer, "/context/reviewed", &[("id", &id)]).await.0, 303);
}

#[tokio::test]
async fn a_template_is_filled_shown_and_adopted_as_a_draft_with_its_file() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let ours = served.put(Table::Party, "organisation", "梅<商事>", json!({})).await;
    served.house.store.set_setting("organisation", &ours.id.to_string()).await.unwrap();
    let (_, text) = served.show(&officer, "/templates/information-security-policy").await;
    assert!(text.contains("梅&lt;商事&gt;") && text.contains("{{executive}}"), "{text}");
    let adopt = "/templates/information-security-policy/adopt";
    let (status, to) = served.send(&officer, adopt, &[]).await;
    assert_eq!(status, 303);
    let documents = served.rows(Table::Asset, "document").await;
    assert_eq!(to, format!("/row/asset/{}", documents[0].id));
    let kind = served.house.kind(Table::Asset, "document").unwrap().1;
    assert_eq!(kind.validate(&documents[0].attributes), []);
    let sha = documents[0].attributes["content"].as_str().unwrap();
    let (status, text) = served.show(&officer, &format!("/blobs/{sha}")).await;
    assert!(status == 200 && text.contains("梅\\<商事\\>"), "{text}");
    let (_, text) = served.show(&officer, "/policy").await;
    assert!(text.contains("No policy is in force yet."), "adopted is not approved");
}

#[tokio::test]
async fn an_employee_reads_the_policy_says_so_and_the_reminder_is_closed() {
    let served = Served::start(1_000_000).await;
    let (officer, employee) = (served.browser("officer").await, served.browser("employee").await);
    let (_, text) =
        served.send(&officer, "/templates/information-security-policy/adopt", &[]).await;
    assert!(text.starts_with("/row/asset/"), "{text}");
    let mut policy = served.rows(Table::Asset, "document").await.remove(0);
    policy.name = "方針 2026".to_owned();
    let mut write = served.house.store.write("test", "", "").await.unwrap();
    let policy = write.put(policy).await.unwrap();
    write.commit().await.unwrap();
    served.approve(&policy).await;
    let hash = policy.content_hash().unwrap();

    let (status, text) = served.send(&employee, "/policy/read", &[("hash", &hash)]).await;
    assert!(status == 400 && text.contains("no person with your account"), "{text}");
    served.put(Table::Party, "person", "社員", json!({"account": "employee"})).await;
    served.put(Table::Party, "person", "別の社員", json!({})).await;
    let (status, text) = served.show(&employee, "/policy").await;
    assert!(status == 200 && text.contains("方針 2026") && text.contains("I have read"), "{text}");
    assert!(!text.contains("別の社員"), "who is missing is not every reader's business");
    assert_eq!(served.show(&employee, "/policy/file").await.0, 200);

    assert_eq!(served.send(&employee, "/policy/remind", &[]).await.0, 403);
    assert_eq!(served.send(&officer, "/policy/remind", &[]).await.0, 303);
    assert_eq!(served.rows(Table::Task, "task").await.len(), 2);
    assert_eq!(served.send(&employee, "/policy/read", &[("hash", "00")]).await.0, 400);
    assert_eq!(served.send(&employee, "/policy/read", &[("hash", &hash)]).await.0, 303);
    let tasks = served.rows(Table::Task, "task").await;
    assert_eq!(tasks.iter().filter(|t| t.status == "closed").count(), 1);
    let (_, text) = served.show(&employee, "/policy").await;
    assert!(text.contains("Yes: it is recorded"), "{text}");
    let (_, text) = served.show(&officer, "/policy").await;
    assert!(text.contains("<strong>1 / 2</strong>") && text.contains("別の社員"), "{text}");
}

#[tokio::test]
async fn an_auditor_without_a_register_answers_their_audit_and_nobody_elses() {
    let served = Served::start(1_000_000).await;
    let (officer, employee) = (served.browser("officer").await, served.browser("employee").await);
    let owner = served.put(Table::Party, "person", "責任者", json!({})).await;
    let auditor =
        served.put(Table::Party, "person", "監査員", json!({"account": "employee"})).await;
    let usage = json!({"control": "5.1", "applies": "yes", "responsible": owner.id});
    served.put(Table::Rule, "control_use", "5.1", usage).await;
    served.board_again().await;
    let (auditor, owner) = (auditor.id.to_string(), owner.id.to_string());
    let ask = |auditor| [("seed", "2026"), ("count", "8"), ("auditor", auditor)];
    let (status, text) = served.send(&officer, "/audit/draw", &ask(owner.as_str())).await;
    assert!(status == 400 && text.contains("nothing this auditor can audit"), "{text}");
    assert_eq!(served.send(&employee, "/audit/draw", &ask(auditor.as_str())).await.0, 403);
    let (status, page) = served.send(&officer, "/audit/draw", &ask(auditor.as_str())).await;
    assert_eq!(status, 303, "{page}");

    let (status, text) = served.show(&employee, &page).await;
    assert!(status == 200 && text.contains("What you saw"), "{text}");
    let (_, text) = served.show(&officer, &page).await;
    assert!(!text.contains("What you saw") && text.contains("Waits for the auditor"), "{text}");
    let department = served.browser("department").await;
    assert_eq!(served.show(&department, &page).await.0, 404);

    let answer = format!("{page}/answer");
    let say = [("sample", "0"), ("result", "minor"), ("note", "記録がない")];
    assert_eq!(served.send(&officer, &answer, &say).await.0, 400);
    assert_eq!(served.send(&department, &answer, &say).await.0, 404);
    assert_eq!(served.send(&employee, &answer, &say).await.0, 303);
    assert_eq!(served.send(&employee, &answer, &say).await.0, 400, "once");
    assert_eq!(served.rows(Table::Asset, "audit_finding").await.len(), 1);
    let (_, text) = served.show(&officer, "/audit").await;
    assert!(text.contains("記録がない"), "{text}");
}

#[tokio::test]
async fn a_review_is_prepared_from_the_records_and_signed_by_an_executive_only() {
    let served = Served::start(1_000_000).await;
    let (officer, executive) = (served.browser("officer").await, served.browser("executive").await);
    assert_eq!(served.send(&executive, "/review/begin", &[("held_on", "2026-01-05")]).await.0, 403);
    assert_eq!(served.send(&officer, "/review/begin", &[("held_on", "soon")]).await.0, 400);
    let (status, page) = served.send(&officer, "/review/begin", &[("held_on", "2026-01-05")]).await;
    assert_eq!(status, 303);
    let (status, text) = served.show(&executive, &page).await;
    assert!(status == 200 && text.contains("Inputs without content or reason"), "{text}");
    let person = served.put(Table::Party, "person", "担当", json!({})).await.id.to_string();
    let mut form = vec![("text", "直す"), ("owner", person.as_str()), ("due", "2030-01-05")];
    let letters = ["reason_a", "reason_b", "reason_c", "reason_e", "reason_g"];
    form.extend(letters.map(|name| (name, "初回")));
    assert_eq!(served.send(&officer, &format!("{page}/save"), &form).await.0, 303);
    assert_eq!(served.send(&officer, &format!("{page}/refresh"), &[]).await.0, 303);
    let (_, text) = served.show(&executive, &page).await;
    assert!(text.contains("直す") && text.contains(&format!("{page}/sign")), "{text}");
    let row = served.rows(Table::Plan, "management_review").await.remove(0);
    let hash = row.content_hash().unwrap();
    let sign = [("hash", hash.as_str()), ("reason", "見た"), ("password", "x"), ("code", "000000")];
    let (status, text) = served.send(&officer, &format!("{page}/sign"), &sign).await;
    assert!(status == 400 && text.contains("Only an executive"), "{text}");
    let (status, text) = served.send(&executive, &format!("{page}/sign"), &sign).await;
    assert!(status == 400 && text.contains("password or the code is wrong"), "{text}");
    assert_eq!(served.rows(Table::Decision, "review_held").await.len(), 0);
    let drop = [("drop", "0")];
    assert_eq!(served.send(&officer, &format!("{page}/save"), &drop).await.0, 303);
    let (_, text) = served.show(&officer, &page).await;
    assert!(!text.contains("直す"), "{text}");
}

#[tokio::test]
async fn a_record_that_the_ledger_lacks_is_shown_as_what_it_is() {
    let served = Served::start(1_000_000).await;
    let auditor = served.browser("auditor").await;
    served.drain().await;
    let store = &served.house.store;
    let mut write = store.write("test", "", "").await.unwrap();
    let now = store.now();
    let draft = store::RecordDraft {
        ty: "isms.attested".to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "test".to_owned(),
        assurance: model::Assurance::Attested,
        facts: json!({"criterion": "8.9/ume-1", "held_on": "2026-11-01"})
            .as_object()
            .cloned()
            .unwrap(),
        payload: None,
    };
    let id = write.record(draft).await.unwrap().id;
    write.commit().await.unwrap();
    served.drain().await;
    let path = format!("/records/{id}");
    assert!(served.show(&auditor, &path).await.1.contains("proved under the signed checkpoint"));
    let mut tx = store.db().begin().await.unwrap();
    tx.execute("UPDATE record SET leaf_index = 999999", &[]).await.unwrap();
    tx.commit().await.unwrap();
    let (status, text) = served.show(&auditor, &path).await;
    assert_eq!(status, 200);
    assert!(text.contains("may have been tampered with") && text.contains("999999"), "{text}");
}
