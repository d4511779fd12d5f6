//! News and vulnerability services: their entries in the inbox, and what is known of vulnerabilities.
//!
//! [`bring`] reads a document by its content; [`arrive`] makes items of entries; [`shelf`] keeps whole lists (KEV, EPSS, JVN) in files of the room; [`exposure`]
//! says which assets are exposed or important and what 8.9 found affected; [`look`] goes over the items again when
//! something they touch has changed; [`mailbox`] watches a folder of mails; [`vulnerabilities`] keeps the register's rows of those that somebody needs.

pub mod arrive;
pub mod brands;
pub mod bring;
pub mod exposure;
pub mod group;
pub mod look;
pub mod mailbox;
pub mod shelf;
pub mod vulnerabilities;
