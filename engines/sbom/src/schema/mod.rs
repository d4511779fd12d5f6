//! JSON Schema draft-07, as far as the schemas of bills of materials use it.
//!
//! A schema is compiled once: references are resolved and patterns made, so that checking a document
//! allocates only for what is wrong with it. A keyword that this does not know fails the compilation
//! (a test compiles every schema of the crate), so nothing goes unchecked in silence. Formats are
//! asserted.

mod check;
mod compile;
mod format;

pub(crate) use check::check;
pub(crate) use format::date_time;

use std::collections::{HashMap, HashSet};

use regex::Regex;
use serde_json::Value;

/// Compiled schemas that refer to each other.
pub(crate) struct Schema {
    nodes: Vec<Node>,
    root: usize,
}

/// Bits for the types of JSON.
mod kind {
    pub(super) const NULL: u8 = 1;
    pub(super) const BOOLEAN: u8 = 2;
    pub(super) const INTEGER: u8 = 4;
    pub(super) const NUMBER: u8 = 8;
    pub(super) const STRING: u8 = 16;
    pub(super) const ARRAY: u8 = 32;
    pub(super) const OBJECT: u8 = 64;
}

/// What a schema says; what it does not say is empty.
#[derive(Default)]
struct Node {
    /// Everything else is elsewhere.
    reference: Option<usize>,
    never: bool,
    kinds: u8,
    properties: HashMap<String, usize>,
    additional: Additional,
    required: Vec<String>,
    items: Option<usize>,
    /// Items by their place; what follows them is `items`.
    tuple: Vec<usize>,
    items_min: Option<u64>,
    items_max: Option<u64>,
    unique: bool,
    values: Option<Vec<Value>>,
    /// The texts of `values`, which may be hundreds.
    texts: HashSet<String>,
    pattern: Option<Regex>,
    format: Option<format::Format>,
    length_min: Option<u64>,
    length_max: Option<u64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    all: Vec<usize>,
    any: Vec<usize>,
    one: Vec<usize>,
    not: Option<usize>,
    condition: Option<(usize, Option<usize>, Option<usize>)>,
    dependent: Vec<(String, Vec<String>)>,
    holds: Option<usize>,
}

#[derive(Default)]
enum Additional {
    #[default]
    Any,
    No,
    As(usize),
}

/// A place in a schema, for whoever walks a document along it.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    schema: &'a Schema,
    node: usize,
}

impl Schema {
    /// The whole document.
    pub(crate) fn root(&self) -> At<'_> {
        At { schema: self, node: self.root }
    }
}

impl<'a> At<'a> {
    fn node(self) -> &'a Node {
        let mut node = &self.schema.nodes[self.node];
        while let Some(next) = node.reference {
            node = &self.schema.nodes[next];
        }
        node
    }

    fn branches(self) -> impl Iterator<Item = At<'a>> {
        let node = self.node();
        let all = node.all.iter().chain(&node.any).chain(&node.one);
        all.map(move |node| At { schema: self.schema, node: *node })
    }

    /// The schema of a member, whichever branch names it first.
    pub(crate) fn member(self, name: &str) -> Option<At<'a>> {
        let own = self.node().properties.get(name);
        own.map(|node| At { schema: self.schema, node: *node })
            .or_else(|| self.branches().find_map(|branch| branch.member(name)))
    }

    /// The schema of the items of a list.
    pub(crate) fn items(self) -> Option<At<'a>> {
        let node = self.node();
        let own = node.items.or(node.tuple.first().copied());
        let own = own.map(|node| At { schema: self.schema, node });
        own.or_else(|| self.branches().find_map(At::items))
    }

    /// The schema of the items of a list that have a member, whichever branch it is.
    pub(crate) fn items_with(self, name: &str) -> Option<At<'a>> {
        let node = self.node();
        let own = node.items.iter().chain(&node.tuple);
        let mut own = own.map(|node| At { schema: self.schema, node: *node });
        own.find(|at| at.member(name).is_some())
            .or_else(|| self.branches().find_map(|branch| branch.items_with(name)))
    }

    fn kinds(self) -> u8 {
        let node = self.node();
        let values = node.values.iter().flatten().map(check::kind_of).fold(0, |a, b| a | b);
        self.branches().fold(node.kinds | values, |kinds, branch| kinds | branch.kinds())
    }

    /// Whether the enumeration here, if there is one, has the text.
    pub(crate) fn allows(self, text: &str) -> bool {
        let node = self.node();
        node.values.is_none() || node.texts.contains(text)
    }

    /// Whether a list may stand here.
    pub(crate) fn takes_list(self) -> bool {
        self.kinds() & kind::ARRAY != 0
    }

    /// Whether an object may stand here.
    pub(crate) fn takes_object(self) -> bool {
        self.kinds() & kind::OBJECT != 0
    }

    /// Whether a text may stand here.
    pub(crate) fn takes_text(self) -> bool {
        self.kinds() & kind::STRING != 0
    }

    /// Whether a truth value may stand here.
    pub(crate) fn takes_truth(self) -> bool {
        self.kinds() & kind::BOOLEAN != 0
    }

    /// Whether a number may stand here.
    pub(crate) fn takes_number(self) -> bool {
        self.kinds() & (kind::NUMBER | kind::INTEGER) != 0
    }
}
