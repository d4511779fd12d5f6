//! `LIKE`: the whole text, `%` for any run of characters, `_` for one.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Like {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Char(char),
    One,
    Run,
}

impl Like {
    pub fn new(source: &str) -> Like {
        let mut parts: Vec<Part> = Vec::new();
        for c in nfc(source).chars() {
            let part = match c {
                '%' => Part::Run,
                '_' => Part::One,
                c => Part::Char(c),
            };
            if part != Part::Run || parts.last() != Some(&Part::Run) {
                parts.push(part);
            }
        }
        Like { source: source.to_owned(), parts }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text it means, if it has no wildcard.
    pub(crate) fn exact(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Char(c) => Some(*c),
                _ => None,
            })
            .collect()
    }

    /// Goes back to the last run only: an earlier one that took less would gain nothing.
    pub fn is_match(&self, text: &str) -> bool {
        let text = nfc(text);
        let mut rest = text.chars();
        let mut at = 0;
        let mut retry = None;
        loop {
            let here = rest.clone();
            match (self.parts.get(at), rest.next()) {
                (None, None) => return true,
                (Some(Part::Run), _) => {
                    at += 1;
                    retry = Some((at, here.clone()));
                    rest = here;
                    continue;
                }
                (Some(Part::One), Some(_)) => at += 1,
                (Some(Part::Char(c)), Some(d)) if *c == d => at += 1,
                _ => {
                    let Some((part, mut from)) = retry else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    retry = Some((part, from.clone()));
                    at = part;
                    rest = from;
                }
            }
        }
    }
}

/// Composed as Unicode's form C, which is how texts are compared.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_whole_text_is_held_against_it() {
        let like = |pattern: &str, text: &str| Like::new(pattern).is_match(text);
        assert!(like(r"C:\Windows\%\foo", r"C:\Windows\System32\foo"));
        assert!(!like(r"C:\Windows\%\foo", r"C:\Windows\System32\foo.exe"));
        assert!(like("a_c", "abc") && !like("a_c", "ac") && !like("a_c", "abbc"));
        assert!(like("%", "") && like("%%", "x\ny") && like("", "") && !like("", "a"));
        assert!(!like("ABC", "abc"), "case counts");
        assert!(like("か\u{3099}", "が"), "composed and decomposed are one");
        assert!(like("_", "が"), "one character, however many bytes");
    }

    /// What the definition says, without thought for time.
    fn slow(parts: &[char], text: &[char]) -> bool {
        match parts.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
            Some((c, rest)) => {
                text.first().is_some_and(|d| *c == '_' || c == d) && slow(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn it_says_what_the_definition_says(pattern in "[ab%_]{0,9}", text in "[ab]{0,12}") {
            let chars = |t: &str| t.chars().collect::<Vec<_>>();
            prop_assert_eq!(Like::new(&pattern).is_match(&text), slow(&chars(&pattern), &chars(&text)));
        }
    }
}
