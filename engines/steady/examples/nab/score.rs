//! The benchmark's standard profile: a window that is found counts 1, weighted by how early; a false alarm
//! 0.11, weighted by how far behind a window; a window that is missed 1.

use std::collections::HashSet;

use steady::{Bell, Micros, Telling};

const FALSE_WEIGHT: f64 = 0.11;

/// The beginning that is not scored: a share of the series, at most so many points.
const UNSCORED_SHARE: f64 = 0.15;
const UNSCORED_MAX: usize = 750;

pub struct Labelled {
    pub name: String,
    pub points: Vec<(Micros, f64)>,
    /// First and last row of each window
    pub windows: Vec<(usize, usize)>,
}

impl Labelled {
    pub fn unscored(&self) -> usize {
        ((UNSCORED_SHARE * self.points.len() as f64) as usize).min(UNSCORED_MAX)
    }
}

/// Rows with their score, in order. Of one episode only the first row that reaches the threshold is an alarm, and
/// none comes within `quiet` of the alarm before: what follows belongs to what somebody is looking at already.
pub struct Detections {
    pub found: Vec<Detection>,
    pub quiet: Micros,
    /// How alarms are told instead, of rows that are all there.
    pub bell: Option<Telling>,
}

pub struct Detection {
    pub row: usize,
    pub time: Micros,
    pub score: f64,
    /// Of which part, and its episode
    pub episode: (usize, usize),
}

impl Detections {
    fn rows(&self, threshold: f64) -> Vec<usize> {
        if let Some(telling) = self.bell {
            let (mut bell, telling) = (Bell::default(), Telling { threshold, ..telling });
            let told = self.found.iter().filter(|d| bell.rings(d.score, &telling));
            return told.map(|d| d.row).collect();
        }
        let (mut told, mut last) = (HashSet::new(), None);
        let mut rows = Vec::new();
        for found in self.found.iter().filter(|d| d.score >= threshold) {
            let new = told.insert(found.episode);
            if new && last.is_none_or(|last| found.time - last >= self.quiet) {
                rows.push(found.row);
                last = Some(found.time);
            }
        }
        rows
    }
}

#[derive(Default)]
pub struct Judged {
    pub score: f64,
    pub found: usize,
    pub false_alarms: usize,
}

/// 2σ(−5x)−1: 1 well before x = 0, 0 there, −1 well behind.
fn position(x: f64) -> f64 {
    if x > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * x).exp()) - 1.0 }
}

pub fn judge(series: &Labelled, found: &Detections, threshold: f64) -> Judged {
    let mut judged = Judged::default();
    let rows: Vec<usize> =
        found.rows(threshold).into_iter().filter(|row| *row >= series.unscored()).collect();
    for (first, last) in &series.windows {
        let width = (last - first + 1) as f64;
        match rows.iter().find(|row| (first..=last).contains(row)) {
            Some(row) => {
                let x = -((last - row + 1) as f64) / width;
                judged.score += position(x) / position(-1.0);
                judged.found += 1;
            }
            None => judged.score -= 1.0,
        }
    }
    for row in rows {
        if series.windows.iter().any(|(first, last)| (*first..=*last).contains(&row)) {
            continue;
        }
        judged.false_alarms += 1;
        let before = series.windows.iter().rev().find(|(_, last)| *last < row);
        let weight = before.map_or(-1.0, |(first, last)| {
            position((row - last) as f64 / (last - first).max(1) as f64)
        });
        judged.score += FALSE_WEIGHT * weight;
    }
    judged
}

/// 0 is a detector that finds nothing, 100 one that finds every window in its first row and nothing else.
pub fn standard(series: &[&Labelled], found: &[Detections], threshold: f64) -> f64 {
    let raw: f64 = series.iter().zip(found).map(|(s, f)| judge(s, f, threshold).score).sum();
    let windows = series.iter().map(|s| s.windows.len()).sum::<usize>() as f64;
    100.0 * (raw + windows) / (2.0 * windows)
}

/// The threshold whose neighbourhood scores best: the mean over 70 to 130 per cent of it, so that the choice does
/// not hang on a single alarm. Also that mean.
pub fn best_threshold(series: &[&Labelled], found: &[Detections]) -> (f64, f64) {
    let scores = found.iter().flat_map(|f| f.found.iter().map(|d| d.score)).filter(|s| *s > 0.3);
    let (low, high) = scores.fold((f64::INFINITY, 1.0), |(l, h), s| (s.min(l), s.max(h)));
    let tried = (0..80).map(|n| low * (high.min(60.0) / low).powf(f64::from(n) / 79.0)).map(|t| {
        let around = (0..7).map(|n| standard(series, found, t * (0.7 + 0.1 * f64::from(n))));
        (t, around.sum::<f64>() / 7.0)
    });
    tried.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((f64::INFINITY, 0.0))
}
