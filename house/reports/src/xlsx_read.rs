//! Reading a foreign workbook: its directory is judged, then every part is unpacked once against the
//! size it claims, and only then does the reader of sheets see it. Cells come one by one, never as the
//! rectangle that the file claims to be.

use std::{
    collections::{BTreeSet, HashSet},
    io::{Cursor, Read},
};

use calamine::{Data, DataRef, Reader, SheetType, SheetVisible, Xlsx};

use crate::{
    Area, Book, Sheet, SheetError, address,
    limits::{
        CELL_CHARS_MAX, CELLS_MAX, COLUMNS_MAX, ENTRIES_MAX, RATIO_FREE_BYTES, RATIO_MAX, ROWS_MAX,
        SHEETS_MAX, TEXT_BYTES_MAX, UNPACKED_BYTES_MAX,
    },
    xlsx_marks::{self, Marks},
};

fn bad(error: &dyn std::fmt::Display) -> SheetError {
    SheetError::Xlsx(error.to_string())
}

/// What an OLE container is: an encrypted xlsx, or the format before it.
pub(crate) fn ole(bytes: &[u8]) -> SheetError {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encrypted = bytes.windows(name.len()).any(|w| w == name);
    if encrypted { SheetError::Encrypted } else { SheetError::Xls }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Book, SheetError> {
    let marked = check_zip(bytes, UNPACKED_BYTES_MAX)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    let sheets = book.sheets_metadata().to_vec();
    if sheets.len() > SHEETS_MAX {
        return Err(SheetError::Sheets);
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    let parts = xlsx_marks::sheet_parts(&mut archive);
    let (mut read, mut used) = (Vec::new(), Used::default());
    for (index, sheet) in sheets.iter().enumerate() {
        // A chart has no cells.
        if sheet.typ != SheetType::WorkSheet {
            continue;
        }
        let rows = cells(&mut book, &sheet.name, &mut used)?;
        let part = parts.get(index).cloned().flatten().filter(|part| marked.contains(part));
        let marks = match part {
            Some(part) => xlsx_marks::read(&mut archive, &part)?,
            None => Marks::default(),
        };
        let mut sheet_read = rows.sheet(sheet.name.clone(), marks, &mut used)?;
        sheet_read.hidden = sheet.visible != SheetVisible::Visible;
        read.push(sheet_read);
    }
    Ok(Book { sheets: read, since_1904: book.has_1904_epoch() })
}

fn cells(book: &mut Xlsx<Cursor<&[u8]>>, name: &str, used: &mut Used) -> Result<Rows, SheetError> {
    let mut cells = book.worksheet_cells_reader(name).map_err(|e| bad(&e))?;
    let mut rows = Rows::default();
    while let Some(cell) = cells.next_cell().map_err(|e| bad(&e))? {
        let (row, column) = cell.get_position();
        if let Some(text) = cell_text(cell.get_value()) {
            rows.put(row as usize, column as usize, text, used)?;
        }
    }
    Ok(rows)
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Refuses a zip whose directory is too large, or whose parts are not what it says; names the parts
/// that may hide or merge something.
pub(crate) fn check_zip(bytes: &[u8], unpacked_max: u64) -> Result<HashSet<String>, SheetError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    if archive.len() > ENTRIES_MAX {
        return Err(SheetError::Entries);
    }
    let mut claimed = 0u64;
    for i in 0..archive.len() {
        let part = archive.by_index_raw(i).map_err(|e| bad(&e))?;
        let (size, packed) = (part.size(), part.compressed_size());
        if part.encrypted() {
            return Err(SheetError::Encrypted);
        }
        claimed = claimed.saturating_add(size);
        if claimed > unpacked_max {
            return Err(SheetError::Large(unpacked_max));
        }
        if size > RATIO_FREE_BYTES && size / packed.max(1) > RATIO_MAX {
            return Err(SheetError::Ratio(lossy(part.name_raw())));
        }
    }
    // The directory may lie: one byte more than it claims ends the unpacking.
    let mut marked = HashSet::new();
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(|e| bad(&e))?;
        let (name, size) = (lossy(part.name_raw()), part.size());
        let mut probe = Probe::default();
        let real = std::io::copy(&mut part.take(size + 1), &mut probe);
        // Damaged, or longer than it says.
        if !real.is_ok_and(|real| real == size) {
            return Err(SheetError::Lies(name));
        }
        if probe.found {
            marked.insert(name);
        }
    }
    Ok(marked)
}

/// Looks through what is unpacked anyway, so that a sheet without marks costs no second pass.
#[derive(Default)]
struct Probe {
    /// End of what came before: a word may lie across two pieces.
    tail: Vec<u8>,
    found: bool,
}

impl Probe {
    const WORDS: [&[u8]; 2] = [b" hidden=", b"mergeCell"];
    const LONGEST: usize = 9;

    fn look(&mut self, bytes: &[u8]) {
        let has =
            |bytes: &[u8]| Self::WORDS.iter().any(|w| memchr::memmem::find(bytes, w).is_some());
        let head = &bytes[..bytes.len().min(Self::LONGEST)];
        self.tail.extend_from_slice(head);
        self.found = has(&self.tail) || has(bytes);
        if bytes.len() >= Self::LONGEST {
            self.tail = bytes[bytes.len() - Self::LONGEST..].to_vec();
        }
    }
}

impl std::io::Write for Probe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.found {
            self.look(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the sheets of a book have used of its limits together.
#[derive(Default)]
struct Used {
    cells: usize,
    text_bytes: usize,
}

/// Cells by row, as they come.
#[derive(Default)]
struct Rows {
    /// Row and column at which the first cell stood, as far left as any.
    rows: std::collections::BTreeMap<usize, Vec<String>>,
    first_column: Option<usize>,
}

impl Rows {
    fn put(
        &mut self,
        row: usize,
        column: usize,
        text: String,
        used: &mut Used,
    ) -> Result<(), SheetError> {
        if row >= ROWS_MAX {
            return Err(SheetError::Rows);
        }
        if column >= COLUMNS_MAX {
            return Err(SheetError::Columns);
        }
        if text.len() > CELL_CHARS_MAX && text.chars().count() > CELL_CHARS_MAX {
            return Err(SheetError::Cell(address(row, column)));
        }
        used.text_bytes += text.len();
        let cells = self.rows.entry(row).or_default();
        if cells.len() <= column {
            used.cells += column + 1 - cells.len();
            if used.cells > CELLS_MAX {
                return Err(SheetError::Cells);
            }
            cells.resize(column + 1, String::new());
        }
        if used.text_bytes > TEXT_BYTES_MAX {
            return Err(SheetError::Cells);
        }
        cells[column] = text;
        self.first_column = Some(self.first_column.map_or(column, |first| first.min(column)));
        Ok(())
    }

    /// The rectangle from the first cell on; rows without cells between are empty.
    fn sheet(mut self, name: String, marks: Marks, used: &mut Used) -> Result<Sheet, SheetError> {
        let first = self.rows.keys().next().copied().unwrap_or(0);
        let end = self.rows.keys().next_back().map_or(first, |last| last + 1);
        let left = self.first_column.unwrap_or(0);
        let width = self.rows.values().map(Vec::len).max().unwrap_or(0).saturating_sub(left);
        let mut rows = Vec::new();
        for row in first..end {
            let mut cells = self.rows.remove(&row).unwrap_or_default();
            cells.drain(..left.min(cells.len()));
            rows.push(cells);
        }
        let mut merged = Vec::new();
        for area in marks.merged {
            // What lies outside the rectangle fills nothing.
            if area.bottom < first || area.top >= end || area.right < left || width == 0 {
                continue;
            }
            let area = Area {
                top: area.top.saturating_sub(first),
                left: area.left.saturating_sub(left),
                bottom: area.bottom.min(end - 1) - first,
                right: (area.right - left).min(width - 1),
            };
            if area.left > area.right {
                continue;
            }
            used.cells += (area.bottom - area.top + 1) * (area.right - area.left + 1);
            if used.cells > CELLS_MAX {
                return Err(SheetError::Cells);
            }
            merged.push(area);
        }
        let shifted = |all: BTreeSet<usize>, by: usize| {
            all.into_iter().filter_map(|n| n.checked_sub(by)).collect()
        };
        Ok(Sheet {
            name,
            rows,
            origin: (first as u32, left as u32),
            merged,
            hidden_rows: shifted(marks.hidden_rows, first),
            hidden_columns: shifted(marks.hidden_columns, left),
            hidden: false,
        })
    }
}

/// A cell as text; `None` where there is nothing.
fn cell_text(cell: &DataRef<'_>) -> Option<String> {
    let text = match cell {
        DataRef::Empty => return None,
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::DateTime(at) if at.is_duration() => {
            model::duration::iso((at.as_f64() * 86_400.0).round() as i64)
        }
        DataRef::DateTime(at) => time_text(at),
        DataRef::Float(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.0}"),
        other => Data::from(other.clone()).to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// A day, a day with its time, or a time of day alone.
fn time_text(at: &calamine::ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    let clock = match second {
        0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    };
    let whole = at.as_f64().fract() == 0.0;
    match at.as_f64() {
        x if whole && x >= 1.0 => format!("{year:04}-{month:02}-{day:02}"),
        x if (0.0..1.0).contains(&x) => clock,
        _ => format!("{year:04}-{month:02}-{day:02} {clock}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::first as read;

    const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#;
    const RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
    const BOOK: &str = r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>"#;
    const BOOK_RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLink" Target="externalLinks/externalLink1.xml"/><Relationship Id="r3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#;
    const LINK: &str = r#"<?xml version="1.0"?><externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>"#;

    fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
        packed(parts, zip::CompressionMethod::Deflated)
    }

    fn packed(parts: &[(&str, &[u8])], how: zip::CompressionMethod) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(how);
        for (name, content) in parts {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn book_with(rows: &str, strings: &str) -> Vec<u8> {
        let sheet = format!(
            "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">\
             <dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData></worksheet>"
        );
        let strings = format!(
            "<?xml version=\"1.0\"?><sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">{strings}</sst>"
        );
        let parts: [(&str, &[u8]); 7] = [
            ("[Content_Types].xml", TYPES.as_bytes()),
            ("_rels/.rels", RELS.as_bytes()),
            ("xl/workbook.xml", BOOK.as_bytes()),
            ("xl/_rels/workbook.xml.rels", BOOK_RELS.as_bytes()),
            ("xl/externalLinks/externalLink1.xml", LINK.as_bytes()),
            ("xl/sharedStrings.xml", strings.as_bytes()),
            ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ];
        packed(&parts, zip::CompressionMethod::Stored)
    }

    fn text_cell(at: &str, text: &str) -> String {
        format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    }

    #[test]
    fn a_formula_gives_its_value_and_an_outer_link_is_not_followed() {
        let rows = format!(
            "<row r=\"1\">{}{}</row><row r=\"2\">{}<c r=\"B2\"><f>1+1</f><v>2</v></c>\
             <c r=\"C2\" t=\"str\"><f>[1]Other!A1</f><v>cached</v></c>\
             <c r=\"D2\"><f>WEBSERVICE(\"http://example.invalid/\")</f></c></row>",
            text_cell("A1", "name"),
            text_cell("B1", "memory"),
            text_cell("A2", "db1"),
        );
        let sheet = read(&book_with(&rows, "")).expect("read");
        assert_eq!(sheet.rows, [vec!["name", "memory"], vec!["db1", "2", "cached"]]);
    }

    #[test]
    fn the_size_a_sheet_claims_costs_nothing_and_where_it_begins_is_kept() {
        let rows = format!("<row r=\"3\">{}</row>", text_cell("C3", "x"));
        let sheet = read(&book_with(&rows, "")).expect("read");
        assert_eq!(
            (sheet.rows.as_slice(), sheet.address(0, 0)),
            ([vec!["x".to_owned()]].as_slice(), "C3".to_owned())
        );
    }

    #[test]
    fn cells_far_away_are_refused_before_room_is_made_for_them() {
        for (at, wanted) in [("A1048576", "rows"), ("XFD1", "columns")] {
            let row: String = at.chars().filter(char::is_ascii_digit).collect();
            let rows = format!("<row r=\"{row}\">{}</row>", text_cell(at, "x"));
            let refused = read(&book_with(&rows, "")).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{at}: {refused}");
        }
        let columns: String = (0..1_000_000).map(|_| "<c/>").collect();
        let rows = format!("<row r=\"1\">{}{columns}</row>", text_cell("A1", "name"));
        assert_eq!(read(&book_with(&rows, "")).expect("read").rows, [["name"]]);
    }

    #[test]
    fn one_long_text_named_again_and_again_is_bounded() {
        let long = format!("<si><t>{}</t></si>", "あ".repeat(CELL_CHARS_MAX));
        let cells =
            "<row><c t=\"s\"><v>0</v></c></row>".repeat(TEXT_BYTES_MAX / CELL_CHARS_MAX / 3 + 9);
        assert!(matches!(read(&book_with(&cells, &long)), Err(SheetError::Cells)));
        let longer = format!("<si><t>{}</t></si>", "x".repeat(CELL_CHARS_MAX + 1));
        let cell = "<row r=\"2\"><c r=\"B2\" t=\"s\"><v>0</v></c></row>";
        let refused = read(&book_with(cell, &longer));
        assert!(matches!(&refused, Err(SheetError::Cell(at)) if at == "B2"), "{refused:?}");
    }

    #[test]
    fn a_flat_bomb_is_refused_by_its_ratio_and_its_size_and_its_number_of_parts() {
        let zeros = vec![0; 2 << 20];
        assert!(matches!(read(&zipped(&[("xl/a.xml", &zeros)])), Err(SheetError::Ratio(_))));
        // Noise does not shrink, so only the sum gives it away.
        let mut state = 1u32;
        let noise: Vec<u8> = (0..600_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let names: Vec<String> = (0..4).map(|i| format!("xl/{i}.xml")).collect();
        let parts: Vec<(&str, &[u8])> =
            names.iter().map(|n| (n.as_str(), noise.as_slice())).collect();
        let bytes = zipped(&parts);
        assert!(matches!(check_zip(&bytes, 2_000_000), Err(SheetError::Large(2_000_000))));
        assert!(check_zip(&bytes, 2_400_000).is_ok());
        let names: Vec<String> = (0..=ENTRIES_MAX).map(|i| format!("{i}")).collect();
        let parts: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b"x"[..])).collect();
        assert!(matches!(read(&zipped(&parts)), Err(SheetError::Entries)));
    }

    #[test]
    fn a_directory_that_lies_about_a_size_is_found_while_unpacking() {
        let mut bytes = zipped(&[("xl/workbook.xml", &vec![b' '; 8 << 20])]);
        let lie = 1_000u32.to_le_bytes();
        // Local header: size at 22; entry of the directory: at 24.
        bytes[22..26].copy_from_slice(&lie);
        let directory = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
        bytes[directory + 24..directory + 28].copy_from_slice(&lie);
        assert!(matches!(read(&bytes), Err(SheetError::Lies(_))), "{:?}", read(&bytes));
    }

    #[test]
    fn an_encrypted_book_and_a_renamed_xls_are_told_apart() {
        let head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
        let mut xls = head.to_vec();
        xls.extend(vec![0; 2_000]);
        assert!(matches!(read(&xls), Err(SheetError::Xls)));
        xls.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
        assert!(matches!(read(&xls), Err(SheetError::Encrypted)));
        // A part of the zip that needs a password: bit 0 of its flags.
        let mut bytes = book_with("", "");
        let directory = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
        bytes[directory + 8] |= 1;
        assert!(matches!(read(&bytes), Err(SheetError::Encrypted)), "{:?}", read(&bytes));
    }
}
