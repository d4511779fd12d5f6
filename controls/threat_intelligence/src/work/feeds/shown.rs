//! How sources stand, for page, API and command line.

use model::{Id, Text, Timestamp, t};
use room::Error;
use serde_json::{Value as Json, json};
use store::{Row, Store};

use super::{
    Usage,
    account::{Account, Trouble},
    rows::{Feeds, Judged},
    secret, source,
};
use crate::work::feed_set;

const MINUTE: i64 = 60_000_000;

/// How a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A delivery waits for a person.
    Held,
    /// The last fetch failed.
    Failing,
    /// Nothing came for two intervals.
    Silent,
    /// It was not fetched yet.
    New,
    Good,
    /// It gives nothing by itself.
    ByHand,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Held => "held",
            State::Failing => "failing",
            State::Silent => "silent",
            State::New => "new",
            State::Good => "good",
            State::ByHand => "by_hand",
        }
    }

    pub fn text(self) -> Text {
        match self {
            State::Held => t("保留中", "held"),
            State::Failing => t("取得できない", "failing"),
            State::Silent => t("途切れている", "silent"),
            State::New => t("未取得", "not fetched yet"),
            State::Good => t("届いている", "arriving"),
            State::ByHand => t("手入力", "by hand"),
        }
    }

    /// The class of its mark.
    pub fn class(self) -> &'static str {
        match self {
            State::Held | State::Failing => "fail",
            State::Silent => "stale",
            State::New | State::ByHand => "unknown",
            State::Good => "pass",
        }
    }
}

/// A source as it is shown.
pub struct Shown {
    pub row: Row,
    pub account: Account,
    pub state: State,
    pub usage: Usage,
    pub interval_min: i64,
    pub has_secret: bool,
    pub judged: Vec<Judged>,
    now: Timestamp,
}

impl Shown {
    fn of(row: Row, account: Account, interval_min: i64, now: Timestamp) -> Shown {
        let own = row.attributes.get("interval_min").and_then(Json::as_i64).unwrap_or(interval_min);
        let since = account.arrived_at.unwrap_or(row.created_at.0);
        let is_silent = now.0 - since > own.saturating_mul(2).saturating_mul(MINUTE);
        let state = match () {
            () if account.held.is_some() => State::Held,
            () if !source::is_fetched(&row) => State::ByHand,
            () if account.trouble.is_some() => State::Failing,
            () if is_silent => State::Silent,
            () if account.good_at.is_none() => State::New,
            () => State::Good,
        };
        let usage = Usage::of(&row);
        Shown {
            row,
            account,
            state,
            usage,
            interval_min,
            has_secret: false,
            judged: Vec::new(),
            now,
        }
    }

    pub fn text(&self, name: &str) -> &str {
        source::text(&self.row, name)
    }

    /// Minutes since something came.
    pub fn age_min(&self) -> Option<i64> {
        self.account.arrived_at.map(|at| (self.now.0 - at).max(0) / MINUTE)
    }

    pub fn trouble(&self) -> Option<&Trouble> {
        self.account.trouble.as_ref()
    }

    pub fn usage_text(&self) -> Text {
        match self.usage {
            Usage::Inbox => t("受信箱で判定", "judged in the inbox"),
            Usage::Alert => t("検知のみ", "met, never blocked"),
            Usage::Enforce => t("検知と遮断", "met, may be blocked"),
        }
    }

    /// Values that were refused, and rows that are not used, by a stable word.
    pub fn refused(&self) -> u64 {
        self.account.refused.values().sum::<u64>()
            + self.judged.iter().map(|one| one.count).sum::<u64>()
    }

    pub fn document(&self) -> Json {
        let time = |at: Option<i64>| at.map(|at| Timestamp(at).rfc3339());
        let judged = self.judged.iter().map(|one| {
            json!({
                "verdict": one.verdict,
                "count": one.count,
                "example": one.value,
                "ja": feed_set::words(&one.verdict).get(model::Lang::Ja),
                "en": feed_set::words(&one.verdict).get(model::Lang::En),
            })
        });
        json!({
            "id": self.row.id,
            "name": self.row.name,
            "format": self.text("format"),
            "url": self.text("url"),
            "use": self.usage.as_str(),
            "state": self.state.as_str(),
            "interval_min": self.interval_min,
            "rows": self.account.rows,
            "items_last": self.account.items,
            "bytes_last": self.account.bytes,
            "tried_at": time(self.account.tried_at),
            "answered_at": time(self.account.good_at),
            "arrived_at": time(self.account.arrived_at),
            "age_min": self.age_min(),
            "not_before": time(self.account.not_before),
            "has_secret": self.has_secret,
            "trouble": self.trouble().map(|trouble| json!({
                "at": time(Some(trouble.at)), "ja": trouble.ja, "en": trouble.en,
            })),
            "refused": self.account.refused,
            "samples": self.account.samples,
            "not_used": judged.collect::<Vec<Json>>(),
            "held": self.account.held.as_ref().map(|held| json!({
                "at": time(Some(held.at)), "had": held.had, "have": held.have,
            })),
        })
    }
}

/// All sources in use, those that need somebody first.
pub async fn all(store: &Store) -> Result<Vec<Shown>, Error> {
    let now = store.now();
    let rules = source::rules(store).await?;
    let accounts = Account::all(store).await?;
    let mut all: Vec<Shown> = source::active(store)
        .await?
        .into_iter()
        .map(|row| {
            let account = accounts.get(&row.id).cloned().unwrap_or_default();
            let interval = source::interval_min(&row, rules.get(&row.id));
            Shown::of(row, account, interval, now)
        })
        .collect();
    all.sort_by(|a, b| (a.state, &a.row.name).cmp(&(b.state, &b.row.name)));
    Ok(all)
}

/// One source with everything that is known of it; its rows where they can be read.
pub async fn one(store: &Store, feeds: Option<&Feeds>, id: Id) -> Result<Option<Shown>, Error> {
    let Some(row) = source::by_id(store, id).await? else { return Ok(None) };
    let rules = source::rules(store).await?;
    let account = Account::load(store, id).await?;
    let interval = source::interval_min(&row, rules.get(&id));
    let mut shown = Shown::of(row, account, interval, store.now());
    shown.has_secret = secret::is_there(store, id).await?;
    if let Some(feeds) = feeds {
        shown.judged = feeds.verdicts(id).await.map_err(Error::said)?;
    }
    Ok(Some(shown))
}
