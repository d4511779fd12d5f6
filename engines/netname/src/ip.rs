//! Addresses and networks in the forms in which they come.
//!
//! Octal, hexadecimal, decimal and short IPv4 by WHATWG (`010.1` is `8.0.0.1`); IPv6 in brackets,
//! with zone, with an IPv4 tail. An IPv4 address mapped into IPv6 is that IPv4 address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::Error;

/// The longest: IPv6 with an IPv4 tail, brackets and a zone of an interface's name.
const IP_BYTES_MAX: usize = 128;
/// Where mapped addresses lie in IPv6.
const MAPPED_BITS: u8 = 96;

/// An address in any form. The zone says which interface of which machine: no part of an address
/// that others can know.
pub fn parse(text: &str) -> Result<IpAddr, Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.len() > IP_BYTES_MAX {
        return Err(Error::TooLong { max: IP_BYTES_MAX });
    }
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Ok(IpAddr::V4(v4));
    }
    if text.contains(':') {
        return v6(text).map(|v6| v6.to_canonical());
    }
    v4(text).map(IpAddr::V4)
}

/// IPv4 by WHATWG, with or without the root's dot.
pub fn v4(text: &str) -> Result<Ipv4Addr, Error> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut parts = [0u64; 4];
    let mut count = 0;
    for part in text.split('.') {
        let place = parts.get_mut(count).ok_or(Error::Ip)?;
        *place = number(part).ok_or(Error::Ip)?;
        count += 1;
    }
    let (last, leading) = parts[..count].split_last().ok_or(Error::Ip)?;
    if leading.iter().any(|part| *part > 255) || *last >= 1u64 << (8 * (5 - count)) {
        return Err(Error::Ip);
    }
    let high = leading.iter().enumerate().map(|(at, part)| part << (8 * (3 - at))).sum::<u64>();
    u32::try_from(high + last).map(Ipv4Addr::from).map_err(|_| Error::Ip)
}

fn number(part: &str) -> Option<u64> {
    let (digits, radix) = match part.as_bytes() {
        [] => return None,
        [b'0', b'x' | b'X', ..] => (&part[2..], 16),
        [b'0', _, ..] => (&part[1..], 8),
        _ => (part, 10),
    };
    // `0x` alone is zero; a sign is no digit, though `from_str_radix` takes one.
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

fn v6(text: &str) -> Result<Ipv6Addr, Error> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or(Error::Ip)?,
        None => text,
    };
    let bare = match bare.split_once('%') {
        Some((bare, zone)) if !zone.is_empty() => bare,
        Some(_) => return Err(Error::Ip),
        None => bare,
    };
    bare.parse().map_err(|_| Error::Ip)
}

/// A network: `a/n`, `a/mask`, or an address alone. Bits of hosts are cleared.
pub fn net(text: &str) -> Result<IpNet, Error> {
    let Some((address, length)) = text.split_once('/') else {
        return parse(text).map(IpNet::from);
    };
    let mapped = address.contains(':');
    let address = parse(address)?;
    let full = if mapped { 128 } else { 32 };
    let length = prefix(length, full).ok_or(Error::Net)?;
    match address {
        IpAddr::V4(v4) if !mapped => Ok(v4_net(v4, length)?),
        // `::ffff:10.0.0.0/104` is `10.0.0.0/8`; shorter prefixes reach out of IPv4.
        IpAddr::V4(v4) if length >= MAPPED_BITS => v4_net(v4, length - MAPPED_BITS),
        IpAddr::V4(v4) => v6_net(v4.to_ipv6_mapped(), length),
        IpAddr::V6(v6) => v6_net(v6, length),
    }
}

fn prefix(text: &str, full: u8) -> Option<u8> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().filter(|length| *length <= full);
    }
    let mask: Ipv4Addr = text.parse().ok()?;
    (full == 32).then(|| ipnet::ip_mask_to_prefix(mask.into()).ok()).flatten()
}

fn v4_net(address: Ipv4Addr, length: u8) -> Result<IpNet, Error> {
    Ipv4Net::new(address, length).map(|net| IpNet::V4(net.trunc())).map_err(|_| Error::Net)
}

fn v6_net(address: Ipv6Addr, length: u8) -> Result<IpNet, Error> {
    Ipv6Net::new(address, length).map(|net| IpNet::V6(net.trunc())).map_err(|_| Error::Net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> String {
        parse(text).map_or_else(|error| error.to_string(), |ip| ip.to_string())
    }

    #[test]
    fn every_form_of_an_ipv4_address_is_one_address() {
        for form in ["192.168.1.1", "0xc0.0xa8.1.1", "0300.0250.1.1", "3232235777", "192.168.257"] {
            assert_eq!(ip(form), "192.168.1.1", "{form}");
        }
        assert_eq!(ip("0xC0A80101."), "192.168.1.1");
        assert_eq!(ip("0x.0"), "0.0.0.0");
    }

    #[test]
    fn every_form_of_an_ipv6_address_is_one_address() {
        for form in ["2001:DB8:0:0::1", "[2001:db8::1]", "2001:db8::1%eth0", "2001:db8::0.0.0.1"] {
            assert_eq!(ip(form), "2001:db8::1", "{form}");
        }
        assert_eq!(ip("[::ffff:192.168.1.1]"), "192.168.1.1");
        assert_eq!(ip("::ffff:c0a8:101"), "192.168.1.1");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let bad = [
            "256.1.1.1",
            "1.2.3.4.5",
            "1..2",
            "+1",
            "0x1g",
            "08",
            "4294967296",
            "[::1",
            "::1%",
            "1.2.3.4%1",
            "1.2.3.4/8",
            ".",
            "::ffff:1.2.3",
            "1.2.3.4:80",
            "1_0.0.0.1",
        ];
        for text in bad {
            assert_eq!(ip(text), "no IP address", "{text}");
        }
        assert_eq!(parse(&"1".repeat(1 << 20)), Err(Error::TooLong { max: IP_BYTES_MAX }));
    }

    #[test]
    fn networks_lose_the_bits_of_hosts_and_mapped_ones_are_ipv4() {
        let shown = |text| net(text).map_or_else(|e| e.to_string(), |net| net.to_string());
        assert_eq!(shown("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(shown("10.1.2.3/255.255.0.0"), "10.1.0.0/16");
        assert_eq!(shown("10.1.2.3"), "10.1.2.3/32");
        assert_eq!(shown("::ffff:10.1.2.3/104"), "10.0.0.0/8");
        assert_eq!(shown("2001:db8::1/32"), "2001:db8::/32");
        assert_eq!(shown("::/0"), "::/0");
        for bad in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "::/255.0.0.0"] {
            assert_eq!(shown(bad), "no network in CIDR form", "{bad}");
        }
        assert_eq!(shown("10.0.0.0/255.0.255.0"), "no network in CIDR form");
    }
}
