//! Once a day and for each system: of how many differences of thirty days it is known who made them, and which of
//! the others nobody has decided on.

use std::collections::{BTreeMap, HashSet};

use model::{Id, Table, Timestamp};
use room::{Error, Shared, draft};
use serde_json::{Value as Json, json};
use store::Record;

use super::SNAPSHOT;

const DRIFT: &str = "configuration.drift";
const DECIDED: &str = "configuration.drift_decided";
const DAYS: i64 = 30;
/// Differences that one run counts.
const RECORDS_MAX: usize = 200_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    all: u64,
    known: u64,
    undecided: u64,
}

pub(super) async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let since = store.now().minus_hours(DAYS * 24);
    let mut systems: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for row in store.all(Table::Asset, &["host"]).await? {
        let system = row.attributes.get("system").and_then(Json::as_str);
        if let Some(system) = system.and_then(|id| id.parse().ok()) {
            systems.entry(system).or_default().push(row.id);
        }
    }
    let drift = store.records_since(&[DRIFT], since, RECORDS_MAX + 1).await?;
    if drift.len() > RECORDS_MAX {
        return Err(Error::said(format!("more than {RECORDS_MAX} differences in {DAYS} days")));
    }
    let decided = store.records_since(&[DECIDED], since, RECORDS_MAX).await?;
    let decided: HashSet<Id> = decided.into_iter().filter_map(|record| record.subject).collect();
    let looked = store.latest_per_subject(&[SNAPSHOT]).await?;
    let looked: HashSet<Id> = looked
        .into_iter()
        .filter(|record| record.observed_to >= since)
        .filter_map(|record| record.subject)
        .collect();
    let mut write = store.write("system:configuration.actors", "work", "").await?;
    let mut written = 0;
    for (system, hosts) in &systems {
        // Of a host that nobody looked at nothing is known, so neither is it of its system.
        if !hosts.iter().all(|host| looked.contains(host)) {
            continue;
        }
        let hosts: HashSet<Id> = hosts.iter().copied().collect();
        let of = |record: &&Record| record.subject.is_some_and(|host| hosts.contains(&host));
        let count = count(drift.iter().filter(of), &decided);
        write.record(draft_of(*system, count, store.now())).await?;
        written += 1;
    }
    write.commit().await?;
    ctx.house.wake();
    Ok(json!({ "systems": written, "skipped": systems.len() - written }))
}

fn draft_of(system: Id, count: Count, now: Timestamp) -> store::RecordDraft {
    let share = match count.all {
        0 => 1_000,
        all => count.known * 1_000 / all,
    };
    let facts = json!({
        "deltas": count.all,
        "known_permille": share,
        "unknown_undecided": count.undecided,
    });
    draft("configuration.actor_account", Some(system), now, facts)
}

fn count<'r>(drift: impl Iterator<Item = &'r Record>, decided: &HashSet<Id>) -> Count {
    let mut count = Count::default();
    for record in drift {
        let text = |name: &str| record.facts.get(name).and_then(Json::as_str).unwrap_or_default();
        if text("class") == "package_managed" {
            continue;
        }
        let more = together(text("key"));
        // A record that stands for several says of its gravest only whether its actor is known.
        let is_known = more == 0 && record.facts.get("actor_known") == Some(&json!(true));
        count.all += 1 + more;
        count.known += u64::from(is_known);
        if !is_known && !decided.contains(&record.id) {
            count.undecided += 1 + more;
        }
    }
    count
}

/// How many differences beside the first stand in one record: `… (+7)`.
fn together(key: &str) -> u64 {
    let inside = key.rsplit_once(" (+").and_then(|(_, end)| end.strip_suffix(')'));
    inside.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Assurance;

    fn record(number: u32, class: &str, key: &str, is_known: bool) -> Record {
        let facts = json!({ "class": class, "key": key, "actor_known": is_known });
        Record {
            id: format!("01900000-0000-7000-8000-{number:012}").parse().expect("an id"),
            ty: DRIFT.to_owned(),
            subject: None,
            actor: String::new(),
            observed_from: Timestamp(0),
            observed_to: Timestamp(0),
            received_at: Timestamp(0),
            source: String::new(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload_commit: None,
            leaf_index: None,
        }
    }

    #[test]
    fn packages_do_not_count_and_what_nobody_decided_stays() {
        let drift = [
            record(1, "unauthorised", "file//etc/a", true),
            record(2, "unauthorised", "file//etc/b", false),
            record(3, "authorised", "file//etc/c", false),
            record(4, "package_managed", "package/x", false),
            record(5, "unauthorised", "file//etc/d (+7)", true),
        ];
        let decided = HashSet::from([drift[1].id]);
        let found = count(drift.iter(), &decided);
        assert_eq!(found, Count { all: 11, known: 1, undecided: 9 });
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        let system = "01900000-0000-7000-8000-000000000001".parse().expect("an id");
        let of = |all, known| {
            let draft = draft_of(system, Count { all, known, undecided: 0 }, Timestamp(0));
            draft.facts["known_permille"].as_u64()
        };
        assert_eq!((of(0, 0), of(1_000, 949), of(3, 2)), (Some(1_000), Some(949), Some(666)));
    }
}
