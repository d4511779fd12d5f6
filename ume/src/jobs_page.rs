//! The page of the jobs, and how the services of this process fare.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use model::{Text, Timestamp};
use room::Services;
use serde::Deserialize;
use store::JobRow;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User},
};

/// What the jobs are called, by name without the machine.
#[derive(Clone, Default)]
pub struct Titles(Arc<BTreeMap<&'static str, Text>>);

impl Titles {
    /// The titles of these jobs.
    pub fn of(jobs: &[room::Job]) -> Titles {
        Titles(Arc::new(jobs.iter().map(|job| (job.name, job.title)).collect()))
    }

    /// The title of the job of this row, with or without a machine behind `@`.
    fn get(&self, row: &str) -> Option<Text> {
        let name = row.split('@').next().unwrap_or(row);
        self.0.get(name).copied()
    }
}

/// How long the last run took, in milliseconds.
pub fn duration_ms(row: &JobRow) -> Option<i64> {
    let (start, end) = (row.last_started?, row.last_ended?);
    (end >= start).then(|| (end.0 - start.0) / 1000)
}

/// One word for how a job stands.
pub fn state(row: &JobRow, now: Timestamp) -> &'static str {
    if row.lease_until > now {
        "running"
    } else if row.last_error.is_some() {
        "failed"
    } else if row.last_ended.is_some() {
        "good"
    } else {
        "waiting"
    }
}

struct Line {
    name: String,
    title: &'static str,
    state: &'static str,
    last: Option<Timestamp>,
    next: Timestamp,
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

/// `GET /work`.
pub async fn show(
    State(house): State<Shared>,
    Extension(services): Extension<Arc<Services>>,
    Extension(titles): Extension<Titles>,
    user: User,
) -> Answer {
    let now = house.store.now();
    // A row that an older Ume left behind has no job any more, and so no title.
    let rows = house.store.jobs().await?.into_iter();
    let rows = rows.filter_map(|row| Some((titles.get(&row.name)?, row)));
    let jobs = rows.map(|(title, row)| Line {
        title: title.get(user.cx.lang),
        state: state(&row, now),
        last: row.last_started,
        next: row.next_due,
        ms: duration_ms(&row).map_or_else(|| "–".to_owned(), |ms| ms.to_string()),
        said: row.last_error.or(row.last_result).unwrap_or_default(),
        name: row.name,
    });
    let body = WorkPage {
        cx: &user.cx,
        may_run: user.may(Action::Administer).is_ok(),
        jobs: jobs.collect(),
        services: services.all(),
    };
    web::frame::page(&user.cx, user.cx.t("ジョブ", "Jobs"), &body)
}

#[derive(Deserialize)]
pub struct Ask {
    csrf: String,
    name: String,
}

/// Makes a job due now; the schedule takes it within a second.
pub async fn ask(State(house): State<Shared>, user: User, Form(form): Form<Ask>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    if !house.store.job_ask(&form.name).await? {
        return Err(Refusal::NotFound);
    }
    Ok(Redirect::to("/work").into_response())
}
