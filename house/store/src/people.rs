//! Accounts and sessions: only hashes of secrets are stored.

use model::{Id, Timestamp};
use sha2::{Digest, Sha256};

use crate::{Store, StoreError, Val, parse_id, random_hex};

/// Someone who may sign in.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: Id,
    pub login: String,
    /// One of the seven base roles.
    pub role: String,
    /// argon2id hash in PHC form.
    pub password: String,
    /// Base32 secret once a second factor is enrolled.
    pub totp: Option<String>,
    /// Last TOTP time step used: a code never counts twice.
    pub totp_step: i64,
    pub disabled: bool,
    /// The password was set by someone else and must be changed at the next sign-in.
    pub must_change: bool,
    pub signed_in_at: Option<Timestamp>,
    /// Sites to which what it reaches is narrowed; none for no narrowing.
    pub sites: Vec<Id>,
}

/// A live session.
#[derive(Clone, Debug)]
pub struct Session {
    pub account: Account,
    /// Value that every form must carry.
    pub csrf: String,
    /// `password` until the second factor was shown, then `full`.
    pub state: String,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    /// When the person last proved who they are within this session; 0 for never.
    pub confirmed_at: Timestamp,
    /// How they signed in, for example `password+totp`.
    pub method: String,
    /// Notices on the pages that they have not read.
    pub unread: i64,
}

pub(crate) const ACCOUNT: &str = "a.id, a.login, a.role, a.password, a.totp, a.totp_step, \
                                  a.disabled, a.must_change, a.signed_in_at, a.sites";

pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

impl Store {
    /// Number of accounts; zero means set-up is still open.
    pub async fn account_count(&self) -> Result<i64, StoreError> {
        self.db().fetch("SELECT COUNT(*) FROM account", &[]).await?[0][0].int()
    }

    /// Adds an account; the password is already hashed.
    pub async fn add_account(
        &self,
        login: &str,
        role: &str,
        password: &str,
    ) -> Result<Id, StoreError> {
        self.create_account("system:people", login, role, password, false).await
    }

    /// The account with this login name.
    pub async fn account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM account a WHERE a.login = $1");
        let rows = self.db().fetch(&sql, &[login.into()]).await?;
        rows.first().map(|r| decode(r)).transpose()
    }

    /// All accounts.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM account a ORDER BY a.login LIMIT 1000");
        self.db().fetch(&sql, &[]).await?.iter().map(|r| decode(r)).collect()
    }

    /// Marks a TOTP time step as used; false if it (or a later one) was used before.
    pub async fn use_totp_step(&self, account: Id, step: i64) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE account SET totp_step = $1 WHERE id = $2 AND totp_step < $1";
        let changed = tx.execute(sql, &[step.into(), account.to_string().into()]).await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Opens a session and returns its token, which is stored nowhere.
    pub async fn open_session(
        &self,
        account: Id,
        state: &str,
        address: &str,
    ) -> Result<String, StoreError> {
        let token = random_hex::<32>()?;
        let now = self.now().0;
        let mut tx = self.db().begin().await?;
        let sql = "INSERT INTO session (token_hash, account, csrf, state, created_at, seen_at, address) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let args = [
            hash(&token).into(),
            account.to_string().into(),
            random_hex::<16>()?.into(),
            state.into(),
            now.into(),
            now.into(),
            address.into(),
        ];
        tx.execute(sql, &args).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// The session of a token, if it is within both limits and its account is enabled.
    pub async fn session(
        &self,
        token: &str,
        idle_hours_max: i64,
        age_hours_max: i64,
    ) -> Result<Option<Session>, StoreError> {
        let now = self.now();
        let sql = format!(
            "SELECT {ACCOUNT}, s.csrf, s.state, s.created_at, s.seen_at, \
             s.confirmed_at, s.method, \
             (SELECT COUNT(*) FROM notice n WHERE n.account = a.id AND n.channel = 'app' \
             AND n.state = 'unread') FROM session s \
             JOIN account a ON a.id = s.account \
             WHERE s.token_hash = $1 AND s.seen_at >= $2 AND s.created_at >= $3 AND a.disabled = 0"
        );
        let args: [Val; 3] = [
            hash(token).into(),
            now.minus_hours(idle_hours_max).0.into(),
            now.minus_hours(age_hours_max).0.into(),
        ];
        let rows = self.db().fetch(&sql, &args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let session = Session {
            account: decode(row)?,
            csrf: row[10].text()?.to_owned(),
            state: row[11].text()?.to_owned(),
            created_at: Timestamp(row[12].int()?),
            seen_at: Timestamp(row[13].int()?),
            confirmed_at: Timestamp(row[14].int()?),
            method: row[15].text()?.to_owned(),
            unread: row[16].int()?,
        };
        const TOUCH_EVERY_MICROS: i64 = 60_000_000;
        if now.0 - session.seen_at.0 > TOUCH_EVERY_MICROS {
            let mut tx = self.db().begin().await?;
            let sql = "UPDATE session SET seen_at = $1 WHERE token_hash = $2";
            tx.execute(sql, &[now.0.into(), hash(token).into()]).await?;
            tx.commit().await?;
        }
        Ok(Some(session))
    }

    /// Whose session a token opens, in full and within both limits. Unlike [`Store::session`] it keeps no session
    /// alive: for answers that last.
    pub async fn session_account(
        &self,
        token: &str,
        idle_hours_max: i64,
        age_hours_max: i64,
    ) -> Result<Option<Account>, StoreError> {
        let now = self.now();
        let sql = format!(
            "SELECT {ACCOUNT} FROM session s JOIN account a ON a.id = s.account \
             WHERE s.token_hash = $1 AND s.seen_at >= $2 AND s.created_at >= $3 \
             AND s.state = 'full' AND a.disabled = 0"
        );
        let args: [Val; 3] = [
            hash(token).into(),
            now.minus_hours(idle_hours_max).0.into(),
            now.minus_hours(age_hours_max).0.into(),
        ];
        let rows = self.db().fetch(&sql, &args).await?;
        rows.first().map(|row| decode(row)).transpose()
    }

    /// Ends a session.
    pub async fn end_session(&self, token: &str) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        tx.execute("DELETE FROM session WHERE token_hash = $1", &[hash(token).into()]).await?;
        tx.commit().await
    }
}

pub(crate) fn decode(v: &[Val]) -> Result<Account, StoreError> {
    Ok(Account {
        id: parse_id(v[0].text()?)?,
        login: v[1].text()?.to_owned(),
        role: v[2].text()?.to_owned(),
        password: v[3].text()?.to_owned(),
        totp: v[4].opt_text()?.map(str::to_owned),
        totp_step: v[5].int()?,
        disabled: v[6].int()? != 0,
        must_change: v[7].int()? != 0,
        signed_in_at: v[8].opt_int()?.map(Timestamp),
        sites: v[9]
            .text()?
            .split(' ')
            .filter(|s| !s.is_empty())
            .map(parse_id)
            .collect::<Result<_, _>>()?,
    })
}
