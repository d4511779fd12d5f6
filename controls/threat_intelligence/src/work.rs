//! What the room does with intelligence that arrives: receive, confirm, judge, hand out, close.

pub mod actions;
pub mod inbox;
pub mod relevance;
pub mod triage;
