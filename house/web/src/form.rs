//! Forms made from the schema of a kind: add, change, and merge what two people changed at once.

use askama::Template;
use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect},
};
use model::{Field, FieldType, Id, KindSpec, Rule, Table, duration, schema::listed, t};
use serde_json::{Map, Value as Json};
use store::{Row, StoreError};

use crate::{
    House, Shared,
    access::Action,
    files::{self, Shown},
    frame::{Answer, Cx, Refusal, User, page},
    registers::{kind, shown, table, unsigned},
    route::{Access, Route},
};

/// Versions shown beside a form.
const HISTORY_SHOWN: usize = 6;
const YES: model::Text = t("はい", "yes");
const NO: model::Text = t("いいえ", "no");

type Sent = std::collections::HashMap<String, String>;

pub(crate) fn routes() -> Vec<Route> {
    let write = Access::Action(Action::Write);
    let new_path = "/register/{table}/{kind}/new";
    let edit_path = "/row/{table}/{id}/edit";
    vec![
        Route::get(new_path, write, t("追加の画面", "Form to add"), new_form),
        Route::post(new_path, write, t("追加", "Add"), create),
        Route::get(edit_path, write, t("変更の画面", "Form to change"), edit_form),
        Route::post(edit_path, write, t("変更", "Change"), update),
    ]
}

/// One column of a table within a form.
pub(crate) struct Column {
    name: &'static str,
    label: &'static str,
    /// `text`, `number`, `date` or `choice`.
    shape: &'static str,
    choices: Vec<(&'static str, &'static str)>,
}

/// Empty rows offered behind those that are there.
const BLANK_ROWS: usize = 3;

fn table_columns(fields: &'static [Field], lang: model::Lang) -> Vec<Column> {
    let column = |f: &'static Field| {
        let (shape, choices) = match f.ty {
            FieldType::Number { .. } | FieldType::Money => ("number", Vec::new()),
            FieldType::Date => ("date", Vec::new()),
            FieldType::Enum(all) => {
                ("choice", all.iter().map(|c| (c.value, c.label.get(lang))).collect())
            }
            FieldType::Boolean => {
                ("choice", vec![("true", YES.get(lang)), ("false", NO.get(lang))])
            }
            _ => ("text", Vec::new()),
        };
        Column { name: f.name, label: f.label.get(lang), shape, choices }
    };
    fields.iter().map(column).collect()
}

fn table_rows(fields: &[Field], value: Option<&Json>, lang: model::Lang) -> Vec<Vec<String>> {
    let cell = |row: &Json, f: &Field| match row.get(f.name) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(s)) if matches!(f.ty, FieldType::Duration) => duration::show(s, lang),
        Some(Json::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    };
    let there = value.and_then(Json::as_array).into_iter().flatten();
    let mut rows: Vec<Vec<String>> =
        there.map(|row| fields.iter().map(|f| cell(row, f)).collect()).collect();
    for _ in 0..BLANK_ROWS {
        rows.push(vec![String::new(); fields.len()]);
    }
    rows
}

pub(crate) struct Input {
    field: &'static Field,
    value: String,
    error: String,
    label: &'static str,
    /// `text`, `number`, `date`, `area`, `choice`, `flag` or `file`.
    shape: &'static str,
    choices: Vec<(&'static str, &'static str)>,
    /// Of a table: its columns, and the cells of each row, blank rows behind them.
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    unit: &'static str,
    /// Heading that begins before this field; empty where none does.
    heading: &'static str,
    /// Sentences of the conditions under which the field is needed.
    hints: Vec<String>,
    /// Field on which that depends, and its values, for the script: `f_state`, `ended archived`.
    when: Option<(String, String)>,
    /// The file that the field names now.
    file: Shown,
    /// What others made of the field meanwhile, where that is not what stands in the input.
    theirs: Option<String>,
    clash: bool,
}

async fn inputs(
    house: &House,
    user: &User,
    kind: &'static KindSpec,
    form: &Map<String, Json>,
    errors: &[model::FieldError],
) -> Result<Vec<Input>, StoreError> {
    let hashes: Vec<&str> = files::named(kind.fields, form).into_iter().map(|f| f.1).collect();
    let known = house.store.blobs(&hashes).await?;
    let inputs = kind
        .laid_out()
        .into_iter()
        .filter(|(_, field)| !hidden(kind, field))
        .map(|(heading, field)| {
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
                FieldType::File => ("file", ""),
                FieldType::Table(_) => ("table", ""),
                _ => ("text", ""),
            };
            let lang = user.cx.lang;
            let value = match field.ty {
                FieldType::Duration => duration::show(&value, lang),
                _ => value,
            };
            let (columns, rows) = match field.ty {
                FieldType::Table(columns) => {
                    (table_columns(columns, lang), table_rows(columns, form.get(field.name), lang))
                }
                _ => (Vec::new(), Vec::new()),
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
            let (hints, when) = conditions(kind, field, user.cx.lang);
            Input {
                field,
                heading: heading.map_or("", |title| title.get(user.cx.lang)),
                hints,
                when,
                file: Shown::of(&value, &known),
                value,
                error,
                label: field.label.get(user.cx.lang),
                shape,
                choices,
                columns,
                rows,
                unit,
                theirs: None,
                clash: false,
            }
        })
        .collect();
    Ok(inputs)
}

/// When a field is needed: as sentences, and, where one rule says it, for the script.
fn conditions(
    kind: &KindSpec,
    field: &Field,
    lang: model::Lang,
) -> (Vec<String>, Option<(String, String)>) {
    let speaks = |rule: &&Rule| match rule {
        Rule::RequiredIf { field: needed, .. } => *needed == field.name,
        Rule::NotBefore { end, .. } => *end == field.name,
        Rule::AtMost { lower, .. } => *lower == field.name,
        Rule::OneOf { fields } => fields.contains(&field.name),
    };
    let rules: Vec<&Rule> = kind.rules.iter().filter(speaks).collect();
    let when = match rules.as_slice() {
        [Rule::RequiredIf { when, is, .. }] => Some((format!("f_{when}"), is.join(" "))),
        _ => None,
    };
    (rules.iter().map(|rule| rule.text(kind, lang)).collect(), when)
}

/// Whether this part of a form may bring a file.
fn brings_file(kind: &KindSpec, part: &str) -> bool {
    let field = part.strip_prefix("f_").and_then(|name| kind.field(name));
    field.is_some_and(|f| matches!(f.ty, FieldType::File))
}

/// What the machine sets and no form shows.
fn hidden(kind: &KindSpec, field: &Field) -> bool {
    kind.table == Table::Task && crate::task_rules::HIDDEN.contains(&field.name)
}

pub fn error_text(lang: model::Lang, error: &model::FieldError) -> String {
    use model::{
        FieldError::{
            Above, Before, Cell, Choice, Long, Missing, Needed, NoFile, NoneOf, Range, Rows, Type,
            Unknown,
        },
        Lang::{En, Ja},
    };
    match error {
        Cell { row, column, fault, .. } => match lang {
            Ja => format!("{row}行目「{}」: {}", column.ja, error_text(lang, fault)),
            En => format!("Row {row}, “{}”: {}", column.en, error_text(lang, fault)),
        },
        Rows { max, .. } => match lang {
            Ja => format!("{max}行以内にしてください。"),
            En => format!("At most {max} rows."),
        },
        Before { other, .. } => match lang {
            Ja => format!("「{}」以降にしてください。", other.ja),
            En => format!("Must not be before “{}”.", other.en),
        },
        Above { other, .. } => match lang {
            Ja => format!("「{}」以下にしてください。", other.ja),
            En => format!("Must be at most “{}”.", other.en),
        },
        Needed { when, value, .. } => match (lang, value) {
            (Ja, Some(value)) => {
                format!("「{}」が{}のときは入力してください。", when.ja, value.ja)
            }
            (Ja, None) => format!("「{}」を入力したときは必要です。", when.ja),
            (En, Some(value)) => format!("Required when “{}” is {}.", when.en, value.en),
            (En, None) => format!("Required with “{}”.", when.en),
        },
        NoneOf { labels, .. } => match lang {
            Ja => format!("{}のどれかを入力してください。", listed(labels, lang)),
            En => format!("Fill in at least one of {}.", listed(labels, lang)),
        },
        Missing(_) => t("入力してください。", "Please fill this in.").get(lang).to_owned(),
        Unknown(_) => {
            t("この種類にはない項目です。", "This kind has no such field.").get(lang).to_owned()
        }
        NoFile(_) => t(
            "このファイルは保存されていません。先にファイルを送ってください。",
            "No such file was sent. Send it first.",
        )
        .get(lang)
        .to_owned(),
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
    for field in kind.fields.iter().filter(|f| !hidden(kind, f)) {
        if let FieldType::Table(columns) = field.ty {
            let rows = typed_rows(field.name, columns, form);
            if !rows.is_empty() {
                out.insert(field.name.to_owned(), rows.into());
            }
            continue;
        }
        let Some(text) = form.get(&format!("f_{}", field.name)) else { continue };
        let text = text.trim();
        if text.is_empty() || form.contains_key(&format!("drop_{}", field.name)) {
            continue;
        }
        out.insert(field.name.to_owned(), typed_text(field, text));
    }
    out
}

/// One text of a form as the field's JSON.
fn typed_text(field: &Field, text: &str) -> Json {
    match field.ty {
        FieldType::Number { .. } | FieldType::Money => {
            text.parse::<i64>().map_or_else(|_| Json::from(text), Json::from)
        }
        FieldType::Boolean => match text {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            other => Json::from(other),
        },
        FieldType::Duration => Json::from(duration::read(text).unwrap_or_else(|| text.to_owned())),
        FieldType::List => text.lines().map(str::trim).filter(|l| !l.is_empty()).collect(),
        FieldType::Object | FieldType::TextPair => {
            serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
        }
        _ => Json::from(text),
    }
}

/// Rows of a table: `f_steps.0.what`. Rows without any text are left out.
fn typed_rows(name: &str, columns: &[Field], form: &Sent) -> Vec<Json> {
    let text = |row: usize, column: &Field| {
        let text = form.get(&format!("f_{name}.{row}.{}", column.name))?.trim();
        Some(text)
    };
    // One more than the limit, so that validation sees what is too much.
    let most = 0..=model::table::TABLE_ROWS_MAX + BLANK_ROWS;
    let sent = most.take_while(|row| columns.iter().any(|c| text(*row, c).is_some()));
    sent.map(|row| {
        let cells = columns.iter().filter_map(|c| Some((c, text(row, c)?)));
        let cells = cells.filter(|(_, text)| !text.is_empty());
        cells.map(|(c, text)| (c.name.to_owned(), typed_text(c, text))).collect::<Map<_, _>>()
    })
    .filter(|row| !row.is_empty())
    .map(Json::Object)
    .collect()
}

/// Refuses the form to who may not write the kind, and where a row needs more than it asks for.
fn by_form(user: &User, kind: &KindSpec) -> Result<(), Refusal> {
    if !user.reader().may(Action::Write, kind) {
        return Err(Refusal::Forbidden);
    }
    if kind.table != Table::Link {
        return Ok(());
    }
    let text = user.cx.t(
        "関連は、その起点になる行の画面で追加してください。",
        "Add a link on the page of the row where it begins.",
    );
    Err(Refusal::Bad(text.to_owned()))
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

async fn submitted(
    house: &House,
    user: &User,
    kind: &KindSpec,
    form: &std::collections::HashMap<String, String>,
    before: Option<&Row>,
) -> Result<Submitted, StoreError> {
    let get = |key: &str| form.get(key).map_or("", String::as_str).trim().to_owned();
    let name = get("name");
    let mut attributes = typed(kind, form);
    if kind.table == Table::Task {
        crate::task_rules::in_zone(&mut attributes, &house.people.local().zone);
    }
    let mut field_errors = kind.validate(&attributes);
    let before = before.map(|row| &row.attributes);
    field_errors.extend(files::missing(&house.store, kind.fields, &attributes, before).await?);
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
    Ok(Submitted { name, reason: get("reason"), version, attributes, field_errors, errors })
}

/// Columns that follow from attributes.
pub(crate) fn settle(row: &mut Row) {
    if row.table == Table::Task {
        row.ends_at = crate::task_rules::due_at(&row.attributes);
    }
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage<'a> {
    cx: &'a Cx,
    kind: &'static KindSpec,
    action: String,
    back: String,
    /// Id the new row gets, so that a form sent twice makes one row; empty when one is changed.
    id: String,
    name: &'a str,
    /// The name others gave the row meanwhile.
    their_name: Option<&'a str>,
    reason: &'a str,
    version: i64,
    inputs: Vec<Input>,
    errors: Vec<String>,
    /// Who saved between opening and saving; empty in a plain form.
    merged_with: String,
    history: Vec<Row>,
    /// The limit of one file as people read it.
    file_max: String,
}

impl<'a> FormPage<'a> {
    fn of(
        house: &House,
        cx: &'a Cx,
        kind: &'static KindSpec,
        action: String,
        back: String,
    ) -> FormPage<'a> {
        FormPage {
            cx,
            kind,
            action,
            back,
            id: String::new(),
            name: "",
            their_name: None,
            reason: "",
            version: 0,
            inputs: Vec::new(),
            errors: Vec::new(),
            merged_with: String::new(),
            history: Vec::new(),
            file_max: files::size(house.store.file_bytes_max()),
        }
    }

    fn has_files(&self) -> bool {
        self.inputs.iter().any(|i| i.shape == "file")
    }

    fn clashes(&self) -> usize {
        self.inputs.iter().filter(|i| i.clash).count() + usize::from(self.their_name.is_some())
    }
}

async fn new_form(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    by_form(&user, kind)?;
    let back = format!("/register/{}/{}", table.name(), kind.id);
    let body = FormPage {
        id: house.store.new_id()?.to_string(),
        inputs: inputs(&house, &user, kind, &Map::new(), &[]).await?,
        ..FormPage::of(&house, &user.cx, kind, format!("{back}/new"), back)
    };
    page(&user.cx, kind.title.get(user.cx.lang), &body)
}

async fn create(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let brings = |part: &str| brings_file(kind, part);
    let form: Sent = files::read_form(&house, &user, Action::Write, request, brings).await?;
    by_form(&user, kind)?;
    let sent = submitted(&house, &user, kind, &form, None).await?;
    let asked: Option<Id> = form.get("id").and_then(|id| id.parse().ok());
    if !sent.errors.is_empty() {
        let back = format!("/register/{}/{}", table.name(), kind.id);
        let body = FormPage {
            id: asked.map(|id| id.to_string()).unwrap_or_default(),
            name: &sent.name,
            reason: &sent.reason,
            inputs: inputs(&house, &user, kind, &sent.attributes, &sent.field_errors).await?,
            errors: sent.errors,
            ..FormPage::of(&house, &user.cx, kind, format!("{back}/new"), back)
        };
        return page(&user.cx, kind.title.get(user.cx.lang), &body);
    }
    let id = asked.map_or_else(|| house.store.new_id(), Ok)?;
    let there = || Redirect::to(&format!("/row/{}/{id}", table.name())).into_response();
    let mut row = Row::new(table, id, kind.id, &sent.name);
    row.attributes = sent.attributes;
    row.schema_version = i64::from(kind.version);
    if table == Table::Task {
        row.status = "open".to_owned();
    }
    settle(&mut row);
    let mut write = user.write(&house, &sent.reason).await?;
    match write.put(row).await {
        // The same form came a second time.
        Err(StoreError::Conflict { .. }) => return Ok(there()),
        saved => saved?,
    };
    write.commit().await?;
    house.wake();
    Ok(there())
}

async fn edit_form(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let (row, kind) = unsigned(&house, &user, &name, &row_id).await?;
    let here = format!("/row/{}/{}", row.table.name(), row.id);
    let history = house.store.newest_versions(row.table, row.id, HISTORY_SHOWN).await?;
    let body = FormPage {
        name: &row.name,
        version: row.version,
        inputs: inputs(&house, &user, kind, &row.attributes, &[]).await?,
        history,
        ..FormPage::of(&house, &user.cx, kind, format!("{here}/edit"), here)
    };
    page(&user.cx, &row.name, &body)
}

async fn update(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    request: Request,
) -> Answer {
    user.may(Action::Write)?;
    let (row, kind) = unsigned(&house, &user, &name, &row_id).await?;
    let brings = |part: &str| brings_file(kind, part);
    let form: Sent = files::read_form(&house, &user, Action::Write, request, brings).await?;
    let here = format!("/row/{}/{}", row.table.name(), row.id);
    if row.table == Table::Task && row.status == "closed" {
        let text =
            user.cx.t("完了したタスクは変更できません。", "A closed task is not changed any more.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    let mut sent = submitted(&house, &user, kind, &form, Some(&row)).await?;
    if !sent.errors.is_empty() {
        let body = FormPage {
            name: &sent.name,
            reason: &sent.reason,
            version: sent.version,
            inputs: inputs(&house, &user, kind, &sent.attributes, &sent.field_errors).await?,
            errors: sent.errors,
            ..FormPage::of(&house, &user.cx, kind, format!("{here}/edit"), here)
        };
        return page(&user.cx, &sent.name, &body);
    }
    for (name, value) in &row.attributes {
        if kind.field(name).is_some_and(|field| hidden(kind, field)) {
            sent.attributes.insert(name.clone(), value.clone());
        }
    }
    // Sent twice, or nothing changed: what stands is what was asked for. With a reason and the newest
    // version, someone wants it noted that they looked.
    let noted = row.version == sent.version && !sent.reason.is_empty();
    if row.name == sent.name && row.attributes == sent.attributes && !row.deleted && !noted {
        return Ok(Redirect::to(&here).into_response());
    }
    if row.version != sent.version && !row.deleted {
        return merge(&house, &user, &row, kind, &sent).await;
    }
    let mut new = row.clone();
    new.name.clone_from(&sent.name);
    new.version = sent.version;
    new.attributes.clone_from(&sent.attributes);
    new.schema_version = i64::from(kind.version);
    settle(&mut new);
    let mut write = user.write(&house, &sent.reason).await?;
    match write.put(new).await {
        Err(StoreError::Conflict { .. }) => {
            drop(write);
            let (row, kind) = unsigned(&house, &user, &name, &row_id).await?;
            return merge(&house, &user, &row, kind, &sent).await;
        }
        saved => saved?,
    };
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&here).into_response())
}

/// Three versions of a value: the one both began with, theirs, mine. What only one side changed is
/// taken from that side; what both changed stays mine, marked.
fn joined<T: PartialEq>(base: Option<T>, theirs: T, mine: T) -> (T, Option<T>) {
    if mine == theirs {
        return (mine, None);
    }
    match base {
        Some(base) if base == mine => (theirs, None),
        Some(base) if base == theirs => (mine, None),
        _ => (mine, Some(theirs)),
    }
}

/// Shows what both sides made of the row; saving that page is an ordinary change of the newest
/// version.
async fn merge(
    house: &House,
    user: &User,
    now: &Row,
    kind: &'static KindSpec,
    sent: &Submitted,
) -> Answer {
    let mut history = house.store.history(now.table, now.id).await?;
    let base = history.iter().find(|row| row.version == sent.version).cloned();
    let (name, their_name) =
        joined(base.as_ref().map(|b| b.name.as_str()), now.name.as_str(), sent.name.as_str());
    let mut attributes = Map::new();
    let mut clashes = Vec::new();
    for field in kind.fields {
        let of = |row: &Map<String, Json>| row.get(field.name).cloned();
        let base = base.as_ref().map(|b| of(&b.attributes));
        let (value, clash) = joined(base, of(&now.attributes), of(&sent.attributes));
        attributes.extend(value.map(|v| (field.name.to_owned(), v)));
        if clash.is_some() {
            clashes.push(field.name);
        }
    }
    let mut inputs = inputs(house, user, kind, &attributes, &[]).await?;
    let theirs: Vec<&str> =
        files::named(kind.fields, &now.attributes).into_iter().map(|f| f.1).collect();
    let known = house.store.blobs(&theirs).await?;
    for input in &mut inputs {
        let mine = sent.attributes.get(input.field.name);
        input.clash = clashes.contains(&input.field.name);
        if now.attributes.get(input.field.name) != mine {
            let text = shown(user, kind, input.field, now);
            let file = matches!(input.field.ty, FieldType::File) && !text.is_empty();
            input.theirs = Some(if file { Shown::of(&text, &known).name } else { text });
        }
    }
    history.truncate(HISTORY_SHOWN);
    let here = format!("/row/{}/{}", now.table.name(), now.id);
    let body = FormPage {
        name,
        their_name,
        reason: &sent.reason,
        version: now.version,
        inputs,
        merged_with: now.updated_by.clone(),
        history,
        ..FormPage::of(house, &user.cx, kind, format!("{here}/edit"), here)
    };
    let mut response = page(&user.cx, name, &body)?;
    *response.status_mut() = StatusCode::CONFLICT;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn what_one_side_changed_is_taken_and_what_both_changed_is_marked() {
        assert_eq!(joined(Some(1), 1, 2), (2, None));
        assert_eq!(joined(Some(1), 2, 1), (2, None));
        assert_eq!(joined(Some(1), 2, 2), (2, None));
        assert_eq!(joined(Some(1), 2, 3), (3, Some(2)));
        assert_eq!(joined(None, 2, 3), (3, Some(2)));
    }
}
