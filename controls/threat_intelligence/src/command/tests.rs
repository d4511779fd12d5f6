//! The commands on files, as they are typed.

use std::path::Path;

use room::Outcome;

fn ume(folder: &Path, line: &str) -> Result<(Outcome, String), String> {
    let words = line.split_whitespace().map(|word| match word.strip_prefix('@') {
        Some(file) => folder.join(file).display().to_string(),
        None => word.to_owned(),
    });
    let all = std::iter::once("indicators".to_owned()).chain(words);
    let verb = super::verb();
    let matches = verb.command.try_get_matches_from(all).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    let outcome = (verb.run)(&matches, &mut out).map_err(|error| error.to_string())?;
    Ok((outcome, String::from_utf8(out).unwrap()))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const ROWS: &str = r#"{"id":1,"kind":"domain","value":"*.Evil-ume.com","source":"notice","received":"2026-04-01T00:00:00Z"}
{"id":2,"kind":"ip","value":"8.8.8.8","source":"feed","direction":"destination","received":"2026-04-01T00:00:00Z"}
{"id":3,"kind":"ip","value":"198.51.100.7","source":"feed","direction":"source","received":"2026-04-01T00:00:00Z","valid_until":"2026-05-01T00:00:00Z"}
{"id":4,"kind":"domain","value":"co.jp","source":"feed","received":"2026-04-01T00:00:00Z"}

{"id":5,"kind":"ip","value":"none","source":"feed"}
"#;
const LIST: &str = r#"{"name":"Public resolvers","type":"cidr","list":["8.8.8.8/32"],"matching_attributes":["ip-dst"]}"#;
const AT: &str = "--at 2026-04-02T00:00:00Z --seed 00112233445566778899aabbccddeeff";

#[test]
fn rows_become_a_set_that_knows_values() {
    let dir = folder(&[
        ("rows", ROWS),
        ("list.json", LIST),
        (
            "log",
            "www.evil-ume.com\n198.51.100.7\n10.0.0.1\n{\"kind\":\"ip\",\"value\":\"8.8.8.8\",\"direction\":\"destination\"}\n",
        ),
        ("clean", "example.com\n192.0.2.1\n"),
        ("odd", "x y\n"),
    ]);
    let ume = |line: &str| ume(dir.path(), line).unwrap();
    let (outcome, _) = ume("build --lists -o @warn.uix @list.json");
    assert_eq!(outcome, Outcome::Good);
    let (outcome, told) = ume(&format!("build -o @set.uix --warnings @warn.uix {AT} @rows"));
    assert_eq!(outcome, Outcome::Incomplete, "a line is no row");
    for want in ["rows  3", "excluded  1", "alert  1", "block  2", "refused  1"] {
        assert!(told.lines().any(|line| line == want), "{want} in {told}");
    }
    let again = ume(&format!("build -o @again.uix --warnings @warn.uix {AT} @rows")).1;
    assert_eq!(told, again, "the same rows, time and seed are the same file");

    let at = "--at 2026-04-02T00:00:00Z";
    let (outcome, hits) = ume(&format!("match --set @set.uix --format csv {at} @log"));
    assert_eq!(outcome, Outcome::Found);
    let hits: Vec<&str> = hits.lines().skip(1).collect();
    assert_eq!(
        hits,
        [
            "1,domain,www.evil-ume.com,1,domain,subdomains,evil-ume.com,both,block,notice,,2026-09-28T00:00:00Z",
            "2,ip,198.51.100.7,3,ip,exact,198.51.100.7,source,block,feed,,2026-05-01T00:00:00Z",
            "4,ip,8.8.8.8,2,ip,exact,8.8.8.8,destination,alert,feed,,2026-09-28T00:00:00Z",
        ]
    );
    let (_, later) =
        ume("match --set @set.uix --at 2026-06-01T00:00:00Z --direction destination @log");
    assert!(!later.contains("198.51.100.7"), "{later}");
    assert_eq!(ume(&format!("match --set @set.uix {at} @clean")).0, Outcome::Good);
    assert_eq!(ume(&format!("match --set @set.uix {at} @odd")).0, Outcome::Incomplete);
}

#[test]
fn a_delta_takes_away_and_adds_and_diff_tells_it() {
    let changed = r#"{"id":1,"kind":"domain","value":"*.evil-ume.com","source":"notice","revoked":true}
{"gone":3}
{"id":9,"kind":"md5","value":"d41d8cd98f00b204e9800998ecf8427e","source":"notice"}"#;
    let dir = folder(&[
        ("rows", ROWS),
        ("changed", changed),
        ("log", "www.evil-ume.com\n198.51.100.7\nd41d8cd98f00b204e9800998ecf8427e\n"),
    ]);
    let ume = |line: &str| ume(dir.path(), line).unwrap();
    ume(&format!("build -o @set.uix {AT} @rows"));
    ume(&format!("build --delta -o @delta.uix {AT} @changed"));
    let (_, hits) =
        ume("match --set @set.uix --delta @delta.uix --format csv --at 2026-04-02T00:00:00Z @log");
    assert_eq!(
        hits.lines().skip(1).map(|line| line.split(',').nth(3).unwrap()).collect::<Vec<_>>(),
        ["9"]
    );
    assert_eq!(ume("diff @set.uix @set.uix"), (Outcome::Good, String::new()));
    let (outcome, told) = ume("diff @set.uix @delta.uix --format csv");
    assert_eq!(
        (outcome, told.lines().filter(|line| line.starts_with("removed")).count()),
        (Outcome::Found, 3)
    );
    assert_eq!(told.lines().filter(|line| line.starts_with("added,md5")).count(), 1);
}

#[test]
fn explain_tells_each_step_of_each_row() {
    let dir = folder(&[("rows", ROWS), ("list.json", LIST)]);
    let ume = |line: &str| ume(dir.path(), line).unwrap();
    ume("build --lists -o @warn.uix @list.json");
    let (outcome, told) =
        ume("explain 8.8.8.8 --warnings @warn.uix --format ndjson --at 2026-04-02T00:00:00Z @rows");
    assert_eq!((outcome, told.lines().count()), (Outcome::Found, 7));
    let warned = told.lines().nth(3).unwrap();
    assert!(
        warned.contains("Public resolvers") && warned.contains(r#""ceiling":"alert""#),
        "{warned}"
    );
    let (outcome, told) = ume("explain co.jp --at 2026-04-02T00:00:00Z @rows");
    assert!(outcome == Outcome::Incomplete && told.contains("excluded"), "{told}");
}

#[test]
fn values_are_brought_into_their_form_and_the_rest_is_named() {
    let dir = folder(&[("values", "HTTP://H.jp:80/a\n%TMP%\\X.exe\n"), ("odd", "?\n")]);
    let (outcome, told) = ume(dir.path(), "normalise --format csv @values").unwrap();
    assert_eq!(outcome, Outcome::Good);
    assert_eq!(told, "kind,value,scope\nurl,http://h.jp/a,exact\npath,%temp%\\x.exe,exact\n");
    assert_eq!(ume(dir.path(), "normalise @odd").unwrap().0, Outcome::Incomplete);
    assert_eq!(ume(dir.path(), "normalise --kind mutex @odd").unwrap().0, Outcome::Good);
    assert!(ume(dir.path(), "normalise @missing").unwrap_err().contains("missing"));
}

#[test]
fn a_torn_set_is_refused_and_a_failed_build_leaves_the_old_one() {
    let dir = folder(&[("rows", ROWS), ("log", "a.example.com\n")]);
    ume(dir.path(), &format!("build -o @set.uix {AT} @rows")).unwrap();
    let set = std::fs::read(dir.path().join("set.uix")).unwrap();
    assert!(ume(dir.path(), "build -o @set.uix @missing").is_err());
    assert_eq!(std::fs::read(dir.path().join("set.uix")).unwrap(), set);
    assert!(!dir.path().join("set.tmp").exists());
    let mut torn = set.clone();
    torn[20] ^= 1;
    std::fs::write(dir.path().join("torn.uix"), &torn).unwrap();
    let error = ume(dir.path(), "match --set @torn.uix @log").unwrap_err();
    assert!(error.contains("torn.uix: its content is not what it was"), "{error}");
    std::fs::write(dir.path().join("cut.uix"), &set[..99]).unwrap();
    assert!(ume(dir.path(), "match --set @cut.uix @log").is_err());
}
