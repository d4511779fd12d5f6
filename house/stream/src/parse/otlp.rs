//! A log record of OpenTelemetry, as its line holds it.
//!
//! Attributes of the record become fields by their own names, then those of the resource where a name is free.
//! A body that is itself a line of a log (a collector reads files too) is read as one, but never changes which
//! machine and program the sender named.

use serde_json::Value;

use super::{Draft, Place, Shape, json, syslog, web};
use crate::otlp::{attribute, attributes, int, logs::Record, plain, plain_text, text, time};

/// Names of attributes that are Ume's fields too.
const ALIASES: &[(&str, &[&str])] = &[
    ("user", &["user.name", "enduser.id", "user.id"]),
    ("src_ip", &["client.address", "source.address", "network.peer.address", "net.peer.ip"]),
    ("src_port", &["client.port", "source.port", "network.peer.port", "net.peer.port"]),
];
/// What an SDK calls a service that nobody gave a name.
const NAMELESS: &str = "unknown_service";

/// Reads a record; `false` if it is none.
pub fn read(draft: &mut Draft, line: &str, place: &Place<'_>) -> bool {
    let Some(Record { resource, scope, record }) = Record::of_line(line) else { return false };
    let of = |object: &Value, name: &str| attribute(object, name);
    draft.host = of(&resource, "host.name").or_else(|| of(&record, "hostname")).unwrap_or_default();
    draft.app = of(&resource, "service.name")
        .filter(|name| !name.starts_with(NAMELESS))
        .or_else(|| of(&record, "appname"))
        .unwrap_or_default();
    draft.shape = Some(Shape::Otlp);
    own(draft, &record);
    for (name, value) in attributes(&record) {
        draft.set(name, plain_text(value));
    }
    inner(draft, record.get("body").unwrap_or(&Value::Null), place);
    draft.time = time(&record, "timeUnixNano")
        .or(draft.time)
        .or_else(|| time(&record, "observedTimeUnixNano"));
    for (name, value) in attributes(&resource) {
        draft.set_new(name, &plain_text(value));
    }
    for (name, key) in [("scope.name", "name"), ("scope.version", "version")] {
        draft.set_some(name, text(&scope, key));
    }
    for (name, from) in ALIASES {
        from.iter().for_each(|from| draft.alias(name, from));
    }
    if draft.fields.keys().any(|name| name.starts_with("http.")) {
        web::json(draft);
        draft.alias("cs-uri-query", "url.query");
    }
    true
}

/// What a record says beside its attributes and its body.
fn own(draft: &mut Draft, record: &Value) {
    let number = int(record, "severityNumber").unwrap_or(0);
    let said = text(record, "severityText");
    draft.severity = match number {
        1..=12 => 1,
        13..=16 => 3,
        17..=20 => 4,
        21..=24 => 6,
        _ => json::severity_of_word(said),
    };
    for (name, key) in [
        ("severity_text", "severityText"),
        ("trace_id", "traceId"),
        ("span_id", "spanId"),
        ("event_name", "eventName"),
    ] {
        draft.set_some(name, text(record, key));
    }
    if number > 0 {
        draft.set("severity_number", number.to_string());
    }
    if let Some(dropped) = int(record, "droppedAttributesCount").filter(|count| *count > 0) {
        draft.set("dropped_attributes", dropped.to_string());
    }
}

/// The body: a text is the message, anything else its JSON.
fn inner(draft: &mut Draft, body: &Value, place: &Place<'_>) {
    let message = plain_text(body);
    if let Value::Object(object) = plain(body) {
        for (name, value) in &object {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            draft.set_new(name, &value);
        }
    }
    let (host, app, severity) = (draft.host.clone(), draft.app.clone(), draft.severity);
    let is_line = app.is_empty()
        && !message.starts_with('{')
        && (syslog::read(draft, &message, place) || web::read_access(draft, &message));
    if !is_line {
        // A record without a body says the name of its event.
        let event = draft.get("event_name").unwrap_or_default().to_owned();
        draft.message = Some(if message.is_empty() { event } else { message });
    }
    for (known, now) in [(host, &mut draft.host), (app, &mut draft.app)] {
        if !known.is_empty() {
            *now = known;
        }
    }
    if severity > 0 {
        draft.severity = severity;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Event, Format, parse::tests::read_line};

    fn of(resource: Value, record: Value) -> Event {
        let line = json!({"resource": resource, "scope": {"name": "lib"}, "logRecord": record});
        read_line(line.to_string(), Format::Otlp)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Value {
        pairs.iter().map(|(k, v)| json!({"key": k, "value": {"stringValue": v}})).collect()
    }

    #[test]
    fn a_record_says_who_when_what_and_how_grave() {
        let resource = json!({"attributes": pairs(&[("host.name", "web-1"), ("service.name", "shop"), ("x", "far")])});
        let record = json!({
            "timeUnixNano": "1767225600123456789", "severityNumber": 17, "severityText": "ERROR",
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
            "eventName": "order.failed", "body": {"stringValue": "注文に失敗"},
            "attributes": [
                {"key": "x", "value": {"intValue": "-5"}},
                {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": true}, {"doubleValue": 1.5}]}}},
                {"key": "raw", "value": {"bytesValue": "k/qWew=="}},
                {"key": "client.address", "value": {"stringValue": "192.0.2.7"}},
            ],
        });
        let e = of(resource, record);
        assert_eq!((e.host.as_str(), e.app.as_str(), e.severity), ("web-1", "shop", 4));
        assert_eq!(e.event_time.map(|t| t.0), Some(1_767_225_600_123_456));
        assert_eq!(e.message, "注文に失敗");
        for (name, value) in [
            ("x", "-5"),
            ("list", "[true,1.5]"),
            ("raw", "日本"),
            ("src_ip", "192.0.2.7"),
            ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
            ("span_id", "b7ad6b7169203331"),
            ("event_name", "order.failed"),
            ("severity_text", "ERROR"),
            ("scope.name", "lib"),
            ("ume.shape", "otlp"),
        ] {
            assert_eq!(e.fields[name], value, "{name}");
        }
    }

    #[test]
    fn a_body_of_any_kind_is_kept_and_one_that_is_a_line_is_read() {
        let map = json!({"kvlistValue": {"values": [{"key": "user", "value": {"stringValue": "mika"}},
            {"key": "n", "value": {"intValue": 7}}]}});
        let e = of(json!({}), json!({"body": map, "severityText": "warn"}));
        assert_eq!((e.message.as_str(), e.severity), (r#"{"user":"mika","n":7}"#, 3));
        assert_eq!((&*e.fields["user"], &*e.fields["n"]), ("mika", "7"));
        let e = of(json!({}), json!({"eventName": "started"}));
        assert_eq!(e.message, "started");
        let line =
            "Jan  1 01:00:00 h sshd[1]: Failed password for root from 192.0.2.9 port 22 ssh2";
        let body = json!({"stringValue": line});
        let host = json!({"attributes": pairs(&[("host.name", "real")])});
        let e = of(host, json!({"body": body, "observedTimeUnixNano": "1767225600000000000"}));
        assert_eq!((e.host.as_str(), e.app.as_str()), ("real", "sshd"));
        assert_eq!(
            (e.class, &*e.fields["src_ip"]),
            (super::super::CLASS_AUTHENTICATION, "192.0.2.9")
        );
        // Who gave the service a name is believed before what a line says.
        let named = json!({"attributes": pairs(&[("service.name", "shop")])});
        let e = of(named, json!({"body": body}));
        assert_eq!((e.app.as_str(), e.message.as_str()), ("shop", line));
        let nameless = json!({"attributes": pairs(&[("service.name", "unknown_service:python")])});
        assert_eq!(of(nameless, json!({"body": {"boolValue": false}})).app, "");
    }

    #[test]
    fn a_request_has_sigmas_names() {
        let attributes = pairs(&[
            ("http.request.method", "GET"),
            ("url.path", "/login"),
            ("url.query", "a=b"),
            ("http.response.status_code", "401"),
            ("client.address", "192.0.2.7"),
            ("user_agent.original", "curl/8"),
        ]);
        let e = of(json!({}), json!({"attributes": attributes}));
        assert_eq!(e.class, super::super::CLASS_HTTP);
        for (name, value) in [
            ("cs-method", "GET"),
            ("cs-uri-stem", "/login"),
            ("cs-uri-query", "a=b"),
            ("sc-status", "401"),
            ("c-ip", "192.0.2.7"),
            ("cs-user-agent", "curl/8"),
            ("outcome", "failure"),
        ] {
            assert_eq!(e.fields[name], value, "{name}");
        }
    }

    #[test]
    fn what_is_no_record_is_its_own_message() {
        for line in ["", "{}", "x", r#"{"logRecord":7}"#, r#"{"resource":{}}"#] {
            read_line(line, Format::Otlp);
        }
        assert_eq!(read_line("{\"a\":1}", Format::Otlp).message, "{\"a\":1}");
    }
}
