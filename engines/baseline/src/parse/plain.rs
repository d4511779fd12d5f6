//! The small files: names of the host, release, mounts, modules, resolver, time, locale, limits,
//! log-in defaults, boot, shell, firewall.

use std::collections::BTreeMap;

use super::{Sink, Text, at, lines, settings, sorted, unquote, val};
use crate::{
    bytes::Bytes,
    capture::Kind,
    fact::{Class, Origin, Value},
};

pub(crate) fn facts(sink: &mut Sink<'_>) {
    identity(sink);
    release(sink);
    mounts(sink);
    modules(sink);
    resolver(sink);
    time(sink);
    locale(sink);
    limits(sink);
    log_in(sink);
    boot(sink);
    shell(sink);
    firewall(sink);
}

/// `KEY = value` or `KEY=value`, later ones win.
pub(crate) fn assignments(sink: &mut Sink<'_>, class: Class, text: &Text, prefix: &str) {
    for (line, entry) in settings(&text.text) {
        let entry = entry.strip_prefix("export ").unwrap_or(entry);
        let (key, value) = match entry.split_once('=') {
            Some((key, value)) => (key.trim(), unquote(value)),
            // A bare word switches something on.
            None => (entry, "true".to_owned()),
        };
        if key.is_empty() || key.contains(char::is_whitespace) {
            continue;
        }
        sink.set(class, &format!("{prefix}/{key}"), val(&value), at(&text.path, line));
    }
}

/// `KEY value`, later ones win.
fn words(sink: &mut Sink<'_>, class: Class, text: &Text, prefix: &str) {
    for (line, entry) in settings(&text.text) {
        let entry = entry.split(" #").next().unwrap_or(entry);
        let (key, value) = entry.split_once(char::is_whitespace).unwrap_or((entry, ""));
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        sink.set(class, &format!("{prefix}/{key}"), val(&value), at(&text.path, line));
    }
}

fn identity(sink: &mut Sink<'_>) {
    for (name, path) in [
        ("hostname", "/etc/hostname"),
        ("mailname", "/etc/mailname"),
        ("machine-id", "/etc/machine-id"),
        ("running_hostname", "/proc/sys/kernel/hostname"),
    ] {
        let Some(text) = sink.text(path) else { continue };
        if let Some((line, name_of_host)) = settings(&text.text).next() {
            sink.add(Class::Identity, name, val(name_of_host), at(path, line));
        }
    }
    let Some(text) = sink.text("/etc/hosts") else { return };
    let mut hosts: BTreeMap<&str, (Vec<&str>, u32)> = BTreeMap::new();
    for (line, entry) in settings(&text.text) {
        let entry = entry.split('#').next().unwrap_or_default();
        let mut words = entry.split_whitespace();
        if let Some(address) = words.next() {
            hosts.entry(address).or_insert((Vec::new(), line)).0.extend(words);
        }
    }
    for (address, (names, line)) in hosts {
        sink.add(Class::HostsEntry, Bytes::parse(address), sorted(names), at(&text.path, line));
    }
}

fn release(sink: &mut Sink<'_>) {
    let text = sink.text("/etc/os-release").or_else(|| sink.text("/usr/lib/os-release"));
    let Some(text) = text else {
        return sink.problem("/etc/os-release", 0, "absent");
    };
    for (line, entry) in settings(&text.text) {
        match entry.split_once('=') {
            Some((key, value)) => {
                sink.set(Class::Release, key.trim(), val(&unquote(value)), at(&text.path, line));
            }
            None => sink.problem(&text.path, line, "not KEY=value"),
        }
    }
    if let Some(text) = sink.text("/etc/debian_version") {
        sink.set(Class::Release, "debian_version", val(text.text.trim()), at(&text.path, 1));
    }
}

fn mounts(sink: &mut Sink<'_>) {
    for (class, path) in [(Class::Mount, "/etc/fstab"), (Class::Mounted, "/proc/mounts")] {
        let Some(text) = sink.text(path) else { continue };
        for (line, entry) in settings(&text.text) {
            let fields: Vec<&str> = entry.split_whitespace().collect();
            let [source, target, kind, ..] = fields[..] else {
                sink.problem(path, line, "mount without source, place and type");
                continue;
            };
            // Kernel views of processes come and go.
            if class == Class::Mounted
                && (target.starts_with("/proc/") || kind == "overlay" || kind == "nsfs")
                && target != "/"
            {
                continue;
            }
            let options = fields.get(3).copied().unwrap_or("defaults");
            let mut map = BTreeMap::from([
                ("source".to_owned(), val(source)),
                ("type".to_owned(), val(kind)),
                ("options".to_owned(), sorted(options.split(','))),
            ]);
            if class == Class::Mount {
                for (name, at) in [("dump", 4), ("pass", 5)] {
                    let number = fields.get(at).and_then(|field| field.parse().ok()).unwrap_or(0);
                    map.insert(name.to_owned(), Value::Int(number));
                }
            }
            let target = target.replace("\\040", " ");
            sink.add(class, Bytes::parse(&target), Value::Map(map), at(path, line));
        }
    }
    if let Some(text) = sink.text("/etc/crypttab") {
        for (line, entry) in settings(&text.text) {
            let (name, rest) = entry.split_once(char::is_whitespace).unwrap_or((entry, ""));
            let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            sink.add(
                Class::Mount,
                Bytes::parse(&format!("crypttab/{name}")),
                val(&rest),
                at(&text.path, line),
            );
        }
    }
}

/// modprobe.d(5) and modules-load.d(5): what is loaded, refused, and with what options.
fn modules(sink: &mut Sink<'_>) {
    let load = ["/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d"];
    let mut loads = sink.layered(&load, ".conf");
    loads.extend(sink.text("/etc/modules"));
    for text in loads {
        for (line, name) in settings(&text.text).filter(|(_, line)| !line.starts_with(';')) {
            let name = name.split_whitespace().next().unwrap_or(name);
            sink.set(
                Class::Module,
                &format!("load/{}", dashed(name)),
                Value::Bool(true),
                at(&text.path, line),
            );
        }
    }
    let folders = [
        "/etc/modprobe.d",
        "/run/modprobe.d",
        "/usr/local/lib/modprobe.d",
        "/usr/lib/modprobe.d",
        "/lib/modprobe.d",
    ];
    let mut found: BTreeMap<String, (Vec<String>, Origin)> = BTreeMap::new();
    for text in sink.layered(&folders, ".conf") {
        for (line, entry) in settings(&text.text) {
            let words: Vec<&str> = entry.split_whitespace().collect();
            let (key, value) = match words[..] {
                ["blacklist", name] => (format!("blacklist/{}", dashed(name)), String::new()),
                ["install" | "remove" | "options" | "alias" | "softdep", name, ..] => {
                    (format!("{}/{}", words[0], dashed(name)), words[2..].join(" "))
                }
                _ => {
                    sink.problem(&text.path, line, "not a line of modprobe.d");
                    continue;
                }
            };
            let entry = found.entry(key).or_insert_with(|| (Vec::new(), at(&text.path, line)));
            entry.0.push(value);
        }
    }
    for (key, (values, origin)) in found {
        let value = match key.split('/').next() {
            Some("blacklist") => Value::Bool(true),
            // Options add up; of commands the first one counts.
            Some("options") => val(&values.join(" ")),
            _ => val(&values[0]),
        };
        sink.add(Class::Module, Bytes::parse(&key), value, origin);
    }
}

/// The kernel takes `-` and `_` for one.
fn dashed(name: &str) -> String {
    name.replace('-', "_")
}

fn resolver(sink: &mut Sink<'_>) {
    if let Some(text) = sink.text("/etc/resolv.conf") {
        let mut lists: BTreeMap<&str, (Vec<&str>, u32)> = BTreeMap::new();
        for (line, entry) in settings(&text.text).filter(|(_, line)| !line.starts_with(';')) {
            let mut words = entry.split_whitespace();
            let Some(key) = words.next() else { continue };
            let list = lists.entry(key).or_insert((Vec::new(), line));
            // Of search lists the last one counts, of others all.
            if matches!(key, "search" | "domain") {
                *list = (Vec::new(), line);
            }
            list.0.extend(words);
        }
        for (key, (values, line)) in lists {
            let value = Value::List(values.into_iter().map(val).collect());
            sink.add(Class::Resolver, Bytes::parse(key), value, at(&text.path, line));
        }
    }
    if let Some(text) = sink.text("/etc/nsswitch.conf") {
        for (line, entry) in settings(&text.text) {
            if let Some((key, value)) = entry.split_once(':') {
                let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                sink.set(
                    Class::Resolver,
                    &format!("nsswitch/{}", key.trim()),
                    val(&value),
                    at(&text.path, line),
                );
            }
        }
    }
}

fn time(sink: &mut Sink<'_>) {
    if let Some(entry) = sink.capture.entry(b"/etc/localtime") {
        if let Some(target) = &entry.target {
            let target = Bytes(target.to_vec()).to_string();
            let zone = target.split_once("zoneinfo/").map_or(target.as_str(), |(_, zone)| zone);
            sink.add(Class::Time, "zone", val(zone), at("/etc/localtime", 0));
        } else if entry.kind() == Kind::File {
            sink.add(Class::Time, "zone", val("(file)"), at("/etc/localtime", 0));
        }
    }
    if let Some(text) = sink.text("/etc/timezone") {
        sink.add(Class::Time, "timezone", val(text.text.trim()), at(&text.path, 1));
    }
    if let Some(text) = sink.text("/etc/adjtime") {
        if let Some(clock) = text.text.lines().nth(2) {
            sink.add(Class::Time, "hardware_clock", val(clock.trim()), at(&text.path, 3));
        }
    }
    let mut texts = Vec::new();
    for (daemon, patterns) in [
        (
            "chrony",
            &[
                "/etc/chrony/chrony.conf",
                "/etc/chrony.conf",
                "/etc/chrony/conf.d/*.conf",
                "/etc/chrony/sources.d/*.sources",
            ][..],
        ),
        ("ntp", &["/etc/ntp.conf", "/etc/ntpsec/ntp.conf"][..]),
    ] {
        texts.extend(patterns.iter().flat_map(|p| sink.matching(p)).map(|text| (daemon, text)));
    }
    for (daemon, text) in texts {
        for (line, entry) in
            settings(&text.text).filter(|(_, line)| !line.starts_with(['!', ';', '%']))
        {
            let mut words = entry.split_whitespace();
            let (Some(key), rest) = (words.next(), words.collect::<Vec<_>>()) else { continue };
            let source = matches!(key, "server" | "pool" | "peer" | "refclock");
            let name = match (source, rest.first()) {
                (true, Some(address)) => format!("{daemon}/{key} {address}"),
                _ => format!("{daemon}/{key}"),
            };
            let value = if source { rest[1.min(rest.len())..].join(" ") } else { rest.join(" ") };
            sink.add(Class::Time, Bytes::parse(&name), val(&value), at(&text.path, line));
        }
    }
}

fn locale(sink: &mut Sink<'_>) {
    for (prefix, path) in [
        ("locale", "/etc/locale.conf"),
        ("locale", "/etc/default/locale"),
        ("keyboard", "/etc/default/keyboard"),
        ("console", "/etc/vconsole.conf"),
        ("console", "/etc/default/console-setup"),
    ] {
        if let Some(text) = sink.text(path) {
            assignments(sink, Class::Locale, &text, prefix);
        }
    }
    if let Some(text) = sink.text("/etc/locale.gen") {
        let names = sorted(settings(&text.text).map(|(_, line)| line));
        sink.add(Class::Locale, "generated", names, at(&text.path, 0));
    }
}

fn limits(sink: &mut Sink<'_>) {
    let mut texts: Vec<Text> = sink.text("/etc/security/limits.conf").into_iter().collect();
    texts.extend(sink.matching("/etc/security/limits.d/*.conf"));
    for text in texts {
        for (line, entry) in settings(&text.text) {
            let words: Vec<&str> = entry.split_whitespace().take(4).collect();
            match words[..] {
                [domain, kind, item, value] => {
                    let key = format!("{domain} {kind} {item}");
                    sink.set(Class::Limit, &key, val(value), at(&text.path, line));
                }
                _ => sink.problem(&text.path, line, "not domain type item value"),
            }
        }
    }
    if let Some(text) = sink.text("/etc/security/access.conf") {
        let rules = settings(&text.text).map(|(_, line)| val(line)).collect::<Vec<_>>();
        if !rules.is_empty() {
            sink.add(Class::Limit, "access.conf", Value::List(rules), at(&text.path, 0));
        }
    }
}

fn log_in(sink: &mut Sink<'_>) {
    if let Some(text) = sink.text("/etc/login.defs") {
        words(sink, Class::LoginDefault, &text, "login.defs");
    }
    for (prefix, path) in [
        ("useradd", "/etc/default/useradd"),
        ("adduser.conf", "/etc/adduser.conf"),
        ("deluser.conf", "/etc/deluser.conf"),
    ] {
        if let Some(text) = sink.text(path) {
            assignments(sink, Class::LoginDefault, &text, prefix);
        }
    }
    if let Some(text) = sink.text("/etc/shells") {
        let shells = sorted(settings(&text.text).map(|(_, line)| line));
        sink.add(Class::LoginDefault, "shells", shells, at(&text.path, 0));
    }
    if let Some(text) = sink.text("/etc/securetty") {
        let lines = sorted(settings(&text.text).map(|(_, line)| line));
        sink.add(Class::LoginDefault, "securetty", lines, at(&text.path, 0));
    }
}

fn boot(sink: &mut Sink<'_>) {
    let mut texts: Vec<Text> = sink.text("/etc/default/grub").into_iter().collect();
    texts.extend(sink.matching("/etc/default/grub.d/*.cfg"));
    for text in texts {
        assignments(sink, Class::Boot, &text, "grub");
    }
    if let Some(text) = sink.text("/boot/grub/grub.cfg") {
        for (line, entry) in lines(&text.text) {
            let entry = entry.trim();
            if entry.starts_with("set superusers") || entry.starts_with("password") {
                let value = val(entry.split_whitespace().next().unwrap_or_default());
                sink.set(Class::Boot, "grub.cfg/superusers", value, at(&text.path, line));
            }
        }
    }
    if let Some(text) = sink.text("/proc/cmdline") {
        let origin = Origin::Command("cat /proc/cmdline".into());
        let words = text.text.split_whitespace().filter(|word| {
            !word.starts_with("BOOT_IMAGE=")
                && !word.starts_with("root=")
                && !word.starts_with("initrd=")
        });
        sink.add(Class::Boot, "running_cmdline", Value::List(words.map(val).collect()), origin);
    }
}

/// What log-in shells set that an administrator cares for. Later files win; a variable that was made
/// read-only stays as it was then.
fn shell(sink: &mut Sink<'_>) {
    let mut texts: Vec<Text> = Vec::new();
    texts.extend(sink.text("/etc/profile"));
    texts.extend(sink.matching("/etc/profile.d/*.sh"));
    texts.extend(sink.text("/etc/bash.bashrc"));
    let mut timeout: Option<(String, bool, bool, Origin)> = None;
    for text in texts {
        for (line, entry) in settings(&text.text) {
            for part in entry.split([';', '&']).map(str::trim) {
                if let Some(mask) = part.strip_prefix("umask ") {
                    sink.set(Class::Shell, "umask", val(mask.trim()), at(&text.path, line));
                }
                let words: Vec<&str> = part.split_whitespace().collect();
                let makes_readonly = matches!(words.first(), Some(&"readonly"))
                    || (matches!(words.first(), Some(&("declare" | "typeset")))
                        && words.iter().any(|word| word.starts_with('-') && word.contains('r')));
                let exports = matches!(words.first(), Some(&"export"))
                    || words.iter().any(|word| word.starts_with('-') && word.contains('x'));
                for word in words {
                    let (name, value) =
                        word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
                    if name != "TMOUT" {
                        continue;
                    }
                    let fixed = timeout.as_ref().is_some_and(|(_, readonly, _, _)| *readonly);
                    let before = timeout.clone();
                    let kept = before.as_ref().map(|(value, ..)| value.clone()).unwrap_or_default();
                    let value = if fixed { kept } else { value.map(unquote).unwrap_or(kept) };
                    let was_exported = before.as_ref().is_some_and(|(_, _, exported, _)| *exported);
                    let origin = match (&before, word.contains('=') && !fixed) {
                        (Some((.., origin)), false) => origin.clone(),
                        _ => at(&text.path, line),
                    };
                    timeout =
                        Some((value, fixed || makes_readonly, was_exported || exports, origin));
                }
            }
        }
    }
    if let Some((value, readonly, exported, origin)) = timeout {
        let value = Value::map([
            ("value", val(&value)),
            ("readonly", Value::Bool(readonly)),
            ("exported", Value::Bool(exported)),
        ]);
        sink.add(Class::Shell, "TMOUT", value, origin);
    }
    if let Some(text) = sink.text("/etc/environment") {
        assignments(sink, Class::Shell, &text, "environment");
    }
}

/// Rules keep their order; comments and blank lines say nothing.
fn firewall(sink: &mut Sink<'_>) {
    for pattern in [
        "/etc/nftables.conf",
        "/etc/nftables.d/*",
        "/etc/iptables/rules.v4",
        "/etc/iptables/rules.v6",
        "/etc/ufw/user.rules",
        "/etc/ufw/user6.rules",
    ] {
        for text in sink.matching(pattern) {
            let rules = settings(&text.text).map(|(_, line)| val(line)).collect();
            sink.add(
                Class::Firewall,
                Bytes::parse(&text.path),
                Value::List(rules),
                at(&text.path, 0),
            );
        }
    }
    for (prefix, path) in [("ufw", "/etc/ufw/ufw.conf"), ("ufw-default", "/etc/default/ufw")] {
        if let Some(text) = sink.text(path) {
            assignments(sink, Class::Firewall, &text, prefix);
        }
    }
    for name in ["hosts.allow", "hosts.deny"] {
        if let Some(text) = sink.text(&format!("/etc/{name}")) {
            let rules: Vec<Value> = settings(&text.text).map(|(_, line)| val(line)).collect();
            if !rules.is_empty() {
                sink.add(Class::Firewall, name, Value::List(rules), at(&text.path, 0));
            }
        }
    }
}
