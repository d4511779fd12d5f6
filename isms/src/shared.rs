//! The board as the pages of a running server share it.

use std::sync::Arc;

use model::{RoomSpec, Timestamp};
use store::Store;
use tokio::sync::watch;

use crate::{
    Board,
    past::{PastBoards, PastError},
};

/// The board that one service keeps current and all pages read. There is none until the first one has
/// been computed: a server answers before that, and says so instead of showing a level.
#[derive(Clone)]
pub struct SharedBoard {
    newest: Arc<watch::Sender<Option<Arc<Board>>>>,
    past: Arc<PastBoards>,
}

impl Default for SharedBoard {
    fn default() -> SharedBoard {
        SharedBoard { newest: Arc::new(watch::Sender::new(None)), past: Arc::default() }
    }
}

impl SharedBoard {
    /// The newest board, or `None` while the first one is being computed.
    pub fn get(&self) -> Option<Arc<Board>> {
        self.newest.borrow().clone()
    }

    /// Puts a newer board in its place.
    pub fn put(&self, board: Board) {
        self.newest.send_replace(Some(Arc::new(board)));
    }

    /// The board of a past moment.
    pub async fn as_of(
        &self,
        store: &Store,
        rooms: &[&'static RoomSpec],
        at: Timestamp,
    ) -> Result<Arc<Board>, PastError> {
        self.past.get(store, rooms, at).await
    }

    /// The newest board, after waiting for the first one if need be.
    pub async fn wait(&self) -> Arc<Board> {
        let mut seen = self.newest.subscribe();
        loop {
            if let Some(board) = seen.borrow_and_update().clone() {
                return board;
            }
            // The sender lives in `self`, so this cannot end before a board came.
            let _ = seen.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(at: i64) -> Board {
        let hall = crate::Control {
            spec: &crate::SPEC,
            level: model::Level::None,
            level_by_slides: model::Level::None,
            target: model::Level::None,
            valid_until: None,
            verdicts: Vec::new(),
        };
        let nothing = crate::hall::Register::default();
        let view = crate::hall::draw(&nothing, &[], Timestamp(at)).expect("nothing to hash");
        Board { at: Timestamp(at), controls: Vec::new(), hall, scope: None, view: Arc::new(view) }
    }

    #[tokio::test]
    async fn who_waits_for_the_first_board_gets_it_and_later_the_newest() {
        let shared = SharedBoard::default();
        assert!(shared.get().is_none());
        let waiting = shared.clone();
        let waiting = tokio::spawn(async move { waiting.wait().await.at });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        shared.put(board(1));
        assert_eq!(waiting.await.unwrap(), Timestamp(1));
        shared.put(board(2));
        assert_eq!(shared.wait().await.at, Timestamp(2));
        assert_eq!(shared.get().unwrap().at, Timestamp(2));
    }
}
