//! Writes values into single cells of a foreign workbook and leaves everything else as it is.
//!
//! Invariants: only the `<c>` elements of the cells asked for change, and every other part of the zip
//! keeps its packed bytes; a formula is never overwritten, nor is a cell that an array formula fills;
//! what is written is text or a number and never a formula; either all goes well or nothing is made.
//! A protected sheet and a signed workbook are for reading only.
//!
//! Limit: a formula elsewhere that reads a filled cell shows its old result until the spreadsheet
//! program calculates anew. Source: ECMA-376 part 1, 18.3.1 (`row`, `c`, `is`) and 22.9.2.19 (`_xHHHH_`).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{Cursor, Read, Write},
    ops::Range,
};

use calamine::{Reader as _, Xlsx};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use crate::{
    Area, SheetError, address,
    limits::{CELL_CHARS_MAX, COLUMNS_MAX, FILE_BYTES_MAX, ROWS_MAX, UNPACKED_BYTES_MAX},
    xlsx_marks, xlsx_read,
};

/// A value for a cell, by row and column of the file from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    pub row: usize,
    pub column: usize,
    pub text: String,
    /// A cell whose look a new cell takes over, and whose type: beside a number a number is written.
    pub like: Option<(usize, usize)>,
}

/// Values for one sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub sheet: String,
    pub puts: Vec<Put>,
}

/// A workbook that was filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    pub bytes: Vec<u8>,
    /// Cells that hold a formula and were left alone, as `sheet!C5`.
    pub formulas: Vec<String>,
    /// Cells that were written.
    pub written: usize,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    File(#[from] SheetError),
    #[error("the sheet {0} is not in the workbook")]
    NoSheet(String),
    #[error("the sheet {0} is protected: take the protection off to fill it")]
    Protected(String),
    #[error("the workbook is signed, and filling it would break the signature")]
    Signed,
    #[error("cell {0} lies inside a merged area and would not be seen")]
    Merged(String),
    #[error("cell {0} cannot be written: {1}")]
    Cell(String, &'static str),
}

impl FillError {
    /// What is wrong, in the reader's language.
    pub fn text(&self, lang: model::Lang) -> String {
        if let FillError::File(error) = self {
            return error.text(lang);
        }
        match lang {
            model::Lang::Ja => format!("{}何も書き込んでいません。", self.ja()),
            model::Lang::En => format!("Nothing was written: {self}."),
        }
    }

    fn ja(&self) -> String {
        match self {
            FillError::File(error) => error.text(model::Lang::Ja),
            FillError::NoSheet(sheet) => format!("シート「{sheet}」がブックにありません。"),
            FillError::Protected(sheet) => {
                format!("シート「{sheet}」は保護されています。書き込むには保護を解除してください。")
            }
            FillError::Signed => {
                "電子署名付きのブックです。書き込むと署名が無効になります。".to_owned()
            }
            FillError::Merged(cell) => {
                format!("セル{cell}は結合セルの内側にあり、書いても表示されません。")
            }
            FillError::Cell(cell, what) => format!("セル{cell}に書き込めません（{what}）。"),
        }
    }
}

fn bad(error: &dyn std::fmt::Display) -> SheetError {
    SheetError::Xlsx(error.to_string())
}

/// Writes the values. The pages may come in any order; a cell named twice keeps the last value.
pub fn fill(bytes: &[u8], pages: &[Page]) -> Result<Filled, FillError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::Large(FILE_BYTES_MAX as u64).into());
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(xlsx_read::ole(bytes).into());
    }
    xlsx_read::check_zip(bytes, UNPACKED_BYTES_MAX)?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    if archive.file_names().any(|name| name.is_ok_and(|name| name.starts_with("_xmlsignatures/"))) {
        return Err(FillError::Signed);
    }
    let names = sheet_names(bytes)?;
    let parts = xlsx_marks::sheet_parts(&mut archive);
    let mut patched: HashMap<String, Vec<u8>> = HashMap::new();
    let (mut formulas, mut written) = (Vec::new(), 0);
    for page in pages.iter().filter(|page| !page.puts.is_empty()) {
        let index = names.iter().position(|name| *name == page.sheet);
        let part = index.and_then(|index| parts.get(index).cloned().flatten());
        let part = part.ok_or_else(|| FillError::NoSheet(page.sheet.clone()))?;
        let xml = match patched.remove(&part) {
            Some(xml) => xml,
            None => unpack(&mut archive, &part)?,
        };
        let outcome = Patch::new(&page.sheet, &xml)?.apply(&page.puts)?;
        formulas.extend(outcome.formulas);
        written += outcome.written;
        patched.insert(part, outcome.xml);
    }
    Ok(Filled { bytes: repack(&mut archive, &patched)?, formulas, written })
}

fn sheet_names(bytes: &[u8]) -> Result<Vec<String>, SheetError> {
    let book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| bad(&e))?;
    Ok(book.sheets_metadata().iter().map(|sheet| sheet.name.clone()).collect())
}

type Zip<'b> = zip::ZipArchive<Cursor<&'b [u8]>>;

fn unpack(archive: &mut Zip<'_>, part: &str) -> Result<Vec<u8>, SheetError> {
    let mut xml = Vec::new();
    // The caller has bounded what parts unpack to.
    archive.by_name(part).map_err(|e| bad(&e))?.read_to_end(&mut xml).map_err(|e| bad(&e))?;
    Ok(xml)
}

/// The zip anew: what was not patched is copied as it lies there, packed.
fn repack(
    archive: &mut Zip<'_>,
    patched: &HashMap<String, Vec<u8>>,
) -> Result<Vec<u8>, SheetError> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let part = archive.by_index_raw(index).map_err(|e| bad(&e))?;
        let name = part.name().map_err(|e| bad(&e))?.into_owned();
        match patched.get(&name) {
            None => out.raw_copy_file(part).map_err(|e| bad(&e))?,
            Some(xml) => {
                let mut options = zip::write::SimpleFileOptions::default()
                    .compression_method(zip::CompressionMethod::Deflated);
                if let Some(at) = part.last_modified() {
                    options = options.last_modified_time(at);
                }
                out.start_file(name, options).map_err(|e| bad(&e))?;
                out.write_all(xml).map_err(|e| bad(&e))?;
            }
        }
    }
    out.set_raw_comment(archive.comment().into()).map_err(|e| bad(&e))?;
    Ok(out.finish().map_err(|e| bad(&e))?.into_inner())
}

/// A cell where it stands in the text of the part.
#[derive(Clone, Debug)]
struct Cell {
    column: usize,
    range: Range<usize>,
    style: Option<String>,
    number: bool,
    formula: bool,
}

#[derive(Clone, Debug)]
struct Row {
    /// The opening tag, or the whole of an empty element.
    tag: Range<usize>,
    empty: bool,
    /// Where its closing tag begins.
    close: usize,
    cells: Vec<Cell>,
}

/// A sheet's part, and where its rows and cells stand.
struct Patch<'x> {
    sheet: &'x str,
    xml: &'x [u8],
    prefix: String,
    data: Row,
    rows: BTreeMap<usize, Row>,
    merged: Vec<Area>,
    arrays: Vec<Area>,
}

struct Outcome {
    xml: Vec<u8>,
    formulas: Vec<String>,
    written: usize,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

impl<'x> Patch<'x> {
    fn new(sheet: &'x str, xml: &'x [u8]) -> Result<Patch<'x>, FillError> {
        let Ok(text) = std::str::from_utf8(xml) else {
            return Err(SheetError::Xlsx(format!("the sheet {sheet} is not UTF-8")).into());
        };
        let mut walk = Walk::new(sheet);
        let from = if xml.starts_with(BOM) { BOM.len() } else { 0 };
        let mut reader = Reader::from_str(&text[from..]);
        loop {
            let begin = from + reader.buffer_position() as usize;
            let event = reader.read_event().map_err(|e| bad(&e))?;
            let end = from + reader.buffer_position() as usize;
            match event {
                Event::Start(tag) => walk.open(&tag, begin..end, false)?,
                Event::Empty(tag) => walk.open(&tag, begin..end, true)?,
                Event::End(tag) => walk.close(tag.local_name().as_ref(), begin..end),
                Event::Eof => break,
                _ => {}
            }
        }
        let Some(data) = walk.data else {
            return Err(SheetError::Xlsx(format!("the sheet {sheet} has no cells part")).into());
        };
        let Walk { prefix, rows, merged, arrays, .. } = walk;
        Ok(Patch { sheet, xml, prefix, data, rows, merged, arrays })
    }

    fn at(&self, row: usize, column: usize) -> String {
        format!("{}!{}", self.sheet, address(row, column))
    }

    fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        self.rows.get(&row)?.cells.iter().find(|cell| cell.column == column)
    }

    fn apply(&self, puts: &[Put]) -> Result<Outcome, FillError> {
        let mut by_row: BTreeMap<usize, BTreeMap<usize, &Put>> = BTreeMap::new();
        let mut formulas = Vec::new();
        for put in puts {
            self.judge(put)?;
            if self.is_formula(put.row, put.column) {
                formulas.push(self.at(put.row, put.column));
                continue;
            }
            by_row.entry(put.row).or_default().insert(put.column, put);
        }
        let written = by_row.values().map(BTreeMap::len).sum();
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut fresh = String::new();
        let mut fresh_at: Option<usize> = None;
        for (row, puts) in &by_row {
            match self.rows.get(row) {
                Some(there) => self.edit_row(*row, there, puts, &mut edits),
                None => {
                    let next = self.rows.range(row + 1..).next();
                    let at = next.map_or(self.data.close, |(_, row)| row.tag.start);
                    if fresh_at.is_some_and(|before| before != at) {
                        self.insert_rows(fresh_at, &mut fresh, &mut edits);
                    }
                    fresh_at = Some(at);
                    fresh.push_str(&self.new_row(*row, puts));
                }
            }
        }
        self.insert_rows(fresh_at, &mut fresh, &mut edits);
        Ok(Outcome { xml: edited(self.xml, edits), formulas, written })
    }

    fn judge(&self, put: &Put) -> Result<(), FillError> {
        let at = || self.at(put.row, put.column);
        if put.row >= ROWS_MAX || put.column >= COLUMNS_MAX {
            return Err(FillError::Cell(at(), "it lies outside the rows and columns taken"));
        }
        if put.text.encode_utf16().count() > CELL_CHARS_MAX {
            return Err(FillError::Cell(at(), "the text is longer than a cell can hold"));
        }
        let hidden = self.merged.iter().any(|area| {
            area.holds(put.row, put.column) && (area.top, area.left) != (put.row, put.column)
        });
        if hidden { Err(FillError::Merged(at())) } else { Ok(()) }
    }

    fn is_formula(&self, row: usize, column: usize) -> bool {
        self.cell(row, column).is_some_and(|cell| cell.formula)
            || self.arrays.iter().any(|area| area.holds(row, column))
    }

    fn edit_row(
        &self,
        number: usize,
        row: &Row,
        puts: &BTreeMap<usize, &Put>,
        edits: &mut Vec<(Range<usize>, String)>,
    ) {
        if row.empty {
            let cells: String = puts.values().map(|put| self.new_cell(put)).collect();
            edits.push((row.tag.clone(), self.opened(&row.tag, "row", &cells)));
            return;
        }
        for (column, put) in puts {
            match self.cell(number, *column) {
                Some(cell) => {
                    let text = self.element(put, cell.style.as_deref());
                    edits.push((cell.range.clone(), text));
                }
                None => {
                    let next = row.cells.iter().find(|cell| cell.column > *column);
                    let at = next.map_or(row.close, |cell| cell.range.start);
                    edits.push((at..at, self.new_cell(put)));
                }
            }
        }
    }

    fn insert_rows(
        &self,
        at: Option<usize>,
        fresh: &mut String,
        edits: &mut Vec<(Range<usize>, String)>,
    ) {
        let Some(at) = at else { return };
        let rows = std::mem::take(fresh);
        if self.data.empty {
            edits.push((self.data.tag.clone(), self.opened(&self.data.tag, "sheetData", &rows)));
        } else {
            edits.push((at..at, rows));
        }
    }

    /// `<row r="5"/>` with something inside.
    fn opened(&self, tag: &Range<usize>, name: &str, inside: &str) -> String {
        let text = String::from_utf8_lossy(&self.xml[tag.clone()]);
        let open = text.trim_end_matches('>').trim_end().trim_end_matches('/').trim_end();
        format!("{open}>{inside}</{}{name}>", self.prefix)
    }

    fn new_row(&self, number: usize, puts: &BTreeMap<usize, &Put>) -> String {
        let (p, cells) = (&self.prefix, puts.values().map(|put| self.new_cell(put)));
        format!("<{p}row r=\"{}\">{}</{p}row>", number + 1, cells.collect::<String>())
    }

    fn new_cell(&self, put: &Put) -> String {
        let like = put.like.and_then(|(row, column)| self.cell(row, column));
        self.element(put, like.and_then(|cell| cell.style.as_deref()))
    }

    fn element(&self, put: &Put, style: Option<&str>) -> String {
        let (p, at) = (&self.prefix, address(put.row, put.column));
        let style = style.map(|style| format!(" s=\"{}\"", escaped(style))).unwrap_or_default();
        let beside = put.like.and_then(|(row, column)| self.cell(row, column));
        if beside.is_some_and(|cell| cell.number) && is_plain_number(&put.text) {
            return format!("<{p}c r=\"{at}\"{style}><{p}v>{}</{p}v></{p}c>", put.text);
        }
        format!(
            "<{p}c r=\"{at}\"{style} t=\"inlineStr\"><{p}is><{p}t xml:space=\"preserve\">{}</{p}t></{p}is></{p}c>",
            escaped(&put.text)
        )
    }
}

/// A number that comes back as the same text.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    whole && digits.len() <= 15 && (digits == "0" || !digits.starts_with('0')) && text != "-0"
}

/// Text as XML 1.0 holds it; what it cannot hold goes as spreadsheets write it, `_x0007_`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '_' if is_escape(&text[at..]) => out.push_str("_x005F_"),
            '\n' | '\t' => out.push(c),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("_x{:04X}_", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out
}

fn is_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7
        && bytes[1] == b'x'
        && bytes[6] == b'_'
        && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
}

/// The text with its edits; two at one place keep their order.
fn edited(xml: &[u8], mut edits: Vec<(Range<usize>, String)>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = Vec::with_capacity(xml.len() + edits.iter().map(|(_, t)| t.len()).sum::<usize>());
    let mut at = 0;
    for (range, text) in edits {
        out.extend_from_slice(&xml[at..range.start]);
        out.extend_from_slice(text.as_bytes());
        at = range.end;
    }
    out.extend_from_slice(&xml[at..]);
    out
}

/// The state of one pass over a sheet.
struct Walk<'x> {
    sheet: &'x str,
    prefix: String,
    data: Option<Row>,
    rows: BTreeMap<usize, Row>,
    merged: Vec<Area>,
    arrays: Vec<Area>,
    in_data: bool,
    row: Option<usize>,
    seen: HashSet<usize>,
}

impl<'x> Walk<'x> {
    fn new(sheet: &'x str) -> Walk<'x> {
        Walk {
            sheet,
            prefix: String::new(),
            data: None,
            rows: BTreeMap::new(),
            merged: Vec::new(),
            arrays: Vec::new(),
            in_data: false,
            row: None,
            seen: HashSet::new(),
        }
    }

    fn open(
        &mut self,
        tag: &BytesStart<'_>,
        range: Range<usize>,
        empty: bool,
    ) -> Result<(), FillError> {
        match tag.local_name().as_ref() {
            "sheetData" => {
                let name = tag.name().as_ref().to_owned();
                self.prefix = name.strip_suffix("sheetData").unwrap_or_default().to_owned();
                let close = range.end;
                self.data = Some(Row { tag: range, empty, close, cells: Vec::new() });
                self.in_data = !empty;
            }
            "row" if self.in_data => self.open_row(tag, range, empty)?,
            "c" if self.row.is_some() => self.open_cell(tag, range)?,
            "f" if self.row.is_some() => self.formula(tag),
            "mergeCell" => self.merged.extend(area_of(tag)),
            "sheetProtection"
                if attribute(tag, "sheet").is_some_and(|on| on != "0" && on != "false") =>
            {
                return Err(FillError::Protected(self.sheet.to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str, range: Range<usize>) {
        match name {
            "sheetData" => {
                self.in_data = false;
                if let Some(data) = &mut self.data {
                    data.close = range.start;
                }
            }
            "row" => {
                if let Some(row) = self.row.take().and_then(|row| self.rows.get_mut(&row)) {
                    row.close = range.start;
                }
            }
            "c" => {
                let row = self.row.and_then(|row| self.rows.get_mut(&row));
                if let Some(cell) = row.and_then(|row| row.cells.last_mut()) {
                    cell.range.end = range.end;
                }
            }
            _ => {}
        }
    }

    fn open_row(
        &mut self,
        tag: &BytesStart<'_>,
        range: Range<usize>,
        empty: bool,
    ) -> Result<(), FillError> {
        let before = self.rows.keys().next_back().copied();
        let next = before.map_or(0, |row| row + 1);
        let row = match attribute(tag, "r") {
            None => next,
            Some(text) => text.parse::<usize>().ok().and_then(|r| r.checked_sub(1)).unwrap_or(0),
        };
        // Of rows out of order nobody knows which one a program shows.
        if row < next || row >= ROWS_MAX {
            let at = format!("{}!{}", self.sheet, address(row, 0));
            return Err(FillError::Cell(at, "rows are out of order or too many"));
        }
        let close = range.end;
        self.rows.insert(row, Row { tag: range, empty, close, cells: Vec::new() });
        self.row = (!empty).then_some(row);
        self.seen.clear();
        Ok(())
    }

    fn open_cell(&mut self, tag: &BytesStart<'_>, range: Range<usize>) -> Result<(), FillError> {
        let Some(number) = self.row else { return Ok(()) };
        let Some(row) = self.rows.get_mut(&number) else { return Ok(()) };
        let next = row.cells.last().map_or(0, |cell| cell.column + 1);
        let place = attribute(tag, "r").map(|text| xlsx_marks::place(&text));
        let column = match place {
            None => next,
            Some(Some((row, column))) if row == number && column >= next => column,
            Some(_) => {
                let at = format!("{}!{}", self.sheet, address(number, next));
                return Err(FillError::Cell(at, "cells of its row are out of order"));
            }
        };
        let number = !matches!(
            attribute(tag, "t").as_deref(),
            Some("s" | "str" | "inlineStr" | "b" | "e" | "d")
        );
        let style = attribute(tag, "s");
        row.cells.push(Cell { column, range, style, number, formula: false });
        Ok(())
    }

    fn formula(&mut self, tag: &BytesStart<'_>) {
        let kind = attribute(tag, "t");
        if matches!(kind.as_deref(), Some("array" | "dataTable")) {
            self.arrays.extend(area_of(tag));
        }
        let row = self.row.and_then(|row| self.rows.get_mut(&row));
        if let Some(cell) = row.and_then(|row| row.cells.last_mut()) {
            cell.formula = true;
        }
    }
}

fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let found = tag.try_get_attribute(wanted).ok().flatten()?;
    Some(found.value.into_owned())
}

fn area_of(tag: &BytesStart<'_>) -> Option<Area> {
    let text = attribute(tag, "ref")?;
    xlsx_marks::area(&text).or_else(|| {
        let (row, column) = xlsx_marks::place(&text)?;
        Some(Area { top: row, left: column, bottom: row, right: column })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::read;

    const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

    /// A workbook with one sheet whose part has this text behind `<worksheet …>`.
    fn book(sheet: &str) -> Vec<u8> {
        let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let package = "http://schemas.openxmlformats.org/package/2006";
        let spread = "application/vnd.openxmlformats-officedocument.spreadsheetml";
        let parts = [
            (
                "[Content_Types].xml",
                format!(
                    r#"{HEAD}<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{spread}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{spread}.worksheet+xml"/></Types>"#
                ),
            ),
            (
                "_rels/.rels",
                format!(
                    r#"{HEAD}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
                ),
            ),
            (
                "xl/workbook.xml",
                format!(
                    r#"{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{office}"><sheets><sheet name="設計" sheetId="1" r:id="r1"/></sheets></workbook>"#
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    r#"{HEAD}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
                ),
            ),
            ("xl/worksheets/sheet1.xml", sheet.to_owned()),
            ("docProps/custom.bin", "\u{1}anything".repeat(99)),
        ];
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in parts {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("part");
            zip.write_all(text.as_bytes()).expect("written");
        }
        zip.finish().expect("zip").into_inner()
    }

    fn plain(rows: &str) -> Vec<u8> {
        book(&format!(
            r#"{HEAD}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>"#
        ))
    }

    fn put(row: usize, column: usize, text: &str) -> Put {
        Put { row, column, text: text.to_owned(), like: None }
    }

    fn filled(bytes: &[u8], puts: Vec<Put>) -> Result<Filled, FillError> {
        fill(bytes, &[Page { sheet: "設計".to_owned(), puts }])
    }

    fn part(bytes: &[u8], name: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("zip");
        String::from_utf8(unpack(&mut archive, name).expect("part")).expect("UTF-8")
    }

    fn packed_parts(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("zip");
        let mut parts = BTreeMap::new();
        for index in 0..archive.len() {
            let mut part = archive.by_index_raw(index).expect("part");
            let mut packed = Vec::new();
            part.read_to_end(&mut packed).expect("read");
            parts.insert(part.name().expect("name").into_owned(), packed);
        }
        parts
    }

    #[test]
    fn only_the_cells_asked_for_change_and_other_parts_keep_their_packed_bytes() {
        let rows = r#"<row r="1" spans="1:2"><c r="A1" s="4" t="inlineStr"><is><t>x</t></is></c><c r="B1" s="7"><v>90</v></c></row><!-- kept --><row r="3"/>"#;
        let before = plain(rows);
        let mut wanted = put(0, 2, "60");
        wanted.like = Some((0, 1));
        let after =
            filled(&before, vec![wanted, put(2, 0, "=1+1"), put(1, 1, "& <b>")]).expect("filled");
        assert_eq!(after.written, 3);
        let sheet = part(&after.bytes, "xl/worksheets/sheet1.xml");
        let inner = sheet.split("<sheetData>").nth(1).and_then(|s| s.split("</sheetData>").next());
        assert_eq!(
            inner.expect("cells"),
            concat!(
                r#"<row r="1" spans="1:2"><c r="A1" s="4" t="inlineStr"><is><t>x</t></is></c><c r="B1" s="7"><v>90</v></c>"#,
                r#"<c r="C1" s="7"><v>60</v></c></row><!-- kept -->"#,
                r#"<row r="2"><c r="B2" t="inlineStr"><is><t xml:space="preserve">&amp; &lt;b&gt;</t></is></c></row>"#,
                r#"<row r="3"><c r="A3" t="inlineStr"><is><t xml:space="preserve">=1+1</t></is></c></row>"#
            )
        );
        let (mut old, mut new) = (packed_parts(&before), packed_parts(&after.bytes));
        assert!(old.remove("xl/worksheets/sheet1.xml") != new.remove("xl/worksheets/sheet1.xml"));
        assert_eq!(old, new);
    }

    #[test]
    fn a_formula_and_what_an_array_formula_fills_stay() {
        let rows = r#"<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f t="array" ref="B1:B2">A1:A2</f><v>2</v></c></row><row r="2"><c r="B2"><v>3</v></c><c r="C2"><f t="shared" si="0"/><v>1</v></c></row>"#;
        let before = plain(rows);
        let puts = vec![put(0, 0, "x"), put(1, 1, "x"), put(1, 2, "x"), put(1, 3, "y")];
        let after = filled(&before, puts).expect("filled");
        assert_eq!(
            (after.written, after.formulas),
            (1, vec!["設計!A1".into(), "設計!B2".into(), "設計!C2".into()])
        );
        let sheet = part(&after.bytes, "xl/worksheets/sheet1.xml");
        assert!(
            sheet.contains(r#"<c r="A1"><f>1+1</f><v>2</v></c>"#)
                && sheet.contains(r#"<c r="B2"><v>3</v></c>"#)
        );
    }

    #[test]
    fn what_would_not_be_seen_or_is_protected_or_signed_is_refused_with_its_place() {
        let merged = book(&format!(
            r#"<worksheet xmlns="{MAIN}"><sheetData/><mergeCells><mergeCell ref="B2:C3"/></mergeCells></worksheet>"#
        ));
        let refused = filled(&merged, vec![put(2, 1, "x")]).expect_err("hidden").to_string();
        assert!(refused.contains("設計!B3"), "{refused}");
        assert!(filled(&merged, vec![put(1, 1, "x")]).is_ok());
        let protected = book(&format!(
            r#"<worksheet xmlns="{MAIN}"><sheetData/><sheetProtection password="CC1A" sheet="1"/></worksheet>"#
        ));
        assert!(matches!(filled(&protected, vec![put(0, 0, "x")]), Err(FillError::Protected(_))));
        let disorder = plain(r#"<row r="1"><c r="B1"/><c r="A1"/></row>"#);
        let refused = filled(&disorder, vec![put(0, 0, "x")]).expect_err("order").to_string();
        assert!(refused.contains("設計!C1"), "{refused}");
        let gone = fill(&disorder, &[Page { sheet: "無い".into(), puts: vec![put(0, 0, "x")] }]);
        assert!(matches!(gone, Err(FillError::NoSheet(_))));
        for (bytes, lang) in
            [(&b"a,b\n1,2\n"[..], "not"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls")]
        {
            assert!(
                filled(bytes, vec![put(0, 0, "x")])
                    .expect_err("no xlsx")
                    .to_string()
                    .contains(lang)
            );
        }
    }

    #[test]
    fn a_prefix_and_an_empty_sheet_are_kept_as_they_are() {
        let bytes = book(&format!(r#"<x:worksheet xmlns:x="{MAIN}"><x:sheetData/></x:worksheet>"#));
        let after =
            filled(&bytes, vec![put(4, 1, "実機"), put(1, 0, "_x0041_\u{7}")]).expect("filled");
        let sheet = part(&after.bytes, "xl/worksheets/sheet1.xml");
        assert!(
            sheet.contains(r#"<x:sheetData><x:row r="2"><x:c r="A2" t="inlineStr"><x:is>"#),
            "{sheet}"
        );
        assert!(
            sheet.contains("_x005F_x0041__x0007_")
                && sheet.ends_with("</x:sheetData></x:worksheet>")
        );
    }

    fn soffice_csv(bytes: &[u8]) -> Option<String> {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("book.xlsx"), bytes).expect("written");
        let profile = format!("-env:UserInstallation=file://{}/profile", folder.path().display());
        let run = std::process::Command::new("soffice")
            .args([
                &profile,
                "--headless",
                "--convert-to",
                "csv:Text - txt - csv (StarCalc):44,34,76",
            ])
            .args(["--outdir", "."])
            .arg("book.xlsx")
            .current_dir(folder.path())
            .output();
        if run.is_err() {
            eprintln!("skipped: no soffice");
            return None;
        }
        Some(std::fs::read_to_string(folder.path().join("book.csv")).expect("converted"))
    }

    #[test]
    fn libreoffice_reads_what_was_written() {
        let rows = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>PermitRootLogin</t></is></c><c r="B1"><v>90</v></c></row>"#;
        let mut number = put(0, 2, "60");
        number.like = Some((0, 1));
        let puts =
            vec![number, put(0, 3, "=HYPERLINK(\"x\")"), put(2, 0, "梅 & <竹>"), put(2, 2, "007")];
        let after = filled(&plain(rows), puts).expect("filled");
        let Some(csv) = soffice_csv(&after.bytes) else { return };
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "PermitRootLogin,90,60,\"=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(lines[2], "梅 & <竹>,,007,");
    }

    proptest! {
        /// Whatever stands where: after filling each target reads as asked and each other cell as before.
        #[test]
        fn every_cell_reads_as_it_should(
            there in proptest::collection::btree_map((0usize..9, 0usize..6), "[a-z梅=&<]{1,6}", 1..20),
            gaps in any::<u16>(),
            puts in proptest::collection::btree_map((0usize..12, 0usize..8), "[a-z竹=&<_x0-9]{1,9}", 1..20),
        ) {
            let mut rows = String::new();
            for row in 0..9usize {
                let cells: String = there
                    .iter()
                    .filter(|((r, _), _)| *r == row)
                    .map(|((r, c), text)| format!(r#"<c r="{}" t="inlineStr"><is><t>{}</t></is></c>"#, address(*r, *c), escaped(text)))
                    .collect();
                match cells.is_empty() {
                    true if gaps & (1 << row) == 0 => {}
                    true => rows.push_str(&format!(r#"<row r="{}" ht="20"/>"#, row + 1)),
                    false => rows.push_str(&format!(r#"<row r="{}">{cells}</row>"#, row + 1)),
                }
            }
            let wanted = puts.iter().map(|((r, c), text)| put(*r, *c, text)).collect();
            let after = filled(&plain(&rows), wanted).expect("filled");
            let sheet = &read(&after.bytes).expect("read").sheets[0];
            let mut expected = there.clone();
            expected.extend(puts);
            for row in 0..12usize {
                for column in 0..8usize {
                    let r = row.checked_sub(sheet.origin.0 as usize);
                    let c = column.checked_sub(sheet.origin.1 as usize);
                    let found = r.zip(c).and_then(|(r, c)| sheet.rows.get(r)?.get(c));
                    let expected = expected.get(&(row, column)).map_or("", String::as_str);
                    prop_assert_eq!(found.map_or("", String::as_str), expected);
                }
            }
        }
    }
}
