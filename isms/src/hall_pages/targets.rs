//! `/targets`: which level is proposed for each control and why, and the signature that sets it.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    response::{IntoResponse, Redirect},
};
use model::{Lang, Level, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::Row;
use web::{
    Shared,
    access::Action,
    decide::step_up,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use crate::{
    board::target_setting,
    hall::targets::{self, Choice, Likeness, Proposal, QUESTIONS},
    welcome,
};

const MONTHS_MAX: u32 = 60;

pub(super) fn routes() -> Vec<Route> {
    let (levels, decide) = (Access::Action(Action::Levels), Access::Action(Action::Decide));
    let title = t("目標レベルの提案", "Proposed target levels");
    vec![
        Route::get("/targets", levels, title, show),
        Route::post("/targets", decide, t("目標レベルに署名", "Sign the targets"), sign),
    ]
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    personal_data: String,
    #[serde(default)]
    exposure: String,
    #[serde(default)]
    csirt: String,
}

struct Question {
    name: &'static str,
    text: &'static str,
    choices: Vec<&'static Choice>,
    answer: String,
}

struct Line {
    proposal: Proposal,
    name: &'static str,
    current: &'static str,
}

#[derive(Template)]
#[template(path = "proposals.html")]
struct TargetsPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    sector: String,
    people: i64,
    questions: Vec<Question>,
    answered: bool,
    lines: Vec<Line>,
    may_decide: bool,
}

async fn show(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let organisation = welcome::organisation_row(&house.store).await?;
    let said = |name: &str| organisation.as_ref().and_then(|row| row.attributes.get(name));
    let sector = said("sector").and_then(Json::as_str).unwrap_or("other").to_owned();
    let people = said("people").and_then(Json::as_i64).unwrap_or(1);
    let answers = [asked.personal_data, asked.exposure, asked.csirt];
    let like = Likeness { sector, people, answers };
    let controls: Vec<&str> = house.rooms.iter().map(|room| room.control).collect();
    let mut lines = Vec::new();
    let targets = house.store.settings("target/").await?;
    for (proposal, room) in
        targets::propose(&controls, &like, cx.lang).into_iter().zip(&house.rooms)
    {
        let setting = target_setting(room);
        let now = targets.iter().find(|(name, _)| *name == setting);
        let current = now.and_then(|(_, level)| Level::parse(level)).unwrap_or(Level::None);
        lines.push(Line { proposal, name: room.name.get(cx.lang), current: current.sign() });
    }
    const TEXTS: [model::Text; 3] = [
        t("個人情報", "Personal data"),
        t("社外への公開", "Open to outsiders"),
        t("インシデント対応の体制", "Incident response"),
    ];
    let answered = like.answers.iter().all(|a| !a.is_empty());
    let question = |((name, text), answer): ((&&'static str, &model::Text), &String)| Question {
        name,
        text: text.get(cx.lang),
        choices: targets::choices(name).collect(),
        answer: answer.clone(),
    };
    let body = TargetsPage {
        cx,
        here: "/gap",
        sector: welcome::sector_name(&like.sector, cx.lang).to_owned(),
        people: like.people,
        questions: QUESTIONS.iter().zip(&TEXTS).zip(&like.answers).map(question).collect(),
        answered,
        lines,
        may_decide: user.may(Action::Decide).is_ok(),
    };
    page(cx, cx.t("目標レベルの提案", "Proposed target levels"), &body)
}

/// Signs the levels that were chosen: a decision for each control, and the setting the board reads.
async fn sign(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let get = |wanted: &str| {
        form.iter().find(|(n, _)| n == wanted).map_or("", |(_, v)| v.as_str()).trim().to_owned()
    };
    user.form(&get("csrf"), Action::Decide)?;
    let cx = &user.cx;
    let reason = get("reason");
    if reason.is_empty() || reason.chars().count() > 500 {
        let text = cx
            .t("理由を500文字以内で入力してください。", "Give a reason of at most 500 characters.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    let mut chosen = Vec::new();
    for room in &house.rooms {
        let (level, months) =
            (get(&format!("level_{}", room.control)), get(&format!("months_{}", room.control)));
        let level = Level::parse(&level).filter(|l| *l != Level::None);
        let months = months.parse::<u32>().ok().filter(|m| (1..=MONTHS_MAX).contains(m));
        let (Some(level), Some(months)) = (level, months) else {
            let text = match cx.lang {
                Lang::Ja => {
                    format!("{}：レベルと1〜{MONTHS_MAX}か月の期間を選んでください。", room.control)
                }
                Lang::En => {
                    format!("{}: choose a level, and 1 to {MONTHS_MAX} months", room.control)
                }
            };
            return Err(Refusal::Bad(text));
        };
        chosen.push((*room, level, months));
    }
    step_up(&house, &user, get("password"), &get("code")).await?;
    let store = &house.store;
    let mut write = store.write(&user.actor(), &reason, "web").await?;
    for (room, level, months) in &chosen {
        let name = format!("{} {}", room.control, level.sign());
        let mut decision = Row::new(Table::Decision, store.new_id()?, "target", &name);
        let due = store.now().plus_hours(i64::from(*months) * 730);
        decision.status = "approved".to_owned();
        for (member, value) in [
            ("control", room.control.to_owned()),
            ("level", level.name().to_owned()),
            ("due", cx.date(&due)),
            ("signer", user.session.account.login.clone()),
            ("method", "password+totp".to_owned()),
        ] {
            decision.attributes.insert(member.to_owned(), value.into());
        }
        write.put(decision).await?;
    }
    write.commit().await?;
    for (room, level, _) in &chosen {
        store.set_setting(&target_setting(room), level.name()).await?;
    }
    house.wake();
    Ok(Redirect::to("/gap").into_response())
}
