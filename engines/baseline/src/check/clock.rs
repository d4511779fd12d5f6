//! The clock: what was measured, not which package is there.

use super::{Check, Family, Found, View, failing, says};
use crate::fact::{Class, Fact, Value};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "clock.source",
        family: Family::Clock,
        title: says("時刻の取得元が決まっている", "A source of time is set"),
        remedy: says(
            "chrony か systemd-timesyncd に時刻サーバーを設定する。",
            "Give chrony or systemd-timesyncd a time server.",
        ),
        needs: &["/etc/chrony", "/etc/systemd/timesyncd.conf"],
        run: source,
    },
    Check {
        id: "clock.offset",
        family: Family::Clock,
        title: says("測った時刻のずれが許容内である", "The measured offset is within bounds"),
        remedy: says(
            "時刻の取得元と通信経路を確かめる（chronyc sources）。",
            "Look at the sources and the way to them (chronyc sources).",
        ),
        needs: &[],
        run: offset,
    },
    Check {
        id: "clock.stratum",
        family: Family::Clock,
        title: says("時刻が上位の源に同期している", "The clock follows a source"),
        remedy: says("時刻サーバーに届くようにする。", "Make the time servers reachable."),
        needs: &[],
        run: stratum,
    },
    Check {
        id: "clock.zone",
        family: Family::Clock,
        title: says("時間帯が決めたとおりである", "The time zone is as decided"),
        remedy: says("timedatectl set-timezone で直す。", "Set it with timedatectl set-timezone."),
        needs: &["/etc/localtime"],
        run: zone,
    },
];

fn time<'a>(view: &'a View<'_>, name: &str) -> Option<&'a Fact> {
    view.facts.get(Class::Time, name.as_bytes())
}

fn is_enabled(view: &View<'_>, unit: &str) -> bool {
    let fact = view.facts.get(Class::Unit, unit.as_bytes());
    fact.is_some_and(|fact| matches!(fact.attribute("state"), Some("enabled" | "alias")))
}

fn source(view: &View<'_>) -> Found {
    if view.facts.class(Class::Unit).is_empty() {
        return Found::Unknown("no units were read");
    }
    let configured = view.facts.class(Class::Time).iter().any(|fact| {
        let name = fact.name.to_string();
        ["/server ", "/pool ", "/peer ", "/refclock "].iter().any(|kind| name.contains(kind))
    });
    let daemon =
        ["chrony.service", "chronyd.service", "ntp.service", "ntpsec.service", "ntpd.service"];
    let by_daemon = configured && daemon.iter().any(|unit| is_enabled(view, unit));
    let by_systemd = is_enabled(view, "systemd-timesyncd.service");
    if by_daemon || by_systemd {
        return Found::Failing(Vec::new());
    }
    let key = "time/source".to_owned();
    let value = if configured { "no daemon is enabled" } else { "none" };
    Found::Failing(vec![super::Failing {
        key,
        value: value.to_owned(),
        origin: "/etc/chrony".to_owned(),
    }])
}

fn offset(view: &View<'_>) -> Found {
    let Some(fact) = time(view, "running/offset_below") else {
        return Found::Unknown("no offset was measured");
    };
    let bad = fact.value.as_int().is_none_or(|ms| ms > view.rules.offset_ms_max);
    Found::Failing(bad.then(|| failing(fact, fact.value.shown())).into_iter().collect())
}

fn stratum(view: &View<'_>) -> Found {
    if let Some(fact) = time(view, "running/stratum") {
        let bad = !fact.value.as_int().is_some_and(|n| (1..16).contains(&n));
        return Found::Failing(
            bad.then(|| failing(fact, fact.value.shown())).into_iter().collect(),
        );
    }
    match time(view, "running/NTPSynchronized") {
        Some(fact) if fact.value.as_str() == Some("yes") => Found::Failing(Vec::new()),
        Some(fact) => Found::Failing(vec![failing(fact, fact.value.shown())]),
        None => Found::Unknown("the running system was not asked"),
    }
}

fn zone(view: &View<'_>) -> Found {
    let Some(fact) = time(view, "zone") else { return Found::Unknown("no time zone was read") };
    let Some(wanted) = &view.rules.zone else { return Found::NotApplicable };
    let found = fact.value.as_str().unwrap_or_default();
    let timezone = time(view, "timezone").and_then(|fact| fact.value.as_str());
    let mut fails = Vec::new();
    if found != wanted {
        fails.push(failing(fact, found));
    }
    if let (Some(other), Some(fact)) = (timezone, time(view, "timezone")) {
        if other != found && fact.value != Value::Absent {
            fails.push(failing(fact, other));
        }
    }
    Found::Failing(fails)
}
