//! What the archive of a file of lines costs, and what a search for a text reads of it: bytes of segments and sidecars beside
//! those of the same events as NDJSON under `zstd -9`.
//!   rare FILE FOLDER TEXT…        writes below FOLDER, which must not exist

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use model::Timestamp;
use stream::{Limits, Query, RawLine, Stream, query::parse, scan, search, sidecar};

type Failed = Box<dyn std::error::Error>;

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
/// Lines between two flushes.
const FLUSH_LINES: usize = 50_000;

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder, texts @ ..] = args.as_slice() else {
        return Err("rare FILE FOLDER TEXT…".into());
    };
    let folder = Path::new(folder);
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()).into());
    }
    fill(Path::new(file), folder)?;
    let archive = folder.join("archive");
    let (mut segments, mut sidecars) = (0, 0);
    let mut zstd = Command::new("zstd")
        .args(["-q", "-9", "-f", "-o"])
        .arg(folder.join("events.zst"))
        .stdin(Stdio::piped())
        .spawn()?;
    let mut packed = zstd.stdin.take().ok_or("no pipe to zstd")?;
    let (mut events, mut plain) = (0u64, 0u64);
    for range in scan::ranges(&archive)? {
        for path in &range.segments {
            segments += path.metadata()?.len();
            sidecars += sidecar::path_of(path).metadata()?.len();
        }
        for event in scan::events(&range.segments) {
            let event = event?;
            let line = serde_json::json!({
                "time": event.time().rfc3339(), "arrived": event.arrived.rfc3339(),
                "source": event.source, "class": event.class, "host": event.host, "app": event.app,
                "severity": event.severity, "message": event.message, "fields": event.fields,
                "raw": String::from_utf8_lossy(&event.raw),
            });
            let line = format!("{line}\n");
            events += 1;
            plain += line.len() as u64;
            packed.write_all(line.as_bytes())?;
        }
    }
    drop(packed);
    zstd.wait()?;
    let zst = folder.join("events.zst").metadata()?.len();
    println!("{events} events, NDJSON {plain} bytes, zstd -9 {zst}");
    println!(
        "segments {segments}, sidecars {sidecars}: {:.2} of zstd -9",
        (segments + sidecars) as f64 / zst as f64
    );
    for text in texts {
        let query = Query { terms: parse(text)?, ..Query::default() };
        let found = search(&archive, &query)?;
        println!(
            "{text}: {} events, {} of {} segments, {} bytes read: {:.2} % of the archive",
            found.events.len(),
            found.scanned_segments,
            found.scanned_segments + found.pruned_segments,
            found.read_bytes,
            found.read_bytes as f64 * 100.0 / found.archive_bytes as f64
        );
    }
    Ok(())
}

fn fill(file: &Path, folder: &Path) -> Result<(), Failed> {
    let stream = Stream::open(folder, Limits::default())?;
    let mut lines = Vec::new();
    for line in BufReader::new(std::fs::File::open(file)?).split(b'\n') {
        lines.push(RawLine::new(line?));
        if lines.len() == FLUSH_LINES {
            stream.ingest("bench", std::mem::take(&mut lines), NOW)?;
            stream.flush(NOW)?;
        }
    }
    stream.ingest("bench", lines, NOW)?;
    stream.flush(NOW)?;
    Ok(())
}
