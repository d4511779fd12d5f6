//! `/gap`: where each control stands, where it is to stand, and what is in between.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use model::{Level, t};
use serde_json::json;
use web::{
    Shared,
    access::Action,
    api::Caller,
    frame::{Answer, Cx, User, page},
    route::{Access, Route},
    when::AsOf,
};

use super::{api_board_of, board_of, dated_document};
use crate::{hall::gap::GapRow, shared::SharedBoard};

pub(super) fn routes() -> Vec<Route> {
    let levels = Access::Action(Action::Levels);
    let title = t("ギャップ分析", "Gap analysis");
    vec![
        Route::get("/gap", levels, title, show),
        dated_document("/api/v1/isms/gap", levels, "gap", title, api),
        dated_document("/api/v1/isms/levels", levels, "levels", t("レベル", "Levels"), api_levels),
    ]
}

/// Places of 未達, 梅, 竹 and 松 in the picture.
const STOPS: [usize; 4] = [10, 47, 84, 122];

/// A new control with the places of its level and of its target.
struct Way<'a> {
    row: &'a GapRow,
    now_x: usize,
    /// `None` where nothing is left to do, or no target was set.
    aim_x: Option<usize>,
}

impl<'a> Way<'a> {
    fn of(row: &'a GapRow) -> Way<'a> {
        let x = |level: Level| STOPS[level as usize];
        Way { row, now_x: x(row.level), aim_x: (row.target > row.level).then(|| x(row.target)) }
    }
}

#[derive(Template)]
#[template(path = "gap.html")]
struct GapPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    /// The eleven new controls.
    new: Vec<Way<'a>>,
    others: Vec<&'a GapRow>,
    /// Of the eleven, how many are short of their target.
    short: usize,
    hours: u64,
    /// Of the eleven below 梅, how many have no risk that names threat and source.
    without_risk: usize,
    may_write: bool,
    inspects: bool,
}

async fn show(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Query(asked): Query<AsOf>,
) -> Answer {
    let title = user.cx.t("ギャップ分析", "Gap analysis");
    let board = match board_of(&house, &mut user.cx, &shared, title, &asked.as_of).await {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let cx = &user.cx;
    let (new, others): (Vec<_>, Vec<_>) = board.view.gap.iter().partition(|row| row.room.is_some());
    let unmet = |row: &&&GapRow| row.level == Level::None && row.risks_complete == 0;
    let kind = house.kind(model::Table::Rule, "control_use");
    let body = GapPage {
        cx,
        here: "/gap",
        short: new.iter().filter(|row| row.is_short()).count(),
        hours: new.iter().filter(|row| row.is_short()).map(|row| row.hours).sum(),
        without_risk: new.iter().filter(unmet).count(),
        new: new.into_iter().map(Way::of).collect(),
        others,
        may_write: cx.past.is_none()
            && kind.is_some_and(|(_, kind)| user.reader().may(Action::Write, kind)),
        inspects: cx.may_inspect(),
    };
    page(cx, title, &body)
}

async fn api(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Query(asked): Query<AsOf>,
) -> Response {
    match api_board_of(&house, &caller, &shared, &asked).await {
        Ok(board) => super::json(json!({ "at": board.at.rfc3339(), "controls": board.view.gap })),
        Err(wait) => *wait,
    }
}

async fn api_levels(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Query(asked): Query<AsOf>,
) -> Response {
    match api_board_of(&house, &caller, &shared, &asked).await {
        Ok(board) => super::json(crate::status::to_json(&board, caller.cx.lang)),
        Err(wait) => *wait,
    }
}
