//! `/audit`: what the internal audits covered, samples drawn from a seed, answers, findings (9.2, 10.2).
//!
//! Invariants: drawing is for those who write; answering is for the auditor named, whatever their role.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Lang, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    people::Me,
    route::{Access, Api, Param, Place, Route},
};

use super::{api_board, board, document, may_write, name_of, names, people};
use crate::{
    audit::{
        self, AUDIT_KIND, Coverage, Loaded, NEW_DAYS, SAMPLES_MAX, Why,
        findings::{self, Standing},
        run::{self, AnswerError},
    },
    hall::text_of,
    shared::SharedBoard,
};

const SEED_CHARS_MAX: usize = 100;
const COUNT: usize = 8;
const SHOWN_MAX: usize = 100;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("内部監査", "Internal audit");
    let (one_title, answer_title) =
        (t("一回の内部監査", "One internal audit"), t("監査の結果を記録する", "Answer a sample"));
    vec![
        Route::get("/audit", inspect, title, show),
        Route::post("/audit/draw", write, t("抜き取りを引く", "Draw samples"), draw),
        Route::get("/audit/{id}", Access::Own, one_title, one),
        Route::post("/audit/{id}/answer", Access::Own, answer_title, answer),
        document("/api/v1/isms/audit", inspect, "audit", title, api),
        sample_route(inspect),
    ]
}

/// Samples on request; what they depend on are parameters.
fn sample_route(inspect: Access) -> Route {
    let title = t("監査の抜き取り（保存しない）", "Samples of an audit, not kept");
    let param =
        |name, schema, required, text| Param { place: Place::Query, name, schema, required, text };
    let seed = t("乱数の種", "What chance follows from");
    let auditor = t("監査員の識別子", "Id of the auditor");
    let count = t("件数", "How many samples");
    Route::get("/api/v1/isms/audit/sample", inspect, title, api_sample).api(Api {
        tag: "isms",
        id: "audit_sample".to_owned(),
        params: vec![
            param("seed", "Word", true, seed),
            param("auditor", "Id", true, auditor),
            param("count", "Limit", false, count),
        ],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400],
    })
}

struct Found<'a> {
    row: &'a Row,
    standing: Standing,
}

struct Held<'a> {
    row: &'a Row,
    auditor: &'a str,
    answered: usize,
    all: usize,
}

struct New<'a> {
    number: &'a str,
    title: &'a str,
    owner: &'a str,
    last: Option<String>,
    auditor: &'a str,
    audited: bool,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    coverage: Coverage,
    new: Vec<New<'a>>,
    findings: Vec<Found<'a>>,
    open: usize,
    audits: Vec<Held<'a>>,
    programme: Option<&'a Row>,
    people: Vec<Row>,
    seed: String,
    count: usize,
    count_max: usize,
    may_write: bool,
}

async fn show(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
) -> Answer {
    let cx = &user.cx;
    let title = cx.t("内部監査", "Internal audit");
    let board = match board(cx, &shared, title) {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let loaded = audit::load(&house.store, &board).await?;
    let names = names(&house, parties(&loaded)).await?;
    let may_write = may_write(&house, &user, Table::Plan, AUDIT_KIND);
    let now = cx.now;
    let standing = |row| Found { row, standing: findings::standing(row, now) };
    let mut found: Vec<Found> = loaded.findings.iter().map(standing).collect();
    let open = found.iter().filter(|f| f.standing != Standing::Verified).count();
    found.sort_by_key(|f| (f.standing == Standing::Verified, std::cmp::Reverse(f.row.created_at)));
    found.truncate(SHOWN_MAX);
    let body = AuditPage {
        cx,
        here: "/audit",
        coverage: audit::coverage(&loaded.state),
        new: new(cx, &loaded, &names),
        findings: found,
        open,
        audits: loaded.audits.iter().take(SHOWN_MAX).map(|row| held(row, &names)).collect(),
        programme: loaded.programme.as_ref(),
        people: if may_write { people(&house).await? } else { Vec::new() },
        seed: cx.today(),
        count: COUNT,
        count_max: SAMPLES_MAX,
        may_write,
    };
    page(cx, title, &body)
}

/// Everybody whose name the page shows.
fn parties(loaded: &Loaded) -> Vec<Id> {
    let new = loaded.state.items.iter().filter(|i| i.is_new);
    let of_items = new.flat_map(|i| [i.owner, i.asked.first().and_then(|a| a.auditor)]);
    of_items.chain(loaded.audits.iter().map(run::auditor)).flatten().collect()
}

fn new<'a>(cx: &Cx, loaded: &'a Loaded, names: &'a HashMap<Id, String>) -> Vec<New<'a>> {
    let line = |item: &'a audit::Item| New {
        number: &item.number,
        title: match cx.lang {
            Lang::Ja => &item.title_ja,
            Lang::En => &item.title_en,
        },
        owner: name_of(names, item.owner.as_ref()),
        last: item.last().map(|at| cx.date(&at)),
        auditor: name_of(names, item.asked.first().and_then(|a| a.auditor).as_ref()),
        audited: item.is_audited(loaded.state.at, NEW_DAYS),
    };
    loaded.state.items.iter().filter(|i| i.is_new).map(line).collect()
}

fn held<'a>(row: &'a Row, names: &'a HashMap<Id, String>) -> Held<'a> {
    let samples = run::samples(row);
    Held {
        row,
        auditor: name_of(names, run::auditor(row).as_ref()),
        answered: samples.iter().filter(|s| s.get("record").is_some()).count(),
        all: samples.len(),
    }
}

#[derive(Deserialize)]
struct Draw {
    csrf: String,
    seed: String,
    count: usize,
    auditor: String,
}

async fn draw(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Form(form): Form<Draw>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_write(&house, &user, Table::Plan, AUDIT_KIND) {
        return Err(Refusal::Forbidden);
    }
    let cx = &user.cx;
    let seed = form.seed.trim();
    let auditor: Option<Id> = form.auditor.parse().ok();
    let person = match auditor {
        Some(id) => house.store.row(Table::Party, id).await?.filter(|row| !row.deleted),
        None => None,
    };
    let (Some(person), 1..=SEED_CHARS_MAX) = (person, seed.chars().count()) else {
        let text = cx.t(
            "種（100文字以内）と監査員を指定してください。",
            "Give a seed of at most 100 characters, and an auditor.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    };
    let board = shared.wait().await;
    let loaded = audit::load(&house.store, &board).await?;
    let samples = audit::draw(&loaded.state, seed, form.count, person.id);
    if samples.is_empty() {
        let text = cx.t(
            "この監査員が監査できる管理策がありません。適用宣言書で、管理策に別の責任者を決めてください。",
            "There is nothing this auditor can audit. Name somebody else as owner of controls in the Statement of Applicability.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let name = format!("内部監査 / Internal audit {} ({seed})", cx.today());
    let row = run::row(house.store.new_id()?, &name, seed, person.id, board.at, &samples);
    let mut write = user.write(&house, cx.t("監査の抜き取り", "drew an audit")).await?;
    let row = write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/audit/{}", row.id)).into_response())
}

struct Line<'a> {
    at: usize,
    item: &'a str,
    owner: &'a str,
    question: &'a str,
    evidence: &'a str,
    why: Vec<&'a str>,
    question_in_a_row: u64,
    auditor_in_a_row: u64,
    /// The result as people read it.
    result: Option<&'a str>,
    conforms: bool,
    record: Option<&'a str>,
    finding: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "audit_one.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    here: &'static str,
    row: &'a Row,
    seed: &'a str,
    auditor: &'a str,
    lines: Vec<Line<'a>>,
    answered: usize,
    row_max: u64,
    results: [(&'static str, &'a str); 4],
    /// The reader is the auditor named.
    answers: bool,
}

/// The audit, for those who inspect and for its auditor; to anyone else it is not there.
async fn visible(house: &Shared, user: &User, id: Id) -> Result<(Row, bool), Refusal> {
    if user.session.account.must_change {
        return Err(Refusal::ChangePassword);
    }
    let row = house.store.row(Table::Plan, id).await?;
    let row = row.filter(|r| r.kind == AUDIT_KIND && !r.deleted).ok_or(Refusal::NotFound)?;
    let person = house.store.place(user.session.account.id).await?.person;
    let answers = person.is_some() && run::auditor(&row) == person;
    if !answers && user.may(Action::Inspect).is_err() {
        return Err(Refusal::NotFound);
    }
    Ok((row, answers))
}

async fn one(State(house): State<Shared>, Me(user): Me, Path(id): Path<Id>) -> Answer {
    let cx = &user.cx;
    let (row, answers) = visible(&house, &user, id).await?;
    let samples = run::samples(&row);
    let party = |value: &Json| value.as_str().and_then(|id| id.parse::<Id>().ok());
    let ids = samples.iter().filter_map(|s| party(&s["owner"])).chain(run::auditor(&row));
    let names = names(&house, ids.collect()).await?;
    let body = OnePage {
        cx,
        here: "/audit",
        seed: text_of(&row, "seed").unwrap_or(""),
        auditor: name_of(&names, run::auditor(&row).as_ref()),
        lines: samples.iter().enumerate().map(|(at, s)| line(cx, at, s, &names)).collect(),
        answered: samples.iter().filter(|s| s.get("record").is_some()).count(),
        row_max: audit::ROW_MAX,
        results: results(cx),
        answers,
        row: &row,
    };
    page(cx, &row.name, &body)
}

fn results(cx: &Cx) -> [(&'static str, &str); 4] {
    [
        ("conform", cx.t("適合", "conforms")),
        ("observation", cx.t("観察事項", "observation")),
        ("minor", cx.t("軽微な不適合", "minor nonconformity")),
        ("major", cx.t("重大な不適合", "major nonconformity")),
    ]
}

fn line<'a>(cx: &'a Cx, at: usize, s: &'a Json, names: &'a HashMap<Id, String>) -> Line<'a> {
    let owner: Option<Id> = s["owner"].as_str().and_then(|id| id.parse().ok());
    let (question, evidence) = match cx.lang {
        Lang::Ja => ("ja", "evidence_ja"),
        Lang::En => ("en", "evidence_en"),
    };
    let said = |name: &str| s["question"][name].as_str().unwrap_or("");
    let why = s["why"].as_array().into_iter().flatten().filter_map(Json::as_str);
    Line {
        at,
        item: s["item"].as_str().unwrap_or(""),
        owner: name_of(names, owner.as_ref()),
        question: said(question),
        evidence: said(evidence),
        why: why.filter_map(Why::parse).map(|w| w.text().get(cx.lang)).collect(),
        question_in_a_row: s["question_in_a_row"].as_u64().unwrap_or(0),
        auditor_in_a_row: s["auditor_in_a_row"].as_u64().unwrap_or(0),
        result: results(cx).into_iter().find(|r| s["result"] == r.0).map(|r| r.1),
        conforms: s["result"] == "conform",
        record: s["record"].as_str(),
        finding: s["finding"].as_str(),
    }
}

#[derive(Deserialize)]
struct AnswerForm {
    csrf: String,
    sample: usize,
    result: String,
    note: String,
}

async fn answer(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    me: Me,
    Path(id): Path<Id>,
    Form(form): Form<AnswerForm>,
) -> Answer {
    me.form(&form.csrf)?;
    let user = &me.0;
    let (row, answers) = visible(&house, user, id).await?;
    let by = run::auditor(&row).filter(|_| answers);
    let by = by.ok_or_else(|| refusal(AnswerError::NotTheAuditor, &user.cx))?;
    let board = shared.wait().await;
    let loaded = audit::load(&house.store, &board).await?;
    let number = run::samples(&row).get(form.sample).and_then(|s| s["item"].as_str());
    let item = loaded.state.items.iter().find(|i| Some(i.number.as_str()) == number);
    let item = item.ok_or_else(|| refusal(AnswerError::NoSample, &user.cx))?;
    let said = run::Answer { sample: form.sample, result: &form.result, note: &form.note, by };
    // Who audits need not be one who writes: that it is the auditor named was seen above.
    let mut write = house.store.write(&user.actor(), "audit", "web").await?;
    let taken = run::answer(&house.store, &mut write, row, item, &said).await;
    taken.map_err(|e| refusal(e, &user.cx))?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/audit/{id}")).into_response())
}

fn refusal(error: AnswerError, cx: &Cx) -> Refusal {
    let text = match error {
        AnswerError::NoSample => return Refusal::NotFound,
        AnswerError::Answered => cx.t("この質問は回答済みです。", "This was answered already."),
        AnswerError::NotTheAuditor => cx.t(
            "結果を記録できるのは、この監査の監査員だけです。名簿の行にサインイン名が書かれているか確かめてください。",
            "Only the auditor named answers. See that the auditor's row among the people names the account.",
        ),
        AnswerError::Own => cx.t(
            "自分が責任者である管理策は監査できません。",
            "Nobody audits a control they answer for.",
        ),
        AnswerError::Unowned => cx.t(
            "この管理策には責任者がいないため、独立した監査になりません。適用宣言書で責任者を決めてください。",
            "Nobody owns this control, so independence cannot be shown. Name its owner in the Statement of Applicability.",
        ),
        AnswerError::Incomplete => cx.t(
            "結果と、見たもの（4000文字以内）を入力してください。",
            "Give a result, and what you saw in at most 4,000 characters.",
        ),
        AnswerError::Store(error) => return Refusal::Store(error),
    };
    Refusal::Bad(text.to_owned())
}

async fn api(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
) -> Response {
    let lang = caller.cx.lang;
    let board = match api_board(lang, &shared) {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    match audit::load(&house.store, &board).await {
        Ok(loaded) => super::json(loaded.json(caller.cx.now)),
        Err(error) => Problem::of_store(lang, &error).into_response(),
    }
}

async fn api_sample(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let lang = caller.cx.lang;
    let board = match api_board(lang, &shared) {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let get = |name: &str| asked.get(name).map_or("", String::as_str).trim();
    let Ok(auditor) = get("auditor").parse::<Id>() else {
        let text = t(
            "auditor（監査員の識別子）とseedを指定してください。",
            "Give auditor, the id of a party, and seed.",
        );
        return Problem::new(lang, problem::BAD_REQUEST, text).into_response();
    };
    match audit::load(&house.store, &board).await {
        Ok(loaded) => {
            let count = get("count").parse().unwrap_or(COUNT).min(SAMPLES_MAX);
            let samples = audit::draw(&loaded.state, get("seed"), count, auditor);
            super::json(json!({"seed": get("seed"), "auditor": auditor, "samples": samples}))
        }
        Err(error) => Problem::of_store(lang, &error).into_response(),
    }
}
