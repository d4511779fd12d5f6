//! STIX, patterns, TLP, TAXII and MISP from outside, in one program.

// Tests read files; the engine does not.
#![allow(clippy::disallowed_methods)]

mod common;
mod document;
mod document_corpus;
mod pattern;
mod pattern_corpus;
mod pattern_oracle;
mod tlp;
