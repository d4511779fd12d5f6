//! Tables in and out: CSV, TSV and xlsx; values into single cells of a foreign workbook; the tables that stand on a sheet; what their cells mean;
//! documents out: PDF.
//!
//! Invariants: foreign files are bounded before, while and after they are unpacked (`limits.rs` names
//! every limit); a cell's address survives reading, so that an error can name it; macros and formulas
//! never run and links are never followed, a formula's cached value is read; what is written as text
//! stays text.

mod csv_read;
pub mod find;
mod fold;
mod limits;
pub mod pdf;
pub mod value;
mod xlsx_marks;
mod xlsx_patch;
mod xlsx_read;
mod xlsx_write;

pub use fold::{fold, fold_header, without_brackets};
pub use limits::{
    CELL_CHARS_MAX, CELLS_MAX, COLUMNS_MAX, ENTRIES_MAX, FILE_BYTES_MAX, RATIO_MAX, ROWS_MAX,
    SHEETS_MAX, SheetError, TEXT_BYTES_MAX, UNPACKED_BYTES_MAX,
};
pub use xlsx_patch::{FillError, Filled, Page, Put, fill};
pub use xlsx_write::{Hidden, write_book, write_xlsx};

use std::collections::BTreeSet;

/// Starts of a text that a spreadsheet takes for a formula; Japanese ones fold the wide forms.
const ARMED: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Texts as read, row by row; a row ends with its last cell. Dates come as `2026-11-25`, numbers in
/// their shortest form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    pub name: String,
    pub rows: Vec<Vec<String>>,
    /// Row and column (from 0) of the top left cell in the file.
    pub origin: (u32, u32),
    /// Areas that one cell fills, in rows and columns of `rows`.
    pub merged: Vec<Area>,
    /// Rows and columns of `rows` that the workbook does not show.
    pub hidden_rows: BTreeSet<usize>,
    pub hidden_columns: BTreeSet<usize>,
    /// The sheet as a whole is not shown.
    pub hidden: bool,
}

/// A rectangle of cells, its ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub top: usize,
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

/// A file as read: a workbook, or a CSV file as its one sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Sheets with cells, in their order.
    pub sheets: Vec<Sheet>,
    /// Days are counted from 1904, as on old Macintoshes.
    pub since_1904: bool,
}

impl Area {
    /// Whether a cell lies in it.
    pub fn holds(&self, row: usize, column: usize) -> bool {
        (self.top..=self.bottom).contains(&row) && (self.left..=self.right).contains(&column)
    }
}

impl Sheet {
    /// Address of a cell as a spreadsheet shows it, for example `C12`.
    pub fn address(&self, row: usize, column: usize) -> String {
        address(self.origin.0 as usize + row, self.origin.1 as usize + column)
    }
}

/// A cell as a spreadsheet shows it, by row and column from 0: `C12`.
pub fn address(row: usize, column: usize) -> String {
    let mut letters = Vec::new();
    let mut n = column + 1;
    while n > 0 {
        letters.push(char::from(b'A' + ((n - 1) % 26) as u8));
        n = (n - 1) / 26;
    }
    let letters: String = letters.into_iter().rev().collect();
    format!("{letters}{}", row + 1)
}

/// Reads every sheet of a workbook, or a CSV file, by what the bytes are.
pub fn read(bytes: &[u8]) -> Result<Book, SheetError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::Large(FILE_BYTES_MAX as u64));
    }
    let mut book = match bytes {
        _ if bytes.starts_with(b"PK") => xlsx_read::read(bytes)?,
        _ if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => {
            return Err(xlsx_read::ole(bytes));
        }
        _ => Book { sheets: vec![csv_read::read(bytes)?], since_1904: false },
    };
    book.sheets.retain(|sheet| !sheet.rows.iter().flatten().all(String::is_empty));
    if book.sheets.is_empty() {
        return Err(SheetError::Empty);
    }
    Ok(book)
}

/// A cell of a CSV file: quoted (RFC 4180), and kept from being taken for a formula.
pub fn csv_cell(text: &str) -> String {
    // What begins with such a quote itself gets another, so that reading takes off exactly one.
    let armed = text.trim_start_matches('\'').starts_with(ARMED);
    let text = if armed { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

/// Takes off what [`csv_cell`] put on.
fn disarmed(cell: &str) -> &str {
    let rest = cell.strip_prefix('\'');
    rest.filter(|rest| rest.trim_start_matches('\'').starts_with(ARMED)).unwrap_or(cell)
}

/// The first sheet, for the tests of each reader.
#[cfg(test)]
fn first(bytes: &[u8]) -> Result<Sheet, SheetError> {
    read(bytes).map(|mut book| book.sheets.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_address_a_spreadsheet_shows() {
        let sheet = Sheet { origin: (2, 1), ..Sheet::default() };
        assert_eq!(sheet.address(0, 0), "B3");
        assert_eq!(sheet.address(9, 25), "AA12");
    }

    #[test]
    fn a_cell_never_becomes_a_formula_and_comes_back_as_it_was() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("@x,\"y\""), "\"'@x,\"\"y\"\"\"");
        assert_eq!(csv_cell("梅"), "梅");
        for text in ["=1+1", "+81 3 0000", "-5", "＝cmd", "'=x", "''-y", "'quoted'", "梅", "it's"]
        {
            let file = format!("name,value\r\nx,{}\r\n", csv_cell(text));
            assert_eq!(read(file.as_bytes()).expect("read").sheets[0].rows[1][1], text);
        }
    }

    #[test]
    fn foreign_bytes_are_refused_not_guessed() {
        assert!(matches!(read(b"PK\x03\x04nonsense"), Err(SheetError::Xlsx(_))));
        assert!(matches!(read(b""), Err(SheetError::Empty)));
        assert!(matches!(read(b"\x7fELF\x02\x01\x01\0\0\0"), Err(SheetError::Binary)));
    }
}
