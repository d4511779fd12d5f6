//! Sources of advisories, brought up to date: what lies on disk is read once, what is new takes its place once it was
//! read.
//!
//! Invariant: a source that fails is noted with its reason and fails no run; what it said last stands.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use model::Timestamp;
use room::{Error, Shared, blocking, draft};
use serde_json::{Value as Json, json};
use store::Store;

use super::{
    READ,
    fetch::{self, Got, Tags},
    parcel,
    run::{ACTOR, change, read},
    settings::{From, Place, Source},
    shelf::{self, Account, Folder, Shelved},
    state::{Desk, State},
};

const MINUTE_MICROS: i64 = 60_000_000;

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// Reads what lies on disk of each source, and lets go of sources that are no longer named.
pub(super) async fn open_shelf(
    ctx: &Shared,
    desk: &Arc<Desk>,
    place: &Arc<Place>,
) -> Result<(), Error> {
    let now = ctx.store().now();
    let (desk, place) = (desk.clone(), place.clone());
    blocking(move || {
        for source in &place.sources {
            if read(&desk).accounts.contains_key(&source.name) {
                continue;
            }
            let folder = Folder::of(&place.folder, &source.name).map_err(io(&place.folder))?;
            let mut account = folder.account();
            if account.since == 0 {
                account = Account { since: now.0, ..Account::default() };
                folder.set_account(&account).map_err(io(&place.folder))?;
            }
            if folder.parcel().exists() {
                match shelf::read(&folder.parcel(), &Default::default()) {
                    Ok(parcel) => {
                        put(&desk, &source.name, parcel, now);
                    }
                    // It was readable when it was accepted: asked for again from the start.
                    Err(why) => {
                        account =
                            Account { since: account.since, error: Some(why), ..Account::default() }
                    }
                }
            }
            change(&desk).accounts.insert(source.name.clone(), account);
        }
        let named: BTreeSet<&String> = place.sources.iter().map(|source| &source.name).collect();
        let gone: Vec<String> =
            read(&desk).accounts.keys().filter(|name| !named.contains(name)).cloned().collect();
        for name in gone {
            let mut state = change(&desk);
            state.accounts.remove(&name);
            if let Some(mut shelved) = state.shelf.remove(&name) {
                let State { index, fleet, .. } = &mut *state;
                let change = shelved.empty(index, fleet);
                state.note(change, now);
            }
        }
        Ok(())
    })
    .await?
}

/// Puts a parcel that was read onto the shelf and says how many advisories changed.
fn put(desk: &Desk, name: &str, parcel: shelf::Read, now: Timestamp) -> usize {
    let mut state = change(desk);
    let mut shelved = state.shelf.remove(name).unwrap_or_default();
    let State { index, fleet, .. } = &mut *state;
    let change = shelved.take(parcel, index, fleet);
    let changed = change.changed;
    state.note(change, now);
    state.shelf.insert(name.to_owned(), shelved);
    changed
}

/// Brings one source up to date, if it is time. A failure is noted with the source and no failure of the run.
pub(super) async fn bring(
    ctx: &Shared,
    desk: &Arc<Desk>,
    place: &Arc<Place>,
    source: &Source,
) -> Result<Option<Json>, Error> {
    let store = ctx.store();
    let now = store.now();
    let mut account = read(desk).accounts.get(&source.name).cloned().unwrap_or_default();
    // A folder costs a listing, and is looked at in every run.
    let waited =
        account.tried_at.filter(|_| matches!(source.from, From::Url(_))).map(|at| now.0 - at);
    if waited.is_some_and(|waited| (0..source.every_min * MINUTE_MICROS).contains(&waited)) {
        return Ok(None);
    }
    account.tried_at = Some(now.0);
    let folder = Folder::of(&place.folder, &source.name).map_err(io(&place.folder))?;
    let outcome = match look(source, &folder, &account, now).await {
        Ok(Looked::Same(good_at)) => {
            (account.good_at, account.error) = (Some(good_at), None);
            json!({ "changed": 0 })
        }
        Ok(Looked::New { tags, stamp, good_at }) => {
            match accept(desk, &folder, &source.name, now).await? {
                Ok(changed) => {
                    (account.good_at, account.error) = (Some(good_at), None);
                    (account.etag, account.modified, account.stamp) =
                        (tags.etag, tags.modified, stamp);
                    note_read(store, desk, &source.name, changed).await?;
                    json!({ "changed": changed })
                }
                Err(why) => refuse(&mut account, why),
            }
        }
        Err(why) => refuse(&mut account, why),
    };
    folder.set_account(&account).map_err(io(&place.folder))?;
    change(desk).accounts.insert(source.name.clone(), account);
    Ok(Some(outcome))
}

fn refuse(account: &mut Account, why: String) -> Json {
    let why: String = why.chars().filter(|c| !c.is_control()).take(500).collect();
    let told = json!({ "failed": why });
    account.error = Some(why);
    told
}

/// What a look at a source gave.
enum Looked {
    /// It is as it was, and good as of then.
    Same(i64),
    /// Something new lies in the incoming file.
    New { tags: Tags, stamp: Option<String>, good_at: i64 },
}

async fn look(
    source: &Source,
    folder: &Folder,
    account: &Account,
    now: Timestamp,
) -> Result<Looked, String> {
    let has_parcel = folder.parcel().exists();
    match &source.from {
        From::Url(url) => {
            let known = Tags { etag: account.etag.clone(), modified: account.modified.clone() };
            let known = if has_parcel { known } else { Tags::default() };
            match fetch::fetch(source, url, &known, &folder.incoming()).await? {
                Got::Same => Ok(Looked::Same(now.0)),
                Got::New(tags) => Ok(Looked::New { tags, stamp: None, good_at: now.0 }),
            }
        }
        From::Folder(path) => {
            let (path, incoming, most) = (path.clone(), folder.incoming(), source.bytes_max);
            let before = account.stamp.clone().filter(|_| has_parcel);
            let packed = tokio::task::spawn_blocking(move || pack(&path, &incoming, before, most));
            let (stamp, newest_s) = packed.await.map_err(|error| error.to_string())??;
            // A folder is as good as what was last written in it, however often it is looked at.
            let good_at = newest_s.saturating_mul(1_000_000).min(now.0);
            Ok(match stamp {
                None => Looked::Same(good_at),
                Some(_) => Looked::New { tags: Tags::default(), stamp, good_at },
            })
        }
    }
}

/// Packs a folder that changed; its stamp, and the newest time in it.
fn pack(
    folder: &Path,
    to: &Path,
    before: Option<String>,
    bytes_max: u64,
) -> Result<(Option<String>, i64), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let listing = parcel::list(folder).map_err(failed)?;
    if listing.bytes > bytes_max {
        return Err(format!("{} bytes; {bytes_max} are read (max_mib)", listing.bytes));
    }
    if before.as_ref() == Some(&listing.stamp) {
        return Ok((None, listing.newest_s));
    }
    parcel::pack(folder, &listing, to).map_err(failed)?;
    Ok((Some(listing.stamp), listing.newest_s))
}

/// Reads what came in and, if it says something, puts it in the place of what was there.
async fn accept(
    desk: &Arc<Desk>,
    folder: &Folder,
    name: &str,
    now: Timestamp,
) -> Result<Result<usize, String>, Error> {
    let known = read(desk).shelf.get(name).map(Shelved::known).unwrap_or_default();
    let incoming = folder.incoming();
    let parcel = blocking(move || shelf::read(&incoming, &known)).await?;
    let parcel = match parcel {
        Ok(parcel) => parcel,
        Err(why) => {
            // It is fetched or packed anew the next time.
            let _ = std::fs::remove_file(folder.incoming());
            return Ok(Err(why));
        }
    };
    folder.accept().map_err(io(&folder.parcel()))?;
    let (desk, name) = (desk.clone(), name.to_owned());
    Ok(Ok(blocking(move || put(&desk, &name, parcel, now)).await?))
}

async fn note_read(store: &Store, desk: &Desk, name: &str, changed: usize) -> Result<(), Error> {
    let (facts, quarantine) = {
        let state = read(desk);
        let Some(shelved) = state.shelf.get(name) else { return Ok(()) };
        let list: Vec<Json> = shelved
            .quarantine
            .iter()
            .map(|one| json!({ "document": one.document, "reason": one.reason }))
            .collect();
        let facts = json!({
            "source": name, "advisories": shelved.advisories, "changed": changed,
            "quarantined": shelved.quarantined, "root": shelved.root,
        });
        (facts, list)
    };
    let mut draft = draft(READ.ty, None, store.now(), facts);
    if !quarantine.is_empty() {
        draft.payload = Some(Json::Array(quarantine).to_string().into_bytes());
    }
    Ok(room::write(store, ACTOR, draft).await?)
}
