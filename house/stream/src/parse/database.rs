//! Logs of PostgreSQL and MariaDB, in English and Japanese.

use jiff::tz::TimeZone;

use super::{CLASS_AUTHENTICATION, CLASS_NETWORK, Draft, Shape, time};

/// What PostgreSQL writes before its messages: word, severity of OCSF, English word.
const LEVELS: &[(&str, u8, &str)] = &[
    ("PANIC", 6, "PANIC"),
    ("FATAL", 4, "FATAL"),
    ("ERROR", 4, "ERROR"),
    ("WARNING", 3, "WARNING"),
    ("NOTICE", 2, "NOTICE"),
    ("LOG", 1, "LOG"),
    ("INFO", 1, "INFO"),
    ("DETAIL", 1, "DETAIL"),
    ("HINT", 1, "HINT"),
    ("STATEMENT", 1, "STATEMENT"),
    ("CONTEXT", 1, "CONTEXT"),
    ("QUERY", 1, "QUERY"),
    ("DEBUG", 1, "DEBUG"),
    ("パニック", 6, "PANIC"),
    ("致命的エラー", 4, "FATAL"),
    ("エラー", 4, "ERROR"),
    ("警告", 3, "WARNING"),
    ("ログ", 1, "LOG"),
    ("詳細", 1, "DETAIL"),
    ("ヒント", 1, "HINT"),
    ("文", 1, "STATEMENT"),
    ("ステートメント", 1, "STATEMENT"),
    ("コンテキスト", 1, "CONTEXT"),
    ("コンテクスト", 1, "CONTEXT"),
];

/// `2026-01-01 10:00:00.123 JST [42] user@db LOG:  message`; `false` if it is none.
pub fn read_postgresql(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let Some((when, rest)) = time::local_date_time_zone(text, zone) else { return false };
    if !levelled(draft, rest) {
        return false;
    }
    draft.time = Some(when);
    draft.app = "postgres".to_owned();
    true
}

/// The same inside syslog: `[3-1] 2026-01-01 … LOG:  message`, with or without the time.
pub fn postgresql(draft: &mut Draft, message: &str, zone: &TimeZone) -> bool {
    let body = match message.strip_prefix('[').and_then(|m| m.split_once("] ")) {
        Some((numbers, rest)) if numbers.bytes().all(|b| b.is_ascii_digit() || b == b'-') => rest,
        _ => message,
    };
    let body = time::local_date_time_zone(body, zone).map_or(body, |(_, rest)| rest);
    levelled(draft, body)
}

/// `[42] user@db LOG:  message` in any of the usual prefixes.
fn levelled(draft: &mut Draft, text: &str) -> bool {
    const PREFIX_MAX: usize = 200;
    // Two spaces behind the colon are PostgreSQL's own mark.
    let Some(at) = text.find(":  ").filter(|at| *at <= PREFIX_MAX) else { return false };
    let (prefix, message) = (&text[..at], &text[at + 3..]);
    let word = prefix.rsplit([' ', '\t']).next().unwrap_or_default();
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let Some((_, severity, english)) = LEVELS.iter().find(|(known, ..)| *known == bare) else {
        return false;
    };
    draft.shape = Some(Shape::Postgresql);
    draft.severity = *severity;
    draft.set("error_severity", *english);
    draft.message = Some(message.to_owned());
    let before = prefix[..prefix.len() - word.len()].trim();
    if let Some((pid, _)) = before.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        draft.set("pid", pid.split('-').next().unwrap_or(pid));
    }
    for word in before.split(' ') {
        if let Some((user, database)) =
            word.split_once('@').filter(|(user, _)| !matches!(*user, "" | "[unknown]"))
        {
            draft.set("user", user);
            draft.set_some("database", database);
        }
    }
    statement(draft, message);
    access(draft, message);
    true
}

/// `duration: 12.3 ms  statement: SELECT …`
fn statement(draft: &mut Draft, message: &str) {
    if let Some((millis, _)) = message.strip_prefix("duration: ").and_then(|m| m.split_once(" ms"))
    {
        draft.set("duration_ms", millis);
    }
    let marks = ["statement: ", "execute <unnamed>: "];
    if let Some((_, sql)) = marks.iter().find_map(|mark| message.split_once(mark)) {
        draft.set("statement", sql);
    }
}

/// Who was let in and who was not.
fn access(draft: &mut Draft, message: &str) {
    let outcome = match () {
        () if message.starts_with("connection authorized") => "success",
        () if message.contains("authentication failed for user")
            || message.starts_with("no pg_hba.conf entry")
            || (message.contains("認証に失敗しました")
                && draft.get("error_severity") == Some("FATAL"))
            || message.starts_with("pg_hba.conf rejects connection") =>
        {
            "failure"
        }
        () if message.starts_with("connection received") => {
            draft.class = CLASS_NETWORK;
            ""
        }
        () => return,
    };
    if !outcome.is_empty() {
        draft.set("outcome", outcome);
        draft.class = CLASS_AUTHENTICATION;
    }
    for (name, field) in
        [("user", "user"), ("database", "database"), ("host", "src_ip"), ("port", "src_port")]
    {
        if let Some(value) = named(message, name) {
            draft.set_some(field, value);
        }
    }
    if let Some((_, rest)) = message.split_once('"').filter(|_| message.contains("認証に失敗"))
    {
        draft.set_some("user", rest.split('"').next().unwrap_or_default());
    }
}

/// `name=value` or `name "value"`.
fn named<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let at = message.match_indices(name).map(|(at, _)| &message[at + name.len()..]);
    at.filter_map(|rest| match rest.strip_prefix('=') {
        Some(value) => value.split([' ', ',']).next(),
        None => rest.strip_prefix(" \"").and_then(|value| value.split('"').next()),
    })
    .next()
}

/// `2026-01-01 10:00:00 12 [Warning] message`, MySQL's `2026-01-01T10:00:00.123456Z 12 [Note] [MY-1] [Server] …`
pub fn read_mariadb(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let found = time::local_date_time(text, zone).or_else(|| {
        let (when, rest) = time::rfc3339_word(text)?;
        Some((when, rest))
    });
    let Some((when, rest)) = found else { return false };
    let rest = rest.trim_start();
    let Some((thread, body)) = rest.split_once(' ') else { return false };
    if thread.is_empty() || !thread.bytes().all(|b| b.is_ascii_digit()) || !mariadb(draft, body) {
        return false;
    }
    draft.time = Some(when);
    draft.app = "mariadbd".to_owned();
    draft.set("thread", thread);
    true
}

/// `[ERROR] message` of MariaDB; also without level what it says of who may not come in.
pub fn mariadb(draft: &mut Draft, message: &str) -> bool {
    let body = match message.split_once(" [") {
        // In the journal the time stands inside the message.
        Some((before, _)) if before.len() <= 40 && before.starts_with("20") => {
            &message[before.len() + 1..]
        }
        _ => message,
    };
    let Some((level, text)) = body.strip_prefix('[').and_then(|m| m.split_once("] ")) else {
        return false;
    };
    draft.severity = match level {
        "ERROR" => 4,
        "Warning" => 3,
        "Note" | "System" => 1,
        _ => return false,
    };
    draft.shape = Some(Shape::Mariadb);
    draft.set("error_severity", level.to_ascii_uppercase());
    draft.message = Some(text.to_owned());
    let denied = text.contains("Access denied for user");
    if let Some((_, rest)) = text.split_once("user '").or_else(|| text.split_once("user: '"))
        && let Some((user, rest)) = rest.split_once('\'')
    {
        draft.set_some("user", user);
        let host = rest.strip_prefix("@'").or_else(|| rest.split_once("host: '").map(|(_, h)| h));
        if let Some((host, _)) = host.and_then(|h| h.split_once('\'')) {
            draft.set_some("src_ip", host);
        }
    }
    if denied {
        draft.set("outcome", "failure");
        draft.class = CLASS_AUTHENTICATION;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::{Event, Format};

    fn field<'a>(e: &'a Event, name: &str) -> &'a str {
        e.fields.get(name).map_or("", String::as_str)
    }

    #[test]
    fn postgresql_lines_have_level_user_and_database() {
        let e = read_line(
            "2026-01-01 10:00:00.123 JST [4242] app@shop FATAL:  password authentication failed for user \"app\"",
            Format::Auto,
        );
        assert_eq!(e.event_time, Some(at("2026-01-01T01:00:00.123Z")));
        assert_eq!((e.app.as_str(), e.class, e.severity), ("postgres", 3002, 4));
        assert_eq!(
            (field(&e, "user"), field(&e, "database"), field(&e, "outcome")),
            ("app", "shop", "failure")
        );
        assert_eq!(
            (e.message.as_str(), field(&e, "pid")),
            ("password authentication failed for user \"app\"", "4242")
        );
        let e = read_line(
            "2026-01-01 10:00:00.123 UTC [1] LOG:  database system is ready to accept connections",
            Format::Auto,
        );
        assert_eq!((e.event_time, field(&e, "user")), (Some(at("2026-01-01T10:00:00.123Z")), ""));
        let e = read_line(
            "Jan  1 01:00:00 h postgres[9]: [3-1] 2026-01-01 10:00:00 JST [9] app@shop LOG:  duration: 5123.4 ms  statement: SELECT 1",
            Format::Auto,
        );
        assert_eq!((field(&e, "duration_ms"), field(&e, "statement")), ("5123.4", "SELECT 1"));
        let e = read_line(
            "2026-01-01 10:00:00 JST [9] LOG:  connection received: host=192.0.2.7 port=51000",
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "src_ip"), field(&e, "src_port"), e.class),
            ("192.0.2.7", "51000", 4001)
        );
        let e = read_line(
            "2026-01-01 10:00:00 JST [9] app@shop FATAL:  no pg_hba.conf entry for host \"192.0.2.7\", user \"app\", database \"shop\", SSL off",
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "src_ip"), field(&e, "user"), field(&e, "outcome")),
            ("192.0.2.7", "app", "failure")
        );
    }

    #[test]
    fn lines_of_a_real_server() {
        for (line, name, value) in [
            (
                "2026-11-29 01:08:37.691 JST [10146] [unknown]@[unknown] LOG:  connection received: host=127.0.0.1 port=41268",
                "src_port",
                "41268",
            ),
            (
                "2026-11-29 01:08:37.691 JST [10146] [unknown]@[unknown] LOG:  connection received: host=127.0.0.1 port=41268",
                "user",
                "",
            ),
            (
                "2026-11-29 01:08:37.704 JST [10146] postgres@postgres LOG:  connection authenticated: identity=\"postgres\" method=scram-sha-256 (/etc/postgresql/15/main/pg_hba.conf:87)",
                "user",
                "postgres",
            ),
            (
                "2026-11-29 01:08:37.900 JST [10153] nobody@x FATAL:  password authentication failed for user \"nobody\"",
                "outcome",
                "failure",
            ),
            (
                "2026-11-29 01:08:38.640 JST [10178] postgres@postgres FATAL:  sorry, too many clients already",
                "error_severity",
                "FATAL",
            ),
            (
                "2026-11-29 01:08:40.497 JST [10172] postgres@postgres LOG:  duration: 2004.189 ms  statement: select pg_sleep(2)",
                "duration_ms",
                "2004.189",
            ),
            (
                "2026-11-29 01:08:42.735 JST [10128] LOG:  server process (PID 10244) was terminated by signal 9: Killed",
                "pid",
                "10128",
            ),
        ] {
            assert_eq!(field(&read_line(line, Format::Auto), name), value, "{line}");
        }
    }

    #[test]
    fn postgresql_in_japanese() {
        let e = read_line(
            "2026-01-01 10:00:00 JST [9] 致命的エラー:  ユーザー\"app\"のパスワード認証に失敗しました",
            Format::Auto,
        );
        assert_eq!(
            (field(&e, "error_severity"), field(&e, "user"), e.class),
            ("FATAL", "app", 3002)
        );
        let e = read_line(
            "2026-01-01 10:00:00 JST [9] ログ:  データベースシステムは停止処理中に中断されました",
            Format::Auto,
        );
        assert_eq!(field(&e, "error_severity"), "LOG");
    }

    #[test]
    fn mariadb_lines_have_level_user_and_host() {
        let e = read_line(
            "2026-01-01 10:00:00 12 [Warning] Access denied for user 'root'@'192.0.2.7' (using password: YES)",
            Format::Auto,
        );
        assert_eq!((field(&e, "user"), field(&e, "src_ip"), e.class), ("root", "192.0.2.7", 3002));
        assert_eq!(e.event_time, Some(at("2026-01-01T01:00:00Z")));
        let e = read_line(
            "2026-01-01T10:00:00.123456Z 0 [ERROR] [MY-012574] [InnoDB] Unable to lock ./ibdata1",
            Format::Syslog,
        );
        assert_eq!((e.app.as_str(), e.severity), ("mariadbd", 4));
        let e = read_line(
            "Jan  1 01:00:00 h mariadbd[9]: 2026-01-01 10:00:00 0 [Note] InnoDB: Buffer pool(s) load completed",
            Format::Auto,
        );
        assert_eq!(e.message, "InnoDB: Buffer pool(s) load completed");
    }
}
