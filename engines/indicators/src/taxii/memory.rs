//! Collections in memory: what a storage must do, in the plainest way. For tests, and as the model others are
//! held against.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::filter::{Filter, Versions};
use super::handle::{Collection, Entry, Page, Storage, Window};
use super::status::{Outcome, Status};
use crate::stix::time;

/// How long a status is kept, in microseconds: a day at least.
const STATUS_KEPT: i64 = 48 * 3600 * 1_000_000;

#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// By root: collections with the rights of everyone not named in `rights`.
    pub collections: BTreeMap<String, Vec<Collection>>,
    /// By person and collection: may read, may write.
    pub rights: BTreeMap<(String, String), (bool, bool)>,
    entries: BTreeMap<String, Vec<Entry>>,
    statuses: BTreeMap<(String, String), Status>,
}

impl Storage for Memory {
    type Error = Infallible;

    fn collections(&self, root: &str, who: &str) -> Result<Vec<Collection>, Infallible> {
        let mut all = self.collections.get(root).cloned().unwrap_or_default();
        for collection in &mut all {
            if let Some(rights) = self.rights.get(&(who.to_owned(), collection.id.clone())) {
                (collection.can_read, collection.can_write) = *rights;
            }
        }
        Ok(all)
    }

    fn page(&self, collection: &str, window: &Window<'_>) -> Result<Page, Infallible> {
        let all = self.entries.get(collection).map_or(&[][..], Vec::as_slice);
        let chosen = chosen(all, window.filter);
        let mut later =
            chosen.into_iter().filter(|e| window.after.is_none_or(|after| e.date_added > after));
        let entries: Vec<Entry> = later.by_ref().take(window.limit).cloned().collect();
        Ok(Page { entries, more: later.next().is_some() })
    }

    fn has(&self, collection: &str, id: &str) -> Result<bool, Infallible> {
        Ok(self.entries.get(collection).is_some_and(|all| all.iter().any(|entry| entry.id == id)))
    }

    fn add(
        &mut self,
        collection: &str,
        objects: Vec<Entry>,
        now: i64,
    ) -> Result<Vec<Outcome>, Infallible> {
        let all = self.entries.entry(collection.to_owned()).or_default();
        let mut outcomes = Vec::new();
        for mut entry in objects {
            let last = all.last().map_or(i64::MIN, |last| last.date_added);
            let versioned = entry.version != i64::MIN;
            let known = all.iter().find(|e| {
                e.id == entry.id
                    && (!versioned
                        || (e.version == entry.version && e.spec_version == entry.spec_version))
            });
            let failure = known
                .filter(|e| !same(e, &entry))
                .map(|_| "this version is here with other content".to_owned());
            let stored = known.map(|known| known.version);
            // Also when the clock stands or steps back.
            entry.date_added = now.max(last.saturating_add(1));
            if !versioned {
                entry.version = entry.date_added;
            }
            let version = time::print_millis(stored.unwrap_or(entry.version));
            outcomes.push(Outcome { id: entry.id.clone(), version, failure });
            if stored.is_none() {
                all.push(entry);
            }
        }
        Ok(outcomes)
    }

    fn delete(&mut self, collection: &str, filter: &Filter) -> Result<(), Infallible> {
        let Some(all) = self.entries.get_mut(collection) else { return Ok(()) };
        let gone: Vec<i64> =
            chosen(all, filter).into_iter().map(|entry| entry.date_added).collect();
        all.retain(|entry| !gone.contains(&entry.date_added));
        Ok(())
    }

    fn keep_status(&mut self, root: &str, status: Status) -> Result<(), Infallible> {
        let now = status.at;
        self.statuses.retain(|_, kept| now.saturating_sub(kept.at) < STATUS_KEPT);
        self.statuses.insert((root.to_owned(), status.id.clone()), status);
        Ok(())
    }

    fn status(&self, root: &str, id: &str) -> Result<Option<Status>, Infallible> {
        Ok(self.statuses.get(&(root.to_owned(), id.to_owned())).cloned())
    }
}

fn same(a: &Entry, b: &Entry) -> bool {
    let read = |entry: &Entry| serde_json::from_slice::<serde_json::Value>(&entry.bytes).ok();
    read(a) == read(b)
}

/// Entries a filter lets through, in the order they were added.
fn chosen<'a>(all: &'a [Entry], filter: &Filter) -> Vec<&'a Entry> {
    let one_of = |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
    let fits = |entry: &&Entry| {
        one_of(&filter.ids, &entry.id)
            && one_of(&filter.types, entry.id.split("--").next().unwrap_or_default())
            && one_of(&filter.spec_versions, &entry.spec_version)
    };
    let candidates: Vec<&Entry> = all.iter().filter(fits).collect();
    // Without a wish for an edition of STIX an object is shown in its newest.
    let newest_edition = |entry: &Entry| {
        !filter.spec_versions.is_empty()
            || candidates
                .iter()
                .filter(|e| e.id == entry.id)
                .all(|e| e.spec_version <= entry.spec_version)
    };
    let Versions::Some { first, last, at } = &filter.versions else {
        return candidates.iter().copied().filter(|entry| newest_edition(entry)).collect();
    };
    let of_object = |entry: &Entry| {
        let same =
            candidates.iter().filter(move |e| e.id == entry.id).filter(|e| newest_edition(e));
        same.map(|e| e.version).collect::<Vec<_>>()
    };
    let wanted = |entry: &&&Entry| {
        let versions = of_object(entry);
        newest_edition(entry)
            && ((*first && versions.iter().min() == Some(&entry.version))
                || (*last && versions.iter().max() == Some(&entry.version))
                || at.contains(&entry.version))
    };
    candidates.iter().filter(wanted).copied().collect()
}
