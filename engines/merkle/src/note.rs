//! c2sp.org/signed-note: a text and the lines of those who signed it.
//!
//! Invariants: a [`SignedNote`] is well-formed and within the limits, so writing and reading it again
//! gives the same; its text is not authentic before [`SignedNote::verify`] says so.

use crate::cosignature::{Cosignature, HEADER};
use crate::error::NoteError;
use crate::key::{KeyId, Signer, VerifierKey};
use crate::text::{check_name, from_base64, to_base64};
use std::fmt;

/// Most bytes in a note; room for 64 post-quantum signatures of others.
pub const MAX_NOTE_BYTES: usize = 1 << 20;

/// Most signature lines in a note; c2sp.org/signed-note asks for at least 16.
pub const MAX_SIGNATURES: usize = 100;

const NOTE: &str = "note";
const DASH: &str = "\u{2014} ";

/// One signature line, `— <name> base64(id ‖ signature)`, of whatever algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    pub(crate) name: String,
    pub(crate) id: KeyId,
    pub(crate) signature: Vec<u8>,
}

impl NoteSignature {
    /// Name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of the key that is said to have signed.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The bytes after the id.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Reads one line, without its newline; a witness answers with such lines (c2sp.org/tlog-witness).
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let bad = |why| NoteError::malformed("signature line", why);
        let rest = line.strip_prefix(DASH).ok_or(bad("no em dash and space"))?;
        let (name, encoded) = rest.split_once(' ').ok_or(bad("no space after the name"))?;
        check_name(name, "signature line")?;
        let bytes = from_base64(encoded, "signature line")?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(bad("no key id"))?;
        if signature.is_empty() {
            return Err(bad("the signature is empty"));
        }
        Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }

    fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        write!(out, "{DASH}{} {}", self.name, to_base64(&bytes))
    }
}

/// A signature that a trusted key made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Position of the key among those given.
    pub key: usize,
    /// Position of the line in the note.
    pub line: usize,
    /// Unix seconds a cosignature states; none for a plain signature.
    pub time: Option<u64>,
}

/// A text and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A text nobody has signed yet: it ends in a newline and holds no other control character.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge { what: NOTE, limit: MAX_NOTE_BYTES });
        }
        if !text.ends_with('\n') {
            return Err(NoteError::malformed(NOTE, "the text does not end in a newline"));
        }
        if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::malformed(NOTE, "a control character"));
        }
        Ok(Self { text: text.to_owned(), signatures: Vec::new() })
    }

    /// Reads a note, which has at least one signature. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge { what: NOTE, limit: MAX_NOTE_BYTES });
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::malformed(NOTE, "not UTF-8"))?;
        // The text may have blank lines itself: the last one separates.
        let at = note.rfind("\n\n").ok_or(NoteError::malformed(NOTE, "no blank line"))?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let mut parsed = Self::new(text)?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::malformed(NOTE, "the signatures do not end in a newline"))?;
        for line in lines.split('\n') {
            parsed.push(NoteSignature::parse(line)?)?;
        }
        Ok(parsed)
    }

    /// Reads a note and verifies it: see [`SignedNote::verify`].
    pub fn open(bytes: &[u8], keys: &[VerifierKey]) -> Result<(Self, Vec<Verified>), NoteError> {
        let note = Self::parse(bytes)?;
        let verified = note.verify(keys)?;
        Ok((note, verified))
    }

    /// The signed text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a line, say a witness's.
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooLarge {
                what: "number of signatures",
                limit: MAX_SIGNATURES,
            });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Signs the text (type 0x01). A text that reads like the message of a cosignature is refused, so
    /// that neither can be taken for the other where a signer has both keys.
    pub fn sign(&mut self, signer: &Signer) -> Result<(), NoteError> {
        if self.text.starts_with(HEADER) {
            return Err(NoteError::malformed(NOTE, "the text looks like a cosignature"));
        }
        let signature = signer.sign_bytes(self.text.as_bytes()).to_vec();
        let key = signer.verifier_key();
        self.push(NoteSignature { name: key.name().to_owned(), id: key.id(), signature })
    }

    /// Cosigns the text, a checkpoint, as seen at `time` (type 0x04, Unix seconds).
    pub fn cosign(&mut self, signer: &Signer, time: u64) -> Result<(), NoteError> {
        self.push(Cosignature::sign(signer, &self.text, time)?.to_line())
    }

    /// Checks every line of a given key. Lines of other keys are ignored; a wrong signature of a given
    /// key, or no signature of any, fails the note. Each key is reported once.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<Verified>, NoteError> {
        for (position, key) in keys.iter().enumerate() {
            let twin = |other: &VerifierKey| {
                other != key && other.name() == key.name() && other.id() == key.id()
            };
            if keys[..position].iter().any(twin) {
                return Err(NoteError::AmbiguousKey { name: key.name().to_owned() });
            }
        }
        let mut verified: Vec<Verified> = Vec::new();
        for (line, signature) in self.signatures.iter().enumerate() {
            let Some(key) = keys.iter().position(|key| signature.is_of(key)) else {
                continue;
            };
            let time = keys[key].check(&self.text, signature)?;
            if verified.iter().all(|earlier| earlier.key != key) {
                verified.push(Verified { key, line, time });
            }
        }
        if verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(verified) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(out, "{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn signer(number: u8) -> Signer {
        Signer::from_seed(&format!("example.com/{number}"), &[number; 32]).unwrap()
    }

    #[test]
    fn the_note_of_the_go_implementation_verifies_and_is_written_back() {
        let keys = [VerifierKey::parse(GO_KEY).unwrap()];
        let (note, verified) = SignedNote::open(GO_NOTE.as_bytes(), &keys).unwrap();
        assert_eq!(verified, [Verified { key: 0, line: 0, time: None }]);
        assert_eq!(note.to_string(), GO_NOTE);
    }

    #[test]
    fn a_changed_text_fails() {
        let keys = [VerifierKey::parse(GO_KEY).unwrap()];
        let changed = GO_NOTE.replace("your", "my");
        let wrong = NoteError::BadSignature { name: "PeterNeumann".to_owned() };
        assert_eq!(SignedNote::open(changed.as_bytes(), &keys), Err(wrong));
    }

    #[test]
    fn unknown_keys_are_ignored_even_if_they_share_a_name_or_an_id() {
        let known = [signer(1).verifier_key()];
        let mut note = SignedNote::new("text\n").unwrap();
        note.sign(&Signer::from_seed("example.com/1", &[2; 32]).unwrap()).unwrap();
        let same_id = NoteSignature {
            name: "example.com/x".to_owned(),
            id: known[0].id(),
            signature: vec![1, 2, 3],
        };
        note.push(same_id).unwrap();
        assert_eq!(note.verify(&known), Err(NoteError::Unsigned));
        note.sign(&signer(1)).unwrap();
        assert_eq!(note.verify(&known), Ok(vec![Verified { key: 0, line: 2, time: None }]));
    }

    #[test]
    fn one_bad_signature_of_a_known_key_rejects_the_note() {
        let known = [signer(1).verifier_key(), signer(2).verifier_key()];
        let mut note = SignedNote::new("text\n").unwrap();
        note.sign(&signer(1)).unwrap();
        for signature in [vec![0; 64], vec![0; 63]] {
            let mut note = note.clone();
            note.push(NoteSignature {
                name: known[1].name().to_owned(),
                id: known[1].id(),
                signature,
            })
            .unwrap();
            let wrong = NoteError::BadSignature { name: "example.com/2".to_owned() };
            assert_eq!(note.verify(&known), Err(wrong));
        }
    }

    #[test]
    fn a_hundred_signatures_are_read_and_no_more() {
        let mut note = SignedNote::new("text\n").unwrap();
        for number in 0..100 {
            note.sign(&signer(number)).unwrap();
        }
        let keys: Vec<VerifierKey> = (0..100).map(|number| signer(number).verifier_key()).collect();
        let text = note.to_string();
        assert_eq!(SignedNote::open(text.as_bytes(), &keys).unwrap().1.len(), 100);
        assert!(note.sign(&signer(100)).is_err());
        let line = note.signatures()[0].to_string();
        assert!(SignedNote::parse(format!("{text}{line}\n").as_bytes()).is_err());
    }

    #[test]
    fn a_repeated_signature_counts_once() {
        let mut note = SignedNote::new("text\n").unwrap();
        note.sign(&signer(1)).unwrap();
        note.sign(&signer(1)).unwrap();
        assert_eq!(note.verify(&[signer(1).verifier_key()]).unwrap().len(), 1);
    }

    #[test]
    fn malformed_notes_are_refused() {
        let good = "text\n\n— a AAAAAAE=\n";
        assert!(SignedNote::parse(good.as_bytes()).is_ok());
        for bad in [
            "",
            "\n",
            "\n\n",
            "text",
            "text\n",
            "text\n\n",
            "text\n— a AAAAAAE=\n",
            "text\n\n— a AAAAAAE=",
            "text\n\n— a AAAAAAE=\n\n",
            "text\n\n- a AAAAAAE=\n",
            "text\n\n—a AAAAAAE=\n",
            "text\n\n— AAAAAAE=\n",
            "text\n\n—  AAAAAAE=\n",
            "text\n\n— a+b AAAAAAE=\n",
            "text\n\n— a AAAAAA==\n",
            "text\n\n— a AAAAAAE\n",
            "text\n\n— a AAAAAAF=\n",
            "text\n\n— a  AAAAAAE=\n",
            "te\txt\n\n— a AAAAAAE=\n",
            "text\r\n\r\n— a AAAAAAE=\r\n",
            "text\n\n— a AAAAAAE= \n",
            "text\n\nnot a line\n",
        ] {
            assert!(SignedNote::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(SignedNote::parse(b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAE=\n").is_err());
        assert!(SignedNote::parse(&vec![b'\n'; MAX_NOTE_BYTES + 1]).is_err());
    }

    #[test]
    fn a_text_may_hold_blank_lines_but_not_pose_as_a_cosignature() {
        let mut note = SignedNote::new("one\n\ntwo\n\n").unwrap();
        note.sign(&signer(1)).unwrap();
        assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note));
        let mut posing = SignedNote::new("cosignature/v1\ntime 1\na\n").unwrap();
        assert!(posing.sign(&signer(1)).is_err());
    }

    #[test]
    fn a_trusted_key_given_twice_is_one_key() {
        let mut note = SignedNote::new("text\n").unwrap();
        note.sign(&signer(1)).unwrap();
        let key = signer(1).verifier_key();
        let once = vec![Verified { key: 0, line: 0, time: None }];
        assert_eq!(note.verify(&[key.clone(), key]), Ok(once));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic_and_notes_are_written_back(text in "(\\PC|\n){0,40}", bytes: Vec<u8>) {
            let _ = SignedNote::parse(&bytes);
            for tail in ["", "\n\n— a AAAAAAE=\n"] {
                let whole = format!("{text}{tail}");
                if let Ok(note) = SignedNote::parse(whole.as_bytes()) {
                    prop_assert_eq!(note.to_string(), whole);
                }
            }
        }
    }
}
