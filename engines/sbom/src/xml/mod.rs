//! XML: a tree with namespaces, and XML Schema as far as the schemas of CycloneDX use it.
//!
//! Document types are refused, so there are no entities but the five of XML and no file is ever
//! named by a document.

pub(crate) mod schema;
pub(crate) mod tree;
pub(crate) mod valid;
