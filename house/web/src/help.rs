//! The help page: how to begin, how levels come about, what each register holds, the words used.
//!
//! Invariants: what it says about kinds comes from their schemas; what it offers to click, the reader
//! may open.

use askama::Template;
use axum::extract::State;
use model::{KindSpec, RoomSpec, Table, Text, t};

use crate::{
    Shared,
    access::Action,
    frame::{Answer, Cx, page},
    kinds_of,
    people::Me,
    route::{Access, Route},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/help", Access::Own, t("使い方", "Help"), help)]
}

/// A word, and what it means here.
struct Word {
    word: Text,
    meaning: Text,
}

const fn word(ja: &'static str, en: &'static str, means: Text) -> Word {
    Word { word: t(ja, en), meaning: means }
}

const WORDS: &[Word] = &[
    word(
        "梅・竹・松・未達",
        "ume, take, matsu, none",
        t(
            "管理策ごとの到達レベル。梅から始めて、竹、松と上がる。梅に届かないうちは未達。",
            "Levels of a control, from ume over take to matsu; below ume there is none.",
        ),
    ),
    word(
        "基準",
        "criterion",
        t(
            "あるレベルに必要な条件のひとつ。記録から自動で判定する。",
            "One condition of a level, judged from records.",
        ),
    ),
    word(
        "判定",
        "verdict",
        t(
            "達成、未達、期限切れ、不明、除外のいずれか。不明は達成に数えない。",
            "Pass, fail, stale, unknown or excluded. Unknown never counts as a pass.",
        ),
    ),
    word(
        "網羅",
        "coverage",
        t(
            "対象のうち何件が条件を満たすか。満たさない対象は名前で示す。",
            "How many of the subjects meet the condition. Those that do not are named.",
        ),
    ),
    word(
        "記録",
        "record",
        t(
            "いつ、誰が、何を見た・行ったかという証拠。あとから変えられない。",
            "Evidence of what was seen or done, when and by whom. It cannot be changed.",
        ),
    ),
    word(
        "証拠の区分",
        "assurance",
        t(
            "機械（自動収集）、取込み（外部から）、申告（人の記入）。申告で上がるのは梅まで。",
            "Machine, imported or attested. What is attested lifts nothing above ume.",
        ),
    ),
    word(
        "証跡",
        "ledger",
        t(
            "記録と台帳の変更を改ざんできない形でつないだもの。誰でも検証できる。",
            "Records and changes of registers, chained so that tampering is found out.",
        ),
    ),
    word(
        "台帳",
        "register",
        t(
            "資産、人、規程、リスクなどの一覧。変更の履歴はすべて残る。",
            "Assets, people, rules, risks and more. Every change keeps its old version.",
        ),
    ),
    word(
        "決定",
        "decision",
        t(
            "承認、却下、例外、除外、リスク受容。署名した版そのものに結び付き、あとで編集すると外れる。",
            "Approval, rejection, exception, exclusion, acceptance: bound to the very version that was signed.",
        ),
    ),
    word(
        "適用範囲",
        "scope",
        t(
            "ISMSの対象。承認された範囲の資産だけを分母に数える。承認まではすべてが対象。",
            "What the ISMS covers. Denominators count what is in it; until it is approved, everything is.",
        ),
    ),
    word(
        "タスク",
        "task",
        t(
            "期限と担当のある仕事。求められた種類の記録を出すと完了する。印を付けるだけでは完了しない。",
            "Work with a due date. It is closed by the record it asks for, not by a tick.",
        ),
    ),
];

/// Kinds of one room, with the table each stands in.
struct Shelf {
    name: &'static str,
    kinds: Vec<&'static KindSpec>,
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage<'a> {
    cx: &'a Cx,
    may_read: bool,
    may_administer: bool,
    words: &'static [Word],
    shelves: Vec<Shelf>,
}

async fn help(State(house): State<Shared>, Me(user): Me) -> Answer {
    // An employee's registers hold little of their own: a catalogue of all would only be in the way.
    let may_read = user.may(Action::Levels).is_ok();
    let shelf = |room: &'static RoomSpec| Shelf {
        name: room.name.get(user.cx.lang),
        // Links are made on the pages of their ends, not in a register of their own.
        kinds: kinds_of(room).filter(|kind| kind.table != Table::Link).collect(),
    };
    let shelves = if may_read { house.specs().map(shelf).collect() } else { Vec::new() };
    let may_administer = user.may(Action::Administer).is_ok();
    let body = HelpPage { cx: &user.cx, may_read, may_administer, words: WORDS, shelves };
    page(&user.cx, user.cx.t("使い方", "Help"), &body)
}
