//! The rows of an old Statement of Applicability (適用宣言書) as imported answers about controls.
//!
//! Each row becomes a record `isms.soa_imported` about the norm's row: whether the control applies and
//! how far it is said to be done. It is what a document claimed, so no criterion passes or fails by
//! it. The reason, which may name people, lies in the payload and not in the leaf.

use std::collections::HashMap;

use model::{Assurance, Choice, Field, FieldType, Id, Lang, Table, Timestamp, t};
use reports::{fold, value};
use serde_json::{Map, Value as Json, json};
use store::{RecordDraft, Store, StoreError};

use super::Target;

pub(crate) const RECORD: &str = "isms.soa_imported";
const REASON_CHARS_MAX: usize = 4_000;
/// Kinds of norm that a number may mean, and what their numbers begin with.
pub(crate) const NORMS: [&str; 2] = ["annex_a", "annex_a_2013"];

const STATUS: [Choice; 5] = [
    Choice { value: "implemented", label: t("実施済み", "Implemented") },
    Choice { value: "partial", label: t("一部実施", "Partly") },
    Choice { value: "planned", label: t("計画中", "Planned") },
    Choice { value: "not_implemented", label: t("未実施", "Not implemented") },
    Choice { value: "unclear", label: t("不明", "Unclear") },
];

/// How people write each of them, by what the text contains; the first that fits counts.
const STATUS_WORDS: [(&str, &[&str]); 4] = [
    ("not_implemented", &["未実施", "未対応", "未導入", "していない", "notimplemented", "×"]),
    ("partial", &["一部", "部分", "△", "partly", "partial"]),
    ("planned", &["計画", "予定", "検討", "対応中", "planned"]),
    (
        "implemented",
        &["実施", "済", "運用中", "対応", "導入", "○", "◯", "〇", "◎", "✓", "implemented", "done"],
    ),
];

const FIELDS: &[Field] = &[
    Field::new("applicable", t("適用", "Applicable"), FieldType::Boolean).required().aliases(&[
        "適用要否",
        "適用の要否",
        "要否",
        "適用有無",
        "適用/除外",
        "適用・除外",
        "適用の有無",
        "選択",
    ]),
    Field::new("status", t("実施状況", "Status"), FieldType::Text).aliases(&[
        "実施状態",
        "実装状況",
        "導入状況",
        "対応状況",
        "状況",
        "実施の有無",
        "implementation status",
    ]),
    Field::new("reason", t("理由", "Reason"), FieldType::Multiline).aliases(&[
        "適用理由",
        "採用理由",
        "選択理由",
        "除外理由",
        "適用除外理由",
        "適用・除外の理由",
        "適用/除外の理由",
        "適用又は除外の理由",
        "管理策を含めた理由",
        "justification",
    ]),
];

/// Where such a table goes.
pub(crate) const TARGET: Target = Target {
    table: Table::Record,
    id: RECORD,
    title: t("適用宣言書", "Statement of Applicability"),
    fields: FIELDS,
    known_as: &[
        "適用宣言書",
        "適用宣言",
        "soa",
        "statementofapplicability",
        "管理策一覧",
        "附属書a",
    ],
    kind: None,
};

/// Headers of the column that names the control.
pub(crate) const CONTROL_HEADERS: [&str; 12] = [
    "管理策番号",
    "管理策no",
    "管理策no.",
    "附属書a",
    "附属書a番号",
    "附属書a管理策",
    "項番",
    "箇条",
    "管理策",
    "controlid",
    "control",
    "番号",
];

/// Norms by number, and what was imported about them before.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    norms: HashMap<String, Id>,
    known: HashMap<Id, Answer>,
}

#[derive(Debug)]
struct Answer {
    facts: Map<String, Json>,
    reason: Vec<u8>,
}

/// The newest answer about each of these norms.
pub(crate) async fn load(store: &Store, norms: &[store::Row]) -> Result<Answers, StoreError> {
    let mut answers = Answers::default();
    for row in norms {
        let number = row.attributes.get("number").and_then(Json::as_str).unwrap_or_default();
        answers.norms.insert(number.trim_start_matches("A.").to_owned(), row.id);
    }
    let records = store.latest_per_subject(&[RECORD]).await?;
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let mut reasons = store.payloads(&ids).await?;
    for record in records {
        if let Some(subject) = record.subject {
            let reason = reasons.remove(&record.id).unwrap_or_default();
            answers.known.insert(subject, Answer { facts: record.facts, reason });
        }
    }
    Ok(answers)
}

/// `A.5.7`, `附属書A 5.7`, `５．７ 脅威インテリジェンス`, `A.12.6.1`: the number alone.
fn number(text: &str) -> Option<String> {
    let folded = fold(text);
    let start = folded.find(|c: char| c.is_ascii_digit())?;
    let rest = &folded[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let number = rest[..end].trim_end_matches('.');
    let parts: Vec<&str> = number.split('.').collect();
    let good = |part: &&str| !part.is_empty() && part.len() <= 2;
    (matches!(parts.len(), 2 | 3) && parts.iter().all(good)).then(|| number.to_owned())
}

fn status(text: &str) -> &'static str {
    let folded = fold(text);
    let words = STATUS_WORDS.iter().find(|(_, words)| words.iter().any(|w| folded.contains(w)));
    match (words, value::flag(text)) {
        (Some((value, _)), _) => value,
        (None, Some(true)) => "implemented",
        (None, Some(false)) => "not_implemented",
        (None, None) => "unclear",
    }
}

/// `適用`, `○`, `適用除外`: whether the control applies.
fn applicable(text: &str) -> Option<bool> {
    let folded = fold(text);
    match folded.as_str() {
        "採用" | "選択" | "applicable" | "included" => Some(true),
        "notapplicable" | "n/a" | "excluded" | "非適用" | "不採用" => Some(false),
        word if word.contains("除外") => Some(false),
        _ => value::flag(text),
    }
}

/// A row as read.
pub(crate) struct Row<'c> {
    pub control: &'c str,
    pub applicable: &'c str,
    pub status: &'c str,
    pub reason: &'c str,
}

/// Which cell is wrong, and why.
pub(crate) enum Fault {
    Control(String),
    Applicable(String),
    Reason(String),
}

/// The record of a row; `None` where the newest says the same.
pub(crate) fn draft(
    answers: &Answers,
    row: &Row<'_>,
    file: &str,
    lang: Lang,
) -> Result<(Id, Option<RecordDraft>), Fault> {
    let say = |ja: &str, en: &str| if lang == Lang::Ja { ja } else { en }.to_owned();
    let number = number(row.control);
    let norm = number.as_ref().and_then(|number| Some((number, *answers.norms.get(number)?)));
    let Some((number, norm)) = norm else {
        let what = say(
            "附属書Aの管理策番号（例 A.5.7）ではありません。",
            "is no control of Annex A such as A.5.7.",
        );
        return Err(Fault::Control(format!("「{}」{what}", row.control)));
    };
    let Some(applies) = applicable(row.applicable) else {
        return Err(Fault::Applicable(say(
            "適用か除外かが分かりません。「適用」か「除外」にしてください。",
            "Whether it applies is not clear. Write ○ or ×.",
        )));
    };
    if row.reason.chars().count() > REASON_CHARS_MAX {
        return Err(Fault::Reason(say(
            "4000文字以内にしてください。",
            "At most 4,000 characters.",
        )));
    }
    let mut facts = Map::new();
    facts.insert("control".into(), json!(number));
    facts.insert("applicable".into(), json!(applies));
    if !row.status.is_empty() {
        facts.insert("status".into(), json!(status(row.status)));
    }
    let same = answers.known.get(&norm).is_some_and(|known| {
        let said = |name: &str| known.facts.get(name) == facts.get(name);
        said("applicable") && said("status") && known.reason == row.reason.as_bytes()
    });
    if same {
        return Ok((norm, None));
    }
    facts.insert("file".into(), json!(file));
    let draft = RecordDraft {
        ty: RECORD.to_owned(),
        subject: Some(norm),
        observed_from: Timestamp(0),
        observed_to: Timestamp(0),
        source: "workbook".to_owned(),
        assurance: Assurance::Imported,
        facts,
        payload: (!row.reason.is_empty()).then(|| row.reason.as_bytes().to_vec()),
    };
    Ok((norm, Some(draft)))
}

/// The words of a status, for the declaration of the record.
pub const STATUSES: &[Choice] = &STATUS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_found_in_whatever_stands_around_its_number() {
        for text in ["A.5.7", "5.7", "附属書A 5.7", "５．７ 脅威インテリジェンス", "A 5.7"]
        {
            assert_eq!(number(text).as_deref(), Some("5.7"), "{text}");
        }
        assert_eq!(number("A.12.6.1").as_deref(), Some("12.6.1"));
        for text in ["", "5", "方針", "5.", "2022.11.25", "5.7.1.2"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn what_applies_and_how_far_it_is_done_is_read_from_marks_and_words() {
        for (text, applies) in [
            ("適用", true),
            ("○", true),
            ("適用除外", false),
            ("×", false),
            ("除外（該当業務なし）", false),
        ] {
            assert_eq!(applicable(text), Some(applies), "{text}");
        }
        assert_eq!(applicable("検討"), None);
        for (text, value) in [
            ("実施済", "implemented"),
            ("一部実施", "partial"),
            ("未実施", "not_implemented"),
            ("2026年度実施予定", "planned"),
            ("○", "implemented"),
            ("×", "not_implemented"),
            ("？", "unclear"),
        ] {
            assert_eq!(status(text), value, "{text}");
        }
    }
}
