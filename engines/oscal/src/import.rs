//! Plain structs from documents, for a program to draft its own rows from.
//!
//! Nothing is refused here: what is missing is empty, what is not taken stays in the document, over which
//! [`crate::overlay`] lays a later export. Each draft says by pointer where it was read.

use std::collections::HashMap;

use crate::{
    document::{Document, Kind},
    node::Node,
};

/// What a document is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub uuid: String,
    pub title: String,
    pub version: String,
    pub oscal_version: String,
    pub last_modified: String,
}

impl Head {
    fn of(body: &Node) -> Head {
        let metadata = |name| body.get("metadata").map_or_else(String::new, |m| text(m, name));
        Head {
            uuid: text(body, "uuid"),
            title: metadata("title"),
            version: metadata("version"),
            oscal_version: metadata("oscal-version"),
            last_modified: metadata("last-modified"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prop {
    pub name: String,
    pub ns: Option<String>,
    pub class: Option<String>,
    pub value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub head: Head,
    pub controls: Vec<Control>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    pub pointer: String,
    pub id: String,
    /// The number people know it by; its id where it says none
    pub label: String,
    pub title: String,
    /// Its statement with all parts below, parameters filled in
    pub statement: String,
    /// Titles of the groups around it, outermost first
    pub groups: Vec<String>,
    /// The control it enhances
    pub parent: Option<String>,
    pub props: Vec<Prop>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub head: Head,
    pub imports: Vec<Import>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub pointer: String,
    pub href: String,
    pub all: bool,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Selections by pattern, which the caller has to resolve
    pub patterns: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Components {
    pub head: Head,
    pub components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub pointer: String,
    pub uuid: String,
    pub kind: String,
    pub title: String,
    pub description: String,
    pub requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub head: Head,
    pub profile: String,
    pub system: String,
    pub description: String,
    pub boundary: String,
    pub components: Vec<Component>,
    pub leveraged: Vec<Leveraged>,
    pub requirements: Vec<Requirement>,
}

/// An authorisation that controls are inherited under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leveraged {
    pub pointer: String,
    pub uuid: String,
    pub title: String,
    /// Name of the party
    pub party: String,
    pub date: String,
}

/// How a control is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub pointer: String,
    pub uuid: String,
    pub control: String,
    /// The weakest status of all components; nothing where none says one
    pub status: Option<String>,
    pub description: String,
    pub remarks: String,
    /// Names of the parties that hold a role in it
    pub owners: Vec<String>,
    pub props: Vec<Prop>,
    pub parts: Vec<Part>,
    /// Addresses of what it links to as evidence or otherwise
    pub links: Vec<String>,
}

/// What one component adds to a requirement or to one of its statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub pointer: String,
    pub statement: Option<String>,
    /// UUID and title of the component; empty where the statement speaks for itself
    pub component: String,
    pub title: String,
    pub description: String,
    pub status: Option<String>,
    pub inherited: Vec<Shared>,
    pub satisfied: Vec<Shared>,
    pub provided: Vec<Shared>,
    pub responsibilities: Vec<Shared>,
}

/// A piece of shared responsibility; `of` is the UUID it answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    pub uuid: String,
    pub of: Option<String>,
    pub description: String,
}

fn text(node: &Node, name: &str) -> String {
    node.text_of(name).unwrap_or("").to_owned()
}

fn maybe(node: &Node, name: &str) -> Option<String> {
    node.text_of(name).map(str::to_owned)
}

fn texts(node: &Node, name: &str) -> Vec<String> {
    node.items_of(name).iter().filter_map(|item| item.text().map(str::to_owned)).collect()
}

/// The items of a list with their pointers.
fn each<'n>(node: &'n Node, at: &str, name: &str) -> impl Iterator<Item = (String, &'n Node)> {
    let at = format!("{at}/{name}");
    node.items_of(name).iter().enumerate().map(move |(n, item)| (format!("{at}/{n}"), item))
}

fn props(node: &Node) -> Vec<Prop> {
    let prop = |prop: &Node| Prop {
        name: text(prop, "name"),
        ns: maybe(prop, "ns"),
        class: maybe(prop, "class"),
        value: text(prop, "value"),
    };
    node.items_of("props").iter().map(prop).collect()
}

fn body(document: &Document, kind: Kind) -> Option<(&Node, String)> {
    let body = document.body().filter(|_| document.kind() == Some(kind))?;
    Some((body, format!("/{}", kind.name())))
}

/// The controls of a catalogue, in the order they stand; nothing where the document is none.
pub fn catalog(document: &Document) -> Option<Catalog> {
    let (body, at) = body(document, Kind::Catalog)?;
    let mut reader = Controls { out: Vec::new(), params: HashMap::new() };
    reader.params(body);
    reader.below(body, &at, &[], None);
    Some(Catalog { head: Head::of(body), controls: reader.out })
}

struct Controls<'n> {
    out: Vec<Control>,
    params: HashMap<&'n str, &'n Node>,
}

impl<'n> Controls<'n> {
    fn params(&mut self, node: &'n Node) {
        let params = node.items_of("params").iter();
        self.params.extend(params.filter_map(|param| Some((param.text_of("id")?, param))));
        for name in ["groups", "controls"] {
            node.items_of(name).iter().for_each(|inner| self.params(inner));
        }
    }

    fn below(&mut self, node: &Node, at: &str, groups: &[String], parent: Option<&str>) {
        for (at, control) in each(node, at, "controls") {
            self.control(control, &at, groups, parent);
        }
        for (at, group) in each(node, at, "groups") {
            let groups = [groups, &[text(group, "title")]].concat();
            self.below(group, &at, &groups, None);
        }
    }

    fn control(&mut self, control: &Node, at: &str, groups: &[String], parent: Option<&str>) {
        let (id, props) = (text(control, "id"), props(control));
        let label = props.iter().find(|prop| prop.name == "label" && prop.ns.is_none());
        let mut statement = String::new();
        let parts = control.items_of("parts").iter();
        for part in parts.filter(|part| part.text_of("name") == Some("statement")) {
            self.prose(part, 0, &mut statement);
        }
        self.out.push(Control {
            pointer: at.to_owned(),
            label: label.map_or_else(|| id.clone(), |label| label.value.clone()),
            title: text(control, "title"),
            statement: statement.trim_end().to_owned(),
            groups: groups.to_vec(),
            parent: parent.map(str::to_owned),
            props,
            id: id.clone(),
        });
        self.below(control, at, groups, Some(&id));
    }

    /// A part's text and those of the parts below it; translations are another language's.
    fn prose(&self, part: &Node, level: usize, out: &mut String) {
        if part.text_of("name") == Some("translation") {
            return;
        }
        if let Some(prose) = part.text_of("prose") {
            let label = props(part).into_iter().find(|prop| prop.name == "label");
            let label = label.map(|label| format!("{} ", label.value)).unwrap_or_default();
            let indent = "  ".repeat(level);
            out.push_str(&format!("{indent}{label}{}\n", self.filled(prose, 0)));
        }
        let inner = level + usize::from(part.text_of("prose").is_some());
        part.items_of("parts").iter().for_each(|part| self.prose(part, inner, out));
    }

    /// The text with `{{ insert: param, id }}` replaced by the parameter's value, choices or label.
    fn filled(&self, prose: &str, depth: usize) -> String {
        const DEPTH_MAX: usize = 4;
        let (mut out, mut rest) = (String::new(), prose);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((insert, after)) = after.split_once("}}") else {
                break;
            };
            out.push_str(before);
            let id = insert.trim().strip_prefix("insert: param,").map(str::trim);
            match id.and_then(|id| self.params.get(id)).filter(|_| depth < DEPTH_MAX) {
                Some(param) => out.push_str(&self.filled(&parameter(param), depth + 1)),
                None => out.push_str(&format!("{{{{{insert}}}}}")),
            }
            rest = after;
        }
        out + rest
    }
}

fn parameter(param: &Node) -> String {
    let values = texts(param, "values");
    if !values.is_empty() {
        return values.join(", ");
    }
    let choices = param.get("select").map(|select| texts(select, "choice")).unwrap_or_default();
    if !choices.is_empty() {
        return format!("[{}]", choices.join(" / "));
    }
    format!("[{}]", param.text_of("label").or(param.text_of("id")).unwrap_or(""))
}

/// What a profile selects from where.
pub fn profile(document: &Document) -> Option<Profile> {
    let (body, at) = body(document, Kind::Profile)?;
    let ids = |import: &Node, name: &str, of: fn(&Node) -> Vec<String>| -> Vec<String> {
        import.items_of(name).iter().flat_map(of).collect()
    };
    let with_ids = |select: &Node| texts(select, "with-ids");
    let patterns = |select: &Node| {
        select.items_of("matching").iter().map(|matching| text(matching, "pattern")).collect()
    };
    let import = |(pointer, import): (String, &Node)| Import {
        pointer,
        href: text(import, "href"),
        all: import.get("include-all").is_some(),
        include: ids(import, "include-controls", with_ids),
        exclude: ids(import, "exclude-controls", with_ids),
        patterns: ids(import, "include-controls", patterns),
    };
    let imports = each(body, &at, "imports").map(import).collect();
    Some(Profile { head: Head::of(body), imports })
}

/// The components of a component definition and the controls each meets.
pub fn component_definition(document: &Document) -> Option<Components> {
    let (body, at) = body(document, Kind::ComponentDefinition)?;
    let names = Names::of(body);
    let components = each(body, &at, "components").map(|(pointer, component)| {
        let implementations = each(component, &pointer, "control-implementations");
        let requirements = implementations.flat_map(|(at, implementation)| {
            let all = each(implementation, &at, "implemented-requirements");
            all.map(|(at, node)| requirement(&names, at, node)).collect::<Vec<_>>()
        });
        let requirements = requirements.collect();
        Component { requirements, ..self::component(pointer, component) }
    });
    Some(Components { head: Head::of(body), components: components.collect() })
}

fn component(pointer: String, node: &Node) -> Component {
    Component {
        pointer,
        uuid: text(node, "uuid"),
        kind: text(node, "type"),
        title: text(node, "title"),
        description: text(node, "description"),
        requirements: Vec::new(),
    }
}

/// A system security plan: which control is met how, by whom, and what is inherited.
pub fn system_security_plan(document: &Document) -> Option<Plan> {
    let (body, at) = body(document, Kind::SystemSecurityPlan)?;
    let names = Names::of(body);
    let empty = Node::Null;
    let part = |name| body.get(name).unwrap_or(&empty);
    let characteristics = part("system-characteristics");
    let (system, system_at) =
        (part("system-implementation"), format!("{at}/system-implementation"));
    let leveraged = |(pointer, node): (String, &Node)| Leveraged {
        pointer,
        uuid: text(node, "uuid"),
        title: text(node, "title"),
        party: names.party(&text(node, "party-uuid")),
        date: text(node, "date-authorized"),
    };
    let controls = part("control-implementation");
    let controls_at = format!("{at}/control-implementation");
    let boundary = characteristics.get("authorization-boundary");
    Some(Plan {
        head: Head::of(body),
        profile: text(part("import-profile"), "href"),
        system: text(characteristics, "system-name"),
        description: text(characteristics, "description"),
        boundary: boundary.map_or_else(String::new, |boundary| text(boundary, "description")),
        components: each(system, &system_at, "components")
            .map(|(at, c)| component(at, c))
            .collect(),
        leveraged: each(system, &system_at, "leveraged-authorizations").map(leveraged).collect(),
        requirements: each(controls, &controls_at, "implemented-requirements")
            .map(|(at, node)| requirement(&names, at, node))
            .collect(),
    })
}

/// Names that UUIDs stand for in one document.
struct Names<'n> {
    parties: HashMap<&'n str, &'n str>,
    components: HashMap<&'n str, &'n str>,
}

impl<'n> Names<'n> {
    fn of(body: &'n Node) -> Names<'n> {
        let named = |node: Option<&'n Node>, list: &str, name: &str| -> HashMap<&'n str, &'n str> {
            let items = node.map_or(&[][..], |node| node.items_of(list));
            items.iter().filter_map(|i| Some((i.text_of("uuid")?, i.text_of(name)?))).collect()
        };
        Names {
            parties: named(body.get("metadata"), "parties", "name"),
            components: named(body.get("system-implementation"), "components", "title"),
        }
    }

    /// The name of a party, or its UUID where it is not told.
    fn party(&self, uuid: &str) -> String {
        (*self.parties.get(uuid).unwrap_or(&uuid)).to_owned()
    }

    fn holders(&self, node: &Node) -> Vec<String> {
        let roles = node.items_of("responsible-roles").iter();
        roles.flat_map(|role| texts(role, "party-uuids")).map(|uuid| self.party(&uuid)).collect()
    }
}

fn requirement(names: &Names<'_>, pointer: String, node: &Node) -> Requirement {
    let mut parts: Vec<Part> = each(node, &pointer, "by-components")
        .map(|(at, part)| self::part(names, at, None, part))
        .collect();
    for (at, statement) in each(node, &pointer, "statements") {
        let id = maybe(statement, "statement-id");
        if statement.get("description").is_some() {
            parts.push(part(names, at.clone(), id.clone(), statement));
        }
        let by = each(statement, &at, "by-components");
        parts.extend(by.map(|(at, part)| self::part(names, at, id.clone(), part)));
    }
    let links = node.items_of("links").iter().map(|link| text(link, "href")).collect();
    let mut owners = names.holders(node);
    owners.dedup();
    Requirement {
        uuid: text(node, "uuid"),
        control: text(node, "control-id"),
        status: weakest(node, &parts),
        description: text(node, "description"),
        remarks: text(node, "remarks"),
        owners,
        props: props(node),
        parts,
        links,
        pointer,
    }
}

/// From the weakest to the strongest; what stands elsewhere is weaker than all.
const STATUSES: [&str; 5] = ["planned", "partial", "alternative", "implemented", "not-applicable"];

fn weakest(node: &Node, parts: &[Part]) -> Option<String> {
    let rank = |status: &&str| STATUSES.iter().position(|known| known == status);
    let own =
        node.items_of("props").iter().find(|p| p.text_of("name") == Some("implementation-status"));
    let own = own.and_then(|prop| prop.text_of("value"));
    let all = parts.iter().filter_map(|part| part.status.as_deref()).chain(own);
    all.min_by_key(rank).map(str::to_owned)
}

fn part(names: &Names<'_>, pointer: String, statement: Option<String>, node: &Node) -> Part {
    let component = text(node, "component-uuid");
    let title = names.components.get(component.as_str()).copied().unwrap_or("").to_owned();
    let shared = |from: Option<&Node>, list: &str, of: &str| -> Vec<Shared> {
        let items = from.map_or(&[][..], |node| node.items_of(list));
        let one = |item: &Node| Shared {
            uuid: text(item, "uuid"),
            of: maybe(item, of),
            description: text(item, "description"),
        };
        items.iter().map(one).collect()
    };
    Part {
        pointer,
        statement,
        component,
        title,
        description: text(node, "description"),
        status: node.get("implementation-status").and_then(|status| maybe(status, "state")),
        inherited: shared(Some(node), "inherited", "provided-uuid"),
        satisfied: shared(Some(node), "satisfied", "responsibility-uuid"),
        provided: shared(node.get("export"), "provided", "provided-uuid"),
        responsibilities: shared(node.get("export"), "responsibilities", "provided-uuid"),
    }
}
