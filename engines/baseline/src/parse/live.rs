//! What only a running system says: sockets that listen, addresses, clock, hardware.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use super::{Sink, lines, val};
use crate::{
    bytes::Bytes,
    capture::Live,
    fact::{Class, Origin, Unit, Value},
};

pub(crate) fn facts(sink: &mut Sink<'_>) {
    if !sink.capture.is_live {
        return;
    }
    listeners(sink);
    clock(sink);
    for name in ["sys_vendor", "product_name", "bios_vendor", "bios_version"] {
        if let Some(text) = sink.text(&format!("/sys/class/dmi/id/{name}")) {
            let origin = Origin::Command("dmidecode".into());
            sink.add(Class::Hardware, name, val(text.text.trim()), origin);
        }
    }
    if let Some(text) = sink.text("/proc/sys/kernel/osrelease") {
        let origin = Origin::Command("uname -r".into());
        sink.add(Class::Boot, "running_kernel", val(text.text.trim()), origin);
    }
    addresses(sink);
}

fn addresses(sink: &mut Sink<'_>) {
    let mut found = BTreeSet::new();
    if let Some(text) = sink.text("/proc/net/fib_trie") {
        let all: Vec<&str> = text.text.lines().collect();
        for pair in all.windows(2) {
            if pair[1].contains("/32 host LOCAL") {
                let address = pair[0].trim().trim_start_matches("|-- ");
                found.insert(address.to_owned());
            }
        }
    }
    if let Some(text) = sink.text("/proc/net/if_inet6") {
        for (_, line) in lines(&text.text) {
            let hex = line.split_whitespace().next().unwrap_or_default();
            let bytes: Option<[u8; 16]> = hex::decode(hex).ok().and_then(|b| b.try_into().ok());
            found.extend(bytes.map(|bytes| Ipv6Addr::from(bytes).to_string()));
        }
    }
    for address in found {
        let origin = Origin::Command("ip address".into());
        sink.add(Class::Address, address, Value::Bool(true), origin);
    }
}

fn listeners(sink: &mut Sink<'_>) {
    let mut sockets: BTreeMap<String, (BTreeSet<i64>, BTreeSet<u64>)> = BTreeMap::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let path = format!("/proc/net/{table}");
        let Some(text) = sink.text(&path) else { continue };
        for (line, row) in lines(&text.text).skip(1) {
            let fields: Vec<&str> = row.split_whitespace().collect();
            // TCP in state LISTEN, UDP without a peer.
            let wanted = if table.starts_with("udp") { "07" } else { "0A" };
            if fields.is_empty() || fields.get(3).is_some_and(|state| *state != wanted) {
                continue;
            }
            let Some((address, uid, inode)) = listener(&fields) else {
                sink.problem(&path, line, "socket row not understood");
                continue;
            };
            let key = format!("{} {address}", table.trim_end_matches('6'));
            let (uids, inodes) = sockets.entry(key).or_default();
            uids.insert(uid);
            inodes.insert(inode);
        }
    }
    let names = holders(sink);
    for (key, (uids, inodes)) in sockets {
        let held = inodes.iter().filter_map(|inode| names.get(inode)).flatten();
        let value = Value::map([
            ("uids", Value::List(uids.into_iter().map(Value::Int).collect())),
            ("processes", super::sorted(held.map(String::as_str))),
        ]);
        sink.add(Class::Listener, key, value, Origin::Command("ss -lntup".into()));
    }
}

fn holders(sink: &Sink<'_>) -> BTreeMap<u64, BTreeSet<String>> {
    let mut names: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let Some(bytes) = sink.capture.live.get(&Live::SocketHolders) else { return names };
    for line in Bytes(bytes.clone()).to_string().lines() {
        if let Some((inode, name)) = line.split_once(' ')
            && let Ok(inode) = inode.parse()
        {
            names.entry(inode).or_default().insert(name.to_owned());
        }
    }
    names
}

fn listener(fields: &[&str]) -> Option<(String, i64, u64)> {
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = match ip(address)? {
        IpAddr::V4(v4) => format!("{v4}:{port}"),
        IpAddr::V6(v6) => format!("[{v6}]:{port}"),
    };
    Some((address, fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?))
}

/// The kernel prints each 32-bit word of an address in the byte order of the machine: little-endian
/// on everything that Debian is released for but s390x.
fn ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for chunk in hex.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok()?;
        bytes.extend(word.to_le_bytes());
    }
    match (hex.len(), bytes.len()) {
        (8, 4) => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        (32, 16) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

/// `chronyc -c tracking`: reference, name, stratum, time, offset…; else what timedated knows.
fn clock(sink: &mut Sink<'_>) {
    if let Some(bytes) = sink.capture.live.get(&Live::Chrony) {
        let text = Bytes(bytes.clone()).to_string();
        let fields: Vec<&str> = text.trim().split(',').collect();
        if let [_, source, stratum, _, offset, ..] = fields[..] {
            let origin = || Origin::Command("chronyc tracking".into());
            let ms = offset.parse::<f64>().ok().map(|seconds| (seconds.abs() * 1000.0).ceil());
            // A bound keeps the value stable: 0, 1, 10, 100, 1000 … milliseconds.
            let bound =
                ms.map(|ms| (0..9).map(|n| 10f64.powi(n)).find(|b| ms <= *b).unwrap_or(1e9));
            if let Some(bound) = bound {
                let value = Value::Quantity(bound as i64, Unit::Milliseconds);
                sink.add(Class::Time, "running/offset_below", value, origin());
            }
            sink.add(Class::Time, "running/source", val(source), origin());
            if let Ok(stratum) = stratum.parse() {
                sink.add(Class::Time, "running/stratum", Value::Int(stratum), origin());
            }
        }
    }
    if let Some(bytes) = sink.capture.live.get(&Live::Timedate) {
        let text = Bytes(bytes.clone()).to_string();
        for (_, line) in lines(&text) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if matches!(key, "NTP" | "NTPSynchronized" | "Timezone") {
                let origin = Origin::Command("timedatectl show".into());
                sink.add(Class::Time, Bytes::parse(&format!("running/{key}")), val(value), origin);
            }
        }
    }
}
