//! Assertions by software authenticators: good ones, and whatever else may come.

use assertion::{Assertion, AssertionError, Expected, KeyError, PublicKey, Seen, verify};
use base64::{
    Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD,
};
use proptest::prelude::*;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    },
};

const ORIGIN: &str = "https://ume.example";
const RP: &str = "ume.example";
const CHALLENGE: [u8; 32] = [7; 32];
const UP: u8 = 1;
const UV: u8 = 4;

enum Device {
    Ecdsa(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

impl Device {
    fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Device {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Device::Ecdsa(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    fn es256() -> Device {
        Device::ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)
    }

    fn edwards() -> Device {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Device::Edwards(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn key(&self) -> PublicKey {
        match self {
            Device::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                PublicKey::es256(x, y).or_else(|_| PublicKey::es384(x, y)).unwrap()
            }
            Device::Edwards(pair) => PublicKey::ed25519(pair.public_key().as_ref()).unwrap(),
        }
    }

    fn sign(&self, authenticator_data: Vec<u8>, client_data_json: Vec<u8>) -> Assertion {
        let hash = digest(&SHA256, &client_data_json);
        let message = [&authenticator_data[..], hash.as_ref()].concat();
        let signature = match self {
            Device::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec()
            }
            Device::Edwards(pair) => pair.sign(&message).as_ref().to_vec(),
        };
        Assertion { authenticator_data, client_data_json, signature }
    }
}

fn data(rp: &str, flags: u8, counter: u32) -> Vec<u8> {
    let hash = digest(&SHA256, rp.as_bytes());
    [hash.as_ref(), &[flags], &counter.to_be_bytes()].concat()
}

fn client(ty: &str, challenge: &[u8], origin: &str, more: &str) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    format!(r#"{{"type":"{ty}","challenge":"{challenge}","origin":"{origin}"{more}}}"#).into_bytes()
}

fn usual() -> Vec<u8> {
    client("webauthn.get", &CHALLENGE, ORIGIN, r#","crossOrigin":false"#)
}

fn judge(key: &PublicKey, counter: u32, assertion: &Assertion) -> Result<Seen, AssertionError> {
    verify(assertion, &Expected { challenge: &CHALLENGE, origin: ORIGIN, rp_id: RP, key, counter })
}

#[test]
fn each_kind_of_key_signs() {
    let devices =
        [Device::es256(), Device::ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING), Device::edwards()];
    for device in devices {
        let key = device.key();
        let good = device.sign(data(RP, UP | UV, 9), usual());
        let seen = judge(&key, 8, &good).unwrap();
        assert_eq!(seen, Seen { counter: 9, backed_up: false }, "{}", key.algorithm());
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Ok(key));
    }
}

/// Made with OpenSSL: `openssl dgst -sha256 -sign`.
#[test]
fn an_rsa_signature_of_openssl_fits() {
    let spki = STANDARD.decode(concat!(
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArzTs0kfnYDOIKOXD9aHH2oVneKdAQfYFfaGh/ebDnYRTNmcXu/qf",
        "BmCPnyoar7qf5eV4UoFNbgMLY3nTsR7afG1h0RwCPN8u+ueXCsPnexbjcq1Y11ZLrz/DVd7QUwMvBChDESmaHZltb3HkPA/w",
        "73f4j5aABIZ95P5ZSZ9AP9W3AXTUAabw7mfC22AFJ6vjVOOiqwlVj9wQ3AL+cNccXz+az+UnzCC0eJH2NFU84KAXuBuIwG2b",
        "9yIgMCdoPJ8eCh1iCqAj2EOAoMUzVRyuizEKH+uR/ah7L77eaH0+hVFct5pTlpRd6slREq44qcRerEoAQ9JtU1AtiPWRNeBm",
        "1wIDAQAB",
    ));
    let signature = STANDARD.decode(concat!(
        "Q1la9uHixFpbG/DyjLSquUvU2Po2nvIP5dMxHxY2Mzp0ACD7PAlX56mzEy2AlosH64wkNgO7R8tpFlANzQJ6h5/kZR7zZipE",
        "h7LHJT61atR7BUWJRSWXNOElNu8oiTpBZvhfYOvfTR91iD9K0MYy4mqtN4CJ4ioMe6A4Aq8v1RhN3Jfa9jjSRCM9w7F+ZoUf",
        "XaSAyzKipOdEPnXSluosCzClPTU1pggRjLLpiNXbp8Ski9c6hXRlJN9xaOIi8ETGg+llcT7SNojz68fxw/hM+TTLGkkA5DJa",
        "LYBILab/flIWjmAWuJFuxdjTDMuxZZwUaahISTZHf1Y4FfXhX8wzQA==",
    ));
    let key = PublicKey::from_spki(&spki.unwrap()).unwrap();
    assert_eq!(key.algorithm(), "RS256");
    let good = Assertion {
        authenticator_data: data(RP, UP | UV, 9),
        client_data_json: usual(),
        signature: signature.unwrap(),
    };
    assert_eq!(judge(&key, 0, &good), Ok(Seen { counter: 9, backed_up: false }));
    // The same key from its parts, as an authenticator's COSE key has them.
    let PublicKey::Rs256(der) = &key else { panic!() };
    let modulus = &der[9..9 + 256];
    assert_eq!(PublicKey::rs256(modulus, &[1, 0, 1]), Ok(key.clone()));
    assert_eq!(PublicKey::rs256(&modulus[..128], &[1, 0, 1]), Err(KeyError::Length("the RSA key")));
}

#[test]
fn what_is_about_something_else_is_refused_by_name() {
    use AssertionError as E;
    let device = Device::es256();
    let key = device.key();
    let said = |client: Vec<u8>| judge(&key, 0, &device.sign(data(RP, UP | UV, 0), client));
    let with = |data: Vec<u8>| judge(&key, 0, &device.sign(data, usual()));

    let other = client("webauthn.get", &[8; 32], ORIGIN, "");
    assert_eq!(said(other), Err(E::Challenge), "replayed on another decision");
    assert_eq!(said(client("webauthn.get", &CHALLENGE[..31], ORIGIN, "")), Err(E::Challenge));
    assert_eq!(
        said(client("webauthn.create", &CHALLENGE, ORIGIN, "")),
        Err(E::Type("webauthn.create".to_owned()))
    );
    for origin in ["http://ume.example", "https://ume.example:444", "https://ume.example.evil"] {
        let wrong = client("webauthn.get", &CHALLENGE, origin, "");
        assert_eq!(said(wrong), Err(E::Origin(origin.to_owned())));
    }
    for more in [r#","crossOrigin":true"#, r#","topOrigin":"https://evil.example""#] {
        assert_eq!(said(client("webauthn.get", &CHALLENGE, ORIGIN, more)), Err(E::CrossOrigin));
    }
    assert_eq!(with(data("evil.example", UP | UV, 0)), Err(E::RelyingParty));
    assert_eq!(with(data(RP, UV, 0)), Err(E::NotPresent));
    assert_eq!(with(data(RP, UP, 0)), Err(E::NotVerified));
    let stranger = Device::es256().key();
    let good = device.sign(data(RP, UP | UV, 0), usual());
    assert_eq!(judge(&stranger, 0, &good), Err(E::Signature), "someone else's key");
    let edwards = Device::edwards().key();
    assert_eq!(judge(&edwards, 0, &good), Err(E::Signature), "a key of another kind");
}

#[test]
fn the_counter_only_grows() {
    let device = Device::es256();
    let key = device.key();
    let at = |seen, now| judge(&key, seen, &device.sign(data(RP, UP | UV, now), usual()));
    assert!(at(0, 0).is_ok(), "an authenticator without a counter");
    assert!(at(0, 1).is_ok() && at(u32::MAX - 1, u32::MAX).is_ok());
    for (seen, now) in [(5, 5), (5, 4), (5, 0), (u32::MAX, 1)] {
        assert_eq!(at(seen, now), Err(AssertionError::Counter { seen, now }));
    }
}

#[test]
fn client_data_is_read_strictly() {
    let device = Device::es256();
    let key = device.key();
    let said = |client: Vec<u8>| judge(&key, 0, &device.sign(data(RP, UP | UV, 0), client));
    let more = r#","crossOrigin":false,"other_keys_can_be_added_here":"…""#;
    assert!(said(client("webauthn.get", &CHALLENGE, ORIGIN, more)).is_ok());
    let doubled = format!(r#","origin":"{ORIGIN}""#);
    let padded = String::from_utf8(usual()).unwrap().replace("c\",\"origin", "c=\",\"origin");
    let bad = [
        client("webauthn.get", &CHALLENGE, "https://evil.example", &doubled),
        [usual(), b" x".to_vec()].concat(),
        [&[0xef, 0xbb, 0xbf], &usual()[..]].concat(),
        b"[]".to_vec(),
        Vec::new(),
        vec![0xff; 40],
    ];
    for client in bad {
        let got = said(client);
        assert!(matches!(got, Err(AssertionError::ClientData(_))), "{got:?}");
    }
    assert_eq!(said(padded.into_bytes()), Err(AssertionError::Challenge));
    let long = format!(r#","x":"{}""#, "x".repeat(assertion::CLIENT_DATA_BYTES_MAX));
    let got = said(client("webauthn.get", &CHALLENGE, ORIGIN, &long));
    assert_eq!(got, Err(AssertionError::Long("the client data")));
}

#[test]
fn extensions_are_one_whole_map_and_nothing_stands_behind() {
    const EXTENSIONS: u8 = 1 << 7;
    let device = Device::es256();
    let key = device.key();
    let with = |flags: u8, behind: &[u8]| {
        let data = [&data(RP, UP | UV | flags, 0)[..], behind].concat();
        judge(&key, 0, &device.sign(data, usual()))
    };
    let map = [0xa1, 0x63, b'u', b'v', b'm', 0xf5];
    assert!(with(EXTENSIONS, &map).is_ok());
    for end in 0..map.len() {
        let got = with(EXTENSIONS, &map[..end]);
        assert!(matches!(got, Err(AssertionError::AuthenticatorData(_))), "cut at {end}: {got:?}");
    }
    let bad: [(u8, &[u8]); 4] = [
        (0, &map),
        (EXTENSIONS, &[0xa0, 0x00]),
        (1 << 6, &[0; 18]), // attested credential data
        (1 << 4, &[]),      // backed up, not eligible
    ];
    for (flags, behind) in bad {
        let got = with(flags, behind);
        assert!(matches!(got, Err(AssertionError::AuthenticatorData(_))), "{flags:#x} {got:?}");
    }
    assert!(with(1 << 3 | 1 << 4, &[]).unwrap().backed_up);
}

#[test]
fn no_flipped_bit_and_no_cut_goes_unseen() {
    let device = Device::es256();
    let key = device.key();
    let good = device.sign(data(RP, UP | UV, 3), usual());
    assert!(judge(&key, 0, &good).is_ok());
    let parts: [fn(&mut Assertion) -> &mut Vec<u8>; 3] =
        [|a| &mut a.authenticator_data, |a| &mut a.client_data_json, |a| &mut a.signature];
    for (i, part) in parts.into_iter().enumerate() {
        let length = part(&mut good.clone()).len();
        for at in 0..length {
            for bit in 0..8 {
                let mut bad = good.clone();
                part(&mut bad)[at] ^= 1 << bit;
                assert!(judge(&key, 0, &bad).is_err(), "part {i}, byte {at}, bit {bit}");
            }
            let mut cut = good.clone();
            part(&mut cut).truncate(at);
            assert!(judge(&key, 0, &cut).is_err(), "part {i} cut at {at}");
        }
        let mut more = good.clone();
        part(&mut more).push(0);
        assert!(judge(&key, 0, &more).is_err(), "part {i} with a byte more");
    }
}

#[test]
fn a_public_key_has_one_text() {
    for key in [Device::es256().key(), Device::edwards().key()] {
        let spki = key.to_spki();
        for end in 0..spki.len() {
            assert_eq!(PublicKey::from_spki(&spki[..end]), Err(KeyError::Unknown));
        }
        assert_eq!(PublicKey::from_spki(&[&spki[..], &[0]].concat()), Err(KeyError::Unknown));
        for at in 0..spki.len() {
            let mut other = spki.clone();
            other[at] ^= 1;
            assert_ne!(PublicKey::from_spki(&other).as_ref(), Ok(&key), "byte {at}");
        }
    }
    assert_eq!(PublicKey::es256(&[1; 31], &[1; 32]), Err(KeyError::Length("the point")));
    assert_eq!(PublicKey::ed25519(&[1; 33]), Err(KeyError::Length("the Ed25519 key")));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_pass(
        authenticator_data in prop::collection::vec(any::<u8>(), 0..200),
        client_data_json in prop::collection::vec(any::<u8>(), 0..200),
        signature in prop::collection::vec(any::<u8>(), 0..100),
        spki in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let key = PublicKey::ed25519(&[9; 32]).unwrap();
        let any = Assertion { authenticator_data: authenticator_data.clone(), client_data_json, signature: signature.clone() };
        prop_assert!(judge(&key, 0, &any).is_err());
        // With good client data the rest is looked at too.
        let any = Assertion { authenticator_data: [&data(RP, 0x85, 1)[..], &authenticator_data].concat(), client_data_json: usual(), signature };
        prop_assert!(judge(&key, 0, &any).is_err());
        let _ = PublicKey::from_spki(&spki);
    }
}
