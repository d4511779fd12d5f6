//! An entry of systemd's journal export format.

use super::{Draft, Shape, json};
use crate::{decode::decode, export::fields};

/// Reads an entry; `false` if it is none. A field that stands several times keeps all its values, one
/// to a line.
pub fn read(draft: &mut Draft, entry: &[u8]) -> bool {
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in fields(entry) {
        let (name, value) = (String::from_utf8_lossy(name), decode(value).0);
        match all.iter().position(|(known, _)| *known == name) {
            Some(at) => {
                all[at].1.push('\n');
                all[at].1.push_str(&value);
            }
            None if all.len() > super::MAX_FIELDS => draft.dropped += 1,
            None => all.push((name.into_owned(), value)),
        }
    }
    json::journal(draft, |wanted| {
        all.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    });
    draft.shape = Some(Shape::Journal);
    for (name, value) in &all {
        draft.set(name, value.as_str());
    }
    !all.is_empty()
}
