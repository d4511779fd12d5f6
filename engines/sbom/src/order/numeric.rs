//! CRAN and Hackage: lists of numbers; of two that begin alike the longer is above.

use super::number::Number;

pub(super) fn key(text: &str, separators: &[char]) -> Result<Vec<Number>, &'static str> {
    text.trim()
        .split(separators)
        .map(|part| Number::whole(part).ok_or("a part of it is no number"))
        .collect()
}
