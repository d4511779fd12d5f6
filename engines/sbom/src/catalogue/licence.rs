//! Licences as distributions and languages write them.

use crate::bom::Licence;

/// Short names of Debian's machine-readable copyright files and their identifiers in the SPDX list.
const DEBIAN: [(&str, &str); 24] = [
    ("Artistic", "Artistic-1.0"),
    ("BSD-2-clause", "BSD-2-Clause"),
    ("BSD-3-clause", "BSD-3-Clause"),
    ("BSD-4-clause", "BSD-4-Clause"),
    ("Expat", "MIT"),
    ("GFDL-1.2", "GFDL-1.2-only"),
    ("GFDL-1.2+", "GFDL-1.2-or-later"),
    ("GFDL-1.3", "GFDL-1.3-only"),
    ("GFDL-1.3+", "GFDL-1.3-or-later"),
    ("GPL-1", "GPL-1.0-only"),
    ("GPL-1+", "GPL-1.0-or-later"),
    ("GPL-2", "GPL-2.0-only"),
    ("GPL-2+", "GPL-2.0-or-later"),
    ("GPL-3", "GPL-3.0-only"),
    ("GPL-3+", "GPL-3.0-or-later"),
    ("LGPL-2", "LGPL-2.0-only"),
    ("LGPL-2+", "LGPL-2.0-or-later"),
    ("LGPL-2.1", "LGPL-2.1-only"),
    ("LGPL-2.1+", "LGPL-2.1-or-later"),
    ("LGPL-3", "LGPL-3.0-only"),
    ("LGPL-3+", "LGPL-3.0-or-later"),
    ("Zlib", "Zlib"),
    ("MPL-1.1", "MPL-1.1"),
    ("MPL-2.0", "MPL-2.0"),
];

/// The licences that a copyright file names, each once. Files that are not in the machine-readable
/// form name none: what prose means is not guessed.
pub(super) fn debian(text: &str) -> Vec<Licence> {
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !head.to_ascii_lowercase().starts_with("format:") {
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("License:")) {
        let expression = expression(line.trim());
        if !expression.is_empty() && !names.contains(&expression) {
            names.push(expression);
        }
    }
    names.sort();
    names.iter().map(|name| Licence::declared(name)).collect()
}

/// `GPL-2+ or Artistic, and Expat` as an SPDX expression where every name is known, else as it is.
fn expression(text: &str) -> String {
    let words = text.replace(',', " ");
    let translated: Vec<&str> = words
        .split_whitespace()
        .map(|word| match word {
            "and" => "AND",
            "or" => "OR",
            word => DEBIAN.iter().find(|(name, _)| *name == word).map_or(word, |(_, id)| id),
        })
        .collect();
    let translated = translated.join(" ");
    match spdx::Expression::parse(&translated) {
        Ok(_) => translated,
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_of_debian_become_identifiers_and_prose_is_not_guessed() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
            Files: *\nLicense: GPL-2+ or Artistic\n text\n\nLicense: Expat\n\nLicense: custom thing\n";
        let found = debian(text);
        let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["GPL-2.0-or-later OR Artistic-1.0", "MIT", "custom thing"]);
        assert_eq!(debian("This is free software.\nLicense: MIT"), []);
    }
}
