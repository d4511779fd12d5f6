//! `/targets`: which level is proposed for each control and why, and the signature that sets it.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Id, Lang, Level, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Filter, PAGE_ROWS_MAX, Row};
use web::{
    House, Shared,
    access::Action,
    decide::{self, About, Cast, Given, Ruling},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Route},
};

use crate::{
    board::{self, TARGET},
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
    current: Level,
    /// What the form begins with: a proposal below the present target does not lower it unasked.
    chosen: Level,
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
    /// Signed by some, but not by enough.
    open: Vec<Open>,
    /// The ids of those, so that what is signed along is what was shown.
    joined: String,
    sign: String,
    sign_along: String,
}

struct Open {
    id: Id,
    control: String,
    name: String,
    due: String,
    progress: (usize, usize),
    signers: String,
}

impl Open {
    fn of(row: &Row) -> Open {
        Open {
            id: row.id,
            control: text(row, "control").to_owned(),
            name: row.name.clone(),
            due: text(row, "due").to_owned(),
            progress: decide::progress(row),
            signers: text(row, "signer").to_owned(),
        }
    }
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or("")
}

/// Target levels that wait for more signatures.
async fn waiting(house: &House) -> Result<Vec<Row>, Refusal> {
    let filter = Filter {
        kind: Some(TARGET.to_owned()),
        status: Some(decide::PROPOSED.to_owned()),
        limit: PAGE_ROWS_MAX,
        ..Filter::default()
    };
    let rows = house.store.list(Table::Decision, &filter).await?;
    Ok(rows.into_iter().filter(decide::signed_by_any).collect())
}

fn ids(rows: &[Row]) -> String {
    let mut ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    ids.sort();
    ids.join(" ")
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
    let targets = board::targets(house.store.present()).await?;
    for (proposal, room) in
        targets::propose(&controls, &like, cx.lang).into_iter().zip(&house.rooms)
    {
        let current = targets.get(room.control).copied().unwrap_or(Level::None);
        let chosen = proposal.level.max(current);
        lines.push(Line { proposal, name: room.name.get(cx.lang), current, chosen });
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
    let open = waiting(&house).await?;
    let body = TargetsPage {
        cx,
        joined: ids(&open),
        open: open.iter().map(Open::of).collect(),
        sign: decide::part(cx, cx.t("この目標に署名する", "Sign these targets"))?,
        sign_along: decide::part(cx, cx.t("ともに署名する", "Sign along"))?,
        here: "/gap",
        sector: welcome::sector_name(&like.sector, cx.lang).to_owned(),
        people: like.people,
        questions: QUESTIONS.iter().zip(&TEXTS).zip(&like.answers).map(question).collect(),
        answered,
        lines,
        may_decide: user.may(Action::Decide).is_ok(),
    };
    let answer = page(cx, cx.t("目標レベルの提案", "Proposed target levels"), &body)?;
    Ok(with_script(answer))
}

/// One target as it is signed.
struct Chosen {
    name: String,
    control: String,
    level: String,
    due: String,
}

impl Chosen {
    fn notes(&self) -> Vec<(&'static str, Json)> {
        vec![
            ("control", self.control.as_str().into()),
            ("level", self.level.as_str().into()),
            ("due", self.due.as_str().into()),
        ]
    }
}

/// Signs the levels that were chosen, or along with those who signed: a decision for each control,
/// which the board reads once enough have signed.
async fn sign(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let get = |wanted: &str| {
        form.iter().find(|(n, _)| n == wanted).map_or("", |(_, v)| v.as_str()).trim().to_owned()
    };
    user.form(&get("csrf"), Action::Decide)?;
    let cx = &user.cx;
    let joins = get("join");
    let chosen = if joins.is_empty() {
        chosen(&house, cx, get)?
    } else {
        joined(&house, cx, &joins).await?
    };
    let (reason, outcome) = (get("reason"), get("outcome"));
    let ruling = |chosen: &Chosen| Ruling {
        hash: "",
        outcome: if joins.is_empty() { "approved" } else { &outcome },
        reason: &reason,
        hours: i64::from(MONTHS_MAX) * 730,
        kind: TARGET,
        notes: chosen.notes(),
    };
    let rulings: Vec<_> = chosen.iter().map(|c| (ruling(c), About::Named(&c.name))).collect();
    let given = Given {
        password: get("password"),
        code: get("code"),
        assertion: get("assertion"),
        step: get("step"),
        acting_for: get("acting_for"),
    };
    let standing = decide::standing(&house, &user, &given.acting_for, &[TARGET]).await?;
    match decide::cast(&house, &user, &headers, &standing, &rulings, given).await? {
        Cast::Asked(answer) => return Ok(answer),
        Cast::Signed(_) => {}
    }
    house.wake();
    Ok(Redirect::to("/gap").into_response())
}

/// What waits for signatures, if it is still what was shown.
async fn joined(house: &House, cx: &Cx, shown: &str) -> Result<Vec<Chosen>, Refusal> {
    let open = waiting(house).await?;
    if ids(&open) != shown {
        let text = cx.t(
            "その間に目標が変わりました。画面を開き直して確認してください。",
            "The targets changed meanwhile. Open the page again and look.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let chosen = |row: &Row| Chosen {
        name: row.name.clone(),
        control: text(row, "control").to_owned(),
        level: text(row, "level").to_owned(),
        due: text(row, "due").to_owned(),
    };
    Ok(open.iter().map(chosen).collect())
}

fn chosen(house: &House, cx: &Cx, get: impl Fn(&str) -> String) -> Result<Vec<Chosen>, Refusal> {
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
        let due = house.store.now().plus_hours(i64::from(months) * 730);
        chosen.push(Chosen {
            name: format!("{} {}", room.control, level.sign()),
            control: room.control.to_owned(),
            level: level.name().to_owned(),
            due: cx.date(&due),
        });
    }
    Ok(chosen)
}
