//! The published set against what an event shows: addresses, names, URLs, hashes, paths, and patterns over them.
//!
//! Only fields whose meaning is known are asked, each in the direction that it has, so that what attacks us from
//! outside is no alarm where our own machines go there, and the other way round. Pure.
//!
//! | module | holds |
//! |---|---|
//! | `observe` | which values an event shows, by its fields |
//! | `facts` | an event as objects of STIX |
//! | `patterns` | patterns by what wakes them |
//! | `watcher` | their windows over time |
//! | `wanted` | what of a set is new since it was hunted last |
//!
//! Limits: `ASKED_MAX` values of an event, `HITS_MAX` hits of an event.

pub mod facts;
pub mod observe;
pub mod patterns;
pub mod seen;
pub mod wanted;
pub mod watcher;

use std::{collections::BTreeMap, sync::Arc};

use indicators::{Ceiling, Hit, Kind, Observable};
use intel::{Current, Language, PatternLine, Sighting};
use model::{Id, Timestamp};
use netname::Names;
use sha2::{Digest, Sha256};
use stream::Event;

use self::{patterns::Patterns, wanted::Rows, watcher::PatternMet};
use super::evaluate::About;

/// Name of the document that findings of indicators name.
pub const DOCUMENT: &str = "indicators";
/// Kind of a sighting of a pattern.
pub const PATTERN: &str = "pattern";
const ASKED_MAX: usize = 64;
const HITS_MAX: usize = 8;
const TITLE_CHARS_MAX: usize = 120;

/// The set at work.
pub struct Intel {
    pub set: Arc<Current>,
    pub patterns: Arc<Patterns>,
    names: Names,
    /// Rows that count; all of them where nothing is said.
    only: Option<Arc<Rows>>,
}

/// Why an event is a finding: the indicator, and what vouches for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// Word of its kind, [`PATTERN`] for a pattern.
    pub kind: String,
    /// Its value in its one form; the id of a pattern.
    pub value: String,
    /// The text of a pattern.
    pub pattern: String,
    pub source: String,
    /// Ids of the items that it came with.
    pub items: Vec<String>,
    /// Word of its direction; empty for a pattern.
    pub direction: &'static str,
    /// Microseconds since 1970.
    pub from: Option<i64>,
    pub until: Option<i64>,
    /// Root of the set that it stands in.
    pub root: String,
    /// The observations that made it so, in words.
    pub seen: Vec<String>,
    pub is_undecided: bool,
}

impl Why {
    /// What is counted of it; nothing of what nobody could decide.
    pub fn sighting(&self, at: Timestamp) -> Option<Sighting> {
        if self.is_undecided {
            return None;
        }
        Some(Sighting {
            kind: self.kind.clone(),
            value: self.value.clone(),
            source: self.source.clone(),
            items: self.items.clone(),
            count: 1,
            first: at.0,
            last: at.0,
        })
    }
}

/// An indicator that an event met.
pub struct Met {
    pub about: Arc<About>,
    pub why: Arc<Why>,
}

impl Intel {
    pub fn new(set: Arc<Current>) -> Intel {
        let patterns = Arc::new(Patterns::new(set.patterns()));
        Intel { set, patterns, names: Names::shipped(), only: None }
    }

    /// The same set, of which only these rows and patterns count.
    pub fn only(&self, rows: Arc<Rows>, patterns: &[PatternLine]) -> Intel {
        let patterns = Arc::new(Patterns::new(patterns));
        let (set, names) = (self.set.clone(), Names::shipped());
        Intel { set, patterns, names, only: Some(rows) }
    }

    /// Sigma rules of the set that hold at a time, by the name they are loaded under.
    pub fn rules(&self, at: Timestamp) -> BTreeMap<String, Vec<u8>> {
        let lines = self.set.patterns().iter();
        let rules = lines.filter(|line| line.language == Language::Sigma && line.holds(at.0));
        rules.map(|l| (format!("{DOCUMENT}/{}", l.id), l.pattern.clone().into_bytes())).collect()
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The indicators that the event meets, each once.
    pub fn meets(&self, event: &Event, at: Timestamp) -> Vec<Met> {
        let mut met: Vec<Met> = Vec::new();
        self.hits(event, at, |hit| {
            let (kind, value) = (hit.kind.as_str(), hit.value());
            let is_there = met.iter().any(|one| one.why.kind == kind && one.why.value == value);
            if !is_there && met.len() < HITS_MAX {
                met.push(self.met(hit, value));
            }
            met.len() < HITS_MAX
        });
        met
    }

    /// Whether the event meets anything of the set.
    pub fn is_met(&self, event: &Event, at: Timestamp) -> bool {
        let mut is_met = false;
        self.hits(event, at, |_| {
            is_met = true;
            false
        });
        is_met
    }

    /// Whether the event meets anything of the set, some part of a pattern included.
    pub fn is_touched(&self, event: &Event, at: Timestamp) -> bool {
        if self.is_met(event, at) {
            return true;
        }
        let touched = self.patterns.touched(event, at.0);
        !touched.met.is_empty() || !touched.undecided.is_empty()
    }

    /// Shows every row that a value of the event hits, until it is enough.
    fn hits(&self, event: &Event, at: Timestamp, mut show: impl FnMut(&Hit<'_>) -> bool) {
        let set = self.set.set();
        let mut hits = Vec::new();
        let (mut asked, mut goes_on) = (0, true);
        observe::each(event, |kind, text, direction| {
            if !goes_on || asked >= ASKED_MAX {
                return;
            }
            asked += 1;
            let Ok(seen) = Observable::read(kind, text, direction, &self.names) else { return };
            hits.clear();
            // Bytes that were verified when the set came are whole; what is damaged since meets nothing.
            if set.lookup(&seen, at.0, &mut hits).is_err() {
                return;
            }
            for hit in &hits {
                let counts = self.only.as_ref().is_none_or(|rows| rows.has(hit.id));
                if counts && goes_on && hit.ceiling != Ceiling::Nothing {
                    goes_on = show(hit);
                }
            }
        });
    }

    fn met(&self, hit: &Hit<'_>, value: String) -> Met {
        let kind = hit.kind.as_str();
        let id = hex::encode(&Sha256::digest(format!("{kind}\n{value}"))[..16]);
        let shown: String = value.chars().take(TITLE_CHARS_MAX).collect();
        let source = hit.source;
        let root = self.set.manifest().root();
        // An indicator is a rule of its own: what is judged of one says nothing of another.
        let about = About {
            file: DOCUMENT.to_owned(),
            id: format!("indicator:{id}"),
            title_ja: format!("脅威の指標に一致: {shown}（{source}）"),
            title_en: format!("Threat indicator met: {shown} ({source})"),
            severity: if hit.ceiling == Ceiling::Alert { "medium" } else { "high" },
            phase: "sign",
            hash: root.clone(),
            is_canary: hit.kind == Kind::Domain && is_canary(&value),
        };
        let items = self.set.items(hit.id).into_iter();
        let items = items
            .filter_map(|item| hex::encode(item).parse::<Id>().map(|id| id.to_string()).ok())
            .collect();
        let why = Why {
            kind: kind.to_owned(),
            value,
            source: source.to_owned(),
            items,
            direction: hit.direction.as_str(),
            from: hit.from,
            until: hit.until,
            root,
            ..Why::default()
        };
        Met { about: Arc::new(about), why: Arc::new(why) }
    }

    /// A pattern that was met, or could not be decided, as a finding.
    pub fn of_pattern(&self, met: PatternMet) -> Option<Met> {
        let line = &self.patterns.all.get(met.of as usize)?.line;
        let name = if line.name.is_empty() { &line.pattern } else { &line.name };
        let shown: String = name.chars().take(TITLE_CHARS_MAX).collect();
        let (title_ja, title_en, severity, id) = match met.is_undecided {
            false => (
                format!("脅威のパターンに一致: {shown}"),
                format!("Threat pattern met: {shown}"),
                "high",
                format!("pattern:{}", line.id),
            ),
            true => (
                format!("脅威のパターンを判定できません: {shown}"),
                format!("Threat pattern undecided: {shown}"),
                "low",
                format!("pattern-undecided:{}", line.id),
            ),
        };
        let root = self.set.manifest().root();
        let about = About {
            file: DOCUMENT.to_owned(),
            id,
            title_ja,
            title_en,
            severity,
            phase: "sign",
            hash: root.clone(),
            is_canary: false,
        };
        let why = Why {
            kind: PATTERN.to_owned(),
            value: line.id.clone(),
            pattern: line.pattern.clone(),
            source: line.source.clone(),
            items: line.items.clone(),
            from: line.from,
            until: line.until,
            root,
            seen: met.seen,
            is_undecided: met.is_undecided,
            ..Why::default()
        };
        Some(Met { about: Arc::new(about), why: Arc::new(why) })
    }
}

/// A name that only this house knows, by which the sets of it are tested.
fn is_canary(name: &str) -> bool {
    name.starts_with("ume-canary-") && name.ends_with(".invalid")
}

#[cfg(test)]
#[path = "intel/tests.rs"]
pub(crate) mod over_set;

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeMap, path::Path};

    use indicators::{
        Direction, Entry, Kind,
        set::{Limits, build},
    };
    use intel::Manifest;
    use merkle::{SignedNote, Signer};

    use Direction::{Both, Destination};

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    /// A signed set in a folder.
    pub fn publish(folder: &Path, signer: &Signer, rows: &[(Kind, &str, Direction)]) -> Current {
        let names = Names::shipped();
        let entries = rows.iter().enumerate().map(|(id, (kind, text, direction))| {
            let key = indicators::normalise(*kind, text, &names).unwrap();
            Entry { direction: *direction, ..Entry::new(id as u64, key, "JPCERT") }
        });
        let mut bytes = Vec::new();
        build(entries, [5; 16], &Limits::DEFAULT, &mut bytes).unwrap();
        let files = vec![intel::add_file(folder, "base", &bytes).unwrap()];
        let manifest = Manifest { sequence: 1, made_at: NOW.0, rows: rows.len() as u64, files };
        let mut note = SignedNote::new(&manifest.text()).unwrap();
        note.sign(signer).unwrap();
        intel::put(folder, &manifest, &note.to_string()).unwrap();
        Current::load(folder, &[signer.verifier_key()]).unwrap().unwrap()
    }

    fn event(fields: &[(&str, &str)]) -> Event {
        let fields: BTreeMap<String, String> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Event {
            raw: Vec::new(),
            event_time: None,
            arrived: NOW,
            source: "proxy".to_owned(),
            class: 0,
            host: "pc1".to_owned(),
            app: String::new(),
            severity: 0,
            message: String::new(),
            fields,
        }
    }

    #[test]
    fn fields_meet_indicators_of_their_kind_in_their_direction() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::from_seed("ume.example", &[7; 32]).unwrap();
        let sha = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let rows = [
            (Kind::Ip, "203.0.113.7", Destination),
            (Kind::Domain, "evil.example", Both),
            (Kind::Url, "http://share.example/drop/a.exe", Both),
            (Kind::Sha256, sha, Both),
        ];
        let intel = Intel::new(Arc::new(publish(folder.path(), &signer, &rows)));
        let met = |fields: &[(&str, &str)]| -> Vec<String> {
            intel.meets(&event(fields), NOW).into_iter().map(|met| met.why.value.clone()).collect()
        };
        assert_eq!(met(&[("dst_ip", "203.0.113.7")]), ["203.0.113.7"]);
        assert!(met(&[("src_ip", "203.0.113.7")]).is_empty(), "we only must not go there");
        assert_eq!(met(&[("cs-host", "evil.example"), ("c-uri", "evil.example:443")]).len(), 1);
        assert_eq!(met(&[("query", "EVIL.example.")]).len(), 1);
        let path = [("cs-host", "share.example"), ("cs-uri", "/drop/a.exe")];
        assert_eq!(met(&path).len(), 1);
        assert!(met(&[("cs-host", "share.example"), ("cs-uri", "/other")]).is_empty());
        assert_eq!(met(&[("Hashes", &format!("MD5=0,SHA256={}", sha.to_uppercase()))]), [sha]);
        assert!(met(&[("Hashes", &format!("IMPHASH={sha}"))]).is_empty());
        assert!(met(&[("user", "203.0.113.7"), ("cs-uri", "\u{0}")]).is_empty());
    }

    #[test]
    fn an_indicator_is_a_rule_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::from_seed("ume.example", &[7; 32]).unwrap();
        let rows = [(Kind::Ip, "203.0.113.7", Both), (Kind::Ip, "203.0.113.8", Both)];
        let intel = Intel::new(Arc::new(publish(folder.path(), &signer, &rows)));
        let seen = event(&[("dst_ip", "203.0.113.7"), ("src_ip", "203.0.113.8")]);
        let met = intel.meets(&seen, NOW);
        assert_eq!(met.len(), 2);
        assert_ne!(met[0].about.key("pc1"), met[1].about.key("pc1"));
        assert!(met[0].about.title_ja.contains("JPCERT"));
    }
}
