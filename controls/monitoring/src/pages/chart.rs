//! Series as shapes: lines, bands and marks in a box of a thousand by two hundred. Pure.
//!
//! Shapes carry no text, so that they may be stretched to any width; words and numbers stand beside them.

use std::fmt::Write;

pub const WIDTH: f64 = 1000.0;
pub const HEIGHT: f64 = 200.0;
/// Left free above and below.
const MARGIN: f64 = 8.0;

/// Where times and values lie in the box.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub from: i64,
    pub to: i64,
    pub low: f64,
    pub high: f64,
    /// Pauses longer than this are not bridged.
    pub step: i64,
}

impl Frame {
    /// A frame in which all of these values have room; none where there is no number.
    pub fn around(
        from: i64,
        to: i64,
        step: i64,
        values: impl Iterator<Item = f64>,
    ) -> Option<Frame> {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high || to <= from {
            return None;
        }
        let (low, high) = if low < high { (low, high) } else { (low - 1.0, high + 1.0) };
        Some(Frame { from, to, low, high, step })
    }

    pub fn x(&self, time: i64) -> f64 {
        let share = (time - self.from) as f64 / (self.to - self.from) as f64;
        (share * WIDTH).clamp(0.0, WIDTH)
    }

    pub fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        (HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)).clamp(0.0, HEIGHT)
    }

    /// A line through points in order of time.
    pub fn line(&self, points: impl Iterator<Item = (i64, f64)>) -> String {
        let (mut path, mut before) = (String::new(), None);
        for (time, value) in points.filter(|(_, value)| value.is_finite()) {
            let goes_on = before.is_some_and(|before| time - before <= 3 * self.step);
            let pen = if goes_on { 'L' } else { 'M' };
            // Writing into a String does not fail.
            let _ = write!(path, "{pen}{:.1} {:.1}", self.x(time), self.y(value));
            before = Some(time);
        }
        path
    }

    /// The area between two lines.
    pub fn band(&self, points: &[(i64, f64, f64)]) -> String {
        let mut path = String::new();
        for run in points.chunk_by(|a, b| b.0 - a.0 <= 3 * self.step) {
            let upper = run.iter().map(|(time, _, high)| (*time, *high));
            let lower = run.iter().rev().map(|(time, low, _)| (*time, *low));
            for (at, (time, value)) in upper.chain(lower).enumerate() {
                let pen = if at == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{pen}{:.1} {:.1}", self.x(time), self.y(value));
            }
            path.push('Z');
        }
        path
    }

    /// Upright strokes.
    pub fn marks(&self, times: impl Iterator<Item = i64>) -> String {
        let inside = times.filter(|time| (self.from..=self.to).contains(time));
        inside.fold(String::new(), |mut path, time| {
            let _ = write!(path, "M{:.1} 0V{HEIGHT}", self.x(time));
            path
        })
    }

    /// A level across the box; nothing where it lies outside.
    pub fn level(&self, value: f64) -> String {
        match (self.low..=self.high).contains(&value) {
            true => format!("M0 {:.1}H{WIDTH}", self.y(value)),
            false => String::new(),
        }
    }
}

/// A number as people read it: four digits of it, with the sign of thousands.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let (unit, name) = match size {
        _ if size >= 1e15 => return format!("{value:.2e}"),
        _ if size >= 1e12 => (1e12, "T"),
        _ if size >= 1e9 => (1e9, "G"),
        _ if size >= 1e6 => (1e6, "M"),
        _ if size >= 1e5 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let value = value / unit;
    let digits = match value.abs() {
        v if v >= 1000.0 || v == 0.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.001 => 4,
        _ => return format!("{value:.2e}"),
    };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_pauses_and_bands_close() {
        let frame = Frame::around(0, 100, 10, [0.0, 10.0, f64::NAN].into_iter()).unwrap();
        let line = frame.line([(0, 0.0), (10, 10.0), (50, 5.0), (60, f64::NAN)].into_iter());
        assert_eq!(line, "M0.0 192.0L100.0 8.0M500.0 100.0");
        let band = frame.band(&[(0, 0.0, 10.0), (10, 0.0, 10.0)]);
        assert_eq!(band, "M0.0 8.0L100.0 8.0L100.0 192.0L0.0 192.0Z");
        assert_eq!(frame.marks([50, 101].into_iter()), "M500.0 0V200");
        assert_eq!(
            (frame.level(5.0), frame.level(11.0)),
            ("M0 100.0H1000".to_owned(), String::new())
        );
        assert!(Frame::around(0, 1, 1, std::iter::empty()).is_none());
        let flat = Frame::around(0, 1, 1, [3.0].into_iter()).unwrap();
        assert_eq!(flat.y(3.0), 100.0);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 41.5, 1234.0, 123_456.0, 5e9, 1e-7, -2.5, f64::NAN].map(number);
        assert_eq!(texts, ["0", "0.25", "41.5", "1234", "123.5k", "5G", "1.00e-7", "-2.5", "–"]);
    }
}
