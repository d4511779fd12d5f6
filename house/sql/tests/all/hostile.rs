//! Statements that would do more than read, or take more than they may.

use std::time::{Duration, Instant};

use sql::{Ask, Kind, Limits};

use super::{archive, ask};

#[test]
fn nothing_but_one_statement_that_reads_is_taken() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let out = place.path().join("out");
    let out = out.display();
    for (sql, kind) in [
        (format!("COPY events TO '{out}.csv' STORED AS CSV"), Kind::NotRead),
        (format!("COPY (SELECT * FROM events) TO '{out}.parquet'"), Kind::NotRead),
        (format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{out}'"), Kind::NotRead),
        ("CREATE TABLE t AS SELECT * FROM events".to_owned(), Kind::NotRead),
        ("CREATE VIEW v AS SELECT 1".to_owned(), Kind::NotRead),
        ("DROP TABLE events".to_owned(), Kind::NotRead),
        ("INSERT INTO events SELECT * FROM events".to_owned(), Kind::NotRead),
        ("DELETE FROM events".to_owned(), Kind::NotRead),
        ("UPDATE events SET host = 'x'".to_owned(), Kind::NotRead),
        ("TRUNCATE TABLE events".to_owned(), Kind::NotRead),
        ("SET datafusion.execution.batch_size = 1".to_owned(), Kind::NotRead),
        ("RESET datafusion.execution.batch_size".to_owned(), Kind::NotRead),
        ("SHOW TABLES".to_owned(), Kind::NotRead),
        ("DESCRIBE events".to_owned(), Kind::NotRead),
        ("EXPLAIN ANALYZE SELECT * FROM events".to_owned(), Kind::NotRead),
        ("EXPLAIN SELECT 1".to_owned(), Kind::NotRead),
        ("PREPARE p AS SELECT 1".to_owned(), Kind::NotRead),
        ("BEGIN".to_owned(), Kind::NotRead),
        ("SELECT * INTO t FROM events".to_owned(), Kind::NotRead),
        ("SELECT 1; SELECT 2".to_owned(), Kind::NotOne),
        ("SELECT 1; DROP TABLE events".to_owned(), Kind::NotOne),
        (String::new(), Kind::NotOne),
        ("SELEC 1".to_owned(), Kind::Syntax),
        (format!("SELECT '{}'", "x".repeat(20_000)), Kind::TooLong),
    ] {
        let trouble = ask(place.path(), &sql).unwrap_err();
        assert_eq!(trouble.kind, kind, "{sql:.60}: {trouble:?}");
    }
    assert!(ask(place.path(), "WITH x AS (DELETE FROM events) SELECT 1").is_err());
    let left: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with("2026-")), "{left:?}");
}

#[test]
fn there_is_no_other_table_no_file_and_no_function_of_tables() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    std::fs::write(place.path().join("x.csv"), "a\n1\n").unwrap();
    let file = place.path().join("x.csv");
    let file = file.display();
    for sql in [
        format!("SELECT * FROM '{file}'"),
        format!("SELECT * FROM \"{file}\""),
        format!("SELECT * FROM read_csv('{file}')"),
        format!("SELECT * FROM read_parquet('{file}')"),
        "SELECT * FROM generate_series(1, 1000000000000)".to_owned(),
        "SELECT * FROM range(1, 1000000000000)".to_owned(),
        "SELECT generate_series(1, 1000000000000)".to_owned(),
        "SELECT range(1, 1000000000000)".to_owned(),
        "SELECT * FROM information_schema.tables".to_owned(),
        "SELECT * FROM information_schema.df_settings".to_owned(),
        "SELECT * FROM parquet_metadata('x')".to_owned(),
        "SELECT repeat('x', 2000000000)".to_owned(),
        "SELECT lpad('x', 2000000000, 'y'), rpad('x', 2000000000)".to_owned(),
        "SELECT array_repeat('x', 1000000000)".to_owned(),
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
            .to_owned(),
        "SELECT nothing FROM events".to_owned(),
    ] {
        let trouble = ask(place.path(), &sql).unwrap_err();
        assert_eq!(trouble.kind, Kind::Meaning, "{sql}: {trouble:?}");
        assert!(!trouble.said.is_empty(), "{sql}");
    }
}

#[test]
fn what_would_take_all_memory_or_never_end_is_ended() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let bomb =
        "SELECT count(*) FROM events a, events b, events c, events d WHERE a.message < d.message";
    let start = Instant::now();
    let limits = Limits { seconds_max: 2, memory_bytes_max: 64 << 20, ..Limits::default() };
    let asked = Ask { sql: bomb.to_owned(), limits, ..Ask::default() };
    let trouble = sql::run(place.path(), &asked).unwrap_err();
    assert!(matches!(trouble.kind, Kind::Time | Kind::Memory), "{trouble:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let sorted = "SELECT a.raw, b.raw FROM events a, events b ORDER BY 1, 2";
    let limits = Limits { seconds_max: 30, memory_bytes_max: 2 << 20, ..Limits::default() };
    let asked = Ask { sql: sorted.to_owned(), limits, ..Ask::default() };
    let trouble = sql::run(place.path(), &asked).unwrap_err();
    assert_eq!(trouble.kind, Kind::Memory, "{trouble:?}");
}

#[test]
fn a_deep_expression_is_refused_and_overflows_nothing() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    for sql in [
        format!("SELECT {}1{}", "(".repeat(4_000), ")".repeat(4_000)),
        format!("SELECT {}1", "NOT ".repeat(4_000)),
        format!("SELECT 1{}", "+1".repeat(7_000)),
        format!("SELECT {}1{}", "abs(".repeat(2_000), ")".repeat(2_000)),
    ] {
        // Refused or answered: what counts is that the process lives.
        let _ = ask(place.path(), &sql);
    }
    for many in
        [vec!["SELECT 1"; 800].join(" UNION ALL "), vec!["SELECT 1"; 400].join(" UNION ALL ")]
    {
        let _ = ask(place.path(), &many);
    }
    let sum = format!("SELECT 1{} AS n", " + 1".repeat(100));
    assert_eq!(ask(place.path(), &sum).unwrap().rows, [[serde_json::json!(101)]]);
}

#[test]
fn a_trouble_names_its_place() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let trouble = ask(place.path(), "SELECT *\nFORM events").unwrap_err();
    assert_eq!((trouble.kind, trouble.at.map(|at| at.0)), (Kind::Syntax, Some(2)), "{trouble:?}");
    let trouble = ask(place.path(), "SELECT time,\n  hosst FROM events").unwrap_err();
    assert_eq!((trouble.kind, trouble.at), (Kind::Meaning, Some((2, 3))), "{trouble:?}");
    let (ja, en) = trouble.texts();
    assert!(ja.starts_with("2行3文字目") && en.contains("hosst"), "{ja} {en}");
}
