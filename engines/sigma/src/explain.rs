//! Why a rule met an event or did not: each test of each selection, and the bytes that met it.

use crate::{
    arena::Arena,
    matcher::{Matcher, plainly},
    predicate::{Logic, PredicateId, Spot},
    set::{Clause, RuleId, RuleSet},
};

/// Every test of a rule on an event.
#[derive(Clone, Debug)]
pub struct Explanation<'e> {
    pub rule: RuleId,
    /// Whether the event is of the rule's log source; if not, it is no match whatever the tests say
    pub concerned: bool,
    pub matched: bool,
    /// The rule's own condition first, then the filters, which must not hold
    pub clauses: Vec<ClauseResult<'e>>,
}

#[derive(Clone, Debug)]
pub struct ClauseResult<'e> {
    /// Title of the rule or filter
    pub title: String,
    pub condition: String,
    pub holds: bool,
    pub selections: Vec<SelectionResult<'e>>,
}

#[derive(Clone, Debug)]
pub struct SelectionResult<'e> {
    pub name: String,
    pub holds: bool,
    pub tests: Vec<TestResult<'e>>,
}

#[derive(Clone, Debug)]
pub struct TestResult<'e> {
    /// `None`: the whole event
    pub field: Option<String>,
    /// The test in words
    pub test: String,
    /// It stands under a `not` inside its selection
    pub negated: bool,
    pub holds: bool,
    pub hit: Option<Hit<'e>>,
}

/// The bytes of a field's raw value that met a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'e> {
    pub field: &'e str,
    pub value: &'e str,
    pub from: usize,
    pub to: usize,
}

impl<'e> Hit<'e> {
    /// `None` where there is no field, as for a test for null.
    pub(crate) fn of(arena: &'e Arena, spot: Spot) -> Option<Hit<'e>> {
        let field = arena.all().get(spot.field)?;
        let value = arena.raw(field);
        let (from, to) = spot.span.in_raw(value);
        Some(Hit { field: arena.name(field), value, from, to })
    }
}

impl Matcher {
    /// Explains a rule of the set on an event; `None` if the set has no such rule.
    pub fn explain<'e>(&self, arena: &'e Arena, rule: RuleId) -> Option<Explanation<'e>> {
        self.set().explain(arena, rule)
    }
}

impl RuleSet {
    /// Explains a rule on an event by asking every test for itself, without gates or memory.
    pub fn explain<'e>(&self, arena: &'e Arena, id: RuleId) -> Option<Explanation<'e>> {
        let rule = self.rule(id)?;
        let clauses: Vec<ClauseResult<'e>> =
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

    fn clause<'e>(&self, clause: &Clause, arena: &'e Arena) -> ClauseResult<'e> {
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

    fn tests<'e>(
        &self,
        logic: &Logic,
        negated: bool,
        arena: &'e Arena,
        found: &mut Vec<TestResult<'e>>,
    ) {
        match logic {
            Logic::Test(id) => found.push(self.test(*id, negated, arena)),
            Logic::Not(inner) => self.tests(inner, !negated, arena, found),
            Logic::And(parts) | Logic::Or(parts) => {
                parts.iter().for_each(|part| self.tests(part, negated, arena, found));
            }
        }
    }

    fn test<'e>(&self, id: PredicateId, negated: bool, arena: &'e Arena) -> TestResult<'e> {
        let predicate = &self.core.predicates[id as usize];
        let spot = plainly(self, predicate, arena);
        let hit = spot.and_then(|spot| Hit::of(arena, spot));
        let field = predicate.field.map(|id| self.core.fields[id as usize].clone());
        TestResult { field, test: predicate.test.shown(), negated, holds: spot.is_some(), hit }
    }
}
