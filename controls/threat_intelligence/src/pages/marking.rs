//! `/intelligence/{id}/marking`: raises the marking of an item, or lowers it by a signed decision.
//!
//! Invariants: raising is free for who judges; lowering takes the signature of somebody who did not change the item
//! last, with the originator's consent, and decision and change are one (the store would refuse the change alone).

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use indicators::tlp::Level;
use model::{Id, t};
use serde::Deserialize;
use serde_json::json;
use store::Row;
use web::{
    Shared,
    access::Action,
    decide::{self, About, Given, Ruling, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Route},
};

use super::{item, may_judge};
use crate::work::{inbox, tlp};

const KIND: &str = "marking_downgrade";
const MONTHS: i64 = 36;
const CONSENT_CHARS_MAX: usize = 500;
const NAMES_MAX: usize = 50;
const NAMES_CHARS_MAX: usize = 2_000;

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let path = "/intelligence/{id}/marking";
    let title = t("取扱区分（TLP）の変更", "Change the marking of an item");
    let lower = t("取扱区分（TLP）の引き下げ", "Lower the marking of an item");
    vec![
        Route::get(path, read, title, show),
        Route::post(path, Access::Action(Action::Write), title, raise),
        Route::post(&format!("{path}/lower"), Access::Action(Action::Decide), lower, lowered),
    ]
}

#[derive(Template)]
#[template(path = "intelligence_marking.html")]
struct MarkingPage<'a> {
    cx: &'a Cx,
    row: &'a Row,
    level: Level,
    stricter: Vec<Level>,
    opener: Vec<Level>,
    named: String,
    hash: String,
    may_raise: bool,
    sign: String,
}

impl MarkingPage<'_> {
    fn word(&self, level: &Level) -> &'static str {
        inbox::tlp_word(*level)
    }
}

async fn show(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    let cx = &user.cx;
    let row = item::seen(&house, user.reader(), id).await?;
    let level = tlp::level(&row, "tlp");
    let may_judge = may_judge(&house, user.reader());
    let may_lower = may_judge && user.may(Action::Decide).is_ok() && level != Level::Clear;
    let body = MarkingPage {
        cx,
        row: &row,
        level,
        stricter: Level::ALL.into_iter().filter(|other| *other >= level).collect(),
        opener: Level::ALL.into_iter().filter(|other| *other < level).collect(),
        named: tlp::marking(&row).persons.join(" "),
        hash: row.content_hash()?,
        may_raise: may_judge && user.may(Action::Write).is_ok(),
        sign: match may_lower {
            true => decide::part(cx, cx.t("引き下げに署名する", "Sign the lowering"))?,
            false => String::new(),
        },
    };
    Ok(with_script(page(cx, cx.t("取扱区分の変更", "Change the marking"), &body)?))
}

#[derive(Deserialize)]
struct RaiseForm {
    csrf: String,
    to: String,
    #[serde(default)]
    named: String,
}

async fn raise(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<RaiseForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let cx = &user.cx;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let to = chosen(cx, &form.to)?;
    item::seen(&house, user.reader(), id).await?;
    let names: Vec<String> = form
        .named
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '、' | ';'))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.len() > NAMES_MAX || form.named.chars().count() > NAMES_CHARS_MAX {
        let said = cx.t("名指しは50人までです。", "At most 50 persons are named.");
        return Err(Refusal::Bad(said.to_owned()));
    }
    let own = user.session.account.login.clone();
    if to == Level::Red && !names.is_empty() && !names.contains(&own) {
        let said = cx.t(
            "TLP:REDにすると、名指しした人だけが見られます。自分のログイン名も含めてください。",
            "RED is seen by those it names alone: name yourself too.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    let mut write = user.write(&house, cx.t("取扱区分の変更", "changed a marking")).await?;
    // Read behind the beginning of the change: another may have changed it meanwhile.
    let mut row = item::item(&house.store, id).await?;
    row.attributes.insert("tlp".to_owned(), json!(inbox::tlp_word(to)));
    if to == Level::Red {
        row.attributes.insert("named".to_owned(), json!(names));
    }
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/intelligence/{id}")).into_response())
}

fn chosen(cx: &Cx, word: &str) -> Result<Level, Refusal> {
    tlp::named(word).ok_or_else(|| {
        Refusal::Bad(cx.t("取扱区分を選んでください。", "Choose a marking.").to_owned())
    })
}

#[derive(Deserialize)]
struct LowerForm {
    csrf: String,
    /// Of the row as it was shown.
    hash: String,
    to: String,
    consent: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

async fn lowered(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    headers: HeaderMap,
    Form(form): Form<LowerForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let cx = &user.cx;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let row = item::seen(&house, user.reader(), id).await?;
    let (from, to) = (tlp::level(&row, "tlp"), chosen(cx, &form.to)?);
    let consent = form.consent.trim();
    if to >= from {
        let said =
            cx.t("今より緩い取扱区分を選んでください。", "Choose a marking below the present one.");
        return Err(Refusal::Bad(said.to_owned()));
    }
    if consent.is_empty() || consent.chars().count() > CONSENT_CHARS_MAX {
        let said = cx.t(
            "発信元の了解を500文字以内で入力してください（誰が、いつ、どう答えたか）。",
            "Say in at most 500 characters how the originator consented: who, when, how.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    let ruling = Ruling {
        hash: &form.hash,
        outcome: "approved",
        reason: form.reason.trim(),
        hours: decide::months(MONTHS),
        kind: KIND,
        notes: vec![
            ("from", json!(inbox::tlp_word(from))),
            ("to", json!(inbox::tlp_word(to))),
            ("consent", json!(consent)),
        ],
    };
    let given = form.given;
    let standing = decide::standing(&house, &user, &given.acting_for, &[KIND]).await?;
    let rulings = [(ruling, About::Row(&row))];
    let signature = match decide::take(&house, &user, &headers, &standing, &rulings, given).await? {
        Taken::Asked(answer) => return Ok(answer),
        Taken::Given(signature) => signature,
    };
    let mut write = house.store.write(&user.actor(), form.reason.trim(), "web").await?;
    let decisions = decide::enter_all(&mut write, &user, &rulings, &signature).await?;
    // With more signatures to come the marking stays as it is.
    if decisions.iter().any(|decision| decision.status == "approved") {
        let mut lower = row.clone();
        lower.attributes.insert("tlp".to_owned(), json!(inbox::tlp_word(to)));
        write.put(lower).await?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/intelligence/{id}")).into_response())
}
