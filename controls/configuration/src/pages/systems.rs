//! `/configuration/systems`: systems against the eight considerations; `/configuration/system/{id}`: a system's design
//! values, templates and the chain from its requirements to results.
//!
//! Invariant: a consideration is answered by design values that are there, or by a signed "not applicable".

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use model::{Assurance, Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    decide::{self, About, Given, Ruling, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Api, Param, Place, Route},
};

use super::{
    sheets::may_rule,
    system_picture::{Picture, picture},
};
use crate::{
    design::{self, Design, Wanted},
    kinds::FAMILIES,
    registers::text,
    systems::{self, Cell, Mark, System},
    templates,
    trace::{self, Rank},
    trials,
};

/// Kind of the decision that a consideration does not apply.
pub(crate) const EXCLUDED: &str = "family_excluded";
const DEVIATIONS_SHOWN: usize = 100;
const VALUE_CHARS_MAX: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let decide = Access::Action(Action::Decide);
    let (all, one) = (
        t("システムと八つの考慮事項", "Systems and the eight considerations"),
        t("システムの設計・試験・追跡", "Design, tests and life cycle of a system"),
    );
    let id = || Param {
        place: Place::Path,
        name: "id",
        schema: "Id",
        required: true,
        text: t("システム", "System"),
    };
    let api = |name: &str, params: Vec<Param>, refusals| Api {
        tag: "configuration",
        id: name.to_owned(),
        params,
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    let at = |rest: &str| format!("/configuration/system/{{id}}{rest}");
    vec![
        Route::get("/configuration/systems", inspect, all, show),
        Route::get(&at(""), inspect, one, show_one),
        Route::post(&at("/design"), write, t("設計値の追加", "Add a design value"), add_design),
        Route::post(&at("/answer"), write, t("考慮事項への回答", "Answer a consideration"), answer),
        Route::post(
            &at("/exclude"),
            decide,
            t("該当なしの署名", "Sign that it does not apply"),
            exclude,
        ),
        Route::get("/api/v1/configuration/systems", inspect, all, all_api).api(api(
            "configuration_systems",
            Vec::new(),
            &[],
        )),
        Route::get("/api/v1/configuration/traces/{id}", inspect, one, trace_api).api(api(
            "configuration_trace",
            vec![id()],
            &[404],
        )),
    ]
}

/// How a cell reads.
fn said(cx: &Cx, mark: Mark) -> &'static str {
    match mark {
        Mark::Fail => cx.t("不適合", "fails"),
        Mark::Unanswered => cx.t("未記入", "not answered"),
        Mark::Old => cx.t("古い", "old"),
        Mark::NotApplicable => cx.t("該当なし", "not applicable"),
        Mark::Unchecked => cx.t("未検査", "not checked"),
        Mark::Pass => cx.t("適合", "in order"),
    }
}

struct CellShown {
    class: &'static str,
    said: &'static str,
    values: i64,
    failures: i64,
}

impl CellShown {
    fn of(cx: &Cx, cell: &Cell) -> CellShown {
        CellShown {
            class: cell.mark.class(),
            said: said(cx, cell.mark),
            values: cell.values,
            failures: cell.failures,
        }
    }
}

struct SystemLine {
    id: Id,
    name: String,
    stage: String,
    hosts: usize,
    cells: Vec<CellShown>,
}

#[derive(Template)]
#[template(path = "systems.html")]
struct SystemsPage<'a> {
    cx: &'a Cx,
    families: Vec<&'a str>,
    systems: Vec<SystemLine>,
    whole: usize,
    failing: usize,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let all = systems::all(&house.store, &user.reader().sees_of(Table::Asset)).await?;
    let is_whole = |system: &&System| {
        system.cells.iter().all(|cell| !matches!(cell.mark, Mark::Unanswered | Mark::Old))
    };
    let stages = house.kind(Table::Asset, "system").and_then(|(_, kind)| kind.field("stage"));
    let body = SystemsPage {
        cx,
        families: FAMILIES.iter().map(|family| cx.pick(&family.label)).collect(),
        whole: all.iter().filter(is_whole).count(),
        failing: all.iter().filter(|one| one.cells.iter().any(|c| c.mark == Mark::Fail)).count(),
        systems: all
            .iter()
            .map(|system| SystemLine {
                id: system.row.id,
                name: system.row.name.clone(),
                stage: chosen(cx, stages, text(&system.row, "stage")),
                hosts: system.hosts.len(),
                cells: system.cells.iter().map(|cell| CellShown::of(cx, cell)).collect(),
            })
            .collect(),
    };
    page(cx, cx.t("システムと八つの考慮事項", "Systems and the eight considerations"), &body)
}

/// How a choice reads.
fn chosen(cx: &Cx, field: Option<&model::Field>, value: &str) -> String {
    let Some(model::FieldType::Enum(choices)) = field.map(|field| field.ty) else {
        return value.to_owned();
    };
    let choice = choices.iter().find(|choice| choice.value == value);
    choice.map_or(value, |choice| cx.pick(&choice.label)).to_owned()
}

pub(super) async fn system_of(house: &Shared, user: &User, id: &str) -> Result<System, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let within = user.reader().sees_of(Table::Asset);
    systems::one(&house.store, id, &within).await?.ok_or(Refusal::NotFound)
}

pub(super) fn broken(error: room::Error) -> Refusal {
    match error {
        room::Error::Store(error) => Refusal::Store(error),
        other => Refusal::Bad(other.to_string()),
    }
}

struct FamilyShown {
    value: &'static str,
    title: &'static str,
    cell: CellShown,
    /// Settings that have a design value now.
    designed: usize,
}

struct DesignShown {
    rule: Id,
    family: &'static str,
    key: String,
    value: String,
    to: String,
}

struct DeviationShown {
    host: (Id, String),
    rule: Id,
    key: String,
    design: String,
    actual: String,
    finding: &'static str,
    is_open: bool,
}

struct ChainShown {
    id: Id,
    name: String,
    broken: Option<&'static str>,
    tests: usize,
}

struct ExtensionShown {
    id: Id,
    name: String,
    day: String,
    due: usize,
    rerun: usize,
}

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage<'a> {
    cx: &'a Cx,
    id: Id,
    name: &'a str,
    hosts: Vec<(Id, String)>,
    families: Vec<FamilyShown>,
    designs: Vec<DesignShown>,
    uses: Vec<(Id, String, String, usize, usize)>,
    deviations: Vec<DeviationShown>,
    chains: Vec<ChainShown>,
    broken: usize,
    extensions: Vec<ExtensionShown>,
    picture: Picture,
    may_rule: bool,
    may_sign: bool,
    sign: String,
    hash: String,
    asked: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Look {
    /// The consideration that is about to be signed away.
    exclude: String,
}

async fn show_one(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(look): Query<Look>,
) -> Answer {
    let cx = &user.cx;
    let system = system_of(&house, &user, &id).await?;
    let store = &house.store;
    let id = system.row.id;
    let assets: Vec<Id> = system.hosts.iter().map(|host| host.id).chain([id]).collect();
    let designs = design::of(store, &assets).await?;
    let counts = design::counts(&designs, id, &system.hosts);
    let used = templates::uses(store, &[id], &system.hosts).await.map_err(broken)?;
    let life = trace::load(store, id).await?;
    let may_sign = web::access::may(&user.session.account, Action::Decide);
    let asks = FAMILIES.iter().any(|family| family.value == look.exclude) && may_sign;
    let body = SystemPage {
        cx,
        id,
        name: &system.row.name,
        hosts: system.hosts.iter().map(|host| (host.id, host.name.clone())).collect(),
        families: FAMILIES
            .iter()
            .zip(&system.cells)
            .map(|(family, cell)| FamilyShown {
                value: family.value,
                title: cx.pick(&family.label),
                cell: CellShown::of(cx, cell),
                designed: counts.get(family.value).copied().unwrap_or(0),
            })
            .collect(),
        designs: designs.iter().map(|design| design_shown(cx, design, &system)).collect(),
        uses: used
            .iter()
            .map(|one| {
                let open = one.deviations.iter().filter(|deviation| deviation.is_open).count();
                let edition = text(&one.template, "edition").to_owned();
                (one.template.id, one.template.name.clone(), edition, one.deviations.len(), open)
            })
            .collect(),
        deviations: used
            .iter()
            .flat_map(|one| &one.deviations)
            .take(DEVIATIONS_SHOWN)
            .map(|one| DeviationShown {
                host: (one.host, one.host_name.clone()),
                rule: one.rule,
                key: one.key.clone(),
                design: one.design.clone(),
                actual: one.actual.clone(),
                finding: cx.pick(&one.finding.text()),
                is_open: one.is_open,
            })
            .collect(),
        chains: chains(cx, &life),
        broken: life.broken(),
        extensions: life
            .extensions
            .iter()
            .map(|one| ExtensionShown {
                id: one.row.id,
                name: one.row.name.clone(),
                day: text(&one.row, "planned_on").to_owned(),
                due: one.due.len(),
                rerun: one.due.intersection(&one.rerun).count(),
            })
            .collect(),
        picture: picture(cx, &life.graph),
        may_rule: may_rule(&house, &user, design::KIND),
        may_sign,
        sign: if asks { decide::part(cx, cx.t("署名する", "Sign"))? } else { String::new() },
        hash: system.row.content_hash()?,
        asked: if asks { &look.exclude } else { "" },
    };
    let answer = page(cx, &system.row.name, &body)?;
    Ok(if asks { with_script(answer) } else { answer })
}

fn design_shown(cx: &Cx, design: &Design, system: &System) -> DesignShown {
    let named = |id: &Id| match *id == system.row.id {
        true => Some(cx.t("システム全体", "whole system").to_owned()),
        false => system.hosts.iter().find(|host| host.id == *id).map(|host| host.name.clone()),
    };
    DesignShown {
        rule: design.row.id,
        family: trials::family_text(design.family(), cx.lang),
        key: design.key().to_owned(),
        value: format!("{}{}", design.value(), design.unit()),
        to: design.to.iter().filter_map(named).collect::<Vec<_>>().join(cx.t("、", ", ")),
    }
}

fn rank_text(cx: &Cx, rank: Rank) -> &'static str {
    match rank {
        Rank::Requirement => cx.t("要件", "Requirement"),
        Rank::Specification => cx.t("仕様", "Specification"),
        Rank::Parameter => cx.t("設定項目", "Parameter"),
        Rank::Test => cx.t("試験", "Test"),
        Rank::Result => cx.t("結果", "Result"),
    }
}

fn chains(cx: &Cx, life: &trace::Life) -> Vec<ChainShown> {
    let rows = life.graph.rows.get(&Rank::Requirement).map_or(&[][..], Vec::as_slice);
    let shown = |chain: &trace::Chain| {
        let row = rows.iter().find(|row| row.id == chain.requirement)?;
        Some(ChainShown {
            id: row.id,
            name: text(row, "text").to_owned(),
            broken: chain.broken_at.map(|rank| rank_text(cx, rank)),
            tests: chain.tests.len(),
        })
    };
    life.chains.iter().filter_map(shown).collect()
}

#[derive(Deserialize)]
struct Added {
    csrf: String,
    family: String,
    key: String,
    value: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    reason: String,
}

async fn add_design(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Added>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let system = system_of(&house, &user, &id).await?;
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let (key, value) = (form.key.trim(), form.value.trim());
    let all = [key, value, form.unit.trim(), form.reason.trim()];
    if key.is_empty() || value.is_empty() || all.iter().any(|t| t.chars().count() > VALUE_CHARS_MAX)
    {
        return bad(
            "設定項目と設計値を、それぞれ1000文字以内で入力してください。",
            "Give a setting and its design value, of at most 1,000 characters each.",
        );
    }
    if !FAMILIES.iter().any(|family| family.value == form.family) {
        return bad("考慮事項を選んでください。", "Choose a consideration.");
    }
    let there = design::of(&house.store, &[system.row.id]).await?;
    let wanted = Wanted {
        to: system.row.id,
        to_name: system.row.name.clone(),
        key: key.to_owned(),
        value: value.to_owned(),
        unit: form.unit.trim().to_owned(),
        family: form.family,
        reason: form.reason.trim().to_owned(),
    };
    let steps = design::plan(&there, vec![wanted]);
    let mut write = user.write(&house, cx.t("設計値の追加", "design value added")).await?;
    design::put(&house.store, &mut write, &steps).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/system/{}", system.row.id)).into_response())
}

#[derive(Deserialize)]
pub(super) struct Answered {
    pub csrf: String,
    pub family: String,
}

/// Writes down that a consideration is answered by the design values that are there.
async fn answer(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Answered>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let system = system_of(&house, &user, &id).await?;
    let id = system.row.id;
    let assets: Vec<Id> = system.hosts.iter().map(|host| host.id).chain([id]).collect();
    let designs = design::of(&house.store, &assets).await?;
    let counts = design::counts(&designs, id, &system.hosts);
    let Some(values) = counts.get(&form.family).copied().filter(|values| *values > 0) else {
        let text = user.cx.t(
            "この考慮事項の設計値がありません。先に設計値を追加してください。",
            "There is no design value for this consideration yet: add one first.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    };
    let now = house.store.now();
    let source = "configuration.systems";
    let draft = design::answered(id, &form.family, values, now, Assurance::Machine, source);
    let reason = user.cx.t("考慮事項への回答", "consideration answered");
    let mut write = user.write(&house, reason).await?;
    write.record(draft).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/system/{id}")).into_response())
}

#[derive(Deserialize)]
struct Excluded {
    csrf: String,
    family: String,
    hash: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

async fn exclude(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Excluded>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let system = system_of(&house, &user, &id).await?;
    let Some(family) = FAMILIES.iter().find(|family| family.value == form.family) else {
        return Err(Refusal::NotFound);
    };
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[EXCLUDED]).await?;
    let ruling = Ruling {
        hash: &form.hash,
        outcome: "approved",
        reason: form.reason.trim(),
        hours: decide::months(12),
        kind: EXCLUDED,
        notes: vec![("family", Json::from(family.value))],
    };
    let rulings = [(ruling, About::Row(&system.row))];
    let signature = match decide::take(&house, &user, &headers, &standing, &rulings, given).await? {
        Taken::Asked(answer) => return Ok(answer),
        Taken::Given(signature) => signature,
    };
    let reason = signature.statement.reason.clone();
    let mut write = house.store.write(&user.actor(), &reason, "web").await?;
    let decisions = decide::enter_all(&mut write, &user, &rulings, &signature).await?;
    let signatures = decisions.iter().filter(|one| one.status == "approved").count();
    if signatures > 0 {
        let facts = json!({
            "family": family.value, "answer": "not_applicable", "signatures": signatures,
        });
        let at = house.store.now();
        write.record(room::draft(design::FAMILY_DESIGN, Some(system.row.id), at, facts)).await?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/system/{}", system.row.id)).into_response())
}

async fn all_api(State(house): State<Shared>, caller: Caller) -> Response {
    let all = systems::all(&house.store, &caller.reader.sees_of(Table::Asset)).await;
    let all = match all {
        Ok(all) => all,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let one = |system: &System| {
        let cells: BTreeMap<&str, Json> = FAMILIES
            .iter()
            .zip(&system.cells)
            .map(|(family, cell)| {
                let told = json!({
                    "state": cell.mark.as_str(), "values": cell.values, "failures": cell.failures,
                });
                (family.value, told)
            })
            .collect();
        json!({
            "id": system.row.id.to_string(), "name": system.row.name,
            "hosts": system.hosts.len(), "families": cells,
        })
    };
    Document(json!({ "systems": all.iter().map(one).collect::<Vec<_>>() })).into_response()
}

async fn trace_api(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Response {
    let lang = caller.cx.lang;
    let absent = || {
        let what = t("このシステムはありません。", "There is no such system.");
        Problem::new(lang, problem::NOT_FOUND, what).into_response()
    };
    let Ok(id) = id.parse::<Id>() else { return absent() };
    let found = async {
        let within = caller.reader.sees_of(Table::Asset);
        let Some(system) = systems::one(&house.store, id, &within).await? else { return Ok(None) };
        Ok::<_, store::StoreError>(Some((system, trace::load(&house.store, id).await?)))
    };
    let (system, life) = match found.await {
        Ok(Some(found)) => found,
        Ok(None) => return absent(),
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let chain = |chain: &trace::Chain| {
        json!({
            "requirement": chain.requirement.to_string(),
            "broken_at": chain.broken_at.map(Rank::as_str),
            "tests": chain.tests.iter().map(|test| {
                let done = life.graph.done.get(test);
                json!({
                    "test_spec": test.to_string(),
                    "verdict": done.map_or("open", |done| done.verdict.as_str()),
                    "at": done.map(|done| done.at.rfc3339()),
                })
            }).collect::<Vec<_>>(),
        })
    };
    let extension = |one: &trace::Extension| {
        json!({
            "extension": one.row.id.to_string(), "due": one.due.len(),
            "open": one.open().iter().map(|test| test.to_string()).collect::<Vec<_>>(),
        })
    };
    Document(json!({
        "system": system.row.id.to_string(), "broken": life.broken(),
        "chains": life.chains.iter().map(chain).collect::<Vec<_>>(),
        "extensions": life.extensions.iter().map(extension).collect::<Vec<_>>(),
    }))
    .into_response()
}
