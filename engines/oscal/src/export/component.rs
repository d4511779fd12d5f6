//! What the exporting program can do for which control, as a component definition.

use super::{About, Refused, Words, build::Build, judged};
use crate::{document::Document, node::Node};

/// A part of the program, such as one of its rooms.
#[derive(Clone, Debug)]
pub struct Component {
    pub id: String,
    /// `software`, `service`, `policy`, …
    pub kind: String,
    pub title: Words,
    pub description: Words,
    pub requirements: Vec<Requirement>,
}

/// How a component meets a control.
#[derive(Clone, Debug)]
pub struct Requirement {
    pub control: String,
    pub description: Words,
    /// Further properties: name (a token) and value
    pub props: Vec<(String, String)>,
}

/// Components that work together.
#[derive(Clone, Debug)]
pub struct Capability {
    pub id: String,
    pub name: Words,
    pub description: Words,
    /// `id` of components and what each adds
    pub components: Vec<(String, Words)>,
}

/// `source` is where the controls come from: the address of a catalogue or profile.
pub fn component_definition(
    about: &About,
    id: &str,
    source: &str,
    components: &[Component],
    capabilities: &[Capability],
) -> Result<Document, Refused> {
    let components = components.iter().map(|c| component(about, source, c)).collect();
    let capabilities = capabilities.iter().map(|c| capability(about, c)).collect();
    let body = about
        .head("component-definition", id, &[])
        .list("components", components)
        .list("capabilities", capabilities);
    judged("component-definition", body)
}

fn component(about: &About, source: &str, component: &Component) -> Node {
    let requirements = component.requirements.iter().map(|requirement| {
        let id = format!("{}/{}", component.id, requirement.control);
        let props = requirement.props.iter().filter_map(|(name, value)| about.prop(name, value));
        Build::with_uuid(about.uuid("component-requirement", &id))
            .text("control-id", &requirement.control)
            .text("description", about.say(&requirement.description))
            .list("props", props.collect())
            .done()
    });
    let requirements: Vec<Node> = requirements.collect();
    let implementation = Build::with_uuid(about.uuid("component-controls", &component.id))
        .text("source", source)
        .text("description", about.say(&component.description))
        .list("implemented-requirements", requirements);
    let implementations =
        if component.requirements.is_empty() { Vec::new() } else { vec![implementation.done()] };
    Build::with_uuid(about.uuid("component", &component.id))
        .text("type", &component.kind)
        .line("title", about.say(&component.title))
        .text("description", about.say(&component.description))
        .list("props", about.title_prop(&component.title).into_iter().collect())
        .list("control-implementations", implementations)
        .done()
}

fn capability(about: &About, capability: &Capability) -> Node {
    let incorporated = capability.components.iter().map(|(id, adds)| {
        Build::new()
            .text("component-uuid", &about.uuid("component", id).to_string())
            .text("description", about.say(adds))
            .done()
    });
    Build::with_uuid(about.uuid("capability", &capability.id))
        .line("name", about.say(&capability.name))
        .text("description", about.say(&capability.description))
        .list("incorporates-components", incorporated.collect())
        .done()
}
