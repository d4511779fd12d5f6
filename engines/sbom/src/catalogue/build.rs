//! From what was found to a document: references, order, edges, what is unknown.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::distribution::Distribution;
use super::{Options, Source, component};
use crate::bom::{
    Aggregate, Algorithm, Bom, Component, Composition, Edge, Hash, Kind, Rest, Source as Origin,
};

/// Something found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// What it is.
    pub component: Component,
    /// Which of what was found it needs.
    pub needs: Vec<usize>,
    /// Whether all it needs is known.
    pub needs_known: bool,
    /// What it is a part of.
    pub within: Option<usize>,
    /// Whether all its parts are known.
    pub parts_known: bool,
    /// Purls of what lies in its files.
    pub holds: Vec<String>,
    /// Of dpkg: the names it needs, for when all packages are known.
    pub depends: String,
    /// Of dpkg: the names it stands for.
    pub provides: String,
}

impl Found {
    /// Found in a file.
    pub(super) fn at(path: &str, purl: String, name: &str, version: &str) -> Found {
        let mut component = component(purl, name, version);
        component.locations.push(format!("/{path}"));
        Found { component, ..Found::default() }
    }

    /// The hash is that of the file it was found in, and can be computed again.
    pub(super) fn hashed(&mut self, path: &str, hash: Hash) {
        self.component.hashes.push(hash);
        self.component.set_property("ume:file", format!("/{path}"));
    }
}

/// An executable of which nothing is known but its bytes.
pub(super) fn file(path: &str, source: &mut dyn Source) -> Result<Found, String> {
    let mut component = Component {
        kind: Some(Kind::File),
        name: format!("/{path}"),
        locations: vec![format!("/{path}")],
        ..Component::default()
    };
    component.hashes.push(sha256(source)?);
    Ok(Found { component, ..Found::default() })
}

/// The hash of a file, a mebibyte at a time.
pub(super) fn sha256(source: &mut dyn Source) -> Result<Hash, String> {
    const CHUNK: usize = 1 << 20;
    let (mut digest, mut at) = (Sha256::new(), 0);
    while at < source.size() {
        let bytes = source.read_at(at, CHUNK)?;
        if bytes.is_empty() {
            return Err("the file became shorter while it was read".into());
        }
        digest.update(&bytes);
        at += bytes.len() as u64;
    }
    let digits = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Hash { algorithm: Algorithm::Sha256, value: digits })
}

/// The document. The same finds in any order make the same bytes.
pub(super) fn bom(
    options: Options,
    distribution: &Distribution,
    found: Vec<Found>,
    unread: bool,
) -> Bom {
    let order = order(&found);
    let references = references(&found, &order);
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    for index in &order {
        if let Some(within) = found[*index].within {
            children.entry(within).or_default().push(*index);
        }
    }
    let subject = subject(&options, distribution);
    let root = subject.reference.clone().unwrap_or_default();
    let mut made = Made { references: &references, children: &children, found };
    let edges = made.edges(&order, &root);
    let compositions = made.compositions(&order, &root, unread);
    let top: Vec<usize> =
        order.iter().copied().filter(|index| made.found[*index].within.is_none()).collect();
    let components = top.into_iter().map(|index| made.component(index, 0)).collect();
    let mut rest = Rest::new();
    let tool = serde_json::json!({"tools": {"components": [{
        "type": "application", "name": "ume", "version": env!("CARGO_PKG_VERSION"),
    }]}, "lifecycles": [{"phase": "operations"}]});
    rest.insert("metadata".into(), tool);
    Bom {
        // The few words beside the model are those of CycloneDX.
        source: Origin::CycloneDx(7),
        serial: options.serial,
        edition: Some(1),
        created: options.created,
        subject: Some(subject),
        components,
        edges,
        compositions,
        vulnerabilities: Vec::new(),
        rest,
    }
}

fn subject(options: &Options, distribution: &Distribution) -> Component {
    let mut subject = Component {
        reference: Some("root".into()),
        kind: Some(Kind::OperatingSystem),
        name: distribution.id.clone(),
        version: Some(distribution.version.clone()).filter(|version| !version.is_empty()),
        cpe: distribution.cpe.clone(),
        description: distribution.pretty.clone(),
        ..Component::default()
    };
    if subject.name.is_empty() {
        subject.kind = Some(Kind::Container);
        subject.name = "root".into();
    }
    if !options.name.is_empty() {
        subject.set_property("ume:root", options.name.as_str());
    }
    subject
}

/// By purl, then name and place.
fn order(found: &[Found]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    let key = |index: &usize| {
        let one = &found[*index].component;
        (one.purl.is_none(), one.purl.as_deref(), one.name.as_str(), one.locations.first())
    };
    order.sort_by(|a, b| key(a).cmp(&key(b)).then(a.cmp(b)));
    order
}

/// The purl, or the place of a file; a number tells equal ones apart.
fn references(found: &[Found], order: &[usize]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut references = vec![String::new(); found.len()];
    for index in order {
        let one = &found[*index].component;
        let name = one.purl.clone().unwrap_or_else(|| format!("file:{}", one.name));
        let count = seen.entry(name.clone()).or_insert(0);
        *count += 1;
        references[*index] = if *count == 1 { name } else { format!("{name}#{count}") };
    }
    references
}

struct Made<'a> {
    references: &'a [String],
    children: &'a HashMap<usize, Vec<usize>>,
    found: Vec<Found>,
}

/// Archives within archives are read four deep.
const DEPTH_MAX: usize = 16;

impl Made<'_> {
    fn component(&mut self, index: usize, depth: usize) -> Component {
        let found = std::mem::take(&mut self.found[index]);
        let mut component = found.component;
        component.reference = Some(self.references[index].clone());
        let mut holds = found.holds;
        holds.sort();
        holds.dedup();
        for purl in holds {
            component.set_property("ume:holds", purl);
        }
        let children = self.children.get(&index).filter(|_| depth < DEPTH_MAX);
        for child in children.into_iter().flatten() {
            let child = self.component(*child, depth + 1);
            component.components.push(child);
        }
        component
    }

    fn edges(&self, order: &[usize], root: &str) -> Vec<Edge> {
        let top = order.iter().filter(|index| self.found[**index].within.is_none());
        let mut edges =
            vec![Edge::depends(root, top.map(|index| self.references[*index].clone()).collect())];
        for index in order {
            let one = &self.found[*index];
            if one.needs_known || !one.needs.is_empty() {
                let mut needs: Vec<String> =
                    one.needs.iter().map(|need| self.references[*need].clone()).collect();
                needs.sort();
                needs.dedup();
                edges.push(Edge::depends(self.references[*index].clone(), needs));
            }
        }
        edges
    }

    fn compositions(&self, order: &[usize], root: &str, unread: bool) -> Vec<Composition> {
        let of = |known: bool| -> Vec<String> {
            let those = order.iter().filter(|index| {
                let one = &self.found[**index];
                one.parts_known == known
            });
            those.map(|index| self.references[*index].clone()).collect()
        };
        let needs: Vec<String> = order
            .iter()
            .filter(|index| self.found[**index].needs_known)
            .map(|index| self.references[*index].clone())
            .collect();
        // A file that is part of nothing is one that nobody knows.
        let blind = |one: &Found| one.component.kind == Some(Kind::File) && one.within.is_none();
        let blind = self.found.iter().any(blind);
        let whole = if unread || blind { Aggregate::Incomplete } else { Aggregate::Complete };
        let made = |aggregate, parts: Vec<String>, dependencies: Vec<String>| Composition {
            aggregate,
            parts,
            dependencies,
            rest: Rest::new(),
        };
        let mut all = vec![made(whole, vec![root.to_owned()], Vec::new())];
        let known = of(true);
        if !known.is_empty() || !needs.is_empty() {
            all.push(made(Aggregate::Complete, known, needs));
        }
        let unknown = of(false);
        if !unknown.is_empty() {
            all.push(made(Aggregate::Unknown, unknown, Vec::new()));
        }
        all
    }
}
