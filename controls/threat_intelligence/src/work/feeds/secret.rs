//! What opens a source: kept sealed, given to its server alone, in no record, log or page.

use fetch::Fault;
use model::Id;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

const KEY: &str = "threat_intelligence.source_key:";
pub const KEPT: &str = "threat_intelligence.source_key_kept";
pub const TEXT_BYTES_MAX: usize = 4_096;
pub const PEM_BYTES_MAX: usize = 65_536;

/// What opens a source.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// Of HTTP Basic.
    pub user: String,
    pub password: String,
    /// The header `Authorization` as it stands, such as a key of MISP.
    pub key: String,
    /// Own certificate and key, PEM.
    pub identity: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub fn is_empty(&self) -> bool {
        *self == Secret::default()
    }

    /// What is wrong with it, before it is kept.
    pub fn check(&self) -> Result<(), Fault> {
        let is_long = |text: &str| text.len() > TEXT_BYTES_MAX;
        let is_bad = |text: &str| is_long(text) || text.chars().any(char::is_control);
        if is_bad(&self.user) || is_bad(&self.password) || is_bad(&self.key) {
            return Err(Fault::said(
                "利用者名・パスワード・鍵は、改行などを含まない4096バイトまでです",
                "user, password and key are at most 4,096 bytes without line breaks",
            ));
        }
        if self.user.contains(':') || (self.user.is_empty() && !self.password.is_empty()) {
            return Err(Fault::said(
                "利用者名を入れてください（「:」は使えません）",
                "give a user name, without a colon",
            ));
        }
        let pem = &self.identity;
        let whole = pem.contains("BEGIN CERTIFICATE") && pem.contains("PRIVATE KEY");
        if pem.len() > PEM_BYTES_MAX || (!pem.is_empty() && !whole) {
            return Err(Fault::said(
                "クライアント証明書は、証明書と秘密鍵をつなげたPEM（64 KiBまで）です",
                "a client certificate is the certificate followed by its private key, as PEM of at most 64 KiB",
            ));
        }
        Ok(())
    }
}

/// What opens a source; an empty one where nothing does.
pub async fn load(store: &Store, id: Id) -> Result<Secret, StoreError> {
    let text = store.secret_setting(&format!("{KEY}{id}")).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Keeps what opens a source, or forgets it; that it was changed is recorded, never what it is.
pub async fn save(store: &Store, id: Id, secret: &Secret, actor: &str) -> Result<(), StoreError> {
    let name = format!("{KEY}{id}");
    match secret.is_empty() {
        true => drop(store.take_setting(&name).await?),
        false => {
            let text = serde_json::to_string(secret).unwrap_or_default();
            store.set_secret_setting(&name, &text).await?;
        }
    }
    let way = match () {
        () if secret.is_empty() => "none",
        () if !secret.key.is_empty() => "header",
        () if !secret.user.is_empty() => "basic",
        () => "certificate",
    };
    let mut write = store.write(actor, "feeds", "").await?;
    let facts = serde_json::json!({ "way": way });
    write.record(room::draft(KEPT, Some(id), store.now(), facts)).await?;
    write.commit().await
}

pub async fn is_there(store: &Store, id: Id) -> Result<bool, StoreError> {
    Ok(store.setting(&format!("{KEY}{id}")).await?.is_some())
}
