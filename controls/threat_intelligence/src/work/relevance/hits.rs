//! What of an item executives hear at once, each with what it rests on.
//!
//! A hit is written into the row of the item (`hits`) by the job that looks at items again when something they touch
//! has changed, so who asks needs the row alone.

use model::{Text, t};
use serde_json::Value as Json;
use store::Row;

/// Field of an item: its hits, by their words.
pub const FIELD: &str = "hits";

/// Why an item reaches executives at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// One of its indicators was met in our own events, and that was a finding of high severity.
    OwnSighting,
    /// A vulnerability of it is exploited, or EPSS is 0.5 or more, and it concerns what is exposed or important.
    KevExposed,
    /// It names us.
    NamesUs,
    /// It names a supplier.
    Supplier,
    /// A domain of it looks like one of our brands.
    FakeSite,
}

impl Hit {
    pub const ALL: [Hit; 5] =
        [Hit::OwnSighting, Hit::KevExposed, Hit::NamesUs, Hit::Supplier, Hit::FakeSite];

    /// As rows and records name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Hit::OwnSighting => "own_sighting",
            Hit::KevExposed => "kev_exposed",
            Hit::NamesUs => "names_us",
            Hit::Supplier => "supplier",
            Hit::FakeSite => "fake_site",
        }
    }

    pub fn named(word: &str) -> Option<Hit> {
        Hit::ALL.into_iter().find(|hit| hit.as_str() == word)
    }

    pub fn text(self) -> Text {
        match self {
            Hit::OwnSighting => t("自組織で目撃", "Seen in our own events"),
            Hit::KevExposed => t(
                "悪用中のぜい弱性が公開・重要な資産に該当",
                "Exploited vulnerability on an exposed or important asset",
            ),
            Hit::NamesUs => t("当組織を名指し", "Names us"),
            Hit::Supplier => t("取引先の被害", "A supplier is attacked"),
            Hit::FakeSite => t("偽サイト", "Fake site"),
        }
    }
}

/// The hits of an item, the gravest first.
pub fn hits(item: &Row) -> Vec<Hit> {
    let listed = item.attributes.get(FIELD).and_then(Json::as_array).into_iter().flatten();
    let mut all: Vec<Hit> = listed.filter_map(Json::as_str).filter_map(Hit::named).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use model::{Id, Table};
    use serde_json::json;

    use super::*;

    #[test]
    fn hits_come_from_the_row_the_gravest_first() {
        let mut item = Row::new(Table::Asset, Id::nil(), "intel_item", "x");
        assert_eq!(hits(&item), []);
        item.attributes
            .insert(FIELD.to_owned(), json!(["fake_site", "own_sighting", "x", "fake_site"]));
        assert_eq!(hits(&item), [Hit::OwnSighting, Hit::FakeSite]);
    }

    #[test]
    fn every_hit_has_a_word_of_its_own() {
        for hit in Hit::ALL {
            assert_eq!(Hit::named(hit.as_str()), Some(hit));
            assert!(!hit.text().ja.is_empty());
        }
    }
}
