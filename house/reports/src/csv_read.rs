//! CSV as Excel writes it in Japan: UTF-8 with or without mark, else CP932.

use crate::{
    Sheet, SheetError, address, disarmed,
    limits::{CELL_CHARS_MAX, CELLS_MAX, COLUMNS_MAX, ROWS_MAX},
};

pub(crate) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.contains(&0) {
        return Err(SheetError::Binary);
    }
    let text = decode(bytes);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut rows, mut cells): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader.read_record(&mut record).map_err(|e| SheetError::Csv {
            line: e.position().map_or(0, csv::Position::line),
            what: e.to_string(),
        })?;
        if !more {
            break;
        }
        if rows.len() >= ROWS_MAX {
            return Err(SheetError::Rows);
        }
        if record.len() > COLUMNS_MAX {
            return Err(SheetError::Columns);
        }
        cells += record.len();
        if cells > CELLS_MAX {
            return Err(SheetError::Cells);
        }
        // A quote that is never closed swallows the rest of the file into one cell.
        if let Some(column) = record.iter().position(|c| c.chars().count() > CELL_CHARS_MAX) {
            return Err(SheetError::Cell(address(rows.len(), column)));
        }
        rows.push(record.iter().map(|cell| disarmed(cell.trim()).to_owned()).collect());
    }
    Ok(Sheet { name: "CSV".to_owned(), rows, origin: (0, 0) })
}

fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::SHIFT_JIS.decode(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    #[test]
    fn a_cp932_csv_is_read_as_japanese() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("名称,部署\r\n梅子,総務部\r\n");
        let sheet = read(&bytes).expect("read");
        assert_eq!(sheet.rows[1], ["梅子", "総務部"]);
    }

    #[test]
    fn a_quote_never_closed_names_the_cell_it_swallows() {
        let giant = format!("name,note\r\nx,\"{}", "line\r\n".repeat(100_000));
        let refused = read(giant.as_bytes());
        assert!(matches!(&refused, Err(SheetError::Cell(at)) if at == "B2"), "{refused:?}");
        let whole = format!("name,note\r\nx,\"{}\"\r\n", "あ\n".repeat(10_000));
        assert_eq!(read(whole.as_bytes()).expect("read").rows.len(), 2);
    }

    #[test]
    fn too_many_columns_rows_and_cells_are_each_refused_by_name() {
        let columns = format!("name{}\r\n", ",".repeat(1_000_000));
        assert!(matches!(read(columns.as_bytes()), Err(SheetError::Columns)));
        let rows = "a\n".repeat(ROWS_MAX + 1);
        assert!(matches!(read(rows.as_bytes()), Err(SheetError::Rows)));
        let line = format!("a{}\n", ",".repeat(COLUMNS_MAX - 1));
        let cells = line.repeat(CELLS_MAX / COLUMNS_MAX + 1);
        assert!(matches!(read(cells.as_bytes()), Err(SheetError::Cells)));
    }
}
