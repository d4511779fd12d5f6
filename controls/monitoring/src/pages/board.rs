//! `/monitoring`: how it stands now, on one page: what is wrong, what is silent, what is being learnt, what runs out, and
//! whether everything that came was stored and evaluated.
//!
//! Invariants: a state is the worst of what is known, and what nobody knows is unknown, never good; every number leads to
//! the page that explains it; no more than seven statements.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use model::{Id, Table, Text, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{RecordFilter, Row, StoreError};
use web::{
    House, Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use super::{
    in_force::InForce,
    series::{Fares, Outlook, Standing, outlooks, standing},
};
use crate::{
    findings::{Alert, Due, FINDING, with_judgements},
    measured::{Measured, quantile},
    work::{live::Live, logs::Logs, series::bare},
};

/// Findings that are looked at; what waits beyond them is old.
const FINDINGS_MAX: usize = 1_000;
/// What runs out within so many days is told at the top.
const SOON_DAYS: i64 = 30;
const HOSTS_SHOWN: usize = 100;
const SOURCES_SHOWN: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("監視の状態", "Status of monitoring");
    let api = Route::get("/api/v1/monitoring/board", inspect, title, api).api(Api {
        tag: "monitoring",
        id: "monitoring_board".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    });
    vec![Route::get("/monitoring", inspect, title, show), api]
}

/// How something stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Light {
    Bad,
    Warn,
    Learning,
    Unknown,
    Good,
}

impl Light {
    fn class(self) -> &'static str {
        match self {
            Light::Bad => "fail",
            Light::Warn => "stale",
            Light::Learning | Light::Unknown => "unknown",
            Light::Good => "pass",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Light::Bad => "red",
            Light::Warn => "amber",
            Light::Learning => "learning",
            Light::Unknown => "unknown",
            Light::Good => "green",
        }
    }

    fn text(self) -> Text {
        match self {
            Light::Bad => t("異常", "wrong"),
            Light::Warn => t("要確認", "to be looked at"),
            Light::Learning => t("学習中", "learning"),
            Light::Unknown => t("不明", "unknown"),
            Light::Good => t("正常", "good"),
        }
    }
}

/// What one host, or what names none, is known by.
#[derive(Clone, Debug, Default)]
struct Host {
    silent: usize,
    sources: usize,
    /// Series: open, learning, steady.
    series: [usize; 3],
    /// Findings that wait, of them grave.
    waiting: [usize; 2],
}

impl Host {
    fn waits(&self) -> bool {
        self.waiting[0] > 0
    }

    fn all_series(&self) -> usize {
        self.series.iter().sum()
    }

    fn state(&self) -> Light {
        if self.silent > 0 || self.waiting[1] > 0 {
            Light::Bad
        } else if self.waiting[0] > 0 || self.series[0] > 0 {
            Light::Warn
        } else if self.sources == 0 && self.series == [0; 3] {
            Light::Unknown
        } else if self.series[2] == 0 && self.series[1] > 0 {
            Light::Learning
        } else {
            Light::Good
        }
    }
}

/// What became of the events of a source.
#[derive(Clone, Debug, Default)]
struct Flow {
    name: String,
    received: u64,
    stored: u64,
    refused: u64,
    lost: u64,
    evaluated: u64,
    before: u64,
}

impl Flow {
    fn pending(&self) -> u64 {
        self.stored.saturating_sub(self.evaluated).saturating_sub(self.before)
    }

    /// Ten-thousandths of what was received, at least one of what is there.
    fn width(&self, count: &u64) -> u64 {
        match *count {
            0 => 0,
            count => (count * 1_000 / self.received.max(1)).clamp(2, 1_000),
        }
    }
}

/// A number at the top, and where it is explained.
struct Tile {
    state: Light,
    title: &'static str,
    value: String,
    said: String,
    href: &'static str,
}

/// Everything on the page.
struct Board {
    hosts: Vec<(String, Host)>,
    flows: Vec<Flow>,
    outlooks: Vec<Outlook>,
    /// Findings that wait, of them grave, and overdue.
    waiting: [usize; 3],
    silent: usize,
    sources: usize,
    series: [usize; 3],
    incidents: usize,
    /// Medians in seconds: detected, acknowledged, resolved.
    times: [Option<i64>; 3],
    is_begun: bool,
    /// The set of indicators in force.
    set: Option<InForce>,
}

impl Board {
    async fn load(house: &House, now: Timestamp) -> Result<Board, StoreError> {
        let store = &house.store;
        let filter = RecordFilter {
            ty: Some(FINDING.to_owned()),
            limit: FINDINGS_MAX,
            ..RecordFilter::default()
        };
        let alerts = with_judgements(store, store.list_records(&filter).await?).await?;
        let waiting: Vec<Alert> = alerts.into_iter().filter(|a| a.judged.is_none()).collect();
        let due = Due::load(store).await?;
        let is_late = |a: &&Alert| a.waited_min(now) > due.within_min(a.fact("severity"));
        let named: Vec<Id> = waiting.iter().filter_map(|alert| alert.record.subject).collect();
        let named = store.rows_by_id(Table::Asset, &named).await?;
        let measured = Measured::load(store, now).await?;
        let learnt = house.kept.get::<Logs>().shown();
        let heard: Vec<_> = learnt.sources.iter().filter(|line| line.row.is_none()).collect();
        let (all, _) = standing(house);
        let count = |fares: Fares| all.iter().filter(|one| one.state == fares).count();
        Ok(Board {
            waiting: [
                waiting.len(),
                waiting.iter().filter(|a| is_grave(a)).count(),
                waiting.iter().filter(is_late).count(),
            ],
            silent: learnt.sources.iter().filter(|line| line.silent.is_some()).count(),
            sources: heard.len(),
            series: Fares::ALL.map(count),
            incidents: measured.open.len(),
            times: [
                quantile(&measured.detected(), 500),
                quantile(&measured.acknowledged, 500).map(|minutes| minutes * 60),
                quantile(&measured.resolved, 500).map(|hours| hours * 3_600),
            ],
            hosts: hosts(&learnt.sources, &all, &waiting, &named),
            flows: flows(house),
            outlooks: outlooks(store).await?,
            is_begun: learnt.at.is_some(),
            set: InForce::of(house),
        })
    }

    fn state(&self) -> Light {
        let first = self.outlooks.first().map_or(i64::MAX, |outlook| outlook.days);
        if self.silent > 0 || self.waiting[1] > 0 || self.waiting[2] > 0 || self.incidents > 0 {
            Light::Bad
        } else if self.waiting[0] > 0 || self.series[0] > 0 || first <= SOON_DAYS {
            Light::Warn
        } else if !self.is_begun || self.flows.is_empty() {
            Light::Unknown
        } else if self.series[1] > 0 && self.series[2] == 0 {
            Light::Learning
        } else {
            Light::Good
        }
    }
}

fn is_grave(alert: &Alert) -> bool {
    ["high", "critical"].contains(&alert.fact("severity"))
}

/// Hosts by name, the worst first.
fn hosts(
    sources: &[crate::work::logs::sources::Line],
    series: &[Standing],
    waiting: &[Alert],
    named: &[Row],
) -> Vec<(String, Host)> {
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    for line in sources.iter().filter(|line| line.row.is_none()) {
        let host = hosts.entry(line.host.clone()).or_default();
        host.sources += 1;
        host.silent += usize::from(line.silent.is_some());
    }
    for one in series {
        let host = hosts.entry(bare(&one.about.host).to_owned()).or_default();
        let at = Fares::ALL.iter().position(|fares| *fares == one.state).unwrap_or(0);
        host.series[at] += 1;
    }
    for alert in waiting {
        let row = named.iter().find(|row| Some(row.id) == alert.record.subject);
        let host = row.map_or_else(|| alert.fact("host").to_owned(), |row| row.name.clone());
        let host = hosts.entry(host).or_default();
        host.waiting[0] += 1;
        host.waiting[1] += usize::from(is_grave(alert));
    }
    let mut hosts: Vec<(String, Host)> = hosts.into_iter().collect();
    hosts.sort_by_key(|(_, host)| (host.state(), std::cmp::Reverse(host.waiting[0])));
    hosts
}

fn flows(house: &House) -> Vec<Flow> {
    let shown = house.kept.get::<Live>().shown();
    let Ok(intake) = house.intake.read() else { return Vec::new() };
    let number = |value: &Json, name: &str| value[name].as_u64().unwrap_or(0);
    let sum = |value: &Json, name: &str| {
        let map = value[name].as_object();
        map.map_or(0, |map| map.values().filter_map(Json::as_u64).sum())
    };
    let all = intake.as_object().into_iter().flatten();
    let flow = |(name, counted): (&String, &Json)| Flow {
        name: name.clone(),
        received: number(counted, "received"),
        stored: number(counted, "stored"),
        refused: sum(counted, "refused"),
        lost: sum(counted, "lost"),
        evaluated: shown.progress.evaluated.get(name).copied().unwrap_or(0),
        before: shown.progress.before.get(name).copied().unwrap_or(0),
    };
    let mut flows: Vec<Flow> = all.map(flow).collect();
    flows.sort_by_key(|flow| (flow.lost + flow.refused == 0, std::cmp::Reverse(flow.received)));
    flows
}

#[derive(Template)]
#[template(path = "board.html")]
struct BoardPage<'a> {
    cx: &'a Cx,
    tiles: Vec<Tile>,
    board: Board,
}

impl BoardPage<'_> {
    fn tiles(cx: &Cx, board: &Board) -> Vec<Tile> {
        let [waiting, grave, late] = board.waiting;
        let findings = match (waiting, grave + late) {
            (0, _) => Light::Good,
            (_, 0) => Light::Warn,
            _ => Light::Bad,
        };
        let sources = match (board.is_begun, board.silent, board.sources) {
            (false, ..) | (_, 0, 0) => Light::Unknown,
            (_, 0, _) => Light::Good,
            _ => Light::Bad,
        };
        let [open, learning, steady] = board.series;
        let series = match (open, learning, steady) {
            (0, 0, 0) => Light::Unknown,
            (0, _, 0) => Light::Learning,
            (0, ..) => Light::Good,
            _ => Light::Warn,
        };
        let pending: u64 = board.flows.iter().map(Flow::pending).sum();
        let gone: u64 = board.flows.iter().map(|flow| flow.lost + flow.refused).sum();
        let events = match (board.flows.is_empty(), gone) {
            (true, _) => Light::Unknown,
            (_, 0) => Light::Good,
            _ => Light::Warn,
        };
        let incidents = if board.incidents == 0 { Light::Good } else { Light::Bad };
        let outlook = board.outlooks.first();
        let runs_out = match outlook {
            None => Light::Unknown,
            Some(outlook) if outlook.days <= SOON_DAYS => Light::Warn,
            Some(_) => Light::Good,
        };
        let said = |parts: &[(&str, &str, u64)]| {
            let parts = parts.iter().filter(|(.., count)| *count > 0);
            let parts = parts.map(|(ja, en, count)| format!("{} {count}", cx.t(ja, en)));
            parts.collect::<Vec<_>>().join(" · ")
        };
        let n = |count: usize| count as u64;
        vec![
            Tile {
                state: findings,
                title: cx.t("判断を待つ検知", "Findings that wait"),
                value: waiting.to_string(),
                said: said(&[
                    ("重大・高", "critical or high", n(grave)),
                    ("期限切れ", "overdue", n(late)),
                ]),
                href: "/findings",
            },
            Tile {
                state: incidents,
                title: cx.t("未解決のインシデント", "Open incidents"),
                value: board.incidents.to_string(),
                said: String::new(),
                href: "/monitoring/measured",
            },
            Tile {
                state: sources,
                title: cx.t("途絶えた発生源", "Silent sources"),
                value: board.silent.to_string(),
                said: said(&[("発生源", "of", n(board.sources))]),
                href: "/monitoring/sources",
            },
            Tile {
                state: series,
                title: cx.t("平常から外れた系列", "Series off normal"),
                value: open.to_string(),
                said: said(&[("定常", "steady", n(steady)), ("学習中", "learning", n(learning))]),
                href: "/monitoring/series",
            },
            Tile {
                state: events,
                title: cx.t("失われた・拒んだイベント", "Events lost or refused"),
                value: gone.to_string(),
                said: said(&[("評価待ち", "not evaluated yet", pending)]),
                href: "#flow",
            },
            Tile {
                state: runs_out,
                title: cx.t("最初に枯渇するまで", "First to run out"),
                value: outlook.map_or("–".to_owned(), |outlook| {
                    format!("{} {}", outlook.days, cx.unit("d"))
                }),
                said: outlook.map_or(String::new(), |outlook| outlook.resource.clone()),
                href: "#outlook",
            },
        ]
    }

    fn time(&self, at: usize) -> String {
        super::measured_s(self.cx, self.board.times[at])
    }

    fn hosts(&self) -> &[(String, Host)] {
        &self.board.hosts[..self.board.hosts.len().min(HOSTS_SHOWN)]
    }

    fn flows(&self) -> &[Flow] {
        &self.board.flows[..self.board.flows.len().min(SOURCES_SHOWN)]
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let board = Board::load(&house, cx.now).await?;
    let body = BoardPage { cx, tiles: BoardPage::tiles(cx, &board), board };
    page(cx, cx.t("監視の状態", "Status of monitoring"), &body)
}

async fn api(State(house): State<Shared>, caller: Caller) -> Response {
    let board = match Board::load(&house, house.store.now()).await {
        Ok(board) => board,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let host = |(name, host): &(String, Host)| {
        json!({
            "host": name, "state": host.state().name(), "sources": host.sources, "silent": host.silent,
            "series": { "open": host.series[0], "learning": host.series[1], "steady": host.series[2] },
            "findings": { "waiting": host.waiting[0], "grave": host.waiting[1] },
        })
    };
    let flow = |flow: &Flow| {
        json!({
            "source": flow.name, "received": flow.received, "stored": flow.stored, "refused": flow.refused,
            "lost": flow.lost, "evaluated": flow.evaluated, "before_rules": flow.before, "pending": flow.pending(),
        })
    };
    let [waiting, grave, overdue] = board.waiting;
    let [detect, acknowledge, resolve] = board.times;
    Document(json!({
        "state": board.state().name(),
        "findings": { "waiting": waiting, "grave": grave, "overdue": overdue },
        "incidents_open": board.incidents,
        "sources": { "known": board.sources, "silent": board.silent },
        "series": { "open": board.series[0], "learning": board.series[1], "steady": board.series[2] },
        "mttd_s": detect, "mtta_s": acknowledge, "mttr_s": resolve,
        "hosts": board.hosts.iter().map(host).collect::<Vec<_>>(),
        "flow": board.flows.iter().map(flow).collect::<Vec<_>>(),
        "indicators": board.set.as_ref().map(InForce::document),
        "forecasts": board.outlooks.iter().map(Outlook::told).collect::<Vec<_>>(),
    }))
    .into_response()
}
