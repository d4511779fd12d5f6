//! Controls as a catalogue, and the selected ones as a profile.

use super::{About, Refused, Words, build::Build, judged};
use crate::{document::Document, node::Node};

/// Controls under one heading.
#[derive(Clone, Debug)]
pub struct Group {
    /// A token
    pub id: String,
    pub title: Words,
    pub controls: Vec<Control>,
}

#[derive(Clone, Debug)]
pub struct Control {
    /// A token, such as `a.5.7`
    pub id: String,
    /// The number people know, such as `5.7`
    pub label: String,
    pub title: Words,
    /// What it asks for, in the exporter's own words
    pub statement: Words,
    /// Further properties: name (a token) and value
    pub props: Vec<(String, String)>,
    /// What is looked at to judge it
    pub objectives: Vec<Objective>,
}

#[derive(Clone, Debug)]
pub struct Objective {
    /// A token that stands once in the catalogue
    pub id: String,
    /// The level it belongs to, if there are levels
    pub level: Option<String>,
    pub text: Words,
}

/// Id of the part that holds a control's statement; findings and requirements refer to it.
pub(super) fn statement_id(control: &str) -> String {
    format!("{control}_smt")
}

/// All controls, grouped. `id` names the catalogue among the exporter's.
pub fn catalog(about: &About, id: &str, groups: &[Group]) -> Result<Document, Refused> {
    let groups = groups.iter().map(|group| {
        Build::new()
            .text("id", &group.id)
            .line("title", about.say(&group.title))
            .list("props", about.title_prop(&group.title).into_iter().collect())
            .list("controls", group.controls.iter().map(|c| control(about, c)).collect())
            .done()
    });
    let body = about.head("catalog", id, &[]).list("groups", groups.collect());
    judged("catalog", body)
}

fn control(about: &About, control: &Control) -> Node {
    let label = Build::new().text("name", "label").line("value", &control.label).done();
    let mut props = vec![label];
    props.extend(about.title_prop(&control.title));
    props.extend(control.props.iter().filter_map(|(name, value)| about.prop(name, value)));
    let mut parts = vec![statement(about, control)];
    parts.extend(control.objectives.iter().map(|objective| self::objective(about, objective)));
    Build::new()
        .text("id", &control.id)
        .line("title", about.say(&control.title))
        .list("props", props)
        .list("parts", parts)
        .done()
}

fn statement(about: &About, control: &Control) -> Node {
    let id = statement_id(&control.id);
    let other = about.tongue.other(&control.statement).map(|(tongue, text)| {
        Build::new()
            .text("id", &format!("{id}.{tongue}"))
            .text("name", "translation")
            .text("ns", &about.vocabulary)
            .text("class", tongue)
            .text("prose", text)
            .done()
    });
    Build::new()
        .text("id", &id)
        .text("name", "statement")
        .text("prose", about.say(&control.statement))
        .list("parts", other.into_iter().collect())
        .done()
}

fn objective(about: &About, objective: &Objective) -> Node {
    let level = about.prop("level", objective.level.as_deref().unwrap_or(""));
    Build::new()
        .text("id", &objective.id)
        .text("name", "assessment-objective")
        .list("props", level.into_iter().collect())
        .text("prose", about.say(&objective.text))
        .done()
}

/// The controls of a catalogue that were selected.
pub fn profile(
    about: &About,
    id: &str,
    catalog_href: &str,
    selected: &[String],
) -> Result<Document, Refused> {
    let ids: Vec<Node> = selected.iter().map(|id| Node::from(id.as_str())).collect();
    let include =
        if ids.is_empty() { Vec::new() } else { vec![Build::new().list("with-ids", ids).done()] };
    let import = Build::new().text("href", catalog_href).list("include-controls", include).done();
    let body = about
        .head("profile", id, &[])
        .list("imports", vec![import])
        .object("merge", Build::new().node("as-is", Node::Bool(true)));
    judged("profile", body)
}
