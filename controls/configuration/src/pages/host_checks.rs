//! What somebody does about a check that fails on a host: a task to mend it, or an exception that another
//! signs. The next run counts it.

use axum::{
    Form,
    extract::{Path, State as Axum},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use web::{
    House, Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User},
    route::{Access, Route},
};

use super::drift::{may_propose, person_of};
use crate::work::{
    drift::plan::{self, Outcome, Proposal},
    handled::{self, Mend},
};

const CHECK: &str = "configuration.check_run";
const FAMILIES_MAX: usize = 8;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::post(
        "/configuration/host/{id}/check",
        Access::Action(Action::Write),
        t("不適合の扱い", "What is done about a failing check"),
        take_up,
    )]
}

#[derive(Deserialize)]
struct TakeUp {
    csrf: String,
    check: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    expires_on: String,
}

/// Title and remedy of a check that failed in the newest runs of a host, in the reader's language.
async fn failing(
    house: &House,
    cx: &Cx,
    host: Id,
    check: &str,
) -> Result<Option<(String, String)>, store::StoreError> {
    let runs = house.store.newest_records(&[CHECK], Some(host), FAMILIES_MAX).await?;
    let ids: Vec<Id> = runs.iter().map(|run| run.id).collect();
    for payload in house.store.payloads(&ids).await?.into_values() {
        let results: Json = serde_json::from_slice(&payload).unwrap_or(Json::Null);
        let is_it = |r: &&Json| r["id"] == check && r["outcome"] == "fail";
        if let Some(result) = results.as_array().into_iter().flatten().find(is_it) {
            let said = |part: &str| {
                let text = |lang: &str| result[part][lang].as_str().unwrap_or("").to_owned();
                cx.either(&text("ja"), &text("en")).to_owned()
            };
            return Ok(Some((said("title"), said("remedy"))));
        }
    }
    Ok(None)
}

async fn take_up(
    Axum(house): Axum<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<TakeUp>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let cx = &user.cx;
    if !may_propose(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let host: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let within = user.reader().sees_of(Table::Asset);
    if !house.store.reaches(Table::Asset, host, &within).await? {
        return Err(Refusal::NotFound);
    }
    let row = house.store.rows_by_id(Table::Asset, &[host]).await?.pop();
    let row = row.filter(|row| row.kind == "host").ok_or(Refusal::NotFound)?;
    let Some((title, remedy)) = failing(&house, cx, host, &form.check).await? else {
        let text = cx.t("この検査は不適合ではありません。", "This check does not fail.");
        return Err(Refusal::Bad(text.to_owned()));
    };
    if form.what == "task" {
        let assignee =
            crate::work::changes::person(&house.store, &user.session.account.login).await?;
        let name = format!("{title}: {}", row.name);
        let mend = Mend { host, check: &form.check, name: &name, remedy: &remedy, assignee };
        let mut write =
            user.write(&house, cx.t("不適合の課題", "task for a failing check")).await?;
        handled::take_up(&house.store, &mut write, &mend).await?;
        write.commit().await?;
        house.wake();
        let task = handled::task_id(host, &form.check);
        return Ok(Redirect::to(&format!("/row/task/{task}")).into_response());
    }
    let proposer =
        person_of(&house, cx, &user.session.account.login).await.map_err(Refusal::Bad)?;
    let proposal = Proposal {
        outcome: Outcome::Excepted,
        drifts: &[],
        check: Some((host, &form.check)),
        reason: &form.reason,
        proposer,
        expires_on: &form.expires_on,
        everywhere: false,
        change: "",
    };
    let mut write = user.write(&house, cx.t("例外の申請", "asked for an exception")).await?;
    let plan = plan::propose(&house.store, &mut write, &proposal, &[]).await.map_err(|error| {
        let (ja, en) = error.said();
        Refusal::Bad(cx.either(&ja, &en).to_owned())
    })?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/plan/{}", plan.id)).into_response())
}
