//! What a document says: `diff`, `graph`, `licences`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use room::{Error, Outcome};
use sbom::bom::EdgeKind;
use sbom::{Bom, Change, Component};

use super::read::{document, load};
use super::{format, format_of, table};

/// Lines of a drawn graph: what a reader can look at, and what a shared dependency can blow up to.
const LINES_MAX: usize = 100_000;

pub(super) fn diff_command() -> Command {
    Command::new("diff")
        .about(
            "What differs between two documents, of whatever formats; exit 1 where something does",
        )
        .args([document("before"), document("after"), format()])
}

pub(super) fn graph_command() -> Command {
    let from = Arg::new("from").long("from").value_name("REF").help("Begin at this component");
    let depth = Arg::new("depth")
        .long("depth")
        .value_name("N")
        .default_value("3")
        .value_parser(value_parser!(u8).range(1..=64))
        .help("How deep to go");
    let format = Arg::new("format")
        .long("format")
        .default_value("table")
        .value_parser(PossibleValuesParser::new(["table", "json", "csv", "dot"]))
        .help("Output format");
    Command::new("graph").about("Who needs and holds whom, and below whom nothing is known").args([
        document("file"),
        from,
        depth,
        format,
    ])
}

pub(super) fn licences_command() -> Command {
    Command::new("licences")
        .about("Components by licence; exit 3 where some have none")
        .args([document("file"), format()])
}

fn given(matches: &ArgMatches, name: &str) -> Result<Bom, Error> {
    load(&matches.get_one::<PathBuf>(name).cloned().unwrap_or_default())
}

pub(super) fn diff(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let changes = sbom::compare(&given(matches, "before")?, &given(matches, "after")?);
    let rows: Vec<Vec<String>> = changes
        .into_iter()
        .map(|change| match change {
            Change::Added { name, version } => ["added", &name, "", &version].map(str::to_owned),
            Change::Removed { name, version } => {
                ["removed", &name, &version, ""].map(str::to_owned)
            }
            Change::Version { name, before, after } => ["version".into(), name, before, after],
            Change::Content { name, field, before, after } => [field.into(), name, before, after],
        })
        .map(Vec::from)
        .collect();
    table(format_of(matches), &["change", "component", "before", "after"], &rows, out);
    Ok(if rows.is_empty() { Outcome::Good } else { Outcome::Found })
}

pub(super) fn licences(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let bom = given(matches, "file")?;
    let mut by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let subject = bom.subject.as_ref().and_then(|one| one.reference.clone());
    let packages = bom
        .walk()
        .filter(|one| one.kind != Some(sbom::bom::Kind::File) && one.reference != subject);
    for one in packages {
        let name = shown(one);
        for licence in &one.licences {
            by.entry(licence.text.clone()).or_default().insert(name.clone());
        }
        if one.licences.is_empty() {
            by.entry(String::new()).or_default().insert(name);
        }
    }
    let unknown = by.contains_key("");
    let mut rows: Vec<Vec<String>> = by
        .into_iter()
        .map(|(licence, names)| {
            let some: Vec<String> = names.iter().take(5).cloned().collect();
            let more = if names.len() > some.len() { ", …" } else { "" };
            let licence = if licence.is_empty() { "-".to_owned() } else { licence };
            vec![licence, names.len().to_string(), some.join(", ") + more]
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row[1].parse::<usize>().unwrap_or(0)));
    table(format_of(matches), &["licence", "components", "which"], &rows, out);
    Ok(if unknown { Outcome::Incomplete } else { Outcome::Good })
}

fn shown(one: &Component) -> String {
    match &one.version {
        Some(version) => format!("{} {version}", one.name),
        None => one.name.clone(),
    }
}

/// Edges by where they begin: needs, and parts.
pub(crate) fn edges(bom: &Bom) -> BTreeMap<String, BTreeSet<(String, &'static str)>> {
    let mut all: BTreeMap<String, BTreeSet<(String, &'static str)>> = BTreeMap::new();
    for edge in &bom.edges {
        let kind = match edge.kind {
            EdgeKind::DependsOn => "needs",
            EdgeKind::Contains => "holds",
            EdgeKind::Provides => "provides",
            EdgeKind::Describes => "describes",
            EdgeKind::Other(_) => continue,
        };
        let to = edge.to.iter().map(|to| (to.clone(), kind));
        all.entry(edge.from.clone()).or_default().extend(to);
    }
    for one in bom.walk() {
        let parts = one.components.iter().filter_map(|part| part.reference.clone());
        if let Some(reference) = &one.reference {
            let parts = parts.map(|part| (part, "holds"));
            all.entry(reference.clone()).or_default().extend(parts);
        }
    }
    all
}

struct Graph<'a> {
    bom: &'a Bom,
    names: HashMap<&'a str, String>,
    edges: BTreeMap<String, BTreeSet<(String, &'static str)>>,
}

impl Graph<'_> {
    fn name(&self, reference: &str) -> String {
        self.names.get(reference).cloned().unwrap_or_else(|| reference.to_owned())
    }

    fn blind(&self, reference: &str) -> &'static str {
        if self.bom.unknown_below(reference) { "unknown below" } else { "" }
    }
}

pub(super) fn graph(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let bom = given(matches, "file")?;
    let names = bom.walk().filter_map(|one| Some((one.reference.as_deref()?, shown(one))));
    let graph = Graph { bom: &bom, names: names.collect(), edges: edges(&bom) };
    let depth = usize::from(matches.get_one::<u8>("depth").copied().unwrap_or(3));
    let starts = starts(&graph, matches.get_one::<String>("from"))?;
    if matches.get_one::<String>("format").is_some_and(|format| format == "dot") {
        let _ = dot(&graph, &starts, depth, out);
        return Ok(Outcome::Good);
    }
    let rows = rows(&graph, &starts, depth);
    table(format_of(matches), &["depth", "edge", "component", "reference", "below"], &rows, out);
    Ok(Outcome::Good)
}

/// The component that was named, the subject, or whatever nothing leads to.
fn starts(graph: &Graph<'_>, from: Option<&String>) -> Result<Vec<String>, Error> {
    if let Some(from) = from {
        let known = graph.names.contains_key(from.as_str()) || graph.edges.contains_key(from);
        return match known {
            true => Ok(vec![from.clone()]),
            false => Err(Error::said(format!("{from:?} is no reference of the document"))),
        };
    }
    if let Some(subject) = graph.bom.subject.as_ref().and_then(|one| one.reference.clone())
        && graph.edges.get(&subject).is_some_and(|edges| !edges.is_empty())
    {
        return Ok(vec![subject]);
    }
    let reached: BTreeSet<&String> = graph.edges.values().flatten().map(|(to, _)| to).collect();
    let all = graph.bom.walk().filter_map(|one| one.reference.clone());
    Ok(all.filter(|reference| !reached.contains(reference)).collect())
}

/// Depth first; a component that stands above itself is named and not gone into again.
fn rows(graph: &Graph<'_>, starts: &[String], depth_max: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut stack: Vec<(String, &str, usize)> =
        starts.iter().rev().map(|one| (one.clone(), "", 0)).collect();
    let mut above: Vec<String> = Vec::new();
    while let Some((reference, edge, depth)) = stack.pop() {
        above.truncate(depth);
        let again = above.contains(&reference);
        let below = if again { "again" } else { graph.blind(&reference) };
        let name = format!("{}{}", "  ".repeat(depth), graph.name(&reference));
        let row = [depth.to_string(), edge.into(), name, reference.clone(), below.into()];
        rows.push(Vec::from(row));
        if rows.len() >= LINES_MAX {
            break;
        }
        above.push(reference.clone());
        if !again && depth < depth_max {
            let next = graph.edges.get(&reference).into_iter().flatten().rev();
            stack.extend(next.map(|(to, kind)| (to.clone(), *kind, depth + 1)));
        }
    }
    rows
}

fn dot(
    graph: &Graph<'_>,
    starts: &[String],
    depth: usize,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let quoted = |text: &str| format!("{:?}", text.replace(char::is_control, " "));
    writeln!(out, "digraph sbom {{\n  rankdir=LR;\n  node [shape=box];")?;
    let (mut seen, mut next) = (BTreeSet::new(), starts.to_vec());
    for _ in 0..=depth {
        let mut deeper = Vec::new();
        for reference in next {
            if !seen.insert(reference.clone()) {
                continue;
            }
            // What is below is not known: dashed.
            let style = if graph.blind(&reference).is_empty() { "solid" } else { "dashed" };
            let (id, label) = (quoted(&reference), quoted(&graph.name(&reference)));
            writeln!(out, "  {id} [label={label}, style={style}];")?;
            for (to, kind) in graph.edges.get(&reference).into_iter().flatten() {
                writeln!(out, "  {id} -> {} [label={kind}];", quoted(to))?;
                deeper.push(to.clone());
            }
        }
        next = deeper;
    }
    writeln!(out, "}}")
}
