//! What SQL answers is what a search finds.

use serde_json::{Value as Json, json};
use sql::{Ask, Limits};
use stream::{Query, query, search};

use super::{HOUR, START, archive, ask};

fn number(folder: &std::path::Path, sql: &str) -> u64 {
    let answer = ask(folder, sql).unwrap();
    assert_eq!(answer.rows.len(), 1, "{sql}: {answer:?}");
    answer.rows[0][0].as_u64().unwrap()
}

#[test]
fn counts_are_those_of_a_search() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    for (terms, condition) in [
        ("", "true"),
        ("source:ssh", "source = 'ssh'"),
        ("host:h3 class:4002", "host = 'h3' AND class = 4002"),
        ("user:root", "field(fields, 'user') = 'root'"),
        ("message:*number?17*", "message LIKE '%number?17%'"),
        ("-source:web severity:2", "source <> 'web' AND severity = 2"),
        ("\"number 17 from\"", "message LIKE '%number 17 from%'"),
    ] {
        let wanted =
            Query { terms: query::parse(terms).unwrap(), limit: 100_000, ..Query::default() };
        let wanted = search(place.path(), &wanted).unwrap().events.len() as u64;
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        assert_eq!(number(place.path(), &sql), wanted, "{condition}");
    }
    assert_eq!(number(place.path(), "SELECT count(*) FROM events"), 6_000);
}

#[test]
fn a_span_is_that_of_a_search_and_prunes_what_lies_outside() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let (from, to) = (START + 10 * HOUR + 7, START + 20 * HOUR);
    let wanted = Query {
        from: Some(model::Timestamp(from)),
        to: Some(model::Timestamp(to)),
        source: Some("web".to_owned()),
        limit: 100_000,
        ..Query::default()
    };
    let wanted = search(place.path(), &wanted).unwrap().events.len();
    let asked = Ask {
        sql: "SELECT count(*) FROM events".to_owned(),
        from: Some(from),
        to: Some(to),
        source: Some("web".to_owned()),
        ..Ask::default()
    };
    let answer = sql::run(place.path(), &asked).unwrap();
    assert_eq!(answer.rows, [[json!(wanted)]]);
    // Of sixty segments a sixth lies in the span, and a third of that is of the source.
    assert!(answer.scanned_segments <= 5 && answer.pruned_segments >= 55, "{answer:?}");
    // The same said by the statement prunes as well.
    let time = |us: i64| model::Timestamp(us).rfc3339();
    let sql = format!(
        "SELECT count(*) FROM events WHERE time >= '{}' AND time < '{}' AND source = 'web' AND class = 4002",
        time(from),
        time(to)
    );
    let said = ask(place.path(), &sql).unwrap();
    assert_eq!(said.rows, answer.rows);
    assert!(said.scanned_segments <= 5, "{said:?}");
}

#[test]
fn rows_are_whole_in_every_column_and_have_their_types() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let sql = "SELECT time, event_time, class, message, raw, field(fields, 'src.ip') AS ip, severity > 1 AS grave \
               FROM events WHERE message LIKE 'event number 16 %' OR message LIKE 'event number 17 %' ORDER BY time";
    let answer = ask(place.path(), sql).unwrap();
    assert_eq!(answer.columns, ["time", "event_time", "class", "message", "raw", "ip", "grave"]);
    let text = |row: usize, column: usize| answer.rows[row][column].as_str().unwrap();
    assert_eq!(text(0, 3), "event number 16 from web");
    assert_eq!(text(0, 4), "<13>event number 16 from web");
    assert_eq!((text(1, 3), text(1, 5)), ("event number 17 from kernel", "192.0.2.8"));
    assert!(text(0, 0).starts_with("2026-11-25T") && text(0, 0).ends_with('Z'), "{}", text(0, 0));
    assert_eq!(answer.rows[1][1], Json::Null);
    assert_eq!((&answer.rows[0][2], &answer.rows[1][6]), (&json!(4002), &json!(false)));
}

#[test]
fn groups_joins_windows_and_common_tables_work() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let sql = "WITH per_hour AS (SELECT date_trunc('hour', time) AS hour, source, count(*) AS n FROM events GROUP BY 1, 2) \
               SELECT source, sum(n) AS n, max(n) AS most, count(*) OVER () AS sources FROM per_hour GROUP BY source ORDER BY source";
    let answer = ask(place.path(), sql).unwrap();
    let names: Vec<_> = answer.rows.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(names, ["kernel", "ssh", "web"]);
    assert!(
        answer.rows.iter().all(|row| row[1] == json!(2000) && row[3] == json!(3)),
        "{answer:?}"
    );
    let pairs = "SELECT count(*) FROM (SELECT DISTINCT host FROM events) a JOIN (SELECT DISTINCT source FROM events) b ON a.host <> b.source";
    assert_eq!(number(place.path(), pairs), 15);
}

#[test]
fn an_answer_is_cut_at_its_limits_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let with = |limits: Limits| {
        let sql = "SELECT message FROM events".to_owned();
        sql::run(place.path(), &Ask { sql, limits, ..Ask::default() }).unwrap()
    };
    let few = with(Limits { rows_max: 7, ..Limits::default() });
    assert_eq!((few.rows.len(), few.cut), (7, true));
    let short = with(Limits { bytes_max: 1000, ..Limits::default() });
    assert!(short.cut && (20..60).contains(&short.rows.len()), "{}", short.rows.len());
    let all = with(Limits::default());
    assert_eq!((all.rows.len(), all.cut), (6_000, false));
}

#[test]
fn a_damaged_segment_costs_its_own_rows_and_is_named() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let day = std::fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
    let class = day.join("4002");
    let segment = std::fs::read_dir(class).unwrap().map(|e| e.unwrap().path());
    let segment =
        segment.into_iter().find(|p| p.extension().is_some_and(|e| e == "parquet")).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    for byte in &mut bytes[4..2000] {
        *byte = 0xff;
    }
    std::fs::write(&segment, bytes).unwrap();
    let answer = ask(place.path(), "SELECT message FROM events").unwrap();
    assert_eq!((answer.rows.len(), answer.unreadable.len()), (5_900, 1), "{:?}", answer.unreadable);
}
