//! Sessions that end by themselves when nobody works in them.

use super::{Check, Family, Found, View, failing, says};
use crate::fact::{Class, Value};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "auto_logoff.shell",
        family: Family::AutoLogoff,
        title: says("放置したシェルが自動で終わる", "An idle shell ends by itself"),
        remedy: says(
            "/etc/profile.d に「readonly TMOUT=900; export TMOUT」を置く。",
            "Put `readonly TMOUT=900; export TMOUT` into /etc/profile.d.",
        ),
        needs: &["/etc/profile", "/etc/profile.d", "/etc/bash.bashrc"],
        run: shell,
    },
    Check {
        id: "auto_logoff.ssh",
        family: Family::AutoLogoff,
        title: says("応答のないSSH接続が切れる", "An SSH connection that does not answer ends"),
        remedy: says(
            "ClientAliveInterval と ClientAliveCountMax の積を上限以下にする。",
            "Keep ClientAliveInterval times ClientAliveCountMax below the bound.",
        ),
        needs: &["/etc/ssh"],
        run: ssh,
    },
    Check {
        id: "auto_logoff.logind",
        family: Family::AutoLogoff,
        title: says(
            "放置したセッションをsystemd-logindが終わらせる",
            "systemd-logind ends idle sessions",
        ),
        remedy: says(
            "logind.conf に StopIdleSessionSec= か IdleAction=lock と IdleActionSec= を置く。",
            "Set StopIdleSessionSec=, or IdleAction=lock with IdleActionSec=, in logind.conf.",
        ),
        needs: &["/etc/systemd/logind.conf", "/etc/systemd/logind.conf.d"],
        run: logind,
    },
];

fn shell(view: &View<'_>) -> Found {
    if view.facts.class(Class::User).is_empty() {
        return Found::Unknown("no accounts were read");
    }
    let Some(fact) = view.facts.get(Class::Shell, b"TMOUT") else {
        let key = "shell/TMOUT".to_owned();
        return Found::Failing(vec![super::Failing {
            key,
            value: "-".into(),
            origin: "/etc/profile".into(),
        }]);
    };
    let seconds = fact.attribute("value").and_then(|value| value.parse::<i64>().ok()).unwrap_or(0);
    let fixed = fact.value.get("readonly").and_then(Value::as_bool) == Some(true);
    let mut why = Vec::new();
    if !(1..=view.rules.idle_seconds_max).contains(&seconds) {
        why.push(format!("{seconds} s"));
    }
    if !fixed {
        why.push("not read-only".to_owned());
    }
    Found::Failing((!why.is_empty()).then(|| failing(fact, why.join(", "))).into_iter().collect())
}

fn ssh(view: &View<'_>) -> Found {
    let settings = view.facts.class(Class::Sshd);
    let Some(global) = view.facts.get(Class::Sshd, b"clientaliveinterval") else {
        return Found::NotApplicable;
    };
    let number = |name: &str, other: i64| {
        let fact = view.facts.get(Class::Sshd, name.as_bytes());
        let text = fact.and_then(|fact| fact.value.as_list().first()?.as_str());
        text.map_or(other, |text| seconds(text).unwrap_or(0))
    };
    let (interval, count) = (number("clientaliveinterval", 0), number("clientalivecountmax", 3));
    let bad = |interval: i64, count: i64| {
        interval <= 0 || count <= 0 || interval.saturating_mul(count) > view.rules.idle_seconds_max
    };
    let mut fails = Vec::new();
    if bad(interval, count) {
        fails.push(failing(global, format!("{interval} s × {count}")));
    }
    for fact in settings {
        let name = fact.name.to_string();
        let Some(prefix) =
            name.strip_suffix("clientaliveinterval").filter(|p| p.starts_with("match "))
        else {
            continue;
        };
        let interval = number(&name, interval);
        let count = number(&format!("{prefix}clientalivecountmax"), count);
        if bad(interval, count) {
            fails.push(failing(fact, format!("{interval} s × {count}")));
        }
    }
    Found::Failing(fails)
}

/// sshd_config(5), "TIME FORMATS".
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0i64;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    if digits.is_empty() { Some(total) } else { total.checked_add(digits.parse().ok()?) }
}

fn logind(view: &View<'_>) -> Found {
    if view.facts.class(Class::Unit).is_empty() {
        return Found::NotApplicable;
    }
    let get = |key: &str| {
        let name = format!("logind.conf/Login/{key}");
        view.facts.get(Class::SystemdSetting, name.as_bytes())
    };
    let time = |key: &str| get(key).and_then(|fact| span(fact.value.as_str()?));
    let stops = time("StopIdleSessionSec");
    let acts =
        get("IdleAction").is_some_and(|fact| !matches!(fact.value.as_str(), Some("ignore" | "")));
    let after = if acts { Some(time("IdleActionSec").unwrap_or(1_800)) } else { None };
    let best = stops.into_iter().chain(after).min();
    if best.is_some_and(|s| s > 0 && s <= view.rules.idle_seconds_max) {
        return Found::Failing(Vec::new());
    }
    let fact = get("StopIdleSessionSec").or(get("IdleAction"));
    let none = super::Failing {
        key: "systemd_setting/logind.conf/Login/StopIdleSessionSec".into(),
        value: "-".into(),
        origin: "/etc/systemd/logind.conf".into(),
    };
    Found::Failing(vec![fact.map_or(none, |fact| failing(fact, fact.value.shown()))])
}

/// systemd.time(7): `15min`, `1h 30min`, plain seconds.
fn span(text: &str) -> Option<i64> {
    let mut total = 0i64;
    let mut rest = text.trim();
    if rest == "infinity" {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: i64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" | "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hr" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest[end..].trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_their_programs_read_them() {
        assert_eq!(seconds("5m30s"), Some(330));
        assert_eq!(seconds("900"), Some(900));
        assert_eq!(seconds("x"), None);
        assert_eq!(span("1h 30min"), Some(5_400));
        assert_eq!(span("900"), Some(900));
        assert_eq!(span("infinity"), None);
    }
}
