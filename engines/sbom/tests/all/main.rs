//! The tests of the engine from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod advisory;
mod common;
mod cpe;
mod cyclonedx;
mod judge;
mod order;
mod purl;
mod vers;
mod vex;
