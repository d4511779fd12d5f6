//! Home, the rooms' pages, and the form by which a person hands in evidence for a 梅 criterion.

use askama::Template;
use axum::{
    Extension, Form, Json,
    extract::{Path, Query, Request, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use model::{Criterion, Level, Origin, Producer, Table, Timestamp, t};
use serde::Deserialize;
use store::{Filter, PAGE_ROWS_MAX, Row, View};
use web::{
    House, Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    files::read_form,
    frame::{Answer, Cx, Refusal, User, page},
    people::Me,
    route::{Access, Api, Route},
    when::AsOf,
};

pub use crate::shared::SharedBoard;
use crate::{
    Control, Verdict,
    ages::{self, Age},
    board::fill,
    hall_pages::board_of,
    hand_in, mine,
    news::{self, News},
    status,
    trend::{self, Trend},
};

/// What is said while the first board since the start is being computed, and when to look again.
pub(crate) const WAIT: &model::Text = &t(
    "起動直後のため、レベルを計算しています。少し待ってから再度読み込んでください。",
    "The levels are being computed since the start. Load this again in a moment.",
);
pub(crate) const WAIT_SECONDS: u64 = 2;
const TASKS_SHOWN_MAX: usize = 10;

/// Routes of the hall.
pub fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Levels);
    let administer = Access::Action(Action::Administer);
    let target_path = "/rooms/{id}/target";
    let mut routes = vec![
        // Whoever sees no register finds their own tasks there.
        Route::get("/", Access::Own, t("ホーム", "Home"), home),
        Route::get("/rooms/{id}", read, t("管理策", "A control"), room),
        Route::post(target_path, administer, t("目標レベル", "Target level"), target),
        Route::post(
            "/hand-in",
            Access::Action(Action::Write),
            t("申告・文書の取込み", "Hand in evidence"),
            take_in,
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
    routes.extend(crate::hall_pages::routes());
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
    /// What waits for this reader's signature.
    waiting: Vec<Row>,
    news: News,
    trends: Vec<(&'static str, Trend)>,
    hosts: Vec<Row>,
    /// Whether the present is shown, with what waits to be done.
    is_now: bool,
    /// When the levels were computed; `None` while they are for the first time since the start.
    at: Option<Timestamp>,
    hall: Option<Card<'a>>,
    expiring: Vec<Card<'a>>,
    /// Id, number and name of each control.
    names: Vec<(&'static str, &'static str, &'static str)>,
}

async fn home(
    State(house): State<Shared>,
    Extension(board): Extension<SharedBoard>,
    Me(mut user): Me,
    Query(asked): Query<AsOf>,
) -> Answer {
    if user.session.account.must_change {
        return Err(Refusal::ChangePassword);
    }
    if !user.cx.may_see_levels() {
        return mine::home(&house, &user).await;
    }
    if asked.as_of.trim().is_empty() && crate::welcome::due(&house, &user).await? {
        return Ok(Redirect::to("/welcome").into_response());
    }
    let board = if asked.as_of.trim().is_empty() {
        board.get()
    } else {
        let title = user.cx.t("ホーム", "Home");
        match board_of(&house, &mut user.cx, &board, title, &asked.as_of).await {
            Ok(board) => Some(board),
            Err(answer) => return *answer,
        }
    };
    let is_now = user.cx.past.is_none();
    let controls = board.as_ref().map_or(&[][..], |board| board.controls.as_slice());
    let lang = user.cx.lang;
    let soon = board.as_ref().map_or(user.cx.now, |board| board.at).plus_hours(24 * 14);
    let reader = user.reader();
    let open = Filter {
        status: Some("open".to_owned()),
        limit: PAGE_ROWS_MAX,
        reach: reader.reach_in(Table::Task),
        ..Filter::default()
    };
    // What is due first comes first; what has no date comes last.
    let mut tasks = match is_now {
        true => house.store.list(Table::Task, &open).await?,
        false => Vec::new(),
    };
    tasks.sort_by_key(|t| t.ends_at.map_or(i64::MAX, |due| due.0));
    tasks.truncate(TASKS_SHOWN_MAX);
    let waiting = match user.may(Action::Decide) {
        Ok(()) if is_now => {
            let found =
                web::approvals::requests(&house.store, user.reader(), None, TASKS_SHOWN_MAX);
            let mut found = found.await?.0;
            found.retain(|request| web::approvals::may_sign(user.reader(), request));
            found
        }
        _ => Vec::new(),
    };
    let trends = match &board {
        Some(board) => trend::load(view(&house, &user.cx), board).await?,
        None => Vec::new(),
    };
    let names = controls.iter().map(|c| c.spec.name.get(lang));
    let hosts = Filter {
        kind: Some("host".to_owned()),
        limit: 5,
        reach: reader.reach_in(Table::Asset),
        ..Filter::default()
    };
    let card = |control| card(control, lang);
    let body = HomePage {
        cx: &user.cx,
        reached: controls.iter().filter(|c| c.level > Level::None).count(),
        cards: controls.iter().map(card).collect(),
        expiring: controls
            .iter()
            .filter(|c| c.valid_until.is_some_and(|until| until < soon))
            .map(card)
            .collect(),
        news: match is_now {
            true => news::since_yesterday(&house, &user, &trends, house.store.now()).await?,
            false => News::default(),
        },
        trends: names.zip(trends).collect(),
        is_now,
        tasks,
        waiting,
        hosts: match is_now {
            true => house.store.list(Table::Asset, &hosts).await?,
            false => Vec::new(),
        },
        at: board.as_ref().map(|board| board.at),
        names: house.rooms.iter().map(|r| (r.id, r.control, r.name.get(lang))).collect(),
        hall: board.as_ref().map(|board| card(&board.hall)),
    };
    page(&user.cx, user.cx.t("ホーム", "Home"), &body)
}

/// The tables at the moment that the page shows.
pub(crate) fn view<'h>(house: &'h House, cx: &Cx) -> View<'h> {
    match &cx.past {
        Some(past) => house.store.as_of(past.at),
        None => house.store.present(),
    }
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
    /// None for who does not see every row.
    rows: Option<i64>,
}

#[derive(Template)]
#[template(path = "room.html")]
struct RoomPage<'a> {
    cx: &'a Cx,
    control: &'a Control,
    trend: Option<Trend>,
    ages: Vec<Age>,
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
    /// Which rows fall short is shown to those who see them all; others see how many.
    shows_misses: bool,
    /// The limit of one file as people read it.
    file_max: String,
}

/// What a control's page shows before the first board is there.
#[derive(Template)]
#[template(path = "wait.html")]
pub(crate) struct WaitPage<'a> {
    pub(crate) cx: &'a Cx,
    pub(crate) control: &'static str,
    pub(crate) name: &'a str,
}

async fn room(
    State(house): State<Shared>,
    Extension(board): Extension<SharedBoard>,
    mut user: User,
    Path(id): Path<String>,
    Query(asked): Query<AsOf>,
) -> Answer {
    let spec = house.specs().find(|room| room.id == id).ok_or(Refusal::NotFound)?;
    let title = spec.name.get(user.cx.lang);
    let board = match board_of(&house, &mut user.cx, &board, title, &asked.as_of).await {
        Ok(board) => board,
        Err(answer) => return *answer,
    };
    let cx = &user.cx;
    let (view, is_now) = (view(&house, cx), cx.past.is_none());
    let control = board.all().find(|c| c.spec.id == id).ok_or(Refusal::NotFound)?;
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
    let counts = view.counts(&names).await?;
    let kinds = web::kinds_of(spec)
        .map(|kind| KindLine {
            table: kind.table.name(),
            id: kind.id,
            title: kind.title.get(cx.lang),
            rows: user.reader().sees_all().then(|| {
                counts.iter().find(|(name, _)| *name == tally(kind)).map_or(0, |(_, n)| *n)
            }),
        })
        .collect();
    let (answer, answer_status) = answer(control, cx.lang);
    let body = RoomPage {
        cx,
        control,
        trend: trend::of(view, &board, control).await?,
        ages: ages::of_control(control, board.at),
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
        may_write: is_now && user.reader().may_hand_in(),
        may_administer: is_now && user.may(Action::Administer).is_ok(),
        shows_misses: user.reader().sees_all(),
        file_max: web::files::size(house.store.file_bytes_max()),
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
    crate::board::set_targets(&house.store, &user.actor(), &[spec], level).await?;
    house.wake();
    Ok(Redirect::to(&format!("/rooms/{}", spec.id)).into_response())
}

async fn take_in(State(house): State<Shared>, user: User, request: Request) -> Answer {
    let brings = |part: &str| part == "file";
    let form = read_form(&house, &user, Action::Write, request, brings).await?;
    let get = |name: &str| form.get(name).map_or("", String::as_str).trim();
    let file = Some(get("file")).filter(|sha| !sha.is_empty());
    if let Some(sha) = file
        && house.store.blob(sha).await?.is_none()
    {
        let text = user.cx.t("添付ファイルがありません。", "The attached file is not here.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    let handed = hand_in::HandedIn {
        criterion: get("criterion"),
        statement: get("statement"),
        document: (get("kind") == "imported").then_some(get("document")),
        // Date the evidence is from, which is not the date of typing it in.
        held_on: get("held_on"),
        file,
        subject: Some(get("subject")).filter(|s| !s.is_empty()),
        zone: &user.cx.local.zone,
        source: "web",
    };
    let (room, draft) =
        hand_in::draft(&house.specs().collect::<Vec<_>>(), &handed, house.store.now())
            .map_err(|error| error.refusal(&user.cx))?;
    let mut write = user.write(&house, "handed in").await?;
    let record = write.record(draft).await?;
    write.commit().await?;
    house.wake();
    tracing::info!(record = %record.id, criterion = get("criterion"), "evidence handed in");
    Ok(Redirect::to(&format!("/rooms/{}", room.id)).into_response())
}

async fn api_status(Extension(board): Extension<SharedBoard>, caller: Caller) -> Response {
    let lang = caller.cx.lang;
    match board.get() {
        Some(board) => Json(status::to_json(&board, lang)).into_response(),
        None => {
            let header = (header::RETRY_AFTER, WAIT_SECONDS.to_string());
            Problem { headers: vec![header], ..Problem::new(lang, problem::STARTING, *WAIT) }
                .into_response()
        }
    }
}
