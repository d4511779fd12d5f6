//! CRAN and Hackage: lists of numbers; of two that begin alike the longer is above.

use super::number::Number;

/// The biggest number of R.
const CRAN_MAX: Number = Number::Small(i32::MAX as u64);

pub(super) fn cran(text: &str) -> Result<Vec<Number>, &'static str> {
    let key = numbers(text, &['.', '-'])?;
    if key.iter().any(|n| *n > CRAN_MAX) {
        return Err("a number is bigger than R can hold");
    }
    Ok(key)
}

pub(super) fn hackage(text: &str) -> Result<Vec<Number>, &'static str> {
    numbers(text, &['.'])
}

fn numbers(text: &str, separators: &[char]) -> Result<Vec<Number>, &'static str> {
    text.trim()
        .split(separators)
        .map(|part| Number::whole(part).ok_or("a part of it is no number"))
        .collect()
}
