//! Inputs, sources and kinds of results, as shipped.

use std::sync::LazyLock;

use model::Lang;
use serde::Deserialize;

use crate::shipped;

const INPUTS: &str = include_str!("../../../content/review/inputs.toml");
const SOURCES: &str = include_str!("../../../content/review/sources.toml");
const OUTPUTS: &str = include_str!("../../../content/review/outputs.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    pub version: String,
    pub author: String,
    pub input: Vec<Input>,
}

/// One of 9.3.2 a to g.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub id: String,
    pub letter: String,
    pub title_ja: String,
    pub title_en: String,
    pub content_ja: String,
    pub content_en: String,
    pub question_ja: String,
    pub question_en: String,
    pub empty_ja: String,
    pub empty_en: String,
    pub sources: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    pub version: String,
    pub author: String,
    pub source: Vec<Source>,
}

/// What fills an input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub id: String,
    pub title_ja: String,
    pub title_en: String,
    pub content_ja: String,
    pub content_en: String,
    pub records: Vec<String>,
    pub registers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputFile {
    pub version: String,
    pub author: String,
    pub output: Vec<Output>,
}

/// A kind of result (9.3.3).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub id: String,
    pub norm: String,
    pub title_ja: String,
    pub title_en: String,
    pub content_ja: String,
    pub content_en: String,
    pub question_ja: String,
    pub question_en: String,
    pub becomes: Vec<String>,
}

/// The seven inputs, in order.
pub fn inputs() -> &'static [Input] {
    static ALL: LazyLock<Vec<Input>> = LazyLock::new(|| {
        shipped::read::<InputFile>("inputs.toml", INPUTS).map_or_else(Vec::new, |f| f.input)
    });
    &ALL
}

/// The sources.
pub fn sources() -> &'static [Source] {
    static ALL: LazyLock<Vec<Source>> = LazyLock::new(|| {
        shipped::read::<SourceFile>("sources.toml", SOURCES).map_or_else(Vec::new, |f| f.source)
    });
    &ALL
}

/// The kinds of results.
pub fn outputs() -> &'static [Output] {
    static ALL: LazyLock<Vec<Output>> = LazyLock::new(|| {
        shipped::read::<OutputFile>("outputs.toml", OUTPUTS).map_or_else(Vec::new, |f| f.output)
    });
    &ALL
}

/// The heading of a source.
pub fn source_title(id: &str, lang: Lang) -> &'static str {
    let source = sources().iter().find(|s| s.id == id);
    source.map_or("", |s| match lang {
        Lang::Ja => &s.title_ja,
        Lang::En => &s.title_en,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_inputs_name_sources_that_are_there() {
        let letters: String = inputs().iter().map(|i| i.letter.as_str()).collect();
        assert_eq!(letters, "abcdefg");
        assert!(!outputs().is_empty());
        for input in inputs() {
            for id in &input.sources {
                assert!(sources().iter().any(|s| s.id == *id), "{id}");
                assert!(!source_title(id, Lang::Ja).is_empty(), "{id}");
            }
        }
        let used = |s: &Source| inputs().iter().any(|i| i.sources.contains(&s.id));
        assert!(sources().iter().all(used));
    }
}
