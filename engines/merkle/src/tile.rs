//! c2sp.org/tlog-tiles: how a tree is cut into files that never change, and their bytes.
//!
//! Invariants: a [`TileId`] has one spelling, and only that one is read back; a partial tile is never
//! hashed into the level above; an entry carries a big-endian u16 length, so it has at most 65,535
//! bytes.

use crate::error::TileError;
use crate::hash::Hash;
use std::fmt::Write;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Most bytes in one entry of a bundle, what its length prefix can say.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Highest tile level the format names; a tree of `u64` size ends at level 7.
const MAX_LEVEL: u8 = 63;

/// Names one tile: `width` nodes of height `8 * level`, from node `256 * index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

impl TileId {
    /// A tile of level 0 to 63 and width 1 to 256.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > MAX_LEVEL || width == 0 || width > TILE_WIDTH {
            return Err(TileError::Shape { level, width });
        }
        Ok(Self { level, index, width })
    }

    /// The tile that holds, or can be hashed up to, the full node `index` of height `height` in a tree
    /// of `size` leaves; `None` where that tree has no such full node.
    pub fn of_node(height: u32, index: u64, size: u64) -> Option<Self> {
        let end = index.checked_add(1)?;
        if height >= u64::BITS || end > size >> height {
            return None;
        }
        let (level, inner) = (height / 8, height % 8);
        let tile = (index << inner) / u64::from(TILE_WIDTH);
        let nodes = (size >> (level * 8)) - tile * u64::from(TILE_WIDTH);
        let width = nodes.min(u64::from(TILE_WIDTH)) as u16;
        Some(Self { level: level as u8, index: tile, width })
    }

    /// Tile level: its nodes stand `8 * level` above the leaves.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Position of the tile in its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes in the tile, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile holds fewer than 256 hashes.
    pub fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// `tile/<L>/<N>[.p/<W>]`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.position())
    }

    /// `tile/entries/<N>[.p/<W>]`, the bundle whose entries the hashes of this tile are of; `None`
    /// above level 0.
    pub fn entries_path(&self) -> Option<String> {
        (self.level == 0).then(|| format!("tile/entries/{}", self.position()))
    }

    /// Reads [`TileId::path`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let bad = || TileError::Path(path.chars().take(80).collect());
        let (level, position) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or_else(bad)?;
        let level = level.parse().map_err(|_| bad())?;
        let tile = Self::at_position(level, position).ok_or_else(bad)?;
        if tile.path() == path { Ok(tile) } else { Err(bad()) }
    }

    /// Reads [`TileId::entries_path`] as the tile of level 0 beside it.
    pub fn parse_entries(path: &str) -> Result<Self, TileError> {
        let bad = || TileError::Path(path.chars().take(80).collect());
        let position = path.strip_prefix("tile/entries/").ok_or_else(bad)?;
        let tile = Self::at_position(0, position).ok_or_else(bad)?;
        if tile.entries_path().as_deref() == Some(path) { Ok(tile) } else { Err(bad()) }
    }

    fn position(&self) -> String {
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{digits:0>width$}", width = groups * 3);
        let mut path = String::new();
        for group in 0..groups {
            let prefix = if group + 1 < groups { "x" } else { "" };
            let slash = if group > 0 { "/" } else { "" };
            let _ = write!(path, "{slash}{prefix}{}", &padded[group * 3..group * 3 + 3]);
        }
        if self.is_partial() {
            let _ = write!(path, ".p/{}", self.width);
        }
        path
    }

    /// Reads leniently; the callers compare the spelling.
    fn at_position(level: u8, position: &str) -> Option<Self> {
        let (groups, width) = match position.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse().ok()?),
            None => (position, TILE_WIDTH),
        };
        let digits: String = groups.split('/').map(|group| group.trim_start_matches('x')).collect();
        Self::new(level, digits.parse().ok()?, width).ok()
    }
}

/// The tiles to write when a log grows: those that are new or wider in the tree of `new_size`, in order
/// of level and index. The result has a tile for every 255 or so leaves of growth.
pub fn tiles_for_growth(old_size: u64, new_size: u64) -> Vec<TileId> {
    let mut tiles = Vec::new();
    for level in 0..8_u8 {
        let (old, new) = (old_size >> (8 * level), new_size >> (8 * level));
        if new <= old {
            break;
        }
        let width = u64::from(TILE_WIDTH);
        tiles.extend((old / width..new.div_ceil(width)).map(|index| TileId {
            level,
            index,
            width: (new - index * width).min(width) as u16,
        }));
    }
    tiles
}

/// Joins hashes to the bytes of a tile.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// Cuts the bytes of a tile, 1 to 256 hashes, into its hashes.
pub fn decode_tile(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.is_empty() || !rest.is_empty() {
        return Err(TileError::Truncated { at: bytes.len() - rest.len() });
    }
    if hashes.len() > usize::from(TILE_WIDTH) {
        return Err(TileError::TooMany);
    }
    Ok(hashes.to_vec())
}

/// Joins at most 256 entries to a bundle: each a big-endian u16 length and the bytes.
pub fn encode_bundle(entries: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, TileError> {
    if entries.len() > usize::from(TILE_WIDTH) {
        return Err(TileError::TooMany);
    }
    let mut bundle = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len())
            .map_err(|_| TileError::EntryTooLong { position, bytes: entry.len() })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Cuts a bundle into its entries, at most 256, without copying them.
pub fn decode_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if entries.len() == usize::from(TILE_WIDTH) {
            return Err(TileError::TooMany);
        }
        let truncated = TileError::Truncated { at: bytes.len() - rest.len() };
        let Some((length, after)) = rest.split_first_chunk::<2>() else {
            return Err(truncated);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(truncated)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(level: u8, index: u64, width: u16) -> TileId {
        TileId::new(level, index, width).unwrap()
    }

    #[test]
    fn paths_have_groups_of_three_digits() {
        assert_eq!(id(0, 1_234_067, 256).path(), "tile/0/x001/x234/067");
        assert_eq!(id(1, 0, 17).path(), "tile/1/000.p/17");
        assert_eq!(id(0, 999, 256).entries_path().unwrap(), "tile/entries/999");
        assert_eq!(id(1, 999, 256).entries_path(), None);
        assert_eq!(id(7, u64::MAX, 1).path(), "tile/7/x018/x446/x744/x073/x709/x551/615.p/1");
    }

    #[test]
    fn only_the_canonical_path_is_read() {
        for path in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/1",
            "tile/0/0001",
            "tile/0/x000/001",
            "tile/00/001",
            "tile/+0/001",
            "tile/64/001",
            "tile/256/001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/001.p/",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/xx01/002",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "/tile/0/001",
            "tile/0/001/",
            "tile/entries/001",
            "tile/0/+01",
            "tile/0/００１",
        ] {
            assert!(TileId::parse(path).is_err(), "{path}");
        }
        assert!(TileId::parse_entries("tile/0/001").is_err());
    }

    #[test]
    fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
        let tiles = tiles_for_growth(0, 70_000);
        let full = |level| tiles.iter().filter(|t| t.level() == level && !t.is_partial()).count();
        assert_eq!((full(0), full(1), full(2)), (273, 1, 0));
        let partial: Vec<TileId> = tiles.iter().copied().filter(TileId::is_partial).collect();
        assert_eq!(partial, [id(0, 273, 112), id(1, 1, 17), id(2, 0, 1)]);
        assert_eq!(tiles_for_growth(0, 256), [id(0, 0, 256), id(1, 0, 1)]);
    }

    #[test]
    fn growth_at_the_end_of_the_counter_has_few_tiles() {
        let tiles = tiles_for_growth(u64::MAX - 1, u64::MAX);
        assert_eq!(tiles, [id(0, u64::MAX >> 8, 255)]);
        assert_eq!(tiles_for_growth(5, 5), []);
        assert_eq!(tiles_for_growth(6, 5), []);
    }

    #[test]
    fn bundles_and_tiles_that_end_early_or_run_over_are_refused() {
        assert_eq!(decode_bundle(&[0]), Err(TileError::Truncated { at: 0 }));
        assert_eq!(decode_bundle(&[0, 1, 9, 0, 2, 1]), Err(TileError::Truncated { at: 3 }));
        assert_eq!(decode_bundle(&[0; 514]), Err(TileError::TooMany));
        let long = encode_bundle(&[vec![0; 65_536]]);
        assert_eq!(long, Err(TileError::EntryTooLong { position: 0, bytes: 65_536 }));
        assert_eq!(encode_bundle(&[[0; 0]; 257]), Err(TileError::TooMany));
        assert_eq!(decode_tile(&[0; 33]), Err(TileError::Truncated { at: 32 }));
        assert_eq!(decode_tile(&[]), Err(TileError::Truncated { at: 0 }));
        assert_eq!(decode_tile(&[0; 257 * 32]), Err(TileError::TooMany));
    }

    proptest! {
        #[test]
        fn every_tile_is_read_back(level in 0..64_u8, index: u64, width in 1..=256_u16) {
            let tile = id(level, index, width);
            prop_assert_eq!(TileId::parse(&tile.path()), Ok(tile));
            let entries = id(0, index, width);
            prop_assert_eq!(TileId::parse_entries(&entries.entries_path().unwrap()), Ok(entries));
        }

        #[test]
        fn every_bundle_is_read_back(entries in prop::collection::vec(any::<Vec<u8>>(), 0..=256)) {
            let bundle = encode_bundle(&entries).unwrap();
            prop_assert_eq!(decode_bundle(&bundle).unwrap(), entries);
        }

        #[test]
        fn every_tile_content_is_read_back(hashes in prop::collection::vec(any::<Hash>(), 1..=256)) {
            prop_assert_eq!(decode_tile(&encode_tile(&hashes)).unwrap(), hashes);
        }

        #[test]
        fn growing_in_steps_writes_the_tiles_of_the_whole(a in 0..200_000_u64, b in 0..200_000_u64) {
            let (middle, end) = (a.min(b), a.max(b));
            let mut kept = tiles_for_growth(0, middle);
            let grown = tiles_for_growth(middle, end);
            kept.retain(|t| !grown.iter().any(|g| (g.level, g.index) == (t.level, t.index)));
            kept.extend(grown);
            kept.sort();
            prop_assert_eq!(kept, tiles_for_growth(0, end));
        }

        #[test]
        fn foreign_paths_and_bytes_never_panic(path: String, bytes: Vec<u8>) {
            let _ = (TileId::parse(&path), TileId::parse_entries(&path), decode_bundle(&bytes));
        }
    }
}
