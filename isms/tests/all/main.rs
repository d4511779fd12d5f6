//! The tests of the hall from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod bundle;
mod hall;
mod interchange;
mod keeper;
mod past;
mod place;
mod process;
