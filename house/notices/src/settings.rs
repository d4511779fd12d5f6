//! Where notices go: mail server and webhook. Secrets are kept apart, sealed, and are never shown
//! again.

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

const SETTING: &str = "notices";
const SECRETS: &str = store::SECRET_SETTINGS[0];

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// STARTTLS, demanded.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None: to this machine only, and without a password.
    None,
}

/// What an administrator sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Settings {
    /// Empty: no mail.
    pub smtp_host: String,
    pub smtp_port: u16,
    pub smtp_security: Security,
    /// Empty: no sign-in.
    pub smtp_user: String,
    /// PEM file on the server with the authority to trust instead of the system's; may be empty.
    pub ca_file: String,
    pub from: String,
    /// Address under which readers reach these pages, for links; may be empty.
    pub base_url: String,
    /// Empty: no webhook.
    pub webhook_url: String,
    /// Lets the webhook go to loopback, private and link-local addresses.
    pub webhook_private: bool,
}

/// What is written and never shown. Its text form hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Secrets {
    pub smtp_password: String,
    pub webhook_secret: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(hidden)")
    }
}

/// What is wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("sender is no mail address")]
    From,
    #[error("mail without protection goes to this machine only, and without a password")]
    Plain,
    #[error("the file of the authority cannot be read as PEM: {0}")]
    Authority(String),
    #[error("the webhook's address is no https address")]
    Url,
    #[error("a webhook needs a secret of at least 16 characters")]
    Secret,
    #[error("the address of these pages is no http or https address")]
    Base,
}

impl Settings {
    /// Whether mail is set up.
    pub fn has_mail(&self) -> bool {
        !self.smtp_host.is_empty()
    }

    /// Whether a webhook is set up.
    pub fn has_webhook(&self) -> bool {
        !self.webhook_url.is_empty()
    }

    /// Holds the settings against the rules.
    pub fn check(&self, secrets: &Secrets) -> Result<(), Wrong> {
        if self.has_mail() {
            self.from.parse::<Mailbox>().map_err(|_| Wrong::From)?;
            let local = matches!(self.smtp_host.as_str(), "localhost" | "127.0.0.1" | "::1");
            let bare = self.smtp_security == Security::None;
            if bare && (!local || !self.smtp_user.is_empty()) {
                return Err(Wrong::Plain);
            }
        }
        if !self.ca_file.is_empty() {
            crate::mail::authority(&self.ca_file).map_err(Wrong::Authority)?;
        }
        if self.has_webhook() {
            let url = reqwest::Url::parse(&self.webhook_url).map_err(|_| Wrong::Url)?;
            let secure = url.scheme() == "https";
            let plain_inside = url.scheme() == "http" && self.webhook_private;
            let bare = url.username().is_empty() && url.password().is_none();
            if !(secure || plain_inside) || url.host_str().is_none() || !bare {
                return Err(Wrong::Url);
            }
            if secrets.webhook_secret.chars().count() < 16 {
                return Err(Wrong::Secret);
            }
        }
        if !self.base_url.is_empty() {
            let url = reqwest::Url::parse(&self.base_url).map_err(|_| Wrong::Base)?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(Wrong::Base);
            }
        }
        Ok(())
    }

    /// A page's address for a reader; empty when the pages' own address is not set.
    pub fn link(&self, path: &str) -> String {
        if self.base_url.is_empty() {
            return String::new();
        }
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }
}

impl Secrets {
    /// An error text without any of the secrets, cut to a limit.
    pub fn hide(&self, text: &str) -> String {
        const ERROR_CHARS_MAX: usize = 300;
        let mut text = text.to_owned();
        for secret in [&self.smtp_password, &self.webhook_secret] {
            if !secret.is_empty() {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text.chars().filter(|c| !c.is_control()).take(ERROR_CHARS_MAX).collect()
    }
}

/// Reads settings and secrets; none set yet are empty ones.
pub async fn load(store: &Store) -> Result<(Settings, Secrets), StoreError> {
    let bad = |e: serde_json::Error| StoreError::Column(format!("settings of notices: {e}"));
    let settings = match store.setting(SETTING).await? {
        Some(text) => serde_json::from_str(&text).map_err(bad)?,
        None => Settings::default(),
    };
    let sealed = match store.secret_setting(SECRETS).await {
        // Restored without its key: the page asks for the secrets again, as if none were set.
        Err(error @ StoreError::SealedSetting(_)) => {
            tracing::warn!(%error, "the secrets of mail server and webhook are lost");
            None
        }
        found => found?,
    };
    let secrets = match sealed {
        // The error would quote the text, so it is not passed on.
        Some(text) => serde_json::from_str(&text)
            .map_err(|_| StoreError::Column("secrets of notices".to_owned()))?,
        None => Secrets::default(),
    };
    Ok((settings, secrets))
}

/// Saves settings and secrets.
pub async fn save(store: &Store, settings: &Settings, secrets: &Secrets) -> Result<(), StoreError> {
    let text = serde_json::to_string(settings).unwrap_or_default();
    store.set_setting(SETTING, &text).await?;
    let text = serde_json::to_string(secrets).unwrap_or_default();
    store.set_secret_setting(SECRETS, &text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Settings {
        Settings {
            smtp_host: "mail.example.jp".to_owned(),
            smtp_port: 587,
            from: "Ume <ume@example.jp>".to_owned(),
            ..Settings::default()
        }
    }

    #[test]
    fn mail_is_protected_unless_it_stays_on_this_machine() {
        let none = Secrets::default();
        assert_eq!(mail().check(&none), Ok(()));
        let bare = Settings { smtp_security: Security::None, ..mail() };
        assert_eq!(bare.check(&none), Err(Wrong::Plain));
        let local = Settings { smtp_host: "localhost".to_owned(), ..bare };
        assert_eq!(local.check(&none), Ok(()));
        let with_password = Settings { smtp_user: "ume".to_owned(), ..local };
        assert_eq!(with_password.check(&none), Err(Wrong::Plain));
        let nobody = Settings { from: "nobody".to_owned(), ..mail() };
        assert_eq!(nobody.check(&none), Err(Wrong::From));
    }

    #[test]
    fn a_webhook_is_https_and_has_a_secret() {
        let long = Secrets { webhook_secret: "x".repeat(16), ..Secrets::default() };
        let to = |url: &str, private| Settings {
            webhook_url: url.to_owned(),
            webhook_private: private,
            ..Settings::default()
        };
        assert_eq!(to("https://hooks.example.jp/x", false).check(&long), Ok(()));
        assert_eq!(to("http://hooks.example.jp/x", false).check(&long), Err(Wrong::Url));
        assert_eq!(to("http://127.0.0.1:9/x", true).check(&long), Ok(()));
        assert_eq!(to("https://a:b@hooks.example.jp/", false).check(&long), Err(Wrong::Url));
        assert_eq!(to("file:///etc/passwd", true).check(&long), Err(Wrong::Url));
        let short = Secrets::default();
        assert_eq!(to("https://hooks.example.jp/", false).check(&short), Err(Wrong::Secret));
    }

    #[test]
    fn secrets_do_not_show() {
        let secrets = Secrets { smtp_password: "open sesame".to_owned(), ..Secrets::default() };
        assert!(!format!("{secrets:?}").contains("sesame"));
        assert_eq!(secrets.hide("535 open sesame\r\nrefused"), "535 ***refused");
    }
}
