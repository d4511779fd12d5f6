//! What each channel was given last, object by object: so a peer is given nothing twice, a change is a later version,
//! and what was withdrawn is not given again.

use std::collections::BTreeMap;

use indicators::stix::{canonical, time};
use model::Id;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store, StoreError};

/// Setting of a channel and an object: version, hash of what it says, whose it is, whether withdrawn.
const GIVEN: &str = "threat_intelligence.given:";
/// End of the state of a withdrawn object.
pub const REVOKED: &str = " revoked";
const HASH_CHARS: usize = 16;

pub fn setting(channel: Id, object: &str) -> String {
    format!("{GIVEN}{channel}:{object}")
}

/// The state of each object that a channel was given.
pub async fn all(store: &Store, channel: Id) -> Result<BTreeMap<String, String>, StoreError> {
    let prefix = format!("{GIVEN}{channel}:");
    let all = store.settings(&prefix).await?.into_iter();
    Ok(all.map(|(name, state)| (name[prefix.len()..].to_owned(), state)).collect())
}

/// Whether an object was given on a channel.
pub async fn is_given(store: &Store, channel: Id, object: &str) -> Result<bool, StoreError> {
    Ok(store.setting(&setting(channel, object)).await?.is_some())
}

/// The state of an object that is given, and its version.
pub fn state(object: &Json, is_own: bool) -> (String, String) {
    let version = object["modified"].as_str().unwrap_or_default().to_owned();
    let whose = if is_own { "own" } else { "other" };
    let end = if object["revoked"] == Json::Bool(true) { REVOKED } else { "" };
    (format!("{version} {} {whose}{end}", hash(object)), version)
}

/// Whether an object of this state is our own.
pub fn is_own(state: &str) -> bool {
    state.split(' ').nth(2) == Some("own")
}

/// What an object says, whenever it says it.
fn hash(object: &Json) -> String {
    let mut said = object.clone();
    if let Some(members) = said.as_object_mut() {
        members.remove("modified");
    }
    let hash = hex::encode(Sha256::digest(canonical(&said).as_bytes()));
    hash[..HASH_CHARS].to_owned()
}

/// The object under the version it goes out with; none if it was withdrawn.
pub fn versioned(mut object: Json, item: &Row, given: &BTreeMap<String, String>) -> Option<Json> {
    let id = object["id"].as_str().unwrap_or_default();
    let Some(state) = given.get(id) else { return Some(object) };
    if state.ends_with(REVOKED) {
        return None;
    }
    let mut parts = state.split(' ');
    let (version, known) = (parts.next()?, parts.next()?);
    if known == hash(&object) {
        object["modified"] = json!(version);
        return Some(object);
    }
    let after = time::parse(version).map_or(i64::MIN, |before| before + 1_000);
    let modified = item.updated_at.0.max(after) / 1_000 * 1_000;
    object["modified"] = json!(time::print_millis(modified));
    Some(object)
}

#[cfg(test)]
mod tests {
    use model::{Table, Timestamp};

    use super::*;

    #[test]
    fn what_changed_is_a_later_version_and_what_was_withdrawn_is_given_no_more() {
        let mut item = Row::new(Table::Asset, Id::nil(), "intel_item", "x");
        item.updated_at = Timestamp(1_795_600_000_000_000);
        let object = |pattern: &str| json!({"id": "indicator--1", "pattern": pattern, "modified": "2026-01-01T00:00:00.000Z"});
        let first = versioned(object("a"), &item, &BTreeMap::new()).expect("new");
        let (state, version) = super::state(&first, true);
        assert!(is_own(&state) && version == "2026-01-01T00:00:00.000Z");
        let given = |state: String| BTreeMap::from([("indicator--1".to_owned(), state)]);
        assert_eq!(versioned(object("a"), &item, &given(state.clone())), Some(first));
        let second = versioned(object("b"), &item, &given(state)).expect("changed");
        assert!(second["modified"].as_str() > Some(version.as_str()), "{second}");
        let mut gone = second.clone();
        gone["revoked"] = json!(true);
        let (state, _) = super::state(&gone, false);
        assert!(!is_own(&state));
        assert_eq!(versioned(object("c"), &item, &given(state)), None);
    }
}
