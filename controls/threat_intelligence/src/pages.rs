//! The room's own pages and their documents.

mod actions;
mod answer;
mod brands;
mod card;
mod channel;
mod channel_api;
mod channels;
mod confirm;
mod drill;
mod executive;
mod explain;
mod inbox;
mod internal;
mod item;
mod marking;
mod misp;
mod outlets;
mod sources;
mod taxii;
mod ten;
mod vulnerabilities;

use model::Table;
use web::{
    House,
    access::{Action, Reader},
    frame::{Cx, Refusal},
    route::Route,
};

use crate::work::{
    inbox::{ITEM, InboxError},
    triage::REASON_CHARS_MAX,
};

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [
        inbox::routes(),
        item::routes(),
        confirm::routes(),
        marking::routes(),
        sources::routes(),
        vulnerabilities::routes(),
        brands::routes(),
        actions::routes(),
        internal::routes(),
        ten::routes(),
        executive::routes(),
        drill::routes(),
        card::routes(),
        answer::routes(),
        channels::routes(),
        channel::routes(),
        channel_api::routes(),
        taxii::routes(),
        misp::routes(),
        outlets::routes(),
        explain::routes(),
    ];
    all.into_iter().flatten().collect()
}

/// Whether a reader may judge items: who may write them sees what they say.
fn may_judge(house: &House, reader: &Reader) -> bool {
    house.kind(Table::Asset, ITEM).is_some_and(|(_, kind)| reader.may(Action::Write, kind))
}

/// The half of a text `日本語 / English` that the reader reads.
fn half<'t>(cx: &Cx, text: &'t str) -> &'t str {
    match text.split_once(" / ") {
        Some((ja, en)) => cx.either(ja, en),
        None => text,
    }
}

/// Something broke that the reader can do nothing about but see.
fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal::Bad(error.to_string())
}

/// A reason as it was given, or what is wrong with it.
fn reason<'t>(cx: &Cx, given: &'t str) -> Result<&'t str, Refusal> {
    match given.chars().count() {
        1..=REASON_CHARS_MAX => Ok(given),
        _ => Err(Refusal::Bad(
            cx.t(
                "理由を2000文字以内で入力してください。",
                "Give a reason of at most 2,000 characters.",
            )
            .to_owned(),
        )),
    }
}

/// Why something was not taken, in the reader's language.
fn refusal(cx: &Cx, error: InboxError) -> Refusal {
    let error = match error {
        InboxError::Store(error) => return Refusal::Store(error),
        other => other,
    };
    let said = match error {
        InboxError::Encoding => cx.t(
            "文字コードを判別できません。文字コードを選んで、もう一度受け取ってください。",
            "The encoding is not known: choose it and hand the notice in again.",
        ),
        InboxError::Large(_) => {
            cx.t("大きすぎます（32 MiBまで）。", "It is too large (32 MiB at most).")
        }
        InboxError::Empty => {
            cx.t("空です。文面かファイルを入れてください。", "It is empty: give a text or a file.")
        }
        InboxError::Gone => cx.t(
            "原本が開けません。消去されたか、壊れています。",
            "The original does not open: it was shredded, or is damaged.",
        ),
        InboxError::Mail(_) => cx.t("メールとして読めません。", "It cannot be read as a mail."),
        InboxError::Lines(_) => {
            cx.t("確認済みの指標を読めません。", "The confirmed indicators cannot be read.")
        }
        InboxError::Store(_) | InboxError::Labels(_) => cx.t(
            "抽出ルールの見出し語を読めません。",
            "The labels of the extraction rules cannot be read.",
        ),
    };
    Refusal::Bad(said.to_owned())
}
