//! What goes over the bus, as bytes: postcard, compressed. Pure.
//!
//! Limit: what a message unpacks to has at most [`UNPACKED_MAX`] bytes, whatever it says of itself.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{BusError, Result};

/// Bytes that a message may unpack to.
pub const UNPACKED_MAX: usize = 16 << 20;
const LEVEL: i32 = 1;
/// The first byte; what begins otherwise is of another version. 2: nodes say which indicators they hold.
const VERSION: u8 = 2;

/// A frame of the spool with the offset behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    pub end: u64,
    pub bytes: Vec<u8>,
}

/// Events of one partition that are to be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Which run of the main node asks: a later one has the higher number.
    pub run: u64,
    pub partition: u32,
    /// Number of the message in its partition and run.
    pub n: u64,
    /// Offset behind everything that was published with it.
    pub to: u64,
    /// What the clock of the main node says, where time is to decide something.
    pub now: Option<i64>,
    /// Hash of the rules to hold the events against.
    pub rules: String,
    /// With the first message of a run: what the partition still waited for.
    pub state: Option<Vec<u8>>,
    pub frames: Vec<Frame>,
}

/// What a node says of one [`Work`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub run: u64,
    pub partition: u32,
    pub n: u64,
    /// When that stream of events was made, in nanoseconds: one that is made anew counts from the beginning.
    pub made: i128,
    /// Place of the message in the events of JetStream: whoever takes the partition over goes on behind it.
    pub after: u64,
    /// What the partition still waits for.
    pub state: Vec<u8>,
    pub body: Vec<u8>,
}

impl Work {
    /// What a repetition of the message is known by.
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.run, self.partition, self.n)
    }
}

impl Answer {
    /// What a repetition of the answer is known by.
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.run, self.partition, self.n)
    }
}

pub fn pack(message: &impl Serialize) -> Result<Vec<u8>> {
    let failed = |reason: String| BusError::failed("pack a message", reason);
    let bytes = postcard::to_stdvec(message).map_err(|e| failed(e.to_string()))?;
    let packed = zstd::bulk::compress(&bytes, LEVEL).map_err(|e| failed(e.to_string()))?;
    let mut out = Vec::with_capacity(packed.len() + 1);
    out.push(VERSION);
    out.extend(packed);
    Ok(out)
}

pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let failed = |reason: String| BusError::failed("read a message of the bus", reason);
    let (version, packed) = bytes.split_first().ok_or_else(|| failed("empty".to_owned()))?;
    if *version != VERSION {
        return Err(failed(format!("version {version} of another Ume; run the same on all nodes")));
    }
    let bytes = zstd::bulk::decompress(packed, UNPACKED_MAX).map_err(|e| failed(e.to_string()))?;
    postcard::from_bytes(&bytes).map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_unpacks_to_the_same(
            run: u64, n: u64, ends in prop::collection::vec((any::<u64>(), any::<Vec<u8>>()), 0..9),
            state: Option<Vec<u8>>, now: Option<i64>,
        ) {
            let frames = ends.into_iter().map(|(end, bytes)| Frame { end, bytes }).collect();
            let rules = "r".to_owned();
            let work = Work { run, partition: 3, n, to: 9, now, rules, state, frames };
            prop_assert_eq!(unpack::<Work>(&pack(&work).unwrap()).unwrap(), work);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = unpack::<Work>(&bytes);
            let mut ours = vec![VERSION];
            ours.extend(zstd::bulk::compress(&bytes, 1).unwrap());
            let _ = unpack::<Answer>(&ours);
        }
    }
}
