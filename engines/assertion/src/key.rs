//! Public keys of authenticators, kept as SubjectPublicKeyInfo, which every tool reads.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};

use crate::der::{self, BIT_STRING, SEQUENCE};

const P256_BYTES: usize = 32;
const P384_BYTES: usize = 48;
const ED25519_BYTES: usize = 32;
/// Uncompressed point (SEC 1).
const UNCOMPRESSED: u8 = 4;
/// RSA of 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// AlgorithmIdentifier of each kind of key, whole.
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x22,
];
const EDWARDS: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

type Make = fn(Vec<u8>) -> PublicKey;

/// Why bytes are no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("{0} has the wrong length")]
    Length(&'static str),
    #[error("not a public key of a kind that authenticators use")]
    Unknown,
}

/// The key of a credential, by the algorithm it signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// ECDSA on P-256 with SHA-256, as an uncompressed point.
    Es256(Vec<u8>),
    /// ECDSA on P-384 with SHA-384, as an uncompressed point.
    Es384(Vec<u8>),
    Ed25519(Vec<u8>),
    /// RSASSA-PKCS1-v1_5 with SHA-256, as RSAPublicKey in DER.
    Rs256(Vec<u8>),
}

impl PublicKey {
    /// A key on P-256.
    pub fn es256(x: &[u8], y: &[u8]) -> Result<PublicKey, KeyError> {
        Ok(PublicKey::Es256(point(x, y, P256_BYTES)?))
    }

    /// A key on P-384.
    pub fn es384(x: &[u8], y: &[u8]) -> Result<PublicKey, KeyError> {
        Ok(PublicKey::Es384(point(x, y, P384_BYTES)?))
    }

    /// An Edwards key.
    pub fn ed25519(x: &[u8]) -> Result<PublicKey, KeyError> {
        if x.len() != ED25519_BYTES {
            return Err(KeyError::Length("the Ed25519 key"));
        }
        Ok(PublicKey::Ed25519(x.to_vec()))
    }

    /// An RSA key from modulus and exponent, big-endian.
    pub fn rs256(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, KeyError> {
        if !MODULUS_BYTES.contains(&modulus.len()) || exponent.is_empty() || exponent.len() > 8 {
            return Err(KeyError::Length("the RSA key"));
        }
        let parts = [der::write_unsigned(modulus), der::write_unsigned(exponent)].concat();
        Ok(PublicKey::Rs256(der::write(SEQUENCE, &parts)))
    }

    /// Reads SubjectPublicKeyInfo in DER, and nothing behind it.
    pub fn from_spki(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let (info, behind) = der::read(bytes, SEQUENCE).ok_or(KeyError::Unknown)?;
        let kinds: [(&[u8], Make, Option<usize>); 4] = [
            (P256, PublicKey::Es256, Some(1 + 2 * P256_BYTES)),
            (P384, PublicKey::Es384, Some(1 + 2 * P384_BYTES)),
            (EDWARDS, PublicKey::Ed25519, Some(ED25519_BYTES)),
            (RSA, PublicKey::Rs256, None),
        ];
        let found = kinds.into_iter().find_map(|(algorithm, make, size)| {
            let (bits, rest) = der::read(info.strip_prefix(algorithm)?, BIT_STRING)?;
            let key = bits.strip_prefix(&[0])?;
            let fits = rest.is_empty() && size.is_none_or(|size| size == key.len());
            fits.then(|| make(key.to_vec()))
        });
        let key = found.filter(|_| behind.is_empty()).ok_or(KeyError::Unknown)?;
        // Only what this crate would write itself: one text for each key.
        if key.to_spki() == bytes { Ok(key) } else { Err(KeyError::Unknown) }
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn to_spki(&self) -> Vec<u8> {
        let (algorithm, key) = match self {
            PublicKey::Es256(key) => (P256, key),
            PublicKey::Es384(key) => (P384, key),
            PublicKey::Ed25519(key) => (EDWARDS, key),
            PublicKey::Rs256(key) => (RSA, key),
        };
        let bits = der::write(BIT_STRING, &[&[0][..], key].concat());
        der::write(SEQUENCE, &[algorithm, &bits].concat())
    }

    /// The name of the algorithm, as COSE has it.
    pub fn algorithm(&self) -> &'static str {
        match self {
            PublicKey::Es256(_) => "ES256",
            PublicKey::Es384(_) => "ES384",
            PublicKey::Ed25519(_) => "EdDSA",
            PublicKey::Rs256(_) => "RS256",
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, key): (&dyn VerificationAlgorithm, _) = match self {
            PublicKey::Es256(key) => (&ECDSA_P256_SHA256_ASN1, key),
            PublicKey::Es384(key) => (&ECDSA_P384_SHA384_ASN1, key),
            PublicKey::Ed25519(key) => (&ED25519, key),
            PublicKey::Rs256(key) => (&RSA_PKCS1_2048_8192_SHA256, key),
        };
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    }
}

fn point(x: &[u8], y: &[u8], size: usize) -> Result<Vec<u8>, KeyError> {
    if x.len() != size || y.len() != size {
        return Err(KeyError::Length("the point"));
    }
    Ok([&[UNCOMPRESSED], x, y].concat())
}
