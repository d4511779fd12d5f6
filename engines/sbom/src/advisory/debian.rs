//! Debian's security tracker: source package, CVE, and for each release a state and the version that fixed it.

use serde_json::{Map, Value};

use super::{Advisory, Affected, Event, Package, Range, Read, Said, release, text};
use crate::{
    bom::{Problem, Rule},
    order::Ecosystem,
};

/// Whether a member looks like a source package: weaknesses with releases.
pub(super) fn is_package(value: &Value) -> bool {
    value.as_object().is_some_and(|o| o.values().all(Value::is_object))
}

pub(super) fn read(value: &Value, out: &mut Read) {
    // One advisory a CVE, however many packages have it.
    let mut order: Vec<String> = Vec::new();
    let mut by_id: std::collections::HashMap<String, Advisory> = std::collections::HashMap::new();
    for (package, weaknesses) in value.as_object().into_iter().flatten() {
        for (id, weakness) in weaknesses.as_object().into_iter().flatten() {
            let at = format!("/{}/{}", escaped(package), escaped(id));
            let Some(releases) = weakness.get("releases").and_then(Value::as_object) else {
                let what = "an entry of the tracker needs releases";
                out.problems.push(Problem::at(at + "/releases", Rule::Schema, what));
                continue;
            };
            let advisory = by_id.entry(id.clone()).or_insert_with(|| {
                order.push(id.clone());
                let title = text(weakness, "description");
                Advisory { id: id.clone(), title, ..Advisory::default() }
            });
            affected(package, releases, &at, advisory, &mut out.problems);
        }
    }
    out.advisories.extend(order.into_iter().filter_map(|id| by_id.remove(&id)));
}

fn affected(
    package: &str,
    releases: &Map<String, Value>,
    at: &str,
    advisory: &mut Advisory,
    problems: &mut Vec<Problem>,
) {
    for (name, state) in releases {
        let fixed = text(state, "fixed_version");
        let from_start = |then: Vec<Event>| {
            let start = Event::Introduced("0".to_owned());
            vec![Range::Events([start].into_iter().chain(then).collect())]
        };
        let (ranges, said) = match (text(state, "status").as_deref(), fixed) {
            // "0" says that the package of this release never had it.
            (Some("resolved"), Some(fixed)) if fixed == "0" => {
                (from_start(vec![]), Said::NotAffected)
            }
            (Some("resolved"), Some(fixed)) => {
                (from_start(vec![Event::Fixed(fixed)]), Said::Affected)
            }
            (Some("open"), _) => (from_start(vec![]), Said::Affected),
            (Some("undetermined"), _) => (from_start(vec![]), Said::Open),
            _ => {
                let what =
                    "a release needs the status resolved with fixed_version, open, or undetermined";
                problems.push(Problem::at(format!("{at}/releases/{name}"), Rule::Schema, what));
                continue;
            }
        };
        advisory.affected.push(Affected {
            package: Package::Distribution {
                order: Ecosystem::Dpkg,
                distribution: "debian".to_owned(),
                release: Some(release("debian", name)),
                name: package.to_owned(),
            },
            versions: Vec::new(),
            ranges,
            said,
        });
    }
}

/// A name as a step of a pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
