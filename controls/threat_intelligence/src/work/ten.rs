//! The ten threats: editions in the register, decisions on measures, and whether these hold.

pub mod ask;
pub mod content;
pub mod editions;
pub mod load;
pub mod standing;
pub mod state;
