//! What peers posted becomes items of the inbox, later versions change them, and what is revoked leaves the set.
//!
//! Objects are grouped by the report or grouping that names them, or the campaign they are said to indicate; what
//! stands alone makes one item of each batch.
//!
//! Invariants: cursor, items and the place of each object are one change; an older version that comes late changes
//! nothing; what was revoked stays revoked; an item that was judged gets no new value by a later version: that is a
//! new item, which waits for a verdict of its own.
//!
//! Limits: `BATCH` objects of one change, `BATCHES` batches of one run and channel.

use std::collections::{BTreeMap, BTreeSet};

use indicators::{
    Direction, exchange,
    pattern::Side,
    stix::time,
    taxii::Entry,
    tlp::{self, Level, Marking},
};
use model::{Id, Table, Timestamp};
use netname::Names;
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store};

use super::{RECEIVED_TO, sightings};
use crate::work::{
    channels::{self, CHANNEL},
    inbox::{self, ITEM, Line, RECEIVED, SOURCE},
    share,
    triage::{self, Judging, Verdict},
};

const ACTOR: &str = "system:threat_intelligence.receive";
/// Setting of a channel and an object: item, version, whether revoked.
const PLACE: &str = "threat_intelligence.item_of:";
const BATCH: usize = 500;
const BATCHES: usize = 20;
const NAME_CHARS_MAX: usize = 120;
const TEXT_CHARS_MAX: usize = 4_000;
const REASON_CHARS_MAX: usize = 80;
/// An unmarked object of a peer goes no further than those who need it.
const DEFAULT: Level = Level::Amber;
/// Types that are worth an item; others are looked up only.
const TYPES: [&str; 11] = [
    "indicator",
    "report",
    "grouping",
    "campaign",
    "intrusion-set",
    "threat-actor",
    "malware",
    "attack-pattern",
    "vulnerability",
    "note",
    "course-of-action",
];

/// An object as it came.
struct Came {
    id: String,
    ty: String,
    version: i64,
    bytes: Vec<u8>,
    json: Json,
}

/// Where an object went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    item: Id,
    version: i64,
    revoked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Item(Id),
    Head(String),
    Rest,
}

/// One run over all channels.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let channels = ctx.store().all(Table::Asset, &[CHANNEL]).await?;
    let objects = channels::objects(&ctx.house).await?;
    let (mut taken, mut items) = (0, 0);
    for channel in channels.iter().filter(|row| channels::is_open(row)) {
        let collection = channels::collection(channel.id, false);
        for _ in 0..BATCHES {
            let setting = format!("{RECEIVED_TO}{}", channel.id);
            let at = ctx.store().setting(&setting).await?;
            let at = at.and_then(|at| at.parse().ok()).unwrap_or(i64::MIN);
            let entries = objects.after(&collection, at, BATCH).await.map_err(Error::said)?;
            let Some(last) = entries.last().map(|entry| entry.date_added) else { break };
            taken += entries.len();
            items += take(&ctx, channel, entries, last).await?;
        }
    }
    if taken > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "objects": taken, "items": items }))
}

async fn take(ctx: &Shared, channel: &Row, entries: Vec<Entry>, last: i64) -> Result<usize, Error> {
    let store = ctx.store();
    let came = newest(entries);
    let places = places(store, channel, &came).await?;
    let fresh: Vec<&Came> = came.iter().filter(|one| is_fresh(one, &places)).collect();
    let groups = groups(&came, &fresh, &places);
    let (source, is_new) = match source(store, channel).await? {
        Some(source) => (source, false),
        None => (new_source(store, channel)?, true),
    };
    let mut batch = Batch {
        store,
        channel,
        source: &source,
        came: &came,
        left: BTreeMap::new(),
        made: 0,
        deeds: Vec::new(),
    };
    // Files are kept before the change begins: whoever writes them writes alone.
    for (group, members) in &groups {
        batch.group(group, members).await?;
    }
    let Batch { made, left, deeds, .. } = batch;
    let mut drafts: Vec<RecordDraft> = Vec::new();
    for one in &fresh {
        drafts.extend(sightings::received(store, channel, &one.json).await?);
    }
    if made > 0 || !left.is_empty() {
        let bytes: usize = fresh.iter().map(|one| one.bytes.len()).sum();
        let facts = json!({ "items": made, "bytes": bytes, "refused": left });
        drafts.push(room::draft(RECEIVED, Some(source.id), store.now(), facts));
    }
    let mut write = store.write(ACTOR, "taxii", "").await?;
    if is_new {
        write.put(source.clone()).await?;
    }
    for deed in deeds {
        match deed {
            Deed::Put(row) => drop(write.put(*row).await?),
            Deed::Withdrawn(row) => {
                triage::judge(store, &mut write, *row, &withdrawn()).await.map_err(Error::said)?;
            }
            Deed::Place(name, text) => write.set_setting(&name, &text).await?,
        }
    }
    for draft in drafts {
        write.record(draft).await?;
    }
    write.set_setting(&format!("{RECEIVED_TO}{}", channel.id), &last.to_string()).await?;
    write.commit().await?;
    Ok(made)
}

/// What is done in one change.
enum Deed {
    Put(Box<Row>),
    /// All that an item says was revoked before anybody judged it.
    Withdrawn(Box<Row>),
    Place(String, String),
}

fn withdrawn() -> Judging<'static> {
    Judging {
        verdict: Verdict::Discard,
        reason: "提供元が取り消した / revoked by its producer",
        advice: "",
        is_urgent: false,
        inputs: &[],
        relevance: &[],
    }
}

/// The newest version of each object of a batch.
fn newest(entries: Vec<Entry>) -> Vec<Came> {
    let mut all: BTreeMap<String, Came> = BTreeMap::new();
    for entry in entries {
        let Ok(json) = serde_json::from_slice::<Json>(&entry.bytes) else { continue };
        let ty = json["type"].as_str().unwrap_or_default().to_owned();
        let Entry { id, version, bytes, .. } = entry;
        if all.get(&id).is_none_or(|known| known.version <= version) {
            all.insert(id.clone(), Came { id, ty, version, bytes, json });
        }
    }
    all.into_values().collect()
}

async fn places(
    store: &Store,
    channel: &Row,
    came: &[Came],
) -> Result<BTreeMap<String, Place>, Error> {
    let mut all = BTreeMap::new();
    for one in came {
        if let Some(place) = place(store, channel, &one.id).await? {
            all.insert(one.id.clone(), place);
        }
    }
    Ok(all)
}

async fn place(store: &Store, channel: &Row, object: &str) -> Result<Option<Place>, Error> {
    let text = store.setting(&format!("{PLACE}{}:{object}", channel.id)).await?;
    Ok(text.and_then(|text| {
        let mut parts = text.split(' ');
        Some(Place {
            item: parts.next()?.parse().ok()?,
            version: parts.next()?.parse().ok()?,
            revoked: parts.next()? == "1",
        })
    }))
}

/// Whether a version says something new: later than what is known, and that is not revoked.
fn is_fresh(one: &Came, places: &BTreeMap<String, Place>) -> bool {
    places.get(&one.id).is_none_or(|known| one.version > known.version && !known.revoked)
}

/// Which objects belong together.
fn groups<'a>(
    came: &[Came],
    fresh: &[&'a Came],
    places: &BTreeMap<String, Place>,
) -> BTreeMap<Group, Vec<&'a Came>> {
    let mut head_of: BTreeMap<&str, &str> = BTreeMap::new();
    for one in came {
        match one.ty.as_str() {
            "report" | "grouping" => {
                let refs = one.json["object_refs"].as_array().into_iter().flatten();
                for object in refs.filter_map(Json::as_str) {
                    head_of.entry(object).or_insert(&one.id);
                }
            }
            "relationship" => {
                let text = |key: &str| one.json[key].as_str().unwrap_or_default();
                let (from, to) = (text("source_ref"), text("target_ref"));
                let is_head = ["campaign--", "intrusion-set--"].iter().any(|ty| to.starts_with(ty));
                if from.starts_with("indicator--") && is_head {
                    head_of.entry(from).or_insert(to);
                }
            }
            _ => {}
        }
    }
    let is_head = |id: &str| head_of.values().any(|head| *head == id);
    let mut groups: BTreeMap<Group, Vec<&Came>> = BTreeMap::new();
    for one in fresh.iter().filter(|one| TYPES.contains(&one.ty.as_str())) {
        let head = head_of.get(one.id.as_str()).copied();
        let known = places.get(&one.id).or_else(|| places.get(head?));
        let group = match (known, head) {
            (Some(place), _) => Group::Item(place.item),
            (None, Some(head)) => Group::Head(head.to_owned()),
            (None, None) if is_head(&one.id) => Group::Head(one.id.clone()),
            (None, None) => Group::Rest,
        };
        groups.entry(group).or_default().push(one);
    }
    groups
}

/// The source that stands for a channel.
async fn source(store: &Store, channel: &Row) -> Result<Option<Row>, Error> {
    let id = store.row_with(Table::Asset, SOURCE, "channel", &channel.id.to_string()).await?;
    let Some(id) = id else { return Ok(None) };
    Ok(store.row(Table::Asset, id).await?.filter(|row| !row.deleted))
}

/// Nothing is fetched from it and it has no interval of its own, so it is not in use as sources are.
fn new_source(store: &Store, channel: &Row) -> Result<Row, Error> {
    let mut row = Row::new(Table::Asset, store.new_id()?, SOURCE, &channel.name);
    row.status = "active".to_owned();
    let attributes = json!({
        "active": false,
        "format": "taxii",
        "url": format!("/taxii2/ume/collections/{}/", channels::collection(channel.id, false)),
        "interval_min": 1_440,
        "reliability": "f",
        "tlp_default": inbox::tlp_word(DEFAULT),
        "channel": channel.id,
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    Ok(row)
}

struct Batch<'a> {
    store: &'a Store,
    channel: &'a Row,
    source: &'a Row,
    came: &'a [Came],
    /// Objects that gave no indicator, by reason.
    left: BTreeMap<String, u64>,
    made: usize,
    deeds: Vec<Deed>,
}

impl Batch<'_> {
    async fn group(&mut self, group: &Group, members: &[&Came]) -> Result<(), Error> {
        let known = match group {
            Group::Item(id) => self.store.row(Table::Asset, *id).await?,
            _ => None,
        };
        let known = known.filter(|row| row.kind == ITEM && !row.deleted);
        let Some(row) = known else { return self.make(members).await };
        let lines = inbox::confirmed(self.store, &row).await.map_err(Error::said)?;
        let lines = lines.unwrap_or_default();
        let is_judged = Verdict::named(text(&row, "verdict")).is_some_and(|v| v != Verdict::Watch);
        let values: BTreeSet<(&str, &str)> =
            lines.iter().map(|line| (line.kind.as_str(), line.value.as_str())).collect();
        let (mut news, mut changes) = (Vec::new(), Vec::new());
        for one in members {
            let own = self.lines(&[one], row.id);
            let is_new =
                own.iter().any(|line| !values.contains(&(line.kind.as_str(), line.value.as_str())));
            if is_judged && is_new { news.push(*one) } else { changes.push((*one, own)) }
        }
        self.change(row, lines, &changes, &news).await?;
        if news.is_empty() { Ok(()) } else { self.make(&news).await }
    }

    /// A new item of the inbox.
    async fn make(&mut self, members: &[&Came]) -> Result<(), Error> {
        let alive: Vec<&Came> = members.iter().copied().filter(|one| !is_revoked(one)).collect();
        if alive.is_empty() {
            return Ok(());
        }
        let now = self.store.now();
        let head = alive.iter().find(|one| one.ty != "indicator").or(alive.first());
        let name = head.map_or_else(String::new, |head| title(&head.json));
        let name = if name.is_empty() { self.channel.name.clone() } else { name };
        let mut row = Row::new(Table::Asset, self.store.new_id()?, ITEM, &name);
        row.status = "active".to_owned();
        let raw = self.keep_raw(&alive).await?;
        let lines = self.lines(&alive, row.id);
        let mut attributes = json!({
            "source": self.source.id,
            "channel": self.channel.id,
            "received": day(now),
            "field": "technical",
            "tlp": inbox::tlp_word(self.level(&alive)),
            "raw": raw,
            "raw_encoding": "UTF-8",
        });
        let description = head.and_then(|head| head.json["description"].as_str());
        if let Some(text) = description.filter(|text| !text.is_empty()) {
            attributes["attack_method"] = json!(cut(text, TEXT_CHARS_MAX));
        }
        row.attributes = attributes.as_object().cloned().unwrap_or_default();
        if !lines.is_empty() {
            let blob = inbox::keep(self.store, &lines, ACTOR).await.map_err(Error::said)?;
            inbox::put_into(&mut row, &lines, &blob);
        }
        let id = row.id;
        self.deeds.push(Deed::Put(Box::new(row)));
        self.made += 1;
        self.remember(&alive, id);
        Ok(())
    }

    /// Later versions of what an item holds; what an object says otherwise now (`moved`) it says no more here.
    async fn change(
        &mut self,
        row: Row,
        mut lines: Vec<Line>,
        changes: &[(&Came, Vec<Line>)],
        moved: &[&Came],
    ) -> Result<(), Error> {
        let before = lines.clone();
        let mut is_withdrawn = false;
        let is_of = |line: &Line, one: &Came| line.object.as_deref() == Some(one.id.as_str());
        for one in moved {
            lines.iter_mut().filter(|line| is_of(line, one)).for_each(|line| line.revoked = true);
        }
        for (one, own) in changes {
            if is_revoked(one) {
                let of = lines.iter_mut().filter(|line| is_of(line, one));
                of.for_each(|line| line.revoked = true);
                // What names the others takes them with it.
                is_withdrawn |= matches!(one.ty.as_str(), "report" | "grouping" | "campaign");
            } else if one.ty == "indicator" {
                lines.retain(|line| !is_of(line, one));
                lines.extend(own.iter().cloned());
            }
        }
        if is_withdrawn {
            lines.iter_mut().for_each(|line| line.revoked = true);
        }
        is_withdrawn |= !lines.is_empty() && lines.iter().all(|line| line.revoked);
        let members: Vec<&Came> = changes.iter().map(|(one, _)| *one).collect();
        let id = row.id;
        let mut row = row;
        let mut is_changed = lines != before;
        if is_changed {
            let blob = inbox::keep(self.store, &lines, ACTOR).await.map_err(Error::said)?;
            inbox::put_into(&mut row, &lines, &blob);
        }
        let level = self.level(&members).max(share::level(&row, "tlp"));
        // A mark is never lowered by what comes: that is a decision.
        if text(&row, "tlp") != inbox::tlp_word(level) {
            row.attributes.insert("tlp".to_owned(), json!(inbox::tlp_word(level)));
            is_changed = true;
        }
        match is_withdrawn && text(&row, "verdict").is_empty() {
            true => self.deeds.push(Deed::Withdrawn(Box::new(row))),
            false if is_changed => self.deeds.push(Deed::Put(Box::new(row))),
            false => {}
        }
        self.remember(&members, id);
        Ok(())
    }

    fn remember(&mut self, members: &[&Came], item: Id) {
        for one in members {
            let name = format!("{PLACE}{}:{}", self.channel.id, one.id);
            let revoked = u8::from(is_revoked(one));
            self.deeds.push(Deed::Place(name, format!("{item} {} {revoked}", one.version)));
        }
    }

    /// The original: a bundle of the objects, byte for byte as they came.
    async fn keep_raw(&self, members: &[&Came]) -> Result<String, Error> {
        let mut upload = self.store.upload().await?;
        let id = uuid::Uuid::new_v4();
        let head = format!("{{\"type\":\"bundle\",\"id\":\"bundle--{id}\",\"objects\":[\n");
        upload.write(head.as_bytes()).await?;
        for (at, one) in members.iter().enumerate() {
            if at > 0 {
                upload.write(b",\n").await?;
            }
            upload.write(&one.bytes).await?;
        }
        upload.write(b"\n]}\n").await?;
        Ok(self.store.keep(upload, "bundle.json", ACTOR).await?.sha256)
    }

    /// The indicators of objects, in the form that the set takes.
    fn lines(&mut self, members: &[&Came], item: Id) -> Vec<Line> {
        let objects: Vec<&Json> = members.iter().map(|one| &one.json).collect();
        let found = exchange::from_stix(&objects, DEFAULT);
        for (_, why) in found.left {
            *self.left.entry(cut(&why, REASON_CHARS_MAX)).or_default() += 1;
        }
        let (names, now) = (Names::shipped(), self.store.now());
        let mut lines = Vec::new();
        for one in found.items.into_iter().filter(|one| one.enforce) {
            let key = match indicators::normalise(one.kind, &one.value, &names) {
                Ok(key) => key,
                Err(reject) => {
                    *self.left.entry(cut(&reject.to_string(), REASON_CHARS_MAX)).or_default() += 1;
                    continue;
                }
            };
            lines.push(Line {
                kind: one.kind.as_str().to_owned(),
                value: key.text().to_owned(),
                scope: Some(key.scope().as_str().to_owned()),
                direction: one.side.map(|side| direction(side).as_str().to_owned()),
                source: item.to_string(),
                valid_from: one.from.map(time::print_millis),
                valid_until: one.until.map(time::print_millis),
                received: Some(now.rfc3339()),
                object: Some(one.by),
                ..Line::default()
            });
        }
        lines
    }

    /// The strictest mark of objects and all that they reach here.
    fn level(&self, members: &[&Came]) -> Level {
        let roots: Vec<&str> = members.iter().map(|one| one.id.as_str()).collect();
        let lookup = |id: &str| self.came.iter().find(|one| one.id == id).map(|one| &one.json);
        tlp::effective(&roots, &lookup, &|_| Marking::level(DEFAULT)).marking.level
    }
}

fn direction(side: Side) -> Direction {
    match side {
        Side::Source => Direction::Source,
        Side::Destination => Direction::Destination,
    }
}

fn is_revoked(one: &Came) -> bool {
    one.json["revoked"] == Json::Bool(true)
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn title(object: &Json) -> String {
    let name = object["name"].as_str().unwrap_or_default();
    cut(name.replace(char::is_control, " ").trim(), NAME_CHARS_MAX)
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn day(now: Timestamp) -> String {
    now.rfc3339().chars().take("2026-11-29".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(json: Json) -> Came {
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        Came { id: text("id"), ty: text("type"), version: 5, bytes: Vec::new(), json }
    }

    fn grouped(all: &[Came], places: &BTreeMap<String, Place>) -> Vec<(Group, Vec<String>)> {
        let fresh: Vec<&Came> = all.iter().filter(|one| is_fresh(one, places)).collect();
        let groups = groups(all, &fresh, places).into_iter();
        groups.map(|(g, m)| (g, m.iter().map(|one| one.id.clone()).collect())).collect()
    }

    #[test]
    fn objects_go_with_what_names_them_and_the_rest_together() {
        let all = [
            came(json!({"type": "report", "id": "report--1", "object_refs": ["indicator--a"]})),
            came(json!({"type": "indicator", "id": "indicator--a"})),
            came(json!({"type": "indicator", "id": "indicator--b"})),
            came(json!({"type": "campaign", "id": "campaign--2"})),
            came(json!({"type": "relationship", "id": "relationship--r",
                "source_ref": "indicator--b", "target_ref": "campaign--2"})),
            came(json!({"type": "indicator", "id": "indicator--c"})),
            came(json!({"type": "identity", "id": "identity--d"})),
        ];
        let head = |id: &str| Group::Head(id.to_owned());
        let ids = |all: &[&str]| all.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            grouped(&all, &BTreeMap::new()),
            [
                (head("campaign--2"), ids(&["indicator--b", "campaign--2"])),
                (head("report--1"), ids(&["report--1", "indicator--a"])),
                (Group::Rest, ids(&["indicator--c"])),
            ]
        );
        // What is known goes to its item; an older version and a revoked object say nothing new.
        let item = Id::nil();
        let place = |version, revoked| Place { item, version, revoked };
        let places = BTreeMap::from([
            ("report--1".to_owned(), place(5, false)),
            ("indicator--b".to_owned(), place(9, false)),
            ("campaign--2".to_owned(), place(1, true)),
            ("indicator--c".to_owned(), place(1, false)),
        ]);
        assert_eq!(
            grouped(&all, &places),
            [(Group::Item(item), ids(&["indicator--a", "indicator--c"]))]
        );
    }
}
