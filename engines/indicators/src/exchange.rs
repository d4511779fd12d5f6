//! Indicators between formats: what STIX and MISP say, as one list, and back.
//!
//! Only what one value says alone goes through: a pattern that asks for more is left, with its reason, and stays
//! a pattern. Ids follow from the content, so converting the same twice makes the same.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::Kind;
use crate::misp::{self, Draft, DraftAttribute, Event};
use crate::pattern::{
    self, Comparison, Expression, Literal, Net, Operator, Path, Pattern, Plan, PropertyTest, Side,
    Step,
};
use crate::stix::{canonical, time};
use crate::tlp::{self, Edition, Effective, Level, Marking};

const NAMESPACE: Uuid = Uuid::from_u128(0x6d1c_3a52_0f0e_5b7c_9a44_8f1d_2c70_b6e3);

/// One value that somebody holds against us or for us.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub kind: Kind,
    pub value: String,
    pub side: Option<Side>,
    /// Microseconds since 1970.
    pub from: Option<i64>,
    pub until: Option<i64>,
    /// Whether its producer means it for detection.
    pub enforce: bool,
    pub level: Level,
    /// Id of what it was said by.
    pub by: String,
}

/// Items, and what none were made of with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Items {
    pub items: Vec<Item>,
    pub left: Vec<(String, String)>,
}

/// The items of STIX objects; `default` is the mark of the unmarked.
pub fn from_stix(objects: &[&Value], default: Level) -> Items {
    let mut out = Items::default();
    let lookup = |id: &str| objects.iter().find(|o| o["id"] == id).copied();
    for object in objects.iter().filter(|object| object["type"] == "indicator") {
        let id = object["id"].as_str().unwrap_or_default();
        let Effective { marking, .. } =
            tlp::effective(&[id], &lookup, &|_| Marking::level(default));
        if let Err(why) = of_indicator(object, marking.level, &mut out.items) {
            out.left.push((id.to_owned(), why));
        }
    }
    out
}

fn of_indicator(object: &Value, level: Level, out: &mut Vec<Item>) -> Result<(), String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    if object["revoked"] == true {
        return Err("revoked".to_owned());
    }
    if text("pattern_type").unwrap_or("stix") != "stix" {
        return Err(format!("a pattern of {}", text("pattern_type").unwrap_or_default()));
    }
    let pattern = pattern::parse(text("pattern").unwrap_or_default()).map_err(|e| e.to_string())?;
    let Plan::Values(values) = pattern::plan(&pattern) else {
        return Err("its pattern asks for more than one value".to_owned());
    };
    let benign = object["indicator_types"]
        .as_array()
        .is_some_and(|types| types.iter().all(|t| t == "benign"));
    for value in values {
        out.push(Item {
            kind: value.kind,
            value: value.value,
            side: value.side,
            from: text("valid_from").and_then(time::parse),
            until: text("valid_until").and_then(time::parse),
            enforce: !benign,
            level,
            by: text("id").unwrap_or_default().to_owned(),
        });
    }
    Ok(())
}

/// The items of an event.
pub fn from_misp(event: &Event, default: Level) -> Items {
    let rows = misp::rows(event, &Marking::level(default));
    let items = rows.rows.into_iter().map(|row| Item {
        kind: row.kind,
        value: row.value,
        side: row.side,
        from: row.first_seen,
        until: None,
        enforce: row.enforce,
        level: row.ceiling.level,
        by: row.uuid,
    });
    let left = rows.left.into_iter().map(|(pointer, why)| (pointer, why.to_owned()));
    Items { items: items.collect(), left: left.collect() }
}

/// A bundle of indicators with their markings, made at a moment. What is not meant for detection is `benign`.
pub fn to_stix(items: &[Item], at: i64) -> Value {
    let mut levels: Vec<Level> = items.iter().map(|item| item.level).collect();
    levels.sort_unstable();
    levels.dedup();
    let mut objects: Vec<Value> =
        levels.iter().map(|l| tlp::definition(Edition::Two, *l)).collect();
    objects.extend(items.iter().map(|item| indicator(item, at)));
    let id = Uuid::new_v5(&NAMESPACE, canonical(&Value::Array(objects.clone())).as_bytes());
    json!({ "type": "bundle", "id": format!("bundle--{id}"), "objects": objects })
}

fn indicator(item: &Item, at: i64) -> Value {
    let pattern = pattern_of(item).to_string();
    let moment = time::print_millis(at);
    let key = format!("{pattern}\n{:?}\n{:?}", item.from, item.until);
    let kind = if item.enforce { "malicious-activity" } else { "benign" };
    let mut made = json!({
        "type": "indicator", "spec_version": "2.1",
        "id": format!("indicator--{}", random_shape(Uuid::new_v5(&NAMESPACE, key.as_bytes()))),
        "created": moment, "modified": moment, "pattern": pattern, "pattern_type": "stix",
        "indicator_types": [kind], "valid_from": time::print_millis(item.from.unwrap_or(at)),
        "object_marking_refs": [tlp::definition_id(Edition::Two, item.level)],
    });
    if let Some(until) = item.until {
        made["valid_until"] = time::print_millis(until).into();
    }
    made
}

/// Ids of indicators are to look random: version 4.
fn random_shape(uuid: Uuid) -> Uuid {
    uuid::Builder::from_random_bytes(*uuid.as_bytes()).into_uuid()
}

/// The pattern that asks for this value and nothing else.
pub fn pattern_of(item: &Item) -> Pattern {
    let (object, keys) = path(item);
    let text = || Operator::Equal(Literal::Text(item.value.clone()));
    let operator = match item.kind {
        Kind::Asn => match item.value.trim_start_matches(['A', 'S', 'a', 's']).parse::<i128>() {
            Ok(number) => Operator::Equal(Literal::Integer(number)),
            Err(_) => text(),
        },
        Kind::Cidr => Net::parse(&item.value).map_or_else(text, Operator::Subset),
        _ => text(),
    };
    let steps = keys.iter().map(|key| Step::Key((*key).to_owned())).collect();
    let path = Path { object: object.to_owned(), steps };
    let test = PropertyTest { path, negated: false, operator };
    Pattern { root: Expression::Test(Comparison::Test(test)) }
}

fn path(item: &Item) -> (&'static str, &'static [&'static str]) {
    let connection = match item.side {
        Some(Side::Source) => &["src_ref", "value"][..],
        _ => &["dst_ref", "value"][..],
    };
    match item.kind {
        Kind::Ip | Kind::Cidr | Kind::Domain if item.side.is_some() => {
            ("network-traffic", connection)
        }
        Kind::Ip | Kind::Cidr if item.value.contains(':') => ("ipv6-addr", &["value"]),
        Kind::Ip | Kind::Cidr => ("ipv4-addr", &["value"]),
        Kind::Domain => ("domain-name", &["value"]),
        Kind::Url => ("url", &["value"]),
        Kind::Email => ("email-addr", &["value"]),
        Kind::Md5 => ("file", &["hashes", "MD5"]),
        Kind::Sha1 => ("file", &["hashes", "SHA-1"]),
        Kind::Sha256 => ("file", &["hashes", "SHA-256"]),
        Kind::Sha512 => ("file", &["hashes", "SHA-512"]),
        Kind::Ssdeep => ("file", &["hashes", "SSDEEP"]),
        Kind::FileName => ("file", &["name"]),
        Kind::Path => ("directory", &["path"]),
        Kind::RegistryKey => ("windows-registry-key", &["key"]),
        Kind::Mutex => ("mutex", &["name"]),
        Kind::UserAgent => {
            ("network-traffic", &["extensions", "http-request-ext", "request_header", "User-Agent"])
        }
        Kind::Asn => ("autonomous-system", &["number"]),
    }
}

/// An event of these items, marked as the strictest of them.
pub fn to_misp(items: &[Item], info: &str, org: (String, String), at: i64) -> Event {
    let attributes: Vec<DraftAttribute> = items.iter().map(attribute).collect();
    let key: String = attributes.iter().map(|a| a.uuid.as_str()).chain([info]).collect();
    Event::from(&Draft {
        uuid: Uuid::new_v5(&NAMESPACE, key.as_bytes()).to_string(),
        info: info.to_owned(),
        at,
        org,
        level: items.iter().map(|item| item.level).max().unwrap_or(Level::Clear),
        attributes,
    })
}

/// The UUID of an organisation that has none: always the same for a name.
pub fn org_uuid(name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

fn attribute(item: &Item) -> DraftAttribute {
    let key = format!("{}\n{}\n{:?}", item.kind.as_str(), item.value, item.side);
    DraftAttribute {
        uuid: Uuid::new_v5(&NAMESPACE, key.as_bytes()).to_string(),
        kind: item.kind,
        value: item.value.clone(),
        side: item.side,
        first_seen: item.from,
        last_seen: None,
        to_ids: item.enforce,
    }
}
