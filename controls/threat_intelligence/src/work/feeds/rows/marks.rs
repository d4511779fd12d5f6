//! What the signed set asks of rows: those that changed since it was made, and what became of them.

use std::collections::BTreeMap;

use model::Id;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{
    Feeds,
    kept::{Judged, KEPT, Kept},
};

impl Feeds {
    /// Why rows of a source are not used as their source says, counted.
    pub async fn verdicts(&self, source: Id) -> Result<Vec<Judged>, sqlx::Error> {
        let sql = "SELECT verdict, COUNT(*), MIN(value) FROM row WHERE source = ? \
                   AND verdict IS NOT NULL GROUP BY verdict ORDER BY 2 DESC";
        let rows = sqlx::query(sql).bind(source.to_string()).fetch_all(&self.pool).await?;
        let judged = |row: &SqliteRow| Judged {
            verdict: row.get(0),
            count: row.get::<i64, _>(1).unsigned_abs(),
            value: row.get(2),
        };
        Ok(rows.iter().map(judged).collect())
    }

    /// Rows of all feeds that the set holds.
    pub async fn in_set(&self) -> Result<u64, sqlx::Error> {
        let sql = "SELECT COUNT(*) FROM row WHERE in_set = 1";
        let count: i64 = sqlx::query(sql).fetch_one(&self.pool).await?.get(0);
        Ok(count.unsigned_abs())
    }

    /// Rows of these sources.
    pub async fn total<T>(&self, sources: &BTreeMap<String, T>) -> Result<u64, sqlx::Error> {
        let mut total = 0;
        for source in sources.keys() {
            let sql = "SELECT COUNT(*) FROM row WHERE source = ?";
            let count: i64 = sqlx::query(sql).bind(source).fetch_one(&self.pool).await?.get(0);
            total += count.unsigned_abs();
        }
        Ok(total)
    }

    /// The newest mark.
    pub async fn mark(&self) -> Result<i64, sqlx::Error> {
        let sql = "SELECT value FROM mark WHERE name = 'changed'";
        Ok(sqlx::query(sql).fetch_optional(&self.pool).await?.map_or(0, |row| row.get(0)))
    }

    /// Rows in the order of their numbers, a page behind a number; only those changed after a mark.
    pub async fn page(&self, after: i64, since: i64, max: usize) -> Result<Vec<Kept>, sqlx::Error> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let sql = match since {
            i64::MIN => format!("SELECT {KEPT} FROM row WHERE id > ? ORDER BY id LIMIT ?"),
            since => format!(
                "SELECT {KEPT} FROM row WHERE id > ? AND id IN (SELECT id FROM row WHERE changed > {since}) \
                 ORDER BY id LIMIT ?"
            ),
        };
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(max)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(Kept::of).collect())
    }

    /// How many rows changed after a mark.
    pub async fn changed(&self, since: i64) -> Result<u64, sqlx::Error> {
        let sql = "SELECT (SELECT COUNT(*) FROM row WHERE changed > ?1) + \
                   (SELECT COUNT(*) FROM gone WHERE changed > ?1)";
        let count: i64 = sqlx::query(sql).bind(since).fetch_one(&self.pool).await?.get(0);
        Ok(count.unsigned_abs())
    }

    /// Numbers of rows that went after a mark and were in the set.
    pub async fn gone(&self, since: i64) -> Result<Vec<i64>, sqlx::Error> {
        let sql = "SELECT id FROM gone WHERE changed > ? ORDER BY id";
        let rows = sqlx::query(sql).bind(since).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Notes what became of rows: whether they are in the set, and why not as their source says.
    pub async fn note(&self, outcomes: &[(i64, bool, Option<String>)]) -> Result<(), sqlx::Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut alike: BTreeMap<(bool, Option<&str>), Vec<String>> = BTreeMap::new();
        for (id, in_set, verdict) in outcomes {
            alike.entry((*in_set, verdict.as_deref())).or_default().push(id.to_string());
        }
        let _writing = self.writing.lock().await;
        let mut transaction = self.pool.begin().await?;
        for ((in_set, verdict), ids) in alike {
            let ids = ids.join(",");
            let sql = format!("UPDATE row SET in_set = ?, verdict = ? WHERE id IN ({ids})");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(i64::from(in_set))
                .bind(verdict)
                .persistent(false)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Forgets what went, up to a mark that a base holds.
    pub async fn forget_gone(&self, until: i64) -> Result<(), sqlx::Error> {
        let _writing = self.writing.lock().await;
        let sql = "DELETE FROM gone WHERE changed <= ?";
        sqlx::query(sql).bind(until).execute(&self.pool).await?;
        Ok(())
    }
}
