//! Once a day: which rules can fire with the fields that arrive, as records.
//!
//! Invariants: a rule is recorded when its state changed or what is recorded grows old, so that thousands of rules are
//! no flood; one whose source says nothing is recorded only if it spoke before; a source that has only
//! begun to speak is no reason to call a field missing.

use std::collections::HashMap;

use model::Timestamp;
use room::{Error, Shared, draft};
use serde_json::{Map, Value as Json, json};
use store::{Record, Store};

use super::{
    live::{ACTOR, Live},
    rules::{Loaded, hash_of},
};

pub const COVERAGE: &str = "monitoring.rule_coverage";
/// How long a record counts, and when it is written anew.
const FRESH_DAYS: i64 = 30;
const RENEW_DAYS: i64 = 14;
/// Events of a source before a field that never came is called missing.
const EVENTS_MIN: u64 = 100;
/// Records looked up, and those written in one run.
const RECORDS_MAX: usize = 50_000;
const WRITTEN_MAX: usize = 5_000;
/// Names of fields in one record.
const FIELDS_MAX: usize = 20;

/// Writes what changed.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let shown = ctx.house.kept.get::<Live>().shown();
    let Some(loaded) = shown.loaded.filter(|_| !shown.coverage.is_empty()) else {
        return Ok(json!({ "skipped": "no event was evaluated yet" }));
    };
    let store = ctx.store();
    let before = newest(store).await?;
    let drafts = changed(&loaded, &shown.coverage, &before, store.now());
    let written = drafts.len();
    if written > 0 {
        let mut write = store.write(ACTOR, "work", "").await?;
        for facts in drafts {
            write.record(draft(COVERAGE, None, store.now(), facts)).await?;
        }
        write.commit().await?;
        ctx.house.wake();
    }
    let can = shown.coverage.iter().filter(|c| c.can_fire).count();
    Ok(json!({ "rules": shown.coverage.len(), "can_fire": can, "written": written }))
}

/// The newest record of each rule.
async fn newest(store: &Store) -> Result<HashMap<String, Record>, Error> {
    let since = store.now().minus_hours(24 * FRESH_DAYS);
    let records = store.records_since(&[COVERAGE], since, RECORDS_MAX).await?;
    let named = |record: Record| {
        Some((record.facts.get("rule").and_then(Json::as_str)?.to_owned(), record))
    };
    Ok(records.into_iter().filter_map(named).collect())
}

fn changed(
    loaded: &Loaded,
    coverage: &[sigma::RuleCoverage],
    before: &HashMap<String, Record>,
    now: Timestamp,
) -> Vec<Json> {
    let mut found = Vec::new();
    for covered in coverage {
        let Some(rule) = loaded.set.rule(covered.rule) else { continue };
        let is_judged = covered.events == 0 || covered.can_fire || covered.events >= EVENTS_MIN;
        let known = before.get(&loaded.name_of(&rule.meta));
        if !is_judged || found.len() >= WRITTEN_MAX || (covered.events == 0 && known.is_none()) {
            continue;
        }
        let facts = facts(loaded, rule, covered);
        let is_same = known.is_some_and(|record| {
            let is_young = now.0 - record.observed_to.0 < RENEW_DAYS * 24 * 3_600 * 1_000_000;
            is_young && facts.as_object().is_some_and(|facts| is_like(facts, &record.facts))
        });
        if !is_same {
            found.push(facts);
        }
    }
    found
}

fn is_like(facts: &Map<String, Json>, before: &Map<String, Json>) -> bool {
    facts.iter().all(|(name, value)| before.get(name) == Some(value))
}

fn facts(loaded: &Loaded, rule: &sigma::Rule, covered: &sigma::RuleCoverage) -> Json {
    // Of several fields of which one is enough none is missed while one comes.
    let is_short = covered.events > 0 && !covered.can_fire;
    let missing = if is_short { covered.missing.as_slice() } else { &[] };
    json!({
        "enabled": true,
        "source_present": covered.events > 0,
        "fields_needed": covered.needed,
        "fields_missing": missing.len(),
        "missing": missing.iter().take(FIELDS_MAX).collect::<Vec<_>>(),
        "rule": loaded.name_of(&rule.meta),
        "rule_hash": hash_of(loaded, &rule.meta.file),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sigma::{Arena, Env, FieldCensus, LogSource};

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn rule(id: &str, field: &str) -> (String, Vec<u8>) {
        let text = format!(
            "title: {id}\nid: {id}\nlogsource: {{product: linux}}\ndetection:\n    a: {{{field}: x}}\n    condition: a\n"
        );
        (format!("rule/{id}"), text.into_bytes())
    }

    fn record(facts: &Json, at: Timestamp) -> Record {
        Record {
            id: model::Id::nil(),
            ty: COVERAGE.to_owned(),
            subject: None,
            actor: String::new(),
            observed_from: at,
            observed_to: at,
            received_at: at,
            source: String::new(),
            assurance: model::Assurance::Machine,
            facts: facts.as_object().cloned().unwrap(),
            payload_commit: None,
            leaf_index: None,
        }
    }

    #[test]
    fn only_what_changed_or_grew_old_is_written_and_a_young_source_is_not_judged() {
        let texts: BTreeMap<_, _> =
            [rule("can", "message"), rule("cannot", "never"), rule("other", "x")].into();
        let mut loaded = Loaded::of(texts, &Env::default());
        assert_eq!(loaded.rejected, []);
        let mut census = FieldCensus::default();
        let mut arena = Arena::new();
        arena.clear();
        arena.push("message", "m");
        arena.seal();
        arena.set_sources([LogSource::new(None, Some("linux"), None)]);
        census.observe(&arena);
        let none = HashMap::new();
        let written = changed(&loaded, &loaded.set.coverage(&census), &none, NOW);
        assert_eq!(written.len(), 1, "one event is no reason to miss a field: {written:?}");
        (0..EVENTS_MIN).for_each(|_| census.observe(&arena));
        let coverage = loaded.set.coverage(&census);
        let written = changed(&loaded, &coverage, &none, NOW);
        let missing: Vec<_> = written.iter().map(|f| f["fields_missing"].as_u64()).collect();
        assert_eq!(missing, [Some(0), Some(1), Some(1)]);
        let spec = crate::SPEC.records.iter().find(|r| r.ty == COVERAGE).unwrap();
        for facts in &written {
            assert_eq!(spec.validate(facts.as_object().unwrap()), []);
        }

        let name = |facts: &Json| facts["rule"].as_str().unwrap().to_owned();
        let before: HashMap<_, _> =
            written.iter().map(|facts| (name(facts), record(facts, NOW))).collect();
        let later = |days| NOW.plus_hours(24 * days);
        assert_eq!(changed(&loaded, &coverage, &before, later(1)).len(), 0);
        assert_eq!(changed(&loaded, &coverage, &before, later(RENEW_DAYS)).len(), 3);
        // Another text of a rule is another rule.
        loaded = Loaded::of([rule("can", "host"), rule("cannot", "never")].into(), &Env::default());
        let written = changed(&loaded, &loaded.set.coverage(&census), &before, later(1));
        assert_eq!(written.iter().map(name).collect::<Vec<_>>(), ["can"]);
    }
}
