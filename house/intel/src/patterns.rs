//! Patterns of a set: what no single value says. One JSON line each, in a file that the manifest names and the
//! signature covers like every other.
//!
//! A line says nothing of markings: edges of this house may use what they are given, and give nothing on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, FileRef, publish::add_named};

/// How the file of a set's patterns begins and ends.
pub(crate) const PREFIX: &str = "patterns";
pub(crate) const ENDING: &str = "ndjson";
/// Patterns of a set.
pub const PATTERNS_MAX: usize = 10_000;
/// Bytes of their file.
pub const PATTERNS_BYTES_MAX: u64 = 32 << 20;

/// A pattern in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternLine {
    /// What it is known by as long as it is the same pattern: the id of the STIX indicator, or one made of its text.
    pub id: String,
    /// `stix` or `sigma`.
    #[serde(default, skip_serializing_if = "Language::is_stix")]
    pub language: Language,
    pub pattern: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Name of whom or what it came with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Ids of the items that it came with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Microseconds since 1970: from then on, and before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// What a pattern is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    #[default]
    Stix,
    Sigma,
}

impl Language {
    fn is_stix(&self) -> bool {
        *self == Language::Stix
    }
}

impl PatternLine {
    /// Whether it holds at a time.
    pub fn holds(&self, at: i64) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// Stores the patterns of a set. Nothing is in force by that.
pub fn add_patterns(folder: &Path, lines: &[PatternLine]) -> Result<FileRef, Error> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    add_named(folder, PREFIX, ENDING, &bytes)
}

/// Whether a file of a set is that of its patterns.
pub(crate) fn is_it(name: &str) -> bool {
    name.starts_with("patterns-") && name.ends_with(".ndjson")
}

/// Reads what [`add_patterns`] wrote.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Vec<PatternLine>, Error> {
    let damage = |at: usize, what: &str| Error::Damage {
        name: name.to_owned(),
        damage: format!("line {at}: {what}"),
    };
    if bytes.len() as u64 > PATTERNS_BYTES_MAX {
        return Err(damage(0, &format!("more than {PATTERNS_BYTES_MAX} bytes")));
    }
    let mut lines = Vec::new();
    let all = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (at, line) in (1..).zip(all) {
        if at > PATTERNS_MAX {
            return Err(damage(at, &format!("more than {PATTERNS_MAX} patterns")));
        }
        lines.push(serde_json::from_slice(line).map_err(|error| damage(at, &error.to_string()))?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_come_back_as_they_were_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let line = PatternLine {
            id: "indicator--1".to_owned(),
            pattern: "[url:value = 'http://a.example/']".to_owned(),
            until: Some(9),
            ..PatternLine::default()
        };
        let sigma = PatternLine { language: Language::Sigma, ..line.clone() };
        let file = add_patterns(folder.path(), &[line.clone(), sigma.clone()]).unwrap();
        assert!(is_it(&file.name), "{}", file.name);
        let bytes = std::fs::read(folder.path().join(&file.name)).unwrap();
        assert_eq!(read("p", &bytes).unwrap(), [line.clone(), sigma]);
        assert!(line.holds(8) && !line.holds(9));
        let error = read("p", b"{\"id\":\"a\",\"pattern\":\"b\"}\n{\"id\":1}").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
