//! Which evidence meets a criterion. Pure.
//!
//! Invariants: what is met is known by criterion and subject, so the same is met once however often it is asked; what
//! is older than the criterion's window is no news.

use std::cmp::Reverse;

use indicators::tlp::Level;
use model::{Id, Timestamp};
use sha2::{Digest, Sha256};

use super::{
    super::{relevance::Touch, triage::Verdict},
    criterion::{Criterion, Severity, Trigger},
    evidence::{Evidence, Exposed, Item},
};

/// What a criterion finds at once; more follow with the next round.
pub const MET_MAX: usize = 500;
const ASSETS_MAX: usize = 20;
const DAY_HOURS: i64 = 24;

/// Something that meets a criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    pub criterion: Id,
    pub subject: Option<Id>,
    /// Tells it from everything else that met a criterion.
    pub key: String,
    pub title_ja: String,
    pub title_en: String,
    /// When the evidence came.
    pub at: Timestamp,
    pub level: Level,
    pub verdict: Option<Verdict>,
    pub is_urgent: bool,
    pub advice: String,
    pub assets: Vec<Exposed>,
}

/// Everything that meets the criterion now, newest first.
pub fn met(criterion: &Criterion, evidence: &Evidence, now: Timestamp) -> Vec<Met> {
    let since = now.minus_hours(DAY_HOURS * criterion.window_days);
    let mut all = match criterion.trigger {
        Trigger::OwnSighting => sightings(criterion, evidence, since),
        Trigger::Vulnerability => vulnerabilities(criterion, evidence, since),
        Trigger::NamesUs => touched(criterion, evidence, since, Touch::Brand),
        Trigger::SupplierAttacked => touched(criterion, evidence, since, Touch::Supplier),
        Trigger::FakeSite => touched(criterion, evidence, since, Touch::Lookalike),
        Trigger::ActorInSector => actors(criterion, evidence, since),
        Trigger::NewMethod => new_threats(criterion, evidence, since),
        Trigger::OwnTrend => trend(criterion, evidence, now),
    };
    all.sort_by_key(|met| (Reverse(met.at), met.key.clone()));
    all.truncate(MET_MAX);
    all
}

fn key(criterion: &Criterion, what: &str) -> String {
    hex::encode(Sha256::digest(format!("{}\n{}\n{what}", criterion.id, criterion.trigger.as_str())))
}

fn plain(criterion: &Criterion, subject: Option<Id>, what: &str, title: &str) -> Met {
    Met {
        criterion: criterion.id,
        subject,
        key: key(criterion, what),
        title_ja: title.to_owned(),
        title_en: title.to_owned(),
        at: Timestamp(0),
        level: Level::Clear,
        verdict: None,
        is_urgent: false,
        advice: String::new(),
        assets: Vec::new(),
    }
}

fn sightings(criterion: &Criterion, evidence: &Evidence, since: Timestamp) -> Vec<Met> {
    let counts = evidence.seen.iter().filter(|seen| {
        seen.is_intelligence && seen.at >= since && seen.severity >= criterion.severity_min
    });
    counts
        .map(|seen| Met {
            title_ja: seen.title_ja.clone(),
            title_en: seen.title_en.clone(),
            at: seen.at,
            // What our own logs hold is ours; the notice behind it may be stricter than the title shows.
            level: Level::Amber,
            is_urgent: seen.severity == Severity::Critical,
            ..plain(criterion, Some(seen.id), &seen.id.to_string(), "")
        })
        .collect()
}

fn vulnerabilities(criterion: &Criterion, evidence: &Evidence, since: Timestamp) -> Vec<Met> {
    let counts = evidence.weak.iter().filter(|weak| {
        weak.at >= since && (weak.is_exploited || weak.epss_permille >= criterion.epss_permille_min)
    });
    counts
        .filter_map(|weak| {
            let assets: Vec<Exposed> =
                weak.assets.iter().filter(|a| a.counts()).take(ASSETS_MAX).cloned().collect();
            if assets.is_empty() {
                return None;
            }
            let (whole, tenth) = (weak.epss_permille / 10, weak.epss_permille % 10);
            let (ja, en) = match weak.is_exploited {
                true => ("悪用を確認".to_owned(), "exploited".to_owned()),
                false => (format!("EPSS {whole}.{tenth}%"), format!("EPSS {whole}.{tenth} %")),
            };
            Some(Met {
                title_ja: format!("{}（{ja}）", weak.name),
                title_en: format!("{} ({en})", weak.name),
                at: weak.at,
                is_urgent: weak.is_exploited,
                advice: weak.fix.clone(),
                assets,
                ..plain(criterion, Some(weak.id), &weak.id.to_string(), "")
            })
        })
        .collect()
}

fn of_item(criterion: &Criterion, evidence: &Evidence, item: &Item) -> Met {
    let rows = item.reasons.iter().filter(|r| matches!(r.touch, Touch::Exposed | Touch::Asset));
    let mut assets: Vec<Exposed> =
        rows.filter_map(|reason| evidence.assets.get(&reason.row).cloned()).collect();
    assets.dedup();
    assets.truncate(ASSETS_MAX);
    Met {
        at: item.at,
        level: item.level,
        verdict: item.verdict,
        is_urgent: item.is_urgent,
        advice: item.advice.clone(),
        assets,
        ..plain(criterion, Some(item.id), &item.id.to_string(), &item.name)
    }
}

/// Items that touch us in this way, unless somebody judged that they do not concern us.
fn touched(criterion: &Criterion, evidence: &Evidence, since: Timestamp, touch: Touch) -> Vec<Met> {
    let counts = evidence.items.iter().filter(|item| {
        item.at >= since
            && item.verdict != Some(Verdict::Discard)
            && item.reasons.iter().any(|reason| reason.touch == touch)
    });
    counts.map(|item| of_item(criterion, evidence, item)).collect()
}

fn actors(criterion: &Criterion, evidence: &Evidence, since: Timestamp) -> Vec<Met> {
    let mut all = Vec::new();
    for actor in evidence.actors.iter().filter(|actor| actor.aims_at_sector) {
        let names = |item: &&Item| {
            item.at >= since
                && item.verdict != Some(Verdict::Discard)
                && actor
                    .words
                    .iter()
                    .any(|word| super::super::relevance::stands_in(&item.text, word))
        };
        let named: Vec<&Item> = evidence.items.iter().filter(names).collect();
        if named.len() < criterion.times_min.max(1) {
            continue;
        }
        let newest = named.iter().map(|item| item.at).max().unwrap_or(since);
        // Of an actor who goes on it is told once a window.
        let window = newest.0 / (criterion.window_days * DAY_HOURS * 3_600_000_000);
        let count = named.len();
        all.push(Met {
            title_ja: format!("{}（{}日間に{count}件）", actor.name, criterion.window_days),
            title_en: format!("{} ({count} in {} days)", actor.name, criterion.window_days),
            at: newest,
            level: named.iter().map(|item| item.level).max().unwrap_or(Level::Clear),
            ..plain(criterion, Some(actor.id), &format!("{}/{window}", actor.id), "")
        });
    }
    all
}

fn new_threats(criterion: &Criterion, evidence: &Evidence, since: Timestamp) -> Vec<Met> {
    let Some(newest) = evidence.threats.iter().map(|threat| threat.edition).max() else {
        return Vec::new();
    };
    let before: Vec<&str> = evidence
        .threats
        .iter()
        .filter(|threat| threat.edition < newest)
        .map(|threat| threat.name.as_str())
        .collect();
    // With nothing to compare, all would be new.
    let is_new = |name: &str| !before.is_empty() && !before.contains(&name);
    let counts = evidence.threats.iter().filter(|threat| {
        threat.edition == newest && threat.at >= since && !threat.was_ranked && is_new(&threat.name)
    });
    counts
        .map(|threat| Met {
            title_ja: format!("{}（{newest}年版）", threat.name),
            title_en: format!("{} (edition {newest})", threat.name),
            at: threat.at,
            ..plain(criterion, Some(threat.id), &threat.id.to_string(), "")
        })
        .collect()
}

fn trend(criterion: &Criterion, evidence: &Evidence, now: Timestamp) -> Vec<Met> {
    let hours = DAY_HOURS * criterion.window_days;
    let (since, before) = (now.minus_hours(hours), now.minus_hours(2 * hours));
    let grave = || evidence.seen.iter().filter(|seen| seen.severity >= criterion.severity_min);
    let of_now = grave().filter(|seen| seen.at >= since).count();
    let of_then = grave().filter(|seen| seen.at >= before && seen.at < since).count();
    let rises = i64::try_from(of_now).unwrap_or(i64::MAX).saturating_mul(1_000)
        >= i64::try_from(of_then).unwrap_or(i64::MAX).saturating_mul(criterion.rise_permille_min);
    // Without a window before there is nothing to have grown from.
    if of_then == 0 || of_now < criterion.times_min || !rises {
        return Vec::new();
    }
    let window = now.0 / (hours * 3_600_000_000);
    let days = criterion.window_days;
    vec![Met {
        title_ja: format!("{days}日間の検知が{of_then}件から{of_now}件に増加"),
        title_en: format!("Findings in {days} days rose from {of_then} to {of_now}"),
        at: now,
        level: Level::Amber,
        ..plain(criterion, None, &format!("trend/{window}"), "")
    }]
}

#[cfg(test)]
#[path = "met_tests.rs"]
mod tests;
