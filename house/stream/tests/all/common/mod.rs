//! The way of a line from its bytes to what fires.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use model::Timestamp;
use sigma::{Arena, Correlator, Level, Matcher, Meta, RuleSet, Settings};
use stream::{
    Event, Header, Joiner, RawLine,
    logsource::{fields, logsources},
    parse_after,
};

pub const BEGIN: Timestamp = Timestamp(1_767_225_600_000_000);
pub const SECOND: i64 = 1_000_000;

/// Lines through parser, joiner, matcher and correlator, as they go in operation.
pub struct Way<'a> {
    set: &'a RuleSet,
    matcher: Matcher,
    correlator: Correlator,
    joiner: Joiner,
    arena: Arena,
    count: u128,
    /// Titles and levels with the file of what fired
    fired: BTreeSet<(String, Option<Level>, String)>,
}

impl<'a> Way<'a> {
    pub fn new(set: &'a RuleSet) -> Way<'a> {
        Way {
            set,
            matcher: Matcher::new(set),
            correlator: Correlator::new(set, Settings::default()),
            joiner: Joiner::default(),
            arena: Arena::new(),
            count: 0,
            fired: BTreeSet::new(),
        }
    }

    pub fn line(&mut self, bytes: &[u8], at: Timestamp, header: &Header) {
        let event = parse_after(&RawLine::new(bytes), "test", at, &TimeZone::UTC, header);
        let mut events = Vec::new();
        self.joiner.push(event, at, &mut events);
        events.iter().for_each(|event| self.event(event, at));
    }

    fn event(&mut self, event: &Event, at: Timestamp) {
        self.arena.clear();
        for (name, value) in fields(event) {
            self.arena.push(&name, &value);
        }
        self.arena.seal();
        let sources: Vec<sigma::LogSource> = logsources(event)
            .iter()
            .map(|s| sigma::LogSource::new(s.category, s.product, s.service.as_deref()))
            .collect();
        self.arena.set_sources(sources);
        let mut matches = Vec::new();
        self.matcher.eval(&self.arena, &mut matches);
        for found in &matches {
            let rule = self.set.rule(found.rule).unwrap();
            if rule.standalone {
                self.note(&rule.meta);
            }
        }
        self.count += 1;
        let mut findings = Vec::new();
        self.correlator.push(&matches, &self.arena, at.0, self.count, &mut findings);
        self.findings(&findings);
    }

    fn findings(&mut self, findings: &[sigma::Finding]) {
        for finding in findings {
            let correlation = &self.set.correlations()[finding.correlation];
            if correlation.standalone {
                self.note(&correlation.meta);
            }
        }
    }

    fn note(&mut self, meta: &Meta) {
        self.fired.insert((meta.title.clone(), meta.level, meta.file.clone()));
    }

    /// Ends the stream; the files of the rules that fired, and what they are called.
    pub fn end(mut self) -> BTreeSet<(String, Option<Level>, String)> {
        let (mut events, mut findings) = (Vec::new(), Vec::new());
        self.joiner.finish(&mut events);
        let late = Timestamp(BEGIN.0 + 30 * 86_400 * SECOND);
        events.iter().for_each(|event| self.event(event, BEGIN));
        self.correlator.watermark(late.0, &mut findings);
        self.findings(&findings);
        self.fired
    }
}
