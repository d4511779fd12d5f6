//! How controls are judged, what was found, and what is done about it: assessment plan, assessment
//! results, plan of action and milestones.

use super::{About, Evidence, Refused, Words, build::Build, catalog::statement_id, judged};
use crate::{document::Document, node::Node};

/// What will be looked at.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: String,
    /// Address of the system security plan
    pub plan: String,
    pub activities: Vec<Activity>,
    pub tasks: Vec<Task>,
}

/// How one criterion is judged.
#[derive(Clone, Debug)]
pub struct Activity {
    pub id: String,
    pub title: Words,
    pub description: Words,
    pub assurance: Assurance,
    pub controls: Vec<String>,
}

/// Where evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assurance {
    Machine,
    Imported,
    Attested,
}

impl Assurance {
    fn name(self) -> &'static str {
        match self {
            Assurance::Machine => "machine",
            Assurance::Imported => "imported",
            Assurance::Attested => "attested",
        }
    }

    /// OSCAL's word for how it was looked at.
    fn method(self) -> &'static str {
        match self {
            Assurance::Machine => "TEST",
            Assurance::Imported => "EXAMINE",
            Assurance::Attested => "INTERVIEW",
        }
    }
}

/// Something to do. Of a plan it names activities, of a risk it mends something.
#[derive(Clone, Debug)]
pub struct Task {
    pub id: String,
    pub title: Words,
    pub description: Words,
    /// RFC 3339 with zone
    pub due: Option<String>,
    /// `id` of the party that does it
    pub owner: Option<String>,
    /// `id` of activities
    pub activities: Vec<String>,
}

const ASSESSOR: (&str, &str, &str) = ("assessor", "評価者", "Assessor");
const TASK_OWNER: (&str, &str, &str) = ("task-owner", "対応の担当者", "Task owner");

pub fn assessment_plan(about: &About, plan: &Plan) -> Result<Document, Refused> {
    let controls: Vec<&str> =
        plan.activities.iter().flat_map(|a| a.controls.iter().map(String::as_str)).collect();
    let activities = plan.activities.iter().map(|a| activity(about, a)).collect();
    let tasks = plan.tasks.iter().map(|t| task(about, t, "action", "assessor")).collect();
    let body = about
        .head("assessment-plan", &plan.id, &[ASSESSOR])
        .object("import-ssp", Build::new().text("href", &plan.plan))
        .object("local-definitions", Build::new().list("activities", activities))
        .object("reviewed-controls", reviewed(controls))
        .list("assessment-subjects", vec![everything()])
        .list("tasks", tasks);
    judged("assessment-plan", body)
}

fn everything() -> Node {
    Build::new().text("type", "component").node("include-all", Build::new().done()).done()
}

fn activity(about: &About, activity: &Activity) -> Node {
    let method = Build::new().text("name", "method").text("value", activity.assurance.method());
    let controls = activity.controls.iter().map(String::as_str).collect();
    Build::with_uuid(about.uuid("activity", &activity.id))
        .line("title", about.say(&activity.title))
        .text("description", about.say(&activity.description))
        .list("props", vec![method.done()])
        .object("related-controls", reviewed(controls))
        .done()
}

/// `reviewed-controls`, each control once and in the order given.
fn reviewed(controls: Vec<&str>) -> Build {
    let mut seen = std::collections::HashSet::new();
    let once = controls.into_iter().filter(|control| seen.insert(*control));
    let controls: Vec<Node> = once.map(|c| Build::new().text("control-id", c).done()).collect();
    let selection = if controls.is_empty() {
        Vec::new()
    } else {
        vec![Build::new().list("include-controls", controls).done()]
    };
    Build::new().list("control-selections", selection)
}

fn task(about: &About, task: &Task, kind: &str, role: &str) -> Node {
    let timing = task.due.as_ref().map_or_else(Build::new, |due| {
        Build::new().object("on-date", Build::new().text("date", due))
    });
    let activities = task.activities.iter().map(|id| {
        Build::new()
            .text("activity-uuid", &about.uuid("activity", id).to_string())
            .list("subjects", vec![everything()])
            .done()
    });
    Build::with_uuid(about.uuid("task", &task.id))
        .text("type", kind)
        .line("title", about.say(&task.title))
        .text("description", about.say(&task.description))
        .object("timing", timing)
        .list("associated-activities", activities.collect())
        .list("responsible-roles", about.held_by(role, task.owner.as_deref()))
        .done()
}

/// What was found in one run over the criteria.
#[derive(Clone, Debug)]
pub struct Results {
    pub id: String,
    /// Address of the assessment plan
    pub plan: String,
    pub title: Words,
    pub description: Words,
    /// RFC 3339 with zone, as all times here
    pub start: String,
    pub end: Option<String>,
    pub verdicts: Vec<Verdict>,
    pub risks: Vec<Risk>,
}

/// The verdict on one criterion.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub id: String,
    pub control: String,
    /// Id of the objective in the catalogue; without one the control's statement is judged
    pub objective: Option<String>,
    pub title: Words,
    pub outcome: Outcome,
    pub reason: Words,
    pub assurance: Assurance,
    pub collected: String,
    pub valid_until: Option<String>,
    pub evidence: Vec<Evidence>,
    /// `id` of risks that follow from it
    pub risks: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Fail,
    Stale,
    Unknown,
    Excluded,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Stale => "stale",
            Outcome::Unknown => "unknown",
            Outcome::Excluded => "excluded",
        }
    }

    /// State and reason of a finding. Only a pass satisfies; what is excluded was not judged and has none.
    fn status(self) -> Option<(&'static str, &'static str)> {
        match self {
            Outcome::Pass => Some(("satisfied", "pass")),
            Outcome::Fail => Some(("not-satisfied", "fail")),
            Outcome::Stale | Outcome::Unknown => Some(("not-satisfied", "other")),
            Outcome::Excluded => None,
        }
    }
}

pub fn assessment_results(about: &About, results: &Results) -> Result<Document, Refused> {
    let verdicts = &results.verdicts;
    let controls = verdicts.iter().map(|v| v.control.as_str()).collect();
    let result = Build::with_uuid(about.uuid("result", &results.id))
        .line("title", about.say(&results.title))
        .text("description", about.say(&results.description))
        .text("start", &results.start)
        .maybe("end", results.end.as_deref())
        .object("reviewed-controls", reviewed(controls))
        .list("observations", verdicts.iter().map(|v| observation(about, v)).collect())
        .list("risks", results.risks.iter().map(|r| risk(about, r)).collect())
        .list("findings", verdicts.iter().filter_map(|v| finding(about, v)).collect());
    let body = about
        .head("assessment-results", &results.id, &[ASSESSOR, TASK_OWNER])
        .object("import-ap", Build::new().text("href", &results.plan))
        .list("results", vec![result.done()]);
    judged("assessment-results", body)
}

fn observation(about: &About, verdict: &Verdict) -> Node {
    let props = [("verdict", verdict.outcome.name()), ("assurance", verdict.assurance.name())];
    let evidence = verdict.evidence.iter().map(|evidence| {
        let props =
            [("observed", evidence.observed.as_deref()), ("sha-256", evidence.sha256.as_deref())];
        let props = props.iter().filter_map(|(name, value)| about.prop(name, (*value)?));
        Build::new()
            .maybe("href", evidence.href.as_deref())
            .text("description", about.say(&evidence.title))
            .list("props", props.collect())
            .done()
    });
    Build::with_uuid(about.uuid("observation", &verdict.id))
        .line("title", about.say(&verdict.title))
        .text("description", reason(about, verdict))
        .list("props", props.iter().filter_map(|(name, value)| about.prop(name, value)).collect())
        .list("methods", vec![Node::from(verdict.assurance.method())])
        .list("types", vec![Node::from("control-objective")])
        .list("relevant-evidence", evidence.collect())
        .text("collected", &verdict.collected)
        .maybe("expires", verdict.valid_until.as_deref())
        .done()
}

fn reason<'w>(about: &About, verdict: &'w Verdict) -> &'w str {
    match about.say(&verdict.reason) {
        "" => about.say(&verdict.title),
        reason => reason,
    }
}

fn finding(about: &About, verdict: &Verdict) -> Option<Node> {
    let (state, why) = verdict.outcome.status()?;
    let target = match &verdict.objective {
        Some(id) => Build::new().text("type", "objective-id").text("target-id", id),
        None => {
            let id = statement_id(&verdict.control);
            Build::new().text("type", "statement-id").text("target-id", &id)
        }
    };
    let status = Build::new().text("state", state).text("reason", why);
    let seen = about.uuid("observation", &verdict.id).to_string();
    let observation = Build::new().text("observation-uuid", &seen).done();
    let finding = Build::with_uuid(about.uuid("finding", &verdict.id))
        .line("title", about.say(&verdict.title))
        .text("description", reason(about, verdict))
        .list("props", about.prop("control", &verdict.control).into_iter().collect())
        .object("target", target.object("status", status))
        .list("related-observations", vec![observation])
        .list("related-risks", related_risks(about, &verdict.risks));
    Some(finding.done())
}

fn related_risks(about: &About, risks: &[String]) -> Vec<Node> {
    let uuid = |id: &String| about.uuid("risk", id).to_string();
    risks.iter().map(|id| Build::new().text("risk-uuid", &uuid(id)).done()).collect()
}

#[derive(Clone, Debug)]
pub struct Risk {
    pub id: String,
    pub title: Words,
    pub description: Words,
    /// What may happen
    pub statement: Words,
    pub state: RiskState,
    pub deadline: Option<String>,
    /// `inherent`, `current`, `target`, …, in the words of the organisation's method
    pub ratings: Vec<Rating>,
    /// What is done about it, in a sentence; needed where there are tasks
    pub treatment: Words,
    pub tasks: Vec<Task>,
}

#[derive(Clone, Debug)]
pub struct Rating {
    /// A token
    pub name: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskState {
    Open,
    Investigating,
    Remediating,
    Accepted,
    Closed,
}

impl RiskState {
    fn name(self) -> &'static str {
        match self {
            RiskState::Open => "open",
            RiskState::Investigating => "investigating",
            RiskState::Remediating => "remediating",
            RiskState::Accepted => "deviation-approved",
            RiskState::Closed => "closed",
        }
    }
}

fn risk(about: &About, risk: &Risk) -> Node {
    let actor = Build::new()
        .text("type", "party")
        .text("actor-uuid", &about.uuid("party", &about.publisher).to_string());
    let facets = risk.ratings.iter().map(|rating| {
        Build::new()
            .text("name", &rating.name)
            .text("system", &about.vocabulary)
            .line("value", &rating.value)
            .done()
    });
    let origin = Build::new().list("actors", vec![actor.done()]);
    let facets: Vec<Node> = facets.collect();
    let rated = !facets.is_empty();
    let characterization = Build::new().object("origin", origin).list("facets", facets).done();
    Build::with_uuid(about.uuid("risk", &risk.id))
        .line("title", about.say(&risk.title))
        .text("description", about.say(&risk.description))
        .text("statement", about.say(&risk.statement))
        .text("status", risk.state.name())
        .list("characterizations", rated.then_some(characterization).into_iter().collect())
        .maybe("deadline", risk.deadline.as_deref())
        .list("remediations", remediation(about, risk).into_iter().collect())
        .done()
}

fn remediation(about: &About, risk: &Risk) -> Option<Node> {
    let said = about.say(&risk.treatment);
    if said.is_empty() && risk.tasks.is_empty() {
        return None;
    }
    let lifecycle = if risk.state == RiskState::Closed { "completed" } else { "planned" };
    let tasks = risk.tasks.iter().map(|t| task(about, t, "milestone", "task-owner")).collect();
    let remediation = Build::with_uuid(about.uuid("remediation", &risk.id))
        .text("lifecycle", lifecycle)
        .line("title", about.say(&risk.title))
        .text("description", if said.is_empty() { about.say(&risk.title) } else { said })
        .list("tasks", tasks);
    Some(remediation.done())
}

/// What is missing and by when it is there.
#[derive(Clone, Debug)]
pub struct Gaps {
    pub id: String,
    /// Address of the system security plan
    pub plan: String,
    /// `id` of the system, as in the plan
    pub system: String,
    pub risks: Vec<Risk>,
    pub gaps: Vec<Gap>,
}

#[derive(Clone, Debug)]
pub struct Gap {
    pub id: String,
    pub control: String,
    pub title: Words,
    pub description: Words,
    /// `id` of the risks it is mended under
    pub risks: Vec<String>,
}

pub fn plan_of_action(about: &About, gaps: &Gaps) -> Result<Document, Refused> {
    let items = gaps.gaps.iter().map(|gap| {
        Build::with_uuid(about.uuid("gap", &gap.id))
            .line("title", about.say(&gap.title))
            .text("description", about.say(&gap.description))
            .list("props", about.prop("control", &gap.control).into_iter().collect())
            .list("related-risks", related_risks(about, &gap.risks))
            .done()
    });
    let system = Build::new()
        .text("identifier-type", "http://ietf.org/rfc/rfc4122")
        .text("id", &about.uuid("system", &gaps.system).to_string());
    let body = about
        .head("plan-of-action-and-milestones", &gaps.id, &[TASK_OWNER])
        .object("import-ssp", Build::new().text("href", &gaps.plan))
        .object("system-id", system)
        .list("risks", gaps.risks.iter().map(|r| risk(about, r)).collect())
        .list("poam-items", items.collect());
    judged("plan-of-action-and-milestones", body)
}
