//! `/soa`: the Statement of Applicability as it stands, row by row, and its editions.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Lang, Table, t};
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    api::Caller,
    files::read_form,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
    when::AsOf,
};

use super::{api_board_of, board_of, dated_document, paper_board};
use crate::{
    ages::{self, Age},
    hall::{
        self, Hall,
        soa::{BY_HAND_PREFIX, SoaRow, SoaStatus},
    },
    hand_in, norms,
    pages::view,
    shared::SharedBoard,
    trend::{self, Trend},
};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    // Who writes single rows only has no business with the statement as a whole.
    let administer = Access::Action(Action::Administer);
    let title = t("適用宣言書", "Statement of Applicability");
    let begin_title = t("未決定の管理策を適用として書き始める", "Begin the undecided rows");
    vec![
        Route::get("/soa", inspect, title, show),
        Route::get(
            "/soa/export.xlsx",
            inspect,
            t("適用宣言書（Excel）", "Statement as xlsx"),
            xlsx,
        ),
        Route::get("/soa/export.pdf", inspect, t("適用宣言書（PDF）", "Statement as PDF"), pdf),
        Route::post("/soa/begin", administer, begin_title, begin),
        Route::post("/soa/edition", administer, t("適用宣言書の版を作る", "Draw an edition"), draw),
        Route::get("/soa/{control}", inspect, t("管理策の適用", "Use of a control"), one),
        Route::post("/soa/{control}/evidence", write, t("証拠の提出", "Hand in evidence"), take_in),
        dated_document("/api/v1/isms/soa", inspect, "soa", title, api),
    ]
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    status: String,
    #[serde(default)]
    differs: String,
    #[serde(default)]
    as_of: String,
}

#[derive(Template)]
#[template(path = "soa.html")]
struct SoaPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    hall: &'a Hall,
    rows: Vec<&'a SoaRow>,
    counts: Vec<(SoaStatus, usize)>,
    status: &'a str,
    differs: bool,
    undecided: usize,
    differing: usize,
    applicable: u64,
    evidenced: u64,
    /// An edition with today's content that waits for its signature.
    waiting: Option<Id>,
    may_write: bool,
    sees_payloads: bool,
    /// Rows that answer to controls of 2013.
    old_answers: usize,
}

async fn show(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Query(asked): Query<Asked>,
) -> Answer {
    let title = user.cx.t("適用宣言書", "Statement of Applicability");
    let board = match board_of(&house, &mut user.cx, &shared, title, &asked.as_of).await {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let (cx, hall) = (&user.cx, &board.view);
    let chosen = |row: &&SoaRow| {
        (asked.status.is_empty() || row.status.name() == asked.status)
            && (asked.differs.is_empty() || row.difference.is_some())
    };
    let (applicable, evidenced) = hall.evidenced();
    let counts: BTreeMap<SoaStatus, usize> = hall.by_status();
    let body = SoaPage {
        cx,
        here: "/soa",
        rows: hall.soa.iter().filter(chosen).collect(),
        undecided: counts.get(&SoaStatus::Undecided).copied().unwrap_or(0),
        counts: counts.into_iter().collect(),
        status: &asked.status,
        differs: !asked.differs.is_empty(),
        differing: hall.soa.iter().filter(|r| r.difference.is_some()).count(),
        applicable,
        evidenced,
        waiting: waiting(hall),
        may_write: may_write(&house, &user),
        sees_payloads: super::bundle::sees_payloads(user.reader()),
        old_answers: hall.soa.iter().filter(|r| is_old(&r.control)).count(),
        hall,
    };
    page(cx, title, &body)
}

/// Whether the number is one of 2013 (three parts, so that none of 2022 is meant).
fn is_old(number: &str) -> bool {
    let bare = number.trim_start_matches(['A', 'a']).trim_start_matches('.');
    let known = norms::set("2013").map_or(&[][..], |set| set.norm.as_slice());
    known.iter().any(|n| n.number.trim_start_matches("A.") == bare)
}

fn may_write(house: &Shared, user: &User) -> bool {
    let kind = house.kind(Table::Rule, "control_use");
    user.cx.past.is_none() && kind.is_some_and(|(_, kind)| user.reader().may(Action::Write, kind))
}

fn waiting(hall: &Hall) -> Option<Id> {
    let edition = hall.edition.as_ref()?;
    let same = hall::text_of(edition, "soa_hash") == Some(hall.soa_hash.as_str());
    (same && !hall.is_approved()).then_some(edition.id)
}

#[derive(Template)]
#[template(path = "soa_row.html")]
struct RowPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    hall: &'a Hall,
    row: &'a SoaRow,
    summary: &'a str,
    room: Option<&'static str>,
    trend: Option<Trend>,
    ages: Vec<Age>,
    may_write: bool,
    file_max: String,
}

async fn one(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Path(control): Path<String>,
    Query(asked): Query<AsOf>,
) -> Answer {
    let board = match board_of(&house, &mut user.cx, &shared, &control, &asked.as_of).await {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let cx = &user.cx;
    let row = board.view.row(&control).ok_or(Refusal::NotFound)?;
    let norm = norms::annex_a().iter().find(|n| n.number == control);
    let summary = norm.and_then(|n| match cx.lang {
        Lang::Ja => n.summary_ja.as_deref(),
        Lang::En => n.summary_en.as_deref(),
    });
    let room = board.controls.iter().find(|c| c.spec.control == control);
    let trend = match room {
        Some(room) => trend::of(view(&house, cx), &board, room).await?,
        None => None,
    };
    let body = RowPage {
        cx,
        here: "/soa",
        hall: &board.view,
        row,
        summary: summary.unwrap_or(""),
        room: room.map(|c| c.spec.id),
        trend,
        ages: room.map_or_else(|| ages::of_row(row, board.at), |c| ages::of_control(c, board.at)),
        may_write: may_write(&house, &user),
        file_max: web::files::size(house.store.file_bytes_max()),
    };
    page(cx, &format!("{} {}", row.control, row.title(cx.lang)), &body)
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

/// Writes a row for each control that nobody has decided on: what an imported statement said of it, else
/// that it applies, and the rest is open. So what is missing can be seen and worked off, instead of 93
/// empty forms.
async fn begin(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    shared.wait().await;
    let reason = user.cx.t("適用宣言書の書き始め", "began the Statement of Applicability");
    let rows = hall::first_uses(&house.store).await?;
    let mut write = user.write(&house, reason).await?;
    for row in rows {
        write.put(row).await?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/soa").into_response())
}

async fn draw(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let board = shared.wait().await;
    let day = user.cx.date(&board.at);
    let mut write = user.write(&house, user.cx.t("版の作成", "drew an edition")).await?;
    let row = hall::draw_edition(&house.store, &mut write, &board.view, &day).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/asset/{}", row.id)).into_response())
}

async fn take_in(
    State(house): State<Shared>,
    user: User,
    Path(control): Path<String>,
    request: Request,
) -> Answer {
    let form = read_form(&house, &user, Action::Write, request, |part| part == "file").await?;
    if !norms::annex_a().iter().any(|n| n.number == control) {
        return Err(Refusal::NotFound);
    }
    let get = |name: &str| form.get(name).map_or("", String::as_str).trim();
    let criterion = format!("{BY_HAND_PREFIX}{control}");
    let handed = hand_in::HandedIn {
        criterion: &criterion,
        statement: get("statement"),
        document: (get("kind") == "imported").then_some(get("document")),
        held_on: get("held_on"),
        file: Some(get("file")).filter(|sha| !sha.is_empty()),
        subject: Some(get("subject")).filter(|s| !s.is_empty()),
        zone: &user.cx.local.zone,
        source: "web",
    };
    let draft = hand_in::draft_of(&criterion, &handed, house.store.now())
        .map_err(|error| error.refusal(&user.cx))?;
    let mut write = user.write(&house, "handed in").await?;
    write.record(draft).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/soa/{control}")).into_response())
}

async fn api(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Query(asked): Query<AsOf>,
) -> Response {
    match api_board_of(&house, &caller, &shared, &asked).await {
        Ok(board) => super::json(board.view.soa_json()),
        Err(wait) => *wait,
    }
}

async fn xlsx(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Query(asked): Query<AsOf>,
) -> Answer {
    let board = match paper_board(&house, &mut user.cx, &shared, &asked.as_of).await {
        Ok(board) => board,
        Err(refusal) => return *refusal,
    };
    let (lang, hall) = (user.cx.lang, board.view.clone());
    let head = super::paper_head(&house, &hall).await?;
    let sheet = user.cx.t("適用宣言書", "Applicability");
    let made = tokio::task::spawn_blocking(move || {
        let (columns, rows) = hall.soa_table(lang);
        reports::write_book(sheet, &hall.soa_titles(&head, lang), &columns, &rows)
    });
    let bytes = made.await.map_err(|e| Refusal::Bad(e.to_string()))?;
    let bytes = bytes.map_err(|e| Refusal::Bad(e.to_string()))?;
    let name = format!("soa-{}.xlsx", user.cx.date(&board.at));
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    Ok(super::attachment(kind, &name, bytes))
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
    let paper = board.view.soa_paper(&head, user.cx.lang);
    super::pdf(paper, &format!("soa-{}.pdf", user.cx.date(&board.at))).await
}
