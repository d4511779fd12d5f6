//! What is drawn on a page.

/// Height of a line in sizes of its font.
pub(super) const LEADING: f32 = 1.4;
/// From the top of a line to its base.
pub(super) const ASCENT: f32 = 1.05;

/// Something drawn; `y` is counted downwards from the top.
pub(super) enum Mark {
    Text { x: f32, y: f32, size: f32, bold: bool, text: String },
    Fill { x: f32, y: f32, width: f32, height: f32, gray: f32 },
    Rule { x: f32, y: f32, to_x: f32, to_y: f32, gray: f32 },
}

#[derive(Default)]
pub(super) struct Page(pub Vec<Mark>);

impl Page {
    pub fn text(&mut self, x: f32, top: f32, size: f32, bold: bool, text: &str) {
        if !text.is_empty() {
            let y = top + size * ASCENT;
            self.0.push(Mark::Text { x, y, size, bold, text: text.to_owned() });
        }
    }

    pub fn rule(&mut self, from: (f32, f32), to: (f32, f32), gray: f32) {
        self.0.push(Mark::Rule { x: from.0, y: from.1, to_x: to.0, to_y: to.1, gray });
    }
}
