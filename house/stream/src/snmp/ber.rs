//! Of BER only what SNMP holds: definite lengths, at most four bytes of them. Pure.

/// Most numbers of an object identifier (RFC 3416).
pub const ARCS_MAX: usize = 128;
/// An object identifier.
pub type Oid = Vec<u32>;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

pub(crate) const CUT: &str = "the message is cut off";

/// The content of an element with this tag, and what follows it.
pub(crate) fn element(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), &'static str> {
    let (found, content, rest) = any_element(bytes)?;
    if found == tag { Ok((content, rest)) } else { Err("an element of another kind") }
}

pub(crate) fn any_element(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), &'static str> {
    let (tag, rest) = bytes.split_first().ok_or(CUT)?;
    let (first, rest) = rest.split_first().ok_or(CUT)?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(CUT)?;
            (digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return Err("a length that is not definite"),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(CUT)?;
    Ok((*tag, content, rest))
}

/// An integer element, and what follows it.
pub(crate) fn whole(bytes: &[u8]) -> Result<(i64, &[u8]), &'static str> {
    let (content, rest) = element(bytes, INTEGER)?;
    Ok((integer(content).ok_or("a number is too long")?, rest))
}

pub(crate) fn integer(content: &[u8]) -> Option<i64> {
    let negative = content.first()? & 0x80 != 0;
    let fits = content.len() <= 8;
    let start = if negative { -1 } else { 0 };
    fits.then(|| content.iter().fold(start, |sum: i64, byte| sum << 8 | i64::from(*byte)))
}

pub(crate) fn unsigned(content: &[u8]) -> Option<u64> {
    // A leading zero keeps a large number positive.
    let digits = content.strip_prefix(&[0]).unwrap_or(content);
    let fits = !content.is_empty() && digits.len() <= 8;
    fits.then(|| digits.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

pub(crate) fn identifier(content: &[u8]) -> Result<Oid, &'static str> {
    let (mut arcs, mut arc, mut within) = (Oid::new(), 0u64, false);
    for byte in content {
        arc = arc << 7 | u64::from(byte & 0x7f);
        let number =
            u32::try_from(arc).map_err(|_| "a number of an object identifier is too large")?;
        within = byte & 0x80 != 0;
        if within {
            continue;
        }
        if arcs.is_empty() {
            let first = (number / 40).min(2);
            arcs.extend([first, number - first * 40]);
        } else {
            arcs.push(number);
        }
        arc = 0;
        if arcs.len() > ARCS_MAX {
            return Err("an object identifier is too long");
        }
    }
    if within || arcs.is_empty() {
        return Err("an object identifier is cut off");
    }
    Ok(arcs)
}

/// As people write it.
pub fn dotted(oid: &[u32]) -> String {
    oid.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// Reads what people write; a leading dot is theirs.
pub fn parse_oid(text: &str) -> Result<Oid, &'static str> {
    let text = text.trim();
    let arcs = text.strip_prefix('.').unwrap_or(text).split('.').map(str::parse);
    let arcs: Oid = arcs.collect::<Result<_, _>>().map_err(|_| "numbers with dots between them")?;
    let starts = matches!(arcs[..], [0 | 1, 0..=39, ..] | [2, 0..=1_000_000, ..]);
    if !starts || arcs.len() > ARCS_MAX {
        return Err("an object identifier begins with 0, 1 or 2 and has 2 to 128 numbers");
    }
    Ok(arcs)
}

pub(crate) fn put(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u32::try_from(content.len()).unwrap_or(u32::MAX) {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let digits = long.to_be_bytes();
            let digits = &digits[(long.leading_zeros() / 8) as usize..];
            out.push(0x80 | digits.len() as u8);
            out.extend(digits);
        }
    }
    out.extend(content);
    out
}

pub(crate) fn put_integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // A leading byte that only repeats the sign is left out.
    let spare =
        |pair: &[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80);
    let start = bytes.windows(2).take_while(|pair| spare(pair)).count();
    put(INTEGER, &bytes[start..])
}

pub(crate) fn put_identifier(oid: &[u32]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut arc = |number: u64| {
        let groups = (64 - number.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group > 0 { 0x80 } else { 0 };
            content.push(more | (number >> (7 * group)) as u8 & 0x7f);
        }
    };
    if let [first, second, rest @ ..] = oid {
        arc(u64::from(*first) * 40 + u64::from(*second));
        rest.iter().for_each(|number| arc((*number).into()));
    }
    put(IDENTIFIER, &content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(number: i64, rest: Vec<u32>, size in 0usize..70_000) {
            let wire = put_integer(number);
            prop_assert_eq!(whole(&wire).unwrap(), (number, &[][..]));
            let oid: Oid = [1, 3].into_iter().chain(rest.into_iter().take(120)).collect();
            let wire = put_identifier(&oid);
            prop_assert_eq!(identifier(element(&wire, IDENTIFIER).unwrap().0).unwrap(), oid.clone());
            prop_assert_eq!(parse_oid(&dotted(&oid)).unwrap(), oid);
            let content = vec![7; size];
            let wire = put(OCTETS, &content);
            prop_assert_eq!(element(&wire, OCTETS).unwrap(), (&content[..], &[][..]));
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for bad in ["", "1", "x", "3.1", "1.40", "1..3", "1.3.4294967296", "1.-3"] {
            assert!(parse_oid(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_oid(" .1.3.6 ").unwrap(), [1, 3, 6]);
        assert_eq!(put_integer(128), [2, 2, 0, 128]);
    }
}
