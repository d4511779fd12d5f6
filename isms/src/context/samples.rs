//! Samples of issues, needs and interfaces, as shipped.

use std::sync::LazyLock;

use model::{Id, Lang, Table};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use store::Row;

use crate::shipped;

const FILES: [(&str, &str); 4] = [
    ("external-issues.toml", include_str!("../../../content/context/external-issues.toml")),
    ("internal-issues.toml", include_str!("../../../content/context/internal-issues.toml")),
    ("parties.toml", include_str!("../../../content/context/parties.toml")),
    ("interfaces.toml", include_str!("../../../content/context/interfaces.toml")),
];
/// Version of the kinds that samples become.
const SCHEMA: i64 = 2;

/// One file; which list it holds says what its samples become.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub version: String,
    pub author: String,
    pub side: Option<String>,
    #[serde(default)]
    pub issue: Vec<Issue>,
    #[serde(default)]
    pub party: Vec<Party>,
    #[serde(default)]
    pub interface: Vec<Interface>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    pub id: String,
    pub title_ja: String,
    pub title_en: String,
    pub description_ja: String,
    pub description_en: String,
    pub effect_ja: String,
    pub effect_en: String,
    pub sign_ja: String,
    pub sign_en: String,
    pub climate: bool,
    pub risks: Vec<String>,
    pub controls: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    pub id: String,
    pub party_ja: String,
    pub party_en: String,
    pub need_ja: String,
    pub need_en: String,
    pub source_ja: String,
    pub source_en: String,
    pub met_by_isms: bool,
    pub climate: bool,
    pub risks: Vec<String>,
    pub controls: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    pub id: String,
    pub own_activity_ja: String,
    pub own_activity_en: String,
    pub other_party_ja: String,
    pub other_party_en: String,
    pub other_activity_ja: String,
    pub other_activity_en: String,
    pub dependency_ja: String,
    pub dependency_en: String,
    pub agreement_ja: String,
    pub agreement_en: String,
    pub risks: Vec<String>,
    pub controls: Vec<String>,
}

/// A text in both languages.
#[derive(Clone, Debug)]
pub struct Pair {
    pub ja: String,
    pub en: String,
}

impl Pair {
    fn of(ja: &str, en: &str) -> Pair {
        Pair { ja: ja.to_owned(), en: en.to_owned() }
    }

    /// The text in one language.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ja => &self.ja,
            Lang::En => &self.en,
        }
    }
}

/// What can be taken over.
#[derive(Clone, Debug)]
pub struct Sample {
    pub id: String,
    pub kind: &'static str,
    /// `external`, `internal`, `party`, `interface`: the part of the page it stands in.
    pub part: &'static str,
    pub title: Pair,
    pub text: Pair,
    pub climate: bool,
    /// Numbers of the controls it bears on.
    pub controls: Vec<String>,
    texts: Vec<(&'static str, Pair)>,
    flags: Vec<(&'static str, bool)>,
    side: Option<&'static str>,
}

impl Sample {
    /// The row it becomes.
    pub fn row(&self, id: Id, lang: Lang, day: &str) -> Row {
        let mut row = Row::new(Table::Asset, id, self.kind, self.title.get(lang));
        row.schema_version = SCHEMA;
        let mut attributes: Map<String, Json> = Map::new();
        if let Some(side) = self.side {
            attributes.insert("side".into(), side.into());
        }
        for (name, text) in &self.texts {
            attributes.insert((*name).into(), text.get(lang).into());
        }
        for (name, flag) in &self.flags {
            attributes.insert((*name).into(), (*flag).into());
        }
        attributes.insert("reviewed_on".into(), day.into());
        attributes.insert("shipped".into(), self.id.as_str().into());
        row.attributes = attributes;
        row
    }
}

/// All samples, in the order of the files.
pub fn all() -> &'static [Sample] {
    static ALL: LazyLock<Vec<Sample>> = LazyLock::new(|| {
        let files = FILES.iter().filter_map(|(name, text)| shipped::read::<File>(name, text));
        files.flat_map(samples).collect()
    });
    &ALL
}

fn samples(file: File) -> Vec<Sample> {
    let side = if file.side.as_deref() == Some("internal") { "internal" } else { "external" };
    let issues = file.issue.iter().map(|i| of_issue(i, side));
    issues
        .chain(file.party.iter().map(of_party))
        .chain(file.interface.iter().map(of_interface))
        .collect()
}

fn numbers(controls: &[String]) -> Vec<String> {
    controls.iter().map(|c| c.trim_start_matches("a.").to_owned()).collect()
}

fn of_issue(i: &Issue, side: &'static str) -> Sample {
    let description = Pair::of(&i.description_ja, &i.description_en);
    Sample {
        id: i.id.clone(),
        kind: "context_issue",
        part: side,
        title: Pair::of(&i.title_ja, &i.title_en),
        text: description.clone(),
        climate: i.climate,
        controls: numbers(&i.controls),
        texts: vec![
            ("description", description),
            ("effect", Pair::of(&i.effect_ja, &i.effect_en)),
            ("sign", Pair::of(&i.sign_ja, &i.sign_en)),
        ],
        flags: vec![("climate", i.climate)],
        side: Some(side),
    }
}

fn of_party(p: &Party) -> Sample {
    let party = Pair::of(&p.party_ja, &p.party_en);
    let need = Pair::of(&p.need_ja, &p.need_en);
    Sample {
        id: p.id.clone(),
        kind: "party_need",
        part: "party",
        title: party.clone(),
        text: need.clone(),
        climate: p.climate,
        controls: numbers(&p.controls),
        texts: vec![
            ("party", party),
            ("need", need),
            ("source", Pair::of(&p.source_ja, &p.source_en)),
        ],
        flags: vec![("met_by_isms", p.met_by_isms), ("climate", p.climate)],
        side: None,
    }
}

fn of_interface(i: &Interface) -> Sample {
    let other = Pair::of(&i.other_party_ja, &i.other_party_en);
    let own = Pair::of(&i.own_activity_ja, &i.own_activity_en);
    let dependency = Pair::of(&i.dependency_ja, &i.dependency_en);
    let title =
        Pair { ja: format!("{}：{}", other.ja, own.ja), en: format!("{}: {}", other.en, own.en) };
    Sample {
        id: i.id.clone(),
        kind: "interface",
        part: "interface",
        title,
        text: dependency.clone(),
        climate: false,
        controls: numbers(&i.controls),
        texts: vec![
            ("own_activity", own),
            ("other_party", other),
            ("other_activity", Pair::of(&i.other_activity_ja, &i.other_activity_en)),
            ("dependency", dependency),
            ("agreement", Pair::of(&i.agreement_ja, &i.agreement_en)),
        ],
        flags: Vec::new(),
        side: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::Timestamp;

    use super::*;

    #[test]
    fn every_sample_becomes_a_row_that_its_kind_accepts() {
        let ids: BTreeSet<&str> = all().iter().map(|s| s.id.as_str()).collect();
        assert_eq!(ids.len(), all().len());
        for part in ["external", "internal", "party", "interface"] {
            assert!(all().iter().any(|s| s.part == part), "{part}");
        }
        assert!(all().iter().any(|s| s.climate));
        let id = Id::from_parts(Timestamp(1), &[1; 10]);
        for sample in all() {
            let kind = crate::SPEC.kinds.iter().find(|k| k.id == sample.kind).unwrap();
            assert_eq!(i64::from(kind.version), SCHEMA);
            for lang in [Lang::Ja, Lang::En] {
                let row = sample.row(id, lang, "2026-11-25");
                assert_eq!(kind.validate(&row.attributes), [], "{}", sample.id);
            }
            let annex = crate::norms::annex_a();
            for control in &sample.controls {
                assert!(annex.iter().any(|n| n.number == *control), "{} {control}", sample.id);
            }
        }
    }
}
