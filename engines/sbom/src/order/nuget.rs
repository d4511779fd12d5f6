//! NuGet: Semantic Versioning with up to four numbers; words of the pre-release without case.

use super::{number::Number, semver::is_word};

/// A word of the pre-release: numbers are below words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label {
    Number(i32),
    Word(String),
}

/// The numbers, then whether it is released, then the labels.
pub(super) type Key = ([Number; 4], bool, Vec<Label>);

pub(super) fn key(text: &str) -> Result<Key, &'static str> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(t, b)| (t, Some(b)));
    if build.is_some_and(|b| !b.split('.').all(is_word)) {
        return Err("the build metadata is not words of letters, digits and dashes");
    }
    let (core, pre) = text.split_once('-').map_or((text, None), |(c, p)| (c, Some(p)));
    let mut numbers = [const { Number::ZERO }; 4];
    for (at, part) in core.split('.').enumerate() {
        let slot = numbers.get_mut(at).ok_or("it has more than four numbers")?;
        *slot = Number::whole(part).ok_or("a part of it is no number")?;
    }
    let labels: Vec<Label> = match pre {
        Some(pre) if !pre.split('.').all(is_word) => {
            return Err("the pre-release is not words of letters, digits and dashes");
        }
        Some(pre) => pre.split('.').map(label).collect(),
        None => Vec::new(),
    };
    Ok((numbers, pre.is_none(), labels))
}

fn label(text: &str) -> Label {
    match text.parse() {
        Ok(number) if !text.starts_with('-') => Label::Number(number),
        _ => Label::Word(text.to_ascii_lowercase()),
    }
}
