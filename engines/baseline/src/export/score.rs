//! How close a rebuilt host came to the real one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MANAGED, Project, Reason, Residual};
use crate::{
    fact::{Class, Fact, Facts, Fingerprint, Value},
    secret::REFERENCE,
};

/// A difference that nobody declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub fact: String,
    /// What the host has; nothing where only the twin has it.
    pub real: Option<String>,
    pub twin: Option<String>,
}

/// The outcome of a proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    pub equal: u64,
    /// Facts of layers 2 to 5 that either side has.
    pub managed: u64,
    pub residuals: Vec<Residual>,
    pub silent: Vec<Loss>,
}

impl Rebuild {
    /// Equal of managed facts, rounded down.
    pub fn permille(&self) -> u64 {
        (self.equal * 1_000).checked_div(self.managed).unwrap_or(0)
    }

    /// At least 99 % are equal and nothing was lost silently.
    pub fn holds(&self) -> bool {
        self.silent.is_empty() && self.equal * 100 >= self.managed * 99 && self.managed > 0
    }
}

const SHOWN_CHARS: usize = 200;

/// Holds a twin against the host it was built after. What the project declared is a residual if it is
/// really no more than that: where a secret was declared, all else has to be equal.
pub fn score(host: &str, real: &Facts, twin: &Facts, project: &Project) -> Rebuild {
    let declared: BTreeMap<&str, Reason> = project
        .residuals
        .iter()
        .filter(|residual| residual.host == host)
        .map(|residual| (residual.fact.as_str(), residual.reason))
        .collect();
    let (left, mut right) = (by_key(real), by_key(twin));
    let mut rebuild = Rebuild::default();
    for (key, fact) in left {
        rebuild.managed += 1;
        let other = right.remove(&key);
        if other.is_some_and(|other| other.value == fact.value && other.name == fact.name) {
            rebuild.equal += 1;
            continue;
        }
        let path = fact.path();
        let reason = declared.get(path.as_str()).copied();
        let excused = match (reason, other) {
            // The sum over the files of a package differs as one of them does.
            (Some(Reason::Secret), Some(_)) if fact.class == Class::PackageFiles => true,
            (Some(Reason::Secret), Some(other)) if is_whole(fact, project) => {
                without_content(&fact.value) == without_content(&other.value)
            }
            (Some(Reason::Secret), Some(other)) => is_equal_but_secrets(fact, real, other, twin),
            // A secret that is gone, or whose place is not built, is lost.
            (Some(Reason::Secret), None) => fact.class == Class::Secret,
            (Some(_), _) => true,
            (None, _) => false,
        };
        match reason.filter(|_| excused) {
            Some(reason) => {
                rebuild.residuals.push(Residual { host: host.to_owned(), fact: path, reason })
            }
            None => rebuild.silent.push(loss(path, Some(fact), other)),
        }
    }
    for fact in right.into_values() {
        rebuild.managed += 1;
        // A stand-in of a secret has a fingerprint too.
        if fact.class == Class::Secret
            && project.secrets.keys().any(|place| fact.name.to_string() == *place)
        {
            continue;
        }
        rebuild.silent.push(loss(fact.path(), None, Some(fact)));
    }
    rebuild
}

fn loss(fact: String, real: Option<&Fact>, twin: Option<&Fact>) -> Loss {
    let shown = |fact: &Fact| fact.value.shown().chars().take(SHOWN_CHARS).collect();
    Loss { fact, real: real.map(shown), twin: twin.map(shown) }
}

/// Facts by class and name, fingerprints in names left out; of names that become alike each keeps its
/// place in their order.
fn by_key(facts: &Facts) -> BTreeMap<(Class, Vec<u8>, usize), &Fact> {
    let mut all = BTreeMap::new();
    for fact in MANAGED.iter().flat_map(|layer| facts.layer(*layer)) {
        let name = masked_bytes(fact.name.as_slice());
        let mut number = 0;
        while all.contains_key(&(fact.class, name.clone(), number)) {
            number += 1;
        }
        all.insert((fact.class, name, number), fact);
    }
    all
}

fn is_equal_but_secrets(fact: &Fact, real: &Facts, other: &Fact, twin: &Facts) -> bool {
    let (mut a, mut b) = (masked(&fact.value), masked(&other.value));
    if let (Value::Map(a), Value::Map(b)) = (&mut a, &mut b) {
        let text = |value: Option<Value>, facts: &Facts| {
            let hex = value?.as_str()?.to_owned();
            let mut hash = [0; 32];
            hex::decode_to_slice(&hex, &mut hash).ok()?;
            facts.blobs.get(&hash).map(|bytes| masked_bytes(bytes))
        };
        let same = text(a.remove("content"), real) == text(b.remove("content"), twin);
        if !same {
            return false;
        }
    }
    a == b
}

/// Whether a file comes back only as a whole, from where its secret is looked up.
fn is_whole(fact: &Fact, project: &Project) -> bool {
    fact.class == Class::File && project.secrets.contains_key(&format!("files{}", fact.name))
}

fn without_content(value: &Value) -> Value {
    let Value::Map(map) = value else { return value.clone() };
    let kept = map.iter().filter(|(name, _)| !matches!(&***name, "content" | "sha256" | "keyed"));
    Value::Map(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn masked(value: &Value) -> Value {
    match value {
        Value::Secret(_) => Value::Secret(Fingerprint([0; 16])),
        Value::Text(bytes) => Value::Text(masked_bytes(bytes.as_slice()).into()),
        Value::List(list) => Value::List(list.iter().map(masked).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), masked(v))).collect()),
        other => other.clone(),
    }
}

/// The bytes with the fingerprints of references left out.
fn masked_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, REFERENCE.as_bytes()) {
        let (head, tail) = rest.split_at(at + REFERENCE.len());
        out.extend_from_slice(head);
        rest = match memchr::memmem::find(tail, b"}}") {
            Some(end) => &tail[end..],
            None => tail,
        };
    }
    out.extend_from_slice(rest);
    out
}
