//! Who outside sees this ledger, and whose ledgers are seen here: witnesses that cosign our checkpoints,
//! authorities that time-stamp them, logs that we cosign.
//!
//! One setting of the store, so that backup and move carry it. Nothing in it is secret. Limit: [`PEERS_MAX`]
//! of each kind.

use std::collections::BTreeMap;

use merkle::{KeyKind, VerifierKey, WitnessedLog};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};
use timestamp::{Anchors, StampError};

/// Most witnesses, most authorities, most logs.
pub const PEERS_MAX: usize = 32;
/// How often a witness is asked at most, and an authority by default.
pub const WITNESS_SECONDS: u32 = 60;
pub const AUTHORITY_SECONDS: u32 = 6 * 3_600;
/// Beyond this a silent witness would be noticed too late for a day's freshness.
const SECONDS_MAX: u32 = 12 * 3_600;

const SETTING: &str = "ledger_outside";
const URL_BYTES_MAX: usize = 500;
const NAME_BYTES_MAX: usize = 32;
const PEM_BYTES_MAX: usize = 64 * 1024;

/// Everyone outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    #[serde(default)]
    pub witnesses: Vec<Witness>,
    #[serde(default)]
    pub authorities: Vec<Authority>,
    #[serde(default)]
    pub logs: Vec<Log>,
}

/// A witness of our checkpoints (c2sp.org/tlog-witness).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Submission prefix: `add-checkpoint` is put behind it.
    pub url: String,
    /// Its cosigner key, type 0x04, in C2SP text form.
    pub vkey: String,
    /// Shortest time between two requests.
    pub every_s: u32,
}

/// A time-stamping authority (RFC 3161).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Short name of ours for it, also of its folder.
    pub name: String,
    pub url: String,
    /// Certificates a path from its own must end at.
    pub anchors: String,
    pub every_s: u32,
}

/// A log that we cosign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// First line of its checkpoints.
    pub origin: String,
    /// Its keys, type 0x01; more than one while it rotates.
    pub vkeys: Vec<String>,
}

/// One change of the setting, as page and command line ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    WitnessAdd { url: String, vkey: String, every_s: u32 },
    WitnessRemove { name: String },
    AuthorityAdd { name: String, url: String, anchors: String, every_s: u32 },
    AuthorityRemove { name: String },
    LogAdd { origin: Option<String>, vkey: String },
    LogRemove { origin: String },
}

impl Change {
    /// Its name in records.
    pub fn name(&self) -> &'static str {
        match self {
            Change::WitnessAdd { .. } => "witness_add",
            Change::WitnessRemove { .. } => "witness_remove",
            Change::AuthorityAdd { .. } => "authority_add",
            Change::AuthorityRemove { .. } => "authority_remove",
            Change::LogAdd { .. } => "log_add",
            Change::LogRemove { .. } => "log_remove",
        }
    }
}

/// Why a peer is not reached, and since when; who is well stands nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles(pub BTreeMap<String, Trouble>);

/// One peer's trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When it began, in microseconds.
    pub since_us: i64,
    pub said: String,
}

impl Troubles {
    const SETTING: &str = "ledger_outside_troubles";

    /// As they stand.
    pub async fn load(store: &Store) -> Result<Troubles, OutsideError> {
        match store.setting(Troubles::SETTING).await? {
            Some(text) => Ok(serde_json::from_str(&text)?),
            None => Ok(Troubles::default()),
        }
    }

    /// Keeps them.
    pub async fn save(&self, store: &Store) -> Result<(), OutsideError> {
        Ok(store.set_setting(Troubles::SETTING, &serde_json::to_string(self)?).await?)
    }
}

/// Why a peer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    #[error("key: {0}")]
    Key(#[from] merkle::NoteError),
    #[error("a witness has a key of type 0x04, a log one of type 0x01; this one is the other")]
    KeyType,
    #[error("{0} is this ledger's own key: nobody is a witness of themselves")]
    Own(String),
    #[error("{0:?} is not an address: give http:// or https://, a host, and perhaps port and path")]
    Url(String),
    #[error("{0:?} is not a name: 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -")]
    Name(String),
    #[error("trust anchors: {0}")]
    Anchors(#[from] StampError),
    #[error("{0} seconds: give 1 to {SECONDS_MAX}")]
    Seconds(u32),
    #[error("{0} is there already: remove it first")]
    There(String),
    #[error("there is no {0}")]
    Missing(String),
    #[error("{PEERS_MAX} are there already")]
    Many,
    #[error("the ledger's own keys: {0}")]
    Keys(String),
    #[error("the setting {SETTING} cannot be read: {0}")]
    Setting(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Witness {
    /// Its key, read when it was added.
    pub fn key(&self) -> Result<VerifierKey, OutsideError> {
        Ok(VerifierKey::parse(&self.vkey)?)
    }

    /// The address of its one service.
    pub fn address(&self) -> String {
        format!("{}/add-checkpoint", self.url)
    }
}

impl Log {
    /// As the decision of a witness takes it.
    pub fn witnessed(&self) -> Result<WitnessedLog, OutsideError> {
        let keys = self.vkeys.iter().map(|key| VerifierKey::parse(key));
        Ok(WitnessedLog { origin: self.origin.clone(), keys: keys.collect::<Result<_, _>>()? })
    }
}

impl Outside {
    /// As it is set.
    pub async fn load(store: &Store) -> Result<Outside, OutsideError> {
        match store.setting(SETTING).await? {
            Some(text) => Ok(serde_json::from_str(&text)?),
            None => Ok(Outside::default()),
        }
    }

    /// Keeps it.
    pub async fn save(&self, store: &Store) -> Result<(), OutsideError> {
        Ok(store.set_setting(SETTING, &serde_json::to_string(self)?).await?)
    }

    /// Makes one change and gives the name of whom it is about; `own` are our own keys.
    pub fn apply(&mut self, change: &Change, own: &[VerifierKey]) -> Result<String, OutsideError> {
        match change {
            Change::WitnessAdd { url, vkey, every_s } => {
                Ok(self.add_witness(url, vkey, *every_s, own)?.name().to_owned())
            }
            Change::WitnessRemove { name } => self.remove_witness(name).map(|()| name.clone()),
            Change::AuthorityAdd { name, url, anchors, every_s } => {
                self.add_authority(name, url, anchors, *every_s).map(|()| name.clone())
            }
            Change::AuthorityRemove { name } => self.remove_authority(name).map(|()| name.clone()),
            Change::LogAdd { origin, vkey } => self.add_log(origin.as_deref(), vkey, own),
            Change::LogRemove { origin } => self.remove_log(origin).map(|()| origin.clone()),
        }
    }

    /// Adds a witness; `own` is the key of this ledger and that of its own witness.
    pub fn add_witness(
        &mut self,
        url: &str,
        vkey: &str,
        every_s: u32,
        own: &[VerifierKey],
    ) -> Result<VerifierKey, OutsideError> {
        let key = peer_key(vkey, KeyKind::CosignatureV1, own)?;
        seconds(every_s)?;
        let url = address(url)?;
        if self.witnesses.iter().any(|w| w.vkey == key.to_string() || same_name(&w.vkey, &key)) {
            return Err(OutsideError::There(key.name().to_owned()));
        }
        room(self.witnesses.len())?;
        self.witnesses.push(Witness { url, vkey: key.to_string(), every_s });
        Ok(key)
    }

    /// Removes a witness by the name of its key. What it cosigned is kept.
    pub fn remove_witness(&mut self, name: &str) -> Result<(), OutsideError> {
        let before = self.witnesses.len();
        self.witnesses.retain(|w| w.key().is_ok_and(|key| key.name() != name));
        gone(before, self.witnesses.len(), name)
    }

    /// Adds a log. A second key for the same origin joins the first.
    pub fn add_log(
        &mut self,
        origin: Option<&str>,
        vkey: &str,
        own: &[VerifierKey],
    ) -> Result<String, OutsideError> {
        let key = peer_key(vkey, KeyKind::Ed25519, own)?;
        let origin = origin.unwrap_or(key.name()).to_owned();
        // The origin must be able to stand in a checkpoint.
        merkle::Checkpoint::new(&origin, 0, merkle::empty_root())?;
        let vkey = key.to_string();
        match self.logs.iter_mut().find(|log| log.origin == origin) {
            Some(log) if log.vkeys.contains(&vkey) => return Err(OutsideError::There(origin)),
            Some(log) => {
                room(log.vkeys.len())?;
                log.vkeys.push(vkey);
            }
            None => {
                room(self.logs.len())?;
                self.logs.push(Log { origin: origin.clone(), vkeys: vec![vkey] });
            }
        }
        Ok(origin)
    }

    /// Removes a log. How far it was cosigned is remembered all the same: else it could be made to
    /// forget by removing and adding it.
    pub fn remove_log(&mut self, origin: &str) -> Result<(), OutsideError> {
        let before = self.logs.len();
        self.logs.retain(|log| log.origin != origin);
        gone(before, self.logs.len(), origin)
    }

    /// Adds an authority.
    pub fn add_authority(
        &mut self,
        name: &str,
        url: &str,
        anchors: &str,
        every_s: u32,
    ) -> Result<(), OutsideError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(good) {
            return Err(OutsideError::Name(name.to_owned()));
        }
        if anchors.len() > PEM_BYTES_MAX {
            let what = "file of trust anchors";
            return Err(StampError::TooLarge { what, limit: PEM_BYTES_MAX }.into());
        }
        Anchors::from_pem(anchors)?;
        seconds(every_s)?;
        let url = address(url)?;
        if self.authorities.iter().any(|a| a.name == name) {
            return Err(OutsideError::There(name.to_owned()));
        }
        room(self.authorities.len())?;
        let (name, anchors) = (name.to_owned(), anchors.to_owned());
        self.authorities.push(Authority { name, url, anchors, every_s });
        Ok(())
    }

    /// Removes an authority. Its stamps are kept.
    pub fn remove_authority(&mut self, name: &str) -> Result<(), OutsideError> {
        let before = self.authorities.len();
        self.authorities.retain(|a| a.name != name);
        gone(before, self.authorities.len(), name)
    }
}

fn peer_key(text: &str, kind: KeyKind, own: &[VerifierKey]) -> Result<VerifierKey, OutsideError> {
    let key = VerifierKey::parse(text.trim())?;
    if own.iter().any(|own| own.public() == key.public()) {
        return Err(OutsideError::Own(key.name().to_owned()));
    }
    if key.kind() == kind { Ok(key) } else { Err(OutsideError::KeyType) }
}

fn same_name(vkey: &str, key: &VerifierKey) -> bool {
    VerifierKey::parse(vkey).is_ok_and(|other| other.name() == key.name())
}

/// An address without what does not belong into one; without its last slash.
fn address(url: &str) -> Result<String, OutsideError> {
    let bad = || OutsideError::Url(url.chars().take(URL_BYTES_MAX).collect());
    let url = url.trim().trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.ok_or_else(bad)?.split('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !"?#@\\\"<>".contains(c);
    if host.is_empty() || url.len() > URL_BYTES_MAX || !url.chars().all(plain) {
        return Err(bad());
    }
    Ok(url.to_owned())
}

fn seconds(every_s: u32) -> Result<(), OutsideError> {
    if (1..=SECONDS_MAX).contains(&every_s) { Ok(()) } else { Err(OutsideError::Seconds(every_s)) }
}

fn room(count: usize) -> Result<(), OutsideError> {
    if count < PEERS_MAX { Ok(()) } else { Err(OutsideError::Many) }
}

fn gone(before: usize, after: usize, name: &str) -> Result<(), OutsideError> {
    if after < before { Ok(()) } else { Err(OutsideError::Missing(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use merkle::Signer;

    fn signer(name: &str, seed: u8) -> Signer {
        Signer::from_seed(name, &[seed; 32]).unwrap()
    }

    #[test]
    fn a_witness_needs_a_key_of_its_kind_and_is_not_oneself() {
        let (own, other) = (signer("own", 1), signer("other", 2));
        let own_keys = [own.verifier_key(), own.cosigner_key()];
        let mut outside = Outside::default();
        let mut add = |url: &str, key: &VerifierKey, every| {
            outside.add_witness(url, &key.to_string(), every, &own_keys)
        };
        let url = "https://witness.example/witness/";
        assert!(matches!(add(url, &own.cosigner_key(), 60), Err(OutsideError::Own(_))));
        assert!(matches!(add(url, &other.verifier_key(), 60), Err(OutsideError::KeyType)));
        assert!(matches!(add(url, &other.cosigner_key(), 0), Err(OutsideError::Seconds(0))));
        for bad in ["", "ftp://a", "https://", "https://a b", "https://u@h", "https://h/?q", "//h"]
        {
            assert!(
                matches!(add(bad, &other.cosigner_key(), 60), Err(OutsideError::Url(_))),
                "{bad}"
            );
        }
        assert_eq!(add(url, &other.cosigner_key(), 60).unwrap().name(), "other");
        assert!(matches!(add(url, &other.cosigner_key(), 60), Err(OutsideError::There(_))));
        // A name stands for one witness: the page and the commands go by it.
        let twin = signer("other", 3).cosigner_key();
        assert!(matches!(add(url, &twin, 60), Err(OutsideError::There(_))));
        assert_eq!(
            outside.witnesses[0].address(),
            "https://witness.example/witness/add-checkpoint"
        );
        assert!(matches!(outside.remove_witness("nobody"), Err(OutsideError::Missing(_))));
        outside.remove_witness("other").unwrap();
        assert!(outside.witnesses.is_empty());
    }

    #[test]
    fn a_log_may_have_several_keys_while_it_rotates() {
        let (old, new) = (signer("log", 1), signer("log", 2));
        let mut outside = Outside::default();
        let mut add = |key: &Signer| outside.add_log(None, &key.verifier_key().to_string(), &[]);
        assert_eq!(add(&old).unwrap(), "log");
        assert!(matches!(add(&old), Err(OutsideError::There(_))));
        add(&new).unwrap();
        let log = outside.logs[0].witnessed().unwrap();
        assert_eq!(log.keys, [old.verifier_key(), new.verifier_key()]);
    }

    #[test]
    fn an_authority_needs_an_anchor_and_a_name() {
        let pem = include_str!("../../../engines/timestamp/tests/anchor.pem");
        let mut outside = Outside::default();
        let url = "http://tsa.example";
        for bad in ["", "Tsa", "a/b", "..", &"a".repeat(33)] {
            let added = outside.add_authority(bad, url, pem, 60);
            assert!(matches!(added, Err(OutsideError::Name(_))), "{bad}");
        }
        assert!(matches!(outside.add_authority("a", url, "", 60), Err(OutsideError::Anchors(_))));
        outside.add_authority("a", url, pem, 60).unwrap();
        assert!(matches!(outside.add_authority("a", url, pem, 60), Err(OutsideError::There(_))));
        let text = serde_json::to_string(&outside).unwrap();
        assert_eq!(serde_json::from_str::<Outside>(&text).unwrap(), outside);
    }
}
