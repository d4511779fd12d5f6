//! Lines, cells and blocks of a text.
//!
//! Invariants: ranges lie on character bounds; a line's content leaves out marks of quotation, bullets and numbers in
//! front; cells never cross a line.

/// How a line is cut into cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Whole,
    Tabs,
    Pipes,
    /// Columns apart by two blanks or more, or by a full-width blank.
    Columns,
    Commas,
    Semicolons,
}

/// A line as the reader sees it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Content without quotation marks, bullets and numbers.
    pub start: usize,
    pub end: usize,
    pub cut: Cut,
    pub cells: Vec<(usize, usize)>,
    /// Something in front says that it is an item or a heading.
    pub is_decorated: bool,
    /// Number of the run of lines without an empty one between.
    pub block: usize,
}

impl Line {
    pub(super) fn is_blank(&self) -> bool {
        self.start >= self.end
    }

    /// The cell that holds a place.
    pub(super) fn cell(&self, at: usize) -> Option<usize> {
        self.cells.iter().position(|(start, end)| (*start..*end).contains(&at))
    }
}

/// Cells of one line that are told apart; the rest is one cell.
const CELLS_MAX: usize = 64;

pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut all: Vec<Line> = Vec::new();
    let (mut at, mut block) = (0, 0);
    for raw in text.split('\n') {
        let line = line(text, at, at + raw.len(), block);
        if line.is_blank() {
            block += 1;
        }
        all.push(line);
        at += raw.len() + 1;
    }
    all
}

fn line(text: &str, start: usize, end: usize, block: usize) -> Line {
    let raw = &text[start..end];
    let quoted = unquoted(raw);
    let (content, is_decorated) = undecorated(quoted);
    let trimmed = content.trim_end();
    let start = end - content.len();
    let end = start + trimmed.len();
    let (cut, cells) = cells(text, start, end);
    Line { start, end, cut, cells, is_decorated, block }
}

fn is_space(sign: char) -> bool {
    sign == ' ' || sign == '\t' || sign == '\u{3000}'
}

/// Without `> ` of mails.
fn unquoted(raw: &str) -> &str {
    let mut rest = raw.trim_start_matches(is_space);
    while let Some(behind) = rest.strip_prefix('>') {
        rest = behind.trim_start_matches(' ');
    }
    rest
}

const BULLETS: &str = "・•●○◆◇■□▼▽▲△★☆※*-‐–—►▶";
const CIRCLED: std::ops::RangeInclusive<char> = '①'..='⑳';

fn undecorated(line: &str) -> (&str, bool) {
    let mut rest = line.trim_start_matches(is_space);
    let mut is_decorated = false;
    for _ in 0..3 {
        let Some(behind) = bullet(rest).or_else(|| number(rest)) else { break };
        rest = behind.trim_start_matches(is_space);
        is_decorated = true;
    }
    (rest, is_decorated)
}

fn bullet(rest: &str) -> Option<&str> {
    let sign = rest.chars().next()?;
    let behind = &rest[sign.len_utf8()..];
    if sign == '#' {
        return Some(behind.trim_start_matches('#'));
    }
    // A hyphen that begins a word is no bullet.
    let is_dash = sign.is_ascii() && !behind.starts_with(is_space);
    ((BULLETS.contains(sign) && !is_dash) || CIRCLED.contains(&sign)).then_some(behind)
}

/// `(1)`, `1.`, `1)`, `[1]`.
fn number(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    let opens = matches!(bytes.first(), Some(b'(' | b'['));
    let from = usize::from(opens);
    let count = bytes.iter().skip(from).take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let close = *bytes.get(from + count).filter(|byte| byte.is_ascii())?;
    let behind = &rest[from + count + 1..];
    let closes = match close {
        b')' => true,
        b']' => opens,
        b'.' => !opens && !behind.starts_with(|sign: char| sign.is_ascii_digit()),
        _ => false,
    };
    ((1..=2).contains(&count) && closes).then_some(behind)
}

fn cells(text: &str, start: usize, end: usize) -> (Cut, Vec<(usize, usize)>) {
    let line = &text[start..end];
    if line.contains('\t') {
        return (Cut::Tabs, split(line, start, |sign| sign == '\t'));
    }
    if line.bytes().filter(|byte| *byte == b'|').count() >= 2 {
        let inner = line.strip_prefix('|').unwrap_or(line);
        let from = end - inner.len();
        let inner = inner.strip_suffix('|').unwrap_or(inner);
        return (Cut::Pipes, split(inner, from, |sign| sign == '|'));
    }
    let columns = columns(line, start);
    if columns.len() > 1 {
        return (Cut::Columns, columns);
    }
    for (sign, cut) in [(',', Cut::Commas), (';', Cut::Semicolons)] {
        if line.matches(sign).take(2).count() == 2 {
            return (cut, fields(line, start, sign));
        }
    }
    (Cut::Whole, vec![(start, end)])
}

fn split(line: &str, start: usize, is_cut: impl Fn(char) -> bool) -> Vec<(usize, usize)> {
    let mut at = start;
    let mut all = Vec::new();
    for part in line.splitn(CELLS_MAX, is_cut) {
        all.push(trimmed(part, at));
        at += part.len() + 1;
    }
    all
}

fn trimmed(part: &str, at: usize) -> (usize, usize) {
    let inner = part.trim_start_matches(is_space);
    let start = at + part.len() - inner.len();
    (start, start + inner.trim_end_matches(is_space).len())
}

fn columns(line: &str, start: usize) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let (mut from, mut blanks, mut last) = (0, 0, 0);
    for (at, sign) in line.char_indices() {
        if is_space(sign) {
            blanks += if sign == ' ' { 1 } else { 2 };
            continue;
        }
        if blanks >= 2 && all.len() + 1 < CELLS_MAX {
            all.push((start + from, start + last));
            from = at;
        }
        blanks = 0;
        last = at + sign.len_utf8();
    }
    all.push((start + from, start + last));
    all
}

/// Fields with quotes around them, as in CSV.
fn fields(line: &str, start: usize, cut: char) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let (mut from, mut is_quoted) = (0, false);
    for (at, sign) in line.char_indices() {
        if sign == '"' {
            is_quoted = !is_quoted;
        }
        if sign == cut && !is_quoted && all.len() + 1 < CELLS_MAX {
            all.push(field(&line[from..at], start + from));
            from = at + 1;
        }
    }
    all.push(field(&line[from..], start + from));
    all
}

fn field(part: &str, at: usize) -> (usize, usize) {
    let (start, end) = trimmed(part, at);
    let inner = &part[start - at..end - at];
    let is_quoted = inner.len() >= 2 && inner.starts_with('"') && inner.ends_with('"');
    if is_quoted { (start + 1, end - 1) } else { (start, end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<Vec<String>> {
        let all = lines(text);
        let line = |line: &Line| line.cells.iter().map(|(a, b)| text[*a..*b].to_owned()).collect();
        all.iter().map(line).collect()
    }

    #[test]
    fn cells_are_told_apart_in_every_layout() {
        assert_eq!(shown("a\tb\tc"), [["a", "b", "c"]]);
        assert_eq!(shown("| a | b |"), [["a", "b"]]);
        assert_eq!(shown("名　　値"), [["名", "値"]]);
        assert_eq!(shown("name   value one"), [["name", "value one"]]);
        assert_eq!(shown("\"a\",\"b, c\",d"), [["a", "b, c", "d"]]);
        assert_eq!(shown("\"a\";\"b\";\"c\""), [["a", "b", "c"]]);
        assert_eq!(shown("one, two"), [["one, two"]]);
    }

    #[test]
    fn what_stands_in_front_is_not_content() {
        for text in [
            "> ・値",
            "■値",
            "（1）値".replace('（', "(").replace('）', ")").as_str(),
            "1. 値",
            "- 値",
            "## 値",
            "① 値",
        ] {
            let line = lines(text).remove(0);
            assert_eq!(&text[line.start..line.end], "値", "{text}");
        }
        let text = "1.2.3.4";
        assert_eq!(lines(text)[0].start, 0);
        assert!(!lines("-dash")[0].is_decorated);
    }

    #[test]
    fn an_empty_line_ends_a_block() {
        let all = lines("a\nb\n\nc");
        assert_eq!(all.iter().map(|line| line.block).collect::<Vec<_>>(), [0, 0, 0, 1]);
    }

    proptest::proptest! {
        #[test]
        fn ranges_lie_within_their_line(text in "[-a|,;\"\t 　>・1.()\\n]{0,120}") {
            for line in lines(&text) {
                for (start, end) in &line.cells {
                    proptest::prop_assert!(text.get(*start..*end).is_some());
                    proptest::prop_assert!(!text[*start..*end].contains('\n'));
                }
            }
        }
    }
}
