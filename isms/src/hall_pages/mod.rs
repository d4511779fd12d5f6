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
use model::{Id, Table};
use store::{Filter, PAGE_ROWS_MAX, Row, StoreError};
use web::{
    House,
    access::Action,
    api::problem::{self, Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use crate::{
    Board,
    hall::{self, method::Estimate, paper},
    pages::{WAIT, WAIT_SECONDS, WaitPage},
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

/// Today where the organisation is.
fn today(cx: &Cx) -> String {
    let now = jiff::Timestamp::from_microsecond(cx.now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    cx.local.zone.to_datetime(now).date().to_string()
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

/// The board, or the page that says it is being computed.
fn board(cx: &Cx, shared: &SharedBoard, title: &str) -> Result<Arc<Board>, Box<Answer>> {
    shared
        .get()
        .ok_or_else(|| Box::new(page(cx, title, &WaitPage { cx, control: "", name: title })))
}

/// The same for the API.
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
