//! The verdict about an answer.

use crate::anchors::Anchors;
use crate::der::{INTEGER, OCTETS, OID, Reader, SEQUENCE, dotted, integer};
use crate::error::StampError;
use crate::path::{self, Certificate};
use crate::request::Request;
use crate::signature::{self, Digest};
use crate::token::{SignerName, Statement, TST_INFO, Token};

/// How far the authority's clock may be from ours when it answers.
pub const CLOCK_SECONDS_MAX: i64 = 300;

const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE_V2: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const DIRECTORY_NAME: u8 = 0xa4;

/// A time stamp that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Unix seconds at which the authority says it saw the imprint.
    pub time: i64,
    /// The authority's number for the stamp, in hex.
    pub serial: String,
    /// Dotted policy under which it was given.
    pub policy: String,
    /// Subject of the certificate that signed.
    pub authority: String,
}

/// Verifies the answer to a request as it comes in: `now` is Unix seconds.
pub fn verify(
    answer: &[u8],
    request: &Request,
    anchors: &Anchors,
    now: i64,
) -> Result<Stamp, StampError> {
    let token = Token::in_answer(answer)?;
    let statement = token.statement()?;
    let nonce = integer(request.nonce);
    let nonce = Reader::new("nonce", &nonce).take(INTEGER)?.value;
    if statement.nonce != Some(nonce) {
        return Err(StampError::Nonce);
    }
    let stamp = judge(&token, &statement, &request.imprint, anchors, now)?;
    let seconds = stamp.time.saturating_sub(now);
    if seconds.saturating_abs() > CLOCK_SECONDS_MAX {
        return Err(StampError::Clock { seconds });
    }
    Ok(stamp)
}

/// Verifies an answer that was kept, however long ago: certificates are judged at the time of the stamp.
pub fn verify_kept(answer: &[u8], data: &[u8], anchors: &Anchors) -> Result<Stamp, StampError> {
    let token = Token::in_answer(answer)?;
    let statement = token.statement()?;
    judge(&token, &statement, &Request::imprint_of(data), anchors, statement.time)
}

/// Everything but nonce and clock; certificates must be valid at the stamp's time and at `at`.
fn judge(
    token: &Token<'_>,
    statement: &Statement<'_>,
    imprint: &[u8; 32],
    anchors: &Anchors,
    at: i64,
) -> Result<Stamp, StampError> {
    if statement.digest != Digest::Sha256 || statement.imprint != imprint {
        return Err(StampError::Imprint);
    }
    let certificates: Vec<Certificate<'_>> =
        token.certificates.iter().map(|der| Certificate::parse(der)).collect::<Result<_, _>>()?;
    let signer = certificates.iter().find(|c| is_named(c, &token.signer));
    let signer = signer.ok_or(StampError::NoCertificate)?;
    check_attributes(token, signer)?;
    let key = signer.key()?;
    let algorithm = token.algorithm.oid;
    let (digest, signed) = (Some(token.digest), token.signature);
    signature::check("token", key, algorithm, digest, &token.attributes, signed)?;
    check_purpose(signer)?;
    signer.is_understood()?;
    let trusted: Vec<Certificate<'_>> =
        anchors.certificates.iter().map(|d| Certificate::parse(d)).collect::<Result<_, _>>()?;
    path::find(signer, &certificates, &trusted, statement.time)?;
    path::find(signer, &certificates, &trusted, at)?;
    Ok(Stamp {
        time: statement.time,
        serial: hex::encode(statement.serial),
        policy: dotted(statement.policy),
        authority: signer.subject(),
    })
}

fn is_named(certificate: &Certificate<'_>, name: &SignerName<'_>) -> bool {
    match name {
        SignerName::Issued { issuer, serial } => {
            certificate.parsed.issuer().as_raw() == *issuer
                && certificate.parsed.raw_serial() == *serial
        }
        SignerName::Key(key) => certificate.parsed.extensions().iter().any(|extension| {
            use x509_parser::prelude::ParsedExtension::SubjectKeyIdentifier;
            matches!(extension.parsed_extension(), SubjectKeyIdentifier(id) if id.0 == *key)
        }),
    }
}

/// The attributes must bind content and certificate: without them a signature over something else, or
/// another certificate with the same key, would pass.
fn check_attributes(token: &Token<'_>, signer: &Certificate<'_>) -> Result<(), StampError> {
    let name = "content type";
    let ty = token.attribute(CONTENT_TYPE, name)?;
    if Reader::new("content type", ty).take(OID)?.value != TST_INFO {
        return Err(StampError::Attribute(name));
    }
    let name = "message digest";
    let digest = token.attribute(MESSAGE_DIGEST, name)?;
    let digest = Reader::new("message digest", digest).take(OCTETS)?.value;
    if digest != token.digest.of(token.content).as_ref() {
        return Err(StampError::Attribute(name));
    }
    let name = "signing certificate v2";
    let value = token.attribute(SIGNING_CERTIFICATE_V2, name)?;
    let mut list = Reader::new("signing certificate", value).inside(SEQUENCE)?.inside(SEQUENCE)?;
    // The first of them is the signer's (RFC 5035 section 3).
    if names_certificate(list.inside(SEQUENCE)?, signer)? {
        Ok(())
    } else {
        Err(StampError::Attribute(name))
    }
}

/// ESSCertIDv2: hash of the certificate, and perhaps its issuer and number.
fn names_certificate(
    mut id: Reader<'_>,
    certificate: &Certificate<'_>,
) -> Result<bool, StampError> {
    let digest = match id.peek() {
        Some(SEQUENCE) => Digest::parse("signing certificate", &mut id)?,
        _ => Digest::Sha256,
    };
    let hash = id.take(OCTETS)?.value;
    let mut holds = hash == digest.of(certificate.der).as_ref();
    if let Some(issuer_serial) = id.maybe(SEQUENCE)? {
        let mut inside = Reader::new("issuer and serial", issuer_serial.value);
        let mut names = inside.inside(SEQUENCE)?;
        let issuer = names.inside(DIRECTORY_NAME)?.take(SEQUENCE)?.whole;
        names.end()?;
        let serial = inside.take(INTEGER)?.value;
        inside.end()?;
        holds &= is_named(certificate, &SignerName::Issued { issuer, serial });
    }
    id.end()?;
    Ok(holds)
}

/// RFC 3161 section 2.3: the extended key usage is critical and is time stamping alone.
fn check_purpose(signer: &Certificate<'_>) -> Result<(), StampError> {
    let usage = signer.parsed.extended_key_usage().ok().flatten().ok_or(StampError::Purpose)?;
    let (value, critical) = (usage.value, usage.critical);
    let more = value.any
        || value.server_auth
        || value.client_auth
        || value.code_signing
        || value.email_protection
        || value.ocsp_signing
        || !value.other.is_empty();
    let signs = match signer.parsed.key_usage() {
        Ok(usage) => usage
            .is_none_or(|usage| usage.value.digital_signature() || usage.value.non_repudiation()),
        Err(_) => false,
    };
    if critical && value.time_stamping && !more && signs {
        Ok(())
    } else {
        Err(StampError::Purpose)
    }
}
