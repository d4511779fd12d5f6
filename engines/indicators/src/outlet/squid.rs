//! URLs as expressions for `url_regex`, and networks for `dst`.

use core::net::IpAddr;

use ipnet::IpNet;

use super::{LINE_BYTES_MAX, Left, Listed, lines::Lines};
use crate::{Kind, Scope};

/// Any scheme.
const ANY: &str = "^[a-z][a-z0-9+.-]*://";

pub(super) fn url(row: &Listed<'_>, lines: &mut Lines) -> Result<(), Left> {
    let (begin, text) = match row.text.strip_prefix("//") {
        Some(rest) => (ANY, escaped(rest)),
        None => ("^", escaped(row.text)),
    };
    let line = match row.scope {
        Scope::Exact => format!("{begin}{text}$"),
        // Whole segments, as a set finds them.
        Scope::Prefix => format!("{begin}{text}([/?].*)?$"),
        Scope::Substring => text,
        Scope::Pattern => {
            format!("^{}$", text.replace("\\*", ".*").replace("\\?", "."))
        }
        // `dstdomain` says hosts; expressions of another kind mean other things here.
        _ => return Err(Left::Reach),
    };
    if line.len() > LINE_BYTES_MAX {
        return Err(Left::Long);
    }
    lines.add(&[&line]);
    Ok(())
}

/// The text as a POSIX extended expression that means just it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if "\\.^$*+?()[]{}|".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A line in memory is family, address and length in digits of one width, so that a network stands before what is
/// within it.
pub(super) fn network(row: &Listed<'_>, lines: &mut Lines) -> Result<(), Left> {
    let is_network = matches!(row.kind, Kind::Ip | Kind::Cidr) && row.scope == Scope::Exact;
    if !is_network && !row.is_host() {
        return Err(Left::Reach);
    }
    let text = row.text.trim_start_matches('[').trim_end_matches(']');
    let net = text.parse::<IpNet>().ok();
    let net = net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).ok_or(Left::Reach)?;
    let bits = net.prefix_len();
    match net.network() {
        IpAddr::V4(ip) => lines.add(&[&format!("4 {:032x} {bits:03}", u32::from(ip))]),
        IpAddr::V6(ip) => lines.add(&[&format!("6 {:032x} {bits:03}", u128::from(ip))]),
    }
    Ok(())
}

pub(super) fn write_networks(
    lines: &Lines,
    out: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut cover: Option<IpNet> = None;
    lines.each(&mut |line| {
        let Some(net) = read(line) else { return Ok(()) };
        if cover.is_some_and(|cover| cover.contains(&net)) {
            return Ok(());
        }
        cover = Some(net);
        match net.prefix_len() == net.max_prefix_len() {
            true => out(&format!("{}\n", net.addr())),
            false => out(&format!("{net}\n")),
        }
    })
}

fn read(line: &str) -> Option<IpNet> {
    let mut parts = line.split(' ');
    let (family, address, bits) = (parts.next()?, parts.next()?, parts.next()?);
    let address = u128::from_str_radix(address, 16).ok()?;
    let ip = match family {
        "4" => IpAddr::V4(u32::try_from(address).ok()?.into()),
        _ => IpAddr::V6(address.into()),
    };
    IpNet::new(ip, bits.parse().ok()?).ok()
}
