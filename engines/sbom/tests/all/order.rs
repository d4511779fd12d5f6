//! The order of versions against lines that others wrote, and its laws.

use std::cmp::Ordering;

use proptest::prelude::*;
use sbom::order::{Ecosystem, order};

use crate::common;

/// Files of the corpus and whose order they state.
const FILES: &[(&str, Ecosystem)] = &[
    ("alpine", Ecosystem::Apk),
    ("cran", Ecosystem::Cran),
    ("debian", Ecosystem::Dpkg),
    ("hackage", Ecosystem::Hackage),
    ("maven", Ecosystem::Maven),
    ("nuget", Ecosystem::Nuget),
    ("packagist", Ecosystem::Composer),
    ("pub", Ecosystem::Pub),
    ("pypi", Ecosystem::Pypi),
    ("redhat", Ecosystem::Rpm),
    ("rubygems", Ecosystem::Rubygems),
    ("semver", Ecosystem::Semver),
];

#[test]
fn every_line_of_the_corpus() {
    let Some(folder) = common::corpus("versions") else { return };
    let (mut lines, mut wrong) = (0, Vec::new());
    for file in common::files(&folder, ".txt") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let Some((_, ecosystem)) = FILES.iter().find(|(f, _)| name.starts_with(f)) else {
            panic!("{name}: whose versions are these?");
        };
        let text = common::text(&file);
        for line in text.lines().map(str::trim) {
            let Some((a, expected, b)) = stated(line) else { continue };
            lines += 1;
            match order(*ecosystem, a, b) {
                Ok(order) if order == expected => {}
                other if explained(*ecosystem, line) => drop(other),
                Ok(order) => wrong.push(format!("{name}: {line}: {order:?}")),
                Err(error) => wrong.push(format!("{name}: {line}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(lines > 1000, "{lines} lines");
}

/// Lines that state something else than what their ecosystem does, and why.
fn explained(_: Ecosystem, _: &str) -> bool {
    false
}

fn stated(line: &str) -> Option<(&str, Ordering, &str)> {
    if line.starts_with('#') || line.starts_with("//") {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (a, sign, b) = (words.next()?, words.next()?, words.next()?);
    let order = match sign {
        "<" => Ordering::Less,
        "=" => Ordering::Equal,
        ">" => Ordering::Greater,
        _ => return None,
    };
    Some((a, order, b))
}

/// Versions in which the parts that comparisons look at meet often.
fn version() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "0", "1", "2", "10", "00", "a", "b", "rc", "alpha", "dev", "post", "p", "final", "sp",
            ".", ".", ".", "-", "-", "_", "+", "~", "^", ":", "!", "v", "1.0", "1.0.0", "-r1", "x",
        ]),
        1..8,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", other in version()) {
        for ecosystem in Ecosystem::ALL {
            let _ = order(ecosystem, &text, &other);
        }
    }

    #[test]
    fn the_order_is_reflexive_antisymmetric_and_transitive(a in version(), b in version(), c in version()) {
        for ecosystem in Ecosystem::ALL {
            let (Ok(x), Ok(y), Ok(z)) = (ecosystem.key(&a), ecosystem.key(&b), ecosystem.key(&c)) else {
                continue;
            };
            prop_assert_eq!(x.compare(&x), Some(Ordering::Equal));
            prop_assert_eq!(x.compare(&y), y.compare(&x).map(Ordering::reverse));
            // Maven's own comparison knows circles.
            if ecosystem == Ecosystem::Maven {
                continue;
            }
            let (Some(xy), Some(yz), Some(xz)) = (x.compare(&y), y.compare(&z), x.compare(&z)) else {
                continue;
            };
            if xy == yz {
                prop_assert_eq!(xz, xy, "{}: {} {} {}", ecosystem, a, b, c);
            }
            if xy == Ordering::Equal {
                prop_assert_eq!(xz, yz, "{}: {} {} {}", ecosystem, a, b, c);
            }
        }
    }
}
