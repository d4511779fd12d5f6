//! The registers: what the company file and the lists say, and for each other kind of the rooms a few
//! rows made from its schema. Every row is held against its schema before it is written.

use std::collections::{BTreeMap, HashMap};

use model::{Field, FieldType, Id, KindSpec, Rule, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::Row;

use super::{DemoError, chance::Chance, time::Calendar};
use crate::rooms::AT_WORK;

const COMPANY: &str = include_str!("company.toml");
/// Kinds whose rows stand for something that others publish, that only a signature makes, or that
/// are made one by one during the year.
const NOT_INVENTED: [&str; 24] = [
    "csirt_role",
    "indicator_decay",
    "indicator_exclusion",
    "intel_extraction",
    "intel_routing",
    "intel_sharing",
    "intel_source_rule",
    "vulnerability",
    "intel_escalation",
    "executive_order",
    "ipa10_threat",
    "threat_measure",
    "annex_a",
    "clause",
    "annex_a_2013",
    "retention_law",
    "task",
    "control_use",
    "statement_of_applicability",
    "risk_method",
    "management_review",
    "internal_audit",
    "audit_finding",
    "isms_change",
];

/// A row to be: texts may name others (`@name`) and dates (`D-30`, `T+2`) until [`rows`] resolves them.
#[derive(Clone, Debug)]
pub struct Seed {
    pub kind: String,
    pub name: String,
    pub day: i64,
    pub attributes: Map<String, Json>,
    pub owner: Option<String>,
    /// Kind and far end of a link that goes with the row.
    pub link: Option<(String, String)>,
}

impl Seed {
    pub fn new(kind: &str, name: &str, day: i64, attributes: Map<String, Json>) -> Seed {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        Seed { kind, name, day, attributes, owner: None, link: None }
    }
}

/// What the company file says, and what each room adds to it.
pub fn company() -> Result<Vec<Seed>, DemoError> {
    let mut seeds = part(COMPANY)?;
    for room in AT_WORK {
        seeds.extend(part(room.demonstration())?);
    }
    Ok(seeds)
}

fn part(text: &str) -> Result<Vec<Seed>, DemoError> {
    let bad = |what: &str| DemoError::Company(what.to_owned());
    let file: toml::Table = text.parse().map_err(|e| DemoError::Company(format!("{e}")))?;
    let kinds = file.get("kinds").and_then(toml::Value::as_array).ok_or(bad("no kinds"))?;
    let mut seeds = Vec::new();
    for kind in kinds {
        let text = |name: &str| kind.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        let id = text("kind").ok_or(bad("a kind without name"))?;
        let day = kind.get("day").and_then(toml::Value::as_integer).unwrap_or(1);
        let rows = kind.get("rows").and_then(toml::Value::as_array).ok_or(bad(&id))?;
        for row in rows {
            let value = serde_json::to_value(row).map_err(|e| DemoError::Company(e.to_string()))?;
            let Json::Object(mut attributes) = value else { return Err(bad(&id)) };
            let name = attributes.remove("name").and_then(|n| n.as_str().map(str::to_owned));
            let far = attributes.remove("link_to").and_then(|n| n.as_str().map(str::to_owned));
            let mut seed = Seed::new(&id, &name.ok_or(bad(&id))?, day, attributes);
            seed.owner = text("owner");
            seed.link = text("link").zip(far.map(|name| format!("@{name}")));
            seeds.push(seed);
        }
    }
    Ok(seeds)
}

/// A few rows of each kind that has none yet, on the day its room was taken up.
pub fn rest(seeds: &[Seed], kinds: &[(&'static KindSpec, i64)], chance: &mut Chance) -> Vec<Seed> {
    let mut made: Vec<Seed> = Vec::new();
    for (kind, day) in kinds {
        let known = seeds.iter().any(|s| s.kind == kind.id);
        let plain = !matches!(kind.table, Table::Decision | Table::Record | Table::Link);
        if known || !plain || NOT_INVENTED.contains(&kind.id) {
            continue;
        }
        for place in ["本社", "設計センター", "営業所"].iter().take(1 + chance.below(3))
        {
            let mut attributes = Map::new();
            let wanted = |f: &&Field| f.required || chance_of(f);
            for field in kind.fields.iter().filter(wanted) {
                let all = seeds.iter().chain(&made);
                if let Some(value) = invent(field, all, chance) {
                    attributes.insert(field.name.to_owned(), value);
                }
            }
            complete(kind, &mut attributes, || seeds.iter().chain(&made), chance);
            let name = format!("{}（{place}）", kind.title.ja);
            made.push(Seed::new(kind.id, &name, day + chance.below(9) as i64, attributes));
        }
    }
    made
}

/// Fills in what the rules of the kind make needed by the rest.
fn complete<'a, I: Iterator<Item = &'a Seed>>(
    kind: &KindSpec,
    attributes: &mut Map<String, Json>,
    seeds: impl Fn() -> I,
    chance: &mut Chance,
) {
    for rule in kind.rules {
        let needed = match rule {
            Rule::RequiredIf { field, .. } if rule.needs(field, attributes) => *field,
            Rule::OneOf { fields } if !fields.iter().any(|f| attributes.contains_key(*f)) => {
                fields[0]
            }
            _ => continue,
        };
        if attributes.contains_key(needed) {
            continue;
        }
        let Some(field) = kind.field(needed) else { continue };
        match (invent(field, seeds(), chance), rule) {
            (Some(value), _) => drop(attributes.insert(needed.to_owned(), value)),
            // There is nothing it could name, so what makes it needed goes.
            (None, Rule::RequiredIf { when, .. }) => drop(attributes.shift_remove(*when)),
            (None, _) => {}
        }
    }
}

/// Puts what the rules compare in order once dates stand.
fn in_order(kind: &KindSpec, attributes: &mut Map<String, Json>) {
    for rule in kind.rules {
        let (low, high) = match rule {
            Rule::NotBefore { start, end } => (*start, *end),
            Rule::AtMost { lower, upper } => (*lower, *upper),
            Rule::RequiredIf { .. } | Rule::OneOf { .. } => continue,
        };
        let broken = kind.validate(attributes).iter().any(|e| [low, high].contains(&e.field()));
        if let (true, Some(a), Some(b)) =
            (broken, attributes.get(low).cloned(), attributes.get(high).cloned())
        {
            attributes.insert(low.to_owned(), b);
            attributes.insert(high.to_owned(), a);
        }
    }
}

/// Optional fields that make a list readable.
fn chance_of(field: &Field) -> bool {
    matches!(field.ty, FieldType::Enum(_) | FieldType::Boolean)
}

fn invent<'a>(
    field: &Field,
    mut seeds: impl Iterator<Item = &'a Seed>,
    chance: &mut Chance,
) -> Option<Json> {
    Some(match field.ty {
        FieldType::Text => text_of(field.name, field.label.ja, chance).into(),
        FieldType::Multiline => {
            format!("{}は情報セキュリティ委員会で定め、年1回見直す。", field.label.ja).into()
        }
        FieldType::TextPair => {
            json!({"ja": "手順書に従って直す", "en": "mend as the procedure says"})
        }
        FieldType::Number { min, max, .. } => {
            (min + 1 + chance.below(12) as i64).clamp(min, max).into()
        }
        FieldType::Money => (100_000 + 10_000 * chance.below(90) as i64).into(),
        FieldType::Date => format!("D+{}", 30 + chance.below(300)).into(),
        FieldType::Time => format!("T+{}", 1 + chance.below(20)).into(),
        FieldType::Period => "P5Y".into(),
        FieldType::Zone => "Asia/Tokyo".into(),
        FieldType::Enum(choices) => chance.pick(choices).value.into(),
        FieldType::Boolean => chance.happens(700).into(),
        FieldType::Reference(kind) => format!("@{}", seeds.find(|s| s.kind == kind)?.name).into(),
        FieldType::Party => {
            format!("@{}", chance.pick(&["佐藤 美咲", "鈴木 健一", "伊藤 誠"])).into()
        }
        // No file was uploaded, so none is claimed.
        FieldType::File | FieldType::Hash => {
            if !field.required {
                return None;
            }
            format!("{:064x}", chance.next()).into()
        }
        FieldType::List => json!([text_of(field.name, field.label.ja, chance)]),
        FieldType::Duration => format!("PT{}M", 15 * (1 + chance.below(8))).into(),
        FieldType::Table(columns) => {
            let text = |c: &&Field| matches!(c.ty, FieldType::Text) || c.required;
            let cells = columns
                .iter()
                .filter(text)
                .filter_map(|c| Some((c.name.to_owned(), invent(c, std::iter::empty(), chance)?)));
            json!([cells.collect::<Map<_, _>>()])
        }
        FieldType::Object => json!({"基準": "手順書のとおり"}),
    })
}

fn text_of(name: &str, label: &str, chance: &mut Chance) -> String {
    let n = chance.below(90) + 10;
    match name {
        "cidr" | "networks" => format!("198.51.100.{}/28", n / 16 * 16),
        "address" | "addresses" | "gateway" => format!("198.51.100.{n}"),
        "url" | "location" | "repository" => format!("https://ume-{n}.example/"),
        "domain" | "domains" | "targets" | "entries" => format!("ume-{n}.example"),
        "version" | "edition" | "firmware" => format!("{}.{}", n / 10, n % 10),
        "cwe" => "CWE-89".to_owned(),
        "method" => "GET".to_owned(),
        "path" => format!("/orders/{n}"),
        "purl" => "pkg:deb/debian/openssl@3.0.15".to_owned(),
        "cpe" => "cpe:2.3:a:openssl:openssl:3.0.15:*:*:*:*:*:*:*".to_owned(),
        "commit" => format!("{:010x}", chance.next() >> 24),
        "serial" | "number" | "fingerprint" | "value" => format!("OM-{n:04}"),
        "schedule" | "recurrence" | "hours" | "window" => "毎週月曜 09:00".to_owned(),
        "cite" | "article" => "社内規程 第12条".to_owned(),
        "language" | "languages" => "C++".to_owned(),
        "tool" => "社内標準ツール".to_owned(),
        _ => format!("{label} 標準{}", n % 5 + 1),
    }
}

/// The rows with their days, ids drawn from the seed, references and dates in place; links too.
pub fn rows(
    seeds: &[Seed],
    kinds: &HashMap<&'static str, &'static KindSpec>,
    calendar: &Calendar,
    chance: &mut Chance,
) -> Result<BTreeMap<i64, Vec<Row>>, DemoError> {
    let mut ids: HashMap<&str, Id> = HashMap::new();
    for seed in seeds {
        ids.entry(&seed.name).or_insert_with(|| new_id(calendar.at(seed.day, 9, 0), chance));
    }
    let mut used = std::collections::HashSet::new();
    let mut rows: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for seed in seeds {
        let kind = kinds.get(seed.kind.as_str()).ok_or(DemoError::Company(seed.kind.clone()))?;
        let known = ids[seed.name.as_str()];
        // Two rows may share a name; only the first is found by it.
        let id =
            if used.insert(known) { known } else { new_id(calendar.at(seed.day, 9, 0), chance) };
        let mut row = Row::new(kind.table, id, kind.id, &seed.name);
        row.schema_version = i64::from(kind.version);
        let find = |name: &str| {
            let id = ids.get(name.trim_start_matches('@'));
            id.copied().ok_or_else(|| DemoError::Company(format!("{name} in {}", seed.name)))
        };
        row.owner = seed.owner.as_deref().map(find).transpose()?;
        for (name, value) in &seed.attributes {
            let value = match value.as_str() {
                Some(text) if text.starts_with('@') => find(text)?.to_string().into(),
                Some(text) => calendar.resolve(seed.day, text).into(),
                None => value.clone(),
            };
            row.attributes.insert(name.clone(), value);
        }
        in_order(kind, &mut row.attributes);
        let wrong = kind.validate(&row.attributes);
        if let Some(error) = wrong.first() {
            return Err(DemoError::Company(format!("{} {}: {error}", kind.id, seed.name)));
        }
        if let Some((kind, far)) = &seed.link {
            let mut link =
                Row::new(Table::Link, new_id(calendar.at(seed.day, 9, 5), chance), kind, "");
            link.name = format!("{} → {}", seed.name, far.trim_start_matches('@'));
            (link.subject, link.object) = (Some(id), Some(find(far)?));
            rows.entry(seed.day).or_default().push(link);
        }
        rows.entry(seed.day).or_default().push(row);
    }
    Ok(rows)
}

/// An id that is the same for the same seed.
pub fn new_id(at: Timestamp, chance: &mut Chance) -> Id {
    let mut random = [0; 10];
    for (to, from) in random
        .iter_mut()
        .zip(chance.next().to_le_bytes().into_iter().chain(chance.next().to_le_bytes()))
    {
        *to = from;
    }
    Id::from_parts(at, &random)
}
