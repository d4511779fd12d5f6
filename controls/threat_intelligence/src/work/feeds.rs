//! Feeds: what active sources give by themselves, fetched when their interval has come.
//!
//! A [`Reader`] is one format. It asks the [`Desk`] for documents, hands values to it in batches, and says what came
//! ([`Received`]); whatever it wants entered in the registers is its [`Deed`]. The framework does the rest: when,
//! limits, conditional requests, back-off, the hold on a sudden drop, cursor and records.
//!
//! Invariants: the cursor is saved in the transaction that enters what came and records it, so a kill at any point
//! repeats a delivery and loses none; a source that fails keeps what it gave before, and says why and since when;
//! nothing is read beyond the limits of the source.
//!
//! To add a format: implement [`Reader`], name it in [`reader`].

pub mod account;
mod csv;
mod desk;
pub mod hold;
mod items;
mod list;
mod local;
mod misp;
mod news;
pub mod rows;
pub mod secret;
mod settle;
pub mod shown;
pub mod source;
mod stix;
mod taxii;
#[cfg(test)]
mod tests;
mod watch;

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use ::fetch::Fault;
use model::Id;
use room::{Error, Shared};
use store::{Store, StoreError, Write};
use tokio::task::JoinSet;

pub use desk::{Desk, Document};
pub use rows::{FeedRow, Feeds, Group};
pub use settle::Balance;
pub use source::{Source, Usage};

use account::Account;

pub const ACTOR: &str = "system:threat_intelligence.feeds";
/// Sources that are fetched at once.
const AT_ONCE: usize = 3;
/// Parts of one delivery that are taken in one round; the next round goes on.
const PARTS_MAX: usize = 100;
/// Refused values that are shown with their reason.
pub const SAMPLES_MAX: usize = 20;
const SAMPLE_CHARS_MAX: usize = 120;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One format of a feed.
pub trait Reader: Send + Sync {
    /// Takes what is there since the desk's cursor. It is called again at once while [`Received::more`] is set.
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>>;
}

/// What a reader wants entered, in the transaction that saves the cursor. It may be called again with the same after a
/// crash, so it enters nothing twice.
pub trait Deed: Send {
    fn put<'a, 'w: 'a>(
        self: Box<Self>,
        store: &'a Store,
        write: &'a mut Write<'w>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// How much of the feed a delivery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// What is new: nothing else is gone.
    #[default]
    Part,
    /// All of the groups that it names ([`Desk::group`]).
    Groups,
    /// All of it: rows that it does not name are gone, and a sudden drop is held.
    Whole,
}

/// What a reader took.
#[derive(Default)]
pub struct Received {
    /// Values, entries or objects that are of use.
    pub items: u64,
    /// Where the next fetch begins, in the reader's own words.
    pub cursor: Option<String>,
    pub extent: Extent,
    /// More is there: the reader is called again with the cursor.
    pub more: bool,
    /// Nothing changed since the last time.
    pub unchanged: bool,
    /// Groups that the feed no longer names, too many to let go without a person's word; and what tells this loss from
    /// others ([`Desk::is_confirmed`]).
    pub lost: Option<(Balance, String)>,
    pub deed: Option<Box<dyn Deed>>,
}

/// Values that were refused, counted by a stable word, with the first of each shown.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    pub counts: BTreeMap<String, u64>,
    pub samples: Vec<account::Sample>,
}

impl Refused {
    /// `reason` is a word of `a-z_`; `words` say it in Japanese and English.
    pub fn add(&mut self, reason: &str, value: &str, words: (String, String)) {
        *self.counts.entry(reason.to_owned()).or_default() += 1;
        if self.samples.len() < SAMPLES_MAX {
            let value = value.chars().filter(|c| !c.is_control()).take(SAMPLE_CHARS_MAX).collect();
            self.samples.push(account::Sample {
                reason: reason.to_owned(),
                value,
                ja: words.0,
                en: words.1,
            });
        }
    }
}

/// The reader of a format; none where nothing is fetched, as of notices by hand.
pub fn reader(format: &str) -> Option<&'static dyn Reader> {
    match format {
        "list" => Some(&list::List),
        "csv" => Some(&csv::Csv),
        "stix" => Some(&stix::Stix),
        "misp" => Some(&misp::Misp),
        "taxii" => Some(&taxii::Taxii),
        "rss" | "kev" | "epss" | "advisory" => Some(&news::News),
        "jvn" => Some(&news::Jvn),
        _ => None,
    }
}

/// Sources that are at work in this process: nobody fetches one twice at a time.
#[derive(Default)]
pub struct AtWork(std::sync::Mutex<std::collections::BTreeSet<Id>>);

/// Holds a source while it is fetched or settled.
pub struct Busy {
    at_work: Arc<AtWork>,
    id: Id,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Ok(mut all) = self.at_work.0.lock() {
            all.remove(&self.id);
        }
    }
}

/// Takes a source; none while another has it.
pub fn busy(house: &web::House, id: Id) -> Option<Busy> {
    let at_work = house.kept.get::<AtWork>();
    let is_free = at_work.0.lock().is_ok_and(|mut all| all.insert(id));
    is_free.then_some(Busy { at_work, id })
}

/// One round of the service: each source whose time has come.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    // The addresses of the fictional company are nobody's.
    if ctx.house.demo {
        return Ok(());
    }
    let store = ctx.store();
    let rows = source::active(store).await?;
    let feeds = rows::feeds(&ctx.house).await?;
    for gone in source::unknown(store, feeds.sources().await.map_err(Error::said)?).await? {
        feeds.remove(&gone).await.map_err(Error::said)?;
    }
    let rules = source::rules(store).await?;
    let mut due = Vec::new();
    for row in rows {
        let account = Account::load(store, row.id).await?;
        if account.is_due(&row, rules.get(&row.id), store.now()) {
            due.push(row);
        }
    }
    let mut set = JoinSet::new();
    let mut failed = None;
    for row in due {
        if set.len() >= AT_ONCE {
            failed = failed.or(ended(set.join_next().await));
        }
        let house = ctx.house.clone();
        set.spawn(async move { one(&house, row.id).await.map(drop) });
    }
    while !set.is_empty() {
        failed = failed.or(ended(set.join_next().await));
    }
    failed.map_or(Ok(()), Err)
}

fn ended(outcome: Option<Result<Result<(), Error>, tokio::task::JoinError>>) -> Option<Error> {
    match outcome {
        Some(Ok(Err(error))) => Some(error),
        Some(Err(error)) => Some(Error::Worker(error)),
        _ => None,
    }
}

/// Fetches one source now, whatever its interval, and watches it; gives how it stands then. A failure to fetch is
/// noted with the source and is no failure of the round.
pub async fn one(house: &web::Shared, id: Id) -> Result<Option<Account>, Error> {
    let Some(_busy) = busy(house, id) else { return Ok(None) };
    let store = &house.store;
    let Some(row) = source::by_id(store, id).await? else { return Ok(None) };
    let rules = source::rules(store).await?;
    let format = source::text(&row, "format").to_owned();
    if let Some(reader) = reader(&format)
        && !source::text(&row, "url").is_empty()
    {
        match Source::read(&row, rules.get(&id), house) {
            Ok(source) => fetch(house, &source, reader).await?,
            Err(fault) => note(store, id, &fault).await?,
        }
    }
    watch::watch(store, &row).await?;
    house.wake();
    Ok(Some(Account::load(store, id).await?))
}

async fn fetch(
    house: &web::Shared,
    source: &Source,
    reader: &'static dyn Reader,
) -> Result<(), Error> {
    let store = &house.store;
    let feeds = rows::feeds(house).await?;
    for _ in 0..PARTS_MAX {
        let account = Account::load(store, source.id).await?;
        let key = secret::load(store, source.id).await?;
        let made = Desk::new(house, source, &account, &feeds, key).await;
        let mut desk = match made {
            Ok(desk) => desk,
            Err(fault) => return note(store, source.id, &fault).await,
        };
        let received = match reader.read(&mut desk).await {
            Ok(received) => received,
            Err(fault) => {
                feeds.clear(source.id).await.map_err(Error::said)?;
                return note(store, source.id, &fault).await;
            }
        };
        let more = received.more;
        if settle::settle(house, desk, account, received).await? || !more {
            return Ok(());
        }
    }
    Ok(())
}

/// Writes down why a source gave nothing.
async fn note(store: &Store, id: Id, fault: &Fault) -> Result<(), Error> {
    let mut account = Account::load(store, id).await?;
    account.fail(fault, store.now());
    account.save(store, id).await?;
    Ok(())
}
