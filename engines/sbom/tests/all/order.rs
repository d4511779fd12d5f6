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
    for file in common::files(&folder, "txt") {
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
                _ if explained(*ecosystem, line) => {}
                Ok(order) => wrong.push(format!("{name}: {line}: {order:?}")),
                Err(error) => wrong.push(format!("{name}: {line}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(lines > 1000, "{lines} lines");
}

/// Lines that state something else than what their ecosystem does, each group with what that is. They are
/// lines of somebody else's library, of which these say how it treats what is no version, or when a version
/// was published.
const EXPLAINED: &[(Ecosystem, &str, &[&str])] = &[
    (
        Ecosystem::Apk,
        "`apk version --check` refuses these; what it would compare them to changed between 2 and 3",
        &[
            "1-r-0 < 1-r0",
            "1.2.0D < 1.2.0d",
            "1-r2 > 1-r-1",
            "1-r0-ruff2 = 1-r0-ruff1",
            "1.2 > 1.2_blah",
            "1.2_svn1 > 1.2_csv2",
            "1 > .1",
            "23_foo > 4_beta",
            "1.0 < 1.0bc",
        ],
    ),
    (
        Ecosystem::Maven,
        "ComparableVersion of 3.8.7 says greater: a word behind a dot, not a dash, is no list",
        &[
            "1.0.0-gradle-rework-beta3 < 1.0.0.RC7-3",
            "2.9.0-1 < 2.9.0.RC1",
            "1.1.31.sec10 < 1.1.31_noneautotype",
            "1.1.34.sec10 < 1.1.34_noneautotype",
            "1.2.8.sec10_noneautotype < 1.2.8_noneautotype",
            "1.2.48.sec10 < 1.2.48_noneautotype",
            "1.2.54.sec10 < 1.2.54_noneautotype",
            "1.2.57.sec10 < 1.2.57_noneautotype",
            "1.2.60.sec10 < 1.2.60_noneautotype",
            "1.0.0rc0 < 1.0.beta8",
            "1-1 = 1-ga-1",
        ],
    ),
    (
        Ecosystem::Composer,
        "composer/semver says so: these stand in the order of publication, which was another",
        &[
            "v4-beta4 < v4.0-alpha",
            "v1.9.0-ALPHA.2 = v1.9.0-BETA.2",
            "5.1.0-stable < 5.1.0-beta2",
            "v6.5 < v6.5.0-beta-0",
        ],
    ),
    (
        Ecosystem::Composer,
        "PHP's version_compare without Composer, which fills versions up to four numbers",
        &["1.0.0 > 1.0"],
    ),
    (
        Ecosystem::Composer,
        "VersionParser refuses these: no stability of Composer's, a placeholder, a number of 30 digits",
        &[
            "0.0.1-test1 < 3.0.0-alpha4",
            "3.0.0b1 < 3.0.0b1.post1",
            "3.0.0b1.post1 < 3.0.0b1.post2",
            "3.0.0b2 < 3.0.0b2.post1",
            "3.0.0b2.post1 < 3.0.0b2.post2",
            "3.0.0b2.post2 < 3.0.0b3",
            "3.1.0 < 3.1.0.post1",
            "3.1.0.post1 < 3.2.0rc1",
            "3.2.0rc1 < 3.2.0rc1.post1",
            "3.2.0rc1.post1 < 3.2.0rc2",
            "3.4.0 < 3.5.0.post1",
            "3.5.2.post1 < 3.6.0",
            "1.5.1.dev101 < 1.5.1a1",
            "1.2.3.# = 1.2.3",
            "1.2.3.# = 1.2.3.1",
            "1.2.3.#.1 > 1.2.3",
            "1.2.3.#.beta < 1.2.3",
            "999999999999999999999999999991.999999999999999999999999999991.999999999999999999999999999991 < 999999999999999999999999999999.999999999999999999999999999991.999999999999999999999999999991",
        ],
    ),
    (Ecosystem::Pub, "five numbers are no semantic version", &["1.1.3.4.5 = 1.1.3.4.5"]),
    (Ecosystem::Semver, "five numbers are no semantic version", &["1.1.3.4.5 = 1.1.3.4.5"]),
    (Ecosystem::Rubygems, "Gem::Version refuses a letter in the first part", &["1 > 1beta"]),
];

fn explained(ecosystem: Ecosystem, line: &str) -> bool {
    EXPLAINED.iter().any(|(e, _, lines)| *e == ecosystem && lines.contains(&line))
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
