//! Held against OpenTelemetry's own messages (`opentelemetry-proto`), in both encodings, and against bytes that no
//! sender means well by.

use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
        metrics::v1::ExportMetricsServiceRequest,
    },
    common::v1::{
        AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any,
    },
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
        Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
        exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point::Value as Number, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
};
use proptest::prelude::*;
use prost::Message;
use serde_json::Value;

use super::{logs::Record, *};
use crate::{Event, Format, RawLine};

const ARRIVED: Timestamp = Timestamp(1_795_600_000_000_000);
const NANOS: u64 = 1_795_600_000_000_000_000;

fn pair(key: &str, value: Any) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::StringValue(value.to_owned()))
}

fn resource() -> Option<Resource> {
    let attributes = vec![text("service.name", "shop"), text("host.name", "web-1")];
    Some(Resource { attributes, ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "lib".to_owned(), ..Default::default() })
}

fn logs(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..Default::default() }];
    let group = ResourceLogs { resource: resource(), scope_logs, ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![group] }
}

fn metrics(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..Default::default() }];
    let group = ResourceMetrics { resource: resource(), scope_metrics, ..Default::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    let (name, unit, data) = (name.to_owned(), unit.to_owned(), Some(data));
    Metric { name, unit, data, ..Default::default() }
}

fn number(start: u64, time: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(Number::AsDouble(value)),
        attributes: vec![text("http.method", "GET")],
        ..Default::default()
    }
}

fn sum(temporality: i32, is_monotonic: bool, points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points: points, aggregation_temporality: temporality, is_monotonic })
}

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

/// The samples of a request as name, labels, value; and what was refused.
fn samples(
    request: &ExportMetricsServiceRequest,
    totals: &mut Totals,
) -> (Vec<String>, BTreeMap<&'static str, u64>) {
    let wire = request.encode_to_vec();
    let read = super::read(Signal::Metrics, Coding::Protobuf, &wire, "192.0.2.1", ARRIVED, totals)
        .unwrap();
    totals.keep();
    let told = |line: &Vec<u8>| {
        let event = event(line, Format::Json);
        assert_eq!((event.host.as_str(), event.app.as_str()), ("web-1", "metrics"));
        event.message
    };
    (read.lines.iter().map(told).collect(), read.refused)
}

fn event(line: &[u8], format: Format) -> Event {
    let line = RawLine::with_format(line, format);
    crate::parse(&line, "otlp", ARRIVED, &jiff::tz::TimeZone::UTC)
}

fn read_logs(coding: Coding, request: &[u8]) -> Result<Batch, Fault> {
    super::read(Signal::Logs, coding, request, "", ARRIVED, &mut Totals::default())
}

/// Leaves what proto3 leaves out: JSON may say it or not.
fn without_defaults(value: &Value) -> Value {
    let is_default = |v: &Value| {
        matches!(v, Value::Null)
            || v.as_str().is_some_and(|s| s.is_empty() || s == "0")
            || v.as_i64() == Some(0)
            || v.as_array().is_some_and(Vec::is_empty)
            || v.as_object().is_some_and(serde_json::Map::is_empty)
    };
    match value {
        Value::Object(object) => {
            let inner = object.iter().map(|(name, v)| (name.clone(), without_defaults(v)));
            // What a value is stays, be it nothing.
            Value::Object(inner.filter(|(n, v)| n.ends_with("Value") || !is_default(v)).collect())
        }
        Value::Array(list) => list.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

fn some_value() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        ".{0,8}".prop_map(Any::StringValue),
        any::<bool>().prop_map(Any::BoolValue),
        any::<i64>().prop_map(Any::IntValue),
        (-9_999i32..9_999).prop_map(|n| Any::DoubleValue(f64::from(n) / 8.0)),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(Any::BytesValue),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let values = prop::collection::vec(inner.clone(), 0..3);
        let list = values.prop_map(|list| {
            let values = list.into_iter().map(|v| AnyValue { value: Some(v) }).collect();
            Any::ArrayValue(ArrayValue { values })
        });
        let map = prop::collection::vec(("[a-z.]{0,4}", inner), 0..3).prop_map(|pairs| {
            let values = pairs.iter().map(|(k, v)| pair(k, v.clone())).collect();
            Any::KvlistValue(KeyValueList { values })
        });
        prop_oneof![list, map]
    })
}

fn record() -> impl Strategy<Value = LogRecord> {
    let numbers = (any::<u64>(), any::<u64>(), 0i32..25, any::<u32>());
    let ids = (prop::collection::vec(any::<u8>(), 16), prop::collection::vec(any::<u8>(), 8));
    let pairs = prop::collection::vec(("[a-z.]{1,6}", some_value()), 0..4);
    (numbers, ids, ".{0,8}", some_value(), pairs).prop_map(
        |(numbers, ids, event_name, body, pairs)| LogRecord {
            time_unix_nano: numbers.0,
            observed_time_unix_nano: numbers.1,
            severity_number: numbers.2,
            severity_text: event_name.clone(),
            body: Some(AnyValue { value: Some(body) }),
            attributes: pairs.into_iter().map(|(k, v)| pair(&k, v)).collect(),
            dropped_attributes_count: numbers.3 >> 1,
            flags: numbers.3,
            trace_id: ids.0,
            span_id: ids.1,
            event_name,
        },
    )
}

proptest! {
    /// Protobuf and JSON of one record mean the same here and there, and nothing of it is lost.
    #[test]
    fn a_record_is_kept_as_opentelemetry_itself_writes_it(records in prop::collection::vec(record(), 0..4)) {
        let request = logs(records.clone());
        let wire = read_logs(Coding::Protobuf, &request.encode_to_vec()).unwrap();
        let json = serde_json::to_vec(&request).unwrap();
        let json = read_logs(Coding::Json, &json).unwrap();
        prop_assert_eq!((wire.lines.len(), json.lines.len()), (records.len(), records.len()));
        for (line, other) in wire.lines.iter().zip(&json.lines) {
            let line = std::str::from_utf8(line).unwrap();
            let kept = Record::of_line(line).unwrap();
            let other = Record::of_line(std::str::from_utf8(other).unwrap()).unwrap();
            prop_assert_eq!(without_defaults(&kept.record), without_defaults(&other.record));
            prop_assert_eq!(without_defaults(&kept.resource), without_defaults(&other.resource));
            let event = event(line.as_bytes(), Format::Otlp);
            prop_assert!(event.fields.len() <= crate::parse::MAX_FIELDS + 1);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in any::<prop::sample::Index>(), flip: u8) {
        let mut whole = logs(vec![LogRecord { body: Some(AnyValue { value: Some(Any::BytesValue(bytes.clone())) }), ..Default::default() }]).encode_to_vec();
        let at = cut.index(whole.len());
        whole[at] ^= flip;
        for request in [&bytes[..], &whole, &whole[..at]] {
            for coding in [Coding::Protobuf, Coding::Json] {
                for signal in [Signal::Logs, Signal::Metrics] {
                    let _ = super::read(signal, coding, request, "p", ARRIVED, &mut Totals::default());
                }
            }
            let _ = unframe(request);
            let _ = unzip(request);
        }
    }
}

#[test]
fn of_a_record_in_pieces_the_first_has_everything_but_the_end_of_its_body() {
    for tail in ["日", "\"", "\\", "\u{1}", "\n", "😀"] {
        let body = format!("{{begin {}", tail.repeat(70_000));
        let record = LogRecord {
            severity_number: 17,
            body: Some(AnyValue { value: Some(Any::StringValue(body.clone())) }),
            attributes: vec![text("user.name", "mika")],
            trace_id: vec![7; 16],
            ..Default::default()
        };
        let batch = read_logs(Coding::Protobuf, &logs(vec![record]).encode_to_vec()).unwrap();
        for cut in 0..8 {
            let piece = &batch.lines[0][..MAX_LINE_BYTES - cut];
            let line = RawLine { part: 1, ..RawLine::with_format(piece, Format::Otlp) };
            let event = crate::parse(&line, "otlp", ARRIVED, &jiff::tz::TimeZone::UTC);
            assert_eq!((event.host.as_str(), event.severity), ("web-1", 4), "{tail:?} {cut}");
            assert_eq!((&*event.fields["user"], event.fields["trace_id"].len()), ("mika", 32));
            let begun = event.message.trim_end_matches('\u{fffd}');
            assert!(body.starts_with(begun) && begun.len() > 10_000, "{tail:?} {cut}");
        }
    }
}

#[test]
fn text_that_is_no_utf8_keeps_its_bytes_and_is_decoded_for_reading() {
    // As prost refuses to write it: body (5) { string_value (1) }.
    let mut request = Vec::new();
    let (mut any, mut record, mut scope, mut group) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    wire::put_bytes(&mut any, 1, b"\x93\xfa\x96\x7b");
    wire::put_bytes(&mut record, 5, &any);
    wire::put_bytes(&mut scope, 2, &record);
    wire::put_bytes(&mut group, 2, &scope);
    wire::put_bytes(&mut request, 1, &group);
    let batch = read_logs(Coding::Protobuf, &request).unwrap();
    assert!(String::from_utf8_lossy(&batch.lines[0]).contains(r#""bytesValue":"k/qWew==""#));
    assert_eq!(event(&batch.lines[0], Format::Otlp).message, "日本");
}

#[test]
fn every_kind_of_metric_becomes_samples() {
    let attributes = || vec![text("http.method", "GET")];
    let gauge = Gauge { data_points: vec![number(0, NANOS, 0.5)] };
    let histogram = HistogramDataPoint {
        attributes: attributes(),
        time_unix_nano: NANOS,
        count: 6,
        sum: Some(7.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.5, 1.0],
        max: Some(4.0),
        ..Default::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        time_unix_nano: NANOS,
        count: 4,
        sum: Some(12.0),
        positive: Some(Buckets { offset: 0, bucket_counts: vec![1, 2, 1] }),
        ..Default::default()
    };
    let summary = SummaryDataPoint {
        time_unix_nano: NANOS,
        count: 9,
        sum: 10.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.9, value: 3.0 }],
        ..Default::default()
    };
    let request = metrics(vec![
        metric("cpu.use", "1", Data::Gauge(gauge)),
        metric("requests", "{request}", sum(CUMULATIVE, true, vec![number(1, NANOS, 7.0)])),
        metric("queue", "", sum(CUMULATIVE, false, vec![number(1, NANOS, -2.0)])),
        metric(
            "time",
            "s",
            Data::Histogram(Histogram {
                data_points: vec![histogram],
                aggregation_temporality: CUMULATIVE,
            }),
        ),
        metric(
            "size",
            "By",
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: DELTA,
            }),
        ),
        metric("old", "", Data::Summary(Summary { data_points: vec![summary] })),
    ]);
    let (told, refused) = samples(&request, &mut Totals::default());
    let get = r#"http_method="GET",job="shop",otel_scope_name="lib""#;
    let whose = r#"job="shop",otel_scope_name="lib""#;
    let half = told.iter().find(|line| line.contains("quantile=\"0.5\"")).unwrap();
    let half: f64 = half.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(half > 2.0 && half <= 4.0);
    for line in [
        format!("cpu_use_ratio{{{get}}} 0.5"),
        format!("requests_total{{{get}}} 7"),
        format!("queue{{{get}}} -2"),
        format!("time_seconds_bucket{{{get},le=\"0.5\"}} 1"),
        format!("time_seconds_bucket{{{get},le=\"1\"}} 3"),
        format!("time_seconds_bucket{{{get},le=\"+Inf\"}} 6"),
        format!("time_seconds_count{{{get}}} 6"),
        format!("time_seconds_sum{{{get}}} 7.5"),
        format!("time_seconds_max{{{get}}} 4"),
        format!("size_bytes_count{{{whose}}} 4"),
        format!("size_bytes_sum{{{whose}}} 12"),
        format!("old{{{whose},quantile=\"0.9\"}} 3"),
        format!("old_count{{{whose}}} 9"),
    ] {
        assert!(told.contains(&line), "{line} not in {told:#?}");
    }
    assert!(refused.is_empty());
    // JSON of the same says the same.
    let json = serde_json::to_vec(&request).unwrap();
    let mut totals = Totals::default();
    let batch =
        super::read(Signal::Metrics, Coding::Json, &json, "p", ARRIVED, &mut totals).unwrap();
    let lines = batch.lines.iter().map(|line| event(line, Format::Json).message);
    assert_eq!(lines.collect::<Vec<_>>(), told);
}

#[test]
fn increases_are_added_up_and_a_new_beginning_is_told() {
    let mut totals = Totals::default();
    let delta = |start, time, value| {
        metrics(vec![metric("n", "", sum(DELTA, true, vec![number(start, time, value)]))])
    };
    let value = |(lines, _): (Vec<String>, _)| {
        lines.iter().map(|l| l.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(value(samples(&delta(0, 10, 5.0), &mut totals)), ["5"]);
    assert_eq!(value(samples(&delta(10, 20, 2.0), &mut totals)), ["7"]);
    // A batch that was stored, and whose answer was lost.
    let (lines, refused) = samples(&delta(10, 20, 2.0), &mut totals);
    assert_eq!((lines.len(), refused["increase repeated or late"]), (0, 1));
    let total = |start, time, value| {
        metrics(vec![metric("t", "", sum(CUMULATIVE, true, vec![number(start, time, value)]))])
    };
    assert_eq!(value(samples(&total(1_000, 2_000, 50.0), &mut totals)), ["50"]);
    assert_eq!(value(samples(&total(1_000, 3_000, 60.0), &mut totals)), ["60"]);
    assert_eq!(value(samples(&total(4_000, 5_000, 70.0), &mut totals)), ["0", "70"]);
}

#[test]
fn what_is_no_measurement_is_refused_and_said() {
    let mut none = number(0, NANOS, 0.0);
    none.flags = 1;
    let empty = NumberDataPoint { value: None, ..number(0, NANOS, 0.0) };
    let wide = HistogramDataPoint {
        bucket_counts: vec![1],
        explicit_bounds: vec![1.0, 2.0],
        ..Default::default()
    };
    let many = NumberDataPoint {
        attributes: (0..70).map(|n| text(&format!("a{n}"), "")).collect(),
        ..number(0, NANOS, 1.0)
    };
    let long = NumberDataPoint {
        attributes: vec![text("a", &"x".repeat(5_000))],
        ..number(0, NANOS, 1.0)
    };
    let histogram = Histogram { data_points: vec![wide], aggregation_temporality: CUMULATIVE };
    let points = vec![none, empty, many, long, number(0, NANOS, f64::NAN)];
    let request = metrics(vec![
        metric("a", "", Data::Gauge(Gauge { data_points: points })),
        metric("b", "", Data::Histogram(histogram)),
        metric("c", "", sum(0, true, vec![number(0, 1, 1.0)])),
        metric("d", "", sum(DELTA, false, vec![number(0, 1, 1.0), number(1, 2, 1.0)])),
        metric("", "", Data::Gauge(Gauge { data_points: vec![number(0, 1, 1.0)] })),
        Metric { name: "e".to_owned(), ..Default::default() },
    ]);
    let (lines, refused) = samples(&request, &mut Totals::default());
    // NaN is kept; what reads series leaves it out.
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with(" NaN"));
    for (reason, count) in [
        ("no value recorded", 1),
        ("point without a value", 1),
        ("too many labels", 1),
        ("label too long", 1),
        ("buckets do not fit their bounds", 1),
        ("neither increases nor totals", 1),
        ("changes of a sum that also falls", 2),
        ("no name of a metric", 1),
        ("metric of an unknown kind", 1),
    ] {
        assert_eq!(refused.get(reason), Some(&count), "{reason} in {refused:?}");
    }
    let answer = Answer::of(refused.iter().map(|(reason, count)| (*reason, *count)));
    assert_eq!(answer.rejected, 9);
    assert!(!answer.why.contains("no value recorded"));
}

#[test]
fn what_floods_memory_is_refused_before_it_does() {
    let nested = |levels: usize| {
        let inner = (0..levels).fold(Any::BoolValue(true), |inner, _| {
            let values = vec![AnyValue { value: Some(inner) }];
            Any::ArrayValue(ArrayValue { values })
        });
        LogRecord { body: Some(AnyValue { value: Some(inner) }), ..Default::default() }
    };
    let wide = LogRecord { attributes: vec![KeyValue::default(); 20_000], ..Default::default() };
    let long = LogRecord {
        body: Some(AnyValue { value: Some(Any::StringValue("x".repeat(LINE_BYTES_MAX + 1))) }),
        ..Default::default()
    };
    let good = LogRecord { event_name: "good".to_owned(), ..Default::default() };
    let request = logs(vec![nested(20), nested(60), wide, long, good]);
    let batch = read_logs(Coding::Protobuf, &request.encode_to_vec()).unwrap();
    assert_eq!(batch.lines.len(), 2);
    let refused = [("line too long", 1), ("nested too deeply", 1), ("too many values", 1)];
    assert_eq!(batch.refused, refused.into());
    let kept = event(&batch.lines[0], Format::Otlp);
    assert!(kept.message.starts_with("[[[") && kept.fields["ume.shape"] == "otlp");
    let json = serde_json::to_vec(&request).unwrap();
    let json = read_logs(Coding::Json, &json);
    // 60 levels of values are 240 of JSON, which nobody reads.
    assert_eq!(json.unwrap_err(), Fault::Broken("the body is no JSON"));
    let map = (0..26).fold(Any::BoolValue(true), |inner, _| {
        Any::KvlistValue(KeyValueList { values: vec![pair("k", inner)] })
    });
    let deep = LogRecord { body: Some(AnyValue { value: Some(map) }), ..Default::default() };
    let json = serde_json::to_vec(&logs(vec![deep, nested(20)])).unwrap();
    let batch = read_logs(Coding::Json, &json).unwrap();
    assert_eq!((batch.lines.len(), batch.refused["nested too deeply"]), (1, 1));
    // A small request with many records of a large resource.
    let mut request = logs(vec![LogRecord::default(); 1_000]);
    let group = &mut request.resource_logs[0];
    group.resource.as_mut().unwrap().attributes.push(text("x", &"y".repeat(90_000)));
    let wire = request.encode_to_vec();
    assert!(wire.len() < 100_000);
    assert_eq!(read_logs(Coding::Protobuf, &wire).unwrap_err(), Fault::TooMuch);
    let many = logs(vec![LogRecord::default(); LINES_MAX + 1]).encode_to_vec();
    assert_eq!(read_logs(Coding::Protobuf, &many).unwrap_err(), Fault::TooMuch);
}

#[test]
fn gzip_is_unpacked_up_to_its_limit() {
    let pack = |bytes: &[u8]| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut out, bytes).unwrap();
        out.finish().unwrap()
    };
    assert_eq!(unzip(&pack(b"abc")).unwrap(), b"abc");
    let bomb = pack(&vec![0; UNZIPPED_BYTES_MAX + 1]);
    assert!(bomb.len() < 100_000);
    assert_eq!(unzip(&bomb), Err(Fault::TooMuch));
    let whole = pack(b"abc");
    for wrong in [&b"abc"[..], &whole[..whole.len() - 4], b""] {
        assert!(unzip(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn frames_and_answers_are_what_a_client_of_opentelemetry_reads() {
    assert_eq!(unframe(&frame(b"abc")), Ok((&b"abc"[..], false)));
    assert_eq!(unframe(&[1, 0, 0, 0, 1, 7]), Ok((&[7][..], true)));
    for wrong in
        [&b""[..], &[0, 0, 0, 0], &[0, 0, 0, 0, 2, 1], &[0, 0, 0, 0, 0, 1], &[2, 0, 0, 0, 0]]
    {
        assert!(unframe(wrong).is_err(), "{wrong:?}");
    }
    let answer = Answer::of([("line too long", 3)].into_iter());
    let read = ExportLogsServiceResponse::decode(&*answer.body(Signal::Logs, Coding::Protobuf));
    let partial = ExportLogsPartialSuccess {
        rejected_log_records: 3,
        error_message: "line too long: 3".to_owned(),
    };
    assert_eq!(read.unwrap().partial_success, Some(partial));
    let json: Value = serde_json::from_slice(&answer.body(Signal::Metrics, Coding::Json)).unwrap();
    assert_eq!(json["partialSuccess"]["rejectedDataPoints"], "3");
    assert_eq!(Answer::default().body(Signal::Logs, Coding::Json), b"{}");
    let problem = Problem { code: 14, text: "full", retry_s: Some(15) };
    // google.rpc.Status with a RetryInfo of 15 s.
    let status = [
        b"\x08\x0e\x12\x04full\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo".as_slice(),
        b"\x12\x04\x0a\x02\x08\x0f",
    ];
    assert_eq!(problem.status(), status.concat());
}
