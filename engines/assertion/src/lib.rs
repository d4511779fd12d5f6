//! WebAuthn assertions (Level 3, section 7.2) over a challenge that the relying party chose itself.
//!
//! A log-in draws its challenge at random; a signature under a document makes the document's hash the
//! challenge. This crate verifies the second kind: it parses what the browser sent, holds each part
//! against what is expected, and verifies the signature.
//!
//! Invariants: no I/O, no clock, no randomness. Nothing is accepted that was not looked at: bytes
//! behind the authenticator data, unknown key types and doubled JSON members are refused.
//! Limits: [`CLIENT_DATA_BYTES_MAX`], [`AUTHENTICATOR_DATA_BYTES_MAX`], [`SIGNATURE_BYTES_MAX`].

mod authenticator;
mod cbor;
mod client;
mod der;
mod key;

use ring::digest::{SHA256, digest};

pub use key::{KeyError, PublicKey};

/// Longest `clientDataJSON`; browsers write some 200 bytes.
pub const CLIENT_DATA_BYTES_MAX: usize = 4_096;
/// Longest authenticator data; without extensions it has 37 bytes.
pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 2_048;
/// Longest signature: RSA of 8192 bits.
pub const SIGNATURE_BYTES_MAX: usize = 1_024;

/// What a browser returns from `navigator.credentials.get`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    pub authenticator_data: Vec<u8>,
    pub client_data_json: Vec<u8>,
    pub signature: Vec<u8>,
}

/// What the assertion has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The bytes that were given to the browser as challenge.
    pub challenge: &'a [u8],
    /// Scheme, host and port of the page, as browsers write it.
    pub origin: &'a str,
    /// The relying party: the host, or a registrable part of it.
    pub rp_id: &'a str,
    pub key: &'a PublicKey,
    /// The counter as last seen; 0 if the authenticator keeps none.
    pub counter: u32,
}

/// What a good assertion says beside its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub counter: u32,
    /// The credential lives in a synchronised keychain, not in one device.
    pub backed_up: bool,
}

/// Why an assertion does not count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("{0} is longer than the limit")]
    Long(&'static str),
    #[error("the client data is not JSON as browsers write it: {0}")]
    ClientData(String),
    #[error("the client data is of type {0}, not webauthn.get")]
    Type(String),
    #[error("the challenge is another one")]
    Challenge,
    #[error("the page was at {0}")]
    Origin(String),
    #[error("the page stood inside a page of another origin")]
    CrossOrigin,
    #[error("the authenticator data is malformed: {0}")]
    AuthenticatorData(&'static str),
    #[error("the authenticator answered for another relying party")]
    RelyingParty,
    #[error("nobody touched the authenticator")]
    NotPresent,
    #[error("the authenticator did not verify its user")]
    NotVerified,
    #[error("the counter went from {seen} to {now}: a copy of the key may be in use")]
    Counter { seen: u32, now: u32 },
    #[error("the signature does not fit")]
    Signature,
}

/// Holds an assertion against what is expected of it; the signature comes last, so that the answer
/// names the cause.
pub fn verify(assertion: &Assertion, expected: &Expected<'_>) -> Result<Seen, AssertionError> {
    let long = |bytes: &[u8], max: usize, what| {
        if bytes.len() > max { Err(AssertionError::Long(what)) } else { Ok(()) }
    };
    long(&assertion.client_data_json, CLIENT_DATA_BYTES_MAX, "the client data")?;
    long(&assertion.authenticator_data, AUTHENTICATOR_DATA_BYTES_MAX, "the authenticator data")?;
    long(&assertion.signature, SIGNATURE_BYTES_MAX, "the signature")?;

    client::check(&assertion.client_data_json, expected)?;
    let data = authenticator::parse(&assertion.authenticator_data)?;
    if data.rp_id_hash != digest(&SHA256, expected.rp_id.as_bytes()).as_ref() {
        return Err(AssertionError::RelyingParty);
    }
    if !data.user_present {
        return Err(AssertionError::NotPresent);
    }
    if !data.user_verified {
        return Err(AssertionError::NotVerified);
    }
    let (seen, now) = (expected.counter, data.counter);
    // An authenticator without a counter always says 0.
    if (seen, now) != (0, 0) && now <= seen {
        return Err(AssertionError::Counter { seen, now });
    }
    let mut message = assertion.authenticator_data.clone();
    message.extend_from_slice(digest(&SHA256, &assertion.client_data_json).as_ref());
    if !expected.key.verifies(&message, &assertion.signature) {
        return Err(AssertionError::Signature);
    }
    Ok(Seen { counter: now, backed_up: data.backed_up })
}
