//! The tests of the store from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod api;
mod blobs;
mod contract;
mod notices;
mod transfer;
mod upcasts;
