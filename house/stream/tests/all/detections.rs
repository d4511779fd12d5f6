//! The rules of `content/detections`, from raw lines to what fires: `parse`, `logsource`, engine `sigma`.
//!
//! Each rule has a file of lines beside it; the README there says what its signs mean.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use model::Timestamp;
use sigma::{Env, Level, Limits, Meta, RuleSet, Source, load};
use stream::Header;

use crate::common::{BEGIN, SECOND, Way};

const RULES_MIN: usize = 80;
const FIRES_MIN: usize = 2;
const SILENT_MIN: usize = 3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content/detections")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// File name → text, in order.
fn texts(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = paths.filter(|p| p.extension().is_some_and(|e| e == extension));
    found.map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), read(&p))).collect()
}

fn rules() -> RuleSet {
    let texts = texts(&folder(), "yml");
    let sources: Vec<Source<'_>> =
        texts.iter().map(|(file, text)| Source { file, bytes: text.as_bytes() }).collect();
    let (set, rejected) = load(&sources, &Env::default(), &Limits::default());
    assert!(
        rejected.is_empty(),
        "{}",
        rejected.iter().map(|r| format!("{r}\n")).collect::<String>()
    );
    set
}

/// What is reported: rules and correlations that stand for themselves.
fn reported(set: &RuleSet) -> Vec<&Meta> {
    let rules = set.rules().iter().filter(|r| r.standalone).map(|r| &r.meta);
    rules.chain(set.correlations().iter().filter(|c| c.standalone).map(|c| &c.meta)).collect()
}

/// One case of a test file: lines with their times, and whether the rule must fire.
struct Case {
    number: usize,
    must_fire: bool,
    lines: Vec<(Vec<u8>, Timestamp)>,
    header: Header,
}

fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    let encoding = match encoding {
        "cp932" => encoding_rs::SHIFT_JIS,
        "euc-jp" => encoding_rs::EUC_JP,
        other => panic!("{other} is no encoding of the test files"),
    };
    encoding.encode(text).0.into_owned()
}

/// `10 x 30s | line`: how often, how far apart, which line. `{n}` is the number, `{time}` the time.
fn repeated(text: &str, from: Timestamp) -> (Vec<(Vec<u8>, Timestamp)>, Timestamp) {
    let (head, line) = text.split_once(" | ").unwrap_or_else(|| panic!("no ' | ' in {text}"));
    let (times, step) = head.split_once(" x ").unwrap_or_else(|| panic!("no ' x ' in {head}"));
    let (amount, unit) = step.split_at(step.len() - 1);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        other => panic!("{other} is no unit"),
    };
    let step: i64 = amount.parse::<i64>().unwrap() * unit * SECOND;
    let times: i64 = times.trim().parse().unwrap();
    let line = |n: i64, at: Timestamp| {
        let time = at.rfc3339().replace('Z', "+00:00");
        line.replace("{n}", &n.to_string()).replace("{time}", &time).into_bytes()
    };
    let at = |n: i64| Timestamp(from.0 + n * step);
    ((0..times).map(|n| (line(n, at(n)), at(n))).collect(), at(times))
}

fn cases(file: &str, text: &str) -> Vec<Case> {
    let (mut found, mut header) = (Vec::new(), Header::default());
    let mut open: Option<Case> = None;
    let mut now = BEGIN;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if let Some(case) = &mut open {
            if line == "end" {
                found.extend(open.take());
                continue;
            }
            let (lines, next) = repeated(line, now);
            case.lines.extend(lines);
            now = next;
            continue;
        }
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut case = |must_fire, lines| {
            found.push(Case { number, must_fire, lines, header: header.clone() });
        };
        match sign {
            "" | "#" => {}
            "+" | "-" => case(sign == "+", vec![(rest.as_bytes().to_vec(), BEGIN)]),
            "header" => assert!(header.learn(rest), "{file}:{number}: no header"),
            "+seq" | "-seq" => {
                now = BEGIN;
                let must_fire = sign == "+seq";
                open = Some(Case { number, must_fire, lines: Vec::new(), header: header.clone() });
            }
            _ => match (sign.as_bytes()[0], sign.get(1..)) {
                (b'+' | b'-', Some(name)) => {
                    case(sign.starts_with('+'), vec![(encoded(rest, name), BEGIN)]);
                }
                _ => panic!("{file}:{number}: {sign} is no sign"),
            },
        }
    }
    assert!(open.is_none(), "{file}: a sequence does not end");
    found
}

#[test]
fn every_rule_fires_on_its_lines_and_on_no_others() {
    let set = rules();
    let tests = texts(&folder().join("tests"), "txt");
    let mut wrong = Vec::new();
    let files: BTreeSet<&str> = reported(&set).iter().map(|meta| meta.file.as_str()).collect();
    for file in tests.keys().filter(|file| !files.contains(file.as_str())) {
        wrong.push(format!("tests/{file}.txt has no rule"));
    }
    for file in files {
        let Some(text) = tests.get(file) else {
            wrong.push(format!("{file}.yml has no tests"));
            continue;
        };
        let cases = cases(file, text);
        let fires = cases.iter().filter(|c| c.must_fire).count();
        let silent = cases.len() - fires;
        if fires < FIRES_MIN || silent < SILENT_MIN {
            wrong.push(format!("{file}: {fires} cases fire, {silent} are silent"));
        }
        for case in cases {
            let mut way = Way::new(&set);
            for (line, at) in &case.lines {
                way.line(line, *at, &case.header);
            }
            let fired = way.end().iter().any(|(_, _, of)| of == file);
            if fired != case.must_fire {
                let line = String::from_utf8_lossy(&case.lines[0].0).into_owned();
                let what = if fired { "fires" } else { "is silent" };
                wrong.push(format!("tests/{file}.txt:{}: {what}: {line}", case.number));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn everyday_lines_of_debian_raise_nothing_of_weight() {
    let set = rules();
    let text = read(&folder().join("tests/everyday.log"));
    let lines: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    assert!(lines.len() >= 200, "only {} lines", lines.len());
    let heavy = |fired: BTreeSet<(String, Option<Level>, String)>| -> Vec<String> {
        let heavy =
            fired.into_iter().filter(|(_, level, _)| level.is_none_or(|l| l >= Level::Medium));
        heavy.map(|(title, ..)| title).collect()
    };
    let mut wrong = Vec::new();
    for line in &lines {
        let mut way = Way::new(&set);
        way.line(line.as_bytes(), BEGIN, &Header::default());
        wrong.extend(heavy(way.end()).into_iter().map(|title| format!("{title}: {line}")));
    }
    // Together, one a second, also for what counts.
    let mut way = Way::new(&set);
    for (at, line) in lines.iter().enumerate() {
        way.line(line.as_bytes(), Timestamp(BEGIN.0 + at as i64 * SECOND), &Header::default());
    }
    wrong.extend(heavy(way.end()).into_iter().map(|title| format!("{title}: all lines together")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn is_japanese(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ff66}'..='\u{ff9f}')
}

fn is_uuid4(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes[14] == b'4'
        && matches!(bytes[19], b'8' | b'9' | b'a' | b'b')
        && bytes.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(b),
        })
}

#[test]
fn every_rule_says_what_its_reader_needs() {
    let set = rules();
    let all: Vec<&Meta> = set
        .rules()
        .iter()
        .map(|r| &r.meta)
        .chain(set.correlations().iter().map(|c| &c.meta))
        .collect();
    let mut wrong = Vec::new();
    for meta in &all {
        let custom =
            |name: &str| meta.custom.get(name).and_then(|v| v.as_str()).unwrap_or_default();
        let mut fault = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{}:{}: {what}", meta.file, meta.line));
            }
        };
        let english = |text: &str| !text.is_empty() && !text.chars().any(is_japanese);
        fault(meta.id.as_deref().is_some_and(is_uuid4), "id is no UUID of version 4");
        fault(meta.license.as_deref() == Some("Apache-2.0"), "license");
        fault(meta.author.as_deref() == Some("ume"), "author");
        fault(
            meta.level.is_some() && meta.status.is_some() && meta.date.is_some(),
            "level, status, date",
        );
        fault(english(&meta.title), "title is not English");
        fault(meta.description.as_deref().is_some_and(english), "description is not English");
        fault(custom("title_ja").chars().any(is_japanese), "title_ja");
        fault(custom("description_ja").chars().any(is_japanese), "description_ja");
        fault(matches!(custom("phase"), "sign" | "precursor"), "phase");
        fault(matches!(custom("review"), "investigation" | "discovery" | "prevention"), "review");
        fault(!meta.falsepositives.is_empty(), "falsepositives");
    }
    let titles: BTreeSet<&str> = all.iter().map(|meta| meta.title.as_str()).collect();
    assert_eq!(titles.len(), all.len(), "two rules have one title");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let count = reported(&set).len();
    assert!(count >= RULES_MIN, "only {count} rules");
}
