//! `/configuration/drift/{id}`: one difference in full, the commands that undo it, and the three ways out;
//! `/configuration/plan/{id}`: what was proposed, and its signature.
//!
//! Invariants: who proposed does not sign; what is signed is the plan as it was shown.

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, State as Axum},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, t};
use room::blocking;
use serde_json::{Value as Json, json};
use store::{Filter, Store, StoreError};
use web::{
    House, Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    decide::{self, About, Cast, Ruling},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Api, Param, Place, Route},
};

use super::{
    changes::SignForm,
    drift::{day_after, may_propose, one, plan_of},
    words,
};
use crate::work::{
    changes::person,
    drift::{
        self, Drift, Outcome, Plan, State,
        days::Clock,
        plan,
        undo::{self, Undo},
    },
    settle_house,
};

const HOURS_DAY: i64 = 24;
/// How long an approval that ends in a snapshot may take.
const REVERT_HOURS: i64 = 31 * HOURS_DAY;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("差異の詳細", "A difference");
    let plan_title = t("差異の扱い", "What becomes of drift");
    let id = Param {
        place: Place::Path,
        name: "id",
        schema: "Id",
        required: true,
        text: t("差異の記録", "Record of drift"),
    };
    let api = Api {
        tag: "configuration",
        id: "configuration_drift_one".to_owned(),
        params: vec![id],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[404],
    };
    vec![
        Route::get("/configuration/drift/{id}", inspect, title, show),
        Route::get("/configuration/plan/{id}", inspect, plan_title, show_plan),
        Route::post(
            "/configuration/plan/{id}/sign",
            Access::Action(Action::Decide),
            t("差異の扱いへの署名", "Sign what becomes of drift"),
            sign,
        ),
        Route::get("/api/v1/configuration/drift/{id}", inspect, title, api_one).api(api),
    ]
}

/// One setting as the page shows it.
struct Shown {
    key: String,
    before: String,
    after: String,
    parts: Vec<(String, String, String)>,
    origin: String,
    class: String,
    reason: &'static str,
    by: Option<(String, String)>,
    actor: Option<(String, String, String)>,
}

struct PlanLine {
    id: Id,
    outcome: &'static str,
    standing: &'static str,
    at: String,
}

#[derive(Template)]
#[template(path = "configuration_drift_one.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    drift: &'a Drift,
    host: (Id, String),
    state_said: &'static str,
    colour: &'static str,
    class: String,
    seen: (String, String),
    shown: Vec<Shown>,
    waited: i64,
    same: usize,
    plans: Vec<PlanLine>,
    decided: Option<(String, String, String, i64, Id)>,
    undo: Option<Undo>,
    again: Option<Undo>,
    may_propose: bool,
    tomorrow: String,
    outcomes: [Outcome; 3],
}

async fn show(Axum(house): Axum<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let drift = one(&house, user.reader(), &id).await?.ok_or(Refusal::NotFound)?;
    let store = &house.store;
    let plans = plan::all(store).await?;
    let clock = Clock::at(cx.now, &cx.local.zone);
    let about = drift::by_drift(&plans).remove(&drift.record.id).unwrap_or_default();
    let state = drift.state(&about, &clock);
    let host = drift.host().unwrap_or(Id::nil());
    let names = drift::host_names(store, &[host]).await?;
    let (undo, again) = undone(store, &drift, names.get(&host).map_or("", |n| n)).await?;
    let mut shown = Vec::new();
    for item in &drift.items {
        shown.push(shown_item(store, cx, item).await?);
    }
    let body = OnePage {
        cx,
        host: (host, names.get(&host).cloned().unwrap_or_default()),
        state_said: cx.pick(&state.text()),
        colour: words::colour(&state),
        class: words::class(cx, drift.fact("class")),
        seen: (cx.time(&drift.record.observed_from), cx.time(&drift.record.observed_to)),
        shown,
        waited: drift::settle::waited(&drift, &clock),
        same: same_elsewhere(store, &drift).await?,
        plans: about
            .iter()
            .map(|plan| PlanLine {
                id: plan.row.id,
                outcome: cx.pick(&plan.outcome.text()),
                standing: cx.pick(&plan.standing()),
                at: cx.time(&plan.row.created_at),
            })
            .collect(),
        decided: decided(store, cx, &drift).await?,
        undo,
        again,
        may_propose: state.takes_a_plan() && may_propose(&house, user.reader()),
        tomorrow: day_after(cx),
        outcomes: Outcome::ALL,
        drift: &drift,
    };
    page(cx, drift.fact("key"), &body)
}

async fn name_of(store: &Store, table: Table, id: &str) -> Result<Option<String>, StoreError> {
    let Ok(id) = id.parse::<Id>() else { return Ok(None) };
    Ok(store.rows_by_id(table, &[id]).await?.pop().map(|row| row.name))
}

async fn shown_item(store: &Store, cx: &Cx, item: &drift::Item) -> Result<Shown, StoreError> {
    let by = match name_of(store, Table::Plan, &item.by).await? {
        Some(name) => Some((name, format!("/configuration/changes/{}", item.by))),
        None if item.by.is_empty() => None,
        None => Some((item.by.clone(), String::new())),
    };
    let actor = match &item.actor {
        None => None,
        Some(actor) => {
            let name = name_of(store, Table::Party, &actor.party).await?;
            let at = actor.at.map(|at| cx.time(&at)).unwrap_or_default();
            Some((name.unwrap_or_else(|| actor.party.clone()), words::short(&actor.evidence), at))
        }
    };
    let parts = words::parts(item);
    Ok(Shown {
        key: item.delta.path(),
        before: words::value(item.delta.before.as_ref()),
        after: words::value(item.delta.after.as_ref()),
        parts: if parts.iter().any(|(name, ..)| !name.is_empty()) { parts } else { Vec::new() },
        origin: item.delta.origin.to_string(),
        class: words::class(cx, &item.class),
        reason: cx.pick(&words::reason(&item.reason)),
        by,
        actor,
    })
}

/// How many hosts besides show the same setting undecided, so that one decision may serve all.
async fn same_elsewhere(store: &Store, drift: &Drift) -> Result<usize, StoreError> {
    let records = store.newest_records(&[drift::DRIFT], None, 500).await?;
    let key = drift.fact("key");
    let same = records.iter().filter(|record| {
        record.id != drift.record.id
            && record.subject != drift.record.subject
            && record.facts.get("key").and_then(Json::as_str) == Some(key)
            && record.facts.get("class").and_then(Json::as_str) == Some(drift::UNAUTHORISED)
    });
    Ok(same.count())
}

/// What was decided: outcome, who asked, who approved, working days, the record.
async fn decided(
    store: &Store,
    cx: &Cx,
    drift: &Drift,
) -> Result<Option<(String, String, String, i64, Id)>, StoreError> {
    let Some(record) = &drift.decided else { return Ok(None) };
    let text = |name: &str| record.facts.get(name).and_then(Json::as_str).unwrap_or("");
    let outcome = Outcome::parse(text("outcome")).map_or("", |outcome| cx.pick(&outcome.text()));
    let requester = name_of(store, Table::Party, text("requester")).await?.unwrap_or_default();
    let approver = name_of(store, Table::Party, text("approver")).await?.unwrap_or_default();
    let days = record.facts.get("working_days").and_then(Json::as_i64).unwrap_or(0);
    Ok(Some((outcome.to_owned(), requester, approver, days, record.id)))
}

/// What undoes a difference, and what undoes that; from the snapshots between which it came about.
async fn undone(
    store: &Store,
    drift: &Drift,
    host: &str,
) -> Result<(Option<Undo>, Option<Undo>), StoreError> {
    let Some((old, new)) = drift.items.iter().find_map(|item| item.snapshots) else {
        return Ok((None, None));
    };
    let (old, new) = (store.payload(old).await?, store.payload(new).await?);
    let (Some(old), Some(new)) = (old, new) else { return Ok((None, None)) };
    let deltas: Vec<baseline::Delta> = drift.items.iter().map(|item| item.delta.clone()).collect();
    let host = host.to_owned();
    let made = blocking(move || {
        let was = baseline::Facts::from_document(&old).ok()?;
        let now = baseline::Facts::from_document(&new).ok()?;
        let undo = undo::undo(&host, &deltas, &now, &was);
        let again = undo::undo(&host, &undo::reversed(&deltas, &was), &was, &now);
        Some((undo, again))
    })
    .await;
    let (undo, again) = made.ok().flatten().unzip();
    Ok((undo, again))
}

async fn api_one(Axum(house): Axum<Shared>, caller: Caller, Path(id): Path<String>) -> Response {
    let lang = caller.cx.lang;
    let fail = |error: StoreError| Problem::of_store(lang, &error).into_response();
    let drift = match one(&house, &caller.reader, &id).await {
        Ok(Some(drift)) => drift,
        Ok(None) => {
            let what = t("この差異はありません。", "There is no such difference.");
            return Problem::new(lang, problem::NOT_FOUND, what).into_response();
        }
        Err(error) => return fail(error),
    };
    let plans = match plan::all(&house.store).await {
        Ok(plans) => plans,
        Err(error) => return fail(error),
    };
    let clock = Clock::at(caller.cx.now, &caller.cx.local.zone);
    let drifts = [drift];
    let state = drift::states(&drifts, &plans, &clock).pop().unwrap_or(State::Settled);
    let (undo, again) = match undone(&house.store, &drifts[0], "").await {
        Ok(made) => made,
        Err(error) => return fail(error),
    };
    let told = |undo: &Undo| {
        let by_hand: Vec<Json> = undo
            .by_hand
            .iter()
            .map(|(key, why)| json!({ "key": key, "why": why.text().get(lang) }))
            .collect();
        json!({ "script": undo.script, "checks": undo.checks, "by_hand": by_hand })
    };
    let mut document = drift::document(&drifts[0], &state, plan_of(&state));
    document["undo"] = undo.as_ref().map_or(Json::Null, told);
    document["undo_of_undo"] = again.as_ref().map_or(Json::Null, told);
    Document(document).into_response()
}

struct DriftLine {
    id: Id,
    host: String,
    key: String,
    before: String,
    after: String,
    is_decided: bool,
}

#[derive(Template)]
#[template(path = "configuration_plan.html")]
struct PlanPage<'a> {
    cx: &'a Cx,
    plan: &'a Plan,
    outcome: &'static str,
    standing: &'static str,
    is_approved: bool,
    proposer: String,
    reason: String,
    expires: Option<String>,
    check: Option<(Id, String, String)>,
    lines: Vec<DriftLine>,
    hash: String,
    /// Why this reader cannot sign; none if they can.
    may_not: Option<&'static str>,
    sign: String,
    signatures: Vec<decide::Shown>,
}

async fn found_plan(house: &House, user: &User, id: &str) -> Result<(Plan, Vec<Drift>), Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let plan = plan::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let drifts = drift::by_ids(&house.store, &plan.drifts).await?;
    let mut hosts: Vec<Id> = drifts.iter().filter_map(Drift::host).collect();
    hosts.extend(plan.check.as_ref().map(|(host, _)| *host));
    let within = user.reader().sees_of(Table::Asset);
    let seen = house.store.reached(Table::Asset, &hosts, &within).await?;
    match hosts.iter().all(|host| seen.contains(host)) {
        true => Ok((plan, drifts)),
        false => Err(Refusal::NotFound),
    }
}

async fn show_plan(Axum(house): Axum<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let (plan, drifts) = found_plan(&house, &user, &id).await?;
    let store = &house.store;
    let mut hosts: Vec<Id> = drifts.iter().filter_map(Drift::host).collect();
    hosts.extend(plan.check.as_ref().map(|(host, _)| *host));
    let names = drift::host_names(store, &hosts).await?;
    let name = |host: Option<Id>| host.and_then(|id| names.get(&id).cloned()).unwrap_or_default();
    let account = &user.session.account;
    let own = person(store, &account.login).await?;
    let may_decide = web::access::may(account, Action::Decide)
        || decide::delegation::held(store, account).await?;
    let may_not = match () {
        () if !plan.waits() => Some(""),
        () if !may_decide => Some(cx.t(
            "署名できるのは、決定の権限を持つ役割の人です。",
            "It takes a role that may decide to sign.",
        )),
        () if own.is_none() => Some(cx.t(
            "あなたのアカウントを書いた人が名簿にないため署名できません。",
            "No person among the people names your account, so you cannot sign.",
        )),
        () if own == plan.proposer => Some(cx.t(
            "提案した本人は署名できません。別の人が署名してください。",
            "You proposed it: somebody else signs.",
        )),
        () => None,
    };
    let line = |drift: &Drift| {
        let first = drift.items.first();
        DriftLine {
            id: drift.record.id,
            host: name(drift.host()),
            key: drift.fact("key").to_owned(),
            before: first.map_or_else(|| "–".to_owned(), |i| words::value(i.delta.before.as_ref())),
            after: first.map_or_else(|| "–".to_owned(), |i| words::value(i.delta.after.as_ref())),
            is_decided: drift.decided.is_some(),
        }
    };
    let proposer = plan.proposer.map(|id| id.to_string()).unwrap_or_default();
    let decisions = store.rows_about(Table::Decision, &[plan.row.id]).await?;
    let body = PlanPage {
        cx,
        outcome: cx.pick(&plan.outcome.text()),
        standing: cx.pick(&plan.standing()),
        is_approved: plan.is_approved(),
        proposer: name_of(store, Table::Party, &proposer).await?.unwrap_or_default(),
        reason: crate::work::changes::text(&plan.row, "reason").to_owned(),
        expires: plan.expires.map(|at| cx.date(&at.minus_hours(1))),
        check: plan.check.as_ref().map(|(host, check)| (*host, name(Some(*host)), check.clone())),
        lines: drifts.iter().map(line).collect(),
        hash: plan.row.content_hash()?,
        sign: if may_not.is_none() {
            decide::part(cx, cx.t("署名する", "Sign"))?
        } else {
            String::new()
        },
        may_not,
        signatures: decisions.iter().flat_map(|decision| decide::shown(cx, decision)).collect(),
        plan: &plan,
    };
    Ok(with_script(page(cx, &body.plan.row.name.clone(), &body)?))
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
    let (plan, drifts) = found_plan(&house, &user, &id).await?;
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    if !plan.waits() {
        return bad("この扱いはすでに決定されています。", "This was decided already.");
    }
    let kind = plan.outcome.kinds().first().copied().unwrap_or("approval");
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[kind]).await?;
    if let Some(refused) = refused(&house, cx, &standing, plan.proposer).await? {
        return Err(Refusal::Bad(refused));
    }
    let hours = match (plan.outcome, plan.expires) {
        (Outcome::Excepted, Some(end)) => end.hours_since(cx.now).max(1),
        (Outcome::Adopted, _) => decide::months(36),
        _ => REVERT_HOURS,
    };
    let ruling = Ruling {
        hash: &form.hash,
        outcome: &form.outcome,
        reason: form.reason.trim(),
        hours,
        kind,
        notes: plan::notes(&plan, &drifts),
    };
    let rulings = [(ruling, About::Row(&plan.row))];
    let cast = decide::cast(&house, &user, &headers, &standing, &rulings, given).await?;
    if let Cast::Asked(answer) = cast {
        return Ok(answer);
    }
    answered(&house, plan.row.id).await?;
    settle_house(&house).await?;
    Ok(Redirect::to(&format!("/configuration/plan/{}", plan.row.id)).into_response())
}

/// Why somebody may not approve what `asker` asked for: neither in person nor for another.
pub(super) async fn refused(
    house: &House,
    cx: &Cx,
    standing: &decide::Standing,
    asker: Option<Id>,
) -> Result<Option<String>, StoreError> {
    for login in [&standing.signer.login, &standing.account.login] {
        match person(&house.store, login).await? {
            None => {
                let text = cx.t(
                    "署名する人のアカウントを書いた人が名簿にありません。「人」の台帳の「アカウント」にサインイン名を入力してください。",
                    "No person among the people names the account that signs. Enter its sign-in name in the field “account” of the row.",
                );
                return Ok(Some(text.to_owned()));
            }
            Some(person) if Some(person) == asker => {
                let text = cx.t(
                    "申請・提案した本人は承認できません。別の人が署名してください。",
                    "Who asked for it cannot approve it: somebody else signs.",
                );
                return Ok(Some(text.to_owned()));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Takes the request for an approval away once another kind of decision has answered it.
pub(super) async fn answered(house: &House, about: Id) -> Result<(), StoreError> {
    let filter = Filter {
        kind: Some("approval".to_owned()),
        subject: Some(about),
        status: Some(decide::PROPOSED.to_owned()),
        limit: 1,
        ..Filter::default()
    };
    let open = house.store.list(Table::Decision, &filter).await?.pop();
    let Some(open) = open.filter(|request| !decide::signed_by_any(request)) else { return Ok(()) };
    let mut write = house.store.write("system:configuration.settle", "answered", "").await?;
    write.delete(open).await?;
    write.commit().await
}
