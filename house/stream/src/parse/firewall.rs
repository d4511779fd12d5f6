//! FortiGate's pairs and the routers of Yamaha's series RTX.
//!
//! Both get `src_ip`, `src_port`, `dst_ip`, `dst_port`, `action`, `user` as far as the line says so, beside the
//! fields under their own names.

use model::Timestamp;

use super::{
    CLASS_AUTHENTICATION, CLASS_FINDING, CLASS_NETWORK, Draft, Shape, pairs::escaped_pairs,
};

/// `date=2026-01-01 time=10:00:00 devname="fw" … srcip=… dstip=…`; `false` if it is none.
pub fn read_fortigate(draft: &mut Draft, text: &str) -> bool {
    let begins = text.starts_with("date=") || text.starts_with("logver=");
    if !begins || !text.contains(" devid=") && !text.contains(" logid=") {
        return false;
    }
    for (name, value) in escaped_pairs(text) {
        if value.quoted && value.text.contains("\\\"") {
            draft.set(name, value.text.replace("\\\"", "\""));
        } else {
            draft.set(name, value.text);
        }
    }
    draft.shape = Some(Shape::Fortigate);
    draft.message = Some(text.to_owned());
    for (own, theirs) in [
        ("src_ip", "srcip"),
        ("src_ip", "remip"),
        ("src_port", "srcport"),
        ("dst_ip", "dstip"),
        ("dst_port", "dstport"),
    ] {
        draft.alias(own, theirs);
    }
    if let Some(name) = draft.get("devname").filter(|_| draft.host.is_empty()).map(str::to_owned) {
        draft.host = name;
    }
    draft.app = "fortigate".to_owned();
    draft.time = fortigate_time(draft).or(draft.time);
    draft.severity = match draft.get("level") {
        Some("emergency") => 6,
        Some("alert" | "critical") => 5,
        Some("error") => 4,
        Some("warning") => 3,
        Some("notice") => 2,
        Some("information" | "debug") => 1,
        _ => draft.severity,
    };
    let outcome = match (draft.get("subtype"), draft.get("status"), draft.get("action")) {
        (_, Some("success"), Some("login" | "tunnel-up")) => Some("success"),
        (_, Some("failed"), _) | (Some("vpn"), _, Some("ssl-login-fail")) => Some("failure"),
        _ => None,
    };
    if let Some(outcome) = outcome {
        draft.set("outcome", outcome);
    }
    draft.class = match (draft.get("type"), draft.get("action")) {
        (Some("traffic"), _) => CLASS_NETWORK,
        (Some("utm"), _) => CLASS_FINDING,
        (Some("event"), Some("login" | "logout" | "ssl-login-fail" | "tunnel-up")) => {
            CLASS_AUTHENTICATION
        }
        _ => 0,
    };
    if draft.class == CLASS_NETWORK {
        let blocked = matches!(draft.get("action"), Some("deny" | "block" | "blocked" | "dropped"));
        draft.set("blocked", if blocked { "true" } else { "false" });
    }
    true
}

/// `eventtime` in seconds or nanoseconds, else date, time and `tz`.
fn fortigate_time(draft: &Draft) -> Option<Timestamp> {
    if let Some(number) = draft.get("eventtime").and_then(|t| t.parse::<i64>().ok()) {
        let micros = match number {
            n if n > 1_000_000_000_000_000_000 => n / 1000,
            n if n > 1_000_000_000_000_000 => n,
            n => n.checked_mul(1_000_000)?,
        };
        return Some(Timestamp(micros));
    }
    let zone = draft.get("tz").filter(|z| z.len() == 5)?;
    let text = format!(
        "{}T{}{}:{}",
        draft.get("date")?,
        draft.get("time")?,
        zone.get(..3)?,
        zone.get(3..)?
    );
    Timestamp::parse(&text)
}

/// What Yamaha's RTX routers say: `PP[01] Rejected at IN(2000) filter: TCP 192.0.2.7:5 > 10.0.0.1:22`,
/// `[INSPECT] …`, `Login failed for SSH: 192.0.2.7`, `LAN2: link down`; `false` if it is none.
pub fn read_yamaha(draft: &mut Draft, message: &str) -> bool {
    // These routers name no program: a word before a colon is an interface.
    let whole = match draft.app.as_str() {
        "" => message.to_owned(),
        app if app.starts_with("LAN") || app.starts_with("WAN") => format!("{app}: {message}"),
        _ => return false,
    };
    let message = whole.as_str();
    let known = yamaha_filter(draft, message)
        || yamaha_login(draft, message)
        || yamaha_link(draft, message);
    if known {
        draft.shape = Some(Shape::Yamaha);
        draft.app.clear();
        draft.message = Some(message.to_owned());
    }
    known
}

fn yamaha_filter(draft: &mut Draft, message: &str) -> bool {
    let (action, rest) = match message.split_once(" Rejected at ") {
        Some((_, rest)) => ("reject", rest),
        None => match message.split_once(" Passed at ") {
            Some((_, rest)) => ("accept", rest),
            None => return false,
        },
    };
    let Some((filter, packet)) = rest.split_once(" filter: ") else { return false };
    let Some((protocol, ends)) = packet.split_once(' ') else { return false };
    let Some((from, to)) = ends.split_once(" > ") else { return false };
    draft.set("device", message.split(' ').next().unwrap_or_default());
    draft.set("filter", filter);
    draft.set("protocol", protocol);
    draft.set("action", action);
    draft.set("blocked", if action == "reject" { "true" } else { "false" });
    for (text, names) in [(from, ["src_ip", "src_port"]), (to, ["dst_ip", "dst_port"])] {
        let word = text.split(' ').next().unwrap_or_default();
        let (address, port) = word.rsplit_once(':').unwrap_or((word, ""));
        draft.set_some(names[0], address);
        draft.set_some(names[1], port);
    }
    draft.class = CLASS_NETWORK;
    true
}

fn yamaha_login(draft: &mut Draft, message: &str) -> bool {
    let (outcome, rest) = match (
        message.strip_prefix("Login succeeded for "),
        message.strip_prefix("Login failed for "),
    ) {
        (Some(rest), _) => ("success", rest),
        (_, Some(rest)) => ("failure", rest),
        _ => return false,
    };
    let Some((method, who)) = rest.split_once(": ") else { return false };
    let mut words = who.split(' ');
    draft.set("method", method);
    draft.set("outcome", outcome);
    draft.set_some("src_ip", words.next().unwrap_or_default());
    draft.set_some("user", words.next().unwrap_or_default());
    draft.class = CLASS_AUTHENTICATION;
    true
}

/// `LAN2: link down`, `LAN1: PORT3 link up (1000BASE-T Full Duplex)`
fn yamaha_link(draft: &mut Draft, message: &str) -> bool {
    let Some((device, said)) = message.split_once(": ") else { return false };
    let number = device.strip_prefix("LAN").or(device.strip_prefix("WAN"));
    let is_device = number.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
    let fault = match () {
        () if said.contains("link down") => "link_down",
        () if said.contains("link up") => "link_up",
        () => return false,
    };
    if is_device {
        draft.set("device", device);
        draft.set("fault", fault);
    }
    is_device
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, check};

    #[test]
    fn fortigate_pairs() {
        let e = check(
            "<189>date=2026-01-01 time=10:00:00 devname=\"fw\" devid=\"FG1\" eventtime=1767229200000000000 tz=\"+0900\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" srcip=10.0.0.9 srcport=51000 dstip=192.0.2.7 dstport=443 action=\"deny\" msg=\"a \\\"b\\\"\"",
            4001,
            &[
                ("src_ip", "10.0.0.9"),
                ("dst_port", "443"),
                ("action", "deny"),
                ("blocked", "true"),
                ("msg", "a \"b\""),
            ],
        );
        assert_eq!((e.host.as_str(), e.event_time), ("fw", Some(at("2026-01-01T01:00:00Z"))));
        check(
            "date=2026-01-01 time=10:00:00 devid=\"FG1\" logid=\"1\" tz=\"+0900\" type=\"event\" subtype=\"system\" level=\"information\" action=\"Add\" cfgpath=\"firewall.policy\" user=\"admin\"",
            0,
            &[("cfgpath", "firewall.policy"), ("action", "Add"), ("user", "admin")],
        );
    }

    #[test]
    fn routers_of_yamaha() {
        check(
            "<190>Jan  1 10:00:00 10.0.0.254 PP[01] Rejected at IN(2000) filter: TCP 192.0.2.7:51000 > 198.51.100.1:22",
            4001,
            &[
                ("src_ip", "192.0.2.7"),
                ("src_port", "51000"),
                ("dst_port", "22"),
                ("action", "reject"),
                ("device", "PP[01]"),
            ],
        );
        check(
            "<190>Jan  1 10:00:00 10.0.0.254 Login failed for SSH: 192.0.2.7 admin",
            3002,
            &[
                ("src_ip", "192.0.2.7"),
                ("user", "admin"),
                ("method", "SSH"),
                ("outcome", "failure"),
            ],
        );
        let e = check(
            "<190>Jan  1 10:00:00 10.0.0.254 LAN2: link down",
            0,
            &[("device", "LAN2"), ("fault", "link_down")],
        );
        assert_eq!((e.app.as_str(), e.message.as_str()), ("", "LAN2: link down"));
    }
}
