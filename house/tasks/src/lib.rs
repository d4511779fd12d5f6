//! Tasks: who does what by when.
//!
//! Invariants: a task is closed only by a record of the type it asks for; closing and the next
//! occurrence are one transaction; the next occurrence's id follows from its predecessor, so that a
//! task never has two.

pub mod close;
pub mod pages;
pub mod recur;
pub mod whose;

pub use close::{Closed, NotClosed, close, closing_type};
pub use pages::routes;
pub use recur::materialise;
