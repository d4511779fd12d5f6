//! Parameters of the host: kernel, boot, mounts, who may write to `/etc`, files of packages.

use super::{Check, Family, Found, View, failing, says};
use crate::fact::{Class, Fact, Value};

/// Key and the values that are safe.
const KERNEL: &[(&str, &[&str])] = &[
    ("fs.protected_hardlinks", &["1"]),
    ("fs.protected_symlinks", &["1"]),
    ("fs.suid_dumpable", &["0", "2"]),
    ("kernel.dmesg_restrict", &["1"]),
    ("kernel.kptr_restrict", &["1", "2"]),
    ("kernel.randomize_va_space", &["2"]),
    ("kernel.unprivileged_bpf_disabled", &["1", "2"]),
    ("kernel.yama.ptrace_scope", &["1", "2", "3"]),
    ("net.ipv4.conf.all.accept_redirects", &["0"]),
    ("net.ipv4.conf.all.accept_source_route", &["0"]),
    ("net.ipv4.conf.all.send_redirects", &["0"]),
    ("net.ipv4.icmp_echo_ignore_broadcasts", &["1"]),
    ("net.ipv4.tcp_syncookies", &["1"]),
    ("net.ipv6.conf.all.accept_redirects", &["0"]),
];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "host_parameters.kernel",
        family: Family::HostParameters,
        title: says("カーネルの値が安全な値である", "Kernel values are safe"),
        remedy: says(
            "sysctl.d に値を置き、sysctl --system で効かせる。",
            "Put the value into sysctl.d and apply it with sysctl --system.",
        ),
        needs: &["/etc/sysctl.d", "/etc/sysctl.conf"],
        run: kernel,
    },
    Check {
        id: "host_parameters.running",
        family: Family::HostParameters,
        title: says("ファイルの値と動作中の値が同じ", "What files set is what runs"),
        remedy: says(
            "どちらが正しいかを決め、もう一方を合わせる。",
            "Decide which is right and bring the other in line.",
        ),
        needs: &["/etc/sysctl.d", "/etc/sysctl.conf", "/proc/sys"],
        run: running,
    },
    Check {
        id: "host_parameters.mounts",
        family: Family::HostParameters,
        title: says("fstabのとおりにマウントされている", "What fstab asks for is mounted so"),
        remedy: says("mount -o remount するか、fstabを直す。", "Mount again or correct fstab."),
        needs: &["/etc/fstab", "/proc/mounts"],
        run: mounts,
    },
    Check {
        id: "host_parameters.write_etc",
        family: Family::HostParameters,
        title: says("/etcに書けるのは管理者だけ", "Only administrators can write to /etc"),
        remedy: says(
            "所有者とモードを直す（chown root、chmod go-w）。",
            "Correct owner and mode (chown root, chmod go-w).",
        ),
        needs: &["/etc"],
        run: write_etc,
    },
    Check {
        id: "host_parameters.secrets_readable",
        family: Family::HostParameters,
        title: says("秘密のファイルをほかの人が読めない", "Secret files cannot be read by others"),
        remedy: says("モードを0600か0640にする。", "Set the mode to 0600 or 0640."),
        needs: &["/etc"],
        run: secrets_readable,
    },
    Check {
        id: "host_parameters.package_files",
        family: Family::HostParameters,
        title: says(
            "パッケージのファイルが書き換えられていない",
            "No file of a package was changed",
        ),
        remedy: says(
            "apt install --reinstall で戻し、誰が変えたかを調べる。",
            "Restore with apt install --reinstall and find out who changed it.",
        ),
        needs: &["/usr", "/var/lib/dpkg"],
        run: package_files,
    },
    Check {
        id: "host_parameters.boot",
        family: Family::HostParameters,
        title: says(
            "ブートローダの設定をほかの人が読み書きできない",
            "The boot loader's settings are for root alone",
        ),
        remedy: says(
            "/boot/grub/grub.cfg を root:root 0600 にする。",
            "Make /boot/grub/grub.cfg root:root 0600.",
        ),
        needs: &["/boot"],
        run: boot,
    },
];

fn kernel(view: &View<'_>) -> Found {
    let live = !view.facts.class(Class::KernelValue).is_empty();
    if !live && view.facts.class(Class::Package).is_empty() {
        return Found::Unknown("neither the kernel nor the root of a host was read");
    }
    let mut fails = Vec::new();
    for (key, safe) in KERNEL {
        let running = view.facts.get(Class::KernelValue, key.as_bytes());
        let asked = view.facts.get(Class::Sysctl, key.as_bytes());
        // Of an image only what its files set can be judged: the kernel brings the rest.
        let Some(fact) = running.or(asked) else { continue };
        let value = fact.value.get("value").unwrap_or(&fact.value);
        if value.as_str().is_some_and(|value| !safe.contains(&value)) {
            fails.push(failing(fact, value.shown()));
        }
    }
    Found::Failing(fails)
}

fn running(view: &View<'_>) -> Found {
    if view.facts.class(Class::KernelValue).is_empty() {
        return Found::Unknown("the running system was not asked");
    }
    let fails = view.facts.class(Class::Sysctl).iter().filter_map(|asked| {
        let running = view.facts.get(Class::KernelValue, asked.name.as_slice())?;
        let wanted = asked.value.get("value").unwrap_or(&asked.value).as_str()?;
        let found = running.value.as_str()?;
        let same = found.split_whitespace().eq(wanted.split_whitespace());
        (!same).then(|| failing(asked, format!("{wanted} ≠ {found}")))
    });
    Found::Failing(fails.collect())
}

fn mounts(view: &View<'_>) -> Found {
    let asked: Vec<&Fact> = view
        .facts
        .class(Class::Mount)
        .iter()
        .filter(|m| m.name.as_slice().starts_with(b"/"))
        .collect();
    if asked.is_empty() {
        return Found::NotApplicable;
    }
    if view.facts.class(Class::Mounted).is_empty() {
        return Found::Unknown("the running system was not asked");
    }
    const BY_KERNEL: [&str; 7] =
        ["nosuid", "nodev", "noexec", "ro", "nosymfollow", "noatime", "sync"];
    let options = |fact: &Fact| -> Vec<String> {
        let list = fact.value.get("options").map(Value::as_list).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let fails = asked.into_iter().filter_map(|wanted| {
        let mine = options(wanted);
        let Some(found) = view.facts.get(Class::Mounted, wanted.name.as_slice()) else {
            let optional = mine.iter().any(|o| o == "noauto" || o == "nofail")
                || wanted.attribute("type") == Some("swap");
            return (!optional).then(|| failing(wanted, "not mounted"));
        };
        let theirs = options(found);
        let missing: Vec<&str> = BY_KERNEL
            .into_iter()
            .filter(|o| mine.iter().any(|m| m == o) && !theirs.iter().any(|t| t == o))
            .collect();
        (!missing.is_empty()).then(|| failing(wanted, missing.join(",")))
    });
    Found::Failing(fails.collect())
}

fn write_etc(view: &View<'_>) -> Found {
    if view.facts.class(Class::User).is_empty() {
        return Found::Unknown("no accounts were read");
    }
    let fails = view.facts.class(Class::File).iter().filter_map(|fact| {
        if !fact.name.as_slice().starts_with(b"/etc/") || fact.attribute("kind") == Some("link") {
            return None;
        }
        let mode = fact.value.get("mode").and_then(Value::as_int)?;
        if mode & 0o002 != 0 {
            return Some(failing(fact, format!("{mode:04o}")));
        }
        let user = fact.attribute("user").unwrap_or("root");
        let group = fact.attribute("group").unwrap_or("root");
        if mode & 0o020 != 0 && group != "root" && group != "0" {
            return Some(failing(fact, format!("{mode:04o} group {group}")));
        }
        let acl = fact.attribute("acl").unwrap_or_default();
        let writes = acl.split(',').any(|entry| {
            let mut parts = entry.split(':');
            let (kind, who, bits) =
                (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            matches!(kind, Some("u" | "g"))
                && !who.is_empty()
                && who != "root"
                && bits.contains('w')
        });
        if writes {
            return Some(failing(fact, acl.to_owned()));
        }
        let code = fact.attribute("kind") == Some("file") && mode & 0o111 != 0;
        (code && user != "root" && user != "0").then(|| failing(fact, format!("owner {user}")))
    });
    Found::Failing(fails.collect())
}

fn secrets_readable(view: &View<'_>) -> Found {
    if view.facts.class(Class::User).is_empty() {
        return Found::Unknown("no accounts were read");
    }
    let fails = view.facts.class(Class::File).iter().filter_map(|fact| {
        let mode = fact.value.get("mode").and_then(Value::as_int)?;
        let name = fact.name.to_string();
        let shadow = matches!(
            name.as_str(),
            "/etc/shadow" | "/etc/gshadow" | "/etc/shadow-" | "/etc/gshadow-"
        );
        let key = name.starts_with("/etc/ssh/ssh_host_") && name.ends_with("_key");
        let private =
            name.starts_with("/etc/ssl/private/") && fact.attribute("kind") == Some("file");
        ((shadow || key || private) && mode & 0o007 != 0)
            .then(|| failing(fact, format!("{mode:04o}")))
    });
    Found::Failing(fails.collect())
}

fn package_files(view: &View<'_>) -> Found {
    if view.facts.class(Class::PackageFiles).is_empty() {
        return Found::Unknown("files of packages were not held against their sums");
    }
    let fails = view.facts.class(Class::File).iter().filter(|fact| {
        let conffile = fact.value.get("conffile").and_then(Value::as_bool) == Some(true);
        let change = fact.attribute("change");
        let doc = fact.name.as_slice().starts_with(b"/usr/share/");
        !conffile && (change == Some("changed") || (change == Some("removed") && !doc))
    });
    Found::Failing(
        fails.map(|fact| failing(fact, fact.attribute("change").unwrap_or_default())).collect(),
    )
}

fn boot(view: &View<'_>) -> Found {
    let file = view.facts.get(Class::File, b"/boot/grub/grub.cfg");
    let Some(fact) = file else { return Found::NotApplicable };
    let mode = fact.value.get("mode").and_then(Value::as_int).unwrap_or(0);
    let user = fact.attribute("user").unwrap_or("root");
    let bad = mode & 0o077 != 0 || (user != "root" && user != "0");
    Found::Failing(bad.then(|| failing(fact, format!("{mode:04o} {user}"))).into_iter().collect())
}
