//! The gap between where each control stands and where it is to stand.
//!
//! Invariant: pure from board, statement and risks; the hours are misses times the effort of one, so a
//! control without misses needs none.

use model::{Level, Status};
use serde::Serialize;

use super::{
    RiskView,
    soa::{SoaRow, SoaStatus},
};
use crate::{Control, norms};

/// One control on the way to its target.
#[derive(Clone, Debug, Serialize)]
pub struct GapRow {
    pub control: String,
    pub title_ja: String,
    pub title_en: String,
    /// Room, for the eleven new ones.
    pub room: Option<&'static str>,
    pub level: Level,
    pub target: Level,
    pub status: SoaStatus,
    /// Criteria of the next rung that do not pass.
    pub misses: usize,
    /// Of these, how many nothing is known of.
    pub unknown: usize,
    /// Estimated effort to the next level.
    pub hours: u64,
    /// Controls of 2013 that it builds on: number, title in Japanese, title in English.
    pub builds_on: Vec<(String, String, String)>,
    pub risks: u64,
    /// Of these, how many name both threat and risk source.
    pub risks_complete: u64,
}

impl GapRow {
    /// Below what was aimed at, or below 梅 while nothing was.
    pub fn is_short(&self) -> bool {
        self.level < self.target.max(Level::Ume)
    }

    /// The title in one language.
    pub fn title(&self, lang: model::Lang) -> &str {
        match lang {
            model::Lang::Ja => &self.title_ja,
            model::Lang::En => &self.title_en,
        }
    }
}

/// Minutes to lift a control to its next level: misses of each criterion times the effort of one.
pub fn minutes_to_next(control: &Control) -> u64 {
    let next = control.to_next().into_iter();
    let effort = next.filter_map(|v| {
        let criterion = control.spec.criterion(v.criterion)?;
        let misses = v.total.saturating_sub(v.passed).max(1);
        Some(u64::from(criterion.minutes_per_miss).saturating_mul(misses))
    });
    effort.fold(0, u64::saturating_add)
}

/// The eleven new controls first, then the others in their order.
pub(super) fn rows(controls: &[Control], soa: &[SoaRow], risks: &[RiskView]) -> Vec<GapRow> {
    let mut all: Vec<GapRow> = soa
        .iter()
        .filter(|row| row.norm.is_some() || controls.iter().any(|c| c.spec.control == row.control))
        .map(|row| gap(controls, row, risks))
        .collect();
    // Stable, so each part keeps the order of the annex.
    all.sort_by_key(|row| row.room.is_none());
    all
}

fn gap(controls: &[Control], row: &SoaRow, risks: &[RiskView]) -> GapRow {
    let control = controls.iter().find(|c| c.spec.control == row.control);
    let next = control.map(Control::to_next).unwrap_or_default();
    let linked = || risks.iter().filter(|r| r.open && r.controls.contains(&row.control));
    GapRow {
        control: row.control.clone(),
        title_ja: row.title_ja.clone(),
        title_en: row.title_en.clone(),
        room: control.map(|c| c.spec.id),
        level: row.level,
        target: control.map_or(Level::None, |c| c.target),
        status: row.status,
        misses: next.len(),
        unknown: next.iter().filter(|v| v.status == Status::Unknown).count(),
        hours: control.map_or(0, minutes_to_next).div_ceil(60),
        builds_on: norms::builds_on(&row.control),
        risks: linked().count() as u64,
        risks_complete: linked().filter(|r| r.complete).count() as u64,
    }
}
