//! Registers: list, form, detail, history, decision and export of every kind, made from its schema.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Field, FieldType, Id, KindSpec, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Filter, Record, Row};

use crate::{
    House, Shared,
    access::Action,
    decide::{self, ASKED_KIND, About, Cast, Given, PROPOSED, Ruling, is_sealed},
    files::{self, Shown},
    frame::{Answer, Refusal, User, page},
    kinds_of,
    links::{self, Links, Names},
    route::{Access, Route},
    when::AsOf,
};

/// Stands for a personal value that the reader's role does not see.
const MASKED: &str = "●●●";
const YES: model::Text = model::t("はい", "yes");
const NO: model::Text = model::t("いいえ", "no");
const SEARCH_HITS_MAX: usize = 50;
const DETAIL_RECORDS_MAX: usize = 20;
/// Versions that a page shows; API and command line give more.
const VERSIONS_SHOWN_MAX: usize = 50;

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let write = Access::Action(Action::Write);
    let decide = Access::Action(Action::Decide);
    let row_path = "/row/{table}/{id}";
    vec![
        Route::get("/register/{table}", read, t("台帳の種類", "Kinds of a register"), kinds),
        Route::get(row_path, read, t("表示", "Show"), detail),
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
    /// None for who does not see every row: the number would tell of the others.
    rows: Option<i64>,
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
    let counts: Option<std::collections::HashMap<String, i64>> =
        match user.reader().sees_of(table).is_whole() {
            true => Some(house.store.count_by_kind(table).await?.into_iter().collect()),
            false => None,
        };
    let mut lines = Vec::new();
    for room in house.specs() {
        for kind in kinds_of(room).filter(|k| k.table == table) {
            let rows = counts.as_ref().map(|c| c.get(kind.id).copied().unwrap_or(0));
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

pub(crate) fn shown(user: &User, kind: &KindSpec, field: &Field, row: &Row) -> String {
    let Some(value) = row.attributes.get(field.name) else { return String::new() };
    if !user.reader().sees(kind, field) {
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
        (FieldType::Duration, Json::String(s)) => model::duration::show(s, user.cx.lang),
        (FieldType::Table(columns), value) => {
            crate::cells::lines(columns, value, Some(user.cx.lang)).join("; ")
        }
        (_, Json::String(s)) => s.clone(),
        (_, other) => other.to_string(),
    }
}

/// As [`shown`], but with the name of a row in place of its id, and its address.
pub(crate) fn named(
    user: &User,
    names: &Names,
    kind: &KindSpec,
    field: &Field,
    row: &Row,
) -> (String, String) {
    let text = shown(user, kind, field, row);
    match (field.ty, text.parse()) {
        (FieldType::Reference(_) | FieldType::Party, Ok(id)) => names.of(id),
        _ => (text, String::new()),
    }
}

/// As [`shown`], but as an import reads it back: numbers without unit, lists line by line.
pub(crate) fn plain(user: &User, kind: &KindSpec, field: &Field, row: &Row) -> String {
    let value = row.attributes.get(field.name).filter(|_| user.reader().sees(kind, field));
    let text = value.and_then(|value| crate::book::plain(field, value));
    text.unwrap_or_else(|| shown(user, kind, field, row))
}

/// A row the user sees; any other is as absent as one that is not there.
pub(crate) async fn find(
    house: &House,
    user: &User,
    name: &str,
    row_id: &str,
) -> Result<(Row, &'static KindSpec), Refusal> {
    let table = table(name)?;
    let row = house.store.row(table, id(row_id)?).await?.ok_or(Refusal::NotFound)?;
    let kind = kind(house, table, &row.kind)?;
    if !reaches(house, user, Action::Read, &row, kind).await? {
        return Err(Refusal::NotFound);
    }
    Ok((row, kind))
}

/// Whether the user may do it with this row.
pub async fn reaches(
    house: &House,
    user: &User,
    action: Action,
    row: &Row,
    kind: &KindSpec,
) -> Result<bool, Refusal> {
    Ok(house.store.reaches(row.table, row.id, &user.reader().within(action, kind)).await?)
}

/// A row that the user may change, unless it is a signed decision.
pub(crate) async fn unsigned(
    house: &House,
    user: &User,
    name: &str,
    row_id: &str,
) -> Result<(Row, &'static KindSpec), Refusal> {
    let (row, kind) = find(house, user, name, row_id).await?;
    if is_sealed(&row) {
        return Err(Refusal::Signed);
    }
    if !reaches(house, user, Action::Write, &row, kind).await? {
        return Err(Refusal::Forbidden);
    }
    Ok((row, kind))
}

/// A subject is named by its id alone, so links to one may name the wrong table; it may also be a
/// record.
async fn elsewhere(house: &House, user: &User, name: &str, row_id: &str) -> Answer {
    let row_id = id(row_id)?;
    for table in Table::ALL {
        let other = table.name() != name && table != Table::Record;
        let within = user.reader().sees_of(table);
        if other
            && house.store.reaches(table, row_id, &within).await?
            && house.store.row(table, row_id).await?.is_some()
        {
            return Ok(Redirect::to(&format!("/row/{}/{row_id}", table.name())).into_response());
        }
    }
    if house.store.record(row_id).await?.is_some() {
        return Ok(Redirect::to(&format!("/records/{row_id}")).into_response());
    }
    Err(Refusal::NotFound)
}

async fn delete(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> Answer {
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    let (mut row, kind) = unsigned(&house, &user, &name, &row_id).await?;
    row.version = form.get("version").and_then(|v| v.parse().ok()).unwrap_or(-1);
    let to = format!("/register/{}/{}", row.table.name(), kind.id);
    let reason = form.get("reason").map_or("", String::as_str);
    let mut write = user.write(&house, reason).await?;
    write.delete(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&to).into_response())
}

struct Pair {
    label: &'static str,
    value: String,
    /// Address of the row or file that the value names; empty for any other value.
    href: String,
    /// What stands behind it: size and type of a file.
    note: String,
}

/// The label of a file field, and the file.
type Attached = (&'static str, Shown);

/// The files a version names, as far as the reader may see them.
fn attached(
    user: &User,
    kind: &'static KindSpec,
    row: &Row,
    known: &BTreeMap<String, store::Blob>,
) -> Vec<Attached> {
    let named = files::named(kind.fields, &row.attributes).into_iter();
    named
        .filter_map(|(name, sha)| Some((kind.field(name)?, sha)))
        .filter(|(field, _)| user.reader().sees(kind, field))
        .map(|(field, sha)| (field.label.get(user.cx.lang), Shown::of(sha, known)))
        .collect()
}

/// A version and the files it names.
struct Version {
    row: Row,
    files: Vec<Attached>,
}

#[derive(Template)]
#[template(path = "detail.html")]
struct DetailPage<'a> {
    cx: &'a crate::frame::Cx,
    row: &'a Row,
    kind: &'static KindSpec,
    room: &'static str,
    pairs: Vec<Pair>,
    history: Vec<Version>,
    /// Older versions that are not shown.
    older: i64,
    has_files: bool,
    records: Vec<Record>,
    decisions: Vec<Row>,
    /// The request for approval that is open.
    asked: Option<Row>,
    titles: crate::Titles<'a>,
    content_hash: String,
    picture: String,
    /// The hash covers personal fields without a salt: who does not see them could try values out.
    shows_hash: bool,
    links: Links,
    link_kinds: Vec<(&'static str, &'static str)>,
    may_write: bool,
    may_link: bool,
    may_decide: bool,
    /// The part of the form in which one signs.
    sign: String,
    /// The signatures under the row, if it is a decision.
    signatures: Vec<decide::Shown>,
    progress: (usize, usize),
}

fn pair(
    user: &User,
    names: &Names,
    known: &BTreeMap<String, store::Blob>,
    kind: &KindSpec,
    field: &Field,
    row: &Row,
) -> Pair {
    let label = field.label.get(user.cx.lang);
    let (value, href) = named(user, names, kind, field, row);
    if matches!(field.ty, FieldType::File) && store::is_sha256(&value) {
        let Shown { name, note, href } = Shown::of(&value, known);
        return Pair { label, value: name, href, note };
    }
    Pair { label, value, href, note: String::new() }
}

async fn detail(
    State(house): State<Shared>,
    mut user: User,
    Path((name, row_id)): Path<(String, String)>,
    Query(asked): Query<AsOf>,
) -> Answer {
    let (mut row, kind) = match find(&house, &user, &name, &row_id).await {
        Err(Refusal::NotFound) => return elsewhere(&house, &user, &name, &row_id).await,
        found => found?,
    };
    let past = user.cx.look_at(&asked.as_of)?;
    if let Some(at) = past {
        let then = house.store.row_as_of(row.table, row.id, at).await?;
        row = then.ok_or(Refusal::NotFound)?;
    }
    let view = past.map_or(house.store.present(), |at| house.store.as_of(at));
    let room = house.kind(row.table, kind.id).map_or("", |(room, _)| room.name.get(user.cx.lang));
    let links = Links::load(&house, &user, &row, kind).await?;
    let changes = past.is_none() && !row.deleted;
    let may_write = changes && reaches(&house, &user, Action::Write, &row, kind).await?;
    let account = &user.session.account;
    let may_decide = changes
        && (reaches(&house, &user, Action::Decide, &row, kind).await?
            || decide::delegation::held(&house.store, account).await?);
    let decision = user.reader().reach_in(Table::Decision);
    let link_kinds = links::kinds(&house, &user);
    let mut history = house.store.newest_versions(row.table, row.id, VERSIONS_SHOWN_MAX).await?;
    history.retain(|version| past.is_none_or(|at| version.updated_at <= at));
    let mut hashes: Vec<&str> = history
        .iter()
        .flat_map(|h| files::named(kind.fields, &h.attributes))
        .map(|f| f.1)
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    let known = house.store.blobs(&hashes).await?;
    let pairs = kind
        .fields
        .iter()
        .map(|f| pair(&user, &links.names, &known, kind, f, &row))
        .filter(|p| !p.value.is_empty())
        .collect();
    let about = Filter { subject: Some(row.id), limit: 20, reach: decision, ..Filter::default() };
    let mut decisions = match past {
        Some(at) => house.store.list_as_of(Table::Decision, &about, at).await?,
        None => house.store.list(Table::Decision, &about).await?,
    };
    let open = decisions.iter().position(|d| d.status == PROPOSED && d.kind == ASKED_KIND);
    let asked = open.map(|i| decisions.remove(i));
    let body = DetailPage {
        cx: &user.cx,
        titles: crate::Titles { house: &house, lang: user.cx.lang },
        kind,
        room,
        pairs,
        older: row.version - history.len() as i64,
        has_files: kind.fields.iter().any(|f| matches!(f.ty, FieldType::File)),
        history: history
            .into_iter()
            .map(|row| Version { files: attached(&user, kind, &row, &known), row })
            .collect(),
        records: view.newest_records(&[], Some(row.id), DETAIL_RECORDS_MAX).await?,
        decisions,
        asked,
        content_hash: row.content_hash()?,
        picture: crate::graph::draw(&user.cx, &row.name, &links.lines)?,
        shows_hash: kind.fields.iter().all(|f| user.reader().sees(kind, f)),
        links,
        may_link: may_write && row.table != Table::Link && !link_kinds.is_empty(),
        link_kinds,
        may_write: may_write && !is_sealed(&row),
        may_decide: may_decide && !is_sealed(&row),
        sign: decide::part(&user.cx, user.cx.t("署名する", "Sign"))?,
        signatures: decide::shown(&user.cx, &row),
        progress: decide::progress(&row),
        row: &row,
    };
    Ok(crate::people::with_script(page(&user.cx, &row.name, &body)?))
}

#[derive(Deserialize)]
struct DecideForm {
    csrf: String,
    hash: String,
    outcome: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
    #[serde(default)]
    months: String,
    /// `approval` unless it is one of the other kinds of decision about a row.
    #[serde(default)]
    kind: String,
}

/// Kinds of decision that a row's page offers.
const DECISIONS: [&str; 4] = ["approval", "exclusion", "exception", "review"];

/// A decision binds the hash of exactly what was shown.
async fn decide_row(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<DecideForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let (row, _) = find(&house, &user, &name, &row_id).await?;
    if is_sealed(&row) {
        return Err(Refusal::Signed);
    }
    let ruling = Ruling {
        hash: &form.hash,
        outcome: &form.outcome,
        reason: form.reason.trim(),
        hours: decide::months(form.months.parse().unwrap_or(12)),
        kind: DECISIONS.into_iter().find(|k| *k == form.kind).unwrap_or(ASKED_KIND),
        notes: Vec::new(),
    };
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[ruling.kind]).await?;
    let rulings = [(ruling, About::Row(&row))];
    let cast = decide::cast(&house, &user, &headers, &standing, &rulings, given).await?;
    if let Cast::Asked(answer) = cast {
        return Ok(answer);
    }
    Ok(Redirect::to(&format!("/row/{}/{}", row.table.name(), row.id)).into_response())
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
    let hits = house
        .store
        .search(&query.q, SEARCH_HITS_MAX, |table| user.reader().reach_in(table))
        .await?;
    let titles = crate::Titles { house: &house, lang: user.cx.lang };
    let body = SearchPage { cx: &user.cx, q: &query.q, hits, titles };
    page(&user.cx, user.cx.t("検索", "Search"), &body)
}
