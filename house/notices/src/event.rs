//! What happened, who hears of it, and its way into the queue.

use jiff::tz::TimeZone;
use model::{Id, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{Notice, NoticeState, Reader, Store, StoreError};

use crate::{quiet, settings::Settings};

/// Who hears of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    Roles(Vec<String>),
    Accounts(Vec<Id>),
}

impl Audience {
    /// Everyone who answers for one of the roles.
    pub fn roles(roles: &[&str]) -> Audience {
        Audience::Roles(roles.iter().map(|r| (*r).to_owned()).collect())
    }

    fn takes(&self, reader: &Reader) -> bool {
        match self {
            Audience::Roles(roles) => roles.iter().any(|role| reader.answers_for(role)),
            Audience::Accounts(ids) => ids.contains(&reader.id),
        }
    }
}

/// Something that people are told.
#[derive(Clone, Debug)]
pub struct Event {
    /// A kind that [`crate::text`] has a sentence for.
    pub kind: &'static str,
    /// Names the event: told once per reader and channel.
    pub key: String,
    pub audience: Audience,
    pub facts: Map<String, Json>,
    /// The page that shows more.
    pub path: String,
}

impl Event {
    /// An event with these facts (an object).
    pub fn new(
        kind: &'static str,
        key: String,
        audience: Audience,
        facts: Json,
        path: &str,
    ) -> Event {
        let facts = facts.as_object().cloned().unwrap_or_default();
        Event { kind, key, audience, facts, path: path.to_owned() }
    }
}

/// Everyone who can be told something; who names no time zone lives in the organisation's.
pub async fn readers(store: &Store, zone: &TimeZone) -> Result<Vec<Reader>, StoreError> {
    let mut readers = store.readers().await?;
    let name = zone.iana_name().unwrap_or_default();
    for reader in readers.iter_mut().filter(|r| r.preference.zone.is_empty()) {
        name.clone_into(&mut reader.preference.zone);
    }
    Ok(readers)
}

/// The notices that an event makes.
fn notices(
    store: &Store,
    settings: &Settings,
    readers: &[Reader],
    event: &Event,
) -> Result<Vec<Notice>, StoreError> {
    let now = store.now();
    let mut facts = event.facts.clone();
    facts.insert("path".into(), json!(event.path));
    let notice = |channel: &str, account: Option<Id>, state, next_at: Timestamp| {
        Ok::<_, StoreError>(Notice {
            id: store.new_id()?,
            channel: channel.to_owned(),
            account,
            kind: event.kind.to_owned(),
            event: event.key.clone(),
            facts: facts.clone(),
            state,
            attempts: 0,
            created_at: now,
            next_at,
            done_at: None,
            error: String::new(),
        })
    };
    let mut all = Vec::new();
    for reader in readers.iter().filter(|r| event.audience.takes(r)) {
        all.push(notice("app", Some(reader.id), NoticeState::Unread, now)?);
        if settings.has_mail() && !reader.preference.mail.is_empty() {
            let at = quiet::mail_at(&reader.preference, now);
            all.push(notice("mail", Some(reader.id), NoticeState::Queued, at)?);
        }
    }
    if settings.has_webhook() {
        all.push(notice("webhook", None, NoticeState::Queued, now)?);
    }
    Ok(all)
}

/// Puts an event into the queue; what was told before is left out. Returns how many are new.
pub async fn tell(
    store: &Store,
    settings: &Settings,
    readers: &[Reader],
    event: &Event,
) -> Result<u64, StoreError> {
    store.add_notices(&notices(store, settings, readers, event)?).await
}
