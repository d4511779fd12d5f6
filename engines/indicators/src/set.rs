//! Sets of indicators in one file: found without reading it, trusted only where bytes agree.
//!
//! A file (`.uix`) holds records; per kind a table of buckets, ordered by seeded hashes, and a filter
//! over the same hashes, each bucket and block within one line of a processor's cache; networks by their
//! beginnings; the few values that need automata; and at its end what all of it is. A filter says "surely
//! not" for nearly every value of a log. What it lets through is looked up in its bucket, and is a hit only if the record holds the same bytes, in
//! its direction, in its period.
//!
//! A [`Set`] is a base and what was added and taken away since: a later file has the last word on
//! each row it names.
//!
//! Invariants: nothing is lost and nothing false is told, whatever hashes collide; a torn or hostile
//! file is an error, never a panic and never an endless search; files are read where they lie, and
//! only the footer, automata and a few words per million rows are in private memory.

mod build;
mod format;
mod keys;
mod lookup;
mod nets;
mod observable;
mod open;
mod pack;
mod places;
mod residue;
mod scan;
mod slots;
mod table;
mod together;

pub use build::{BuildError, Change, Limits, Summary, build, build_delta};
pub use format::{Damage, VERSION};
pub use lookup::Hit;
pub use observable::Observable;
pub use open::{LAYERS_MAX, Set, verify};

#[cfg(test)]
mod tests;
