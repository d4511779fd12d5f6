//! Where the data of one Ume are: the folder, and the database if that is PostgreSQL.

use std::path::{Path, PathBuf};

use store::Store;

use crate::{CliError, data};

/// A data folder and the database that belongs to it.
#[derive(Clone, Default)]
pub struct Place {
    pub folder: PathBuf,
    /// `postgres://…`; `None` for `ume.db` in the folder.
    pub database: Option<String>,
}

impl Place {
    /// A folder with its own `ume.db`.
    pub fn sqlite(folder: &Path) -> Place {
        Place { folder: folder.to_owned(), database: None }
    }

    /// Opens for reading only; what is not there is named.
    pub async fn open_read_only(&self) -> Result<Store, CliError> {
        match &self.database {
            None => {
                let folder = data::existing(&self.folder)?;
                Ok(Store::open_read_only(folder, store::system_clock()).await?)
            }
            Some(url) => Ok(Store::at(url, false, store::system_clock()).await?),
        }
    }

    /// Opens for writing, creating and migrating.
    pub async fn open(&self) -> Result<Store, CliError> {
        match &self.database {
            None => Ok(Store::open(&self.folder, store::system_clock()).await?),
            Some(url) => Ok(Store::connect(url, store::system_clock()).await?),
        }
    }

    /// Opens for writing beside a server that may run: nothing is created or migrated under it.
    pub async fn open_current(&self) -> Result<Store, CliError> {
        let store = self.open_read_only().await?;
        let current = store.is_current().await;
        store.db().close().await;
        if !current? {
            return Err(CliError::OldSchema(self.folder.clone()));
        }
        self.open().await
    }
}
