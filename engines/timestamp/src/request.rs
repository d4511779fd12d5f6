//! TimeStampReq: the imprint, a nonce, and the wish for the certificate.

use crate::der::{BOOLEAN, NULL, OCTETS, SEQUENCE, integer, wrap};
use crate::signature::Digest;

/// What is asked of an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// SHA-256 of what is stamped.
    pub imprint: [u8; 32],
    /// Drawn anew for each request, so that an old answer does not pass for a new one.
    pub nonce: u64,
}

impl Request {
    /// Media type of [`Request::to_der`].
    pub const TYPE: &str = "application/timestamp-query";
    /// Media type of the answer.
    pub const ANSWER_TYPE: &str = "application/timestamp-reply";

    /// A request over these bytes.
    pub fn over(data: &[u8], nonce: u64) -> Self {
        Self { imprint: Self::imprint_of(data), nonce }
    }

    /// The imprint of these bytes.
    pub fn imprint_of(data: &[u8]) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, data);
        let mut imprint = [0; 32];
        imprint.copy_from_slice(digest.as_ref());
        imprint
    }

    /// The body to send. The policy is the authority's choice; the certificate is asked for.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm =
            wrap(SEQUENCE, &[&wrap(crate::der::OID, &[Digest::Sha256.oid()]), &[NULL, 0]]);
        let imprint = wrap(SEQUENCE, &[&algorithm, &wrap(OCTETS, &[&self.imprint])]);
        let certificate = [BOOLEAN, 1, 0xff];
        wrap(SEQUENCE, &[&integer(1), &imprint, &integer(self.nonce), &certificate])
    }
}
