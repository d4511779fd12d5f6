//! What else a host writes down of changes: records of the audit system, and the history of apt. Read when the host
//! is looked at, from where they lie; a host that has neither says nothing.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use baseline::{
    Bytes, FingerprintKey,
    actor::{Doer, How, Journal, Run, Source, Who, command_line, counts, history},
};
use jiff::{civil::DateTime, tz::TimeZone};
use model::Timestamp;
use stream::{Event, JoinLimits, Joiner, RawLine};

const AUDIT: &str = "/var/log/audit/audit.log";
const APT: &str = "/var/log/apt/history.log";
/// The newest part of each that is read.
const BYTES_MAX: u64 = 4 << 20;
/// Names of one audit event.
const NAMES_MAX: usize = 8;
/// What an unset number is.
const UNSET: u32 = u32::MAX;

/// Adds what was written down since `from`, in microseconds since 1970.
pub fn add(journal: &mut Journal, from: i64, key: &FingerprintKey) {
    for (path, how, at, doer) in audit(&tail(Path::new(AUDIT)), from, key) {
        journal.touch(path, how, at, doer);
    }
    let text = tail(Path::new(APT));
    journal.ran(runs(&String::from_utf8_lossy(&text), from, key));
}

/// The end of a file, from the first whole line on.
fn tail(path: &Path) -> Vec<u8> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(BYTES_MAX);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        if from > 0 {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| n + 1);
            bytes.drain(..end);
        }
        Ok(bytes)
    };
    read().unwrap_or_default()
}

/// Runs of apt that ended since `from`.
fn runs(text: &str, from: i64, key: &FingerprintKey) -> Vec<Run> {
    let zone = TimeZone::system();
    let clock = |text: &str| {
        let time: DateTime = text.trim().parse().ok()?;
        Some(zone.to_timestamp(time).ok()?.as_microsecond())
    };
    // Its words are apart by spaces already, so it is one argument that nobody quotes.
    let secret = |line: &str| {
        let words: Vec<u8> = line.bytes().map(|b| if b == b' ' { 0 } else { b }).collect();
        command_line(&words, key)
    };
    history(text, &clock, &secret).into_iter().filter(|run| run.to >= from).collect()
}

type Found = (Bytes, How, i64, Doer);

/// Changes of files that count, from whole events.
fn audit(log: &[u8], from: i64, key: &FingerprintKey) -> Vec<Found> {
    let (mut joiner, mut events) = (Joiner::new(JoinLimits::default()), Vec::new());
    let mut found = Vec::new();
    for line in log.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"type=")) {
        let event = stream::parse(&RawLine::new(line), "audit", Timestamp(from), &TimeZone::UTC);
        let at = event.event_time.map_or(0, |time| time.0);
        if at >= from {
            joiner.push(event, Timestamp(at), &mut events);
        }
        found.extend(events.drain(..).flat_map(|event| changes(&event, key)));
    }
    joiner.finish(&mut events);
    found.extend(events.iter().flat_map(|event| changes(event, key)));
    found
}

fn changes(event: &Event, key: &FingerprintKey) -> Vec<Found> {
    let text = |name: &str| event.fields.get(name).map(String::as_str).filter(|v| *v != "(null)");
    let number = |name: &str| text(name)?.parse::<u32>().ok().filter(|number| *number != UNSET);
    // A record alone has either the names or the process.
    let (Some(_), Some(_), Some("success")) = (text("name"), text("exe"), text("outcome")) else {
        return Vec::new();
    };
    let Some(how) = how(event) else { return Vec::new() };
    let command = text("CommandLine").or(text("proctitle")).map(|line| {
        let words: Vec<u8> = line.bytes().map(|b| if b == b' ' { 0 } else { b }).collect();
        command_line(&words, key)
    });
    let doer = Doer {
        source: Source::Audit,
        pid: number("pid").unwrap_or(0),
        programs: text("exe").map(Bytes::from).into_iter().collect(),
        who: Some(Who {
            uid: number("euid").or(number("uid")),
            login: number("auid"),
            session: number("ses"),
            terminal: text("tty").filter(|tty| *tty != "(none)").map(str::to_owned),
            command,
            ..Who::default()
        }),
    };
    let at = event.event_time.map_or(0, |time| time.0);
    let names = (1..=NAMES_MAX).filter_map(|at| match at {
        1 => text("name"),
        at => text(&format!("name#{at}")),
    });
    let whole = |name: &str| match (name.starts_with('/'), text("cwd")) {
        (true, _) => Some(name.to_owned()),
        (false, Some(cwd)) => Some(format!("{}/{name}", cwd.trim_end_matches('/'))),
        (false, None) => None,
    };
    let paths =
        names.filter_map(whole).filter(|path| !path.ends_with('/') && counts(path.as_bytes()));
    paths.map(|path| (Bytes::from(path), how, at, doer.clone())).collect()
}

/// In which way the call changes a file; none if it does not, or it is not known to.
fn how(event: &Event) -> Option<How> {
    let text = |name: &str| event.fields.get(name).map(String::as_str);
    let flags = |name: &str| u64::from_str_radix(text(name)?, 16).ok();
    let writes = |flags: Option<u64>| {
        // For writing, or to be made or emptied.
        flags.is_some_and(|flags| flags & 0o3 != 0 || flags & 0o1100 != 0)
    };
    let name = match text("SYSCALL")? {
        "open" if writes(flags("a1")) => "write",
        "openat" if writes(flags("a2")) => "write",
        "creat" | "truncate" | "ftruncate" => "write",
        "rename" | "renameat" | "renameat2" => "move_in",
        "unlink" | "unlinkat" | "rmdir" => "delete",
        "mkdir" | "mkdirat" | "link" | "linkat" | "symlink" | "symlinkat" | "mknod" | "mknodat" => {
            "create"
        }
        call if call.contains("chmod") || call.contains("chown") || call.contains("xattr") => {
            "attributes"
        }
        _ => return None,
    };
    How::named(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"type=SYSCALL msg=audit(1700000000.100:41): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7ffd a2=241 a3=1b6 items=2 ppid=7 pid=8 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=5 comm="tee" exe="/usr/bin/tee" key="etc"
type=CWD msg=audit(1700000000.100:41): cwd="/etc"
type=PATH msg=audit(1700000000.100:41): item=0 name="/etc/" inode=1 dev=fe:01 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT
type=PATH msg=audit(1700000000.100:41): item=1 name="motd" inode=2 dev=fe:01 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=CREATE
type=PROCTITLE msg=audit(1700000000.100:41): proctitle=746565006D6F7464002D2D70617373776F72643D67656865696D
type=SYSCALL msg=audit(1700000001.100:42): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7ffd a2=0 a3=0 items=1 ppid=7 pid=9 auid=1000 uid=0 euid=0 tty=pts1 ses=5 comm="cat" exe="/usr/bin/cat" key="etc"
type=PATH msg=audit(1700000001.100:42): item=0 name="/etc/motd" inode=2 nametype=NORMAL
type=PROCTITLE msg=audit(1700000001.100:42): proctitle=636174
type=SYSCALL msg=audit(1700000002.100:43): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7ffd a2=241 a3=1b6 items=1 ppid=7 pid=9 auid=1000 uid=5 euid=5 tty=pts1 ses=5 comm="tee" exe="/usr/bin/tee" key="etc"
type=PATH msg=audit(1700000002.100:43): item=0 name="/etc/motd" inode=2 nametype=NORMAL
type=PROCTITLE msg=audit(1700000002.100:43): proctitle=746565
not an audit record
"#;

    #[test]
    fn what_was_written_is_told_and_what_was_read_or_refused_is_not() {
        let key = FingerprintKey::new([1; 32]);
        let found = audit(LOG.as_bytes(), 0, &key);
        assert_eq!(found.len(), 1, "{found:?}");
        let (path, how, at, doer) = &found[0];
        assert_eq!((path.to_string().as_str(), *at), ("/etc/motd", 1_700_000_000_100_000));
        assert_eq!(how.names(), ["write"]);
        let who = doer.who.as_ref().expect("who");
        assert_eq!((who.login, who.session, who.uid), (Some(1000), Some(5), Some(0)));
        assert_eq!(doer.programs, ["/usr/bin/tee".into()]);
        assert!(!who.command.as_deref().expect("a command").contains("geheim"));
        assert!(audit(LOG.as_bytes(), 1_700_000_003_000_000, &key).is_empty());
    }

    #[test]
    fn runs_of_apt_are_those_that_ended_since_and_bear_no_secret() {
        let key = FingerprintKey::new([1; 32]);
        let log = "Start-Date: 2026-11-29  05:10:00\nCommandline: apt -o Acquire::http::Proxy=http://u:geheim@h/ install x\nRequested-By: ann (1000)\nInstall: x:amd64 (1)\nEnd-Date: 2026-11-29  05:10:09\n";
        let all = runs(log, 0, &key);
        assert_eq!(all.len(), 1);
        assert!(!all[0].command.contains("geheim"), "{}", all[0].command);
        assert!(runs(log, all[0].to + 1, &key).is_empty());
    }
}
