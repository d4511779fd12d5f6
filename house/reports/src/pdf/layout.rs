//! Where everything stands: the head of the first page, the table over as many pages as it takes, the
//! foot of each.

use super::{
    Column, Paper, PdfError,
    break_lines::lines,
    code::{Code, code},
    face::Face,
    mark::{LEADING, Mark, Page},
};

/// Pages of one document.
pub const PAGES_MAX: usize = 500;

/// A4, landscape, in points.
pub(super) const WIDTH: f32 = 841.89;
pub(super) const HEIGHT: f32 = 595.28;
const MARGIN: f32 = 36.0;
const FOOT_HEIGHT: f32 = 52.0;
const CODE_SIZE: f32 = 44.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Where the body of a page ends.
const BOTTOM: f32 = HEIGHT - MARGIN - FOOT_HEIGHT;

const TITLE: f32 = 17.0;
const HEADING: f32 = 11.0;
const FACT: f32 = 8.5;
const CELL: f32 = 7.0;
const FOOT: f32 = 6.5;
const PAD: f32 = 2.5;

/// Lays the paper out.
pub(super) fn pages(paper: &Paper, face: &Face) -> Result<Vec<Page>, PdfError> {
    let mut table = Table::new(paper, face);
    table.head_of_document(paper);
    table.head_of_table();
    for row in &paper.rows {
        table.row(row)?;
    }
    let mut pages = table.done();
    let count = pages.len();
    let code = paper.code.as_deref().map(code).transpose()?;
    for (at, page) in pages.iter_mut().enumerate() {
        foot(page, paper, face, code.as_ref(), (at + 1, count));
    }
    Ok(pages)
}

struct Table<'p> {
    face: &'p Face,
    columns: &'p [Column],
    /// Left edge and width of each column.
    places: Vec<(f32, f32)>,
    done: Vec<Page>,
    page: Page,
    /// Where the next thing goes.
    y: f32,
    /// Where the table of this page begins.
    top: f32,
}

impl<'p> Table<'p> {
    fn new(paper: &'p Paper, face: &'p Face) -> Table<'p> {
        let whole: f32 = paper.columns.iter().map(|c| c.share).sum();
        let mut x = MARGIN;
        let place = |column: &Column| {
            let width = INNER * column.share / whole;
            x += width;
            (x - width, width)
        };
        let places = paper.columns.iter().map(place).collect();
        let page = Page::default();
        Table {
            face,
            columns: &paper.columns,
            places,
            done: Vec::new(),
            page,
            y: MARGIN,
            top: MARGIN,
        }
    }

    fn head_of_document(&mut self, paper: &Paper) {
        self.page.text(MARGIN, self.y, HEADING, false, &paper.heading);
        self.y += HEADING * LEADING + 2.0;
        self.page.text(MARGIN, self.y, TITLE, true, &paper.title);
        self.y += TITLE * LEADING + 4.0;
        for pair in paper.facts.chunks(2) {
            let mut height: f32 = 0.0;
            for (at, (name, value)) in pair.iter().enumerate() {
                let x = MARGIN + at as f32 * INNER / 2.0;
                let label = 92.0;
                self.page.text(x, self.y, FACT, true, name);
                let lines = lines(self.face, value, FACT, INNER / 2.0 - label - 8.0);
                for (n, line) in lines.iter().enumerate() {
                    self.page.text(
                        x + label,
                        self.y + n as f32 * FACT * LEADING,
                        FACT,
                        false,
                        line,
                    );
                }
                height = height.max(lines.len() as f32 * FACT * LEADING);
            }
            self.y += height;
        }
        self.y += 4.0;
        for note in &paper.notes {
            for line in lines(self.face, note, FACT, INNER) {
                self.page.text(MARGIN, self.y, FACT, false, &line);
                self.y += FACT * LEADING;
            }
        }
        self.y += 6.0;
    }

    fn head_of_table(&mut self) {
        let cells: Vec<Vec<String>> = self
            .columns
            .iter()
            .zip(&self.places)
            .map(|(column, (_, width))| lines(self.face, &column.title, CELL, width - 2.0 * PAD))
            .collect();
        let most = cells.iter().map(Vec::len).max().unwrap_or(1);
        let height = most as f32 * CELL * LEADING + 2.0 * PAD;
        self.top = self.y;
        self.page.0.push(Mark::Fill { x: MARGIN, y: self.y, width: INNER, height, gray: 0.9 });
        self.page.rule((MARGIN, self.y), (MARGIN + INNER, self.y), 0.0);
        self.cells(&cells, 0, most, true);
        self.y += height;
        self.page.rule((MARGIN, self.y), (MARGIN + INNER, self.y), 0.0);
    }

    /// Lines `from` to `to` of every cell, at the current height.
    fn cells(&mut self, cells: &[Vec<String>], from: usize, to: usize, bold: bool) {
        for (cell, (x, _)) in cells.iter().zip(&self.places) {
            let part = cell.iter().take(to).skip(from);
            for (n, line) in part.enumerate() {
                let top = self.y + PAD + n as f32 * CELL * LEADING;
                self.page.text(x + PAD, top, CELL, bold, line);
            }
        }
    }

    fn row(&mut self, row: &[String]) -> Result<(), PdfError> {
        let cells: Vec<Vec<String>> = self
            .places
            .iter()
            .enumerate()
            .map(|(at, (_, width))| {
                let text = row.get(at).map_or("", String::as_str);
                lines(self.face, text, CELL, width - 2.0 * PAD)
            })
            .collect();
        let most = cells.iter().map(Vec::len).max().unwrap_or(1);
        let mut from = 0;
        while from < most {
            let room = ((BOTTOM - self.y - 2.0 * PAD) / (CELL * LEADING)).floor().max(0.0) as usize;
            let left = most - from;
            // A row is only parted where no page would hold it whole.
            let begins_page = self.y <= MARGIN + 60.0;
            if left > room && !(begins_page && room > 0) {
                self.turn()?;
                continue;
            }
            let to = from + left.min(room);
            self.cells(&cells, from, to, false);
            self.y += (to - from) as f32 * CELL * LEADING + 2.0 * PAD;
            self.page.rule((MARGIN, self.y), (MARGIN + INNER, self.y), 0.6);
            from = to;
        }
        Ok(())
    }

    /// Ends the page and begins the next one under the head of the table.
    fn turn(&mut self) -> Result<(), PdfError> {
        if self.done.len() + 1 >= PAGES_MAX {
            return Err(PdfError::Pages);
        }
        self.end_page();
        self.y = MARGIN;
        self.head_of_table();
        Ok(())
    }

    /// Lines between the columns, over the height that the table took.
    fn end_page(&mut self) {
        let (top, bottom) = (self.top, self.y);
        let edges =
            self.places.iter().map(|(x, _)| *x).chain([MARGIN + INNER]).collect::<Vec<f32>>();
        for x in edges {
            self.page.rule((x, top), (x, bottom), 0.6);
        }
        self.done.push(std::mem::take(&mut self.page));
    }

    fn done(mut self) -> Vec<Page> {
        self.end_page();
        self.done
    }
}

fn foot(page: &mut Page, paper: &Paper, face: &Face, code: Option<&Code>, at: (usize, usize)) {
    let top = HEIGHT - MARGIN - FOOT_HEIGHT + 8.0;
    let mut x = MARGIN;
    if let Some(code) = code {
        code.draw(page, MARGIN, top, CODE_SIZE);
        x += CODE_SIZE + 10.0;
    }
    for (n, line) in paper.foot.iter().enumerate() {
        page.text(x, top + n as f32 * FOOT * LEADING, FOOT, false, line);
    }
    let count =
        paper.count.replace("{page}", &at.0.to_string()).replace("{pages}", &at.1.to_string());
    let right = MARGIN + INNER - face.width(&count, FACT);
    page.text(right, top + CODE_SIZE - FACT * LEADING, FACT, false, &count);
}
