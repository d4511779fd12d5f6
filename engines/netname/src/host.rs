//! A host: a domain or an address.

use core::net::IpAddr;
use std::fmt;

use crate::{Domain, Error, HOST_BYTES_MAX, domain, ip};

/// A host, as it stands in a URL, a log or a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Domain(Domain),
    Ip(IpAddr),
}

impl Host {
    /// By WHATWG: what ends in a number is an IPv4 address (octal, hexadecimal, fewer parts) or
    /// nothing; IPv6 with or without brackets.
    pub fn parse(text: &str) -> Result<Host, Error> {
        if text.len() > HOST_BYTES_MAX {
            return Err(Error::TooLong { max: HOST_BYTES_MAX });
        }
        if text.starts_with('[') || text.contains(':') {
            return ip::parse(text).map(Host::Ip);
        }
        match Domain::parse(text) {
            Ok(domain) => Ok(Host::Domain(domain)),
            // What UTS 46 makes of full-width digits and dots is what the address is read from.
            Err(Error::Address | Error::Number) => {
                let ascii = domain::to_ascii_text(text)?;
                ip::v4(&ascii).map(|v4| Host::Ip(IpAddr::V4(v4))).map_err(|_| Error::Number)
            }
            Err(error) => Err(error),
        }
    }

    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Host::Domain(domain) => Some(domain),
            Host::Ip(_) => None,
        }
    }

    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Domain(_) => None,
            Host::Ip(ip) => Some(*ip),
        }
    }
}

impl fmt::Display for Host {
    /// As in a URL: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(domain) => domain.fmt(f),
            Host::Ip(IpAddr::V4(v4)) => v4.fmt(f),
            Host::Ip(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}
