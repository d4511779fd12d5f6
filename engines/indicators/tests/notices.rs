//! The bar of the extractor: precision and recall over labelled notices of our own.
//!
//! `notices/*.txt` hold templates written by hand; `⟦kind direction⟧` is a place that a value of a pool takes, in one of
//! the ways in which people write values. What is expected follows from the template and the pool alone, never from the
//! extractor. `held_out.txt` was written before the extractor was, and its first figures stand in the README.

use std::collections::BTreeSet;

use indicators::{
    Direction,
    extract::{Labels, Notice, What, extract},
    tlp::Level,
};

#[path = "notices/pools.rs"]
mod pools;

use pools::{STYLES, draw, written};

/// How often each template is filled.
const REPEATS: usize = 6;

#[derive(Default)]
struct Expected {
    values: BTreeSet<(String, String, String)>,
    facts: Vec<(String, String)>,
}

struct Made {
    name: String,
    text: String,
    expected: Expected,
}

/// Fills a template: values by number, written in the style of that number.
fn fill(name: &str, template: &str, repeat: usize) -> Made {
    let mut expected = Expected::default();
    let mut text = String::new();
    let mut drawn = 0;
    let style = STYLES[repeat % STYLES.len()];
    for line in template.lines() {
        if let Some((fact, value)) = line.strip_prefix('!').and_then(|fact| fact.split_once(' ')) {
            expected.facts.push((fact.to_owned(), value.to_owned()));
            continue;
        }
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once('⟦') {
            let (slot, after) = behind.split_once('⟧').expect("a slot is closed");
            text.push_str(before);
            let (head, literal) =
                slot.split_once(" : ").map_or((slot, None), |(h, l)| (h, Some(l)));
            let (kind, direction) = head.split_once(' ').expect("kind and direction");
            let (value, raw) = match literal.and_then(|l| l.split_once(" | ")) {
                Some((value, raw)) => (value.to_owned(), raw.to_owned()),
                None => {
                    let salt =
                        name.bytes().fold(0, |sum, byte| sum * 31 % 9_973 + usize::from(byte));
                    let value = draw(kind, salt + repeat * 7 + drawn);
                    let raw = written(kind, &value, style, before, after);
                    (value, raw)
                }
            };
            drawn += 1;
            text.push_str(&raw);
            let kind = if kind == "program" { "file_name" } else { kind };
            expected.values.insert((kind.to_owned(), value, direction.to_owned()));
            rest = after;
        }
        text.push_str(rest);
        text.push('\n');
    }
    Made { name: format!("{name}/{style}"), text, expected }
}

fn made(file: &str) -> Vec<Made> {
    let mut all = Vec::new();
    for part in file.split("=== ").filter(|part| !part.trim().is_empty()) {
        let (head, template) = part.split_once('\n').expect("a template has lines");
        let name = head.split(' ').next().expect("a name");
        all.extend((0..REPEATS).map(|repeat| fill(name, template, repeat)));
    }
    all
}

fn told(notice: &Notice) -> BTreeSet<(String, String, String)> {
    let of = |span: &indicators::extract::Span| {
        let is_shown = span.indicator().is_some() || span.what == What::Subject;
        is_shown.then(|| {
            let direction = match span.direction {
                Some(Direction::Destination) => "out",
                Some(Direction::Source) => "in",
                Some(Direction::Both) => "both",
                None => "-",
            };
            (span.what.as_str().to_owned(), span.value.clone(), direction.to_owned())
        })
    };
    notice.spans.iter().filter_map(of).collect()
}

#[derive(Default)]
struct Tally {
    notices: usize,
    right: usize,
    missed: usize,
    wrong: usize,
    facts_missed: usize,
    faults: Vec<String>,
}

impl Tally {
    fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.missed) as f64
    }

    fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }
}

fn tally(file: &str) -> Tally {
    let mut tally = Tally::default();
    for made in made(file) {
        let notice = extract(&made.text, Labels::shipped());
        let told = told(&notice);
        tally.notices += 1;
        tally.right += made.expected.values.intersection(&told).count();
        for missed in made.expected.values.difference(&told) {
            tally.missed += 1;
            tally.faults.push(format!("{}: missed {missed:?}", made.name));
        }
        for wrong in told.difference(&made.expected.values) {
            tally.wrong += 1;
            tally.faults.push(format!("{}: wrongly {wrong:?}", made.name));
        }
        for (fact, value) in &made.expected.facts {
            if !holds(&notice, fact, value) {
                tally.facts_missed += 1;
                tally.faults.push(format!("{}: fact {fact} {value}", made.name));
            }
        }
    }
    tally
}

fn holds(notice: &Notice, fact: &str, value: &str) -> bool {
    let names = |what: What| notice.values(what).contains(&value);
    match fact {
        "tlp" => notice.marking.is_some_and(|marking| marking.level == level(value)),
        "audience" => notice.marking.is_some_and(|marking| marking.has_group),
        "period" => notice.period.is_some_and(|period| {
            let shown = [period.from, period.to]
                .map(|day| day.map(|day| day.to_string()).unwrap_or_default());
            shown.join(" ") == value
        }),
        "malware" => names(What::Malware),
        "actor" => names(What::Actor),
        "cve" => names(What::Vulnerability),
        other => panic!("no fact {other}"),
    }
}

fn level(word: &str) -> Level {
    Level::parse(&word.replace('_', "+")).expect("a level")
}

fn hold(name: &str, file: &str) {
    let tally = tally(file);
    for fault in &tally.faults {
        println!("{fault}");
    }
    println!(
        "{name}: {} notices, {} values; precision {:.4}, recall {:.4}; facts missed {}",
        tally.notices,
        tally.right + tally.missed,
        tally.precision(),
        tally.recall(),
        tally.facts_missed,
    );
    assert!(tally.precision() >= 0.99 && tally.recall() >= 0.99, "{name} is below the bar");
    assert_eq!(tally.facts_missed, 0, "{name}: facts");
}

#[test]
fn values_kinds_and_directions_of_tuned_notices_reach_the_bar() {
    hold("tuned", include_str!("notices/tuned.txt"));
}

#[test]
fn values_kinds_and_directions_of_held_out_notices_reach_the_bar() {
    hold("held out", include_str!("notices/held_out.txt"));
}

#[test]
fn values_kinds_and_directions_of_fresh_notices_reach_the_bar() {
    hold("fresh", include_str!("notices/fresh.txt"));
}

#[test]
fn there_are_as_many_notices_as_the_bar_asks() {
    let count = made(include_str!("notices/tuned.txt")).len()
        + made(include_str!("notices/held_out.txt")).len();
    assert!(count >= 300, "{count}");
}
