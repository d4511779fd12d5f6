//! Mandatory tests.
