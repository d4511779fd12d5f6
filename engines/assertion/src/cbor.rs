//! As much of CBOR (RFC 8949) as it takes to see where extensions end. CTAP2 writes no indefinite
//! lengths and nests at most four deep.

const DEPTH_MAX: usize = 4;

const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// What stands behind one well-formed map; `None` if no such map stands there.
pub(crate) fn map(bytes: &[u8]) -> Option<&[u8]> {
    (bytes.first()? >> 5 == MAP).then(|| item(bytes, 0))?
}

/// What stands behind one item.
fn item(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    if depth > DEPTH_MAX {
        return None;
    }
    let (major, value, rest) = head(bytes)?;
    match major {
        BYTES | TEXT => {
            let (content, rest) = rest.split_at_checked(usize::try_from(value).ok()?)?;
            (major == BYTES || std::str::from_utf8(content).is_ok()).then_some(rest)
        }
        ARRAY => items(rest, value, depth),
        MAP => items(rest, value.checked_mul(2)?, depth),
        TAG => None,
        _ => Some(rest),
    }
}

/// Each item takes a byte at least, so a length that lies ends with the bytes.
fn items(mut rest: &[u8], count: u64, depth: usize) -> Option<&[u8]> {
    if count > rest.len() as u64 {
        return None;
    }
    for _ in 0..count {
        rest = item(rest, depth + 1)?;
    }
    Some(rest)
}

/// Major type and value, which stands in the shortest form.
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, info) = (first >> 5, first & 0x1f);
    let size = match info {
        0..24 => return Some((major, u64::from(info), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        // Reserved, and indefinite lengths.
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(size)?;
    let value = value.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    Some((major, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_ends_where_it_ends() {
        // {"a": [1, h'00'], 2: true}
        let whole = [0xa2, 0x61, b'a', 0x82, 0x01, 0x41, 0x00, 0x02, 0xf5];
        assert_eq!(map(&whole), Some(&[][..]));
        let more = [&whole[..], &[7]].concat();
        assert_eq!(map(&more), Some(&[7][..]));
        for end in 0..whole.len() {
            assert_eq!(map(&whole[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_map_or_lies_about_its_length_is_refused() {
        for bytes in [
            &[0x81, 0x01][..],                                       // an array
            &[0xbf, 0xff],                                           // indefinite
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // 2^64 - 1 members
            &[0xa1, 0x61, 0xff, 0x00],                               // no UTF-8
            &[0xa1, 0x00, 0xc0, 0x00],                               // a tag
            &[0xa1, 0x00, 0x81, 0x81, 0x81, 0x81, 0x81, 0x00],       // too deep
            &[0xa1, 0x00, 0x5a, 0xff, 0xff, 0xff, 0xff],             // 4 GiB of bytes
        ] {
            assert_eq!(map(bytes), None, "{bytes:02x?}");
        }
    }
}
