//! The scope from the store: whole, or kept current by what changed.

use std::collections::BTreeSet;

use model::{Id, Table, Timestamp};
use store::{Change, Row, Store, StoreError, View};

use super::{Extent, NESTING_MAX, Places, Register, STATEMENT, Scope, Selector};

/// What of the scope a change may have altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Nothing,
    Asset(Id),
    All,
}

impl Scope {
    /// Reads what the scope needs and judges every asset. Without an approved statement none is
    /// outside.
    pub(crate) async fn load(view: View<'_>, now: Timestamp) -> Result<Scope, StoreError> {
        let decisions = view.all(Table::Decision, &["approval"]).await?;
        let statements = view.all(Table::Asset, &[STATEMENT]).await?;
        let mut register = Register { assets: statements, decisions, ..Register::default() };
        let stated = Scope::new(&register, now);
        if stated.selectors.is_empty() {
            return Ok(stated);
        }
        register.assets = view.all(Table::Asset, &[]).await?;
        if stated.selects(|s| &s.sites) {
            register.links = view.all(Table::Link, &["located_in"]).await?;
        }
        if stated.selects(|s| &s.departments) {
            register.links.extend(view.all(Table::Link, &["owns"]).await?);
            register.parties = view.all(Table::Party, &[]).await?;
        }
        Ok(Scope::new(&register, now))
    }

    fn selects(&self, by: impl Fn(&Selector) -> &Vec<String>) -> bool {
        self.selectors.iter().any(|selector| !by(selector).is_empty())
    }

    /// The scope in numbers; `None` while no statement is approved.
    pub(crate) async fn extent(&self, view: View<'_>) -> Result<Option<Extent>, StoreError> {
        if self.approved.is_empty() {
            return Ok(None);
        }
        Ok(self.extent_of(view.count_active(Table::Asset, STATEMENT).await?))
    }

    /// Whether time alone may have changed it.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next_change.is_some_and(|time| time <= now)
    }

    /// What a change of a row may have altered.
    pub(crate) fn touched(&self, change: &Change) -> Touch {
        let Change::Row { table, id, kind, subject, object } = change else {
            return Touch::Nothing;
        };
        let asset = |id: &Option<Id>| id.map_or(Touch::Nothing, |id| self.touched_asset(id));
        match table {
            Table::Asset if kind == STATEMENT => Touch::All,
            Table::Asset => self.touched_asset(*id),
            Table::Decision if subject.is_some_and(|id| self.statements.contains(&id)) => {
                Touch::All
            }
            Table::Link if kind == "located_in" && self.selects(|s| &s.sites) => asset(subject),
            Table::Link if kind == "owns" && self.selects(|s| &s.departments) => asset(object),
            Table::Party if self.selects(|s| &s.departments) => Touch::All,
            _ => Touch::Nothing,
        }
    }

    fn touched_asset(&self, id: Id) -> Touch {
        // What lies in a place follows it.
        if self.statements.contains(&id) || self.places.contains(&id) {
            return Touch::All;
        }
        if self.selectors.is_empty() { Touch::Nothing } else { Touch::Asset(id) }
    }

    /// Judges these assets again; returns those that entered or left the scope.
    pub(crate) async fn update(
        &mut self,
        store: &Store,
        ids: &[Id],
        now: Timestamp,
    ) -> Result<Vec<Id>, StoreError> {
        let was: Vec<bool> = ids.iter().map(|id| self.holds(*id)).collect();
        let own = store.rows_by_id(Table::Asset, ids).await?;
        let register = self.about(store, ids, own.clone()).await?;
        // What is gone is not outside.
        for id in ids {
            self.outside.remove(id);
        }
        let places = Places::of(&register, now);
        self.judge(&register, &places, &own);
        let flipped = ids.iter().zip(was).filter(|(id, was)| self.holds(**id) != *was);
        Ok(flipped.map(|(id, _)| *id).collect())
    }

    /// What is to be known to judge these assets.
    async fn about(
        &self,
        store: &Store,
        ids: &[Id],
        own: Vec<Row>,
    ) -> Result<Register, StoreError> {
        let mut register = Register::default();
        if self.selects(|s| &s.departments) {
            register.links = store.links(ids, "owns", store::End::Object).await?;
            let owners = register.links.iter().filter_map(|l| l.subject);
            let owners: BTreeSet<Id> = owners.chain(own.iter().filter_map(|a| a.owner)).collect();
            let owners: Vec<Id> = owners.into_iter().collect();
            register.parties = store.rows_by_id(Table::Party, &owners).await?;
        }
        if self.selects(|s| &s.sites) {
            gather(store, &mut register, &own).await?;
        }
        register.assets.extend(own);
        Ok(register)
    }
}

/// Reads the places that these assets lie in, as far as the chains are followed.
async fn gather(store: &Store, register: &mut Register, own: &[Row]) -> Result<(), StoreError> {
    let mut seen: BTreeSet<Id> = own.iter().map(|row| row.id).collect();
    let mut here: Vec<Row> = own.to_vec();
    for _ in 0..NESTING_MAX {
        let ids: Vec<Id> = here.iter().map(|row| row.id).collect();
        let links = store.links(&ids, "located_in", store::End::Subject).await?;
        let said = here.iter().filter_map(|row| row.attributes.get("site")?.as_str()?.parse().ok());
        let further: BTreeSet<Id> = said.chain(links.iter().filter_map(|l| l.object)).collect();
        register.links.extend(links);
        let further: Vec<Id> = further.into_iter().filter(|id| seen.insert(*id)).collect();
        if further.is_empty() {
            break;
        }
        here = store.rows_by_id(Table::Asset, &further).await?;
        register.assets.extend(here.iter().cloned());
    }
    Ok(())
}
