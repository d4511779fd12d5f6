//! What pages and documents say of drift, in words.

use baseline::Value;
use model::{Text, t};
use web::frame::Cx;

use crate::{
    kinds::DRIFT_CLASSES,
    work::drift::{Item, State},
};

const VALUE_CHARS_MAX: usize = 400;

/// Why the machine judged so.
pub(super) fn reason(word: &str) -> Text {
    match word {
        "mask" => t("見直し済みの除外に当たります。", "A reviewed mask covers it."),
        "mask_expired" => {
            t("除外の期限が切れています。", "The mask that would cover it has ended.")
        }
        "manifest" => t(
            "導入済みパッケージの一覧と一致します。",
            "It equals the verified manifest of an installed package.",
        ),
        "change" => t(
            "承認済みの変更の範囲・時間帯・作業者に収まります。",
            "It lies within scope, window and actors of an approved change.",
        ),
        "design" => t("設計値どおりです。", "It is the design value."),
        "outside_window" => t(
            "承認済みの変更の対象ですが、時間帯の外です。",
            "A change covers it, but not at that time.",
        ),
        "other_actor" => t(
            "承認済みの変更の対象ですが、作業者が違います。",
            "A change covers it, but somebody else did it.",
        ),
        "pending" => t(
            "緊急変更の範囲内です。事後承認されるまでは未承認として数えます。",
            "It lies within an emergency; until that is approved it counts as not approved.",
        ),
        _ => t(
            "承認済みの変更にも設計値にも当たりません。",
            "No approved change and no design value covers it.",
        ),
    }
}

pub(super) fn class(cx: &Cx, class: &str) -> String {
    let choice = DRIFT_CLASSES.iter().find(|choice| choice.value == class);
    choice.map_or(class.to_owned(), |choice| cx.pick(&choice.label).to_owned())
}

/// How a state is coloured.
pub(super) fn colour(state: &State) -> &'static str {
    match state {
        State::Settled | State::Decided(_) => "pass",
        State::Late | State::Lapsed => "fail",
        State::Open => "stale",
        State::Planned(_) | State::Reverting(_) => "unknown",
    }
}

pub(super) fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// A value in one line.
pub(super) fn value(value: Option<&Value>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| short(&value.shown()))
}

/// The parts of a value that differ: name, before, after.
pub(super) fn parts(item: &Item) -> Vec<(String, String, String)> {
    let shown = |value: &Value| match value {
        Value::Absent => "–".to_owned(),
        value => short(&value.shown()),
    };
    let parts = item.delta.parts().into_iter();
    parts.map(|(name, before, after)| (name, shown(&before), shown(&after))).collect()
}
