//! Warning lists: values that are known and mostly harmless, so that no feed has them blocked.
//!
//! The lists are MISP's (`list.json`): `cidr`, `hostname` (the name and all below), `string`,
//! `substring`, `regex` (`/…/i`), each for certain types of attributes. They become a set of their
//! own, which is asked for each row when indicators are judged. Two differences to MISP, both
//! towards more warnings: a `string` that begins with a dot means the names below it, and the host
//! of a URL is looked for as well.

use netname::Names;
use serde::Deserialize;

use crate::{
    Ceiling, Direction, Entry, Key, Kind, Kinds, Micros, Observable, Reject, Scope, Set,
    normalise::{expression, normalise, residue},
    set::Damage,
};

/// Bytes of one list: the largest that is known has a million names.
pub const LIST_BYTES_MAX: usize = 256 << 20;
/// Refusals that are told one by one.
pub const REFUSED_TOLD_MAX: usize = 100;

#[derive(Deserialize)]
struct Document {
    name: String,
    #[serde(rename = "type")]
    form: String,
    #[serde(default)]
    matching_attributes: Vec<String>,
    list: Vec<String>,
}

/// A list as it was read.
#[derive(Clone, Debug)]
pub struct Read {
    pub name: String,
    pub entries: Vec<Entry>,
    /// Values that are none, with the reason; the first of them.
    pub refused: Vec<(String, Reject)>,
    pub refused_count: usize,
}

/// Why a list could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("more than {max} bytes")]
    Large { max: usize },
    #[error("no warning list: {0}")]
    Json(#[from] serde_json::Error),
    #[error("type {0:?} is none of cidr, hostname, string, substring, regex")]
    Form(String),
}

/// Reads a list. `number` tells its rows from those of other lists.
pub fn read(json: &[u8], number: u32, names: &Names) -> Result<Read, ReadError> {
    if json.len() > LIST_BYTES_MAX {
        return Err(ReadError::Large { max: LIST_BYTES_MAX });
    }
    let document: Document = serde_json::from_slice(json)?;
    if !["cidr", "hostname", "string", "substring", "regex"].contains(&document.form.as_str()) {
        return Err(ReadError::Form(document.form));
    }
    let kinds = kinds_of(&document.matching_attributes);
    let ceiling = effect(&document.name);
    let mut read =
        Read { name: document.name, entries: Vec::new(), refused: Vec::new(), refused_count: 0 };
    for value in document.list {
        let keys = keys(&document.form, &value, &kinds, names);
        let set = kinds.iter().fold(Kinds::NONE, |set, kind| set.with(*kind));
        match keys {
            Ok(keys) => {
                for key in keys {
                    let id = u64::from(number) << 32 | read.entries.len() as u64;
                    let entry = Entry { ceiling, kinds: set, ..Entry::new(id, key, &read.name) };
                    read.entries.push(entry);
                }
            }
            Err(reject) => {
                read.refused_count += 1;
                if read.refused.len() < REFUSED_TOLD_MAX {
                    read.refused.push((value, reject));
                }
            }
        }
    }
    Ok(read)
}

/// Hosts that anybody may put pages on are no reason to spare the page, only the host.
fn effect(name: &str) -> Ceiling {
    let name = name.to_lowercase();
    let shared = ["shortener", "link in bio", "link-in-bio", "hosting", "file sharing"];
    if shared.iter().any(|word| name.contains(word)) { Ceiling::UrlOnly } else { Ceiling::Alert }
}

/// MISP's types of attributes, the parts of composites each by itself.
fn kinds_of(attributes: &[String]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for part in attributes.iter().flat_map(|attribute| attribute.split('|')) {
        let these: &[Kind] = match part {
            "ip" | "ip-src" | "ip-dst" => &[Kind::Ip, Kind::Cidr],
            "domain" | "hostname" => &[Kind::Domain],
            "url" | "uri" | "link" => &[Kind::Url],
            "md5" => &[Kind::Md5],
            "sha1" => &[Kind::Sha1],
            "sha256" => &[Kind::Sha256],
            "sha512" => &[Kind::Sha512],
            "ssdeep" => &[Kind::Ssdeep],
            "filename" => &[Kind::FileName],
            "AS" => &[Kind::Asn],
            "user-agent" => &[Kind::UserAgent],
            part if part.contains("email") => &[Kind::Email],
            _ => &[],
        };
        kinds.extend(these);
    }
    // A list that says nothing speaks of everything; one that names only what no kind of ours is
    // speaks of nothing.
    if attributes.is_empty() {
        kinds.extend(Kind::ALL);
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn keys(form: &str, value: &str, kinds: &[Kind], names: &Names) -> Result<Vec<Key>, Reject> {
    match form {
        "cidr" => Ok(vec![normalise(Kind::Cidr, value, names)?]),
        "hostname" => {
            let bare = value.trim().trim_start_matches('.');
            let key = normalise(Kind::Domain, bare, names)?;
            Ok(vec![key.reaching(Scope::Subdomains)?])
        }
        "substring" => parts(Scope::Substring, value, kinds),
        "regex" => parts(Scope::Regex, &bare_expression(value)?, kinds),
        _ => string(value, kinds, names),
    }
}

/// A whole value, of whichever of the kinds it is one.
fn string(value: &str, kinds: &[Kind], names: &Names) -> Result<Vec<Key>, Reject> {
    let mut keys: Vec<Key> = Vec::new();
    let mut last = Reject::Empty;
    for kind in kinds {
        // A bare host stands among names and addresses; the URL's host is looked for there.
        let kind = if *kind == Kind::Url && !value.contains('/') { Kind::Domain } else { *kind };
        match normalise(kind, value, names) {
            Ok(key) if !keys.contains(&key) => keys.push(key),
            Ok(_) => {}
            Err(reject) => last = reject,
        }
    }
    if keys.is_empty() && !kinds.is_empty() { Err(last) } else { Ok(keys) }
}

fn parts(scope: Scope, value: &str, kinds: &[Kind]) -> Result<Vec<Key>, Reject> {
    // An address is no part of another: `1.1.1.1` is not in `11.1.1.1`.
    if scope == Scope::Substring && value.parse::<core::net::IpAddr>().is_ok() {
        return Ok(vec![normalise(Kind::Cidr, value, &Names::shipped())?]);
    }
    let suit = kinds.iter().filter(|kind| scope.suits(**kind));
    suit.map(|kind| residue(*kind, scope, value)).collect()
}

/// `/…/i` as the crate `regex` writes it.
fn bare_expression(value: &str) -> Result<String, Reject> {
    let Some(rest) = value.strip_prefix('/') else { return Ok(value.to_owned()) };
    let (body, flags) = rest.rsplit_once('/').ok_or(Reject::Regex)?;
    let kept: String = flags.chars().filter(|flag| matches!(flag, 'i' | 'm' | 's' | 'x')).collect();
    // Delimiters may stand escaped for the host language; `\@` is `@` in all of them.
    let body = body.replace("\\/", "/").replace("\\@", "@");
    let text = if kept.is_empty() { body } else { format!("(?{kept}){body}") };
    expression(&text).map(|_| text).ok_or(Reject::Regex)
}

/// What a list says of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub list: String,
    /// The value of the list that was met.
    pub value: String,
    pub ceiling: Ceiling,
}

/// The strictest word of any list on a row's value.
pub fn listed(key: &Key, lists: &Set<'_>, at: Micros) -> Result<Option<Listed>, Damage> {
    let mut hits = Vec::new();
    let seen = Observable::of(key, Direction::Both, &Names::shipped()).up_to_the_top();
    lists.lookup(&seen, at, &mut hits)?;
    if key.kind() == Kind::Cidr {
        hits.extend(lists.within(key, at)?);
    }
    let page = key.kind() == Kind::Url && matches!(key.scope(), Scope::Exact | Scope::Prefix);
    let mut said: Option<Listed> = None;
    for hit in hits.iter().filter(|hit| hit.kinds.has(key.kind())) {
        // Of a page whose host is listed only the host is spared, and of a host all of it.
        let through_host = page && hit.kind != Kind::Url;
        let ceiling = match (hit.ceiling, page) {
            (Ceiling::Nothing, _) => Ceiling::Nothing,
            (Ceiling::UrlOnly, false) => Ceiling::Alert,
            _ if through_host => Ceiling::UrlOnly,
            (ceiling, _) => ceiling,
        };
        if said.as_ref().is_none_or(|said| ceiling < said.ceiling) {
            said = Some(Listed { list: hit.source.to_owned(), value: hit.value(), ceiling });
        }
    }
    Ok(said)
}
