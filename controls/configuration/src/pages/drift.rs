//! `/configuration/drift`: what differs from what was agreed, under the windows of the changes, and what
//! somebody proposes to do about it.
//!
//! Invariants: differences of hosts that the reader does not see are not shown; a proposal is for who may
//! change design values; it decides nothing before somebody else signed it.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Query, State as Axum},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::StoreError;
use web::{
    House, Shared,
    access::{Action, Reader},
    api::{
        Caller,
        problem::{self, Fault, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::{
    lanes::{Bar, Span},
    words,
};
use crate::work::{
    SNAPSHOT,
    changes::{self, Change, verify},
    drift::{
        self, Drift, Outcome, State,
        days::Clock,
        plan::{self, Proposal, ProposeError},
    },
};

/// Records looked at, rows and lanes shown.
const LOOKED_AT_MAX: usize = 2_000;
const SHOWN_MAX: usize = 100;
const LANES_MAX: usize = 30;
const DAYS_USUAL: i64 = 14;
const DAYS_MAX: i64 = 90;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("構成の差異", "Drift");
    let propose_title = t("差異の扱いの提案", "Propose what becomes of drift");
    let query = |name, schema, ja, en| Param {
        place: Place::Query,
        name,
        schema,
        required: false,
        text: t(ja, en),
    };
    let api = |id: &str, params, request, refusals| Api {
        tag: "configuration",
        id: id.to_owned(),
        params,
        request,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    let filters = vec![
        query("state", "Word", "状態", "State"),
        query("class", "Word", "判定", "Class"),
        query("host", "Id", "ホスト", "Host"),
        query("q", "Word", "項目に含まれる文字", "Text in the setting"),
        query("days", "Word", "何日前までか", "How many days back"),
    ];
    vec![
        Route::get("/configuration/drift", inspect, title, list),
        Route::post("/configuration/drift/propose", write, propose_title, propose_form),
        Route::get("/api/v1/configuration/drift", inspect, title, list_api).api(api(
            "configuration_drift",
            filters,
            None,
            &[400],
        )),
        Route::post("/api/v1/configuration/drift", write, propose_title, propose_api).api(api(
            "configuration_drift_propose",
            Vec::new(),
            Some(("application/json", "Document".to_owned())),
            &[400, 403, 422],
        )),
    ]
}

/// Whether the reader may propose: who may change design values.
pub(super) fn may_propose(house: &House, reader: &Reader) -> bool {
    house.kind(Table::Rule, "baseline").is_some_and(|(_, kind)| reader.may(Action::Write, kind))
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    class: String,
    host: String,
    q: String,
    days: String,
}

impl Asked {
    fn days(&self) -> i64 {
        self.days.parse().unwrap_or(DAYS_USUAL).clamp(1, DAYS_MAX)
    }

    fn wants(&self, drift: &Drift, state: &State) -> bool {
        let of_state = match self.state.as_str() {
            "" | "all" => true,
            "undecided" => state.is_open(),
            named => state.name() == named,
        };
        let host = || drift.host().is_some_and(|host| host.to_string() == self.host);
        let text = || drift.fact("key").to_lowercase().contains(&self.q.trim().to_lowercase());
        of_state
            && (self.class.is_empty() || drift.fact("class") == self.class)
            && (self.host.is_empty() || host())
            && (self.q.trim().is_empty() || text())
    }

    /// The address with another state.
    fn with_state(&self, state: &str) -> String {
        let pairs = [
            ("state", state),
            ("class", &self.class),
            ("host", &self.host),
            ("q", &self.q),
            ("days", &self.days),
        ];
        let there = pairs.iter().filter(|(_, value)| !value.is_empty());
        let parts: Vec<String> =
            there.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("/configuration/drift?{}", parts.join("&"))
    }
}

/// Percent-encoded for an address.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}

/// Everything the list is made of.
struct Looked {
    /// With their states, newest first; of hosts that the reader sees.
    drifts: Vec<(Drift, State)>,
    names: HashMap<Id, String>,
    is_cut: bool,
    from: Timestamp,
}

async fn look(
    house: &House,
    reader: &Reader,
    cx: &Cx,
    asked: &Asked,
) -> Result<Looked, StoreError> {
    let store = &house.store;
    let from = cx.now.minus_hours(24 * asked.days());
    let clock = Clock::at(cx.now, &cx.local.zone);
    let (mut drifts, is_cut) = drift::newest(store, &clock, from, LOOKED_AT_MAX).await?;
    let mut hosts: Vec<Id> = drifts.iter().filter_map(|(drift, _)| drift.host()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let reached = store.reached(Table::Asset, &hosts, &reader.sees_of(Table::Asset)).await?;
    drifts.retain(|(drift, _)| drift.host().is_some_and(|host| reached.contains(&host)));
    let names = drift::host_names(store, &hosts).await?;
    Ok(Looked { drifts, names, is_cut, from })
}

/// A row of the table.
struct Line {
    id: Id,
    at: String,
    host: Option<(Id, String)>,
    key: String,
    class: String,
    is_bad: bool,
    state: State,
    state_said: &'static str,
    colour: &'static str,
    waited: i64,
    change: Option<Id>,
    selects: bool,
}

struct Lane {
    host: Id,
    name: String,
    bars: Vec<Bar>,
    open: usize,
}

#[derive(Template)]
#[template(path = "configuration_drift.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    asked: &'a Asked,
    lines: Vec<Line>,
    more: usize,
    is_cut: bool,
    lanes: Vec<Lane>,
    from: String,
    hosts: Vec<(Id, String)>,
    open: usize,
    late: usize,
    /// Whether any host was ever looked at: without that, silence says nothing.
    looked: bool,
    days: i64,
    may_propose: bool,
    tomorrow: String,
}

const FILTERS: [(&str, &str, &str); 5] = [
    ("undecided", "未決定", "undecided"),
    ("planned", "承認待ち", "waiting for approval"),
    ("reverting", "復元中", "being reverted"),
    ("decided", "決定済み", "decided"),
    ("all", "すべて", "all"),
];

async fn list(Axum(house): Axum<Shared>, user: User, Query(mut asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    if asked.state.is_empty() {
        asked.state = "undecided".to_owned();
    }
    let looked = look(&house, user.reader(), cx, &asked).await?;
    let all = changes::all(&house.store).await?;
    let clock = Clock::at(cx.now, &cx.local.zone);
    let open = looked.drifts.iter().filter(|(_, state)| state.is_open()).count();
    let late =
        looked.drifts.iter().filter(|(_, s)| matches!(s, State::Late | State::Lapsed)).count();
    let wanted: Vec<&(Drift, State)> =
        looked.drifts.iter().filter(|(drift, state)| asked.wants(drift, state)).collect();
    let line = |(drift, state): &&(Drift, State)| Line {
        id: drift.record.id,
        at: cx.time(&drift.record.observed_to),
        host: drift.host().and_then(|id| Some((id, looked.names.get(&id)?.clone()))),
        key: drift.fact("key").to_owned(),
        class: words::class(cx, drift.fact("class")),
        is_bad: drift.is_unauthorised(),
        state_said: cx.pick(&state.text()),
        colour: words::colour(state),
        waited: drift::settle::waited(drift, &clock),
        change: drift.fact("change").parse().ok(),
        selects: state.takes_a_plan(),
        state: state.clone(),
    };
    let mut hosts: Vec<(Id, String)> =
        looked.names.iter().map(|(id, name)| (*id, name.clone())).collect();
    hosts.sort_by(|a, b| a.1.cmp(&b.1));
    let body = ListPage {
        cx,
        lines: wanted.iter().take(SHOWN_MAX).map(line).collect(),
        more: wanted.len().saturating_sub(SHOWN_MAX),
        is_cut: looked.is_cut,
        lanes: lanes(cx, &looked, &all),
        from: cx.time(&looked.from),
        hosts,
        open,
        late,
        looked: !house.store.newest_records(&[SNAPSHOT], None, 1).await?.is_empty(),
        days: asked.days(),
        may_propose: may_propose(&house, user.reader()),
        tomorrow: day_after(cx),
        asked: &asked,
    };
    page(cx, cx.t("構成の差異", "Drift"), &body)
}

/// Tomorrow, as a date field takes it.
pub(super) fn day_after(cx: &Cx) -> String {
    let today: Option<jiff::civil::Date> = cx.today().parse().ok();
    today.and_then(|day| day.tomorrow().ok()).map_or_else(|| cx.today(), |day| day.to_string())
}

fn lanes(cx: &Cx, looked: &Looked, all: &[Change]) -> Vec<Lane> {
    let span = Span { from: looked.from.0, to: cx.now.0 };
    let mut by_host: BTreeMap<Id, Vec<&(Drift, State)>> = BTreeMap::new();
    for pair in &looked.drifts {
        by_host.entry(pair.0.host().unwrap_or(Id::nil())).or_default().push(pair);
    }
    let known: Vec<Id> = by_host.keys().copied().collect();
    let lane = |(host, drifts): (&Id, &Vec<&(Drift, State)>)| {
        let of_host = all.iter().filter(|c| verify::hosts_of(c, &known).contains(host));
        let windows = of_host.filter_map(|change| {
            let (from, to) = change.window()?;
            let class = if change.standing.is_approved() { "band" } else { "band stale" };
            let bar = span.window(from.0, to.0, class)?;
            let href = format!("/configuration/changes/{}", change.row.id);
            Some(Bar { title: change.row.name.clone(), href, ..bar })
        });
        let marks = drifts.iter().filter_map(|(drift, state)| {
            let class = if state.is_open() { "band fail" } else { "mark" };
            let bar = span.mark(drift.record.observed_to.0, class)?;
            let title = format!("{} {}", cx.time(&drift.record.observed_to), drift.fact("key"));
            let href = format!("/configuration/drift/{}", drift.record.id);
            Some(Bar { title, href, ..bar })
        });
        Lane {
            host: *host,
            name: looked.names.get(host).cloned().unwrap_or_default(),
            bars: windows.chain(marks).collect(),
            open: drifts.iter().filter(|(_, state)| state.is_open()).count(),
        }
    };
    let mut lanes: Vec<Lane> = by_host.iter().map(lane).collect();
    lanes.sort_by(|a, b| b.open.cmp(&a.open).then_with(|| a.name.cmp(&b.name)));
    lanes.truncate(LANES_MAX);
    lanes
}

async fn list_api(
    Axum(house): Axum<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Response {
    let fail = |error| Problem::of_store(caller.cx.lang, &error).into_response();
    if !asked.state.is_empty()
        && !["all", "undecided"].contains(&asked.state.as_str())
        && !State::NAMES.contains(&asked.state.as_str())
    {
        let detail = t("状態の名前が違います。", "There is no such state.");
        return Problem::new(caller.cx.lang, problem::BAD_REQUEST, detail).into_response();
    }
    let looked = match look(&house, &caller.reader, &caller.cx, &asked).await {
        Ok(looked) => looked,
        Err(error) => return fail(error),
    };
    let wanted = looked.drifts.into_iter().filter(|(drift, state)| asked.wants(drift, state));
    let wanted: Vec<(Drift, State)> = wanted.collect();
    let more = wanted.len().saturating_sub(SHOWN_MAX);
    let (drifts, states): (Vec<Drift>, Vec<State>) = wanted.into_iter().take(SHOWN_MAX).unzip();
    let records = drifts.into_iter().map(|drift| drift.record).collect();
    let drifts = match drift::with_all(&house.store, records).await {
        Ok(drifts) => drifts,
        Err(error) => return fail(error),
    };
    let told: Vec<Json> = drifts
        .iter()
        .zip(&states)
        .map(|(drift, state)| drift::document(drift, state, plan_of(state)))
        .collect();
    Document(json!({ "drift": told, "more": more, "is_cut": looked.is_cut })).into_response()
}

/// The plan in which a difference waits.
pub(super) fn plan_of(state: &State) -> Option<Id> {
    match state {
        State::Planned(id) | State::Reverting(id) => Some(*id),
        _ => None,
    }
}

/// What a form or a document proposes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    drifts: Vec<String>,
    outcome: String,
    reason: String,
    expires_on: String,
    applies: String,
    change: String,
}

/// Why a wish is not taken.
enum Unheard {
    Field(&'static str, String),
    Forbidden,
    Store(StoreError),
}

impl From<StoreError> for Unheard {
    fn from(error: StoreError) -> Unheard {
        Unheard::Store(error)
    }
}

/// The person behind an account; a plan names who proposed it.
pub(super) async fn person_of(house: &House, cx: &Cx, login: &str) -> Result<Id, String> {
    let found = changes::person(&house.store, login).await.map_err(|error| error.to_string())?;
    found.ok_or_else(|| {
        cx.t(
            "あなたのアカウントを書いた人が名簿にありません。「人」の台帳で、あなたの行の「アカウント」にサインイン名を入力してください。",
            "No person among the people names your account. Enter your sign-in name in the field “account” of your row.",
        )
        .to_owned()
    })
}

async fn heard(
    house: &House,
    (cx, reader, login): (&Cx, &Reader, &str),
    wish: &Wish,
    (actor, way): (&str, &str),
) -> Result<Id, Unheard> {
    if !may_propose(house, reader) {
        return Err(Unheard::Forbidden);
    }
    let field = |name, ja: &str, en: &str| Unheard::Field(name, cx.either(ja, en).to_owned());
    let outcome = Outcome::parse(&wish.outcome).ok_or_else(|| {
        field("outcome", "採用・復元・例外から選んでください。", "Choose adopt, revert or except.")
    })?;
    let ids: Option<Vec<Id>> = wish.drifts.iter().map(|id| id.parse().ok()).collect();
    let ids = ids.filter(|ids| ids.len() <= plan::DRIFTS_MAX).ok_or_else(|| {
        field(
            "drifts",
            "差異の番号を200件以内で指定してください。",
            "Name at most 200 records of drift.",
        )
    })?;
    let proposer =
        person_of(house, cx, login).await.map_err(|said| Unheard::Field("proposer", said))?;
    let drifts = drift::by_ids(&house.store, &ids).await?;
    let hosts: Vec<Id> = drifts.iter().filter_map(Drift::host).collect();
    let seen = house.store.reached(Table::Asset, &hosts, &reader.sees_of(Table::Asset)).await?;
    if drifts.len() != ids.len() || !hosts.iter().all(|host| seen.contains(host)) {
        return Err(field(
            "drifts",
            "ない番号が含まれています。",
            "One of them is no record of drift.",
        ));
    }
    let plans = plan::all(&house.store).await?;
    let states = drift::states(&drifts, &plans, &Clock::at(cx.now, &cx.local.zone));
    let proposal = Proposal {
        outcome,
        drifts: &drifts,
        check: None,
        reason: &wish.reason,
        proposer,
        expires_on: &wish.expires_on,
        everywhere: wish.applies == "everywhere",
        change: wish.change.trim(),
    };
    let said = cx.t("差異の扱いの提案", "proposed what becomes of drift");
    let write = house.store.write(actor, said, way).await?;
    let mut write = write.bounded(reader.bounds(house.specs()));
    let row = plan::propose(&house.store, &mut write, &proposal, &states).await;
    let row = row.map_err(|error| match error {
        ProposeError::Store(error) => Unheard::Store(error),
        other => {
            let (ja, en) = other.said();
            field(other.field(), &ja, &en)
        }
    })?;
    write.commit().await?;
    house.wake();
    Ok(row.id)
}

async fn propose_form(
    Axum(house): Axum<Shared>,
    user: User,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Answer {
    let get = |name: &str| {
        pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
    };
    user.form(&get("csrf"), Action::Write)?;
    let wish = Wish {
        drifts: pairs.iter().filter(|(n, _)| n == "drift").map(|(_, v)| v.clone()).collect(),
        outcome: get("outcome"),
        reason: get("reason"),
        expires_on: get("expires_on"),
        applies: get("applies"),
        change: get("change"),
    };
    let who = (&user.cx, user.reader(), user.session.account.login.as_str());
    match heard(&house, who, &wish, (&user.actor(), "web")).await {
        Ok(id) => Ok(Redirect::to(&format!("/configuration/plan/{id}")).into_response()),
        Err(Unheard::Forbidden) => Err(Refusal::Forbidden),
        Err(Unheard::Field(_, said)) => Err(Refusal::Bad(said)),
        Err(Unheard::Store(error)) => Err(error.into()),
    }
}

async fn propose_api(
    Axum(house): Axum<Shared>,
    caller: Caller,
    Document(wish): Document<Wish>,
) -> Response {
    let lang = caller.cx.lang;
    let who = (&caller.cx, &caller.reader, caller.account.login.as_str());
    match heard(&house, who, &wish, (&caller.actor(), "api")).await {
        Ok(id) => Document(json!({ "plan": id })).into_response(),
        Err(Unheard::Forbidden) => {
            let detail = t(
                "差異の扱いの提案には、設計値を変更できる役割が必要です。",
                "To propose what becomes of drift takes a role that may change design values.",
            );
            Problem::new(lang, problem::FORBIDDEN, detail).into_response()
        }
        Err(Unheard::Field(field, detail)) => {
            let pointer = format!("/{field}");
            Problem::invalid(lang, vec![Fault { pointer, detail }]).into_response()
        }
        Err(Unheard::Store(error)) => Problem::of_store(lang, &error).into_response(),
    }
}

/// One difference with everything about it, if the reader sees its host.
pub(super) async fn one(
    house: &House,
    reader: &Reader,
    id: &str,
) -> Result<Option<Drift>, StoreError> {
    let Ok(id) = id.parse::<Id>() else { return Ok(None) };
    let Some(drift) = drift::by_ids(&house.store, &[id]).await?.pop() else { return Ok(None) };
    let Some(host) = drift.host() else { return Ok(None) };
    let sees = house.store.reaches(Table::Asset, host, &reader.sees_of(Table::Asset)).await?;
    Ok(sees.then_some(drift))
}
