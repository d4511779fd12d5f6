//! The page of the jobs, and how the services of this process fare.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use model::{Text, Timestamp};
use serde::Deserialize;
use store::JobRow;
use web::{
    Shared,
    access::{Action, allowed},
    frame::{Answer, Cx, Refusal, User},
};

/// How each service fares: `None` is well, else what it said last. And what the jobs are called.
#[derive(Default)]
pub struct Services {
    troubles: Mutex<BTreeMap<&'static str, Option<String>>>,
    /// Row of a job in the table, and its title.
    titles: BTreeMap<String, Text>,
}

impl Services {
    /// No service has said anything yet.
    pub fn new(titles: BTreeMap<String, Text>) -> Services {
        Services { troubles: Mutex::default(), titles }
    }

    /// Name and trouble of each service.
    pub fn all(&self) -> Vec<(&'static str, Option<String>)> {
        let map = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter().map(|(name, trouble)| (*name, trouble.clone())).collect()
    }

    /// Keeps the outcome of a round; a trouble is logged once, not every round.
    pub fn note(&self, name: &'static str, outcome: Result<(), impl Display>) {
        let trouble = outcome.err().map(|e| e.to_string());
        let mut map = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let before = map.insert(name, trouble.clone()).flatten();
        match (&before, &trouble) {
            (old, Some(new)) if old.as_ref() != Some(new) => {
                tracing::error!(error = new, "{name} is in trouble");
            }
            (Some(_), None) => tracing::info!("{name} works again"),
            _ => {}
        }
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
    user: User,
) -> Answer {
    let now = house.store.now();
    let jobs = house.store.jobs().await?.into_iter().map(|row| Line {
        title: services.titles.get(&row.name).map_or("", |title| title.get(user.cx.lang)),
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
