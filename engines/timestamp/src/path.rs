//! A path of certificates from the signer to a trust anchor (RFC 5280 section 6, without revocation and
//! without name constraints: a certificate that marks those critical ends no path).

use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use crate::der::dotted;
use crate::error::StampError;
use crate::signature::{self, PublicKey};

/// Most certificates in a path, signer and anchor included.
pub const PATH_MAX: usize = 8;
/// Most signatures that are checked while a path is looked for.
const CHECKS_MAX: usize = 64;

/// A certificate and its bytes.
#[derive(Clone)]
pub(crate) struct Certificate<'a> {
    pub der: &'a [u8],
    pub parsed: X509Certificate<'a>,
}

impl<'a> Certificate<'a> {
    pub fn parse(der: &'a [u8]) -> Result<Self, StampError> {
        match X509Certificate::from_der(der) {
            Ok(([], parsed)) => Ok(Self { der, parsed }),
            _ => Err(StampError::malformed("certificate")),
        }
    }

    pub fn subject(&self) -> String {
        self.parsed.subject().to_string()
    }

    pub fn key(&self) -> Result<PublicKey<'a>, StampError> {
        PublicKey::parse(self.parsed.tbs_certificate.subject_pki.raw)
    }

    fn covers(&self, time: i64) -> bool {
        let validity = self.parsed.validity();
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&time)
    }

    /// Refuses what its maker marked as not to be overlooked.
    pub fn is_understood(&self) -> Result<(), StampError> {
        for extension in self.parsed.extensions().iter().filter(|e| e.critical) {
            use ParsedExtension::{
                BasicConstraints, CertificatePolicies, ExtendedKeyUsage, KeyUsage,
                SubjectAlternativeName,
            };
            match extension.parsed_extension() {
                BasicConstraints(_) | KeyUsage(_) | ExtendedKeyUsage(_) => {}
                CertificatePolicies(_) | SubjectAlternativeName(_) => {}
                _ => return Err(StampError::Critical(dotted(extension.oid.as_bytes()))),
            }
        }
        Ok(())
    }

    /// Whether it may stand above `below` further certificates that are not the signer's.
    fn may_issue(&self, below: usize) -> bool {
        let Ok(Some(constraints)) = self.parsed.basic_constraints() else { return false };
        let long_enough =
            constraints.value.path_len_constraint.is_none_or(|most| below <= most as usize);
        let signs = match self.parsed.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
            Err(_) => false,
        };
        constraints.value.ca && long_enough && signs
    }

    fn signed(&self, below: &Certificate<'_>) -> bool {
        let Ok(key) = self.key() else { return false };
        let algorithm = below.parsed.signature_algorithm.algorithm.as_bytes();
        let inner = &below.parsed.tbs_certificate.signature;
        let (message, signed) =
            (below.parsed.tbs_certificate.as_ref(), &below.parsed.signature_value);
        inner.algorithm.as_bytes() == algorithm
            && signature::check("certificate", key, algorithm, None, message, &signed.data).is_ok()
    }
}

/// Looks for a path on which every certificate is valid at `time`.
pub(crate) fn find<'b>(
    signer: &Certificate<'b>,
    others: &[Certificate<'b>],
    anchors: &[Certificate<'b>],
    time: i64,
) -> Result<(), StampError> {
    let mut search = Search { others, anchors, time, checks: 0, expired: None };
    if search.climb(&mut vec![signer]) {
        return Ok(());
    }
    // Only what would have been a path otherwise is told as expired.
    Err(search.expired.map_or(StampError::Untrusted, |subject| StampError::Expired { subject }))
}

struct Search<'a, 'b> {
    others: &'a [Certificate<'b>],
    anchors: &'a [Certificate<'b>],
    time: i64,
    checks: usize,
    expired: Option<String>,
}

impl<'a, 'b> Search<'a, 'b> {
    fn climb(&mut self, path: &mut Vec<&'a Certificate<'b>>) -> bool {
        let top = path[path.len() - 1];
        if !top.covers(self.time) {
            self.expired.get_or_insert_with(|| top.subject());
            return false;
        }
        if top.is_understood().is_err() {
            return false;
        }
        if self.anchors.iter().any(|anchor| anchor.der == top.der) {
            return true;
        }
        if path.len() == PATH_MAX {
            return false;
        }
        let (anchors, others) = (self.anchors, self.others);
        for above in anchors.iter().chain(others) {
            let names = above.parsed.subject().as_raw() == top.parsed.issuer().as_raw();
            let fresh = path.iter().all(|below| below.der != above.der);
            if !names || !fresh || !above.may_issue(path.len() - 1) {
                continue;
            }
            self.checks += 1;
            if self.checks > CHECKS_MAX || !above.signed(top) {
                continue;
            }
            path.push(above);
            if self.climb(path) {
                return true;
            }
            path.pop();
        }
        false
    }
}
