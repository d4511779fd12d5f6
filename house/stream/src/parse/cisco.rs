//! Cisco: ASA's packets and log-ins, IOS by facility and mnemonic.

use super::{CLASS_AUTHENTICATION, CLASS_NETWORK, Draft, Shape, severity_of_syslog};

/// `%ASA-6-302013: Built …`; `false` if it is none.
pub fn read(draft: &mut Draft, text: &str) -> bool {
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

/// As [`read`] where a sequence number, a host or a time stands before the percent sign.
pub fn read_inside(draft: &mut Draft, message: &str) -> bool {
    const BEFORE_MAX: usize = 80;
    match message.find('%') {
        Some(at) if (1..=BEFORE_MAX).contains(&at) && message.as_bytes()[at - 1] == b' ' => {
            read(draft, &message[at..])
        }
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use super::super::tests::check;

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
}
