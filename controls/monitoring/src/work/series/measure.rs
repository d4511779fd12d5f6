//! Measurements out of events: which series each belongs to, and how its values behave. Pure.
//!
//! Taken are samples of Prometheus and OpenMetrics and whatever comes as JSON with `metric` and `value`, the numbers
//! of `smartctl --json`, and the uptime that SNMP notifications tell. What is no number is left out. Values in
//! notifications describe what happened and are no series.

use sha2::{Digest, Sha256};
use stream::Event;

use super::files::{About, Shape};

/// Characters of a name or a value of a label.
const TEXT_CHARS_MAX: usize = 200;
/// Labels of a series; further ones do not tell series apart.
const LABELS_MAX: usize = 32;

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    pub about: About,
    pub value: f64,
}

/// What an event measures.
pub fn measures(event: &Event) -> Vec<Measure> {
    let field = |name: &str| event.fields.get(name).map(String::as_str);
    if let (Some(metric), Some(value)) = (field("metric"), field("value")) {
        return sample(event, metric, value).into_iter().collect();
    }
    match event.app.as_str() {
        "smartctl" => smart(event),
        "snmp" => {
            let uptime = field("uptime_centiseconds").and_then(number);
            let one = uptime.map(|n| of(event, "snmp_uptime_seconds", Vec::new(), n / 100.0, None));
            one.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn sample(event: &Event, metric: &str, value: &str) -> Option<Measure> {
    let value = number(value)?;
    let labels = event
        .fields
        .iter()
        .filter_map(|(name, value)| Some((cut(name.strip_prefix("label.")?), cut(value))));
    let said = event.fields.get("metric_type").map(String::as_str);
    let labels = labels.take(LABELS_MAX).collect();
    // When something started says how long it runs, and that it runs anew.
    let started = ["_boot_time_seconds", "_start_time_seconds"];
    match started.iter().find_map(|ending| metric.strip_suffix(ending)) {
        Some(what) if value > 0.0 => {
            let uptime = event.time().min(event.arrived).0 as f64 / 1e6 - value;
            Some(of(event, &format!("{what}_uptime_seconds"), labels, uptime.max(0.0), None))
        }
        _ => Some(of(event, metric, labels, value, said)),
    }
}

/// The numbers of a disk.
fn smart(event: &Event) -> Vec<Measure> {
    let label = |name: &str| Some((name.to_owned(), cut(event.fields.get(name)?)));
    let labels: Vec<_> = ["device", "serial_number"].into_iter().filter_map(label).collect();
    let named = |name: &String| {
        name.starts_with("smart_") || name.starts_with("nvme_") || DISK.contains(&name.as_str())
    };
    let all = event.fields.iter().filter(|(name, _)| named(name));
    all.filter_map(|(name, value)| {
        let value = match value.as_str() {
            "true" => 1.0,
            "false" => 0.0,
            value => number(value)?,
        };
        let name = if DISK.contains(&name.as_str()) { &format!("smart_{name}") } else { name };
        Some(of(event, name, labels.clone(), value, None))
    })
    .collect()
}

const DISK: [&str; 4] = ["passed", "temperature", "power_on_hours", "error_count"];

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

fn of(
    event: &Event,
    name: &str,
    labels: Vec<(String, String)>,
    value: f64,
    said: Option<&str>,
) -> Measure {
    let (source, host, name) = (cut(&event.source), cut(&event.host), cut(name));
    let shape = shape(&name, said);
    let id = id(&source, &host, &name, &labels);
    Measure { about: About { id, source, host, name, labels, shape }, value }
}

/// The same series has the same id on every day and every server.
pub fn id(source: &str, host: &str, name: &str, labels: &[(String, String)]) -> u64 {
    let mut hash = Sha256::new_with_prefix("ume/series/v1");
    let labels = labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    for text in [source, host, name].into_iter().chain(labels) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let digest = hash.finalize();
    u64::from_be_bytes(std::array::from_fn(|n| digest[n]))
}

/// What the sender says, or else what names usually mean.
fn shape(name: &str, said: Option<&str>) -> Shape {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match said {
        _ if ends(&["uptime_seconds", "uptime"]) => Shape::Uptime,
        Some("counter" | "histogram") => Shape::Counter,
        Some("summary") if ends(&["_count", "_sum"]) => Shape::Counter,
        Some("stateset" | "info" | "state") => Shape::State,
        _ if name == "up" || ends(&["_up", "_state", "_status", "_passed", "_info"]) => {
            Shape::State
        }
        Some("gauge" | "gaugehistogram" | "summary") => Shape::Gauge,
        _ if ends(&["_total", "_count", "_sum", "_bucket", "_octets"]) => Shape::Counter,
        _ => Shape::Gauge,
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use stream::{Format, RawLine, metrics};

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn read(line: RawLine) -> Vec<Measure> {
        measures(&stream::parse(&line, "node", NOW, &jiff_utc()))
    }

    fn jiff_utc() -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::UTC
    }

    fn scraped(text: &str) -> Vec<Measure> {
        let samples = metrics::read(text, metrics::Dialect::Prometheus).unwrap();
        let line =
            |s: &metrics::Sample| RawLine::with_format(s.line("db1:9100", NOW), Format::Json);
        samples.iter().flat_map(|sample| read(line(sample))).collect()
    }

    #[test]
    fn samples_become_measures_of_their_shape() {
        let text = "# TYPE odd counter\nodd 5\nnode_load1 0.5\nhttp_requests_total{code=\"200\"} 7\n\
            up 1\nnode_boot_time_seconds 1795599900\nx NaN\n# TYPE y gauge\ny_total 3\n";
        let found = scraped(text);
        let one = |m: &Measure| (m.about.title(), m.about.shape, m.value);
        assert_eq!(
            found.iter().map(one).collect::<Vec<_>>(),
            [
                ("odd".to_owned(), Shape::Counter, 5.0),
                ("node_load1".to_owned(), Shape::Gauge, 0.5),
                ("http_requests_total{code=\"200\"}".to_owned(), Shape::Counter, 7.0),
                ("up".to_owned(), Shape::State, 1.0),
                ("node_uptime_seconds".to_owned(), Shape::Uptime, 100.0),
                ("y_total".to_owned(), Shape::Counter, 3.0),
            ]
        );
        assert_eq!(
            (found[1].about.host.as_str(), found[1].about.source.as_str()),
            ("db1:9100", "node")
        );
        let ids: std::collections::BTreeSet<u64> = found.iter().map(|m| m.about.id).collect();
        assert_eq!(ids.len(), found.len());
    }

    #[test]
    fn a_disk_is_measured_by_its_attributes() {
        let found = read(RawLine::new(
            r#"{"json_format_version":[1,0],"smartctl":{"exit_status":0},"device":{"name":"/dev/sda"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":41},"ata_smart_attributes":{"table":[{"id":5,"raw":{"value":8,"string":"8"}}]}}"#,
        ));
        let titles: Vec<String> = found.iter().map(|m| m.about.name.clone()).collect();
        assert_eq!(titles, ["smart_passed", "smart_5", "smart_temperature"]);
        assert_eq!((found[1].value, found[1].about.labels[0].1.as_str()), (8.0, "/dev/sda"));
        assert_eq!(found[0].about.shape, Shape::State);
    }

    #[test]
    fn what_measures_nothing_is_no_series() {
        for line in ["<13>1 - h app - - - x", r#"{"metric":"a","value":"b"}"#, r#"{"value":"1"}"#] {
            assert_eq!(read(RawLine::new(line)), [], "{line}");
        }
    }
}
