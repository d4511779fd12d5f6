//! What lists of rules share: how the reader narrows one, and what is said of whether a rule can fire.

use model::t;
use serde::Deserialize;
use sigma::RuleCoverage;
use web::frame::Cx;

/// Whether a rule can fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firing {
    Can,
    /// Events of its source come, without the fields it asks for.
    Fields,
    /// No event of its source ever came.
    Source,
    /// A correlation fires if its rules do.
    Depends,
}

impl Firing {
    pub(super) const ALL: [Firing; 4] =
        [Firing::Can, Firing::Fields, Firing::Source, Firing::Depends];

    pub(super) fn of(coverage: Option<&RuleCoverage>) -> Firing {
        match coverage {
            None => Firing::Source,
            Some(covered) if covered.events == 0 => Firing::Source,
            Some(covered) if covered.can_fire => Firing::Can,
            Some(_) => Firing::Fields,
        }
    }

    /// As it stands in addresses and documents.
    pub(super) fn name(self) -> &'static str {
        match self {
            Firing::Can => "can",
            Firing::Fields => "fields_missing",
            Firing::Source => "no_source",
            Firing::Depends => "by_its_rules",
        }
    }

    /// In the reader's words.
    pub(super) fn text(self, cx: &Cx) -> &'static str {
        cx.pick(&match self {
            Firing::Can => t("成立しうる", "can fire"),
            Firing::Fields => t("届かない項目あり", "fields never arrive"),
            Firing::Source => t("ログがまだない", "no such log yet"),
            Firing::Depends => t("もとのルールによる", "by its rules"),
        })
    }
}

/// What a list is narrowed to; an empty text narrows nothing.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Narrowing {
    pub(super) q: String,
    pub(super) level: String,
    pub(super) product: String,
    pub(super) tactic: String,
    /// A name of `Firing`, or `off`.
    pub(super) firing: String,
}

/// What a rule is narrowed by.
pub(super) struct Facts<'a> {
    pub(super) level: &'a str,
    pub(super) product: &'a str,
    pub(super) tactics: &'a [&'static str],
    pub(super) firing: Firing,
    pub(super) is_on: bool,
    pub(super) title: &'a str,
    /// Its id, or the path of its file.
    pub(super) name: &'a str,
}

impl Narrowing {
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        let is = |wanted: &str, has: &str| wanted.is_empty() || wanted == has;
        let is_in_state = match self.firing.as_str() {
            "off" => !facts.is_on,
            wanted => is(wanted, facts.firing.name()),
        };
        is_in_state
            && is(&self.level, facts.level)
            && is(&self.product, facts.product)
            && (self.tactic.is_empty() || facts.tactics.contains(&self.tactic.as_str()))
            && self.is_said_in(&[facts.title, facts.name])
    }

    fn is_said_in(&self, texts: &[&str]) -> bool {
        let words = self.q.trim().to_lowercase();
        words.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&words))
    }
}
