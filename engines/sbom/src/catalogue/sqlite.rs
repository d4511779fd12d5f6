//! The SQLite file format, as far as reading all rows of a table needs it.
//!
//! Source: the file format of SQLite 3 (b-tree pages, varints, records, overflow chains). What a
//! write-ahead log holds beside the file is not seen. Every page is visited once, so a file whose
//! pages point in circles ends.

use std::collections::HashSet;

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Other,
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// A file.
pub(super) struct Database<'a> {
    bytes: &'a [u8],
    page: usize,
    usable: usize,
}

impl<'a> Database<'a> {
    /// A file of SQLite 3.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Database<'a>, String> {
        if !bytes.starts_with(b"SQLite format 3\0") || bytes.len() < 100 {
            return Err("no SQLite database".into());
        }
        let page = match u16::from_be_bytes([bytes[16], bytes[17]]) {
            1 => 65536,
            size => usize::from(size),
        };
        let usable = page.saturating_sub(usize::from(bytes[20]));
        if page < 512 || usable < 480 {
            return Err("no page size of SQLite".into());
        }
        Ok(Database { bytes, page, usable })
    }

    fn page(&self, number: u32) -> Result<&'a [u8], String> {
        let start = (number as usize).checked_sub(1).and_then(|n| n.checked_mul(self.page));
        let page = start.and_then(|start| self.bytes.get(start..start.checked_add(self.page)?));
        page.ok_or_else(|| format!("page {number} is not in the file"))
    }

    /// The payload of every row of a table by its name.
    pub(super) fn rows(&self, table: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut root = None;
        for payload in self.tree(1)? {
            let cells = record(&payload).ok_or("a record of the schema is broken")?;
            let is = |at: usize, text: &str| matches!(cells.get(at), Some((Cell::Text(t), _)) if *t == text.as_bytes());
            if is(0, "table") && is(1, table) {
                root = cells.get(3).map(|(_, number)| *number);
            }
        }
        let root = root.ok_or_else(|| format!("there is no table {table}"))?;
        self.tree(u32::try_from(root).map_err(|_| "a broken root page".to_owned())?)
    }

    fn tree(&self, root: u32) -> Result<Vec<Vec<u8>>, String> {
        let (mut rows, mut seen, mut stack) = (Vec::new(), HashSet::new(), vec![root]);
        while let Some(number) = stack.pop() {
            if !seen.insert(number) {
                return Err("pages point in circles".into());
            }
            let page = self.page(number)?;
            let head = if number == 1 { 100 } else { 0 };
            let kind = page[head];
            let cells = usize::from(u16::from_be_bytes([page[head + 3], page[head + 4]]));
            let first = head + if kind == 5 { 12 } else { 8 };
            let pointer = |index: usize| {
                let at = first + index * 2;
                Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])))
            };
            match kind {
                5 => {
                    let right = page.get(head + 8..head + 12).ok_or("a broken page")?;
                    stack.push(number_of(right));
                    for index in (0..cells).rev() {
                        let at = pointer(index).ok_or("a broken page")?;
                        stack.push(number_of(page.get(at..at + 4).ok_or("a broken page")?));
                    }
                }
                13 => {
                    for index in 0..cells {
                        let at = pointer(index).ok_or("a broken page")?;
                        rows.push(self.payload(page, at)?);
                    }
                }
                _ => return Err("no page of a table".into()),
            }
        }
        Ok(rows)
    }

    fn payload(&self, page: &[u8], at: usize) -> Result<Vec<u8>, String> {
        let broken = || "a broken cell".to_owned();
        let cell = page.get(at..).ok_or_else(broken)?;
        let (length, used) = varint(cell).ok_or_else(broken)?;
        let (_, more) = varint(&cell[used..]).ok_or_else(broken)?;
        let length = usize::try_from(length).map_err(|_| broken())?;
        if length > self.bytes.len() {
            return Err(broken());
        }
        let start = used + more;
        let local_max = self.usable - 35;
        if length <= local_max {
            return Ok(cell.get(start..start + length).ok_or_else(broken)?.to_vec());
        }
        let local_min = (self.usable - 12) * 32 / 255 - 23;
        let fitting = local_min + (length - local_min) % (self.usable - 4);
        let local = if fitting <= local_max { fitting } else { local_min };
        let mut out = cell.get(start..start + local).ok_or_else(broken)?.to_vec();
        let mut next = number_of(cell.get(start + local..start + local + 4).ok_or_else(broken)?);
        while next != 0 && out.len() < length {
            let page = self.page(next)?;
            next = number_of(&page[..4]);
            let take = (length - out.len()).min(self.usable - 4);
            out.extend_from_slice(&page[4..4 + take]);
        }
        if out.len() == length { Ok(out) } else { Err(broken()) }
    }
}

fn number_of(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some(((value << 8) | u64::from(*byte), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// The values of a record; of integers, their number.
pub(super) fn record(payload: &[u8]) -> Option<Vec<(Cell<'_>, i64)>> {
    let (head, mut at) = varint(payload)?;
    let head = usize::try_from(head).ok().filter(|head| *head <= payload.len())?;
    let (mut kinds, mut body) = (Vec::new(), head);
    while at < head {
        let (kind, used) = varint(&payload[at..])?;
        kinds.push(kind);
        at += used;
    }
    let mut cells = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            kind => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = payload.get(body..body.checked_add(length)?)?;
        body += length;
        cells.push(match kind {
            1..=6 => {
                let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
                let start = if negative { -1i64 } else { 0 };
                (Cell::Other, bytes.iter().fold(start, |sum, byte| (sum << 8) | i64::from(*byte)))
            }
            9 => (Cell::Other, 1),
            kind if kind >= 12 && kind % 2 == 0 => (Cell::Blob(bytes), 0),
            kind if kind >= 13 => (Cell::Text(bytes), 0),
            _ => (Cell::Other, 0),
        });
    }
    Some(cells)
}
