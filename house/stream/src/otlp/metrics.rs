//! Points of metrics as samples. Pure.
//!
//! Names and labels are those of OpenTelemetry's rules for Prometheus. A histogram becomes its buckets (each with
//! what is below it), its count and its sum; of an exponential one quantiles stand for the buckets. Increases are
//! added up (`totals`), since everything behind reads totals.

use model::Timestamp;
use serde_json::Value;

use super::{
    Batch, Coding, Fault, exponential,
    json::{attribute, attributes, double, int, list, nanos, number, plain_text, text, time},
    names::{self, Form},
    schema::{self, Message},
    totals::{Skipped, Span, Totals, key},
    walk::{Levels, Origin, Raw, walk},
};
use crate::metrics::{LABEL_BYTES_MAX, LABELS_MAX, Labels, Sample};

const LEVELS: Levels =
    Levels { groups: "resourceMetrics", scopes: "scopeMetrics", records: "metrics" };
/// Set in the flags of a point that has no value, since its series ended.
const NO_VALUE: i128 = 1;
const NAME_BYTES_MAX: usize = 512;

/// What a metric can be: its number on the wire, its name in JSON, its points.
const SHAPES: [(u32, &str, Shape); 5] = [
    (5, "gauge", Shape::Gauge),
    (7, "sum", Shape::Sum),
    (9, "histogram", Shape::Histogram),
    (10, "exponentialHistogram", Shape::Exponential),
    (11, "summary", Shape::Summary),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

impl Shape {
    fn point(self) -> &'static Message {
        match self {
            Shape::Gauge | Shape::Sum => &schema::NUMBER,
            Shape::Histogram => &schema::HISTOGRAM,
            Shape::Exponential => &schema::EXPONENTIAL,
            Shape::Summary => &schema::SUMMARY,
        }
    }
}

/// How the points of a sum belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temporality {
    Unsaid,
    Delta,
    Cumulative,
}

/// The samples of a request.
pub fn read(
    coding: Coding,
    request: &[u8],
    peer: &str,
    arrived: Timestamp,
    totals: &mut Totals,
) -> Result<Batch, Fault> {
    totals.begin();
    let mut reader = Reader { batch: Batch::default(), totals, peer, arrived };
    walk(coding, request, &LEVELS, |origin, raw| reader.metric(origin, raw))?;
    Ok(reader.batch)
}

struct Reader<'a> {
    batch: Batch,
    totals: &'a mut Totals,
    peer: &'a str,
    arrived: Timestamp,
}

/// A metric whose points are read.
struct Metric<'a> {
    /// As the sender calls it.
    said: &'a str,
    unit: &'a str,
    /// As its samples are called.
    name: String,
    shape: Shape,
    temporality: Temporality,
    is_monotonic: bool,
    host: &'a str,
    /// Whose it is.
    labels: Labels,
}

/// A value of a point.
struct Part {
    name: String,
    label: Option<(String, String)>,
    value: f64,
    kind: &'static str,
    /// Rises only, and is told as the temporality says.
    is_running: bool,
}

impl Reader<'_> {
    fn metric(&mut self, origin: &Origin, raw: Raw<'_>) -> Result<(), Fault> {
        let head = match raw {
            Raw::Wire(bytes) => schema::read(&schema::METRIC, bytes)?,
            Raw::Json(value) if value.is_object() => {
                serde_json::json!({"name": text(value, "name"), "unit": text(value, "unit")})
            }
            Raw::Json(_) => return Err(Fault::Broken("a metric of OTLP/JSON is an object")),
        };
        let mut found = None;
        for (number, name, shape) in SHAPES {
            if let Some(data) = raw.inner(number, name)? {
                found = Some((data, shape));
            }
        }
        // A metric of a kind that came later, or without points: there is nothing to count.
        let Some((data, shape)) = found else {
            self.batch.refuse("metric of an unknown kind", 1);
            return Ok(());
        };
        let how = match data {
            Raw::Wire(bytes) => schema::read(&schema::AGGREGATION, bytes)?,
            Raw::Json(value) => serde_json::json!({
                "aggregationTemporality": value.get("aggregationTemporality"),
                "isMonotonic": value.get("isMonotonic"),
            }),
        };
        let temporality = match int(&how, "aggregationTemporality") {
            Some(1) => Temporality::Delta,
            Some(2) => Temporality::Cumulative,
            _ => Temporality::Unsaid,
        };
        let is_monotonic = how.get("isMonotonic").and_then(Value::as_bool).unwrap_or(false);
        let (said, unit) = (text(&head, "name"), text(&head, "unit"));
        let form = match shape {
            Shape::Gauge => Form::Gauge,
            Shape::Sum if is_monotonic => Form::Counter,
            _ => Form::Other,
        };
        let host = attribute(&origin.resource, "host.name");
        let metric = Metric {
            said,
            unit,
            name: names::metric(said, unit, form),
            shape,
            temporality,
            is_monotonic,
            host: host.as_deref().unwrap_or(self.peer),
            labels: whose(origin),
        };
        let refused = metric.refusal();
        data.each(1, "dataPoints", |raw| {
            let lines = match refused {
                Some(reason) => Err(Fault::Refused(reason)),
                None => raw.read(shape.point()).and_then(|point| self.point(&metric, &point)),
            };
            match lines {
                Ok(lines) => lines.into_iter().try_for_each(|line| self.batch.push(line)),
                Err(Fault::Refused(reason)) => {
                    self.batch.refuse(reason, 1);
                    Ok(())
                }
                Err(fault) => Err(fault),
            }
        })
    }

    /// The lines of a point, all or none.
    fn point(&mut self, metric: &Metric<'_>, point: &Value) -> Result<Vec<Vec<u8>>, Fault> {
        if int(point, "flags").unwrap_or(0) & NO_VALUE != 0 {
            return Err(Fault::Refused(NO_RECORDED));
        }
        let own = attributes(point).map(|(name, value)| (name.to_owned(), plain_text(value)));
        let labels = names::labels(metric.labels.iter().cloned().chain(own));
        if labels.len() > LABELS_MAX {
            return Err(Fault::Refused("too many labels"));
        }
        if labels.iter().any(|(_, value)| value.len() > LABEL_BYTES_MAX) {
            return Err(Fault::Refused("label too long"));
        }
        let parts = parts(metric, point)?;
        let mut lines = Vec::with_capacity(parts.len());
        for part in parts {
            self.part(metric, point, part, &labels, &mut lines)?;
        }
        Ok(lines)
    }

    fn part(
        &mut self,
        metric: &Metric<'_>,
        point: &Value,
        part: Part,
        labels: &Labels,
        lines: &mut Vec<Vec<u8>>,
    ) -> Result<(), Fault> {
        let mut labels = labels.clone();
        labels.extend(part.label);
        let at = time(point, "timeUnixNano");
        let start = nanos(point, "startTimeUnixNano").unwrap_or(0);
        let arrived = i128::from(self.arrived.0) * 1000;
        let span = Span { start, time: nanos(point, "timeUnixNano").unwrap_or(arrived) };
        let mut value = part.value;
        if part.is_running && !value.is_nan() {
            let key = key(metric.host, &part.name, &labels);
            match metric.temporality {
                Temporality::Delta => {
                    value = self.totals.add(key, span, value).map_err(|skipped| match skipped {
                        Skipped::Repeated => Fault::Refused("increase repeated or late"),
                        Skipped::Full => Fault::Refused("too many series of increases"),
                    })?;
                }
                _ if self.totals.began_anew(key, span, value) => {
                    let began = i64::try_from(start / 1000).ok().map(Timestamp);
                    let sample = Sample {
                        name: part.name.clone(),
                        labels: labels.clone(),
                        value: 0.0,
                        kind: Some(part.kind),
                        time: began,
                    };
                    lines.push(self.line(metric, &sample));
                }
                _ => {}
            }
        }
        let kind = Some(part.kind);
        let sample = Sample { name: part.name, labels, value, kind, time: at };
        lines.push(self.line(metric, &sample));
        Ok(())
    }

    fn line(&self, metric: &Metric<'_>, sample: &Sample) -> Vec<u8> {
        let mut line = sample.json(metric.host, self.arrived);
        line["otlp.metric"] = metric.said.into();
        if !metric.unit.is_empty() {
            line["otlp.unit"] = metric.unit.into();
        }
        line.to_string().into_bytes()
    }
}

/// Why a point is refused that says of itself that it has no value. Nobody can mend that, so the sender does
/// not hear of it.
pub const NO_RECORDED: &str = "no value recorded";

impl Metric<'_> {
    /// Why none of its points is taken.
    fn refusal(&self) -> Option<&'static str> {
        let is_total = matches!(self.shape, Shape::Sum | Shape::Histogram | Shape::Exponential);
        match self.temporality {
            _ if self.name.is_empty() || self.said.len() > NAME_BYTES_MAX => {
                Some("no name of a metric")
            }
            Temporality::Unsaid if is_total => Some("neither increases nor totals"),
            // Where it stood before nobody says.
            Temporality::Delta if self.shape == Shape::Sum && !self.is_monotonic => {
                Some("changes of a sum that also falls")
            }
            _ => None,
        }
    }
}

/// Labels that tell senders apart, as Prometheus has them.
fn whose(origin: &Origin) -> Labels {
    let of = |name: &str| attribute(&origin.resource, name);
    let job = of("service.name").map(|service| match of("service.namespace") {
        Some(space) => format!("{space}/{service}"),
        None => service,
    });
    let scope = Some(text(&origin.scope, "name")).filter(|scope| !scope.is_empty());
    let pairs = [
        ("job", job),
        ("instance", of("service.instance.id")),
        ("otel_scope_name", scope.map(str::to_owned)),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn parts(metric: &Metric<'_>, point: &Value) -> Result<Vec<Part>, Fault> {
    let name = &metric.name;
    let part = |ending: &str, value: f64, kind, is_running| Part {
        name: format!("{name}{ending}"),
        label: None,
        value,
        kind,
        is_running,
    };
    Ok(match metric.shape {
        Shape::Gauge | Shape::Sum => {
            let value = int(point, "asInt").map(|value| value as f64);
            let value = value.or_else(|| double(point, "asDouble"));
            let value = value.ok_or(Fault::Refused("point without a value"))?;
            let is_counter = metric.shape == Shape::Sum && metric.is_monotonic;
            vec![part("", value, if is_counter { "counter" } else { "gauge" }, is_counter)]
        }
        Shape::Histogram => {
            let mut all = buckets(name, point)?;
            all.push(part("_count", count(point)?, "histogram", true));
            all.extend(double(point, "sum").map(|sum| part("_sum", sum, "histogram", true)));
            all.extend(extremes(name, point));
            all
        }
        Shape::Exponential => {
            let mut all = vec![part("_count", count(point)?, "histogram", true)];
            all.extend(double(point, "sum").map(|sum| part("_sum", sum, "histogram", true)));
            all.extend(extremes(name, point));
            all.extend(exponential::QUANTILES.iter().filter_map(|at| {
                let value = exponential::quantile(point, *at)?;
                Some(Part {
                    label: Some(("quantile".to_owned(), at.to_string())),
                    ..part("", value, "gauge", false)
                })
            }));
            all
        }
        Shape::Summary => {
            let mut all = vec![part("_count", count(point)?, "summary", false)];
            all.extend(double(point, "sum").map(|sum| part("_sum", sum, "summary", false)));
            for quantile in list(point, "quantileValues") {
                let at = double(quantile, "quantile").unwrap_or(0.0);
                let value = double(quantile, "value").unwrap_or(0.0);
                let label = Some(("quantile".to_owned(), at.to_string()));
                all.push(Part { label, ..part("", value, "summary", false) });
            }
            all
        }
    })
}

fn count(point: &Value) -> Result<f64, Fault> {
    match point.get("count") {
        None => Ok(0.0),
        Some(count) => number(count).ok_or(Fault::Refused("point without a value")),
    }
}

fn extremes(name: &str, point: &Value) -> impl Iterator<Item = Part> {
    ["min", "max"].into_iter().filter_map(move |which| {
        Some(Part {
            name: format!("{name}_{which}"),
            label: None,
            value: double(point, which)?,
            kind: "gauge",
            is_running: false,
        })
    })
}

/// Each bucket with everything below it, as Prometheus counts them.
fn buckets(name: &str, point: &Value) -> Result<Vec<Part>, Fault> {
    let counts = list(point, "bucketCounts");
    let bounds = list(point, "explicitBounds");
    if counts.is_empty() && bounds.is_empty() {
        return Ok(Vec::new());
    }
    if counts.len() != bounds.len() + 1 {
        return Err(Fault::Refused(WRONG_BUCKET));
    }
    let bounds = bounds.iter().map(number).chain([Some(f64::INFINITY)]);
    let mut below = 0.0;
    counts
        .iter()
        .zip(bounds)
        .map(|(count, bound)| {
            let (count, bound) = number(count).zip(bound).ok_or(Fault::Refused(WRONG_BUCKET))?;
            below += count;
            let bound = if bound == f64::INFINITY { "+Inf".to_owned() } else { bound.to_string() };
            Ok(Part {
                name: format!("{name}_bucket"),
                label: Some(("le".to_owned(), bound)),
                value: below,
                kind: "histogram",
                is_running: true,
            })
        })
        .collect()
}

const WRONG_BUCKET: &str = "buckets do not fit their bounds";
