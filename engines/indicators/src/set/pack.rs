//! Under which bytes a value lies: hashes and addresses packed, all else as text.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::Kind;

/// The longest hash.
const PACKED_BYTES: usize = 64;

/// Bytes of a hash or an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    bytes: [u8; PACKED_BYTES],
    length: usize,
}

impl Packed {
    /// Of digits that stand for bytes.
    pub(super) fn of_hash(text: &str) -> Packed {
        let mut packed = Packed { bytes: [0; PACKED_BYTES], length: 0 };
        let (pairs, _) = text.as_bytes().as_chunks::<2>();
        for (byte, [high, low]) in packed.bytes.iter_mut().zip(pairs) {
            *byte = digit(*high) << 4 | digit(*low);
            packed.length += 1;
        }
        packed
    }

    pub(super) fn of_ip(ip: Option<IpAddr>) -> Packed {
        let mut packed = Packed { bytes: [0; PACKED_BYTES], length: 0 };
        let mut put = |bytes: &[u8]| {
            packed.bytes[..bytes.len()].copy_from_slice(bytes);
            packed.length = bytes.len();
        };
        match ip {
            Some(IpAddr::V4(v4)) => put(&v4.octets()),
            Some(IpAddr::V6(v6)) => put(&v6.octets()),
            None => {}
        }
        packed
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// What a hexadecimal digit is worth.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20).wrapping_sub(b'a' - 10) & 15,
    }
}

/// The bytes of a canonical text.
pub(super) fn pack(kind: Kind, text: &str, out: &mut Vec<u8>) {
    out.clear();
    match kind {
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => {
            out.extend_from_slice(Packed::of_hash(text).bytes());
        }
        Kind::Ip => match text.parse() {
            Ok(ip) => ip_bytes(ip, out),
            Err(_) => out.extend_from_slice(text.as_bytes()),
        },
        Kind::Cidr => match text.parse::<IpNet>() {
            Ok(net) => {
                ip_bytes(net.addr(), out);
                out.push(net.prefix_len());
            }
            Err(_) => out.extend_from_slice(text.as_bytes()),
        },
        _ => out.extend_from_slice(text.as_bytes()),
    }
}

/// Whether values of the kind are bytes written in digits.
pub(super) fn is_hash(kind: Kind) -> bool {
    matches!(kind, Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512)
}

pub(super) fn ip_bytes(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()),
    }
}

/// The text again. Bytes of a damaged file make some text as well.
pub(super) fn unpack(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        }
        Kind::Ip => ip_of(bytes).map_or_else(String::new, |ip| ip.to_string()),
        Kind::Cidr => match bytes.split_last() {
            Some((length, address)) => {
                ip_of(address).map_or_else(String::new, |ip| format!("{ip}/{length}"))
            }
            None => String::new(),
        },
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    <[u8; 16]>::try_from(bytes).ok().map(|all| IpAddr::V6(Ipv6Addr::from(all)))
}
