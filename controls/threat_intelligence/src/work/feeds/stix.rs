//! STIX 2.1: bundles in files, and what objects mean as rows and groups.

use std::collections::{BTreeMap, BTreeSet};

use fetch::Fault;
use indicators::{
    Ceiling, Direction,
    exchange::{self, Item},
    pattern::Side,
    stix,
};
use serde_json::{Value as Json, json};

use super::{BoxFuture, Desk, Extent, FeedRow, Group, Reader, Received};

const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
const ENDS: [&str; 2] = [".json", ".stix"];
/// Objects that bring indicators together, the first goes before the next.
const GATHERERS: [&str; 5] = ["report", "grouping", "campaign", "intrusion-set", "malware"];

/// Files of STIX.
pub struct Stix;

impl Reader for Stix {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            let Some(documents) = desk.documents(&ENDS).await? else {
                return Ok(Received { unchanged: true, ..Received::default() });
            };
            let mut items = 0;
            for document in documents {
                let name = document.name.clone();
                let read = tokio::task::spawn_blocking(move || {
                    parsed(&document.bytes(DOCUMENT_BYTES_MAX)?)
                });
                let (objects, refused) =
                    read.await.map_err(|error| super::desk::file_fault(&name, &error))??;
                for (pointer, why) in refused {
                    desk.refuse("unreadable", &pointer, why);
                }
                items += take(desk, objects, &name).await?;
            }
            Ok(Received { items, extent: Extent::Whole, ..Received::default() })
        })
    }
}

type Left = Vec<(String, (String, String))>;

fn parsed(bytes: &[u8]) -> Result<(Vec<Json>, Left), Fault> {
    let parsed = stix::parse(bytes, &stix::Limits::default()).map_err(|error| {
        Fault::said(
            format!("STIXとして読めません（{error}）"),
            format!("it cannot be read as STIX: {error}"),
        )
    })?;
    let left = parsed.diagnostics.iter().map(|one| (one.pointer.clone(), (one.ja(), one.en())));
    let left = left.collect();
    Ok((parsed.objects.into_iter().map(|object| object.value).collect(), left))
}

fn id_of(object: &Json) -> &str {
    object["id"].as_str().unwrap_or_default()
}

/// Takes objects: rows of their indicators, groups of what brings them together, and what was taken back.
pub async fn take(desk: &mut Desk, objects: Vec<Json>, fallback: &str) -> Result<u64, Fault> {
    let by_id: BTreeMap<&str, &Json> =
        objects.iter().map(|object| (id_of(object), object)).collect();
    let groups = gathered(&by_id);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut rows = Vec::new();
    let mut alone: Vec<&Json> = Vec::new();
    for object in by_id.values().filter(|object| object["type"] == "indicator") {
        let id = id_of(object);
        if object["revoked"] == true {
            desk.revoke(id).await?;
            continue;
        }
        let group = groups.get(id).copied();
        let found = exchange::from_stix(&near(object, &by_id), desk.source.level);
        for (_, why) in found.left {
            let said = (format!("値に分けられない指標です（{why}）"), why);
            desk.refuse("pattern", id, said);
        }
        let before = rows.len();
        for item in found.items {
            rows.extend(row(desk, &item, group.unwrap_or(fallback)));
        }
        if rows.len() > before {
            match group {
                Some(group) => drop(used.insert(group)),
                None => alone.push(object),
            }
        }
    }
    for id in used {
        let Some(object) = by_id.get(id) else { continue };
        let members: Vec<&Json> = groups
            .iter()
            .filter(|(_, group)| **group == id)
            .filter_map(|(member, _)| by_id.get(member).copied())
            .chain([*object])
            .collect();
        let title = object["name"].as_str().unwrap_or(id);
        desk.group(group(id, title, &members, text(object, "modified"))).await?;
    }
    if !alone.is_empty() {
        desk.group(group(fallback, "", &alone, "")).await?;
    }
    desk.rows(&rows).await?;
    Ok(rows.len() as u64)
}

fn text<'o>(object: &'o Json, name: &str) -> &'o str {
    object[name].as_str().unwrap_or_default()
}

fn group(key: &str, title: &str, members: &[&Json], stamp: &str) -> Group {
    let raw = serde_json::to_vec_pretty(&json!({ "objects": members })).unwrap_or_default();
    Group {
        key: key.to_owned(),
        title: title.to_owned(),
        level: None,
        raw,
        stamp: stamp.to_owned(),
    }
}

/// Which object brings an indicator together with others.
fn gathered<'o>(by_id: &BTreeMap<&'o str, &'o Json>) -> BTreeMap<&'o str, &'o str> {
    let mut groups: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    let mut put = |member: &'o str, id: &'o str| {
        let ty = id.split("--").next().unwrap_or_default();
        let Some(rank) = GATHERERS.iter().position(|gatherer| *gatherer == ty) else { return };
        let place = groups.entry(member).or_insert((rank, id));
        if rank < place.0 {
            *place = (rank, id);
        }
    };
    for (id, object) in by_id {
        for member in
            object["object_refs"].as_array().into_iter().flatten().filter_map(Json::as_str)
        {
            put(member, id);
        }
        let target = object["target_ref"].as_str();
        if object["type"] == "relationship"
            && let (Some(source), Some(target)) = (object["source_ref"].as_str(), target)
            && by_id.contains_key(target)
        {
            put(source, target);
        }
    }
    groups.into_iter().map(|(member, (_, id))| (member, id)).collect()
}

/// An indicator with what its marking may depend on.
fn near<'o>(object: &'o Json, by_id: &BTreeMap<&str, &'o Json>) -> Vec<&'o Json> {
    let mut refs: Vec<&str> = Vec::new();
    let listed = object["object_marking_refs"].as_array().into_iter().flatten();
    refs.extend(listed.filter_map(Json::as_str));
    let granular = object["granular_markings"].as_array().into_iter().flatten();
    refs.extend(granular.filter_map(|one| one["marking_ref"].as_str()));
    refs.extend(object["created_by_ref"].as_str());
    let mut all = vec![object];
    all.extend(refs.iter().filter_map(|id| by_id.get(id).copied()));
    all
}

/// The row of an item.
pub fn row(desk: &mut Desk, item: &Item, group: &str) -> Option<FeedRow> {
    let mut row = desk.row(item.kind, &item.value)?;
    row.group = group.to_owned();
    row.direction = match item.side {
        Some(Side::Source) => Direction::Source,
        Some(Side::Destination) => Direction::Destination,
        None => Direction::Both,
    };
    row.ceiling = if item.enforce { Ceiling::Block } else { Ceiling::Alert };
    (row.valid_from, row.valid_until) = (item.from, item.until);
    (row.level, row.said_by) = (item.level, item.by.clone());
    Some(row)
}
