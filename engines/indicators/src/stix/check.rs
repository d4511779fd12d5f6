//! One object against its shape: properties, their kinds, the laws between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::diagnostic::{Diagnostic, Rule};
use super::format;
use super::model::{Family, Kind, Law, MODEL, Property, Shape};
use super::time;

/// More are not told: who has so many is helped by the first ones.
const DIAGNOSTICS_MAX: usize = 10_000;
/// Values nest no deeper where they are looked through.
const DEPTH_MAX: usize = 100;

pub(crate) type Members = Map<String, Value>;

pub(crate) struct Checker<'a> {
    pub out: Vec<Diagnostic>,
    /// The place at hand, as a JSON pointer.
    pub place: String,
    /// Within the `objects` of an observed-data of STIX 2.0 references are keys of these.
    pub embedded: Option<&'a Members>,
}

impl<'a> Checker<'a> {
    pub fn new() -> Checker<'a> {
        Checker { out: Vec::new(), place: String::new(), embedded: None }
    }

    pub fn say(&mut self, rule: Rule, detail: impl Into<String>) {
        if self.out.len() < DIAGNOSTICS_MAX {
            self.out.push(Diagnostic { pointer: self.place.clone(), rule, detail: detail.into() });
        }
    }

    /// Takes over what was found elsewhere.
    pub fn say_there(&mut self, diagnostic: Diagnostic) {
        if self.out.len() < DIAGNOSTICS_MAX {
            self.out.push(diagnostic);
        }
    }

    /// Works on a place below.
    pub fn at(&mut self, key: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.place.len();
        self.place.push('/');
        self.place.push_str(&key.replace('~', "~0").replace('/', "~1"));
        inner(self);
        self.place.truncate(length);
    }

    pub fn say_at(&mut self, key: &str, rule: Rule, detail: impl Into<String>) {
        self.at(key, |c| c.say(rule, detail));
    }

    pub fn properties(&mut self, members: &Members, properties: &[Property]) {
        for property in properties {
            match members.get(property.name) {
                Some(value) => self.at(property.name, |c| {
                    if property.deprecated {
                        c.say(Rule::Deprecated, property.name);
                    }
                    c.kind(value, &property.kind);
                    if value.as_str() == Some("") && matches!(property.kind, Kind::Text) {
                        c.say(Rule::EmptyText, property.name);
                    }
                }),
                None if property.required => self.say(Rule::Missing, property.name),
                None => {}
            }
        }
    }

    pub fn laws(&mut self, members: &Members, laws: &[Law]) {
        let has = |name: &&&str| members.contains_key(**name);
        let moment = |name: &str| members.get(name)?.as_str().and_then(time::parse);
        for law in laws {
            match law {
                Law::Order(first, second, after) => {
                    let (Some(a), Some(b)) = (moment(first), moment(second)) else { continue };
                    if b < a || (*after && a == b) {
                        let how = if *after { "must come after" } else { "must not come before" };
                        self.say_at(second, Rule::TimeOrder, format!("{second} {how} {first}"));
                    }
                }
                Law::Any(names) if !names.iter().any(|n| has(&n)) => {
                    self.say(Rule::AnyOf, names.join(", "));
                }
                Law::One(names) if names.iter().filter(has).count() != 1 => {
                    self.say(Rule::OneOf, names.join(", "));
                }
                Law::With(one, needed) if has(&one) && !has(&needed) => {
                    self.say_at(one, Rule::Needs, format!("{one} needs {needed}"));
                }
                Law::Not(a, b) if has(&a) && has(&b) => {
                    self.say(Rule::NotBoth, format!("{a}, {b}"));
                }
                _ => {}
            }
        }
    }

    /// A part or an extension, whose properties are all known.
    pub fn part(&mut self, value: &Value, shape: &Shape) {
        let Some(members) = value.as_object() else { return self.say(Rule::NotObject, "") };
        if members.is_empty() {
            return self.say(Rule::EmptyMap, "");
        }
        self.properties(members, &shape.properties);
        self.laws(members, &shape.laws);
        for name in members.keys().filter(|name| shape.property(name).is_none()) {
            self.say_at(name, Rule::Custom, name.as_str());
        }
    }

    fn kind(&mut self, value: &Value, kind: &Kind) {
        match kind {
            Kind::List(inner) => self.list(value, inner),
            Kind::Part(name) => {
                if let Some(shape) = MODEL.part(name) {
                    self.part(value, shape);
                }
            }
            Kind::Any => {}
            Kind::Dict => self.dictionary(value),
            Kind::Lists => self.lists(value),
            Kind::Hashes => self.hashes(value),
            Kind::Bool if !value.is_boolean() => self.say(Rule::Type, "true or false"),
            Kind::Bool => {}
            Kind::Int(low, high) => self.whole_number(value, *low, *high),
            Kind::Float(low, high) => self.number(value, *low, *high),
            _ => match value.as_str() {
                Some(text) => self.text(text, kind),
                None => self.say(Rule::Type, "a text"),
            },
        }
    }

    fn list(&mut self, value: &Value, inner: &Kind) {
        let Some(items) = value.as_array() else { return self.say(Rule::Type, "a list") };
        if items.is_empty() {
            return self.say(Rule::EmptyList, "");
        }
        for (at, item) in items.iter().enumerate() {
            self.at(&at.to_string(), |c| c.kind(item, inner));
        }
    }

    fn whole_number(&mut self, value: &Value, low: Option<i64>, high: Option<i64>) {
        let whole = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
        // 5.0 is a whole number in JSON.
        let whole = whole.or(value.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i128));
        let Some(number) = whole else { return self.say(Rule::Type, "a whole number") };
        let below = low.is_some_and(|low| number < low.into());
        if below || high.is_some_and(|high| number > high.into()) {
            self.say(Rule::Range, range(low, high));
        }
    }

    fn number(&mut self, value: &Value, low: Option<f64>, high: Option<f64>) {
        let Some(number) = value.as_f64() else { return self.say(Rule::Type, "a number") };
        if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) {
            self.say(Rule::Range, range(low, high));
        }
    }

    fn text(&mut self, text: &str, kind: &Kind) {
        let quoted = || format!("{text:?}");
        match kind {
            Kind::Format(form) if !format::is(form, text) => self.say(Rule::Format, quoted()),
            Kind::Seconds if text.contains('.') => self.say(Rule::Format, quoted()),
            Kind::Time | Kind::Seconds if time::parse(text).is_none() => {
                self.say(Rule::Timestamp, quoted())
            }
            Kind::Hex if hex::decode(text).is_err() => self.say(Rule::Hex, ""),
            Kind::Binary if STANDARD.decode(text).is_err() => self.say(Rule::Binary, ""),
            Kind::Language if !format::is_language(text) => self.say(Rule::Language, quoted()),
            Kind::Enum(words) if !MODEL.knows_word(words, text) => {
                self.say(Rule::Enumeration, quoted());
            }
            Kind::Vocabulary(words) if !MODEL.knows_word(words, text) => {
                self.say(Rule::Vocabulary, quoted());
            }
            Kind::Ref(types) => self.reference(text, types),
            _ => {}
        }
    }

    fn reference(&mut self, text: &str, types: &[&str]) {
        if let Some(objects) = self.embedded {
            let there = objects.get(text);
            let name = there.and_then(|o| o.get("type")).and_then(Value::as_str);
            return match name {
                None => self.say(Rule::RefMissing, format!("{text:?}")),
                Some(name) if !fits(name, types) => self.say(Rule::RefType, types.join(", ")),
                Some(_) => {}
            };
        }
        match format::identifier(text) {
            None => self.say(Rule::Id, format!("{text:?}")),
            Some((name, _)) if !fits(name, types) => self.say(Rule::RefType, types.join(", ")),
            Some(_) => {}
        }
    }

    fn dictionary(&mut self, value: &Value) {
        let Some(members) = value.as_object() else { return self.say(Rule::NotObject, "") };
        if members.is_empty() {
            self.say(Rule::EmptyMap, "");
        }
        for key in members.keys().filter(|key| !is_key(key)) {
            self.say_at(key, Rule::Key, format!("{key:?}"));
        }
    }

    fn lists(&mut self, value: &Value) {
        self.dictionary(value);
        for (name, value) in value.as_object().into_iter().flatten() {
            if !value.is_string() {
                self.at(name, |c| c.list(value, &Kind::Text));
            }
        }
    }

    fn hashes(&mut self, value: &Value) {
        self.dictionary(value);
        for (name, value) in value.as_object().into_iter().flatten() {
            self.at(name, |c| match value.as_str() {
                None => c.say(Rule::Type, "a text"),
                Some(text) if !format::is_hash(name, text) => c.say(Rule::HashValue, name.as_str()),
                Some(_) if !MODEL.knows_word("hash-algorithm", name) => {
                    c.say(Rule::HashKey, name.as_str());
                }
                Some(_) => {}
            });
        }
    }

    /// No null anywhere.
    pub fn no_null(&mut self, value: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return self.say(Rule::Limit, format!("{DEPTH_MAX} levels of brackets"));
        }
        match value {
            Value::Null => self.say(Rule::NoNull, ""),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.at(&at.to_string(), |c| c.no_null(item, depth + 1));
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    self.at(key, |c| c.no_null(value, depth + 1));
                }
            }
            _ => {}
        }
    }
}

fn range<T: ToString>(low: Option<T>, high: Option<T>) -> String {
    let end = |bound: Option<T>| bound.map(|b| b.to_string()).unwrap_or_default();
    format!("{}..{}", end(low), end(high))
}

fn is_key(key: &str) -> bool {
    (1..=250).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether a type is one of those a reference may lead to; none given: any.
fn fits(name: &str, types: &[&str]) -> bool {
    let family = MODEL.object(name).map(|shape| shape.family);
    types.is_empty()
        || types.iter().any(|wanted| match *wanted {
            "@object" => {
                matches!(family, None | Some(Family::Sdo | Family::Sco)) && name != "bundle"
            }
            "@sdo" => matches!(family, None | Some(Family::Sdo)) && name != "bundle",
            "@sco" => matches!(family, None | Some(Family::Sco)) && name != "bundle",
            wanted => wanted == name,
        })
}
