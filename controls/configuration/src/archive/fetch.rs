//! How bytes of an archive come here. Nothing of it is believed for having come.

use std::{
    fs,
    io::{ErrorKind, Read},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use reqwest::{Client, StatusCode, redirect::Policy};

use crate::impact::fetch::cause;

/// Connecting, and each part of an answer.
const WAIT: Duration = Duration::from_secs(20);
/// A whole answer.
const WAIT_WHOLE: Duration = Duration::from_secs(300);
const REDIRECTS_MAX: usize = 3;
const TRIES: u32 = 3;

/// Why something was not had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("not there")]
    Absent,
    #[error("larger than {0} bytes")]
    Large(u64),
    /// May be over later.
    #[error("{0}")]
    Passing(String),
}

/// A place where an archive lies.
pub trait Transport {
    /// The bytes of a file below the place, at most so many.
    fn get(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Failure>;
}

/// A folder that holds an archive.
pub struct Folder(pub PathBuf);

impl Transport for Folder {
    fn get(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Failure> {
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(Failure::Absent);
        }
        read(&self.0.join(path), bytes_max)
    }
}

/// The bytes of a regular file, at most so many.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::Absent,
        _ => Failure::Passing(format!("{}: {error}", path.display())),
    };
    let kind = fs::metadata(path).map_err(failed)?;
    if !kind.is_file() {
        return Err(Failure::Absent);
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Failure::Large(bytes_max));
    }
    Ok(bytes)
}

/// An archive in the network. For threads that may block, within a runtime.
pub struct Web {
    address: String,
    client: Client,
    runtime: tokio::runtime::Handle,
}

impl Web {
    pub fn new(address: &str, runtime: tokio::runtime::Handle) -> Result<Web, Failure> {
        // A second installation of the process-wide provider is refused harmlessly.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(WAIT)
            .read_timeout(WAIT)
            .timeout(WAIT_WHOLE)
            .redirect(Policy::limited(REDIRECTS_MAX))
            .user_agent(concat!("ume/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::Passing(error.to_string()))?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Web { address, client, runtime })
    }

    async fn once(&self, url: &str, bytes_max: u64) -> Result<Vec<u8>, Failure> {
        let passing = |error: reqwest::Error| Failure::Passing(cause(&error));
        let mut response = self.client.get(url).send().await.map_err(passing)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => {
                return Err(Failure::Absent);
            }
            other => return Err(Failure::Passing(format!("answered {}", other.as_u16()))),
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(passing)? {
            if (bytes.len() + part.len()) as u64 > bytes_max {
                return Err(Failure::Large(bytes_max));
            }
            bytes.extend(&part);
        }
        Ok(bytes)
    }
}

impl Transport for Web {
    fn get(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Failure> {
        let escaped: Vec<String> =
            path.split('/').map(|part| urlencoding::encode(part).replace("%2B", "+")).collect();
        let url = format!("{}/{}", self.address, escaped.join("/"));
        self.runtime.block_on(async {
            let mut tried = 0;
            loop {
                tried += 1;
                match self.once(&url, bytes_max).await {
                    Err(Failure::Passing(_)) if tried < TRIES => {
                        tokio::time::sleep(Duration::from_secs(u64::from(tried))).await;
                    }
                    result => return result,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_nothing_from_beside_it() {
        let folder = tempfile::tempdir().expect("folder");
        fs::create_dir(folder.path().join("in")).expect("made");
        fs::write(folder.path().join("out"), "x").expect("written");
        fs::write(folder.path().join("in/a"), "12345").expect("written");
        let place = Folder(folder.path().join("in"));
        assert_eq!(place.get("a", 5), Ok(b"12345".to_vec()));
        assert_eq!(place.get("a", 4), Err(Failure::Large(4)));
        for path in ["../out", "/etc/passwd", "b", "", "a/../../out"] {
            assert_eq!(place.get(path, 5), Err(Failure::Absent), "{path}");
        }
    }
}
