//! The house CA: one ECDSA P-256 key that says which machine is the centre and which are agents.
//!
//! Invariants: the CA signs no other CA (path length 0) and, by name constraints, no public name, so
//! that whoever trusts it in a browser trusts it for this house only; certificates below it last at
//! most 30 days and say either server or client, never both; serials are random (RFC 5280 4.1.2.2).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    time::Duration,
};

use model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CidrSubnet,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{EdgeError, Result, files, fingerprint, random};

/// The name under which every agent looks for the centre, whatever address leads to it: only this CA
/// can sign it, and an address may change.
pub const CENTRE: &str = "centre.ume.internal";

const CA_DAYS: i64 = 3650 - 2;
/// Life of certificates below the CA.
pub const LEAF_DAYS: i64 = 30;
/// Clocks differ: a certificate is good a little before it was made.
const SKEW_HOURS: i64 = 1;
/// Suffixes that are no public names: RFC 6761, 6762, 8375, and ICANN's `internal`.
const PRIVATE_SUFFIXES: [&str; 7] =
    ["localhost", "internal", "local", "lan", "home.arpa", "test", "example"];

/// The CA with its key.
pub struct HouseCa {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
    names: Vec<String>,
}

/// A certificate with its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub ends: Timestamp,
}

/// A client certificate made for an agent.
pub struct Issued {
    pub pem: String,
    pub fingerprint: String,
    pub ends: Timestamp,
}

impl HouseCa {
    /// Opens the CA in `folder` (`DIR/ca`), drawing its key at the first start.
    pub fn open(folder: &Path, hostname: &str, now: Timestamp) -> Result<HouseCa> {
        files::create_dir(folder)?;
        let (key_path, pem_path) = (folder.join("key.pem"), folder.join("ca.pem"));
        let known = (files::read_key(&key_path)?, files::read(&pem_path)?);
        let (key, pem) = match known {
            (Some(key), Some(pem)) => (KeyPair::from_pem(&key)?, pem),
            // Cut off between the two files: nothing was signed with this key yet.
            (Some(key), None) => {
                let key = KeyPair::from_pem(&key)?;
                let pem = self_signed(&key, hostname, now)?;
                files::replace(&pem_path, pem.as_bytes())?;
                (key, pem)
            }
            (None, Some(_)) => {
                let what = "missing although the certificate is there: restore it from a backup";
                return Err(EdgeError::File { path: key_path, what: what.to_owned() });
            }
            (None, None) => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                files::replace(&key_path, key.serialize_pem().as_bytes())?;
                let pem = self_signed(&key, hostname, now)?;
                files::replace(&pem_path, pem.as_bytes())?;
                (key, pem)
            }
        };
        let der = certificates(&pem, &pem_path)?.remove(0);
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(HouseCa { issuer, der, pem, names: own_names(hostname) })
    }

    /// SHA-256 of the CA's certificate.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    /// The CA's certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The CA's certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// A fresh key and server certificate for the centre: [`CENTRE`], this host's names and loopback.
    pub fn server(&self, now: Timestamp) -> Result<Identity> {
        let mut params = leaf("Ume centre", ExtendedKeyUsagePurpose::ServerAuth, now)?;
        for name in [CENTRE.to_owned(), "localhost".to_owned()].iter().chain(&self.names) {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        params.subject_alt_names.extend(loopback.map(SanType::IpAddress));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let pkcs8 = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Identity {
            chain: vec![certificate.der().clone(), self.der.clone()],
            key: PrivateKeyDer::Pkcs8(pkcs8),
            ends: now.plus_hours(LEAF_DAYS * 24),
        })
    }

    /// A client certificate for whoever signed the request; of the request only the key is used.
    pub fn client(&self, request: &Request, name: &str, now: Timestamp) -> Result<Issued> {
        let params = leaf(name, ExtendedKeyUsagePurpose::ClientAuth, now)?;
        let certificate = params.signed_by(&request.params.public_key, &self.issuer)?;
        Ok(Issued {
            pem: certificate.pem(),
            fingerprint: fingerprint(certificate.der()),
            ends: now.plus_hours(LEAF_DAYS * 24),
        })
    }
}

/// A signing request whose signature was checked.
pub struct Request {
    params: CertificateSigningRequestParams,
}

impl Request {
    /// Reads and verifies a request; only P-256 keys are taken.
    pub fn parse(pem: &str) -> Result<Request> {
        let params = CertificateSigningRequestParams::from_pem(pem)?;
        if *params.public_key.algorithm() != PKCS_ECDSA_P256_SHA256 {
            return Err(EdgeError::Algorithm);
        }
        Ok(Request { params })
    }

    /// SHA-256 of the public key.
    pub fn key_hash(&self) -> String {
        use rcgen::PublicKeyData;
        fingerprint(&self.params.public_key.subject_public_key_info())
    }

    /// A request for this key, as an agent makes it.
    pub fn make(key: &KeyPair) -> Result<String> {
        Ok(CertificateParams::default().serialize_request(key)?.pem()?)
    }
}

/// All certificates of a PEM text, at least one.
pub fn certificates(pem: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    use rustls::pki_types::pem::PemObject;
    let wrong = |what: String| EdgeError::File { path: path.to_owned(), what };
    let all: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(wrong("holds no certificate in PEM form".to_owned())),
        Err(error) => Err(wrong(format!("no certificate in PEM form: {error}"))),
    }
}

fn self_signed(key: &KeyPair, hostname: &str, now: Timestamp) -> Result<String> {
    let mut params = CertificateParams::default();
    // Two houses must not have CAs of one name: browsers choose the issuer by it.
    let house = hex::encode(random::<4>()?);
    params.distinguished_name = named(&format!("Ume house CA {hostname} {house}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted(hostname),
        excluded_subtrees: Vec::new(),
    });
    lasting(&mut params, now, CA_DAYS)?;
    Ok(params.self_signed(key)?.pem())
}

fn permitted(hostname: &str) -> Vec<GeneralSubtree> {
    let dns = PRIVATE_SUFFIXES.iter().map(|s| (*s).to_owned()).chain(own_names(hostname));
    let mut all: Vec<GeneralSubtree> = dns.map(GeneralSubtree::DnsName).collect();
    let v4 =
        [([127, 0, 0, 0], 8), ([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)];
    all.extend(v4.map(|(a, n)| GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(a, n))));
    let v6 = [(Ipv6Addr::LOCALHOST, 128), (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)];
    all.extend(
        v6.map(|(a, n)| GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(a.octets(), n))),
    );
    all
}

/// What of the host's name can stand in a certificate.
fn own_names(hostname: &str) -> Vec<String> {
    let name = hostname.trim().trim_end_matches('.').to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let good = !name.is_empty() && name.len() < 200 && name.chars().all(plain);
    if good && name != "localhost" { vec![name] } else { Vec::new() }
}

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose, now: Timestamp) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    lasting(&mut params, now, LEAF_DAYS)?;
    Ok(params)
}

fn lasting(params: &mut CertificateParams, now: Timestamp, days: i64) -> Result<()> {
    let at = |time: Timestamp| {
        let seconds = (time.0 / 1_000_000).max(0).unsigned_abs();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(now.minus_hours(SKEW_HOURS));
    params.not_after = at(now.plus_hours(days * 24));
    let mut serial = random::<16>()?;
    // Positive, and never zero.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    #[test]
    fn the_ca_is_kept_private_and_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca");
        let first = HouseCa::open(&path, "Host-1.Example.Test", NOW).unwrap();
        let second = HouseCa::open(&path, "other", NOW).unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        let key = path.join("key.pem");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(HouseCa::open(&path, "x", NOW).is_err());
        std::fs::remove_file(&key).unwrap();
        assert!(HouseCa::open(&path, "x", NOW).is_err());
    }

    #[test]
    fn certificates_say_what_they_are_for_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let ca = HouseCa::open(folder.path(), "host-1", NOW).unwrap();
        let (_, root) = x509_parser::parse_x509_certificate(ca.der()).unwrap();
        let constraints = root.basic_constraints().unwrap().unwrap().value;
        assert!(constraints.ca && constraints.path_len_constraint == Some(0));
        assert!(root.name_constraints().unwrap().unwrap().critical);
        let years = |c: &x509_parser::certificate::X509Certificate<'_>| {
            c.validity.not_after.timestamp() - c.validity.not_before.timestamp()
        };
        assert!(years(&root) <= 10 * 365 * 86_400 + 2 * 86_400);
        let server = ca.server(NOW).unwrap();
        let (_, server) = x509_parser::parse_x509_certificate(&server.chain[0]).unwrap();
        let usage = server.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && !usage.client_auth && !server.is_ca());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let request = Request::parse(&Request::make(&key).unwrap()).unwrap();
        let one = ca.client(&request, "web-1", NOW).unwrap();
        let two = ca.client(&request, "web-1", NOW).unwrap();
        assert_ne!(one.fingerprint, two.fingerprint);
        let der = certificates(&one.pem, Path::new("x")).unwrap().remove(0);
        let (_, client) = x509_parser::parse_x509_certificate(&der).unwrap();
        let usage = client.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !client.is_ca());
        assert!(years(&client) <= 31 * 86_400);
        assert!(client.raw_serial().len() >= 16);
    }

    #[test]
    fn a_request_with_a_broken_signature_or_another_kind_of_key_is_refused() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pem = Request::make(&key).unwrap();
        assert!(matches!(Request::parse(&pem), Err(EdgeError::Algorithm)));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap();
        let mut der = csr.der().to_vec();
        let last = der.len() - 1;
        der[last] ^= 1;
        assert!(CertificateSigningRequestParams::from_der(&der.into()).is_err());
        assert!(Request::parse("-----BEGIN X-----\n").is_err());
    }
}
