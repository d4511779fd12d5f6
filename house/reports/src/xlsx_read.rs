//! Reading a foreign workbook: its directory is judged, then every part is unpacked once against the
//! size it claims, and only then does the reader of sheets see it. Cells come one by one, never as the
//! rectangle that the file claims to be.

use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};

use crate::{
    Sheet, SheetError, address,
    limits::{
        CELL_CHARS_MAX, CELLS_MAX, COLUMNS_MAX, ENTRIES_MAX, RATIO_FREE_BYTES, RATIO_MAX, ROWS_MAX,
        TEXT_BYTES_MAX, UNPACKED_BYTES_MAX,
    },
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

pub(crate) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    check_zip(bytes, UNPACKED_BYTES_MAX)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    let name = book.sheet_names().first().cloned().ok_or(SheetError::Empty)?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(|e| bad(&e))?;
    let mut rows = Rows::default();
    while let Some(cell) = cells.next_cell().map_err(|e| bad(&e))? {
        let (row, column) = cell.get_position();
        let text = cell_text(&Data::from(cell.get_value().clone()));
        if !text.is_empty() {
            rows.put(row as usize, column as usize, text)?;
        }
    }
    Ok(rows.sheet(name))
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Refuses a zip whose directory is too large, or whose parts are not what it says.
fn check_zip(bytes: &[u8], unpacked_max: u64) -> Result<(), SheetError> {
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
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(|e| bad(&e))?;
        let (name, size) = (lossy(part.name_raw()), part.size());
        let real = std::io::copy(&mut part.take(size + 1), &mut std::io::sink());
        // Damaged, or longer than it says.
        if !real.is_ok_and(|real| real == size) {
            return Err(SheetError::Lies(name));
        }
    }
    Ok(())
}

/// Cells by row, as they come.
#[derive(Default)]
struct Rows {
    /// Row and column at which the first cell stood, as far left as any.
    rows: std::collections::BTreeMap<usize, Vec<String>>,
    first_column: Option<usize>,
    cells: usize,
    text_bytes: usize,
}

impl Rows {
    fn put(&mut self, row: usize, column: usize, text: String) -> Result<(), SheetError> {
        if row >= ROWS_MAX {
            return Err(SheetError::Rows);
        }
        if column >= COLUMNS_MAX {
            return Err(SheetError::Columns);
        }
        if text.chars().count() > CELL_CHARS_MAX {
            return Err(SheetError::Cell(address(row, column)));
        }
        self.text_bytes += text.len();
        let cells = self.rows.entry(row).or_default();
        if cells.len() <= column {
            self.cells += column + 1 - cells.len();
            if self.cells > CELLS_MAX {
                return Err(SheetError::Cells);
            }
            cells.resize(column + 1, String::new());
        }
        if self.text_bytes > TEXT_BYTES_MAX {
            return Err(SheetError::Cells);
        }
        cells[column] = text;
        self.first_column = Some(self.first_column.map_or(column, |first| first.min(column)));
        Ok(())
    }

    /// The rectangle from the first cell on; rows without cells between are empty.
    fn sheet(mut self, name: String) -> Sheet {
        let first = self.rows.keys().next().copied().unwrap_or(0);
        let last = self.rows.keys().next_back().copied();
        let left = self.first_column.unwrap_or(0);
        let mut rows = Vec::new();
        for row in first..last.map_or(first, |last| last + 1) {
            let mut cells = self.rows.remove(&row).unwrap_or_default();
            cells.drain(..left.min(cells.len()));
            rows.push(cells);
        }
        Sheet { name, rows, origin: (first as u32, left as u32) }
    }
}

fn cell_text(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) => text.trim().to_owned(),
        Data::DateTime(at) => {
            let (year, month, day, ..) = at.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        Data::Float(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.0}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::read;

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
