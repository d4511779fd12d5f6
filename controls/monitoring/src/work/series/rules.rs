//! What the register says of how series are judged: rules of the kinds `steady` and `trend`.
//!
//! Invariants: of several rules that fit a series the one with more conditions holds, of those alike the one whose
//! name comes first, so that the order of rows decides nothing; a rule that is not active does not exist.
//! Limits: [`RULES_MAX`] rules of each kind.

use std::{collections::BTreeSet, sync::Arc};

use model::{Id, Table, Timestamp};
use room::Error;
use serde_json::{Map, Value as Json};
use steady::{Bounds, Calendar, Direction, Limit, Micros, SECOND, Settings};
use store::{Row, Store};
use stream::intake::wild;

use super::{daily::is_host, files::About, tell::bare};

pub const STEADY: &str = "steady";
pub const TREND: &str = "trend";
pub(super) const KINDS: [&str; 2] = [STEADY, TREND];
/// Kinds of assets by which a rule may choose.
pub(super) const ASSETS: [&str; 3] = ["host", "database", "network_device"];
const RULES_MAX: usize = 1_000;
const HOUR: Micros = 3_600 * SECOND;

/// How a series is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub id: Id,
    pub name: String,
    pub select: Selector,
    /// Departures from what was learnt are told.
    pub is_learnt: bool,
    pub sensitivity: Sensitivity,
    pub direction: Direction,
    pub resolution: f32,
    pub bounds: Bounds,
    excluded: Vec<Hours>,
    maintenance: Vec<(Micros, Micros)>,
}

/// How rare a departure must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    Low,
    Medium,
    High,
}

impl Sensitivity {
    /// What opens an episode.
    fn tell_p(self) -> f32 {
        match self {
            Sensitivity::Low => 1e-6,
            Sensitivity::Medium => 1e-4,
            Sensitivity::High => 1e-3,
        }
    }

    /// How much of the site's budget it is worth beside the others (weighted Benjamini–Hochberg: Genovese,
    /// Roeder and Wasserman 2006).
    pub fn weight(self) -> f64 {
        match self {
            Sensitivity::Low => 0.1,
            Sensitivity::Medium => 1.0,
            Sensitivity::High => 10.0,
        }
    }
}

/// A limit that a series is to meet, and when to warn.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    pub id: Id,
    pub name: String,
    pub select: Selector,
    pub limit: Limit,
    pub warn_days: f64,
}

/// Which series a rule means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    series: String,
    source: Option<String>,
    hosts: Vec<String>,
    /// Hosts of the register, where the rule chooses by them.
    machines: Option<Arc<Vec<Row>>>,
}

impl Selector {
    fn of(row: &Row, assets: &[Row]) -> Selector {
        let at = &row.attributes;
        let lower = |text: &str| text.trim().to_lowercase();
        let hosts = at.get("hosts").and_then(Json::as_array).into_iter().flatten();
        Selector {
            series: lower(text(at, "series").unwrap_or("*")),
            source: text(at, "source").map(lower),
            hosts: hosts
                .filter_map(Json::as_str)
                .map(lower)
                .filter(|host| !host.is_empty())
                .collect(),
            machines: machines(at, assets),
        }
    }

    /// Whether it means this series.
    pub fn takes(&self, about: &About) -> bool {
        let (name, title) = (about.name.to_lowercase(), about.title().to_lowercase());
        let id = format!("{:016x}", about.id);
        let is_named = [&name, &title, &id].iter().any(|text| wild(&self.series, text));
        let host = bare(&about.host);
        let names = [about.host.to_lowercase(), host.to_lowercase()];
        let is_at = |pattern: &String| names.iter().any(|name| wild(pattern, name));
        is_named
            && self.source.as_ref().is_none_or(|source| wild(source, &about.source.to_lowercase()))
            && (self.hosts.is_empty() || self.hosts.iter().any(is_at))
            && self.machines.as_ref().is_none_or(|rows| rows.iter().any(|row| is_host(row, host)))
    }

    /// How many conditions there are; a name without `*` is one more.
    fn conditions(&self) -> usize {
        usize::from(!self.series.contains('*'))
            + usize::from(self.series != "*")
            + usize::from(self.source.is_some())
            + usize::from(!self.hosts.is_empty())
            + usize::from(self.machines.is_some())
    }
}

/// The machines of the register that a rule chooses, by kind or by one of them; a database by its host.
fn machines(at: &Map<String, Json>, assets: &[Row]) -> Option<Arc<Vec<Row>>> {
    let (kind, asset) = (text(at, "asset_kind"), text(at, "asset"));
    if kind.is_none() && asset.is_none() {
        return None;
    }
    let chosen = |row: &&Row| {
        kind.is_none_or(|kind| kind == row.kind) && asset.is_none_or(|id| row.id.to_string() == id)
    };
    let mut ids: BTreeSet<Id> = BTreeSet::new();
    for row in assets.iter().filter(chosen) {
        ids.insert(row.id);
        ids.extend(text(&row.attributes, "host").and_then(|id| id.parse::<Id>().ok()));
    }
    Some(Arc::new(assets.iter().filter(|row| ids.contains(&row.id)).cloned().collect()))
}

/// Hours of some days in which nothing is learnt or judged.
#[derive(Clone, Debug, PartialEq)]
struct Hours {
    days: Days,
    from: i64,
    until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Days {
    Every,
    Working,
    Off,
    /// 0 is Monday.
    One(i64),
}

impl Hours {
    fn of(row: &Json) -> Option<Hours> {
        let days = match row.get("days")?.as_str()? {
            "working" => Days::Working,
            "off" => Days::Off,
            "every" => Days::Every,
            day => {
                let week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
                Days::One(week.iter().position(|name| *name == day)? as i64)
            }
        };
        let hour = |name: &str| row.get(name).and_then(Json::as_i64);
        Some(Hours { days, from: hour("from_h")?, until: hour("until_h")? })
    }

    fn holds(&self, time: Micros, calendar: &Calendar) -> bool {
        let hour = calendar.hour(time);
        // Over midnight: what began yesterday goes on by yesterday's day.
        let (is_on, at) = match self.from < self.until {
            true => ((self.from..self.until).contains(&hour), time),
            false if hour >= self.from => (true, time),
            false => (hour < self.until, time - 24 * HOUR),
        };
        let weekday = (calendar.day(at) + 3).rem_euclid(7);
        is_on
            && match self.days {
                Days::Every => true,
                Days::Working => !calendar.is_day_off(at),
                Days::Off => calendar.is_day_off(at),
                Days::One(day) => day == weekday,
            }
    }
}

impl Rule {
    fn of(row: &Row, assets: &[Row]) -> Rule {
        let at = &row.attributes;
        let unit = unit(at);
        let number = |name: &str| at.get(name).and_then(Json::as_i64).map(|n| n as f64 * unit);
        let judged_by = text(at, "judged_by").unwrap_or("both");
        let bounds = Bounds {
            warn_above: number("warn_above"),
            critical_above: number("critical_above"),
            warn_below: number("warn_below"),
            critical_below: number("critical_below"),
            hold: at.get("hold_s").and_then(Json::as_i64).unwrap_or(0).max(0) * SECOND,
        };
        Rule {
            id: row.id,
            name: row.name.clone(),
            select: Selector::of(row, assets),
            is_learnt: judged_by != "thresholds",
            sensitivity: match text(at, "sensitivity") {
                Some("low") => Sensitivity::Low,
                Some("high") => Sensitivity::High,
                _ => Sensitivity::Medium,
            },
            direction: match text(at, "direction") {
                Some("up") => Direction::Up,
                Some("down") => Direction::Down,
                _ => Direction::Both,
            },
            resolution: number("least_size").unwrap_or(0.0).max(0.0) as f32,
            bounds: if judged_by == "normal" { Bounds::default() } else { bounds },
            excluded: table(at, "excluded").filter_map(Hours::of).collect(),
            maintenance: table(at, "maintenance").filter_map(span).collect(),
        }
    }

    /// Settings by this rule, of a series whose own they would be without it.
    pub fn settings(&self, own: Settings) -> Settings {
        Settings {
            direction: self.direction,
            resolution: self.resolution.max(own.resolution),
            tell_p: self.sensitivity.tell_p(),
            ..own
        }
    }

    /// Whether nothing is learnt or judged at this time.
    pub fn is_excluded(&self, time: Micros, calendar: &Calendar) -> bool {
        self.maintenance.iter().any(|(from, until)| (*from..*until).contains(&time))
            || self.excluded.iter().any(|hours| hours.holds(time, calendar))
    }
}

impl Outlook {
    fn of(row: &Row, assets: &[Row]) -> Option<Outlook> {
        let at = &row.attributes;
        text(at, "series")?;
        let limit = at.get("limit_value").and_then(Json::as_i64)? as f64 * unit(at);
        let is_least = text(at, "limit_side") == Some("below");
        Some(Outlook {
            id: row.id,
            name: row.name.clone(),
            select: Selector::of(row, assets),
            limit: if is_least { Limit::AtLeast(limit) } else { Limit::AtMost(limit) },
            warn_days: at.get("warn_days").and_then(Json::as_i64).unwrap_or(0) as f64,
        })
    }
}

/// All rules that are active, those with more conditions first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    pub steady: Vec<Arc<Rule>>,
    pub outlooks: Vec<Outlook>,
}

impl Rules {
    pub fn of(rows: &[Row], assets: &[Row]) -> Rules {
        let active = |kind: &'static str| {
            rows.iter()
                .filter(move |row| row.kind == kind && row.status == "active")
                .take(RULES_MAX)
        };
        let mut steady: Vec<Arc<Rule>> =
            active(STEADY).map(|row| Arc::new(Rule::of(row, assets))).collect();
        let order = |select: &Selector, name: &str, id: Id| {
            (std::cmp::Reverse(select.conditions()), name.to_owned(), id)
        };
        steady.sort_by_key(|rule| order(&rule.select, &rule.name, rule.id));
        let mut outlooks: Vec<Outlook> =
            active(TREND).filter_map(|row| Outlook::of(row, assets)).collect();
        outlooks.sort_by_key(|rule| order(&rule.select, &rule.name, rule.id));
        Rules { steady, outlooks }
    }

    /// The rule by which a series is judged.
    pub fn judging(&self, about: &About) -> Option<&Arc<Rule>> {
        self.steady.iter().find(|rule| rule.select.takes(about))
    }

    /// The limit that a rule sets for a series.
    pub fn outlook(&self, about: &About) -> Option<&Outlook> {
        self.outlooks.iter().find(|rule| rule.select.takes(about))
    }
}

/// The rules as they are now.
pub async fn rules(store: &Store) -> Result<Rules, Error> {
    let rows = store.all(Table::Rule, &KINDS).await?;
    if rows.is_empty() {
        return Ok(Rules::default());
    }
    let assets = store.all(Table::Asset, &ASSETS).await?;
    Ok(Rules::of(&rows, &assets))
}

fn text<'a>(at: &'a Map<String, Json>, name: &str) -> Option<&'a str> {
    at.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn table<'a>(at: &'a Map<String, Json>, name: &str) -> impl Iterator<Item = &'a Json> {
    at.get(name).and_then(Json::as_array).into_iter().flatten()
}

/// What one of a row's whole numbers is worth.
fn unit(at: &Map<String, Json>) -> f64 {
    match text(at, "scale") {
        Some("percent") => 0.01,
        Some("permille") => 0.001,
        _ => 1.0,
    }
}

fn span(row: &Json) -> Option<(Micros, Micros)> {
    let from = Timestamp::parse(row.get("from")?.as_str()?)?.0;
    let hours = row.get("hours")?.as_i64()?;
    Some((from, from.saturating_add(hours.saturating_mul(HOUR))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::work::series::Shape;

    /// Monday, 2026-04-06, 00:00 in Japan.
    const MONDAY: Micros = 1_775_401_200_000_000;

    fn about(host: &str, name: &str) -> About {
        let labels = vec![("mount".to_owned(), "/".to_owned())];
        let source = "node".to_owned();
        About {
            id: 7,
            source,
            host: host.to_owned(),
            name: name.to_owned(),
            labels,
            shape: Shape::Gauge,
        }
    }

    fn row(table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        // Names differ in their first bytes.
        let random = std::array::from_fn(|n| name.as_bytes().get(n).copied().unwrap_or(0));
        let mut row = Row::new(table, Id::from_parts(Timestamp(0), &random), kind, name);
        row.attributes = attributes.as_object().cloned().unwrap();
        row.status = "active".to_owned();
        row
    }

    fn steady(name: &str, attributes: Json) -> Row {
        row(Table::Rule, STEADY, name, attributes)
    }

    #[test]
    fn the_rule_with_more_conditions_judges() {
        let host = row(Table::Asset, "host", "db1", json!({ "hostname": "db1" }));
        let base = row(Table::Asset, "database", "erp", json!({ "host": host.id }));
        let rows = [
            steady("all", json!({ "series": "*", "sensitivity": "low" })),
            steady("disks", json!({ "series": "*disk*", "sensitivity": "medium" })),
            steady(
                "bases",
                json!({ "series": "*disk*", "sensitivity": "high", "asset_kind": "database" }),
            ),
            steady(
                "one",
                json!({ "series": "host_disk_used_ratio{mount=\"/\"}", "hosts": ["web*"], "sensitivity": "high" }),
            ),
        ];
        let rules = Rules::of(&rows, &[host, base]);
        let of = |host: &str, name: &str| rules.judging(&about(host, name)).map(|r| r.name.clone());
        assert_eq!(of("x", "load1").as_deref(), Some("all"));
        assert_eq!(of("x", "host_disk_used_ratio").as_deref(), Some("disks"));
        assert_eq!(of("DB1:9100", "host_disk_used_ratio").as_deref(), Some("bases"));
        assert_eq!(of("web2", "host_disk_used_ratio").as_deref(), Some("one"));
        let mut draft = rows[0].clone();
        draft.status = "draft".to_owned();
        assert_eq!(Rules::of(&[draft], &[]), Rules::default());
    }

    #[test]
    fn numbers_of_a_row_are_in_its_unit() {
        let said = json!({
            "series": "*_ratio", "sensitivity": "high", "direction": "up", "scale": "percent",
            "least_size": 5, "warn_above": 80, "critical_above": 95, "hold_s": 300,
        });
        let rule = Rule::of(&steady("r", said.clone()), &[]);
        let settings = rule.settings(Settings::new(steady::Kind::Gauge));
        assert_eq!((settings.direction, settings.tell_p), (Direction::Up, 1e-3));
        assert!((settings.resolution - 0.05).abs() < 1e-6);
        assert_eq!((rule.bounds.warn_above, rule.bounds.hold), (Some(0.8), 300 * SECOND));
        let normal = Rule::of(&steady("r", json!({ "judged_by": "normal", "warn_above": 1 })), &[]);
        assert!(normal.bounds.is_empty() && normal.is_learnt);
        let spec = crate::SPEC.rules.iter().find(|kind| kind.id == STEADY).unwrap();
        assert_eq!(spec.validate(said.as_object().unwrap()), []);
        let wrong =
            json!({ "series": "x", "sensitivity": "huge", "warn_above": 9, "critical_above": 8 });
        let fields: Vec<String> = spec
            .validate(wrong.as_object().unwrap())
            .iter()
            .map(|error| error.field().to_owned())
            .collect();
        assert_eq!(fields, ["sensitivity", "warn_above"]);
    }

    #[test]
    fn hours_and_maintenance_are_left_out() {
        let calendar = Calendar::japan();
        let rule = |attributes: Json| Rule::of(&steady("r", attributes), &[]);
        let night =
            rule(json!({ "excluded": [{ "days": "working", "from_h": 22, "until_h": 2 }] }));
        let at = |hour: i64| night.is_excluded(MONDAY + hour * HOUR, &calendar);
        assert!(at(22) && at(25) && !at(26) && !at(12));
        // Friday's night reaches into Saturday, Sunday's is none.
        assert!(at(4 * 24 + 25) && !at(6 * 24 + 23) && !at(7 * 24 + 1));
        let sunday = rule(json!({ "excluded": [{ "days": "sun", "from_h": 0, "until_h": 24 }] }));
        assert!(
            sunday.is_excluded(MONDAY - HOUR, &calendar) && !sunday.is_excluded(MONDAY, &calendar)
        );
        let work =
            rule(json!({ "maintenance": [{ "from": "2026-04-06T09:00:00+09:00", "hours": 2 }] }));
        let at = |hour: i64| work.is_excluded(MONDAY + hour * HOUR, &calendar);
        assert!(at(9) && at(10) && !at(11) && !at(8));
    }
}
