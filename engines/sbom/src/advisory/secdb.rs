//! Alpine's secdb: for each source package the versions that fixed something, and what.

use serde_json::Value;

use super::{Advisory, Affected, Event, Package, Range, Read, Said, release, text};
use crate::{
    bom::{Problem, Rule},
    order::Ecosystem,
};

pub(super) fn read(value: &Value, out: &mut Read) {
    let name = text(value, "distroversion");
    let mut order: Vec<String> = Vec::new();
    let mut by_id: std::collections::HashMap<String, Advisory> = std::collections::HashMap::new();
    let packages = value.get("packages").and_then(Value::as_array);
    for (index, one) in packages.into_iter().flatten().enumerate() {
        let at = format!("/packages/{index}/pkg");
        let package = one.get("pkg").unwrap_or(&Value::Null);
        let (Some(source), Some(fixes)) =
            (text(package, "name"), package.get("secfixes").and_then(Value::as_object))
        else {
            let what = "a package needs name and secfixes";
            out.problems.push(Problem::at(at, Rule::Schema, what));
            continue;
        };
        for (version, ids) in fixes {
            let Some(ids) = ids.as_array() else {
                let what = "a list of weaknesses belongs here";
                out.problems.push(Problem::at(
                    format!("{at}/secfixes/{version}"),
                    Rule::Schema,
                    what,
                ));
                continue;
            };
            let package = Package::Distribution {
                order: Ecosystem::Apk,
                distribution: "alpine".to_owned(),
                release: name.as_deref().map(|n| release("alpine", n)),
                name: source.clone(),
            };
            // Several names of one weakness stand in one text.
            for group in ids.iter().filter_map(Value::as_str) {
                let mut names = group.split_ascii_whitespace();
                let Some(id) = names.next() else { continue };
                let advisory = by_id.entry(id.to_owned()).or_insert_with(|| {
                    order.push(id.to_owned());
                    Advisory { id: id.to_owned(), ..Advisory::default() }
                });
                advisory.aliases.extend(names.map(str::to_owned));
                advisory.affected.push(affected(package.clone(), version));
            }
        }
    }
    out.advisories.extend(order.into_iter().filter_map(|id| by_id.remove(&id)));
}

/// "Fixed in 0" says that the package never had it.
fn affected(package: Package, version: &str) -> Affected {
    let start = Event::Introduced("0".to_owned());
    let (events, said) = match version {
        "0" => (vec![start], Said::NotAffected),
        version => (vec![start, Event::Fixed(version.to_owned())], Said::Affected),
    };
    Affected { package, versions: Vec::new(), ranges: vec![Range::Events(events)], said }
}
