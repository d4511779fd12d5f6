//! What agents and centre say to each other: JSON over HTTPS, all below `/agent/v1/`.
//!
//! | request | does |
//! |---|---|
//! | `POST enrol` | token and signing request → certificate; the only one without a certificate |
//! | `POST state` | "I am here", with clock, counts and the rules at work → what the centre has of this agent, root of the rules it should work by |
//! | `POST records` | typed records with sequences; each is taken once |
//! | `POST events` | raw lines with sequences; each is taken once |
//! | `GET rules` | the rules to work by, a C2SP note signed with the ledger's key |
//! | `POST renew` | a new certificate |
//!
//! Refusals are problem details (RFC 9457). 429 and 503 carry `Retry-After` and mean "the same again
//! later"; 401 and 403 mean "never again with this certificate".

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Largest body of any request.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Most lines of one request.
pub const LINES_MAX: usize = 5_000;
/// Most records of one request.
pub const RECORDS_MAX: usize = 50;
/// About the most bytes of raw lines an agent sends at once; base64 and JSON come on top.
pub const LINE_BYTES_MAX: usize = 4 << 20;
/// Largest payload of one record.
pub const PAYLOAD_BYTES_MAX: usize = 12 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    pub token: String,
    /// PKCS #10 in PEM form, ECDSA P-256.
    pub request: String,
}

#[derive(Serialize, Deserialize)]
pub struct Enrolled {
    pub agent: String,
    pub name: String,
    pub certificate: String,
    /// Verifier key of the ledger, which also signs the rules.
    pub ledger: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    pub request: String,
}

#[derive(Serialize, Deserialize)]
pub struct Renewed {
    pub certificate: String,
}

/// How it stands with the agent. The counts, by source, are of lines that never can be delivered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub version: String,
    /// The agent's clock, microseconds since 1970.
    pub clock: i64,
    /// Root and serial of the rules at work; empty while there are none.
    pub rules: String,
    pub rules_serial: u64,
    /// Bytes of lines that wait in its spool.
    pub pending_bytes: u64,
    pub refused: BTreeMap<String, u64>,
    pub lost: BTreeMap<String, u64>,
    /// Files of the rules that this host does not open, with a word for the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub denied: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// Highest sequence of a line that is here.
    pub events: u64,
    /// Highest sequence of a record that is here.
    pub records: u64,
    /// SHA-256 of the rules.
    pub rules: String,
    #[serde(default)]
    pub rules_serial: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireRecord {
    pub sequence: u64,
    #[serde(rename = "type")]
    pub ty: String,
    /// Microseconds since 1970.
    pub observed_from: i64,
    pub observed_to: i64,
    pub facts: Map<String, Json>,
    pub payload: Option<String>,
}

impl WireRecord {
    /// When it was observed; what lies in the centre's future is drawn back to `now`.
    pub fn observed(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let to = Timestamp(self.observed_to.min(now.0));
        (Timestamp(self.observed_from.min(to.0)), to)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    pub records: Vec<WireRecord>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RecordsAck {
    pub taken_to: u64,
    /// Sequence and reason of those that the centre will never take.
    pub refused: BTreeMap<u64, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireLine {
    pub sequence: u64,
    /// The agent's name of the file or journal.
    pub file: String,
    pub format: WireFormat,
    #[serde(default)]
    pub part: u16,
    /// Base64: a line need not be text.
    pub bytes: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireFormat {
    Auto,
    Syslog,
    Dpkg,
    AptHistory,
    Journal,
    Json,
    Plain,
    JournalExport,
    Otlp,
}

impl From<stream::Format> for WireFormat {
    fn from(format: stream::Format) -> WireFormat {
        match format {
            stream::Format::Auto => WireFormat::Auto,
            stream::Format::Syslog => WireFormat::Syslog,
            stream::Format::Dpkg => WireFormat::Dpkg,
            stream::Format::AptHistory => WireFormat::AptHistory,
            stream::Format::Journal => WireFormat::Journal,
            stream::Format::Json => WireFormat::Json,
            stream::Format::Plain => WireFormat::Plain,
            stream::Format::JournalExport => WireFormat::JournalExport,
            stream::Format::Otlp => WireFormat::Otlp,
        }
    }
}

impl From<WireFormat> for stream::Format {
    fn from(format: WireFormat) -> stream::Format {
        match format {
            WireFormat::Auto => stream::Format::Auto,
            WireFormat::Syslog => stream::Format::Syslog,
            WireFormat::Dpkg => stream::Format::Dpkg,
            WireFormat::AptHistory => stream::Format::AptHistory,
            WireFormat::Journal => stream::Format::Journal,
            WireFormat::Json => stream::Format::Json,
            WireFormat::Plain => stream::Format::Plain,
            WireFormat::JournalExport => stream::Format::JournalExport,
            WireFormat::Otlp => stream::Format::Otlp,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    pub lines: Vec<WireLine>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct EventsAck {
    pub taken_to: u64,
    pub stored: u64,
    pub known: u64,
}

/// First line of a rules note; no checkpoint begins so, and one key signs both.
const RULES_HEADER: &str = "ume.rules/v2";

/// The text of a rules note: header, agent, serial, end in microseconds since 1970, root, and the
/// canonical JSON of the rules.
pub fn rules_text(agent: &str, serial: u64, until: Timestamp, rules: &str) -> String {
    let root = crate::fingerprint(rules.as_bytes());
    format!("{RULES_HEADER}\n{agent}\n{serial}\n{}\n{root}\n{rules}\n", until.0)
}

/// Rules that were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub agent: String,
    pub serial: u64,
    /// They are taken over until then; at work they stay.
    pub until: Timestamp,
    pub root: String,
    pub rules: Json,
}

/// Verifies a rules note under the key and against its own root.
pub fn open_rules(note: &[u8], key: &str) -> crate::Result<Rules> {
    let wrong = |what: String| crate::EdgeError::Rules(what);
    let key = merkle::VerifierKey::parse(key).map_err(|e| wrong(e.to_string()))?;
    let (note, _) = merkle::SignedNote::open(note, &[key]).map_err(|e| wrong(e.to_string()))?;
    let lines: Vec<&str> = note.text().lines().collect();
    let [RULES_HEADER, agent, serial, until, root, rules] = lines[..] else {
        return Err(wrong("not a rules note".to_owned()));
    };
    if crate::fingerprint(rules.as_bytes()) != root {
        return Err(wrong("the root does not fit the rules".to_owned()));
    }
    let serial = serial.parse().map_err(|_| wrong(format!("{serial:?} is no serial")))?;
    let until = until.parse().map_err(|_| wrong(format!("{until:?} is no time")))?;
    let rules = serde_json::from_str(rules).map_err(|e| wrong(e.to_string()))?;
    let (agent, root) = (agent.to_owned(), root.to_owned());
    Ok(Rules { agent, serial, until: Timestamp(until), root, rules })
}

/// What an agent has, against which a note that comes is held.
pub struct Have<'a> {
    pub key: &'a str,
    pub agent: &'a str,
    pub serial: u64,
    pub root: &'a str,
}

/// Verifies a note that comes and takes it only if it is for this agent, has not ended, and is no
/// older than what the agent has: of the same serial only the same rules, with a later end.
pub fn accept_rules(note: &[u8], have: &Have, now: Timestamp) -> crate::Result<Rules> {
    let wrong = |what: String| Err(crate::EdgeError::Rules(what));
    let rules = open_rules(note, have.key)?;
    if rules.agent != have.agent {
        return wrong(format!("they are for the agent {}", rules.agent));
    }
    if rules.until <= now {
        return wrong(format!("they ended at {}", rules.until.rfc3339()));
    }
    let same = rules.serial == have.serial && (rules.root == have.root || have.root.is_empty());
    if rules.serial > have.serial || same {
        return Ok(rules);
    }
    wrong(format!("serial {} does not follow ours, {}", rules.serial, have.serial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_puts_nothing_into_the_future() {
        let now = Timestamp(1_000);
        let record = |from, to| WireRecord {
            sequence: 1,
            ty: String::new(),
            observed_from: from,
            observed_to: to,
            facts: Map::new(),
            payload: None,
        };
        assert_eq!(record(10, 20).observed(now), (Timestamp(10), Timestamp(20)));
        assert_eq!(record(10, 5_000).observed(now), (Timestamp(10), now));
        assert_eq!(record(4_000, 5_000).observed(now), (now, now));
        assert_eq!(record(900, 20).observed(now), (Timestamp(20), Timestamp(20)));
    }

    #[test]
    fn rules_count_only_as_the_ledger_signed_them_for_this_agent_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::Ledger::open(folder.path(), "ume.test/rules").unwrap();
        let (key, until) = (ledger.verifier_key(), Timestamp(1_000));
        let note = |serial, rules: &str| {
            ledger.sign(&rules_text("a-1", serial, until, rules)).unwrap().into_bytes()
        };
        let root = crate::fingerprint(b"{}");
        let have = |serial, root| Have { key: &key, agent: "a-1", serial, root };
        let accept = |note: &[u8], have: &Have, now| accept_rules(note, have, Timestamp(now));
        let three = note(3, "{}");
        assert_eq!(accept(&three, &have(2, "other"), 999).unwrap().serial, 3);
        assert!(accept(&three, &have(3, &root), 999).is_ok());
        // Rolled back, the same number with other rules, ended, for somebody else.
        assert!(accept(&three, &have(4, &root), 999).is_err());
        assert!(accept(&note(3, "[]"), &have(3, &root), 999).is_err());
        assert!(accept(&three, &have(2, "other"), 1_000).is_err());
        assert!(accept(&three, &Have { agent: "a-2", ..have(2, "other") }, 999).is_err());
        let text = String::from_utf8(three).unwrap();
        for (from, to) in [
            ("{}", "{ }"),
            ("\n3\n", "\n4\n"),
            ("\n1000\n", "\n9000\n"),
            ("a-1", "a-2"),
            ("ume.rules", "ume.other"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(changed != text && open_rules(changed.as_bytes(), &key).is_err(), "{to}");
        }
        let other = tempfile::tempdir().unwrap();
        let other = ledger::Ledger::open(other.path(), "ume.test/rules").unwrap();
        assert!(open_rules(text.as_bytes(), &other.verifier_key()).is_err());
        // What begins with the ledger's name could pass for a checkpoint.
        assert!(ledger.sign("ume.test/rules\n0\n").is_err());
    }
}
