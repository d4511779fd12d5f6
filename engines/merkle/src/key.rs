//! Ed25519 keys that sign notes and cosign checkpoints (c2sp.org/signed-note, "Signatures").
//!
//! Invariant: a [`VerifierKey`] holds a point on the curve and the id that follows from its name, type
//! and bytes, so a key that was read can be used without looking at it again.

use crate::cosignature::Cosignature;
use crate::error::NoteError;
use crate::note::NoteSignature;
use crate::text::{check_name, from_base64, to_base64};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;

/// First four bytes of a key's SHA-256: a hint which key signed, no proof of it.
pub type KeyId = [u8; 4];

/// Longest verifier key that is read.
const MAX_KEY_BYTES: usize = 1024;

/// What a key signs, the type byte of c2sp.org/signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Type 0x01: Ed25519 over the text of the note.
    Ed25519,
    /// Type 0x04: Ed25519 over time and text (c2sp.org/tlog-cosignature).
    CosignatureV1,
}

impl KeyKind {
    /// The type byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, NoteError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            other => Err(NoteError::KeyType(other)),
        }
    }
}

/// A public key under a name: `<name>+<hex id>+base64(type ‖ key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key from its 32 bytes; they must be a point on the curve.
    pub fn new(name: &str, kind: KeyKind, public: &[u8; 32]) -> Result<Self, NoteError> {
        check_name(name, "verifier key")?;
        let key = VerifyingKey::from_bytes(public)
            .map_err(|_| NoteError::malformed("verifier key", "not an Ed25519 public key"))?;
        if key.is_weak() {
            return Err(NoteError::malformed(
                "verifier key",
                "a key of small order signs anything",
            ));
        }
        Ok(Self { name: name.to_owned(), kind, key })
    }

    /// Reads the text form; the id in it must be the one that follows from the rest.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let bad = |why| NoteError::malformed("verifier key", why);
        if text.len() > MAX_KEY_BYTES {
            return Err(NoteError::TooLarge { what: "verifier key", limit: MAX_KEY_BYTES });
        }
        // Base64 may hold a plus itself, so only the first two separate.
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(bad("not three fields between plus signs"));
        };
        let material = from_base64(material, "verifier key")?;
        let (kind, public) = material.split_first().ok_or(bad("the key is empty"))?;
        let kind = KeyKind::from_byte(*kind)?;
        let public = public.try_into().map_err(|_| bad("the key is not 32 bytes long"))?;
        let key = Self::new(name, kind, public)?;
        if key.id_hex() != id {
            return Err(bad("the id is not that of the key"));
        }
        Ok(key)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// `SHA-256(name ‖ 0x0A ‖ type ‖ key)`, first four bytes.
    pub fn id(&self) -> KeyId {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Checks one signature line of a note over its text and gives the time a cosignature states.
    pub(crate) fn check(&self, text: &str, line: &NoteSignature) -> Result<Option<u64>, NoteError> {
        let wrong = || NoteError::BadSignature { name: self.name.clone() };
        match self.kind {
            KeyKind::Ed25519 => {
                let signature = line.signature.as_slice().try_into().map_err(|_| wrong())?;
                self.check_bytes(text.as_bytes(), signature).map(|()| None)
            }
            KeyKind::CosignatureV1 => {
                let cosignature = Cosignature::from_line(line).map_err(|_| wrong())?;
                let message = Cosignature::message(cosignature.time, text);
                self.check_bytes(message.as_bytes(), &cosignature.signature)?;
                Ok(Some(cosignature.time))
            }
        }
    }

    fn check_bytes(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), NoteError> {
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| NoteError::BadSignature { name: self.name.clone() })
    }

    fn id_hex(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.kind.byte()], self.key.as_bytes().as_slice()].concat();
        write!(out, "{}+{}+{}", self.name, self.id_hex(), to_base64(&material))
    }
}

/// A secret key under a name. It signs notes (type 0x01) and cosigns checkpoints (type 0x04), which
/// other parties tell apart by two different verifier keys.
#[derive(Clone)]
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl Signer {
    /// The Ed25519 key of a 32-byte seed (RFC 8032 section 5.1.5).
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        check_name(name, "signer")?;
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// The signer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key others check [`crate::SignedNote::sign`] with.
    pub fn verifier_key(&self) -> VerifierKey {
        self.public(KeyKind::Ed25519)
    }

    /// The key others check [`crate::SignedNote::cosign`] with.
    pub fn cosigner_key(&self) -> VerifierKey {
        self.public(KeyKind::CosignatureV1)
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    fn public(&self, kind: KeyKind) -> VerifierKey {
        VerifierKey { name: self.name.clone(), kind, key: self.key.verifying_key() }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({}, secret)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of golang.org/x/mod/sumdb/note.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn the_key_of_the_go_implementation_is_read_and_written() {
        let key = VerifierKey::parse(GO_KEY).unwrap();
        assert_eq!((key.name(), key.kind()), ("PeterNeumann", KeyKind::Ed25519));
        assert_eq!(key.id(), [0xc7, 0x4f, 0x20, 0xa3]);
        assert_eq!(key.to_string(), GO_KEY);
    }

    #[test]
    fn no_part_and_no_changed_byte_of_a_key_is_read() {
        for start in 0..GO_KEY.len() {
            for end in start..=GO_KEY.len() {
                if end - start < GO_KEY.len() {
                    assert!(VerifierKey::parse(&GO_KEY[start..end]).is_err());
                }
            }
        }
        for at in 0..GO_KEY.len() {
            let mut bytes = GO_KEY.as_bytes().to_vec();
            bytes[at] += 1;
            assert!(VerifierKey::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
        }
        assert!(VerifierKey::parse(&"a".repeat(2000)).is_err());
    }

    #[test]
    fn both_keys_of_a_signer_are_read_back() {
        let signer = Signer::from_seed("example.com/log", &[9; 32]).unwrap();
        for key in [signer.verifier_key(), signer.cosigner_key()] {
            assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
        }
        assert_ne!(signer.verifier_key().id(), signer.cosigner_key().id());
    }

    #[test]
    fn names_with_spaces_or_plus_are_refused_and_seeds_are_not_printed() {
        for name in ["", "a b", "a+b", "a\u{3000}b", "a\nb", "a\u{1}"] {
            assert!(Signer::from_seed(name, &[0; 32]).is_err());
        }
        let signer = Signer::from_seed("a", &[0xab; 32]).unwrap();
        assert_eq!(format!("{signer:?}"), "Signer(a, secret)");
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(VerifierKey::new("a", KeyKind::Ed25519, &identity).is_err());
    }

    #[test]
    fn a_key_of_another_type_is_named() {
        let text = format!("a+00000000+{}", to_base64(&[6; 33]));
        assert_eq!(VerifierKey::parse(&text), Err(NoteError::KeyType(6)));
    }
}
