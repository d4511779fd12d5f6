//! The folder `series/`: every measured point for ninety days, ten-minute summaries for two years.
//!
//! | file | holds |
//! |---|---|
//! | `names` | which series there are, a piece of JSON each |
//! | `raw/DAY.log` | points as they come, not sorted; one piece for each write |
//! | `raw/DAY.NUMBER.part` | a log that grew too long, sorted by series |
//! | `raw/DAY.day`, `ten/DAY.day` | a day that is over: all of it in one file, and its summaries |
//!
//! Invariants: a point lies in the files of the day (UTC) of its own time, however late it comes; the same point
//! twice is one; who reads looks at logs before parts before days, so that nothing is missed while a day is closed;
//! a file is replaced as a whole or not at all, and inputs go after their result is there.
//! Limits: [`RAW_DAYS`], [`TEN_DAYS`], [`LOG_BYTES_MAX`], [`ROWS_READ_MAX`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use model::Timestamp;
use room::Error;
use serde::{Deserialize, Serialize};

use super::{
    block::{Columns, ROWS_MAX, Sealed, Sealer},
    frames::{self, Pieces},
};

/// Days for which points are kept.
pub const RAW_DAYS: i64 = 90;
/// Days for which ten-minute summaries are kept.
pub const TEN_DAYS: i64 = 731;
/// Most rows that [`read`] gives.
pub const ROWS_READ_MAX: usize = 200_000;
/// A log of this length becomes a part.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// A day is closed this long after its end.
const CLOSE_AFTER: i64 = HOUR;
pub const TEN: i64 = 10 * 60 * 1_000_000;
const HOUR: i64 = 6 * TEN;
pub(super) const DAY: i64 = 24 * HOUR;
const POINT: usize = 24;

/// How the values of a series behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    Gauge,
    Counter,
    State,
    Uptime,
}

/// Which series it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub id: u64,
    pub source: String,
    pub host: String,
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub shape: Shape,
}

impl About {
    /// Name and labels as monitoring systems write them.
    pub fn title(&self) -> String {
        let labels: Vec<String> = self.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
        match labels.is_empty() {
            true => self.name.clone(),
            false => format!("{}{{{}}}", self.name, labels.join(",")),
        }
    }
}

/// One measured point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub series: u64,
    pub time: i64,
    pub value: f64,
}

/// What a series was in one step of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Where the step begins; of a single point its own time.
    pub time: i64,
    pub count: u64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
}

impl Row {
    fn of(time: i64, value: f64) -> Row {
        Row { time, count: 1, min: value, max: value, mean: value }
    }

    fn take_in(&mut self, other: &Row) {
        let count = self.count + other.count;
        self.mean += (other.mean - self.mean) * (other.count as f64 / count.max(1) as f64);
        (self.count, self.min, self.max) =
            (count, self.min.min(other.min), self.max.max(other.max));
    }
}

/// The series that are known, in the order in which they came first.
pub fn list(folder: &Path) -> Result<Vec<About>, Error> {
    let path = folder.join("names");
    let bytes = frames::bytes_of(&path).map_err(at(&path))?;
    Ok(Pieces::of(&bytes).filter_map(|piece| serde_json::from_slice(piece).ok()).collect())
}

/// What a series was between two times, in steps of so many microseconds: points in steps of 0. Where points are no
/// longer kept, steps are ten minutes at least. Steps in which nothing was measured are not there.
///
/// It reads files: call it where blocking is allowed. The folder may be written meanwhile.
pub fn read(
    folder: &Path,
    series: u64,
    from: Timestamp,
    to: Timestamp,
    step: i64,
) -> Result<Vec<Row>, Error> {
    let mut all = read_many(folder, &BTreeSet::from([series]), from, to, step)?;
    Ok(all.remove(&series).unwrap_or_default())
}

/// The same of several series; each file is read once. A series of which there is nothing is not there.
pub fn read_many(
    folder: &Path,
    series: &BTreeSet<u64>,
    from: Timestamp,
    to: Timestamp,
    step: i64,
) -> Result<BTreeMap<u64, Vec<Row>>, Error> {
    let mut all: BTreeMap<u64, Vec<Row>> = BTreeMap::new();
    let mut count = 0;
    for day in day_of(from.0)..=day_of(to.0 - 1) {
        let is_whole = from.0 <= day * DAY && (day + 1) * DAY <= to.0;
        for (id, rows) in of_day(folder, series, day, is_whole && step >= TEN && step % TEN == 0)? {
            let kept = all.entry(id).or_default();
            let before = kept.len();
            for row in rows.into_iter().filter(|row| (from.0..to.0).contains(&row.time)) {
                match kept.last_mut() {
                    Some(last) if step > 0 && last.time == floor(row.time, step) => {
                        last.take_in(&row);
                    }
                    _ => kept.push(Row { time: floor(row.time, step), ..row }),
                }
            }
            count += kept.len() - before;
        }
        if count > ROWS_READ_MAX {
            return Err(Error::said(format!(
                "series have more than {ROWS_READ_MAX} rows in this range: ask for longer steps"
            )));
        }
    }
    Ok(all)
}

/// The rows of one day: summaries if they will do or if points are gone, else points.
fn of_day(
    folder: &Path,
    series: &BTreeSet<u64>,
    day: i64,
    summed: bool,
) -> Result<BTreeMap<u64, Vec<Row>>, Error> {
    // A log or part beside the day holds what the summaries do not have yet.
    let is_late = raw(folder, day, "log").exists() || !parts(folder, day)?.is_empty();
    if summed
        && !is_late
        && let Some(found) = tens(folder, day, series)?
    {
        return Ok(found);
    }
    let found = points(folder, day, series)?;
    if found.is_empty() {
        return Ok(tens(folder, day, series)?.unwrap_or_default());
    }
    let rows = |points: BTreeMap<i64, f64>| {
        points.into_iter().map(|(time, value)| Row::of(time, value)).collect()
    };
    Ok(found.into_iter().map(|(id, points)| (id, rows(points))).collect())
}

fn floor(time: i64, step: i64) -> i64 {
    if step > 0 { time.div_euclid(step) * step } else { time }
}

fn day_of(time: i64) -> i64 {
    time.div_euclid(DAY)
}

/// `20261128`
fn name(day: i64) -> String {
    let text = Timestamp(day.saturating_mul(DAY)).rfc3339();
    text.chars().filter(char::is_ascii_digit).take(8).collect()
}

fn raw(folder: &Path, day: i64, ending: &str) -> PathBuf {
    folder.join("raw").join(format!("{}.{ending}", name(day)))
}

fn ten(folder: &Path, day: i64) -> PathBuf {
    folder.join("ten").join(format!("{}.day", name(day)))
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |source| Error::Io { path: path.to_owned(), source }
}

fn open(path: &Path) -> Result<Option<Sealed>, Error> {
    Sealed::open(path).map_err(at(path))
}

/// The summaries of a day, if it has a file of them.
fn tens(
    folder: &Path,
    day: i64,
    series: &BTreeSet<u64>,
) -> Result<Option<BTreeMap<u64, Vec<Row>>>, Error> {
    let path = ten(folder, day);
    let Some(sealed) = open(&path)? else { return Ok(None) };
    let mut all = BTreeMap::new();
    for id in series {
        let Some(columns) = sealed.read(*id).map_err(at(&path))? else { continue };
        let [count, min, max, mean] = columns.values.as_slice() else { continue };
        let row = |(n, time): (usize, &i64)| Row {
            time: *time,
            count: count[n] as u64,
            min: min[n],
            max: max[n],
            mean: mean[n],
        };
        all.insert(*id, columns.times.iter().enumerate().map(row).collect());
    }
    Ok(Some(all))
}

/// The points of a day in order of time.
fn points(folder: &Path, day: i64, series: &BTreeSet<u64>) -> Result<Sorted, Error> {
    let mut found = Sorted::new();
    let log = raw(folder, day, "log");
    let bytes = frames::bytes_of(&log).map_err(at(&log))?;
    for point in logged(&bytes).filter(|point| series.contains(&point.series)) {
        found.entry(point.series).or_default().insert(point.time, point.value);
    }
    for path in parts(folder, day)?.into_iter().chain([raw(folder, day, "day")]) {
        let Some(sealed) = open(&path)? else { continue };
        for id in series {
            let Some(columns) = sealed.read(*id).map_err(at(&path))? else { continue };
            let Some(values) = columns.values.first() else { continue };
            let points = columns.times.iter().copied().zip(values.iter().copied());
            found.entry(*id).or_default().extend(points);
        }
    }
    Ok(found)
}

fn logged(bytes: &[u8]) -> impl Iterator<Item = Point> + '_ {
    Pieces::of(bytes).flat_map(|piece| {
        piece.chunks_exact(POINT).map(|chunk| {
            let wide = |at: usize| std::array::from_fn(|n| chunk[at + n]);
            Point {
                series: u64::from_le_bytes(wide(0)),
                time: i64::from_le_bytes(wide(8)),
                value: f64::from_le_bytes(wide(16)),
            }
        })
    })
}

/// The parts of a day, oldest first.
fn parts(folder: &Path, day: i64) -> Result<Vec<PathBuf>, Error> {
    let begin = format!("{}.", name(day));
    let mut found = entries(&folder.join("raw"))?;
    found.retain(|name| name.starts_with(&begin) && name.ends_with(".part"));
    found.sort_by_key(|name| (name.len(), name.clone()));
    Ok(found.into_iter().map(|name| folder.join("raw").join(name)).collect())
}

fn entries(folder: &Path) -> Result<Vec<String>, Error> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(at(folder))?,
    };
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry.map_err(at(folder))?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// The day that a file is of.
fn day_in(name: &str) -> Option<i64> {
    let (year, rest) = name.split_at_checked(4)?;
    let (month, rest) = rest.split_at_checked(2)?;
    let day = rest.get(..2)?;
    let time = Timestamp::parse(&format!("{year}-{month}-{day}T00:00:00Z"))?;
    Some(day_of(time.0))
}

/// The folder as its one writer has it.
pub struct Folder {
    path: PathBuf,
    /// What was written and is not yet known to be on the disk.
    open: BTreeMap<i64, disk::File>,
}

impl Folder {
    /// Opens or makes it, and cuts what a crash left half written.
    pub fn open(path: &Path) -> Result<Folder, Error> {
        for part in ["raw", "ten"] {
            let folder = path.join(part);
            disk::create_dir(&folder).map_err(at(&folder))?;
        }
        for name in entries(&path.join("raw"))?.into_iter().filter(|name| name.ends_with(".log")) {
            let path = path.join("raw").join(name);
            frames::mend(&path).map_err(at(&path))?;
        }
        let names = path.join("names");
        frames::mend(&names).map_err(at(&names))?;
        Ok(Folder { path: path.to_owned(), open: BTreeMap::new() })
    }

    /// Writes down a series that is new.
    pub fn name(&self, about: &[About]) -> Result<(), Error> {
        let path = self.path.join("names");
        let mut bytes = Vec::new();
        for about in about {
            frames::put(&mut bytes, &serde_json::to_vec(about).map_err(Error::said)?);
        }
        let write = || {
            let mut file = disk::File::append(&path)?;
            file.write_all(&bytes)?;
            file.sync()
        };
        write().map_err(at(&path))
    }

    /// Leaves only these names.
    pub fn rename(&self, about: &[About]) -> Result<(), Error> {
        let path = self.path.join("names");
        let mut bytes = Vec::new();
        for about in about {
            frames::put(&mut bytes, &serde_json::to_vec(about).map_err(Error::said)?);
        }
        disk::replace(&path, &bytes).map_err(at(&path))
    }

    /// Writes points behind those of their days. They are on the disk after [`Folder::sync`].
    pub fn append(&mut self, points: &[Point]) -> Result<(), Error> {
        let mut days: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        for point in points {
            let bytes = days.entry(day_of(point.time)).or_default();
            bytes.extend(point.series.to_le_bytes());
            bytes.extend(point.time.to_le_bytes());
            bytes.extend(point.value.to_le_bytes());
        }
        for (day, bytes) in days {
            let path = raw(&self.path, day, "log");
            let file = match self.open.entry(day) {
                std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    new.insert(disk::File::append(&path).map_err(at(&path))?)
                }
            };
            let mut framed = Vec::new();
            for piece in bytes.chunks(frames::PAYLOAD_MAX / POINT * POINT) {
                frames::put(&mut framed, piece);
            }
            file.write_all(&framed).map_err(at(&path))?;
        }
        Ok(())
    }

    /// Makes durable what was written, and closes it.
    pub fn sync(&mut self) -> Result<(), Error> {
        while let Some((day, file)) = self.open.pop_first() {
            let path = raw(&self.path, day, "log");
            file.sync().map_err(at(&path))?;
        }
        let raw = self.path.join("raw");
        disk::sync_folder(&raw).map_err(at(&raw))
    }

    /// Closes days that are over and logs that are long, and removes what is past its time.
    pub fn tend(&mut self, now: Timestamp) -> Result<(), Error> {
        self.sync()?;
        let raw_folder = self.path.join("raw");
        let mut open: BTreeSet<i64> = BTreeSet::new();
        for entry in entries(&raw_folder)? {
            let Some(day) = day_in(&entry) else { continue };
            let path = raw_folder.join(&entry);
            if day < day_of(now.0) - RAW_DAYS || entry.ends_with(".draft") {
                disk::remove_file(&path).map_err(at(&path))?;
            } else if entry.ends_with(".log") || entry.ends_with(".part") {
                open.insert(day);
            }
        }
        let ten_folder = self.path.join("ten");
        for entry in entries(&ten_folder)? {
            let path = ten_folder.join(&entry);
            let is_old = day_in(&entry).is_some_and(|day| day < day_of(now.0) - TEN_DAYS);
            if is_old || entry.ends_with(".draft") {
                disk::remove_file(&path).map_err(at(&path))?;
            }
        }
        for day in open {
            let log = raw(&self.path, day, "log");
            if now.0 >= (day + 1) * DAY + CLOSE_AFTER {
                self.close(day)?;
            } else if fs::metadata(&log).is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
                self.part(day)?;
            }
        }
        Ok(())
    }

    /// Makes a part of a log.
    fn part(&self, day: i64) -> Result<(), Error> {
        let log = raw(&self.path, day, "log");
        let next = parts(&self.path, day)?.len();
        let path = raw(&self.path, day, &format!("{next}.part"));
        let mut sealer = Sealer::create(&path).map_err(at(&path))?;
        for (series, points) in sorted(&log)? {
            sealer.add(series, &columns(points)).map_err(at(&path))?;
        }
        sealer.finish().map_err(at(&path))?;
        disk::remove_file(&log).map_err(at(&log))
    }

    /// Brings all of a day into one file, and its summaries into another.
    fn close(&self, day: i64) -> Result<(), Error> {
        let log = raw(&self.path, day, "log");
        let mut logged = sorted(&log)?;
        let part_paths = parts(&self.path, day)?;
        let whole = raw(&self.path, day, "day");
        let mut sealed = Vec::new();
        for path in part_paths.iter().chain([&whole]) {
            sealed.extend(open(path)?);
        }
        let mut ids: BTreeSet<u64> = logged.keys().copied().collect();
        for file in &sealed {
            ids.extend(file.ids().map_err(at(&whole))?);
        }
        let summed = ten(&self.path, day);
        let mut tens = Sealer::create(&summed).map_err(at(&summed))?;
        let mut days = Sealer::create(&whole).map_err(at(&whole))?;
        for id in ids {
            let mut points = logged.remove(&id).unwrap_or_default();
            for file in &sealed {
                let Some(columns) = file.read(id).map_err(at(&whole))? else { continue };
                let values = columns.values.into_iter().next().unwrap_or_default();
                points.extend(columns.times.into_iter().zip(values));
            }
            tens.add(id, &summary(&points)).map_err(at(&summed))?;
            days.add(id, &columns(points)).map_err(at(&whole))?;
        }
        tens.finish().map_err(at(&summed))?;
        days.finish().map_err(at(&whole))?;
        for path in part_paths.iter().chain([&log]).filter(|path| path.exists()) {
            disk::remove_file(path).map_err(at(path))?;
        }
        Ok(())
    }
}

type Sorted = BTreeMap<u64, BTreeMap<i64, f64>>;

fn sorted(log: &Path) -> Result<Sorted, Error> {
    let bytes = frames::bytes_of(log).map_err(at(log))?;
    let mut sorted = Sorted::new();
    for point in logged(&bytes) {
        sorted.entry(point.series).or_default().insert(point.time, point.value);
    }
    Ok(sorted)
}

/// Points beyond what a block holds are the last ones.
fn columns(points: BTreeMap<i64, f64>) -> Columns {
    let (times, values) = points.into_iter().take(ROWS_MAX).unzip();
    Columns { times, values: vec![values] }
}

fn summary(points: &BTreeMap<i64, f64>) -> Columns {
    let mut rows: Vec<Row> = Vec::new();
    for (time, value) in points {
        let row = Row::of(floor(*time, TEN), *value);
        match rows.last_mut() {
            Some(last) if last.time == row.time => last.take_in(&row),
            _ => rows.push(row),
        }
    }
    let column = |of: fn(&Row) -> f64| rows.iter().map(of).collect();
    Columns {
        times: rows.iter().map(|row| row.time).collect(),
        values: vec![
            column(|row| row.count as f64),
            column(|row| row.min),
            column(|row| row.max),
            column(|row| row.mean),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of 2026-11-28.
    const START: i64 = 20_785 * DAY;
    const MINUTE: i64 = TEN / 10;

    fn minutes(series: u64, from: i64, count: i64) -> Vec<Point> {
        (0..count)
            .map(|n| Point { series, time: from + n * MINUTE, value: (n % 60) as f64 })
            .collect()
    }

    fn all(folder: &Path, series: u64, step: i64) -> Vec<Row> {
        read(folder, series, Timestamp(START - DAY), Timestamp(START + 3 * DAY), step).unwrap()
    }

    #[test]
    fn what_was_written_is_read_the_same_before_and_after_its_day_is_closed() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(place.path()).unwrap();
        for hour in 0..30 {
            let from = START + hour * HOUR;
            let points = [minutes(1, from, 60), minutes(2, from, 60)].concat();
            folder.append(&points).unwrap();
        }
        folder.sync().unwrap();
        let (points, hours) = (all(place.path(), 1, 0), all(place.path(), 1, HOUR));
        assert_eq!((points.len(), hours.len()), (30 * 60, 30));
        assert_eq!((hours[0].count, hours[0].min, hours[0].max), (60, 0.0, 59.0));
        assert!((hours[3].mean - 29.5).abs() < 1e-9);
        folder.tend(Timestamp(START + 30 * HOUR)).unwrap();
        assert!(raw(place.path(), day_of(START), "day").exists());
        assert!(!raw(place.path(), day_of(START), "log").exists());
        assert_eq!(all(place.path(), 1, 0), points);
        let again = all(place.path(), 1, HOUR);
        let near = |(a, b): (&Row, &Row)| {
            (a.mean - b.mean).abs() < 1e-9 && Row { mean: 0.0, ..*a } == Row { mean: 0.0, ..*b }
        };
        assert!(again.iter().zip(&hours).all(near) && again.len() == hours.len());
        // Late and repeated points of the closed day.
        folder.append(&minutes(1, START, 10)).unwrap();
        folder.append(&minutes(3, START, 10)).unwrap();
        assert_eq!(all(place.path(), 1, 0), points);
        assert_eq!(all(place.path(), 3, TEN)[0].count, 10);
        folder.tend(Timestamp(START + 31 * HOUR)).unwrap();
        assert_eq!((all(place.path(), 1, 0), all(place.path(), 3, 0).len()), (points, 10));
    }

    #[test]
    fn points_go_after_ninety_days_and_summaries_after_two_years() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(place.path()).unwrap();
        folder.append(&minutes(1, START, 600)).unwrap();
        let later = |days: i64| Timestamp(START + days * DAY + 2 * HOUR);
        folder.tend(later(1)).unwrap();
        folder.tend(later(RAW_DAYS + 1)).unwrap();
        assert!(entries(&place.path().join("raw")).unwrap().is_empty());
        let rows = all(place.path(), 1, 0);
        assert_eq!((rows.len(), rows[0].count), (60, 10), "summaries stand for points");
        folder.tend(later(TEN_DAYS + 1)).unwrap();
        assert!(all(place.path(), 1, 0).is_empty());
    }

    #[test]
    fn a_log_cut_off_by_a_crash_keeps_what_was_whole() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(place.path()).unwrap();
        folder.append(&minutes(1, START, 10)).unwrap();
        folder.append(&minutes(1, START + HOUR, 10)).unwrap();
        folder.sync().unwrap();
        drop(folder);
        let log = raw(place.path(), day_of(START), "log");
        let whole = fs::read(&log).unwrap();
        for cut in [1, 7, 100, 239, 240] {
            fs::write(&log, &whole[..whole.len() - cut]).unwrap();
            let mut folder = Folder::open(place.path()).unwrap();
            assert_eq!(all(place.path(), 1, 0).len(), 10, "cut {cut}");
            // The replay brings them again.
            folder.append(&minutes(1, START + HOUR, 10)).unwrap();
            assert_eq!(all(place.path(), 1, 0).len(), 20, "cut {cut}");
        }
    }

    #[test]
    fn names_are_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let about = |id| About {
            id,
            source: "node".to_owned(),
            host: "db1:9100".to_owned(),
            name: "node_load1".to_owned(),
            labels: vec![("mode".to_owned(), "空き".to_owned())],
            shape: Shape::Gauge,
        };
        folder.name(&[about(1), about(u64::MAX)]).unwrap();
        folder.name(&[about(3)]).unwrap();
        assert_eq!(list(place.path()).unwrap(), [about(1), about(u64::MAX), about(3)]);
        assert_eq!(about(1).title(), "node_load1{mode=\"空き\"}");
        folder.rename(&[about(3)]).unwrap();
        assert_eq!(list(place.path()).unwrap(), [about(3)]);
    }

    #[test]
    fn a_long_log_becomes_a_part_and_the_day_has_all() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(place.path()).unwrap();
        folder.append(&minutes(1, START, 30)).unwrap();
        folder.sync().unwrap();
        folder.part(day_of(START)).unwrap();
        folder.append(&minutes(1, START + HOUR, 30)).unwrap();
        folder.sync().unwrap();
        folder.part(day_of(START)).unwrap();
        folder.append(&minutes(1, START + 2 * HOUR, 30)).unwrap();
        assert_eq!(all(place.path(), 1, 0).len(), 90);
        folder.tend(Timestamp(START + 26 * HOUR)).unwrap();
        assert_eq!(all(place.path(), 1, 0).len(), 90);
        assert_eq!(entries(&place.path().join("raw")).unwrap().len(), 1);
    }
}
