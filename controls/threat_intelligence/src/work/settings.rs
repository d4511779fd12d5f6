//! `[threat_intelligence]` of `ume.toml`: which folders feeds are read from, where warning lists are, whom feeds are
//! believed by.
//!
//! They stand in the file of the machine's administrator and not in a register: a folder is read with the rights of the
//! server.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use fetch::{Address, Fault};
use serde::Deserialize;

const FOLDERS_MAX: usize = 64;
/// Below the data folder, always permitted.
const INCOMING: &str = "indicators/incoming";

/// The table `[threat_intelligence]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub folders: Folders,
    pub warning_lists: Option<Lists>,
    /// Certificates that are believed instead of the system's, PEM.
    pub ca: Option<PathBuf>,
    /// New mails of this folder become items.
    #[serde(deserialize_with = "absolute")]
    pub maildir: Option<PathBuf>,
}

fn absolute<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(from)?;
    match path.is_absolute() {
        true => Ok(Some(path)),
        false => Err(serde::de::Error::custom("maildir is a folder, written from / on")),
    }
}

/// Folders from the root on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<PathBuf>")]
pub struct Folders(pub Vec<PathBuf>);

impl TryFrom<Vec<PathBuf>> for Folders {
    type Error = String;

    fn try_from(folders: Vec<PathBuf>) -> Result<Folders, String> {
        if folders.len() > FOLDERS_MAX {
            return Err(format!("at most {FOLDERS_MAX} folders"));
        }
        match folders.iter().find(|folder| !folder.is_absolute()) {
            Some(folder) => Err(format!("{}: write it from / on", folder.display())),
            None => Ok(Folders(folders)),
        }
    }
}

/// Where warning lists are: a folder, or an address of one list or an archive of many.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Lists(pub Address);

impl TryFrom<String> for Lists {
    type Error = String;

    fn try_from(text: String) -> Result<Lists, String> {
        fetch::address(&text).map(Lists).map_err(|fault| fault.to_string())
    }
}

/// What the server was told.
#[derive(Default)]
pub struct Configured(RwLock<Arc<Settings>>);

impl Configured {
    /// Takes the settings over.
    pub fn configure(&self, settings: &Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a source of the register may be read from this path. Links are followed first.
    pub(crate) fn permits(&self, house: &web::House, path: &Path) -> Result<(), Fault> {
        let real = std::fs::canonicalize(path).map_err(|error| Fault::File {
            what: path.display().to_string(),
            error: error.to_string(),
        })?;
        let settings = self.settings();
        let own = house.folder().join(INCOMING);
        let folders = settings.folders.0.iter().chain([&own]);
        let mut folders = folders.filter_map(|folder| std::fs::canonicalize(folder).ok());
        match folders.any(|folder| real.starts_with(folder)) {
            true => Ok(()),
            false => Err(Fault::said(
                "このフォルダは読めません。ume.toml の [threat_intelligence] folders に書くか、データフォルダの indicators/incoming に置いてください",
                "this folder is not open to feeds: name it in [threat_intelligence] folders of ume.toml, or use indicators/incoming of the data folder",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn folders_are_written_from_the_root_on_and_lists_are_a_folder_or_an_address() {
        let good =
            read("folders = [\"/srv/feeds\"]\nwarning_lists = \"/srv/warning\"").expect("good");
        assert_eq!(good.folders.0, [PathBuf::from("/srv/feeds")]);
        assert!(read("warning_lists = \"https://a.example/list.json\"").is_ok());
        for (text, words) in [
            ("folders = [\"feeds\"]", "from / on"),
            ("warning_lists = \"http://a.example/\"", "https://"),
            ("folder = \"x\"", "unknown field"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
    }
}
