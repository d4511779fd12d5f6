//! Names of metrics and labels as Prometheus writes them, by the rules that OpenTelemetry has for it. Pure.

use std::collections::BTreeMap;

/// Units by UCUM's sign.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];
/// What stands below a fraction line.
const PER: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("min", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// What a metric is, as far as its name shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Gauge,
    Counter,
    Other,
}

/// `http.server.duration` in `ms` → `http_server_duration_milliseconds`.
pub fn metric(name: &str, unit: &str, form: Form) -> String {
    let cleaned = clean(name);
    let mut words: Vec<&str> = cleaned.split('_').filter(|word| !word.is_empty()).collect();
    if form == Form::Counter {
        words.retain(|word| *word != "total");
    }
    let units = unit_words(unit, form);
    for unit in &units {
        if !words.contains(&unit.as_str()) {
            words.push(unit);
        }
    }
    if form == Form::Counter {
        words.push("total");
    }
    led(words.join("_"))
}

/// Labels by clean names; values whose names become the same stand together, as OpenTelemetry asks for it.
pub fn labels(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        let name = led(clean(&name));
        match all.get_mut(&name) {
            Some(known) => {
                known.push(';');
                known.push_str(&value);
            }
            None => drop(all.insert(name, value)),
        }
    }
    all.into_iter().collect()
}

fn clean(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// A name does not begin with a digit.
fn led(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// `By/s` → `bytes`, `per`, `second`; `{requests}` and `1` of what is no gauge say nothing.
fn unit_words(unit: &str, form: Form) -> Vec<String> {
    let (above, below) = unit.split_once('/').unwrap_or((unit, ""));
    if above.trim() == "1" && below.is_empty() {
        return if form == Form::Gauge { vec!["ratio".to_owned()] } else { Vec::new() };
    }
    let known = |table: &[(&str, &str)], sign: &str| {
        let sign = sign.trim();
        if sign.is_empty() || sign == "1" || sign.contains(['{', '}']) {
            return None;
        }
        let found = table.iter().find(|(short, _)| *short == sign);
        let word = found.map_or_else(|| clean(sign), |(_, long)| (*long).to_owned());
        Some(word.trim_matches('_').to_owned()).filter(|word| !word.is_empty())
    };
    let mut words: Vec<String> = known(UNITS, above).into_iter().collect();
    if let Some(below) = known(PER, below) {
        words.extend(["per".to_owned(), below]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_prometheus_would_show() {
        for (name, unit, form, wanted) in [
            ("http.server.duration", "ms", Form::Other, "http_server_duration_milliseconds"),
            ("system.cpu.utilization", "1", Form::Gauge, "system_cpu_utilization_ratio"),
            ("system.disk.io", "By", Form::Counter, "system_disk_io_bytes_total"),
            ("requests_total", "{request}", Form::Counter, "requests_total"),
            ("process.memory.bytes", "By", Form::Gauge, "process_memory_bytes"),
            ("net/rate", "By/s", Form::Gauge, "net_rate_bytes_per_second"),
            ("温度", "Cel", Form::Gauge, "celsius"),
            ("2xx", "", Form::Other, "_2xx"),
        ] {
            assert_eq!(metric(name, unit, form), wanted);
        }
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = labels([pair("a.b", "1"), pair("a_b", "2"), pair("c", "3")].into_iter());
        assert_eq!(all, [pair("a_b", "1;2"), pair("c", "3")]);
    }
}
