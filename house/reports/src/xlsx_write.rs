//! Workbooks that Ume writes.

use crate::SheetError;

/// How many columns from the left a reader need not see: what an import finds rows by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hidden(pub u16);

/// Writes a workbook of one sheet with a frozen header row; every cell is text, so nothing becomes a
/// formula.
pub fn write_xlsx(
    sheet: &str,
    header: &[String],
    rows: &[Vec<String>],
    hidden: Hidden,
) -> Result<Vec<u8>, SheetError> {
    use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};
    let bad = |e: rust_xlsxwriter::XlsxError| SheetError::Write(e.to_string());
    let mut book = Workbook::new();
    // No time of writing in it: equal contents are equal files.
    let begin = ExcelDateTime::from_ymd(2000, 1, 1).map_err(bad)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&begin));
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
    for column in 0..hidden.0 {
        page.set_column_hidden(column).map_err(bad)?;
    }
    page.set_freeze_panes(1, 0).map_err(bad)?;
    book.save_to_buffer().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first as read;

    #[test]
    fn a_workbook_comes_back_as_it_was_written() {
        let header = ["名称".to_owned(), "OS".to_owned()];
        let rows = vec![vec!["=1+1".to_owned(), "Debian 12".to_owned()]];
        let bytes = write_xlsx("機器/台帳", &header, &rows, Hidden(1)).expect("written");
        let sheet = read(&bytes).expect("read");
        assert_eq!(sheet.name, "機器台帳");
        assert_eq!(sheet.rows, [header.to_vec(), rows[0].clone()]);
        assert_eq!(sheet.hidden_columns.iter().copied().collect::<Vec<_>>(), [0]);
    }
}
