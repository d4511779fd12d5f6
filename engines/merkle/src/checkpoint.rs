//! c2sp.org/tlog-checkpoint: the size and root of a log as the text of a signed note.

use crate::cosignature::Cosignature;
use crate::error::NoteError;
use crate::hash::Hash;
use crate::key::{KeyKind, Signer, VerifierKey};
use crate::note::SignedNote;
use crate::text::{check_line, decimal, hash_from_base64, to_base64};
use std::fmt;

const WHAT: &str = "checkpoint";

/// Origin, size, root and, rarely, extension lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// A checkpoint whose log key has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCheckpoint {
    /// What the log states.
    pub checkpoint: Checkpoint,
    /// Cosignatures of the given witnesses that verified, one per witness.
    pub cosignatures: Vec<Cosignature>,
}

impl Checkpoint {
    /// The state of a log; the origin is one non-empty line.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, NoteError> {
        check_line(origin, WHAT)?;
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// Reads the text of a note. Extension lines are kept.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let bad = |why| NoteError::malformed(WHAT, why);
        let lines = text.strip_suffix('\n').ok_or(bad("it does not end in a newline"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(bad("fewer than three lines"));
        };
        let mut checkpoint =
            Self::new(origin, decimal(size, WHAT)?, hash_from_base64(root, WHAT)?)?;
        for line in lines {
            check_line(line, WHAT)?;
            checkpoint.extensions.push(line.to_owned());
        }
        Ok(checkpoint)
    }

    /// Reads a note of the log `origin` and requires the signature of its key. Cosignatures of the
    /// given witnesses are checked and returned; how many are enough is the caller's policy.
    pub fn open(
        bytes: &[u8],
        origin: &str,
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<OpenCheckpoint, NoteError> {
        Self::open_note(&SignedNote::parse(bytes)?, origin, log, witnesses)
    }

    /// [`Checkpoint::open`] for a note already read.
    pub fn open_note(
        note: &SignedNote,
        origin: &str,
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<OpenCheckpoint, NoteError> {
        let mut keys = vec![log.clone()];
        keys.extend(witnesses.iter().filter(|key| key.kind() == KeyKind::CosignatureV1).cloned());
        let verified = note.verify(&keys)?;
        if verified.iter().all(|signature| signature.key != 0) {
            return Err(NoteError::Unsigned);
        }
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != origin {
            let expected = origin.to_owned();
            return Err(NoteError::Origin { expected, got: checkpoint.origin });
        }
        let cosignatures = verified
            .iter()
            .filter(|signature| signature.key != 0)
            .map(|signature| Cosignature::from_line(&note.signatures()[signature.line]))
            .collect::<Result<_, _>>()?;
        Ok(OpenCheckpoint { checkpoint, cosignatures })
    }

    /// The checkpoint as a note signed by the log.
    pub fn sign(&self, signer: &Signer) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(&self.to_string())?;
        note.sign(signer)?;
        Ok(note)
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaves in the log.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the log's tree at that size.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Lines after the root, whose meaning only their log knows.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}\n{}", self.origin, self.size, to_base64(&self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: &str = "example.com/log";

    fn log() -> Signer {
        Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
    }

    fn witness(number: u8) -> Signer {
        Signer::from_seed(&format!("witness.example/{number}"), &[number; 32]).unwrap()
    }

    fn signed() -> SignedNote {
        Checkpoint::new(ORIGIN, 5, [3; 32]).unwrap().sign(&log()).unwrap()
    }

    #[test]
    fn the_checkpoint_of_the_specification_is_read_and_written_back() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size(), 20_852_163);
        assert_eq!(checkpoint.to_string(), text);
    }

    #[test]
    fn malformed_checkpoints_are_refused() {
        let root = to_base64(&[3; 32]);
        assert!(Checkpoint::parse(&format!("a\n0\n{root}\nextension\n")).is_ok());
        for bad in [
            String::new(),
            "\n".to_owned(),
            format!("a\n0\n{root}"),
            format!("\n0\n{root}\n"),
            format!("a\n00\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            format!("a\n0\n{root}\n\n"),
            format!("a\n0\n{root}\n\nextension\n"),
            format!("a\n0\n{}\n", to_base64(&[3; 31])),
            format!("a\n0\n{root} \n"),
            "a\n0\n".to_owned(),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
        assert!(Checkpoint::new("a\nb", 0, [0; 32]).is_err());
    }

    #[test]
    fn the_log_must_have_signed_and_witnesses_are_counted() {
        let mut note = signed();
        note.cosign(&witness(2), 100).unwrap();
        note.cosign(&witness(3), 101).unwrap();
        let keys = [witness(2).cosigner_key(), witness(4).cosigner_key()];
        let bytes = note.to_string();
        let open =
            Checkpoint::open(bytes.as_bytes(), ORIGIN, &log().verifier_key(), &keys).unwrap();
        assert_eq!(open.checkpoint.size(), 5);
        let seen: Vec<(&str, u64)> =
            open.cosignatures.iter().map(|c| (c.name.as_str(), c.time)).collect();
        assert_eq!(seen, [("witness.example/2", 100)]);
    }

    #[test]
    fn witnesses_alone_do_not_make_a_checkpoint() {
        let mut note = SignedNote::new(signed().text()).unwrap();
        note.cosign(&witness(2), 100).unwrap();
        let keys = [witness(2).cosigner_key()];
        let verdict = Checkpoint::open_note(&note, ORIGIN, &log().verifier_key(), &keys);
        assert_eq!(verdict, Err(NoteError::Unsigned));
    }

    #[test]
    fn a_wrong_cosignature_of_a_known_witness_rejects_the_checkpoint() {
        let mut note = signed();
        let other = Cosignature::sign(&witness(2), "other\n", 100).unwrap();
        note.push(other.to_line()).unwrap();
        let keys = [witness(2).cosigner_key()];
        let wrong = NoteError::BadSignature { name: "witness.example/2".to_owned() };
        let verdict = Checkpoint::open_note(&note, ORIGIN, &log().verifier_key(), &keys);
        assert_eq!(verdict, Err(wrong));
    }

    #[test]
    fn the_checkpoint_of_another_log_is_refused() {
        let verdict = Checkpoint::open_note(&signed(), "example.com/b", &log().verifier_key(), &[]);
        assert!(matches!(verdict, Err(NoteError::Origin { .. })));
    }

    proptest! {
        #[test]
        fn every_checkpoint_is_read_back(origin in "[^\\x00-\\x1f]{1,30}", size: u64, root: Hash) {
            let checkpoint = Checkpoint::new(&origin, size, root).unwrap();
            prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
        }

        #[test]
        fn foreign_text_never_panics(text in "(\\PC|\n){0,60}") {
            let _ = Checkpoint::parse(&text);
        }
    }
}
