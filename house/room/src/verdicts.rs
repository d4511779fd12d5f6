//! How the criteria of all rooms stand now, for rooms that build on each other's proof.
//!
//! The hall puts it here after each judgement; rooms ask by the id of a criterion and never learn who judged.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use model::{Status, Timestamp};

/// The newest judgement of each criterion; lies in [`web::Kept`].
#[derive(Default)]
pub struct Verdicts(RwLock<Option<Arc<Judged>>>);

/// One judgement of all criteria.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub at: Timestamp,
    pub criteria: BTreeMap<&'static str, Status>,
}

impl Verdicts {
    /// Takes the place of what was judged before.
    pub fn put(&self, judged: Judged) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(judged));
    }

    /// The newest judgement; none before the first one of this process.
    pub fn get(&self) -> Option<Arc<Judged>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Judged {
    /// How a criterion stands; none if there is no such criterion.
    pub fn status(&self, criterion: &str) -> Option<Status> {
        self.criteria.get(criterion).copied()
    }
}
