//! The rows of ten tables as the API and the command line see them: one set of functions below
//! both, so that a rule holds whichever way a change comes.

use std::sync::Arc;

use jiff::tz::TimeZone;
use model::{Id, KindSpec, Lang, RoomSpec, Table, Timestamp, t};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Filter, Once, Reach, Row, Store, StoreError, Write};

use super::{
    judge,
    problem::{self, Fault, Problem},
};
use crate::{
    access::Reader,
    book::{self, Asking, Books, Clash, File, Sure},
};

/// Most rows of one page.
pub const PAGE_ROWS_MAX: usize = 100;
pub(crate) const PAGE_ROWS: usize = 50;
/// Cells of an import that an answer names.
const FAULTS_MAX: usize = 200;

/// Someone at work on the store.
pub struct Desk<'a> {
    pub store: &'a Store,
    pub specs: Vec<&'static RoomSpec>,
    pub lang: Lang,
    /// As history and records name it.
    pub actor: String,
    /// The way the change came.
    pub request: String,
    /// Whose eyes see the rows.
    pub reader: Reader,
    /// Where a time of day is, when it comes without one.
    pub zone: TimeZone,
}

/// What is asked of an import of a whole book.
#[derive(Clone, Debug, Default)]
pub struct BookAsked {
    /// Name of the file, which may say what it holds.
    pub name: String,
    /// Kind of the first table; without it every table that is recognised is taken.
    pub to: Option<String>,
    pub check_only: bool,
    pub clash: Clash,
}

/// Which page of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub after: Option<String>,
    pub limit: Option<usize>,
    pub kind: Option<String>,
    pub q: Option<String>,
    pub subject: Option<Id>,
    pub status: Option<String>,
    pub as_of: Option<Timestamp>,
}

/// What a creation came to.
pub struct Made {
    pub json: Json,
    pub id: Id,
    pub version: i64,
    /// The same request had been done before; nothing was made now.
    pub repeated: bool,
}

impl<'a> Desk<'a> {
    /// The declaration of a kind.
    pub fn kind(&self, table: Table, id: &str) -> Option<&'static KindSpec> {
        let kinds = self.specs.iter().flat_map(|room| crate::kinds_of(room));
        kinds.into_iter().find(|k| k.table == table && k.id == id)
    }

    pub(crate) fn refuse(
        &self,
        kind: &'static problem::Kind,
        ja: &'static str,
        en: &'static str,
    ) -> Problem {
        Problem::new(self.lang, kind, t(ja, en))
    }

    pub(crate) fn stored<T>(&self, result: Result<T, StoreError>) -> Result<T, Problem> {
        result.map_err(|error| Problem::of_store(self.lang, &error))
    }

    /// A fault of one member or parameter.
    pub(crate) fn fault(&self, pointer: &str, ja: &str, en: &str) -> Fault {
        let detail = if self.lang == Lang::Ja { ja } else { en };
        Fault { pointer: pointer.to_owned(), detail: detail.to_owned() }
    }

    pub(crate) fn bad_parameter(&self, name: &str, ja: &str, en: &str) -> Problem {
        Problem {
            errors: vec![self.fault(name, ja, en)],
            ..self.refuse(
                problem::BAD_REQUEST,
                "errorsのパラメーターを直してください。",
                "Correct the parameter that errors names.",
            )
        }
    }

    /// One page of rows: `{"items": […], "next": cursor or null}`.
    pub async fn list(&self, table: Table, page: &Page) -> Result<Json, Problem> {
        let limit = page.limit.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS_MAX);
        let after = match page.after.as_deref() {
            None => None,
            Some(cursor) => Some(read_cursor(cursor).ok_or_else(|| {
                let ja = "前のページのnextをそのまま指定してください。";
                self.bad_parameter("after", ja, "Give the next of the page before as it is.")
            })?),
        };
        let filter = Filter {
            kind: page.kind.clone(),
            text: page.q.clone().unwrap_or_default(),
            subject: page.subject,
            status: page.status.clone(),
            after: after.map(|(name, id)| (store::Key::Text(name), id)),
            limit: limit + 1,
            reach: self.reach(table, page.kind.as_deref()),
            ..Filter::default()
        };
        let found = match page.as_of {
            None => self.store.list(table, &filter).await,
            Some(_) if !filter.text.is_empty() => {
                let ja = "qは過去の時点（as_of）には使えません。";
                return Err(self.bad_parameter("q", ja, "Words cannot be searched in the past."));
            }
            Some(at) => self.store.list_as_of(table, &filter, at).await,
        };
        let mut rows = self.stored(found)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| format!("{}{}", row.id, row.name));
        Ok(
            json!({"items": rows.iter().map(|row| self.json(row)).collect::<Vec<_>>(), "next": next}),
        )
    }

    fn reach(&self, table: Table, kind: Option<&str>) -> Reach {
        match kind.and_then(|kind| self.kind(table, kind)) {
            Some(kind) => self.reader.reach(kind),
            None => self.reader.reach_in(table),
        }
    }

    /// Whether the reader sees the row; to whom it belongs now decides, also for the past.
    pub(crate) async fn sees(&self, table: Table, id: Id) -> Result<bool, Problem> {
        self.stored(self.store.reaches(table, id, &self.reader.sees_of(table)).await)
    }

    /// A row, now or as it stood.
    pub async fn row(
        &self,
        table: Table,
        id: &str,
        as_of: Option<Timestamp>,
    ) -> Result<Row, Problem> {
        let found = match (id.parse::<Id>().ok(), as_of) {
            (None, _) => None,
            (Some(id), _) if !self.sees(table, id).await? => None,
            (Some(id), None) => self.stored(self.store.row(table, id).await)?,
            (Some(id), Some(at)) => self.stored(self.store.row_as_of(table, id, at).await)?,
        };
        found.filter(|row| !row.deleted).ok_or_else(|| {
            self.refuse(
                problem::NOT_FOUND,
                "この番号のデータはありません。削除された場合、履歴は残っています。",
                "There is no row with this id. If it was deleted, its history is still there.",
            )
        })
    }

    /// A row as this desk's reader sees it, with times as RFC 3339.
    pub fn json(&self, row: &Row) -> Json {
        let mut json = self.reader.json(self.kind(row.table, &row.kind), row);
        let time = |at: Option<Timestamp>| at.map_or(Json::Null, |at| at.rfc3339().into());
        json["starts_at"] = time(row.starts_at);
        json["ends_at"] = time(row.ends_at);
        json["created_at"] = time(Some(row.created_at));
        json["updated_at"] = time(Some(row.updated_at));
        json
    }

    /// Every version of a row, newest first.
    pub async fn history(&self, table: Table, id: &str) -> Result<Json, Problem> {
        let versions = match id.parse::<Id>() {
            Ok(id) if self.sees(table, id).await? => {
                self.stored(self.store.history(table, id).await)?
            }
            _ => Vec::new(),
        };
        if versions.is_empty() {
            return Err(self.refuse(
                problem::NOT_FOUND,
                "この番号のデータはありません。",
                "There is no row with this id.",
            ));
        }
        Ok(json!({"items": versions.iter().map(|row| self.json(row)).collect::<Vec<_>>()}))
    }

    /// Makes a row.
    pub async fn create(
        &self,
        table: Table,
        body: &Map<String, Json>,
        once: Option<Once>,
    ) -> Result<Made, Problem> {
        if let Some(made) = self.repeated(once.as_ref()).await? {
            return Ok(made);
        }
        let mut row = Row::new(table, self.stored(self.store.new_id())?, "", "");
        row.status = judge::first_status(table).to_owned();
        let reason = judge::read(self, body, &mut row).await?;
        if table == Table::Task && row.ends_at.is_none() {
            row.ends_at = crate::task_rules::due_at(&row.attributes);
        }
        let mut write = self.write(&reason).await?;
        let row = self.stored(write.put(row).await)?;
        if let Some(once) = &once
            && !self.stored(write.note_once(once, table, row.id).await)?
        {
            drop(write);
            return self.repeated(Some(once)).await?.ok_or_else(|| self.in_progress());
        }
        self.stored(write.commit().await)?;
        Ok(Made { json: self.json(&row), id: row.id, version: row.version, repeated: false })
    }

    pub(crate) fn in_progress(&self) -> Problem {
        self.refuse(
            problem::CONFLICT,
            "同じIdempotency-Keyの要求を処理しています。少し待ってください。",
            "A request with this Idempotency-Key is under way. Wait a moment.",
        )
    }

    /// What an earlier request with the same key made; another request under that key is refused.
    pub(crate) async fn repeated(&self, once: Option<&Once>) -> Result<Option<Made>, Problem> {
        let Some(once) = once else { return Ok(None) };
        let done = self.stored(self.store.done_once(&once.key_hash).await)?;
        let Some((request_hash, table, id)) = done else { return Ok(None) };
        if request_hash != once.request_hash {
            return Err(self.refuse(
                problem::INVALID,
                "このIdempotency-Keyは別の要求に使われました。新しいキーを使ってください。",
                "This Idempotency-Key was used for another request. Use a new key.",
            ));
        }
        let json = if table == Table::Record {
            self.stored(self.store.record(id).await)?.map(|r| super::records::record_json(&r))
        } else {
            let versions = self.stored(self.store.history(table, id).await)?;
            versions.last().map(|row| self.json(row))
        };
        Ok(json.map(|json| Made { json, id, version: 1, repeated: true }))
    }

    /// Changes a row by merge patch (RFC 7396); `saw` is the version the caller read.
    pub async fn change(
        &self,
        table: Table,
        id: &str,
        saw: i64,
        body: &Map<String, Json>,
    ) -> Result<Row, Problem> {
        let mut row = self.row(table, id, None).await?;
        self.not_signed(&row)?;
        self.same_version(&row, saw)?;
        let was_due = row.attributes.get("due").cloned();
        let reason = judge::read(self, body, &mut row).await?;
        let due_moved = row.attributes.get("due") != was_due.as_ref();
        if table == Table::Task && due_moved && !body.contains_key("ends_at") {
            row.ends_at = crate::task_rules::due_at(&row.attributes);
        }
        let mut write = self.write(&reason).await?;
        let row = self.stored(write.put(row).await)?;
        self.stored(write.commit().await)?;
        Ok(row)
    }

    /// Marks a row deleted; its history stays.
    pub async fn delete(&self, table: Table, id: &str, saw: i64) -> Result<(), Problem> {
        let row = self.row(table, id, None).await?;
        self.not_signed(&row)?;
        self.same_version(&row, saw)?;
        let mut write = self.write("").await?;
        self.stored(write.delete(row).await)?;
        self.stored(write.commit().await)
    }

    /// Takes a table of rows (CSV or xlsx) of one kind, all or nothing.
    pub async fn import(
        &self,
        table: Table,
        kind: &str,
        file: Vec<u8>,
        check_only: bool,
    ) -> Result<Json, Problem> {
        let kind = self.kind(table, kind).ok_or_else(|| {
            let ja = "この台帳にない種類です。";
            self.bad_parameter("kind", ja, "This register has no such kind.")
        })?;
        if let Some(why) = crate::import::closed(table) {
            return Err(Problem::new(self.lang, problem::INVALID, why));
        }
        let (lang, sha256) = (self.lang, hex::encode(Sha256::digest(&file)));
        let read = tokio::task::spawn_blocking(move || {
            File::read("", &sha256, &file).map(|file| crate::import::one(kind, file, lang))
        });
        let one = self.read_book(read.await)?;
        let fault = |p: crate::import::Problem| Fault { pointer: p.cell, detail: p.what };
        let Some(one) = one else {
            return Err(Problem::invalid(lang, vec![fault(crate::import::no_header(lang))]));
        };
        let choices = vec![one.mapping.clone()];
        let asking = self.asking(Clash::Refuse);
        let planned = book::plan(&asking, one.books.clone(), choices.clone()).await;
        let plan = self.stored(planned)?;
        let outcome = crate::import::outcome(&one, &plan);
        if !outcome.problems.is_empty() {
            let faults = outcome.problems.into_iter().take(FAULTS_MAX).map(fault).collect();
            return Err(Problem::invalid(lang, faults));
        }
        if !check_only {
            let write = self.write("import").await?;
            self.stored(book::commit::commit(write, plan, &one.books, &choices, false).await)?;
        }
        let warnings: Vec<Json> = outcome
            .warnings
            .iter()
            .take(FAULTS_MAX)
            .map(|w| json!({"cell": w.cell, "what": w.what}))
            .collect();
        Ok(json!({
            "added": outcome.added,
            "changed": outcome.changed,
            "same": outcome.same,
            "ignored": outcome.ignored,
            "warnings": warnings,
            "saved": !check_only,
        }))
    }

    fn read_book<T>(
        &self,
        read: Result<Result<T, reports::SheetError>, tokio::task::JoinError>,
    ) -> Result<T, Problem> {
        match read {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) => {
                Err(Problem::saying(self.lang, problem::INVALID, error.text(self.lang)))
            }
            Err(error) => Err(Problem::broken(self.lang, &error)),
        }
    }

    fn asking(&self, clash: Clash) -> Asking<'_> {
        Asking {
            store: self.store,
            specs: &self.specs,
            reader: &self.reader,
            lang: self.lang,
            zone: self.zone.clone(),
            clash,
        }
    }

    /// Takes a whole workbook or CSV file: every table that is recognised with some certainty, or the
    /// first one as the kind given; all or nothing. What was found is answered in any case.
    pub async fn import_book(&self, asked: BookAsked, file: Vec<u8>) -> Result<Json, Problem> {
        let targets = book::targets(&self.specs, &self.reader);
        if let Some(key) = &asked.to
            && !targets.iter().any(|target| target.key() == *key || target.id == *key)
        {
            let ja = "この種類はないか、取り込めません。";
            return Err(self.bad_parameter(
                "as",
                ja,
                "There is no such kind, or it takes no import.",
            ));
        }
        let keep = !asked.check_only && self.store.has_files();
        let sha256 = hex::encode(Sha256::digest(&file));
        if keep {
            let mut upload = self.stored(self.store.upload().await)?;
            self.stored(upload.write(&file).await)?;
            self.stored(self.store.keep(upload, &asked.name, &self.actor).await)?;
        }
        let (lang, name) = (self.lang, asked.name.clone());
        let read = tokio::task::spawn_blocking(move || {
            let files = vec![File::read(&name, &sha256, &file)?];
            let found = book::find(&files, &targets, lang);
            Ok::<Books, reports::SheetError>(Books { files, found })
        });
        let mut books = self.read_book(read.await)?;
        let targets = book::targets(&self.specs, &self.reader);
        let headers: Vec<String> = books.found.iter().map(|found| found.header.clone()).collect();
        let kept = self.stored(self.store.import_mappings(&headers).await)?;
        for found in &mut books.found {
            found.recall(&kept, &targets);
        }
        let mut choices = Vec::with_capacity(books.found.len());
        for (at, found) in books.found.iter_mut().enumerate() {
            let named = |key: &&String| at == 0 && !key.is_empty();
            let guess = match asked.to.as_ref() {
                Some(key) => Some(key)
                    .filter(named)
                    .and_then(|key| targets.iter().find(|t| t.key() == *key || t.id == *key))
                    .and_then(|target| book::chosen(found, &targets, &target.key(), lang)),
                None => (found.guess.sure >= Sure::Likely).then(|| found.guess.clone()),
            };
            choices.push(match guess {
                Some(guess) => {
                    found.guess = guess;
                    found.guess.mapping.clone()
                }
                None => book::Mapping::skip(found.table.columns.len()),
            });
        }
        let books = Arc::new(books);
        let asking = self.asking(asked.clash);
        let planned = book::plan(&asking, books.clone(), choices.clone()).await;
        let plan = self.stored(planned)?;
        let good = plan.is_good() && choices.iter().any(|mapping| !mapping.to.is_empty());
        let mut answer = book::json(&books, &choices, &plan, FAULTS_MAX);
        let saved = good && !asked.check_only;
        if saved {
            let write = self.write("import").await?;
            self.stored(book::commit::commit(write, plan, &books, &choices, keep).await)?;
        }
        answer["good"] = good.into();
        answer["saved"] = saved.into();
        Ok(answer)
    }

    /// Begins a change that goes no further than the caller may write.
    pub async fn write(&self, reason: &str) -> Result<Write<'a>, Problem> {
        let write = self.stored(self.store.write(&self.actor, reason, &self.request).await)?;
        Ok(write.bounded(self.reader.bounds(self.specs.iter().copied())))
    }

    /// A signature binds what was signed: neither side of it is changed behind it.
    fn not_signed(&self, row: &Row) -> Result<(), Problem> {
        if !crate::decide::is_sealed(row) {
            return Ok(());
        }
        Err(self.refuse(
            problem::CONFLICT,
            "署名済みの決定は変更も削除もできません。新しい決定をしてください。",
            "A signed decision is neither changed nor deleted. Make a new one.",
        ))
    }

    fn same_version(&self, row: &Row, saw: i64) -> Result<(), Problem> {
        if row.version == saw {
            return Ok(());
        }
        let (table, id, current) = (row.table.name(), row.id, row.version);
        Err(Problem::of_store(self.lang, &StoreError::Conflict { table, id, saw, current }))
    }

    /// Whether any row or record has this id.
    pub(crate) async fn exists(&self, id: Id) -> Result<bool, Problem> {
        for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
            if self.stored(self.store.row(table, id).await)?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.stored(self.store.record(id).await)?.is_some())
    }
}

/// Id and name of the last row shown.
fn read_cursor(cursor: &str) -> Option<(String, Id)> {
    let (id, name) = (cursor.get(..36)?, cursor.get(36..)?);
    if name.contains('\0') {
        return None;
    }
    Some((name.to_owned(), id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_a_foreign_one_refused() {
        let id = Id::nil();
        assert_eq!(read_cursor(&format!("{id}梅")), Some(("梅".to_owned(), id)));
        assert_eq!(read_cursor(&id.to_string()), Some((String::new(), id)));
        for bad in ["", "x", "梅梅梅梅梅梅梅梅梅梅梅梅梅", &format!("{id}\0"), &"0".repeat(36)]
        {
            let read = read_cursor(bad);
            assert_eq!(read, None, "{bad:?}");
        }
    }
}
