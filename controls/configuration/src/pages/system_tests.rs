//! `/configuration/system/{id}/tests`: 試験仕様書 and 成績書 of a system, on the page, as a workbook, and recorded.
//!
//! Invariant: a report says what was seen, and is kept as a file with its record.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, t};
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{
    sheets::book_response,
    systems::{Answered, broken, system_of},
};
use crate::{
    systems::System,
    trace,
    trials::{self, Case, Verdict},
    work::life,
};

const CASES_SHOWN: usize = 300;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let at = |rest: &str| format!("/configuration/system/{{id}}{rest}");
    vec![
        Route::get(&at("/tests"), inspect, t("試験仕様書と成績書", "Tests of a system"), tests),
        Route::get(
            &at("/tests.xlsx"),
            inspect,
            t("試験仕様書・成績書のブック", "Tests as a workbook"),
            tests_book,
        ),
        Route::post(&at("/report"), write, t("試験成績の記録", "Record a test report"), report),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Kind {
    /// `report` with results, else the specification.
    kind: String,
}

struct CaseShown {
    family: &'static str,
    host: String,
    item: String,
    steps: String,
    expected: String,
    class: &'static str,
    verdict: &'static str,
    actual: String,
    evidence: String,
    at: String,
}

#[derive(Template)]
#[template(path = "system_tests.html")]
struct TestsPage<'a> {
    cx: &'a Cx,
    id: Id,
    name: &'a str,
    is_report: bool,
    day: String,
    cases: Vec<CaseShown>,
    total: usize,
    passed: usize,
    failed: usize,
    has_hosts: bool,
}

async fn cases_of(house: &Shared, system: &System) -> Result<Vec<Case>, Refusal> {
    trials::cases(&house.store, system.row.id, &system.hosts).await.map_err(broken)
}

async fn tests(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(kind): Query<Kind>,
) -> Answer {
    let cx = &user.cx;
    let system = system_of(&house, &user, &id).await?;
    let cases = cases_of(&house, &system).await?;
    let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    let is_report = kind.kind == "report";
    let shown = |case: &Case| CaseShown {
        family: trials::family_text(&case.family, cx.lang),
        host: case.host.as_ref().map_or_else(String::new, |(_, name)| name.clone()),
        item: trials::pick(&case.item, cx.lang).to_owned(),
        steps: trials::steps(case, cx.lang),
        expected: trials::pick(&case.expected, cx.lang).to_owned(),
        class: case.verdict.class(),
        verdict: cx.pick(&case.verdict.text()),
        actual: case.actual.clone(),
        evidence: case.evidence.clone(),
        at: case.at.map_or_else(String::new, |at| cx.time(&at)),
    };
    let body = TestsPage {
        cx,
        id: system.row.id,
        name: &system.row.name,
        is_report,
        day: cx.date(&cx.now),
        total: cases.len(),
        passed: count(Verdict::Pass),
        failed: count(Verdict::Fail),
        cases: cases.iter().take(CASES_SHOWN).map(shown).collect(),
        has_hosts: !system.hosts.is_empty(),
    };
    let title = match is_report {
        true => cx.t("試験成績書", "Test report"),
        false => cx.t("試験仕様書", "Test specification"),
    };
    page(cx, title, &body)
}

fn book(cx: &Cx, system: &System, cases: &[Case], is_report: bool) -> Result<Vec<u8>, Refusal> {
    let time = |at| cx.time(&at);
    let day = cx.date(&cx.now);
    let made = trials::workbook(&system.row.name, cases, is_report, &day, &time, cx.lang);
    made.map_err(|error| Refusal::Bad(error.text(cx.lang)))
}

async fn tests_book(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(kind): Query<Kind>,
) -> Answer {
    let system = system_of(&house, &user, &id).await?;
    let cases = cases_of(&house, &system).await?;
    let is_report = kind.kind == "report";
    let bytes = book(&user.cx, &system, &cases, is_report)?;
    let what = match is_report {
        true => user.cx.t("試験成績書", "test-report"),
        false => user.cx.t("試験仕様書", "test-specification"),
    };
    Ok(book_response(&format!("{what}-{}.xlsx", system.row.name), bytes))
}

async fn report(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Answered>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let system = system_of(&house, &user, &id).await?;
    let cases = cases_of(&house, &system).await?;
    let store = &house.store;
    let bytes = book(&user.cx, &system, &cases, true)?;
    let mut upload = store.upload().await?;
    upload.write(&bytes).await?;
    let name = format!("{}-{}.xlsx", user.cx.t("試験成績書", "test-report"), system.row.name);
    let blob = store.keep(upload, &name, &user.actor()).await?;
    let reason = user.cx.t("試験成績の記録", "test report");
    let mut write = user.write(&house, reason).await?;
    let now = store.now();
    trials::record(&mut write, system.row.id, &cases, None, Some(&blob.sha256), now).await?;
    write.commit().await?;
    // What an extension asked for is done with what was seen after its day, in a report of its own.
    let life = trace::load(store, system.row.id).await?;
    for extension in life.extensions.iter().filter(|one| !one.open().is_empty()) {
        life::again(store, &system.row, &system.hosts, extension).await.map_err(broken)?;
    }
    house.wake();
    Ok(Redirect::to(&format!("/configuration/system/{}", system.row.id)).into_response())
}
