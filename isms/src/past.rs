//! The board of a past moment, computed now by the functions that compute today's.
//!
//! Invariants: what counts is what was in the tables then and the records received by then; a record
//! that came later counts for no moment before, whenever it was observed. The criteria are those of the
//! running version. Nothing is written. Boards are computed one at a time, a few askers wait, and the
//! last few boards are kept for an hour, since what is shredded must leave them too.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use model::{RoomSpec, Text, Timestamp, t};
use store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::{Board, board};

/// Boards kept.
const KEPT_MAX: usize = 8;
/// How long one is kept.
const KEPT_HOURS: i64 = 1;
/// Most who wait for a board, or have it computed.
const ASKERS_MAX: usize = 16;

/// Why there is no board of that moment.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error("{} is still ahead: give today or a past day", .0.rfc3339())]
    Ahead(Timestamp),
    #[error("{} is before the first entry, of {}: give that day or a later one", .asked.rfc3339(), .first.rfc3339())]
    Before { asked: Timestamp, first: Timestamp },
    #[error("nothing has been entered yet, so there is no past to look at")]
    Empty,
    #[error("other past days are being computed: try again in a moment")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PastError {
    /// The same for people who read Japanese; times as the caller writes them.
    pub fn text(&self, time: impl Fn(&Timestamp) -> String, lang: model::Lang) -> String {
        let pair = |text: Text| text.get(lang).to_owned();
        match self {
            PastError::Ahead(at) => pair(t(
                "{at}はまだ来ていません。今日か過去の日を指定してください。",
                "{at} is still ahead. Give today or a past day.",
            ))
            .replace("{at}", &time(at)),
            PastError::Before { asked, first } => pair(t(
                "{at}には、まだ何も記録されていませんでした。最初の記録は{first}です。その日以降を指定してください。",
                "Nothing was recorded by {at}. The first entry is of {first}: give that day or a later one.",
            ))
            .replace("{at}", &time(asked))
            .replace("{first}", &time(first)),
            PastError::Empty => pair(t(
                "まだ何も記録されていないため、過去の時点は表示できません。",
                "Nothing has been recorded yet, so there is no past to look at.",
            )),
            PastError::Busy => pair(t(
                "ほかの過去の時点を計算しています。少し待ってからやり直してください。",
                "Other past days are being computed. Try again in a moment.",
            )),
            PastError::Store(error) => error.to_string(),
        }
    }
}

/// Computes the board of a past moment.
pub async fn compute_as_of(
    store: &Store,
    rooms: &[&'static RoomSpec],
    at: Timestamp,
) -> Result<Board, PastError> {
    if at > store.now() {
        return Err(PastError::Ahead(at));
    }
    let first = store.first_entry().await?.ok_or(PastError::Empty)?;
    if at < first {
        return Err(PastError::Before { asked: at, first });
    }
    Ok(board::compute_in(store.as_of(at), rooms, at).await?)
}

struct Kept {
    at: Timestamp,
    until: Timestamp,
    board: Arc<Board>,
}

/// The past boards that a server computed last.
pub(crate) struct PastBoards {
    kept: Mutex<VecDeque<Kept>>,
    askers: Semaphore,
    turn: Semaphore,
}

impl Default for PastBoards {
    fn default() -> PastBoards {
        PastBoards {
            kept: Mutex::default(),
            askers: Semaphore::new(ASKERS_MAX),
            turn: Semaphore::new(1),
        }
    }
}

impl PastBoards {
    /// The board of a past moment, kept or computed.
    pub(crate) async fn get(
        &self,
        store: &Store,
        rooms: &[&'static RoomSpec],
        at: Timestamp,
    ) -> Result<Arc<Board>, PastError> {
        if let Some(board) = self.known(at, store.now()) {
            return Ok(board);
        }
        let _asking = self.askers.try_acquire().map_err(|_| PastError::Busy)?;
        let _turn = self.turn.acquire().await.map_err(|_| PastError::Busy)?;
        // Who had the turn before may have asked for the same.
        if let Some(board) = self.known(at, store.now()) {
            return Ok(board);
        }
        let board = Arc::new(compute_as_of(store, rooms, at).await?);
        let until = store.now().plus_hours(KEPT_HOURS);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Kept { at, until, board: board.clone() });
        while kept.len() > KEPT_MAX {
            kept.pop_front();
        }
        Ok(board)
    }

    fn known(&self, at: Timestamp, now: Timestamp) -> Option<Arc<Board>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|k| k.until > now);
        kept.iter().find(|k| k.at == at).map(|k| k.board.clone())
    }
}
