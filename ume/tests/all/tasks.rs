//! Tasks and notices over HTTP: who sees and closes what, and what a foreign form gets.

use model::{Id, Lang, Table};
use reqwest::{Method, header};
use serde_json::json;
use store::Row;

use crate::served::{Browser, Served};

async fn put(served: &Served, row: Row) -> Id {
    let mut write = served.house.store.write("test", "", "").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row.id
}

async fn task(served: &Served, name: &str, role: &str) -> Id {
    let mut row = Row::new(Table::Task, served.house.store.new_id().unwrap(), "task", name);
    row.status = "open".to_owned();
    row.attributes = json!({"due": "2026-01-31", "role": role}).as_object().cloned().unwrap();
    put(served, row).await
}

async fn get(served: &Served, browser: &Browser, path: &str) -> (u16, String) {
    let request = served.request(Method::GET, path).header(header::COOKIE, &browser.cookie);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn send(served: &Served, browser: &Browser, path: &str, body: &str) -> u16 {
    let request = served
        .request(Method::POST, path)
        .header(header::COOKIE, &browser.cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("csrf={}&{body}", browser.csrf));
    request.send().await.unwrap().status().as_u16()
}

async fn status(served: &Served, id: Id) -> String {
    served.house.store.row(Table::Task, id).await.unwrap().unwrap().status
}

#[tokio::test]
async fn an_employee_sees_and_closes_what_was_given_to_employees_and_nothing_else() {
    let served = Served::start(1_000_000).await;
    let employee = served.browser("employee").await;
    let own = task(&served, "own-task", "employee").await;
    let other = task(&served, "other-task", "officer").await;
    let (code, page) = get(&served, &employee, "/tasks").await;
    assert_eq!(code, 200);
    assert!(page.contains("own-task") && !page.contains("other-task"));
    let now = served.house.people.local().time(served.house.store.now(), Lang::En);
    let today = &now[..10];
    let entry = format!("held_on={today}&statement=x");
    let path = |id: Id| format!("/tasks/{id}/close");
    assert_eq!(get(&served, &employee, &path(other)).await.0, 404);
    assert_eq!(send(&served, &employee, &path(other), &entry).await, 404);
    assert_eq!(send(&served, &employee, &path(own), &entry).await, 303);
    assert_eq!(
        (status(&served, own).await, status(&served, other).await),
        ("closed".into(), "open".into())
    );
}

#[tokio::test]
async fn an_auditor_reads_all_tasks_and_closes_none() {
    let served = Served::start(1_000_000).await;
    let auditor = served.browser("auditor").await;
    let given = task(&served, "given", "auditor").await;
    assert!(get(&served, &auditor, "/tasks").await.1.contains("given"));
    assert_eq!(
        send(&served, &auditor, &format!("/tasks/{given}/close"), "held_on=2026-11-01").await,
        403
    );
    assert_eq!(status(&served, given).await, "open");
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let served = Served::start(1_000_000).await;
    let mut officer = served.browser("officer").await;
    officer.csrf = "0".repeat(32);
    let own = task(&served, "own", "officer").await;
    for (path, body) in [
        (format!("/tasks/{own}/close"), "held_on=2026-11-01"),
        ("/notices/read".to_owned(), "upto=1"),
        ("/notices/preferences".to_owned(), "mail=a@example.jp&lang=ja&digest=each"),
        ("/settings/notices/test".to_owned(), ""),
        ("/settings/notices/retry".to_owned(), ""),
    ] {
        assert_eq!(send(&served, &officer, &path, body).await, 403, "{path}");
    }
    assert_eq!(status(&served, own).await, "open");
}

#[tokio::test]
async fn a_change_of_the_settings_is_in_the_ledger_and_its_secrets_nowhere_on_a_page() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let body = "smtp_host=localhost&smtp_port=25&smtp_security=none&smtp_user=&smtp_password=\
                &ca_file=&from=ume@example.jp&base_url=&webhook_url=https://hooks.example.jp/\
                &webhook_secret=open-sesame-0123456789";
    assert_eq!(send(&served, &officer, "/settings/notices", body).await, 303);
    let records =
        served.house.store.newest_records(&["house.settings_changed"], None, 9).await.unwrap();
    assert_eq!((records.len(), &records[0].facts["area"]), (1, &json!("notices")));
    let (code, page) = get(&served, &officer, "/settings/notices").await;
    assert!(code == 200 && page.contains("hooks.example.jp") && !page.contains("sesame"));
    let employee = served.browser("employee").await;
    assert_eq!(get(&served, &employee, "/settings/notices").await.0, 403);
}
