//! `[threat_intelligence]` of `ume.toml`: where the machine's administrator lets Ume read mails.
//!
//! It stands in that file and not in a register: a folder is read with the rights of the server.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Deserialize;

/// The table `[threat_intelligence]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
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
}
