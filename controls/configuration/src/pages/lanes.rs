//! Drift as marks on a lane for each host, over the windows of changes. Pure: shapes without text.

/// Width of a lane in its own units.
pub const WIDTH: i64 = 1_000;
/// A window is never too narrow to be seen.
const WIDTH_MIN: i64 = 3;
const MARK_WIDTH: i64 = 5;

/// A stretch of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub x: i64,
    pub width: i64,
    pub class: &'static str,
    pub title: String,
    pub href: String,
}

/// What lies between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    fn x(&self, time: i64) -> i64 {
        let whole = (self.to - self.from).max(1);
        let at = (time - self.from).clamp(0, whole);
        // The product stays far below what 128 bits hold.
        i64::try_from(i128::from(at) * i128::from(WIDTH) / i128::from(whole)).unwrap_or(WIDTH)
    }

    /// A window; none if it lies outside.
    pub fn window(&self, from: i64, to: i64, class: &'static str) -> Option<Bar> {
        if to < self.from || from > self.to || to < from {
            return None;
        }
        let (x, end) = (self.x(from), self.x(to));
        let width = (end - x).max(WIDTH_MIN);
        Some(Bar {
            x: x.min(WIDTH - width),
            width,
            class,
            title: String::new(),
            href: String::new(),
        })
    }

    /// A mark at a moment; none if it lies outside.
    pub fn mark(&self, at: i64, class: &'static str) -> Option<Bar> {
        if !(self.from..=self.to).contains(&at) {
            return None;
        }
        let x = (self.x(at) - MARK_WIDTH / 2).clamp(0, WIDTH - MARK_WIDTH);
        Some(Bar { x, width: MARK_WIDTH, class, title: String::new(), href: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_marks_stay_on_their_lane() {
        let span = Span { from: 1_000, to: 2_000 };
        let at = |bar: Option<Bar>| bar.map(|bar| (bar.x, bar.width));
        assert_eq!(at(span.window(1_100, 1_300, "band")), Some((100, 200)));
        assert_eq!(at(span.window(0, 5_000, "band")), Some((0, 1_000)));
        assert_eq!(at(span.window(2_000, 2_000, "band")), Some((997, 3)));
        assert_eq!(at(span.window(2_001, 3_000, "band")), None);
        assert_eq!(at(span.window(1_300, 1_100, "band")), None);
        assert_eq!(at(span.mark(1_500, "fail")), Some((498, 5)));
        assert_eq!(at(span.mark(2_000, "fail")), Some((995, 5)));
        assert_eq!(at(span.mark(999, "fail")), None);
        assert_eq!(at(Span { from: i64::MIN / 4, to: i64::MAX / 4 }.mark(0, "x")), Some((498, 5)));
    }
}
