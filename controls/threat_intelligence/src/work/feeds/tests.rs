//! Feeds against servers that misbehave.

use std::cell::Cell;

thread_local! {
    static CUT: Cell<bool> = const { Cell::new(false) };
}

/// Whether the process ends between rows and cursor.
pub(super) fn is_cut() -> bool {
    CUT.with(Cell::get)
}
