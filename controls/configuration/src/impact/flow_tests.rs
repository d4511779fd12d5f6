//! From a new advisory to a closed task: bills of materials and a folder of advisories, judged by the real jobs behind
//! the real router; and the pages and documents that show it.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use model::{Id, Table};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value as Json, json};
use store::{Filter, Record, Row, Store};

/// A server of this room for one test.
struct Served {
    base: String,
    house: web::Shared,
    stream: stream::Stream,
    client: Client,
    folder: tempfile::TempDir,
}

/// Someone's browser: cookie and form token.
struct Browser {
    cookie: String,
    csrf: String,
}

impl Served {
    async fn start() -> Served {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
        let ledger = ledger::Ledger::open(&folder.path().join("ledger"), "ume.test/room").unwrap();
        let data = folder.path().join("stream");
        let house = web::House::new(store, ledger, data.clone(), vec![&crate::SPEC], &crate::SPEC);
        let (house, stream) =
            (Arc::new(house), stream::Stream::open(&data, stream::Limits::default()).unwrap());
        let mut routes = web::routes();
        routes.extend(tasks::routes());
        routes.extend(crate::pages::routes());
        let app = web::finish(routes, house.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Served { base, house, stream, client, folder }
    }

    async fn account(&self, role: &str) -> Id {
        match self.house.store.account(role).await.unwrap() {
            Some(account) => account.id,
            None => self.house.store.add_account(role, role, "no password fits").await.unwrap(),
        }
    }

    async fn browser(&self, role: &str) -> Browser {
        let account = self.account(role).await;
        let token = self.house.store.open_session(account, "full", "test").await.unwrap();
        let session = self.house.store.session(&token, 8, 168).await.unwrap().unwrap();
        Browser { cookie: format!("ume={token}"), csrf: session.csrf }
    }

    async fn token(&self, role: &str) -> String {
        let account = self.account(role).await;
        self.house.store.add_api_token(account, "test", 1).await.unwrap().1
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        request.header("accept-language", "en")
    }

    fn with(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(token)
    }
}

/// Status and body of an answer.
async fn read(request: RequestBuilder) -> (u16, Json) {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Json::String(text)))
}

struct House {
    served: Served,
    feed: tempfile::TempDir,
}

impl House {
    async fn start() -> House {
        let (served, feed) = (Served::start().await, tempfile::tempdir().unwrap());
        configure(&served, feed.path());
        House { served, feed }
    }

    fn store(&self) -> &Store {
        &self.served.house.store
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.feed.path().join(name), text).unwrap();
    }

    async fn run(&self, name: &str) -> Json {
        run(&self.served, name).await
    }

    async fn bill(&self, asset: Id, purls: &[&str]) -> (u16, Json) {
        bill(&self.served, asset, &document(purls)).await
    }

    async fn verdicts(&self, asset: Id) -> Vec<(String, String)> {
        let mut all = records(self.store(), "configuration.verdict", asset).await;
        all.reverse();
        let text = |record: &Record, name: &str| record.facts[name].as_str().unwrap().to_owned();
        all.iter().map(|r| (text(r, "advisory"), text(r, "impact"))).collect()
    }

    async fn tasks(&self) -> Vec<Row> {
        let filter = Filter { kind: Some("task".to_owned()), limit: 100, ..Filter::default() };
        self.store().list(Table::Task, &filter).await.unwrap()
    }
}

/// Names a folder as the only source.
fn configure(served: &Served, feed: &Path) {
    let text = format!("[[advisories]]\nname = \"feed\"\nfrom = \"{}\"\n", feed.display());
    let settings = toml::from_str(&text).unwrap();
    let configured = served.house.kept.get::<crate::impact::settings::Configured>();
    configured.configure(served.folder.path(), &settings);
}

/// Runs a job of the room as the schedule does.
async fn run(served: &Served, name: &str) -> Json {
    let ctx = Arc::new(room::Ctx { house: served.house.clone(), stream: served.stream.clone() });
    let mut jobs = crate::work::jobs();
    jobs.retain(|job| job.name == name);
    let row = jobs[0].row();
    let schedule = room::Schedule::new(ctx, jobs, format!("test {name}"));
    schedule.declare().await.unwrap();
    served.house.store.job_ask(&row).await.unwrap();
    for running in schedule.look().await.unwrap() {
        running.await.unwrap();
    }
    let done = served.house.store.job(&row).await.unwrap().unwrap();
    assert_eq!(done.last_error, None, "{name}");
    serde_json::from_str(&done.last_result.unwrap()).unwrap()
}

async fn asset(store: &Store, kind: &str, name: &str, attributes: Json) -> Id {
    let mut row = Row::new(Table::Asset, store.new_id().unwrap(), kind, name);
    row.attributes = attributes.as_object().cloned().unwrap();
    let mut write = store.write("test", "", "").await.unwrap();
    let id = write.put(row).await.unwrap().id;
    write.commit().await.unwrap();
    id
}

async fn records(store: &Store, ty: &str, asset: Id) -> Vec<Record> {
    store.newest_records(&[ty], Some(asset), 100).await.unwrap()
}

fn document(purls: &[&str]) -> String {
    let component = |(at, purl): (usize, &&str)| {
        let name = purl.split('@').next().unwrap().rsplit('/').next().unwrap();
        let version = purl.split('@').nth(1).unwrap().split('?').next().unwrap();
        json!({"type": "library", "bom-ref": at.to_string(), "name": name, "version": version, "purl": purl})
    };
    let components: Vec<Json> = purls.iter().enumerate().map(component).collect();
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}).to_string()
}

async fn bill(served: &Served, asset: Id, text: &str) -> (u16, Json) {
    let token = served.token("administrator").await;
    let path = format!("/api/v1/configuration/sboms?asset={asset}");
    let sent = served.with(&token, Method::POST, &path).body(text.to_owned());
    let (status, body) = read(sent).await;
    (status, body)
}

fn osv(id: &str, name: &str, fixed: &str, more: &str) -> String {
    format!(
        r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "summary": "A flaw in {name}", {more}
        "severity": [{{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],
        "affected": [{{"package": {{"ecosystem": "npm", "name": "{name}"}}, "ranges": [{{"type": "SEMVER",
        "events": [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}}]}}"#
    )
}

/// Sends a form as a browser does.
async fn post(
    served: &Served,
    who: &Browser,
    path: &str,
    fields: &[(&str, &str)],
) -> (u16, String) {
    let token = [("csrf", who.csrf.as_str())];
    let encode = |(name, value): &(&str, &str)| format!("{name}={}", urlencoding::encode(value));
    let body: Vec<String> = fields.iter().chain(&token).map(encode).collect();
    let request = served
        .request(Method::POST, path)
        .header("cookie", &who.cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn page(served: &Served, who: &Browser, path: &str) -> String {
    let request = served.request(Method::GET, path).header("cookie", &who.cookie);
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{path}: {text}");
    text
}

#[tokio::test]
async fn a_new_advisory_becomes_a_task_that_the_upgraded_bill_closes() {
    let house = House::start().await;
    let web =
        asset(house.store(), "host", "web-1", json!({"hostname": "web-1", "os": "Debian"})).await;
    let other =
        asset(house.store(), "host", "web-2", json!({"hostname": "web-2", "os": "Debian"})).await;
    assert_eq!(house.bill(web, &["pkg:npm/left@1.0.0", "pkg:npm/right@1.0.0"]).await.0, 201);
    assert_eq!(house.bill(other, &["pkg:npm/left@2.0.0"]).await.0, 201);
    house.put("other.json", &osv("GHSA-9", "nothing", "9.0.0", ""));
    let told = house.run("configuration.advisories").await;
    assert_eq!(told["judged"]["verdicts"], 0, "{told}");
    assert_eq!(records(house.store(), "configuration.impact_run", web).await.len(), 1);

    house.put("left.json", &osv("GHSA-1", "left", "1.5.0", "\"aliases\": [\"CVE-2026-1\"],"));
    let told = house.run("configuration.advisories").await;
    assert_eq!(
        (&told["judged"]["verdicts"], &told["judged"]["tasks_made"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
    assert_eq!(told["judged"]["subjects_judged"], 2, "only versions of the package that is named");
    assert_eq!(house.verdicts(web).await, [("CVE-2026-1".to_owned(), "affected".to_owned())]);
    assert_eq!(house.verdicts(other).await, []);
    let run = records(house.store(), "configuration.impact_run", web).await.remove(0);
    assert_eq!((&run.facts["affected"], &run.facts["advisories_age_h"]), (&json!(1), &json!(0)));
    assert!(run.facts["verdict_min_max"].as_i64().unwrap() <= 1);
    let spec = house.served.house.record_spec("configuration.impact_run").unwrap();
    assert!(spec.validate(&run.facts).is_empty());

    let task = house.tasks().await.remove(0);
    assert_eq!((task.name.as_str(), task.status.as_str()), ("CVE-2026-1: left → 1.5.0", "open"));
    let administrator = house.served.browser("administrator").await;
    let form = [("statement", "done, trust me")];
    let ticked =
        post(&house.served, &administrator, &format!("/tasks/{}/close", task.id), &form).await;
    assert_ne!(ticked.0, 303, "nobody closes it by a tick");
    assert_eq!(house.tasks().await[0].status, "open");

    house.bill(web, &["pkg:npm/left@1.4.9"]).await;
    house.run("configuration.impact").await;
    assert_eq!(house.tasks().await[0].status, "open", "a version that is affected still");
    house.bill(web, &["pkg:npm/left@1.5.0"]).await;
    let told = house.run("configuration.impact").await;
    assert_eq!(told["tasks_closed"], 1, "{told}");
    let task = house.tasks().await.remove(0);
    assert_eq!(task.status, "closed");
    let done = house.store().newest_records(&["configuration.remedied"], None, 10).await.unwrap();
    assert_eq!(task.attributes["closed_by"], json!(done[0].id.to_string()));
    assert_eq!((done.len(), &done[0].facts["fixed"]), (1, &json!(1)));
    assert_eq!(house.verdicts(web).await.last().unwrap().1, "not_affected");
    let told = house.run("configuration.impact").await;
    assert_eq!((&told["assets_told"], &told["tasks_made"]), (&json!(0), &json!(0)), "{told}");
}

#[tokio::test]
async fn a_withdrawn_advisory_affects_nobody_and_its_task_ends_without_being_called_fixed() {
    let house = House::start().await;
    let web = asset(house.store(), "host", "web-1", json!({"hostname": "web-1", "os": "x"})).await;
    house.bill(web, &["pkg:npm/left@1.0.0"]).await;
    house.put("left.json", &osv("GHSA-1", "left", "1.5.0", ""));
    house.put("keep.json", &osv("GHSA-2", "left", "0.5.0", ""));
    house.run("configuration.advisories").await;
    assert_eq!(house.tasks().await.len(), 1);
    house.put(
        "left.json",
        &osv("GHSA-1", "left", "1.5.0", "\"withdrawn\": \"2026-02-02T00:00:00Z\","),
    );
    let told = house.run("configuration.advisories").await;
    assert_eq!(told["judged"]["tasks_closed"], 1, "{told}");
    let done = house.store().newest_records(&["configuration.remedied"], None, 10).await.unwrap();
    assert_eq!((&done[0].facts["fixed"], &done[0].facts["gone"]), (&json!(0), &json!(1)));
    assert_eq!(house.verdicts(web).await.last().unwrap().1, "not_affected");
    let who = house.served.browser("officer").await;
    let text = page(&house.served, &who, "/configuration/advisory/GHSA-1").await;
    assert!(text.contains("The advisory was withdrawn."), "{text}");
}

#[tokio::test]
async fn what_is_broken_is_put_aside_and_a_feed_that_goes_is_never_taken_for_no_vulnerabilities() {
    let house = House::start().await;
    let web = asset(house.store(), "host", "web-1", json!({"hostname": "web-1", "os": "x"})).await;
    house.bill(web, &["pkg:npm/left@1.0.0", "pkg:pypi/odd@1.0"]).await;
    house.put("left.json", &osv("GHSA-1", "left", "1.5.0", ""));
    house.put("broken.json", "{\"id\": \"GHSA-2\", \"affected\": 5");
    house.run("configuration.advisories").await;
    let token = house.served.token("auditor").await;
    let sources = |path: &'static str| {
        let request = house.served.with(&token, Method::GET, path);
        async move { read(request).await.1 }
    };
    let told = sources("/api/v1/configuration/advisories").await;
    let feed = &told["sources"][0];
    assert_eq!((&feed["advisories"], &feed["quarantined"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(feed["quarantine"][0]["document"], "broken.json");
    let run = records(house.store(), "configuration.impact_run", web).await.remove(0);
    assert_eq!(run.facts["uncovered"], 1, "no advisory speaks of PyPI");

    // The advisory breaks: what it said stands. Then the folder is empty, then gone.
    house.put("left.json", "{\"id\": ");
    house.run("configuration.advisories").await;
    for name in ["left.json", "broken.json"] {
        fs::remove_file(house.feed.path().join(name)).unwrap();
    }
    let told = house.run("configuration.advisories").await;
    assert!(told["sources"]["feed"]["failed"].is_string(), "{told}");
    let gone = tempfile::tempdir().unwrap();
    let nowhere = gone.path().join("nowhere");
    configure(&house.served, &nowhere);
    let told = house.run("configuration.advisories").await;
    assert!(told["sources"]["feed"]["failed"].is_string(), "{told}");
    assert_eq!(house.tasks().await[0].status, "open");
    assert_eq!(house.verdicts(web).await, [("GHSA-1".to_owned(), "affected".to_owned())]);
    let who = house.served.browser("officer").await;
    let text = page(&house.served, &who, "/configuration/impact").await;
    assert!(text.contains("GHSA-1") && text.contains("nowhere"), "{text}");
    assert!(text.contains("Vulnerabilities that touch us:"), "{text}");
}

#[tokio::test]
async fn an_invalid_bill_is_refused_with_its_places_and_nothing_is_kept() {
    let house = House::start().await;
    let app =
        asset(house.store(), "software", "App", json!({"type": "own_product", "version": "1"}))
            .await;
    let wrong = document(&["pkg:npm/left@1.0.0"]).replace("\"library\"", "\"nonsense\"");
    let (status, body) = bill(&house.served, app, &wrong).await;
    assert_eq!(status, 422, "{body}");
    assert_eq!(body["errors"][0]["pointer"], "/components/0/type");
    let officer = house.served.browser("officer").await;
    let part = |name: &str, more: &str, value: &str| {
        format!("--AB\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
    };
    let body = [
        part("csrf", "", &officer.csrf),
        part("asset", "", &app.to_string()),
        part("file", "; filename=\"a.json\"", &wrong),
        "--AB--\r\n".to_owned(),
    ];
    let sent = house
        .served
        .request(Method::POST, "/configuration/sboms")
        .header("cookie", &officer.cookie)
        .header("content-type", "multipart/form-data; boundary=AB")
        .body(body.concat());
    let response = sent.send().await.unwrap();
    assert_eq!(response.status(), 422);
    assert!(response.text().await.unwrap().contains("/components/0/type"));
    assert_eq!(records(house.store(), "configuration.sbom", app).await, []);
    let foreign = Id::nil();
    assert_eq!(bill(&house.served, foreign, "{}").await.0, 404);
    let auditor = house.served.token("auditor").await;
    let path = format!("/api/v1/configuration/sboms?asset={app}");
    assert_eq!(read(house.served.with(&auditor, Method::POST, &path).body("{}")).await.0, 403);
}

#[tokio::test]
async fn a_supplier_is_asked_and_the_bill_that_answers_closes_the_task() {
    let house = House::start().await;
    let app =
        asset(house.store(), "software", "App", json!({"type": "application", "version": "1"}))
            .await;
    house.bill(app, &["pkg:npm/left@1.0.0"]).await;
    let officer = house.served.browser("officer").await;
    let path = format!("/configuration/sbom/{app}");
    let text = page(&house.served, &officer, &path).await;
    assert!(text.contains("Unknown below:") && text.contains("- left 1.0.0"), "{text}");
    assert_eq!(post(&house.served, &officer, &format!("{path}/ask"), &[]).await.0, 303);
    let bills = records(house.store(), "configuration.sbom", app).await;
    assert!(bills.iter().any(|bill| bill.facts["supplier_asked"] == json!(true)));
    assert_eq!(house.tasks().await[0].status, "open");
    let mut whole: Json = serde_json::from_str(&document(&["pkg:npm/left@1.0.0"])).unwrap();
    whole["compositions"] = json!([{"aggregate": "complete", "assemblies": ["0"]}]);
    let (status, record) = bill(&house.served, app, &whole.to_string()).await;
    assert_eq!((status, &record["facts"]["depth_complete"]), (201, &json!(true)), "{record}");
    assert_eq!(house.tasks().await[0].status, "closed");
    for format in
        ["cyclonedx-json", "cyclonedx-xml@1.4", "spdx-json", "spdx-tag-value", "spdx3-json"]
    {
        let token = house.served.token("auditor").await;
        let path = format!("/api/v1/configuration/sboms/{app}?format={format}");
        let response = house.served.with(&token, Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{format}");
        let text = response.text().await.unwrap();
        assert!(text.contains("left") && text.contains("1.0.0"), "{format}: {text}");
    }
}

#[tokio::test]
async fn a_decision_closes_the_task_survives_an_upgrade_and_reopens_with_its_fact() {
    let house = House::start().await;
    let (served, store) = (&house.served, house.store());
    let web = asset(store, "host", "web-1", json!({"hostname": "web-1", "os": "x"})).await;
    house.bill(web, &["pkg:npm/left@1.0.0"]).await;
    house.put("a.json", &osv("CVE-2026-1", "left", "1.5.0", ""));
    snapshot(store, web, "PermitRootLogin no\n").await;
    house.run("configuration.advisories").await;
    let officer = served.browser("officer").await;
    let path = "/configuration/advisory/CVE-2026-1/vex";
    let fields = [
        ("package", "pkg:npm/left"),
        ("status", "not_affected"),
        ("justification", "vulnerable_code_not_in_execute_path"),
        ("fact", "sshd/permitrootlogin"),
        ("reason", "only root could call it"),
        ("months", "3"),
        ("password", "wrong"),
        ("code", "000000"),
    ];
    let without = [&fields[..2], &fields[3..]].concat();
    let (status, text) = post(served, &officer, path, &without).await;
    assert!(status == 400 && text.contains("justification"), "{status} {text}");
    let (status, text) = post(served, &officer, path, &fields).await;
    assert!(
        status == 400 && text.contains("password"),
        "nobody signs without showing who they are: {text}"
    );
    let elsewhere = [&[("package", "pkg:npm/other")], &fields[1..]].concat();
    assert_eq!(post(served, &officer, path, &elsewhere).await.0, 400);
    let auditor = served.browser("auditor").await;
    assert_eq!(post(served, &auditor, path, &fields).await.0, 403);
    assert!(store.all(Table::Decision, &["vex_statement"]).await.unwrap().is_empty());

    decide(store, "sshd/permitrootlogin = no").await;
    let told = house.run("configuration.impact").await;
    assert_eq!(told["tasks_closed"], 1, "{told}");
    assert_eq!(house.tasks().await[0].status, "closed");
    let done = store.newest_records(&["configuration.remedied"], None, 10).await.unwrap();
    assert_eq!((&done[0].facts["fixed"], &done[0].facts["decided"]), (&json!(0), &json!(1)));
    assert_eq!(house.verdicts(web).await.last().unwrap().1, "not_affected");
    house.bill(web, &["pkg:npm/left@1.1.0"]).await;
    let told = house.run("configuration.impact").await;
    assert_eq!((&told["verdicts"], &told["tasks_made"]), (&json!(0), &json!(0)), "{told}");
    let token = served.token("auditor").await;
    for form in ["openvex", "cyclonedx", "csaf-2.0", "csaf-2.1"] {
        let path = format!("/api/v1/configuration/vex?form={form}");
        let (status, body) = read(served.with(&token, Method::GET, &path)).await;
        let said = sbom::vex::read(body.to_string().as_bytes(), &sbom::Limits::DEFAULT);
        assert_eq!((status, said.statements.len()), (200, 1), "{form}: {body}");
    }
    assert_eq!(
        read(served.with(&token, Method::GET, "/api/v1/configuration/vex?form=x")).await.0,
        422
    );

    snapshot(store, web, "PermitRootLogin yes\n").await;
    let told = house.run("configuration.impact").await;
    assert_eq!(told["tasks_made"], 1, "{told}");
    assert_eq!(house.verdicts(web).await.last().unwrap().1, "affected");
    let text = page(served, &officer, "/configuration/advisory/CVE-2026-1").await;
    assert!(text.contains("A decision reopened:"), "{text}");
}

/// A decision as it stands once it is signed.
async fn decide(store: &Store, fact: &str) {
    let mut row = Row::new(Table::Decision, store.new_id().unwrap(), "vex_statement", "CVE-2026-1");
    row.status = "approved".to_owned();
    row.ends_at = Some(store.now().plus_hours(24));
    let attributes = json!({
        "advisory": "CVE-2026-1", "purl": "pkg:npm/left", "status": "not_affected", "fact": fact,
        "justification": "vulnerable_code_not_in_execute_path", "signer": "officer",
    });
    row.attributes = attributes.as_object().cloned().unwrap();
    let mut write = store.write("test", "", "").await.unwrap();
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
}

/// A snapshot of a root with this configuration of sshd.
async fn snapshot(store: &Store, host: Id, sshd: &str) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/ssh")).unwrap();
    fs::write(root.path().join("etc/ssh/sshd_config"), sshd).unwrap();
    let key = crate::work::keys::of_file(&root.path().join("key")).unwrap();
    let facts = crate::work::collect::collect(root.path(), false, false, &key).unwrap();
    let summary = crate::work::collect::summary(&facts);
    let mut draft = room::draft("configuration.snapshot", Some(host), store.now(), summary);
    draft.payload = Some(facts.to_document().to_string().into_bytes());
    room::write(store, "test", draft).await.unwrap();
}

#[tokio::test]
async fn statements_of_a_supplier_speak_and_a_component_is_found_over_all_assets() {
    let house = House::start().await;
    let web = asset(house.store(), "host", "web-1", json!({"hostname": "web-1", "os": "x"})).await;
    house
        .bill(
            web,
            &[
                "pkg:npm/left@1.0.0",
                "pkg:deb/debian/libssl3@3.0.13-1?distro=bookworm&upstream=openssl",
            ],
        )
        .await;
    house.put("left.json", &osv("GHSA-1", "left", "1.5.0", "\"aliases\": [\"CVE-2026-1\"],"));
    house.run("configuration.advisories").await;
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://a.example/1",
        "author": "Left Ltd", "timestamp": "2026-01-01T00:00:00Z", "version": 1,
        "statements": [{"vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/left"}],
            "status": "not_affected", "justification": "component_not_present"}],
    });
    let token = house.served.token("administrator").await;
    let send = |body: String| {
        house.served.with(&token, Method::POST, "/api/v1/configuration/vex").body(body)
    };
    assert_eq!(read(send("{}".to_owned())).await.0, 422);
    assert_eq!(read(send(vex.to_string())).await.0, 201);
    house.run("configuration.impact").await;
    assert_eq!(house.verdicts(web).await.last().unwrap().1, "not_affected");
    let path = "/api/v1/configuration/components?name=openssl&below=3.0.14";
    let (_, found) = read(house.served.with(&token, Method::GET, path)).await;
    assert_eq!(found["components"][0]["name"], "web-1", "{found}");
    let path = "/api/v1/configuration/components?name=openssl&below=3.0.13";
    let (_, found) = read(house.served.with(&token, Method::GET, path)).await;
    assert_eq!(found["components"], json!([]));
    let who = house.served.browser("officer").await;
    for path in [
        "/configuration/impact",
        "/configuration/sboms",
        "/configuration/vex",
        "/configuration/components?name=left",
        "/configuration/advisory/GHSA-1",
        &format!("/configuration/sbom/{web}"),
    ] {
        let text = page(&house.served, &who, path).await;
        assert!(!text.contains(" style=") && !text.contains("<script>"), "{path}");
    }
}
