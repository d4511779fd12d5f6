//! `/intelligence/drill`: who holds the roles of the CSIRT, whom a drill asks, and the answer.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::may_judge;
use crate::work::process::drill::{self, LIMIT_MIN, PATH};

const SHOWN_MAX: usize = 30;

pub(super) fn routes() -> Vec<Route> {
    let start = t("CSIRT応答訓練の開始", "Begin a drill");
    let answer = t("CSIRT応答訓練への応答", "Answer a drill");
    let write = Access::Action(Action::Write);
    vec![
        Route::get(PATH, Access::Own, t("CSIRT応答訓練", "CSIRT drills"), show),
        Route::post(PATH, write, start, begin),
        Route::post("/intelligence/drill/{id}/answer", Access::Own, answer, answered),
    ]
}

/// A role as those who look after it see it.
struct RoleLine {
    role: &'static str,
    holder: String,
    deputy: String,
    edit: String,
}

struct AskLine {
    id: Id,
    role: &'static str,
    at: String,
    class: &'static str,
    said: String,
    may_answer: bool,
}

#[derive(Template)]
#[template(path = "intelligence_drill.html")]
struct DrillPage<'a> {
    cx: &'a Cx,
    mine: Vec<AskLine>,
    roles: Vec<RoleLine>,
    asks: Vec<AskLine>,
    may_inspect: bool,
    may_start: bool,
    missing: usize,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let now = store.now();
    let held = drill::held(store).await?;
    let asks = drill::asks(store).await?;
    let party = user_party(&house, &user).await?;
    let may_inspect = cx.may_inspect();
    let ids: Vec<Id> =
        held.values().flat_map(|held| [held.holder, held.deputy]).flatten().collect();
    let people = store.rows_by_id(Table::Party, &ids).await?;
    let name = |id: Option<Id>| {
        let row = id.and_then(|id| people.iter().find(|row| row.id == id));
        row.map(|row| row.name.clone()).unwrap_or_default()
    };
    let line = |ask: &drill::Ask| {
        let place = held.get(&ask.role).and_then(|held| ask.place_of(held, party));
        let answered = ask.answered.as_ref();
        let answered = answered.and_then(|record| record.facts.get("answered_min")?.as_i64());
        let min = cx.t("分", " min");
        let (class, said) = match answered {
            Some(took) if took <= LIMIT_MIN => {
                ("pass", format!("{} {took}{min}", cx.t("応答", "answered after")))
            }
            Some(took) => {
                ("fail", format!("{} {took}{min}", cx.t("遅れて応答", "answered late, after")))
            }
            None if ask.is_missed => {
                ("fail", cx.t("4時間以内の応答なし", "no answer in 4 h").to_owned())
            }
            None => ("stale", cx.t("応答待ち", "waiting").to_owned()),
        };
        AskLine {
            id: ask.begun.id,
            role: cx.pick(&ask.role.text()),
            at: cx.time(&ask.begun.observed_to),
            class,
            said,
            may_answer: ask.is_open(now) && place.is_some(),
        }
    };
    let all: Vec<AskLine> = asks.iter().take(SHOWN_MAX).map(line).collect();
    let (mine, asks): (Vec<AskLine>, Vec<AskLine>) =
        all.into_iter().partition(|ask| ask.may_answer);
    let role = |(role, held): (&drill::Role, &drill::Held)| RoleLine {
        role: cx.pick(&role.text()),
        holder: name(held.holder),
        deputy: name(held.deputy),
        edit: match &held.row {
            Some(row) => format!("/row/rule/{}", row.id),
            None => format!("/register/rule/{}/new", drill::ROLE),
        },
    };
    let missing = held.values().filter(|h| h.holder.is_none() || h.deputy.is_none()).count();
    let body = DrillPage {
        cx,
        roles: if may_inspect { held.iter().map(role).collect() } else { Vec::new() },
        asks: if may_inspect { asks } else { Vec::new() },
        mine,
        may_inspect,
        may_start: may_judge(&house, user.reader()),
        missing,
    };
    page(cx, cx.t("CSIRT応答訓練", "CSIRT drills"), &body)
}

async fn user_party(house: &web::House, user: &User) -> Result<Option<Id>, Refusal> {
    let reader = house.store.reader(user.session.account.id).await?;
    Ok(reader.and_then(|reader| reader.party))
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn begin(State(house): State<Shared>, user: User, Form(form): Form<Plain>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let cx = &user.cx;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let begun = drill::start(&house.store, &user.actor()).await;
    match begun.map_err(|error| Refusal::Bad(error.to_string()))? {
        Some(_) => {
            house.wake();
            Ok(Redirect::to(PATH).into_response())
        }
        None => {
            let said = cx.t(
                "応答待ちの訓練があります。終わってから始めてください。",
                "A drill waits for answers: begin the next one after it.",
            );
            Err(Refusal::Bad(said.to_owned()))
        }
    }
}

async fn answered(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Plain>,
) -> Answer {
    // Every role may read something, so this asks for origin and token.
    user.form(&form.csrf, Action::Read)?;
    let store = &house.store;
    let asks = drill::asks(store).await?;
    let ask = asks.iter().find(|ask| ask.begun.id == id).ok_or(Refusal::NotFound)?;
    let held = drill::held(store).await?;
    let held = held.get(&ask.role).ok_or(Refusal::NotFound)?;
    let party = user_party(&house, &user).await?;
    let place = ask.place_of(held, party).ok_or(Refusal::NotFound)?;
    if !ask.is_open(store.now()) {
        let said = user
            .cx
            .t("この訓練には応答済みか、終わっています。", "This drill was answered, or is over.");
        return Err(Refusal::Bad(said.to_owned()));
    }
    drill::answer(store, &user.actor(), ask, held, place).await?;
    house.wake();
    Ok(Redirect::to(PATH).into_response())
}
