//! A moment in the past that a page, a document or a command is asked for.
//!
//! Invariants: a day means its last moment where the organisation is, today means now; what lies ahead
//! is refused. A page that shows the past says so in its frame and carries the moment in its links.

use jiff::tz::TimeZone;
use model::{Text, Timestamp, t};
use serde::Deserialize;

use crate::frame::{Cx, Refusal};

/// Why a text names no moment that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenError {
    NotATime,
    Ahead,
}

impl WhenError {
    /// What to do about it.
    pub fn text(self) -> Text {
        match self {
            WhenError::NotATime => t(
                "2026-11-25のような日か、2026-11-25T09:00:00+09:00のような日時を指定してください。",
                "Give a day such as 2026-11-25 or a time such as 2026-11-25T09:00:00+09:00.",
            ),
            WhenError::Ahead => t(
                "指定した時点はまだ来ていません。今日か過去の日を指定してください。",
                "That moment is still ahead. Give today or a past day.",
            ),
        }
    }
}

/// The moment that a text names; `None` for now, which an empty text and today mean.
pub fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Option<Timestamp>, WhenError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(at) = Timestamp::parse(text) {
        return if at > now { Err(WhenError::Ahead) } else { Ok(Some(at)) };
    }
    // The library would take a time without a zone for its day.
    if text.len() != "2026-11-28".len() {
        return Err(WhenError::NotATime);
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| WhenError::NotATime)?;
    let begin_of = |day: jiff::civil::Date| {
        let begin = zone.to_timestamp(day.at(0, 0, 0, 0)).map_err(|_| WhenError::NotATime)?;
        Ok(begin.as_microsecond())
    };
    let end = begin_of(day.tomorrow().map_err(|_| WhenError::NotATime)?)? - 1;
    if begin_of(day)? > now.0 {
        return Err(WhenError::Ahead);
    }
    Ok((end < now.0).then_some(Timestamp(end)))
}

/// The past moment a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub at: Timestamp,
    /// As it stands in the address.
    pub text: String,
}

/// What a query says of the moment to show.
#[derive(Debug, Default, Deserialize)]
pub struct AsOf {
    #[serde(default)]
    pub as_of: String,
}

impl Cx {
    /// Lets the page show the moment that the text names; `None` for now. Whoever calls this shows
    /// what stood then, and offers no change.
    pub fn look_at(&mut self, text: &str) -> Result<Option<Timestamp>, Refusal> {
        let at = moment(text, self.now, &self.local.zone)
            .map_err(|error| Refusal::Bad(self.pick(&error.text()).to_owned()))?;
        self.past = at.map(|at| Past { at, text: text.trim().to_owned() });
        Ok(at)
    }

    /// What the address of a page that shows the past ends with: nothing for the present.
    pub fn when(&self) -> String {
        self.when_behind('?')
    }

    /// The same behind another parameter.
    pub fn and_when(&self) -> String {
        self.when_behind('&')
    }

    fn when_behind(&self, mark: char) -> String {
        self.past.as_ref().map_or_else(String::new, |past| {
            format!("{mark}as_of={}", urlencoding::encode(&past.text))
        })
    }

    /// The day that is shown, as a date field takes it.
    pub fn day(&self) -> String {
        self.civil(self.past.as_ref().map_or(self.now, |past| past.at))
    }

    /// Today, as a date field takes it.
    pub fn today(&self) -> String {
        self.civil(self.now)
    }

    fn civil(&self, at: Timestamp) -> String {
        let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.local.zone.to_datetime(at).date().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_day_ends_where_the_organisation_is_and_today_is_now() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let now = at("2026-11-28T03:00:00Z");
        let end = Some(at("2026-11-27T14:59:59.999999Z"));
        assert_eq!(moment(" 2026-11-27 ", now, &zone), Ok(end));
        assert_eq!(moment("2026-11-28", now, &zone), Ok(None));
        assert_eq!(moment("", now, &zone), Ok(None));
        let time = "2026-11-28T11:00:00+09:00";
        assert_eq!(moment(time, now, &zone), Ok(Some(at("2026-11-28T02:00:00Z"))));
    }

    #[test]
    fn what_lies_ahead_or_is_no_time_is_refused() {
        let now = at("2026-11-28T03:00:00Z");
        let ask = |text: &str| moment(text, now, &TimeZone::UTC);
        assert_eq!(ask("2026-11-29"), Err(WhenError::Ahead));
        assert_eq!(ask("2026-11-28T03:00:01Z"), Err(WhenError::Ahead));
        for text in ["yesterday", "2026-13-01", "2026-11-27T09:00", "9999-12-31", "-1"] {
            assert!(ask(text).is_err(), "{text}");
        }
        assert_eq!(ask("yesterday"), Err(WhenError::NotATime));
    }
}
