//! Signatures by algorithm identifier: which of ring's algorithms verifies what.

use ring::{digest, signature};

use crate::der::{NULL, OID, Reader, SEQUENCE, dotted};
use crate::error::StampError;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The hash functions that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    const ALL: [Digest; 3] = [Digest::Sha256, Digest::Sha384, Digest::Sha512];

    pub fn oid(self) -> &'static [u8] {
        match self {
            Digest::Sha256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
            Digest::Sha384 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
            Digest::Sha512 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        }
    }

    pub fn of(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Digest::Sha256 => &digest::SHA256,
            Digest::Sha384 => &digest::SHA384,
            Digest::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }

    /// Reads an AlgorithmIdentifier of a hash function.
    pub fn parse(what: &'static str, reader: &mut Reader<'_>) -> Result<Self, StampError> {
        let algorithm = Algorithm::parse(reader)?;
        let plain = algorithm.parameters.is_none_or(|p| p == [NULL, 0]);
        Digest::ALL
            .into_iter()
            .find(|digest| plain && digest.oid() == algorithm.oid)
            .ok_or_else(|| StampError::Algorithm { what, oid: dotted(algorithm.oid) })
    }
}

/// An AlgorithmIdentifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Algorithm<'a> {
    pub oid: &'a [u8],
    /// The whole element.
    pub parameters: Option<&'a [u8]>,
}

impl<'a> Algorithm<'a> {
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, StampError> {
        let mut inside = reader.inside(SEQUENCE)?;
        let oid = inside.take(OID)?.value;
        let parameters = if inside.is_empty() { None } else { Some(inside.any()?.whole) };
        inside.end()?;
        Ok(Self { oid, parameters })
    }
}

/// A public key as a certificate carries it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicKey<'a> {
    pub oid: &'a [u8],
    /// Dotted curve, or nothing.
    pub curve: Option<&'a [u8]>,
    pub bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads a SubjectPublicKeyInfo.
    pub fn parse(info: &'a [u8]) -> Result<Self, StampError> {
        let mut reader = Reader::new("public key", info);
        let mut inside = reader.inside(SEQUENCE)?;
        let algorithm = Algorithm::parse(&mut inside)?;
        let bits = inside.take(0x03)?.value;
        inside.end()?;
        reader.end()?;
        // The first byte counts unused bits; keys are whole bytes.
        let [0, bits @ ..] = bits else { return Err(StampError::malformed("public key")) };
        let curve = algorithm.parameters.filter(|_| algorithm.oid == EC);
        let curve = curve.map(|p| Reader::new("curve", p).take(OID)).transpose()?;
        Ok(Self { oid: algorithm.oid, curve: curve.map(|oid| oid.value), bits })
    }
}

/// Checks a signature; `digest` is what stands beside it in a CMS signer, `None` in a certificate, whose
/// algorithm names the hash itself.
pub(crate) fn check(
    what: &'static str,
    key: PublicKey<'_>,
    oid: &[u8],
    digest: Option<Digest>,
    message: &[u8],
    signed: &[u8],
) -> Result<(), StampError> {
    let refused = || StampError::Algorithm { what, oid: dotted(oid) };
    let named = match oid {
        RSA_SHA256 | ECDSA_SHA256 => Some(Digest::Sha256),
        RSA_SHA384 | ECDSA_SHA384 => Some(Digest::Sha384),
        RSA_SHA512 => Some(Digest::Sha512),
        _ => None,
    };
    // Two names of a hash must not contradict each other.
    if digest.is_some() && named.is_some() && digest != named {
        return Err(refused());
    }
    let hash = named.or(digest);
    let algorithm: &dyn signature::VerificationAlgorithm = match (oid, key.oid, key.curve, hash) {
        (RSA | RSA_SHA256, RSA, _, Some(Digest::Sha256)) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RSA | RSA_SHA384, RSA, _, Some(Digest::Sha384)) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA | RSA_SHA512, RSA, _, Some(Digest::Sha512)) => &signature::RSA_PKCS1_2048_8192_SHA512,
        // Its parameters say hash and salt; those that contradict the signer's hash do not verify.
        (RSA_PSS, RSA | RSA_PSS, _, Some(Digest::Sha256)) => &signature::RSA_PSS_2048_8192_SHA256,
        (RSA_PSS, RSA | RSA_PSS, _, Some(Digest::Sha384)) => &signature::RSA_PSS_2048_8192_SHA384,
        (RSA_PSS, RSA | RSA_PSS, _, Some(Digest::Sha512)) => &signature::RSA_PSS_2048_8192_SHA512,
        (ECDSA_SHA256, EC, Some(P256), _) => &signature::ECDSA_P256_SHA256_ASN1,
        (ECDSA_SHA384, EC, Some(P256), _) => &signature::ECDSA_P256_SHA384_ASN1,
        (ECDSA_SHA256, EC, Some(P384), _) => &signature::ECDSA_P384_SHA256_ASN1,
        (ECDSA_SHA384, EC, Some(P384), _) => &signature::ECDSA_P384_SHA384_ASN1,
        (ED25519, ED25519, _, _) => &signature::ED25519,
        _ => return Err(refused()),
    };
    signature::UnparsedPublicKey::new(algorithm, key.bits)
        .verify(message, signed)
        .map_err(|_| StampError::Signature(what))
}
