//! Kernel parameters: what files ask for, by the precedence of sysctl.d(5), and what the kernel says.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sink, Text, at, lines, val};
use crate::{
    bytes::Bytes,
    capture::Capture,
    fact::{Class, Origin, Value},
};

/// Read from the running kernel beside what files set; a host without one of them says `null`.
const KEYS: [&str; 42] = [
    "fs.protected_fifos",
    "fs.protected_hardlinks",
    "fs.protected_regular",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "kernel.core_pattern",
    "kernel.core_uses_pid",
    "kernel.dmesg_restrict",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.modules_disabled",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.sysrq",
    "kernel.unprivileged_bpf_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.yama.ptrace_scope",
    "net.core.bpf_jit_harden",
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv4.conf.all.accept_source_route",
    "net.ipv4.conf.all.log_martians",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.all.secure_redirects",
    "net.ipv4.conf.all.send_redirects",
    "net.ipv4.conf.default.accept_redirects",
    "net.ipv4.conf.default.accept_source_route",
    "net.ipv4.conf.default.log_martians",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.default.secure_redirects",
    "net.ipv4.conf.default.send_redirects",
    "net.ipv4.icmp_echo_ignore_broadcasts",
    "net.ipv4.icmp_ignore_bogus_error_responses",
    "net.ipv4.ip_forward",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_syncookies",
    "net.ipv6.conf.all.accept_ra",
    "net.ipv6.conf.all.accept_redirects",
    "net.ipv6.conf.all.accept_source_route",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.all.forwarding",
    "vm.mmap_min_addr",
    "vm.unprivileged_userfaultfd",
];

/// Strongest first: a name in an earlier one hides the later ones.
const FOLDERS: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// What one key is set to.
#[derive(Clone, Debug)]
struct Setting {
    /// None takes the key out of patterns.
    value: Option<String>,
    origin: Origin,
    by_systemd: bool,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let mut problems = Vec::new();
    let settings = persistent(sink, &mut problems);
    for (path, line) in problems {
        sink.problem(&path, line, "not key = value");
    }
    for (key, setting) in settings {
        let value = setting.value.as_deref().map_or(Value::Absent, val);
        // What only `sysctl -p` would read is no setting at boot.
        let value = match setting.by_systemd {
            true => value,
            false => Value::map([("value", value), ("by_systemd", Value::Bool(false))]),
        };
        sink.add(Class::Sysctl, Bytes::parse(&key), value, setting.origin);
    }
    if !sink.capture.is_live {
        return;
    }
    for key in asked(sink.capture) {
        let content = sink.capture.contents.get(path(&key).as_bytes());
        let text = content.map(|content| Bytes(content.bytes.trim_ascii().to_vec()).to_string());
        let value = text.map_or(Value::Absent, |text| val(&text.replace('\t', " ")));
        sink.add(
            Class::KernelValue,
            Bytes::parse(&key),
            value,
            Origin::Command(format!("sysctl {key}")),
        );
    }
}

fn persistent(sink: &Sink<'_>, problems: &mut Vec<(String, u32)>) -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    let classic = sink.text("/etc/sysctl.conf");
    let mut linked = false;
    for text in sink.layered(&FOLDERS, ".conf") {
        linked |= classic.as_ref().is_some_and(|classic| classic.path == text.path);
        apply(&text, true, &mut settings, problems);
    }
    // systemd reads it only through a link in sysctl.d.
    if let Some(text) = classic.filter(|_| !linked) {
        let mut own = BTreeMap::new();
        apply(&text, false, &mut own, problems);
        for (key, setting) in own {
            settings.entry(key).or_insert(setting);
        }
    }
    settings
}

/// Adds what one file sets; a later file overrides.
fn apply(
    text: &Text,
    by_systemd: bool,
    settings: &mut BTreeMap<String, Setting>,
    problems: &mut Vec<(String, u32)>,
) {
    for (number, line) in lines(&text.text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let origin = at(&text.path, number);
        let optional = line.strip_prefix('-');
        match optional.unwrap_or(line).split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let value = Some(value.split_whitespace().collect::<Vec<_>>().join(" "));
                settings.insert(dotted(key.trim()), Setting { value, origin, by_systemd });
            }
            None if optional.is_some_and(|key| !key.trim().is_empty()) => {
                let key = dotted(optional.unwrap_or_default().trim());
                settings.entry(key).or_insert(Setting { value: None, origin, by_systemd });
            }
            _ => problems.push((text.path.clone(), number)),
        }
    }
}

/// Keys that the running kernel is asked for: the known ones and those that files set.
pub(crate) fn asked(capture: &Capture) -> BTreeSet<String> {
    let sink = Sink::new(capture);
    let set = persistent(&sink, &mut Vec::new());
    let plain = set
        .into_keys()
        .filter(|key| !crate::glob::is_pattern(key.as_bytes()) && !key.contains(".."));
    KEYS.iter().map(|key| (*key).to_owned()).chain(plain).collect()
}

/// The first separator decides: `net/ipv4/conf/eth0.1/x` is `net.ipv4.conf.eth0/1.x`.
fn dotted(key: &str) -> String {
    if key.find(['.', '/']).is_none_or(|at| key.as_bytes()[at] == b'.') {
        return key.to_owned();
    }
    key.chars().map(swap).collect()
}

fn swap(c: char) -> char {
    match c {
        '/' => '.',
        '.' => '/',
        other => other,
    }
}

/// Path of a key under `/proc/sys`.
pub(crate) fn path(key: &str) -> String {
    format!("/proc/sys/{}", key.chars().map(swap).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, text: &str) -> Text {
        Text { path: path.into(), text: text.into() }
    }

    #[test]
    fn the_later_file_wins() {
        let mut settings = BTreeMap::new();
        let mut problems = Vec::new();
        apply(&text("/a", "kernel.sysrq = 1\n-fs.x=2\n"), true, &mut settings, &mut problems);
        apply(
            &text("/b", "; c\nkernel/sysrq=0\nbroken\n-net.y\n"),
            true,
            &mut settings,
            &mut problems,
        );
        assert_eq!(settings["kernel.sysrq"].value.as_deref(), Some("0"));
        assert_eq!(settings["kernel.sysrq"].origin.to_string(), "/b:2");
        assert_eq!(settings["fs.x"].value.as_deref(), Some("2"));
        assert_eq!(settings["net.y"].value, None);
        assert_eq!(problems, [("/b".to_owned(), 3)]);
    }

    #[test]
    fn the_first_separator_decides() {
        assert_eq!(dotted("net/ipv4/conf/eth0.1/x"), "net.ipv4.conf.eth0/1.x");
        assert_eq!(dotted("net.ipv4.conf.eth0/1.x"), "net.ipv4.conf.eth0/1.x");
        assert_eq!(path("net.ipv4.conf.eth0/1.x"), "/proc/sys/net/ipv4/conf/eth0.1/x");
        assert!(KEYS.is_sorted_by(|a, b| a < b));
    }
}
