//! `/findings`: what rules found, and what people make of it.
//!
//! Invariants: the event itself may name people, so it is shown to those who may judge it; a finding is judged by
//! one form, once, with a reason.

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Lang, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sigma::{Arena, Matcher};
use steady::SECOND;
use store::{RecordFilter, Store};
use stream::Event;
use web::{
    House, Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use crate::{
    findings::{
        self, Alert, Due, FINDING, JudgeError, Judgement, Judging, REASON_CHARS_MAX,
        with_judgements,
    },
    work::{
        evaluate::lay,
        live::{self, Again, Live},
        logs::span,
        rules,
        series::Steady,
    },
};

mod why;

const SHOWN_MAX: usize = 50;
/// Findings looked at for the numbers at the top.
const COUNTED_MAX: usize = 1_000;
const COUNTED_DAYS: i64 = 30;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("検知", "Findings");
    let judge_title = t("検知の判断", "Judge a finding");
    let query = |name, schema, ja, en| Param {
        place: Place::Query,
        name,
        schema,
        required: false,
        text: t(ja, en),
    };
    let api = Route::get("/api/v1/monitoring/findings", inspect, title, api).api(Api {
        tag: "monitoring",
        id: "monitoring_findings".to_owned(),
        params: vec![query("before", "Id", "このIDより前の検知", "Findings before this id")],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    });
    vec![
        Route::get("/findings", inspect, title, list),
        Route::get("/findings/{id}", inspect, t("検知の詳細", "A finding"), one),
        Route::post("/findings/{id}/judge", Access::Action(Action::Write), judge_title, judge),
        api,
    ]
}

/// Whether the reader may judge: who may change the rules may judge what they find.
pub(super) fn may_judge(house: &House, user: &User) -> bool {
    house
        .kind(Table::Rule, "detection")
        .is_some_and(|(_, kind)| user.reader().may(Action::Write, kind))
}

/// The same of whoever calls the API.
pub(super) fn may_judge_by(house: &House, caller: &Caller) -> bool {
    let kind = house.kind(Table::Rule, "detection");
    kind.is_some_and(|(_, kind)| caller.reader.may(Action::Write, kind))
}

#[derive(Deserialize)]
struct Asked {
    before: Option<Id>,
}

/// A finding as the list shows it.
struct Line {
    alert: Alert,
    title: String,
    host: String,
    again: Again,
    /// Whether it waits longer than it should.
    late: bool,
}

#[derive(Template)]
#[template(path = "findings.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    /// All of 30 days; not judged, of them grave; judged false in 30 days.
    counts: [usize; 4],
    rules: usize,
    rejected: usize,
    next: Option<Id>,
}

impl ListPage<'_> {
    fn open(&self) -> usize {
        self.counts[1]
    }

    fn grave(&self) -> usize {
        self.counts[2]
    }

    fn severity<'a>(&self, name: &'a str) -> &'a str {
        super::severity(self.cx, name)
    }
}

async fn list(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let mut alerts = newest(store, asked.before, SHOWN_MAX + 1).await?;
    let next = (alerts.len() > SHOWN_MAX).then(|| alerts[SHOWN_MAX - 1].record.id);
    alerts.truncate(SHOWN_MAX);
    let hosts: Vec<Id> = alerts.iter().filter_map(|alert| alert.record.subject).collect();
    let hosts = store.rows_by_id(Table::Asset, &hosts).await?;
    let shown = house.kept.get::<Live>().shown();
    let due = Due::load(store).await?;
    let line = |alert: Alert| {
        let host = hosts.iter().find(|row| Some(row.id) == alert.record.subject);
        Line {
            title: title(cx, &alert),
            host: host.map_or(String::new(), |row| row.name.clone()),
            again: again(&house, &shown, alert.record.id),
            late: alert.judged.is_none()
                && alert.waited_min(cx.now) > due.within_min(alert.fact("severity")),
            alert,
        }
    };
    let body = ListPage {
        cx,
        lines: alerts.into_iter().map(line).collect(),
        counts: counts(store).await?,
        rules: shown
            .loaded
            .as_ref()
            .map_or(0, |l| l.set.rules().len() + l.set.correlations().len()),
        rejected: shown.loaded.as_ref().map_or(0, |l| l.rejected.len()),
        next,
    };
    let mut page = page(cx, cx.t("検知", "Findings"), &body)?;
    // The page hears of new findings from its own server.
    let policy = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
         img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(page)
}

/// What an alert took in after it was told, whoever told it.
fn again(house: &House, shown: &live::Shown, id: Id) -> Again {
    let of_series = || house.kept.get::<Steady>().again(id);
    shown.again.get(&id).copied().or_else(of_series).unwrap_or_default()
}

async fn newest(
    store: &Store,
    before: Option<Id>,
    limit: usize,
) -> Result<Vec<Alert>, store::StoreError> {
    let filter =
        RecordFilter { ty: Some(FINDING.to_owned()), before, limit, ..RecordFilter::default() };
    with_judgements(store, store.list_records(&filter).await?).await
}

async fn counts(store: &Store) -> Result<[usize; 4], store::StoreError> {
    let since = store.now().minus_hours(24 * COUNTED_DAYS);
    let alerts = newest(store, None, COUNTED_MAX).await?;
    let recent: Vec<&Alert> = alerts.iter().filter(|a| a.record.observed_to >= since).collect();
    // What waits, waits however old it is.
    let open: Vec<&Alert> = alerts.iter().filter(|alert| alert.judged.is_none()).collect();
    let grave = open.iter().filter(|a| ["high", "critical"].contains(&a.fact("severity"))).count();
    let wrong = recent.iter().filter(|a| a.judgement() == Some(Judgement::FalseAlarm)).count();
    Ok([recent.len(), open.len(), grave, wrong])
}

fn title(cx: &Cx, alert: &Alert) -> String {
    let (ja, en) = (alert.fact("title_ja"), alert.fact("title_en"));
    let text = if cx.lang == Lang::Ja && !ja.is_empty() { ja } else { en };
    match text {
        "" => cx.t("（ルールの名前なし）", "(a rule without a name)").to_owned(),
        text => text.to_owned(),
    }
}

/// A field of the event with what the rule met in it.
struct Shown {
    name: String,
    /// Texts, and whether the rule met them.
    parts: Vec<(String, bool)>,
}

/// The event as it is shown.
#[derive(Default)]
struct Evidence {
    facts: Vec<(&'static str, String)>,
    fields: Vec<Shown>,
    raw: String,
}

#[derive(Template)]
#[template(path = "finding.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    alert: &'a Alert,
    heading: String,
    host: Option<(Id, String)>,
    again: Again,
    /// The series that it is about.
    series: Option<String>,
    due_min: i64,
    waited_min: i64,
    /// What is known of the event; none where it is not for this reader or gone.
    evidence: Option<Evidence>,
    hidden: bool,
    /// When a silent source spoke again, and after how long.
    spoke: Option<(String, String)>,
    /// What other ways of looking told of the same, and its series.
    joined: Vec<(String, String)>,
    /// The threat indicator that it is about.
    why: Option<why::Why>,
    rule: String,
    rule_row: Option<Id>,
    /// The rule has changed since.
    rule_changed: bool,
    description: String,
    false_alarms: Vec<String>,
    reason: String,
    may_judge: bool,
}

impl OnePage<'_> {
    fn severity(&self) -> &str {
        super::severity(self.cx, self.alert.fact("severity"))
    }

    fn left(&self) -> i64 {
        self.due_min - self.waited_min
    }

    fn last_again(&self) -> String {
        self.cx.time(&model::Timestamp(self.again.last))
    }
}

async fn one(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let alert = findings::one(store, id).await?.ok_or(Refusal::NotFound)?;
    let may_judge = may_judge(&house, &user);
    let payload = if may_judge { store.payload(id).await? } else { None };
    let told: Json =
        payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let shown = house.kept.get::<Live>().shown();
    let document = told["document"].as_str().unwrap_or("").to_owned();
    let loaded = shown.loaded.as_deref();
    let rule = loaded.map(|l| (l, l.set.find(alert.fact("rule"))));
    let meta = rule.and_then(|(l, id)| match id {
        Some(id) => l.set.rule(id).map(|rule| &rule.meta),
        None => {
            let is_it = |c: &&sigma::Correlation| c.meta.id.as_deref() == Some(alert.fact("rule"));
            l.set.correlations().iter().find(is_it).map(|c| &c.meta)
        }
    });
    let text = loaded.zip(meta).and_then(|(l, meta)| l.texts.get(&meta.file));
    let text = text.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let hash = meta.zip(loaded).map(|(meta, l)| rules::hash_of(l, &meta.file));
    let custom = |name: &str| meta.and_then(|meta| meta.custom.get(name)).and_then(Json::as_str);
    let host = match alert.record.subject {
        Some(id) => store.rows_by_id(Table::Asset, &[id]).await?.pop(),
        None => None,
    };
    let reason = match alert.judged.as_ref().filter(|_| may_judge) {
        Some(judged) => reason_of(store, judged.id).await?,
        None => String::new(),
    };
    let evidence = told.is_object().then(|| {
        let event = event_of(&told);
        let rule = rule.and_then(|(l, id)| Some((l, id?)));
        evidence(cx, &told, &event, rule)
    });
    let why = why::of(cx, store, &told["indicator"]).await?;
    let about = store.newest_records(&[findings::SPOKE, findings::JOINED], Some(id), 20).await?;
    let body = OnePage {
        cx,
        heading: title(cx, &alert),
        host: host.map(|row| (row.id, row.name)),
        again: again(&house, &shown, id),
        series: Some(alert.fact("series").to_owned()).filter(|series| !series.is_empty()),
        due_min: Due::load(store).await?.within_min(alert.fact("severity")),
        waited_min: alert.waited_min(cx.now),
        hidden: !may_judge,
        spoke: spoke(cx, &about),
        joined: joined(cx, &about),
        why,
        evidence,
        rule_row: rules::row_of(&document),
        rule_changed: hash.is_some_and(|hash| hash != alert.fact("rule_hash")),
        rule: text,
        description: match cx.lang {
            Lang::Ja => custom("description_ja").map(str::to_owned),
            Lang::En => None,
        }
        .or_else(|| meta.and_then(|meta| meta.description.clone()))
        .unwrap_or_default(),
        false_alarms: false_alarms(cx, meta),
        reason,
        may_judge,
        alert: &alert,
    };
    page(cx, &body.heading, &body)
}

/// When the source of a silence spoke again, and after how long.
fn spoke(cx: &Cx, about: &[store::Record]) -> Option<(String, String)> {
    let record = about.iter().find(|record| record.ty == findings::SPOKE)?;
    let silent_s = record.facts.get("silent_s").and_then(Json::as_i64).unwrap_or(0);
    let (ja, en) = span(silent_s.saturating_mul(SECOND));
    Some((cx.time(&record.observed_to), cx.either(&ja, &en).to_owned()))
}

/// What other ways of looking told of the same, in words, and the series if it is one.
fn joined(cx: &Cx, about: &[store::Record]) -> Vec<(String, String)> {
    let one = |record: &store::Record| {
        let fact = |name: &str| record.facts.get(name).and_then(Json::as_str).unwrap_or("");
        let title = cx.either(fact("title_ja"), fact("title_en")).to_owned();
        (title, fact("series").to_owned())
    };
    about.iter().filter(|record| record.ty == findings::JOINED).map(one).collect()
}

fn false_alarms(cx: &Cx, meta: Option<&sigma::Meta>) -> Vec<String> {
    let Some(meta) = meta else { return Vec::new() };
    let own = meta.custom.get("falsepositives_ja").and_then(Json::as_array);
    match own.filter(|_| cx.lang == Lang::Ja) {
        Some(list) => list.iter().filter_map(|v| Some(v.as_str()?.to_owned())).collect(),
        None => meta.falsepositives.clone(),
    }
}

/// The event again, as it was when the rule met it.
fn event_of(told: &Json) -> Event {
    let text = |name: &str| told[name].as_str().unwrap_or("").to_owned();
    let fields = told["fields"].as_object().into_iter().flatten();
    let raw = told["raw_hex"].as_str().and_then(|hex| hex::decode(hex).ok());
    Event {
        raw: raw.unwrap_or_else(|| text("raw").into_bytes()),
        event_time: model::Timestamp::parse(&text("time")),
        arrived: model::Timestamp::parse(&text("arrived")).unwrap_or(model::Timestamp(0)),
        source: text("source"),
        class: told["class"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        host: text("host"),
        app: text("app"),
        severity: 0,
        message: text("message"),
        fields: fields
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    }
}

fn evidence(
    cx: &Cx,
    told: &Json,
    event: &Event,
    rule: Option<(&rules::Loaded, sigma::RuleId)>,
) -> Evidence {
    let mut arena = Arena::new();
    let is_laid = lay(&mut arena, event).is_ok();
    let hits = match rule.filter(|_| is_laid) {
        Some((loaded, id)) => {
            let mut matcher = Matcher::new(&loaded.set);
            matcher.eval(&arena, &mut Vec::new());
            matcher.hits(&arena, id)
        }
        None => Vec::new(),
    };
    let mut fields: Vec<Shown> = Vec::new();
    for (name, value) in arena.fields().filter_map(|(name, value)| Some((name, value?))) {
        if name == "raw" {
            continue;
        }
        let mut spans: Vec<(usize, usize)> = hits
            .iter()
            .filter(|hit| hit.field == name && hit.value == value)
            .map(|hit| (hit.from, hit.to))
            .collect();
        spans.sort_unstable();
        fields.push(Shown { name: name.to_owned(), parts: parts(value, &spans) });
    }
    // What the rule met comes first.
    fields.sort_by_key(|shown| !shown.parts.iter().any(|(_, met)| *met));
    let group = told["group"].as_array().into_iter().flatten();
    let group: Vec<String> = group
        .map(|pair| {
            format!("{}={}", pair[0].as_str().unwrap_or(""), pair[1].as_str().unwrap_or(""))
        })
        .collect();
    let mut facts = vec![
        (cx.t("時刻", "Time"), event.event_time.map_or(String::new(), |time| cx.time(&time))),
        (cx.t("到着", "Arrived"), cx.time(&event.arrived)),
        (cx.t("出所", "Source"), event.source.clone()),
        (cx.t("ホスト", "Host"), event.host.clone()),
        (cx.t("プログラム", "Program"), event.app.clone()),
    ];
    if !group.is_empty() {
        facts.push((cx.t("まとめ", "Group"), group.join(", ")));
    }
    if let Some(value) = told["value"].as_f64() {
        facts.push((cx.t("測った値", "Measured"), value.to_string()));
    }
    facts.extend(departure(cx, &told["anomaly"]));
    let judged_by = told["judged_by"]["name"].as_str().unwrap_or("").to_owned();
    facts.push((cx.t("判断の基準", "Judged by"), judged_by));
    facts.retain(|(_, text)| !text.is_empty());
    Evidence { facts, fields, raw: String::from_utf8_lossy(&event.raw).into_owned() }
}

/// What departed from what, if the finding is about a series.
fn departure(cx: &Cx, told: &Json) -> Vec<(&'static str, String)> {
    // The bounds of some are infinite, which JSON does not know.
    let value = |name: &str| told[name].as_f64().map_or("–".to_owned(), super::chart::number);
    let time = |name: &str| told[name].as_i64().map(|time| cx.time(&model::Timestamp(time)));
    let layer = serde_json::from_value::<steady::Layer>(told["layer"].clone());
    let Ok((ja, en)) = layer.map(steady::Layer::texts) else { return Vec::new() };
    vec![
        (cx.pick(&t("見つけ方", "Found by")), cx.either(ja, en).to_owned()),
        (cx.pick(&t("始まり", "Onset")), time("onset").unwrap_or_default()),
        (cx.pick(&t("計測値", "Observed")), value("observed")),
        (cx.pick(&t("予想値", "Expected")), value("expected")),
        (cx.pick(&t("平常の範囲", "Usual range")), format!("{} – {}", value("low"), value("high"))),
    ]
}

/// A text cut at the spans that were met.
fn parts(value: &str, spans: &[(usize, usize)]) -> Vec<(String, bool)> {
    let (mut all, mut at) = (Vec::new(), 0);
    for (from, to) in spans {
        let (from, to) = ((*from).max(at), (*to).min(value.len()));
        if from >= to {
            continue;
        }
        let (Some(before), Some(met)) = (value.get(at..from), value.get(from..to)) else {
            continue;
        };
        if !before.is_empty() {
            all.push((before.to_owned(), false));
        }
        all.push((met.to_owned(), true));
        at = to;
    }
    if let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty()) {
        all.push((rest.to_owned(), false));
    }
    all
}

#[derive(Deserialize)]
struct JudgeForm {
    csrf: String,
    verdict: String,
    reason: String,
}

async fn judge(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<JudgeForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let cx = &user.cx;
    let (judgement, reason) = judgement_of(cx, &form.verdict, &form.reason)?;
    let handler = person(&house.store, &user.session.account.login).await?;
    let judging = Judging { judgement, reason: &reason, handler };
    // The reason may name people: it lies in the payload of the record, not in the history.
    let mut write = user.write(&house, cx.t("検知の判断", "judged a finding")).await?;
    // Read behind the beginning of the change: another may have judged it meanwhile.
    let alert = findings::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    match findings::judge(&house.store, &mut write, &alert, &judging).await {
        Ok(_) => write.commit().await?,
        Err(JudgeError::Store(error)) => return Err(error.into()),
        Err(JudgeError::Judged) => {
            let said =
                cx.t("この検知はすでに判断されています。", "This finding was judged already.");
            return Err(Refusal::Bad(said.to_owned()));
        }
    }
    house.wake();
    Ok(Redirect::to(&format!("/findings/{id}")).into_response())
}

/// What a form says that a finding is, and why.
pub(super) fn judgement_of(
    cx: &Cx,
    verdict: &str,
    reason: &str,
) -> Result<(Judgement, String), Refusal> {
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let Some(judgement) = Judgement::parse(verdict) else {
        return bad("判断を選んでください。", "Choose what it is.");
    };
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return bad(
            "理由を2000文字以内で入力してください。",
            "Give a reason of at most 2,000 characters.",
        );
    }
    Ok((judgement, reason.to_owned()))
}

/// The reason that lies in the payload of a record; empty where it was shredded.
pub(super) async fn reason_of(store: &Store, record: Id) -> Result<String, store::StoreError> {
    let payload = store.payload(record).await?;
    let told = payload.and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok());
    Ok(told.and_then(|told| Some(told["reason"].as_str()?.to_owned())).unwrap_or_default())
}

/// The row of the person who names the account.
pub(super) async fn person(store: &Store, login: &str) -> Result<Option<Id>, store::StoreError> {
    store.row_with(Table::Party, "person", "account", login).await
}

async fn api(State(house): State<Shared>, caller: Caller, Query(asked): Query<Asked>) -> Response {
    let alerts = match newest(&house.store, asked.before, SHOWN_MAX + 1).await {
        Ok(alerts) => alerts,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let shown = house.kept.get::<Live>().shown();
    let next = (alerts.len() > SHOWN_MAX).then(|| alerts[SHOWN_MAX - 1].record.id);
    let told: Vec<Json> =
        alerts.iter().take(SHOWN_MAX).map(|alert| told(&house, &shown, alert)).collect();
    Document(json!({ "findings": told, "next": next })).into_response()
}

/// A finding as the API tells it: nothing of the event itself.
pub(super) fn told(house: &House, shown: &live::Shown, alert: &Alert) -> Json {
    json!({
        "id": alert.record.id,
        "at": alert.record.observed_to.rfc3339(),
        "received_at": alert.record.received_at.rfc3339(),
        "asset": alert.record.subject,
        "severity": alert.fact("severity"),
        "phase": alert.fact("phase"),
        "class": alert.fact("class"),
        "series": Some(alert.fact("series")).filter(|series| !series.is_empty()),
        "rule": alert.fact("rule"),
        "rule_hash": alert.fact("rule_hash"),
        "group": Some(alert.fact("group")).filter(|group| !group.is_empty()),
        "title_ja": alert.fact("title_ja"),
        "title_en": alert.fact("title_en"),
        "again": again(house, shown, alert.record.id).count,
        "verdict": alert.judgement().map(Judgement::name),
        "judged_at": alert.judged.as_ref().map(|record| record.received_at.rfc3339()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_cut_out_of_the_text() {
        let text = |all: Vec<(String, bool)>| {
            let one = |(text, met): (String, bool)| if met { format!("[{text}]") } else { text };
            all.into_iter().map(one).collect::<String>()
        };
        assert_eq!(text(parts("ログイン失敗 root", &[(0, 18), (19, 23)])), "[ログイン失敗] [root]");
        assert_eq!(text(parts("abcdef", &[(1, 4), (2, 5)])), "a[bcd][e]f");
        assert_eq!(text(parts("abc", &[])), "abc");
        // Spans that do not fit the text change nothing of it.
        assert_eq!(text(parts("日本", &[(1, 4), (0, 99)])), "[日本]");
    }
}
