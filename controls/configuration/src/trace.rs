//! The life cycle of a system: requirement → specification → design value → test → result, along links `maps_to`.
//!
//! Invariants: a requirement is whole only if each way from it reaches a test with a result; a test that nobody did is no
//! result; an extension re-ran exactly the tests that its requirements lead to, on what was seen after its day.
//!
//! Limits: [`REPORTS_MAX`] newest test reports of a system, [`EXTENSIONS_MAX`] extensions.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{End, RecordDraft, Row, Store, StoreError};

use crate::{
    design::KIND as BASELINE,
    registers::{day, list, text},
    trials::{MAPS_TO, REPORT, Verdict},
};

pub(crate) const TRACE: &str = "configuration.trace";
const REPORTS_MAX: usize = 50;
const EXTENSIONS_MAX: usize = 100;

/// A step of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Requirement,
    Specification,
    Parameter,
    Test,
    Result,
}

impl Rank {
    pub const ALL: [Rank; 5] =
        [Rank::Requirement, Rank::Specification, Rank::Parameter, Rank::Test, Rank::Result];

    pub fn as_str(self) -> &'static str {
        match self {
            Rank::Requirement => "requirement",
            Rank::Specification => "specification",
            Rank::Parameter => "parameter",
            Rank::Test => "test",
            Rank::Result => "result",
        }
    }

    /// Table and kind of its rows; a result is none.
    fn place(self) -> (Table, &'static str) {
        match self {
            Rank::Requirement => (Table::Norm, "requirement"),
            Rank::Specification => (Table::Norm, "specification"),
            Rank::Parameter => (Table::Rule, BASELINE),
            Rank::Test | Rank::Result => (Table::Norm, "test_spec"),
        }
    }
}

/// What came of a test on the hosts of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub verdict: Verdict,
    /// When the oldest of them was seen.
    pub at: Timestamp,
}

/// Rows of the chain and what leads to what.
#[derive(Default)]
pub(crate) struct Graph {
    /// By rank, without results.
    pub rows: BTreeMap<Rank, Vec<Row>>,
    pub edges: BTreeMap<Id, BTreeSet<Id>>,
    pub done: BTreeMap<Id, Done>,
}

/// One requirement and how far its chain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub requirement: Id,
    /// The first step that is missing somewhere.
    pub broken_at: Option<Rank>,
    pub tests: BTreeSet<Id>,
}

impl Graph {
    /// Every requirement's chain.
    pub fn chains(&self) -> Vec<Chain> {
        let requirements = self.rows.get(&Rank::Requirement).into_iter().flatten();
        requirements.map(|row| self.chain(row.id)).collect()
    }

    fn chain(&self, requirement: Id) -> Chain {
        let mut level = BTreeSet::from([requirement]);
        let mut broken_at = None;
        for rank in &Rank::ALL[1..4] {
            let known: BTreeSet<Id> =
                self.rows.get(rank).into_iter().flatten().map(|row| row.id).collect();
            let mut next = BTreeSet::new();
            for from in &level {
                let to = self.edges.get(from).into_iter().flatten();
                let to: Vec<Id> = to.copied().filter(|id| known.contains(id)).collect();
                if to.is_empty() {
                    broken_at = broken_at.or(Some(*rank));
                }
                next.extend(to);
            }
            level = next;
        }
        let has_result =
            |test: &Id| self.done.get(test).is_some_and(|done| done.verdict != Verdict::Open);
        if !level.iter().all(has_result) {
            broken_at = broken_at.or(Some(Rank::Result));
        }
        Chain { requirement, broken_at, tests: level }
    }
}

/// An extension and the tests that it asks for.
pub(crate) struct Extension {
    pub row: Row,
    /// From when on a host must have been seen.
    pub from: Option<Timestamp>,
    pub due: BTreeSet<Id>,
    pub rerun: BTreeSet<Id>,
}

impl Extension {
    /// Tests that are still to be done.
    pub fn open(&self) -> BTreeSet<Id> {
        self.due.difference(&self.rerun).copied().collect()
    }
}

/// The life cycle of a system as it stands.
pub(crate) struct Life {
    pub graph: Graph,
    pub chains: Vec<Chain>,
    pub extensions: Vec<Extension>,
}

impl Life {
    pub fn broken(&self) -> usize {
        self.chains.iter().filter(|chain| chain.broken_at.is_some()).count()
    }

    /// What the record says.
    pub fn draft(&self, system: Id, now: Timestamp) -> RecordDraft {
        let due: usize = self.extensions.iter().map(|one| one.due.len()).sum();
        let rerun: usize =
            self.extensions.iter().map(|one| one.due.intersection(&one.rerun).count()).sum();
        let facts = json!({
            "requirements": self.chains.len(), "broken": self.broken(),
            "checks_due": due, "checks_rerun": rerun,
        });
        let mut draft = room::draft(TRACE, Some(system), now, facts);
        let chains: Vec<Json> = self
            .chains
            .iter()
            .map(|chain| {
                json!({
                    "requirement": chain.requirement.to_string(),
                    "broken_at": chain.broken_at.map(Rank::as_str),
                    "tests": chain.tests.len(),
                })
            })
            .collect();
        draft.payload = serde_json::to_vec(&chains).ok();
        draft
    }
}

/// Reads the life cycle of a system.
pub(crate) async fn load(store: &Store, system: Id) -> Result<Life, StoreError> {
    let mut graph = Graph::default();
    let mut requirements = store.all(Table::Norm, &["requirement"]).await?;
    requirements.retain(|row| text(row, "system") == system.to_string() && row.status == "active");
    let mut level: Vec<Id> = requirements.iter().map(|row| row.id).collect();
    graph.rows.insert(Rank::Requirement, requirements);
    for rank in &Rank::ALL[1..4] {
        let links = store.links(&level, MAPS_TO, End::Subject).await?;
        let ids: BTreeSet<Id> = links.iter().filter_map(|link| link.object).collect();
        let (table, kind) = rank.place();
        let ids: Vec<Id> = ids.into_iter().collect();
        let mut rows = store.rows_by_id(table, &ids).await?;
        rows.retain(|row| row.kind == kind);
        rows.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        for link in links {
            if let (Some(from), Some(to)) = (link.subject, link.object) {
                graph.edges.entry(from).or_default().insert(to);
            }
        }
        level = rows.iter().map(|row| row.id).collect();
        graph.rows.insert(*rank, rows);
    }
    let reports = reports(store, system).await?;
    graph.done = done(&reports);
    let chains = graph.chains();
    let extensions = extensions(store, system, &graph, &chains, &reports).await?;
    Ok(Life { graph, chains, extensions })
}

/// What test reports of the system hold, the newest first.
async fn reports(store: &Store, system: Id) -> Result<Vec<Json>, StoreError> {
    let records = store.newest_records(&[REPORT], Some(system), REPORTS_MAX).await?;
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let mut payloads = store.payloads(&ids).await?;
    let payload = |id: Id| {
        let bytes = payloads.remove(&id).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(Json::Null)
    };
    Ok(ids.into_iter().map(payload).collect())
}

/// The newest result of each test: the worst of its hosts.
fn done(reports: &[Json]) -> BTreeMap<Id, Done> {
    let mut all = BTreeMap::new();
    for report in reports {
        let mut here: BTreeMap<Id, Done> = BTreeMap::new();
        for (test, one) in results(report) {
            let worst = here.entry(test).or_insert(one);
            let rank = |verdict| match verdict {
                Verdict::Pass => 0,
                Verdict::Open => 1,
                Verdict::Fail => 2,
            };
            if rank(one.verdict) > rank(worst.verdict) {
                worst.verdict = one.verdict;
            }
            worst.at = worst.at.min(one.at);
        }
        for (test, one) in here {
            // A test that was left open later is still as it was found before.
            let kept = all.entry(test).or_insert(one);
            if kept.verdict == Verdict::Open {
                *kept = one;
            }
        }
    }
    all
}

/// Tests of a report that somebody looked at, or not.
fn results(report: &Json) -> impl Iterator<Item = (Id, Done)> {
    report["cases"].as_array().into_iter().flatten().filter_map(|case| {
        let test = case["test_spec"].as_str()?.parse().ok()?;
        let verdict = Verdict::named(case["verdict"].as_str()?);
        let at = case["at"].as_str().and_then(Timestamp::parse);
        let verdict = if at.is_some() { verdict } else { Verdict::Open };
        Some((test, Done { verdict, at: at.unwrap_or(Timestamp(0)) }))
    })
}

async fn extensions(
    store: &Store,
    system: Id,
    graph: &Graph,
    chains: &[Chain],
    reports: &[Json],
) -> Result<Vec<Extension>, StoreError> {
    let mut rows = store.all(Table::Plan, &["extension"]).await?;
    rows.retain(|row| text(row, "system") == system.to_string() && row.status != "cancelled");
    rows.truncate(EXTENSIONS_MAX);
    Ok(rows.into_iter().map(|row| extension(row, graph, chains, reports)).collect())
}

fn extension(row: Row, graph: &Graph, chains: &[Chain], reports: &[Json]) -> Extension {
    let from = day(text(&row, "planned_on"));
    let requirements = graph.rows.get(&Rank::Requirement).map_or(&[][..], Vec::as_slice);
    // A plan names requirements by id or by what they are called.
    let meant = |requirement: &&Row| {
        list(&row, "requirements")
            .any(|named| named == requirement.name || named == requirement.id.to_string())
    };
    let ids: BTreeSet<Id> = requirements.iter().filter(meant).map(|row| row.id).collect();
    let due: BTreeSet<Id> = chains
        .iter()
        .filter(|chain| ids.contains(&chain.requirement))
        .flat_map(|chain| chain.tests.iter().copied())
        .collect();
    let own = row.id.to_string();
    let is_own = |report: &&Json| report["extension"].as_str() == Some(&own);
    let rerun = reports
        .iter()
        .filter(is_own)
        .flat_map(results)
        .filter(|(_, done)| done.verdict != Verdict::Open && Some(done.at) >= from)
        .map(|(test, _)| test)
        .collect();
    Extension { row, from, due, rerun }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Id {
        format!("01936b3a-0000-7000-8000-0000000000{n:02x}").parse().expect("id")
    }

    fn row(n: u8, table: Table, kind: &str) -> Row {
        Row::new(table, id(n), kind, &format!("row {n}"))
    }

    fn graph() -> Graph {
        let mut graph = Graph::default();
        graph.rows.insert(
            Rank::Requirement,
            vec![row(1, Table::Norm, "requirement"), row(2, Table::Norm, "requirement")],
        );
        graph.rows.insert(Rank::Specification, vec![row(3, Table::Norm, "specification")]);
        graph.rows.insert(
            Rank::Parameter,
            vec![row(4, Table::Rule, BASELINE), row(5, Table::Rule, BASELINE)],
        );
        graph.rows.insert(
            Rank::Test,
            vec![row(6, Table::Norm, "test_spec"), row(7, Table::Norm, "test_spec")],
        );
        for (from, to) in [(1, 3), (3, 4), (3, 5), (4, 6), (5, 7)] {
            graph.edges.entry(id(from)).or_default().insert(id(to));
        }
        graph
    }

    const AT: Timestamp = Timestamp(1_795_600_000_000_000);

    #[test]
    fn a_chain_is_whole_only_if_every_way_ends_in_a_result() {
        let mut graph = graph();
        let broken = |graph: &Graph| -> Vec<Option<Rank>> {
            graph.chains().into_iter().map(|chain| chain.broken_at).collect()
        };
        let none = Some(Rank::Specification);
        assert_eq!(broken(&graph), [Some(Rank::Result), none]);
        graph.done.insert(id(6), Done { verdict: Verdict::Pass, at: AT });
        assert_eq!(broken(&graph), [Some(Rank::Result), none]);
        graph.done.insert(id(7), Done { verdict: Verdict::Open, at: AT });
        assert_eq!(broken(&graph), [Some(Rank::Result), none], "open is no result");
        graph.done.insert(id(7), Done { verdict: Verdict::Fail, at: AT });
        assert_eq!(broken(&graph), [None, none], "a failure is a result");
        graph.edges.remove(&id(5));
        assert_eq!(broken(&graph), [Some(Rank::Test), none]);
    }

    fn report(extension: Option<u8>, cases: &[(u8, &str, Option<&str>)]) -> Json {
        let case = |(test, verdict, at): &(u8, &str, Option<&str>)| json!({"test_spec": id(*test).to_string(), "verdict": verdict, "at": at});
        json!({
            "extension": extension.map(|n| id(n).to_string()),
            "cases": cases.iter().map(case).collect::<Vec<_>>(),
        })
    }

    #[test]
    fn an_extension_is_done_when_its_own_tests_ran_on_what_was_seen_after_its_day() {
        let graph = graph();
        let chains = graph.chains();
        let mut plan = row(9, Table::Plan, "extension");
        plan.attributes.insert("requirements".into(), json!(["row 1"]));
        plan.attributes.insert("planned_on".into(), "2026-11-20".into());
        let (before, after) = (Some("2026-11-19T00:00:00Z"), Some("2026-11-21T00:00:00Z"));
        let of = |reports: &[Json]| {
            let one = extension(plan.clone(), &graph, &chains, reports);
            (one.due.len(), one.open().into_iter().collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), (2, vec![id(6), id(7)]));
        let early = report(Some(9), &[(6, "pass", before), (7, "pass", after)]);
        assert_eq!(of(&[early]), (2, vec![id(6)]));
        let others = report(None, &[(6, "pass", after), (7, "pass", after)]);
        assert_eq!(of(&[others]), (2, vec![id(6), id(7)]), "a report it did not ask for");
        let own = report(Some(9), &[(6, "fail", after), (7, "pass", after)]);
        assert_eq!(of(&[own]), (2, vec![]));
        plan.attributes.insert("requirements".into(), json!([id(2).to_string()]));
        assert_eq!(extension(plan, &graph, &chains, &[]).due.len(), 0);
    }

    #[test]
    fn of_several_hosts_the_worst_counts_and_the_newest_report_goes_first() {
        let at = Some("2026-11-21T00:00:00Z");
        let newest = report(None, &[(6, "pass", at), (6, "fail", at), (7, "open", None)]);
        let older = report(None, &[(6, "pass", at), (7, "pass", at)]);
        let all = done(&[newest, older]);
        assert_eq!(all[&id(6)].verdict, Verdict::Fail);
        assert_eq!(all[&id(7)].verdict, Verdict::Pass);
    }
}
