//! `/configuration/reviews`: each system with its last review; `/configuration/review/{id}`: the state it is in,
//! what changed since, and the signature under that state.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State as Axum},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::json;
use web::{
    House, Shared,
    access::Action,
    decide::{self, About, Given, Ruling, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Route},
};

use super::words;
use crate::work::{
    drift::host_names,
    review::{self, State},
};

const SHOWN_MAX: usize = 100;
const KIND: &str = "review";
const MONTHS: i64 = 12;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let one = t("構成の見直し", "Review of a system");
    vec![
        Route::get(
            "/configuration/reviews",
            inspect,
            t("構成の見直しの一覧", "Reviews of systems"),
            list,
        ),
        Route::get("/configuration/review/{id}", inspect, one, show),
        Route::post(
            "/configuration/review/{id}/sign",
            Access::Action(Action::Decide),
            t("構成の見直しへの署名", "Sign a review"),
            sign,
        ),
    ]
}

struct Line {
    id: Id,
    name: String,
    at: Option<String>,
    is_fresh: bool,
    findings: i64,
}

#[derive(Template)]
#[template(path = "configuration_reviews.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    missing: usize,
}

async fn list(Axum(house): Axum<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let systems = review::systems(&house.store).await?;
    let ids: Vec<Id> = systems.iter().map(|(row, _)| row.id).collect();
    let within = user.reader().sees_of(Table::Asset);
    let seen = house.store.reached(Table::Asset, &ids, &within).await?;
    let fresh_from = cx.now.minus_hours(365 * 24);
    let lines: Vec<Line> = systems
        .into_iter()
        .filter(|(row, _)| seen.contains(&row.id))
        .map(|(row, last)| Line {
            id: row.id,
            name: row.name,
            is_fresh: last.as_ref().is_some_and(|record| record.observed_to >= fresh_from),
            findings: last.as_ref().and_then(|r| r.facts.get("findings")?.as_i64()).unwrap_or(0),
            at: last.map(|record| cx.time(&record.observed_to)),
        })
        .collect();
    let missing = lines.iter().filter(|line| !line.is_fresh).count();
    page(cx, cx.t("構成の見直し", "Reviews"), &ListPage { cx, missing, lines })
}

struct HostLine {
    id: Id,
    name: String,
    at: Option<String>,
    root: String,
}

struct DriftLine {
    id: Id,
    at: String,
    host: String,
    key: String,
    class: String,
    is_open: bool,
}

#[derive(Template)]
#[template(path = "configuration_review.html")]
struct ReviewPage<'a> {
    cx: &'a Cx,
    state: &'a State,
    hosts: Vec<HostLine>,
    lines: Vec<DriftLine>,
    more: usize,
    last: Option<String>,
    hash: String,
    may_sign: bool,
    sign: String,
}

async fn found(house: &House, user: &User, id: &str) -> Result<State, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let within = user.reader().sees_of(Table::Asset);
    if !house.store.reaches(Table::Asset, id, &within).await? {
        return Err(Refusal::NotFound);
    }
    review::of(&house.store, id).await?.ok_or(Refusal::NotFound)
}

async fn show(Axum(house): Axum<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let state = found(&house, &user, &id).await?;
    let ids: Vec<Id> = state.hosts.iter().map(|host| host.row.id).collect();
    let names = host_names(&house.store, &ids).await?;
    let account = &user.session.account;
    let may_sign = (web::access::may(account, Action::Decide)
        || decide::delegation::held(&house.store, account).await?)
        && !state.hosts.is_empty();
    // The settings of a host at one glance: what differs here differs somewhere.
    let root = |record: &store::Record| -> String {
        let typed = record.facts.get("roots").and_then(|roots| roots["typed"].as_str());
        typed.unwrap_or("").chars().take(12).collect()
    };
    let body = ReviewPage {
        cx,
        hosts: state
            .hosts
            .iter()
            .map(|host| HostLine {
                id: host.row.id,
                name: host.row.name.clone(),
                at: host.snapshot.as_ref().map(|record| cx.time(&record.observed_to)),
                root: host.snapshot.as_ref().map(root).unwrap_or_default(),
            })
            .collect(),
        lines: state
            .drifts
            .iter()
            .take(SHOWN_MAX)
            .map(|drift| DriftLine {
                id: drift.record.id,
                at: cx.time(&drift.record.observed_to),
                host: drift.host().and_then(|id| names.get(&id).cloned()).unwrap_or_default(),
                key: drift.fact("key").to_owned(),
                class: words::class(cx, drift.fact("class")),
                is_open: drift.is_unauthorised() && drift.decided.is_none(),
            })
            .collect(),
        more: state.drifts.len().saturating_sub(SHOWN_MAX),
        last: state.last.as_ref().map(|record| cx.time(&record.observed_to)),
        hash: state.system.content_hash()?,
        may_sign,
        sign: if may_sign {
            decide::part(cx, cx.t("この状態に署名する", "Sign this state"))?
        } else {
            String::new()
        },
        state: &state,
    };
    Ok(with_script(page(cx, &body.state.system.name.clone(), &body)?))
}

#[derive(Deserialize)]
struct SignForm {
    csrf: String,
    /// Hash of the row, and of the state, as shown.
    hash: String,
    state: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

async fn sign(
    Axum(house): Axum<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<SignForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let cx = &user.cx;
    let state = found(&house, &user, &id).await?;
    if state.hash != form.state || state.hosts.is_empty() {
        let text = cx.t(
            "画面を開いた後に構成が変わりました。最新の状態を確認してください。",
            "The state changed after you opened the page. Look at the newest.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[KIND]).await?;
    let reason = form.reason.trim();
    let ruling = Ruling {
        hash: &form.hash,
        outcome: "approved",
        reason,
        hours: decide::months(MONTHS),
        kind: KIND,
        notes: vec![("state", json!(state.hash)), ("findings", json!(state.findings()))],
    };
    let rulings = [(ruling, About::Row(&state.system))];
    let signature = match decide::take(&house, &user, &headers, &standing, &rulings, given).await? {
        Taken::Asked(answer) => return Ok(answer),
        Taken::Given(signature) => signature,
    };
    let mut write = house.store.write(&user.actor(), reason, "web").await?;
    for decision in decide::enter_all(&mut write, &user, &rulings, &signature).await? {
        // With more signatures to come, nothing was reviewed yet.
        if decision.status == "approved" {
            let count = decide::signatures(&decision).len();
            write.record(review::reviewed(&state, count, house.store.now())).await?;
        }
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/review/{}", state.system.id)).into_response())
}
