//! Sightings and opinions, both ways: what a peer says of ours, and what we say of theirs.
//!
//! A hit of events on an indicator that came by a channel proposes a sighting; a person confirms it. An exclusion of such
//! an indicator as a false positive proposes an opinion. What is sent bears the mark of the item it is about, and leaves
//! only if that mark permits it.
//!
//! Invariants: each object of theirs gets one sighting and one opinion; nothing of the event itself leaves, only when
//! and how often.

use std::collections::{BTreeMap, BTreeSet};

use indicators::{
    stix::time,
    tlp::{self, Edition},
};
use model::{Assurance, Id, Table, Timestamp};
use room::Error;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{RecordDraft, Row, Store, StoreError};

use super::{
    Way,
    push::{self, What},
    way,
};
use crate::work::{
    inbox::{self, ITEM},
    objects::Objects,
    share::{self, Parcel, ShareError, given},
};

pub const SIGHTING: &str = "threat_intelligence.sighting";
/// Findings of those who hold events against the set.
const FINDING: &str = "monitoring.finding";
/// Before the id of the rule that an indicator is.
const RULE: &str = "indicator:";
const EXCLUSION: &str = "indicator_exclusion";
const FINDINGS_MAX: usize = 2_000;
const SENT_MAX: usize = 2_000;
const PROPOSED_MAX: usize = 100;
const ITEMS_MAX: usize = 500;

/// What is said of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Sighting,
    Opinion,
}

impl Form {
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Sighting => "sighting",
            Form::Opinion => "opinion",
        }
    }

    pub fn named(word: &str) -> Option<Form> {
        [Form::Sighting, Form::Opinion].into_iter().find(|form| form.as_str() == word)
    }
}

/// Something that could be said to a peer of an object of its own.
#[derive(Clone, Debug)]
pub struct Proposed {
    pub form: Form,
    /// Id of the peer's object.
    pub object: String,
    pub value: String,
    pub item: Id,
    /// Of the hits; of an opinion when it was decided.
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: usize,
}

/// The record of what a peer says of an object of ours.
pub async fn received(
    store: &Store,
    channel: &Row,
    object: &Json,
) -> Result<Option<RecordDraft>, StoreError> {
    let about = |id: &str| {
        let id = id.to_owned();
        async move { given::is_given(store, channel.id, &id).await }
    };
    let (form, ours) = match object["type"].as_str() {
        Some("sighting") => {
            let of = object["sighting_of_ref"].as_str().unwrap_or_default();
            (Form::Sighting, about(of).await?.then(|| of.to_owned()))
        }
        Some("opinion") => {
            let mut ours = None;
            let all = object["object_refs"].as_array().into_iter().flatten();
            for id in all.filter_map(Json::as_str).take(ITEMS_MAX) {
                if ours.is_none() && about(id).await? {
                    ours = Some(id.to_owned());
                }
            }
            (Form::Opinion, ours)
        }
        _ => return Ok(None),
    };
    Ok(ours.map(|object| draft(store, channel.id, &object, "received", "ours", form)))
}

/// The record of a sighting or opinion.
pub fn draft(
    store: &Store,
    channel: Id,
    object: &str,
    direction: &str,
    about: &str,
    form: Form,
) -> RecordDraft {
    let now = store.now();
    let facts = json!({
        "channel": channel, "object": object, "direction": direction, "about": about,
        "form": form.as_str(),
    });
    RecordDraft {
        ty: SIGHTING.to_owned(),
        subject: Some(channel),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.peers".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

/// The id under which hits on a value are told.
fn rule_of(kind: &str, value: &str) -> String {
    format!("{RULE}{}", hex::encode(&Sha256::digest(format!("{kind}\n{value}"))[..16]))
}

/// What could be said to a channel's peer and was not yet.
pub async fn proposed(store: &Store, channel: &Row) -> Result<Vec<Proposed>, Error> {
    let said = said(store, channel.id).await?;
    let hits = hits(store).await?;
    let wrong = wrong(store).await?;
    let mut all: BTreeMap<(Form, String), Proposed> = BTreeMap::new();
    for item in items(store, channel).await? {
        for line in inbox::confirmed(store, &item).await.map_err(Error::said)?.unwrap_or_default() {
            let Some(object) = line.object.clone() else { continue };
            let mut add = |form, (first, last, count): (Timestamp, Timestamp, usize)| {
                if said.contains(&(form, object.clone())) || all.len() >= PROPOSED_MAX {
                    return;
                }
                let value = line.value.clone();
                let (object, item) = (object.clone(), item.id);
                let one = Proposed { form, object, value, item, first, last, count };
                all.entry((form, one.object.clone())).or_insert(one);
            };
            if let Some(seen) = hits.get(&rule_of(&line.kind, &line.value)) {
                add(Form::Sighting, *seen);
            }
            if let Some(at) = wrong.get(&line.value) {
                add(Form::Opinion, (*at, *at, 1));
            }
        }
    }
    Ok(all.into_values().collect())
}

async fn items(store: &Store, channel: &Row) -> Result<Vec<Row>, Error> {
    let mut sources = BTreeSet::new();
    for source in store.all(Table::Asset, &[inbox::SOURCE]).await? {
        if source.attributes.get("channel") == Some(&json!(channel.id)) {
            sources.insert(source.id.to_string());
        }
    }
    let mut items = store.all(Table::Asset, &[ITEM]).await?;
    items.retain(|item| {
        let text =
            |name: &str| item.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
        let is_of = text("channel") == channel.id.to_string() || sources.contains(text("source"));
        !item.deleted && is_of && item.attributes.contains_key("indicator_rows")
    });
    items.sort_by_key(|item| std::cmp::Reverse(item.created_at));
    items.truncate(ITEMS_MAX);
    Ok(items)
}

/// What was said to a channel's peer already.
async fn said(store: &Store, channel: Id) -> Result<BTreeSet<(Form, String)>, Error> {
    let records = store.newest_records(&[SIGHTING], Some(channel), SENT_MAX).await?;
    let sent =
        records.iter().filter(|record| record.facts.get("direction") == Some(&json!("sent")));
    Ok(sent
        .filter_map(|record| {
            let text = |name: &str| record.facts.get(name).and_then(Json::as_str);
            Some((Form::named(text("form")?)?, text("object")?.to_owned()))
        })
        .collect())
}

type Seen = (Timestamp, Timestamp, usize);

/// First and last finding of each indicator, and how many.
async fn hits(store: &Store) -> Result<BTreeMap<String, Seen>, Error> {
    let mut hits: BTreeMap<String, Seen> = BTreeMap::new();
    for finding in store.newest_records(&[FINDING], None, FINDINGS_MAX).await? {
        let Some(rule) = finding.facts.get("rule").and_then(Json::as_str) else { continue };
        if !rule.starts_with(RULE) {
            continue;
        }
        let (from, to) = (finding.observed_from, finding.observed_to);
        let seen = hits.entry(rule.to_owned()).or_insert((from, to, 0));
        *seen = (seen.0.min(from), seen.1.max(to), seen.2 + 1);
    }
    Ok(hits)
}

/// Values that people took out as false positives, and when.
async fn wrong(store: &Store) -> Result<BTreeMap<String, Timestamp>, Error> {
    let rules = store.all(Table::Rule, &[EXCLUSION]).await?;
    let own = |rule: &Row| rule.attributes.get("own_asset") == Some(&Json::Bool(true));
    let active = rules.iter().filter(|rule| rule.status == "active" && !own(rule));
    Ok(active
        .filter_map(|rule| {
            let value = rule.attributes.get("value").and_then(Json::as_str)?;
            Some((value.to_owned(), rule.created_at))
        })
        .collect())
}

/// What is sent: marked as the item, refused if that mark does not permit it.
pub fn object(
    channel: &Row,
    item: &Row,
    proposed: &Proposed,
    now: Timestamp,
) -> Result<Vec<Json>, ShareError> {
    let level = share::level(item, "tlp");
    if let tlp::Permit::Refuse(why) = share::permit(channel, level) {
        return Err(ShareError::Marking(why.to_string()));
    }
    let ty = proposed.form.as_str();
    let key = format!("{ty}\n{}\n{}", channel.id, proposed.object);
    let id = uuid::Uuid::new_v5(&share::NAMESPACE, key.as_bytes());
    let at = time::print_millis(now.0 / 1_000 * 1_000);
    let mut made = json!({
        "type": ty,
        "spec_version": "2.1",
        "id": format!("{ty}--{id}"),
        "created": at,
        "modified": at,
        "object_marking_refs": [tlp::definition_id(Edition::Two, level)],
    });
    match proposed.form {
        Form::Sighting => {
            made["sighting_of_ref"] = json!(proposed.object);
            made["first_seen"] = json!(time::print_millis(proposed.first.0));
            made["last_seen"] = json!(time::print_millis(proposed.last.0));
            made["count"] = json!(proposed.count);
        }
        Form::Opinion => {
            made["opinion"] = json!("strongly-disagree");
            made["object_refs"] = json!([proposed.object]);
        }
    }
    Ok(vec![tlp::definition(Edition::Two, level), made])
}

/// Says it: by the collection that the peer fetches, or by the queue to its server.
pub async fn send(
    house: &web::House,
    objects: &Objects,
    channel: &Row,
    proposed: &Proposed,
    actor: &str,
) -> Result<(), ShareError> {
    let store = &house.store;
    let item = store.row(Table::Asset, proposed.item).await?.ok_or(ShareError::Nothing)?;
    let made = match object(channel, &item, proposed, store.now()) {
        Err(error @ ShareError::Marking(_)) => {
            share::refused(store, channel, share::level(&item, "tlp"), actor).await?;
            return Err(error);
        }
        made => made?,
    };
    match way(channel) {
        Way::ByHand => Err(ShareError::ByHand),
        Way::Taxii | Way::Misp => {
            let form = proposed.form.as_str().to_owned();
            let what = What::Said { objects: made, about: proposed.object.clone(), form };
            push::queue(store, channel.id, item.id, what).await
        }
        Way::Comes => {
            let level = share::level(&item, "tlp");
            share::lay(house, objects, channel, &Parcel::of(level, made), true, actor).await?;
            let said = draft(store, channel.id, &proposed.object, "sent", "theirs", proposed.form);
            let mut write = store.write(actor, "share", "").await?;
            write.record(said).await?;
            Ok(write.commit().await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_names_their_object_and_nothing_of_the_event() {
        let channel = |ceiling: &str| {
            let mut row = Row::new(Table::Asset, Id::nil(), "sharing_channel", "isac");
            row.attributes.insert("tlp_ceiling".into(), json!(ceiling));
            row
        };
        let mut item = Row::new(Table::Asset, Id::nil(), ITEM, "x");
        item.attributes.insert("tlp".into(), json!("amber"));
        let proposed = Proposed {
            form: Form::Sighting,
            object: "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f".into(),
            value: "evil.example".into(),
            item: Id::nil(),
            first: Timestamp(1_795_600_000_000_000),
            last: Timestamp(1_795_600_009_000_000),
            count: 3,
        };
        let now = Timestamp(1_795_700_000_000_000);
        let made = object(&channel("amber"), &item, &proposed, now).expect("permitted").remove(1);
        let bundle = "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
        let bundle = json!({ "type": "bundle", "id": bundle, "objects": [made] }).to_string();
        let parsed =
            indicators::stix::parse(bundle.as_bytes(), &indicators::stix::Limits::default());
        assert!(parsed.is_ok());
        assert_eq!(
            (&made["sighting_of_ref"], &made["count"]),
            (&json!(proposed.object), &json!(3))
        );
        assert!(!made.to_string().contains("evil.example"));
        let again =
            object(&channel("amber"), &item, &proposed, Timestamp(now.0 + 1)).expect("again");
        assert_eq!(again[1]["id"], made["id"], "one sighting of an object");
        assert!(matches!(
            object(&channel("green"), &item, &proposed, now),
            Err(ShareError::Marking(_))
        ));
    }
}
