//! Passwords that everyone tries first: `content/passwords/common.txt`, composed by Ume.
//!
//! A password is refused if what is left of it without decoration (case, width, digits and marks at
//! its ends, letters written as digits) is a listed word, or listed words repeated.

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;

const TEXT: &str = include_str!("../../../content/passwords/common.txt");
/// What is left below this length is decoration around nothing.
const CORE_CHARS_MIN: usize = 4;

fn words() -> &'static [&'static str] {
    static WORDS: OnceLock<Vec<&str>> = OnceLock::new();
    WORDS.get_or_init(|| TEXT.lines().collect())
}

fn listed(text: &str) -> bool {
    words().binary_search(&text).is_ok()
}

/// Whether a password is one of those everyone tries.
pub fn is_common(password: &str) -> bool {
    let folded: String = password.nfkc().flat_map(char::to_lowercase).collect();
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    // What is only digits and marks, and one character over and over, carries no secret.
    if folded.chars().all(|c| !c.is_alphabetic()) && !long_number(&folded) {
        return true;
    }
    if core.chars().count() < CORE_CHARS_MIN && !long_number(&folded) {
        return true;
    }
    let spoken = plain_letters(&folded);
    let spoken_core = spoken.trim_matches(|c: char| !c.is_alphabetic());
    [folded.as_str(), core, &plain_letters(core), spoken_core].into_iter().any(common_or_repeated)
}

/// Sixteen different-looking digits and marks or more may be drawn by a machine.
fn long_number(text: &str) -> bool {
    const LONG: usize = 16;
    const DIFFERENT: usize = 6;
    let mut seen: Vec<char> = text.chars().collect();
    let length = seen.len();
    seen.sort_unstable();
    seen.dedup();
    length >= LONG && seen.len() >= DIFFERENT
}

/// Letters that people write as digits and marks.
fn plain_letters(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

fn common_or_repeated(text: &str) -> bool {
    if listed(text) {
        return true;
    }
    let letters: Vec<char> = text.chars().collect();
    // "passwordpassword", "abcabcabcabc", "aaaaaaaaaaaa".
    (1..=letters.len() / 2).filter(|n| letters.len().is_multiple_of(*n)).any(|n| {
        let repeated = letters.chunks(n).all(|chunk| chunk == &letters[..n]);
        repeated && (n < 6 || listed(&letters[..n].iter().collect::<String>()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_folded_without_repeats_and_long_enough() {
        assert!(words().len() >= 5_000, "{}", words().len());
        assert!(words().windows(2).all(|pair| pair[0] < pair[1]));
        for word in words() {
            let folded: String = word.nfkc().flat_map(char::to_lowercase).collect();
            assert!(folded == *word && word.chars().count() >= CORE_CHARS_MIN, "{word:?}");
        }
    }

    #[test]
    fn decoration_hides_no_common_word() {
        for common in [
            "Password1234",
            "P@ssw0rd!!!!",
            "PASSWORDpassword",
            "1234567890123",
            "qwertyuiop12",
            "ｐａｓｓｗｏｒｄ１２３４",
            "administrator",
            "iloveyou!2026",
            "aaaaaaaaaaaaa",
            "abcabcabcabc",
            "qwerty123456",
            "abcdefghijkl",
            "letmein12345",
            "!!!!2026!!!!",
            "sakura202604",
            "himitsu12345",
            "tokyo2020!!!!",
            "adminadmin12",
            "1q2w3e4r5t6y",
            "yamada123456",
            "umeboshi2026!",
        ] {
            assert!(is_common(common), "{common}");
        }
    }

    #[test]
    fn what_is_nobodys_first_guess_passes() {
        for good in [
            "plum blossoms in march",
            "梅の花が咲いた春の日に読んだ本",
            "kX9-vw2Lq-tt8Rz",
            "3141592653589793",
            "GEZD-GNBV-GY3T-QOJQ",
            "passwort ist kein gutes wort",
        ] {
            assert!(!is_common(good), "{good}");
        }
    }
}
