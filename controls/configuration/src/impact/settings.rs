//! `[[configuration.advisories]]` of `ume.toml`: where advisories come from.
//!
//! They stand in the file of the machine's administrator and not in a register: a folder is read with the rights of the
//! server, and an address is called from within.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Deserialize;

use crate::work::reached::Hosts;

const SOURCES_MAX: usize = 64;
const NAME_CHARS_MAX: usize = 64;
const MIB_MAX: u64 = 4_096;
const EVERY_MIN: std::ops::RangeInclusive<i64> = 5..=1_440;

/// Where advisories are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A folder that something else keeps: a mirror, a checked-out repository.
    Folder(PathBuf),
    /// A file that is fetched.
    Url(String),
}

/// One source of advisories.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Source {
    pub name: String,
    pub from: From,
    /// Minutes between two looks at an address; a folder is looked at every five.
    pub every_min: i64,
    pub bytes_max: u64,
    /// Certificates that are trusted instead of the system's, PEM.
    pub ca: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: String,
    from: String,
    #[serde(default = "every")]
    every_min: i64,
    #[serde(default = "max_mib")]
    max_mib: u64,
    ca: Option<PathBuf>,
}

fn every() -> i64 {
    60
}

fn max_mib() -> u64 {
    1_024
}

impl TryFrom<Keys> for Source {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Source, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !(1..=NAME_CHARS_MAX).contains(&keys.name.len()) || !keys.name.bytes().all(plain) {
            return Err(format!("name is 1 to {NAME_CHARS_MAX} of a-z, 0-9, - and _"));
        }
        if !EVERY_MIN.contains(&keys.every_min) {
            return Err("every_min is 5 to 1440".to_owned());
        }
        if !(1..=MIB_MAX).contains(&keys.max_mib) {
            return Err(format!("max_mib is 1 to {MIB_MAX}"));
        }
        let from = match keys.from.starts_with('/') {
            true => From::Folder(PathBuf::from(keys.from)),
            false => From::Url(address(keys.from)?),
        };
        if keys.ca.is_some() && matches!(from, From::Folder(_)) {
            return Err("ca goes with an address".to_owned());
        }
        let bytes_max = keys.max_mib << 20;
        Ok(Source { name: keys.name, from, every_min: keys.every_min, bytes_max, ca: keys.ca })
    }
}

/// Advisories decide what is called safe, so they come over TLS; in the clear from this machine only.
fn address(url: String) -> Result<String, String> {
    let parsed = reqwest::Url::parse(&url)
        .map_err(|_| "from is a folder, written from / on, or an address".to_owned())?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("no password in the address".to_owned());
    }
    let host = parsed.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = bare == "localhost"
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match parsed.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => Err("write https://; http:// only for this machine itself".to_owned()),
        _ => Err("write https://".to_owned()),
    }
}

/// The table `[configuration]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub advisories: Sources,
    pub ssh: Hosts,
}

/// All sources; their names differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Source>")]
pub struct Sources(pub Vec<Source>);

impl TryFrom<Vec<Source>> for Sources {
    type Error = String;

    fn try_from(sources: Vec<Source>) -> Result<Sources, String> {
        if sources.len() > SOURCES_MAX {
            return Err(format!("at most {SOURCES_MAX} sources of advisories"));
        }
        let mut names = BTreeSet::new();
        match sources.iter().find(|source| !names.insert(&source.name)) {
            Some(twice) => Err(format!("the source {:?} stands twice", twice.name)),
            None => Ok(Sources(sources)),
        }
    }
}

/// What the server was told: its sources, and the folder below which they are kept.
#[derive(Default)]
pub struct Configured(RwLock<Option<Arc<Place>>>);

/// Sources and where they are kept.
#[derive(Debug)]
pub struct Place {
    pub folder: PathBuf,
    pub sources: Vec<Source>,
}

impl Configured {
    /// Takes the settings over; `data` is the data folder.
    pub fn configure(&self, data: &std::path::Path, settings: &Settings) {
        let folder = data.join("configuration/advisories");
        let place = Place { folder, sources: settings.advisories.0.clone() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(place));
    }

    /// The sources, if there are any.
    pub(crate) fn place(&self) -> Option<Arc<Place>> {
        let place = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        place.filter(|place| !place.sources.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_source_is_a_folder_or_an_address_over_tls() {
        let good = read(
            "[[advisories]]\nname = \"a\"\nfrom = \"/srv/a\"\n\
             [[advisories]]\nname = \"b\"\nfrom = \"https://a.example/all.zip\"\nevery_min = 30\n\
             [[advisories]]\nname = \"c\"\nfrom = \"http://127.0.0.1:9/x\"\n",
        );
        assert_eq!(good.map(|all| all.advisories.0.len()), Ok(3));
        for (keys, words) in [
            ("name = \"a\"", "missing field"),
            ("name = \"a\"\nfrom = \"srv/a\"", "from / on"),
            ("name = \"A b\"\nfrom = \"/a\"", "name is 1 to"),
            ("name = \"a\"\nfrom = \"http://a.example/x\"", "https://"),
            ("name = \"a\"\nfrom = \"https://u:p@a.example/x\"", "no password"),
            ("name = \"a\"\nfrom = \"ftp://a.example/x\"", "https://"),
            ("name = \"a\"\nfrom = \"/a\"\nevery_min = 1", "every_min"),
            ("name = \"a\"\nfrom = \"/a\"\nmax_mib = 0", "max_mib"),
            ("name = \"a\"\nfrom = \"/a\"\nca = \"/b\"", "ca goes with"),
            ("name = \"a\"\nfrom = \"/a\"\n[[advisories]]\nname = \"a\"\nfrom = \"/b\"", "twice"),
        ] {
            let wrong = read(&format!("[[advisories]]\n{keys}\n")).expect_err(keys);
            assert!(wrong.contains(words), "{keys}: {wrong}");
        }
    }
}
