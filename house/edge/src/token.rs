//! Enrolment tokens: `ume-<20 random bytes>-<SHA-256 of the house CA's certificate>`, both in hex. The
//! second part is no secret; it lets a machine know the centre before it ever spoke to it.

use crate::{EdgeError, Result, random};

/// A token as the agent holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Draws a token for the CA with this fingerprint.
    pub fn draw(ca: &str) -> Result<Token> {
        Token::parse(&format!("ume-{}-{ca}", hex::encode(random::<20>()?)))
    }

    /// Reads a token; white space around it is no part of it.
    pub fn parse(text: &str) -> Result<Token> {
        let text = text.trim();
        let hex = |part: &str, len: usize| {
            part.len() == len
                && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let parts: Vec<&str> = text.split('-').collect();
        match parts[..] {
            ["ume", secret, ca] if hex(secret, 40) && hex(ca, 64) => {
                Ok(Token { text: text.to_owned() })
            }
            // The beginning only: a mistyped token may still be most of a secret.
            _ => Err(EdgeError::Token(text.chars().take(8).collect())),
        }
    }

    /// The whole token.
    pub fn secret(&self) -> &str {
        &self.text
    }

    /// Fingerprint of the CA that it names.
    pub fn ca(&self) -> &str {
        &self.text[45..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_ca_and_hides_its_secret() {
        let ca = "ab".repeat(32);
        let token = Token::draw(&ca).unwrap();
        assert_eq!(Token::parse(&format!("  {}\n", token.secret())).unwrap().ca(), ca);
        assert_ne!(Token::draw(&ca).unwrap(), token);
        assert_eq!(format!("{token:?}"), "Token(…)");
        for wrong in ["", "ume-1-2", &token.secret()[1..], &token.secret().to_uppercase()] {
            assert!(Token::parse(wrong).is_err(), "{wrong}");
        }
    }
}
