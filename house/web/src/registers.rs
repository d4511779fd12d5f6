//! Registers: list, form, detail, history, decision and export of every kind, made from its schema.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Redirect},
};
use model::{Field, FieldType, Id, KindSpec, Table, t};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use store::{Filter, Record, Row};

use crate::{
    House, Shared,
    access::Action,
    frame::{Answer, Refusal, User, page},
    kinds_of,
    route::{Access, Route},
};

const YES: model::Text = model::t("はい", "yes");
const NO: model::Text = model::t("いいえ", "no");
const PAGE_ROWS: usize = 50;
const SEARCH_HITS_MAX: usize = 50;
const DETAIL_RECORDS_MAX: usize = 20;
const EXPORT_ROWS_MAX: usize = 100_000;

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let write = Access::Action(Action::Write);
    let decide = Access::Action(Action::Decide);
    let list_path = "/register/{table}/{kind}";
    let new_path = "/register/{table}/{kind}/new";
    let csv_path = "/register/{table}/{kind}/export";
    let xlsx_path = "/register/{table}/{kind}/export.xlsx";
    let row_path = "/row/{table}/{id}";
    let edit_path = "/row/{table}/{id}/edit";
    vec![
        Route::get("/register/{table}", read, t("台帳の種類", "Kinds of a register"), kinds),
        Route::get(list_path, read, t("一覧", "List"), list),
        Route::get(new_path, write, t("追加の画面", "Form to add"), new_form),
        Route::post(new_path, write, t("追加", "Add"), create),
        Route::get(csv_path, read, t("CSVで書き出し", "Export as CSV"), export),
        Route::get(xlsx_path, read, t("Excelで書き出し", "Export as xlsx"), export_xlsx),
        Route::get(row_path, read, t("表示", "Show"), detail),
        Route::get(edit_path, write, t("変更の画面", "Form to change"), edit_form),
        Route::post(edit_path, write, t("変更", "Change"), update),
        Route::post("/row/{table}/{id}/delete", write, t("削除", "Delete"), delete),
        Route::post("/row/{table}/{id}/decide", decide, t("承認・却下", "Decide"), decide_row),
        Route::get("/search", read, t("検索", "Search"), search),
    ]
}

pub(crate) fn table(name: &str) -> Result<Table, Refusal> {
    Table::parse(name).filter(|t| *t != Table::Record).ok_or(Refusal::NotFound)
}

fn id(text: &str) -> Result<Id, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

pub(crate) fn kind(house: &House, table: Table, name: &str) -> Result<&'static KindSpec, Refusal> {
    house.kind(table, name).map(|(_, kind)| kind).ok_or(Refusal::NotFound)
}

struct KindLine {
    kind: &'static KindSpec,
    room: &'static str,
    rows: i64,
}

#[derive(Template)]
#[template(path = "kinds.html")]
struct KindsPage<'a> {
    cx: &'a crate::frame::Cx,
    table: Table,
    lines: Vec<KindLine>,
}

async fn kinds(State(house): State<Shared>, user: User, Path(name): Path<String>) -> Answer {
    let table = table(&name)?;
    let counts: std::collections::HashMap<String, i64> =
        house.store.count_by_kind(table).await?.into_iter().collect();
    let mut lines = Vec::new();
    for room in house.specs() {
        for kind in kinds_of(room).filter(|k| k.table == table) {
            let rows = counts.get(kind.id).copied().unwrap_or(0);
            lines.push(KindLine { kind, room: room.name.get(user.cx.lang), rows });
        }
    }
    let body = KindsPage { cx: &user.cx, table, lines };
    page(&user.cx, user.cx.t("台帳", "Registers"), &body)
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    after_id: String,
}

struct Cell {
    text: String,
}

struct Line {
    id: Id,
    name: String,
    cells: Vec<Cell>,
    updated: String,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    cx: &'a crate::frame::Cx,
    table: Table,
    kind: &'static KindSpec,
    columns: Vec<&'static Field>,
    lines: Vec<Line>,
    q: &'a str,
    next: String,
    may_write: bool,
}

async fn list(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let after = query.after_id.parse().ok().map(|id: Id| (query.after.clone(), id));
    let filter = Filter {
        kind: Some(kind.id.to_owned()),
        text: query.q.clone(),
        after,
        limit: PAGE_ROWS + 1,
        ..Filter::default()
    };
    let mut rows = house.store.list(table, &filter).await?;
    let more = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let next = match rows.last().filter(|_| more) {
        Some(last) => format!(
            "?q={}&after={}&after_id={}",
            urlencoding::encode(&query.q),
            urlencoding::encode(&last.name),
            last.id
        ),
        None => String::new(),
    };
    let columns: Vec<&'static Field> =
        kind.fields.iter().filter(|f| !f.personal && in_list(&f.ty)).take(4).collect();
    let lines = rows
        .iter()
        .map(|row| Line {
            id: row.id,
            name: row.name.clone(),
            cells: columns.iter().map(|f| Cell { text: shown(&user, f, row) }).collect(),
            updated: user.cx.time(&row.updated_at),
        })
        .collect();
    let may_write = user.may(Action::Write).is_ok();
    let body = ListPage { cx: &user.cx, table, kind, columns, lines, q: &query.q, next, may_write };
    page(&user.cx, kind.title.get(user.cx.lang), &body)
}

fn in_list(ty: &FieldType) -> bool {
    !matches!(ty, FieldType::Multiline | FieldType::Object | FieldType::File | FieldType::Hash)
}

fn shown(user: &User, field: &Field, row: &Row) -> String {
    let Some(value) = row.attributes.get(field.name) else { return String::new() };
    match (field.ty, value) {
        (FieldType::Enum(choices), Json::String(s)) => choices
            .iter()
            .find(|c| c.value == s)
            .map_or_else(|| s.clone(), |c| c.label.get(user.cx.lang).to_owned()),
        (FieldType::Boolean, Json::Bool(flag)) => {
            if *flag { YES } else { NO }.get(user.cx.lang).to_owned()
        }
        (FieldType::Number { unit, .. }, Json::Number(n)) => {
            format!("{n} {}", user.cx.unit(unit)).trim().to_owned()
        }
        (FieldType::List, Json::Array(list)) => {
            list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
        }
        (_, Json::String(s)) => s.clone(),
        (_, other) => other.to_string(),
    }
}

/// As [`shown`], but a number without its unit, so that the file can be imported again.
fn plain(user: &User, field: &Field, row: &Row) -> String {
    match (field.ty, row.attributes.get(field.name)) {
        (FieldType::Number { .. }, Some(Json::Number(n))) => n.to_string(),
        _ => shown(user, field, row),
    }
}

struct Input {
    field: &'static Field,
    value: String,
    error: String,
    label: &'static str,
    /// `text`, `number`, `date`, `area`, `choice` or `flag`.
    shape: &'static str,
    choices: Vec<(&'static str, &'static str)>,
    unit: &'static str,
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage<'a> {
    cx: &'a crate::frame::Cx,
    kind: &'static KindSpec,
    action: String,
    back: String,
    name: &'a str,
    reason: &'a str,
    version: i64,
    inputs: Vec<Input>,
    errors: Vec<String>,
}

fn inputs(
    user: &User,
    kind: &'static KindSpec,
    form: &Map<String, Json>,
    errors: &[model::FieldError],
) -> Vec<Input> {
    kind.fields
        .iter()
        .filter(|field| !hidden(kind, field))
        .map(|field| {
            let value = match form.get(field.name) {
                None | Some(Json::Null) => String::new(),
                Some(Json::String(s)) => s.clone(),
                Some(Json::Array(list)) if list.iter().all(Json::is_string) => {
                    list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
                }
                Some(other) => other.to_string(),
            };
            let (shape, unit) = match field.ty {
                FieldType::Number { unit, .. } => ("number", unit),
                FieldType::Money => ("number", ""),
                FieldType::Date => ("date", ""),
                FieldType::Multiline
                | FieldType::List
                | FieldType::Object
                | FieldType::TextPair => ("area", ""),
                FieldType::Enum(_) => ("choice", ""),
                FieldType::Boolean => ("flag", ""),
                _ => ("text", ""),
            };
            let choices = match field.ty {
                FieldType::Enum(choices) => {
                    choices.iter().map(|c| (c.value, c.label.get(user.cx.lang))).collect()
                }
                FieldType::Boolean => {
                    vec![("true", YES.get(user.cx.lang)), ("false", NO.get(user.cx.lang))]
                }
                _ => Vec::new(),
            };
            let error = errors
                .iter()
                .find(|e| e.field() == field.name)
                .map(|e| error_text(user.cx.lang, e))
                .unwrap_or_default();
            Input {
                field,
                value,
                error,
                label: field.label.get(user.cx.lang),
                shape,
                choices,
                unit,
            }
        })
        .collect()
}

fn hidden(kind: &KindSpec, field: &Field) -> bool {
    kind.table == Table::Task && crate::task_rules::HIDDEN.contains(&field.name)
}

pub fn error_text(lang: model::Lang, error: &model::FieldError) -> String {
    use model::FieldError::{Choice, Long, Missing, Range, Type, Unknown};
    match error {
        Missing(_) => t("入力してください。", "Please fill this in.").get(lang).to_owned(),
        Unknown(_) => {
            t("この種類にはない項目です。", "This kind has no such field.").get(lang).to_owned()
        }
        Type { expected, .. } => match lang {
            model::Lang::Ja => "形式が違います。".to_owned(),
            model::Lang::En => format!("Expected {expected}."),
        },
        Range { min, max, .. } => match lang {
            model::Lang::Ja => format!("{min}から{max}までの値にしてください。"),
            model::Lang::En => format!("Must be between {min} and {max}."),
        },
        Choice { .. } => {
            t("選択肢から選んでください。", "Choose one of the options.").get(lang).to_owned()
        }
        Long { max, .. } => match lang {
            model::Lang::Ja => format!("{max}文字以内にしてください。"),
            model::Lang::En => format!("At most {max} characters."),
        },
    }
}

/// Form texts become typed JSON; what does not parse stays text, so that validation can name it.
fn typed(kind: &KindSpec, form: &std::collections::HashMap<String, String>) -> Map<String, Json> {
    let mut out = Map::new();
    for field in kind.fields.iter().filter(|f| !hidden(kind, f)) {
        let Some(text) = form.get(&format!("f_{}", field.name)) else { continue };
        let text = text.trim();
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

async fn new_form(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let body = FormPage {
        cx: &user.cx,
        kind,
        action: format!("/register/{}/{}/new", table.name(), kind.id),
        back: format!("/register/{}/{}", table.name(), kind.id),
        name: "",
        reason: "",
        version: 0,
        inputs: inputs(&user, kind, &Map::new(), &[]),
        errors: Vec::new(),
    };
    page(&user.cx, kind.title.get(user.cx.lang), &body)
}

const NAME_CHARS_MAX: usize = 300;

struct Submitted {
    name: String,
    reason: String,
    version: i64,
    attributes: Map<String, Json>,
    field_errors: Vec<model::FieldError>,
    errors: Vec<String>,
}

fn submitted(
    house: &House,
    user: &User,
    kind: &KindSpec,
    form: &std::collections::HashMap<String, String>,
) -> Submitted {
    let get = |key: &str| form.get(key).map_or("", String::as_str).trim().to_owned();
    let name = get("name");
    let mut attributes = typed(kind, form);
    if kind.table == Table::Task {
        crate::task_rules::in_zone(&mut attributes, &house.people.local().zone);
    }
    let mut field_errors = kind.validate(&attributes);
    if kind.table == Table::Task {
        let known = |ty: &str| house.record_spec(ty).is_some();
        field_errors.extend(crate::task_rules::faults(&attributes, &known));
    }
    let mut errors = Vec::new();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains('\0') {
        errors.push(
            user.cx
                .t(
                    "名称を入力してください（300文字以内）。",
                    "Enter a name of at most 300 characters.",
                )
                .to_owned(),
        );
    }
    if !field_errors.is_empty() {
        errors.push(
            user.cx
                .t(
                    "下の項目を直してください。保存していません。",
                    "Correct the fields below. Nothing was saved.",
                )
                .to_owned(),
        );
    }
    let version = get("version").parse().unwrap_or(-1);
    Submitted { name, reason: get("reason"), version, attributes, field_errors, errors }
}

async fn create(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> Answer {
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let sent = submitted(&house, &user, kind, &form);
    if !sent.errors.is_empty() {
        let body = FormPage {
            cx: &user.cx,
            kind,
            action: format!("/register/{}/{}/new", table.name(), kind.id),
            back: format!("/register/{}/{}", table.name(), kind.id),
            name: &sent.name,
            reason: &sent.reason,
            version: 0,
            inputs: inputs(&user, kind, &sent.attributes, &sent.field_errors),
            errors: sent.errors,
        };
        return page(&user.cx, kind.title.get(user.cx.lang), &body);
    }
    let mut row = Row::new(table, house.store.new_id()?, kind.id, &sent.name);
    row.attributes = sent.attributes;
    row.schema_version = i64::from(kind.version);
    if table == Table::Task {
        row.status = "open".to_owned();
        row.ends_at = crate::task_rules::due_at(&row.attributes);
    }
    let mut write = house.store.write(&user.actor(), &sent.reason, "web").await?;
    let row = write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/{}/{}", table.name(), row.id)).into_response())
}

async fn find(
    house: &House,
    name: &str,
    row_id: &str,
) -> Result<(Row, &'static KindSpec), Refusal> {
    let table = table(name)?;
    let row = house.store.row(table, id(row_id)?).await?.ok_or(Refusal::NotFound)?;
    let kind = kind(house, table, &row.kind)?;
    Ok((row, kind))
}

/// A subject is named by its id alone, so links to one may name the wrong table; it may also be a
/// record.
async fn elsewhere(house: &House, name: &str, row_id: &str) -> Answer {
    let row_id = id(row_id)?;
    for table in Table::ALL {
        let other = table.name() != name && table != Table::Record;
        if other && house.store.row(table, row_id).await?.is_some() {
            return Ok(Redirect::to(&format!("/row/{}/{row_id}", table.name())).into_response());
        }
    }
    if house.store.record(row_id).await?.is_some() {
        return Ok(Redirect::to(&format!("/records/{row_id}")).into_response());
    }
    Err(Refusal::NotFound)
}

async fn edit_form(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let (row, kind) = find(&house, &name, &row_id).await?;
    let here = format!("/row/{}/{}", row.table.name(), row.id);
    let body = FormPage {
        cx: &user.cx,
        kind,
        action: format!("{here}/edit"),
        back: here,
        name: &row.name,
        reason: "",
        version: row.version,
        inputs: inputs(&user, kind, &row.attributes, &[]),
        errors: Vec::new(),
    };
    page(&user.cx, &row.name, &body)
}

async fn update(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> Answer {
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    let (mut row, kind) = find(&house, &name, &row_id).await?;
    let here = format!("/row/{}/{}", row.table.name(), row.id);
    let sent = submitted(&house, &user, kind, &form);
    if !sent.errors.is_empty() {
        let body = FormPage {
            cx: &user.cx,
            kind,
            action: format!("{here}/edit"),
            back: here,
            name: &sent.name,
            reason: &sent.reason,
            version: sent.version,
            inputs: inputs(&user, kind, &sent.attributes, &sent.field_errors),
            errors: sent.errors,
        };
        return page(&user.cx, &sent.name, &body);
    }
    if row.table == Table::Task && row.status == "closed" {
        return Err(Refusal::Bad(
            user.cx
                .t("完了したタスクは変更できません。", "A closed task is not changed any more.")
                .to_owned(),
        ));
    }
    row.name = sent.name;
    let mut attributes = sent.attributes;
    for (name, value) in &row.attributes {
        if kind.field(name).is_some_and(|field| hidden(kind, field)) {
            attributes.insert(name.clone(), value.clone());
        }
    }
    row.attributes = attributes;
    row.version = sent.version;
    if row.table == Table::Task {
        row.ends_at = crate::task_rules::due_at(&row.attributes);
    }
    let mut write = house.store.write(&user.actor(), &sent.reason, "web").await?;
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&here).into_response())
}

async fn delete(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> Answer {
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    let (mut row, kind) = find(&house, &name, &row_id).await?;
    row.version = form.get("version").and_then(|v| v.parse().ok()).unwrap_or(-1);
    let to = format!("/register/{}/{}", row.table.name(), kind.id);
    let reason = form.get("reason").map_or("", String::as_str);
    let mut write = house.store.write(&user.actor(), reason, "web").await?;
    write.delete(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&to).into_response())
}

struct Pair {
    label: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "detail.html")]
struct DetailPage<'a> {
    cx: &'a crate::frame::Cx,
    row: &'a Row,
    kind: &'static KindSpec,
    room: &'static str,
    pairs: Vec<Pair>,
    history: Vec<Row>,
    records: Vec<Record>,
    decisions: Vec<Row>,
    titles: crate::Titles<'a>,
    content_hash: String,
    may_write: bool,
    may_decide: bool,
}

async fn detail(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
) -> Answer {
    let (row, kind) = match find(&house, &name, &row_id).await {
        Err(Refusal::NotFound) => return elsewhere(&house, &name, &row_id).await,
        found => found?,
    };
    let room = house.kind(row.table, kind.id).map_or("", |(room, _)| room.name.get(user.cx.lang));
    let pairs = kind
        .fields
        .iter()
        .map(|f| Pair { label: f.label.get(user.cx.lang), value: shown(&user, f, &row) })
        .filter(|p| !p.value.is_empty())
        .collect();
    let about = Filter { subject: Some(row.id), limit: 20, ..Filter::default() };
    let body = DetailPage {
        cx: &user.cx,
        titles: crate::Titles { house: &house, lang: user.cx.lang },
        kind,
        room,
        pairs,
        history: house.store.history(row.table, row.id).await?,
        records: house.store.newest_records(&[], Some(row.id), DETAIL_RECORDS_MAX).await?,
        decisions: house.store.list(Table::Decision, &about).await?,
        content_hash: row.content_hash()?,
        may_write: user.may(Action::Write).is_ok() && !row.deleted,
        may_decide: user.may(Action::Decide).is_ok() && !row.deleted,
        row: &row,
    };
    page(&user.cx, &row.name, &body)
}

#[derive(Deserialize)]
struct DecideForm {
    csrf: String,
    hash: String,
    outcome: String,
    reason: String,
    password: String,
    code: String,
    #[serde(default)]
    months: String,
    /// `approval` unless it is one of the other kinds of decision about a row.
    #[serde(default)]
    kind: String,
}

/// Kinds of decision that a row's page offers.
const DECISIONS: [&str; 4] = ["approval", "exclusion", "exception", "review"];

/// A decision binds the hash of exactly what was shown, signed by password and one-time code.
async fn decide_row(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<DecideForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let (row, _) = find(&house, &name, &row_id).await?;
    let cx = &user.cx;
    if row.content_hash()? != form.hash {
        return Err(Refusal::Bad(
            cx.t(
                "画面を開いた後に内容が変わりました。最新の内容を確認してください。",
                "The row changed after you opened it. Look at the newest version.",
            )
            .to_owned(),
        ));
    }
    if row.updated_by == user.actor() {
        return Err(Refusal::Bad(
            cx.t(
                "自分が最後に変更した内容を自分で承認することはできません。",
                "You cannot approve what you changed last yourself.",
            )
            .to_owned(),
        ));
    }
    if !matches!(form.outcome.as_str(), "approved" | "rejected") {
        return Err(Refusal::Bad("outcome".to_owned()));
    }
    if form.reason.trim().is_empty() {
        return Err(Refusal::Bad(cx.t("理由を入力してください。", "Give a reason.").to_owned()));
    }
    step_up(&house, &user, form.password, &form.code).await?;
    let months: i64 = form.months.parse().unwrap_or(12).clamp(1, 36);
    let chosen = DECISIONS.into_iter().find(|k| *k == form.kind).unwrap_or("approval");
    let kind = if row.table == Table::Decision { "confirmation" } else { chosen };
    let mut decision = Row::new(Table::Decision, house.store.new_id()?, kind, &row.name);
    decision.status = form.outcome;
    decision.subject = Some(row.id);
    decision.subject_hash = Some(form.hash);
    decision.ends_at = Some(house.store.now().plus_hours(months * 730));
    decision.attributes.insert("signer".into(), Json::from(user.session.account.login.as_str()));
    decision.attributes.insert("method".into(), Json::from("password+totp"));
    decision.attributes.insert("subject_table".into(), Json::from(row.table.name()));
    let mut write = house.store.write(&user.actor(), form.reason.trim(), "web").await?;
    write.put(decision).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/{}/{}", row.table.name(), row.id)).into_response())
}

async fn step_up(house: &House, user: &User, password: String, code: &str) -> Result<(), Refusal> {
    let account = &user.session.account;
    let hash = account.password.clone();
    let fits = tokio::task::spawn_blocking(move || {
        crate::secrets::verify_password(&password, Some(&hash))
    })
    .await
    .unwrap_or(false);
    let seconds = (house.store.now().0 / 1_000_000).max(0) as u64;
    let secret = account.totp.clone().unwrap_or_default();
    let step = crate::secrets::totp_step(&secret, &account.login, code, seconds);
    let fresh = match step.filter(|_| fits) {
        Some(step) => house.store.use_totp_step(account.id, step).await?,
        None => false,
    };
    if fresh {
        return Ok(());
    }
    let text = user.cx.t(
        "パスワードまたはコードが違うか、コードが使用済みです。次のコードを待って入力してください。",
        "The password or the code is wrong, or the code was used. Wait for the next code.",
    );
    Err(Refusal::Bad(text.to_owned()))
}

async fn export(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let mut rows = house.store.all(table, &[kind.id]).await?;
    rows.truncate(EXPORT_ROWS_MAX);
    let mut out = String::from("\u{feff}ume_id,version,name");
    for field in kind.fields {
        out.push(',');
        out.push_str(&csv_cell(field.label.get(user.cx.lang)));
    }
    out.push_str("\r\n");
    for row in &rows {
        out.push_str(&format!("{},{},{}", row.id, row.version, csv_cell(&row.name)));
        for field in kind.fields {
            out.push(',');
            out.push_str(&csv_cell(&plain(&user, field, row)));
        }
        out.push_str("\r\n");
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", kind.id)),
    ];
    Ok((headers, out).into_response())
}

async fn export_xlsx(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let rows = house.store.all(table, &[kind.id]).await?;
    let mut head = vec![user.cx.t("名称", "name").to_owned()];
    head.extend(kind.fields.iter().map(|f| f.label.get(user.cx.lang).to_owned()));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .take(EXPORT_ROWS_MAX)
        .map(|row| {
            let fields = kind.fields.iter().map(|f| plain(&user, f, row));
            std::iter::once(row.name.clone()).chain(fields).collect()
        })
        .collect();
    let title = kind.title.get(user.cx.lang);
    let written = tokio::task::spawn_blocking(move || reports::write_xlsx(title, &head, &cells));
    let bytes = match written.await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(Refusal::Bad(error.to_string())),
        Err(error) => return Err(Refusal::Bad(error.to_string())),
    };
    let kind_of_file = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let headers = [
        (header::CONTENT_TYPE, kind_of_file.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.xlsx\"", kind.id)),
    ];
    Ok((headers, bytes).into_response())
}

/// Quotes a cell (RFC 4180) and keeps spreadsheets from taking a text for a formula.
pub fn csv_cell(text: &str) -> String {
    let armed = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if armed { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    cx: &'a crate::frame::Cx,
    q: &'a str,
    hits: Vec<Row>,
    titles: crate::Titles<'a>,
}

async fn search(State(house): State<Shared>, user: User, Query(query): Query<ListQuery>) -> Answer {
    let hits = house.store.search(&query.q, SEARCH_HITS_MAX).await?;
    let titles = crate::Titles { house: &house, lang: user.cx.lang };
    let body = SearchPage { cx: &user.cx, q: &query.q, hits, titles };
    page(&user.cx, user.cx.t("検索", "Search"), &body)
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn a_cell_never_becomes_a_formula() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("@x,\"y\""), "\"'@x,\"\"y\"\"\"");
        assert_eq!(csv_cell("梅"), "梅");
    }
}
