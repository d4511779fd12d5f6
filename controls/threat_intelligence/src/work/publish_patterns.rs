//! What of items no single value says, and which item each value came with: both go beside the values of a set.
//!
//! The field `patterns` of an item holds STIX patterns and Sigma rules, apart from each other by a line `---`. What begins
//! with a bracket is a pattern, everything else a rule. They are in force as long as their item is judged "act" and
//! [`LIFE_DAYS`] have not passed since it was received.
//!
//! Invariants: a pattern that does not read is in no set, and is told with its place; of one pattern in two items there is
//! one line, which names both; nothing of an item's marking or victim goes along.

use std::{collections::BTreeMap, path::Path};

use indicators::{Micros, Row as Indicator, pattern};
use intel::{FileRef, Language, PATTERNS_MAX, PatternLine, Sightings};
use model::{Table, Timestamp};
use room::Error;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::{Row, Store};

use super::{
    inbox::{self, ITEM},
    publish::Judged,
};

const FIELD: &str = "patterns";
/// As long as what moves lives by default.
const LIFE_DAYS: i64 = 180;
const DAY: Micros = 86_400_000_000;
/// Patterns of one item.
const OF_ITEM_MAX: usize = 200;

/// A pattern that does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Line of the field, from 1.
    pub line: usize,
    pub what: String,
}

/// What goes into a set beside its values.
#[derive(Debug, Default)]
pub struct More {
    pub patterns: Vec<PatternLine>,
    /// Ids of items by the number of a row.
    origins: BTreeMap<u64, Vec<[u8; 16]>>,
}

/// Patterns of an item, as they are read.
pub fn read(item: &Row) -> Vec<Result<PatternLine, Refused>> {
    let attribute = |name: &str| item.attributes.get(name).and_then(Json::as_str);
    let day = |name: &str| {
        let day = attribute(name).and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")));
        day.map(|time| time.0)
    };
    let (from, received) = (day("active_from"), day("received"));
    let until = received.map(|received| received + LIFE_DAYS * DAY);
    let mut all = Vec::new();
    for (line, text) in blocks(attribute(FIELD).unwrap_or_default()) {
        if all.len() == OF_ITEM_MAX {
            let what = format!("more than {OF_ITEM_MAX} patterns");
            all.push(Err(Refused { line, what }));
            break;
        }
        let is_stix = text.starts_with(['[', '(']);
        let language = if is_stix { Language::Stix } else { Language::Sigma };
        let fault = match language {
            Language::Stix => pattern::parse(&text).err().map(|error| error.to_string()),
            Language::Sigma if !text.lines().any(|line| line.starts_with("detection:")) => {
                Some("neither a pattern in brackets nor a rule with detection:".to_owned())
            }
            Language::Sigma => None,
        };
        all.push(match fault {
            Some(what) => Err(Refused { line, what }),
            None => Ok(PatternLine {
                id: format!("pattern--{}", hex::encode(&Sha256::digest(&text)[..16])),
                language,
                name: super::tlp::label(item),
                source: super::tlp::label(item),
                items: vec![item.id.to_string()],
                pattern: text,
                from,
                until,
            }),
        });
    }
    all
}

/// What stands between the lines `---`, each with the number of its first line.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let (mut all, mut block, mut first) = (Vec::new(), String::new(), 1);
    for (number, line) in (1..).zip(text.lines().chain(["---"])) {
        if line.trim_end() == "---" {
            if !block.trim().is_empty() {
                all.push((first, block.trim().to_owned()));
            }
            (block, first) = (String::new(), number + 1);
            continue;
        }
        if block.trim().is_empty() {
            first = number;
        }
        block.push_str(line);
        block.push('\n');
    }
    all
}

/// What there is to say beside the values that were judged.
pub async fn gather(store: &Store, judged: &[Judged], at: Timestamp) -> Result<More, Error> {
    let mut more = More::default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    for one in judged.iter().filter(|one| !one.entries.is_empty()) {
        let key = &one.row.key;
        rows.entry((key.kind().as_str(), key.text())).or_default().push(one.row.id);
    }
    for item in store.all(Table::Asset, &[ITEM]).await? {
        let is_act = item.attributes.get("verdict").and_then(Json::as_str) == Some("act");
        if item.deleted || item.status != "active" || !is_act {
            continue;
        }
        let lines = inbox::confirmed(store, &item).await.map_err(Error::said)?.unwrap_or_default();
        if let Some(id) = bytes_of(&item) {
            for line in &lines {
                for row in
                    rows.get(&(line.kind.as_str(), line.value.as_str())).into_iter().flatten()
                {
                    let of = more.origins.entry(*row).or_default();
                    if !of.contains(&id) {
                        of.push(id);
                    }
                }
            }
        }
        for line in read(&item).into_iter().flatten() {
            if line.until.is_some_and(|until| until <= at.0) {
                continue;
            }
            match places.get(&line.id) {
                Some(place) => merge(&mut more.patterns[*place], line),
                None if more.patterns.len() == PATTERNS_MAX => {
                    return Err(Error::said(format!("more than {PATTERNS_MAX} patterns")));
                }
                None => {
                    places.insert(line.id.clone(), more.patterns.len());
                    more.patterns.push(line);
                }
            }
        }
    }
    Ok(more)
}

/// The same pattern of another item: it holds as long as either says.
fn merge(known: &mut PatternLine, other: PatternLine) {
    known.items.extend(other.items);
    known.until = known.until.max(other.until);
    known.from = match (known.from, other.from) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => None,
    };
}

fn bytes_of(item: &Row) -> Option<[u8; 16]> {
    let plain: String = item.id.to_string().chars().filter(|c| *c != '-').collect();
    hex::decode(plain).ok()?.try_into().ok()
}

impl More {
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// What tells it from what was published before: empty where there is nothing.
    pub fn digest(&self) -> String {
        if self.patterns.is_empty() && self.origins.is_empty() {
            return String::new();
        }
        let mut hash = Sha256::new();
        for line in &self.patterns {
            hash.update(serde_json::to_vec(line).unwrap_or_default());
        }
        for (row, items) in &self.origins {
            hash.update(row.to_le_bytes());
            items.iter().for_each(|item| hash.update(item));
        }
        format!(" {}", hex::encode(hash.finalize()))
    }

    /// When something of it begins or ends by itself.
    pub fn next(&self, now: Micros) -> Option<Micros> {
        let times = self.patterns.iter().flat_map(|line| [line.from, line.until]);
        times.flatten().filter(|time| *time > now).min()
    }

    /// Stores the files of it.
    pub fn add(&self, folder: &Path) -> Result<Vec<FileRef>, intel::Error> {
        let mut files = Vec::new();
        if !self.patterns.is_empty() {
            files.push(intel::add_patterns(folder, &self.patterns)?);
        }
        if !self.origins.is_empty() {
            files.push(intel::add_origins(folder, &self.origins)?);
        }
        Ok(files)
    }
}

/// Takes in when edges met each value last: what is met does not grow old.
pub fn sight(rows: &mut [Indicator], seen: &Sightings) {
    for row in rows {
        if let Some(one) = seen.of(row.key.kind().as_str(), row.key.text()) {
            row.sighted = row.sighted.max(Some(one.last));
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Id;
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_and_rules_stand_apart_and_what_does_not_read_is_told_with_its_line() {
        let mut item = Row::new(Table::Asset, Id::nil(), ITEM, "Campaign");
        let text = "[url:value = 'http://a.example/']\n---\ntitle: T\ndetection:\n  a: b\n\
                    ---\n\n[file:name = ]\n---\nnothing";
        let attributes =
            json!({"patterns": text, "received": "2026-11-01", "victim_organisation": "V"});
        item.attributes = attributes.as_object().cloned().unwrap();
        let read = read(&item);
        let first = read[0].as_ref().expect("a pattern");
        assert_eq!((first.language, first.from), (Language::Stix, None));
        let received = Timestamp::parse("2026-11-01T00:00:00Z").expect("a time").0;
        assert_eq!(first.until, Some(received + LIFE_DAYS * DAY));
        assert_eq!(read[1].as_ref().map(|line| line.language), Ok(Language::Sigma));
        let refused = read[2].as_ref().expect_err("no pattern");
        assert!(refused.line == 8 && refused.what.contains("column"), "{refused:?}");
        assert_eq!(read[3].as_ref().expect_err("nothing").line, 10);
        assert!(!serde_json::to_string(first).expect("text").contains("\"V\""));
    }

    #[test]
    fn what_is_met_does_not_grow_old() {
        let names = netname::Names::shipped();
        let key = indicators::normalise(indicators::Kind::Domain, "evil.example", &names);
        let mut rows = [Indicator::new(0, key.expect("a name"), "x", 5)];
        let seen: Sightings = [intel::Sighting {
            kind: "domain".to_owned(),
            value: "evil.example".to_owned(),
            count: 1,
            first: 7,
            last: 9,
            ..intel::Sighting::default()
        }]
        .into_iter()
        .collect();
        sight(&mut rows, &seen);
        assert_eq!(rows[0].sighted, Some(9));
    }
}
