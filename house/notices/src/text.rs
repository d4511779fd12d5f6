//! What a notice says, in the reader's language. Only the facts named here ever leave the house.

use jiff::tz::TimeZone;
use model::{Lang, Level, Text, t};
use serde_json::{Map, Value as Json};

/// Longest value of a fact in a text.
const VALUE_CHARS_MAX: usize = 200;

/// A kind of notice: its name and its sentence, with `{fact}` places.
struct Kind {
    name: &'static str,
    text: Text,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "level_dropped",
        text: t(
            "管理策 {control} のレベルが {from} から {to} に下がりました。",
            "The level of control {control} dropped from {from} to {to}.",
        ),
    },
    Kind {
        name: "finding",
        text: t(
            "検知しました：{title}。内容を確かめて判断してください。",
            "Found: {title}. Please look at it and judge it.",
        ),
    },
    Kind {
        name: "task_due",
        text: t(
            "タスク「{task}」の期限が近づいています（{due_at}）。",
            "The task “{task}” is due at {due_at}.",
        ),
    },
    Kind {
        name: "task_overdue",
        text: t(
            "タスク「{task}」の期限が過ぎました（{due_at}）。",
            "The task “{task}” was due at {due_at} and is still open.",
        ),
    },
    Kind {
        name: "task_escalated",
        text: t(
            "タスク「{task}」が期限（{due_at}）から{days}日たっても終わっていません。",
            "The task “{task}” has been overdue for {days} days (due at {due_at}).",
        ),
    },
    Kind {
        name: "approval_asked",
        text: t(
            "「{decision}」の承認が依頼されました。内容を確かめて署名してください。",
            "An approval of “{decision}” was asked for. Look at it and sign.",
        ),
    },
    Kind {
        name: "decision_expiring",
        text: t(
            "決定「{decision}」の有効期限が近づいています（{until_at}）。",
            "The decision “{decision}” expires at {until_at}.",
        ),
    },
    Kind {
        name: "job_failing",
        text: t(
            "ジョブ {job} が失敗しています。サーバーのログを確かめてください。",
            "The job {job} is failing. Look at the server's log.",
        ),
    },
    Kind {
        name: "ledger_fault",
        text: t(
            "証跡の検証で{faults}件の不一致が見つかりました（最初は {place}）。改ざんの疑いがあります。",
            "Verification of the ledger found {faults} mismatches (first at {place}). It may have been tampered with.",
        ),
    },
    Kind {
        name: "ledger_forked",
        text: t(
            "証跡が止まっています。公開済みの末尾（{published}件、{place}）に対して、手元は{size}件です。古いバックアップが復元された疑いがあります。証跡のページを確認してください。",
            "The ledger takes nothing: {published} leaves were published ({place}), and {size} are here. An older backup may have been restored. Look at the page of the ledger.",
        ),
    },
    Kind {
        name: "ledger_stopped",
        text: t(
            "証跡に書き込めません。記録は待たされています。ディスクの空きと、サーバーのログを確かめてください。",
            "The ledger cannot be written, and records wait. Look at the space on the disk and at the server's log.",
        ),
    },
    Kind {
        name: "csirt_drill",
        text: t(
            "CSIRTの応答訓練です。役割「{role}」として、リンクのページで応答してください。",
            "A CSIRT drill: please answer as {role} on the page of the link.",
        ),
    },
    Kind {
        name: "test", text: t("お知らせのテストです。", "This is a test of the notices.")
    },
];

/// The sentence of a notice.
pub fn sentence(kind: &str, facts: &Map<String, Json>, lang: Lang, zone: &TimeZone) -> String {
    let Some(known) = KINDS.iter().find(|k| k.name == kind) else { return kind.to_owned() };
    let mut out = String::new();
    let mut rest = known.text.get(lang);
    // Places are filled in one pass, so that a value never opens another place.
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&value(name, facts.get(name), lang, zone));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn value(name: &str, fact: Option<&Json>, lang: Lang, zone: &TimeZone) -> String {
    let text = match fact {
        None | Some(Json::Null) => "–".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if name.ends_with("_at")
        && let Ok(moment) = text.parse::<jiff::Timestamp>()
    {
        return moment.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    }
    if matches!(name, "from" | "to")
        && let Some(level) = Level::parse(&text)
    {
        let none = t("未達", "below 梅").get(lang);
        return if level == Level::None { none.to_owned() } else { level.sign().to_owned() };
    }
    text.chars().filter(|c| !c.is_control()).take(VALUE_CHARS_MAX).collect()
}

/// The subject of a mail with this many notices.
pub fn subject(sentences: &[String], lang: Lang) -> String {
    const SUBJECT_CHARS_MAX: usize = 100;
    match sentences {
        [one] => {
            let short: String = one.chars().take(SUBJECT_CHARS_MAX).collect();
            format!("[Ume] {short}")
        }
        many => match lang {
            Lang::Ja => format!("[Ume] お知らせ {}件", many.len()),
            Lang::En => format!("[Ume] {} notices", many.len()),
        },
    }
}

/// The body of a mail: sentences with their links, and why it was sent.
pub fn body(lines: &[(String, String)], settings_link: &str, lang: Lang) -> String {
    let mut out = String::new();
    for (sentence, link) in lines {
        out.push_str("- ");
        out.push_str(sentence);
        out.push('\n');
        if !link.is_empty() {
            out.push_str(&format!("  {link}\n"));
        }
    }
    let why = t(
        "このメールはUme（梅）が送りました。受け取り方は「お知らせ」のページで変えられます。",
        "Sent by Ume. Change what you get on the page “Notices”.",
    );
    out.push_str(&format!("\n-- \n{}\n", why.get(lang)));
    if !settings_link.is_empty() {
        out.push_str(&format!("{settings_link}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn say(kind: &str, facts: Json, lang: Lang) -> String {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        sentence(kind, facts.as_object().unwrap(), lang, &zone)
    }

    #[test]
    fn a_sentence_fills_its_places_in_the_readers_language_and_zone() {
        let facts = json!({"control": "8.9", "from": "take", "to": "none"});
        assert_eq!(
            say("level_dropped", facts.clone(), Lang::Ja),
            "管理策 8.9 のレベルが 竹 から 未達 に下がりました。"
        );
        assert_eq!(
            say("level_dropped", facts, Lang::En),
            "The level of control 8.9 dropped from 竹 to below 梅."
        );
        let due = json!({"task": "訓練", "due_at": "2026-11-25T08:00:00Z"});
        assert!(say("task_due", due, Lang::Ja).contains("2026-11-25 17:00"));
    }

    #[test]
    fn only_the_facts_a_sentence_names_get_out_and_none_opens_a_place() {
        let facts = json!({"job": "{error}\r\nBcc: x", "error": "password=open sesame"});
        let text = say("job_failing", facts, Lang::En);
        assert!(text.contains("{error}Bcc: x"), "{text}");
        assert!(!text.contains("sesame"));
    }

    #[test]
    fn every_sentence_has_the_same_places_in_both_languages() {
        let places = |text: &str| -> std::collections::BTreeSet<String> {
            text.split('{').skip(1).filter_map(|p| p.split('}').next()).map(str::to_owned).collect()
        };
        for kind in KINDS {
            assert_eq!(places(kind.text.ja), places(kind.text.en), "{}", kind.name);
        }
    }
}
