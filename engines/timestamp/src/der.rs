//! The few rules of DER (X.690) that requests and tokens need: one element after another, definite
//! lengths in their shortest form, one-byte tags.

use crate::error::StampError;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `[n]`, constructed.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub tag: u8,
    /// Between the length and the end.
    pub value: &'a [u8],
    /// With tag and length.
    pub whole: &'a [u8],
}

/// Reads elements from left to right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    fn bad(&self) -> StampError {
        StampError::Malformed { what: self.what, at: self.at }
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next element, of whatever tag.
    pub fn any(&mut self) -> Result<Element<'a>, StampError> {
        let rest = &self.bytes[self.at..];
        let (tag, first) = match rest {
            [tag, first, ..] if tag & 0x1f != 0x1f => (*tag, *first),
            _ => return Err(self.bad()),
        };
        let (head, length) = match first {
            short @ 0..=0x7f => (2, usize::from(short)),
            // Two bytes more than what a whole answer may hold need not be read.
            long @ 0x81..=0x83 => {
                let count = usize::from(long & 0x7f);
                let digits = rest.get(2..2 + count).ok_or_else(|| self.bad())?;
                let length = digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                if digits[0] == 0 || length < 0x80 {
                    return Err(self.bad());
                }
                (2 + count, length)
            }
            _ => return Err(self.bad()),
        };
        let whole = rest.get(..head + length).ok_or_else(|| self.bad())?;
        self.at += whole.len();
        Ok(Element { tag, value: &whole[head..], whole })
    }

    /// The next element, which must have this tag.
    pub fn take(&mut self, tag: u8) -> Result<Element<'a>, StampError> {
        if self.peek() != Some(tag) {
            return Err(self.bad());
        }
        self.any()
    }

    /// The next element if it has this tag.
    pub fn maybe(&mut self, tag: u8) -> Result<Option<Element<'a>>, StampError> {
        if self.peek() == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// A reader of what is inside the next element, which must have this tag.
    pub fn inside(&mut self, tag: u8) -> Result<Reader<'a>, StampError> {
        Ok(Reader::new(self.what, self.take(tag)?.value))
    }

    /// An unsigned number of at most 8 bits.
    pub fn small(&mut self) -> Result<u8, StampError> {
        match self.take(INTEGER)?.value {
            [byte @ 0..=0x7f] => Ok(*byte),
            [0, byte] if *byte >= 0x80 => Ok(*byte),
            _ => Err(self.bad()),
        }
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), StampError> {
        if self.is_empty() { Ok(()) } else { Err(self.bad()) }
    }
}

/// An element around its parts.
pub(crate) fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let digits = length.to_be_bytes();
        let zeros = digits.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (digits.len() - zeros) as u8);
        out.extend(&digits[zeros..]);
    }
    parts.iter().for_each(|part| out.extend(*part));
    out
}

/// A non-negative INTEGER in its shortest form.
pub(crate) fn integer(number: u64) -> Vec<u8> {
    let digits = number.to_be_bytes();
    let zeros = digits.iter().take_while(|byte| **byte == 0).count().min(7);
    let digits = &digits[zeros..];
    let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
    wrap(INTEGER, &[sign, digits])
}

/// An object identifier in dotted form, for messages.
pub(crate) fn dotted(oid: &[u8]) -> String {
    let mut out = String::new();
    let mut number: u64 = 0;
    for byte in oid {
        number = number.saturating_mul(128).saturating_add(u64::from(byte & 0x7f));
        if byte & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            let first = (number / 40).min(2);
            out = format!("{first}.{}", number - 40 * first);
        } else {
            out.push_str(&format!(".{number}"));
        }
        number = 0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_have_one_spelling() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x81, 0x01, 0],
            &[0x30, 0x82, 0x00, 0x80],
            &[0x30, 0x02, 0],
            &[0x1f, 0x01, 0],
            &[0x30, 0x84, 0, 0, 0, 0],
        ] {
            assert!(Reader::new("x", bad).any().is_err(), "{bad:x?}");
        }
        let long = wrap(OCTETS, &[&[7; 300]]);
        assert_eq!(long[..4], [OCTETS, 0x82, 1, 44]);
        assert_eq!(Reader::new("x", &long).any().unwrap().value, [7; 300]);
    }

    #[test]
    fn numbers_are_positive_and_short() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(0x7f), [2, 1, 0x7f]);
        assert_eq!(integer(0x80), [2, 2, 0, 0x80]);
        assert_eq!(integer(u64::MAX).len(), 11);
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]), "1.2.840.113549");
        assert_eq!(dotted(&[0x55, 0x1d, 0x25]), "2.5.29.37");
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new("x", &bytes);
            while reader.any().is_ok() {}
            let _ = dotted(&bytes);
        }

        #[test]
        fn what_is_wrapped_is_read(tag in 0u8..0x1f, bytes in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let whole = wrap(tag, &[&bytes]);
            let mut reader = Reader::new("x", &whole);
            prop_assert_eq!(reader.take(tag).unwrap().value, &bytes[..]);
            prop_assert!(reader.end().is_ok());
        }
    }
}
