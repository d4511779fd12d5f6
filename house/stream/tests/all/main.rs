//! The tests of the stream from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod common;
mod detections;
mod disk;
mod intakes;
mod public_rules;
