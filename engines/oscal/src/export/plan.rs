//! The Statement of Applicability as a system security plan.
//!
//! Every row is an implemented requirement, the excluded ones too, with status `not-applicable` and the
//! reason: ISO/IEC 27001 6.1.3 d asks for both. What a provider does stands as `inherited`, what the
//! organisation adds to it as `satisfied`, what it offers to others as `provided` with the
//! `responsibilities` that stay with them.

use uuid::Uuid;

use super::{
    About, Refused, Words,
    build::{Build, line},
    judged,
};
use crate::{document::Document, node::Node};

/// The statement and the system it is about.
#[derive(Clone, Debug)]
pub struct Statement {
    pub id: String,
    /// Address of the profile that selects the controls
    pub profile: String,
    pub system: System,
    pub providers: Vec<Provider>,
    pub rows: Vec<Row>,
}

/// What lies in scope.
#[derive(Clone, Debug)]
pub struct System {
    pub id: String,
    pub name: Words,
    pub description: Words,
    /// Where the scope ends
    pub boundary: Words,
    pub information: Vec<Information>,
}

/// A kind of information the system holds.
#[derive(Clone, Debug)]
pub struct Information {
    pub id: String,
    pub title: Words,
    pub description: Words,
}

/// Somebody whose service controls are inherited from.
#[derive(Clone, Debug)]
pub struct Provider {
    pub id: String,
    pub title: Words,
    pub description: Words,
    /// `id` of the party that provides it
    pub party: String,
    /// Day since which it may be used (YYYY-MM-DD)
    pub since: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Implemented,
    Partial,
    Planned,
    Alternative,
    NotApplicable,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Implemented => "implemented",
            Status::Partial => "partial",
            Status::Planned => "planned",
            Status::Alternative => "alternative",
            Status::NotApplicable => "not-applicable",
        }
    }
}

/// One control's line.
#[derive(Clone, Debug)]
pub struct Row {
    pub control: String,
    pub status: Status,
    pub level: Option<String>,
    pub drivers: Vec<Driver>,
    /// `id` of the party that owns the control
    pub owner: Option<String>,
    /// How the organisation meets it
    pub description: Words,
    pub remarks: Words,
    pub sharing: Sharing,
    /// What the organisation offers to others under this control
    pub provides: Vec<Provided>,
    pub exclusion: Option<Exclusion>,
    pub evidence: Vec<Evidence>,
    /// Further properties: name (a token) and value
    pub props: Vec<(String, String)>,
}

/// Why a control applies: `risk`, `law`, `contract` or `business`, and which.
#[derive(Clone, Debug)]
pub struct Driver {
    pub kind: String,
    pub text: String,
}

#[derive(Clone, Debug)]
pub enum Sharing {
    Own,
    /// The provider does one part, the organisation the other
    Shared {
        provider: String,
        inherited: Inherited,
        satisfied: Satisfied,
    },
    /// The provider does all of it
    Inherited {
        provider: String,
        inherited: Inherited,
    },
}

/// What the provider does; `provided` is its own plan's UUID for it, where it has given one.
#[derive(Clone, Debug)]
pub struct Inherited {
    pub description: Words,
    pub provided: Option<Uuid>,
}

/// How the organisation does what the provider leaves to it.
#[derive(Clone, Debug)]
pub struct Satisfied {
    pub description: Words,
    pub responsibility: Option<Uuid>,
}

#[derive(Clone, Debug)]
pub struct Provided {
    pub id: String,
    pub description: Words,
    pub responsibilities: Vec<Responsibility>,
}

#[derive(Clone, Debug)]
pub struct Responsibility {
    pub id: String,
    pub description: Words,
}

#[derive(Clone, Debug)]
pub struct Exclusion {
    pub reason: Words,
    /// `id` of the party that approved it
    pub approver: Option<String>,
    /// Day it ends (YYYY-MM-DD)
    pub expires: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Evidence {
    pub id: String,
    pub title: Words,
    pub href: Option<String>,
    pub sha256: Option<String>,
    /// When what it shows was observed; RFC 3339 with zone
    pub observed: Option<String>,
}

const ROLES: [(&str, &str, &str); 2] = [
    ("control-owner", "管理策の責任者", "Control owner"),
    ("exclusion-approver", "除外の承認者", "Approver of exclusions"),
];

pub fn system_security_plan(about: &About, statement: &Statement) -> Result<Document, Refused> {
    let rows = statement.rows.iter().map(|row| requirement(about, statement, row)).collect();
    let description = Words::new(
        "適用宣言書の各行を管理策ごとの実装要求事項として示す。",
        "Each row of the Statement of Applicability as the implemented requirement of its control.",
    );
    let controls = Build::new()
        .text("description", about.say(&description))
        .list("implemented-requirements", rows);
    let body = about
        .head("system-security-plan", &statement.id, &ROLES)
        .object("import-profile", Build::new().text("href", &statement.profile))
        .object("system-characteristics", characteristics(about, &statement.system))
        .object("system-implementation", implementation(about, statement))
        .object("control-implementation", controls)
        .object("back-matter", Build::new().list("resources", resources(about, statement)));
    judged("system-security-plan", body)
}

fn characteristics(about: &About, system: &System) -> Build {
    let information = system.information.iter().map(|information| {
        Build::with_uuid(about.uuid("information", &information.id))
            .line("title", about.say(&information.title))
            .text("description", about.say(&information.description))
            .done()
    });
    let id = Build::new()
        .text("identifier-type", "http://ietf.org/rfc/rfc4122")
        .text("id", &about.uuid("system", &system.id).to_string());
    let boundary = Build::new().text("description", about.say(&system.boundary));
    Build::new()
        .list("system-ids", vec![id.done()])
        .line("system-name", about.say(&system.name))
        .text("description", about.say(&system.description))
        .object("system-information", Build::new().list("information-types", information.collect()))
        .object("status", Build::new().text("state", "operational"))
        .object("authorization-boundary", boundary)
}

fn implementation(about: &About, statement: &Statement) -> Build {
    let leveraged = statement.providers.iter().map(|provider| {
        Build::with_uuid(about.uuid("leveraged", &provider.id))
            .line("title", about.say(&provider.title))
            .text("party-uuid", &about.uuid("party", &provider.party).to_string())
            .text("date-authorized", &provider.since)
            .done()
    });
    let user = Build::with_uuid(about.uuid("user", "control-owner"))
        .text("title", about.say(&Words::new("管理策の責任者", "Control owner")))
        .list("role-ids", vec![Node::from("control-owner")]);
    let system = &statement.system;
    let this =
        component(about, "this-system", "this-system", &system.name, &system.description, None);
    let provided = statement.providers.iter().map(|provider| {
        let uuid = about.uuid("leveraged", &provider.id).to_string();
        let id = component_id(&provider.id);
        component(about, &id, "service", &provider.title, &provider.description, Some(&uuid))
    });
    Build::new()
        .list("leveraged-authorizations", leveraged.collect())
        .list("users", vec![user.done()])
        .list("components", std::iter::once(this).chain(provided).collect())
}

fn component_id(provider: &str) -> String {
    format!("provider/{provider}")
}

fn component(
    about: &About,
    id: &str,
    kind: &str,
    title: &Words,
    description: &Words,
    leveraged: Option<&str>,
) -> Node {
    let leveraged = leveraged.map(|uuid| {
        Build::new().text("name", "leveraged-authorization-uuid").text("value", uuid).done()
    });
    Build::with_uuid(about.uuid("component", id))
        .text("type", kind)
        .line("title", about.say(title))
        .text("description", about.say(description))
        .list("props", leveraged.into_iter().collect())
        .object("status", Build::new().text("state", "operational"))
        .done()
}

fn requirement(about: &About, statement: &Statement, row: &Row) -> Node {
    let mut roles = about.held_by("control-owner", row.owner.as_deref());
    let approver = row.exclusion.as_ref().and_then(|exclusion| exclusion.approver.as_deref());
    roles.extend(about.held_by("exclusion-approver", approver));
    let links = row.evidence.iter().map(|evidence| {
        Build::new()
            .text("href", &format!("#{}", about.uuid("evidence", &evidence.id)))
            .text("rel", "evidence")
            .line("text", about.say(&evidence.title))
            .done()
    });
    let mut remarks = about.say(&row.remarks).to_owned();
    if let Some(exclusion) = &row.exclusion {
        remarks = [about.say(&exclusion.reason), &remarks].join("\n\n").trim().to_owned();
    }
    Build::with_uuid(about.uuid("soa-row", &format!("{}/{}", statement.id, row.control)))
        .text("control-id", &row.control)
        .list("props", props(about, row))
        .list("links", links.collect())
        .list("responsible-roles", roles)
        .list("by-components", by_components(about, statement, row))
        .text("remarks", &remarks)
        .done()
}

fn props(about: &About, row: &Row) -> Vec<Node> {
    let sharing = match row.sharing {
        Sharing::Own => "own",
        Sharing::Shared { .. } => "shared",
        Sharing::Inherited { .. } => "inherited",
    };
    let applicable = if row.status == Status::NotApplicable { "no" } else { "yes" };
    let exclusion = row.exclusion.as_ref();
    let expires = exclusion.and_then(|exclusion| exclusion.expires.as_deref());
    let reason = exclusion.map_or("", |exclusion| about.say(&exclusion.reason));
    let mut props: Vec<Node> = [
        ("applicable", applicable),
        ("sharing", sharing),
        ("level", row.level.as_deref().unwrap_or("")),
        ("exclusion-reason", reason),
        ("exclusion-expires", expires.unwrap_or("")),
    ]
    .iter()
    .filter_map(|(name, value)| about.prop(name, value))
    .collect();
    props.extend(row.props.iter().filter_map(|(name, value)| about.prop(name, value)));
    for driver in &row.drivers {
        let prop = Build::new().text("name", "driver").text("ns", &about.vocabulary);
        let prop = prop.line("value", &driver.text).text("class", &driver.kind);
        props.extend((!line(&driver.text).is_empty()).then(|| prop.done()));
    }
    props
}

fn by_components(about: &About, statement: &Statement, row: &Row) -> Vec<Node> {
    let id = format!("{}/{}", statement.id, row.control);
    let (provider, inherited, satisfied) = match &row.sharing {
        Sharing::Own => (None, None, None),
        Sharing::Shared { provider, inherited, satisfied } => {
            (Some(provider), Some(inherited), Some(satisfied))
        }
        Sharing::Inherited { provider, inherited } => (Some(provider), Some(inherited), None),
    };
    let own = by_component(about, "this-system", &id, row.status, about.say(&row.description));
    let own = own.object("export", export(about, row));
    let Some((provider, inherited)) = provider.zip(inherited) else {
        return vec![own.done()];
    };
    let component = component_id(provider);
    let said = about.say(&inherited.description);
    let theirs = by_component(about, &component, &id, row.status, said)
        .list("inherited", vec![self::inherited(about, &id, inherited)])
        .list("satisfied", satisfied.iter().map(|s| self::satisfied(about, &id, s)).collect());
    vec![own.done(), theirs.done()]
}

fn by_component(about: &About, component: &str, row: &str, status: Status, said: &str) -> Build {
    let unsaid = Words::new("説明はまだない。", "Not described yet.");
    let said = if said.is_empty() { about.say(&unsaid) } else { said };
    Build::new()
        .text("component-uuid", &about.uuid("component", component).to_string())
        .text("uuid", &about.uuid("by-component", &format!("{row}/{component}")).to_string())
        .text("description", said)
        .object("implementation-status", Build::new().text("state", status.name()))
}

fn inherited(about: &About, row: &str, inherited: &Inherited) -> Node {
    Build::with_uuid(about.uuid("inherited", row))
        .maybe("provided-uuid", inherited.provided.map(|id| id.to_string()).as_deref())
        .text("description", about.say(&inherited.description))
        .done()
}

fn satisfied(about: &About, row: &str, satisfied: &Satisfied) -> Node {
    Build::with_uuid(about.uuid("satisfied", row))
        .maybe("responsibility-uuid", satisfied.responsibility.map(|id| id.to_string()).as_deref())
        .text("description", about.say(&satisfied.description))
        .done()
}

fn export(about: &About, row: &Row) -> Build {
    let provided = row.provides.iter().map(|provided| {
        Build::with_uuid(about.uuid("provided", &provided.id))
            .text("description", about.say(&provided.description))
            .done()
    });
    let left = row.provides.iter().flat_map(|provided| {
        provided.responsibilities.iter().map(|responsibility| {
            Build::with_uuid(about.uuid("responsibility", &responsibility.id))
                .text("provided-uuid", &about.uuid("provided", &provided.id).to_string())
                .text("description", about.say(&responsibility.description))
                .done()
        })
    });
    Build::new().list("provided", provided.collect()).list("responsibilities", left.collect())
}

fn resources(about: &About, statement: &Statement) -> Vec<Node> {
    let mut seen = std::collections::HashSet::new();
    let all = statement.rows.iter().flat_map(|row| &row.evidence);
    all.filter(|evidence| seen.insert(&evidence.id)).map(|e| resource(about, e)).collect()
}

fn resource(about: &About, evidence: &Evidence) -> Node {
    let hash = evidence
        .sha256
        .as_ref()
        .map(|hash| Build::new().text("algorithm", "SHA-256").text("value", hash).done());
    let rlink = evidence.href.as_ref().map(|href| {
        Build::new().text("href", href).list("hashes", hash.clone().into_iter().collect()).done()
    });
    let observed = evidence.observed.as_deref().and_then(|at| about.prop("observed", at));
    let digest = match (&evidence.href, &evidence.sha256) {
        (None, Some(hash)) => about.prop("sha-256", hash),
        _ => None,
    };
    Build::with_uuid(about.uuid("evidence", &evidence.id))
        .line("title", about.say(&evidence.title))
        .list("props", observed.into_iter().chain(digest).collect())
        .list("rlinks", rlink.into_iter().collect())
        .done()
}
