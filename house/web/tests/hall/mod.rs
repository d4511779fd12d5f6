//! A hall for tests that need none.

use model::{Expr, LevelText, Question, RoomSpec, t};

const NOTHING: model::Text = t("無し", "none");
const LEVEL: LevelText = LevelText { function: NOTHING, practice: NOTHING };

/// A hall that declares nothing: these pages need none.
pub static HALL: RoomSpec = RoomSpec {
    id: "isms",
    control: "isms",
    name: NOTHING,
    requirement: NOTHING,
    overview: NOTHING,
    aim: NOTHING,
    actors: NOTHING,
    examples: NOTHING,
    related: &[],
    question: Question {
        text: NOTHING,
        criterion: "",
        yes: NOTHING,
        no: NOTHING,
        unknown: NOTHING,
    },
    levels: [LEVEL, LEVEL, LEVEL],
    ladder: [Expr::All(&[]), Expr::All(&[]), Expr::All(&[])],
    criteria: &[],
    kinds: &[],
    rules: &[],
    others: &[],
    records: &[],
    mends: &[],
    consumes: &[],
    emits: &[],
    files: &[],
};
