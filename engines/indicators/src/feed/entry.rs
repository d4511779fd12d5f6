//! One entry of a feed, whatever form it came in.

use std::collections::BTreeSet;

use mail_parser::decoders::html::html_to_text;

use super::{LISTED_MAX, Place, TEXT_BYTES_MAX, WORD_BYTES_MAX, product};
use crate::{Micros, extract::clip};

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub place: Place,
    /// What its publisher calls it; the link where it has no name.
    pub id: String,
    pub title: String,
    /// Plain text.
    pub text: String,
    pub link: String,
    pub author: String,
    pub language: Option<String>,
    pub published: Option<Micros>,
    pub updated: Option<Micros>,
    pub categories: Vec<String>,
    /// CVE, JVNDB, JVNVU, JVN: ids that its markup names. What its text names, `extract` reads.
    pub vulnerabilities: Vec<String>,
    pub products: Vec<Product>,
    pub scores: Vec<Score>,
    pub references: Vec<Reference>,
    /// A limit left something of it out.
    pub is_cut: bool,
}

/// A product that an entry speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    pub vendor: String,
    pub name: String,
    /// As written: a version or words; empty for all.
    pub versions: Vec<String>,
    /// CPE 2.3 formatted string without version, whatever binding it came in; empty if none was given.
    pub cpe: String,
    /// JVN's own id.
    pub jvnpid: String,
}

/// A CVSS base score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// 2, 3 or 4.
    pub version: u8,
    /// In tenths.
    pub tenths: u16,
    pub vector: String,
}

/// Where more is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub title: String,
    pub url: String,
}

impl Entry {
    pub(super) fn at(place: Place) -> Entry {
        Entry {
            place,
            id: String::new(),
            title: String::new(),
            text: String::new(),
            link: String::new(),
            author: String::new(),
            language: None,
            published: None,
            updated: None,
            categories: Vec::new(),
            vulnerabilities: Vec::new(),
            products: Vec::new(),
            scores: Vec::new(),
            references: Vec::new(),
            is_cut: false,
        }
    }

    /// An entry that another engine read.
    pub fn new(id: &str, title: &str, text: &str) -> Entry {
        let mut entry = Entry::at(Place::Pointer(String::new()));
        entry.id = entry.word(id);
        entry.title = entry.word(title);
        entry.say(text);
        entry
    }

    /// Names a vulnerability, if the id is one.
    pub fn names(&mut self, id: &str) {
        self.name(id);
    }

    /// Names a product.
    pub fn speaks_of(&mut self, name: &str) {
        let name = self.word(name);
        self.add(|entry| &mut entry.products, Product { name, ..Product::default() });
    }

    /// One line of it: no control characters, no more than a word may have.
    pub(super) fn word(&mut self, text: &str) -> String {
        let (text, is_cut) = clip(text.trim(), WORD_BYTES_MAX);
        self.is_cut |= is_cut;
        text.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, " ")
    }

    /// Adds to the text, what is there already but once.
    pub(super) fn say(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() || self.text.contains(text) {
            return;
        }
        let (text, is_cut) = clip(text, TEXT_BYTES_MAX.saturating_sub(self.text.len() + 1));
        self.is_cut |= is_cut;
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push('\n');
        }
        self.text.extend(text.chars().filter(|sign| *sign == '\n' || !sign.is_control()));
    }

    pub(super) fn name(&mut self, id: &str) {
        if let Some(id) = vulnerability(id) {
            self.add(|entry| &mut entry.vulnerabilities, id);
        }
    }

    pub(super) fn add<T: PartialEq>(&mut self, list: impl Fn(&mut Entry) -> &mut Vec<T>, one: T) {
        let all = list(self);
        if all.contains(&one) {
            return;
        }
        if all.len() < LISTED_MAX {
            all.push(one);
        } else {
            self.is_cut = true;
        }
    }

    pub(super) fn refer(&mut self, title: &str, url: &str) {
        let (title, url) = (self.word(title), self.word(url));
        self.name(&title);
        if !url.is_empty() {
            self.add(|entry| &mut entry.references, Reference { title, url });
        }
    }

    /// A base score as written, `9.8`; what is none is left out.
    pub(super) fn score(&mut self, version: &str, score: &str, vector: &str) {
        let version = match version.trim().as_bytes().first() {
            Some(b'2') => 2,
            Some(b'3') => 3,
            Some(b'4') => 4,
            _ => return,
        };
        if let Some(tenths) = tenths(score) {
            let vector = self.word(vector);
            self.add(|entry| &mut entry.scores, Score { version, tenths, vector });
        }
    }

    /// The highest score of a version of CVSS, in tenths.
    pub fn tenths(&self, version: u8) -> Option<u16> {
        self.scores.iter().filter(|score| score.version == version).map(|score| score.tenths).max()
    }

    /// What is worth reading whole: title, text, and what its markup names and the text does not.
    pub fn whole(&self) -> String {
        let mut whole = format!("{}\n\n{}", self.title, self.text);
        let unsaid: BTreeSet<&String> =
            self.vulnerabilities.iter().filter(|id| !whole.contains(id.as_str())).collect();
        for id in unsaid {
            whole.push('\n');
            whole.push_str(id);
        }
        whole
    }

    pub(super) fn product(
        &mut self,
        mut product: Product,
        cpe: &str,
    ) -> Result<(), product::ProductError> {
        if !cpe.trim().is_empty() {
            let read = product::read(cpe)?;
            if product.vendor.is_empty() {
                product.vendor = read.vendor;
            }
            if product.name.is_empty() {
                product.name = read.name;
            }
            product.cpe = read.cpe;
            for version in read.versions {
                if !product.versions.contains(&version) {
                    product.versions.push(version);
                }
            }
        }
        // The same product with another version is the same product.
        let same = self.products.iter_mut().find(|known| {
            known.name == product.name && known.vendor == product.vendor && known.cpe == product.cpe
        });
        match same {
            Some(known) => {
                let new = product.versions.into_iter().filter(|v| !known.versions.contains(v));
                let new: Vec<String> = new.collect();
                known.versions.extend(new);
                known.versions.truncate(LISTED_MAX);
            }
            None => self.add(|entry| &mut entry.products, product),
        }
        Ok(())
    }
}

/// Markup as plain text; a text without any stays as it is.
pub(super) fn plain(text: &str) -> String {
    let looks_like_html = text.contains('<') || text.contains('&');
    let (text, _) = clip(text, TEXT_BYTES_MAX * 2);
    let plain = if looks_like_html { html_to_text(text) } else { text.to_owned() };
    let lines: Vec<&str> = plain.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}

/// An id as it is written everywhere else, if it is one of a vulnerability.
pub(super) fn vulnerability(text: &str) -> Option<String> {
    let found = crate::extract::ids(text);
    let id = found.into_iter().next()?;
    (id.len() == text.trim().len()).then_some(id)
}

fn tenths(score: &str) -> Option<u16> {
    let (whole, part) = score.trim().split_once('.').unwrap_or((score.trim(), "0"));
    let digit = part.bytes().next().filter(u8::is_ascii_digit)?;
    let rest = part.bytes().skip(1).all(|byte| byte == b'0');
    let whole: u16 = whole.parse().ok()?;
    let tenths = whole.checked_mul(10)?.checked_add(u16::from(digit - b'0'))?;
    (rest && tenths <= 100).then_some(tenths)
}

/// RFC 3339, its day alone, or RFC 2822, all as feeds write them.
pub(super) fn time(text: &str) -> Option<Micros> {
    let text = text.trim();
    if text.len() > 100 {
        return None;
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_microsecond());
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let start = format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().ok()?;
        return Some(start.as_microsecond());
    }
    let mail = match text.strip_suffix("JST") {
        Some(rest) => format!("{rest}+0900"),
        None => text.to_owned(),
    };
    let zoned = jiff::fmt::rfc2822::parse(&mail).ok()?;
    Some(zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_feeds_write_them() {
        let want = time("2023-06-20T00:00:00Z");
        assert!(want.is_some());
        for text in [
            "2023-06-20",
            "2023-06-20T09:00:00+09:00",
            "2023-06-20T09:00+09:00",
            "Tue, 20 Jun 2023 09:00:00 +0900",
            "Tue, 20 Jun 2023 09:00:00 JST",
            "Tue, 20 Jun 2023 00:00:00 GMT",
            "20 Jun 2023 00:00 UT",
        ] {
            assert_eq!(time(text), want, "{text}");
        }
        assert_eq!(time("yesterday"), None);
        assert_eq!(time(""), None);
    }

    #[test]
    fn scores_are_tenths_or_nothing() {
        assert_eq!(tenths("9.8"), Some(98));
        assert_eq!(tenths("10"), Some(100));
        assert_eq!(tenths("10.0"), Some(100));
        assert_eq!(tenths(" 7.50 "), Some(75));
        for wrong in ["", "high", "10.1", "-1.0", "9.", "9.85", "1e1"] {
            assert_eq!(tenths(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn markup_becomes_lines_of_text() {
        assert_eq!(plain("a &amp; b"), "a & b");
        let text = plain("<p>C2: <b>192[.]0[.]2[.]1</b></p><script>x()</script><p>next</p>");
        assert!(text.contains("192[.]0[.]2[.]1") && text.contains("next"), "{text}");
        assert!(!text.contains('<'), "{text}");
    }

    #[test]
    fn an_id_is_one_only_if_it_is_all_there_is() {
        assert_eq!(vulnerability("cve-2024-3400").as_deref(), Some("CVE-2024-3400"));
        assert_eq!(vulnerability("JVNVU#99709964").as_deref(), Some("JVNVU#99709964"));
        assert_eq!(vulnerability("JVNDB-2025-002953").as_deref(), Some("JVNDB-2025-002953"));
        assert_eq!(vulnerability("see CVE-2024-3400"), None);
        assert_eq!(vulnerability("ICSA-25-091-01"), None);
    }
}
