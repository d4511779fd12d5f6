//! The hall where the rooms meet: verdicts and levels, computed from records, never ticked.
//!
//! Invariants: `evaluate` and `level` are pure functions of evidence and time; a level rests on
//! nothing a person can type in above 梅; what is unknown never counts.

pub mod ages;
pub mod audit;
pub mod board;
pub mod bundle;
pub mod changes;
pub mod context;
mod days;
pub mod drops;
pub mod evaluate;
pub mod evidence;
pub mod executive;
pub mod hall;
mod hall_pages;
pub mod hand_in;
pub mod keeper;
mod mine;
mod news;
pub mod norms;
pub mod oscal;
pub mod pages;
pub mod past;
pub mod policy;
mod relations;
pub mod review;
pub mod scope;
mod shared;
mod shipped;
mod signed;
mod spec;
pub mod status;
pub mod templates;
pub mod trend;
pub mod welcome;
pub mod work;

pub use board::{Board, Control, compute, fill, set_targets};
pub use evaluate::{Miss, Reason, Verdict, evaluate, level, level_by_slides};
pub use evidence::Evidence;
pub use keeper::Keeper;
pub use past::{PastError, compute_as_of};
pub use spec::SPEC;
