//! The management review (9.3): inputs a to g drawn from the records, instructions that become
//! decisions with tasks, one signature over all of it.
//!
//! Invariants: [`draw`] is pure. An input without content needs a reason before anything is signed. An
//! instruction has an owner and a date from the start, and its task from the signature on; a task that is
//! deleted afterwards is missed, and the record says so.

pub mod content;
pub(crate) mod follow;
pub mod gather;
pub mod hold;
mod sources;

use model::{Lang, Timestamp};
use serde::{Deserialize, Serialize};

pub use gather::{Gathered, overview};
pub use hold::record_states;

/// Kind of the plan that a review is.
pub const REVIEW_KIND: &str = "management_review";
/// Kind of the signature over a review.
pub const HELD_KIND: &str = "review_held";
/// Kind of the decision that an instruction becomes.
pub const INSTRUCTION_KIND: &str = "review_instruction";
/// Type of the record of a review.
pub const PACK: &str = "isms.review_pack";
/// Lines of one source; what is more is counted.
pub const LINES_MAX: usize = 30;
/// A reason for an empty input.
pub const REASON_CHARS_MAX: usize = 1_000;

/// One line of an input, in both languages: the review is read by whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub ja: String,
    pub en: String,
    /// Where to look further; empty for nowhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub href: String,
}

impl Line {
    /// The line in one language.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ja => &self.ja,
            Lang::En => &self.en,
        }
    }
}

/// What one source says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub source: String,
    pub lines: Vec<Line>,
    /// Lines beyond [`LINES_MAX`].
    pub more: usize,
}

/// One of the inputs a to g.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub letter: String,
    pub sections: Vec<Section>,
    /// Why it is empty, or what else is to be said.
    #[serde(default)]
    pub reason: String,
}

impl Input {
    /// Whether any source had something to say.
    pub fn has_content(&self) -> bool {
        self.sections.iter().any(|s| !s.lines.is_empty())
    }

    /// Whether the review may be signed as far as this input goes.
    pub fn is_settled(&self) -> bool {
        self.has_content() || !self.reason.trim().is_empty()
    }
}

/// Draws the inputs from what was gathered.
pub fn draw(gathered: &Gathered, now: Timestamp) -> Vec<Input> {
    content::inputs()
        .iter()
        .map(|input| Input {
            letter: input.letter.clone(),
            sections: input.sources.iter().map(|id| section(id, gathered, now)).collect(),
            reason: String::new(),
        })
        .collect()
}

fn section(source: &str, gathered: &Gathered, now: Timestamp) -> Section {
    let mut lines = sources::lines(source, gathered, now);
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    Section { source: source.to_owned(), lines, more }
}
