//! Statements out: OpenVEX 0.2.0, CycloneDX 1.6, CSAF 2.0 and 2.1. Time and ids are arguments.

use serde_json::{Map, Value, json};

use super::{JUSTIFICATIONS, Product, Statement, Status, cyclonedx};

/// In which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    OpenVex,
    CycloneDx,
    Csaf20,
    Csaf21,
}

/// What stands around the statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// An IRI (OpenVEX), a UUID (CycloneDX), a name (CSAF).
    pub id: String,
    pub author: String,
    /// Where the publisher is to be found: an IRI.
    pub namespace: String,
    /// RFC 3339.
    pub at: String,
    pub edition: u64,
    pub title: String,
}

/// Writes statements. A status that the format has a word of its own for keeps that word.
pub fn write(document: &Document, statements: &[Statement], form: Form) -> Value {
    match form {
        Form::OpenVex => openvex(document, statements),
        Form::CycloneDx => cyclonedx_document(document, statements),
        Form::Csaf20 => csaf(document, statements, "2.0"),
        Form::Csaf21 => csaf(document, statements, "2.1"),
    }
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

fn product_name(product: &Product) -> String {
    match product {
        Product::Purl(purl) => purl.to_string(),
        Product::Cpe(text) | Product::Hash(text) | Product::Name(text) => text.clone(),
    }
}

fn openvex(document: &Document, statements: &[Statement]) -> Value {
    let one = |statement: &Statement| {
        let mut product = Map::new();
        product.insert("@id".into(), product_name(&statement.product).into());
        match &statement.product {
            Product::Purl(purl) => {
                product.insert("identifiers".into(), json!({ "purl": purl.to_string() }));
            }
            Product::Cpe(cpe) => {
                product.insert("identifiers".into(), json!({ "cpe23": cpe }));
            }
            Product::Hash(hash) => {
                let (name, value) = hash.split_once(':').unwrap_or(("sha-256", hash));
                product.insert("hashes".into(), json!({ name: value }));
            }
            Product::Name(_) => {}
        }
        let mut out = Map::new();
        out.insert("vulnerability".into(), json!({ "name": statement.advisory }));
        out.insert("products".into(), json!([product]));
        out.insert("status".into(), statement.status.name().into());
        let known = |j: &&String| JUSTIFICATIONS.contains(&j.as_str());
        let justification = statement.justification.as_ref().filter(known).cloned();
        let silent = justification.is_none() && statement.impact.is_none();
        put(&mut out, "justification", justification);
        // The format asks for a reason, and an action, in words.
        let impact = statement.impact.clone();
        let needed = statement.status == Status::NotAffected && silent;
        put(
            &mut out,
            "impact_statement",
            impact.or_else(|| needed.then(|| statement.reason_text())),
        );
        let action = statement.action.clone();
        let needed = statement.status == Status::Affected;
        put(
            &mut out,
            "action_statement",
            action.or_else(|| needed.then(|| statement.reason_text())),
        );
        put(&mut out, "timestamp", statement.at.clone());
        Value::Object(out)
    };
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": document.id,
        "author": document.author,
        "timestamp": document.at,
        "version": document.edition,
        "statements": statements.iter().map(one).collect::<Vec<_>>(),
    })
}

/// The justifications of CycloneDX for those of OpenVEX and CSAF.
const IN_CYCLONEDX: [(&str, &str); 5] = [
    ("component_not_present", "code_not_present"),
    ("vulnerable_code_not_present", "code_not_present"),
    ("vulnerable_code_not_in_execute_path", "code_not_reachable"),
    ("vulnerable_code_cannot_be_controlled_by_adversary", "requires_environment"),
    ("inline_mitigations_already_exist", "protected_by_mitigating_control"),
];

fn cyclonedx_document(document: &Document, statements: &[Statement]) -> Value {
    let mut components: Vec<Value> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    let mut vulnerabilities = Vec::new();
    for statement in statements {
        let name = product_name(&statement.product);
        if !known.contains(&name) {
            components.push(component(&statement.product, &name));
            known.push(name.clone());
        }
        let own = cyclonedx::STATES
            .iter()
            .any(|(n, s)| *n == statement.original && *s == statement.status);
        let state = match statement.status {
            _ if own => statement.original.as_str(),
            Status::NotAffected => "not_affected",
            Status::Affected => "exploitable",
            Status::Fixed => "resolved",
            Status::UnderInvestigation => "in_triage",
        };
        let mut analysis = Map::new();
        analysis.insert("state".into(), state.into());
        let justification = statement
            .justification
            .as_deref()
            .map(|j| IN_CYCLONEDX.iter().find(|(n, _)| *n == j).map_or(j, |(_, own)| own));
        put(&mut analysis, "justification", justification);
        put(&mut analysis, "detail", statement.impact.clone().or_else(|| statement.action.clone()));
        put(&mut analysis, "lastUpdated", statement.at.clone());
        vulnerabilities.push(json!({
            "id": statement.advisory,
            "analysis": analysis,
            "affects": [{ "ref": name }],
        }));
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", document.id.trim_start_matches("urn:uuid:")),
        "version": document.edition,
        "metadata": { "timestamp": document.at, "supplier": { "name": document.author } },
        "components": components,
        "vulnerabilities": vulnerabilities,
    })
}

fn component(product: &Product, reference: &str) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), "library".into());
    out.insert("bom-ref".into(), reference.into());
    match product {
        Product::Purl(purl) => {
            out.insert("name".into(), purl.name.clone().into());
            put(&mut out, "version", purl.version.clone());
            out.insert("purl".into(), purl.to_string().into());
        }
        Product::Cpe(cpe) => {
            out.insert("name".into(), reference.into());
            out.insert("cpe".into(), cpe.clone().into());
        }
        _ => {
            out.insert("name".into(), reference.into());
        }
    }
    Value::Object(out)
}

fn csaf(document: &Document, statements: &[Statement], version: &str) -> Value {
    let mut names: Vec<String> = Vec::new();
    let mut products = Vec::new();
    let mut advisories: Vec<&str> = Vec::new();
    for statement in statements {
        let name = product_name(&statement.product);
        if !names.contains(&name) {
            names.push(name.clone());
            products.push(csaf_product(&statement.product, &name, names.len(), version));
        }
        if !advisories.contains(&statement.advisory.as_str()) {
            advisories.push(&statement.advisory);
        }
    }
    let id_of = |product: &Product| {
        let at = names.iter().position(|n| *n == product_name(product));
        format!("CSAFPID-{:04}", at.map_or(0, |a| a + 1))
    };
    let vulnerability = |id: &&str| {
        let own: Vec<&Statement> = statements.iter().filter(|s| s.advisory == *id).collect();
        csaf_vulnerability(id, &own, &id_of)
    };
    let edition = document.edition.to_string();
    let mut head = json!({
        "category": "csaf_vex",
        "csaf_version": version,
        "publisher": { "category": "user", "name": document.author, "namespace": document.namespace },
        "title": document.title,
        "tracking": {
            "id": document.id,
            "status": "final",
            "version": edition,
            "initial_release_date": document.at,
            "current_release_date": document.at,
            "revision_history": [{ "date": document.at, "number": edition, "summary": document.title }],
        },
    });
    if version == "2.1" {
        head["distribution"] = json!({ "tlp": { "label": "CLEAR" } });
    }
    let mut out = Map::new();
    if version == "2.1" {
        let schema = "https://docs.oasis-open.org/csaf/csaf/v2.1/schema/csaf.json";
        out.insert("$schema".into(), schema.into());
    }
    out.insert("document".into(), head);
    out.insert("product_tree".into(), json!({ "full_product_names": products }));
    out.insert("vulnerabilities".into(), advisories.iter().map(vulnerability).collect());
    Value::Object(out)
}

fn csaf_product(product: &Product, name: &str, number: usize, version: &str) -> Value {
    let mut out = json!({ "name": name, "product_id": format!("CSAFPID-{number:04}") });
    let helper = match product {
        Product::Purl(purl) if version == "2.1" => json!({ "purls": [purl.to_string()] }),
        Product::Purl(purl) => json!({ "purl": purl.to_string() }),
        Product::Cpe(cpe) => json!({ "cpe": cpe }),
        _ => return out,
    };
    out["product_identification_helper"] = helper;
    out
}

fn csaf_vulnerability(
    id: &str,
    statements: &[&Statement],
    id_of: &dyn Fn(&Product) -> String,
) -> Value {
    let mut out = Map::new();
    match id.starts_with("CVE-") {
        true => out.insert("cve".into(), id.into()),
        false => out.insert("ids".into(), json!([{ "system_name": "advisory", "text": id }])),
    };
    out.insert("notes".into(), json!([{ "category": "description", "text": id }]));
    let (mut status, mut flags, mut threats, mut remediations) =
        (Map::new(), Vec::new(), Vec::new(), Vec::new());
    for statement in statements {
        let product = id_of(&statement.product);
        let list = match statement.status {
            Status::NotAffected => "known_not_affected",
            Status::Affected => "known_affected",
            Status::Fixed => "fixed",
            Status::UnderInvestigation => "under_investigation",
        };
        if let Value::Array(ids) = status.entry(list).or_insert_with(|| json!([])) {
            ids.push(product.clone().into());
        }
        let known =
            statement.justification.as_ref().filter(|j| JUSTIFICATIONS.contains(&j.as_str()));
        match (statement.status, known) {
            (Status::NotAffected, Some(label)) => {
                flags.push(json!({ "label": label, "product_ids": [product] }));
            }
            (Status::NotAffected, None) => threats.push(json!({
                "category": "impact", "details": statement.reason_text(), "product_ids": [product],
            })),
            (Status::Affected, _) => remediations.push(json!({
                "category": "none_available",
                "details": statement.action.clone().unwrap_or_else(|| statement.reason_text()),
                "product_ids": [product],
            })),
            _ => {}
        }
    }
    out.insert("product_status".into(), status.into());
    for (name, list) in [("flags", flags), ("threats", threats), ("remediations", remediations)] {
        if !list.is_empty() {
            out.insert(name.into(), list.into());
        }
    }
    Value::Object(out)
}
