//! RFC 5424, RFC 3164 and what rsyslog writes into files (no priority, BSD or ISO time).

use model::Timestamp;

use super::{Draft, Place, Shape, severity_of_syslog, time};

/// Reads a syslog line; `false` if it is none, and then the draft is as before.
pub fn read(draft: &mut Draft, text: &str, place: &Place<'_>) -> bool {
    let (priority, rest) = match priority(text) {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, text),
    };
    let done =
        (priority.is_some() && rest.starts_with("1 ") && rfc5424(draft, &rest[2..]).is_some())
            || rfc3164(draft, rest, place).is_some();
    if done || priority.is_some() {
        draft.shape = Some(Shape::Syslog);
    }
    let Some(priority) = priority else { return done };
    draft.severity = severity_of_syslog(priority % 8);
    draft.set("facility", (priority / 8).to_string());
    if !done {
        draft.message = Some(rest.to_owned());
    }
    true
}

/// `<0>` to `<191>`.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let value = digits.parse::<u8>().ok().filter(|value| fits && *value <= 191)?;
    Some((value, rest))
}

fn rfc5424(draft: &mut Draft, text: &str) -> Option<()> {
    let mut parts = text.splitn(6, ' ');
    let mut next = || parts.next();
    let (stamp, host, app, pid, id, rest) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let time = match stamp {
        "-" => None,
        stamp => Some(Timestamp::parse(stamp)?),
    };
    draft.time = time;
    draft.host = unless_nil(host);
    draft.app = unless_nil(app);
    for (name, value) in [("pid", pid), ("msgid", id)] {
        if value != "-" {
            draft.set(name, value);
        }
    }
    let message = match rest.strip_prefix('-') {
        Some(message) => message,
        // Broken structured data stays in the message, so that it can be seen.
        None => structured_data(draft, rest).unwrap_or(rest),
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    draft.message = Some(message.strip_prefix('\u{feff}').unwrap_or(message).to_owned());
    Some(())
}

fn unless_nil(text: &str) -> String {
    if text == "-" { String::new() } else { text.to_owned() }
}

/// Reads `[id name="value" …]…` and returns what follows; `None` if it is not well-formed.
fn structured_data<'a>(draft: &mut Draft, text: &'a str) -> Option<&'a str> {
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']'])?;
        let id = &element[..end];
        rest = &element[end..];
        while let Some(param) = rest.strip_prefix(' ') {
            let (name, after) = param.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            draft.set(&format!("{id}.{name}"), value);
            rest = after;
        }
        rest = rest.strip_prefix(']')?;
    }
    (rest.len() < text.len()).then_some(rest)
}

/// A value up to its closing quote, escapes resolved.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                escaped @ ('"' | '\\' | ']') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

fn rfc3164(draft: &mut Draft, text: &str, place: &Place<'_>) -> Option<()> {
    let (time, rest) = match time::bsd(text, place.now, place.zone) {
        Some((time, rest)) => (time, rest.strip_prefix(' ')?),
        None => time::rfc3339_word(text)?,
    };
    draft.time = Some(time);
    // Some senders leave the host out: then the first word is the tag.
    let rest = match rest.split_once(' ') {
        Some((host, after)) if !host.ends_with(':') => {
            draft.host = host.to_owned();
            after
        }
        _ => rest,
    };
    draft.message = Some(rest.to_owned());
    if let Some((app, pid, message)) = tag(rest) {
        draft.app = app.to_owned();
        if let Some(pid) = pid {
            draft.set("pid", pid);
        }
        draft.message = Some(message.to_owned());
    }
    Some(())
}

/// `app[pid]: message` or `app: message`.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = text.find([':', '[', ' '])?;
    let (app, rest) = text.split_at(end);
    // These are marks of the message, no programs.
    if app.is_empty() || app.starts_with('%') || matches!(app, "CEF" | "LEEF") {
        return None;
    }
    let (pid, rest) = match rest.strip_prefix('[') {
        Some(inside) => {
            let (pid, after) = inside.split_once(']')?;
            (Some(pid), after)
        }
        None => (None, rest),
    };
    Some((app, pid, rest.strip_prefix(':')?.trim_start_matches(' ')))
}
