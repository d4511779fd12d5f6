//! The process that a statement runs in: what it gives up, and what becomes of whoever asked.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use sql::{Answer, Ask, Kind, Limits, Trouble, apart};

use super::archive;

/// The worker, which cargo builds beside the tests.
fn asked(folder: &std::path::Path, sql: &str, limits: Limits) -> Result<Answer, Trouble> {
    apart::PROGRAM.get_or_init(|| {
        let tests = std::env::current_exe().unwrap();
        let folder: PathBuf = tests.parent().unwrap().parent().unwrap().into();
        folder.join("examples/worker")
    });
    apart::apart(folder, &Ask { sql: sql.to_owned(), limits, ..Ask::default() })
}

/// One after the other: only so many may run at the same time, and that is tested too.
#[test]
fn a_process_answers_and_takes_nobody_with_it_when_it_ends() {
    let place = tempfile::tempdir().unwrap();
    archive(place.path());
    let limits = Limits { seconds_max: 60, memory_bytes_max: 64 << 20, ..Limits::default() };
    let answer = asked(place.path(), "SELECT count(*) FROM events", limits).unwrap();
    assert_eq!(answer.rows, [[json!(6000)]]);
    let trouble = asked(place.path(), "SELECT x FROM events", limits).unwrap_err();
    assert_eq!((trouble.kind, trouble.at), (Kind::Meaning, Some((1, 8))));

    // A text that doubles thirty-four times is counted by no pool.
    let mut bomb = "WITH t0 AS (SELECT message AS m FROM events)".to_owned();
    for n in 1..=34 {
        bomb += &format!(", t{n} AS (SELECT concat(m, m) AS m FROM t{})", n - 1);
    }
    bomb += " SELECT max(length(m)) FROM t34";
    assert_eq!(asked(place.path(), &bomb, limits).unwrap_err().kind, Kind::Memory);

    // What does not end is ended, and meanwhile only so many are answered.
    let slow = "SELECT count(*) FROM events a, events b, events c WHERE a.message < c.message";
    let short = Limits { seconds_max: 6, ..limits };
    let start = Instant::now();
    std::thread::scope(|scope| {
        let run = || asked(place.path(), slow, short).unwrap_err().kind;
        let others: Vec<_> = (0..apart::AT_ONCE).map(|_| scope.spawn(run)).collect();
        std::thread::sleep(Duration::from_secs(2));
        let trouble = asked(place.path(), "SELECT 1", limits).unwrap_err();
        assert_eq!(trouble.kind, Kind::Busy);
        for other in others {
            assert!(matches!(other.join().unwrap(), Kind::Time | Kind::Memory));
        }
    });
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(asked(place.path(), "SELECT 1 AS one", limits).unwrap().rows, [[json!(1)]]);
}
