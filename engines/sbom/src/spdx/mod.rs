//! SPDX 2.2 and 2.3 (JSON, tag-value) and 3.0.1 (JSON-LD).
//!
//! Of version 2, JSON is the form everything goes through: tag-value text is mapped to it and back.
//! Of version 3, every element of the graph is kept; packages, files and relationships are the
//! components and edges of the model, the others stay as they are.

mod graph;
mod ids;
mod read;
mod rules;
mod tags;
mod write;

use std::sync::OnceLock;

use serde_json::Value;

use crate::bom::{Bom, Problem, Rule, Source};
use crate::convert;
use crate::document::Written;
use crate::limits::Limits;
use crate::schema::Schema;

pub use graph::{from_value as from_graph, write as to_graph};
pub(crate) use ids::Ids;
pub(crate) use read::says_nothing;

/// Reads SPDX 2 as JSON.
pub fn from_value(value: Value, limits: &Limits) -> Result<Bom, Vec<Problem>> {
    let problems = rules::check(&value, limits.problems_max);
    if problems.is_empty() { Ok(read::bom(value)) } else { Err(problems) }
}

/// Whether a text looks like tag-value.
pub(crate) fn is_tag_value(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(64 << 10)]).into_owned();
    head.lines().any(|line| line.trim_start().starts_with("SPDXVersion:"))
}

/// Reads SPDX 2 as tag-value text; problems have lines.
pub fn from_tag_value(bytes: &[u8], limits: &Limits) -> Result<Bom, Vec<Problem>> {
    let (value, places) = tags::read(bytes, limits).map_err(|problem| vec![problem])?;
    from_value(value, limits)
        .map_err(|problems| problems.into_iter().map(|problem| places.with_line(problem)).collect())
}

/// The JSON form, and what it does not say.
fn form(bom: &Bom) -> (Value, Vec<Problem>) {
    let mut losses = Vec::new();
    let value = match bom.source {
        Source::Spdx2(_) => write::form(bom),
        _ => write::form(&convert::to_spdx(bom, &mut losses)),
    };
    (value, losses)
}

fn valid(value: &Value) -> Result<(), Problem> {
    rules::check(value, 1).pop().map_or(Ok(()), Err)
}

/// Writes SPDX 2.3 as JSON.
pub fn to_json(bom: &Bom) -> Result<Written, Problem> {
    let (value, losses) = form(bom);
    valid(&value)?;
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    Ok(Written { text, losses })
}

/// Writes SPDX 2.3 as tag-value text.
pub fn to_tag_value(bom: &Bom) -> Result<Written, Problem> {
    let (value, mut losses) = form(bom);
    valid(&value)?;
    let (text, lost) = tags::write(&value);
    let without = |pointer| Problem::at(pointer, Rule::Schema, "tag-value has no tag for this");
    losses.extend(lost.into_iter().map(without));
    Ok(Written { text, losses })
}

/// The rules of version 2, in our own words.
fn schema() -> &'static Schema {
    static MADE: OnceLock<Schema> = OnceLock::new();
    MADE.get_or_init(|| {
        let text = include_str!("../../schemas/spdx-2.schema.json");
        let value: Value = serde_json::from_str(text).expect("a schema of ours is JSON");
        Schema::compile("spdx", &[("spdx", value)]).expect("a schema of ours compiles")
    })
}
