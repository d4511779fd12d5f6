//! Stacks of PAM by service and type, with includes where they stand.

use std::collections::BTreeMap;

use super::{Sink, Text, base, lines, val};
use crate::{
    bytes::Bytes,
    fact::{Class, Origin, Value},
};

const TYPES: [&str; 4] = ["auth", "account", "password", "session"];
const DEPTH_MAX: usize = 16;
const LINES_MAX: usize = 2_000;

#[derive(Clone)]
struct Rule {
    kind: String,
    /// `control module arguments`.
    text: String,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let mut services = BTreeMap::new();
    for folder in ["/usr/lib/pam.d", "/etc/pam.d"] {
        for text in sink.matching(&format!("{folder}/*")) {
            services.insert(base(&text.path).to_owned(), text);
        }
    }
    let names: Vec<String> = services.keys().cloned().collect();
    for name in names {
        let mut problems = Vec::new();
        let mut stacks: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for rule in expand(&name, None, &services, 0, &mut problems) {
            let Some(kind) = TYPES.iter().find(|kind| **kind == rule.kind) else { continue };
            stacks.entry(kind).or_default().push(val(&rule.text));
        }
        let path = services[&name].path.clone();
        for (path, line, why) in problems {
            sink.problem(&path, line, why);
        }
        for (kind, stack) in stacks {
            let key = format!("{name}/{kind}");
            let origin = Origin::File(Bytes::parse(&path), 0);
            sink.add(Class::Pam, Bytes::parse(&key), Value::List(stack), origin);
        }
    }
    if let Some(text) = sink.text("/etc/security/faillock.conf") {
        super::plain::assignments(sink, Class::Pam, &text, "faillock");
    }
    if let Some(text) = sink.text("/etc/security/pwquality.conf") {
        super::plain::assignments(sink, Class::Pam, &text, "pwquality");
    }
}

type Problems = Vec<(String, u32, &'static str)>;

/// Rules of a service; `only` one type, for `type include name`.
fn expand(
    name: &str,
    only: Option<&str>,
    services: &BTreeMap<String, Text>,
    depth: usize,
    problems: &mut Problems,
) -> Vec<Rule> {
    let Some(text) = services.get(base(name)) else { return Vec::new() };
    let mut rules = Vec::new();
    let mut joined = String::new();
    for (number, line) in lines(&text.text) {
        let line = line.split('#').next().unwrap_or_default();
        if let Some(more) = line.strip_suffix('\\') {
            joined.push_str(more);
            continue;
        }
        joined.push_str(line);
        let whole = std::mem::take(&mut joined);
        let whole = whole.trim();
        if whole.is_empty() {
            continue;
        }
        if depth > DEPTH_MAX || rules.len() > LINES_MAX {
            problems.push((text.path.clone(), number, "include too deep"));
            return rules;
        }
        if let Some(target) = whole.strip_prefix("@include") {
            rules.extend(expand(target.trim(), only, services, depth + 1, problems));
            continue;
        }
        match rule(whole) {
            Some((kind, _, _)) if only.is_some_and(|only| only != kind) => {}
            Some((kind, control @ ("include" | "substack"), target)) => {
                let inner = expand(target, Some(kind), services, depth + 1, problems);
                // A substack ends at its own `die` or `done`, so where it begins and ends counts.
                let marks = control == "substack";
                let mark = |text: String| Rule { kind: kind.to_owned(), text };
                rules.extend(marks.then(|| mark(format!("substack {target} {{"))));
                rules.extend(inner);
                rules.extend(marks.then(|| mark("}".to_owned())));
            }
            Some((kind, control, module)) => {
                let words: Vec<&str> = module.split_whitespace().collect();
                rules.push(Rule {
                    kind: kind.to_owned(),
                    text: format!("{control} {}", words.join(" ")),
                });
            }
            None => problems.push((text.path.clone(), number, "not a rule of PAM")),
        }
    }
    rules
}

/// Type, control and the rest; control may be a list in brackets.
fn rule(line: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let kind = kind.trim_start_matches('-');
    let rest = rest.trim_start();
    let end = match rest.starts_with('[') {
        true => rest.find(']')? + 1,
        false => rest.find(char::is_whitespace)?,
    };
    let (control, module) = rest.split_at(end);
    let kind = TYPES.iter().find(|known| known.eq_ignore_ascii_case(kind))?;
    Some((kind, control, module.trim()))
}
