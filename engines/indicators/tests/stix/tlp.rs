//! Nothing leaves above its exit.

use std::collections::BTreeMap;

use indicators::tlp::{
    Audience, Edition, Exit, Level, Marking, Permit, TLP_2_0_EXTENSION, definition, definition_id,
    effective, permits, read_definition, release,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common;

const AUDIENCES: [Audience; 6] = [
    Audience::Persons,
    Audience::Organisation,
    Audience::GroupCompanies,
    Audience::Clients,
    Audience::Community,
    Audience::Public,
];

type Graph = BTreeMap<String, Value>;

fn whole(graph: &Graph, root: &str, default: Level) -> Level {
    effective(&[root], &|id| graph.get(id), &|_| Marking::level(default)).marking.level
}

fn graph(objects: Value) -> Graph {
    let objects = objects.as_array().cloned().unwrap_or_default();
    objects.into_iter().map(|o| (o["id"].as_str().unwrap_or_default().to_owned(), o)).collect()
}

#[test]
fn ids_are_those_of_the_standard_and_strict_is_red_in_tlp_1() {
    for level in Level::ALL {
        let two = definition_id(Edition::Two, level);
        assert_eq!(read_definition(two), Some((Edition::Two, level)));
        let one = read_definition(definition_id(Edition::One, level)).unwrap();
        let expected = if level == Level::AmberStrict { Level::Red } else { level };
        assert_eq!(one, (Edition::One, expected));
    }
    let strict = definition(Edition::Two, Level::AmberStrict);
    assert_eq!(strict["id"], "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003");
    assert_eq!(strict["extensions"][TLP_2_0_EXTENSION]["tlp_2_0"], "amber+strict");
    assert_eq!(definition(Edition::One, Level::Clear)["definition"]["tlp"], "white");
}

#[test]
fn marks_of_the_interoperability_cases_are_read() {
    let Some(folder) = common::corpus("interop/testcases/data-markings") else { return };
    for (part, level) in [
        ("white", Level::Clear),
        ("green", Level::Green),
        ("amber", Level::Amber),
        ("red", Level::Red),
    ] {
        let files = common::files(&folder);
        let file = files.iter().find(|f| f.to_string_lossy().contains(part)).expect(part);
        let graph = graph(common::json(file)["objects"].clone());
        let root = graph.keys().find(|id| id.starts_with("indicator--")).expect("an indicator");
        assert_eq!(whole(&graph, root, Level::Clear), level, "{part}");
    }
}

#[test]
fn a_mark_that_only_claims_to_be_tlp_is_red() {
    let Some(folder) = common::corpus("spec/meta") else { return };
    let claimed = common::json(&folder.join("marking-definition-tlp-v2-clear-stix21.json"));
    let id = claimed["id"].as_str().expect("an id").to_owned();
    assert_eq!(read_definition(&id), None, "the corpus has other ids than the standard");
    let object = json!({"id": "a--1", "object_marking_refs": [id]});
    assert_eq!(whole(&graph(json!([object, claimed])), "a--1", Level::Clear), Level::Red);
}

#[test]
fn unmarked_has_the_mark_of_its_source_and_statements_limit_nothing() {
    let statement = json!({"id": "marking-definition--1", "definition_type": "statement",
        "definition": {"statement": "Copyright"}});
    let object = json!({"id": "a--1", "object_marking_refs": ["marking-definition--1"]});
    let known = graph(json!([statement, object.clone()]));
    for level in Level::ALL {
        assert_eq!(whole(&known, "a--1", level), level);
    }
    assert_eq!(
        whole(&graph(json!([object])), "a--1", Level::Clear),
        Level::Red,
        "nobody knows what it says"
    );
}

#[test]
fn what_cannot_be_read_is_red() {
    let amber = definition_id(Edition::Two, Level::Amber);
    for odd in [
        json!({"id": "a--1", "object_marking_refs": amber}),
        json!({"id": "a--1", "object_marking_refs": [1]}),
        json!({"id": "a--1", "granular_markings": {}}),
        json!({"id": "a--1", "granular_markings": [{"selectors": ["name"]}]}),
    ] {
        assert_eq!(whole(&graph(json!([odd.clone()])), "a--1", Level::Clear), Level::Red, "{odd}");
    }
}

#[test]
fn granular_marks_and_references_of_references_count() {
    let red = definition_id(Edition::Two, Level::Red);
    let objects = graph(json!([
        {"id": "report--1", "object_refs": ["note--1"]},
        {"id": "note--1", "extensions": {"x": {"deep": [{"far_ref": "identity--1"}]}}},
        {"id": "identity--1", "granular_markings": [{"selectors": ["name"], "marking_ref": red}]},
    ]));
    let whole = effective(&["report--1"], &|id| objects.get(id), &|_| Marking::level(Level::Clear));
    assert_eq!((whole.marking.level, whole.by.as_str()), (Level::Red, "identity--1"));
    assert_eq!(whole.objects, ["identity--1", "note--1", "report--1"]);
    let exit = Exit::to(Audience::Organisation);
    let (by, refusal) =
        release(&exit, &["report--1"], &|id| objects.get(id), &|_| Marking::level(Level::Clear))
            .unwrap_err();
    assert_eq!(by, "identity--1");
    assert!(refusal.to_string().contains("TLP:RED goes as far as named persons"), "{refusal}");
}

#[test]
fn persons_must_be_named_by_every_red() {
    let red = definition_id(Edition::Two, Level::Red);
    let objects = graph(json!([
        {"id": "a--1", "object_marking_refs": [red], "b_ref": "b--1", "to": ["x", "y"]},
        {"id": "b--1", "object_marking_refs": [red], "to": ["y"]},
    ]));
    let default = |value: &Value| Marking {
        persons: serde_json::from_value(value["to"].clone()).unwrap_or_default(),
        ..Marking::level(Level::Clear)
    };
    let out = |person: &str| {
        let exit = Exit { audience: Audience::Persons, persons: vec![person.to_owned()] };
        release(&exit, &["a--1"], &|id| objects.get(id), &default)
    };
    assert!(out("y").is_ok() && out("x").is_err());
}

/// An object: marks of the whole, marks of parts, references, the mark its source gives the unmarked.
type Drawn = (Vec<(bool, usize)>, Vec<(bool, usize)>, Vec<usize>, usize);

fn mark((second, level): (bool, usize)) -> &'static str {
    definition_id(if second { Edition::Two } else { Edition::One }, Level::ALL[level])
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let mark = || prop::collection::vec((any::<bool>(), 0..5_usize), 0..3);
    let object = (
        mark(),
        prop::collection::vec((any::<bool>(), 0..5_usize), 0..2),
        prop::collection::vec(0..14_usize, 0..4),
        0..5_usize,
    );
    prop::collection::vec(object, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]
    #[test]
    fn no_object_leaves_above_its_exit_and_none_is_held_without_need(
        drawn in drawn(), audience in 0..6_usize, root in 0..12_usize,
    ) {
        let id = |at: usize| format!("note--{at}");
        let objects: Graph = drawn.iter().enumerate().map(|(at, (marks, parts, refs, default))| {
            let refs: Vec<String> = refs.iter().map(|to| id(*to)).collect();
            let parts: Vec<Value> =
                parts.iter().map(|m| json!({"selectors": ["x"], "marking_ref": mark(*m)})).collect();
            let marks: Vec<&str> = marks.iter().map(|m| mark(*m)).collect();
            (id(at), json!({"id": id(at), "object_marking_refs": marks, "granular_markings": parts,
                "inner": [{"object_refs": refs}], "default": default}))
        }).collect();
        let default = |value: &Value| Marking::level(Level::ALL[value["default"].as_u64().unwrap_or(4) as usize]);
        let exit = Exit::to(AUDIENCES[audience]);
        let root = root % drawn.len();
        let released = release(&exit, &[&id(root)], &|id| objects.get(id), &default);

        // Reachable by repeated steps, and the mark of each read from what was drawn.
        let mut reached = vec![false; drawn.len()];
        reached[root] = true;
        for _ in 0..drawn.len() {
            for at in 0..drawn.len() {
                if reached[at] {
                    drawn[at].2.iter().filter(|to| **to < drawn.len()).for_each(|to| reached[*to] = true);
                }
            }
        }
        let fits = |at: usize| {
            let (marks, parts, _, default) = &drawn[at];
            let strict = |(second, level): &(bool, usize)| if !second && *level == 3 { 4 } else { *level };
            let level = marks.iter().chain(parts).map(strict).max().unwrap_or(*default);
            permits(&exit, &Marking::level(Level::ALL[level])) == Permit::Allow
        };
        let all_fit = (0..drawn.len()).filter(|at| reached[*at]).all(fits);
        match released {
            Ok(out) => {
                prop_assert!(all_fit);
                prop_assert_eq!(out.len(), reached.iter().filter(|r| **r).count());
            }
            Err(_) => prop_assert!(!all_fit),
        }
    }
}
