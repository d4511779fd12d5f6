//! Which items a row of a set came with: what a hit leads back to.
//!
//! A file of `UMEORIG`, version, number of items and of links (little-endian `u32`), the items (16 bytes each), then
//! the links, sorted: a row's id (`u64`) and the place of an item (`u32`). Looked up where it lies.

use std::{collections::BTreeMap, path::Path};

use crate::{Error, FileRef, publish::add_named};

const MAGIC: [u8; 8] = *b"UMEORIG\x01";
const HEAD: usize = MAGIC.len() + 8;
const ITEM: usize = 16;
const LINK: usize = 12;
pub(crate) const PREFIX: &str = "origins";
pub(crate) const ENDING: &str = "idx";
/// Items that are told of one row.
pub const ITEMS_OF_ROW_MAX: usize = 16;

/// Stores which items each row came with. Nothing is in force by that.
pub fn add_origins(folder: &Path, rows: &BTreeMap<u64, Vec<[u8; 16]>>) -> Result<FileRef, Error> {
    let mut items: Vec<[u8; 16]> = rows.values().flatten().copied().collect();
    items.sort_unstable();
    items.dedup();
    let mut links = Vec::new();
    for (row, of) in rows {
        for item in of.iter().take(ITEMS_OF_ROW_MAX) {
            let place = items.binary_search(item).unwrap_or_default() as u32;
            links.extend(row.to_le_bytes());
            links.extend(place.to_le_bytes());
        }
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend((items.len() as u32).to_le_bytes());
    bytes.extend(((links.len() / LINK) as u32).to_le_bytes());
    items.iter().for_each(|item| bytes.extend(item));
    bytes.extend(links);
    add_named(folder, PREFIX, ENDING, &bytes)
}

/// Whether a file of a set is this one.
pub(crate) fn is_it(name: &str) -> bool {
    name.starts_with("origins-") && name.ends_with(".idx")
}

/// The parts of a file; `None` if it is none.
struct Parts<'a> {
    items: &'a [u8],
    links: &'a [u8],
}

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let number = |at: usize| {
        let four = bytes.get(MAGIC.len() + at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*four)).ok()
    };
    bytes.strip_prefix(&MAGIC)?;
    let (items, links) = (number(0)?.checked_mul(ITEM)?, number(4)?.checked_mul(LINK)?);
    let rest = bytes.get(HEAD..)?;
    let (items, rest) = rest.split_at_checked(items)?;
    (rest.len() == links).then_some(Parts { items, links: rest })
}

/// Whether the file is whole.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Result<(), Error> {
    match parts(bytes) {
        Some(_) => Ok(()),
        None => Err(Error::Damage { name: name.to_owned(), damage: "cut short".to_owned() }),
    }
}

/// The items of a row; none where nothing is known.
pub(crate) fn of(bytes: &[u8], row: u64) -> Vec<[u8; 16]> {
    let Some(Parts { items, links }) = parts(bytes) else { return Vec::new() };
    let link = |at: usize| links.get(at * LINK..at * LINK + LINK);
    let row_of =
        |at: usize| link(at).and_then(|l| l.first_chunk::<8>()).map(|b| u64::from_le_bytes(*b));
    let (mut low, mut high) = (0, links.len() / LINK);
    while low < high {
        let middle = low + (high - low) / 2;
        match row_of(middle) {
            Some(other) if other < row => low = middle + 1,
            _ => high = middle,
        }
    }
    let mut found = Vec::new();
    while row_of(low) == Some(row) && found.len() < ITEMS_OF_ROW_MAX {
        let place = link(low).and_then(|l| l.last_chunk::<4>()).map(|b| u32::from_le_bytes(*b));
        let at = place.unwrap_or(u32::MAX) as usize;
        let item = items.get(at.saturating_mul(ITEM)..).and_then(|rest| rest.first_chunk::<16>());
        found.extend(item.copied());
        low += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_items_and_a_torn_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let rows: BTreeMap<u64, Vec<[u8; 16]>> =
            [(0, vec![[9; 16], [1; 16]]), (7, vec![[9; 16]]), (u64::MAX, vec![[3; 16]])].into();
        let file = add_origins(folder.path(), &rows).unwrap();
        assert!(is_it(&file.name));
        let bytes = std::fs::read(folder.path().join(&file.name)).unwrap();
        check("o", &bytes).unwrap();
        for (row, items) in &rows {
            assert_eq!(&of(&bytes, *row), items, "{row}");
        }
        assert!(of(&bytes, 1).is_empty());
        for cut in 0..bytes.len() {
            assert!(check("o", &bytes[..cut]).is_err(), "{cut}");
            of(&bytes[..cut], 7);
        }
    }
}
