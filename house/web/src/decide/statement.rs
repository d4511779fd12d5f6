//! What a signature is under: a statement, the version of the subject, a nonce; and what is kept of it.
//!
//! Invariants: the hash is `SHA-256(JCS(subject) ‖ JCS(statement) ‖ nonce)`, the subject being `null`
//! where there is none. A signature by passkey is a WebAuthn assertion whose challenge is that hash; it
//! is kept whole, with the public key, so that anybody verifies it offline. Credential ids and public
//! keys name devices and no person; they stay as long as the decision, also after the account is gone.

use assertion::{Assertion, Expected, PublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Text, canonical, t};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::Row;

/// Attribute of a decision that holds its signatures. No kind declares it, so no form, import or API
/// call can write it.
pub const SIGNATURES: &str = "signatures";
/// Signed by an assertion over the decision itself.
pub const PASSKEY: &str = "passkey";
/// Signed by showing password and one-time code to the server: weaker, since only the server saw it.
pub const PASSWORD: &str = "password+totp";

/// An account that signs, or for which someone signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    pub account: String,
    pub login: String,
    pub role: String,
}

/// One decision as the signer is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub subject: Option<String>,
    pub subject_table: Option<String>,
    pub subject_hash: Option<String>,
    pub valid_until: String,
    /// What else the signer was shown.
    pub notes: Json,
    /// How many approving signatures it takes.
    pub quorum: usize,
    /// Rules that said so.
    pub policies: Vec<String>,
    /// The exception that lets the signer approve their own change.
    pub self_approval: Option<String>,
}

/// What one signature says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub r#type: String,
    pub at: String,
    pub signer: Hand,
    /// In whose place the signer stands.
    pub acting_for: Option<Hand>,
    /// The decision that lets them.
    pub delegation: Option<String>,
    pub outcome: String,
    pub reason: String,
    /// What is signed at once; several have no subject.
    pub decisions: Vec<Item>,
}

/// The `type` of a statement.
pub const STATEMENT: &str = "ume/decision/v1";

/// An assertion as it is kept, all bytes in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub credential: String,
    /// SubjectPublicKeyInfo.
    pub key: String,
    pub algorithm: String,
    pub origin: String,
    pub rp_id: String,
    pub authenticator_data: String,
    pub client_data: String,
    pub signature: String,
}

/// One signature as a decision keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    pub statement: Statement,
    pub nonce: String,
    pub hash: String,
    pub method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Evidence>,
}

impl Statement {
    /// The item about this decision.
    pub fn item(&self, decision: &str) -> Option<&Item> {
        self.decisions.iter().find(|item| item.id == decision)
    }

    /// The hash that is signed.
    pub fn hash(
        &self,
        subject: Option<&str>,
        nonce: &[u8],
    ) -> Result<[u8; 32], canonical::CanonicalError> {
        let json = serde_json::to_value(self).unwrap_or(Json::Null);
        let mut hash = Sha256::new();
        hash.update(subject.unwrap_or("null"));
        hash.update(canonical::to_string(&json)?);
        hash.update(nonce);
        Ok(hash.finalize().into())
    }
}

/// The signatures under a decision; none if it has none, or holds what is not read as such.
pub fn signatures(row: &Row) -> Vec<Signature> {
    let kept = row.attributes.get(SIGNATURES).cloned();
    kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default()
}

/// How a way of signing reads; one without words of its own stays as it is.
pub fn method_text(method: &str) -> Option<Text> {
    Some(match method {
        PASSKEY => t("パスキー（強い署名）", "passkey (strong signature)"),
        PASSWORD => t("パスワードとコード（弱い署名）", "password and code (weaker signature)"),
        "password+recovery" => {
            t("パスワードと回復コード（弱い署名）", "password and recovery code (weaker signature)")
        }
        "simulated" => t("模擬（デモ）", "simulated (demonstration)"),
        _ => return None,
    })
}

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it holds no signatures: it was signed before Ume kept them, or not signed")]
    None,
    #[error("it says {0}, which its signatures do not")]
    Says(&'static str),
    #[error("signature {0}: no version of the subject has the hash that was signed")]
    NoSubject(usize),
    #[error("signature {0}: the hash is not that of subject, statement and nonce")]
    Hash(usize),
    #[error("signature {0}: {1}")]
    Assertion(usize, String),
    #[error("signature {0} is by someone who signed before")]
    Twice(usize),
    #[error("approved by {have} of {needed} needed")]
    Quorum { have: usize, needed: usize },
}

/// Holds a decision against its own signatures, without asking anyone. `subject` gives the content of
/// the subject's version that has a hash.
pub fn flaws<'v>(row: &Row, subject: impl Fn(&str) -> Option<&'v str>) -> Vec<Flaw> {
    let signatures = signatures(row);
    if signatures.is_empty() {
        return vec![Flaw::None];
    }
    let mut flaws = Vec::new();
    let id = row.id.to_string();
    for (i, signature) in signatures.iter().enumerate() {
        let number = i + 1;
        flaws.extend(says_otherwise(row, &signature.statement, &id).map(Flaw::Says));
        flaws.extend(unfit(signature, number, &id, &subject));
        if signatures[..i].iter().any(|earlier| earlier.statement.shares(&signature.statement)) {
            flaws.push(Flaw::Twice(number));
        }
    }
    let yes: Vec<_> = signatures.iter().filter(|s| s.statement.outcome == "approved").collect();
    let needed = yes.iter().filter_map(|s| Some(s.statement.item(&id)?.quorum)).max().unwrap_or(1);
    if row.status == "approved" && yes.len() < needed {
        flaws.push(Flaw::Quorum { have: yes.len(), needed });
    }
    let no = signatures.iter().any(|s| s.statement.outcome == "rejected");
    if (row.status == "rejected") != no {
        flaws.push(Flaw::Says("its outcome"));
    }
    flaws
}

impl Statement {
    /// Whether one person stands behind both, in their own name or through another.
    pub fn shares(&self, other: &Statement) -> bool {
        let hands = |s: &Statement| -> Vec<String> {
            let acting = s.acting_for.iter();
            acting.chain([&s.signer]).map(|hand| hand.account.clone()).collect()
        };
        let theirs = hands(other);
        hands(self).iter().any(|account| theirs.contains(account))
    }
}

/// The first thing the row says otherwise than the statement.
fn says_otherwise(row: &Row, statement: &Statement, id: &str) -> Option<&'static str> {
    let Some(item) = statement.item(id) else { return Some("it is this decision") };
    let subject_table = row.attributes.get("subject_table").and_then(Json::as_str);
    let notes = item.notes.as_object();
    let noted = |name: &String, value: &Json| row.attributes.get(name) == Some(value);
    let ends = row.ends_at.map(|end| end.rfc3339());
    // The decision holds no longer than the shortest that a signer granted.
    let beyond = ends.is_none_or(|ends| {
        model::Timestamp::parse(&ends) > model::Timestamp::parse(&item.valid_until)
    });
    let differs = [
        (item.kind != row.kind, "its kind"),
        (item.name != row.name, "its name"),
        (item.subject != row.subject.map(|id| id.to_string()), "its subject"),
        (item.subject_table.as_deref() != subject_table, "the table of its subject"),
        (item.subject_hash != row.subject_hash, "the version of its subject"),
        (beyond, "how long it holds"),
        (notes.is_none_or(|notes| !notes.iter().all(|(n, v)| noted(n, v))), "what was shown"),
    ];
    differs.into_iter().find_map(|(differs, what)| differs.then_some(what))
}

fn unfit<'v>(
    signature: &Signature,
    number: usize,
    id: &str,
    subject: impl Fn(&str) -> Option<&'v str>,
) -> Option<Flaw> {
    let wanted = signature.statement.item(id).and_then(|item| item.subject_hash.as_deref());
    let content = match wanted {
        None => None,
        Some(hash) => match subject(hash) {
            Some(content) => Some(content),
            None => return Some(Flaw::NoSubject(number)),
        },
    };
    let nonce = hex::decode(&signature.nonce).unwrap_or_default();
    let hash = signature.statement.hash(content, &nonce).ok();
    let hash = hash.filter(|hash| hex::encode(hash) == signature.hash);
    let Some(hash) = hash else { return Some(Flaw::Hash(number)) };
    match (&signature.assertion, signature.method == PASSKEY) {
        (None, false) => None,
        (Some(evidence), true) => {
            evidence.verify(&hash).err().map(|why| Flaw::Assertion(number, why))
        }
        _ => Some(Flaw::Assertion(number, "method and assertion contradict each other".to_owned())),
    }
}

impl Evidence {
    /// Whether it was made with this key.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        URL_SAFE_NO_PAD.encode(key.to_spki()) == self.key
    }

    /// Verifies the assertion over a hash. The counter was judged when it came.
    pub fn verify(&self, hash: &[u8; 32]) -> Result<(), String> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|e| e.to_string());
        let key = PublicKey::from_spki(&bytes(&self.key)?).map_err(|e| e.to_string())?;
        let kept = Assertion {
            authenticator_data: bytes(&self.authenticator_data)?,
            client_data_json: bytes(&self.client_data)?,
            signature: bytes(&self.signature)?,
        };
        let (origin, rp_id) = (self.origin.as_str(), self.rp_id.as_str());
        let expected = Expected { challenge: hash, origin, rp_id, key: &key, counter: 0 };
        assertion::verify(&kept, &expected).map(drop).map_err(|e| e.to_string())
    }
}

/// Whether a decision carries a signature at all.
pub fn signed_by_any(row: &Row) -> bool {
    row.attributes.get(SIGNATURES).is_some_and(|kept| kept != &Json::Array(Vec::new()))
}
