//! Hosts, domains, URLs and addresses as a pure engine: parse, canonicalise, public suffix,
//! confusables.
//!
//! Absent here: files, sockets, clocks, random numbers, threads. Texts in, names out.
