//! Random graphs of marked objects over every way out: nothing leaves that its marking, or that of anything its
//! references reach, forbids. What may leave is worked out here by other means than the program's.
//!
//! `PROPTEST_CASES` says how many graphs; each is held against every way out.

use std::collections::BTreeMap;

use indicators::{
    Kind, Scope,
    outlet::{Ask, Form},
    stix::time,
    taxii::{Entry, Filter, Memory, Storage as _, Window},
    tlp::{Audience, Edition, Exit, Level, Marking, definition_id},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value as Json, json};

use super::{marks::Marks, storage::Guarded};
use crate::work::{
    misp,
    outlets::render::{self, Planted},
};

const AT: i64 = 1_795_600_000_000_000;
const AUDIENCES: [Audience; 6] = [
    Audience::Persons,
    Audience::Organisation,
    Audience::GroupCompanies,
    Audience::Clients,
    Audience::Community,
    Audience::Public,
];

/// An object of a random graph.
#[derive(Clone, Debug)]
struct Node {
    level: u8,
    /// A stricter mark on a part of it.
    part: Option<u8>,
    refers_to: Vec<usize>,
    /// What its item was raised to since.
    raised: Option<u8>,
}

fn node() -> impl Strategy<Value = Node> {
    (
        0..5_u8,
        prop::option::weighted(0.2, 0..5_u8),
        vec(0..8_usize, 0..3),
        prop::option::weighted(0.1, 0..5_u8),
    )
        .prop_map(|(level, part, refers_to, raised)| Node { level, part, refers_to, raised })
}

fn name(at: usize) -> String {
    format!("n{at}.example")
}

fn id(at: usize) -> String {
    format!("indicator--00000000-0000-4000-8000-{at:012}")
}

fn object(at: usize, node: &Node, count: usize) -> Json {
    let level = Level::ALL[usize::from(node.level)];
    let refers: Vec<String> =
        node.refers_to.iter().filter(|to| **to < count).map(|to| id(*to)).collect();
    let mut object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id(at),
        "created": time::print_millis(AT), "modified": time::print_millis(AT),
        "pattern": format!("[domain-name:value = '{}']", name(at)), "pattern_type": "stix",
        "valid_from": time::print_millis(AT), "x_seen_refs": refers,
        "object_marking_refs": [definition_id(Edition::Two, level)],
    });
    if let Some(part) = node.part {
        let mark = definition_id(Edition::Two, Level::ALL[usize::from(part)]);
        object["granular_markings"] = json!([{ "marking_ref": mark, "selectors": ["pattern"] }]);
    }
    object
}

/// How far a level goes, written out once more: 0 named persons, 1 the organisation, 3 clients, 4 community, 5 all.
fn goes(level: u8) -> usize {
    [5, 4, 3, 1, 0][usize::from(level)]
}

/// The strictest level of an object by itself.
fn own(node: &Node) -> u8 {
    [Some(node.level), node.part, node.raised].into_iter().flatten().max().unwrap_or(4)
}

/// The strictest level of all that an object's references reach, itself included.
fn whole(nodes: &[Node], at: usize) -> u8 {
    let mut reached = vec![false; nodes.len()];
    let mut open = vec![at];
    while let Some(one) = open.pop() {
        if one < nodes.len() && !reached[one] {
            reached[one] = true;
            open.extend(&nodes[one].refers_to);
        }
    }
    let levels = nodes.iter().zip(reached).filter(|(_, is)| *is).map(|(node, _)| own(node));
    levels.max().unwrap_or(4)
}

/// Whether a level may leave to an audience; RED leaves to nobody who is not named, and no exit here names anybody.
fn may(level: u8, audience: usize) -> bool {
    level < 4 && audience <= goes(level)
}

fn entry(object: &Json) -> Entry {
    Entry {
        date_added: 0,
        id: object["id"].as_str().unwrap_or_default().to_owned(),
        version: AT,
        spec_version: "2.1".to_owned(),
        bytes: object.to_string().into_bytes(),
    }
}

/// What leaves over TAXII: every page, followed to the end.
fn over_taxii(exit: &Exit, nodes: &[Node], objects: &[Json], limit: usize) -> String {
    let mut inner = Memory::default();
    let entries = objects.iter().map(entry).collect();
    inner.add("c", entries, AT).expect("added");
    let level = |node: &Node| node.raised.map(|level| Level::ALL[usize::from(level)]);
    let raised = nodes.iter().enumerate().filter_map(|(at, node)| Some((id(at), level(node)?)));
    let guarded =
        Guarded { inner, exit: exit.clone(), raised: raised.collect(), planted: Vec::new() };
    let filter = Filter::default();
    let (mut text, mut after) = (String::new(), None);
    loop {
        let window = Window { filter: &filter, after, limit };
        let page = guarded.page("c", &window).expect("page");
        for entry in &page.entries {
            let object: Json = serde_json::from_slice(&entry.bytes).expect("object");
            text.push_str(object["id"].as_str().unwrap_or_default());
            text.push_str(object["pattern"].as_str().unwrap_or_default());
        }
        after = page.entries.last().map(|entry| entry.date_added);
        if !page.more || after.is_none() {
            return text;
        }
    }
}

fn over_misp(exit: &Exit, nodes: &[Node], objects: &[Json]) -> String {
    let level = |node: &Node| node.raised.map(|level| Level::ALL[usize::from(level)]);
    let raised: BTreeMap<String, Level> =
        nodes.iter().enumerate().filter_map(|(at, node)| Some((id(at), level(node)?))).collect();
    let given = misp::events(objects.iter().map(entry).collect(), exit, &raised, "x");
    given.iter().map(|one| indicators::misp::write_event(&one.event).to_string()).collect()
}

/// What leaves in a list whose rows are marked as the nodes are by themselves.
fn over_list(exit: &Exit, nodes: &[Node], form: Form) -> String {
    let names = netname::Names::shipped();
    let planted: Vec<Planted> = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| Planted {
            key: indicators::normalise(Kind::Domain, &name(at), &names).expect("name"),
            level: Level::ALL[usize::from(own(node))],
        })
        .collect();
    let ask = Ask::new(form, AT);
    let (list, _) = render::collect(None, &Marks::default(), ask, exit, &planted).expect("list");
    let mut text = String::new();
    let mut push = |part: &str| {
        text.push_str(part);
        Ok(())
    };
    list.write(1, &mut push).expect("written");
    text
}

/// Whole names: `n1.example` stands in `n11.example`.
fn has(text: &str, at: usize) -> bool {
    text.match_indices(&name(at))
        .any(|(place, _)| !text[..place].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn nothing_leaves_that_its_marking_forbids(nodes in vec(node(), 1..8), limit in 1..5_usize) {
        let objects: Vec<Json> =
            nodes.iter().enumerate().map(|(at, node)| object(at, node, nodes.len())).collect();
        let find = |wanted: &str| objects.iter().find(|object| object["id"] == wanted);
        let default = |_: &Json| Marking::level(Level::Red);
        for (width, audience) in AUDIENCES.into_iter().enumerate() {
            let exit = Exit::to(audience);
            let taxii = over_taxii(&exit, &nodes, &objects, limit);
            let misp = over_misp(&exit, &nodes, &objects);
            let lists: Vec<String> = [Form::List, Form::Rpz, Form::SquidDomains, Form::Csv]
                .into_iter()
                .map(|form| over_list(&exit, &nodes, form))
                .collect();
            for (at, node) in nodes.iter().enumerate() {
                let (alone, with_all) = (may(own(node), width), may(whole(&nodes, at), width));
                prop_assert_eq!(has(&taxii, at), with_all, "TAXII {:?} {}", audience, at);
                prop_assert_eq!(has(&misp, at), with_all, "MISP {:?} {}", audience, at);
                for list in &lists {
                    prop_assert_eq!(has(list, at), alone, "list {:?} {}", audience, at);
                }
                // The engine's own answer, where nothing was raised since.
                if nodes.iter().all(|node| node.raised.is_none()) {
                    let id = id(at);
                    let released =
                        indicators::tlp::release(&exit, &[&id], &find, &default).is_ok();
                    prop_assert_eq!(released, with_all, "release {:?} {}", audience, at);
                }
            }
        }
        let marks = Marks::default();
        prop_assert_eq!(marks.of(Kind::Domain, Scope::Exact, "n0.example", "").level, Level::Red);
    }
}

/// A few hundred where nobody says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}
