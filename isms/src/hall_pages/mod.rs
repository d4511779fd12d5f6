//! The hall's pages and API: gap, risks, comparison with Annex A, Statement of Applicability, audit bundle.
//!
//! Each is drawn from the board as it stands, without asking the store again: the numbers of one page
//! fit each other. What is not there yet shortly after a start is said to be awaited.

mod annex;
mod audit;
mod brief;
mod bundle;
mod changes;
mod context;
mod gap;
mod migrate;
mod oscal;
mod policy;
mod review;
mod risks;
mod sent;
mod soa;
mod targets;
mod templates;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use model::{Id, Table, t};
use store::{Filter, PAGE_ROWS_MAX, Row, StoreError};
use web::{
    House,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
    when::{self, AsOf},
};

use crate::{
    Board,
    hall::{self, method::Estimate, paper},
    pages::{WAIT, WAIT_SECONDS, WaitPage},
    past::PastError,
    shared::SharedBoard,
};

/// Routes of the hall's own pages.
pub fn routes() -> Vec<Route> {
    let mut routes = gap::routes();
    routes.extend(risks::routes());
    routes.extend(annex::routes());
    routes.extend(soa::routes());
    routes.extend(targets::routes());
    routes.extend(context::routes());
    routes.extend(changes::routes());
    routes.extend(review::routes());
    routes.extend(brief::routes());
    routes.extend(audit::routes());
    routes.extend(policy::routes());
    routes.extend(templates::routes());
    routes.extend(bundle::routes());
    routes.extend(oscal::routes());
    routes.extend(migrate::routes());
    routes
}

/// Whether the reader may write rows of a kind.
fn may_write(house: &House, user: &User, table: Table, kind: &str) -> bool {
    house.kind(table, kind).is_some_and(|(_, kind)| user.reader().may(Action::Write, kind))
}

/// People to choose from, by name; a register of more is narrowed on its own page.
async fn people(house: &House) -> Result<Vec<Row>, StoreError> {
    let filter =
        Filter { kind: Some("person".to_owned()), limit: PAGE_ROWS_MAX, ..Filter::default() };
    house.store.list(Table::Party, &filter).await
}

/// Names of these parties.
async fn names(house: &House, mut ids: Vec<Id>) -> Result<HashMap<Id, String>, StoreError> {
    ids.sort();
    ids.dedup();
    let rows = house.store.rows_by_id(Table::Party, &ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Name of a party, as far as it is known.
fn name_of<'n>(names: &'n HashMap<Id, String>, id: Option<&Id>) -> &'n str {
    id.and_then(|id| names.get(id)).map_or("–", String::as_str)
}

/// A part of the API that gives one document.
fn document<H, T>(path: &str, access: Access, id: &str, title: model::Text, handler: H) -> Route
where
    H: axum::handler::Handler<T, web::Shared>,
    T: 'static,
{
    Route::get(path, access, title, handler).api(Api {
        tag: "isms",
        id: id.to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    })
}

/// The same of any past moment.
fn dated_document<H, T>(
    path: &str,
    access: Access,
    id: &str,
    title: model::Text,
    handler: H,
) -> Route
where
    H: axum::handler::Handler<T, web::Shared>,
    T: 'static,
{
    let text = t("過去の日か日時", "A day or time in the past");
    let as_of = Param { place: Place::Query, name: "as_of", schema: "Word", required: false, text };
    Route::get(path, access, title, handler).api(Api {
        tag: "isms",
        id: id.to_owned(),
        params: vec![as_of],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[409, 422],
    })
}

/// The board, or the page that says it is being computed.
fn board(cx: &Cx, shared: &SharedBoard, title: &str) -> Result<Arc<Board>, Box<Answer>> {
    shared
        .get()
        .ok_or_else(|| Box::new(page(cx, title, &WaitPage { cx, control: "", name: title })))
}

/// The board of the moment asked for, which the page then says in its frame; of now if none is.
pub(crate) async fn board_of(
    house: &House,
    cx: &mut Cx,
    shared: &SharedBoard,
    title: &str,
    as_of: &str,
) -> Result<Arc<Board>, Box<Answer>> {
    let Some(at) = cx.look_at(as_of).map_err(|refusal| Box::new(Err(refusal)))? else {
        return board(cx, shared, title);
    };
    let found = shared.as_of(&house.store, &house.rooms, at).await;
    found.map_err(|error| {
        Box::new(Err(match error {
            PastError::Busy => Refusal::Busy,
            PastError::Store(error) => Refusal::Store(error),
            error => Refusal::Bad(error.text(|at| cx.time(at), cx.lang)),
        }))
    })
}

/// The board that a paper is drawn from; for today's, the first one since the start is waited for.
async fn paper_board(
    house: &House,
    cx: &mut Cx,
    shared: &SharedBoard,
    as_of: &str,
) -> Result<Arc<Board>, Box<Answer>> {
    shared.wait().await;
    board_of(house, cx, shared, "", as_of).await
}

/// The same for the API.
async fn api_board_of(
    house: &House,
    caller: &Caller,
    shared: &SharedBoard,
    asked: &AsOf,
) -> Result<Arc<Board>, Box<Response>> {
    let (cx, lang) = (&caller.cx, caller.cx.lang);
    let refuse = |kind, text| Box::new(Problem::saying(lang, kind, text).into_response());
    let asked = when::moment(&asked.as_of, cx.now, &cx.local.zone)
        .map_err(|error| refuse(problem::INVALID, error.text().get(lang).to_owned()))?;
    let Some(at) = asked else { return api_board(lang, shared) };
    shared.as_of(&house.store, &house.rooms, at).await.map_err(|error| match error {
        PastError::Store(error) => Box::new(Problem::of_store(lang, &error).into_response()),
        PastError::Busy => refuse(problem::CONFLICT, error.text(|at| at.rfc3339(), lang)),
        error => refuse(problem::INVALID, error.text(|at| at.rfc3339(), lang)),
    })
}

/// The same of now.
fn api_board(lang: model::Lang, shared: &SharedBoard) -> Result<Arc<Board>, Box<Response>> {
    shared.get().ok_or_else(|| {
        let header = (header::RETRY_AFTER, WAIT_SECONDS.to_string());
        let problem =
            Problem { headers: vec![header], ..Problem::new(lang, problem::STARTING, *WAIT) };
        Box::new(problem.into_response())
    })
}

fn json(value: serde_json::Value) -> Response {
    Json(value).into_response()
}

/// An estimate as people read it: size, and the two steps.
fn estimate(estimate: &Option<Estimate>) -> String {
    estimate.map_or_else(
        || "–".to_owned(),
        |e| format!("{} ({}×{})", e.size(), e.likelihood, e.consequence),
    )
}

/// Class of a risk's size: within what the method accepts, above it, or far above.
fn size_class(estimate: Estimate, accept_at_most: i64) -> &'static str {
    match estimate.size() {
        size if size <= accept_at_most => "pass",
        size if size <= accept_at_most * 2 => "stale",
        _ => "fail",
    }
}

/// The risk that a form names; nothing chosen is none.
async fn named_risk(house: &web::House, user: &User, given: &str) -> Result<Option<Id>, Refusal> {
    if given.is_empty() {
        return Ok(None);
    }
    let row = match given.parse::<Id>() {
        Ok(id) => house.store.row(Table::Risk, id).await?,
        Err(_) => None,
    };
    match row.filter(|row| !row.deleted) {
        Some(row) => Ok(Some(row.id)),
        None => {
            let text =
                user.cx.t("そのリスクは台帳にありません。", "That risk is not in the register.");
            Err(Refusal::Bad(text.to_owned()))
        }
    }
}

/// What stands around a paper, under the ledger's newest checkpoint.
async fn paper_head(house: &web::House, hall: &hall::Hall) -> Result<paper::Head, Refusal> {
    let text = house.ledger.lock().await.signed_checkpoint()?;
    let checkpoint = paper::Checkpoint::parse(&text);
    Ok(paper::Head::load(&house.store, hall, checkpoint).await?)
}

/// A paper as a file; making it takes some hundred milliseconds, so not where others wait.
async fn pdf(paper: reports::pdf::Paper, name: &str) -> Answer {
    let made = tokio::task::spawn_blocking(move || reports::pdf::write_pdf(&paper)).await;
    let bytes = made.map_err(|e| Refusal::Bad(e.to_string()))?;
    let bytes = bytes.map_err(|e| Refusal::Bad(e.to_string()))?;
    Ok(attachment("application/pdf", name, bytes))
}

fn attachment(kind: &str, name: &str, bytes: Vec<u8>) -> Response {
    let name = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    (headers, bytes).into_response()
}
