//! Names and values of a host are bytes, not text.
//!
//! As text, what is not UTF-8 and every control character but tab and newline is `\xNN`; a backslash
//! that would read as such an escape is `\x5c`. So the text says all the bytes, and steers no terminal.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are mostly text.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes themselves.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Reads the text form; any text is one.
    pub fn parse(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            match escape_at(bytes, at) {
                Some(byte) => {
                    out.push(byte);
                    at += 4;
                }
                None => {
                    out.push(bytes[at]);
                    at += 1;
                }
            }
        }
        Self(out)
    }
}

/// The byte that `\xNN` at `at` stands for.
fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let [b'\\', b'x', high, low] = bytes.get(at..at + 4)? else { return None };
    let digit = |d: u8| char::from(d).to_digit(16).filter(|_| !d.is_ascii_uppercase());
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let valid = chunk.valid();
            let mut from = 0;
            for (at, c) in valid.char_indices() {
                let is_escape = c == '\\' && escape_at(valid.as_bytes(), at).is_some();
                let steers = c.is_control() && !matches!(c, '\n' | '\t');
                if !is_escape && !steers {
                    continue;
                }
                f.write_str(&valid[from..at])?;
                from = at + c.len_utf8();
                for byte in &valid.as_bytes()[at..from] {
                    write!(f, "\\x{byte:02x}")?;
                }
            }
            f.write_str(&valid[from..])?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl std::borrow::Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_steers_no_terminal() {
        let bytes = Bytes(b"a\x1b[2J\xff\xc2\x9b\\x41 \\y\t".to_vec());
        assert_eq!(bytes.to_string(), "a\\x1b[2J\\xff\\xc2\\x9b\\x5cx41 \\y\t");
    }

    proptest! {
        #[test]
        fn the_text_says_all_the_bytes(bytes: Vec<u8>) {
            let bytes = Bytes(bytes);
            prop_assert_eq!(Bytes::parse(&bytes.to_string()), bytes);
        }

        #[test]
        fn what_looks_like_an_escape_comes_back(text in r"(\\|x|[0-9a-f]|F){0,12}") {
            let bytes = Bytes::from(text.as_str());
            prop_assert_eq!(Bytes::parse(&bytes.to_string()), bytes);
        }
    }
}
