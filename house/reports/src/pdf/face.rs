//! The shipped font: which glyph a character has, and how wide it is.

use ttf_parser::GlyphId;

use super::PdfError;

/// IPAex Gothic 004.01, unchanged; its licence stands beside it.
pub(super) const FONT: &[u8] = include_bytes!("../../fonts/ipaexg.ttf");
/// What stands for a character that the font lacks.
const GETA: char = '〓';

pub(super) struct Face(ttf_parser::Face<'static>);

impl Face {
    pub fn shipped() -> Result<Face, PdfError> {
        ttf_parser::Face::parse(FONT, 0).map(Face).map_err(|e| PdfError::Font(e.to_string()))
    }

    #[cfg(test)]
    pub fn has(&self, c: char) -> bool {
        self.0.glyph_index(c).is_some()
    }

    /// The character as it is drawn, and its glyph.
    pub fn glyph(&self, c: char) -> (char, GlyphId) {
        let known = self.0.glyph_index(c).map(|glyph| (c, glyph));
        let geta = || (GETA, self.0.glyph_index(GETA).unwrap_or(GlyphId(0)));
        known.unwrap_or_else(geta)
    }

    /// Thousandths of the font's size.
    pub fn advance(&self, glyph: GlyphId) -> f32 {
        self.thousandths(self.0.glyph_hor_advance(glyph).unwrap_or(0).into())
    }

    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.advance(self.glyph(c).1)).sum::<f32>() * size / 1000.0
    }

    pub fn char_width(&self, c: char, size: f32) -> f32 {
        self.advance(self.glyph(c).1) * size / 1000.0
    }

    pub fn thousandths(&self, units: i32) -> f32 {
        units as f32 * 1000.0 / f32::from(self.0.units_per_em())
    }

    pub fn inner(&self) -> &ttf_parser::Face<'static> {
        &self.0
    }
}
