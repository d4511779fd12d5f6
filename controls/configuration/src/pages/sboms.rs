//! `/configuration/sboms`: which assets have a bill of materials and how good it is; and the way in for bills of software
//! and suppliers, on the page and over the API.
//!
//! Invariant: a document that breaks a rule of its format is refused with the places, and nothing of it is kept.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json as Document,
    body::Bytes,
    extract::{Multipart, Query, State, multipart::MultipartError},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use model::{Assurance, Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Record, Row, StoreError, Write};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Fault, Problem},
        records::record_json,
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use crate::impact::{ask, document, run::aliases, told::RUN};

/// What is sent at once; a host or product of 100,000 components.
const BYTES_MAX: usize = 48 << 20;
const PROBLEMS_SHOWN_MAX: usize = 100;
const FRESH_HOURS: i64 = 7 * 24;
const CLOSER: &str = "system:configuration.sbom";

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let (all, add) =
        (t("部品表の一覧", "Bills of materials"), t("部品表の登録", "Add a bill of materials"));
    let api = |id: &str, params, request, status, refusals| Api {
        tag: "configuration",
        id: id.to_owned(),
        params,
        request,
        response: (status, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    let asset = Param {
        place: Place::Query,
        name: "asset",
        schema: "Id",
        required: true,
        text: t("ホストまたはソフトウェア", "Host or software"),
    };
    let body = Some(("application/octet-stream", "Binary".to_owned()));
    vec![
        Route::get("/configuration/sboms", inspect, all, show),
        Route::post("/configuration/sboms", write, add, receive).body_max(BYTES_MAX + 64 * 1024),
        Route::get("/api/v1/configuration/sboms", inspect, all, list).api(api(
            "configuration_sboms",
            Vec::new(),
            None,
            200,
            &[],
        )),
        Route::post("/api/v1/configuration/sboms", write, add, receive_api)
            .body_max(BYTES_MAX)
            .api(api("configuration_sbom_add", vec![asset], body, 201, &[404, 413, 422])),
    ]
}

/// An asset and its newest bill.
struct Line {
    id: Id,
    name: String,
    kind: &'static str,
    format: String,
    components: i64,
    identified: i64,
    is_whole: bool,
    is_asked: bool,
    at: String,
    is_stale: bool,
    affected: Option<i64>,
}

#[derive(Template)]
#[template(path = "sboms.html")]
struct SbomsPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    without: Vec<Row>,
    choices: Vec<Row>,
    fresh: usize,
    may_write: bool,
    problems: Vec<(String, String)>,
    problems_more: usize,
}

type Newest = BTreeMap<(String, Id), Record>;

async fn newest(house: &Shared) -> Result<Newest, StoreError> {
    let records = house.store.latest_per_subject(&[document::RECORD, RUN]).await?;
    Ok(records.into_iter().filter_map(|r| Some(((r.ty.clone(), r.subject?), r))).collect())
}

fn line(cx: &Cx, row: &Row, newest: &Newest) -> Option<Line> {
    let record = newest.get(&(document::RECORD.to_owned(), row.id))?;
    let number = |name: &str| record.facts.get(name).and_then(Json::as_i64).unwrap_or(0);
    let is = |name: &str| record.facts.get(name).and_then(Json::as_bool).unwrap_or(false);
    let run = newest.get(&(RUN.to_owned(), row.id));
    Some(Line {
        id: row.id,
        name: row.name.clone(),
        kind: if row.kind == "host" {
            cx.t("ホスト", "host")
        } else {
            cx.t("ソフトウェア", "software")
        },
        format: record.facts.get("format").and_then(Json::as_str).unwrap_or_default().to_owned(),
        components: number("components"),
        identified: number("identified"),
        is_whole: is("depth_complete"),
        is_asked: is("supplier_asked"),
        at: cx.time(&record.observed_to),
        is_stale: record.observed_to < cx.now.minus_hours(FRESH_HOURS),
        affected: run.and_then(|run| run.facts.get("affected")).and_then(Json::as_i64),
    })
}

async fn rows(house: &Shared) -> Result<Vec<Row>, StoreError> {
    let mut rows = house.store.all(Table::Asset, &["host", "software"]).await?;
    rows.retain(|row| row.status == "active");
    Ok(rows)
}

async fn body<'a>(
    house: &Shared,
    cx: &'a Cx,
    problems: &[sbom::Problem],
) -> Result<SbomsPage<'a>, StoreError> {
    let (rows, newest) = (rows(house).await?, newest(house).await?);
    let lines: Vec<Line> = rows.iter().filter_map(|row| line(cx, row, &newest)).collect();
    let has = |row: &&Row| newest.contains_key(&(document::RECORD.to_owned(), row.id));
    Ok(SbomsPage {
        cx,
        fresh: lines.iter().filter(|line| !line.is_stale).count(),
        lines,
        without: rows.iter().filter(|row| !has(row)).cloned().collect(),
        may_write: cx.may_write(),
        problems: problems
            .iter()
            .take(PROBLEMS_SHOWN_MAX)
            .map(|one| (one.place.to_string(), one.what.clone()))
            .collect(),
        problems_more: problems.len().saturating_sub(PROBLEMS_SHOWN_MAX),
        choices: rows,
    })
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    page(cx, cx.t("部品表（SBOM）", "Bills of materials"), &body(&house, cx, &[]).await?)
}

/// Why a bill was not taken.
enum Refused {
    Problems(Vec<sbom::Problem>),
    /// It is valid and too large to be kept.
    Large(String),
    Store(StoreError),
    Worker(String),
}

impl std::convert::From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        Refused::Store(error)
    }
}

/// Reads a document and writes it as the newest bill of an asset; a task that waits for a whole one is closed by it.
async fn add(
    house: &Shared,
    mut write: Write<'_>,
    asset: &Row,
    bytes: Vec<u8>,
    source: &str,
) -> Result<Record, Refused> {
    let aliases =
        aliases(&house.store).await.map_err(|error| Refused::Worker(error.to_string()))?;
    let read = tokio::task::spawn_blocking(move || {
        let bom = sbom::parse(&bytes).map_err(Refused::Problems)?;
        let packed = document::pack(&bytes).map_err(Refused::Large)?;
        let counts = document::count(&bom, &aliases);
        Ok::<_, Refused>((document::facts(&bom, &aliases, false), counts, packed))
    });
    let (mut facts, counts, packed) =
        read.await.map_err(|error| Refused::Worker(error.to_string()))??;
    let asked = ask::was_asked(&house.store, asset.id, counts).await?;
    facts.insert("supplier_asked".to_owned(), asked.into());
    let mut draft =
        room::draft(document::RECORD, Some(asset.id), house.store.now(), Json::Object(facts));
    (draft.source, draft.assurance) = (source.to_owned(), Assurance::Imported);
    draft.payload = Some(packed);
    let record = write.record(draft).await?;
    write.commit().await?;
    answered(house, asset, &record).await?;
    house.wake();
    Ok(record)
}

/// Closes what waited for this bill.
async fn answered(house: &Shared, asset: &Row, record: &Record) -> Result<(), StoreError> {
    let tasks = house.store.present().rows_about(Table::Task, &[asset.id]).await?;
    let waits = |task: &&Row| {
        tasks::closing_type(task) == document::RECORD && tasks::close::fits(task, record).is_ok()
    };
    for task in tasks.iter().filter(waits) {
        let closed = tasks::close(&house.store, task.clone(), record, CLOSER).await;
        // Any other refusal is that somebody else closed it, or that this record closed another.
        if let Err(tasks::NotClosed::Store(error)) = closed {
            return Err(error);
        }
    }
    Ok(())
}

/// The asset that is named, if the caller may write about it; records are held to the same reach when written.
async fn asset(house: &Shared, id: &str) -> Result<Option<Row>, StoreError> {
    let Ok(id) = id.parse::<Id>() else { return Ok(None) };
    let row = house.store.rows_by_id(Table::Asset, &[id]).await?.pop();
    Ok(row.filter(|row| matches!(row.kind.as_str(), "host" | "software")))
}

async fn receive(State(house): State<Shared>, user: User, mut upload: Multipart) -> Answer {
    let bad = |error: MultipartError| Refusal::Bad(error.body_text());
    let (mut csrf, mut id, mut file) = (String::new(), String::new(), Vec::new());
    while let Some(part) = upload.next_field().await.map_err(bad)? {
        match part.name() {
            Some("csrf") => csrf = part.text().await.map_err(bad)?,
            Some("asset") => id = part.text().await.map_err(bad)?,
            Some("file") => file = part.bytes().await.map_err(bad)?.to_vec(),
            _ => {}
        }
    }
    user.form(&csrf, Action::Write)?;
    let cx = &user.cx;
    let asset = asset(&house, &id).await?.ok_or(Refusal::NotFound)?;
    let write = user.write(&house, "a bill of materials").await?;
    match add(&house, write, &asset, file, "web").await {
        Ok(_) => Ok(Redirect::to(&format!("/configuration/sbom/{}", asset.id)).into_response()),
        Err(Refused::Problems(problems)) => {
            let body = body(&house, cx, &problems).await?;
            let answer = page(cx, cx.t("部品表（SBOM）", "Bills of materials"), &body)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response())
        }
        Err(Refused::Large(why) | Refused::Worker(why)) => Err(Refusal::Bad(why)),
        Err(Refused::Store(error)) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    asset: String,
}

async fn receive_api(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
    bytes: Bytes,
) -> Response {
    let lang = caller.cx.lang;
    let of_store = |error: &StoreError| Problem::of_store(lang, error).into_response();
    let asset = match asset(&house, &asked.asset).await {
        Ok(Some(asset)) => asset,
        Ok(None) => {
            let what = t(
                "このホストまたはソフトウェアはありません。",
                "There is no such host or software.",
            );
            return Problem::new(lang, problem::NOT_FOUND, what).into_response();
        }
        Err(error) => return of_store(&error),
    };
    let write = house.store.write(&caller.actor(), "a bill of materials", "api").await;
    let write = match write {
        Ok(write) => write.bounded(caller.reader.bounds(house.specs())),
        Err(error) => return of_store(&error),
    };
    match add(&house, write, &asset, bytes.to_vec(), "api").await {
        Ok(record) => (StatusCode::CREATED, Document(record_json(&record))).into_response(),
        Err(Refused::Problems(problems)) => {
            let fault = |one: &sbom::Problem| Fault {
                pointer: one.place.to_string(),
                detail: one.what.clone(),
            };
            let faults = problems.iter().take(PROBLEMS_SHOWN_MAX).map(fault).collect();
            Problem::invalid(lang, faults).into_response()
        }
        Err(Refused::Large(why)) => Problem::saying(lang, problem::LARGE, why).into_response(),
        Err(Refused::Worker(why)) => Problem::saying(lang, problem::BROKEN, why).into_response(),
        Err(Refused::Store(error)) => of_store(&error),
    }
}

async fn list(State(house): State<Shared>, caller: Caller) -> Response {
    let found = async { Ok::<_, StoreError>((rows(&house).await?, newest(&house).await?)) };
    let (rows, newest) = match found.await {
        Ok(found) => found,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let one = |row: &Row| {
        let record = newest.get(&(document::RECORD.to_owned(), row.id));
        json!({
            "asset": row.id.to_string(), "name": row.name, "kind": row.kind,
            "record": record.map(|record| record.id.to_string()),
            "observed_to": record.map(|record| record.observed_to.rfc3339()),
            "facts": record.map(|record| &record.facts),
        })
    };
    Document(json!({ "sboms": rows.iter().map(one).collect::<Vec<_>>() })).into_response()
}
