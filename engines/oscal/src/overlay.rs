//! A new export laid over the file that was read before: what the export says wins, what it does not say
//! stays as it was, wherever it stood.

use std::collections::{HashMap, VecDeque};

use crate::{
    document::Document,
    node::{Members, Node},
    pointer::{self, Step},
};

/// What an object in a list is known by, first that both have. Natural names come before UUIDs: another
/// program's file names the same control by another UUID.
const KNOWN_BY: [&str; 10] = [
    "control-id",
    "statement-id",
    "param-id",
    "component-uuid",
    "role-id",
    "id",
    "risk-uuid",
    "observation-uuid",
    "subject-uuid",
    "uuid",
];

/// The outcome of [`overlay`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlaid {
    pub document: Document,
    /// Pointers into it: what came from the earlier document alone
    pub kept: Vec<String>,
}

/// Lays `fresh` over `earlier`. Objects in lists are matched by what they are known by; a matched object
/// keeps its earlier `uuid`, and references of `fresh` to it follow. Properties of a namespace that `fresh`
/// uses are its own, and replaced. Lists with items that are known by nothing are taken from `fresh` whole.
pub fn overlay(earlier: &Document, fresh: &Document) -> Overlaid {
    let mut fresh = fresh.root.clone();
    let mut same = HashMap::new();
    same_uuids(&earlier.root, &fresh, &mut same);
    rename(&mut fresh, &same);
    let mut merger = Merger { path: Vec::new(), kept: Vec::new() };
    let root = merger.merge(&earlier.root, fresh);
    Overlaid { document: Document::from(root), kept: merger.kept }
}

/// UUIDs of the fresh document that name what the earlier one knows by another.
fn same_uuids(earlier: &Node, fresh: &Node, same: &mut HashMap<String, String>) {
    match (earlier, fresh) {
        (Node::Object(old), Node::Object(new)) => {
            let uuids =
                (old.get("uuid").and_then(Node::text), new.get("uuid").and_then(Node::text));
            if let (Some(old), Some(new)) = uuids
                && old != new
            {
                same.insert(new.to_owned(), old.to_owned());
            }
            for (name, value) in new.iter() {
                if let Some(before) = old.get(name) {
                    same_uuids(before, value, same);
                }
            }
        }
        (Node::List(old), Node::List(new)) => {
            let pairs = Pairs::of(old, new);
            for (at, item) in new.iter().enumerate() {
                if let Some(before) = pairs.earlier(at) {
                    same_uuids(&old[before], item, same);
                }
            }
        }
        _ => {}
    }
}

fn rename(node: &mut Node, same: &HashMap<String, String>) {
    match node {
        Node::Text(text) => {
            if let Some(old) = same.get(text.as_str()) {
                *text = old.clone();
            } else if let Some(old) = text.strip_prefix('#').and_then(|id| same.get(id)) {
                *text = format!("#{old}");
            }
        }
        Node::List(items) => items.iter_mut().for_each(|item| rename(item, same)),
        Node::Object(members) => {
            members.values_mut().for_each(|value| rename(value, same));
        }
        _ => {}
    }
}

/// Which item of the earlier list each item of the fresh one is.
struct Pairs {
    earlier: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Pairs {
    fn of(old: &[Node], new: &[Node]) -> Pairs {
        let mut by_key: HashMap<(&str, &str), VecDeque<usize>> = HashMap::new();
        for (at, item) in old.iter().enumerate() {
            for key in keys(item) {
                by_key.entry(key).or_default().push_back(at);
            }
        }
        let mut taken = vec![false; old.len()];
        let mut take = |key| {
            let all = by_key.get_mut(&key)?;
            while let Some(at) = all.pop_front() {
                if !std::mem::replace(&mut taken[at], true) {
                    return Some(at);
                }
            }
            None
        };
        let earlier = new.iter().map(|item| keys(item).find_map(&mut take)).collect();
        Pairs { earlier, taken }
    }

    fn earlier(&self, fresh: usize) -> Option<usize> {
        self.earlier.get(fresh).copied().flatten()
    }
}

fn keys(item: &Node) -> impl Iterator<Item = (&'static str, &str)> {
    KNOWN_BY.iter().filter_map(|name| Some((*name, item.text_of(name)?)))
}

fn is_prop(item: &Node) -> bool {
    item.text_of("name").is_some() && item.text_of("value").is_some()
}

/// Properties of the earlier list that the fresh one does not speak of: of a namespace it does not use, or
/// without one and of a name it does not use.
fn other_props<'a>(old: &'a [Node], new: &[Node]) -> Vec<&'a Node> {
    let spoken = |before: &Node| {
        new.iter().any(|prop| match (before.get("ns"), prop.get("ns")) {
            (None, None) => before.get("name") == prop.get("name"),
            (before, ns) => before == ns,
        })
    };
    old.iter().filter(|before| !spoken(before)).collect()
}

struct Merger<'a> {
    path: Vec<Step<'a>>,
    kept: Vec<String>,
}

impl<'a> Merger<'a> {
    fn merge(&mut self, earlier: &'a Node, fresh: Node) -> Node {
        match (earlier, fresh) {
            (Node::Object(old), Node::Object(new)) => Node::Object(self.members(old, new)),
            (Node::List(old), Node::List(new))
                if old.iter().chain(&new).all(|item| keys(item).next().is_some()) =>
            {
                Node::List(self.items(old, new))
            }
            (Node::List(old), Node::List(new)) if old.iter().chain(&new).all(is_prop) => {
                let others = other_props(old, &new);
                Node::List(self.and_kept(new, others))
            }
            (_, fresh) => fresh,
        }
    }

    fn members(&mut self, old: &'a Members, mut new: Members) -> Members {
        let mut out = Members::new();
        for (name, before) in old.iter() {
            self.path.push(Step::Member(name));
            let value = match new.remove(name) {
                Some(value) => self.merge(before, value),
                None => {
                    self.kept.push(pointer::of(&self.path));
                    before.clone()
                }
            };
            self.path.pop();
            out.push_new(name.to_owned(), value);
        }
        for (name, value) in new {
            out.push_new(name, value);
        }
        out
    }

    fn items(&mut self, old: &'a [Node], new: Vec<Node>) -> Vec<Node> {
        let pairs = Pairs::of(old, &new);
        let mut out = Vec::with_capacity(new.len());
        for (at, item) in new.into_iter().enumerate() {
            self.path.push(Step::Item(at));
            out.push(match pairs.earlier(at) {
                Some(before) => self.merge(&old[before], item),
                None => item,
            });
            self.path.pop();
        }
        let left = old.iter().zip(&pairs.taken).filter(|(_, taken)| !**taken);
        self.and_kept(out, left.map(|(before, _)| before).collect())
    }

    fn and_kept(&mut self, mut out: Vec<Node>, kept: Vec<&'a Node>) -> Vec<Node> {
        for before in kept {
            self.path.push(Step::Item(out.len()));
            self.kept.push(pointer::of(&self.path));
            self.path.pop();
            out.push(before.clone());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_the_export_does_not_say_stays_and_references_follow_the_earlier_uuid() {
        let earlier = document(
            r##"{"system-security-plan": {"uuid": "old", "x-house": {"colour": "plum"},
            "reqs": [{"uuid": "old-2", "control-id": "a.5.2", "remarks": "theirs"},
                     {"uuid": "old-1", "control-id": "a.5.1", "x": 1.10, "remarks": "before"}],
            "props": [{"name": "level", "ns": "u:1", "value": "ume"}, {"name": "label", "value": "x"},
                      {"name": "sort-id", "value": "1"}, {"name": "level", "ns": "u:2", "value": "z"}],
            "tags": ["a", "b"]}}"##,
        );
        let fresh = document(
            r##"{"system-security-plan": {"uuid": "new",
            "reqs": [{"uuid": "new-1", "control-id": "a.5.1", "remarks": "after", "link": "#new-1"},
                     {"uuid": "new-3", "control-id": "a.5.3", "of": "new-1"}],
            "props": [{"name": "owner", "ns": "u:1", "value": "o"}, {"name": "label", "value": "y"}],
            "tags": ["c"]}}"##,
        );
        let want = document(
            r##"{"system-security-plan": {"uuid": "old", "x-house": {"colour": "plum"},
            "reqs": [{"uuid": "old-1", "control-id": "a.5.1", "x": 1.10, "remarks": "after", "link": "#old-1"},
                     {"uuid": "new-3", "control-id": "a.5.3", "of": "old-1"},
                     {"uuid": "old-2", "control-id": "a.5.2", "remarks": "theirs"}],
            "props": [{"name": "owner", "ns": "u:1", "value": "o"}, {"name": "label", "value": "y"},
                      {"name": "sort-id", "value": "1"}, {"name": "level", "ns": "u:2", "value": "z"}],
            "tags": ["c"]}}"##,
        );
        let found = overlay(&earlier, &fresh);
        assert_eq!(
            found.document.difference(&want),
            None,
            "{}",
            found.document.write(crate::Form::Json)
        );
        let root = "/system-security-plan";
        let kept = ["/x-house", "/reqs/0/x", "/reqs/2", "/props/2", "/props/3"]
            .map(|at| format!("{root}{at}"));
        assert_eq!(found.kept, kept);
        assert_eq!(overlay(&earlier, &earlier).document, earlier);
        assert_eq!(
            overlay(&found.document, &fresh).document,
            found.document,
            "laid twice is laid once"
        );
    }
}
