//! `/intelligence/actions`: everything that departments were asked for, and the decision on what is late.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, t};
use serde_json::{Value as Json, json};
use web::{
    Shared, Titles,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use super::{half, may_judge, reason};
use crate::work::{
    process::{
        actions::{self, DecideError, Decision, State as Stand},
        deeds,
        routing::audience_text,
    },
    triage::Input,
};

const SHOWN_MAX: usize = 300;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("展開した対応", "Actions asked for");
    let decided = t("遅れた対応の判断", "Decide on a late action");
    let api = Api {
        tag: "threat_intelligence",
        id: "threat_intelligence_actions".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/intelligence/actions", inspect, title, show),
        Route::post("/intelligence/actions/{id}/decide", write, decided, decide),
        Route::get("/api/v1/threat_intelligence/actions", inspect, title, document).api(api),
    ]
}

struct Line {
    task: Id,
    item: Option<Id>,
    item_name: String,
    input: &'static str,
    audience: &'static str,
    expected: String,
    due: String,
    state: &'static str,
    said: &'static str,
    closes_with: String,
    is_by_itself: bool,
    proof: String,
    is_late: bool,
}

#[derive(Template)]
#[template(path = "intelligence_actions.html")]
struct ActionsPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    late: usize,
    open: usize,
    more: usize,
    may_judge: bool,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let now = store.now();
    let all = actions::all(store).await?;
    let ids: Vec<Id> = all.iter().filter_map(|action| action.task.subject).collect();
    let items = store.rows_by_id(Table::Asset, &ids).await?;
    let titles = Titles { house: &house, lang: cx.lang };
    let line = |action: &actions::Action| {
        let stand = action.state(now);
        let (state, said) = words(cx, stand);
        let item = action.task.subject.and_then(|id| items.iter().find(|row| row.id == id));
        let input = Input::named(action.input()).map(|input| cx.pick(&input.text()));
        let proof = action.closed.as_ref().and_then(|record| record.facts.get("proof")?.as_str());
        Line {
            task: action.task.id,
            item: item.map(|row| row.id),
            item_name: item.map(|row| row.name.clone()).unwrap_or_default(),
            input: input.unwrap_or_else(|| cx.t("幹部への要約", "Brief")),
            audience: cx.pick(&audience_text(action.audience())),
            expected: half(cx, &action.task.name).to_owned(),
            due: action.task.ends_at.as_ref().map(|due| cx.time(due)).unwrap_or_default(),
            state,
            said,
            closes_with: titles.of(action.closing_record()).to_owned(),
            is_by_itself: deeds::is_awaited(action.closing_record())
                || action.input() == Input::Indicator.as_str(),
            proof: proof.unwrap_or_default().to_owned(),
            is_late: stand == Stand::Late,
        }
    };
    let lines: Vec<Line> = all.iter().take(SHOWN_MAX).map(line).collect();
    let count = |wanted: Stand| all.iter().filter(|action| action.state(now) == wanted).count();
    let body = ActionsPage {
        cx,
        late: count(Stand::Late),
        open: count(Stand::Open),
        more: all.len().saturating_sub(SHOWN_MAX),
        lines,
        may_judge: may_judge(&house, user.reader()),
    };
    page(cx, cx.t("展開した対応", "Actions asked for"), &body)
}

fn words(cx: &Cx, stand: Stand) -> (&'static str, &'static str) {
    let (class, text) = match stand {
        Stand::Open => ("stale", t("未完了", "open")),
        Stand::Late => ("fail", t("期限超過", "overdue")),
        Stand::Done => ("pass", t("期限内に完了", "done in time")),
        Stand::DoneLate => ("unknown", t("遅れて完了", "done late")),
    };
    (class, cx.pick(&text))
}

type Fields = HashMap<String, String>;

async fn decide(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    let cx = &user.cx;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let reason = reason(cx, text("reason"))?;
    let no_date = || {
        bad(
            "新しい期限は、明日から90日以内の日付にしてください。",
            "The new due date lies between tomorrow and 90 days from now.",
        )
    };
    let decision = match text("decision") {
        "extend" => Decision::Extend(text("due").parse().map_err(|_| no_date())?),
        "cancel" => Decision::Cancel,
        _ => {
            return Err(bad(
                "延期か取りやめを選んでください。",
                "Choose to put it off or to cancel it.",
            ));
        }
    };
    let mut write = user.write(&house, cx.t("遅れた対応の判断", "a late action decided")).await?;
    let task = actions::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    match actions::decide(&mut write, task, decision, reason).await {
        Ok(_) => write.commit().await?,
        Err(DecideError::Store(error)) => return Err(error.into()),
        Err(DecideError::Date) => return Err(no_date()),
        Err(DecideError::Closed) => {
            return Err(bad("このタスクは完了しています。", "This task is closed already."));
        }
    }
    house.store.job_ask("threat_intelligence.actions").await?;
    house.wake();
    Ok(Redirect::to("/intelligence/actions").into_response())
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    let store = &house.store;
    let now = store.now();
    let all = match actions::all(store).await {
        Ok(all) => all,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let one = |action: &actions::Action| {
        json!({
            "task": action.task.id,
            "item": action.task.subject,
            "input": action.input(),
            "audience": action.audience(),
            "expected": action.task.name,
            "due_at": action.task.ends_at.map(model::Timestamp::rfc3339),
            "state": match action.state(now) {
                Stand::Open => "open",
                Stand::Late => "overdue",
                Stand::Done => "done",
                Stand::DoneLate => "done_late",
            },
            "closes_with": action.closing_record(),
            "closed_by": action.closed.as_ref().map(|record| record.id),
        })
    };
    let all: Vec<Json> = all.iter().map(one).collect();
    Document(json!({ "actions": all })).into_response()
}
