//! The tests of the engine from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod catalogue;
mod common;
mod cyclonedx;
mod order;
mod purl;
mod spdx;
mod vers;
