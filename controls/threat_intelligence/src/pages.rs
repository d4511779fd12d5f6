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

use crate::work::inbox::{ITEM, InboxError};

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
