//! Facts of the whole notice: its marking, and the vulnerabilities that it names.
//!
//! Invariant: where several markings stand, the strictest holds.

use crate::tlp::Level;

use super::{Basis, Span, What};

/// How far a notice may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marking {
    pub level: Level,
    /// Companies of the group may have it: 自組織および関連組織.
    pub has_group: bool,
}

/// Words behind a marking within which its audience is said.
const AUDIENCE_BYTES: usize = 160;
const OWN_ONLY: [&str; 9] = [
    "自組織限定",
    "自組織のみ",
    "自組織に限",
    "貴組織内",
    "貴組織限定",
    "組織内限定",
    "自社限定",
    "社内限定",
    "own organisation only",
];
const GROUP: [&str; 7] = [
    "関連組織",
    "関連会社",
    "グループ会社",
    "グループ企業",
    "関係会社",
    "group companies",
    "affiliated",
];

/// The marking of a text and where it stands.
pub(super) fn marking(text: &str) -> Option<(Marking, usize, usize)> {
    let mut strictest: Option<(Marking, usize, usize)> = None;
    for found in markings(text) {
        if strictest.as_ref().is_none_or(|known| found.0.level > known.0.level) {
            strictest = Some(found);
        }
    }
    strictest
}

fn markings(text: &str) -> Vec<(Marking, usize, usize)> {
    let mut all = Vec::new();
    for (word, reach) in [("TLP", 20), ("tlp", 20), ("取扱", 40), ("取り扱い", 40)] {
        let mut from = 0;
        while let Some(found) = text[from..].find(word) {
            let start = from + found;
            from = start + word.len();
            if let Some((level, end)) = level(text, from, reach) {
                all.push((audience(text, level, end), start, end));
                from = end;
            }
        }
    }
    all.sort_by_key(|(_, start, _)| *start);
    all
}

/// The first name of a level within reach.
fn level(text: &str, from: usize, reach: usize) -> Option<(Level, usize)> {
    let end = text.floor_char_boundary((from + reach).min(text.len()));
    let behind = text[from..end].split('\n').next().unwrap_or_default().to_ascii_uppercase();
    const NAMES: [(&str, Level); 7] = [
        ("AMBER+STRICT", Level::AmberStrict),
        ("AMBER-STRICT", Level::AmberStrict),
        ("AMBER", Level::Amber),
        ("RED", Level::Red),
        ("GREEN", Level::Green),
        ("CLEAR", Level::Clear),
        ("WHITE", Level::Clear),
    ];
    let found = NAMES.iter().filter_map(|(name, level)| Some((behind.find(name)?, *name, *level)));
    let (at, name, level) =
        found.min_by_key(|(at, name, _)| (*at, std::cmp::Reverse(name.len())))?;
    // `TLP: CLEARLY` is prose.
    let is_word = !behind[at + name.len()..].starts_with(|sign: char| sign.is_ascii_alphabetic());
    is_word.then_some((level, from + at + name.len()))
}

/// What is said of the audience beside a marking.
fn audience(text: &str, level: Level, end: usize) -> Marking {
    let last = text.floor_char_boundary((end + AUDIENCE_BYTES).min(text.len()));
    let behind = &text[end..last];
    let behind = behind.split("\n\n").next().unwrap_or_default();
    let line = behind.split('\n').next().unwrap_or_default();
    let own = OWN_ONLY.iter().any(|word| line.contains(word));
    let has_group = GROUP.iter().any(|word| line.contains(word));
    match (level, own && !has_group) {
        (Level::Amber, true) => Marking { level: Level::AmberStrict, has_group: false },
        (Level::Amber, false) => Marking { level, has_group },
        _ => Marking { level, has_group: false },
    }
}

/// Ids of vulnerabilities.
pub(super) fn vulnerabilities(text: &str) -> Vec<Span> {
    let mut all = Vec::new();
    for (prefix, shape) in [
        ("CVE-", &[4, 0][..]),
        ("cve-", &[4, 0]),
        ("JVNDB-", &[4, 6]),
        ("JVNVU#", &[8]),
        ("JVN#", &[8]),
    ] {
        let mut from = 0;
        while let Some(found) = text[from..].find(prefix) {
            let start = from + found;
            from = start + prefix.len();
            let joins = text[..start].ends_with(|sign: char| sign.is_ascii_alphanumeric());
            if let Some(end) = numbers(text, from, shape).filter(|_| !joins) {
                let value = text[start..end].to_ascii_uppercase();
                all.push(span(What::Vulnerability, start, end, value));
                from = end;
            }
        }
    }
    all
}

/// Numbers of these lengths with hyphens between; 0 stands for four to seven digits.
fn numbers(text: &str, from: usize, shape: &[usize]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    for (part, length) in shape.iter().enumerate() {
        if part > 0 {
            bytes.get(at).filter(|byte| **byte == b'-')?;
            at += 1;
        }
        let count = bytes[at..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
        let fits = if *length == 0 { (4..=7).contains(&count) } else { count == *length };
        if !fits {
            return None;
        }
        at += count;
    }
    Some(at)
}

pub(super) fn span(what: What, start: usize, end: usize, value: String) -> Span {
    Span {
        start,
        end,
        what,
        value,
        direction: None,
        period: None,
        port: None,
        confidence: 950,
        basis: Basis::Form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Level, bool)> {
        marking(text).map(|(marking, ..)| (marking.level, marking.has_group))
    }

    #[test]
    fn markings_are_read_in_both_languages() {
        assert_eq!(read("取扱注意(AMBER) 自組織限定"), Some((Level::AmberStrict, false)));
        assert_eq!(read("取扱注意(AMBER) 自組織および関連組織"), Some((Level::Amber, true)));
        assert_eq!(read("TLP:AMBER+STRICT"), Some((Level::AmberStrict, false)));
        assert_eq!(read("TLP: WHITE"), Some((Level::Clear, false)));
        assert_eq!(read("tlp:green"), Some((Level::Green, false)));
        assert_eq!(read("情報の取扱: RED"), Some((Level::Red, false)));
        assert_eq!(read("the TLP is CLEARLY useful"), None);
        assert_eq!(read("AMBER alert, green light"), None);
    }

    #[test]
    fn the_strictest_marking_holds() {
        assert_eq!(read("TLP:GREEN\n...\nTLP:RED"), Some((Level::Red, false)));
    }

    #[test]
    fn ids_of_vulnerabilities_are_read() {
        let all = vulnerabilities(
            "CVE-2024-3400, JVNDB-2024-000011, JVNVU#90000000, CVE-24-1, XCVE-2024-3400",
        );
        let mut values: Vec<&str> = all.iter().map(|span| span.value.as_str()).collect();
        values.sort_unstable();
        assert_eq!(values, ["CVE-2024-3400", "JVNDB-2024-000011", "JVNVU#90000000"]);
    }
}
