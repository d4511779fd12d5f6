//! Reads what a caller sent into a row: every member is judged, and every fault is named.

use model::{FieldError, Id, KindSpec, Lang, Table, Timestamp, canonical};
use serde_json::{Map, Value as Json};
use store::Row;

use super::{
    desk::Desk,
    problem::{Fault, Problem},
};

const NAME_CHARS_MAX: usize = 300;
const REASON_CHARS_MAX: usize = 500;
const STATUS_CHARS_MAX: usize = 40;

/// The members a caller may send.
pub const MEMBERS: [&str; 10] = [
    "kind",
    "name",
    "owner",
    "status",
    "subject",
    "object",
    "starts_at",
    "ends_at",
    "attributes",
    "reason",
];

/// What a new row's status is unless it is said.
pub(crate) fn first_status(table: Table) -> &'static str {
    match table {
        Table::Decision => "proposed",
        Table::Task => "open",
        _ => "active",
    }
}

/// Writes the body into the row (version 0: a new one) and returns the reason given.
pub(crate) async fn read(
    desk: &Desk<'_>,
    body: &Map<String, Json>,
    row: &mut Row,
) -> Result<String, Problem> {
    let mut faults = Vec::new();
    for name in body.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        let en = "There is no such member, or it cannot be set.";
        faults.push(desk.fault(&pointer(&[name]), "この項目はないか、設定できません。", en));
    }
    let kind = read_kind(desk, body, row, &mut faults);
    read_name(desk, body, row, &mut faults);
    read_status(desk, body, row, &mut faults);
    read_ids(desk, body, row, &mut faults).await?;
    read_times(desk, body, row, &mut faults);
    let before = (row.version > 0).then(|| row.attributes.clone());
    read_attributes(desk, kind, body, row, &mut faults);
    if let Some(kind) = kind {
        let missing =
            crate::files::missing(desk.store, kind.fields, &row.attributes, before.as_ref()).await;
        let missing = desk.stored(missing)?;
        faults.extend(missing.iter().map(|e| field_fault(desk.lang, "attributes", e)));
    }
    let reason = read_text(desk, body, "reason", REASON_CHARS_MAX, &mut faults).unwrap_or_default();
    if faults.is_empty() { Ok(reason) } else { Err(Problem::invalid(desk.lang, faults)) }
}

/// A JSON pointer (RFC 6901).
pub(crate) fn pointer(steps: &[&str]) -> String {
    steps.iter().map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1"))).collect()
}

/// A text of the body; absent and null are none.
pub(crate) fn read_text(
    desk: &Desk<'_>,
    body: &Map<String, Json>,
    name: &str,
    chars_max: usize,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    match body.get(name) {
        None | Some(Json::Null) => None,
        Some(Json::String(s)) if s.chars().count() <= chars_max && !s.contains('\0') => {
            Some(s.clone())
        }
        Some(_) => {
            let ja = format!("{chars_max}文字以内の文字列にしてください。");
            let en = format!("Must be a text of at most {chars_max} characters.");
            faults.push(desk.fault(&pointer(&[name]), &ja, &en));
            None
        }
    }
}

fn read_kind(
    desk: &Desk<'_>,
    body: &Map<String, Json>,
    row: &mut Row,
    faults: &mut Vec<Fault>,
) -> Option<&'static KindSpec> {
    let fresh = row.version == 0;
    match body.get("kind") {
        None if !fresh => {}
        Some(Json::String(id)) if !fresh && *id == row.kind => {}
        Some(Json::String(id)) if fresh => {
            if desk.kind(row.table, id).is_none() {
                let en = "This register has no such kind.";
                faults.push(desk.fault("/kind", "この台帳にない種類です。", en));
                return None;
            }
            row.kind = id.clone();
        }
        None | Some(_) if fresh => {
            faults.push(desk.fault("/kind", "種類が必要です。", "A kind is needed."));
            return None;
        }
        _ => {
            let en = "The kind of a row never changes.";
            faults.push(desk.fault("/kind", "種類は変更できません。", en));
        }
    }
    let kind = desk.kind(row.table, &row.kind);
    if let (true, Some(kind)) = (fresh, kind) {
        row.schema_version = i64::from(kind.version);
    }
    kind
}

fn read_name(desk: &Desk<'_>, body: &Map<String, Json>, row: &mut Row, faults: &mut Vec<Fault>) {
    match body.get("name") {
        None if row.version > 0 => {}
        Some(Json::String(name))
            if !name.trim().is_empty()
                && name.chars().count() <= NAME_CHARS_MAX
                && !name.contains('\0') =>
        {
            row.name = name.trim().to_owned();
        }
        _ => {
            let ja = "300文字以内の名称が必要です。";
            faults.push(desk.fault("/name", ja, "A name of at most 300 characters is needed."));
        }
    }
}

fn read_status(desk: &Desk<'_>, body: &Map<String, Json>, row: &mut Row, faults: &mut Vec<Fault>) {
    let status = match body.get("status") {
        None => return,
        Some(Json::String(status)) if *status == row.status => return,
        Some(Json::String(status)) => status,
        Some(_) => {
            faults.push(desk.fault("/status", "文字列にしてください。", "Must be a text."));
            return;
        }
    };
    if row.table == Table::Decision {
        faults.push(desk.fault(
            "/status",
            "承認・却下には署名が必要です。APIでは提案（proposed）だけを作れます。",
            "An approval or rejection needs a signature, given on the pages. Here a decision can \
             only be proposed.",
        ));
        return;
    }
    if row.table == Table::Task {
        faults.push(desk.fault(
            "/status",
            "タスクは、求められた記録を出すと完了します。",
            "A task is closed by the record it asks for.",
        ));
        return;
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let word = !status.is_empty() && status.len() <= STATUS_CHARS_MAX && status.chars().all(good);
    if word && !matches!(status.as_str(), "approved" | "rejected") {
        row.status = status.clone();
    } else {
        let ja =
            "英小文字・数字・下線の40文字以内にしてください（approvedとrejectedは使えません）。";
        let en = "Must be at most 40 of a-z, 0-9 and _, and neither approved nor rejected.";
        faults.push(desk.fault("/status", ja, en));
    }
}

async fn read_ids(
    desk: &Desk<'_>,
    body: &Map<String, Json>,
    row: &mut Row,
    faults: &mut Vec<Fault>,
) -> Result<(), Problem> {
    for name in ["owner", "subject", "object"] {
        let id: Option<Id> = match body.get(name) {
            None => continue,
            Some(Json::Null) => None,
            Some(value) => match value.as_str().and_then(|s| s.parse().ok()) {
                Some(id) => Some(id),
                None => {
                    let en = "Must be the id of a row.";
                    faults.push(desk.fault(&pointer(&[name]), "番号（UUID）が必要です。", en));
                    continue;
                }
            },
        };
        let slot = match name {
            "owner" => &mut row.owner,
            "subject" => &mut row.subject,
            _ => &mut row.object,
        };
        if let Some(id) = id.filter(|id| *slot != Some(*id)) {
            let there = match name {
                "owner" => desk.stored(desk.store.row(Table::Party, id).await)?.is_some(),
                _ => id == Id::nil() || desk.exists(id).await?,
            };
            if !there {
                let en = if name == "owner" {
                    "There is no party with this id."
                } else {
                    "There is nothing with this id."
                };
                let ja = "この番号のデータはありません。";
                faults.push(desk.fault(&pointer(&[name]), ja, en));
            }
        }
        *slot = id;
    }
    let fresh_link = row.table == Table::Link && row.version == 0;
    if fresh_link && (row.subject.is_none() || row.object.is_none()) {
        let en = "A link needs a subject and an object.";
        faults.push(desk.fault("/subject", "リンクには両端（subjectとobject）が必要です。", en));
    }
    Ok(())
}

fn read_times(desk: &Desk<'_>, body: &Map<String, Json>, row: &mut Row, faults: &mut Vec<Fault>) {
    for name in ["starts_at", "ends_at"] {
        let at = match body.get(name) {
            None => continue,
            Some(Json::Null) => None,
            Some(value) => match value.as_str().and_then(Timestamp::parse) {
                Some(at) => Some(at),
                None => {
                    faults.push(desk.fault(
                        &pointer(&[name]),
                        "時刻はRFC 3339で書いてください。",
                        "Must be a time such as 2026-11-25T09:00:00+09:00.",
                    ));
                    continue;
                }
            },
        };
        *(if name == "starts_at" { &mut row.starts_at } else { &mut row.ends_at }) = at;
    }
    if let (Some(from), Some(to)) = (row.starts_at, row.ends_at)
        && from > to
    {
        faults.push(desk.fault(
            "/ends_at",
            "終わりが始まりより前です。",
            "The end is before the start.",
        ));
    }
}

fn read_attributes(
    desk: &Desk<'_>,
    kind: Option<&'static KindSpec>,
    body: &Map<String, Json>,
    row: &mut Row,
    faults: &mut Vec<Fault>,
) {
    match body.get("attributes") {
        None => {}
        Some(Json::Object(given)) => {
            for (name, value) in given {
                if value.is_null() {
                    row.attributes.shift_remove(name);
                } else {
                    row.attributes.insert(name.clone(), value.clone());
                }
            }
        }
        Some(_) => {
            faults.push(desk.fault(
                "/attributes",
                "オブジェクトが必要です。",
                "Must be an object.",
            ));
            return;
        }
    }
    if let Some(kind) = kind {
        let errors = kind.validate(&row.attributes);
        faults.extend(errors.iter().map(|e| field_fault(desk.lang, "attributes", e)));
    }
    canonical_fault(desk, "/attributes", &row.attributes, faults);
}

/// What the ledger cannot hold: floats, NUL, deep nesting.
pub(crate) fn canonical_fault(
    desk: &Desk<'_>,
    place: &str,
    object: &Map<String, Json>,
    faults: &mut Vec<Fault>,
) {
    use model::canonical::CanonicalError::{Deep, Float, Nul};
    let (below, ja, en) = match canonical::to_string(&Json::Object(object.clone())) {
        Ok(_) => return,
        Err(Float(at)) => (at, "整数にしてください。", "Must be a whole number."),
        Err(Nul(at)) => (at, "NUL文字は使えません。", "NUL is not allowed in a text."),
        Err(Deep) => (String::new(), "入れ子が深すぎます。", "Nested too deep."),
    };
    faults.push(desk.fault(&format!("{place}{below}"), ja, en));
}

/// A fault of a declared field.
pub(crate) fn field_fault(lang: Lang, member: &str, error: &FieldError) -> Fault {
    let mut detail = crate::form::error_text(lang, error);
    if let FieldError::Choice { allowed, .. } = error {
        detail = format!("{detail} ({allowed})");
    }
    Fault { pointer: pointer(&[member, error.field()]), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_what_it_must() {
        assert_eq!(pointer(&["attributes", "a/b~c"]), "/attributes/a~1b~0c");
    }
}
