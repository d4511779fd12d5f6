//! OSCAL's scalar types: which texts each of them takes.

use uuid::Uuid;

/// A scalar type of the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Any text; Markdown in most places
    Text,
    /// One line of Markdown, not empty
    Line,
    /// One line without white space at its ends
    String,
    /// An XML name without colon: begins with a letter or `_`
    Token,
    /// UUID of version 4 or 5
    Uuid,
    /// RFC 3339 instant; a zone is a must
    DateTime,
    /// Day, with or without zone
    Date,
    Uri,
    Email,
    Base64,
    Enum(Vec<&'static str>),
    Boolean,
    Integer {
        min: Option<u8>,
    },
}

impl Scalar {
    /// The type of that name in the model file.
    pub(crate) fn of(name: &'static str) -> Option<Scalar> {
        Some(match name {
            "text" => Scalar::Text,
            "line" => Scalar::Line,
            "string" => Scalar::String,
            "token" => Scalar::Token,
            "uuid" => Scalar::Uuid,
            "datetime" => Scalar::DateTime,
            "date" => Scalar::Date,
            "uri" => Scalar::Uri,
            "email" => Scalar::Email,
            "base64" => Scalar::Base64,
            "boolean" => Scalar::Boolean,
            "natural" => Scalar::Integer { min: Some(0) },
            "positive" => Scalar::Integer { min: Some(1) },
            other => Scalar::Enum(other.strip_prefix("enum:")?.split('|').collect()),
        })
    }

    /// Whether JSON writes values of this type as texts.
    pub(crate) fn is_text(&self) -> bool {
        !matches!(self, Scalar::Boolean | Scalar::Integer { .. })
    }

    /// Whether a text is of this type.
    pub fn takes(&self, text: &str) -> bool {
        match self {
            Scalar::Text => true,
            Scalar::Line => !text.is_empty() && !text.contains('\n'),
            Scalar::String => is_string(text),
            Scalar::Token => is_token(text),
            Scalar::Uuid => is_uuid(text),
            Scalar::DateTime => instant(text) == Instant::WithZone,
            Scalar::Date => is_date(text),
            Scalar::Uri => is_uri(text),
            Scalar::Email => is_email(text),
            Scalar::Base64 => is_base64(text),
            Scalar::Enum(allowed) => allowed.contains(&text),
            Scalar::Boolean | Scalar::Integer { .. } => false,
        }
    }

    /// Whether the text of a JSON number is of this type.
    pub(crate) fn takes_number(&self, text: &str) -> bool {
        match self {
            Scalar::Integer { min } => match text.parse::<i128>() {
                Ok(n) => min.is_none_or(|min| n >= i128::from(min)),
                Err(_) => false,
            },
            _ => false,
        }
    }
}

fn is_string(text: &str) -> bool {
    let inner = text.trim_matches(|c: char| c.is_whitespace());
    !text.is_empty() && inner.len() == text.len() && !text.contains('\n')
}

/// Whether a text can be the id of a control, part, parameter or role.
pub fn is_token(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

fn starts_name(c: char) -> bool {
    matches!(c,
        '_' | 'A'..='Z' | 'a'..='z'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
        | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
        | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}')
}

fn continues_name(c: char) -> bool {
    starts_name(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Whether a text is a UUID in its usual form, of version 4 or 5: OSCAL takes no other.
pub fn is_uuid(text: &str) -> bool {
    let Ok(id) = Uuid::try_parse(text) else {
        return false;
    };
    let rfc = matches!(text.as_bytes().get(19), Some(b'8' | b'9' | b'a' | b'b' | b'A' | b'B'));
    text.len() == 36 && rfc && matches!(id.get_version_num(), 4 | 5)
}

/// What a text says about a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instant {
    WithZone,
    WithoutZone,
    None,
}

/// Judges an RFC 3339 date and time; `24:00` and leap seconds are none, other readers refuse them.
pub(crate) fn instant(text: &str) -> Instant {
    let Some((day, time)) = text.split_once('T') else {
        return Instant::None;
    };
    if !is_day(day) || !time.is_ascii() || !is_clock(time.get(..8).unwrap_or("")) {
        return Instant::None;
    }
    let rest = &time[8..];
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return Instant::None;
            }
            &fraction[digits..]
        }
        None => rest,
    };
    match zone {
        "" => Instant::WithoutZone,
        zone if is_zone(zone) => Instant::WithZone,
        _ => Instant::None,
    }
}

fn is_date(text: &str) -> bool {
    match text.get(..10) {
        Some(day) => is_day(day) && (text.len() == 10 || is_zone(&text[10..])),
        None => false,
    }
}

fn number(text: Option<&str>) -> Option<u32> {
    let text = text?;
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn is_day(text: &str) -> bool {
    let parts = (number(text.get(..4)), number(text.get(5..7)), number(text.get(8..)));
    let (Some(year), Some(month), Some(day)) = parts else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    dashes && year > 0 && (1..=days).contains(&day)
}

fn is_clock(text: &str) -> bool {
    let parts = (number(text.get(..2)), number(text.get(3..5)), number(text.get(6..)));
    let (Some(hour), Some(minute), Some(second)) = parts else {
        return false;
    };
    let colons = text.len() == 8 && text.get(2..3) == Some(":") && text.get(5..6) == Some(":");
    colons && hour < 24 && minute < 60 && second < 60
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let (Some(hour), Some(minute)) = (number(text.get(1..3)), number(text.get(4..))) else {
        return false;
    };
    let form = text.len() == 6 && text.starts_with(['+', '-']) && text.get(3..4) == Some(":");
    form && hour < 15 && minute < 60
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let begins = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    letters && begins && !rest.is_empty() && !text.contains(|c: char| c.is_whitespace())
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels = domain.split('.').all(|label| !label.is_empty());
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    plain && !local.is_empty() && labels && domain.contains('.')
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let letters = body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    letters && !body.is_empty() && text.len() - body.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cannot_begin_with_a_digit() {
        for good in ["a.5.7", "_x", "ac-6.1_obj", "管理策-1"] {
            assert!(is_token(good), "{good}");
        }
        for bad in ["", "5.7", "a b", "-a", ".a", "a:b", "a/b", "a\n"] {
            assert!(!is_token(bad), "{bad}");
        }
    }

    #[test]
    fn uuids_of_version_4_and_5_only_and_in_the_usual_form() {
        assert!(is_uuid("74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724"));
        assert!(is_uuid("74C8BA1E-5CD4-5AD1-ABFD-D888E2F6C724"));
        let bad = [
            "01933f2a-5cd4-7ad1-bbfd-d888e2f6c724",
            "74c8ba1e-5cd4-4ad1-cbfd-d888e2f6c724",
            "74c8ba1e5cd44ad1bbfdd888e2f6c724",
            "{74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724}",
            "urn:uuid:74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724",
            "",
        ];
        for bad in bad {
            assert!(!is_uuid(bad), "{bad}");
        }
    }

    #[test]
    fn instants_need_a_zone_and_a_day_that_exists() {
        for good in ["2024-02-29T00:00:00Z", "2024-02-01T13:57:28.355446-04:00"] {
            assert_eq!(instant(good), Instant::WithZone, "{good}");
        }
        for half in ["2024-02-29T00:00:00", "2024-02-29T00:00:00.5"] {
            assert_eq!(instant(half), Instant::WithoutZone, "{half}");
        }
        let bad = [
            "2023-02-29T00:00:00Z",
            "2024-02-29",
            "2024-02-29T24:00:00Z",
            "2024-02-29T00:00:60Z",
            "2024-02-29T00:00:00.Z",
            "2024-02-29T00:00Z",
            "2024-02-29T00:00:00+0900",
            "2024-2-29T00:00:00Z",
            "令和6年",
            "2024-02-29Tああああ",
        ];
        for bad in bad {
            assert_eq!(instant(bad), Instant::None, "{bad}");
        }
        assert!(is_date("2026-11-28") && is_date("2026-11-28+09:00"));
        assert!(!is_date("2026-11-31") && !is_date("2026-11-28 ") && !is_date("2026-11"));
    }

    #[test]
    fn addresses_and_the_rest() {
        assert!(is_uri("https://ume.example/oscal") && is_uri("urn:x:梅"));
        assert!(!is_uri("ume.example") && !is_uri("a b:c") && !is_uri("1a:b") && !is_uri("x:"));
        assert!(
            is_email("a@b.example") && !is_email("a@b") && !is_email("@b.c") && !is_email("a@b..c")
        );
        assert!(is_base64("YQ==") && !is_base64("YQ===") && !is_base64("==") && !is_base64("a b"));
        assert!(is_string("a b") && !is_string(" a") && !is_string("a\nb") && !is_string("　a"));
        let port = Scalar::Integer { min: Some(0) };
        assert!(
            port.takes_number("27017") && !port.takes_number("-1") && !port.takes_number("1.0")
        );
    }
}
