//! What each side of a TLS connection accepts. TLS 1.2 and 1.3, ring.

use std::{net::IpAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use x509_parser::extensions::GeneralName;

use crate::{
    EdgeError, Result,
    ca::{self, CENTRE, HouseCa, Identity},
    files, fingerprint,
};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate that can be changed while the server runs.
#[derive(Debug)]
pub struct Served(std::sync::RwLock<Arc<CertifiedKey>>);

impl Served {
    /// Serves this identity until it is replaced.
    pub fn new(identity: Identity) -> Result<Arc<Served>> {
        Ok(Arc::new(Served(std::sync::RwLock::new(certified(identity)?))))
    }

    /// Serves another identity from the next connection on.
    pub fn replace(&self, identity: Identity) -> Result<()> {
        let fresh = certified(identity)?;
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
    }
}

fn certified(identity: Identity) -> Result<Arc<CertifiedKey>> {
    let key = CertifiedKey::from_der(identity.chain, identity.key, &provider())?;
    Ok(Arc::new(key))
}

/// Own certificate files, whose chain and key must fit each other.
pub fn identity_from_files(certificate: &Path, key: &Path) -> Result<Identity> {
    let absent = |path: &Path| EdgeError::Io {
        path: path.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    };
    let pem = files::read(certificate)?.ok_or_else(|| absent(certificate))?;
    let chain = ca::certificates(&pem, certificate)?;
    let pem = files::read_key(key)?.ok_or_else(|| absent(key))?;
    let wrong = |what: String| EdgeError::File { path: key.to_owned(), what };
    let secret = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| wrong(format!("no private key in PEM form: {error}")))?;
    let both = CertifiedKey::from_der(chain.clone(), secret.clone_key(), &provider());
    if let Err(error) = both {
        let what = format!("does not belong to the certificate {}: {error}", certificate.display());
        return Err(wrong(what));
    }
    let (_, first) = x509_parser::parse_x509_certificate(&chain[0]).map_err(|error| {
        EdgeError::File { path: certificate.to_owned(), what: error.to_string() }
    })?;
    let ends = model::Timestamp(first.validity.not_after.timestamp().saturating_mul(1_000_000));
    Ok(Identity { chain, key: secret, ends })
}

/// For pages: nobody needs a certificate.
pub fn pages(served: Arc<Served>) -> Result<Arc<ServerConfig>> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(served);
    Ok(finished(config))
}

/// For agents: a certificate of the house CA, or none, which is good for enrolment only.
pub fn agents(served: Arc<Served>, ca: &HouseCa) -> Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone())?;
    let verifier: Arc<dyn ClientCertVerifier> =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(served);
    Ok(finished(config))
}

/// For senders of logs: whoever comes, or, if there are roots, only who holds a certificate below one
/// of them.
pub fn senders(
    served: Arc<Served>,
    roots: Vec<CertificateDer<'static>>,
) -> Result<Arc<ServerConfig>> {
    Ok(unresumed(sender(served, roots)?))
}

/// The same for those that speak HTTP: which version of it, they ask while they greet.
pub fn http_senders(
    served: Arc<Served>,
    roots: Vec<CertificateDer<'static>>,
) -> Result<Arc<ServerConfig>> {
    Ok(finished(sender(served, roots)?))
}

fn sender(served: Arc<Served>, roots: Vec<CertificateDer<'static>>) -> Result<ServerConfig> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if roots.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut store = RootCertStore::empty();
        roots.into_iter().try_for_each(|root| store.add(root))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        builder.with_client_cert_verifier(verifier)
    };
    Ok(builder.with_cert_resolver(served))
}

/// Who a certificate (DER) is for: common names, DNS names and addresses.
pub fn names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let subject = certificate.subject().iter_common_name();
    let mut names: Vec<String> =
        subject.filter_map(|name| name.as_str().ok().map(str::to_owned)).collect();
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return names };
    for name in &alternative.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => names.extend(address(bytes)),
            _ => {}
        }
    }
    names
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let all = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    all.ok().map(|address| address.to_string())
}

fn finished(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    unresumed(config)
}

fn unresumed(mut config: ServerConfig) -> Arc<ServerConfig> {
    // A resumed session would carry a certificate that was not looked at again.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// For an agent: the centre is whoever holds a certificate for [`CENTRE`] from the CA with this
/// fingerprint, at whatever address.
pub fn agent(ca: &str, identity: Option<Identity>) -> Result<ClientConfig> {
    let verifier = Arc::new(CentreVerifier { ca: ca.to_owned(), provider: provider() });
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key)?,
        None => builder.with_no_client_auth(),
    })
}

#[derive(Debug)]
struct CentreVerifier {
    ca: String,
    provider: Arc<CryptoProvider>,
}

impl CentreVerifier {
    fn inner(
        &self,
        root: &CertificateDer<'_>,
    ) -> std::result::Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))
    }
}

impl ServerCertVerifier for CentreVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(root) = intermediates.iter().find(|c| fingerprint(c) == self.ca) else {
            let text = "this is not the centre that made the token: its CA has another fingerprint";
            return Err(rustls::Error::General(text.to_owned()));
        };
        let name = ServerName::try_from(CENTRE)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        self.inner(root)?.verify_server_cert(end_entity, &[], &name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}
