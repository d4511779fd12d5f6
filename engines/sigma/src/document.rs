//! Documents: rule, correlation and filter, with every attribute the specification knows, checked as its
//! schemas say; attributes it does not know are kept.

use std::collections::BTreeMap;

use crate::{
    error::{Fault, Place, Reason},
    limits::Limits,
    yaml::{Node, Number, Value},
};

/// What stands in every document beside its detection.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub file: String,
    /// Line of the document's first attribute, from 1
    pub line: usize,
    pub title: String,
    pub id: Option<String>,
    pub name: Option<String>,
    pub related: Vec<(Relation, String)>,
    pub taxonomy: Option<String>,
    pub status: Option<Status>,
    pub description: Option<String>,
    pub license: Option<String>,
    pub author: Option<String>,
    pub references: Vec<String>,
    pub date: Option<String>,
    pub modified: Option<String>,
    pub fields: Vec<String>,
    pub falsepositives: Vec<String>,
    pub level: Option<Level>,
    pub tags: Vec<String>,
    pub scope: Vec<String>,
    /// Attributes the specification does not know
    pub custom: BTreeMap<String, serde_json::Value>,
}

/// Declares an enumeration of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $known:literal, $($variant:ident = $word:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)+ }
        impl $name {
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
            fn read(key: &str, word: &str) -> Result<$name, Reason> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(Reason::NotOneOf(key.to_owned(), word.to_owned(), $known)),
                }
            }
        }
    };
}

words!(
    Level,
    "informational, low, medium, high, critical",
    Informational = "informational",
    Low = "low",
    Medium = "medium",
    High = "high",
    Critical = "critical"
);
words!(
    Status,
    "stable, test, experimental, deprecated, unsupported",
    Stable = "stable",
    Test = "test",
    Experimental = "experimental",
    Deprecated = "deprecated",
    Unsupported = "unsupported"
);
words!(
    /// How a rule relates to another.
    Relation, "derived, obsolete, merged, renamed, similar",
    Derived = "derived", Obsolete = "obsolete", Merged = "merged", Renamed = "renamed", Similar = "similar");
words!(
    /// What a correlation counts.
    CorrelationType, "event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile, value_median",
    EventCount = "event_count", ValueCount = "value_count", Temporal = "temporal", TemporalOrdered = "temporal_ordered",
    ValueSum = "value_sum", ValueAvg = "value_avg", ValuePercentile = "value_percentile", ValueMedian = "value_median");

impl Status {
    /// Rules of these states are off unless asked for.
    pub fn is_off(self) -> bool {
        matches!(self, Status::Deprecated | Status::Unsupported)
    }
}

/// Where the events of a rule come from; what is `None` may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogSource {
    pub category: Option<String>,
    pub product: Option<String>,
    pub service: Option<String>,
}

impl LogSource {
    pub fn new(category: Option<&str>, product: Option<&str>, service: Option<&str>) -> LogSource {
        let own = |text: Option<&str>| text.map(str::to_owned);
        LogSource { category: own(category), product: own(product), service: own(service) }
    }

    /// Whether everything that is asked for here is what `other` has.
    pub fn holds_for(&self, other: &LogSource) -> bool {
        let meets = |asked: &Option<String>, has: &Option<String>| asked.is_none() || asked == has;
        meets(&self.category, &other.category)
            && meets(&self.product, &other.product)
            && meets(&self.service, &other.service)
    }
}

/// A detection, or the detection part of a filter.
#[derive(Clone, Debug)]
pub(crate) struct Detection {
    pub selections: Vec<(String, Place, Node)>,
    pub conditions: Vec<(String, Place)>,
}

#[derive(Clone, Debug)]
pub(crate) struct RuleDocument {
    pub meta: Meta,
    pub place: Place,
    pub logsource: LogSource,
    pub definition: Option<String>,
    pub detection: Detection,
}

#[derive(Clone, Debug)]
pub(crate) struct FilterDocument {
    pub meta: Meta,
    pub place: Place,
    pub logsource: LogSource,
    pub rules: Vec<(String, Place)>,
    pub detection: Detection,
}

#[derive(Clone, Debug)]
pub(crate) struct CorrelationDocument {
    pub meta: Meta,
    pub place: Place,
    pub kind: CorrelationType,
    pub rules: Vec<(String, Place)>,
    /// alias → rule → field
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    pub group_by: Vec<String>,
    pub timespan_us: i64,
    pub condition: ConditionNode,
    pub generate: bool,
    /// Ume's own, under `ume`
    pub own: Option<Node>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ConditionNode {
    /// `gt: 3` and the like
    pub bounds: Vec<(String, f64)>,
    pub fields: Vec<String>,
    pub percentile: Option<f64>,
    /// The boolean form of temporal correlations
    pub expression: Option<(String, Place)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Document {
    Rule(RuleDocument),
    Filter(FilterDocument),
    Correlation(CorrelationDocument),
}

impl Document {
    pub fn meta(&self) -> &Meta {
        match self {
            Document::Rule(d) => &d.meta,
            Document::Filter(d) => &d.meta,
            Document::Correlation(d) => &d.meta,
        }
    }

    pub fn place(&self) -> Place {
        match self {
            Document::Rule(d) => d.place,
            Document::Filter(d) => d.place,
            Document::Correlation(d) => d.place,
        }
    }
}

type Read<T> = Result<T, Fault>;

/// Reads one document of a file.
pub(crate) fn read(file: &str, node: &Node, limits: &Limits) -> Read<Document> {
    let Value::Map(entries) = &node.value else {
        return Err(Fault::at(node.place, Reason::NotAMap));
    };
    let kinds = ["detection", "correlation", "filter"].map(|kind| node.get(kind));
    if kinds.iter().flatten().count() > 1 {
        return Err(Fault::at(node.place, Reason::KindTwofold));
    }
    let meta = meta(file, node, entries, kinds[1].is_some())?;
    let place = node.place;
    match kinds {
        [Some(body), _, _] => {
            let logsource = required(node, "logsource")?;
            let (logsource, definition) = read_logsource(logsource)?;
            let detection = detection("detection", body, &[])?;
            Ok(Document::Rule(RuleDocument { meta, place, logsource, definition, detection }))
        }
        [_, Some(body), _] => correlation(meta, node, body, limits).map(Document::Correlation),
        [_, _, Some(body)] => {
            let (logsource, _) = read_logsource(required(node, "logsource")?)?;
            let rules = names("filter.rules", required_in(body, "filter", "rules")?)?;
            required_in(body, "filter", "selection")?;
            let detection = detection("filter", body, &["rules"])?;
            Ok(Document::Filter(FilterDocument { meta, place, logsource, rules, detection }))
        }
        _ => Err(Fault::at(node.place, Reason::KindUnknown)),
    }
}

fn meta(
    file: &str,
    node: &Node,
    entries: &[(String, Place, Node)],
    correlation: bool,
) -> Read<Meta> {
    let mut meta = Meta { file: file.to_owned(), line: node.place.line, ..Meta::default() };
    for (key, place, value) in entries {
        let fault = |reason| Fault::at(value.place, reason);
        match key.as_str() {
            "title" => meta.title = text(key, value, Some(256))?,
            "id" => meta.id = Some(text(key, value, None)?),
            "name" => meta.name = Some(text(key, value, Some(256))?),
            "related" => meta.related = related(value)?,
            "taxonomy" => meta.taxonomy = Some(text(key, value, Some(256))?),
            "status" => {
                meta.status = Some(Status::read(key, &text(key, value, None)?).map_err(fault)?);
            }
            "description" => meta.description = Some(text(key, value, Some(65_535))?),
            "license" => meta.license = Some(text(key, value, None)?),
            "author" => meta.author = Some(text(key, value, None)?),
            "references" => meta.references = texts(key, value, 0)?,
            "date" => meta.date = Some(date(key, value)?),
            "modified" => meta.modified = Some(date(key, value)?),
            "fields" => meta.fields = texts(key, value, 0)?,
            "falsepositives" if correlation && value.text().is_some() => {
                let text = text(key, value, None)?;
                if text.chars().count() < 2 {
                    return Err(fault(Reason::TooShort(key.clone(), 2)));
                }
                meta.falsepositives = vec![text];
            }
            "falsepositives" => meta.falsepositives = texts(key, value, 2)?,
            "level" => {
                meta.level = Some(Level::read(key, &text(key, value, None)?).map_err(fault)?)
            }
            "tags" => {
                meta.tags = texts(key, value, 0)?;
                if let Some(bad) = meta.tags.iter().find(|tag| !is_tag(tag)) {
                    return Err(fault(Reason::TagForm(bad.clone())));
                }
            }
            "scope" => meta.scope = texts_of(key, value, 2, false)?,
            "logsource" | "detection" | "correlation" | "filter" => {}
            "generate" if correlation => {}
            _ => {
                let _ = place;
                meta.custom.insert(key.clone(), json(value));
            }
        }
    }
    required(node, "title")?;
    Ok(meta)
}

fn required<'n>(node: &'n Node, key: &str) -> Read<&'n Node> {
    node.get(key).ok_or_else(|| Fault::at(node.place, Reason::Missing(key.to_owned())))
}

fn required_in<'n>(node: &'n Node, outer: &str, key: &str) -> Read<&'n Node> {
    let missing = || Fault::at(node.place, Reason::Missing(format!("{outer}.{key}")));
    if !matches!(node.value, Value::Map(_)) {
        return Err(Fault::at(node.place, Reason::WantsMap(outer.to_owned())));
    }
    node.get(key).ok_or_else(missing)
}

fn text(key: &str, node: &Node, max: Option<usize>) -> Read<String> {
    let text =
        node.text().ok_or_else(|| Fault::at(node.place, Reason::WantsText(key.to_owned())))?;
    match max {
        Some(max) if text.chars().count() > max => {
            Err(Fault::at(node.place, Reason::TooLong(key.to_owned(), max)))
        }
        _ => Ok(text.to_owned()),
    }
}

fn list<'n>(key: &str, node: &'n Node) -> Read<&'n [Node]> {
    match &node.value {
        Value::List(items) => Ok(items),
        _ => Err(Fault::at(node.place, Reason::WantsList(key.to_owned()))),
    }
}

/// A list of different texts.
fn texts(key: &str, node: &Node, min: usize) -> Read<Vec<String>> {
    texts_of(key, node, min, true)
}

fn texts_of(key: &str, node: &Node, min: usize, unique: bool) -> Read<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for item in list(key, node)? {
        let text = text(key, item, None)?;
        if text.chars().count() < min {
            return Err(Fault::at(item.place, Reason::TooShort(key.to_owned(), min)));
        }
        if unique && found.contains(&text) {
            return Err(Fault::at(item.place, Reason::Repeated(key.to_owned(), text)));
        }
        found.push(text);
    }
    Ok(found)
}

/// Names of rules, at least one.
fn names(key: &str, node: &Node) -> Read<Vec<(String, Place)>> {
    let found = texts(key, node, 0)?;
    if found.is_empty() {
        return Err(Fault::at(node.place, Reason::Empty(key.to_owned())));
    }
    let places = list(key, node)?.iter().map(|item| item.place);
    Ok(found.into_iter().zip(places).collect())
}

fn date(key: &str, node: &Node) -> Read<String> {
    let text = text(key, node, None)?;
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        let part = &bytes[range];
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| part.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
    };
    let sound = bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && digits(0..4).is_some()
        && digits(5..7).is_some_and(|m| (1..=12).contains(&m))
        && digits(8..10).is_some_and(|d| (1..=31).contains(&d));
    match sound {
        true => Ok(text),
        false => Err(Fault::at(node.place, Reason::Date(key.to_owned(), text))),
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    tag.split_once('.').is_some_and(|(space, name)| {
        !space.is_empty()
            && space.bytes().all(word)
            && !name.is_empty()
            && name.bytes().all(|c| word(c) || c == b'.')
    })
}

fn related(node: &Node) -> Read<Vec<(Relation, String)>> {
    let mut found = Vec::new();
    for item in list("related", node)? {
        let id = text("related.id", required_in(item, "related", "id")?, None)?;
        let kind = required_in(item, "related", "type")?;
        let word = text("related.type", kind, None)?;
        let relation =
            Relation::read("related.type", &word).map_err(|r| Fault::at(kind.place, r))?;
        found.push((relation, id));
    }
    Ok(found)
}

/// A log source without its definition, and the definition.
fn read_logsource(node: &Node) -> Read<(LogSource, Option<String>)> {
    if !matches!(node.value, Value::Map(_)) {
        return Err(Fault::at(node.place, Reason::WantsMap("logsource".to_owned())));
    }
    let part = |key: &str| match node.get(key) {
        Some(value) => text(&format!("logsource.{key}"), value, None).map(Some),
        None => Ok(None),
    };
    let source = LogSource {
        category: part("category")?,
        product: part("product")?,
        service: part("service")?,
    };
    Ok((source, part("definition")?))
}

fn detection(key: &str, node: &Node, besides: &[&str]) -> Read<Detection> {
    let Value::Map(entries) = &node.value else {
        return Err(Fault::at(node.place, Reason::WantsMap(key.to_owned())));
    };
    let condition = required_in(node, key, "condition")?;
    let conditions = match &condition.value {
        Value::Text(text) => vec![(text.clone(), condition.place)],
        Value::List(items) if !items.is_empty() => items
            .iter()
            .map(|item| Ok((text("condition", item, None)?, item.place)))
            .collect::<Read<_>>()?,
        Value::List(_) => {
            return Err(Fault::at(condition.place, Reason::Empty("condition".into())));
        }
        _ => return Err(Fault::at(condition.place, Reason::WantsText("condition".into()))),
    };
    let selections: Vec<_> = entries
        .iter()
        .filter(|(name, _, _)| name != "condition" && !besides.contains(&name.as_str()))
        .cloned()
        .collect();
    if selections.is_empty() {
        return Err(Fault::at(node.place, Reason::Empty(key.to_owned())));
    }
    Ok(Detection { selections, conditions })
}

fn correlation(meta: Meta, node: &Node, body: &Node, limits: &Limits) -> Read<CorrelationDocument> {
    let kind_node = required_in(body, "correlation", "type")?;
    let word = text("correlation.type", kind_node, None)?;
    let kind = CorrelationType::read("correlation.type", &word)
        .map_err(|r| Fault::at(kind_node.place, r))?;
    let Value::Map(entries) = &body.value else { unreachable!("required_in has seen a map") };
    let known =
        ["type", "rules", "aliases", "group-by", "timespan", "condition", "generate", "ume"];
    if let Some((key, place, _)) = entries.iter().find(|(key, _, _)| !known.contains(&key.as_str()))
    {
        return Err(Fault::at(*place, Reason::CorrelationKey(key.clone())));
    }
    let rules_node = required_in(body, "correlation", "rules")?;
    let rules = names("correlation.rules", rules_node)?;
    if rules.len() > limits.correlated {
        let reason = Reason::Limit("rules in a correlation", limits.correlated);
        return Err(Fault::at(rules_node.place, reason));
    }
    let group_by = texts("group-by", required_in(body, "correlation", "group-by")?, 0)?;
    let timespan_us = timespan(required_in(body, "correlation", "timespan")?)?;
    let temporal = matches!(kind, CorrelationType::Temporal | CorrelationType::TemporalOrdered);
    let condition = match body.get("condition") {
        Some(condition) => condition_node(condition, kind)?,
        None if temporal => ConditionNode::default(),
        None => return Err(Fault::at(body.place, Reason::Missing("correlation.condition".into()))),
    };
    let aliases = body.get("aliases").map(aliases).transpose()?.unwrap_or_default();
    for rule in aliases.values().flat_map(BTreeMap::keys) {
        if !rules.iter().any(|(name, _)| name == rule) {
            let place = body.get("aliases").map_or(body.place, |n| n.place);
            return Err(Fault::at(place, Reason::AliasRule(rule.clone())));
        }
    }
    let generate = match body.get("generate").or_else(|| node.get("generate")) {
        None => false,
        Some(Node { value: Value::Bool(on), .. }) => *on,
        Some(other) => return Err(Fault::at(other.place, Reason::WantsBool("generate".into()))),
    };
    let own = body.get("ume").cloned();
    let place = node.place;
    Ok(CorrelationDocument {
        meta,
        place,
        kind,
        rules,
        aliases,
        group_by,
        timespan_us,
        condition,
        generate,
        own,
    })
}

fn aliases(node: &Node) -> Read<BTreeMap<String, BTreeMap<String, String>>> {
    let Value::Map(entries) = &node.value else {
        return Err(Fault::at(node.place, Reason::WantsMap("aliases".into())));
    };
    let mut found = BTreeMap::new();
    for (alias, _, fields) in entries {
        let key = format!("aliases.{alias}");
        let Value::Map(fields) = &fields.value else {
            return Err(Fault::at(fields.place, Reason::WantsMap(key)));
        };
        let fields =
            fields.iter().map(|(rule, _, field)| Ok((rule.clone(), text(&key, field, None)?)));
        found.insert(alias.clone(), fields.collect::<Read<_>>()?);
    }
    Ok(found)
}

/// `90m` in microseconds.
pub(crate) fn timespan(node: &Node) -> Read<i64> {
    let text = text("timespan", node, Some(10))?;
    let fault = || Fault::at(node.place, Reason::Timespan(text.clone()));
    let unit: i64 = match text.bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3_600,
        Some(b'd') => 86_400,
        _ => return Err(fault()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fault());
    }
    let number: i64 = digits.parse().map_err(|_| fault())?;
    let span = number.checked_mul(unit * 1_000_000).filter(|us| (1..=i64::MAX / 4).contains(us));
    span.ok_or_else(fault)
}

const BOUNDS: [&str; 6] = ["gt", "gte", "lt", "lte", "eq", "neq"];

fn condition_node(node: &Node, kind: CorrelationType) -> Read<ConditionNode> {
    use CorrelationType::*;
    let wrong = |place, what: &str| Fault::at(place, Reason::ConditionMap(what.to_owned()));
    let mut found = ConditionNode::default();
    let entries = match &node.value {
        Value::Text(text) if kind == Temporal => {
            found.expression = Some((text.clone(), node.place));
            return Ok(found);
        }
        Value::Map(entries) => entries,
        _ => return Err(wrong(node.place, "write a map such as gte: 10")),
    };
    for (key, place, value) in entries {
        match (key.as_str(), &value.value) {
            (bound, Value::Number(number, _)) if BOUNDS.contains(&bound) => {
                let number = match number {
                    Number::Int(i) => *i as f64,
                    Number::Float(f) => *f,
                };
                found.bounds.push((bound.to_owned(), number));
            }
            (bound, _) if BOUNDS.contains(&bound) => {
                return Err(Fault::at(value.place, Reason::WantsNumber(bound.to_owned())));
            }
            ("field", Value::Text(field)) => found.fields = vec![field.clone()],
            ("field", Value::List(_)) => found.fields = texts("condition.field", value, 0)?,
            ("percentile", Value::Number(number, _)) if kind == ValuePercentile => {
                let number = match number {
                    Number::Int(i) => *i as f64,
                    Number::Float(f) => *f,
                };
                if !(0.0..=100.0).contains(&number) {
                    return Err(Fault::at(
                        value.place,
                        Reason::OutOfRange(key.clone(), "0 to 100"),
                    ));
                }
                found.percentile = Some(number);
            }
            _ => {
                return Err(wrong(
                    *place,
                    &format!(
                        "{key:?} is not known here; known are gt, gte, lt, lte, eq, neq, field"
                    ),
                ));
            }
        }
    }
    if found.bounds.is_empty() {
        return Err(wrong(node.place, "no comparison; add one such as gte: 10"));
    }
    if found.bounds.len() > 2 {
        return Err(wrong(node.place, "more than two comparisons; chain correlations instead"));
    }
    if found.bounds.len() == 2
        && found.bounds.iter().any(|(b, _)| matches!(b.as_str(), "eq" | "neq"))
    {
        return Err(wrong(node.place, "a range has a lower and an upper bound, no eq or neq"));
    }
    let sides: Vec<bool> = found.bounds.iter().map(|(b, _)| b.starts_with('g')).collect();
    if sides.len() == 2 && sides[0] == sides[1] {
        return Err(wrong(node.place, "a range has a lower and an upper bound"));
    }
    let wants_field = !matches!(kind, EventCount | Temporal | TemporalOrdered);
    if wants_field && found.fields.is_empty() {
        return Err(Fault::at(node.place, Reason::Missing("condition.field".into())));
    }
    if !wants_field && !found.fields.is_empty() {
        return Err(wrong(node.place, "field has no meaning for this type; remove it"));
    }
    if found.fields.len() > 1 && kind != ValueCount {
        return Err(wrong(node.place, "more than one field; only value_count takes several"));
    }
    Ok(found)
}

/// A custom attribute as JSON; what JSON cannot hold becomes text.
pub(crate) fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(on) => Json::Bool(*on),
        Value::Number(Number::Int(i), text) => match i64::try_from(*i) {
            Ok(i) => Json::from(i),
            Err(_) => Json::String(text.clone()),
        },
        Value::Number(Number::Float(_), text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()))
        }
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(k, _, v)| (k.clone(), json(v))).collect())
        }
    }
}
