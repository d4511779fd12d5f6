//! The task pages: what is mine, what is open, and the form that closes one.

use std::collections::{HashMap, hash_map};

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use model::{Field, FieldType, Id, RecordSpec, Table, Timestamp, t};
use serde_json::{Map, Value as Json};
use store::{Record, Row, Within};
use web::{
    House, Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    people::Me,
    route::{Access, Route},
};

use crate::{
    close::{self, Entry, NotClosed},
    whose,
};

const OPEN_SHOWN_MAX: usize = 200;
const STATEMENT_CHARS_MAX: usize = 2_000;

/// Routes of the tasks.
pub fn routes() -> Vec<Route> {
    // Everyone may be given a task; what is nobody's business is left out by the pages.
    let own = Access::Own;
    let closing = t("タスクの完了", "Close a task");
    vec![
        Route::get("/tasks", own, t("未完了のタスク", "Open tasks"), list),
        Route::get("/tasks/{id}/close", own, closing, close_form),
        Route::post("/tasks/{id}/close", own, closing, close_task),
    ]
}

/// A task as a list shows it.
pub struct Line {
    pub task: Row,
    pub overdue: bool,
    pub whose: String,
}

#[derive(Template)]
#[template(path = "tasks.html")]
struct TasksPage<'a> {
    cx: &'a Cx,
    mine: Vec<Line>,
    others: Vec<Line>,
    overdue: usize,
    may_read: bool,
    may_write: bool,
}

/// Open tasks as lines, the most overdue first: those of the reader, then the others.
pub async fn lines(house: &House, user: &User) -> Result<(Vec<Line>, Vec<Line>), Refusal> {
    let now = house.store.now();
    let reader = house.store.reader(user.session.account.id).await?;
    let mut parties: HashMap<Id, String> = HashMap::new();
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    let open = house.store.open_tasks(OPEN_SHOWN_MAX).await?;
    let ids: Vec<Id> = open.iter().map(|task| task.id).collect();
    let within = user.reader().sees_of(Table::Task);
    let seen = house.store.reached(Table::Task, &ids, &within).await?;
    for task in open {
        let whose = match whose::assignee(&task) {
            Some(id) => match parties.entry(id) {
                hash_map::Entry::Occupied(known) => known.get().clone(),
                hash_map::Entry::Vacant(new) => {
                    let party = house.store.row(Table::Party, id).await?;
                    new.insert(party.map_or_else(|| id.to_string(), |p| p.name)).clone()
                }
            },
            None => whose::role(&task).map_or_else(String::new, |r| role(&user.cx, r).to_owned()),
        };
        let own = reader.as_ref().is_some_and(|r| whose::is_for(&task, r));
        let line = Line { overdue: whose::is_overdue(&task, now), task, whose };
        if own {
            mine.push(line);
        } else if seen.contains(&line.task.id) {
            others.push(line);
        }
    }
    Ok((mine, others))
}

fn role<'a>(cx: &Cx, role: &'a str) -> &'a str {
    match role {
        "officer" => cx.t("ISMS事務局", "ISMS officer"),
        "administrator" => cx.t("システム管理者", "administrator"),
        "risk_owner" => cx.t("リスク所有者", "risk owner"),
        "executive" => cx.t("経営層", "executive"),
        "department" => cx.t("部署", "department"),
        "employee" => cx.t("従業員", "employee"),
        "auditor" => cx.t("監査員", "auditor"),
        other => other,
    }
}

/// How far the user writes tasks.
fn writes(house: &House, user: &User) -> Within {
    let task = house.kind(Table::Task, "task");
    task.map_or(Within::Nothing, |(_, kind)| user.reader().within(Action::Write, kind))
}

/// Whether the rows of tasks are open to the user; a task given to a role is nobody's own row.
fn follows(user: &User) -> bool {
    !matches!(user.reader().sees_of(Table::Task).anywhere(), Within::Own(_) | Within::Nothing)
}

async fn list(State(house): State<Shared>, Me(user): Me) -> Answer {
    let (mine, others) = lines(&house, &user).await?;
    let may_read = follows(&user);
    let overdue = mine.iter().filter(|l| l.overdue).count();
    let may_write = writes(&house, &user) != Within::Nothing;
    let body = TasksPage { cx: &user.cx, mine, others, overdue, may_read, may_write };
    page(&user.cx, user.cx.t("タスク", "Tasks"), &body)
}

struct Input {
    field: &'static Field,
    label: &'static str,
    /// `text`, `number`, `date`, `area` or `choice`.
    shape: &'static str,
    choices: Vec<(&'static str, &'static str)>,
    value: String,
    error: String,
}

#[derive(Template)]
#[template(path = "close.html")]
struct ClosePage<'a> {
    cx: &'a Cx,
    task: &'a Row,
    title: &'static str,
    records: Vec<Record>,
    may_enter: bool,
    may_read: bool,
    inputs: Vec<Input>,
    error: String,
}

async fn task(house: &House, id: &str) -> Result<Row, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let task = house.store.row(Table::Task, id).await?.filter(|t| !t.deleted);
    task.ok_or(Refusal::NotFound)
}

fn spec(house: &House, task: &Row) -> Result<&'static RecordSpec, Refusal> {
    house.record_spec(close::closing_type(task)).ok_or(Refusal::NotFound)
}

/// Fields that the page fills in itself.
fn is_own(field: &Field) -> bool {
    matches!(field.name, "task" | "held_on")
}

fn inputs(
    cx: &Cx,
    spec: &'static RecordSpec,
    facts: &Map<String, Json>,
    errors: &[model::FieldError],
) -> Vec<Input> {
    let input = |field: &'static Field| {
        let choices = match field.ty {
            FieldType::Enum(all) => all.iter().map(|c| (c.value, c.label.get(cx.lang))).collect(),
            FieldType::Boolean => {
                vec![("true", cx.t("はい", "yes")), ("false", cx.t("いいえ", "no"))]
            }
            _ => Vec::new(),
        };
        let shape = match field.ty {
            FieldType::Enum(_) | FieldType::Boolean => "choice",
            FieldType::Number { .. } | FieldType::Money => "number",
            FieldType::Date => "date",
            FieldType::Multiline | FieldType::List | FieldType::Object | FieldType::TextPair => {
                "area"
            }
            _ => "text",
        };
        let value = match facts.get(field.name) {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let error = errors.iter().find(|e| e.field() == field.name);
        let error = error.map(|e| web::form::error_text(cx.lang, e)).unwrap_or_default();
        Input { field, label: field.label.get(cx.lang), shape, choices, value, error }
    };
    spec.fields.iter().filter(|f| !is_own(f)).map(input).collect()
}

async fn show(
    house: &House,
    user: &User,
    task: &Row,
    facts: &Map<String, Json>,
    errors: &[model::FieldError],
    error: String,
) -> Answer {
    let spec = spec(house, task)?;
    let body = ClosePage {
        cx: &user.cx,
        task,
        title: spec.title.get(user.cx.lang),
        records: close::offered(&house.store, task).await?,
        may_read: follows(user),
        may_enter: close::may_enter(&house.store, task, spec).await?,
        inputs: inputs(&user.cx, spec, facts, errors),
        error,
    };
    page(&user.cx, &task.name, &body)
}

/// The task, if this person may close it: whoever may write, and whoever it is given to. An auditor
/// changes nothing, given or not.
async fn closable(house: &House, user: &User, id: &str) -> Result<Row, Refusal> {
    if user.session.account.must_change {
        return Err(Refusal::ChangePassword);
    }
    let task = task(house, id).await?;
    if house.store.reaches(Table::Task, task.id, &writes(house, user)).await? {
        return Ok(task);
    }
    let reader = house.store.reader(user.session.account.id).await?;
    let mine = reader.is_some_and(|r| r.role != "auditor" && whose::is_for(&task, &r));
    // Who does not see the task does not learn that there is one.
    let within = user.reader().sees_of(Table::Task);
    if mine {
        Ok(task)
    } else if house.store.reaches(Table::Task, task.id, &within).await? {
        Err(Refusal::Forbidden)
    } else {
        Err(Refusal::NotFound)
    }
}

async fn close_form(State(house): State<Shared>, Me(user): Me, Path(id): Path<String>) -> Answer {
    let task = closable(&house, &user, &id).await?;
    show(&house, &user, &task, &Map::new(), &[], String::new()).await
}

/// Form texts as facts; what does not parse stays text, so that the schema can name it.
fn facts(spec: &RecordSpec, form: &HashMap<String, String>) -> Map<String, Json> {
    let mut out = Map::new();
    for field in spec.fields {
        let text = form.get(&format!("f_{}", field.name)).map_or("", |t| t.trim());
        if text.is_empty() {
            continue;
        }
        let value = match field.ty {
            FieldType::Number { .. } | FieldType::Money => {
                text.parse::<i64>().map_or_else(|_| Json::from(text), Json::from)
            }
            FieldType::Boolean => match text {
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                other => Json::from(other),
            },
            FieldType::List => text.lines().map(str::trim).filter(|l| !l.is_empty()).collect(),
            FieldType::Object | FieldType::TextPair => {
                serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
            }
            _ => Json::from(text),
        };
        out.insert(field.name.to_owned(), value);
    }
    out
}

async fn close_task(
    State(house): State<Shared>,
    me: Me,
    Path(id): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    me.form(form.get("csrf").map_or("", String::as_str))?;
    let user = me.0;
    let task = closable(&house, &user, &id).await?;
    let get = |name: &str| form.get(name).map_or("", |t| t.trim());
    if let Ok(record) = get("record").parse::<Id>() {
        let record = house.store.record(record).await?.ok_or(Refusal::NotFound)?;
        let closed = close::close(&house.store, task.clone(), &record, &user.actor()).await;
        return ended(&house, &user, &task, closed).await;
    }
    let spec = spec(&house, &task)?;
    let held_on = get("held_on");
    let mut facts = facts(spec, &form);
    for field in spec.fields {
        match field.name {
            "task" => drop(facts.insert("task".into(), Json::from(task.id.to_string()))),
            "held_on" => drop(facts.insert("held_on".into(), Json::from(held_on))),
            _ => {}
        }
    }
    let errors = spec.validate(&facts);
    let done =
        day_start(held_on, &house.people.local().zone).filter(|done| *done <= house.store.now());
    let statement = get("statement").to_owned();
    let long = statement.chars().count() > STATEMENT_CHARS_MAX;
    let (Some(done), true, false) = (done, errors.is_empty(), long) else {
        let text = user.cx.t(
            "実施日（今日まで）と下の項目を確かめてください。完了していません。",
            "Check the date (not in the future) and the fields below. The task is still open.",
        );
        return show(&house, &user, &task, &facts, &errors, text.to_owned()).await;
    };
    let entry = Entry { facts, done, statement };
    let closed = close::enter(&house.store, task.clone(), spec, entry, &user.actor()).await;
    ended(&house, &user, &task, closed).await
}

fn day_start(text: &str, zone: &jiff::tz::TimeZone) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let start = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp(start.as_microsecond()))
}

async fn ended(
    house: &House,
    user: &User,
    task: &Row,
    closed: Result<close::Closed, NotClosed>,
) -> Answer {
    let cx = &user.cx;
    let why = match closed {
        Ok(_) => {
            house.wake();
            return Ok(Redirect::to("/tasks").into_response());
        }
        Err(NotClosed::Store(error)) => return Err(Refusal::Store(error)),
        Err(NotClosed::Already) => {
            cx.t("このタスクは完了しています。", "The task is closed already.")
        }
        Err(NotClosed::Type { .. }) => cx.t(
            "このタスクが求める種類の記録ではありません。",
            "The task asks for another type of record.",
        ),
        Err(NotClosed::Subject) => {
            cx.t("別の対象についての記録です。", "The record is about something else.")
        }
        Err(NotClosed::Facts) => cx.t(
            "記録の内容が、このタスクの条件を満たしていません。",
            "The record does not say what the task asks for.",
        ),
        Err(NotClosed::Old) => {
            cx.t("タスクより前の記録です。", "The record is older than the task.")
        }
        Err(NotClosed::Used) => {
            cx.t("別のタスクを完了させた記録です。", "The record closed another task.")
        }
        Err(NotClosed::Machine(_)) => cx.t(
            "この種類の記録は機械が集めます。手では入力できません。",
            "The machine collects these records; they are not entered by hand.",
        ),
    };
    show(house, user, task, &Map::new(), &[], why.to_owned()).await
}
