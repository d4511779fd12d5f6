//! Which rules came into force since the last time: what is new looks back (`hunts`).
//!
//! Invariants: the rules that are known and the record that tells of new ones are one transaction, so each is told
//! once; a rule is new when its own text is, not when a filter is laid over it. Of rules that come together there is one
//! record, since they look back together: a pack of thousands is no flood.

use std::collections::{BTreeMap, BTreeSet};

use room::Error;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{RecordDraft, Store};

use super::{live::ACTOR, rules::Loaded};

pub const ACTIVATED: &str = "monitoring.rule_activated";
/// Kind of what came into force: a set of indicators.
pub const INDICATORS: &str = "indicators";
pub(super) const APPLIED: &str = "house.rules_applied";
const LOADED: &str = "monitoring.ruleset_loaded";
/// Setting: what the rules are known by that were in force the last time.
const KNOWN: &str = "monitoring.rules_known";

/// Setting: root of the set of indicators that was in force the last time.
const KNOWN_SET: &str = "monitoring.indicators_known";
const EDGE: &str = "monitoring";

/// Records that a set of indicators is in force, if it is another than the last time; whether it is. It looks back
/// like rules that are new.
pub(super) async fn tell_set(
    store: &Store,
    set: &intel::Manifest,
    stream: &str,
    offset: u64,
) -> Result<bool, Error> {
    let root = set.root();
    if store.setting(KNOWN_SET).await?.as_deref() == Some(&root) {
        return Ok(false);
    }
    let at = store.now();
    let mut write = store.write(ACTOR, "work", "").await?;
    let applied = json!({ "edge": EDGE, "kind": INDICATORS, "root": root, "serial": set.sequence });
    write.record(room::draft(APPLIED, None, at, applied)).await?;
    let facts = json!({
        "kind": INDICATORS,
        "hash": root,
        "rules": set.rows,
        "stream": stream,
        "offset": offset,
    });
    write.record(room::draft(ACTIVATED, None, at, facts)).await?;
    write.set_setting(KNOWN_SET, &root).await?;
    write.commit().await?;
    Ok(true)
}

/// Records which rules are at work, and which of them are new, if they are others than at the last time; whether any
/// is new. `offset` is where in `stream` they begin to see events.
pub(super) async fn tell(
    store: &Store,
    loaded: &Loaded,
    stream: &str,
    offset: u64,
) -> Result<bool, Error> {
    let known = store.setting(KNOWN).await?;
    let before: BTreeSet<&str> = known.iter().flat_map(|list| list.split(',')).collect();
    let now: BTreeMap<String, bool> = loaded
        .findable()
        .map(|(meta, is_over_time)| (loaded.print_of(meta), is_over_time))
        .collect();
    let new: BTreeMap<&str, bool> = now
        .iter()
        .filter(|(print, _)| !before.contains(print.as_str()))
        .map(|(print, is_over_time)| (print.as_str(), *is_over_time))
        .collect();
    let list = now.keys().map(String::as_str).collect::<Vec<_>>().join(",");
    let hash = loaded.hash();
    let told = store.newest_records(&[LOADED], None, 1).await?;
    let is_told = told.first().and_then(|r| r.facts.get("hash")) == Some(&json!(hash));
    if is_told && known.as_deref() == Some(&list) {
        return Ok(false);
    }
    let at = store.now();
    let mut write = store.write(ACTOR, "work", "").await?;
    if !is_told {
        let facts = json!({
            "accepted": loaded.set.rules().len() + loaded.set.correlations().len(),
            "rejected_total": loaded.rejected.len() + loaded.broken.len(),
            "rejected": loaded.refused(),
            "hash": hash,
        });
        write.record(room::draft(LOADED, None, at, facts)).await?;
    }
    if !new.is_empty() {
        let kind =
            if new.values().all(|over_time| *over_time) { "correlation" } else { "detection" };
        let mut sum = Sha256::new();
        new.keys().for_each(|print| sum.update(print));
        let facts = json!({
            "kind": kind,
            "hash": hex::encode(sum.finalize()),
            "rules": new.len(),
            "stream": stream,
            "offset": offset,
        });
        let payload = serde_json::to_vec(&new.keys().collect::<Vec<_>>()).ok();
        let draft = room::draft(ACTIVATED, None, at, facts);
        write.record(RecordDraft { payload, ..draft }).await?;
    }
    write.set_setting(KNOWN, &list).await?;
    write.commit().await?;
    Ok(!new.is_empty())
}
