//! CPE names: bindings and matching.

use proptest::prelude::*;
use sbom::cpe::{Cpe, Relation};

fn relation(source: &str, target: &str) -> Relation {
    Cpe::parse(source).unwrap().relation(&Cpe::parse(target).unwrap())
}

#[test]
fn both_bindings_mean_the_same() {
    let uri =
        Cpe::parse("cpe:/a:hp:insight_diagnostics:7.4.0.1570:-:~~online~win2003~x64~").unwrap();
    let text = "cpe:2.3:a:hp:insight_diagnostics:7.4.0.1570:-:*:*:online:win2003:x64:*";
    assert_eq!(uri, Cpe::parse(text).unwrap());
    assert_eq!(uri.to_string(), text);
    let escaped =
        Cpe::parse(r"cpe:2.3:a:foo\\bar:big\$money:2010:*:*:*:special:ipod_touch:80gb:*").unwrap();
    assert_eq!(escaped.product(), Some(("foo\\bar", "big$money")));
    let wild = Cpe::parse("cpe:/a:microsoft:internet_explorer:8.%02:sp%01").unwrap();
    assert_eq!(wild.to_string(), "cpe:2.3:a:microsoft:internet_explorer:8.*:sp?:*:*:*:*:*:*");
}

#[test]
fn names_stand_to_each_other_as_the_table_says() {
    let product = "cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:*:*:*:*:*";
    let is = |source: &str, expected| assert_eq!(relation(source, product), expected, "{source}");
    is(product, Relation::Equal);
    is("cpe:2.3:a:microsoft:internet_explorer:*:*:*:*:*:*:*:*", Relation::Superset);
    is("cpe:2.3:a:microsoft:internet_explorer:8.*:beta:*:*:*:*:*:*", Relation::Superset);
    is("cpe:2.3:a:microsoft:internet_explorer:9.*:beta:*:*:*:*:*:*", Relation::Disjoint);
    is("cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:en:*:*:*:*", Relation::Subset);
    is("cpe:2.3:a:microsoft:internet_explorer:*:*:*:en:*:*:*:*", Relation::Undefined);
    is("cpe:2.3:a:microsoft:internet_explorer:-:*:*:*:*:*:*:*", Relation::Disjoint);
    // A question mark stands for at most one character.
    is("cpe:2.3:a:microsoft:internet_explorer:8.0.600?:beta:*:*:*:*:*:*", Relation::Superset);
    is("cpe:2.3:a:microsoft:internet_explorer:8.0.60?:beta:*:*:*:*:*:*", Relation::Disjoint);
}

#[test]
fn what_is_no_name_is_refused() {
    for text in [
        "cpe:2.3:a:b",
        "cpe:2.3:a:v:p:1*2:*:*:*:*:*:*:*",
        "cpe:2.3:a:v::1:*:*:*:*:*:*:*",
        "http://x",
        "cpe:2.3:a:v:p:?*:*:*:*:*:*:*:*",
    ] {
        assert!(Cpe::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_read_prints_to_itself(values in prop::collection::vec("(\\*|-|[a-z0-9._]{1,5}|\\*a|a\\?\\?|a\\\\:b|x-y)", 11)) {
        let text = format!("cpe:2.3:{}", values.join(":"));
        if let Ok(cpe) = Cpe::parse(&text) {
            prop_assert_eq!(Cpe::parse(&cpe.to_string()).unwrap(), cpe);
        }
    }

    #[test]
    fn nothing_panics(text in "(cpe:2\\.3:|cpe:/)\\PC{0,60}") {
        let _ = Cpe::parse(&text);
    }
}
