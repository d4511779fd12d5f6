//! The small lexical rules all text formats here share.

use crate::error::NoteError;
use crate::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// RFC 4648 section 4 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Refuses missing padding and loose trailing bits, so each value has one spelling.
pub(crate) fn from_base64(text: &str, what: &'static str) -> Result<Vec<u8>, NoteError> {
    STANDARD.decode(text).map_err(|_| NoteError::malformed(what, "not canonical base64"))
}

/// One base64 SHA-256 value.
pub(crate) fn hash_from_base64(text: &str, what: &'static str) -> Result<Hash, NoteError> {
    let bytes = from_base64(text, what)?;
    bytes.try_into().map_err(|_| NoteError::malformed(what, "a hash is not 32 bytes long"))
}

/// ASCII decimal without sign and without leading zero.
pub(crate) fn decimal(text: &str, what: &'static str) -> Result<u64, NoteError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(NoteError::malformed(what, "not a decimal number without leading zero"));
    }
    text.parse().map_err(|_| NoteError::malformed(what, "the number is above 2^64 - 1"))
}

/// Key names are non-empty and hold no Unicode space, no plus and no control character
/// (c2sp.org/signed-note, "Format").
pub(crate) fn check_name(name: &str, what: &'static str) -> Result<(), NoteError> {
    if name.is_empty() {
        return Err(NoteError::malformed(what, "the name is empty"));
    }
    if name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ') {
        return Err(NoteError::malformed(
            what,
            "the name holds a space, a plus or a control character",
        ));
    }
    Ok(())
}

/// Lines that go into a note: not empty, no control character.
pub(crate) fn check_line(line: &str, what: &'static str) -> Result<(), NoteError> {
    if line.is_empty() {
        return Err(NoteError::malformed(what, "a line is empty"));
    }
    if line.chars().any(|c| c < ' ') {
        return Err(NoteError::malformed(what, "a line holds a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(decimal("0", "x"), Ok(0));
        assert_eq!(decimal("18446744073709551615", "x"), Ok(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "１"] {
            assert!(decimal(bad, "x").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("AA==", "x"), Ok(vec![0]));
        for bad in ["AA", "AB==", "AA=\n=", "A-==", "AA== "] {
            assert!(from_base64(bad, "x").is_err(), "{bad:?}");
        }
    }
}
