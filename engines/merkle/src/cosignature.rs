//! c2sp.org/tlog-cosignature, Ed25519 form (type 0x04): a witness says when it saw a checkpoint as the
//! largest consistent tree of its log.

use crate::error::NoteError;
use crate::key::{KeyId, KeyKind, Signer, VerifierKey};
use crate::note::NoteSignature;

/// First line of the signed message; it keeps cosignatures apart from signed texts.
pub(crate) const HEADER: &str = "cosignature/v1\n";

/// Largest time the format allows.
const MAX_TIME: u64 = i64::MAX as u64;

/// A cosignature as its line in a note carries it: `u64 big-endian time ‖ 64-byte signature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness.
    pub name: String,
    /// Id of the witness's key.
    pub id: KeyId,
    /// Unix seconds at which the witness signed.
    pub time: u64,
    /// Ed25519 signature of [`Cosignature::message`].
    pub signature: [u8; 64],
}

impl Cosignature {
    /// The bytes a witness signs: header, `time <seconds>`, then the text of the checkpoint.
    pub fn message(time: u64, text: &str) -> String {
        format!("{HEADER}time {time}\n{text}")
    }

    /// Cosigns the text of a checkpoint as seen at `time` (Unix seconds, at most 2^63 - 1).
    pub fn sign(signer: &Signer, text: &str, time: u64) -> Result<Self, NoteError> {
        if time > MAX_TIME {
            return Err(NoteError::malformed("cosignature", "the time is above 2^63 - 1"));
        }
        let signature = signer.sign_bytes(Self::message(time, text).as_bytes());
        let key = signer.cosigner_key();
        Ok(Self { name: key.name().to_owned(), id: key.id(), time, signature })
    }

    /// Reads the bytes of a signature line. That the line is of a cosigner only its key can tell.
    pub fn from_line(line: &NoteSignature) -> Result<Self, NoteError> {
        let bad = |why| NoteError::malformed("cosignature", why);
        let (time, signature) =
            line.signature.split_first_chunk::<8>().ok_or(bad("shorter than its time"))?;
        let time = u64::from_be_bytes(*time);
        if time > MAX_TIME {
            return Err(bad("the time is above 2^63 - 1"));
        }
        let signature = signature.try_into().map_err(|_| bad("not 72 bytes long"))?;
        Ok(Self { name: line.name.clone(), id: line.id, time, signature })
    }

    /// The signature line.
    pub fn to_line(&self) -> NoteSignature {
        let signature = [self.time.to_be_bytes().as_slice(), &self.signature].concat();
        NoteSignature { name: self.name.clone(), id: self.id, signature }
    }

    /// Checks the cosignature over the text of a checkpoint with the key of its witness.
    pub fn verify(&self, key: &VerifierKey, text: &str) -> Result<(), NoteError> {
        let of_key =
            key.kind() == KeyKind::CosignatureV1 && key.name() == self.name && key.id() == self.id;
        if !of_key {
            return Err(NoteError::Unsigned);
        }
        key.check(text, &self.to_line()).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn witness() -> Signer {
        Signer::from_seed("witness.example/w1", &[5; 32]).unwrap()
    }

    #[test]
    fn the_message_is_that_of_the_specification() {
        let expected = format!("cosignature/v1\ntime 1679315147\n{TEXT}");
        assert_eq!(Cosignature::message(1_679_315_147, TEXT), expected);
    }

    #[test]
    fn the_line_of_the_specification_is_read() {
        let line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let line = NoteSignature::parse(line).unwrap();
        let cosignature = Cosignature::from_line(&line).unwrap();
        assert_eq!(cosignature.time, 1_679_315_147);
        assert_eq!(cosignature.to_line(), line);
    }

    #[test]
    fn a_cosignature_binds_time_and_text() {
        let key = witness().cosigner_key();
        let good = Cosignature::sign(&witness(), TEXT, 7).unwrap();
        assert_eq!(good.verify(&key, TEXT), Ok(()));
        let later = Cosignature { time: 8, ..good.clone() };
        assert!(later.verify(&key, TEXT).is_err());
        assert!(good.verify(&key, "other\n").is_err());
        assert_eq!(good.verify(&witness().verifier_key(), TEXT), Err(NoteError::Unsigned));
    }

    #[test]
    fn times_above_the_limit_and_wrong_lengths_are_refused() {
        assert!(Cosignature::sign(&witness(), TEXT, 1 << 63).is_err());
        let mut line = Cosignature::sign(&witness(), TEXT, 7).unwrap().to_line();
        for signature in [vec![], vec![0; 7], vec![0; 71], vec![0; 73], vec![0xff; 72]] {
            line.signature = signature;
            assert!(Cosignature::from_line(&line).is_err());
        }
    }
}
