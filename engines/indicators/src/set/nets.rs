//! Networks in the order of their beginnings. Networks nest and never cross, so whichever hold an
//! address are the one that begins last before it, and those around that one.

use super::{
    format::{Damage, NEST_MAX, NET4, NET6},
    table::slice,
};

/// Networks as they are collected.
#[derive(Default)]
pub(super) struct Nets {
    v4: Vec<(u128, u8, u32)>,
    v6: Vec<(u128, u8, u32)>,
}

impl Nets {
    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// `packed` is the address and a byte for the length.
    pub(super) fn push(&mut self, packed: &[u8], place: u32) {
        let Some((length, address)) = packed.split_last() else { return };
        let start = address.iter().fold(0u128, |start, byte| start << 8 | u128::from(*byte));
        let all = if address.len() == 4 { &mut self.v4 } else { &mut self.v6 };
        all.push((start, *length, place));
    }

    /// Both families as they lie in a file: beginning, length, the one around it, record.
    /// None where too many lie in each other.
    pub(super) fn written(self) -> Option<(Vec<u8>, Vec<u8>)> {
        Some((written(self.v4, 4)?, written(self.v6, 16)?))
    }
}

fn written(mut nets: Vec<(u128, u8, u32)>, width: usize) -> Option<Vec<u8>> {
    nets.sort_unstable();
    let full = width as u32 * 8;
    let mut out = Vec::with_capacity(nets.len() * (width + 9));
    let mut around: Vec<usize> = Vec::new();
    for (at, (start, length, place)) in nets.iter().enumerate() {
        while let Some(outer) = around.last() {
            let (outer_start, outer_length, _) = nets[*outer];
            if holds(outer_start, outer_length, *start, full) {
                break;
            }
            around.pop();
        }
        let outer = around.last().map_or(0, |outer| *outer as u32 + 1);
        out.extend_from_slice(&start.to_be_bytes()[16 - width..]);
        out.push(*length);
        out.extend_from_slice(&outer.to_le_bytes());
        out.extend_from_slice(&place.to_le_bytes());
        around.push(at);
        if around.len() >= NEST_MAX {
            return None;
        }
    }
    Some(out)
}

fn holds(start: u128, length: u8, address: u128, full: u32) -> bool {
    let free = full.saturating_sub(u32::from(length));
    free >= 128 || (start >> free) == (address >> free)
}

/// The networks of one family, as they lie in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetTable<'a> {
    bytes: &'a [u8],
    count: usize,
    /// Bytes of an address.
    width: usize,
}

struct Net {
    start: u128,
    length: u8,
    outer: usize,
    place: u32,
}

impl<'a> NetTable<'a> {
    pub(super) fn open(
        body: &'a [u8],
        at: u64,
        count: u64,
        width: usize,
    ) -> Result<NetTable<'a>, Damage> {
        let size = if width == 4 { NET4 } else { NET6 };
        let bytes = slice(body, at, count, size).ok_or(Damage::Part { part: "the networks" })?;
        Ok(NetTable { bytes, count: bytes.len() / size, width })
    }

    fn net(&self, at: usize) -> Option<Net> {
        let size = self.width + 9;
        let bytes = self.bytes.get(at * size..(at + 1) * size)?;
        let (address, rest) = bytes.split_at(self.width);
        let word = |from: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| rest[from + n]));
        let start = address.iter().fold(0u128, |start, byte| start << 8 | u128::from(*byte));
        Some(Net { start, length: rest[0], outer: word(1) as usize, place: word(5) })
    }

    /// Records of all networks that hold the address with so many bits.
    pub(super) fn around(
        &self,
        address: u128,
        bits: u8,
        mut visit: impl FnMut(u32) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let full = self.width as u32 * 8;
        let mut at = self.behind(address);
        for _ in 0..NEST_MAX {
            let Some(net) = at.checked_sub(1).and_then(|at| self.net(at)) else { return Ok(()) };
            if net.length <= bits && holds(net.start, net.length, address, full) {
                visit(net.place)?;
            }
            // Who lies around begins before: a file that says else would lead in a circle.
            if net.outer >= at {
                return Err(Damage::Part { part: "the networks" });
            }
            at = net.outer;
        }
        Err(Damage::Part { part: "the networks" })
    }

    /// The first record of a network within the one given, itself excluded.
    pub(super) fn within(&self, address: u128, bits: u8) -> Option<u32> {
        let full = self.width as u32 * 8;
        let mut at = self.before(address);
        loop {
            let net = self.net(at)?;
            if !holds(address, bits, net.start, full) {
                return None;
            }
            if net.length > bits {
                return Some(net.place);
            }
            at += 1;
        }
    }

    /// How many begin at the address or before.
    fn behind(&self, address: u128) -> usize {
        self.partition(|start| start <= address)
    }

    fn before(&self, address: u128) -> usize {
        self.partition(|start| start < address)
    }

    fn partition(&self, left: impl Fn(u128) -> bool) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if left(self.start(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Where the network begins; beyond the last one nothing does.
    #[inline]
    fn start(&self, at: usize) -> u128 {
        let bytes = self.bytes.get(at * (self.width + 9)..).unwrap_or_default();
        match (self.width, bytes.first_chunk::<4>(), bytes.first_chunk::<16>()) {
            (4, Some(four), _) => u32::from_be_bytes(*four).into(),
            (16, _, Some(all)) => u128::from_be_bytes(*all),
            _ => u128::MAX,
        }
    }
}
