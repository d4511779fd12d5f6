//! What stands around a value says what it is: the word in front, its column, its row, its heading, its block.
//!
//! What is nearest speaks first: an arrow of the row, the block's direction, the word in front of the line, words of
//! the sentence, other cells of the row, the column, the heading. Invariant: a value is looked at with its own line,
//! its neighbours and what is in force; never with the whole text.

use crate::{Direction, Kind};

use super::{
    Span, What,
    dates::{Found, Period},
    files,
    labels::{About, Mark, Place},
    layout::{Cut, Line},
    scan::Candidate,
    view::View,
};

mod arrows;
mod named;
mod score;
mod sentence;
mod wrapped;

pub(super) use wrapped::join_wrapped;

/// Characters of what can be a heading, a word in front of a line, and a head of a column.
const HEADING_CHARS_MAX: usize = 60;
const LEAD_CHARS_MAX: usize = 48;
const HEAD_CHARS_MAX: usize = 30;
/// A cell that is longer is prose.
const CELL_BYTES: usize = 200;
/// Characters between `from` and what it speaks of.
const FROM_CHARS: usize = 12;
/// How far a sentence is followed.
const SENTENCE_BYTES: usize = 400;

/// A text taken apart.
pub(super) struct Read<'a> {
    pub view: &'a View,
    pub lines: &'a [Line],
    /// Ascending.
    pub marks: &'a [Mark],
    /// Ascending.
    pub verbs: &'a [Mark],
    /// Ascending.
    pub dates: &'a [Found],
}

/// What words say together.
#[derive(Clone, Debug, Default)]
struct Hint {
    direction: Option<Direction>,
    /// What the last word says: Japanese and English name the thing last.
    main: Option<About>,
    abouts: Vec<About>,
}

impl Hint {
    fn of(marks: &[Mark]) -> Hint {
        let mut hint = Hint::default();
        for mark in marks {
            hint.direction = mark.role.direction.or(hint.direction);
            hint.main = Some(mark.role.about);
            if !hint.abouts.contains(&mark.role.about) {
                hint.abouts.push(mark.role.about);
            }
        }
        hint
    }

    fn is_sign(&self) -> bool {
        self.abouts.iter().any(|about| about.is_sign())
    }

    fn is_reference(&self) -> bool {
        self.abouts.contains(&About::Reference)
    }
}

/// What is in force while lines are read.
#[derive(Default)]
struct State {
    heading: Option<Hint>,
    /// The block in which the heading stands.
    heading_block: usize,
    /// Heads of columns, with how their line was cut.
    header: Option<(Cut, Vec<Hint>)>,
}

/// What a block of lines says of all its values.
#[derive(Clone, Default)]
struct Block {
    direction: Option<Direction>,
    period: Option<Period>,
    is_mixed: bool,
}

/// What is the same for all values of a line.
struct Whole {
    /// Its cells stand below heads of columns.
    has_heads: bool,
    /// The direction that an arrow says for all of it.
    arrow: Option<Direction>,
    /// It holds values and nothing else.
    is_alone: bool,
    has_hash: bool,
    /// What the others say, by cell.
    rows: Vec<Hint>,
}

/// What was found out about one value.
struct Context {
    direction: Option<Direction>,
    /// A word says that it is an indicator.
    is_labelled: bool,
    is_reference: bool,
    is_version: bool,
    about: Option<About>,
    /// Words speak of something on the network.
    is_network: bool,
    period: Option<Period>,
}

impl Read<'_> {
    /// Judges all candidates, which come by line; and the period of the whole.
    pub(super) fn judge(&self, found: Vec<Vec<Candidate>>) -> (Vec<Span>, Option<Period>) {
        let blocks = self.blocks(&found);
        let mut state = State::default();
        let mut spans = Vec::new();
        let (mut labelled, mut ranged) = (None, None);
        for (at, line) in self.lines.iter().enumerate() {
            let candidates = &found[at];
            if line.is_blank() {
                state.header = None;
                continue;
            }
            let lead = self.lead(line, candidates);
            let says_period = |hint: &Hint| hint.abouts.contains(&About::Period);
            let dates = self.dates_of(line);
            if candidates.is_empty() && !dates.is_empty() {
                let is_said = lead.as_ref().is_some_and(|(hint, _)| says_period(hint))
                    || state.heading.as_ref().is_some_and(says_period);
                let period = dates.iter().find(|date| date.is_range).or(dates.first());
                labelled = labelled.or(period.filter(|_| is_said).map(|date| date.period));
            }
            let is_prose = line.cut == Cut::Whole || state.header.is_none();
            ranged = ranged.or(dates.iter().find(|d| d.is_range && is_prose).map(|d| d.period));
            for date in dates.iter().filter(|date| date.is_range) {
                let mut span =
                    super::facts::span(What::Period, date.start, date.end, shown(date.period));
                span.period = Some(date.period);
                spans.push(span);
            }
            if self.take_header(line, candidates, &mut state) {
                continue;
            }
            spans.extend(self.named(at, lead.as_ref(), candidates, &state));
            let whole = self.whole(line, candidates, &state);
            for (place, candidate) in candidates.iter().enumerate() {
                let context =
                    self.context(at, &whole, candidates, place, lead.as_ref(), &state, &blocks);
                spans.push(score::span(self.view, &whole, candidate, &context));
            }
            if candidates.is_empty() && !self.is_value(at, &state) {
                self.take_heading(at, &found, &mut state);
            }
        }
        (spans, labelled.or(ranged))
    }

    fn line_of(&self, at: usize) -> (&Line, &str) {
        let line = &self.lines[at];
        (line, &self.view.text[line.start..line.end])
    }

    fn marks_in(&self, start: usize, end: usize) -> &[Mark] {
        let first = self.marks.partition_point(|mark| mark.start < start);
        let last = self.marks.partition_point(|mark| mark.start < end);
        let all = &self.marks[first..last.max(first)];
        match all.last() {
            Some(mark) if mark.end > end => &all[..all.len() - 1],
            _ => all,
        }
    }

    fn dates_of(&self, line: &Line) -> &[Found] {
        self.dates_in(line.start, line.end)
    }

    fn dates_in(&self, start: usize, end: usize) -> &[Found] {
        let first = self.dates.partition_point(|date| date.start < start);
        let last = self.dates.partition_point(|date| date.start < end);
        &self.dates[first..last.max(first)]
    }

    /// What each block says in lines of their own: its direction and its period.
    fn blocks(&self, found: &[Vec<Candidate>]) -> Vec<Block> {
        let count = self.lines.last().map_or(0, |line| line.block + 1);
        let mut blocks = vec![Block::default(); count];
        for (at, line) in self.lines.iter().enumerate() {
            if line.is_blank() || found[at].iter().any(|candidate| is_network(candidate.kind)) {
                continue;
            }
            let Some((hint, _)) = self.lead(line, &found[at]) else { continue };
            let block = &mut blocks[line.block];
            let text = &self.view.text[line.start..line.end];
            if hint.main == Some(About::Way)
                && let Some(direction) = arrows::find(text).or_else(|| self.way(line))
            {
                block.is_mixed |= block.direction.is_some_and(|known| known != direction);
                block.direction = Some(direction);
            }
            if hint.abouts.contains(&About::Period) {
                block.period = block.period.or(self.dates_of(line).first().map(|date| date.period));
            }
        }
        for block in &mut blocks {
            block.direction = block.direction.filter(|_| !block.is_mixed);
        }
        blocks
    }

    /// A direction that words of a line say.
    fn way(&self, line: &Line) -> Option<Direction> {
        Hint::of(self.marks_in(line.start, line.end)).direction
    }

    /// The words in front of a line's value, and where the value begins.
    fn lead(&self, line: &Line, candidates: &[Candidate]) -> Option<(Hint, usize)> {
        let text = &self.view.text[line.start..line.end];
        let first = candidates.first().map_or(line.end, |candidate| candidate.start);
        let sign = text.char_indices().find(|(at, sign)| match sign {
            '=' => true,
            ':' => !text[at + 1..].starts_with("//"),
            _ => false,
        });
        let by_sign = sign.map(|(at, sign)| (line.start + at, line.start + at + sign.len_utf8()));
        let bracket =
            text.starts_with(['【', '[', '<', '「']).then(|| text.find(['】', ']', '>', '」']));
        let by_bracket = bracket.flatten().map(|at| {
            let close = text[at..].chars().next().map_or(1, char::len_utf8);
            (line.start + at, line.start + at + close)
        });
        let by_cell = match line.cut {
            Cut::Columns | Cut::Tabs | Cut::Pipes if line.cells.len() > 1 => {
                Some((line.cells[0].1, line.cells[1].0))
            }
            _ => None,
        };
        let cuts = [by_sign, by_bracket, by_cell];
        let (end, from) = cuts.into_iter().flatten().filter(|(end, _)| *end <= first).min()?;
        let front = self.view.text.get(line.start..end)?;
        let marks = self.marks_in(line.start, end);
        if marks.is_empty() || front.chars().count() > LEAD_CHARS_MAX || front.contains('。') {
            return None;
        }
        let rest = self.view.text.get(from..line.end)?;
        let value = rest.trim_start_matches([' ', '\t', '\u{3000}', ':', '=']);
        Some((Hint::of(marks), line.end - value.len()))
    }

    /// Whether the line gives heads to columns.
    fn take_header(&self, line: &Line, candidates: &[Candidate], state: &mut State) -> bool {
        if !candidates.is_empty() || line.cells.len() < 2 {
            return false;
        }
        let text = |cell: &(usize, usize)| &self.view.text[cell.0..cell.1];
        if line.cells.iter().all(|cell| !text(cell).chars().any(char::is_alphanumeric)) {
            return state.header.is_some();
        }
        let is_short = |cell: &(usize, usize)| text(cell).chars().count() <= HEAD_CHARS_MAX;
        let hints: Vec<Hint> =
            line.cells.iter().map(|cell| Hint::of(self.marks_in(cell.0, cell.1))).collect();
        let said = hints.iter().filter(|hint| hint.main.is_some()).count();
        // A word and its value are a line of two cells, too.
        let is_header =
            said >= 2 && line.cells.iter().all(is_short) && self.dates_of(line).is_empty();
        if is_header && state.header.is_none() {
            state.header = Some((line.cut, hints));
            return true;
        }
        false
    }

    /// Whether a line is the value that its heading speaks of: a subject, a mutex, a user agent.
    fn is_value(&self, at: usize, state: &State) -> bool {
        let (line, text) = self.line_of(at);
        let about = state.heading.as_ref().and_then(|hint| hint.main);
        let is_value =
            matches!(about, Some(About::Subject | About::Kind(Kind::Mutex | Kind::UserAgent)));
        let is_near = line.block <= state.heading_block + 1;
        let is_heading = line.is_decorated && !self.marks_in(line.start, line.end).is_empty();
        is_value
            && is_near
            && !is_heading
            && !text.ends_with('。')
            && text.chars().any(char::is_alphanumeric)
    }

    /// A line without values may say what those below it are.
    fn take_heading(&self, at: usize, found: &[Vec<Candidate>], state: &mut State) {
        let (line, text) = self.line_of(at);
        if !text.chars().any(char::is_alphanumeric) {
            return;
        }
        let hint = Hint::of(self.marks_in(line.start, line.end));
        let is_short = text.chars().count() <= HEADING_CHARS_MAX && !text.ends_with(['。', '.']);
        let closes = text.ends_with([':', '】', ']', '>']);
        let is_first = at == 0 || self.lines[at - 1].is_blank();
        let next =
            (at + 1..self.lines.len().min(at + 4)).find(|next| !self.lines[*next].is_blank());
        let leads = next.is_some_and(|next| {
            let first = found[next].first();
            first.is_some_and(|candidate| candidate.start <= self.lines[next].start + 3)
        });
        let has_value = self.lead(line, &[]).is_some_and(|(_, value)| value < line.end) && !closes;
        let is_bare = !has_value
            && is_short
            && (line.is_decorated || closes || is_first || hint.main.is_some());
        if hint.main.is_some() && !has_value && (leads || is_bare) {
            state.heading = Some(hint);
            state.heading_block = line.block;
        } else if is_bare && hint.main.is_none() {
            state.heading = None;
        }
    }

    /// What is the same for all values of a line.
    fn whole(&self, line: &Line, candidates: &[Candidate], state: &State) -> Whole {
        let text = &self.view.text[line.start..line.end];
        let has_heads = state
            .header
            .as_ref()
            .is_some_and(|(cut, heads)| *cut == line.cut && heads.len() == line.cells.len());
        let arrow = arrows::find(text).filter(|_| has_heads || arrows::is_one(text));
        Whole {
            has_heads,
            arrow,
            is_alone: score::is_alone(line, text, candidates),
            has_hash: candidates.iter().any(|candidate| score::is_hash(candidate.kind)),
            rows: self.rows(line, candidates, has_heads),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn context(
        &self,
        at: usize,
        whole: &Whole,
        candidates: &[Candidate],
        place: usize,
        lead: Option<&(Hint, usize)>,
        state: &State,
        blocks: &[Block],
    ) -> Context {
        let line = &self.lines[at];
        let candidate = &candidates[place];
        let cell = line.cell(candidate.start);
        let heads = state.header.as_ref().filter(|_| whole.has_heads);
        let column = heads.and_then(|(_, heads)| heads.get(cell?));
        let nothing = Hint::default();
        let row = cell.and_then(|cell| whole.rows.get(cell)).unwrap_or(&nothing);
        let lead = lead.map(|(hint, _)| hint).filter(|_| column.is_none());
        let inside = column.and(cell).map(|cell| line.cells[cell]);
        let sentence =
            self.sentence(inside.unwrap_or_else(|| self.bounds(at, candidate)), candidate);
        // A heading speaks of lists, not of whatever follows them.
        let is_item = line.is_decorated
            || candidates.first().is_some_and(|first| first.start <= line.start + 3);
        let heading = state.heading.as_ref().filter(|_| is_item);
        let block = &blocks[line.block];
        let of = |hint: Option<&Hint>| hint.and_then(|hint| hint.direction);
        let says_way = whole
            .arrow
            .or_else(|| self.beside(line, candidates, place))
            .or(block.direction)
            .filter(|_| is_network(candidate.kind));
        let direction = says_way
            .or_else(|| of(lead))
            .or(sentence.near)
            .or(row.direction)
            .or_else(|| of(column))
            .or(sentence.far)
            .or_else(|| of(heading));
        let nearest = [lead, column, Some(&sentence.hint), heading];
        let speaking = nearest.into_iter().flatten().find(|hint| hint.main.is_some());
        let is_labelled = column.is_some_and(Hint::is_sign)
            || row.is_sign()
            || speaking.is_some_and(Hint::is_sign)
            || (sentence.near.is_some() && sentence.is_sign)
            || says_way.is_some();
        let is_version = [lead, Some(&sentence.hint), column].into_iter().flatten();
        let mut is_version = is_version.map(|hint| hint.abouts.contains(&About::Version));
        Context {
            direction,
            is_labelled,
            is_reference: speaking.is_some_and(Hint::is_reference),
            is_version: is_version.any(|said| said) || sentence.is_version,
            about: speaking.and_then(|hint| hint.main).or(row.main),
            is_network: speaking.is_some_and(|hint| {
                hint.abouts.contains(&About::Network)
                    && !hint.abouts.contains(&About::Kind(Kind::FileName))
            }) || sentence.near.is_some(),
            period: self.period(line, column.is_some()).or(block.period),
        }
    }

    /// What the other cells of a row say, for each cell with a value.
    fn rows(&self, line: &Line, candidates: &[Candidate], has_heads: bool) -> Vec<Hint> {
        // Prose with commas is no row.
        let is_table = match line.cut {
            Cut::Whole => false,
            Cut::Commas | Cut::Semicolons => {
                let is_short = |cell: &(usize, usize)| cell.1 - cell.0 <= CELL_BYTES;
                has_heads || (line.cells.len() > 3 && line.cells.iter().all(is_short))
            }
            _ => true,
        };
        if !is_table {
            return Vec::new();
        }
        let has_value = |cell: &(usize, usize)| {
            let first = candidates.partition_point(|candidate| candidate.start < cell.0);
            candidates.get(first).is_some_and(|candidate| candidate.start < cell.1)
        };
        let values: Vec<bool> = line.cells.iter().map(has_value).collect();
        let says = |mark: &&Mark| mark.role.place != Place::After || mark.role.direction.is_some();
        let row = |own: usize| {
            let others = line.cells.iter().enumerate();
            let others = others.filter(|(at, _)| *at != own && !values[*at]);
            let marks = others.flat_map(|(_, cell)| self.marks_in(cell.0, cell.1));
            Hint::of(&marks.filter(says).copied().collect::<Vec<_>>())
        };
        (0..line.cells.len())
            .map(|own| if values[own] { row(own) } else { Hint::default() })
            .collect()
    }

    /// An arrow right behind the value, where a line has several.
    fn beside(&self, line: &Line, candidates: &[Candidate], place: usize) -> Option<Direction> {
        let from = candidates[place].end;
        let to = candidates.get(place + 1).map_or(line.end, |next| next.start);
        arrows::find(self.view.text.get(from..to.max(from))?)
    }

    fn period(&self, line: &Line, is_row: bool) -> Option<Period> {
        let dates = self.dates_of(line);
        if let Some(range) = dates.iter().find(|date| date.is_range) {
            return Some(range.period);
        }
        // First and last day in columns of their own.
        match dates {
            [first, last] if is_row && first.period.from <= last.period.to => {
                Some(Period { from: first.period.from, to: last.period.to })
            }
            [only] if is_row => Some(only.period),
            _ => None,
        }
    }
}

pub(super) fn is_network(kind: Kind) -> bool {
    matches!(kind, Kind::Ip | Kind::Cidr | Kind::Domain | Kind::Url | Kind::Email | Kind::Asn)
}

fn shown(period: Period) -> String {
    let day =
        |date: Option<jiff::civil::Date>| date.map_or_else(String::new, |date| date.to_string());
    format!("{}/{}", day(period.from), day(period.to))
}
