//! Signatures of OpenPGP over a `Release`, as RFC 9580 says and archives use them.
//!
//! A signature counts if one key of the keyring made it: the primary key or a subkey that is bound to
//! it for signing (with its own signature back), neither revoked nor expired, by a hash that is not
//! weak. Other signatures beside a good one do not matter: archives sign with old and new keys at once.

use pgp::{
    composed::{CleartextSignedMessage, Deserializable, DetachedSignature, SignedPublicKey},
    crypto::hash::HashAlgorithm,
    packet::{KeyFlags, PublicKey, PublicSubkey, Signature, SignatureType},
    types::{KeyDetails, Tag},
};

use super::{ArchiveError, RELEASE_BYTES_MAX, SignatureFault};

const KEYS_MAX: usize = 1_000;
const SIGNATURES_MAX: usize = 64;
/// Clocks of signers and ours may differ by so much.
const SKEW_SECONDS: i64 = 86_400;
const ARMOUR: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// A text and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub text: String,
    /// Fingerprint of the primary key, in hexadecimal digits.
    pub by: String,
    /// Seconds since 1970.
    pub at: i64,
}

/// Keys that are trusted for one archive.
#[derive(Debug, Default)]
pub struct Keyring {
    signers: Vec<Signer>,
}

#[derive(Debug)]
enum Key {
    Primary(Box<PublicKey>),
    Sub(Box<PublicSubkey>),
}

#[derive(Debug)]
struct Signer {
    primary: String,
    key: Key,
    created: i64,
    /// The earlier end of key and primary key.
    expires: Option<i64>,
    is_revoked: bool,
}

impl Keyring {
    /// Reads keys, binary or in armour, as `gpg --export` and `/usr/share/keyrings` have them.
    pub fn parse(bytes: &[u8]) -> Result<Keyring, ArchiveError> {
        if bytes.len() > RELEASE_BYTES_MAX {
            let max = RELEASE_BYTES_MAX as u64;
            return Err(ArchiveError::Limit { what: "bytes of a keyring", max });
        }
        let failed = |error: pgp::errors::Error| ArchiveError::Keyring(short(&error.to_string()));
        let mut signers = Vec::new();
        for block in blocks(bytes) {
            let keys: Vec<SignedPublicKey> = if block.starts_with(ARMOUR) {
                let (keys, _) = SignedPublicKey::from_armor_many(block).map_err(failed)?;
                keys.take(KEYS_MAX).collect::<Result<_, _>>().map_err(failed)?
            } else {
                let keys = SignedPublicKey::from_bytes_many(block).map_err(failed)?;
                keys.take(KEYS_MAX).collect::<Result<_, _>>().map_err(failed)?
            };
            keys.iter().for_each(|key| signers_of(key, &mut signers));
        }
        if signers.is_empty() {
            return Err(ArchiveError::Keyring("no key that may sign".to_owned()));
        }
        Ok(Keyring { signers })
    }

    /// Takes the keys of another ring as well.
    pub fn add(&mut self, other: Keyring) {
        self.signers.extend(other.signers);
    }

    /// Verifies `InRelease`; gives the text that was signed and nothing around it.
    pub fn verify_inline(&self, bytes: &[u8], now: i64) -> Result<Signed, ArchiveError> {
        let text = limited(bytes)?;
        let (message, _) = CleartextSignedMessage::from_string(text).map_err(form)?;
        let signed = message.signed_text();
        let (by, at) = self.any(message.signatures(), signed.as_bytes(), now)?;
        Ok(Signed { text: signed.replace("\r\n", "\n"), by, at })
    }

    /// Verifies `Release` by `Release.gpg`.
    pub fn verify_detached(
        &self,
        bytes: &[u8],
        signature: &[u8],
        now: i64,
    ) -> Result<Signed, ArchiveError> {
        let text = limited(bytes)?.to_owned();
        limited(signature).map_or_else(|_| Ok(()), |_| Ok::<_, ArchiveError>(()))?;
        let signatures: Vec<Signature> = if signature.starts_with(b"-----BEGIN") {
            let (found, _) = DetachedSignature::from_armor_many(signature).map_err(form)?;
            found.map(|one| one.map(|one| one.signature)).collect::<Result<_, _>>().map_err(form)?
        } else {
            let found = DetachedSignature::from_bytes_many(signature).map_err(form)?;
            found.map(|one| one.map(|one| one.signature)).collect::<Result<_, _>>().map_err(form)?
        };
        let (by, at) = self.any(&signatures, bytes, now)?;
        Ok(Signed { text, by, at })
    }

    /// The first signature that counts, else the fault that came nearest to counting.
    fn any(
        &self,
        signatures: &[Signature],
        data: &[u8],
        now: i64,
    ) -> Result<(String, i64), ArchiveError> {
        let mut nearest = SignatureFault::Form("no signature".to_owned());
        for signature in signatures.iter().take(SIGNATURES_MAX) {
            match self.one(signature, data, now) {
                Ok(good) => return Ok(good),
                Err(fault) if rank(&fault) >= rank(&nearest) => nearest = fault,
                Err(_) => {}
            }
        }
        Err(ArchiveError::Signature(nearest))
    }

    fn one(
        &self,
        signature: &Signature,
        data: &[u8],
        now: i64,
    ) -> Result<(String, i64), SignatureFault> {
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err(SignatureFault::Form("not a signature over a text".to_owned()));
        }
        if !is_strong(signature) {
            return Err(SignatureFault::Weak);
        }
        let at = signature.created().map(|time| i64::from(time.as_secs()));
        let at = at.ok_or(SignatureFault::Time)?;
        let mut fault = SignatureFault::UnknownKey(issuer(signature));
        for signer in self.signers.iter().filter(|signer| signer.may_have_made(signature)) {
            let good = match &signer.key {
                Key::Primary(key) => signature.verify(&**key, data),
                Key::Sub(key) => signature.verify(&**key, data),
            };
            if good.is_err() {
                fault = SignatureFault::Bad;
                continue;
            }
            let life = signature.signature_expiration_time().map(|life| i64::from(life.as_secs()));
            let is_over = life.is_some_and(|life| life > 0 && at + life < now);
            if at < signer.created || at > now.saturating_add(SKEW_SECONDS) || is_over {
                return Err(SignatureFault::Time);
            }
            if signer.is_revoked || signer.expires.is_some_and(|end| end < now) {
                return Err(SignatureFault::KeyExpired(signer.primary.clone()));
            }
            return Ok((signer.primary.clone(), at));
        }
        Err(fault)
    }
}

impl Signer {
    fn may_have_made(&self, signature: &Signature) -> bool {
        let (id, print) = match &self.key {
            Key::Primary(key) => (key.legacy_key_id(), key.fingerprint()),
            Key::Sub(key) => (key.legacy_key_id(), key.fingerprint()),
        };
        signature.issuer_key_id().contains(&&id) || signature.issuer_fingerprint().contains(&&print)
    }
}

/// A file of several armoured blocks, one after the other, or one binary block.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = memchr::memmem::find_iter(bytes, ARMOUR).collect();
    if starts.is_empty() {
        return vec![bytes];
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).map(|(from, to)| &bytes[*from..to]).collect()
}

fn limited(bytes: &[u8]) -> Result<&str, ArchiveError> {
    if bytes.len() > RELEASE_BYTES_MAX {
        let max = RELEASE_BYTES_MAX as u64;
        return Err(ArchiveError::Limit { what: "bytes of a Release", max });
    }
    std::str::from_utf8(bytes).map_err(|_| {
        ArchiveError::Signature(SignatureFault::Form("the text is not UTF-8".to_owned()))
    })
}

fn form(error: pgp::errors::Error) -> ArchiveError {
    ArchiveError::Signature(SignatureFault::Form(short(&error.to_string())))
}

/// One line for people; errors of parsers may quote what they read.
fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}

fn rank(fault: &SignatureFault) -> u8 {
    match fault {
        SignatureFault::Form(_) => 0,
        SignatureFault::Weak => 1,
        SignatureFault::UnknownKey(_) => 2,
        SignatureFault::Bad => 3,
        SignatureFault::Time => 4,
        SignatureFault::KeyExpired(_) => 5,
    }
}

fn issuer(signature: &Signature) -> String {
    let prints = signature.issuer_fingerprint();
    let ids = signature.issuer_key_id();
    let print = prints.first().map(|print| print.to_string());
    print.or_else(|| ids.first().map(|id| id.to_string())).unwrap_or_else(|| "no issuer".to_owned())
}

fn is_strong(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

fn may_sign(flags: &KeyFlags) -> bool {
    // A key without flags may do everything.
    flags.sign() || *flags == KeyFlags::default()
}

fn end(created: i64, signature: &Signature) -> Option<i64> {
    let life = signature.key_expiration_time().map(|life| i64::from(life.as_secs()));
    life.filter(|life| *life > 0).map(|life| created + life)
}

fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|signature| signature.created().map(|time| time.as_secs()))
}

/// The keys of a certificate that may sign, each with its bindings verified.
fn signers_of(certificate: &SignedPublicKey, signers: &mut Vec<Signer>) {
    let primary = &certificate.primary_key;
    let details = &certificate.details;
    let name = format!("{:x}", primary.fingerprint());
    let created = i64::from(primary.created_at().as_secs());
    let is_revoked =
        details.revocation_signatures.iter().any(|one| one.verify_key(primary).is_ok());
    let certified = details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|one| {
            one.typ() != Some(SignatureType::CertRevocation)
                && one.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
    });
    let direct = details
        .direct_signatures
        .iter()
        .filter(|one| one.typ() == Some(SignatureType::Key) && one.verify_key(primary).is_ok());
    // Without a signature of its own over itself nobody says what the key is for.
    let Some(own) = newest(certified.chain(direct)) else { return };
    let expires = end(created, own);
    if may_sign(&own.key_flags()) {
        let key = Key::Primary(Box::new(primary.clone()));
        signers.push(Signer { primary: name.clone(), key, created, expires, is_revoked });
    }
    for sub in &certificate.public_subkeys {
        let bound = |one: &&Signature| one.verify_subkey_binding(primary, &sub.key).is_ok();
        let kind = |wanted| move |one: &&Signature| one.typ() == Some(wanted);
        let revoked = sub
            .signatures
            .iter()
            .filter(kind(SignatureType::SubkeyRevocation))
            .any(|one| bound(&one));
        let binding =
            newest(sub.signatures.iter().filter(kind(SignatureType::SubkeyBinding)).filter(bound));
        let Some(binding) = binding.filter(|one| one.key_flags().sign()) else { continue };
        let signs_back = binding
            .embedded_signature()
            .is_some_and(|back| back.verify_primary_key_binding(&sub.key, primary).is_ok());
        if !signs_back {
            continue;
        }
        let born = i64::from(sub.key.created_at().as_secs());
        let ends = [expires, end(born, binding)];
        signers.push(Signer {
            primary: name.clone(),
            key: Key::Sub(Box::new(sub.key.clone())),
            created: born,
            expires: ends.into_iter().flatten().min(),
            is_revoked: is_revoked || revoked,
        });
    }
}
