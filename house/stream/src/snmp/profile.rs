//! What is asked of devices, and the samples that their answers make. Pure.
//!
//! Profiles ship in `content/monitoring/snmp.toml`; an administrator adds values of his own beside them. A value
//! may stand several times in a group: the first that the device has counts, and only what is needed to know that
//! is asked for.
//!
//! Limits: [`ROWS_MAX`] rows of a table, [`SAMPLES_MAX`] samples of a device, [`OWN_MAX`] values of one's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::Deserialize;

use super::{
    ber::{Oid, parse_oid},
    message::Value,
};
use crate::metrics::Sample;

/// Most rows of a table that are read.
pub const ROWS_MAX: usize = 4096;
/// Most samples that one round of a device makes.
pub const SAMPLES_MAX: usize = 10_000;
/// Most values of one's own of an entry.
pub const OWN_MAX: usize = 200;
const LABEL_CHARS_MAX: usize = 200;
/// The profile that every device is asked by.
const EVERY: &str = "device";
/// Of `entPhySensorScale`: the number that means units; each step is a thousand.
const UNITS: f64 = 9.0;

/// Everything that ships.
pub static SHIPPED: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let text = include_str!("../../../../content/monitoring/snmp.toml");
    // A test reads it, so it is never empty.
    toml::from_str::<File>(text).map(|file| file.profile).unwrap_or_default()
});

/// What a device says, by object identifier.
pub type Found = BTreeMap<Oid, Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "every file of content says who wrote it")]
    version: String,
    #[expect(dead_code, reason = "every file of content says who wrote it")]
    author: String,
    profile: Vec<Profile>,
}

/// What is asked of one sort of device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub id: String,
    pub title_ja: String,
    pub title_en: String,
    /// Where its objects are defined.
    pub source: String,
    pub group: Vec<Group>,
}

/// Values that belong together: single ones, or the rows of a table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The identifiers name single values, with their last number.
    #[serde(default)]
    pub single: bool,
    #[serde(default)]
    pub labels: Vec<Label>,
    pub values: Vec<Measured>,
}

/// What tells the rows of a table apart; without one it is the end of the identifier, as `index`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    pub name: String,
    pub of: Arcs,
}

/// One value, and how its number is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub name: String,
    pub of: Arcs,
    /// Taken away from it.
    #[serde(default)]
    pub less: Vec<Arcs>,
    /// Divides it.
    pub over: Option<Arcs>,
    #[serde(default = "one")]
    pub scale: f64,
    /// Digits behind the point, as the device says.
    pub precision: Option<Arcs>,
    /// Thousands, as `entPhySensorScale` counts them.
    pub magnitude: Option<Arcs>,
    #[serde(default)]
    pub kind: Shape,
    /// A state: 1 if the value is one of these, else 0.
    #[serde(default)]
    pub is: Vec<i64>,
    /// Rows in which another object has another value are left out.
    pub when: Option<When>,
    /// Told as an event when the state begins.
    pub event: Option<Told>,
}

fn one() -> f64 {
    1.0
}

/// A condition of a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    pub of: Arcs,
    pub is: String,
}

/// What is told when a state begins, so that rules find it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The program that it is said by.
    pub app: String,
    pub message: String,
}

/// How a value behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    #[default]
    Gauge,
    Counter,
    State,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Gauge => "gauge",
            Shape::Counter => "counter",
            Shape::State => "state",
        }
    }
}

/// An object identifier as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Arcs(pub Oid);

impl TryFrom<String> for Arcs {
    type Error = String;
    fn try_from(text: String) -> Result<Arcs, String> {
        parse_oid(&text).map(Arcs).map_err(|rule| format!("{text}: {rule}"))
    }
}

/// Everything asked of one device.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    groups: Vec<Group>,
}

impl Plan {
    /// The groups of the named profiles and one's own values. Names what is unknown.
    pub fn new(profiles: &[String], own: Vec<Group>) -> Result<Plan, String> {
        let mut groups = Vec::new();
        let mut named: Vec<&str> = profiles.iter().map(String::as_str).collect();
        named.insert(0, EVERY);
        named.dedup();
        for name in named {
            let known = SHIPPED.iter().find(|profile| profile.id == name);
            let known = known.ok_or_else(|| {
                let all: Vec<&str> = SHIPPED.iter().map(|profile| profile.id.as_str()).collect();
                format!("profile {name:?}: one of {}", all.join(", "))
            })?;
            groups.extend(known.group.iter().cloned());
        }
        groups.extend(own);
        Ok(Plan { groups })
    }

    /// The single values, which are fetched first.
    pub fn singles(&self) -> Vec<Oid> {
        let single = self.groups.iter().filter(|group| group.single);
        let all: BTreeSet<&Arcs> = single
            .flat_map(|group| {
                let labels = group.labels.iter().map(|label| &label.of);
                group.values.iter().flat_map(Measured::needs).chain(labels)
            })
            .collect();
        all.into_iter().map(|arcs| arcs.0.clone()).collect()
    }

    /// The next column to walk, given what was found and which columns were walked.
    pub fn next(&self, found: &Found, walked: &BTreeSet<Oid>) -> Option<Oid> {
        self.groups.iter().filter(|group| !group.single).find_map(|group| {
            let values = group.values.iter().map(|v| (v.name.as_str(), v.needs()));
            let labels = group.labels.iter().map(|l| (l.name.as_str(), vec![&l.of]));
            wanted(values.collect(), found, walked)
                // Who has no values needs no names for them.
                .or_else(|| {
                    has_any(group, found).then(|| wanted(labels.collect(), found, walked))?
                })
        })
    }

    /// What was found, as samples, and what is told of states: whether each holds now, by its series.
    pub fn samples(&self, found: &Found) -> (Vec<Sample>, Vec<(String, bool, Told)>) {
        let (mut samples, mut states) = (Vec::new(), Vec::new());
        let (mut known, mut named) = (BTreeSet::new(), BTreeSet::new());
        for (at, group) in self.groups.iter().enumerate() {
            for value in &group.values {
                for row in rows(group, value, found) {
                    let Some(number) = value.number(&row, found) else { continue };
                    // The first way to know a value counts.
                    if !known.insert((at, value.name.as_str(), row.clone())) {
                        continue;
                    }
                    let mut labels = labels(group, &row, found);
                    // Two rows of one name are two series all the same.
                    if !named.insert((value.name.as_str(), labels.clone())) {
                        labels.push(("index".to_owned(), super::dotted(&row)));
                    }
                    let is_state = !value.is.is_empty();
                    let kind = if is_state { Shape::State } else { value.kind };
                    let (name, kind) = (value.name.clone(), Some(kind.name()));
                    let sample = Sample { name, labels, value: number, kind, time: None };
                    if let Some(told) = value.event.as_ref().filter(|_| is_state) {
                        states.push((series(&sample), number > 0.0, told.clone()));
                    }
                    samples.push(sample);
                    if samples.len() == SAMPLES_MAX {
                        return (samples, states);
                    }
                }
            }
        }
        (samples, states)
    }
}

fn series(sample: &Sample) -> String {
    format!("{}{:?}", sample.name, sample.labels)
}

/// Of several ways to know something, the columns that are needed to know whether there is one.
fn wanted(ways: Vec<(&str, Vec<&Arcs>)>, found: &Found, walked: &BTreeSet<Oid>) -> Option<Oid> {
    let mut known = BTreeSet::new();
    for (name, columns) in ways {
        if known.contains(name) {
            continue;
        }
        if let Some(next) = columns.iter().find(|column| !walked.contains(&column.0)) {
            // What a missing first column would belong to is not asked for.
            let first_missing =
                walked.contains(&columns[0].0) && below(found, &columns[0].0).next().is_none();
            if !first_missing {
                return Some(next.0.clone());
            }
        } else if columns.iter().all(|column| below(found, &column.0).next().is_some()) {
            known.insert(name);
        }
    }
    None
}

fn has_any(group: &Group, found: &Found) -> bool {
    group.values.iter().any(|value| below(found, &value.of.0).next().is_some())
}

/// What stands below an identifier: the rest of each, and its value.
fn below<'a>(found: &'a Found, column: &'a Oid) -> impl Iterator<Item = (&'a [u32], &'a Value)> {
    let from = found.range(column.clone()..);
    from.map_while(|(oid, value)| Some((oid.strip_prefix(&column[..])?, value)))
        .filter(|(row, _)| !row.is_empty())
}

fn rows(group: &Group, value: &Measured, found: &Found) -> Vec<Oid> {
    if group.single {
        return vec![Oid::new()];
    }
    below(found, &value.of.0).map(|(row, _)| row.to_vec()).collect()
}

fn at<'a>(found: &'a Found, column: &Arcs, row: &[u32]) -> Option<&'a Value> {
    let oid: Oid = column.0.iter().chain(row).copied().collect();
    found.get(&oid)
}

fn labels(group: &Group, row: &[u32], found: &Found) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for label in &group.labels {
        let text =
            at(found, &label.of, row).and_then(Value::text).filter(|text| !text.trim().is_empty());
        if let Some(text) = text.filter(|_| labels.iter().all(|(name, _)| *name != label.name)) {
            let text = text.trim().chars().take(LABEL_CHARS_MAX).collect();
            labels.push((label.name.clone(), text));
        }
    }
    if labels.is_empty() && !row.is_empty() {
        labels.push(("index".to_owned(), super::dotted(row)));
    }
    labels
}

impl Measured {
    /// A plain gauge.
    pub fn new(name: String, of: Arcs) -> Measured {
        Measured {
            name,
            of,
            less: Vec::new(),
            over: None,
            scale: one(),
            precision: None,
            magnitude: None,
            kind: Shape::Gauge,
            is: Vec::new(),
            when: None,
            event: None,
        }
    }

    /// The columns that it is made of, its own first.
    fn needs(&self) -> Vec<&Arcs> {
        let when = self.when.as_ref().map(|when| &when.of);
        let more = [&self.over, &self.precision, &self.magnitude].into_iter().flatten();
        [&self.of].into_iter().chain(when).chain(&self.less).chain(more).collect()
    }

    fn number(&self, row: &[u32], found: &Found) -> Option<f64> {
        let number = |column: &Arcs| at(found, column, row).and_then(Value::number);
        if let Some(when) = &self.when {
            let said = at(found, &when.of, row).and_then(Value::text)?;
            (said == when.is).then_some(())?;
        }
        let mut value = number(&self.of)?;
        if !self.is.is_empty() {
            return Some(f64::from(u8::from(self.is.iter().any(|state| *state as f64 == value))));
        }
        for less in &self.less {
            value -= number(less)?;
        }
        if let Some(over) = &self.over {
            let over = number(over).filter(|over| *over > 0.0)?;
            value /= over;
        }
        // A device that says neither means whole units.
        let said = |column: &Option<Arcs>| column.as_ref().and_then(&number);
        let digits = said(&self.precision).unwrap_or(0.0).clamp(-8.0, 9.0);
        let thousands = said(&self.magnitude).unwrap_or(UNITS).clamp(1.0, 17.0) - UNITS;
        let value = value * self.scale * 10f64.powf(3.0 * thousands - digits);
        value.is_finite().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, Value)]) -> Found {
        pairs.iter().map(|(oid, value)| (parse_oid(oid).unwrap(), value.clone())).collect()
    }

    /// Walks the table that stands there, as a device answers; says which columns were asked for.
    fn walked(plan: &Plan, device: &Found) -> (Found, Vec<String>) {
        let (mut found, mut done, mut order) = (Found::new(), BTreeSet::new(), Vec::new());
        for oid in plan.singles() {
            found.extend(device.get(&oid).map(|value| (oid, value.clone())));
        }
        while let Some(column) = plan.next(&found, &done) {
            let rows: Vec<_> =
                below(device, &column).map(|(row, v)| (row.to_vec(), v.clone())).collect();
            found.extend(rows.into_iter().map(|(row, v)| ([&column[..], &row].concat(), v)));
            order.push(super::super::dotted(&column));
            assert!(done.insert(column), "asked twice");
        }
        (found, order)
    }

    fn told(plan: &Plan, found: &Found) -> Vec<String> {
        plan.samples(found).0.iter().map(ToString::to_string).collect()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn what_ships_can_be_read_and_names_series_as_others_do() {
        let ids: Vec<&str> = SHIPPED.iter().map(|profile| profile.id.as_str()).collect();
        assert_eq!(ids, ["device", "interfaces", "host", "ucd", "ups", "sensors"]);
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        for profile in SHIPPED.iter() {
            assert!(
                !profile.title_ja.is_empty() && profile.source.contains("RFC")
                    || profile.id == "ucd"
            );
            for value in profile.group.iter().flat_map(|group| &group.values) {
                assert!(value.name.chars().all(named), "{}", value.name);
                assert!(value.event.is_none() || !value.is.is_empty(), "{}", value.name);
            }
        }
        assert!(Plan::new(&["nothing".into()], vec![]).unwrap_err().contains("interfaces"));
    }

    #[test]
    fn a_link_is_counted_with_64_bits_where_the_device_can_and_32_where_not() {
        let plan = Plan::new(&["interfaces".into()], vec![]).unwrap();
        let old = [
            ("1.3.6.1.2.1.2.2.1.10.1", Value::Unsigned(7)),
            ("1.3.6.1.2.1.2.2.1.2.1", text("eth0\0")),
            ("1.3.6.1.2.1.2.2.1.8.1", Value::Integer(1)),
        ];
        let (seen, _) = walked(&plan, &found(&old));
        let all = told(&plan, &seen);
        assert!(
            all.contains(&"if_received_bytes_total{interface=\"eth0\"} 7".to_owned()),
            "{all:?}"
        );
        assert!(all.contains(&"if_up{interface=\"eth0\"} 1".to_owned()), "{all:?}");
        let new = [
            ("1.3.6.1.2.1.31.1.1.1.6.1", Value::Unsigned(1 << 40)),
            ("1.3.6.1.2.1.31.1.1.1.1.1", text("Gi0/1")),
        ];
        let (seen, order) = walked(&plan, &found(&new));
        assert_eq!(
            told(&plan, &seen)[0],
            "if_received_bytes_total{interface=\"Gi0/1\"} 1099511627776"
        );
        assert!(!order.contains(&"1.3.6.1.2.1.2.2.1.10".to_owned()), "{order:?}");
    }

    #[test]
    fn shares_sensors_and_states_are_made_of_several_objects() {
        let plan = Plan::new(&["host".into(), "sensors".into(), "ups".into()], vec![]).unwrap();
        let device = found(&[
            ("1.3.6.1.2.1.25.3.3.1.2.7", Value::Integer(25)),
            ("1.3.6.1.2.1.25.2.3.1.2.4", Value::Name(parse_oid("1.3.6.1.2.1.25.2.1.4").unwrap())),
            ("1.3.6.1.2.1.25.2.3.1.3.4", text("/srv")),
            ("1.3.6.1.2.1.25.2.3.1.5.4", Value::Integer(200)),
            ("1.3.6.1.2.1.25.2.3.1.6.4", Value::Integer(50)),
            ("1.3.6.1.2.1.25.2.3.1.2.5", Value::Name(parse_oid("1.3.6.1.2.1.25.2.1.2").unwrap())),
            ("1.3.6.1.2.1.25.2.3.1.5.5", Value::Integer(0)),
            ("1.3.6.1.2.1.25.2.3.1.6.5", Value::Integer(0)),
            ("1.3.6.1.2.1.99.1.1.1.1.9", Value::Integer(8)),
            ("1.3.6.1.2.1.99.1.1.1.2.9", Value::Integer(8)),
            ("1.3.6.1.2.1.99.1.1.1.3.9", Value::Integer(1)),
            ("1.3.6.1.2.1.99.1.1.1.4.9", Value::Integer(385_000)),
            ("1.3.6.1.2.1.33.1.4.1.0", Value::Integer(5)),
            ("1.3.6.1.2.1.33.1.2.7.0", Value::Integer(31)),
        ]);
        let (seen, _) = walked(&plan, &device);
        let all = told(&plan, &seen);
        for wanted in [
            "cpu_used_ratio{index=\"7\"} 0.25",
            "disk_used_ratio{mount=\"/srv\"} 0.25",
            "temperature_celsius{index=\"9\"} 38.5",
            "ups_on_battery 1",
            "ups_on_bypass 0",
            "ups_battery_temperature_celsius 31",
        ] {
            assert!(all.iter().any(|line| line == wanted), "{wanted}: {all:#?}");
        }
        assert_eq!(all.len(), 6, "{all:#?}");
        let (_, states) = plan.samples(&seen);
        assert!(
            states.iter().any(|(_, holds, told)| *holds && told.message.contains("on battery"))
        );
    }

    #[test]
    fn values_of_ones_own_are_single_or_tables() {
        let own: Group =
            toml::from_str("values = [{ name = \"fan\", of = \"1.3.6.1.4.1.9.1\", scale = 0.5 }]")
                .unwrap();
        let plan = Plan::new(&[], vec![own]).unwrap();
        let device = found(&[
            ("1.3.6.1.4.1.9.1.0", Value::Unsigned(4)),
            ("1.3.6.1.4.1.9.1.3.2", text("10")),
            ("1.3.6.1.4.1.9.11", Value::Unsigned(9)),
        ]);
        let (seen, _) = walked(&plan, &device);
        assert_eq!(told(&plan, &seen), ["fan{index=\"0\"} 2", "fan{index=\"3.2\"} 5"]);
    }
}
