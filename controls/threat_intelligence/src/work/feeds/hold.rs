//! A delivery that lost too many rows waits for a person, who lets it in or keeps what was there.

use model::{Assurance, Id};
use room::Error;
use serde_json::json;
use store::RecordDraft;

use super::{
    Extent, Source,
    account::Account,
    busy, desk, rows,
    settle::{Came, enter},
    source,
};

pub const RULED: &str = "threat_intelligence.feed_ruled";
pub const REASON_CHARS_MAX: usize = 2_000;

/// What a person says of a held delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    Confirm,
    Reject,
}

impl Ruling {
    pub fn named(word: &str) -> Option<Ruling> {
        match word {
            "confirm" => Some(Ruling::Confirm),
            "reject" => Some(Ruling::Reject),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Ruling::Confirm => "confirm",
            Ruling::Reject => "reject",
        }
    }
}

/// Why nothing was ruled.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("no such source in use")]
    Source,
    #[error("nothing of it is held")]
    Nothing,
    #[error("it is being fetched; try again in a moment")]
    Busy,
    #[error("a reason of 1 to {REASON_CHARS_MAX} characters")]
    Reason,
    #[error("{0}")]
    Fetch(#[from] fetch::Fault),
    #[error(transparent)]
    Room(#[from] Error),
}

impl HoldError {
    /// In Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            HoldError::Source => "使用中の入手先ではありません。".to_owned(),
            HoldError::Nothing => "保留中の受領はありません。".to_owned(),
            HoldError::Busy => "取得中です。少し待って、もう一度試してください。".to_owned(),
            HoldError::Reason => "理由を2000文字以内で入力してください。".to_owned(),
            HoldError::Fetch(fault) => fault.words().0,
            HoldError::Room(error) => error.to_string(),
        };
        (ja, self.to_string())
    }
}

/// Rules on what is held of a source.
pub async fn rule(
    house: &web::Shared,
    id: Id,
    ruling: Ruling,
    reason: &str,
    actor: &str,
) -> Result<(), HoldError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(HoldError::Reason);
    }
    let _busy = busy(house, id).ok_or(HoldError::Busy)?;
    let store = &house.store;
    let row = source::by_id(store, id).await.map_err(Error::from)?.ok_or(HoldError::Source)?;
    let rules = source::rules(store).await.map_err(Error::from)?;
    let mut account = Account::load(store, id).await.map_err(Error::from)?;
    let held = account.held.take().ok_or(HoldError::Nothing)?;
    let feeds = rows::feeds(house).await?;
    let now = store.now();
    let facts = json!({ "ruling": ruling.as_str(), "had": held.had, "have": held.have });
    let draft = RecordDraft {
        ty: RULED.to_owned(),
        subject: Some(id),
        observed_from: now,
        observed_to: now,
        source: "threat_intelligence.feeds".to_owned(),
        // A person said so.
        assurance: Assurance::Attested,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: Some(json!({ "reason": reason }).to_string().into_bytes()),
    };
    let mut write = store.write(actor, "feeds", "").await.map_err(Error::from)?;
    write.record(draft).await.map_err(Error::from)?;
    match ruling {
        Ruling::Reject => {
            account.rejected = Some(held.digest);
            account.save_in(&mut write, id).await.map_err(Error::from)?;
            write.commit().await.map_err(Error::from)?;
            feeds.unhold(id).await.map_err(Error::said)?;
        }
        Ruling::Confirm if held.of_groups => {
            // The next look lets them go.
            (account.confirmed, account.tried_at) = (Some(held.digest), None);
            account.save_in(&mut write, id).await.map_err(Error::from)?;
            write.commit().await.map_err(Error::from)?;
        }
        Ruling::Confirm => {
            let source = Source::read(&row, rules.get(&id), house)?;
            write.commit().await.map_err(Error::from)?;
            account.tags = held.tags;
            account.cursor = held.cursor.or(account.cursor);
            (account.digest, account.address) = (Some(held.digest), desk::made_of(&source));
            (account.refused, account.samples) = (held.refused.clone(), held.samples);
            feeds.release(id).await.map_err(Error::said)?;
            let came = Came {
                items: held.have,
                bytes: held.bytes,
                refused: held.refused,
                extent: Extent::Whole,
                deed: None,
            };
            enter(house, &feeds, &source, account, came, now).await?;
        }
    }
    house.wake();
    Ok(())
}
