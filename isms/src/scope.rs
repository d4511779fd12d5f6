//! The scope of the ISMS (4.3): a signed selector over sites, departments and kinds.
//!
//! A `scope_statement` counts while an `approval` of exactly its present text holds. Several add up.
//! Invariants: without an approved statement every active asset is in scope; nothing leaves the
//! scope unless it is known to lie outside, so an asset without a site or a department stays in; an
//! `exclusion` on the asset takes it out until its date.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Timestamp};
use serde_json::Value as Json;
use store::Row;

/// Longest chain of `located_in` that is followed; a loop ends there.
const NESTING_MAX: usize = 16;

/// Which assets the approved scope leaves out.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    statements: Vec<(Id, String)>,
    outside: BTreeSet<Id>,
    assets: usize,
}

/// The approved scope in numbers, for pages and the status document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Extent {
    pub statements: Vec<(Id, String)>,
    pub inside: usize,
    pub outside: usize,
}

struct Selector {
    sites: Vec<String>,
    departments: Vec<String>,
    kinds: Vec<String>,
}

/// Where things are and whose they are, by links that hold now.
struct Places<'a> {
    assets: BTreeMap<Id, &'a Row>,
    parties: BTreeMap<Id, &'a Row>,
    located_in: BTreeMap<Id, Vec<Id>>,
    owned_by: BTreeMap<Id, Vec<Id>>,
}

impl Scope {
    /// Judges every asset once.
    pub fn new(
        assets: &[Row],
        parties: &[Row],
        links: &[Row],
        decisions: &[Row],
        now: Timestamp,
    ) -> Scope {
        let approved: Vec<&Row> = assets
            .iter()
            .filter(|row| row.kind == "scope_statement" && row.status == "active")
            .filter(|row| holds("approval", row, decisions, now))
            .collect();
        let selectors: Vec<Selector> = approved.iter().map(|row| Selector::of(row)).collect();
        let places = Places::of(assets, parties, links, now);
        let counted: Vec<&Row> = assets
            .iter()
            .filter(|row| row.status == "active" && row.kind != "scope_statement")
            .collect();
        let outside = counted
            .iter()
            .filter(|row| {
                let chosen =
                    selectors.is_empty() || selectors.iter().any(|s| s.takes(row, &places));
                !chosen || holds("exclusion", row, decisions, now)
            })
            .map(|row| row.id)
            .collect();
        let statements = approved.iter().map(|row| (row.id, row.name.clone())).collect();
        Scope { statements, outside, assets: counted.len() }
    }

    /// Whether the asset is in scope.
    pub fn holds(&self, asset: Id) -> bool {
        !self.outside.contains(&asset)
    }

    /// The scope in numbers; `None` while no statement is approved.
    pub fn extent(&self) -> Option<Extent> {
        (!self.statements.is_empty()).then(|| Extent {
            statements: self.statements.clone(),
            inside: self.assets - self.outside.len(),
            outside: self.outside.len(),
        })
    }
}

/// Whether the newest decision of this kind about the row is approved, unexpired, and binds the row
/// as it stands. An exclusion without a date does not hold.
fn holds(kind: &str, row: &Row, decisions: &[Row], now: Timestamp) -> bool {
    let newest = decisions
        .iter()
        .filter(|d| d.kind == kind && d.subject == Some(row.id))
        .max_by_key(|d| (d.updated_at, d.id));
    let Some(decision) = newest else { return false };
    let in_time = match decision.ends_at {
        Some(end) => end > now,
        None => kind != "exclusion",
    };
    let hash = row.content_hash().ok();
    decision.status == "approved" && in_time && hash.is_some() && decision.subject_hash == hash
}

impl Selector {
    fn of(row: &Row) -> Selector {
        let list = |name: &str| {
            let values = row.attributes.get(name).and_then(Json::as_array);
            values.into_iter().flatten().filter_map(Json::as_str).map(folded).collect()
        };
        Selector { sites: list("sites"), departments: list("departments"), kinds: list("kinds") }
    }

    fn takes(&self, row: &Row, places: &Places) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&folded(&row.kind));
        kind && matches(&self.sites, &places.sites(row))
            && matches(&self.departments, &places.departments(row))
    }
}

/// An empty selector takes everything; so does one against which nothing is known.
fn matches(wanted: &[String], known: &BTreeSet<String>) -> bool {
    wanted.is_empty() || known.is_empty() || known.iter().any(|name| wanted.contains(name))
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

impl<'a> Places<'a> {
    fn of(assets: &'a [Row], parties: &'a [Row], links: &[Row], now: Timestamp) -> Places<'a> {
        let mut located_in: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        let mut owned_by: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for link in links {
            let valid =
                link.starts_at.is_none_or(|t| t <= now) && link.ends_at.is_none_or(|t| t > now);
            let (Some(from), Some(to), true) = (link.subject, link.object, valid) else { continue };
            match link.kind.as_str() {
                "located_in" => located_in.entry(from).or_default().push(to),
                "owns" => owned_by.entry(to).or_default().push(from),
                _ => {}
            }
        }
        let by_id = |rows: &'a [Row]| rows.iter().map(|row| (row.id, row)).collect();
        Places { assets: by_id(assets), parties: by_id(parties), located_in, owned_by }
    }

    /// Names and ids of every site the asset is, is said to be at, or lies in.
    fn sites(&self, row: &Row) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut here = vec![row.id];
        for _ in 0..NESTING_MAX {
            let mut further = Vec::new();
            for id in here.into_iter().filter(|id| seen.insert(*id)).collect::<Vec<_>>() {
                let Some(place) = self.assets.get(&id) else { continue };
                if place.kind == "site" {
                    known.extend([folded(&place.name), place.id.to_string()]);
                }
                if let Some(text) = place.attributes.get("site").and_then(Json::as_str)
                    && !text.trim().is_empty()
                {
                    known.insert(folded(text));
                    further.extend(text.parse::<Id>().ok());
                }
                further.extend(self.located_in.get(&id).into_iter().flatten());
            }
            here = further;
        }
        known
    }

    /// Names and ids of every department the asset names or belongs to.
    fn departments(&self, row: &Row) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        let own = row.attributes.get("department").and_then(Json::as_str);
        known.extend(own.map(folded).filter(|d| !d.is_empty()));
        let owners = self.owned_by.get(&row.id).into_iter().flatten().copied().chain(row.owner);
        for party in owners.filter_map(|id| self.parties.get(&id)) {
            if party.kind == "team" {
                known.extend([folded(&party.name), party.id.to_string()]);
            }
            let named = party.attributes.get("department").and_then(Json::as_str);
            known.extend(named.map(folded).filter(|d| !d.is_empty()));
        }
        known
    }
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
