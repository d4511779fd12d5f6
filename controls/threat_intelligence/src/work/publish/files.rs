//! The files of a set: a base, what changed since, and the manifest that brings them into force.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use indicators::{
    Entry, Micros,
    set::{self, Change},
};
use intel::{Draft, FileRef, Manifest};
use model::Timestamp;
use room::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::{ACTOR, MADE_OF, PUBLISHED, seed};
use crate::work::{
    feed_set::{Judge, Walk, Walked, number},
    feeds::Feeds,
    past::{self, Keeper},
    publish_patterns::More,
};

/// Beside the set: the confirmed values that it holds, number and digest a line, for the difference to the next.
const CONFIRMED: &str = "confirmed.txt";

type Digest16 = [u8; 16];

/// Entries of confirmed values.
#[derive(Default)]
pub(super) struct Confirmed {
    entries: Vec<Entry>,
    digests: BTreeMap<u64, Digest16>,
    digest: String,
}

impl Confirmed {
    pub fn of(entries: Vec<Entry>) -> Confirmed {
        let mut hashes: BTreeMap<u64, Sha256> = BTreeMap::new();
        for entry in &entries {
            hash(hashes.entry(entry.id).or_default(), entry);
        }
        let mut whole = Sha256::new();
        let mut digests = BTreeMap::new();
        for (id, one) in hashes {
            let mut digest = Digest16::default();
            digest.copy_from_slice(&one.finalize()[..16]);
            whole.update(digest);
            digests.insert(id, digest);
        }
        Confirmed { entries, digests, digest: hex::encode(&whole.finalize()[..16]) }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What became of values since.
    fn since(&self, before: &BTreeMap<u64, Digest16>) -> Vec<Change> {
        let is_new = |entry: &&Entry| before.get(&entry.id) != self.digests.get(&entry.id);
        let gone = before.keys().filter(|id| !self.digests.contains_key(id));
        let puts = self.entries.iter().filter(is_new).cloned().map(Change::Put);
        puts.chain(gone.map(|id| Change::Gone(*id))).collect()
    }
}

fn hash(hash: &mut Sha256, entry: &Entry) {
    let Entry { id, key, direction, ceiling, from, until, source, .. } = entry;
    let (kind, scope) = (key.kind().as_str(), key.scope().as_str());
    hash.update(format!(
        "{id}\t{kind}\t{scope}\t{key}\t{}\t{}\t{from:?}\t{until:?}\t{source}\n",
        direction.as_str(),
        ceiling.as_str()
    ));
}

/// What the set in force was made of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Made {
    pub context: String,
    confirmed: String,
    mark: i64,
    pub based_at: Micros,
    /// Of a base alone: what it holds.
    content: String,
    /// What stands beside the values.
    pub more: String,
    #[serde(skip)]
    pub files: usize,
}

impl Made {
    pub fn read(text: Option<&str>, folder: &Path) -> Made {
        let made: Option<Made> = text.and_then(|text| serde_json::from_str(text).ok());
        let files = values(folder).len();
        // What an older Ume wrote says nothing here: the base is made anew.
        made.map_or_else(Made::default, |made| Made { files, ..made })
    }

    pub fn is_current(&self, context: &str, confirmed: &Confirmed, mark: i64) -> bool {
        self.files > 0
            && (self.context.as_str(), self.confirmed.as_str(), self.mark)
                == (context, confirmed.digest.as_str(), mark)
    }
}

/// The set on disk, whoever signed it: the next one counts on from there.
fn manifest(folder: &Path) -> Option<Manifest> {
    let bytes = std::fs::read(folder.join(intel::MANIFEST)).ok()?;
    let signed: intel::Signed = serde_json::from_slice(&bytes).ok()?;
    Some(signed.manifest)
}

/// The files of values of the set on disk.
fn values(folder: &Path) -> Vec<FileRef> {
    let files = manifest(folder).map(|set| set.files).unwrap_or_default();
    files.into_iter().filter(past::holds_values).collect()
}

/// A base that was made.
pub(super) struct Built {
    pub context: String,
    file: FileRef,
    mark: i64,
    confirmed: Arc<Confirmed>,
    content: String,
    walked: Walked,
}

/// Work on the files of a set.
pub(super) struct Job {
    pub house: web::Shared,
    pub feeds: Feeds,
    pub folder: PathBuf,
    pub judge: Arc<Judge>,
    pub context: String,
    pub confirmed: Arc<Confirmed>,
    /// Patterns, and the items that values came with.
    pub more: Arc<More>,
    /// Confirmed values that are over.
    pub expired: u64,
    pub now: Micros,
}

impl Job {
    /// Makes a base of everything that holds.
    pub async fn base(&self) -> Result<Built, Error> {
        let mark = self.feeds.mark().await.map_err(Error::said)?;
        let (feeds, judge, folder) = (self.feeds.clone(), self.judge.clone(), self.folder.clone());
        let (confirmed, context, now) = (self.confirmed.clone(), self.context.clone(), self.now);
        let runtime = Handle::current();
        let seed = seed()?;
        room::blocking(move || {
            judge.with(|by| {
                let mut walk = Walk::new(&feeds, &runtime, &judge, by, i64::MIN, now);
                let mut content = Sha256::new();
                // A base in a layout that is no longer read is made anew.
                content.update([set::VERSION]);
                let mut keeper = Keeper::new(&folder).map_err(Error::said)?;
                let mut draft = Draft::new(&folder, "base").map_err(Error::said)?;
                let rows = walk.by_ref().filter_map(|change| match change {
                    Change::Put(entry) => Some(entry),
                    Change::Gone(_) => None,
                });
                let all = confirmed.entries.iter().cloned().chain(rows);
                let all = all.inspect(|entry| {
                    hash(&mut content, entry);
                    keeper.row(entry);
                });
                let summary = set::build(all, seed, &set::Limits::DEFAULT, &mut draft);
                if let Some(error) = walk.failed.take() {
                    return Err(error);
                }
                let summary = summary.map_err(Error::said)?;
                let walked = walk.walked;
                let file = draft.keep("base", summary.root, summary.bytes).map_err(Error::said)?;
                keeper.done(&file, true, seed).map_err(Error::said)?;
                let content = hex::encode(&content.finalize()[..16]);
                Ok(Built { context, file, mark, confirmed: confirmed.clone(), content, walked })
            })
        })
        .await?
    }

    /// Brings a base into force, with what changed while it was made.
    pub async fn install(&self, built: Built) -> Result<(), Error> {
        let made = Made {
            context: built.context.clone(),
            confirmed: self.confirmed.digest.clone(),
            mark: built.mark,
            based_at: self.now,
            content: built.content.clone(),
            more: self.more.digest(),
            files: 1,
        };
        let before = Made::read(self.house.store.setting(MADE_OF).await?.as_deref(), &self.folder);
        let since = self.delta_file(built.mark, &built.confirmed.digests).await?;
        let is_same =
            before.files == 1 && (&before.content, &before.more) == (&built.content, &made.more);
        if since.is_none() && is_same {
            // It says the same: what is in force stays.
            self.remember(&made).await?;
            return self.sweep(None).await;
        }
        let mut walked = built.walked;
        let mut files = vec![built.file];
        let made = match since {
            None => made,
            Some(delta) => {
                walked.added += delta.walked.added;
                walked.removed += delta.walked.removed;
                walked.expired = walked.expired.max(delta.walked.expired);
                files.push(delta.file);
                Made { mark: delta.mark, content: String::new(), ..made }
            }
        };
        self.put(files, walked, made).await?;
        self.feeds.forget_gone(built.mark).await.map_err(Error::said)
    }

    /// Adds what changed since to the set in force.
    pub async fn delta(&self, made: &Made) -> Result<(), Error> {
        let folder = self.folder.clone();
        let before = room::blocking(move || confirmed_before(&folder)).await?;
        let next = Made { confirmed: self.confirmed.digest.clone(), ..made.clone() };
        let Some(delta) = self.delta_file(made.mark, &before).await? else {
            let mark = self.feeds.mark().await.map_err(Error::said)?;
            return self.remember(&Made { mark, ..next }).await;
        };
        let mut files = values(&self.folder);
        files.push(delta.file);
        let next = Made { mark: delta.mark, content: String::new(), ..next };
        self.put(files, delta.walked, next).await
    }

    /// Publishes the same values with what else stands beside them now.
    pub async fn beside(&self, made: &Made) -> Result<(), Error> {
        self.put(values(&self.folder), Walked::default(), made.clone()).await
    }

    async fn delta_file(
        &self,
        since: i64,
        before: &BTreeMap<u64, Digest16>,
    ) -> Result<Option<Delta>, Error> {
        let changes = self.confirmed.since(before);
        let mark = self.feeds.mark().await.map_err(Error::said)?;
        let changed = self.feeds.changed(since).await.map_err(Error::said)?;
        if changes.is_empty() && changed == 0 {
            return Ok(None);
        }
        let gone = self.feeds.gone(since).await.map_err(Error::said)?;
        let (feeds, judge, folder) = (self.feeds.clone(), self.judge.clone(), self.folder.clone());
        let (now, seed, runtime) = (self.now, seed()?, Handle::current());
        room::blocking(move || {
            judge.with(|by| {
                let mut walk = Walk::new(&feeds, &runtime, &judge, by, since, now);
                let mut draft = Draft::new(&folder, "delta").map_err(Error::said)?;
                let mut count = 0u64;
                let removed = gone.len() as u64;
                let gone = gone.into_iter().map(|id| Change::Gone(number(id)));
                let all = changes.into_iter().chain(walk.by_ref()).chain(gone);
                let mut keeper = Keeper::new(&folder).map_err(Error::said)?;
                let all = all.inspect(|change| {
                    count += 1;
                    keeper.change(change);
                });
                let summary = set::build_delta(all, seed, &set::Limits::DEFAULT, &mut draft);
                if let Some(error) = walk.failed.take() {
                    return Err(error);
                }
                let summary = summary.map_err(Error::said)?;
                if count == 0 {
                    return Ok(None);
                }
                let mut walked = walk.walked;
                walked.removed += removed;
                let file = draft.keep("delta", summary.root, summary.bytes).map_err(Error::said)?;
                keeper.done(&file, false, seed).map_err(Error::said)?;
                Ok(Some(Delta { file, mark, walked }))
            })
        })
        .await?
    }

    async fn put(&self, files: Vec<FileRef>, walked: Walked, made: Made) -> Result<(), Error> {
        let store = &self.house.store;
        let (folder, confirmed) = (self.folder.clone(), self.confirmed.clone());
        let before = room::blocking(move || confirmed_before(&folder)).await?;
        let own = &confirmed.digests;
        let added = own.keys().filter(|id| !before.contains_key(id)).count() as u64;
        let removed = before.keys().filter(|id| !own.contains_key(id)).count() as u64;
        let rows =
            confirmed.entries.len() as u64 + self.feeds.in_set().await.map_err(Error::said)?;
        let sequence = manifest(&self.folder).map_or(0, |set| set.sequence) + 1;
        let (more, folder) = (self.more.clone(), self.folder.clone());
        let beside = room::blocking(move || more.add(&folder)).await?.map_err(Error::said)?;
        let made = Made { more: self.more.digest(), ..made };
        let files = files.into_iter().chain(beside).collect();
        let manifest = Manifest { sequence, made_at: self.now, rows, files };
        let note = self.house.ledger.lock().await.sign(&manifest.text())?;
        let facts = json!({
            "root": manifest.root(),
            "added": added + walked.added,
            "removed": removed + walked.removed,
            "expired": self.expired + walked.expired,
        });
        let (folder, set) = (self.folder.clone(), manifest.clone());
        room::blocking(move || {
            // Before the set is in force: none is that could not be made again.
            past::keep(&folder, &set).map_err(Error::said)?;
            intel::put(&folder, &set, &note).map_err(Error::said)?;
            let line = |(id, digest): (&u64, &Digest16)| format!("{id} {}\n", hex::encode(digest));
            let text: String = confirmed.digests.iter().map(line).collect();
            let path = folder.join(CONFIRMED);
            disk::replace(&path, text.as_bytes()).map_err(|source| Error::Io { path, source })
        })
        .await??;
        let mut write = store.write(ACTOR, "work", "").await?;
        write.record(room::draft(PUBLISHED, None, Timestamp(self.now), facts)).await?;
        write.set_setting(MADE_OF, &serde_json::to_string(&made).map_err(Error::said)?).await?;
        write.commit().await?;
        self.house.wake();
        self.sweep(Some(manifest)).await
    }

    async fn remember(&self, made: &Made) -> Result<(), Error> {
        let text = serde_json::to_string(made).map_err(Error::said)?;
        Ok(self.house.store.set_setting(MADE_OF, &text).await?)
    }

    async fn sweep(&self, set: Option<Manifest>) -> Result<(), Error> {
        let folder = self.folder.clone();
        room::blocking(move || {
            let Some(set) = set.or_else(|| manifest(&folder)) else { return Ok(()) };
            intel::sweep(&folder, &[&set]).map(drop).map_err(Error::said)
        })
        .await?
    }
}

/// What changed, as a file.
struct Delta {
    file: FileRef,
    mark: i64,
    walked: Walked,
}

fn confirmed_before(folder: &Path) -> BTreeMap<u64, Digest16> {
    let text = std::fs::read_to_string(folder.join(CONFIRMED)).unwrap_or_default();
    let line = |line: &str| {
        let (id, digest) = line.split_once(' ')?;
        let mut bytes = Digest16::default();
        hex::decode_to_slice(digest, &mut bytes).ok()?;
        Some((id.parse().ok()?, bytes))
    };
    text.lines().filter_map(line).collect()
}
