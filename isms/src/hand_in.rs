//! Evidence that a person hands in for a 梅 criterion: the one way, for the page and the
//! demonstration.

use jiff::tz::TimeZone;
use model::{Assurance, Id, RoomSpec, Timestamp};
use serde_json::json;
use store::RecordDraft;
use web::frame::{Cx, Refusal};

const STATEMENT_CHARS_MAX: usize = 2_000;

/// What was handed in, as typed.
pub struct HandedIn<'a> {
    pub criterion: &'a str,
    pub statement: &'a str,
    /// Name of the document it was taken from; `None` for an attestation.
    pub document: Option<&'a str>,
    /// Date the evidence is from, which is not the date of typing it in.
    pub held_on: &'a str,
    /// SHA-256 of a file that shows it, sent and kept already.
    pub file: Option<&'a str>,
    /// Id of what it is about; `None` for the whole organisation.
    pub subject: Option<&'a str>,
    /// Where the date is a day.
    pub zone: &'a TimeZone,
    pub source: &'a str,
}

/// Why it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandInError {
    #[error("no such criterion")]
    Criterion,
    #[error("this criterion cannot be met by hand")]
    NotByHand,
    #[error("a statement of 1 to {STATEMENT_CHARS_MAX} characters is needed")]
    Statement,
    #[error("the date is no date or lies in the future")]
    Date,
    #[error("the subject is no id")]
    Subject,
    #[error("the document has no name")]
    Document,
}

impl HandInError {
    /// The same in the reader's language.
    pub fn refusal(self, cx: &Cx) -> Refusal {
        let text = match self {
            HandInError::Criterion => return Refusal::NotFound,
            HandInError::NotByHand => cx.t(
                "この基準は申告では満たせません（申告で満たせるのは梅のみです）。",
                "This criterion cannot be met by hand (only 梅 criteria can).",
            ),
            HandInError::Statement => cx.t(
                "内容を2000文字以内で入力してください。",
                "Give a statement of at most 2,000 characters.",
            ),
            HandInError::Date => cx.t(
                "実施日が正しくありません（未来の日付は使えません）。",
                "The date is not right (future dates are refused).",
            ),
            HandInError::Subject => cx.t("対象が正しくありません。", "No such subject."),
            HandInError::Document => cx.t("文書名を入力してください。", "Name the document."),
        };
        Refusal::Bad(text.to_owned())
    }
}

/// The record that what was handed in becomes, and the room it counts in.
pub fn draft(
    rooms: &[&'static RoomSpec],
    handed: &HandedIn,
    now: Timestamp,
) -> Result<(&'static RoomSpec, RecordDraft), HandInError> {
    let (room, criterion) = rooms
        .iter()
        .find_map(|room| Some((*room, room.criterion(handed.criterion)?)))
        .ok_or(HandInError::Criterion)?;
    if criterion.by_hand.is_none() {
        return Err(HandInError::NotByHand);
    }
    Ok((room, draft_of(criterion.id, handed, now)?))
}

/// The record of what was handed in for this criterion, or for `soa/NUMBER`: a control of Annex A
/// that has no room.
pub fn draft_of(
    criterion: &str,
    handed: &HandedIn,
    now: Timestamp,
) -> Result<RecordDraft, HandInError> {
    let statement = handed.statement.trim();
    if statement.is_empty() || statement.chars().count() > STATEMENT_CHARS_MAX {
        return Err(HandInError::Statement);
    }
    let observed =
        held_on(handed.held_on, handed.zone).filter(|t| *t <= now).ok_or(HandInError::Date)?;
    let subject: Option<Id> =
        handed.subject.map(str::parse).transpose().map_err(|_| HandInError::Subject)?;
    let document = handed.document.map(str::trim);
    if document == Some("") {
        return Err(HandInError::Document);
    }
    let mut facts = serde_json::Map::new();
    facts.insert("criterion".into(), json!(criterion));
    facts.insert("held_on".into(), json!(handed.held_on));
    if let Some(document) = document {
        facts.insert("document".into(), json!(document));
    }
    // The leaf holds the facts, so the ledger commits to the file.
    if let Some(file) = handed.file.filter(|file| store::is_sha256(file)) {
        facts.insert("file".into(), json!(file));
    }
    let draft = RecordDraft {
        ty: if document.is_some() { "isms.imported" } else { "isms.attested" }.to_owned(),
        subject,
        observed_from: observed,
        observed_to: observed,
        source: handed.source.to_owned(),
        assurance: if document.is_some() { Assurance::Imported } else { Assurance::Attested },
        facts,
        // A statement may name people, so it goes into the payload and not into the leaf.
        payload: Some(statement.as_bytes().to_vec()),
    };
    Ok(draft)
}

fn held_on(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.trim().parse().ok()?;
    let start = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp(start.as_microsecond()))
}
