//! Types of attributes.

use crate::Kind;
use crate::pattern::Side;

/// All types of the core format.
const TYPES: &str = include_str!("types.txt");

/// Whether a type is of the core format; others are kept and not matched.
pub fn is_known(name: &str) -> bool {
    TYPES.lines().any(|known| known == name)
}

/// A value of an attribute that can be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub kind: Kind,
    pub value: String,
    pub side: Option<Side>,
}

/// What of an attribute can be matched: composites as their parts, others as they are; nothing of types that
/// speak of victims, persons, money or prose.
pub fn split(name: &str, value: &str) -> Vec<Part> {
    let names: Vec<&str> = match name {
        "malware-sample" => vec!["filename", "md5"],
        _ => name.split('|').collect(),
    };
    let values: Vec<&str> = match names.len() {
        1 => vec![value],
        _ => value.splitn(names.len(), '|').collect(),
    };
    if names.len() != values.len() {
        return Vec::new();
    }
    names.iter().zip(values).filter_map(|(name, value)| part(name, value.trim())).collect()
}

fn part(name: &str, value: &str) -> Option<Part> {
    let side = match name {
        "ip-src" | "email-src" => Some(Side::Source),
        "ip-dst" | "email-dst" => Some(Side::Destination),
        _ => None,
    };
    let kind = match name {
        "ip" | "ip-src" | "ip-dst" if value.contains('/') => Kind::Cidr,
        "ip" | "ip-src" | "ip-dst" => Kind::Ip,
        "domain" | "hostname" | "onion-address" => Kind::Domain,
        "url" => Kind::Url,
        "email" | "email-src" | "email-dst" | "email-reply-to" => Kind::Email,
        "md5" => Kind::Md5,
        "sha1" => Kind::Sha1,
        "sha256" => Kind::Sha256,
        "sha512" => Kind::Sha512,
        "ssdeep" => Kind::Ssdeep,
        "filename" | "email-attachment" => Kind::FileName,
        "regkey" => Kind::RegistryKey,
        "mutex" => Kind::Mutex,
        "user-agent" => Kind::UserAgent,
        "AS" => Kind::Asn,
        _ => return None,
    };
    (!value.is_empty()).then(|| Part { kind, value: value.to_owned(), side })
}

/// Type and category to write a value of a kind under.
pub(crate) fn of_kind(kind: Kind, side: Option<Side>) -> (&'static str, &'static str) {
    let source = side == Some(Side::Source);
    match kind {
        Kind::Ip | Kind::Cidr if source => ("ip-src", "Network activity"),
        Kind::Ip | Kind::Cidr => ("ip-dst", "Network activity"),
        Kind::Domain => ("domain", "Network activity"),
        Kind::Url => ("url", "Network activity"),
        Kind::Email if source => ("email-src", "Payload delivery"),
        Kind::Email => ("email", "Payload delivery"),
        Kind::Md5 => ("md5", "Payload delivery"),
        Kind::Sha1 => ("sha1", "Payload delivery"),
        Kind::Sha256 => ("sha256", "Payload delivery"),
        Kind::Sha512 => ("sha512", "Payload delivery"),
        Kind::Ssdeep => ("ssdeep", "Payload delivery"),
        Kind::FileName | Kind::Path => ("filename", "Payload delivery"),
        Kind::RegistryKey => ("regkey", "Persistence mechanism"),
        Kind::Mutex => ("mutex", "Artifacts dropped"),
        Kind::UserAgent => ("user-agent", "Network activity"),
        Kind::Asn => ("AS", "Network activity"),
    }
}
