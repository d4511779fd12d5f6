//! Versions and the history of revisions: 6.1.14, 6.1.16 to 6.1.22, 6.1.30.

use std::cmp::Ordering;

use serde_json::Value;

use super::Findings;
use crate::{advisory::text, csaf::list, order::Ecosystem};

struct Revision {
    at: usize,
    date: String,
    number: String,
}

pub(super) fn check(document: &Value, out: &mut Findings) {
    let tracking = document.pointer("/document/tracking").unwrap_or(&Value::Null);
    let status = text(tracking, "status").unwrap_or_default();
    let version = text(tracking, "version").unwrap_or_default();
    let mut revisions = Vec::new();
    list(tracking, "revision_history", |at, one| {
        let of = |name| text(one, name).unwrap_or_default();
        revisions.push(Revision { at, date: of("date"), number: of("number") });
    });
    let place = |r: &Revision| format!("/document/tracking/revision_history/{}/number", r.at);
    let own = "/document/tracking/version";
    mixed(&version, &revisions, out);
    // 6.1.22
    for (i, revision) in revisions.iter().enumerate() {
        if revisions[..i].iter().any(|r| r.number == revision.number) {
            out.say("6.1.22", place(revision), format!("{} stands twice", revision.number));
        }
    }
    // 6.1.14: by date, the numbers rise.
    let mut by_date: Vec<&Revision> = revisions.iter().collect();
    by_date.sort_by_key(|r| instant(&r.date));
    let falls =
        |pair: &[&Revision]| compare(&pair[0].number, &pair[1].number) == Some(Ordering::Greater);
    if let Some(pair) = by_date.windows(2).find(|p| falls(p)) {
        let what = format!("{} is later than {}", pair[1].number, pair[0].number);
        out.say("6.1.14", "/document/tracking/revision_history", what);
    }
    // 6.1.16: build metadata, and of drafts the pre-release, do not count.
    if let Some(last) = by_date.last() {
        let plain = |v: &str| {
            let v = v.split('+').next().unwrap_or_default();
            if status == "draft" { v.split('-').next().unwrap_or_default() } else { v }.to_owned()
        };
        if plain(&last.number) != plain(&version) {
            let what = format!("the last revision is {}, not {version}", last.number);
            out.say("6.1.16", own, what);
        }
    }
    let zero = |v: &str| v == "0" || v.starts_with("0.");
    let pre = |v: &str| v.split('+').next().is_some_and(|v| v.contains('-'));
    // 6.1.17, 6.1.18, 6.1.19, 6.1.20
    if (zero(&version) || pre(&version)) && status != "draft" {
        let test = if zero(&version) { "6.1.17" } else { "6.1.20" };
        let pointer = if test == "6.1.17" { "/document/tracking/status" } else { own };
        out.say(test, pointer, format!("version {version} is a draft, the status is {status}"));
        if zero(&version) && pre(&version) {
            out.say("6.1.20", own, format!("version {version} is a pre-release"));
        }
    } else if pre(&version) && status != "draft" {
        out.say("6.1.17", "/document/tracking/status", format!("version {version} is a draft"));
    }
    for revision in &revisions {
        if matches!(status.as_str(), "final" | "interim") && zero(&revision.number) {
            let what = "a released document has no revision 0";
            out.say("6.1.18", place(revision), what);
        }
        if pre(&revision.number) {
            out.say("6.1.19", place(revision), "a pre-release is no revision");
        }
    }
    missing(&by_date, out);
}

/// 6.1.21: no number between the first and the last is left out.
fn missing(by_date: &[&Revision], out: &mut Findings) {
    let major = |v: &str| v.split('.').next().and_then(|n| n.parse::<u64>().ok());
    let majors: Vec<u64> = by_date.iter().filter_map(|r| major(&r.number)).collect();
    let place = "/document/tracking/revision_history";
    if let Some(first) = majors.first().filter(|f| **f > 1) {
        out.say("6.1.21", place, format!("the first revision is {first}, neither 0 nor 1"));
    }
    let mut sorted = majors;
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|p| p[1] > p[0] + 1) {
        out.say("6.1.21", place, format!("revision {} is missing", pair[0] + 1));
    }
}

/// 6.1.30: numbers or semantic versions, not both.
fn mixed(version: &str, revisions: &[Revision], out: &mut Findings) {
    let semantic = version.contains('.');
    if let Some(other) = revisions.iter().find(|r| r.number.contains('.') != semantic) {
        let place = format!("/document/tracking/revision_history/{}/number", other.at);
        let what =
            format!("{} and {version}: numbers or semantic versions, not both", other.number);
        out.say("6.1.30", place, what);
    }
}

fn compare(a: &str, b: &str) -> Option<Ordering> {
    let order = Ecosystem::Semver;
    order.key(a).ok()?.compare(&order.key(b).ok()?)
}

/// A time of RFC 3339 as something that compares, in UTC: seconds since year 0, then the fraction.
fn instant(text: &str) -> Option<(i64, String)> {
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let rest = text.get(19..)?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone_at);
    let offset = match zone.as_bytes()[0] {
        b'Z' | b'z' => 0,
        sign => {
            let (h, m) = zone.get(1..)?.split_once(':')?;
            let seconds = h.parse::<i64>().ok()? * 3600 + m.parse::<i64>().ok()? * 60;
            if sign == b'-' { -seconds } else { seconds }
        }
    };
    // Days since 1 March of year 0, leap years by the Gregorian rule.
    let (y, m) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1;
    Some((
        ((days * 24 + hour) * 60 + minute) * 60 + second - offset,
        fraction.trim_end_matches('0').to_owned(),
    ))
}
