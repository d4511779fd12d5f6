//! CycloneDX 1.2 to 1.7, JSON and XML (ECMA-424).
//!
//! JSON is the form everything goes through: XML is mapped to it along the two official schemas, so
//! there is one set of rules, one reader into the model and one writer out of it. Documents of an
//! older version are written as a newer one whole; a newer one as an older loses what that does not
//! know, and every loss is told.
//!
//! Limits: those of [`Limits`]. Protobuf is not read.

mod fit;
mod mapping;
mod read;
mod rules;
mod schemas;
mod write;

use serde_json::Value;

use crate::bom::{Bom, Problem, Rule};
use crate::convert;
use crate::document::Written;
use crate::limits::Limits;
use crate::xml;

/// Reads CycloneDX as JSON.
pub fn from_json(bytes: &[u8], limits: &Limits) -> Result<Bom, Vec<Problem>> {
    let value = crate::json::read(bytes, limits).map_err(|problem| vec![problem])?;
    from_value(value, limits)
}

/// Reads the JSON form.
pub(crate) fn from_value(value: Value, limits: &Limits) -> Result<Bom, Vec<Problem>> {
    let minor = version(&value)?;
    let problems = rules::check(&value, minor, limits.problems_max);
    if problems.is_empty() { Ok(read::bom(value, minor)) } else { Err(problems) }
}

/// Reads CycloneDX as XML.
pub fn from_xml(bytes: &[u8], limits: &Limits) -> Result<Bom, Vec<Problem>> {
    let root = xml::tree::read(bytes, limits).map_err(|problem| vec![problem])?;
    let minor = root.space.strip_prefix(SPACE).and_then(|minor| minor.parse().ok());
    let Some(minor) = minor.filter(|minor| schemas::READ.contains(minor)) else {
        let what = format!("the namespace {:?} is not read; CycloneDX 1.2 to 1.7 are", root.space);
        return Err(vec![Problem::line(root.line, Rule::Format, what)]);
    };
    let problems = xml::valid::check(schemas::xml(minor), &root, limits.problems_max);
    if !problems.is_empty() {
        return Err(problems);
    }
    let value = mapping::from_xml(&root, minor);
    let problems = rules::beyond(&value, limits.problems_max);
    if problems.is_empty() { Ok(read::bom(value, minor)) } else { Err(problems) }
}

const SPACE: &str = "http://cyclonedx.org/schema/bom/1.";

/// Writes CycloneDX 1.`minor` (4 to 7) as XML.
pub fn to_xml(bom: &Bom, minor: u8) -> Result<Written, Problem> {
    written(minor)?;
    let mut losses = Vec::new();
    let mut value = write::form(&convert::to_cyclonedx(bom, &mut losses), minor);
    let (root, unfit) = fit::fit_xml(&mut value, minor);
    losses.extend(unfit);
    match xml::valid::check(schemas::xml(minor), &root, 1).pop() {
        Some(problem) => Err(problem),
        None => Ok(Written { text: xml::tree::write(&root), losses }),
    }
}

/// The minor version a document says it is of.
fn version(value: &Value) -> Result<u8, Vec<Problem>> {
    let said = value.get("specVersion").and_then(Value::as_str).unwrap_or_default();
    let minor = said.strip_prefix("1.").and_then(|minor| minor.parse().ok());
    minor.filter(|minor| schemas::READ.contains(minor)).ok_or_else(|| {
        let what = format!("specVersion {said:?} is not read; 1.2 to 1.7 are");
        vec![Problem::at("/specVersion", Rule::Format, what)]
    })
}

/// Writes CycloneDX 1.`minor` (4 to 7) as JSON.
pub fn to_json(bom: &Bom, minor: u8) -> Result<Written, Problem> {
    let (value, losses) = form(bom, minor)?;
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    Ok(Written { text, losses })
}

/// The JSON form of a version, valid by its schema.
fn form(bom: &Bom, minor: u8) -> Result<(Value, Vec<Problem>), Problem> {
    written(minor)?;
    let mut losses = Vec::new();
    let mut value = write::form(&convert::to_cyclonedx(bom, &mut losses), minor);
    losses.extend(fit::fit(&mut value, minor));
    Ok((value, losses))
}

fn written(minor: u8) -> Result<(), Problem> {
    if schemas::WRITTEN.contains(&minor) {
        return Ok(());
    }
    let what = format!("CycloneDX 1.{minor} is not written; 1.4 to 1.7 are");
    Err(Problem::at("", Rule::Format, what))
}
