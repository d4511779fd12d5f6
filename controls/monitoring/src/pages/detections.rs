//! `/detections`: which rules are at work, which were refused and why, and which can fire at all.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Lang, t};
use serde_json::{Value as Json, json};
use sigma::{LogSource, Meta};
use store::Row;
use web::{
    Shared,
    access::Action,
    api::Caller,
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use super::{
    attack,
    rule_list::{Facts, Firing, Narrowing},
};
use crate::work::{
    live::{Live, Shown},
    rules,
};

/// Rules that the page lists; the document of the API has all.
const LISTED_MAX: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("検知ルール", "Detection rules");
    let api = Route::get("/api/v1/monitoring/rules", inspect, title, api).api(Api {
        tag: "monitoring",
        id: "monitoring_rules".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    });
    vec![Route::get("/detections", inspect, title, list), api]
}

/// A rule as it is listed.
struct Line {
    title: String,
    id: String,
    severity: &'static str,
    source: String,
    is_own: Option<Id>,
    firing: Firing,
    missing: String,
    tags: Vec<String>,
    product: String,
}

impl Line {
    fn is_asked(&self, asked: &Narrowing) -> bool {
        asked.holds(&Facts {
            level: self.severity,
            product: &self.product,
            tactics: &attack::tactics(&self.tags),
            firing: self.firing,
            is_on: true,
            title: &self.title,
            name: &self.id,
        })
    }
}

struct Refused {
    place: String,
    row: Option<Id>,
    title: String,
    why: String,
}

#[derive(Template)]
#[template(path = "detections.html")]
struct DetectionsPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    total: usize,
    severities: Vec<(&'static str, usize)>,
    refused: Vec<Refused>,
    loaded_at: Option<String>,
    can: usize,
    judged: usize,
    sources: Vec<(String, u64)>,
    packs: Vec<(Row, usize)>,
    matrix: Vec<attack::Column>,
    asked: Narrowing,
    found: usize,
    products: BTreeSet<String>,
}

impl DetectionsPage<'_> {
    fn severity<'a>(&self, name: &'a str) -> &'a str {
        super::severity(self.cx, name)
    }
}

async fn list(State(house): State<Shared>, user: User, Query(asked): Query<Narrowing>) -> Answer {
    let cx = &user.cx;
    let shown = house.kept.get::<Live>().shown();
    let mut lines = lines(cx.lang, &shown);
    let total = lines.len();
    let count = |severity: &'static str| {
        (severity, lines.iter().filter(|line| line.severity == severity).count())
    };
    let severities = super::SEVERITIES.into_iter().map(count).filter(|(_, n)| *n > 0).collect();
    let judged = lines.iter().filter(|line| line.firing != Firing::Depends).count();
    let can = lines.iter().filter(|line| line.firing == Firing::Can).count();
    let fires = |line: &Line| line.firing == Firing::Can;
    let matrix = attack::matrix(lines.iter().map(|line| (line.tags.as_slice(), fires(line))));
    let products =
        lines.iter().map(|line| line.product.clone()).filter(|p| !p.is_empty()).collect();
    lines.retain(|line| line.is_asked(&asked));
    let found = lines.len();
    lines.truncate(LISTED_MAX);
    let mut sources: Vec<(String, u64)> =
        shown.sources.iter().map(|(source, n)| (said(source), *n)).collect();
    sources.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), name.clone()));
    let body = DetectionsPage {
        cx,
        lines,
        total,
        severities,
        refused: refused(cx.lang, &shown),
        loaded_at: shown.loaded_at.map(|at| cx.time(&at)),
        can,
        judged,
        sources,
        packs: super::packs::all(&house).await?,
        matrix,
        asked,
        found,
        products,
    };
    page(cx, cx.t("検知ルール", "Detection rules"), &body)
}

/// A log source as rules name it.
fn said(source: &LogSource) -> String {
    let parts = [&source.category, &source.product, &source.service];
    parts.map(|part| part.as_deref().unwrap_or("*").to_owned()).join(" / ")
}

fn lines(lang: Lang, shown: &Shown) -> Vec<Line> {
    let Some(loaded) = &shown.loaded else { return Vec::new() };
    let coverage: BTreeMap<u32, &sigma::RuleCoverage> =
        shown.coverage.iter().map(|c| (c.rule.0, c)).collect();
    let mut all = Vec::new();
    for (at, rule) in loaded.set.rules().iter().enumerate() {
        let coverage = coverage.get(&(at as u32)).copied();
        let firing = Firing::of(coverage);
        let missing = coverage.filter(|_| firing == Firing::Fields);
        let missing = missing.map_or(String::new(), |c| c.missing.join(", "));
        let mut line = line(lang, &rule.meta, said(&rule.logsource), firing);
        line.missing = missing;
        line.product = rule.logsource.product.clone().unwrap_or_default();
        all.push(line);
    }
    for correlation in loaded.set.correlations() {
        let by = correlation.group_by.join(", ");
        all.push(line(lang, &correlation.meta, by, Firing::Depends));
    }
    let rank = |line: &Line| super::rank(line.severity);
    all.sort_by(|a, b| (rank(a), &a.title).cmp(&(rank(b), &b.title)));
    all
}

fn line(lang: Lang, meta: &Meta, source: String, firing: Firing) -> Line {
    let ja = meta.custom.get("title_ja").and_then(Json::as_str);
    Line {
        title: ja.filter(|_| lang == Lang::Ja).unwrap_or(&meta.title).to_owned(),
        id: meta.id.clone().unwrap_or_default(),
        severity: meta.level.map_or("medium", sigma::Level::word),
        source,
        is_own: rules::row_of(&meta.file),
        firing,
        missing: String::new(),
        tags: meta.tags.clone(),
        product: String::new(),
    }
}

fn refused(lang: Lang, shown: &Shown) -> Vec<Refused> {
    let rejected = shown.loaded.iter().flat_map(|loaded| &loaded.rejected);
    let one = |rejected: &sigma::Rejected| Refused {
        place: format!("{}:{}:{}", rejected.file, rejected.line, rejected.column),
        row: rules::row_of(&rejected.file),
        title: match (rejected.title.as_str(), lang) {
            ("", Lang::Ja) => "（題名が読めません）".to_owned(),
            ("", Lang::En) => "(no title)".to_owned(),
            (title, _) => title.to_owned(),
        },
        why: match lang {
            Lang::Ja => rejected.reason.ja(),
            Lang::En => rejected.reason.en(),
        },
    };
    rejected.map(one).collect()
}

async fn api(State(house): State<Shared>, caller: Caller) -> Response {
    let shown = house.kept.get::<Live>().shown();
    let rule = |line: &Line| {
        json!({
            "id": line.id, "title": line.title, "level": line.severity, "source": line.source,
            "tags": line.tags, "row": line.is_own, "can_fire": line.firing.name(), "missing": line.missing,
        })
    };
    let refused = |refused: &Refused| {
        json!({
            "place": refused.place, "row": refused.row, "title": refused.title, "why": refused.why,
        })
    };
    Document(json!({
        "loaded_at": shown.loaded_at.map(|at| at.rfc3339()),
        "hash": shown.loaded.as_ref().map(|loaded| loaded.hash()),
        "rules": lines(caller.cx.lang, &shown).iter().map(rule).collect::<Vec<_>>(),
        "refused": self::refused(caller.cx.lang, &shown).iter().map(refused).collect::<Vec<_>>(),
    }))
    .into_response()
}
