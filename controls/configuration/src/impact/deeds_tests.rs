use super::*;
use crate::impact::{
    state::Asset,
    told::{Decided, Part, Told},
};
use sbom::advisory::Advisory;

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

fn id(n: u8) -> Id {
    Id::from_parts(NOW, &[n; 10])
}

fn told(state: &str, fixed: Option<&str>) -> Told {
    let part = Part {
        name: "curl".to_owned(),
        state: state.to_owned(),
        fixed: fixed.map(str::to_owned),
        decided: (state == "not_affected").then(Decided::default),
        ..Part::default()
    };
    let touch = Touch { parts: vec![part], score: Some(98), ..Touch::default() };
    Told { touches: [("CVE-1".to_owned(), touch)].into(), ..Told::default() }
}

fn state(all: &[(u8, Told)]) -> State {
    let mut state = State::default();
    for (n, told) in all {
        state.assets.insert(id(*n), Asset::telling(told.clone()));
    }
    state.index.insert(Advisory { id: "CVE-1".to_owned(), ..Advisory::default() });
    state
}

fn owners(all: &[(u8, Owner)]) -> BTreeMap<Id, Owner> {
    all.iter().map(|(n, owner)| (id(*n), owner.clone())).collect()
}

fn note(all: &[u8]) -> Note {
    let mends = vec![("curl".to_owned(), "8.0".to_owned())];
    Note { assets: all.iter().map(|n| (id(*n), mends.clone())).collect() }
}

#[test]
fn what_can_be_mended_is_one_need_of_each_owner() {
    let state = state(&[
        (1, told("affected", Some("8.0"))),
        (2, told("affected", Some("8.0"))),
        (3, told("affected", Some("8.0"))),
        (4, told("affected", None)),
        (5, told("unknown", Some("8.0"))),
        (6, told("not_affected", Some("8.0"))),
    ]);
    let ours = Owner::Party(id(9));
    let nobody = |n| (n, Owner::Nobody);
    let owners =
        owners(&[(1, ours.clone()), (2, ours.clone()), nobody(3), nobody(4), nobody(5), nobody(6)]);
    let needs = needs(&state, &owners);
    let counts: Vec<(Owner, usize)> =
        needs.iter().map(|((_, owner), need)| (owner.clone(), need.assets.len())).collect();
    assert_eq!(counts, [(ours, 2), (Owner::Nobody, 1)]);
}

#[test]
fn a_task_says_whose_it_is_until_when_and_what_to_install() {
    let need = needs(&state(&[(1, told("affected", Some("8.0")))]), &owners(&[(1, Owner::Nobody)]));
    let ((weakness, owner), need) = need.into_iter().next().expect("one");
    let names = BTreeMap::from([(id(1), "web-1")]);
    let task = task(id(7), &weakness, &owner, &need, &names, NOW);
    assert_eq!(task.name, "CVE-1: curl → 8.0");
    assert_eq!(task.attributes["role"], "administrator");
    assert_eq!(task.ends_at, Some(NOW.plus_hours(72)));
    let text = task.attributes["description"].as_str().expect("text");
    assert!(text.contains("web-1: curl → 8.0") && text.contains("影響を受ける資産：1件"), "{text}");
    assert_eq!(key_of(&task), Some(("CVE-1".to_owned(), "role:administrator".to_owned())));
}

#[test]
fn nothing_is_done_while_one_asset_is_affected_unknown_or_runs_what_was_replaced() {
    let key = ("CVE-1".to_owned(), "role:administrator".to_owned());
    let all = owners(&[(1, Owner::Nobody), (2, Owner::Nobody)]);
    let done = |told: Told| {
        counts(&became(&state(&[(1, Told::default()), (2, told)]), &key, &note(&[1, 2]), &all))
    };
    assert_eq!(done(told("affected", Some("8.0"))), None);
    assert_eq!(done(told("unknown", None)), None);
    assert_eq!(done(Told { restart: vec!["curl".to_owned()], ..Told::default() }), None);
    assert_eq!(done(Told::default()), Some([2, 0, 0, 0]));
    assert_eq!(done(told("not_affected", None)), Some([1, 1, 0, 0]));
}

#[test]
fn what_is_gone_or_anothers_is_not_called_fixed() {
    let key = ("CVE-1".to_owned(), "role:administrator".to_owned());
    let mut state = state(&[(1, told("affected", Some("8.0"))), (2, Told::default())]);
    let all = owners(&[(1, Owner::Party(id(9))), (2, Owner::Nobody)]);
    let done = |state: &State| counts(&became(state, &key, &note(&[1, 2, 3]), &all));
    assert_eq!(done(&state), Some([1, 0, 1, 1]));
    state.index.remove(0);
    assert_eq!(done(&state), Some([0, 0, 2, 1]), "no advisory says any more what would be fixed");
}

#[test]
fn long_names_are_cut_at_a_character() {
    assert_eq!(cut("影響範囲", 2), "影響…");
    assert_eq!(cut("ab", 2), "ab");
}
