//! Values without a form of their own, which only a word beside them shows: subjects, names, mutexes, user agents.

use super::{About, Candidate, Cut, Hint, Kind, Read, State, files};
use crate::extract::{Basis, Span, What};

const VALUE_CHARS_MAX: usize = 300;
const NAME_CHARS_MAX: usize = 60;
/// What stands for nothing in a cell.
const NOTHING: [&str; 9] = ["-", "--", "―", "ー", "n/a", "N/A", "なし", "不明", "unknown"];

impl Read<'_> {
    pub(super) fn named(
        &self,
        at: usize,
        lead: Option<&(Hint, usize)>,
        candidates: &[Candidate],
        state: &State,
    ) -> Vec<Span> {
        let line = &self.lines[at];
        let mut all = Vec::new();
        if let Some((cut, heads)) = &state.header
            && *cut == line.cut
            && heads.len() == line.cells.len()
        {
            for (head, cell) in heads.iter().zip(&line.cells) {
                all.extend(self.value(head.main, cell.0, cell.1));
                all.extend(self.file(cell.0, cell.1, candidates));
            }
            return all;
        }
        if let Some((hint, from)) = lead {
            all.extend(self.value(hint.main, *from, line.end));
        }
        if all.is_empty() {
            all.extend(self.inline(line.start, line.end));
        }
        if all.is_empty() && lead.is_none() && candidates.is_empty() && self.is_value(at, state) {
            let heading = state.heading.as_ref().and_then(|hint| hint.main);
            all.extend(self.value(heading, line.start, line.end));
        }
        // A cell that is the name of a file, with letters of any script and blanks.
        if matches!(line.cut, Cut::Tabs | Cut::Pipes | Cut::Columns) && !candidates.is_empty() {
            for cell in &line.cells {
                all.extend(self.file(cell.0, cell.1, candidates));
            }
        }
        all
    }

    /// The value that a word stands for.
    fn value(&self, about: Option<About>, start: usize, end: usize) -> Vec<Span> {
        let Some(about) = about else { return Vec::new() };
        let (what, chars_max) = match about {
            About::Subject => (What::Subject, VALUE_CHARS_MAX),
            About::Malware => (What::Malware, NAME_CHARS_MAX),
            About::Actor => (What::Actor, NAME_CHARS_MAX),
            About::Campaign => (What::Campaign, NAME_CHARS_MAX),
            About::Kind(kind @ (Kind::Mutex | Kind::UserAgent)) => {
                (What::Indicator(kind), VALUE_CHARS_MAX)
            }
            About::Kind(Kind::FileName) => return self.files(start, end),
            _ => return Vec::new(),
        };
        let (start, end) = self.trimmed(start, end);
        let text = &self.view.text[start..end];
        let is_nothing = text.is_empty() || NOTHING.contains(&text) || text.contains("://");
        if is_nothing || text.chars().count() > chars_max {
            return Vec::new();
        }
        vec![labelled(what, start, end, text)]
    }

    /// Names of files, with signs between them.
    fn files(&self, start: usize, end: usize) -> Vec<Span> {
        let mut all = Vec::new();
        let mut at = start;
        for part in self.view.text[start..end].split(['、', ',', ';']) {
            let named = part.split(['(', '\t', '\u{3000}']).next().unwrap_or_default();
            let named = named.split("  ").next().unwrap_or_default();
            let (from, to) = self.trimmed(at, at + named.len());
            let name = &self.view.text[from..to];
            if files::ending(name).is_some() && !name.contains(['\\', '/', '「', '」']) {
                all.push(labelled(What::Indicator(Kind::FileName), from, to, name));
            }
            at += part.len() + part_sign(&self.view.text[at + part.len()..end]);
        }
        all
    }

    fn file(&self, start: usize, end: usize, candidates: &[Candidate]) -> Option<Span> {
        let name = &self.view.text[start..end];
        let is_other = |candidate: &&Candidate| {
            candidate.start >= start && candidate.end <= end && candidate.kind != Kind::FileName
        };
        let is_name =
            files::ending(name).is_some() && !name.contains(['\\', '/', ':', '、', ',', '。']);
        let is_free = !candidates.iter().any(|candidate| is_other(&candidate));
        let is_long = name.chars().count() > NAME_CHARS_MAX;
        (is_name && is_free && !is_long)
            .then(|| labelled(What::Indicator(Kind::FileName), start, end, name))
    }

    /// `subject "x"`, `マルウェア「x」`, `マルウェアX`.
    fn inline(&self, start: usize, end: usize) -> Vec<Span> {
        let mut all = Vec::new();
        for mark in self.marks_in(start, end) {
            let what = match mark.role.about {
                About::Subject => What::Subject,
                About::Malware => What::Malware,
                About::Actor => What::Actor,
                About::Campaign => What::Campaign,
                About::Kind(Kind::Mutex) => What::Indicator(Kind::Mutex),
                _ => continue,
            };
            let behind = &self.view.text[mark.end..end];
            let is_japanese = !self.view.text[mark.start..mark.end].is_ascii();
            let found = quoted(behind).or_else(|| {
                let is_name = what != What::Subject && is_japanese;
                is_name.then(|| latin(behind)).flatten()
            });
            let Some((from, to)) = found else { continue };
            let text = &behind[from..to];
            if text.chars().count() <= VALUE_CHARS_MAX && !text.is_empty() {
                all.push(labelled(what, mark.end + from, mark.end + to, text));
            }
        }
        all
    }

    fn trimmed(&self, start: usize, end: usize) -> (usize, usize) {
        let text = &self.view.text[start..end];
        let inner = text.trim_start_matches([' ', '\t', '\u{3000}', ':', '=']);
        let from = end - inner.len();
        let inner = inner.trim_end_matches([' ', '\t', '\u{3000}']);
        let quotes = [('「', '」'), ('『', '』'), ('"', '"'), ('“', '”'), ('\'', '\'')];
        for (open, close) in quotes {
            let bare = inner.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
            if let Some(bare) = bare.filter(|bare| !bare.contains(open)) {
                let from = from + open.len_utf8();
                return (from, from + bare.len());
            }
        }
        (from, from + inner.len())
    }
}

fn part_sign(rest: &str) -> usize {
    rest.chars().next().map_or(0, char::len_utf8)
}

/// What stands in quotes within three signs.
fn quoted(behind: &str) -> Option<(usize, usize)> {
    for (at, sign) in behind.char_indices().take(3) {
        let close = match sign {
            '「' => '」',
            '『' => '』',
            '"' => '"',
            '“' => '”',
            ' ' | ':' => continue,
            _ => return None,
        };
        let from = at + sign.len_utf8();
        let near = behind.floor_char_boundary((from + VALUE_CHARS_MAX * 4).min(behind.len()));
        let length = behind[from..near].find(close)?;
        return Some((from, from + length));
    }
    None
}

/// A Latin name right behind the word.
fn latin(behind: &str) -> Option<(usize, usize)> {
    let first = behind.chars().next().filter(char::is_ascii_uppercase)?;
    let length = behind.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '-'));
    let length = length.unwrap_or(behind.len());
    // `C2` and `URL` are no names.
    let has_small = behind[..length].bytes().any(|byte| byte.is_ascii_lowercase());
    (first.is_ascii() && length >= 3 && has_small).then_some((0, length))
}

fn labelled(what: What, start: usize, end: usize, value: &str) -> Span {
    let span = super::super::facts::span(what, start, end, value.to_owned());
    Span { confidence: 900, basis: Basis::Labelled, ..span }
}
