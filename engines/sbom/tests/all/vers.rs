//! `vers` ranges.

use proptest::prelude::*;
use sbom::vers::{Vers, VersError};

fn within(range: &str, version: &str) -> bool {
    Vers::parse(range).unwrap().contains(version).unwrap()
}

#[test]
fn the_version_of_a_constraint_decides_for_itself() {
    assert!(within("vers:npm/1.2.3|>=2.0.0|<5.0.0", "1.2.3"));
    assert!(!within("vers:npm/1.2.3|>=2.0.0|<5.0.0", "1.2.4"));
    assert!(within("vers:npm/1.2.3|>=2.0.0|<5.0.0", "2.0.0"));
    assert!(!within("vers:npm/1.2.3|>=2.0.0|<5.0.0", "5.0.0"));
    assert!(!within("vers:pypi/>=1.0|!=1.5|<2.0", "1.5.0"));
    assert!(within("vers:pypi/>=1.0|!=1.5|<2.0", "1.5.1"));
}

#[test]
fn between_an_upper_and_a_lower_bound_lies_nothing() {
    let range = "vers:deb/<1.0-1|>=2.0-1|<=2.0-3|>4";
    let inside = ["0.1", "2.0-1", "2.0-3", "4.1", "1.0-1~bpo"];
    let outside = ["1.0-1", "1.5", "3", "4", "2.0-1~rc"];
    assert!(inside.iter().all(|v| within(range, v)), "{range}");
    assert!(outside.iter().all(|v| !within(range, v)), "{range}");
}

#[test]
fn everything_and_everything_but() {
    assert!(within("vers:gem/*", "0.0.1.pre"));
    assert!(within("vers:gem/!=1.0", "2"));
    assert!(!within("vers:gem/!=1.0", "1.0.0"));
    assert!(!within("vers:gem/=1.0", "2"));
}

#[test]
fn what_is_no_range_is_refused() {
    let refused = |text| Vers::parse(text).unwrap_err();
    assert_eq!(refused("npm/1"), VersError::Scheme);
    assert_eq!(refused("vers:npm/"), VersError::Empty);
    assert_eq!(refused("vers:npm/1.0.0|*"), VersError::Star);
    assert_eq!(refused("vers:pypi/1.0|>1.0.0"), VersError::Twice("1.0.0".to_owned()));
    assert!(matches!(refused("vers:nothing/1"), VersError::Unknown(_)));
    assert!(matches!(refused("vers:npm/>=x"), VersError::Unordered(_)));
}

proptest! {
    #[test]
    fn what_is_read_prints_to_itself(
        constraints in prop::collection::vec(("(|=|!=|<|<=|>|>=)", 0u8..4, 0u8..4, "(|-rc\\.1|%2B1)"), 1..6)
    ) {
        let list: Vec<String> = constraints.iter().map(|(s, a, b, p)| format!("{s}{a}.{b}.0{p}")).collect();
        if let Ok(range) = Vers::parse(&format!("vers:npm/{}", list.join("|"))) {
            let text = range.to_string();
            let again = Vers::parse(&text).unwrap();
            prop_assert_eq!(again.to_string(), text);
            for version in ["0.0.0", "1.1.0-rc.1", "2.2.0", "3.3.0"] {
                prop_assert_eq!(again.contains(version), range.contains(version));
            }
        }
    }

    #[test]
    fn nothing_panics(text in "(vers:(npm|deb|pypi|gem)/)?\\PC{0,40}") {
        if let Ok(range) = Vers::parse(&text) {
            let _ = range.contains(&text);
        }
    }
}
