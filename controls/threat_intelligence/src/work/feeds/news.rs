//! News and vulnerability services: RSS, Atom, KEV, EPSS, advisory documents, and the pages of MyJVN.
//!
//! What a document is its content says (`work::news::bring`), whatever the register calls it. Entries become items of the
//! inbox in the transaction that saves the cursor; lists take the place of the one before.

use fetch::Fault;
use indicators::feed::jvn::{List, Question};
use jiff::{SignedDuration, civil::Date};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use store::{Row, Store, StoreError, Write};

use super::{ACTOR, BoxFuture, Deed, Desk, Document, Reader, Received};
use crate::work::news::{
    arrive::{self, Arrival},
    bring::{self, Brought},
};

const ENDS: [&str; 5] = [".xml", ".rss", ".json", ".csv", ".gz"];
/// How far back MyJVN is asked the first time.
const FIRST_DAYS: i64 = 30;
/// What was changed on the day of the last question may have come behind it.
const OVERLAP_DAYS: i64 = 1;
/// Entries of a delivery that are counted as unreadable one by one.
const PROBLEMS_MAX: u64 = 10_000;

/// Documents that are fetched as they are.
pub struct News;

impl Reader for News {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            let Some(documents) = desk.documents(&ENDS).await? else {
                return Ok(Received { unchanged: true, ..Received::default() });
            };
            let (mut items, mut arrivals) = (0, Vec::new());
            for document in documents {
                let read = parsed(&document).await?;
                let brought = take(desk, &document.name, read).await?;
                items += brought.listed + count(brought.arrivals.len());
                arrivals.extend(brought.arrivals);
            }
            let deed = entered(desk, arrivals);
            Ok(Received { items, deed, ..Received::default() })
        })
    }
}

/// The pages of MyJVN, since the day of the last question.
pub struct Jvn;

/// Where the next question begins.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// As in 2026-11-29.
    since: String,
    start: u64,
}

impl Reader for Jvn {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            let address = desk.url()?;
            let today = today(desk)?;
            let cursor = desk.cursor().and_then(|text| serde_json::from_str::<Cursor>(text).ok());
            let cursor = cursor.unwrap_or_else(|| Cursor {
                since: before(today, FIRST_DAYS).to_string(),
                start: 1,
            });
            let question = question(&address, &cursor);
            let document = desk.get(&asked(&address, &question)).await?;
            let read = parsed(&document).await?;
            let bring::Read::Feed(answer) = &read else { return Err(strange(&document.name)) };
            let next = question.next(answer).map_err(|refusal| {
                Fault::said(format!("MyJVNの応答を使えません（{refusal}）"), refusal.to_string())
            })?;
            let more = next.is_some();
            let cursor = match next {
                Some(next) => Cursor { start: next.start, ..cursor },
                None => Cursor { since: before(today, OVERLAP_DAYS).to_string(), start: 1 },
            };
            let brought = take(desk, &document.name, read).await?;
            let items = brought.listed + count(brought.arrivals.len());
            let deed = entered(desk, brought.arrivals);
            let cursor = serde_json::to_string(&cursor).ok();
            Ok(Received { items, cursor, more, deed, ..Received::default() })
        })
    }
}

/// What the address of a source asks for: `method=getAlertList` alerts, `feed=oka` the newer form.
fn question(address: &Url, cursor: &Cursor) -> Question {
    let has = |name: &str, value: &str| address.query_pairs().any(|(n, v)| n == name && v == value);
    let list = if has("method", "getAlertList") { List::Alerts } else { List::Overview };
    let is_oka = has("feed", "oka");
    Question { list, is_oka, since: cursor.since.parse().ok(), start: cursor.start }
}

/// The address with the question's parameters; others of it stay.
fn asked(address: &Url, question: &Question) -> Url {
    let parameters = question.parameters();
    let is_asked = |name: &str| parameters.iter().any(|(known, _)| *known == name);
    let own: Vec<(String, String)> = address
        .query_pairs()
        .filter(|(name, _)| !is_asked(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut url = address.clone();
    url.query_pairs_mut().clear().extend_pairs(&own).extend_pairs(&parameters);
    url
}

fn today(desk: &Desk) -> Result<Date, Fault> {
    let now = jiff::Timestamp::from_microsecond(desk.now().0);
    let now = now.map_err(|error| super::desk::file_fault("clock", &error))?;
    // MyJVN counts days in Japan.
    let there = now.checked_add(SignedDuration::from_hours(9));
    let there = there.map_err(|error| super::desk::file_fault("clock", &error))?;
    Ok(jiff::tz::TimeZone::UTC.to_datetime(there).date())
}

fn before(day: Date, days: i64) -> Date {
    day.saturating_sub(jiff::Span::new().days(days))
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn strange(name: &str) -> Fault {
    Fault::said(
        format!("{name}：RSS・Atom・JVN・KEV・EPSS・CSAF・OSVのいずれでもありません"),
        format!("{name}: none of RSS, Atom, JVN, KEV, EPSS, CSAF, OSV"),
    )
}

async fn parsed(document: &Document) -> Result<bring::Read, Fault> {
    let bytes = document.bytes(bring::BYTES_MAX)?;
    let name = document.name.clone();
    let read = tokio::task::spawn_blocking(move || {
        let sort = bring::sort(&bytes).ok_or_else(|| strange(&name))?;
        bring::read(sort, &bytes).map_err(|(ja, en)| Fault::said(ja, en))
    });
    read.await.map_err(|error| super::desk::file_fault(&document.name, &error))?
}

async fn take(desk: &mut Desk, name: &str, read: bring::Read) -> Result<Brought, Fault> {
    let (store, data) = (desk.store().clone(), desk.data().to_owned());
    let row = desk.source.row.clone();
    let brought = bring::take(&store, &data, &row, read, ACTOR).await;
    let brought = brought.map_err(|error| super::desk::file_fault(name, &error))?;
    for _ in 0..brought.problems.min(PROBLEMS_MAX) {
        let said = ("読めない項目です".to_owned(), "an entry that cannot be read".to_owned());
        desk.refuse("unreadable", name, said);
    }
    Ok(brought)
}

/// Items that wait to be entered.
struct Enter {
    source: Row,
    arrivals: Vec<Arrival>,
}

fn entered(desk: &Desk, arrivals: Vec<Arrival>) -> Option<Box<dyn Deed>> {
    let source = Row::clone(&desk.source.row);
    (!arrivals.is_empty()).then(|| Box::new(Enter { source, arrivals }) as Box<dyn Deed>)
}

impl Deed for Enter {
    fn put<'a, 'w: 'a>(
        self: Box<Self>,
        store: &'a Store,
        write: &'a mut Write<'w>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            arrive::enter(store, write, &self.source, &self.arrivals).await.map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_keeps_what_else_the_address_says() {
        let address = Url::parse("https://jvndb.example/myjvn?feed=oka&lang=ja").expect("a URL");
        let cursor = Cursor { since: "2026-11-01".to_owned(), start: 51 };
        let question = question(&address, &cursor);
        assert_eq!((question.list, question.is_oka), (List::Overview, true));
        let url = asked(&address, &question).to_string();
        assert_eq!(
            url,
            "https://jvndb.example/myjvn?lang=ja&method=getVulnOverviewList&feed=oka&startItem=51&\
             maxCountItem=50&lastModStartDate=20261101"
        );
        let alerts = Url::parse("https://jvndb.example/myjvn?method=getAlertList").expect("a URL");
        assert_eq!(super::question(&alerts, &cursor).list, List::Alerts);
    }
}
