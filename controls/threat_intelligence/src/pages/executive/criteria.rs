//! `/intelligence/criteria`: what reaches executives, and whether it was approved as it stands.

use askama::Template;
use axum::extract::State;
use model::t;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, User, page},
    route::{Access, Route},
};

use super::super::half;
use crate::work::executive::{
    criterion::{self, Criterion, Ruled, Standing},
    text_of,
};

pub(super) fn routes() -> Vec<Route> {
    let title = t("経営層へ上げる条件", "What reaches executives");
    vec![Route::get("/intelligence/criteria", Access::Action(Action::Inspect), title, show)]
}

#[derive(Template)]
#[template(path = "intelligence_criteria.html")]
struct CriteriaPage<'a> {
    cx: &'a Cx,
    all: Vec<Ruled>,
    in_force: usize,
}

impl CriteriaPage<'_> {
    fn state(&self, ruled: &Ruled) -> (&'static str, String) {
        let said = |ja: &'static str, en: &'static str| self.cx.pick(&t(ja, en)).to_owned();
        match &ruled.standing {
            Standing::Approved(since) => {
                ("pass", format!("{} {}", said("承認済み", "approved"), self.cx.date(since)))
            }
            Standing::Draft => ("stale", said("承認待ち", "not approved yet")),
            Standing::Void => (
                "fail",
                said("変更後または期限切れで未承認", "changed or ended since, not approved"),
            ),
            Standing::Unreadable(fault) => (
                "fail",
                format!("{}: {}", said("判定できない", "cannot be evaluated"), fault.field),
            ),
        }
    }

    fn is_short(&self, ruled: &Ruled) -> bool {
        text_of(&ruled.row, "horizon") == "short_term"
    }

    fn condition<'r>(&self, ruled: &'r Ruled) -> &'r str {
        half(self.cx, text_of(&ruled.row, "condition"))
    }

    fn trigger(&self, ruled: &Ruled) -> String {
        match Criterion::of(&ruled.row) {
            Ok(criterion) => self.cx.pick(&criterion.trigger.text()).to_owned(),
            Err(_) => "–".to_owned(),
        }
    }

    fn due(&self, ruled: &Ruled) -> String {
        match Criterion::of(&ruled.row) {
            Ok(criterion) if criterion.due_hours >= 48 => {
                format!("{}{}", criterion.due_hours / 24, self.cx.t("日前", " d before"))
            }
            Ok(criterion) => format!("{}{}", criterion.due_hours, self.cx.t("時間以内", " h")),
            Err(_) => "–".to_owned(),
        }
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let all = criterion::all(&house.store).await?;
    let in_force = all.iter().filter(|ruled| ruled.in_force().is_some()).count();
    let body = CriteriaPage { cx, all, in_force };
    page(cx, cx.t("経営層へ上げる条件", "What reaches executives"), &body)
}
