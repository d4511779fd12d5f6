//! The tests of the engine from outside, in one program: a program each is minutes of linking and gigabytes of disk.

// Tests read files; the engine does not.
#![allow(clippy::disallowed_methods)]

mod advisory;
mod catalogue;
mod common;
mod cpe;
mod csaf;
mod cyclonedx;
mod judge;
mod order;
mod purl;
mod spdx;
mod vers;
mod vex;
