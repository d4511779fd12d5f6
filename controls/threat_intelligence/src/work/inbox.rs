//! From bytes that somebody hands in to an item of the register with confirmed indicators.
//!
//! Invariants: the original is kept sealed and never changed; the same original is one item; what could not be decoded
//! is kept and asked about, never guessed; confirmed indicators are a file of lines (NDJSON) of their own, so each
//! confirmation stays what it was.

use indicators::{
    Direction, Kind,
    extract::{self, Labels, Notice, Word, mail},
    tlp::Level,
};
use model::{Assurance, Id, Table, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Blob, RecordDraft, Row, Store, StoreError, Write};
use stream::Encoding;

pub const ITEM: &str = "intel_item";
pub const SOURCE: &str = "intel_source";
pub const EXTRACTION: &str = "intel_extraction";
pub const RECEIVED: &str = "threat_intelligence.intel_received";
/// Values that stand in the row itself, for lists and search; the file has all.
const VALUES_IN_ROW: usize = 100;
const NAME_CHARS_MAX: usize = 120;
const DAY_CHARS: usize = "2026-11-29".len();
/// Originals that are read into memory.
pub const ORIGINAL_BYTES_MAX: u64 = mail::MAIL_BYTES_MAX as u64;

/// Why something is not taken.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// None of the encodings that a notice is written in.
    #[error("the encoding is not known")]
    Encoding,
    #[error("the original has {0} bytes, more than {ORIGINAL_BYTES_MAX}")]
    Large(u64),
    #[error("the original is empty")]
    Empty,
    #[error("the original is gone or does not open")]
    Gone,
    #[error("indicators: {0}")]
    Lines(#[from] serde_json::Error),
    #[error(transparent)]
    Labels(#[from] extract::LabelError),
    #[error(transparent)]
    Mail(#[from] mail::MailError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An original as text.
#[derive(Debug, Default)]
pub struct Original {
    /// Subject of a mail.
    pub subject: String,
    pub text: String,
    pub encoding: String,
    /// Names of what hangs on a mail.
    pub attachments: Vec<String>,
    pub is_cut: bool,
}

impl Original {
    /// A mail's subject is part of what it says.
    pub fn whole(&self) -> String {
        match self.subject.is_empty() {
            true => self.text.clone(),
            false => format!("{}\n\n{}", self.subject, self.text),
        }
    }
}

/// Reads bytes: a mail by its own header, a text by the encoding that is told or found.
pub fn read(bytes: &[u8], told: Option<Encoding>) -> Result<Original, InboxError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(InboxError::Empty);
    }
    if mail::is_mail(bytes) {
        let mail = mail::read(bytes)?;
        let attachments = mail.attachments.into_iter().map(|attachment| attachment.name).collect();
        let encoding = "mail".to_owned();
        return Ok(Original {
            subject: mail.subject,
            text: mail.text,
            encoding,
            attachments,
            is_cut: mail.is_cut,
        });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (text, encoding) = match told {
        Some(encoding) => stream::decode_as(bytes, encoding),
        None => stream::decode(bytes),
    };
    // What is told is believed, and shows what it cannot read.
    if encoding == Encoding::Unknown && told.is_none() || text.contains('\0') {
        return Err(InboxError::Encoding);
    }
    Ok(Original { text, encoding: encoding.name().to_owned(), ..Original::default() })
}

/// The original of a kept file.
pub async fn original(
    store: &Store,
    blob: &Blob,
    told: Option<Encoding>,
) -> Result<Original, InboxError> {
    if blob.bytes > ORIGINAL_BYTES_MAX {
        return Err(InboxError::Large(blob.bytes));
    }
    let bytes = store.whole_blob(blob).await?.ok_or(InboxError::Gone)?;
    read(&bytes, told)
}

/// The shipped labels with those of the register.
pub async fn labels(store: &Store) -> Result<Labels, InboxError> {
    let rows = store.all(Table::Rule, &[EXTRACTION]).await?;
    let active = rows.iter().filter(|row| row.status == "active");
    let words = active.flat_map(words).take(extract::WORDS_MAX).collect::<Vec<_>>();
    // A word that means nothing is left out, and the rest still speaks.
    let fits = |word: &Word| Labels::with(std::slice::from_ref(word)).is_ok();
    Ok(match Labels::with(&words) {
        Ok(labels) => labels,
        Err(_) => {
            let words: Vec<Word> = words.into_iter().filter(fits).collect();
            Labels::with(&words)?
        }
    })
}

fn words(rule: &Row) -> Vec<Word> {
    let text = |name: &str| rule.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
    let direction = match text("direction") {
        "out" | "destination" | "内→外" => Some(Direction::Destination),
        "in" | "source" | "外→内" => Some(Direction::Source),
        "both" | "内⇄外" => Some(Direction::Both),
        _ => None,
    };
    let listed = rule.attributes.get("labels").and_then(Json::as_array).into_iter().flatten();
    let word = |label: &Json| {
        Some(Word {
            text: label.as_str()?.to_owned(),
            about: text("indicator_type").to_owned(),
            direction,
        })
    };
    listed.filter_map(word).collect()
}

/// What somebody hands in.
pub struct Handed<'a> {
    pub source: &'a Row,
    pub blob: &'a Blob,
    pub original: &'a Original,
    pub notice: &'a Notice,
}

/// The item that an original is already.
pub async fn known(store: &Store, blob: &Blob) -> Result<Option<Id>, StoreError> {
    let users = store.blob_users(&blob.sha256, 50).await?;
    for (_, id) in users.iter().filter(|(table, _)| *table == Table::Asset) {
        let row = store.row(Table::Asset, *id).await?;
        let is_it = |row: &Row| {
            row.kind == ITEM
                && row.attributes.get("raw").and_then(Json::as_str) == Some(blob.sha256.as_str())
        };
        if row.is_some_and(|row| !row.deleted && is_it(&row)) {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}

/// Enters the item and the record that it was received.
pub async fn receive(
    store: &Store,
    write: &mut Write<'_>,
    handed: &Handed<'_>,
) -> Result<Id, StoreError> {
    let now = store.now();
    let row = write.put(row(store, handed)?).await?;
    let facts = json!({ "items": 1, "bytes": handed.blob.bytes, "refused": {} });
    write
        .record(RecordDraft {
            ty: RECEIVED.to_owned(),
            subject: Some(handed.source.id),
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.inbox".to_owned(),
            // A person says where it came from.
            assurance: Assurance::Attested,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: None,
        })
        .await?;
    Ok(row.id)
}

/// Labels before what a notice is about.
const ABOUT: [&str; 4] = ["件名", "表題", "題名", "Subject"];

/// The line of a text that says what it is about: the first that is more than signs or a marking.
fn about(text: &str) -> Option<String> {
    let lines = text.lines().map(|line| line.trim_matches(|c: char| !c.is_alphanumeric()));
    let says = |line: &&str| {
        let is_marking = Level::parse(line).is_some() || line.starts_with("取扱");
        !is_marking && line.chars().filter(|c| c.is_alphanumeric()).count() > 3
    };
    let line = lines.clone().find(says)?;
    let rest = ABOUT.iter().find_map(|label| line.strip_prefix(label)?.strip_prefix([':', '：']));
    Some(rest.unwrap_or(line).trim().to_owned())
}

/// The row of an item as it is received.
pub fn row(store: &Store, handed: &Handed<'_>) -> Result<Row, StoreError> {
    let mut row = Row::new(Table::Asset, store.new_id()?, ITEM, &name(handed));
    row.status = "active".to_owned();
    row.attributes = attributes(handed, store.now()).as_object().cloned().unwrap_or_default();
    Ok(row)
}

fn name(handed: &Handed<'_>) -> String {
    let subject = Some(handed.original.subject.trim()).filter(|text| !text.is_empty());
    let named = subject.map(str::to_owned).or_else(|| about(&handed.original.text));
    let named = named.unwrap_or_else(|| handed.blob.name.clone());
    named.replace(char::is_control, " ").chars().take(NAME_CHARS_MAX).collect()
}

fn attributes(handed: &Handed<'_>, now: Timestamp) -> Json {
    let day = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string());
    let default = handed.source.attributes.get("tlp_default").and_then(Json::as_str);
    // Unmarked, and nothing said of its source: not further than those who need it.
    let default = default.unwrap_or("amber").to_owned();
    let tlp = handed.notice.marking.map_or(default, |marking| tlp_word(marking.level).to_owned());
    let period = handed.notice.period;
    let mut all = json!({
        "source": handed.source.id,
        "received": now.rfc3339().chars().take(DAY_CHARS).collect::<String>(),
        "field": "technical",
        "tlp": tlp,
        "raw": handed.blob.sha256,
        "raw_encoding": handed.original.encoding,
    });
    for (name, date) in
        [("active_from", period.and_then(|p| p.from)), ("active_to", period.and_then(|p| p.to))]
    {
        if let Some(date) = day(date) {
            all[name] = json!(date);
        }
    }
    all
}

/// The word of a level in the register.
pub fn tlp_word(level: Level) -> &'static str {
    match level {
        Level::Clear => "clear",
        Level::Green => "green",
        Level::Amber => "amber",
        Level::AmberStrict => "amber_strict",
        Level::Red => "red",
    }
}

/// The level of a word of the register; what says nothing goes to nobody.
pub fn tlp_named(word: &str) -> Level {
    Level::ALL.into_iter().find(|level| tlp_word(*level) == word).unwrap_or(Level::Red)
}

/// A confirmed indicator, as the builder of sets reads lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub kind: String,
    pub value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The item that it came with.
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// What its producer allows at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
    /// Id of the peer's object that says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Its producer withdrew it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

/// A value that a person confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    pub kind: Kind,
    pub value: String,
    pub direction: Option<Direction>,
    pub period: Option<extract::Period>,
}

/// A value that is none of its kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub value: String,
    pub ja: String,
    pub en: String,
}

/// Confirmed values as the set of indicators takes them; a value that is none of its kind is named.
pub fn lines(
    item: &Row,
    confirmed: &[Confirmed],
    now: Timestamp,
) -> Result<Vec<Line>, Vec<Refused>> {
    let names = netname::Names::shipped();
    let day =
        |date: Option<jiff::civil::Date>, time: &str| date.map(|date| format!("{date}T{time}Z"));
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    for one in confirmed {
        match indicators::normalise(one.kind, &one.value, &names) {
            Ok(key) => lines.push(Line {
                kind: one.kind.as_str().to_owned(),
                value: key.text().to_owned(),
                scope: Some(key.scope().as_str().to_owned()),
                direction: one.direction.map(|direction| direction.as_str().to_owned()),
                source: item.id.to_string(),
                valid_from: day(one.period.and_then(|period| period.from), "00:00:00"),
                received: Some(now.rfc3339()),
                ..Line::default()
            }),
            Err(reject) => {
                let (ja, en) = reject.words();
                refused.push(Refused { value: one.value.clone(), ja, en });
            }
        }
    }
    if refused.is_empty() { Ok(lines) } else { Err(refused) }
}

/// Keeps lines as a file; gives its hash.
pub async fn keep(store: &Store, lines: &[Line], actor: &str) -> Result<Blob, InboxError> {
    let mut upload = store.upload().await?;
    for line in lines {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        upload.write(&text).await?;
    }
    Ok(store.keep(upload, "indicators.ndjson", actor).await?)
}

/// What the row of an item holds of them.
pub fn put_into(row: &mut Row, lines: &[Line], blob: &Blob) {
    let values: Vec<&str> =
        lines.iter().take(VALUES_IN_ROW).map(|line| line.value.as_str()).collect();
    row.attributes.insert("indicators".to_owned(), json!(values));
    row.attributes.insert("indicator_rows".to_owned(), json!(blob.sha256));
}

/// The confirmed lines of an item; none before the first confirmation.
pub async fn confirmed(store: &Store, row: &Row) -> Result<Option<Vec<Line>>, InboxError> {
    let Some(sha256) = row.attributes.get("indicator_rows").and_then(Json::as_str) else {
        return Ok(None);
    };
    let bytes = store.blob_bytes(sha256).await?.ok_or(InboxError::Gone)?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(Some(lines.map(serde_json::from_slice).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_decoded_is_asked_about() {
        assert!(matches!(read(b"ok \xff\xff\xfe\x81", None), Err(InboxError::Encoding)));
        assert!(read(b"ok \xff\xff", Some(Encoding::Utf8)).is_ok(), "what is told is believed");
        assert!(matches!(read(b" \r\n", None), Err(InboxError::Empty)));
        let sjis: &[u8] = b"\x92\xca\x90M\x90\xe6: 192.0.2.1";
        assert_eq!(read(sjis, None).expect("text").text, "通信先: 192.0.2.1");
    }

    #[test]
    fn a_notice_is_called_by_what_it_is_about_and_not_by_its_marking() {
        for (text, name) in [
            ("TLP:GREEN\n件名：製造業を狙うメール\n本文です", "製造業を狙うメール"),
            ("取扱注意（AMBER） 自組織限定\n\n■ 注意喚起のお知らせ", "注意喚起のお知らせ"),
            ("---\n\nSubject: Phishing wave\n", "Phishing wave"),
            ("件名なしの連絡", "件名なしの連絡"),
        ] {
            assert_eq!(about(text).as_deref(), Some(name), "{text}");
        }
        assert_eq!(about("TLP:RED\n---\n"), None);
    }

    #[test]
    fn a_value_that_is_none_of_its_kind_is_named() {
        let item = Row::new(Table::Asset, Id::nil(), ITEM, "x");
        let one = |kind, value: &str| Confirmed {
            kind,
            value: value.to_owned(),
            direction: None,
            period: None,
        };
        let good = [one(Kind::Domain, "Evil.Example.NET"), one(Kind::Ip, "192.0.2.1")];
        let kept = lines(&item, &good, Timestamp(0)).expect("lines");
        assert_eq!(kept[0].value, "evil.example.net");
        let refused =
            lines(&item, &[one(Kind::Ip, "999.1.1.1")], Timestamp(0)).expect_err("no address");
        assert_eq!(refused[0].value, "999.1.1.1");
        assert!(!refused[0].ja.is_empty() && !refused[0].en.is_empty());
    }
}
