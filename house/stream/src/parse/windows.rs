//! Windows events that arrive as lines: XML, and the JSON of collectors. Names as the event has them; the engine
//! `sigma` knows by `Channel` and `EventID` where they belong.

use serde_json::{Map, Value};

use super::{
    CLASS_ACCOUNT, CLASS_API, CLASS_AUTHENTICATION, CLASS_FINDING, CLASS_NETWORK, CLASS_PROCESS,
    Draft, Shape,
};

/// One `Event` element; `false` if it is none.
pub fn read_xml(draft: &mut Draft, text: &str) -> bool {
    if !text.contains("</Event>") || !text.contains("<System") {
        return false;
    }
    let mut data = false;
    for tag in (Tags { rest: text }) {
        match tag.name {
            "EventData" | "UserData" => data = true,
            "Provider" => put(draft, "Provider_Name", attribute(tag.attributes, "Name")),
            "TimeCreated" => {
                let stamp = attribute(tag.attributes, "SystemTime");
                draft.time = stamp.and_then(|t| model::Timestamp::parse(&t));
            }
            "EventID" | "Channel" | "Computer" | "Level" | "EventRecordID" | "Task" | "Opcode"
            | "Keywords"
                if !data =>
            {
                put(draft, tag.name, Some(unescape(tag.text)));
            }
            "Data" => match attribute(tag.attributes, "Name") {
                Some(name) => draft.set(&name, unescape(tag.text)),
                None => put(draft, "Data", Some(unescape(tag.text))),
            },
            name if data && !tag.text.trim().is_empty() => draft.set(name, unescape(tag.text)),
            _ => {}
        }
    }
    finish(draft);
    true
}

fn put(draft: &mut Draft, name: &str, value: Option<String>) {
    if let Some(value) = value {
        draft.set_some(name, value.trim());
    }
}

/// Elements in order, each with the text up to the next tag.
struct Tags<'a> {
    rest: &'a str,
}

struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    text: &'a str,
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let (_, rest) = self.rest.split_once('<')?;
            let (inside, after) = rest.split_once('>')?;
            self.rest = after;
            if inside.starts_with(['/', '?', '!']) {
                continue;
            }
            let end = inside.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inside.len());
            let text = after.split('<').next().unwrap_or_default();
            return Some(Tag { name: &inside[..end], attributes: &inside[end..], text });
        }
    }
}

fn attribute(text: &str, name: &str) -> Option<String> {
    for (at, _) in text.match_indices(name) {
        let after = text[at + name.len()..].trim_start();
        let Some(value) = after.strip_prefix('=').map(str::trim_start) else { continue };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        return value[1..].split(quote).next().map(unescape);
    }
    None
}

fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    // The ampersand last: what it makes is not read again.
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#xD;", ""),
        ("&#xA;", "\n"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// JSON as evtx tools (`Event.System…`), winlogbeat (`winlog`) and flat exporters write it; `false` if it is none.
pub fn json(draft: &mut Draft, object: &Map<String, Value>) -> bool {
    if let Some(event) = object.get("Event").filter(|e| e.get("System").is_some()) {
        nested(draft, event);
    } else if let Some(log) = object.get("winlog") {
        beat(draft, log);
    } else if !(object.contains_key("EventID") && object.contains_key("Channel")) {
        return false;
    }
    finish(draft);
    true
}

fn nested(draft: &mut Draft, event: &Value) {
    let system = &event["System"];
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(inner) => {
            inner.get("#text").map(|t| t.as_str().map_or_else(|| t.to_string(), str::to_owned))
        }
        _ => None,
    };
    for name in ["EventID", "Channel", "Computer", "Level", "EventRecordID"] {
        put(draft, name, text(&system[name]));
    }
    put(draft, "Provider_Name", text(&system["Provider"]["#attributes"]["Name"]));
    let stamp = text(&system["TimeCreated"]["#attributes"]["SystemTime"]);
    draft.time = stamp.and_then(|t| model::Timestamp::parse(&t)).or(draft.time);
    for part in ["EventData", "UserData"] {
        leaves(draft, &event[part], 0);
    }
}

fn beat(draft: &mut Draft, log: &Value) {
    let names = [
        ("EventID", "event_id"),
        ("Channel", "channel"),
        ("Computer", "computer_name"),
        ("Provider_Name", "provider_name"),
    ];
    for (own, theirs) in names {
        let value = match &log[theirs] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        put(draft, own, Some(value));
    }
    leaves(draft, &log["event_data"], 0);
}

fn leaves(draft: &mut Draft, value: &Value, depth: usize) {
    let Value::Object(object) = value else { return };
    for (name, value) in object.iter().filter(|(name, _)| !name.starts_with('#')) {
        match value {
            Value::Object(_) if depth < 3 => leaves(draft, value, depth + 1),
            Value::String(text) => draft.set(name, text.as_str()),
            Value::Null => {}
            other => draft.set(name, other.to_string()),
        }
    }
}

fn finish(draft: &mut Draft) {
    draft.shape = Some(Shape::Windows);
    if let Some(computer) = draft.get("Computer").map(str::to_owned) {
        draft.host = computer;
    }
    if let Some(provider) = draft.get("Provider_Name").map(str::to_owned) {
        draft.app = provider;
    }
    draft.severity = match draft.get("Level") {
        Some("1") => 5,
        Some("2") => 4,
        Some("3") => 3,
        Some("0" | "4" | "5") => 1,
        _ => draft.severity,
    };
    let channel = draft.get("Channel").unwrap_or_default();
    let number = draft.get("EventID").unwrap_or_default();
    let (class, outcome) = match (channel, number) {
        ("Security", "4624" | "4648" | "4672" | "4768" | "4769") => {
            (CLASS_AUTHENTICATION, "success")
        }
        ("Security", "4625" | "4771" | "4776") => (CLASS_AUTHENTICATION, "failure"),
        ("Security", "4634" | "4647") => (CLASS_AUTHENTICATION, "closed"),
        (
            "Security",
            "4720" | "4722" | "4723" | "4724" | "4725" | "4726" | "4728" | "4732" | "4738" | "4740"
            | "4756" | "4781",
        ) => (CLASS_ACCOUNT, ""),
        ("Security", "4688" | "4689") => (CLASS_PROCESS, ""),
        ("Security", "5156" | "5157") => (CLASS_NETWORK, ""),
        (channel, "1" | "5") if channel.contains("Sysmon") => (CLASS_PROCESS, ""),
        (channel, "3") if channel.contains("Sysmon") => (CLASS_NETWORK, ""),
        (channel, "1006" | "1007" | "1015" | "1116" | "1117")
            if channel.contains("Windows Defender") =>
        {
            (CLASS_FINDING, "")
        }
        (channel, "4103" | "4104") if channel.contains("PowerShell") => (CLASS_API, ""),
        _ => (draft.class, ""),
    };
    draft.class = class;
    if class == CLASS_AUTHENTICATION || class == CLASS_ACCOUNT {
        let user = draft.get("TargetUserName").map(str::to_owned);
        draft.set_some(
            if class == CLASS_ACCOUNT { "target_user" } else { "user" },
            &user.unwrap_or_default(),
        );
    }
    draft.set_some("outcome", outcome);
    draft.alias("src_ip", "IpAddress");
    draft.alias("src_ip", "SourceIp");
    draft.alias("dst_ip", "DestinationIp");
    draft.alias("dst_port", "DestinationPort");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::{Event, Format};

    fn check(e: &Event) {
        let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
        assert_eq!(
            (field("EventID"), field("Channel"), field("Provider_Name")),
            ("4625", "Security", "Microsoft-Windows-Security-Auditing")
        );
        assert_eq!(
            (field("user"), field("src_ip"), field("outcome")),
            ("mika & co", "192.0.2.7", "failure")
        );
        assert_eq!((e.class, e.host.as_str()), (3002, "PC1"));
    }

    #[test]
    fn xml_and_json_of_the_same_event() {
        let e = read_line(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{x}'/><EventID>4625</EventID><Level>0</Level><TimeCreated SystemTime='2026-01-01T00:00:00.1Z'/><Channel>Security</Channel><Computer>PC1</Computer></System><EventData><Data Name='TargetUserName'>mika &amp; co</Data><Data Name='IpAddress'>192.0.2.7</Data></EventData></Event>",
            Format::Auto,
        );
        check(&e);
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:00.1Z")));
        check(&read_line(
            r##"{"Event":{"#attributes":{},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing"}},"EventID":4625,"Channel":"Security","Computer":"PC1","TimeCreated":{"#attributes":{"SystemTime":"2026-01-01T00:00:00Z"}}},"EventData":{"TargetUserName":"mika & co","IpAddress":"192.0.2.7"}}}"##,
            Format::Auto,
        ));
        check(&read_line(
            r#"{"@timestamp":"2026-01-01T00:00:00Z","winlog":{"event_id":4625,"channel":"Security","provider_name":"Microsoft-Windows-Security-Auditing","computer_name":"PC1","event_data":{"TargetUserName":"mika & co","IpAddress":"192.0.2.7"}}}"#,
            Format::Auto,
        ));
        check(&read_line(
            r#"{"EventID":4625,"Channel":"Security","Provider_Name":"Microsoft-Windows-Security-Auditing","Computer":"PC1","TargetUserName":"mika & co","IpAddress":"192.0.2.7"}"#,
            Format::Auto,
        ));
    }
}
