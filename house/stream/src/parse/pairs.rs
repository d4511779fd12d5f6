//! `key=value` words, as audit, firewalls, the kernel and sudo write them.

/// Longest name taken for a key; what is longer is text.
const KEY_BYTES_MAX: usize = 64;

/// A value and how it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    pub text: &'a str,
    pub quoted: bool,
}

/// Each `key=value` in a text; words that are none are passed over. A value is bare up to a separator, or
/// stands in `"` or `'`.
pub fn pairs(text: &str) -> Pairs<'_> {
    Pairs { rest: text, escapes: false }
}

/// As [`pairs`], where `\"` inside quotes is a quote (its backslash stays in the value).
pub fn escaped_pairs(text: &str) -> Pairs<'_> {
    Pairs { rest: text, escapes: true }
}

pub struct Pairs<'a> {
    rest: &'a str,
    escapes: bool,
}

fn separates(c: char) -> bool {
    // Enriched audit records have a group separator.
    matches!(c, ' ' | '\t' | '\u{1d}' | '\n' | ',')
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.rest.trim_start_matches(separates);
            if text.is_empty() {
                return None;
            }
            let end = text.find(|c| separates(c) || c == '=').unwrap_or(text.len());
            let (key, after) = text.split_at(end);
            match after.strip_prefix('=') {
                Some(value) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => {
                    let (value, rest) = self.value(value);
                    self.rest = rest;
                    return Some((key, value));
                }
                Some(rest) => self.rest = rest,
                None => self.rest = after,
            }
        }
    }
}

impl<'a> Pairs<'a> {
    fn value(&self, text: &'a str) -> (Value<'a>, &'a str) {
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote
            && let Some(end) = self.closing(&text[1..], quote)
        {
            return (Value { text: &text[1..1 + end], quoted: true }, &text[end + 2..]);
        }
        // A comma ends no value that is bare: addresses and lists have them.
        let end = text.find([' ', '\t', '\u{1d}', '\n']).unwrap_or(text.len());
        let bare = text[..end].trim_end_matches(',');
        (Value { text: bare, quoted: false }, &text[end..])
    }

    fn closing(&self, text: &str, quote: char) -> Option<usize> {
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if self.escapes => escaped = true,
                c if c == quote => return Some(at),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, &str)> {
        pairs(text).map(|(key, value)| (key, value.text)).collect()
    }

    #[test]
    fn values_are_bare_or_quoted() {
        assert_eq!(
            read("a=1 word b=\"x y\" c='p=\"q\" r=s' d= e=2\u{1d}F=g"),
            [("a", "1"), ("b", "x y"), ("c", "p=\"q\" r=s"), ("d", ""), ("e", "2"), ("F", "g")]
        );
    }

    #[test]
    fn broken_quotes_and_empty_keys_end() {
        assert_eq!(read("a=\"x y"), [("a", "\"x")]);
        assert_eq!(read("=1 ==2 b=3"), [("b", "3")]);
        let escaped: Vec<_> = escaped_pairs(r#"m="a \"b\" c" n=1"#).collect();
        assert_eq!(escaped[0].1.text, r#"a \"b\" c"#);
        assert_eq!(escaped.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(text in "[a-z=\"' ,\\\\\u{1d}]{0,60}") {
            let _ = pairs(&text).count() + escaped_pairs(&text).count();
        }
    }
}
