//! Numbers of rules and events: whole ones exact, others as floats.

use std::cmp::Ordering;

use crate::yaml::Number;

/// A number; a float that is whole is held as whole, so that `1` and `1.0` are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Num {
    Int(i128),
    /// Bits of a float that is neither whole nor NaN
    Float(u64),
}

impl Num {
    pub fn float(f: f64) -> Option<Num> {
        if f.is_nan() {
            return None;
        }
        // Beyond 2^100 nobody counts units; and the cast stays exact.
        let whole = f.fract() == 0.0 && f.abs() < 1e30;
        Some(if whole { Num::Int(f as i128) } else { Num::Float(f.to_bits()) })
    }

    pub fn of(number: Number) -> Option<Num> {
        match number {
            Number::Int(i) => Some(Num::Int(i)),
            Number::Float(f) => Num::float(f),
        }
    }

    /// A number in an event: digits, sign, decimal point, exponent; nothing else.
    pub fn parse(text: &str) -> Option<Num> {
        let bytes = text.as_bytes();
        let first = *bytes.first()?;
        if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) || bytes.len() > 64 {
            return None;
        }
        let digits = if first == b'-' || first == b'+' { &bytes[1..] } else { bytes };
        if digits.is_empty() {
            return None;
        }
        if digits.iter().all(u8::is_ascii_digit) {
            return text.parse().ok().map(Num::Int);
        }
        let numeric =
            digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'));
        if !numeric {
            return None;
        }
        text.parse().ok().and_then(Num::float)
    }

    pub fn as_f64(self) -> f64 {
        match self {
            Num::Int(i) => i as f64,
            Num::Float(bits) => f64::from_bits(bits),
        }
    }

    pub fn compare(self, other: Num) -> Ordering {
        match (self, other) {
            (Num::Int(a), Num::Int(b)) => a.cmp(&b),
            (a, b) => a.as_f64().total_cmp(&b.as_f64()),
        }
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Lt,
    Lte,
    Gt,
    Gte,
    Eq,
    Neq,
}

impl Op {
    pub fn read(word: &str) -> Option<Op> {
        Some(match word {
            "lt" => Op::Lt,
            "lte" => Op::Lte,
            "gt" => Op::Gt,
            "gte" => Op::Gte,
            "eq" => Op::Eq,
            "neq" => Op::Neq,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Op::Lt => "lt",
            Op::Lte => "lte",
            Op::Gt => "gt",
            Op::Gte => "gte",
            Op::Eq => "eq",
            Op::Neq => "neq",
        }
    }

    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Op::Lt => order.is_lt(),
            Op::Lte => order.is_le(),
            Op::Gt => order.is_gt(),
            Op::Gte => order.is_ge(),
            Op::Eq => order.is_eq(),
            Op::Neq => order.is_ne(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_floats_are_whole_and_large_numbers_exact() {
        assert_eq!(Num::parse("1.0"), Some(Num::Int(1)));
        assert_eq!(Num::parse("1e3"), Some(Num::Int(1000)));
        let (a, b) =
            (Num::parse("9007199254740993").unwrap(), Num::parse("9007199254740992").unwrap());
        assert!(a.compare(b).is_gt());
        for not in ["", "-", "0x17", "1 2", "nan", "inf", "1_000", "１", "4624 "] {
            assert_eq!(Num::parse(not), None, "{not}");
        }
    }
}
