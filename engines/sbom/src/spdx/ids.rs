//! Identifiers of SPDX out of references of other formats.

use std::collections::{HashMap, HashSet};

/// Gives every reference an identifier of letters, digits, `.` and `-`, and no two the same.
#[derive(Default)]
pub(crate) struct Ids {
    known: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Ids {
    /// The identifier of a reference.
    pub(crate) fn of(&mut self, reference: &str) -> String {
        if let Some(known) = self.known.get(reference) {
            return known.clone();
        }
        let mut base: String = reference
            .strip_prefix("SPDXRef-")
            .unwrap_or(reference)
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' })
            .collect();
        base.truncate(200);
        let base = if base.is_empty() || base == "DOCUMENT" { "element".into() } else { base };
        let mut id = format!("SPDXRef-{base}");
        let mut number = 2;
        while !self.taken.insert(id.clone()) {
            id = format!("SPDXRef-{base}-{number}");
            number += 1;
        }
        self.known.insert(reference.to_owned(), id.clone());
        id
    }
}
