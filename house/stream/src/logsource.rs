//! Where an event comes from in Sigma's terms, and its fields as a matcher takes them. Pure.
//!
//! An event has several log sources where that is right: a packet that netfilter logged is the kernel's and a
//! firewall's, a joined audit event is audit's and, if it starts a program, a process creation. Names are those of
//! SigmaHQ's rules; where these have none, they are listed here:
//!
//! | category / product / service | events |
//! |---|---|
//! | `message` / – / – | every event with a text of its own; for rules on what a text says, whoever says it |
//! | – / `linux` / `kernel`, `sshd`, `sudo`, … | programs of a Linux machine, by their names; `auth` for all that let somebody in |
//! | `database` / `postgresql`, `mariadb` / – | with a statement; without it the product alone |
//! | `hardware` / `smartmontools`, `ipmi`, `ups`, `linux` / … | disks, boards, power, what the kernel says of hardware |
//! | `firewall` or – / `yamaha` / – | routers of the series RTX |
//! | `backup` / – / program | programs that make backups |
//! | `ids` / `suricata`, `snort`, `zeek` / – | what a network sensor found |
//!
//! A Windows event says itself where it belongs, by `Channel` and `EventID`: the engine's own table adds that to
//! what stands here.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    decode::decode,
    event::Event,
    parse::{CLASS_AUTHENTICATION, CLASS_FINDING, SHAPE_FIELD, Shape, plain_name},
};

/// A log source as rules name it; what is `None` is not said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogSource<'a> {
    pub category: Option<&'static str>,
    pub product: Option<&'static str>,
    pub service: Option<Cow<'a, str>>,
}

const fn source<'a>(
    category: Option<&'static str>,
    product: Option<&'static str>,
    service: Option<&'static str>,
) -> LogSource<'a> {
    let service = match service {
        Some(service) => Some(Cow::Borrowed(service)),
        None => None,
    };
    LogSource { category, product, service }
}

/// Program → service, where SigmaHQ's name is another.
const SERVICES: &[(&str, &str)] = &[
    ("sshd-session", "sshd"),
    ("crond", "cron"),
    ("cron", "cron"),
    ("crontab", "cron"),
    ("anacron", "cron"),
    ("clamd", "clamav"),
    ("clamscan", "clamav"),
    ("freshclam", "clamav"),
    ("clamav-daemon", "clamav"),
    ("audit", "auditd"),
    ("audispd", "auditd"),
    ("su-l", "su"),
    ("sudo", "sudo"),
];

/// Programs whose lines are backups' even where they say nothing of it.
const BACKUP: &[&str] = &[
    "restic",
    "borg",
    "borgmatic",
    "rsnapshot",
    "rsync-backup",
    "bacula-dir",
    "bacula-fd",
    "bacula-sd",
    "bareos-dir",
    "bareos-fd",
    "bareos-sd",
    "duplicity",
    "amanda",
    "pg_dump",
    "pg_dumpall",
    "pg_basebackup",
    "pgbackrest",
    "barman",
    "mariabackup",
    "mariadb-backup",
    "mysqldump",
    "xtrabackup",
    "veeam",
    "veeamservice",
    "vzdump",
    "proxmox-backup",
    "urbackup",
    "backup",
    "kopia",
    "snapper",
    "timeshift",
    "backup-job",
];

const UPS: &[&str] = &[
    "upsmon",
    "upsd",
    "apcupsd",
    "usbhid-ups",
    "snmp-ups",
    "nut-monitor",
    "powerpanel",
    "pwrstatd",
];

/// Faults of the kernel's log that are of hardware.
const HARDWARE_FAULTS: [&str; 9] = [
    "io_error",
    "disk_failure",
    "raid_degraded",
    "overheat",
    "mce",
    "pcie_error",
    "read_only",
    "fs_error",
    "link_down",
];

/// The log sources of an event, the more exact first.
pub fn logsources(event: &Event) -> Vec<LogSource<'_>> {
    let mut found = Vec::with_capacity(4);
    let shape = Shape::of(event);
    match shape {
        Some(shape) => of_shape(event, shape, &mut found),
        None => of_program(event, &mut found),
    }
    if event.class == CLASS_AUTHENTICATION && found.iter().any(|s| s.product == Some("linux")) {
        found.push(source(None, Some("linux"), Some("auth")));
    }
    if shape != Some(Shape::Windows) && !event.message.is_empty() {
        found.push(source(Some("message"), None, None));
    }
    found
}

fn of_shape<'a>(event: &'a Event, shape: Shape, found: &mut Vec<LogSource<'a>>) {
    let field = |name: &str| event.fields.get(name).map(String::as_str);
    match shape {
        Shape::Syslog | Shape::Journal | Shape::Ring => of_program(event, found),
        Shape::Json | Shape::Otlp => {
            found.push(LogSource {
                category: Some("application"),
                product: None,
                service: service(&event.app),
            });
            backup(event, found);
        }
        Shape::Package => found.push(LogSource {
            category: None,
            product: Some("linux"),
            service: service(&event.app),
        }),
        Shape::Audit => found.push(source(None, Some("linux"), Some("auditd"))),
        Shape::AuditJoined => joined(event, found),
        Shape::Netfilter => {
            found.push(source(Some("firewall"), Some("linux"), Some("iptables")));
            found.push(source(None, Some("linux"), Some("kernel")));
        }
        Shape::WebAccess | Shape::WebError => web(event, found),
        Shape::Proxy => {
            found.push(source(Some("proxy"), Some("squid"), Some("access")));
        }
        Shape::Cisco => cisco(event, found),
        Shape::Yamaha => {
            let category = field("action").map(|_| "firewall");
            found.push(LogSource { category, product: Some("yamaha"), service: None });
        }
        Shape::Fortigate => {
            let service = field("type").map(Cow::Borrowed);
            found.push(LogSource { category: None, product: Some("fortigate"), service });
            if field("type") == Some("traffic") {
                found.push(source(Some("firewall"), Some("fortigate"), Some("traffic")));
            }
            if let Some(daemon) = field("subtype").filter(|s| *s == "vpn") {
                let service = Some(Cow::Borrowed(if daemon == "vpn" { "sslvpnd" } else { daemon }));
                found.push(LogSource { category: None, product: Some("fortios"), service });
            }
        }
        Shape::Cef | Shape::Leef => {
            let product = Some(if shape == Shape::Cef { "cef" } else { "leef" });
            let service = service(field("product").unwrap_or_default());
            let category = match (event.class, field("src_ip"), field("dst_ip")) {
                (CLASS_FINDING, ..) => Some("antivirus"),
                (_, Some(_), Some(_)) => Some("firewall"),
                _ => None,
            };
            found.push(LogSource { category, product, service });
        }
        Shape::Postgresql | Shape::Mariadb => {
            let product = Some(if shape == Shape::Postgresql { "postgresql" } else { "mariadb" });
            // Rules of the category judge statements, so lines without one are none of theirs.
            let category = field("statement").map(|_| "database");
            found.push(LogSource { category, product, service: None });
        }
        Shape::Eve => sensor(event, "suricata", field("event_type").unwrap_or_default(), found),
        Shape::Zeek => sensor(event, "zeek", field("zeek.path").unwrap_or_default(), found),
        Shape::Snort => found.push(source(Some("ids"), Some("snort"), None)),
        Shape::Clamav => {
            if event.fields.contains_key("Signature") {
                found.push(source(Some("antivirus"), Some("clamav"), None));
            }
            found.push(source(None, Some("linux"), Some("clamav")));
        }
        Shape::Smart => {
            found.push(source(Some("hardware"), Some("smartmontools"), Some("smartctl")))
        }
        Shape::Sel => found.push(source(Some("hardware"), Some("ipmi"), Some("sel"))),
        Shape::Windows => found.push(source(None, Some("windows"), None)),
        Shape::Okta => found.push(source(None, Some("okta"), Some("okta"))),
        Shape::Cloudtrail => found.push(source(None, Some("aws"), Some("cloudtrail"))),
        Shape::Keycloak => found.push(source(Some("application"), Some("keycloak"), None)),
        Shape::Entra => {
            let is_audit = field("category") == Some("AuditLogs");
            let service = if is_audit { "auditlogs" } else { "signinlogs" };
            found.push(source(None, Some("azure"), Some(service)));
        }
        Shape::Kubernetes => {
            found.push(source(Some("application"), Some("kubernetes"), Some("audit")));
        }
    }
}

/// The program's name as a service: small letters, without its folder; `None` if there is none.
fn service(app: &str) -> Option<Cow<'_, str>> {
    let name = app.rsplit('/').next().unwrap_or_default();
    if name.is_empty() {
        return None;
    }
    let known = SERVICES.iter().find(|(program, _)| program.eq_ignore_ascii_case(name));
    Some(match known {
        Some((_, service)) => Cow::Borrowed(*service),
        None if name.bytes().any(|b| b.is_ascii_uppercase()) => {
            Cow::Owned(name.to_ascii_lowercase())
        }
        None => Cow::Borrowed(name),
    })
}

/// A program of a Linux machine, as syslog and the journal carry it.
fn of_program<'a>(event: &'a Event, found: &mut Vec<LogSource<'a>>) {
    let Some(service) = service(&event.app) else { return };
    let name = service.clone();
    found.push(LogSource { category: None, product: Some("linux"), service: Some(service) });
    found.push(source(None, Some("linux"), Some("syslog")));
    match name.as_ref() {
        "kernel" => {
            let fault = event.fields.get("fault").map_or("", String::as_str);
            if HARDWARE_FAULTS.contains(&fault) {
                found.push(source(Some("hardware"), Some("linux"), Some("kernel")));
            }
        }
        "smartd" => found.push(source(Some("hardware"), Some("smartmontools"), Some("smartd"))),
        "mcelog" | "rasdaemon" | "sensord" | "mdadm" | "thermald" => {
            found.push(LogSource {
                category: Some("hardware"),
                product: Some("linux"),
                service: Some(name),
            });
        }
        "named" | "dnsmasq" | "unbound" if event.fields.contains_key("query") => {
            found.push(LogSource { category: Some("dns"), product: None, service: Some(name) });
        }
        ups if UPS.contains(&ups) => {
            found.push(LogSource {
                category: Some("hardware"),
                product: Some("ups"),
                service: Some(name),
            });
        }
        _ => backup(event, found),
    }
}

fn backup<'a>(event: &'a Event, found: &mut Vec<LogSource<'a>>) {
    if let Some(name) = service(&event.app).filter(|name| BACKUP.contains(&name.as_ref())) {
        found.push(LogSource { category: Some("backup"), product: None, service: Some(name) });
    }
}

/// What rules on processes, files and connections of Linux ask for, out of audit records.
fn joined(event: &Event, found: &mut Vec<LogSource<'_>>) {
    let has = |name: &str| event.fields.contains_key(name);
    if has("CommandLine") {
        found.push(source(Some("process_creation"), Some("linux"), Some("auditd")));
    }
    if has("TargetFilename") {
        found.push(source(Some("file_event"), Some("linux"), Some("auditd")));
    }
    if has("Initiated") && has("DestinationIp") {
        found.push(source(Some("network_connection"), Some("linux"), Some("auditd")));
    }
    found.push(source(None, Some("linux"), Some("auditd")));
}

fn web<'a>(event: &'a Event, found: &mut Vec<LogSource<'a>>) {
    let app = event.app.rsplit('/').next().unwrap_or_default();
    let product = match app {
        "nginx" => Some("nginx"),
        "apache2" | "httpd" | "apache" => Some("apache"),
        "caddy" => Some("caddy"),
        "lighttpd" => Some("lighttpd"),
        _ => None,
    };
    let is_error = Shape::of(event) == Some(Shape::WebError);
    found.push(LogSource {
        category: (!is_error).then_some("webserver"),
        product,
        service: Some(Cow::Borrowed(if is_error { "error" } else { "access" })),
    });
    if let Some(product) = product {
        // Older rules name the server as the service.
        let category = (!is_error).then_some("webserver");
        found.push(LogSource { category, product: None, service: Some(Cow::Borrowed(product)) });
    }
}

fn cisco(event: &Event, found: &mut Vec<LogSource<'_>>) {
    let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
    let service = match field("cisco.facility") {
        "ASA" | "FTD" | "PIX" | "FWSM" => "asa",
        // Commands that were typed, as accounting and the configuration log have them.
        "AAA" | "AAAA" | "PARSER" | "SYS" => "aaa",
        "BGP" => "bgp",
        "LDP" | "TDP" => "ldp",
        "SEC_LOGIN" => "login",
        _ => "syslog",
    };
    if event.fields.contains_key("action") {
        found.push(source(Some("firewall"), Some("cisco"), Some(service)));
    } else {
        found.push(source(None, Some("cisco"), Some(service)));
    }
    if service != "syslog" {
        found.push(source(None, Some("cisco"), Some("syslog")));
    }
}

/// A sensor's event by its kind.
fn sensor<'a>(
    event: &'a Event,
    product: &'static str,
    kind: &'a str,
    found: &mut Vec<LogSource<'a>>,
) {
    let category = match kind {
        "dns" => Some("dns"),
        "http" if event.fields.contains_key("c-uri") => Some("proxy"),
        "alert" | "anomaly" | "notice" | "weird" | "signatures" => Some("ids"),
        _ => None,
    };
    let service = (!kind.is_empty()).then_some(Cow::Borrowed(kind));
    found.push(LogSource { category, product: Some(product), service });
}

/// Most pairs that [`fields`] gives; lists inside JSON can be long.
pub const PAIRS_MAX: usize = 2000;

/// Deepest JSON inside a field that is taken apart.
const DEPTH_MAX: usize = 16;

/// Every field of an event with its value; a name may come several times, one value is then enough.
///
/// Beside the fields: `host`, `app`, `message`; and `raw`, the whole text, for keywords, where it says more than
/// the message. JSON inside a field is taken apart as well, its names joined with dots.
pub fn fields(event: &Event) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let mut found: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(event.fields.len() + 4);
    for (name, value) in event.fields.iter().filter(|(name, _)| *name != SHAPE_FIELD) {
        let name = plain_name(name);
        match name {
            // Several keys of one audit rule have this sign between them.
            "key" if value.contains('\u{1}') => {
                found.extend(value.split('\u{1}').map(|v| (Cow::Borrowed(name), Cow::Borrowed(v))));
            }
            _ => found.push((Cow::Borrowed(name), Cow::Borrowed(value))),
        }
        if value.starts_with(['{', '[']) && value.len() > 2 {
            inner(event, name, value, &mut found);
        }
    }
    // The text itself must not fall behind a flood of fields.
    found.truncate(PAIRS_MAX - 4);
    for (name, value) in [("host", &event.host), ("app", &event.app), ("message", &event.message)] {
        if !value.is_empty() && event.fields.get(name) != Some(value) {
            found.push((Cow::Borrowed(name), Cow::Borrowed(value)));
        }
    }
    let (text, _) = decode(&event.raw);
    let text = text.trim_end_matches(['\r', '\n']);
    if text != event.message {
        found.push((Cow::Borrowed("raw"), Cow::Owned(text.to_owned())));
    }
    found
}

fn inner<'a>(
    event: &Event,
    name: &str,
    value: &str,
    found: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>,
) {
    let Ok(parsed) = serde_json::from_str::<Value>(value) else { return };
    let mut open = vec![(name.to_owned(), parsed, 0)];
    while let Some((path, value, depth)) = open.pop() {
        if found.len() >= PAIRS_MAX || depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(object) => {
                let parts =
                    object.into_iter().map(|(name, v)| (format!("{path}.{name}"), v, depth + 1));
                open.extend(parts);
            }
            Value::Array(list) => {
                open.extend(list.into_iter().map(|v| (path.clone(), v, depth + 1)))
            }
            Value::Null => {}
            // What the parser already took apart is not said twice.
            _ if event.fields.contains_key(&path) && path != name => {}
            Value::String(text) => found.push((Cow::Owned(path), Cow::Owned(text))),
            other => found.push((Cow::Owned(path), Cow::Owned(other.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use model::Timestamp;

    use super::*;
    use crate::{RawLine, parse};

    fn event(line: &str) -> Event {
        parse(&RawLine::new(line), "t", Timestamp(1_795_600_000_000_000), &TimeZone::UTC)
    }

    fn named(line: &str) -> Vec<String> {
        let part = |p: Option<&str>| p.unwrap_or("-").to_owned();
        let event = event(line);
        let shown = |s: &LogSource<'_>| {
            format!("{}/{}/{}", part(s.category), part(s.product), part(s.service.as_deref()))
        };
        logsources(&event).iter().map(shown).collect()
    }

    #[test]
    fn events_have_the_sources_that_rules_name() {
        for (line, sources) in [
            (
                "Jan  1 01:00:00 h sshd-session[1]: Failed password for root from 192.0.2.7 port 22 ssh2",
                &["-/linux/sshd", "-/linux/syslog", "-/linux/auth", "message/-/-"][..],
            ),
            (
                "Jan  1 01:00:00 h CRON[1]: (root) CMD (x)",
                &["-/linux/cron", "-/linux/syslog", "message/-/-"],
            ),
            (
                "Jan  1 01:00:00 h kernel: [UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.7 DST=10.0.0.1 PROTO=TCP SPT=1 DPT=23",
                &["firewall/linux/iptables", "-/linux/kernel", "message/-/-"],
            ),
            (
                "Jan  1 01:00:00 h kernel: Buffer I/O error on dev sda1, logical block 0, async page read",
                &["-/linux/kernel", "-/linux/syslog", "hardware/linux/kernel", "message/-/-"],
            ),
            (
                "Jan  1 01:00:00 h nginx: 192.0.2.7 - - [10/Oct/2025:13:55:36 +0900] \"GET / HTTP/1.1\" 200 1 \"-\" \"x\"",
                &["webserver/nginx/access", "webserver/-/nginx", "message/-/-"],
            ),
            (
                "<166>Jan  1 01:00:00 fw : %ASA-4-106023: Deny tcp src a:192.0.2.7/5 dst b:10.0.0.1/22 by x",
                &["firewall/cisco/asa", "-/cisco/syslog", "message/-/-"],
            ),
            (
                "type=PATH msg=audit(1.0:1): name=\"/etc/passwd\"",
                &["-/linux/auditd", "message/-/-"],
            ),
            (
                "2026-01-01 00:00:00 UTC [1] LOG:  statement: SELECT 1",
                &["database/postgresql/-", "message/-/-"],
            ),
            (
                "2026-01-01 00:00:00 UTC [1] LOG:  checkpoint starting: time",
                &["-/postgresql/-", "message/-/-"],
            ),
            ("/x: Sig FOUND", &["antivirus/clamav/-", "-/linux/clamav", "message/-/-"]),
            (
                "Jan  1 01:00:00 h upsmon[1]: UPS a on battery",
                &["-/linux/upsmon", "-/linux/syslog", "hardware/ups/upsmon", "message/-/-"],
            ),
            ("{\"EventID\":1,\"Channel\":\"Security\"}", &["-/windows/-"]),
            ("入退室: 深夜の入室", &["message/-/-"]),
        ] {
            assert_eq!(named(line), sources, "{line}");
        }
    }

    #[test]
    fn a_line_cannot_choose_its_source() {
        assert_eq!(
            named("{\"ume.shape\":\"windows\",\"app\":\"x\"}"),
            ["application/-/x", "message/-/-"]
        );
    }

    #[test]
    fn fields_have_text_message_and_inner_json() {
        let e = event(r#"{"app":"x","message":"m","a":{"b":[1,"c"],"d":null},"e":"{broken"}"#);
        let pairs = fields(&e);
        let of = |name: &str| -> Vec<&str> {
            pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_ref()).collect()
        };
        assert_eq!((of("message"), of("app")), (vec!["m"], vec!["x"]));
        let mut inner = of("a.b");
        inner.sort_unstable();
        assert_eq!(inner, ["1", "c"]);
        assert_eq!((of("e"), of("raw").len(), of(SHAPE_FIELD).len()), (vec!["{broken"], 1, 0));
        assert!(fields(&event("plain")).iter().all(|(name, _)| name != "raw"));
    }

    proptest::proptest! {
        #[test]
        fn any_line_has_few_sources_and_bounded_fields(
            head in "(<13>|type=EXECVE msg=audit\\(1.0:1\\): |\\{\"a\":|%ASA-1-1: |CEF:0\\|)?",
            tail in ".{0,200}",
        ) {
            let event = event(&format!("{head}{tail}"));
            proptest::prop_assert!(logsources(&event).len() <= 6);
            proptest::prop_assert!(fields(&event).len() <= PAIRS_MAX);
        }
    }
}
