//! OpenVEX 0.2.0, in.

use serde_json::Value;

use super::{JUSTIFICATIONS, Product, Read, Statement, Status};
use crate::{
    advisory::text,
    bom::{Problem, Rule},
    csaf::list,
    purl::Purl,
};

pub(super) fn read(document: &Value, out: &mut Read) {
    let author = text(document, "author").unwrap_or_default();
    for name in ["@id", "author", "timestamp"] {
        if text(document, name).is_none() {
            out.problems.push(Problem::at(format!("/{name}"), Rule::Schema, "a text belongs here"));
        }
    }
    if !document.get("statements").is_some_and(Value::is_array) {
        out.problems.push(Problem::at("/statements", Rule::Schema, "a list belongs here"));
    }
    list(document, "statements", |at, one| match statements(one, document, &author) {
        Ok(statements) => out.statements.extend(statements),
        Err((place, what)) => {
            let place = format!("/statements/{at}{place}");
            out.problems.push(Problem::at(place, Rule::Schema, what));
        }
    });
}

type Fault = (&'static str, &'static str);

fn statements(value: &Value, document: &Value, author: &str) -> Result<Vec<Statement>, Fault> {
    let original = text(value, "status").unwrap_or_default();
    let status = match original.as_str() {
        "not_affected" => Status::NotAffected,
        "affected" => Status::Affected,
        "fixed" => Status::Fixed,
        "under_investigation" => Status::UnderInvestigation,
        _ => {
            return Err((
                "/status",
                "one of not_affected, affected, fixed, under_investigation belongs here",
            ));
        }
    };
    let vulnerability = value.get("vulnerability").unwrap_or(&Value::Null);
    let advisory = text(vulnerability, "name")
        .or_else(|| vulnerability.as_str().map(str::to_owned))
        .ok_or(("/vulnerability", "a vulnerability needs a name"))?;
    let justification = text(value, "justification");
    let impact = text(value, "impact_statement");
    if let Some(word) = &justification
        && !JUSTIFICATIONS.contains(&word.as_str())
    {
        return Err(("/justification", "it is none of the five justifications"));
    }
    if status == Status::NotAffected && justification.is_none() && impact.is_none() {
        return Err(("", "not_affected needs a justification or an impact_statement"));
    }
    let action = text(value, "action_statement");
    if status == Status::Affected && action.is_none() {
        return Err(("", "affected needs an action_statement"));
    }
    let at = ["timestamp", "last_updated"].iter().rev().find_map(|n| text(value, n));
    let at = at.or_else(|| text(document, "last_updated")).or_else(|| text(document, "timestamp"));
    let mut names = vec![advisory.clone()];
    list(vulnerability, "aliases", |_, a| names.extend(a.as_str().map(str::to_owned)));
    let mut out = Vec::new();
    for product in products(value) {
        // Each name of the weakness is one under which it may be asked for.
        out.extend(names.iter().map(|name| Statement {
            advisory: name.clone(),
            product: product.clone(),
            status,
            original: original.clone(),
            justification: justification.clone(),
            impact: impact.clone(),
            action: action.clone(),
            author: author.to_owned(),
            at: at.clone(),
        }));
    }
    if out.is_empty() {
        return Err(("/products", "a statement needs a product"));
    }
    Ok(out)
}

/// Products, or the parts of them that are named: what is said is said of the parts.
fn products(value: &Value) -> Vec<Product> {
    let mut out = Vec::new();
    list(value, "products", |_, product| {
        let before = out.len();
        list(product, "subcomponents", |_, part| out.extend(product_of(part)));
        if out.len() == before {
            out.extend(product_of(product));
        }
    });
    out
}

fn product_of(value: &Value) -> Vec<Product> {
    let mut out = Vec::new();
    let id = value.as_str().map(str::to_owned).or_else(|| text(value, "@id"));
    let identifiers = value.get("identifiers").unwrap_or(&Value::Null);
    let mut purl = |text: &str| {
        // The id is often the same package URL once more.
        if let Ok(purl) = Purl::parse_lenient(text)
            && !out.contains(&Product::Purl(purl.clone()))
        {
            out.push(Product::Purl(purl));
        }
    };
    id.iter().for_each(|id| purl(id));
    text(identifiers, "purl").iter().for_each(|id| purl(id));
    for name in ["cpe23", "cpe22"] {
        out.extend(text(identifiers, name).map(Product::Cpe));
    }
    for (name, hash) in value.get("hashes").and_then(Value::as_object).into_iter().flatten() {
        let hash = hash.as_str().unwrap_or_default();
        out.push(Product::Hash(format!("{name}:{hash}").to_ascii_lowercase()));
    }
    if out.is_empty() {
        out.extend(id.map(Product::Name));
    }
    out
}
