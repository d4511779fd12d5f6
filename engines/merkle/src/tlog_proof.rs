//! c2sp.org/tlog-proof: one file that proves offline that an entry is in a log.
//!
//! Invariant: a [`TlogProof`] that was read holds a well-formed note with a checkpoint; it proves
//! nothing before [`TlogProof::verify`], and its extra data is never authentic.

use crate::checkpoint::{Checkpoint, OpenCheckpoint};
use crate::error::{NoteError, ProofError};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::note::{MAX_NOTE_BYTES, SignedNote};
use crate::proof::verify_inclusion;
use crate::text::{decimal, from_base64, hash_from_base64, to_base64};
use std::fmt;

/// Most hashes in an inclusion proof: a tree of `u64` size is 64 high.
pub const MAX_PROOF_HASHES: usize = 64;

/// Most bytes of extra data.
pub const MAX_EXTRA_BYTES: usize = 1 << 16;

const WHAT: &str = "tlog proof";
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Index, inclusion proof and signed checkpoint of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Vec<u8>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: SignedNote,
}

impl TlogProof {
    /// Joins the parts. Empty `extra` leaves its line out; the note's text must be a checkpoint.
    pub fn new(
        extra: Vec<u8>,
        index: u64,
        hashes: Vec<Hash>,
        checkpoint: SignedNote,
    ) -> Result<Self, NoteError> {
        if extra.len() > MAX_EXTRA_BYTES {
            return Err(NoteError::TooLarge { what: "extra data", limit: MAX_EXTRA_BYTES });
        }
        if hashes.len() > MAX_PROOF_HASHES {
            return Err(NoteError::TooLarge { what: "inclusion proof", limit: MAX_PROOF_HASHES });
        }
        if checkpoint.signatures().is_empty() {
            return Err(NoteError::malformed(WHAT, "the checkpoint is not signed"));
        }
        Checkpoint::parse(checkpoint.text())?;
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// Reads a `.tlog-proof` file. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        // The lines before the checkpoint: at most the extra data in base64 and 64 hashes.
        const LIMIT: usize = MAX_NOTE_BYTES + MAX_EXTRA_BYTES * 2;
        let bad = |why| NoteError::malformed(WHAT, why);
        if bytes.len() > LIMIT {
            return Err(NoteError::TooLarge { what: WHAT, limit: LIMIT });
        }
        let text = str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(bad("no blank line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(bad("the first line is not the name of the format"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra")) {
            Some(line) => extra_of(line)?,
            None => Vec::new(),
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .ok_or(bad("no index line"))?;
        let index = decimal(index, WHAT)?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_PROOF_HASHES {
                return Err(NoteError::TooLarge {
                    what: "inclusion proof",
                    limit: MAX_PROOF_HASHES,
                });
            }
            hashes.push(hash_from_base64(line, WHAT)?);
        }
        Self::new(extra, index, hashes, SignedNote::parse(checkpoint.as_bytes())?)
    }

    /// Proves that `leaf` is in the log `origin`: its key has signed the checkpoint, the cosignatures
    /// of the given witnesses hold, and the hashes lead from the leaf to the root. How many witnesses
    /// are enough is the caller's policy.
    pub fn verify(
        &self,
        leaf: &Hash,
        origin: &str,
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<OpenCheckpoint, NoteError> {
        let open = Checkpoint::open_note(&self.checkpoint, origin, log, witnesses)?;
        self.verify_leaf(leaf, &open.checkpoint)?;
        Ok(open)
    }

    /// Opaque data beside the proof, not authenticated; empty if there is none.
    pub fn extra(&self) -> &[u8] {
        &self.extra
    }

    /// Position of the entry in the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, leaf's sibling first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The note with the checkpoint.
    pub fn checkpoint(&self) -> &SignedNote {
        &self.checkpoint
    }

    fn verify_leaf(&self, leaf: &Hash, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        verify_inclusion(self.index, checkpoint.size(), leaf, &self.hashes, checkpoint.root())
    }
}

fn extra_of(line: &str) -> Result<Vec<u8>, NoteError> {
    let bad = |why| NoteError::malformed(WHAT, why);
    let encoded = line.strip_prefix("extra ").ok_or(bad("no space after extra"))?;
    if encoded.is_empty() {
        return Err(bad("an extra line without data"));
    }
    from_base64(encoded, WHAT)
}

impl fmt::Display for TlogProof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{HEADER}")?;
        if !self.extra.is_empty() {
            writeln!(out, "extra {}", to_base64(&self.extra))?;
        }
        writeln!(out, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(out, "{}", to_base64(hash)))?;
        write!(out, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::key::Signer;
    use crate::proof::inclusion_proof;
    use crate::reader::MemTree;
    use proptest::prelude::*;

    const ORIGIN: &str = "example.com/log";

    fn log() -> Signer {
        Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
    }

    fn leaf(number: u64) -> Hash {
        leaf_hash(&number.to_be_bytes())
    }

    fn proof(index: u64, size: u64, extra: Vec<u8>) -> TlogProof {
        let tree: MemTree = (0..size).map(leaf).collect();
        let note = Checkpoint::new(ORIGIN, size, tree.root()).unwrap().sign(&log()).unwrap();
        TlogProof::new(extra, index, inclusion_proof(index, size, &tree).unwrap(), note).unwrap()
    }

    #[test]
    fn a_proof_holds_for_its_leaf_only() {
        let proof = proof(3, 11, Vec::new());
        let key = log().verifier_key();
        assert_eq!(proof.verify(&leaf(3), ORIGIN, &key, &[]).unwrap().checkpoint.size(), 11);
        let other = proof.verify(&leaf(4), ORIGIN, &key, &[]);
        assert_eq!(other, Err(NoteError::Proof(ProofError::RootMismatch)));
        let stranger = Signer::from_seed(ORIGIN, &[2; 32]).unwrap().verifier_key();
        assert_eq!(proof.verify(&leaf(3), ORIGIN, &stranger, &[]), Err(NoteError::Unsigned));
    }

    #[test]
    fn the_lines_are_those_of_the_specification() {
        let text = proof(0, 1, b"extra information".to_vec()).to_string();
        let head = "c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 0\n\nexample.com/log\n1\n";
        assert!(text.starts_with(head), "{text}");
        let plain = proof(0, 1, Vec::new()).to_string();
        assert!(plain.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/log\n1\n"));
    }

    #[test]
    fn malformed_proofs_are_refused() {
        let good = proof(1, 2, b"x".to_vec()).to_string();
        assert!(TlogProof::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("@v1", "@v2"),
            ("extra eA==\n", "extra \n"),
            ("extra eA==\n", "extra\n"),
            ("extra eA==", "extra eA"),
            ("extra eA==\n", "extra eA==\nextra eA==\n"),
            ("index 1", "index 01"),
            ("index 1", "index  1"),
            ("index 1\n", ""),
            ("index 1\n", "index 1\nAA==\n"),
            ("\n\n", "\n"),
            ("example.com/log\n2\n", "example.com/log\n02\n"),
            ("c2sp", "\nc2sp"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from:?} is in the proof");
            assert!(TlogProof::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let line = format!("index 1\n{}", format!("{}\n", to_base64(&[0; 32])).repeat(64));
        assert!(TlogProof::parse(good.replacen("index 1\n", &line, 1).as_bytes()).is_err());
        assert!(TlogProof::parse(&vec![b'\n'; 2 << 20]).is_err());
        let large = TlogProof::new(vec![0; MAX_EXTRA_BYTES + 1], 0, Vec::new(), signed_nothing());
        assert!(large.is_err());
        assert!(TlogProof::new(Vec::new(), 0, Vec::new(), signed_nothing()).is_err());
    }

    fn signed_nothing() -> SignedNote {
        SignedNote::new("not a checkpoint\n").unwrap()
    }

    proptest! {
        #[test]
        fn every_proof_is_read_back(size in 1..50_u64, at: prop::sample::Index, extra: Vec<u8>) {
            let proof = proof(at.index(size as usize) as u64, size, extra);
            prop_assert_eq!(TlogProof::parse(proof.to_string().as_bytes()), Ok(proof));
        }

        #[test]
        fn no_changed_byte_of_a_proof_goes_unnoticed(at: prop::sample::Index, bit in 0..8_u8) {
            let proof = proof(3, 11, Vec::new());
            let mut bytes = proof.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let verdict = TlogProof::parse(&bytes)
                .and_then(|proof| proof.verify(&leaf(3), ORIGIN, &log().verifier_key(), &[]));
            prop_assert!(verdict.is_err());
        }
    }
}
