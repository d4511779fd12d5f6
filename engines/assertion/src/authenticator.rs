//! Authenticator data: hash of the relying party, flags, counter, and perhaps extensions.

use crate::{AssertionError, cbor};

const HASH_BYTES: usize = 32;
const HEAD_BYTES: usize = HASH_BYTES + 1 + 4;

const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED_CREDENTIAL: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

pub(crate) struct AuthenticatorData<'a> {
    pub rp_id_hash: &'a [u8],
    pub user_present: bool,
    pub user_verified: bool,
    pub backed_up: bool,
    pub counter: u32,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<AuthenticatorData<'_>, AssertionError> {
    let bad = AssertionError::AuthenticatorData;
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(bad("shorter than 37 bytes"))?;
    let (rp_id_hash, head) = head.split_at(HASH_BYTES);
    let [flags, c0, c1, c2, c3] = *head else { return Err(bad("shorter than 37 bytes")) };
    let has = |flag: u8| flags & flag != 0;
    if has(ATTESTED_CREDENTIAL) {
        return Err(bad("a new credential belongs to a registration"));
    }
    if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
        return Err(bad("backed up, but not eligible for it"));
    }
    match (has(EXTENSIONS), rest) {
        (false, []) => {}
        (false, _) => return Err(bad("bytes behind the end")),
        (true, rest) => match cbor::map(rest) {
            Some([]) => {}
            Some(_) => return Err(bad("bytes behind the extensions")),
            None => return Err(bad("the extensions are not a CBOR map")),
        },
    }
    Ok(AuthenticatorData {
        rp_id_hash,
        user_present: has(USER_PRESENT),
        user_verified: has(USER_VERIFIED),
        backed_up: has(BACKED_UP),
        counter: u32::from_be_bytes([c0, c1, c2, c3]),
    })
}
