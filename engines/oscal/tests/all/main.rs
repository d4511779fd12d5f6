//! The tests of the engine from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod company;
mod corpus;
mod exports;
mod laws;
mod rules;
