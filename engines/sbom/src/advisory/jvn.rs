//! JVN: the overview feed (JVNRSS 2) and the details (VULDEF 3) of MyJVN.
//!
//! The feed names products without versions; only the details say which, in words. Words of a known form
//! become a stretch, others stay words, and the verdict is then unknown with those words as the reason.

use quick_xml::{Reader, events::Event as Xml};

use super::{Advisory, Affected, Bound, Package, Range, Read, Said, Span};
use crate::{
    bom::{Problem, Rule},
    cpe::Cpe,
    limits::Limits,
};

/// An element that is open: its local name, attributes that matter, the text so far.
struct Open {
    name: String,
    identifier: Option<String>,
    text: String,
}

#[derive(Default)]
struct Item {
    line: usize,
    advisory: Advisory,
    products: Vec<(usize, String)>,
    versions: Vec<String>,
}

pub(super) fn read(bytes: &[u8], limits: &Limits, out: &mut Read) -> Result<(), Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Problem::line(line, Rule::Syntax, "it is not UTF-8")
    })?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut item = Item::default();
    let (mut values, mut known) = (0, false);
    let line = |reader: &Reader<_>| {
        let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(bytes.len());
        bytes[..end].iter().filter(|b| **b == b'\n').count() + 1
    };
    loop {
        let event = reader.read_event().map_err(|error| {
            Problem::line(line(&reader), Rule::Syntax, format!("no XML: {error}"))
        })?;
        values += 1;
        if values > limits.values_max || open.len() > limits.depth_max {
            let what = "it has too many or too deeply nested elements";
            return Err(Problem::line(line(&reader), Rule::Limit, what));
        }
        match event {
            Xml::Eof => break,
            Xml::DocType(_) => {
                let what = "a document type is not read";
                return Err(Problem::line(line(&reader), Rule::Limit, what));
            }
            Xml::Start(element) => {
                let name = element.local_name().as_ref().to_owned();
                if name == "item" || name == "Vulinfo" {
                    known = true;
                    item = Item { line: line(&reader), ..Item::default() };
                }
                let identifier = element
                    .attributes()
                    .flatten()
                    .find(|a| a.key.local_name().as_ref() == "id")
                    .map(|a| a.value.into_owned());
                open.push(Open { name, identifier, text: String::new() });
            }
            Xml::Text(text) => {
                if let Some(open) = open.last_mut() {
                    open.text.push_str(&text);
                }
            }
            Xml::CData(text) => {
                if let Some(open) = open.last_mut() {
                    open.text.push_str(&text);
                }
            }
            Xml::GeneralRef(reference) => {
                if let Some(open) = open.last_mut() {
                    open.text.push_str(entity(&reference));
                }
            }
            Xml::End(_) => {
                let Some(done) = open.pop() else { continue };
                let inside = |name: &str| open.iter().any(|o| o.name == name);
                let in_affected = inside("AffectedItem");
                if done.name == "item" || done.name == "Vulinfo" {
                    finish(std::mem::take(&mut item), out);
                } else if inside("item") || inside("Vulinfo") {
                    take(done, in_affected, line(&reader), &mut item, out);
                }
            }
            _ => {}
        }
    }
    if !known {
        return Err(Problem::line(
            1,
            Rule::Format,
            "it is XML, but holds no item and no Vulinfo of JVN",
        ));
    }
    Ok(())
}

fn entity(name: &str) -> &'static str {
    match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
}

fn take(done: Open, in_affected: bool, line: usize, item: &mut Item, out: &mut Read) {
    let text = done.text.trim().to_owned();
    let set = |slot: &mut Option<String>| {
        if slot.is_none() && !text.is_empty() {
            *slot = Some(text.clone());
        }
    };
    match done.name.as_str() {
        "identifier" | "VulinfoID" if item.advisory.id.is_empty() => item.advisory.id = text,
        "title" | "Title" => set(&mut item.advisory.title),
        "issued" | "DateFirstPublished" => set(&mut item.advisory.published),
        "modified" | "DateLastUpdated" => set(&mut item.advisory.modified),
        "references" => {
            if let Some(id) = done.identifier.filter(|id| id.starts_with("CVE-")) {
                item.advisory.aliases.push(id);
            }
        }
        "VulinfoID" | "RelatedItem" => {}
        "cpe" | "Cpe" => item.products.push((line, text)),
        "VersionNumber" => item.versions.push(text),
        "AffectedItem" if !in_affected => close_products(item, out),
        _ if text.starts_with("CVE-") && done.name == "VulinfoID" => {
            item.advisory.aliases.push(text)
        }
        _ => {}
    }
}

/// What was said of the products so far becomes entries.
fn close_products(item: &mut Item, out: &mut Read) {
    let versions = std::mem::take(&mut item.versions);
    for (line, name) in std::mem::take(&mut item.products) {
        match Cpe::parse(&name) {
            Ok(cpe) => item.advisory.affected.push(Affected {
                versions: cpe.version().map(str::to_owned).into_iter().collect(),
                ranges: match (versions.is_empty(), cpe.version()) {
                    (true, None) => vec![Range::Words("JVN names no version here".to_owned())],
                    _ => versions.iter().map(|v| stretch(v)).collect(),
                },
                package: Package::Cpe(Box::new(cpe.versionless())),
                said: Said::Affected,
            }),
            Err(error) => {
                out.problems.push(Problem::line(line, Rule::Schema, format!("{name:?}: {error}")));
            }
        }
    }
}

fn finish(mut item: Item, out: &mut Read) {
    close_products(&mut item, out);
    if item.advisory.id.is_empty() {
        let what = "an entry of JVN needs an identifier";
        out.problems.push(Problem::line(item.line, Rule::Schema, what));
    } else {
        out.advisories.push(item.advisory);
    }
}

/// `1.2.3 およびそれ以前`, `1.0 から 1.5 まで`, `2.0 未満`, `3.0 以降`, `1.2.3`
fn stretch(text: &str) -> Range {
    let text = text.trim();
    let span = |low, high| Range::Span(Span { low, high });
    let version = |t: &str| {
        let t = t.trim().trim_start_matches("version ").trim_start_matches("バージョン").trim();
        let good = t.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
            && !t.contains(char::is_whitespace);
        good.then(|| t.to_owned())
    };
    for ending in ["およびそれ以前", "以前", "and earlier", "以下"] {
        if let Some(v) = text.strip_suffix(ending).and_then(version) {
            return span(Bound::Open, Bound::At(v));
        }
    }
    if let Some(v) = text.strip_suffix("未満").and_then(version) {
        return span(Bound::Open, Bound::Beyond(v));
    }
    for ending in ["以降", "およびそれ以降", "and later"] {
        if let Some(v) = text.strip_suffix(ending).and_then(version) {
            return span(Bound::At(v), Bound::Open);
        }
    }
    if let Some((low, high)) = text.split_once("から") {
        let high = high.trim();
        let until = high.strip_suffix("まで").and_then(version).map(Bound::At);
        let below = high.strip_suffix("未満").and_then(version).map(Bound::Beyond);
        if let (Some(low), Some(high)) = (version(low), until.or(below)) {
            return span(Bound::At(low), high);
        }
    }
    match version(text) {
        Some(v) => span(Bound::At(v.clone()), Bound::At(v)),
        None => Range::Words(text.to_owned()),
    }
}
