//! CycloneDX against documents that nobody here wrote.

use sbom::{Limits, cyclonedx};
use serde_json::Value;

use crate::common::{corpus, files};

#[test]
fn the_corpus_is_accepted_or_refused_as_its_names_say_and_json_comes_back_whole() {
    let Some(folder) = corpus("cyclonedx") else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in files(&folder, "json") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a file");
        count += 1;
        match (cyclonedx::from_json(&bytes, &Limits::DEFAULT), name.contains("invalid")) {
            (Ok(_), true) => wrong.push(format!("{name}: accepted")),
            (Err(problems), false) => wrong.push(format!("{name}: {problems:?}")),
            (Err(_), true) => {}
            (Ok(bom), false) => {
                let sbom::bom::Source::CycloneDx(minor) = bom.source else { panic!("{name}") };
                let written = cyclonedx::to_json(&bom, minor).expect("a version that is written");
                let before: Value = serde_json::from_slice(&bytes).expect("JSON");
                let after: Value = serde_json::from_str(&written.text).expect("JSON");
                if before != after || !written.losses.is_empty() {
                    wrong.push(format!("{name}: differs\n{before:#}\n{after:#}"));
                }
            }
        }
    }
    assert!(count > 100, "{count} files only");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
