//! What a notice says: values with kind, direction, period and confidence, and the facts of the whole.
//!
//! A text is folded ([`view`]) and cut into lines and cells ([`layout`]); what looks like a value is found without
//! asking ([`scan`], [`files`]); words beside it say what it is ([`labels`], [`context`]); dates and markings are read
//! ([`dates`], [`facts`]).
//!
//! Invariants: ranges are bytes of the given text, on character bounds, ascending and apart; each step looks at each
//! byte a bounded number of times, so time is linear in the length; nothing is dropped for being doubtful, it only
//! scores low. Limits: the constants below.

mod context;
mod dates;
mod facts;
mod files;
mod host;
mod labels;
mod layout;
pub mod mail;
mod scan;
mod view;

use serde::{Deserialize, Serialize};

pub use dates::Period;
pub use facts::Marking;
pub use labels::{LabelError, Labels, WORD_BYTES_MAX, WORDS_MAX, Word};

use crate::{Direction, Kind};
use view::View;

/// What is read of a text; the rest is left out, and the notice says so.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Spans of one notice.
pub const SPANS_MAX: usize = 20_000;
/// From here on a value is taken for an indicator; below it is shown only.
pub const LIKELY: u16 = 500;

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Indicator(Kind),
    /// Subject line of a mail.
    Subject,
    Malware,
    Actor,
    Campaign,
    /// CVE, JVNDB, JVN, JVNVU.
    Vulnerability,
    Marking,
    Period,
}

impl What {
    /// The stable word: that of the kind, if it is an indicator.
    pub fn as_str(self) -> &'static str {
        match self {
            What::Indicator(kind) => kind.as_str(),
            What::Subject => "subject",
            What::Malware => "malware",
            What::Actor => "actor",
            What::Campaign => "campaign",
            What::Vulnerability => "vulnerability",
            What::Marking => "marking",
            What::Period => "period",
        }
    }
}

/// Why a value scores as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A word beside it, its column or its heading says what it is.
    Labelled,
    /// The author made it unclickable.
    Defanged,
    /// A line of its own.
    Listed,
    /// Its form alone.
    Form,
    /// Somewhere in prose.
    Prose,
    /// A link, an address to write to.
    Reference,
    /// Number of a version.
    Version,
    /// An address that says nothing outside of a network.
    Private,
    /// A program that everyone has.
    Common,
}

impl Basis {
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Labelled => "labelled",
            Basis::Defanged => "defanged",
            Basis::Listed => "listed",
            Basis::Form => "form",
            Basis::Prose => "prose",
            Basis::Reference => "reference",
            Basis::Version => "version",
            Basis::Private => "private",
            Basis::Common => "common",
        }
    }
}

/// A part of the text that says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    pub what: What,
    /// The value with its defanging undone.
    pub value: String,
    pub direction: Option<Direction>,
    /// Of the value itself; that of the notice holds where there is none.
    pub period: Option<Period>,
    pub port: Option<u16>,
    /// Permille.
    pub confidence: u16,
    pub basis: Basis,
}

impl Span {
    /// The kind, if the value is taken for an indicator.
    pub fn indicator(&self) -> Option<Kind> {
        match self.what {
            What::Indicator(kind) if self.confidence >= LIKELY => Some(kind),
            _ => None,
        }
    }
}

/// What was read out of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    pub spans: Vec<Span>,
    pub marking: Option<Marking>,
    /// When the activity was seen.
    pub period: Option<Period>,
    /// A limit left something out.
    pub is_cut: bool,
}

impl Notice {
    /// The values of all spans of a sort, each once.
    pub fn values(&self, what: What) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for span in self.spans.iter().filter(|span| span.what == what) {
            if seen.insert(span.value.as_str()) {
                all.push(&span.value);
            }
        }
        all
    }
}

/// The ids of vulnerabilities that a text names, each once, in order: CVE, JVNDB, JVN, JVNVU.
pub fn ids(text: &str) -> Vec<String> {
    let mut spans = facts::vulnerabilities(text);
    spans.sort_by_key(|span| span.start);
    let mut seen = std::collections::HashSet::new();
    spans.into_iter().map(|span| span.value).filter(|id| seen.insert(id.clone())).collect()
}

/// Reads a text.
pub fn extract(text: &str, labels: &Labels) -> Notice {
    let (text, mut is_cut) = clip(text, TEXT_BYTES_MAX);
    let view = View::of(text);
    let lines = layout::lines(&view.text);
    let (verbs, marks): (Vec<_>, Vec<_>) = labels
        .find(&view.text)
        .into_iter()
        .partition(|mark| mark.role.about == labels::About::Verb);
    let mut found = Vec::with_capacity(lines.len());
    let mut dates = Vec::new();
    let mut taken = Vec::new();
    for line in &lines {
        let content = &view.text[line.start..line.end.max(line.start)];
        found.push(candidates(content, line, &view, &mut taken));
        dates.extend(dates::find(content, line.start));
    }
    context::join_wrapped(&view.text, &lines, &mut found);
    let read =
        context::Read { view: &view, lines: &lines, marks: &marks, verbs: &verbs, dates: &dates };
    let (mut spans, period) = read.judge(found);
    let marking = facts::marking(&view.text);
    spans.extend(facts::vulnerabilities(&view.text));
    if let Some((marking, start, end)) = &marking {
        spans.push(facts::span(What::Marking, *start, *end, marking.level.as_str().to_owned()));
    }
    let mut spans = apart(spans);
    for span in &mut spans {
        (span.start, span.end) = view.original(span.start, span.end);
    }
    if spans.len() > SPANS_MAX {
        spans.truncate(SPANS_MAX);
        is_cut = true;
    }
    Notice { spans, marking: marking.map(|(marking, ..)| marking), period, is_cut }
}

fn candidates(
    content: &str,
    line: &layout::Line,
    view: &View,
    taken: &mut Vec<bool>,
) -> Vec<scan::Candidate> {
    taken.clear();
    taken.resize(content.len(), false);
    let mut all = files::paths(content, line.start, taken);
    let mut names = files::names(content, line.start, taken);
    for name in &mut names {
        let value = name.value.to_ascii_lowercase();
        // `update[.]zip` is a domain: nobody defangs the name of a file.
        if view.is_defanged(name.start, name.end) && host::is_domain(&value) {
            (name.kind, name.value) = (Kind::Domain, value);
        }
    }
    all.extend(names);
    let is_list = matches!(line.cut, layout::Cut::Commas | layout::Cut::Semicolons);
    all.extend(scan::line(content, line.start, taken, is_list));
    all.sort_by_key(|candidate| (candidate.start, std::cmp::Reverse(candidate.end)));
    let mut end = 0;
    all.retain(|candidate| {
        let is_free = candidate.start >= end;
        end = end.max(candidate.end);
        is_free
    });
    all
}

/// Sorts spans and leaves out what overlaps one that is more likely or longer.
fn apart(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.start < span.end);
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match kept.last_mut() {
            Some(last) if span.start < last.end => {
                if span.confidence > last.confidence && span.end >= last.end {
                    *last = span;
                }
            }
            _ => kept.push(span),
        }
    }
    kept
}

/// The beginning of a text of at most so many bytes; whether something was cut.
pub(crate) fn clip(text: &str, bytes_max: usize) -> (&str, bool) {
    let end = text.floor_char_boundary(bytes_max);
    (&text[..end], end < text.len())
}
