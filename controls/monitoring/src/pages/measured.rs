//! `/monitoring/measured`: what detection and answers took, what is open, false alarms, exercises; for executives.

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Record, Row};
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{findings::may_judge, gap::moment};
use crate::measured::{
    EXERCISE, EXERCISES, ExerciseError, FALSE_ALARMS, Measured, exercise, quantile,
};

const RUNS_MAX: usize = 20;
/// Detection within so many seconds is soon enough.
const TARGET_S: i64 = 900;
const STATUS: &str = "monitoring.source_status";
/// A status older than this says nothing of now.
const FRESH_H: i64 = 24;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let title = t("検知時間と誤検知", "Times and false alarms");
    let run = t("検知演習の記録", "Record an exercise");
    vec![
        Route::get("/monitoring/measured", inspect, title, show),
        Route::post("/monitoring/measured/exercise", write, run, record),
    ]
}

struct Site {
    id: Id,
    name: String,
    /// Days, false, allowed, judged, open.
    numbers: [i64; 5],
}

type Run = (Id, Timestamp, i64, i64, Option<i64>);

#[derive(Template)]
#[template(path = "measured.html")]
struct MeasuredPage<'a> {
    cx: &'a Cx,
    measured: Measured,
    p90: Option<i64>,
    mttd: Option<i64>,
    mtta: Option<i64>,
    mttr: Option<i64>,
    silent: usize,
    sites: Vec<Site>,
    exercises: Vec<Row>,
    runs: Vec<Run>,
    may_record: bool,
}

impl MeasuredPage<'_> {
    fn is_slow(&self) -> bool {
        self.p90.is_some_and(|p90| p90 > TARGET_S)
    }

    /// A span of seconds as people say it.
    fn span(&self, seconds: &i64) -> String {
        super::lasted(self.cx, *seconds)
    }

    fn opt(&self, seconds: &Option<i64>) -> String {
        super::measured_s(self.cx, *seconds)
    }

    fn target(&self) -> String {
        self.span(&TARGET_S)
    }
}

fn number(record: &Record, name: &str) -> Option<i64> {
    record.facts.get(name)?.as_i64()
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let (cx, store) = (&user.cx, &house.store);
    let measured = Measured::load(store, cx.now).await?;
    let latest = store.latest_per_subject(&[FALSE_ALARMS, STATUS]).await?;
    let (counted, statuses): (Vec<Record>, Vec<Record>) =
        latest.into_iter().partition(|record| record.ty == FALSE_ALARMS);
    let silent = |r: &&Record| {
        let said = r.facts.get("silent") == Some(&Json::Bool(true));
        said || cx.now.hours_since(r.observed_to) >= FRESH_H
    };
    let ids: Vec<Id> = counted.iter().filter_map(|record| record.subject).collect();
    let rows = store.rows_by_id(Table::Asset, &ids).await?;
    let site = |record: &Record| {
        let row = rows.iter().find(|row| Some(row.id) == record.subject)?;
        let names = ["days", "judged_false", "budget_total", "judged", "unjudged"];
        let numbers = names.map(|name| number(record, name).unwrap_or(0));
        Some(Site { id: record.id, name: row.name.clone(), numbers })
    };
    let runs = store.newest_records(&[EXERCISE], None, RUNS_MAX).await?;
    let run = |r: &Record| {
        let of = |name: &str| number(r, name);
        (
            r.id,
            r.received_at,
            of("detected").unwrap_or(0),
            of("expected").unwrap_or(0),
            of("detected_s"),
        )
    };
    let mut exercises = store.all(Table::Rule, &[EXERCISES]).await?;
    exercises.retain(|row| row.status == "active");
    let body = MeasuredPage {
        cx,
        p90: quantile(&measured.detected(), 900),
        mttd: quantile(&measured.detected(), 500),
        mtta: quantile(&measured.acknowledged, 500).map(|minutes| minutes * 60),
        mttr: quantile(&measured.resolved, 500).map(|hours| hours * 3_600),
        silent: statuses.iter().filter(silent).count(),
        sites: counted.iter().filter_map(site).collect(),
        runs: runs.iter().map(run).collect(),
        exercises,
        may_record: may_judge(&house, &user),
        measured,
    };
    page(cx, cx.t("検知時間と誤検知", "Times and false alarms"), &body)
}

#[derive(Deserialize)]
struct RunForm {
    csrf: String,
    rule: Id,
    staged: String,
}

async fn record(State(house): State<Shared>, user: User, Form(form): Form<RunForm>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let (cx, store) = (&user.cx, &house.store);
    let rule = store.row(Table::Rule, form.rule).await?;
    let rule = rule.filter(|row| row.kind == EXERCISES && !row.deleted).ok_or(Refusal::NotFound)?;
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let wrong_time = || {
        bad(
            "時刻は、いまから24時間以内の過去にしてください。",
            "Give a time within the last 24 hours.",
        )
    };
    let staged = moment(&form.staged, cx).ok_or_else(wrong_time)?;
    let mut write = user.write(&house, cx.t("検知演習の記録", "recorded an exercise")).await?;
    match exercise(store, &mut write, &rule, staged).await {
        Ok(_) => write.commit().await?,
        Err(ExerciseError::Time) => return Err(wrong_time()),
        Err(ExerciseError::Empty) => {
            return Err(bad(
                "この演習には、期待する検知がありません。",
                "This exercise expects no rule.",
            ));
        }
        Err(ExerciseError::Store(error)) => return Err(error.into()),
    }
    house.wake();
    Ok(Redirect::to("/monitoring/measured").into_response())
}
