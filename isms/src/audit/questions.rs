//! The questions that Ume ships.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Question;
use crate::shipped;

const FILES: [(&str, &str); 3] = [
    ("new-controls.toml", include_str!("../../../content/audit/new-controls.toml")),
    ("annex-a.toml", include_str!("../../../content/audit/annex-a.toml")),
    ("clauses.toml", include_str!("../../../content/audit/clauses.toml")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub version: String,
    pub author: String,
    pub part: String,
    pub question: Vec<Shipped>,
}

/// A question as shipped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shipped {
    pub id: String,
    pub norm: String,
    pub question_ja: String,
    pub question_en: String,
    pub evidence_ja: String,
    pub evidence_en: String,
    pub records: Vec<String>,
    pub registers: Vec<String>,
    pub nonconformity_ja: String,
    pub nonconformity_en: String,
}

impl Shipped {
    /// Number of the control, or `c.` and number of the clause.
    pub fn number(&self) -> &str {
        self.norm.strip_prefix("a.").unwrap_or(&self.norm)
    }

    pub(super) fn question(&self) -> Question {
        Question {
            id: self.id.clone(),
            ja: self.question_ja.clone(),
            en: self.question_en.clone(),
            evidence_ja: self.evidence_ja.clone(),
            evidence_en: self.evidence_en.clone(),
        }
    }
}

/// All of them, in the order of the files.
pub fn all() -> &'static [Shipped] {
    static ALL: LazyLock<Vec<Shipped>> = LazyLock::new(|| {
        let files = FILES.iter().filter_map(|(name, text)| shipped::read::<File>(name, text));
        files.flat_map(|file| file.question).collect()
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_control_has_a_question_and_the_new_ones_four() {
        let ids: BTreeSet<&str> = all().iter().map(|q| q.id.as_str()).collect();
        assert_eq!(ids.len(), all().len());
        for norm in crate::norms::annex_a() {
            let count = all().iter().filter(|q| q.number() == norm.number).count();
            assert!(count >= if norm.new_in_2022 { 4 } else { 1 }, "{}", norm.number);
        }
        assert!(all().iter().filter(|q| q.number().starts_with("c.")).count() >= 20);
    }
}
