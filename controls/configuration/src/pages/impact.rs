//! `/configuration/impact`: does a vulnerability touch us, how grave, and how old is what we know; the same as a document,
//! and the sources of advisories with what was put aside.
//!
//! Invariant: "nothing" is said only where every asset was judged by advisories that are fresh and speak of all its
//! components.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use model::{Id, Table, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Record, Row, StoreError};
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use crate::impact::{
    document,
    run::{ADVISORIES_FRESH_H, SBOM_FRESH_H, read},
    sentence::{SEVERITIES, severity, severity_class, severity_text},
    settings::{Configured, From},
    state::Desk,
    told::{RUN, Told},
};

/// Rows of the table of weaknesses; the document has all.
const SHOWN_MAX: usize = 300;
const QUARANTINE_SHOWN_MAX: usize = 50;
const TITLE_CHARS_MAX: usize = 110;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("ぜい弱性の影響", "What vulnerabilities touch us");
    let sources = t("勧告の情報源", "Sources of advisories");
    let api = |id: &str| Api {
        tag: "configuration",
        id: id.to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/configuration/impact", inspect, title, show),
        Route::get("/api/v1/configuration/impact", inspect, title, document_of)
            .api(api("configuration_impact")),
        Route::get("/api/v1/configuration/advisories", inspect, sources, sources_of)
            .api(api("configuration_advisories")),
    ]
}

/// An asset with what was told of it last.
#[derive(Clone)]
pub(super) struct Judged {
    pub row: Arc<Row>,
    pub at: Timestamp,
    pub facts: Arc<serde_json::Map<String, Json>>,
    pub told: Arc<Told>,
}

impl Judged {
    pub fn number(&self, name: &str) -> i64 {
        self.facts.get(name).and_then(Json::as_i64).unwrap_or(0)
    }

    /// Hours of the bill and of the advisories, now: both were so old when it was told, and it was told then.
    pub fn ages_h(&self, now: Timestamp) -> [i64; 2] {
        let since = now.hours_since(self.at).max(0);
        ["sbom_age_h", "advisories_age_h"].map(|name| self.number(name) + since)
    }
}

/// What was unpacked already, by record.
#[derive(Default)]
struct Unpacked(RwLock<BTreeMap<Id, (Id, Arc<Told>)>>);

/// Everything that the pages about vulnerabilities show.
pub(super) struct Board {
    pub judged: Vec<Judged>,
    /// Assets that have a bill of materials, or ought to.
    pub rows: Vec<Row>,
    pub without_bill: Vec<Row>,
}

pub(super) async fn board(house: &Shared) -> Result<Board, StoreError> {
    let mut rows = house.store.all(Table::Asset, &["host", "software"]).await?;
    rows.retain(|row| row.status == "active");
    let by_id: BTreeMap<Id, Arc<Row>> =
        rows.iter().map(|row| (row.id, Arc::new(row.clone()))).collect();
    let records = house.store.latest_per_subject(&[RUN, document::RECORD]).await?;
    let (runs, bills): (Vec<Record>, Vec<Record>) =
        records.into_iter().partition(|record| record.ty == RUN);
    let told = unpacked(house, &runs).await?;
    let one = |record: &Record| {
        let id = record.subject?;
        Some(Judged {
            row: by_id.get(&id)?.clone(),
            at: record.observed_to,
            facts: Arc::new(record.facts.clone()),
            told: told.get(&id)?.clone(),
        })
    };
    let has_bill = |row: &&Row| bills.iter().any(|bill| bill.subject == Some(row.id));
    let without_bill = rows.iter().filter(|row| !has_bill(row)).cloned().collect();
    Ok(Board { judged: runs.iter().filter_map(one).collect(), rows, without_bill })
}

async fn unpacked(house: &Shared, runs: &[Record]) -> Result<BTreeMap<Id, Arc<Told>>, StoreError> {
    let kept = house.kept.get::<Unpacked>();
    let known = |record: &Record| {
        let all = kept.0.read().unwrap_or_else(PoisonError::into_inner);
        let subject = record.subject?;
        all.get(&subject).filter(|(id, _)| *id == record.id).map(|(_, told)| told.clone())
    };
    let missing: Vec<Id> = runs.iter().filter(|r| known(r).is_none()).map(|r| r.id).collect();
    for chunk in missing.chunks(50) {
        let payloads = house.store.payloads(chunk).await?;
        let mut all = kept.0.write().unwrap_or_else(PoisonError::into_inner);
        for record in runs.iter().filter(|record| chunk.contains(&record.id)) {
            let Some(subject) = record.subject else { continue };
            let told = Told::open(payloads.get(&record.id).map_or(&[], Vec::as_slice));
            all.insert(subject, (record.id, Arc::new(told)));
        }
    }
    let found = runs.iter().filter_map(|record| Some((record.subject?, known(record)?)));
    Ok(found.collect())
}

/// A weakness over all assets.
pub(super) struct Line {
    pub weakness: String,
    pub title: String,
    pub severity: &'static str,
    pub grave: &'static str,
    pub score: String,
    pub affected: usize,
    pub unknown: usize,
    pub decided: usize,
    /// What mends it, the shortest list.
    pub mends: String,
    pub is_news: bool,
}

impl Line {
    fn class(&self) -> &'static str {
        severity_class(self.severity)
    }
}

/// The weaknesses of a board, the gravest first.
pub(super) fn lines(cx: &Cx, board: &Board) -> Vec<Line> {
    let mut all: BTreeMap<&str, Line> = BTreeMap::new();
    let mut mends: BTreeMap<&str, std::collections::BTreeSet<String>> = BTreeMap::new();
    let mut scores: BTreeMap<&str, Option<u16>> = BTreeMap::new();
    for judged in &board.judged {
        for (weakness, touch) in &judged.told.touches {
            let line = all.entry(weakness).or_insert_with(|| Line {
                weakness: weakness.clone(),
                title: short(&touch.title),
                severity: "unrated",
                grave: "",
                score: String::new(),
                affected: 0,
                unknown: 0,
                decided: 0,
                mends: String::new(),
                is_news: touch.informational.is_some(),
            });
            match touch.state() {
                "affected" => line.affected += 1,
                "unknown" => line.unknown += 1,
                _ => line.decided += 1,
            }
            let score = scores.entry(weakness).or_default();
            *score = (*score).max(touch.score);
            let fixes = touch.mends().map(|(name, version)| format!("{name} → {version}"));
            mends.entry(weakness).or_default().extend(fixes);
        }
    }
    let mut lines: Vec<Line> = all
        .into_iter()
        .map(|(weakness, line)| {
            let score = scores.get(weakness).copied().flatten();
            let word = severity(score);
            let fixes = mends.remove(weakness).unwrap_or_default();
            let more = fixes.len().saturating_sub(2);
            let mut text = fixes.into_iter().take(2).collect::<Vec<_>>().join(", ");
            if more > 0 {
                text.push_str(&format!(" +{more}"));
            }
            Line {
                severity: word,
                grave: cx.pick(&severity_text(word)),
                score: score.map_or(String::new(), |s| format!("{}.{}", s / 10, s % 10)),
                mends: text,
                ..line
            }
        })
        .collect();
    let rank = |line: &Line| SEVERITIES.iter().position(|word| *word == line.severity);
    lines.sort_by(|a, b| {
        let key = |l: &Line| (l.is_news, l.affected == 0, rank(l), std::cmp::Reverse(l.affected));
        key(a).cmp(&key(b)).then_with(|| b.weakness.cmp(&a.weakness))
    });
    lines
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TITLE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A source as the page shows it.
struct SourceShown {
    name: String,
    from: String,
    advisories: usize,
    quarantined: usize,
    age_h: i64,
    is_stale: bool,
    good_at: String,
    error: String,
    quarantine: Vec<(String, String)>,
}

fn sources(house: &Shared, cx: &Cx) -> Vec<SourceShown> {
    let Some(place) = house.kept.get::<Configured>().place() else { return Vec::new() };
    let desk = house.kept.get::<Desk>();
    let state = read(&desk);
    let one = |source: &crate::impact::settings::Source| {
        let account = state.accounts.get(&source.name).cloned().unwrap_or_default();
        let shelved = state.shelf.get(&source.name);
        let age_h = if account.since == 0 { 0 } else { account.age_h(cx.now) };
        let quarantine = shelved.map_or(&[][..], |shelved| &shelved.quarantine);
        SourceShown {
            name: source.name.clone(),
            from: match &source.from {
                From::Folder(path) => path.display().to_string(),
                From::Url(url) => url.clone(),
            },
            advisories: shelved.map_or(0, |shelved| shelved.advisories),
            quarantined: shelved.map_or(0, |shelved| shelved.quarantined),
            age_h,
            is_stale: account.good_at.is_none() || age_h > ADVISORIES_FRESH_H,
            good_at: account.good_at.map_or(String::new(), |at| cx.time(&Timestamp(at))),
            error: account.error.unwrap_or_default(),
            quarantine: quarantine
                .iter()
                .take(QUARANTINE_SHOWN_MAX)
                .map(|one| (one.document.clone(), one.reason.clone()))
                .collect(),
        }
    };
    place.sources.iter().map(one).collect()
}

/// How the question is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    NoSources,
    NotYet,
    Touched,
    Stale,
    Unknown,
    Clear,
}

impl Said {
    fn class(self) -> &'static str {
        match self {
            Said::Touched => "fail",
            Said::Clear => "pass",
            _ => "unknown",
        }
    }
}

#[derive(Template)]
#[template(path = "impact.html")]
struct ImpactPage<'a> {
    cx: &'a Cx,
    said: Said,
    affected: usize,
    assets_affected: usize,
    unknown: usize,
    uncovered: i64,
    uncovered_kinds: Vec<(String, usize)>,
    lines: Vec<Line>,
    more: usize,
    by_severity: Vec<(&'static str, &'static str, usize)>,
    sources: Vec<SourceShown>,
    without_bill: Vec<Row>,
    assets: usize,
    judged: usize,
    ages_h: [i64; 2],
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let board = board(&house).await?;
    let mut lines = lines(cx, &board);
    let sources = sources(&house, cx);
    let counts = |line: &&Line| !line.is_news;
    let affected = lines.iter().filter(counts).filter(|line| line.affected > 0).count();
    let unknown = lines.iter().filter(counts).filter(|l| l.affected == 0 && l.unknown > 0).count();
    let uncovered = board.judged.iter().map(|judged| judged.number("uncovered")).sum();
    let ages = board.judged.iter().map(|judged| judged.ages_h(cx.now));
    let ages_h = ages.fold([0, 0], |[a, b], [c, d]| [a.max(c), b.max(d)]);
    let is_stale = ages_h[0] > SBOM_FRESH_H
        || ages_h[1] > ADVISORIES_FRESH_H
        || sources.iter().any(|source| source.is_stale);
    let said = match () {
        () if affected > 0 => Said::Touched,
        () if sources.is_empty() && board.judged.is_empty() => Said::NoSources,
        () if board.judged.is_empty() => Said::NotYet,
        () if is_stale => Said::Stale,
        () if unknown > 0 || uncovered > 0 || !board.without_bill.is_empty() => Said::Unknown,
        () => Said::Clear,
    };
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, count) in board.judged.iter().flat_map(|judged| &judged.told.uncovered_kinds) {
        *kinds.entry(kind.clone()).or_default() += count;
    }
    let of = |word: &&'static str| {
        let count = lines.iter().filter(|l| !l.is_news && l.affected > 0 && l.severity == *word);
        (severity_class(word), cx.pick(&severity_text(word)), count.count())
    };
    let by_severity = SEVERITIES.iter().map(of).collect();
    let more = lines.len().saturating_sub(SHOWN_MAX);
    lines.truncate(SHOWN_MAX);
    let body = ImpactPage {
        cx,
        said,
        affected,
        assets_affected: board.judged.iter().filter(|j| j.told.count("affected") > 0).count(),
        unknown,
        uncovered,
        uncovered_kinds: kinds.into_iter().collect(),
        lines,
        more,
        by_severity,
        sources,
        assets: board.rows.len(),
        judged: board.judged.len(),
        without_bill: board.without_bill,
        ages_h,
    };
    page(cx, cx.t("ぜい弱性の影響", "What vulnerabilities touch us"), &body)
}

async fn document_of(State(house): State<Shared>, caller: Caller) -> Response {
    let board = match board(&house).await {
        Ok(board) => board,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let weakness = |line: &Line| {
        json!({
            "advisory": line.weakness, "title": line.title, "severity": line.severity,
            "score": line.score, "affected": line.affected, "unknown": line.unknown,
            "decided": line.decided, "informational": line.is_news,
        })
    };
    let asset = |judged: &Judged| {
        let [sbom, advisories] = judged.ages_h(caller.cx.now);
        json!({
            "asset": judged.row.id.to_string(), "name": judged.row.name, "kind": judged.row.kind,
            "judged_at": judged.at.rfc3339(), "sbom_age_h": sbom, "advisories_age_h": advisories,
            "affected": judged.told.count("affected"), "unknown": judged.told.count("unknown"),
            "uncovered": judged.told.uncovered, "uncovered_kinds": judged.told.uncovered_kinds,
            "needs_restart": judged.told.restart,
        })
    };
    let all = lines(&caller.cx, &board);
    Document(json!({
        "advisories": all.iter().map(weakness).collect::<Vec<_>>(),
        "assets": board.judged.iter().map(asset).collect::<Vec<_>>(),
        "without_sbom": board.without_bill.iter().map(|row| row.id.to_string()).collect::<Vec<_>>(),
    }))
    .into_response()
}

async fn sources_of(State(house): State<Shared>, caller: Caller) -> Response {
    let one = |source: SourceShown| {
        let quarantine: Vec<Json> = source
            .quarantine
            .iter()
            .map(|(document, reason)| json!({ "document": document, "reason": reason }))
            .collect();
        json!({
            "source": source.name, "advisories": source.advisories, "age_h": source.age_h,
            "stale": source.is_stale, "error": source.error, "quarantined": source.quarantined,
            "quarantine": quarantine,
        })
    };
    let all: Vec<Json> = sources(&house, &caller.cx).into_iter().map(one).collect();
    Document(json!({ "sources": all })).into_response()
}
