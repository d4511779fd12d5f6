//! The detectors: series of this engine, and the windowed Gaussian to compare with.

use std::collections::VecDeque;

use steady::{Calendar, HOUR, Kind, Micros, Scorer, Series, Settings, Telling};

use crate::score::{Detection, Detections, Labelled};

/// Rows over which each part takes the mean: the value itself, and coarser and coarser views of it.
const SCALES: [usize; 4] = [1, 6, 24, 96];

#[derive(Clone, Copy)]
pub struct Detector {
    pub kind: Detecting,
    pub pause: Pause,
}

/// What comes after an alarm.
#[derive(Clone, Copy)]
pub enum Pause {
    /// So many hours without another
    Hours(i64),
    /// So many rows without another, and the next ones are dearer
    Bell { rest: u32, dearer: f64 },
}

#[derive(Clone, Copy)]
pub enum Detecting {
    /// So many series, each of the mean over one of [`SCALES`], that tell what is at least as rare; an
    /// alarm scores its rarity times the size of the departure, in usual ranges, to this power
    Steady { tell_p: f32, parts: usize, weight: f64 },
    /// The scorer
    Scorer,
    /// A normal distribution over the last rows; rows above the threshold in a run are one detection or many
    Gaussian { window: usize, runs: bool },
}

pub fn all() -> Vec<Detector> {
    let mut all = Vec::new();
    for pause in [0, 6, 12].map(Pause::Hours) {
        let mut add = |kind| all.push(Detector { kind, pause });
        for tell_p in [1e-2, 5e-3, 1e-3] {
            for parts in 1..=SCALES.len() {
                for weight in [0.0, 0.5, 1.0] {
                    add(Detecting::Steady { tell_p, parts, weight });
                }
            }
        }
        gaussians(&mut add);
    }
    for rest in [100, 150, 250] {
        for dearer in [0.0, 0.2, 0.5] {
            let mut add = |kind| all.push(Detector { kind, pause: Pause::Bell { rest, dearer } });
            add(Detecting::Scorer);
            gaussians(&mut add);
        }
    }
    all
}

fn gaussians(add: &mut dyn FnMut(Detecting)) {
    for window in [144, 288, 576, 1_152, 2_304, 6_400] {
        for runs in [true, false] {
            add(Detecting::Gaussian { window, runs });
        }
    }
}

impl Detector {
    pub fn family(&self) -> &'static str {
        match self.kind {
            Detecting::Steady { .. } => "steady",
            Detecting::Scorer => "scorer",
            Detecting::Gaussian { .. } => "gaussian",
        }
    }

    pub fn name(&self) -> String {
        let kind = match self.kind {
            Detecting::Steady { tell_p, parts, weight } => {
                format!("steady, {tell_p}, {parts} series, size^{weight}")
            }
            Detecting::Scorer => "scorer".to_owned(),
            Detecting::Gaussian { window, runs } => {
                format!("windowed Gaussian, {window} rows, {}", if runs { "runs" } else { "rows" })
            }
        };
        match self.pause {
            Pause::Hours(hours) => format!("{kind}, {hours} h"),
            Pause::Bell { rest, dearer } => format!("{kind}, {rest} rows, dearer by {dearer}"),
        }
    }

    pub fn run(&self, series: &Labelled) -> Detections {
        let found = match self.kind {
            Detecting::Steady { tell_p, parts, weight } => steady(series, tell_p, parts, weight),
            Detecting::Scorer => scorer(series),
            Detecting::Gaussian { window, runs } => gaussian(series, window, runs),
        };
        let learn = series.unscored() as u32;
        match self.pause {
            Pause::Hours(hours) => Detections { found, quiet: hours * HOUR, bell: None },
            Pause::Bell { rest, dearer } => {
                let bell = Some(Telling { learn, rest, dearer, ..Telling::default() });
                Detections { found: each(series, found), quiet: 0, bell }
            }
        }
    }
}

/// Every row, those without a detection with nothing.
fn each(labelled: &Labelled, found: Vec<Detection>) -> Vec<Detection> {
    let none = |(row, (time, _)): (usize, &(Micros, f64))| Detection {
        row,
        time: *time,
        score: 0.0,
        episode: (0, 0),
    };
    let mut all: Vec<Detection> = labelled.points.iter().enumerate().map(none).collect();
    found.into_iter().for_each(|detection| {
        let row = detection.row;
        all[row] = detection;
    });
    all
}

fn scorer(labelled: &Labelled) -> Vec<Detection> {
    let (mut scorer, telling) = (Scorer::new(), Telling::default());
    let mut found = Vec::new();
    for (row, (time, value)) in labelled.points.iter().enumerate() {
        if let Some(scored) = scorer.observe(*time, *value, &telling) {
            found.push(Detection { row, time: *time, score: scored.score, episode: (0, row) });
        }
    }
    found
}

fn steady(labelled: &Labelled, tell_p: f32, parts: usize, weight: f64) -> Vec<Detection> {
    let mut found: Vec<Detection> = (0..parts)
        .flat_map(|part| one_series(labelled, tell_p, part, parts as f64, weight))
        .collect();
    found.sort_by_key(|d| d.row);
    found
}

fn one_series(
    labelled: &Labelled,
    tell_p: f32,
    part: usize,
    parts: f64,
    weight: f64,
) -> Vec<Detection> {
    let calendar = Calendar::utc();
    let learning: Micros = labelled.points[labelled.unscored()].0 - labelled.points[0].0;
    let mut settings = Settings::new(Kind::Gauge);
    settings.cold_start_hours = (learning / HOUR) as u16;
    settings.tell_p = tell_p;
    let mut series = Series::new(part as u64, settings);
    let (mut found, mut onset, mut episode) = (Vec::new(), None, 0);
    let mut last = VecDeque::new();
    for (row, (time, value)) in labelled.points.iter().enumerate() {
        last.push_back(*value);
        if last.len() > SCALES[part] {
            last.pop_front();
        }
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        if let Some(anomaly) = series.observe(*time, mean, &calendar) {
            episode += usize::from(onset != Some(anomaly.onset));
            onset = Some(anomaly.onset);
            let rarity = -(anomaly.p * parts).max(1e-300).log10();
            let usual = ((anomaly.high - anomaly.low) / 2.0).max(1e-12);
            let size = (anomaly.observed - anomaly.expected).abs() / usual;
            let score = rarity * size.clamp(0.1, 20.0).powf(weight);
            found.push(Detection { row, time: *time, score, episode: (part, episode) });
        }
    }
    found
}

fn gaussian(labelled: &Labelled, window: usize, runs: bool) -> Vec<Detection> {
    let mut found: Vec<Detection> = Vec::new();
    let values: Vec<f64> = labelled.points.iter().map(|(_, v)| *v).collect();
    let (mut sum, mut squares) = (0.0, 0.0);
    for (row, value) in values.iter().enumerate() {
        let n = row.min(window) as f64;
        if n > 1.0 {
            let mean = sum / n;
            let deviation = (squares / n - mean * mean).max(0.0).sqrt().max(1e-6);
            let score = ((value - mean) / deviation).abs();
            // Rows next to each other are a run; below two deviations nothing runs.
            let same = found.last().is_some_and(|last| runs && last.row + 1 == row);
            let episode = found.last().map_or(0, |last| last.episode.1 + usize::from(!same));
            if score > 2.0 {
                let time = labelled.points[row].0;
                found.push(Detection { row, time, score, episode: (0, episode) });
            }
        }
        sum += value;
        squares += value * value;
        if row >= window {
            sum -= values[row - window];
            squares -= values[row - window] * values[row - window];
        }
    }
    found
}
