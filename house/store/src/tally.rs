//! How many rows of each kind and records of each type there are: kept, never counted.

use model::Table;

use crate::{Store, StoreError, Val, Write};

impl Store {
    /// Number of live rows per kind, kinds without rows left out.
    pub async fn count_by_kind(&self, table: Table) -> Result<Vec<(String, i64)>, StoreError> {
        self.tally(&format!("{}/", table.name())).await
    }

    /// Number of records per type.
    pub async fn count_by_type(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.tally("record/").await
    }

    /// Counts of exactly these names, such as `asset/host` or `record/isms.attested`.
    pub async fn counts(&self, names: &[String]) -> Result<Vec<(String, i64)>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=names.len()).map(|i| format!("${i}")).collect();
        let sql = format!("SELECT name, amount FROM tally WHERE name IN ({})", places.join(", "));
        let args: Vec<Val> = names.iter().map(|n| n.as_str().into()).collect();
        let rows = self.db().fetch(&sql, &args).await?;
        rows.iter().map(|r| Ok((r[0].text()?.to_owned(), r[1].int()?))).collect()
    }

    async fn tally(&self, prefix: &str) -> Result<Vec<(String, i64)>, StoreError> {
        // `0` comes right after `/`, so the range holds every name with the prefix.
        let end = format!("{}0", prefix.trim_end_matches('/'));
        let sql = "SELECT name, amount FROM tally WHERE name >= $1 AND name < $2 AND amount > 0 \
                   ORDER BY name";
        let rows = self.db().fetch(sql, &[prefix.into(), end.into()]).await?;
        rows.iter().map(|r| Ok((r[0].text()?[prefix.len()..].to_owned(), r[1].int()?))).collect()
    }
}

impl Write<'_> {
    pub(crate) async fn tally(&mut self, name: &str, by: i64) -> Result<(), StoreError> {
        if by == 0 {
            return Ok(());
        }
        let sql = "INSERT INTO tally (name, amount) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET amount = tally.amount + excluded.amount";
        self.tx.execute(sql, &[name.into(), by.into()]).await.map(drop)
    }
}
