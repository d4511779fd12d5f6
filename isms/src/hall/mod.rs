//! The hall: what eleven rooms and the registers say, turned into what an ISMS is judged by. Risks as
//! computed today (6.1.2), the Statement of Applicability (6.1.3 d), the comparison with Annex A
//! (6.1.3 c), and the gap of each control.
//!
//! Invariants: [`draw`] is a pure function of register, levels and time, so that any past day can be
//! drawn again; nothing here is stored but what was signed. A register of thousands of risks is drawn
//! in milliseconds: everything is looked up by id, nothing asks the store again.

mod begin;
pub mod compare;
pub mod gap;
pub mod method;
pub mod migrate;
pub mod paper;
pub mod scenarios;
pub mod soa;
pub mod tables;
pub mod targets;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Assurance, Id, Level, Table, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;
use store::{Change, Record, Row, StoreError, View};

use self::{
    compare::Comparison,
    gap::GapRow,
    method::{Assessed, Estimate, Method},
    soa::{SoaRow, Stated},
};
use crate::{Control, evidence::BY_HAND};

pub use begin::first_uses;
pub use work::{EDITION_KIND, SNAPSHOT, draw_edition, record_states};

/// Most handed-in records that are read.
const EVIDENCE_MAX: usize = 50_000;
/// Newest editions, drawn and approved, among which the approved one is looked for.
const EDITIONS_MAX: usize = 200;

/// What the hall reads of the registers.
#[derive(Clone, Debug, Default)]
pub struct Register {
    /// When it was read; `None` for one that holds nothing.
    pub at: Option<Timestamp>,
    /// Rows of the norms of Annex A by number.
    pub norms: BTreeMap<String, Id>,
    /// Rows that say how controls are used.
    pub uses: Vec<Row>,
    pub risks: Vec<Row>,
    /// Links by which controls treat risks.
    pub treats: Vec<Row>,
    /// Decisions about uses, risks and the edition.
    pub decisions: Vec<Row>,
    pub method: Option<Row>,
    pub checks: Vec<Row>,
    /// What people handed in.
    pub evidence: Vec<Record>,
    /// Newest record of each type that a check is bound to.
    pub observed: BTreeMap<String, Observed>,
    /// How many rows of the kinds that contradict an exclusion.
    pub counts: BTreeMap<String, i64>,
    /// Names of the parties that anything here refers to and that are still there.
    pub parties: HashMap<Id, String>,
    /// The newest edition of the statement.
    pub edition: Option<Row>,
    /// The newest edition that was approved.
    pub approved: Option<Approved>,
}

/// Newest record of a type.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    pub newest: Timestamp,
    pub assurance: Assurance,
}

/// An edition that was signed.
#[derive(Clone, Debug)]
pub struct Approved {
    pub record: Id,
    pub hash: String,
    pub at: Timestamp,
    pub until: Option<Timestamp>,
    pub rows: Vec<Stated>,
}

/// Whether the owner accepts what is left of a risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Acceptance {
    Never,
    Rejected,
    /// The risk was changed since.
    Edited,
    Expired,
    /// The levels of its controls fell, and it is larger now than what was accepted.
    Risen,
    Held {
        decision: Id,
        until: Option<Timestamp>,
    },
}

impl Acceptance {
    /// Whether it holds now.
    pub fn holds(&self) -> bool {
        matches!(self, Acceptance::Held { .. })
    }

    /// How people read it.
    pub fn text(&self) -> model::Text {
        use model::t;
        match self {
            Acceptance::Never => t("未署名", "not signed"),
            Acceptance::Rejected => t("却下", "rejected"),
            Acceptance::Edited => t("署名後に変更あり", "changed since signed"),
            Acceptance::Expired => t("期限切れ", "expired"),
            Acceptance::Risen => t("リスク上昇により再署名が必要", "risen since signed"),
            Acceptance::Held { .. } => t("受容済み", "accepted"),
        }
    }

    /// The class that colours it.
    pub fn class(&self) -> &'static str {
        match self {
            Acceptance::Held { .. } => "pass",
            Acceptance::Never => "unknown",
            Acceptance::Rejected | Acceptance::Risen => "fail",
            Acceptance::Edited | Acceptance::Expired => "stale",
        }
    }
}

/// One risk as it stands today.
#[derive(Clone, Debug, Serialize)]
pub struct RiskView {
    pub id: Id,
    pub name: String,
    /// Hash of the content that a signature binds.
    pub hash: String,
    pub updated_by: String,
    /// Still to be dealt with: neither closed nor retired.
    pub open: bool,
    /// Names both threat and risk source.
    pub complete: bool,
    pub treatment: String,
    pub owner: Option<Id>,
    /// Numbers of the controls that treat it.
    pub controls: Vec<String>,
    pub inherent: Option<Estimate>,
    /// Computed from the inherent one; else as stated in the register.
    pub current: Option<Estimate>,
    pub target: Option<Estimate>,
    /// Set where the current risk was computed.
    pub assessed: Option<Assessed>,
    pub acceptance: Acceptance,
}

impl RiskView {
    /// A treatment is chosen, and where it is to modify, something does.
    pub fn is_treated(&self) -> bool {
        match self.treatment.as_str() {
            "" => false,
            "modify" => !self.controls.is_empty(),
            _ => true,
        }
    }
}

/// Everything at one moment.
#[derive(Clone, Debug)]
pub struct Hall {
    pub at: Timestamp,
    pub method: Method,
    pub soa: Vec<SoaRow>,
    /// Hash of what a signature of today's statement would bind.
    pub soa_hash: String,
    pub edition: Option<Row>,
    pub approved: Option<Approved>,
    pub comparison: Comparison,
    pub risks: Vec<RiskView>,
    pub gap: Vec<GapRow>,
    pub parties: HashMap<Id, String>,
}

/// A text attribute that is not empty.
pub(crate) fn text_of<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.attributes.get(name).and_then(Json::as_str).map(str::trim).filter(|t| !t.is_empty())
}

pub(crate) fn fact<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.facts.get(name).and_then(Json::as_str)
}

impl Register {
    /// Reads what the hall needs.
    pub async fn load(view: View<'_>, now: Timestamp) -> Result<Register, StoreError> {
        let norms = view.all(Table::Norm, &["annex_a"]).await?;
        let mut uses = view.all(Table::Rule, &["control_use"]).await?;
        // Answers to an earlier edition that were carried over.
        uses.retain(|row| row.status != "retired");
        let risks = view.all(Table::Risk, &[]).await?;
        let treats = view.all(Table::Link, &["treats"]).await?;
        let checks = view.all(Table::Check, &[]).await?;
        let edition = newest(view.all(Table::Asset, &[EDITION_KIND]).await?);
        let method = newest(view.all(Table::Rule, &["risk_method"]).await?);
        let subjects: Vec<Id> =
            uses.iter().chain(&risks).chain(edition.as_ref()).map(|row| row.id).collect();
        let decisions = view.rows_about(Table::Decision, &subjects).await?;
        // The newest: what is cut off beyond the limit is the oldest.
        let evidence = view.newest_records(&BY_HAND, None, EVIDENCE_MAX).await?;
        let counts = view.counts(&soa::counted()).await?;
        let mut register = Register {
            at: Some(now),
            norms: norms
                .iter()
                .filter_map(|row| Some((text_of(row, "number")?.to_owned(), row.id)))
                .collect(),
            observed: observed(view, &checks).await?,
            treats,
            counts: counts.into_iter().collect(),
            approved: approved(view, now).await?,
            uses,
            risks,
            decisions,
            method,
            checks,
            evidence,
            edition,
            parties: HashMap::new(),
        };
        let parties: Vec<Id> = register.referred().into_iter().collect();
        let found = view.rows_by_id(Table::Party, &parties).await?;
        register.parties = found.into_iter().map(|row| (row.id, row.name)).collect();
        Ok(register)
    }

    /// Whether any of these changes, or the clock, altered what was read.
    pub(crate) fn is_touched(&self, changes: &[Change], now: Timestamp) -> bool {
        let bound = |ty: &str| self.observed.contains_key(ty) || self.waits_for(ty);
        let touches = |change: &Change| match change {
            Change::Record { ty, .. } => {
                ty == SNAPSHOT || BY_HAND.contains(&ty.as_str()) || bound(ty)
            }
            Change::Row { table, kind, .. } => match table {
                Table::Risk | Table::Norm | Table::Check | Table::Decision => true,
                Table::Rule => kind == "control_use" || kind == "risk_method",
                Table::Link => kind == "treats",
                Table::Party => true,
                Table::Asset => {
                    kind == EDITION_KIND || soa::counted().contains(&format!("asset/{kind}"))
                }
                _ => false,
            },
        };
        let due = |l: &Row| {
            [l.starts_at, l.ends_at].into_iter().flatten().any(|t| Some(t) > self.at && t <= now)
        };
        changes.iter().any(touches) || self.treats.iter().any(due)
    }

    /// Whether a check is bound to this type of record, of which none came yet.
    fn waits_for(&self, ty: &str) -> bool {
        self.checks.iter().any(|c| text_of(c, "record_type") == Some(ty))
    }

    fn referred(&self) -> BTreeSet<Id> {
        let of = |row: &Row| {
            let named = ["owner", "responsible", "provider"];
            let ids = named.into_iter().filter_map(|name| text_of(row, name)?.parse().ok());
            ids.chain(row.owner).collect::<Vec<Id>>()
        };
        self.uses.iter().chain(&self.risks).flat_map(of).collect()
    }

    /// The newest signed decision of these kinds about the row as it stands now.
    fn newest_decision(&self, row: &Row, kinds: &[&str]) -> Option<&Row> {
        crate::signed::newest(&self.decisions, row, kinds).ok()?
    }

    /// Numbers of the controls that treat each risk.
    fn treating(&self, now: Timestamp) -> HashMap<Id, BTreeSet<&str>> {
        let mut numbers: HashMap<Id, &str> =
            self.norms.iter().map(|(number, id)| (*id, number.as_str())).collect();
        numbers.extend(self.uses.iter().filter_map(|u| Some((u.id, text_of(u, "control")?))));
        let mut treating: HashMap<Id, BTreeSet<&str>> = HashMap::new();
        for link in self.treats.iter().filter(|l| holds(l, now)) {
            let number = link.subject.and_then(|id| numbers.get(&id));
            if let (Some(number), Some(risk)) = (number, link.object) {
                treating.entry(risk).or_default().insert(number);
            }
        }
        treating
    }
}

fn holds(link: &Row, now: Timestamp) -> bool {
    link.starts_at.is_none_or(|t| t <= now) && link.ends_at.is_none_or(|t| t > now)
}

/// The row changed last, of those that are in force.
fn newest(rows: Vec<Row>) -> Option<Row> {
    rows.into_iter().filter(|r| r.status == "active").max_by_key(|r| (r.updated_at, r.id))
}

async fn observed(
    view: View<'_>,
    checks: &[Row],
) -> Result<BTreeMap<String, Observed>, StoreError> {
    let types: BTreeSet<&str> = checks
        .iter()
        .filter(|c| text_of(c, "control").is_some())
        .filter_map(|c| text_of(c, "record_type"))
        .collect();
    let mut found = BTreeMap::new();
    for ty in types {
        if let Some(record) = view.newest_records(&[ty], None, 1).await?.first() {
            let observed = Observed { newest: record.observed_to, assurance: record.assurance };
            found.insert(ty.to_owned(), observed);
        }
    }
    Ok(found)
}

/// The newest approved edition, with the rows that were signed. Only what Ume recorded itself counts,
/// and only with content that fits its hash: a record of this type that came in through the API is no
/// approval.
async fn approved(view: View<'_>, now: Timestamp) -> Result<Option<Approved>, StoreError> {
    let records = view.newest_records(&[SNAPSHOT], None, EDITIONS_MAX).await?;
    let signed = |r: &&Record| {
        r.facts.get("approved") == Some(&Json::Bool(true))
            && r.assurance == Assurance::Machine
            && r.observed_to <= now
    };
    for record in records.iter().filter(signed) {
        let hash = fact(record, "soa_hash").unwrap_or_default().to_owned();
        let payload = view.store().payload(record.id).await?.unwrap_or_default();
        let Some(rows) = soa::kept(&payload, &hash) else { continue };
        let until = fact(record, "until").and_then(Timestamp::parse);
        return Ok(Some(Approved { record: record.id, hash, at: record.observed_to, until, rows }));
    }
    Ok(None)
}

/// Draws the hall from what was read.
pub fn draw(register: &Register, controls: &[Control], now: Timestamp) -> Result<Hall, StoreError> {
    let method = register.method.as_ref().map_or_else(Method::default, Method::of);
    let soa = soa::rows(register, controls, now);
    let (_, soa_hash) = soa::content(&soa)?;
    let levels: HashMap<&str, Level> = soa.iter().map(|r| (r.control.as_str(), r.level)).collect();
    let treating = register.treating(now);
    let risks = register
        .risks
        .iter()
        .map(|row| risk(register, row, &method, &levels, treating.get(&row.id), now))
        .collect::<Result<Vec<RiskView>, StoreError>>()?;
    Ok(Hall {
        at: now,
        gap: gap::rows(controls, &soa, &risks),
        comparison: compare::compare(register, &soa),
        soa,
        soa_hash,
        edition: register.edition.clone(),
        approved: register.approved.clone(),
        method,
        risks,
        parties: register.parties.clone(),
    })
}

/// Place of a control's number among others: 8.9 comes before 8.10.
pub(crate) fn place(number: &str) -> (Vec<u32>, String) {
    (number.split('.').map_while(|part| part.parse().ok()).collect(), number.to_owned())
}

fn risk(
    register: &Register,
    row: &Row,
    method: &Method,
    levels: &HashMap<&str, Level>,
    treating: Option<&BTreeSet<&str>>,
    now: Timestamp,
) -> Result<RiskView, StoreError> {
    let number = |name: &str| row.attributes.get(name).and_then(Json::as_i64);
    let inherent = Estimate::of(number("inherent_likelihood"), number("inherent_consequence"));
    let mut controls: Vec<String> =
        treating.into_iter().flatten().map(|number| (*number).to_owned()).collect();
    controls.sort_by_key(|number| place(number));
    let at = |c: &String| (c.clone(), levels.get(c.as_str()).copied().unwrap_or(Level::None));
    let reached: Vec<(String, Level)> = controls.iter().map(at).collect();
    let assessed = inherent.map(|inherent| method.assess(inherent, &reached));
    let stated = Estimate::of(number("likelihood"), number("consequence"));
    let current = assessed.as_ref().map(|a| a.current).or(stated);
    Ok(RiskView {
        id: row.id,
        name: row.name.clone(),
        hash: row.content_hash()?,
        updated_by: row.updated_by.clone(),
        open: row.status == "active" || row.status == "open",
        complete: text_of(row, "threat").is_some() && text_of(row, "risk_source").is_some(),
        treatment: text_of(row, "treatment").unwrap_or_default().to_owned(),
        owner: text_of(row, "owner")
            .and_then(|id| id.parse().ok())
            .or(row.owner)
            .filter(|id| register.parties.contains_key(id)),
        controls,
        inherent,
        current,
        target: Estimate::of(number("target_likelihood"), number("target_consequence")),
        assessed,
        acceptance: acceptance(register, row, current, now),
    })
}

fn acceptance(
    register: &Register,
    row: &Row,
    current: Option<Estimate>,
    now: Timestamp,
) -> Acceptance {
    const KIND: [&str; 1] = ["risk_acceptance"];
    let Some(decision) = register.newest_decision(row, &KIND) else {
        let before = register
            .decisions
            .iter()
            .any(|d| d.subject == Some(row.id) && d.kind == KIND[0] && d.status == "approved");
        return if before { Acceptance::Edited } else { Acceptance::Never };
    };
    if decision.status != "approved" {
        return Acceptance::Rejected;
    }
    if decision.ends_at.is_some_and(|end| end <= now) {
        return Acceptance::Expired;
    }
    let number = |name: &str| decision.attributes.get(name).and_then(Json::as_i64);
    let accepted = Estimate::of(number("residual_likelihood"), number("residual_consequence"));
    match (current, accepted) {
        (Some(current), Some(accepted))
            if current.likelihood > accepted.likelihood
                || current.consequence > accepted.consequence =>
        {
            Acceptance::Risen
        }
        (_, None) => Acceptance::Risen,
        _ => Acceptance::Held { decision: decision.id, until: decision.ends_at },
    }
}

impl Hall {
    /// Names everybody by the id, as the leaves do.
    pub fn forget_names(&mut self) {
        for (id, name) in &mut self.parties {
            *name = id.to_string();
        }
    }

    /// The row of a control.
    pub fn row(&self, control: &str) -> Option<&SoaRow> {
        self.soa.iter().find(|row| row.control == control)
    }

    /// Name of a party, as far as it is known.
    pub fn party(&self, id: &Option<Id>) -> &str {
        id.as_ref().and_then(|id| self.parties.get(id)).map_or("", String::as_str)
    }

    /// Whether the approved edition says what holds today.
    pub fn is_approved(&self) -> bool {
        self.approved
            .as_ref()
            .is_some_and(|a| a.hash == self.soa_hash && a.until.is_none_or(|until| until > self.at))
    }

    /// Rows of Annex A that apply, and how many of them rest on machine or imported records.
    pub fn evidenced(&self) -> (u64, u64) {
        let applicable = || self.soa.iter().filter(|r| r.norm.is_some() && r.is_applicable());
        let shown = applicable().filter(|r| r.is_evidenced()).count() as u64;
        (applicable().count() as u64, shown)
    }

    /// What the recorded states follow from: while it stays, they stay.
    pub(crate) fn digest(&self) -> String {
        let edition = self.edition.as_ref().and_then(|e| e.content_hash().ok());
        let risk = |r: &RiskView| {
            [r.open, r.is_treated(), r.owner.is_some(), r.complete, r.acceptance.holds()]
        };
        let risks: Vec<[bool; 5]> = self.risks.iter().map(risk).collect();
        format!("{} {edition:?} {risks:?} {}", self.soa_hash, self.comparison.open())
    }

    /// Number of rows of each status.
    pub fn by_status(&self) -> BTreeMap<soa::SoaStatus, usize> {
        let mut counts = BTreeMap::new();
        for row in &self.soa {
            *counts.entry(row.status).or_insert(0) += 1;
        }
        counts
    }
}
