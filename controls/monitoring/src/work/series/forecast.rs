//! What a series is worth over time: growth of counters, limits that are known by name, and when they are met.

use std::path::Path;

use model::Timestamp;
use room::Error;
use steady::{Forecast, Limit, exhaustion};

use super::files::{About, Row, Shape, read};

/// Days that a forecast looks back on.
pub const BACK_DAYS: i64 = 30;
const HOUR: i64 = 3_600_000_000;

/// When a series meets its limit.
#[derive(Clone, Debug)]
pub struct Ahead {
    pub limit: Limit,
    pub forecast: Forecast,
    /// What it was made of, an hour each.
    pub rows: Vec<Row>,
}

/// The growth per second between each row and the one before, where the shape is that of a counter; a counter that
/// began anew has none. Everything else stays.
pub fn rates(shape: Shape, rows: Vec<Row>) -> Vec<Row> {
    if shape != Shape::Counter {
        return rows;
    }
    let rate = |pair: &[Row]| {
        let seconds = (pair[1].time - pair[0].time) as f64 / 1e6;
        let rate = (pair[1].max - pair[0].max) / seconds;
        (rate >= 0.0 && pair[1].min >= pair[0].max).then_some(Row {
            min: rate,
            max: rate,
            mean: rate,
            ..pair[1]
        })
    };
    rows.windows(2).filter_map(rate).collect()
}

/// The limit that a name tells, or that somebody set.
pub fn limit(about: &About, set: Option<Limit>) -> Option<Limit> {
    if set.is_some() {
        return set;
    }
    if about.shape != Shape::Gauge {
        return None;
    }
    let name = about.name.as_str();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_temperature = name.contains("temp") && !ends(&["_max", "_crit", "_min"]);
    match name {
        // Disks that have moved so many sectors seldom live long; the second is the maker's own measure.
        "smart_5" | "smart_197" => Some(Limit::AtMost(100.0)),
        "nvme_percentage_used" => Some(Limit::AtMost(100.0)),
        "nvme_available_spare" => Some(Limit::AtLeast(10.0)),
        "smart_temperature" | "smart_194" => Some(Limit::AtMost(60.0)),
        _ if is_temperature => Some(Limit::AtMost(90.0)),
        _ if ends(&["_used_ratio"]) && !name.contains("cpu") => Some(Limit::AtMost(1.0)),
        _ if ends(&["_avail_bytes", "_free_bytes", "_MemAvailable_bytes", "_files_free"]) => {
            Some(Limit::AtLeast(0.0))
        }
        _ => None,
    }
}

/// Looks ahead, if the series has a limit. Reads files.
pub fn ahead(
    folder: &Path,
    about: &About,
    set: Option<Limit>,
    now: Timestamp,
) -> Result<Option<Ahead>, Error> {
    let Some(limit) = limit(about, set) else { return Ok(None) };
    let to = now.plus_hours(1);
    let rows = read(folder, about.id, now.minus_hours(24 * BACK_DAYS), to, HOUR)?;
    let rows = rates(about.shape, rows);
    let point = |row: &Row| steady::Point { time: row.time, value: row.mean };
    let points: Vec<steady::Point> = rows.iter().map(point).collect();
    Ok(Some(Ahead { limit, forecast: exhaustion(&points, limit), rows }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(name: &str, shape: Shape) -> About {
        let (source, host) = (String::new(), String::new());
        About { id: 1, source, host, name: name.to_owned(), labels: vec![], shape }
    }

    #[test]
    fn limits_are_known_by_name_and_what_was_set_goes_first() {
        let of = |name: &str| limit(&about(name, Shape::Gauge), None);
        assert_eq!(of("host_disk_used_ratio"), Some(Limit::AtMost(1.0)));
        assert_eq!(of("node_filesystem_avail_bytes"), Some(Limit::AtLeast(0.0)));
        assert_eq!(of("host_temperature_celsius"), Some(Limit::AtMost(90.0)));
        assert_eq!((of("host_cpu_used_ratio"), of("load1"), of("x_temp_max")), (None, None, None));
        let set = limit(&about("load1", Shape::Gauge), Some(Limit::AtLeast(4.0)));
        assert_eq!(set, Some(Limit::AtLeast(4.0)));
    }

    #[test]
    fn a_counter_grows_and_begins_anew() {
        let row = |minute: i64, value: f64| Row {
            time: minute * 60_000_000,
            count: 1,
            min: value,
            max: value,
            mean: value,
        };
        let rows = vec![row(0, 0.0), row(1, 60.0), row(2, 180.0), row(3, 30.0), row(4, 90.0)];
        let rates: Vec<f64> = rates(Shape::Counter, rows).iter().map(|row| row.mean).collect();
        assert_eq!(rates, [1.0, 2.0, 1.0]);
    }
}
