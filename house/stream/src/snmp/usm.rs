//! The security of SNMP v3 (RFC 3414, 3826, 7860): keys out of passwords, authentication, privacy. Pure.
//!
//! MD5 and DES are left out: they protect nothing today. A key that is too short for AES-192 or AES-256 is made
//! longer in one of the two ways that devices know; neither became a standard.

use aes::{Aes128, Aes192, Aes256, cipher::BlockCipherEncrypt};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// Shortest password (RFC 3414, 11.2).
pub const PASSWORD_BYTES_MIN: usize = 8;
/// A password is repeated to this length before it is hashed.
const STRETCHED_BYTES: usize = 1 << 20;
const BLOCK: usize = 16;
/// Encrypts one block in its place.
type Encrypt = Box<dyn Fn(&mut [u8; BLOCK])>;

/// How messages are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// How messages are kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    Aes128,
    Aes192,
    Aes256,
}

/// How a key becomes longer than its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extension {
    /// By its hash (draft-blumenthal-aes-usm): Net-SNMP and most devices.
    #[default]
    Blumenthal,
    /// By taking it as a password (draft-reeder-snmpv3-usm-3desede): Cisco and others.
    Reeder,
}

/// Calls a function of a hash for the one that is named.
macro_rules! by_hash {
    ($auth:expr, $function:ident($($argument:expr),*)) => {
        match $auth {
            Auth::Sha1 => $function::<Sha1>($($argument),*),
            Auth::Sha224 => $function::<Sha224>($($argument),*),
            Auth::Sha256 => $function::<Sha256>($($argument),*),
            Auth::Sha384 => $function::<Sha384>($($argument),*),
            Auth::Sha512 => $function::<Sha512>($($argument),*),
        }
    };
}

macro_rules! by_hmac {
    ($auth:expr, $function:ident($($argument:expr),*)) => {
        match $auth {
            Auth::Sha1 => $function::<Hmac<Sha1>>($($argument),*),
            Auth::Sha224 => $function::<Hmac<Sha224>>($($argument),*),
            Auth::Sha256 => $function::<Hmac<Sha256>>($($argument),*),
            Auth::Sha384 => $function::<Hmac<Sha384>>($($argument),*),
            Auth::Sha512 => $function::<Hmac<Sha512>>($($argument),*),
        }
    };
}

impl Auth {
    /// Bytes of the code that goes with a message.
    pub(crate) fn code_bytes(self) -> usize {
        match self {
            Auth::Sha1 => 12,
            Auth::Sha224 => 16,
            Auth::Sha256 => 24,
            Auth::Sha384 => 32,
            Auth::Sha512 => 48,
        }
    }

    /// The key of a password, before it is bound to an engine.
    fn stretched(self, password: &[u8]) -> Vec<u8> {
        by_hash!(self, stretch(password))
    }

    fn hash(self, parts: &[&[u8]]) -> Vec<u8> {
        by_hash!(self, hash(parts))
    }

    fn localized(self, key: &[u8], engine: &[u8]) -> Vec<u8> {
        self.hash(&[key, engine, key])
    }

    /// The code of a message.
    pub(crate) fn code(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut code = by_hmac!(self, code(key, message));
        code.truncate(self.code_bytes());
        code
    }

    /// Whether a code fits, found out in the same time whatever is wrong.
    pub(crate) fn holds(self, key: &[u8], message: &[&[u8]], said: &[u8]) -> bool {
        said.len() == self.code_bytes() && by_hmac!(self, holds(key, message, said))
    }
}

fn stretch<D: Digest>(password: &[u8]) -> Vec<u8> {
    let mut hash = D::new();
    if password.is_empty() {
        return hash.finalize().to_vec();
    }
    let piece = password.repeat(4096usize.div_ceil(password.len()));
    let mut left = STRETCHED_BYTES;
    // Whole repetitions, so that each piece begins where the one before ended.
    while left > 0 {
        let take = left.min(piece.len());
        hash.update(&piece[..take]);
        left -= take;
    }
    hash.finalize().to_vec()
}

fn hash<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = D::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().to_vec()
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn holds<M: Mac + KeyInit>(key: &[u8], message: &[&[u8]], said: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    message.iter().for_each(|part| mac.update(part));
    mac.verify_truncated_left(said).is_ok()
}

impl Privacy {
    fn key_bytes(self) -> usize {
        match self {
            Privacy::Aes128 => 16,
            Privacy::Aes192 => 24,
            Privacy::Aes256 => 32,
        }
    }

    /// A machine that encrypts one block.
    fn cipher(self, key: &[u8]) -> Option<Encrypt> {
        Some(match self {
            Privacy::Aes128 => block(Aes128::new_from_slice(key).ok()?),
            Privacy::Aes192 => block(Aes192::new_from_slice(key).ok()?),
            Privacy::Aes256 => block(Aes256::new_from_slice(key).ok()?),
        })
    }

    /// CFB with whole blocks (RFC 3826): `opens` says which side of it.
    fn cfb(
        self,
        key: &[u8],
        clock: Clock,
        salt: [u8; 8],
        text: &[u8],
        opens: bool,
    ) -> Option<Vec<u8>> {
        let encrypt = self.cipher(key)?;
        let mut register = [0; BLOCK];
        register[..4].copy_from_slice(&clock.boots.to_be_bytes());
        register[4..8].copy_from_slice(&clock.time.to_be_bytes());
        register[8..].copy_from_slice(&salt);
        let mut out = Vec::with_capacity(text.len());
        for piece in text.chunks(BLOCK) {
            encrypt(&mut register);
            let turned = piece.iter().zip(register).map(|(byte, mask)| byte ^ mask);
            out.extend(turned);
            let sealed = if opens { piece } else { &out[out.len() - piece.len()..] };
            register[..sealed.len()].copy_from_slice(sealed);
        }
        Some(out)
    }
}

fn block<C: BlockCipherEncrypt + 'static>(cipher: C) -> Encrypt {
    Box::new(move |bytes| {
        let mut whole = aes::cipher::Block::<C>::default();
        whole.copy_from_slice(bytes);
        cipher.encrypt_block(&mut whole);
        bytes.copy_from_slice(&whole);
    })
}

/// The clock of an engine: how often it was started, and the seconds since then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    pub boots: u32,
    pub time: u32,
}

/// A user of v3, with keys that are not bound to an engine yet.
#[derive(Clone)]
pub struct User {
    pub name: Vec<u8>,
    pub context: Vec<u8>,
    auth: Option<(Auth, Vec<u8>)>,
    privacy: Option<(Privacy, Vec<u8>)>,
    extension: Extension,
}

/// The keys of a user at one engine.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    pub auth: Option<(Auth, Vec<u8>)>,
    pub privacy: Option<(Privacy, Vec<u8>)>,
}

impl User {
    /// A user. Privacy needs authentication.
    pub fn new(
        name: &str,
        auth: Option<(Auth, &[u8])>,
        privacy: Option<(Privacy, &[u8])>,
        extension: Extension,
    ) -> Result<User, &'static str> {
        if name.is_empty() || name.len() > 32 {
            return Err("the name of a user has 1 to 32 bytes");
        }
        if privacy.is_some() && auth.is_none() {
            return Err("privacy needs authentication");
        }
        let passwords = auth.map(|(_, p)| p).into_iter().chain(privacy.map(|(_, p)| p));
        if passwords.into_iter().any(|password| password.len() < PASSWORD_BYTES_MIN) {
            return Err("a password has at least 8 characters");
        }
        let hash = auth.map_or(Auth::Sha1, |(auth, _)| auth);
        Ok(User {
            name: name.as_bytes().to_vec(),
            context: Vec::new(),
            auth: auth.map(|(auth, password)| (auth, auth.stretched(password))),
            privacy: privacy.map(|(privacy, password)| (privacy, hash.stretched(password))),
            extension,
        })
    }

    /// The keys at an engine.
    pub(crate) fn keys(&self, engine: &[u8]) -> Keys {
        let Some((hash, key)) = &self.auth else { return Keys::default() };
        let privacy = self.privacy.as_ref().map(|(privacy, key)| {
            let key = hash.localized(key, engine);
            (*privacy, self.extended(*hash, key, privacy.key_bytes(), engine))
        });
        Keys { auth: Some((*hash, hash.localized(key, engine))), privacy }
    }

    fn extended(&self, hash: Auth, mut key: Vec<u8>, bytes: usize, engine: &[u8]) -> Vec<u8> {
        let mut last = key.clone();
        while key.len() < bytes {
            last = match self.extension {
                Extension::Blumenthal => hash.hash(&[&key]),
                Extension::Reeder => hash.localized(&hash.stretched(&last), engine),
            };
            key.extend(&last);
        }
        key.truncate(bytes);
        key
    }
}

impl Keys {
    pub(crate) fn seal(&self, clock: Clock, salt: [u8; 8], text: &[u8]) -> Option<Vec<u8>> {
        let (privacy, key) = self.privacy.as_ref()?;
        privacy.cfb(key, clock, salt, text, false)
    }

    pub(crate) fn open(&self, clock: Clock, salt: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let (privacy, key) = self.privacy.as_ref()?;
        privacy.cfb(key, clock, salt.try_into().ok()?, text, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digit).collect()
    }

    /// RFC 3414, A.3.2.
    #[test]
    fn a_password_becomes_the_key_of_the_standard() {
        let engine = bytes("000000000000000000000002");
        let key = Auth::Sha1.stretched(b"maplesyrup");
        assert_eq!(key, bytes("9fb5cc0381497b3793528939ff788d5d79145211"));
        assert_eq!(
            Auth::Sha1.localized(&key, &engine),
            bytes("6695febc9288e36282235fc7151f128497b38f3f")
        );
    }

    /// NIST SP 800-38A, F.3.13: CFB with AES-128, whose register is given here by clock and salt.
    #[test]
    fn what_is_sealed_is_what_the_standard_says_and_opens_again() {
        let key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
        let clock = Clock { boots: 0x0001_0203, time: 0x0405_0607 };
        let salt = [8, 9, 10, 11, 12, 13, 14, 15];
        let plain = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let sealed = bytes("3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b");
        let keys = Keys { auth: None, privacy: Some((Privacy::Aes128, key)) };
        assert_eq!(keys.seal(clock, salt, &plain).unwrap(), sealed);
        // A text need not end with a block.
        assert_eq!(keys.open(clock, &salt, &sealed[..20]).unwrap(), plain[..20]);
    }

    #[test]
    fn keys_are_as_long_as_their_cipher_in_either_way() {
        for (privacy, long) in [(Privacy::Aes128, 16), (Privacy::Aes192, 24), (Privacy::Aes256, 32)]
        {
            let of = |extension| {
                let word = b"maplesyrup".as_slice();
                let user =
                    User::new("u", Some((Auth::Sha1, word)), Some((privacy, word)), extension);
                user.unwrap().keys(&bytes("000000000000000000000002")).privacy.unwrap().1
            };
            let (one, two) = (of(Extension::Blumenthal), of(Extension::Reeder));
            assert_eq!((one.len(), two.len()), (long, long));
            // They part where the hash ends.
            assert_eq!(one[..long.min(20)], two[..long.min(20)]);
            assert_eq!(one == two, long == 16);
        }
    }

    #[test]
    fn users_without_sense_are_refused() {
        let word = b"maplesyrup".as_slice();
        let new = |name, auth, privacy| User::new(name, auth, privacy, Extension::Blumenthal);
        assert!(new("", None, None).is_err());
        assert!(new("u", None, Some((Privacy::Aes128, word))).is_err());
        assert!(new("u", Some((Auth::Sha256, b"short")), None).is_err());
        assert!(new("u", None, None).is_ok());
    }
}
