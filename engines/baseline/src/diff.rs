//! What differs between two sets of facts.
//!
//! A fact that is gone where its file or a folder above it was not read is no difference; fingerprints
//! made under different keys are not compared.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    bytes::Bytes,
    fact::{Class, Facts, Layer, Origin, Unread, Value},
};

/// One fact that differs; `None` where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    pub class: Class,
    pub name: Bytes,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Of the newer fact where there is one.
    pub origin: Origin,
}

impl Delta {
    /// `class/name` for people.
    pub fn path(&self) -> String {
        format!("{}/{}", self.class.as_str(), self.name)
    }

    /// Attributes of a map that differ, or the whole values under an empty name.
    pub fn parts(&self) -> Vec<(String, Value, Value)> {
        let (Some(Value::Map(before)), Some(Value::Map(after))) = (&self.before, &self.after)
        else {
            let side = |value: &Option<Value>| value.clone().unwrap_or(Value::Absent);
            return vec![(String::new(), side(&self.before), side(&self.after))];
        };
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let part = |map: &std::collections::BTreeMap<String, Value>, name: &String| {
            map.get(name).cloned().unwrap_or(Value::Absent)
        };
        let parts =
            names.into_iter().map(|name| (name.clone(), part(before, name), part(after, name)));
        parts.filter(|(_, before, after)| before != after).collect()
    }
}

impl Serialize for Delta {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = serde_json::json!({
            "layer": self.class.layer().as_str(),
            "class": self.class.as_str(),
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "origin": self.origin,
        });
        json.serialize(serializer)
    }
}

/// All that differs, sorted by class and name, whatever was read; the origin is left out.
pub(crate) fn diff(old: &Facts, new: &Facts) -> Vec<Delta> {
    let mut deltas = Vec::new();
    let (mut one, mut two) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let (before, after) = match (one.peek(), two.peek()) {
            (None, None) => return deltas,
            (Some(a), Some(b)) => match a.key().cmp(&b.key()) {
                std::cmp::Ordering::Equal => (one.next(), two.next()),
                std::cmp::Ordering::Less => (one.next(), None),
                std::cmp::Ordering::Greater => (None, two.next()),
            },
            (Some(_), None) => (one.next(), None),
            (None, Some(_)) => (None, two.next()),
        };
        let Some(any) = after.or(before) else { return deltas };
        let (class, name) = (any.class, any.name.clone());
        let (before, after) = (before.map(|f| f.value.clone()), after.map(|f| f.value.clone()));
        if before != after {
            deltas.push(Delta { class, name, before, after, origin: Origin::Default });
        }
    }
}

/// What changed from `old` to `new`.
pub fn changes(old: &Facts, new: &Facts) -> Vec<Delta> {
    let mut deltas = diff(old, new);
    for delta in &mut deltas {
        let key = delta.name.as_slice();
        if let Some(fact) = new.get(delta.class, key).or_else(|| old.get(delta.class, key)) {
            delta.origin = fact.origin.clone();
        }
    }
    let same_key = old.key_id == new.key_id || old.key_id.is_empty() || new.key_id.is_empty();
    withhold(&mut deltas, &old.unread, &new.unread, same_key);
    deltas
}

/// Takes out what only looks like a change: one side did not read it, or the keys differ.
pub fn withhold(deltas: &mut Vec<Delta>, old: &[Unread], new: &[Unread], same_key: bool) {
    let places =
        |unread: &[Unread]| unread.iter().map(|one| place(&one.place)).collect::<BTreeSet<_>>();
    let (missed_before, missed_after) = (places(old), places(new));
    deltas.retain(|delta| {
        let missed = (delta.before.is_none() && is_missed(delta, &missed_before))
            || (delta.after.is_none() && is_missed(delta, &missed_after));
        !missed && !is_other_form(delta) && (same_key || !is_keyed(delta))
    });
}

/// Roots of packages that were made in two ways are not compared.
fn is_other_form(delta: &Delta) -> bool {
    let is_new = |value: &Value| value.get("content").is_some();
    match (&delta.before, &delta.after) {
        (Some(before), Some(after)) if delta.class == Class::PackageFiles => {
            is_new(before) != is_new(after)
        }
        _ => false,
    }
}

/// The path of an unread place, its line left out.
fn place(place: &Bytes) -> Vec<u8> {
    let bytes = place.as_slice();
    let at = bytes.iter().rposition(|byte| *byte == b':');
    match at.filter(|at| bytes[at + 1..].iter().all(u8::is_ascii_digit) && at + 1 < bytes.len()) {
        Some(at) => bytes[..at].to_vec(),
        None => bytes.to_vec(),
    }
}

fn is_missed(delta: &Delta, unread: &BTreeSet<Vec<u8>>) -> bool {
    let of_origin = match &delta.origin {
        Origin::File(path, _) => above(path.as_slice(), unread),
        _ => false,
    };
    of_origin || (delta.class == Class::File && above(delta.name.as_slice(), unread))
}

/// Whether the path, or a folder above it, is among them.
fn above(path: &[u8], unread: &BTreeSet<Vec<u8>>) -> bool {
    let ends =
        path.iter().enumerate().filter(|(at, byte)| **byte == b'/' && *at > 0).map(|(at, _)| at);
    ends.chain([path.len()]).any(|end| unread.contains(&path[..end]))
}

/// A difference of fingerprints alone.
fn is_keyed(delta: &Delta) -> bool {
    if delta.class.layer() == Layer::Secrets {
        return delta.before.is_some() && delta.after.is_some();
    }
    delta.parts().iter().all(|(name, before, after)| {
        let fingerprint = |value: &Value| matches!(value, Value::Secret(_));
        (fingerprint(before) && fingerprint(after)) || matches!(name.as_str(), "content")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fact::Fact, testing};

    #[test]
    fn a_change_is_one_delta_with_its_parts() {
        let old =
            testing::facts(&[("/etc/passwd", "a:x:1:1::/:/bin/sh\n"), ("/etc/hostname", "h\n")]);
        let new =
            testing::facts(&[("/etc/passwd", "a:x:2:1::/:/bin/sh\n"), ("/etc/hostname", "h\n")]);
        let deltas = changes(&old, &new);
        let parts = deltas.iter().find(|d| d.class == Class::User).expect("user").parts();
        assert_eq!(parts, [("uid".to_owned(), Value::Int(1), Value::Int(2))]);
        assert_eq!(deltas.len(), 1, "{deltas:?}");
    }

    #[test]
    fn what_was_not_read_is_no_removal() {
        let fact = |name: &str, origin: &str| Fact {
            class: Class::User,
            name: name.into(),
            value: Value::Int(1),
            origin: Origin::File(origin.into(), 1),
        };
        let old = Facts::new(vec![fact("a", "/etc/passwd"), fact("b", "/other/x")]);
        let mut new = Facts::new(Vec::new());
        new.unread = vec![Unread { place: "/etc".into(), reason: "denied".into() }];
        let names: Vec<String> = changes(&old, &new).iter().map(|d| d.name.to_string()).collect();
        assert_eq!(names, ["b"]);
    }
}
