//! The key of the fingerprints: of a server among its sealed settings, of an agent or a user in a file
//! that only they read.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use baseline::FingerprintKey;
use room::Error;
use store::Store;

const SETTING: &str = "configuration.fingerprint_key";
const BYTES: usize = 32;

fn random() -> Result<[u8; BYTES], Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::said(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn read(text: &str) -> Option<FingerprintKey> {
    let text = text.trim();
    let mut bytes = [0; BYTES];
    if text.len() != 2 * BYTES || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(FingerprintKey::new(bytes))
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key of a house; made at its first use.
pub(crate) async fn of_house(store: &Store) -> Result<FingerprintKey, Error> {
    if let Some(key) = store.secret_setting(SETTING).await?.as_deref().and_then(read) {
        return Ok(key);
    }
    let bytes = random()?;
    store.set_secret_setting(SETTING, &text(&bytes)).await?;
    Ok(FingerprintKey::new(bytes))
}

/// The key in a file, mode 0600; made where it is missing.
pub fn of_file(path: &Path) -> Result<FingerprintKey, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(text) => {
            return read(&text).ok_or_else(|| {
                Error::said(format!("{}: not a key of 64 hexadecimal digits", path.display()))
            });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let bytes = random()?;
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(format!("{}\n", text(&bytes)).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io)?;
    Ok(FingerprintKey::new(bytes))
}

/// Where the key of a user lies: `$XDG_STATE_HOME/ume/fingerprint.key`, else below the home.
pub(crate) fn path_of_user() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.filter(|path| path.is_absolute()).or_else(home)?;
    Some(folder.join("ume/fingerprint.key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a/key");
        let key = of_file(&path).expect("made");
        assert_eq!(of_file(&path).expect("read").id(), key.id());
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        fs::write(&path, "short").expect("written");
        assert!(of_file(&path).is_err());
    }
}
