//! `/monitoring/sources/add` and `…/first`: ready configuration for what is to send, and what came of it.
//!
//! Nothing is changed here: a secret is made as the page is drawn and kept nowhere; only its hash is meant for
//! `ume.toml`.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Choice, Lang, t};
use serde::Deserialize;
use serde_json::Value as Json;
use stream::Event;
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place as At, Route},
};

use super::{events::search, findings::may_judge};
use crate::{
    kinds::SOURCE_CLASSES,
    senders::{Done, Place, Ready, SENDERS, Sender, Wrong, document, listed, named},
};

/// Newest events that are weighed, and that are shown.
const WEIGHED_MAX: usize = 200;
const SHOWN_MAX: usize = 5;
const LOOKED_BACK_HOURS: i64 = 24;
const MESSAGE_CHARS_MAX: usize = 160;
/// Zones are whole quarters of an hour apart.
const QUARTER_S: i64 = 900;
/// What a clock may be off without its being another zone.
const ADRIFT_S: i64 = 150;
const TOKEN_BYTES: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let add = t("発生源の追加", "Add a source");
    let first = t("届いたイベントの確認", "First events");
    let text = |name, ja, en| Param {
        place: At::Query,
        name,
        schema: "Text",
        required: false,
        text: t(ja, en),
    };
    let api = Route::get("/api/v1/monitoring/senders", inspect, add, api).api(Api {
        tag: "monitoring",
        id: "monitoring_senders".to_owned(),
        params: vec![
            text(
                "sender",
                "送り手の種類。ないときは一覧を返す",
                "Kind of sender; all of them if not given",
            ),
            text("host", "送り手から見たUmeのアドレス", "Ume's address as the sender sees it"),
            text("port", "ポート", "Port"),
            text("source", "出所の名前", "Name of the source"),
            text("from", "送り手のアドレスかネットワーク", "The sender's address or network"),
            text("target", "取りに行く相手のアドレス", "Address of what Ume asks"),
        ],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 404],
    });
    vec![
        Route::get("/monitoring/sources/add", inspect, add, add_page),
        Route::get("/monitoring/sources/first", inspect, first, first_page),
        api,
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    class: String,
    sender: String,
    host: String,
    port: String,
    source: String,
    from: String,
    target: String,
}

impl Asked {
    fn place(&self, sender: &Sender, pages: (u16, bool)) -> Result<Place, Wrong> {
        let (of_pages, tls) = pages;
        let usual = if sender.http { of_pages } else { sender.port.unwrap_or(of_pages) };
        let port = match self.port.trim() {
            "" => usual,
            port => port.parse().ok().filter(|port| *port > 0).ok_or(Wrong {
                field: "port",
                what: t("ポートは1から65535です。", "A port is 1 to 65535."),
            })?,
        };
        let token = web::secrets::random_words::<TOKEN_BYTES>().unwrap_or_default();
        let part = |text: &str| text.trim().to_owned();
        Ok(Place {
            host: part(&self.host),
            port,
            tls,
            source: part(&self.source),
            from: part(&self.from),
            target: part(&self.target),
            token,
        })
    }

    fn is_begun(&self) -> bool {
        [&self.host, &self.source, &self.from, &self.target].iter().any(|text| !text.is_empty())
    }
}

/// One field of the form.
struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    hint: &'static str,
    trouble: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "add_source.html")]
struct AddPage<'a> {
    cx: &'a Cx,
    is_all: bool,
    classes: Vec<(&'static Choice, bool)>,
    /// Of the class, if none is chosen.
    senders: Vec<(&'static Sender, String)>,
    sender: Option<&'static Sender>,
    fields: Vec<Field>,
    ready: Option<Ready>,
    has_token: bool,
    source: String,
}

impl AddPage<'_> {
    fn title(&self, sender: &'static Sender) -> &'static str {
        self.cx.either(&sender.title_ja, &sender.title_en)
    }

    fn note(&self, sender: &'static Sender) -> &'static str {
        self.cx.either(&sender.note_ja, &sender.note_en)
    }

    fn step<'a>(&self, step: &'a Done) -> &'a str {
        self.cx.either(&step.title.0, &step.title.1)
    }
}

/// Where the reader reaches these pages: port, and whether that is TLS.
fn pages_at(headers: &axum::http::HeaderMap, secure: bool) -> (String, u16, bool) {
    let said = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
    let said: axum::http::uri::Authority = said
        .and_then(|host| host.parse().ok())
        .unwrap_or_else(|| axum::http::uri::Authority::from_static("localhost"));
    let host = said.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    (host, said.port_u16().unwrap_or(if secure { 443 } else { 80 }), secure)
}

async fn add_page(
    State(house): State<Shared>,
    user: User,
    headers: axum::http::HeaderMap,
    Query(asked): Query<Asked>,
) -> Answer {
    let cx = &user.cx;
    let (host, port, tls) = pages_at(&headers, house.secure);
    let sender = match asked.sender.as_str() {
        "" => None,
        id => Some(named(id).ok_or(Refusal::NotFound)?),
    };
    let mut wrong = Vec::new();
    let mut ready = None;
    if let Some(sender) = sender.filter(|_| asked.is_begun()) {
        match asked.place(sender, (port, tls)).map_err(|wrong| vec![wrong]) {
            Ok(place) => match sender.ready(&place) {
                Ok(all) => ready = Some(all),
                Err(all) => wrong = all,
            },
            Err(all) => wrong = all,
        }
    }
    let body = AddPage {
        cx,
        is_all: asked.class.is_empty(),
        classes: SOURCE_CLASSES
            .iter()
            .filter(|choice| SENDERS.iter().any(|s| s.classes.iter().any(|c| c == choice.value)))
            .map(|choice| (choice, choice.value == asked.class))
            .collect(),
        senders: SENDERS
            .iter()
            .filter(|s| asked.class.is_empty() || s.classes.contains(&asked.class))
            .map(|sender| (sender, labels(cx, sender)))
            .collect(),
        sender,
        fields: sender.map(|s| fields(cx, s, &asked, &wrong, (host, port))).unwrap_or_default(),
        ready,
        has_token: sender.is_some_and(|s| s.needs("token") || s.needs("token_sha256")),
        source: asked.source.trim().to_owned(),
    };
    page(cx, cx.t("発生源の追加", "Add a source"), &body)
}

fn labels(cx: &Cx, sender: &Sender) -> String {
    let of = |class: &String| {
        let choice = SOURCE_CLASSES.iter().find(|choice| choice.value == class);
        choice.map(|choice| cx.pick(&choice.label).to_owned())
    };
    let all: Vec<String> = sender.classes.iter().filter_map(of).collect();
    all.join(cx.t("、", ", "))
}

fn fields(
    cx: &Cx,
    sender: &Sender,
    asked: &Asked,
    wrong: &[Wrong],
    (host, port): (String, u16),
) -> Vec<Field> {
    let or = |said: &str, usual: String| if said.is_empty() { usual } else { said.to_owned() };
    let usual_port = if sender.http { port } else { sender.port.unwrap_or(port) };
    let all = [
        (
            sender.needs("source"),
            "source",
            cx.t("出所の名前", "Name of the source"),
            or(&asked.source, sender.id.clone()),
            cx.t("このイベントをUmeの中で呼ぶ名前", "What its events are called in Ume"),
        ),
        (
            sender.needs("host") || sender.needs("page"),
            "host",
            cx.t("送り手から見たUmeのアドレス", "Ume's address as the sender sees it"),
            or(&asked.host, host),
            cx.t("ホスト名かIPアドレス", "Host name or address"),
        ),
        (
            sender.port.is_some() || sender.http,
            "port",
            cx.t("ポート", "Port"),
            or(&asked.port, usual_port.to_string()),
            cx.t("Umeが待ち受けるポート", "Where Ume listens"),
        ),
        (
            sender.needs("from"),
            "from",
            cx.t("送り手のアドレス", "The sender's address"),
            asked.from.clone(),
            cx.t("例 192.0.2.0/24", "Such as 192.0.2.0/24"),
        ),
        (
            sender.needs("target"),
            "target",
            cx.t("取りに行く相手", "What Ume asks"),
            asked.target.clone(),
            cx.t("例 192.0.2.1、db1.example:5432", "Such as 192.0.2.1 or db1.example:5432"),
        ),
    ];
    let shown = all.into_iter().filter(|(needed, ..)| *needed);
    let shown = shown.map(|(_, name, label, value, hint)| Field {
        name,
        label,
        value,
        hint,
        trouble: wrong.iter().find(|w| w.field == name).map(|w| match cx.lang {
            Lang::Ja => w.what.ja,
            Lang::En => w.what.en,
        }),
    });
    shown.collect()
}

async fn api(
    State(house): State<Shared>,
    caller: Caller,
    headers: axum::http::HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let cx = &caller.cx;
    if asked.sender.is_empty() {
        return Document(listed()).into_response();
    }
    let Some(sender) = named(&asked.sender) else {
        let what = t("この種類の送り手はありません。", "There is no such kind of sender.");
        return Problem::new(cx.lang, problem::NOT_FOUND, what).into_response();
    };
    let (_, port, tls) = pages_at(&headers, house.secure);
    let place = asked.place(sender, (port, tls)).map_err(|wrong| vec![wrong]);
    match place.and_then(|place| Ok((sender.ready(&place)?, place.token))) {
        Ok((ready, token)) => Document(document(sender, &ready, &token)).into_response(),
        Err(wrong) => {
            let all: Vec<String> =
                wrong.iter().map(|w| format!("{}: {}", w.field, cx.pick(&w.what))).collect();
            Problem::saying(cx.lang, problem::BAD_REQUEST, all.join(" ")).into_response()
        }
    }
}

#[derive(Deserialize)]
struct Of {
    #[serde(default)]
    source: String,
}

/// What the newest events of a source show of how it writes.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: usize,
    /// More than a text was read from them.
    understood: usize,
    encodings: BTreeMap<String, usize>,
    classes: BTreeMap<u32, usize>,
    without_time: usize,
    /// By how many seconds their clock seems to be in another zone.
    zone_off_s: Option<i64>,
}

impl Seen {
    fn of(events: &[Event]) -> Seen {
        let mut seen = Seen { events: events.len(), ..Seen::default() };
        let mut off: Vec<i64> = Vec::new();
        for event in events {
            let plain = ["encoding", "peer", "part", "facility", "priority"];
            let more = event.fields.keys().any(|name| !plain.contains(&name.as_str()));
            seen.understood += usize::from(event.class != 0 || more || !event.app.is_empty());
            let encoding = event.fields.get("encoding").map_or("utf-8", String::as_str);
            *seen.encodings.entry(encoding.to_owned()).or_default() += 1;
            *seen.classes.entry(event.class).or_default() += 1;
            match event.event_time {
                Some(time) => off.push((time.0 - event.arrived.0).div_euclid(1_000_000)),
                None => seen.without_time += 1,
            }
        }
        off.sort_unstable();
        seen.zone_off_s = off.get(off.len() / 2).copied().and_then(zone_off);
        seen
    }
}

/// Whole quarters of an hour that a clock is off, unless it is right or off by something else.
fn zone_off(seconds: i64) -> Option<i64> {
    let quarters = (seconds + QUARTER_S / 2).div_euclid(QUARTER_S);
    let rest = (seconds - quarters * QUARTER_S).abs();
    (quarters != 0 && rest <= ADRIFT_S && quarters.abs() <= 14 * 4).then_some(quarters * QUARTER_S)
}

struct Shown {
    time: String,
    host: String,
    class: String,
    message: String,
}

#[derive(Template)]
#[template(path = "first_events.html")]
struct FirstPage<'a> {
    cx: &'a Cx,
    source: String,
    /// Received, stored.
    counts: Option<(u64, u64)>,
    refused: Vec<(String, u64)>,
    turned_away: Vec<(String, u64)>,
    seen: Seen,
    percent: usize,
    encodings: String,
    zone: Option<String>,
    events: Vec<Shown>,
}

async fn first_page(State(house): State<Shared>, user: User, Query(of): Query<Of>) -> Answer {
    let cx = &user.cx;
    let source = of.source.trim().to_owned();
    let query = stream::Query {
        source: Some(source.clone()),
        from: Some(house.store.now().plus_hours(-LOOKED_BACK_HOURS)),
        limit: WEIGHED_MAX,
        hides_personal: !may_judge(&house, &user),
        ..stream::Query::default()
    };
    let events = search(&house, query).await.map_err(Refusal::Bad)?.events;
    let counters = house.intake.read().ok().and_then(|all| all.get(&source).cloned());
    let count = |name: &str| counters.as_ref().and_then(|c| c.get(name)).and_then(Json::as_u64);
    let by = |name: &str| -> Vec<(String, u64)> {
        let of = counters.as_ref().and_then(|c| c.get(name)).and_then(Json::as_object);
        let one = |(reason, n): (&String, &Json)| Some((reason.clone(), n.as_u64()?));
        of.into_iter().flatten().filter_map(one).collect()
    };
    let seen = Seen::of(&events);
    let encodings: Vec<String> =
        seen.encodings.iter().map(|(name, n)| format!("{name} ({n})")).collect();
    let body = FirstPage {
        cx,
        counts: count("received").zip(count("stored")),
        refused: by("refused"),
        turned_away: by("turned_away"),
        percent: (seen.understood * 100).checked_div(seen.events).unwrap_or(0),
        encodings: encodings.join(cx.t("、", ", ")),
        zone: seen.zone_off_s.map(offset),
        events: events.iter().take(SHOWN_MAX).map(|event| shown(cx, event)).collect(),
        seen,
        source,
    };
    page(cx, cx.t("届いたイベントの確認", "First events"), &body)
}

fn offset(seconds: i64) -> String {
    let minutes = seconds.abs() / 60;
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{}:{:02}", minutes / 60, minutes % 60)
}

fn shown(cx: &Cx, event: &Event) -> Shown {
    let mut message: String = event.message.chars().take(MESSAGE_CHARS_MAX).collect();
    if message.len() < event.message.len() {
        message.push('…');
    }
    Shown {
        time: cx.time(&event.time()),
        host: event.host.clone(),
        class: kind_of(cx, event.class).to_owned(),
        message,
    }
}

/// An OCSF class as people say it.
fn kind_of(cx: &Cx, class: u32) -> &'static str {
    use stream::parse::*;
    match class {
        CLASS_FILE => cx.t("ファイル操作", "File activity"),
        CLASS_PROCESS => cx.t("プログラムの起動", "Process"),
        CLASS_FINDING => cx.t("他製品の検知", "Finding of another tool"),
        CLASS_ACCOUNT => cx.t("アカウントの変更", "Account change"),
        CLASS_AUTHENTICATION => cx.t("認証", "Authentication"),
        CLASS_NETWORK => cx.t("通信", "Network"),
        CLASS_HTTP => cx.t("HTTP", "HTTP"),
        CLASS_DNS => cx.t("DNS", "DNS"),
        CLASS_API => cx.t("API操作", "API"),
        _ => cx.t("その他", "Other"),
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn event(class: u32, off_s: Option<i64>, encoding: Option<&str>) -> Event {
        let arrived = Timestamp(1_800_000_000_000_000);
        let fields = encoding.map(|name| ("encoding".to_owned(), name.to_owned()));
        Event {
            raw: Vec::new(),
            event_time: off_s.map(|s| Timestamp(arrived.0 + s * 1_000_000)),
            arrived,
            source: "a".into(),
            class,
            host: String::new(),
            app: String::new(),
            severity: 0,
            message: String::new(),
            fields: fields.into_iter().collect(),
        }
    }

    #[test]
    fn what_came_says_how_it_is_written() {
        let events = [
            event(0, Some(-32_410), Some("cp932")),
            event(3002, Some(-32_400), None),
            event(0, Some(-32_399), Some("cp932")),
            event(0, None, None),
        ];
        let seen = Seen::of(&events);
        assert_eq!((seen.events, seen.understood, seen.without_time), (4, 1, 1));
        assert_eq!(seen.encodings.get("cp932"), Some(&2));
        assert_eq!(seen.zone_off_s, Some(-32_400));
        assert_eq!(offset(-32_400), "-9:00");
        assert_eq!(Seen::of(&[]), Seen::default());
    }

    #[test]
    fn a_wrong_clock_is_no_zone() {
        let all = [0, 100, -149, 500, 3_600, 3_700, 3_800, 19_800, -34_200, 60 * 3_600];
        let off: Vec<Option<i64>> = all.into_iter().map(zone_off).collect();
        let none = None;
        assert_eq!(
            off,
            [
                none,
                none,
                none,
                none,
                Some(3_600),
                Some(3_600),
                none,
                Some(19_800),
                Some(-34_200),
                none
            ]
        );
    }
}
