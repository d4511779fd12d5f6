//! Personal fields of rows: committed to one by one, so that each can be shredded while the rest of
//! the row still proves.
//!
//! The column `personal` names each such field of a version by JSON pointer: `{"salt": …}` while the
//! field stands in the row, `{"commit": …}` once it was shredded. A version whose leaf commits to the
//! row as a whole (written before a kind had personal fields) is shredded with the pointer `*`: its
//! commitment stays, but nothing can be held against it any more.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use model::canonical;

use crate::{
    Row, Store, StoreError, Val, random_hex,
    records::commitment,
    rows::{NAME_SHREDDED, whole_commit},
};

/// Pointer of a version that was shredded as a whole.
const WHOLE: &str = "*";
const ATTRIBUTES: &str = "/attributes/";

/// A salt for every personal field that has a value; `None` for kinds without personal fields.
pub(crate) fn salts(store: &Store, row: &Row) -> Result<Option<Map<String, Json>>, StoreError> {
    let name = (row.table.name(), row.kind.clone());
    let Some(pointers) = store.personal.get(&name) else { return Ok(None) };
    let mut out = Map::new();
    for pointer in pointers.iter().filter(|pointer| value(row, pointer).is_some()) {
        out.insert(pointer.clone(), json!({"salt": random_hex::<32>()?}));
    }
    Ok(Some(out))
}

/// The value of a field; none where there is nothing to hide.
fn value(row: &Row, pointer: &str) -> Option<Json> {
    match pointer.strip_prefix(ATTRIBUTES) {
        Some(name) => row.attributes.get(name).filter(|v| !v.is_null()).cloned(),
        None if pointer == "/name" && row.name != NAME_SHREDDED => Some(row.name.as_str().into()),
        None => None,
    }
}

fn member<'j>(entry: &'j Json, name: &str) -> Option<&'j str> {
    let object = entry.as_object().filter(|o| o.len() == 1)?;
    let text = object.get(name)?.as_str()?;
    let exact = hex::decode(text).is_ok_and(|b| b.len() == 32 && hex::encode(b) == text);
    exact.then_some(text)
}

fn wrong(row: &Row, pointer: &str) -> StoreError {
    StoreError::Column(format!("personal field {pointer} of {} {}", row.table.name(), row.id))
}

/// Commitment to one field, from its salt and value or as it was kept in shredding.
fn field_commit(row: &Row, pointer: &str, entry: &Json) -> Result<String, StoreError> {
    match (member(entry, "salt"), member(entry, "commit"), value(row, pointer)) {
        (Some(salt), None, Some(value)) => {
            let salt = hex::decode(salt).map_err(|_| wrong(row, pointer))?;
            Ok(commitment(&salt, canonical::to_string(&value)?.as_bytes()))
        }
        // What was shredded must be gone.
        (None, Some(commit), None) => Ok(commit.to_owned()),
        _ => Err(wrong(row, pointer)),
    }
}

/// `SHA-256("ume/commit/v2\n" ‖ salt ‖ row)` with each personal field replaced by its commitment.
pub(crate) fn commit(row: &Row, fields: &Map<String, Json>) -> Result<String, StoreError> {
    if let Some(entry) = fields.get(WHOLE) {
        let commit = member(entry, "commit").filter(|_| fields.len() == 1);
        return commit.map(str::to_owned).ok_or_else(|| wrong(row, WHOLE));
    }
    let mut hash = Sha256::new();
    hash.update(b"ume/commit/v2\n");
    hash.update(hex::decode(&row.salt).map_err(|e| StoreError::Column(e.to_string()))?);
    hash.update(without_personal(row, fields)?);
    Ok(hex::encode(hash.finalize()))
}

/// The row as its leaf commits to it: canonical, each personal field replaced by its commitment.
fn without_personal(row: &Row, fields: &Map<String, Json>) -> Result<String, StoreError> {
    let mut json = row.to_json();
    for (pointer, entry) in fields {
        let commit = json!({"commit": field_commit(row, pointer, entry)?});
        match pointer.strip_prefix(ATTRIBUTES) {
            Some(name) => json["attributes"][name] = commit,
            None => json["name"] = commit,
        }
    }
    Ok(canonical::to_string(&json)?)
}

/// What shows that the leaf of a row version is about this content, without a personal field in the
/// clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOpening {
    /// `SHA-256("ume/commit/" ‖ form ‖ "\n" ‖ salt ‖ content)` is what the leaf commits to.
    Shown { form: &'static str, salt: String, content: String },
    /// Written before its kind had personal fields: only the whole row would show it.
    Personal,
    /// Shredded as a whole.
    Shredded,
}

impl Store {
    /// Opens the commitment of a version as [`Store::versions`] reads it.
    pub fn row_opening(&self, row: &Row) -> Result<RowOpening, StoreError> {
        let salt = row.salt.clone();
        match &row.personal {
            Some(fields) if fields.contains_key(WHOLE) => Ok(RowOpening::Shredded),
            Some(fields) => {
                let content = without_personal(row, fields)?;
                Ok(RowOpening::Shown { form: "v2", salt, content })
            }
            None if self.personal.contains_key(&(row.table.name(), row.kind.clone())) => {
                Ok(RowOpening::Personal)
            }
            None => {
                let content = canonical::to_string(&row.to_json())?;
                Ok(RowOpening::Shown { form: "v1", salt, content })
            }
        }
    }
}

/// Takes the personal fields out of a version; false if there was nothing to take.
pub(crate) fn shred(row: &mut Row, pointers: &[String]) -> Result<bool, StoreError> {
    let fields = match &row.personal {
        Some(fields) => fields.clone(),
        None if pointers.iter().any(|pointer| value(row, pointer).is_some()) => {
            Map::from_iter([(WHOLE.to_owned(), json!({"commit": whole_commit(row)?}))])
        }
        None => return Ok(false),
    };
    let whole = fields.contains_key(WHOLE);
    let mut kept = Map::new();
    let mut gone: Vec<String> = if whole { pointers.to_vec() } else { Vec::new() };
    for (pointer, entry) in &fields {
        if !whole && member(entry, "salt").is_some() {
            let commit = field_commit(row, pointer, entry)?;
            kept.insert(pointer.clone(), json!({"commit": commit}));
            gone.push(pointer.clone());
        } else {
            kept.insert(pointer.clone(), entry.clone());
        }
    }
    for pointer in &gone {
        match pointer.strip_prefix(ATTRIBUTES) {
            Some(name) => drop(row.attributes.remove(name)),
            None => row.name = NAME_SHREDDED.to_owned(),
        }
    }
    let changed = !gone.is_empty();
    row.personal = Some(kept);
    Ok(changed)
}

/// Whether something was taken out of this version.
pub(crate) fn is_shredded(row: &Row) -> bool {
    row.personal.iter().flat_map(Map::values).any(|entry| member(entry, "commit").is_some())
}

pub(crate) fn encode(row: &Row) -> Result<Val, StoreError> {
    Ok(match &row.personal {
        None => Val::Null,
        Some(fields) => canonical::to_string(&Json::Object(fields.clone()))?.into(),
    })
}

pub(crate) fn decode(value: &Val) -> Result<Option<Map<String, Json>>, StoreError> {
    let Some(text) = value.opt_text()? else { return Ok(None) };
    let fields = serde_json::from_str(text)
        .map_err(|e| StoreError::Column(format!("personal fields of a row: {e}")))?;
    Ok(Some(fields))
}
