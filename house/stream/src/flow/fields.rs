//! Numbers out of records, by the numbers that IANA gave to information elements.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::Timestamp;

use super::Flow;

/// Seconds between 1900, where NTP begins, and 1970.
const NTP_SECONDS: i64 = 2_208_988_800;

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// A record on its way to a flow.
#[derive(Debug, Default)]
pub(super) struct Draft {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    ports: (u16, u16),
    protocol: u8,
    bytes: u64,
    packets: u64,
    tcp_flags: u16,
    interfaces: (u32, u32),
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Draft {
    /// Takes the value of an element; `boot` is when the exporter started, in µs, if it is known.
    pub fn take(&mut self, element: u16, value: &[u8], boot: Option<i64>) {
        let number = unsigned(value);
        let number = || number;
        match element {
            1 | 85 => self.bytes = number().unwrap_or(0),
            2 | 86 => self.packets = number().unwrap_or(0),
            // Of the way back, where the way there is not counted.
            23 if self.bytes == 0 => self.bytes = number().unwrap_or(0),
            24 if self.packets == 0 => self.packets = number().unwrap_or(0),
            4 => self.protocol = narrow(number()),
            6 => self.tcp_flags = narrow(number()),
            7 => self.ports.0 = narrow(number()),
            11 => self.ports.1 = narrow(number()),
            8 | 27 => self.src = address(value).or(self.src),
            12 | 28 => self.dst = address(value).or(self.dst),
            10 => self.interfaces.0 = narrow(number()),
            14 => self.interfaces.1 = narrow(number()),
            22 | 150 | 152 | 154 | 156 => self.start = time(element, value, boot).or(self.start),
            21 | 151 | 153 | 155 | 157 => self.end = time(element, value, boot).or(self.end),
            _ => {}
        }
    }

    /// The flow, if both its ends are known.
    pub fn finish(self) -> Option<Flow> {
        Some(Flow {
            src: self.src?,
            dst: self.dst?,
            src_port: self.ports.0,
            dst_port: self.ports.1,
            protocol: self.protocol,
            bytes: self.bytes,
            packets: self.packets,
            tcp_flags: self.tcp_flags,
            in_if: self.interfaces.0,
            out_if: self.interfaces.1,
            start: self.start,
            end: self.end,
        })
    }
}

/// Exporters may shorten a number to the bytes it needs.
fn unsigned(value: &[u8]) -> Option<u64> {
    let fits = (1..=8).contains(&value.len());
    fits.then(|| value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn narrow<T: TryFrom<u64> + Default>(number: Option<u64>) -> T {
    number.and_then(|number| T::try_from(number).ok()).unwrap_or_default()
}

/// An unspecified address of the other family stands in records that serve both.
fn address(value: &[u8]) -> Option<IpAddr> {
    let address = match value.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?)),
        _ => return None,
    };
    (!address.is_unspecified()).then_some(address)
}

fn time(element: u16, value: &[u8], boot: Option<i64>) -> Option<Timestamp> {
    let number = i64::try_from(unsigned(value)?).ok();
    let micros = match element {
        21 | 22 => boot?.checked_add(number?.checked_mul(1000)?)?,
        150 | 151 => number?.checked_mul(1_000_000)?,
        152 | 153 => number?.checked_mul(1000)?,
        // NTP: seconds since 1900 and a fraction of 2³².
        _ => {
            let (seconds, fraction) = (u32_at(value, 0)?, u32_at(value, 4)?);
            let micros = (i64::from(fraction) * 1_000_000) >> 32;
            (i64::from(seconds) - NTP_SECONDS) * 1_000_000 + micros
        }
    };
    Some(Timestamp(micros))
}
