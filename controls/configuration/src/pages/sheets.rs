//! `/configuration/sheets`: a workbook is dropped, its columns are confirmed, and its design values stand beside what
//! the hosts have; from there it is downloaded filled, recorded, or its values become rules.
//!
//! Invariants: what was sent belongs to one person for a day and is kept as a file; nothing is recorded and no rule
//! changes before somebody asks for it; values of hosts are shown to whoever sees the host.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, Request, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Lang, Table, t};
use reports::Book;
use serde::{Deserialize, Serialize};
use store::Within;
use web::{
    House, Shared,
    access::{Action, Reader},
    files::{Shown, read_form},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use crate::{
    design::{self, Step, Wanted},
    registers::number,
    sheet::{
        Finding,
        choose::Roles,
        compare::Line,
        map::{Role, SheetMap},
    },
    sheets::{self, Fault, Held, Proposed},
    work::seen,
};

const LINES_SHOWN: usize = 500;
const RECORDS_SHOWN: usize = 30;
const EXAMPLES: usize = 3;
const EXAMPLE_CHARS: usize = 40;
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let title = t("パラメータシート", "Parameter sheets");
    let one = "/configuration/sheets/{id}";
    vec![
        Route::get("/configuration/sheets", inspect, title, start),
        Route::post("/configuration/sheets", write, t("シートの送信", "Send a sheet"), upload),
        Route::get(one, write, t("設計値と実機値", "Design and actual values"), show),
        Route::post(one, write, t("列の対応の確認", "Confirm where columns go"), choose),
        Route::get(
            "/configuration/sheets/{id}/filled",
            write,
            t("記入済みブック", "The filled workbook"),
            download,
        ),
        Route::post(
            "/configuration/sheets/{id}/record",
            write,
            t("シートの記録", "Record the sheet"),
            record,
        ),
        Route::get(
            "/configuration/sheets/{id}/design",
            write,
            t("設計値としての登録の確認", "Design values as rules, before they are written"),
            preview,
        ),
        Route::post(
            "/configuration/sheets/{id}/design",
            write,
            t("設計値の登録", "Make rules of design values"),
            take,
        ),
    ]
}

/// What was sent and said so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Draft {
    sheet_name: String,
    sheet_file: String,
    maps: Vec<SheetMap>,
    confirmed: bool,
    /// Cells at which the layout departs from what was confirmed before, in both languages.
    shifted: Vec<(String, String)>,
    alone: Option<Id>,
}

pub(super) fn within(reader: &Reader) -> Within {
    reader.sees_of(Table::Asset)
}

fn refused(cx: &Cx, fault: Fault) -> Refusal {
    match fault {
        Fault::Store(error) => Refusal::Store(error),
        other => Refusal::Bad(other.text(cx.lang)),
    }
}

async fn load(house: &House, user: &User, id: &str) -> Result<(Id, Draft), Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let draft = house.store.import(id, &user.actor()).await?.ok_or(Refusal::NotFound)?;
    // The wizard for registers keeps its drafts in the same place.
    Ok((id, serde_json::from_str(&draft.content).map_err(|_| Refusal::NotFound)?))
}

async fn save(house: &House, user: &User, id: Id, draft: &Draft) -> Result<(), Refusal> {
    let content = serde_json::to_string(draft).map_err(|e| Refusal::Bad(e.to_string()))?;
    match house.store.set_import(id, &user.actor(), &content).await? {
        true => Ok(()),
        false => Err(Refusal::NotFound),
    }
}

/// The workbook of a draft.
async fn file(house: &House, cx: &Cx, draft: &Draft) -> Result<Arc<Vec<u8>>, Refusal> {
    let bytes = house.store.blob_bytes(&draft.sheet_file).await?;
    let gone = || {
        let text = cx.t(
            "ファイルがありません。もう一度送ってください。",
            "The file is gone. Send it again.",
        );
        Refusal::Bad(format!("{}: {text}", draft.sheet_name))
    };
    bytes.map(Arc::new).ok_or_else(gone)
}

async fn book_of(house: &House, cx: &Cx, draft: &Draft) -> Result<Arc<Book>, Refusal> {
    let bytes = file(house, cx, draft).await?;
    sheets::read(bytes).await.map(Arc::new).map_err(|fault| refused(cx, fault))
}

async fn held_of(house: &House, user: &User, draft: &Draft) -> Result<Held, Refusal> {
    let book = book_of(house, &user.cx, draft).await?;
    let maps = Arc::new(draft.maps.clone());
    let held = sheets::hold(&house.store, book, maps, draft.alone, &within(user.reader())).await;
    held.map_err(|fault| refused(&user.cx, fault))
}

/// A sheet that was recorded.
struct Recorded {
    id: Id,
    at: String,
    host: String,
    file: Shown,
    rows: i64,
    matched: String,
}

#[derive(Template)]
#[template(path = "sheets.html")]
struct StartPage<'a> {
    cx: &'a Cx,
    recorded: Vec<Recorded>,
    fault: String,
}

async fn start(State(house): State<Shared>, user: User) -> Answer {
    started(&house, &user, String::new()).await
}

async fn started(house: &Shared, user: &User, fault: String) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let records = store.newest_records(&[sheets::RECORD], None, RECORDS_SHOWN).await?;
    let ids: Vec<Id> = records.iter().filter_map(|record| record.subject).collect();
    let seen = store.reached(Table::Asset, &ids, &within(user.reader())).await?;
    let named: BTreeMap<Id, String> = store
        .rows_by_id(Table::Asset, &ids)
        .await?
        .into_iter()
        .map(|row| (row.id, row.name))
        .collect();
    let hashes: Vec<&str> =
        records.iter().map(|record| crate::registers::fact(record, "file")).collect();
    let blobs = store.blobs(&hashes).await?;
    let one = |record: &store::Record| {
        let host = record.subject.filter(|host| seen.contains(host))?;
        let matched = record.facts.get("matched").map(|_| number(record, "matched"));
        Some(Recorded {
            id: record.id,
            at: cx.time(&record.observed_to),
            host: named.get(&host).cloned().unwrap_or_default(),
            file: Shown::of(crate::registers::fact(record, "file"), &blobs),
            rows: number(record, "rows"),
            matched: matched.map_or_else(|| "–".to_owned(), |n| n.to_string()),
        })
    };
    let recorded = records.iter().filter_map(one).collect();
    page(cx, cx.t("パラメータシート", "Parameter sheets"), &StartPage { cx, recorded, fault })
}

async fn upload(State(house): State<Shared>, user: User, request: Request) -> Answer {
    let cx = &user.cx;
    let form = read_form(&house, &user, Action::Write, request, |name| name == "file").await?;
    let Some(sha256) = form.get("file").filter(|sha| store::is_sha256(sha)) else {
        let text = cx.t("ファイルを選んでください。", "Choose a file.");
        return Err(Refusal::Bad(text.to_owned()));
    };
    let blob = house.store.blob(sha256).await?.ok_or(Refusal::NotFound)?;
    let mut draft =
        Draft { sheet_name: blob.name.clone(), sheet_file: sha256.clone(), ..Draft::default() };
    let book = match sheets::read(file(&house, cx, &draft).await?).await {
        Ok(book) => book,
        Err(Fault::Store(error)) => return Err(error.into()),
        Err(fault) => return unread(&house, &user, &draft, &fault).await,
    };
    match sheets::proposed(&house.store, &book, &within(user.reader())).await {
        Ok(proposed) => fill_draft(&mut draft, proposed),
        Err(Fault::Store(error)) => return Err(error.into()),
        Err(fault) => return unread(&house, &user, &draft, &fault).await,
    }
    let content = serde_json::to_string(&draft).map_err(|e| Refusal::Bad(e.to_string()))?;
    let id = house.store.add_import(&user.actor(), &content).await?;
    Ok(Redirect::to(&format!("/configuration/sheets/{id}")).into_response())
}

fn fill_draft(draft: &mut Draft, proposed: Proposed) {
    draft.confirmed = proposed.is_known;
    draft.shifted = proposed.shifted.iter().map(|s| (s.ja(), s.to_string())).collect();
    draft.maps = proposed.maps;
}

/// The page to begin with, and why this workbook was not taken.
async fn unread(house: &Shared, user: &User, draft: &Draft, fault: &Fault) -> Answer {
    let text = format!("{}: {}", draft.sheet_name, fault.text(user.cx.lang));
    started(house, user, text).await
}

/// A column of a table, with what a person may choose for it.
struct Column {
    at: usize,
    header: String,
    examples: String,
    role: &'static str,
    host: String,
}

struct TableShown {
    at: usize,
    place: String,
    host: String,
    columns: Vec<Column>,
    added: Vec<String>,
}

#[derive(Template)]
#[template(path = "sheet_map.html")]
struct MapPage<'a> {
    cx: &'a Cx,
    id: Id,
    name: &'a str,
    tables: Vec<TableShown>,
    shifted: Vec<String>,
    roles: Vec<(&'static str, &'static str)>,
    hosts: Vec<String>,
    fault: String,
}

/// A line as the grid shows it.
struct GridLine<'l> {
    line: &'l Line,
    class: &'static str,
    verdict: &'static str,
    difference: String,
}

#[derive(Template)]
#[template(path = "sheet_grid.html")]
struct GridPage<'a> {
    cx: &'a Cx,
    id: Id,
    name: &'a str,
    counts: Vec<(&'static str, &'static str, usize, &'static str)>,
    only: &'a str,
    lines: Vec<GridLine<'a>>,
    total: usize,
    hosts: Vec<(String, String)>,
    strangers: Vec<String>,
    choices: Vec<(Id, String, bool)>,
    is_nameless: bool,
    is_whole: bool,
    may_rule: bool,
    done: usize,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Look {
    only: String,
    /// `map` shows the mapping again.
    step: String,
    /// Hosts that were just recorded.
    done: usize,
}

async fn show(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(look): Query<Look>,
) -> Answer {
    let (id, draft) = load(&house, &user, &id).await?;
    if !draft.confirmed || look.step == "map" {
        return mapping(&house, &user, id, &draft, String::new()).await;
    }
    grid(&house, &user, id, &draft, &look).await
}

async fn mapping(house: &Shared, user: &User, id: Id, draft: &Draft, fault: String) -> Answer {
    let cx = &user.cx;
    let book = book_of(house, cx, draft).await?;
    let table = |(at, map): (usize, &SheetMap)| table_shown(&book, at, map);
    let tables = draft.maps.iter().enumerate().filter_map(table).collect();
    let hosts = seen::hosts(&house.store, &within(user.reader())).await?;
    let body = MapPage {
        cx,
        id,
        name: &draft.sheet_name,
        tables,
        shifted: draft.shifted.iter().map(|(ja, en)| cx.either(ja, en).to_owned()).collect(),
        roles: Role::ALL.iter().map(|role| (role.as_str(), cx.pick(&role.text()))).collect(),
        hosts: hosts.into_iter().map(|row| row.name).collect(),
        fault,
    };
    page(cx, cx.t("列の対応", "Where columns go"), &body)
}

fn table_shown(book: &Book, at: usize, map: &SheetMap) -> Option<TableShown> {
    let mut plain = map.clone();
    plain.columns.retain(|place| !place.new);
    let (sheet, table) = plain.locate(book).ok()?;
    let left = sheet.origin.1 as usize;
    let rows: Vec<_> = table.records(sheet).take(EXAMPLES).map(|(_, cells)| cells).collect();
    let column = |(index, column): (usize, &reports::find::Column)| {
        let place = plain.columns.iter().find(|place| place.at == left + column.at);
        let example = |cells: &Vec<reports::find::Cell<'_>>| {
            let text: String = cells.get(index)?.text.chars().take(EXAMPLE_CHARS).collect();
            (!text.is_empty()).then_some(text)
        };
        Column {
            at: left + column.at,
            header: column.text(),
            examples: rows.iter().filter_map(example).collect::<Vec<_>>().join(" / "),
            role: place.map_or("", |place| place.role.as_str()),
            host: place.and_then(|place| place.host.clone()).unwrap_or_default(),
        }
    };
    let new = map.columns.iter().filter(|place| place.new);
    let added = new.map(|place| {
        format!("{} {}", reports::address(0, place.at).trim_end_matches('1'), place.header)
    });
    Some(TableShown {
        at,
        place: format!(
            "{}!{}",
            map.sheet,
            reports::address(map.header_row.saturating_sub(1), left)
        ),
        host: map.host.clone().unwrap_or_default(),
        columns: table.columns.iter().enumerate().map(column).collect(),
        added: added.collect(),
    })
}

async fn choose(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    let (id, mut draft) = load(&house, &user, &id).await?;
    let cx = &user.cx;
    if let Some(host) = form.get("alone") {
        draft.alone = host.parse().ok();
        save(&house, &user, id, &draft).await?;
        return Ok(Redirect::to(&format!("/configuration/sheets/{id}")).into_response());
    }
    let book = book_of(&house, cx, &draft).await?;
    let mut maps = Vec::new();
    for (at, map) in draft.maps.iter().enumerate() {
        if form.contains_key(&format!("skip.{at}")) {
            continue;
        }
        let said =
            |name: String| form.get(&name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let mut roles = Roles::new();
        for (name, role) in &form {
            let column = name.strip_prefix(&format!("role.{at}.")).and_then(|n| n.parse().ok());
            let (Some(column), Some(role)) = (column, Role::named(role)) else { continue };
            let host = said(format!("host.{at}.{column}")).map(str::to_owned);
            roles.insert(column, (role, host));
        }
        match map.chosen(&book, &roles, said(format!("sheet_host.{at}")).map(str::to_owned)) {
            Ok(map) => maps.push(map),
            Err(unfit) => {
                return mapping(&house, &user, id, &draft, unfit.text(cx.lang)).await;
            }
        }
    }
    if maps.is_empty() {
        let text = cx.t("表を一つ以上選んでください。", "Choose one table at least.");
        return mapping(&house, &user, id, &draft, text.to_owned()).await;
    }
    if may_rule(&house, &user, sheets::KIND) {
        let reason =
            cx.t("パラメータシートの列の対応を確認", "confirmed the columns of a parameter sheet");
        let mut write = user.write(&house, reason).await?;
        sheets::keep_maps(&house.store, &mut write, &maps).await?;
        write.commit().await?;
    }
    (draft.maps, draft.confirmed, draft.shifted) = (maps, true, Vec::new());
    save(&house, &user, id, &draft).await?;
    Ok(Redirect::to(&format!("/configuration/sheets/{id}")).into_response())
}

/// Whether the user writes rules of this kind.
pub(super) fn may_rule(house: &House, user: &User, kind: &str) -> bool {
    house.kind(Table::Rule, kind).is_some_and(|(_, kind)| user.reader().may(Action::Write, kind))
}

fn class(finding: Finding) -> &'static str {
    match finding {
        Finding::Equal => "pass",
        Finding::Differs | Finding::NotSet => "fail",
        Finding::Unread | Finding::UnknownItem | Finding::Unclear => "unknown",
        Finding::NoDesign => "excluded",
    }
}

async fn grid(house: &Shared, user: &User, id: Id, draft: &Draft, look: &Look) -> Answer {
    let cx = &user.cx;
    let held = held_of(house, user, draft).await?;
    let count = |finding: &Finding| {
        (finding.as_str(), cx.pick(&finding.text()), held.count(*finding), class(*finding))
    };
    let wanted = |line: &&Line| look.only.is_empty() || line.finding.as_str() == look.only;
    let lines: Vec<&Line> = held.lines.iter().filter(wanted).collect();
    let japanese = cx.lang == Lang::Ja;
    let shown = |line: &&'_ Line| (class(line.finding), cx.pick(&line.finding.text()));
    let rows = if held.is_nameless {
        seen::hosts(&house.store, &within(user.reader())).await?
    } else {
        Vec::new()
    };
    let body = GridPage {
        cx,
        id,
        name: &draft.sheet_name,
        counts: Finding::ALL.iter().map(count).filter(|count| count.2 > 0).collect(),
        only: &look.only,
        total: lines.len(),
        lines: lines
            .iter()
            .take(LINES_SHOWN)
            .map(|line| {
                let (class, verdict) = shown(line);
                GridLine { line, class, verdict, difference: line.difference(japanese) }
            })
            .collect(),
        hosts: held
            .hosts
            .keys()
            .map(|name| {
                let at = held.seen_at.get(name).map(|at| cx.time(at));
                (name.clone(), at.unwrap_or_default())
            })
            .collect(),
        strangers: held.strangers.iter().cloned().collect(),
        choices: rows
            .into_iter()
            .map(|row| (row.id, row.name, draft.alone == Some(row.id)))
            .collect(),
        is_nameless: held.is_nameless,
        is_whole: lines.len() <= LINES_SHOWN,
        may_rule: may_rule(house, user, design::KIND),
        done: look.done,
    };
    page(cx, cx.t("設計値と実機値", "Design and actual values"), &body)
}

/// The day where the organisation is.
pub(super) fn today(cx: &Cx) -> String {
    cx.date(&cx.now)
}

async fn download(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let (_, draft) = load(&house, &user, &id).await?;
    let cx = &user.cx;
    let held = held_of(&house, &user, &draft).await?;
    let bytes = file(&house, cx, &draft).await?;
    let filled = sheets::filled(bytes, &draft.maps, &held.lines, &today(cx)).await;
    let filled = filled.map_err(|fault| refused(cx, fault))?;
    Ok(book_response(&draft.sheet_name, filled.bytes))
}

/// A workbook as a download; the name is given in the form that takes any letters.
pub(super) fn book_response(name: &str, bytes: Vec<u8>) -> Response {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' })
        .collect();
    let disposition = format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        name.bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() || b"-._".contains(&b) => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            })
            .collect::<String>()
    );
    let headers =
        [(header::CONTENT_TYPE, XLSX.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, bytes).into_response()
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn record(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (id, draft) = load(&house, &user, &id).await?;
    if !draft.confirmed {
        return Err(Refusal::NotFound);
    }
    let held = held_of(&house, &user, &draft).await?;
    let reason = user.cx.t("パラメータシートの取込み", "took a parameter sheet in");
    let mut write = user.write(&house, reason).await?;
    let done = sheets::keep(&mut write, &held, &draft.sheet_file, house.store.now()).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/sheets/{id}?done={done}")).into_response())
}

#[derive(Template)]
#[template(path = "sheet_design.html")]
struct DesignPage<'a> {
    cx: &'a Cx,
    id: Id,
    name: &'a str,
    steps: Vec<(Wanted, Step)>,
    added: usize,
    changed: usize,
}

async fn steps_of(
    house: &House,
    user: &User,
    draft: &Draft,
) -> Result<Vec<(Wanted, Step)>, Refusal> {
    let held = held_of(house, user, draft).await?;
    let hosts: Vec<Id> = held.hosts.values().map(|row| row.id).collect();
    let there = design::of(&house.store, &hosts).await?;
    Ok(design::plan(&there, sheets::wanted(&held, &draft.sheet_name)))
}

async fn preview(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let (id, draft) = load(&house, &user, &id).await?;
    let steps = steps_of(&house, &user, &draft).await?;
    let cx = &user.cx;
    let body = DesignPage {
        cx,
        id,
        name: &draft.sheet_name,
        added: steps.iter().filter(|(_, step)| *step == Step::Add).count(),
        changed: steps.iter().filter(|(_, step)| matches!(step, Step::Change { .. })).count(),
        steps,
    };
    page(cx, cx.t("設計値の登録", "Design values as rules"), &body)
}

async fn take(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (_, draft) = load(&house, &user, &id).await?;
    let steps = steps_of(&house, &user, &draft).await?;
    let reason = user.cx.t("パラメータシートの設計値を登録", "design values of a parameter sheet");
    let mut write = user.write(&house, reason).await?;
    design::put(&house.store, &mut write, &steps).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/register/rule/baseline").into_response())
}
