//! From a line to an [`Event`]: pure, total, bounded. What cannot be parsed becomes its own message.
//!
//! A line is read in two steps: its envelope (syslog, journal, JSON, or none), then its content, by the program
//! it names or by how it begins. Fields bear the names that Sigma rules use for that source, and beside them
//! `user`, `src_ip`, `src_port`, `dst_ip`, `dst_port`, `outcome` wherever a line says so.
//!
//! Zone and arrival time are arguments: RFC 3164 has neither zone nor year, so the year is the latest
//! that puts the line no more than a day after its arrival. Formats whose columns stand in an earlier line take
//! that line as a [`Header`].

mod account;
mod application;
mod audit;
mod audit_join;
mod auth;
mod cef;
mod cisco;
mod daemon;
mod database;
mod dns;
mod export;
mod firewall;
mod hardware;
mod header;
mod identity;
mod ids;
mod json;
mod kernel;
mod otlp;
mod package;
mod pairs;
mod security;
mod shape;
mod squid;
mod syscall;
mod syslog;
mod time;
mod web;
mod windows;

use std::{borrow::Cow, collections::BTreeMap};

use jiff::tz::TimeZone;
use model::Timestamp;

pub use audit_join::{JoinCounters, JoinLimits, Joiner, plain_name};
pub use header::Header;
pub use shape::{SHAPE_FIELD, Shape};

use crate::{
    decode::{Encoding, decode, decode_as},
    event::{Event, Format, RawLine},
};

/// Most fields an event keeps; more are counted in the field `fields_dropped`.
pub const MAX_FIELDS: usize = 256;

/// OCSF Base Event.
pub const CLASS_BASE: u32 = 0;
/// OCSF File System Activity.
pub const CLASS_FILE: u32 = 1001;
/// OCSF Process Activity.
pub const CLASS_PROCESS: u32 = 1007;
/// OCSF Detection Finding, here of a tool that is not Ume.
pub const CLASS_FINDING: u32 = 2004;
/// OCSF Account Change.
pub const CLASS_ACCOUNT: u32 = 3001;
/// OCSF class Authentication.
pub const CLASS_AUTHENTICATION: u32 = 3002;
/// OCSF Network Activity.
pub const CLASS_NETWORK: u32 = 4001;
/// OCSF HTTP Activity.
pub const CLASS_HTTP: u32 = 4002;
/// OCSF DNS Activity.
pub const CLASS_DNS: u32 = 4003;
/// OCSF API Activity.
pub const CLASS_API: u32 = 6003;

/// Classes that a JSON event may name itself.
const CLASSES: [u32; 9] = [
    CLASS_FILE,
    CLASS_PROCESS,
    CLASS_FINDING,
    CLASS_ACCOUNT,
    CLASS_AUTHENTICATION,
    CLASS_NETWORK,
    CLASS_HTTP,
    CLASS_DNS,
    CLASS_API,
];

/// Reads one line that arrived at `now` in a place with the time zone `zone`.
pub fn parse(line: &RawLine, source: &str, now: Timestamp, zone: &TimeZone) -> Event {
    parse_as(line, source, now, &Manner { zone, encoding: None }, None)
}

/// As [`parse`], for a line of a file whose columns were named by an earlier line.
pub fn parse_after(
    line: &RawLine,
    source: &str,
    now: Timestamp,
    zone: &TimeZone,
    header: &Header,
) -> Event {
    parse_as(line, source, now, &Manner { zone, encoding: None }, Some(header))
}

/// How lines are written that do not say it.
pub(crate) struct Manner<'a> {
    pub zone: &'a TimeZone,
    /// Tried first, if it is known.
    pub encoding: Option<Encoding>,
}

/// Reads one line in the manner of its sender.
pub(crate) fn parse_as(
    line: &RawLine,
    source: &str,
    now: Timestamp,
    manner: &Manner<'_>,
    header: Option<&Header>,
) -> Event {
    let zone = manner.zone;
    let (text, encoding) = match (line.format, manner.encoding) {
        // Ume wrote it, in UTF-8; a piece of it may end within a character.
        (Format::Otlp, _) => (String::from_utf8_lossy(&line.bytes).into_owned(), Encoding::Utf8),
        (_, Some(encoding)) => decode_as(&line.bytes, encoding),
        (_, None) => decode(&line.bytes),
    };
    let text = text.trim_end_matches(['\r', '\n']);
    let mut draft = Draft::default();
    let place = Place { now, zone };
    // The second piece of a split line starts anywhere: nothing in it is a header.
    if line.part <= 1 {
        let read = match line.format {
            // Its values are decoded one by one.
            Format::JournalExport => export::read(&mut draft, &line.bytes),
            format => {
                header.is_some_and(|header| header.read(&mut draft, text))
                    || read(&mut draft, format, text, &place)
            }
        };
        if read && line.format != Format::Plain {
            content(&mut draft, &place);
        }
    }
    if draft.message.is_none() {
        draft.message = Some(text.to_owned());
    }
    if encoding != Encoding::Utf8 && line.format != Format::JournalExport {
        draft.set("encoding", encoding.name());
    }
    if line.part > 0 {
        draft.set("part", line.part.to_string());
    }
    if let Some(peer) = &line.peer {
        draft.set("peer", peer.as_str());
    }
    draft.into_event(line, source, now)
}

/// Where and when a line arrived.
struct Place<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
}

fn read(draft: &mut Draft, format: Format, text: &str, place: &Place<'_>) -> bool {
    match format {
        Format::Plain | Format::JournalExport => false,
        Format::Json | Format::Journal => json::read(draft, text),
        Format::Otlp => otlp::read(draft, text, place),
        Format::Syslog => {
            let is_mysql = text.as_bytes().get(10) == Some(&b'T')
                && database::read_mariadb(draft, text, place.zone);
            is_mysql || syslog::read(draft, text, place) || bare(draft, text, place)
        }
        Format::Dpkg => package::read_dpkg(draft, text, place.zone),
        Format::AptHistory => package::read_apt(draft, text, place.zone),
        Format::Auto => {
            bare(draft, text, place)
                || (application::is_marked(text) && application::read(draft, text, place))
                || syslog::read(draft, text, place)
                || application::read(draft, text, place)
        }
    }
}

/// Lines that come without syslog's envelope, told apart by their first bytes.
fn bare(draft: &mut Draft, text: &str, place: &Place<'_>) -> bool {
    match text.as_bytes().first() {
        Some(b'{') => json::read(draft, text),
        Some(b'<') if text.starts_with("<Event") => windows::read_xml(draft, text),
        Some(b'<') => false,
        Some(b'0'..=b'9' | b' ' | b'\t') => bare_number(draft, text, place),
        Some(b'[') => {
            web::read_apache_error(draft, text, place.zone) || kernel::read_ring(draft, text)
        }
        Some(b'S') if text.starts_with("Start-Date: ") => {
            package::read_apt(draft, text, place.zone)
        }
        Some(b'\n' | b'\r') => package::read_apt(draft, text, place.zone),
        Some(b'u') if text.starts_with("update-alternatives ") => {
            package::read_alternatives(draft, text, place.zone)
        }
        Some(b'#') => false,
        _ => {
            syslog::read(draft, text, place)
                || own_mark(draft, text)
                || web::read_access(draft, text)
                || security::read_clamd(draft, text, place.zone)
        }
    }
}

/// Lines that begin with a number, most often a date.
fn bare_number(draft: &mut Draft, text: &str, place: &Place<'_>) -> bool {
    let begin = text.as_bytes();
    let byte = |at: usize| begin.get(at).copied().unwrap_or_default();
    match (byte(2), byte(4), byte(10)) {
        (_, b'-', b' ') => {
            package::read_dpkg(draft, text, place.zone)
                || database::read_mariadb(draft, text, place.zone)
                || database::read_postgresql(draft, text, place.zone)
        }
        (_, b'-', b'T') => database::read_mariadb(draft, text, place.zone),
        (_, b'/', b' ') => web::read_nginx_error(draft, text, place.zone),
        (b'/', ..) => ids::read_fast(draft, text, place),
        (_, _, b'.') => squid::read(draft, text),
        _ => {
            web::read_access(draft, text)
                || hardware::read_sel(draft, text, place.zone)
                || ids::read_fast(draft, text, place)
        }
    }
}

/// Lines that say by their first word what they are, bare or behind syslog's envelope.
fn own_mark(draft: &mut Draft, text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b't' | b'n') => audit::read(draft, text),
        Some(b'%') => cisco::read(draft, text),
        Some(b'C') => cef::read_cef(draft, text),
        Some(b'L') => cef::read_leef(draft, text),
        Some(b'd' | b'l') => firewall::read_fortigate(draft, text),
        _ => false,
    }
}

/// What the message says, once the envelope is read: by the message's own mark, then by its program.
fn content(draft: &mut Draft, place: &Place<'_>) {
    if draft.shape.is_some_and(Shape::is_whole) {
        return;
    }
    let message = draft.message.clone().unwrap_or_default();
    let known = match message.as_bytes().first() {
        Some(b'{') => json::read_inner(draft, &message),
        Some(b'@') => {
            message.strip_prefix("@cee:").is_some_and(|m| json::read_inner(draft, m.trim_start()))
        }
        _ => {
            own_mark(draft, &message)
                || cisco::read_inside(draft, &message)
                || firewall::read_yamaha(draft, &message)
        }
    };
    if !known {
        program(draft, &message, place);
    }
}

fn program(draft: &mut Draft, message: &str, place: &Place<'_>) {
    let name = draft.app.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "kernel" => kernel::classify(draft, message),
        "audit" | "auditd" | "audispd" | "audisp-syslog" => audit::read_body(draft, message),
        "cron" | "crond" | "crontab" | "anacron" | "systemd" => {
            daemon::classify(draft, message, &name)
        }
        "postgres" | "postgresql" => database::postgresql(draft, message, place.zone),
        "mariadbd" | "mysqld" | "mariadb" => database::mariadb(draft, message),
        "clamd" | "freshclam" | "clamav" | "clamscan" | "clamonacc" | "clamav-daemon"
        | "clamav-freshclam" => security::clamav(draft, message),
        "squid" | "(squid-1)" => squid::read_inner(draft, message),
        "snort" | "suricata" => ids::alert(draft, message),
        "nginx" | "apache2" | "httpd" | "apache" | "caddy" | "lighttpd" => {
            web::read_access(draft, message) || web::error_message(draft, message)
        }
        "named" | "dnsmasq" | "unbound" => dns::classify(draft, message),
        "smartd" => hardware::smartd(draft, message),
        "ipmievd" | "ipmi-sel" | "ipmiutil" => hardware::sel_message(draft, message),
        _ => account::classify(draft, message, &name) || auth::classify(draft, message),
    };
}

/// An event in the making.
#[derive(Debug, Default)]
struct Draft {
    time: Option<Timestamp>,
    class: u32,
    host: String,
    app: String,
    severity: u8,
    message: Option<String>,
    fields: BTreeMap<String, String>,
    dropped: usize,
    shape: Option<Shape>,
}

impl Draft {
    fn set<'a>(&mut self, name: &str, value: impl Into<Cow<'a, str>>) {
        // Two places are kept for what Ume itself adds at the end.
        if self.fields.len() >= MAX_FIELDS - 1 && !self.fields.contains_key(name) {
            self.dropped += 1;
            return;
        }
        self.fields.insert(name.to_owned(), value.into().into_owned());
    }

    /// Sets a field unless the value is empty or the log's sign for "none".
    fn set_some(&mut self, name: &str, value: &str) {
        if !matches!(value, "" | "-" | "(null)" | "N/A") {
            self.set(name, value);
        }
    }

    /// Sets a field unless it is there.
    fn set_new(&mut self, name: &str, value: &str) {
        if !self.fields.contains_key(name) {
            self.set(name, value);
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Gives the value of `from` a second name, unless that name is taken.
    fn alias(&mut self, name: &str, from: &str) {
        if let Some(value) = self.fields.get(from).filter(|_| !self.fields.contains_key(name)) {
            let value = value.clone();
            self.set(name, value);
        }
    }

    fn into_event(mut self, line: &RawLine, source: &str, now: Timestamp) -> Event {
        // Only the parser says what a line is, never the line.
        self.fields.remove(SHAPE_FIELD);
        if let Some(shape) = self.shape {
            self.fields.insert(SHAPE_FIELD.to_owned(), shape.name().to_owned());
        }
        if self.dropped > 0 {
            self.fields.insert("fields_dropped".to_owned(), self.dropped.to_string());
        }
        Event {
            raw: line.bytes.clone(),
            event_time: self.time,
            arrived: now,
            source: source.to_owned(),
            class: self.class,
            host: self.host,
            app: self.app,
            severity: self.severity,
            message: self.message.unwrap_or_default(),
            fields: self.fields,
        }
    }
}

/// OCSF severity of a syslog severity.
fn severity_of_syslog(syslog: u8) -> u8 {
    match syslog {
        0 => 6,
        1 | 2 => 5,
        3 => 4,
        4 => 3,
        5 => 2,
        6 | 7 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    pub(super) fn read_after(text: &str, header: &Header) -> Event {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let line = RawLine::with_format(text, Format::Auto);
        parse_after(&line, "test", at("2026-01-02T00:00:00Z"), &zone, header)
    }

    pub(super) fn read_line(text: impl Into<Vec<u8>>, format: Format) -> Event {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        parse(&RawLine::with_format(text, format), "test", at("2026-01-02T00:00:00Z"), &zone)
    }

    /// Class and fields of a line.
    pub(super) fn check(line: &str, class: u32, fields: &[(&str, &str)]) -> Event {
        let e = read_line(line, Format::Auto);
        for (name, value) in fields {
            assert_eq!(e.fields.get(*name).map_or("", String::as_str), *value, "{name} of {line}");
        }
        assert_eq!(e.class, class, "{line}");
        e
    }

    #[test]
    fn rfc5424_with_structured_data() {
        let e = read_line(
            "<165>1 2003-10-11T22:14:15.003Z host.example evntslog 42 ID47 \
             [ex@32473 iut=\"3\" src=\"a\\\"b\\]\"][x y=\"z\"] \u{feff}起動",
            Format::Auto,
        );
        assert_eq!(e.event_time, Some(at("2003-10-11T22:14:15.003Z")));
        assert_eq!((e.host.as_str(), e.app.as_str()), ("host.example", "evntslog"));
        assert_eq!((e.severity, e.message.as_str()), (2, "起動"));
        assert_eq!(e.fields["ex@32473.src"], "a\"b]");
        assert_eq!(e.fields["x.y"], "z");
        assert_eq!(e.fields["pid"], "42");
        assert_eq!(e.fields["facility"], "20");
    }

    #[test]
    fn rfc3164_takes_zone_and_the_year_before() {
        let e = read_line("<34>Dec 31 23:00:00 mymachine su[77]: 'su root' failed", Format::Auto);
        assert_eq!(e.event_time, Some(at("2025-12-31T14:00:00Z")));
        assert_eq!((e.host.as_str(), e.app.as_str()), ("mymachine", "su"));
        let e = read_line("Jan  2 08:00:00 h kernel: oops", Format::Auto);
        assert_eq!(e.event_time, Some(at("2026-01-01T23:00:00Z")));
        let e = read_line("<1>Feb 29 08:00:00 h a: b", Format::Auto);
        assert_eq!(e.event_time, Some(at("2024-02-28T23:00:00Z")));
    }

    #[test]
    fn a_debian_12_line_with_iso_time() {
        let e = read_line(
            "2026-01-01T10:00:00.5+09:00 web sshd[9]: Failed password for invalid user a from b \
             from 192.0.2.7 port 22 ssh2",
            Format::Auto,
        );
        assert_eq!(e.event_time, Some(at("2026-01-01T01:00:00.5Z")));
        assert_eq!(e.class, CLASS_AUTHENTICATION);
        assert_eq!(e.fields["user"], "a from b");
        assert_eq!(e.fields["src_ip"], "192.0.2.7");
        assert_eq!(e.fields["outcome"], "failure");
    }

    #[test]
    fn sudo_and_pam_are_authentication_and_cron_is_not() {
        let e = read_line(
            "Jan  1 01:00:00 h sudo:   mika : TTY=pts/0 ; PWD=/home/mika ; USER=root ; COMMAND=/bin/id",
            Format::Auto,
        );
        assert_eq!((e.class, e.fields["user"].as_str()), (CLASS_AUTHENTICATION, "mika"));
        let e = read_line(
            "Jan  1 01:00:00 h sshd[1]: pam_unix(sshd:session): session opened for user mika(uid=1) by (uid=0)",
            Format::Auto,
        );
        assert_eq!((e.class, e.fields["user"].as_str()), (CLASS_AUTHENTICATION, "mika"));
        let e = read_line("Jan  1 01:00:00 h CRON[1]: session opened for user x", Format::Auto);
        assert_eq!(e.class, CLASS_BASE);
    }

    #[test]
    fn dpkg_apt_and_alternatives() {
        let e =
            read_line("2025-06-24 14:36:25 upgrade libsystemd0:amd64 252.36 252.38", Format::Auto);
        assert_eq!(e.event_time, Some(at("2025-06-24T05:36:25Z")));
        assert_eq!((e.app.as_str(), e.fields["package"].as_str()), ("dpkg", "libsystemd0"));
        assert_eq!(
            (e.fields["old_version"].as_str(), e.fields["version"].as_str()),
            ("252.36", "252.38")
        );
        let e = read_line(
            "Start-Date: 2025-06-24  14:36:25\nCommandline: apt-get upgrade\nUpgrade: a:amd64 (1, 2)\n\
             End-Date: 2025-06-24  14:37:00",
            Format::Auto,
        );
        assert_eq!(e.event_time, Some(at("2025-06-24T05:36:25Z")));
        assert_eq!((e.app.as_str(), e.message.as_str()), ("apt", "apt-get upgrade"));
        assert_eq!(e.fields["upgrade"], "a:amd64 (1, 2)");
        let e =
            read_line("update-alternatives 2025-06-24 14:36:53: run with --quiet", Format::Auto);
        assert_eq!(
            (e.app.as_str(), e.message.as_str()),
            ("update-alternatives", "run with --quiet")
        );
    }

    #[test]
    fn json_and_journal() {
        let e = read_line(
            r#"{"time":"2026-01-01T00:00:00Z","level":"error","host":"h","msg":"x","a":{"b":1}}"#,
            Format::Auto,
        );
        assert_eq!((e.severity, e.host.as_str(), e.message.as_str()), (4, "h", "x"));
        assert_eq!(e.fields["a"], r#"{"b":1}"#);
        let e = read_line(
            r#"{"__REALTIME_TIMESTAMP":"1767225600000000","_HOSTNAME":"h","SYSLOG_IDENTIFIER":"k","PRIORITY":"3","MESSAGE":[147,250,150,123]}"#,
            Format::Journal,
        );
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:00Z")));
        assert_eq!((e.app.as_str(), e.severity, e.message.as_str()), ("k", 4, "日本"));
    }

    #[test]
    fn an_ocsf_authentication_event_keeps_its_class() {
        let e = read_line(
            r#"{"time":"2026-01-01T00:00:00Z","app":"ume","message":"signed in","class_uid":3002,"outcome":"success"}"#,
            Format::Json,
        );
        assert_eq!((e.class, e.app.as_str()), (CLASS_AUTHENTICATION, "ume"));
        assert_eq!(e.fields["outcome"], "success");
        let e = read_line(r#"{"message":"x","class_uid":"3002 or so"}"#, Format::Json);
        assert_eq!(e.class, CLASS_BASE);
    }

    #[test]
    fn an_exported_journal_entry_is_read_as_the_followed_one() {
        let mut raw =
            b"__REALTIME_TIMESTAMP=1767225600000000\n_HOSTNAME=h\nSYSLOG_IDENTIFIER=k\nPRIORITY=3\n\
              N=1\nN=2\nMESSAGE\n"
                .to_vec();
        raw.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        raw.extend(b"\x93\xfa\x96\x7b\nx\0\n");
        let e = read_line(raw.clone(), Format::JournalExport);
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:00Z")));
        assert_eq!((e.host.as_str(), e.app.as_str(), e.severity), ("h", "k", 4));
        assert_eq!((e.message.as_str(), e.fields["N"].as_str()), ("日本\nx\0", "1\n2"));
        assert_eq!(e.raw, raw);
    }

    #[test]
    fn a_message_does_not_change_where_it_came_from() {
        for message in [
            r#"{"EventID":1,"Channel":"Security","Computer":"other","Provider_Name":"p","user":"x"}"#,
            "node=other type=USER_LOGIN msg=audit(1700000000.1:7): acct=\"x\"",
            "date=2026-01-01 time=00:00:00 devid=\"F\" devname=\"other\" user=x",
        ] {
            let e = read_line(format!("Jan  1 00:00:00 h app[1]: {message}"), Format::Auto);
            assert_eq!((e.host.as_str(), e.fields["user"].as_str()), ("h", "x"), "{message}");
        }
    }

    #[test]
    fn cp932_keeps_its_bytes() {
        let raw = b"<13>Jan  1 00:00:00 h app: \x93\xfa\x96\x7b\x8c\xea".to_vec();
        let e = read_line(raw.clone(), Format::Syslog);
        assert_eq!((e.message.as_str(), e.fields["encoding"].as_str()), ("日本語", "cp932"));
        assert_eq!(e.raw, raw);
    }

    #[test]
    fn a_field_flood_is_capped_and_said() {
        let params: String = (0..1000).map(|i| format!(" p{i}=\"1\"")).collect();
        let e = read_line(format!("<1>1 - - - - - [a{params}] m"), Format::Syslog);
        assert!(e.fields.len() <= MAX_FIELDS + 1);
        assert!(e.fields.contains_key("fields_dropped"));
    }

    /// Beginnings that lead into every reader.
    const HEADS: [&str; 45] = [
        "",
        "<34>",
        "<34>1 ",
        "<34>1 - h app - - - ",
        "Start-Date: ",
        "update-alternatives ",
        "{",
        "{\"a\":{\"b\":",
        "type=EXECVE msg=audit(1.0:1): ",
        "node=h type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=",
        "type=SOCKADDR msg=audit(1.0:1): saddr=",
        "type=USER_LOGIN msg=audit(1.0:1): msg='",
        "Jan  1 00:00:00 h audit[1]: EXECVE ",
        "Jan  1 00:00:00 h sshd[1]: Failed password for ",
        "Jan  1 00:00:00 h sshd[1]: error: maximum authentication attempts exceeded for ",
        "Jan  1 00:00:00 h sshd[1]: User ",
        "Jan  1 00:00:00 h sudo: a : ",
        "Jan  1 00:00:00 h su: (to ",
        "Jan  1 00:00:00 h useradd[1]: new user: ",
        "Jan  1 00:00:00 h usermod[1]: add '",
        "Jan  1 00:00:00 h CRON[1]: (",
        "Jan  1 00:00:00 h systemd[1]: a.service: ",
        "Jan  1 00:00:00 h kernel: [1.1] IN= SRC= DST= ",
        "Jan  1 00:00:00 h kernel: I/O error, dev ",
        "Jan  1 00:00:00 h kernel: Out of memory: Killed process ",
        "Jan  1 00:00:00 h named[1]: client ",
        "Jan  1 00:00:00 h smartd[1]: Device: ",
        "Jan  1 00:00:00 h ipmievd[1]: Fan sensor ",
        "Jan  1 00:00:00 h snort[1]: [1:2:3] ",
        "Jan  1 00:00:00 h squid[1]: 1767225600.123 1 a TCP_MISS/200 ",
        "192.0.2.7 - - [10/Oct/2025:13:55:36 +0900] \"",
        "[Fri Sep 09 10:42:29.9 2011] [",
        "2026/01/01 10:00:00 [error] ",
        "%ASA-4-106023: Deny tcp src ",
        "%SEC_LOGIN-4-LOGIN_FAILED: ",
        "date=2026-01-01 time=10:00:00 devid=\"F\" ",
        "CEF:0|a|b|c|d|e|5|",
        "LEEF:2.0|a|b|c|d|^|",
        "2026-01-01 10:00:00.123 JST [1] a@b LOG:  ",
        "2026-01-01 10:00:00 1 [Warning] Access denied for user '",
        "12/28-12:34:56.789012  [**] [1:2:3] ",
        "<190>Jan  1 10:00:00 r PP[01] Rejected at IN(1) filter: TCP ",
        "   1 | 01/31/2026 | 10:00:00 | ",
        "<Event xmlns='x'><System><Provider Name='",
        "Thu Jan  1 10:00:00 2026 -> ",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_line_makes_it_panic_or_lose_bytes(
            head in prop::sample::select(HEADS.to_vec()),
            words in prop::collection::vec(
                prop_oneof![
                    Just(" from "), Just(" port "), Just("="), Just("\""), Just("'"), Just("["), Just("]"),
                    Just(": "), Just("|"), Just("}"), Just("</System></Event>"), Just("語"), Just("\\"), Just(" for "),
                    Just("-> "), Just("/"), Just("%"), Just("USER="), Just("COMMAND="), Just(" FOUND"), Just("a0[1]=41"),
                ],
                0..12,
            ),
            tail: Vec<u8>,
            format in prop::sample::select(Format::ALL.to_vec()),
        ) {
            let mut raw = format!("{head}{}", words.concat()).into_bytes();
            raw.extend(tail);
            let e = read_line(raw.clone(), format);
            prop_assert_eq!(&e.raw, &raw);
            prop_assert!(e.fields.len() <= MAX_FIELDS + 1);
        }

        #[test]
        fn columns_named_before_make_no_line_panic(names in "#(Fields: |fields\t)[a-z() \t-]{0,40}", line in ".{0,60}") {
            let mut header = Header::default();
            header.learn(&names);
            let e = read_after(&line, &header);
            prop_assert_eq!(e.raw, line.into_bytes());
        }
    }
}
