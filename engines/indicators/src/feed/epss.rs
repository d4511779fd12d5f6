//! EPSS: how likely each CVE is to be exploited within thirty days. From CSV to a table that is asked where it lies.
//!
//! The table: 32 bytes of head (mark, version, day of the scores, count, checksum), then 16 bytes for each CVE, sorted.
//! A crafted or torn table is refused or answers wrongly, it never panics.

use super::{Fault, Place, Problem, Problems, short};
use crate::Micros;

/// Unpacked CSV; 300,000 rows are some 11 MB.
pub const BYTES_MAX: usize = 128 * 1024 * 1024;
pub const ROWS_MAX: usize = 2_000_000;
const LINE_BYTES_MAX: usize = 1_000;
const MARK: &[u8; 8] = b"umeepss1";
const HEAD: usize = 32;
const ROW: usize = 16;
/// Probabilities are millionths.
pub const WHOLE: u32 = 1_000_000;

/// One CVE's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Probability in millionths.
    pub epss_millionths: u32,
    /// Share of CVEs that score no higher, in millionths.
    pub percentile_millionths: u32,
}

impl Score {
    /// Probability in permille, rounded down: 0.5 is 500, and what is below 0.5 is not.
    pub fn permille(self) -> u16 {
        u16::try_from(self.epss_millionths / 1_000).unwrap_or(1_000)
    }
}

/// What a file of scores says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    pub model: String,
    /// Of which day the scores are.
    pub day: Option<Micros>,
    /// By CVE (year, number), ascending, each once.
    pub rows: Vec<((u16, u32), Score)>,
    pub problems: Problems,
}

/// Reads unpacked CSV: `#model_version:…,score_date:…`, `cve,epss,percentile`, rows. Columns are found by their names.
pub fn read(bytes: &[u8]) -> Result<Scores, Problem> {
    let at = |line, fault| Problem { place: Place::Line(line), fault };
    if bytes.len() > BYTES_MAX {
        return Err(at(1, Fault::Large(BYTES_MAX)));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut scores = Scores::default();
    let mut columns: Option<[usize; 3]> = None;
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = number + 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let text = match std::str::from_utf8(line) {
            Ok(text) if text.len() <= LINE_BYTES_MAX => text,
            Ok(_) => {
                scores.problems.add(Place::Line(number), Fault::Large(LINE_BYTES_MAX));
                continue;
            }
            Err(_) => {
                scores.problems.add(Place::Line(number), Fault::Encoding("UTF-8"));
                continue;
            }
        };
        if let Some(comment) = text.strip_prefix('#') {
            about(comment, &mut scores);
            continue;
        }
        let Some(columns) = columns else {
            columns = Some(
                header(text).ok_or_else(|| at(number, Fault::Missing("cve,epss,percentile")))?,
            );
            continue;
        };
        match row(text, columns) {
            Ok(_) if scores.rows.len() >= ROWS_MAX => {
                scores.problems.add(Place::Line(number), Fault::Entries(ROWS_MAX));
                break;
            }
            Ok(row) => scores.rows.push(row),
            Err(fault) => scores.problems.add(Place::Line(number), fault),
        }
    }
    if columns.is_none() {
        return Err(at(1, Fault::Missing("cve,epss,percentile")));
    }
    // Stable, so of a CVE that stands twice the first line counts.
    scores.rows.sort_by_key(|(cve, _)| *cve);
    let count = scores.rows.len();
    scores.rows.dedup_by_key(|(cve, _)| *cve);
    if scores.rows.len() < count {
        let twice = format!("{} CVE", count - scores.rows.len());
        scores.problems.add(Place::Line(1), Fault::Twice(twice));
    }
    Ok(scores)
}

fn about(comment: &str, scores: &mut Scores) {
    for part in comment.split(',') {
        let Some((name, value)) = part.split_once(':') else { continue };
        match name.trim() {
            "model_version" => scores.model = short(value.trim()),
            "score_date" => {
                // `+0000`, which is neither of the forms of its standard.
                let value = value.trim().replace("+0000", "Z");
                scores.day = super::entry::time(&value);
            }
            _ => {}
        }
    }
}

fn header(text: &str) -> Option<[usize; 3]> {
    let place = |name: &str| {
        text.split(',')
            .position(|column| column.trim().trim_matches('"').eq_ignore_ascii_case(name))
    };
    Some([place("cve")?, place("epss")?, place("percentile")?])
}

fn row(text: &str, columns: [usize; 3]) -> Result<((u16, u32), Score), Fault> {
    let cell = |at: usize| text.split(',').nth(columns[at]).map(|c| c.trim().trim_matches('"'));
    let cve = cell(0).unwrap_or_default();
    let key = key(cve).ok_or_else(|| Fault::Value(short(cve), "CVE"))?;
    let part = |at: usize| {
        let cell = cell(at).unwrap_or_default();
        millionths(cell).ok_or_else(|| Fault::Value(short(cell), "probability"))
    };
    Ok((key, Score { epss_millionths: part(1)?, percentile_millionths: part(2)? }))
}

/// Year and number of `CVE-2024-3400`.
pub fn key(cve: &str) -> Option<(u16, u32)> {
    let rest = cve.get(..4).filter(|head| head.eq_ignore_ascii_case("CVE-")).map(|_| &cve[4..])?;
    let (year, number) = rest.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4 || !(4..=9).contains(&number.len()) || !digits(year) || !digits(number) {
        return None;
    }
    Some((year.parse().ok()?, number.parse().ok()?))
}

/// A decimal from 0 to 1, also as `9.3e-05`; rounded down.
fn millionths(text: &str) -> Option<u32> {
    let value: f64 = text.parse().ok()?;
    if !(0.0..=1.0).contains(&value) {
        return None;
    }
    // A decimal of six places may lie a hair below itself.
    let scaled = (value * f64::from(WHOLE) + 1e-6).floor();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let scaled = scaled as u32;
    Some(scaled.min(WHOLE))
}

/// The scores as a table.
pub fn pack(scores: &Scores) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + scores.rows.len() * ROW);
    out.extend_from_slice(MARK);
    out.extend_from_slice(&scores.day.unwrap_or(i64::MIN).to_le_bytes());
    out.extend_from_slice(&u64::try_from(scores.rows.len()).unwrap_or(0).to_le_bytes());
    let mut body = Vec::with_capacity(scores.rows.len() * ROW);
    for ((year, number), score) in &scores.rows {
        body.extend_from_slice(&sortable(*year, *number).to_le_bytes());
        body.extend_from_slice(&score.epss_millionths.to_le_bytes());
        body.extend_from_slice(&score.percentile_millionths.to_le_bytes());
    }
    out.extend_from_slice(&rapidhash::v3::rapidhash_v3(&body).to_le_bytes());
    out.extend_from_slice(&body);
    out
}

fn sortable(year: u16, number: u32) -> u64 {
    u64::from(year) << 32 | u64::from(number)
}

/// Why bytes are no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("no table of scores")]
    Mark,
    #[error("cut or longer than it says")]
    Length,
    #[error("changed since it was written")]
    Sum,
}

/// A table of scores over bytes where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Table<'b> {
    rows: &'b [u8],
    day: Option<Micros>,
}

impl<'b> Table<'b> {
    /// Reads every byte once, to hold them against what was written.
    pub fn open(bytes: &'b [u8]) -> Result<Table<'b>, Damage> {
        let word = |at: usize| {
            bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)
        };
        if bytes.get(..8) != Some(MARK) {
            return Err(Damage::Mark);
        }
        let (Some(day), Some(count), Some(sum)) = (word(8), word(16), word(24)) else {
            return Err(Damage::Length);
        };
        let rows = bytes.get(HEAD..).ok_or(Damage::Length)?;
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(ROW));
        if length != Some(rows.len()) {
            return Err(Damage::Length);
        }
        if rapidhash::v3::rapidhash_v3(rows) != sum {
            return Err(Damage::Sum);
        }
        let day = day.cast_signed();
        Ok(Table { rows, day: (day != i64::MIN).then_some(day) })
    }

    /// The same over bytes that were opened before: in constant time. Nothing if they cannot be a table.
    pub fn unchecked(bytes: &'b [u8]) -> Option<Table<'b>> {
        let rows = bytes.strip_prefix(MARK).and_then(|_| bytes.get(HEAD..))?;
        let day = bytes.get(8..16).and_then(|b| b.try_into().ok()).map(i64::from_le_bytes);
        Some(Table { rows, day: day.filter(|day| *day != i64::MIN) })
    }

    pub fn len(&self) -> usize {
        self.rows.len() / ROW
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Of which day the scores are.
    pub fn day(&self) -> Option<Micros> {
        self.day
    }

    /// The score of a CVE.
    pub fn get(&self, cve: &str) -> Option<Score> {
        let (year, number) = key(cve)?;
        let wanted = sortable(year, number);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, score) = self.row(middle)?;
            match found.cmp(&wanted) {
                std::cmp::Ordering::Equal => return Some(score),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn row(&self, at: usize) -> Option<(u64, Score)> {
        let row = self.rows.get(at * ROW..(at + 1) * ROW)?;
        let key = u64::from_le_bytes(row.get(..8)?.try_into().ok()?);
        let word =
            |at: usize| row.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        Some((key, Score { epss_millionths: word(8)?, percentile_millionths: word(12)? }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "#model_version:v2025.03.14,score_date:2026-11-28T00:00:00+0000\n\
        cve,epss,percentile\nCVE-2024-3400,0.94325,0.99934\nCVE-1999-0001,9.3e-05,0.5\n";

    #[test]
    fn scores_are_read_with_their_day() {
        let scores = read(FILE.as_bytes()).expect("scores");
        assert_eq!(scores.model, "v2025.03.14");
        assert_eq!(scores.day, super::super::entry::time("2026-11-28"));
        assert!(scores.problems.is_empty());
        let bytes = pack(&scores);
        let table = Table::open(&bytes).expect("table");
        assert_eq!(table.day(), scores.day);
        let score = table.get("CVE-2024-3400").expect("score");
        assert_eq!((score.permille(), score.percentile_millionths), (943, 999_340));
        assert_eq!(table.get("cve-1999-0001").expect("score").epss_millionths, 93);
        assert_eq!(table.get("CVE-2024-3401"), None);
        assert_eq!(table.get("nonsense"), None);
    }

    #[test]
    fn a_bad_row_costs_itself_alone() {
        let text = format!(
            "{FILE}CVE-24,0.1,0.1\nCVE-2024-0001,1.5,0.1\nCVE-2024-0002,x,\nCVE-2024-3400,0,0\n"
        );
        let scores = read(text.as_bytes()).expect("scores");
        assert_eq!(scores.rows.len(), 2);
        let places: Vec<String> =
            scores.problems.told.iter().map(|p| p.place.to_string()).collect();
        assert_eq!(places, ["line 5", "line 6", "line 7", "line 1"]);
        let table = pack(&scores);
        let table = Table::open(&table).expect("table");
        assert_eq!(table.get("CVE-2024-3400").map(Score::permille), Some(943), "the first counts");
    }

    #[test]
    fn half_is_half_and_what_is_below_is_not() {
        let permille = |text: &str| {
            millionths(text).map(|epss_millionths| {
                Score { epss_millionths, percentile_millionths: 0 }.permille()
            })
        };
        assert_eq!(permille("0.5"), Some(500));
        assert_eq!(permille("0.49999"), Some(499));
        assert_eq!(permille("1"), Some(1_000));
        for wrong in ["NaN", "-0.1", "1.1", "inf", ""] {
            assert_eq!(permille(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_damaged_table_is_refused() {
        let bytes = pack(&read(FILE.as_bytes()).expect("scores"));
        for cut in 0..bytes.len() {
            assert!(Table::open(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 16..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Table::open(&changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_file_without_its_columns_is_refused() {
        assert!(read(b"").is_err());
        assert!(read(b"#model_version:x\n").is_err());
        assert!(read(b"<html>503</html>\n").is_err());
    }

    proptest! {
        #[test]
        fn the_table_answers_what_was_put_in(
            rows in proptest::collection::btree_map((1999_u16..2030, 0_u32..60_000), 0_u32..=WHOLE, 0..300),
            probe in (1999_u16..2030, 0_u32..60_000),
        ) {
            let mut text = "cve,epss,percentile\n".to_owned();
            for ((year, number), score) in &rows {
                let part = f64::from(*score) / f64::from(WHOLE);
                text.push_str(&format!("CVE-{year}-{number:04},{part:.6},0\n"));
            }
            let scores = read(text.as_bytes()).expect("scores");
            let bytes = pack(&scores);
            let table = Table::open(&bytes).expect("table");
            prop_assert_eq!(table.len(), rows.len());
            for ((year, number), score) in &rows {
                let found = table.get(&format!("CVE-{year}-{number:04}"));
                prop_assert_eq!(found.map(|score| score.epss_millionths), Some(*score));
            }
            let found = table.get(&format!("CVE-{}-{:04}", probe.0, probe.1));
            prop_assert_eq!(found.map(|score| score.epss_millionths), rows.get(&probe).copied());
        }

        #[test]
        fn bytes_of_any_kind_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
            let _ = Table::open(&bytes).map(|table| table.get("CVE-2024-3400"));
        }
    }
}
