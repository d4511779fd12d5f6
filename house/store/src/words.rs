//! What search compares: folded words, cut into unigrams and bigrams, the same on both databases.

use unicode_normalization::UnicodeNormalization;

const TOKENS_PER_ROW_MAX: usize = 2_000;
const TOKENS_PER_QUERY_MAX: usize = 16;

/// What search compares: NFKC, lower case, katakana as hiragana, so that `ＷＥＢ` finds `web` and
/// `ｻｰﾊﾞ` finds `さーば`.
pub(crate) fn fold(text: &str) -> String {
    // Lower case can undo NFKC for a few characters, hence the second pass.
    text.nfkc().flat_map(char::to_lowercase).nfkc().map(hiragana).collect()
}

fn hiragana(c: char) -> char {
    match c {
        '\u{30a1}'..='\u{30f6}' | '\u{30fd}' | '\u{30fe}' => {
            char::from_u32(c as u32 - 0x60).unwrap_or(c)
        }
        other => other,
    }
}

fn words(text: &str) -> Vec<Vec<char>> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(|w| w.chars().collect())
        .collect()
}

/// Unigrams and bigrams: any substring of two characters or more is found by its bigrams. Where
/// the limit cuts, it keeps the beginning of the text.
pub(crate) fn index_tokens(text: &str) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut tokens = Vec::new();
    for word in words(text) {
        for i in 0..word.len() {
            for end in [i + 1, i + 2].into_iter().filter(|end| *end <= word.len()) {
                let token: String = word[i..end].iter().collect();
                if seen.insert(token.clone()) {
                    tokens.push(token);
                }
            }
            if tokens.len() >= TOKENS_PER_ROW_MAX {
                tokens.truncate(TOKENS_PER_ROW_MAX);
                return tokens;
            }
        }
    }
    tokens
}

pub(crate) fn query_tokens(text: &str) -> Vec<String> {
    let mut tokens = std::collections::BTreeSet::new();
    for word in words(text) {
        if word.len() == 1 {
            tokens.insert(word[0].to_string());
        }
        tokens.extend(word.windows(2).map(|pair| pair.iter().collect::<String>()));
    }
    tokens.into_iter().take(TOKENS_PER_QUERY_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_joins_width_case_and_kana() {
        assert_eq!(fold("ＷＥＢ　サーバ"), "web さーば");
        assert_eq!(fold("ｻｰﾊﾞ ヴ ヽヾ"), "さーば ゔ ゝゞ");
        assert_eq!(fold("㈱ Ⅷ ㍿"), "(株) viii 株式会社");
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for c in (0..=0xffff).filter_map(char::from_u32) {
            let once = fold(&format!("a{c}か"));
            assert_eq!(fold(&once), once, "{c:?}");
        }
    }

    #[test]
    fn a_long_text_keeps_the_tokens_of_its_beginning() {
        let text: String = (0..3_000).filter_map(|i| char::from_u32(0x9fff - i)).collect();
        let tokens = index_tokens(&text);
        assert_eq!(tokens.len(), TOKENS_PER_ROW_MAX);
        assert_eq!(tokens[0], "\u{9fff}");
    }
}
