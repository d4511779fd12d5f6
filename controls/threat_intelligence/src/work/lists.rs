//! Warning lists: what is known and mostly harmless, so that no feed has it blocked. They become one file
//! (`warn-*.uix`) that is asked whenever a set is made.
//!
//! Invariants: what ships with Ume is always in it; a list that cannot be read costs itself alone and is named; the file
//! before stays in force until the next one is whole.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use fetch::{Address, Client, Fault, Got, Limits, Tags, Trust};
use indicators::{Entry, Kind, set, warning};
use intel::{Draft, FileRef, Map};
use netname::Names;
use room::{Error, Shared, blocking};
use serde::{Deserialize, Serialize};

use super::{
    feeds::account::Trouble,
    settings::{Configured, Lists},
};

/// Setting: what the file in force was made of.
const ACCOUNT: &str = "threat_intelligence.warning_lists";
const FETCHED: &str = "warning-list.json";
const LISTS_MAX: usize = 1_000;
const DEPTH_MAX: usize = 3;
const MINUTE: i64 = 60_000_000;
/// How often an address is asked; a folder is looked at each round.
const FETCH_EVERY: i64 = 24 * 60 * MINUTE;
const SHOWN_MAX: usize = 20;
const SHIPPED: [&[u8]; 2] = [
    include_bytes!("../../../../content/warning-lists/public-resolvers/list.json"),
    include_bytes!("../../../../content/warning-lists/special-purpose/list.json"),
];

/// What the file in force was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    pub file: String,
    /// Changes with the lists.
    pub stamp: String,
    pub lists: u64,
    pub entries: u64,
    /// Values that are none, and lists that could not be read.
    pub refused: u64,
    pub samples: Vec<String>,
    /// When the newest list changed, and when the file was made, in microseconds since 1970.
    pub newest_at: i64,
    pub made_at: i64,
    pub tried_at: i64,
    pub tags: Tags,
    pub trouble: Option<Trouble>,
}

/// The file in force, open.
#[derive(Default)]
pub struct Warnings {
    open: Mutex<Option<(String, Arc<Map>)>>,
    /// Whoever makes the file anew.
    making: tokio::sync::Mutex<()>,
}

pub async fn account(store: &store::Store) -> Result<Account, store::StoreError> {
    let text = store.setting(ACCOUNT).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// The file in force, and what tells it from others; none before the first round.
pub async fn current(house: &web::House) -> Result<Option<(String, Arc<Map>)>, Error> {
    let account = account(&house.store).await?;
    if account.file.is_empty() {
        return Ok(None);
    }
    let kept = house.kept.get::<Warnings>();
    let known = kept.open.lock().ok().and_then(|place| place.clone());
    if let Some((name, map)) = known.filter(|(name, _)| *name == account.file) {
        return Ok(Some((name, map)));
    }
    let path = house.folder().join(intel::FOLDER).join(&account.file);
    let map = blocking(move || {
        let map = Map::open(&path).ok()?;
        set::verify(&map).ok().map(|()| Arc::new(map))
    });
    // One that is gone or damaged is made anew by the next round.
    let Some(map) = map.await? else { return Ok(None) };
    if let Ok(mut place) = kept.open.lock() {
        *place = Some((account.file.clone(), map.clone()));
    }
    Ok(Some((account.file, map)))
}

/// The file in force, as it lies in the folder of the sets.
pub async fn kept(
    store: &store::Store,
    folder: &std::path::Path,
) -> Result<Option<(String, Arc<Map>)>, Error> {
    let file = account(store).await?.file;
    if file.is_empty() {
        return Ok(None);
    }
    let path = folder.join(&file);
    let map = blocking(move || {
        let map = Map::open(&path).ok()?;
        set::verify(&map).ok().map(|()| Arc::new(map))
    });
    Ok(map.await?.map(|map| (file, map)))
}

/// The file in force; made if there is none, so that no set is made without it.
pub async fn made(house: &web::House) -> Result<Option<(String, Arc<Map>)>, Error> {
    if let Some(current) = current(house).await? {
        return Ok(Some(current));
    }
    look(house).await?;
    current(house).await
}

/// One round: makes the file anew if a list changed.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    look(&ctx.house).await
}

async fn look(house: &web::House) -> Result<(), Error> {
    let kept = house.kept.get::<Warnings>();
    let _making = kept.making.lock().await;
    let store = &house.store;
    let now = store.now().0;
    let settings = house.kept.get::<Configured>().settings();
    let mut known = account(store).await?;
    let folder = house.folder().join(intel::FOLDER);
    let mut trouble = None;
    let place = match &settings.warning_lists {
        None => None,
        Some(Lists(Address::Path(path))) => Some(path.clone()),
        Some(Lists(Address::Http(url))) => {
            let to = folder.join(FETCHED);
            if now - known.tried_at >= FETCH_EVERY || !to.exists() {
                known.tried_at = now;
                match fetched(url, &known.tags, &to, settings.ca.clone()).await {
                    Ok(Got::New { tags, .. }) => known.tags = tags,
                    Ok(Got::Same) => {}
                    Err(fault) => {
                        let (ja, en) = fault.words();
                        trouble = Some(Trouble { at: now, ja, en });
                    }
                }
            } else {
                trouble = known.trouble.clone();
            }
            to.exists().then_some(to)
        }
    };
    let listed = match place {
        Some(place) => blocking(move || files(&place)).await?,
        None => Ok(Vec::new()),
    };
    let files = match listed {
        Ok(files) => files,
        Err(fault) => {
            let (ja, en) = fault.words();
            known.trouble = Some(Trouble { at: now, ja, en });
            return save(store, &known).await;
        }
    };
    let stamp = stamp(&files);
    known.trouble = trouble;
    if stamp == known.stamp && current(house).await?.is_some() {
        return save(store, &known).await;
    }
    let newest_at = files.iter().map(|file| file.modified).max().unwrap_or(now);
    let old = known.file.clone();
    let place = folder.clone();
    let made = blocking(move || build(&place, &files)).await??;
    known = Account {
        file: made.file.name.clone(),
        stamp,
        lists: made.lists,
        entries: made.entries,
        refused: made.refused,
        samples: made.samples,
        newest_at,
        made_at: now,
        ..known
    };
    save(store, &known).await?;
    if !old.is_empty() && old != known.file {
        // Whoever has it open keeps it.
        let _ = std::fs::remove_file(folder.join(old));
    }
    Ok(())
}

async fn save(store: &store::Store, account: &Account) -> Result<(), Error> {
    let text = serde_json::to_string(account).map_err(Error::said)?;
    Ok(store.set_setting(ACCOUNT, &text).await?)
}

async fn fetched(
    url: &reqwest::Url,
    tags: &Tags,
    to: &Path,
    ca: Option<PathBuf>,
) -> Result<Got, Fault> {
    let limits = Limits { bytes_max: warning::LIST_BYTES_MAX as u64, ..Limits::default() };
    let client = Client::new(limits, &Trust { ca, identity: None })?;
    let part = to.with_extension("part");
    let known = if to.exists() { tags.clone() } else { Tags::default() };
    let got = client.file(url, &known, &part).await;
    if let Ok(Got::New { .. }) = &got {
        let io = |error: std::io::Error| Fault::File {
            what: FETCHED.to_owned(),
            error: error.to_string(),
        };
        std::fs::rename(&part, to).map_err(io)?;
    }
    let _ = std::fs::remove_file(&part);
    got
}

/// A list on disk.
struct ListFile {
    path: PathBuf,
    bytes: u64,
    /// Microseconds since 1970.
    modified: i64,
}

/// All lists of a folder: every `*.json` up to a few folders down.
fn files(place: &Path) -> Result<Vec<ListFile>, Fault> {
    let mut all = Vec::new();
    descend(place, 0, &mut all)?;
    all.sort_by(|a, b| a.path.cmp(&b.path));
    match all.is_empty() {
        true => Err(Fault::said(
            format!("{} に警告リスト（*.json）がありません", place.display()),
            format!("{} holds no warning list (*.json)", place.display()),
        )),
        false => Ok(all),
    }
}

fn descend(place: &Path, depth: usize, out: &mut Vec<ListFile>) -> Result<(), Fault> {
    let failed = |error: std::io::Error| Fault::File {
        what: place.display().to_string(),
        error: error.to_string(),
    };
    let about = std::fs::symlink_metadata(place).map_err(failed)?;
    if about.is_file() && place.extension().is_some_and(|end| end == "json") {
        if out.len() >= LISTS_MAX {
            return Err(Fault::said(
                format!("警告リストが{LISTS_MAX}個を超えています"),
                format!("more than {LISTS_MAX} warning lists"),
            ));
        }
        let since =
            about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let modified =
            since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        out.push(ListFile { path: place.to_owned(), bytes: about.len(), modified });
    } else if about.is_dir() && depth <= DEPTH_MAX {
        for entry in std::fs::read_dir(place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                descend(&entry.path(), depth + 1, out)?;
            }
        }
    }
    Ok(())
}

fn stamp(files: &[ListFile]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for shipped in SHIPPED {
        hash.update(Sha256::digest(shipped));
    }
    for file in files {
        hash.update(file.path.as_os_str().as_encoded_bytes());
        hash.update(format!("\0{} {}\n", file.bytes, file.modified));
    }
    hex::encode(&hash.finalize()[..16])
}

struct Made {
    file: FileRef,
    lists: u64,
    entries: u64,
    refused: u64,
    samples: Vec<String>,
}

#[derive(Default)]
struct Counts {
    lists: u64,
    refused: u64,
    samples: Vec<String>,
}

impl Counts {
    fn refuse(&mut self, count: u64, sample: String) {
        self.refused += count;
        if self.samples.len() < SHOWN_MAX {
            self.samples.push(sample);
        }
    }

    fn read(&mut self, name: &str, json: &[u8], number: u32, names: &Names) -> Vec<Entry> {
        match warning::read(json, number, names) {
            Ok(read) => {
                self.lists += 1;
                if let Some((value, reject)) = read.refused.first() {
                    let value: String = value.chars().take(80).collect();
                    self.refuse(
                        read.refused_count as u64,
                        format!("{}: {value}: {reject}", read.name),
                    );
                }
                // One that means every address (`::ffff:0:0/96` does too) would spare everything.
                let means_all = |entry: &Entry| {
                    entry.key.kind() == Kind::Cidr && entry.key.text().ends_with("/0")
                };
                let (all, entries): (Vec<Entry>, Vec<Entry>) =
                    read.entries.into_iter().partition(means_all);
                if let Some(one) = all.first() {
                    let said = format!("{}: {}: every address", read.name, one.key);
                    self.refuse(all.len() as u64, said);
                }
                entries
            }
            Err(error) => {
                self.refuse(1, format!("{name}: {error}"));
                Vec::new()
            }
        }
    }
}

/// One list after the other is in memory.
fn build(folder: &Path, files: &[ListFile]) -> Result<Made, Error> {
    let names = Names::shipped();
    let counts = std::cell::RefCell::new(Counts::default());
    let shipped = SHIPPED
        .iter()
        .zip(0..)
        .flat_map(|(json, number)| counts.borrow_mut().read("Ume", json, number, &names));
    let theirs = files.iter().zip(SHIPPED.len() as u32..).flat_map(|(file, number)| {
        let name = file.path.display().to_string();
        let mut counts = counts.borrow_mut();
        if file.bytes > warning::LIST_BYTES_MAX as u64 {
            counts.refuse(1, format!("{name}: more than {} bytes", warning::LIST_BYTES_MAX));
            return Vec::new();
        }
        match std::fs::read(&file.path) {
            Ok(json) => counts.read(&name, &json, number, &names),
            Err(error) => {
                counts.refuse(1, format!("{name}: {error}"));
                Vec::new()
            }
        }
    });
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(Error::said)?;
    let mut draft = Draft::new(folder, "warn").map_err(Error::said)?;
    let all = shipped.chain(theirs);
    let summary = set::build(all, seed, &set::Limits::DEFAULT, &mut draft).map_err(Error::said)?;
    let file = draft.keep("warn", summary.root, summary.bytes).map_err(Error::said)?;
    let Counts { lists, refused, samples } = counts.into_inner();
    Ok(Made { file, lists, entries: summary.rows, refused, samples })
}

#[cfg(test)]
mod tests {
    use indicators::{Ceiling, Set, warning::listed};

    use super::*;

    #[test]
    fn what_ships_and_what_is_given_is_asked_and_a_bad_list_costs_itself_alone() {
        let folder = tempfile::tempdir().expect("folder");
        let place = folder.path().join("lists");
        std::fs::create_dir_all(place.join("a")).expect("made");
        let list = r#"{"name":"Top sites","type":"hostname","matching_attributes":["domain"],"list":["good.example","not a name"]}"#;
        std::fs::write(place.join("a/list.json"), list).expect("written");
        std::fs::write(place.join("b.json"), "{").expect("written");
        let all = r#"{"name":"All","type":"cidr","matching_attributes":["ip-dst"],"list":["::ffff:0:0/96","198.51.100.0/24"]}"#;
        std::fs::write(place.join("c.json"), all).expect("written");
        let files = files(&place).expect("listed");
        let made = build(folder.path(), &files).expect("built");
        assert_eq!((made.lists, made.refused, made.samples.len()), (4, 3, 3), "{:?}", made.samples);
        let bytes = std::fs::read(folder.path().join(&made.file.name)).expect("there");
        let set = Set::open(&bytes, &[]).expect("opens");
        let names = Names::shipped();
        let said = |kind, value| {
            let key = indicators::normalise(kind, value, &names).expect("a value");
            listed(&key, &set, 0).expect("asked").map(|listed| listed.ceiling)
        };
        assert_eq!(said(Kind::Ip, "8.8.8.8"), Some(Ceiling::Alert));
        assert_eq!(said(Kind::Ip, "192.168.1.9"), Some(Ceiling::Alert));
        assert_eq!(said(Kind::Domain, "www.good.example"), Some(Ceiling::Alert));
        assert_eq!(said(Kind::Ip, "198.51.100.9"), Some(Ceiling::Alert));
        assert_eq!(said(Kind::Ip, "203.0.113.9"), None);
    }
}
