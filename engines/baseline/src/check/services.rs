//! Services, sockets, packages and modules that nobody needs.

use super::{Check, Family, Found, View, any_glob, failing, says};
use crate::fact::{Class, Value};

/// Services that are rarely meant: by unit.
const RARE_UNITS: &[&str] = &[
    "avahi-daemon.service",
    "cups.service",
    "cups-browsed.service",
    "rpcbind.service",
    "rpcbind.socket",
    "nfs-server.service",
    "smbd.service",
    "nmbd.service",
    "vsftpd.service",
    "proftpd.service",
    "tftpd-hpa.service",
    "xinetd.service",
    "inetd.service",
    "openbsd-inetd.service",
    "telnet.socket",
    "rsh.socket",
    "rlogin.socket",
    "rexec.socket",
    "ypserv.service",
    "ypbind.service",
    "bluetooth.service",
    "ModemManager.service",
    "isc-dhcp-server.service",
    "snmpd.service",
    "squid.service",
    "slapd.service",
    "autofs.service",
    "rsync.service",
    "nis.service",
    "finger.socket",
    "talk.socket",
    "apport.service",
    "whoopsie.service",
    "debug-shell.service",
];

/// Packages of protocols without secrecy.
const LEGACY: &[&str] = &[
    "telnetd",
    "inetutils-telnetd",
    "rsh-server",
    "rsh-client",
    "rsh-redone-server",
    "rsh-redone-client",
    "nis",
    "yp-tools",
    "talk",
    "talkd",
    "tftpd",
    "tftpd-hpa",
    "atftpd",
    "xinetd",
    "openbsd-inetd",
    "inetutils-inetd",
    "fingerd",
    "rwhod",
    "telnetd-ssl",
    "inetutils-ftpd",
];

/// Ports on which secrets travel in the clear.
const CLEAR_PORTS: &[&str] = &[
    "tcp 21", "tcp 23", "udp 69", "tcp 79", "tcp 110", "tcp 143", "tcp 512", "tcp 513", "tcp 514",
    "tcp 111", "udp 111", "tcp 2375",
];

/// Sites that a web server brings to show that it runs.
const SAMPLES: &[&str] = &[
    "/etc/nginx/sites-enabled/default",
    "/etc/apache2/sites-enabled/000-default.conf",
    "/etc/apache2/sites-enabled/default-ssl.conf",
    "/etc/tomcat10/Catalina/localhost/examples.xml",
    "/etc/apache2/conf-enabled/serve-cgi-bin.conf",
];

/// File systems and protocols that the kernel would load for whoever asks.
const RARE_MODULES: &[&str] =
    &["cramfs", "freevxfs", "hfs", "hfsplus", "jffs2", "dccp", "rds", "sctp", "tipc"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "services.enabled",
        family: Family::Services,
        title: says("不要なサービスが自動で起動しない", "No unneeded service starts by itself"),
        remedy: says(
            "systemctl disable --now で止めるか、テンプレートに加える。",
            "Stop it with systemctl disable --now, or add it to the template.",
        ),
        needs: &["/etc/systemd/system"],
        run: enabled,
    },
    Check {
        id: "services.listening",
        family: Family::Services,
        title: says("決めた以外の口で待ち受けない", "Nothing listens that was not meant to"),
        remedy: says(
            "サービスを止めるか、待受けアドレスを絞る。",
            "Stop the service or narrow the address it listens on.",
        ),
        needs: &["/proc/net"],
        run: listening,
    },
    Check {
        id: "services.legacy",
        family: Family::Services,
        title: says(
            "平文の古いサービスのパッケージがない",
            "No package of a legacy clear-text service is installed",
        ),
        remedy: says("apt purge で取り除く。", "Remove it with apt purge."),
        needs: &["/var/lib/dpkg/status"],
        run: legacy,
    },
    Check {
        id: "services.samples",
        family: Family::Services,
        title: says("見本のサイトが有効になっていない", "No sample site is enabled"),
        remedy: says("見本のサイトの設定へのリンクを消す。", "Remove the link to the sample site."),
        needs: &["/etc/nginx", "/etc/apache2"],
        run: samples,
    },
    Check {
        id: "services.modules",
        family: Family::Services,
        title: says(
            "使わないカーネルモジュールを読み込めない",
            "Kernel modules that nobody uses cannot be loaded",
        ),
        remedy: says(
            "modprobe.d に「install NAME /bin/false」を置く。",
            "Put `install NAME /bin/false` into modprobe.d.",
        ),
        needs: &["/etc/modprobe.d"],
        run: modules,
    },
];

fn enabled(view: &View<'_>) -> Found {
    let units = view.facts.class(Class::Unit);
    if units.is_empty() {
        return Found::NotApplicable;
    }
    let fails = units.iter().filter(|unit| {
        let name = unit.name.to_string();
        let starts = unit.attribute("state") == Some("enabled") && !name.ends_with(".target");
        starts
            && match &view.rules.units {
                Some(allowed) => !any_glob(allowed, &name),
                None => RARE_UNITS.contains(&name.as_str()),
            }
    });
    Found::Failing(fails.map(|unit| failing(unit, "enabled")).collect())
}

fn listening(view: &View<'_>) -> Found {
    let listeners = view.facts.class(Class::Listener);
    if listeners.is_empty() {
        return Found::Unknown("the running system was not asked");
    }
    let fails = listeners.iter().filter(|listener| {
        let name = listener.name.to_string();
        let local = name.contains(" 127.") || name.contains(" [::1]");
        match &view.rules.listeners {
            Some(allowed) => !local && !any_glob(allowed, &name),
            None => {
                !local
                    && CLEAR_PORTS.iter().any(|port| {
                        let (proto, number) = port.split_once(' ').unwrap_or((port, ""));
                        name.starts_with(&format!("{proto} "))
                            && name.ends_with(&format!(":{number}"))
                    })
            }
        }
    });
    let shown = |listener: &crate::Fact| {
        listener.value.get("processes").map(Value::shown).unwrap_or_default()
    };
    Found::Failing(fails.map(|listener| failing(listener, shown(listener))).collect())
}

fn legacy(view: &View<'_>) -> Found {
    let packages = view.facts.class(Class::Package);
    if packages.is_empty() {
        return Found::Unknown("no packages were read");
    }
    let fails = packages.iter().filter(|package| {
        package.attribute("state") == Some("installed")
            && package.attribute("name").is_some_and(|name| LEGACY.contains(&name))
    });
    Found::Failing(
        fails
            .map(|package| failing(package, package.attribute("version").unwrap_or_default()))
            .collect(),
    )
}

fn samples(view: &View<'_>) -> Found {
    let fails = SAMPLES.iter().filter_map(|path| view.facts.get(Class::File, path.as_bytes()));
    let there = fails.filter(|fact| fact.attribute("change") != Some("removed"));
    Found::Failing(there.map(|fact| failing(fact, "enabled")).collect())
}

fn modules(view: &View<'_>) -> Found {
    if view.facts.class(Class::Package).is_empty() {
        return Found::Unknown("no packages were read");
    }
    let refused = |name: &str| {
        let install = view.facts.get(Class::Module, format!("install/{name}").as_bytes());
        install
            .and_then(|fact| fact.value.as_str())
            .is_some_and(|c| c.contains("/false") || c.contains("/true"))
    };
    let fails = RARE_MODULES.iter().filter(|name| !refused(name)).map(|name| super::Failing {
        key: format!("module/install/{name}"),
        value: "-".to_owned(),
        origin: "/etc/modprobe.d".to_owned(),
    });
    Found::Failing(fails.collect())
}
