//! What was decided against each threat, and what bears each chosen measure out now.
//!
//! Invariant: a measure is backed by a criterion that passes, a detection rule that can fire, or a task in time or done,
//! asked from the records each time; a person's word alone backs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{Id, Status, Table, Timestamp};
use room::{Judged, Verdicts};
use serde_json::{Value as Json, json};
use store::{End, Row, Store, StoreError, Write};
use web::{House, decide};

use super::editions::{Editions, Measure, Threat, list};

/// Kind of the decision.
pub const DECISION: &str = "threat_measures";
/// Kind of the link from a task to the threat against which it was set going.
pub const BACKS: &str = "backs";
/// Newest word on whether a detection rule can fire.
const COVERAGE: &str = "monitoring.rule_coverage";
const COVERAGE_HOURS: i64 = 90 * 24;
const COVERAGE_MAX: usize = 20_000;

/// How a proof stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    Passing,
    Failing,
    Unknown,
}

impl Live {
    pub fn as_str(self) -> &'static str {
        match self {
            Live::Passing => "pass",
            Live::Failing => "fail",
            Live::Unknown => "unknown",
        }
    }
}

/// What could bear a measure out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Id of a criterion.
    Criterion(String),
    /// Id of a detection rule.
    Rule(String),
    Task(Id, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub ground: Ground,
    pub live: Live,
}

/// All that measures are held against.
#[derive(Debug, Default)]
pub struct Facts {
    pub verdicts: Option<Arc<Judged>>,
    /// Rules that said something, and whether they can fire.
    pub rules: BTreeMap<String, bool>,
    /// Tasks by threat and measure.
    tasks: BTreeMap<(Id, String), Vec<Row>>,
    now: Option<Timestamp>,
}

impl Facts {
    pub async fn load(house: &House, threats: &[Id]) -> Result<Facts, StoreError> {
        let store = &house.store;
        let now = store.now();
        let links = store.links(threats, BACKS, End::Object).await?;
        let ids: Vec<Id> = links.iter().filter_map(|link| link.subject).collect();
        let rows = store.rows_by_id(Table::Task, &ids).await?;
        let mut tasks: BTreeMap<(Id, String), Vec<Row>> = BTreeMap::new();
        for link in &links {
            let measure = link.attributes.get("measure").and_then(Json::as_str);
            let (Some(threat), Some(measure)) = (link.object, measure) else { continue };
            let task = rows.iter().find(|row| Some(row.id) == link.subject && !row.deleted);
            tasks.entry((threat, measure.to_owned())).or_default().extend(task.cloned());
        }
        let verdicts = house.kept.get::<Verdicts>().get();
        Ok(Facts { verdicts, rules: rules(store, now).await?, tasks, now: Some(now) })
    }

    /// Everything that could bear a measure out; `chosen` are the rules that the decision names for it.
    pub fn proofs(&self, threat: Id, measure: &Measure, chosen: &[String]) -> Vec<Proof> {
        let is_criterion = |id: &&String| !id.starts_with("a.");
        let criteria = measure
            .maps_to
            .iter()
            .filter(is_criterion)
            .map(|id| Proof { live: self.criterion(id), ground: Ground::Criterion(id.clone()) });
        let rules = chosen.iter().map(|id| Proof {
            live: match self.rules.get(id) {
                Some(true) => Live::Passing,
                Some(false) => Live::Failing,
                None => Live::Unknown,
            },
            ground: Ground::Rule(id.clone()),
        });
        let tasks = self.tasks.get(&(threat, measure.id.clone())).into_iter().flatten();
        let tasks = tasks.map(|task| Proof {
            live: match task.status == "closed" || task.ends_at >= self.now {
                true => Live::Passing,
                false => Live::Failing,
            },
            ground: Ground::Task(task.id, task.name.clone()),
        });
        criteria.chain(rules).chain(tasks).collect()
    }

    pub fn criterion(&self, id: &str) -> Live {
        match self.verdicts.as_ref().and_then(|judged| judged.status(id)) {
            Some(Status::Pass) => Live::Passing,
            Some(Status::Fail | Status::Stale) => Live::Failing,
            Some(Status::Unknown | Status::Excluded) | None => Live::Unknown,
        }
    }
}

async fn rules(store: &Store, now: Timestamp) -> Result<BTreeMap<String, bool>, StoreError> {
    let since = now.minus_hours(COVERAGE_HOURS);
    let mut records = store.records_since(&[COVERAGE], since, COVERAGE_MAX).await?;
    records.sort_by_key(|record| (record.observed_to, record.id));
    let one = |record: &store::Record| {
        let is = |name: &str| record.facts.get(name) == Some(&Json::Bool(true));
        let missing = record.facts.get("fields_missing").and_then(Json::as_i64);
        let can_fire = is("enabled") && is("source_present") && missing == Some(0);
        Some((record.facts.get("rule")?.as_str()?.to_owned(), can_fire))
    };
    // The newest word of each rule stands last.
    Ok(records.iter().filter_map(one).collect())
}

/// What was decided against a threat.
#[derive(Clone, Debug)]
pub struct Decided {
    pub row: Row,
    pub measures: Vec<String>,
    pub exposure: String,
    pub reason: String,
    /// Rules by the measure for which they were named.
    pub rules: BTreeMap<String, Vec<String>>,
    pub is_signed: bool,
}

impl Decided {
    fn of(row: Row) -> Decided {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
        let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in list(&row, "rules") {
            if let Some((measure, rule)) = pair.split_once('=') {
                rules.entry(measure.to_owned()).or_default().push(rule.to_owned());
            }
        }
        Decided {
            measures: list(&row, "measures"),
            exposure: text("exposure").to_owned(),
            reason: text("reason").to_owned(),
            rules,
            is_signed: decide::is_signed(&row) && row.status == "approved",
            row,
        }
    }

    /// Whether it is about the threat as it stands now, and has not ended.
    pub fn holds(&self, threat: &Threat, now: Timestamp) -> bool {
        let hash = threat.row.content_hash().unwrap_or_default();
        self.is_signed
            && self.row.subject_hash.as_deref() == Some(hash.as_str())
            && self.row.ends_at.is_none_or(|end| end > now)
    }
}

/// Decisions and proposals by threat.
#[derive(Debug, Default)]
pub struct Decisions {
    signed: BTreeMap<Id, Decided>,
    proposed: BTreeMap<Id, Decided>,
}

impl Decisions {
    pub async fn load(store: &Store) -> Result<Decisions, StoreError> {
        let mut rows = store.all(Table::Decision, &[DECISION]).await?;
        rows.sort_by_key(|row| (row.updated_at, row.id));
        let mut all = Decisions::default();
        for row in rows {
            let Some(threat) = row.subject else { continue };
            let decided = Decided::of(row);
            if decided.is_signed {
                all.signed.insert(threat, decided);
            } else if decided.row.status == decide::PROPOSED {
                all.proposed.insert(threat, decided);
            }
        }
        Ok(all)
    }

    pub fn signed(&self, threat: Id) -> Option<&Decided> {
        self.signed.get(&threat)
    }

    pub fn proposed(&self, threat: Id) -> Option<&Decided> {
        self.proposed.get(&threat)
    }

    /// What a form begins with: what was proposed, else what stands, else what was decided against the same threat in
    /// the edition before, with the year of that.
    pub fn begin_with<'a>(
        &'a self,
        editions: &Editions,
        threat: &Threat,
    ) -> Option<(&'a Decided, Option<i64>)> {
        let own = self.proposed(threat.row.id).or_else(|| self.signed(threat.row.id));
        if let Some(decided) = own {
            return Some((decided, None));
        }
        let before = editions.before(threat)?;
        Some((self.signed(before.row.id)?, Some(before.edition)))
    }
}

/// What somebody wants to be decided.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub measures: Vec<String>,
    pub exposure: String,
    pub reason: String,
}

/// Writes a proposal that waits for its signature on the page; it takes the place of an older one.
pub async fn propose(
    store: &Store,
    write: &mut Write<'_>,
    threat: &Threat,
    wish: &Wish,
    known: &Decisions,
) -> Result<Row, StoreError> {
    let old = known.proposed(threat.row.id).filter(|old| !decide::is_sealed(&old.row));
    let mut row = match old {
        Some(old) => old.row.clone(),
        None => Row::new(Table::Decision, store.new_id()?, DECISION, &threat.title.0),
    };
    row.status = decide::PROPOSED.to_owned();
    row.subject = Some(threat.row.id);
    let attributes = json!({
        "measures": wish.measures,
        "exposure": wish.exposure,
        "reason": wish.reason,
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    write.put(row).await
}

/// A task that backs a measure, and the link that says so.
pub async fn task(
    store: &Store,
    write: &mut Write<'_>,
    threat: &Threat,
    measure: &Measure,
    due: jiff::civil::Date,
) -> Result<Row, StoreError> {
    let name: String =
        format!("{} / {}", measure.text.0, measure.text.1).chars().take(150).collect();
    let mut task = Row::new(Table::Task, store.new_id()?, "task", &name);
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(threat.row.id);
    // The end of the day, by the clock of Greenwich.
    task.ends_at = Timestamp::parse(&format!("{due}T23:59:59Z"));
    let attributes = json!({
        "due": due.to_string(),
        "zone": "UTC",
        "description": format!("{} / {}\n/intelligence/ten-threats/{}", threat.title.0, threat.title.1, threat.row.id),
        "remind_days": 7,
        "role": "administrator",
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    let task = write.put(task).await?;
    let mut link = Row::new(Table::Link, store.new_id()?, BACKS, &name);
    (link.subject, link.object) = (Some(task.id), Some(threat.row.id));
    link.attributes.insert("measure".to_owned(), json!(measure.id));
    write.put(link).await?;
    Ok(task)
}

/// How many of the chosen measures are backed.
pub fn backed(facts: &Facts, editions: &Editions, threat: Id, decided: &Decided) -> usize {
    let chosen: BTreeSet<&String> = decided.measures.iter().collect();
    let is_backed = |id: &&&String| {
        let Some(measure) = editions.measures.get(**id) else { return false };
        let rules = decided.rules.get(**id).map_or(&[][..], Vec::as_slice);
        let proofs = facts.proofs(threat, measure, rules);
        proofs.iter().any(|proof| proof.live == Live::Passing)
    };
    chosen.iter().filter(is_backed).count()
}
