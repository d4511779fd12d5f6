//! `/configuration/changes`: the changes and their calendar; `/configuration/changes/{id}`: one change with what
//! was approved and seen, approved and not seen, seen and not approved.
//!
//! Invariants: who asked for a change neither approves it nor decides what of it was not needed.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, Query, State as Axum},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::StoreError;
use web::{
    House, Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    decide::{self, About, Cast, Given, Ruling},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Api, Param, Place, Route},
};

use super::{
    change_form as form,
    drift::may_propose,
    month::{Month, month},
    one_drift::refused,
};
use crate::work::{
    changes::{self, CHANGE, Change, Kind, Standing, person, verify},
    drift::{Drift, host_names},
    settle_house,
};

const SHOWN_MAX: usize = 100;
const HOURS_DAY: i64 = 24;
/// An emergency is approved when its window is over; so long its approval stands.
const AFTERWARDS_HOURS: i64 = 31 * HOURS_DAY;
const REASON_CHARS_MAX: usize = 2_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let (write, decide) = (Access::Action(Action::Write), Access::Action(Action::Decide));
    let title = t("変更", "Changes");
    let one = t("変更の詳細", "A change");
    let ask = t("変更申請", "Ask for a change");
    let edit = t("変更申請の編集", "Edit a change");
    let id = Param {
        place: Place::Path,
        name: "id",
        schema: "Id",
        required: true,
        text: t("変更", "Change"),
    };
    let api = |id: &str, params, refusals| Api {
        tag: "configuration",
        id: id.to_owned(),
        params,
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    vec![
        Route::get("/configuration/changes", inspect, title, list),
        Route::get("/configuration/changes/new", write, ask, form::new),
        Route::post("/configuration/changes/new", write, ask, form::create),
        Route::get("/configuration/changes/{id}", inspect, one, show),
        Route::get("/configuration/changes/{id}/edit", write, edit, form::edit),
        Route::post("/configuration/changes/{id}/edit", write, edit, form::change),
        Route::post(
            "/configuration/changes/{id}/sign",
            decide,
            t("変更への署名", "Sign a change"),
            sign,
        ),
        Route::post(
            "/configuration/changes/{id}/close",
            write,
            t("見えなかった変更を不要とする", "Close what was not seen"),
            close,
        ),
        Route::get("/api/v1/configuration/changes", inspect, title, list_api).api(api(
            "configuration_changes",
            Vec::new(),
            &[],
        )),
        Route::get("/api/v1/configuration/changes/{id}", inspect, one, one_api).api(api(
            "configuration_change",
            vec![id],
            &[404],
        )),
    ]
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// `2026-11`
    month: String,
}

struct Line {
    id: Id,
    name: String,
    kind: &'static str,
    from: String,
    to: String,
    standing: &'static str,
    colour: &'static str,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "configuration_changes.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    more: usize,
    month: Month,
    waiting: usize,
    void: usize,
    pending: usize,
    may_write: bool,
}

/// How the standing of a change is coloured.
pub(super) fn colour(change: &Change) -> &'static str {
    match &change.standing {
        Standing::Approved { .. } | Standing::Pattern { .. } => "pass",
        Standing::Waiting => "stale",
        _ => "fail",
    }
}

/// What a change is doing, in words.
fn state(cx: &Cx, change: &Change) -> &'static str {
    match change.window() {
        _ if change.closed.is_some() => cx.t("完了", "closed"),
        _ if change.is_pattern() => cx.t("ひな形", "pattern"),
        None => cx.t("作業できません", "not to be worked on"),
        Some((from, _)) if cx.now < from => cx.t("予定", "planned"),
        Some((_, to)) if cx.now <= to => cx.t("作業中", "under way"),
        Some(_) => cx.t("結果の確認中", "being verified"),
    }
}

fn may_write(house: &House, user: &User) -> bool {
    house.kind(Table::Plan, CHANGE).is_some_and(|(_, k)| user.reader().may(Action::Write, k))
}

async fn list(Axum(house): Axum<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let all = changes::all(&house.store).await?;
    let line = |change: &Change| Line {
        id: change.row.id,
        name: change.row.name.clone(),
        kind: form::kind_said(cx, change.kind),
        from: shown_time(cx, change.from),
        to: shown_time(cx, change.to),
        standing: cx.pick(&change.standing.text()),
        colour: colour(change),
        state: state(cx, change),
    };
    let of = |wanted: &str| all.iter().filter(|change| change.standing.name() == wanted).count();
    let body = ListPage {
        cx,
        lines: all.iter().take(SHOWN_MAX).map(line).collect(),
        more: all.len().saturating_sub(SHOWN_MAX),
        month: month(cx, &asked.month, &all),
        waiting: of("waiting"),
        void: of("void"),
        pending: all.iter().filter(|change| change.is_pending()).count(),
        may_write: may_write(&house, &user),
    };
    page(cx, cx.t("変更", "Changes"), &body)
}

/// A time; a dash where the row holds none.
fn shown_time(cx: &Cx, at: Timestamp) -> String {
    match at {
        Timestamp(i64::MIN | i64::MAX) => "–".to_owned(),
        at => cx.time(&at),
    }
}

struct DriftLine {
    id: Id,
    at: String,
    host: String,
    key: String,
    is_decided: bool,
}

#[derive(Template)]
#[template(path = "configuration_change.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    change: &'a Change,
    kind: &'static str,
    standing: &'static str,
    fault: String,
    colour: &'static str,
    state: &'static str,
    window: (String, String),
    authorises: Option<(String, String)>,
    requester: String,
    actors: Vec<String>,
    hosts: Vec<String>,
    all_hosts: bool,
    pattern: Option<(Id, String)>,
    is_held: bool,
    seen: Vec<DriftLine>,
    unseen: Vec<(String, String, String)>,
    unapproved: Vec<DriftLine>,
    waiting: Vec<String>,
    undecided: usize,
    may_edit: bool,
    may_close: bool,
    hash: String,
    may_not: Option<&'static str>,
    sign: String,
    signatures: Vec<decide::Shown>,
}

async fn found(house: &House, id: &str) -> Result<Change, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    changes::one(&house.store, id).await?.ok_or(Refusal::NotFound)
}

async fn show(Axum(house): Axum<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let change = found(&house, &id).await?;
    let store = &house.store;
    let found = verify::now(&house.store, &change).await?;
    let (all_hosts, own) = match change.scope.as_ref().map(|scope| &scope.hosts) {
        Some(changes::scope::Hosts::These(ids)) => (false, ids.clone()),
        Some(changes::scope::Hosts::All) => (true, Vec::new()),
        None => (false, Vec::new()),
    };
    let held = found.clone().unwrap_or_default();
    let mut ids = own.clone();
    ids.extend(held.unseen.iter().map(|wanted| wanted.host));
    ids.extend(held.seen.iter().chain(&held.unapproved).filter_map(Drift::host));
    ids.extend(&held.waiting);
    ids.sort_unstable();
    ids.dedup();
    let names = host_names(store, &ids).await?;
    let name = |id: Id| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let line = |drift: &Drift| DriftLine {
        id: drift.record.id,
        at: cx.time(&drift.record.observed_to),
        host: drift.host().map(name).unwrap_or_default(),
        key: drift.fact("key").to_owned(),
        is_decided: drift.decided.is_some(),
    };
    let actors: Vec<Id> = change.scope.as_ref().map(|s| s.actors.clone()).unwrap_or_default();
    let mut parties = actors.clone();
    parties.extend(change.requester);
    let people: HashMap<Id, String> = store
        .rows_by_id(Table::Party, &parties)
        .await?
        .into_iter()
        .map(|row| (row.id, row.name))
        .collect();
    let pattern = match change.scope.as_ref().and_then(|scope| scope.pattern) {
        Some(id) => store.row(Table::Plan, id).await?.map(|row| (row.id, row.name)),
        None => None,
    };
    let account = &user.session.account;
    let own_person = person(store, &account.login).await?;
    let may_not = may_not_sign(&house, &user, &change, own_person).await?;
    let decisions = store.rows_about(Table::Decision, &[change.row.id]).await?;
    let is_askers = own_person.is_some() && own_person == change.requester;
    let body = OnePage {
        cx,
        kind: form::kind_said(cx, change.kind),
        standing: cx.pick(&change.standing.text()),
        fault: match &change.standing {
            Standing::Unreadable(fault) => {
                let (ja, en) = fault.said();
                cx.either(&ja, &en).to_owned()
            }
            _ => String::new(),
        },
        colour: colour(&change),
        state: state(cx, &change),
        window: (shown_time(cx, change.from), shown_time(cx, change.to)),
        authorises: change.window().map(|(from, to)| (cx.time(&from), cx.time(&to))),
        requester: change.requester.and_then(|id| people.get(&id).cloned()).unwrap_or_default(),
        actors: actors.iter().filter_map(|id| people.get(id).cloned()).collect(),
        hosts: own.iter().map(|id| name(*id)).collect(),
        all_hosts,
        pattern,
        is_held: found.is_some(),
        seen: held.seen.iter().map(line).collect(),
        unseen: held
            .unseen
            .iter()
            .map(|w| (name(w.host), w.setting.clone(), w.value.clone().unwrap_or_default()))
            .collect(),
        unapproved: held.unapproved.iter().map(line).collect(),
        waiting: held.waiting.iter().map(|id| name(*id)).collect(),
        undecided: held.undecided(),
        may_edit: change.closed.is_none() && may_write(&house, &user),
        may_close: change.closed.is_none()
            && change.standing.is_approved()
            && held.is_complete()
            && found.is_some()
            && !held.unseen.is_empty()
            && held.undecided() == 0
            && may_propose(&house, user.reader())
            && !is_askers,
        hash: change.row.content_hash()?,
        sign: match may_not {
            None => decide::part(cx, cx.t("署名する", "Sign"))?,
            Some(_) => String::new(),
        },
        may_not,
        signatures: decisions.iter().flat_map(|decision| decide::shown(cx, decision)).collect(),
        change: &change,
    };
    Ok(with_script(page(cx, &body.change.row.name.clone(), &body)?))
}

/// Why this reader cannot sign the change; empty where there is nothing to sign.
async fn may_not_sign(
    house: &House,
    user: &User,
    change: &Change,
    own: Option<Id>,
) -> Result<Option<&'static str>, StoreError> {
    let cx = &user.cx;
    let account = &user.session.account;
    let waits = matches!(change.standing, Standing::Waiting | Standing::Void | Standing::Own);
    if !waits || change.closed.is_some() {
        return Ok(Some(""));
    }
    let may = web::access::may(account, Action::Decide)
        || decide::delegation::held(&house.store, account).await?;
    Ok(match () {
        () if !may => Some(cx.pick(&t(
            "承認できるのは、決定の権限を持つ役割の人です。",
            "It takes a role that may decide to approve.",
        ))),
        () if own.is_some() && own == change.requester => Some(
            cx.pick(&t("申請した本人は承認できません。", "Who asked for it cannot approve it.")),
        ),
        () => None,
    })
}

/// What somebody signs with, and the hash of what was shown.
#[derive(Deserialize)]
pub(super) struct SignForm {
    pub csrf: String,
    pub hash: String,
    pub outcome: String,
    pub reason: String,
    #[serde(flatten)]
    pub given: Given,
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
    let change = found(&house, &id).await?;
    if let Standing::Unreadable(fault) = &change.standing {
        let (ja, en) = fault.said();
        return Err(Refusal::Bad(cx.either(&ja, &en).to_owned()));
    }
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &["approval"]).await?;
    if let Some(refused) = refused(&house, cx, &standing, change.requester).await? {
        return Err(Refusal::Bad(refused));
    }
    let hours = match change.kind {
        Kind::Emergency => AFTERWARDS_HOURS,
        _ => change.to.hours_since(cx.now).max(0) + HOURS_DAY,
    };
    let ruling = Ruling {
        hash: &form.hash,
        outcome: &form.outcome,
        reason: form.reason.trim(),
        hours,
        kind: "approval",
        notes: Vec::new(),
    };
    let rulings = [(ruling, About::Row(&change.row))];
    let cast = decide::cast(&house, &user, &headers, &standing, &rulings, given).await?;
    if let Cast::Asked(answer) = cast {
        return Ok(answer);
    }
    settle_house(&house).await?;
    Ok(Redirect::to(&format!("/configuration/changes/{}", change.row.id)).into_response())
}

#[derive(Deserialize)]
struct CloseForm {
    csrf: String,
    reason: String,
}

/// Somebody else than who asked says that what was not seen is not needed.
async fn close(
    Axum(house): Axum<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<CloseForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_propose(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let reason = form.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return bad(
            "理由を2000文字以内で入力してください。",
            "Give a reason of at most 2,000 characters.",
        );
    }
    let change = found(&house, &id).await?;
    let own = person(&house.store, &user.session.account.login).await?;
    if own.is_none() || own == change.requester {
        return bad(
            "不要とする判断は、申請者とは別の、名簿に載っている人が行ってください。",
            "Somebody else than who asked, named among the people, decides that.",
        );
    }
    let found = verify::now(&house.store, &change).await?;
    let Some(found) = found.filter(|found| {
        change.closed.is_none()
            && change.standing.is_approved()
            && found.is_complete()
            && found.undecided() == 0
    }) else {
        return bad(
            "まだ完了にできません。時間帯が終わり、各ホストの採取が済み、承認外の差異がすべて決定されてからです。",
            "It cannot be closed yet: the window must be over, each host collected since, and all that was not approved decided.",
        );
    };
    let mut write = user.write(&house, cx.t("変更の完了", "closed a change")).await?;
    write.record(verify::closed_draft(&change, &found, house.store.now(), reason)).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/changes/{}", change.row.id)).into_response())
}

async fn list_api(Axum(house): Axum<Shared>, caller: Caller) -> Response {
    match changes::all(&house.store).await {
        Ok(all) => {
            let told: Vec<Json> = all.iter().take(SHOWN_MAX).map(Change::document).collect();
            let more = all.len().saturating_sub(SHOWN_MAX);
            Document(json!({ "changes": told, "more": more })).into_response()
        }
        Err(error) => Problem::of_store(caller.cx.lang, &error).into_response(),
    }
}

async fn one_api(Axum(house): Axum<Shared>, caller: Caller, Path(id): Path<String>) -> Response {
    let lang = caller.cx.lang;
    let absent = || {
        let what = t("この変更はありません。", "There is no such change.");
        Problem::new(lang, problem::NOT_FOUND, what).into_response()
    };
    let Ok(id) = id.parse::<Id>() else { return absent() };
    let change = match changes::one(&house.store, id).await {
        Ok(Some(change)) => change,
        Ok(None) => return absent(),
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let found = match verify::now(&house.store, &change).await {
        Ok(found) => found,
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let mut told = change.document();
    told["verified"] = found.map_or(Json::Null, |found| found.document());
    Document(told).into_response()
}
