//! A storage of TAXII as a peer may see it: what lies in its collection was let through when it was given, and is asked
//! about again whenever it goes out, since markings are raised and agreements narrowed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use indicators::{
    taxii::{Collection, Entry, Filter, Outcome, Page, Status, Storage, Window},
    tlp::{self, Exit, Level, Marking, Permit},
};
use serde_json::Value as Json;

/// Pages that are read to fill one: beyond, the peer asks again.
const PAGES_MAX: usize = 50;
/// Objects that the references of one are followed to.
const REACHED_MAX: usize = 200;

/// A storage behind the question of one way out.
pub struct Guarded<S> {
    pub inner: S,
    pub exit: Exit,
    /// Objects whose item is marked stricter than they are.
    pub raised: BTreeMap<String, Level>,
    /// Objects that are offered as if they lay there: what the nightly probe plants.
    pub planted: Vec<Entry>,
}

/// Whether an object may leave by what it says of its own marking.
pub fn may_go(exit: &Exit, bytes: &[u8], raised: Option<Level>) -> bool {
    let Ok(object) = serde_json::from_slice::<Json>(bytes) else { return false };
    let id = object["id"].as_str().unwrap_or_default().to_owned();
    let lookup = |wanted: &str| (wanted == id).then_some(&object);
    let unmarked = |_: &Json| Marking::level(Level::Red);
    let whole = tlp::effective(&[&id], &lookup, &unmarked);
    let is_permitted = |marking: &Marking| tlp::permits(exit, marking) == Permit::Allow;
    is_permitted(&whole.marking) && raised.is_none_or(|level| is_permitted(&Marking::level(level)))
}

/// Whether an object may leave with all of these that its references reach.
pub fn may_go_with_all(
    exit: &Exit,
    id: &str,
    objects: &BTreeMap<String, Json>,
    raised: &BTreeMap<String, Level>,
) -> bool {
    let unmarked = |_: &Json| Marking::level(Level::Red);
    let whole = tlp::effective(&[id], &|wanted| objects.get(wanted), &unmarked);
    let is_permitted = |marking: &Marking| tlp::permits(exit, marking) == Permit::Allow;
    is_permitted(&whole.marking)
        && whole
            .objects
            .iter()
            .all(|one| raised.get(one).is_none_or(|level| is_permitted(&Marking::level(*level))))
}

impl<S: Storage> Guarded<S> {
    /// Whether an object may go with all of its collection that its references reach.
    fn lets(&self, collection: &str, entry: &Entry) -> Result<bool, S::Error> {
        if !may_go(&self.exit, &entry.bytes, self.raised.get(&entry.id).copied()) {
            return Ok(false);
        }
        let mut open = references(&entry.bytes);
        let mut seen = BTreeSet::from([entry.id.clone()]);
        while let Some(id) = open.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            // Too much to look through is too much to be sure of.
            if seen.len() > REACHED_MAX {
                return Ok(false);
            }
            let filter = Filter { ids: vec![id], ..Filter::default() };
            let window = Window { filter: &filter, after: None, limit: 1 };
            let planted = self.planted.iter().filter(|one| filter.ids.contains(&one.id)).cloned();
            let found = self.inner.page(collection, &window)?.entries.into_iter().chain(planted);
            for one in found {
                if !may_go(&self.exit, &one.bytes, self.raised.get(&one.id).copied()) {
                    return Ok(false);
                }
                open.extend(references(&one.bytes));
            }
        }
        Ok(true)
    }

    fn let_through(&self, collection: &str, entries: Vec<Entry>) -> Result<Vec<Entry>, S::Error> {
        let mut all = Vec::new();
        for entry in entries {
            if self.lets(collection, &entry)? {
                all.push(entry);
            }
        }
        Ok(all)
    }
}

/// What an object refers to, but for its markings, which were read with it.
fn references(bytes: &[u8]) -> Vec<String> {
    fn walk(value: &Json, out: &mut Vec<String>) {
        match value {
            Json::Object(members) => {
                for (key, inner) in members {
                    let is_reference = key.ends_with("_ref") || key.ends_with("_refs");
                    if is_reference && key != "object_marking_refs" && key != "marking_ref" {
                        let one = inner.as_str().into_iter();
                        let many = inner.as_array().into_iter().flatten().filter_map(Json::as_str);
                        out.extend(one.chain(many).map(str::to_owned));
                    }
                    walk(inner, out);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| walk(item, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    // The reader of JSON bounds the depth.
    if let Ok(object) = serde_json::from_slice::<Json>(bytes) {
        walk(&object, &mut out);
    }
    out
}

impl<S: Storage> Storage for Guarded<S> {
    type Error = S::Error;

    fn collections(&self, root: &str, who: &str) -> Result<Vec<Collection>, S::Error> {
        self.inner.collections(root, who)
    }

    fn page(&self, collection: &str, window: &Window<'_>) -> Result<Page, S::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut after = window.after;
        if after.is_none() {
            entries = self.let_through(collection, self.planted.clone())?;
        }
        for _ in 0..PAGES_MAX {
            let limit = window.limit.saturating_sub(entries.len()).max(1);
            let asked = Window { filter: window.filter, after, limit };
            let page = self.inner.page(collection, &asked)?;
            after = page.entries.last().map(|entry| entry.date_added).or(after);
            entries.extend(self.let_through(collection, page.entries)?);
            if !page.more || entries.len() >= window.limit {
                return Ok(Page { entries, more: page.more });
            }
        }
        Ok(Page { more: !entries.is_empty(), entries })
    }

    fn has(&self, collection: &str, id: &str) -> Result<bool, S::Error> {
        self.inner.has(collection, id)
    }

    fn add(
        &mut self,
        collection: &str,
        objects: Vec<Entry>,
        now: i64,
    ) -> Result<Vec<Outcome>, S::Error> {
        self.inner.add(collection, objects, now)
    }

    fn delete(&mut self, collection: &str, filter: &Filter) -> Result<(), S::Error> {
        self.inner.delete(collection, filter)
    }

    fn keep_status(&mut self, root: &str, status: Status) -> Result<(), S::Error> {
        self.inner.keep_status(root, status)
    }

    fn status(&self, root: &str, id: &str) -> Result<Option<Status>, S::Error> {
        self.inner.status(root, id)
    }
}
