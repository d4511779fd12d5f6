//! Takes what waits in the queue to its readers.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use model::{Id, Lang, Timestamp};
use store::{Notice, NoticeState, Reader, Store, StoreError};

use crate::{
    event,
    mail::{self, Mail},
    quiet,
    settings::{self, Secrets, Settings},
    text, webhook,
};

/// Notices looked at in one run.
const BATCH_MAX: usize = 200;
/// From this many at once a reader gets one mail, whatever is wished: a flood helps nobody.
const SINGLE_MAILS_MAX: usize = 10;
/// How long a claim holds; a node that dies in between loses it.
const CLAIM_SECONDS: i64 = 180;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub mails: usize,
    pub webhooks: usize,
    pub failed: usize,
}

/// One run over the queue.
pub async fn deliver(store: &Store, zone: &TimeZone) -> Result<Delivered, StoreError> {
    let (settings, secrets) = settings::load(store).await?;
    let mut done = Delivered::default();
    if settings.has_mail() {
        deliver_mail(store, zone, &settings, &secrets, &mut done).await?;
    }
    if settings.has_webhook() {
        deliver_webhook(store, &settings, &secrets, &mut done).await?;
    }
    Ok(done)
}

async fn deliver_mail(
    store: &Store,
    zone: &TimeZone,
    settings: &Settings,
    secrets: &Secrets,
    done: &mut Delivered,
) -> Result<(), StoreError> {
    let due = store.due_notices("mail", BATCH_MAX).await?;
    if due.is_empty() {
        return Ok(());
    }
    let readers = event::readers(store, zone).await?;
    let mut by_reader: BTreeMap<Id, Vec<Notice>> = BTreeMap::new();
    for notice in due {
        by_reader.entry(notice.account.unwrap_or(notice.id)).or_default().push(notice);
    }
    let transport = mail::transport(settings, secrets);
    for (account, notices) in by_reader {
        let Some(reader) = readers.iter().find(|r| r.id == account && has_mail(r)) else {
            for notice in notices {
                let now = store.now();
                settle(store, &notice, NoticeState::Failed, now, "no address any more").await?;
            }
            continue;
        };
        if let Some(end) = quiet::quiet_until(&reader.preference, store.now()) {
            for notice in notices {
                store.postpone_notice(notice.id, end).await?;
            }
            continue;
        }
        let together = reader.preference.digest == "daily" || notices.len() > SINGLE_MAILS_MAX;
        let size = if together { notices.len() } else { 1 };
        for batch in notices.chunks(size) {
            let sent = match &transport {
                Ok(transport) => {
                    mail_batch(store, settings, secrets, transport, reader, batch).await?
                }
                Err(error) => fail_batch(store, batch, &secrets.hide(error)).await?,
            };
            match sent {
                Some(true) => done.mails += 1,
                // A server that is away is not asked again for each of the others.
                Some(false) => {
                    done.failed += 1;
                    return Ok(());
                }
                None => {}
            }
        }
    }
    Ok(())
}

fn has_mail(reader: &Reader) -> bool {
    !reader.preference.mail.is_empty()
}

/// Claims what is left of a batch and sends it as one mail: `None` if another node has it.
async fn mail_batch(
    store: &Store,
    settings: &Settings,
    secrets: &Secrets,
    transport: &mail::Transport,
    reader: &Reader,
    batch: &[Notice],
) -> Result<Option<bool>, StoreError> {
    let mine = claim(store, batch).await?;
    let Some(first) = mine.first() else { return Ok(None) };
    let lang = Lang::parse(&reader.preference.lang).unwrap_or(Lang::Ja);
    let zone = quiet::zone(&reader.preference);
    let lines: Vec<(String, String)> = mine
        .iter()
        .map(|n| {
            let path = n.facts.get("path").and_then(|p| p.as_str()).unwrap_or("/");
            (text::sentence(&n.kind, &n.facts, lang, &zone), settings.link(path))
        })
        .collect();
    let sentences: Vec<String> = lines.iter().map(|(sentence, _)| sentence.clone()).collect();
    let mail = Mail {
        id: first.id.to_string(),
        to: &reader.preference.mail,
        subject: text::subject(&sentences, lang),
        body: text::body(&lines, &settings.link("/notices"), lang),
    };
    match mail::send(transport, settings, mail).await {
        Ok(()) => {
            for notice in &mine {
                settle(store, notice, NoticeState::Sent, store.now(), "").await?;
            }
            Ok(Some(true))
        }
        Err(error) => {
            tracing::warn!(error = secrets.hide(&error), "a mail waits");
            fail_batch(store, &mine, &secrets.hide(&error)).await
        }
    }
}

async fn claim(store: &Store, batch: &[Notice]) -> Result<Vec<Notice>, StoreError> {
    let until = Timestamp(store.now().0 + CLAIM_SECONDS * 1_000_000);
    let mut mine = Vec::new();
    for notice in batch {
        if store.claim_notice(notice, until).await? {
            mine.push(notice.clone());
        }
    }
    Ok(mine)
}

async fn fail_batch(
    store: &Store,
    batch: &[Notice],
    error: &str,
) -> Result<Option<bool>, StoreError> {
    for notice in batch {
        fail(store, notice, error).await?;
    }
    Ok(Some(false))
}

/// Puts a notice back until later, or gives it up.
async fn fail(store: &Store, notice: &Notice, error: &str) -> Result<(), StoreError> {
    let now = store.now();
    let over = now.hours_since(notice.created_at) >= quiet::GIVE_UP_HOURS && notice.attempts > 8;
    let state = if over { NoticeState::Failed } else { NoticeState::Queued };
    settle(store, notice, state, quiet::retry_at(now, notice.attempts), error).await
}

async fn settle(
    store: &Store,
    notice: &Notice,
    state: NoticeState,
    next_at: Timestamp,
    error: &str,
) -> Result<(), StoreError> {
    store.settle_notice(notice.id, state, next_at, error).await
}

async fn deliver_webhook(
    store: &Store,
    settings: &Settings,
    secrets: &Secrets,
    done: &mut Delivered,
) -> Result<(), StoreError> {
    for notice in store.due_notices("webhook", BATCH_MAX).await? {
        let Some(mine) = claim(store, std::slice::from_ref(&notice)).await?.pop() else { continue };
        match webhook::send(settings, secrets, &mine, store.now()).await {
            Ok(()) => {
                settle(store, &mine, NoticeState::Sent, store.now(), "").await?;
                done.webhooks += 1;
            }
            Err(error) => {
                let error = secrets.hide(&error);
                tracing::warn!(error, "a webhook waits");
                fail(store, &mine, &error).await?;
                done.failed += 1;
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
