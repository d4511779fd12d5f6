//! The value of a document: JSON that keeps the order of members and the text of numbers.

use crate::pointer;

/// A JSON value. Numbers keep the text they were written with, so `1.10` stays `1.10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Members),
}

/// Members in the order they were written; a name stands once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<(String, Node)>);

impl Members {
    pub fn new() -> Members {
        Members::default()
    }

    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Replaces the member, or adds it at the end.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Node>) {
        let (name, value) = (name.into(), value.into());
        match self.get_mut(&name) {
            Some(old) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<Node> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Adds a member whose name the reader has seen to be new.
    pub(crate) fn push_new(&mut self, name: String, value: Node) {
        self.0.push((name, value));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Members {
    type Item = (String, Node);
    type IntoIter = std::vec::IntoIter<(String, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn members(&self) -> Option<&Members> {
        match self {
            Node::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn members_mut(&mut self) -> Option<&mut Members> {
        match self {
            Node::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items of a list; none where this is no list.
    pub fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members()?.get(name)
    }

    /// The text of a member.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// The items of a member that is a list.
    pub fn items_of(&self, name: &str) -> &[Node] {
        self.get(name).map_or(&[], Node::items)
    }

    /// What an RFC 6901 pointer names.
    pub fn at(&self, pointer: &str) -> Option<&Node> {
        let mut here = self;
        for step in pointer::steps(pointer)? {
            here = match here {
                Node::Object(members) => members.get(&step)?,
                Node::List(items) => items.get(pointer::index(&step)?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    pub fn at_mut(&mut self, pointer: &str) -> Option<&mut Node> {
        let mut here = self;
        for step in pointer::steps(pointer)? {
            here = match here {
                Node::Object(members) => members.get_mut(&step)?,
                Node::List(items) => items.get_mut(pointer::index(&step)?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// Pointer to the first place where two values differ as JSON: the order of members does not count,
    /// the text of a number does.
    pub fn difference(&self, other: &Node) -> Option<String> {
        let mut path = Vec::new();
        differs(self, other, &mut path).then(|| pointer::of(&path))
    }
}

/// Leaves the path at the difference.
fn differs<'a>(a: &'a Node, b: &'a Node, path: &mut Vec<pointer::Step<'a>>) -> bool {
    match (a, b) {
        (Node::Object(a), Node::Object(b)) => {
            let theirs: std::collections::HashMap<&str, &Node> = b.iter().collect();
            for (name, value) in a.iter() {
                path.push(pointer::Step::Member(name));
                if theirs.get(name).is_none_or(|other| differs(value, other, path)) {
                    return true;
                }
                path.pop();
            }
            if a.len() == b.len() {
                return false;
            }
            let ours: std::collections::HashSet<&str> = a.iter().map(|(name, _)| name).collect();
            let extra = b.iter().find(|(name, _)| !ours.contains(name));
            path.extend(extra.map(|(name, _)| pointer::Step::Member(name)));
            true
        }
        (Node::List(a), Node::List(b)) => {
            for (at, (value, other)) in a.iter().zip(b).enumerate() {
                path.push(pointer::Step::Item(at));
                if differs(value, other, path) {
                    return true;
                }
                path.pop();
            }
            if a.len() != b.len() {
                path.push(pointer::Step::Item(a.len().min(b.len())));
            }
            a.len() != b.len()
        }
        (a, b) => a != b,
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::Text(text)
    }
}

impl From<Members> for Node {
    fn from(members: Members) -> Node {
        Node::Object(members)
    }
}

impl From<Vec<Node>> for Node {
    fn from(items: Vec<Node>) -> Node {
        Node::List(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Node {
        crate::json::read(text.as_bytes(), &crate::Limits::default()).unwrap()
    }

    #[test]
    fn difference_names_the_place_and_ignores_the_order_of_members() {
        let a = read(r#"{"a/b": [1, {"x": 1.0}], "c": null}"#);
        assert_eq!(a.difference(&read(r#"{"c": null, "a/b": [1, {"x": 1.0}]}"#)), None);
        let other = |text| a.difference(&read(text));
        assert_eq!(other(r#"{"a/b": [1, {"x": 1}], "c": null}"#).unwrap(), "/a~1b/1/x");
        assert_eq!(other(r#"{"a/b": [1], "c": null}"#).unwrap(), "/a~1b/1");
        assert_eq!(other(r#"{"a/b": [1, {"x": 1.0}], "c": null, "d": 1}"#).unwrap(), "/d");
        assert_eq!(other(r#"{"a/b": [1, {"x": 1.0}]}"#).unwrap(), "/c");
        assert_eq!(other("[]").unwrap(), "");
    }

    #[test]
    fn pointers_find_and_change_what_they_name() {
        let mut a = read(r#"{"a/b": [1, {"~": "x"}]}"#);
        assert_eq!(a.at("/a~1b/1/~0").and_then(Node::text), Some("x"));
        for none in ["a", "/a", "/a~1b/01", "/a~1b/9", "/a~1b/1/~2", "/a~1b/-"] {
            assert_eq!(a.at(none), None, "{none}");
        }
        *a.at_mut("/a~1b/1/~0").unwrap() = Node::Null;
        assert_eq!(a, read(r#"{"a/b": [1, {"~": null}]}"#));
    }
}
