//! Design values: rules `baseline` with what they apply to, and a system's answers to the eight considerations.
//!
//! Invariants: a value that applies to a host itself goes before one of its system; what a plan calls the same is not
//! written again.

use std::collections::{BTreeMap, BTreeSet};

use baseline::Facts;
use model::{Assurance, Id, Table, Timestamp};
use serde_json::json;
use store::{End, RecordDraft, Row, Store, StoreError, Write};

use crate::{
    kinds::FAMILIES,
    registers::{link, reference, row, text},
    sheet::compare::{Judged, judged},
};

pub(crate) const KIND: &str = "baseline";
pub(crate) const APPLIES: &str = "applies_to";
pub(crate) const FAMILY_DESIGN: &str = "configuration.family_design";

/// A design value and the systems and hosts it applies to.
#[derive(Clone, Debug)]
pub(crate) struct Design {
    pub row: Row,
    pub to: BTreeSet<Id>,
}

impl Design {
    pub fn key(&self) -> &str {
        text(&self.row, "key")
    }

    pub fn value(&self) -> &str {
        text(&self.row, "value")
    }

    pub fn unit(&self) -> &str {
        text(&self.row, "unit")
    }

    /// The consideration it belongs to; empty if none is said.
    pub fn family(&self) -> &str {
        text(&self.row, "family")
    }

    /// What the host has of it.
    pub fn held(&self, facts: &Facts) -> Judged {
        judged(&[], self.key(), self.value(), self.unit(), facts)
    }
}

/// The design values that apply to any of these systems and hosts.
pub(crate) async fn of(store: &Store, assets: &[Id]) -> Result<Vec<Design>, StoreError> {
    let mut to: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    for link in store.links(assets, APPLIES, End::Object).await? {
        if let (Some(rule), Some(asset)) = (link.subject, link.object) {
            to.entry(rule).or_default().insert(asset);
        }
    }
    let ids: Vec<Id> = to.keys().copied().collect();
    let rows = store.rows_by_id(Table::Rule, &ids).await?;
    let mut designs: Vec<Design> = rows
        .into_iter()
        .filter(|row| row.kind == KIND && row.status == "active")
        .map(|row| Design { to: to.remove(&row.id).unwrap_or_default(), row })
        .collect();
    designs.sort_by(|a, b| (a.key(), &a.row.name).cmp(&(b.key(), &b.row.name)));
    Ok(designs)
}

/// What holds for one host of a system: its own values, and those of the system that it has none for.
pub(crate) fn of_host(designs: &[Design], system: Option<Id>, host: Id) -> Vec<&Design> {
    let own = |design: &&Design| design.to.contains(&host);
    let own_keys: BTreeSet<String> =
        designs.iter().filter(own).map(|design| design.key().to_lowercase()).collect();
    let of_system = |design: &&Design| {
        system.is_some_and(|system| design.to.contains(&system))
            && !own_keys.contains(&design.key().to_lowercase())
    };
    designs.iter().filter(|design| own(design) || of_system(design)).collect()
}

/// A design value somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub to: Id,
    /// What the system or host is called.
    pub to_name: String,
    pub key: String,
    pub value: String,
    pub unit: String,
    pub family: String,
    pub reason: String,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Add,
    Change { id: Id, before: String },
    Same { id: Id },
}

/// Holds what is wanted against what is there; of two values for one setting the last one counts.
pub(crate) fn plan(there: &[Design], wanted: Vec<Wanted>) -> Vec<(Wanted, Step)> {
    let mut last: BTreeMap<(Id, String), Wanted> = BTreeMap::new();
    for one in wanted {
        last.insert((one.to, one.key.to_lowercase()), one);
    }
    let step = |one: &Wanted| {
        let same = |design: &&Design| {
            design.to.contains(&one.to) && design.key().eq_ignore_ascii_case(&one.key)
        };
        match there.iter().find(same) {
            None => Step::Add,
            Some(design) if design.value() == one.value && design.unit() == one.unit => {
                Step::Same { id: design.row.id }
            }
            Some(design) => Step::Change { id: design.row.id, before: design.value().to_owned() },
        }
    };
    last.into_values().map(|one| (step(&one), one)).map(|(step, one)| (one, step)).collect()
}

/// Writes a plan; gives the rules of its steps, in their order.
pub(crate) async fn put(
    store: &Store,
    write: &mut Write<'_>,
    steps: &[(Wanted, Step)],
) -> Result<Vec<Id>, StoreError> {
    let mut ids = Vec::with_capacity(steps.len());
    for (one, step) in steps {
        let id = match step {
            Step::Same { id } => *id,
            Step::Change { id, .. } => change(store, write, *id, one).await?,
            Step::Add => add(store, write, one).await?,
        };
        ids.push(id);
    }
    Ok(ids)
}

async fn add(store: &Store, write: &mut Write<'_>, one: &Wanted) -> Result<Id, StoreError> {
    let name = format!("{} {}", one.to_name, one.key);
    let mut rule = row(store, Table::Rule, KIND, &name, json!({}))?;
    fill(&mut rule, one);
    let rule = write.put(rule).await?;
    write
        .put(link(store, APPLIES, rule.id, one.to, &format!("{} → {}", one.key, one.to_name))?)
        .await?;
    Ok(rule.id)
}

/// A value that applies to more than the one meant is left to the others.
async fn change(
    store: &Store,
    write: &mut Write<'_>,
    id: Id,
    one: &Wanted,
) -> Result<Id, StoreError> {
    let links = store.links(&[id], APPLIES, End::Subject).await?;
    let others = links.iter().any(|link| link.object != Some(one.to));
    if others {
        for mut link in links.into_iter().filter(|link| link.object == Some(one.to)) {
            link.ends_at = Some(store.now());
            write.delete(link).await?;
        }
        return add(store, write, one).await;
    }
    let Some(mut rule) = store.row(Table::Rule, id).await? else {
        return Err(StoreError::Absent { table: "rule", id });
    };
    fill(&mut rule, one);
    Ok(write.put(rule).await?.id)
}

fn fill(rule: &mut Row, one: &Wanted) {
    let is_family = FAMILIES.iter().any(|family| family.value == one.family);
    let texts = [
        ("key", one.key.as_str()),
        ("value", &one.value),
        ("unit", &one.unit),
        ("reason", &one.reason),
        ("family", if is_family { &one.family } else { "" }),
    ];
    for (name, text) in texts {
        match text {
            "" => drop(rule.attributes.shift_remove(name)),
            text => drop(rule.attributes.insert(name.to_owned(), text.into())),
        }
    }
}

/// The answer to one consideration: that there are so many design values.
pub(crate) fn answered(
    system: Id,
    family: &str,
    values: usize,
    at: Timestamp,
    assurance: Assurance,
    source: &str,
) -> RecordDraft {
    let facts = json!({ "family": family, "answer": "design", "values": values });
    RecordDraft {
        ty: FAMILY_DESIGN.to_owned(),
        subject: Some(system),
        observed_from: at,
        observed_to: at,
        source: source.to_owned(),
        assurance,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

/// How many settings of each consideration these systems have a design value for: their own, and those of their hosts.
pub(crate) fn counts(designs: &[Design], system: Id, hosts: &[Row]) -> BTreeMap<String, usize> {
    let own: BTreeSet<Id> = hosts
        .iter()
        .filter(|host| reference(host, "system") == Some(system))
        .map(|host| host.id)
        .chain([system])
        .collect();
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for design in designs.iter().filter(|design| !design.to.is_disjoint(&own)) {
        if !design.family().is_empty() {
            let of = keys.entry(design.family().to_owned()).or_default();
            of.insert(design.key().to_lowercase());
        }
    }
    keys.into_iter().map(|(family, keys)| (family, keys.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Id {
        format!("01936b3a-0000-7000-8000-0000000000{n:02x}").parse().expect("id")
    }

    fn design(n: u8, key: &str, value: &str, to: &[u8]) -> Design {
        let mut row = Row::new(Table::Rule, id(n), KIND, key);
        row.attributes.insert("key".into(), key.into());
        row.attributes.insert("value".into(), value.into());
        Design { row, to: to.iter().map(|n| id(*n)).collect() }
    }

    fn wanted(to: u8, key: &str, value: &str) -> Wanted {
        Wanted {
            to: id(to),
            to_name: "web1".into(),
            key: key.into(),
            value: value.into(),
            unit: String::new(),
            family: String::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn what_is_there_already_is_not_written_again() {
        let there = [design(1, "sshd/port", "22", &[9]), design(2, "shell/TMOUT", "600", &[9])];
        let asked = vec![
            wanted(9, "sshd/Port", "22"),
            wanted(9, "shell/TMOUT", "900"),
            wanted(9, "login_default/UMASK", "022"),
            wanted(9, "login_default/UMASK", "027"),
            wanted(8, "sshd/port", "22"),
        ];
        let steps = plan(&there, asked);
        let said: Vec<(u8, &str, &str, &Step)> = steps
            .iter()
            .map(|(w, step)| (if w.to == id(9) { 9 } else { 8 }, &*w.key, &*w.value, step))
            .collect();
        assert_eq!(said.len(), 4);
        assert!(said.contains(&(8, "sshd/port", "22", &Step::Add)));
        assert!(said.contains(&(9, "sshd/Port", "22", &Step::Same { id: id(1) })));
        let change = Step::Change { id: id(2), before: "600".into() };
        assert!(said.contains(&(9, "shell/TMOUT", "900", &change)));
        assert!(said.contains(&(9, "login_default/UMASK", "027", &Step::Add)), "the last counts");
    }

    #[test]
    fn a_value_of_the_host_goes_before_one_of_its_system() {
        let (system, host) = (7, 9);
        let all = [
            design(1, "sshd/port", "22", &[system]),
            design(2, "sshd/port", "2222", &[host]),
            design(3, "shell/TMOUT", "600", &[system]),
            design(4, "shell/TMOUT", "60", &[6]),
        ];
        let held = of_host(&all, Some(id(system)), id(host));
        let values: Vec<&str> = held.iter().map(|design| design.value()).collect();
        assert_eq!(values, ["2222", "600"]);
    }
}
