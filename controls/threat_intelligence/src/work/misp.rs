//! What a channel gives, as MISP events, and what a peer posts as one.
//!
//! A channel that is open over TAXII is open over MISP too: the same objects, the same token, the same question whether
//! each may leave. What was confirmed at one moment under one marking is one event. What is posted becomes STIX objects
//! of the channel's collection of what we take, with the event as it came on the report that names them; from there it
//! goes the way of all that peers post.
//!
//! Limits: `OBJECTS_MAX` objects given; an event of `ATTRIBUTES_MAX` attributes.

use std::collections::{BTreeMap, BTreeSet};

use indicators::{
    exchange::{self, Item},
    misp::{self, Event, Limits, MispError},
    stix::time,
    taxii::Entry,
    tlp::{self, Edition, Exit, Level},
};
use room::Error;
use serde_json::{Value as Json, json};
use store::Row;

use super::{channels, objects::Objects, tlp::storage::may_go_with_all};

const OBJECTS_MAX: usize = 100_000;
const PAGE: usize = 1_000;
const ATTRIBUTES_MAX: usize = 20_000;
const NAME_CHARS_MAX: usize = 200;
/// Of an event that says nothing of it, as of what peers give over TAXII.
const DEFAULT: Level = Level::Amber;
const NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(0x31b7_50c9_1a5e_4d86_9c7b_7a43_0d92_55e1);
/// What an organisation is called that has no profile.
const ORG: &str = "Ume";

/// An event and the objects it was made of.
pub struct Given {
    pub event: Event,
    pub entries: Vec<Entry>,
}

/// The events of a channel, oldest first: of each object its newest version, where that may leave.
pub async fn given(
    objects: &Objects,
    channel: &Row,
    exit: &Exit,
    raised: &BTreeMap<String, Level>,
    org: &str,
) -> Result<Vec<Given>, Error> {
    let collection = channels::collection(channel.id, true);
    let mut newest: BTreeMap<String, Entry> = BTreeMap::new();
    let mut after = i64::MIN;
    while newest.len() < OBJECTS_MAX {
        let page = objects.after(&collection, after, PAGE).await.map_err(Error::said)?;
        let Some(last) = page.last() else { break };
        after = last.date_added;
        for entry in page {
            let known = newest.get(&entry.id).map(|known| known.version);
            if known.is_none_or(|known| known <= entry.version) {
                newest.insert(entry.id.clone(), entry);
            }
        }
    }
    Ok(events(newest.into_values().collect(), exit, raised, org))
}

/// Makes events of those objects that may leave.
pub fn events(
    entries: Vec<Entry>,
    exit: &Exit,
    raised: &BTreeMap<String, Level>,
    org: &str,
) -> Vec<Given> {
    let read = |entry: &Entry| serde_json::from_slice::<Json>(&entry.bytes).ok();
    let objects: BTreeMap<String, Json> =
        entries.iter().filter_map(|entry| Some((entry.id.clone(), read(entry)?))).collect();
    let mut groups: BTreeMap<(i64, Level), (Vec<Item>, Vec<Entry>)> = BTreeMap::new();
    for entry in entries {
        let Some(object) = objects.get(&entry.id) else { continue };
        if !may_go_with_all(exit, &entry.id, &objects, raised) {
            continue;
        }
        let items = exchange::from_stix(&[object], Level::Red).items;
        let created = object["created"].as_str().and_then(time::parse).unwrap_or(0);
        let Some(level) = items.iter().map(|item| item.level).max() else { continue };
        let group = groups.entry((created, level)).or_default();
        group.0.extend(items);
        group.1.push(entry);
    }
    let one = |((at, level), (items, entries)): ((i64, Level), (Vec<Item>, Vec<Entry>))| {
        let day = time::print_micros(at).chars().take("2026-11-29".len()).collect::<String>();
        let info = format!("Indicators {day} ({})", level.as_str());
        let org = (org.to_owned(), exchange::org_uuid(org));
        Given { event: exchange::to_misp(&items, &info, org, at), entries }
    };
    groups.into_iter().map(one).collect()
}

/// Who makes the events: the organisation as its profile names it.
pub async fn org(store: &store::Store) -> Result<String, store::StoreError> {
    let profiles = store.all(model::Table::Asset, &["org_profile"]).await?;
    let named = profiles.iter().find(|row| !row.deleted && row.status == "active");
    Ok(named.map_or_else(|| ORG.to_owned(), |row| row.name.clone()))
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error(transparent)]
    Event(#[from] MispError),
    #[error("the event says no value that STIX has a pattern for")]
    Nothing,
    #[error(transparent)]
    Room(#[from] Error),
}

/// What became of a posted event.
pub struct Added {
    pub event: Event,
    pub items: usize,
    /// Attributes of which no indicator was made.
    pub left: usize,
}

/// Reads an event: the objects that it becomes, none of them stored yet.
pub fn read(bytes: &[u8], bytes_max: usize) -> Result<(Added, Vec<Json>), AddError> {
    let limits = Limits { bytes: bytes_max, attributes: ATTRIBUTES_MAX };
    let event = misp::read_event(bytes, &limits)?;
    let found = exchange::from_misp(&event, DEFAULT);
    if found.items.is_empty() {
        return Err(AddError::Nothing);
    }
    let written = misp::write_event(&event);
    let moment = |key: &str| {
        let value = &written["Event"][key];
        let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        seconds.and_then(|seconds| seconds.checked_mul(1_000_000))
    };
    // The same event again is the same objects in the same versions.
    let at = moment("timestamp").or_else(|| moment("publish_timestamp")).unwrap_or(0);
    let bundle = exchange::to_stix(&found.items, at);
    let mut objects: Vec<Json> = bundle["objects"].as_array().cloned().unwrap_or_default();
    let ids: BTreeSet<String> = objects
        .iter()
        .filter(|object| object["type"] == "indicator")
        .filter_map(|object| object["id"].as_str().map(str::to_owned))
        .collect();
    let strictest = found.items.iter().map(|item| item.level).max().unwrap_or(Level::Red);
    let name: String = event.info().chars().take(NAME_CHARS_MAX).collect();
    let uuid = event.uuid().unwrap_or_default();
    let id = uuid::Uuid::new_v5(&NAMESPACE, uuid.as_bytes());
    let moment = time::print_millis(at);
    objects.push(json!({
        "type": "report", "spec_version": "2.1", "id": format!("report--{id}"),
        "created": moment, "modified": moment, "published": moment,
        "name": if name.is_empty() { uuid } else { &name },
        "object_refs": ids,
        "object_marking_refs": [tlp::definition_id(Edition::Two, strictest)],
        // As it came, whatever of it became an indicator.
        "x_misp_event": written["Event"],
    }));
    let added = Added { event, items: ids.len(), left: found.left.len() };
    Ok((added, objects))
}

/// Stores what a peer posted, all or nothing.
pub async fn add(
    house: &web::Shared,
    objects: &Objects,
    channel: &Row,
    bytes: &[u8],
    bytes_max: usize,
) -> Result<Added, AddError> {
    let (added, found) = read(bytes, bytes_max)?;
    let entries: Vec<Entry> = found.iter().map(entry).collect();
    let collection = channels::collection(channel.id, false);
    let now = house.store.now().0;
    objects.add_all(&collection, entries, now).await.map_err(Error::said)?;
    channels::took(house, channel, added.items, bytes.len()).await.map_err(Error::from)?;
    Ok(added)
}

fn entry(object: &Json) -> Entry {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let version = time::parse(text("modified")).or_else(|| time::parse(text("created")));
    Entry {
        date_added: 0,
        id: text("id").to_owned(),
        version: version.unwrap_or(i64::MIN),
        spec_version: "2.1".to_owned(),
        bytes: object.to_string().into_bytes(),
    }
}

/// What is asked of `events/restSearch`; fields that are not known and would narrow are refused, or more would be
/// answered than was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub limit: Option<usize>,
    pub page: usize,
    pub values: Vec<String>,
    pub types: Vec<String>,
    pub uuids: Vec<String>,
    pub tags: Vec<String>,
    pub info: Option<String>,
    /// Seconds since 1970: changed since, and before.
    pub since: Option<i64>,
    pub before: Option<i64>,
    pub to_ids: Option<bool>,
    pub only_metadata: bool,
}

/// Fields that narrow nothing here.
const IGNORED: [&str; 19] = [
    "returnFormat",
    "published",
    "enforceWarninglist",
    "deleted",
    "includeEventUuid",
    "includeEventTags",
    "sgReferenceOnly",
    "requested_attributes",
    "includeContext",
    "headerless",
    "includeSightings",
    "includeDecayScore",
    "includeCorrelations",
    "excludeDecayed",
    "withAttachments",
    "with_attachments",
    "includeProposals",
    "includeWarninglistHits",
    "includeFullModel",
];

impl Asked {
    /// Reads the body; the error names the field.
    pub fn read(bytes: &[u8]) -> Result<Asked, String> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Asked::default());
        }
        let body: Json = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let body = body.get("request").unwrap_or(&body);
        let members = body.as_object().ok_or("the body is no object")?;
        let mut asked = Asked::default();
        for (key, value) in members {
            let is_unset = matches!(value, Json::Null | Json::Bool(false)) || *value == json!([]);
            if is_unset || *value == json!("") {
                continue;
            }
            let number = || {
                let number = value
                    .as_i64()
                    .or_else(|| value.as_bool().map(i64::from))
                    .or_else(|| value.as_str()?.trim().parse().ok());
                number.ok_or_else(|| format!("{key}: no number"))
            };
            let list = || list(value).ok_or_else(|| format!("{key}: no text and no list of texts"));
            match key.as_str() {
                "returnFormat" if value != "json" => {
                    return Err("returnFormat: only json is given".to_owned());
                }
                "limit" => asked.limit = usize::try_from(number()?).ok().filter(|n| *n > 0),
                "page" => asked.page = usize::try_from(number()?).unwrap_or(0),
                "value" => asked.values = list()?,
                "type" => asked.types = list()?,
                "uuid" | "eventid" => asked.uuids.extend(list()?),
                "tags" => asked.tags = list()?,
                "eventinfo" => asked.info = value.as_str().map(|text| text.replace('%', "")),
                "timestamp" | "publish_timestamp" | "event_timestamp" => match value.as_array() {
                    Some(both) => {
                        let at = |place: usize| {
                            let one = both.get(place)?;
                            one.as_i64().or_else(|| one.as_str()?.trim().parse().ok())
                        };
                        (asked.since, asked.before) = (at(0), at(1));
                    }
                    None => asked.since = Some(number()?),
                },
                "to_ids" => asked.to_ids = Some(number()? == 1),
                "metadata" => asked.only_metadata = number()? == 1,
                known if IGNORED.contains(&known) => {}
                _ => return Err(format!("{key}: this search does not narrow by it")),
            }
        }
        Ok(asked)
    }

    /// The events asked for.
    pub fn choose(&self, events: Vec<Given>) -> Vec<Given> {
        let chosen =
            events.into_iter().filter(|given| self.wants(&misp::write_event(&given.event)));
        let Some(limit) = self.limit else { return chosen.collect() };
        chosen.skip(self.page.saturating_sub(1).saturating_mul(limit)).take(limit).collect()
    }

    fn wants(&self, event: &Json) -> bool {
        let event = &event["Event"];
        let attributes = event["Attribute"].as_array().map_or(&[][..], Vec::as_slice);
        let is_any = |wanted: &[String], found: &dyn Fn(&Json) -> Option<String>| {
            wanted.is_empty()
                || attributes
                    .iter()
                    .filter_map(found)
                    .any(|found| wanted.iter().any(|wanted| like(wanted, &found)))
        };
        let of = |name: &'static str| {
            move |attribute: &Json| attribute[name].as_str().map(str::to_owned)
        };
        let seconds = event["timestamp"].as_str().and_then(|text| text.parse::<i64>().ok());
        let tags = event["Tag"].as_array().map_or(&[][..], Vec::as_slice);
        let tagged = tags.iter().filter_map(|tag| tag["name"].as_str());
        is_any(&self.values, &of("value"))
            && is_any(&self.types, &of("type"))
            && (self.uuids.is_empty()
                || self.uuids.iter().any(|uuid| event["uuid"] == uuid.as_str()))
            && (self.tags.is_empty()
                || tagged.into_iter().any(|tag| self.tags.iter().any(|one| like(one, tag))))
            && self.info.as_ref().is_none_or(|text| {
                event["info"].as_str().is_some_and(|info| info.contains(text.as_str()))
            })
            && self.since.is_none_or(|since| seconds.is_some_and(|at| at >= since))
            && self.before.is_none_or(|before| seconds.is_some_and(|at| at <= before))
            && self
                .to_ids
                .is_none_or(|wanted| attributes.iter().any(|one| one["to_ids"] == json!(wanted)))
    }
}

/// `%` at the ends stands for anything, as MISP has it.
fn like(wanted: &str, found: &str) -> bool {
    let core = wanted.trim_matches('%');
    match (wanted.starts_with('%'), wanted.ends_with('%')) {
        (false, false) => wanted == found,
        (true, false) => found.ends_with(core),
        (false, true) => found.starts_with(core),
        (true, true) => found.contains(core),
    }
}

fn list(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Number(number) => Some(vec![number.to_string()]),
        Json::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Json::Object(members) => list(members.get("OR")?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use indicators::tlp::Audience;

    use super::*;

    fn object(value: &str, level: Level, at: i64) -> Entry {
        let items = [Item {
            kind: indicators::Kind::Domain,
            value: value.to_owned(),
            side: None,
            from: None,
            until: None,
            enforce: true,
            level,
            by: String::new(),
        }];
        let bundle = exchange::to_stix(&items, at);
        let objects = bundle["objects"].as_array().expect("objects");
        entry(objects.last().expect("indicator"))
    }

    fn texts(given: &[Given]) -> Vec<String> {
        given.iter().map(|one| misp::write_event(&one.event).to_string()).collect()
    }

    #[test]
    fn events_hold_what_may_leave_and_nothing_stricter() {
        let at = 1_795_600_000_000_000;
        let entries = || {
            Level::ALL.map(|level| object(&format!("l{}.example", level as u8), level, at)).to_vec()
        };
        let exit = Exit::to(Audience::Community);
        let given = events(entries(), &exit, &BTreeMap::new(), "梅");
        let text = texts(&given).concat();
        let seen = Level::ALL.map(|level| text.contains(&format!("l{}.example", level as u8)));
        assert_eq!(seen, [true, true, false, false, false]);
        assert!(text.contains("tlp:green") && text.contains("\"distribution\":\"2\""));
        // An item that was raised since takes its objects along.
        let green = entries().swap_remove(1).id;
        let raised = BTreeMap::from([(green, Level::Red)]);
        let text = texts(&events(entries(), &exit, &raised, "梅")).concat();
        assert!(!text.contains("l1.example") && text.contains("l0.example"));
    }

    #[test]
    fn a_posted_event_is_kept_whole_and_is_the_same_the_second_time() {
        let event = json!({ "Event": {
            "uuid": "5f1f2b1c-3d64-4b1e-9a44-0a1b2c3d4e5f", "info": "波", "timestamp": "1795600000",
            "Tag": [{ "name": "tlp:green" }], "x": 1,
            "Attribute": [
                { "uuid": "0d9d5f0e-9f53-4f53-8a3a-8a7b2e8d0c11", "type": "domain", "value": "evil.example", "to_ids": true },
                { "uuid": "0d9d5f0e-9f53-4f53-8a3a-8a7b2e8d0c12", "type": "comment", "value": "text" },
            ],
        }});
        let bytes = event.to_string().into_bytes();
        let (added, objects) = read(&bytes, 1 << 20).expect("read");
        assert_eq!((added.items, added.left), (1, 1));
        let report = objects.last().expect("report");
        assert_eq!(report["x_misp_event"], event["Event"]);
        assert_eq!(report["name"], "波");
        let mark = tlp::definition_id(Edition::Two, Level::Green);
        assert_eq!(report["object_marking_refs"][0], mark);
        assert_eq!(objects, read(&bytes, 1 << 20).expect("again").1);
        assert!(matches!(read(b"{}", 1 << 20), Err(AddError::Event(_))));
        assert!(matches!(read(&bytes, 10), Err(AddError::Event(MispError::Bytes(_)))));
    }

    #[test]
    fn a_search_narrows_by_what_it_knows_and_refuses_the_rest() {
        let body = br#"{"returnFormat":"json","value":"%evil%","limit":"2","page":1,"tags":null}"#;
        let asked = Asked::read(body).expect("asked");
        assert_eq!((asked.limit, asked.page), (Some(2), 1));
        let at = 1_795_600_000_000_000;
        let all = || {
            events(
                vec![
                    object("evil.example", Level::Clear, at),
                    object("good.example", Level::Clear, at + 1_000_000),
                ],
                &Exit::to(Audience::Public),
                &BTreeMap::new(),
                ORG,
            )
        };
        assert_eq!(texts(&asked.choose(all())).len(), 1);
        let since = Asked { since: Some(at / 1_000_000 + 1), ..Asked::default() };
        assert!(texts(&since.choose(all()))[0].contains("good.example"));
        let second = Asked { limit: Some(1), page: 2, ..Asked::default() };
        assert!(texts(&second.choose(all()))[0].contains("good.example"));
        let unknown = Asked::read(br#"{"sharinggroup":"7"}"#).expect_err("refused");
        assert!(unknown.starts_with("sharinggroup:"));
        assert!(Asked::read(b"[").is_err());
    }
}
