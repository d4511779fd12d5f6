//! `/review`: management reviews (9.3). Inputs from the records, instructions, one signature.
//!
//! Invariants: what is signed is the review as shown, by its hash; executives sign, as many as the
//! approval policies ask for, and nobody what they prepared themselves; a signed review is not changed
//! any more on these pages.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Lang, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    decide::{self, About, Given, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{document, may_write, name_of, names, people, sent::Sent};
use crate::{
    days, drops, executive,
    hall::text_of,
    review::{
        self, Gathered, HELD_KIND, Input, REASON_CHARS_MAX, REVIEW_KIND, content,
        gather::{self, Held},
        hold::{self, HoldError, INSTRUCTIONS_MAX},
    },
    shared::SharedBoard,
};

const INSTRUCTION_CHARS_MAX: usize = 2_000;
/// Months after which the next review is due.
const DUE_DAYS: i64 = 365;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let (write, decide) = (Access::Action(Action::Write), Access::Action(Action::Decide));
    let title = t("マネジメントレビュー", "Management review");
    let (begin_title, refresh_title) = (
        t("レビューの資料を作る", "Prepare a review"),
        t("記録からインプットを作り直す", "Draw the inputs anew"),
    );
    let save_title = t("理由と指示を保存する", "Save reasons and instructions");
    vec![
        Route::get("/review", inspect, title, list),
        Route::post("/review/begin", write, begin_title, begin),
        Route::get("/review/{id}", inspect, title, one),
        Route::post("/review/{id}/save", write, save_title, save),
        Route::post("/review/{id}/refresh", write, refresh_title, refresh),
        Route::post("/review/{id}/sign", decide, t("レビューの署名", "Sign a review"), sign),
        document("/api/v1/isms/review", inspect, "review", title, api),
    ]
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    reviews: &'a [Held],
    /// Day of the newest signed review, and whether the next is overdue.
    last: Option<&'a str>,
    overdue: bool,
    today: String,
    may_write: bool,
    /// Id, day, control and levels of what dropped lately.
    drops: Vec<(Id, String, String)>,
    threats: Vec<Row>,
}

async fn list(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let reviews = review::overview(&house.store).await?;
    let last = reviews.iter().find(|r| r.signed.is_some()).map(|r| &r.row);
    let held = last.and_then(|row| days::field(row, "held_on"));
    let body = ListPage {
        cx,
        here: "/review",
        last: last.and_then(|row| text_of(row, "held_on")),
        overdue: held.is_none_or(|at| cx.now.hours_since(at) > DUE_DAYS * 24),
        today: cx.today(),
        may_write: may_write(&house, &user, Table::Plan, REVIEW_KIND),
        reviews: &reviews,
        drops: executive::recent_drops(&house.store).await?.iter().filter_map(dropped).collect(),
        threats: executive::recent_threats(&house.store).await?,
    };
    fn dropped(record: &store::Record) -> Option<(Id, String, String)> {
        let (from, to) = drops::drop_of(record)?;
        let control = record.facts.get("control").and_then(Json::as_str)?;
        let change = format!("{control} {} → {}", from.sign(), to.sign());
        Some((record.id, days::of(record.observed_to), change))
    }
    page(cx, cx.t("マネジメントレビュー", "Management review"), &body)
}

#[derive(Deserialize)]
struct Begin {
    csrf: String,
    held_on: String,
}

async fn begin(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Form(form): Form<Begin>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_write(&house, &user, Table::Plan, REVIEW_KIND) {
        return Err(Refusal::Forbidden);
    }
    let cx = &user.cx;
    let Some(_) = days::begin(&form.held_on) else {
        let text = cx.t("開催日を入力してください。", "Give the day it is held.");
        return Err(Refusal::Bad(text.to_owned()));
    };
    let inputs = drawn(&house, &shared).await?;
    let name = format!("マネジメントレビュー / Management review {}", form.held_on.trim());
    let mut row = Row::new(Table::Plan, house.store.new_id()?, REVIEW_KIND, &name);
    row.attributes.insert("held_on".into(), form.held_on.trim().into());
    row.attributes.insert("instructions".into(), json!([]));
    put_inputs(&mut row, &inputs, cx);
    let mut write = user.write(&house, cx.t("レビューの準備", "prepared the review")).await?;
    let row = write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/review/{}", row.id)).into_response())
}

async fn drawn(house: &Shared, shared: &SharedBoard) -> Result<Vec<Input>, Refusal> {
    let board = shared.wait().await;
    let gathered = Gathered::load(&house.store, &board).await?;
    Ok(review::draw(&gathered, house.store.now()))
}

fn put_inputs(row: &mut Row, inputs: &[Input], cx: &Cx) {
    row.attributes.insert("drawn_at".into(), cx.now.rfc3339().into());
    row.attributes.insert("inputs".into(), json!(inputs));
}

/// An input with what is said about it.
struct Part<'a> {
    input: &'a Input,
    title: &'a str,
    content: &'a str,
    question: &'a str,
    empty: &'a str,
    settled: bool,
}

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    held: &'a Held,
    hash: String,
    held_on: &'a str,
    drawn_at: &'a str,
    conclusion: &'a str,
    parts: Vec<Part<'a>>,
    /// Letters that keep it from being signed.
    open: Vec<&'static str>,
    names: HashMap<Id, String>,
    people: Vec<Row>,
    /// Risks that are named or can be.
    risks: Vec<Row>,
    outputs: Vec<(&'a str, &'a str, &'a str)>,
    may_write: bool,
    may_sign: bool,
    /// Signatures that are there, and how many it takes.
    begun: Option<(usize, usize)>,
    signatures: Vec<decide::Shown>,
    /// The part of the form in which one signs.
    sign: String,
}

impl ReviewPage<'_> {
    fn risk(&self, id: &Id) -> &str {
        self.risks.iter().find(|row| row.id == *id).map_or("–", |row| row.name.as_str())
    }

    fn owner(&self, id: &Option<Id>) -> &str {
        name_of(&self.names, id.as_ref())
    }
}

async fn one(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    let cx = &user.cx;
    let held = gather::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let owners = held.instructions.iter().filter_map(|i| i.owner).collect();
    let is_open = held.signed.is_none();
    let may_write = is_open && may_write(&house, &user, Table::Plan, REVIEW_KIND);
    let may_sign = is_open && signs(&house, &user).await?;
    let body = ReviewPage {
        cx,
        here: "/review",
        hash: held.row.content_hash()?,
        held_on: text_of(&held.row, "held_on").unwrap_or(""),
        drawn_at: text_of(&held.row, "drawn_at").unwrap_or(""),
        conclusion: text_of(&held.row, "conclusion").unwrap_or(""),
        parts: held.inputs.iter().filter_map(|input| part(cx, input)).collect(),
        open: hold::unsettled(&held.inputs),
        names: names(&house, owners).await?,
        people: if may_write { people(&house).await? } else { Vec::new() },
        risks: risks(&house, &held, may_write).await?,
        outputs: outputs(cx),
        may_write,
        begun: held.begun.as_ref().map(decide::progress),
        signatures: held
            .signed
            .as_ref()
            .or(held.begun.as_ref())
            .map_or_else(Vec::new, |decision| decide::shown(cx, decision)),
        may_sign,
        sign: if may_sign {
            decide::part(cx, cx.t("署名する", "Sign"))?
        } else {
            String::new()
        },
        held: &held,
    };
    page(cx, &held.row.name, &body)
}

/// All risks to choose from, or those that are named.
async fn risks(house: &Shared, held: &Held, may_write: bool) -> Result<Vec<Row>, Refusal> {
    let named: Vec<Id> = held.instructions.iter().filter_map(|i| i.risk).collect();
    let mut rows = match (may_write, named.is_empty()) {
        (true, _) => house.store.all(Table::Risk, &[]).await?,
        (false, false) => house.store.rows_by_id(Table::Risk, &named).await?,
        (false, true) => Vec::new(),
    };
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

fn part<'a>(cx: &Cx, input: &'a Input) -> Option<Part<'a>> {
    let shipped = content::inputs().iter().find(|c| c.letter == input.letter)?;
    let pick = |ja: &'static str, en: &'static str| match cx.lang {
        Lang::Ja => ja,
        Lang::En => en,
    };
    Some(Part {
        title: pick(&shipped.title_ja, &shipped.title_en),
        content: pick(&shipped.content_ja, &shipped.content_en),
        question: pick(&shipped.question_ja, &shipped.question_en),
        empty: pick(&shipped.empty_ja, &shipped.empty_en),
        settled: input.is_settled(),
        input,
    })
}

fn outputs(cx: &Cx) -> Vec<(&'static str, &'static str, &'static str)> {
    let pick = |o: &'static content::Output| match cx.lang {
        Lang::Ja => (o.id.as_str(), o.title_ja.as_str(), o.question_ja.as_str()),
        Lang::En => (o.id.as_str(), o.title_en.as_str(), o.question_en.as_str()),
    };
    content::outputs().iter().map(pick).collect()
}

/// The role that signs a management review.
pub(super) const SIGNS: &str = "executive";

/// Whether the form is shown: to executives, and to whom stands in for someone. Whether for an executive
/// is seen when they name whom.
pub(super) async fn signs(house: &Shared, user: &User) -> Result<bool, Refusal> {
    let account = &user.session.account;
    if user.may(Action::Decide).is_err() {
        return Ok(false);
    }
    Ok(account.role == SIGNS || decide::delegation::held(&house.store, account).await?)
}

/// The review, as long as nobody signed it.
async fn unsigned(house: &Shared, user: &User, id: Id) -> Result<Held, Refusal> {
    let held = gather::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    match held.signed {
        None => Ok(held),
        Some(_) => Err(refusal(HoldError::Signed, &user.cx)),
    }
}

async fn save(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let sent = Sent(form);
    user.form(sent.get("csrf"), Action::Write)?;
    let cx = &user.cx;
    let held = unsigned(&house, &user, id).await?;
    let mut inputs = held.inputs;
    for input in &mut inputs {
        let reason = sent.get(&format!("reason_{}", input.letter));
        if reason.chars().count() > REASON_CHARS_MAX {
            let text = cx.t("理由は1000文字までです。", "A reason has at most 1,000 characters.");
            return Err(Refusal::Bad(text.to_owned()));
        }
        input.reason = reason.to_owned();
    }
    let mut row = held.row;
    row.attributes.insert("inputs".into(), json!(inputs));
    match sent.get("conclusion") {
        "" => drop(row.attributes.remove("conclusion")),
        text => drop(row.attributes.insert("conclusion".into(), text.into())),
    }
    let risk = super::named_risk(&house, &user, sent.get("risk")).await?;
    let instructions = instructions(cx, &row, &sent, risk)?;
    row.attributes.insert("instructions".into(), Json::Array(instructions));
    let mut write = user.write(&house, cx.t("レビューの記入", "filled in the review")).await?;
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/review/{id}")).into_response())
}

/// The instructions without those to be dropped, and with the new one.
fn instructions(cx: &Cx, row: &Row, sent: &Sent, risk: Option<Id>) -> Result<Vec<Json>, Refusal> {
    let there = row.attributes.get("instructions").and_then(Json::as_array);
    let dropped = sent.every("drop");
    let kept = there.into_iter().flatten().enumerate();
    let kept = kept.filter(|(at, _)| !dropped.contains(&at.to_string().as_str()));
    let mut all: Vec<Json> = kept.map(|(_, line)| line.clone()).collect();
    let text = sent.get("text");
    if text.is_empty() {
        return Ok(all);
    }
    let (owner, due) = (sent.get("owner"), sent.get("due"));
    let whole = owner.parse::<Id>().is_ok() && days::begin(due).is_some();
    if !whole || text.chars().count() > INSTRUCTION_CHARS_MAX || all.len() >= INSTRUCTIONS_MAX {
        let text = cx.t(
            "指示には、2000文字以内の内容、担当、期限が必要です（1回のレビューで100件まで）。",
            "An instruction needs a text of at most 2,000 characters, an owner and a date (at most 100 in one review).",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let mut line = json!({"text": text, "owner": owner, "due": due});
    let output = sent.get("output");
    if content::outputs().iter().any(|o| o.id == output) {
        line["output"] = output.into();
    }
    if let Some(risk) = risk {
        line["risk"] = risk.to_string().into();
    }
    all.push(line);
    Ok(all)
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

/// Draws the inputs anew; reasons that were given stay.
async fn refresh(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let held = unsigned(&house, &user, id).await?;
    let mut inputs = drawn(&house, &shared).await?;
    for input in &mut inputs {
        if let Some(before) = held.inputs.iter().find(|i| i.letter == input.letter) {
            input.reason = before.reason.clone();
        }
    }
    let mut row = held.row;
    put_inputs(&mut row, &inputs, &user.cx);
    let mut write =
        user.write(&house, user.cx.t("インプットの更新", "drew the inputs anew")).await?;
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/review/{id}")).into_response())
}

#[derive(Deserialize)]
struct SignForm {
    csrf: String,
    hash: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

async fn sign(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<SignForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let cx = &user.cx;
    let row = unsigned(&house, &user, id).await?.row;
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[HELD_KIND]).await?;
    if standing.account.role != SIGNS {
        let text = cx.t(
            "マネジメントレビューに署名できるのは経営層（またはその委任を受けた人）だけです。",
            "Only an executive, or whom one lets stand in, signs a management review.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    // Before anyone is asked for a code that can be used once.
    let held = hold::ready(&house.store, &row).await.map_err(|e| refusal(e, cx))?;
    let reason = form.reason.trim();
    let rulings = [(hold::ruling(&form.hash, reason), About::Row(&row))];
    let signature = match decide::take(&house, &user, &headers, &standing, &rulings, given).await? {
        Taken::Asked(answer) => return Ok(answer),
        Taken::Given(signature) => signature,
    };
    let mut write = house.store.write(&user.actor(), reason, "web").await?;
    for decision in decide::enter_all(&mut write, &user, &rulings, &signature).await? {
        let settled = hold::settle(&house.store, &mut write, &row, held, &decision).await;
        settled.map_err(|e| refusal(e, cx))?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/review/{id}")).into_response())
}

fn refusal(error: HoldError, cx: &Cx) -> Refusal {
    let text = match error {
        HoldError::Day => cx.t(
            "開催日が正しくないか、未来の日付です。当日以降に署名してください。",
            "The day is not right or lies in the future. Sign on the day or later.",
        ),
        HoldError::Unsettled(letters) => {
            let ja = format!("空のインプットに理由が要ります（fは空にできません）：{letters}");
            let en = format!("Empty inputs need a reason (f is never empty): {letters}");
            return Refusal::Bad(cx.t(&ja, &en).to_owned());
        }
        HoldError::Instruction(number) => {
            let ja = format!("{number}番目の指示に、内容・担当・開催日以降の期限が要ります。");
            let en = format!(
                "Instruction {number} needs a text, an owner and a date on or after the review."
            );
            return Refusal::Bad(cx.t(&ja, &en).to_owned());
        }
        HoldError::Many => cx.t("指示が多すぎます。", "There are too many instructions."),
        HoldError::Signed => {
            cx.t("このレビューは署名済みです。", "This review was signed already.")
        }
        HoldError::Ruling(error) => return error.refusal(cx),
        HoldError::Store(error) => return Refusal::Store(error),
    };
    Refusal::Bad(text.to_owned())
}

async fn api(State(house): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let reviews = review::overview(&house.store).await;
    let reviews = reviews.map_err(|e| Problem::of_store(caller.cx.lang, &e))?;
    let one = |held: &Held| {
        json!({
            "id": held.row.id,
            "held_on": text_of(&held.row, "held_on"),
            "signed_at": held.signed.as_ref().map(|d| d.updated_at.rfc3339()),
            "inputs": held.inputs,
            "instructions": held.instructions,
            "conclusion": text_of(&held.row, "conclusion"),
        })
    };
    Ok(super::json(json!({ "reviews": reviews.iter().map(one).collect::<Vec<Json>>() })))
}
