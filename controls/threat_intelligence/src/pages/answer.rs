//! The answer to an employee whose report became an item.

use std::collections::HashMap;

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, t};
use serde_json::Value as Json;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Refusal, User},
    route::{Access, Route},
};

use super::{item::item, may_judge};
use crate::work::process::{internal::FINDING, reports};

const ANSWER_CHARS_MAX: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let title = t("報告への回答", "Answer a report");
    vec![Route::post("/intelligence/{id}/answer", Access::Action(Action::Write), title, answer)]
}

async fn answer(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    let cx = &user.cx;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let row = item(&house.store, id).await?;
    let of = row.attributes.get("internal_of").and_then(Json::as_str).unwrap_or_default();
    let of: Id = of.parse().map_err(|_| Refusal::NotFound)?;
    let finding = house.store.record(of).await?.filter(|record| record.ty == FINDING);
    let finding = finding.ok_or(Refusal::NotFound)?;
    let words = text("answer");
    if words.is_empty() || words.chars().count() > ANSWER_CHARS_MAX {
        let said = cx.t(
            "回答を1000文字以内で入力してください。",
            "Write an answer of at most 1,000 characters.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    let mut write = user.write(&house, cx.t("報告への回答", "answered a report")).await?;
    reports::answer(&house.store, &mut write, &finding, words).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/intelligence/{id}")).into_response())
}
