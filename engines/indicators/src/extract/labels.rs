//! The words by which a notice says what its values are.
//!
//! Invariants: words are found in one pass, the longest first, and Latin words only as whole words (a plural `s` may
//! follow); a word of one's own goes before a shipped one of the same text. Limits: see the constants.

use std::{collections::HashMap, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};
use serde::{Deserialize, Serialize};

use crate::{Direction, Kind};

/// Words of one's own, and the length of one.
pub const WORDS_MAX: usize = 2_000;
pub const WORD_BYTES_MAX: usize = 200;

/// A direction as the list of words writes it, seen from the organisation that reads the notice.
fn direction(word: &str) -> Option<Direction> {
    match word {
        "out" => Some(Direction::Destination),
        "in" => Some(Direction::Source),
        "both" => Some(Direction::Both),
        _ => None,
    }
}

/// What a word says that a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Network,
    Hash,
    Ioc,
    Kind(Kind),
    Subject,
    Malware,
    Actor,
    Campaign,
    Period,
    /// A column or line that says the direction.
    Way,
    /// A column that says something of the value beside it.
    Note,
    /// What the publisher points to.
    Reference,
    Version,
    /// `から`: the direction depends on the value.
    From,
    /// Says a direction only behind a value and its particle.
    Verb,
}

impl About {
    fn named(word: &str) -> Option<About> {
        Some(match word {
            "network" => About::Network,
            "hash" => About::Hash,
            "ioc" => About::Ioc,
            "subject" => About::Subject,
            "malware" => About::Malware,
            "actor" => About::Actor,
            "campaign" => About::Campaign,
            "period" => About::Period,
            "way" => About::Way,
            "note" => About::Note,
            "reference" => About::Reference,
            "version" => About::Version,
            "from" => About::From,
            "verb" => About::Verb,
            other => About::Kind(Kind::named(other)?),
        })
    }

    /// Whether it says that the value is worth keeping.
    pub(super) fn is_sign(self) -> bool {
        use About::{Hash, Ioc, Kind, Network};
        matches!(self, Network | Hash | Ioc | Kind(_))
    }
}

/// Where a word stands beside its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Any,
    Before,
    After,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub place: Place,
    pub direction: Option<Direction>,
    pub about: About,
}

/// A word that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub start: usize,
    pub end: usize,
    pub role: Role,
}

/// A word of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub text: String,
    /// A kind of indicator, or `network`, `hash`, `ioc`, `subject`, `malware`, `actor`, `campaign`, `period`,
    /// `reference`, `version`.
    pub about: String,
    pub direction: Option<Direction>,
}

/// Why words are no labels.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("label {0:?}: nothing is known as {1:?}")]
    About(String, String),
    #[error("label {0:?}: it has 1 to {WORD_BYTES_MAX} bytes")]
    Length(String),
    #[error("more than {WORDS_MAX} labels")]
    Many,
    #[error("the labels cannot be searched: {0}")]
    Search(String),
}

/// The vocabulary.
pub struct Labels {
    /// None only if it could not be made.
    search: Option<AhoCorasick>,
    roles: Vec<Role>,
}

const SHIPPED: &str = include_str!("labels.txt");

impl Labels {
    /// The words that ship with the engine.
    pub fn shipped() -> &'static Labels {
        // The list is ours, and a test holds that it is read.
        static ALL: LazyLock<Labels> = LazyLock::new(|| {
            Labels::with(&[]).unwrap_or(Labels { search: None, roles: Vec::new() })
        });
        &ALL
    }

    /// Those, and words of one's own.
    pub fn with(own: &[Word]) -> Result<Labels, LabelError> {
        if own.len() > WORDS_MAX {
            return Err(LabelError::Many);
        }
        let mut all: HashMap<String, Role> = HashMap::new();
        for line in SHIPPED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, role) = shipped(line)?;
            all.insert(word.to_lowercase(), role);
        }
        for word in own {
            let text = super::view::View::of(word.text.trim()).text;
            if text.is_empty() || text.len() > WORD_BYTES_MAX {
                return Err(LabelError::Length(word.text.clone()));
            }
            let about = About::named(&word.about)
                .ok_or_else(|| LabelError::About(word.text.clone(), word.about.clone()))?;
            let role = Role { place: Place::Any, direction: word.direction, about };
            all.insert(text.to_lowercase(), role);
        }
        let mut words: Vec<(String, Role)> = all.into_iter().collect();
        words.sort_by(|a, b| a.0.cmp(&b.0));
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(words.iter().map(|(word, _)| word))
            .map_err(|error| LabelError::Search(error.to_string()))?;
        Ok(Labels {
            search: Some(search),
            roles: words.into_iter().map(|(_, role)| role).collect(),
        })
    }

    /// All words of a text, in order.
    pub(super) fn find(&self, text: &str) -> Vec<Mark> {
        let Some(search) = &self.search else { return Vec::new() };
        let found = search.find_iter(text).filter_map(|found| {
            let (start, end) = (found.start(), found.end());
            let role = *self.roles.get(found.pattern().as_usize())?;
            is_whole(text, start, end).then_some(Mark { start, end, role })
        });
        found.collect()
    }
}

fn shipped(line: &str) -> Result<(&str, Role), LabelError> {
    let wrong = || LabelError::About(line.to_owned(), String::new());
    let mut parts = line.split('|');
    let mut next = || parts.next().ok_or_else(wrong);
    let (word, place, direction, about) = (next()?, next()?, next()?, next()?);
    let place = match place {
        "any" => Place::Any,
        "before" => Place::Before,
        "after" => Place::After,
        _ => return Err(wrong()),
    };
    let about = About::named(about).ok_or_else(wrong)?;
    Ok((word, Role { place, direction: self::direction(direction), about }))
}

/// A Latin word is not met within another.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let joins_before =
        start > 0 && is_letter(start) && (is_letter(start - 1) || bytes[start - 1] == b'_');
    let plural = usize::from(bytes.get(end).is_some_and(|byte| byte.eq_ignore_ascii_case(&b's')));
    let joins_after =
        end > 0 && is_letter(end - 1) && (is_letter(end + plural) || bytes.get(end) == Some(&b'_'));
    !joins_before && !joins_after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        Labels::shipped().find(text).iter().map(|mark| &text[mark.start..mark.end]).collect()
    }

    #[test]
    fn every_shipped_word_is_read() {
        let lines = SHIPPED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all: Vec<&str> = lines.collect();
        assert!(all.len() > 200);
        for line in &all {
            shipped(line).unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(Labels::shipped().roles.len(), all.len(), "no word stands twice");
    }

    #[test]
    fn latin_words_are_met_whole() {
        assert_eq!(
            words("C2 servers; abc2d; source IPs; profile; paths"),
            ["C2", "source IP", "path"]
        );
        assert_eq!(words("C2サーバのIPアドレス"), ["C2サーバ", "IPアドレス"]);
    }

    #[test]
    fn words_of_ones_own_go_before() {
        let own = |about: &str, text: &str| Word {
            text: text.to_owned(),
            about: about.to_owned(),
            direction: Some(Direction::Source),
        };
        let labels =
            Labels::with(&[own("network", "踏み台"), own("network", "通信先")]).expect("labels");
        let found = labels.find("踏み台 通信先");
        assert!(found.iter().all(|mark| mark.role.direction == Some(Direction::Source)));
        assert_eq!(found.len(), 2);
        assert!(matches!(Labels::with(&[own("colour", "x")]), Err(LabelError::About(..))));
        assert!(matches!(Labels::with(&[own("ioc", " ")]), Err(LabelError::Length(_))));
    }
}
