//! Laws over arbitrary rules and events: many rules together find what each finds alone by another way (values
//! as regular expressions, conditions as plain recursion); hostile bytes never panic.

use proptest::{prelude::*, test_runner::Config};
use sigma::{Arena, Env, Limits, LogSource, Match, Matcher, Source, TrafficProfile, load};

#[derive(Clone, Debug)]
struct Item {
    field: &'static str,
    modifier: &'static str,
    all: bool,
    neq: bool,
    values: Vec<String>,
}

#[derive(Clone, Debug)]
enum Expr {
    Name(usize),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    OneOfThem,
    AllOfThem,
}

#[derive(Clone, Debug)]
struct Rule {
    selections: Vec<Vec<Item>>,
    condition: Expr,
    product: &'static str,
}

type Event = Vec<(&'static str, Vec<Option<String>>)>;

const FIELDS: [&str; 4] = ["A", "B.c", "D", "absent"];
/// Pieces of values: enough in common to meet, long ones to pass the gates, letters whose folding is special.
const PIECES: [&str; 18] = [
    "a",
    "Ab",
    "*",
    "?",
    "\\",
    "\\*",
    "\\\\",
    "powershell",
    "POWERSHELL.exe",
    "cmd",
    "-",
    "/",
    " -enc ",
    "ẞtraße",
    "K",
    "é",
    "42",
    "ſ",
];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..4).prop_map(|p| p.concat())
}

fn item() -> impl Strategy<Value = Item> {
    let modifier = prop::sample::select(
        &[
            "",
            "startswith",
            "endswith",
            "contains",
            "cased",
            "contains|cased",
            "contains|windash",
            "exists",
            "null",
            "keyword",
            "base64|contains",
        ][..],
    );
    (
        prop::sample::select(&FIELDS[..]),
        modifier,
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::collection::vec(text(), 1..4),
    )
        .prop_map(|(field, modifier, all, neq, values)| {
            let plain = matches!(modifier, "exists" | "null" | "keyword");
            let values = values
                .into_iter()
                .map(|v| {
                    if modifier.starts_with("base64") {
                        v.replace(['*', '?', '\\'], "x")
                    } else {
                        v
                    }
                })
                .collect::<Vec<_>>();
            Item {
                field,
                modifier,
                all: all && values.len() > 1 && !plain,
                neq: neq && !plain,
                values,
            }
        })
}

fn rule() -> impl Strategy<Value = Rule> {
    let expr = prop_oneof![4 => (0usize..3).prop_map(Expr::Name), 1 => Just(Expr::OneOfThem), 1 => Just(Expr::AllOfThem)].prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|e| Expr::Not(Box::new(e))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Expr::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Expr::Or(Box::new(a), Box::new(b))),
        ]
    });
    (
        prop::collection::vec(prop::collection::vec(item(), 1..3), 3),
        expr,
        prop::sample::select(&["x", "y"][..]),
    )
        .prop_map(|(selections, condition, product)| Rule { selections, condition, product })
}

fn event() -> impl Strategy<Value = Event> {
    let value = prop_oneof![8 => text().prop_map(Some), 1 => Just(None)];
    let values = prop::collection::vec(value, 1..3);
    (values.clone(), prop::option::of(values.clone()), values).prop_map(|(a, b, d)| {
        let mut event = vec![("A", a), ("D", d)];
        event.extend(b.map(|b| ("B.c", b)));
        event
    })
}

fn key(item: &Item) -> String {
    let mut key = item.field.to_owned();
    if !matches!(item.modifier, "" | "null" | "keyword") {
        key = format!("{key}|{}", item.modifier);
    }
    key + if item.all { "|all" } else { "" } + if item.neq { "|neq" } else { "" }
}

/// A rule as JSON, which is YAML too.
fn yaml(at: usize, rule: &Rule) -> String {
    let mut detection = serde_json::Map::new();
    for (n, items) in rule.selections.iter().enumerate() {
        let mut parts = Vec::new();
        for item in items {
            parts.push(match item.modifier {
                "keyword" => serde_json::json!(item.values[0]),
                "null" => serde_json::json!({ key(item): null }),
                "exists" => {
                    serde_json::json!({ key(item): item.values[0].len().is_multiple_of(2) })
                }
                _ => serde_json::json!({ key(item): item.values }),
            });
        }
        detection.insert(format!("s{n}"), parts.into());
    }
    detection.insert("condition".into(), shown(&rule.condition).into());
    serde_json::json!({"title": format!("r{at}"), "id": format!("r{at}"), "logsource": {"product": rule.product}, "detection": detection}).to_string()
}

fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Name(n) => format!("s{n}"),
        Expr::Not(a) => format!("not ({})", shown(a)),
        Expr::And(a, b) => format!("({}) and ({})", shown(a), shown(b)),
        Expr::Or(a, b) => format!("({}) or ({})", shown(a), shown(b)),
        Expr::OneOfThem => "1 of them".into(),
        Expr::AllOfThem => "all of s*".into(),
    }
}

/// The value of a rule as a regular expression, read character by character.
fn pattern(value: &str, modifier: &str) -> regex::Regex {
    let chars: Vec<char> = value.chars().collect();
    // What is meant: a character, or a wildcard.
    let mut meant: Vec<Result<char, &str>> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('\\', Some(c @ ('*' | '?' | '\\'))) => {
                meant.push(Ok(*c));
                at += 1;
            }
            ('*', _) => meant.push(Err(".*")),
            ('?', _) => meant.push(Err(".")),
            (c, _) => meant.push(Ok(c)),
        }
        at += 1;
    }
    let word = |m: Option<&Result<char, &str>>| matches!(m, Some(Ok(c)) if c.is_alphanumeric() || *c == '_');
    let mut source = String::new();
    for (at, part) in meant.iter().enumerate() {
        match part {
            Ok('-' | '/')
                if modifier.contains("windash")
                    && !word(at.checked_sub(1).and_then(|b| meant.get(b)))
                    && word(meant.get(at + 1)) =>
            {
                source += "[-/–—―]"
            }
            Ok(c) => source += &regex::escape(&c.to_string()),
            Err(wild) => source += wild,
        }
    }
    let before = if modifier.contains("endswith")
        || modifier.contains("contains")
        || modifier == "keyword"
    {
        ""
    } else {
        "^"
    };
    let after = if modifier.contains("startswith")
        || modifier.contains("contains")
        || modifier == "keyword"
    {
        ""
    } else {
        r"\z"
    };
    let flags = if modifier.contains("cased") { "s" } else { "si" };
    regex::Regex::new(&format!("(?{flags}){before}(?:{source}){after}")).unwrap()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text.bytes().map(|b| format!("{b:08b}")).collect();
    let mut out: String = bits
        .as_bytes()
        .chunks(6)
        .map(|c| {
            char::from(
                DIGITS[usize::from_str_radix(&format!("{:0<6}", String::from_utf8_lossy(c)), 2)
                    .unwrap()],
            )
        })
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

fn item_holds(item: &Item, event: &Event) -> bool {
    let named = |f: &str| event.iter().find(|(n, _)| *n == f).map(|(_, v)| v);
    let values = named(item.field);
    match item.modifier {
        "null" => values.is_none_or(|v| v.iter().all(Option::is_none)),
        "exists" => values.is_some() == item.values[0].len().is_multiple_of(2),
        "keyword" => {
            let p = pattern(&item.values[0], "keyword");
            event.iter().flat_map(|(_, v)| v).flatten().any(|v| p.is_match(v))
        }
        modifier => {
            let meets = |value: &String| {
                let p = match modifier.starts_with("base64") {
                    true => regex::Regex::new(&format!("(?i){}", regex::escape(&base64(value))))
                        .unwrap(),
                    false => pattern(value, modifier),
                };
                values.is_some_and(|v| v.iter().flatten().any(|v| p.is_match(v)))
            };
            let holds = if item.all {
                item.values.iter().all(meets)
            } else {
                item.values.iter().any(meets)
            };
            holds != item.neq
        }
    }
}

fn holds(rule: &Rule, expr: &Expr, event: &Event) -> bool {
    // A selection here is a list: one of its maps or keywords is enough.
    let selection = |n: usize| rule.selections[n].iter().any(|item| item_holds(item, event));
    match expr {
        Expr::Name(n) => selection(*n),
        Expr::Not(a) => !holds(rule, a, event),
        Expr::And(a, b) => holds(rule, a, event) && holds(rule, b, event),
        Expr::Or(a, b) => holds(rule, a, event) || holds(rule, b, event),
        Expr::OneOfThem => (0..3).any(selection),
        Expr::AllOfThem => (0..3).all(selection),
    }
}

fn json(event: &Event) -> String {
    let object: serde_json::Map<_, _> =
        event.iter().map(|(n, v)| ((*n).to_owned(), serde_json::json!(v))).collect();
    serde_json::Value::Object(object).to_string()
}

fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("UME_SOAK").is_some() { count * 20 } else { count };
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn rules_together_find_what_each_finds_alone(rules in prop::collection::vec(rule(), 1..12), events in prop::collection::vec(event(), 1..8)) {
        let texts: Vec<String> = rules.iter().enumerate().map(|(n, r)| yaml(n, r)).collect();
        let sources: Vec<Source> = texts.iter().map(|t| Source { file: "f", bytes: t.as_bytes() }).collect();
        let (set, rejected) = load(&sources, &Env::default(), &Limits::default());
        prop_assert_eq!(&rejected, &[]);
        let mut profile = TrafficProfile::default();
        let mut arena = Arena::new();
        for event in &events {
            arena.json(json(event).as_bytes()).unwrap();
            profile.observe(&arena);
        }
        let tuned = set.tuned(&profile);
        let mut matchers = [Matcher::new(&set), Matcher::new(&tuned)];
        for event in &events {
            arena.json(json(event).as_bytes()).unwrap();
            for product in ["x", "y"] {
                arena.set_sources([LogSource::new(None, Some(product), None)]);
                for matcher in &mut matchers {
                    let mut found: Vec<Match> = Vec::new();
                    matcher.eval(&arena, &mut found);
                    for (n, rule) in rules.iter().enumerate() {
                        let id = sigma::RuleId(n as u32);
                        let want = rule.product == product && holds(rule, &rule.condition, event);
                        prop_assert_eq!(found.contains(&Match { rule: id }), want, "{}\n{}", texts[n], json(event));
                        prop_assert_eq!(set.meets(id, &arena), want);
                    }
                }
            }
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = load(&[Source { file: "f", bytes }], &Env::default(), &Limits::default());
            let _ = Arena::new().json(bytes);
            let _ = Arena::new().text(&String::from_utf8_lossy(bytes));
            let _ = Arena::new().xml(&String::from_utf8_lossy(bytes));
            let _ = sigma::micros(&String::from_utf8_lossy(bytes));
        }
        let quoted = serde_json::to_string(&text).unwrap();
        for place in ["{V: x}", "F|{V}: x", "F|re: {V}", "F|cidr: {V}", "F|expand: {V}", "F|wide|base64offset|contains: {V}", "F|windash: {V}", "F|fieldref: {V}"] {
            let line = place.replace("{V}", &quoted);
            let rule = format!("title: t\nlogsource: {{}}\ndetection:\n  s:\n    {line}\n  condition: s\n");
            let (set, _) = load(&[Source { file: "f", bytes: rule.as_bytes() }], &Env::default(), &Limits::default());
            let mut arena = Arena::new();
            arena.json(serde_json::json!({"F": text, "G": {"a": [text]}}).to_string().as_bytes()).unwrap();
            Matcher::new(&set).eval(&arena, &mut Vec::new());
            for at in 0..set.rules().len() as u32 {
                set.explain(&arena, sigma::RuleId(at));
            }
        }
        let condition = format!("title: t\nlogsource: {{}}\ndetection:\n  s: {{F: x}}\n  condition: {quoted}\n");
        let _ = load(&[Source { file: "f", bytes: condition.as_bytes() }], &Env::default(), &Limits::default());
    }
}
