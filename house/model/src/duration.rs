//! Lengths of time: kept as ISO 8601 (`PT4H30M`), typed and shown as people write them.

use crate::Lang;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
const MINUTE: i64 = 60;
/// A hundred years: what is longer is a period of the calendar.
const SECONDS_MAX: i64 = 36_525 * DAY;

/// Seconds of a length as it is kept; `None` for what is none, or a negative one.
pub fn seconds(text: &str) -> Option<i64> {
    if !text.starts_with("PT") {
        return None;
    }
    let length: jiff::SignedDuration = text.parse().ok()?;
    let whole = length.subsec_nanos() == 0 && (0..=SECONDS_MAX).contains(&length.as_secs());
    whole.then(|| length.as_secs())
}

/// The same length as it is kept.
pub fn iso(seconds: i64) -> String {
    let parts = [(seconds / HOUR, 'H'), (seconds / MINUTE % 60, 'M'), (seconds % 60, 'S')];
    let text: String =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "PT0S".to_owned() } else { format!("PT{text}") }
}

/// Reads what people write: `4h30m`, `4時間30分`, `90分`, `4:30`, `2 days`, `PT4H30M`.
pub fn read(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .filter(|c| !c.is_whitespace())
        .collect();
    if let Some(seconds) = seconds(&plain.to_ascii_uppercase()) {
        return Some(iso(seconds));
    }
    let sum = match plain.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => {
            let minutes: i64 = minutes.parse().ok().filter(|m| (0..60).contains(m))?;
            hours.parse::<i64>().ok()?.checked_mul(HOUR)?.checked_add(minutes * MINUTE)?
        }
        _ => sum_of_parts(&plain)?,
    };
    (0..=SECONDS_MAX).contains(&sum).then(|| iso(sum))
}

fn sum_of_parts(mut text: &str) -> Option<i64> {
    let (mut sum, mut last) = (0i64, i64::MAX);
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let n: i64 = text[..digits].parse().ok()?;
        text = &text[digits..];
        let end = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match &text[..end] {
            "日" | "d" | "day" | "days" => DAY,
            "時間" | "h" | "hour" | "hours" => HOUR,
            "分" | "m" | "min" | "minutes" => MINUTE,
            "秒" | "s" | "sec" | "seconds" => 1,
            _ => return None,
        };
        if unit >= last {
            return None;
        }
        (last, text) = (unit, &text[end..]);
        sum = sum.checked_add(n.checked_mul(unit)?)?;
    }
    (last != i64::MAX).then_some(sum)
}

/// A kept length as people read it; what is none stays as it is.
pub fn show(text: &str, lang: Lang) -> String {
    let Some(seconds) = seconds(text) else { return text.to_owned() };
    let units = match lang {
        Lang::Ja => ["日", "時間", "分", "秒"],
        Lang::En => [" d", " h", " min", " s"],
    };
    let parts = [seconds / DAY, seconds / HOUR % 24, seconds / MINUTE % 60, seconds % 60];
    let words: Vec<String> = parts
        .iter()
        .zip(units)
        .filter(|(n, _)| **n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    match words.is_empty() {
        true => format!("0{}", units[2]),
        false => words.join(if lang == Lang::Ja { "" } else { " " }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_what_is_shown_is_read_back() {
        for (text, kept) in [
            ("4h30m", "PT4H30M"),
            ("４時間３０分", "PT4H30M"),
            ("90分", "PT1H30M"),
            ("4:30", "PT4H30M"),
            ("2 days", "PT48H"),
            ("pt45s", "PT45S"),
            ("0分", "PT0S"),
        ] {
            assert_eq!(read(text).as_deref(), Some(kept), "{text}");
            for lang in [Lang::Ja, Lang::En] {
                assert_eq!(read(&show(kept, lang)).as_deref(), Some(kept), "{kept}");
            }
        }
        for bad in
            ["", "soon", "4", "-4h", "30m4h", "4h4h", "1:75", "P1M", "PT-1H", "999999999999d"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
