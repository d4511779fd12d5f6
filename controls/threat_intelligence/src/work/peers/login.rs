//! What opens a peer's server to us: kept sealed, shown never.

use model::Id;
use room::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Store;

/// Setting of a channel: name and secret, sealed.
const LOGIN: &str = "threat_intelligence.channel_login:";
pub const CHANGED: &str = "threat_intelligence.channel_login_changed";
pub const CHARS_MAX: usize = 512;

/// A user and password of TAXII, or nothing and the key of MISP.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Login {
    pub user: String,
    pub secret: String,
}

pub async fn get(store: &Store, channel: Id) -> Result<Option<Login>, Error> {
    let text = store.secret_setting(&format!("{LOGIN}{channel}")).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

pub async fn is_there(store: &Store, channel: Id) -> Result<bool, Error> {
    Ok(store.setting(&format!("{LOGIN}{channel}")).await?.is_some())
}

/// Keeps a login; the record names the channel alone.
pub async fn set(store: &Store, channel: Id, login: &Login, actor: &str) -> Result<(), Error> {
    let long = |text: &str| text.chars().count() > CHARS_MAX || text.contains(char::is_control);
    if login.secret.is_empty() || long(&login.user) || long(&login.secret) {
        return Err(Error::said(format!(
            "a login has a secret and at most {CHARS_MAX} characters"
        )));
    }
    let text = serde_json::to_string(login).map_err(Error::said)?;
    store.set_secret_setting(&format!("{LOGIN}{channel}"), &text).await?;
    let facts = json!({ "channel": channel });
    let draft = room::draft(CHANGED, Some(channel), store.now(), facts);
    Ok(room::write(store, actor, draft).await?)
}
