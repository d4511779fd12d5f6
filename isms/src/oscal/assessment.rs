//! How the criteria are judged, what the verdicts are, and what is done about what is missing.

use model::{Id, Status, t};
use oscal::{
    Document,
    export::{
        self, About, Activity, Assurance, Evidence, Gap, Gaps, Outcome, Plan, Rating, Results,
        Risk, RiskState, Task, Verdict, Words,
    },
};
use store::Row;

use super::{
    ExportError, Model, Source,
    controls::{judged_control, objective_id},
    source::assignee,
    statement::SYSTEM,
    told, words,
};
use crate::{
    Board, Control,
    hall::{Acceptance, RiskView, soa::SoaStatus, text_of},
};

pub(super) fn plan(about: &About, board: &Board) -> Result<Document, ExportError> {
    let activities = board.all().flat_map(|c| c.spec.criteria.iter().map(move |k| (c.spec, k)));
    let plan = Plan {
        id: "criteria".to_owned(),
        plan: Model::Statement.href(),
        activities: activities
            .map(|(spec, criterion)| Activity {
                id: criterion.id.to_owned(),
                title: Words::new(
                    format!("{} {}", criterion.id, criterion.text.ja),
                    format!("{} {}", criterion.id, criterion.text.en),
                ),
                description: how(criterion),
                assurance: Assurance::Machine,
                controls: vec![judged_control(spec, criterion.id)],
            })
            .collect(),
        tasks: Vec::new(),
    };
    Ok(export::assessment_plan(about, &plan)?)
}

/// Which records are looked at, how old they may be, and what may be handed in instead.
fn how(criterion: &model::Criterion) -> Words {
    let (types, hours) = (criterion.check.reads().join(", "), criterion.check.fresh_hours());
    let (ja, en) = if types.is_empty() {
        ("台帳の記載から判定する。".to_owned(), "Judged from the registers.".to_owned())
    } else {
        (
            format!("記録 {types} から判定する。{hours}時間より古い記録は数えない。"),
            format!("Judged from records {types}, none older than {hours} hours."),
        )
    };
    match criterion.by_hand {
        None => Words::new(ja, en),
        Some(text) => Words::new(
            format!("{ja} 申告・取込みで代える場合: {}", text.ja),
            format!("{en} By hand instead: {}", text.en),
        ),
    }
}

pub(super) fn results(
    about: &About,
    board: &Board,
    source: &Source,
) -> Result<Document, ExportError> {
    let verdicts = board.all().flat_map(|c| c.verdicts.iter().map(move |v| (c, v)));
    let results = Results {
        id: "now".to_owned(),
        plan: Model::AssessmentPlan.href(),
        title: words(t("今日の判定", "Verdicts of today")),
        description: words(t(
            "すべての基準を、この時点の台帳と記録から計算した結果。",
            "All criteria, computed from registers and records as they stand.",
        )),
        start: board.at.rfc3339(),
        end: Some(board.at.rfc3339()),
        verdicts: verdicts
            .map(|(control, verdict)| self::verdict(board, control, verdict))
            .collect(),
        risks: board.view.risks.iter().map(|r| risk(source, r)).collect(),
    };
    Ok(export::assessment_results(about, &results)?)
}

fn verdict(board: &Board, control: &Control, verdict: &crate::Verdict) -> Verdict {
    let spec = control.spec;
    let criterion = spec.criterion(verdict.criterion);
    Verdict {
        id: verdict.criterion.to_owned(),
        control: judged_control(spec, verdict.criterion),
        objective: Some(objective_id(spec, verdict.criterion)),
        title: criterion.map_or_else(|| told(verdict.criterion), |c| words(c.text)),
        outcome: outcome(verdict.status),
        reason: reason(verdict),
        assurance: if verdict.by_hand { Assurance::Attested } else { Assurance::Machine },
        collected: verdict.newest.unwrap_or(board.at).rfc3339(),
        valid_until: verdict.valid_until.map(|t| t.rfc3339()),
        evidence: evidence(verdict).into_iter().collect(),
        risks: risks_of(board, spec.control),
    }
}

fn outcome(status: Status) -> Outcome {
    match status {
        Status::Pass => Outcome::Pass,
        Status::Fail => Outcome::Fail,
        Status::Stale => Outcome::Stale,
        Status::Unknown => Outcome::Unknown,
        Status::Excluded => Outcome::Excluded,
    }
}

fn reason(verdict: &crate::Verdict) -> Words {
    Words::new(verdict.reason.render(model::Lang::Ja), verdict.reason.render(model::Lang::En))
}

fn evidence(verdict: &crate::Verdict) -> Option<Evidence> {
    let newest = verdict.newest?;
    Some(Evidence {
        id: format!("verdict/{}", verdict.criterion),
        title: Words::new(
            format!("{}件中{}件が満たす記録", verdict.total, verdict.passed),
            format!("records of {} subjects, of which {} pass", verdict.total, verdict.passed),
        ),
        href: None,
        sha256: None,
        observed: Some(newest.rfc3339()),
    })
}

/// Open risks that a control treats.
fn risks_of(board: &Board, control: &str) -> Vec<String> {
    let treated = |r: &&RiskView| r.open && r.controls.iter().any(|c| c == control);
    board.view.risks.iter().filter(treated).map(|r| r.id.to_string()).collect()
}

fn risk(source: &Source, view: &RiskView) -> Risk {
    let row = source.risks.get(&view.id);
    let said = |name: &str| row.and_then(|row| text_of(row, name)).unwrap_or("");
    let or_name = |text: &str| told(if text.is_empty() { &view.name } else { text });
    let tasks = tasks_about(source, view.id);
    let mut ratings = Vec::new();
    let rated = [("inherent", view.inherent), ("current", view.current), ("target", view.target)];
    for (name, estimate) in rated {
        if let Some(estimate) = estimate {
            let value =
                format!("{} ({}x{})", estimate.size(), estimate.likelihood, estimate.consequence);
            ratings.push(Rating { name: name.to_owned(), value });
        }
    }
    let parts =
        [("脅威 / threat", said("threat")), ("リスク源 / risk source", said("risk_source"))];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("{name}: {text}"))
        .collect();
    Risk {
        id: view.id.to_string(),
        title: told(&view.name),
        description: or_name(&parts.join("\n")),
        statement: or_name(said("scenario")),
        state: state(view, !tasks.is_empty()),
        deadline: tasks.iter().filter_map(|task| task.due.clone()).min(),
        ratings,
        treatment: treatment(view, said("measures")),
        tasks,
    }
}

fn state(view: &RiskView, is_worked_on: bool) -> RiskState {
    match (&view.acceptance, view.open) {
        (_, false) => RiskState::Closed,
        (Acceptance::Held { .. }, true) => RiskState::Accepted,
        _ if is_worked_on => RiskState::Remediating,
        _ if view.inherent.is_none() => RiskState::Investigating,
        _ => RiskState::Open,
    }
}

fn treatment(view: &RiskView, measures: &str) -> Words {
    let (ja, en) = match view.treatment.as_str() {
        "modify" => ("低減", "modify"),
        "retain" => ("保有", "retain"),
        "avoid" => ("回避", "avoid"),
        "share" => ("共有", "share"),
        _ => return told(measures),
    };
    let tail = [view.controls.join(" "), measures.to_owned()].join(" ").trim().to_owned();
    let tail = if tail.is_empty() { tail } else { format!(": {tail}") };
    Words::new(format!("{ja}{tail}"), format!("{en}{tail}"))
}

fn tasks_about(source: &Source, subject: Id) -> Vec<Task> {
    source.tasks.iter().filter(|t| t.subject == Some(subject)).map(|t| task(source, t)).collect()
}

fn task(source: &Source, row: &Row) -> Task {
    let due = text_of(row, "due").filter(|due| due.len() == 10);
    Task {
        id: row.id.to_string(),
        title: told(&row.name),
        description: told(text_of(row, "description").unwrap_or("")),
        due: due.map(|due| format!("{due}T23:59:59Z")),
        owner: source.party(assignee(row)),
        activities: Vec::new(),
    }
}

pub(super) fn plan_of_action(
    about: &About,
    board: &Board,
    source: &Source,
) -> Result<Document, ExportError> {
    let mut gaps: Vec<Gap> = board.all().flat_map(|c| missing(board, c)).collect();
    gaps.extend(open_rows(board));
    gaps.extend(source.tasks.iter().filter(|t| !is_about_risk(source, t)).map(other_task));
    let open = board.view.risks.iter().filter(|r| r.open);
    let risks: Vec<Risk> = open.map(|r| risk(source, r)).collect();
    gaps.extend(risks.iter().map(|risk| Gap {
        id: format!("risk/{}", risk.id),
        control: String::new(),
        title: risk.title.clone(),
        description: risk.statement.clone(),
        risks: vec![risk.id.clone()],
    }));
    if gaps.is_empty() {
        return Err(ExportError::NothingOpen);
    }
    let plan = Gaps {
        id: "open".to_owned(),
        plan: Model::Statement.href(),
        system: SYSTEM.to_owned(),
        risks,
        gaps,
    };
    Ok(export::plan_of_action(about, &plan)?)
}

/// Criteria between a control and its target, or 梅 while it has none.
fn missing(board: &Board, control: &Control) -> Vec<Gap> {
    let spec = control.spec;
    let target = control.target.max(model::Level::Ume);
    let wanted = |v: &&crate::Verdict| {
        !matches!(v.status, Status::Pass | Status::Excluded)
            && spec.criterion(v.criterion).is_some_and(|c| c.level <= target)
    };
    let gap = |v: &crate::Verdict| {
        let text = spec.criterion(v.criterion).map_or_else(|| told(v.criterion), |c| words(c.text));
        let mend = spec.mends.iter().find(|m| m.criterion == v.criterion);
        let (reason, mend) = (reason(v), mend.map(|m| words(m.text)).unwrap_or_default());
        Gap {
            id: v.criterion.to_owned(),
            control: judged_control(spec, v.criterion),
            title: text,
            description: Words::new(
                format!("{}。{}", reason.ja, mend.ja),
                format!("{}. {}", reason.en, mend.en),
            ),
            risks: risks_of(board, spec.control),
        }
    };
    control.verdicts.iter().filter(wanted).map(gap).collect()
}

/// Rows of the statement that are neither done nor left out.
fn open_rows(board: &Board) -> Vec<Gap> {
    let settled = [SoaStatus::Implemented, SoaStatus::Inherited, SoaStatus::Excluded];
    let open = board.view.soa.iter().filter(|row| !settled.contains(&row.status));
    let gap = |row: &crate::hall::soa::SoaRow| {
        let lacks = |lang| -> String {
            let texts: Vec<&str> = row.lacks.iter().map(|l| l.text().get(lang)).collect();
            texts.join(if lang == model::Lang::Ja { "、" } else { ", " })
        };
        let (status, ja, en) = (row.status_text(), lacks(model::Lang::Ja), lacks(model::Lang::En));
        Gap {
            id: format!("soa/{}", row.control),
            control: super::control_id(&row.control),
            title: Words::new(
                format!("{} {}: {}", row.control, row.title_ja, status.ja),
                format!("{} {}: {}", row.control, row.title_en, status.en),
            ),
            description: Words::new(
                if ja.is_empty() { status.ja.to_owned() } else { ja },
                if en.is_empty() { status.en.to_owned() } else { en },
            ),
            risks: risks_of(board, &row.control),
        }
    };
    open.map(gap).collect()
}

fn is_about_risk(source: &Source, task: &Row) -> bool {
    task.subject.is_some_and(|id| source.risks.contains_key(&id))
}

fn other_task(task: &Row) -> Gap {
    let due = text_of(task, "due").map_or(String::new(), |due| format!("（期限 / due {due}）"));
    let said = text_of(task, "description").unwrap_or(&task.name);
    Gap {
        id: format!("task/{}", task.id),
        control: text_of(task, "control").map_or(String::new(), super::control_id),
        title: told(&task.name),
        description: told(&format!("{said}{due}")),
        risks: Vec::new(),
    }
}
