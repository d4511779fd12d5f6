//! Channels to peers over TAXII 2.1: which collections a peer sees, what opens them, what was given and taken.
//!
//! Invariants: of a token only its hash is kept, and a new one ends the one before; a channel that is not in use or
//! deleted opens nothing; a peer sees the two collections of its own channel and no other's.

use std::sync::Arc;

use indicators::taxii::{Collection, Entry};
use model::{Assurance, Id, Table, Timestamp};
use room::Error;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{RecordDraft, Row, Store, StoreError};
use subtle::ConstantTimeEq as _;

use super::{objects::Objects, share::given};

pub const CHANNEL: &str = "sharing_channel";
pub const RECEIVED: &str = "threat_intelligence.intel_received";
pub const TOKEN_MADE: &str = "threat_intelligence.channel_token_made";
pub const TOKEN_ENDED: &str = "threat_intelligence.channel_token_ended";
pub const ACCEPTED: &str = "threat_intelligence.peer_accepted";
/// Setting of a channel: hash of what opens it.
const TOKEN: &str = "threat_intelligence.channel_token:";
/// Setting of a channel: `date_added` up to which its peer has fetched what we gave.
const FETCHED: &str = "threat_intelligence.channel_fetched:";
/// Setting of a channel: when its peer signed in last, to the hour.
const SEEN: &str = "threat_intelligence.channel_seen:";
const HOUR: i64 = 3_600_000_000;
const TOKEN_BYTES: usize = 32;
/// Objects of one fetch that have a record of their own.
const ACCEPTED_MAX: usize = 100;
const FILE: &str = "objects.db";
const ACTOR: &str = "system:threat_intelligence.taxii";

/// The objects of this process, opened at the first use.
#[derive(Default)]
pub struct Shelf(tokio::sync::OnceCell<Objects>);

pub async fn objects(house: &web::House) -> Result<Objects, Error> {
    let shelf: Arc<Shelf> = house.kept.get();
    let folder = house.folder().join(intel::FOLDER);
    let open = || async {
        std::fs::create_dir_all(&folder)
            .map_err(|source| Error::Io { path: folder.clone(), source })?;
        Objects::open(&folder.join(FILE)).await.map_err(Error::said)
    };
    shelf.0.get_or_try_init(open).await.cloned()
}

/// Whether a channel is in use.
pub fn is_used(row: &Row) -> bool {
    !row.deleted
        && row.kind == CHANNEL
        && row.status == "active"
        && row.attributes.get("active") == Some(&Json::Bool(true))
}

/// Whether a channel is open to its peer.
pub fn is_open(row: &Row) -> bool {
    is_used(row) && row.attributes.get("protocol").and_then(Json::as_str) == Some("taxii")
}

/// The collection of what we give on a channel, or of what we take.
pub fn collection(channel: Id, is_given: bool) -> String {
    let name = if is_given { "given" } else { "received" };
    uuid::Uuid::new_v5(
        &uuid::Uuid::NAMESPACE_URL,
        format!("ume:channel:{channel}:{name}").as_bytes(),
    )
    .to_string()
}

/// Both collections as the peer sees them.
pub fn collections(row: &Row) -> Vec<Collection> {
    let one = |is_given: bool, title: &str| Collection {
        id: collection(row.id, is_given),
        alias: None,
        title: title.to_owned(),
        description: Some(row.name.clone()),
        can_read: is_given,
        can_write: !is_given,
    };
    vec![one(true, "Given to you"), one(false, "Taken from you")]
}

/// Makes what opens a channel; it is shown once.
pub async fn renew_token(store: &Store, channel: Id, actor: &str) -> Result<String, Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::said)?;
    let token = hex::encode(bytes);
    let now = store.now();
    let mut write = store.write(actor, "token", "").await?;
    write.set_setting(&format!("{TOKEN}{channel}"), &hash(&token)).await?;
    write.record(token_made(channel, now)).await?;
    write.commit().await?;
    Ok(token)
}

/// Ends what opens a channel; false if there was nothing.
pub async fn revoke_token(store: &Store, channel: Id, actor: &str) -> Result<bool, Error> {
    let had = store.take_setting(&format!("{TOKEN}{channel}")).await?.is_some();
    if had {
        let facts = json!({ "channel": channel });
        let draft = room::draft(TOKEN_ENDED, Some(channel), store.now(), facts);
        room::write(store, actor, draft).await?;
    }
    Ok(had)
}

/// Notes that a peer signed in: one write an hour at most.
pub async fn saw(store: &Store, channel: Id) -> Result<(), StoreError> {
    let now = store.now();
    let known = seen(store, channel).await?;
    match known.is_some_and(|at| (0..HOUR).contains(&(now.0 - at.0))) {
        true => Ok(()),
        false => store.set_setting(&format!("{SEEN}{channel}"), &now.0.to_string()).await,
    }
}

/// When a peer signed in last, to the hour.
pub async fn seen(store: &Store, channel: Id) -> Result<Option<Timestamp>, StoreError> {
    let text = store.setting(&format!("{SEEN}{channel}")).await?;
    Ok(text.and_then(|at| at.parse().ok()).map(Timestamp))
}

/// Who made it is in the leaf of the change.
fn token_made(channel: Id, now: Timestamp) -> RecordDraft {
    RecordDraft {
        ty: TOKEN_MADE.to_owned(),
        subject: Some(channel),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.channels".to_owned(),
        assurance: Assurance::Machine,
        facts: serde_json::Map::from_iter([("channel".to_owned(), json!(channel))]),
        payload: None,
    }
}

pub async fn has_token(store: &Store, channel: Id) -> Result<bool, StoreError> {
    Ok(store.setting(&format!("{TOKEN}{channel}")).await?.is_some())
}

/// The open channel that these credentials open.
pub async fn enter(store: &Store, name: &str, token: &str) -> Result<Option<Row>, StoreError> {
    let Ok(id) = name.parse::<Id>() else { return Ok(None) };
    let Some(kept) = store.setting(&format!("{TOKEN}{id}")).await? else { return Ok(None) };
    if !bool::from(kept.as_bytes().ct_eq(hash(token).as_bytes())) {
        return Ok(None);
    }
    let row = store.row(Table::Asset, id).await?;
    Ok(row.filter(is_open))
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Records what a peer posted.
pub async fn took(
    ctx: &web::Shared,
    channel: &Row,
    items: usize,
    bytes: usize,
) -> Result<(), StoreError> {
    let facts = json!({ "items": items, "bytes": bytes, "refused": {} });
    let mut write = ctx.store.write(ACTOR, "taxii", "").await?;
    write.record(draft(ctx, RECEIVED, channel, facts)).await?;
    write.commit().await?;
    ctx.wake();
    Ok(())
}

/// Records what a peer fetched of ours, each object once.
pub async fn gave(ctx: &web::Shared, channel: &Row, entries: &[Entry]) -> Result<(), StoreError> {
    let setting = format!("{FETCHED}{}", channel.id);
    let before: i64 =
        ctx.store.setting(&setting).await?.and_then(|at| at.parse().ok()).unwrap_or(i64::MIN);
    let new: Vec<&Entry> = entries.iter().filter(|entry| entry.date_added > before).collect();
    let Some(last) = new.iter().map(|entry| entry.date_added).max() else { return Ok(()) };
    let given = given::all(&ctx.store, channel.id).await?;
    let mut write = ctx.store.write(ACTOR, "taxii", "").await?;
    // A definition of a marking is nobody's intelligence.
    let told = new.iter().filter(|entry| !entry.id.starts_with("marking-definition--"));
    for entry in told.take(ACCEPTED_MAX) {
        let facts = json!({
            "channel": channel.id,
            "object": entry.id,
            "own_object": given.get(&entry.id).is_some_and(|state| given::is_own(state)),
            "proof": "authenticated_get",
        });
        write.record(draft(ctx, ACCEPTED, channel, facts)).await?;
    }
    write.set_setting(&setting, &last.to_string()).await?;
    write.commit().await?;
    ctx.wake();
    Ok(())
}

fn draft(house: &web::House, ty: &str, channel: &Row, facts: Json) -> RecordDraft {
    let now = house.store.now();
    RecordDraft {
        ty: ty.to_owned(),
        subject: Some(channel.id),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.taxii".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}
