//! What came is brought into force, entered and recorded; or held for a person.
//!
//! The order matters: rows come into force first, then one transaction of the registers enters what people judge,
//! records the receipt and saves the cursor, and only then the rows count as told. Killed in between, the next fetch
//! gives the same once more and changes nothing that stands.

use std::collections::BTreeMap;

use model::{Assurance, Id, Timestamp};
use room::Error;
use serde_json::json;
use store::RecordDraft;

use super::{
    ACTOR, Deed, Desk, Extent, Feeds, Received, Source, Usage,
    account::{Account, Held},
    desk,
};
use crate::work::{feeds::items, inbox::RECEIVED};

/// Rows that stand, and rows that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub had: u64,
    pub have: u64,
}

impl Balance {
    /// Whether more than so many of a thousand rows are lost.
    pub fn is_drop(self, permille: i64) -> bool {
        let lost = u128::from(self.had.saturating_sub(self.have));
        lost * 1_000 > u128::from(self.had) * u128::from(permille.unsigned_abs())
    }
}

/// Takes what a reader gave; says whether the source is done for now.
pub(super) async fn settle(
    house: &web::Shared,
    desk: Desk,
    mut account: Account,
    received: Received,
) -> Result<bool, Error> {
    let (store, now, source) = (&house.store, desk.now, &desk.source);
    let digest = desk.digest();
    let settled = [account.held.as_ref().map(|held| &held.digest), account.rejected.as_ref()];
    let is_known =
        received.extent == Extent::Whole && settled.into_iter().flatten().any(|d| *d == digest);
    match &received.lost {
        Some((_, loss)) if account.rejected.as_ref() == Some(loss) => account.held = None,
        Some((balance, loss)) => {
            let at = account.held.as_ref().filter(|held| held.digest == *loss).map(|held| held.at);
            account.held = Some(Held {
                at: at.unwrap_or(now.0),
                had: balance.had,
                have: balance.have,
                digest: loss.clone(),
                of_groups: true,
                ..Held::default()
            });
        }
        // What was gone came back.
        None => account.held = account.held.filter(|held| !held.of_groups),
    }
    if received.unchanged || is_known {
        account.succeed(now);
        account.save(store, source.id).await?;
        return Ok(true);
    }
    let balance = desk.feeds.compare(source.id).await.map_err(Error::said)?;
    if received.extent == Extent::Whole {
        let nothing = received.items == 0 && balance.have == 0;
        if nothing {
            account.fail(&desk::empty(), now);
            (account.refused, account.samples) = (desk.refused.counts, desk.refused.samples);
            account.save(store, source.id).await?;
            desk.feeds.clear(source.id).await.map_err(Error::said)?;
            return Ok(true);
        }
        if balance.is_drop(source.hold_permille) {
            desk.feeds.hold(source.id).await.map_err(Error::said)?;
            account.succeed(now);
            account.held = Some(Held {
                at: now.0,
                had: balance.had,
                have: balance.have,
                bytes: desk.bytes,
                digest,
                of_groups: false,
                cursor: received.cursor,
                tags: desk.tags,
                refused: desk.refused.counts,
                samples: desk.refused.samples,
            });
            account.save(store, source.id).await?;
            return Ok(true);
        }
        // It came back by itself.
        if account.held.take().is_some() {
            desk.feeds.unhold(source.id).await.map_err(Error::said)?;
        }
    }
    account.succeed(now);
    (account.tags, account.cursor) = (desk.tags.clone(), received.cursor.or(account.cursor));
    (account.digest, account.address) = (Some(digest), desk::made_of(source));
    let came = Came {
        items: received.items,
        bytes: desk.bytes,
        refused: desk.refused.counts.clone(),
        extent: received.extent,
        deed: received.deed,
    };
    (account.refused, account.samples) = (desk.refused.counts, desk.refused.samples);
    enter(house, &desk.feeds, source, account, came, now).await?;
    Ok(false)
}

/// What is entered.
pub(super) struct Came {
    pub items: u64,
    pub bytes: u64,
    pub refused: BTreeMap<String, u64>,
    pub extent: Extent,
    pub deed: Option<Box<dyn Deed>>,
}

/// Brings what is staged into force, enters and records it.
pub(super) async fn enter(
    house: &web::Shared,
    feeds: &Feeds,
    source: &Source,
    mut account: Account,
    came: Came,
    now: Timestamp,
) -> Result<(), Error> {
    let store = &house.store;
    let is_judged = source.usage == Usage::Inbox;
    feeds.apply(source.id, came.extent, now.0, !is_judged).await.map_err(Error::said)?;
    account.rows = feeds.count(source.id).await.map_err(Error::said)?;
    let new = match is_judged {
        true => items::prepared(store, feeds, source).await?,
        false => Vec::new(),
    };
    let mut write = store.write(ACTOR, "feeds", "").await?;
    for item in &new {
        item.put(&mut write).await?;
    }
    if let Some(deed) = came.deed {
        deed.put(store, &mut write).await?;
    }
    if came.items > 0 {
        account.arrived_at = Some(now.0);
        (account.items, account.bytes) = (came.items, came.bytes);
        let cursor = account.cursor.as_deref().or(account.tags.etag.as_deref());
        let mut facts = json!({
            "items": came.items,
            "bytes": came.bytes,
            "refused": came.refused,
        });
        if let Some(cursor) = cursor.or(account.digest.as_deref()) {
            facts["cursor"] = json!(cursor.chars().take(200).collect::<String>());
        }
        write.record(draft(source.id, now, facts)).await?;
    }
    account.save_in(&mut write, source.id).await?;
    #[cfg(test)]
    if super::tests::is_cut(source.id) {
        return Err(Error::said("cut off between rows and cursor"));
    }
    write.commit().await?;
    let told: Vec<i64> = new.into_iter().flat_map(|item| item.ids).collect();
    feeds.told(source.id, &told).await.map_err(Error::said)?;
    house.wake();
    Ok(())
}

fn draft(source: Id, now: Timestamp, facts: serde_json::Value) -> RecordDraft {
    RecordDraft {
        ty: RECEIVED.to_owned(),
        subject: Some(source),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.feeds".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_may_go_and_more_is_held() {
        let balance = |had, have| Balance { had, have };
        assert!(!balance(100, 80).is_drop(200) && balance(100, 79).is_drop(200));
        assert!(!balance(0, 0).is_drop(200) && !balance(10, 50).is_drop(0));
        assert!(balance(u64::MAX, 0).is_drop(999) && balance(1_000, 999).is_drop(0));
    }
}
