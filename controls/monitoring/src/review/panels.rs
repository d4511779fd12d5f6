//! The cells of the three reviews, as shipped in `content/monitoring`.

use std::sync::LazyLock;

use model::Lang;
use serde::Deserialize;

use super::Purpose;

/// Every cell, in the order of the file.
pub static PANELS: LazyLock<Vec<Panel>> = LazyLock::new(|| {
    let text = include_str!("../../../../content/monitoring/panels.toml");
    // A test reads it, so it is never empty.
    toml::from_str::<File>(text).map(|file| file.panel).unwrap_or_default()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "every file of content says who wrote it")]
    version: String,
    #[expect(dead_code, reason = "every file of content says who wrote it")]
    author: String,
    panel: Vec<Panel>,
}

/// One cell: a row of what is watched, for one purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    pub row: String,
    pub purpose: Purpose,
    pub title_ja: String,
    pub title_en: String,
    pub classes: Vec<String>,
    pub items: Vec<Item>,
}

/// What is looked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub ja: String,
    pub en: String,
    #[serde(default)]
    pub rules: Vec<String>,
    #[serde(default)]
    pub words: Vec<String>,
    #[serde(default)]
    pub records: Vec<String>,
    #[serde(default)]
    pub series: Vec<String>,
    #[serde(default)]
    pub apps: Vec<String>,
}

impl Panel {
    pub fn title(&self, lang: Lang) -> &str {
        if lang == Lang::Ja { &self.title_ja } else { &self.title_en }
    }

    pub fn is_example(&self) -> bool {
        self.row.starts_with("example_")
    }
}

impl Item {
    pub fn text(&self, lang: Lang) -> &str {
        if lang == Lang::Ja { &self.ja } else { &self.en }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [&str; 7] = [
        "camera",
        "hardware",
        "network",
        "system",
        "backup",
        "example_hardware",
        "example_database",
    ];

    #[test]
    fn each_row_has_a_cell_for_each_purpose_and_each_item_something_to_find() {
        for row in ROWS {
            for purpose in Purpose::ALL {
                let is_it = |p: &&Panel| p.row == row && p.purpose == purpose;
                assert_eq!(PANELS.iter().filter(is_it).count(), 1, "{row} {purpose:?}");
            }
        }
        assert_eq!(PANELS.len(), ROWS.len() * Purpose::ALL.len());
        for item in PANELS.iter().flat_map(|panel| &panel.items) {
            let ways = [&item.rules, &item.words, &item.records, &item.series, &item.apps];
            assert!(ways.iter().any(|way| !way.is_empty()), "{}", item.en);
        }
    }

    #[test]
    fn what_a_cell_names_exists() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../content/detections");
        let files: Vec<String> = std::fs::read_dir(folder)
            .expect("detections")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        for item in PANELS.iter().flat_map(|panel| &panel.items) {
            for rule in &item.rules {
                assert!(files.iter().any(|file| file.starts_with(rule)), "no rule {rule}");
            }
            let own = item.records.iter().filter(|ty| ty.starts_with("monitoring."));
            for ty in own {
                assert!(crate::SPEC.records.iter().any(|r| r.ty == ty), "no record type {ty}");
            }
        }
        let classes: Vec<&str> =
            crate::kinds::SOURCE_CLASSES.iter().map(|choice| choice.value).collect();
        for class in PANELS.iter().flat_map(|panel| &panel.classes) {
            assert!(classes.contains(&class.as_str()), "no class {class}");
        }
    }
}
