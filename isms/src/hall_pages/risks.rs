//! `/risks`: every open risk as computed today, where it comes from, and the signature that accepts
//! what is left of it.
//!
//! Invariants: what is signed is what was shown, the content by its hash and the residual risk by its
//! two steps; only the owner of the risk or an executive signs, and nobody what they changed last.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Account, Row};
use web::{
    Shared,
    access::{self, Action},
    api::Caller,
    decide::{self, About, Cast, Given, Ruling},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Route},
    when::AsOf,
};

use super::{api_board_of, board_of, dated_document, estimate, paper_board, size_class};
use crate::{
    hall::{
        Hall, RiskView,
        method::{Estimate, STEPS_MAX},
        scenarios::{self, Scenario, treats},
    },
    shared::SharedBoard,
};

/// Risks that one page lists; the register shows the rest.
const SHOWN_MAX: usize = 200;
/// Kind of the decision that accepts a residual risk.
const ACCEPTANCE: &str = "risk_acceptance";
const NAMED_IN_CELL_MAX: usize = 3;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let (write, decide) = (Access::Action(Action::Write), Access::Action(Action::Decide));
    let title = t("リスク", "Risks");
    let treat_title = t("リスクに管理策を結び付ける", "Link a control to a risk");
    vec![
        Route::get("/risks", inspect, title, show),
        Route::get("/risks/export.pdf", inspect, t("リスク表（PDF）", "Risk sheet as PDF"), pdf),
        Route::get("/risks/scenarios", inspect, t("見本のシナリオ", "Sample scenarios"), samples),
        Route::post("/risks/scenarios", write, t("見本の取込み", "Take samples over"), take_over),
        Route::get("/risks/{id}", inspect, t("リスクの計算", "How a risk is computed"), one),
        Route::post("/risks/{id}/treat", write, treat_title, treat),
        Route::post(
            "/risks/{id}/accept",
            decide,
            t("残留リスクの受容", "Accept a residual risk"),
            accept,
        ),
        dated_document("/api/v1/isms/risks", inspect, "risks_computed", title, api),
    ]
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    control: String,
    #[serde(default)]
    as_of: String,
}

/// One field of the picture: its corner and its class.
struct Zone {
    x: i64,
    y: i64,
    class: &'static str,
}

/// The way of one risk over the matrix: untreated, today, aimed at.
struct Steps {
    zones: Vec<Zone>,
    inherent: Option<(i64, i64)>,
    current: Option<(i64, i64)>,
    target: Option<(i64, i64)>,
}

/// Edge of a field of the picture, and the room for its numbers.
const FIELD: i64 = 44;
const MARGIN: i64 = 18;

impl Steps {
    fn of(risk: &RiskView, accept_at_most: i64) -> Steps {
        let corner = |e: Estimate| {
            (MARGIN + (e.likelihood - 1) * FIELD, (STEPS_MAX - e.consequence) * FIELD)
        };
        let middle = |e: Estimate| {
            let (x, y) = corner(e);
            (x + FIELD / 2, y + FIELD / 2)
        };
        let zone = |likelihood, consequence| {
            let place = Estimate { likelihood, consequence };
            let (x, y) = corner(place);
            Zone { x, y, class: size_class(place, accept_at_most) }
        };
        let row = |c| (1..=STEPS_MAX).map(move |l| zone(l, c));
        Steps {
            zones: (1..=STEPS_MAX).flat_map(row).collect(),
            inherent: risk.inherent.map(middle),
            current: risk.current.map(middle),
            target: risk.target.map(middle),
        }
    }
}

/// One field of the matrix.
struct Cell {
    class: &'static str,
    size: i64,
    count: usize,
    names: Vec<String>,
}

struct Line<'a> {
    risk: &'a RiskView,
    inherent: String,
    current: String,
    current_class: &'static str,
    target: String,
    owner: &'a str,
}

#[derive(Template)]
#[template(path = "risks.html")]
struct RisksPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    control: &'a str,
    lines: Vec<Line<'a>>,
    open: usize,
    /// Open risks that are treated, owned and accepted.
    settled: usize,
    above: usize,
    more: bool,
    /// Rows of the matrix, gravest first; each with the name of its step.
    matrix: Vec<(String, Vec<Cell>)>,
    columns: Vec<String>,
    method: Option<(Id, i64)>,
    accept_at_most: i64,
}

async fn show(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Query(asked): Query<Asked>,
) -> Answer {
    let title = user.cx.t("リスク", "Risks");
    let board = match board_of(&house, &mut user.cx, &shared, title, &asked.as_of).await {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let (cx, hall) = (&user.cx, &board.view);
    let chosen = |r: &&RiskView| asked.control.is_empty() || r.controls.contains(&asked.control);
    let mut open: Vec<&RiskView> = hall.risks.iter().filter(|r| r.open).filter(chosen).collect();
    // What is gravest now comes first; what nobody rated comes before that.
    open.sort_by_key(|r| (r.current.is_some(), std::cmp::Reverse(r.current.map(Estimate::size))));
    let is_above = |r: &&&RiskView| r.current.is_some_and(|c| !hall.method.accepts(c));
    let is_settled = |r: &&&RiskView| r.is_treated() && r.owner.is_some() && r.acceptance.holds();
    let body = RisksPage {
        cx,
        here: "/risks",
        control: &asked.control,
        open: open.len(),
        settled: open.iter().filter(is_settled).count(),
        above: open.iter().filter(is_above).count(),
        more: open.len() > SHOWN_MAX,
        matrix: matrix(hall, &open),
        columns: (1..=STEPS_MAX).map(|step| step_name(&hall.method.likelihood, step)).collect(),
        lines: open.iter().take(SHOWN_MAX).map(|risk| line(hall, risk)).collect(),
        method: hall.method.rule,
        accept_at_most: hall.method.accept_at_most,
    };
    page(cx, title, &body)
}

fn line<'a>(hall: &'a Hall, risk: &'a RiskView) -> Line<'a> {
    Line {
        risk,
        inherent: estimate(&risk.inherent),
        current: estimate(&risk.current),
        current_class: risk
            .current
            .map_or("unknown", |c| size_class(c, hall.method.accept_at_most)),
        target: estimate(&risk.target),
        owner: hall.party(&risk.owner),
    }
}

fn step_name(names: &[String], step: i64) -> String {
    let name = names.get(step.max(1) as usize - 1);
    name.map_or_else(|| step.to_string(), |name| format!("{step} {name}"))
}

/// Where the current risks lie, gravest consequence on top.
fn matrix(hall: &Hall, risks: &[&RiskView]) -> Vec<(String, Vec<Cell>)> {
    let mut at: BTreeMap<Estimate, Vec<&RiskView>> = BTreeMap::new();
    for risk in risks {
        if let Some(current) = risk.current {
            at.entry(current).or_default().push(risk);
        }
    }
    let cell = |likelihood, consequence| {
        let place = Estimate { likelihood, consequence };
        let here = at.get(&place).map_or(&[][..], Vec::as_slice);
        Cell {
            class: size_class(place, hall.method.accept_at_most),
            size: place.size(),
            count: here.len(),
            names: here.iter().take(NAMED_IN_CELL_MAX).map(|r| r.name.clone()).collect(),
        }
    };
    (1..=STEPS_MAX)
        .rev()
        .map(|consequence| {
            let cells = (1..=STEPS_MAX).map(|likelihood| cell(likelihood, consequence)).collect();
            (step_name(&hall.method.consequence, consequence), cells)
        })
        .collect()
}

/// A scenario, and whether it was taken over before.
struct Sample {
    scenario: &'static Scenario,
    size: i64,
    class: &'static str,
    taken: bool,
}

#[derive(Template)]
#[template(path = "scenarios.html")]
struct SamplesPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    control: &'a str,
    /// The controls that have scenarios.
    controls: Vec<(&'static str, &'static str)>,
    samples: Vec<Sample>,
    may_write: bool,
}

async fn samples(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let risks = house.store.all(Table::Risk, &["risk"]).await?;
    let taken: Vec<&str> =
        risks.iter().filter_map(|r| crate::hall::text_of(r, "shipped")).collect();
    let of_control =
        |s: &&Scenario| asked.control.is_empty() || s.numbers().any(|n| n == asked.control);
    let sample = |scenario: &'static Scenario| {
        let rated = Estimate { likelihood: scenario.likelihood, consequence: scenario.impact };
        Sample {
            taken: taken.contains(&scenario.id.as_str()),
            size: rated.size(),
            class: size_class(rated, crate::hall::method::Method::default().accept_at_most),
            scenario,
        }
    };
    let mut controls: Vec<(&str, &str)> = Vec::new();
    for number in scenarios::all().iter().filter_map(|s| s.numbers().next()) {
        if controls.last().is_none_or(|(last, _)| *last != number) {
            controls.push((number, scenarios::control_title(number, cx.lang)));
        }
    }
    let kind = house.kind(Table::Risk, "risk");
    let body = SamplesPage {
        cx,
        here: "/risks",
        control: &asked.control,
        controls,
        samples: scenarios::all().iter().filter(of_control).map(sample).collect(),
        may_write: kind.is_some_and(|(_, kind)| user.reader().may(Action::Write, kind)),
    };
    page(cx, cx.t("見本のシナリオ", "Sample scenarios"), &body)
}

async fn take_over(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let get = |wanted: &str| form.iter().find(|(n, _)| n == wanted).map_or("", |(_, v)| v);
    user.form(get("csrf"), Action::Write)?;
    let ids: Vec<String> = form.iter().filter(|(n, _)| n == "id").map(|(_, v)| v.clone()).collect();
    if ids.is_empty() {
        let text = user.cx.t("取り込むシナリオを選んでください。", "Choose at least one scenario.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    let reason = user.cx.t("見本のシナリオを取り込み", "took sample scenarios over");
    let mut write = user.write(&house, reason).await?;
    scenarios::take_over(&house.store, &mut write, &ids, user.cx.lang).await?;
    write.commit().await?;
    house.wake();
    let control = urlencoding::encode(get("control")).into_owned();
    let to = if control.is_empty() { String::new() } else { format!("?control={control}") };
    Ok(Redirect::to(&format!("/risks{to}")).into_response())
}

#[derive(Template)]
#[template(path = "risk.html")]
struct RiskPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    risk: &'a RiskView,
    /// What the register says of it: label and text.
    texts: Vec<(&'a str, String)>,
    inherent: String,
    current: String,
    current_class: &'static str,
    target: String,
    owner: &'a str,
    accept_at_most: i64,
    steps: Steps,
    /// Number, title, whether it treats the risk already.
    controls: Vec<(&'a str, &'a str)>,
    titles: Vec<(String, &'a str)>,
    may_treat: bool,
    may_accept: bool,
    /// The part of the form in which one signs.
    sign: String,
}

async fn one(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Path(id): Path<Id>,
    Query(asked): Query<AsOf>,
) -> Answer {
    let title = user.cx.t("リスク", "Risks");
    let board = match board_of(&house, &mut user.cx, &shared, title, &asked.as_of).await {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let (cx, hall) = (&user.cx, &board.view);
    let row = match &cx.past {
        Some(past) => house.store.row_as_of(Table::Risk, id, past.at).await?,
        None => house.store.row(Table::Risk, id).await?,
    };
    let row = row.ok_or(Refusal::NotFound)?;
    let is_now = cx.past.is_none();
    let risk = hall.risks.iter().find(|r| r.id == id).ok_or(Refusal::NotFound)?;
    let title = |number: &str| hall.row(number).map_or("", |r| r.title(cx.lang));
    let links = house.kind(Table::Link, "treats");
    let body = RiskPage {
        cx,
        here: "/risks",
        inherent: estimate(&risk.inherent),
        current: estimate(&risk.current),
        current_class: risk
            .current
            .map_or("unknown", |c| size_class(c, hall.method.accept_at_most)),
        target: estimate(&risk.target),
        owner: hall.party(&risk.owner),
        accept_at_most: hall.method.accept_at_most,
        steps: Steps::of(risk, hall.method.accept_at_most),
        controls: hall
            .soa
            .iter()
            .filter(|r| !risk.controls.contains(&r.control))
            .map(|r| (r.control.as_str(), r.title(cx.lang)))
            .collect(),
        titles: risk.controls.iter().map(|c| (c.clone(), title(c))).collect(),
        may_treat: is_now && links.is_some_and(|(_, kind)| user.reader().may(Action::Write, kind)),
        may_accept: is_now
            && (may_accept(&house, &user.session.account, risk).await?
                || decide::delegation::held(&house.store, &user.session.account).await?),
        sign: decide::part(cx, cx.t("署名する", "Sign"))?,
        texts: texts(cx, &row),
        risk,
    };
    let name = risk.name.clone();
    Ok(with_script(page(cx, &name, &body)?))
}

fn texts<'a>(cx: &Cx, row: &Row) -> Vec<(&'a str, String)> {
    const SHOWN: [(&str, model::Text); 4] = [
        ("scenario", t("シナリオ", "Scenario")),
        ("threat", t("脅威", "Threat")),
        ("risk_source", t("リスク源", "Risk source")),
        ("measures", t("対応の内容", "What is done")),
    ];
    let said = |name| row.attributes.get(name).and_then(Json::as_str).unwrap_or("").to_owned();
    SHOWN.iter().map(|(name, label)| (label.get(cx.lang), said(*name))).collect()
}

/// Whether the account is of the owner of the risk, or stands above owners.
async fn may_accept(house: &Shared, account: &Account, risk: &RiskView) -> Result<bool, Refusal> {
    if !access::allowed(&account.role, Action::Decide) {
        return Ok(false);
    }
    if account.role == "executive" {
        return Ok(true);
    }
    let person = house.store.place(account.id).await?.person;
    Ok(person.is_some() && person == risk.owner)
}

#[derive(Deserialize)]
struct Treat {
    csrf: String,
    control: String,
}

async fn treat(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Treat>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let row = house.store.row(Table::Risk, id).await?.filter(|r| !r.deleted);
    let risk = row.ok_or(Refusal::NotFound)?;
    let board = shared.wait().await;
    let from = board.view.row(&form.control).and_then(|r| r.norm.or(r.usage));
    let from = from.ok_or_else(|| Refusal::Bad(form.control.clone()))?;
    if !house.store.linked("treats", from, id).await? {
        let mut write = user.write(&house, "treats the risk").await?;
        write.put(treats(house.store.new_id()?, from, &form.control, &risk)).await?;
        write.commit().await?;
        house.wake();
    }
    Ok(Redirect::to(&format!("/risks/{id}")).into_response())
}

#[derive(Deserialize)]
struct Accept {
    csrf: String,
    /// Hash of the risk as shown.
    hash: String,
    /// Residual risk as shown.
    likelihood: String,
    consequence: String,
    outcome: String,
    reason: String,
    months: String,
    #[serde(flatten)]
    given: Given,
}

async fn accept(
    State(house): State<Shared>,
    headers: HeaderMap,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Accept>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let cx = &user.cx;
    let row = house.store.row(Table::Risk, id).await?.filter(|r| !r.deleted);
    let row = row.ok_or(Refusal::NotFound)?;
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[ACCEPTANCE]).await?;
    let board = shared.wait().await;
    let risk = board.view.risks.iter().find(|r| r.id == id).ok_or(Refusal::NotFound)?;
    if !may_accept(&house, &standing.account, risk).await? {
        let text = cx.t(
            "残留リスクを受け入れられるのは、そのリスクの所有者か経営層だけです。所有者の名簿の行に、サインイン名が書かれているか確かめてください。",
            "Only the owner of the risk, or an executive, accepts what is left of it. See that the owner's row among the people names the account.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let number = |text: &str| text.parse().unwrap_or(0);
    let shown =
        Estimate { likelihood: number(&form.likelihood), consequence: number(&form.consequence) };
    if risk.current != Some(shown) {
        let text = cx.t(
            "画面を開いた後に計算されたリスクが変わりました。最新の値を確認してください。",
            "The computed risk changed after you opened the page. Look at the newest values.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let ruling = Ruling {
        hash: &form.hash,
        outcome: &form.outcome,
        reason: form.reason.trim(),
        hours: decide::months(form.months.parse().unwrap_or(12)),
        kind: ACCEPTANCE,
        notes: vec![
            ("residual_likelihood", Json::from(shown.likelihood)),
            ("residual_consequence", Json::from(shown.consequence)),
        ],
    };
    let rulings = [(ruling, About::Row(&row))];
    if let Cast::Asked(answer) =
        decide::cast(&house, &user, &headers, &standing, &rulings, given).await?
    {
        return Ok(answer);
    }
    Ok(Redirect::to(&format!("/risks/{id}")).into_response())
}

async fn api(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Query(asked): Query<AsOf>,
) -> Response {
    match api_board_of(&house, &caller, &shared, &asked).await {
        Ok(board) => super::json(json!({
            "at": board.at.rfc3339(),
            "accept_at_most": board.view.method.accept_at_most,
            "risks": board.view.risks,
        })),
        Err(wait) => *wait,
    }
}

async fn pdf(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Query(asked): Query<AsOf>,
) -> Answer {
    let board = match paper_board(&house, &mut user.cx, &shared, &asked.as_of).await {
        Ok(board) => board,
        Err(refusal) => return *refusal,
    };
    let head = super::paper_head(&house, &board.view).await?;
    let paper = board.view.risk_paper(&head, user.cx.lang);
    super::pdf(paper, &format!("risks-{}.pdf", user.cx.date(&board.at))).await
}
