//! Objects put together member by member; what is empty is left out.

use uuid::Uuid;

use super::{About, Words};
use crate::node::{Members, Node};

pub(super) struct Build(Members);

impl Build {
    pub fn new() -> Build {
        Build(Members::new())
    }

    /// An object that has a `uuid`.
    pub fn with_uuid(uuid: Uuid) -> Build {
        Build::new().text("uuid", &uuid.to_string())
    }

    pub fn node(mut self, name: &str, node: impl Into<Node>) -> Build {
        self.0.set(name, node);
        self
    }

    /// A text as it is.
    pub fn text(self, name: &str, text: &str) -> Build {
        if text.is_empty() { self } else { self.node(name, text) }
    }

    /// A text made one line without white space at its ends.
    pub fn line(self, name: &str, text: &str) -> Build {
        let line = line(text);
        self.text(name, &line)
    }

    pub fn maybe(self, name: &str, text: Option<&str>) -> Build {
        self.text(name, text.unwrap_or(""))
    }

    pub fn list(self, name: &str, items: Vec<Node>) -> Build {
        if items.is_empty() { self } else { self.node(name, items) }
    }

    pub fn object(self, name: &str, object: Build) -> Build {
        if object.0.is_empty() { self } else { self.node(name, object.done()) }
    }

    pub fn done(self) -> Node {
        Node::Object(self.0)
    }
}

pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl About {
    pub(super) fn say<'w>(&self, words: &'w Words) -> &'w str {
        self.tongue.of(words)
    }

    /// A property of the exporting program's own; none where it has no value.
    pub(super) fn prop(&self, name: &str, value: &str) -> Option<Node> {
        let value = line(value);
        let prop = Build::new().text("name", name).text("ns", &self.vocabulary);
        (!value.is_empty()).then(|| prop.text("value", &value).done())
    }

    /// A title, and the other language's as a property.
    pub(super) fn title_prop(&self, title: &Words) -> Option<Node> {
        let (tongue, text) = self.tongue.other(title)?;
        let prop = Build::new().text("name", "title").text("ns", &self.vocabulary);
        Some(prop.line("value", text).text("class", tongue).done())
    }

    /// `responsible-roles` of one role held by one party.
    pub(super) fn held_by(&self, role: &str, party: Option<&str>) -> Vec<Node> {
        let holder = |party: &str| {
            let uuid = Node::from(self.uuid("party", party).to_string());
            Build::new().text("role-id", role).list("party-uuids", vec![uuid]).done()
        };
        party.map(holder).into_iter().collect()
    }

    /// The head of a document: `uuid` and `metadata`.
    pub(super) fn head(&self, model: &str, id: &str, roles: &[(&str, &str, &str)]) -> Build {
        let role = |(id, ja, en): &(&str, &str, &str)| {
            let title = self.tongue.of(&Words::new(*ja, *en)).to_owned();
            Build::new().text("id", id).text("title", &title).done()
        };
        let mut all = vec![("publisher", "発行者", "Publisher")];
        all.extend_from_slice(roles);
        let metadata = Build::new()
            .line("title", self.say(&self.title))
            .text("last-modified", &self.last_modified)
            .line("version", &self.version)
            .text("oscal-version", super::OSCAL_VERSION)
            .list("props", self.title_prop(&self.title).into_iter().collect())
            .list("roles", all.iter().map(role).collect())
            .list("parties", self.parties.iter().map(|party| self.party(party)).collect())
            .list("responsible-parties", self.held_by("publisher", Some(&self.publisher)));
        Build::with_uuid(self.uuid(model, id)).object("metadata", metadata)
    }

    fn party(&self, party: &super::Party) -> Node {
        let kind = if party.organisation { "organization" } else { "person" };
        Build::with_uuid(self.uuid("party", &party.id))
            .text("type", kind)
            .line("name", &party.name)
            .done()
    }
}
