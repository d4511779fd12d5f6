//! How risks are computed: inherent, as rated; current, from the levels that the treating controls
//! have reached today (ISO/IEC 27001 6.1.2, 6.1.3).
//!
//! Invariants: pure; the same method, rating and levels give the same result; more level never gives
//! more risk; each step that lowered anything is told. Of several controls the strongest counts:
//! what two weak ones do together is for the organisation to judge, not for a sum.

use std::collections::BTreeSet;

use model::{Id, Level};
use serde_json::Value as Json;
use store::Row;

/// Highest step of either scale.
pub const STEPS_MAX: i64 = 5;

/// Likelihood and consequence, 1 to [`STEPS_MAX`] each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Estimate {
    pub likelihood: i64,
    pub consequence: i64,
}

impl Estimate {
    /// Both steps if both are on the scale.
    pub fn of(likelihood: Option<i64>, consequence: Option<i64>) -> Option<Estimate> {
        let on_scale = |step: &i64| (1..=STEPS_MAX).contains(step);
        Some(Estimate {
            likelihood: likelihood.filter(on_scale)?,
            consequence: consequence.filter(on_scale)?,
        })
    }

    /// The size of the risk, 1 to 25.
    pub fn size(self) -> i64 {
        self.likelihood * self.consequence
    }
}

/// The organisation's method, from its newest `risk_method` rule.
#[derive(Clone, Debug)]
pub struct Method {
    /// The rule and its version; `None` while the built-in method holds.
    pub rule: Option<(Id, i64)>,
    /// Names of the steps, lowest first; may be shorter than the scale.
    pub likelihood: Vec<String>,
    pub consequence: Vec<String>,
    /// Largest size that is accepted without further treatment.
    pub accept_at_most: i64,
    /// Steps taken off by a control at 梅, 竹, 松.
    effect: [i64; 3],
    /// Controls that lower the consequence instead of the likelihood.
    on_consequence: BTreeSet<String>,
    /// Days after which a risk is looked at again.
    pub reassess_days: i64,
}

/// Controls that limit what happens rather than whether it does: continuity, deletion, masking,
/// backup, redundancy, cryptography.
const ON_CONSEQUENCE: [&str; 7] = ["5.29", "5.30", "8.10", "8.11", "8.13", "8.14", "8.24"];

impl Default for Method {
    fn default() -> Method {
        Method {
            rule: None,
            likelihood: Vec::new(),
            consequence: Vec::new(),
            accept_at_most: 6,
            effect: [1, 2, 3],
            on_consequence: ON_CONSEQUENCE.iter().map(|c| (*c).to_owned()).collect(),
            reassess_days: 365,
        }
    }
}

impl Method {
    /// The method that a `risk_method` row describes.
    pub fn of(row: &Row) -> Method {
        let standard = Method::default();
        let texts = |name: &str| -> Option<Vec<String>> {
            let list = row.attributes.get(name)?.as_array()?;
            Some(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        };
        let number = |name: &str| row.attributes.get(name).and_then(Json::as_i64);
        let effect = |level: Level, standard: i64| {
            let table = row.attributes.get("level_effect");
            let told = table.and_then(|t| t.get(level.name())).and_then(Json::as_i64);
            told.map_or(standard, |steps| steps.clamp(0, STEPS_MAX))
        };
        let [ume, take, matsu] = Level::RUNGS;
        Method {
            rule: Some((row.id, row.version)),
            likelihood: texts("likelihood_scale").unwrap_or_default(),
            consequence: texts("impact_scale").unwrap_or_default(),
            accept_at_most: number("accept_at_most").unwrap_or(standard.accept_at_most),
            effect: [effect(ume, 1), effect(take, 2), effect(matsu, 3)],
            on_consequence: texts("consequence_controls")
                .map_or(standard.on_consequence, |list| list.into_iter().collect()),
            reassess_days: number("reassess_days").filter(|d| *d > 0).unwrap_or(365),
        }
    }

    /// Steps that a control at this level takes off. A table that falls as levels rise is read as if
    /// it did not: a higher level counts at least what the lower ones do.
    pub fn effect(&self, level: Level) -> i64 {
        self.effect[..level as usize].iter().copied().max().unwrap_or(0)
    }

    /// Whether the method accepts a risk of this size as it is.
    pub fn accepts(&self, estimate: Estimate) -> bool {
        estimate.size() <= self.accept_at_most
    }

    /// The current risk from the inherent one and the levels of the controls that treat it.
    pub fn assess(&self, inherent: Estimate, treating: &[(String, Level)]) -> Assessed {
        let mut steps: Vec<Step> = treating
            .iter()
            .map(|(control, level)| Step {
                control: control.clone(),
                level: *level,
                lowers: self.effect(*level),
                consequence: self.on_consequence.contains(control),
                decides: false,
            })
            .collect();
        steps.sort_by_key(|s| (std::cmp::Reverse(s.lowers), super::place(&s.control)));
        let mut off = |consequence: bool| {
            let first = steps.iter_mut().find(|s| s.consequence == consequence && s.lowers > 0);
            first.map_or(0, |step| {
                step.decides = true;
                step.lowers
            })
        };
        let (likelihood, consequence) = (off(false), off(true));
        let current = Estimate {
            likelihood: (inherent.likelihood - likelihood).max(1),
            consequence: (inherent.consequence - consequence).max(1),
        };
        Assessed { inherent, current, steps }
    }
}

/// A risk as computed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Assessed {
    pub inherent: Estimate,
    pub current: Estimate,
    /// What each treating control does, strongest first.
    pub steps: Vec<Step>,
}

/// What one control does to a risk.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    pub control: String,
    pub level: Level,
    /// Steps it takes off.
    pub lowers: i64,
    /// Off the consequence instead of the likelihood.
    pub consequence: bool,
    /// It is the strongest, so it is the one that counts.
    pub decides: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(control: &str, level: Level) -> (String, Level) {
        (control.to_owned(), level)
    }

    const GRAVE: Estimate = Estimate { likelihood: 4, consequence: 5 };

    #[test]
    fn the_strongest_control_counts_and_the_others_are_told() {
        let treating = [at("8.16", Level::Ume), at("8.9", Level::Take), at("5.7", Level::None)];
        let assessed = Method::default().assess(GRAVE, &treating);
        assert_eq!(assessed.current, Estimate { likelihood: 2, consequence: 5 });
        let told: Vec<_> =
            assessed.steps.iter().map(|s| (s.control.as_str(), s.lowers, s.decides)).collect();
        assert_eq!(told, [("8.9", 2, true), ("8.16", 1, false), ("5.7", 0, false)]);
    }

    #[test]
    fn continuity_and_masking_lower_the_consequence() {
        let assessed = Method::default().assess(GRAVE, &[at("5.30", Level::Matsu)]);
        assert_eq!(assessed.current, Estimate { likelihood: 4, consequence: 2 });
    }

    #[test]
    fn a_rule_sets_acceptance_effect_and_scales() {
        let mut row = Row::new(
            model::Table::Rule,
            Id::from_parts(model::Timestamp(0), &[1; 10]),
            "risk_method",
            "方法",
        );
        row.attributes = serde_json::json!({
            "likelihood_scale": ["まれ", "時々"], "impact_scale": ["軽微"], "accept_at_most": 4,
            "level_effect": {"ume": 0, "take": 1, "matsu": 0}, "consequence_controls": ["8.9"],
        })
        .as_object()
        .cloned()
        .unwrap_or_default();
        let method = Method::of(&row);
        assert_eq!(
            [Level::None, Level::Ume, Level::Take, Level::Matsu].map(|l| method.effect(l)),
            [0, 0, 1, 1]
        );
        assert!(method.accepts(Estimate { likelihood: 2, consequence: 2 }));
        assert!(!method.accepts(Estimate { likelihood: 1, consequence: 5 }));
        let assessed = method.assess(GRAVE, &[at("8.9", Level::Take)]);
        assert_eq!(assessed.current, Estimate { likelihood: 4, consequence: 4 });
    }

    #[test]
    fn what_is_off_the_scale_is_no_estimate() {
        for (likelihood, consequence) in [(Some(0), Some(3)), (Some(6), Some(1)), (None, Some(1))] {
            assert_eq!(Estimate::of(likelihood, consequence), None);
        }
    }

    fn levels() -> impl Strategy<Value = Level> {
        prop_oneof![Just(Level::None), Just(Level::Ume), Just(Level::Take), Just(Level::Matsu)]
    }

    proptest! {
        /// A level that decays raises the risk or leaves it; one more control never raises it.
        #[test]
        fn more_control_never_gives_more_risk(
            likelihood in 1i64..=5, consequence in 1i64..=5,
            mut treating in proptest::collection::vec(("[58]\\.(7|9|30|13)", levels()), 1..6),
            effect in proptest::array::uniform3(0i64..6),
        ) {
            let method = Method { effect, ..Method::default() };
            let inherent = Estimate { likelihood, consequence };
            let with = method.assess(inherent, &treating).current;
            prop_assert!(with.size() <= inherent.size() && with.size() >= 1);
            treating[0].1 = Level::None;
            let decayed = method.assess(inherent, &treating).current;
            prop_assert!(decayed.likelihood >= with.likelihood);
            prop_assert!(decayed.consequence >= with.consequence);
            treating.remove(0);
            prop_assert_eq!(method.assess(inherent, &treating).current, decayed);
        }
    }
}
