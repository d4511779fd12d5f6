//! Which threat indicator a finding is about, and what vouches for it.

use indicators::{Direction, Kind};
use model::{Id, Table, Timestamp, t};
use serde_json::Value as Json;
use store::{Store, StoreError};
use web::frame::Cx;

use crate::work::intel::PATTERN;

/// Why an event is a finding.
pub(super) struct Why {
    pub value: String,
    pub kind: String,
    /// The text of a pattern.
    pub pattern: String,
    pub source: String,
    /// Items with their names; one that is gone has none.
    pub items: Vec<(String, String)>,
    pub direction: &'static str,
    pub period: String,
    /// The observations of a pattern, or why it is undecided.
    pub seen: Vec<String>,
    pub is_undecided: bool,
    /// Where it is explained, if it is a value.
    pub explained: Option<String>,
}

/// Reads what the payload of a finding says of its indicator.
pub(super) async fn of(cx: &Cx, store: &Store, told: &Json) -> Result<Option<Why>, StoreError> {
    if !told.is_object() {
        return Ok(None);
    }
    let text = |name: &str| told[name].as_str().unwrap_or("").to_owned();
    let list = |name: &str| told[name].as_array().into_iter().flatten().filter_map(Json::as_str);
    let ids: Vec<Id> = list("items").filter_map(|id| id.parse().ok()).collect();
    let rows = match ids.is_empty() {
        true => Vec::new(),
        false => store.rows_by_id(Table::Asset, &ids).await?,
    };
    let item = |id: &Id| {
        let row = rows.iter().find(|row| row.id == *id && !row.deleted);
        (id.to_string(), row.map(|row| row.name.clone()).unwrap_or_default())
    };
    let (value, kind) = (text("value"), text("kind"));
    let is_pattern = kind == PATTERN;
    let explained = (!is_pattern)
        .then(|| format!("/intelligence/explain?value={}", urlencoding::encode(&value)));
    Ok(Some(Why {
        kind: match is_pattern {
            true => cx.t("パターン", "pattern").to_owned(),
            false => kind_text(cx, &kind).to_owned(),
        },
        value,
        pattern: text("pattern"),
        source: text("source"),
        items: ids.iter().map(item).collect(),
        direction: direction(cx, &text("direction")),
        period: period(cx, told["from"].as_i64(), told["until"].as_i64()),
        seen: list("seen").map(str::to_owned).collect(),
        is_undecided: told["undecided"].as_bool().unwrap_or(false),
        explained,
    }))
}

fn kind_text<'a>(cx: &Cx, word: &'a str) -> &'a str {
    let text = match Kind::named(word) {
        Some(Kind::Ip) => t("IPアドレス", "IP address"),
        Some(Kind::Cidr) => t("ネットワーク", "network"),
        Some(Kind::Domain) => t("ドメイン", "domain"),
        Some(Kind::Url) => t("URL", "URL"),
        Some(Kind::Email) => t("メールアドレス", "mail address"),
        Some(Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 | Kind::Ssdeep) => {
            t("ハッシュ値", "hash")
        }
        Some(Kind::FileName) => t("ファイル名", "file name"),
        Some(Kind::Path) => t("パス", "path"),
        Some(Kind::RegistryKey) => t("レジストリ", "registry key"),
        Some(Kind::UserAgent) => t("User-Agent", "user agent"),
        Some(Kind::Mutex | Kind::Asn) | None => return word,
    };
    cx.pick(&text)
}

fn direction(cx: &Cx, word: &str) -> &'static str {
    let text = match Direction::named(word) {
        Some(Direction::Destination) => t("内→外（接続先）", "from us to it"),
        Some(Direction::Source) => t("外→内（接続元）", "from it to us"),
        Some(Direction::Both) => t("両方向", "either way"),
        None => return "",
    };
    cx.pick(&text)
}

fn period(cx: &Cx, from: Option<i64>, until: Option<i64>) -> String {
    let time = |at: i64| cx.time(&Timestamp(at));
    match (from, until) {
        (None, None) => String::new(),
        (Some(from), None) => format!("{} –", time(from)),
        (from, Some(until)) => format!("{} – {}", from.map(time).unwrap_or_default(), time(until)),
    }
}
