//! The formats that schemas of bills of materials ask for.

/// A format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    IriReference,
    Uri,
    Email,
}

const NAMES: [(Format, &str); 5] = [
    (Format::DateTime, "date-time"),
    (Format::Date, "date"),
    (Format::IriReference, "iri-reference"),
    (Format::Uri, "uri"),
    (Format::Email, "idn-email"),
];

impl Format {
    pub(super) fn named(name: &str) -> Option<Format> {
        NAMES.iter().find(|(_, one)| *one == name).map(|(format, _)| *format)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(one, _)| *one == self).map_or("", |(_, name)| name)
    }

    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Format::DateTime => date_time(text),
            Format::Date => date(text.as_bytes()),
            Format::IriReference => iri(text),
            Format::Uri => iri(text) && text.is_ascii() && scheme(text),
            Format::Email => {
                text.rsplit_once('@').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
            }
        }
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

fn date(bytes: &[u8]) -> bool {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// RFC 3339 `date-time`: a zone is required, a leap second possible.
pub(crate) fn date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !matches!(bytes[10], b'T' | b't') || !date(&bytes[..10]) {
        return false;
    }
    if bytes[13] != b':' || bytes[16] != b':' {
        return false;
    }
    let within = |range: &[u8], max: u32| number(range).is_some_and(|n| n <= max);
    if !(within(&bytes[11..13], 23) && within(&bytes[14..16], 59) && within(&bytes[17..19], 60)) {
        return false;
    }
    let mut rest = &bytes[19..];
    if let [b'.', digits @ ..] = rest {
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return false;
        }
        rest = &digits[count..];
    }
    match rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => within(&[*h1, *h2], 23) && within(&[*m1, *m2], 59),
        _ => false,
    }
}

fn scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// RFC 3987 by its characters: white space, controls and delimiters of other languages have to be
/// escaped, and an escape is two digits.
fn iri(text: &str) -> bool {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "<>\"{}|\\^`".contains(c);
    if text.chars().any(bad) {
        return false;
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.as_bytes().get(..2);
        if !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
            return false;
        }
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_zone_and_exist() {
        for good in
            ["2020-04-13T20:20:39Z", "2024-02-29T23:59:60.123+09:00", "2020-01-01t00:00:00z"]
        {
            assert!(date_time(good), "{good}");
        }
        for bad in [
            "2020-04-13T20:20:39",
            "2023-02-29T00:00:00Z",
            "2020-04-13",
            "2020-04-13T24:00:00Z",
            "2020-04-13T20:20:39.Z",
            "2020-04-13T20:20:39+0900",
            "",
            "２０２０-04-13T20:20:39Z",
        ] {
            assert!(!date_time(bad), "{bad}");
        }
    }

    #[test]
    fn iris_have_no_white_space_and_whole_escapes() {
        assert!(iri("") && iri("https://example.com/%20a?b#c") && iri("../梅"));
        assert!(!iri("a b") && !iri("%2") && !iri("a%zz") && !iri("<a>"));
        assert!(Format::Uri.fits("urn:x:y") && !Format::Uri.fits("x/y"));
    }
}
