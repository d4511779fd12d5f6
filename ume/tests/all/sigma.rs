//! `ume sigma`: rules over files as a responder uses it.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const RULES: &str = "title: Failed log-in
id: 5a1c1c5e-2f7a-4a86-9a0b-000000000001
name: failed
status: test
level: low
logsource: {product: linux, service: sshd}
detection:
    keywords: ['Failed password']
    condition: keywords
---
title: 多数の失敗
id: 5a1c1c5e-2f7a-4a86-9a0b-000000000002
level: high
correlation:
    type: event_count
    rules: [failed]
    group-by: [src]
    timespan: 5m
    condition: {gte: 3}
    generate: true
";

fn ume(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(args)
        .envs([("LC_ALL", "C"), ("UME_LOG", "warn")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn event(minute: u32) -> String {
    format!(
        "{{\"@timestamp\":\"2026-11-28T01:{minute:02}:00Z\",\"src\":\"192.0.2.1\",\"message\":\"Failed password for root\"}}\n"
    )
}

#[test]
fn events_meet_rules_and_correlations_and_the_exit_says_so() {
    let root = tempfile::tempdir().unwrap();
    let (rules, lines) = (root.path().join("rules"), root.path().join("events.ndjson"));
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("failed.yml"), RULES).unwrap();
    fs::write(&lines, format!("{}{}{}", event(0), event(1), event(2))).unwrap();
    let eval = ["sigma", "eval", "--rules", path(&rules), "--logsource", "/linux/sshd"];
    let with = |more: &[&str], input: &str| ume(&[&eval[..], more].concat(), input);

    let found = with(&["--format", "json", path(&lines)], "");
    let (out, err) = said(&found);
    assert_eq!(found.status.code(), Some(1), "{err}");
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4, "{out}");
    assert_eq!(rows[0]["time"], "2026-11-28T01:00:00Z");
    assert_eq!(rows[3]["rule"], "多数の失敗");
    assert_eq!(rows[3]["evidence"].as_array().unwrap().len(), 3);

    let none = with(&["-"], "Accepted publickey for ume\n");
    assert_eq!(none.status.code(), Some(0), "{:?}", said(&none));
    // A broken line costs that line only, and the exit says that it is not all.
    let broken = with(&["-"], &format!("{{\"message\": \n{}", event(0)));
    let (out, err) = said(&broken);
    assert_eq!(broken.status.code(), Some(3), "{err}");
    assert!(err.contains("event 1") && out.contains("Failed log-in"), "{out}{err}");
    // Files given in the wrong order, and one without a time: counted, and said.
    let (early, late) = (root.path().join("a.ndjson"), root.path().join("b.ndjson"));
    fs::write(&early, format!("{}{}", event(0), event(1))).unwrap();
    fs::write(&late, event(2)).unwrap();
    let turned = with(&["--format", "csv", path(&late), path(&early)], "");
    assert_eq!(turned.status.code(), Some(1), "{:?}", said(&turned));
    assert!(said(&turned).0.contains("多数の失敗"), "{:?}", said(&turned));
    let timeless = with(&["-"], "Failed password for root\n");
    assert_eq!(timeless.status.code(), Some(3), "{:?}", said(&timeless));
    assert!(said(&timeless).1.contains("1 of them without a time"), "{:?}", said(&timeless));
    // Times of syslog, and text in the encoding of Japanese Windows.
    let syslog = root.path().join("sjis.log");
    let (text, _, _) =
        encoding_rs::SHIFT_JIS.encode("<38>Nov 28 10:00:00 srv sshd[1]: ログオンに失敗しました\n");
    fs::write(&syslog, text).unwrap();
    let japanese = root.path().join("japanese.yml");
    fs::write(&japanese, "title: 失敗\nlogsource: {product: linux, service: sshd}\ndetection:\n    k: ['失敗しました']\n    condition: k\n").unwrap();
    let sjis =
        ume(&["sigma", "eval", "--rules", path(&japanese), "--format", "json", path(&syslog)], "");
    let rows: serde_json::Value = serde_json::from_str(&said(&sjis).0).unwrap();
    assert!(rows[0]["time"].as_str().is_some_and(|t| t.contains("-11-2")), "{rows}");
    let binary = with(&[env!("CARGO_BIN_EXE_ume")], "");
    let (out, err) = said(&binary);
    assert_eq!((binary.status.code(), out.as_str()), (Some(3), ""), "{err}");
    assert!(err.contains("not a file of events"), "{err}");
    let wrong = ume(&["sigma", "eval", "--rules", path(&rules), "--logsource", "sshd", "-"], "");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn lines_of_programs_have_their_fields_and_meet_the_rules_of_their_program() {
    let root = tempfile::tempdir().unwrap();
    let rules = root.path().join("rules.yml");
    let rule = |title: &str, source: &str, tests: &str| {
        format!(
            "title: {title}\nlogsource: {{{source}}}\ndetection:\n    s: {{{tests}}}\n    condition: s\n"
        )
    };
    let all = [
        rule("Root refused", "product: linux, service: sshd", "user: root, outcome: failure"),
        rule("Traversal", "category: webserver", "cs-uri-stem|contains: ../"),
    ];
    fs::write(&rules, all.join("---\n")).unwrap();
    let log = root.path().join("log");
    fs::write(
        &log,
        "Nov 28 10:00:00 h sshd[1]: Failed password for root from 192.0.2.7 port 22 ssh2\n\
         Nov 28 10:00:01 h cron[1]: Failed password for root from 192.0.2.7 port 22 ssh2\n\
         192.0.2.9 - - [28/Nov/2026:10:00:00 +0900] \"GET /a/../../etc/passwd HTTP/1.1\" 404 9 \"-\" \"x\"\n",
    )
    .unwrap();
    let output =
        ume(&["sigma", "eval", "--rules", path(&rules), "--format", "json", path(&log)], "");
    let rows: serde_json::Value = serde_json::from_str(&said(&output).0).unwrap();
    let titles: Vec<(&str, u64)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["rule"].as_str().unwrap(), row["event"].as_u64().unwrap()))
        .collect();
    assert_eq!(titles, [("Root refused", 1), ("Traversal", 3)], "{rows}");
}

#[test]
fn a_refused_rule_is_named_with_its_line_and_the_others_stay() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("rules.yml");
    fs::write(&file, format!("{RULES}---\ntitle: Bad\nlogsource: {{product: linux}}\ndetection:\n    sel:\n        a|frobnicate: 1\n    condition: sel\n")).unwrap();
    let checked = ume(&["sigma", "check", "--rules", path(&file), "--format", "csv"], "");
    let (out, err) = said(&checked);
    assert_eq!(checked.status.code(), Some(1), "{err}");
    assert!(out.contains("rules.yml,26,9,") && out.contains("frobnicate"), "{out}");
    assert!(err.contains("1 rules and 1 correlations loaded; 1 refused"), "{err}");
}

#[test]
fn a_rule_is_explained_on_an_event_and_coverage_names_what_never_came() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("rules.yml");
    let field = "---\ntitle: By user\nlogsource: {product: linux, service: sshd}\ndetection:\n    sel: {TargetUser: root}\n    condition: sel\n";
    fs::write(&file, format!("{RULES}{field}")).unwrap();
    let common = ["--rules", path(&file), "--logsource", "/linux/sshd", "--format", "json", "-"];
    let explained = [&["sigma", "explain", "--rule", "failed"], &common[..]].concat();
    let explained = ume(&explained, &event(0));
    let (out, err) = said(&explained);
    assert_eq!(explained.status.code(), Some(1), "{err}");
    assert!(out.contains("message: Failed password"), "{out}");
    let covered = ume(&[&["sigma", "coverage"], &common[..]].concat(), &event(0));
    let rows: serde_json::Value = serde_json::from_str(&said(&covered).0).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["rule"] == "By user").unwrap();
    assert_eq!(
        (row["can_fire"].clone(), row["missing"][0].clone()),
        (false.into(), "TargetUser".into())
    );
}

#[test]
fn windows_events_as_xml_are_events_in_utf_16_too() {
    let root = tempfile::tempdir().unwrap();
    let rule = root.path().join("rule.yml");
    fs::write(&rule, "title: Failed\nlogsource: {product: windows, service: security}\ndetection:\n    s: {EventID: 4625}\n    condition: s\n").unwrap();
    let one = |id: u32| {
        format!(
            "<Event xmlns='x'><System><EventID>{id}</EventID><TimeCreated SystemTime='2026-11-28T01:00:00.5Z'/><Channel>Security</Channel></System><EventData/></Event>"
        )
    };
    let text = format!("<?xml version='1.0'?>\n<Events>{}{}</Events>", one(4624), one(4625));
    let wide: Vec<u8> =
        [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [text.into_bytes(), wide] {
        let file = root.path().join("events.xml");
        fs::write(&file, bytes).unwrap();
        let found =
            ume(&["sigma", "eval", "--rules", path(&rule), "--format", "json", path(&file)], "");
        let (out, err) = said(&found);
        assert_eq!(found.status.code(), Some(1), "{err}");
        let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (rows.as_array().unwrap().len(), rows[0]["event"].as_u64()),
            (1, Some(2)),
            "{out}"
        );
        assert_eq!(rows[0]["time"], "2026-11-28T01:00:00.5Z");
    }
}

#[test]
fn windows_event_logs_of_the_corpora_fire_their_rules() {
    let Some(corpora) = std::env::var_os("UME_CORPORA") else {
        println!("skipped: no corpora");
        return;
    };
    let folder = Path::new(&corpora).join("sigma");
    let mut open = vec![folder.join("regression")];
    let mut logs = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            match entry.is_dir() {
                true => open.push(entry),
                false if entry.extension().is_some_and(|e| e == "evtx") => logs.push(entry),
                false => {}
            }
        }
    }
    logs.sort();
    let rules = folder.join("rules");
    let mut args = vec!["sigma", "eval", "--rules", path(&rules), "--format", "json"];
    args.extend(logs.iter().map(|log| path(log)));
    let (out, err) = said(&ume(&args, ""));
    let rows: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {err}"));
    for log in &logs {
        let name = path(log);
        assert!(
            rows.as_array().unwrap().iter().any(|row| row["file"] == name),
            "{name} fires nothing"
        );
    }
    assert!(rows.as_array().unwrap().iter().all(|row| row["time"].is_string()), "{err}");
    assert!(logs.len() >= 90, "{}", logs.len());
}
