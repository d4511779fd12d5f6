//! Whole numbers of any length, since versions hold dates, hashes and jokes.

/// A number without sign. Small ones cost no memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Number {
    Small(u64),
    /// Length first, so that the derived order is that of the numbers.
    Big(usize, Box<str>),
}

impl Number {
    pub(super) const ZERO: Number = Number::Small(0);

    /// The number of a run of digits; of none, zero.
    pub(super) fn of(digits: &str) -> Number {
        let digits = digits.trim_start_matches('0');
        match digits.parse() {
            Ok(small) => Number::Small(small),
            Err(_) if digits.is_empty() => Number::ZERO,
            Err(_) => Number::Big(digits.len(), digits.into()),
        }
    }

    /// The number of a text that is digits and nothing else.
    pub(super) fn whole(text: &str) -> Option<Number> {
        is_digits(text).then(|| Number::of(text))
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Number::ZERO
    }
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The run of bytes at the front that are so, and what follows.
pub(super) fn run(text: &str, so: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !so(b)).unwrap_or(text.len());
    // Predicates name ASCII or "not ASCII digit": a cut inside a character moves to its end.
    let end = (end..=text.len()).find(|&e| text.is_char_boundary(e)).unwrap_or(text.len());
    text.split_at(end)
}

/// Digits as words that compare like the number: how many there are, then each.
pub(super) fn push_digits(digits: &str, out: &mut Vec<u16>) {
    let digits = digits.trim_start_matches('0');
    out.push(digits.len() as u16);
    out.extend(digits.bytes().map(u16::from));
}
