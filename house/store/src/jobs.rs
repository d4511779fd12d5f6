//! The `job` table: who runs what, until when, and how the last run ended. A row is taken by one
//! statement, so two nodes never run one job twice; a lease that ran out is an abandoned run.

use model::Timestamp;

use crate::{Store, StoreError, Val};

/// One job as the table knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    pub name: String,
    pub lease_until: Timestamp,
    /// The process that runs it now; empty for none.
    pub owner: String,
    pub last_started: Option<Timestamp>,
    pub last_ended: Option<Timestamp>,
    /// Outcome of the last good run, JSON.
    pub last_result: Option<String>,
    /// Why the last run failed; `None` after a good one.
    pub last_error: Option<String>,
    pub next_due: Timestamp,
}

const COLUMNS: &str = "name, lease_until, owner, last_started, last_ended, last_result, \
                       last_error, next_due";
const ERROR_CHARS_MAX: usize = 2_000;

impl Store {
    /// All jobs by name.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM job ORDER BY name");
        self.db().fetch(&sql, &[]).await?.iter().map(|row| decode(row)).collect()
    }

    /// One job.
    pub async fn job(&self, name: &str) -> Result<Option<JobRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM job WHERE name = $1");
        self.db().fetch(&sql, &[name.into()]).await?.first().map(|row| decode(row)).transpose()
    }

    /// Makes the row of a job that is not known yet; it is due at once.
    pub async fn job_declare(&self, name: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO job (name, lease_until, next_due) VALUES ($1, 0, 0) \
                   ON CONFLICT (name) DO NOTHING";
        self.change(sql, &[name.into()]).await.map(drop)
    }

    /// Takes a job that is due, or whose last run was abandoned, for `lease` microseconds. The next
    /// run is due `every` microseconds from now. `false` if it is not due or someone else has it.
    pub async fn job_take(
        &self,
        name: &str,
        owner: &str,
        lease: i64,
        every: i64,
    ) -> Result<bool, StoreError> {
        let now = self.now().0;
        let sql = "UPDATE job SET lease_until = $1, owner = $2, last_started = $3, next_due = $4 \
                   WHERE name = $5 AND lease_until <= $3 AND (next_due <= $3 OR owner <> '')";
        let args =
            [(now + lease).into(), owner.into(), now.into(), (now + every).into(), name.into()];
        Ok(self.change(sql, &args).await? == 1)
    }

    /// Prolongs the lease; `false` if it is no longer ours.
    pub async fn job_renew(&self, name: &str, owner: &str, lease: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE job SET lease_until = $1 WHERE name = $2 AND owner = $3";
        let until = self.now().0 + lease;
        Ok(self.change(sql, &[until.into(), name.into(), owner.into()]).await? == 1)
    }

    /// Ends a run. After a failure the next one is due in `retry` microseconds at the latest.
    pub async fn job_end(
        &self,
        name: &str,
        owner: &str,
        outcome: Result<&str, &str>,
        retry: i64,
    ) -> Result<bool, StoreError> {
        let now = self.now().0;
        let args =
            |text: &str| -> [Val; 4] { [now.into(), text.into(), name.into(), owner.into()] };
        let changed = match outcome {
            Ok(result) => {
                let sql = "UPDATE job SET lease_until = 0, owner = '', last_ended = $1, \
                           last_result = $2, last_error = NULL WHERE name = $3 AND owner = $4";
                self.change(sql, &args(result)).await?
            }
            Err(error) => {
                let error: String =
                    error.replace('\0', " ").chars().take(ERROR_CHARS_MAX).collect();
                let sql = "UPDATE job SET lease_until = 0, owner = '', last_ended = $1, \
                           last_error = $2, next_due = CASE WHEN next_due < $5 THEN next_due \
                           ELSE $5 END WHERE name = $3 AND owner = $4";
                let mut all = args(&error).to_vec();
                all.push((now + retry).into());
                self.change(sql, &all).await?
            }
        };
        Ok(changed == 1)
    }

    /// Makes a job due now; `false` if there is none of this name.
    pub async fn job_ask(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.change("UPDATE job SET next_due = 0 WHERE name = $1", &[name.into()]).await? == 1)
    }

    /// Ends every lease: for the one process that holds the database alone, after a crash.
    pub async fn jobs_abandon(&self) -> Result<(), StoreError> {
        self.change("UPDATE job SET lease_until = 0", &[]).await.map(drop)
    }

    async fn change(&self, sql: &str, args: &[Val]) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let changed = tx.execute(sql, args).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

fn decode(row: &[Val]) -> Result<JobRow, StoreError> {
    let time = |val: &Val| Ok::<_, StoreError>(val.opt_int()?.map(Timestamp));
    let text = |val: &Val| Ok::<_, StoreError>(val.opt_text()?.map(str::to_owned));
    Ok(JobRow {
        name: row[0].text()?.to_owned(),
        lease_until: Timestamp(row[1].int()?),
        owner: row[2].text()?.to_owned(),
        last_started: time(&row[3])?,
        last_ended: time(&row[4])?,
        last_result: text(&row[5])?,
        last_error: text(&row[6])?,
        next_due: Timestamp(row[7].int()?),
    })
}
