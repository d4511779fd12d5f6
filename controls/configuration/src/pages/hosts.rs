//! `/configuration`: hosts against the eight considerations, and what changed last; `/configuration/host/{id}`: what
//! fails there, where it stands and what mends it, and the differences between its newest snapshots.
//!
//! Invariants: a family that was never checked is unknown and not in order; values are told to whoever may read the
//! register of hosts; what a secret was is in no record, so it is on no page.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json as Document,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use model::{Id, Table, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Record, StoreError};
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::{
    actor,
    drift::{day_after, may_propose},
};
use crate::{
    kinds::{DRIFT_CLASSES, FAMILIES},
    work::{
        handled::{self, Handled},
        reached,
    },
};

const CHECK: &str = "configuration.check_run";
const DRIFT: &str = "configuration.drift";
/// Hosts of the page: eight records each.
const HOSTS_MAX: usize = 20;
const DRIFT_SHOWN: usize = 15;
/// Differences of one host on its page.
const OF_HOST_MAX: usize = 60;
const FAILING_MAX: usize = 20;
const VALUE_CHARS_MAX: usize = 200;
const FRESH_HOURS: i64 = 7 * 24;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let (all, one) = (
        t("八つの考慮事項とホスト", "Hosts and the eight considerations"),
        t("ホストの検査結果と差異", "What a host's checks and differences are"),
    );
    let api = |id: &str, params, refusals| Api {
        tag: "configuration",
        id: id.to_owned(),
        params,
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    let host = Param {
        place: Place::Path,
        name: "id",
        schema: "Id",
        required: true,
        text: t("ホスト", "Host"),
    };
    vec![
        Route::get("/configuration", inspect, all, show),
        Route::get("/configuration/host/{id}", inspect, one, show_host),
        Route::get("/api/v1/configuration/checks", inspect, all, checks_api).api(api(
            "configuration_checks",
            Vec::new(),
            &[],
        )),
        Route::get("/api/v1/configuration/hosts/{id}", inspect, one, host_api).api(api(
            "configuration_host",
            vec![host],
            &[404],
        )),
    ]
}

/// What became of a family of a host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State8 {
    Pass,
    Fail,
    Unknown,
    Old,
}

impl State8 {
    fn of(record: Option<&Record>, now: Timestamp) -> State8 {
        let Some(record) = record else { return State8::Unknown };
        let number = |name: &str| record.facts.get(name).and_then(Json::as_i64).unwrap_or(0);
        let ran = record.facts.get("ran").and_then(Json::as_bool).unwrap_or(false);
        match () {
            () if record.observed_to < now.minus_hours(FRESH_HOURS) => State8::Old,
            () if number("failures") > 0 => State8::Fail,
            () if !ran || number("checks") == 0 => State8::Unknown,
            () => State8::Pass,
        }
    }

    fn class(self) -> &'static str {
        match self {
            State8::Pass => "pass",
            State8::Fail => "fail",
            State8::Unknown => "unknown",
            State8::Old => "stale",
        }
    }

    fn said(self, cx: &Cx) -> &'static str {
        match self {
            State8::Pass => cx.t("適合", "in order"),
            State8::Fail => cx.t("不適合", "fails"),
            State8::Unknown => cx.t("不明", "unknown"),
            State8::Old => cx.t("古い", "old"),
        }
    }
}

struct Cell {
    state: State8,
    failures: i64,
}

struct Row8 {
    id: Id,
    name: String,
    cells: Vec<Cell>,
    at: String,
}

/// A difference as a list shows it.
struct Line {
    record: Id,
    host: Option<(Id, String)>,
    key: String,
    class: String,
    is_bad: bool,
    actor: String,
    before: String,
    after: String,
    origin: String,
    at: String,
}

#[derive(Template)]
#[template(path = "configuration.html")]
struct BoardPage<'a> {
    cx: &'a Cx,
    families: Vec<&'a str>,
    rows: Vec<Row8>,
    failing: usize,
    is_cut: bool,
    /// Hosts that do not answer over SSH: id, name, reason, since.
    silent: Vec<(Id, String, String, String)>,
    drift: Vec<Line>,
}

type ByHost = BTreeMap<Id, BTreeMap<String, Record>>;

/// The newest run of each family of the hosts that were checked last.
async fn newest(house: &Shared) -> Result<(ByHost, bool), StoreError> {
    let most = HOSTS_MAX * FAMILIES.len();
    let records = house.store.newest_records(&[CHECK], None, most).await?;
    let is_cut = records.len() == most;
    let mut hosts = ByHost::new();
    for record in records {
        let Some(host) = record.subject else { continue };
        let family = text(&record, "family").to_owned();
        hosts.entry(host).or_default().entry(family).or_insert(record);
    }
    Ok((hosts, is_cut))
}

fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    record.facts.get(name).and_then(Json::as_str).unwrap_or_default()
}

async fn names(house: &Shared, ids: &[Id]) -> Result<BTreeMap<Id, String>, StoreError> {
    let rows = house.store.rows_by_id(Table::Asset, ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let (hosts, is_cut) = newest(&house).await?;
    let drift = house.store.newest_records(&[DRIFT], None, DRIFT_SHOWN).await?;
    let silent = reached::silent(&house.store).await?;
    let silent = &silent[..silent.len().min(HOSTS_MAX)];
    let ids: Vec<Id> = hosts
        .keys()
        .copied()
        .chain(drift.iter().filter_map(|d| d.subject))
        .chain(silent.iter().map(|(id, ..)| *id))
        .collect();
    let named = names(&house, &ids).await?;
    let row = |(id, of): (&Id, &BTreeMap<String, Record>)| Row8 {
        id: *id,
        name: named.get(id).cloned().unwrap_or_else(|| id.to_string()),
        cells: FAMILIES
            .iter()
            .map(|family| {
                let record = of.get(family.value);
                let failures = record.and_then(|r| r.facts.get("failures")).and_then(Json::as_i64);
                Cell { state: State8::of(record, cx.now), failures: failures.unwrap_or(0) }
            })
            .collect(),
        at: of.values().map(|r| r.observed_to).max().map_or(String::new(), |at| cx.time(&at)),
    };
    let rows: Vec<Row8> = hosts.iter().map(row).collect();
    let is_failing = |row: &&Row8| row.cells.iter().any(|cell| cell.state == State8::Fail);
    let body = BoardPage {
        cx,
        families: FAMILIES.iter().map(|family| cx.pick(&family.label)).collect(),
        failing: rows.iter().filter(is_failing).count(),
        rows,
        is_cut,
        silent: silent
            .iter()
            .filter_map(|(id, why, at)| {
                Some((*id, named.get(id)?.clone(), why.clone(), cx.time(at)))
            })
            .collect(),
        drift: drift
            .iter()
            .map(|record| Line {
                host: record.subject.and_then(|id| Some((id, named.get(&id)?.clone()))),
                ..line(cx, record, &Json::Null, &BTreeMap::new())
            })
            .collect(),
    };
    page(cx, cx.t("構成管理", "Configuration"), &body)
}

/// Names of the people who made these differences, as far as the reader may see them.
async fn people(
    house: &Shared,
    user: &User,
    drift: &[(Record, Json)],
) -> Result<BTreeMap<Id, String>, StoreError> {
    let ids = actor::people(drift.iter().map(|(_, payload)| &payload[0]["verdict"]));
    let within = user.reader().sees_of(Table::Party);
    let mut names = BTreeMap::new();
    for row in house.store.rows_by_id(Table::Party, &ids).await? {
        if house.store.reaches(Table::Party, row.id, &within).await? {
            names.insert(row.id, row.name);
        }
    }
    Ok(names)
}

fn class_said(cx: &Cx, class: &str) -> String {
    let choice = DRIFT_CLASSES.iter().find(|choice| choice.value == class);
    choice.map_or(class.to_owned(), |choice| cx.pick(&choice.label).to_owned())
}

/// A difference with what its payload says of it.
fn line(cx: &Cx, record: &Record, payload: &Json, people: &BTreeMap<Id, String>) -> Line {
    let first = payload.as_array().and_then(|all| all.first()).unwrap_or(&Json::Null);
    let value = |name: &str| {
        let value = &first["delta"][name];
        match baseline::Value::from_json(value) {
            _ if value.is_null() => "–".to_owned(),
            Some(value) => short(&value.shown()),
            None => short(&plain(value)),
        }
    };
    let known = record.facts.get("actor_known").and_then(Json::as_bool).unwrap_or(false);
    let actor = actor::texts(cx, &first["verdict"], people).map(|texts| texts.line());
    let class = text(record, "class");
    Line {
        record: record.id,
        host: None,
        key: text(record, "key").to_owned(),
        class: class_said(cx, class),
        is_bad: class == "unauthorised",
        actor: match (known, actor) {
            (true, Some(actor)) => actor,
            (true, None) => cx.t("分かる", "known").to_owned(),
            (false, _) => cx.t("不明", "unknown").to_owned(),
        },
        before: value("before"),
        after: value("after"),
        origin: plain(&first["delta"]["origin"]),
        at: cx.time(&record.observed_to),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// A check that did not pass.
struct Failed {
    id: String,
    /// Somebody took it up: a task, or an exception.
    taken_up: Option<&'static str>,
    state: &'static str,
    title: String,
    remedy: String,
    reason: String,
    failing: Vec<(String, String, String)>,
    more: usize,
}

struct FamilyShown {
    title: String,
    state: State8,
    checks: i64,
    failed: Vec<Failed>,
}

#[derive(Template)]
#[template(path = "configuration_host.html")]
struct HostPage<'a> {
    cx: &'a Cx,
    id: Id,
    name: String,
    families: Vec<FamilyShown>,
    drift: Vec<Line>,
    is_cut: bool,
    may_propose: bool,
    tomorrow: String,
}

/// The newest records of a host with what they hold: checks by family, differences.
async fn of_host(
    house: &Shared,
    host: Id,
) -> Result<(BTreeMap<String, (Record, Json)>, Vec<(Record, Json)>), StoreError> {
    let checks = house.store.newest_records(&[CHECK], Some(host), FAMILIES.len()).await?;
    let drift = house.store.newest_records(&[DRIFT], Some(host), OF_HOST_MAX).await?;
    let ids: Vec<Id> = checks.iter().chain(&drift).map(|record| record.id).collect();
    let mut payloads = house.store.payloads(&ids).await?;
    let mut with = |record: Record| {
        let payload = payloads.remove(&record.id).unwrap_or_default();
        (record, serde_json::from_slice(&payload).unwrap_or(Json::Null))
    };
    let mut families = BTreeMap::new();
    for record in checks {
        let family = text(&record, "family").to_owned();
        families.entry(family).or_insert_with(|| with(record));
    }
    Ok((families, drift.into_iter().map(with).collect()))
}

async fn show_host(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let row = house.store.rows_by_id(Table::Asset, &[id]).await?.pop().ok_or(Refusal::NotFound)?;
    if row.kind != "host"
        || !house.store.reaches(Table::Asset, id, &user.reader().sees_of(Table::Asset)).await?
    {
        return Err(Refusal::NotFound);
    }
    let (checks, drift) = of_host(&house, id).await?;
    let all = checks.values().flat_map(|(_, payload)| payload.as_array().into_iter().flatten());
    let ids: Vec<&str> = all.filter_map(|result| result["id"].as_str()).collect();
    let taken_up = handled::of(&house.store, id, ids.into_iter()).await?;
    let people = people(&house, &user, &drift).await?;
    let family = |family: &model::Choice| {
        let found = checks.get(family.value);
        let number = found.and_then(|(r, _)| r.facts.get("checks")).and_then(Json::as_i64);
        FamilyShown {
            title: cx.pick(&family.label).to_owned(),
            state: State8::of(found.map(|(record, _)| record), cx.now),
            checks: number.unwrap_or(0),
            failed: found.map(|(_, payload)| failed(cx, payload, &taken_up)).unwrap_or_default(),
        }
    };
    let body = HostPage {
        may_propose: may_propose(&house, user.reader()),
        tomorrow: day_after(cx),
        cx,
        id,
        name: row.name.clone(),
        families: FAMILIES.iter().map(family).collect(),
        is_cut: drift.len() == OF_HOST_MAX,
        drift: drift.iter().map(|(record, payload)| line(cx, record, payload, &people)).collect(),
    };
    page(cx, &row.name, &body)
}

fn failed(cx: &Cx, payload: &Json, taken_up: &Handled) -> Vec<Failed> {
    let both = |value: &Json| {
        let of = |lang: &str| value[lang].as_str().unwrap_or_default().to_owned();
        cx.either(&of("ja"), &of("en")).to_owned()
    };
    let one = |result: &Json| {
        let state = match result["outcome"].as_str()? {
            "fail" => "fail",
            "unknown" => "unknown",
            _ => return None,
        };
        let all = result["failing"].as_array().map_or(&[][..], Vec::as_slice);
        let fact = |failing: &Json| {
            (plain(&failing["key"]), short(&plain(&failing["value"])), plain(&failing["origin"]))
        };
        let id = plain(&result["id"]);
        let taken_up = match () {
            () if taken_up.excepted.contains(&id) => Some(cx.t("例外あり", "excepted")),
            () if taken_up.tasks.contains(&id) => Some(cx.t("課題あり", "task open")),
            () => None,
        };
        Some(Failed {
            id,
            taken_up,
            state,
            title: both(&result["title"]),
            remedy: both(&result["remedy"]),
            reason: plain(&result["reason"]),
            failing: all.iter().take(FAILING_MAX).map(fact).collect(),
            more: all.len().saturating_sub(FAILING_MAX),
        })
    };
    payload.as_array().into_iter().flatten().filter_map(one).collect()
}

async fn checks_api(State(house): State<Shared>, caller: Caller) -> Response {
    let (hosts, is_cut) = match newest(&house).await {
        Ok(found) => found,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let host = |(id, of): (&Id, &BTreeMap<String, Record>)| {
        let family = |(name, record): (&String, &Record)| {
            let state = State8::of(Some(record), caller.cx.now).class();
            let told = json!({
                "state": state, "facts": record.facts, "observed_to": record.observed_to.rfc3339(),
            });
            (name.clone(), told)
        };
        json!({ "host": id.to_string(), "families": of.iter().map(family).collect::<BTreeMap<_, _>>() })
    };
    let hosts: Vec<Json> = hosts.iter().map(host).collect();
    Document(json!({ "hosts": hosts, "is_cut": is_cut })).into_response()
}

async fn host_api(State(house): State<Shared>, caller: Caller, Path(id): Path<String>) -> Response {
    let lang = caller.cx.lang;
    let absent = || {
        let what = t("このホストはありません。", "There is no such host.");
        Problem::new(lang, web::api::problem::NOT_FOUND, what).into_response()
    };
    let Ok(id) = id.parse::<Id>() else { return absent() };
    match house.store.reaches(Table::Asset, id, &caller.reader.sees_of(Table::Asset)).await {
        Ok(true) => {}
        Ok(false) => return absent(),
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    }
    let (checks, drift) = match of_host(&house, id).await {
        Ok(found) => found,
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let checks: BTreeMap<String, Json> = checks
        .into_iter()
        .map(|(family, (record, results))| {
            (family, json!({ "facts": record.facts, "results": results }))
        })
        .collect();
    let drift: Vec<Json> = drift
        .into_iter()
        .map(|(record, what)| {
            json!({
                "record": record.id.to_string(), "observed_to": record.observed_to.rfc3339(),
                "facts": record.facts, "what": what,
            })
        })
        .collect();
    Document(json!({ "host": id.to_string(), "checks": checks, "drift": drift })).into_response()
}
