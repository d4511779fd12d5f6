//! Tables in and out: CSV (UTF-8, CP932) and xlsx; documents out: PDF.
//!
//! Invariants: foreign files are bounded before, while and after they are unpacked (`limits.rs` names
//! every limit); a cell's address survives reading, so that an error can name it; macros and formulas
//! never run and links are never followed, a formula's cached value is read; what is written as text
//! stays text.

mod csv_read;
mod limits;
pub mod pdf;
mod xlsx_read;
mod xlsx_write;

pub use limits::{
    CELL_CHARS_MAX, CELLS_MAX, COLUMNS_MAX, ENTRIES_MAX, FILE_BYTES_MAX, RATIO_MAX, ROWS_MAX,
    SheetError, TEXT_BYTES_MAX, UNPACKED_BYTES_MAX,
};
pub use xlsx_write::{write_book, write_xlsx};

/// Starts of a text that a spreadsheet takes for a formula; Japanese ones fold the wide forms.
const ARMED: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Texts as read, row by row; a row ends with its last cell. Dates come as `2026-11-25`, numbers in
/// their shortest form.
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
        address(self.origin.0 as usize + row, self.origin.1 as usize + column)
    }
}

fn address(row: usize, column: usize) -> String {
    let mut letters = Vec::new();
    let mut n = column + 1;
    while n > 0 {
        letters.push(char::from(b'A' + ((n - 1) % 26) as u8));
        n = (n - 1) / 26;
    }
    let letters: String = letters.into_iter().rev().collect();
    format!("{letters}{}", row + 1)
}

/// Reads the first sheet of a workbook, or a CSV file, by what the bytes are.
pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::Large(FILE_BYTES_MAX as u64));
    }
    let sheet = match bytes {
        _ if bytes.starts_with(b"PK") => xlsx_read::read(bytes)?,
        _ if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => {
            return Err(xlsx_read::ole(bytes));
        }
        _ => csv_read::read(bytes)?,
    };
    if sheet.rows.iter().flatten().all(String::is_empty) {
        return Err(SheetError::Empty);
    }
    Ok(sheet)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_address_a_spreadsheet_shows() {
        let sheet = Sheet { name: String::new(), rows: Vec::new(), origin: (2, 1) };
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
            assert_eq!(read(file.as_bytes()).expect("read").rows[1][1], text);
        }
    }

    #[test]
    fn foreign_bytes_are_refused_not_guessed() {
        assert!(matches!(read(b"PK\x03\x04nonsense"), Err(SheetError::Xlsx(_))));
        assert!(matches!(read(b""), Err(SheetError::Empty)));
        assert!(matches!(read(b"\x7fELF\x02\x01\x01\0\0\0"), Err(SheetError::Binary)));
    }
}
