//! Lines of a file or of the standard input, one by one, whatever their length.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use crate::{CliError, progress};

/// The longest line of a file of events.
pub const LINE_BYTES_MAX: usize = 4 << 20;

/// A line as it was read.
pub enum Line<'a> {
    /// Without its end, a byte order mark and space around it.
    Text(&'a [u8]),
    /// Longer than [`LINE_BYTES_MAX`]; the rest of it is skipped.
    TooLong,
}

/// Hands over each line with its number, from 1.
pub fn each(
    file: &str,
    reader: &mut dyn BufRead,
    take: &mut dyn FnMut(u64, Line<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let io = |source| CliError::Io { path: file.into(), source };
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        progress::going().map_err(|_| CliError::Stopped)?;
        line.clear();
        let read =
            reader.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line).map_err(io)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() > LINE_BYTES_MAX && !line.ends_with(b"\n") {
            take(number, Line::TooLong)?;
            skip_line(reader).map_err(io)?;
            continue;
        }
        let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line).trim_ascii();
        take(number, Line::Text(text))?;
    }
}

/// The same of a file, `-` being the standard input.
pub fn of_file(
    path: &Path,
    take: &mut dyn FnMut(u64, Line<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let file = path.display().to_string();
    if path == Path::new("-") {
        return each(&file, &mut std::io::stdin().lock(), take);
    }
    let opened =
        File::open(path).map_err(|source| CliError::Io { path: path.to_owned(), source })?;
    each(&file, &mut BufReader::with_capacity(1 << 16, opened), take)
}

fn skip_line(reader: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let part = reader.fill_buf()?;
        let end = part.iter().position(|b| *b == b'\n');
        let used = end.map_or(part.len(), |end| end + 1);
        let over = end.is_some() || part.is_empty();
        reader.consume(used);
        if over {
            return Ok(());
        }
    }
}
