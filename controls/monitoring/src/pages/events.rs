//! Search over the archived events, how they are spread over time, and the counts of the intake.
//!
//! Invariants: measurements are left out until they are asked for, or they would be all there is to see; whoever may not
//! judge findings sees events without what is about people, and finds nothing by it.

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Lang, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use stream::{Event, SearchResult};
use web::{
    House, Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User},
    route::{Access, Api, Param, Place, Route},
};

use super::{
    chart::number,
    findings::{may_judge, may_judge_by},
    gap::moment,
};
use crate::work::logs::{Logs, sources::Line};

const EVENTS_SHOWN_MAX: usize = 50;
const DOCUMENT_MAX: usize = 1_000;
/// Most events of one and the same microsecond that paging goes through.
const SAME_TIME_MAX: usize = 10_000;
const BARS: usize = 60;
/// Program of lines that are measurements.
const MEASUREMENTS: &str = "metrics";
/// Characters of a message in the list; the whole stands below it.
const MESSAGE_CHARS_MAX: usize = 240;
/// Bytes of a raw line that a page shows.
const RAW_SHOWN_MAX: usize = 8 << 10;
const HEIGHT: u64 = 100;

/// The room's routes.
pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("イベントの検索", "Search events");
    let param = |name, schema, ja, en| Param {
        place: Place::Query,
        name,
        schema,
        required: false,
        text: t(ja, en),
    };
    let text = |name, ja, en| param(name, "Text", ja, en);
    let api = Route::get("/api/v1/monitoring/events", inspect, title, api).api(Api {
        tag: "monitoring",
        id: "monitoring_events".to_owned(),
        params: vec![
            text(
                "q",
                "検索語（検索ページと同じ書き方）",
                "What to look for, in the language of the page",
            ),
            text("source", "出所", "Source"),
            text("from", "この日時から", "From this time"),
            text("to", "この日時の前まで", "Before this time"),
            param(
                "limit",
                "Limit",
                "件数（1〜1000、既定は100）",
                "How many, 1 to 1000; 100 if not said",
            ),
        ],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400],
    });
    vec![Route::get("/events", inspect, title, events), api]
}

#[derive(Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    source: String,
    /// Times where the organisation is, or with an offset.
    from: String,
    to: String,
    /// Not empty: measurements too.
    measurements: String,
    /// Time in microseconds of the last event of the page before.
    before: Option<i64>,
    /// How many events of exactly that time the pages before showed.
    seen: usize,
    limit: usize,
}

impl Default for Asked {
    fn default() -> Asked {
        let text = String::new;
        let (q, source, from, to, measurements) = (text(), text(), text(), text(), text());
        Asked { q, source, from, to, measurements, before: None, seen: 0, limit: 100 }
    }
}

impl Asked {
    /// What the archive is asked for, or what is wrong with that.
    fn query(&self, cx: &Cx, hides_personal: bool) -> Result<stream::Query, String> {
        let terms = stream::query::parse(&self.q).map_err(|error| trouble(cx, &error))?;
        let time = |text: &str, ja: &str, en: &str| match text.trim() {
            "" => Ok(None),
            text => moment(text, cx).map(Some).ok_or_else(|| cx.t(ja, en).to_owned()),
        };
        let from = time(
            &self.from,
            "開始日時が読めません。2026-11-25T09:00のように指定してください。",
            "The start is no time. Give one such as 2026-11-25T09:00.",
        )?;
        let to = time(
            &self.to,
            "終了日時が読めません。2026-11-25T09:00のように指定してください。",
            "The end is no time. Give one such as 2026-11-25T09:00.",
        )?;
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            let (ja, en) =
                ("終了日時は開始日時より後にしてください。", "The end must lie behind the start.");
            return Err(cx.t(ja, en).to_owned());
        }
        Ok(stream::Query {
            source: Some(self.source.clone()).filter(|s| !s.is_empty()),
            from,
            to,
            terms,
            hides_personal,
            ..stream::Query::default()
        })
    }

    /// Whether measurements are left out.
    fn is_without_measurements(&self) -> bool {
        self.q.trim().is_empty() && self.source.is_empty() && self.measurements.is_empty()
    }

    /// The address of this search with some of it changed.
    fn href(&self, changed: &[(&str, &str)]) -> String {
        let own = [
            ("q", self.q.as_str()),
            ("source", &self.source),
            ("from", &self.from),
            ("to", &self.to),
            ("measurements", &self.measurements),
        ];
        let value = |name: &str, own: &'_ str| {
            let found = changed.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
            urlencoding::encode(found.unwrap_or(own)).into_owned()
        };
        let pairs = own.map(|(name, own)| (name, value(name, own)));
        let others = changed.iter().filter(|(n, _)| own.iter().all(|(name, _)| name != n));
        let others = others.map(|(n, value)| (*n, urlencoding::encode(value).into_owned()));
        let pairs = pairs.into_iter().chain(others).filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        format!("/events?{}", pairs.join("&"))
    }
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

/// An event as it is listed.
struct Shown {
    event: Event,
    message: String,
    raw: String,
    fields: Vec<Named>,
}

/// A field, and the search that narrows to its value.
struct Named {
    name: String,
    value: String,
    href: Option<String>,
}

/// The bars of the histogram.
struct Bars {
    bars: Vec<Bar>,
    most: String,
    total: String,
    from: String,
    to: String,
    /// Earlier events were not counted.
    counted_from: Option<String>,
}

struct Bar {
    x: usize,
    height: u64,
    href: String,
    said: String,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage<'a> {
    cx: &'a Cx,
    asked: &'a Asked,
    /// What is wrong with the query.
    trouble: String,
    events: Vec<Shown>,
    found: SearchResult,
    bars: Option<Bars>,
    sources: Vec<Source>,
    spans: Vec<(&'static str, String, bool)>,
    with_measurements: Option<String>,
    is_masked: bool,
    next: String,
    /// Whether this build has SQL.
    sql: bool,
}

/// `q` is in the language of [`stream::query`].
async fn events(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let hides_personal = !may_judge(&house, &user);
    let (mut wanted, trouble) = match asked.query(cx, hides_personal) {
        Ok(query) => (query, String::new()),
        // What cannot be understood finds nothing.
        Err(trouble) => (stream::Query { limit: 0, ..stream::Query::default() }, trouble),
    };
    if trouble.is_empty() {
        // Exclusive in the search, so that events of the same time are found again and skipped.
        let before = asked.before.map(|time| Timestamp(time.saturating_add(1)));
        wanted.to = [before, wanted.to].into_iter().flatten().min();
        wanted.limit = asked.seen.min(SAME_TIME_MAX) + EVENTS_SHOWN_MAX + 1;
        wanted.bars = if asked.before.is_none() { BARS } else { 0 };
        wanted.without_app = asked.is_without_measurements().then_some(MEASUREMENTS);
    }
    let mut found = search(&house, wanted).await.map_err(Refusal::Bad)?;
    let sources = sources(cx, &house, &asked.source);
    let mut events = std::mem::take(&mut found.events);
    let shown_before = |e: &Event| Some(e.time().0) == asked.before;
    let again = events.iter().take(asked.seen).take_while(|e| shown_before(e)).count();
    events.drain(..again);
    let more = events.len() > EVENTS_SHOWN_MAX;
    events.truncate(EVENTS_SHOWN_MAX);
    let next = if more { next_page(&asked, &events) } else { String::new() };
    let body = EventsPage {
        cx,
        asked: &asked,
        trouble,
        events: events.into_iter().map(|event| shown(&asked, event)).collect(),
        bars: found.histogram.take().map(|histogram| bars(cx, &asked, &histogram)),
        found,
        sources,
        spans: spans(cx, &asked, house.store.now()),
        with_measurements: asked
            .is_without_measurements()
            .then(|| asked.href(&[("measurements", "1")])),
        is_masked: hides_personal,
        sql: sql::BUILT && !hides_personal,
        next,
    };
    web::frame::page(cx, cx.t("イベント", "Events"), &body)
}

pub(super) async fn search(house: &House, query: stream::Query) -> Result<SearchResult, String> {
    let folder = house.archive.join("archive");
    let found = tokio::task::spawn_blocking(move || stream::search(&folder, &query)).await;
    found.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn trouble(cx: &Cx, error: &stream::query::QueryError) -> String {
    let what = cx.pick(&error.fault.text());
    match cx.lang {
        Lang::Ja => format!("検索語の{}文字目: {what}", error.at),
        Lang::En => format!("character {} of the words: {what}", error.at),
    }
}

/// Spans that are often asked for: name, address, whether it is the present one.
fn spans(cx: &Cx, asked: &Asked, now: Timestamp) -> Vec<(&'static str, String, bool)> {
    let named = [
        (t("1時間", "1 hour"), 1),
        (t("24時間", "24 hours"), 24),
        (t("7日", "7 days"), 168),
        (t("30日", "30 days"), 720),
    ];
    let all =
        (cx.t("すべて", "all"), asked.href(&[("from", ""), ("to", "")]), asked.from.is_empty());
    let of = |(name, hours): (model::Text, i64)| {
        let from = now.plus_hours(-hours).rfc3339();
        (cx.pick(&name), asked.href(&[("from", &from), ("to", "")]), false)
    };
    named.into_iter().map(of).chain([all]).collect()
}

fn shown(asked: &Asked, event: Event) -> Shown {
    let columns = [("host", &event.host), ("app", &event.app), ("source", &event.source)];
    let columns = columns.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
    let fields = event.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
    let named = |(name, value): (String, String)| {
        let term = stream::query::is(&name, &value).filter(|_| value != stream::personal::MASK);
        let href = term.map(|term| {
            let q = format!("{} {term}", asked.q);
            asked.href(&[("q", q.trim())])
        });
        Named { name, value, href }
    };
    let mut raw = String::from_utf8_lossy(&event.raw).into_owned();
    if raw.len() > RAW_SHOWN_MAX {
        raw.truncate(raw.floor_char_boundary(RAW_SHOWN_MAX));
        raw.push('…');
    }
    let fields = columns.chain(fields).filter(|(_, value)| !value.is_empty()).map(named).collect();
    let mut message: String = event.message.chars().take(MESSAGE_CHARS_MAX).collect();
    if message.len() < event.message.len() {
        message.push('…');
    }
    Shown { message, raw, fields, event }
}

fn bars(cx: &Cx, asked: &Asked, histogram: &stream::Histogram) -> Bars {
    let most = histogram.counts.iter().copied().max().unwrap_or(0);
    let bar = |(at, count): (usize, &u64)| {
        let (from, to) = (
            histogram.start(at),
            match at + 1 < histogram.counts.len() {
                true => histogram.start(at + 1),
                false => histogram.to,
            },
        );
        Bar {
            x: at * 1000 / histogram.counts.len(),
            // What is there is seen, however little.
            height: (count * HEIGHT / most.max(1)).max(2),
            href: asked.href(&[("from", &from.rfc3339()), ("to", &to.rfc3339())]),
            said: format!("{} {count}", cx.time(&from)),
        }
    };
    let some = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    Bars {
        bars: some.map(bar).collect(),
        most: number(most as f64),
        total: histogram.total().to_string(),
        from: cx.time(&histogram.from),
        to: cx.time(&histogram.to),
        counted_from: histogram.counted_from.map(|at| cx.time(&at)),
    }
}

/// Keyset paging: events have no id, so the place is a time and how many of that time were shown.
fn next_page(asked: &Asked, events: &[Event]) -> String {
    let Some(last) = events.last().map(|e| e.time().0) else { return String::new() };
    let same = events.iter().rev().take_while(|e| e.time().0 == last).count();
    let seen = if asked.before == Some(last) { asked.seen + same } else { same };
    asked.href(&[("before", &last.to_string()), ("seen", &seen.to_string())])
}

/// The same as a document; events as JSON, newest first.
async fn api(State(house): State<Shared>, caller: Caller, Query(asked): Query<Asked>) -> Response {
    let sees = may_judge_by(&house, &caller);
    let lang = caller.cx.lang;
    let bad = |detail: String| Problem::saying(lang, problem::BAD_REQUEST, detail).into_response();
    let mut query = match asked.query(&caller.cx, !sees) {
        Ok(query) => query,
        Err(trouble) => return bad(trouble),
    };
    if !(1..=DOCUMENT_MAX).contains(&asked.limit) {
        return bad(caller.cx.t("limitは1から1000です。", "limit is 1 to 1000.").to_owned());
    }
    query.limit = asked.limit;
    let found = match search(&house, query).await {
        Ok(found) => found,
        Err(error) => return bad(error),
    };
    let event = |event: &Event| -> Json {
        json!({
            "time": event.time().rfc3339(), "arrived": event.arrived.rfc3339(), "source": event.source,
            "host": event.host, "app": event.app, "class_uid": event.class, "severity_id": event.severity,
            "message": event.message, "fields": event.fields, "raw": String::from_utf8_lossy(&event.raw),
        })
    };
    Document(json!({
        "events": found.events.iter().map(event).collect::<Vec<_>>(),
        "masked": !sees,
        "segments_read": found.scanned_segments,
        "segments_skipped": found.pruned_segments,
        "segments_unreadable": found.unreadable.len(),
    }))
    .into_response()
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
