//! Any document in, any document out.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::bom::{Bom, Problem, Rule};
use crate::limits::Limits;
use crate::{cyclonedx, json, spdx};

/// A written document, and what its format could not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The document.
    pub text: String,
    /// What was left out or said in other words: where it stands in the model, and why.
    pub losses: Vec<Problem>,
}

/// A format that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CycloneDX 1.x as JSON.
    CycloneDxJson(u8),
    /// CycloneDX 1.x as XML.
    CycloneDxXml(u8),
    /// SPDX 2.3 as JSON.
    Spdx2Json,
    /// SPDX 2.3 as tag-value text.
    Spdx2TagValue,
    /// SPDX 3.0.1 as JSON-LD.
    Spdx3,
}

/// Names on the command line.
const NAMES: [(&str, Format); 5] = [
    ("cyclonedx-json", Format::CycloneDxJson(7)),
    ("cyclonedx-xml", Format::CycloneDxXml(7)),
    ("spdx-json", Format::Spdx2Json),
    ("spdx-tag-value", Format::Spdx2TagValue),
    ("spdx3-json", Format::Spdx3),
];

impl Format {
    /// Every name, without versions.
    pub const NAMES: [&str; 5] =
        ["cyclonedx-json", "cyclonedx-xml", "spdx-json", "spdx-tag-value", "spdx3-json"];
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::CycloneDxJson(minor) => write!(out, "cyclonedx-json@1.{minor}"),
            Format::CycloneDxXml(minor) => write!(out, "cyclonedx-xml@1.{minor}"),
            Format::Spdx2Json => out.write_str("spdx-json@2.3"),
            Format::Spdx2TagValue => out.write_str("spdx-tag-value@2.3"),
            Format::Spdx3 => out.write_str("spdx3-json@3.0.1"),
        }
    }
}

/// There is no such format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no format that is written; there are cyclonedx-json, cyclonedx-xml (both @1.4 to @1.7), spdx-json, spdx-tag-value, spdx3-json"
)]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    /// `cyclonedx-json@1.6`; without a version the newest.
    fn from_str(text: &str) -> Result<Format, UnknownFormat> {
        let unknown = || UnknownFormat(text.to_owned());
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let (_, format) = NAMES.iter().find(|(one, _)| *one == name).ok_or_else(unknown)?;
        let minor = || {
            let version = version.unwrap_or("1.7");
            let minor = version.strip_prefix("1.").and_then(|minor| minor.parse().ok());
            minor.filter(|minor| (4..=7).contains(minor)).ok_or_else(unknown)
        };
        Ok(match format {
            Format::CycloneDxJson(_) => Format::CycloneDxJson(minor()?),
            Format::CycloneDxXml(_) => Format::CycloneDxXml(minor()?),
            Format::Spdx3 if version.is_none_or(|version| version == "3.0.1") => Format::Spdx3,
            Format::Spdx3 => return Err(unknown()),
            other if version.is_none_or(|version| version == "2.3") => *other,
            _ => return Err(unknown()),
        })
    }
}

/// Reads a document of any format that is read, within the default limits.
pub fn parse(bytes: &[u8]) -> Result<Bom, Vec<Problem>> {
    parse_within(bytes, &Limits::DEFAULT)
}

/// Reads a document of any format that is read.
pub fn parse_within(bytes: &[u8], limits: &Limits) -> Result<Bom, Vec<Problem>> {
    if bytes.len() > limits.bytes_max {
        let what = format!("{} bytes; {} are read", bytes.len(), limits.bytes_max);
        return Err(vec![Problem::at("", Rule::Limit, what)]);
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'<') => cyclonedx::from_xml(bytes, limits),
        Some(b'{' | b'[') => {
            let value = json::read(bytes, limits).map_err(|problem| vec![problem])?;
            of_json(value, limits)
        }
        _ if spdx::is_tag_value(text) => spdx::from_tag_value(bytes, limits),
        _ => Err(unknown()),
    }
}

fn unknown() -> Vec<Problem> {
    let what = "neither CycloneDX (JSON, XML) nor SPDX (JSON, tag-value, JSON-LD)";
    vec![Problem::at("", Rule::Format, what)]
}

fn of_json(value: Value, limits: &Limits) -> Result<Bom, Vec<Problem>> {
    if value.get("bomFormat").is_some() || value.get("specVersion").is_some() {
        cyclonedx::from_value(value, limits)
    } else if value.get("spdxVersion").is_some() || value.get("SPDXID").is_some() {
        spdx::from_value(value, limits)
    } else if value.get("@context").is_some() || value.get("@graph").is_some() {
        spdx::from_graph(value, limits)
    } else {
        Err(unknown())
    }
}

/// Writes a document.
pub fn write(bom: &Bom, format: Format) -> Result<Written, Problem> {
    match format {
        Format::CycloneDxJson(minor) => cyclonedx::to_json(bom, minor),
        Format::CycloneDxXml(minor) => cyclonedx::to_xml(bom, minor),
        Format::Spdx2Json => spdx::to_json(bom),
        Format::Spdx2TagValue => spdx::to_tag_value(bom),
        Format::Spdx3 => spdx::to_graph(bom),
    }
}
