//! What of a row a role is shown, on the real router and on both databases.

use model::{Id, Table};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Row, Store};
use web::access::{Action, ROLES, Scope, scope, sees_personal};

use crate::{
    declared, rooms,
    served::{Browser, Served},
};

/// Stands in personal fields, and nowhere else.
const SECRET: &str = "kumquat";

/// A server over each database there is.
async fn everywhere(name: &str) -> Vec<Served> {
    let mut all = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    all.push(serve(store, folder).await);
    let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
        println!("skipped: no PostgreSQL");
        return all;
    };
    let name = format!("ume_permission_{name}_{}", std::process::id());
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    let admin = store::Db::postgres(&server).await.unwrap();
    for sql in
        [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")]
    {
        admin.fetch(&sql, &[]).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{host}/{name}?{query}");
    let store = Store::connect(&url, store::system_clock()).await.unwrap();
    all.push(serve(store.with_keys(folder.path()).await.unwrap(), folder).await);
    all
}

async fn serve(store: Store, folder: tempfile::TempDir) -> Served {
    let store = declared::settled(store).await.unwrap();
    let served = Served::over(store, folder, 1_000_000).await;
    let board = isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap();
    served.board.put(board);
    served
}

async fn put(served: &Served, row: Row) -> Row {
    let mut write = served.house.store.write("test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

fn row(served: &Served, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
    let mut row = Row::new(table, served.house.store.new_id().unwrap(), kind, name);
    row.attributes = attributes.as_object().cloned().unwrap();
    row
}

async fn show(served: &Served, who: &Browser, path: &str) -> (u16, Vec<u8>) {
    let request = served.request(Method::GET, path).header(header::COOKIE, &who.cookie);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Roles that read every row; the others see what the last tests are about.
fn everywhere_reads(role: &&str) -> bool {
    scope(role, Action::Read, Table::Party, false) == Some(Scope::All)
}

fn person_kind(served: &Served) -> &'static model::KindSpec {
    served.house.kind(Table::Party, "person").unwrap().1
}

/// A person with two versions, whose personal fields hold the secret.
async fn person(served: &Served) -> Id {
    let attributes = json!({
        "department": "orchard",
        "mail": format!("{SECRET}@example.jp"),
        "phone": format!("{SECRET} 1"),
    });
    let first = put(served, row(served, Table::Party, "person", "Mori", attributes)).await;
    let id = first.id;
    let mut second = first;
    second.attributes.insert("phone".to_owned(), format!("{SECRET} 2").into());
    put(served, second).await;
    id
}

#[tokio::test]
async fn personal_fields_leave_the_house_only_towards_roles_that_see_them() {
    for served in everywhere("fields").await {
        let id = person(&served).await;
        let list = "/register/party/person";
        let api = "/api/v1/parties";
        let pages = [
            format!("/row/party/{id}"),
            format!("{list}/export"),
            format!("{list}/export?bom=0"),
            format!("{list}/export.json"),
            format!("{api}/{id}"),
            format!("{api}/{id}/history"),
            format!("{api}/{id}?as_of=2100-01-01T00:00:00Z"),
            format!("{api}?kind=person"),
            format!("{api}?kind=person&as_of=2100-01-01T00:00:00Z"),
        ];
        for role in ROLES.into_iter().filter(everywhere_reads) {
            let (sees, browser) =
                (sees_personal(role, person_kind(&served)), served.browser(role).await);
            for path in &pages {
                let (status, body) = show(&served, &browser, path).await;
                assert_eq!((status, holds(&body, SECRET)), (200, sees), "{role} {path}");
                assert!(holds(&body, "Mori") || path.ends_with(".json"), "{role} {path}");
            }
            // A full export has no column for what is not seen, so that no import takes it for empty.
            let (_, body) = show(&served, &browser, &format!("{list}/export")).await;
            assert_eq!(holds(&body, "Phone"), sees, "{role}");
            let (_, body) = show(&served, &browser, &format!("{list}/export.xlsx")).await;
            let sheet = reports::read(&body).unwrap();
            assert_eq!(format!("{sheet:?}").contains(SECRET), sees, "{role}");
            assert_eq!(format!("{sheet:?}").contains("Phone"), sees, "{role}");
            // The same with a token, and as shown.
            let token = served.token(role).await;
            let request = served.with(&token, Method::GET, &format!("{api}/{id}"));
            let body = request.send().await.unwrap().text().await.unwrap();
            assert_eq!(body.contains(SECRET), sees, "{role}");
            assert!(body.contains("orchard"), "{role}");
        }
    }
}

#[tokio::test]
async fn nobody_finds_sorts_or_narrows_by_personal_fields_that_are_not_shown() {
    for served in everywhere("words").await {
        let id = person(&served).await.to_string();
        for role in ROLES.into_iter().filter(everywhere_reads) {
            let (sees, browser) =
                (sees_personal(role, person_kind(&served)), served.browser(role).await);
            for path in ["/search?q=", "/register/party/person?q=", "/api/v1/parties?q="] {
                let (_, body) = show(&served, &browser, &format!("{path}{SECRET}")).await;
                assert_eq!(holds(&body, &id), sees, "{role} {path}");
                let (_, body) = show(&served, &browser, &format!("{path}orchard")).await;
                assert!(holds(&body, &id), "{role} {path}");
            }
            for asked in ["where=phone:starts:kum", "sort=phone", "col=phone", "where=mail:set:"] {
                for file in ["", "/export", "/export.json", "/export.xlsx"] {
                    let path = format!("/register/party/person{file}?{asked}");
                    let (status, body) = show(&served, &browser, &path).await;
                    assert_eq!(status, if sees { 200 } else { 403 }, "{role} {path}");
                    let told = holds(&body, "This field is personal");
                    assert!(sees || told, "{role} {path}");
                }
            }
        }
    }
}

/// Ids of what stands in the registers of the test below, by a word for each.
struct Rows(Vec<(&'static str, Row)>);

impl Rows {
    fn of(&self, word: &str) -> &Row {
        &self.0.iter().find(|(w, _)| *w == word).unwrap().1
    }
}

/// Two departments with a person each, both with accounts named as the roles, and rows of theirs.
async fn company(served: &Served) -> Rows {
    for role in ["department", "employee"] {
        served.account(role).await;
    }
    let mut rows = Rows(Vec::new());
    let people =
        [("ito", "sales", "department"), ("abe", "sales", "employee"), ("ota", "works", "")];
    for (name, department, account) in people {
        let mut attributes = json!({"department": department});
        if !account.is_empty() {
            attributes["account"] = account.into();
        }
        let person = row(served, Table::Party, "person", name, attributes);
        rows.0.push((name, put(served, person).await));
    }
    let host = |name: &str, attributes: Json| {
        let mut attributes = attributes;
        attributes["hostname"] = name.into();
        row(served, Table::Asset, "host", name, attributes)
    };
    let ids = ["ito", "abe", "ota"].map(|word| rows.of(word).id);
    for (name, administrator) in [
        ("hostsales", Some(ids[0])),
        ("hostown", Some(ids[1])),
        ("hostworks", Some(ids[2])),
        ("hostfree", None),
    ] {
        let attributes = match administrator {
            Some(id) => json!({"administrator": id}),
            None => json!({}),
        };
        rows.0.push((name, put(served, host(name, attributes)).await));
    }
    for (name, about) in [("tasksales", "hostsales"), ("taskworks", "hostworks")] {
        let mut task = row(served, Table::Task, "task", name, json!({"due": "2026-12-31"}));
        task.status = "open".to_owned();
        task.subject = Some(rows.of(about).id);
        rows.0.push((name, put(served, task).await));
    }
    rows
}

/// What each of the two limited roles sees of the company.
const SEEN: [(&str, &[&str]); 2] = [
    ("department", &["ito", "abe", "hostsales", "hostown", "hostfree", "tasksales"]),
    ("employee", &["abe", "hostown"]),
];

fn collection(table: Table) -> &'static str {
    web::api::collection(table)
}

#[tokio::test]
async fn a_row_beyond_the_scope_is_as_absent_as_one_that_is_not_there() {
    for served in everywhere("scope").await {
        let rows = company(&served).await;
        for (role, seen) in SEEN {
            let browser = served.browser(role).await;
            for (word, row) in &rows.0 {
                let sees = seen.contains(word);
                let (table, id) = (row.table.name(), row.id);
                let api = format!("/api/v1/{}", collection(row.table));
                for path in [
                    format!("/row/{table}/{id}"),
                    format!("{api}/{id}"),
                    format!("{api}/{id}/history"),
                    format!("{api}/{id}?as_of=2100-01-01T00:00:00Z"),
                ] {
                    let (status, _) = show(&served, &browser, &path).await;
                    assert_eq!(status, if sees { 200 } else { 404 }, "{role} {word} {path}");
                }
                let kind = &row.kind;
                for path in [
                    format!("/register/{table}/{kind}"),
                    format!("/register/{table}/{kind}?q={word}"),
                    format!("/register/{table}/{kind}/export"),
                    format!("/register/{table}/{kind}/export?shown=1"),
                    format!("/register/{table}/{kind}/export.json"),
                    format!("{api}?kind={kind}"),
                    format!("{api}?q={word}"),
                    format!("{api}?as_of=2100-01-01T00:00:00Z"),
                ] {
                    let (status, body) = show(&served, &browser, &path).await;
                    assert_eq!(status, 200, "{role} {path}");
                    // A word that was searched for stands in the page itself.
                    let text =
                        if path.contains("shown") { row.name.clone() } else { id.to_string() };
                    assert_eq!(holds(&body, &text), sees, "{role} {word} {path}");
                }
                let (_, body) = show(&served, &browser, &format!("/search?q={word}")).await;
                assert_eq!(holds(&body, &id.to_string()), sees, "{role} {word} search");
            }
            let (status, body) = show(&served, &browser, "/").await;
            assert!(status == 200 && !holds(&body, "hostworks") && !holds(&body, "taskworks"));
            let (status, body) = show(&served, &browser, "/tasks").await;
            assert!(status == 200 && !holds(&body, "taskworks"), "{role}");
        }
    }
}

async fn patch(served: &Served, token: &str, row: &Row, body: Json) -> u16 {
    let path = format!("/api/v1/{}/{}", collection(row.table), row.id);
    let request = served
        .with(token, Method::PATCH, &path)
        .header(header::IF_MATCH, format!("\"{}\"", row.version));
    request.json(&body).send().await.unwrap().status().as_u16()
}

async fn post(served: &Served, who: &Browser, path: &str, fields: &[(&str, &str)]) -> u16 {
    let mut all = vec![("csrf", who.csrf.as_str())];
    all.extend(fields);
    let encoded = |(name, value): &(&str, &str)| format!("{name}={}", urlencoding::encode(value));
    let body = all.iter().map(encoded).collect::<Vec<_>>().join("&");
    let request = served
        .request(Method::POST, path)
        .header(header::COOKIE, &who.cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn each_way_of_writing_ends_where_the_scope_ends() {
    for served in everywhere("write").await {
        let rows = company(&served).await;
        let token = served.token("department").await;
        let ito = served.browser("department").await;
        let note = |text: &str| json!({"attributes": {"os": text}});
        for (word, status) in [
            ("hostsales", 200),
            ("hostworks", 404),
            ("hostfree", 403),
            ("ito", 403),
            ("taskworks", 404),
        ] {
            assert_eq!(
                patch(&served, &token, rows.of(word), note("x")).await,
                if word == "ito" { 422 } else { status },
                "{word}"
            );
        }
        assert_eq!(patch(&served, &token, rows.of("ito"), json!({"name": "x"})).await, 403);
        // Giving a row away to another department is beyond the scope as well.
        let away = json!({"attributes": {"administrator": rows.of("ota").id}});
        let newest =
            served.house.store.row(Table::Asset, rows.of("hostsales").id).await.unwrap().unwrap();
        assert_eq!(patch(&served, &token, &newest, away).await, 403);

        // Forms: to add, to change, to delete, to link, to change many, to hand in.
        let fields = [("name", "made"), ("f_hostname", "made"), ("f_os", "x"), ("version", "0")];
        assert_eq!(post(&served, &ito, "/register/asset/host/new", &fields).await, 303);
        let made = served.house.store.all(Table::Asset, &["host"]).await.unwrap();
        let made = made.iter().find(|row| row.name == "made").unwrap();
        assert_eq!(made.owner, Some(rows.of("ito").id));
        assert_eq!(post(&served, &ito, "/register/party/person/new", &[("name", "x")]).await, 403);
        for (word, status) in [("hostfree", 403), ("hostworks", 404)] {
            let row = rows.of(word);
            let at = format!("/row/asset/{}", row.id);
            let change = [("name", "x"), ("f_hostname", "x"), ("f_os", "x"), ("version", "1")];
            assert_eq!(post(&served, &ito, &format!("{at}/edit"), &change).await, status, "{word}");
            assert_eq!(
                post(&served, &ito, &format!("{at}/delete"), &[("version", "1")]).await,
                status
            );
            let object = rows.of("hostsales").id.to_string();
            let link = [("kind", "protects"), ("object", object.as_str())];
            let linked = post(&served, &ito, &format!("{at}/link"), &link).await;
            assert!(linked == 403 || linked == 404, "{word} {linked}");
            let chosen = format!("{} 1", row.id);
            let many = [
                ("set", "os"),
                ("to", "x"),
                ("step", "save"),
                ("reason", "r"),
                ("row", chosen.as_str()),
            ];
            assert_eq!(
                post(&served, &ito, "/register/asset/host/bulk", &many).await,
                403,
                "{word}"
            );
            let now = served.house.store.row(Table::Asset, row.id).await.unwrap().unwrap();
            assert_eq!(&now, row, "{word}");
        }
        // An import takes all or nothing, and names the row that lies beyond.
        let host = rows.of("hostfree").clone();
        let body = "name,hostname,os\nhostfree,changed,x\n";
        let request = served.with(&token, Method::POST, "/api/v1/assets/import?kind=host");
        let request = request.header(header::CONTENT_TYPE, "text/csv").body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 422);
        let text = answer.text().await.unwrap();
        assert!(text.contains("\"faults\"") || text.contains("A2"), "{text}");
        let now = served.house.store.row(Table::Asset, host.id).await.unwrap().unwrap();
        assert_eq!(now, host);
        // Risk owners write what they answer for, and nothing else; an employee asks, and that is all.
        let risk_owner = served.token("risk_owner").await;
        assert_eq!(patch(&served, &risk_owner, rows.of("hostfree"), note("x")).await, 403);
        assert_eq!(
            patch(&served, &risk_owner, rows.of("tasksales"), json!({"name": "y"})).await,
            200
        );
        let employee = served.token("employee").await;
        assert_eq!(patch(&served, &employee, rows.of("hostown"), note("x")).await, 403);
        let ask = |requester: Id| {
            json!({"kind": "change", "name": "please", "attributes": {
                "type": "normal", "reason": "r", "scope": {"hosts": []}, "requester": requester,
                "from": "2026-12-01T00:00:00Z", "to": "2026-12-02T00:00:00Z", "undo": "u"}})
        };
        let request = served.with(&employee, Method::POST, "/api/v1/plans");
        let made = request.json(&ask(rows.of("abe").id)).send().await.unwrap();
        let (status, text) = (made.status(), made.text().await.unwrap());
        assert_eq!(status, 201, "{text}");
    }
}

/// Two sites with a zone each, and hosts in the zones, at a site by a link, and nowhere.
async fn places(served: &Served) -> Rows {
    let mut rows = Rows(Vec::new());
    for (site, zone, host) in
        [("kyoto", "kyotoroom", "kyotohost"), ("nara", "nararoom", "narahost")]
    {
        let at = row(served, Table::Asset, "site", site, json!({"address": "1-1"}));
        let at = put(served, at).await;
        let attributes = json!({"site": at.id, "grade": "3"});
        let room = put(served, row(served, Table::Asset, "zone", zone, attributes)).await;
        let machine = row(served, Table::Asset, "host", host, json!({"hostname": host}));
        let machine = put(served, machine).await;
        let mut link = row(served, Table::Link, "located_in", "", json!({}));
        (link.subject, link.object) = (Some(machine.id), Some(room.id));
        put(served, link).await;
        let person =
            row(served, Table::Party, "person", &format!("{site}person"), json!({"site": at.id}));
        let mut task =
            row(served, Table::Task, "task", &format!("{site}task"), json!({"due": "2026-12-31"}));
        task.status = "open".to_owned();
        task.subject = Some(machine.id);
        let [place, person_word, task_word] = match site {
            "kyoto" => ["kyotoroom", "kyotoperson", "kyototask"],
            _ => ["nararoom", "naraperson", "naratask"],
        };
        rows.0.push((person_word, put(served, person).await));
        rows.0.push((task_word, put(served, task).await));
        rows.0.extend([(site, at), (place, room), (host, machine)]);
    }
    let free = row(served, Table::Asset, "host", "freehost", json!({"hostname": "freehost"}));
    rows.0.push(("freehost", put(served, free).await));
    rows
}

async fn narrow(served: &Served, role: &str, sites: &[Id]) {
    let account = served.house.store.account(role).await.unwrap().unwrap();
    let change = store::AccountChange::Sites(sites);
    assert!(served.house.store.change_account("test", &account, change).await.unwrap());
}

#[tokio::test]
async fn an_account_narrowed_to_a_site_meets_another_sites_rows_nowhere() {
    for served in everywhere("sites").await {
        let rows = places(&served).await;
        for role in ["administrator", "risk_owner", "executive", "auditor", "department"] {
            let browser = served.browser(role).await;
            let token = served.token(role).await;
            narrow(&served, role, &[rows.of("kyoto").id]).await;
            for (word, row) in &rows.0 {
                let sees = !word.starts_with("nara");
                let (table, id, kind) = (row.table.name(), row.id, &row.kind);
                let api = format!("/api/v1/{}", collection(row.table));
                for path in [
                    format!("/row/{table}/{id}"),
                    format!("{api}/{id}"),
                    format!("{api}/{id}/history"),
                    format!("{api}/{id}?as_of=2100-01-01T00:00:00Z"),
                ] {
                    let (status, _) = show(&served, &browser, &path).await;
                    assert_eq!(status, if sees { 200 } else { 404 }, "{role} {word} {path}");
                }
                for path in [
                    format!("/register/{table}/{kind}"),
                    format!("/register/{table}/{kind}/export.json"),
                    format!("{api}?kind={kind}"),
                    format!("{api}?as_of=2100-01-01T00:00:00Z"),
                    format!("/search?q={word}"),
                ] {
                    let (status, body) = show(&served, &browser, &path).await;
                    assert_eq!(status, 200, "{role} {path}");
                    assert_eq!(holds(&body, &id.to_string()), sees, "{role} {word} {path}");
                }
            }
            for path in ["/", "/tasks", "/approvals", "/records"] {
                let (status, body) = show(&served, &browser, path).await;
                assert!(status == 200 && !holds(&body, "nara"), "{role} {path} {status}");
            }
            // What concerns no single row is closed, and so are the accounts.
            for path in ["/people", "/events", "/work", "/ledger", "/agents"] {
                assert_eq!(show(&served, &browser, path).await.0, 403, "{role} {path}");
            }
            let writes = role == "administrator";
            let note = json!({"attributes": {"os": "x"}});
            let id = rows.of("kyotohost").id;
            let newest = served.house.store.row(Table::Asset, id).await.unwrap().unwrap();
            let here = patch(&served, &token, &newest, note.clone()).await;
            assert_eq!(here, if writes { 200 } else { 403 }, "{role}");
            let there = patch(&served, &token, rows.of("narahost"), note).await;
            assert!(there == 404 || !writes && there == 403, "{role} {there}");
            let person = patch(&served, &token, rows.of("kyotoperson"), json!({"name": "x"})).await;
            assert_eq!(person, 403, "{role}");
            narrow(&served, role, &[]).await;
            let (status, _) =
                show(&served, &browser, &format!("/row/asset/{}", rows.of("narahost").id)).await;
            assert_eq!(status, 200, "{role}");
        }
    }
}

#[tokio::test]
async fn only_an_officer_narrows_an_account_and_the_page_shows_it() {
    let served = Served::start(1_000_000).await;
    let rows = places(&served).await;
    served.account("auditor").await;
    let auditor = served.house.store.account("auditor").await.unwrap().unwrap();
    let (officer, administrator) =
        (served.browser("officer").await, served.browser("administrator").await);
    for who in [&officer, &administrator] {
        let token = who.cookie.strip_prefix("ume=").unwrap();
        served.house.store.confirm_session(token).await.unwrap();
    }
    let at = format!("/people/{}/change", auditor.id);
    let kyoto = rows.of("kyoto").id.to_string();
    let sites = [("change", "sites"), ("site", kyoto.as_str())];
    assert_eq!(post(&served, &administrator, &at, &sites).await, 400);
    assert_eq!(post(&served, &officer, &at, &sites).await, 303);
    let found = served.house.store.account("auditor").await.unwrap().unwrap();
    assert_eq!(found.sites, [rows.of("kyoto").id]);
    for path in ["/people".to_owned(), format!("/people/{}", auditor.id)] {
        let (_, body) = show(&served, &officer, &path).await;
        assert!(holds(&body, "kyoto"), "{path}");
    }
    // A host is no site.
    let host = rows.of("kyotohost").id.to_string();
    let sites = [("change", "sites"), ("site", host.as_str())];
    assert_eq!(post(&served, &officer, &at, &sites).await, 400);
    assert_eq!(post(&served, &officer, &at, &[("change", "sites")]).await, 303);
    let found = served.house.store.account("auditor").await.unwrap().unwrap();
    assert!(found.sites.is_empty());
}

#[tokio::test]
async fn the_page_of_accounts_says_in_words_what_each_role_may_do() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let (_, body) = show(&served, &officer, "/people").await;
    let page = String::from_utf8(body).unwrap();
    for grant in web::access::GRANTS {
        assert!(page.contains(web::access::grant_text(grant).en), "{grant:?}");
    }
}
