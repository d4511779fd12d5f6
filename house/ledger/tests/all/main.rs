//! The tests of the ledger from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod crash;
mod disk;
mod outside;
mod shred;
mod tamper;
