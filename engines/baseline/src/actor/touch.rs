//! A touch: one file that somebody changed, when, how, and what is known of who; and a journal of them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt::Write as _,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{apt::Run, fanotify};
use crate::{
    bytes::Bytes,
    secret::{FingerprintKey, cut_text},
};

/// Touches of one journal; the oldest make room and count as a gap.
pub const JOURNAL_TOUCHES_MAX: usize = 20_000;
const RUNS_MAX: usize = 2_000;
const GAPS_MAX: usize = 100;
/// Gaps of one reason that lie nearer are one.
const JOINED_US: i64 = 60_000_000;
/// Characters of a command line that are kept.
const COMMAND_CHARS_MAX: usize = 600;
const TEXT_BYTES_MAX: usize = 4_096;
const LIST_MAX: usize = 16;

/// Where a touch is known from, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Fanotify,
    Audit,
    Apt,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Fanotify => "fanotify",
            Source::Audit => "audit",
            Source::Apt => "apt",
        }
    }
}

/// Whose work a process does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Who {
    /// With whose rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Who logged in (loginuid); none where nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// Unit of systemd in which it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// Names of the programs above it, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Its own command line, secrets cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Name of the account, where the source names it instead of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Who {
    /// What a process has from its parent: all but the command line.
    pub(crate) fn inherited(this: &Arc<Who>) -> Arc<Who> {
        match this.command {
            None => this.clone(),
            Some(_) => Arc::new(Who { command: None, ..Who::clone(this) }),
        }
    }
}

/// Who made a touch, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doer {
    pub source: Source,
    pub pid: u32,
    /// Its program; several where it is uncertain which of them; none where it is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Bytes>,
    /// None: the process was gone before anything could be read of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
}

/// In which ways a file was changed, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct How(u8);

const WAYS: [(u8, &str, u64); 6] = [
    (1, "create", fanotify::CREATE),
    (2, "write", fanotify::CLOSE_WRITE),
    (4, "attributes", fanotify::ATTRIB),
    (8, "move_in", fanotify::MOVED_TO),
    (16, "move_out", fanotify::MOVED_FROM),
    (32, "delete", fanotify::DELETE),
];

impl How {
    pub fn of_mask(mask: u64) -> How {
        How(WAYS.iter().filter(|way| mask & way.2 != 0).fold(0, |bits, way| bits | way.0))
    }

    /// The way of that name.
    pub fn named(name: &str) -> Option<How> {
        WAYS.iter().find(|way| way.1 == name).map(|way| How(way.0))
    }

    pub fn and(self, other: How) -> How {
        How(self.0 | other.0)
    }

    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    pub fn names(self) -> Vec<&'static str> {
        WAYS.iter().filter(|way| self.0 & way.0 != 0).map(|way| way.1).collect()
    }
}

impl Serialize for How {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for How {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let how = |name: &String| {
            How::named(name).ok_or_else(|| serde::de::Error::custom(format!("{name}: no such way")))
        };
        names.iter().try_fold(How::default(), |all, name| Ok(all.and(how(name)?)))
    }
}

/// One file that one process changed, from its first change to its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touch {
    pub path: Bytes,
    pub how: How,
    /// Microseconds since 1970, of the last change.
    pub at: i64,
    /// Place in [`Journal::doers`].
    pub doer: usize,
}

/// Time in which changes may have gone by unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Microseconds since 1970.
    pub from: i64,
    pub to: i64,
    /// `start`, `queue_overflow`, `journal_full`, `process_events_lost`
    pub why: String,
}

/// What was seen on a host. Equal touches are one; the oldest make room for more than
/// [`JOURNAL_TOUCHES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    #[serde(default)]
    pub doers: Vec<Doer>,
    #[serde(default)]
    pub touches: VecDeque<Touch>,
    #[serde(default)]
    pub runs: Vec<Run>,
    #[serde(default)]
    pub gaps: Vec<Gap>,
    #[serde(skip)]
    known: HashMap<Doer, usize>,
    /// By path and doer: how many touches were taken before it.
    #[serde(skip)]
    places: BTreeMap<(Bytes, usize), usize>,
    #[serde(skip)]
    dropped: usize,
}

/// Why a journal is not read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("not a journal: {0}")]
    Json(#[from] serde_json::Error),
    #[error("touch {0} names a doer that is not there")]
    Doer(usize),
    #[error("more than {0} {1}")]
    Many(usize, &'static str),
    #[error("{0} is longer than {1} bytes")]
    Long(&'static str, usize),
}

impl Journal {
    /// Reads what [`Journal::to_json`] wrote; within limits, since another machine may have written it.
    pub fn parse(bytes: &[u8]) -> Result<Journal, JournalError> {
        let mut journal: Journal = serde_json::from_slice(bytes)?;
        for (count, max, what) in [
            (journal.doers.len(), JOURNAL_TOUCHES_MAX, "doers"),
            (journal.touches.len(), JOURNAL_TOUCHES_MAX, "touches"),
            (journal.runs.len(), RUNS_MAX, "runs"),
            (journal.gaps.len(), GAPS_MAX, "gaps"),
        ] {
            if count > max {
                return Err(JournalError::Many(max, what));
            }
        }
        for doer in &journal.doers {
            check_doer(doer)?;
        }
        for (at, touch) in journal.touches.iter().enumerate() {
            if touch.doer >= journal.doers.len() {
                return Err(JournalError::Doer(at));
            }
            if touch.path.0.len() > TEXT_BYTES_MAX {
                return Err(JournalError::Long("a path", TEXT_BYTES_MAX));
            }
        }
        journal.known = journal.doers.iter().cloned().zip(0..).collect();
        journal.places = journal
            .touches
            .iter()
            .zip(0..)
            .map(|(touch, at)| ((touch.path.clone(), touch.doer), at))
            .collect();
        Ok(journal)
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("texts and numbers"))
    }

    pub fn is_empty(&self) -> bool {
        self.touches.is_empty() && self.runs.is_empty() && self.gaps.is_empty()
    }

    /// Adds a touch; a further change of the same file by the same process prolongs the one there.
    pub fn touch(&mut self, path: Bytes, how: How, at: i64, doer: Doer) {
        let number = match self.known.get(&doer) {
            Some(number) => *number,
            None => {
                if self.doers.len() >= JOURNAL_TOUCHES_MAX {
                    return self.gap(at, at, "journal_full");
                }
                self.known.insert(doer.clone(), self.doers.len());
                self.doers.push(doer);
                self.doers.len() - 1
            }
        };
        let key = (path, number);
        let place = self.places.get(&key).and_then(|place| place.checked_sub(self.dropped));
        if let Some(touch) = place.and_then(|place| self.touches.get_mut(place)) {
            touch.how = touch.how.and(how);
            touch.at = touch.at.max(at);
            return;
        }
        if self.touches.len() == JOURNAL_TOUCHES_MAX {
            if let Some(old) = self.touches.pop_front() {
                self.gap(old.at, old.at, "journal_full");
                self.places.remove(&(old.path, old.doer));
            }
            self.dropped += 1;
        }
        self.places.insert(key.clone(), self.dropped + self.touches.len());
        self.touches.push_back(Touch { path: key.0, how, at, doer: number });
    }

    /// Notes time that was not seen; what touches an earlier gap of the same reason prolongs it.
    pub fn gap(&mut self, from: i64, to: i64, why: &str) {
        let is_full = self.gaps.len() == GAPS_MAX;
        let last = self.gaps.iter_mut().rev().find(|gap| gap.why == why);
        match last.filter(|gap| is_full || from <= gap.to.saturating_add(JOINED_US)) {
            Some(gap) => gap.to = gap.to.max(to),
            None if is_full => {}
            None => self.gaps.push(Gap { from, to, why: why.to_owned() }),
        }
    }

    /// Adds runs of the package manager, the newest as far as there is room.
    pub fn ran(&mut self, runs: Vec<Run>) {
        self.runs.extend(runs);
        let more = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..more);
    }
}

fn check_doer(doer: &Doer) -> Result<(), JournalError> {
    let who = doer.who.clone().unwrap_or_default();
    if doer.programs.len() > LIST_MAX || who.chain.len() > LIST_MAX {
        return Err(JournalError::Many(LIST_MAX, "programs of one doer"));
    }
    let texts = [&who.unit, &who.terminal, &who.command, &who.account];
    let lengths = texts.into_iter().flatten().chain(&who.chain).map(String::len);
    if lengths.chain(doer.programs.iter().map(|p| p.0.len())).any(|n| n > TEXT_BYTES_MAX) {
        return Err(JournalError::Long("a text of a doer", TEXT_BYTES_MAX));
    }
    Ok(())
}

/// A command line as people read it, of arguments that each end in a zero byte: secrets cut, 600 characters at
/// most.
pub fn command_line(arguments: &[u8], key: &FingerprintKey) -> String {
    let mut line = Vec::new();
    for argument in arguments.strip_suffix(&[0]).unwrap_or(arguments).split(|byte| *byte == 0) {
        if !line.is_empty() {
            line.push(b' ');
        }
        let plain = |byte: &u8| byte.is_ascii_graphic() && !b"'\"\\$`*?;&|<>()".contains(byte);
        // Bytes beyond ASCII are letters of names as a rule.
        if !argument.is_empty() && argument.iter().all(|byte| plain(byte) || *byte >= 0x80) {
            line.extend_from_slice(argument);
            continue;
        }
        line.push(b'\'');
        line.extend(argument.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        line.push(b'\'');
    }
    let is_path = |part: &[u8]| part.first() == Some(&b'/');
    let cut = Bytes(cut_text(&line, key, false, &is_path).bytes).to_string();
    let mut out = String::new();
    for c in cut.chars().take(COMMAND_CHARS_MAX) {
        let _ = write!(out, "{c}");
    }
    if out.len() < cut.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn doer(pid: u32) -> Doer {
        Doer { source: Source::Fanotify, pid, programs: vec!["/bin/x".into()], who: None }
    }

    #[test]
    fn equal_touches_are_one_and_the_journal_comes_back_as_it_was() {
        let mut journal = Journal::default();
        let write = How::of_mask(fanotify::CLOSE_WRITE);
        journal.touch("/etc/a".into(), How::of_mask(fanotify::CREATE), 1, doer(7));
        journal.touch("/etc/a".into(), write, 5, doer(7));
        journal.touch("/etc/a".into(), write, 6, doer(8));
        assert_eq!(journal.touches.len(), 2);
        assert_eq!(journal.touches[0].how.names(), ["create", "write"]);
        assert_eq!(journal.touches[0].at, 5);
        let again = Journal::parse(journal.to_json().as_bytes()).expect("its own text");
        assert_eq!(again, journal);
    }

    #[test]
    fn a_full_journal_drops_the_oldest_and_says_so() {
        let mut journal = Journal::default();
        for at in 0..JOURNAL_TOUCHES_MAX as i64 + 5 {
            let path = format!("/etc/{at}");
            journal.touch(path.as_str().into(), How::of_mask(fanotify::CREATE), at, doer(7));
        }
        assert_eq!(journal.touches.len(), JOURNAL_TOUCHES_MAX);
        assert_eq!(journal.touches[0].path.to_string(), "/etc/5");
        assert_eq!((journal.gaps[0].from, journal.gaps[0].to), (0, 4));
        // The one at the end is still found and prolonged.
        let last = format!("/etc/{}", JOURNAL_TOUCHES_MAX + 4);
        journal.touch(last.as_str().into(), How::of_mask(fanotify::DELETE), 99_999, doer(7));
        assert_eq!(journal.touches.len(), JOURNAL_TOUCHES_MAX);
    }

    #[test]
    fn a_journal_of_another_machine_is_held_to_its_limits() {
        for (text, expected) in [
            (r#"{"touches":[{"path":"/x","how":[],"at":1,"doer":0}]}"#, "names a doer"),
            (r#"{"touches":[{"path":"/x","how":["eat"],"at":1,"doer":0}]}"#, "eat: no such way"),
            (r#"{"other":1}"#, "unknown field"),
            ("[", "not a journal"),
        ] {
            let error = Journal::parse(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let long = format!(
            r#"{{"doers":[{{"source":"audit","pid":1,"who":{{"command":"{}"}}}}]}}"#,
            "x".repeat(5_000)
        );
        assert!(Journal::parse(long.as_bytes()).is_err());
    }

    #[test]
    fn command_lines_are_readable_and_bear_no_secret() {
        let key = FingerprintKey::new([1; 32]);
        let line = |arguments: &[&str]| {
            let bytes: Vec<u8> =
                arguments.iter().flat_map(|a| [a.as_bytes(), b"\0"].concat()).collect();
            command_line(&bytes, &key)
        };
        assert_eq!(line(&["vim", "/etc/ssh/sshd_config"]), "vim /etc/ssh/sshd_config");
        assert_eq!(line(&["sh", "-c", "echo a > b"]), "sh -c 'echo a > b'");
        for secret in [
            line(&["mysql", "-uroot", "-pgeheim12", "db"]),
            line(&["tool", "--password", "geheim12"]),
            line(&["curl", "https://u:geheim12@h/x"]),
            line(&["sh", "-c", "export DB_PASSWORD=geheim12; run"]),
        ] {
            assert!(!secret.contains("geheim12"), "{secret}");
        }
        assert_eq!(line(&[&"x".repeat(2_000)]).chars().count(), COMMAND_CHARS_MAX + 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_panic(bytes: Vec<u8>) {
            let _ = Journal::parse(&bytes);
            let _ = command_line(&bytes, &FingerprintKey::new([1; 32]));
        }
    }
}
