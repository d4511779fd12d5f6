//! The Statement of Applicability as a system security plan: every row, the excluded ones too.

use std::collections::BTreeSet;

use model::{Id, Lang, t};
use oscal::{
    Document,
    export::{
        self, About, Driver, Evidence, Exclusion, Information, Inherited, Provider, Row, Satisfied,
        Sharing, Statement, Status, System, Words,
    },
};

use super::{ExportError, Model, Source, control_id, told, words};
use crate::{
    Board,
    hall::soa::{SoaRow, SoaStatus},
};

/// `id` of the statement and of the system among ours.
pub(super) const STATEMENT: &str = "soa";
pub(super) const SYSTEM: &str = "isms";
/// Property that says the number of a control of the organisation's own, which need not be a token.
pub(super) const NUMBER: &str = "control-number";
/// Property that says a row's status in our words; whoever reads it back knows that it was computed.
pub(super) const STATUS: &str = "soa-status";

pub(super) fn statement(
    about: &About,
    board: &Board,
    source: &Source,
) -> Result<Document, ExportError> {
    let hall = &board.view;
    let statement = Statement {
        id: STATEMENT.to_owned(),
        profile: Model::Profile.href(),
        system: system(source),
        providers: providers(board, source),
        rows: hall.soa.iter().map(|row| self::row(source, row)).collect(),
    };
    Ok(export::system_security_plan(about, &statement)?)
}

fn system(source: &Source) -> System {
    let name = source.organisation_name();
    let scope = match source.scope_text() {
        "" => words(t("適用範囲の文面はまだない。", "The scope is not written yet.")),
        text => told(text),
    };
    System {
        id: SYSTEM.to_owned(),
        name: Words::new(
            format!("{name} ISMS").trim().to_owned(),
            format!("{name} ISMS").trim().to_owned(),
        ),
        description: scope.clone(),
        boundary: scope,
        information: vec![Information {
            id: "in-scope".to_owned(),
            title: words(t("適用範囲の情報資産", "Information in scope")),
            description: words(t(
                "資産台帳に登録し、適用範囲に含まれる情報。",
                "The information in the register of assets that lies in scope.",
            )),
        }],
    }
}

fn providers(board: &Board, source: &Source) -> Vec<Provider> {
    let used: BTreeSet<Id> = board.view.soa.iter().filter_map(|row| row.provider).collect();
    let known = used.iter().filter_map(|id| source.people.get(id));
    let provider = |row: &store::Row| Provider {
        id: row.id.to_string(),
        title: told(&row.name),
        description: words(t(
            "管理策の全部または一部を行う提供者。",
            "Does controls in whole or in part.",
        )),
        party: row.id.to_string(),
        since: row.created_at.rfc3339().chars().take(10).collect(),
    };
    known.map(provider).collect()
}

fn row(source: &Source, row: &SoaRow) -> Row {
    let left_out = row.applies == Some(false);
    Row {
        control: control_id(&row.control),
        status: status(row.status),
        level: Some(row.level.name().to_owned()),
        drivers: row
            .drivers
            .iter()
            .map(|d| Driver { kind: d.ty.clone(), text: d.text.clone() })
            .collect(),
        owner: source.party(row.owner),
        description: told(&row.statement),
        remarks: if left_out { Words::default() } else { told(&row.reason) },
        sharing: sharing(source, row),
        provides: Vec::new(),
        exclusion: left_out.then(|| exclusion(row)),
        evidence: evidence(row),
        props: props(row),
    }
}

/// What is claimed and not shown is partial at best: OSCAL has no word for a claim, the property has.
fn status(status: SoaStatus) -> Status {
    match status {
        SoaStatus::Implemented | SoaStatus::Inherited => Status::Implemented,
        SoaStatus::Excluded => Status::NotApplicable,
        SoaStatus::Failing | SoaStatus::Claimed => Status::Partial,
        SoaStatus::Planned | SoaStatus::ExclusionOpen | SoaStatus::Undecided => Status::Planned,
    }
}

fn props(row: &SoaRow) -> Vec<(String, String)> {
    let mut all = vec![(STATUS.to_owned(), row.status.name().to_owned())];
    let lack = |lack: &crate::hall::soa::Lack| {
        let text = lack.text();
        ("lacks".to_owned(), text.get(Lang::En).to_owned())
    };
    all.extend(row.lacks.iter().map(lack));
    if row.norm.is_none() {
        all.push((NUMBER.to_owned(), row.control.clone()));
    }
    if let Some((passed, total)) = row.coverage {
        all.push(("coverage".to_owned(), format!("{passed}/{total}")));
    }
    all
}

fn exclusion(row: &SoaRow) -> Exclusion {
    let signed = row.exclusion.as_ref();
    let until = signed.and_then(|e| e.until);
    Exclusion {
        reason: told(&row.reason),
        approver: signed.map(|e| e.approver.clone()),
        expires: until.map(|t| t.rfc3339().chars().take(10).collect()),
    }
}

fn sharing(source: &Source, row: &SoaRow) -> Sharing {
    let Some(provider) = row.provider.and_then(|id| source.people.get(&id)) else {
        return Sharing::Own;
    };
    let name = &provider.name;
    let inherited = Inherited {
        description: Words::new(format!("{name}が行う。"), format!("Done by {name}.")),
        provided: None,
    };
    let id = provider.id.to_string();
    match row.provision.as_str() {
        "inherited" => Sharing::Inherited { provider: id, inherited },
        "shared" => {
            let left = t("残りを自組織が行う。", "The organisation does the rest.");
            let satisfied = Satisfied {
                description: if row.statement.is_empty() {
                    words(left)
                } else {
                    told(&row.statement)
                },
                responsibility: None,
            };
            Sharing::Shared { provider: id, inherited, satisfied }
        }
        _ => Sharing::Own,
    }
}

/// Documents by name, and what the records show, in one line: they are many, and stand in the ledger.
fn evidence(row: &SoaRow) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = row
        .documents
        .iter()
        .map(|name| Evidence {
            id: format!("document/{name}"),
            title: told(name),
            href: None,
            sha256: None,
            observed: None,
        })
        .collect();
    let shown = &row.evidence;
    if let Some(newest) = shown.newest.filter(|_| shown.count > 0) {
        let day: String = newest.rfc3339().chars().take(10).collect();
        all.push(Evidence {
            id: format!("records/{}", row.control),
            title: Words::new(
                format!("{} 証跡の記録 {}件（最新 {day}）", row.control, shown.count),
                format!("{}: {} records in the ledger, newest {day}", row.control, shown.count),
            ),
            href: None,
            sha256: None,
            observed: Some(newest.rfc3339()),
        });
    }
    all
}
