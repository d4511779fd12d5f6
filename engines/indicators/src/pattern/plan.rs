//! What of a pattern an index can look for.

use super::ast::{Comparison, Expression, Literal, Operator, Pattern, PropertyTest, Step};
use crate::Kind;

/// A value whose presence in an observation makes the pattern worth evaluating.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trigger {
    pub kind: Kind,
    pub value: String,
    /// The side of a connection the value stands on, if the pattern says so.
    pub side: Option<Side>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Source,
    Destination,
}

/// How a pattern is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// One of these values, and nothing else, is the pattern.
    Values(Vec<Trigger>),
    /// Without one of these values the pattern cannot match; with one it is to be evaluated.
    Triggers(Vec<Trigger>),
    /// Nothing an index knows: evaluate it on every observation of these types.
    Types(Vec<String>),
}

/// Says how a pattern is looked for.
pub fn plan(pattern: &Pattern) -> Plan {
    let needed = expression(&pattern.root);
    match needed {
        Some(needed) if needed.whole => Plan::Values(needed.values),
        Some(needed) => Plan::Triggers(needed.values),
        None => {
            let mut types = Vec::new();
            types_of(&pattern.root, &mut types);
            types.sort();
            types.dedup();
            Plan::Types(types)
        }
    }
}

struct Needed {
    values: Vec<Trigger>,
    /// Nothing beside one of the values is asked for.
    whole: bool,
}

fn expression(node: &Expression) -> Option<Needed> {
    match node {
        Expression::Test(inner) => comparison(inner),
        Expression::Or(parts) => any(parts.iter().map(expression)),
        Expression::And(parts) | Expression::FollowedBy(parts) => {
            least(parts.iter().map(expression))
        }
        Expression::Repeats(inner, _)
        | Expression::Within(inner, _)
        | Expression::StartStop(inner, ..) => least(std::iter::once(expression(inner))),
    }
}

fn comparison(node: &Comparison) -> Option<Needed> {
    match node {
        Comparison::Or(parts) => any(parts.iter().map(comparison)),
        Comparison::And(parts) => least(parts.iter().map(comparison)),
        Comparison::Test(test) => property(test),
        Comparison::Exists { .. } => None,
    }
}

/// One of them is enough, so all must be looked for.
fn any(parts: impl Iterator<Item = Option<Needed>>) -> Option<Needed> {
    let mut all = Needed { values: Vec::new(), whole: true };
    for part in parts {
        let part = part?;
        all.whole &= part.whole;
        all.values.extend(part.values);
    }
    Some(all)
}

/// All are needed, so it is enough to look for the one with the fewest values.
fn least(parts: impl Iterator<Item = Option<Needed>>) -> Option<Needed> {
    let best = parts.flatten().min_by_key(|needed| needed.values.len())?;
    Some(Needed { whole: false, ..best })
}

fn property(test: &PropertyTest) -> Option<Needed> {
    if test.negated {
        return None;
    }
    let keys: Vec<&str> = test.path.steps.iter().filter_map(key).collect();
    let (kind, side) = kind(&test.path.object, &keys)?;
    let values: Option<Vec<Trigger>> = match &test.operator {
        Operator::Equal(literal) => Some(vec![trigger(kind, side, literal)?]),
        Operator::In(literals) => literals.iter().map(|l| trigger(kind, side, l)).collect(),
        Operator::Like(like) => Some(vec![Trigger { kind, value: like.exact()?, side }]),
        Operator::Subset(net) if kind == Kind::Ip => {
            Some(vec![Trigger { kind: Kind::Cidr, value: net.to_string(), side }])
        }
        _ => None,
    };
    Some(Needed { values: values?, whole: true })
}

fn key(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) | Step::Any => None,
    }
}

fn trigger(kind: Kind, side: Option<Side>, literal: &Literal) -> Option<Trigger> {
    let value = match literal {
        Literal::Text(text) => text.clone(),
        Literal::Integer(number) if kind == Kind::Asn => number.to_string(),
        _ => return None,
    };
    let kind = match (kind, value.contains('/')) {
        (Kind::Ip, true) => Kind::Cidr,
        // The far end of a connection is an address or a name.
        (Kind::Ip, false) if value.parse::<core::net::IpAddr>().is_err() => Kind::Domain,
        _ => kind,
    };
    Some(Trigger { kind, value, side })
}

/// What kind of indicator the value at a path is.
fn kind(object: &str, keys: &[&str]) -> Option<(Kind, Option<Side>)> {
    let side = match keys.first() {
        Some(&"src_ref") => Some(Side::Source),
        Some(&"dst_ref") => Some(Side::Destination),
        _ => None,
    };
    let kind = match (object, keys) {
        ("ipv4-addr" | "ipv6-addr", ["value"]) => Kind::Ip,
        ("network-traffic", ["src_ref" | "dst_ref", "value"]) => Kind::Ip,
        ("domain-name", ["value"]) => Kind::Domain,
        ("url", ["value"]) => Kind::Url,
        ("email-addr", ["value"]) => Kind::Email,
        ("email-message", [of, "value"]) if of.ends_with("_ref") || of.ends_with("_refs") => {
            Kind::Email
        }
        ("file" | "artifact", ["hashes", name]) => hash(name)?,
        ("process", ["image_ref", "hashes", name]) => hash(name)?,
        ("file", ["name"]) | ("process", ["name"] | ["image_ref", "name"]) => Kind::FileName,
        ("directory", ["path"]) => Kind::Path,
        ("windows-registry-key", ["key"]) => Kind::RegistryKey,
        ("mutex", ["name"]) => Kind::Mutex,
        ("autonomous-system", ["number"]) => Kind::Asn,
        ("network-traffic", ["extensions", "http-request-ext", "request_header", name])
            if name.eq_ignore_ascii_case("user-agent") =>
        {
            Kind::UserAgent
        }
        _ => return None,
    };
    Some((kind, side))
}

fn hash(name: &str) -> Option<Kind> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    Some(match plain.to_ascii_uppercase().as_str() {
        "MD5" => Kind::Md5,
        "SHA1" => Kind::Sha1,
        "SHA256" => Kind::Sha256,
        "SHA512" => Kind::Sha512,
        "SSDEEP" => Kind::Ssdeep,
        _ => return None,
    })
}

fn types_of(node: &Expression, out: &mut Vec<String>) {
    match node {
        Expression::Test(inner) => types_in(inner, out),
        Expression::And(parts) | Expression::Or(parts) | Expression::FollowedBy(parts) => {
            parts.iter().for_each(|part| types_of(part, out));
        }
        Expression::Repeats(inner, _)
        | Expression::Within(inner, _)
        | Expression::StartStop(inner, ..) => types_of(inner, out),
    }
}

fn types_in(node: &Comparison, out: &mut Vec<String>) {
    match node {
        Comparison::And(parts) | Comparison::Or(parts) => {
            parts.iter().for_each(|part| types_in(part, out));
        }
        Comparison::Test(PropertyTest { path, .. }) | Comparison::Exists { path, .. } => {
            out.push(path.object.clone());
        }
    }
}
