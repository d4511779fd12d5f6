//! `/monitoring/series`: what is measured, whether it is as usual, and how it was and may become.
//!
//! Invariants: what series learnt is looked at under a lock of a moment, files are read beside the async tasks; every
//! picture has its table.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use askama::Template;
use axum::{
    Json as Document,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use steady::{Forecast, Limit, LoadProfile, Normal};
use store::RecordFilter;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::chart::{Frame, number};
use crate::{
    findings::{Alert, FINDING, with_judgements},
    work::series::{
        About, Ahead, Row, Shape, Steady, ahead, bare, folder, limit, limit_set, lock, profile,
        rates, read, read_many,
        site::{JAPAN, SERIES_MAX},
    },
};

const SHOWN_MAX: usize = 50;
/// Series that a document of the API has at most.
const TOLD_MAX: usize = 1_000;
const FINDINGS_MAX: usize = 1_000;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A Monday, 00:00 in Japan, of a week without holidays.
const A_WEEK: i64 = 1_775_401_200_000_000;
/// Shades of the heat map.
const SHADES: f64 = 8.0;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let query = |name, schema, ja, en| Param {
        place: Place::Query,
        name,
        schema,
        required: false,
        text: t(ja, en),
    };
    let document = |id: &str, params| Api {
        tag: "monitoring",
        id: id.to_owned(),
        params,
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let title = t("計測値の系列", "Series");
    let forecasts = t("枯渇予測", "Forecasts");
    let words = query("q", "String", "名前・ホストに含まれる語", "Words of name or host");
    let after = query("after", "String", "このIDより後の系列", "Series after this id");
    vec![
        Route::get("/monitoring/series", inspect, title, list),
        Route::get("/monitoring/series/{id}", inspect, t("系列の詳細", "A series"), one),
        Route::get("/api/v1/monitoring/series", inspect, title, api)
            .api(document("monitoring_series", vec![words, after])),
        Route::get("/api/v1/monitoring/forecasts", inspect, forecasts, api_forecasts)
            .api(document("monitoring_forecasts", Vec::new())),
    ]
}

/// How a series fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fares {
    Open,
    Learning,
    Steady,
}

impl Fares {
    const ALL: [Fares; 3] = [Fares::Open, Fares::Learning, Fares::Steady];

    fn name(self) -> &'static str {
        match self {
            Fares::Open => "open",
            Fares::Learning => "learning",
            Fares::Steady => "steady",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Fares::Open => "fail",
            Fares::Learning => "unknown",
            Fares::Steady => "pass",
        }
    }

    fn text(self) -> model::Text {
        match self {
            Fares::Open => t("異常が続いている", "open anomaly"),
            Fares::Learning => t("学習中", "learning"),
            Fares::Steady => t("定常", "steady"),
        }
    }
}

/// A series as it stands.
#[derive(Clone)]
struct Standing {
    about: Arc<About>,
    state: Fares,
    open_since: Option<i64>,
    first: i64,
    last: Timestamp,
    value: f64,
    points: u64,
    hours_learnt: u16,
    refused: steady::Refused,
}

impl Standing {
    fn id(&self) -> String {
        format!("{:016x}", self.about.id)
    }

    fn value_text(&self) -> String {
        number(self.value)
    }

    fn host(&self) -> &str {
        bare(&self.about.host)
    }
}

/// All series, those with an open anomaly first, then by host and name; and how many points found no room.
fn standing(house: &web::House) -> (Vec<Standing>, u64) {
    let Some(site) = house.kept.get::<Steady>().site() else { return (Vec::new(), 0) };
    let site = lock(&site);
    let one = |tracked: &crate::work::series::site::Tracked| {
        let open_since = tracked.series.open_since();
        let state = match (open_since, tracked.series.is_warm()) {
            (Some(_), _) => Fares::Open,
            (None, false) => Fares::Learning,
            (None, true) => Fares::Steady,
        };
        Standing {
            about: tracked.about.clone(),
            state,
            open_since,
            first: tracked.first,
            last: Timestamp(tracked.last),
            value: tracked.value,
            points: tracked.points,
            hours_learnt: tracked.series.hours_learnt(),
            refused: tracked.series.refused(),
        }
    };
    let mut all: Vec<Standing> = site.known.values().map(one).collect();
    all.sort_by_cached_key(|one| {
        let about = &one.about;
        let names = (about.host.clone(), about.name.clone(), about.labels.clone());
        (one.state != Fares::Open, names)
    });
    (all, site.no_room)
}

fn matches(standing: &Standing, words: &str) -> bool {
    let text =
        format!("{} {} {}", standing.about.host, standing.about.title(), standing.about.source);
    let text = text.to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    page: usize,
}

struct Line {
    standing: Standing,
    spark: String,
}

#[derive(Template)]
#[template(path = "series.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    q: &'a str,
    state: &'a str,
    lines: Vec<Line>,
    /// Open, learning, steady.
    counts: [usize; 3],
    no_room: u64,
    next: Option<usize>,
}

impl ListPage<'_> {
    fn all(&self) -> usize {
        self.counts.iter().sum()
    }

    fn open(&self) -> usize {
        self.counts[0]
    }

    fn is_state(&self, name: &str) -> bool {
        self.state == name
    }

    fn query(&self) -> String {
        urlencoding::encode(self.q).into_owned()
    }
}

async fn list(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let (all, no_room) = standing(&house);
    let count = |state: Fares| all.iter().filter(|one| one.state == state).count();
    let counts = Fares::ALL.map(count);
    let wanted = |one: &&Standing| {
        matches(one, &asked.q) && (asked.state.is_empty() || asked.state == one.state.name())
    };
    let found: Vec<Standing> = all.iter().filter(wanted).cloned().collect();
    let begin = asked.page.saturating_mul(SHOWN_MAX);
    let next = (found.len() > begin.saturating_add(SHOWN_MAX)).then_some(asked.page + 1);
    let shown: Vec<Standing> = found.into_iter().skip(begin).take(SHOWN_MAX).collect();
    let ids: BTreeSet<u64> = shown.iter().map(|one| one.about.id).collect();
    let (place, now) = (folder(&house), cx.now);
    let from = Timestamp(now.0 - DAY);
    let rows = blocking(move || read_many(&place, &ids, from, now, HOUR / 2)).await?;
    let line = |standing: Standing| {
        let rows = rows.get(&standing.about.id).cloned().unwrap_or_default();
        let rows = rates(standing.about.shape, rows);
        let means = || rows.iter().map(|row| (row.time, row.mean));
        let frame = Frame::around(from.0, now.0, HOUR / 2, means().map(|(_, value)| value));
        let spark = frame.map_or(String::new(), |frame| frame.line(means()));
        Line { standing, spark }
    };
    let body = ListPage {
        cx,
        q: &asked.q,
        state: &asked.state,
        lines: shown.into_iter().map(line).collect(),
        counts,
        no_room,
        next,
    };
    page(cx, cx.t("計測値の系列", "Series"), &body)
}

/// Work on files beside the async tasks; what fails is shown as it is said.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, room::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let said = |error: room::Error| Refusal::Bad(error.to_string());
    room::blocking(work).await.map_err(said)?.map_err(said)
}

/// Spans that can be looked at, with their steps.
const SPANS: [(&str, i64, i64); 5] = [
    ("day", DAY, 5 * MINUTE),
    ("week", 7 * DAY, 30 * MINUTE),
    ("month", 30 * DAY, 2 * HOUR),
    ("quarter", 90 * DAY, 6 * HOUR),
    ("years", 730 * DAY, DAY),
];

fn span_text(name: &str) -> model::Text {
    match name {
        "day" => t("1日", "1 day"),
        "week" => t("1週間", "1 week"),
        "month" => t("30日", "30 days"),
        "quarter" => t("90日", "90 days"),
        _ => t("2年", "2 years"),
    }
}

#[derive(Deserialize)]
struct Span {
    #[serde(default)]
    span: String,
}

/// A curve with its words.
struct Curve {
    line: String,
    band: String,
    marks: String,
    limit: String,
    low: String,
    high: String,
    ticks: Vec<Timestamp>,
}

struct Cell {
    x: usize,
    y: usize,
    shade: usize,
}

struct Heat {
    cells: Vec<Cell>,
    /// Seven days of 24 hours.
    table: Vec<(&'static str, Vec<String>)>,
    low: String,
    high: String,
}

struct Load {
    profile: LoadProfile,
    curve: String,
    border: String,
    high: String,
    rows: Vec<(usize, String)>,
}

struct Outlook {
    curve: Curve,
    text: String,
    class: &'static str,
    /// Where the limit is met, at the earliest and at the latest.
    fan: String,
}

#[derive(Template)]
#[template(path = "one_series.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    standing: Standing,
    span: &'static str,
    curve: Option<Curve>,
    rows: Vec<(Row, Option<Normal>)>,
    heat: Option<Heat>,
    load: Option<Load>,
    outlook: Option<Outlook>,
    alerts: Vec<Alert>,
    has_rates: bool,
}

impl OnePage<'_> {
    fn heading(&self) -> String {
        self.standing.about.title()
    }

    fn is_span(&self, name: &str) -> bool {
        self.span == name
    }

    fn spans(&self) -> Vec<(&'static str, &'static str)> {
        SPANS.iter().map(|(name, ..)| (*name, self.cx.pick(&span_text(name)))).collect()
    }

    fn title(&self, alert: &Alert) -> String {
        self.cx.either(alert.fact("title_ja"), alert.fact("title_en")).to_owned()
    }

    fn number(&self, value: &f64) -> String {
        number(*value)
    }

    fn time(&self, time: &i64) -> String {
        self.cx.time(&Timestamp(*time))
    }

    fn open_since(&self) -> String {
        self.standing.open_since.map_or(String::new(), |time| self.time(&time))
    }

    /// Since when an alert says it is so.
    fn onset(&self, alert: &Alert) -> String {
        let onset = alert.record.facts.get("onset_us").and_then(Json::as_i64).unwrap_or(0);
        self.time(&onset)
    }
}

/// What files tell of one series.
struct Told {
    rows: Vec<Row>,
    profile: Option<LoadProfile>,
    ahead: Option<Ahead>,
}

async fn one(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(asked): Query<Span>,
) -> Answer {
    let cx = &user.cx;
    let id = u64::from_str_radix(&id, 16).map_err(|_| Refusal::NotFound)?;
    let (all, _) = standing(&house);
    let standing = all.into_iter().find(|one| one.about.id == id).ok_or(Refusal::NotFound)?;
    let (span, long, step) =
        *SPANS.iter().find(|(name, ..)| *name == asked.span).unwrap_or(&SPANS[1]);
    let assets = house.store.all(Table::Asset, &["metric_source"]).await?;
    let set = limit_set(&assets, &standing.about);
    let (place, now, about) = (folder(&house), cx.now, standing.about.clone());
    let from = Timestamp(now.0 - long);
    let told = blocking(move || {
        let rows = rates(about.shape, read(&place, about.id, from, now, step)?);
        let profile = profile(&place, &about, now, &JAPAN)?;
        let ahead = ahead(&place, &about, set, now)?;
        Ok(Told { rows, profile, ahead })
    })
    .await?;
    let times: Vec<i64> = told.rows.iter().map(|row| row.time + step / 2).collect();
    let (normals, week) = normals(&house, id, &times);
    let alerts = alerts(&house, id, cx.now).await?;
    let onsets = alerts.iter().filter_map(|alert| alert.record.facts.get("onset_us")?.as_i64());
    let onsets: Vec<i64> = onsets.collect();
    let limit = limit(&standing.about, set);
    let curve = curve(&told.rows, &normals, &onsets, limit, (from.0, now.0, step));
    let body = OnePage {
        cx,
        span,
        curve,
        rows: told.rows.iter().copied().zip(normals).rev().take(200).collect(),
        heat: week.and_then(|week| heat(cx, &week)),
        load: told.profile.map(load),
        outlook: told.ahead.and_then(|ahead| outlook(cx, &ahead, now)),
        has_rates: standing.about.shape == Shape::Counter,
        alerts,
        standing,
    };
    page(cx, &body.heading(), &body)
}

/// What is usual at these times, and in each hour of a week once a week was learnt.
fn normals(
    house: &web::House,
    id: u64,
    times: &[i64],
) -> (Vec<Option<Normal>>, Option<Vec<Normal>>) {
    let none = || (vec![None; times.len()], None);
    let Some(site) = house.kept.get::<Steady>().site() else { return none() };
    let site = lock(&site);
    let Some(tracked) = site.known.get(&id) else { return none() };
    let at = |time: i64| tracked.series.normal(time, site.calendar);
    // Before it is past cold start nothing is judged, so no range is shown either.
    let is_warm = tracked.series.is_warm();
    let of_times = times.iter().map(|time| at(*time).filter(|_| is_warm)).collect();
    let is_known = tracked.series.hours_learnt() >= 168;
    let week: Option<Vec<Normal>> =
        (0..168).map(|hour| at(A_WEEK + hour * HOUR + HOUR / 2)).collect();
    (of_times, week.filter(|_| is_known))
}

/// The newest findings about a series.
async fn alerts(house: &web::House, id: u64, now: Timestamp) -> Result<Vec<Alert>, Refusal> {
    let filter = RecordFilter {
        ty: Some(FINDING.to_owned()),
        limit: FINDINGS_MAX,
        ..RecordFilter::default()
    };
    let since = now.minus_hours(24 * 730);
    let mut found = house.store.list_records(&filter).await?;
    let named = json!(format!("{id:016x}"));
    found.retain(|r| r.facts.get("series") == Some(&named) && r.observed_to >= since);
    found.truncate(SHOWN_MAX);
    Ok(with_judgements(&house.store, found).await?)
}

fn curve(
    rows: &[Row],
    normals: &[Option<Normal>],
    onsets: &[i64],
    limit: Option<Limit>,
    (from, to, step): (i64, i64, i64),
) -> Option<Curve> {
    let usual: Vec<(i64, f64, f64)> = rows
        .iter()
        .zip(normals)
        .filter_map(|(row, normal)| Some((row.time, normal.as_ref()?.low, normal.as_ref()?.high)))
        .collect();
    let values = rows.iter().flat_map(|row| [row.min, row.max]);
    let values = values.chain(usual.iter().flat_map(|(_, low, high)| [*low, *high]));
    let frame = Frame::around(from, to, step, values)?;
    let at = match limit {
        Some(Limit::AtMost(value) | Limit::AtLeast(value)) => frame.level(value),
        None => String::new(),
    };
    Some(Curve {
        line: frame.line(rows.iter().map(|row| (row.time, row.mean))),
        band: frame.band(&usual),
        marks: frame.marks(onsets.iter().copied()),
        limit: at,
        low: number(frame.low),
        high: number(frame.high),
        ticks: ticks(from, to),
    })
}

fn ticks(from: i64, to: i64) -> Vec<Timestamp> {
    (0..=4).map(|n| Timestamp(from + (to - from) / 4 * n)).collect()
}

fn heat(cx: &Cx, week: &[Normal]) -> Option<Heat> {
    let values = || week.iter().map(|normal| normal.expected);
    let frame = Frame::around(0, 1, 1, values())?;
    let cell = |(hour, normal): (usize, &Normal)| {
        let share = (normal.expected - frame.low) / (frame.high - frame.low);
        let shade = (share * SHADES).clamp(0.0, SHADES - 1.0) as usize;
        Cell { x: hour % 24, y: hour / 24, shade }
    };
    let days = [
        t("月", "Mon"),
        t("火", "Tue"),
        t("水", "Wed"),
        t("木", "Thu"),
        t("金", "Fri"),
        t("土", "Sat"),
        t("日・祝", "Sun, holidays"),
    ];
    let row = |(day, hours): (&model::Text, &[Normal])| {
        (cx.pick(day), hours.iter().map(|normal| number(normal.expected)).collect())
    };
    Some(Heat {
        cells: week.iter().enumerate().map(cell).collect(),
        table: days.iter().zip(week.chunks(24)).map(row).collect(),
        low: number(frame.low),
        high: number(frame.high),
    })
}

fn load(profile: LoadProfile) -> Load {
    // The curve over the share of the time, in place of times.
    let points = || profile.duration.iter().enumerate().map(|(n, value)| (n as i64 * 5, *value));
    let values = points().map(|(_, value)| value).chain([0.0]);
    let frame = Frame::around(0, 100, 5, values);
    let curve = frame.map_or(String::new(), |frame| frame.line(points()));
    let border = profile.border.zip(frame).map_or(String::new(), |(at, frame)| frame.level(at));
    let high = frame.map_or(String::new(), |frame| number(frame.high));
    let rows = points().map(|(share, value)| (share as usize, number(value))).collect();
    Load { curve, border, high, rows, profile }
}

fn outlook(cx: &Cx, ahead: &Ahead, now: Timestamp) -> Option<Outlook> {
    let from = ahead.rows.first()?.time;
    let (Limit::AtMost(limit) | Limit::AtLeast(limit)) = ahead.limit;
    let days = |days: f64| number(days.round());
    let (text, class, ends) = match ahead.forecast {
        Forecast::Sparse { .. } => (
            cx.t("予測に足りるデータがまだありません。", "Too little is known for a forecast.")
                .to_owned(),
            "unknown",
            None,
        ),
        Forecast::Beyond { .. } => (
            cx.t("すでに限界に達しています。", "The limit is passed already.").to_owned(),
            "fail",
            None,
        ),
        Forecast::NoTrend { .. } => (
            cx.t("限界へ向かう傾向は見られません。", "There is no trend towards the limit.")
                .to_owned(),
            "pass",
            None,
        ),
        Forecast::Ends { days: eta, low, high, slope } => {
            let late = high.map_or("–".to_owned(), days);
            let (early, eta_text) = (days(low), days(eta));
            let ja = format!("約{eta_text}日後に限界に達する見込みです（{early}〜{late}日）。");
            let en =
                format!("It is expected to meet its limit in {eta_text} days ({early} to {late}).");
            let class = if eta <= 30.0 { "fail" } else { "stale" };
            (cx.either(&ja, &en).to_owned(), class, Some((eta, low, high, slope.level)))
        }
    };
    let until = match ends {
        Some((eta, ..)) => now.0 + ((eta * 1.2).clamp(7.0, 3_650.0) * DAY as f64) as i64,
        None => now.0 + 7 * DAY,
    };
    let values = ahead.rows.iter().map(|row| row.mean).chain([limit]);
    let frame = Frame::around(from, until, HOUR, values)?;
    let fan = ends.map_or(String::new(), |(eta, low, high, level)| {
        let last = ahead.rows.last().map_or(now.0, |row| row.time);
        let to = |days: f64| last + (days.min(7_300.0) * DAY as f64) as i64;
        let ray = |days: f64| {
            // Beyond the frame the ray is cut where the frame ends.
            let share = ((until - last) as f64 / (to(days) - last).max(1) as f64).min(1.0);
            let (x, y) = (frame.x(to(days).min(until)), frame.y(level + (limit - level) * share));
            format!("M{:.1} {:.1}L{x:.1} {y:.1}", frame.x(last), frame.y(level))
        };
        [Some(eta), Some(low), high].into_iter().flatten().map(ray).collect()
    });
    Some(Outlook {
        curve: Curve {
            line: frame.line(ahead.rows.iter().map(|row| (row.time, row.mean))),
            band: String::new(),
            marks: String::new(),
            limit: frame.level(limit),
            low: number(frame.low),
            high: number(frame.high),
            ticks: ticks(from, until),
        },
        text,
        class,
        fan,
    })
}

fn told(standing: &Standing) -> Json {
    let finite = |value: f64| if value.is_finite() { json!(value) } else { Json::Null };
    let labels: BTreeMap<&str, &str> =
        standing.about.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    json!({
        "id": standing.id(),
        "source": standing.about.source,
        "host": standing.about.host,
        "name": standing.about.name,
        "labels": labels,
        "shape": standing.about.shape,
        "state": standing.state.name(),
        "open_since": standing.open_since.map(|time| Timestamp(time).rfc3339()),
        "first": Timestamp(standing.first).rfc3339(),
        "last": standing.last.rfc3339(),
        "value": finite(standing.value),
        "points": standing.points,
        "hours_learnt": standing.hours_learnt,
        "refused": {
            "no_number": standing.refused.no_number,
            "no_order": standing.refused.no_order,
            "resets": standing.refused.resets,
            "gaps": standing.refused.gaps,
        },
    })
}

async fn api(State(house): State<Shared>, _caller: Caller, Query(asked): Query<Asked>) -> Response {
    let (mut all, no_room) = standing(&house);
    all.sort_by_key(|one| one.about.id);
    let after = u64::from_str_radix(&asked.after, 16).ok();
    let mut found: Vec<&Standing> = all
        .iter()
        .filter(|one| matches(one, &asked.q))
        .filter(|one| after.is_none_or(|after| one.about.id > after))
        .take(TOLD_MAX + 1)
        .collect();
    let is_more = found.len() > TOLD_MAX;
    found.truncate(TOLD_MAX);
    let next = found.last().filter(|_| is_more).map(|one| one.id());
    let series: Vec<Json> = found.into_iter().map(told).collect();
    let document =
        json!({ "series": series, "next": next, "no_room": no_room, "series_max": SERIES_MAX });
    Document(document).into_response()
}

/// The newest forecast of each resource, of the last two days.
async fn api_forecasts(State(house): State<Shared>, caller: Caller) -> Response {
    let store = &house.store;
    let since = store.now().minus_hours(48);
    let found = match store.records_since(&["monitoring.capacity_forecast"], since, 10_000).await {
        Ok(found) => found,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let mut newest: BTreeMap<String, (Id, Json)> = BTreeMap::new();
    for record in found {
        let fact = |name: &str| record.facts.get(name).cloned().unwrap_or_default();
        let resource = fact("resource").as_str().unwrap_or_default().to_owned();
        let one = json!({
            "record": record.id,
            "at": record.observed_to.rfc3339(),
            "asset": record.subject,
            "resource": resource,
            "eta_days": fact("eta_days"),
            "low_days": fact("low_days"),
            "high_days": fact("high_days"),
        });
        let kept = newest.entry(resource).or_insert((record.id, Json::Null));
        if record.id >= kept.0 {
            *kept = (record.id, one);
        }
    }
    let mut all: Vec<Json> = newest.into_values().map(|(_, one)| one).collect();
    all.sort_by_key(|one| one["eta_days"].as_i64());
    Document(json!({ "forecasts": all })).into_response()
}
