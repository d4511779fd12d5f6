//! Ranges of an advisory, read once into keys.

use std::cmp::Ordering;

use super::Reason;
use crate::{
    advisory::{Affected, Bound, Event, Range, Span},
    order::{Ecosystem, Key},
    vers::Vers,
};

/// The versions that an entry means.
#[derive(Debug)]
pub(super) struct Versions {
    listed: Vec<String>,
    listed_keys: Vec<Key>,
    ranges: Vec<Compiled>,
}

#[derive(Debug)]
enum Compiled {
    Events {
        events: Vec<Change>,
        limits: Vec<Key>,
    },
    AllBut(Vec<Stretch>),
    Span(Box<Stretch>),
    Vers(Vers),
    Commits,
    /// Why it could not be read.
    Unreadable(String),
}

#[derive(Debug)]
struct Change {
    /// None is before every version.
    key: Option<Key>,
    text: String,
    turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    Introduced,
    Fixed,
    LastAffected,
}

#[derive(Debug)]
struct Stretch {
    span: Span,
    low: Option<Key>,
    high: Option<Key>,
}

/// Whether a version is meant, and why; nothing where it cannot be said.
pub(super) type Answer = (Option<bool>, Reason);

impl Versions {
    pub(super) fn new(order: Option<Ecosystem>, affected: &Affected) -> Versions {
        let key = |text: &String| order.and_then(|o| o.key(text).ok());
        Versions {
            listed_keys: affected.versions.iter().filter_map(key).collect(),
            listed: affected.versions.clone(),
            ranges: affected.ranges.iter().map(|r| compile(order, r)).collect(),
        }
    }

    /// The versions that fix it, as they are written.
    pub(super) fn fixed(&self) -> Vec<String> {
        let mut out = Vec::new();
        for range in &self.ranges {
            match range {
                Compiled::Events { events, .. } => out.extend(
                    events.iter().filter(|e| e.turn == Turn::Fixed).map(|e| e.text.clone()),
                ),
                Compiled::AllBut(stretches) => {
                    let low = |s: &Stretch| match &s.span.low {
                        Bound::At(v) | Bound::Beyond(v) => Some(v.clone()),
                        Bound::Open => None,
                    };
                    out.extend(stretches.iter().filter_map(low));
                }
                Compiled::Span(stretch) => {
                    if let Bound::Beyond(v) = &stretch.span.high {
                        out.push(v.clone());
                    }
                }
                _ => {}
            }
        }
        out
    }

    /// Whether the version is named as it is written.
    pub(super) fn lists(&self, version: &str) -> bool {
        self.listed.iter().any(|v| v == version)
    }

    pub(super) fn holds(&self, version: &str, key: Option<&Key>) -> Answer {
        let same = |k: &&Key| key.is_some_and(|own| k.compare(own) == Some(Ordering::Equal));
        if self.lists(version) || self.listed_keys.iter().any(|k| same(&k)) {
            return (Some(true), Reason::Listed(version.to_owned()));
        }
        let mut answer: Answer = (Some(false), Reason::Outside(version.to_owned()));
        for range in &self.ranges {
            match one(range, version, key) {
                yes @ (Some(true), _) => return yes,
                // Names beside commits are complete: what is not named is not meant.
                (None, Reason::Commits) if !self.listed.is_empty() || self.ranges.len() > 1 => {}
                unknown @ (None, _) => answer = unknown,
                no @ (Some(false), _) if answer.0.is_some() => answer = no,
                _ => {}
            }
        }
        answer
    }
}

fn one(range: &Compiled, version: &str, key: Option<&Key>) -> Answer {
    match (range, key) {
        (Compiled::Commits, _) => (None, Reason::Commits),
        (Compiled::Unreadable(why), _) => (None, Reason::Range(why.clone())),
        (Compiled::Span(s), _) if s.span.low == Bound::Open && s.span.high == Bound::Open => {
            (Some(true), Reason::Within { version: version.to_owned(), from: None, until: None })
        }
        (Compiled::Span(s), None) if s.span.low == s.span.high => match &s.span.low {
            Bound::At(only) => match only == version {
                true => (Some(true), Reason::Listed(version.to_owned())),
                false => (Some(false), Reason::Outside(version.to_owned())),
            },
            _ => (None, Reason::NoOrder("cpe".to_owned())),
        },
        (_, None) => (None, Reason::NoOrder("cpe".to_owned())),
        (Compiled::Events { events, limits }, Some(key)) => by_events(events, limits, version, key),
        (Compiled::AllBut(stretches), Some(key)) => match stretches.iter().find(|s| s.holds(key)) {
            Some(stretch) => (Some(false), stretch.outside(version)),
            None => (Some(true), all_but(stretches, version, key)),
        },
        (Compiled::Span(stretch), Some(key)) => match stretch.holds(key) {
            true => (Some(true), stretch.within(version)),
            false => (Some(false), stretch.beside(version, key)),
        },
        (Compiled::Vers(vers), Some(key)) => match vers.holds(key) {
            true => {
                let until = Some(vers.to_string());
                (Some(true), Reason::Within { version: version.to_owned(), from: None, until })
            }
            false => (Some(false), Reason::Outside(version.to_owned())),
        },
    }
}

/// The last change at or below the version decides. No sorting: Maven's order has circles.
fn by_events(events: &[Change], limits: &[Key], version: &str, key: &Key) -> Answer {
    let owned = || version.to_owned();
    let below = |limit: &Key| key.compare(limit) == Some(Ordering::Less);
    if !limits.is_empty() && !limits.iter().any(below) {
        return (Some(false), Reason::Outside(owned()));
    }
    let reached = |change: &&Change| match (&change.key, change.turn) {
        (None, _) => true,
        (Some(at), Turn::LastAffected) => at.compare(key) == Some(Ordering::Less),
        (Some(at), _) => at.compare(key).is_some_and(Ordering::is_le),
    };
    let mut last: Option<&Change> = None;
    for change in events.iter().filter(reached) {
        if last.is_none_or(|l| later(l, change) != Some(Ordering::Greater)) {
            last = Some(change);
        }
    }
    match last {
        None => {
            let first = events.iter().find(|e| e.turn == Turn::Introduced);
            let from = first.map(|e| e.text.clone()).unwrap_or_default();
            (Some(false), Reason::Before { version: owned(), from })
        }
        Some(change) if change.turn == Turn::Introduced => {
            let after = |e: &&Change| {
                e.turn != Turn::Introduced && later(e, change) == Some(Ordering::Greater)
            };
            let from = Some(change.text.clone()).filter(|t| t != "0");
            let until = events
                .iter()
                .filter(after)
                .reduce(|a, b| if later(b, a) == Some(Ordering::Less) { b } else { a })
                .map(|e| e.text.clone());
            (Some(true), Reason::Within { version: owned(), from, until })
        }
        Some(change) if change.turn == Turn::Fixed => {
            (Some(false), Reason::Fixed { version: owned(), fixed: change.text.clone() })
        }
        Some(_) => (Some(false), Reason::Outside(owned())),
    }
}

fn later(a: &Change, b: &Change) -> Option<Ordering> {
    match (&a.key, &b.key) {
        (None, None) => Some(Ordering::Equal),
        (None, _) => Some(Ordering::Less),
        (_, None) => Some(Ordering::Greater),
        (Some(x), Some(y)) => match x.compare(y) {
            // What is fixed after a version changes behind what is changed at it.
            Some(Ordering::Equal) => {
                Some((a.turn == Turn::LastAffected).cmp(&(b.turn == Turn::LastAffected)))
            }
            order => order,
        },
    }
}

/// Between which stretches the version lies: the nearest one above says what fixes it.
fn all_but(stretches: &[Stretch], version: &str, key: &Key) -> Reason {
    let above = |s: &&Stretch| {
        s.low.as_ref().is_some_and(|low| key.compare(low).is_some_and(Ordering::is_le))
    };
    let nearest = stretches.iter().filter(above).reduce(|a, b| match (&a.low, &b.low) {
        (Some(x), Some(y)) if y.compare(x) == Some(Ordering::Less) => b,
        _ => a,
    });
    let until = nearest.and_then(|s| match &s.span.low {
        Bound::At(v) | Bound::Beyond(v) => Some(v.clone()),
        Bound::Open => None,
    });
    let from = until.as_ref().map(|_| "0".to_owned());
    Reason::Within { version: version.to_owned(), from, until }
}

impl Stretch {
    fn holds(&self, key: &Key) -> bool {
        let low = match (&self.span.low, &self.low) {
            (Bound::At(_), Some(low)) => low.compare(key).is_some_and(Ordering::is_le),
            (Bound::Beyond(_), Some(low)) => low.compare(key) == Some(Ordering::Less),
            _ => true,
        };
        let high = match (&self.span.high, &self.high) {
            (Bound::At(_), Some(high)) => high.compare(key).is_some_and(Ordering::is_ge),
            (Bound::Beyond(_), Some(high)) => high.compare(key) == Some(Ordering::Greater),
            _ => true,
        };
        low && high
    }

    fn text(bound: &Bound) -> Option<String> {
        match bound {
            Bound::At(v) | Bound::Beyond(v) => Some(v.clone()),
            Bound::Open => None,
        }
    }

    fn within(&self, version: &str) -> Reason {
        let (from, until) = (Stretch::text(&self.span.low), Stretch::text(&self.span.high));
        Reason::Within { version: version.to_owned(), from, until }
    }

    /// Why a version that lies within a stretch of unaffected ones is not affected.
    fn outside(&self, version: &str) -> Reason {
        match Stretch::text(&self.span.low) {
            Some(fixed) => Reason::Fixed { version: version.to_owned(), fixed },
            None => {
                let from = Stretch::text(&self.span.high).unwrap_or_default();
                Reason::Before { version: version.to_owned(), from }
            }
        }
    }

    /// Why a version that lies beside a stretch of affected ones is not affected.
    fn beside(&self, version: &str, key: &Key) -> Reason {
        let version = version.to_owned();
        match (&self.span.high, &self.high) {
            (Bound::Beyond(fixed), Some(high))
                if high.compare(key).is_some_and(Ordering::is_le) =>
            {
                Reason::Fixed { version, fixed: fixed.clone() }
            }
            _ => Reason::Outside(version),
        }
    }
}

fn compile(order: Option<Ecosystem>, range: &Range) -> Compiled {
    let read = |order: Ecosystem, range: &Range| -> Result<Compiled, String> {
        let key = |text: &str| order.key(text).map_err(|e| e.to_string());
        Ok(match range {
            Range::Events(list) => {
                let (mut events, mut limits) = (Vec::new(), Vec::new());
                for event in list {
                    let (text, turn) = match event {
                        Event::Introduced(v) => (v, Turn::Introduced),
                        Event::Fixed(v) => (v, Turn::Fixed),
                        Event::LastAffected(v) => (v, Turn::LastAffected),
                        Event::Limit(v) if v == "*" => continue,
                        Event::Limit(v) => {
                            limits.push(key(v)?);
                            continue;
                        }
                    };
                    let first = turn == Turn::Introduced && text == "0";
                    let key = if first { None } else { Some(key(text)?) };
                    events.push(Change { key, text: text.clone(), turn });
                }
                Compiled::Events { events, limits }
            }
            Range::AllBut(spans) => {
                let list = spans.iter().map(|s| stretch(s, &key)).collect::<Result<_, _>>()?;
                Compiled::AllBut(list)
            }
            Range::Span(span) => Compiled::Span(Box::new(stretch(span, &key)?)),
            Range::Vers(vers) if vers.ecosystem() == order => Compiled::Vers(vers.clone()),
            Range::Vers(vers) => Compiled::Unreadable(vers.to_string()),
            Range::Commits => Compiled::Commits,
            Range::Words(words) => Compiled::Unreadable(words.clone()),
        })
    };
    match (order, range) {
        (_, Range::Commits) => Compiled::Commits,
        (_, Range::Words(words)) => Compiled::Unreadable(words.clone()),
        // Without an order a stretch can still be everything, or one version.
        (None, Range::Span(span)) => {
            Compiled::Span(Box::new(Stretch { span: span.clone(), low: None, high: None }))
        }
        (None, Range::Vers(vers)) => Compiled::Vers(vers.clone()),
        (None, _) => Compiled::Unreadable("no order of versions is known".to_owned()),
        (Some(order), range) => read(order, range).unwrap_or_else(Compiled::Unreadable),
    }
}

fn stretch(span: &Span, key: &dyn Fn(&str) -> Result<Key, String>) -> Result<Stretch, String> {
    let of = |bound: &Bound| Stretch::text(bound).map(|v| key(&v)).transpose();
    Ok(Stretch { low: of(&span.low)?, high: of(&span.high)?, span: span.clone() })
}
