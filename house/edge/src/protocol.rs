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
}

#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// Highest sequence of a line that is here.
    pub events: u64,
    /// Highest sequence of a record that is here.
    pub records: u64,
    /// SHA-256 of the rules.
    pub rules: String,
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
const RULES_HEADER: &str = "ume.rules/v1";

/// The text of a rules note: header, serial, root, and the canonical JSON of the rules.
pub fn rules_text(serial: u64, rules: &str) -> String {
    format!("{RULES_HEADER}\n{serial}\n{}\n{rules}\n", crate::fingerprint(rules.as_bytes()))
}

/// Rules that were verified.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    pub serial: u64,
    pub root: String,
    pub rules: String,
}

/// Verifies a rules note under the key and against its own root.
pub fn open_rules(note: &[u8], key: &str) -> crate::Result<Rules> {
    let wrong = |what: String| crate::EdgeError::Rules(what);
    let key = merkle::VerifierKey::parse(key).map_err(|e| wrong(e.to_string()))?;
    let (note, _) = merkle::SignedNote::open(note, &[key]).map_err(|e| wrong(e.to_string()))?;
    let lines: Vec<&str> = note.text().lines().collect();
    let [RULES_HEADER, serial, root, rules] = lines[..] else {
        return Err(wrong("not a rules note".to_owned()));
    };
    if crate::fingerprint(rules.as_bytes()) != root {
        return Err(wrong("the root does not fit the rules".to_owned()));
    }
    let serial = serial.parse().map_err(|_| wrong(format!("{serial:?} is no serial")))?;
    Ok(Rules { serial, root: root.to_owned(), rules: rules.to_owned() })
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
    fn rules_count_only_as_the_ledger_signed_them() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::Ledger::open(folder.path(), "ume.test/rules").unwrap();
        let note = ledger.sign(&rules_text(3, "{}")).unwrap();
        let key = ledger.verifier_key();
        assert_eq!(open_rules(note.as_bytes(), &key).unwrap().serial, 3);
        for (from, to) in [("{}", "{ }"), ("\n3\n", "\n4\n"), ("ume.rules", "ume.other")] {
            assert!(open_rules(note.replacen(from, to, 1).as_bytes(), &key).is_err(), "{to}");
        }
        let other = tempfile::tempdir().unwrap();
        let other = ledger::Ledger::open(other.path(), "ume.test/rules").unwrap();
        assert!(open_rules(note.as_bytes(), &other.verifier_key()).is_err());
        // What begins with the ledger's name could pass for a checkpoint.
        assert!(ledger.sign("ume.test/rules\n0\n").is_err());
    }
}
