//! `/monitoring/gap`: what differs between the hours around a finding and the same hours of quiet weeks, and what
//! somebody decides on it.
//!
//! Invariants: what differs may name people, so it is shown to those who may judge; what is decided is what was
//! compared; a finding is judged by it once.

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use steady::Facet;
use store::{Record, Store};
use web::{
    House, Shared, Titles,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::findings::{may_judge, may_judge_by, person, reason_of};
use crate::{
    findings::{self, Alert, JudgeError, Judgement, Judging},
    gap::{self, ANALYSIS, Analysis, Asked, Deciding, GapError, Host, Item},
};

/// Width of the picture in its own units.
const WIDTH: i64 = 1_000;
const LISTED_MAX: usize = 50;
/// Deviation at which a bar is as strong as it gets.
const STRONG: f64 = 20.0;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("GAP分析", "GAP analysis");
    let word = |name, ja, en| Param {
        place: Place::Query,
        name,
        schema: "Word",
        required: false,
        text: t(ja, en),
    };
    let params = vec![
        word("finding", "検知のID。その前後を比べる", "Id of a finding: the hours around it"),
        word("from", "始まりの時刻", "Begin of the window"),
        word("to", "終わりの時刻", "End of the window"),
        word("at", "気づいた時刻。なければ中ほど", "When it was noticed; the middle if not given"),
        word("host", "ホストのIDまたは名前", "Id or name of a host"),
    ];
    let document = |id: &str, params, refusals| Api {
        tag: "monitoring",
        id: id.to_owned(),
        params,
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    let path = "/api/v1/monitoring/gap";
    let list_title = t("GAP分析の記録", "GAP analyses decided");
    vec![
        Route::get("/monitoring/gap", inspect, title, show),
        Route::post(
            "/monitoring/gap",
            write,
            t("GAP分析の判断", "Decide on a GAP analysis"),
            decide,
        ),
        Route::get(path, inspect, list_title, list).api(document(
            "monitoring_gaps",
            Vec::new(),
            &[],
        )),
        Route::post(path, write, title, compare).api(document(
            "monitoring_gap",
            params,
            &[400, 403, 404, 409],
        )),
    ]
}

/// Which window is asked for: around a finding, or a span of time.
#[derive(Clone, Default, Deserialize)]
struct Window {
    #[serde(default)]
    finding: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    host: String,
}

/// Why a window cannot be compared.
enum Unclear {
    NoFinding,
    NoHost,
    /// Not a span of at most a day, of which some has passed.
    Span,
    Store(store::StoreError),
}

impl From<store::StoreError> for Unclear {
    fn from(error: store::StoreError) -> Unclear {
        Unclear::Store(error)
    }
}

impl Unclear {
    fn text(&self) -> model::Text {
        match self {
            Unclear::NoFinding => t("その検知はありません。", "There is no such finding."),
            Unclear::NoHost => {
                t("そのホストは台帳にありません。", "The register knows no such host.")
            }
            Unclear::Span | Unclear::Store(_) => t(
                "始まりと終わりを、24時間以内で、いまより前から始まるように指定してください。",
                "Give a begin before now and an end at most 24 hours behind it.",
            ),
        }
    }
}

impl Window {
    fn is_empty(&self) -> bool {
        self.finding.is_empty() && self.from.is_empty() && self.to.is_empty()
    }

    async fn read(&self, store: &Store, cx: &Cx) -> Result<(Asked, Option<Alert>), Unclear> {
        if let Ok(id) = self.finding.parse::<Id>() {
            let alert = findings::one(store, id).await?.ok_or(Unclear::NoFinding)?;
            let host = match alert.record.subject {
                Some(id) => store.rows_by_id(Table::Asset, &[id]).await?.pop(),
                None => None,
            };
            let asked = Asked::around(alert.record.observed_from, host.as_ref().map(Host::of));
            return Ok((asked, Some(alert)));
        }
        let time = |text: &str| moment(text, cx).ok_or(Unclear::Span);
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        let at = match self.at.as_str() {
            "" => Timestamp(from.0 + (to.0 - from.0) / 3 * 2),
            at => time(at)?,
        };
        let asked = Asked { from, to, at, host: self.host(store).await? };
        if asked.is_whole(store.now()) { Ok((asked, None)) } else { Err(Unclear::Span) }
    }

    async fn host(&self, store: &Store) -> Result<Option<Host>, Unclear> {
        let wanted = self.host.trim();
        if wanted.is_empty() {
            return Ok(None);
        }
        let id = match wanted.parse::<Id>() {
            Ok(id) => Some(id),
            Err(_) => store.row_with(Table::Asset, "host", "hostname", wanted).await?,
        };
        let row = match id {
            Some(id) => store.rows_by_id(Table::Asset, &[id]).await?.pop(),
            None => None,
        };
        row.as_ref().map(Host::of).map(Some).ok_or(Unclear::NoHost)
    }
}

/// A time as a form or a program writes it; without an offset it is where the organisation is.
pub(super) fn moment(text: &str, cx: &Cx) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(time) = Timestamp::parse(text) {
        return Some(time);
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    Some(Timestamp(cx.local.zone.to_timestamp(local).ok()?.as_microsecond()))
}

/// An item as it is drawn and linked.
struct Line {
    facet: &'static str,
    key: String,
    observed: String,
    expected: String,
    /// `more` or `less`, for the bar and in words.
    way: &'static str,
    said: &'static str,
    onset: String,
    x: i64,
    width: i64,
    height: i64,
    href: String,
    also: Vec<String>,
}

#[derive(Template)]
#[template(path = "gap_analysis.html")]
struct GapPage<'a> {
    cx: &'a Cx,
    asked: &'a Window,
    unclear: Option<model::Text>,
    analysis: Option<&'a Analysis>,
    alert: Option<&'a Alert>,
    heading: String,
    host: Option<(Id, String)>,
    lines: Vec<Line>,
    hidden: bool,
    may_judge: bool,
    decided: Vec<Decided>,
    noticed: i64,
}

struct Decided {
    id: Id,
    at: Timestamp,
    verdict: Option<Judgement>,
    items: i64,
    weeks: i64,
    reason: String,
}

impl GapPage<'_> {
    fn time(&self, at: i64) -> String {
        self.cx.time(&Timestamp(at))
    }

    fn weeks(&self, weeks: &[i64]) -> String {
        let words: Vec<String> = weeks.iter().map(i64::to_string).collect();
        words.join(self.cx.t("・", ", "))
    }
}

async fn show(State(house): State<Shared>, user: User, Query(asked): Query<Window>) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let heading = cx.t("GAP分析", "GAP analysis").to_owned();
    let mut body = GapPage {
        cx,
        asked: &asked,
        unclear: None,
        analysis: None,
        alert: None,
        heading,
        host: None,
        lines: Vec::new(),
        hidden: false,
        may_judge: may_judge(&house, &user),
        decided: Vec::new(),
        noticed: 0,
    };
    if asked.is_empty() {
        body.decided = decided(&house, &user, None).await?;
        return page(cx, &body.heading, &body);
    }
    let (window, alert) = match asked.read(store, cx).await {
        Ok(read) => read,
        Err(Unclear::Store(error)) => return Err(error.into()),
        Err(unclear) => {
            body.unclear = Some(unclear.text());
            return page(cx, &body.heading, &body);
        }
    };
    let analysis = made(&house, &window).await?;
    if let Some(alert) = &alert {
        body.decided = decided(&house, &user, Some(alert.record.id)).await?;
    }
    body.host = window.host.as_ref().map(|host| (host.id, host.name.clone()));
    body.hidden = !body.may_judge;
    body.noticed = place(&analysis, analysis.at);
    if body.may_judge {
        let titles = Titles { house: &house, lang: cx.lang };
        body.lines =
            analysis.by_onset().into_iter().map(|i| line(cx, &titles, &analysis, i)).collect();
    }
    (body.alert, body.analysis) = (alert.as_ref(), Some(&*analysis));
    page(cx, &body.heading, &body)
}

async fn made(house: &Shared, asked: &Asked) -> Result<std::sync::Arc<Analysis>, Refusal> {
    gap::made(house, asked).await.map_err(|error| match error {
        GapError::Store(error) => Refusal::Store(error),
        GapError::Busy => Refusal::Busy,
        other => Refusal::Bad(other.to_string()),
    })
}

/// Decisions about a finding, or the newest of all.
async fn decided(house: &House, user: &User, about: Option<Id>) -> Result<Vec<Decided>, Refusal> {
    let store = &house.store;
    let mut all = Vec::new();
    for record in store.newest_records(&[ANALYSIS], about, LISTED_MAX).await? {
        let number = |name: &str| record.facts.get(name).and_then(Json::as_i64).unwrap_or(0);
        // Of one finding there are few, of all the reasons are left out.
        let reason = match about {
            Some(_) if may_judge(house, user) => reason_of(store, record.id).await?,
            _ => String::new(),
        };
        all.push(Decided {
            id: record.id,
            at: record.received_at,
            verdict: verdict(&record),
            items: number("items"),
            weeks: number("steady_weeks"),
            reason,
        });
        if about.is_some() && all.len() == 2 {
            break;
        }
    }
    Ok(all)
}

fn verdict(record: &Record) -> Option<Judgement> {
    Judgement::parse(record.facts.get("verdict")?.as_str()?)
}

fn place(analysis: &Analysis, at: Timestamp) -> i64 {
    let whole = (analysis.to.0 - analysis.from.0).max(1);
    let part = (at.0 - analysis.from.0).clamp(0, whole);
    i64::try_from(i128::from(part) * i128::from(WIDTH) / i128::from(whole)).unwrap_or(WIDTH)
}

fn line(cx: &Cx, titles: &Titles<'_>, analysis: &Analysis, item: &Item) -> Line {
    let gap = &item.gap;
    let onset = Timestamp(gap.onset);
    let (x, end) = (place(analysis, onset), place(analysis, item.last.max(onset)));
    let is_more = gap.effect >= 0.0;
    let height = (gap.effect.abs().min(STRONG) / STRONG * 12.0) as i64 + 4;
    Line {
        facet: cx.pick(&facet_text(gap.facet)),
        key: key(titles, gap.facet, &gap.key),
        observed: number(gap.observed),
        expected: number(gap.expected),
        way: if is_more { "more" } else { "less" },
        said: match (is_more, gap.expected == 0.0, gap.observed == 0.0) {
            (true, true, _) => cx.t("新しい", "new"),
            (true, ..) => cx.t("増えた", "more"),
            (false, _, true) => cx.t("消えた", "gone"),
            (false, ..) => cx.t("減った", "less"),
        },
        onset: cx.time(&onset),
        x: x.min(WIDTH - 6),
        width: (end - x).max(6),
        height,
        href: href(item),
        also: gap
            .also
            .iter()
            .map(|(facet, name)| {
                format!("{} {}", cx.pick(&facet_text(*facet)), key(titles, *facet, name))
            })
            .collect(),
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Records bear their type's title instead of its name.
fn key(titles: &Titles<'_>, facet: Facet, key: &str) -> String {
    let is_record = matches!(facet, Facet::Change | Facet::Backup | Facet::Door | Facet::Camera);
    let (ty, rest) = key.split_once(' ').unwrap_or((key, ""));
    if !is_record || titles.of(ty) == ty {
        return key.to_owned();
    }
    format!("{} {rest}", titles.of(ty)).trim_end().to_owned()
}

/// Where the events of an item are found: those up to its newest, by its value or a word of its template.
fn href(item: &Item) -> String {
    match (item.record, item.gap.facet) {
        (Some(id), Facet::Finding) => return format!("/findings/{id}"),
        (Some(id), _) => return format!("/records/{id}"),
        (None, _) => {}
    }
    let key = item.gap.key.as_str();
    let words = match item.gap.facet {
        Facet::User => format!("user:{key}"),
        Facet::Destination => format!("dst_ip:{key}"),
        Facet::Port => format!("dst_port:{key}"),
        Facet::Connections => format!("src_ip:{key}"),
        Facet::Process if !key.starts_with('/') => format!("app:{key}"),
        Facet::Process => format!("exe:{key}"),
        Facet::Metric => {
            key.split(['{', ' ']).next().map(|m| format!("metric:{m}")).unwrap_or_default()
        }
        // The longest run of words that a template has in every line.
        _ => key.split("<*>").map(str::trim).max_by_key(|run| run.len()).unwrap_or(key).to_owned(),
    };
    format!("/events?q={}&before={}", urlencoding::encode(&words), item.last.0)
}

fn facet_text(facet: Facet) -> model::Text {
    match facet {
        Facet::Metric => t("計測値", "metric"),
        Facet::Template => t("ログの文型", "log line"),
        Facet::User => t("利用者", "user"),
        Facet::Process => t("プロセス", "process"),
        Facet::Destination => t("接続先", "destination"),
        Facet::Port => t("ポート", "port"),
        Facet::Volume => t("通信量", "volume"),
        Facet::Connections => t("接続数", "connections"),
        Facet::Finding => t("検知", "finding"),
        Facet::Change => t("構成変更", "change"),
        Facet::Backup => t("バックアップ", "backup"),
        Facet::Door => t("扉", "door"),
        Facet::Camera => t("カメラ", "camera"),
    }
}

#[derive(Deserialize)]
struct DecideForm {
    csrf: String,
    verdict: String,
    reason: String,
    /// When the comparison that was shown was made, in microseconds.
    #[serde(default)]
    made: String,
    #[serde(flatten)]
    window: Window,
}

async fn decide(State(house): State<Shared>, user: User, Form(form): Form<DecideForm>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let (cx, store) = (&user.cx, &house.store);
    let (judgement, reason) = super::findings::judgement_of(cx, &form.verdict, &form.reason)?;
    let (asked, _) = form.window.read(store, cx).await.map_err(|unclear| match unclear {
        Unclear::Store(error) => Refusal::Store(error),
        other => Refusal::Bad(cx.pick(&other.text()).to_owned()),
    })?;
    // Before the change begins, for it may read for a while.
    let shown = form.made.parse().ok().and_then(|at| gap::shown(&house, &asked, Timestamp(at)));
    let analysis = match shown {
        Some(analysis) => analysis,
        None => made(&house, &asked).await?,
    };
    let handler = person(store, &user.session.account.login).await?;
    let holidays = crate::work::week::holidays(store).await?;
    let mut write = user.write(&house, cx.t("GAP分析の判断", "decided on a GAP analysis")).await?;
    let alert = match form.window.finding.parse::<Id>() {
        // Read behind the beginning of the change: another may have judged it meanwhile.
        Ok(id) => findings::one(store, id).await?,
        Err(_) => None,
    };
    let begun = alert.as_ref().map_or(analysis.at, |alert| alert.record.received_at);
    let working_days = gap::working_days(begun, store.now(), &cx.local.zone, &holidays);
    let judging = Judging { judgement, reason: &reason, handler };
    let deciding = Deciding { analysis: &analysis, judging, working_days };
    match gap::decide(store, &mut write, alert.as_ref(), &deciding).await {
        Ok(_) => write.commit().await?,
        Err(JudgeError::Store(error)) => return Err(error.into()),
        Err(JudgeError::Judged) => return Err(Refusal::Busy),
    }
    house.wake();
    let back = match &alert {
        Some(alert) => format!("/findings/{}", alert.record.id),
        None => "/monitoring/gap".to_owned(),
    };
    Ok(Redirect::to(&back).into_response())
}

async fn list(State(house): State<Shared>, caller: Caller) -> Response {
    let records = match house.store.newest_records(&[ANALYSIS], None, LISTED_MAX).await {
        Ok(records) => records,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let told: Vec<Json> = records
        .iter()
        .map(|record| {
            json!({
                "id": record.id,
                "at": record.received_at.rfc3339(),
                "about": record.subject,
                "facts": record.facts,
            })
        })
        .collect();
    Document(json!({ "analyses": told })).into_response()
}

async fn compare(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Window>,
) -> Response {
    let lang = caller.cx.lang;
    let (window, _) = match asked.read(&house.store, &caller.cx).await {
        Ok(read) => read,
        Err(Unclear::Store(error)) => return Problem::of_store(lang, &error).into_response(),
        Err(Unclear::Span) => {
            return Problem::new(lang, problem::BAD_REQUEST, Unclear::Span.text()).into_response();
        }
        Err(other) => return Problem::new(lang, problem::NOT_FOUND, other.text()).into_response(),
    };
    if !may_judge_by(&house, &caller) {
        let detail = t(
            "GAP分析には、検知を判断する役割が必要です。",
            "A GAP analysis is for roles that judge findings.",
        );
        return Problem::new(lang, problem::FORBIDDEN, detail).into_response();
    }
    match gap::made(&house, &window).await {
        Ok(analysis) => Document(gap::document(&analysis)).into_response(),
        Err(GapError::Store(error)) => Problem::of_store(lang, &error).into_response(),
        Err(GapError::Busy) => {
            let detail = t(
                "別のGAP分析を実行中です。しばらくしてやり直してください。",
                "Another GAP analysis is being made; try again in a while.",
            );
            Problem::new(lang, problem::CONFLICT, detail).into_response()
        }
        Err(other) => Problem::broken(lang, &other).into_response(),
    }
}
