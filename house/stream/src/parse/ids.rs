//! Network sensors: Suricata EVE, Zeek in both forms, Snort's fast alerts.

use model::Timestamp;

use super::{
    CLASS_AUTHENTICATION, CLASS_DNS, CLASS_FILE, CLASS_FINDING, CLASS_HTTP, CLASS_NETWORK, Draft,
    Place, Shape, time, web,
};

/// Gives names and class to an event of Suricata whose JSON is flattened in `draft`; `false` if it is none.
pub fn eve(draft: &mut Draft) -> bool {
    let Some(kind) = draft.get("event_type").map(str::to_owned) else { return false };
    if draft.get("timestamp").is_none() || (draft.get("flow_id").is_none() && kind != "stats") {
        return false;
    }
    draft.shape = Some(Shape::Eve);
    if draft.app.is_empty() {
        draft.app = "suricata".to_owned();
    }
    // Suricata writes +0900, which RFC 3339 does not know.
    draft.time = draft.get("timestamp").and_then(eve_time).or(draft.time);
    for (own, theirs) in [
        ("dst_ip", "dest_ip"),
        ("dst_port", "dest_port"),
        ("protocol", "proto"),
        ("query", "dns.rrname"),
        ("record_type", "dns.rrtype"),
        ("query", "dns.queries.rrname"),
        ("record_type", "dns.queries.rrtype"),
        ("action", "alert.action"),
    ] {
        draft.alias(own, theirs);
    }
    draft.class = match kind.as_str() {
        "alert" | "anomaly" => CLASS_FINDING,
        "http" => CLASS_HTTP,
        "dns" => CLASS_DNS,
        "fileinfo" => CLASS_FILE,
        "stats" => 0,
        _ => CLASS_NETWORK,
    };
    http(
        draft,
        &[
            ("cs-method", "http.http_method"),
            ("cs-host", "http.hostname"),
            ("cs-user-agent", "http.http_user_agent"),
            ("sc-status", "http.status"),
            ("cs-referer", "http.http_refer"),
        ],
        "http.url",
    );
    if kind == "alert" {
        draft.severity = match draft.get("alert.severity") {
            Some("1") => 4,
            Some("2") => 3,
            Some(_) => 2,
            None => 0,
        };
        draft.message = draft.get("alert.signature").map(str::to_owned).or(draft.message.take());
    }
    true
}

fn eve_time(text: &str) -> Option<Timestamp> {
    let (head, zone) = text.split_at_checked(text.len().checked_sub(5)?)?;
    match zone.as_bytes() {
        [b'+' | b'-', ..] => Timestamp::parse(&format!("{head}{}:{}", &zone[..3], &zone[3..])),
        _ => Timestamp::parse(text),
    }
}

/// What a sensor saw of a request, under the names of proxies: it sees clients as a proxy does.
fn http(draft: &mut Draft, names: &[(&str, &str)], path: &str) {
    let Some(path) = draft.get(path).map(str::to_owned) else { return };
    for (own, theirs) in names {
        draft.alias(own, theirs);
    }
    let host = draft.get("cs-host").unwrap_or_default();
    let uri = if path.contains("://") { path.clone() } else { format!("http://{host}{path}") };
    let shape = draft.shape;
    web::uri_fields(draft, &uri);
    web::proxy(draft);
    draft.shape = shape;
}

/// Zeek's JSON, flattened in `draft`; `false` if it is none.
pub fn zeek_json(draft: &mut Draft) -> bool {
    let has = |name: &str| draft.fields.contains_key(name);
    let is_notice = has("note") && has("ts") && has("actions");
    if !(has("id.orig_h") || is_notice || (has("_path") && has("ts"))) {
        return false;
    }
    let path = match draft.get("_path") {
        Some(path) => path.to_owned(),
        None => guessed(draft).to_owned(),
    };
    zeek(draft, &path);
    true
}

/// Without `_path` the file's name would tell; the columns do as well.
fn guessed(draft: &Draft) -> &'static str {
    let marks = [
        ("conn_state", "conn"),
        ("qtype_name", "dns"),
        ("note", "notice"),
        ("request_body_len", "http"),
        ("user_agent", "http"),
        ("endpoint", "dce_rpc"),
        ("share_type", "smb_mapping"),
        ("auth_success", "ssh"),
        ("cookie", "rdp"),
        ("request_type", "kerberos"),
        ("mailfrom", "smtp"),
        ("server_name", "ssl"),
        ("action", "smb_files"),
    ];
    marks.iter().find(|(name, _)| draft.fields.contains_key(*name)).map_or("", |(_, path)| path)
}

/// A line of Zeek's tables whose columns are known.
pub fn read_zeek_table(draft: &mut Draft, path: &str, columns: &[String], values: &[&str]) {
    for (name, value) in columns.iter().zip(values) {
        if *value != "(empty)" {
            draft.set_some(name, value);
        }
    }
    draft.time = draft.get("ts").and_then(time::epoch);
    let path = if path.is_empty() { guessed(draft) } else { path };
    zeek(draft, path);
}

fn zeek(draft: &mut Draft, path: &str) {
    draft.shape = Some(Shape::Zeek);
    draft.set("zeek.path", path);
    if draft.app.is_empty() {
        draft.app = "zeek".to_owned();
    }
    for (own, theirs) in [
        ("src_ip", "id.orig_h"),
        ("src_port", "id.orig_p"),
        ("dst_ip", "id.resp_h"),
        ("dst_port", "id.resp_p"),
        ("protocol", "proto"),
        ("record_type", "qtype_name"),
        ("answer", "answers"),
    ] {
        draft.alias(own, theirs);
    }
    if path == "http" {
        http(
            draft,
            &[
                ("cs-method", "method"),
                ("cs-host", "host"),
                ("cs-user-agent", "user_agent"),
                ("sc-status", "status_code"),
                ("cs-referer", "referrer"),
            ],
            "uri",
        );
    }
    draft.class = match path {
        "dns" => CLASS_DNS,
        "http" => CLASS_HTTP,
        "notice" | "weird" | "signatures" | "intel" => CLASS_FINDING,
        "files" | "smb_files" => CLASS_FILE,
        "kerberos" | "ntlm" | "radius" => CLASS_AUTHENTICATION,
        _ => CLASS_NETWORK,
    };
    if path == "notice" {
        draft.message = draft.get("msg").map(str::to_owned).or(draft.message.take());
    }
}

/// `08/28-12:34:56.789012  [**] [1:2003:8] name [**] [Classification: x] [Priority: 2] {UDP} a:1 -> b:2`
pub fn read_fast(draft: &mut Draft, text: &str, place: &Place<'_>) -> bool {
    let Some((when, rest)) = time::month_day(text, place.now, place.zone) else { return false };
    if !rest.trim_start().starts_with("[**]") && !rest.contains(" [**] ") {
        return false;
    }
    if !alert(draft, rest) {
        return false;
    }
    draft.time = Some(when);
    draft.app = "snort".to_owned();
    true
}

/// The same without its time, as it travels in syslog: `[1:2003:8] name [Classification: x] [Priority: 2] {UDP} …`
pub fn alert(draft: &mut Draft, message: &str) -> bool {
    let text = message.replace("[**]", "");
    let text = text.trim();
    let text = text.strip_prefix("[Drop]").map(|t| ("drop", t)).unwrap_or(("", text));
    let (action, text) = (text.0, text.1.trim());
    let Some((numbers, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) else {
        return false;
    };
    let parts: Vec<&str> = numbers.split(':').collect();
    let [generator, id, revision] = parts.as_slice() else { return false };
    if !parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    let name = rest.split(" [").next().unwrap_or_default().split(" {").next().unwrap_or_default();
    draft.set("alert.signature", name.trim());
    draft.set("alert.gid", *generator);
    draft.set("alert.signature_id", *id);
    draft.set("alert.rev", *revision);
    draft.set_some("action", action);
    for part in rest.split(['[', ']']) {
        match part.split_once(": ") {
            Some(("Classification", class)) => draft.set("alert.category", class),
            Some(("Priority", priority)) => {
                draft.set("alert.severity", priority);
                draft.severity = match priority {
                    "1" => 4,
                    "2" => 3,
                    _ => 2,
                };
            }
            _ => {}
        }
    }
    if let Some((protocol, ends)) = rest.rsplit_once('{').and_then(|(_, r)| r.split_once('}')) {
        draft.set("protocol", protocol);
        if let Some((from, to)) = ends.trim().split_once(" -> ") {
            endpoint(draft, from, ["src_ip", "src_port"]);
            endpoint(draft, to, ["dst_ip", "dst_port"]);
        }
    }
    draft.class = CLASS_FINDING;
    draft.shape = Some(Shape::Snort);
    if !name.trim().is_empty() {
        draft.message = Some(name.trim().to_owned());
    }
    true
}

/// `192.0.2.7:22`, `2001:db8::7:22` or an address alone.
fn endpoint(draft: &mut Draft, text: &str, names: [&str; 2]) {
    let text = text.trim();
    let is_alone = text.parse::<std::net::Ipv4Addr>().is_ok() || !text.contains(':');
    match text.rsplit_once(':').filter(|_| !is_alone) {
        Some((address, port)) => {
            draft.set(names[0], address);
            draft.set(names[1], port);
        }
        None => draft.set_some(names[0], text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::{Event, Format};

    fn field<'a>(e: &'a Event, name: &str) -> &'a str {
        e.fields.get(name).map_or("", String::as_str)
    }

    #[test]
    fn eve_alerts_and_requests() {
        let e = read_line(
            r#"{"timestamp":"2026-01-01T10:00:00.123456+0900","flow_id":1,"event_type":"alert","src_ip":"192.0.2.7","src_port":5,"dest_ip":"10.0.0.1","dest_port":80,"proto":"TCP","alert":{"action":"allowed","signature":"ET X","signature_id":2,"severity":1,"category":"c"},"http":{"hostname":"x.example","url":"/a.php?b=c","http_method":"GET","http_user_agent":"curl/8"}}"#,
            Format::Auto,
        );
        assert_eq!((e.class, e.severity, e.message.as_str()), (2004, 4, "ET X"));
        assert_eq!(e.event_time, Some(at("2026-01-01T01:00:00.123456Z")));
        assert_eq!(
            (field(&e, "dst_ip"), field(&e, "dst_port"), field(&e, "alert.severity")),
            ("10.0.0.1", "80", "1")
        );
        assert_eq!(
            (field(&e, "c-uri"), field(&e, "c-useragent")),
            ("http://x.example/a.php?b=c", "curl/8")
        );
        let e = read_line(
            r#"Jan  1 00:00:00 h suricata[1]: {"timestamp":"2026-01-01T10:00:00.1+0900","flow_id":1,"event_type":"dns","src_ip":"10.0.0.9","dns":{"rrname":"evil.example","rrtype":"A"}}"#,
            Format::Auto,
        );
        assert_eq!((field(&e, "query"), e.class, e.host.as_str()), ("evil.example", 4003, "h"));
    }

    #[test]
    fn zeek_json_by_path_or_columns() {
        let e = read_line(
            r#"{"ts":1767225600.5,"uid":"C","id.orig_h":"10.0.0.9","id.orig_p":1,"id.resp_h":"192.0.2.7","id.resp_p":445,"proto":"tcp","conn_state":"S0"}"#,
            Format::Auto,
        );
        assert_eq!((field(&e, "zeek.path"), field(&e, "dst_port"), e.class), ("conn", "445", 4001));
        let e = read_line(
            r#"{"_path":"http","ts":1767225600.5,"id.orig_h":"10.0.0.9","id.resp_h":"192.0.2.7","method":"GET","host":"x.example","uri":"/a","user_agent":"curl"}"#,
            Format::Auto,
        );
        assert_eq!((field(&e, "c-uri"), e.class), ("http://x.example/a", 4002));
    }

    #[test]
    fn fast_alerts() {
        let e = read_line(
            "12/28-12:34:56.789012  [**] [1:2003:8] MS-SQL Worm [**] [Classification: Misc Attack] [Priority: 2] {UDP} 192.0.2.7:1210 -> 10.0.0.1:1434",
            Format::Auto,
        );
        assert_eq!(
            (e.message.as_str(), field(&e, "alert.signature_id"), field(&e, "dst_port")),
            ("MS-SQL Worm", "2003", "1434")
        );
        assert_eq!((e.event_time, e.class), (Some(at("2025-12-28T03:34:56.789012Z")), 2004));
        let e = read_line(
            "Jan  1 00:00:00 h snort[1]: [1:2003:8] x [Classification: y] [Priority: 1] {ICMP} 192.0.2.7 -> 10.0.0.1",
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "src_ip"), field(&e, "protocol"), e.severity),
            ("192.0.2.7", "ICMP", 4)
        );
    }
}
