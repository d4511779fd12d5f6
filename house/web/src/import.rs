//! Import of a register from CSV or xlsx: map by header, judge every cell, take all or nothing.

use askama::Template;
use axum::extract::{Multipart, Path, State};
use model::{FieldType, KindSpec, Table, t};
use reports::Sheet;
use serde_json::{Map, Value as Json};
use store::{Row, Store};

use crate::{
    Shared,
    access::{Action, Reader},
    frame::{Answer, Cx, Refusal, User, page},
    registers,
    route::{Access, Route},
};

const PROBLEMS_SHOWN_MAX: usize = 200;
const HEADER_ROWS_TRIED: usize = 20;
const NAME_HEADERS: [&str; 8] =
    ["name", "名称", "名前", "氏名", "ホスト名", "資産名", "機器名", "件名"];

pub(crate) fn routes() -> Vec<Route> {
    let (path, write) = ("/register/{table}/{kind}/import", Access::Action(Action::Write));
    vec![
        Route::get(path, write, t("取込みの画面", "Form to import"), form),
        Route::post(path, write, t("取込み", "Import"), import)
            .body_max(reports::FILE_BYTES_MAX + 64 * 1024),
    ]
}

/// One cell or row that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Address as a spreadsheet shows it.
    pub cell: String,
    pub what: String,
}

/// What an import would do, or did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub added: usize,
    pub changed: usize,
    pub same: usize,
    pub problems: Vec<Problem>,
    /// Headers that belong to no field.
    pub ignored: Vec<String>,
}

/// Where the columns go.
struct Mapping {
    header_row: usize,
    name: usize,
    fields: Vec<(usize, &'static model::Field)>,
    ignored: Vec<String>,
}

fn fold(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Finds the header row: the one of the first rows that names most fields, a name among them.
fn map_columns(kind: &'static KindSpec, sheet: &Sheet) -> Option<Mapping> {
    let tried = sheet.rows.iter().take(HEADER_ROWS_TRIED).enumerate();
    let mappings = tried.filter_map(|(row, cells)| map_row(kind, row, cells));
    mappings.max_by_key(|m| (m.fields.len(), std::cmp::Reverse(m.header_row)))
}

fn map_row(kind: &'static KindSpec, header_row: usize, cells: &[String]) -> Option<Mapping> {
    let is_name = |text: &String| {
        let folded = fold(text);
        NAME_HEADERS.iter().any(|h| fold(h) == folded) || folded == fold(kind.title.ja)
    };
    let name = cells.iter().position(is_name)?;
    let mut mapping = Mapping { header_row, name, fields: Vec::new(), ignored: Vec::new() };
    for (column, text) in cells.iter().enumerate().filter(|(c, t)| *c != name && !t.is_empty()) {
        let folded = fold(text);
        let names = |f: &&model::Field| {
            let own = [f.name, f.label.ja, f.label.en];
            own.iter().chain(f.aliases).any(|n| fold(n) == folded)
        };
        match kind.fields.iter().find(names) {
            Some(field) => mapping.fields.push((column, field)),
            None => mapping.ignored.push(text.clone()),
        }
    }
    Some(mapping)
}

/// A cell's text as the field's JSON; what does not parse stays text, so that validation names it.
fn typed(field: &model::Field, text: &str) -> Json {
    match field.ty {
        FieldType::Number { .. } | FieldType::Money => {
            let digits: String = fold(text).chars().filter(|c| *c != ',').collect();
            digits.parse::<i64>().map_or_else(|_| Json::from(text), Json::from)
        }
        FieldType::Boolean => match fold(text).as_str() {
            "true" | "yes" | "はい" | "有" | "○" | "1" => Json::Bool(true),
            "false" | "no" | "いいえ" | "無" | "×" | "0" => Json::Bool(false),
            _ => Json::from(text),
        },
        FieldType::Date => Json::from(fold(text).replace('/', "-")),
        FieldType::Enum(choices) => {
            let folded = fold(text);
            let same = |c: &&model::Choice| {
                [c.value, c.label.ja, c.label.en].iter().any(|n| fold(n) == folded)
            };
            Json::from(choices.iter().find(same).map_or(text, |c| c.value))
        }
        FieldType::Duration => {
            Json::from(model::duration::read(text).unwrap_or_else(|| text.to_owned()))
        }
        FieldType::Table(columns) => crate::cells::rows(columns, text, typed),
        FieldType::List => {
            text.split(['\n', ';', '、']).map(str::trim).filter(|t| !t.is_empty()).collect()
        }
        _ => Json::from(text),
    }
}

/// Why a table takes no import; `None` if it does.
pub fn closed(table: Table) -> Option<model::Text> {
    match table {
        Table::Decision => Some(t(
            "決定は取り込めません。署名が必要なため、画面で決定してください。",
            "Decisions cannot be imported: they need a signature, given on the pages.",
        )),
        Table::Link => Some(t(
            "関連は取り込めません。両端の行が必要なため、行の画面かAPIで追加してください。",
            "Links cannot be imported: they need both rows. Add them on a row's page or by the API.",
        )),
        _ => None,
    }
}

/// Refuses who may not write the kind, and tables that take no import.
fn open(user: &User, kind: &KindSpec) -> Result<(), Refusal> {
    if !user.reader().may(Action::Write, kind) {
        return Err(Refusal::Forbidden);
    }
    closed(kind.table).map_or(Ok(()), |why| Err(Refusal::Bad(why.get(user.cx.lang).to_owned())))
}

/// Reads the sheet into rows. Rows whose name exists already, as far as the reader sees them, are
/// changed, so that importing the same file twice changes nothing.
pub async fn plan(
    store: &Store,
    reader: &Reader,
    kind: &'static KindSpec,
    table: Table,
    sheet: &Sheet,
    lang: model::Lang,
) -> Result<(Outcome, Vec<Row>), store::StoreError> {
    let mut outcome = Outcome::default();
    let Some(mapping) = map_columns(kind, sheet) else {
        let what = model::t(
            "見出し行が見つかりません。「名称」の列が必要です。",
            "No header row was found. A column headed \"name\" is needed.",
        )
        .get(lang);
        outcome.problems.push(Problem { cell: sheet.address(0, 0), what: what.to_owned() });
        return Ok((outcome, Vec::new()));
    };
    outcome.ignored = mapping.ignored.clone();
    let mut existing = store.all(table, &[kind.id]).await?;
    let ids: Vec<model::Id> = existing.iter().map(|row| row.id).collect();
    let seen = store.reached(table, &ids, &reader.within(Action::Read, kind)).await?;
    existing.retain(|row| seen.contains(&row.id));
    let by_name: std::collections::HashMap<&str, &Row> =
        existing.iter().map(|row| (row.name.as_str(), row)).collect();
    let mut seen = std::collections::HashSet::new();
    let mut rows = Vec::new();
    for (at, cells) in sheet.rows.iter().enumerate().skip(mapping.header_row + 1) {
        if cells.iter().all(String::is_empty) {
            continue;
        }
        let name = cells.get(mapping.name).map_or("", String::as_str);
        let problem =
            |column: usize, what: String| Problem { cell: sheet.address(at, column), what };
        if name.is_empty() {
            let what = model::t("名称がありません。", "The name is missing.").get(lang);
            outcome.problems.push(problem(mapping.name, what.to_owned()));
            continue;
        }
        if !seen.insert(name) {
            let what = model::t(
                "同じ名称が前の行にもあります。",
                "This name stands in an earlier row too.",
            )
            .get(lang);
            outcome.problems.push(problem(mapping.name, what.to_owned()));
            continue;
        }
        let old = by_name.get(name).copied();
        let mut attributes: Map<String, Json> =
            old.map(|r| r.attributes.clone()).unwrap_or_default();
        for (column, field) in &mapping.fields {
            match cells.get(*column).map_or("", String::as_str) {
                "" => drop(attributes.remove(field.name)),
                text => drop(attributes.insert(field.name.to_owned(), typed(field, text))),
            }
        }
        let mut errors = kind.validate(&attributes);
        let before = old.map(|row| &row.attributes);
        errors.extend(crate::files::missing(store, kind.fields, &attributes, before).await?);
        for error in errors {
            let column = mapping.fields.iter().find(|(_, f)| f.name == error.field());
            let label = kind.field(error.field()).map_or(error.field(), |f| f.label.get(lang));
            let what = format!("{label}: {}", crate::form::error_text(lang, &error));
            outcome.problems.push(problem(column.map_or(mapping.name, |(c, _)| *c), what));
        }
        let mut row = match old {
            Some(old) if old.attributes == attributes => {
                outcome.same += 1;
                continue;
            }
            Some(old) => {
                outcome.changed += 1;
                old.clone()
            }
            None => {
                outcome.added += 1;
                Row::new(table, store.new_id()?, kind.id, name)
            }
        };
        row.attributes = attributes;
        if table == Table::Task && row.status != "closed" {
            row.status = "open".to_owned();
            row.ends_at = crate::task_rules::due_at(&row.attributes);
        }
        row.schema_version = i64::from(kind.version);
        rows.push(row);
    }
    Ok((outcome, rows))
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage<'a> {
    cx: &'a Cx,
    table: Table,
    kind: &'static KindSpec,
    outcome: Option<Outcome>,
    problems: Vec<Problem>,
    done: bool,
}

async fn form(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let table = registers::table(&name)?;
    let kind = registers::kind(&house, table, &kind_id)?;
    open(&user, kind)?;
    show(&user, table, kind, None, false)
}

fn show(
    user: &User,
    table: Table,
    kind: &'static KindSpec,
    outcome: Option<Outcome>,
    done: bool,
) -> Answer {
    let problems = outcome
        .as_ref()
        .map_or_else(Vec::new, |o| o.problems.iter().take(PROBLEMS_SHOWN_MAX).cloned().collect());
    let body = ImportPage { cx: &user.cx, table, kind, outcome, problems, done };
    page(&user.cx, user.cx.t("取込み", "Import"), &body)
}

async fn import(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    mut upload: Multipart,
) -> Answer {
    let (mut csrf, mut check_only, mut file) = (String::new(), false, Vec::new());
    let bad = |e: axum::extract::multipart::MultipartError| Refusal::Bad(e.body_text());
    while let Some(part) = upload.next_field().await.map_err(bad)? {
        match part.name() {
            Some("csrf") => csrf = part.text().await.map_err(bad)?,
            Some("check") => check_only = part.text().await.map_err(bad)? == "1",
            Some("file") => file = part.bytes().await.map_err(bad)?.to_vec(),
            _ => {}
        }
    }
    user.form(&csrf, Action::Write)?;
    let table = registers::table(&name)?;
    let kind = registers::kind(&house, table, &kind_id)?;
    open(&user, kind)?;
    let read = tokio::task::spawn_blocking(move || reports::read(&file)).await;
    let sheet = match read {
        Ok(Ok(sheet)) => sheet,
        Ok(Err(error)) => return Err(Refusal::Bad(error.text(user.cx.lang))),
        Err(error) => return Err(Refusal::Bad(error.to_string())),
    };
    let (outcome, rows) =
        plan(&house.store, user.reader(), kind, table, &sheet, user.cx.lang).await?;
    if check_only || !outcome.problems.is_empty() {
        return show(&user, table, kind, Some(outcome), false);
    }
    let mut write = user.write(&house, "import").await?;
    for row in rows {
        write.put(row).await?;
    }
    write.commit().await?;
    house.wake();
    show(&user, table, kind, Some(outcome), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Field;

    const KIND: KindSpec = KindSpec {
        id: "sample",
        table: Table::Asset,
        title: t("見本", "Sample"),
        help: t("試験用", "for tests"),
        fields: &[
            Field::new("os", t("OS", "Operating system"), FieldType::Text).aliases(&["基本ソフト"]),
            Field::new(
                "memory",
                t("メモリ", "Memory"),
                FieldType::Number { unit: "GiB", min: 1, max: 9_999 },
            ),
        ],
        ..KindSpec::BASE
    };

    #[test]
    fn the_header_row_is_found_below_a_title() {
        let texts = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let rows = vec![
            texts(&["機器台帳 2026年度", "", ""]),
            texts(&["ホスト名", "基本ソフト", "備考", "ﾒﾓﾘ"]),
            texts(&["db1", "Debian 12", "x", "64"]),
        ];
        let sheet = Sheet { name: String::new(), rows, origin: (0, 0) };
        static KIND_REF: KindSpec = KIND;
        let mapping = map_columns(&KIND_REF, &sheet).expect("mapping");
        assert_eq!((mapping.header_row, mapping.name), (1, 0));
        assert_eq!(mapping.fields.len(), 1);
        assert_eq!(mapping.ignored, ["備考", "ﾒﾓﾘ"]);
    }

    #[test]
    fn full_width_digits_and_separators_are_numbers() {
        assert_eq!(typed(&KIND.fields[1], "１,０２４"), Json::from(1024));
        assert_eq!(typed(&KIND.fields[1], "many"), Json::from("many"));
    }
}
