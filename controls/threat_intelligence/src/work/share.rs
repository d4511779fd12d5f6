//! Gives an item to a peer as STIX 2.1, marked as the item is: the attack part, which is its confirmed indicators, or
//! the whole where a sharing rule of the channel says so.
//!
//! Invariants: nothing leaves whose marking does not permit it (`tlp::permits`), and every refusal is recorded; who
//! was attacked, and where the item came from, is in nothing of an attack part that leaves; the same item gives the same objects, so a
//! peer that has them already is given nothing twice.

use indicators::{
    Kind,
    stix::time,
    taxii::Entry,
    tlp::{self, Audience, Edition, Exit, Level, Marking, Permit},
};
use model::{Assurance, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store, StoreError};

use super::{
    channels,
    inbox::{self, Line},
    objects::Objects,
    peers::{
        self, Way,
        push::{self, What},
    },
};

pub mod approval;
pub mod given;

pub const SHARED: &str = "threat_intelligence.shared";
pub const REFUSED: &str = "threat_intelligence.tlp_refused";
pub(crate) const NAMESPACE: uuid::Uuid =
    uuid::Uuid::from_u128(0x9d4b_63a1_70f2_4f0e_8f0e_6a1f_3b0c_5e27);
const RULE: &str = "intel_sharing";
/// Fields of an item that its report tells.
const WHOLE: [&str; 9] = [
    "attack_method",
    "identification",
    "impact",
    "advice",
    "conditions",
    "victim_organisation",
    "victim_sector",
    "victim_damage",
    "timeline",
];
const NAME_CHARS_MAX: usize = 200;

/// Why an item does not go out.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error("the item has no confirmed indicators")]
    Nothing,
    #[error("its marking does not permit it: {0}")]
    Marking(String),
    #[error("all that was given of it was withdrawn")]
    Withdrawn,
    #[error("the channel is kept by hand")]
    ByHand,
    #[error("{0}")]
    Peer(String),
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
    /// What was taken out, as records name it.
    pub redaction: &'static str,
    /// Whether a second person has to give it as well.
    pub needs_approval: bool,
}

impl Parcel {
    /// Objects that say nothing of who was attacked, and may go.
    pub fn of(level: Level, objects: Vec<Json>) -> Parcel {
        Parcel {
            level,
            permit: Permit::Allow,
            objects,
            left_out: 0,
            redaction: "victim_part",
            needs_approval: false,
        }
    }
}

/// What became of what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// So many objects lie where the peer fetches them.
    Laid(usize),
    /// It waits to be taken to the peer.
    Queued,
    /// Another person has to give it too.
    Asked,
}

/// The level that a field of a row says; what says nothing goes to nobody.
pub fn level(row: &Row, field: &str) -> Level {
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
    exit_of(ceiling(channel))
}

fn exit_of(ceiling: Level) -> Exit {
    Exit::to(match ceiling {
        Level::Amber => Audience::Clients,
        Level::Green => Audience::Community,
        _ => Audience::Public,
    })
}

/// Whether something marked so may go out on a channel.
pub fn permit(channel: &Row, level: Level) -> Permit {
    tlp::permits(&exit(channel), &Marking::level(level))
}

/// What of an item would go out on a channel, and whether it may.
pub async fn parcel(store: &Store, channel: &Row, item: &Row) -> Result<Parcel, ShareError> {
    let terms = terms(store, channel).await?;
    let lines = inbox::confirmed(store, item).await?.unwrap_or_default();
    let lines: Vec<&Line> = lines.iter().filter(|line| !line.revoked).collect();
    if lines.is_empty() {
        return Err(ShareError::Nothing);
    }
    let given = given::all(store, channel.id).await?;
    let level = level(item, "tlp");
    let permit = tlp::permits(&exit_of(terms.ceiling), &Marking::level(level));
    let found: Vec<Json> = lines.iter().filter_map(|line| indicator(item, line, level)).collect();
    let left_out = lines.len() - found.len();
    let mut all = found;
    if terms.is_whole {
        all.push(report(item, &all, level));
    }
    let mut objects = vec![tlp::definition(Edition::Two, level)];
    // What was withdrawn stays withdrawn; what changed is a later version.
    objects.extend(all.into_iter().filter_map(|object| given::versioned(object, item, &given)));
    if objects.len() == 1 {
        return Err(ShareError::Withdrawn);
    }
    let redaction = if terms.is_whole { "none" } else { "victim_part" };
    Ok(Parcel { level, permit, objects, left_out, redaction, needs_approval: terms.needs_approval })
}

/// What the sharing rules of a channel say together: the strictest of them.
struct Terms {
    is_whole: bool,
    ceiling: Level,
    needs_approval: bool,
}

async fn terms(store: &Store, channel: &Row) -> Result<Terms, StoreError> {
    let rules = store.all(Table::Rule, &[RULE]).await?;
    let of = |rule: &&Row| {
        rule.status == "active" && rule.attributes.get("channel") == Some(&json!(channel.id))
    };
    let mut terms = Terms { is_whole: false, ceiling: ceiling(channel), needs_approval: false };
    for (at, rule) in rules.iter().filter(of).enumerate() {
        let is_whole = rule.attributes.get("part") == Some(&json!("whole"));
        terms.is_whole = is_whole && (at == 0 || terms.is_whole);
        terms.ceiling = terms.ceiling.min(match level(rule, "tlp_ceiling") {
            agreed @ (Level::Amber | Level::Green) => agreed,
            _ => Level::Clear,
        });
        terms.needs_approval |= rule.attributes.get("needs_approval") == Some(&json!(true));
    }
    Ok(terms)
}

/// Gives it: to a peer that comes, by laying it into its collection; to a server of a peer, by the queue.
pub async fn give(
    house: &web::House,
    objects: &Objects,
    channel: &Row,
    item: &Row,
    actor: &str,
) -> Result<Given, ShareError> {
    let store = &house.store;
    let parcel = parcel(store, channel, item).await?;
    if let Permit::Refuse(why) = &parcel.permit {
        refused(store, channel, parcel.level, actor).await?;
        return Err(ShareError::Marking(why.to_string()));
    }
    let way = peers::way(channel);
    if way == Way::ByHand {
        return Err(ShareError::ByHand);
    }
    if parcel.needs_approval && !approval::asked_by_another(store, channel, item, actor).await? {
        approval::ask(store, channel, item, actor).await?;
        return Ok(Given::Asked);
    }
    if way != Way::Comes {
        push::queue(store, channel.id, item.id, What::Item(item.id)).await?;
        approval::end(store, channel, item).await?;
        return Ok(Given::Queued);
    }
    let is_own = peers::channel_of(store, item).await?.is_none();
    let count = lay(house, objects, channel, &parcel, is_own, actor).await?;
    approval::end(store, channel, item).await?;
    Ok(Given::Laid(count))
}

/// Takes back what was given of an item: a last version of each object that says so.
pub async fn withdraw(
    house: &web::House,
    objects: &Objects,
    channel: &Row,
    item: &Row,
    actor: &str,
) -> Result<usize, ShareError> {
    let store = &house.store;
    let given = given::all(store, channel.id).await?;
    let level = level(item, "tlp");
    let lines = inbox::confirmed(store, item).await?.unwrap_or_default();
    let mut found: Vec<Json> =
        lines.iter().filter_map(|line| indicator(item, line, level)).collect();
    found.push(report(item, &[], level));
    let is_out = |object: &Json| {
        let id = object["id"].as_str().unwrap_or_default();
        given.get(id).is_some_and(|state| !state.ends_with(given::REVOKED))
    };
    let now = time::print_millis(store.now().0 / 1_000 * 1_000);
    let mut withdrawn: Vec<Json> = found.into_iter().filter(is_out).collect();
    for object in &mut withdrawn {
        object["modified"] = json!(now);
        object["revoked"] = json!(true);
        if object["type"] == "report" {
            // Nothing of what it said goes out once more.
            object["name"] = json!("withdrawn");
            object["description"] = json!("withdrawn");
            object["object_refs"] = json!([tlp::definition_id(Edition::Two, level)]);
        }
    }
    if withdrawn.is_empty() {
        return Err(ShareError::Nothing);
    }
    let count = withdrawn.len();
    let mut all = vec![tlp::definition(Edition::Two, level)];
    all.extend(withdrawn);
    match peers::way(channel) {
        Way::Comes => {
            let is_own = peers::channel_of(store, item).await?.is_none();
            lay(house, objects, channel, &Parcel::of(level, all), is_own, actor).await?;
        }
        Way::Taxii => push::queue(store, channel.id, item.id, What::Objects(all)).await?,
        Way::Misp | Way::ByHand => return Err(ShareError::ByHand),
    }
    Ok(count)
}

/// Lays objects into a channel's collection; each that is new there has a record.
pub async fn lay(
    house: &web::House,
    objects: &Objects,
    channel: &Row,
    parcel: &Parcel,
    is_own: bool,
    actor: &str,
) -> Result<usize, ShareError> {
    let store = &house.store;
    let now = store.now();
    let entries: Vec<Entry> = parcel.objects.iter().map(entry).collect();
    // Objects first: what is recorded as given lies there, and laid once more it changes nothing.
    let outcomes = objects.add_all(&channels::collection(channel.id, true), entries, now.0).await?;
    let before = given::all(store, channel.id).await?;
    let mut write = store.write(actor, "share", "").await?;
    let mut count = 0;
    for (object, outcome) in parcel.objects.iter().zip(&outcomes).skip(1) {
        if outcome.failure.is_some() {
            continue;
        }
        count += 1;
        let (state, version) = given::state(object, is_own);
        if before.get(&outcome.id) != Some(&state) {
            let facts = json!({
                "channel": channel.id,
                "object": outcome.id,
                "version": version,
                "tlp": inbox::tlp_word(parcel.level),
                "redaction": parcel.redaction,
            });
            write.record(draft(SHARED, channel, now, facts)).await?;
            write.set_setting(&given::setting(channel.id, &outcome.id), &state).await?;
        }
    }
    write.commit().await?;
    Ok(count)
}

/// Records that a marking refused.
pub async fn refused(
    store: &Store,
    channel: &Row,
    level: Level,
    actor: &str,
) -> Result<(), StoreError> {
    let facts = json!({ "outlet": channel.id, "tlp": inbox::tlp_word(level) });
    let mut write = store.write(actor, "share", "").await?;
    write.record(draft(REFUSED, channel, store.now(), facts)).await?;
    write.commit().await
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

/// An object as a collection holds it.
pub fn entry(object: &Json) -> Entry {
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

/// The whole item: what is known of the attack and of who was attacked.
fn report(item: &Row, indicators: &[Json], level: Level) -> Json {
    let id = uuid::Uuid::new_v5(&NAMESPACE, format!("{}\nreport", item.id).as_bytes());
    let at = time::print_millis(item.created_at.0 / 1_000 * 1_000);
    let mut description = String::new();
    for name in WHOLE {
        let text = item.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim();
        if !text.is_empty() {
            description.push_str(&format!("{name}: {text}\n\n"));
        }
    }
    let refs: Vec<&Json> = indicators.iter().map(|object| &object["id"]).collect();
    json!({
        "type": "report",
        "spec_version": "2.1",
        "id": format!("report--{id}"),
        "created": at,
        "modified": at,
        "name": item.name,
        "description": description.trim_end(),
        "report_types": ["threat-report"],
        "published": at,
        "object_refs": refs,
        "object_marking_refs": [tlp::definition_id(Edition::Two, level)],
    })
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
        let may = |ceiling, level| permit(&channel(ceiling), level) == Permit::Allow;
        let allowed = |ceiling| Level::ALL.map(|level| may(ceiling, level));
        assert_eq!(allowed(None), [true, false, false, false, false]);
        assert_eq!(allowed(Some("green")), [true, true, false, false, false]);
        assert_eq!(allowed(Some("amber")), [true, true, true, false, false]);
        assert_eq!(allowed(Some("red")), [true, false, false, false, false]);
    }
}
