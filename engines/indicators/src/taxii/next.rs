//! The cursor a server hands out: a place in the order, bound to collection and filter by a signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// As much of the signature as nobody guesses.
const SIGNATURE_BYTES: usize = 16;

pub(crate) fn sign(key: &[u8; 32], collection: &str, filter: &str, place: i64) -> String {
    let mut bytes = place.to_be_bytes().to_vec();
    let signature = mac(key, collection, filter, place).finalize().into_bytes();
    bytes.extend(&signature[..SIGNATURE_BYTES]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place, if we signed it for this collection and filter.
pub(crate) fn open(key: &[u8; 32], collection: &str, filter: &str, next: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(next).ok()?;
    let (place, signature) = bytes.split_first_chunk::<8>()?;
    let place = i64::from_be_bytes(*place);
    if signature.len() != SIGNATURE_BYTES {
        return None;
    }
    mac(key, collection, filter, place).verify_truncated_left(signature).ok()?;
    Some(place)
}

fn mac(key: &[u8; 32], collection: &str, filter: &str, place: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for part in [collection.as_bytes(), filter.as_bytes()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.update(&place.to_be_bytes());
    mac
}
