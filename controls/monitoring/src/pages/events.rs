//! Search over the archived events, and the counts of the intake.

use askama::Template;
use axum::extract::{Query, State};
use model::{Lang, t};
use serde::Deserialize;
use stream::{Event, SearchResult};
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User},
    route::{Access, Route},
};

use crate::work::logs::{Logs, sources::Line};

const EVENTS_SHOWN_MAX: usize = 50;
/// Most events of one and the same microsecond that paging goes through.
const SAME_TIME_MAX: usize = 10_000;

/// The room's routes.
pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    vec![Route::get("/events", inspect, t("イベントの検索", "Search events"), events)]
}

#[derive(Deserialize)]
struct EventsQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    source: String,
    /// Time in microseconds of the last event of the page before.
    before: Option<i64>,
    /// How many events of exactly that time the pages before showed.
    #[serde(default)]
    seen: usize,
}

struct Source {
    name: String,
    chosen: bool,
    received: u64,
    stored: u64,
    refused: u64,
    lost: u64,
    turned_away: u64,
    /// When it was heard last, and on how many hosts it is silent.
    last: String,
    silent: usize,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage<'a> {
    cx: &'a Cx,
    q: &'a str,
    /// What is wrong with the query.
    trouble: String,
    events: Vec<Event>,
    found: SearchResult,
    sources: Vec<Source>,
    next: String,
    /// Whether this build has SQL.
    sql: bool,
}

/// `q` is in the language of [`stream::query`].
async fn events(
    State(house): State<Shared>,
    user: User,
    Query(query): Query<EventsQuery>,
) -> Answer {
    let (terms, trouble) = match stream::query::parse(&query.q) {
        Ok(terms) => (Some(terms), String::new()),
        Err(error) => (None, trouble(&user.cx, &error)),
    };
    let wanted = stream::Query {
        source: Some(query.source.clone()).filter(|s| !s.is_empty()),
        // Exclusive in the search, so that events of the same time are found again and skipped.
        to: query.before.map(|t| model::Timestamp(t.saturating_add(1))),
        // What cannot be understood finds nothing.
        limit: terms.as_ref().map_or(0, |_| query.seen.min(SAME_TIME_MAX) + EVENTS_SHOWN_MAX + 1),
        terms: terms.unwrap_or_default(),
        ..stream::Query::default()
    };
    let folder = house.archive.join("archive");
    let mut found = tokio::task::spawn_blocking(move || stream::search(&folder, &wanted))
        .await
        .map_err(|e| Refusal::Bad(e.to_string()))?
        .map_err(|e| Refusal::Bad(e.to_string()))?;
    let sources = sources(&user.cx, &house, &query.source);
    let mut events = std::mem::take(&mut found.events);
    let shown_before = |e: &Event| Some(e.time().0) == query.before;
    let again = events.iter().take(query.seen).take_while(|e| shown_before(e)).count();
    events.drain(..again);
    let more = events.len() > EVENTS_SHOWN_MAX;
    events.truncate(EVENTS_SHOWN_MAX);
    let next = if more { next_page(&query, &events) } else { String::new() };
    let (cx, q, sql) = (&user.cx, query.q.as_str(), sql::BUILT);
    let body = EventsPage { cx, q, trouble, events, found, sources, next, sql };
    web::frame::page(&user.cx, user.cx.t("イベント", "Events"), &body)
}

fn trouble(cx: &Cx, error: &stream::query::QueryError) -> String {
    let what = cx.pick(&error.fault.text());
    match cx.lang {
        Lang::Ja => format!("{}文字目: {what}", error.at),
        Lang::En => format!("character {}: {what}", error.at),
    }
}

/// Keyset paging: events have no id, so the place is a time and how many of that time were shown.
fn next_page(query: &EventsQuery, events: &[Event]) -> String {
    let Some(last) = events.last().map(|e| e.time().0) else { return String::new() };
    let same = events.iter().rev().take_while(|e| e.time().0 == last).count();
    let seen = if query.before == Some(last) { query.seen + same } else { same };
    let (q, source) = (urlencoding::encode(&query.q), urlencoding::encode(&query.source));
    format!("/events?q={q}&source={source}&before={last}&seen={seen}")
}

fn sources(cx: &Cx, house: &web::House, chosen: &str) -> Vec<Source> {
    let learnt = house.kept.get::<Logs>().shown();
    let of = |name: &str| -> Vec<&Line> {
        learnt.sources.iter().filter(|line| line.row.is_none() && line.source == name).collect()
    };
    let last = |lines: &[&Line]| {
        let last = lines.iter().map(|line| line.last).max();
        last.map_or("–".to_owned(), |last| cx.time(&model::Timestamp(last)))
    };
    let Ok(intake) = house.intake.read() else { return Vec::new() };
    let Some(all) = intake.as_object() else { return Vec::new() };
    let sum = |value: Option<&serde_json::Value>| {
        let map = value.and_then(serde_json::Value::as_object);
        map.map_or(0, |m| m.values().filter_map(serde_json::Value::as_u64).sum())
    };
    all.iter()
        .map(|(name, c)| Source {
            name: name.clone(),
            chosen: name == chosen,
            received: c["received"].as_u64().unwrap_or(0),
            stored: c["stored"].as_u64().unwrap_or(0),
            refused: sum(c.get("refused")),
            lost: sum(c.get("lost")),
            turned_away: sum(c.get("turned_away")),
            last: last(&of(name)),
            silent: of(name).iter().filter(|line| line.silent.is_some()).count(),
        })
        .collect()
}
