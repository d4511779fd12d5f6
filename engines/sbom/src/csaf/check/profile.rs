//! Profiles: what a category of documents must have (6.1.26, 6.1.27).

use std::collections::HashSet;

use serde_json::Value;

use super::{Findings, of, products::groups};
use crate::{
    advisory::{text, texts},
    csaf::{list, product_ids},
};

const PROFILES: [&str; 5] = [
    "csaf_base",
    "csaf_security_incident_response",
    "csaf_informational_advisory",
    "csaf_security_advisory",
    "csaf_vex",
];

pub(super) fn check(document: &Value, out: &mut Findings) {
    let category = of(document, "/document/category").unwrap_or_default();
    prohibited(category, out);
    let is = |names: &[&str]| names.contains(&category);
    let informational = is(&["csaf_informational_advisory"]);
    if is(&["csaf_informational_advisory", "csaf_security_incident_response"]) {
        let mut found = false;
        list(&document["document"], "notes", |_, note| {
            let kind = text(note, "category").unwrap_or_default();
            found |= matches!(kind.as_str(), "description" | "details" | "general" | "summary");
        });
        if !found {
            let what = "a note of description, details, general or summary belongs here";
            out.say("6.1.27.1", "/document/notes", what);
        }
        let mut external = false;
        list(&document["document"], "references", |_, reference| {
            external |= text(reference, "category").as_deref() == Some("external");
        });
        if !external {
            out.say("6.1.27.2", "/document/references", "an external reference belongs here");
        }
    }
    if informational && document.get("vulnerabilities").is_some() {
        out.say("6.1.27.3", "/vulnerabilities", "an informational advisory has no vulnerabilities");
    }
    if is(&["csaf_security_advisory", "csaf_vex"]) {
        if document.get("product_tree").is_none() {
            out.say("6.1.27.4", "/product_tree", "products belong here");
        }
        if document.get("vulnerabilities").is_none() {
            out.say("6.1.27.11", "/vulnerabilities", "vulnerabilities belong here");
        }
        list(document, "vulnerabilities", |at, one| {
            let place = format!("/vulnerabilities/{at}");
            if one.get("notes").is_none() {
                out.say("6.1.27.5", format!("{place}/notes"), "notes belong here");
            }
            if category == "csaf_security_advisory" && one.get("product_status").is_none() {
                out.say("6.1.27.6", format!("{place}/product_status"), "states belong here");
            }
            if category == "csaf_vex" {
                vex(document, one, &place, out);
            }
        });
    }
}

/// 6.1.27.7 to 6.1.27.10
fn vex(document: &Value, one: &Value, place: &str, out: &mut Findings) {
    const ANY: [&str; 4] = ["fixed", "known_affected", "known_not_affected", "under_investigation"];
    if !ANY.iter().any(|s| one.pointer(&format!("/product_status/{s}")).is_some()) {
        let what =
            "one of fixed, known_affected, known_not_affected, under_investigation belongs here";
        out.say("6.1.27.7", format!("{place}/product_status"), what);
    }
    if one.get("cve").is_none() && one.get("ids").is_none() {
        out.say("6.1.27.8", place, "a vulnerability needs cve or ids");
    }
    let groups = groups(document);
    let reached = |name: &str, wanted: &dyn Fn(&Value) -> bool| {
        let mut found: HashSet<String> = HashSet::new();
        list(one, name, |_, entry| {
            if wanted(entry) {
                found.extend(texts(entry, "product_ids"));
                let members = texts(entry, "group_ids");
                found.extend(members.iter().filter_map(|g| groups.get(g)).flatten().cloned());
            }
        });
        found
    };
    let impact = |e: &Value| text(e, "category").as_deref() == Some("impact");
    let mut explained = reached("flags", &|_| true);
    explained.extend(reached("threats", &impact));
    let acted = reached("remediations", &|_| true);
    for (state, done, test, what) in [
        ("known_not_affected", &explained, "6.1.27.9", "has no impact statement (flag or threat)"),
        ("known_affected", &acted, "6.1.27.10", "has no action statement (remediation)"),
    ] {
        for (i, id) in product_ids(one, state).iter().enumerate() {
            if !done.contains(id) {
                let place = format!("{place}/product_status/{state}/{i}");
                out.say(test, place, format!("{id:?} {what}"));
            }
        }
    }
}

/// 6.1.26: names that are a profile's but for case and separators.
fn prohibited(category: &str, out: &mut Findings) {
    if PROFILES.contains(&category) {
        return;
    }
    let plain = |text: &str| -> String {
        text.to_lowercase()
            .chars()
            .filter(|c| !matches!(c, '-' | '_') && !c.is_whitespace())
            .collect()
    };
    let own = plain(category);
    let reserved = category.starts_with("csaf_")
        || PROFILES.iter().skip(1).any(|p| own == plain(p) || own == plain(&p[5..]));
    if reserved {
        out.say(
            "6.1.26",
            "/document/category",
            format!("{category:?} looks like a profile and is none"),
        );
    }
}
