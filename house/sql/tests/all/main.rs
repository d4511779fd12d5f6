//! SQL over a real archive: it says what a search says, and nothing hostile gets through.
//!
//! Only with the feature; `./test sql` runs it.
#![cfg(feature = "datafusion")]

mod answers;
mod apart;
mod hostile;

use std::path::Path;

use model::Timestamp;
use sql::{Answer, Ask, Limits, Trouble};
use stream::{Archive, Event};

const START: i64 = 1_795_600_000_000_000;
const HOUR: i64 = 3_600_000_000;

fn event(n: i64) -> Event {
    let (source, class) = [("ssh", 3002), ("web", 4002), ("kernel", 0)][(n % 3) as usize];
    let message = format!("event number {n} from {source}");
    Event {
        // Two in three are kept once, in their raw bytes.
        raw: if n % 3 == 0 { b"other".to_vec() } else { format!("<13>{message}").into_bytes() },
        event_time: (n % 2 == 0).then_some(Timestamp(START + n * HOUR / 100)),
        arrived: Timestamp(START + n * HOUR / 100),
        source: source.to_owned(),
        class,
        host: format!("h{}", n % 5),
        app: "app".to_owned(),
        severity: (n % 4) as u8,
        message,
        fields: [
            ("user".to_owned(), if n % 7 == 0 { "root".to_owned() } else { "mika".to_owned() }),
            ("src.ip".to_owned(), format!("192.0.2.{}", n % 9)),
        ]
        .into(),
    }
}

/// An archive of 6,000 events over sixty hours, in segments of a hundred and of one of three classes.
fn archive(folder: &Path) {
    let archive = Archive::open(folder).unwrap();
    for from in (0..6_000).step_by(300) {
        let events: Vec<Event> = (from..from + 300).map(event).collect();
        archive.write(&events, from as u64, from as u64 + 300).unwrap();
    }
}

fn ask(folder: &Path, sql: &str) -> Result<Answer, Trouble> {
    let limits = Limits { seconds_max: 20, memory_bytes_max: 64 << 20, ..Limits::default() };
    sql::run(folder, &Ask { sql: sql.to_owned(), limits, ..Ask::default() })
}
