//! Registers: list, form, detail, history, decision and export of every kind, made from its schema.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect},
};
use model::{Field, FieldType, Id, KindSpec, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use store::{Filter, Record, Row};

use crate::{
    House, Shared,
    access::Action,
    decide::{Ruling, Signer, is_signed},
    frame::{Answer, Refusal, User, page},
    kinds_of,
    links::{self, Links, Names},
    route::{Access, Route},
};

/// Stands for a personal value that the reader's role does not see.
const MASKED: &str = "●●●";
const YES: model::Text = model::t("はい", "yes");
const NO: model::Text = model::t("いいえ", "no");
const SEARCH_HITS_MAX: usize = 50;
const DETAIL_RECORDS_MAX: usize = 20;

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let write = Access::Action(Action::Write);
    let decide = Access::Action(Action::Decide);
    let new_path = "/register/{table}/{kind}/new";
    let row_path = "/row/{table}/{id}";
    let edit_path = "/row/{table}/{id}/edit";
    vec![
        Route::get("/register/{table}", read, t("台帳の種類", "Kinds of a register"), kinds),
        Route::get(new_path, write, t("追加の画面", "Form to add"), new_form),
        Route::post(new_path, write, t("追加", "Add"), create),
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
struct SearchQuery {
    #[serde(default)]
    q: String,
}

pub(crate) fn shown(user: &User, field: &Field, row: &Row) -> String {
    let Some(value) = row.attributes.get(field.name) else { return String::new() };
    if field.personal && !user.sees_personal() {
        return MASKED.to_owned();
    }
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

/// As [`shown`], but with the name of a row in place of its id, and its address.
pub(crate) fn named(user: &User, names: &Names, field: &Field, row: &Row) -> (String, String) {
    let text = shown(user, field, row);
    match (field.ty, text.parse()) {
        (FieldType::Reference(_) | FieldType::Party, Ok(id)) => names.of(id),
        _ => (text, String::new()),
    }
}

/// As [`shown`], but a number without its unit, so that the file can be imported again.
pub(crate) fn plain(user: &User, field: &Field, row: &Row) -> String {
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

pub(crate) fn error_text(lang: model::Lang, error: &model::FieldError) -> String {
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
pub(crate) fn typed(
    kind: &KindSpec,
    form: &std::collections::HashMap<String, String>,
) -> Map<String, Json> {
    let mut out = Map::new();
    for field in kind.fields {
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

/// Refuses the form where a row needs more than it asks for.
fn by_form(user: &User, table: Table) -> Result<(), Refusal> {
    if table != Table::Link {
        return Ok(());
    }
    let text = user.cx.t(
        "関連は、その起点になる行の画面で追加してください。",
        "Add a link on the page of the row where it begins.",
    );
    Err(Refusal::Bad(text.to_owned()))
}

async fn new_form(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    by_form(&user, table)?;
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
    user: &User,
    kind: &KindSpec,
    form: &std::collections::HashMap<String, String>,
) -> Submitted {
    let get = |key: &str| form.get(key).map_or("", String::as_str).trim().to_owned();
    let name = get("name");
    let attributes = typed(kind, form);
    let field_errors = kind.validate(&attributes);
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
    by_form(&user, table)?;
    let sent = submitted(&user, kind, &form);
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
        row.ends_at = due(&row.attributes);
    }
    let mut write = house.store.write(&user.actor(), &sent.reason, "web").await?;
    let row = write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/{}/{}", table.name(), row.id)).into_response())
}

/// Columns that follow from attributes.
pub(crate) fn settle(row: &mut Row) {
    if row.table == Table::Task {
        row.ends_at = due(&row.attributes);
    }
}

pub(crate) fn due(attributes: &Map<String, Json>) -> Option<Timestamp> {
    let date: jiff::civil::Date = attributes.get("due")?.as_str()?.parse().ok()?;
    let midnight = date.tomorrow().ok()?.at(0, 0, 0, 0);
    let end = jiff::tz::TimeZone::system().to_timestamp(midnight).ok()?;
    Some(Timestamp(end.as_microsecond() - 1))
}

pub(crate) async fn find(
    house: &House,
    name: &str,
    row_id: &str,
) -> Result<(Row, &'static KindSpec), Refusal> {
    let table = table(name)?;
    let row = house.store.row(table, id(row_id)?).await?.ok_or(Refusal::NotFound)?;
    let kind = kind(house, table, &row.kind)?;
    Ok((row, kind))
}

/// The same, unless it is a signed decision.
async fn unsigned(
    house: &House,
    name: &str,
    row_id: &str,
) -> Result<(Row, &'static KindSpec), Refusal> {
    let found = find(house, name, row_id).await?;
    if is_signed(&found.0) { Err(Refusal::Signed) } else { Ok(found) }
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
    let (row, kind) = unsigned(&house, &name, &row_id).await?;
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
    let (mut row, kind) = unsigned(&house, &name, &row_id).await?;
    let here = format!("/row/{}/{}", row.table.name(), row.id);
    let sent = submitted(&user, kind, &form);
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
    row.name = sent.name;
    row.attributes = sent.attributes;
    row.version = sent.version;
    settle(&mut row);
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
    let (mut row, kind) = unsigned(&house, &name, &row_id).await?;
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
    /// Address of the row that the value names; empty for any other value.
    href: String,
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
    links: Links,
    link_kinds: Vec<(&'static str, &'static str)>,
    may_write: bool,
    may_link: bool,
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
    let links = Links::load(&house, &user.cx, &row, kind).await?;
    let may_write = user.may(Action::Write).is_ok() && !row.deleted;
    let pairs = kind
        .fields
        .iter()
        .map(|f| {
            let (value, href) = named(&user, &links.names, f, &row);
            Pair { label: f.label.get(user.cx.lang), value, href }
        })
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
        links,
        link_kinds: links::kinds(&house, &user.cx),
        may_write: may_write && !is_signed(&row),
        may_link: may_write && row.table != Table::Link,
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
}

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
    let ruling = Ruling {
        hash: &form.hash,
        outcome: &form.outcome,
        reason: form.reason.trim(),
        months: form.months.parse().unwrap_or(12),
    };
    ruling.check(&row, &user.actor()).map_err(|e| e.refusal(cx))?;
    step_up(&house, &user, form.password, &form.code).await?;
    let signer = Signer { login: &user.session.account.login, method: "password+totp" };
    let mut write = house.store.write(&user.actor(), ruling.reason, "web").await?;
    ruling.sign(&house.store, &mut write, &row, &signer).await.map_err(|e| e.refusal(cx))?;
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

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    cx: &'a crate::frame::Cx,
    q: &'a str,
    hits: Vec<Row>,
    titles: crate::Titles<'a>,
}

async fn search(
    State(house): State<Shared>,
    user: User,
    Query(query): Query<SearchQuery>,
) -> Answer {
    let hits = house.store.search(&query.q, SEARCH_HITS_MAX).await?;
    let titles = crate::Titles { house: &house, lang: user.cx.lang };
    let body = SearchPage { cx: &user.cx, q: &query.q, hits, titles };
    page(&user.cx, user.cx.t("検索", "Search"), &body)
}
