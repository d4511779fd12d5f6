//! The models of OSCAL 1.2.1 as a table, read once from `model/oscal-1.2.1.txt`.
//!
//! Versions 1.0 and 1.1 are held against the same table: what they have and 1.2 dropped counts as a
//! member that is not known, and such members are kept.

use std::{collections::HashMap, sync::LazyLock};

use crate::{document::Kind, scalar::Scalar};

const TEXT: &str = include_str!("../model/oscal-1.2.1.txt");

pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| Model::parse(TEXT));

pub(crate) struct Model {
    objects: Vec<Object>,
    index: HashMap<&'static str, usize>,
}

pub(crate) struct Object {
    pub members: Vec<Member>,
}

pub(crate) struct Member {
    pub name: &'static str,
    pub required: bool,
    pub ty: Ty,
}

#[derive(Clone, Debug)]
pub(crate) enum Ty {
    Any,
    Scalar(Scalar),
    List(Box<Ty>),
    Object(&'static str),
}

impl Model {
    fn parse(text: &'static str) -> Model {
        let (mut objects, mut index): (Vec<Object>, _) = (Vec::new(), HashMap::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, ty)) = line.trim().split_once(' ') else {
                index.insert(line, objects.len());
                objects.push(Object { members: Vec::new() });
                continue;
            };
            let required = name.ends_with('!');
            let member = Member { name: name.trim_end_matches('!'), required, ty: Ty::of(ty) };
            if let Some(object) = objects.last_mut() {
                object.members.push(member);
            }
        }
        Model { objects, index }
    }

    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(*self.index.get(name)?)
    }
}

impl Object {
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

impl Ty {
    fn of(text: &'static str) -> Ty {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return Ty::List(Box::new(Ty::of(inner)));
        }
        match Scalar::of(text) {
            Some(scalar) => Ty::Scalar(scalar),
            None if text == "any" => Ty::Any,
            None => Ty::Object(text),
        }
    }

    /// The type of a document's one member.
    pub fn root(name: &str) -> Ty {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map_or(Ty::Any, |kind| Ty::Object(kind.name()))
    }

    /// Whether JSON writes such values as texts.
    pub fn is_text(&self) -> bool {
        matches!(self, Ty::Scalar(scalar) if scalar.is_text())
    }

    /// The type of a member, where this is an object that has it.
    pub fn member(&self, name: &str) -> Option<&'static Ty> {
        match self {
            Ty::Object(object) => MODEL.object(object)?.member(name).map(|member| &member.ty),
            _ => None,
        }
    }

    /// The type of the items, where this is a list.
    pub fn item(&self) -> Option<&Ty> {
        match self {
            Ty::List(item) => Some(item),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_defined_once_reached_and_without_double_members() {
        let mut open: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let mut reached = std::collections::BTreeSet::new();
        while let Some(name) = open.pop() {
            if !reached.insert(name) {
                continue;
            }
            let object = MODEL.object(name).unwrap_or_else(|| panic!("{name} is not defined"));
            let mut names: Vec<_> = object.members.iter().map(|m| m.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), object.members.len(), "{name} names a member twice");
            for member in &object.members {
                let mut ty = &member.ty;
                while let Ty::List(item) = ty {
                    ty = item;
                }
                if let Ty::Object(inner) = ty {
                    open.push(inner);
                }
            }
        }
        assert_eq!(reached.len(), MODEL.objects.len(), "each object is used");
        assert_eq!(MODEL.index.len(), MODEL.objects.len(), "each object is defined once");
    }
}
