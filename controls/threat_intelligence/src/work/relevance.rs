//! Whether a notice concerns us, and why: words of the register that stand in it, and domains that look like ours.
//!
//! Invariants: every reason names the word and the row that it comes from; a word of one letter is none; Latin words
//! are met whole.

pub mod hits;

pub use hits::{Hit, hits};

use model::{Id, Table};
use netname::{Brand, Domain, Names, lookalike};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

/// Words that are looked for.
const WORDS_MAX: usize = 5_000;
const REASONS_MAX: usize = 50;

/// How a notice touches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// It names us or a brand of ours.
    Brand,
    /// A domain in it looks like ours.
    Lookalike,
    Supplier,
    /// Something that we show to the Internet.
    Exposed,
    /// A product or system that we run.
    Asset,
    Sector,
    Region,
    Coveted,
}

impl Touch {
    /// As records name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Touch::Brand => "brand",
            Touch::Lookalike => "lookalike",
            Touch::Supplier => "supplier",
            Touch::Exposed => "exposed",
            Touch::Asset => "asset",
            Touch::Sector => "sector",
            Touch::Region => "region",
            Touch::Coveted => "coveted",
        }
    }
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub touch: Touch,
    /// What stands in the notice.
    pub word: String,
    /// The row that it comes from.
    pub row: Id,
    /// What it is like, if it is only like it.
    pub like: String,
}

struct Word {
    touch: Touch,
    text: String,
    row: Id,
}

/// What the register says of us.
pub struct Known {
    words: Vec<Word>,
    brands: Vec<(Id, Brand)>,
}

impl Known {
    pub async fn load(store: &Store) -> Result<Known, StoreError> {
        let kinds =
            ["org_profile", "brand", "software", "network_device", "cloud_service", "system"];
        let assets = store.all(Table::Asset, &kinds).await?;
        let suppliers = store.all(Table::Party, &["supplier"]).await?;
        let rows = assets.iter().chain(&suppliers).filter(|row| row.status == "active");
        Ok(Known::of(rows))
    }

    fn of<'r>(rows: impl Iterator<Item = &'r Row>) -> Known {
        let mut known = Known { words: Vec::new(), brands: Vec::new() };
        for row in rows {
            known.add(row);
        }
        known.words.truncate(WORDS_MAX);
        known
    }

    fn add(&mut self, row: &Row) {
        let listed = |name: &str| -> Vec<String> {
            let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
            all.filter_map(Json::as_str).map(str::to_owned).collect()
        };
        let text = |name: &str| {
            let text = row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
            // 製造業（精密工作機械） is two words.
            text.split(['（', '(', '）', ')', '、', ',', '・'])
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let own = vec![row.name.clone()];
        let parts: Vec<(Touch, Vec<String>)> = match row.kind.as_str() {
            "org_profile" => vec![
                (Touch::Brand, own),
                (Touch::Sector, text("sector")),
                (Touch::Region, listed("regions")),
                (Touch::Exposed, listed("exposed_services")),
                (Touch::Supplier, listed("key_suppliers")),
                (Touch::Coveted, listed("crown_jewels")),
            ],
            "brand" => vec![(Touch::Brand, own), (Touch::Brand, listed("words"))],
            "supplier" => vec![(Touch::Supplier, own)],
            _ => vec![(Touch::Asset, own)],
        };
        for (touch, words) in parts {
            for word in words {
                let text = word.trim().to_lowercase();
                if text.chars().count() > 1 {
                    self.words.push(Word { touch, text, row: row.id });
                }
            }
        }
        if row.kind == "brand" {
            let domains: Vec<Domain> =
                listed("domains").iter().filter_map(|name| Domain::parse(name).ok()).collect();
            let brands =
                listed("words").into_iter().filter_map(|w| Brand::new(&w, domains.clone()).ok());
            self.brands.extend(brands.map(|brand| (row.id, brand)));
        }
    }

    /// Why a text with these domains concerns us, what matters most first.
    pub fn reasons<'d>(&self, text: &str, domains: impl Iterator<Item = &'d str>) -> Vec<Reason> {
        let lower = text.to_lowercase();
        let mut all: Vec<Reason> = Vec::new();
        for word in &self.words {
            let is_told = all.iter().any(|one| one.touch == word.touch && one.word == word.text);
            if all.len() < REASONS_MAX && !is_told && stands_in(&lower, &word.text) {
                all.push(Reason {
                    touch: word.touch,
                    word: word.text.clone(),
                    row: word.row,
                    like: String::new(),
                });
            }
        }
        let names = Names::shipped();
        for name in domains.filter_map(|name| Domain::parse(name).ok()).take(WORDS_MAX) {
            for (row, brand) in &self.brands {
                if all.len() < REASONS_MAX && lookalike::lookalike(&name, brand, &names).is_some() {
                    all.push(Reason {
                        touch: Touch::Lookalike,
                        word: name.as_str().to_owned(),
                        row: *row,
                        like: brand.word().to_owned(),
                    });
                }
            }
        }
        all.sort_by_key(|reason| reason.touch);
        all.dedup();
        all
    }
}

pub(crate) fn stands_in(text: &str, word: &str) -> bool {
    let is_letter = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric());
    text.match_indices(word).take(100).any(|(at, _)| {
        let latin = word.is_ascii();
        let joins = is_letter(text[..at].chars().next_back())
            || is_letter(text[at + word.len()..].chars().next());
        !(latin && joins)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, Id::nil(), kind, name);
        row.attributes = attributes.as_object().cloned().unwrap_or_default();
        row
    }

    fn known() -> Known {
        let rows = [
            row(
                Table::Asset,
                "org_profile",
                "青梅精機",
                json!({
                    "sector": "製造業（精密工作機械）", "exposed_services": ["VPN"], "key_suppliers": ["多摩鋳造"],
                }),
            ),
            row(
                Table::Asset,
                "brand",
                "Oumeseiki",
                json!({
                    "words": ["oumeseiki"], "domains": ["oumeseiki.example"],
                }),
            ),
        ];
        Known::of(rows.iter())
    }

    fn touches(text: &str, domains: &[&str]) -> Vec<Touch> {
        known().reasons(text, domains.iter().copied()).iter().map(|reason| reason.touch).collect()
    }

    #[test]
    fn words_of_the_register_are_reasons() {
        assert_eq!(
            touches("製造業の取引先を狙うVPN装置への攻撃", &[]),
            [Touch::Exposed, Touch::Sector]
        );
        assert_eq!(touches("多摩鋳造で被害", &[]), [Touch::Supplier]);
        assert_eq!(touches("nothing of ours; VPNX is another word", &[]), []);
    }

    #[test]
    fn a_domain_like_ours_is_a_reason_and_ours_is_none() {
        assert_eq!(touches("", &["oumeseiki-login.test"]), [Touch::Lookalike]);
        assert_eq!(touches("", &["www.oumeseiki.example", "other.test"]), []);
    }
}
