//! What the reader of cells does not tell of a sheet: merged areas, hidden rows and columns.
//!
//! Only tags are looked at, one at a time, so that a sheet of any size costs one pass and no memory.
//! The caller has bounded what the part unpacks to.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Cursor, Read},
};

use zip::ZipArchive;

use crate::{
    Area, SheetError,
    limits::{COLUMNS_MAX, ROWS_MAX},
};

/// Areas of one sheet; Excel itself becomes unusable long before.
const AREAS_MAX: usize = 200_000;

/// Marks of one sheet, in rows and columns of the file.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub merged: Vec<Area>,
    pub hidden_rows: BTreeSet<usize>,
    pub hidden_columns: BTreeSet<usize>,
}

type Zip<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// The parts that hold the sheets, in the order of the workbook.
pub(crate) fn sheet_parts(zip: &mut Zip<'_>) -> Vec<Option<String>> {
    let mut targets = Vec::new();
    each_tag(zip, "xl/_rels/workbook.xml.rels", |tag| {
        if let (Some(id), Some(target)) = (attribute(tag, "Id"), attribute(tag, "Target")) {
            let path = match target.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("xl/{target}"),
            };
            targets.push((id.to_owned(), path));
        }
        true
    });
    let mut parts = Vec::new();
    each_tag(zip, "xl/workbook.xml", |tag| {
        if name(tag) == "sheet" {
            let id = attribute(tag, "id");
            let part = targets.iter().find(|(known, _)| Some(known.as_str()) == id);
            parts.push(part.map(|(_, path)| path.clone()));
        }
        true
    });
    parts
}

/// Reads the marks of a sheet's part.
pub(crate) fn read(zip: &mut Zip<'_>, part: &str) -> Result<Marks, SheetError> {
    let (mut marks, mut row, mut areas) = (Marks::default(), 0usize, 0usize);
    each_tag(zip, part, |tag| {
        match name(tag) {
            "row" => {
                row = number(tag, "r").unwrap_or(row + 1);
                if is_on(tag, "hidden") && (1..=ROWS_MAX).contains(&row) {
                    marks.hidden_rows.insert(row - 1);
                }
            }
            "col" if is_on(tag, "hidden") => {
                let (first, last) = (number(tag, "min"), number(tag, "max"));
                if let (Some(first), Some(last)) = (first, last) {
                    marks.hidden_columns.extend(first.max(1) - 1..last.min(COLUMNS_MAX));
                }
            }
            "mergeCell" => {
                areas += 1;
                marks.merged.extend(attribute(tag, "ref").and_then(area));
            }
            _ => {}
        }
        areas <= AREAS_MAX
    });
    if areas > AREAS_MAX { Err(SheetError::Cells) } else { Ok(marks) }
}

/// Hands over each tag of a part, without its brackets, until told to stop.
fn each_tag(zip: &mut Zip<'_>, part: &str, mut take: impl FnMut(&str) -> bool) {
    let Ok(file) = zip.by_name(part) else { return };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        // Text before a tag comes with it; a damaged part ends the reading, and the reader of cells
        // says so.
        let read = (&mut reader).take(u64::MAX).read_until(b'>', &mut chunk);
        if !read.is_ok_and(|n| n > 0) {
            return;
        }
        let Some(open) = chunk.iter().rposition(|b| *b == b'<') else { continue };
        let tag = chunk[open + 1..].strip_suffix(b">").unwrap_or(&chunk[open + 1..]);
        // Most tags are cells and their values, which say nothing here.
        let tells = matches!(tag.first(), Some(b'r' | b'm' | b's' | b'R')) || tag.contains(&b':');
        let is_column = tag.starts_with(b"col ");
        if (tells || is_column) && std::str::from_utf8(tag).is_ok_and(|tag| !take(tag)) {
            return;
        }
    }
}

/// Name of a tag without its prefix; closing tags have none.
fn name(tag: &str) -> &str {
    let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(tag.len());
    let name = &tag[..end];
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// An attribute by its name without prefix.
fn attribute<'t>(tag: &'t str, wanted: &str) -> Option<&'t str> {
    let mut rest = tag;
    while let Some(at) = rest.find('=') {
        let key = rest[..at].trim_end();
        let key = key.rsplit(|c: char| c.is_ascii_whitespace() || c == ':').next().unwrap_or(key);
        let value = rest[at + 1..].trim_start();
        let quote = value.chars().next().filter(|q| "\"'".contains(*q))?;
        let (text, after) = value[1..].split_once(quote)?;
        if key == wanted {
            return Some(text);
        }
        rest = after;
    }
    None
}

fn number(tag: &str, wanted: &str) -> Option<usize> {
    attribute(tag, wanted)?.parse().ok()
}

fn is_on(tag: &str, wanted: &str) -> bool {
    matches!(attribute(tag, wanted), Some("1" | "true"))
}

/// `B2:D5` as rows and columns from 0.
pub(crate) fn area(text: &str) -> Option<Area> {
    let (first, last) = text.split_once(':')?;
    let ((top, left), (bottom, right)) = (place(first)?, place(last)?);
    (top <= bottom && left <= right).then_some(Area { top, left, bottom, right })
}

pub(crate) fn place(text: &str) -> Option<(usize, usize)> {
    let digits = text.find(|c: char| c.is_ascii_digit())?;
    let column = text[..digits].bytes().try_fold(0usize, |sum, b| {
        b.is_ascii_uppercase()
            .then(|| sum.checked_mul(26)?.checked_add(usize::from(b - b'A') + 1))?
    })?;
    let row: usize = text[digits..].parse().ok()?;
    Some((row.checked_sub(1)?, column.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_read_from_its_reference() {
        assert_eq!(area("B2:D5"), Some(Area { top: 1, left: 1, bottom: 4, right: 3 }));
        assert_eq!(area("AA10:AB10"), Some(Area { top: 9, left: 26, bottom: 9, right: 27 }));
        for bad in ["", "B2", "D5:B2", "2:3", "A0:A1", "é1:B2"] {
            assert_eq!(area(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_attribute_is_found_whatever_its_quote_and_prefix() {
        let tag = "x:row r='5' spans=\"1:3\" hidden = \"1\" r:id=\"rId1\"/";
        assert_eq!(
            (name(tag), attribute(tag, "r"), attribute(tag, "id")),
            ("row", Some("5"), Some("rId1"))
        );
        assert!(is_on(tag, "hidden") && !is_on(tag, "spans"));
        assert_eq!(attribute("row r", "r"), None);
    }
}
