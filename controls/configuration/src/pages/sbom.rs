//! `/configuration/sbom/{asset}`: the newest bill of materials of an asset: what it holds, who needs whom and below whom
//! nothing is known, licences; as a download in every format; and the letter to the supplier about what is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, t};
use sbom::{Bom, Component, Format};
use serde::Deserialize;
use store::{Record, Row, StoreError};
use web::{
    Shared,
    access::{Action, Reader},
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use crate::{
    command::sbom::shown::edges,
    impact::{
        ask::{self, Missing},
        document,
        run::aliases,
        told::{RUN, Told},
    },
};

const COMPONENTS_SHOWN: usize = 300;
const LICENCES_SHOWN: usize = 15;
/// Columns and boxes of the picture.
const DEPTH_MAX: usize = 4;
const SIDE_MAX: usize = 12;
const BOX_WIDTH: i64 = 200;
const BOX_HEIGHT: i64 = 26;
const COLUMN: i64 = 230;
const STEP: i64 = 36;
const NAME_CHARS_MAX: usize = 26;
const LICENCE_WIDTH: usize = 300;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let (one, load, ask) = (
        t("資産の部品表", "Bill of materials of an asset"),
        t("部品表のダウンロード", "Download a bill of materials"),
        t("提供元への照会の記録", "Record that the supplier was asked"),
    );
    let param = |place, name, schema, required, text| Param { place, name, schema, required, text };
    let api = Api {
        tag: "configuration",
        id: "configuration_sbom".to_owned(),
        params: vec![
            param(Place::Path, "id", "Id", true, t("ホストまたはソフトウェア", "Host or software")),
            param(
                Place::Query,
                "format",
                "Text",
                false,
                t("形式。既定はcyclonedx-json", "Format; cyclonedx-json unless said"),
            ),
        ],
        request: None,
        response: (200, Some(("application/octet-stream", "Binary".to_owned()))),
        refusals: &[404, 422],
    };
    vec![
        Route::get("/configuration/sbom/{id}", inspect, one, show),
        Route::get("/configuration/sbom/{id}/download", inspect, load, download),
        Route::post("/configuration/sbom/{id}/ask", write, ask, ask_supplier),
        Route::get("/api/v1/configuration/sboms/{id}", inspect, load, download_api).api(api),
    ]
}

/// An asset, the record of its newest bill, and the bill.
struct Found {
    row: Row,
    record: Option<Record>,
    payload: Vec<u8>,
}

async fn find(house: &Shared, reader: &Reader, id: &str) -> Result<Option<Found>, StoreError> {
    let Ok(id) = id.parse::<Id>() else { return Ok(None) };
    let row = house.store.rows_by_id(Table::Asset, &[id]).await?.pop();
    let row = row.filter(|row| matches!(row.kind.as_str(), "host" | "software"));
    let Some(row) = row else { return Ok(None) };
    if !house.store.reaches(Table::Asset, id, &reader.sees_of(Table::Asset)).await? {
        return Ok(None);
    }
    let record = house.store.newest_records(&[document::RECORD], Some(id), 1).await?.pop();
    let payload = match &record {
        Some(record) => house.store.payload(record.id).await?.unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(Some(Found { row, record, payload }))
}

async fn opened(payload: Vec<u8>) -> Result<Bom, String> {
    let read = tokio::task::spawn_blocking(move || document::open(&payload)).await;
    read.map_err(|error| error.to_string())?
}

/// A component as the table shows it.
struct Line {
    name: String,
    version: String,
    purl: String,
    licences: String,
    is_blind: bool,
    touched: usize,
}

struct Licence {
    name: String,
    count: usize,
    width: usize,
    is_none: bool,
}

struct Node {
    x: i64,
    y: i64,
    name: String,
    whole: String,
    is_blind: bool,
}

struct Drawn {
    height: i64,
    width: i64,
    nodes: Vec<Node>,
    paths: Vec<String>,
    left_out: usize,
}

#[derive(Template)]
#[template(path = "sbom.html")]
struct SbomPage<'a> {
    cx: &'a Cx,
    row: Row,
    record: Option<Record>,
    at: String,
    broken: String,
    counts: document::Counts,
    q: String,
    lines: Vec<Line>,
    more: usize,
    licences: Vec<Licence>,
    drawn: Option<Drawn>,
    formats: &'static [&'static str],
    touches: Vec<(String, &'static str, &'static str)>,
    touches_more: usize,
    restart: Vec<String>,
    is_asked: bool,
    may_ask: bool,
    letter: (String, String),
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

const TOUCHES_SHOWN: usize = 60;

async fn show(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let cx = &user.cx;
    let found = find(&house, user.reader(), &id).await?.ok_or(Refusal::NotFound)?;
    let aliases = aliases(&house.store).await.map_err(|error| Refusal::Bad(error.to_string()))?;
    let told = house.store.newest_records(&[RUN], Some(found.row.id), 1).await?.pop();
    let told = match told {
        Some(run) => Told::open(&house.store.payload(run.id).await?.unwrap_or_default()),
        None => Told::default(),
    };
    let (bom, broken) = match (&found.record, opened(found.payload).await) {
        (None, _) => (None, String::new()),
        (Some(_), Ok(bom)) => (Some(bom), String::new()),
        (Some(_), Err(why)) => (None, why),
    };
    let is_asked = found.record.as_ref().and_then(|r| r.facts.get("supplier_asked")?.as_bool());
    let missing = bom.as_ref().map(|bom| Missing::of(bom, &aliases));
    let wanted = asked.q.trim().to_lowercase();
    let all = bom.as_ref().map(|bom| lines(bom, &told, &wanted)).unwrap_or_default();
    let of_state = |state: &'static str| {
        let touches = told.touches.iter().filter(move |(_, touch)| touch.state() == state);
        touches.map(move |(weakness, _)| {
            let text = crate::impact::sentence::state_text(state);
            (weakness.clone(), crate::impact::sentence::state_class(state), cx.pick(&text))
        })
    };
    let touches: Vec<_> = of_state("affected").chain(of_state("unknown")).collect();
    let is_software = found.row.kind == "software";
    let body = SbomPage {
        cx,
        at: found.record.as_ref().map_or(String::new(), |record| cx.time(&record.observed_to)),
        record: found.record,
        broken,
        counts: bom.as_ref().map(|bom| document::count(bom, &aliases)).unwrap_or_default(),
        more: all.len().saturating_sub(COMPONENTS_SHOWN),
        lines: all.into_iter().take(COMPONENTS_SHOWN).collect(),
        licences: bom.as_ref().map(|bom| licences(cx, bom)).unwrap_or_default(),
        drawn: bom.as_ref().and_then(draw),
        formats: &Format::NAMES,
        touches_more: touches.len().saturating_sub(TOUCHES_SHOWN),
        touches: touches.into_iter().take(TOUCHES_SHOWN).collect(),
        restart: told.restart.clone(),
        is_asked: is_asked.unwrap_or(false),
        may_ask: cx.may_write()
            && is_software
            && missing.as_ref().is_some_and(|missing| !missing.is_nothing()),
        letter: missing.map(|missing| missing.letter(&found.row.name)).unwrap_or_default(),
        q: asked.q,
        row: found.row,
    };
    let title = format!("{} {}", cx.t("部品表", "Bill of materials"), body.row.name);
    page(cx, &title, &body)
}

fn lines(bom: &Bom, told: &Told, wanted: &str) -> Vec<Line> {
    let mut touched: HashMap<(&str, &str), usize> = HashMap::new();
    let parts = told.touches.values().flat_map(|touch| &touch.parts);
    // What somebody decided not to be affected is no longer counted.
    for part in parts.filter(|part| part.state != "not_affected") {
        *touched.entry((&part.name, &part.version)).or_default() += 1;
    }
    let line = |one: &Component| {
        let version = one.version.clone().unwrap_or_default();
        let licences: BTreeSet<&str> = one.licences.iter().map(|l| l.text.as_str()).collect();
        Line {
            touched: touched.get(&(one.name.as_str(), version.as_str())).copied().unwrap_or(0),
            name: match &one.group {
                Some(group) => format!("{group}/{}", one.name),
                None => one.name.clone(),
            },
            version,
            purl: one.purl.clone().or_else(|| one.cpe.clone()).unwrap_or_default(),
            licences: licences.into_iter().collect::<Vec<_>>().join(", "),
            is_blind: document::is_blind(bom, one),
        }
    };
    let fits = |line: &Line| {
        let text = |text: &String| text.to_lowercase().contains(wanted);
        wanted.is_empty() || text(&line.name) || text(&line.purl) || text(&line.licences)
    };
    let mut all: Vec<Line> = document::parts(bom).map(line).filter(fits).collect();
    all.sort_by(|a, b| (b.touched > 0).cmp(&(a.touched > 0)).then_with(|| a.name.cmp(&b.name)));
    all
}

fn licences(cx: &Cx, bom: &Bom) -> Vec<Licence> {
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for one in document::parts(bom).filter(|one| one.kind != Some(sbom::bom::Kind::File)) {
        for licence in &one.licences {
            *by.entry(&licence.text).or_default() += 1;
        }
        if one.licences.is_empty() {
            *by.entry("").or_default() += 1;
        }
    }
    let most = by.values().max().copied().unwrap_or(1);
    let mut all: Vec<Licence> = by
        .into_iter()
        .map(|(name, count)| Licence {
            is_none: name.is_empty(),
            name: match name {
                "" => cx.t("記載なし", "none given").to_owned(),
                name => cut(name, 40),
            },
            count,
            width: (count * LICENCE_WIDTH / most).max(1),
        })
        .collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    all.truncate(LICENCES_SHOWN);
    all
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Who needs and holds whom, from the subject on, column by column; nothing where there are no edges.
fn draw(bom: &Bom) -> Option<Drawn> {
    let edges = edges(bom);
    let start = bom.subject.as_ref().and_then(|one| one.reference.clone())?;
    let names: HashMap<&str, &Component> =
        bom.walk().filter_map(|one| Some((one.reference.as_deref()?, one))).collect();
    let mut places: HashMap<String, (i64, i64)> = HashMap::new();
    let (mut nodes, mut paths, mut left_out) = (Vec::new(), Vec::new(), 0);
    let mut column: Vec<String> = vec![start];
    let mut deepest = 0;
    for depth in 0..DEPTH_MAX {
        left_out += column.len().saturating_sub(SIDE_MAX);
        // What leads on is worth its place more than what ends.
        column.sort_by_key(|one| std::cmp::Reverse(edges.get(one).map_or(0, BTreeSet::len)));
        column.truncate(SIDE_MAX);
        for (at, reference) in column.iter().enumerate() {
            let (x, y) = (depth as i64 * COLUMN, at as i64 * STEP);
            places.insert(reference.clone(), (x, y));
            let Some(one) = names.get(reference.as_str()) else { continue };
            let whole = format!("{} {}", one.name, one.version.as_deref().unwrap_or_default());
            let is_blind = document::is_blind(bom, one);
            nodes.push(Node { x, y, name: cut(whole.trim(), NAME_CHARS_MAX), whole, is_blind });
        }
        deepest = depth;
        let mut next = BTreeSet::new();
        for reference in &column {
            for (to, _) in edges.get(reference).into_iter().flatten() {
                if !places.contains_key(to) {
                    next.insert(to.clone());
                }
            }
        }
        if next.is_empty() {
            break;
        }
        column = next.into_iter().collect();
    }
    for (from, (x, y)) in &places {
        for (to, _) in edges.get(from).into_iter().flatten() {
            let Some((to_x, to_y)) = places.get(to).filter(|(to_x, _)| to_x > x) else { continue };
            let (x, y, to_y) = (x + BOX_WIDTH, y + BOX_HEIGHT / 2, to_y + BOX_HEIGHT / 2);
            let bend = (x + to_x) / 2;
            paths.push(format!("M{x} {y}C{bend} {y} {bend} {to_y} {to_x} {to_y}"));
        }
    }
    paths.sort();
    if nodes.len() < 2 {
        return None;
    }
    let bottom = nodes.iter().map(|node| node.y).max().unwrap_or(0);
    let width = deepest as i64 * COLUMN + BOX_WIDTH;
    Some(Drawn { height: bottom + BOX_HEIGHT, width, nodes, paths, left_out })
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    format: String,
}

/// A document in the format that was asked for.
async fn written(
    payload: Vec<u8>,
    format: &str,
) -> Result<(String, &'static str, &'static str), String> {
    let format = if format.is_empty() { "cyclonedx-json" } else { format };
    let format: Format = format.parse().map_err(|error: sbom::UnknownFormat| error.to_string())?;
    let bom = opened(payload).await?;
    let done = tokio::task::spawn_blocking(move || sbom::write(&bom, format)).await;
    let done = done.map_err(|error| error.to_string())?.map_err(|problem| problem.to_string())?;
    let (ends, media) = match format {
        Format::CycloneDxJson(_) => ("cdx.json", "application/vnd.cyclonedx+json"),
        Format::CycloneDxXml(_) => ("cdx.xml", "application/vnd.cyclonedx+xml"),
        Format::Spdx2Json => ("spdx.json", "application/spdx+json"),
        Format::Spdx2TagValue => ("spdx", "text/spdx"),
        Format::Spdx3 => ("spdx3.json", "application/ld+json"),
    };
    Ok((done.text, ends, media))
}

/// An attachment that no browser runs.
pub(super) fn attachment(text: String, name: &str, media: &'static str) -> Response {
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = name.chars().map(plain).take(120).collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    let mut response = ([(header::CONTENT_TYPE, media)], text).into_response();
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

async fn download(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let found = find(&house, user.reader(), &id).await?.filter(|found| found.record.is_some());
    let found = found.ok_or(Refusal::NotFound)?;
    let (text, ends, media) = written(found.payload, &wanted.format).await.map_err(Refusal::Bad)?;
    Ok(attachment(text, &format!("{}.{ends}", found.row.name), media))
}

async fn download_api(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let lang = caller.cx.lang;
    let found = match find(&house, &caller.reader, &id).await {
        Ok(found) => found.filter(|found| found.record.is_some()),
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let Some(found) = found else {
        let what =
            t("この資産の部品表はありません。", "There is no bill of materials of this asset.");
        return Problem::new(lang, problem::NOT_FOUND, what).into_response();
    };
    match written(found.payload, &wanted.format).await {
        Ok((text, ends, media)) => attachment(text, &format!("{}.{ends}", found.row.name), media),
        Err(why) => Problem::saying(lang, problem::INVALID, why).into_response(),
    }
}

#[derive(Deserialize)]
struct AskForm {
    csrf: String,
}

async fn ask_supplier(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<AskForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let found = find(&house, user.reader(), &id).await?.ok_or(Refusal::NotFound)?;
    let record = found.record.filter(|_| found.row.kind == "software").ok_or(Refusal::NotFound)?;
    let aliases = aliases(&house.store).await.map_err(|error| Refusal::Bad(error.to_string()))?;
    let bom = opened(found.payload.clone()).await.map_err(Refusal::Bad)?;
    let missing = Missing::of(&bom, &aliases);
    if missing.is_nothing() {
        let cx = &user.cx;
        let what = cx.t("この部品表に不足はありません。", "Nothing is missing in this bill.");
        return Err(Refusal::Bad(what.to_owned()));
    }
    let mut write = user.write(&house, "the supplier was asked").await?;
    ask::ask(&house.store, &mut write, &found.row, &record, found.payload, &missing).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/sbom/{}", found.row.id)).into_response())
}
