//! Kernel parameters: which of them matter, and what the files under sysctl.d set.

use super::parse::{Parsed, lines};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Read from the running kernel; a host without one of them says `null`.
pub(super) const KEYS: [&str; 42] = [
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

/// Folders of sysctl.d(5), strongest first: a name in an earlier one hides the later ones.
pub(super) const FOLDERS: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// Adds what one file sets to `settings`; a later file overrides.
pub(super) fn apply(text: &str, file: &str, settings: &mut BTreeMap<String, Value>) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let origin = format!("{file}:{number}");
        let optional = line.strip_prefix('-');
        match optional.unwrap_or(line).split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let fact = json!({ "value": value.trim(), "origin": origin });
                settings.insert(dotted(key.trim()), fact);
            }
            // A name behind `-` without value takes the key out of later patterns.
            None if optional.is_some_and(|key| !key.trim().is_empty()) => {
                let key = dotted(optional.unwrap_or_default().trim());
                settings.entry(key).or_insert(json!({ "value": null, "origin": origin }));
            }
            _ => parsed.problem(number, "not key = value"),
        }
    }
    parsed
}

/// The first separator decides: `net/ipv4/conf/eth0.1/x` is `net.ipv4.conf.eth0/1.x`.
fn dotted(key: &str) -> String {
    if key.find(['.', '/']).is_none_or(|at| key.as_bytes()[at] == b'.') {
        return key.to_owned();
    }
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    };
    key.chars().map(swap).collect()
}

/// Path of a key under `/proc/sys`; none of [`KEYS`] holds a `/`.
pub(super) fn path(key: &str) -> String {
    format!("/proc/sys/{}", key.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_file_wins() {
        let mut settings = BTreeMap::new();
        apply("kernel.sysrq = 1\n-fs.x=2\n", "/a", &mut settings);
        let parsed = apply("; c\nkernel/sysrq=0\nbroken\n-net.y\n", "/b", &mut settings);
        assert_eq!(settings["kernel.sysrq"], json!({"value": "0", "origin": "/b:2"}));
        assert_eq!(settings["fs.x"]["value"], "2");
        assert_eq!(settings["net.y"]["value"], Value::Null);
        assert_eq!(parsed.problems[0].line, 3);
    }

    #[test]
    fn the_first_separator_decides() {
        assert_eq!(dotted("net/ipv4/conf/eth0.1/x"), "net.ipv4.conf.eth0/1.x");
        assert_eq!(dotted("net.ipv4.conf.eth0/1.x"), "net.ipv4.conf.eth0/1.x");
        assert_eq!(dotted("alone"), "alone");
    }

    #[test]
    fn keys_are_sorted_and_unique() {
        assert!(KEYS.is_sorted_by(|a, b| a < b));
    }
}
