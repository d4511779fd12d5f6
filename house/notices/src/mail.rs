//! Mail over SMTP.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};

use crate::settings::{Secrets, Security, Settings};

const TIMEOUT: Duration = Duration::from_secs(20);
const CA_BYTES_MAX: u64 = 1 << 20;

/// The connection to the mail server.
pub type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Reads the authority's certificates; the error names the file's fault, never its content.
pub fn authority(path: &str) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|e| format!("{path}: {e}"))?.len();
    if size > CA_BYTES_MAX {
        return Err(format!("{path}: larger than {CA_BYTES_MAX} bytes"));
    }
    let pem = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
    let is_pem = pem.windows(27).any(|w| w == b"-----BEGIN CERTIFICATE-----");
    let good = is_pem && Certificate::from_pem(&pem).is_ok();
    good.then_some(pem).ok_or_else(|| format!("{path}: no certificate"))
}

/// Opens a way to the mail server.
pub fn transport(settings: &Settings, secrets: &Secrets) -> Result<Transport, String> {
    let host = settings.smtp_host.as_str();
    let parameters = || -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(host.to_owned());
        if !settings.ca_file.is_empty() {
            let pem = authority(&settings.ca_file)?;
            let authority = Certificate::from_pem(&pem).map_err(|e| e.to_string())?;
            builder =
                builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
        }
        builder.build_rustls().map_err(|e| e.to_string())
    };
    let tls = match settings.smtp_security {
        Security::StartTls => Tls::Required(parameters()?),
        Security::Tls => Tls::Wrapper(parameters()?),
        Security::None => Tls::None,
    };
    let mut builder =
        Transport::builder_dangerous(host).port(settings.smtp_port).tls(tls).timeout(Some(TIMEOUT));
    if !settings.smtp_user.is_empty() {
        let (user, password) = (settings.smtp_user.clone(), secrets.smtp_password.clone());
        builder = builder.credentials(Credentials::new(user, password));
    }
    Ok(builder.build())
}

/// A mail to one reader.
pub struct Mail<'a> {
    /// Same on each try, so that a repeated delivery can be told from a second mail.
    pub id: String,
    pub to: &'a str,
    pub subject: String,
    pub body: String,
}

/// Sends one mail; on failure says why.
pub async fn send(
    transport: &Transport,
    settings: &Settings,
    mail: Mail<'_>,
) -> Result<(), String> {
    let from: Mailbox = settings.from.parse().map_err(|_| "sender is no address".to_owned())?;
    let to: Mailbox = mail.to.parse().map_err(|_| "recipient is no address".to_owned())?;
    let message_id = format!("<{}@{}>", mail.id, from.email.domain());
    let message = Message::builder()
        .message_id(Some(message_id))
        .from(from)
        .to(to)
        .subject(mail.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body)
        .map_err(|e| e.to_string())?;
    // The whole exchange is bounded: the transport's own limit is for one command.
    match tokio::time::timeout(TIMEOUT * 3, transport.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(full(&error)),
        Err(_) => Err("the mail server did not answer in time".to_owned()),
    }
}

/// An error with its causes.
fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(&format!(": {more}"));
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_certificate_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "root:open sesame").unwrap();
        let error = authority(path.to_str().unwrap()).unwrap_err();
        assert!(error.contains("ca.pem: no certificate") && !error.contains("sesame"));
        assert!(authority("/nonexistent.pem").unwrap_err().contains("/nonexistent.pem"));
    }
}
