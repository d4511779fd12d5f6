//! Where the data of one Ume are: the folder, and the database if that is PostgreSQL.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use store::Store;

use crate::{
    CliError, data, declared,
    settings::{DataFolder, Settings},
};

/// A data folder and the database that belongs to it.
#[derive(Clone, Default)]
pub struct Place {
    pub folder: PathBuf,
    /// `postgres://…`; `None` for `ume.db` in the folder.
    pub database: Option<String>,
}

impl Place {
    /// The place that the options of a command and the configuration name.
    pub fn of(given: &DataFolder) -> Result<Place, CliError> {
        Ok(Settings::load(given)?.place)
    }

    /// A folder with its own `ume.db`.
    pub fn sqlite(folder: &Path) -> Place {
        Place { folder: folder.to_owned(), database: None }
    }

    /// Opens for reading only; what is not there is named.
    pub async fn open_read_only(&self) -> Result<Store, CliError> {
        let store = match &self.database {
            None => {
                let folder = data::existing(&self.folder)?;
                Store::open_read_only(folder, store::system_clock()).await?
            }
            Some(url) => {
                let store = Store::at(url, false, store::system_clock()).await?;
                store.with_keys_read_only(&self.folder)
            }
        };
        Ok(declared::known(store))
    }

    /// Opens for writing, creating and migrating.
    pub async fn open(&self) -> Result<Store, CliError> {
        let store = match &self.database {
            None => Store::open(&self.folder, store::system_clock()).await?,
            Some(url) => {
                Store::connect(url, store::system_clock()).await?.with_keys(&self.folder).await?
            }
        };
        Ok(declared::settled(store).await?)
    }

    /// Opens for writing beside a server that may run: nothing is created or migrated under it.
    pub async fn open_current(&self) -> Result<Store, CliError> {
        self.open_read_only().await?.db().close().await;
        self.open().await
    }

    /// Opens for writing what no server holds, and holds it until the file is dropped.
    pub async fn hold(&self) -> Result<(File, Store), CliError> {
        match &self.database {
            None => drop(data::existing(&self.folder)?),
            Some(_) if self.folder.is_dir() => {}
            Some(_) => return Err(CliError::NoData(self.folder.clone())),
        }
        let lock = data::lock(&self.folder)?;
        Ok((lock, self.open().await?))
    }
}
