//! The text in which programs show their measurements: Prometheus 0.0.4 and OpenMetrics 1.0. Pure.
//!
//! A text is taken whole or not at all: one line that cannot be read refuses it, by its number, and an
//! OpenMetrics text without its `# EOF` was cut off. Exemplars are read over.
//!
//! Limits: [`SAMPLES_MAX`] samples; a name has 512 bytes, a sample [`LABELS_MAX`] labels, a value of a
//! label [`LABEL_BYTES_MAX`] bytes.

use std::collections::HashMap;

use model::Timestamp;
use serde_json::json;

/// Most samples of a text.
pub const SAMPLES_MAX: usize = 100_000;
/// Most labels of a sample.
pub const LABELS_MAX: usize = 64;
/// Longest value of a label.
pub const LABEL_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 512;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `text/plain; version=0.0.4`: times in milliseconds.
    Prometheus,
    /// `application/openmetrics-text`: times in seconds, an end mark.
    OpenMetrics,
}

impl Dialect {
    /// By the `Content-Type` of the answer.
    pub fn of(content_type: &str) -> Dialect {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        match kind.eq_ignore_ascii_case("application/openmetrics-text") {
            true => Dialect::OpenMetrics,
            false => Dialect::Prometheus,
        }
    }
}

/// Names and values, in the order of the text.
pub type Labels = Vec<(String, String)>;

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: f64,
    /// What its text says it is, one of [`KINDS`].
    pub kind: Option<&'static str>,
    /// If the program says when it was measured.
    pub time: Option<Timestamp>,
}

/// What a family of samples can be.
pub const KINDS: [&str; 7] =
    ["counter", "gauge", "histogram", "gaugehistogram", "summary", "stateset", "info"];
/// What follows the name of a family in the names of its samples, and the families that have it.
const ENDINGS: [(&str, &[&str]); 4] = [
    ("_total", &["counter"]),
    ("_bucket", &["histogram", "gaugehistogram"]),
    ("_count", &["histogram", "summary"]),
    ("_sum", &["histogram", "summary"]),
];

/// What families are, as their texts say.
#[derive(Default)]
struct Families<'a>(HashMap<&'a str, &'static str>);

impl<'a> Families<'a> {
    /// Takes in `# TYPE name kind`.
    fn hear(&mut self, line: &'a str) {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        if (words.next(), words.next()) != (Some("#"), Some("TYPE")) || self.0.len() >= SAMPLES_MAX
        {
            return;
        }
        if let (Some(name), Some(said)) = (words.next(), words.next())
            && let Some(kind) = KINDS.into_iter().find(|kind| *kind == said)
        {
            self.0.insert(name, kind);
        }
    }

    fn kind(&self, name: &str) -> Option<&'static str> {
        self.0.get(name).copied().or_else(|| {
            ENDINGS.iter().find_map(|(ending, kinds)| {
                let kind = self.0.get(name.strip_suffix(ending)?)?;
                kinds.contains(kind).then_some(*kind)
            })
        })
    }
}

/// Why a text is refused: its line, from 1, and the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {rule}")]
pub struct Broken {
    pub line: usize,
    pub rule: &'static str,
}

/// Reads a text.
pub fn read(text: &str, dialect: Dialect) -> Result<Vec<Sample>, Broken> {
    let (mut samples, mut ended, mut number) = (Vec::new(), false, 0);
    let mut families = Families::default();
    for (at, line) in text.split('\n').enumerate() {
        let broken = |rule| Broken { line: at + 1, rule };
        number = at + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if ended && !line.is_empty() {
            return Err(broken("nothing follows the end mark"));
        }
        ended |= line == "# EOF" && dialect == Dialect::OpenMetrics;
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            families.hear(line);
            continue;
        }
        if samples.len() == SAMPLES_MAX {
            return Err(broken("too many samples"));
        }
        let sample = sample(line, dialect).map_err(broken)?;
        samples.push(Sample { kind: families.kind(&sample.name), ..sample });
    }
    match dialect == Dialect::OpenMetrics && !ended {
        true => Err(Broken { line: number, rule: "the end mark is missing" }),
        false => Ok(samples),
    }
}

fn sample(line: &str, dialect: Dialect) -> Result<Sample, &'static str> {
    let end = line.find(['{', ' ', '\t']).ok_or("a sample has a value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("the name of a sample has letters, digits, _ and :");
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (Vec::new(), rest),
    };
    // Behind ` # ` stands an exemplar.
    let rest = match dialect {
        Dialect::OpenMetrics => rest.split(" # ").next().unwrap_or_default(),
        Dialect::Prometheus => rest,
    };
    let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
    let value = number(words.next().ok_or("a sample has a value")?)?;
    let time = words.next().map(|word| time(word, dialect)).transpose()?;
    if words.next().is_some() {
        return Err("a sample has a value and perhaps a time");
    }
    Ok(Sample { name: name.to_owned(), labels, value, kind: None, time })
}

/// `name="value",…}` and what follows.
fn labels(mut rest: &str) -> Result<(Labels, &str), &'static str> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        if labels.len() == LABELS_MAX {
            return Err("too many labels");
        }
        let (name, after) = rest.split_once('=').ok_or("a label is name=\"value\"")?;
        let name = name.trim_matches([' ', '\t']);
        if !is_name(name, false) {
            return Err("the name of a label has letters, digits and _");
        }
        let quoted = after.trim_start_matches([' ', '\t']).strip_prefix('"');
        let (value, after) = unquoted(quoted.ok_or("the value of a label is quoted")?)?;
        labels.push((name.to_owned(), value));
        let after = after.trim_start_matches([' ', '\t']);
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with('}') => after,
            None => return Err("labels are separated by commas"),
        };
    }
}

/// A value up to its closing quote, escapes resolved.
fn unquoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            c => value.push(c),
        }
        if value.len() > LABEL_BYTES_MAX {
            return Err("the value of a label is too long");
        }
    }
    Err("the value of a label is not closed")
}

fn is_name(name: &str, colons: bool) -> bool {
    let fits = |(at, byte): (usize, u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
        b':' => colons,
        b'0'..=b'9' => at > 0,
        _ => false,
    };
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().enumerate().all(fits)
}

/// As Go writes numbers: also `+Inf`, `-Inf`, `NaN`; never `nan(0x1)` or `infinity` in other clothes.
fn number(word: &str) -> Result<f64, &'static str> {
    let wrong = "a value is a number";
    let plain = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    match word.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
        "inf" | "infinity" if word.starts_with('-') => Ok(f64::NEG_INFINITY),
        "inf" | "infinity" => Ok(f64::INFINITY),
        "nan" => Ok(f64::NAN),
        _ if word.len() <= 64 && word.bytes().all(plain) => word.parse().map_err(|_| wrong),
        _ => Err(wrong),
    }
}

fn time(word: &str, dialect: Dialect) -> Result<Timestamp, &'static str> {
    let unit = if dialect == Dialect::OpenMetrics { 1e6 } else { 1e3 };
    let micros = number(word)? * unit;
    // Beyond what a day of the calendar can be written as, it is no time.
    if micros.abs() < 1e17 { Ok(Timestamp(micros as i64)) } else { Err("a time is a number") }
}

impl Sample {
    /// The sample as a line of JSON, as [`crate::parse()`] reads it.
    pub fn line(&self, target: &str, scraped: Timestamp) -> Vec<u8> {
        self.json(target, scraped).to_string().into_bytes()
    }

    pub(crate) fn json(&self, target: &str, scraped: Timestamp) -> serde_json::Value {
        let time = self.time.unwrap_or(scraped);
        let mut line = json!({
            "time": time.rfc3339(),
            "kind": "metric",
            "app": "metrics",
            "host": target,
            "message": self.to_string(),
            "metric": self.name,
            // Text, since JSON knows neither NaN nor infinity.
            "value": self.value.to_string(),
        });
        if let Some(kind) = self.kind {
            line["metric_type"] = kind.into();
        }
        for (name, value) in &self.labels {
            line[format!("label.{name}")] = value.as_str().into();
        }
        line
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for (at, (name, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if at == 0 { "{" } else { "," })?;
        }
        f.write_str(if self.labels.is_empty() { " " } else { "} " })?;
        write!(f, "{}", self.value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(text: &str, dialect: Dialect) -> String {
        read(text, dialect).unwrap_err().to_string()
    }

    #[test]
    fn prometheus_text_with_labels_escapes_times_and_odd_values() {
        let text = "# HELP a b\n# TYPE a gauge\na 1\n\n\
            a{} 2\r\nb{x=\"1\",y=\"a\\\"b\\\\c\\nd\\q\",} -1.5e3 1767225600123\n  \
            c:d { z = \"日本\" } +Inf\nn NaN\n#EOF\ne\t-Inf\t-5";
        let samples = read(text, Dialect::Prometheus).unwrap();
        assert_eq!(samples.len(), 6);
        assert_eq!((samples[0].value, samples[1].labels.len()), (1.0, 0));
        assert_eq!(samples[2].labels[1], ("y".to_owned(), "a\"b\\c\nd\\q".to_owned()));
        assert_eq!(samples[2].time, Some(Timestamp(1_767_225_600_123_000)));
        assert_eq!((samples[3].value, samples[3].labels[0].1.as_str()), (f64::INFINITY, "日本"));
        assert!(samples[4].value.is_nan() && samples[5].time == Some(Timestamp(-5_000)));
        assert_eq!(samples[3].to_string(), "c:d{z=\"日本\"} inf");
    }

    #[test]
    fn openmetrics_counts_seconds_has_exemplars_and_must_end() {
        let text = "# TYPE a counter\n# UNIT a seconds\na_total{x=\"# \"} 5 1767225600.5 # {t=\"1\"} 3 1\n# EOF\n";
        let samples = read(text, Dialect::OpenMetrics).unwrap();
        assert_eq!(samples[0].time, Some(Timestamp(1_767_225_600_500_000)));
        assert_eq!((samples[0].value, samples[0].labels[0].1.as_str()), (5.0, "# "));
        assert_eq!(rule("a 1\n", Dialect::OpenMetrics), "line 2: the end mark is missing");
        assert!(rule("a 1\n# EOF\nb 2\n", Dialect::OpenMetrics).contains("line 3"));
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(Dialect::of(kind), Dialect::OpenMetrics);
        assert_eq!(Dialect::of("text/plain; version=0.0.4"), Dialect::Prometheus);
    }

    #[test]
    fn a_sample_is_what_the_type_of_its_family_says() {
        let text = "# TYPE a counter\n# HELP a x\na_total 1\na 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n\
            h_sum 3\nh_max 4\n# TYPE g gauge\ng 1\ng_total 2\n# TYPE u nonsense\nu 1\n#TYPE v gauge\nv 1\n";
        let kinds: Vec<Option<&str>> =
            read(text, Dialect::Prometheus).unwrap().iter().map(|s| s.kind).collect();
        let (counter, histogram) = (Some("counter"), Some("histogram"));
        let gauge = Some("gauge");
        assert_eq!(kinds, [counter, counter, histogram, histogram, None, gauge, None, None, None]);
        let line = read(text, Dialect::Prometheus).unwrap()[0].line("h", Timestamp(0));
        assert!(String::from_utf8(line).unwrap().contains(r#""metric_type":"counter""#));
    }

    #[test]
    fn one_line_that_cannot_be_read_refuses_the_text() {
        for (line, words) in [
            ("a", "a value"),
            ("a ", "a value"),
            ("1a 1", "the name of a sample"),
            ("a-b 1", "the name of a sample"),
            ("a x", "a number"),
            ("a nan(1)", "a number"),
            ("a 0x10", "a number"),
            ("a 1 2 3", "perhaps a time"),
            ("a 1 1e300", "a time"),
            ("a 1 NaN", "a time"),
            ("a{x=\"1\" 1", "commas"),
            ("a{x=\"1} 1", "not closed"),
            ("a{x=\"1\\", "not closed"),
            ("a{x=1} 1", "quoted"),
            ("a{x} 1", "name="),
            ("a{x:y=\"1\"} 1", "name of a label"),
            ("a{=\"1\"} 1", "name of a label"),
            ("a{x=\"1\"y=\"2\"} 1", "commas"),
        ] {
            let found = rule(&format!("ok 1\n{line}\n"), Dialect::Prometheus);
            assert!(found.starts_with("line 2: ") && found.contains(words), "{line}: {found}");
        }
        let many: String = (0..LABELS_MAX + 1).map(|n| format!("l{n}=\"\",")).collect();
        assert!(rule(&format!("a{{{many}}} 1"), Dialect::Prometheus).contains("too many labels"));
        let long = "x".repeat(LABEL_BYTES_MAX + 1);
        assert!(rule(&format!("a{{x=\"{long}\"}} 1"), Dialect::Prometheus).contains("too long"));
        let flood = "a 1\n".repeat(SAMPLES_MAX + 1);
        assert!(rule(&flood, Dialect::Prometheus).contains("too many samples"));
    }

    #[test]
    fn a_sample_becomes_an_event_with_its_labels() {
        let text = "t{chip=\"cpu 0\"} 41.5 1767225600000";
        let sample = &read(text, Dialect::Prometheus).unwrap()[0];
        let now = Timestamp(1_767_225_660_000_000);
        let line = crate::RawLine::with_format(sample.line("web-1", now), crate::Format::Json);
        let event = crate::parse(&line, "node", now, &jiff::tz::TimeZone::UTC);
        assert_eq!(
            (event.host.as_str(), event.message.as_str()),
            ("web-1", "t{chip=\"cpu 0\"} 41.5")
        );
        assert_eq!((&*event.fields["label.chip"], &*event.fields["value"]), ("cpu 0", "41.5"));
        assert_eq!(event.event_time, Some(Timestamp(1_767_225_600_000_000)));
    }

    proptest! {
        #[test]
        fn written_samples_are_read_back(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
            labels in prop::collection::vec(("[a-z_][a-z0-9_]{0,8}", ".{0,20}"), 0..5),
            value in any::<f64>().prop_filter("numbers", |v| !v.is_nan()),
        ) {
            let escaped = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let inner: Vec<String> =
                labels.iter().map(|(n, v)| format!("{n}=\"{}\"", escaped(v))).collect();
            let text = format!("{name}{{{}}} {value:e}\n# EOF\n", inner.join(","));
            for dialect in [Dialect::Prometheus, Dialect::OpenMetrics] {
                let read = read(&text, dialect).unwrap();
                prop_assert_eq!(&read[0].labels, &labels);
                prop_assert_eq!((&read[0].name, read[0].value), (&name, value));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String, tail in "[a-z{}=\",\\\\ #0-9\n]{0,60}") {
            let _ = read(&text, Dialect::Prometheus);
            let _ = read(&tail, Dialect::OpenMetrics);
        }
    }
}
