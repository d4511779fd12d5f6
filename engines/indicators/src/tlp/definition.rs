//! Marking definitions of STIX that are TLP.

use serde_json::{Value, json};

use super::Level;

/// The extension through which STIX 2.1 carries TLP 2.0.
pub const TLP_2_0_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    One,
    Two,
}

/// Edition, level, id.
const IDS: [(Edition, Level, &str); 9] = [
    (Edition::One, Level::Clear, "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"),
    (Edition::One, Level::Green, "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"),
    (Edition::One, Level::Amber, "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"),
    (Edition::One, Level::Red, "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"),
    (Edition::Two, Level::Clear, "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    (Edition::Two, Level::Green, "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    (Edition::Two, Level::Amber, "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    (Edition::Two, Level::AmberStrict, "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    (Edition::Two, Level::Red, "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
];

/// The mark of an id.
pub fn read_definition(id: &str) -> Option<(Edition, Level)> {
    IDS.iter().find(|(.., known)| *known == id).map(|(edition, level, _)| (*edition, *level))
}

/// The id of a mark. TLP 1 knows no AMBER+STRICT, so there it is RED: stricter, never wider.
pub fn definition_id(edition: Edition, level: Level) -> &'static str {
    let level = match (edition, level) {
        (Edition::One, Level::AmberStrict) => Level::Red,
        (_, level) => level,
    };
    let known = IDS.iter().find(|(e, l, _)| (*e, *l) == (edition, level));
    known.map_or(IDS[8].2, |(.., id)| *id)
}

/// The marking definition as its editors published it.
pub fn definition(edition: Edition, level: Level) -> Value {
    let id = definition_id(edition, level);
    let (_, level) = read_definition(id).unwrap_or((edition, Level::Red));
    let word = match (edition, level) {
        (Edition::One, Level::Clear) => "white".to_owned(),
        _ => level.as_str()["TLP:".len()..].to_ascii_lowercase(),
    };
    let name = format!("TLP:{}", word.to_ascii_uppercase());
    match edition {
        Edition::One => json!({
            "type": "marking-definition", "spec_version": "2.1", "id": id,
            "created": "2017-01-20T00:00:00.000Z", "definition_type": "tlp", "name": name,
            "definition": { "tlp": word },
        }),
        Edition::Two => json!({
            "type": "marking-definition", "spec_version": "2.1", "id": id,
            "created": "2022-10-01T00:00:00.000Z", "name": name,
            "extensions": {
                TLP_2_0_EXTENSION: { "extension_type": "property-extension", "tlp_2_0": word },
            },
        }),
    }
}
