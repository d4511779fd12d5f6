//! systemd's journal export format: entries out of a byte stream, and fields out of an entry. No I/O.
//!
//! An entry is fields and an empty line. A field is `NAME=value LF`, or `NAME LF`, eight bytes of
//! length (little-endian), that many bytes of anything, `LF`.
//!
//! Limits: an entry keeps [`ENTRY_BYTES_MAX`] bytes; a field that does not fit is read over and the entry
//! says so ([`Entry::cut`]). A name has 256 bytes, a field 768 MiB (more than journald writes): beyond
//! that it is no journal, and the rest of the stream cannot be read.

use crate::event::{MAX_LINE_BYTES, MAX_PARTS};

/// Most bytes that are kept of an entry.
pub const ENTRY_BYTES_MAX: usize = MAX_LINE_BYTES * MAX_PARTS as usize;
const NAME_BYTES_MAX: usize = 256;
const FIELD_BYTES_MAX: u64 = 768 << 20;

/// An entry as it came, without the empty line behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub bytes: Vec<u8>,
    /// Fields that did not fit were left out.
    pub cut: bool,
}

impl Entry {
    /// Its place in its journal.
    pub fn cursor(&self) -> Option<&str> {
        let found = fields(&self.bytes).find(|(name, _)| *name == b"__CURSOR");
        std::str::from_utf8(found?.1).ok().filter(|cursor| cursor.is_ascii())
    }
}

#[derive(Debug)]
enum At {
    Line,
    Length(usize),
    Binary(u64),
    BinaryEnd,
}

/// State machine from bytes to entries.
#[derive(Debug)]
pub struct Framer {
    at: At,
    entry: Entry,
    /// The field that is being read, delimiters included.
    field: Vec<u8>,
    /// It does not fit and is only read over.
    over: bool,
    /// Its line has an equals sign, so it is text.
    text: bool,
    length: [u8; 8],
}

impl Default for Framer {
    fn default() -> Framer {
        Framer {
            at: At::Line,
            entry: Entry::default(),
            field: Vec::new(),
            over: false,
            text: false,
            length: [0; 8],
        }
    }
}

impl Framer {
    /// Takes bytes and adds the entries they complete to `out`. After an error nothing can be read.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Entry>) -> Result<(), &'static str> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.at {
                At::Line => self.line(rest, out)?,
                At::Length(have) => self.length(rest, have)?,
                At::Binary(left) => {
                    let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.keep(&rest[..taken]);
                    let left = left - taken as u64;
                    self.at = if left == 0 { At::BinaryEnd } else { At::Binary(left) };
                    taken
                }
                At::BinaryEnd if rest[0] == b'\n' => {
                    self.keep(b"\n");
                    self.end_field();
                    1
                }
                At::BinaryEnd => return Err("a binary field ends with a line feed"),
            };
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// The last entry of a stream, which may end without an empty line; a field without its end is no
    /// field.
    pub fn end(&mut self) -> Option<Entry> {
        let begun = !self.field.is_empty() || !matches!(self.at, At::Line);
        let mut entry = std::mem::take(self).entry;
        entry.cut |= begun && !entry.bytes.is_empty();
        (!entry.bytes.is_empty()).then_some(entry)
    }

    fn line(&mut self, bytes: &[u8], out: &mut Vec<Entry>) -> Result<usize, &'static str> {
        let end = bytes.iter().position(|b| *b == b'\n');
        let line = &bytes[..end.unwrap_or(bytes.len())];
        if !self.text {
            let name = line.iter().position(|b| *b == b'=');
            if self.field.len() + name.unwrap_or(line.len()) > NAME_BYTES_MAX {
                return Err("the name of a field has at most 256 bytes");
            }
            self.text = name.is_some();
        }
        self.keep(line);
        if end.is_none() {
            return Ok(line.len());
        }
        if self.field.is_empty() && !self.over {
            self.end_entry(out);
            return Ok(line.len() + 1);
        }
        self.keep(b"\n");
        if self.text {
            self.end_field()
        } else {
            self.at = At::Length(0)
        }
        Ok(line.len() + 1)
    }

    fn length(&mut self, bytes: &[u8], have: usize) -> Result<usize, &'static str> {
        let taken = bytes.len().min(8 - have);
        self.length[have..have + taken].copy_from_slice(&bytes[..taken]);
        if have + taken < 8 {
            self.at = At::Length(have + taken);
            return Ok(taken);
        }
        let length = u64::from_le_bytes(self.length);
        if length > FIELD_BYTES_MAX {
            return Err("a field has at most 768 MiB");
        }
        let whole = self.length;
        self.keep(&whole);
        self.at = if length == 0 { At::BinaryEnd } else { At::Binary(length) };
        Ok(taken)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = ENTRY_BYTES_MAX - self.entry.bytes.len();
        self.over |= self.field.len() + bytes.len() > room;
        if self.over {
            self.field = Vec::new();
        } else {
            self.field.extend_from_slice(bytes);
        }
    }

    fn end_field(&mut self) {
        self.entry.cut |= self.over;
        self.entry.bytes.append(&mut self.field);
        (self.at, self.over, self.text) = (At::Line, false, false);
    }

    fn end_entry(&mut self, out: &mut Vec<Entry>) {
        let entry = std::mem::take(&mut self.entry);
        if !entry.bytes.is_empty() {
            out.push(entry);
        }
    }
}

/// Names and values of an entry, as far as it can be read.
pub fn fields(entry: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = entry;
    std::iter::from_fn(move || {
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        if line.is_empty() {
            return None;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(at) = line.iter().position(|b| *b == b'=') {
            return Some((&line[..at], &line[at + 1..]));
        }
        let (length, after) = rest.split_first_chunk::<8>()?;
        // The first piece of a long entry ends within a value: what is there counts.
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (value, after) = after.split_at(length.min(after.len()));
        rest = after.strip_prefix(b"\n").unwrap_or_default();
        Some((line, value))
    })
}

/// Which journal a cursor points into, and where: the numbers of one journal only rise.
pub fn place(cursor: &str) -> Option<(&str, u64)> {
    let part =
        |key: char| cursor.split(';').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
    let (journal, number) = (part('s')?, u64::from_str_radix(part('i')?, 16).ok()?);
    let plain = journal.len() == 32 && journal.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then_some((journal, number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(wire: &[u8], chunk: usize) -> Result<Vec<Entry>, &'static str> {
        let (mut framer, mut out) = (Framer::default(), Vec::new());
        for bytes in wire.chunks(chunk.max(1)) {
            framer.push(bytes, &mut out)?;
        }
        out.extend(framer.end());
        Ok(out)
    }

    fn binary(name: &str, value: &[u8]) -> Vec<u8> {
        [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes(), value, b"\n"].concat()
    }

    #[test]
    fn text_and_binary_fields_come_back_and_entries_end_with_an_empty_line() {
        let odd = b"two\nlines\n\n=\0\xff";
        let first = [b"__CURSOR=s=x;i=1\nA=1=2\n".to_vec(), binary("MESSAGE", odd)].concat();
        let wire = [&first[..], b"\n\n", &binary("B", b""), b"C=\n"].concat();
        for chunk in [1, 3, 7, 1000] {
            let entries = run(&wire, chunk).unwrap();
            assert_eq!(entries.len(), 2);
            assert_eq!((&entries[0].bytes, entries[0].cursor()), (&first, Some("s=x;i=1")));
            let read: Vec<_> = fields(&entries[0].bytes).skip(1).collect();
            assert_eq!(read, [(&b"A"[..], &b"1=2"[..]), (b"MESSAGE", odd)]);
            let read: Vec<_> = fields(&entries[1].bytes).collect();
            assert_eq!(read, [(&b"B"[..], &b""[..]), (b"C", b"")]);
        }
    }

    #[test]
    fn a_field_too_long_is_left_out_and_the_rest_of_the_entry_kept() {
        let long = vec![b'\n'; ENTRY_BYTES_MAX];
        let text = "x".repeat(ENTRY_BYTES_MAX);
        let wire =
            [b"A=1\n".to_vec(), binary("B", &long), format!("C={text}\nD=2\n\nE=3\n\n").into()]
                .concat();
        let entries = run(&wire, 10_000).unwrap();
        assert_eq!(entries[0], Entry { bytes: b"A=1\nD=2\n".to_vec(), cut: true });
        assert_eq!(entries[1], Entry { bytes: b"E=3\n".to_vec(), cut: false });
    }

    #[test]
    fn what_is_no_journal_is_refused_before_it_fills_memory() {
        let lying = [b"A\n".to_vec(), u64::MAX.to_le_bytes().to_vec()].concat();
        assert!(run(&lying, 3).unwrap_err().contains("768 MiB"));
        assert!(run(&vec![b'x'; 300], 7).unwrap_err().contains("256 bytes"));
        let mut torn = binary("A", b"abc");
        *torn.last_mut().unwrap() = b'!';
        assert!(run(&torn, 3).unwrap_err().contains("line feed"));
        let half = run(b"A=1\nB=2", 2).unwrap();
        assert_eq!(half, [Entry { bytes: b"A=1\n".to_vec(), cut: true }]);
        assert!(run(b"", 1).unwrap().is_empty() && run(b"\n\n\n", 1).unwrap().is_empty());
    }

    #[test]
    fn a_cursor_names_its_journal_and_a_number() {
        let journal = "0123456789abcdef0123456789abcdef";
        let cursor = format!("s={journal};i=1f;b=00;m=1;t=2;x=3");
        assert_eq!(place(&cursor), Some((journal, 0x1f)));
        for wrong in ["", "s=1;i=1", "i=1", &format!("s={journal};i=xyz"), &format!("s={journal}")]
        {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn chunks_never_change_what_bytes_mean(
            parts in prop::collection::vec(
                prop_oneof![
                    Just(b"\n".to_vec()),
                    Just(b"A=b\n".to_vec()),
                    Just(b"A\n".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..12).prop_map(|v| binary("N", &v)),
                    prop::collection::vec(any::<u8>(), 0..12),
                ],
                0..12,
            ),
            chunk in 1usize..20,
        ) {
            let wire = parts.concat();
            prop_assert_eq!(run(&wire, chunk), run(&wire, usize::MAX));
            fields(&wire).count();
        }
    }
}
