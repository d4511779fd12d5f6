//! Gives the attack part of an item to a peer: its confirmed indicators as STIX 2.1, marked as the item is.
//!
//! Invariants: nothing leaves whose marking does not permit it (`tlp::permits`), and every refusal is recorded; who
//! was attacked, and where the item came from, is in nothing that leaves; the same item gives the same objects, so a
//! peer that has them already is given nothing twice.

use indicators::{
    Kind,
    stix::time,
    taxii::Entry,
    tlp::{self, Audience, Edition, Exit, Level, Marking, Permit},
};
use model::{Assurance, Timestamp};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store, StoreError};

use super::{
    channels,
    inbox::{self, Line},
    objects::Objects,
};

pub const SHARED: &str = "threat_intelligence.shared";
pub const REFUSED: &str = "threat_intelligence.tlp_refused";
pub(crate) const NAMESPACE: uuid::Uuid =
    uuid::Uuid::from_u128(0x9d4b_63a1_70f2_4f0e_8f0e_6a1f_3b0c_5e27);
const NAME_CHARS_MAX: usize = 200;

/// Why an item does not go out.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error("the item has no confirmed indicators")]
    Nothing,
    #[error("its marking does not permit it: {0}")]
    Marking(String),
    #[error("objects: {0}")]
    Objects(#[from] sqlx::Error),
    #[error(transparent)]
    Inbox(#[from] inbox::InboxError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a peer would see.
pub struct Parcel {
    pub level: Level,
    pub permit: Permit,
    pub objects: Vec<Json>,
    /// Confirmed values that STIX has no pattern for here.
    pub left_out: usize,
}

/// The level that a field of a row says; what says nothing goes to nobody.
fn level(row: &Row, field: &str) -> Level {
    match row.attributes.get(field).and_then(Json::as_str) {
        Some("clear") => Level::Clear,
        Some("green") => Level::Green,
        Some("amber") => Level::Amber,
        Some("amber_strict") => Level::AmberStrict,
        _ => Level::Red,
    }
}

/// The strictest marking that a channel takes. A peer lies outside, so what is for the organisation
/// alone or for named persons goes to none; without an agreed ceiling a peer gets what everyone may.
pub fn ceiling(channel: &Row) -> Level {
    match level(channel, "tlp_ceiling") {
        agreed @ (Level::Amber | Level::Green) => agreed,
        _ => Level::Clear,
    }
}

/// Whom the peer of a channel is, by what it takes at most.
pub fn exit(channel: &Row) -> Exit {
    Exit::to(match ceiling(channel) {
        Level::Amber => Audience::Clients,
        Level::Green => Audience::Community,
        _ => Audience::Public,
    })
}

/// What of an item would go out on a channel, and whether it may.
pub async fn parcel(store: &Store, channel: &Row, item: &Row) -> Result<Parcel, ShareError> {
    let lines = inbox::confirmed(store, item).await?.unwrap_or_default();
    if lines.is_empty() {
        return Err(ShareError::Nothing);
    }
    let level = level(item, "tlp");
    let permit = tlp::permits(&exit(channel), &Marking::level(level));
    let mark = tlp::definition(Edition::Two, level);
    let found: Vec<Json> = lines.iter().filter_map(|line| indicator(item, line, level)).collect();
    let left_out = lines.len() - found.len();
    let mut objects = vec![mark];
    objects.extend(found);
    Ok(Parcel { level, permit, objects, left_out })
}

/// Gives it: the objects lie in the channel's collection, and records say so.
pub async fn give(
    house: &web::House,
    objects: &Objects,
    channel: &Row,
    item: &Row,
    actor: &str,
) -> Result<usize, ShareError> {
    let store = &house.store;
    let parcel = parcel(store, channel, item).await?;
    let now = store.now();
    let mut write = store.write(actor, "share", "").await?;
    if let Permit::Refuse(why) = &parcel.permit {
        let facts = json!({ "outlet": channel.id, "tlp": inbox::tlp_word(parcel.level) });
        write.record(draft(REFUSED, channel, now, facts)).await?;
        write.commit().await?;
        return Err(ShareError::Marking(why.to_string()));
    }
    let entries: Vec<Entry> = parcel.objects.iter().map(entry).collect();
    let given = channels::collection(channel.id, true);
    let mut is_new = Vec::with_capacity(entries.len());
    for entry in &entries {
        is_new.push(!objects.knows(&given, entry).await?);
    }
    let outcomes = objects.add_all(&given, entries, now.0).await?;
    for ((object, outcome), is_new) in parcel.objects.iter().zip(&outcomes).zip(is_new).skip(1) {
        if is_new && outcome.failure.is_none() {
            let facts = json!({
                "channel": channel.id,
                "object": object["id"],
                "version": outcome.version,
                "tlp": inbox::tlp_word(parcel.level),
                "redaction": "victim_part",
            });
            write.record(draft(SHARED, channel, now, facts)).await?;
        }
    }
    write.commit().await?;
    Ok(outcomes.iter().skip(1).filter(|outcome| outcome.failure.is_none()).count())
}

fn draft(ty: &str, channel: &Row, now: Timestamp, facts: Json) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject: Some(channel.id),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.share".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

fn entry(object: &Json) -> Entry {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let version = time::parse(text("modified")).or_else(|| time::parse(text("created")));
    Entry {
        date_added: 0,
        id: text("id").to_owned(),
        version: version.unwrap_or(i64::MIN),
        spec_version: "2.1".to_owned(),
        bytes: object.to_string().into_bytes(),
    }
}

fn indicator(item: &Row, line: &Line, level: Level) -> Option<Json> {
    let pattern = pattern(line)?;
    let received = line.received.as_deref().and_then(time::parse)?;
    let at = time::print_millis(received);
    let valid_from = line.valid_from.as_deref().and_then(time::parse).unwrap_or(received);
    let key = format!("{}\n{}\n{}", item.id, line.kind, line.value);
    let id = uuid::Uuid::new_v5(&NAMESPACE, key.as_bytes());
    let name: String = line.value.chars().take(NAME_CHARS_MAX).collect();
    Some(json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": format!("indicator--{id}"),
        "created": at,
        "modified": at,
        "name": name,
        "indicator_types": ["malicious-activity"],
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": time::print_millis(valid_from),
        "object_marking_refs": [tlp::definition_id(Edition::Two, level)],
    }))
}

/// The pattern that says the same; none for kinds that STIX has no property for.
fn pattern(line: &Line) -> Option<String> {
    let value = line.value.replace('\\', "\\\\").replace('\'', "\\'");
    let is = |path: &str| Some(format!("[{path} = '{value}']"));
    match Kind::named(&line.kind)? {
        Kind::Ip | Kind::Cidr if value.contains(':') => is("ipv6-addr:value"),
        Kind::Ip | Kind::Cidr => is("ipv4-addr:value"),
        Kind::Domain => is("domain-name:value"),
        Kind::Url if value.contains("://") => is("url:value"),
        Kind::Email => is("email-addr:value"),
        Kind::Md5 => is("file:hashes.MD5"),
        Kind::Sha1 => is("file:hashes.'SHA-1'"),
        Kind::Sha256 => is("file:hashes.'SHA-256'"),
        Kind::Sha512 => is("file:hashes.'SHA-512'"),
        Kind::Ssdeep => is("file:hashes.SSDEEP"),
        Kind::FileName => is("file:name"),
        Kind::RegistryKey => is("windows-registry-key:key"),
        Kind::Mutex => is("mutex:name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{Id, Table};

    use super::*;

    fn line(kind: &str, value: &str) -> Line {
        Line {
            kind: kind.into(),
            value: value.into(),
            received: Some("2026-11-29T00:00:00Z".into()),
            ..Line::default()
        }
    }

    #[test]
    fn what_leaves_is_a_pattern_that_reads_and_a_mark_and_nothing_of_the_item() {
        let item = Row::new(Table::Asset, Id::nil(), inbox::ITEM, "被害を受けた会社の件");
        for (kind, value) in [
            ("ip", "203.0.113.7"),
            ("cidr", "2001:db8::/32"),
            ("domain", "evil.example"),
            ("url", "http://evil.example/it's"),
            ("registry_key", "HKEY_LOCAL_MACHINE\\Software\\x"),
        ] {
            let object = indicator(&item, &line(kind, value), Level::Green).expect("an indicator");
            let text = object["pattern"].as_str().expect("text");
            assert!(indicators::pattern::parse(text).is_ok(), "{text}");
            assert!(!object.to_string().contains("被害"));
            let mark = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb";
            assert_eq!(object["object_marking_refs"][0], mark);
            assert_eq!(object, indicator(&item, &line(kind, value), Level::Green).expect("again"));
        }
        assert!(indicator(&item, &line("user_agent", "x"), Level::Green).is_none());
    }

    #[test]
    fn a_channel_without_agreed_ceiling_gets_what_everyone_may_have() {
        let channel = |ceiling: Option<&str>| {
            let mut row = Row::new(Table::Asset, Id::nil(), channels::CHANNEL, "isac");
            if let Some(ceiling) = ceiling {
                row.attributes.insert("tlp_ceiling".into(), json!(ceiling));
            }
            row
        };
        let may = |ceiling, level| {
            tlp::permits(&exit(&channel(ceiling)), &Marking::level(level)) == Permit::Allow
        };
        let allowed = |ceiling| Level::ALL.map(|level| may(ceiling, level));
        assert_eq!(allowed(None), [true, false, false, false, false]);
        assert_eq!(allowed(Some("green")), [true, true, false, false, false]);
        assert_eq!(allowed(Some("amber")), [true, true, true, false, false]);
        assert_eq!(allowed(Some("red")), [true, false, false, false, false]);
    }
}
