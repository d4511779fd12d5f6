//! What was committed since someone last asked: so that only what a change touched is judged again.

use std::sync::{Arc, Mutex, PoisonError};

use model::{Id, Table, Timestamp};

/// Beyond this nobody keeps track of single changes any more.
const CHANGES_MAX: usize = 100_000;

/// One committed change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Row { table: Table, id: Id, kind: String, subject: Option<Id>, object: Option<Id> },
    Record { ty: String, subject: Option<Id>, observed_to: Timestamp },
}

/// Changes since the last [`Notices::take`].
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub list: Vec<Change>,
    /// More happened than is listed: everything must be looked at again.
    pub overflow: bool,
}

/// Collects the changes of one process; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Mutex<Changes>>);

impl Notices {
    pub(crate) fn add(&self, changes: Vec<Change>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.list.len() + changes.len() > CHANGES_MAX {
            held.overflow = true;
            held.list.clear();
        }
        if !held.overflow {
            held.list.extend(changes);
        }
    }

    pub(crate) fn take(&self) -> Changes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
