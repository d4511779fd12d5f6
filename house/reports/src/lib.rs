//! Tables in and out: CSV (UTF-8, CP932) and xlsx.
//!
//! Invariants: foreign files are bounded before they are unpacked; a cell's address survives reading,
//! so that an error can name it; macros and formulas never run, a formula's cached value is read;
//! what is written as text stays text.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};

/// Largest file taken.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Most bytes that a workbook may unpack to.
pub const UNPACKED_BYTES_MAX: u64 = 300 * 1024 * 1024;
pub const ROWS_MAX: usize = 100_000;
pub const COLUMNS_MAX: usize = 500;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    #[error("larger than {0} bytes")]
    Large(u64),
    #[error("more than {ROWS_MAX} rows or {COLUMNS_MAX} columns")]
    Wide,
    #[error("not a readable xlsx workbook: {0}")]
    Xlsx(String),
    #[error("not a readable CSV file, line {line}: {what}")]
    Csv { line: u64, what: String },
    #[error("the file holds no rows")]
    Empty,
    #[error("could not be written: {0}")]
    Write(String),
}

/// A rectangle of texts as read. Dates come as `2026-11-25`, numbers in their shortest form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    pub name: String,
    pub rows: Vec<Vec<String>>,
    /// Row and column (from 0) of the top left cell in the file.
    pub origin: (u32, u32),
}

impl Sheet {
    /// Address of a cell as a spreadsheet shows it, for example `C12`.
    pub fn address(&self, row: usize, column: usize) -> String {
        let mut letters = Vec::new();
        let mut n = self.origin.1 as usize + column + 1;
        while n > 0 {
            letters.push(char::from(b'A' + ((n - 1) % 26) as u8));
            n = (n - 1) / 26;
        }
        let letters: String = letters.into_iter().rev().collect();
        format!("{letters}{}", self.origin.0 as usize + row + 1)
    }
}

/// Reads the first sheet of a workbook, or a CSV file, by what the bytes are.
pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::Large(FILE_BYTES_MAX as u64));
    }
    let sheet = if bytes.starts_with(b"PK\x03\x04") { read_xlsx(bytes)? } else { read_csv(bytes)? };
    if sheet.rows.is_empty() {
        return Err(SheetError::Empty);
    }
    Ok(sheet)
}

fn read_xlsx(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let bad = |e: &dyn std::fmt::Display| SheetError::Xlsx(e.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    let mut unpacked = 0u64;
    for i in 0..archive.len() {
        // The directory may lie about sizes, so the reading below is bounded by rows as well.
        unpacked = unpacked.saturating_add(archive.by_index(i).map_err(|e| bad(&e))?.size());
    }
    if unpacked > UNPACKED_BYTES_MAX {
        return Err(SheetError::Large(UNPACKED_BYTES_MAX));
    }
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    let name = book.sheet_names().first().cloned().ok_or(SheetError::Empty)?;
    let range = book.worksheet_range(&name).map_err(|e| bad(&e))?;
    let (height, width) = range.get_size();
    if height > ROWS_MAX || width > COLUMNS_MAX {
        return Err(SheetError::Wide);
    }
    let rows = range.rows().map(|row| row.iter().map(cell_text).collect()).collect();
    Ok(Sheet { name, rows, origin: range.start().unwrap_or((0, 0)) })
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

fn read_csv(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let text = csv_text(bytes);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| SheetError::Csv {
            line: e.position().map_or(0, csv::Position::line),
            what: e.to_string(),
        })?;
        if rows.len() >= ROWS_MAX || record.len() > COLUMNS_MAX {
            return Err(SheetError::Wide);
        }
        rows.push(record.iter().map(|cell| cell.trim().to_owned()).collect());
    }
    Ok(Sheet { name: "CSV".to_owned(), rows, origin: (0, 0) })
}

/// UTF-8 with or without mark, else CP932: what Excel writes in Japan.
fn csv_text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::SHIFT_JIS.decode(bytes).0.into_owned(),
    }
}

/// Writes a workbook of one sheet with a frozen header row; every cell is text, so nothing becomes a
/// formula.
pub fn write_xlsx(
    sheet: &str,
    header: &[String],
    rows: &[Vec<String>],
) -> Result<Vec<u8>, SheetError> {
    use rust_xlsxwriter::{Format, Workbook};
    let bad = |e: rust_xlsxwriter::XlsxError| SheetError::Write(e.to_string());
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    // Excel refuses these characters and more than 31 of them in a sheet's name.
    let name: String = sheet.chars().filter(|c| !"[]:*?/\\'".contains(*c)).take(31).collect();
    page.set_name(name).map_err(bad)?;
    let bold = Format::new().set_bold();
    for (column, text) in header.iter().enumerate() {
        page.write_string_with_format(0, column as u16, text, &bold).map_err(bad)?;
    }
    for (row, cells) in rows.iter().enumerate() {
        for (column, text) in cells.iter().enumerate() {
            page.write_string(row as u32 + 1, column as u16, text).map_err(bad)?;
        }
    }
    page.set_freeze_panes(1, 0).map_err(bad)?;
    book.save_to_buffer().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_comes_back_as_it_was_written() {
        let header = ["名称".to_owned(), "OS".to_owned()];
        let rows = vec![vec!["=1+1".to_owned(), "Debian 12".to_owned()]];
        let bytes = write_xlsx("機器/台帳", &header, &rows).expect("written");
        let sheet = read(&bytes).expect("read");
        assert_eq!(sheet.name, "機器台帳");
        assert_eq!(sheet.rows, [header.to_vec(), rows[0].clone()]);
    }

    #[test]
    fn a_cp932_csv_is_read_as_japanese() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("名称,部署\r\n梅子,総務部\r\n");
        let sheet = read(&bytes).expect("read");
        assert_eq!(sheet.rows[1], ["梅子", "総務部"]);
    }

    #[test]
    fn a_cell_has_the_address_a_spreadsheet_shows() {
        let sheet = Sheet { name: String::new(), rows: Vec::new(), origin: (2, 1) };
        assert_eq!(sheet.address(0, 0), "B3");
        assert_eq!(sheet.address(9, 25), "AA12");
    }

    #[test]
    fn foreign_bytes_are_refused_not_guessed() {
        assert!(matches!(read(b"PK\x03\x04nonsense"), Err(SheetError::Xlsx(_))));
        assert!(matches!(read(b""), Err(SheetError::Empty)));
    }
}
