//! `/changes`: changes of the ISMS, whether each was planned, and the plans (6.3).

use askama::Template;
use axum::{extract::State, response::Response};
use model::{Table, t};
use serde_json::Value as Json;
use store::Record;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Route},
};

use super::{document, may_write};
use crate::changes::{self, Overview, What};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("ISMSの変更", "Changes of the ISMS");
    vec![
        Route::get("/changes", inspect, title, show),
        document("/api/v1/isms/changes", inspect, "changes", title, api),
    ]
}

struct Line<'a> {
    record: &'a Record,
    what: &'a str,
    rules: Option<u64>,
    above: bool,
    planned: bool,
    plan: Option<&'a str>,
    /// Where the changed row is shown.
    row: Option<String>,
}

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    overview: &'a Overview,
    lines: Vec<Line<'a>>,
    findings: usize,
    wanted: usize,
    may_write: bool,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let overview = changes::overview(&house.store).await?;
    let mut lines: Vec<Line> = overview.judged.iter().map(|r| line(cx, r)).collect();
    // What lacks its plan comes first; each part keeps its order.
    lines.sort_by_key(|l| !l.above || l.planned);
    let body = ChangesPage {
        cx,
        here: "/changes",
        findings: overview.findings().count(),
        wanted: lines.iter().filter(|l| l.above).count(),
        lines,
        overview: &overview,
        may_write: may_write(&house, &user, Table::Plan, changes::PLAN_KIND),
    };
    page(cx, cx.t("ISMSの変更", "Changes of the ISMS"), &body)
}

fn line<'a>(cx: &Cx, record: &'a Record) -> Line<'a> {
    let text = |name: &str| record.facts.get(name).and_then(Json::as_str);
    let says = |name: &str| record.facts.get(name) == Some(&Json::Bool(true));
    let what = text("what").and_then(What::parse);
    // The key of a changed row is table, id and version.
    let row = text("change").and_then(|key| {
        let (place, _) = key.rsplit_once('/')?;
        record.subject.map(|_| format!("/row/{place}"))
    });
    Line {
        record,
        what: what.map_or("", |what| what.text().get(cx.lang)),
        rules: record.facts.get("rules").and_then(Json::as_u64),
        above: says("above_threshold"),
        planned: says("plan_signed_before"),
        plan: text("plan"),
        row,
    }
}

async fn api(State(house): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let overview = changes::overview(&house.store).await;
    let overview = overview.map_err(|e| Problem::of_store(caller.cx.lang, &e))?;
    Ok(super::json(overview.json()))
}
