//! Risk scenarios that Ume ships, to start a risk assessment from (`content/risks`).
//!
//! Invariants: what is loaded is what the files say; a scenario is taken over once, and what became of
//! it afterwards is the organisation's own.

use std::sync::LazyLock;

use model::{Id, Lang, Table};
use serde::Deserialize;
use serde_json::json;
use store::{Row, Store, StoreError, Write};

use crate::{norms, shipped};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../content/risks/", $name, ".toml")))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "5.7-threat-intelligence",
    "5.23-cloud-services",
    "5.30-ict-readiness",
    "7.4-physical-monitoring",
    "8.9-configuration",
    "8.10-information-deletion",
    "8.11-data-masking",
    "8.12-leakage-prevention",
    "8.16-monitoring",
    "8.23-web-filtering",
    "8.28-secure-coding",
];

/// One file of scenarios: those of one new control.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub version: String,
    pub author: String,
    pub control: String,
    pub room: String,
    pub risk: Vec<Scenario>,
}

/// One scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub id: String,
    pub title_ja: String,
    pub title_en: String,
    pub threat_ja: String,
    pub threat_en: String,
    pub risk_source_ja: String,
    pub risk_source_en: String,
    pub consequence_ja: String,
    pub consequence_en: String,
    pub assets: Vec<String>,
    pub aspects: Vec<String>,
    /// Norm ids (`a.5.7`), the control of the file first.
    pub controls: Vec<String>,
    pub likelihood: i64,
    pub impact: i64,
    pub reason_ja: String,
    pub reason_en: String,
}

static ALL: LazyLock<Vec<Scenario>> = LazyLock::new(|| files().flat_map(|f| f.risk).collect());

fn files() -> impl Iterator<Item = File> {
    FILES.iter().filter_map(|(name, text)| shipped::read::<File>(name, text))
}

/// Every scenario, in the order of the controls.
pub fn all() -> &'static [Scenario] {
    &ALL
}

impl Scenario {
    /// Numbers of the controls that treat it.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.controls.iter().map(|id| id.strip_prefix("a.").unwrap_or(id))
    }

    /// One of a pair of texts.
    fn pick<'a>(lang: Lang, ja: &'a str, en: &'a str) -> &'a str {
        if lang == Lang::Ja { ja } else { en }
    }

    /// The risk it becomes, rated as suggested and to be modified by its controls.
    fn risk(&self, id: Id, lang: Lang) -> Row {
        let pick = |ja, en| Scenario::pick(lang, ja, en);
        let mut row = Row::new(Table::Risk, id, "risk", pick(&self.title_ja, &self.title_en));
        let controls: Vec<&str> = self.numbers().collect();
        let list = controls.join(pick("、", ", "));
        row.attributes = json!({
            "scenario": pick(&self.consequence_ja, &self.consequence_en),
            "threat": pick(&self.threat_ja, &self.threat_en),
            "risk_source": pick(&self.risk_source_ja, &self.risk_source_en),
            "inherent_likelihood": self.likelihood,
            "inherent_consequence": self.impact,
            "treatment": "modify",
            "measures": match lang {
                Lang::Ja => format!("管理策 {list} により低減する"),
                Lang::En => format!("modified by controls {list}"),
            },
            "shipped": self.id,
        })
        .as_object()
        .cloned()
        .unwrap_or_default();
        row
    }
}

/// Takes scenarios over as risks, each linked to the controls that treat it; those taken before are
/// left alone. Returns how many were new.
pub async fn take_over(
    store: &Store,
    write: &mut Write<'_>,
    ids: &[String],
    lang: Lang,
) -> Result<usize, StoreError> {
    let risks = store.all(Table::Risk, &["risk"]).await?;
    let known: Vec<&str> = risks.iter().filter_map(|r| super::text_of(r, "shipped")).collect();
    let norms = store.all(Table::Norm, &["annex_a"]).await?;
    let norm = |number: &str| {
        norms.iter().find(|n| super::text_of(n, "number") == Some(number)).map(|n| n.id)
    };
    let mut taken = 0;
    let chosen = all().iter().filter(|s| ids.contains(&s.id) && !known.contains(&s.id.as_str()));
    for scenario in chosen {
        let risk = write.put(scenario.risk(store.new_id()?, lang)).await?;
        for number in scenario.numbers() {
            if let Some(from) = norm(number) {
                write.put(treats(store.new_id()?, from, number, &risk)).await?;
            }
        }
        taken += 1;
    }
    Ok(taken)
}

/// The link by which a control treats a risk.
pub fn treats(link: Id, from: Id, control: &str, risk: &Row) -> Row {
    let mut row = Row::new(Table::Link, link, "treats", &format!("{control} → {}", risk.name));
    row.subject = Some(from);
    row.object = Some(risk.id);
    row
}

/// Title of a control as scenarios name it.
pub fn control_title(number: &str, lang: Lang) -> &'static str {
    let norm = norms::annex_a().iter().find(|n| n.number == number);
    norm.map_or("", |n| Scenario::pick(lang, &n.title_ja, &n.title_en))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::hall::method::Estimate;

    #[test]
    fn each_new_control_has_at_least_five_sound_scenarios_of_our_own() {
        let files: Vec<File> = files().collect();
        assert_eq!(files.len(), FILES.len());
        let mut ids = BTreeSet::new();
        for file in &files {
            assert_eq!(file.author, "ume", "{}", file.control);
            assert!(file.risk.len() >= 5, "{}", file.control);
            for scenario in &file.risk {
                assert_eq!(scenario.controls[0], file.control, "{}", scenario.id);
                assert!(ids.insert(&scenario.id), "{} stands twice", scenario.id);
                let rated = Estimate::of(Some(scenario.likelihood), Some(scenario.impact));
                assert!(rated.is_some(), "{}", scenario.id);
                for number in scenario.numbers() {
                    assert_ne!(control_title(number, Lang::Ja), "", "{}: {number}", scenario.id);
                }
            }
        }
    }

    #[test]
    fn a_scenario_is_a_sound_risk_in_both_languages() {
        let kind = crate::SPEC.others.iter().find(|k| k.id == "risk").expect("declared");
        for scenario in all() {
            for lang in [Lang::Ja, Lang::En] {
                let row = scenario.risk(Id::from_parts(model::Timestamp(0), &[1; 10]), lang);
                assert_eq!(kind.validate(&row.attributes), [], "{}", scenario.id);
            }
        }
    }
}
