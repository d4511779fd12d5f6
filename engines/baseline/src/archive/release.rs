//! `Release`: what an archive says of a suite, and which index files belong to it.

use std::collections::{BTreeMap, BTreeSet};

use super::ArchiveError;

const FILES_MAX: usize = 100_000;
/// Clocks of builders and ours may differ by so much.
const SKEW_SECONDS: i64 = 86_400;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What is said of one index file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexFile {
    pub sha256: [u8; 32],
    pub size: u64,
}

/// A signed description of a suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    pub origin: String,
    pub suite: String,
    pub codename: String,
    /// Seconds since 1970.
    pub date: i64,
    /// Past this nothing of it is believed. Releases that do not expire say none.
    pub valid_until: Option<i64>,
    pub by_hash: bool,
    /// By path below the Release.
    pub files: BTreeMap<String, IndexFile>,
}

impl Release {
    /// Reads the text whose signature was verified.
    pub fn parse(text: &str) -> Result<Release, ArchiveError> {
        let mut release = Release::default();
        let mut dated = false;
        let mut section = String::new();
        for (number, line) in (1..).zip(text.lines()) {
            let failed = |what: &str| ArchiveError::Release { line: number, what: what.to_owned() };
            if line.starts_with(' ') {
                if section == "sha256" {
                    let (path, file) =
                        entry(line).ok_or_else(|| failed("not SHA-256, size and path"))?;
                    release.files.insert(path, file);
                }
                if release.files.len() > FILES_MAX {
                    return Err(ArchiveError::Limit {
                        what: "files of a Release",
                        max: FILES_MAX as u64,
                    });
                }
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| failed("not Field: value"))?;
            let value = value.trim();
            section = name.to_ascii_lowercase();
            let date = || date(value).ok_or_else(|| failed("not a date of RFC 2822 in UTC"));
            match &section[..] {
                "origin" => value.clone_into(&mut release.origin),
                "suite" => value.clone_into(&mut release.suite),
                "codename" => value.clone_into(&mut release.codename),
                "date" => (release.date, dated) = (date()?, true),
                "valid-until" => release.valid_until = Some(date()?),
                "acquire-by-hash" => release.by_hash = value == "yes",
                _ => {}
            }
        }
        if !dated || release.files.is_empty() {
            let what = "no Date or no SHA256 section".to_owned();
            return Err(ArchiveError::Release { line: 0, what });
        }
        Ok(release)
    }

    /// Whether it may be believed now.
    pub fn fresh(&self, now: i64) -> Result<(), ArchiveError> {
        if self.date > now.saturating_add(SKEW_SECONDS) {
            return Err(ArchiveError::Future { date: self.date });
        }
        match self.valid_until {
            Some(until) if until < now => Err(ArchiveError::Expired { until }),
            _ => Ok(()),
        }
    }

    /// Components and architectures that have an index of packages, `main` first: those of the
    /// architectures asked for, else of the first there is, since packages for all of them stand in each.
    pub fn indexes(&self, architectures: &BTreeSet<String>) -> Vec<(String, String)> {
        let mut found = BTreeSet::new();
        for path in self.files.keys() {
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            let Some((component, binary)) = folder.rsplit_once('/') else { continue };
            let architecture = binary.strip_prefix("binary-");
            // `debian-installer` holds packages of another kind.
            let is_index = name.split('.').next() == Some("Packages") && !component.contains('/');
            if let Some(architecture) = architecture.filter(|_| is_index) {
                found.insert((component != "main", component.to_owned(), architecture.to_owned()));
            }
        }
        if found.is_empty() {
            return vec![(String::new(), String::new())];
        }
        let asked =
            |architecture: &str| architecture == "all" || architectures.contains(architecture);
        let first = found.iter().map(|one| one.2.clone()).find(|one| one != "all");
        let any = found.iter().any(|one| one.2 != "all" && asked(&one.2));
        let chosen = found.into_iter().filter(|one| match any {
            true => asked(&one.2),
            false => asked(&one.2) || Some(&one.2) == first.as_ref(),
        });
        chosen.map(|(_, component, architecture)| (component, architecture)).collect()
    }

    /// The index of packages of a component: path and what is said of it, the smallest form first.
    /// Flat archives have one index and no components.
    pub fn packages(
        &self,
        component: &str,
        architecture: &str,
    ) -> impl Iterator<Item = (String, IndexFile)> {
        let stem = match component {
            "" => "Packages".to_owned(),
            component => format!("{component}/binary-{architecture}/Packages"),
        };
        let names = [".xz", ".gz", ".zst", ""].map(|ending| format!("{stem}{ending}"));
        names.into_iter().filter_map(|name| {
            // Flat archives write `./Packages` as well.
            let file = self.files.get(&name).or_else(|| self.files.get(&format!("./{name}")))?;
            Some((name, *file))
        })
    }
}

fn entry(line: &str) -> Option<(String, IndexFile)> {
    let mut words = line.split_whitespace();
    let (hash, size, path) = (words.next()?, words.next()?, words.next()?);
    let mut sha256 = [0; 32];
    hex::decode_to_slice(hash, &mut sha256).ok()?;
    let plain = !path.starts_with('/') && path.split('/').all(|part| part != "..");
    plain.then_some((path.to_owned(), IndexFile { sha256, size: size.parse().ok()? }))
}

/// `Sat, 28 Nov 2026 10:11:12 UTC`, the name of the day left out of account.
fn date(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_whitespace();
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    if !matches!(zone, "UTC" | "GMT" | "+0000" | "Z") || words.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    // Days since 1970 of the proleptic Gregorian calendar, years beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    fits.then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(date("Sat, 28 Nov 2026 10:11:12 UTC"), Some(1_795_860_672));
        assert_eq!(date("Thu, 29 Feb 2024 23:59:59 +0000"), Some(1_709_251_199));
        for wrong in ["", "Sat, 28 Nov 2026 10:11:12 +0900", "28 Foo 2026 1:1:1 UTC", "x"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_release_past_its_end_or_from_the_future_is_not_believed() {
        let hash = "0".repeat(64);
        let text = format!(
            "Origin: X\nDate: Sat, 28 Nov 2026 10:11:12 UTC\nValid-Until: Sun, 29 Nov 2026 10:11:12 UTC\nSHA256:\n {hash} 7 main/binary-amd64/Packages.gz\n"
        );
        let release = Release::parse(&text).expect("release");
        let day = 86_400;
        assert_eq!(release.fresh(release.date), Ok(()));
        assert_eq!(release.fresh(release.date + day), Ok(()));
        assert!(matches!(release.fresh(release.date + day + 1), Err(ArchiveError::Expired { .. })));
        assert!(matches!(release.fresh(release.date - 2 * day), Err(ArchiveError::Future { .. })));
        let names: Vec<String> = release.packages("main", "amd64").map(|(path, _)| path).collect();
        assert_eq!(names, ["main/binary-amd64/Packages.gz"]);
        let error = Release::parse(&text.replace(" 7 ", " x ")).expect_err("refused");
        assert_eq!(error.to_string(), "Release line 5: not SHA-256, size and path");
    }
}
