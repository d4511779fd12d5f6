//! The wire format of protobuf: numbered fields out of bytes, nothing copied. Pure.
//!
//! Groups, which proto3 does not have, are no message of OTLP.

use super::Fault;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// The bytes of a text, a message or a packed list.
    pub fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Piece::Bytes(bytes) => Ok(bytes),
            _ => Err(Fault::Broken("a field has another type than OTLP gives it")),
        }
    }
}

/// The fields of a message in the order they came; after an error there are no more.
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields(message)
}

#[derive(Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Piece<'a>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Fault::Broken("the protobuf message is cut off or none")))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u32, Piece<'a>)> {
        let key = u32::try_from(varint(&mut self.0)?).ok()?;
        let number = key >> 3;
        let piece = match key & 7 {
            0 => Piece::Varint(varint(&mut self.0)?),
            1 => Piece::Fixed64(u64::from_le_bytes(*self.take::<8>()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Piece::Bytes(bytes)
            }
            5 => Piece::Fixed32(u32::from_le_bytes(*self.take::<4>()?)),
            _ => return None,
        };
        (number > 0).then_some((number, piece))
    }

    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(bytes)
    }
}

/// A number of 7 bits a byte, at most 64 bits of them.
pub fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for at in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if at == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The last message of this number; messages that stand twice are not merged.
pub fn last(message: &[u8], number: u32) -> Result<Option<&[u8]>, Fault> {
    let mut found = None;
    for field in fields(message) {
        match field? {
            (n, piece) if n == number => found = Some(piece.bytes()?),
            _ => {}
        }
    }
    Ok(found)
}

/// Calls with every message of this number, in order.
pub fn each<'a>(
    message: &'a [u8],
    number: u32,
    mut call: impl FnMut(&'a [u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for field in fields(message) {
        match field? {
            (n, piece) if n == number => call(piece.bytes()?)?,
            _ => {}
        }
    }
    Ok(())
}

/// Adds a field of bytes.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number << 3 | 2));
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// Adds a field with a number, unless it is 0 as proto3 leaves that out.
pub fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number << 3));
        put_varint(out, value);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_come_in_order_and_what_is_cut_off_is_said_once() {
        let mut bytes = Vec::new();
        put_number(&mut bytes, 1, 300);
        put_bytes(&mut bytes, 2, b"ab");
        bytes.extend([0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x25, 2, 0, 0, 0]);
        let read: Vec<_> = fields(&bytes).map(Result::unwrap).collect();
        let (one, two) = ((1, Piece::Varint(300)), (2, Piece::Bytes(b"ab")));
        assert_eq!(read, [one, two, (3, Piece::Fixed64(1)), (4, Piece::Fixed32(2))]);
        for cut in 1..bytes.len() {
            let count = fields(&bytes[..cut]).filter(Result::is_err).count();
            assert!(count <= 1, "{cut}");
        }
        for wrong in [&[0x0b][..], &[0x00, 1], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x80; 11]] {
            assert!(fields(wrong).last().unwrap().is_err(), "{wrong:?}");
        }
        assert!(last(&bytes, 1).is_err() && last(&bytes, 2).unwrap() == Some(b"ab"));
    }

    proptest! {
        #[test]
        fn a_number_comes_back(value: u64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(varint(&mut bytes.as_slice()), Some(value));
        }

        #[test]
        fn no_bytes_make_it_panic_or_run_on(bytes: Vec<u8>) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
