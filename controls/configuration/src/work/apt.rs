//! Package sources of apt: one-line lists and deb822 `.sources` files, keyed by type, address and
//! suite. User parts of addresses are cut; a key written into the file is kept as its SHA-256.

use super::parse::{Parsed, cut_secrets, lines, paragraphs};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

struct Source<'a> {
    kind: &'a str,
    uri: &'a str,
    suite: &'a str,
    components: BTreeSet<&'a str>,
    options: Map<String, Value>,
    enabled: bool,
}

impl Source<'_> {
    fn fact(&self, file: &str) -> (String, Value) {
        let key = format!("{} {} {}", self.kind, cut_secrets(self.uri), self.suite);
        let fact = json!({
            "components": self.components, "options": self.options,
            "enabled": self.enabled, "file": file,
        });
        (key, fact)
    }
}

pub(super) fn one_line(text: &str, file: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match one_source(line) {
            Some(source) => parsed.facts.push(source.fact(file)),
            None => parsed.problem(number, "not a package source"),
        }
    }
    parsed
}

fn one_source(line: &str) -> Option<Source<'_>> {
    let (kind, mut rest) = line.split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let mut options = Map::new();
    rest = rest.trim_start();
    if let Some(opened) = rest.strip_prefix('[') {
        let (inside, after) = opened.split_once(']')?;
        for option in inside.split_whitespace() {
            let (name, value) = option.split_once('=')?;
            options.insert(name.to_ascii_lowercase(), json!(value));
        }
        rest = after;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Source { kind, uri, suite, components: words.collect(), options, enabled: true })
}

const OPTIONS: [&str; 8] = [
    "signed-by",
    "trusted",
    "architectures",
    "languages",
    "allow-insecure",
    "allow-weak",
    "allow-downgrade-to-insecure",
    "check-valid-until",
];

pub(super) fn deb822(text: &str, file: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut wanted = vec!["types", "uris", "suites", "components", "enabled"];
    wanted.extend(OPTIONS);
    for paragraph in paragraphs(text, &wanted, &mut parsed.problems) {
        let field = |name: &str| paragraph.fields.get(name).map_or("", String::as_str);
        let options: Map<String, Value> = OPTIONS
            .iter()
            .filter(|name| !field(name).is_empty())
            .map(|name| ((*name).to_owned(), option(field(name))))
            .collect();
        let enabled = !matches!(field("enabled").to_ascii_lowercase().as_str(), "no" | "false");
        let before = parsed.facts.len();
        for kind in field("types").split_whitespace() {
            for uri in field("uris").split_whitespace() {
                for suite in field("suites").split_whitespace() {
                    let components = field("components").split_whitespace().collect();
                    let options = options.clone();
                    let source = Source { kind, uri, suite, components, options, enabled };
                    parsed.facts.push(source.fact(file));
                    // Three lists multiply; a hostile file must not fill the memory.
                    if parsed.facts.len() >= SOURCES_MAX {
                        parsed.problem(paragraph.line, "too many package sources");
                        return parsed;
                    }
                }
            }
        }
        if parsed.facts.len() == before {
            parsed.problem(paragraph.line, "source without types, addresses or suites");
        }
    }
    parsed
}

const SOURCES_MAX: usize = 2_000;

fn option(value: &str) -> Value {
    if value.contains("BEGIN PGP") {
        return json!(format!("sha256:{}", hex(&Sha256::digest(value.as_bytes()))));
    }
    json!(value)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_sources_keep_their_options() {
        let text = "deb [trusted=yes] https://u:p@h/d trixie main contrib # x\n# deb a b\nbad\n";
        let parsed = one_line(text, "/f");
        let (key, fact) = &parsed.facts[0];
        assert_eq!(key, "deb https://[cut]@h/d trixie");
        assert_eq!(fact["options"]["trusted"], "yes");
        assert_eq!(fact["components"], json!(["contrib", "main"]));
        assert_eq!(parsed.problems[0].line, 3);
    }

    #[test]
    fn deb822_sources_multiply() {
        let text = "Types: deb deb-src\nURIs: http://h/d\nSuites: a\n b\nComponents: main\n\
            Enabled: no\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n\nTypes: deb\n";
        let parsed = deb822(text, "/f");
        assert_eq!(parsed.facts.len(), 4);
        assert_eq!(parsed.facts[0].1["enabled"], false);
        let key = parsed.facts[0].1["options"]["signed-by"].as_str().unwrap();
        assert!(key.starts_with("sha256:"));
        assert_eq!(parsed.problems.len(), 1);
    }

    #[test]
    fn a_source_that_multiplies_without_end_is_stopped() {
        let many = "x ".repeat(500);
        let text = format!("Types: {many}\nURIs: {many}\nSuites: {many}\n");
        let parsed = deb822(&text, "/f");
        assert_eq!(parsed.facts.len(), SOURCES_MAX);
        assert_eq!(parsed.problems.len(), 1);
    }
}
