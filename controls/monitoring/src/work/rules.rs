//! The rules that events are held against: those that Ume ships, those of the register, and those of its packs.
//!
//! Invariants: what is refused touches no other rule and is told with file, line and reason; a rule of the
//! register takes the place of a shipped one, or one of a pack, with the same id, retired too; a filter holds only
//! until its day.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Table, Timestamp};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use sigma::{Env, Limits, Meta, Rejected, RuleSet, Source};
use store::{Row, Store};

use super::packs::{self, PACK, Pack, PackError};

/// File name → text of the rules in `content/detections`.
static SHIPPED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/detections.rs"));

const FILTERS: &str = "detection_filter";
/// Kinds of rows that hold a document.
pub const KINDS: [&str; 4] = ["detection", "correlation", FILTERS, packs::KIND];
/// What stands before the name of a shipped file, and before the id of a row.
const UME: &str = "ume/";
const ROW: &str = "rule/";

/// Rules that were loaded together.
pub struct Loaded {
    pub set: RuleSet,
    pub rejected: Vec<Rejected>,
    /// Text of each document that was given, by its name.
    pub texts: BTreeMap<String, Vec<u8>>,
    /// Packs of which nothing could be read.
    pub broken: Vec<(Id, PackError)>,
}

impl Loaded {
    /// Compiles documents.
    pub fn of(texts: BTreeMap<String, Vec<u8>>, env: &Env) -> Loaded {
        let sources: Vec<Source<'_>> =
            texts.iter().map(|(file, bytes)| Source { file, bytes }).collect();
        let (set, rejected) = sigma::load(&sources, env, &Limits::default());
        Loaded { set, rejected, texts, broken: Vec::new() }
    }

    /// Everything that can be found by itself: rules and correlations.
    pub fn findable(&self) -> impl Iterator<Item = (&Meta, bool)> {
        let rules = self.set.rules().iter().filter(|rule| rule.standalone);
        let correlations = self.set.correlations().iter().filter(|c| c.standalone);
        rules.map(|r| (&r.meta, false)).chain(correlations.map(|c| (&c.meta, true)))
    }

    /// Known again as long as its text is the same, whatever filters are laid over it.
    pub fn print_of(&self, meta: &Meta) -> String {
        let named = meta.id.as_deref().unwrap_or(&meta.title);
        let text = self.texts.get(&meta.file).map_or(&[][..], Vec::as_slice);
        let hash = Sha256::new().chain_update(text).chain_update(named);
        hex::encode(&hash.finalize()[..8])
    }

    /// What records name a rule by.
    pub fn name_of(&self, meta: &Meta) -> String {
        meta.id.clone().unwrap_or_else(|| self.print_of(meta))
    }

    /// Some of these rules, with all that they stand on and the filters laid over them.
    pub fn only(&self, wanted: &dyn Fn(&Meta, bool) -> bool, env: &Env) -> Loaded {
        let is_filter = |file: &str| self.set.filters().iter().any(|meta| meta.file == file);
        let wanted = self.findable().filter(|(meta, is_over_time)| wanted(meta, *is_over_time));
        let mut files: BTreeSet<&str> = wanted.map(|(meta, _)| meta.file.as_str()).collect();
        if files.is_empty() {
            return Loaded::of(BTreeMap::new(), env);
        }
        files.extend(self.texts.keys().map(String::as_str).filter(|file| is_filter(file)));
        loop {
            let texts = files.iter().filter_map(|f| self.texts.get_key_value(*f));
            let some = Loaded::of(texts.map(|(f, text)| (f.clone(), text.clone())).collect(), env);
            let before = files.len();
            for refused in &some.rejected {
                if let sigma::Reason::Reference(name) = &refused.reason {
                    files.extend(self.file_of(name));
                }
            }
            if files.len() == before {
                return some;
            }
        }
    }

    /// The document of a rule or correlation, by id or name.
    fn file_of(&self, name: &str) -> Option<&str> {
        let is_it = |meta: &&Meta| {
            meta.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(name))
                || meta.name.as_deref() == Some(name)
        };
        let rules = self.set.rules().iter().map(|rule| &rule.meta);
        let all = rules.chain(self.set.correlations().iter().map(|c| &c.meta));
        all.into_iter().find(is_it).map(|meta| meta.file.as_str())
    }

    /// Whether both are the same rules, those that were refused included.
    pub fn is_like(&self, other: &Loaded) -> bool {
        self.texts == other.texts && self.set.hash() == other.set.hash()
    }

    /// SHA-256 over all documents that were given, those that were refused included.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (file, text) in &self.texts {
            for part in [file.as_bytes(), text] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        hex::encode(hash.finalize())
    }

    /// How many were refused, by the reason's kind.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for rejected in &self.rejected {
            *counts.entry(rejected.reason.code()).or_default() += 1;
        }
        counts
    }
}

/// The row that a document came from; none for what Ume ships.
pub fn row_of(file: &str) -> Option<Id> {
    let id = file.strip_prefix(ROW).or_else(|| file.strip_prefix(PACK)?.split('/').next())?;
    id.parse().ok()
}

/// SHA-256 of a document.
pub fn hash_of(loaded: &Loaded, file: &str) -> String {
    hex::encode(Sha256::digest(loaded.texts.get(file).map_or(&[][..], Vec::as_slice)))
}

/// Reads the rules as they stand now.
pub async fn load(store: &Store, env: &Env) -> Result<Loaded, room::Error> {
    load_with(store, env, &BTreeMap::new()).await
}

/// The same with rules that came with a set of indicators, by name; one of the register with the same id stands before
/// them.
pub async fn load_with(
    store: &Store,
    env: &Env,
    of_set: &BTreeMap<String, Vec<u8>>,
) -> Result<Loaded, room::Error> {
    let rows = store.all(Table::Rule, &KINDS).await?;
    let now = store.now();
    let mut opened = Vec::new();
    for row in rows.iter().filter(|row| row.kind == packs::KIND && row.status == "active") {
        opened.push(packs::open(store, row.clone()).await?);
    }
    let broken = opened.iter().filter_map(|p| Some((p.row.id, p.contents.as_ref().err()?.clone())));
    let broken = broken.collect();
    let (mut texts, env) = (texts(&rows, &opened, now), env.clone());
    let ids: BTreeSet<String> =
        texts.values().filter_map(|text| Some(id_of_bytes(text)?.to_owned())).collect();
    for (name, text) in of_set {
        if id_of_bytes(text).is_none_or(|id| !ids.contains(id)) {
            texts.insert(name.clone(), text.clone());
        }
    }
    // Thousands of rules take some time.
    let loaded = room::blocking(move || Loaded::of(texts, &env)).await?;
    Ok(Loaded { broken, ..loaded })
}

/// What Ume ships, and nothing else.
#[cfg(test)]
pub fn shipped() -> Loaded {
    Loaded::of(texts(&[], &[], Timestamp(0)), &Env::default())
}

fn texts(rows: &[Row], packs: &[Pack], now: Timestamp) -> BTreeMap<String, Vec<u8>> {
    let replaced: BTreeSet<&str> = rows.iter().filter_map(|row| id_of(text(row)?)).collect();
    let stands = |bytes: &[u8]| id_of_bytes(bytes).is_none_or(|id| !replaced.contains(id));
    let shipped = SHIPPED.iter().filter(|(_, bytes)| stands(bytes));
    let mut all: BTreeMap<String, Vec<u8>> =
        shipped.map(|(name, bytes)| (format!("{UME}{name}"), bytes.to_vec())).collect();
    for row in rows.iter().filter(|row| row.status == "active" && is_due(row, now)) {
        if let Some(text) = text(row) {
            all.insert(format!("{ROW}{}", row.id), text.as_bytes().to_vec());
        }
    }
    let packed = packs.iter().flat_map(Pack::texts).filter(|(_, bytes)| stands(bytes));
    all.extend(packed.map(|(name, bytes)| (name, bytes.clone())));
    all
}

fn text(row: &Row) -> Option<&str> {
    row.attributes.get("source").and_then(Json::as_str)
}

/// Whether a filter still holds; rules have no end.
fn is_due(row: &Row, now: Timestamp) -> bool {
    if row.kind != FILTERS {
        return true;
    }
    let day = row.attributes.get("expires").and_then(Json::as_str);
    let last = day.and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")));
    // Its last day is over everywhere.
    last.is_some_and(|last| now <= last.plus_hours(36))
}

/// The id that a line of a document begins with.
pub fn id_of_bytes(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().and_then(id_of)
}

fn id_of(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("id:"))?;
    Some(line.trim().trim_matches(['"', '\''])).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(kind: &str, status: &str, attributes: Json) -> Row {
        let mut row = Row::new(Table::Rule, Id::nil(), kind, "r");
        row.status = status.to_owned();
        row.attributes = attributes.as_object().cloned().unwrap();
        row
    }

    #[test]
    fn what_ume_ships_loads_without_a_refusal() {
        let loaded = Loaded::of(texts(&[], &[], Timestamp(0)), &Env::default());
        assert!(loaded.texts.len() > 10, "{}", loaded.texts.len());
        assert_eq!(loaded.rejected, []);
        let set = &loaded.set;
        assert!(set.rules().len() + set.correlations().len() >= loaded.texts.len());
    }

    #[test]
    fn a_row_takes_the_place_of_the_shipped_rule_with_its_id_even_when_it_is_retired() {
        let (name, bytes) = SHIPPED[0];
        let name = format!("{UME}{name}");
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(texts(&[], &[], Timestamp(0)).contains_key(&name));
        for (status, there) in [("active", true), ("retired", false)] {
            let own = row("detection", status, json!({"source": text}));
            let all = texts(&[own], &[], Timestamp(0));
            assert!(!all.contains_key(&name), "{status}");
            assert_eq!(all.keys().any(|file| row_of(file).is_some()), there, "{status}");
        }
    }

    #[test]
    fn a_filter_ends_with_its_day() {
        let filter = row(FILTERS, "active", json!({"source": "x", "expires": "2026-11-28"}));
        let at = |text: &str| Timestamp::parse(text).unwrap();
        assert!(is_due(&filter, at("2026-11-28T23:00:00Z")));
        assert!(!is_due(&filter, at("2026-11-30T00:00:00Z")));
        assert!(!is_due(
            &row(FILTERS, "active", json!({"source": "x"})),
            at("2026-11-28T00:00:00Z")
        ));
    }
}
