//! XML Schema 1.0, as far as the schemas of CycloneDX use it: named and anonymous types, sequences,
//! choices, wildcards, simple content, attribute groups, unions and facets. A construct beyond that
//! fails the compilation, which a test does for every schema of the crate.

use std::collections::HashMap;

use regex::Regex;

use super::tree::{Element, read};
use crate::limits::Limits;

/// A compiled schema.
pub(crate) struct Schema {
    /// The namespace it is about.
    pub space: String,
    pub(super) simple: Vec<Simple>,
    pub(super) complex: Vec<Complex>,
    /// The root element.
    pub root: Declared,
}

/// What an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Simple(usize),
    Complex(usize),
}

/// An element declaration.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub name: String,
    pub holds: Type,
    /// Whether it may stand more than once.
    pub many: bool,
    pub(super) min: u32,
    pub(super) max: u32,
}

/// A type with attributes or children.
#[derive(Default)]
pub(crate) struct Complex {
    pub attributes: Vec<(String, usize, bool)>,
    /// Whether attributes that are not declared may stand here: of other namespaces, of any.
    pub(super) other_attributes: bool,
    pub(super) any_attributes: bool,
    pub content: Content,
}

/// What stands between the tags.
#[derive(Default)]
pub(crate) enum Content {
    #[default]
    Nothing,
    Text(usize),
    Elements(Particle),
    /// Text between elements as well.
    Mixed(Particle),
}

/// A part of a content model.
pub(crate) enum Particle {
    Element(Declared),
    Sequence(Vec<Particle>, u32, u32),
    Choice(Vec<Particle>, u32, u32),
    /// Elements of other namespaces.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Text,
    Uri,
    Truth,
    Date,
    Time,
    Decimal,
    Integer,
    /// One of the licences of the SPDX list.
    Licence,
}

/// A type of texts.
#[derive(Default)]
pub(crate) struct Simple {
    pub(super) base: Option<Base>,
    pub(super) parent: Option<usize>,
    pub(super) values: Vec<String>,
    pub(super) patterns: Vec<Regex>,
    pub(super) union: Vec<usize>,
    pub(super) length_min: Option<usize>,
    pub(super) length_max: Option<usize>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) collapse: bool,
}

impl Schema {
    /// Compiles a schema; an error says which construct is beyond this.
    pub(crate) fn compile(text: &str) -> Result<Schema, String> {
        let limits = Limits { values_max: usize::MAX, ..Limits::DEFAULT };
        let root = read(text.as_bytes(), &limits).map_err(|error| error.to_string())?;
        let named = |tag: &str| {
            let all = root.children.iter().filter(|one| one.name == tag);
            all.filter_map(|one| Some((one.attribute("name")?, one))).collect::<HashMap<_, _>>()
        };
        let mut compiler = Compiler {
            simple_named: named("simpleType"),
            complex_named: named("complexType"),
            groups: named("attributeGroup"),
            known: HashMap::new(),
            simple: Vec::new(),
            complex: Vec::new(),
        };
        let element = root.children.iter().find(|one| one.name == "element");
        let declared = compiler.element(element.ok_or("no root element")?)?;
        Ok(Schema {
            space: root.attribute("targetNamespace").unwrap_or_default().to_owned(),
            simple: compiler.simple,
            complex: compiler.complex,
            root: declared,
        })
    }

    /// A text as its type means it: white space around and within may say nothing.
    pub(crate) fn meant(&self, simple: usize, text: &str) -> String {
        match self.simple[simple].collapse {
            true => super::valid::collapsed(text),
            false => text.to_owned(),
        }
    }

    /// The complex type, of a type that is one.
    pub(crate) fn complex(&self, holds: Type) -> Option<&Complex> {
        match holds {
            Type::Complex(index) => Some(&self.complex[index]),
            Type::Simple(_) => None,
        }
    }
}

impl Complex {
    /// The element declarations of the content, in order; each name once.
    pub(crate) fn elements(&self) -> Vec<&Declared> {
        fn gather<'a>(particle: &'a Particle, found: &mut Vec<&'a Declared>) {
            match particle {
                Particle::Element(one) => {
                    if !found.iter().any(|other| other.name == one.name) {
                        found.push(one);
                    }
                }
                Particle::Sequence(all, ..) | Particle::Choice(all, ..) => {
                    all.iter().for_each(|one| gather(one, found));
                }
                Particle::Other => {}
            }
        }
        let mut found = Vec::new();
        if let Content::Elements(particle) | Content::Mixed(particle) = &self.content {
            gather(particle, &mut found);
        }
        found
    }
}

struct Compiler<'a> {
    simple_named: HashMap<&'a str, &'a Element>,
    complex_named: HashMap<&'a str, &'a Element>,
    groups: HashMap<&'a str, &'a Element>,
    known: HashMap<String, Type>,
    simple: Vec<Simple>,
    complex: Vec<Complex>,
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

impl<'a> Compiler<'a> {
    fn named(&mut self, name: &str) -> Result<Type, String> {
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        if let Some(base) = name.strip_prefix("xs:").or(name.strip_prefix("spdx:")) {
            let (base, collapse) = match base {
                "string" | "normalizedString" => (Base::Text, false),
                "token" => (Base::Text, true),
                "anyURI" => (Base::Uri, true),
                "boolean" => (Base::Truth, true),
                "date" => (Base::Date, true),
                "dateTime" => (Base::Time, true),
                "decimal" => (Base::Decimal, true),
                "integer" | "nonNegativeInteger" | "positiveInteger" => (Base::Integer, true),
                "licenseId" => (Base::Licence, false),
                other => return Err(format!("the type {other}")),
            };
            let minimum = match local(name) {
                "nonNegativeInteger" => Some(0.0),
                "positiveInteger" => Some(1.0),
                _ => None,
            };
            let simple = Simple { base: Some(base), collapse, minimum, ..Simple::default() };
            return Ok(self.keep(name, simple));
        }
        let local = local(name);
        if let Some(element) = self.simple_named.get(local).copied() {
            let made = self.simple(element)?;
            self.known.insert(name.into(), Type::Simple(made));
            return Ok(Type::Simple(made));
        }
        let element = self.complex_named.get(local).copied();
        let element = element.ok_or_else(|| format!("there is no type {name}"))?;
        // Types hold themselves: the place is known before what is there.
        let index = self.complex.len();
        self.complex.push(Complex::default());
        self.known.insert(name.into(), Type::Complex(index));
        self.complex[index] = self.complex(element)?;
        Ok(Type::Complex(index))
    }

    fn keep(&mut self, name: &str, simple: Simple) -> Type {
        self.simple.push(simple);
        let made = Type::Simple(self.simple.len() - 1);
        self.known.insert(name.into(), made);
        made
    }

    fn simple_named(&mut self, name: &str) -> Result<usize, String> {
        match self.named(name)? {
            Type::Simple(index) => Ok(index),
            Type::Complex(_) => Err(format!("{name} is no simple type")),
        }
    }

    fn simple(&mut self, element: &'a Element) -> Result<usize, String> {
        let inner = element.children.first().ok_or("an empty simple type")?;
        let mut simple = Simple::default();
        match inner.name.as_str() {
            "union" => {
                let members = inner.attribute("memberTypes").unwrap_or_default();
                for name in members.split_whitespace() {
                    simple.union.push(self.simple_named(name)?);
                }
                for child in &inner.children {
                    simple.union.push(self.simple(child)?);
                }
            }
            "restriction" => {
                let base = inner.attribute("base").unwrap_or_default();
                let parent = self.simple_named(base)?;
                simple.collapse = self.simple[parent].collapse;
                simple.parent = Some(parent);
                for facet in &inner.children {
                    facet_of(&mut simple, facet)?;
                }
            }
            other => return Err(format!("{other} in a simple type")),
        }
        self.simple.push(simple);
        Ok(self.simple.len() - 1)
    }

    fn complex(&mut self, element: &'a Element) -> Result<Complex, String> {
        let mut complex = Complex::default();
        let mixed = element.attribute("mixed") == Some("true");
        for child in &element.children {
            match child.name.as_str() {
                "simpleContent" => {
                    let inner = child.children.first().ok_or("empty simple content")?;
                    let base = inner.attribute("base").unwrap_or_default();
                    complex.content = Content::Text(self.simple_named(base)?);
                    for attribute in &inner.children {
                        self.attribute(&mut complex, attribute)?;
                    }
                }
                "sequence" | "choice" => {
                    let particle = self.particle(child)?;
                    complex.content =
                        if mixed { Content::Mixed(particle) } else { Content::Elements(particle) };
                }
                _ => self.attribute(&mut complex, child)?,
            }
        }
        Ok(complex)
    }

    fn attribute(&mut self, complex: &mut Complex, element: &'a Element) -> Result<(), String> {
        match element.name.as_str() {
            "attribute" => {
                let name = element.attribute("name").unwrap_or_default().to_owned();
                let holds = match (element.attribute("type"), element.children.first()) {
                    (None, Some(inner)) => self.simple(inner)?,
                    (holds, _) => self.simple_named(holds.unwrap_or("xs:string"))?,
                };
                complex.attributes.push((
                    name,
                    holds,
                    element.attribute("use") == Some("required"),
                ));
            }
            "attributeGroup" => {
                let name = local(element.attribute("ref").unwrap_or_default());
                let group = self.groups.get(name).copied().ok_or("an unknown attribute group")?;
                for child in &group.children {
                    self.attribute(complex, child)?;
                }
            }
            "anyAttribute" => {
                complex.other_attributes = true;
                complex.any_attributes = element.attribute("namespace") == Some("##any");
            }
            other => return Err(format!("{other} in a complex type")),
        }
        Ok(())
    }

    fn particle(&mut self, element: &'a Element) -> Result<Particle, String> {
        let (min, max) = occurs(element);
        let all = |this: &mut Self| -> Result<Vec<Particle>, String> {
            element.children.iter().map(|child| this.particle(child)).collect()
        };
        Ok(match element.name.as_str() {
            "element" => Particle::Element(self.element(element)?),
            "sequence" => Particle::Sequence(all(self)?, min, max),
            "choice" => Particle::Choice(all(self)?, min, max),
            "any" => Particle::Other,
            other => return Err(format!("{other} in a content model")),
        })
    }

    fn element(&mut self, element: &'a Element) -> Result<Declared, String> {
        let name = element.attribute("name").unwrap_or_default().to_owned();
        let (min, max) = occurs(element);
        let inner = element.children.iter().find(|one| one.name.ends_with("Type"));
        let holds = match (element.attribute("type"), inner) {
            (Some(holds), _) => self.named(holds)?,
            (None, Some(inner)) if inner.name == "simpleType" => Type::Simple(self.simple(inner)?),
            (None, Some(inner)) => {
                let complex = self.complex(inner)?;
                self.complex.push(complex);
                Type::Complex(self.complex.len() - 1)
            }
            // By XML Schema anything may stand there; all of these are texts in JSON.
            (None, None) => self.named("xs:string")?,
        };
        Ok(Declared { name, holds, many: max > 1, min, max })
    }
}

fn occurs(element: &Element) -> (u32, u32) {
    let min = element.attribute("minOccurs").and_then(|min| min.parse().ok()).unwrap_or(1);
    let max = match element.attribute("maxOccurs") {
        Some("unbounded") => u32::MAX,
        max => max.and_then(|max| max.parse().ok()).unwrap_or(1),
    };
    (min, max)
}

fn facet_of(simple: &mut Simple, facet: &Element) -> Result<(), String> {
    let value = facet.attribute("value").unwrap_or_default();
    match facet.name.as_str() {
        "enumeration" => simple.values.push(value.to_owned()),
        "pattern" => {
            let pattern = Regex::new(&format!("^(?:{value})$"));
            simple.patterns.push(pattern.map_err(|error| error.to_string())?);
        }
        "minLength" => simple.length_min = value.parse().ok(),
        "maxLength" => simple.length_max = value.parse().ok(),
        "minInclusive" => simple.minimum = value.parse().ok(),
        "maxInclusive" => simple.maximum = value.parse().ok(),
        other => return Err(format!("the facet {other}")),
    }
    Ok(())
}
