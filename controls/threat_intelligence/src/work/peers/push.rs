//! What waits to be taken to a peer's server, until the peer says that it has it.
//!
//! Invariants: what waits survives the process; the marking is asked again when it is sent; an object goes out as the
//! same bytes under the same version each time, so a repetition after a crash changes nothing at the peer; that it was
//! given and accepted is recorded once, in the change that ends the waiting.
//!
//! Limits: `QUEUE_MAX` parcels wait; one that the peer does not take for `EXPIRES_H` hours ends with a record and a
//! task.

use indicators::{
    Kind, exchange, misp,
    pattern::Side,
    stix::time,
    taxii::{Entry, PollLimits, Push as Posted},
    tlp::{Level, Permit},
};
use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Row, Store};

use super::{
    Way, channel_of,
    http::{self, JSON, Peer, TAXII},
    login,
    sightings::{self, Form},
    way,
};
use crate::work::{
    channels::{self, ACCEPTED, CHANNEL},
    inbox::{self, ITEM},
    share::{self, SHARED, ShareError, given},
};

pub const EXPIRED: &str = "threat_intelligence.push_expired";
const QUEUE: &str = "threat_intelligence.push:";
pub const QUEUE_MAX: usize = 1_000;
const EXPIRES_H: i64 = 72;
const WAIT_MIN_MAX: i64 = 6 * 60;
const MINUTE: i64 = 60_000_000;
/// How long one run waits for a peer to settle what it took.
const SETTLE_MICROS_MAX: i64 = 60_000_000;
const REASON_CHARS_MAX: usize = 200;
const ACTOR: &str = "system:threat_intelligence.push";

/// What is taken to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// An item as it is when it is sent.
    Item(Id),
    /// These objects: withdrawn ones.
    Objects(Vec<Json>),
    /// A sighting or opinion, and the object it is about.
    Said { objects: Vec<Json>, about: String, form: String },
}

/// A parcel that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub id: Id,
    pub channel: Id,
    pub what: What,
    /// The item that it is of.
    pub item: Id,
    pub queued_at: i64,
    pub tries: u32,
    pub next_at: i64,
    /// Why the last try failed.
    pub why: String,
}

/// All that waits.
pub async fn waiting(store: &Store) -> Result<Vec<Waiting>, Error> {
    let all = store.settings(QUEUE).await?;
    Ok(all.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect())
}

/// Puts a parcel into the queue; one of the same content that waits already stays alone.
pub async fn queue(store: &Store, channel: Id, item: Id, what: What) -> Result<(), ShareError> {
    let all = waiting(store).await.map_err(|error| ShareError::Peer(error.to_string()))?;
    if all.iter().any(|one| one.channel == channel && one.what == what) {
        return Ok(());
    }
    if all.len() >= QUEUE_MAX {
        return Err(ShareError::Peer(format!("{QUEUE_MAX} parcels wait already")));
    }
    let (id, now) = (store.new_id()?, store.now().0);
    let one = Waiting {
        id,
        channel,
        what,
        item,
        queued_at: now,
        tries: 0,
        next_at: now,
        why: String::new(),
    };
    Ok(store.set_setting(&format!("{QUEUE}{id}"), &text(&one)).await?)
}

fn text(one: &Waiting) -> String {
    serde_json::to_string(one).unwrap_or_default()
}

/// Takes to peers what is due.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let (store, now) = (ctx.store(), ctx.store().now());
    let (mut done, mut left) = (0, 0);
    for (name, kept) in store.settings(QUEUE).await? {
        let Ok(mut one) = serde_json::from_str::<Waiting>(&kept) else {
            // What was done and not yet taken away.
            store.take_setting(&name).await?;
            continue;
        };
        if one.next_at > now.0 {
            left += 1;
            continue;
        }
        match deliver(&ctx, &one).await? {
            Outcome::Done => done += 1,
            Outcome::Later(why) if now.0 - one.queued_at >= EXPIRES_H * 60 * MINUTE => {
                expire(store, &one, &why).await?;
                done += 1;
            }
            Outcome::Later(why) => {
                one.tries += 1;
                one.next_at = now.0 + (1_i64 << one.tries.min(10)).min(WAIT_MIN_MAX) * MINUTE;
                one.why = cut(&why);
                store.set_setting(&name, &text(&one)).await?;
                left += 1;
                continue;
            }
        }
        store.take_setting(&name).await?;
        ctx.house.wake();
    }
    Ok(json!({ "ended": done, "waiting": left }))
}

enum Outcome {
    /// It is settled, one way or the other, and recorded.
    Done,
    Later(String),
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}

/// What goes out.
struct Parcel {
    objects: Vec<Json>,
    level: Level,
    redaction: &'static str,
    /// Whether it was made here, not taken from a peer.
    is_own: bool,
    said: Option<(String, Form)>,
}

async fn deliver(ctx: &Shared, one: &Waiting) -> Result<Outcome, Error> {
    let store = ctx.store();
    let channel = store.row(Table::Asset, one.channel).await?;
    let channel = channel.filter(|row| row.kind == CHANNEL && channels::is_used(row));
    let Some(channel) = channel else {
        expire(store, one, "the channel is not in use").await?;
        return Ok(Outcome::Done);
    };
    let item = store.row(Table::Asset, one.item).await?;
    let Some(item) = item.filter(|row| row.kind == ITEM && !row.deleted) else {
        expire(store, one, "the item is gone").await?;
        return Ok(Outcome::Done);
    };
    let Some(parcel) = parcel(store, &channel, &item, one).await? else {
        return Ok(Outcome::Done);
    };
    let sent = match way(&channel) {
        Way::Taxii => taxii(store, &channel, &parcel).await?,
        Way::Misp => misp(store, &channel, &item, &parcel).await?,
        Way::Comes | Way::ByHand => Err("the channel has no address of a server".to_owned()),
    };
    match sent {
        Err(why) => Ok(Outcome::Later(why)),
        Ok(accepted) => {
            let objects = channels::objects(&ctx.house).await?;
            record(store, one, &channel, &parcel, &accepted).await?;
            // The collection of what was given shows it; it decides nothing.
            let entries: Vec<Entry> = parcel.objects.iter().map(share::entry).collect();
            let given = channels::collection(channel.id, true);
            objects.add_all(&given, entries, store.now().0).await.map_err(Error::said)?;
            Ok(Outcome::Done)
        }
    }
}

/// What is sent now, by the marking of now; none if that refuses.
async fn parcel(
    store: &Store,
    channel: &Row,
    item: &Row,
    one: &Waiting,
) -> Result<Option<Parcel>, Error> {
    let level = share::level(item, "tlp");
    let (objects, permit, redaction, said) = match &one.what {
        What::Item(_) => match share::parcel(store, channel, item).await {
            Ok(parcel) => (parcel.objects, parcel.permit, parcel.redaction, None),
            Err(error) => {
                expire(store, one, &error.to_string()).await?;
                return Ok(None);
            }
        },
        What::Objects(objects) => (objects.clone(), Permit::Allow, "victim_part", None),
        What::Said { objects, about, form } => {
            let form = Form::named(form).unwrap_or(Form::Sighting);
            let permit = share::permit(channel, level);
            (objects.clone(), permit, "victim_part", Some((about.clone(), form)))
        }
    };
    if let Permit::Refuse(_) = permit {
        share::refused(store, channel, level, ACTOR).await?;
        return Ok(None);
    }
    let is_own = said.is_some() || channel_of(store, item).await?.is_none();
    Ok(Some(Parcel { objects, level, redaction, is_own, said }))
}

/// Ids that the peer has now, and how that is proved.
type Accepted = (Vec<String>, &'static str);

fn ids(objects: &[Json]) -> Vec<String> {
    let of = objects.iter().filter(|object| object["type"] != "marking-definition");
    of.filter_map(|object| object["id"].as_str().map(str::to_owned)).collect()
}

async fn peer(store: &Store, channel: &Row, is_misp: bool) -> Result<Result<Peer, String>, Error> {
    let address = channel.attributes.get("address").and_then(Json::as_str).unwrap_or_default();
    let login = login::get(store, channel.id).await?;
    Ok(Peer::new(address, login, is_misp))
}

async fn taxii(
    store: &Store,
    channel: &Row,
    parcel: &Parcel,
) -> Result<Result<Accepted, String>, Error> {
    let peer = match peer(store, channel, false).await? {
        Ok(peer) => peer,
        Err(why) => return Ok(Err(why)),
    };
    let all = ids(&parcel.objects);
    let settled = settled(&peer, &parcel.objects, store.now().0).await;
    Ok(settled.and_then(|status| {
        let named = |list: &str| -> Vec<String> {
            let list = status[list].as_array().into_iter().flatten();
            list.filter_map(|one| one["id"].as_str().or(one.as_str()).map(str::to_owned)).collect()
        };
        let failures = named("failures");
        let failed = status["failure_count"].as_u64().unwrap_or(0);
        let ours: Vec<String> = all.iter().filter(|id| !failures.contains(id)).cloned().collect();
        // Failures that bear no name may be any of them.
        if failed > failures.len() as u64 || ours.is_empty() {
            let why = status["failures"][0]["message"].as_str().unwrap_or("without a reason");
            return Err(format!("the peer refused {failed} objects: {why}"));
        }
        Ok((ours, "taxii_success"))
    }))
}

/// Posts objects and waits until the peer says what became of them.
async fn settled(peer: &Peer, objects: &[Json], now: i64) -> Result<Json, String> {
    let found = http::collection(peer, true).await?;
    if !found.can_write {
        return Err("the collection may not be written".to_owned());
    }
    let url = |path: &str| found.root.join(path).map_err(|error| error.to_string());
    let body = json!({ "objects": objects }).to_string().into_bytes();
    let to = url(&format!("collections/{}/objects/", found.collection))?;
    let answer = peer.post(to, TAXII, body).await?;
    let limits = PollLimits { attempts: 8, wait_max: 20 * 1_000_000, ..PollLimits::default() };
    let posted = answer.with(|answer| Posted::new(answer, limits)).map_err(|e| e.to_string())?;
    let (mut posted, mut status) = posted;
    let mut waited = 0;
    while status.is_none() {
        let answer = peer.get(url(&posted.ask().path)?, TAXII).await?;
        match answer.with(|answer| posted.receive(answer, now)).map_err(|e| e.to_string())? {
            Ok(done) => status = Some(done),
            Err(wait) => {
                waited += wait;
                if waited > SETTLE_MICROS_MAX {
                    return Err("the peer has not settled it yet".to_owned());
                }
                tokio::time::sleep(std::time::Duration::from_micros(wait.unsigned_abs())).await;
            }
        }
    }
    Ok(status.unwrap_or_default())
}

async fn misp(
    store: &Store,
    channel: &Row,
    item: &Row,
    parcel: &Parcel,
) -> Result<Result<Accepted, String>, Error> {
    let peer = match peer(store, channel, true).await? {
        Ok(peer) => peer,
        Err(why) => return Ok(Err(why)),
    };
    let all = ids(&parcel.objects);
    let sent = match &parcel.said {
        Some((_, form)) => said(store, item, parcel, *form, &peer).await?,
        None => add(store, item, parcel.level, &peer).await?,
    };
    Ok(sent.map(|()| (all, "misp_200")))
}

/// The event of an item: the same bytes each time.
pub async fn event(store: &Store, item: &Row, level: Level) -> Result<Json, ShareError> {
    let lines = inbox::confirmed(store, item).await?.unwrap_or_default();
    let mut items = Vec::new();
    for line in lines.iter().filter(|line| !line.revoked) {
        let Some(kind) = Kind::named(&line.kind) else { continue };
        let moment = |text: &Option<String>| text.as_deref().and_then(time::parse);
        items.push(exchange::Item {
            kind,
            value: line.value.clone(),
            side: match line.direction.as_deref() {
                Some("source") => Some(Side::Source),
                Some("destination") => Some(Side::Destination),
                _ => None,
            },
            from: moment(&line.valid_from),
            until: None,
            enforce: true,
            level,
            by: String::new(),
        });
    }
    if items.is_empty() {
        return Err(ShareError::Nothing);
    }
    // Neither the item's name nor its text: who was attacked may stand in them.
    let info = format!("Indicators {}", &item.created_at.rfc3339()[..10]);
    let org = ("Ume".to_owned(), exchange::org_uuid("Ume"));
    Ok(misp::write_event(&exchange::to_misp(&items, &info, org, item.created_at.0)))
}

async fn add(
    store: &Store,
    item: &Row,
    level: Level,
    peer: &Peer,
) -> Result<Result<(), String>, Error> {
    let event = match event(store, item, level).await {
        Ok(event) => event,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let uuid = event["Event"]["uuid"].as_str().unwrap_or_default().to_owned();
    Ok(async {
        let to = peer.named("events/add")?;
        let answer = peer.post(to, JSON, event.to_string().into_bytes()).await?;
        if answer.status == 200 {
            return Ok(());
        }
        // It may be there from a try whose answer was lost.
        let there = peer.get(peer.named(&format!("events/view/{uuid}"))?, JSON).await?;
        let is_it = there.json()["Event"]["uuid"].as_str() == Some(uuid.as_str());
        match there.status == 200 && is_it {
            true => Ok(()),
            false => Err(format!("events/add answers {}", answer.status)),
        }
    }
    .await)
}

/// A sighting by its value, as MISP takes it.
async fn said(
    store: &Store,
    item: &Row,
    parcel: &Parcel,
    form: Form,
    peer: &Peer,
) -> Result<Result<(), String>, Error> {
    let about = parcel.said.as_ref().map(|(about, _)| about.as_str()).unwrap_or_default();
    let lines = inbox::confirmed(store, item).await.map_err(Error::said)?.unwrap_or_default();
    let Some(line) = lines.iter().find(|line| line.object.as_deref() == Some(about)) else {
        return Ok(Err("the value is gone from the item".to_owned()));
    };
    let kind = if form == Form::Opinion { 1 } else { 0 };
    let object = parcel.objects.iter().find(|one| one["type"] == form.as_str());
    let at = object.and_then(|one| time::parse(one["modified"].as_str()?)).unwrap_or_default();
    let body = misp::sighting(&line.value, kind, at / 1_000_000, "Ume");
    Ok(async {
        let to = peer.named("sightings/add")?;
        match peer.post(to, JSON, body.to_string().into_bytes()).await?.status {
            200 => Ok(()),
            status => Err(format!("sightings/add answers {status}")),
        }
    }
    .await)
}

/// That the peer has it, and that nothing waits any more, in one change.
async fn record(
    store: &Store,
    one: &Waiting,
    channel: &Row,
    parcel: &Parcel,
    (accepted, proof): &Accepted,
) -> Result<(), Error> {
    let before = given::all(store, channel.id).await?;
    let now = store.now();
    let mut write = store.write(ACTOR, "push", "").await?;
    for object in &parcel.objects {
        let id = object["id"].as_str().unwrap_or_default();
        if !accepted.iter().any(|known| known == id) {
            continue;
        }
        let (state, version) = given::state(object, parcel.is_own);
        if before.get(id) == Some(&state) {
            continue;
        }
        let shared = json!({
            "channel": channel.id,
            "object": id,
            "version": version,
            "tlp": inbox::tlp_word(parcel.level),
            "redaction": parcel.redaction,
        });
        write.record(room::draft(SHARED, Some(channel.id), now, shared)).await?;
        let facts = json!({
            "channel": channel.id, "object": id, "own_object": parcel.is_own, "proof": proof,
        });
        write.record(room::draft(ACCEPTED, Some(channel.id), now, facts)).await?;
        write.set_setting(&given::setting(channel.id, id), &state).await?;
    }
    if let Some((about, form)) = &parcel.said {
        write.record(sightings::draft(store, channel.id, about, "sent", "theirs", *form)).await?;
    }
    // Emptied with the rest: what is empty is taken away and never sent.
    write.set_setting(&format!("{QUEUE}{}", one.id), "").await?;
    Ok(write.commit().await?)
}

/// Ends what the peer does not take: a record, and a task for whoever keeps the agreement.
async fn expire(store: &Store, one: &Waiting, why: &str) -> Result<(), Error> {
    let now = store.now();
    let facts = json!({
        "channel": one.channel, "item": one.item, "tries": one.tries, "reason": cut(why),
    });
    let due = now.plus_hours(5 * 24);
    let name = "相手に渡せなかった情報を確かめる / See why a peer did not take what was given";
    let mut task = Row::new(Table::Task, store.new_id()?, "task", name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(one.channel);
    task.ends_at = Some(due);
    let attributes = json!({
        "due": due.rfc3339()[..10],
        "zone": "UTC",
        "description": format!("{}\n/intelligence/channels/{}", cut(why), one.channel),
        "remind_days": 1,
        "role": "officer",
        "closes_with": super::probe::PROBED,
        "closes_where": { "passed": true },
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    let mut write = store.write(ACTOR, "push", "").await?;
    write.record(room::draft(EXPIRED, Some(one.channel), now, facts)).await?;
    write.put(task).await?;
    write.set_setting(&format!("{QUEUE}{}", one.id), "").await?;
    Ok(write.commit().await?)
}

/// How many parcels wait for a channel, and why the oldest does.
pub async fn of_channel(store: &Store, channel: Id) -> Result<(usize, String), Error> {
    let all = waiting(store).await?;
    let own: Vec<&Waiting> = all.iter().filter(|one| one.channel == channel).collect();
    let why = own.iter().min_by_key(|one| one.queued_at).map(|one| one.why.clone());
    Ok((own.len(), why.unwrap_or_default()))
}

/// When a parcel that waits is tried next.
pub fn next_at(all: &[Waiting], channel: Id) -> Option<Timestamp> {
    all.iter().filter(|one| one.channel == channel).map(|one| Timestamp(one.next_at)).min()
}
