//! `/intelligence/card`: the awareness card that everybody reads, and confirms; `/intelligence/my-reports`: what became
//! of what one reported.

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use model::t;
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::refusal;
use crate::work::process::{
    card::{self, Card},
    reports::{self, Own},
};

const REPORTS_SHOWN_MAX: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    let title = t("注意喚起カード", "Awareness card");
    let read = t("注意喚起カードの確認", "Confirm the awareness card");
    let mine = t("自分の報告", "What I reported");
    vec![
        Route::get("/intelligence/card", Access::Own, title, show),
        Route::post("/intelligence/card", Access::Own, read, confirm),
        Route::get("/intelligence/my-reports", Access::Own, mine, own),
    ]
}

#[derive(Template)]
#[template(path = "intelligence_card.html")]
struct CardPage<'a> {
    cx: &'a Cx,
    card: &'a Card,
    has_read: bool,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let card = Card::load(&house.store).await.map_err(|error| refusal(cx, error))?;
    let has_read = card::has_read(&house.store, &user.actor(), &card.version).await?;
    let body = CardPage { cx, card: &card, has_read };
    page(cx, cx.t("注意喚起カード", "Awareness card"), &body)
}

#[derive(Deserialize)]
struct Read {
    csrf: String,
    version: String,
}

async fn confirm(State(house): State<Shared>, user: User, Form(form): Form<Read>) -> Answer {
    // Every role may read something, so this asks for origin and token.
    user.form(&form.csrf, Action::Read)?;
    let cx = &user.cx;
    let card = Card::load(&house.store).await.map_err(|error| refusal(cx, error))?;
    if form.version != card.version {
        let said = cx.t(
            "画面を開いた後にカードが新しくなりました。もう一度読んでください。",
            "The card changed after you opened it: read it once more.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    if !card::has_read(&house.store, &user.actor(), &card.version).await? {
        card::read(&house.store, &user.actor(), &card.version).await?;
        house.wake();
    }
    Ok(Redirect::to("/intelligence/card").into_response())
}

#[derive(Template)]
#[template(path = "intelligence_mine.html")]
struct MinePage<'a> {
    cx: &'a Cx,
    reports: Vec<Own>,
}

impl MinePage<'_> {
    fn said(&self, own: &Own) -> &'static str {
        let text = match own.verdict.as_deref() {
            None => t("確認中です", "being looked at"),
            Some("discard") => t("確認しました。脅威ではありませんでした", "looked at: no threat"),
            Some(_) => t("確認しました。対応しています", "looked at: it is being acted on"),
        };
        self.cx.pick(&text)
    }

    fn class(&self, own: &Own) -> &'static str {
        if own.verdict.is_some() || own.answer.is_some() { "pass" } else { "stale" }
    }
}

async fn own(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let reports = reports::own(&house.store, &user.actor(), REPORTS_SHOWN_MAX).await?;
    page(cx, cx.t("自分の報告", "What I reported"), &MinePage { cx, reports })
}
