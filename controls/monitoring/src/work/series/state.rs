//! What series learnt, as it lies in the folder between two runs, with the offset up to which the stream was read.
//!
//! Invariants: the file is replaced as a whole; points up to its offset are on the disk before it; a piece of it that
//! is damaged, and what follows, is not taken up, and those series are made again from their points.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Id, Timestamp};
use room::Error;
use serde::{Deserialize, Serialize};
use steady::{Crossing, Fleet, Series};

use super::{
    files::{About, Folder, TEN, list, read},
    frames::{self, Pieces},
    site::{Site, Tracked},
};
use crate::work::live::Again;

/// Days of points from which a series is made again: as long as it remembers.
const REBUILD_DAYS: i64 = 42;
const HEAD: usize = 40;

/// What stands before the series.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Head {
    pub at: u64,
    pub slot: i64,
    pub tests: u64,
    pub fleet: String,
    /// Source, host and count.
    pub heard: Vec<(String, String, u64)>,
    pub no_room: u64,
    pub too_old: u64,
    pub gone_bytes: u64,
    /// Judgements and decisions that were followed, and up to when they were looked at.
    pub followed: BTreeSet<Id>,
    pub looked_at: i64,
    pub again: HashMap<Id, Again>,
    /// Series that lie beyond a threshold that was set.
    #[serde(default)]
    pub crossings: Vec<(u64, Crossing)>,
    /// Hours that the clock was ahead by which the series were learnt.
    #[serde(default)]
    pub ahead: Option<i32>,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("state")
}

/// Replaces the state.
pub(super) fn write(folder: &Path, head: &Head, site: &Site) -> Result<(), Error> {
    let head = Head {
        slot: site.slot,
        tests: site.tests,
        no_room: site.no_room,
        too_old: site.too_old,
        fleet: hex::encode(site.fleet.snapshot()),
        ahead: Some(site.ahead()),
        crossings: {
            let beyond = site.known.iter().filter(|(_, tracked)| !tracked.crossing.is_idle());
            beyond.map(|(id, tracked)| (*id, tracked.crossing)).collect()
        },
        heard: site.heard.iter().map(|((s, h), n)| (s.clone(), h.clone(), *n)).collect(),
        ..head.clone()
    };
    let mut bytes = Vec::with_capacity(1_200 * site.known.len());
    frames::put(&mut bytes, &serde_json::to_vec(&head).map_err(Error::said)?);
    for (id, tracked) in &site.known {
        let mut piece = id.to_le_bytes().to_vec();
        piece.extend(tracked.first.to_le_bytes());
        piece.extend(tracked.last.to_le_bytes());
        piece.extend(tracked.value.to_le_bytes());
        piece.extend(tracked.points.to_le_bytes());
        piece.extend(tracked.series.snapshot());
        frames::put(&mut bytes, &piece);
    }
    let path = path(folder);
    disk::replace(&path, &bytes).map_err(|source| Error::Io { path, source })
}

/// What was found in the folder.
pub(super) struct Found {
    pub site: Site,
    /// None where there is no state, or none that can be read.
    pub head: Option<Head>,
    /// Series that were made again from their points.
    pub rebuilt: usize,
}

/// Takes up the state into a site that knows rules and calendar; what is missing or damaged is made again from the
/// points.
pub(super) fn take_up(folder: &Path, mut site: Site, now: Timestamp) -> Result<Found, Error> {
    // Mends what a crash left.
    drop(Folder::open(folder)?);
    let names = list(folder)?;
    let path = path(folder);
    let bytes = frames::bytes_of(&path).map_err(|source| Error::Io { path, source })?;
    let mut pieces = Pieces::of(&bytes);
    let head: Option<Head> = pieces.next().and_then(|piece| serde_json::from_slice(piece).ok());
    if let Some(head) = &head {
        (site.slot, site.tests) = (head.slot, head.tests);
        (site.no_room, site.too_old) = (head.no_room, head.too_old);
        let heard = head.heard.iter().map(|(s, h, n)| ((s.clone(), h.clone()), *n));
        site.heard = heard.collect();
        let fleet = hex::decode(&head.fleet).ok().and_then(|bytes| Fleet::restore(&bytes).ok());
        site.fleet = fleet.unwrap_or_default();
        let named: HashMap<u64, &About> = names.iter().map(|about| (about.id, about)).collect();
        let tracked = pieces.by_ref().filter_map(|piece| tracked(piece, &named));
        site.known.extend(tracked);
        let ahead = site.ahead();
        site.move_week(head.ahead.unwrap_or(ahead), ahead);
        let rules = (*site.rules).clone();
        site.judge_by(rules);
        for (id, crossing) in &head.crossings {
            if let Some(tracked) = site.known.get_mut(id) {
                tracked.crossing = *crossing;
            }
        }
    }
    let mut rebuilt = 0;
    for about in names {
        if site.known.contains_key(&about.id) {
            continue;
        }
        let id = about.id;
        let from = now.minus_hours(24 * REBUILD_DAYS);
        let to = now.plus_hours(24);
        let rows = read(folder, id, from, to, 0).or_else(|_| read(folder, id, from, to, TEN))?;
        site.rebuild(about, rows.into_iter().map(|row| (row.time, row.max)));
        rebuilt += usize::from(site.known.contains_key(&id));
    }
    Ok(Found { site, head, rebuilt })
}

fn tracked(piece: &[u8], named: &HashMap<u64, &About>) -> Option<(u64, Tracked)> {
    let (head, snapshot) = piece.split_at_checked(HEAD)?;
    let wide = |at: usize| std::array::from_fn(|n| head[at + n]);
    let id = u64::from_le_bytes(wide(0));
    let about = Arc::new((*named.get(&id)?).clone());
    let series = Series::restore(snapshot).ok()?;
    let tracked = Tracked {
        first: i64::from_le_bytes(wide(8)),
        last: i64::from_le_bytes(wide(16)),
        value: f64::from_le_bytes(wide(24)),
        points: u64::from_le_bytes(wide(32)),
        ..Tracked::new(about, series)
    };
    Some((id, tracked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::series::{Point, Shape};

    const START: i64 = 20_785 * 86_400_000_000;

    fn about(id: u64) -> About {
        let (source, host) = ("node".to_owned(), "db1".to_owned());
        About { id, source, host, name: "load".to_owned(), labels: vec![], shape: Shape::Gauge }
    }

    fn filled(folder: &Path) -> Site {
        let mut files = Folder::open(folder).unwrap();
        let mut site = Site::default();
        let points: Vec<(i64, f64)> = (0..600)
            .map(|n| (START + n * TEN, 20.0 + (n % 144) as f64 + (n * 7 % 5) as f64))
            .collect();
        for id in [1, 2, 3] {
            files.name(&[about(id)]).unwrap();
            let of = |(time, value): &(i64, f64)| Point { series: id, time: *time, value: *value };
            files.append(&points.iter().map(of).collect::<Vec<_>>()).unwrap();
            site.rebuild(about(id), points.iter().copied());
        }
        files.sync().unwrap();
        site
    }

    #[test]
    fn another_clock_after_a_restart_keeps_what_was_learnt() {
        let place = tempfile::tempdir().unwrap();
        let site = filled(place.path());
        write(place.path(), &Head { at: 77, ..Head::default() }, &site).unwrap();
        let utc = Arc::new(steady::Calendar::utc());
        let elsewhere = Site::of(utc, Default::default());
        let found = take_up(place.path(), elsewhere, now()).unwrap();
        let mut moved = site.known[&1].series.clone();
        moved.move_week(-9);
        assert_eq!((found.rebuilt, &found.site.known[&1].series), (0, &moved));
        assert_ne!(moved, site.known[&1].series);
    }

    fn now() -> Timestamp {
        Timestamp(START + 700 * TEN)
    }

    #[test]
    fn a_series_goes_on_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let site = filled(place.path());
        let head =
            Head { at: 77, again: [(Id::nil(), Again::default())].into(), ..Head::default() };
        write(place.path(), &head, &site).unwrap();
        let found = take_up(place.path(), Site::default(), now()).unwrap();
        assert_eq!((found.rebuilt, found.head.unwrap().at), (0, 77));
        for id in [1, 2, 3] {
            assert_eq!(found.site.known[&id].series, site.known[&id].series);
            assert_eq!(found.site.known[&id].points, 600);
        }
    }

    #[test]
    fn what_is_damaged_is_made_again_from_its_points() {
        let place = tempfile::tempdir().unwrap();
        let site = filled(place.path());
        write(place.path(), &Head { at: 77, ..Head::default() }, &site).unwrap();
        let whole = std::fs::read(place.path().join("state")).unwrap();
        // In the head; in the second series; none at all.
        for (damage, rebuilt) in [(12, 3), (whole.len() - 1_500, 2), (whole.len() - 5, 1)] {
            let mut bytes = whole.clone();
            bytes[damage] ^= 1;
            std::fs::write(place.path().join("state"), &bytes).unwrap();
            let found = take_up(place.path(), Site::default(), now()).unwrap();
            assert_eq!((found.rebuilt, found.head.is_none()), (rebuilt, rebuilt == 3));
            for id in [1, 2, 3] {
                assert_eq!(found.site.known[&id].series, site.known[&id].series, "{damage}");
            }
        }
    }
}
