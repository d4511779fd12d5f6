//! From the text of schemas to nodes.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Additional, Node, Schema, format::Format, kind};

/// A schema that cannot be compiled: a mistake in this crate, or an unknown keyword.
#[derive(Debug, thiserror::Error)]
#[error("{at}: {what}")]
pub(crate) struct Unfit {
    at: String,
    what: String,
}

struct Compiler<'a> {
    documents: HashMap<&'a str, &'a Value>,
    nodes: Vec<Node>,
    /// By document and pointer; a reference may come before what it names is compiled.
    known: HashMap<(String, String), usize>,
}

impl Schema {
    /// Compiles the document `root` of several, each under the name by which others refer to it.
    pub(crate) fn compile(root: &str, documents: &[(&str, Value)]) -> Result<Schema, Unfit> {
        let documents = documents.iter().map(|(name, value)| (*name, value)).collect();
        let mut compiler = Compiler { documents, nodes: Vec::new(), known: HashMap::new() };
        let root = compiler.at(root, "")?;
        Ok(Schema { nodes: compiler.nodes, root })
    }
}

impl<'a> Compiler<'a> {
    fn at(&mut self, document: &str, pointer: &str) -> Result<usize, Unfit> {
        let key = (document.to_owned(), pointer.to_owned());
        if let Some(index) = self.known.get(&key) {
            return Ok(*index);
        }
        let found = self.documents.get(document).and_then(|value| value.pointer(pointer));
        let value = found.ok_or_else(|| unfit(document, pointer, "there is no such schema"))?;
        let index = self.nodes.len();
        self.nodes.push(Node::default());
        self.known.insert(key, index);
        let node = self.node(document, pointer, value)?;
        self.nodes[index] = node;
        Ok(index)
    }

    fn node(&mut self, document: &str, pointer: &str, value: &'a Value) -> Result<Node, Unfit> {
        let members = match value {
            Value::Bool(allowed) => return Ok(Node { never: !allowed, ..Node::default() }),
            Value::Object(members) => members,
            _ => return Err(unfit(document, pointer, "no schema")),
        };
        // In draft-07 a reference stands alone: its siblings say nothing.
        if let Some(target) = members.get("$ref").and_then(Value::as_str) {
            let (file, pointer) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { document } else { file };
            let reference = Some(self.at(file, pointer)?);
            return Ok(Node { reference, ..Node::default() });
        }
        let mut node = Node::default();
        for (keyword, value) in members {
            self.keyword(&mut node, document, pointer, keyword, value)?;
        }
        // Says something only beside items by their place.
        if members.contains_key("additionalItems") && !node.tuple.is_empty() {
            node.items = Some(self.at(document, &below(pointer, "additionalItems"))?);
        }
        if let Some(condition) = members.get("if").map(|_| self.at(document, &below(pointer, "if")))
        {
            let branch = |this: &mut Self, name| {
                members.get(name).map(|_| this.at(document, &below(pointer, name))).transpose()
            };
            node.condition = Some((condition?, branch(self, "then")?, branch(self, "else")?));
        }
        Ok(node)
    }

    fn keyword(
        &mut self,
        node: &mut Node,
        document: &str,
        pointer: &str,
        keyword: &str,
        value: &Value,
    ) -> Result<(), Unfit> {
        let here = below(pointer, keyword);
        match keyword {
            "$schema" | "$id" | "$comment" | "title" | "description" | "examples" | "default"
            | "definitions" | "$defs" | "deprecated" | "if" | "then" | "else"
            | "additionalItems" => {}
            "type" => node.kinds = kinds(value).ok_or_else(|| unfit(document, &here, "no type"))?,
            "properties" => {
                for name in object(value).keys() {
                    let index = self.at(document, &below(&here, name))?;
                    node.properties.insert(name.clone(), index);
                }
            }
            "additionalProperties" => {
                node.additional = match value {
                    Value::Bool(true) => Additional::Any,
                    Value::Bool(false) => Additional::No,
                    _ => Additional::As(self.at(document, &here)?),
                }
            }
            "required" => node.required = texts(value),
            "items" if value.is_array() => node.tuple = self.list(document, &here, value)?,
            "items" => node.items = Some(self.at(document, &here)?),
            "contains" => node.holds = Some(self.at(document, &here)?),
            "minItems" => node.items_min = value.as_u64(),
            "maxItems" => node.items_max = value.as_u64(),
            "uniqueItems" => node.unique = value == &Value::Bool(true),
            "enum" => node.values = value.as_array().cloned(),
            "const" => node.values = Some(vec![value.clone()]),
            "pattern" => {
                let made = Regex::new(value.as_str().unwrap_or_default());
                node.pattern = Some(made.map_err(|e| unfit(document, &here, &e.to_string()))?);
            }
            "format" => {
                let name = value.as_str().unwrap_or_default();
                // `string` stands in some schemas by mistake and is no format.
                node.format = match name {
                    "string" => None,
                    _ => Some(Format::named(name).ok_or_else(|| unfit(document, &here, name))?),
                };
            }
            "minLength" => node.length_min = value.as_u64(),
            "maxLength" => node.length_max = value.as_u64(),
            "minimum" => node.minimum = value.as_f64(),
            "maximum" => node.maximum = value.as_f64(),
            "allOf" => node.all = self.list(document, &here, value)?,
            "anyOf" => node.any = self.list(document, &here, value)?,
            "oneOf" => node.one = self.list(document, &here, value)?,
            "not" => node.not = Some(self.at(document, &here)?),
            "dependentRequired" | "dependencies" => {
                let pairs = object(value).iter().map(|(name, names)| (name.clone(), texts(names)));
                node.dependent = pairs.collect();
            }
            other => return Err(unfit(document, pointer, &format!("unknown keyword {other}"))),
        }
        if let ("enum" | "const", Some(values)) = (keyword, &node.values) {
            node.texts = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        Ok(())
    }

    fn list(&mut self, document: &str, here: &str, value: &Value) -> Result<Vec<usize>, Unfit> {
        let count = value.as_array().map_or(0, Vec::len);
        (0..count).map(|index| self.at(document, &format!("{here}/{index}"))).collect()
    }
}

fn below(pointer: &str, name: &str) -> String {
    let mut pointer = pointer.to_owned();
    crate::json::push(&mut pointer, name);
    pointer
}

fn unfit(document: &str, pointer: &str, what: &str) -> Unfit {
    Unfit { at: format!("{document}#{pointer}"), what: what.to_owned() }
}

fn object(value: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn kinds(value: &Value) -> Option<u8> {
    let one = |value: &Value| {
        Some(match value.as_str()? {
            "null" => kind::NULL,
            "boolean" => kind::BOOLEAN,
            "integer" => kind::INTEGER,
            "number" => kind::NUMBER | kind::INTEGER,
            "string" => kind::STRING,
            "array" => kind::ARRAY,
            "object" => kind::OBJECT,
            _ => return None,
        })
    };
    match value {
        Value::Array(list) => list.iter().try_fold(0, |kinds, value| Some(kinds | one(value)?)),
        value => one(value),
    }
}
