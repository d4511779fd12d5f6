//! How a file is laid out: records, then everything else, then a footer that says where it lies.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Ceiling, Direction, Kind, Scope, row::Kinds, row::Micros};

/// The layout of a file: what it was made of is written anew where this has changed.
pub const VERSION: u8 = 2;
pub(super) const MAGIC: [u8; 8] = [b'U', b'M', b'E', b'U', b'I', b'X', 0, VERSION];
/// What stands behind the footer: the beginning of its SHA-256, its length, [`MAGIC`].
pub(super) const TRAILER: usize = SEAL + 4 + MAGIC.len();
pub(super) const SEAL: usize = 16;
pub(super) const FOOTER_BYTES_MAX: usize = 64 << 20;
/// A line of a processor's cache: buckets are one, blocks half of one.
pub(super) const LINE: usize = 64;
/// A bucket: of up to [`ROOM`] rows 16 bits of the hash, then where the records lie, 32 bits each, then
/// how many of the buckets behind it hold rows that are at home here.
pub(super) const BUCKET: usize = LINE;
pub(super) const ROOM: usize = 10;
pub(super) const PLACES: usize = ROOM * 2;
pub(super) const RUN: usize = PLACES + ROOM * 4;
/// A filter's block: a bit in each of eight words of 32 bits for each of its rows.
pub(super) const BLOCK: usize = LINE / 2;
/// From here on a slot names a chain: records of one hash that are more than a few.
pub(super) const CHAINS_FROM: u32 = 0xE000_0000;
/// Buckets that are looked at for one hash. Seeded hashes never come near it.
pub(super) const RUN_MAX: usize = 400;
pub(super) const NET4: usize = 13;
pub(super) const NET6: usize = 25;
/// No network lies in more than so many others that differ, times a few of the same.
pub(super) const NEST_MAX: usize = 4_096;

/// Why a file is no set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("no set of indicators, or cut off: its end is missing")]
    Cut,
    #[error("written in layout {found}, where {VERSION} is read: it has to be made anew")]
    Version { found: u8 },
    #[error("the part that says where everything lies is damaged")]
    Footer,
    #[error("{part} lies beyond the end of the file or contradicts itself")]
    Part { part: &'static str },
    #[error("the record at byte {at} is damaged")]
    Record { at: u64 },
    #[error("its content is not what it was when it was written")]
    Digest,
    #[error("more than {max} files in one set")]
    Layers { max: usize },
}

impl Damage {
    /// The reason in Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            Damage::Cut => "指標の集合ではないか、途中で切れています(末尾がありません)".to_owned(),
            Damage::Version { found } => {
                format!("形式の版が{found}です(読めるのは{VERSION})。作り直してください")
            }
            Damage::Footer => "各部の位置を記した部分が壊れています".to_owned(),
            Damage::Part { part } => format!("{part}の位置がファイルの外か、内容が矛盾しています"),
            Damage::Record { at } => format!("{at}バイト目の行が壊れています"),
            Damage::Digest => "書き出したときの内容と一致しません".to_owned(),
            Damage::Layers { max } => format!("一つの集合に{max}個を超えるファイルがあります"),
        };
        (ja, self.to_string())
    }
}

/// What many records have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Profile {
    pub kind: Kind,
    pub direction: Direction,
    pub ceiling: Ceiling,
    pub source: u32,
    pub kinds: Kinds,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub at: u64,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TablePart {
    pub kind: Kind,
    pub rows: u64,
    pub buckets: Part,
    /// Hashes are spread over so many buckets; the rest is where the last ones overflow.
    pub homes: u64,
    pub filter: Part,
    pub scopes: u8,
    /// Whether URLs without a scheme are among them.
    pub schemeless: bool,
    pub length_min: u32,
    pub length_max: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Footer {
    pub seed: [u8; 16],
    /// Where the records end.
    pub records: u64,
    pub body: u64,
    pub digest: [u8; 32],
    pub rows: u64,
    pub tables: Vec<TablePart>,
    pub chains: Part,
    pub v4: Part,
    pub v6: Part,
    pub residue: Vec<(Kind, u32)>,
    /// Rows on which this file has the last word, ascending.
    pub named: Part,
    pub profiles: Vec<Profile>,
    pub sources: Vec<String>,
}

/// The beginning of the footer's SHA-256.
pub(super) fn seal(footer: &[u8]) -> [u8; SEAL] {
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&Sha256::digest(footer)[..SEAL]);
    seal
}

const FROM: u8 = 0x10;
const UNTIL: u8 = 0x20;
const SECONDS: u8 = 0x40;
/// 2000-01-01: seconds of 32 bits from here reach 2136.
const EPOCH: i64 = 946_684_800;
/// Microseconds of 56 bits around 1970 reach eleven centuries each way.
const BIAS: i64 = 1 << 55;

/// A record as it lies in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub scope: Scope,
    pub key: &'a [u8],
    pub profile: u64,
    pub id: u64,
    pub from: Option<Micros>,
    pub until: Option<Micros>,
}

impl Record<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let times = [self.from.map(clamp), self.until.map(clamp)];
        let seconds = times.iter().flatten().all(|time| whole(*time).is_some());
        let mut tag = scope_bits(self.scope);
        tag |= if times[0].is_some() { FROM } else { 0 };
        tag |= if times[1].is_some() { UNTIL } else { 0 };
        tag |= if seconds { SECONDS } else { 0 };
        out.push(tag);
        varint(self.key.len() as u64, out);
        out.extend_from_slice(self.key);
        varint(self.profile, out);
        varint(self.id, out);
        for time in times.into_iter().flatten() {
            match whole(time).filter(|_| seconds) {
                Some(seconds) => out.extend_from_slice(&seconds.to_le_bytes()),
                None => out.extend_from_slice(&(time + BIAS).to_le_bytes()[..7]),
            }
        }
    }
}

/// Times beyond what a record holds are beyond what anybody means.
fn clamp(time: Micros) -> Micros {
    time.clamp(-BIAS, BIAS - 1)
}

fn whole(time: Micros) -> Option<u32> {
    (time % 1_000_000 == 0).then(|| u32::try_from(time / 1_000_000 - EPOCH).ok()).flatten()
}

/// The record at a place, as far as its bytes make one.
pub(super) fn record(bytes: &[u8], at: u64) -> Result<Record<'_>, Damage> {
    measured(bytes, at).map(|(record, _)| record)
}

/// The record at a place, and where it ends.
pub(super) fn measured(bytes: &[u8], at: u64) -> Result<(Record<'_>, u64), Damage> {
    let start = usize::try_from(at).ok().filter(|start| *start < bytes.len());
    let mut rest = start.map(|start| &bytes[start..]).ok_or(Damage::Record { at })?;
    let record = read(&mut rest).ok_or(Damage::Record { at })?;
    Ok((record, (bytes.len() - rest.len()) as u64))
}

fn read<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let tag = take(rest, 1)?[0];
    let scope = *Scope::ALL.get(usize::from(tag & 0x07))?;
    let length = usize::try_from(unvarint(rest)?).ok()?;
    let key = take(rest, length)?;
    let profile = unvarint(rest)?;
    let id = unvarint(rest)?;
    let from = if tag & FROM != 0 { Some(time(rest, tag)?) } else { None };
    let until = if tag & UNTIL != 0 { Some(time(rest, tag)?) } else { None };
    Some(Record { scope, key, profile, id, from, until })
}

fn time(rest: &mut &[u8], tag: u8) -> Option<Micros> {
    if tag & SECONDS != 0 {
        let seconds = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
        return Some((i64::from(seconds) + EPOCH) * 1_000_000);
    }
    let mut full = [0; 8];
    full[..7].copy_from_slice(take(rest, 7)?);
    Some(i64::from_le_bytes(full) - BIAS)
}

pub(super) fn scope_bits(scope: Scope) -> u8 {
    scope as u8
}

pub(super) fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn unvarint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(
            key in prop::collection::vec(any::<u8>(), 0..300), profile: u64, id: u64,
            from in prop::option::of(-BIAS..BIAS), until in prop::option::of(0..4_000_000_000i64),
            scope in 0..Scope::ALL.len(), seconds: bool,
        ) {
            let from = from.map(|from| if seconds { from / 1_000_000 * 1_000_000 } else { from });
            let until = until.map(|until| until * 1_000_000);
            let scope = Scope::ALL[scope];
            let mut out = vec![0xaa];
            Record { scope, key: &key, profile, id, from, until }.write(&mut out);
            let back = record(&out, 1).unwrap();
            prop_assert_eq!((back.scope, back.key, back.profile), (scope, key.as_slice(), profile));
            prop_assert_eq!((back.id, back.from, back.until), (id, from, until));
            for cut in 0..out.len() {
                let _ = record(&out[..cut], 1);
            }
        }
    }
}
