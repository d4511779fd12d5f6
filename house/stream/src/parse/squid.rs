//! Squid's own access log, under the names of Sigma's category `proxy`.

use super::{CLASS_HTTP, Draft, time, web};

/// `1700000000.123 345 192.0.2.1 TCP_MISS/200 1234 GET http://x/ user HIER_DIRECT/192.0.2.7 text/html`
pub fn read(draft: &mut Draft, text: &str) -> bool {
    if !read_inner(draft, text) {
        return false;
    }
    draft.app = "squid".to_owned();
    true
}

/// The same behind syslog's envelope.
pub fn read_inner(draft: &mut Draft, text: &str) -> bool {
    let words: Vec<&str> = text.split_ascii_whitespace().take(16).collect();
    let [stamp, taken, client, result, bytes, method, uri, user, peer, rest @ ..] =
        words.as_slice()
    else {
        return false;
    };
    let Some((action, status)) = result.split_once('/') else { return false };
    let Some(when) = time::epoch(stamp) else { return false };
    if !status.bytes().all(|b| b.is_ascii_digit())
        || !taken.bytes().all(|b| b.is_ascii_digit() || b == b'-')
    {
        return false;
    }
    draft.time = Some(when);
    draft.set("time-taken", *taken);
    draft.set("c-ip", *client);
    draft.set("src_ip", *client);
    draft.set("action", action);
    draft.set("sc-status", status);
    draft.set("sc-bytes", *bytes);
    draft.set("cs-method", *method);
    draft.set_some("cs-username", user);
    draft.set_some("user", user);
    if let Some((_, address)) = peer.split_once('/') {
        draft.set_some("dst_ip", address);
    }
    if let Some(kind) = rest.first() {
        draft.set_some("rs-content-type", kind);
    }
    let denied = action.contains("DENIED");
    draft.set("blocked", if denied { "true" } else { "false" });
    draft.set("outcome", if denied { "failure" } else { "success" });
    draft.severity = if denied { 2 } else { 1 };
    draft.class = CLASS_HTTP;
    web::uri_fields(draft, uri);
    web::proxy(draft);
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::Format;

    #[test]
    fn native_lines() {
        let e = read_line(
            "1767225600.123    345 10.0.0.9 TCP_DENIED/403 1234 CONNECT evil.example:443 mika HIER_NONE/- text/html",
            Format::Auto,
        );
        let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:00.123Z")));
        assert_eq!(
            (field("cs-host"), field("c-uri"), field("cs-username")),
            ("evil.example", "evil.example:443", "mika")
        );
        assert_eq!(
            (field("action"), field("blocked"), field("dst_ip"), e.class),
            ("TCP_DENIED", "true", "", 4002)
        );
    }
}
