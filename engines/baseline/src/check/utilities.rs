//! Programs that give more rights than their user has, and tools that serve an intruder.

use super::{Check, Family, Found, View, failing, says};
use crate::fact::{Class, Fact, Value};

/// What a Debian base has with setuid or setgid.
const USUAL: &[&str] = &[
    "/usr/bin/chage",
    "/usr/bin/chfn",
    "/usr/bin/chsh",
    "/usr/bin/crontab",
    "/usr/bin/expiry",
    "/usr/bin/gpasswd",
    "/usr/bin/mount",
    "/usr/bin/newgrp",
    "/usr/bin/passwd",
    "/usr/bin/ssh-agent",
    "/usr/bin/su",
    "/usr/bin/sudo",
    "/usr/bin/umount",
    "/usr/bin/write",
    "/usr/bin/wall",
    "/usr/bin/bsd-write",
    "/usr/bin/fusermount3",
    "/usr/bin/pkexec",
    "/usr/bin/at",
    "/usr/bin/dotlockfile",
    "/usr/sbin/unix_chkpwd",
    "/usr/sbin/exim4",
    "/usr/sbin/pam_extrausers_chkpwd",
    "/usr/lib/openssh/ssh-keysign",
    "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
    "/usr/lib/policykit-1/polkit-agent-helper-1",
    "/usr/libexec/polkit-agent-helper-1",
    "/usr/lib/x86_64-linux-gnu/utempter/utempter",
    "/usr/sbin/postdrop",
    "/usr/sbin/postqueue",
];

/// Tools to build, to listen in and to probe: by the name of the package, or by its beginning.
const TOOLS: &[&str] = &[
    "gcc",
    "g++",
    "clang",
    "cpp",
    "make",
    "tcc",
    "golang-go",
    "rustc",
    "tcpdump",
    "tshark",
    "wireshark",
    "nmap",
    "ngrep",
    "ettercap-common",
    "dsniff",
    "hydra",
    "john",
    "hashcat",
    "aircrack-ng",
    "netcat-traditional",
    "netcat-openbsd",
    "ncat",
    "socat",
    "gdb",
    "strace",
    "ltrace",
    "masscan",
    "sqlmap",
    "nikto",
    "hping3",
];

/// Programs from which a shell can be had, so a rule that allows one allows everything.
const ESCAPES: &[&str] = &[
    "ash",
    "awk",
    "gawk",
    "mawk",
    "bash",
    "busybox",
    "cp",
    "mv",
    "dd",
    "tee",
    "csh",
    "dash",
    "docker",
    "ed",
    "emacs",
    "env",
    "expect",
    "find",
    "ftp",
    "gdb",
    "git",
    "ksh",
    "less",
    "lua",
    "make",
    "man",
    "more",
    "most",
    "mysql",
    "nano",
    "nmap",
    "node",
    "perl",
    "php",
    "pip",
    "psql",
    "python",
    "python3",
    "rsync",
    "ruby",
    "scp",
    "screen",
    "sed",
    "sh",
    "socat",
    "sqlite3",
    "ssh",
    "strace",
    "su",
    "systemctl",
    "tar",
    "tcpdump",
    "tmux",
    "vi",
    "view",
    "vim",
    "vim.basic",
    "vim.tiny",
    "visudo",
    "watch",
    "xargs",
    "zip",
    "zsh",
    "apt",
    "apt-get",
    "dpkg",
    "journalctl",
    "chmod",
    "chown",
    "crontab",
    "nsenter",
    "unshare",
    "kubectl",
];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "utilities.setuid",
        family: Family::Utilities,
        title: says(
            "想定外のsetuid・setgidファイルがない",
            "No unexpected file is setuid or setgid",
        ),
        remedy: says(
            "ビットを外す（chmod u-s,g-s）か、ファイルを消す。",
            "Take the bit away (chmod u-s,g-s) or remove the file.",
        ),
        needs: &["/usr", "/etc", "/opt", "/home", "/tmp", "/var/tmp"],
        run: setuid,
    },
    Check {
        id: "utilities.capabilities",
        family: Family::Utilities,
        title: says(
            "想定外のケーパビリティを持つファイルがない",
            "No unexpected file has capabilities",
        ),
        remedy: says("setcap -r で外す。", "Take them away with setcap -r."),
        needs: &["/usr", "/etc", "/opt"],
        run: capabilities,
    },
    Check {
        id: "utilities.tools",
        family: Family::Utilities,
        title: says(
            "コンパイラや盗聴・調査の道具がない",
            "No compilers, sniffers or probes are installed",
        ),
        remedy: says(
            "本番機から取り除く（apt purge）。",
            "Remove them from production hosts (apt purge).",
        ),
        needs: &["/var/lib/dpkg/status"],
        run: tools,
    },
    Check {
        id: "utilities.shell_escape",
        family: Family::Utilities,
        title: says(
            "sudoで許すコマンドからシェルに抜けられない",
            "No command that sudo allows escapes to a shell",
        ),
        remedy: says(
            "sudoedit や NOEXEC を使うか、引数まで決めた専用コマンドに替える。",
            "Use sudoedit or NOEXEC, or a command of its own with fixed arguments.",
        ),
        needs: &["/etc/sudoers", "/etc/sudoers.d"],
        run: shell_escape,
    },
];

fn files<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a Fact> {
    view.facts.class(Class::File).iter().filter(|fact| fact.attribute("kind") == Some("file"))
}

fn setuid(view: &View<'_>) -> Found {
    if view.facts.class(Class::Package).is_empty() {
        return Found::Unknown("no packages were read");
    }
    let fails = files(view).filter(|fact| {
        let mode = fact.value.get("mode").and_then(Value::as_int).unwrap_or(0);
        let name = fact.name.to_string();
        let of_package =
            fact.attribute("package").is_some() && fact.attribute("change") != Some("changed");
        let usual = of_package && USUAL.contains(&name.as_str());
        mode & 0o6000 != 0 && !usual && !view.rules.setuid.contains(&name)
    });
    let trees = view.facts.class(Class::File).iter().filter(|fact| {
        fact.value.get("privileged").and_then(Value::as_int).is_some_and(|count| count > 0)
    });
    let shown = |fact: &Fact| fact.value.get("mode").map(Value::shown).unwrap_or_default();
    Found::Failing(fails.chain(trees).map(|fact| failing(fact, shown(fact))).collect())
}

fn capabilities(view: &View<'_>) -> Found {
    if view.facts.class(Class::Package).is_empty() {
        return Found::Unknown("no packages were read");
    }
    const PING: [&str; 3] = ["/usr/bin/ping", "/usr/bin/ping4", "/usr/bin/mtr-packet"];
    let fails = files(view).filter_map(|fact| {
        let held = fact.attribute("capabilities")?;
        let name = fact.name.to_string();
        let usual = PING.contains(&name.as_str()) && held.starts_with("cap_net_raw=");
        (!usual && !view.rules.setuid.contains(&name)).then(|| failing(fact, held))
    });
    Found::Failing(fails.collect())
}

fn tools(view: &View<'_>) -> Found {
    let packages = view.facts.class(Class::Package);
    if packages.is_empty() {
        return Found::Unknown("no packages were read");
    }
    let is_tool = |name: &str| {
        TOOLS.iter().any(|tool| {
            let rest = name.strip_prefix(tool);
            rest.is_some_and(|rest| {
                rest.is_empty()
                    || (rest.starts_with('-')
                        && rest[1..].starts_with(|c: char| c.is_ascii_digit())
                        && !rest.ends_with("-base"))
            })
        })
    };
    let fails = packages.iter().filter(|package| {
        package.attribute("state") == Some("installed")
            && package.attribute("name").is_some_and(is_tool)
    });
    Found::Failing(
        fails
            .map(|package| failing(package, package.attribute("version").unwrap_or_default()))
            .collect(),
    )
}

fn shell_escape(view: &View<'_>) -> Found {
    let fails = view.facts.class(Class::Sudo).iter().filter_map(|rule| {
        let command = rule.attribute("command")?;
        // Everything is everything: that is the check of who may.
        if command == "ALL"
            || command.starts_with('!')
            || rule.value.get("exec").and_then(Value::as_bool) == Some(false)
        {
            return None;
        }
        let program = command.split_whitespace().next().unwrap_or_default();
        let base = program.rsplit('/').next().unwrap_or(program);
        let wild = program.contains('*') || program.ends_with('/');
        (wild || ESCAPES.contains(&base)).then(|| failing(rule, program))
    });
    Found::Failing(fails.collect())
}
