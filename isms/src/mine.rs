//! The home of people without registers: their own open tasks.
//!
//! Invariant: a task is shown to the account it is given to, and to no other of these people: by the
//! name in its field, or by its owner, where a person of the register carries the account's name.

use askama::Template;
use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Condition, Filter, Key, PAGE_ROWS_MAX, Row, Store, StoreError, Test};
use web::{
    House,
    frame::{Answer, Cx, User, page},
};

/// A task as its assignee reads it.
struct Line {
    name: String,
    due: String,
    overdue: bool,
    text: String,
}

#[derive(Template)]
#[template(path = "mine.html")]
struct MinePage<'a> {
    cx: &'a Cx,
    /// Under which names tasks were looked for.
    names: Vec<String>,
    lines: Vec<Line>,
}

/// The page itself.
pub async fn home(house: &House, user: &User) -> Answer {
    let login = user.session.account.login.as_str();
    let person = person(&house.store, login).await?;
    let mut names = vec![login.to_owned()];
    names.extend(person.as_ref().map(|p| p.name.clone()).filter(|name| name != login));
    let tasks = tasks(&house.store, &names, person.map(|p| p.id)).await?;
    let now = house.store.now();
    let lines = tasks.iter().map(|task| line(&user.cx, task, now)).collect();
    let body = MinePage { cx: &user.cx, names, lines };
    page(&user.cx, user.cx.t("自分のタスク", "My tasks"), &body)
}

/// The person of the register who signs in by this name.
async fn person(store: &Store, login: &str) -> Result<Option<Row>, StoreError> {
    let filter = Filter {
        kind: Some("person".to_owned()),
        text: login.to_owned(),
        limit: PAGE_ROWS_MAX,
        ..Filter::default()
    };
    let found = store.list(Table::Party, &filter).await?;
    Ok(found.into_iter().find(|row| text(row, "account") == login))
}

/// Open tasks of someone, what is due first coming first.
async fn tasks(
    store: &Store,
    names: &[String],
    person: Option<Id>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = match person {
        Some(id) => store.owned(Table::Task, id, "open", PAGE_ROWS_MAX).await?,
        None => Vec::new(),
    };
    if let Some(id) = person {
        let given =
            Condition { name: "assignee".to_owned(), test: Test::Is(Key::text(&id.to_string())) };
        let filter = Filter {
            kind: Some("task".to_owned()),
            status: Some("open".to_owned()),
            conditions: vec![given],
            limit: PAGE_ROWS_MAX,
            ..Filter::default()
        };
        found.extend(store.list(Table::Task, &filter).await?);
    }
    for name in names {
        let filter = Filter {
            status: Some("open".to_owned()),
            text: name.clone(),
            limit: PAGE_ROWS_MAX,
            ..Filter::default()
        };
        // The words may stand anywhere in a task; only the field says whose it is.
        let hits = store.list(Table::Task, &filter).await?.into_iter();
        found.extend(hits.filter(|task| text(task, "assignee").trim() == name));
    }
    found.sort_by_key(|task| (task.ends_at.map_or(i64::MAX, |due| due.0), task.id));
    found.dedup_by_key(|task| task.id);
    Ok(found)
}

fn text<'r>(row: &'r Row, field: &str) -> &'r str {
    row.attributes.get(field).and_then(Json::as_str).unwrap_or("")
}

fn line(cx: &Cx, task: &Row, now: Timestamp) -> Line {
    let of_register = || match text(task, "due") {
        "" => "–".to_owned(),
        due => due.to_owned(),
    };
    Line {
        name: task.name.clone(),
        due: task.ends_at.map_or_else(of_register, |due| cx.date(&due)),
        overdue: task.ends_at.is_some_and(|due| due.0 < now.0),
        text: text(task, "description").to_owned(),
    }
}
