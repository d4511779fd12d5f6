//! Rules of SigmaHQ on lines as their senders write them: field names and log sources are the ones rules ask for.
//!
//! Needs `UME_CORPORA`; without it the tests say `skipped: no corpora`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use model::Timestamp;
use sigma::{Env, Level, Limits, RuleSet, Source, load};
use stream::Header;

use crate::common::{BEGIN, SECOND, Way};

/// Title of a rule, header of the file or nothing, lines.
const CASES: &[(&str, &str, &[&str])] = &[
    (
        "Sudo Privilege Escalation CVE-2019-14287 - Builtin",
        "",
        &[
            "Jan  1 01:00:00 h sudo:   mika : TTY=pts/0 ; PWD=/home/mika ; USER=#-1 ; COMMAND=/bin/bash",
        ],
    ),
    (
        "Suspicious OpenSSH Daemon Error",
        "",
        &["Jan  1 01:00:00 h sshd[1]: fatal: Corrupted MAC on input. [preauth]"],
    ),
    (
        "Suspicious Named Error",
        "",
        &[
            "Jan  1 01:00:00 h named[1]: client 192.0.2.7#5353: zone transfer denied AXFR from 192.0.2.7#53",
        ],
    ),
    ("Modifying Crontab", "", &["Jan  1 01:00:00 h crontab[1]: (root) REPLACE (root)"]),
    ("Relevant ClamAV Message", "", &["Jan  1 01:00:00 h clamd[1]: /x: Win.Trojan.Agent-1 FOUND"]),
    ("Antivirus - Hacktool Signature", "", &["/x.exe: Win.Tool.Mimikatz-1 FOUND"]),
    (
        "Loading of Kernel Module via Insmod",
        "",
        &[
            "type=SYSCALL msg=audit(1700000000.1:7): arch=c000003e syscall=313 success=yes comm=\"insmod\" exe=\"/usr/bin/kmod\"",
        ],
    ),
    (
        "System Info Discovery via Sysinfo Syscall",
        "",
        &[
            "type=SYSCALL msg=audit(1700000000.1:7): arch=c000003e syscall=99 success=yes comm=\"free\" exe=\"/usr/bin/free\"",
        ],
    ),
    (
        "Linux Logs Clearing Attempts",
        "",
        &[
            "type=SYSCALL msg=audit(1700000000.1:7): arch=c000003e syscall=59 success=yes pid=2 ppid=1 uid=0 comm=\"rm\" exe=\"/usr/bin/rm\"",
            "type=EXECVE msg=audit(1700000000.1:7): argc=3 a0=\"rm\" a1=\"-rf\" a2=\"/var/log/auth.log\"",
            "type=PROCTITLE msg=audit(1700000000.1:7): proctitle=\"rm\"",
        ],
    ),
    (
        "SQL Injection Strings In URI",
        "",
        &[
            "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /a?id=1%20UNION%20ALL%20SELECT%201 HTTP/1.1\" 200 1 \"-\" \"x\"",
        ],
    ),
    (
        "Path Traversal Exploitation Attempts",
        "#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status",
        &["2026-01-01 00:00:00 GET /a.aspx f=../../../../../etc/passwd 192.0.2.7 Mozilla/5.0 200"],
    ),
    (
        "Nginx Core Dump",
        "",
        &["2026/01/01 00:00:00 [alert] 1#1: worker process 77 exited on signal 6 (core dumped)"],
    ),
    (
        "Apache Segmentation Fault",
        "",
        &[
            "[Thu Jan 01 00:00:00 2026] [core:notice] [pid 1] AH00052: child pid 77 exit signal Segmentation Fault (11)",
        ],
    ),
    (
        "Hack Tool User Agent",
        "",
        &[
            "10.0.0.9 - - [01/Jan/2026:00:00:00 +0000] \"GET http://x.example/ HTTP/1.1\" 200 1 \"-\" \"x masscan y\" TCP_MISS:HIER_DIRECT",
        ],
    ),
    (
        "Cleartext Protocol Usage",
        "",
        &[
            "Jan  1 01:00:00 h kernel: [UFW ALLOW] IN=eth0 OUT= SRC=192.0.2.7 DST=10.0.0.1 PROTO=TCP SPT=51000 DPT=23 SYN",
        ],
    ),
    (
        "Cleartext Protocol Usage",
        "",
        &[
            "<166>Jan  1 01:00:00 fw : %ASA-6-302013: Built inbound TCP connection 1 for outside:192.0.2.7/51000 (192.0.2.7/51000) to inside:10.0.0.1/3306 (10.0.0.1/3306)",
        ],
    ),
    (
        "FortiGate - New Firewall Policy Added",
        "",
        &[
            "<189>date=2026-01-01 time=00:00:00 devname=\"fw\" devid=\"FG1\" logid=\"1\" tz=\"+0000\" type=\"event\" subtype=\"system\" action=\"Add\" cfgpath=\"firewall.policy\"",
        ],
    ),
    (
        "Cisco Clear Logs",
        "",
        &[
            "<189>46: sw1: *Jan  1 10:00:00.123: %PARSER-5-CFGLOG_LOGGEDCMD: User:admin  logged command:clear logging",
        ],
    ),
    (
        "DNS Events Related To Mining Pools",
        "",
        &[
            "{\"_path\":\"dns\",\"ts\":1767225600.5,\"id.orig_h\":\"10.0.0.9\",\"id.resp_h\":\"192.0.2.53\",\"query\":\"x.supportxmr.com\",\"qtype_name\":\"A\",\"answers\":[\"192.0.2.1\"]}",
        ],
    ),
    (
        "DNS TXT Answer with Possible Execution Strings",
        "#fields\tts\tid.orig_h\tquery\tqtype_name\tanswers",
        &["1767225600.500000\t10.0.0.9\tx.example\tTXT\tpowershell IEX x"],
    ),
    (
        "AWS Root Credentials",
        "",
        &[
            "{\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"ListBuckets\",\"eventType\":\"AwsApiCall\",\"userIdentity\":{\"type\":\"Root\"}}",
        ],
    ),
    (
        "Okta User Session Start Via An Anonymising Proxy Service",
        "",
        &[
            "{\"eventType\":\"user.session.start\",\"actor\":{\"alternateId\":\"mika\"},\"securityContext\":{\"isProxy\":true},\"outcome\":{\"result\":\"SUCCESS\"}}",
        ],
    ),
    (
        "Suspicious SQL Query",
        "",
        &["2026-01-01 00:00:00 UTC [1] a@b LOG:  statement: DROP TABLE x"],
    ),
];

fn folder() -> Option<PathBuf> {
    let folder = Path::new(&std::env::var_os("UME_CORPORA")?).join("sigma/rules");
    folder.is_dir().then_some(folder)
}

/// Rule and event of each regression case, the event as the one line a collector would send.
fn regressions(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    let mut events = Vec::new();
    let mut rule = None;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            regressions(&path, found);
        } else if path.file_name().is_some_and(|name| name == "info.yml") {
            let text = fs::read_to_string(&path).unwrap();
            let (_, rest) = text.split_once("rule_metadata").unwrap();
            let (_, rest) = rest.split_once("id:").unwrap();
            rule = rest.split_whitespace().next().map(str::to_owned);
        } else if path.extension().is_some_and(|e| e == "json") {
            let bytes = fs::read(&path).unwrap();
            let values =
                serde_json::Deserializer::from_slice(&bytes).into_iter::<serde_json::Value>();
            events.extend(values.map(|value| value.unwrap().to_string().into_bytes()));
        }
    }
    if let Some(rule) = rule {
        found.extend(events.into_iter().map(|event| (rule.clone(), event)));
    }
}

#[test]
fn windows_events_that_arrive_as_lines_fire_their_rules() {
    let Some((set, folder)) = rules().zip(folder()) else {
        println!("skipped: no corpora");
        return;
    };
    let mut events = Vec::new();
    regressions(&folder.with_file_name("regression"), &mut events);
    let mut fired = std::collections::BTreeSet::new();
    let mut rules_seen = std::collections::BTreeSet::new();
    for (rule, event) in &events {
        // A case may hold events around the one that is meant.
        let Some(of) = set.rules().iter().find(|r| r.meta.id.as_deref() == Some(rule)) else {
            continue;
        };
        rules_seen.insert(rule);
        let mut way = Way::new(&set);
        way.line(event, BEGIN, &Header::default());
        if way.end().iter().any(|(title, ..)| *title == of.meta.title) {
            fired.insert(rule);
        }
    }
    let silent: Vec<_> = rules_seen.difference(&fired).collect();
    assert!(rules_seen.len() >= 80, "only {} cases", rules_seen.len());
    assert!(silent.is_empty(), "{} of {} are silent: {silent:#?}", silent.len(), rules_seen.len());
}

fn collect(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "yml") {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
}

fn rules() -> Option<RuleSet> {
    let mut files = BTreeMap::new();
    collect(&folder()?, &mut files);
    let sources: Vec<Source<'_>> =
        files.iter().map(|(file, bytes)| Source { file, bytes }).collect();
    Some(load(&sources, &Env::default(), &Limits::default()).0)
}

#[test]
fn rules_of_sigmahq_find_what_senders_write() {
    let Some(set) = rules() else {
        println!("skipped: no corpora");
        return;
    };
    let mut wrong = Vec::new();
    for (title, named, lines) in CASES {
        if !set.rules().iter().any(|r| r.meta.title == *title) {
            wrong.push(format!("{title}: no such rule"));
            continue;
        }
        let mut header = Header::default();
        assert!(named.is_empty() || header.learn(named));
        let mut way = Way::new(&set);
        lines.iter().for_each(|line| way.line(line.as_bytes(), BEGIN, &header));
        let fired = way.end();
        if !fired.iter().any(|(found, ..)| found == title) {
            wrong.push(format!("{title} is silent on {}; {fired:?}", lines[0]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rules_of_sigmahq_are_quiet_on_everyday_lines() {
    let Some(set) = rules() else {
        println!("skipped: no corpora");
        return;
    };
    let everyday =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content/detections/tests/everyday.log");
    let text = fs::read_to_string(everyday).unwrap();
    let mut wrong = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut way = Way::new(&set);
        way.line(line.as_bytes(), Timestamp(BEGIN.0 + at as i64 * SECOND), &Header::default());
        let heavy =
            way.end().into_iter().filter(|(_, level, _)| level.is_none_or(|l| l >= Level::High));
        wrong.extend(heavy.map(|(title, ..)| format!("{title}: {line}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
