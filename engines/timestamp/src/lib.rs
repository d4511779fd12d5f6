//! RFC 3161 time stamps as a pure engine: makes the request, reads the answer, and verifies the token
//! against trust anchors of the caller.
//!
//! A [`Stamp`] is given out only if all of this holds: the authority granted it; it is over the imprint
//! asked for and carries the nonce; its CMS signature holds over attributes that name the content's hash
//! and, by ESSCertIDv2, the one certificate that may verify it; that certificate is for time stamping
//! and nothing else, marked critical; a path of valid certificates leads from it to an anchor.
//!
//! # Invariants
//! - No file, socket, clock, random number, thread or async: nonce and time are arguments.
//! - Bytes are read as DER with definite, shortest lengths; nothing panics on foreign bytes.
//! - What is not understood and marked critical refuses the token.
//!
//! # Limits
//! [`ANSWER_BYTES_MAX`] in an answer, [`CERTIFICATES_MAX`] certificates in it, [`PATH_MAX`] in a path. SHA-2
//! only. RSA from 2,048 bits (PKCS #1 v1.5 and PSS), ECDSA on P-256 and P-384, Ed25519; no revocation is
//! looked up, since that needs the network.

mod anchors;
mod der;
mod error;
mod path;
mod request;
mod signature;
mod time;
mod token;
mod verify;

pub use anchors::{ANCHORS_MAX, Anchors};
pub use error::StampError;
pub use path::PATH_MAX;
pub use request::Request;
pub use token::{ANSWER_BYTES_MAX, CERTIFICATES_MAX};
pub use verify::{CLOCK_SECONDS_MAX, Stamp, verify, verify_kept};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
