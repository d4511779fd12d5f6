//! Imports of whole workbooks: the one under way, and where the columns of a header went last time.
//!
//! A draft belongs to whoever began it and lasts a day, as long as its files do when nothing names
//! them. What is in it is for whoever writes it; here it is a text.

use model::{Id, Timestamp};

use crate::{Store, StoreError, Val, Write, parse_id};

const DRAFT_HOURS: i64 = 24;
/// Drafts of one person; the oldest goes when another comes.
const DRAFTS_MAX: i64 = 20;
const DRAFT_BYTES_MAX: usize = 1 << 20;
/// Tables asked for at once.
const HEADERS_MAX: usize = 500;

/// An import under way.
#[derive(Clone, Debug)]
pub struct ImportDraft {
    pub id: Id,
    pub content: String,
    pub created_at: Timestamp,
}

/// Where the columns under a header went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportMapping {
    /// Hash of header and place, so that two tables with the same header are told apart.
    pub signature: String,
    /// Hash of the header alone.
    pub header: String,
    pub mapping: String,
}

fn bounded(content: &str) -> Result<(), StoreError> {
    if content.len() > DRAFT_BYTES_MAX {
        return Err(StoreError::Column(format!("a draft of more than {DRAFT_BYTES_MAX} bytes")));
    }
    Ok(())
}

impl Store {
    /// Begins an import, and forgets what is older than a day.
    pub async fn add_import(&self, actor: &str, content: &str) -> Result<Id, StoreError> {
        bounded(content)?;
        let (id, now) = (self.new_id()?, self.now());
        let mut tx = self.db().begin().await?;
        let old = now.plus_hours(-DRAFT_HOURS);
        tx.execute("DELETE FROM import_draft WHERE created_at < $1", &[old.0.into()]).await?;
        let sql = "DELETE FROM import_draft WHERE actor = $1 AND id NOT IN (SELECT id FROM \
                   import_draft WHERE actor = $1 ORDER BY created_at DESC, id DESC LIMIT $2)";
        tx.execute(sql, &[actor.into(), (DRAFTS_MAX - 1).into()]).await?;
        let sql =
            "INSERT INTO import_draft (id, actor, content, created_at) VALUES ($1, $2, $3, $4)";
        let args = [id.to_string().into(), actor.into(), content.into(), now.0.into()];
        tx.execute(sql, &args).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// An import of this person, unless its day is over.
    pub async fn import(&self, id: Id, actor: &str) -> Result<Option<ImportDraft>, StoreError> {
        let sql = "SELECT id, content, created_at FROM import_draft \
                   WHERE id = $1 AND actor = $2 AND created_at >= $3";
        let from = self.now().plus_hours(-DRAFT_HOURS);
        let args = [id.to_string().into(), actor.into(), from.0.into()];
        let rows = self.db().fetch(sql, &args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(ImportDraft {
            id: parse_id(row[0].text()?)?,
            content: row[1].text()?.to_owned(),
            created_at: Timestamp(row[2].int()?),
        }))
    }

    /// Changes what is in a draft; false if it is gone.
    pub async fn set_import(&self, id: Id, actor: &str, content: &str) -> Result<bool, StoreError> {
        bounded(content)?;
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE import_draft SET content = $1 WHERE id = $2 AND actor = $3";
        let args = [content.into(), id.to_string().into(), actor.into()];
        let there = tx.execute(sql, &args).await? == 1;
        tx.commit().await?;
        Ok(there)
    }

    /// Changes a draft if it still says what the caller saw; of two that try, one does.
    pub async fn claim_import(
        &self,
        id: Id,
        actor: &str,
        saw: &str,
        content: &str,
    ) -> Result<bool, StoreError> {
        bounded(content)?;
        let mut tx = self.db().begin().await?;
        let sql =
            "UPDATE import_draft SET content = $1 WHERE id = $2 AND actor = $3 AND content = $4";
        let args = [content.into(), id.to_string().into(), actor.into(), saw.into()];
        let claimed = tx.execute(sql, &args).await? == 1;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Gives an import up.
    pub async fn drop_import(&self, id: Id, actor: &str) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "DELETE FROM import_draft WHERE id = $1 AND actor = $2";
        let gone = tx.execute(sql, &[id.to_string().into(), actor.into()]).await? == 1;
        tx.commit().await?;
        Ok(gone)
    }

    /// What is known under these headers, newest first.
    pub async fn import_mappings(
        &self,
        headers: &[String],
    ) -> Result<Vec<ImportMapping>, StoreError> {
        let asked = &headers[..headers.len().min(HEADERS_MAX)];
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=asked.len()).map(|i| format!("${i}")).collect();
        let sql = format!(
            "SELECT signature, header, mapping FROM import_mapping WHERE header IN ({}) \
             ORDER BY updated_at DESC, signature LIMIT {}",
            places.join(", "),
            HEADERS_MAX * 4
        );
        let args: Vec<Val> = asked.iter().map(|h| h.as_str().into()).collect();
        let rows = self.db().fetch(&sql, &args).await?;
        rows.iter()
            .map(|row| {
                Ok(ImportMapping {
                    signature: row[0].text()?.to_owned(),
                    header: row[1].text()?.to_owned(),
                    mapping: row[2].text()?.to_owned(),
                })
            })
            .collect()
    }
}

impl Write<'_> {
    /// Keeps where the columns went, for the next table with this header.
    pub async fn keep_mapping(&mut self, kept: &ImportMapping) -> Result<(), StoreError> {
        bounded(&kept.mapping)?;
        let sql = "INSERT INTO import_mapping (signature, header, mapping, updated_by, updated_at) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (signature) DO UPDATE SET \
                   mapping = excluded.mapping, updated_by = excluded.updated_by, \
                   updated_at = excluded.updated_at";
        let args = [
            kept.signature.as_str().into(),
            kept.header.as_str().into(),
            kept.mapping.as_str().into(),
            self.actor().into(),
            self.now().0.into(),
        ];
        self.tx.execute(sql, &args).await.map(drop)
    }
}
