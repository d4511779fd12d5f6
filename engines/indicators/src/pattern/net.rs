//! Networks of `ISSUBSET` and `ISSUPERSET`.

use core::net::IpAddr;
use std::fmt;

/// An address with the length of its prefix; a lone address has the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    pub fn parse(text: &str) -> Option<Net> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (prefix <= longest).then_some(Net { address, prefix })
    }

    /// Whether all of `other` lies in this one; addresses of another version never do.
    pub fn contains(&self, other: &Net) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.prefix <= other.prefix
            && self.cut(&self.address) == self.cut(&other.address)
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The bits of an address that this prefix looks at.
    fn cut(&self, address: &IpAddr) -> u128 {
        let (bits, width) = match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        bits.checked_shr(width - u32::from(self.prefix)).unwrap_or(0)
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(outer: &str, inner: &str) -> bool {
        Net::parse(outer).unwrap().contains(&Net::parse(inner).unwrap())
    }

    #[test]
    fn a_network_holds_what_its_prefix_says() {
        assert!(holds("198.51.100.0/24", "198.51.100.7"));
        assert!(holds("198.51.100.9/24", "198.51.100.128/25"));
        assert!(!holds("198.51.100.128/25", "198.51.100.0/24"));
        assert!(!holds("198.51.100.0/24", "198.51.101.1/32"));
        assert!(holds("0.0.0.0/0", "255.255.255.255"));
        assert!(holds("2001:db8:dead:beef::/64", "2001:0db8:dead:beef::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("::/0", "192.0.2.1"));
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in
            ["", "192.0.2.0/33", "::/129", "192.0.2/24", "192.0.2.0/+8", "192.0.2.0/", "x/8"]
        {
            assert_eq!(Net::parse(text), None, "{text}");
        }
    }
}
