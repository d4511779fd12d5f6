//! Facts as `ume baseline facts --format json` prints them, read back.

use baseline::{Bytes, Class, Fact, Facts};
use serde_json::Value as Json;

/// Most facts of one file.
const FACTS_MAX: usize = 2_000_000;

/// Reads facts; says which one is not one.
pub fn facts(json: &Json) -> Result<Facts, String> {
    let list = json.as_array().or_else(|| json["facts"].as_array());
    let list =
        list.ok_or("no list of facts: it must be what `ume baseline facts --format json` prints")?;
    if list.len() > FACTS_MAX {
        return Err(format!("more than {FACTS_MAX} facts"));
    }
    let read = list.iter().enumerate();
    let read = read.map(|(at, one)| Fact::from_json(one).ok_or(format!("/facts/{at}: not a fact")));
    let mut facts = Facts::new(read.collect::<Result<_, _>>()?);
    if let Some(unread) = json["unread"].as_array() {
        let read = unread.iter().map(|one| serde_json::from_value(one.clone()));
        facts.unread = read.collect::<Result<_, _>>().map_err(|e| format!("/unread: {e}"))?;
    }
    let unstable = json["unstable"].as_array().into_iter().flatten();
    facts.unstable = unstable.filter_map(Json::as_str).map(Bytes::parse).collect();
    Ok(facts)
}

/// The name of the host that facts are about.
pub fn name(facts: &Facts) -> Option<String> {
    let fact = facts.get(Class::Identity, b"hostname")?;
    fact.value.as_str().map(str::to_owned)
}
