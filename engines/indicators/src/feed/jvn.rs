//! MyJVN: what its status says, and what to ask next.
//!
//! An error comes with HTTP 200 and `retCd=1`; at most 50 entries come at once; without a range it means the last week,
//! for each of three dates; where an alert list is empty, an entry says so.

use super::{Entry, Feed, Form};

/// Entries that one answer holds.
pub const PAGE: u64 = 50;
/// Answers to one question: 50,000 entries.
pub const PAGES_MAX: u64 = 1_000;

/// What MyJVN says of its own answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub method: String,
    pub is_error: bool,
    pub code: String,
    pub message: String,
    /// Entries there are.
    pub total: u64,
    /// Entries in this answer.
    pub returned: u64,
    /// Number of the first of them, from 1.
    pub first: u64,
}

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("MyJVN refuses ({code}): {message}")]
    Said { code: String, message: String },
    #[error("MyJVN says {said} entries and gave {found}")]
    Short { said: u64, found: u64 },
    #[error("MyJVN counts {0} entries and gives none")]
    Stuck(u64),
    #[error("more than {PAGES_MAX} pages: ask for less")]
    Pages,
}

impl Status {
    /// By the names of its attributes; a number that is none is 0.
    pub(super) fn of<T: Into<String>>(value: impl Fn(&str) -> T) -> Status {
        let text = |name: &str| -> String {
            let text: String = value(name).into();
            text.trim().chars().take(500).collect()
        };
        let number = |name: &str| text(name).parse().unwrap_or(0);
        let code = text("retCd");
        Status {
            method: text("method"),
            is_error: !code.is_empty() && code != "0",
            code: text("errCd"),
            message: text("errMsg"),
            total: number("totalRes"),
            returned: number("totalResRet"),
            first: number("firstRes"),
        }
    }
}

/// A list that MyJVN gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `getVulnOverviewList`, by when an entry was last changed.
    Overview,
    /// `getAlertList`; it knows years only.
    Alerts,
}

/// One question: which list, in which form, since when, from which entry on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub list: List,
    /// JSON in the newer form, or XML in the older one.
    pub is_oka: bool,
    /// First day of the last change; none asks for all there is.
    pub since: Option<jiff::civil::Date>,
    /// From 1.
    pub start: u64,
}

impl Question {
    /// Names and values of the address, not yet escaped.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let method = match self.list {
            List::Overview => "getVulnOverviewList",
            List::Alerts => "getAlertList",
        };
        let feed = if self.is_oka { "oka" } else { "hnd" };
        let mut all = vec![
            ("method", method.to_owned()),
            ("feed", feed.to_owned()),
            ("startItem", self.start.to_string()),
            ("maxCountItem", PAGE.to_string()),
        ];
        match (self.list, self.is_oka) {
            (_, true) => {
                if let Some(day) = self.since {
                    all.push(("lastModStartDate", day.strftime("%Y%m%d").to_string()));
                }
            }
            (List::Overview, false) => {
                // Each of the three would mean the last week, and together they would mean what is new in all.
                all.push(("rangeDatePublic", "n".to_owned()));
                all.push(("rangeDateFirstPublished", "n".to_owned()));
                all.push(("rangeDatePublished", "n".to_owned()));
                if let Some(day) = self.since {
                    all.push(("datePublishedStartY", day.year().to_string()));
                    all.push(("datePublishedStartM", day.month().to_string()));
                    all.push(("datePublishedStartD", day.day().to_string()));
                }
            }
            (List::Alerts, false) => {
                if let Some(day) = self.since {
                    all.push(("datePublished", day.year().to_string()));
                }
            }
        }
        all
    }

    /// What to ask behind an answer; nothing if that was all.
    pub fn next(&self, answer: &Feed) -> Result<Option<Question>, Refusal> {
        let Some(status) = &answer.status else { return Ok(None) };
        refused(answer)?;
        let returned = status.returned.max(u64::try_from(answer.entries.len()).unwrap_or(0));
        let behind = self.start.saturating_add(returned);
        if status.total == 0 || behind > status.total {
            return Ok(None);
        }
        if returned == 0 {
            return Err(Refusal::Stuck(status.total));
        }
        if behind > PAGE * PAGES_MAX {
            return Err(Refusal::Pages);
        }
        Ok(Some(Question { start: behind, ..self.clone() }))
    }
}

/// Whether an answer is an error or holds less than it says.
pub fn refused(answer: &Feed) -> Result<(), Refusal> {
    let Some(status) = &answer.status else { return Ok(()) };
    if status.is_error {
        let (code, message) = (status.code.clone(), status.message.clone());
        return Err(Refusal::Said { code, message });
    }
    let found = u64::try_from(answer.entries.len()).unwrap_or(u64::MAX);
    // Entries that could not be read are told as problems; a dummy is none.
    let unread = u64::try_from(answer.problems.count).unwrap_or(u64::MAX);
    if answer.form != Form::Status && found.saturating_add(unread) == 0 && status.returned > 1 {
        return Err(Refusal::Short { said: status.returned, found });
    }
    Ok(())
}

/// MyJVN's way to say that there is nothing: an entry without anything but these words.
pub(super) fn is_dummy(entry: &Entry) -> bool {
    let says = |text: &str| {
        let text = text.trim();
        text.starts_with("該当する") && text.trim_end_matches('。').ends_with("ありません")
    };
    (says(&entry.title) || says(&entry.text))
        && entry.products.is_empty()
        && entry.scores.is_empty()
}

/// The year of `JVNDB-2025-000001`.
pub(super) fn year_of(id: &str) -> Option<&str> {
    let year = id.strip_prefix("JVNDB-")?.get(..4)?;
    year.bytes().all(|byte| byte.is_ascii_digit()).then_some(year)
}
