//! A QR code as rectangles.

use super::{
    PdfError,
    mark::{Mark, Page},
};

/// Dark runs of a code's rows: column, row, length; and how many modules a side has.
pub(super) struct Code {
    side: usize,
    runs: Vec<(usize, usize, usize)>,
}

pub(super) fn code(text: &str) -> Result<Code, PdfError> {
    let qr = qrcodegen::QrCode::encode_text(text, qrcodegen::QrCodeEcc::Medium)
        .map_err(|error| PdfError::Code(error.to_string()))?;
    let side = qr.size().max(0) as usize;
    let mut runs = Vec::new();
    for row in 0..side {
        let mut column = 0;
        while column < side {
            let dark = |column: usize| column < side && qr.get_module(column as i32, row as i32);
            let length = (column..side).take_while(|c| dark(*c)).count();
            if length > 0 {
                runs.push((column, row, length));
            }
            column += length.max(1);
        }
    }
    Ok(Code { side, runs })
}

impl Code {
    /// Draws it with its upper left corner there, `size` points wide.
    pub fn draw(&self, page: &mut Page, x: f32, y: f32, size: f32) {
        let unit = size / self.side as f32;
        page.0.extend(self.runs.iter().map(|(column, row, length)| Mark::Fill {
            x: x + *column as f32 * unit,
            y: y + *row as f32 * unit,
            width: *length as f32 * unit,
            height: unit,
            gray: 0.0,
        }));
    }
}
