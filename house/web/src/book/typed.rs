//! A cell's text as the JSON of a field. What is not understood is refused with the words that were
//! there; what was left out of a text is said as a warning.

use std::collections::BTreeMap;

use jiff::{civil, tz::TimeZone};
use model::{Choice, Field, FieldType, Lang, duration};
use reports::{fold, value};
use serde_json::Value as Json;

/// What a cell came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    Blank,
    Value(Json),
    Bad(String),
}

/// What the words of a sheet mean among the choices of a field, as somebody said.
pub(crate) type Meanings = BTreeMap<String, BTreeMap<String, String>>;

/// How cells of a file are read.
pub(crate) struct Reading<'z> {
    pub meanings: &'z Meanings,
    pub lang: Lang,
    pub since_1904: bool,
    pub zone: &'z TimeZone,
}

impl Reading<'_> {
    fn say(&self, ja: String, en: String) -> String {
        match self.lang {
            Lang::Ja => ja,
            Lang::En => en,
        }
    }

    fn bad(&self, text: &str, ja: &str, en: &str) -> (Read, Option<String>) {
        let text: String = text.chars().take(60).collect();
        let what = self.say(format!("「{text}」は{ja}"), format!("“{text}” {en}"));
        (Read::Bad(what), None)
    }

    /// Reads a cell for a field; a second text warns.
    pub(crate) fn read(&self, field: &Field, text: &str) -> (Read, Option<String>) {
        let good = |value: Json| (Read::Value(value), None);
        if text.is_empty() {
            return (Read::Blank, None);
        }
        let free = matches!(field.ty, FieldType::Text | FieldType::Multiline | FieldType::Boolean);
        let choice = matches!(field.ty, FieldType::Enum(_));
        if !free && !choice && value::is_blank(text) {
            return (Read::Blank, None);
        }
        match field.ty {
            FieldType::Number { unit, .. } => self.number(text, unit),
            FieldType::Money => self.number(text, ""),
            FieldType::Boolean => match value::flag(text) {
                Some(flag) => good(Json::Bool(flag)),
                None if value::is_blank(text) => (Read::Blank, None),
                None => self.bad(
                    text,
                    "はい・いいえのどちらか分かりません。○か×にしてください。",
                    "is neither yes nor no. Write ○ or ×.",
                ),
            },
            FieldType::Date => self.date(text),
            FieldType::Time => self.time(text),
            FieldType::Enum(choices) => {
                let said = self.meanings.get(field.name).and_then(|words| words.get(&fold(text)));
                match said.and_then(|value| choices.iter().find(|c| c.value == value)) {
                    Some(choice) => good(Json::from(choice.value)),
                    None => self.choice(choices, text),
                }
            }
            FieldType::Duration => match duration::read(text) {
                Some(length) => good(Json::from(length)),
                None => self.bad(text, "時間の長さとして読めません。", "is no length of time."),
            },
            FieldType::Period if text.parse::<jiff::Span>().is_ok() => good(Json::from(text)),
            FieldType::Period => match value::period(text) {
                Some((period, about)) => {
                    (Read::Value(Json::from(period)), about.then(|| self.rough(text)))
                }
                None => {
                    self.bad(text, "期間として読めません（例 7年）。", "is no period such as P7Y.")
                }
            },
            FieldType::Table(columns) => {
                good(crate::cells::rows(columns, text, |column, cell| self.inner(column, cell)))
            }
            FieldType::List => good(list(text)),
            FieldType::Object | FieldType::TextPair => match serde_json::from_str(text) {
                Ok(value) => good(value),
                Err(_) => self.bad(text, "JSONとして読めません。", "is no JSON."),
            },
            FieldType::Text
            | FieldType::Multiline
            | FieldType::Zone
            | FieldType::Party
            | FieldType::Reference(_)
            | FieldType::File
            | FieldType::Hash => good(Json::from(text)),
        }
    }

    fn inner(&self, column: &Field, cell: &str) -> Json {
        match self.read(column, cell).0 {
            Read::Value(value) => value,
            // Stays text, so that validation names row and column.
            Read::Blank | Read::Bad(_) => Json::from(cell),
        }
    }

    fn rough(&self, text: &str) -> String {
        self.say(
            format!("「{text}」の「約」「程度」などは取り込みません。"),
            format!("“{text}” is taken as exact."),
        )
    }

    fn number(&self, text: &str, unit: &str) -> (Read, Option<String>) {
        let Some(amount) = value::amount(text) else {
            return self.bad(text, "整数として読めません。", "is no whole number.");
        };
        let Some(number) = in_unit(amount.number, &amount.unit, unit) else {
            let ja = format!("単位が「{unit}」と合いません。");
            let en = format!("is not in “{unit}”.");
            return self.bad(text, &ja, &en);
        };
        let warning = match number == amount.number || amount.unit.is_empty() {
            _ if amount.about => Some(self.rough(text)),
            true => None,
            false => Some(self.say(
                format!("「{text}」を{number} {unit}に換算しました。"),
                format!("“{text}” was converted to {number} {unit}."),
            )),
        };
        (Read::Value(Json::from(number)), warning)
    }

    fn date(&self, text: &str) -> (Read, Option<String>) {
        let Some(day) = value::date(text, self.since_1904) else {
            return self.bad(
                text,
                "日付として読めません（例 2026-11-25、令和8年11月25日）。",
                "is no date such as 2026-11-25.",
            );
        };
        let warning = day.outside_era.then(|| {
            self.say(
                format!("「{text}」は元号の期間の外です。{}としました。", day.date),
                format!("“{text}” lies outside its era; taken as {}.", day.date),
            )
        });
        (Read::Value(Json::from(day.date.to_string())), warning)
    }

    fn time(&self, text: &str) -> (Read, Option<String>) {
        if text.parse::<jiff::Timestamp>().is_ok() {
            return (Read::Value(Json::from(text)), None);
        }
        let at = text.replace('/', "-").parse::<civil::DateTime>().ok();
        let at = at.or_else(|| Some(value::date(text, self.since_1904)?.date.at(0, 0, 0, 0)));
        match at.and_then(|at| self.zone.to_zoned_datetime(at).ok()) {
            Some(at) => {
                let text = at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                (Read::Value(Json::from(text)), None)
            }
            None => self.bad(text, "日時として読めません。", "is no time."),
        }
    }

    fn choice(&self, choices: &[Choice], text: &str) -> (Read, Option<String>) {
        let folded = fold(text);
        let bare = reports::without_brackets(&folded).map(|(head, _)| head);
        let names = |c: &Choice| [c.value, c.label.ja, c.label.en].map(fold);
        let is = |c: &&Choice| names(c).iter().any(|n| *n == folded || Some(n) == bare.as_ref());
        if let Some(choice) = choices.iter().find(is) {
            return (Read::Value(Json::from(choice.value)), None);
        }
        if value::is_blank(text) {
            return (Read::Blank, None);
        }
        // `業務用PC` is a PC; what is only part of a label says too little unless it begins it.
        let meets = |label: &str| {
            let (label, text) = (fold(label), folded.as_str());
            let long = |word: &str| word.chars().count() >= 2;
            (long(&label) && text.contains(&label)) || (long(text) && label.starts_with(text))
        };
        let near: Vec<&Choice> = choices.iter().filter(|c| meets(c.label.ja)).collect();
        if let [only] = near.as_slice() {
            let label = only.label.get(self.lang);
            let warning = self.say(
                format!("「{text}」を「{label}」としました。"),
                format!("“{text}” was taken as “{label}”."),
            );
            return (Read::Value(Json::from(only.value)), Some(warning));
        }
        let labels: Vec<&str> = choices.iter().map(|c| c.label.get(self.lang)).collect();
        let (ja, en) = (labels.join("、"), labels.join(", "));
        self.bad(text, &format!("選択肢にありません（{ja}）。"), &format!("is none of {en}."))
    }
}

/// Lines, or items between `;` and `、`. Our own exports have one item a line.
fn list(text: &str) -> Json {
    let apart: &[char] = if text.contains('\n') { &['\n'] } else { &[';', '、', '；'] };
    text.split(apart).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Sizes by the exponent of 1,024.
const SIZES: [(&[&str], u32); 5] = [
    (&["b", "byte", "バイト"], 0),
    (&["kb", "kib", "k"], 1),
    (&["mb", "mib", "m", "メガ"], 2),
    (&["gb", "gib", "g", "ギガ"], 3),
    (&["tb", "tib", "t"], 4),
];
/// Times in seconds.
const TIMES: [(&[&str], i64); 4] = [
    (&["s", "sec", "秒"], 1),
    (&["min", "minutes", "分", "分間"], 60),
    (&["h", "hours", "時間"], 3_600),
    (&["d", "days", "日", "日間"], 86_400),
];
const MONTHS: [(&[&str], i64); 2] = [
    (&["months", "か月", "ヶ月", "ヵ月", "カ月", "ケ月", "箇月", "月"], 1),
    (&["years", "年", "年間"], 12),
];
/// Longest word that may follow a plain count: `ライセンス`.
const COUNTER_CHARS_MAX: usize = 6;

/// The number in the unit wanted, if that is whole.
fn in_unit(number: i64, given: &str, wanted: &str) -> Option<i64> {
    let wanted_folded = fold(wanted);
    if given.is_empty() || given == wanted_folded {
        return Some(number);
    }
    let size = |unit: &str| SIZES.iter().find(|(names, _)| names.contains(&unit)).map(|(_, n)| *n);
    let scale = |table: &[(&[&str], i64)], unit: &str| {
        table.iter().find(|(names, _)| names.contains(&unit)).map(|(_, n)| *n)
    };
    if let (Some(from), Some(to)) = (size(given), size(&wanted_folded)) {
        let (up, down) = (1024i64.checked_pow(from)?, 1024i64.checked_pow(to)?);
        return whole(number, up, down);
    }
    for table in [&TIMES[..], &MONTHS[..]] {
        if let (Some(from), Some(to)) = (scale(table, given), scale(table, &wanted_folded)) {
            return whole(number, from, to);
        }
    }
    let percent = matches!(given, "%" | "パーセント");
    if percent && wanted == "‰" {
        return number.checked_mul(10);
    }
    let counter = wanted.is_empty() && given.chars().count() <= COUNTER_CHARS_MAX;
    let measured = size(given).is_some() && given != "m" && given != "t" && given != "k";
    (counter && !measured && !given.contains(['/', '+', '-'])).then_some(number)
}

fn whole(number: i64, up: i64, down: i64) -> Option<i64> {
    let scaled = i128::from(number) * i128::from(up);
    let down = i128::from(down);
    (scaled % down == 0).then(|| i64::try_from(scaled / down).ok()).flatten()
}

/// The text that an export writes for a value which is no choice, so that it comes back as it was.
pub(crate) fn plain(field: &Field, value: &Json) -> Option<String> {
    Some(match (field.ty, value) {
        (FieldType::Enum(_) | FieldType::Boolean | FieldType::Duration, _) => return None,
        (FieldType::Table(columns), value) => crate::cells::lines(columns, value, None).join("\n"),
        (FieldType::List, Json::Array(list)) => {
            list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
        }
        (_, Json::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::t;
    use serde_json::json;

    fn read(ty: FieldType, text: &str) -> (Read, bool) {
        let field = Field::new("x", t("x", "x"), ty);
        let zone = TimeZone::get("Asia/Tokyo").expect("zone");
        let meanings = Meanings::from([(
            "x".to_owned(),
            BTreeMap::from([("部外秘".to_owned(), "secret".to_owned())]),
        )]);
        let reading =
            Reading { meanings: &meanings, lang: Lang::Ja, since_1904: false, zone: &zone };
        let (read, warning) = reading.read(&field, text);
        (read, warning.is_some())
    }

    fn number(unit: &'static str) -> FieldType {
        FieldType::Number { unit, min: 0, max: 1 << 40 }
    }

    #[test]
    fn numbers_are_converted_to_the_unit_of_the_field_or_refused() {
        let value = |n: i64| Read::Value(json!(n));
        assert_eq!(read(number(""), "５ 件"), (value(5), false));
        assert_eq!(read(number("MiB"), "16GB"), (value(16_384), true));
        assert_eq!(read(number("GiB"), "64"), (value(64), false));
        assert_eq!(read(number("months"), "約3年"), (value(36), true));
        assert_eq!(read(number("d"), "7日"), (value(7), false));
        assert_eq!(read(number("min"), "2時間"), (value(120), true));
        assert_eq!(read(FieldType::Money, "3,500千円"), (value(3_500_000), false));
        assert_eq!(read(number(""), "-"), (Read::Blank, false));
        for (unit, text) in [("GiB", "5日"), ("h", "30分"), ("", "多数"), ("", "16GB")] {
            assert!(matches!(read(number(unit), text).0, Read::Bad(_)), "{unit} {text}");
        }
    }

    #[test]
    fn dates_times_marks_and_lists_are_read() {
        assert_eq!(read(FieldType::Date, "R5.4.1").0, Read::Value(json!("2023-04-01")));
        assert!(read(FieldType::Date, "平成35年3月31日").1);
        assert!(
            matches!(read(FieldType::Date, "23/4/1").0, Read::Bad(what) if what.contains("23/4/1"))
        );
        let at = Read::Value(json!("2026-04-01T09:30:00+09:00"));
        assert_eq!(read(FieldType::Time, "2026/04/01 09:30").0, at);
        assert_eq!(read(FieldType::Boolean, "有").0, Read::Value(json!(true)));
        assert_eq!(read(FieldType::Boolean, "－").0, Read::Blank);
        assert!(matches!(read(FieldType::Boolean, "△").0, Read::Bad(_)));
        assert_eq!(read(FieldType::List, "a、b;c").0, Read::Value(json!(["a", "b", "c"])));
        assert_eq!(read(FieldType::List, "a、b\nc").0, Read::Value(json!(["a、b", "c"])));
        assert_eq!(read(FieldType::Period, "7年").0, Read::Value(json!("P7Y")));
        assert_eq!(read(FieldType::Period, "P7Y").0, Read::Value(json!("P7Y")));
    }

    #[test]
    fn a_choice_is_met_by_any_of_its_names_and_by_one_near_label_with_a_warning() {
        const CHOICES: FieldType = FieldType::Enum(&[
            Choice { value: "secret", label: t("極秘", "Secret") },
            Choice { value: "internal", label: t("社外秘情報", "Internal") },
        ]);
        assert_eq!(read(CHOICES, "極秘（役員限り）"), (Read::Value(json!("secret")), false));
        assert_eq!(read(CHOICES, "ＩＮＴＥＲＮＡＬ"), (Read::Value(json!("internal")), false));
        assert_eq!(read(CHOICES, "社外秘"), (Read::Value(json!("internal")), true));
        assert_eq!(read(CHOICES, "部外秘"), (Read::Value(json!("secret")), false));
        assert!(matches!(read(CHOICES, "情報").0, Read::Bad(_)));
        assert!(matches!(read(CHOICES, "公開").0, Read::Bad(what) if what.contains("極秘")));
    }
}
