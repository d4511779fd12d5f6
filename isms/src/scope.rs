//! The scope of the ISMS (4.3): a signed selector over sites, departments and kinds.
//!
//! A `scope_statement` counts while an `approval` of exactly its present text holds. Several add up.
//! Invariants: without an approved statement every active asset is in scope; nothing leaves the
//! scope unless it is known to lie outside, so an asset without a site or a department stays in. An
//! `exclusion` takes an asset out of the criteria that admit one, not out of the scope.

mod load;

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Timestamp};
use serde_json::Value as Json;
use store::Row;

pub(crate) use load::Touch;

/// Longest chain of `located_in` that is followed; a loop ends there.
const NESTING_MAX: usize = 16;
/// The kind whose approved rows make the scope.
pub(crate) const STATEMENT: &str = "scope_statement";

/// Which assets the approved scope leaves out.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    approved: Vec<(Id, String)>,
    selectors: Vec<Selector>,
    outside: BTreeSet<Id>,
    /// Statements, approved or not.
    statements: BTreeSet<Id>,
    /// What other assets lie in, or are said to.
    places: BTreeSet<Id>,
    /// First moment at which time alone could change the scope.
    next_change: Option<Timestamp>,
}

/// The approved scope in numbers, for pages and the status document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Extent {
    pub statements: Vec<(Id, String)>,
    pub inside: u64,
    pub outside: u64,
}

#[derive(Clone, Debug)]
struct Selector {
    sites: Vec<String>,
    departments: Vec<String>,
    kinds: Vec<String>,
}

/// What the scope is judged from.
#[derive(Default)]
pub(crate) struct Register {
    pub(crate) assets: Vec<Row>,
    pub(crate) parties: Vec<Row>,
    pub(crate) links: Vec<Row>,
    /// Approvals.
    pub(crate) decisions: Vec<Row>,
}

/// Where things are and whose they are, by links that hold now, and what was decided about them.
struct Places<'a> {
    assets: BTreeMap<Id, &'a Row>,
    parties: BTreeMap<Id, &'a Row>,
    located_in: BTreeMap<Id, Vec<Id>>,
    owned_by: BTreeMap<Id, Vec<Id>>,
    approvals: BTreeMap<Id, Vec<&'a Row>>,
    now: Timestamp,
}

impl Scope {
    /// Judges every asset of the register.
    pub(crate) fn new(register: &Register, now: Timestamp) -> Scope {
        let places = Places::of(register, now);
        let statements: Vec<&Row> =
            register.assets.iter().filter(|row| row.kind == STATEMENT).collect();
        let approved: Vec<&Row> = statements
            .iter()
            .copied()
            .filter(|row| row.status == "active" && places.is_approved(row))
            .collect();
        let mut scope = Scope {
            approved: approved.iter().map(|row| (row.id, row.name.clone())).collect(),
            selectors: approved.iter().map(|row| Selector::of(row)).collect(),
            statements: statements.iter().map(|row| row.id).collect(),
            ..Scope::default()
        };
        scope.judge(register, &places, &register.assets);
        scope
    }

    /// Judges these assets by the present statements.
    fn judge(&mut self, register: &Register, places: &Places, assets: &[Row]) {
        for row in assets {
            let (sites, through) = places.sites(row);
            self.places.extend(through);
            let counted = row.status == "active" && row.kind != STATEMENT;
            let chosen = self.selectors.is_empty()
                || self.selectors.iter().any(|s| s.takes(row, &sites, places));
            if counted && !chosen {
                self.outside.insert(row.id);
            } else {
                self.outside.remove(&row.id);
            }
        }
        let times = register.links.iter().flat_map(|l| [l.starts_at, l.ends_at]);
        let ends = register.decisions.iter().map(|d| d.ends_at);
        let ahead = times.chain(ends).flatten().filter(|time| *time > places.now);
        self.next_change = ahead.chain(self.next_change).min();
    }

    /// Whether the asset is in scope.
    pub fn holds(&self, asset: Id) -> bool {
        !self.outside.contains(&asset)
    }

    /// Assets that are outside of one and not of the other.
    pub(crate) fn difference(&self, other: &Scope) -> Vec<Id> {
        self.outside.symmetric_difference(&other.outside).copied().collect()
    }

    /// The scope in numbers, of so many active assets; `None` while no statement is approved.
    fn extent_of(&self, active: u64) -> Option<Extent> {
        let outside = self.outside.len() as u64;
        (!self.approved.is_empty()).then(|| Extent {
            statements: self.approved.clone(),
            inside: active.saturating_sub(outside),
            outside,
        })
    }
}

impl Selector {
    fn of(row: &Row) -> Selector {
        let list = |name: &str| {
            let values = row.attributes.get(name).and_then(Json::as_array);
            values.into_iter().flatten().filter_map(Json::as_str).map(folded).collect()
        };
        Selector { sites: list("sites"), departments: list("departments"), kinds: list("kinds") }
    }

    fn takes(&self, row: &Row, sites: &BTreeSet<String>, places: &Places) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&folded(&row.kind));
        kind && matches(&self.sites, sites) && matches(&self.departments, &places.departments(row))
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
    fn of(register: &'a Register, now: Timestamp) -> Places<'a> {
        let mut located_in: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        let mut owned_by: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for link in &register.links {
            let valid =
                link.starts_at.is_none_or(|t| t <= now) && link.ends_at.is_none_or(|t| t > now);
            let (Some(from), Some(to), true) = (link.subject, link.object, valid) else { continue };
            match link.kind.as_str() {
                "located_in" => located_in.entry(from).or_default().push(to),
                "owns" => owned_by.entry(to).or_default().push(from),
                _ => {}
            }
        }
        let mut approvals: BTreeMap<Id, Vec<&Row>> = BTreeMap::new();
        for decision in &register.decisions {
            if let Some(subject) = decision.subject {
                approvals.entry(subject).or_default().push(decision);
            }
        }
        let by_id = |rows: &'a [Row]| rows.iter().map(|row| (row.id, row)).collect();
        let (assets, parties) = (by_id(&register.assets), by_id(&register.parties));
        Places { assets, parties, located_in, owned_by, approvals, now }
    }

    /// Whether the newest approval of the row says yes, has not expired, and binds the row as it
    /// stands.
    fn is_approved(&self, row: &Row) -> bool {
        let about = self.approvals.get(&row.id).into_iter().flatten();
        let about = about.filter(|d| web::decide::is_signed(d));
        let Some(newest) = about.max_by_key(|d| (d.updated_at, d.id)) else { return false };
        let in_time = newest.ends_at.is_none_or(|end| end > self.now);
        let hash = row.content_hash().ok();
        newest.status == "approved" && in_time && hash.is_some() && newest.subject_hash == hash
    }

    /// Names and ids of every site the asset is, is said to be at, or lies in; and every id that was
    /// looked at on the way.
    fn sites(&self, row: &Row) -> (BTreeSet<String>, BTreeSet<Id>) {
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
        seen.remove(&row.id);
        (known, seen)
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
mod tests;
