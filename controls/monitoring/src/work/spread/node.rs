//! An evaluating node: rules as the main node gave them, and a [`Sieve`] for each partition.

use std::{collections::BTreeMap, sync::Arc};

use bus::{Work, node::Evaluate};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sigma::Env;
use stream::{Encoding, Home, Manners, Own};

use super::sieve::Sieve;
use crate::work::rules::Loaded;

const LEVEL: i32 = 3;
/// What a set of rules unpacks to.
const UNPACKED_MAX: usize = 512 << 20;

/// Holds events against the rules of the main node.
pub struct Sieves;

/// Rules, and what the main node takes lines for that do not say it themselves.
pub struct Given {
    loaded: Arc<Loaded>,
    home: Home,
}

#[derive(Serialize, Deserialize)]
struct Bundle {
    texts: BTreeMap<String, Vec<u8>>,
    home: Said,
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

/// What a set of rules is known by where lines are taken for what this home says.
pub fn name(loaded: &Loaded, home: &Home) -> String {
    let mut said = loaded.hash().to_string().into_bytes();
    said.push(0);
    said.extend(postcard::to_stdvec(&Said::of(home)).unwrap_or_default());
    hex::encode(Sha256::digest(said))
}

/// The documents of a set of rules as they are given to nodes.
pub fn bundle(loaded: &Loaded, home: &Home) -> bus::Result<Vec<u8>> {
    let failed = |reason: String| bus::BusError::Failed { what: "pack the rules", reason };
    let bundle = Bundle { texts: loaded.texts.clone(), home: Said::of(home) };
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

    fn open(&self, hash: &str, bundle: &[u8]) -> Result<Given, String> {
        let Bundle { texts, home } = unbundle(bundle)?;
        let home = home.home().map_err(|error| error.to_string())?;
        let loaded = Loaded::of(texts, &Env::default());
        match name(&loaded, &home) == hash {
            true => Ok(Given { loaded: Arc::new(loaded), home }),
            false => Err("they are not what the main node named".to_owned()),
        }
    }

    fn begin(&self, rules: &Arc<Given>, state: &[u8]) -> Sieve {
        Sieve::new(rules.loaded.clone(), state, rules.home.clone())
    }

    fn change(&self, place: &mut Sieve, rules: &Arc<Given>) {
        place.change(rules.loaded.clone(), rules.home.clone());
    }

    fn take(&self, place: &mut Sieve, work: Work) -> (Vec<u8>, Vec<u8>) {
        let said = place.take(&work.frames, work.to, work.now);
        (postcard::to_stdvec(&said).unwrap_or_default(), place.state())
    }
}
