//! The three reviews: why it happened, what went unnoticed, what is coming; and the look at the steady state.
//!
//! Invariants: what falls due is recorded by Ume, and a review is about that record; a panel that nothing feeds says
//! so and is counted.

pub mod due;
