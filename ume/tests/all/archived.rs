//! The command line over archived events: search, hunts, Parquet; packs taken in; rules judged and measured.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use model::Timestamp;
use serde_json::Value as Json;
use stream::{Limits, RawLine, Stream};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
const RULES: &str = "title: Failed log-in
id: 5a1c1c5e-2f7a-4a86-9a0b-000000000001
name: failed
logsource: {product: linux, service: sshd}
detection:
    keywords: ['Failed password']
    condition: keywords
level: low
---
title: Many failed
id: 5a1c1c5e-2f7a-4a86-9a0b-000000000002
correlation:
    type: event_count
    rules: [failed]
    group-by: []
    timespan: 5m
    condition: {gte: 3}
    generate: true
level: high
";

fn ume(args: &[&str]) -> (i32, String, String) {
    let program = env!("CARGO_BIN_EXE_ume");
    let Output { status, stdout, stderr } =
        Command::new(program).args(args).envs([("LC_ALL", "C")]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A data folder with four flushes of events, its archive, and a folder with rules.
fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let stream = Stream::open(&root.path().join("stream"), Limits::default()).unwrap();
    for n in 0..4 {
        let lines = [
            format!(
                "<86>Nov 25 10:00:0{n} web{n} sshd[7]: Failed password for root from 192.0.2.{n} port 22 ssh2"
            ),
            format!("<30>Nov 25 10:00:0{n} web{n} systemd[1]: Started Session {n} of User ume."),
        ];
        stream.ingest("syslog", lines.into_iter().map(RawLine::new).collect(), NOW).unwrap();
        stream.flush(NOW).unwrap();
    }
    let rules = root.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("failed.yml"), RULES).unwrap();
    let archive = root.path().join("stream/archive");
    (root, archive, rules)
}

#[test]
fn archived_events_are_searched_beside_a_server_that_holds_the_folder() {
    let (root, archive, _) = place();
    let data = path(root.path());
    let (code, out, err) = ume(&["search", "failed host:web2", "--data", data, "--format", "json"]);
    assert_eq!(code, 0, "{err}");
    let rows: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["host"]), (1, &"web2".into()));
    assert!(err.contains("1 segments read, "), "{err}");
    let (code, out, _) =
        ume(&["search", "--archive", path(&archive), "--limit", "3", "--format", "csv"]);
    assert_eq!((code, out.lines().count()), (0, 4));
    assert_eq!(ume(&["search", "nobody", "--data", data]).0, 1);
    assert_eq!(ume(&["search", "-failed", "--data", data, "--from", "2026-11-26"]).0, 1);
    let (code, _, err) = ume(&["search", "a \"b", "--data", data]);
    assert!(code == 2 && err.contains("character 3"), "{code} {err}");
    assert_eq!(ume(&["search", "a", "--data", data, "--to", "soon"]).0, 2);
    assert_eq!(ume(&["search", "a", "--data", path(&root.path().join("none"))]).0, 2);
}

#[test]
fn rules_hunt_in_an_archive_and_read_its_segments_as_files() {
    let (_root, archive, rules) = place();
    let (code, out, err) =
        ume(&["sigma", "hunt", "--rules", path(&rules), path(&archive), "--format", "json"]);
    assert_eq!(code, 1, "{err}");
    let rows: Json = serde_json::from_str(&out).unwrap();
    let titles: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["rule"].as_str().unwrap()).collect();
    let failed = titles.iter().filter(|title| **title == "Failed log-in").count();
    assert_eq!((failed, titles.iter().filter(|title| **title == "Many failed").count()), (4, 1));
    assert_eq!(rows[0]["host"], "web3", "the newest first");
    assert!(err.contains("0 missing"), "{err}");

    let mut segments = Vec::new();
    for range in stream::scan::ranges(&archive).unwrap() {
        segments.extend(range.segments);
    }
    let mut args = vec!["sigma", "eval", "--rules", path(&rules), "--format", "csv"];
    args.extend(segments.iter().map(|segment| path(segment)));
    let (code, out, err) = ume(&args);
    assert_eq!((code, out.lines().count()), (1, 6), "{out} {err}");
    args[1] = "correlate";
    assert_eq!(ume(&args).1.lines().count(), 2, "what happens over time, and nothing else");

    // A segment that is gone or broken is missing, never passed over.
    let one = segments.iter().find(|s| fs::metadata(s).is_ok()).unwrap();
    fs::write(one, b"PAR1 broken PAR1").unwrap();
    let (code, _, err) = ume(&["sigma", "hunt", "--rules", path(&rules), path(&archive)]);
    assert!(code == 3 && err.contains("missing"), "{code} {err}");
}

#[test]
fn rules_are_judged_and_measured() {
    let (root, archive, rules) = place();
    let (code, out, _) = ume(&["sigma", "lint", "--rules", path(&rules), "--format", "csv"]);
    assert_eq!(code, 1);
    assert!(out.contains("no-description") && !out.contains("no-id"), "{out}");
    let values = root.path().join("values.json");
    fs::write(&values, "{\"Admins\": [\"root\", \"ume\"], \"One\": \"x\"}").unwrap();
    let own = root.path().join("own.yml");
    let text = "title: a\nlogsource: {product: linux}\ndetection:\n    a:\n        user|expand: '%Admins%'\n    condition: a\n";
    fs::write(&own, text).unwrap();
    let check = ["sigma", "check", "--rules", path(&own)];
    assert_eq!(ume(&check).0, 1, "a placeholder without values");
    assert_eq!(ume(&[&check[..], &["--placeholders", path(&values)]].concat()).0, 0);
    fs::write(&values, "[1]").unwrap();
    assert_eq!(ume(&[&check[..], &["--placeholders", path(&values)]].concat()).0, 2);

    let range = stream::scan::ranges(&archive).unwrap().remove(0);
    let mut args =
        vec!["sigma", "bench", "--rules", path(&rules), "--rounds", "2", "--format", "json"];
    args.extend(range.segments.iter().map(|segment| path(segment)));
    let (code, out, err) = ume(&args);
    assert_eq!(code, 0, "{err}");
    let rows: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(rows[2]["what"], "read+match");
    assert_eq!((rows[2]["events"].as_u64(), rows[2]["matches"].as_u64()), (Some(2), Some(1)));
}

#[tokio::test]
async fn a_folder_of_rules_becomes_a_pack_of_the_register() {
    let (root, _, rules) = place();
    let data = root.path().join("data");
    let broken = "title: Broken\nlogsource: {product: linux}\ndetection:\n    a: {b|nonsense: c}\n    condition: a\n";
    fs::write(rules.join("broken.yml"), broken).unwrap();
    let import = |more: &[&str]| {
        let fixed =
            ["sigma", "import", path(&rules), "--data", path(&data), "--licence", "DRL 1.1"];
        ume(&[&fixed[..], &["--origin", "https://example.jp/rules"], more].concat())
    };
    assert_eq!(import(&["--dry-run"]).0, 3);
    assert!(!data.join("ume.db").exists(), "a dry run writes nothing");
    fs::create_dir(&data).unwrap();
    let store = store::Store::open(&data, store::system_clock()).await.unwrap();
    crate::declared::settled(store).await.unwrap().db().close().await;
    let (code, out, err) = import(&["--name", "Ours", "--active"]);
    assert!(code == 3 && out.contains("broken.yml"), "{code} {out} {err}");
    let list = ["rule", "list", "--kind", "rule_pack", "--data", path(&data), "--format", "json"];
    let rows: Json = serde_json::from_str(&ume(&list).1).unwrap();
    assert_eq!((&rows[0]["name"], &rows[0]["status"]), (&"Ours".into(), &"active".into()));
    assert_eq!(rows[0]["attributes"]["licence"], "DRL 1.1");
    let nothing = root.path().join("nothing.zip");
    fs::write(&nothing, b"PK\x03\x04").unwrap();
    let fixed = ["sigma", "import", path(&nothing), "--data", path(&data), "--licence", "x"];
    assert_eq!(ume(&[&fixed[..], &["--origin", "x"]].concat()).0, 2);
}
