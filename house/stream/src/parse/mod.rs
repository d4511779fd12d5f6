//! From a line to an [`Event`]: pure, total, bounded. What cannot be parsed becomes its own message.
//!
//! Zone and arrival time are arguments: RFC 3164 has neither zone nor year, so the year is the latest
//! that puts the line no more than a day after its arrival.

mod auth;
mod export;
mod json;
mod package;
mod syslog;
mod time;

use std::{borrow::Cow, collections::BTreeMap};

use jiff::tz::TimeZone;
use model::Timestamp;

use crate::{
    decode::{Encoding, decode},
    event::{Event, Format, RawLine},
};

/// Most fields an event keeps; more are counted in the field `fields_dropped`.
pub const MAX_FIELDS: usize = 256;

/// OCSF class Authentication.
pub const CLASS_AUTHENTICATION: u32 = 3002;

/// OCSF class Network Activity.
pub const CLASS_NETWORK: u32 = 4001;

/// OCSF Base Event.
pub const CLASS_BASE: u32 = 0;

/// Reads one line that arrived at `now` in a place with the time zone `zone`.
pub fn parse(line: &RawLine, source: &str, now: Timestamp, zone: &TimeZone) -> Event {
    let (text, encoding) = decode(&line.bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let mut draft = Draft::default();
    // The second piece of a split line starts anywhere: nothing in it is a header.
    match line.format {
        _ if line.part > 1 => false,
        // Its values are decoded one by one.
        Format::JournalExport => export::read(&mut draft, &line.bytes),
        format => read(&mut draft, format, text, now, zone),
    };
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
    auth::classify(&mut draft);
    if draft.dropped > 0 {
        draft.fields.insert("fields_dropped".to_owned(), draft.dropped.to_string());
    }
    Event {
        raw: line.bytes.clone(),
        event_time: draft.time,
        arrived: now,
        source: source.to_owned(),
        class: draft.class,
        host: draft.host,
        app: draft.app,
        severity: draft.severity,
        message: draft.message.unwrap_or_default(),
        fields: draft.fields,
    }
}

fn read(draft: &mut Draft, format: Format, text: &str, now: Timestamp, zone: &TimeZone) -> bool {
    match format {
        Format::Plain | Format::JournalExport => false,
        Format::Json | Format::Journal => json::read(draft, text),
        Format::Syslog => syslog::read(draft, text, now, zone),
        Format::Dpkg => package::read_dpkg(draft, text, zone),
        Format::AptHistory => package::read_apt(draft, text, zone),
        Format::Auto => match text.as_bytes().first() {
            Some(b'{') => json::read(draft, text),
            Some(b'<') => syslog::read(draft, text, now, zone),
            _ => {
                package::read_apt(draft, text, zone)
                    || package::read_dpkg(draft, text, zone)
                    || package::read_alternatives(draft, text, zone)
                    || syslog::read(draft, text, now, zone)
            }
        },
    }
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
}

impl Draft {
    fn set<'a>(&mut self, name: &str, value: impl Into<Cow<'a, str>>) {
        if self.fields.len() >= MAX_FIELDS && !self.fields.contains_key(name) {
            self.dropped += 1;
            return;
        }
        self.fields.insert(name.to_owned(), value.into().into_owned());
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

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn read_line(text: impl Into<Vec<u8>>, format: Format) -> Event {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        parse(&RawLine::with_format(text, format), "test", at("2026-01-02T00:00:00Z"), &zone)
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

    proptest! {
        #[test]
        fn no_line_makes_it_panic_or_lose_bytes(
            head in "(<[0-9]{0,4}>1? ?)?(Start-Date: |update-alternatives |\\{)?",
            tail: Vec<u8>,
            format in prop::sample::select(Format::ALL.to_vec()),
        ) {
            let mut raw = head.into_bytes();
            raw.extend(tail);
            let e = read_line(raw.clone(), format);
            prop_assert_eq!(e.raw, raw);
        }
    }
}
