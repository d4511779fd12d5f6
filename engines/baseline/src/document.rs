//! Facts as one JSON document: what snapshots keep and commands pass on. Contents of files are not in
//! it, only their hashes.

use serde_json::{Value as Json, json};

use crate::{
    bytes::Bytes,
    fact::{Fact, Facts, Unread},
};

/// Version of the document.
const FORMAT: u64 = 1;

/// Why a text is no document of facts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("not JSON: {0}")]
    Json(String),
    #[error("not a document of facts of format 1")]
    Format,
    #[error("{0}: not a fact")]
    Fact(String),
}

impl Facts {
    /// The document; equal facts give equal documents.
    pub fn to_document(&self) -> Json {
        json!({
            "format": FORMAT,
            "key_id": self.key_id,
            "attempted": self.attempted,
            "unread": self.unread,
            "unstable": self.unstable,
            "facts": self.iter().map(Fact::to_json).collect::<Vec<_>>(),
        })
    }

    /// Reads [`Facts::to_document`].
    pub fn from_document(bytes: &[u8]) -> Result<Facts, DocumentError> {
        let json: Json =
            serde_json::from_slice(bytes).map_err(|e| DocumentError::Json(e.to_string()))?;
        if json["format"] != FORMAT {
            return Err(DocumentError::Format);
        }
        let list = json["facts"].as_array().ok_or(DocumentError::Format)?;
        let mut found = Vec::with_capacity(list.len());
        for (number, one) in list.iter().enumerate() {
            let fact = Fact::from_json(one)
                .ok_or_else(|| DocumentError::Fact(format!("/facts/{number}")))?;
            found.push(fact);
        }
        let unread: Vec<Unread> =
            serde_json::from_value(json["unread"].clone()).map_err(|_| DocumentError::Format)?;
        let unstable: Vec<Bytes> =
            serde_json::from_value(json["unstable"].clone()).map_err(|_| DocumentError::Format)?;
        let mut facts = Facts::new(found);
        facts.unread = unread;
        facts.unstable = unstable;
        facts.attempted = json["attempted"].as_u64().unwrap_or_default();
        facts.key_id = json["key_id"].as_str().unwrap_or_default().to_owned();
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_document_comes_back() {
        let mut facts = testing::facts(&[
            ("/etc/passwd", "a:x:1:1::/:/bin/sh\nbroken\n"),
            ("/etc/group", "a:x:1:\n"),
        ]);
        let text = facts.to_document().to_string();
        facts.blobs.clear();
        assert_eq!(Facts::from_document(text.as_bytes()), Ok(facts));
        assert_eq!(Facts::from_document(b"{}"), Err(DocumentError::Format));
        assert!(matches!(Facts::from_document(b"x"), Err(DocumentError::Json(_))));
    }
}
