//! Finds the tables that stand on a sheet: title lines above, a header of one to three rows, the rows
//! below, notes underneath, and then perhaps the next table.
//!
//! Invariants: pure; what a header word is says the caller. A cell keeps its row and column of the
//! sheet, so that every later fault can name its address. Nothing is dropped silently: lines that are
//! no rows are listed as notes.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use crate::{Sheet, fold, fold_header, value};

/// Tables of one sheet; a sheet of more is no register.
const TABLES_MAX: usize = 50;
const HEADER_ROWS_MAX: usize = 3;
const HEADER_CHARS_MAX: usize = 100;
/// Rows looked at to see whether a column without a header holds something.
const GAP_ROWS_TRIED: usize = 50;
/// Lines above a table that may be its title.
const TITLE_LINES_MAX: usize = 3;
/// What a cell says that repeats the one above.
const AS_ABOVE: [&str; 9] = ["同上", "〃", "々", "仝", "″", "''", "\"", "上に同じ", "↑"];
/// What a cell says that repeats the one to its left.
const AS_LEFT: [&str; 3] = ["同左", "左に同じ", "←"];
const NOTE_MARKS: [&str; 10] =
    ["※", "*", "注)", "注:", "(注", "注1", "注記", "備考:", "凡例", "以上"];
const SUMS: [&str; 6] = ["合計", "小計", "総計", "計", "total", "sum"];

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Column of the sheet.
    pub at: usize,
    /// Headers from the top group down, each once.
    pub parts: Vec<String>,
}

impl Column {
    /// The whole header: `リスク評価 / 影響度`.
    pub fn text(&self) -> String {
        self.parts.join(" / ")
    }
}

/// A table of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Lines above it.
    pub title: String,
    /// Rows of its header.
    pub header: std::ops::Range<usize>,
    pub columns: Vec<Column>,
    /// Rows that hold data.
    pub rows: Vec<usize>,
    /// Rows among or below them that do not: notes, sums, repeated headers.
    pub notes: Vec<usize>,
    /// Whether words of the header are known; otherwise it is only the likeliest row.
    pub known: bool,
}

/// A cell of a row as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell<'s> {
    pub text: Cow<'s, str>,
    /// It repeats another cell, but there is none.
    pub dangling: bool,
}

/// Finds the tables of a sheet. `known` says whether a folded header is one that somebody waits for.
pub fn tables(sheet: &Sheet, known: &dyn Fn(&str) -> bool) -> Vec<Table> {
    let page = Page::new(sheet, known);
    let (mut found, mut titles, mut row) = (Vec::new(), Vec::new(), 0);
    while row < sheet.rows.len() && found.len() < TABLES_MAX {
        let Some(header) = page.header_at(row) else {
            if let Some(line) = page.line(row) {
                titles.push(line);
            }
            row += 1;
            continue;
        };
        let title = titles.split_off(titles.len().saturating_sub(TITLE_LINES_MAX)).join(" ");
        titles.clear();
        let (tables, end) = page.body(&header, title);
        found.extend(tables);
        row = end;
    }
    if found.is_empty() {
        found.extend(page.likeliest());
    }
    found
}

impl Table {
    /// Whether it is an export of our own, in which every text means itself.
    fn is_own(&self) -> bool {
        self.columns.iter().any(|column| column.parts == ["ume_id"])
    }

    /// The rows with merged cells filled down and `同上` resolved, cell by column.
    pub fn records<'s>(&'s self, sheet: &'s Sheet) -> impl Iterator<Item = (usize, Vec<Cell<'s>>)> {
        let merged = merged_cells(sheet);
        let mut above: Vec<Cow<'s, str>> = vec![Cow::Borrowed(""); self.columns.len()];
        let own = self.is_own();
        self.rows.iter().map(move |row| {
            let mut cells: Vec<Cell<'s>> = Vec::with_capacity(self.columns.len());
            for (index, column) in self.columns.iter().enumerate() {
                let raw = body_text(sheet, &merged, *row, column.at);
                let left = cells.last().map(|cell: &Cell<'s>| cell.text.clone());
                let cell = match own {
                    true => Cell { text: Cow::Borrowed(raw), dangling: false },
                    false => meant(raw, &above[index], left),
                };
                above[index] = cell.text.clone();
                cells.push(cell);
            }
            (*row, cells)
        })
    }
}

fn meant<'s>(raw: &'s str, above: &Cow<'s, str>, left: Option<Cow<'s, str>>) -> Cell<'s> {
    // Short texts only: folding every cell of a large register would cost more than reading it.
    let short = !raw.is_empty() && raw.len() <= 24;
    let word = if short { fold(raw) } else { String::new() };
    // `〃` and `″` change under compatibility folding, so the bare text counts too.
    let is_one = |words: &[&str]| words.contains(&word.as_str()) || words.contains(&raw.trim());
    if short && is_one(&AS_ABOVE) {
        return Cell { text: above.clone(), dangling: above.is_empty() };
    }
    if short && is_one(&AS_LEFT) {
        let text = left.unwrap_or(Cow::Borrowed(""));
        return Cell { dangling: text.is_empty(), text };
    }
    Cell { text: Cow::Borrowed(raw), dangling: false }
}

type Merged = HashMap<(usize, usize), (usize, usize)>;

/// For each cell that another one fills: which.
fn merged_cells(sheet: &Sheet) -> Merged {
    let mut all = HashMap::new();
    for area in &sheet.merged {
        for row in area.top..=area.bottom {
            for column in area.left..=area.right {
                all.insert((row, column), (area.top, area.left));
            }
        }
    }
    all
}

fn raw(sheet: &Sheet, row: usize, column: usize) -> &str {
    sheet.rows.get(row).and_then(|cells| cells.get(column)).map_or("", String::as_str)
}

/// A cell of the body: filled down a merged area, but not across it.
fn body_text<'s>(sheet: &'s Sheet, merged: &Merged, row: usize, column: usize) -> &'s str {
    match merged.get(&(row, column)) {
        Some((top, left)) if *left == column => raw(sheet, *top, column),
        Some(_) => "",
        None => raw(sheet, row, column),
    }
}

struct Header {
    rows: std::ops::Range<usize>,
    /// Runs of columns that have a header, left to right.
    columns: Vec<Column>,
    known: usize,
}

/// A sheet while its tables are looked for.
struct Page<'s> {
    sheet: &'s Sheet,
    known: &'s dyn Fn(&str) -> bool,
    merged: Merged,
}

impl<'s> Page<'s> {
    fn new(sheet: &'s Sheet, known: &'s dyn Fn(&str) -> bool) -> Page<'s> {
        Page { sheet, known, merged: merged_cells(sheet) }
    }

    fn width(&self, row: usize) -> usize {
        let of = |row: usize| self.sheet.rows.get(row).map_or(0, Vec::len);
        (row..row + HEADER_ROWS_MAX).map(of).max().unwrap_or(0)
    }

    /// A cell of the header: filled both ways.
    fn head_text(&self, row: usize, column: usize) -> &'s str {
        let (top, left) = self.merged.get(&(row, column)).copied().unwrap_or((row, column));
        raw(self.sheet, top, left)
    }

    fn filled(&self, row: usize) -> impl Iterator<Item = (usize, &'s str)> {
        let cells = self.sheet.rows.get(row).map_or(&[][..], Vec::as_slice);
        cells.iter().enumerate().filter(|(_, t)| !t.is_empty()).map(|(c, t)| (c, t.as_str()))
    }

    fn line(&self, row: usize) -> Option<String> {
        let texts: Vec<&str> = self.filled(row).map(|(_, text)| text).collect();
        (!texts.is_empty()).then(|| texts.join(" ").chars().take(200).collect())
    }

    /// A group alone does not make a header known: a stray value below one would count as another.
    fn is_known(&self, column: &Column) -> bool {
        let last = column.parts.len().saturating_sub(1);
        let whole = spellings(&column.parts).into_iter().next();
        whole.iter().chain(&spellings(&column.parts[last..])).any(|word| (self.known)(word))
    }

    /// The header that begins in this row, if one does: of the depths that are possible, the one that
    /// knows most words.
    fn header_at(&self, row: usize) -> Option<Header> {
        let deepest = self.spans_down(row);
        let mut best: Option<Header> = None;
        for depth in deepest.0..=deepest.1 {
            let Some(header) = self.header(row, depth) else { continue };
            if depth > deepest.0 && self.is_title_over(row, depth, header.known) {
                continue;
            }
            if best.as_ref().is_none_or(|b| header.known > b.known) {
                best = Some(header);
            }
        }
        best
    }

    /// Whether the first row of a deep header is rather a title: the rows below know as many words
    /// without it, and it does not group them.
    fn is_title_over(&self, row: usize, depth: usize, known: usize) -> bool {
        let below = self.header(row + 1, depth - 1).map_or(0, |header| header.known);
        let groups = |a: &crate::Area| a.top == row && a.bottom == row && a.left < a.right;
        let grouped = self.sheet.merged.iter().filter(|a| groups(a)).count() > 0;
        below >= known && !(grouped && self.filled(row).count() > 1)
    }

    /// The least and the greatest depth that a header of this row can have. Merged cells say it; where
    /// none are, as in CSV, a second row counts if it only stands where the first has gaps or groups.
    fn spans_down(&self, row: usize) -> (usize, usize) {
        let areas = self.sheet.merged.iter().filter(|a| a.top <= row && row <= a.bottom);
        let (mut least, mut most) = (1, 1);
        for area in areas {
            if area.bottom > row && area.bottom < row + HEADER_ROWS_MAX {
                least = least.max(area.bottom - row + 1);
            }
            if area.right > area.left && self.filled(row + 1).next().is_some() {
                most = most.max(2);
            }
        }
        let gaps = |row: usize| {
            let below = self.filled(row + 1).filter(|(c, _)| self.head_text(row, *c).is_empty());
            below.count() > 0 && self.filled(row).count() > 0
        };
        if gaps(row) {
            most = most.max(2);
        }
        (least, most.max(least))
    }

    fn header(&self, row: usize, depth: usize) -> Option<Header> {
        let mut columns = Vec::new();
        for at in 0..self.width(row) {
            let parts = self.parts(row, depth, at);
            if !parts.is_empty() {
                columns.push(Column { at, parts });
            }
        }
        let texts: Vec<String> = columns.iter().map(Column::text).collect();
        let looks = texts.iter().all(|text| looks_like_header(text));
        let distinct = texts.iter().collect::<HashSet<_>>().len() == texts.len();
        if !looks || columns.len() < 2 {
            return None;
        }
        let known = columns.iter().filter(|column| self.is_known(column)).count();
        let enough = match columns.len() {
            2 | 3 => known >= 1,
            n => known >= 2 && known * 3 >= n,
        };
        // The same header may stand twice side by side, never three words for one.
        let fits = distinct || known >= 2;
        (enough && fits).then_some(Header { rows: row..row + depth, columns, known })
    }

    /// Headers of one column from top to bottom, each once. Above the last row a gap belongs to the
    /// group on its left.
    fn parts(&self, row: usize, depth: usize, at: usize) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for level in row..row + depth {
            let mut text = self.head_text(level, at);
            let below = level + 1 < row + depth && !self.head_text(row + depth - 1, at).is_empty();
            if text.is_empty() && below {
                text = self.group_left(level, at, row + depth - 1);
            }
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if !text.is_empty() && parts.last() != Some(&text) {
                parts.push(text);
            }
        }
        parts
    }

    /// The group that a gap belongs to: the next text on its left that has something below itself.
    fn group_left(&self, level: usize, at: usize, last: usize) -> &'s str {
        for column in (0..at).rev() {
            let text = self.head_text(level, column);
            if !text.is_empty() {
                let over = !self.head_text(last, column).is_empty();
                let merged = self.merged.contains_key(&(level, column));
                return if over && !merged { text } else { "" };
            }
        }
        ""
    }

    /// The tables below a header, and the row behind them.
    fn body(&self, header: &Header, title: String) -> (Vec<Table>, usize) {
        let (first, last) = match (header.columns.first(), header.columns.last()) {
            (Some(first), Some(last)) => (first.at, last.at),
            _ => return (Vec::new(), header.rows.end),
        };
        let mut rows = Vec::new();
        let mut notes = Vec::new();
        let (mut row, mut after_gap) = (header.rows.end, false);
        while row < self.sheet.rows.len() {
            let filled: Vec<(usize, &str)> = self.body_cells(row, first, last);
            if filled.is_empty() {
                (row, after_gap) = (row + 1, true);
                continue;
            }
            if self.repeats(header, row) {
                notes.extend(row..row + header.rows.len());
                row += header.rows.len();
                continue;
            }
            let lonely = filled.len() == 1 && header.columns.len() > 2;
            if (after_gap || lonely) && self.begins_another(row) {
                break;
            }
            let note =
                is_sum(&filled) || (lonely && self.is_note(filled[0], after_gap, row, first, last));
            if note {
                notes.push(row);
            } else {
                rows.push(row);
                after_gap = false;
            }
            row += 1;
        }
        (self.split(header, title, rows, notes), row)
    }

    fn body_cells(&self, row: usize, first: usize, last: usize) -> Vec<(usize, &'s str)> {
        let cell = |column| (column, body_text(self.sheet, &self.merged, row, column));
        (first..=last).map(cell).filter(|(_, text)| !text.is_empty()).collect()
    }

    /// The header again, as printed pages have it.
    fn repeats(&self, header: &Header, row: usize) -> bool {
        let same = |level: usize| {
            header.columns.iter().all(|column| {
                self.head_text(row + level, column.at)
                    == self.head_text(header.rows.start + level, column.at)
            })
        };
        (0..header.rows.len()).all(same)
    }

    /// Whether the next table begins here: its header, or lines of a title above it.
    fn begins_another(&self, row: usize) -> bool {
        let mut at = row;
        for _ in 0..=TITLE_LINES_MAX {
            while at < self.sheet.rows.len() && self.filled(at).next().is_none() {
                at += 1;
            }
            if self.header_at(at).is_some_and(|header| header.known >= 2) {
                return true;
            }
            if self.filled(at).count() > 2 {
                return false;
            }
            at += 1;
        }
        false
    }

    /// A line alone is a note if it says so, if it follows a gap and nothing follows it, or if it is a
    /// sentence beside the first columns.
    fn is_note(
        &self,
        cell: (usize, &str),
        after_gap: bool,
        row: usize,
        first: usize,
        last: usize,
    ) -> bool {
        let folded = fold(cell.1);
        if NOTE_MARKS.iter().any(|mark| folded.starts_with(mark)) {
            return true;
        }
        let more = (row + 1..self.sheet.rows.len())
            .any(|below| self.body_cells(below, first, last).len() > 1);
        !more && (after_gap || cell.0 > first + 2)
    }

    /// Tables side by side: runs of headers with empty columns between, each known by itself.
    fn split(
        &self,
        header: &Header,
        title: String,
        rows: Vec<usize>,
        notes: Vec<usize>,
    ) -> Vec<Table> {
        let mut runs: Vec<Vec<Column>> = Vec::new();
        for column in &header.columns {
            let joined = runs.last().and_then(|run| run.last()).is_some_and(|last: &Column| {
                let gap = last.at + 1..column.at;
                let used = |row: &usize| gap.clone().any(|c| !raw(self.sheet, *row, c).is_empty());
                gap.is_empty() || rows.iter().take(GAP_ROWS_TRIED).any(used)
            });
            match runs.last_mut().filter(|_| joined) {
                Some(run) => run.push(column.clone()),
                None => runs.push(vec![column.clone()]),
            }
        }
        let stands = |run: &Vec<Column>| {
            run.len() >= 2 && run.iter().filter(|c| self.is_known(c)).count() * 3 >= run.len()
        };
        if runs.len() > 1 && !runs.iter().all(stands) {
            runs = vec![header.columns.clone()];
        }
        let alone = runs.len() == 1;
        runs.into_iter()
            .map(|columns| {
                let (first, last) = (columns[0].at, columns[columns.len() - 1].at);
                let own = |row: &usize| alone || !self.body_cells(*row, first, last).is_empty();
                Table {
                    title: title.clone(),
                    header: header.rows.clone(),
                    rows: rows.iter().copied().filter(own).collect(),
                    columns,
                    notes: notes.clone(),
                    known: true,
                }
            })
            .collect()
    }

    /// Where no word is known: the first row of several texts with rows of their kind below.
    fn likeliest(&self) -> Option<Table> {
        let row = (0..self.sheet.rows.len()).find(|row| {
            let texts: Vec<&str> = self.filled(*row).map(|(_, text)| text).collect();
            let distinct = texts.iter().collect::<HashSet<_>>().len() == texts.len();
            let below = self.filled(row + 1).count();
            texts.len() >= 2
                && distinct
                && below >= 2
                && texts.iter().all(|text| looks_like_header(text))
        })?;
        let columns =
            self.filled(row).map(|(at, text)| Column { at, parts: vec![text.to_owned()] });
        let header = Header { rows: row..row + 1, columns: columns.collect(), known: 0 };
        let above = (0..row).filter_map(|row| self.line(row)).collect::<Vec<_>>().join(" ");
        let mut tables = self.body(&header, above).0;
        let mut table = tables.drain(..).next()?;
        table.known = false;
        Some(table)
    }
}

fn looks_like_header(text: &str) -> bool {
    let count = text.chars().count();
    let folded = fold(text);
    let number = folded.chars().all(|c| c.is_ascii_digit() || ",.-/:%".contains(c));
    (1..=HEADER_CHARS_MAX).contains(&count) && !number && value::date(&folded, false).is_none()
}

fn is_sum(filled: &[(usize, &str)]) -> bool {
    filled.first().is_some_and(|(_, text)| text.len() <= 24 && SUMS.contains(&fold(text).as_str()))
}

/// The words under which a header may be known: whole, by its last part, by its group; each also
/// without what stands in brackets.
pub fn spellings(parts: &[String]) -> Vec<String> {
    let whole = parts.iter().map(|part| fold_header(part)).collect::<Vec<_>>().join("/");
    let each = parts.iter().rev().map(|part| fold_header(part));
    let mut out: Vec<String> = Vec::new();
    for word in std::iter::once(whole).chain(each) {
        let bare = crate::without_brackets(&word).map(|(head, _)| head);
        for word in std::iter::once(word).chain(bare) {
            if !word.is_empty() && !out.contains(&word) {
                out.push(word);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Area;

    const WORDS: [&str; 10] = [
        "資産名",
        "管理者",
        "保管場所",
        "備考",
        "起こりやすさ",
        "影響度",
        "氏名",
        "部署",
        "リスク",
        "機密性",
    ];

    fn known(word: &str) -> bool {
        WORDS.contains(&word)
    }

    fn sheet(rows: &[&[&str]]) -> Sheet {
        let rows = rows.iter().map(|r| r.iter().map(|c| (*c).to_owned()).collect()).collect();
        Sheet { rows, ..Sheet::default() }
    }

    fn texts(table: &Table, sheet: &Sheet) -> Vec<Vec<String>> {
        let row = |(_, cells): (usize, Vec<Cell<'_>>)| {
            cells.into_iter().map(|cell| cell.text.into_owned()).collect()
        };
        table.records(sheet).map(row).collect()
    }

    #[test]
    fn a_table_is_found_between_its_title_and_its_notes() {
        let sheet = sheet(&[
            &["情報資産台帳"],
            &["", "", "", "作成日", "令和5年4月1日"],
            &[],
            &["No", "資産名", "管理者", "保管場所"],
            &["1", "顧客名簿", "梅田", "書庫"],
            &[],
            &["2", "契約書", "竹内", "書庫"],
            &["合計", "2件"],
            &[],
            &["※ 年1回見直す"],
        ]);
        let found = tables(&sheet, &known);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rows.clone(), found[0].notes.clone()), (vec![4, 6], vec![7, 9]));
        assert!(found[0].title.contains("情報資産台帳"));
    }

    #[test]
    fn a_header_of_two_rows_becomes_group_and_name() {
        let mut sheet = sheet(&[
            &["リスク", "評価", "", "管理者"],
            &["", "起こりやすさ", "影響度", ""],
            &["漏えい", "3", "4", "梅田"],
        ]);
        let area = |top, left, bottom, right| Area { top, left, bottom, right };
        let plain = tables(&sheet, &known);
        sheet.merged = vec![area(0, 0, 1, 0), area(0, 1, 0, 2), area(0, 3, 1, 3)];
        let merged = tables(&sheet, &known);
        for found in [&plain, &merged] {
            let headers: Vec<String> = found[0].columns.iter().map(Column::text).collect();
            assert_eq!(headers, ["リスク", "評価 / 起こりやすさ", "評価 / 影響度", "管理者"]);
            assert_eq!(texts(&found[0], &sheet), [["漏えい", "3", "4", "梅田"]]);
        }
    }

    #[test]
    fn a_stray_value_beside_the_first_row_makes_no_second_header_row() {
        let sheet = sheet(&[
            &["資産名", "管理者", "保管場所"],
            &["PC", "梅田", "本社", "", "2"],
            &["棚", "竹内", "同上"],
        ]);
        let found = tables(&sheet, &known);
        assert_eq!((found[0].header.clone(), found[0].rows.clone()), (0..1, vec![1, 2]));
    }

    #[test]
    fn merged_cells_fill_down_and_repetitions_are_resolved() {
        let mut sheet = sheet(&[
            &["部署", "氏名", "備考", "保管場所"],
            &["総務部", "梅田", "〃", "書庫"],
            &["", "竹内", "兼務", "同上"],
            &["営業部", "松本", "同 上", "″"],
            &["同左", "同左", "", "々"],
        ]);
        sheet.merged = vec![Area { top: 1, left: 0, bottom: 2, right: 0 }];
        let found = tables(&sheet, &known);
        let rows = texts(&found[0], &sheet);
        assert_eq!(rows[1], ["総務部", "竹内", "兼務", "書庫"]);
        assert_eq!(rows[2], ["営業部", "松本", "兼務", "書庫"]);
        let cells: Vec<_> = found[0].records(&sheet).map(|(_, cells)| cells).collect();
        assert!(cells[0][2].dangling && cells[3][0].dangling && !cells[1][3].dangling);
        assert_eq!(rows[3][3], "書庫");
    }

    #[test]
    fn several_tables_stand_below_and_beside_each_other() {
        let below = sheet(&[
            &["1. 資産"],
            &["資産名", "管理者", "備考"],
            &["PC", "梅田", ""],
            &[],
            &["2. 名簿"],
            &["氏名", "部署"],
            &["梅田", "総務部"],
        ]);
        let found = tables(&below, &known);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].rows.clone(), found[1].rows.clone()), (vec![2], vec![6]));
        assert_eq!(found[1].title, "2. 名簿");

        let beside = sheet(&[
            &["資産名", "管理者", "", "氏名", "部署"],
            &["PC", "梅田", "", "梅田", "総務部"],
            &["", "", "", "竹内", "営業部"],
        ]);
        let found = tables(&beside, &known);
        assert_eq!(found.iter().map(|t| t.rows.clone()).collect::<Vec<_>>(), [vec![1], vec![1, 2]]);
    }

    #[test]
    fn a_header_printed_again_on_each_page_is_no_row() {
        let sheet = sheet(&[
            &["資産名", "管理者", "備考"],
            &["PC", "梅田", ""],
            &["資産名", "管理者", "備考"],
            &["棚", "竹内", ""],
        ]);
        let found = tables(&sheet, &known);
        assert_eq!((found.len(), found[0].rows.clone()), (1, vec![1, 3]));
    }

    #[test]
    fn without_known_words_the_likeliest_row_is_offered() {
        let sheet = sheet(&[&["Übersicht"], &["foo", "bar"], &["1", "2"], &["3", "4"]]);
        let found = tables(&sheet, &known);
        assert_eq!(
            (found[0].known, found[0].header.clone(), found[0].rows.len()),
            (false, 1..2, 2)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_sheet_is_read_without_losing_or_doubling_a_row(
            rows in proptest::collection::vec(
                proptest::collection::vec("(|資産名|管理者|備考|氏名|同上|※x|合計|1|abc)", 0..6), 0..30),
            areas in proptest::collection::vec((0usize..30, 0usize..6, 0usize..4, 0usize..4), 0..4),
        ) {
            let mut sheet = Sheet { rows, ..Sheet::default() };
            sheet.merged = areas.into_iter().map(|(top, left, down, right)| {
                Area { top, left, bottom: top + down, right: left + right }
            }).collect();
            let mut seen = std::collections::BTreeMap::new();
            for table in tables(&sheet, &known) {
                for (row, cells) in table.records(&sheet) {
                    proptest::prop_assert_eq!(cells.len(), table.columns.len());
                    proptest::prop_assert!(row >= table.header.end && row < sheet.rows.len());
                    for column in &table.columns {
                        let place: &mut usize = seen.entry((row, column.at)).or_default();
                        *place += 1;
                        proptest::prop_assert_eq!(*place, 1);
                    }
                }
            }
        }
    }
}
