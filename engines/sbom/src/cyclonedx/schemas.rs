//! The official JSON schemas, compiled when first needed.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use serde_json::Value;

use crate::schema::Schema;
use crate::xml;

/// Minor versions that are read.
pub(super) const READ: RangeInclusive<u8> = 2..=7;
/// Minor versions that are written.
pub(super) const WRITTEN: RangeInclusive<u8> = 4..=7;

const TEXTS: [&str; 6] = [
    include_str!("../../schemas/bom-1.2.schema.json"),
    include_str!("../../schemas/bom-1.3.schema.json"),
    include_str!("../../schemas/bom-1.4.schema.json"),
    include_str!("../../schemas/bom-1.5.schema.json"),
    include_str!("../../schemas/bom-1.6.schema.json"),
    include_str!("../../schemas/bom-1.7.schema.json"),
];

const XML: [&str; 6] = [
    include_str!("../../schemas/bom-1.2.xsd"),
    include_str!("../../schemas/bom-1.3.xsd"),
    include_str!("../../schemas/bom-1.4.xsd"),
    include_str!("../../schemas/bom-1.5.xsd"),
    include_str!("../../schemas/bom-1.6.xsd"),
    include_str!("../../schemas/bom-1.7.xsd"),
];

const SHARED: [(&str, &str); 3] = [
    ("spdx.schema.json", include_str!("../../schemas/spdx.schema.json")),
    ("jsf-0.82.schema.json", include_str!("../../schemas/jsf-0.82.schema.json")),
    ("cryptography-defs.schema.json", include_str!("../../schemas/cryptography-defs.schema.json")),
];

/// The schema of a version that is read.
pub(super) fn json(minor: u8) -> &'static Schema {
    static MADE: [OnceLock<Schema>; 6] = [const { OnceLock::new() }; 6];
    let index = usize::from(minor.clamp(*READ.start(), *READ.end()) - READ.start());
    MADE[index].get_or_init(|| compile(TEXTS[index]))
}

/// The XML schema of a version that is read.
pub(super) fn xml(minor: u8) -> &'static xml::schema::Schema {
    static MADE: [OnceLock<xml::schema::Schema>; 6] = [const { OnceLock::new() }; 6];
    let index = usize::from(minor.clamp(*READ.start(), *READ.end()) - READ.start());
    MADE[index].get_or_init(|| {
        xml::schema::Schema::compile(XML[index]).expect("a schema of ours compiles")
    })
}

fn compile(text: &str) -> Schema {
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("a schema of ours is JSON");
    let shared = SHARED.iter().map(|(name, text)| (*name, parse(text)));
    let documents: Vec<(&str, Value)> = shared.chain([("bom", parse(text))]).collect();
    Schema::compile("bom", &documents).expect("a schema of ours compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles_with_every_keyword_known() {
        for minor in READ {
            assert!(json(minor).root().member("components").is_some());
            assert!(xml(minor).space.ends_with(&format!("1.{minor}")));
        }
    }
}
