//! What the register says of sources (which there are, how often they speak, how long they may be quiet) and of the
//! trends of security logs (which are told of, and from which size on).

use model::{Id, Table};
use room::Error;
use serde_json::Value as Json;
use steady::SECOND;
use store::{Row, Store};
use stream::{Encoding, Manners, Own};

use super::{
    security::{Class, News, What},
    sources::{Expected, Quiet},
};
use crate::work::series::rules::TREND;

fn text(row: &Row, name: &str) -> String {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_owned()
}

/// How grave it is, in the words of findings.
fn severity(said: &str) -> &'static str {
    let known = ["informational", "low", "medium", "high", "critical"];
    known.into_iter().find(|word| *word == said).unwrap_or("medium")
}

/// What the register says of sources.
pub async fn expected(store: &Store) -> Result<Vec<Expected>, Error> {
    let rows = store.all(Table::Asset, &["log_source"]).await?;
    let active: Vec<&Row> = rows.iter().filter(|row| row.status == "active").collect();
    let asset = |row: &Row| row.attributes.get("asset")?.as_str()?.parse::<Id>().ok();
    let hosts: Vec<Id> = active.iter().filter_map(|row| asset(row)).collect();
    let hosts = store.rows_by_id(Table::Asset, &hosts).await?;
    let one = |row: &&Row| {
        let host = asset(row).and_then(|id| hosts.iter().find(|host| host.id == id));
        let names = host.into_iter().flat_map(|host| [host.name.clone(), text(host, "hostname")]);
        Expected {
            id: row.id,
            name: row.name.clone(),
            class: text(row, "source_class"),
            hosts: names.filter(|name| !name.is_empty()).map(|name| name.to_lowercase()).collect(),
            address: text(row, "address"),
            cadence_s: row.attributes.get("cadence_s").and_then(Json::as_i64),
            severity: severity(&text(row, "criticality")),
            since: row.created_at.0,
            asset: asset(row),
        }
    };
    Ok(active.iter().map(one).collect())
}

/// How sources of the register write: by their names, and by the addresses they send from. A zone that is none is left
/// out; the form refuses it.
pub async fn manners(store: &Store) -> Result<Manners, Error> {
    let mut manners = Manners::default();
    for row in store.all(Table::Asset, &["log_source"]).await? {
        let own = Own {
            zone: jiff::tz::TimeZone::get(&text(&row, "zone")).ok(),
            encoding: Encoding::named(&text(&row, "encoding")),
        };
        if row.status != "active" || own == Own::default() {
            continue;
        }
        match text(&row, "address") {
            address if address.is_empty() => manners.sources.insert(row.name.to_lowercase(), own),
            address => manners.peers.insert(address, own),
        };
    }
    Ok(manners)
}

/// Rules that say how long a source may be quiet.
pub async fn quiet(store: &Store) -> Result<Vec<Quiet>, Error> {
    let rows = store.all(Table::Rule, &["silence"]).await?;
    let one = |row: &Row| {
        let seconds = row.attributes.get("quiet_s").and_then(Json::as_i64).filter(|s| *s > 0)?;
        Some(Quiet {
            selector: text(row, "source_selector"),
            quiet: seconds.saturating_mul(SECOND),
            severity: severity(&text(row, "level")),
            is_for_work: row.attributes.get("calendar").and_then(Json::as_bool).unwrap_or(false),
        })
    };
    Ok(rows.iter().filter(|row| row.status == "active").filter_map(one).collect())
}

/// Whether a class of security logs is told of, and from which size on.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRule {
    class: String,
    is_watched: bool,
    least_per_day: f64,
    /// Share of what it was before.
    least_rise: f64,
}

/// Rules of classes, the newest of a class first: it holds.
pub async fn classes(store: &Store) -> Result<Vec<ClassRule>, Error> {
    let mut rows = store.all(Table::Rule, &[TREND]).await?;
    rows.retain(|row| row.status == "active");
    rows.sort_by_key(|row| std::cmp::Reverse((row.updated_at, row.id)));
    let one = |row: &Row| {
        let number = |name: &str| row.attributes.get(name).and_then(Json::as_i64).unwrap_or(0);
        let is_watched = row.attributes.get("is_watched").and_then(Json::as_bool);
        let class = text(row, "security_class");
        (!class.is_empty()).then(|| ClassRule {
            class,
            is_watched: is_watched.unwrap_or(true),
            least_per_day: number("least_per_day") as f64,
            least_rise: number("least_rise") as f64 / 100.0,
        })
    };
    Ok(rows.iter().filter_map(one).collect())
}

fn rule_of(rules: &[ClassRule], class: Class) -> Option<&ClassRule> {
    rules.iter().find(|rule| rule.class == class.name())
}

/// Whether somebody is told of this class at all.
pub fn is_watched(rules: &[ClassRule], class: Class) -> bool {
    rule_of(rules, class).is_none_or(|rule| rule.is_watched)
}

/// Whether it is large enough for the rule of its class.
pub fn is_told(rules: &[ClassRule], news: &News) -> bool {
    let Some(rule) = rule_of(rules, news.class) else { return true };
    // Counts of a day, and by what share it rose: over a month where it grows steadily.
    let (size, rise) = match news.what {
        What::Risen { before, after, .. } => (after, after / before.max(1e-9) - 1.0),
        What::Newcomer { count, .. } => (count / 7.0, f64::INFINITY),
        What::Grows { per_day, level } => (level, 30.0 * per_day / level.max(1e-9)),
    };
    rule.is_watched && size >= rule.least_per_day && rise >= rule.least_rise
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(what: What) -> News {
        News { class: Class::Ids, what, key: String::new(), also: Vec::new() }
    }

    #[test]
    fn a_rule_of_a_class_keeps_small_things_back() {
        let rule = |is_watched, least_per_day, least_rise| {
            let class = "ids".to_owned();
            vec![ClassRule { class, is_watched, least_per_day, least_rise }]
        };
        let risen = news(What::Risen { day: 0, before: 10.0, after: 15.0 });
        let grows = news(What::Grows { per_day: 0.1, level: 20.0 });
        let newcomer = news(What::Newcomer { name: "a".into(), count: 70.0, share: 0.5 });
        for one in [&risen, &grows, &newcomer] {
            assert!(is_told(&[], one) && !is_told(&rule(false, 0.0, 0.0), one));
            assert!(!is_told(&rule(true, 30.0, 0.0), one));
        }
        assert!(
            is_told(&rule(true, 10.0, 0.5), &risen) && !is_told(&rule(true, 10.0, 0.6), &risen)
        );
        assert!(
            is_told(&rule(true, 20.0, 0.15), &grows) && !is_told(&rule(true, 20.0, 0.2), &grows)
        );
        assert!(is_told(&rule(true, 10.0, 5.0), &newcomer));
        assert!(is_watched(&rule(false, 0.0, 0.0), Class::Dlp));
    }
}
