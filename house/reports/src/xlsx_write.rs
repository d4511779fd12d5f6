//! Workbooks that Ume writes: a table that can be read, sorted and printed as it is.

use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet,
    XlsxError,
};

use crate::SheetError;

/// How many columns from the left a reader need not see: what an import finds rows by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hidden(pub u16);

/// Rows whose texts decide how wide a column is: enough to see, cheap in a large table.
const WIDTH_ROWS: usize = 500;
/// Narrowest and widest column, in widths of a digit.
const WIDTH_MIN: f64 = 6.0;
const WIDTH_MAX: f64 = 48.0;
/// Widest column of a document, which has to fit a sheet of paper.
const WIDTH_PRINT_MAX: f64 = 24.0;
/// Height of a line of text in points; programs do not all find the height of wrapped text themselves.
const LINE_HEIGHT: f64 = 13.0;
/// The most that the file format allows a row.
const ROW_HEIGHT_MAX: f64 = 409.0;
/// Paper number of A4 in the file format.
const A4: u8 = 9;
const FONT: &str = "Yu Gothic";
const HEAD: Color = Color::RGB(0xEFE3E6);

/// Writes a workbook of one sheet with a frozen header row; every cell is text, so nothing becomes a
/// formula.
pub fn write_xlsx(
    sheet: &str,
    header: &[String],
    rows: &[Vec<String>],
    hidden: Hidden,
) -> Result<Vec<u8>, SheetError> {
    write(sheet, &[], header, rows, hidden)
}

/// The same with lines above the table, the first of them its title: a document to hand in.
pub fn write_book(
    sheet: &str,
    titles: &[String],
    header: &[String],
    rows: &[Vec<String>],
) -> Result<Vec<u8>, SheetError> {
    write(sheet, titles, header, rows, Hidden(0))
}

fn write(
    sheet: &str,
    titles: &[String],
    header: &[String],
    rows: &[Vec<String>],
    hidden: Hidden,
) -> Result<Vec<u8>, SheetError> {
    let bad = |e: XlsxError| SheetError::Write(e.to_string());
    let mut book = Workbook::new();
    // No time of writing in it: equal contents are equal files.
    let begin = ExcelDateTime::from_ymd(2000, 1, 1).map_err(bad)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&begin));
    let page = book.add_worksheet();
    // Excel refuses these characters and more than 31 of them in a sheet's name.
    let name: String = sheet.chars().filter(|c| !"[]:*?/\\'".contains(*c)).take(31).collect();
    page.set_name(name).map_err(bad)?;
    fill(page, titles, header, rows).map_err(bad)?;
    for column in 0..hidden.0 {
        page.set_column_hidden(column).map_err(bad)?;
    }
    book.save_to_buffer().map_err(bad)
}

fn fill(
    page: &mut Worksheet,
    titles: &[String],
    header: &[String],
    rows: &[Vec<String>],
) -> Result<(), XlsxError> {
    let plain = Format::new().set_font_name(FONT);
    for (row, text) in titles.iter().enumerate() {
        let title = plain.clone().set_bold().set_font_size(16);
        let format = if row == 0 { title } else { plain.clone().set_font_size(9) };
        page.write_string_with_format(row as u32, 0, text, &format)?;
    }
    // One empty row between what is said about the table and the table.
    let top = if titles.is_empty() { 0 } else { titles.len() as u32 + 1 };
    let ruled = plain.set_font_size(9).set_border(FormatBorder::Thin).set_border_color(Color::Gray);
    let cell = ruled.clone().set_text_wrap().set_align(FormatAlign::Top);
    let head = ruled
        .set_bold()
        .set_background_color(HEAD)
        .set_text_wrap()
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter);
    for (column, text) in header.iter().enumerate() {
        page.write_string_with_format(top, column as u16, text, &head)?;
    }
    let widest = if titles.is_empty() { WIDTH_MAX } else { WIDTH_PRINT_MAX };
    let widths: Vec<f64> =
        (0..header.len()).map(|column| width(column, header, rows).min(widest)).collect();
    for (row, cells) in rows.iter().enumerate() {
        let row = top + 1 + row as u32;
        let lines = cells.iter().zip(&widths).map(|(text, width)| lines(text, *width)).max();
        if let Some(lines) = lines.filter(|lines| *lines > 1) {
            let height = (f64::from(lines) * LINE_HEIGHT + 3.0).min(ROW_HEIGHT_MAX);
            page.set_row_height(row, height)?;
        }
        for (column, text) in cells.iter().enumerate() {
            page.write_string_with_format(row, column as u16, text, &cell)?;
        }
    }
    for (column, width) in widths.iter().enumerate() {
        page.set_column_width(column as u16, *width)?;
    }
    page.set_freeze_panes(top + 1, 0)?;
    let last = (top + rows.len() as u32, header.len().saturating_sub(1) as u16);
    if !header.is_empty() && !rows.is_empty() {
        page.autofilter(top, 0, last.0, last.1)?;
    }
    print_setup(page, top)
}

fn print_setup(page: &mut Worksheet, head: u32) -> Result<(), XlsxError> {
    page.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0);
    page.set_margins(0.4, 0.4, 0.6, 0.6, 0.3, 0.3);
    page.set_footer("&C&P / &N");
    page.set_repeat_rows(head, head)?;
    Ok(())
}

/// Widths of a digit that a line takes; a wide character counts two.
fn wide(line: &str) -> u32 {
    line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// Lines that a text takes in a column, wrapped; one unit of the width is its margin.
fn lines(text: &str, width: f64) -> u32 {
    let room = (width - 1.0).max(1.0);
    let of_line = |line: &str| (f64::from(wide(line)) / room).ceil().max(1.0) as u32;
    text.split('\n').map(of_line).sum()
}

/// Width of a column by its longest line. Long texts are wrapped.
fn width(column: usize, header: &[String], rows: &[Vec<String>]) -> f64 {
    let cells = rows.iter().take(WIDTH_ROWS).filter_map(|row| row.get(column));
    let widest = |text: &String| text.split('\n').map(wide).max().unwrap_or(0);
    let longest = cells.chain(header.get(column)).map(widest).max().unwrap_or(0);
    (f64::from(longest) + 2.0).clamp(WIDTH_MIN, WIDTH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first as read;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|c| (*c).to_owned()).collect()
    }

    #[test]
    fn a_workbook_comes_back_as_it_was_written() {
        let header = row(&["名称", "OS"]);
        let rows = vec![row(&["=1+1", "Debian 12"])];
        let bytes = write_xlsx("機器/台帳", &header, &rows, Hidden(1)).expect("written");
        let sheet = read(&bytes).expect("read");
        assert_eq!(sheet.name, "機器台帳");
        assert_eq!(sheet.rows, [header, rows[0].clone()]);
        assert_eq!(sheet.hidden_columns.iter().copied().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn titles_stand_above_the_table_and_lose_no_row() {
        let (titles, header) = (row(&["適用宣言書", "版: 3"]), row(&["番号", "管理策"]));
        let rows = vec![row(&["5.7", "脅威\nインテリジェンス"]), row(&["5.8", ""])];
        let sheet =
            read(&write_book("SoA", &titles, &header, &rows).expect("written")).expect("read");
        assert_eq!(sheet.rows[0], ["適用宣言書"]);
        assert_eq!(sheet.rows[1], ["版: 3"]);
        assert_eq!(sheet.rows[3], header);
        assert_eq!(sheet.rows[4], rows[0]);
        assert_eq!(sheet.rows[5], ["5.8"]);
    }

    #[test]
    fn a_column_is_as_wide_as_its_longest_line_within_bounds() {
        let rows = vec![row(&["あいう\nえ", &"長".repeat(100)])];
        assert_eq!(width(0, &row(&["x", "y"]), &rows), 8.0);
        assert_eq!(width(1, &row(&["x", "y"]), &rows), WIDTH_MAX);
        assert_eq!(width(5, &[], &rows), WIDTH_MIN);
        assert_eq!(
            (lines("あいう\nえ", 8.0), lines(&"長".repeat(100), 21.0), lines("", 9.0)),
            (2, 10, 1)
        );
    }
}
