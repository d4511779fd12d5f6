//! Holds the addresses that are in use against the register, once an hour (take-7).
//!
//! What is in use says the neighbour table of this machine and its own interfaces; what is leased say the lease files of
//! dnsmasq, ISC dhcpd and Kea where they lie on this machine. Sightings of a day are kept with the record of the subnet
//! (encrypted: they tell who was there when) and go on from it after a restart. A record is written when the picture
//! changes, and otherwise twice a day: it is good for one.
//!
//! Invariants: a file that is there and cannot be read is said in the result, and nothing is concluded from its absence;
//! a subnet that nothing was seen in is not called in order by this job.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

use baseline::addresses::{
    self as engine, Allocation, Audit, By, Conflict, Mac, Micros, Sighting, Subnet,
};
use model::{Id, Table, Timestamp};
use room::{Error, Shared, blocking, draft, write};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError};

use super::decided;

pub(crate) const RECORD: &str = "configuration.address_audit";
const DAY: Micros = 24 * 3_600 * 1_000_000;
/// A picture that did not change is written again after this time.
const AGAIN: Micros = 12 * 3_600 * 1_000_000;
/// Most sightings that are kept of a subnet.
const KEPT_MAX: usize = 70_000;
/// Most entries of each list of a payload.
const LISTED_MAX: usize = 2_000;
/// Where servers keep their leases.
const LEASES: [&str; 5] = [
    "/var/lib/misc/dnsmasq.leases",
    "/var/lib/dnsmasq/dnsmasq.leases",
    "/var/lib/dhcp/dhcpd.leases",
    "/var/lib/kea/kea-leases4.csv",
    "/var/lib/kea/kea-leases6.csv",
];
const LEASES_BYTES_MAX: u64 = 64 << 20;

/// What was seen, between two runs.
#[derive(Default)]
pub(crate) struct Seen(Mutex<BTreeMap<Place, Micros>>);

type Place = (IpAddr, Option<Mac>, By);

/// What the register says of a subnet and its addresses.
pub(crate) struct Plan {
    pub id: Id,
    pub name: String,
    pub subnet: Subnet,
    pub rows: Vec<Allocation>,
    /// The rows of the register by what the audit calls them.
    pub ids: BTreeMap<String, Id>,
}

/// Looks, holds against the register, writes.
pub(crate) async fn run(ctx: Shared) -> Result<Json, Error> {
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let store = ctx.store();
    let (plans, wrong) = plans(store).await?;
    if plans.is_empty() {
        return Ok(json!({ "subnets": 0, "unreadable": wrong }));
    }
    let now = store.now();
    let (looked, troubles) = blocking(move || look(now.0)).await?;
    let all = remembered(&ctx, &plans, looked, now.0).await?;
    let excepted = decided::excepted(store).await?;
    let (mut written, mut seen_in) = (0, 0);
    for plan in &plans {
        let audit = engine::audit(&plan.subnet, &plan.rows, &all, now.0 - DAY, now.0);
        if audit.observed == 0 {
            continue;
        }
        seen_in += 1;
        written += u64::from(tell(store, plan, &audit, &all, &excepted).await?);
    }
    if written > 0 {
        ctx.house.wake();
    }
    Ok(json!({
        "subnets": plans.len(), "seen_in": seen_in, "written": written,
        "unreadable": wrong, "troubles": troubles,
    }))
}

/// The subnets of the register with their addresses, and the names of those whose range cannot be read.
pub(crate) async fn plans(store: &Store) -> Result<(Vec<Plan>, Vec<String>), StoreError> {
    let rows = store.all(Table::Asset, &["subnet", "address"]).await?;
    let active = || rows.iter().filter(|row| row.status == "active");
    let mut wrong = Vec::new();
    let mut plans = Vec::new();
    for row in active().filter(|row| row.kind == "subnet") {
        let Ok(range) = text(row, "cidr").parse::<ipnet::IpNet>() else {
            wrong.push(row.name.clone());
            continue;
        };
        let is_leased = row.attributes.get("dhcp").and_then(Json::as_bool).unwrap_or(false);
        let gateway = text(row, "gateway").parse().ok();
        let subnet = Subnet { range: range.trunc(), is_leased, gateway };
        let (id, name) = (row.id, row.name.clone());
        plans.push(Plan { id, name, subnet, rows: Vec::new(), ids: BTreeMap::new() });
    }
    for row in active().filter(|row| row.kind == "address") {
        let Ok(address) = text(row, "address").parse::<IpAddr>() else {
            wrong.push(row.name.clone());
            continue;
        };
        let allocation = Allocation {
            row: row.name.clone(),
            address,
            is_allocated: matches!(text(row, "state"), "allocated" | "reserved"),
            mac: text(row, "mac").parse().ok(),
        };
        for plan in plans.iter_mut().filter(|p| p.subnet.range.contains(&address.to_canonical())) {
            plan.ids.insert(row.name.clone(), row.id);
            plan.rows.push(allocation.clone());
        }
    }
    Ok((plans, wrong))
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim()
}

/// What this machine sees now, and what it could not read.
fn look(now: Micros) -> (Vec<Sighting>, Vec<String>) {
    let (mut all, mut troubles) = (Vec::new(), Vec::new());
    // Only `ip` tells of IPv6; without it the table of IPv4 is there.
    let (from, text) = match neighbours_by_ip() {
        Some(text) => ("ip neigh", Ok(text)),
        None => ("/proc/net/arp", std::fs::read_to_string("/proc/net/arp")),
    };
    match text
        .map_err(|error| error.to_string())
        .and_then(|text| engine::neighbours(&text, now).map_err(|error| error.to_string()))
    {
        Ok(seen) => all.extend(seen),
        Err(error) => troubles.push(format!("{from}: {error}")),
    }
    match own(now) {
        Ok(seen) => all.extend(seen),
        Err(error) => troubles.push(format!("interfaces: {error}")),
    }
    for path in LEASES.map(Path::new) {
        match lease_file(path) {
            Ok(None) => {}
            Ok(Some(text)) => match engine::leases(&text, now) {
                Ok(seen) => all.extend(seen),
                Err(error) => troubles.push(format!("{}: {error}", path.display())),
            },
            Err(error) => troubles.push(format!("{}: {error}", path.display())),
        }
    }
    (all, troubles)
}

fn neighbours_by_ip() -> Option<String> {
    let mut ip = Command::new("ip");
    ip.args(["-j", "neigh"]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = ip.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    // It says nothing at all where there are no neighbours.
    Some(if text.trim().is_empty() { "[]".to_owned() } else { text })
}

/// This machine's own addresses with the hardware addresses of their interfaces.
fn own(now: Micros) -> nix::Result<Vec<Sighting>> {
    let mut macs: BTreeMap<String, Mac> = BTreeMap::new();
    let mut addresses: Vec<(String, IpAddr)> = Vec::new();
    for interface in nix::ifaddrs::getifaddrs()? {
        let Some(address) = interface.address else { continue };
        if let Some(mac) = address.as_link_addr().and_then(|link| link.addr()) {
            macs.insert(interface.interface_name.clone(), Mac(mac));
        }
        let four = address.as_sockaddr_in().map(|four| IpAddr::V4(four.ip()));
        let six = address.as_sockaddr_in6().map(|six| IpAddr::V6(six.ip()));
        addresses.extend(four.or(six).map(|address| (interface.interface_name, address)));
    }
    let sighting = |(interface, address): (String, IpAddr)| Sighting {
        address,
        mac: macs.get(&interface).copied(),
        name: String::new(),
        by: By::Interface,
        at: now,
        until: None,
    };
    Ok(addresses.into_iter().map(sighting).collect())
}

fn lease_file(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(LEASES_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// What was seen within a day: now, since the start, and what the newest records hold of before it.
async fn remembered(
    ctx: &Shared,
    plans: &[Plan],
    looked: Vec<Sighting>,
    now: Micros,
) -> Result<Vec<Sighting>, Error> {
    let kept = ctx.house.kept.get::<Seen>();
    let is_new = kept.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
    let before = if is_new { written_before(ctx.store(), plans).await? } else { Vec::new() };
    let mut known = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (leases, in_use): (Vec<Sighting>, Vec<Sighting>) =
        looked.into_iter().partition(|sighting| sighting.by == By::Lease);
    for sighting in before.iter().chain(&in_use) {
        let place = (sighting.address, sighting.mac, sighting.by);
        let last = known.entry(place).or_insert(sighting.at);
        *last = (*last).max(sighting.at);
    }
    known.retain(|_, at| *at >= now - DAY);
    while known.len() > KEPT_MAX {
        known.pop_first();
    }
    let names: BTreeMap<IpAddr, String> = leases
        .iter()
        .filter(|lease| !lease.name.is_empty())
        .map(|lease| (lease.address, lease.name.clone()))
        .collect();
    let all = known.iter().map(|((address, mac, by), at)| Sighting {
        address: *address,
        mac: *mac,
        name: names.get(address).cloned().unwrap_or_default(),
        by: *by,
        at: *at,
        until: None,
    });
    Ok(all.chain(leases).collect())
}

async fn written_before(store: &Store, plans: &[Plan]) -> Result<Vec<Sighting>, Error> {
    let records = store.latest_per_subject(&[RECORD]).await?;
    let ours: Vec<Id> = records
        .iter()
        .filter(|record| plans.iter().any(|plan| record.subject == Some(plan.id)))
        .map(|record| record.id)
        .collect();
    let mut all = Vec::new();
    for payload in store.payloads(&ours).await?.into_values() {
        let payload: Json = serde_json::from_slice(&payload).unwrap_or_default();
        let seen = payload.get("seen").and_then(Json::as_array).into_iter().flatten();
        all.extend(seen.filter_map(sighting_of));
    }
    Ok(all)
}

fn sighting_of(seen: &Json) -> Option<Sighting> {
    let part = |name: &str| seen.get(name).and_then(Json::as_str);
    let by = if part("by") == Some("interface") { By::Interface } else { By::Neighbour };
    Some(Sighting {
        address: part("address")?.parse().ok()?,
        mac: part("mac").and_then(|mac| mac.parse().ok()),
        name: String::new(),
        by,
        at: Timestamp::parse(part("last")?)?.0,
        until: None,
    })
}

/// Writes what came out, unless the newest record says the same and is young enough.
async fn tell(
    store: &Store,
    plan: &Plan,
    audit: &Audit,
    all: &[Sighting],
    excepted: &BTreeSet<Id>,
) -> Result<bool, Error> {
    let undecided = |conflict: &&Conflict| {
        !excepted.contains(&plan.id)
            && !rows_of(conflict, plan).iter().any(|id| excepted.contains(id))
    };
    let open = audit.conflicts.iter().filter(undecided).count();
    let facts = json!({
        "observed": audit.observed, "allocated": audit.allocated,
        "conflicts_undecided": open, "idle": audit.idle.len(),
    });
    let now = store.now();
    let before = store.newest_records(&[RECORD], Some(plan.id), 1).await?.pop();
    if before.is_some_and(|before| is_same(&before, &facts) && now.0 - before.observed_to.0 < AGAIN)
    {
        return Ok(false);
    }
    let mut draft = draft(RECORD, Some(plan.id), now, facts);
    draft.observed_from = now.minus_hours(24);
    draft.payload = Some(payload(plan, audit, all).to_string().into_bytes());
    write(store, "system:configuration.addresses", draft).await?;
    Ok(true)
}

fn is_same(before: &Record, facts: &Json) -> bool {
    facts.as_object() == Some(&before.facts)
}

/// The rows of the register that a conflict is about.
fn rows_of(conflict: &Conflict, plan: &Plan) -> Vec<Id> {
    let of = |name: &String| plan.ids.get(name).copied();
    let at = |row: &&Allocation| row.address.to_canonical() == conflict.address();
    match conflict {
        Conflict::Twice { rows, .. } => rows.iter().filter_map(of).collect(),
        Conflict::Other { row, .. } => of(row).into_iter().collect(),
        Conflict::Duplicate { .. } => {
            plan.rows.iter().filter(at).filter_map(|row| of(&row.row)).collect()
        }
    }
}

fn payload(plan: &Plan, audit: &Audit, all: &[Sighting]) -> Json {
    let time = |at: Micros| Timestamp(at).rfc3339();
    let macs = |macs: &[Mac]| macs.iter().map(Mac::to_string).collect::<Vec<_>>();
    let within =
        |s: &&Sighting| s.by != By::Lease && plan.subnet.range.contains(&s.address.to_canonical());
    let seen = all.iter().filter(within).take(KEPT_MAX).map(|s| {
        let by = if s.by == By::Interface { "interface" } else { "neighbour" };
        json!({ "address": s.address.to_string(), "mac": s.mac.map(|m| m.to_string()), "by": by, "last": time(s.at) })
    });
    let conflict = |conflict: &Conflict| match conflict {
        Conflict::Duplicate { address, macs: all } => {
            json!({ "kind": "duplicate", "address": address.to_string(), "macs": macs(all) })
        }
        Conflict::Other { address, row, allocated, seen } => json!({
            "kind": "other", "address": address.to_string(), "row": row,
            "allocated": allocated.to_string(), "seen": seen.to_string(),
        }),
        Conflict::Twice { address, rows } => {
            json!({ "kind": "twice", "address": address.to_string(), "rows": rows })
        }
    };
    json!({
        "range": plan.subnet.range.to_string(),
        "seen": seen.collect::<Vec<_>>(),
        "unallocated": audit.unallocated.iter().take(LISTED_MAX).map(|u| json!({
            "address": u.address.to_string(), "macs": macs(&u.macs), "name": u.name,
            "last": time(u.last), "is_free": u.is_free,
        })).collect::<Vec<_>>(),
        "conflicts": audit.conflicts.iter().take(LISTED_MAX).map(conflict).collect::<Vec<_>>(),
        "idle": audit.idle.iter().take(LISTED_MAX).map(|(address, row)| json!({
            "address": address.to_string(), "row": row,
        })).collect::<Vec<_>>(),
    })
}
