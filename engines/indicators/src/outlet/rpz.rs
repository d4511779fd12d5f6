//! Response policy zones: a name or address that has a record `CNAME .` is answered as if it did not exist.

use core::net::{IpAddr, Ipv6Addr};

use super::{Left, Listed, lines::Lines};
use crate::{Kind, Scope};

/// Octets of a name on the wire (RFC 1035, section 3.1).
const NAME_OCTETS_MAX: usize = 255;
const LABEL_OCTETS_MAX: usize = 63;

pub(super) fn head(zone: &str, serial: u32) -> String {
    format!(
        "$TTL 60\n$ORIGIN {zone}.\n@ SOA localhost. hostmaster.localhost. {serial} 60 60 432000 60\n\
         @ NS localhost.\n"
    )
}

pub(super) fn add(row: &Listed<'_>, zone: &str, lines: &mut Lines) -> Result<(), Left> {
    match (row.kind, row.scope) {
        (Kind::Domain, Scope::Exact) => name(row.text, zone, false, lines),
        (Kind::Domain, Scope::Subdomains) => name(row.text, zone, true, lines),
        (Kind::Ip | Kind::Cidr, Scope::Exact) => network(row.text, lines),
        (Kind::Url, Scope::Host | Scope::Subdomains) => match address(row.text) {
            Some(_) => network(row.text, lines),
            None => name(row.text, zone, row.scope == Scope::Subdomains, lines),
        },
        // A resolver sees names; a URL is none, and its host is not what was meant.
        _ => Err(Left::Reach),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn name(text: &str, zone: &str, with_below: bool, lines: &mut Lines) -> Result<(), Left> {
    let labels: Vec<&str> = text.split('.').collect();
    let has_bad_label = labels.iter().any(|l| l.is_empty() || l.len() > LABEL_OCTETS_MAX);
    let octets = |name: &str| name.len() + 1;
    let below = if with_below { 2 } else { 0 };
    if has_bad_label || octets(text) + octets(zone) + below + 1 > NAME_OCTETS_MAX {
        return Err(Left::Long);
    }
    let escaped: Vec<String> = labels.iter().map(|label| escaped(label)).collect();
    let name = escaped.join(".");
    lines.add(&[&name]);
    if with_below {
        lines.add(&["*.", &name]);
    }
    Ok(())
}

/// A label as a zone file writes it (RFC 1035, section 5.1).
fn escaped(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for byte in label.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(byte)),
            other => out.push_str(&format!("\\{other:03}")),
        }
    }
    out
}

/// `24.0.113.0.203.rpz-ip`: the length, then the address from its end.
fn network(text: &str, lines: &mut Lines) -> Result<(), Left> {
    let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
    let ip = address(base).ok_or(Left::Reach)?;
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.map_or(Ok(whole), |bits| bits.parse().map_err(|_| Left::Reach))?;
    if bits == 0 || bits > whole {
        return Err(Left::Reach);
    }
    let words = match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(ip) => words(ip),
    };
    lines.add(&[&bits.to_string(), ".", &words, ".rpz-ip"]);
    Ok(())
}

/// The eight words from the last on, the longest run of two or more zeros as `zz`; of equal runs the one that stands
/// first in the address, as BIND writes it and wants it.
fn words(ip: Ipv6Addr) -> String {
    let mut words = ip.segments();
    words.reverse();
    let (mut best, mut run) = ((0, 1), (0, 0));
    for (at, word) in words.iter().enumerate() {
        run = match (word, run.1) {
            (0, 0) => (at, 1),
            (0, length) => (run.0, length + 1),
            _ => (0, 0),
        };
        if run.1 > 1 && run.1 >= best.1 {
            best = run;
        }
    }
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if best.1 > 1 && at == best.0 {
            out.push("zz".to_owned());
            at += best.1;
        } else {
            out.push(format!("{:x}", words[at]));
            at += 1;
        }
    }
    out.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_sixth_version_stand_from_their_end() {
        for (address, expected) in [
            ("2001:db8::", "zz.db8.2001"),
            ("2001:db8::1", "1.zz.db8.2001"),
            ("2001:db8:0:0:1:0:0:1", "1.0.0.1.zz.db8.2001"),
            ("2001:db8:1:2:3:4:5:6", "6.5.4.3.2.1.db8.2001"),
            ("2001:db8:0:2:3:4:5:6", "6.5.4.3.2.0.db8.2001"),
            ("::1", "1.zz"),
        ] {
            assert_eq!(words(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_a_zone_file_reads_otherwise_is_escaped() {
        assert_eq!(escaped("a_b-c"), "a_b-c");
        assert_eq!(escaped("a;b"), "a\\059b");
        assert_eq!(escaped("@"), "\\064");
        assert_eq!(escaped("*"), "\\042");
    }
}
