//! Records of the Linux audit system, as auditd writes them, as they travel in syslog and in the journal.
//!
//! Values that a program could choose (names, arguments) come quoted, or as hexadecimal digits if they hold
//! spaces, quotes or control characters; both become text here. Records of one event are joined in `audit_join`.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::Timestamp;

use super::{
    CLASS_ACCOUNT, CLASS_AUTHENTICATION, CLASS_FILE, CLASS_FINDING, CLASS_NETWORK, CLASS_PROCESS,
    Draft, Shape, pairs::pairs, syscall,
};

/// Field with the number that records of one event share.
pub const SERIAL: &str = "serial";

/// Arguments of one EXECVE record that become fields of their own; the others stand in `CommandLine` only.
const ARGUMENT_FIELDS_MAX: usize = 64;

/// Numbers of record types as the kernel's own log writes them.
const TYPES: &[(&str, &str)] = &[
    ("1100", "USER_AUTH"),
    ("1101", "USER_ACCT"),
    ("1103", "CRED_ACQ"),
    ("1104", "CRED_DISP"),
    ("1105", "USER_START"),
    ("1106", "USER_END"),
    ("1107", "USER_AVC"),
    ("1108", "USER_CHAUTHTOK"),
    ("1112", "USER_LOGIN"),
    ("1123", "USER_CMD"),
    ("1130", "SERVICE_START"),
    ("1131", "SERVICE_STOP"),
    ("1300", "SYSCALL"),
    ("1302", "PATH"),
    ("1305", "CONFIG_CHANGE"),
    ("1306", "SOCKADDR"),
    ("1307", "CWD"),
    ("1309", "EXECVE"),
    ("1320", "EOE"),
    ("1325", "NETFILTER_CFG"),
    ("1326", "SECCOMP"),
    ("1327", "PROCTITLE"),
    ("1334", "BPF"),
    ("1400", "AVC"),
    ("1701", "ANOM_ABEND"),
];

/// Names whose bare values are hexadecimal digits.
const ENCODED: &[&str] = &[
    "acct",
    "cmd",
    "comm",
    "cwd",
    "data",
    "dir",
    "exe",
    "file",
    "key",
    "name",
    "new",
    "ocomm",
    "old",
    "path",
    "proctitle",
    "vm",
    "watch",
];

/// A line `[node=…] type=… msg=audit(time:serial): …`; `false` if it is none.
pub fn read(draft: &mut Draft, text: &str) -> bool {
    let (node, rest) = match text.strip_prefix("node=").and_then(|t| t.split_once(' ')) {
        Some((node, rest)) => (Some(node), rest),
        None => (None, text),
    };
    let Some((kind, rest)) = rest.strip_prefix("type=").and_then(|t| t.split_once(' ')) else {
        return false;
    };
    let Some((stamp, body)) = stamp(rest.strip_prefix("msg=").unwrap_or(rest)) else {
        return false;
    };
    // Behind an envelope the envelope says which machine it was.
    if let Some(node) = node.filter(|_| draft.host.is_empty()) {
        draft.host = node.to_owned();
    }
    draft.time = Some(stamp.0);
    draft.set(SERIAL, stamp.1);
    record(draft, kind, body);
    true
}

/// What a program named `audit` says: `SYSCALL arch=…`, or a whole line; `false` if it is no record.
pub fn read_body(draft: &mut Draft, message: &str) -> bool {
    if read(draft, message) {
        return true;
    }
    let Some((kind, body)) = message.split_once(' ') else { return false };
    let is_kind = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if !kind.chars().all(is_kind) || !body.contains('=') {
        return false;
    }
    if let Some(serial) = draft.get("_AUDIT_ID").map(str::to_owned) {
        draft.set(SERIAL, serial);
    }
    record(draft, kind, body);
    true
}

/// What the kernel says itself: `audit: type=1400 audit(…): …`.
pub fn read_kernel(draft: &mut Draft, message: &str) -> bool {
    message.strip_prefix("audit: ").is_some_and(|record| read(draft, record))
}

/// `audit(1700000000.123:456): ` and what follows.
fn stamp(text: &str) -> Option<((Timestamp, &str), &str)> {
    let (inside, body) = text.strip_prefix("audit(")?.split_once(')')?;
    let (time, serial) = inside.split_once(':')?;
    let (seconds, millis) = time.split_once('.')?;
    let (seconds, millis) = (seconds.parse::<i64>().ok()?, millis.parse::<i64>().ok()?);
    serial.parse::<u64>().ok()?;
    let micros = seconds.checked_mul(1_000_000)?.checked_add(millis.checked_mul(1000)?)?;
    Some(((Timestamp(micros), serial), body.trim_start_matches([':', ' '])))
}

fn record(draft: &mut Draft, kind: &str, body: &str) {
    let named = TYPES.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name);
    let kind = named.unwrap_or(kind);
    if draft.app.is_empty() {
        draft.app = "audit".to_owned();
    }
    draft.shape = Some(Shape::Audit);
    draft.set("type", kind);
    match kind {
        "EXECVE" => arguments(draft, body),
        _ => fields(draft, body, 0),
    }
    finish(draft, kind);
}

/// Fields of a record; those of a nested `msg='…'` as well.
fn fields(draft: &mut Draft, body: &str, depth: usize) {
    for (name, value) in pairs(body) {
        if name == "msg" && value.quoted && depth == 0 {
            fields(draft, value.text, 1);
            continue;
        }
        let is_encoded = ENCODED.contains(&name) && !value.quoted;
        match is_encoded.then(|| unhex(value.text)).flatten() {
            Some(text) => draft.set(name, text),
            None => draft.set(name, value.text),
        }
    }
}

/// Text of hexadecimal digits, zero bytes as spaces; `None` if it is none.
pub fn unhex(text: &str) -> Option<String> {
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let upper = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
    if !digits.iter().all(upper) {
        return None;
    }
    let mut bytes: Vec<u8> =
        digits.chunks(2).map(|two| (nibble(two[0]) << 4) | nibble(two[1])).collect();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes.iter_mut().filter(|b| **b == 0).for_each(|b| *b = b' ');
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'A' + 10,
    }
}

/// `argc=3 a0="sh" a1="-c" a2[0]=… a2[1]=…`: arguments one by one and as one line.
fn arguments(draft: &mut Draft, body: &str) {
    let mut line = String::new();
    let mut whole: Option<(String, String)> = None;
    let mut count = 0;
    let mut keep = |draft: &mut Draft, name: &str, text: &str| {
        if count < ARGUMENT_FIELDS_MAX {
            draft.set(name, text);
        }
        count += 1;
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(text);
    };
    for (name, value) in pairs(body) {
        let (base, piece) = name.split_once('[').map_or((name, false), |(base, _)| (base, true));
        if !is_argument(base) {
            if !name.ends_with("_len") {
                draft.set(name, value.text);
            }
            continue;
        }
        let decoded = if value.quoted { None } else { unhex(value.text) };
        let text = decoded.unwrap_or_else(|| value.text.to_owned());
        match &mut whole {
            Some((begun, so_far)) if piece && begun == base => so_far.push_str(&text),
            _ => {
                if let Some((name, text)) = whole.take() {
                    keep(draft, &name, &text);
                }
                whole = Some((base.to_owned(), text));
            }
        }
    }
    if let Some((name, text)) = whole {
        keep(draft, &name, &text);
    }
    if !line.is_empty() {
        draft.set("CommandLine", line);
    }
}

/// `a0`, `a17`.
pub fn is_argument(name: &str) -> bool {
    name.strip_prefix('a').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Names that Ume has everywhere, and the class.
fn finish(draft: &mut Draft, kind: &str) {
    if let Some(name) = syscall::name(draft.get("arch"), draft.get("syscall")) {
        draft.set_new("SYSCALL", name);
    }
    if let Some(address) = draft.get("saddr").and_then(socket) {
        draft.set("dst_ip", address.0);
        draft.set("dst_port", address.1);
    }
    if let Some(user) = draft.get("acct").map(str::to_owned) {
        draft.set_some("user", &user);
    }
    if let Some(from) = draft.get("addr").filter(|a| *a != "?").map(str::to_owned) {
        draft.set_some("src_ip", &from);
    }
    let outcome = match draft.get("res").or(draft.get("success")) {
        Some("success" | "yes" | "1") => Some("success"),
        Some("failed" | "no" | "0") => Some("failure"),
        _ => None,
    };
    if let Some(outcome) = outcome {
        draft.set("outcome", outcome);
    }
    draft.class = class(kind);
}

fn class(kind: &str) -> u32 {
    match kind {
        "USER_AUTH" | "USER_ACCT" | "USER_LOGIN" | "USER_LOGOUT" | "USER_START" | "USER_END"
        | "USER_ERR" | "CRED_ACQ" | "CRED_REFR" | "CRED_DISP" | "LOGIN" | "USER_CMD" => {
            CLASS_AUTHENTICATION
        }
        "ADD_USER" | "DEL_USER" | "ADD_GROUP" | "DEL_GROUP" | "USER_CHAUTHTOK" | "USER_MGMT"
        | "GRP_MGMT" | "GRP_CHAUTHTOK" | "ACCT_LOCK" | "ACCT_UNLOCK" | "ROLE_ASSIGN"
        | "ROLE_REMOVE" | "CHGRP_ID" => CLASS_ACCOUNT,
        "EXECVE" | "PROCTITLE" | "SYSCALL" => CLASS_PROCESS,
        "PATH" | "CWD" => CLASS_FILE,
        "SOCKADDR" => CLASS_NETWORK,
        "AVC" | "USER_AVC" | "SECCOMP" => CLASS_FINDING,
        _ if kind.starts_with("ANOM_") => CLASS_FINDING,
        _ => 0,
    }
}

/// Address and port of a socket address in hexadecimal digits.
fn socket(text: &str) -> Option<(String, String)> {
    let byte = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
    let port = u16::from_be_bytes([byte(2)?, byte(3)?]).to_string();
    match (byte(0)?, byte(1)?) {
        (2, 0) => {
            let address = Ipv4Addr::new(byte(4)?, byte(5)?, byte(6)?, byte(7)?);
            Some((address.to_string(), port))
        }
        (10, 0) => {
            let mut address = [0; 16];
            for (at, part) in address.iter_mut().enumerate() {
                *part = byte(8 + at)?;
            }
            Some((Ipv6Addr::from(address).to_canonical().to_string(), port))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::{Event, Format};

    fn record(text: &str) -> Event {
        read_line(text, Format::Auto)
    }

    #[test]
    fn a_syscall_record_has_time_serial_and_the_call_by_name() {
        let e = record(
            "node=web1 type=SYSCALL msg=audit(1700000000.123:456): arch=c000003e syscall=59 success=yes \
             exit=0 a0=55d a1=0 items=2 ppid=10 pid=11 auid=1000 uid=0 comm=\"cat\" exe=\"/usr/bin/cat\" \
             key=\"susp\"\u{1d}ARCH=x86_64 SYSCALL=execve AUID=\"mika\" UID=\"root\"",
        );
        assert_eq!(e.event_time.unwrap().0, 1_700_000_000_123_000);
        assert_eq!((e.host.as_str(), e.app.as_str(), e.class), ("web1", "audit", 1007));
        let field = |name: &str| e.fields[name].as_str();
        assert_eq!(
            (field("type"), field("serial"), field("SYSCALL")),
            ("SYSCALL", "456", "execve")
        );
        assert_eq!((field("exe"), field("key"), field("UID")), ("/usr/bin/cat", "susp", "root"));
        assert_eq!(field("outcome"), "success");
        let e = record("type=SYSCALL msg=audit(1.5:4): arch=c000003e syscall=42 success=no");
        assert_eq!(e.fields["SYSCALL"], "connect");
    }

    #[test]
    fn arguments_are_decoded_and_joined() {
        let e = record(
            "type=EXECVE msg=audit(1700000000.123:456): argc=4 a0=\"sh\" a1=\"-c\" \
             a2=6563686F2022612062223E2F746D702F78 a3_len=4 a3[0]=\"ab\" a3[1]=\"cd\"",
        );
        assert_eq!(e.fields["a2"], "echo \"a b\">/tmp/x");
        assert_eq!(e.fields["a3"], "abcd");
        assert_eq!(e.fields["CommandLine"], "sh -c echo \"a b\">/tmp/x abcd");
        assert_eq!(e.fields["argc"], "4");
        let e = record("type=PROCTITLE msg=audit(1700000000.123:456): proctitle=6C73002D6C00");
        assert_eq!(e.fields["proctitle"], "ls -l");
    }

    #[test]
    fn a_log_in_record_names_who_from_where_and_how_it_ended() {
        let e = record(
            "type=USER_LOGIN msg=audit(1700000000.123:9): pid=1 uid=0 auid=4294967295 ses=4294967295 \
             msg='op=login acct=\"root\" exe=\"/usr/sbin/sshd\" hostname=? addr=192.0.2.7 terminal=ssh res=failed'",
        );
        assert_eq!(e.class, 3002);
        assert_eq!((e.fields["user"].as_str(), e.fields["src_ip"].as_str()), ("root", "192.0.2.7"));
        assert_eq!((e.fields["outcome"].as_str(), e.fields["op"].as_str()), ("failure", "login"));
    }

    #[test]
    fn socket_addresses_are_read() {
        let e = record("type=SOCKADDR msg=audit(1.0:1): saddr=020001BBC00002070000000000000000");
        assert_eq!(
            (e.fields["dst_ip"].as_str(), e.fields["dst_port"].as_str()),
            ("192.0.2.7", "443")
        );
        assert_eq!(e.class, 4001);
        let e = record("type=SOCKADDR msg=audit(1.0:1): saddr=0100");
        assert!(!e.fields.contains_key("dst_ip"));
    }

    #[test]
    fn the_kernel_syslog_and_journal_carry_records_too() {
        let e = record(
            "Jan  1 00:00:00 h kernel: audit: type=1400 audit(1700000000.5:7): apparmor=\"DENIED\" \
             operation=\"open\" profile=\"x\" name=\"/etc/shadow\"",
        );
        assert_eq!((e.fields["type"].as_str(), e.class), ("AVC", 2004));
        assert_eq!(e.fields["apparmor"], "DENIED");
        let e = record(
            "Jan  1 00:00:00 h audit[77]: USER_AUTH pid=77 uid=0 msg='op=PAM:authentication acct=\"mika\" res=failed'",
        );
        assert_eq!((e.fields["user"].as_str(), e.class), ("mika", 3002));
        let e =
            record("Jan  1 00:00:00 h auditd[7]: Audit daemon is low on disk space for logging");
        assert!(!e.fields.contains_key("type"));
    }
}
