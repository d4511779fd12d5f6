//! Sorted facts as content-defined chunks, so that equal hosts share them and a difference is found
//! by reading unequal ones only (a prolly tree, SHA-256).
//!
//! A chunk ends behind a key whose hash says so, never because of a value: a changed value changes
//! one chunk and its ancestors. Origins have a tree of their own: a setting that moved within its file
//! changes no root of a layer. Limits: 512 items per chunk, 16 levels, 64 MiB per chunk read.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::{
    bytes::Bytes,
    diff::Delta,
    fact::{Class, Fact, Facts, Layer, Origin, Value},
};

/// A chunk ends where the hash of a key has these bits zero: every 32nd on average.
const END_MASK: u8 = 31;
const ITEMS_MAX: usize = 512;
const LEVELS_MAX: u8 = 16;

/// SHA-256 of a chunk.
pub type ChunkId = [u8; 32];

/// Which chunks are stored already.
#[derive(Clone, Debug, Default)]
pub struct ChunkIndex(pub HashSet<ChunkId>);

/// Bytes under their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub id: ChunkId,
    pub bytes: Vec<u8>,
}

/// What names a whole snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Of each layer; a layer without facts has the root of an empty chunk.
    pub layers: BTreeMap<&'static str, ChunkId>,
    pub origins: ChunkId,
}

/// Roots of the facts, and the chunks that are not stored yet, each once.
pub fn seal(facts: &Facts, known: &ChunkIndex) -> (Roots, Vec<Chunk>) {
    let mut sealed = Sealed { known, chunks: Vec::new(), made: HashSet::new() };
    let mut roots = Roots::default();
    for layer in Layer::ALL {
        let items = facts.layer(layer).iter();
        let items = items.map(|fact| (key(fact), fact.value.to_json().to_string().into_bytes()));
        roots.layers.insert(layer.as_str(), sealed.tree(items.collect()));
    }
    let origins = facts.iter().map(|fact| (key(fact), fact.origin.to_string().into_bytes()));
    roots.origins = sealed.tree(origins.collect());
    (roots, sealed.chunks)
}

/// Why facts could not be read from chunks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("chunk {} is not there", hex::encode(.0))]
    Missing(ChunkId),
    #[error("chunk {} is not what its hash says, or no chunk", hex::encode(.0))]
    Broken(ChunkId),
}

/// Gives the bytes of a chunk.
pub type Fetch<'a> = &'a mut dyn FnMut(&ChunkId) -> Option<Vec<u8>>;

/// What differs between two snapshots, reading only chunks that do. Origins are those of the newer
/// side where it has the fact; they are read for facts that differ.
pub fn diff_roots(old: &Roots, new: &Roots, fetch: Fetch<'_>) -> Result<Vec<Delta>, ChunkError> {
    let mut deltas = Vec::new();
    for layer in Layer::ALL {
        let (Some(one), Some(two)) =
            (old.layers.get(layer.as_str()), new.layers.get(layer.as_str()))
        else {
            continue;
        };
        if one == two {
            continue;
        }
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        unequal(*one, *two, fetch, &mut before, &mut after)?;
        let keys: std::collections::BTreeSet<Vec<u8>> =
            before.keys().chain(after.keys()).cloned().collect();
        for key in keys {
            let (one, two) = (before.get(&key), after.get(&key));
            if one != two {
                deltas.push(delta(&key, one, two).ok_or(ChunkError::Broken(new.origins))?);
            }
        }
    }
    deltas.sort_by(|a, b| (a.class, &a.name).cmp(&(b.class, &b.name)));
    Ok(deltas)
}

/// All facts of a snapshot.
pub fn unseal(roots: &Roots, fetch: Fetch<'_>) -> Result<Facts, ChunkError> {
    let mut origins = BTreeMap::new();
    all(roots.origins, LEVELS_MAX, fetch, &mut origins)?;
    let mut facts = Vec::new();
    for root in roots.layers.values() {
        let mut items = BTreeMap::new();
        all(*root, LEVELS_MAX, fetch, &mut items)?;
        for (key, value) in items {
            let broken = || ChunkError::Broken(*root);
            let (class, name) = read_key(&key).ok_or_else(broken)?;
            let value = read_value(&value).ok_or_else(broken)?;
            let origin = origins
                .get(&key)
                .map_or("default", |text| std::str::from_utf8(text).unwrap_or("default"));
            facts.push(Fact { class, name, value, origin: Origin::parse(origin) });
        }
    }
    Ok(Facts::new(facts))
}

fn key(fact: &Fact) -> Vec<u8> {
    let mut key = fact.class.as_str().as_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(fact.name.as_slice());
    key
}

fn read_key(key: &[u8]) -> Option<(Class, Bytes)> {
    let at = key.iter().position(|byte| *byte == 0)?;
    let class = Class::named(std::str::from_utf8(&key[..at]).ok()?)?;
    Some((class, Bytes(key[at + 1..].to_vec())))
}

fn read_value(bytes: &[u8]) -> Option<Value> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    Value::from_json(&json)
}

fn delta(key: &[u8], before: Option<&Vec<u8>>, after: Option<&Vec<u8>>) -> Option<Delta> {
    let (class, name) = read_key(key)?;
    let read = |bytes: Option<&Vec<u8>>| match bytes {
        None => Some(None),
        Some(bytes) => read_value(bytes).map(Some),
    };
    Some(Delta { class, name, before: read(before)?, after: read(after)?, origin: Origin::Default })
}

struct Sealed<'a> {
    known: &'a ChunkIndex,
    chunks: Vec<Chunk>,
    made: HashSet<ChunkId>,
}

type Item = (Vec<u8>, Vec<u8>);

impl Sealed<'_> {
    /// Chunks of items, then chunks of their first keys and hashes, until one is left.
    fn tree(&mut self, mut items: Vec<Item>) -> ChunkId {
        let mut level = 0u8;
        loop {
            let mut nodes: Vec<Item> = Vec::new();
            for run in runs(&items) {
                let id = self.chunk(level, run);
                let first = run.first().map(|(key, _)| key.clone()).unwrap_or_default();
                nodes.push((first, id.to_vec()));
            }
            match &nodes[..] {
                [(_, id)] => return id.as_slice().try_into().unwrap_or_default(),
                _ => items = nodes,
            }
            level = level.saturating_add(1);
        }
    }

    fn chunk(&mut self, level: u8, items: &[Item]) -> ChunkId {
        let mut bytes = vec![level];
        for (key, value) in items {
            for part in [key, value] {
                bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        let id: ChunkId = Sha256::digest(&bytes).into();
        if !self.known.0.contains(&id) && self.made.insert(id) {
            self.chunks.push(Chunk { id, bytes });
        }
        id
    }
}

/// Cuts behind the keys that end a chunk; at least two items go into each but the last, so that every
/// level is smaller than the one below.
fn runs(items: &[Item]) -> Vec<&[Item]> {
    let mut runs = Vec::new();
    let mut from = 0;
    for (at, (key, _)) in items.iter().enumerate() {
        let length = at + 1 - from;
        let ends = length >= 2 && Sha256::digest(key)[0] & END_MASK == 0;
        if ends || length >= ITEMS_MAX {
            runs.push(&items[from..=at]);
            from = at + 1;
        }
    }
    if from < items.len() || items.is_empty() {
        runs.push(&items[from..]);
    }
    runs
}

struct Node {
    level: u8,
    items: Vec<Item>,
}

fn load(id: &ChunkId, fetch: Fetch<'_>) -> Result<Node, ChunkError> {
    let bytes = fetch(id).ok_or(ChunkError::Missing(*id))?;
    let broken = ChunkError::Broken(*id);
    if <[u8; 32]>::from(Sha256::digest(&bytes)) != *id {
        return Err(broken);
    }
    parse(&bytes).ok_or(broken)
}

fn parse(bytes: &[u8]) -> Option<Node> {
    let (level, mut rest) = bytes.split_first()?;
    let mut items = Vec::new();
    let mut part = || -> Option<Option<Vec<u8>>> {
        if rest.is_empty() {
            return Some(None);
        }
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = after;
        Some(Some(part.to_vec()))
    };
    while let Some(key) = part()? {
        items.push((key, part()??));
    }
    (*level <= LEVELS_MAX).then_some(Node { level: *level, items })
}

type Items = BTreeMap<Vec<u8>, Vec<u8>>;

/// Items of leaves that only one side has.
fn unequal(
    one: ChunkId,
    two: ChunkId,
    fetch: Fetch<'_>,
    before: &mut Items,
    after: &mut Items,
) -> Result<(), ChunkError> {
    let mut sides = [vec![(LEVELS_MAX + 1, one)], vec![(LEVELS_MAX + 1, two)]];
    let mut first = true;
    loop {
        // What both sides hold is equal; what is left of the higher level is opened.
        if !first {
            let [one, two] = &mut sides;
            let shared: HashSet<ChunkId> = one.iter().map(|n| n.1).collect();
            let shared: HashSet<ChunkId> =
                two.iter().map(|n| n.1).filter(|id| shared.contains(id)).collect();
            one.retain(|node| !shared.contains(&node.1));
            two.retain(|node| !shared.contains(&node.1));
        }
        first = false;
        let highest = sides.iter().flatten().map(|(level, _)| *level).max();
        let Some(highest) = highest else { return Ok(()) };
        for (side, items) in sides.iter_mut().zip([&mut *before, &mut *after]) {
            let (open, keep) =
                std::mem::take(side).into_iter().partition(|(level, _)| *level == highest);
            *side = keep;
            let open: Vec<(u8, ChunkId)> = open;
            for (level, id) in open {
                let node = load(&id, fetch)?;
                if node.level >= level {
                    return Err(ChunkError::Broken(id));
                }
                if node.level == 0 {
                    items.extend(node.items);
                    continue;
                }
                for (_, child) in node.items {
                    let child = child.try_into().map_err(|_| ChunkError::Broken(id))?;
                    side.push((node.level, child));
                }
            }
        }
    }
}

fn all(id: ChunkId, below: u8, fetch: Fetch<'_>, items: &mut Items) -> Result<(), ChunkError> {
    let node = load(&id, fetch)?;
    if node.level > below {
        return Err(ChunkError::Broken(id));
    }
    if node.level == 0 {
        items.extend(node.items);
        return Ok(());
    }
    for (_, child) in node.items {
        let child = child.try_into().map_err(|_| ChunkError::Broken(id))?;
        all(child, node.level - 1, fetch, items)?;
    }
    Ok(())
}

/// Chunks in memory, for tests and for what is small.
#[derive(Clone, Debug, Default)]
pub struct Chunks(pub HashMap<ChunkId, Vec<u8>>);

impl Chunks {
    pub fn add(&mut self, chunks: Vec<Chunk>) {
        self.0.extend(chunks.into_iter().map(|chunk| (chunk.id, chunk.bytes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(count: usize, changed: &[usize]) -> Facts {
        let facts = (0..count).map(|n| Fact {
            class: if n % 2 == 0 { Class::Package } else { Class::File },
            name: format!("name-{n:06}").into(),
            value: Value::Int(if changed.contains(&n) { -1 } else { n as i64 }),
            origin: Origin::File("/etc/x".into(), n as u32),
        });
        Facts::new(facts.collect())
    }

    #[test]
    fn ten_changes_in_sixty_thousand_facts_read_few_chunks() {
        let changed: Vec<usize> = (0..10).map(|n| n * 5_987 + 13).collect();
        let (old, new) = (host(60_000, &[]), host(60_000, &changed));
        let mut chunks = Chunks::default();
        let (one, made) = seal(&old, &ChunkIndex::default());
        chunks.add(made);
        let index = ChunkIndex(chunks.0.keys().copied().collect());
        let (two, made) = seal(&new, &index);
        assert!(made.len() <= 40, "{} chunks are new", made.len());
        chunks.add(made);
        let total = chunks.0.len();
        let mut read = 0;
        let deltas = diff_roots(&one, &two, &mut |id| {
            read += 1;
            chunks.0.get(id).cloned()
        });
        assert_eq!(deltas.expect("readable").len(), 10);
        println!("{read} of {total} chunks read");
        assert!(read * 100 <= total * 3, "{read} of {total}");
        assert_eq!(unseal(&two, &mut |id| chunks.0.get(id).cloned()), Ok(new));
    }

    #[test]
    fn a_chunk_that_is_gone_or_broken_is_named() {
        let (roots, made) = seal(&host(100, &[]), &ChunkIndex::default());
        let mut chunks = Chunks::default();
        chunks.add(made);
        let missing = chunks.0.keys().next().copied().expect("a chunk");
        let result =
            unseal(&roots, &mut |id| if *id == missing { None } else { chunks.0.get(id).cloned() });
        assert_eq!(result, Err(ChunkError::Missing(missing)));
        let result = unseal(&roots, &mut |_| Some(vec![0, 1, 2]));
        assert!(matches!(result, Err(ChunkError::Broken(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_diff_of_roots_is_the_diff_of_facts(
            one in proptest::collection::btree_map(0usize..200, 0i64..3, 0..150),
            two in proptest::collection::btree_map(0usize..200, 0i64..3, 0..150),
        ) {
            let make = |map: &BTreeMap<usize, i64>| {
                let facts = map.iter().map(|(n, v)| Fact {
                    class: Class::ALL[n % Class::ALL.len()],
                    name: n.to_string().into(),
                    value: Value::Int(*v),
                    origin: Origin::Default,
                });
                Facts::new(facts.collect())
            };
            let (one, two) = (make(&one), make(&two));
            let mut chunks = Chunks::default();
            let (old, made) = seal(&one, &ChunkIndex::default());
            chunks.add(made);
            let (new, made) = seal(&two, &ChunkIndex::default());
            chunks.add(made);
            let found = diff_roots(&old, &new, &mut |id| chunks.0.get(id).cloned()).expect("readable");
            prop_assert_eq!(found, crate::diff::diff(&one, &two));
        }

        #[test]
        fn any_bytes_are_a_chunk_or_none(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
