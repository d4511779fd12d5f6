//! `/monitoring/series`: what is measured and whether it is as usual; the documents of series and forecasts.
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
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Record, Store, StoreError};
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::{
    chart::{Frame, number},
    one_series,
};
use crate::work::series::{
    About, Steady, bare, folder, lock, rates, read_many,
    rules::Rule,
    site::{SERIES_MAX, Tracked},
};

const SHOWN_MAX: usize = 50;
/// Series that a document of the API has at most.
const TOLD_MAX: usize = 1_000;
const FORECAST: &str = "monitoring.capacity_forecast";
/// Forecasts are made twice a day.
const FORECAST_HOURS: i64 = 48;
const FORECASTS_MAX: usize = 10_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

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
        Route::get(
            "/monitoring/series/{id}",
            inspect,
            t("系列の詳細", "A series"),
            one_series::one,
        ),
        Route::get("/api/v1/monitoring/series", inspect, title, api)
            .api(document("monitoring_series", vec![words, after])),
        Route::get("/api/v1/monitoring/forecasts", inspect, forecasts, api_forecasts)
            .api(document("monitoring_forecasts", Vec::new())),
    ]
}

/// How a series fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fares {
    Open,
    Learning,
    Steady,
}

impl Fares {
    pub(super) const ALL: [Fares; 3] = [Fares::Open, Fares::Learning, Fares::Steady];

    pub fn name(self) -> &'static str {
        match self {
            Fares::Open => "open",
            Fares::Learning => "learning",
            Fares::Steady => "steady",
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Fares::Open => "fail",
            Fares::Learning => "unknown",
            Fares::Steady => "pass",
        }
    }

    pub fn text(self) -> model::Text {
        match self {
            Fares::Open => t("異常が続いている", "open anomaly"),
            Fares::Learning => t("学習中", "learning"),
            Fares::Steady => t("定常", "steady"),
        }
    }
}

/// A series as it stands.
#[derive(Clone)]
pub(super) struct Standing {
    pub about: Arc<About>,
    pub state: Fares,
    pub open_since: Option<i64>,
    pub first: i64,
    pub last: Timestamp,
    pub value: f64,
    pub points: u64,
    pub hours_learnt: u16,
    pub refused: steady::Refused,
    /// The rule of the register by which it is judged.
    pub rule: Option<Arc<Rule>>,
    /// Nothing is learnt or judged just now, since that rule says so.
    pub rests: bool,
}

impl Standing {
    pub fn id(&self) -> String {
        format!("{:016x}", self.about.id)
    }

    pub fn value_text(&self) -> String {
        number(self.value)
    }

    pub fn host(&self) -> &str {
        bare(&self.about.host)
    }
}

/// All series, those with an open anomaly first, then by host and name; and how many points found no room.
pub(super) fn standing(house: &web::House) -> (Vec<Standing>, u64) {
    let Some(site) = house.kept.get::<Steady>().site() else { return (Vec::new(), 0) };
    let site = lock(&site);
    let one = |tracked: &Tracked| {
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
            rule: tracked.rule.clone(),
            rests: tracked.series.is_in_maintenance(),
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
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, room::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let said = |error: room::Error| Refusal::Bad(error.to_string());
    room::blocking(work).await.map_err(said)?.map_err(said)
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
        "judged_by": standing.rule.as_ref().map(|rule| json!({ "id": rule.id, "name": rule.name })),
        "rests": standing.rests,
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

/// When a resource runs out, as was forecast last.
pub(super) struct Outlook {
    record: Record,
    pub resource: String,
    pub asset: Option<Id>,
    pub days: i64,
    pub low: Option<i64>,
    pub high: Option<i64>,
}

impl Outlook {
    fn of(record: Record) -> Option<Outlook> {
        let number = |name: &str| record.facts.get(name).and_then(Json::as_i64);
        let resource = record.facts.get("resource").and_then(Json::as_str).unwrap_or_default();
        Some(Outlook {
            resource: resource.to_owned(),
            asset: record.subject,
            days: number("eta_days")?,
            low: number("low_days"),
            high: number("high_days"),
            record,
        })
    }

    pub fn told(&self) -> Json {
        json!({
            "record": self.record.id, "at": self.record.observed_to.rfc3339(), "asset": self.asset,
            "resource": self.resource, "eta_days": self.days, "low_days": self.low, "high_days": self.high,
        })
    }
}

/// The newest forecast of each resource in the last two days, what runs out soonest first.
pub(super) async fn outlooks(store: &Store) -> Result<Vec<Outlook>, StoreError> {
    let since = store.now().minus_hours(FORECAST_HOURS);
    let found = store.records_since(&[FORECAST], since, FORECASTS_MAX).await?;
    let mut newest: BTreeMap<String, Outlook> = BTreeMap::new();
    for outlook in found.into_iter().filter_map(Outlook::of) {
        let is_newer = |known: &Outlook| outlook.record.id > known.record.id;
        if newest.get(&outlook.resource).is_none_or(is_newer) {
            newest.insert(outlook.resource.clone(), outlook);
        }
    }
    let mut all: Vec<Outlook> = newest.into_values().collect();
    all.sort_by_key(|outlook| outlook.days);
    Ok(all)
}

async fn api_forecasts(State(house): State<Shared>, caller: Caller) -> Response {
    match outlooks(&house.store).await {
        Ok(all) => {
            let told: Vec<Json> = all.iter().map(Outlook::told).collect();
            Document(json!({ "forecasts": told })).into_response()
        }
        Err(error) => Problem::of_store(caller.cx.lang, &error).into_response(),
    }
}
