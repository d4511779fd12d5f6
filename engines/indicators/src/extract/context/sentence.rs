//! What the sentence around a value says: verbs and nouns in front of it and behind it.

use super::{
    About, Candidate, Cut, Direction, FROM_CHARS, Hint, Kind, Mark, Place, Read, SENTENCE_BYTES,
};

/// What the sentence around a value says.
#[derive(Default)]
pub(super) struct Sentence {
    pub hint: Hint,
    /// Said right behind the value or in front of it.
    pub near: Option<Direction>,
    /// Said further behind.
    pub far: Option<Direction>,
    pub is_sign: bool,
    pub is_version: bool,
}

impl Read<'_> {
    pub(super) fn sentence(&self, (start, end): (usize, usize), candidate: &Candidate) -> Sentence {
        let mut sentence = Sentence::default();
        let before = self.marks_in(start, candidate.start);
        let mut before = before.iter().rev().filter(|mark| mark.role.place != Place::After);
        let mut nearest = before.next();
        if let Some(mark) = nearest.filter(|mark| mark.role.about == About::From) {
            let between = &self.view.text[mark.end..candidate.start];
            let is_close = between.chars().count() <= FROM_CHARS;
            sentence.near = direction_of(mark, candidate.kind).filter(|_| is_close);
            nearest = before.find(|mark| mark.role.about != About::From);
        }
        let before = nearest;
        let behind = self.marks_in(candidate.end, end);
        let glued = behind.first().filter(|mark| {
            let between = &self.view.text[candidate.end..mark.start];
            mark.role.place == Place::After && between.chars().count() <= 2
        });
        if let Some(direction) = self.by_verb(candidate, end) {
            sentence.near = Some(direction);
            sentence.is_sign = true;
            return sentence;
        }
        if let Some(mark) = glued {
            sentence.near = direction_of(mark, candidate.kind).or(sentence.near);
            sentence.is_version = mark.role.about == About::Version;
            sentence.is_sign = mark.role.about == About::Network;
        }
        if let Some(mark) = before {
            sentence.hint = Hint::of(&[*mark]);
            if sentence.near.is_none() && glued.is_none_or(|mark| mark.role.about != About::From) {
                sentence.near = mark.role.direction;
            }
        }
        let mut far = behind.iter().filter(|mark| mark.role.place != Place::Before);
        let directed = far.clone().find_map(|mark| direction_of(mark, candidate.kind));
        sentence.far = directed;
        if sentence.hint.main.is_none()
            && let Some(mark) = far.find(|mark| mark.role.about.is_sign())
        {
            sentence.hint = Hint::of(&[*mark]);
        }
        sentence
    }

    /// `に頻繁にアクセス`, `から部品をダウンロード`: a particle right behind the value, and its verb.
    fn by_verb(&self, candidate: &Candidate, end: usize) -> Option<Direction> {
        let behind = self.view.text.get(candidate.end..end)?.trim_start_matches(' ');
        let particle =
            ["に", "へ", "と", "から"].into_iter().find(|word| behind.starts_with(word))?;
        let first = self.verbs.partition_point(|verb| verb.start < candidate.end);
        let verb = self.verbs.get(first).filter(|verb| verb.end <= end)?;
        // Another clause begins behind a comma.
        if self.view.text[candidate.end..verb.start].contains(['、', ',']) {
            return None;
        }
        let fetches = ["ダウンロード", "取得"].contains(&&self.view.text[verb.start..verb.end]);
        (fetches == (particle == "から")).then_some(Direction::Destination)
    }

    /// From where to where the sentence goes in which a value stands.
    pub(super) fn bounds(&self, at: usize, candidate: &Candidate) -> (usize, usize) {
        let line = &self.lines[at];
        let text = self.view.text.as_str();
        if let Some(cell) = line.cell(candidate.start)
            && matches!(line.cut, Cut::Tabs | Cut::Pipes)
        {
            return line.cells[cell];
        }
        let wraps = |upper: usize, lower: usize| {
            let (Some(above), Some(below)) = (self.lines.get(upper), self.lines.get(lower)) else {
                return false;
            };
            let is_long = above.end.saturating_sub(above.start) > 60;
            above.block == below.block
                && !below.is_blank()
                && !below.is_decorated
                && is_long
                && !text[above.start..above.end].ends_with(['。', ':'])
        };
        let from = if at > 0 && wraps(at - 1, at) { self.lines[at - 1].start } else { line.start };
        let to = if wraps(at, at + 1) { self.lines[at + 1].end } else { line.end };
        let from =
            text.ceil_char_boundary(from.max(candidate.start.saturating_sub(SENTENCE_BYTES)));
        let to =
            text.floor_char_boundary(to.min(candidate.end + SENTENCE_BYTES)).max(candidate.end);
        let start = text[from..candidate.start]
            .rmatch_indices(['。', '.', '!', '?'])
            .find(|(place, sign)| is_stop(text, from + place, sign))
            .map_or(from, |(place, sign)| from + place + sign.len());
        let end = text[candidate.end..to]
            .match_indices(['。', '.', '!', '?'])
            .find(|(place, sign)| is_stop(text, candidate.end + place, sign))
            .map_or(to, |(place, _)| candidate.end + place);
        (start, end)
    }
}

fn is_stop(text: &str, at: usize, sign: &str) -> bool {
    let behind = &text[at + sign.len()..];
    sign == "。" || behind.is_empty() || behind.starts_with([' ', '\n'])
}

/// What `から` means depends on what stands before it: files are fetched from sites, attacks come from addresses.
fn direction_of(mark: &Mark, kind: Kind) -> Option<Direction> {
    match (mark.role.about, kind) {
        (About::From, Kind::Url | Kind::Domain) => Some(Direction::Destination),
        (About::From, _) => Some(Direction::Source),
        _ => mark.role.direction,
    }
}
