//! Home, the rooms' pages, and the form by which a person hands in evidence for a 梅 criterion.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension, Form, Json,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Assurance, Criterion, Id, Level, Origin, Producer, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::json;
use store::{Filter, RecordDraft, Row};
use tokio::sync::RwLock;
use web::{
    Shared,
    access::Action,
    api::Caller,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use crate::{Board, Control, Verdict, board::fill, status};

/// The board that the work loop keeps current.
pub type SharedBoard = Arc<RwLock<Board>>;

const TASKS_SHOWN_MAX: usize = 10;
const STATEMENT_CHARS_MAX: usize = 2_000;

/// Routes of the hall.
pub fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let administer = Access::Action(Action::Administer);
    let target_path = "/rooms/{id}/target";
    let mut routes = vec![
        Route::get("/", read, t("ホーム", "Home"), home),
        Route::get("/rooms/{id}", read, t("管理策", "A control"), room),
        Route::post(target_path, administer, t("目標レベル", "Target level"), target),
        Route::post(
            "/hand-in",
            Access::Action(Action::Write),
            t("申告・文書の取込み", "Hand in evidence"),
            hand_in,
        ),
        Route::get(
            "/api/v1/status",
            read,
            t("11管理策のレベル", "Levels of the controls"),
            api_status,
        )
        .api(Api {
            tag: "levels",
            id: "status".to_owned(),
            params: Vec::new(),
            request: None,
            response: (200, Some(("application/json", "Status".to_owned()))),
            refusals: &[],
        }),
    ];
    routes.extend(crate::welcome::routes());
    routes
}

struct Rung {
    sign: &'static str,
    class: &'static str,
    passed: usize,
    all: usize,
}

struct Card<'a> {
    control: &'a Control,
    name: &'static str,
    answer: String,
    rungs: Vec<Rung>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    cx: &'a Cx,
    reached: usize,
    cards: Vec<Card<'a>>,
    tasks: Vec<Row>,
    hosts: Vec<Row>,
    at: Timestamp,
    hall: Card<'a>,
    expiring: Vec<Card<'a>>,
}

async fn home(
    State(house): State<Shared>,
    Extension(board): Extension<SharedBoard>,
    user: User,
) -> Answer {
    if crate::welcome::due(&house, &user).await? {
        return Ok(Redirect::to("/welcome").into_response());
    }
    let board = board.read().await.clone();
    let lang = user.cx.lang;
    let soon = board.at.plus_hours(24 * 14);
    let open =
        Filter { status: Some("open".to_owned()), limit: TASKS_SHOWN_MAX, ..Filter::default() };
    let hosts = Filter { kind: Some("host".to_owned()), limit: 5, ..Filter::default() };
    let card = |control| card(control, lang);
    let body = HomePage {
        cx: &user.cx,
        reached: board.controls.iter().filter(|c| c.level > Level::None).count(),
        cards: board.controls.iter().map(card).collect(),
        expiring: board
            .controls
            .iter()
            .filter(|c| c.valid_until.is_some_and(|until| until < soon))
            .map(card)
            .collect(),
        tasks: house.store.list(Table::Task, &open).await?,
        hosts: house.store.list(Table::Asset, &hosts).await?,
        at: board.at,
        hall: card(&board.hall),
    };
    page(&user.cx, user.cx.t("ホーム", "Home"), &body)
}

fn card(control: &Control, lang: model::Lang) -> Card<'_> {
    Card {
        control,
        name: control.spec.name.get(lang),
        answer: answer(control, lang).0,
        rungs: rungs(control),
    }
}

fn rungs(control: &Control) -> Vec<Rung> {
    Level::RUNGS
        .into_iter()
        .map(|level| {
            let (passed, all) = control.rung_count(level, false);
            Rung { sign: level.sign(), class: level.name(), passed, all }
        })
        .collect()
}

fn answer(control: &Control, lang: model::Lang) -> (String, &'static str) {
    let (text, verdict) = control.answer();
    let (passed, total) = verdict.map_or((0, 0), |v| (v.passed, v.total));
    let values = [
        ("passed", passed.to_string()),
        ("total", total.to_string()),
        ("missing", total.saturating_sub(passed).to_string()),
    ];
    (fill(text.get(lang), &values), verdict.map_or("unknown", |v| v.status.name()))
}

struct Line<'a> {
    criterion: &'static Criterion,
    verdict: &'a Verdict,
    reason: String,
    mend: &'static str,
    origin: &'static str,
    producer: String,
}

struct Ladder<'a> {
    rung: Rung,
    function: &'static str,
    practice: &'static str,
    lines: Vec<Line<'a>>,
}

struct KindLine {
    table: &'static str,
    id: &'static str,
    title: &'static str,
    rows: i64,
}

#[derive(Template)]
#[template(path = "room.html")]
struct RoomPage<'a> {
    cx: &'a Cx,
    control: &'a Control,
    answer: String,
    answer_status: &'static str,
    ladders: Vec<Ladder<'a>>,
    next: Vec<Line<'a>>,
    next_hours: u64,
    kinds: Vec<KindLine>,
    records: Vec<(&'static str, &'static str)>,
    sections: Vec<(&'static str, &'static str)>,
    scope: Option<crate::scope::Extent>,
    may_write: bool,
    may_administer: bool,
}

async fn room(
    State(house): State<Shared>,
    Extension(board): Extension<SharedBoard>,
    user: User,
    Path(id): Path<String>,
) -> Answer {
    let board = board.read().await.clone();
    let control = board.all().find(|c| c.spec.id == id).ok_or(Refusal::NotFound)?;
    let (spec, cx) = (control.spec, &user.cx);
    let ladders = Level::RUNGS
        .into_iter()
        .zip(rungs(control))
        .map(|(level, rung)| Ladder {
            rung,
            function: spec.levels[level as usize - 1].function.get(cx.lang),
            practice: spec.levels[level as usize - 1].practice.get(cx.lang),
            lines: spec.rung(level).filter_map(|c| line(cx, control, c)).collect(),
        })
        .collect();
    let next: Vec<Line> = control
        .to_next()
        .into_iter()
        .filter_map(|v| line(cx, control, spec.criterion(v.criterion)?))
        .collect();
    let minutes: u64 = next
        .iter()
        .map(|l| {
            u64::from(l.criterion.minutes_per_miss) * (l.verdict.total - l.verdict.passed).max(1)
        })
        .sum();
    let tally = |kind: &model::KindSpec| format!("{}/{}", kind.table.name(), kind.id);
    let names: Vec<String> = web::kinds_of(spec).map(tally).collect();
    let counts = house.store.counts(&names).await?;
    let kinds = web::kinds_of(spec)
        .map(|kind| KindLine {
            table: kind.table.name(),
            id: kind.id,
            title: kind.title.get(cx.lang),
            rows: counts.iter().find(|(name, _)| *name == tally(kind)).map_or(0, |(_, n)| *n),
        })
        .collect();
    let (answer, answer_status) = answer(control, cx.lang);
    let body = RoomPage {
        cx,
        control,
        answer,
        answer_status,
        ladders,
        next,
        next_hours: minutes.div_ceil(60),
        kinds,
        records: spec.records.iter().map(|r| (r.ty, r.title.get(cx.lang))).collect(),
        sections: vec![
            (cx.t("規格要求事項から見た整理", "Requirement"), spec.requirement.get(cx.lang)),
            (cx.t("概要", "Overview"), spec.overview.get(cx.lang)),
            (cx.t("実現したいこと", "Aim"), spec.aim.get(cx.lang)),
            (
                cx.t("具体的な対応内容と主な実施者", "Actions and who does them"),
                spec.actors.get(cx.lang),
            ),
            (cx.t("情報の例示", "Examples"), spec.examples.get(cx.lang)),
        ],
        scope: board.scope.clone(),
        may_write: user.may(Action::Write).is_ok(),
        may_administer: user.may(Action::Administer).is_ok(),
    };
    page(cx, spec.name.get(cx.lang), &body)
}

fn line<'a>(cx: &Cx, control: &'a Control, criterion: &'static Criterion) -> Option<Line<'a>> {
    let verdict = control.verdict(criterion.id)?;
    let mend = control.spec.mends.iter().find(|m| m.criterion == criterion.id);
    Some(Line {
        criterion,
        verdict,
        reason: verdict.reason.render(cx.lang),
        mend: mend.map_or("", |m| m.text.get(cx.lang)),
        origin: match criterion.origin {
            Origin::Slides => cx.t("基準", "slides"),
            Origin::Ume => cx.t("Ume独自", "Ume's own"),
        },
        producer: match criterion.producer {
            Producer::Exists(job) => job.to_owned(),
            Producer::NotYet => cx.t("未実装", "not built yet").to_owned(),
        },
    })
}

#[derive(Deserialize)]
struct TargetForm {
    csrf: String,
    level: String,
}

async fn target(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<TargetForm>,
) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let spec = house.specs().find(|r| r.id == id).ok_or(Refusal::NotFound)?;
    let level = Level::parse(&form.level).ok_or_else(|| Refusal::Bad(form.level.clone()))?;
    set_targets(&house, &user, &[spec], level).await?;
    house.wake();
    Ok(Redirect::to(&format!("/rooms/{}", spec.id)).into_response())
}

/// Decides the target of these rooms: one decision each, all or none.
pub(crate) async fn set_targets(
    house: &web::House,
    user: &User,
    rooms: &[&'static model::RoomSpec],
    level: Level,
) -> Result<(), Refusal> {
    let mut write = house.store.write(&user.actor(), "target level", "web").await?;
    for spec in rooms {
        // Control and sign, because a row's name has no second language.
        let name = format!("{} {}", spec.control, level.sign());
        let mut decision = Row::new(Table::Decision, house.store.new_id()?, "target", &name);
        decision.status = "approved".to_owned();
        decision.attributes.insert("control".into(), spec.control.into());
        decision.attributes.insert("level".into(), level.name().into());
        write.put(decision).await?;
    }
    write.commit().await?;
    for spec in rooms {
        house.store.set_setting(&crate::target_setting(spec), level.name()).await?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct HandIn {
    csrf: String,
    criterion: String,
    statement: String,
    /// `attested` or `imported`.
    kind: String,
    #[serde(default)]
    document: String,
    /// Date the evidence is from, which is not the date of typing it in.
    held_on: String,
    #[serde(default)]
    subject: String,
}

async fn hand_in(State(house): State<Shared>, user: User, Form(form): Form<HandIn>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let (room, criterion) = house
        .specs()
        .find_map(|room| Some((room, room.criterion(&form.criterion)?)))
        .ok_or(Refusal::NotFound)?;
    if criterion.by_hand.is_none() {
        return Err(bad(
            "この基準は申告では満たせません（申告で満たせるのは梅のみです）。",
            "This criterion cannot be met by hand (only 梅 criteria can).",
        ));
    }
    let statement = form.statement.trim();
    if statement.is_empty() || statement.chars().count() > STATEMENT_CHARS_MAX {
        return Err(bad(
            "内容を2000文字以内で入力してください。",
            "Give a statement of at most 2,000 characters.",
        ));
    }
    let observed = held_on(&form.held_on, &cx.local.zone)
        .filter(|t| *t <= house.store.now())
        .ok_or_else(|| {
            bad(
                "実施日が正しくありません（未来の日付は使えません）。",
                "The date is not right (future dates are refused).",
            )
        })?;
    let subject: Option<Id> = match form.subject.trim() {
        "" => None,
        text => {
            Some(text.parse().map_err(|_| bad("対象が正しくありません。", "No such subject."))?)
        }
    };
    let imported = form.kind == "imported";
    if imported && form.document.trim().is_empty() {
        return Err(bad("文書名を入力してください。", "Name the document."));
    }
    let mut facts = serde_json::Map::new();
    facts.insert("criterion".into(), json!(criterion.id));
    facts.insert("held_on".into(), json!(form.held_on));
    if imported {
        facts.insert("document".into(), json!(form.document.trim()));
    }
    let draft = RecordDraft {
        ty: if imported { "isms.imported" } else { "isms.attested" }.to_owned(),
        subject,
        observed_from: observed,
        observed_to: observed,
        source: "web".to_owned(),
        assurance: if imported { Assurance::Imported } else { Assurance::Attested },
        facts,
        // A statement may name people, so it goes into the payload and not into the leaf.
        payload: Some(statement.as_bytes().to_vec()),
    };
    let mut write = house.store.write(&user.actor(), "handed in", "web").await?;
    let record = write.record(draft).await?;
    write.commit().await?;
    house.wake();
    tracing::info!(record = %record.id, criterion = criterion.id, "evidence handed in");
    Ok(Redirect::to(&format!("/rooms/{}", room.id)).into_response())
}

fn held_on(text: &str, zone: &jiff::tz::TimeZone) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.trim().parse().ok()?;
    let start = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp(start.as_microsecond()))
}

async fn api_status(Extension(board): Extension<SharedBoard>, caller: Caller) -> Response {
    let board = board.read().await;
    Json(status::to_json(&board, caller.cx.lang)).into_response()
}
