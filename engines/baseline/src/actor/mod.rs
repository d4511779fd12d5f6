//! Who changed what on a host: what its kernel, its audit system and its package manager say, and which difference
//! follows from it.
//!
//! Three sources in this order: the kernel's reports of files as they are changed ([`fanotify`], with [`connector`]
//! and [`processes`]), records of the audit system, the history of apt. What none of them says is unknown.
//!
//! Invariants: an actor is never guessed: two parties who may both have been it are nobody; secrets in command lines
//! are cut where they are read; pure like the rest of the crate.

mod apt;
mod assign;
pub mod connector;
pub mod fanotify;
mod processes;
mod scope;
mod touch;

pub use apt::{Run, history};
pub use assign::{Asked, assign};
pub use processes::{PROCESSES_MAX, Processes};
pub use scope::counts;
pub use touch::{
    Doer, Gap, How, JOURNAL_TOUCHES_MAX, Journal, JournalError, Source, Touch, Who, command_line,
};
