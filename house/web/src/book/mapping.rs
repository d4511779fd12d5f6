//! Where the columns of a table go: what a guess proposes, a form changes and the store keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Target, typed::Meanings};

/// A column of our own exports that names the row, and the version it was exported at.
pub(crate) const ID: &str = "@id";
pub(crate) const VERSION: &str = "@version";

const FIXED_CHARS_MAX: usize = 200;

/// Where a table goes. Columns stand in the order of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Key of the target; empty: the table is left out.
    pub to: String,
    /// Field of each column; empty: the column is left out.
    pub columns: Vec<String>,
    /// Column that names the row; it may fill a field as well.
    pub name: Option<usize>,
    /// What required fields without a column hold in new rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<String, String>,
    /// Field, then folded word of the sheet, to the choice that it means.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meanings: Meanings,
}

impl Mapping {
    /// A mapping that leaves the table out.
    pub fn skip(columns: usize) -> Mapping {
        Mapping { to: String::new(), columns: vec![String::new(); columns], ..Mapping::default() }
    }

    /// Column of a field, `@id` and `@version` among them.
    pub fn column_of(&self, field: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == field)
    }

    /// Whether it fits a table of so many columns and a target: no field twice, none unknown.
    pub(crate) fn fits(&self, target: Option<&Target>, columns: usize) -> bool {
        let Some(target) = target else { return self.to.is_empty() };
        let used: Vec<&str> =
            self.columns.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let known = |name: &&str| [ID, VERSION].contains(name) || target.field(name).is_some();
        let once = |name: &&str| used.iter().filter(|other| *other == name).count() == 1;
        self.to == target.key()
            && self.columns.len() == columns
            && used.iter().all(|name| known(name) && once(name))
            && self.name.is_none_or(|at| at < columns)
            && self.meanings.keys().all(|name| target.field(name).is_some())
            && self.fixed.iter().all(|(name, text)| {
                target.field(name).is_some() && text.chars().count() <= FIXED_CHARS_MAX
            })
    }
}

/// Hash of a list of words, each with its length before it.
pub(crate) fn signature<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"ume/import/v1\n");
    for word in words {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    hex::encode(hash.finalize())
}
