//! `/annex-a`: the comparison of 6.1.3 c).

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use model::{Id, t};
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
use crate::{
    hall::{
        Hall,
        compare::{Kind, Line},
    },
    shared::SharedBoard,
};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("附属書Aとの比較", "Comparison with Annex A");
    vec![
        Route::get("/annex-a", inspect, title, show),
        dated_document("/api/v1/isms/comparison", inspect, "comparison", title, api),
    ]
}

struct Part<'a> {
    kind: Kind,
    lines: Vec<(&'a Line, &'a str, Option<Id>)>,
    open: usize,
}

#[derive(Template)]
#[template(path = "annex_a.html")]
struct AnnexPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    explained: u64,
    open: usize,
    parts: Vec<Part<'a>>,
}

async fn show(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    mut user: User,
    Query(asked): Query<AsOf>,
) -> Answer {
    let title = user.cx.t("附属書Aとの比較", "Comparison with Annex A");
    let board = match board_of(&house, &mut user.cx, &shared, title, &asked.as_of).await {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let (cx, hall) = (&user.cx, &board.view);
    let body = AnnexPage {
        cx,
        here: "/annex-a",
        explained: hall.comparison.explained,
        open: hall.comparison.open(),
        parts: Kind::ALL.into_iter().map(|kind| part(cx, hall, kind)).collect(),
    };
    page(cx, title, &body)
}

fn part<'a>(cx: &Cx, hall: &'a Hall, kind: Kind) -> Part<'a> {
    let lines = hall.comparison.of(kind).into_iter();
    let named = |line: &'a Line| {
        let row = hall.row(&line.control);
        (line, row.map_or("", |r| r.title(cx.lang)), row.and_then(|r| r.usage))
    };
    let mut lines: Vec<_> = lines.map(named).collect();
    // What is open comes first; each part keeps its order.
    lines.sort_by_key(|(line, ..)| !line.is_open());
    let open = lines.iter().filter(|(line, ..)| line.is_open()).count();
    Part { kind, lines, open }
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
            "explained": board.view.comparison.explained,
            "open": board.view.comparison.open(),
            "lines": board.view.comparison.lines,
        })),
        Err(wait) => *wait,
    }
}
