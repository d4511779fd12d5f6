//! Documents of paragraphs and one table, and documents of one page ([`Sheet`]), as PDF: Japanese and Latin in one embedded font whose text can
//! be selected and searched.
//!
//! Invariants: pure, so the same paper makes the same bytes; only the glyphs used are embedded; nothing
//! is cut off: what does not fit a line is broken, what does not fit a page goes on the next one, under
//! the table's head again. What the font lacks is shown as 〓.
//!
//! # Limits
//! [`PAGES_MAX`] pages, [`CELL_CHARS_MAX`] characters in a cell (what is beyond is replaced by …).

mod break_lines;
mod code;
mod face;
mod layout;
mod mark;
mod sheet;
mod write;

pub use layout::PAGES_MAX;
pub use sheet::{Block, Entry, Fitted, Sheet, fit, write_sheet};

use face::Face;

/// Characters of one cell or paragraph.
pub const CELL_CHARS_MAX: usize = 4_000;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    #[error("the document would have more than {PAGES_MAX} pages")]
    Pages,
    #[error("one page has no room for what it must show")]
    Sheet,
    #[error("the font in this build cannot be read: {0}")]
    Font(String),
    #[error("the code in the footer holds too much: {0}")]
    Code(String),
}

/// A document for A4, landscape.
#[derive(Clone, Debug, Default)]
pub struct Paper {
    /// `ja` or `en`: what the document says of itself
    pub language: &'static str,
    pub title: String,
    /// Stands above the title: whose document this is
    pub heading: String,
    /// Name and value, two pairs in a line
    pub facts: Vec<(String, String)>,
    /// Paragraphs before the table
    pub notes: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
    /// Lines beside the code at the foot of each page
    pub foot: Vec<String>,
    /// What the QR code at the foot says
    pub code: Option<String>,
    /// How a page is counted, with `{page}` and `{pages}`
    pub count: String,
}

/// A column of the table.
#[derive(Clone, Debug)]
pub struct Column {
    pub title: String,
    /// Its part of the width, relative to the others
    pub share: f32,
}

/// Makes the document.
pub fn write_pdf(paper: &Paper) -> Result<Vec<u8>, PdfError> {
    let face = Face::shipped()?;
    let pages = layout::pages(paper, &face)?;
    let about = write::About {
        language: paper.language,
        title: &paper.title,
        heading: &paper.heading,
        size: (layout::WIDTH, layout::HEIGHT),
    };
    write::document(&about, &face, &pages)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn paper(rows: usize) -> Paper {
        let column = |title: &str, share| Column { title: title.to_owned(), share };
        Paper {
            language: "ja",
            title: "適用宣言書".to_owned(),
            heading: "架空製作所株式会社".to_owned(),
            facts: vec![
                ("版".to_owned(), "第3版".to_owned()),
                ("承認日".to_owned(), "2026-11-28".to_owned()),
            ],
            notes: vec!["この文書は台帳の記録から作成した。".to_owned()],
            columns: vec![column("番号", 1.0), column("管理策", 4.0), column("実施の内容", 8.0)],
            rows: (0..rows)
                .map(|n| {
                    let text = "情報システムの設定を管理台帳に記録し、変更のたびに確かめる。"
                        .repeat(n % 5 + 1);
                    vec![format!("8.{n}"), "構成管理".to_owned(), text]
                })
                .collect(),
            foot: vec!["checkpoint 1234".to_owned()],
            code: Some("ume.local/abc\n1234\nroot".to_owned()),
            count: "{page} / {pages} ページ".to_owned(),
        }
    }

    fn told(program: &str, args: &[&str]) -> Option<String> {
        match Command::new(program).args(args).output() {
            Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
            Err(_) => {
                println!("skipped: no {program} (apt package poppler-utils)");
                None
            }
        }
    }

    #[test]
    fn japanese_is_embedded_and_can_be_found_on_every_page() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("soa.pdf");
        let bytes = write_pdf(&paper(93)).unwrap();
        assert!(bytes.len() < 400_000, "the font is a subset: {} bytes", bytes.len());
        std::fs::write(&file, bytes).unwrap();
        let path = file.to_str().unwrap();
        let Some(text) = told("pdftotext", &["-layout", path, "-"]) else { return };
        let pages: Vec<&str> = text.trim_end_matches('\u{c}').split('\u{c}').collect();
        assert!(pages.len() > 2, "{} pages", pages.len());
        for (at, page) in pages.iter().enumerate() {
            assert!(
                page.contains("管理策") && page.contains("実施の内容"),
                "page {at} has no head"
            );
            assert!(page.contains(&format!("{} / {} ページ", at + 1, pages.len())), "page {at}");
            assert!(page.contains("checkpoint 1234"), "page {at}");
        }
        let first = pages[0];
        assert!(first.contains("適用宣言書") && first.contains("架空製作所株式会社"), "{first}");
        for n in 0..93 {
            assert!(text.contains(&format!("8.{n} ")), "row {n} is missing");
        }
        let Some(fonts) = told("pdffonts", &[path]) else { return };
        let line = fonts.lines().find(|l| l.contains("IPAexGothic")).expect("font");
        assert!(line.contains("yes yes yes"), "emb sub uni: {fonts}");
    }

    #[test]
    fn a_row_longer_than_a_page_goes_on_and_loses_nothing() {
        let mut paper = paper(1);
        paper.rows[0][2] = (0..900).map(|n| format!("第{n}項。")).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("long.pdf");
        std::fs::write(&file, write_pdf(&paper).unwrap()).unwrap();
        let Some(text) = told("pdftotext", &["-raw", file.to_str().unwrap(), "-"]) else { return };
        let text: String = text.split_whitespace().collect();
        for n in [0, 1, 250, 500, 610] {
            assert!(text.contains(&format!("第{n}項。")), "{n}");
        }
        assert!(text.contains('…'), "what was left out is shown to be");
    }

    #[test]
    fn the_same_paper_makes_the_same_bytes() {
        assert_eq!(write_pdf(&paper(3)).unwrap(), write_pdf(&paper(3)).unwrap());
    }

    #[test]
    fn what_the_font_lacks_and_control_characters_do_no_harm() {
        let mut paper = paper(1);
        paper.rows[0] =
            vec!["\u{1F600}\u{7}\u{0}".to_owned(), String::new(), "a\tb\u{200B}".to_owned()];
        paper.rows.push(Vec::new());
        assert!(write_pdf(&paper).unwrap().starts_with(b"%PDF-1."));
    }

    #[test]
    fn more_pages_than_allowed_are_refused() {
        let mut paper = paper(1);
        paper.rows = vec![vec!["あ\n".repeat(2_000)]; 200];
        assert!(matches!(write_pdf(&paper), Err(PdfError::Pages)));
    }

    #[test]
    fn the_font_has_every_character_of_jis_x_0208() {
        let face = Face::shipped().unwrap();
        let mut missing = Vec::new();
        for row in 0xa1..=0xf4u8 {
            for cell in 0xa1..=0xfeu8 {
                let pair = [row, cell];
                let (text, _, bad) = encoding_rs::EUC_JP.decode(&pair);
                // Rows 9 to 15 and the rest of 84 hold what vendors added.
                let is_jis = !(0xa9..=0xaf).contains(&row);
                if bad || !is_jis {
                    continue;
                }
                missing.extend(text.chars().filter(|c| !face.has(*c)));
            }
        }
        assert_eq!(missing, Vec::<char>::new());
    }
}
