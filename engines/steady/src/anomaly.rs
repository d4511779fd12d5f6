//! A departure from what is normal, and what it states.

use serde::{Deserialize, Serialize};

use crate::time::Micros;

/// Which way of looking found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Off what is normal at this hour of the week
    Season,
    /// Off what was just before
    Jump,
    /// Slightly off for many hours (CUSUM)
    Drift,
    /// Another level since some hour of the last forty (change point)
    Shift,
    /// The same value over and over where it always moved
    Frozen,
    /// Above the limit that was set nearly all the time
    High,
    /// A state that this hour of the week never had
    State,
    /// Started anew at an hour at which it never did
    Restart,
    /// Beyond a threshold that was set
    Bound,
}

/// All of them, each at its own number.
pub(crate) const LAYERS_ALL: [Layer; 9] = [
    Layer::Season,
    Layer::Jump,
    Layer::Drift,
    Layer::Shift,
    Layer::Frozen,
    Layer::High,
    Layer::State,
    Layer::Restart,
    Layer::Bound,
];

impl Layer {
    /// What it is, for people.
    pub fn texts(self) -> (&'static str, &'static str) {
        match self {
            Layer::Season => {
                ("この曜日・時間帯の平常値から外れた", "off the normal of this hour of the week")
            }
            Layer::Jump => ("直前の値から急に変わった", "changed suddenly"),
            Layer::Drift => ("平常からのずれが続いている", "has been slightly off for hours"),
            Layer::Shift => ("水準が変わった", "moved to another level"),
            Layer::Frozen => ("値が動かなくなった", "stopped moving"),
            Layer::High => ("高い状態が続いている", "constantly high"),
            Layer::State => (
                "この曜日・時間帯にない状態になった",
                "in a state unknown at this hour of the week",
            ),
            Layer::Restart => ("予定外の時刻に再起動した", "restarted at an unexpected time"),
            Layer::Bound => ("設定したしきい値を超えた", "beyond the threshold that was set"),
        }
    }

    /// Whether it is over as soon as it was told.
    pub(crate) fn is_event(self) -> bool {
        matches!(self, Layer::High | Layer::Restart)
    }

    /// What creeps has usually not cost anything yet.
    pub(crate) fn phase(self) -> Phase {
        match self {
            Layer::Drift | Layer::High => Phase::Precursor,
            _ => Phase::Sign,
        }
    }
}

/// 兆候, it happened; 予兆, it may come to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Sign,
    Precursor,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The id that the series was given
    pub series: u64,
    pub layer: Layer,
    pub phase: Phase,
    /// Of the observation that showed it
    pub time: Micros,
    /// When it began; the same in all that is said about one episode
    pub onset: Micros,
    pub observed: f64,
    pub expected: f64,
    /// What is usual: beyond it lies one observation in a thousand
    pub low: f64,
    pub high: f64,
    /// How often an observation departs as far, by what this series did before
    pub p: f64,
}
