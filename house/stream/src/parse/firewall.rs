//! Firewalls and what collects from them: Cisco ASA and IOS, Yamaha routers, FortiGate, CEF, LEEF.
//!
//! Every one gets `src_ip`, `src_port`, `dst_ip`, `dst_port`, `protocol`, `action`, `user` as far as the line says
//! so, beside the fields under their own names.

use model::Timestamp;

use super::{
    CLASS_AUTHENTICATION, CLASS_FINDING, CLASS_NETWORK, Draft, Shape, pairs::escaped_pairs,
    severity_of_syslog,
};

/// `%ASA-6-302013: Built …`; `false` if it is none.
pub fn read_cisco(draft: &mut Draft, text: &str) -> bool {
    let Some((facility, level, code, message)) = cisco(text) else { return false };
    draft.shape = Some(Shape::Cisco);
    draft.set("cisco.facility", facility);
    draft.set("cisco.mnemonic", code);
    draft.set("level", level.to_string());
    draft.severity = severity_of_syslog(level);
    draft.message = Some(text.to_owned());
    if matches!(facility, "ASA" | "FTD" | "PIX" | "FWSM") {
        draft.set("message_id", code);
        asa(draft, message);
    } else {
        ios(draft, facility, code, message);
    }
    true
}

/// As [`read_cisco`] where a sequence number, a host or a time stands before the percent sign.
pub fn read_cisco_inside(draft: &mut Draft, message: &str) -> bool {
    const BEFORE_MAX: usize = 80;
    match message.find('%') {
        Some(at) if (1..=BEFORE_MAX).contains(&at) && message.as_bytes()[at - 1] == b' ' => {
            read_cisco(draft, &message[at..])
        }
        _ => false,
    }
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

/// Facility, severity, mnemonic and what follows.
fn cisco(text: &str) -> Option<(&str, u8, &str, &str)> {
    let (head, message) = text.strip_prefix('%')?.split_once(':')?;
    let (rest, code) = head.rsplit_once('-')?;
    let (facility, level) = rest.rsplit_once('-')?;
    let level = level.parse::<u8>().ok().filter(|level| *level <= 7)?;
    let word = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    (word(facility) && word(code) && code.len() <= 64)
        .then(|| (facility, level, code, message.trim_start()))
}

fn asa(draft: &mut Draft, message: &str) {
    let lower = message.to_ascii_lowercase();
    let action = match () {
        () if lower.starts_with("deny") || lower.contains(" denied") => Some("deny"),
        () if lower.starts_with("built") || lower.contains(" permitted") => Some("accept"),
        () if lower.starts_with("teardown") => Some("close"),
        () if lower.contains("dropped") || lower.starts_with("drop") => Some("drop"),
        () => None,
    };
    if let Some(action) = action {
        draft.set("action", action);
        draft.set("blocked", if matches!(action, "deny" | "drop") { "true" } else { "false" });
        draft.class = CLASS_NETWORK;
    }
    if let Some(protocol) =
        ["tcp", "udp", "icmp"].iter().find(|p| lower.split([' ', '/']).any(|w| w == **p))
    {
        draft.set("protocol", *protocol);
    }
    endpoints(draft, message);
    for mark in ["user '", "user = ", "Username = ", "User '", "user "] {
        if let Some((_, rest)) = message.split_once(mark) {
            let name = rest.split(['\'', ',', ' ', ':']).next().unwrap_or_default();
            draft.set_some("user", name);
            break;
        }
    }
    let outcome = match () {
        () if lower.contains("authentication rejected")
            || lower.contains("login denied")
            || lower.contains("authentication failed") =>
        {
            "failure"
        }
        () if lower.contains("authentication succeeded")
            || lower.contains("authentication successful")
            || lower.contains("login permitted") =>
        {
            "success"
        }
        () => return,
    };
    draft.set("outcome", outcome);
    draft.class = CLASS_AUTHENTICATION;
}

/// `src outside:192.0.2.7/51000 dst inside:10.0.0.1/22`, `from 192.0.2.7/51000 to 10.0.0.1/22`, `for outside:… to …`
fn endpoints(draft: &mut Draft, message: &str) {
    let forms = [(" src ", " dst "), (" from ", " to "), (" for ", " to ")];
    let inbound_first = message.starts_with("Built outbound");
    for (source, target) in forms {
        let Some((_, rest)) = message.split_once(source) else { continue };
        let Some((_, far)) = rest.split_once(target) else { continue };
        let (Some(one), Some(other)) = (endpoint(rest), endpoint(far)) else { continue };
        // An outbound connection names the far side first.
        let (one, other) = if inbound_first { (other, one) } else { (one, other) };
        for ((address, port), names) in
            [(one, ["src_ip", "src_port"]), (other, ["dst_ip", "dst_port"])]
        {
            draft.set(names[0], address);
            if let Some(port) = port {
                draft.set(names[1], port);
            }
        }
        return;
    }
    let ip = ["IP = ", "IP address ", "uauth from ", "from "].iter().find_map(|mark| {
        let (_, rest) = message.split_once(mark)?;
        endpoint(rest)
    });
    if let Some((address, _)) = ip {
        draft.set("src_ip", address);
    }
}

/// `outside:192.0.2.7/51000` as address and port.
fn endpoint(text: &str) -> Option<(&str, Option<&str>)> {
    let word = text.trim_start().split([' ', ',', ';']).next()?.trim_end_matches([')', '.']);
    let (address, port) = word.split_once('/').map_or((word, None), |(a, p)| (a, Some(p)));
    let address = match address.split_once(':') {
        Some((_, bare)) if bare.parse::<std::net::IpAddr>().is_ok() => bare,
        _ => address,
    };
    address.parse::<std::net::IpAddr>().ok()?;
    let port = port
        .map(|p| p.split('(').next().unwrap_or(p))
        .filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    Some((address, port))
}

/// `%SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: admin] [Source: 192.0.2.7] …`
fn ios(draft: &mut Draft, facility: &str, code: &str, message: &str) {
    for part in message.split(['[', ']']) {
        match part.split_once(": ") {
            Some(("user", user)) => draft.set_some("user", user),
            Some(("Source", address)) => draft.set_some("src_ip", address),
            Some(("localport", port)) => draft.set_some("dst_port", port),
            _ => {}
        }
    }
    if let Some((_, rest)) = message.split_once("Interface ") {
        draft.set_some("device", rest.split([',', ' ']).next().unwrap_or_default());
    }
    match (facility, code) {
        ("SEC_LOGIN", code) if code.contains("FAILED") => {
            draft.set("outcome", "failure");
            draft.class = CLASS_AUTHENTICATION;
        }
        ("SEC_LOGIN", code) if code.contains("SUCCESS") => {
            draft.set("outcome", "success");
            draft.class = CLASS_AUTHENTICATION;
        }
        ("SEC", code) if code.starts_with("IPACCESSLOG") => {
            draft.set("action", if message.contains(" denied ") { "deny" } else { "accept" });
            draft.class = CLASS_NETWORK;
        }
        _ => {}
    }
}

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

/// `CEF:0|vendor|product|version|id|name|severity|key=value …`; `false` if it is none.
pub fn read_cef(draft: &mut Draft, text: &str) -> bool {
    let Some(rest) = text.strip_prefix("CEF:") else { return false };
    let Some((head, extension)) = columns::<7>(rest) else { return false };
    for (name, value) in [
        "",
        "DeviceVendor",
        "DeviceProduct",
        "DeviceVersion",
        "DeviceEventClassID",
        "Name",
        "Severity",
    ]
    .iter()
    .zip(&head)
    .skip(1)
    {
        draft.set_some(name, value);
    }
    for (name, value) in extension_pairs(extension) {
        draft.set_some(name, &value);
    }
    draft.shape = Some(Shape::Cef);
    draft.severity = severity_of_ten(&head[6]);
    vendor(draft, text, &head[1], &head[2], &head[5]);
    true
}

/// `LEEF:1.0|vendor|product|version|id|key=value<tab>…`, LEEF 2.0 with a separator of its own.
pub fn read_leef(draft: &mut Draft, text: &str) -> bool {
    let Some(rest) = text.strip_prefix("LEEF:") else { return false };
    let Some((head, extension)) = columns::<5>(rest) else { return false };
    let (separator, extension) = match extension.split_once('|') {
        Some((sign, after)) if head[0].starts_with('2') && sign.len() <= 6 => {
            (leef_separator(sign), after)
        }
        _ => ('\t', extension),
    };
    for (name, value) in
        ["", "DeviceVendor", "DeviceProduct", "DeviceVersion", "EventID"].iter().zip(&head).skip(1)
    {
        draft.set_some(name, value);
    }
    for (name, value) in extension.split(separator).filter_map(|part| part.split_once('=')) {
        draft.set_some(name.trim(), value);
    }
    draft.shape = Some(Shape::Leef);
    draft.severity = draft.get("sev").map_or(0, severity_of_ten);
    vendor(draft, text, &head[1], &head[2], &head[4]);
    true
}

fn leef_separator(sign: &str) -> char {
    let number = sign.strip_prefix("0x").or(sign.strip_prefix('x'));
    let code = number.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
    code.or(sign.chars().next()).unwrap_or('\t')
}

fn severity_of_ten(text: &str) -> u8 {
    match text.trim().to_ascii_lowercase().as_str() {
        "0" | "1" | "2" | "3" | "low" => 2,
        "4" | "5" | "6" | "medium" => 3,
        "7" | "8" | "high" => 4,
        "9" | "10" | "very-high" => 5,
        _ => 0,
    }
}

/// What CEF and LEEF have in common.
fn vendor(draft: &mut Draft, text: &str, vendor: &str, product: &str, name: &str) {
    draft.message = Some(text.to_owned());
    draft.set("vendor", vendor);
    draft.set("product", product);
    draft.set_some("event_name", name);
    for (own, theirs) in [
        ("src_ip", "src"),
        ("dst_ip", "dst"),
        ("src_port", "spt"),
        ("src_port", "srcPort"),
        ("dst_port", "dpt"),
        ("dst_port", "dstPort"),
        ("protocol", "proto"),
        ("user", "suser"),
        ("user", "usrName"),
        ("target_user", "duser"),
        ("action", "act"),
        ("action", "action"),
        ("c-uri", "request"),
        ("Filename", "fname"),
    ] {
        draft.alias(own, theirs);
    }
    let words =
        format!("{product} {}", draft.get("event_name").unwrap_or_default()).to_ascii_lowercase();
    let is_tool = ["virus", "malware", "threat", "intrusion", "ips", "ids", "edr", "exploit"];
    draft.class = match () {
        () if is_tool.iter().any(|word| {
            words
                .split(|c: char| !c.is_alphanumeric())
                .any(|w| w.contains(word) && w.len() < word.len() + 4)
        }) =>
        {
            CLASS_FINDING
        }
        () if draft.get("src_ip").is_some() && draft.get("dst_ip").is_some() => CLASS_NETWORK,
        () => draft.class,
    };
}

/// `N` columns between bars, `\|` and `\\` resolved, and the rest.
fn columns<const N: usize>(text: &str) -> Option<([String; N], &str)> {
    let mut found: [String; N] = std::array::from_fn(|_| String::new());
    let (mut at, mut escaped) = (0, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => {
                found[at].push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '|' if at + 1 == N => return Some((found, &text[place + 1..])),
            '|' => at += 1,
            c => found[at].push(c),
        }
    }
    None
}

/// CEF's extension: values may hold spaces, so a value goes up to the next ` name=`; `\=` is no such sign.
fn extension_pairs(text: &str) -> Vec<(&str, String)> {
    let mut signs: Vec<(usize, usize)> = Vec::new();
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('=') {
        if at > 0 && bytes[at - 1] == b'\\' {
            continue;
        }
        let is_name =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'[' | b']');
        let length = bytes[..at].iter().rev().take(64).take_while(|b| is_name(b)).count();
        let begin = at - length;
        if length > 0 && (begin == 0 || bytes[begin - 1] == b' ') {
            signs.push((begin, at));
        }
    }
    let mut found = Vec::with_capacity(signs.len());
    for (place, (begin, at)) in signs.iter().enumerate() {
        let end = signs.get(place + 1).map_or(text.len(), |(next, _)| next - 1).max(at + 1);
        found.push((&text[*begin..*at], unescaped(text[at + 1..end].trim_end())));
    }
    found
}

fn unescaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'r') => value.push('\n'),
                Some(other @ ('=' | '\\' | '|')) => value.push(other),
                Some(other) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::{Event, Format};

    fn check(line: &str, class: u32, fields: &[(&str, &str)]) -> Event {
        let e = read_line(line, Format::Auto);
        for (name, value) in fields {
            assert_eq!(e.fields.get(*name).map_or("", String::as_str), *value, "{name} of {line}");
        }
        assert_eq!(e.class, class, "{line}");
        e
    }

    #[test]
    fn asa_lines_have_both_ends_and_what_was_done() {
        let ends = [
            ("src_ip", "192.0.2.7"),
            ("src_port", "51000"),
            ("dst_ip", "10.0.0.1"),
            ("dst_port", "22"),
        ];
        let e = check(
            "<164>Jan  1 10:00:00 fw1 : %ASA-4-106023: Deny tcp src outside:192.0.2.7/51000 dst inside:10.0.0.1/22 by access-group \"x\" [0x0, 0x0]",
            4001,
            &ends,
        );
        assert_eq!(
            (e.fields["action"].as_str(), e.fields["blocked"].as_str(), e.severity),
            ("deny", "true", 3)
        );
        let e = check(
            "%ASA-6-302013: Built inbound TCP connection 12 for outside:192.0.2.7/51000 (192.0.2.7/51000) to inside:10.0.0.1/22 (10.0.0.1/22)",
            4001,
            &ends,
        );
        assert_eq!(e.fields["action"], "accept");
        check(
            "<166>%ASA-6-113015: AAA user authentication Rejected : reason = Invalid password : local database : user = admin : user IP = 192.0.2.7",
            3002,
            &[
                ("outcome", "failure"),
                ("user", "admin"),
                ("src_ip", "192.0.2.7"),
                ("message_id", "113015"),
            ],
        );
    }

    #[test]
    fn ios_lines_have_facility_and_mnemonic() {
        check(
            "<189>45: sw1: *Jan  1 10:00:00.123: %SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: admin] [Source: 192.0.2.7] [localport: 22] [Reason: Login Authentication Failed]",
            3002,
            &[
                ("user", "admin"),
                ("src_ip", "192.0.2.7"),
                ("cisco.mnemonic", "LOGIN_FAILED"),
                ("outcome", "failure"),
            ],
        );
        check(
            "<187>46: *Jan  1 10:00:00.123: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
            0,
            &[("cisco.facility", "LINK"), ("device", "GigabitEthernet0/1")],
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
    fn cef_and_leef() {
        check(
            "<134>Jan  1 10:00:00 h CEF:0|Some\\|Vendor|Fire wall|1|100|Blocked|8|src=192.0.2.7 dst=10.0.0.1 spt=5 dpt=443 msg=a b\\=c d act=blocked suser=mika request=http://x/?a\\=b",
            4001,
            &[
                ("vendor", "Some|Vendor"),
                ("src_ip", "192.0.2.7"),
                ("dst_port", "443"),
                ("msg", "a b=c d"),
                ("action", "blocked"),
                ("user", "mika"),
                ("c-uri", "http://x/?a=b"),
            ],
        );
        check(
            "CEF:0|V|Antivirus|1|1|Malware detected|10|fname=x.exe",
            2004,
            &[("Filename", "x.exe")],
        );
        check(
            "LEEF:2.0|Vendor|Product|1|login|^|src=192.0.2.7^usrName=mika^sev=9",
            0,
            &[("src_ip", "192.0.2.7"), ("user", "mika"), ("EventID", "login")],
        );
        check(
            "LEEF:1.0|V|P|1|7|src=192.0.2.7\tdst=10.0.0.1\tdstPort=22",
            4001,
            &[("dst_port", "22")],
        );
    }
}
