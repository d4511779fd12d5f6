//! Why a rule met an event or did not: each test of each selection, and the bytes that met it.

use crate::{
    arena::Arena,
    matcher::{Matcher, plainly},
    predicate::{Logic, PredicateId},
    set::{Clause, RuleId, RuleSet},
};

/// Every test of a rule on an event.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub rule: RuleId,
    /// Whether the event is of the rule's log source; if not, it is no match whatever the tests say
    pub concerned: bool,
    pub matched: bool,
    /// The rule's own condition first, then the filters, which must not hold
    pub clauses: Vec<ClauseResult>,
}

#[derive(Clone, Debug)]
pub struct ClauseResult {
    /// Title of the rule or filter
    pub title: String,
    pub condition: String,
    pub holds: bool,
    pub selections: Vec<SelectionResult>,
}

#[derive(Clone, Debug)]
pub struct SelectionResult {
    pub name: String,
    pub holds: bool,
    pub tests: Vec<TestResult>,
}

#[derive(Clone, Debug)]
pub struct TestResult {
    /// `None`: the whole event
    pub field: Option<String>,
    /// The test in words
    pub test: String,
    /// It stands under a `not` inside its selection
    pub negated: bool,
    pub holds: bool,
    pub hit: Option<Hit>,
}

/// The bytes of a field's raw value that met a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub field: String,
    pub value: String,
    pub from: usize,
    pub to: usize,
}

impl Matcher {
    /// Explains a rule of the set on an event; `None` if the set has no such rule.
    pub fn explain(&self, arena: &Arena, rule: RuleId) -> Option<Explanation> {
        self.set().explain(arena, rule)
    }
}

impl RuleSet {
    /// Explains a rule on an event by asking every test for itself, without gates or memory.
    pub fn explain(&self, arena: &Arena, id: RuleId) -> Option<Explanation> {
        let rule = self.rule(id)?;
        let clauses: Vec<ClauseResult> =
            rule.clauses.iter().map(|c| self.clause(c, arena)).collect();
        let concerned = self.concerns(id, arena);
        let (own, filters) = clauses.split_first()?;
        let matched = concerned && own.holds && !filters.iter().any(|f| f.holds);
        Some(Explanation { rule: id, concerned, matched, clauses })
    }

    /// Whether the event meets the rule, found out like [`RuleSet::explain`]: slow, and what
    /// [`Matcher::eval`] must agree with.
    pub fn meets(&self, id: RuleId, arena: &Arena) -> bool {
        self.rule(id).is_some_and(|rule| self.concerns(id, arena) && self.holds(&rule.logic, arena))
    }

    fn clause(&self, clause: &Clause, arena: &Arena) -> ClauseResult {
        let selections = clause.selections.iter().map(|(name, logic)| {
            let mut tests = Vec::new();
            self.tests(logic, false, arena, &mut tests);
            SelectionResult { name: name.clone(), holds: self.holds(logic, arena), tests }
        });
        ClauseResult {
            title: clause.title.clone(),
            condition: clause.condition.clone(),
            selections: selections.collect(),
            holds: self.holds(&clause.logic, arena),
        }
    }

    fn holds(&self, logic: &Logic, arena: &Arena) -> bool {
        logic.holds(&mut |id| plainly(self, &self.core.predicates[id as usize], arena).is_some())
    }

    fn tests(&self, logic: &Logic, negated: bool, arena: &Arena, found: &mut Vec<TestResult>) {
        match logic {
            Logic::Test(id) => found.push(self.test(*id, negated, arena)),
            Logic::Not(inner) => self.tests(inner, !negated, arena, found),
            Logic::And(parts) | Logic::Or(parts) => {
                parts.iter().for_each(|part| self.tests(part, negated, arena, found));
            }
        }
    }

    fn test(&self, id: PredicateId, negated: bool, arena: &Arena) -> TestResult {
        let predicate = &self.core.predicates[id as usize];
        let spot = plainly(self, predicate, arena);
        let hit = spot.and_then(|spot| {
            let field = arena.all().get(spot.field)?;
            let (field, value) = (arena.name(field).to_owned(), arena.raw(field).to_owned());
            Some(Hit { field, value, from: spot.from, to: spot.to })
        });
        let field = predicate.field.map(|id| self.core.fields[id as usize].clone());
        TestResult { field, test: predicate.test.shown(), negated, holds: spot.is_some(), hit }
    }
}
