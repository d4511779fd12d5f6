//! A client: what to ask next, given what was answered.

use std::collections::BTreeSet;

use serde_json::Value;

use super::media::MEDIA_TYPE;
use crate::stix::{self, time};

/// What one poll may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollLimits {
    pub pages: u32,
    pub page_bytes: usize,
    /// How often one request is tried again.
    pub attempts: u32,
    /// The longest a server may ask to wait, in microseconds.
    pub wait_max: i64,
    /// Objects asked for at once.
    pub page_objects: u32,
}

impl Default for PollLimits {
    fn default() -> PollLimits {
        PollLimits {
            pages: 10_000,
            page_bytes: 64 << 20,
            attempts: 5,
            wait_max: 3600 * 1_000_000,
            page_objects: 1_000,
        }
    }
}

/// A request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub method: &'static str,
    /// Below the API root, with its query.
    pub path: String,
    pub headers: Vec<(&'static str, &'static str)>,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl Answer<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Store these objects and, in the same transaction, the cursor; then ask on.
    Objects {
        objects: Vec<Vec<u8>>,
        cursor: Option<String>,
    },
    /// Ask again after so many microseconds.
    Wait(i64),
    /// All is here.
    Done,
    Failed(Failure),
}

/// Why a poll ends before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the server answers {0}: {1}")]
    Refused(u16, String),
    #[error("the server answers {0} after {1} attempts")]
    Exhausted(u16, u32),
    #[error("the answer is no envelope: {0}")]
    Unreadable(String),
    #[error("the server leads in circles after {0} pages")]
    Circle(u32),
    #[error("more than {0} pages")]
    Pages(u32),
    #[error("a page of more than {0} bytes")]
    PageBytes(usize),
}

impl Failure {
    /// The reason in Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            Failure::Refused(status, title) => format!("サーバーの応答は{status}です: {title}"),
            Failure::Exhausted(status, attempts) => {
                format!("{attempts}回試しましたが、サーバーの応答は{status}です")
            }
            Failure::Unreadable(what) => format!("応答を読み取れません: {what}"),
            Failure::Circle(pages) => format!("{pages}ページ読んだところで同じ続きに戻りました"),
            Failure::Pages(max) => format!("ページ数が上限{max}を超えています"),
            Failure::PageBytes(max) => format!("1ページが上限{max}バイトを超えています"),
        };
        (ja, self.to_string())
    }
}

/// One poll of a collection, from a cursor to the end.
#[derive(Clone, Debug)]
pub struct Poll {
    collection: String,
    limits: PollLimits,
    /// As the server wrote it.
    added_after: Option<String>,
    next: Option<String>,
    asked: BTreeSet<String>,
    seen: BTreeSet<[u8; 32]>,
    last: Option<String>,
    pages: u32,
    attempts: u32,
    finished: bool,
}

impl Poll {
    /// `cursor`: what the last poll saved.
    pub fn new(collection: &str, cursor: Option<String>, limits: PollLimits) -> Poll {
        Poll {
            collection: collection.to_owned(),
            limits,
            added_after: cursor,
            next: None,
            asked: BTreeSet::new(),
            seen: BTreeSet::new(),
            last: None,
            pages: 0,
            attempts: 0,
            finished: false,
        }
    }

    /// The request to send; none if there is nothing left to ask.
    pub fn ask(&self) -> Option<Ask> {
        if self.finished {
            return None;
        }
        let mut path = format!(
            "collections/{}/objects/?limit={}",
            escaped(&self.collection),
            self.limits.page_objects
        );
        if let Some(after) = &self.added_after {
            path.push_str(&format!("&added_after={}", escaped(after)));
        }
        if let Some(next) = &self.next {
            path.push_str(&format!("&next={}", escaped(next)));
        }
        Some(Ask { method: "GET", path, headers: vec![("Accept", MEDIA_TYPE)] })
    }

    /// Takes the answer to [`ask`](Poll::ask).
    pub fn receive(&mut self, answer: &Answer<'_>, now: i64) -> Step {
        let step = match answer.status {
            200 => self.page(answer),
            // A server that does not know its own cursor any more: go on by time.
            400 | 404 if self.next.is_some() && self.last.is_some() => {
                self.next = None;
                self.added_after = self.last.as_deref().map(just_before);
                match self.asked.insert(self.place()) {
                    true => Step::Wait(0),
                    false => Step::Failed(Failure::Circle(self.pages)),
                }
            }
            429 | 500..=599 => self.again(answer, now),
            status => Step::Failed(Failure::Refused(status, title(answer.body))),
        };
        self.finished |= matches!(step, Step::Done | Step::Failed(_));
        step
    }

    fn again(&mut self, answer: &Answer<'_>, now: i64) -> Step {
        self.attempts += 1;
        if self.attempts >= self.limits.attempts {
            return Step::Failed(Failure::Exhausted(answer.status, self.attempts));
        }
        let own = 1_000_000i64 << self.attempts.min(12);
        let asked = answer.header("Retry-After").and_then(|text| retry_after(text, now));
        Step::Wait(asked.unwrap_or(own).clamp(0, self.limits.wait_max))
    }

    fn page(&mut self, answer: &Answer<'_>) -> Step {
        self.attempts = 0;
        if answer.body.len() > self.limits.page_bytes {
            return Step::Failed(Failure::PageBytes(self.limits.page_bytes));
        }
        self.pages += 1;
        if self.pages > self.limits.pages {
            return Step::Failed(Failure::Pages(self.limits.pages));
        }
        let envelope: Value = match serde_json::from_slice(answer.body) {
            Ok(envelope @ Value::Object(_)) => envelope,
            Ok(_) => return Step::Failed(Failure::Unreadable("no object".to_owned())),
            Err(error) => return Step::Failed(Failure::Unreadable(error.to_string())),
        };
        let objects = stix::slices(answer.body, "objects").unwrap_or_default();
        let fresh: Vec<Vec<u8>> =
            objects.into_iter().filter(|o| self.is_new(o)).map(<[u8]>::to_vec).collect();
        let last =
            answer.header("X-TAXII-Date-Added-Last").filter(|text| time::parse(text).is_some());
        if let Some(last) = last {
            self.last = Some(last.to_owned());
        }
        let more = envelope.get("more").and_then(Value::as_bool).unwrap_or(false);
        let next = envelope.get("next").and_then(Value::as_str);
        if let Some(wrong) = self.advance(more, next, !fresh.is_empty()) {
            return Step::Failed(wrong);
        }
        match fresh.is_empty() {
            true if self.finished => Step::Done,
            true => Step::Wait(0),
            false => Step::Objects { objects: fresh, cursor: self.last.clone() },
        }
    }

    /// Where the next request begins.
    fn advance(&mut self, more: bool, next: Option<&str>, has_new: bool) -> Option<Failure> {
        if !more {
            self.finished = true;
            return None;
        }
        let before = self.place();
        self.asked.insert(before);
        self.next = next.map(str::to_owned);
        // Some keep one cursor for all pages and move it themselves: as long as each brings something new, it leads on.
        let is_new_place = self.asked.insert(self.place());
        if next.is_some() && (is_new_place || has_new) {
            return None;
        }
        // Without a cursor that leads on, by time.
        self.next = None;
        self.added_after = self.last.as_deref().map(just_before).or(self.added_after.take());
        match self.asked.insert(self.place()) {
            true => None,
            false => Some(Failure::Circle(self.pages)),
        }
    }

    fn place(&self) -> String {
        format!("{:?} {:?}", self.added_after, self.next)
    }

    fn is_new(&mut self, object: &[u8]) -> bool {
        use sha2::Digest;
        self.seen.insert(sha2::Sha256::digest(object).into())
    }
}

/// A moment before that time: others that were added at it may lie on the next page. What comes twice is seen by its
/// content.
fn just_before(last: &str) -> String {
    time::parse(last).map_or_else(|| last.to_owned(), |at| time::print_micros(at - 1))
}

/// Waits until what was posted is settled.
#[derive(Clone, Debug)]
pub struct Push {
    status: String,
    attempts: u32,
    limits: PollLimits,
}

/// What became of it: accepted, refused with reasons, or to be asked again.
impl Push {
    /// From the answer to a POST; an error if it was refused.
    pub fn new(answer: &Answer<'_>, limits: PollLimits) -> Result<(Push, Option<Value>), Failure> {
        if answer.status != 202 {
            return Err(Failure::Refused(answer.status, title(answer.body)));
        }
        let status = read_status(answer.body)?;
        let id = status.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let push = Push { status: id, attempts: 0, limits };
        Ok((push, settled(status)))
    }

    pub fn ask(&self) -> Ask {
        let path = format!("status/{}/", escaped(&self.status));
        Ask { method: "GET", path, headers: vec![("Accept", MEDIA_TYPE)] }
    }

    /// The settled status, or how long to wait.
    pub fn receive(
        &mut self,
        answer: &Answer<'_>,
        now: i64,
    ) -> Result<Result<Value, i64>, Failure> {
        self.attempts += 1;
        let wait = 1_000_000i64 << self.attempts.min(12);
        let asked = answer.header("Retry-After").and_then(|text| retry_after(text, now));
        let wait = asked.unwrap_or(wait).clamp(0, self.limits.wait_max);
        if answer.status != 200 && !matches!(answer.status, 429 | 500..=599) {
            return Err(Failure::Refused(answer.status, title(answer.body)));
        }
        if answer.status == 200
            && let Some(status) = settled(read_status(answer.body)?)
        {
            return Ok(Ok(status));
        }
        match self.attempts >= self.limits.attempts {
            true => Err(Failure::Exhausted(answer.status, self.attempts)),
            false => Ok(Err(wait)),
        }
    }
}

fn read_status(body: &[u8]) -> Result<Value, Failure> {
    let status: Result<Value, _> = serde_json::from_slice(body);
    let status = status.map_err(|error| Failure::Unreadable(error.to_string()))?;
    let whole = status.get("id").is_some_and(Value::is_string)
        && status.get("status").is_some_and(Value::is_string);
    if whole { Ok(status) } else { Err(Failure::Unreadable("no status".to_owned())) }
}

fn settled(status: Value) -> Option<Value> {
    let pending = status.get("pending_count").and_then(Value::as_u64).unwrap_or(0);
    (status["status"] == "complete" && pending == 0).then_some(status)
}

fn title(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text =
        body.get("description").or(body.get("title")).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Seconds, or a date of HTTP; in microseconds from now.
fn retry_after(text: &str, now: i64) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1_000_000);
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(at.timestamp().as_microsecond() - now)
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into())
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
