//! `/configuration/addresses`: each subnet of the register with what is in use, given to nobody, in conflict or idle.
//!
//! Invariant: what was seen is of the newest record; single addresses are told to whoever may read the register of
//! addresses, others see counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use model::{Id, Table, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Record, StoreError};
use web::{
    House, Shared,
    access::{Action, Reader},
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use crate::work::addresses::{Plan, RECORD, plans};

/// A larger range is not drawn address by address.
const DRAWN_MAX: u128 = 1_024;
const COLUMNS: usize = 32;
/// From one square to the next.
const STEP: usize = 16;
/// Rows of each list on the page; the document has all of the record.
const LISTED_MAX: usize = 50;
const FRESH_HOURS: i64 = 24;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("IPアドレスの突合", "Addresses in use");
    let api = Api {
        tag: "configuration",
        id: "configuration_addresses".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/configuration/addresses", inspect, title, show),
        Route::get("/api/v1/configuration/addresses", inspect, title, document).api(api),
    ]
}

/// A square of the grid.
struct Cell {
    x: usize,
    y: usize,
    state: &'static str,
    said: String,
}

/// A line of a list: address, what it is about, when.
struct Line {
    address: String,
    what: String,
    last: String,
}

/// A subnet as the page shows it.
struct Shown {
    id: Id,
    name: String,
    range: String,
    is_leased: bool,
    at: Option<String>,
    is_stale: bool,
    observed: i64,
    allocated: i64,
    conflicts_open: i64,
    idle: i64,
    cells: Vec<Cell>,
    height: usize,
    unallocated: Vec<Line>,
    conflicts: Vec<Line>,
    more: usize,
}

impl Shown {
    fn is_good(&self) -> bool {
        self.observed <= self.allocated && self.conflicts_open == 0
    }
}

#[derive(Template)]
#[template(path = "addresses.html")]
struct AddressesPage<'a> {
    cx: &'a Cx,
    subnets: Vec<Shown>,
    wrong: Vec<String>,
    good: usize,
    bad: usize,
    sees: bool,
    columns: usize,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let sees = may_see(&house, user.reader());
    let (plans, told, wrong) = all(&house).await?;
    let shown = |plan: &Plan| {
        let newest = told.get(&plan.id);
        shown(cx, plan, newest.map(|(record, payload)| (record, payload)), sees)
    };
    let subnets: Vec<Shown> = plans.iter().map(shown).collect();
    let fresh = |s: &&Shown| s.at.is_some() && !s.is_stale;
    let body = AddressesPage {
        cx,
        good: subnets.iter().filter(fresh).filter(|s| s.is_good()).count(),
        bad: subnets.iter().filter(fresh).filter(|s| !s.is_good()).count(),
        subnets,
        wrong,
        sees,
        columns: COLUMNS * STEP,
    };
    page(cx, cx.t("IPアドレスの突合", "Addresses in use"), &body)
}

/// Whoever may read the register of addresses may read which are in use.
fn may_see(house: &House, reader: &Reader) -> bool {
    house.kind(Table::Asset, "address").is_some_and(|(_, kind)| reader.may(Action::Read, kind))
}

type Told = BTreeMap<Id, (Record, Json)>;

async fn all(house: &Shared) -> Result<(Vec<Plan>, Told, Vec<String>), StoreError> {
    let (plans, wrong) = plans(&house.store).await?;
    let records = house.store.latest_per_subject(&[RECORD]).await?;
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let mut payloads = house.store.payloads(&ids).await?;
    let mut told = Told::new();
    for record in records {
        let payload = payloads.remove(&record.id).unwrap_or_default();
        let payload = serde_json::from_slice(&payload).unwrap_or(Json::Null);
        if let Some(subnet) = record.subject {
            told.insert(subnet, (record, payload));
        }
    }
    Ok((plans, told, wrong))
}

fn list<'j>(payload: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> {
    payload.get(name).and_then(Json::as_array).into_iter().flatten()
}

fn part<'j>(entry: &'j Json, name: &str) -> &'j str {
    entry.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn texts(entry: &Json, name: &str) -> String {
    list(entry, name).filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
}

fn shown(cx: &Cx, plan: &Plan, newest: Option<(&Record, &Json)>, sees: bool) -> Shown {
    let number = |name: &str| {
        newest.and_then(|(record, _)| record.facts.get(name)).and_then(Json::as_i64).unwrap_or(0)
    };
    let payload = newest.map_or(&Json::Null, |(_, payload)| payload);
    let time = |text: &str| Timestamp::parse(text).map_or(String::new(), |at| cx.time(&at));
    let unallocated = list(payload, "unallocated").map(|entry| Line {
        address: part(entry, "address").to_owned(),
        what: [part(entry, "name").to_owned(), texts(entry, "macs")]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        last: time(part(entry, "last")),
    });
    let conflicts = list(payload, "conflicts").map(|entry| Line {
        address: part(entry, "address").to_owned(),
        what: conflict(cx, entry),
        last: String::new(),
    });
    let (unallocated, conflicts): (Vec<Line>, Vec<Line>) =
        (unallocated.collect(), conflicts.collect());
    let more =
        unallocated.len().saturating_sub(LISTED_MAX) + conflicts.len().saturating_sub(LISTED_MAX);
    let cells = if sees { cells(cx, plan, payload) } else { Vec::new() };
    Shown {
        id: plan.id,
        name: plan.name.clone(),
        range: plan.subnet.range.to_string(),
        is_leased: plan.subnet.is_leased,
        at: newest.map(|(record, _)| cx.time(&record.observed_to)),
        is_stale: newest.is_some_and(|(r, _)| r.observed_to < cx.now.minus_hours(FRESH_HOURS)),
        observed: number("observed"),
        allocated: number("allocated"),
        conflicts_open: number("conflicts_undecided"),
        idle: number("idle"),
        height: cells.len().div_ceil(COLUMNS) * STEP,
        cells,
        unallocated: unallocated.into_iter().take(LISTED_MAX).collect(),
        conflicts: conflicts.into_iter().take(LISTED_MAX).collect(),
        more,
    }
}

fn conflict(cx: &Cx, entry: &Json) -> String {
    match part(entry, "kind") {
        "duplicate" => format!(
            "{} {}",
            cx.t("同時に複数の機器が使用：", "Used by several devices at once:"),
            texts(entry, "macs")
        ),
        "other" => format!(
            "{} {} ({} {})",
            cx.t("台帳と別の機器が使用：", "Used by another device than the register says:"),
            part(entry, "seen"),
            cx.t("台帳では", "register:"),
            part(entry, "allocated")
        ),
        _ => format!(
            "{} {}",
            cx.t("台帳で二重に割当：", "Given out twice in the register:"),
            texts(entry, "rows")
        ),
    }
}

/// A square per address of a small range.
fn cells(cx: &Cx, plan: &Plan, payload: &Json) -> Vec<Cell> {
    let IpNet::V4(range) = plan.subnet.range else { return Vec::new() };
    if 1u128 << (32 - range.prefix_len()) > DRAWN_MAX {
        return Vec::new();
    }
    let of = |name: &str| -> BTreeSet<IpAddr> {
        list(payload, name).filter_map(|entry| part(entry, "address").parse().ok()).collect()
    };
    let (seen, unallocated, conflicts, idle) =
        (of("seen"), of("unallocated"), of("conflicts"), of("idle"));
    let given: BTreeSet<IpAddr> =
        plan.rows.iter().filter(|row| row.is_allocated).map(|row| row.address).collect();
    let every = u32::from(range.network())..=u32::from(range.broadcast());
    let cell = |(place, address): (usize, u32)| {
        let address = IpAddr::from(std::net::Ipv4Addr::from(address));
        let (state, said) = match () {
            () if conflicts.contains(&address) => ("conflict", cx.t("競合", "conflict")),
            () if unallocated.contains(&address) => {
                ("stray", cx.t("未割当で使用中", "in use, given to nobody"))
            }
            () if seen.contains(&address) => ("used", cx.t("割当済みで使用中", "in use")),
            () if idle.contains(&address) || given.contains(&address) => {
                ("idle", cx.t("割当済みで未使用", "given out, not seen"))
            }
            () => ("free", cx.t("空き", "free")),
        };
        Cell {
            x: place % COLUMNS * STEP,
            y: place / COLUMNS * STEP,
            state,
            said: format!("{address} {said}"),
        }
    };
    every.enumerate().map(cell).collect()
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    let sees = may_see(&house, &caller.reader);
    let (plans, told, wrong) = match all(&house).await {
        Ok(all) => all,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let one = |plan: &Plan| {
        let newest = told.get(&plan.id);
        let mut one = json!({
            "id": plan.id.to_string(), "name": plan.name, "range": plan.subnet.range.to_string(),
            "observed_to": newest.map(|(record, _)| record.observed_to.rfc3339()),
            "facts": newest.map(|(record, _)| &record.facts),
        });
        if let Some((_, payload)) = newest.filter(|_| sees) {
            for name in ["unallocated", "conflicts", "idle"] {
                one[name] = payload.get(name).cloned().unwrap_or_default();
            }
        }
        one
    };
    let subnets: Vec<Json> = plans.iter().map(one).collect();
    Document(json!({ "subnets": subnets, "unreadable": wrong })).into_response()
}
