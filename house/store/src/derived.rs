//! Ids of rows that exist once: whoever makes the row of the same matter makes the same id, on every node
//! and after every restart.

use model::{Id, Timestamp};
use sha2::{Digest, Sha256};

/// The id of a row that follows from `text`, which names what it is about; `at` is a moment that belongs
/// to the matter, never the present.
pub fn derived_id(at: Timestamp, text: &str) -> Id {
    let hash = Sha256::digest(text);
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    Id::from_parts(at, &random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_its_matter_and_stays_what_it_was() {
        let at = Timestamp(1_795_600_000_000_000);
        let id = derived_id(at, "ume/next/x");
        // Rows with these ids are in databases.
        assert_eq!(id.to_string(), "01a21219-a400-7845-9dc4-64455f9804d9");
        assert_ne!(derived_id(at, "ume/next/y"), id);
        assert_ne!(derived_id(at.plus_hours(1), "ume/next/x"), id);
    }
}
