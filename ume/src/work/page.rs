//! The page of the jobs.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension, Form, Router,
    extract::State,
    response::{IntoResponse, Redirect},
    routing::get,
};
use serde::Deserialize;
use web::{
    Shared,
    access::{Action, allowed},
    frame::{Answer, Cx, Refusal, User},
};

use super::{
    Services,
    command::{duration_ms, find, state},
};

/// The pages of work.
pub fn routes(services: Arc<Services>) -> Router<Shared> {
    Router::new().route("/work", get(show).post(ask)).layer(Extension(services))
}

struct Line {
    name: String,
    title: &'static str,
    state: &'static str,
    last: Option<model::Timestamp>,
    next: model::Timestamp,
    ms: String,
    said: String,
}

#[derive(Template)]
#[template(path = "work.html")]
struct WorkPage<'a> {
    cx: &'a Cx,
    may_run: bool,
    jobs: Vec<Line>,
    services: Vec<(&'static str, Option<String>)>,
}

async fn show(
    State(house): State<Shared>,
    Extension(services): Extension<Arc<Services>>,
    user: User,
) -> Answer {
    let now = house.store.now();
    let jobs = house.store.jobs().await?.into_iter().map(|row| Line {
        title: find(&row.name).map_or("", |job| job.title.get(user.cx.lang)),
        state: state(&row, now),
        last: row.last_started,
        next: row.next_due,
        ms: duration_ms(&row).map_or_else(|| "–".to_owned(), |ms| ms.to_string()),
        said: row.last_error.or(row.last_result).unwrap_or_default(),
        name: row.name,
    });
    let body = WorkPage {
        cx: &user.cx,
        may_run: allowed(&user.session.account.role, Action::Administer),
        jobs: jobs.collect(),
        services: services.all(),
    };
    web::frame::page(&user.cx, user.cx.t("ジョブ", "Jobs"), &body)
}

#[derive(Deserialize)]
struct Ask {
    csrf: String,
    name: String,
}

/// Makes a job due now; the schedule takes it within a second.
async fn ask(State(house): State<Shared>, user: User, Form(form): Form<Ask>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    if !house.store.job_ask(&form.name).await? {
        return Err(Refusal::NotFound);
    }
    Ok(Redirect::to("/work").into_response())
}
