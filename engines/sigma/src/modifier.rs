//! Fields with modifiers and values, to trees of tests. Modifiers work in the order they stand.

use std::collections::BTreeMap;

use crate::{
    error::{Fault, Place, Reason},
    limits::Limits,
    number::{Num, Op},
    pcre,
    value::{self, Net, Part, Pattern, Utf16},
    yaml::{Node, Value},
};

/// What is asked of one value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Text(Pattern),
    Number(Num),
    /// No value, or null
    Null,
    /// Present, whatever its value
    Exists,
    /// In the syntax of the regex crate, flags in front
    Regex(String),
    Cidr(Net),
    Compare(Op, Num),
    Time(TimePart, Op, i64),
    Field(FieldTest),
}

/// A comparison with another field of the same event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FieldTest {
    pub other: String,
    pub starts: bool,
    pub ends: bool,
    pub cased: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl TimePart {
    fn read(word: &str) -> Option<TimePart> {
        Some(match word {
            "minute" => TimePart::Minute,
            "hour" => TimePart::Hour,
            "day" => TimePart::Day,
            "week" => TimePart::Week,
            "month" => TimePart::Month,
            "year" => TimePart::Year,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            TimePart::Minute => "minute",
            TimePart::Hour => "hour",
            TimePart::Day => "day",
            TimePart::Week => "week",
            TimePart::Month => "month",
            TimePart::Year => "year",
        }
    }

    /// ISO 8601 has a week 53 in some years; the specification's 52 would lose those days.
    fn range(self) -> (std::ops::RangeInclusive<i64>, &'static str) {
        match self {
            TimePart::Minute => (0..=59, "from 0 to 59"),
            TimePart::Hour => (0..=23, "from 0 to 23"),
            TimePart::Day => (1..=31, "from 1 to 31"),
            TimePart::Week => (1..=53, "from 1 to 53"),
            TimePart::Month => (1..=12, "from 1 to 12"),
            TimePart::Year => (0..=9999, "from 0 to 9999"),
        }
    }
}

/// Tests joined; what a search identifier becomes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// Of a field, or of the whole event
    Test(Option<String>, Test),
    Not(Box<Tree>),
    And(Vec<Tree>),
    Or(Vec<Tree>),
}

/// What compiling needs from outside the rule.
pub(crate) struct Compiling<'a> {
    pub placeholders: &'a BTreeMap<String, Vec<String>>,
    pub limits: &'a Limits,
    /// Predicates still allowed in this rule
    pub left: usize,
}

type Made<T> = Result<T, Fault>;

/// The tree of one search identifier.
pub(crate) fn selection(name: &str, node: &Node, cx: &mut Compiling<'_>) -> Made<Tree> {
    let fault = |place, reason| Err(Fault::at(place, reason));
    match &node.value {
        Value::Map(entries) => map(name, node.place, entries, cx),
        Value::List(items) if items.is_empty() => fault(node.place, Reason::Empty(name.to_owned())),
        Value::List(items) => {
            let parts = items.iter().map(|item| match &item.value {
                Value::Map(entries) => map(name, item.place, entries, cx),
                Value::List(_) => Err(Fault::at(item.place, Reason::NestedList(name.to_owned()))),
                _ => values(name, Key::keywords(), std::slice::from_ref(item), cx),
            });
            Ok(joined(parts.collect::<Made<_>>()?, Tree::Or))
        }
        _ if name == "timeframe" => fault(node.place, Reason::Timeframe),
        _ => fault(node.place, Reason::SelectionScalar(name.to_owned())),
    }
}

fn map(
    name: &str,
    place: Place,
    entries: &[(String, Place, Node)],
    cx: &mut Compiling<'_>,
) -> Made<Tree> {
    if entries.is_empty() {
        return Err(Fault::at(place, Reason::Empty(name.to_owned())));
    }
    let parts = entries.iter().map(|(key, place, node)| {
        let key = Key::read(key).map_err(|reason| Fault::at(*place, reason))?;
        let name = if key.field.is_empty() { name } else { &key.field.clone() };
        match &node.value {
            Value::List(items) if items.is_empty() => {
                Err(Fault::at(node.place, Reason::Empty(name.to_owned())))
            }
            Value::List(items) => {
                if let Some(null) = items.iter().find(|i| matches!(i.value, Value::Null)) {
                    return Err(Fault::at(null.place, Reason::NullInList(name.to_owned())));
                }
                values(name, key, items, cx)
            }
            _ if key.all => Err(Fault::at(node.place, Reason::AllOfOne(name.to_owned()))),
            _ => values(name, key, std::slice::from_ref(node), cx),
        }
    });
    Ok(joined(parts.collect::<Made<_>>()?, Tree::And))
}

fn joined(mut parts: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

/// `Field|modifier|modifier`.
struct Key {
    field: String,
    modifiers: Vec<String>,
    all: bool,
    neq: bool,
    cased: bool,
}

const MODIFIERS: [&str; 34] = [
    "all",
    "startswith",
    "endswith",
    "contains",
    "exists",
    "cased",
    "neq",
    "windash",
    "re",
    "i",
    "m",
    "s",
    "ignorecase",
    "multiline",
    "dotall",
    "base64",
    "base64offset",
    "utf16le",
    "utf16be",
    "utf16",
    "wide",
    "lt",
    "lte",
    "gt",
    "gte",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "cidr",
    "expand",
    "fieldref",
];

impl Key {
    fn keywords() -> Key {
        Key { field: String::new(), modifiers: Vec::new(), all: false, neq: false, cased: false }
    }

    fn read(key: &str) -> Result<Key, Reason> {
        let mut parts = key.split('|');
        // Names with spaces are those of a localised view; the field has none.
        let field: String =
            parts.next().unwrap_or_default().chars().filter(|c| *c != ' ').collect();
        let mut read = Key { field, ..Key::keywords() };
        for modifier in parts {
            let name = modifier.trim();
            if name.is_empty() || !MODIFIERS.contains(&name) {
                return Err(Reason::Modifier(modifier.to_owned()));
            }
            let flag = match name {
                "all" => &mut read.all,
                "neq" => &mut read.neq,
                "cased" => &mut read.cased,
                _ if read.modifiers.iter().any(|m| m == name) => {
                    return Err(Reason::ModifierTwice(name.to_owned()));
                }
                _ => {
                    read.modifiers.push(name.to_owned());
                    continue;
                }
            };
            if std::mem::replace(flag, true) {
                return Err(Reason::ModifierTwice(name.to_owned()));
            }
        }
        Ok(read)
    }
}

/// A value on its way through the modifiers.
#[derive(Clone)]
enum Item {
    Text { parts: Vec<Part>, bytes: Option<&'static str> },
    Number(Num, String),
    Bool(bool),
    Null,
    Regex { source: String, i: bool, m: bool, s: bool },
    Cidr(Net),
    Compare(Op, Num),
    Time(TimePart, Op, i64),
    Exists(bool),
    Field { other: String, starts: bool, ends: bool },
}

fn values(name: &str, key: Key, nodes: &[Node], cx: &mut Compiling<'_>) -> Made<Tree> {
    if key.all && nodes.len() < 2 {
        let place = nodes.first().map(|n| n.place).unwrap_or_default();
        return Err(Fault::at(place, Reason::AllOfOne(name.to_owned())));
    }
    let mut parts = Vec::with_capacity(nodes.len());
    for node in nodes {
        let fault = |reason| Fault::at(node.place, reason);
        let items = run(name, &key, node, cx).map_err(fault)?;
        cx.left = cx
            .left
            .checked_sub(items.len())
            .ok_or_else(|| fault(Reason::Limit("predicates in a rule", cx.limits.predicates)))?;
        let tests = items.into_iter().map(|item| finish(&key, item, cx.limits));
        parts.push(joined(tests.collect::<Result<_, _>>().map_err(fault)?, Tree::Or));
    }
    let tree = joined(parts, if key.all { Tree::And } else { Tree::Or });
    Ok(if key.neq { Tree::Not(Box::new(tree)) } else { tree })
}

/// One value through all modifiers; it may become several, any of which will do.
fn run(name: &str, key: &Key, node: &Node, cx: &Compiling<'_>) -> Result<Vec<Item>, Reason> {
    let expands = key.modifiers.iter().any(|m| m == "expand");
    let raw = matches!(key.modifiers.first().map(String::as_str), Some("re" | "fieldref" | "cidr"));
    let first = match &node.value {
        Value::Text(text) if text.len() > cx.limits.value_bytes => {
            return Err(Reason::Limit("bytes in a value", cx.limits.value_bytes));
        }
        Value::Text(text) if raw => {
            Item::Text { parts: vec![Part::Lit(text.clone().into_bytes())], bytes: None }
        }
        Value::Text(text) => Item::Text { parts: value::parse(text, expands), bytes: None },
        Value::Number(number, text) => match Num::of(*number) {
            Some(number) => Item::Number(number, text.clone()),
            None => return Err(Reason::WantsNumber(name.to_owned())),
        },
        Value::Bool(on) => Item::Bool(*on),
        Value::Null if key.field.is_empty() => return Err(Reason::NullKeyword(name.to_owned())),
        Value::Null if !key.modifiers.is_empty() => {
            return Err(Reason::NullModified(name.to_owned()));
        }
        Value::Null => Item::Null,
        Value::List(_) => return Err(Reason::NestedList(name.to_owned())),
        Value::Map(_) => return Err(Reason::NestedMap(name.to_owned())),
    };
    let mut items = vec![first];
    let mut before = None;
    for modifier in &key.modifiers {
        if key.field.is_empty() && !KEYWORD_MODIFIERS.contains(&modifier.as_str()) {
            return Err(Reason::ModifierKeyword(modifier.clone()));
        }
        let mut next = Vec::with_capacity(items.len());
        for item in items {
            next.extend(apply(modifier, before, item, cx)?);
            if next.len() > cx.limits.predicates {
                return Err(Reason::Limit("predicates in a rule", cx.limits.predicates));
            }
        }
        items = next;
        before = Some(modifier.as_str());
    }
    Ok(items)
}

const KEYWORD_MODIFIERS: [&str; 16] = [
    "contains",
    "windash",
    "re",
    "i",
    "m",
    "s",
    "ignorecase",
    "multiline",
    "dotall",
    "base64",
    "base64offset",
    "utf16le",
    "utf16be",
    "utf16",
    "wide",
    "expand",
];

fn apply(
    modifier: &str,
    before: Option<&str>,
    item: Item,
    cx: &Compiling<'_>,
) -> Result<Vec<Item>, Reason> {
    let wrong = |wants: &'static str| match before {
        Some(before) => Reason::ModifierOrder(modifier.to_owned(), before.to_owned()),
        None => Reason::ModifierType(modifier.to_owned(), wants),
    };
    let text = |parts| Item::Text { parts, bytes: None };
    let one = match (modifier, item) {
        ("startswith" | "endswith" | "contains", Item::Text { parts, bytes }) => {
            Item::Text { parts: around(modifier, parts), bytes }
        }
        ("startswith" | "endswith" | "contains", Item::Number(_, written)) => {
            text(around(modifier, vec![Part::Lit(written.into_bytes())]))
        }
        ("startswith", Item::Regex { source, i, m, s }) => {
            Item::Regex { source: format!("\\A(?:{source})"), i, m, s }
        }
        ("endswith", Item::Regex { source, i, m, s }) => {
            Item::Regex { source: format!("(?:{source})\\z"), i, m, s }
        }
        ("contains", Item::Regex { source, i, m, s }) => Item::Regex { source, i, m, s },
        ("startswith", Item::Field { other, ends, .. }) => {
            Item::Field { other, starts: true, ends }
        }
        ("endswith", Item::Field { other, starts, .. }) => {
            Item::Field { other, starts, ends: true }
        }
        ("contains", Item::Field { other, .. }) => Item::Field { other, starts: true, ends: true },
        ("startswith" | "endswith" | "contains", _) => return Err(wrong("a text or a number")),

        ("windash", Item::Text { parts, bytes: None }) => text(value::windash(parts)),
        ("utf16le" | "wide", Item::Text { parts, bytes: None }) => {
            encoded(modifier, parts, Utf16::Le)?
        }
        ("utf16be", Item::Text { parts, bytes: None }) => encoded(modifier, parts, Utf16::Be)?,
        ("utf16", Item::Text { parts, bytes: None }) => encoded(modifier, parts, Utf16::Bom)?,
        ("base64" | "base64offset", Item::Text { parts, .. }) => {
            if value::has_wildcard(&parts) {
                return Err(Reason::Wildcard(modifier.to_owned()));
            }
            let bytes = value::plain(&parts);
            let lit = |bytes| text(vec![Part::Lit(bytes)]);
            if modifier == "base64" {
                lit(value::base64(&bytes))
            } else {
                return Ok(value::base64_offsets(&bytes).into_iter().map(lit).collect());
            }
        }
        ("expand", Item::Text { parts, bytes: None }) => {
            return expand(&parts, cx).map(|all| all.into_iter().map(text).collect());
        }
        (
            "windash" | "wide" | "utf16le" | "utf16be" | "utf16" | "base64" | "base64offset"
            | "expand",
            _,
        ) => {
            return Err(wrong("a text"));
        }

        ("re", Item::Text { parts, bytes: None }) if before.is_none() => {
            let source = String::from_utf8(value::plain(&parts)).unwrap_or_default();
            Item::Regex { source: pcre::translate(&source), i: false, m: false, s: false }
        }
        ("re", _) => return Err(wrong("a text; put numbers in quotes")),
        ("i" | "ignorecase", Item::Regex { source, m, s, .. }) => {
            Item::Regex { source, i: true, m, s }
        }
        ("m" | "multiline", Item::Regex { source, i, s, .. }) => {
            Item::Regex { source, i, m: true, s }
        }
        ("s" | "dotall", Item::Regex { source, i, m, .. }) => Item::Regex { source, i, m, s: true },
        ("i" | "m" | "s" | "ignorecase" | "multiline" | "dotall", _) => {
            return Err(wrong("a regular expression; write it behind re"));
        }

        ("cidr", Item::Text { parts, .. }) if before.is_none() => {
            Item::Cidr(Net::read(&String::from_utf8_lossy(&value::plain(&parts)))?)
        }
        ("cidr", _) => return Err(wrong("a text such as 10.0.0.0/8")),
        ("fieldref", Item::Text { parts, .. })
            if matches!(before, None | Some("contains" | "startswith" | "endswith")) =>
        {
            let stars = (parts.first() == Some(&Part::Many), parts.last() == Some(&Part::Many));
            let other: String = String::from_utf8_lossy(&value::plain(&parts))
                .chars()
                .filter(|c| *c != ' ')
                .collect();
            if other.is_empty() {
                return Err(Reason::ModifierType(modifier.to_owned(), "the name of a field"));
            }
            Item::Field {
                other,
                starts: before.is_some() && stars.1,
                ends: before.is_some() && stars.0,
            }
        }
        ("fieldref", _) => return Err(wrong("the name of a field")),
        ("exists", Item::Bool(on)) if before.is_none() => Item::Exists(on),
        ("exists", _) => return Err(wrong("true or false")),

        ("lt" | "lte" | "gt" | "gte", Item::Number(number, _)) => {
            Item::Compare(Op::read(modifier).unwrap_or(Op::Eq), number)
        }
        ("lt" | "lte" | "gt" | "gte", Item::Time(part, Op::Eq, number)) => {
            Item::Time(part, Op::read(modifier).unwrap_or(Op::Eq), number)
        }
        ("lt" | "lte" | "gt" | "gte", _) => return Err(wrong("a number")),
        (part, item) => {
            let Some(part) = TimePart::read(part) else {
                return Err(Reason::Modifier(modifier.to_owned()));
            };
            let (op, number) = match item {
                Item::Number(number, _) => (Op::Eq, number),
                Item::Compare(op, number) => (op, number),
                _ => return Err(wrong("a number")),
            };
            let (range, words) = part.range();
            match number {
                Num::Int(i) if i64::try_from(i).is_ok_and(|i| range.contains(&i)) => {
                    Item::Time(part, op, i as i64)
                }
                _ => return Err(Reason::OutOfRange(modifier.to_owned(), words)),
            }
        }
    };
    Ok(vec![one])
}

fn around(modifier: &str, mut parts: Vec<Part>) -> Vec<Part> {
    if modifier != "startswith" && parts.first() != Some(&Part::Many) {
        parts.insert(0, Part::Many);
    }
    if modifier != "endswith" && parts.last() != Some(&Part::Many) {
        parts.push(Part::Many);
    }
    parts
}

fn encoded(modifier: &str, parts: Vec<Part>, form: Utf16) -> Result<Item, Reason> {
    if parts.iter().any(|part| matches!(part, Part::Placeholder(_) | Part::Dash)) {
        return Err(Reason::Wildcard(modifier.to_owned()));
    }
    let parts = value::utf16(parts, form);
    // ASCII stays a text with NULs; anything else, and a mark, is bytes until Base64 makes it a text again.
    let text = parts.iter().all(|part| match part {
        Part::Lit(bytes) => std::str::from_utf8(bytes).is_ok(),
        _ => true,
    });
    Ok(Item::Text { parts, bytes: if text { None } else { Some("utf16") } })
}

/// Every combination of the placeholders' values.
fn expand(parts: &[Part], cx: &Compiling<'_>) -> Result<Vec<Vec<Part>>, Reason> {
    let mut all: Vec<Vec<Part>> = vec![Vec::new()];
    for part in parts {
        let Part::Placeholder(name) = part else {
            all.iter_mut().for_each(|parts| parts.push(part.clone()));
            continue;
        };
        let values = cx.placeholders.get(name).filter(|values| !values.is_empty());
        let values = values.ok_or_else(|| Reason::Placeholder(name.clone()))?;
        if all.len().saturating_mul(values.len()) > cx.limits.predicates {
            return Err(Reason::Limit("predicates in a rule", cx.limits.predicates));
        }
        all = all
            .iter()
            .flat_map(|before| {
                values.iter().map(move |value| [&before[..], &value::parse(value, false)].concat())
            })
            .collect();
    }
    Ok(all)
}

/// The test a value has become.
fn finish(key: &Key, item: Item, limits: &Limits) -> Result<Tree, Reason> {
    let field = (!key.field.is_empty()).then(|| key.field.clone());
    let pattern = |parts| {
        let pattern = Pattern::new(parts, key.cased);
        Test::Text(if key.field.is_empty() { pattern.within() } else { pattern })
    };
    let test = match item {
        Item::Text { bytes: Some(_), .. } => {
            return Err(Reason::Unfinished(key.modifiers.join("|")));
        }
        Item::Text { parts, bytes: None } => pattern(parts),
        Item::Number(_, written) if key.field.is_empty() => {
            pattern(vec![Part::Lit(written.into_bytes())])
        }
        Item::Number(number, _) => Test::Number(number),
        Item::Bool(on) => pattern(vec![Part::Lit(on.to_string().into_bytes())]),
        Item::Null => Test::Null,
        Item::Regex { source, i, m, s } => {
            let source = pcre::finish(&source, i, m, s);
            pcre::compile(&source, limits.regex_bytes).map_err(Reason::Regex)?;
            Test::Regex(source)
        }
        Item::Cidr(net) => Test::Cidr(net),
        Item::Compare(op, number) => Test::Compare(op, number),
        Item::Time(part, op, number) => Test::Time(part, op, number),
        Item::Exists(true) => Test::Exists,
        Item::Exists(false) => return Ok(Tree::Not(Box::new(Tree::Test(field, Test::Exists)))),
        Item::Field { other, starts, ends } => {
            Test::Field(FieldTest { other, starts, ends, cased: key.cased })
        }
    };
    Ok(Tree::Test(field, test))
}
