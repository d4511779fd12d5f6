//! Prints the events of a stream's archive, one a line: source, peer, message. For the tests with real
//! senders, which hold what is printed against what was sent.
//!   events FOLDER-OF-THE-STREAM

use std::path::Path;

fn main() -> stream::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_default();
    let query = stream::Query { limit: usize::MAX, ..stream::Query::default() };
    let found = stream::search(&Path::new(&folder).join("archive"), &query)?;
    for event in found.events {
        let peer = event.fields.get("peer").map_or("-", String::as_str);
        println!("{}\t{peer}\t{}", event.source, event.message.escape_debug());
    }
    Ok(())
}
