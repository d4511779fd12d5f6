//! A snapshot as one page. Pure: the same snapshot is the same page, on paper and on the screen.

use model::{Lang, Text, Timestamp, t};
use reports::pdf::{Block, Entry, Sheet};

use super::{
    Horizon,
    criterion::Trigger,
    evidence::level,
    hits::Named,
    snapshot::{HitLine, OrderLine, Said, Snapshot},
};

const ASSETS_SHOWN: usize = 5;
const MINUTE_CHARS: usize = "2026-11-29T10:00".len();
const HITS_WEIGHT: usize = 3;

fn say(said: &Said, lang: Lang) -> &str {
    match lang {
        Lang::Ja => &said.ja,
        Lang::En => &said.en,
    }
}

/// The page in one language; `hash` is that of the snapshot.
pub fn sheet(snapshot: &Snapshot, hash: &str, lang: Lang) -> Sheet {
    let pick = |text: Text| text.get(lang).to_owned();
    let is_short = snapshot.horizon == Horizon::Short.as_str();
    let title = match is_short {
        true => t("脅威の要約（短期）", "Threat brief (short term)"),
        false => t("脅威の要約（中長期）", "Threat brief (mid and long term)"),
    };
    let more = pick(t("ほか{n}件", "+{n} more"));
    let block = |title: Text, empty: Text, entries: Vec<Entry>, beyond: i64, weight| Block {
        title: pick(title),
        entries,
        beyond: usize::try_from(beyond).unwrap_or(0),
        empty: pick(empty),
        more: more.clone(),
        weight,
    };
    let plain = |lines: &[Said]| -> Vec<Entry> {
        let one = |line: &Said| Entry { strong: String::new(), text: say(line, lang).to_owned() };
        lines.iter().map(one).collect()
    };
    let none = t("なし", "None");
    Sheet {
        language: if lang == Lang::Ja { "ja" } else { "en" },
        heading: snapshot.organisation.clone(),
        title: pick(title),
        mark: snapshot.level().as_str().to_owned(),
        lead: headline(snapshot, lang),
        facts: facts(snapshot, lang),
        blocks: vec![
            block(
                t("該当した脅威", "What meets the criteria"),
                t("該当はありません。", "Nothing meets the criteria."),
                snapshot.hits.iter().map(|hit| of_hit(hit, lang)).collect(),
                snapshot.hits_beyond,
                HITS_WEIGHT,
            ),
            block(
                t("判断をお願いしたいこと", "Decisions asked of you"),
                none,
                plain(&snapshot.asked),
                0,
                1,
            ),
            block(
                t("進行中の指示", "Open orders"),
                none,
                snapshot.orders.iter().map(|order| of_order(order, lang)).collect(),
                0,
                1,
            ),
            block(t("対応したこと", "What was done"), none, plain(&snapshot.done), 0, 1),
            block(t("見通し", "Outlook"), none, plain(&snapshot.outlook), 0, 1),
        ],
        foot: foot(snapshot, hash, lang),
        code: Some(format!("ume.brief {hash}")),
    }
}

fn foot(snapshot: &Snapshot, hash: &str, lang: Lang) -> Vec<String> {
    let tlp = snapshot.level().as_str();
    let kept = t(
        "記録したデータから作成し、データの控えは台帳に封印して保管しています。",
        "Made from recorded data alone; the data itself is kept sealed.",
    );
    let far = t("取扱区分を超えて渡さないこと", "Not to go further than its marking");
    vec![format!("{tlp} – {}", far.get(lang)), kept.get(lang).to_owned(), format!("SHA-256 {hash}")]
}

/// The one sentence that says how things stand.
pub fn headline(snapshot: &Snapshot, lang: Lang) -> String {
    let all =
        i64::try_from(snapshot.hits.len()).unwrap_or(i64::MAX).saturating_add(snapshot.hits_beyond);
    let new = snapshot.hits.iter().filter(|hit| hit.is_new).count();
    let is_exposed = |hit: &&HitLine| hit.assets.iter().any(|a| a.faces_internet || a.is_important);
    let exposed = snapshot.hits.iter().filter(is_exposed).count();
    let late = snapshot.orders.iter().filter(|order| order.days_late.is_some()).count();
    let is_short = snapshot.horizon == Horizon::Short.as_str();
    let mut text = match (lang, all, is_short) {
        (Lang::Ja, 0, true) => "すぐに知らせるべき脅威はありません。".to_owned(),
        (Lang::Ja, 0, false) => "経営の方針に関わる新しい脅威はありません。".to_owned(),
        (Lang::En, 0, true) => "No threat has to be told at once.".to_owned(),
        (Lang::En, 0, false) => "No new threat bears on strategy.".to_owned(),
        (Lang::Ja, all, true) => format!(
            "すぐに知らせるべき脅威が{all}件（新規{new}件）あり、うち{exposed}件は公開中または重要な資産に関わります。"
        ),
        (Lang::Ja, all, false) => {
            format!("経営の方針に関わる脅威が{all}件（新規{new}件）あります。")
        }
        (Lang::En, all, true) => format!(
            "{all} threats do not wait ({new} new); {exposed} concern assets that face the Internet or are important."
        ),
        (Lang::En, all, false) => format!("{all} threats bear on strategy ({new} new)."),
    };
    match (lang, late) {
        (_, 0) => {}
        (Lang::Ja, late) => text.push_str(&format!("期限を過ぎた指示が{late}件あります。")),
        (Lang::En, late) => text.push_str(&format!(" {late} orders are overdue.")),
    }
    text
}

fn facts(snapshot: &Snapshot, lang: Lang) -> Vec<(String, String)> {
    let pick = |text: Text| text.get(lang).to_owned();
    let first = snapshot.hits.iter().filter_map(|hit| hit.due.as_deref()).min();
    let mut facts = vec![
        (pick(t("発行", "Issued")), minute(&snapshot.made_at)),
        (pick(t("報告の期限", "Due")), first.map_or_else(|| "–".to_owned(), minute)),
    ];
    if let Some(day) = &snapshot.review_on {
        facts.push((pick(t("次のレビュー", "Next review")), day.clone()));
    }
    if snapshot.left_out > 0 {
        let count = snapshot.left_out;
        let value = match lang {
            Lang::Ja => format!("TLP:RED {count}件（担当者が直接お伝えします）"),
            Lang::En => format!("{count} TLP:RED (told in person)"),
        };
        facts.push((pick(t("記載しない情報", "Left out")), value));
    }
    facts
}

/// A moment to the minute, in UTC, as it stands in the snapshot.
fn minute(at: &str) -> String {
    let text = at.get(..MINUTE_CHARS).unwrap_or(at).replace('T', " ");
    match Timestamp::parse(at) {
        Some(_) => format!("{text} UTC"),
        None => text,
    }
}

/// What a hit met, in words.
pub fn trigger_text(word: &str) -> Text {
    Trigger::named(word).map_or(t("幹部への報告と判定", "Judged to be briefed"), Trigger::text)
}

fn of_hit(hit: &HitLine, lang: Lang) -> Entry {
    let trigger = trigger_text(&hit.trigger);
    let new = match (hit.is_new, lang) {
        (false, _) => "",
        (true, Lang::Ja) => "［新規］",
        (true, Lang::En) => "[new] ",
    };
    let strong = match lang {
        Lang::Ja => format!("{new}{}：{}", trigger.ja, say(&hit.title, lang)),
        Lang::En => format!("{new}{}: {}", trigger.en, say(&hit.title, lang)),
    };
    let mut parts = Vec::new();
    if !hit.assets.is_empty() {
        parts.push(assets(&hit.assets, lang));
    }
    if let Some(due) = &hit.due {
        parts.push(format!("{} {}", t("期限", "due").get(lang), minute(due)));
    }
    if !hit.advice.is_empty() {
        parts.push(format!("{}{}", t("推奨：", "advice: ").get(lang), hit.advice));
    }
    parts.push(level(&hit.tlp).as_str().to_owned());
    Entry { strong, text: parts.join(" / ") }
}

fn assets(all: &[Named], lang: Lang) -> String {
    let one = |asset: &Named| {
        let mut marks = Vec::new();
        if asset.faces_internet {
            marks.push(t("公開", "Internet").get(lang));
        }
        if asset.is_important {
            marks.push(t("重要", "important").get(lang));
        }
        match (marks.is_empty(), lang) {
            (true, _) => asset.name.clone(),
            (false, Lang::Ja) => format!("{}（{}）", asset.name, marks.join("・")),
            (false, Lang::En) => format!("{} ({})", asset.name, marks.join(", ")),
        }
    };
    let shown: Vec<String> = all.iter().take(ASSETS_SHOWN).map(one).collect();
    let mut text =
        format!("{}{}", t("対象：", "assets: ").get(lang), shown.join(t("、", ", ").get(lang)));
    if all.len() > ASSETS_SHOWN {
        text.push_str(&format!(" +{}", all.len() - ASSETS_SHOWN));
    }
    text
}

fn of_order(order: &OrderLine, lang: Lang) -> Entry {
    let owner = if order.owner.is_empty() { "–" } else { &order.owner };
    let due = if order.due.is_empty() { "–" } else { &order.due };
    let mut text = match lang {
        Lang::Ja => format!("担当 {owner}、期限 {due}"),
        Lang::En => format!("{owner}, due {due}"),
    };
    match (order.days_late, lang) {
        (None, _) => {}
        (Some(days), Lang::Ja) => text.push_str(&format!("（{days}日超過）")),
        (Some(days), Lang::En) => text.push_str(&format!(" ({days} days overdue)")),
    }
    Entry { strong: order.text.clone(), text }
}
