//! The Statement of Applicability, row by row, from what is recorded (6.1.3 d).
//!
//! Invariants: pure; a row never says more than its evidence shows: "implemented" needs someone who
//! answers for it, a reason to exist, a fresh record and no failing 梅 criterion; "inherited" needs
//! the provider's evidence; "excluded" an unexpired signature and nothing in the register against it.
//! The age of evidence is the age of what was observed, never of the upload. What a signature binds
//! ([`Stated`]) leaves out what changes with every record: counts, dates, coverage.

use std::collections::{BTreeMap, BTreeSet};

use model::{Assurance, Id, Level, Status, Timestamp, canonical};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Record, Row};

use super::{Register, fact, text_of};
use crate::{Control, norms};

/// Prefix of the criterion under which evidence for a control without a room is handed in.
pub const BY_HAND_PREFIX: &str = "soa/";
/// How long a handed-in record shows that a control is done.
const FRESH_DAYS: i64 = 365;
/// Kinds whose presence contradicts that a control is left out, as `table/kind`.
pub const CONTRADICTS: &[(&str, &[&str])] = &[
    ("5.19", &["party/supplier"]),
    ("5.20", &["party/supplier"]),
    ("5.23", &["asset/cloud_service", "asset/tenant"]),
    ("5.30", &["asset/process"]),
    ("7.4", &["asset/portal", "asset/zone"]),
    ("7.10", &["asset/medium"]),
    ("8.9", &["asset/host", "asset/network_device"]),
    ("8.10", &["asset/dataset", "asset/store", "asset/medium"]),
    ("8.11", &["asset/data_field"]),
    ("8.12", &["asset/channel"]),
    ("8.13", &["asset/backup"]),
    ("8.16", &["asset/log_source"]),
    ("8.20", &["asset/network_device", "asset/subnet"]),
    ("8.24", &["asset/key"]),
    ("8.25", &["asset/repository"]),
    ("8.28", &["asset/repository"]),
];

/// What a row of the statement says about its control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoaStatus {
    /// Done, and shown to be.
    Implemented,
    /// Done by a provider, whose evidence is here.
    Inherited,
    /// Left out by a signature that still holds.
    Excluded,
    /// A 梅 criterion fails.
    Failing,
    /// Said to be planned or not yet done.
    Planned,
    /// Said to be done, not shown.
    Claimed,
    /// To be left out, but not signed, expired, or the register says otherwise.
    ExclusionOpen,
    /// Nobody has said whether it applies.
    Undecided,
}

impl SoaStatus {
    /// Stable name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            SoaStatus::Implemented => "implemented",
            SoaStatus::Inherited => "inherited",
            SoaStatus::Excluded => "excluded",
            SoaStatus::Failing => "failing",
            SoaStatus::Planned => "planned",
            SoaStatus::Claimed => "claimed",
            SoaStatus::ExclusionOpen => "exclusion_open",
            SoaStatus::Undecided => "undecided",
        }
    }

    /// How people read it.
    pub fn text(self) -> model::Text {
        use model::t;
        match self {
            SoaStatus::Implemented => t("実施", "implemented"),
            SoaStatus::Inherited => t("提供者から引継ぎ", "inherited"),
            SoaStatus::Excluded => t("適用除外", "excluded"),
            SoaStatus::Failing => t("梅の基準に不適合", "fails 梅"),
            SoaStatus::Planned => t("計画中・未実施", "planned"),
            SoaStatus::Claimed => t("自己申告のみ（証拠なし）", "claimed, not shown"),
            SoaStatus::ExclusionOpen => t("除外（未成立）", "exclusion not effective"),
            SoaStatus::Undecided => t("未決定", "undecided"),
        }
    }

    /// The class that colours it.
    pub fn class(self) -> &'static str {
        match self {
            SoaStatus::Implemented | SoaStatus::Inherited => "pass",
            SoaStatus::Excluded => "excluded",
            SoaStatus::Failing => "fail",
            SoaStatus::Planned | SoaStatus::Claimed | SoaStatus::ExclusionOpen => "stale",
            SoaStatus::Undecided => "unknown",
        }
    }
}

/// What keeps a row from being more than a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    Owner,
    Driver,
    Evidence,
    FreshEvidence,
    Provider,
    Signature,
    /// Assets stand in the register that the control is about.
    Contradicted,
    /// Carried over from an earlier edition of the standard, and nobody has confirmed it.
    Unconfirmed,
}

impl Lack {
    /// How people read it.
    pub fn text(self) -> model::Text {
        use model::t;
        match self {
            Lack::Owner => t("責任者がいない", "nobody answers for it"),
            Lack::Driver => t("根拠（リスク・法令など）がない", "no risk or other reason"),
            Lack::Evidence => t("証拠の記録がない", "no evidence"),
            Lack::FreshEvidence => t("証拠が古い", "evidence too old"),
            Lack::Provider => t("提供者が書かれていない", "no provider named"),
            Lack::Signature => t("有効な署名がない", "no signature that holds"),
            Lack::Unconfirmed => t("移行後の確認がまだ", "not confirmed since the migration"),
            Lack::Contradicted => {
                t("台帳に該当する資産がある", "the register holds what it is about")
            }
        }
    }
}

/// Why a control is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Driver {
    /// `risk`, `law`, `contract`, `business`.
    #[serde(rename = "type")]
    pub ty: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Id>,
}

/// What a control's status rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Subjects or records that count now.
    pub count: u64,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    /// Weakest class that still is fresh: `None` where nothing is.
    #[serde(skip)]
    pub assurance: Option<Assurance>,
    /// There was evidence once.
    pub once: bool,
    /// Of a control without a room, the newest evidence there ever was.
    #[serde(skip)]
    pub seen: Option<Seen>,
}

/// When something was observed, and until when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub at: Timestamp,
    pub until: Timestamp,
}

/// The decision that leaves a control out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    pub decision: Id,
    pub approver: String,
    pub until: Option<Timestamp>,
}

/// What the approved edition said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Names of the members of [`Stated`] that differ; `row` for one that was not there.
    pub members: Vec<&'static str>,
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct SoaRow {
    pub control: String,
    pub title_ja: String,
    pub title_en: String,
    pub new_in_2022: bool,
    /// Row of the norm; `None` for a control outside Annex A.
    pub norm: Option<Id>,
    /// Row of the register that says how the control is used.
    pub usage: Option<Id>,
    /// `None` where nobody has said.
    pub applies: Option<bool>,
    pub reason: String,
    pub statement: String,
    pub drivers: Vec<Driver>,
    pub status: SoaStatus,
    pub lacks: Vec<Lack>,
    /// Level of the room; 梅 at most for a control without one.
    pub level: Level,
    pub provision: String,
    pub provider: Option<Id>,
    pub owner: Option<Id>,
    pub evidence: Shown,
    /// Subjects that pass and all, over the 梅 criteria of a room.
    pub coverage: Option<(u64, u64)>,
    pub exclusion: Option<Exclusion>,
    /// Exceptions in force: decision and end.
    pub exceptions: Vec<(Id, Option<Timestamp>)>,
    pub documents: Vec<String>,
    pub difference: Option<Difference>,
}

/// What a signature binds of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    pub control: String,
    pub applies: Option<bool>,
    pub reason: String,
    pub statement: String,
    pub drivers: Vec<Driver>,
    pub status: SoaStatus,
    pub level: Level,
    pub provision: String,
    pub provider: Option<Id>,
    pub owner: Option<Id>,
    pub documents: Vec<String>,
}

impl SoaRow {
    /// Whether the control counts among the applicable ones.
    pub fn is_applicable(&self) -> bool {
        self.status != SoaStatus::Excluded
    }

    /// Whether machine or imported records show it now.
    pub fn is_evidenced(&self) -> bool {
        self.evidence.assurance.is_some_and(|a| a >= Assurance::Imported)
    }

    /// The status as people read it: a claim with evidence lacks something else.
    pub fn status_text(&self) -> model::Text {
        match (self.status, self.evidence.assurance) {
            (SoaStatus::Claimed, Some(_)) => {
                model::t("自己申告のみ（記載不足）", "claimed, incomplete")
            }
            (status, _) => status.text(),
        }
    }

    /// What a signature binds.
    pub fn stated(&self) -> Stated {
        Stated {
            control: self.control.clone(),
            applies: self.applies,
            reason: self.reason.clone(),
            statement: self.statement.clone(),
            drivers: self.drivers.clone(),
            status: self.status,
            level: self.level,
            provision: self.provision.clone(),
            provider: self.provider,
            owner: self.owner,
            documents: self.documents.clone(),
        }
    }

    /// The title in one language.
    pub fn title(&self, lang: model::Lang) -> &str {
        match lang {
            model::Lang::Ja => &self.title_ja,
            model::Lang::En => &self.title_en,
        }
    }
}

impl Stated {
    fn differs(&self, then: &Stated) -> Vec<&'static str> {
        let mut members = Vec::new();
        let mut say = |name, differs: bool| {
            if differs {
                members.push(name);
            }
        };
        say("applies", self.applies != then.applies);
        say("reason", self.reason != then.reason);
        say("statement", self.statement != then.statement);
        say("drivers", self.drivers != then.drivers);
        say("status", self.status != then.status);
        say("level", self.level != then.level);
        say("provision", self.provision != then.provision);
        say("provider", self.provider != then.provider);
        say("owner", self.owner != then.owner);
        say("documents", self.documents != then.documents);
        members
    }
}

/// The content that is signed, as canonical text, and its SHA-256.
pub fn content(rows: &[SoaRow]) -> Result<(String, String), store::StoreError> {
    let stated: Vec<Stated> = rows.iter().map(SoaRow::stated).collect();
    let text = canonical::to_string(&json!(stated))?;
    let hash = hex::encode(Sha256::digest(&text));
    Ok((text, hash))
}

/// The rows of kept content, if it is what this hash says.
pub(super) fn kept(content: &[u8], hash: &str) -> Option<Vec<Stated>> {
    let same = hex::encode(Sha256::digest(content)) == hash;
    same.then(|| serde_json::from_slice(content).ok())?
}

/// Every row: the 93 of Annex A in their order, then the organisation's own.
pub(super) fn rows(register: &Register, controls: &[Control], now: Timestamp) -> Vec<SoaRow> {
    let by_number: BTreeMap<&str, &Row> =
        register.uses.iter().filter_map(|row| Some((text_of(row, "control")?, row))).collect();
    let titles = norms::annex_a();
    let known: BTreeSet<&str> = titles.iter().map(|n| n.number.as_str()).collect();
    let mut all: Vec<SoaRow> = titles
        .iter()
        .map(|norm| {
            let usage = by_number.get(norm.number.as_str()).copied();
            let control = controls.iter().find(|c| c.spec.control == norm.number);
            let mut row = row(register, &norm.number, usage, control, now);
            row.title_ja = norm.title_ja.clone();
            row.title_en = norm.title_en.clone();
            row.new_in_2022 = norm.new_in_2022;
            row
        })
        .collect();
    let own = by_number.iter().filter(|(number, _)| !known.contains(*number));
    all.extend(own.map(|(number, usage)| {
        let mut row = row(register, number, Some(usage), None, now);
        row.title_ja = usage.name.clone();
        row.title_en = usage.name.clone();
        row
    }));
    compare_with_approved(register, &mut all);
    all
}

fn compare_with_approved(register: &Register, rows: &mut [SoaRow]) {
    let Some(approved) = &register.approved else { return };
    let then: BTreeMap<&str, &Stated> =
        approved.rows.iter().map(|stated| (stated.control.as_str(), stated)).collect();
    for row in rows {
        let members = match then.get(row.control.as_str()) {
            Some(then) => row.stated().differs(then),
            None => vec!["row"],
        };
        row.difference = (!members.is_empty()).then_some(Difference { members });
    }
}

fn row(
    register: &Register,
    number: &str,
    usage: Option<&Row>,
    control: Option<&Control>,
    now: Timestamp,
) -> SoaRow {
    let norm = register.norms.get(number).copied();
    let said = |name: &str| usage.and_then(|row| text_of(row, name)).unwrap_or("").to_owned();
    let party = |name: &str| usage.and_then(|row| text_of(row, name)?.parse().ok());
    let evidence = match control {
        Some(control) => of_room(register, control, number, now),
        None => by_hand_or_check(register, number, usage, now),
    };
    let coverage = control.map(|c| {
        let ume = c.verdicts.iter().filter(|v| is_ume(c, v.criterion));
        ume.fold((0, 0), |(passed, total), v| (passed + v.passed, total + v.total))
    });
    let mut row = SoaRow {
        control: number.to_owned(),
        title_ja: String::new(),
        title_en: String::new(),
        new_in_2022: false,
        norm,
        usage: usage.map(|u| u.id),
        applies: usage.and_then(|u| text_of(u, "applies")).map(|a| a != "no"),
        reason: said("reason"),
        statement: said("statement"),
        drivers: drivers(register, norm, usage, now),
        status: SoaStatus::Undecided,
        lacks: Vec::new(),
        level: Level::None,
        provision: said("provision"),
        provider: party("provider"),
        owner: party("responsible")
            .or_else(|| usage.and_then(|u| u.owner))
            .filter(|id| register.parties.contains_key(id)),
        evidence,
        coverage,
        exclusion: usage.and_then(|u| exclusion(register, u, now)),
        exceptions: exceptions(register, usage, now),
        documents: documents(usage),
        difference: None,
    };
    (row.status, row.lacks) = judge(register, &row, control, said("declared").as_str());
    let confirm = usage.and_then(|u| u.attributes.get("confirm"));
    if confirm == Some(&Json::Bool(true)) {
        row.lacks.push(Lack::Unconfirmed);
        // Neither done nor left out before somebody looked at it under the new standard.
        row.status = match row.status {
            SoaStatus::Implemented | SoaStatus::Inherited => SoaStatus::Claimed,
            SoaStatus::Excluded => SoaStatus::ExclusionOpen,
            status => status,
        };
    }
    row.level = match control {
        Some(control) => control.level,
        None if matches!(row.status, SoaStatus::Implemented | SoaStatus::Inherited) => Level::Ume,
        None => Level::None,
    };
    row
}

fn is_ume(control: &Control, criterion: &str) -> bool {
    control.spec.criterion(criterion).is_some_and(|c| c.level == Level::Ume)
}

fn judge(
    register: &Register,
    row: &SoaRow,
    control: Option<&Control>,
    declared: &str,
) -> (SoaStatus, Vec<Lack>) {
    match row.applies {
        None => (SoaStatus::Undecided, Vec::new()),
        Some(false) => {
            let mut lacks = Vec::new();
            if row.exclusion.is_none() {
                lacks.push(Lack::Signature);
            }
            if contradicted(register, &row.control) {
                lacks.push(Lack::Contradicted);
            }
            let status =
                if lacks.is_empty() { SoaStatus::Excluded } else { SoaStatus::ExclusionOpen };
            (status, lacks)
        }
        Some(true) => applied(row, control, declared),
    }
}

fn applied(row: &SoaRow, control: Option<&Control>, declared: &str) -> (SoaStatus, Vec<Lack>) {
    let inherited = row.provision == "inherited";
    let mut lacks = Vec::new();
    if row.owner.is_none() {
        lacks.push(Lack::Owner);
    }
    if row.drivers.is_empty() {
        lacks.push(Lack::Driver);
    }
    if inherited && row.provider.is_none() {
        lacks.push(Lack::Provider);
    }
    match (row.evidence.assurance, row.evidence.once) {
        (Some(_), _) => {}
        (None, true) => lacks.push(Lack::FreshEvidence),
        (None, false) => lacks.push(Lack::Evidence),
    }
    let fails =
        |c: &Control| c.verdicts.iter().any(|v| v.status == Status::Fail && is_ume(c, v.criterion));
    let status = if control.is_some_and(fails) {
        SoaStatus::Failing
    } else if row.evidence.assurance.is_none() && matches!(declared, "planned" | "not_done") {
        SoaStatus::Planned
    } else if !lacks.is_empty() {
        SoaStatus::Claimed
    } else if inherited {
        SoaStatus::Inherited
    } else {
        SoaStatus::Implemented
    };
    (status, lacks)
}

/// Whether the register holds what a control is about.
pub(super) fn contradicted(register: &Register, number: &str) -> bool {
    let kinds = CONTRADICTS.iter().find(|(control, _)| *control == number).map(|(_, kinds)| kinds);
    kinds.into_iter().flat_map(|k| k.iter()).any(|kind| register.counts.get(*kind) > Some(&0))
}

/// Names of every tally that [`contradicted`] looks at.
pub(super) fn counted() -> Vec<String> {
    let all: BTreeSet<&str> =
        CONTRADICTS.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
    all.into_iter().map(str::to_owned).collect()
}

fn drivers(
    register: &Register,
    norm: Option<Id>,
    usage: Option<&Row>,
    now: Timestamp,
) -> Vec<Driver> {
    let ends = [norm, usage.map(|u| u.id)];
    let treated = register
        .treats
        .iter()
        .filter(|l| l.subject.is_some() && ends.contains(&l.subject) && super::holds(l, now));
    let risks: BTreeSet<Id> = treated.filter_map(|l| l.object).collect();
    let of_risk =
        |risk: &Row| Driver { ty: "risk".to_owned(), text: risk.name.clone(), risk: Some(risk.id) };
    let mut all: Vec<Driver> =
        register.risks.iter().filter(|r| risks.contains(&r.id)).map(of_risk).collect();
    let said = usage.and_then(|u| u.attributes.get("drivers")).and_then(Json::as_array);
    for line in said.into_iter().flatten() {
        let text = |name: &str| line.get(name).and_then(Json::as_str).unwrap_or("").to_owned();
        all.push(Driver { ty: text("type"), text: text("source"), risk: None });
    }
    all.sort();
    all
}

fn documents(usage: Option<&Row>) -> Vec<String> {
    let list = usage.and_then(|u| u.attributes.get("documents")).and_then(Json::as_array);
    list.into_iter().flatten().filter_map(|d| d.as_str().map(str::to_owned)).collect()
}

/// The newest signature on the row as it stands, if it leaves the control out and still holds.
fn exclusion(register: &Register, usage: &Row, now: Timestamp) -> Option<Exclusion> {
    if text_of(usage, "applies") != Some("no") {
        return None;
    }
    let newest = register.newest_decision(usage, &["exclusion", "approval"])?;
    let holds = newest.status == "approved" && newest.ends_at.is_none_or(|end| end > now);
    holds.then(|| Exclusion {
        decision: newest.id,
        approver: newest.updated_by.clone(),
        until: newest.ends_at,
    })
}

fn exceptions(
    register: &Register,
    usage: Option<&Row>,
    now: Timestamp,
) -> Vec<(Id, Option<Timestamp>)> {
    let Some(usage) = usage else { return Vec::new() };
    let about = register.decisions.iter().filter(|d| d.subject == Some(usage.id));
    let held = about.filter(|d| {
        d.kind == "exception" && d.status == "approved" && d.ends_at.is_none_or(|end| end > now)
    });
    held.map(|d| (d.id, d.ends_at)).collect()
}

/// What a room's verdicts show, and what was handed in for its criteria. A verdict that only a word or
/// a document carries adds nothing: that record is counted by itself.
fn of_room(register: &Register, control: &Control, number: &str, now: Timestamp) -> Shown {
    let mut shown = Shown::default();
    let passing = control.verdicts.iter().filter(|v| v.status == Status::Pass && !v.by_hand);
    for verdict in passing {
        shown.count += verdict.passed.max(1);
        shown.oldest = [shown.oldest, verdict.oldest].into_iter().flatten().min();
        shown.newest = [shown.newest, verdict.newest].into_iter().flatten().max();
        shown.assurance = Some(Assurance::Machine);
    }
    shown.once = control.verdicts.iter().any(|v| v.status == Status::Stale);
    let prefix = format!("{number}/");
    let of_control = |r: &&Record| fact(r, "criterion").is_some_and(|c| c.starts_with(&prefix));
    add_by_hand(&mut shown, register.evidence.iter().filter(of_control), now);
    shown
}

/// What people handed in for a control without a room, and what the checks bound to it found.
fn by_hand_or_check(
    register: &Register,
    number: &str,
    usage: Option<&Row>,
    now: Timestamp,
) -> Shown {
    let mut shown = Shown::default();
    let criterion = format!("{BY_HAND_PREFIX}{number}");
    let of_control = |r: &&Record| {
        fact(r, "criterion") == Some(criterion.as_str())
            || (r.subject.is_some() && r.subject == usage.map(|u| u.id))
    };
    add_by_hand(&mut shown, register.evidence.iter().filter(of_control), now);
    for check in register.checks.iter().filter(|c| text_of(c, "control") == Some(number)) {
        let Some(ty) = text_of(check, "record_type") else { continue };
        let Some(observed) = register.observed.get(ty) else { continue };
        let days = check.attributes.get("max_age_days").and_then(Json::as_i64).unwrap_or(30);
        shown.once = true;
        let (at, until) = (observed.newest, observed.newest.plus_hours(days * 24));
        shown.seen = shown.seen.max(Some(Seen { at, until }));
        if now.hours_since(observed.newest) <= days * 24 {
            shown.count += 1;
            shown.newest = shown.newest.max(Some(observed.newest));
            shown.oldest = [shown.oldest, Some(observed.newest)].into_iter().flatten().min();
            shown.assurance = shown.assurance.max(Some(observed.assurance));
        }
    }
    shown
}

fn add_by_hand<'r>(shown: &mut Shown, records: impl Iterator<Item = &'r Record>, now: Timestamp) {
    for record in records.filter(|r| r.observed_to <= now) {
        shown.once = true;
        let (at, until) = (record.observed_to, record.observed_to.plus_hours(FRESH_DAYS * 24));
        shown.seen = shown.seen.max(Some(Seen { at, until }));
        if now.hours_since(record.observed_to) > FRESH_DAYS * 24 {
            continue;
        }
        shown.count += 1;
        shown.oldest = [shown.oldest, Some(record.observed_to)].into_iter().flatten().min();
        shown.newest = shown.newest.max(Some(record.observed_to));
        shown.assurance = shown.assurance.max(Some(record.assurance));
    }
}
