//! Trust anchors: the certificates a path may end at.

use x509_parser::{parse_x509_certificate, pem::Pem};

use crate::error::StampError;

/// Most certificates in a set of anchors.
pub const ANCHORS_MAX: usize = 32;

/// Certificates that are trusted because the caller says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Anchors {
    /// Reads PEM text with one certificate or several; other blocks are refused.
    pub fn from_pem(pem: &str) -> Result<Self, StampError> {
        let mut certificates = Vec::new();
        for block in Pem::iter_from_buffer(pem.as_bytes()) {
            let block = block.map_err(|_| StampError::malformed("trust anchor"))?;
            let whole = parse_x509_certificate(&block.contents);
            let is_whole = whole.is_ok_and(|(rest, _)| rest.is_empty());
            if block.label != "CERTIFICATE" || !is_whole {
                return Err(StampError::malformed("trust anchor"));
            }
            if certificates.len() == ANCHORS_MAX {
                return Err(StampError::TooLarge { what: "number of anchors", limit: ANCHORS_MAX });
            }
            certificates.push(block.contents);
        }
        if certificates.is_empty() { Err(StampError::NoAnchor) } else { Ok(Self { certificates }) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Never true: a set without an anchor is refused.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_no_anchor() {
        assert_eq!(Anchors::from_pem(""), Err(StampError::NoAnchor));
        assert_eq!(Anchors::from_pem("hello\n"), Err(StampError::NoAnchor));
        let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        assert!(Anchors::from_pem(key).is_err());
        let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        assert!(Anchors::from_pem(empty).is_err());
    }
}
