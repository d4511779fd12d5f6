//! What `/proc` says of a process while it is there. The caller makes sure that the number still stood for it.

use std::{fs, os::unix::ffi::OsStringExt, path::PathBuf};

use baseline::{
    Bytes, FingerprintKey,
    actor::{Who, command_line},
};

/// Links above a process that are followed.
const CHAIN_MAX: usize = 8;
const ARGUMENTS_BYTES_MAX: usize = 16 << 10;
/// What loginuid and session are where nobody logged in.
const UNSET: u32 = u32::MAX;

/// A process as it is now.
pub struct Live {
    pub program: Option<Bytes>,
    /// Ticks after the start of the machine.
    pub start: u64,
    pub who: Who,
}

fn place(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// The program that a process runs; a program that was replaced on disk bears its old path.
pub fn program(pid: u32) -> Option<Bytes> {
    let mut path = fs::read_link(place(pid, "exe")).ok()?.into_os_string().into_vec();
    if let Some(kept) = path.strip_suffix(b" (deleted)") {
        path.truncate(kept.len());
    }
    Some(Bytes(path))
}

/// Parent and start of a process, and its name.
pub struct Stat {
    pub name: String,
    pub parent: u32,
    pub terminal: u32,
    pub start: u64,
}

pub fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read(place(pid, "stat")).ok()?)
}

/// The name stands in brackets and may hold brackets and spaces itself.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let name = Bytes::from(text.get(open + 1..close)?).to_string();
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // State, parent, group, session, terminal, …; the start is the 22nd field.
    let parent = fields.nth(1)?.parse().ok()?;
    let terminal = fields.nth(2)?.parse::<i32>().ok()?.cast_unsigned();
    Some(Stat { name, parent, terminal, start: fields.nth(14)?.parse().ok()? })
}

/// All of a process. None if it is not there.
pub fn read(pid: u32, key: &FingerprintKey) -> Option<Live> {
    let stat = stat(pid)?;
    let number = |name: &str| {
        let text = fs::read_to_string(place(pid, name)).ok()?;
        text.trim().parse::<u32>().ok().filter(|number| *number != UNSET)
    };
    let status = fs::read_to_string(place(pid, "status")).unwrap_or_default();
    let arguments = fs::read(place(pid, "cmdline")).unwrap_or_default();
    let arguments = &arguments[..arguments.len().min(ARGUMENTS_BYTES_MAX)];
    let cgroup = fs::read_to_string(place(pid, "cgroup")).unwrap_or_default();
    let who = Who {
        uid: effective_uid(&status),
        login: number("loginuid"),
        session: number("sessionid"),
        unit: unit(&cgroup),
        terminal: terminal(stat.terminal),
        chain: chain(stat.parent),
        command: (!arguments.is_empty()).then(|| command_line(arguments, key)),
        account: None,
    };
    Some(Live { program: program(pid), start: stat.start, who })
}

fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The innermost service or scope of systemd.
fn unit(cgroup: &str) -> Option<String> {
    let of_systemd =
        cgroup.lines().find_map(|line| line.strip_prefix("0::")).filter(|path| path.len() > 1);
    let old = || cgroup.lines().find_map(|line| line.split_once(":name=systemd:").map(|l| l.1));
    let path = of_systemd.or_else(old)?;
    let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
    path.rsplit('/').find(is_unit).map(|unit| unit.chars().take(200).collect())
}

/// Terminals by their device number.
fn terminal(device: u32) -> Option<String> {
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xfff00);
    match major {
        136..=143 => Some(format!("pts/{}", minor + (major - 136) * 256)),
        4 if minor < 64 => Some(format!("tty{minor}")),
        4 => Some(format!("ttyS{}", minor - 64)),
        _ => None,
    }
}

/// Names of the processes above, nearest first, without the first process of the machine.
fn chain(mut pid: u32) -> Vec<String> {
    let mut names = Vec::new();
    while pid > 1 && names.len() < CHAIN_MAX {
        let Some(stat) = stat(pid) else { break };
        names.push(stat.name);
        pid = stat.parent;
    }
    names
}

/// Every process that is there, with its parent and program.
pub fn all() -> impl Iterator<Item = (u32, u32, Bytes)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?.parent, program(pid)?)))
}

/// Ticks since the start of the machine, as `stat` counts them.
pub fn ticks_now() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, parts) = text.split_ascii_whitespace().next()?.split_once('.')?;
    // A hundred to the second on every machine with Linux, and hundredths behind the dot.
    Some(seconds.parse::<u64>().ok()?.saturating_mul(100) + parts.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read_as_it_is() {
        let key = FingerprintKey::new([1; 32]);
        let own = std::process::id();
        let live = read(own, &key).expect("this process");
        let exe = std::env::current_exe().expect("a path");
        assert_eq!(live.program.expect("a program").to_string(), exe.to_string_lossy());
        assert_eq!(live.who.uid, Some(rustix::process::geteuid().as_raw()));
        assert!(live.start > 0 && live.start <= ticks_now().expect("uptime"));
        assert!(!live.who.chain.is_empty() && live.who.command.is_some());
        assert!(read(u32::MAX - 1, &key).is_none());
        assert!(all().any(|(pid, ..)| pid == own));
    }

    #[test]
    fn names_with_brackets_and_units_of_both_hierarchies_are_read() {
        let text = b"7 (a) b (c) S 5 7 7 34817 7 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987 1 1";
        let stat = parse_stat(text).expect("a stat");
        assert_eq!((stat.name.as_str(), stat.parent, stat.start), ("a) b (c", 5, 987));
        assert_eq!(terminal(stat.terminal).as_deref(), Some("pts/1"));
        assert_eq!(terminal(0), None);
        assert!(parse_stat(b"7 (a").is_none() && parse_stat(b"").is_none());
        let unit = |text: &str| super::unit(text);
        assert_eq!(unit("0::/system.slice/cron.service\n").as_deref(), Some("cron.service"));
        let nested = "0::/user.slice/user-1.slice/user@1.service/app.slice/x.scope\n";
        assert_eq!(unit(nested).as_deref(), Some("x.scope"));
        let old = "5:cpu:/\n1:name=systemd:/system.slice/ssh.service\n0::/\n";
        assert_eq!(unit(old).as_deref(), Some("ssh.service"));
        assert_eq!(unit("0::/\n"), None);
    }
}
