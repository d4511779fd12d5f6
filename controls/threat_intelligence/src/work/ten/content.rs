//! Editions of the ten threats as files say them: read, checked, each fault with its line.
//!
//! Pure. Limits: [`BYTES_MAX`], [`THREATS_MAX`], [`MEASURES_MAX`].

use std::{collections::BTreeSet, sync::LazyLock};

use model::{Text, t};
use serde::Deserialize;
use toml::Spanned;

pub const BYTES_MAX: usize = 256 * 1024;
pub const THREATS_MAX: usize = 20;
pub const MEASURES_MAX: usize = 200;
const WORDS_CHARS_MAX: usize = 300;
const EDITIONS: std::ops::RangeInclusive<u16> = 2016..=2100;

const MEASURES: &str = include_str!("../../../../../content/threats/measures.toml");
const FILES: [(&str, &str); 4] = [
    ("2023/org.toml", include_str!("../../../../../content/threats/ipa10/2023/org.toml")),
    ("2023/person.toml", include_str!("../../../../../content/threats/ipa10/2023/person.toml")),
    ("2026/org.toml", include_str!("../../../../../content/threats/ipa10/2026/org.toml")),
    ("2026/person.toml", include_str!("../../../../../content/threats/ipa10/2026/person.toml")),
];

/// For whom a list is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    Org,
    Person,
}

impl Audience {
    pub fn as_str(self) -> &'static str {
        match self {
            Audience::Org => "org",
            Audience::Person => "person",
        }
    }

    pub fn named(word: &str) -> Option<Audience> {
        [Audience::Org, Audience::Person].into_iter().find(|audience| audience.as_str() == word)
    }

    pub fn text(self) -> Text {
        match self {
            Audience::Org => t("組織", "Organisations"),
            Audience::Person => t("個人", "Persons"),
        }
    }
}

/// One file: an edition for one audience.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    pub edition: Spanned<u16>,
    pub audience: Audience,
    /// Month of publication, `2026-01`.
    pub published: Spanned<String>,
    pub author: String,
    pub source: String,
    /// What of it was not held against the publication yet.
    pub to_check_ja: Option<String>,
    pub to_check_en: Option<String>,
    #[serde(default)]
    pub threat: Vec<Threat>,
    /// Measures that the shipped ones lack.
    #[serde(default)]
    pub measure: Vec<Measure>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threat {
    /// The same from edition to edition, whatever the title.
    pub key: Spanned<String>,
    /// Place in the list, from 1; the last part of its id.
    pub number: Spanned<u8>,
    /// None where the list is not ranked.
    pub rank: Option<u8>,
    /// None for what is new, or was not ranked.
    pub rank_before: Option<u8>,
    pub first_year: Option<u16>,
    pub title_ja: Spanned<String>,
    pub title_en: Spanned<String>,
    pub about_ja: Spanned<String>,
    pub about_en: Spanned<String>,
    /// Ids of measures.
    pub measures: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    pub id: Spanned<String>,
    pub text_ja: Spanned<String>,
    pub text_en: Spanned<String>,
    /// Controls of Annex A (`a.8.13`) and criteria (`5.30/take-3`).
    pub maps_to: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    #[allow(dead_code)]
    author: String,
    #[allow(dead_code)]
    source: String,
    measure: Vec<Measure>,
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    pub ja: String,
    pub en: String,
}

/// What ids a measure may name.
pub struct Known<'a> {
    pub criteria: BTreeSet<&'a str>,
    pub controls: BTreeSet<&'a str>,
}

impl Known<'_> {
    pub fn holds(&self, id: &str) -> bool {
        self.criteria.contains(id) || self.controls.contains(id)
    }
}

/// The measures this build carries.
pub static SHIPPED_MEASURES: LazyLock<Vec<Measure>> = LazyLock::new(|| {
    let read = toml::from_str::<Library>(MEASURES);
    read.map(|library| library.measure)
        .inspect_err(|error| tracing::error!(%error, "the shipped measures do not read"))
        .unwrap_or_default()
});

/// The editions this build carries; a test holds that they read.
pub fn shipped() -> Vec<Edition> {
    let read = |(name, text): &(&str, &str)| {
        let read = toml::from_str(text);
        read.inspect_err(|error| tracing::error!(name, %error, "a shipped edition does not read"))
            .ok()
    };
    FILES.iter().filter_map(read).collect()
}

/// All that decides what the shipped rows say.
pub fn shipped_texts() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(_, text)| *text).chain([MEASURES])
}

/// Reads an edition that somebody hands in. All faults are told, not the first alone.
pub fn read(text: &str, known: &Known<'_>) -> Result<Edition, Vec<Fault>> {
    if text.len() > BYTES_MAX {
        let (ja, en) = (
            format!("{}バイトあります（{BYTES_MAX}まで）", text.len()),
            format!("it has {} bytes, more than {BYTES_MAX}", text.len()),
        );
        return Err(vec![Fault { line: 1, ja, en }]);
    }
    let edition: Edition = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(text, span.start));
        let what = error.message().to_owned();
        vec![Fault { line, ja: format!("読めません（{what}）"), en: what }]
    })?;
    let faults = faults(text, &edition, known);
    if faults.is_empty() { Ok(edition) } else { Err(faults) }
}

fn line(text: &str, byte: usize) -> usize {
    text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1
}

fn faults(text: &str, edition: &Edition, known: &Known<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut wrong = |byte: usize, ja: String, en: String| {
        faults.push(Fault { line: line(text, byte), ja, en });
    };
    if !EDITIONS.contains(edition.edition.get_ref()) {
        let year = edition.edition.get_ref();
        wrong(
            edition.edition.span().start,
            format!("年版{year}は2016から2100の間ではありません"),
            format!("edition {year} is not between 2016 and 2100"),
        );
    }
    if month(edition.published.get_ref()).is_none() {
        wrong(
            edition.published.span().start,
            "公表した月は「2026-01」の形で書いてください".to_owned(),
            "write the month of publication as 2026-01".to_owned(),
        );
    }
    if edition.threat.is_empty() || edition.threat.len() > THREATS_MAX {
        let count = edition.threat.len();
        wrong(
            0,
            format!("脅威が{count}件です（1件から{THREATS_MAX}件まで）"),
            format!("{count} threats: there must be 1 to {THREATS_MAX}"),
        );
    }
    if edition.measure.len() > MEASURES_MAX {
        let count = edition.measure.len();
        wrong(
            0,
            format!("対策が{count}件です（{MEASURES_MAX}件まで）"),
            format!("{count} measures, more than {MEASURES_MAX}"),
        );
    }
    let mut ids: BTreeSet<&str> =
        SHIPPED_MEASURES.iter().map(|measure| measure.id.get_ref().as_str()).collect();
    for measure in &edition.measure {
        let id = measure.id.get_ref();
        if !is_word(id) {
            wrong(
                measure.id.span().start,
                format!("id「{id}」は英小文字・数字・ハイフンで書いてください"),
                format!("id “{id}” must be of lower-case letters, digits and hyphens"),
            );
        }
        if !ids.insert(id) {
            wrong(
                measure.id.span().start,
                format!("対策「{id}」はすでにあります"),
                format!("there is a measure “{id}” already"),
            );
        }
        for words in [&measure.text_ja, &measure.text_en] {
            check_words(words, &mut wrong);
        }
        for to in &measure.maps_to {
            let id = to.get_ref();
            if !known.holds(id) {
                wrong(
                    to.span().start,
                    format!("「{id}」という管理策・基準はありません"),
                    format!("there is no control or criterion “{id}”"),
                );
            }
        }
    }
    let (mut keys, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for threat in &edition.threat {
        let (key, number) = (threat.key.get_ref(), *threat.number.get_ref());
        if !is_word(key) || !keys.insert(key.as_str()) {
            wrong(
                threat.key.span().start,
                format!("key「{key}」は重複しない英小文字・数字・ハイフンで書いてください"),
                format!("key “{key}” must be new, of lower-case letters, digits and hyphens"),
            );
        }
        if number == 0 || usize::from(number) > THREATS_MAX || !numbers.insert(number) {
            wrong(
                threat.number.span().start,
                format!("number {number}は1から{THREATS_MAX}までの重複しない数にしてください"),
                format!("number {number} must be new and from 1 to {THREATS_MAX}"),
            );
        }
        for words in [&threat.title_ja, &threat.title_en, &threat.about_ja, &threat.about_en] {
            check_words(words, &mut wrong);
        }
        for measure in &threat.measures {
            let id = measure.get_ref();
            if !ids.contains(id.as_str()) {
                wrong(
                    measure.span().start,
                    format!("対策「{id}」はありません"),
                    format!("there is no measure “{id}”"),
                );
            }
        }
    }
    faults.sort_by_key(|fault| fault.line);
    faults
}

fn check_words(words: &Spanned<String>, wrong: &mut impl FnMut(usize, String, String)) {
    let count = words.get_ref().trim().chars().count();
    if count == 0 || count > WORDS_CHARS_MAX {
        wrong(
            words.span().start,
            format!("文は1文字から{WORDS_CHARS_MAX}文字までにしてください"),
            format!("a text must have 1 to {WORDS_CHARS_MAX} characters"),
        );
    }
}

fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 40 && text.chars().all(fits)
}

/// First day of a month `2026-01`.
pub fn month(text: &str) -> Option<jiff::civil::Date> {
    format!("{text}-01").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known<'static> {
        Known { criteria: BTreeSet::from(["5.30/take-3"]), controls: BTreeSet::from(["a.8.13"]) }
    }

    const GOOD: &str = r#"edition = 2027
audience = "org"
published = "2027-01"
author = "someone"
source = "test"

[[threat]]
key = "ransomware"
number = 1
rank = 1
title_ja = "題"
title_en = "title"
about_ja = "説明"
about_en = "about"
measures = ["offline-copy", "own"]

[[measure]]
id = "own"
text_ja = "対策"
text_en = "measure"
maps_to = ["a.8.13", "5.30/take-3"]
"#;

    #[test]
    fn what_ships_reads_and_has_ten_ranked_threats_for_organisations() {
        let all = shipped();
        assert_eq!(all.len(), FILES.len());
        assert!(SHIPPED_MEASURES.len() > 40);
        let ids: BTreeSet<&str> =
            SHIPPED_MEASURES.iter().map(|m| m.id.get_ref().as_str()).collect();
        assert_eq!(ids.len(), SHIPPED_MEASURES.len(), "an id stands twice");
        for edition in &all {
            let year = edition.edition.get_ref();
            assert_eq!(edition.author, "ume");
            let threats = &edition.threat;
            if edition.audience == Audience::Org {
                let ranks: Vec<Option<u8>> = threats.iter().map(|threat| threat.rank).collect();
                assert_eq!(ranks, (1..=10).map(Some).collect::<Vec<_>>(), "{year}");
            }
            for threat in threats {
                assert!(!threat.measures.is_empty());
                let there = |m: &Spanned<String>| ids.contains(m.get_ref().as_str());
                assert!(threat.measures.iter().all(there), "{year} {}", threat.key.get_ref());
            }
        }
    }

    #[test]
    fn an_edition_of_ones_own_is_read_and_each_fault_names_its_line() {
        assert_eq!(read(GOOD, &known()).expect("edition").threat.len(), 1);
        let bad = GOOD
            .replace("2027-01", "Jan 2027")
            .replace("number = 1", "number = 0")
            .replace("\"own\"]", "\"gone\"]")
            .replace("\"a.8.13\"", "\"a.8.99\"");
        let faults = read(&bad, &known()).expect_err("faults");
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [3, 9, 15, 21], "{faults:?}");
        assert!(faults[3].en.contains("a.8.99") && faults[3].ja.contains("a.8.99"));
        let torn = read("edition = 2027\naudience = \"all\"\n", &known()).expect_err("fault");
        assert_eq!((torn.len(), torn[0].line), (1, 2), "{torn:?}");
        let large = "#".repeat(BYTES_MAX + 1);
        assert!(read(&large, &known()).expect_err("large")[0].en.contains("bytes"));
    }
}
