//! TimeStampResp (RFC 3161 section 2.4.2) and the CMS SignedData in it (RFC 5652 section 5), as far as a
//! token needs them. Nothing is verified here.

use crate::der::{BOOLEAN, INTEGER, OCTETS, OID, Reader, SEQUENCE, SET, TIME, UTF8, context, wrap};
use crate::error::StampError;
use crate::signature::{Algorithm, Digest};
use crate::time;

/// Most bytes in an answer.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most certificates in a token.
pub const CERTIFICATES_MAX: usize = 16;
const ATTRIBUTES_MAX: usize = 32;
const TEXT_CHARS_MAX: usize = 200;

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
pub(crate) const TST_INFO: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// How a signer names its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignerName<'a> {
    /// Issuer as a whole element, serial as the bytes of its number.
    Issued { issuer: &'a [u8], serial: &'a [u8] },
    /// Subject key identifier.
    Key(&'a [u8]),
}

/// What the authority states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub policy: &'a [u8],
    pub digest: Digest,
    pub imprint: &'a [u8],
    pub serial: &'a [u8],
    pub time: i64,
    pub nonce: Option<&'a [u8]>,
}

/// The parts of a token.
pub(crate) struct Token<'a> {
    /// The bytes of the statement, over which the digest in the attributes goes.
    pub content: &'a [u8],
    pub certificates: Vec<&'a [u8]>,
    pub signer: SignerName<'a>,
    pub digest: Digest,
    /// The signed attributes as a SET, the form in which they are signed.
    pub attributes: Vec<u8>,
    pub algorithm: Algorithm<'a>,
    pub signature: &'a [u8],
}

impl<'a> Token<'a> {
    /// Reads an answer that grants a token.
    pub fn in_answer(answer: &'a [u8]) -> Result<Self, StampError> {
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(StampError::TooLarge { what: "answer", limit: ANSWER_BYTES_MAX });
        }
        let mut reader = Reader::new("answer", answer);
        let mut inside = reader.inside(SEQUENCE)?;
        reader.end()?;
        granted(inside.inside(SEQUENCE)?)?;
        let token = inside.take(SEQUENCE)?;
        inside.end()?;
        Token::parse(token.value)
    }

    /// Reads the inside of a ContentInfo.
    fn parse(content_info: &'a [u8]) -> Result<Self, StampError> {
        let mut outer = Reader::new("token", content_info);
        if outer.take(OID)?.value != SIGNED_DATA {
            return Err(StampError::malformed("token"));
        }
        let mut explicit = outer.inside(context(0))?;
        outer.end()?;
        let mut data = explicit.inside(SEQUENCE)?;
        explicit.end()?;
        data.small()?;
        data.take(SET)?;
        let content = statement_bytes(data.inside(SEQUENCE)?)?;
        let certificates = match data.maybe(context(0))? {
            Some(set) => certificates(Reader::new("certificates of the token", set.value))?,
            None => Vec::new(),
        };
        // Revocation lists; nobody looks at them.
        data.maybe(context(1))?;
        let mut signers = data.inside(SET)?;
        data.end()?;
        let signer = signers.inside(SEQUENCE)?;
        // RFC 3161: the one signature of the authority.
        signers.end()?;
        Token::of_signer(content, certificates, signer)
    }

    fn of_signer(
        content: &'a [u8],
        certificates: Vec<&'a [u8]>,
        mut signer: Reader<'a>,
    ) -> Result<Self, StampError> {
        signer.small()?;
        let name = match signer.maybe(0x80)? {
            Some(key) => SignerName::Key(key.value),
            None => issued(signer.inside(SEQUENCE)?)?,
        };
        let digest = Digest::parse("signer", &mut signer)?;
        let attributes = signer.take(context(0))?;
        let algorithm = Algorithm::parse(&mut signer)?;
        let signature = signer.take(OCTETS)?.value;
        // Unsigned attributes say nothing.
        signer.maybe(context(1))?;
        signer.end()?;
        Ok(Token {
            content,
            certificates,
            signer: name,
            digest,
            attributes: wrap(SET, &[attributes.value]),
            algorithm,
            signature,
        })
    }

    /// What the authority states.
    pub fn statement(&self) -> Result<Statement<'a>, StampError> {
        let mut reader = Reader::new("statement", self.content);
        let mut inside = reader.inside(SEQUENCE)?;
        reader.end()?;
        if inside.small()? != 1 {
            return Err(StampError::malformed("version of the statement"));
        }
        let policy = inside.take(OID)?.value;
        let mut imprint = inside.inside(SEQUENCE)?;
        let digest = Digest::parse("imprint", &mut imprint)?;
        let hashed = imprint.take(OCTETS)?.value;
        imprint.end()?;
        let serial = inside.take(INTEGER)?.value;
        let time = time::parse(inside.take(TIME)?.value)?;
        inside.maybe(SEQUENCE)?;
        inside.maybe(BOOLEAN)?;
        let nonce = inside.maybe(INTEGER)?.map(|number| number.value);
        inside.maybe(context(0))?;
        if let Some(extensions) = inside.maybe(context(1))? {
            no_critical(Reader::new("extensions of the statement", extensions.value))?;
        }
        inside.end()?;
        Ok(Statement { policy, digest, imprint: hashed, serial, time, nonce })
    }

    /// The one value of the signed attribute with this type.
    pub fn attribute(&self, oid: &[u8], name: &'static str) -> Result<&[u8], StampError> {
        let mut set = Reader::new("signed attributes", &self.attributes).inside(SET)?;
        let (mut found, mut count) = (None, 0);
        while !set.is_empty() {
            count += 1;
            if count > ATTRIBUTES_MAX {
                let what = "number of signed attributes";
                return Err(StampError::TooLarge { what, limit: ATTRIBUTES_MAX });
            }
            let mut attribute = set.inside(SEQUENCE)?;
            let ty = attribute.take(OID)?.value;
            let mut values = attribute.inside(SET)?;
            attribute.end()?;
            if ty != oid {
                continue;
            }
            let value = values.any()?;
            if found.is_some() || !values.is_empty() {
                return Err(StampError::Attribute(name));
            }
            found = Some(value.whole);
        }
        found.ok_or(StampError::Attribute(name))
    }
}

/// PKIStatusInfo: granted, or granted with modifications.
fn granted(mut status: Reader<'_>) -> Result<(), StampError> {
    let number = status.small()?;
    if number <= 1 {
        return Ok(());
    }
    let mut text = String::new();
    if let Some(lines) = status.maybe(SEQUENCE)? {
        let mut lines = Reader::new("words of the authority", lines.value);
        while let Some(line) = lines.maybe(UTF8)? {
            text.push_str(&String::from_utf8_lossy(line.value));
        }
    }
    let text = text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
    Err(StampError::Refused { status: number, text })
}

fn statement_bytes<'a>(mut content: Reader<'a>) -> Result<&'a [u8], StampError> {
    if content.take(OID)?.value != TST_INFO {
        return Err(StampError::malformed("type of the token's content"));
    }
    let mut explicit = content.inside(context(0))?;
    content.end()?;
    let octets = explicit.take(OCTETS)?.value;
    explicit.end()?;
    Ok(octets)
}

fn certificates<'a>(mut set: Reader<'a>) -> Result<Vec<&'a [u8]>, StampError> {
    let mut found = Vec::new();
    while !set.is_empty() {
        if found.len() == CERTIFICATES_MAX {
            let what = "number of certificates";
            return Err(StampError::TooLarge { what, limit: CERTIFICATES_MAX });
        }
        let element = set.any()?;
        // Attribute certificates stand here too, under other tags.
        if element.tag == SEQUENCE {
            found.push(element.whole);
        }
    }
    Ok(found)
}

/// IssuerAndSerialNumber.
fn issued<'a>(mut inside: Reader<'a>) -> Result<SignerName<'a>, StampError> {
    let issuer = inside.take(SEQUENCE)?.whole;
    let serial = inside.take(INTEGER)?.value;
    inside.end()?;
    Ok(SignerName::Issued { issuer, serial })
}

fn no_critical(mut extensions: Reader<'_>) -> Result<(), StampError> {
    while !extensions.is_empty() {
        let mut extension = extensions.inside(SEQUENCE)?;
        let oid = extension.take(OID)?.value;
        if extension.maybe(BOOLEAN)?.is_some_and(|flag| flag.value != [0]) {
            return Err(StampError::Critical(crate::der::dotted(oid)));
        }
    }
    Ok(())
}
