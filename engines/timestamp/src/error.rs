//! Why there is no stamp, each message a fragment that reads after "failed to …:".

use thiserror::Error;

/// Why an answer is no valid time stamp of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StampError {
    /// The bytes break the format.
    #[error("malformed {what} at byte {at}")]
    Malformed {
        /// The thing read.
        what: &'static str,
        /// Offset into the part that was read.
        at: usize,
    },
    /// Larger than a limit of this crate.
    #[error("{what} is above the limit of {limit}")]
    TooLarge {
        /// The thing measured.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The authority refused.
    #[error("the authority refused: status {status}{}{text}", if .text.is_empty() { "" } else { ", " })]
    Refused {
        /// PKIStatus.
        status: u8,
        /// What it said, without control characters.
        text: String,
    },
    /// The stamp is over something else.
    #[error("the stamp is over another imprint")]
    Imprint,
    /// The stamp does not answer this request.
    #[error("the nonce is missing or another one")]
    Nonce,
    /// The signature does not hold.
    #[error("the signature of the {0} does not hold")]
    Signature(&'static str),
    /// An algorithm this crate does not verify, or holds too weak.
    #[error("{what}: algorithm {oid} is not accepted")]
    Algorithm {
        /// Where it is used.
        what: &'static str,
        /// Dotted object identifier.
        oid: String,
    },
    /// A signed attribute is missing, doubled or wrong.
    #[error("signed attribute {0}: missing, given twice or wrong")]
    Attribute(&'static str),
    /// No certificate in the token is the one its signer named.
    #[error("the signer's certificate is not in the token")]
    NoCertificate,
    /// The certificate may not sign time stamps.
    #[error("the signer's certificate is not for time stamping alone, marked critical")]
    Purpose,
    /// The certificate or one above it was not valid at the time.
    #[error("the certificate of {subject} is not valid at that time")]
    Expired {
        /// Whose certificate.
        subject: String,
    },
    /// No path leads to an anchor.
    #[error("no path leads from the signer's certificate to a trust anchor")]
    Untrusted,
    /// The authority's clock and ours are too far apart.
    #[error("the stamp's time is {seconds} s off our clock")]
    Clock {
        /// Stamp minus ours.
        seconds: i64,
    },
    /// A critical part that is not understood.
    #[error("a critical extension is not understood: {0}")]
    Critical(String),
    /// The file of trust anchors holds none.
    #[error("no certificate in the trust anchors")]
    NoAnchor,
}

impl StampError {
    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::Malformed { what, at: 0 }
    }
}
