//! What the API stands on: tokens, keys that make a repeated request harmless, and pages over rows
//! as they stood at a time and over records.

use model::{Id, Table, Timestamp};

use crate::{
    Account, Filter, Record, Row, Store, StoreError, Val, Write, list::Sql, parse_id, people,
    random_hex, records, rows,
};

/// How a token begins, so that a scanner for leaked secrets knows one when it sees it.
const TOKEN_PREFIX: &str = "ume_";
/// The last use is written at most this often.
const TOUCH_EVERY_MICROS: i64 = 60_000_000;
const ONCE_HOURS: i64 = 24;
const TOKENS_SHOWN_MAX: usize = 1_000;

/// A token of the API; its secret is stored nowhere.
#[derive(Clone, Debug)]
pub struct ApiToken {
    pub id: Id,
    pub login: String,
    pub name: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub used_at: Option<Timestamp>,
}

/// A request that is to count once: hashes of its key (with who sent it) and of its content.
#[derive(Clone, Debug)]
pub struct Once {
    pub key_hash: String,
    pub request_hash: String,
}

/// Which records a page shows, newest id first.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    pub ty: Option<String>,
    pub subject: Option<Id>,
    /// Only what was received by then.
    pub as_of: Option<Timestamp>,
    /// Show records before this id.
    pub before: Option<Id>,
    pub limit: usize,
    /// Only records about what is reached.
    pub within: crate::Within,
}

impl Store {
    /// Makes a token for an account and returns its id and secret, shown this once.
    pub async fn add_api_token(
        &self,
        account: Id,
        name: &str,
        days: i64,
    ) -> Result<(Id, String), StoreError> {
        let (id, secret) = (self.new_id()?, format!("{TOKEN_PREFIX}{}", random_hex::<32>()?));
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let sql = "INSERT INTO token_api (id, token_hash, account, name, created_at, expires_at) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let args = [
            id.to_string().into(),
            people::hash(&secret).into(),
            account.to_string().into(),
            name.into(),
            now.0.into(),
            now.plus_hours(days.saturating_mul(24)).0.into(),
        ];
        tx.execute(sql, &args).await?;
        tx.commit().await?;
        Ok((id, secret))
    }

    /// Every token, newest first.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let sql = format!(
            "SELECT t.id, a.login, t.name, t.created_at, t.expires_at, t.used_at FROM token_api t \
             JOIN account a ON a.id = t.account ORDER BY t.id DESC LIMIT {TOKENS_SHOWN_MAX}"
        );
        self.db().fetch(&sql, &[]).await?.iter().map(|v| decode_token(v)).collect()
    }

    /// Takes a token away; false if there is none with this id.
    pub async fn revoke_api_token(&self, id: Id) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let gone =
            tx.execute("DELETE FROM token_api WHERE id = $1", &[id.to_string().into()]).await?;
        tx.commit().await?;
        Ok(gone == 1)
    }

    /// The token and the account behind a secret, if neither is expired, revoked or disabled.
    pub async fn use_api_token(&self, secret: &str) -> Result<Option<(Id, Account)>, StoreError> {
        let now = self.now();
        let sql = format!(
            "SELECT {}, t.id, t.used_at FROM token_api t JOIN account a ON a.id = t.account \
             WHERE t.token_hash = $1 AND (t.expires_at IS NULL OR t.expires_at > $2) \
             AND a.disabled = 0",
            people::ACCOUNT
        );
        let args = [people::hash(secret).into(), now.0.into()];
        let rows = self.db().fetch(&sql, &args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (id, used_at) = (parse_id(row[10].text()?)?, row[11].opt_int()?);
        if used_at.is_none_or(|used| now.0 - used > TOUCH_EVERY_MICROS) {
            let mut tx = self.db().begin().await?;
            let sql = "UPDATE token_api SET used_at = $1 WHERE id = $2";
            tx.execute(sql, &[now.0.into(), id.to_string().into()]).await?;
            tx.commit().await?;
        }
        Ok(Some((id, people::decode(row)?)))
    }

    /// The account behind a token, if neither is expired, revoked or disabled.
    pub async fn api_token_account(&self, id: Id) -> Result<Option<Account>, StoreError> {
        let sql = format!(
            "SELECT {} FROM token_api t JOIN account a ON a.id = t.account \
             WHERE t.id = $1 AND (t.expires_at IS NULL OR t.expires_at > $2) AND a.disabled = 0",
            people::ACCOUNT
        );
        let args = [id.to_string().into(), self.now().0.into()];
        let rows = self.db().fetch(&sql, &args).await?;
        rows.first().map(|row| people::decode(row)).transpose()
    }

    /// What an earlier request with this key made: its content's hash, table and id.
    pub async fn done_once(
        &self,
        key_hash: &str,
    ) -> Result<Option<(String, Table, Id)>, StoreError> {
        let sql = "SELECT request_hash, subject_table, row_id FROM idempotency \
                   WHERE key_hash = $1 AND expires_at > $2";
        let rows = self.db().fetch(sql, &[key_hash.into(), self.now().0.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let table = Table::parse(row[1].text()?)
            .ok_or_else(|| StoreError::Column(format!("{:?} is no table", row[1])))?;
        Ok(Some((row[0].text()?.to_owned(), table, parse_id(row[2].text()?)?)))
    }

    /// One page of the rows that stood at `at`, by name. Words are not looked at: the word index
    /// knows the present only.
    pub async fn list_as_of(
        &self,
        table: Table,
        filter: &Filter,
        at: Timestamp,
    ) -> Result<Vec<Row>, StoreError> {
        let limit = filter.limit.clamp(1, rows::PAGE_ROWS_MAX);
        let mut sql = Sql { clauses: Vec::new(), args: vec![at.0.into()] };
        sql.add("t.deleted = 0", Vec::new());
        let mut add = |column: &str, value: Val| sql.add(&format!("t.{column} = ?"), vec![value]);
        if let Some(kind) = &filter.kind {
            add("kind", kind.as_str().into());
        }
        if let Some(subject) = filter.subject {
            add("subject", subject.to_string().into());
        }
        if let Some(status) = &filter.status {
            add("status", status.as_str().into());
        }
        if let Some((crate::Key::Text(name), id)) = &filter.after {
            sql.add("(t.name, t.id) > (?, ?)", vec![name.as_str().into(), id.to_string().into()]);
        }
        // To whom a row belongs now decides who sees what it was.
        filter.reach.within.narrow(table, &mut sql);
        let only = sql.clauses.join(" AND ");
        let (columns, current, history) = (rows::COLUMNS, rows::table_sql(table), table.name());
        let text = format!(
            "SELECT {columns} FROM (\
             SELECT {columns} FROM {current} AS t WHERE updated_at <= $1 AND {only} \
             UNION ALL SELECT {columns} FROM {history}_history AS t \
             WHERE updated_at <= $1 AND replaced_at > $1 AND {only}) AS v \
             ORDER BY name, id LIMIT {limit}"
        );
        self.db().fetch(&text, &sql.args).await?.iter().map(|r| self.read(table, r)).collect()
    }

    /// One page of records, the one written last first.
    pub async fn list_records(&self, filter: &RecordFilter) -> Result<Vec<Record>, StoreError> {
        let limit = filter.limit.clamp(1, rows::PAGE_ROWS_MAX);
        let mut sql = Sql::default();
        sql.add("1 = 1", Vec::new());
        let mut add = |test: &str, value: Val| sql.add(&format!("{test} ?"), vec![value]);
        if let Some(ty) = &filter.ty {
            add("type =", ty.as_str().into());
        }
        if let Some(subject) = filter.subject {
            add("subject =", subject.to_string().into());
        }
        if let Some(at) = filter.as_of {
            add("received_at <=", at.0.into());
        }
        if let Some(before) = filter.before {
            add("id <", before.to_string().into());
        }
        filter.within.narrow(Table::Record, &mut sql);
        let text = format!(
            "SELECT {} FROM record AS t WHERE {} ORDER BY id DESC LIMIT {limit}",
            records::COLUMNS,
            sql.clauses.join(" AND ")
        );
        self.db().fetch(&text, &sql.args).await?.iter().map(|r| records::decode(r)).collect()
    }
}

impl Write<'_> {
    /// Notes, within this change, what a request made. False if the key was noted before: then this
    /// change must be dropped.
    pub async fn note_once(
        &mut self,
        once: &Once,
        table: Table,
        id: Id,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let old = "DELETE FROM idempotency WHERE expires_at <= $1";
        self.tx.execute(old, &[now.0.into()]).await?;
        let sql = "INSERT INTO idempotency (key_hash, request_hash, subject_table, row_id, \
                   expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_hash) DO NOTHING";
        let args = [
            once.key_hash.as_str().into(),
            once.request_hash.as_str().into(),
            table.name().into(),
            id.to_string().into(),
            now.plus_hours(ONCE_HOURS).0.into(),
        ];
        Ok(self.tx.execute(sql, &args).await? == 1)
    }
}

fn decode_token(v: &[Val]) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: parse_id(v[0].text()?)?,
        login: v[1].text()?.to_owned(),
        name: v[2].text()?.to_owned(),
        created_at: Timestamp(v[3].int()?),
        expires_at: v[4].opt_int()?.map(Timestamp),
        used_at: v[5].opt_int()?.map(Timestamp),
    })
}
