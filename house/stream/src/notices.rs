//! Lines that say how many others never came: journald's and rsyslog's rate limits, the kernel's audit
//! queue. They count as lost under the source that brings the notice.
//!
//! Believed is who can know: in a journal the transport that journald itself writes down, elsewhere the
//! program's name, which a sender could lie about; so one notice counts at most [`LINES_MAX`].

use jiff::tz::TimeZone;
use memchr::memmem;
use model::Timestamp;

use crate::{Event, Format, RawLine, Result, Stream, parse};

/// Most lines that one notice is believed.
pub const LINES_MAX: u64 = 100_000_000;
/// Most hosts whose audit totals are kept.
const HOSTS_MAX: usize = 4096;
const HOST_BYTES_MAX: usize = 255;
const SUPPRESSED: &str = "suppressed by a rate limit";
const AUDIT: &str = "lost by the audit queue";

/// What a line says of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Suppressed(u64),
    /// So many since its host started.
    AuditTotal {
        host: String,
        total: u64,
    },
}

/// What lines say of others.
pub fn found<'a>(lines: impl Iterator<Item = &'a RawLine>) -> Vec<Notice> {
    lines.filter_map(notice).collect()
}

/// Counts it, once the lines that say so are on the disk.
pub fn count(stream: &Stream, source: &str, notices: Vec<Notice>) -> Result<()> {
    for notice in notices {
        match notice {
            Notice::Suppressed(lines) => stream.lost(source, SUPPRESSED, lines)?,
            Notice::AuditTotal { host, total } => audit(stream, source, &host, total)?,
        }
    }
    Ok(())
}

/// The kernel counts from its start; a smaller total is a host that started anew.
fn audit(stream: &Stream, source: &str, host: &str, total: u64) -> Result<()> {
    let host = &host[..host.floor_char_boundary(HOST_BYTES_MAX)];
    let name = format!("audit-{source}-{host}");
    let known = stream.mark(&name).and_then(|total| total.parse::<u64>().ok());
    if known.is_none() && stream.marks("audit-") >= HOSTS_MAX {
        return Ok(());
    }
    let lines = known.filter(|known| *known <= total).map_or(total, |known| total - known);
    if lines == 0 {
        return Ok(());
    }
    stream.lost_to(&name, &total.to_string(), source, AUDIT, lines)
}

fn notice(line: &RawLine) -> Option<Notice> {
    let needles: [&[u8]; 3] = [b"Suppressed ", b"audit_lost=", b"due to rate-limiting"];
    let may = line.part <= 1 && needles.iter().any(|n| memmem::find(&line.bytes, n).is_some());
    if !may {
        return None;
    }
    let event = parse(line, "", Timestamp(0), &TimeZone::UTC);
    let text = event.message.as_str();
    if speaks(&event, line.format, "driver", "systemd-journald") {
        let rest = text.strip_prefix("Suppressed ")?;
        let lines = event.fields.get("N_DROPPED").map(String::as_str);
        let lines = lines.or_else(|| rest.split(' ').next())?.parse::<u64>().ok()?;
        return rest.contains(" messages from ").then(|| Notice::Suppressed(lines.min(LINES_MAX)));
    }
    if speaks(&event, line.format, "kernel", "kernel") {
        let rest = &text[text.find("audit_lost=")? + "audit_lost=".len()..];
        let total = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()?;
        return Some(Notice::AuditTotal { host: event.host, total: total.min(LINES_MAX) });
    }
    // `imuxsock lost 42 messages from pid 7 due to rate-limiting`, `imjournal: 42 messages lost due …`.
    let rsyslog = event.app == "rsyslogd" && text.contains("due to rate-limiting");
    let (before, _) = text.split_once(" messages ").filter(|_| rsyslog)?;
    let lines = before.rsplit(' ').next()?.parse::<u64>().ok()?;
    Some(Notice::Suppressed(lines.min(LINES_MAX)))
}

fn speaks(event: &Event, format: Format, transport: &str, app: &str) -> bool {
    match format {
        Format::Journal | Format::JournalExport => {
            event.fields.get("_TRANSPORT").is_some_and(|found| found == transport)
        }
        Format::Syslog | Format::Auto => event.app == app,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn read(format: Format, text: &str) -> Option<Notice> {
        notice(&RawLine::with_format(text, format))
    }

    #[test]
    fn only_who_can_know_is_believed() {
        let journal = |transport: &str, text: &str| {
            let json = format!(
                r#"{{"__REALTIME_TIMESTAMP":"1","_TRANSPORT":"{transport}","_HOSTNAME":"h","MESSAGE":"{text}"}}"#
            );
            let export = format!("_TRANSPORT={transport}\n_HOSTNAME=h\nMESSAGE={text}\n");
            let (json, export) =
                (read(Format::Journal, &json), read(Format::JournalExport, &export));
            assert_eq!(json, export);
            json
        };
        let dropped = "Suppressed 42 messages from web.service";
        assert_eq!(journal("driver", dropped), Some(Notice::Suppressed(42)));
        assert_eq!(journal("syslog", dropped), None);
        assert_eq!(journal("driver", "Suppressed x messages from web.service"), None);
        let lost = "audit: audit_lost=7 audit_rate_limit=0 audit_backlog_limit=64";
        let total = Notice::AuditTotal { host: "h".into(), total: 7 };
        assert_eq!(journal("kernel", lost), Some(total.clone()));
        assert_eq!(journal("stdout", lost), None);
        let syslog = |app: &str, text: &str| {
            read(Format::Syslog, &format!("<4>Jan  1 00:00:00 h {app}: {text}"))
        };
        assert_eq!(syslog("kernel", &format!("[   12.5] {lost}")), Some(total));
        assert_eq!(syslog("app", lost), None);
        assert_eq!(syslog("systemd-journald[9]", dropped), Some(Notice::Suppressed(42)));
        let pid = "imuxsock lost 42 messages from pid 7 due to rate-limiting";
        assert_eq!(syslog("rsyslogd", pid), Some(Notice::Suppressed(42)));
        let all =
            "imjournal: 9 messages lost due to rate-limiting (20000 allowed within 600 seconds)";
        assert_eq!(syslog("rsyslogd", all), Some(Notice::Suppressed(9)));
        assert_eq!(syslog("app", pid), None);
        let most = "Suppressed 99999999999 messages from x";
        assert_eq!(journal("driver", most), Some(Notice::Suppressed(LINES_MAX)));
    }

    #[test]
    fn a_total_counts_what_is_new_of_it_also_after_a_restart_of_either_side() {
        let folder = tempfile::tempdir().unwrap();
        let line = |total: u64| {
            let text = format!("<4>Jan  1 00:00:00 h kernel: audit: audit_lost={total} x");
            RawLine::with_format(text, Format::Syslog)
        };
        for totals in [[3, 3], [10, 4]] {
            let stream = Stream::open(folder.path(), Limits::default()).unwrap();
            let lines = totals.map(line);
            count(&stream, "s", found(lines.iter())).unwrap();
        }
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        assert_eq!(stream.counters()["s"].lost[AUDIT], 3 + 7 + 4);
    }
}
