//! Scores: one of a version for each product, complete, computed from their vectors.

use std::collections::HashSet;

use serde_json::Value;

use super::Findings;
use crate::{
    advisory::{text, texts},
    csaf::{
        cvss::{severity, vector},
        list,
    },
};

pub(super) fn check(document: &Value, out: &mut Findings) {
    list(document, "vulnerabilities", |at, one| {
        let mut seen = HashSet::new();
        for (name, inner) in [("scores", ""), ("metrics", "/content")] {
            list(one, name, |i, entry| {
                let content = entry.pointer(inner).unwrap_or(&Value::Null);
                for kind in ["cvss_v2", "cvss_v3"] {
                    let Some(score) = content.get(kind) else { continue };
                    let place = format!("/vulnerabilities/{at}/{name}/{i}{inner}/{kind}");
                    let version = text(score, "version").unwrap_or_default();
                    for product in texts(entry, "products") {
                        if !seen.insert((product.clone(), version.clone())) {
                            let what = format!("{product:?} has a score of CVSS {version} already");
                            out.say("6.1.7", &place, what);
                        }
                    }
                    one_score(score, kind, &version, &place, out);
                }
            });
        }
    });
}

fn one_score(score: &Value, kind: &str, version: &str, place: &str, out: &mut Findings) {
    let base = score.get("baseScore").and_then(Value::as_f64);
    let text_of_vector = text(score, "vectorString");
    let versions: &[&str] = if kind == "cvss_v2" { &["2.0"] } else { &["3.0", "3.1"] };
    let missing = base.is_none()
        || text_of_vector.is_none()
        || !versions.contains(&version)
        || (kind == "cvss_v3" && text(score, "baseSeverity").is_none());
    if missing {
        out.say("6.1.8", place, "a score needs version, vectorString, baseScore and its severity");
        return;
    }
    let (Some(base), Some(written)) = (base, text_of_vector) else { return };
    let Some(vector) = vector(&written).filter(|v| v.version == version) else {
        out.say(
            "6.1.8",
            format!("{place}/vectorString"),
            format!("it is no vector of CVSS {version}"),
        );
        return;
    };
    match vector.base() {
        None => {
            out.say("6.1.8", format!("{place}/vectorString"), "a base metric is missing or unknown")
        }
        Some(own) if (own - base).abs() > 0.001 => {
            out.say("6.1.9", format!("{place}/baseScore"), format!("the vector gives {own}"));
        }
        Some(own) => {
            let said = text(score, "baseSeverity").filter(|_| kind == "cvss_v3");
            if said.is_some_and(|s| s != severity(own)) {
                let what = format!("{own} is {}", severity(own));
                out.say("6.1.9", format!("{place}/baseSeverity"), what);
            }
        }
    }
    // 6.1.10: what stands beside the vector says the same.
    for (name, metric) in METRICS.iter().filter(|(_, m)| kind == "cvss_v3" || *m != "PR") {
        let Some(said) = text(score, name) else { continue };
        let Some(own) = vector.metrics.get(metric) else { continue };
        if !said.replace("ADJACENT_NETWORK", "ADJACENT").starts_with(*own) {
            out.say("6.1.10", format!("{place}/{name}"), format!("the vector says {metric}:{own}"));
        }
    }
}

const METRICS: [(&str, &str); 11] = [
    ("attackVector", "AV"),
    ("accessVector", "AV"),
    ("attackComplexity", "AC"),
    ("accessComplexity", "AC"),
    ("authentication", "Au"),
    ("privilegesRequired", "PR"),
    ("userInteraction", "UI"),
    ("scope", "S"),
    ("confidentialityImpact", "C"),
    ("integrityImpact", "I"),
    ("availabilityImpact", "A"),
];
