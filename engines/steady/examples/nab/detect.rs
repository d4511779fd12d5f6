//! The detectors: series of this engine, and the windowed Gaussian to compare with.

use steady::{Calendar, HOUR, Kind, Series, Settings};

use crate::score::{Detection, Detections, Labelled};

#[derive(Clone, Copy)]
pub enum Detector {
    /// A series of this engine that tells what is at least as rare
    Steady { tell_p: f32 },
    /// A normal distribution over the last rows; rows above the threshold in a run are one detection or many
    Gaussian { window: usize, runs: bool },
}

pub fn all() -> Vec<Detector> {
    let mut all = [1e-2, 3e-3, 1e-3, 3e-4].map(|tell_p| Detector::Steady { tell_p }).to_vec();
    for window in [144, 288, 576, 1_152, 2_304, 6_400] {
        all.extend([true, false].map(|runs| Detector::Gaussian { window, runs }));
    }
    all
}

impl Detector {
    pub fn family(&self) -> &'static str {
        match self {
            Detector::Steady { .. } => "steady",
            Detector::Gaussian { .. } => "gaussian",
        }
    }

    pub fn name(&self) -> String {
        match self {
            Detector::Steady { tell_p } => format!("steady, {tell_p}"),
            Detector::Gaussian { window, runs } => {
                format!("windowed Gaussian, {window} rows, {}", if *runs { "runs" } else { "rows" })
            }
        }
    }

    pub fn run(&self, series: &Labelled) -> Detections {
        match self {
            Detector::Steady { tell_p } => steady(series, *tell_p),
            Detector::Gaussian { window, runs } => gaussian(series, *window, *runs),
        }
    }
}

fn steady(labelled: &Labelled, tell_p: f32) -> Detections {
    let rows = labelled.unscored();
    let learning = labelled.points[rows].0 - labelled.points[0].0;
    let mut settings = Settings::new(Kind::Gauge);
    settings.cold_start_hours = (learning / HOUR) as u16;
    settings.tell_p = tell_p;
    let calendar = Calendar::utc();
    let mut series = Series::new(0, settings);
    let (mut found, mut onset, mut episode) = (Vec::new(), None, 0);
    for (row, (time, value)) in labelled.points.iter().enumerate() {
        if let Some(anomaly) = series.observe(*time, *value, &calendar) {
            episode += usize::from(onset != Some(anomaly.onset));
            onset = Some(anomaly.onset);
            found.push(Detection {
                row,
                score: -anomaly.p.max(1e-300).log10(),
                episode,
                note: format!(
                    "{:?} o{:.3} e{:.3} [{:.3},{:.3}]",
                    anomaly.layer, anomaly.observed, anomaly.expected, anomaly.low, anomaly.high
                ),
            });
        }
    }
    Detections(found)
}

fn gaussian(labelled: &Labelled, window: usize, runs: bool) -> Detections {
    let mut found: Vec<Detection> = Vec::new();
    let values: Vec<f64> = labelled.points.iter().map(|(_, v)| *v).collect();
    let (mut sum, mut squares) = (0.0, 0.0);
    for (row, value) in values.iter().enumerate() {
        let n = row.min(window) as f64;
        if n > 1.0 {
            let mean = sum / n;
            let deviation = (squares / n - mean * mean).max(0.0).sqrt().max(1e-6);
            let score = ((value - mean) / deviation).abs();
            // A run is one detection at any threshold if rows next to each other share an episode; below two
            // deviations nothing runs.
            let same = found.last().is_some_and(|last| runs && last.row + 1 == row);
            let episode = found.last().map_or(0, |last| last.episode + usize::from(!same));
            if score > 2.0 {
                found.push(Detection { row, score, episode, note: String::new() });
            }
        }
        sum += value;
        squares += value * value;
        if row >= window {
            sum -= values[row - window];
            squares -= values[row - window] * values[row - window];
        }
    }
    Detections(found)
}
