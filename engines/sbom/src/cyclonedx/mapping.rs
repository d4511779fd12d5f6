//! CycloneDX XML to its JSON form and back, along the two official schemas: XML Schema says what is
//! an attribute and in which order elements stand, JSON Schema what is a list, a text or a number.
//!
//! The few names that differ between the two stand in [`NAMES`]. What stands in other namespaces is
//! kept under [`FOREIGN`], which JSON output leaves out and tells.

use serde_json::{Map, Number, Value, json};

use super::schemas;
use crate::schema::At;
use crate::xml::schema::{Complex, Content, Declared, Schema, Type};
use crate::xml::tree::{Attribute, Element};

/// Member under which elements and attributes of other namespaces are kept.
pub(crate) const FOREIGN: &str = "#xml";

/// Name of an element or attribute in XML, and of the member in JSON; the first that the JSON schema
/// knows at the place is meant.
const NAMES: [(&str, &str); 4] = [
    ("cryptoRef", "cryptoRefArray"),
    ("dependency", "dependsOn"),
    ("details", "expressionDetails"),
    ("responses", "response"),
];

/// The JSON form of a document that its XML schema accepts.
pub(super) fn from_xml(root: &Element, minor: u8) -> Value {
    let schema = schemas::xml(minor);
    let at = schemas::json(minor).root();
    let mut out = Map::new();
    out.insert("bomFormat".into(), "CycloneDX".into());
    out.insert("specVersion".into(), format!("1.{minor}").into());
    let mapping = Mapping { schema };
    if let Value::Object(members) = mapping.value(root, schema.root.holds, Some(at)) {
        out.extend(members);
    }
    Value::Object(out)
}

/// The document of a JSON form. What the XML schema has no place for is told.
pub(super) fn to_xml(value: &Value, minor: u8) -> Made {
    let schema = schemas::xml(minor);
    let at = schemas::json(minor).root();
    let (lost, pointers) = (Vec::new(), Vec::new());
    let mut back = Back { schema, lost, pointer: String::new(), pointers };
    let mut root = value.clone();
    if let Some(members) = root.as_object_mut() {
        for name in ["$schema", "bomFormat", "specVersion"] {
            members.shift_remove(name);
        }
    }
    let root = back.element(&schema.root.name, schema.root.holds, &root, Some(at));
    Made { root, lost: back.lost, pointers: back.pointers }
}

/// A document in the making.
pub(super) struct Made {
    pub root: Element,
    /// Pointers of what XML has no place for.
    pub lost: Vec<String>,
    /// By the lines of the elements.
    pub pointers: Vec<String>,
}

/// The member that an element or attribute is in JSON.
fn member(name: &str, at: Option<At<'_>>) -> String {
    let Some(at) = at else { return camel(name) };
    if at.member(name).is_some() {
        return name.to_owned();
    }
    let others = NAMES.iter().filter(|(xml, _)| *xml == name).map(|(_, json)| (*json).to_owned());
    let others = others.chain([camel(name), format!("{name}s")]);
    others.into_iter().find(|other| at.member(other).is_some()).unwrap_or_else(|| camel(name))
}

fn camel(name: &str) -> String {
    if name == "bom-ref" || name == "mime-type" {
        return name.to_owned();
    }
    let mut parts = name.split('-');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|char| char.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

/// Whether an element of this type only holds the items of a list.
fn holds_list(complex: &Complex, at: Option<At<'_>>) -> bool {
    if matches!(complex.content, Content::Text(_)) {
        return false;
    }
    match at {
        Some(at) => at.takes_list() && !at.takes_object(),
        None => complex.attributes.is_empty() && complex.elements().len() == 1,
    }
}

/// The member that holds the text of an element with attributes.
fn text_member(complex: &Complex, at: Option<At<'_>>) -> &'static str {
    let names = ["content", "value", "classification", "expression"];
    let known = |name: &&str| at.is_some_and(|at| at.member(name).is_some());
    let has = |name: &str| complex.attributes.iter().any(|(one, ..)| one == name);
    // A property has a name and a value.
    if has("name") && !has("alg") {
        return "value";
    }
    names.into_iter().find(known).unwrap_or("content")
}

struct Mapping<'a> {
    schema: &'a Schema,
}

impl Mapping<'_> {
    fn value(&self, element: &Element, holds: Type, at: Option<At<'_>>) -> Value {
        let complex = match holds {
            Type::Simple(index) => return scalar(&self.schema.meant(index, &element.text), at),
            Type::Complex(_) => self.schema.complex(holds),
        };
        let Some(complex) = complex else { return Value::Null };
        if only_reference(complex, at) {
            return element.attribute("ref").unwrap_or_default().into();
        }
        let mixed = matches!(complex.content, Content::Mixed(_));
        if mixed && element.children.is_empty() && !element.text.is_empty() {
            return scalar(element.text.trim(), at);
        }
        if self.is_list(element, complex, at) {
            let own = element.children.iter().filter(|child| child.space == self.schema.space);
            let items = own.filter_map(|child| Some(self.item(child, named(complex, child)?, at)));
            return Value::Array(items.collect());
        }
        Value::Object(self.object(element, complex, at))
    }

    /// Whether the element stands for a list. `tools` is one of old tools, or an object of
    /// components and services.
    fn is_list(&self, element: &Element, complex: &Complex, at: Option<At<'_>>) -> bool {
        if holds_list(complex, at) {
            return true;
        }
        let Some(at) = at.filter(|at| at.takes_list() && at.takes_object()) else { return false };
        let known = |child: &Element| at.member(&member(&child.name, Some(at))).is_some();
        !element.children.is_empty() && !element.children.iter().any(known)
    }

    fn object(
        &self,
        element: &Element,
        complex: &Complex,
        at: Option<At<'_>>,
    ) -> Map<String, Value> {
        let mut out = Map::new();
        for (name, simple, _) in &complex.attributes {
            if let Some(value) = element.attribute(name) {
                let name = member(name, at);
                let below = at.and_then(|at| at.member(&name));
                out.insert(name, scalar(&self.schema.meant(*simple, value), below));
            }
        }
        if let Content::Text(simple) = complex.content {
            let name = text_member(complex, at);
            let below = at.and_then(|at| at.member(name));
            // An empty property has no value; an empty text of any other kind is an empty text.
            if !(element.text.is_empty() && name == "value") {
                out.insert(name.into(), scalar(&self.schema.meant(simple, &element.text), below));
            }
        }
        for child in element.children.iter().filter(|child| child.space == self.schema.space) {
            if let Some(declared) = named(complex, child) {
                self.child(child, declared, at, &mut out);
            }
        }
        if let Some(Value::Object(foreign)) = foreign(element, complex, &self.schema.space) {
            let kept = out.entry(FOREIGN).or_insert_with(|| json!({}));
            kept.as_object_mut().into_iter().for_each(|kept| kept.extend(foreign.clone()));
        }
        out
    }

    fn child(
        &self,
        child: &Element,
        declared: &Declared,
        at: Option<At<'_>>,
        out: &mut Map<String, Value>,
    ) {
        let name = member(&child.name, at);
        let below = at.and_then(|at| at.member(&name));
        let complex = self.schema.complex(declared.holds);
        if let Some(complex) = complex.filter(|complex| beside(complex, below)) {
            // JSON has the attributes beside the text.
            let inner = self.object(child, complex, at);
            out.extend(inner);
            return;
        }
        if repeats(complex, declared, below) {
            let item = self.value(child, declared.holds, below.map_or(below, At::items));
            match out.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(items) => items.push(item),
                other => *other = item,
            }
            return;
        }
        let value = self.value(child, declared.holds, below);
        // A list cannot carry what stands beside its items; what holds the list does.
        let listed = complex.filter(|_| value.is_array());
        if let Some(foreign) = listed.and_then(|one| foreign(child, one, &self.schema.space)) {
            let kept = out.entry(FOREIGN).or_insert_with(|| json!({}));
            kept[name.as_str()] = foreign;
        }
        match (out.get_mut(&name), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (_, value) => drop(out.insert(name, value)),
        }
    }

    fn item(&self, child: &Element, declared: &Declared, at: Option<At<'_>>) -> Value {
        let named = at.and_then(|at| at.items_with(&child.name));
        let items = at.and_then(At::items);
        match (named, self.schema.complex(declared.holds)) {
            // `license` is a member of the item.
            (Some(named), Some(_)) if child.name == "license" => {
                let inner = named.member("license");
                json!({ "license": self.value(child, declared.holds, inner) })
            }
            // `expression` is its text, `expression-detailed` the item itself.
            (Some(named), Some(_)) => self.value(child, declared.holds, Some(named)),
            (Some(named), None) if !items.is_some_and(At::takes_text) => {
                let inner = named.member(&child.name);
                json!({ child.name.as_str(): self.value(child, declared.holds, inner) })
            }
            _ if child.name == "expression-detailed" => {
                let named = at.and_then(|at| at.items_with("expression"));
                self.value(child, declared.holds, named)
            }
            _ => self.value(child, declared.holds, items),
        }
    }
}

fn named<'a>(complex: &'a Complex, child: &Element) -> Option<&'a Declared> {
    complex.elements().into_iter().find(|one| one.name == child.name)
}

/// Whether JSON has the attributes of the element beside its text, not within.
fn beside(complex: &Complex, at: Option<At<'_>>) -> bool {
    let text = matches!(complex.content, Content::Text(_));
    text && at.is_some_and(|at| at.takes_text() && !at.takes_object() && !at.takes_list())
        && !complex.attributes.is_empty()
}

/// Whether the element is itself an item of the list that JSON has; otherwise it holds the items,
/// or there is no list.
fn repeats(complex: Option<&Complex>, declared: &Declared, at: Option<At<'_>>) -> bool {
    let Some(at) = at else { return declared.many };
    if !at.takes_list() || (at.takes_object() && !declared.many) {
        return false;
    }
    let Some(complex) = complex else { return true };
    if matches!(complex.content, Content::Text(_)) || only_reference(complex, at.items()) {
        return true;
    }
    let items = at.items();
    match complex.elements().as_slice() {
        // Its one child is no member of an item, so it is the item.
        [one] if complex.attributes.is_empty() => {
            items.is_some_and(|items| items.member(&member(&one.name, Some(items))).is_some())
                && declared.many
        }
        _ => declared.many,
    }
}

/// Whether an element is only a reference where JSON has a text.
fn only_reference(complex: &Complex, at: Option<At<'_>>) -> bool {
    let reference = complex.attributes.iter().any(|(name, ..)| name == "ref");
    reference && at.is_some_and(|at| at.takes_text() && !at.takes_object())
}

fn scalar(text: &str, at: Option<At<'_>>) -> Value {
    let Some(at) = at else { return text.into() };
    let trimmed = text.trim();
    if at.takes_truth() && !at.takes_text() {
        return match trimmed {
            "true" | "1" => true.into(),
            "false" | "0" => false.into(),
            _ => text.into(),
        };
    }
    if at.takes_number() && !at.takes_text() {
        let whole = trimmed.parse::<i64>().map(Number::from).ok();
        let number = whole.or_else(|| Number::from_f64(trimmed.parse().ok()?));
        return number.map_or_else(|| text.into(), Value::Number);
    }
    text.into()
}

/// What the schema only allows by its wildcards.
fn foreign(element: &Element, complex: &Complex, space: &str) -> Option<Value> {
    let known = |one: &Attribute| {
        one.space.is_empty() && complex.attributes.iter().any(|(name, ..)| *name == one.name)
    };
    let attributes: Vec<Value> = element
        .attributes
        .iter()
        .filter(|one| !known(one))
        .map(|one| json!([one.space, one.name, one.value]))
        .collect();
    let others = element.children.iter().filter(|child| child.space != space);
    let elements: Vec<Value> = others.map(whole).collect();
    if attributes.is_empty() && elements.is_empty() {
        return None;
    }
    // Names that no member of JSON has: members of the element stand beside them.
    Some(json!({"#attributes": attributes, "#elements": elements}))
}

/// An element that no schema of ours describes.
fn whole(element: &Element) -> Value {
    let attributes = element.attributes.iter().map(|one| json!([one.space, one.name, one.value]));
    json!({
        "space": element.space,
        "name": element.name,
        "#attributes": attributes.collect::<Vec<_>>(),
        "text": element.text,
        "#elements": element.children.iter().map(whole).collect::<Vec<_>>(),
    })
}

fn text_at(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn attributes_of(value: &Value) -> Vec<Attribute> {
    let list = value.get("#attributes").and_then(Value::as_array);
    let text =
        |one: &Value, at: usize| one.get(at).and_then(Value::as_str).unwrap_or("").to_owned();
    let one =
        |one: &Value| Attribute { space: text(one, 0), name: text(one, 1), value: text(one, 2) };
    list.into_iter().flatten().map(one).collect()
}

fn unwhole(value: &Value) -> Element {
    let children = value.get("#elements").and_then(Value::as_array);
    Element {
        space: text_at(value, "space"),
        name: text_at(value, "name"),
        text: text_at(value, "text"),
        attributes: attributes_of(value),
        children: children.into_iter().flatten().map(unwhole).collect(),
        line: 0,
    }
}

struct Back<'a> {
    schema: &'a Schema,
    lost: Vec<String>,
    pointer: String,
    pointers: Vec<String>,
}

impl Back<'_> {
    /// An element whose line is the number of its pointer, so that what the XML schema says of it
    /// can be told of the value.
    fn made(&mut self, name: &str) -> Element {
        self.pointers.push(self.pointer.clone());
        let line = self.pointers.len() - 1;
        let (space, name) = (self.schema.space.clone(), name.to_owned());
        Element { space, name, line, ..Element::default() }
    }

    fn lose(&mut self, name: &str) {
        let mut pointer = self.pointer.clone();
        crate::json::push(&mut pointer, name);
        self.lost.push(pointer);
    }

    fn element(&mut self, name: &str, holds: Type, value: &Value, at: Option<At<'_>>) -> Element {
        let mut element = self.made(name);
        let Some(complex) = self.schema.complex(holds) else {
            element.text = text_of(value.get(name).unwrap_or(value));
            return element;
        };
        if only_reference(complex, at) {
            element.put("ref", text_of(value));
            return element;
        }
        match value {
            Value::Array(items) => self.items(&mut element, complex, items, at),
            Value::Object(members) => self.members(&mut element, complex, members, at),
            scalar => element.text = text_of(scalar),
        }
        element
    }

    fn items(
        &mut self,
        element: &mut Element,
        complex: &Complex,
        items: &[Value],
        at: Option<At<'_>>,
    ) {
        let length = self.pointer.len();
        for (index, item) in items.iter().enumerate() {
            self.pointer.push_str(&format!("/{index}"));
            match self.chosen(complex, item, at) {
                Some(chosen) => {
                    let made = self.item(chosen, item, at);
                    element.children.push(made);
                }
                None => self.lost.push(self.pointer.clone()),
            }
            self.pointer.truncate(length);
        }
    }

    /// The element that an item is written as: the one that knows most of its members.
    fn chosen<'c>(
        &self,
        complex: &'c Complex,
        item: &Value,
        at: Option<At<'_>>,
    ) -> Option<&'c Declared> {
        let all = complex.elements();
        let Value::Object(members) = item else {
            // A text is rather an element without attributes.
            let simple = all.iter().find(|one| self.schema.complex(one.holds).is_none());
            return simple.or(all.first()).copied();
        };
        let at = at.and_then(At::items);
        let known = |one: &Declared| {
            let inner = self.schema.complex(one.holds);
            let Some(inner) = inner else {
                return usize::from(members.len() == 1 && members.contains_key(&one.name)) * 9;
            };
            if one.name == "license" {
                return usize::from(members.contains_key("license")) * 9;
            }
            let elements = inner.elements();
            let mut names: Vec<String> = elements.iter().map(|one| member(&one.name, at)).collect();
            names.extend(inner.attributes.iter().map(|(name, ..)| member(name, at)));
            if let Content::Text(_) = inner.content {
                let text =
                    if one.name == "expression" { "expression" } else { text_member(inner, at) };
                names.push(text.into());
            }
            members.keys().filter(|name| names.contains(name)).count()
        };
        // The first of several that know as much.
        all.iter().rev().max_by_key(|one| known(one)).copied()
    }

    fn item(&mut self, chosen: &Declared, item: &Value, at: Option<At<'_>>) -> Element {
        let items = at.and_then(At::items);
        match (item.get(&chosen.name), self.schema.complex(chosen.holds)) {
            (Some(inner), Some(_)) if chosen.name == "license" => {
                let below = at.and_then(|at| at.items_with("license")?.member("license"));
                crate::json::push(&mut self.pointer, "license");
                self.element("license", chosen.holds, inner, below)
            }
            (Some(inner), None) => self.element(&chosen.name, chosen.holds, inner, items),
            _ if chosen.name.starts_with("expression") => {
                let named = at.and_then(|at| at.items_with("expression"));
                self.element(&chosen.name, chosen.holds, item, named.or(items))
            }
            _ => self.element(&chosen.name, chosen.holds, item, items),
        }
    }

    fn members(
        &mut self,
        element: &mut Element,
        complex: &Complex,
        members: &Map<String, Value>,
        at: Option<At<'_>>,
    ) {
        let mut written = vec![FOREIGN.to_owned()];
        for (name, ..) in &complex.attributes {
            let json = member(name, at);
            if let Some(value) = members.get(&json).filter(|_| !written.contains(&json)) {
                element.put(name, text_of(value));
                written.push(json);
            }
        }
        if let Content::Text(_) = complex.content {
            let name = text_member(complex, at);
            element.text = members.get(name).map(text_of).unwrap_or_default();
            written.push(name.to_owned());
        }
        let length = self.pointer.len();
        for declared in complex.elements() {
            let json = member(&declared.name, at);
            let Some(value) = members.get(&json).filter(|_| !written.contains(&json)) else {
                continue;
            };
            crate::json::push(&mut self.pointer, &json);
            let below = at.and_then(|at| at.member(&json));
            let inner = self.schema.complex(declared.holds);
            if let Some(inner) = inner.filter(|inner| beside(inner, below)) {
                let mut made = self.made(&declared.name);
                made.text = text_of(value);
                for (name, ..) in &inner.attributes {
                    if let Some(value) = members.get(name).filter(|_| !written.contains(name)) {
                        made.put(name, text_of(value));
                        written.push(name.clone());
                    }
                }
                element.children.push(made);
            } else {
                self.child(element, declared, value, below);
                let foreign = members.get(FOREIGN).and_then(|foreign| foreign.get(&json));
                if let Some(last) = element.children.last_mut().filter(|_| value.is_array()) {
                    add_foreign(last, foreign);
                }
            }
            self.pointer.truncate(length);
            written.push(json);
        }
        add_foreign(element, members.get(FOREIGN));
        for name in members.keys().filter(|name| !written.contains(name)) {
            self.lose(name);
        }
    }

    fn child(
        &mut self,
        element: &mut Element,
        declared: &Declared,
        value: &Value,
        at: Option<At<'_>>,
    ) {
        let complex = self.schema.complex(declared.holds);
        let Value::Array(items) = value else {
            let made = self.element(&declared.name, declared.holds, value, at);
            return element.children.push(made);
        };
        if !repeats(complex, declared, at) {
            let made = self.element(&declared.name, declared.holds, value, at);
            return element.children.push(made);
        }
        let length = self.pointer.len();
        for (index, item) in items.iter().enumerate() {
            self.pointer.push_str(&format!("/{index}"));
            let below = at.and_then(At::items);
            element.children.push(self.element(&declared.name, declared.holds, item, below));
            self.pointer.truncate(length);
        }
    }
}

fn add_foreign(element: &mut Element, foreign: Option<&Value>) {
    let Some(foreign) = foreign else { return };
    element.attributes.extend(attributes_of(foreign));
    let elements = foreign.get("#elements").and_then(Value::as_array);
    element.children.extend(elements.into_iter().flatten().map(unwhole));
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
