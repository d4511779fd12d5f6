//! MISP: the folder of a feed (`manifest.json` and a file for each event), and `events/restSearch`.
//!
//! Each event is a group. Of a folder only events are fetched whose time in the manifest differs from the one that was
//! entered, so a kill fetches them again.

use std::collections::BTreeMap;

use fetch::{Address, Fault};
use indicators::{
    Ceiling, Direction,
    misp::{self, Event, Search},
    pattern::Side,
    tlp::Marking,
};
use reqwest::{Method, Url, header};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{
    BoxFuture, Desk, Extent, FeedRow, Group, Reader, Received, desk::file_fault, settle::Balance,
};

const MANIFEST: &str = "manifest.json";
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
const EVENT_BYTES_MAX: u64 = 64 << 20;
const EVENTS_MAX: usize = 500_000;
/// Events of one part of a delivery.
const PART: usize = 100;
const PAGE: u32 = 50;

/// Feeds and servers of MISP.
pub struct Misp;

impl Reader for Misp {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            match desk.source.address.clone() {
                Address::Http(url) if url.path().trim_end_matches('/').ends_with("restSearch") => {
                    searched(desk, url).await
                }
                _ => folder(desk).await,
            }
        })
    }
}

/// A file beside the manifest.
async fn file(desk: &mut Desk, name: &str, max: u64) -> Result<Vec<u8>, Fault> {
    match desk.source.address.clone() {
        Address::Http(url) => {
            let mut base = url;
            if !base.path().ends_with('/') && !base.path().ends_with(".json") {
                base.set_path(&format!("{}/", base.path()));
            }
            let url = base.join(name).map_err(|_| Fault::Address("no address"))?;
            let document = desk.get(&url).await?;
            in_thread(move || document.bytes(max)).await
        }
        Address::Path(path) => {
            let folder =
                if path.is_file() { path.parent().unwrap_or(&path).to_owned() } else { path };
            let place = folder.join(name);
            let name = name.to_owned();
            let bytes = in_thread(move || {
                let size = std::fs::symlink_metadata(&place).map_err(|e| file_fault(&name, &e))?;
                if !size.is_file() {
                    return Err(file_fault(&name, &"no regular file"));
                }
                if size.len() > max {
                    return Err(Fault::Large { max });
                }
                std::fs::read(&place).map_err(|error| file_fault(&name, &error))
            })
            .await?;
            desk.count(&bytes);
            Ok(bytes)
        }
    }
}

async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| file_fault("feed", &error))?
}

async fn folder(desk: &mut Desk) -> Result<Received, Fault> {
    let bytes = file(desk, MANIFEST, MANIFEST_BYTES_MAX).await?;
    let listed = in_thread(move || manifest(&bytes)).await?;
    let known: BTreeMap<String, String> = desk.stamps().await?.into_iter().collect();
    let lost: Vec<String> =
        known.keys().filter(|uuid| !listed.contains_key(*uuid)).cloned().collect();
    let balance = Balance { had: known.len() as u64, have: (known.len() - lost.len()) as u64 };
    let loss = hex::encode(Sha256::digest(lost.join("\n")));
    let is_drop = balance.is_drop(desk.source.hold_permille) && !desk.is_confirmed(&loss);
    if !lost.is_empty() && !is_drop {
        desk.drop_groups(&lost).await?;
    }
    let mut wanted =
        listed.iter().filter(|(uuid, stamp)| known.get(*uuid).is_none_or(|known| known != *stamp));
    let mut events = 0;
    for (uuid, stamp) in wanted.by_ref().take(PART) {
        // One bad event costs itself alone.
        match file(desk, &format!("{uuid}.json"), EVENT_BYTES_MAX).await {
            Ok(bytes) => {
                let read = in_thread(move || event(&bytes)).await;
                events += took(desk, read, uuid, Some(stamp)).await?;
            }
            Err(fault) if fault.is_passing() || matches!(fault, Fault::Wait { .. }) => {
                return Err(fault);
            }
            Err(fault) => desk.refuse("event", uuid, fault.words()),
        }
    }
    let more = wanted.next().is_some();
    Ok(Received {
        items: events,
        extent: Extent::Groups,
        more: more && events > 0,
        unchanged: events == 0 && (lost.is_empty() || is_drop) && desk.refused.counts.is_empty(),
        lost: is_drop.then_some((balance, loss)),
        ..Received::default()
    })
}

/// The events of a manifest with their times.
fn manifest(bytes: &[u8]) -> Result<BTreeMap<String, String>, Fault> {
    let bad = |why: String| {
        Fault::said(format!("manifest.json を読めません（{why}）"), format!("manifest.json: {why}"))
    };
    let value: Json = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    let Json::Object(members) = value else { return Err(bad("no object".to_owned())) };
    if members.len() > EVENTS_MAX {
        return Err(bad(format!("more than {EVENTS_MAX} events")));
    }
    let stamp = |about: &Json| match &about["timestamp"] {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    // A name that is no UUID could lead out of the folder.
    let named = members.iter().filter(|(uuid, _)| uuid::Uuid::try_parse(uuid).is_ok());
    let events: BTreeMap<String, String> =
        named.map(|(uuid, about)| (uuid.clone(), stamp(about))).collect();
    match events.is_empty() {
        true => Err(super::desk::empty()),
        false => Ok(events),
    }
}

fn event(bytes: &[u8]) -> Result<(Event, Json), Fault> {
    let event = misp::read_event(bytes, &misp::Limits::default()).map_err(unreadable)?;
    let value = misp::write_event(&event);
    Ok((event, value))
}

fn unreadable(error: misp::MispError) -> Fault {
    Fault::said(format!("MISPのイベントとして読めません（{error}）"), error.to_string())
}

/// Takes an event; gives how many, none if it is none.
async fn took(
    desk: &mut Desk,
    read: Result<(Event, Json), Fault>,
    uuid: &str,
    stamp: Option<&str>,
) -> Result<u64, Fault> {
    let (event, value) = match read {
        Ok(read) => read,
        Err(fault) => {
            desk.refuse("event", uuid, fault.words());
            return Ok(0);
        }
    };
    let own = event.uuid().unwrap_or_default().to_owned();
    if own != uuid && !uuid.is_empty() {
        desk.refuse(
            "event",
            uuid,
            ("別のイベントのファイルです".into(), "a file of another event".into()),
        );
        return Ok(0);
    }
    let default = Marking::level(desk.source.level);
    let found = misp::rows(&event, &default);
    for (pointer, why) in &found.left {
        if *why != "no value to match" {
            desk.refuse(
                "attribute",
                &format!("{own}{pointer}"),
                (format!("読めない属性です（{why}）"), (*why).to_owned()),
            );
        }
    }
    let mut rows: Vec<FeedRow> = Vec::new();
    for one in found.rows {
        let is_true = |value: &Json| *value == true || *value == "1" || *value == 1;
        let about = value.pointer(&format!("/Event{}", one.pointer));
        let is_gone = about.is_some_and(|attribute| is_true(&attribute["deleted"]));
        if is_gone {
            continue;
        }
        let Some(mut row) = desk.row(one.kind, &one.value) else { continue };
        row.group = own.clone();
        row.direction = match one.side {
            Some(Side::Source) => Direction::Source,
            Some(Side::Destination) => Direction::Destination,
            None => Direction::Both,
        };
        row.ceiling = if one.enforce { Ceiling::Block } else { Ceiling::Alert };
        (row.valid_from, row.sighted) = (one.first_seen, one.last_seen);
        (row.level, row.said_by) = (one.ceiling.level, one.uuid);
        rows.push(row);
    }
    let time = stamp.map_or_else(|| text(&value["Event"]["timestamp"]), str::to_owned);
    let raw = serde_json::to_vec_pretty(&value).unwrap_or_default();
    let title = event.info().to_owned();
    let level = rows.iter().map(|row| row.level).max();
    desk.group(Group { key: own, title, level, raw, stamp: time }).await?;
    desk.rows(&rows).await?;
    Ok(1)
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Where a search goes on: since when, which page, the newest time so far.
struct Place {
    since: Option<i64>,
    page: u32,
    newest: i64,
}

impl Place {
    fn of(cursor: Option<&str>) -> Place {
        let mut parts = cursor.unwrap_or_default().split(',').map(|part| part.parse::<i64>().ok());
        let since = parts.next().flatten();
        let page = parts.next().flatten().and_then(|page| u32::try_from(page).ok()).unwrap_or(1);
        Place { since, page: page.max(1), newest: parts.next().flatten().unwrap_or(0) }
    }

    fn text(&self) -> String {
        format!("{},{},{}", self.since.unwrap_or(0), self.page, self.newest)
    }
}

async fn searched(desk: &mut Desk, url: Url) -> Result<Received, Fault> {
    let mut place = Place::of(desk.cursor());
    let search = Search {
        published_since: place.since.filter(|since| *since > 0),
        tags: Vec::new(),
        page: place.page,
        limit: PAGE,
    };
    let headers =
        [(header::ACCEPT, "application/json"), (header::CONTENT_TYPE, "application/json")];
    let body = search.body().to_string().into_bytes();
    let reply = desk.client().call(Method::POST, url, &headers, Some(body)).await?;
    if reply.status != 200 {
        return Err(reply.fault());
    }
    desk.count(&reply.body);
    let read = in_thread(move || {
        misp::read_response(&reply.body, &misp::Limits::default()).map_err(unreadable)
    });
    let found = read.await?;
    let count = found.len();
    let mut events = 0;
    for one in found {
        let read = one.map_err(unreadable).map(|event| {
            let value = misp::write_event(&event);
            (event, value)
        });
        if let Ok((_, value)) = &read {
            let times = ["publish_timestamp", "timestamp"].map(|name| text(&value["Event"][name]));
            let newest = times.iter().filter_map(|time| time.parse::<i64>().ok()).next();
            place.newest = place.newest.max(newest.unwrap_or(0));
        }
        events += took(desk, read, "", None).await?;
    }
    let more = count >= PAGE as usize;
    match more {
        true => place.page += 1,
        // What is published within the same second later is asked for again.
        false => {
            let since = place.newest.max(place.since.unwrap_or(0));
            place = Place { since: Some(since), page: 1, newest: 0 };
        }
    }
    Ok(Received {
        items: events,
        cursor: Some(place.text()),
        extent: Extent::Groups,
        more,
        ..Received::default()
    })
}
