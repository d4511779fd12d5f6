//! Keeps the board current: judges again only what a change or the clock touched.
//!
//! Invariants: after [`Keeper::refresh`] the board equals [`crate::compute`] at the same moment (a
//! property test holds this); the two share every function that judges. What is kept of a subject is
//! its name and judgement, not its evidence.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{Check, Criterion, Id, PerSubject, Predicate, RoomSpec, Subjects, Table, Timestamp};
use store::{Change, Store, StoreError};

use crate::{
    Board, Evidence, Verdict, board,
    evaluate::{self, Beside, Entry},
    evidence::BY_HAND,
    hall::Register,
    scope::{Scope, Touch},
};

/// Rows judged with one load of evidence.
const ROWS_AT_ONCE: usize = 1_000;

/// The kept board.
pub struct Keeper {
    rooms: Vec<&'static RoomSpec>,
    states: Vec<State>,
    scope: Arc<Scope>,
    /// Records dated in the future: they begin to count then.
    deferred: BTreeMap<Timestamp, Vec<Change>>,
    /// What the hall reads of the registers.
    register: Register,
    /// Subjects judged by the last refresh.
    judged: usize,
}

struct State {
    criterion: &'static Criterion,
    verdict: Verdict,
    kept: Kept,
}

enum Kept {
    /// The denominator is rows of a table: each is judged on its own.
    Rows(Rows),
    /// Parts, records, aggregates: judged as a whole, again at this moment at the latest.
    Whole { next_change: Option<Timestamp> },
}

#[derive(Default)]
struct Rows {
    entries: BTreeMap<(Arc<str>, Option<Id>), Entry>,
    names: BTreeMap<Id, Vec<Arc<str>>>,
    /// When time alone could change a subject.
    due: BTreeSet<(Timestamp, Id)>,
    beside: Beside,
}

/// What of a criterion has to be judged again.
#[derive(Default)]
struct Dirty {
    ids: BTreeSet<Id>,
}

impl Keeper {
    /// Judges everything once.
    pub async fn open(store: &Store, rooms: &[&'static RoomSpec]) -> Result<Keeper, StoreError> {
        let mut keeper = Keeper {
            rooms: rooms.to_vec(),
            states: Vec::new(),
            scope: Arc::default(),
            deferred: BTreeMap::new(),
            register: Register::default(),
            judged: 0,
        };
        keeper.rebuild(store).await?;
        Ok(keeper)
    }

    /// Judges everything again.
    pub async fn rebuild(&mut self, store: &Store) -> Result<(), StoreError> {
        store.take_changes();
        let now = store.now();
        let criteria: Vec<&'static Criterion> =
            board::judged(&self.rooms).flat_map(|room| room.criteria).collect();
        self.scope = Arc::new(Scope::load(store.present(), now).await?);
        self.register = Register::load(store.present(), now).await?;
        self.deferred.clear();
        for (ty, subject, observed_to) in store.records_ahead(now).await? {
            let change = Change::Record { ty, subject, observed_to };
            self.deferred.entry(observed_to).or_default().push(change);
        }
        let nobody = Evidence::load_about(store.present(), &criteria, now, Some(&[])).await?;
        let nobody = nobody.under(self.scope.clone());
        self.states = Vec::with_capacity(criteria.len());
        for criterion in criteria {
            self.states.push(if of_rows(criterion).is_some() {
                State::build(criterion, &nobody, now)
            } else {
                State::build(
                    criterion,
                    &Evidence::load(store.present(), &[criterion], now).await?,
                    now,
                )
            });
        }
        for table in [Table::Asset, Table::Party, Table::Rule, Table::Norm, Table::Plan] {
            self.judge_table(store, table, now).await?;
        }
        self.judged = self.states.iter().map(State::len).sum();
        Ok(())
    }

    /// Judges every row of a table, a few at a time, so that memory does not grow with the register.
    async fn judge_table(
        &mut self,
        store: &Store,
        table: Table,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let of_table =
            |state: &State| of_rows(state.criterion).is_some_and(|(_, (of, _))| of == table);
        let places: Vec<usize> =
            (0..self.states.len()).filter(|at| of_table(&self.states[*at])).collect();
        let criteria: Vec<&Criterion> =
            places.iter().map(|at| self.states[*at].criterion).collect();
        let kinds = crate::evidence::kinds(&criteria, table);
        let mut after = None;
        while !criteria.is_empty() {
            let ids = store.ids(table, &kinds, after, ROWS_AT_ONCE).await?;
            let Some(last) = ids.last() else { break };
            after = Some(*last);
            let evidence =
                Evidence::load_about(store.present(), &criteria, now, Some(&ids)).await?;
            let evidence = evidence.under(self.scope.clone());
            for at in &places {
                let state = &mut self.states[*at];
                let Kept::Rows(rows) = &mut state.kept else { continue };
                let Check::PerSubject(check) = &state.criterion.check else { continue };
                for entry in evaluate::judge_subjects(state.criterion, check, &evidence, now) {
                    rows.insert(entry);
                }
            }
        }
        for at in places {
            let state = &mut self.states[at];
            let Kept::Rows(rows) = &state.kept else { continue };
            let Check::PerSubject(check) = &state.criterion.check else { continue };
            state.verdict = rows.fold(state.criterion, check);
        }
        Ok(())
    }

    /// Takes in what was committed since the last call, and what the clock changed.
    pub async fn refresh(&mut self, store: &Store) -> Result<(), StoreError> {
        let now = store.now();
        let changes = store.take_changes();
        self.judged = 0;
        if changes.overflow {
            return self.rebuild(store).await;
        }
        let mut dirty: BTreeMap<usize, Dirty> = BTreeMap::new();
        let flipped = self.rescope(store, &changes.list, now).await?;
        self.mark_assets(&flipped, &mut dirty);
        if self.register.is_touched(&changes.list, now) {
            self.register = Register::load(store.present(), now).await?;
        }
        let later = self.deferred.split_off(&Timestamp(now.0.saturating_add(1)));
        let arrived = std::mem::replace(&mut self.deferred, later);
        for change in changes.list.into_iter().chain(arrived.into_values().flatten()) {
            if let Change::Record { observed_to, .. } = &change
                && *observed_to > now
            {
                self.deferred.entry(*observed_to).or_default().push(change);
                continue;
            }
            self.mark(&change, &mut dirty);
        }
        self.mark_due(now, &mut dirty);
        self.judge(store, dirty, now).await
    }

    /// The board as of the last refresh.
    pub async fn board(&self, store: &Store, at: Timestamp) -> Result<Board, StoreError> {
        let verdicts = self.states.iter().map(|s| s.verdict.clone()).collect();
        board::assemble(store.present(), &self.rooms, verdicts, &self.scope, &self.register, at)
            .await
    }

    /// How many subjects the last refresh judged.
    pub fn judged(&self) -> usize {
        self.judged
    }

    /// Brings the scope up to date; returns the assets that entered or left it.
    async fn rescope(
        &mut self,
        store: &Store,
        changes: &[Change],
        now: Timestamp,
    ) -> Result<Vec<Id>, StoreError> {
        let touches: Vec<Touch> = changes.iter().map(|c| self.scope.touched(c)).collect();
        if self.scope.is_due(now) || touches.contains(&Touch::All) {
            let fresh = Scope::load(store.present(), now).await?;
            let flipped = self.scope.difference(&fresh);
            self.scope = Arc::new(fresh);
            return Ok(flipped);
        }
        let assets: BTreeSet<Id> = touches
            .into_iter()
            .filter_map(|touch| if let Touch::Asset(id) = touch { Some(id) } else { None })
            .collect();
        if assets.is_empty() {
            return Ok(Vec::new());
        }
        let assets: Vec<Id> = assets.into_iter().collect();
        Arc::make_mut(&mut self.scope).update(store, &assets, now).await
    }

    fn mark_assets(&self, ids: &[Id], dirty: &mut BTreeMap<usize, Dirty>) {
        if ids.is_empty() {
            return;
        }
        for (at, state) in self.states.iter().enumerate() {
            if state.is_of(Table::Asset) {
                dirty.entry(at).or_default().ids.extend(ids);
            }
        }
    }

    fn mark(&self, change: &Change, dirty: &mut BTreeMap<usize, Dirty>) {
        for (at, state) in self.states.iter().enumerate() {
            let touched = match change {
                Change::Record { ty, subject, .. } => state.touched_by_record(ty, *subject),
                Change::Row { table, id, kind, subject, object } => {
                    state.touched_by_row(*table, *id, kind, *subject, *object)
                }
            };
            if let Some(ids) = touched {
                dirty.entry(at).or_default().ids.extend(ids);
            }
        }
    }

    fn mark_due(&self, now: Timestamp, dirty: &mut BTreeMap<usize, Dirty>) {
        for (at, state) in self.states.iter().enumerate() {
            match &state.kept {
                Kept::Whole { next_change } if next_change.is_some_and(|t| t <= now) => {
                    dirty.entry(at).or_default();
                }
                Kept::Whole { .. } => {}
                Kept::Rows(rows) => {
                    let due = rows.due.iter().take_while(|(time, _)| *time <= now);
                    let ids: Vec<Id> = due.map(|(_, id)| *id).collect();
                    if !ids.is_empty() || rows.beside.next_change().is_some_and(|t| t <= now) {
                        dirty.entry(at).or_default().ids.extend(ids);
                    }
                }
            }
        }
    }

    async fn judge(
        &mut self,
        store: &Store,
        dirty: BTreeMap<usize, Dirty>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let rows = |at: &usize| matches!(self.states[*at].kept, Kept::Rows(_));
        let of_rows: Vec<&Criterion> =
            dirty.keys().filter(|at| rows(at)).map(|at| self.states[*at].criterion).collect();
        let ids: BTreeSet<Id> = dirty.values().flat_map(|d| d.ids.iter().copied()).collect();
        let ids: Vec<Id> = ids.into_iter().collect();
        let about = if of_rows.is_empty() {
            None
        } else {
            let evidence = Evidence::load_about(store.present(), &of_rows, now, Some(&ids)).await?;
            Some(evidence.under(self.scope.clone()))
        };
        for (at, dirty) in dirty {
            let state = &mut self.states[at];
            match (&mut state.kept, &about) {
                (Kept::Rows(rows), Some(evidence)) => {
                    let Check::PerSubject(check) = &state.criterion.check else { continue };
                    self.judged += rows.judge(state.criterion, check, evidence, &dirty.ids, now);
                    state.verdict = rows.fold(state.criterion, check);
                }
                _ => {
                    let evidence = Evidence::load(store.present(), &[state.criterion], now).await?;
                    *state = State::build(state.criterion, &evidence, now);
                    self.judged += state.len();
                }
            }
        }
        Ok(())
    }
}

impl State {
    fn build(criterion: &'static Criterion, evidence: &Evidence, now: Timestamp) -> State {
        match &criterion.check {
            Check::PerSubject(check) if row_kinds(&check.of).is_some() => {
                let mut rows =
                    Rows { beside: evaluate::beside(criterion, evidence, now), ..Rows::default() };
                for entry in evaluate::judge_subjects(criterion, check, evidence, now) {
                    rows.insert(entry);
                }
                let verdict = rows.fold(criterion, check);
                State { criterion, verdict, kept: Kept::Rows(rows) }
            }
            Check::PerSubject(check) => {
                let entries = evaluate::judge_subjects(criterion, check, evidence, now);
                let beside = evaluate::beside(criterion, evidence, now);
                let times = entries.iter().flat_map(|e| {
                    let leaves = e.leaves.map(|t| Timestamp(t.0.saturating_add(1)));
                    [e.judged.next_change, leaves]
                });
                let next_change = times.flatten().chain(beside.next_change()).min();
                let verdict = evaluate::fold(criterion, check, entries.iter(), &beside);
                State { criterion, verdict, kept: Kept::Whole { next_change } }
            }
            Check::Aggregate(_) => {
                let next_change = evaluate::aggregate_next_change(criterion, evidence, now);
                let verdict = evaluate::evaluate(criterion, evidence, now);
                State { criterion, verdict, kept: Kept::Whole { next_change } }
            }
        }
    }

    /// Whether the denominator is rows of this table.
    fn is_of(&self, table: Table) -> bool {
        let Check::PerSubject(check) = &self.criterion.check else { return false };
        row_kinds(&check.of).is_some_and(|(of, _)| of == table)
    }

    fn len(&self) -> usize {
        match &self.kept {
            Kept::Rows(rows) => rows.entries.len(),
            Kept::Whole { .. } => self.verdict.total as usize,
        }
    }

    /// Subjects to judge again after a record; `None` if the criterion does not look at it.
    fn touched_by_record(&self, ty: &str, subject: Option<Id>) -> Option<Vec<Id>> {
        let by_hand = self.criterion.by_hand.is_some() && BY_HAND.contains(&ty);
        if !by_hand && !self.criterion.check.reads().contains(&ty) {
            return None;
        }
        match &self.kept {
            Kept::Whole { .. } => Some(Vec::new()),
            // About the whole: only what stands beside the subjects can change.
            Kept::Rows(_) if subject.is_none() => by_hand.then(Vec::new),
            Kept::Rows(rows) => {
                let known = subject.into_iter().filter(|id| rows.names.contains_key(id));
                let known: Vec<Id> = known.collect();
                (!known.is_empty()).then_some(known)
            }
        }
    }

    /// Subjects to judge again after a change of a row.
    fn touched_by_row(
        &self,
        table: Table,
        id: Id,
        kind: &str,
        subject: Option<Id>,
        object: Option<Id>,
    ) -> Option<Vec<Id>> {
        let Check::PerSubject(check) = &self.criterion.check else {
            return (table == Table::Decision).then(Vec::new);
        };
        let Kept::Rows(rows) = &self.kept else {
            // Tasks and decisions may be about a record or a part; exclusions about the criterion.
            let reads = matches!(table, Table::Decision | Table::Task | Table::Link);
            return reads.then(Vec::new);
        };
        let known = |ids: &[Option<Id>]| -> Vec<Id> {
            ids.iter().flatten().copied().filter(|id| rows.names.contains_key(id)).collect()
        };
        if table == Table::Decision {
            // Even one about no subject here may be an exclusion.
            return Some(known(&[subject]));
        }
        let touched = match table {
            Table::Link => known(&[subject, object]),
            Table::Task => known(&[subject]),
            _ => Vec::new(),
        };
        let (of, kinds) = row_kinds(&check.of)?;
        let own = of == table && (kinds.is_empty() || kinds.contains(&kind));
        let touched = if own { [touched, vec![id]].concat() } else { touched };
        (!touched.is_empty() && (own || reads_table(&check.must, table))).then_some(touched)
    }
}

impl Rows {
    fn insert(&mut self, entry: Entry) {
        let name = entry.name.clone();
        if let Some(id) = entry.id {
            self.names.entry(id).or_default().push(name.clone());
            self.due.extend(entry.judged.next_change.map(|time| (time, id)));
        }
        self.entries.insert((name, entry.id), entry);
    }

    fn remove(&mut self, id: Id) {
        for name in self.names.remove(&id).unwrap_or_default() {
            if let Some(entry) = self.entries.remove(&(name, Some(id)))
                && let Some(time) = entry.judged.next_change
            {
                self.due.remove(&(time, id));
            }
        }
    }

    /// Judges these subjects again and returns how many there were.
    fn judge(
        &mut self,
        criterion: &Criterion,
        check: &PerSubject,
        evidence: &Evidence,
        ids: &BTreeSet<Id>,
        now: Timestamp,
    ) -> usize {
        self.beside = evaluate::beside(criterion, evidence, now);
        ids.iter().for_each(|id| self.remove(*id));
        // The evidence holds the subjects of every dirty criterion, not only of this one.
        let own = |entry: &Entry| entry.id.is_some_and(|id| ids.contains(&id));
        let judged = evaluate::judge_subjects(criterion, check, evidence, now);
        let judged: Vec<Entry> = judged.into_iter().filter(own).collect();
        let count = judged.len();
        judged.into_iter().for_each(|entry| self.insert(entry));
        count
    }

    fn fold(&self, criterion: &Criterion, check: &PerSubject) -> Verdict {
        evaluate::fold(criterion, check, self.entries.values(), &self.beside)
    }
}

/// Table and kinds of a denominator of rows; no kinds means all.
fn row_kinds(of: &Subjects) -> Option<(Table, &'static [&'static str])> {
    match *of {
        Subjects::Assets { kinds, .. } | Subjects::AssetParts { kinds, .. } => {
            Some((Table::Asset, kinds))
        }
        Subjects::Parties { kinds, .. } => Some((Table::Party, kinds)),
        Subjects::Rules { kinds, .. } => Some((Table::Rule, kinds)),
        Subjects::Plans { kinds, .. } => Some((Table::Plan, kinds)),
        Subjects::Norms { .. } => Some((Table::Norm, &[])),
        Subjects::Records { .. } | Subjects::Parts { .. } => None,
    }
}

/// The check of a criterion over rows, with its table and kinds.
fn of_rows(
    criterion: &'static Criterion,
) -> Option<(&'static PerSubject, (Table, &'static [&'static str]))> {
    let Check::PerSubject(check) = &criterion.check else { return None };
    Some((check, row_kinds(&check.of)?))
}

fn reads_table(predicate: &Predicate, table: Table) -> bool {
    match predicate {
        Predicate::Link { .. } => table == Table::Link,
        Predicate::Task => table == Table::Task,
        Predicate::All(list) | Predicate::Any(list) => list.iter().any(|p| reads_table(p, table)),
        Predicate::Record { .. } | Predicate::Attributes(_) | Predicate::Decision { .. } => false,
    }
}
