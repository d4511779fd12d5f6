//! `/monitoring/series/{id}`: how a series was, what is usual for it, how it is used and what it may become.
//!
//! Invariants: what it learnt is looked at under a lock of a moment, files are read beside the async tasks; every
//! picture has its table or its sentence.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use steady::{Bounds, CURVE, Calendar, Forecast, Limit, LoadProfile, Normal};
use store::RecordFilter;
use web::{
    Shared,
    frame::{Answer, Cx, Refusal, User, page},
};

use super::{
    chart::{Frame, number},
    series::{Standing, blocking, standing},
};
use crate::{
    findings::{Alert, FINDING, with_judgements},
    work::series::{
        Ahead, Row, Shape, Steady, ahead, folder, limit, limit_set, lock, profile, rates, read,
        rules::Rules, site::JAPAN,
    },
};

/// Findings that are looked through, and those that are shown.
const FINDINGS_MAX: usize = 1_000;
const SHOWN_MAX: usize = 50;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Within a week without holidays.
const A_WEEK: i64 = 1_775_401_200_000_000;
/// Shades of the heat map.
const SHADES: f64 = 8.0;

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
pub(super) struct Span {
    #[serde(default)]
    span: String,
}

/// A curve with its words.
struct Curve {
    line: String,
    band: String,
    marks: String,
    limit: String,
    /// Thresholds that a rule sets.
    bounds: String,
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
    /// The same of both regimes, each by shares of its own time.
    steady: String,
    peak: String,
    border: String,
    high: String,
    /// Share of the time, and the loads of all, of steady and of high load.
    rows: Vec<(usize, [String; 3])>,
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
    /// The rule that sets the limit of the outlook.
    outlook_rule: Option<(Id, String)>,
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

pub(super) async fn one(
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
    let (calendar, rules) = week_and_rules(&house);
    let set = limit_set(&assets, &rules, &standing.about);
    let (place, now, about) = (folder(&house), cx.now, standing.about.clone());
    let from = Timestamp(now.0 - long);
    let told = blocking(move || {
        let rows = rates(about.shape, read(&place, about.id, from, now, step)?);
        let profile = profile(&place, &about, now, &calendar)?;
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
    let bounds = standing.rule.as_ref().map(|rule| rule.bounds).unwrap_or_default();
    let outlook_rule = rules.outlook(&standing.about).map(|rule| (rule.id, rule.name.clone()));
    let curve = curve(&told.rows, &normals, &onsets, limit, bounds, (from.0, now.0, step));
    let body = OnePage {
        cx,
        span,
        curve,
        rows: told.rows.iter().copied().zip(normals).rev().take(200).collect(),
        heat: week.and_then(|week| heat(cx, &week)),
        load: told.profile.map(load),
        outlook: told.ahead.and_then(|ahead| outlook(cx, &ahead, now)),
        outlook_rule,
        has_rates: standing.about.shape == Shape::Counter,
        alerts,
        standing,
    };
    page(cx, &body.heading(), &body)
}

/// The organisation's week, and the rules of the register.
fn week_and_rules(house: &web::House) -> (Arc<Calendar>, Arc<Rules>) {
    let site = house.kept.get::<Steady>().site();
    site.map_or_else(
        || (JAPAN.clone(), Arc::default()),
        |site| {
            let site = lock(&site);
            (site.calendar.clone(), site.rules.clone())
        },
    )
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
    let at = |time: i64| tracked.series.normal(time, &site.calendar);
    // Before it is past cold start nothing is judged, so no range is shown either.
    let is_warm = tracked.series.is_warm();
    let of_times = times.iter().map(|time| at(*time).filter(|_| is_warm)).collect();
    let is_known = tracked.series.hours_learnt() >= 168;
    let monday = monday(&site.calendar);
    let week: Option<Vec<Normal>> =
        (0..168).map(|hour| at(monday + hour * HOUR + HOUR / 2)).collect();
    (of_times, week.filter(|_| is_known))
}

/// The local Monday, 00:00, of that week.
fn monday(calendar: &Calendar) -> i64 {
    let midnight = A_WEEK - calendar.hour(A_WEEK) * HOUR;
    midnight - (calendar.day(midnight) + 3).rem_euclid(7) * DAY
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
    bounds: Bounds,
    (from, to, step): (i64, i64, i64),
) -> Option<Curve> {
    let usual: Vec<(i64, f64, f64)> = rows
        .iter()
        .zip(normals)
        .filter_map(|(row, normal)| Some((row.time, normal.as_ref()?.low, normal.as_ref()?.high)))
        .collect();
    let values = rows.iter().flat_map(|row| [row.min, row.max]);
    let Bounds { warn_above, critical_above, warn_below, critical_below, .. } = bounds;
    let set = [warn_above, critical_above, warn_below, critical_below];
    let set: Vec<f64> = set.into_iter().flatten().collect();
    let values = values.chain(set.iter().copied());
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
        bounds: set.iter().map(|value| frame.level(*value)).collect(),
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
    let points = |curve: &[f64; CURVE]| -> Vec<(i64, f64)> {
        curve.iter().enumerate().map(|(n, value)| (n as i64 * 5, *value)).collect()
    };
    let frame = Frame::around(0, 100, 5, profile.duration.iter().copied().chain([0.0]));
    let line = |curve: Option<&[f64; CURVE]>| {
        let drawn = frame.zip(curve).map(|(frame, curve)| frame.line(points(curve).into_iter()));
        drawn.unwrap_or_default()
    };
    let curve = line(Some(&profile.duration));
    // Of one regime alone it is the same curve.
    let split = profile.high_duration.as_ref();
    let (steady, peak) = (line(split.map(|_| &profile.steady_duration)), line(split));
    let border = profile.border.zip(frame).map_or(String::new(), |(at, frame)| frame.level(at));
    let high = frame.map_or(String::new(), |frame| number(frame.high));
    let row = |n: usize| {
        let of = |curve: Option<&[f64; CURVE]>| curve.map_or(String::new(), |c| number(c[n]));
        let all = [Some(&profile.duration), split.map(|_| &profile.steady_duration), split];
        (n * 5, all.map(of))
    };
    let rows = (0..CURVE).map(row).collect();
    Load { curve, steady, peak, border, high, rows, profile }
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
            bounds: String::new(),
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
