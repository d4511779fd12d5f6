//! Records through the API: read, prove, append. What comes in this way is `imported`; `machine` is
//! only what Ume saw itself.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{Assurance, Id, RecordSpec, Table, Timestamp, Writer};
use serde_json::{Map, Value as Json, json};
use store::{Once, Record, RecordDraft, RecordFilter};

use super::{
    desk::{Desk, Made, PAGE_ROWS, PAGE_ROWS_MAX},
    judge::{canonical_fault, field_fault, pointer, read_text},
    problem::{self, Fault, Problem},
};

const SOURCE_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 500;
/// Most bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// The members a caller may send.
pub const MEMBERS: [&str; 9] = [
    "type",
    "subject",
    "observed_from",
    "observed_to",
    "source",
    "assurance",
    "facts",
    "payload",
    "reason",
];

/// A record with times as RFC 3339.
pub fn record_json(record: &Record) -> Json {
    json!({
        "id": record.id,
        "type": record.ty,
        "subject": record.subject,
        "actor": record.actor,
        "observed_from": record.observed_from.rfc3339(),
        "observed_to": record.observed_to.rfc3339(),
        "received_at": record.received_at.rfc3339(),
        "source": record.source,
        "assurance": record.assurance.name(),
        "facts": record.facts,
        "payload_commit": record.payload_commit,
        "leaf_index": record.leaf_index,
    })
}

impl Desk<'_> {
    /// The declaration of a record type.
    pub fn record_spec(&self, ty: &str) -> Option<&'static RecordSpec> {
        let rooms = self.specs.iter().flat_map(|room| room.records);
        rooms.chain(model::platform::RECORDS).find(|r| r.ty == ty)
    }

    /// One page of records, the one written last first.
    pub async fn list_records(
        &self,
        after: Option<&str>,
        limit: Option<usize>,
        filter: RecordFilter,
    ) -> Result<Json, Problem> {
        let limit = limit.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS_MAX);
        let before: Option<Id> = match after {
            None => None,
            Some(cursor) => Some(cursor.parse().map_err(|_| {
                let ja = "前のページのnextをそのまま指定してください。";
                self.bad_parameter("after", ja, "Give the next of the page before as it is.")
            })?),
        };
        let within = self.reader.sees_of(Table::Record);
        let filter = RecordFilter { before, limit: limit + 1, within, ..filter };
        let mut records = self.stored(self.store.list_records(&filter).await)?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|r| r.id);
        Ok(json!({"items": records.iter().map(record_json).collect::<Vec<_>>(), "next": next}))
    }

    /// One record.
    pub async fn record(&self, id: &str) -> Result<Record, Problem> {
        let found = match id.parse::<Id>() {
            Ok(id) if self.sees(Table::Record, id).await? => {
                self.stored(self.store.record(id).await)?
            }
            _ => None,
        };
        found.ok_or_else(|| {
            self.refuse(
                problem::NOT_FOUND,
                "この番号の記録はありません。",
                "There is no record with this id.",
            )
        })
    }

    /// Appends a record of a declared type.
    pub async fn append(
        &self,
        body: &Map<String, Json>,
        once: Option<Once>,
    ) -> Result<Made, Problem> {
        if let Some(made) = self.repeated(once.as_ref()).await? {
            return Ok(made);
        }
        let (spec, draft, reason) = self.read_record(body).await?;
        let mut write = self.write(&reason).await?;
        let record = self.stored(write.record_by(Writer::Anyone, spec, draft).await)?;
        if let Some(once) = &once
            && !self.stored(write.note_once(once, model::Table::Record, record.id).await)?
        {
            drop(write);
            return self.repeated(Some(once)).await?.ok_or_else(|| self.in_progress());
        }
        self.stored(write.commit().await)?;
        Ok(Made { json: record_json(&record), id: record.id, version: 1, repeated: false })
    }

    async fn read_record(
        &self,
        body: &Map<String, Json>,
    ) -> Result<(&'static RecordSpec, RecordDraft, String), Problem> {
        let mut faults = Vec::new();
        for name in body.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            let en = "There is no such member, or it cannot be set.";
            faults.push(self.fault(&pointer(&[name]), "この項目はないか、設定できません。", en));
        }
        let spec = body.get("type").and_then(Json::as_str).and_then(|ty| self.record_spec(ty));
        if spec.is_none() {
            let en = "Must be a declared record type.";
            faults.push(self.fault("/type", "宣言された記録の種類が必要です。", en));
        }
        if let Some(spec) = spec.filter(|spec| !Writer::Anyone.may_write(spec.writer)) {
            // Alone: what else is wrong with it is no use to one who may not write it.
            let (ja, en) = problem::not_theirs(spec.ty);
            return Err(Problem::invalid(self.lang, vec![self.fault("/type", &ja, &en)]));
        }
        let facts = self.read_facts(spec, body, &mut faults);
        if let Some(spec) = spec {
            let missing = crate::files::missing(self.store, spec.fields, &facts, None).await;
            let missing = self.stored(missing)?;
            faults.extend(missing.iter().map(|e| field_fault(self.lang, "facts", e)));
        }
        let subject = self.read_subject(body, &mut faults).await?;
        let (observed_from, observed_to) = self.read_observed(body, &mut faults);
        if !matches!(body.get("assurance").map(Json::as_str), None | Some(Some("imported"))) {
            faults.push(self.fault(
                "/assurance",
                "APIから入る記録は取込み（imported）です。機械収集（machine）はUme自身だけが付けます。",
                "What comes in by the API is imported; only Ume itself records as machine.",
            ));
        }
        let source = read_text(self, body, "source", SOURCE_CHARS_MAX, &mut faults);
        if source.as_deref().is_none_or(|s| s.trim().is_empty()) {
            let en = "Say where this comes from.";
            faults.push(self.fault("/source", "どこから得たかを書いてください。", en));
        }
        let payload = self.read_payload(body, &mut faults);
        let reason =
            read_text(self, body, "reason", REASON_CHARS_MAX, &mut faults).unwrap_or_default();
        let (Some(spec), true) = (spec, faults.is_empty()) else {
            return Err(Problem::invalid(self.lang, faults));
        };
        let draft = RecordDraft {
            ty: spec.ty.to_owned(),
            subject,
            observed_from,
            observed_to,
            source: source.unwrap_or_default(),
            assurance: Assurance::Imported,
            facts,
            payload,
        };
        Ok((spec, draft, reason))
    }

    fn read_facts(
        &self,
        spec: Option<&'static RecordSpec>,
        body: &Map<String, Json>,
        faults: &mut Vec<Fault>,
    ) -> Map<String, Json> {
        let Some(facts) = body.get("facts").and_then(Json::as_object) else {
            faults.push(self.fault("/facts", "オブジェクトが必要です。", "Must be an object."));
            return Map::new();
        };
        if let Some(spec) = spec {
            let errors = spec.validate(facts);
            faults.extend(errors.iter().map(|e| field_fault(self.lang, "facts", e)));
        }
        canonical_fault(self, "/facts", facts, faults);
        facts.clone()
    }

    async fn read_subject(
        &self,
        body: &Map<String, Json>,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<Id>, Problem> {
        let id: Option<Id> = match body.get("subject") {
            None | Some(Json::Null) => return Ok(None),
            Some(value) => value.as_str().and_then(|s| s.parse().ok()),
        };
        let there = match id {
            Some(id) => id == Id::nil() || self.exists(id).await?,
            None => false,
        };
        if !there {
            let en = "There is nothing with this id.";
            faults.push(self.fault("/subject", "この番号のデータはありません。", en));
        }
        Ok(id)
    }

    fn read_observed(
        &self,
        body: &Map<String, Json>,
        faults: &mut Vec<Fault>,
    ) -> (Timestamp, Timestamp) {
        let now = self.store.now();
        let mut read = |name: &str| match body.get(name) {
            None | Some(Json::Null) => None,
            Some(value) => {
                let at = value.as_str().and_then(Timestamp::parse);
                if at.is_none_or(|at| at > now) {
                    faults.push(self.fault(
                        &pointer(&[name]),
                        "過去の時刻をRFC 3339で書いてください。",
                        "Must be a time that has passed, such as 2026-11-25T09:00:00+09:00.",
                    ));
                }
                at
            }
        };
        let (from, to) = (read("observed_from"), read("observed_to"));
        let to = to.or(from).unwrap_or(now);
        let from = from.unwrap_or(to);
        if from > to {
            let en = "The end is before the start.";
            faults.push(self.fault("/observed_to", "終わりが始まりより前です。", en));
        }
        (from, to)
    }

    fn read_payload(&self, body: &Map<String, Json>, faults: &mut Vec<Fault>) -> Option<Vec<u8>> {
        let value = body.get("payload").filter(|v| !v.is_null())?;
        let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|b| b.len() <= PAYLOAD_BYTES_MAX);
        if bytes.is_none() {
            let ja = "1 MiB以内のbase64にしてください。";
            faults.push(self.fault("/payload", ja, "Must be base64 of at most 1 MiB."));
        }
        bytes
    }
}
