//! One page, whatever there is to say: what does not fit is counted, never put on a second page.
//!
//! Invariants: pure; [`fit`] says what the page shows, so that another form of the same document shows the same; the
//! first entry of each block stands, an entry that is too long ends in …, and of the others as many as there is room
//! for, blocks taking turns.
//!
//! # Limits
//! [`BLOCKS_MAX`] blocks, [`ENTRIES_MAX`] entries looked at in one.

use super::{
    PdfError,
    break_lines::lines,
    code::{Code, code},
    face::Face,
    mark::{LEADING, Mark, Page},
};

/// Blocks of one page.
pub const BLOCKS_MAX: usize = 8;
/// Width of the narrowest letters, in parts of their size.
const NARROWEST: f32 = 0.2;
/// Entries of a block that are considered; no page has room for more.
pub const ENTRIES_MAX: usize = 60;
const FACTS_MAX: usize = 8;
const FOOT_LINES_MAX: usize = 4;

/// A4, upright, in points.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 42.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
const CODE_SIZE: f32 = 46.0;
const FOOT_HEIGHT: f32 = 56.0;
const BOTTOM: f32 = HEIGHT - MARGIN - FOOT_HEIGHT;

const TITLE: f32 = 18.0;
const HEADING: f32 = 10.0;
const MARK: f32 = 11.0;
const LEAD: f32 = 12.0;
const FACT: f32 = 8.5;
const BLOCK: f32 = 11.0;
const STRONG: f32 = 9.5;
const TEXT: f32 = 9.0;
const FOOT: f32 = 6.5;
const LABEL: f32 = 78.0;
const INDENT: f32 = 10.0;
const GAP: f32 = 7.0;
const ENTRY_GAP: f32 = 2.0;
const TITLE_LINES_MAX: usize = 2;
const LEAD_LINES_MAX: usize = 3;
/// Lines of the strong part of an entry, and of what follows it, while there is room.
const ENTRY_LINES: (usize, usize) = (2, 2);
/// The same where room is scarce.
const ENTRY_LINES_SCARCE: (usize, usize) = (1, 1);

/// A document of one page.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// `ja` or `en`: what the document says of itself
    pub language: &'static str,
    /// Whose document this is
    pub heading: String,
    pub title: String,
    /// Stands framed at the right of the head: how far it may go
    pub mark: String,
    /// The one sentence that is to be read if nothing else is
    pub lead: String,
    /// Name and value, two pairs in a line
    pub facts: Vec<(String, String)>,
    pub blocks: Vec<Block>,
    /// Lines beside the code at the foot
    pub foot: Vec<String>,
    /// What the QR code at the foot says
    pub code: Option<String>,
}

/// A part of the page with its entries, what matters most first.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub title: String,
    pub entries: Vec<Entry>,
    /// Entries beyond those given
    pub beyond: usize,
    /// Said where there is no entry
    pub empty: String,
    /// How what is left out is counted, with `{n}`
    pub more: String,
    /// Entries that it may add while another block of weight 1 adds one
    pub weight: usize,
}

/// One thing said: a strong part, and what there is to add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub strong: String,
    pub text: String,
}

/// What the page shows of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    pub entries: Vec<Entry>,
    /// Entries left out
    pub more: usize,
}

/// What the page shows of each block.
pub fn fit(sheet: &Sheet) -> Result<Vec<Fitted>, PdfError> {
    let face = Face::shipped()?;
    let (_, top) = head(sheet, &face);
    fitted(sheet, &face, BOTTOM - top)
}

/// Makes the document.
pub fn write_sheet(sheet: &Sheet) -> Result<Vec<u8>, PdfError> {
    let face = Face::shipped()?;
    let page = laid_out(sheet, &face)?;
    let about = super::write::About {
        language: sheet.language,
        title: &sheet.title,
        heading: &sheet.heading,
        size: (WIDTH, HEIGHT),
    };
    super::write::document(&about, &face, &[page])
}

fn laid_out(sheet: &Sheet, face: &Face) -> Result<Page, PdfError> {
    let (mut page, mut y) = head(sheet, face);
    for (block, shown) in sheet.blocks.iter().zip(fitted(sheet, face, BOTTOM - y)?) {
        y += GAP;
        page.text(MARGIN, y, BLOCK, true, &one_line(face, &block.title, BLOCK, INNER));
        y += BLOCK * LEADING;
        page.rule((MARGIN, y), (MARGIN + INNER, y), 0.6);
        y += ENTRY_GAP;
        if shown.entries.is_empty() {
            y = put(&mut page, face, y, TEXT, false, &one_line(face, &block.empty, TEXT, width()));
        }
        for entry in &shown.entries {
            y = put(&mut page, face, y, STRONG, true, &entry.strong);
            y = put(&mut page, face, y, TEXT, false, &entry.text) + ENTRY_GAP;
        }
        if shown.more > 0 {
            let said = block.more.replace("{n}", &shown.more.to_string());
            y = put(&mut page, face, y, TEXT, false, &one_line(face, &said, TEXT, width()));
        }
    }
    let code = sheet.code.as_deref().map(code).transpose()?;
    foot(&mut page, sheet, face, code.as_ref());
    Ok(page)
}

fn width() -> f32 {
    INNER - INDENT
}

/// Writes lines under one another; an empty text takes no room.
fn put(page: &mut Page, face: &Face, mut y: f32, size: f32, bold: bool, text: &str) -> f32 {
    if text.is_empty() {
        return y;
    }
    for line in lines(face, text, size, width()) {
        page.text(MARGIN + INDENT, y, size, bold, &line);
        y += size * LEADING;
    }
    y
}

/// The head, and where the body begins. Its height is bounded, so a body always has room.
fn head(sheet: &Sheet, face: &Face) -> (Page, f32) {
    let (mut page, mut y) = (Page::default(), MARGIN);
    let mark = one_line(face, &sheet.mark, MARK, INNER / 2.0);
    let taken = if mark.is_empty() { 0.0 } else { face.width(&mark, MARK) + 16.0 };
    if !mark.is_empty() {
        let (left, right) = (MARGIN + INNER - taken, MARGIN + INNER);
        let bottom = y + MARK * LEADING + 6.0;
        for (from, to) in [
            ((left, y), (right, y)),
            ((right, y), (right, bottom)),
            ((right, bottom), (left, bottom)),
            ((left, bottom), (left, y)),
        ] {
            page.rule(from, to, 0.0);
        }
        page.text(left + 8.0, y + 3.0, MARK, true, &mark);
    }
    let beside = INNER - taken - 8.0;
    page.text(MARGIN, y, HEADING, false, &one_line(face, &sheet.heading, HEADING, beside));
    y += HEADING * LEADING + 2.0;
    for line in lines(face, &cut(face, &sheet.title, TITLE, beside, TITLE_LINES_MAX), TITLE, beside)
    {
        page.text(MARGIN, y, TITLE, true, &line);
        y += TITLE * LEADING;
    }
    y += 4.0;
    let lead = cut(face, &sheet.lead, LEAD, INNER - 16.0, LEAD_LINES_MAX);
    let lead = lines(face, &lead, LEAD, INNER - 16.0);
    let height = lead.len() as f32 * LEAD * LEADING + 8.0;
    page.0.push(Mark::Fill { x: MARGIN, y, width: INNER, height, gray: 0.93 });
    for (n, line) in lead.iter().enumerate() {
        page.text(MARGIN + 8.0, y + 4.0 + n as f32 * LEAD * LEADING, LEAD, true, line);
    }
    y += height + 6.0;
    let facts = &sheet.facts[..sheet.facts.len().min(FACTS_MAX)];
    for pair in facts.chunks(2) {
        for (at, (name, value)) in pair.iter().enumerate() {
            let x = MARGIN + at as f32 * INNER / 2.0;
            page.text(x, y, FACT, true, &one_line(face, name, FACT, LABEL - 4.0));
            let value = one_line(face, value, FACT, INNER / 2.0 - LABEL - 8.0);
            page.text(x + LABEL, y, FACT, false, &value);
        }
        y += FACT * LEADING;
    }
    (page, y)
}

fn foot(page: &mut Page, sheet: &Sheet, face: &Face, code: Option<&Code>) {
    let top = HEIGHT - MARGIN - CODE_SIZE;
    page.rule((MARGIN, top - 6.0), (MARGIN + INNER, top - 6.0), 0.6);
    let mut x = MARGIN;
    if let Some(code) = code {
        code.draw(page, MARGIN, top, CODE_SIZE);
        x += CODE_SIZE + 10.0;
    }
    for (n, line) in sheet.foot.iter().take(FOOT_LINES_MAX).enumerate() {
        let line = one_line(face, line, FOOT, MARGIN + INNER - x);
        page.text(x, top + n as f32 * FOOT * LEADING, FOOT, false, &line);
    }
}

fn one_line(face: &Face, text: &str, size: f32, width: f32) -> String {
    cut(face, &text.replace('\n', " "), size, width, 1)
}

/// The text, or as much of its beginning as so many lines hold, with … behind.
fn cut(face: &Face, text: &str, size: f32, width: f32, lines_max: usize) -> String {
    let text = text.trim();
    let fits = |text: &str| lines(face, text, size, width).len() <= lines_max;
    // What is longer than so many of the narrowest letters is not measured.
    let most = (lines_max as f32 * width / (size * NARROWEST)).ceil() as usize;
    let is_long = text.chars().nth(most).is_some();
    if text.is_empty() || (!is_long && fits(text)) {
        return text.to_owned();
    }
    let part =
        |chars: usize| text.chars().take(chars).collect::<String>().trim_end().to_owned() + "…";
    // Of more characters no page has room.
    let (mut low, mut high) = (0, text.chars().take(most).count().min(super::CELL_CHARS_MAX - 2));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(&part(middle)) { low = middle } else { high = middle - 1 }
    }
    part(low)
}

/// Entries as long as they may be, with the height of each: as many as would fill the room alone, and one more.
fn prepared(block: &Block, face: &Face, room: f32, most: (usize, usize)) -> Vec<(Entry, f32)> {
    let height = |text: &str, size: f32| match text {
        "" => 0.0,
        text => lines(face, text, size, width()).len() as f32 * size * LEADING,
    };
    let one = |entry: &Entry| {
        let strong = cut(face, &entry.strong, STRONG, width(), most.0);
        let text = cut(face, &entry.text, TEXT, width(), most.1);
        let height = height(&strong, STRONG) + height(&text, TEXT) + ENTRY_GAP;
        (Entry { strong, text }, height)
    };
    let mut taken = 0.0;
    let mut all = Vec::new();
    for entry in block.entries.iter().take(ENTRIES_MAX) {
        let (entry, height) = one(entry);
        taken += height;
        all.push((entry, height));
        if taken > room {
            break;
        }
    }
    all
}

fn fitted(sheet: &Sheet, face: &Face, room: f32) -> Result<Vec<Fitted>, PdfError> {
    if sheet.blocks.len() > BLOCKS_MAX {
        return Err(PdfError::Sheet);
    }
    [ENTRY_LINES, ENTRY_LINES_SCARCE]
        .into_iter()
        .find_map(|most| chosen(sheet, face, room, most))
        .ok_or(PdfError::Sheet)
}

/// As many entries as there is room for; none if there is no room for the first of each block.
fn chosen(sheet: &Sheet, face: &Face, room: f32, most: (usize, usize)) -> Option<Vec<Fitted>> {
    let all: Vec<Vec<(Entry, f32)>> =
        sheet.blocks.iter().map(|block| prepared(block, face, room, most)).collect();
    let taken = |shown: &[usize]| -> f32 {
        let one = |(at, block): (usize, &Block)| {
            let entries: f32 = all[at][..shown[at]].iter().map(|(_, height)| height).sum();
            let lines = usize::from(shown[at] == 0) + usize::from(left(block, shown[at]) > 0);
            GAP + BLOCK * LEADING + ENTRY_GAP + entries + lines as f32 * TEXT * LEADING
        };
        sheet.blocks.iter().enumerate().map(one).sum()
    };
    let mut shown: Vec<usize> = all.iter().map(|entries| entries.len().min(1)).collect();
    if taken(&shown) > room {
        return None;
    }
    let mut open: Vec<usize> = (0..shown.len()).collect();
    while !open.is_empty() {
        let mut still = Vec::new();
        for at in open {
            let mut grows = true;
            for _ in 0..sheet.blocks[at].weight.max(1) {
                grows = shown[at] < all[at].len();
                if grows {
                    shown[at] += 1;
                    if taken(&shown) > room {
                        shown[at] -= 1;
                        grows = false;
                    }
                }
                if !grows {
                    break;
                }
            }
            if grows {
                still.push(at);
            }
        }
        open = still;
    }
    let one = |(at, block): (usize, &Block)| Fitted {
        entries: all[at][..shown[at]].iter().map(|(entry, _)| entry.clone()).collect(),
        more: left(block, shown[at]),
    };
    Some(sheet.blocks.iter().enumerate().map(one).collect())
}

fn left(block: &Block, shown: usize) -> usize {
    block.entries.len().saturating_sub(shown) + block.beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(title: &str, entries: usize, words: usize) -> Block {
        let entry = |n: usize| Entry {
            strong: format!("{title}{n} {}", "脆弱性を狙う攻撃".repeat(words)),
            text: format!("対象 web{n}.example {}", "VPN装置、".repeat(words)),
        };
        Block {
            title: title.to_owned(),
            entries: (0..entries).map(entry).collect(),
            beyond: 0,
            empty: "ありません。".to_owned(),
            more: "ほか{n}件".to_owned(),
            weight: 1,
        }
    }

    fn sheet(entries: usize, words: usize) -> Sheet {
        Sheet {
            language: "ja",
            heading: "架空製作所".to_owned(),
            title: "経営層への要約".repeat(words.clamp(1, 40)),
            mark: "TLP:AMBER+STRICT".to_owned(),
            lead: "短期の該当が3件あります。".repeat(words.clamp(1, 40)),
            facts: vec![("発行".to_owned(), "2026-11-29".to_owned()); 6],
            blocks: ["該当", "見通し", "対応", "判断", "指示"]
                .map(|title| block(title, entries, words))
                .to_vec(),
            foot: vec!["sha256 0123456789abcdef".to_owned()],
            code: Some("0123456789abcdef".to_owned()),
        }
    }

    fn read(sheet: &Sheet) -> Option<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sheet.pdf");
        std::fs::write(&file, write_sheet(sheet).unwrap()).unwrap();
        let mut program = std::process::Command::new("pdftotext");
        let output = program.arg("-raw").arg(&file).arg("-").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let pages = text.trim_end_matches('\u{c}').split('\u{c}');
        Some(pages.map(|page| page.split_whitespace().collect()).collect())
    }

    #[test]
    fn however_much_there_is_it_is_one_page_and_what_is_left_out_is_counted() {
        for (entries, words) in [(0, 1), (1, 1), (1, 300), (3, 2), (60, 1), (60, 40), (500, 300)] {
            let sheet = sheet(entries, words);
            let shown = fit(&sheet).unwrap();
            for (block, shown) in sheet.blocks.iter().zip(&shown) {
                assert_eq!(shown.entries.len() + shown.more, entries, "{entries} × {words}");
                assert!(entries == 0 || !shown.entries.is_empty(), "{}", block.title);
            }
            assert!(write_sheet(&sheet).unwrap().starts_with(b"%PDF-1."));
            let Some(pages) = read(&sheet) else { continue };
            assert_eq!(pages.len(), 1, "{entries} × {words}");
            for (block, shown) in sheet.blocks.iter().zip(&shown) {
                for entry in &shown.entries {
                    let strong: String = entry.strong.split_whitespace().collect();
                    assert!(pages[0].contains(&strong), "{strong} in {}", pages[0]);
                }
                if shown.more > 0 {
                    assert!(pages[0].contains(&format!("ほか{}件", shown.more)), "{}", block.title);
                }
            }
            assert!(pages[0].contains("sha2560123456789abcdef"), "{}", pages[0]);
        }
    }

    #[test]
    fn nothing_stands_below_the_body_and_nothing_beside_the_page() {
        let face = Face::shipped().unwrap();
        for (entries, words) in [(60, 1), (60, 7), (500, 300)] {
            let page = laid_out(&sheet(entries, words), &face).unwrap();
            for mark in &page.0 {
                let Mark::Text { x, y, size, text, .. } = mark else { continue };
                assert!(x + face.width(text, *size) <= MARGIN + INNER + 0.5, "{text}");
                assert!(*y <= BOTTOM || *size == FOOT, "{y}: {text}");
            }
        }
    }

    #[test]
    fn a_block_of_more_weight_has_more_room() {
        let mut sheet = sheet(60, 2);
        let before = fit(&sheet).unwrap();
        sheet.blocks[0].weight = 3;
        let after = fit(&sheet).unwrap();
        assert!(after[0].entries.len() > before[0].entries.len());
        sheet.blocks[0].beyond = 7;
        assert_eq!(fit(&sheet).unwrap()[0].more, after[0].more + 7);
    }

    #[test]
    fn the_same_sheet_makes_the_same_bytes_and_too_many_blocks_are_refused() {
        let mut sheet = sheet(5, 3);
        assert_eq!(write_sheet(&sheet).unwrap(), write_sheet(&sheet).unwrap());
        sheet.blocks = vec![block("x", 1, 1); BLOCKS_MAX + 1];
        assert!(matches!(write_sheet(&sheet), Err(PdfError::Sheet)));
    }

    #[test]
    fn the_fullest_sheet_has_room_for_the_first_of_each_block() {
        let mut sheet = sheet(9, 400);
        sheet.blocks = vec![block("x", 9, 400); BLOCKS_MAX];
        sheet.facts = vec![("名".to_owned(), "値".repeat(900)); 20];
        assert!(fit(&sheet).unwrap().iter().all(|block| !block.entries.is_empty()));
    }
}
