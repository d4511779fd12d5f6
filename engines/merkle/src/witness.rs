//! c2sp.org/tlog-witness: what a log asks of a witness, and what the witness decides.
//!
//! The decision is a state machine without I/O: [`WitnessedLog`] and what was [`Seen`] last, the request
//! and the time go in; the new state and a cosignature, or a [`WitnessRefusal`], come out. Whoever runs
//! it holds two promises that no function can hold: requests of one log are decided one after another,
//! and the new state is on disk before the cosignature leaves.
//!
//! Invariants: for one log the sizes cosigned never shrink, and of two roots cosigned at one size both
//! are equal. Limits: [`MAX_WITNESS_HASHES`] hashes, [`MAX_WITNESS_BYTES`] in a request.

use crate::checkpoint::Checkpoint;
use crate::cosignature::Cosignature;
use crate::error::NoteError;
use crate::hash::{Hash, empty_root};
use crate::key::{Signer, VerifierKey};
use crate::note::{NoteSignature, SignedNote};
use crate::proof::verify_consistency;
use crate::text::{decimal, hash_from_base64, to_base64};
use std::fmt;
use thiserror::Error;

/// Most hashes in a request; more levels no tree of 2^63 leaves has.
pub const MAX_WITNESS_HASHES: usize = 63;

/// Most bytes in a request: the proof, and a checkpoint with many signatures of others.
pub const MAX_WITNESS_BYTES: usize = 128 * 1024;

/// Media type of the size in an answer 409.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

const WHAT: &str = "add-checkpoint request";

/// The body of `POST add-checkpoint`. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old: u64,
    proof: Vec<Hash>,
    note: SignedNote,
    checkpoint: Checkpoint,
}

impl AddCheckpoint {
    /// A request; `note` is a signed checkpoint, `proof` leads to it from the tree of `old` leaves.
    pub fn new(old: u64, proof: Vec<Hash>, note: SignedNote) -> Result<Self, NoteError> {
        if proof.len() > MAX_WITNESS_HASHES {
            let what = "number of hashes in a request";
            return Err(NoteError::TooLarge { what, limit: MAX_WITNESS_HASHES });
        }
        if note.signatures().is_empty() {
            return Err(NoteError::malformed(WHAT, "the checkpoint is not signed"));
        }
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { old, proof, note, checkpoint })
    }

    /// Reads a body.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let bad = |why| NoteError::malformed(WHAT, why);
        if bytes.len() > MAX_WITNESS_BYTES {
            return Err(NoteError::TooLarge { what: WHAT, limit: MAX_WITNESS_BYTES });
        }
        let text = str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(bad("no blank line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = decimal(old.ok_or(bad("the first line is not an old size"))?, WHAT)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_WITNESS_HASHES {
                let what = "number of hashes in a request";
                return Err(NoteError::TooLarge { what, limit: MAX_WITNESS_HASHES });
            }
            proof.push(hash_from_base64(line, WHAT)?);
        }
        Self::new(old, proof, SignedNote::parse(note.as_bytes())?)
    }

    /// The log that the checkpoint says it is of.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// Size that the log takes for the witness's last.
    pub fn old(&self) -> u64 {
        self.old
    }

    /// The checkpoint and who signed it.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// What the checkpoint states.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(out, "{}", to_base64(hash)))?;
        write!(out, "\n{}", self.note)
    }
}

/// A log a witness is configured to cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedLog {
    /// First line of its checkpoints.
    pub origin: String,
    /// Keys one of which must have signed.
    pub keys: Vec<VerifierKey>,
}

/// The newest tree of a log that a witness has cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Leaves in it.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Why a witness does not cosign; each has its HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessRefusal {
    /// 400: the request breaks the format, or its old size is above its new one.
    #[error("{0}")]
    Malformed(NoteError),
    /// 400: the log claims that it shrank.
    #[error("the old size {old} is above the checkpoint's {size}")]
    Shrunk {
        /// Old size in the request.
        old: u64,
        /// Size of the checkpoint.
        size: u64,
    },
    /// 404: no such log is configured.
    #[error("no log {0:?} is witnessed here")]
    UnknownOrigin(String),
    /// 403: no key of the log signed, or one signed wrongly.
    #[error("the checkpoint is not signed by its log: {0}")]
    Signature(NoteError),
    /// 409: the witness's last size is another one; the answer's body is this size.
    #[error("the newest checkpoint cosigned here has {size} leaves")]
    Conflict {
        /// Leaves in the tree cosigned last, 0 if none was.
        size: u64,
    },
    /// 409: two roots at one size. The log has forked, and this is the proof of it.
    #[error("another root was cosigned at {size} leaves")]
    Forked {
        /// The size at which the two differ.
        size: u64,
    },
    /// 422: the proof does not lead from the old tree to the new one.
    #[error("the consistency proof does not hold: {0}")]
    Proof(crate::error::ProofError),
}

impl WitnessRefusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Shrunk { .. } => 400,
            Self::Signature(_) => 403,
            Self::UnknownOrigin(_) => 404,
            Self::Conflict { .. } | Self::Forked { .. } => 409,
            Self::Proof(_) => 422,
        }
    }

    /// Body of an answer 409, of type [`SIZE_TYPE`]; other refusals may say what they like.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Conflict { size } | Self::Forked { size } => Some(*size),
            _ => None,
        }
    }
}

/// Decides one request: `log` is the configured log of the request's origin, `seen` what was cosigned of
/// it last, `now` Unix seconds. On success the new state must be kept before the cosignature leaves.
pub fn witness(
    signer: &Signer,
    log: Option<&WitnessedLog>,
    seen: Option<Seen>,
    request: &AddCheckpoint,
    now: u64,
) -> Result<(Seen, Cosignature), WitnessRefusal> {
    let origin = request.origin();
    let log = log.filter(|log| log.origin == origin);
    let log = log.ok_or_else(|| WitnessRefusal::UnknownOrigin(origin.to_owned()))?;
    request.note.verify(&log.keys).map_err(WitnessRefusal::Signature)?;
    let new = Seen { size: request.checkpoint.size(), root: *request.checkpoint.root() };
    if request.old > new.size {
        return Err(WitnessRefusal::Shrunk { old: request.old, size: new.size });
    }
    let size = seen.map_or(0, |seen| seen.size);
    if request.old != size {
        return Err(WitnessRefusal::Conflict { size });
    }
    let old = seen.unwrap_or(Seen { size: 0, root: empty_root() });
    if new.size == old.size && new.root != old.root {
        return Err(WitnessRefusal::Forked { size });
    }
    extends(&old, &new, &request.proof).map_err(WitnessRefusal::Proof)?;
    let cosignature = Cosignature::sign(signer, request.note.text(), now);
    Ok((new, cosignature.map_err(WitnessRefusal::Malformed)?))
}

/// Every tree extends the empty one, so nothing is proved about it, and nothing may be sent.
fn extends(old: &Seen, new: &Seen, proof: &[Hash]) -> Result<(), crate::error::ProofError> {
    if old.size == 0 {
        let got = proof.len();
        return if got == 0 { Ok(()) } else { Err(crate::error::ProofError::ProofLength { got }) };
    }
    verify_consistency(old.size, new.size, proof, &old.root, &new.root)
}

/// Reads the body of an answer 200 and gives the cosignature of the one witness that was asked. Lines of
/// other keys are ignored; a wrong line of this key, or none, is an error.
pub fn cosignature_in(
    answer: &[u8],
    note: &SignedNote,
    witness: &VerifierKey,
) -> Result<Cosignature, NoteError> {
    let bad = |why| NoteError::malformed("answer of a witness", why);
    if answer.len() > MAX_WITNESS_BYTES {
        let what = "answer of a witness";
        return Err(NoteError::TooLarge { what, limit: MAX_WITNESS_BYTES });
    }
    let text = str::from_utf8(answer).map_err(|_| bad("not UTF-8"))?;
    let lines = text.strip_suffix('\n').ok_or(bad("it does not end in a newline"))?;
    let mut found = None;
    for line in lines.split('\n') {
        let line = NoteSignature::parse(line)?;
        if line.name() != witness.name() || line.id() != witness.id() {
            continue;
        }
        let cosignature = Cosignature::from_line(&line)?;
        cosignature.verify(witness, note.text())?;
        found = found.or(Some(cosignature));
    }
    found.ok_or(NoteError::Unsigned)
}

/// Reads the body of an answer 409.
pub fn size_in(answer: &[u8]) -> Result<u64, NoteError> {
    let what = "size in the answer of a witness";
    let bad = || NoteError::malformed(what, "not a decimal number and a newline");
    let text = str::from_utf8(answer).map_err(|_| bad())?;
    decimal(text.strip_suffix('\n').ok_or_else(bad)?, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::proof::consistency_proof;
    use crate::reader::MemTree;
    use proptest::prelude::*;

    const ORIGIN: &str = "example.com/log";

    fn log() -> Signer {
        Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
    }

    fn me() -> Signer {
        Signer::from_seed("witness.example/w1", &[2; 32]).unwrap()
    }

    fn known() -> WitnessedLog {
        WitnessedLog { origin: ORIGIN.to_owned(), keys: vec![log().verifier_key()] }
    }

    /// Leaves `0..fork` are common to all trees; those behind it carry the branch.
    fn tree(size: u64, fork: u64, branch: u8) -> MemTree {
        (0..size)
            .map(|i| {
                let branch = if i < fork { 0 } else { branch };
                leaf_hash(&[&i.to_be_bytes()[..], &[branch]].concat())
            })
            .collect()
    }

    fn request(old: u64, tree: &MemTree) -> AddCheckpoint {
        let note = Checkpoint::new(ORIGIN, tree.size(), tree.root()).unwrap().sign(&log()).unwrap();
        let proof = match old {
            0 => Vec::new(),
            old if old > tree.size() => Vec::new(),
            old => consistency_proof(old, tree.size(), tree).unwrap(),
        };
        AddCheckpoint::new(old, proof, note).unwrap()
    }

    fn seen(tree: &MemTree) -> Option<Seen> {
        Some(Seen { size: tree.size(), root: tree.root() })
    }

    fn ask(
        seen: Option<Seen>,
        request: &AddCheckpoint,
    ) -> Result<(Seen, Cosignature), WitnessRefusal> {
        witness(&me(), Some(&known()), seen, request, 1_700_000_000)
    }

    #[test]
    fn the_request_of_the_specification_is_read_and_written_back() {
        let body = "old 20852014\n\
            PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
            jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
            5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
            /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
            \n\
            example.com/behind-the-sofa\n\
            20852163\n\
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
            \n\
            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
            — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
        let request = AddCheckpoint::parse(body.as_bytes()).unwrap();
        assert_eq!(request.origin(), "example.com/behind-the-sofa");
        assert_eq!((request.old(), request.checkpoint().size()), (20_852_014, 20_852_163));
        assert_eq!((request.proof.len(), request.note().signatures().len()), (4, 2));
        assert_eq!(request.to_string(), body);
    }

    #[test]
    fn malformed_requests_are_refused() {
        let good = request(3, &tree(7, 9, 0)).to_string();
        assert!(AddCheckpoint::parse(good.as_bytes()).is_ok());
        let head = good.split_once("\n\n").unwrap().0.to_owned();
        let note = good.split_once("\n\n").unwrap().1.to_owned();
        let hash = to_base64(&[7; 32]);
        let many = |n: usize| format!("old 1\n{}\n{note}", format!("{hash}\n").repeat(n));
        assert!(AddCheckpoint::parse(many(63).as_bytes()).is_ok());
        for bad in [
            String::new(),
            "\n\n".to_owned(),
            head.clone(),
            format!("{head}\n{note}"),
            good.replace("old 3", "old 03"),
            good.replace("old 3", "old  3"),
            good.replace("old 3", "old -3"),
            good.replace("old 3", "old 18446744073709551616"),
            good.replace("old 3", "size 3"),
            good.replace("old 3", " old 3"),
            good.replace('\n', "\r\n"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
            format!("old 1\n{}\n\n{note}", to_base64(&[7; 31])),
            many(64),
            format!("old 0\n\n{}", note.split_once("\n\n").unwrap().0),
        ] {
            assert!(AddCheckpoint::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(AddCheckpoint::parse(b"old 0\n\n\xff\n").is_err());
        let long = format!("{good}{}", "— a AAAAAAE=\n".repeat(MAX_WITNESS_BYTES / 10));
        assert!(matches!(AddCheckpoint::parse(long.as_bytes()), Err(NoteError::TooLarge { .. })));
    }

    #[test]
    fn a_log_is_followed_from_its_first_checkpoint_on() {
        let (small, large) = (tree(5, 99, 0), tree(300, 99, 0));
        let (state, first) = ask(None, &request(0, &small)).unwrap();
        assert_eq!(Some(state), seen(&small));
        assert_eq!((first.time, first.name.as_str()), (1_700_000_000, "witness.example/w1"));
        first.verify(&me().cosigner_key(), request(0, &small).note().text()).unwrap();
        let (state, _) = ask(Some(state), &request(5, &large)).unwrap();
        assert_eq!(Some(state), seen(&large));
        // The same again: a new time under the same tree.
        let (again, _) = ask(Some(state), &request(300, &large)).unwrap();
        assert_eq!(again, state);
    }

    #[test]
    fn every_refusal_has_its_status_and_changes_nothing() {
        let (old, new, fork) = (tree(5, 99, 0), tree(8, 99, 0), tree(8, 4, 1));
        let state = seen(&old);
        let status = |log, request: &AddCheckpoint| {
            let refusal = witness(&me(), log, state, request, 1).unwrap_err();
            (refusal.status(), refusal.size())
        };
        let known = known();
        let stranger = WitnessedLog { keys: vec![me().verifier_key()], ..known.clone() };
        assert_eq!(status(None, &request(5, &new)), (404, None));
        assert_eq!(status(Some(&stranger), &request(5, &new)), (403, None));
        assert_eq!(status(Some(&known), &request(0, &new)), (409, Some(5)));
        assert_eq!(status(Some(&known), &request(4, &new)), (409, Some(5)));
        assert_eq!(status(Some(&known), &request(9, &new)), (400, None));
        assert_eq!(status(Some(&known), &request(5, &fork)), (422, None));
        // Another root at the size that was cosigned: the proof of a fork.
        assert_eq!(status(Some(&known), &request(5, &tree(5, 4, 1))), (409, Some(5)));
        let mut padded = request(5, &new);
        padded.proof.push([0; 32]);
        assert_eq!(status(Some(&known), &padded), (422, None));
        // A first checkpoint takes no proof: it would say nothing.
        let mut first = request(0, &new);
        first.proof.push([0; 32]);
        assert_eq!(ask(None, &first).unwrap_err().status(), 422);
        // The signature is judged before the sizes, or strangers could learn them.
        let unsigned = AddCheckpoint::new(0, Vec::new(), {
            let text = Checkpoint::new(ORIGIN, 8, new.root()).unwrap().to_string();
            let mut note = SignedNote::new(&text).unwrap();
            note.sign(&Signer::from_seed(ORIGIN, &[9; 32]).unwrap()).unwrap();
            note
        });
        assert_eq!(status(Some(&known), &unsigned.unwrap()), (403, None));
    }

    #[test]
    fn a_tree_without_leaves_has_one_root() {
        let empty = Checkpoint::new(ORIGIN, 0, [7; 32]).unwrap().sign(&log()).unwrap();
        let request = AddCheckpoint::new(0, Vec::new(), empty).unwrap();
        assert_eq!(ask(None, &request), Err(WitnessRefusal::Forked { size: 0 }));
        let empty = Checkpoint::new(ORIGIN, 0, empty_root()).unwrap().sign(&log()).unwrap();
        let request = AddCheckpoint::new(0, Vec::new(), empty).unwrap();
        assert_eq!(ask(None, &request).unwrap().0.size, 0);
    }

    #[test]
    fn an_answer_counts_only_with_the_cosignature_of_the_witness_asked() {
        let request = request(0, &tree(5, 99, 0));
        let (_, cosignature) = ask(None, &request).unwrap();
        let (note, key) = (request.note(), me().cosigner_key());
        let line = cosignature.to_line();
        let other = Signer::from_seed("witness.example/w2", &[3; 32]).unwrap();
        let foreign = Cosignature::sign(&other, note.text(), 7).unwrap().to_line();
        let answer = format!("{foreign}\n{line}\n");
        assert_eq!(cosignature_in(answer.as_bytes(), note, &key), Ok(cosignature.clone()));
        for bad in [
            String::new(),
            "\n".to_owned(),
            format!("{line}"),
            format!("{foreign}\n"),
            format!("{line}\n\n"),
            format!("{}\n", Cosignature { time: 8, ..cosignature.clone() }.to_line()),
        ] {
            assert!(cosignature_in(bad.as_bytes(), note, &key).is_err(), "{bad:?}");
        }
        assert_eq!(size_in(b"20852014\n"), Ok(20_852_014));
        for bad in ["", "5", "05\n", "5\n\n", "-1\n", "five\n", "18446744073709551616\n"] {
            assert!(size_in(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever two branches of a log ask for, in any order: what was cosigned is one history.
        #[test]
        fn no_order_of_requests_gets_two_histories_cosigned(
            fork in 0u64..12,
            asks in proptest::collection::vec((0u64..16, 1u64..16, 0u8..3), 1..40),
        ) {
            let mut state: Option<Seen> = None;
            let mut cosigned: Vec<(u64, Hash)> = Vec::new();
            for (old, size, branch) in asks {
                let request = request(old, &tree(size, fork, branch));
                let before = state;
                match ask(state, &request) {
                    Ok((new, _)) => {
                        prop_assert!(new.size >= before.map_or(0, |s| s.size));
                        cosigned.push((new.size, new.root));
                        state = Some(new);
                    }
                    Err(refusal) => prop_assert_ne!(refusal.status(), 404),
                }
            }
            // One of the branches explains all of them.
            let explained = (0u8..3).any(|branch| {
                cosigned.iter().all(|(size, root)| tree(*size, fork, branch).root() == *root)
            });
            prop_assert!(explained);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, text in "(old |\\PC|\n|[0-9]){0,60}") {
            let _ = AddCheckpoint::parse(&bytes);
            let _ = size_in(&bytes);
            if let Ok(request) = AddCheckpoint::parse(text.as_bytes()) {
                prop_assert_eq!(request.to_string(), text);
            }
        }

        #[test]
        fn one_changed_byte_is_malformed_or_refused(at in 0usize..400, flip in 1u8..=255) {
            let (old, new) = (tree(5, 99, 0), tree(8, 99, 0));
            let mut body = request(5, &new).to_string().into_bytes();
            let at = at % body.len();
            body[at] ^= flip;
            let Ok(changed) = AddCheckpoint::parse(&body) else { return Ok(()) };
            prop_assert!(ask(seen(&old), &changed).is_err());
        }
    }
}
