//! When a mail may go: quiet hours, the daily digest, and how long to wait after a failure. Pure.

use jiff::{Span, civil::Time, tz::TimeZone};
use model::Timestamp;
use store::Preference;

const MINUTE: i64 = 60_000_000;
const DIGEST_HOUR: i8 = 8;
const FIRST_WAIT_SECONDS: i64 = 15;
const WAIT_SECONDS_MAX: i64 = 3_600;
/// Tries end after this.
pub const GIVE_UP_HOURS: i64 = 72;

/// The reader's zone, else the server's.
pub fn zone(preference: &Preference) -> TimeZone {
    let named = Some(preference.zone.as_str()).filter(|z| !z.is_empty());
    named.and_then(|z| TimeZone::get(z).ok()).unwrap_or_else(TimeZone::system)
}

/// The end of the quiet hours that hold now.
pub fn quiet_until(preference: &Preference, now: Timestamp) -> Option<Timestamp> {
    let (from, to) = preference.quiet.filter(|(from, to)| from != to)?;
    let local = jiff::Timestamp::from_microsecond(now.0).ok()?.to_zoned_datetime(zone(preference));
    let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
    let inside =
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    if !inside {
        return None;
    }
    let wait = (to - minute).rem_euclid(24 * 60);
    // The end is a full minute, not the second at which someone looked.
    Some(Timestamp((now.0 + wait * MINUTE).div_euclid(MINUTE) * MINUTE))
}

/// When a notice that comes now is to be mailed.
pub fn mail_at(preference: &Preference, now: Timestamp) -> Timestamp {
    let at = if preference.digest == "daily" { next_digest(preference, now) } else { now };
    quiet_until(preference, at).unwrap_or(at)
}

fn next_digest(preference: &Preference, now: Timestamp) -> Timestamp {
    let zone = zone(preference);
    let Ok(moment) = jiff::Timestamp::from_microsecond(now.0) else { return now };
    let today = moment.to_zoned_datetime(zone.clone()).date();
    let at = Time::constant(DIGEST_HOUR, 0, 0, 0);
    for days in 0..2 {
        let day = today.checked_add(Span::new().days(days));
        let Ok(time) = day.map(|day| zone.to_timestamp(day.to_datetime(at))) else { return now };
        if let Ok(time) = time
            && time > moment
        {
            return Timestamp(time.as_microsecond());
        }
    }
    now
}

/// When to try again after the `attempts`-th failure.
pub fn retry_at(now: Timestamp, attempts: i64) -> Timestamp {
    let doublings = attempts.clamp(0, 16) as u32;
    let wait = FIRST_WAIT_SECONDS.saturating_mul(1 << doublings).min(WAIT_SECONDS_MAX);
    Timestamp(now.0 + wait * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn reader(quiet: Option<(i64, i64)>, digest: &str) -> Preference {
        let zone = "Asia/Tokyo".to_owned();
        Preference { quiet, digest: digest.to_owned(), zone, ..Preference::default() }
    }

    #[test]
    fn quiet_hours_pass_midnight_in_the_readers_zone() {
        let night = reader(Some((22 * 60, 7 * 60)), "each");
        let end = Some(at("2026-11-25T22:00:00Z"));
        assert_eq!(quiet_until(&night, at("2026-11-25T13:00:30Z")), end, "22:00 in Tokyo");
        assert_eq!(quiet_until(&night, at("2026-11-25T21:59:59Z")), end);
        assert_eq!(quiet_until(&night, at("2026-11-25T22:00:00Z")), None, "07:00 in Tokyo");
        let noon = reader(Some((12 * 60, 13 * 60)), "each");
        assert_eq!(
            quiet_until(&noon, at("2026-11-25T03:10:00Z")),
            Some(at("2026-11-25T04:00:00Z"))
        );
        assert_eq!(quiet_until(&reader(None, "each"), at("2026-11-25T15:00:00Z")), None);
    }

    #[test]
    fn the_digest_waits_for_the_next_morning_and_for_the_end_of_quiet() {
        let daily = reader(None, "daily");
        assert_eq!(mail_at(&daily, at("2026-11-25T00:00:00Z")), at("2026-11-25T23:00:00Z"));
        assert_eq!(mail_at(&daily, at("2026-11-24T22:59:00Z")), at("2026-11-24T23:00:00Z"));
        let late = reader(Some((0, 9 * 60)), "daily");
        assert_eq!(mail_at(&late, at("2026-11-24T22:59:00Z")), at("2026-11-25T00:00:00Z"));
        let each = reader(None, "each");
        assert_eq!(mail_at(&each, at("2026-11-25T00:00:00Z")), at("2026-11-25T00:00:00Z"));
    }

    #[test]
    fn waiting_doubles_up_to_an_hour() {
        let waits: Vec<i64> =
            [0, 1, 2, 9, 60].map(|n| retry_at(Timestamp(0), n).0 / 1_000_000).to_vec();
        assert_eq!(waits, [15, 30, 60, 3_600, 3_600]);
    }
}
