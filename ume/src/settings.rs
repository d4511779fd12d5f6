//! Command line and configuration file together: what this process works on.

use std::path::{Path, PathBuf};

use crate::{
    CliError,
    config::{self, Config},
    data,
    place::Place,
};

/// Options of every command that works on data.
#[derive(clap::Args)]
pub struct DataFolder {
    /// Data folder [default: /var/lib/ume for root, else $XDG_DATA_HOME/ume]
    #[arg(long = "data", value_name = "DIR", env = "UME_DATA")]
    path: Option<PathBuf>,
    /// Configuration file [default: ume.toml in the data folder, if there is one]
    #[arg(long, value_name = "FILE", env = "UME_CONFIG")]
    config: Option<PathBuf>,
    /// PostgreSQL instead of ume.db in the data folder; give the password in PGPASSWORD
    #[arg(long, value_name = "postgres://…", env = "UME_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

/// What a command works on.
#[derive(Default)]
pub struct Settings {
    pub place: Place,
    pub config: Config,
}

impl Settings {
    /// Reads the configuration; the command line wins.
    pub fn load(given: &DataFolder) -> Result<Settings, CliError> {
        let (config, folder) = match &given.config {
            Some(path) => {
                let config = config::read(path)?;
                let folder = given.path.clone().or_else(|| config.data.clone());
                (config, data::folder(folder))
            }
            None => {
                let folder = data::folder(given.path.clone());
                (in_folder(&folder)?, folder)
            }
        };
        let configured = config.database.as_ref().map(|url| url.0.clone());
        let database = given.database.clone().or(configured);
        Ok(Settings { place: Place { folder, database }, config })
    }

    /// The settings a data folder carries itself.
    pub fn of_folder(folder: &Path) -> Result<Settings, CliError> {
        let config = in_folder(folder)?;
        let database = config.database.as_ref().map(|url| url.0.clone());
        Ok(Settings { place: Place { folder: folder.to_owned(), database }, config })
    }
}

fn in_folder(folder: &Path) -> Result<Config, CliError> {
    let file = folder.join(config::FILE);
    if !file.exists() {
        return Ok(Config::default());
    }
    let config = config::read(&file)?;
    match &config.data {
        Some(data) if data != folder => Err(CliError::ForeignData { file, data: data.clone() }),
        _ => Ok(config),
    }
}
