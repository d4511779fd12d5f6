//! Watches the host: who changes the files that the collector reads, as the kernel reports it.
//!
//! One thread waits for the kernel, names the process while it is there, and hands on what counts; what does not
//! count is dropped there and then. It never holds anybody up: the kernel's queue is bounded, and what did not fit
//! is a gap that asks for a new look at the host.
//!
//! Limits: a file that is written and never closed, or written through a mapping, is not reported; neither are the
//! kernel's own trees (`/proc/sys`) nor file systems of other machines.

mod kernel;
mod mounts;
mod observer;
mod proc;
mod sources;
#[cfg(test)]
mod tests;
mod thread;

pub use kernel::Grade;
pub use observer::{Canary, Observer, Taken};
pub use thread::{Places, Seen, Status, Watch};
