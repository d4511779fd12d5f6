//! Catalogue, profile and component definition: the standard in our own words, and what each room does.

use model::{Criterion, RoomSpec, t};
use oscal::{
    Document,
    export::{self, About, Capability, Component, Control, Group, Objective, Requirement, Words},
};

use super::{ExportError, Model, control_id, told, words};
use crate::{
    Board,
    hall::soa::SoaStatus,
    norms::{self, Norm},
};

const THEMES: [(&str, model::Text); 4] = [
    ("organizational", t("組織的管理策", "Organizational controls")),
    ("people", t("人的管理策", "People controls")),
    ("physical", t("物理的管理策", "Physical controls")),
    ("technological", t("技術的管理策", "Technological controls")),
];

/// Clause that each criterion of the ISMS itself is about.
const CLAUSES: [(&str, &str); 12] = [
    ("isms/ume-1", "c.6.1.2"),
    ("isms/ume-2", "c.6.1.3"),
    ("isms/ume-3", "c.6.1.3"),
    ("isms/ume-4", "c.9.3.1"),
    ("isms/take-1", "c.6.1.3"),
    ("isms/take-2", "c.9.2.1"),
    ("isms/take-3", "c.6.3"),
    ("isms/take-4", "c.7.3"),
    ("isms/matsu-1", "c.7.5.3"),
    ("isms/matsu-2", "c.9.1"),
    ("isms/matsu-3", "c.9.2.1"),
    ("isms/matsu-4", "c.10.2"),
];

/// The control that a criterion judges.
pub(super) fn judged_control(spec: &RoomSpec, criterion: &str) -> String {
    match CLAUSES.iter().find(|(id, _)| *id == criterion) {
        Some((_, clause)) => (*clause).to_owned(),
        None => control_id(spec.control),
    }
}

/// Id of the objective that a criterion is in the catalogue.
pub(super) fn objective_id(spec: &RoomSpec, criterion: &str) -> String {
    let rung = criterion.split_once('/').map_or(criterion, |(_, rung)| rung);
    let control = judged_control(spec, criterion);
    if control.starts_with("c.") {
        format!("{control}_obj.isms-{rung}")
    } else {
        format!("{control}_obj.{rung}")
    }
}

pub(super) fn catalog(about: &About, board: &Board) -> Result<Document, ExportError> {
    let mut groups = clauses(board);
    for (theme, title) in THEMES {
        let of_theme = norms::annex_a().iter().filter(|n| n.theme.as_deref() == Some(theme));
        let controls = of_theme.map(|norm| control(board, norm)).collect();
        groups.push(Group { id: theme.to_owned(), title: words(title), controls });
    }
    groups.extend(own(board));
    Ok(export::catalog(about, "controls", &groups)?)
}

/// A group for each chapter; what stands in it is judged, the heading is not.
fn clauses(board: &Board) -> Vec<Group> {
    let all = norms::clauses();
    let chapters = all.iter().filter(|n| n.parent.is_none());
    let group = |chapter: &&'static Norm| {
        let below = format!("{}.", chapter.number);
        let inside = all.iter().filter(|n| n.number.starts_with(&below));
        Group {
            id: format!("clause-{}", chapter.number),
            title: title(chapter),
            controls: inside.map(|norm| control(board, norm)).collect(),
        }
    };
    chapters.map(group).collect()
}

fn title(norm: &Norm) -> Words {
    Words::new(norm.title_ja.as_str(), norm.title_en.as_str())
}

fn control(board: &Board, norm: &Norm) -> Control {
    let said = |text: &Option<String>, other: &str| match text.as_deref() {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => other.to_owned(),
    };
    let mut props: Vec<(String, String)> = Vec::new();
    if norm.new_in_2022 {
        props.push(("new-in-2022".to_owned(), "yes".to_owned()));
    }
    props.extend(norm.control_type.iter().map(|v| ("control-type".to_owned(), v.clone())));
    props.extend(norm.properties.iter().map(|v| ("security-property".to_owned(), v.clone())));
    let criteria = board.all().flat_map(|c| c.spec.criteria.iter().map(move |k| (c.spec, k)));
    Control {
        id: norm.id.clone(),
        label: norm.number.clone(),
        title: title(norm),
        statement: Words::new(
            said(&norm.summary_ja, &norm.title_ja),
            said(&norm.summary_en, &norm.title_en),
        ),
        props,
        objectives: criteria
            .filter(|(spec, k)| judged_control(spec, k.id) == norm.id)
            .map(|(spec, k)| objective(spec, k))
            .collect(),
    }
}

fn objective(spec: &RoomSpec, criterion: &Criterion) -> Objective {
    Objective {
        id: objective_id(spec, criterion.id),
        level: Some(criterion.level.name().to_owned()),
        text: words(criterion.text),
    }
}

/// Controls the organisation determined itself.
fn own(board: &Board) -> Option<Group> {
    let rows = board.view.soa.iter().filter(|row| row.norm.is_none() && is_own(&row.control));
    let controls: Vec<Control> = rows
        .map(|row| Control {
            id: control_id(&row.control),
            label: row.control.clone(),
            title: Words::new(row.title_ja.as_str(), row.title_en.as_str()),
            statement: told(if row.statement.is_empty() { &row.title_ja } else { &row.statement }),
            props: Vec::new(),
            objectives: Vec::new(),
        })
        .collect();
    let title = words(t("組織が決めた管理策", "Controls the organisation determined"));
    (!controls.is_empty()).then_some(Group { id: "own".to_owned(), title, controls })
}

fn is_own(number: &str) -> bool {
    norms::annex_a().iter().all(|n| n.number != number)
}

pub(super) fn profile(about: &About, board: &Board) -> Result<Document, ExportError> {
    let clauses = norms::clauses().into_iter().filter(|n| n.parent.is_some());
    let mut selected: Vec<String> = clauses.map(|n| n.id.clone()).collect();
    let rows = board.view.soa.iter().filter(|row| row.status != SoaStatus::Excluded);
    selected.extend(rows.map(|row| control_id(&row.control)));
    Ok(export::profile(about, "applicable", &Model::Catalog.href(), &selected)?)
}

pub(super) fn components(about: &About, board: &Board) -> Result<Document, ExportError> {
    let components: Vec<Component> = board.all().map(|c| component(c.spec)).collect();
    let whole = Capability {
        id: "ume".to_owned(),
        name: Words::new("Ume 梅", "Ume 梅"),
        description: words(t(
            "新規11管理策の運用と証拠の収集、それに基づくISMSの管理。",
            "Runs the eleven new controls, collects their evidence, and manages the ISMS on it.",
        )),
        components: board.all().map(|c| (component_id(c.spec), words(c.spec.aim))).collect(),
    };
    let source = Model::Catalog.href();
    Ok(export::component_definition(about, "ume", &source, &components, &[whole])?)
}

fn component_id(spec: &RoomSpec) -> String {
    format!("room/{}", spec.id)
}

fn component(spec: &'static RoomSpec) -> Component {
    let mut controls: Vec<String> =
        spec.criteria.iter().map(|k| judged_control(spec, k.id)).collect();
    controls.sort();
    controls.dedup();
    Component {
        id: component_id(spec),
        kind: "software".to_owned(),
        title: words(spec.name),
        description: words(spec.overview),
        requirements: controls.into_iter().map(|control| requirement(spec, control)).collect(),
    }
}

/// A control with the room's criteria for it, a line each.
fn requirement(spec: &'static RoomSpec, control: String) -> Requirement {
    let of_control = || spec.criteria.iter().filter(|k| judged_control(spec, k.id) == control);
    let lines = |lang| -> Vec<String> {
        let line = |k: &Criterion| format!("- {} {}: {}", k.level.sign(), k.id, k.text.get(lang));
        of_control().map(line).collect()
    };
    let (ja, en) = (lines(model::Lang::Ja).join("\n"), lines(model::Lang::En).join("\n"));
    Requirement {
        description: Words::new(
            format!("{}\n\n{ja}", spec.overview.ja),
            format!("{}\n\n{en}", spec.overview.en),
        ),
        props: of_control().map(|k| ("criterion".to_owned(), k.id.to_owned())).collect(),
        control,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_criterion_of_the_isms_is_about_a_clause_that_there_is() {
        let clauses = norms::clauses();
        for criterion in crate::SPEC.criteria {
            let control = judged_control(&crate::SPEC, criterion.id);
            let is_there = clauses.iter().any(|n| n.id == control);
            assert!(is_there, "{} names {control}", criterion.id);
        }
    }

    #[test]
    fn numbers_become_tokens_that_stay_apart() {
        assert_eq!(control_id("5.7"), "a.5.7");
        assert_eq!(control_id("ac-2"), "own.ac-2");
        let (first, second) = (control_id("独自 1"), control_id("独自-1"));
        assert!(oscal::is_token(&first) && oscal::is_token(&second));
        assert_ne!(first, second);
    }
}
