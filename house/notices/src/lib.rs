//! Notices: on the pages, by mail and by signed webhook.
//!
//! Invariants: a notice stands in the database before anything is sent, so nothing is lost while a
//! mail server is away; one event reaches one channel of one reader once; a mail holds names, dates
//! and links only, never a secret, never the error text of a job; secrets of this crate leave it
//! only towards the server they belong to.

pub mod alarm;
pub mod deliver;
pub mod event;
pub mod mail;
pub mod pages;
pub mod quiet;
pub mod run;
pub mod settings;
pub mod text;
pub mod triggers;
pub mod webhook;

pub use pages::routes;
pub use run::{ledger_fault, services};
