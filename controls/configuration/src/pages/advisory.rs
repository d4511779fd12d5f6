//! `/configuration/advisory/{id}`: whom one weakness touches, what mends it, who is to do it, and what was decided; and
//! the form in which that is decided (VEX).
//!
//! Invariants: a decision is signed like every other; where it rests on a fact, that is read from the newest snapshots
//! when the form is sent and stands in what is signed.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use baseline::Facts;
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem, problem::Problem},
    decide::{self, About, Cast, Given, Ruling},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Api, Param, Place, Route},
};

use super::impact::{Board, Judged, board};
use crate::impact::{
    REMEDIED,
    run::read,
    sentence::{severity, severity_class, severity_text, state_class, state_text},
    state::Desk,
    told::{Part, Touch},
    vex::{self, JUSTIFICATIONS, justification_text},
};

/// Squares of the map.
const MAP_MAX: usize = 2_000;
const COLUMNS: usize = 40;
const STEP: usize = 16;
const ROWS_MAX: usize = 500;
const TASKS_MAX: usize = 50;
const DECISIONS_MAX: usize = 50;
const FACT_CHARS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 300;
const REMEDIED_LOOKED_AT: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let decide = Access::Action(Action::Decide);
    let (one, vex) = (
        t("ぜい弱性の影響範囲", "Whom one vulnerability touches"),
        t("影響の有無の決定（VEX）", "Decide whether it affects us (VEX)"),
    );
    let api = Api {
        tag: "configuration",
        id: "configuration_advisory".to_owned(),
        params: vec![Param {
            place: Place::Path,
            name: "id",
            schema: "Text",
            required: true,
            text: t("勧告番号", "Advisory"),
        }],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[404],
    };
    vec![
        Route::get("/configuration/advisory/{id}", inspect, one, show),
        Route::post("/configuration/advisory/{id}/vex", decide, vex, settle),
        Route::get("/api/v1/configuration/advisories/{id}", inspect, one, document).api(api),
    ]
}

/// An advisory as one source has it.
struct Source {
    id: String,
    title: String,
    published: String,
    modified: String,
    withdrawn: String,
    vectors: String,
}

/// What is known of a weakness.
struct Known {
    weakness: String,
    also: BTreeSet<String>,
    title: String,
    score: Option<u16>,
    touched: Vec<(Judged, Touch)>,
    advisories: Vec<Source>,
}

/// Looks a weakness up by any of its names; none where neither an advisory nor an asset knows it.
fn known(house: &Shared, board: &Board, name: &str) -> Option<Known> {
    let desk = house.kept.get::<Desk>();
    let found = read(&desk).find(name);
    let weakness = found.first().map(|one| one.weakness().to_owned());
    let weakness = weakness.unwrap_or_else(|| name.to_owned());
    let is_it = |(key, touch): &(&String, &Touch)| {
        **key == weakness || touch.also.iter().any(|a| a == name)
    };
    let touched: Vec<(Judged, Touch)> = board
        .judged
        .iter()
        .filter_map(|judged| {
            let (_, touch) = judged.told.touches.iter().find(is_it)?;
            Some((judged.clone(), touch.clone()))
        })
        .collect();
    if found.is_empty() && touched.is_empty() {
        return None;
    }
    let mut also: BTreeSet<String> =
        touched.iter().flat_map(|(_, touch)| touch.also.clone()).collect();
    for one in &found {
        also.extend([&one.id].into_iter().chain(&one.aliases).cloned());
    }
    also.remove(&weakness);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let advisories: Vec<Source> = found
        .iter()
        .map(|one| Source {
            id: one.id.clone(),
            title: text(&one.title),
            published: text(&one.published),
            modified: text(&one.modified),
            withdrawn: text(&one.withdrawn),
            vectors: one.severities.join(" "),
        })
        .collect();
    let titles =
        advisories.iter().map(|one| &one.title).chain(touched.iter().map(|(_, t)| &t.title));
    let title = titles.filter(|title| !title.is_empty()).min_by_key(|title| title.len());
    let scores = found.iter().map(|one| one.score());
    let score = scores.chain(touched.iter().map(|(_, touch)| touch.score)).max().flatten();
    Some(Known {
        title: title.cloned().unwrap_or_default(),
        weakness,
        also,
        score,
        touched,
        advisories,
    })
}

/// A square of the map.
struct Cell {
    x: usize,
    y: usize,
    state: &'static str,
    said: String,
    id: Id,
}

/// A component of a touched asset.
struct Line {
    asset: Id,
    name: String,
    component: String,
    version: String,
    class: &'static str,
    state: &'static str,
    reason: String,
    fixed: String,
    decided: String,
    reopened: String,
    is_restart: bool,
}

struct Decision {
    id: Id,
    purl: String,
    status: String,
    justification: String,
    fact: String,
    by: String,
    until: String,
    waits: bool,
    stands: bool,
}

#[derive(Template)]
#[template(path = "advisory.html")]
struct AdvisoryPage<'a> {
    cx: &'a Cx,
    known: Known,
    grave: &'static str,
    grave_class: &'static str,
    score: String,
    affected: usize,
    unknown: usize,
    decided: usize,
    judged: usize,
    cells: Vec<Cell>,
    columns: usize,
    height: usize,
    lines: Vec<Line>,
    more: usize,
    tasks: Vec<Row>,
    remedied: Vec<(Id, String)>,
    decisions: Vec<Decision>,
    packages: Vec<String>,
    justifications: Vec<(&'static str, &'static str)>,
    may_decide: bool,
    sign: String,
}

impl Known {
    fn count(&self, state: &str) -> usize {
        self.touched.iter().filter(|(_, touch)| touch.state() == state).count()
    }

    fn withdrawn(&self) -> bool {
        !self.advisories.is_empty() && self.advisories.iter().all(|one| !one.withdrawn.is_empty())
    }
}

fn cells(cx: &Cx, board: &Board, known: &Known) -> Vec<Cell> {
    let states: BTreeMap<Id, &'static str> =
        known.touched.iter().map(|(judged, touch)| (judged.row.id, touch.state())).collect();
    let judged: BTreeSet<Id> = board.judged.iter().map(|judged| judged.row.id).collect();
    let mut rows: Vec<&Row> = board.rows.iter().collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let cell = |(at, row): (usize, &&Row)| {
        let (state, said) = match states.get(&row.id) {
            Some(&"affected") => ("conflict", cx.t("影響あり", "affected")),
            Some(&"unknown") => ("stray", cx.t("不明", "unknown")),
            Some(_) => ("idle", cx.t("VEXで影響なしと決定", "decided: not affected")),
            None if judged.contains(&row.id) => ("used", cx.t("影響なし", "not affected")),
            None => ("free", cx.t("判定していない", "not judged")),
        };
        let (x, y) = (at % COLUMNS * STEP, at / COLUMNS * STEP);
        Cell { x, y, state, said: format!("{} {said}", row.name), id: row.id }
    };
    rows.iter().take(MAP_MAX).enumerate().map(cell).collect()
}

fn line(cx: &Cx, judged: &Judged, part: &Part) -> Line {
    let decided = part.decided.as_ref().map(|decided| {
        let why = justification_text(&decided.why, cx.lang);
        format!("{}: {why}", decided.by)
    });
    let reopened = part.reopened.as_ref().map(|(ja, en)| cx.either(ja, en).to_owned());
    Line {
        asset: judged.row.id,
        name: judged.row.name.clone(),
        component: part.package.clone(),
        version: part.version.clone(),
        class: state_class(&part.state),
        state: cx.pick(&state_text(&part.state)),
        reason: cx.either(&part.ja, &part.en).to_owned(),
        fixed: part.fixed.clone().unwrap_or_default(),
        decided: decided.unwrap_or_default(),
        reopened: reopened.unwrap_or_default(),
        is_restart: judged.told.restart.contains(&part.name),
    }
}

async fn tasks(house: &Shared, weakness: &str) -> Result<Vec<Row>, Refusal> {
    let open = house.store.open_tasks(10_000).await?;
    let is_it = |task: &Row| {
        let wanted = task.attributes.get("closes_where");
        task.attributes.get("closes_with").and_then(Json::as_str) == Some(REMEDIED.ty)
            && wanted.and_then(|w| w.get("advisory")).and_then(Json::as_str) == Some(weakness)
    };
    Ok(open.into_iter().filter(is_it).take(TASKS_MAX).collect())
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

async fn decisions(house: &Shared, cx: &Cx, known: &Known) -> Result<Vec<Decision>, Refusal> {
    let rows = house.store.all(Table::Decision, &[vex::KIND]).await?;
    let names = |row: &&Row| {
        let advisory = text(row, "advisory");
        advisory == known.weakness || known.also.contains(advisory)
    };
    let mut rows: Vec<Row> = rows.iter().filter(names).cloned().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.updated_at));
    let one = |row: &Row| Decision {
        id: row.id,
        purl: text(row, "purl").to_owned(),
        status: cx.pick(&state_text(text(row, "status"))).to_owned(),
        justification: justification_text(text(row, "justification"), cx.lang),
        fact: text(row, "fact").to_owned(),
        by: text(row, "signer").to_owned(),
        until: cx.opt_time(&row.ends_at),
        waits: row.status == decide::PROPOSED,
        stands: row.status == "approved" && row.ends_at.is_none_or(|ends| ends > cx.now),
    };
    Ok(rows.iter().take(DECISIONS_MAX).map(one).collect())
}

async fn show(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let board = board(&house).await?;
    let known = known(&house, &board, &id).ok_or(Refusal::NotFound)?;
    let all: Vec<Line> = known
        .touched
        .iter()
        .flat_map(|(judged, touch)| touch.parts.iter().map(|part| line(cx, judged, part)))
        .collect();
    let (more, cells) = (all.len().saturating_sub(ROWS_MAX), cells(cx, &board, &known));
    let remedied = house.store.newest_records(&[REMEDIED.ty], None, REMEDIED_LOOKED_AT).await?;
    let remedied = remedied
        .iter()
        .filter(|r| r.facts.get("advisory").and_then(Json::as_str) == Some(&known.weakness))
        .take(TASKS_MAX)
        .map(|record| (record.id, cx.time(&record.observed_to)))
        .collect();
    let packages: BTreeSet<String> = known
        .touched
        .iter()
        .flat_map(|(_, touch)| touch.parts.iter().map(|part| part.package.clone()))
        .filter(|package| package.starts_with("pkg:"))
        .collect();
    let word = severity(known.score);
    let body = AdvisoryPage {
        cx,
        grave: cx.pick(&severity_text(word)),
        grave_class: severity_class(word),
        score: known.score.map_or(String::new(), |s| format!("{}.{}", s / 10, s % 10)),
        affected: known.count("affected"),
        unknown: known.count("unknown"),
        decided: known.count("not_affected"),
        judged: board.judged.len(),
        height: cells.len().div_ceil(COLUMNS) * STEP,
        columns: COLUMNS * STEP,
        cells,
        lines: all.into_iter().take(ROWS_MAX).collect(),
        more,
        tasks: tasks(&house, &known.weakness).await?,
        remedied,
        decisions: decisions(&house, cx, &known).await?,
        packages: packages.into_iter().collect(),
        justifications: JUSTIFICATIONS.iter().map(|(w, text)| (*w, cx.pick(text))).collect(),
        may_decide: web::access::may(&user.session.account, Action::Decide),
        sign: decide::part(cx, cx.t("決定に署名する", "Sign the decision"))?,
        known,
    };
    let title = body.known.weakness.clone();
    Ok(with_script(page(cx, &title, &body)?))
}

#[derive(Deserialize)]
struct Settle {
    csrf: String,
    package: String,
    status: String,
    #[serde(default)]
    justification: String,
    #[serde(default)]
    fact: String,
    reason: String,
    #[serde(default)]
    months: String,
    #[serde(flatten)]
    given: Given,
}

/// Signs a decision about a weakness and a package.
async fn settle(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Settle>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let cx = &user.cx;
    let board = board(&house).await?;
    let known = known(&house, &board, &id).ok_or(Refusal::NotFound)?;
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.either(ja, en).to_owned());
    let hosts: Vec<Id> = known
        .touched
        .iter()
        .filter(|(_, touch)| touch.parts.iter().any(|part| part.package == form.package))
        .map(|(judged, _)| judged.row.id)
        .collect();
    if hosts.is_empty() || !form.package.starts_with("pkg:") {
        return Err(bad(
            "この勧告に関わる部品を選んでください。",
            "Choose a component that the advisory touches.",
        ));
    }
    let status = match form.status.as_str() {
        "not_affected" => sbom::judge::State::NotAffected,
        "affected" => sbom::judge::State::Affected,
        "unknown" => sbom::judge::State::Unknown,
        _ => return Err(bad("判定を選んでください。", "Choose a status.")),
    };
    let is_known = JUSTIFICATIONS.iter().any(|(word, _)| *word == form.justification);
    if status == sbom::judge::State::NotAffected && !is_known {
        return Err(bad(
            "影響なしには、理由の区分が必要です。",
            "Not affected needs a justification.",
        ));
    }
    let justification = if is_known { form.justification.as_str() } else { "" };
    let fact = fact(&house, cx, form.fact.trim(), &hosts).await?;
    let ruling = Ruling {
        hash: "",
        outcome: "approved",
        reason: form.reason.trim(),
        hours: decide::months(form.months.parse().unwrap_or(6)),
        kind: vex::KIND,
        notes: vex::notes(&known.weakness, &form.package, status, justification, &fact),
    };
    let name: String =
        format!("{} {}", known.weakness, form.package).chars().take(NAME_CHARS_MAX).collect();
    let standing = decide::standing(&house, &user, &form.given.acting_for, &[vex::KIND]).await?;
    let rulings = [(ruling, About::Named(&name))];
    match decide::cast(&house, &user, &headers, &standing, &rulings, form.given).await? {
        Cast::Asked(answer) => Ok(answer),
        Cast::Signed(_) => {
            let back = format!("/configuration/advisory/{}", urlencoding::encode(&known.weakness));
            Ok(Redirect::to(&back).into_response())
        }
    }
}

/// What the decision rests on: a place among the facts of the hosts with the value it has there now, or words.
async fn fact(house: &Shared, cx: &Cx, given: &str, hosts: &[Id]) -> Result<String, Refusal> {
    if given.is_empty() || given.chars().count() > FACT_CHARS_MAX {
        let en = format!("Say in at most {FACT_CHARS_MAX} characters what the decision rests on.");
        let ja = format!("根拠となる事実を{FACT_CHARS_MAX}文字以内で入力してください。");
        return Err(Refusal::Bad(cx.either(&ja, &en).to_owned()));
    }
    let path = vex::fact_of(given).map_or(given, |(path, _)| path);
    if vex::fact_of(&vex::fact_text(path, "?")).is_none() {
        return Ok(given.to_owned());
    }
    let snapshots = house.store.latest_per_subject(&["configuration.snapshot"]).await?;
    let mut values: BTreeSet<String> = BTreeSet::new();
    for record in snapshots.iter().filter(|r| r.subject.is_some_and(|id| hosts.contains(&id))) {
        let payload = house.store.payload(record.id).await?.unwrap_or_default();
        let facts = Facts::from_document(&payload).ok();
        values.extend(facts.and_then(|facts| vex::value_of(&facts, path)));
    }
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(vex::fact_text(path, &value)),
        (None, _) => Err(Refusal::Bad(
            cx.t(
                "このホストの構成がまだ採取されていないため、事実を根拠にできません。",
                "The hosts were not collected yet, so nothing can rest on their facts.",
            )
            .to_owned(),
        )),
        (Some(one), Some(other)) => Err(Refusal::Bad(format!(
            "{} {one} / {other}",
            cx.t("ホストによって値が違います：", "The value is not the same on all hosts:")
        ))),
    }
}

async fn document(State(house): State<Shared>, caller: Caller, Path(id): Path<String>) -> Response {
    let lang = caller.cx.lang;
    let board = match board(&house).await {
        Ok(board) => board,
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let Some(known) = known(&house, &board, &id) else {
        let what = t("この勧告はどの情報源にもありません。", "No source has such an advisory.");
        return Problem::new(lang, problem::NOT_FOUND, what).into_response();
    };
    let source = |one: &Source| {
        json!({
            "id": one.id, "title": one.title, "published": one.published,
            "modified": one.modified, "withdrawn": one.withdrawn, "vectors": one.vectors,
        })
    };
    let asset = |(judged, touch): &(Judged, Touch)| {
        json!({
            "asset": judged.row.id.to_string(), "name": judged.row.name, "state": touch.state(),
            "parts": touch.parts, "needs_restart": judged.told.restart,
        })
    };
    Document(json!({
        "advisory": known.weakness, "also": known.also, "title": known.title,
        "severity": severity(known.score), "score_tenths": known.score,
        "sources": known.advisories.iter().map(source).collect::<Vec<_>>(),
        "assets": known.touched.iter().map(asset).collect::<Vec<_>>(),
    }))
    .into_response()
}
