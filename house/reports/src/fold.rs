//! Words of headers and cells, folded so that the ways in which people write one word meet.

use unicode_normalization::UnicodeNormalization;

/// Compatibility forms, width, case and white space folded away: `ＯＳ 名`, `os名` and `OS名` are one.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text
            .bytes()
            .filter(|b| !b.is_ascii_whitespace())
            .map(|b| char::from(b.to_ascii_lowercase()))
            .collect();
    }
    text.nfkc().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// The same for a header: marks around it are left out, and so is the long-vowel mark at the end of a
/// katakana word, which some write and some do not (`サーバー`, `サーバ`).
pub fn fold_header(text: &str) -> String {
    let folded = fold(text);
    let mark = |c: char| "*※■●◆□○・【】[]「」『』<>:".contains(c);
    let trimmed = folded.trim_matches(mark);
    let trimmed =
        trimmed.strip_suffix("(必須)").or(trimmed.strip_suffix("(任意)")).unwrap_or(trimmed);
    let mut out = String::with_capacity(trimmed.len());
    let mut chars = trimmed.trim_end_matches(mark).chars().peekable();
    while let Some(c) = chars.next() {
        let goes_on = chars.peek().is_some_and(|next| is_katakana(*next));
        if c != 'ー' || goes_on || !out.ends_with(is_katakana) {
            out.push(c);
        }
    }
    out
}

fn is_katakana(c: char) -> bool {
    ('ァ'..='ヺ').contains(&c) || c == 'ー'
}

/// A folded header without what stands in brackets: `取得価格(千円)` is `取得価格` and `千円`.
pub fn without_brackets(folded: &str) -> Option<(String, String)> {
    let (head, rest) = folded.split_once('(')?;
    let (inner, tail) = rest.split_once(')')?;
    let head = format!("{head}{tail}");
    (!head.is_empty()).then(|| (head, inner.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_writing_a_word_meet() {
        for text in ["ＯＳ 名", "os名", "ＯＳ名", "OS\n名"] {
            assert_eq!(fold(text), "os名");
        }
        assert_eq!(fold_header("ﾒﾓﾘ"), "メモリ");
        assert_eq!(fold_header("サーバー名"), fold_header("サーバ名"));
        assert_eq!(fold_header("ベンダー"), "ベンダ");
        assert_eq!(fold_header("データ"), "データ");
        assert_eq!(fold_header("※管理者（必須）"), "管理者");
        assert_eq!(
            without_brackets("取得価格(千円)"),
            Some(("取得価格".to_owned(), "千円".to_owned()))
        );
        assert_eq!(without_brackets("管理者"), None);
    }
}
