//! What STIX 2.1 says of each object, read once from the tables beside this file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::read(include_str!("model.txt"), include_str!("words.txt"), include_str!("relations.txt"))
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Sdo,
    Sro,
    Sco,
    Meta,
    /// A part of an object, or an extension.
    Part,
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub family: Family,
    pub properties: Vec<Property>,
    pub laws: Vec<Law>,
    /// What the id of an observable is made of.
    pub id_of: Vec<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub name: &'static str,
    pub required: bool,
    pub deprecated: bool,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Text,
    Format(&'static str),
    Bool,
    Int(Option<i64>, Option<i64>),
    Float(Option<f64>, Option<f64>),
    Time,
    /// A time without parts of a second.
    Seconds,
    Hex,
    Binary,
    Dict,
    /// A dictionary of lists of texts; a text alone, as STIX 2.0 has it.
    Lists,
    Hashes,
    Language,
    Any,
    Ref(Vec<&'static str>),
    Enum(&'static str),
    Vocabulary(&'static str),
    List(Box<Kind>),
    Part(&'static str),
}

#[derive(Debug)]
pub(crate) enum Law {
    /// The second not before the first; `true`: after it.
    Order(&'static str, &'static str, bool),
    Any(Vec<&'static str>),
    One(Vec<&'static str>),
    With(&'static str, &'static str),
    Not(&'static str, &'static str),
}

pub(crate) struct Model {
    objects: BTreeMap<&'static str, Shape>,
    parts: BTreeMap<&'static str, Shape>,
    /// By type and name.
    extensions: BTreeMap<&'static str, BTreeMap<&'static str, Shape>>,
    words: BTreeMap<&'static str, Vec<&'static str>>,
    /// By source and how.
    relations: BTreeMap<&'static str, BTreeMap<&'static str, Vec<&'static str>>>,
}

impl Model {
    pub fn object(&self, name: &str) -> Option<&Shape> {
        self.objects.get(name)
    }

    pub fn part(&self, name: &str) -> Option<&Shape> {
        self.parts.get(name)
    }

    pub fn extension(&self, of: &str, name: &str) -> Option<&Shape> {
        self.extensions.get(of)?.get(name)
    }

    /// Whether some type has an extension of this name.
    pub fn extension_exists(&self, name: &str) -> bool {
        self.extensions.values().any(|of_type| of_type.contains_key(name))
    }

    pub fn knows_word(&self, vocabulary: &str, word: &str) -> bool {
        self.words.get(vocabulary).is_some_and(|words| words.contains(&word))
    }

    /// Whether the specification suggests it; none if it says nothing of this source and how.
    pub fn suggests(&self, from: &str, how: &str, to: &str) -> bool {
        matches!(how, "derived-from" | "duplicate-of" | "related-to")
            || self
                .relations
                .get(from)
                .and_then(|hows| hows.get(how))
                .is_some_and(|known| known.contains(&to))
    }

    fn read(model: &'static str, words: &'static str, relations: &'static str) -> Model {
        let lines = |text: &'static str| {
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
        };
        let mut out = Model {
            objects: BTreeMap::new(),
            parts: BTreeMap::new(),
            extensions: BTreeMap::new(),
            words: lines(words)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, words)| (name, words.split(' ').collect()))
                .collect(),
            relations: BTreeMap::new(),
        };
        for line in lines(relations) {
            let words: Vec<&str> = line.split(' ').collect();
            out.relations.entry(words[0]).or_default().insert(words[1], words[2..].to_vec());
        }
        let mut head: Vec<&str> = Vec::new();
        let mut body: Vec<&str> = Vec::new();
        for line in lines(model).chain(["@end"]) {
            match line.strip_prefix('@') {
                Some(next) => {
                    out.add(&head, &body);
                    head = next.split(' ').collect();
                    body.clear();
                }
                None => body.push(line),
            }
        }
        out
    }

    fn add(&mut self, head: &[&'static str], body: &[&'static str]) {
        let family = match head.first() {
            Some(&"sdo") => Family::Sdo,
            Some(&"sro") => Family::Sro,
            Some(&"sco") => Family::Sco,
            Some(&"meta") => Family::Meta,
            Some(_) => Family::Part,
            None => return,
        };
        let mut shape =
            Shape { family, properties: Vec::new(), laws: Vec::new(), id_of: Vec::new() };
        for line in body {
            match line.strip_prefix(": ") {
                Some(law) => shape.law(law),
                None => shape.properties.push(property(line)),
            }
        }
        match head {
            ["ext", of, name] => drop(self.extensions.entry(of).or_default().insert(name, shape)),
            ["type", name] => drop(self.parts.insert(name, shape)),
            [_, name] => drop(self.objects.insert(name, shape)),
            _ => panic!("model.txt: {head:?}"),
        }
    }
}

impl Shape {
    fn law(&mut self, law: &'static str) {
        let words: Vec<&str> = law.split(' ').collect();
        match words.as_slice() {
            [a, "<=", b] => self.laws.push(Law::Order(a, b, false)),
            [a, "<", b] => self.laws.push(Law::Order(a, b, true)),
            ["any", rest @ ..] => self.laws.push(Law::Any(rest.to_vec())),
            ["one", rest @ ..] => self.laws.push(Law::One(rest.to_vec())),
            ["with", a, b] => self.laws.push(Law::With(a, b)),
            ["not", a, b] => self.laws.push(Law::Not(a, b)),
            ["id", rest @ ..] => self.id_of = rest.to_vec(),
            _ => panic!("model.txt: {law}"),
        }
    }

    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }
}

fn property(line: &'static str) -> Property {
    let (name, kind) = line.split_once(' ').unwrap_or_else(|| panic!("model.txt: {line}"));
    let plain = name.trim_end_matches(['!', '~']);
    Property {
        name: plain,
        required: name.ends_with('!'),
        deprecated: name.ends_with('~'),
        kind: read_kind(kind),
    }
}

fn read_kind(text: &'static str) -> Kind {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Kind::List(Box::new(read_kind(inner)));
    }
    if let Some(part) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        return Kind::Part(part);
    }
    let (word, rest) = text.split_at(text.find([':', '(', '/']).unwrap_or(text.len()));
    let bounds = || rest.trim_matches(['(', ')']).split_once("..").unwrap_or_default();
    match word {
        "text" if rest.is_empty() => Kind::Text,
        "text" => Kind::Format(&rest[1..]),
        "bool" => Kind::Bool,
        "int" => Kind::Int(bounds().0.parse().ok(), bounds().1.parse().ok()),
        "float" => Kind::Float(bounds().0.parse().ok(), bounds().1.parse().ok()),
        "time" if rest.is_empty() => Kind::Time,
        "time" => Kind::Seconds,
        "hex" => Kind::Hex,
        "bin" => Kind::Binary,
        "dict" => Kind::Dict,
        "lists" => Kind::Lists,
        "hashes" => Kind::Hashes,
        "lang" => Kind::Language,
        "any" => Kind::Any,
        "ref" if rest.is_empty() => Kind::Ref(Vec::new()),
        "ref" => Kind::Ref(rest[1..].split(',').collect()),
        "enum" => Kind::Enum(&rest[1..]),
        "ov" => Kind::Vocabulary(&rest[1..]),
        _ => panic!("model.txt: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every part and vocabulary a kind names must exist.
    fn whole(kind: &Kind) {
        match kind {
            Kind::List(inner) => whole(inner),
            Kind::Part(name) => assert!(MODEL.part(name).is_some(), "{name}"),
            Kind::Enum(name) | Kind::Vocabulary(name) => {
                assert!(MODEL.words.contains_key(name), "{name}");
            }
            Kind::Ref(types) => {
                for name in types.iter().filter(|name| !name.starts_with('@')) {
                    assert!(MODEL.object(name).is_some(), "{name}");
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_tables_are_whole() {
        let count = |family| MODEL.objects.values().filter(|shape| shape.family == family).count();
        assert_eq!(
            [Family::Sdo, Family::Sro, Family::Sco, Family::Meta].map(count),
            [19, 2, 18, 3]
        );
        let shapes = MODEL
            .objects
            .values()
            .chain(MODEL.parts.values())
            .chain(MODEL.extensions.values().flat_map(BTreeMap::values));
        for shape in shapes {
            shape.properties.iter().for_each(|property| whole(&property.kind));
            for law in &shape.laws {
                let names = match law {
                    Law::Order(a, b, _) | Law::With(a, b) | Law::Not(a, b) => vec![*a, *b],
                    Law::Any(names) | Law::One(names) => names.clone(),
                };
                for name in names.iter().chain(&shape.id_of) {
                    assert!(*name == "extensions" || shape.property(name).is_some(), "{name}");
                }
            }
        }
        for (from, hows) in &MODEL.relations {
            let mut named = hows.values().flatten().chain([from]);
            assert!(named.all(|name| MODEL.object(name).is_some()), "{from}");
        }
    }
}
