//! Sightings out of what machines keep: neighbour tables, interfaces, lease files.
//!
//! A line that cannot be read is an error with its number; whoever asks decides whether the others count.

use core::net::IpAddr;

use serde_json::Value;

use super::{By, Mac, Micros, Sighting};

const LINES_MAX: usize = 1_000_000;
const SECOND: Micros = 1_000_000;

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeenError {
    /// Lines that are not what the file should hold, by number from 1.
    #[error("line {line}: {what}")]
    Line { line: usize, what: &'static str },
    #[error("not JSON as `ip -j` writes it: {0}")]
    Json(String),
    #[error("neither a lease file of dnsmasq, ISC dhcpd or Kea")]
    Unknown,
}

/// A neighbour table: `/proc/net/arp`, or what `ip -j neigh` says. Entries that got no answer are nobody.
pub fn neighbours(text: &str, at: Micros) -> Result<Vec<Sighting>, SeenError> {
    if text.trim_start().starts_with('[') {
        return json(text, |entry| {
            let state = entry.get("state").and_then(Value::as_array).into_iter().flatten();
            let failed =
                state.filter_map(Value::as_str).any(|s| s == "FAILED" || s == "INCOMPLETE");
            if failed {
                return Vec::new();
            }
            let mac = entry.get("lladdr").and_then(Value::as_str).and_then(|mac| mac.parse().ok());
            let address = entry.get("dst").and_then(Value::as_str).and_then(|a| a.parse().ok());
            one(address, mac, By::Neighbour, at).into_iter().collect()
        });
    }
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1).take(LINES_MAX) {
        let wrong = || SeenError::Line { line: number + 1, what: "no row of a neighbour table" };
        let mut words = line.split_ascii_whitespace();
        let (Some(address), _, Some(flags), Some(mac)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let flags = flags.strip_prefix("0x").and_then(|flags| u32::from_str_radix(flags, 16).ok());
        // ATF_COM: the entry is complete.
        if flags.ok_or_else(wrong)? & 2 == 0 {
            continue;
        }
        let mac: Mac = mac.parse().map_err(|()| wrong())?;
        out.extend(one(Some(address), Some(mac), By::Neighbour, at));
    }
    Ok(out)
}

fn one(address: Option<IpAddr>, mac: Option<Mac>, by: By, at: Micros) -> Option<Sighting> {
    Some(Sighting { address: address?, mac, name: String::new(), by, at, until: None })
}

fn json(text: &str, each: impl FnMut(&Value) -> Vec<Sighting>) -> Result<Vec<Sighting>, SeenError> {
    let all: Vec<Value> =
        serde_json::from_str(text).map_err(|error| SeenError::Json(error.to_string()))?;
    Ok(all.iter().take(LINES_MAX).flat_map(each).collect())
}

/// Leases of dnsmasq, ISC dhcpd or Kea (its memfile), told apart by what they look like. Of several leases of one
/// address the last one in the file holds.
pub fn leases(text: &str, at: Micros) -> Result<Vec<Sighting>, SeenError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let all = match first {
        None => Vec::new(),
        Some(line) if line.starts_with("address,") => kea(text, at)?,
        Some(line) if line.as_bytes()[0].is_ascii_digit() => dnsmasq(text, at)?,
        Some(line) if is_isc(line) => isc(text, at)?,
        Some(_) => return Err(SeenError::Unknown),
    };
    let mut last = std::collections::BTreeMap::new();
    for lease in all {
        last.insert(lease.address, lease);
    }
    Ok(last.into_values().collect())
}

fn is_isc(line: &str) -> bool {
    let words = ["lease ", "authoring-byte-order", "server-duid", "ia-na", "failover "];
    words.iter().any(|word| line.starts_with(word))
}

/// `end mac address name client-id`, the end in seconds since 1970, 0 for ever.
fn dnsmasq(text: &str, at: Micros) -> Result<Vec<Sighting>, SeenError> {
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate().take(LINES_MAX) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // Leases of IPv6 stand behind the server's own id.
        if words.is_empty() || words[0] == "duid" {
            continue;
        }
        let wrong = || SeenError::Line { line: number + 1, what: "no lease of dnsmasq" };
        let [end, mac, address, name, ..] = words[..] else { return Err(wrong()) };
        let end: i64 = end.parse().map_err(|_| wrong())?;
        out.push(Sighting {
            address: address.parse().map_err(|_| wrong())?,
            mac: mac.parse().ok(),
            name: named(name),
            by: By::Lease,
            at,
            until: (end != 0).then(|| end.saturating_mul(SECOND)),
        });
    }
    Ok(out)
}

fn named(name: &str) -> String {
    if name == "*" { String::new() } else { name.trim_matches('"').to_owned() }
}

/// `address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,…`, by the names in the
/// first line.
fn kea(text: &str, at: Micros) -> Result<Vec<Sighting>, SeenError> {
    let mut columns: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate().take(LINES_MAX) {
        let values: Vec<&str> = line.trim_end().split(',').collect();
        if line.trim().is_empty() {
            continue;
        }
        if values[0] == "address" {
            columns = values;
            continue;
        }
        let wrong = || SeenError::Line { line: number + 1, what: "no lease of Kea" };
        let get = |name: &str| {
            let at = columns.iter().position(|column| *column == name)?;
            values.get(at).copied()
        };
        let expire: i64 = get("expire").and_then(|end| end.parse().ok()).ok_or_else(wrong)?;
        let address: IpAddr = values[0].parse().map_err(|_| wrong())?;
        let is_valid = get("state").is_none_or(|state| matches!(state, "0" | ""));
        out.push(Sighting {
            address,
            mac: get("hwaddr").and_then(|mac| mac.parse().ok()),
            name: get("hostname").map(named).unwrap_or_default(),
            by: By::Lease,
            at,
            // A declined or reclaimed lease ended when it was so marked.
            until: Some(if is_valid { expire.saturating_mul(SECOND) } else { 0 }),
        });
    }
    Ok(out)
}

/// `lease 192.0.2.7 { ends 3 2026/11/25 10:00:00; hardware ethernet …; client-hostname "…"; }`, times in UTC.
fn isc(text: &str, at: Micros) -> Result<Vec<Sighting>, SeenError> {
    let mut out = Vec::new();
    let mut open: Option<Sighting> = None;
    for (number, line) in text.lines().enumerate().take(LINES_MAX) {
        let wrong = |what| SeenError::Line { line: number + 1, what };
        let words: Vec<&str> = line.trim().trim_end_matches(';').split_ascii_whitespace().collect();
        match (&words[..], &mut open) {
            (["lease", address, "{"], _) => {
                let address = address.parse().map_err(|_| wrong("a lease without an address"))?;
                open = one(Some(address), None, By::Lease, at);
            }
            (["}"], _) => out.extend(open.take()),
            (["ends", "never"], Some(lease)) => lease.until = None,
            (["ends", _, date, clock], Some(lease)) => {
                let end = utc(date, clock).ok_or_else(|| wrong("no time of dhcpd"))?;
                lease.until = Some(end);
            }
            (["binding", "state", state], Some(lease)) if *state != "active" => {
                lease.until = Some(0)
            }
            (["hardware", "ethernet", mac], Some(lease)) => lease.mac = mac.parse().ok(),
            (["client-hostname", name], Some(lease)) => lease.name = named(name),
            _ => {}
        }
    }
    Ok(out)
}

/// `2026/11/25` and `10:00:00` in UTC.
fn utc(date: &str, clock: &str) -> Option<Micros> {
    let mut day = date.split('/').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (day.next()??, day.next()??, day.next()??);
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let within = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    // Days from a date of the Gregorian calendar, counted in years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    within.then(|| (((days * 24 + hour) * 60 + minute) * 60 + second) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = 1_795_600_000_000_000;

    fn said(all: &[Sighting]) -> Vec<String> {
        let one = |s: &Sighting| {
            let mac = s.mac.map_or("-".to_owned(), |mac| mac.to_string());
            let until = s.until.map_or("-".to_owned(), |until| (until / SECOND).to_string());
            format!("{} {mac} {} {until}", s.address, s.name)
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn neighbour_tables() {
        let arp = "IP address       HW type     Flags       HW address            Mask     Device\n\
                   192.0.2.1        0x1         0x2         00:11:22:33:44:55     *        eth0\n\
                   192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0\n";
        let all = neighbours(arp, NOW).unwrap();
        assert_eq!(said(&all), ["192.0.2.1 00:11:22:33:44:55  -"]);
        let ip = r#"[{"dst":"192.0.2.1","dev":"eth0","lladdr":"00:11:22:33:44:55","state":["REACHABLE"]},
                     {"dst":"192.0.2.3","dev":"eth0","state":["FAILED"]},
                     {"dst":"fe80::1","dev":"eth0","lladdr":"00:11:22:33:44:56","router":null,"state":["STALE"]}]"#;
        assert_eq!(said(&neighbours(ip, NOW).unwrap()).len(), 2);
        assert_eq!(
            neighbours("head\n192.0.2.1 0x1\n", NOW),
            Err(SeenError::Line { line: 2, what: "no row of a neighbour table" })
        );
        assert!(matches!(neighbours("[1", NOW), Err(SeenError::Json(_))));
    }

    #[test]
    fn leases_of_three_servers() {
        let dnsmasq = "1795600600 00:11:22:33:44:55 192.0.2.7 pc7 01:00:11\n0 00:11:22:33:44:56 192.0.2.8 * *\n\
                       duid 00:01\n1795600600 1 2001:db8::7 pc7 00:01\n";
        assert_eq!(
            said(&leases(dnsmasq, NOW).unwrap()),
            [
                "192.0.2.7 00:11:22:33:44:55 pc7 1795600600",
                "192.0.2.8 00:11:22:33:44:56  -",
                "2001:db8::7 - pc7 1795600600"
            ]
        );
        let kea = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n\
                   192.0.2.7,00:11:22:33:44:55,,3600,1795600600,1,0,0,pc7,0\n\
                   192.0.2.8,00:11:22:33:44:56,,3600,1795600600,1,0,0,,1\n";
        assert_eq!(
            said(&leases(kea, NOW).unwrap()),
            ["192.0.2.7 00:11:22:33:44:55 pc7 1795600600", "192.0.2.8 00:11:22:33:44:56  0"]
        );
        let isc = "# a comment\nauthoring-byte-order little-endian;\nlease 192.0.2.7 {\n  starts 3 2026/11/25 08:00:00;\n  \
                   ends 3 2026/11/25 10:00:00;\n  binding state active;\n  hardware ethernet 00:11:22:33:44:55;\n  \
                   client-hostname \"pc7\";\n}\nlease 192.0.2.7 {\n  ends never;\n  binding state active;\n}\n";
        assert_eq!(said(&leases(isc, NOW).unwrap()), ["192.0.2.7 -  -"]);
        let until = isc.split("lease 192.0.2.7 {\n  ends never").next().unwrap();
        assert_eq!(leases(until, NOW).unwrap()[0].until, Some(1_795_600_800 * SECOND));
        assert_eq!(leases("", NOW), Ok(Vec::new()));
        assert_eq!(leases("<html>", NOW), Err(SeenError::Unknown));
        assert_eq!(
            leases("1 2\n", NOW),
            Err(SeenError::Line { line: 1, what: "no lease of dnsmasq" })
        );
    }

    #[test]
    fn days_are_counted_as_calendars_do() {
        assert_eq!(utc("1970/01/01", "00:00:00"), Some(0));
        assert_eq!(utc("2024/02/29", "12:00:00"), Some(1_709_208_000 * SECOND));
        assert_eq!(utc("2026/13/01", "00:00:00"), None);
        assert_eq!(utc("2026/11", "00:00:00"), None);
    }
}
