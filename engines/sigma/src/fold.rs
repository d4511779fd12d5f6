//! Case folding: Unicode's simple folding, one character to one character, so that `?` and places keep their
//! meaning. The length in bytes may change (K, ẞ).

/// Folds one character.
pub(crate) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // Turkish dotted and dotless i are equal only to themselves outside Turkish.
    if matches!(c, '\u{130}' | '\u{131}') {
        return c;
    }
    let upper = single(c.to_uppercase()).unwrap_or(c);
    match c {
        // Their only relative is by the lower case of their upper case.
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb05}' => '\u{fb06}',
        _ => single(upper.to_lowercase()).unwrap_or(upper),
    }
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}

/// Appends the folded form of `text`.
pub(crate) fn fold_into(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    let ascii = {
        let added = &mut out[start..];
        let ascii = added.is_ascii();
        added.make_ascii_lowercase();
        ascii
    };
    if ascii {
        return;
    }
    out.truncate(start);
    let mut buffer = [0; 4];
    for c in text.chars() {
        out.extend_from_slice(fold(c).encode_utf8(&mut buffer).as_bytes());
    }
}

/// The folded form of `text`: equal for two texts exactly if rules take them for equal.
pub fn folded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// The place in `raw` of a place in its folded form.
pub(crate) fn raw_place(raw: &str, folded: usize) -> usize {
    let mut passed = 0;
    for (at, c) in raw.char_indices() {
        if passed >= folded {
            return at;
        }
        passed += fold(c).len_utf8();
    }
    raw.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    /// The classes of equal characters are those of Unicode's table, as the regular expressions have it.
    #[test]
    fn folding_is_unicodes_simple_folding() {
        for c in '\u{0}'..=char::MAX {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.case_fold_simple();
            for range in class.iter() {
                for other in range.start()..=range.end() {
                    assert_eq!(fold(c), fold(other), "{c:?} {other:?}");
                }
            }
            let f = fold(c);
            let known = class.iter().any(|r| (r.start()..=r.end()).contains(&f));
            // The standard library may know a pair of a newer Unicode than the table; then neither has others.
            let mut other = ClassUnicode::new([ClassUnicodeRange::new(f, f)]);
            other.case_fold_simple();
            let alone = other.iter().map(|r| r.len()).sum::<usize>() == 1;
            assert!(known || alone, "{c:?} is not equal to {f:?}");
        }
    }

    #[test]
    fn places_survive_changes_of_length() {
        let raw = "aKẞb";
        let folded = folded(raw);
        assert_eq!(folded, "akßb".as_bytes());
        assert_eq!(&raw[raw_place(raw, folded.len() - 1)..], "b");
    }
}
