//! Target levels as proposed from what an organisation is like (`content/targets.toml`).
//!
//! Invariants: pure; every control gets a proposal, and every proposal the reasons it follows from; a
//! limit ("no more than this at your size") wins over a demand. Whether a proposal is taken is a
//! signed decision, never a consequence.

use std::sync::LazyLock;

use model::{Lang, Level};
use serde::Deserialize;

use crate::shipped;

const TEXT: &str = include_str!("../../../content/targets.toml");

/// The questions beyond what the organisation's row says.
pub const QUESTIONS: [&str; 3] = ["personal_data", "exposure", "csirt"];

/// The file of choices and rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub version: String,
    pub author: String,
    pub choice: Vec<Choice>,
    pub rule: Vec<Rule>,
}

/// An answer that may be given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub question: String,
    pub value: String,
    pub label_ja: String,
    pub label_en: String,
}

/// A reason for a level.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: String,
    control: String,
    effect: Effect,
    level: Level,
    months: u32,
    sectors: Vec<String>,
    people_min: i64,
    people_max: i64,
    personal_data: Vec<String>,
    exposure: Vec<String>,
    csirt: Vec<String>,
    reason_ja: String,
    reason_en: String,
}

/// Which way a rule holds a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    AtLeast,
    AtMost,
}

static CONTENT: LazyLock<Option<File>> = LazyLock::new(|| shipped::read("targets.toml", TEXT));

/// What an organisation is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Likeness {
    pub sector: String,
    pub people: i64,
    /// Answers to [`QUESTIONS`], in this order; empty where not answered.
    pub answers: [String; 3],
}

/// What is proposed for one control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub control: String,
    pub level: Level,
    /// Suggested time to get there.
    pub months: u32,
    /// Why, in the language asked for: the rule that decided first.
    pub reasons: Vec<&'static str>,
}

/// The choices of a question.
pub fn choices(question: &str) -> impl Iterator<Item = &'static Choice> {
    let all = CONTENT.as_ref().map_or(&[][..], |file| &file.choice);
    all.iter().filter(move |c| c.question == question)
}

/// The proposal for each of these controls (numbers such as `8.9`).
pub fn propose(controls: &[&str], like: &Likeness, lang: Lang) -> Vec<Proposal> {
    let rules = CONTENT.as_ref().map_or(&[][..], |file| &file.rule);
    controls.iter().map(|control| one(rules, control, like, lang)).collect()
}

fn one(rules: &'static [Rule], control: &str, like: &Likeness, lang: Lang) -> Proposal {
    let id = format!("a.{control}");
    let matching = || rules.iter().filter(|r| r.control == id && r.holds(like));
    let demands = matching().filter(|r| r.effect == Effect::AtLeast);
    let limits = matching().filter(|r| r.effect == Effect::AtMost);
    let demand = demands.max_by_key(|r| r.level);
    let limit = limits.min_by_key(|r| r.level);
    let decides = match (demand, limit) {
        (Some(demand), Some(limit)) if limit.level < demand.level => Some(limit),
        (demand, _) => demand,
    };
    let mut because: Vec<&'static Rule> = decides.into_iter().collect();
    because.extend(demand.filter(|d| decides.is_none_or(|first| !std::ptr::eq(first, *d))));
    Proposal {
        control: control.to_owned(),
        level: decides.map_or(Level::Ume, |r| r.level),
        months: decides.map_or(6, |r| r.months),
        reasons: because.into_iter().map(|r| r.reason(lang)).collect(),
    }
}

impl Rule {
    fn holds(&self, like: &Likeness) -> bool {
        let among =
            |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
        let [personal_data, exposure, csirt] = &like.answers;
        among(&self.sectors, &like.sector)
            && (self.people_min == 0 || like.people >= self.people_min)
            && (self.people_max == 0 || like.people <= self.people_max)
            && among(&self.personal_data, personal_data)
            && among(&self.exposure, exposure)
            && among(&self.csirt, csirt)
    }

    fn reason(&'static self, lang: Lang) -> &'static str {
        if lang == Lang::Ja { &self.reason_ja } else { &self.reason_en }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEVEN: [&str; 11] =
        ["5.7", "5.23", "5.30", "7.4", "8.9", "8.10", "8.11", "8.12", "8.16", "8.23", "8.28"];

    #[test]
    fn every_control_has_a_proposal_and_a_reason_whatever_the_organisation() {
        let file = CONTENT.as_ref().expect("the content reads");
        assert_eq!(file.author, "ume");
        assert!(file.rule.len() > ELEVEN.len());
        for people in [1, 30, 120, 3_000] {
            for exposure in ["", "none", "payment"] {
                let like = Likeness {
                    sector: "manufacturing".to_owned(),
                    people,
                    answers: ["some".to_owned(), exposure.to_owned(), String::new()],
                };
                for proposal in propose(&ELEVEN, &like, Lang::Ja) {
                    assert!(proposal.level >= Level::Ume, "{proposal:?}");
                    assert!(!proposal.reasons.is_empty() && proposal.months > 0, "{proposal:?}");
                }
            }
        }
    }

    #[test]
    fn a_bank_is_asked_for_more_than_a_shop() {
        let like = |sector: &str, people, answers: [&str; 3]| Likeness {
            sector: sector.to_owned(),
            people,
            answers: answers.map(str::to_owned),
        };
        let total = |like: &Likeness| -> usize {
            propose(&ELEVEN, like, Lang::En).iter().map(|p| p.level as usize).sum()
        };
        let shop = total(&like("trade", 8, ["some", "site", "none"]));
        let bank = total(&like("finance", 3_000, ["sensitive", "payment", "team"]));
        assert_eq!(shop, 11, "梅 everywhere");
        assert!(bank > 2 * 11, "{bank}");
    }

    #[test]
    fn every_rule_names_answers_that_can_be_given() {
        let file = CONTENT.as_ref().expect("the content reads");
        for rule in &file.rule {
            for (question, wanted) in
                QUESTIONS.iter().zip([&rule.personal_data, &rule.exposure, &rule.csirt])
            {
                for value in wanted {
                    let known = choices(question).any(|c| c.value == *value);
                    assert!(known, "{question}: {value}");
                }
            }
        }
    }
}
