//! `/monitoring/trends` and `/monitoring/sources`: what security logs tell over weeks, and who speaks how often.
//!
//! Invariant: names of users and addresses are shown to those who may judge findings; hosts to all who look.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use model::{Id, Timestamp, t};
use serde_json::{Value as Json, json};
use steady::{DAY, SECOND};
use web::{
    Shared,
    access::Action,
    api::Caller,
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use crate::work::logs::{
    Logs, Shown,
    security::{Class, LEARN_DAYS, Trend},
    sources::Line,
    span,
};

/// Sources that the page lists; the document of the API has all.
const LISTED_MAX: usize = 500;
/// Days that are drawn, and days of the table.
const DRAWN_DAYS: usize = 180;
const TABLE_DAYS: usize = 28;
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 160.0;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let api = |id: &str| Api {
        tag: "monitoring",
        id: id.to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let trends = t("セキュリティログの傾向", "Trends of security logs");
    let sources = t("ログの発生源の状態", "Sources and silence");
    vec![
        Route::get("/monitoring/trends", inspect, trends, trends_page),
        Route::get("/monitoring/sources", inspect, sources, sources_page),
        Route::get("/api/v1/monitoring/trends", inspect, trends, trends_api)
            .api(api("monitoring_trends")),
        Route::get("/api/v1/monitoring/sources", inspect, sources, sources_api)
            .api(api("monitoring_sources")),
    ]
}

/// How far a class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A rule says so.
    Off,
    NoSource,
    Learning,
    Watched,
}

impl Standing {
    fn of(trend: &Trend, unwatched: &[Class]) -> Standing {
        match trend.days_learnt {
            _ if unwatched.contains(&trend.class) => Standing::Off,
            None => Standing::NoSource,
            Some(_) if trend.is_learning() => Standing::Learning,
            Some(_) => Standing::Watched,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Standing::Off => "off",
            Standing::NoSource => "no_source",
            Standing::Learning => "learning",
            Standing::Watched => "watched",
        }
    }
}

/// A class as it is drawn.
struct Card {
    title: &'static str,
    state: Standing,
    learnt: i64,
    max: u64,
    line: String,
    area: String,
    /// Where the level changed.
    mark: Option<i64>,
    from: String,
    to: String,
    slope: String,
    change: String,
    top: String,
    new: String,
    days: Vec<(String, u64)>,
}

#[derive(Template)]
#[template(path = "trends.html")]
struct TrendsPage<'a> {
    cx: &'a Cx,
    cards: Vec<Card>,
    watched: usize,
    is_begun: bool,
    is_demo: bool,
    learn_days: i64,
    /// Programs whose lines are known, of them still learnt; kinds of lines; departures told tomorrow.
    programs: usize,
    learning: usize,
    templates: usize,
    waiting: usize,
}

async fn trends_page(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let shown = house.kept.get::<Logs>().shown();
    let sees_names = super::findings::may_judge(&house, &user);
    let at = shown.at.unwrap_or(cx.now);
    let cards: Vec<Card> = shown
        .trends
        .iter()
        .map(|trend| card(cx, trend, &shown.unwatched, at, sees_names))
        .collect();
    let [programs, learning, templates, waiting] = shown.words;
    let body = TrendsPage {
        cx,
        watched: cards.iter().filter(|card| card.state == Standing::Watched).count(),
        cards,
        is_begun: shown.at.is_some(),
        is_demo: house.demo,
        learn_days: LEARN_DAYS,
        programs,
        learning,
        templates,
        waiting,
    };
    page(cx, cx.t("セキュリティログの傾向", "Trends of security logs"), &body)
}

fn card(cx: &Cx, trend: &Trend, unwatched: &[Class], at: Timestamp, sees_names: bool) -> Card {
    let counts = &trend.counts[trend.counts.len().saturating_sub(DRAWN_DAYS)..];
    let n = counts.len();
    // The last count is yesterday's.
    let date = |place: usize| cx.date(&Timestamp(at.0 - (n - place) as i64 * DAY));
    let max = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let (line, area) = drawn(counts, max);
    let step = WIDTH / (n.max(2) - 1) as f64;
    let change = trend.found.change.filter(|change| at.0 - change.time < n as i64 * DAY);
    let mark = change.map(|change| {
        let days = (at.0 - change.time).div_euclid(DAY) as f64;
        ((n as f64 - days) * step).clamp(0.0, WIDTH) as i64
    });
    let names = |all: &[(String, u64)]| -> Vec<String> {
        all.iter().map(|(name, count)| format!("{name} ({count})")).collect()
    };
    let mut top = names(&trend.top[0]);
    if sees_names {
        top.extend(trend.top[1..].iter().flat_map(|all| names(all)));
    }
    let new = trend.found.newcomers.iter();
    let new: Vec<String> = match sees_names {
        true => new.map(|n| format!("{} ({:.0}%)", n.name, n.share * 100.0)).collect(),
        false if trend.found.newcomers.is_empty() => Vec::new(),
        false => vec![trend.found.newcomers.len().to_string()],
    };
    Card {
        title: cx.pick(&trend.class.text()),
        state: Standing::of(trend, unwatched),
        learnt: trend.days_learnt.unwrap_or(0),
        max,
        line,
        area,
        mark,
        from: if n > 0 { date(0) } else { String::new() },
        to: if n > 0 { date(n - 1) } else { String::new() },
        slope: trend.slope().map_or("–".to_owned(), |slope| {
            let sure = if slope.is_trend() {
                ""
            } else {
                cx.t("（傾向とは言えない）", " (no trend)")
            };
            format!("{:+.2} [{:+.2}, {:+.2}]{sure}", slope.per_day, slope.low, slope.high)
        }),
        change: change.map_or("–".to_owned(), |c| {
            format!("{} ({:.0} → {:.0})", cx.date(&Timestamp(c.time)), c.before, c.after)
        }),
        top: or_dash(top),
        new: or_dash(new),
        days: (0..n).rev().take(TABLE_DAYS).map(|i| (date(i), counts[i].1)).collect(),
    }
}

fn or_dash(all: Vec<String>) -> String {
    if all.is_empty() { "–".to_owned() } else { all.join(", ") }
}

/// Counts as a line and as the area below it, in a box of fixed size.
fn drawn(counts: &[(i64, u64)], max: u64) -> (String, String) {
    if counts.len() < 2 {
        return Default::default();
    }
    let step = WIDTH / (counts.len() - 1) as f64;
    let mut line = String::new();
    for (place, (_, count)) in counts.iter().enumerate() {
        let (x, y) = (place as f64 * step, HEIGHT - HEIGHT * *count as f64 / max.max(1) as f64);
        // Writing into a String does not fail.
        let _ = write!(line, "{}{x:.0} {y:.0}", if place == 0 { 'M' } else { 'L' });
    }
    let area = format!("{line}V{HEIGHT:.0}H0Z");
    (line, area)
}

/// A source as the page lists it.
struct Listed {
    name: String,
    host: String,
    row: Option<Id>,
    lines: u64,
    last: String,
    usual: String,
    alarm_after: String,
    state: &'static str,
    since: String,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage<'a> {
    cx: &'a Cx,
    listed: Vec<Listed>,
    total: usize,
    silent: usize,
    learning: usize,
    beyond: u64,
    is_begun: bool,
    is_demo: bool,
}

async fn sources_page(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let shown = house.kept.get::<Logs>().shown();
    let count = |state: &str| shown.sources.iter().filter(|l| state_of(l) == state).count();
    let body = SourcesPage {
        cx,
        listed: shown.sources.iter().take(LISTED_MAX).map(|line| listed(cx, line)).collect(),
        total: shown.sources.len(),
        silent: count("silent"),
        learning: count("learning"),
        beyond: shown.beyond,
        is_begun: shown.at.is_some(),
        is_demo: house.demo,
    };
    page(cx, cx.t("ログの発生源の状態", "Sources and silence"), &body)
}

fn state_of(line: &Line) -> &'static str {
    match (line.silent, line.alarm_after) {
        (Some(_), _) => "silent",
        (None, Some(_)) => "heard",
        (None, None) => "learning",
    }
}

fn listed(cx: &Cx, line: &Line) -> Listed {
    let span = |micros: Option<i64>| {
        micros.map_or("–".to_owned(), |micros| {
            let (ja, en) = span(micros);
            cx.either(&ja, &en).to_owned()
        })
    };
    let time = |micros: i64| cx.time(&Timestamp(micros));
    Listed {
        name: line.source.clone(),
        host: line.host.clone(),
        row: line.row,
        lines: line.lines,
        last: if line.last > 0 { time(line.last) } else { "–".to_owned() },
        usual: span(line.usual),
        alarm_after: span(line.alarm_after),
        state: state_of(line),
        since: line.silent.map_or(String::new(), time),
    }
}

async fn trends_api(State(house): State<Shared>, _caller: Caller) -> Response {
    let shown = house.kept.get::<Logs>().shown();
    Document(trends_told(&shown)).into_response()
}

/// Without names of users and addresses: they stay on the page, where it is known who reads.
fn trends_told(shown: &Shown) -> Json {
    let at = shown.at.unwrap_or(Timestamp(0));
    let one = |trend: &Trend| {
        let n = trend.counts.len();
        let day = |place: usize| {
            Timestamp(at.0 - (n - place) as i64 * DAY)
                .rfc3339()
                .chars()
                .take(10)
                .collect::<String>()
        };
        let counts = trend.counts.iter().enumerate();
        json!({
            "class": trend.class.name(),
            "state": Standing::of(trend, &shown.unwatched).name(),
            "days_learnt": trend.days_learnt,
            "counts": counts.map(|(place, (_, count))| json!({"day": day(place), "count": count}))
                .collect::<Vec<_>>(),
            "slope": trend.slope().map(|slope| json!({
                "per_day": slope.per_day, "low": slope.low, "high": slope.high,
                "level": slope.level, "is_trend": slope.is_trend(),
            })),
            "change": trend.found.change.map(|change| json!({
                "at": Timestamp(change.time).rfc3339(), "before": change.before,
                "after": change.after, "p": change.p,
            })),
            "newcomers": trend.found.newcomers.len(),
            "top_hosts": trend.top[0].iter()
                .map(|(name, count)| json!({"host": name, "count": count})).collect::<Vec<_>>(),
        })
    };
    json!({
        "at": shown.at.map(|at| at.rfc3339()),
        "classes": shown.trends.iter().map(one).collect::<Vec<_>>(),
        "classes_all": Class::ALL.map(Class::name),
    })
}

async fn sources_api(State(house): State<Shared>, _caller: Caller) -> Response {
    let shown = house.kept.get::<Logs>().shown();
    let time = |micros: i64| Timestamp(micros).rfc3339();
    let one = |line: &Line| {
        json!({
            "source": line.source,
            "host": line.host,
            "row": line.row,
            "lines": line.lines,
            "last_heard": (line.last > 0).then(|| time(line.last)),
            "usual_s": line.usual.map(|usual| usual / SECOND),
            "alarm_after_s": line.alarm_after.map(|after| after / SECOND),
            "silent_since": line.silent.map(time),
            "state": state_of(line),
        })
    };
    Document(json!({
        "at": shown.at.map(|at| at.rfc3339()),
        "beyond": shown.beyond,
        "sources": shown.sources.iter().map(one).collect::<Vec<_>>(),
    }))
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_drawn_within_their_box() {
        let (line, area) = drawn(&[(1, 0), (2, 10), (3, 5)], 10);
        assert_eq!(line, "M0 160L500 0L1000 80");
        assert_eq!(area, "M0 160L500 0L1000 80V160H0Z");
        assert_eq!(drawn(&[(1, 5)], 5), (String::new(), String::new()));
        assert_eq!(drawn(&[(1, 0), (2, 0)], 0).0, "M0 160L1000 160");
    }
}
