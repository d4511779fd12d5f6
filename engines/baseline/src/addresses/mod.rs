//! Addresses that are in use, held against those that were given out: unallocated, in conflict, idle.
//!
//! What was seen comes from neighbour tables, interfaces and lease files ([`seen`]); what was given out from a register.
//! One address is one entry however it is written: an IPv4 address within IPv6 (RFC 4291 §2.5.5.2) is that address.
//!
//! # Invariants
//! - Every address that was seen within a subnet ends as allocated or unallocated; none is passed over.
//! - A lease explains an address only where the subnet says that addresses are leased, and only while it runs.
//! - A conflict needs two witnesses that contradict each other: two hardware addresses at one address at the same time,
//!   another hardware address than the register's, two rows of the register for one address.
//! - Network, broadcast, multicast, loopback and link-local addresses are nobody's and are not counted.
//!
//! # Limits
//! [`SEEN_MAX`] sightings and [`ROWS_MAX`] rows; what is beyond is counted in [`Audit::left_out`].

mod seen;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use core::net::IpAddr;
use ipnet::IpNet;

pub use seen::{SeenError, leases, neighbours};

/// Most sightings that are held against the register.
pub const SEEN_MAX: usize = 1_000_000;
/// Most rows of the register.
pub const ROWS_MAX: usize = 1_000_000;

/// Microseconds since 1970, UTC.
pub type Micros = i64;

/// Two hardware addresses at one address are a conflict if they were seen at most this far apart: beyond, the address
/// may have changed hands.
const TOGETHER: Micros = 15 * 60 * 1_000_000;

/// A hardware address of 48 bits (EUI-48).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl FromStr for Mac {
    type Err = ();

    /// `00:11:22:aa:bb:cc`, with `-` or `.` between, or nothing between.
    fn from_str(text: &str) -> Result<Mac, ()> {
        let mut digits = [0; 12];
        let mut count = 0;
        for byte in text.trim().bytes() {
            let digit = match byte {
                b':' | b'-' | b'.' => continue,
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                _ => return Err(()),
            };
            *digits.get_mut(count).ok_or(())? = digit;
            count += 1;
        }
        if count != 12 {
            return Err(());
        }
        let mut bytes = [0; 6];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Mac(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// By what an address was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// A neighbour table (ARP, RFC 826; neighbour discovery, RFC 4861).
    Neighbour,
    /// An interface of a host that was looked at.
    Interface,
    /// A lease (RFC 2131).
    Lease,
}

/// An address that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub address: IpAddr,
    pub mac: Option<Mac>,
    /// What the host calls itself, if it said so.
    pub name: String,
    pub by: By,
    pub at: Micros,
    /// Of a lease: when it ends; none if it does not.
    pub until: Option<Micros>,
}

/// A row of the register that gives out an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// What the register calls the row.
    pub row: String,
    pub address: IpAddr,
    /// Given out for good or kept back; a free or leased one is not.
    pub is_allocated: bool,
    pub mac: Option<Mac>,
}

/// A range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    pub range: IpNet,
    /// Whether addresses are leased in it.
    pub is_leased: bool,
    /// The gateway's address is allocated by this row itself.
    pub gateway: Option<IpAddr>,
}

/// What contradicts what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conflict {
    /// Several hardware addresses use one address at the same time (RFC 5227).
    Duplicate { address: IpAddr, macs: Vec<Mac> },
    /// The register gives it to another hardware address.
    Other { address: IpAddr, row: String, allocated: Mac, seen: Mac },
    /// Rows of the register give it out more than once.
    Twice { address: IpAddr, rows: Vec<String> },
}

impl Conflict {
    pub fn address(&self) -> IpAddr {
        match self {
            Conflict::Duplicate { address, .. }
            | Conflict::Other { address, .. }
            | Conflict::Twice { address, .. } => *address,
        }
    }
}

/// An address that is in use and was given to nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unallocated {
    pub address: IpAddr,
    pub macs: Vec<Mac>,
    pub name: String,
    pub last: Micros,
    /// A row says that it is free.
    pub is_free: bool,
}

/// What became of a subnet's addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Addresses seen, each once.
    pub observed: usize,
    /// Of these given out or leased.
    pub allocated: usize,
    pub unallocated: Vec<Unallocated>,
    pub conflicts: Vec<Conflict>,
    /// Given out and not seen: address and row.
    pub idle: Vec<(IpAddr, String)>,
    pub left_out: usize,
}

/// Everything known of one address.
#[derive(Default)]
struct Known<'a> {
    rows: Vec<&'a Allocation>,
    seen: Vec<&'a Sighting>,
}

/// Holds what was seen since `since` against the register. Sightings and rows outside the range are not looked at.
pub fn audit(
    subnet: &Subnet,
    rows: &[Allocation],
    seen: &[Sighting],
    since: Micros,
    now: Micros,
) -> Audit {
    let mut audit = Audit {
        left_out: rows.len().saturating_sub(ROWS_MAX) + seen.len().saturating_sub(SEEN_MAX),
        ..Audit::default()
    };
    let mut known: BTreeMap<IpAddr, Known<'_>> = BTreeMap::new();
    for row in rows.iter().take(ROWS_MAX) {
        let address = plain(row.address);
        if subnet.range.contains(&address) {
            known.entry(address).or_default().rows.push(row);
        }
    }
    for sighting in seen.iter().take(SEEN_MAX) {
        let address = plain(sighting.address);
        // A lease is no sign of use by itself, and one that ran out is none of anything.
        let holds = match sighting.by {
            By::Lease => sighting.until.is_none_or(|until| until > now),
            _ => sighting.at >= since,
        };
        if holds && counts(&subnet.range, address) {
            known.entry(address).or_default().seen.push(sighting);
        }
    }
    for (address, known) in &known {
        judge(subnet, *address, known, &mut audit);
    }
    audit.conflicts.sort();
    audit
}

fn judge(subnet: &Subnet, address: IpAddr, known: &Known<'_>, audit: &mut Audit) {
    let given: Vec<&&Allocation> = known.rows.iter().filter(|row| row.is_allocated).collect();
    if given.len() > 1 {
        let rows = given.iter().map(|row| row.row.clone()).collect();
        audit.conflicts.push(Conflict::Twice { address, rows });
    }
    let in_use: Vec<&&Sighting> = known.seen.iter().filter(|s| s.by != By::Lease).collect();
    let is_leased = subnet.is_leased && known.seen.iter().any(|s| s.by == By::Lease);
    if in_use.is_empty() {
        if let Some(row) = given.first() {
            audit.idle.push((address, row.row.clone()));
        }
        return;
    }
    audit.observed += 1;
    let macs: BTreeSet<Mac> = in_use.iter().filter_map(|s| s.mac).collect();
    if let Some(together) = together(&in_use) {
        audit.conflicts.push(Conflict::Duplicate { address, macs: together });
    }
    for row in &given {
        let Some(allocated) = row.mac else { continue };
        for seen in macs.iter().filter(|seen| **seen != allocated) {
            let row = row.row.clone();
            audit.conflicts.push(Conflict::Other { address, row, allocated, seen: *seen });
        }
    }
    if !given.is_empty() || is_leased || subnet.gateway.map(plain) == Some(address) {
        audit.allocated += 1;
        return;
    }
    audit.unallocated.push(Unallocated {
        address,
        macs: macs.into_iter().collect(),
        name: in_use
            .iter()
            .map(|s| s.name.clone())
            .find(|name| !name.is_empty())
            .unwrap_or_default(),
        last: in_use.iter().map(|s| s.at).max().unwrap_or_default(),
        is_free: !known.rows.is_empty(),
    });
}

/// Hardware addresses that were seen at one address within a short time.
fn together(seen: &[&&Sighting]) -> Option<Vec<Mac>> {
    let mut at: Vec<(Micros, Mac)> = seen.iter().filter_map(|s| Some((s.at, s.mac?))).collect();
    at.sort_unstable();
    let mut macs: BTreeSet<Mac> = BTreeSet::new();
    for pair in at.windows(2) {
        if pair[0].1 != pair[1].1 && pair[1].0 - pair[0].0 <= TOGETHER {
            macs.extend([pair[0].1, pair[1].1]);
        }
    }
    (macs.len() > 1).then(|| macs.into_iter().collect())
}

/// An IPv4 address within IPv6 is that address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether it can be somebody's: in the range, and neither the range's own ends nor anybody's group.
fn counts(range: &IpNet, address: IpAddr) -> bool {
    if !range.contains(&address) || address.is_multicast() || address.is_loopback() {
        return false;
    }
    match (range, address) {
        (IpNet::V4(range), IpAddr::V4(address)) => {
            // A range of one or two addresses has no ends of its own (RFC 3021).
            range.prefix_len() >= 31 || (address != range.network() && address != range.broadcast())
        }
        (_, IpAddr::V6(address)) => !address.is_unicast_link_local(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Micros = 60_000_000;
    const NOW: Micros = 1_795_600_000_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn subnet(is_leased: bool) -> Subnet {
        Subnet { range: "192.0.2.0/28".parse().unwrap(), is_leased, gateway: Some(ip("192.0.2.1")) }
    }

    fn row(address: &str, mac: Option<u8>) -> Allocation {
        Allocation {
            row: format!("row of {address}"),
            address: ip(address),
            is_allocated: true,
            mac: mac.map(|last| Mac([0, 0, 0, 0, 0, last])),
        }
    }

    fn seen(address: &str, mac: u8, minutes_ago: i64) -> Sighting {
        Sighting {
            address: ip(address),
            mac: Some(Mac([0, 0, 0, 0, 0, mac])),
            name: String::new(),
            by: By::Neighbour,
            at: NOW - minutes_ago * MINUTE,
            until: None,
        }
    }

    fn lease(address: &str, ends_in: i64) -> Sighting {
        Sighting { by: By::Lease, until: Some(NOW + ends_in * MINUTE), ..seen(address, 9, 1) }
    }

    fn held(subnet: &Subnet, rows: &[Allocation], seen: &[Sighting]) -> Audit {
        audit(subnet, rows, seen, NOW - 1_440 * MINUTE, NOW)
    }

    #[test]
    fn what_is_seen_is_allocated_or_named() {
        let free = Allocation { is_allocated: false, ..row("192.0.2.4", None) };
        let rows = [row("192.0.2.2", Some(2)), row("192.0.2.3", None), free];
        let all = [
            seen("192.0.2.1", 1, 5),
            seen("192.0.2.2", 2, 5),
            seen("::ffff:192.0.2.2", 2, 6),
            seen("192.0.2.4", 4, 5),
            seen("192.0.2.5", 5, 5),
            // The range's own, another range's, a group's, too old.
            seen("192.0.2.0", 6, 5),
            seen("192.0.2.15", 6, 5),
            seen("192.0.2.99", 6, 5),
            seen("224.0.0.1", 6, 5),
            seen("192.0.2.6", 6, 2_000),
        ];
        let audit = held(&subnet(false), &rows, &all);
        assert_eq!((audit.observed, audit.allocated), (4, 2));
        let unallocated: Vec<(String, bool)> =
            audit.unallocated.iter().map(|u| (u.address.to_string(), u.is_free)).collect();
        assert_eq!(unallocated, [("192.0.2.4".into(), true), ("192.0.2.5".into(), false)]);
        assert_eq!(audit.idle, [(ip("192.0.2.3"), "row of 192.0.2.3".to_owned())]);
        assert_eq!(audit.conflicts, []);
    }

    #[test]
    fn a_lease_explains_an_address_only_where_they_are_leased_and_while_it_runs() {
        let used = seen("192.0.2.7", 7, 5);
        let with = |is_leased, ends_in| {
            let audit = held(&subnet(is_leased), &[], &[used.clone(), lease("192.0.2.7", ends_in)]);
            (audit.observed, audit.allocated)
        };
        assert_eq!([with(true, 10), with(true, -1), with(false, 10)], [(1, 1), (1, 0), (1, 0)]);
        // Leased and not used is not seen.
        assert_eq!(held(&subnet(true), &[], &[lease("192.0.2.8", 10)]), Audit::default());
    }

    #[test]
    fn conflicts_have_two_witnesses() {
        let twice = [row("192.0.2.2", Some(2)), row("192.0.2.2", None)];
        let audit =
            held(&subnet(false), &twice, &[seen("192.0.2.2", 3, 5), seen("192.0.2.2", 2, 7)]);
        let mac = |last| Mac([0, 0, 0, 0, 0, last]);
        assert_eq!(
            audit.conflicts,
            [
                Conflict::Duplicate { address: ip("192.0.2.2"), macs: vec![mac(2), mac(3)] },
                Conflict::Other {
                    address: ip("192.0.2.2"),
                    row: "row of 192.0.2.2".into(),
                    allocated: mac(2),
                    seen: mac(3)
                },
                Conflict::Twice {
                    address: ip("192.0.2.2"),
                    rows: vec!["row of 192.0.2.2".into(); 2]
                },
            ]
        );
        // It changed hands over the day.
        let audit = held(
            &subnet(false),
            &[row("192.0.2.2", None)],
            &[seen("192.0.2.2", 3, 5), seen("192.0.2.2", 2, 300)],
        );
        assert_eq!(audit.conflicts, []);
    }

    #[test]
    fn hardware_addresses_are_read_as_people_write_them() {
        let all = ["00:1A:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "001a2b3c4d5e"];
        for text in all {
            assert_eq!(text.parse::<Mac>().unwrap().to_string(), "00:1a:2b:3c:4d:5e");
        }
        for text in ["", "00:1a:2b:3c:4d", "00:1a:2b:3c:4d:5g", "00:1a:2b:3c:4d:5e:6f", "日本"] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn small_ranges_and_the_other_family() {
        let pair =
            Subnet { range: "192.0.2.8/31".parse().unwrap(), is_leased: false, gateway: None };
        assert_eq!(
            held(&pair, &[], &[seen("192.0.2.8", 1, 1), seen("192.0.2.9", 2, 1)]).observed,
            2
        );
        let six =
            Subnet { range: "2001:db8::/64".parse().unwrap(), is_leased: false, gateway: None };
        let all = [seen("2001:db8::5", 1, 1), seen("fe80::1", 1, 1)];
        assert_eq!(held(&six, &[row("2001:db8::5", Some(1))], &all).allocated, 1);
        let local = Subnet { range: "fe80::/10".parse().unwrap(), is_leased: false, gateway: None };
        assert_eq!(held(&local, &[], &all).observed, 0);
    }
}
