//! Working days where the organisation is.

use calendar::Holidays;
use jiff::tz::TimeZone;
use model::Timestamp;

/// Days that are counted at most.
const COUNTED_MAX: i64 = 3_660;

/// Now, and the days on which people work.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    pub now: Timestamp,
    pub zone: &'a TimeZone,
    pub holidays: &'a Holidays,
}

impl<'a> Clock<'a> {
    /// With the holidays that ship with Ume.
    pub fn at(now: Timestamp, zone: &'a TimeZone) -> Clock<'a> {
        Clock { now, zone, holidays: &web::task_rules::HOLIDAYS }
    }

    /// Working days that passed until now.
    pub fn days_since(&self, from: Timestamp) -> i64 {
        self.days(from, self.now)
    }

    /// Working days from one moment to another: the same day is none.
    pub fn days(&self, from: Timestamp, to: Timestamp) -> i64 {
        let day = |time: Timestamp| {
            let at = jiff::Timestamp::from_microsecond(time.0).ok()?;
            Some(self.zone.to_datetime(at).date())
        };
        let (Some(mut at), Some(last)) = (day(from), day(to)) else { return COUNTED_MAX };
        let mut days = 0;
        while at < last && days < COUNTED_MAX {
            let Ok(next) = at.tomorrow() else { break };
            at = next;
            days += i64::from(self.holidays.is_business_day(at));
        }
        days
    }
}
