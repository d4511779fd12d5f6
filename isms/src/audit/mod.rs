//! The internal audit (9.2): what is asked, of whom, why, and what became of the findings (10.2).
//!
//! Invariants: [`draw`] is pure: the same state, seed and auditor give the same samples and questions.
//! Nobody audits what they own; a control that nobody owns is not drawn, since independence could not
//! be shown. Who asks or what is asked three times running is flagged, never hidden.

pub mod findings;
pub mod load;
pub mod questions;
pub mod run;
pub mod states;

use std::collections::BTreeSet;

use model::{Id, Text, Timestamp, t};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use load::{Loaded, load};
pub use states::record_states;

/// Type of the record of one sample that was looked at.
pub const SAMPLED: &str = "isms.audit_sample";
/// Kind of the plan that one audit is.
pub const AUDIT_KIND: &str = "internal_audit";
/// Most samples of one audit.
pub const SAMPLES_MAX: usize = 60;
/// So often in a row is once too often.
pub const ROW_MAX: u64 = 3;
/// The new controls are audited within a year, all within three.
pub const NEW_DAYS: i64 = 365;
pub const ALL_DAYS: i64 = 3 * 365;
/// What becomes due within this many days is drawn before it is late.
const AHEAD_DAYS: i64 = 60;
/// Below this coverage a control is looked at more often.
const LOW_PERMILLE: u64 = 800;

/// One sample that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    pub at: Timestamp,
    pub auditor: Option<Id>,
    pub question: String,
}

/// A question that can be asked of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Shipped id, or the row of the organisation's own question.
    pub id: String,
    pub ja: String,
    pub en: String,
    pub evidence_ja: String,
    pub evidence_en: String,
}

/// A control or clause as an audit sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Number of the control; `c.` and number of a clause.
    pub number: String,
    pub title_ja: String,
    pub title_en: String,
    pub owner: Option<Id>,
    pub is_new: bool,
    /// A control of Annex A that applies; clauses always do.
    pub applicable: bool,
    /// Newest first.
    pub asked: Vec<Asked>,
    /// Level or statement moved since it was looked at last.
    pub moved: bool,
    pub coverage: Option<(u64, u64)>,
    pub exception_until: Option<Timestamp>,
    /// Open findings, and those found since it was looked at last.
    pub findings: u64,
    pub questions: Vec<Question>,
}

/// What samples are drawn from.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub at: Timestamp,
    pub items: Vec<Item>,
}

/// Why a sample was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    NeverSampled,
    Due,
    Moved,
    LowCoverage,
    Exception,
    Finding,
}

impl Why {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Why::NeverSampled => "never_sampled",
            Why::Due => "due",
            Why::Moved => "moved",
            Why::LowCoverage => "low_coverage",
            Why::Exception => "exception",
            Why::Finding => "finding",
        }
    }

    /// Parses [`Why::name`].
    pub fn parse(name: &str) -> Option<Why> {
        use Why::{Due, Exception, Finding, LowCoverage, Moved, NeverSampled};
        [NeverSampled, Due, Moved, LowCoverage, Exception, Finding]
            .into_iter()
            .find(|why| why.name() == name)
    }

    /// How people read it.
    pub fn text(self) -> Text {
        match self {
            Why::NeverSampled => t("まだ一度も監査していない", "never audited"),
            Why::Due => t("監査の期限が近い", "due soon"),
            Why::Moved => t("前回から変化がある", "moved since last time"),
            Why::LowCoverage => t("達成の割合が低い", "low coverage"),
            Why::Exception => t("例外の期限が近い", "an exception expires soon"),
            Why::Finding => t("以前の所見がある", "an earlier finding"),
        }
    }

    fn weight(self) -> u64 {
        match self {
            Why::NeverSampled | Why::Due => 6,
            Why::Moved | Why::LowCoverage | Why::Finding => 3,
            Why::Exception => 2,
        }
    }
}

/// One question to one owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    pub item: String,
    pub owner: Id,
    pub question: Question,
    pub why: Vec<Why>,
    /// How often in a row this question will have been asked here.
    pub question_in_a_row: u64,
    /// How often in a row this auditor will have been here.
    pub auditor_in_a_row: u64,
}

impl Sample {
    /// Asked, or by whom, as often in a row as dulls the eye.
    pub fn is_flagged(&self) -> bool {
        self.question_in_a_row >= ROW_MAX || self.auditor_in_a_row >= ROW_MAX
    }
}

impl Item {
    /// When it was looked at last.
    pub fn last(&self) -> Option<Timestamp> {
        self.asked.first().map(|a| a.at)
    }

    /// Whether it was looked at within so many days.
    pub fn is_audited(&self, now: Timestamp, days: i64) -> bool {
        self.last().is_some_and(|at| now.hours_since(at) <= days * 24)
    }

    /// What speaks for looking at it.
    pub fn why(&self, now: Timestamp) -> Vec<Why> {
        let within = if self.is_new { NEW_DAYS } else { ALL_DAYS };
        let low = |(passed, total): (u64, u64)| total > 0 && passed * 1000 < total * LOW_PERMILLE;
        let soon = |until: Timestamp| until <= now.plus_hours(24 * AHEAD_DAYS);
        let reasons = [
            (Why::NeverSampled, self.asked.is_empty()),
            (Why::Due, !self.asked.is_empty() && !self.is_audited(now, within - AHEAD_DAYS)),
            (Why::Moved, self.moved),
            (Why::LowCoverage, self.coverage.is_some_and(low)),
            (Why::Exception, self.exception_until.is_some_and(soon)),
            (Why::Finding, self.findings > 0),
        ];
        reasons.into_iter().filter(|(_, holds)| *holds).map(|(why, _)| why).collect()
    }

    /// How often in a row this auditor was here last.
    pub fn auditor_run(&self, auditor: Id) -> u64 {
        self.asked.iter().take_while(|a| a.auditor == Some(auditor)).count() as u64
    }

    /// How often in a row this question was asked last.
    pub fn question_run(&self, question: &str) -> u64 {
        self.asked.iter().take_while(|a| a.question == question).count() as u64
    }

    /// Whether somebody other than its owner can audit it.
    fn is_open_to(&self, auditor: Id) -> bool {
        let owned_by_another = self.owner.is_some_and(|owner| owner != auditor);
        self.applicable && owned_by_another && !self.questions.is_empty()
    }
}

/// Chance that follows from a seed: SHA-256 in counter mode.
struct Chance {
    seed: String,
    count: u64,
}

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.count += 1;
        let hash = Sha256::digest(format!("ume/audit/v1\n{}\n{}", self.seed, self.count));
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash[..8]);
        // 2⁶⁴ is so much larger than any bound here that the remainder favours none.
        u64::from_be_bytes(bytes) % bound.max(1)
    }
}

/// Draws samples: what there is more reason to look at is drawn more often, nothing twice.
pub fn draw(state: &State, seed: &str, count: usize, auditor: Id) -> Vec<Sample> {
    let mut chance = Chance { seed: seed.to_owned(), count: 0 };
    let open = state.items.iter().filter(|item| item.is_open_to(auditor));
    let mut pool: Vec<(&Item, Vec<Why>)> = open.map(|item| (item, item.why(state.at))).collect();
    let weight = |why: &[Why]| 1 + why.iter().map(|w| w.weight()).sum::<u64>();
    let mut samples = Vec::new();
    while samples.len() < count.min(SAMPLES_MAX) && !pool.is_empty() {
        let total: u64 = pool.iter().map(|(_, why)| weight(why)).sum();
        let mut point = chance.below(total);
        let at = pool.iter().position(|(_, why)| match point.checked_sub(weight(why)) {
            Some(rest) => {
                point = rest;
                false
            }
            None => true,
        });
        let (item, why) = pool.swap_remove(at.unwrap_or(0));
        samples.extend(sample(item, why, auditor, &mut chance));
    }
    samples
}

fn sample(item: &Item, why: Vec<Why>, auditor: Id, chance: &mut Chance) -> Option<Sample> {
    let question = choose(item, chance)?;
    Some(Sample {
        item: item.number.clone(),
        owner: item.owner?,
        question_in_a_row: item.question_run(&question.id) + 1,
        auditor_in_a_row: item.auditor_run(auditor) + 1,
        question: question.clone(),
        why,
    })
}

/// A question not asked yet, by chance; where all were, the one asked longest ago.
fn choose<'i>(item: &'i Item, chance: &mut Chance) -> Option<&'i Question> {
    let last = |q: &Question| item.asked.iter().filter(|a| a.question == q.id).map(|a| a.at).max();
    let new: Vec<&Question> = item.questions.iter().filter(|q| last(q).is_none()).collect();
    if new.is_empty() {
        return item.questions.iter().min_by_key(|q| last(q));
    }
    new.get(chance.below(new.len() as u64) as usize).copied()
}

/// Coverage of the audits so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    pub new_audited: usize,
    pub new_all: usize,
    /// Applicable controls nobody looked at for three years.
    pub unaudited: Vec<String>,
    /// Applicable controls without an owner, which cannot be audited.
    pub unowned: Vec<String>,
    /// Items with the same auditor three times running.
    pub same_auditor: Vec<String>,
    /// Items with the same question three times running.
    pub same_question: Vec<String>,
}

/// What the audits covered, and where they went dull.
pub fn coverage(state: &State) -> Coverage {
    let controls = || state.items.iter().filter(|i| i.applicable && !i.number.starts_with("c."));
    let new: BTreeSet<&str> =
        state.items.iter().filter(|i| i.is_new).map(|i| i.number.as_str()).collect();
    let audited = |i: &&Item| i.is_new && i.is_audited(state.at, NEW_DAYS);
    let numbers = |holds: &dyn Fn(&Item) -> bool| -> Vec<String> {
        controls().filter(|i| holds(i)).map(|i| i.number.clone()).collect()
    };
    let everywhere = |holds: &dyn Fn(&Item) -> bool| -> Vec<String> {
        state.items.iter().filter(|i| holds(i)).map(|i| i.number.clone()).collect()
    };
    Coverage {
        new_audited: state.items.iter().filter(audited).count(),
        new_all: new.len(),
        unaudited: numbers(&|i| !i.is_audited(state.at, ALL_DAYS)),
        unowned: numbers(&|i| i.owner.is_none()),
        same_auditor: everywhere(&|i| {
            i.asked
                .first()
                .and_then(|a| a.auditor)
                .is_some_and(|auditor| i.auditor_run(auditor) >= ROW_MAX)
        }),
        same_question: everywhere(&|i| {
            i.asked.first().is_some_and(|a| i.question_run(&a.question) >= ROW_MAX)
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn id(n: u8) -> Id {
        Id::from_parts(NOW, &[n; 10])
    }

    fn item(number: &str, owner: Option<Id>) -> Item {
        let question = |n: usize| Question {
            id: format!("a.{number}/q{n}"),
            ja: "問".to_owned(),
            en: "q".to_owned(),
            evidence_ja: String::new(),
            evidence_en: String::new(),
        };
        Item {
            number: number.to_owned(),
            title_ja: String::new(),
            title_en: String::new(),
            owner,
            is_new: false,
            applicable: true,
            asked: Vec::new(),
            moved: false,
            coverage: None,
            exception_until: None,
            findings: 0,
            questions: (1..=3).map(question).collect(),
        }
    }

    fn asked(days: i64, auditor: Id, question: &str) -> Asked {
        Asked {
            at: NOW.minus_hours(24 * days),
            auditor: Some(auditor),
            question: question.to_owned(),
        }
    }

    fn state() -> State {
        let mut items: Vec<Item> = (1..=40).map(|n| item(&format!("5.{n}"), Some(id(1)))).collect();
        items[3].owner = Some(id(2));
        items[4].owner = None;
        items[5].applicable = false;
        for item in &mut items[6..] {
            item.asked = vec![asked(100, id(3), &item.questions[0].id)];
        }
        items[9].moved = true;
        items[9].findings = 2;
        State { at: NOW, items }
    }

    #[test]
    fn the_same_seed_gives_the_same_samples_and_another_one_others() {
        let state = state();
        let one = draw(&state, "2026", 8, id(2));
        assert_eq!(one, draw(&state, "2026", 8, id(2)));
        assert_ne!(one, draw(&state, "2027", 8, id(2)));
        assert_eq!(one.len(), 8);
    }

    #[test]
    fn nobody_draws_what_they_own_nor_what_nobody_owns_nor_what_does_not_apply() {
        let samples = draw(&state(), "s", SAMPLES_MAX, id(2));
        assert_eq!(samples.len(), 37);
        for number in ["5.4", "5.5", "5.6"] {
            assert!(!samples.iter().any(|s| s.item == number), "{number}");
        }
        assert!(samples.iter().all(|s| s.owner != id(2)));
    }

    #[test]
    fn what_there_is_reason_for_is_drawn_more_often() {
        let state = state();
        let drawn = |number: &str| {
            let seeds = (0..300).map(|seed| draw(&state, &seed.to_string(), 4, id(2)));
            seeds.filter(|samples| samples.iter().any(|s| s.item == number)).count()
        };
        let (never, moved, plain) = (drawn("5.1"), drawn("5.10"), drawn("5.20"));
        assert!(never > 3 * plain && moved > 3 * plain, "{never} {moved} {plain}");
        assert!(plain > 0, "nothing is safe from being drawn");
    }

    #[test]
    fn a_question_comes_again_only_when_all_were_asked_and_runs_are_counted() {
        let mut state = State { at: NOW, items: vec![item("8.9", Some(id(1)))] };
        let of = |state: &State| draw(state, "s", 1, id(3)).remove(0);
        let names: Vec<String> = state.items[0].questions.iter().map(|q| q.id.clone()).collect();
        state.items[0].asked =
            vec![asked(1, id(3), &names[0]), asked(2, id(3), &names[2]), asked(400, id(2), "x")];
        let sample = of(&state);
        assert_eq!(sample.question.id, names[1]);
        assert_eq!((sample.question_in_a_row, sample.auditor_in_a_row), (1, 3));
        assert!(sample.is_flagged());
        state.items[0].asked.insert(0, asked(0, id(2), &names[1]));
        assert_eq!(of(&state).question.id, names[2], "asked longest ago");
        assert!(!of(&state).is_flagged());
        state.items[0].questions.truncate(1);
        state.items[0].asked =
            vec![asked(1, id(2), &names[0]), asked(2, id(4), &names[0]), asked(3, id(2), "x")];
        assert_eq!(of(&state).question_in_a_row, 3);
        state.items[0].asked.insert(0, asked(0, id(4), &names[0]));
        assert_eq!(coverage(&state).same_question, ["8.9"]);
        assert_eq!(coverage(&state).same_auditor, Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_item_is_drawn_twice_and_none_beyond_what_was_asked(seed in ".*", count in 0usize..70) {
            let samples = draw(&state(), &seed, count, id(2));
            prop_assert!(samples.len() <= count.min(SAMPLES_MAX));
            let numbers: BTreeSet<&str> = samples.iter().map(|s| s.item.as_str()).collect();
            prop_assert_eq!(numbers.len(), samples.len());
        }
    }
}
