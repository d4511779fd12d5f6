//! Access and error logs of web servers, under the names of Sigma's categories `webserver` and `proxy`.
//!
//! Requests come from whoever asks: quotes inside them are escaped by the server, and nothing in them is
//! searched for marks of the format.

use jiff::tz::TimeZone;
use model::Timestamp;

use super::{CLASS_HTTP, Draft, Shape, time};

/// `host ident user [time] "request" status bytes "referer" "agent"`, also behind `vhost:port`; `false` if it
/// is none.
pub fn read_access(draft: &mut Draft, text: &str) -> bool {
    access(draft, text).is_some()
}

fn access(draft: &mut Draft, text: &str) -> Option<()> {
    let (head, rest) = text.split_once(" [")?;
    let (stamp, rest) = rest.split_once("] \"")?;
    let when = time::common_log(stamp)?;
    let words: Vec<&str> = head.split(' ').collect();
    let (host, client, user) = match words.as_slice() {
        [client, _, user] => (None, *client, *user),
        [host, client, _, user] => (Some(*host), *client, *user),
        _ => return None,
    };
    let (request, rest) = quoted(rest)?;
    let mut numbers = rest.trim_start().splitn(3, ' ');
    let (status, bytes) = (numbers.next()?, numbers.next().unwrap_or("-"));
    if !status.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    draft.time = Some(when);
    draft.shape = Some(Shape::WebAccess);
    draft.set("c-ip", client);
    draft.set_some("cs-username", user);
    if let Some(host) = host {
        draft.set("cs-host", host.rsplit_once(':').map_or(host, |(name, _)| name));
    }
    draft.set("sc-status", status);
    draft.set_some("sc-bytes", bytes);
    let mut rest = numbers.next().unwrap_or_default();
    for name in ["cs-referer", "cs-user-agent"] {
        if let Some((value, after)) = rest.trim_start().strip_prefix('"').and_then(quoted) {
            draft.set_some(name, &value);
            rest = after;
        }
    }
    // Squid's own columns, where it writes this format.
    if let Some((action, _)) = rest.trim().split_once(':').filter(|(a, _)| a.starts_with("TCP_")) {
        draft.set("action", action);
    }
    request_line(draft, &request);
    finish(draft);
    Some(())
}

/// `GET /path?query HTTP/1.1`; what is no such line is kept as the URI.
pub fn request_line(draft: &mut Draft, request: &str) {
    let (method, rest) = request.split_once(' ').unwrap_or(("", request));
    let (uri, version) = match rest.rsplit_once(' ') {
        Some((uri, version)) if version.starts_with("HTTP/") => (uri, version),
        _ => (rest, ""),
    };
    draft.set_some("cs-method", method);
    draft.set_some("cs-version", version);
    uri_fields(draft, uri);
}

/// The URI whole and in its parts.
pub fn uri_fields(draft: &mut Draft, uri: &str) {
    draft.set_some("cs-uri", uri);
    let (stem, query) = uri.split_once('?').unwrap_or((uri, ""));
    draft.set_some("cs-uri-stem", stem);
    draft.set_some("cs-uri-query", query);
}

/// Names that Ume has everywhere, class and shape, once the fields are there.
pub fn finish(draft: &mut Draft) {
    draft.class = CLASS_HTTP;
    draft.alias("src_ip", "c-ip");
    draft.alias("user", "cs-username");
    if let Some(status) = draft.get("sc-status").and_then(|s| s.parse::<u16>().ok()) {
        draft.set("outcome", if status < 400 { "success" } else { "failure" });
        if draft.severity == 0 {
            draft.severity = if status < 500 { 1 } else { 3 };
        }
    }
    let is_proxy = draft.get("cs-method") == Some("CONNECT")
        || draft.get("cs-uri").is_some_and(|uri| uri.contains("://") && !uri.starts_with('/'))
        || draft.get("action").is_some_and(|action| action.starts_with("TCP_"));
    if is_proxy {
        proxy(draft);
    }
}

/// Proxies have names of their own for what the client asked.
pub fn proxy(draft: &mut Draft) {
    draft.shape = Some(Shape::Proxy);
    let Some(uri) = draft.get("cs-uri").map(str::to_owned) else { return };
    let (whole, query) = uri.split_once('?').unwrap_or((&uri, ""));
    let behind = whole.split_once("://").map_or(whole, |(_, rest)| rest);
    let (host, stem) = match behind.find('/') {
        Some(at) => (&behind[..at], &behind[at..]),
        None => (behind, ""),
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !draft.fields.contains_key("cs-host") {
        draft.set_some("cs-host", name);
    }
    draft.set("c-uri", uri.as_str());
    draft.set_some("c-uri-stem", stem);
    draft.set_some("c-uri-query", query);
    let file = stem.rsplit('/').next().unwrap_or_default();
    if let Some((_, extension)) = file.rsplit_once('.') {
        draft.set_some("c-uri-extension", extension);
    }
    draft.alias("c-useragent", "cs-user-agent");
    draft.alias("r-dns", "cs-host");
}

/// A text up to its closing quote, with `\"` and `\\` resolved; returns what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                escaped @ ('"' | '\\') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

/// Keys of JSON access logs of nginx, Caddy, Traefik, Apache and load balancers, by Sigma's name.
const JSON_NAMES: &[(&str, &[&str])] = &[
    (
        "c-ip",
        &[
            "remote_addr",
            "client_ip",
            "clientip",
            "remote_ip",
            "ClientHost",
            "request.client_ip",
            "request.remote_ip",
            "remoteIp",
            "client.address",
            "http.client_ip",
        ],
    ),
    (
        "cs-method",
        &[
            "request_method",
            "RequestMethod",
            "request.method",
            "method",
            "http_method",
            "verb",
            "http.request.method",
            "http.method",
        ],
    ),
    (
        "cs-uri",
        &[
            "request_uri",
            "RequestPath",
            "request.uri",
            "uri",
            "url",
            "path",
            "http.target",
            "url.path",
            "url.full",
            "http.url",
        ],
    ),
    (
        "cs-host",
        &["http_host", "RequestHost", "request.host", "server_name", "vhost", "server.address"],
    ),
    (
        "sc-status",
        &[
            "status",
            "DownstreamStatus",
            "status_code",
            "response_code",
            "http.response.status_code",
            "http.status_code",
        ],
    ),
    ("sc-bytes", &["body_bytes_sent", "bytes_sent", "DownstreamContentSize", "size", "bytes"]),
    (
        "cs-user-agent",
        &[
            "http_user_agent",
            "user_agent",
            "agent",
            "request_User-Agent",
            "userAgent",
            "user_agent.original",
        ],
    ),
    ("cs-referer", &["http_referer", "referer", "referrer", "request_Referer"]),
    ("cs-username", &["remote_user", "ClientUsername", "user_id"]),
    ("time-taken", &["request_time", "duration", "Duration"]),
];

/// Whether a JSON event, flattened into fields, is a request; then it gets Sigma's names.
pub fn json(draft: &mut Draft) -> bool {
    let find = |draft: &Draft, names: &[&str]| {
        names.iter().find_map(|name| draft.fields.get(*name)).filter(|v| !v.is_empty()).cloned()
    };
    let of = |name: &str| {
        JSON_NAMES.iter().find(|(own, _)| *own == name).map_or(&[][..], |(_, keys)| keys)
    };
    let request = find(draft, &["request"]).filter(|r| r.contains(" HTTP/"));
    let status = find(draft, of("sc-status")).filter(|s| s.len() == 3 && s.parse::<u16>().is_ok());
    let has_request = request.is_some()
        || (find(draft, of("cs-method")).is_some_and(|m| is_method(&m))
            && find(draft, of("cs-uri")).is_some());
    if !has_request || status.is_none() {
        return false;
    }
    for (name, keys) in JSON_NAMES {
        if let Some(value) = find(draft, keys) {
            draft.set_some(name, &value);
        }
    }
    match (request, draft.get("cs-uri").map(str::to_owned)) {
        (Some(request), _) => request_line(draft, &request),
        (None, Some(uri)) => uri_fields(draft, &uri),
        (None, None) => {}
    }
    draft.shape = Some(Shape::WebAccess);
    finish(draft);
    true
}

fn is_method(text: &str) -> bool {
    (3..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b == b'-')
}

/// `[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 1:tid 2] [client 192.0.2.7:5] message`
pub fn read_apache_error(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let Some((stamp, rest)) = text.strip_prefix('[').and_then(|t| t.split_once("] ")) else {
        return false;
    };
    let Some(when) = time::weekday(stamp, zone) else { return false };
    draft.time = Some(when);
    draft.app = "apache2".to_owned();
    draft.shape = Some(Shape::WebError);
    let mut rest = rest;
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|t| t.split_once(']')) {
        rest = after.trim_start();
        if let Some(client) = inside.strip_prefix("client ") {
            let address = client.rsplit_once(':').map_or(client, |(a, _)| a);
            draft.set("c-ip", address);
            draft.set("src_ip", address);
        } else if let Some((module, level)) =
            inside.split_once(':').filter(|(m, _)| !m.contains(' '))
        {
            draft.set_some("module", module);
            level_of(draft, level);
        } else if !inside.contains(' ') {
            level_of(draft, inside);
        }
    }
    draft.message = Some(rest.to_owned());
    true
}

/// `2026/01/01 10:00:00 [error] 12#12: *3 message, client: 192.0.2.7, server: x, request: "GET / HTTP/1.1"`
pub fn read_nginx_error(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let Some((when, rest)) = time::slashed(text, zone) else { return false };
    let Some((level, rest)) = rest.strip_prefix(" [").and_then(|t| t.split_once("] ")) else {
        return false;
    };
    draft.time = Some(when);
    draft.app = "nginx".to_owned();
    level_of(draft, level);
    let message = rest.split_once(": ").map_or(rest, |(_, message)| message);
    draft.message = Some(message.to_owned());
    error_message(draft, message);
    draft.shape = Some(Shape::WebError);
    true
}

/// Who asked for what, in an error message of nginx.
pub fn error_message(draft: &mut Draft, message: &str) -> bool {
    let Some((_, rest)) = message.split_once(", client: ") else { return false };
    let client = rest.split(',').next().unwrap_or_default();
    draft.set("c-ip", client);
    draft.set("src_ip", client);
    if let Some((_, host)) = rest.split_once(", server: ") {
        draft.set_some("cs-host", host.split(',').next().unwrap_or_default());
    }
    if let Some((request, _)) = rest.split_once(", request: \"").and_then(|(_, r)| quoted(r)) {
        request_line(draft, &request);
    }
    draft.shape = Some(Shape::WebError);
    true
}

fn level_of(draft: &mut Draft, level: &str) {
    draft.severity = match level {
        "emerg" => 6,
        "alert" | "crit" => 5,
        "error" => 4,
        "warn" => 3,
        "notice" => 2,
        "info" | "debug" => 1,
        _ => return,
    };
    draft.set("level", level);
}

/// Names of columns of W3C extended logs, as Sigma has them.
pub fn w3c_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "cs(user-agent)" => "cs-user-agent".to_owned(),
        "cs(referer)" => "cs-referer".to_owned(),
        "cs(cookie)" => "cs-cookie".to_owned(),
        "cs(host)" => "cs-host".to_owned(),
        "cs(content-type)" => "cs-content-type".to_owned(),
        "x-edge-location" | "c-port" | "s-computername" => lower,
        _ => lower.replace('(', "-").replace(')', ""),
    }
}

/// One line of a W3C extended log whose columns are known.
pub fn read_w3c(draft: &mut Draft, columns: &[String], values: &[&str]) {
    let of = |name: &str| columns.iter().position(|c| c == name).map(|at| values[at]);
    if let Some(when) = of("date").zip(of("time")) {
        // The format says UTC.
        draft.time = Timestamp::parse(&format!("{}T{}Z", when.0, when.1));
    }
    for (name, value) in columns.iter().zip(values) {
        match name.as_str() {
            // A plus stands for a space there, and nowhere else.
            "cs-user-agent" | "cs-cookie" => draft.set_some(name, &value.replace('+', " ")),
            _ => draft.set_some(name, value),
        }
    }
    draft.shape = Some(Shape::WebAccess);
    if let Some(stem) = draft.get("cs-uri-stem").map(str::to_owned) {
        let uri = match draft.get("cs-uri-query") {
            Some(query) => format!("{stem}?{query}"),
            None => stem,
        };
        draft.set_new("cs-uri", &uri);
    } else if let Some(uri) = draft.get("cs-uri").map(str::to_owned) {
        uri_fields(draft, &uri);
    }
    finish(draft);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::{Event, Format};

    fn field<'a>(e: &'a Event, name: &str) -> &'a str {
        e.fields.get(name).map_or("", String::as_str)
    }

    #[test]
    fn combined_lines_have_the_names_of_sigma() {
        let e = read_line(
            r#"192.0.2.7 - mika [10/Oct/2025:13:55:36 +0900] "GET /a/b.php?id=1%27--&x=\"y\" HTTP/1.1" 404 2326 "https://example.com/" "Mozilla/5.0 (X; \"q\")""#,
            Format::Auto,
        );
        assert_eq!(e.event_time, Some(at("2025-10-10T04:55:36Z")));
        assert_eq!(e.class, 4002);
        for (name, value) in [
            ("c-ip", "192.0.2.7"),
            ("src_ip", "192.0.2.7"),
            ("cs-username", "mika"),
            ("cs-method", "GET"),
            ("cs-uri-stem", "/a/b.php"),
            ("cs-uri-query", "id=1%27--&x=\"y\""),
            ("sc-status", "404"),
            ("sc-bytes", "2326"),
            ("cs-referer", "https://example.com/"),
            ("cs-user-agent", "Mozilla/5.0 (X; \"q\")"),
            ("outcome", "failure"),
            ("ume.shape", "web_access"),
        ] {
            assert_eq!(field(&e, name), value, "{name}");
        }
        let e = read_line(
            "www.example.com:443 2001:db8::7 - - [10/Oct/2025:13:55:36 +0900] \"\\x16\\x03\" 400 0 \"-\" \"-\"",
            Format::Syslog,
        );
        assert_eq!((field(&e, "cs-host"), field(&e, "c-ip")), ("www.example.com", "2001:db8::7"));
        assert_eq!(field(&e, "cs-user-agent"), "");
    }

    #[test]
    fn requests_to_a_proxy_have_its_names() {
        let e = read_line(
            "10.0.0.9 - - [10/Oct/2025:13:55:36 +0900] \"GET http://user@evil.example:8080/x/a.exe?b=1 HTTP/1.1\" 403 1 \"-\" \"curl/8\" TCP_DENIED:HIER_NONE",
            Format::Auto,
        );
        assert_eq!(field(&e, "c-uri"), "http://user@evil.example:8080/x/a.exe?b=1");
        assert_eq!((field(&e, "cs-host"), field(&e, "c-uri-extension")), ("evil.example", "exe"));
        assert_eq!((field(&e, "c-useragent"), field(&e, "action")), ("curl/8", "TCP_DENIED"));
        assert_eq!(field(&e, "ume.shape"), "proxy");
    }

    #[test]
    fn json_access_logs() {
        let e = read_line(
            r#"{"time":"2026-01-01T00:00:00Z","remote_addr":"192.0.2.7","request_method":"POST","request_uri":"/login?a=b","status":401,"http_user_agent":"curl/8"}"#,
            Format::Json,
        );
        assert_eq!(
            (field(&e, "cs-method"), field(&e, "cs-uri-stem"), field(&e, "sc-status")),
            ("POST", "/login", "401")
        );
        let e = read_line(
            r#"{"level":"info","ts":1767225600.5,"request":{"remote_ip":"192.0.2.7","method":"GET","host":"x.example","uri":"/"},"status":200}"#,
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "c-ip"), field(&e, "cs-host"), e.class),
            ("192.0.2.7", "x.example", 4002)
        );
        let e = read_line(r#"{"status":200,"method":"GET"}"#, Format::Json);
        assert_eq!(e.class, 0);
    }

    #[test]
    fn error_logs_say_who_asked() {
        let e = read_line(
            "2026/01/01 10:00:00 [error] 12#12: *3 open() \"/x\" failed (2: No such file), client: 192.0.2.7, server: x.example, request: \"GET /y HTTP/1.1\", host: \"x.example\"",
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "src_ip"), field(&e, "cs-uri-stem"), e.severity),
            ("192.0.2.7", "/y", 4)
        );
        assert_eq!(e.event_time, Some(at("2026-01-01T01:00:00Z")));
        let e = read_line(
            "[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 1:tid 2] [client 192.0.2.7:5] File does not exist: /x",
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "src_ip"), e.message.as_str()),
            ("192.0.2.7", "File does not exist: /x")
        );
        assert_eq!(e.event_time, Some(at("2011-09-09T01:42:29.902022Z")));
    }
}
