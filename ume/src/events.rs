//! The events page: search over the archive, and the counts of the intake.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;
use stream::{Event, SearchResult};
use web::{
    Shared,
    frame::{Answer, Cx, Refusal, User},
};

const EVENTS_SHOWN_MAX: usize = 200;

#[derive(Deserialize)]
pub struct EventsQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    source: String,
}

struct Source {
    name: String,
    chosen: bool,
    received: u64,
    stored: u64,
    refused: u64,
    lost: u64,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage<'a> {
    cx: &'a Cx,
    q: &'a str,
    events: Vec<Event>,
    found: SearchResult,
    sources: Vec<Source>,
}

/// `q` is either words of the message or `field:value`.
pub async fn page(
    State(house): State<Shared>,
    user: User,
    Query(query): Query<EventsQuery>,
) -> Answer {
    let words = query.q.trim();
    let field = words
        .split_once(':')
        .filter(|(name, value)| !name.contains(' ') && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let wanted = stream::Query {
        source: Some(query.source.clone()).filter(|s| !s.is_empty()),
        text: Some(words.to_owned()).filter(|t| !t.is_empty() && field.is_none()),
        field,
        limit: EVENTS_SHOWN_MAX,
        ..stream::Query::default()
    };
    let folder = house.archive.join("archive");
    let mut found = tokio::task::spawn_blocking(move || stream::search(&folder, &wanted))
        .await
        .map_err(|e| Refusal::Bad(e.to_string()))?
        .map_err(|e| Refusal::Bad(e.to_string()))?;
    let sources = sources(&house, &query.source);
    let events = std::mem::take(&mut found.events);
    let body = EventsPage { cx: &user.cx, q: &query.q, events, found, sources };
    web::frame::page(&user.cx, user.cx.t("イベント", "Events"), &body)
}

fn sources(house: &web::House, chosen: &str) -> Vec<Source> {
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
        })
        .collect()
}
