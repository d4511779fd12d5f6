//! `/context`: issues, needs, interfaces and scope (4.1 to 4.3), and samples to begin with.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Table, t};
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Route},
};

use super::{document, may_write, sent::Sent};
use crate::{
    context::{self, Context, Entry, samples::Sample},
    hall::text_of,
};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("組織の状況", "Context of the organisation");
    let samples_title = t("組織の状況の見本", "Samples of the context");
    let reviewed_title = t("組織の状況を見直した記録", "Note that the context was reviewed");
    vec![
        Route::get("/context", inspect, title, show),
        Route::post("/context/reviewed", write, reviewed_title, reviewed),
        Route::get("/context/samples", inspect, samples_title, samples),
        Route::post("/context/samples", write, t("見本を追加", "Add samples"), take),
        document("/api/v1/isms/context", inspect, "context", title, api),
    ]
}

/// One table of the page.
struct Part<'a> {
    kind: &'static str,
    part: &'static str,
    title: &'a str,
    column: &'a str,
    lines: Vec<(&'a Entry, String)>,
}

#[derive(Template)]
#[template(path = "context.html")]
struct ContextPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    parts: Vec<Part<'a>>,
    scope: &'a [context::Stated],
    count: usize,
    overdue: usize,
    minds_climate: bool,
    may_write: bool,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let context = context::load(&house.store).await?;
    let body = ContextPage {
        cx,
        here: "/context",
        count: context.entries().count(),
        overdue: context.entries().filter(|e| e.overdue).count(),
        minds_climate: context.minds_climate(),
        may_write: may_write(&house, &user, Table::Asset, "context_issue"),
        parts: parts(cx, &context),
        scope: &context.scope,
    };
    page(cx, cx.t("組織の状況", "Context"), &body)
}

fn parts<'a>(cx: &'a Cx, context: &'a Context) -> Vec<Part<'a>> {
    let lines = |entries: &'a [Entry], field: &str| -> Vec<(&'a Entry, String)> {
        let text = |e: &Entry| text_of(&e.row, field).unwrap_or("").to_owned();
        entries.iter().map(|e| (e, text(e))).collect()
    };
    vec![
        Part {
            kind: "context_issue",
            part: "external",
            title: cx.t("外部の課題（4.1）", "External issues (4.1)"),
            column: cx.t("ISMSへの影響", "Effect on the ISMS"),
            lines: lines(&context.external, "effect"),
        },
        Part {
            kind: "context_issue",
            part: "internal",
            title: cx.t("内部の課題（4.1）", "Internal issues (4.1)"),
            column: cx.t("ISMSへの影響", "Effect on the ISMS"),
            lines: lines(&context.internal, "effect"),
        },
        Part {
            kind: "party_need",
            part: "party",
            title: cx.t("利害関係者の要求（4.2）", "Needs of interested parties (4.2)"),
            column: cx.t("要求", "Need"),
            lines: lines(&context.needs, "need"),
        },
        Part {
            kind: "interface",
            part: "interface",
            title: cx.t("インタフェースと依存関係（4.3）", "Interfaces and dependencies (4.3)"),
            column: cx.t("依存の内容", "Dependency"),
            lines: lines(&context.interfaces, "dependency"),
        },
    ]
}

async fn reviewed(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let sent = Sent(form);
    user.form(sent.get("csrf"), Action::Write)?;
    let day = user.cx.today();
    let mut write = user.write(&house, user.cx.t("見直し", "reviewed")).await?;
    context::reviewed(&house.store, &mut write, &sent.ids("id"), &day).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/context").into_response())
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    part: String,
}

#[derive(Template)]
#[template(path = "context_samples.html")]
struct SamplesPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    part: &'a str,
    parts: [(&'static str, &'a str); 4],
    lines: Vec<(&'static Sample, bool)>,
    may_write: bool,
}

async fn samples(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let parts = [
        ("external", cx.t("外部の課題", "External issues")),
        ("internal", cx.t("内部の課題", "Internal issues")),
        ("party", cx.t("利害関係者の要求", "Needs of parties")),
        ("interface", cx.t("インタフェース", "Interfaces")),
    ];
    let part = parts.iter().find(|p| p.0 == asked.part).map_or("external", |p| p.0);
    let context = context::load(&house.store).await?;
    let taken = context.taken();
    let of_part = context::samples::all().iter().filter(|s| s.part == part);
    let body = SamplesPage {
        cx,
        here: "/context",
        part,
        parts,
        lines: of_part.map(|s| (s, taken.contains(s.id.as_str()))).collect(),
        may_write: may_write(&house, &user, Table::Asset, "context_issue"),
    };
    page(cx, cx.t("見本から追加", "Add from samples"), &body)
}

async fn take(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let sent = Sent(form);
    user.form(sent.get("csrf"), Action::Write)?;
    let mut write = user.write(&house, user.cx.t("見本から追加", "from samples")).await?;
    context::take(&house.store, &mut write, &sent.every("id"), user.cx.lang).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/context").into_response())
}

async fn api(State(house): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let context = context::load(&house.store).await;
    let context = context.map_err(|e| Problem::of_store(caller.cx.lang, &e))?;
    Ok(super::json(context.json()))
}
