//! TAXII 2.1 as pure functions: what a server answers, what a client does next.
//!
//! - `date_added` rises strictly within a collection, by microseconds and also when the clock steps back, so it is
//!   both a time and a place in the order: whoever pages by it, or by `next`, loses and doubles nothing.
//! - `next` is signed and holds all there is to know: a server keeps no state for it, and restarts do not matter.
//! - A client saves its cursor only with what it has stored, and leaves a server that leads it in circles.
//!
//! Absent here: sockets and the clock; requests, answers and the time are arguments. Not advertised: the optional
//! filter tiers, TAXII 1.x.

mod client;
mod filter;
mod handle;
mod media;
mod memory;
mod next;
mod objects;
mod status;

pub use client::{Answer, Ask, Failure, Poll, PollLimits, Push, Step};
pub use filter::{Filter, Versions};
pub use handle::{
    Collection, Context, Discovery, Entry, Method, Page, Reply, Request, Root, Storage, Window,
    handle,
};
pub use media::MEDIA_TYPE;
pub use memory::Memory;
pub use status::{Outcome, Status};
