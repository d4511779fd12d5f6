//! Settings that are secrets: sealed under a key that lies in `keys/epoch`, outside the database.
//!
//! A sealed value says `sealed:v1:` and, in hex, nonce and AES-256-GCM of the text; the name of the
//! setting is bound in, so that no value opens under another name. A copy of the database alone, or
//! a backup without its `.epoch` file, tells nothing of it.

use crate::{
    Db, Keys, Store, StoreError, Val,
    keys::{NONCE_BYTES, random, seal, unseal},
    payload::blocking,
};

/// Every setting that is kept sealed. Who adds one here has older plain values sealed at the next
/// start.
pub const SECRET_SETTINGS: [&str; 1] = ["notices_secret"];
const MARK: &str = "sealed:v1:";

fn context(name: &str) -> Vec<u8> {
    format!("ume/setting/v1 {name}\n").into_bytes()
}

impl Store {
    /// Reads a sealed setting. One that cannot be opened, as in a backup restored without its epoch
    /// key, is [`StoreError::SealedSetting`]: it has to be entered again.
    pub async fn secret_setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let Some(text) = self.setting(name).await? else { return Ok(None) };
        // Only before the first start that seals it: older versions wrote it plain.
        let Some(sealed) = text.strip_prefix(MARK) else { return Ok(Some(text)) };
        let keys = self.keys()?.clone();
        let key = blocking(move || keys.settings_key()).await?;
        let opened = key.and_then(|key| open(&key, name, sealed));
        opened.map(Some).ok_or_else(|| StoreError::SealedSetting(name.to_owned()))
    }

    /// Writes a sealed setting.
    pub async fn set_secret_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sealed = self.sealed(name, value).await?;
        self.set_setting(name, &sealed).await
    }

    async fn sealed(&self, name: &str, value: &str) -> Result<String, StoreError> {
        let keys = self.keys()?.clone();
        let key = blocking(move || keys.make_settings_key()).await?;
        let nonce = random::<NONCE_BYTES>()?;
        let sealed = seal(&key, nonce, &context(name), value.as_bytes())?;
        Ok(format!("{MARK}{}{}", hex::encode(nonce), hex::encode(sealed)))
    }

    /// Seals what an older Ume left plain, and takes it out of free pages, write-ahead log and the
    /// copies kept before migrations.
    pub(crate) async fn seal_settings(&self) -> Result<(), StoreError> {
        let mut found = false;
        for name in SECRET_SETTINGS {
            let text = self.setting(name).await?.unwrap_or_default();
            if !text.is_empty() && !text.starts_with(MARK) {
                self.set_secret_setting(name, &text).await?;
                found = true;
            }
        }
        if !found {
            return Ok(());
        }
        self.clear_kept_copies().await?;
        if let Err(StoreError::Scrub(why)) = self.scrub().await {
            tracing::warn!(
                why,
                "a secret was sealed, but its old text may stand in the log a while"
            );
        }
        tracing::info!("sealed the secrets among the settings");
        Ok(())
    }

    /// Whoever goes back to such a copy enters the secrets again: the older Ume reads no sealed one.
    async fn clear_kept_copies(&self) -> Result<(), StoreError> {
        for kept in self.kept_copies()? {
            let copy = Db::sqlite(&kept, false).await?;
            let cleared = clear(&copy).await;
            copy.close().await;
            cleared?;
        }
        Ok(())
    }

    /// Copies of the database from before migrations.
    pub(crate) fn kept_copies(&self) -> Result<Vec<std::path::PathBuf>, StoreError> {
        let Some(path) = self.db().sqlite_file() else { return Ok(Vec::new()) };
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        let io = |source| StoreError::Io { path: folder.to_owned(), source };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let kept = entry.map_err(io)?.path();
            let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let number = name.strip_prefix("ume.db.before-").unwrap_or("");
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
                found.push(kept);
            }
        }
        Ok(found)
    }
}

async fn clear(copy: &Db) -> Result<(), StoreError> {
    let mut tx = copy.begin().await?;
    for name in SECRET_SETTINGS {
        tx.execute("DELETE FROM setting WHERE name = $1", &[Val::from(name)]).await?;
    }
    tx.commit().await?;
    copy.vacuum().await?;
    copy.empty_wal().await.map(drop)
}

fn open(key: &[u8; 32], name: &str, sealed: &str) -> Option<String> {
    let bytes = hex::decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
    let plain = unseal(key, nonce.try_into().ok()?, &context(name), sealed)?;
    String::from_utf8(plain).ok()
}

impl Keys {
    /// The key of the settings; `None` before the first secret, or where the epoch file is gone.
    fn settings_key(&self) -> Result<Option<[u8; 32]>, StoreError> {
        self.named_key(SETTINGS)
    }

    fn make_settings_key(&self) -> Result<[u8; 32], StoreError> {
        self.make_named_key(SETTINGS)
    }
}

/// Its line in the epoch file; no cohort of payloads is called so.
const SETTINGS: &str = "settings";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{MIGRATIONS, system_clock};

    const NAME: &str = SECRET_SETTINGS[0];
    const SECRET: &str = "open sesame 8f2c";

    /// Files of the folder, at any depth, that hold the text.
    fn holding(folder: &Path, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(holding(&path, text));
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
        found
    }

    #[tokio::test]
    async fn a_secret_stands_in_no_file_and_opens_under_its_own_name_only() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        assert_eq!(store.secret_setting(NAME).await.unwrap(), None);
        store.set_secret_setting(NAME, SECRET).await.unwrap();
        store.set_secret_setting(NAME, &format!("{SECRET}!")).await.unwrap();
        // The open database has its log; the closed one has it moved into the file.
        assert_eq!(holding(folder.path(), SECRET), [""; 0]);
        let found = store.secret_setting(NAME).await.unwrap();
        assert_eq!(found.as_deref(), Some("open sesame 8f2c!"));
        let sealed = store.setting(NAME).await.unwrap().unwrap();
        store.set_setting("other", &sealed).await.unwrap();
        let foreign = store.secret_setting("other").await;
        assert!(matches!(foreign, Err(StoreError::SealedSetting(name)) if name == "other"));
        store.db().close().await;
        assert_eq!(holding(folder.path(), SECRET), [""; 0]);
        let epoch = folder.path().join("keys/epoch");
        assert_eq!(std::fs::metadata(&epoch).unwrap().mode() & 0o777, 0o600);

        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        assert_eq!(store.secret_setting(NAME).await.unwrap(), found);
        std::fs::remove_file(&epoch).unwrap();
        let lost = store.secret_setting(NAME).await;
        assert!(matches!(lost, Err(StoreError::SealedSetting(_))), "{lost:?}");
    }

    #[tokio::test]
    async fn what_an_older_version_left_plain_is_sealed_and_gone_from_every_file() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("ume.db"), false).await.unwrap();
        let old = Store::over(db, system_clock(), None);
        old.migrate_with(&MIGRATIONS[..9]).await.unwrap();
        for i in 0..50 {
            old.set_setting(&format!("filler{i}"), &"x".repeat(500)).await.unwrap();
            old.set_setting(NAME, &format!("{{\"smtp_password\":\"{SECRET}{i}\"}}")).await.unwrap();
        }
        old.db().close().await;
        assert!(!holding(folder.path(), SECRET).is_empty());

        let store = Store::open(folder.path(), system_clock()).await.unwrap();
        assert_eq!(holding(folder.path(), SECRET), [""; 0]);
        assert!(folder.path().join("ume.db.before-0010").exists());
        let opened = store.secret_setting(NAME).await.unwrap().unwrap();
        assert_eq!(opened, format!("{{\"smtp_password\":\"{SECRET}49\"}}"));
        store.db().close().await;
        assert_eq!(holding(folder.path(), SECRET), [""; 0]);
    }
}
