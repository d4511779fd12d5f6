//! Text from bytes of unknown encoding, as Japanese logs have them.
//!
//! Limits: a guess per line; short CP932 and EUC-JP lines can be read as each other. The raw bytes are
//! kept beside the text, so a wrong guess loses nothing.

use encoding_rs::{EUC_JP, ISO_2022_JP, SHIFT_JIS};

/// What [`decode`] took the bytes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    Utf8,
    Iso2022Jp,
    EucJp,
    /// Shift_JIS as Windows writes it (code page 932).
    Cp932,
    /// None of them: the text is UTF-8 with U+FFFD in place of what it is not.
    Unknown,
}

impl Encoding {
    /// By the name that is stored in the field `encoding`.
    pub fn named(name: &str) -> Option<Encoding> {
        let all = [Encoding::Utf8, Encoding::Iso2022Jp, Encoding::EucJp, Encoding::Cp932];
        all.into_iter().find(|encoding| encoding.name() == name)
    }

    /// Name as stored in the field `encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Iso2022Jp => "iso-2022-jp",
            Encoding::EucJp => "euc-jp",
            Encoding::Cp932 => "cp932",
            Encoding::Unknown => "unknown",
        }
    }
}

/// Decodes `bytes`: ISO-2022-JP if it has its escapes, else UTF-8, else the likelier of EUC-JP and CP932.
pub fn decode(bytes: &[u8]) -> (String, Encoding) {
    if has_jis_escape(bytes)
        && let Some(text) = strict(ISO_2022_JP, bytes)
    {
        return (text, Encoding::Iso2022Jp);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), Encoding::Utf8);
    }
    match (strict(EUC_JP, bytes), strict(SHIFT_JIS, bytes)) {
        (Some(euc), Some(sjis)) if score(&euc) < score(&sjis) => (sjis, Encoding::Cp932),
        (Some(euc), _) => (euc, Encoding::EucJp),
        (None, Some(sjis)) => (sjis, Encoding::Cp932),
        (None, None) => (String::from_utf8_lossy(bytes).into_owned(), Encoding::Unknown),
    }
}

/// As [`decode`], by the encoding its sender is known for if the bytes are that: a short line of CP932 is not taken for
/// EUC-JP then.
pub fn decode_as(bytes: &[u8], known: Encoding) -> (String, Encoding) {
    let by = match known {
        Encoding::Iso2022Jp => ISO_2022_JP,
        Encoding::EucJp => EUC_JP,
        Encoding::Cp932 => SHIFT_JIS,
        Encoding::Utf8 | Encoding::Unknown => return decode(bytes),
    };
    // Plain ASCII is the same in all of them, and says nothing of an encoding.
    if bytes.is_ascii() && !has_jis_escape(bytes) {
        return decode(bytes);
    }
    strict(by, bytes).map_or_else(|| decode(bytes), |text| (text, known))
}

/// `ESC $ @`, `ESC $ B` or `ESC ( I`: designations that plain ASCII with colour codes does not have.
fn has_jis_escape(bytes: &[u8]) -> bool {
    bytes.is_ascii() && bytes.windows(3).any(|w| matches!(w, b"\x1b$@" | b"\x1b$B" | b"\x1b(I"))
}

fn strict(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

/// How much a text looks like written Japanese. Half-width katakana is what EUC-JP read as CP932
/// turns into; rare symbols are what CP932 read as EUC-JP turns into.
fn score(text: &str) -> i64 {
    let each = text.chars().map(|c| match c {
        '\u{3041}'..='\u{3096}' => 3,
        '\u{30a1}'..='\u{30fc}' | '\u{3001}' | '\u{3002}' => 2,
        '\u{4e00}'..='\u{9fff}' => 1,
        '\u{ff61}'..='\u{ff9f}' => -1,
        '\u{20}'..='\u{7e}' | '\t' | '\n' => 0,
        '\u{ff01}'..='\u{ff60}' => 1,
        _ => -2,
    });
    let (sum, count) = each.fold((0i64, 1i64), |(s, n), v| (s + v, n + i64::from(v != 0)));
    sum * 1000 / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nihongo_is_read_in_all_four_encodings() {
        let cases: [(&[u8], Encoding); 4] = [
            ("日本語".as_bytes(), Encoding::Utf8),
            (b"\x93\xfa\x96\x7b\x8c\xea", Encoding::Cp932),
            (b"\xc6\xfc\xcb\xdc\xb8\xec", Encoding::EucJp),
            (b"\x1b$BF|K\\8l\x1b(B", Encoding::Iso2022Jp),
        ];
        for (bytes, encoding) in cases {
            assert_eq!(decode(bytes), ("日本語".to_owned(), encoding));
        }
    }

    #[test]
    fn a_known_encoding_goes_before_a_guess() {
        // Half-width katakana of CP932, three of which are also EUC-JP.
        let bytes = b"\xc3\xbd\xc4\xbd";
        assert_ne!(decode(bytes).1, Encoding::Cp932);
        let (text, encoding) = decode_as(bytes, Encoding::Cp932);
        assert_eq!((text.as_str(), encoding), ("ﾃｽﾄｽ", Encoding::Cp932));
        assert_eq!(decode_as("日本".as_bytes(), Encoding::Iso2022Jp).1, Encoding::Utf8);
        assert_eq!(decode_as(b"plain", Encoding::Cp932), ("plain".to_owned(), Encoding::Utf8));
    }

    #[test]
    fn sentences_are_told_apart() {
        let text =
            "ログオンに失敗しました。ユーザー名またはパスワードが正しくありません (user=tanaka)";
        let (euc, _, _) = EUC_JP.encode(text);
        let (sjis, _, _) = SHIFT_JIS.encode(text);
        assert_eq!(decode(&euc), (text.to_owned(), Encoding::EucJp));
        assert_eq!(decode(&sjis), (text.to_owned(), Encoding::Cp932));
    }

    #[test]
    fn colour_codes_and_rubbish_do_no_harm() {
        assert_eq!(decode(b"\x1b[31mred\x1b[0m").1, Encoding::Utf8);
        assert_eq!(decode(b"ok \xff\xff\x00").1, Encoding::Unknown);
        assert_eq!(decode(b"").1, Encoding::Utf8);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_decoded(bytes: Vec<u8>) {
            decode(&bytes);
        }
    }
}
