//! Beside a segment: under which keys its events could hit an indicator, so that who looks for new ones opens only what
//! may hold one.
//!
//! `x.seen` beside `x.parquet`: `UMESEEN`, version; bytes of the segment, first and last time (`i64`), whether records of
//! audit are in it, number of keys (`u32`), CRC32C of everything but itself; then the keys, each some bits of a hash,
//! sorted, as differences.
//!
//! Grams of the text would not do: a name may stand in a log in full-width letters or in percent signs, an address in any
//! of its forms, and is an indicator only once it is brought into its one form. So the keys are made of that form, by
//! the code that looks up (`observe`, `Observable`).
//!
//! Invariants: it may say "perhaps" wrongly, never "no"; missing, damaged, or not of this segment means that the segment
//! is read. What several records of audit say together stands in none of them, so a segment that has some is read.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use indicators::{Kind, Micros, Observable};
use ipnet::IpNet;
use netname::{Host, Names, Url};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use stream::{
    Event,
    parse::{SHAPE_FIELD, Shape},
};

use super::observe;

const MAGIC: [u8; 8] = *b"UMESEEN\x01";
const HEAD: usize = MAGIC.len() + 8 + 8 + 8 + 1 + 4;
const CRC: usize = 4;
/// Bits of a hash that are kept: of a million questions to a segment of 50,000 keys one in twenty is a "perhaps".
const BITS: u32 = 40;
const KEYS_MAX: usize = 4 << 20;
const FILE_BYTES_MAX: u64 = 32 << 20;
static SECRETS: RapidSecrets = RapidSecrets::seed(0x756d_6573_6565_6e31);

fn hash(tag: u8, bytes: &[u8]) -> u64 {
    let seed = rapidhash_v3_seeded(bytes, &SECRETS).rotate_left(u32::from(tag));
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS)
}

pub(super) fn domain(name: &str) -> u64 {
    hash(1, name.as_bytes())
}

/// From `//` on.
pub(super) fn url(text: &str) -> u64 {
    hash(2, text.as_bytes())
}

pub(super) fn ip(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(v4) => hash(3, &v4.octets()),
        IpAddr::V6(v6) => hash(4, &v6.octets()),
    }
}

pub(super) fn email(text: &str) -> u64 {
    hash(5, text.as_bytes())
}

pub(super) fn path(text: &str) -> u64 {
    hash(6, text.as_bytes())
}

pub(super) fn registry(text: &str) -> u64 {
    hash(7, text.as_bytes())
}

pub(super) fn file_name(text: &str) -> u64 {
    hash(8, text.as_bytes())
}

pub(super) fn other(kind: Kind, text: &str) -> u64 {
    hash(16 + kind as u8, text.as_bytes())
}

/// Lengths of networks under which an address is known, the longest first.
const V4: [u8; 3] = [24, 16, 8];
const V6: [u8; 4] = [64, 48, 32, 16];

fn lengths(ip: IpAddr) -> &'static [u8] {
    if ip.is_ipv4() { &V4 } else { &V6 }
}

fn net(ip: IpAddr, bits: u8) -> Option<u64> {
    let net = IpNet::new(ip, bits).ok()?.trunc();
    let mut bytes = match net.addr() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    bytes.push(bits);
    Some(hash(9, &bytes))
}

/// The key of a network, or of one around it; `None` for one that is wider than all that are known.
pub(super) fn around(wanted: IpNet) -> Option<u64> {
    let bits = lengths(wanted.addr()).iter().find(|bits| **bits <= wanted.prefix_len())?;
    net(wanted.addr(), *bits)
}

/// Every key under which a row may be that the value hits.
fn keys(value: &Observable, names: &Names, add: &mut impl FnMut(u64)) {
    let text = value.text();
    match value.kind() {
        Kind::Domain => name_keys(text, names, add),
        Kind::Ip => {
            if let Ok(ip) = text.parse() {
                address_keys(ip, add);
            }
        }
        Kind::Url => {
            let start = text.find("//").unwrap_or(0);
            add(url(&text[start..]));
            match Url::parse(text).as_ref().map(Url::host) {
                Ok(Host::Domain(name)) => name_keys(name.as_str(), names, add),
                Ok(Host::Ip(ip)) => address_keys(*ip, add),
                Err(_) => {}
            }
        }
        Kind::Email => {
            add(email(text));
            if let Some(at) = text.rfind('@') {
                add(email(&text[at..]));
            }
        }
        Kind::Path => {
            let separator = if text.contains('\\') { '\\' } else { '/' };
            above(text, separator, |folder| add(path(folder)));
            if let Some((_, name)) = text.rsplit_once(separator)
                && let Ok(name) = indicators::normalise(Kind::FileName, name, names)
            {
                add(file_name(name.text()));
            }
        }
        Kind::RegistryKey => above(text, '\\', |key| add(registry(key))),
        kind => add(other(kind, text)),
    }
}

fn name_keys(name: &str, names: &Names, add: &mut impl FnMut(u64)) {
    add(domain(name));
    if let Some(registered) = names.registrable(name) {
        add(domain(registered));
    }
}

fn address_keys(address: IpAddr, add: &mut impl FnMut(u64)) {
    add(ip(address));
    lengths(address).iter().filter_map(|bits| net(address, *bits)).for_each(add);
}

fn above(text: &str, separator: char, mut show: impl FnMut(&str)) {
    let mut rest = text;
    show(rest);
    while let Some((folder, _)) = rest.rsplit_once(separator) {
        show(folder);
        rest = folder;
    }
}

/// Name of the file beside a segment.
pub fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("seen")
}

/// Writes the file beside a segment. Not synced: what a crash leaves of it fails its check.
pub fn write(segment: &Path, segment_bytes: u64, events: &[&Event]) -> io::Result<()> {
    let names = Names::shipped();
    let (mut found, mut is_audit) = (Vec::new(), false);
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for event in events {
        let time = event.time().min(event.arrived).0;
        (first, last) = (first.min(time), last.max(time));
        is_audit |= event.fields.get(SHAPE_FIELD).is_some_and(|s| s == Shape::Audit.name());
        observe::each(event, |kind, text, direction| {
            if let Ok(value) = Observable::read(kind, text, direction, &names) {
                keys(&value, &names, &mut |key| found.push(key));
            }
        });
        if found.len() > KEYS_MAX {
            found.sort_unstable();
            found.dedup();
            if found.len() > KEYS_MAX / 2 {
                // Too much to say: the segment is read.
                return Ok(());
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(segment_bytes.to_le_bytes());
    bytes.extend(first.to_le_bytes());
    bytes.extend(last.to_le_bytes());
    bytes.push(u8::from(is_audit));
    bytes.extend((found.len() as u32).to_le_bytes());
    let mut before = 0;
    for key in found {
        let mut rest = key - before;
        before = key;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    fs::write(path_of(segment), bytes)
}

/// Segments of an archive that have none.
pub fn missing(archive: &Path) -> stream::Result<Vec<PathBuf>> {
    let ranges = stream::scan::ranges(archive)?;
    let all = ranges.into_iter().flat_map(|range| range.segments);
    Ok(all.filter(|path| !path_of(path).exists()).collect())
}

/// Makes that of a segment which has none.
pub fn rebuild(segment: &Path) -> stream::Result<()> {
    let events: Vec<Event> =
        stream::scan::events(&[segment.to_owned()]).collect::<stream::Result<_>>()?;
    // What cannot be written is not there, and then the segment is read.
    let written = fs::metadata(segment)
        .and_then(|meta| write(segment, meta.len(), &events.iter().collect::<Vec<_>>()));
    if let Err(error) = written {
        tracing::warn!(%error, "a segment has no keys beside it");
    }
    Ok(())
}

/// What is asked of segments: keys, and when their rows hold.
#[derive(Clone, Debug, Default)]
pub struct Asks(Vec<(u64, Option<Micros>, Option<Micros>)>);

impl Asks {
    pub fn new(mut all: Vec<(u64, Option<Micros>, Option<Micros>)>) -> Asks {
        all.sort_unstable();
        all.dedup();
        Asks(all)
    }

    /// Whether a segment may hold an event that one of the rows hits, and how many bytes were read to know it.
    pub fn may_meet(&self, segment: &Path) -> (bool, u64) {
        if self.0.is_empty() {
            return (false, 0);
        }
        let read = || {
            let path = path_of(segment);
            if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
                return None;
            }
            fs::read(path).ok()
        };
        let Some(bytes) = read() else { return (true, 0) };
        let length = bytes.len() as u64;
        let segment_bytes = fs::metadata(segment).map_or(0, |meta| meta.len());
        (self.may_meet_in(&bytes, segment_bytes).unwrap_or(true), length)
    }

    /// `None` if the bytes are not those of this segment.
    fn may_meet_in(&self, bytes: &[u8], segment_bytes: u64) -> Option<bool> {
        let (front, sum) = bytes.split_last_chunk::<CRC>()?;
        if crc32c::crc32c(front).to_le_bytes() != *sum || front.len() < HEAD {
            return None;
        }
        let rest = front.strip_prefix(&MAGIC)?;
        let eight = |at: usize| Some(*rest.get(at..)?.first_chunk::<8>()?);
        let (size, first, last) = (eight(0)?, eight(8)?, eight(16)?);
        if u64::from_le_bytes(size) != segment_bytes {
            return None;
        }
        let (first, last) = (i64::from_le_bytes(first), i64::from_le_bytes(last));
        if rest.get(24) != Some(&0) {
            return Some(true);
        }
        let mut asked = self.0.as_slice();
        let (mut key, mut delta, mut shift) = (0_u64, 0_u64, 0);
        for byte in rest.get(29..)? {
            delta |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 != 0 {
                if shift > 63 {
                    return None;
                }
                continue;
            }
            key += delta;
            (delta, shift) = (0, 0);
            asked = behind(asked, key);
            let same = asked.iter().take_while(|(hash, ..)| *hash == key);
            let holds = |(_, from, until): &(u64, Option<Micros>, Option<Micros>)| {
                from.is_none_or(|from| from <= last) && until.is_none_or(|until| first < until)
            };
            if same.into_iter().any(holds) {
                return Some(true);
            }
            if asked.is_empty() {
                break;
            }
        }
        Some(false)
    }
}

type Ask = (u64, Option<Micros>, Option<Micros>);

/// What is left from a key on: near things are found fast, far ones in a few steps.
fn behind(asked: &[Ask], key: u64) -> &[Ask] {
    let mut step = 1;
    while step < asked.len() && asked[step].0 < key {
        step *= 2;
    }
    let from = step / 2;
    let to = (step + 1).min(asked.len());
    let skip = asked[from..to].partition_point(|(hash, ..)| *hash < key);
    &asked[from + skip..]
}
