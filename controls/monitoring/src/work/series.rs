//! Measurements over time: what comes in is kept in files and held against what is normal for it.

mod block;
mod files;
mod frames;

pub use files::{About, Folder, Point, RAW_DAYS, Row, Shape, TEN, TEN_DAYS, list, read};
