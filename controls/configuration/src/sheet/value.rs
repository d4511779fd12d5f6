//! Whether a design value, as people type it, is what a host has.
//!
//! Invariants: no clock and no locale; width, case and order of lists mean nothing, units and words for
//! on and off are understood; what is not understood is unclear, never equal.

use baseline::Value;
use reports::{fold, value};

/// What holding one against the other gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Equal,
    Differs,
    Unclear,
}

impl From<bool> for Held {
    fn from(equal: bool) -> Held {
        if equal { Held::Equal } else { Held::Differs }
    }
}

const ON: [&str; 20] = [
    "有効",
    "有効化",
    "enabled",
    "enable",
    "許可",
    "許可する",
    "使用",
    "使用する",
    "起動",
    "起動する",
    "自動",
    "自動起動",
    "active",
    "あり",
    "設定する",
    "オン",
    "利用する",
    "allow",
    "永久",
    "ロック",
];
const OFF: [&str; 22] = [
    "無効",
    "無効化",
    "disabled",
    "disable",
    "拒否",
    "禁止",
    "不許可",
    "許可しない",
    "使用しない",
    "停止",
    "手動",
    "起動しない",
    "inactive",
    "masked",
    "設定しない",
    "オフ",
    "利用しない",
    "deny",
    "拒否する",
    "禁止する",
    "static",
    "未使用",
];
const NOTHING: [&str; 10] =
    ["なし", "無し", "未設定", "設定なし", "none", "empty", "空", "空欄", "制限なし", "not set"];
const NEVER: [&str; 8] =
    ["無期限", "期限なし", "無制限", "never", "unlimited", "infinity", "期限無し", "なし"];
/// From this many days on a password is never too old, as shadow(5) has it.
const DAYS_NEVER: i64 = 99_999;

/// A word or mark for on or off.
fn switch(text: &str) -> Option<bool> {
    let folded = fold(text);
    match folded.as_str() {
        on if ON.contains(&on) => Some(true),
        off if OFF.contains(&off) => Some(false),
        _ => value::flag(text),
    }
}

/// Whether a design value says that nothing should be there.
pub fn is_nothing(design: &str) -> bool {
    NOTHING.contains(&fold(design).as_str())
}

/// Whether a cell leaves the value open.
pub fn is_open(design: &str) -> bool {
    let folded = fold(design);
    let open = ["n/a", "na", "該当なし", "該当無し", "対象外", "未定", "tbd", "適用外"];
    folded.is_empty()
        || open.contains(&folded.as_str())
        || folded.chars().all(|c| "-−―–—ー‐".contains(c))
}

/// Holds a design value against what a host has; `unit` is what a bare number means.
pub fn held(design: &str, actual: &Value, unit: &str) -> Held {
    match actual {
        Value::Absent => is_nothing(design).into(),
        Value::Bool(on) => switch(design).map_or(Held::Unclear, |wanted| (wanted == *on).into()),
        Value::Int(number) => numbers(design, *number, unit),
        Value::Quantity(number, of) => numbers(design, *number, of.as_str()),
        Value::Mode(bits) => mode(design).map_or(Held::Unclear, |wanted| (wanted == *bits).into()),
        Value::Text(bytes) => match bytes.as_str() {
            Some(text) => texts(design, text, unit),
            None => Held::Unclear,
        },
        Value::List(list) => lists(design, list, unit),
        Value::Secret(_) | Value::Map(_) => Held::Unclear,
    }
}

fn texts(design: &str, actual: &str, unit: &str) -> Held {
    if fold(design) == fold(actual) {
        // A path keeps its case; words do not.
        return (!actual.contains('/') || same_case(design, actual)).into();
    }
    if let (Some(wanted), Some(on)) = (switch(design), switch(actual)) {
        return (wanted == on).into();
    }
    if let Ok(number) = actual.trim().parse::<i64>() {
        return numbers(design, number, unit);
    }
    if actual.trim().is_empty() {
        return is_nothing(design).into();
    }
    let (wanted, there) = (pieces(design), pieces(actual));
    (wanted.len() > 1 && wanted == there).into()
}

fn same_case(a: &str, b: &str) -> bool {
    let plain = |text: &str| fold_width(text);
    plain(a) == plain(b)
}

/// Width and white space folded, case kept.
fn fold_width(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    text.nfkc().filter(|c| !c.is_whitespace()).collect()
}

/// The members of a list, sorted; a list of one line separates by comma, space or `・`.
fn pieces(text: &str) -> Vec<String> {
    let mut all: Vec<String> = text
        .split(|c: char| c.is_whitespace() || ",、，;；・".contains(c))
        .map(fold)
        .filter(|piece| !piece.is_empty())
        .collect();
    all.sort();
    all
}

fn lists(design: &str, list: &[Value], unit: &str) -> Held {
    if let [one] = list {
        let held = held(design, one, unit);
        if held != Held::Differs {
            return held;
        }
    }
    if list.is_empty() {
        return is_nothing(design).into();
    }
    let mut there: Vec<String> = list.iter().flat_map(|one| pieces(&one.shown())).collect();
    there.sort();
    (pieces(design) == there).into()
}

fn numbers(design: &str, actual: i64, unit: &str) -> Held {
    let Some(bound) = bound(design) else {
        let folded = fold(design);
        if NEVER.contains(&folded.as_str()) {
            return (!(0..DAYS_NEVER).contains(&actual)).into();
        }
        return match switch(design) {
            Some(on) => (on == (actual != 0)).into(),
            None if is_nothing(design) => Held::Differs,
            None => Held::Unclear,
        };
    };
    let here = scale(unit);
    let there = if bound.unit.is_empty() { here } else { scale_near(&bound.unit, here.0) };
    let (wanted, is) = match (there, here) {
        // A count, or a unit that one side leaves out: the bare numbers.
        ((Kind::None, _), _) | (_, (Kind::None, _)) => (bound.number, actual),
        ((a, by), (b, of)) if a == b => {
            match (bound.number.checked_mul(by), actual.checked_mul(of)) {
                (Some(wanted), Some(is)) => (wanted, is),
                _ => return Held::Unclear,
            }
        }
        _ => return Held::Unclear,
    };
    match bound.how {
        How::Exactly => is == wanted,
        How::AtLeast => is >= wanted,
        How::AtMost => is <= wanted,
        How::Over => is > wanted,
        How::Under => is < wanted,
    }
    .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Exactly,
    AtLeast,
    AtMost,
    Over,
    Under,
}

struct Bound {
    how: How,
    number: i64,
    unit: String,
}

const BEFORE: [(&str, How); 7] = [
    (">=", How::AtLeast),
    ("≧", How::AtLeast),
    ("<=", How::AtMost),
    ("≦", How::AtMost),
    ("最大", How::AtMost),
    (">", How::Over),
    ("<", How::Under),
];
const AFTER: [(&str, How); 6] = [
    ("以上", How::AtLeast),
    ("以下", How::AtMost),
    ("以内", How::AtMost),
    ("まで", How::AtMost),
    ("未満", How::Under),
    ("超", How::Over),
];

/// `90日以内`, `>= 8`, `5分`.
fn bound(design: &str) -> Option<Bound> {
    let folded = fold(design);
    let (mut rest, mut how) = (folded.as_str(), How::Exactly);
    if let Some((mark, said)) = BEFORE.iter().find(|(mark, _)| rest.starts_with(mark)) {
        (rest, how) = (&rest[mark.len()..], *said);
    }
    if let Some((mark, said)) = AFTER.iter().find(|(mark, _)| rest.ends_with(mark)) {
        (rest, how) = (&rest[..rest.len() - mark.len()], *said);
    }
    let amount = value::amount(rest).filter(|amount| !amount.about)?;
    Some(Bound { how, number: amount.number, unit: amount.unit })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    None,
    /// In milliseconds.
    Time,
    /// In bytes.
    Size,
}

/// Kind and factor of a unit.
fn scale(unit: &str) -> (Kind, i64) {
    scale_near(&fold(unit), Kind::None)
}

/// The same where `m` may be minutes or MiB.
fn scale_near(unit: &str, near: Kind) -> (Kind, i64) {
    if unit == "m" && near == Kind::Size {
        return (Kind::Size, 1 << 20);
    }
    match unit {
        "ms" | "ミリ秒" => (Kind::Time, 1),
        "s" | "sec" | "secs" | "second" | "seconds" | "秒" | "秒間" => (Kind::Time, 1_000),
        "m" | "min" | "mins" | "minute" | "minutes" | "分" | "分間" => (Kind::Time, 60_000),
        "h" | "hour" | "hours" | "時間" => (Kind::Time, 3_600_000),
        "d" | "day" | "days" | "日" | "日間" => (Kind::Time, 86_400_000),
        "w" | "week" | "weeks" | "週" | "週間" => (Kind::Time, 7 * 86_400_000),
        "b" | "byte" | "bytes" | "バイト" => (Kind::Size, 1),
        "k" | "kb" | "kib" => (Kind::Size, 1 << 10),
        "mb" | "mib" => (Kind::Size, 1 << 20),
        "g" | "gb" | "gib" => (Kind::Size, 1 << 30),
        _ => (Kind::None, 1),
    }
}

/// `0644`, `644`, `rw-r--r--`, `-rw-r--r--`.
fn mode(design: &str) -> Option<u16> {
    let folded = fold(design);
    if (3..=5).contains(&folded.len()) && folded.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        return u16::from_str_radix(&folded, 8).ok();
    }
    let letters = if folded.len() == 10 { folded.get(1..)? } else { &folded };
    if letters.len() != 9 || !letters.is_ascii() {
        return None;
    }
    let mut bits = 0u16;
    for (at, c) in letters.bytes().enumerate() {
        let bit = 1 << (8 - at);
        let special = [0o4000, 0o2000, 0o1000][at / 3];
        match (c, at % 3) {
            (b'-', _) => {}
            (b'r', 0) | (b'w', 1) | (b'x', 2) => bits |= bit,
            (b's', 2) if at < 8 => bits |= bit | special,
            (b't', 2) if at == 8 => bits |= bit | special,
            _ => return None,
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use baseline::Unit;

    use super::*;

    fn text(design: &str, actual: &str) -> Held {
        held(design, &Value::text(actual), "")
    }

    #[test]
    fn marks_and_words_for_on_and_off_meet_what_files_say() {
        for (design, actual) in [
            ("○", "yes"),
            ("有効", "enabled"),
            ("×", "no"),
            ("禁止", "No"),
            ("無効", "masked"),
            ("ＹＥＳ", "yes"),
        ] {
            assert_eq!(text(design, actual), Held::Equal, "{design} {actual}");
        }
        for (design, actual) in [("○", "no"), ("無効", "enabled"), ("no", "prohibit-password")]
        {
            assert_eq!(text(design, actual), Held::Differs, "{design} {actual}");
        }
        assert_eq!(held("有効", &Value::Int(1), ""), Held::Equal);
        assert_eq!(held("△", &Value::Bool(true), ""), Held::Unclear);
    }

    #[test]
    fn numbers_carry_their_units_and_bounds() {
        let days = Value::Quantity(90, Unit::Days);
        for design in ["90", "９０日", "90日以内", "90 days", ">=60", "2160時間", "100日未満"]
        {
            assert_eq!(held(design, &days, ""), Held::Equal, "{design}");
        }
        for design in ["60", "60日以内", "91日以上", "89日まで"] {
            assert_eq!(held(design, &days, ""), Held::Differs, "{design}");
        }
        assert_eq!(held("15分", &Value::text("900"), "s"), Held::Equal);
        assert_eq!(held("15", &Value::text("900"), "s"), Held::Differs);
        assert_eq!(held("2GB", &Value::Quantity(2 << 30, Unit::Bytes), ""), Held::Equal);
        assert_eq!(held("2日", &Value::Quantity(2, Unit::Bytes), ""), Held::Unclear);
        assert_eq!(held("無期限", &Value::Quantity(99_999, Unit::Days), ""), Held::Equal);
        assert_eq!(held("約90日", &days, ""), Held::Unclear);
    }

    #[test]
    fn lists_have_no_order_and_paths_keep_their_case() {
        let list = Value::texts(["ntp1.example.jp", "ntp2.example.jp"]);
        assert_eq!(held("ntp2.example.jp、\nｎｔｐ1.example.jp", &list, ""), Held::Equal);
        assert_eq!(held("ntp1.example.jp", &list, ""), Held::Differs);
        assert_eq!(text("/etc/Issue", "/etc/issue"), Held::Differs);
        assert_eq!(text("asia/tokyo", "Asia/Tokyo"), Held::Differs);
        assert_eq!(held("なし", &Value::Absent, ""), Held::Equal);
        assert_eq!(held("22", &Value::texts(["22"]), ""), Held::Equal);
    }

    #[test]
    fn modes_are_read_in_digits_and_letters() {
        for design in ["644", "0644", "rw-r--r--", "-rw-r--r--"] {
            assert_eq!(held(design, &Value::Mode(0o644), ""), Held::Equal, "{design}");
        }
        assert_eq!(mode("rwsr-xr-t"), Some(0o5755));
        assert_eq!(mode("rwrrwx---"), None);
    }

    #[test]
    fn no_text_panics() {
        for design in
            ["", "以上", ">=", "最大", "梅梅梅", "9223372036854775807時間", "00000", "é-x------"]
        {
            for actual in [
                Value::Int(i64::MAX),
                Value::Mode(0),
                Value::Quantity(i64::MIN, Unit::Days),
                Value::text("x"),
            ] {
                let _ = held(design, &actual, "d");
            }
        }
    }
}
