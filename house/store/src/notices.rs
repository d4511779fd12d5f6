//! The queue of notices and what each reader wishes.
//!
//! Invariants: one event reaches one channel of one reader once; a delivery is claimed before it is
//! tried, so that two nodes never try the same one at a time, and a crash lets it come round again.

use std::collections::HashMap;

use model::{Id, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{Store, StoreError, Tx, Val, parse_id};

/// A notice on its way to one reader, or to the webhook (no account).
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub id: Id,
    /// `app`, `mail` or `webhook`.
    pub channel: String,
    pub account: Option<Id>,
    /// What happened, such as `task_overdue`.
    pub kind: String,
    /// Names the event: the same event is never told twice on one channel.
    pub event: String,
    pub facts: Map<String, Json>,
    pub state: NoticeState,
    pub attempts: i64,
    pub created_at: Timestamp,
    pub next_at: Timestamp,
    pub done_at: Option<Timestamp>,
    /// Why the last try failed.
    pub error: String,
}

/// Where a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// Waits to be sent.
    Queued,
    Sent,
    /// Given up.
    Failed,
    Unread,
    Read,
}

impl NoticeState {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            NoticeState::Queued => "queued",
            NoticeState::Sent => "sent",
            NoticeState::Failed => "failed",
            NoticeState::Unread => "unread",
            NoticeState::Read => "read",
        }
    }

    fn parse(name: &str) -> Result<NoticeState, StoreError> {
        use NoticeState::{Failed, Queued, Read, Sent, Unread};
        [Queued, Sent, Failed, Unread, Read]
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| StoreError::Column(format!("{name:?} is no state of a notice")))
    }
}

/// What a reader wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Address for mail; empty for none.
    pub mail: String,
    /// `ja` or `en`.
    pub lang: String,
    /// `each` or `daily`.
    pub digest: String,
    /// Minutes of the day between which no mail is sent.
    pub quiet: Option<(i64, i64)>,
    /// Name of the reader's time zone; empty for the server's.
    pub zone: String,
}

impl Default for Preference {
    fn default() -> Preference {
        let none = String::new;
        Preference {
            mail: none(),
            lang: "ja".to_owned(),
            digest: "each".to_owned(),
            quiet: None,
            zone: none(),
        }
    }
}

/// An account that can be told something.
#[derive(Clone, Debug)]
pub struct Reader {
    pub id: Id,
    pub login: String,
    pub role: String,
    pub party: Option<Id>,
    /// Reaches some sites only.
    pub narrowed: bool,
    pub preference: Preference,
}

impl Reader {
    /// Whether what concerns a role is told to them. It may lie at any site, so who is narrowed to some
    /// is not meant; what is theirs by name is.
    pub fn answers_for(&self, role: &str) -> bool {
        self.role == role && !self.narrowed
    }
}

/// How many notices of a channel stand in a state, and the newest reason of a failure.
#[derive(Clone, Debug)]
pub struct QueueState {
    pub channel: String,
    pub state: String,
    pub rows: i64,
    pub oldest: Timestamp,
    pub error: String,
}

const NOTICE: &str = "id, channel, account, kind, event, facts, state, attempts, created_at, \
                      next_at, done_at, error";

fn decode(v: &[Val]) -> Result<Notice, StoreError> {
    let facts = serde_json::from_str(v[5].text()?)
        .map_err(|e| StoreError::Column(format!("facts of a notice: {e}")))?;
    let account = Some(v[2].text()?).filter(|a| !a.is_empty()).map(parse_id).transpose()?;
    Ok(Notice {
        id: parse_id(v[0].text()?)?,
        channel: v[1].text()?.to_owned(),
        account,
        kind: v[3].text()?.to_owned(),
        event: v[4].text()?.to_owned(),
        facts,
        state: NoticeState::parse(v[6].text()?)?,
        attempts: v[7].int()?,
        created_at: Timestamp(v[8].int()?),
        next_at: Timestamp(v[9].int()?),
        done_at: v[10].opt_int()?.map(Timestamp),
        error: v[11].text()?.to_owned(),
    })
}

fn account_text(account: Option<Id>) -> String {
    account.map_or_else(String::new, |id| id.to_string())
}

async fn insert(tx: &mut Tx, n: &Notice) -> Result<u64, StoreError> {
    let sql = "INSERT INTO notice (id, channel, account, kind, event, facts, state, attempts, \
               created_at, next_at, done_at, error) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, \
               NULL, '') ON CONFLICT (channel, account, event) DO NOTHING";
    let args = [
        n.id.to_string().into(),
        n.channel.as_str().into(),
        account_text(n.account).into(),
        n.kind.as_str().into(),
        n.event.as_str().into(),
        Json::Object(n.facts.clone()).to_string().into(),
        n.state.name().into(),
        n.created_at.0.into(),
        n.next_at.0.into(),
    ];
    tx.execute(sql, &args).await
}

impl Store {
    /// Adds notices that are not there yet; returns how many were new.
    pub async fn add_notices(&self, notices: &[Notice]) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let mut added = 0;
        for notice in notices {
            added += insert(&mut tx, notice).await?;
        }
        tx.commit().await?;
        Ok(added)
    }

    /// Notices that wait on a channel and whose time has come, oldest first.
    pub async fn due_notices(
        &self,
        channel: &str,
        limit: usize,
    ) -> Result<Vec<Notice>, StoreError> {
        let sql = format!(
            "SELECT {NOTICE} FROM notice WHERE state = 'queued' AND channel = $1 AND next_at <= $2 \
             ORDER BY next_at, id LIMIT {}",
            limit.min(1_000)
        );
        let rows = self.db().fetch(&sql, &[channel.into(), self.now().0.into()]).await?;
        rows.iter().map(|row| decode(row)).collect()
    }

    /// Takes a waiting notice for this node until `until`; false if another took it.
    pub async fn claim_notice(
        &self,
        notice: &Notice,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE notice SET next_at = $1 WHERE id = $2 AND state = 'queued' \
                   AND next_at = $3 AND attempts = $4";
        let args = [
            until.0.into(),
            notice.id.to_string().into(),
            notice.next_at.0.into(),
            notice.attempts.into(),
        ];
        let mut tx = self.db().begin().await?;
        let taken = tx.execute(sql, &args).await?;
        tx.commit().await?;
        Ok(taken == 1)
    }

    /// Writes down how a try ended.
    pub async fn settle_notice(
        &self,
        id: Id,
        state: NoticeState,
        next_at: Timestamp,
        error: &str,
    ) -> Result<(), StoreError> {
        let done = (state != NoticeState::Queued).then(|| self.now().0);
        let sql = "UPDATE notice SET state = $1, attempts = attempts + 1, next_at = $2, \
                   done_at = $3, error = $4 WHERE id = $5";
        let args = [
            state.name().into(),
            next_at.0.into(),
            done.into(),
            error.into(),
            id.to_string().into(),
        ];
        let mut tx = self.db().begin().await?;
        tx.execute(sql, &args).await?;
        tx.commit().await
    }

    /// Moves a waiting notice to a later time without counting a try (quiet hours).
    pub async fn postpone_notice(&self, id: Id, to: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE notice SET next_at = $1 WHERE id = $2 AND state = 'queued'";
        let mut tx = self.db().begin().await?;
        tx.execute(sql, &[to.0.into(), id.to_string().into()]).await?;
        tx.commit().await
    }

    /// What was told to a reader on the pages, newest first.
    pub async fn notices_of(&self, account: Id, limit: usize) -> Result<Vec<Notice>, StoreError> {
        let sql = format!(
            "SELECT {NOTICE} FROM notice WHERE account = $1 AND channel = 'app' \
             ORDER BY created_at DESC, id DESC LIMIT {}",
            limit.min(1_000)
        );
        let rows = self.db().fetch(&sql, &[account.to_string().into()]).await?;
        rows.iter().map(|row| decode(row)).collect()
    }

    /// Number of notices a reader has not read.
    pub async fn unread_notices(&self, account: Id) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM notice WHERE account = $1 AND channel = 'app' \
                   AND state = 'unread'";
        self.db().fetch(sql, &[account.to_string().into()]).await?[0][0].int()
    }

    /// Marks everything told to a reader up to `upto` as read.
    pub async fn read_notices(&self, account: Id, upto: Timestamp) -> Result<u64, StoreError> {
        let sql = "UPDATE notice SET state = 'read', done_at = $1 WHERE account = $2 \
                   AND channel = 'app' AND state = 'unread' AND created_at <= $3";
        let args = [self.now().0.into(), account.to_string().into(), upto.0.into()];
        let mut tx = self.db().begin().await?;
        let read = tx.execute(sql, &args).await?;
        tx.commit().await?;
        Ok(read)
    }

    /// How the queues stand.
    pub async fn notice_queue(&self) -> Result<Vec<QueueState>, StoreError> {
        let sql = "SELECT channel, state, COUNT(*), MIN(created_at), MAX(error) FROM notice \
                   WHERE channel <> 'app' GROUP BY channel, state ORDER BY channel, state";
        let rows = self.db().fetch(sql, &[]).await?;
        rows.iter()
            .map(|r| {
                Ok(QueueState {
                    channel: r[0].text()?.to_owned(),
                    state: r[1].text()?.to_owned(),
                    rows: r[2].int()?,
                    oldest: Timestamp(r[3].int()?),
                    error: r[4].text()?.to_owned(),
                })
            })
            .collect()
    }

    /// Lets what was given up be tried again.
    pub async fn retry_notices(&self) -> Result<u64, StoreError> {
        let sql = "UPDATE notice SET state = 'queued', attempts = 0, next_at = $1, done_at = NULL \
                   WHERE state = 'failed'";
        let mut tx = self.db().begin().await?;
        let moved = tx.execute(sql, &[self.now().0.into()]).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// Forgets what is done and older than `before`.
    pub async fn forget_notices(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "DELETE FROM notice WHERE done_at < $1 AND state IN ('sent', 'read', 'failed')";
        let mut tx = self.db().begin().await?;
        let gone = tx.execute(sql, &[before.0.into()]).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Persons of the register by the folded sign-in name that stands in their row.
    async fn persons_by_login(&self) -> Result<HashMap<String, Id>, StoreError> {
        let sql = "SELECT text, row_id FROM attribute WHERE subject_table = 'party' \
                   AND kind = 'person' AND name = 'account' AND text IS NOT NULL";
        let rows = self.db().fetch(sql, &[]).await?;
        rows.iter().map(|r| Ok((r[0].text()?.to_owned(), parse_id(r[1].text()?)?))).collect()
    }

    /// Every account that can sign in, with its wishes. Its person is the one of the register that
    /// names the account.
    pub async fn readers(&self) -> Result<Vec<Reader>, StoreError> {
        let sql = "SELECT a.id, a.login, a.role, a.party, a.sites, p.mail, p.lang, p.digest, p.quiet_from, \
                   p.quiet_to, p.zone FROM account a LEFT JOIN notice_preference p \
                   ON p.account = a.id WHERE a.disabled = 0 ORDER BY a.login";
        let rows = self.db().fetch(sql, &[]).await?;
        let persons = self.persons_by_login().await?;
        rows.iter()
            .map(|r| {
                let login = r[1].text()?.to_owned();
                let named = persons.get(&crate::words::fold(&login)).copied();
                Ok(Reader {
                    id: parse_id(r[0].text()?)?,
                    party: r[3].opt_text()?.map(parse_id).transpose()?.or(named),
                    login,
                    role: r[2].text()?.to_owned(),
                    narrowed: !r[4].text()?.is_empty(),
                    preference: preference(&r[5..])?,
                })
            })
            .collect()
    }

    /// The account with this id, with its wishes.
    pub async fn reader(&self, account: Id) -> Result<Option<Reader>, StoreError> {
        Ok(self.readers().await?.into_iter().find(|r| r.id == account))
    }

    /// Saves what a reader wishes.
    pub async fn set_preference(&self, account: Id, p: &Preference) -> Result<(), StoreError> {
        let sql = "INSERT INTO notice_preference (account, mail, lang, digest, quiet_from, quiet_to, \
                   zone) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account) DO UPDATE SET \
                   mail = excluded.mail, lang = excluded.lang, digest = excluded.digest, \
                   quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, \
                   zone = excluded.zone";
        let args = [
            account.to_string().into(),
            p.mail.as_str().into(),
            p.lang.as_str().into(),
            p.digest.as_str().into(),
            p.quiet.map(|q| q.0).into(),
            p.quiet.map(|q| q.1).into(),
            p.zone.as_str().into(),
        ];
        let mut tx = self.db().begin().await?;
        tx.execute(sql, &args).await?;
        tx.commit().await
    }

    /// Jobs whose last run ended badly: name, when it began, and what it said.
    pub async fn failing_jobs(&self) -> Result<Vec<(String, Timestamp, String)>, StoreError> {
        let sql = "SELECT name, COALESCE(last_started, 0), last_error FROM job \
                   WHERE last_error IS NOT NULL AND last_error <> '' ORDER BY name";
        let rows = self.db().fetch(sql, &[]).await?;
        rows.iter()
            .map(|r| Ok((r[0].text()?.to_owned(), Timestamp(r[1].int()?), r[2].text()?.to_owned())))
            .collect()
    }
}

fn preference(v: &[Val]) -> Result<Preference, StoreError> {
    let Some(mail) = v[0].opt_text()? else { return Ok(Preference::default()) };
    let quiet = v[3].opt_int()?.zip(v[4].opt_int()?);
    Ok(Preference {
        mail: mail.to_owned(),
        lang: v[1].text()?.to_owned(),
        digest: v[2].text()?.to_owned(),
        quiet,
        zone: v[5].text()?.to_owned(),
    })
}
