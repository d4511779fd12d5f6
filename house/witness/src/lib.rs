//! Takes our checkpoints out of the house: to witnesses (c2sp.org/tlog-witness) and to time-stamping
//! authorities (RFC 3161). What they answer is verified, kept beside the ledger, and written down as a
//! record, from which the criterion about outside proof is judged.
//!
//! Invariants: nothing is kept that does not verify; a silent peer delays nobody else, and its waiting is
//! shown with its beginning; a record bears the time that the outside stated, never a later one. Asking is
//! idempotent, so a kill at any point costs one more request.
//!
//! Limits: an answer is read up to a bound and within [`TIMEOUT_S`] seconds; a failed peer is asked again
//! after a growing pause; records come at most hourly, or two Umes that witness each other would grow each
//! other's ledger for ever.

mod http;
mod pace;
mod run;
mod stamps;
mod witnesses;

pub use http::TIMEOUT_S;
pub use run::{RECORD, Rounds, round, service};
