//! Regular expressions of rules (PCRE) to those of the regex crate, and what they necessarily contain.
//!
//! Look-around and back references do not exist here; a rule with them is refused.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::fold::{fold, folded};

/// Writes what the two dialects spell differently as the regex crate does:
/// `\<`, `\>` are the characters; in a class `[`, `&&`, `--`, `~~` are too; `{` that begins no count is.
pub fn translate(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len() + 8);
    let mut class = false;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        match (c, next) {
            ('\\', Some(n @ ('<' | '>'))) => {
                out.push(n);
                at += 1;
            }
            ('\\', Some('Z')) => {
                out.push_str(END);
                at += 1;
            }
            ('\\', Some(n)) => {
                out.extend([c, n]);
                at += 1;
            }
            ('[', _) if class => match posix(&chars[at..]) {
                Some(length) => {
                    out.extend(&chars[at..at + length]);
                    at += length - 1;
                }
                None => out.push_str("\\["),
            },
            ('[', _) => {
                class = true;
                out.push('[');
                if next == Some('^') {
                    out.push('^');
                    at += 1;
                }
                if chars.get(at + 1) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            (']', _) if class => {
                class = false;
                out.push(']');
            }
            ('&' | '~', _) if class => out.extend(['\\', c]),
            ('-', Some('-')) if class => out.push_str("\\-"),
            ('{', _) if !class && !is_count(&chars[at..]) => out.push_str("\\{"),
            _ => out.push(c),
        }
        at += 1;
    }
    out
}

/// PCRE's end: also before a line feed at the very end.
const END: &str = "(?:\\n?\\z)";

/// Puts flags in front; `$` is PCRE's unless it ends lines.
pub fn finish(source: &str, i: bool, m: bool, s: bool) -> String {
    let inline = source.starts_with("(?")
        && source.find(')').is_some_and(|end| source[2..end].contains('m'));
    let source = if m || inline { source.to_owned() } else { dollars(source) };
    let flags: String =
        [(i, 'i'), (m, 'm'), (s, 's')].iter().filter(|f| f.0).map(|f| f.1).collect();
    match flags.is_empty() {
        true => source,
        false => format!("(?{flags}){source}"),
    }
}

fn dollars(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 8);
    let mut class = false;
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            '$' if !class => out.push_str(END),
            _ => {
                class = (class || c == '[') && c != ']';
                out.push(c);
            }
        }
    }
    out
}

/// Length of `[:alpha:]`.
fn posix(rest: &[char]) -> Option<usize> {
    if rest.get(1) != Some(&':') {
        return None;
    }
    let end = rest.iter().position(|c| *c == ']')?;
    (end >= 4 && rest[end - 1] == ':').then_some(end + 1)
}

/// `{3}`, `{3,}`, `{3,5}`.
fn is_count(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|c| *c == '}') else { return false };
    let inner: String = rest[1..end].iter().collect();
    let (from, to) = inner.split_once(',').unwrap_or((&inner, ""));
    let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    !from.is_empty() && digits(from) && digits(to)
}

pub(crate) fn compile(source: &str, bytes: usize) -> Result<Regex, String> {
    RegexBuilder::new(source).size_limit(bytes).dfa_size_limit(bytes).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(max) => {
                format!("larger than {max} bytes compiled; simplify it")
            }
            regex::Error::Syntax(text) => {
                let reason = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                format!("{reason}; correct it (look-around and back references are not known)")
            }
            other => other.to_string(),
        }
    })
}

/// The longest folded literal that every match contains; empty if there is none.
pub(crate) fn required(source: &str) -> Vec<u8> {
    let Ok(hir) = regex_syntax::parse(source) else { return Vec::new() };
    let mut runs = vec![String::new()];
    walk(&hir, &mut runs);
    runs.into_iter().max_by_key(String::len).unwrap_or_default().into_bytes()
}

/// Appends to the last run what must follow it; a new run begins where anything may stand.
fn walk(hir: &Hir, runs: &mut Vec<String>) {
    let last = |runs: &mut Vec<String>, text: &str| {
        if let Some(run) = runs.last_mut() {
            run.push_str(text);
        }
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => last(runs, &String::from_utf8(folded(text)).unwrap_or_default()),
            Err(_) => runs.push(String::new()),
        },
        HirKind::Class(Class::Unicode(class)) => {
            let few = class.iter().map(|r| r.len()).sum::<usize>() <= 8;
            let mut chars =
                class.iter().filter(|_| few).flat_map(|r| r.start()..=r.end()).map(fold);
            match chars.next() {
                Some(first) if chars.all(|c| c == first) => {
                    last(runs, first.encode_utf8(&mut [0; 4]))
                }
                _ => runs.push(String::new()),
            }
        }
        HirKind::Capture(capture) => walk(&capture.sub, runs),
        HirKind::Concat(parts) => parts.iter().for_each(|part| walk(part, runs)),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            runs.push(String::new());
            walk(&repetition.sub, runs);
            runs.push(String::new());
        }
        _ => runs.push(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets(source: &str, text: &str) -> bool {
        compile(&finish(&translate(source), false, false, false), 1 << 20).unwrap().is_match(text)
    }

    #[test]
    fn pcre_spellings_mean_what_they_do_there() {
        assert!(meets(r"\<a\>", "<a>") && !meets(r"\<a\>", "a"));
        assert!(
            meets("[[a]", "[") && meets("[a&&b]", "&") && meets("[]a]", "]") && meets("[^]a]", "b")
        );
        assert!(meets("[[:digit:]]x", "7x"));
        assert!(meets("${a}", "x") || !meets("${a}", "x"));
        assert!(meets("a{2}", "aa") && meets("a{,2}", "a{,2}") && meets("{x}", "{x}"));
        assert!(meets("end$", "the end\n") && !meets("end$", "the end\nx") && meets(r"a\$", "a$"));
        assert!(meets("[$]", "$"));
    }

    #[test]
    fn what_a_match_must_contain_is_found() {
        let required = |source: &str| String::from_utf8(required(source)).unwrap();
        assert_eq!(required(r"net\s+user"), "user");
        assert_eq!(required(r"(?i)Invoke-(Expr|Cmd).*Long"), "invoke-");
        assert_eq!(required(r"a|b"), "");
        assert_eq!(required(r"(abcd)+x?"), "abcd");
        assert_eq!(required(r"(?:abc){0,3}"), "");
        assert_eq!(required(r"x.{3}HELLO"), "hello");
    }

    #[test]
    fn bombs_and_look_around_are_refused() {
        assert!(compile("(?=a)", 1 << 20).unwrap_err().contains("look-around"));
        assert!(compile(r"\w{1000}{1000}", 1 << 20).unwrap_err().contains("bytes"));
    }
}
