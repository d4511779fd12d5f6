//! What of a row a role is shown, on the real router and on both databases.

use model::{Id, Table};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Row, Store};
use web::access::{Action, ROLES, allowed, sees_personal};

#[path = "../src/events.rs"]
mod events;
#[allow(dead_code)]
#[path = "../src/intake_http.rs"]
mod intake_http;
#[allow(dead_code)]
#[path = "../src/jobs_page.rs"]
mod jobs_page;
#[path = "../src/personal.rs"]
mod personal;
#[path = "../src/rooms.rs"]
mod rooms;
#[path = "../src/routes.rs"]
mod routes;
mod served;

use served::{Browser, Served};

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
    let store = store.with_personal(personal::kinds());
    store.settle_index().await.unwrap();
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
        for role in ROLES.into_iter().filter(|r| allowed(r, Action::Read)) {
            let (sees, browser) = (sees_personal(role), served.browser(role).await);
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
        for role in ROLES.into_iter().filter(|r| allowed(r, Action::Read)) {
            let (sees, browser) = (sees_personal(role), served.browser(role).await);
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
