//! An evaluating node: rules as the main node gave them, and a [`Sieve`] for each partition.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bus::{Work, node::Evaluate};
use intel::{Current, Signed};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sigma::Env;
use stream::{Encoding, Home, Manners, Own};

use super::sieve::{Held, Indicators, Sieve};
use crate::work::{intel::Intel, rules::Loaded};

const LEVEL: i32 = 3;
/// What a set of rules unpacks to.
const UNPACKED_MAX: usize = 512 << 20;

/// A file of a set that is brought over the bus; a larger set stays with the main node, which holds events against it
/// itself.
const FILE_BYTES_MAX: u64 = 1 << 30;
const ARRIVING: &str = "arriving";

/// Holds events against the rules of the main node, and against the indicators that it signed.
///
/// A set is used only if this house's key signed it and each of its files is whole. Where that is not so the set before
/// stays, and each answer says so: the main node then looks at those events itself. Every row ends when it ends, whoever
/// is cut off.
pub struct Sieves {
    node: String,
    /// Folder of sets.
    folder: PathBuf,
    keys: Vec<merkle::VerifierKey>,
    /// Whether sets are published there by this very process.
    is_own: bool,
    last: Mutex<Option<Arc<Intel>>>,
}

impl Sieves {
    /// A node with its own folder; what it held when it ended is in force again.
    pub fn new(
        node: &str,
        folder: PathBuf,
        keys: Vec<merkle::VerifierKey>,
        is_own: bool,
    ) -> Sieves {
        let last = match Current::load(&folder, &keys) {
            Ok(current) => current.map(|current| Arc::new(Intel::new(Arc::new(current)))),
            Err(error) => {
                tracing::warn!(%error, "the set of indicators on disk is not used");
                None
            }
        };
        Sieves { node: node.to_owned(), folder, keys, is_own, last: Mutex::new(last) }
    }

    /// The set that was asked for, or the one before and why.
    fn indicators(&self, signed: Option<&[u8]>) -> Indicators {
        let mut held = Held { node: self.node.clone(), ..Held::default() };
        let Some(signed) = signed else { return Indicators { intel: None, held } };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|intel| intel.set.signed() == signed);
        let taken = match (known, self.keys.is_empty()) {
            (Some(intel), _) => Ok(intel.clone()),
            (None, true) => Err("no house_key in [bus]".to_owned()),
            (None, false) => match Current::of(&self.folder, signed, &self.keys) {
                Ok(current) => Ok(Arc::new(Intel::new(Arc::new(current)))),
                Err(error) => Err(error.to_string()),
            },
        };
        match taken {
            Ok(intel) => {
                if !self.is_own {
                    self.keep(&intel);
                }
                *last = Some(intel);
            }
            Err(why) => {
                tracing::warn!("a set of indicators is not used: {why}");
                held.trouble = Some(why);
            }
        }
        held.root = last.as_ref().map(|intel| intel.set.manifest().root());
        Indicators { intel: last.clone(), held }
    }

    /// What is in force is there again after a restart, with or without the main node.
    fn keep(&self, intel: &Intel) {
        let kept = intel::adopt(&self.folder, intel.set.signed())
            .and_then(|()| intel::sweep(&self.folder, &[intel.set.manifest()]));
        if let Err(error) = kept {
            tracing::warn!(%error, "the set of indicators is in force, but not kept");
        }
    }

    fn arriving(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ARRIVING}"))
    }
}

/// Whether a name is that of a file in a folder, and of none elsewhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// Rules, and what the main node takes lines for that do not say it themselves.
pub struct Given {
    loaded: Arc<Loaded>,
    home: Home,
    indicators: Indicators,
}

#[derive(Serialize, Deserialize)]
struct Bundle {
    texts: BTreeMap<String, Vec<u8>>,
    home: Said,
    /// `set.json` of the indicators: their root, the base, deltas, patterns, and the signature of the house. Each row has
    /// its period in it, as it was judged.
    set: Option<Vec<u8>>,
}

/// A [`Home`] in words. Zones by name; one without a name is UTC.
#[derive(Serialize, Deserialize)]
struct Said {
    zone: String,
    host: Option<String>,
    sources: Vec<(String, Option<String>, Option<String>)>,
    peers: Vec<(String, Option<String>, Option<String>)>,
}

impl Said {
    fn of(home: &Home) -> Said {
        let all = |of: &BTreeMap<String, Own>| {
            let one = |(name, own): (&String, &Own)| {
                let zone = own.zone.as_ref().and_then(|zone| zone.iana_name()).map(str::to_owned);
                (name.clone(), zone, own.encoding.map(|encoding| encoding.name().to_owned()))
            };
            of.iter().map(one).collect()
        };
        Said {
            zone: home.zone.iana_name().unwrap_or("UTC").to_owned(),
            host: home.host.clone(),
            sources: all(&home.manners.sources),
            peers: all(&home.manners.peers),
        }
    }

    fn home(self) -> Result<Home, jiff::Error> {
        let all = |of: Vec<(String, Option<String>, Option<String>)>| {
            let one = |(name, zone, encoding): (String, Option<String>, Option<String>)| {
                let zone = zone.map(|zone| TimeZone::get(&zone)).transpose()?;
                let encoding = encoding.and_then(|name| Encoding::named(&name));
                Ok((name, Own { zone, encoding }))
            };
            of.into_iter().map(one).collect::<Result<BTreeMap<_, _>, jiff::Error>>()
        };
        let manners = Manners { sources: all(self.sources)?, peers: all(self.peers)? };
        Ok(Home { zone: TimeZone::get(&self.zone)?, host: self.host, manners: Arc::new(manners) })
    }
}

/// What a set of rules is known by where lines are taken for what this home says and events held against these
/// indicators.
pub fn name(loaded: &Loaded, home: &Home, set: Option<&[u8]>) -> String {
    let mut said = loaded.hash().to_string().into_bytes();
    said.push(0);
    said.extend(postcard::to_stdvec(&Said::of(home)).unwrap_or_default());
    if let Some(set) = set {
        said.extend(Sha256::digest(set));
    }
    hex::encode(Sha256::digest(said))
}

/// The documents of a set of rules as they are given to nodes.
pub fn bundle(loaded: &Loaded, home: &Home, set: Option<&[u8]>) -> bus::Result<Vec<u8>> {
    let failed = |reason: String| bus::BusError::Failed { what: "pack the rules", reason };
    let set = set.map(<[u8]>::to_vec);
    let bundle = Bundle { texts: loaded.texts.clone(), home: Said::of(home), set };
    let bytes = postcard::to_stdvec(&bundle).map_err(|e| failed(e.to_string()))?;
    zstd::bulk::compress(&bytes, LEVEL).map_err(|e| failed(e.to_string()))
}

fn unbundle(bytes: &[u8]) -> Result<Bundle, String> {
    let mut texts = Vec::new();
    let packed = zstd::stream::read::Decoder::new(bytes).map_err(|e| e.to_string())?;
    let mut limited = std::io::Read::take(packed, UNPACKED_MAX as u64);
    std::io::Read::read_to_end(&mut limited, &mut texts).map_err(|e| e.to_string())?;
    postcard::from_bytes(&texts).map_err(|e| e.to_string())
}

impl Evaluate for Sieves {
    type Rules = Given;
    type Place = Sieve;

    fn wants(&self, bundle: &[u8]) -> Vec<String> {
        let signed = unbundle(bundle).ok().and_then(|bundle| bundle.set);
        let signed: Option<Signed> = signed.and_then(|set| serde_json::from_slice(&set).ok());
        let files = signed.map(|signed| signed.manifest.files).unwrap_or_default();
        let names = files.into_iter().map(|file| file.name);
        // Files of the main node are there, and are its own.
        names
            .filter(|name| !self.is_own && is_plain(name) && !self.folder.join(name).exists())
            .collect()
    }

    fn place(&self, name: &str, bytes: u64) -> Result<PathBuf, String> {
        if bytes > FILE_BYTES_MAX {
            return Err(format!("{name} has {bytes} bytes, more than {FILE_BYTES_MAX}"));
        }
        std::fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        Ok(self.arriving(name))
    }

    fn arrived(&self, name: &str) -> Result<(), String> {
        disk::rename(&self.arriving(name), &self.folder.join(name)).map_err(|e| e.to_string())
    }

    fn open(&self, hash: &str, bundle: &[u8]) -> Result<Given, String> {
        let Bundle { texts, home, set } = unbundle(bundle)?;
        let home = home.home().map_err(|error| error.to_string())?;
        let loaded = Loaded::of(texts, &Env::default());
        if name(&loaded, &home, set.as_deref()) != hash {
            return Err("they are not what the main node named".to_owned());
        }
        let indicators = self.indicators(set.as_deref());
        Ok(Given { loaded: Arc::new(loaded), home, indicators })
    }

    fn begin(&self, rules: &Arc<Given>, state: &[u8]) -> Sieve {
        Sieve::new(rules.loaded.clone(), state, rules.home.clone(), rules.indicators.clone())
    }

    fn change(&self, place: &mut Sieve, rules: &Arc<Given>) {
        place.change(rules.loaded.clone(), rules.home.clone(), rules.indicators.clone());
    }

    fn take(&self, place: &mut Sieve, work: Work) -> (Vec<u8>, Vec<u8>) {
        let said = place.take(&work.frames, work.to, work.now);
        (postcard::to_stdvec(&said).unwrap_or_default(), place.state())
    }
}
