//! What a verifier found, carried back to the ledger that issued the bundle.
//!
//! How far it can be trusted. A verdict is a file, and a file can be typed. So:
//! - it is taken only for a bundle that this ledger issued and recorded, under this ledger's key, and
//!   once;
//! - it says on which installation the verifier ran, as a hash of that machine's id salted with the
//!   bundle's; the ledger computes the same for its own machine, and "off the server" is recorded only
//!   if the two differ. A copy of this machine under another id is not recognised;
//! - signed with a key of the verifier it counts as imported: whoever holds that key can be asked, and
//!   can deny. Unsigned it counts as attested, which shows nothing above 梅.
//!
//! Host and machine may name a person's computer: they go into the payload, not into the leaf.

use std::fs;

use merkle::{KeyKind, NoteSignature, SignedNote, VerifierKey};
use model::{Assurance, Id, Lang, Timestamp, canonical};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Store, StoreError};

use super::{ISSUED, judge::Report, manifest::hash};

/// Name of the form.
pub const FORMAT: &str = "ume.bundle-verdict/v1";
/// Type of the record.
pub const VERIFIED: &str = "isms.bundle_verified";
/// Largest verdict that is taken.
pub const BYTES_MAX: usize = 4 << 20;
/// Bundles issued, and verdicts taken, that are looked through.
const RECENT: usize = 10_000;
/// How far the verifier's clock may be off.
const CLOCK_HOURS: i64 = 24;

/// Where and when a verifier runs.
pub struct Place {
    pub host: String,
    /// Content of the machine's id file; `None` where there is none.
    pub machine_id: Option<String>,
    pub at: Timestamp,
}

impl Place {
    /// This machine.
    pub fn here(at: Timestamp) -> Place {
        let read = |path: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            Some(text.trim().to_owned()).filter(|t| !t.is_empty())
        };
        let id = read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id"));
        let host = read("/proc/sys/kernel/hostname").unwrap_or_default();
        Place { host, machine_id: id, at }
    }

    /// Tells one machine from another for one bundle, and nothing about it beyond.
    fn mark(&self, bundle_hash: &str) -> Option<String> {
        let id = self.machine_id.as_ref()?;
        Some(hash(format!("ume/machine/v1\n{bundle_hash}\n{id}").as_bytes()))
    }
}

/// The verdict on a bundle.
pub fn of(report: &Report, place: &Place, lang: Lang) -> Json {
    let manifest = report.manifest.as_ref();
    let faults: Vec<Json> = report
        .faults
        .iter()
        .map(|f| json!({"class": f.class, "place": f.place, "what": f.what.get(lang)}))
        .collect();
    json!({
        "format": FORMAT,
        "bundle_hash": report.bundle_hash,
        "origin": manifest.map(|m| &m.origin),
        "scope": manifest.map(|m| &m.scope),
        "as_of": manifest.map(|m| &m.as_of),
        "checkpoint": manifest.map(|m| &m.checkpoint),
        "key": report.key,
        "key_compared": report.key_compared,
        "checked": {
            "files": report.files, "leaves": report.leaves, "contents": report.contents,
            "soa_leaves": report.pointed, "cosignatures": report.cosignatures,
        },
        "withheld": report.withheld,
        "shredded": report.shredded,
        "timestamps_not_judged": report.timestamps,
        "failed": report.faults.len(),
        "faults": faults,
        "verifier": {
            "program": concat!("ume ", env!("CARGO_PKG_VERSION")),
            "host": place.host,
            "machine": place.mark(&report.bundle_hash),
            "at": place.at.rfc3339(),
        },
    })
}

/// Adds the verifier's signature: over the canonical text without it, closed by a newline.
pub fn sign(verdict: &mut Json, signer: &merkle::Signer) -> Result<(), VerdictError> {
    let mut note = SignedNote::new(&text_of(verdict)?).map_err(|_| VerdictError::Form)?;
    note.sign(signer).map_err(|_| VerdictError::Form)?;
    let line = note.signatures().first().map(NoteSignature::to_string).unwrap_or_default();
    verdict["signature"] = json!({"vkey": signer.verifier_key().to_string(), "line": line});
    Ok(())
}

fn text_of(verdict: &Json) -> Result<String, VerdictError> {
    let text = canonical::to_string(verdict).map_err(|_| VerdictError::Form)?;
    Ok(format!("{text}\n"))
}

/// Why a verdict is not taken.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    #[error("no verdict of `ume verify bundle --format json`")]
    Form,
    #[error("the verifier's signature does not hold")]
    Signature,
    #[error("signed with this ledger's own key: the verifier needs one of their own")]
    OwnKey,
    #[error("this ledger issued no such bundle")]
    NotIssued,
    #[error("the bundle that was verified bears another key than this ledger's")]
    OtherKey,
    #[error("verified before the bundle was issued, or in the future")]
    Time,
    #[error("this verdict was taken already")]
    Known,
    #[error("there is no party {0}")]
    Party(Id),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VerdictError {
    /// The same for a Japanese reader.
    pub fn ja(&self) -> String {
        match self {
            VerdictError::Form => {
                "ume verify bundle --format json の出力ではありません。".to_owned()
            }
            VerdictError::Signature => "検証者の署名が有効ではありません。".to_owned(),
            VerdictError::OwnKey => {
                "この証跡自身の鍵で署名されています。検証者の鍵が必要です。".to_owned()
            }
            VerdictError::NotIssued => {
                "この証跡から発行した監査バンドルではありません。".to_owned()
            }
            VerdictError::OtherKey => {
                "検証された監査バンドルの鍵が、この証跡の鍵と違います。".to_owned()
            }
            VerdictError::Time => "検証の日時が、発行より前か未来になっています。".to_owned(),
            VerdictError::Known => "この検証結果は取り込み済みです。".to_owned(),
            VerdictError::Party(id) => format!("{id}という関係者は登録されていません。"),
            VerdictError::Store(error) => error.to_string(),
        }
    }
}

/// A verdict that was read, with the key that signed it.
struct Read {
    bundle_hash: String,
    key: String,
    machine: Option<String>,
    at: Timestamp,
    proofs: u64,
    failed: u64,
    signer: Option<VerifierKey>,
}

fn read(verdict: &Json) -> Result<Read, VerdictError> {
    let form = || VerdictError::Form;
    let mut bare = verdict.clone();
    let members = bare.as_object_mut().ok_or_else(form)?;
    let signature = members.remove("signature");
    let text = |pointer: &str| bare.pointer(pointer).and_then(Json::as_str);
    let number = |pointer: &str| bare.pointer(pointer).and_then(Json::as_u64);
    if text("/format") != Some(FORMAT) {
        return Err(form());
    }
    let faults = bare.get("faults").and_then(Json::as_array).ok_or_else(form)?.len() as u64;
    let failed = number("/failed").filter(|failed| *failed == faults).ok_or_else(form)?;
    let signer = signature.map(|signature| verify(&bare, &signature)).transpose()?;
    Ok(Read {
        bundle_hash: text("/bundle_hash").ok_or_else(form)?.to_owned(),
        key: text("/key").unwrap_or_default().to_owned(),
        machine: text("/verifier/machine").map(str::to_owned),
        at: text("/verifier/at").and_then(Timestamp::parse).ok_or_else(form)?,
        proofs: number("/checked/leaves").ok_or_else(form)?,
        failed,
        signer,
    })
}

fn verify(bare: &Json, signature: &Json) -> Result<VerifierKey, VerdictError> {
    let wrong = || VerdictError::Signature;
    let text = |name: &str| signature.get(name).and_then(Json::as_str).ok_or_else(wrong);
    let key = VerifierKey::parse(text("vkey")?).map_err(|_| wrong())?;
    if key.kind() != KeyKind::Ed25519 {
        return Err(wrong());
    }
    let mut note = SignedNote::new(&text_of(bare)?).map_err(|_| wrong())?;
    note.push(NoteSignature::parse(text("line")?).map_err(|_| wrong())?).map_err(|_| wrong())?;
    note.verify(std::slice::from_ref(&key)).map_err(|_| wrong())?;
    Ok(key)
}

/// Takes a verdict in as a record. `own_key` is this ledger's, `here` the machine it runs on.
pub async fn take(
    store: &Store,
    verdict: &Json,
    verifier: Option<Id>,
    own_key: &str,
    here: &Place,
    actor: &str,
) -> Result<Record, VerdictError> {
    let read = read(verdict)?;
    let issued = store.newest_records(&[ISSUED], None, RECENT).await?;
    let of =
        |r: &&Record| r.facts.get("file_hash").and_then(Json::as_str) == Some(&read.bundle_hash);
    let issued = issued.iter().find(of).ok_or(VerdictError::NotIssued)?;
    if read.key != own_key {
        return Err(VerdictError::OtherKey);
    }
    if read.signer.as_ref().is_some_and(|key| key.to_string() == own_key) {
        return Err(VerdictError::OwnKey);
    }
    let now = store.now();
    let after = issued.received_at.minus_hours(CLOCK_HOURS);
    if read.at < after || read.at > now.plus_hours(CLOCK_HOURS) {
        return Err(VerdictError::Time);
    }
    if let Some(id) = verifier
        && store.row(model::Table::Party, id).await?.is_none_or(|row| row.deleted)
    {
        return Err(VerdictError::Party(id));
    }
    let text = text_of(verdict)?;
    let verdict_hash = hash(text.as_bytes());
    let known = store.newest_records(&[VERIFIED], None, RECENT).await?;
    if known.iter().any(|r| r.facts.get("verdict_hash") == Some(&json!(verdict_hash))) {
        return Err(VerdictError::Known);
    }
    let mine = here.mark(&read.bundle_hash);
    // Who does not say where it ran has not shown that it ran elsewhere.
    let off_server = matches!((&read.machine, &mine), (Some(there), Some(mine)) if there != mine);
    let mut facts = Map::new();
    facts.insert("scope".into(), "organisation".into());
    facts.insert("bundle_hash".into(), read.bundle_hash.into());
    facts.insert("off_server".into(), off_server.into());
    facts.insert("proofs".into(), read.proofs.into());
    facts.insert("failed".into(), read.failed.into());
    facts.insert("verdict_hash".into(), verdict_hash.into());
    if let Some(id) = verifier {
        facts.insert("verifier".into(), id.to_string().into());
    }
    if let Some(key) = &read.signer {
        facts.insert("key_hash".into(), hash(key.to_string().as_bytes()).into());
    }
    let signed = read.signer.is_some();
    let at = read.at.min(now);
    let mut write = store.write(actor, "bundle verified", "").await?;
    let draft = RecordDraft {
        ty: VERIFIED.to_owned(),
        subject: None,
        observed_from: at,
        observed_to: at,
        source: "ume verify bundle".to_owned(),
        assurance: if signed { Assurance::Imported } else { Assurance::Attested },
        facts,
        payload: Some(text.into_bytes()),
    };
    let record = write.record(draft).await?;
    write.commit().await?;
    Ok(record)
}
