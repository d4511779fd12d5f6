//! An evaluating node: rules as the main node gave them, and a [`Sieve`] for each partition.

use std::{collections::BTreeMap, sync::Arc};

use bus::{Work, node::Evaluate};
use jiff::tz::TimeZone;
use sigma::Env;

use super::sieve::Sieve;
use crate::work::rules::Loaded;

const LEVEL: i32 = 3;
/// What a set of rules unpacks to.
const UNPACKED_MAX: usize = 512 << 20;

/// Holds events against the rules of the main node.
pub struct Sieves {
    /// Zone of lines that name none.
    pub zone: TimeZone,
}

/// The documents of a set of rules as they are given to nodes.
pub fn bundle(loaded: &Loaded) -> bus::Result<Vec<u8>> {
    let failed = |reason: String| bus::BusError::Failed { what: "pack the rules", reason };
    let bytes = postcard::to_stdvec(&loaded.texts).map_err(|e| failed(e.to_string()))?;
    zstd::bulk::compress(&bytes, LEVEL).map_err(|e| failed(e.to_string()))
}

fn unbundle(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut texts = Vec::new();
    let packed = zstd::stream::read::Decoder::new(bytes).map_err(|e| e.to_string())?;
    let mut limited = std::io::Read::take(packed, UNPACKED_MAX as u64);
    std::io::Read::read_to_end(&mut limited, &mut texts).map_err(|e| e.to_string())?;
    postcard::from_bytes(&texts).map_err(|e| e.to_string())
}

impl Evaluate for Sieves {
    type Rules = Arc<Loaded>;
    type Place = Sieve;

    fn open(&self, hash: &str, bundle: &[u8]) -> Result<Arc<Loaded>, String> {
        let loaded = Loaded::of(unbundle(bundle)?, &Env::default());
        match loaded.hash() == hash {
            true => Ok(Arc::new(loaded)),
            false => Err("they are not what the main node named".to_owned()),
        }
    }

    fn begin(&self, rules: &Arc<Arc<Loaded>>, state: &[u8]) -> Sieve {
        Sieve::new((**rules).clone(), state, self.zone.clone())
    }

    fn change(&self, place: &mut Sieve, rules: &Arc<Arc<Loaded>>) {
        place.change((**rules).clone());
    }

    fn take(&self, place: &mut Sieve, work: Work) -> (Vec<u8>, Vec<u8>) {
        let said = place.take(&work.frames, work.to, work.now);
        (postcard::to_stdvec(&said).unwrap_or_default(), place.state())
    }
}
