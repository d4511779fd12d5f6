//! A text as its author meant it: full-width forms folded, defanging undone, every byte knowing where it came from.
//!
//! Invariants: `from` and `to` have an entry for each byte of `text`; both never decrease; lines stay lines.

/// The folded text.
pub(super) struct View {
    pub text: String,
    /// Where in the original the source of each byte begins.
    from: Vec<u32>,
    /// Where it ends.
    to: Vec<u32>,
    /// Bytes that stand for a defanged sign, ascending.
    undone: Vec<u32>,
}

impl View {
    pub(super) fn of(original: &str) -> View {
        let folded = fold(original);
        let mut view = View {
            text: String::with_capacity(folded.text.len()),
            from: Vec::with_capacity(folded.text.len()),
            to: Vec::with_capacity(folded.text.len()),
            undone: Vec::new(),
        };
        let text = folded.text.as_str();
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            match fang(&view.text, text, at) {
                Some(fang) => {
                    view.trim(fang.trims);
                    let start = folded.from[at];
                    let end = folded.to[at + fang.length - 1];
                    view.undone.push(place(view.text.len()));
                    for sign in fang.means.chars() {
                        view.push(sign, start, end);
                    }
                    at += fang.length;
                }
                None => {
                    view.push(next, folded.from[at], folded.to[at]);
                    at += next.len_utf8();
                }
            }
        }
        view
    }

    fn empty(bytes: usize) -> View {
        View {
            text: String::with_capacity(bytes),
            from: Vec::with_capacity(bytes),
            to: Vec::with_capacity(bytes),
            undone: Vec::new(),
        }
    }

    fn push(&mut self, sign: char, from: u32, to: u32) {
        self.text.push(sign);
        for _ in 0..sign.len_utf8() {
            self.from.push(from);
            self.to.push(to);
        }
    }

    /// Takes back blanks that stood before a defanged sign.
    fn trim(&mut self, trims: bool) {
        while trims && self.text.ends_with(' ') {
            self.text.pop();
            self.from.pop();
            self.to.pop();
        }
    }

    /// The bytes of the original that a range of the view stands for.
    pub(super) fn original(&self, start: usize, end: usize) -> (usize, usize) {
        if start >= end || end > self.text.len() {
            return (0, 0);
        }
        (self.from[start] as usize, self.to[end - 1] as usize)
    }

    /// Whether something in the range was defanged.
    pub(super) fn is_defanged(&self, start: usize, end: usize) -> bool {
        let first = self.undone.partition_point(|at| (*at as usize) < start);
        self.undone.get(first).is_some_and(|at| (*at as usize) < end)
    }
}

/// The caller clips texts to far below 4 GiB.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Folds full-width forms and drops what is not seen.
fn fold(original: &str) -> View {
    let mut view = View::empty(original.len());
    for (at, sign) in original.char_indices() {
        let (from, to) = (place(at), place(at + sign.len_utf8()));
        let sign = match sign {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xfee0).unwrap_or(sign),
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{00ad}' | '\r' => continue,
            '\u{00a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => ' ',
            '\u{2010}'..='\u{2013}' | '\u{2212}' => '-',
            '\u{301c}' => '~',
            '\u{2028}' | '\u{2029}' => '\n',
            other => other,
        };
        view.push(sign, from, to);
    }
    view
}

/// A defanged sign: its bytes, what it means, and whether blanks before it go.
struct Fang {
    length: usize,
    means: &'static str,
    trims: bool,
}

/// Bracketed signs; the longest come first.
const BRACKETED: [(&str, &str); 7] =
    [("://", "://"), ("dot", "."), ("at", "@"), (".", "."), (":", ":"), ("@", "@"), ("/", "/")];

const SCHEMES: [(&str, &str); 10] = [
    ("hxxps", "https"),
    ("hxxp", "http"),
    ("h**ps", "https"),
    ("h**p", "http"),
    ("htxps", "https"),
    ("htxp", "http"),
    ("ttps", "https"),
    ("ttp", "http"),
    ("fxps", "ftps"),
    ("fxp", "ftp"),
];

fn fang(before: &str, text: &str, at: usize) -> Option<Fang> {
    let rest = &text.as_bytes()[at..];
    match rest[0] {
        open @ (b'[' | b'(' | b'{') => bracketed(before, rest, open),
        b'.' if rest.get(1) == Some(&b']') && is_word(rest.get(2)) && ends_in_word(before) => {
            Some(Fang { length: 2, means: ".", trims: false })
        }
        b' ' if rest.get(1) == Some(&b'.')
            && rest.get(2) == Some(&b' ')
            && is_word(rest.get(3))
            && ends_in_word(before) =>
        {
            Some(Fang { length: 3, means: ".", trims: false })
        }
        b'h' | b'H' | b't' | b'T' | b'f' | b'F' => scheme(before, rest),
        _ => None,
    }
}

fn bracketed(before: &str, rest: &[u8], open: u8) -> Option<Fang> {
    let close = match open {
        b'[' => b']',
        b'(' => b')',
        _ => b'}',
    };
    let blank = |at: usize| usize::from(rest.get(at) == Some(&b' '));
    let inner = 1 + blank(1);
    for (sign, means) in BRACKETED {
        let Some(found) = rest.get(inner..inner + sign.len()) else { continue };
        if !found.eq_ignore_ascii_case(sign.as_bytes()) {
            continue;
        }
        let end = inner + sign.len();
        let end = end + blank(end);
        // `evil[.example` is met too; nothing else is written with one bracket.
        let half = sign == "." && open == b'[' && is_word(rest.get(inner + 1));
        let whole = rest.get(end) == Some(&close);
        if !whole && !half {
            continue;
        }
        let mut length = if whole { end + 1 } else { inner + 1 };
        let joins = before.trim_end_matches(' ');
        // Words in brackets are prose unless they stand between two names.
        let after = length + blank(length);
        if !ends_in_word(joins) && sign != "://" && sign != ":" && sign != "/" {
            return None;
        }
        if matches!(means, "." | "@") && !is_word(rest.get(after)) {
            return None;
        }
        if means == "@" && !begins_host(&rest[after..]) {
            return None;
        }
        if matches!(means, "." | "@") {
            length = after;
        }
        return Some(Fang { length, means, trims: true });
    }
    None
}

fn scheme(before: &str, rest: &[u8]) -> Option<Fang> {
    if before.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    for (written, means) in SCHEMES {
        let Some(found) = rest.get(..written.len()) else { continue };
        if !found.eq_ignore_ascii_case(written.as_bytes()) {
            continue;
        }
        let behind = &rest[written.len()..];
        let opens = [&b"://"[..], b"[:", b"(:", b"{:", b":/", b"[://"];
        if opens.iter().any(|open| behind.starts_with(open)) {
            return Some(Fang { length: written.len(), means, trims: false });
        }
    }
    None
}

/// Whether a word with a dot in it follows.
fn begins_host(rest: &[u8]) -> bool {
    let mut word = rest.iter().take(64).take_while(|byte| !byte.is_ascii_whitespace());
    word.any(|byte| matches!(byte, b'.' | b'[' | b'(' | b'{'))
        || rest
            .get(..64.min(rest.len()))
            .is_some_and(|near| near.windows(4).any(|w| w == b" [.]" || w == b" (.)"))
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
}

fn ends_in_word(text: &str) -> bool {
    is_word(text.as_bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        View::of(text).text
    }

    #[test]
    fn every_way_of_defanging_is_undone() {
        for written in [
            "hxxps://a[.]example/x",
            "hXXps://a(.)example/x",
            "hxxps[:]//a{.}example/x",
            "hxxps[://]a[dot]example/x",
            "h**ps://a[.example/x",
            "ttps://a.]example/x",
            "ｈｔｔｐｓ：／／ａ．ｅｘａｍｐｌｅ／ｘ",
            "hxxps://a [.] example/x",
            "hxxps://a . example/x",
            "hxxps://a[.]example[/]x",
            "hxxps：／／a［．］example／x",
        ] {
            assert_eq!(plain(written), "https://a.example/x", "{written}");
        }
        assert_eq!(plain("a[@]b[.]example"), "a@b.example");
        assert_eq!(plain("a(at)b(dot)example"), "a@b.example");
        assert_eq!(plain("192[.]0[.]2[.]1[:]443"), "192.0.2.1:443");
    }

    #[test]
    fn prose_in_brackets_stays() {
        for text in ["see (at) page 3", "[.]", "(dot)", "end (.) of", "[1] https://a.example"] {
            let kept = plain(text);
            assert!(!kept.contains('@'), "{kept}");
            assert_eq!(plain("[1] https://a.example"), "[1] https://a.example");
        }
    }

    #[test]
    fn a_place_of_the_view_is_a_place_of_the_text() {
        let text = "先：hxxp://ａ[.]example 後";
        let view = View::of(text);
        let start = view.text.find("http").expect("scheme");
        let end = view.text.find(" 後").expect("end");
        let (from, to) = view.original(start, end);
        assert_eq!(&text[from..to], "hxxp://ａ[.]example");
        assert!(view.is_defanged(start, end));
        assert!(!view.is_defanged(end, view.text.len()));
    }

    proptest::proptest! {
        #[test]
        fn places_never_leave_the_text(text in ".{0,200}") {
            let view = View::of(&text);
            for (at, sign) in view.text.char_indices() {
                let (from, to) = view.original(at, at + sign.len_utf8());
                proptest::prop_assert!(text.get(from..to).is_some());
            }
        }
    }
}
