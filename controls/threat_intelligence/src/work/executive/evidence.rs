//! What the criteria are held against: items, vulnerabilities with the assets they concern, findings of our own,
//! actors, the ten threats.
//!
//! Invariants: read only; everything is bounded, newest first; what an original says is read once and kept in memory
//! by the version of its item.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use indicators::{
    Kind,
    extract::{self, What},
    tlp::Level,
};
use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use store::{Record, Row, Store, StoreError};
use stream::Encoding;

use super::{
    super::{
        inbox::{self, ITEM},
        relevance::{self, Reason},
        triage::Verdict,
    },
    criterion::Severity,
    fact, text_of,
};

const FINDING: &str = "monitoring.finding";
const HANDLED: &str = "monitoring.alert_handled";
const VERDICT: &str = "configuration.verdict";
const ITEMS_MAX: usize = 1_000;
const FINDINGS_MAX: usize = 20_000;
const VERDICTS_MAX: usize = 20_000;
const WEAK_MAX: usize = 5_000;
/// Text of an item that is looked at.
const TEXT_CHARS_MAX: usize = 20_000;
const DOMAINS_MAX: usize = 200;
const ASSETS_OF_ONE_MAX: usize = 50;
/// The register may change under an item: after that its relevance is judged anew.
const REASONS_HOURS: i64 = 1;
const LOOK_BACK_DAYS: i64 = 366;
/// An importance of 1 is the highest that the register knows.
const IMPORTANT: i64 = 1;
/// What can be hit.
const ASSETS: [&str; 6] =
    ["system", "host", "network_device", "software", "cloud_service", "database"];
/// Words of the field "exposure" that mean the Internet.
const OPEN_WORDS: [&str; 6] = ["インターネット", "internet", "公開", "社外", "public", "dmz"];

/// An asset that something concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    pub id: Id,
    pub name: String,
    pub faces_internet: bool,
    pub is_important: bool,
}

impl Exposed {
    pub fn counts(&self) -> bool {
        self.faces_internet || self.is_important
    }
}

/// An item of intelligence.
#[derive(Clone, Debug)]
pub struct Item {
    pub id: Id,
    pub name: String,
    pub at: Timestamp,
    pub level: Level,
    pub verdict: Option<Verdict>,
    pub is_urgent: bool,
    pub advice: String,
    pub reasons: Vec<Reason>,
    /// Lower case.
    pub text: Arc<str>,
}

/// A published vulnerability.
#[derive(Clone, Debug)]
pub struct Weak {
    pub id: Id,
    pub name: String,
    pub at: Timestamp,
    pub is_exploited: bool,
    pub epss_permille: i64,
    pub fix: String,
    pub assets: Vec<Exposed>,
}

/// A finding of our own that nobody judged to be nothing.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: Id,
    pub at: Timestamp,
    pub severity: Severity,
    /// Met an indicator or a pattern of this room.
    pub is_intelligence: bool,
    pub title_ja: String,
    pub title_en: String,
}

/// An actor of the register.
#[derive(Clone, Debug)]
pub struct Actor {
    pub id: Id,
    pub name: String,
    /// Name and aliases, in lower case.
    pub words: Vec<String>,
    pub aims_at_sector: bool,
}

/// One of the ten threats.
#[derive(Clone, Debug)]
pub struct Threat {
    pub id: Id,
    pub name: String,
    pub at: Timestamp,
    pub edition: i64,
    pub was_ranked: bool,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub items: Vec<Item>,
    pub weak: Vec<Weak>,
    pub seen: Vec<Seen>,
    pub actors: Vec<Actor>,
    pub threats: Vec<Threat>,
    /// By id, for the reasons of items.
    pub assets: HashMap<Id, Exposed>,
}

#[derive(Clone)]
struct ReadItem {
    version: i64,
    text: Arc<str>,
    domains: Vec<String>,
    reasons: Vec<Reason>,
    judged_at: Timestamp,
}

/// What was read of items before.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<Id, ReadItem>>);

impl Evidence {
    /// Reads everything that the criteria may ask for.
    pub async fn load(store: &Store, cache: &Cache) -> Result<Evidence, StoreError> {
        let now = store.now();
        let kinds = ["org_profile", "vulnerability", "threat_actor", ITEM];
        let rows = store.all(Table::Asset, &kinds).await?;
        let (profiles, rest): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.kind == "org_profile");
        let assets = store.all(Table::Asset, &ASSETS).await?;
        let assets: Vec<Row> = assets.into_iter().filter(|row| row.status != "retired").collect();
        let of_kind = |kind: &str| rest.iter().filter(|row| row.kind == kind).collect::<Vec<_>>();
        let known = exposure(&assets, &profiles);
        let items = items(store, cache, of_kind(ITEM), now).await?;
        let sectors = sectors(&profiles);
        Ok(Evidence {
            items,
            weak: weak(store, of_kind("vulnerability"), &assets, &known, now).await?,
            seen: seen(store, now).await?,
            actors: of_kind("threat_actor").into_iter().map(|row| actor(row, &sectors)).collect(),
            threats: threats(store).await?,
            assets: known,
        })
    }
}

fn listed(row: &Row, name: &str) -> Vec<String> {
    let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

fn sectors(profiles: &[Row]) -> Vec<String> {
    let split = |row: &Row| {
        let text = text_of(row, "sector").to_lowercase();
        text.split(['（', '(', '）', ')', '、', ',', '・'])
            .map(|word| word.trim().to_owned())
            .filter(|word| word.chars().count() > 1)
            .collect::<Vec<_>>()
    };
    profiles.iter().flat_map(split).collect()
}

/// Which assets face the Internet or are important.
fn exposure(assets: &[Row], profiles: &[Row]) -> HashMap<Id, Exposed> {
    let shown: Vec<String> = profiles
        .iter()
        .flat_map(|row| listed(row, "exposed_services"))
        .map(|name| name.trim().to_lowercase())
        .filter(|name| name.chars().count() > 1)
        .collect();
    let one = |row: &Row| {
        let exposure = text_of(row, "exposure").to_lowercase();
        let name = row.name.to_lowercase();
        let is_shown = shown.iter().any(|shown| name.contains(shown) || shown.contains(&name));
        let says_open = OPEN_WORDS.iter().any(|word| exposure.contains(word));
        let importance = row.attributes.get("importance").and_then(Json::as_i64);
        let exposed = Exposed {
            id: row.id,
            name: row.name.clone(),
            faces_internet: is_shown || says_open || row.kind == "cloud_service",
            is_important: importance.is_some_and(|n| n <= IMPORTANT)
                || text_of(row, "criticality") == "high",
        };
        (row.id, exposed)
    };
    assets.iter().map(one).collect()
}

async fn items(
    store: &Store,
    cache: &Cache,
    mut rows: Vec<&Row>,
    now: Timestamp,
) -> Result<Vec<Item>, StoreError> {
    rows.retain(|row| now.hours_since(row.created_at) <= 24 * LOOK_BACK_DAYS);
    rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    rows.truncate(ITEMS_MAX);
    let mut register: Option<relevance::Known> = None;
    let mut items = Vec::new();
    let mut kept = HashMap::new();
    for row in rows {
        let before = cache.0.lock().unwrap_or_else(PoisonError::into_inner).get(&row.id).cloned();
        let before = before.filter(|read| read.version == row.version);
        let is_fresh = |read: &ReadItem| now.hours_since(read.judged_at) < REASONS_HOURS;
        let read = match before {
            Some(read) if is_fresh(&read) => read,
            before => {
                if register.is_none() {
                    register = Some(relevance::Known::load(store).await?);
                }
                let (text, domains) = match before {
                    Some(read) => (read.text, read.domains),
                    None => said(store, row).await?,
                };
                let names = domains.iter().map(String::as_str);
                let reasons = register.as_ref().map(|known| known.reasons(&text, names));
                let reasons = reasons.unwrap_or_default();
                ReadItem { version: row.version, text, domains, reasons, judged_at: now }
            }
        };
        items.push(Item {
            id: row.id,
            name: row.name.clone(),
            at: row.created_at,
            level: level(text_of(row, "tlp")),
            verdict: Verdict::named(text_of(row, "verdict")),
            is_urgent: row.attributes.get("urgent") == Some(&Json::Bool(true)),
            advice: text_of(row, "advice").to_owned(),
            reasons: read.reasons.clone(),
            text: read.text.clone(),
        });
        kept.insert(row.id, read);
    }
    *cache.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    Ok(items)
}

/// The level of a word of the register; what is no level counts as the strictest.
pub(crate) fn level(word: &str) -> Level {
    Level::parse(&word.replace('_', "+")).unwrap_or(Level::Red)
}

/// What an item says, and the domains in it. An original that does not open leaves what stands in the row.
async fn said(store: &Store, row: &Row) -> Result<(Arc<str>, Vec<String>), StoreError> {
    const FIELDS: [&str; 6] =
        ["attack_method", "identification", "impact", "conditions", "victim_sector", "advice"];
    let mut text = row.name.clone();
    for name in FIELDS {
        text.push('\n');
        text.push_str(text_of(row, name));
    }
    for word in listed(row, "attack_targets") {
        text.push('\n');
        text.push_str(&word);
    }
    let mut domains = listed(row, "indicators");
    if let Some(blob) = store.blob(text_of(row, "raw")).await? {
        let told = Encoding::named(text_of(row, "raw_encoding"));
        match inbox::original(store, &blob, told).await {
            Ok(original) => {
                let whole = original.whole();
                let notice = extract::extract(&whole, extract::Labels::shipped());
                domains.extend(
                    notice
                        .values(What::Indicator(Kind::Domain))
                        .into_iter()
                        .map(|name| name.to_string()),
                );
                text.push('\n');
                text.push_str(&whole);
            }
            Err(inbox::InboxError::Store(error)) => return Err(error),
            Err(error) => tracing::debug!(item = %row.id, %error, "an original is not read"),
        }
    }
    domains.truncate(DOMAINS_MAX);
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    Ok((text.to_lowercase().into(), domains))
}

async fn weak(
    store: &Store,
    mut rows: Vec<&Row>,
    assets: &[Row],
    known: &HashMap<Id, Exposed>,
    now: Timestamp,
) -> Result<Vec<Weak>, StoreError> {
    let number = |row: &Row, name: &str| row.attributes.get(name).and_then(Json::as_i64);
    let is_used = |row: &Row| row.attributes.get("exploited") == Some(&Json::Bool(true));
    // What nobody exploits and nobody is expected to is asked for by no criterion.
    rows.retain(|row| is_used(row) || number(row, "epss_permille").is_some_and(|n| n > 0));
    rows.sort_by_key(|row| std::cmp::Reverse((row.updated_at, row.id)));
    rows.truncate(WEAK_MAX);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let since = now.minus_hours(24 * LOOK_BACK_DAYS);
    let verdicts = store.records_since(&[VERDICT], since, VERDICTS_MAX).await?;
    let judged = affected(&verdicts);
    let names: Vec<(Id, String)> =
        assets.iter().map(|row| (row.id, row.name.trim().to_lowercase())).collect();
    let mut all = Vec::new();
    for row in rows {
        let cve = text_of(row, "cve");
        let name = if cve.is_empty() { row.name.clone() } else { cve.to_owned() };
        let mut hit: Vec<Id> = judged.get(cve).cloned().unwrap_or_default();
        for product in listed(row, "products") {
            let product = product.trim().to_lowercase();
            let is_it = |name: &str| {
                name.chars().count() > 2
                    && product.chars().count() > 2
                    && (relevance::stands_in(&product, name)
                        || relevance::stands_in(name, &product))
            };
            hit.extend(names.iter().filter(|(_, name)| is_it(name)).map(|(id, _)| *id));
        }
        let mut once = HashSet::new();
        hit.retain(|id| once.insert(*id));
        let assets: Vec<Exposed> = hit.iter().filter_map(|id| known.get(id).cloned()).collect();
        all.push(Weak {
            id: row.id,
            name,
            at: row.updated_at,
            is_exploited: is_used(row),
            epss_permille: number(row, "epss_permille").unwrap_or(0),
            fix: text_of(row, "fix").to_owned(),
            assets,
        });
    }
    behind(store, &mut all, known).await?;
    for one in &mut all {
        one.assets.sort_by_key(|asset| (!asset.counts(), asset.name.clone()));
        one.assets.truncate(ASSETS_OF_ONE_MAX);
    }
    Ok(all)
}

/// Assets that are affected by an advisory, as the newest verdict of each says.
fn affected(verdicts: &[Record]) -> HashMap<&str, Vec<Id>> {
    let mut newest: HashMap<(&str, Id), (&Record, bool)> = HashMap::new();
    // They come oldest first.
    for record in verdicts {
        if let Some(subject) = record.subject {
            let is_hit = fact(record, "impact") == "affected";
            newest.insert((fact(record, "advisory"), subject), (record, is_hit));
        }
    }
    let mut all: HashMap<&str, Vec<Id>> = HashMap::new();
    for ((advisory, subject), (_, is_hit)) in newest {
        if is_hit {
            all.entry(advisory).or_default().push(subject);
        }
    }
    all.values_mut().for_each(|ids| ids.sort());
    all
}

/// What an asset belongs to or runs on is concerned as well: an asset counts as its system does.
async fn behind(
    store: &Store,
    all: &mut [Weak],
    known: &HashMap<Id, Exposed>,
) -> Result<(), StoreError> {
    let mut ids: Vec<Id> = all.iter().flat_map(|one| one.assets.iter().map(|a| a.id)).collect();
    ids.sort();
    ids.dedup();
    ids.truncate(WEAK_MAX);
    if ids.is_empty() {
        return Ok(());
    }
    let links = store.rows_about(Table::Link, &ids).await?;
    let mut beside: HashMap<Id, (bool, bool)> = HashMap::new();
    for link in &links {
        let (Some(from), Some(to)) = (link.subject, link.object) else { continue };
        for (one, other) in [(from, to), (to, from)] {
            if let Some(other) = known.get(&other) {
                let flags = beside.entry(one).or_default();
                flags.0 |= other.faces_internet;
                flags.1 |= other.is_important;
            }
        }
    }
    for asset in all.iter_mut().flat_map(|one| &mut one.assets) {
        if let Some((open, important)) = beside.get(&asset.id) {
            asset.faces_internet |= open;
            asset.is_important |= important;
        }
    }
    Ok(())
}

async fn seen(store: &Store, now: Timestamp) -> Result<Vec<Seen>, StoreError> {
    let since = now.minus_hours(24 * LOOK_BACK_DAYS);
    let records = store.records_since(&[FINDING, HANDLED], since, FINDINGS_MAX).await?;
    let is_nothing = |record: &&Record| {
        record.ty == HANDLED && matches!(fact(record, "verdict"), "normal" | "false_alarm")
    };
    let nothing: HashSet<Id> =
        records.iter().filter(is_nothing).filter_map(|record| record.subject).collect();
    let one = |record: &Record| {
        let rule = fact(record, "rule");
        Some(Seen {
            id: record.id,
            at: record.received_at,
            severity: Severity::named(fact(record, "severity"))?,
            is_intelligence: rule.starts_with("indicator:") || rule.starts_with("pattern:"),
            title_ja: fact(record, "title_ja").to_owned(),
            title_en: fact(record, "title_en").to_owned(),
        })
    };
    let found = records.iter().filter(|r| r.ty == FINDING && !nothing.contains(&r.id));
    Ok(found.filter_map(one).collect())
}

fn actor(row: &Row, sectors: &[String]) -> Actor {
    let mut words = listed(row, "aliases");
    words.push(row.name.clone());
    let words = words.into_iter().map(|word| word.trim().to_lowercase());
    let aims = listed(row, "target_sectors");
    let is_ours = |sector: &String| {
        let sector = sector.to_lowercase();
        sectors.iter().any(|own| sector.contains(own) || own.contains(&sector))
    };
    Actor {
        id: row.id,
        name: row.name.clone(),
        words: words.filter(|word| word.chars().count() > 1).collect(),
        aims_at_sector: aims.iter().any(is_ours)
            || row.attributes.get("aims_at_us") == Some(&Json::Bool(true)),
    }
}

async fn threats(store: &Store) -> Result<Vec<Threat>, StoreError> {
    let rows = store.all(Table::Norm, &["ipa10_threat"]).await?;
    let one = |row: &Row| {
        Some(Threat {
            id: row.id,
            name: row.name.clone(),
            at: row.created_at,
            edition: row.attributes.get("edition").and_then(Json::as_i64)?,
            was_ranked: row.attributes.get("rank_before").is_some_and(Json::is_number),
        })
    };
    let of_us = rows.iter().filter(|row| text_of(row, "audience") == "org");
    Ok(of_us.filter_map(one).collect())
}
