//! Follows systemd's journal through `journalctl -o json -f`.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use super::{Shutdown, blocking, ended, ingest, room};
use crate::{
    Format, Framing, LineFramer, RawLine, Result, Stream,
    error::At,
    files::{read_json, write_json},
};

/// A followed journal.
#[derive(Debug)]
pub struct JournalFollow {
    source: String,
    /// Entries taken from the past the first time.
    first_lines: u32,
}

impl JournalFollow {
    /// `None` if this machine has no journal or no `journalctl`.
    pub fn find(source: &str, first_lines: u32) -> Option<JournalFollow> {
        let journal = ["/var/log/journal", "/run/log/journal"].iter().any(|folder| {
            std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
        });
        let paths = std::env::var_os("PATH")?;
        let binary = std::env::split_paths(&paths).any(|p| p.join("journalctl").is_file());
        (journal && binary).then(|| JournalFollow { source: source.to_owned(), first_lines })
    }

    /// Follows until the end or until `journalctl` ends, whichever comes first.
    pub async fn run(self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let state = stream.state_folder().join("journal.json");
        let program = Path::new("journalctl");
        let cursor = read_json::<String>(&state)?;
        let position = match &cursor {
            Some(cursor) => format!("--after-cursor={cursor}"),
            None => format!("--lines={}", self.first_lines),
        };
        // After a cursor, -f alone would begin with the last ten entries only.
        let all = cursor.is_some().then_some("--no-tail");
        let mut child = Command::new(program)
            .args(["--output=json", "--follow", "--quiet", &position])
            .args(all)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .at("start", program)?;
        let Some(mut out) = child.stdout.take() else { return Ok(()) };
        let mut framer = LineFramer::new(Framing::Newline);
        let mut buffer = vec![0; 1 << 18];
        while room(&stream, &mut shutdown).await {
            let got = tokio::select! {
                got = out.read(&mut buffer) => got.at("read from", program)?,
                () = ended(&mut shutdown) => 0,
            };
            if got == 0 {
                break;
            }
            let mut pieces = framer.push(&buffer[..got]);
            // Whatever follows at once goes into the same batch and the same fdatasync.
            while pieces.len() < 1000 {
                let more = timeout(Duration::from_millis(50), out.read(&mut buffer)).await;
                let Ok(Ok(got @ 1..)) = more else { break };
                pieces.extend(framer.push(&buffer[..got]));
            }
            let cursor = pieces.iter().rev().find_map(|piece| cursor_of(&piece.bytes));
            let line = |p: crate::Piece| RawLine {
                bytes: p.bytes,
                format: Format::Journal,
                peer: None,
                part: p.part,
            };
            ingest(&stream, &self.source, pieces.into_iter().map(line).collect()).await?;
            if let Some(cursor) = cursor {
                let state = state.clone();
                blocking(move || write_json(&state, &cursor)).await?;
            }
        }
        Ok(())
    }
}

/// The cursor without parsing the whole entry: it stands near its start.
fn cursor_of(entry: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"__CURSOR\":\"";
    let start = entry.windows(KEY.len()).position(|w| w == KEY)? + KEY.len();
    let end = start + entry[start..].iter().position(|b| *b == b'"')?;
    let cursor = std::str::from_utf8(&entry[start..end]).ok()?;
    let plain = cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"=;-_".contains(&b));
    plain.then(|| cursor.to_owned())
}
