//! Follows systemd's journal through `journalctl -o json -f`.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use super::{Shutdown, blocking, ended, now, room};
use crate::{
    Format, Framing, LineFramer, MAX_PARTS, Marked, Piece, RawLine, Result, Stream, error::At,
    files::read_json, notices,
};

/// Name of this intake's mark.
const INTAKE: &str = "journal";

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
        let program = Path::new("journalctl");
        let cursor = match stream.mark(INTAKE) {
            Some(cursor) => Some(cursor),
            None => read_json::<String>(&stream.state_folder().join("journal.json"))?,
        };
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
        let mut entries = Entries::default();
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
            let lines = entries.take(pieces, framer.within());
            let (stream, source) = (stream.clone(), self.source.clone());
            blocking(move || {
                let notices = notices::found(lines.iter().map(|marked| &marked.line));
                stream.ingest_marked(INTAKE, &source, lines, now())?;
                notices::count(&stream, &source, notices)
            })
            .await?;
        }
        Ok(())
    }
}

/// Puts each entry's cursor onto its last piece, and holds an entry back until it is whole.
#[derive(Debug, Default)]
struct Entries {
    held: Vec<Piece>,
    cursor: Option<String>,
}

impl Entries {
    fn take(&mut self, pieces: Vec<Piece>, within: bool) -> Vec<Marked> {
        self.held.extend(pieces);
        // The pieces of an entry that has not ended wait, unless it is one without end.
        let begun = self.held.iter().rposition(|piece| piece.part <= 1).unwrap_or(0);
        let wait = within && self.held.last().is_some_and(|p| (1..=MAX_PARTS).contains(&p.part));
        let rest = if wait { self.held.split_off(begun) } else { Vec::new() };
        let whole = std::mem::replace(&mut self.held, rest);
        let ends: Vec<bool> = (1..=whole.len())
            .map(|next| {
                whole.get(next).map_or(!within || whole[next - 1].part == 0, |p| p.part <= 1)
            })
            .collect();
        let marked = whole.into_iter().zip(ends).map(|(piece, end)| {
            if piece.part <= 1 {
                self.cursor = cursor_of(&piece.bytes);
            }
            let position = if end { self.cursor.take() } else { None };
            let Piece { bytes, part } = piece;
            Marked { line: RawLine { bytes, format: Format::Journal, peer: None, part }, position }
        });
        marked.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_LINE_BYTES;

    fn entry(n: u32, filler: usize) -> Vec<u8> {
        format!("{{\"__CURSOR\":\"s=a;i={n}\",\"MESSAGE\":\"{}\"}}\n", "x".repeat(filler)).into()
    }

    #[test]
    fn a_cursor_stands_on_the_last_piece_of_its_entry_however_the_bytes_come() {
        let long = MAX_LINE_BYTES * 2;
        let bytes =
            [entry(1, 3), entry(2, long), entry(3, 3), entry(4, long), entry(5, 1)].concat();
        for chunk in [1_000, 70_000, 131_000, bytes.len()] {
            let (mut framer, mut entries) = (LineFramer::new(Framing::Newline), Entries::default());
            let mut marks = Vec::new();
            for part in bytes.chunks(chunk) {
                let pieces = framer.push(part);
                for marked in entries.take(pieces, framer.within()) {
                    let short = marked.line.bytes.len() < MAX_LINE_BYTES;
                    assert_eq!(marked.position.is_some(), short, "{chunk}");
                    marks.extend(marked.position);
                }
            }
            let all: Vec<String> = (1..=5).map(|n| format!("s=a;i={n}")).collect();
            assert_eq!(marks, all, "{chunk}");
        }
    }
}
