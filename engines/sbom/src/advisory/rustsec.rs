//! RustSec: TOML in the first fenced block of a Markdown file. A version is affected unless it lies within one
//! of the `patched` or `unaffected` requirements.
//!
//! Requirements are read as stretches over the whole order, pre-releases included, as RustSec's own tools do:
//! `^1.2` ends before `2.0.0-0`. That is not Cargo's rule, by which a requirement passes pre-releases by.

use toml::{Table, Value};

use super::{Advisory, Affected, Bound, Package, Range, Said, Span};
use crate::{
    bom::{Problem, Rule},
    order::Ecosystem,
};

pub(super) fn read(bytes: &[u8]) -> Result<Advisory, Problem> {
    let wrong = |line: usize, what: String| Problem::line(line, Rule::Schema, what);
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "it is not UTF-8".into()))?;
    let (front, body) = text
        .strip_prefix("```")
        .and_then(|t| t.split_once('\n'))
        .and_then(|(_, rest)| rest.split_once("\n```"))
        .ok_or_else(|| wrong(1, "a block ```toml belongs at the beginning".into()))?;
    let table: Table = front.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map_or(0, |s| s.start).min(front.len());
        let line = front.as_bytes()[..before].iter().filter(|b| **b == b'\n').count() + 2;
        Problem::line(line, Rule::Syntax, format!("no TOML: {}", error.message()))
    })?;
    let advisory = table.get("advisory").and_then(Value::as_table);
    let advisory = advisory.ok_or_else(|| wrong(1, "the table [advisory] is missing".into()))?;
    let of = |name: &str| advisory.get(name).and_then(Value::as_str).map(str::to_owned);
    let needed =
        |name: &str| of(name).ok_or_else(|| wrong(1, format!("advisory.{name} is missing")));
    let versions = table.get("versions").and_then(Value::as_table);
    let versions = versions.ok_or_else(|| wrong(1, "the table [versions] is missing".into()))?;
    let mut spans = Vec::new();
    for name in ["patched", "unaffected"] {
        let list = match versions.get(name) {
            None => continue,
            Some(Value::Array(list)) => list,
            Some(_) => return Err(wrong(1, format!("versions.{name} is no list"))),
        };
        for one in list {
            let requirement = one.as_str().unwrap_or_default();
            let what = format!("versions.{name}: {requirement:?} is no requirement of versions");
            spans.push(span(requirement).ok_or_else(|| wrong(1, what))?);
        }
    }
    let aliases = advisory.get("aliases").and_then(Value::as_array);
    let package = Package::Language { ecosystem: Ecosystem::Cargo, name: needed("package")? };
    let withdrawn = of("withdrawn").or_else(|| {
        (advisory.get("yanked").and_then(Value::as_bool) == Some(true)).then(|| "yanked".to_owned())
    });
    Ok(Advisory {
        id: needed("id")?,
        aliases: aliases
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        title: body.lines().find_map(|l| l.strip_prefix("# ")).map(|t| t.trim().to_owned()),
        published: of("date"),
        modified: None,
        withdrawn,
        informational: of("informational"),
        severities: of("cvss").into_iter().collect(),
        affected: vec![Affected {
            package,
            versions: Vec::new(),
            ranges: vec![Range::AllBut(spans)],
            said: Said::Affected,
        }],
    })
}

/// The stretch of a requirement: one or two comparators.
fn span(text: &str) -> Option<Span> {
    let mut span = Span { low: Bound::Open, high: Bound::Open };
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
    if parts.is_empty() || parts.len() > 2 {
        return None;
    }
    if parts == ["*"] {
        return Some(span);
    }
    for part in parts {
        let (low, high) = comparator(part)?;
        if low != Bound::Open {
            span.low = low;
        }
        if high != Bound::Open {
            span.high = high;
        }
    }
    Some(span)
}

fn comparator(text: &str) -> Option<(Bound, Bound)> {
    const SIGNS: [&str; 7] = [">=", "<=", ">", "<", "=", "^", "~"];
    let sign = SIGNS.iter().find(|s| text.starts_with(**s)).copied().unwrap_or("");
    let version = text[sign.len()..].trim();
    let numbers = numbers(version)?;
    let full = full(version)?;
    let end = |upper: [u64; 3]| Bound::Beyond(format!("{}.{}.{}-0", upper[0], upper[1], upper[2]));
    Some(match sign {
        ">=" => (Bound::At(full), Bound::Open),
        ">" => (Bound::Beyond(full), Bound::Open),
        "<=" => (Bound::Open, Bound::At(full)),
        "<" => (Bound::Open, Bound::Beyond(full)),
        "=" => (Bound::At(full.clone()), Bound::At(full)),
        "~" => match numbers.as_slice() {
            [major] => (Bound::At(full), end([major + 1, 0, 0])),
            [major, minor, ..] => (Bound::At(full), end([*major, minor + 1, 0])),
            [] => return None,
        },
        // A caret keeps the first number that is not zero.
        _ => match numbers.as_slice() {
            [0, 0, patch] => (Bound::At(full), end([0, 0, patch + 1])),
            [0, minor, ..] => (Bound::At(full), end([0, minor + 1, 0])),
            [major, ..] => (Bound::At(full), end([major + 1, 0, 0])),
            [] => return None,
        },
    })
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    let core = version.split(['-', '+']).next()?;
    let numbers: Option<Vec<u64>> = core.split('.').map(|n| n.parse().ok()).collect();
    numbers.filter(|n| (1..=3).contains(&n.len()) && n.iter().all(|n| *n < u64::MAX))
}

/// The version with zeros for the numbers that it leaves out.
fn full(version: &str) -> Option<String> {
    let missing = 3 - numbers(version)?.len();
    let at = version.find(['-', '+']).unwrap_or(version.len());
    let (core, rest) = version.split_at(at);
    Some(format!("{core}{}{rest}", ".0".repeat(missing)))
}
