//! Hardware that speaks for itself: `smartctl --json`, smartd, `ipmitool sel list`.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{Draft, Shape, time};

/// Attributes of a disk that say most about its end: reallocated sectors, reported uncorrectable errors,
/// temperature, pending sectors, uncorrectable sectors.
const ATTRIBUTES: [u64; 5] = [5, 187, 194, 197, 198];

/// Health of an NVMe disk, all numbers.
const NVME: [&str; 9] = [
    "critical_warning",
    "temperature",
    "available_spare",
    "available_spare_threshold",
    "percentage_used",
    "media_errors",
    "num_err_log_entries",
    "power_on_hours",
    "unsafe_shutdowns",
];

/// Numbers out of `smartctl --json`; `false` if the object is none.
pub fn smartctl(draft: &mut Draft, object: &Map<String, Value>) -> bool {
    if !object.contains_key("smartctl") || !object.contains_key("json_format_version") {
        return false;
    }
    draft.shape = Some(Shape::Smart);
    draft.app = "smartctl".to_owned();
    let whole = Value::Object(object.clone());
    let text = |pointer: &str| match whole.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    for (name, pointer) in [
        ("device", "/device/name"),
        ("model", "/model_name"),
        ("serial_number", "/serial_number"),
        ("passed", "/smart_status/passed"),
        ("temperature", "/temperature/current"),
        ("power_on_hours", "/power_on_time/hours"),
        ("exit_status", "/smartctl/exit_status"),
        ("error_count", "/ata_smart_error_log/summary/count"),
    ] {
        if let Some(value) = text(pointer) {
            draft.set(name, value);
        }
    }
    let table = whole.pointer("/ata_smart_attributes/table").and_then(Value::as_array);
    for row in table.into_iter().flatten() {
        attribute(draft, row);
    }
    for name in NVME {
        if let Some(value) = text(&format!("/nvme_smart_health_information_log/{name}")) {
            draft.set(&format!("nvme_{name}"), value);
        }
    }
    if draft.get("passed") == Some("false") {
        draft.severity = 5;
    }
    if let Some(seconds) = whole.pointer("/local_time/time_t").and_then(Value::as_i64) {
        draft.time = seconds.checked_mul(1_000_000).map(model::Timestamp);
    }
    true
}

/// `smart_5` and its kin: the raw value, for 194 its first number (others are packed into it).
fn attribute(draft: &mut Draft, row: &Value) {
    let Some(id) = row.get("id").and_then(Value::as_u64) else { return };
    if row.get("when_failed").and_then(Value::as_str).is_some_and(|w| w == "now") {
        draft.set(&format!("smart_{id}_failed"), "now");
    }
    if !ATTRIBUTES.contains(&id) {
        return;
    }
    let shown = row.pointer("/raw/string").and_then(Value::as_str).unwrap_or_default();
    let first: String = shown.chars().take_while(char::is_ascii_digit).collect();
    let value = match (first.is_empty(), row.pointer("/raw/value").and_then(Value::as_u64)) {
        (false, _) => first,
        (true, Some(number)) => number.to_string(),
        (true, None) => return,
    };
    draft.set(&format!("smart_{id}"), value);
}

/// `Device: /dev/sda [SAT], 8 Currently unreadable (pending) sectors`
pub fn smartd(draft: &mut Draft, message: &str) -> bool {
    let Some((_, rest)) = message.split_once("Device: ") else { return false };
    let device = rest.split([' ', ',']).next().unwrap_or_default();
    draft.set_some("device", device);
    let said = rest.split_once(", ").map_or("", |(_, said)| said);
    if let Some((attribute, change)) = said.split_once(" changed from ") {
        let mut words = attribute.rsplit(' ');
        let (name, id) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        draft.set_some("attribute", name);
        draft.set_some("attribute_id", id);
        if let Some((old, new)) = change.split_once(" to ") {
            draft.set_some("old_value", old.split(' ').next().unwrap_or_default());
            draft.set_some("value", new.split(' ').next().unwrap_or_default());
        }
    }
    if let Some(count) =
        said.split(' ').next().filter(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()))
    {
        draft.set("count", count);
    }
    true
}

/// `   1 | 01/31/2026 | 10:00:00 | Temperature CPU1 | Upper Critical going high | Asserted | Reading 98 > …`
pub fn read_sel(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let columns: Vec<&str> = text.split('|').map(str::trim).take(12).collect();
    let [id, date, clock, sensor, event, rest @ ..] = columns.as_slice() else { return false };
    if id.is_empty() || id.len() > 8 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return false;
    }
    let when = time::american(date, clock.split(' ').next().unwrap_or_default(), zone);
    // Before its clock is set a controller writes "Pre-Init" instead of a date.
    if when.is_none() && !date.starts_with("Pre-Init") {
        return false;
    }
    draft.time = when;
    draft.app = "ipmitool".to_owned();
    draft.set("sel_id", *id);
    for (name, value) in ["state", "reading"].iter().zip(rest) {
        draft.set_some(name, value);
    }
    sensor_fields(draft, sensor, event);
    true
}

/// What the daemon that watches the controller says: `Fan sensor Fan 1 Lower Critical going low`.
pub fn sel_message(draft: &mut Draft, message: &str) -> bool {
    let Some((kind, rest)) = message.split_once(" sensor ") else { return false };
    let marks = [
        "Upper ",
        "Lower ",
        "Failure ",
        "Fully ",
        "Non-",
        "Redundancy ",
        "Presence ",
        "Power ",
        "Predictive ",
        "Device ",
        "Correctable ",
        "Uncorrectable ",
    ];
    let at = marks.iter().filter_map(|mark| rest.find(&format!(" {mark}"))).min();
    let (sensor, event) = at.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
    sensor_fields(draft, &format!("{kind} {sensor}"), event);
    true
}

fn sensor_fields(draft: &mut Draft, sensor: &str, event: &str) {
    draft.shape = Some(Shape::Sel);
    draft.set("sensor", sensor);
    draft.set("sensor_type", sensor.split([' ', '#']).next().unwrap_or_default());
    draft.set("event", event);
    let bad = ["Critical", "Non-recoverable", "Failure", "Uncorrectable", "Lost", "AC lost"];
    let deasserted = draft.get("state") == Some("Deasserted");
    draft.severity = match () {
        () if deasserted => 1,
        () if bad.iter().any(|word| event.contains(word)) => 4,
        () => 2,
    };
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::Format;

    #[test]
    fn smartctl_gives_numbers() {
        let e = read_line(
            r#"{"json_format_version":[1,0],"smartctl":{"version":[7,3],"exit_status":0},"local_time":{"time_t":1767225600},"device":{"name":"/dev/sda"},"model_name":"X","smart_status":{"passed":true},"temperature":{"current":41},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","raw":{"value":8,"string":"8"}},{"id":194,"raw":{"value":107374182441,"string":"41 (Min/Max 20/45)"}},{"id":9,"raw":{"value":1,"string":"1"}},{"id":197,"when_failed":"now","raw":{"value":2,"string":"2"}}]}}"#,
            Format::Auto,
        );
        let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
        assert_eq!(
            (field("smart_5"), field("smart_194"), field("smart_197"), field("smart_9")),
            ("8", "41", "2", "")
        );
        assert_eq!(
            (field("device"), field("temperature"), field("passed"), field("smart_197_failed")),
            ("/dev/sda", "41", "true", "now")
        );
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:00Z")));
        let e = read_line(
            r#"{"json_format_version":[1,0],"smartctl":{},"device":{"name":"/dev/nvme0"},"smart_status":{"passed":false},"nvme_smart_health_information_log":{"critical_warning":4,"temperature":70,"available_spare":5,"available_spare_threshold":10,"percentage_used":101,"media_errors":3}}"#,
            Format::Auto,
        );
        assert_eq!(
            (
                e.fields["nvme_critical_warning"].as_str(),
                e.fields["nvme_percentage_used"].as_str(),
                e.severity
            ),
            ("4", "101", 5)
        );
    }

    #[test]
    fn the_event_log_of_a_board() {
        let e = read_line(
            "   1f | 01/31/2025 | 10:00:00 | Temperature CPU1 Temp | Upper Critical going high | Asserted | Reading 98 > Threshold 95 degrees C",
            Format::Auto,
        );
        let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
        assert_eq!(
            (field("sensor_type"), field("event"), field("state")),
            ("Temperature", "Upper Critical going high", "Asserted")
        );
        assert_eq!((e.event_time, e.severity), (Some(at("2025-01-31T01:00:00Z")), 4));
        let e = read_line(
            "Jan  1 00:00:00 h ipmievd[1]: Fan sensor Fan 1 Lower Critical going low",
            Format::Auto,
        );
        assert_eq!(
            (e.fields["sensor"].as_str(), e.fields["event"].as_str()),
            ("Fan Fan 1", "Lower Critical going low")
        );
    }

    #[test]
    fn smartd_names_disk_and_attribute() {
        let e = read_line(
            "Jan  1 00:00:00 h smartd[1]: Device: /dev/sda [SAT], SMART Usage Attribute: 5 Reallocated_Sector_Ct changed from 100 to 99",
            Format::Auto,
        );
        assert_eq!(
            (
                e.fields["device"].as_str(),
                e.fields["attribute_id"].as_str(),
                e.fields["value"].as_str()
            ),
            ("/dev/sda", "5", "99")
        );
        let e = read_line(
            "Jan  1 00:00:00 h smartd[1]: Device: /dev/sda [SAT], 8 Currently unreadable (pending) sectors",
            Format::Auto,
        );
        assert_eq!(e.fields["count"], "8");
    }
}
