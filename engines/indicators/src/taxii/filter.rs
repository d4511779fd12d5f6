//! The query of a request.

use std::collections::BTreeMap;

use crate::stix::time;

/// How many values one field of a filter names.
const VALUES_MAX: usize = 1_000;

/// What a request asks for. Values of one field are alternatives; fields hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub ids: Vec<String>,
    pub types: Vec<String>,
    pub versions: Versions,
    pub spec_versions: Vec<String>,
}

/// Which versions of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    All,
    /// The first, the last, and those of these moments.
    Some {
        first: bool,
        last: bool,
        at: Vec<i64>,
    },
}

impl Default for Versions {
    fn default() -> Versions {
        Versions::Some { first: false, last: true, at: Vec::new() }
    }
}

/// A query that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub filter: Filter,
    /// Whether versions were asked for by name.
    pub names_versions: bool,
    pub added_after: Option<i64>,
    pub limit: Option<usize>,
    pub next: Option<String>,
    /// The fields of the filter in one spelling, which `next` is bound to.
    pub canonical: String,
}

pub(crate) fn read(query: &str) -> Result<Query, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key)?, decoded(value)?);
        if fields.contains_key(&key) {
            return Err(format!("{key} stands twice"));
        }
        fields.insert(key, value);
    }
    let mut out = Query::default();
    for (key, value) in &fields {
        field(&mut out, key, value)?;
    }
    fields.retain(|key, _| key.starts_with("match[") || key == "added_after");
    out.canonical = fields.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    Ok(out)
}

fn field(out: &mut Query, key: &str, value: &str) -> Result<(), String> {
    match key {
        "added_after" => {
            out.added_after = Some(time::parse(value).ok_or("added_after is no timestamp")?);
        }
        "limit" => {
            let number = value.parse::<u64>().ok().filter(|number| *number > 0);
            let number = number.ok_or("limit is no number above 0")?;
            out.limit = Some(usize::try_from(number).unwrap_or(usize::MAX));
        }
        "next" => out.next = Some(value.to_owned()),
        "match[id]" => out.filter.ids = values(value)?,
        "match[type]" => out.filter.types = values(value)?,
        "match[spec_version]" => out.filter.spec_versions = values(value)?,
        "match[version]" => {
            out.filter.versions = versions(value)?;
            out.names_versions = true;
        }
        _ if key.starts_with("match[") => return Err(format!("{key} is not known here")),
        // Others may mean something to other servers.
        _ => {}
    }
    Ok(())
}

fn values(list: &str) -> Result<Vec<String>, String> {
    let values: Vec<String> = list.split(',').map(str::to_owned).collect();
    match values.len() > VALUES_MAX {
        true => Err(format!("more than {VALUES_MAX} values")),
        false => Ok(values),
    }
}

fn versions(list: &str) -> Result<Versions, String> {
    let values = values(list)?;
    if values.iter().any(|value| value == "all") {
        return match values.len() {
            1 => Ok(Versions::All),
            _ => Err("match[version]: all stands alone".to_owned()),
        };
    }
    let (mut first, mut last, mut at) = (false, false, Vec::new());
    for value in values {
        match value.as_str() {
            "first" => first = true,
            "last" => last = true,
            other => at.push(time::parse(other).ok_or("match[version]: no version")?),
        }
    }
    Ok(Versions::Some { first, last, at })
}

fn decoded(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let pair = bytes.get(at + 1..at + 3).ok_or("a % that is cut off")?;
                out.extend(hex::decode(pair).map_err(|_| "a % without two digits")?);
                at += 3;
            }
            byte => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|_| "no UTF-8".to_owned())
}
