//! What this room does by itself: it looks at hosts.

mod accounts;
mod apt;
pub mod collect;
mod cron;
mod gather;
mod parse;
mod root;
mod sshd;
mod sysctl;
mod units;
