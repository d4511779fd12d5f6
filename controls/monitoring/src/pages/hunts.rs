//! `/monitoring/hunts`: rules that look back over the archive, and trials of rules that are not in force.

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Record, Store, StoreError};
use web::{
    House, Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use crate::work::{
    activation::ACTIVATED,
    hunts::{ASKED_DAYS, HUNT, Hunts, Shown},
    rules,
};

const SHOWN_MAX: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("過去ログの照合", "Hunting back");
    let api = Route::get("/api/v1/monitoring/hunts", inspect, title, api).api(Api {
        tag: "monitoring",
        id: "monitoring_hunts".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    });
    let try_title = t("ルールの試行", "Try a rule");
    vec![
        Route::get("/monitoring/hunts", inspect, title, list),
        Route::post(
            "/monitoring/hunts/{id}/try",
            Access::Action(Action::Write),
            try_title,
            attempt,
        ),
        api,
    ]
}

/// A hunt of an activation.
struct Line {
    activated: Timestamp,
    record: Id,
    rules: u64,
    state: Standing,
}

/// How a hunt stands.
enum Standing {
    Waits,
    Runs(Box<Shown>),
    Done(Box<Record>),
}

impl Line {
    fn done(&self) -> Option<&Record> {
        match &self.state {
            Standing::Done(record) => Some(record),
            _ => None,
        }
    }

    fn running(&self) -> Option<&Shown> {
        match &self.state {
            Standing::Runs(shown) => Some(shown),
            _ => None,
        }
    }

    /// Whether it lacks something of what the criterion asks.
    fn is_short(&self) -> bool {
        self.done().is_some_and(|record| {
            number(record, "covered_permille") < 990 || number(record, "delay_min") > 1_440
        })
    }
}

fn number(record: &Record, name: &str) -> u64 {
    record.facts.get(name).and_then(Json::as_u64).unwrap_or(0)
}

/// A trial with the name of what is tried.
struct Trial {
    shown: Shown,
    name: String,
}

#[derive(Template)]
#[template(path = "hunts.html")]
struct HuntsPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    trials: Vec<Trial>,
}

impl HuntsPage<'_> {
    fn open(&self) -> usize {
        self.lines.iter().filter(|line| line.done().is_none()).count()
    }

    fn short(&self) -> usize {
        self.lines.iter().filter(|line| line.is_short()).count()
    }

    fn fact(&self, record: &Record, name: &str) -> u64 {
        number(record, name)
    }

    fn covered(&self, record: &Record) -> String {
        self.percent(&number(record, "covered_permille"))
    }

    fn percent(&self, permille: &u64) -> String {
        format!("{}.{} %", permille / 10, permille % 10)
    }
}

async fn lines(house: &House, store: &Store) -> Result<Vec<Line>, StoreError> {
    let since = store.now().minus_hours(24 * ASKED_DAYS);
    let activations = store.newest_records(&[ACTIVATED], None, SHOWN_MAX).await?;
    let ids: Vec<Id> = activations.iter().map(|record| record.id).collect();
    let done = store.present().records_about(HUNT, &ids, since).await?;
    let running = house.kept.get::<Hunts>().shown();
    let line = |activation: &Record| {
        let hunt = done.iter().find(|record| record.subject == Some(activation.id));
        let shown = running.iter().find(|shown| shown.id == activation.id);
        let state = match (hunt, shown) {
            (Some(record), _) => Standing::Done(Box::new(record.clone())),
            (None, Some(shown)) => Standing::Runs(Box::new(shown.clone())),
            (None, None) => Standing::Waits,
        };
        let rules = number(activation, "rules");
        Line { activated: activation.received_at, record: activation.id, rules, state }
    };
    Ok(activations.iter().map(line).collect())
}

async fn trials(house: &House, store: &Store) -> Result<Vec<Trial>, StoreError> {
    let mut shown = house.kept.get::<Hunts>().shown();
    shown.retain(|shown| shown.is_trial);
    let ids: Vec<Id> = shown.iter().map(|shown| shown.id).collect();
    let rows = store.rows_by_id(Table::Rule, &ids).await?;
    let name = |id: Id| rows.iter().find(|row| row.id == id).map_or("", |row| row.name.as_str());
    Ok(shown.into_iter().map(|shown| Trial { name: name(shown.id).to_owned(), shown }).collect())
}

async fn list(State(house): State<Shared>, user: User) -> Answer {
    let (cx, store) = (&user.cx, &house.store);
    let lines = lines(&house, store).await?;
    let body = HuntsPage { cx, lines, trials: trials(&house, store).await? };
    page(cx, cx.t("過去ログの照合", "Hunting back"), &body)
}

#[derive(Deserialize)]
struct TryForm {
    csrf: String,
}

/// Holds the rules of a row, in force or not, against the archive; nothing is found by it.
async fn attempt(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<TryForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let row = house.store.row(Table::Rule, id).await?.ok_or(Refusal::NotFound)?;
    let may = rules::KINDS.contains(&row.kind.as_str())
        && house
            .kind(Table::Rule, &row.kind)
            .is_some_and(|(_, kind)| user.reader().may(Action::Write, kind));
    if !may {
        return Err(Refusal::Forbidden);
    }
    if !house.kept.get::<Hunts>().try_row(id) {
        let text = user.cx.t(
            "試行が20件待っています。終わるのを待ってください。",
            "20 trials wait already; let some of them end.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    Ok(Redirect::to("/monitoring/hunts").into_response())
}

fn progress(shown: &Shown) -> Json {
    let rule = |(title, n): &(String, u64)| json!({ "rule": title, "matches": n });
    json!({
        "rules": shown.rules, "permille": shown.permille, "events": shown.progress.events,
        "scanned": shown.progress.scanned, "pruned": shown.progress.pruned,
        "missing": shown.progress.missing, "matches": shown.progress.matches,
        "findings": shown.findings, "by_rule": shown.by_rule.iter().map(rule).collect::<Vec<_>>(),
        "began_at": shown.began.rfc3339(), "ended_at": shown.ended.map(|at| at.rfc3339()),
        "trouble": shown.trouble,
    })
}

async fn api(State(house): State<Shared>, caller: Caller) -> Response {
    let refused = |error: StoreError| Problem::of_store(caller.cx.lang, &error).into_response();
    let lines = match lines(&house, &house.store).await {
        Ok(lines) => lines,
        Err(error) => return refused(error),
    };
    let trials = match trials(&house, &house.store).await {
        Ok(trials) => trials,
        Err(error) => return refused(error),
    };
    let hunt = |line: &Line| {
        json!({
            "activation": line.record, "activated_at": line.activated.rfc3339(), "rules": line.rules,
            "running": line.running().map(progress),
            "done": line.done().map(|record| json!({
                "record": record.id, "at": record.received_at.rfc3339(), "facts": record.facts,
            })),
        })
    };
    let trial = |trial: &Trial| json!({ "row": trial.shown.id, "name": trial.name, "progress": progress(&trial.shown) });
    Document(json!({
        "hunts": lines.iter().map(hunt).collect::<Vec<_>>(),
        "trials": trials.iter().map(trial).collect::<Vec<_>>(),
    }))
    .into_response()
}
