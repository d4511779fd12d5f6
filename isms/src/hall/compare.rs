//! The comparison that 6.1.3 c) asks for: what Annex A has and the organisation does not use, what it
//! uses beyond Annex A, and where its own words contradict each other or the register.
//!
//! Invariant: every difference is explained or open; what nobody explained is never left out.

use std::collections::BTreeSet;

use model::Text;
use serde::Serialize;

use super::{
    Register,
    soa::{self, SoaRow, SoaStatus},
};
use crate::norms;

/// How a control differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A control of Annex A that no risk reaches and that is not left out.
    Unreached,
    /// Determined by the organisation, not in Annex A.
    Outside,
    /// Left out, although a risk is treated by it.
    ExcludedYetReached,
    /// Left out, although the register holds what it is about.
    ExcludedAgainstRegister,
}

impl Kind {
    /// All four, in the order of the page.
    pub const ALL: [Kind; 4] =
        [Kind::Unreached, Kind::Outside, Kind::ExcludedYetReached, Kind::ExcludedAgainstRegister];

    /// How people read it.
    pub fn text(self) -> Text {
        use model::t;
        match self {
            Kind::Unreached => t(
                "附属書Aにあり、どのリスクからも選ばれず、除外もされていない",
                "In Annex A, chosen for no risk and not left out",
            ),
            Kind::Outside => t(
                "組織が決めた、附属書Aにない管理策",
                "Determined by the organisation, not in Annex A",
            ),
            Kind::ExcludedYetReached => {
                t("除外したのに、リスク対応で選ばれている", "Left out, yet chosen to treat a risk")
            }
            Kind::ExcludedAgainstRegister => t(
                "除外したのに、該当する資産が台帳にある",
                "Left out, yet the register holds what it is about",
            ),
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub control: String,
    pub kind: Kind,
    /// Why it is right as it is; empty where that is open.
    pub explanation: String,
}

impl Line {
    /// Whether nobody has explained it.
    pub fn is_open(&self) -> bool {
        self.explanation.is_empty()
    }
}

/// The whole comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub lines: Vec<Line>,
    /// Controls of Annex A without an open difference.
    pub explained: u64,
}

impl Comparison {
    /// Differences that nobody has explained.
    pub fn open(&self) -> usize {
        self.lines.iter().filter(|l| l.is_open()).count()
    }

    /// Lines of one kind.
    pub fn of(&self, kind: Kind) -> Vec<&Line> {
        self.lines.iter().filter(|l| l.kind == kind).collect()
    }
}

/// Compares the rows of the statement with Annex A and the register.
pub(super) fn compare(register: &Register, rows: &[SoaRow]) -> Comparison {
    let annex_a: BTreeSet<&str> = norms::annex_a().iter().map(|n| n.number.as_str()).collect();
    let mut lines = Vec::new();
    for row in rows {
        let reached = row.drivers.iter().any(|d| d.risk.is_some());
        let mut say = |kind, explanation: String| {
            lines.push(Line { control: row.control.clone(), kind, explanation });
        };
        let inside = annex_a.contains(row.control.as_str());
        let left_out = row.applies == Some(false);
        if inside && !reached && row.status != SoaStatus::Excluded && !left_out {
            say(Kind::Unreached, without_risk(row));
        }
        if inside && left_out && row.status != SoaStatus::Excluded && row.exclusion.is_none() {
            say(Kind::Unreached, String::new());
        }
        if !inside {
            say(Kind::Outside, first(&[&row.reason, &row.statement]));
        }
        // Words do not mend these two: either the use or the exclusion has to change.
        if left_out && reached {
            say(Kind::ExcludedYetReached, String::new());
        }
        if left_out && soa::contradicted(register, &row.control) {
            say(Kind::ExcludedAgainstRegister, String::new());
        }
    }
    let open: BTreeSet<&str> =
        lines.iter().filter(|l| l.is_open()).map(|l| l.control.as_str()).collect();
    let explained = annex_a.iter().filter(|number| !open.contains(*number)).count() as u64;
    Comparison { lines, explained }
}

/// What a control that no risk asked for rests on: law, contract, business, or a reason given.
fn without_risk(row: &SoaRow) -> String {
    let other: Vec<&str> =
        row.drivers.iter().filter(|d| d.risk.is_none()).map(|d| d.text.as_str()).collect();
    match (row.applies, other.is_empty()) {
        (Some(true), false) => other.join(", "),
        (Some(true), true) => row.reason.clone(),
        _ => String::new(),
    }
}

fn first(texts: &[&String]) -> String {
    texts.iter().find(|t| !t.trim().is_empty()).map_or(String::new(), |t| (*t).clone())
}
