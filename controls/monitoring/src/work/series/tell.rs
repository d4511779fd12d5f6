//! Departures as findings, and what the registers say that concerns series.

use std::collections::HashMap;

use model::{Assurance, Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use steady::{Grave, Layer, PER_DAY, Phase};
use store::{RecordDraft, Store};

use super::{
    files::About,
    site::{Site, Told, VOLUME},
};
use crate::{
    findings::{FINDING, JOINED},
    work::{alerts, joined::Second},
};

/// Alerts that are looked up at the start.
const ALERTS_MAX: usize = 10_000;
const ALERT_DAYS: i64 = 30;
/// What findings of series name as their rule.
pub const RULE: &str = "steady";
/// So rare that it is grave.
const GRAVE_P: f64 = 1e-12;

/// An alert of a series.
pub(super) struct Alert {
    pub id: Id,
    /// What its episode is known by.
    pub onset: i64,
    pub p: f64,
    /// How grave it is of a threshold that was set; 0 of all else.
    pub rank: u8,
    pub is_open: bool,
}

impl Told {
    /// What becomes graver is told anew.
    pub(super) fn rank(&self) -> u8 {
        u8::from(self.grave == Some(Grave::Critical))
    }
}

/// The newest alert of each series.
pub(super) async fn alerts(store: &Store, now: Timestamp) -> Result<HashMap<u64, Alert>, Error> {
    let since = now.minus_hours(24 * ALERT_DAYS);
    let mut findings = store.records_since(&[FINDING], since, ALERTS_MAX).await?;
    findings.retain(|record| record.facts.get("rule") == Some(&json!(RULE)));
    findings.sort_by_key(|record| record.id);
    let of_all = crate::findings::with_judgements(store, findings).await?;
    let one = |alert: &crate::findings::Alert| {
        let series = u64::from_str_radix(alert.fact("series"), 16).ok()?;
        let onset = alert.record.facts.get("onset_us").and_then(Json::as_i64)?;
        // Rarity lies in the fact as a negative power of ten; a threshold has none.
        let rarity = alert.record.facts.get("rarity").and_then(Json::as_i64);
        let p = 10f64.powi(-i32::try_from(rarity.unwrap_or(0)).unwrap_or(4));
        let rank = u8::from(rarity.is_none() && alert.fact("severity") == "high");
        let (id, is_open) = (alert.record.id, alert.judged.is_none());
        Some((series, Alert { id, onset, p, rank, is_open }))
    };
    let mut all: HashMap<u64, Alert> = of_all.iter().filter_map(one).collect();
    for record in store.records_since(&[JOINED], since, ALERTS_MAX).await? {
        let fact = |name: &str| record.facts.get(name).cloned().unwrap_or_default();
        let series = fact("series").as_str().and_then(|id| u64::from_str_radix(id, 16).ok());
        let (Some(series), Some(id)) = (series, record.subject) else { continue };
        let first = crate::findings::one(store, id).await?;
        let is_open = first.is_some_and(|alert| alert.judged.is_none());
        let onset = fact("onset_us").as_i64().unwrap_or(0);
        if all.get(&series).is_none_or(|alert| alert.onset < onset) {
            all.insert(series, Alert { id, onset, p: 1.0, rank: 0, is_open });
        }
    }
    Ok(all)
}

/// False alarms a day that the scope in force bears.
pub(super) async fn budget(store: &Store) -> Result<f64, Error> {
    let scopes = store.all(Table::Norm, &["monitoring_scope"]).await?;
    let active = scopes.iter().filter(|row| row.status == "active");
    let newest = active.max_by_key(|row| (row.updated_at, row.id));
    let said = newest.and_then(|row| row.attributes.get("false_alarms_day")?.as_f64());
    Ok(said.unwrap_or(PER_DAY))
}

/// The series that somebody names by its id, or by name and host.
pub(super) fn named(site: &Site, said: &str) -> Option<u64> {
    let said = said.trim();
    let by_id = u64::from_str_radix(said, 16).ok().filter(|id| site.known.contains_key(id));
    by_id.or_else(|| {
        let is_it = |about: &About| {
            let title = about.title();
            said == title || said == format!("{title} {}", about.host)
        };
        site.known.values().find(|tracked| is_it(&tracked.about)).map(|tracked| tracked.about.id)
    })
}

/// The host of the register that a series is of.
pub(super) async fn host(ctx: &Shared, about: &About) -> Result<Option<Id>, Error> {
    alerts::host_of(ctx, &about.source, bare(&about.host)).await
}

/// A host without the port at which it was asked.
pub fn bare(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') => {
            name
        }
        _ => host,
    }
}

/// What it is, in Japanese and English.
fn titles(told: &Told) -> (String, String) {
    let (ja, en) = told.anomaly.layer.texts();
    let about = &told.about;
    let (name, host) = (about.title(), bare(&about.host));
    match host.is_empty() {
        true => (format!("{name}：{ja}"), format!("{name} {en}")),
        false => (format!("{host}の{name}：{ja}"), format!("{name} of {host}: {en}")),
    }
}

fn severity(told: &Told) -> &'static str {
    match told.grave {
        Some(Grave::Warning) => return "medium",
        Some(Grave::Critical) => return "high",
        None => {}
    }
    match (told.anomaly.phase, told.anomaly.layer) {
        (Phase::Precursor, _) => "low",
        (_, Layer::State | Layer::Restart) => "medium",
        _ if told.anomaly.p <= GRAVE_P => "high",
        _ => "medium",
    }
}

/// More lines than usual.
pub(super) fn is_more_lines(told: &Told) -> bool {
    let more = told.anomaly.observed > told.anomaly.expected;
    told.about.name == VOLUME && told.grave.is_none() && more
}

fn group(series: &str) -> String {
    hex::encode(Sha256::digest(format!("ume/alert/v1\nsteady\n{series}")))
}

/// A departure that is told with another one.
pub(super) fn second(told: &Told) -> Second {
    let series = format!("{:016x}", told.about.id);
    let (title, group, onset) = (titles(told), group(&series), told.anomaly.onset);
    Second { rule: RULE, title, group, series: Some(series), onset }
}

pub(super) fn draft(told: &Told, host: Option<Id>, now: Timestamp, stream: &str) -> RecordDraft {
    let (about, anomaly) = (&told.about, &told.anomaly);
    let (title_ja, title_en) = titles(told);
    let series = format!("{:016x}", about.id);
    let mut facts = json!({
        "severity": severity(told),
        "class": "anomaly",
        "phase": anomaly.phase,
        "retro": false,
        "rule": RULE,
        "title_ja": cut(&title_ja),
        "title_en": cut(&title_en),
        "group": group(&series),
        "stream": stream,
        "offset": told.end,
        "series": series,
        "onset_us": anomaly.onset,
    });
    if told.grave.is_none() {
        facts["rarity"] = (-anomaly.p.max(1e-300).log10().floor() as i64).into();
    }
    // Infinite and missing bounds are null in JSON, and left out where they are shown.
    let payload = json!({
        "time": Timestamp(anomaly.time).rfc3339(),
        "arrived": now.rfc3339(),
        "source": about.source,
        "host": about.host,
        "series": **about,
        "anomaly": anomaly,
        "judged_by": told.rule.as_ref().map(|rule| json!({ "id": rule.id, "name": rule.name })),
        "threshold": told.grave,
        "title_ja": title_ja,
        "title_en": title_en,
    });
    let at = Timestamp(anomaly.time).min(now);
    RecordDraft {
        ty: FINDING.to_owned(),
        subject: host,
        observed_from: Timestamp(anomaly.onset).min(at),
        observed_to: at,
        source: "monitoring.series".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&payload).ok(),
    }
}

/// As much as a fact may hold.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_part_of_a_hosts_name() {
        let bares = ["db1:9100", "db1", "192.0.2.1:80", "::1", "[::1]:9100", ""].map(bare);
        assert_eq!(bares, ["db1", "db1", "192.0.2.1", "::1", "[::1]:9100", ""]);
    }
}
