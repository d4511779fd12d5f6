//! Shell patterns over bytes. Linear stack, at most n·m steps, whatever the pattern.

/// As glob(3) within one component: a wildcard never matches a leading dot.
pub(crate) fn name(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    loose(pattern, name)
}

/// As fnmatch(3) without flags: `*` goes over `/` and dots.
pub(crate) fn loose(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(width) = one(pattern.get(p..).unwrap_or_default(), name[n]) {
            p += width;
            n += 1;
        } else if let Some((after, tried)) = star {
            star = Some((after, tried + 1));
            (p, n) = (after, tried + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether it has anything to expand.
pub(crate) fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
}

/// How much of `pattern` matches `byte`, none when it does not.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((hit, width)) => hit.then_some(width + 1),
            None => (byte == b'[').then_some(1),
        },
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

fn class(rest: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|byte| *byte == b']')?;
    let (mut i, mut hit) = (start, false);
    while i < end {
        if i + 2 < end && rest[i + 1] == b'-' {
            hit |= (rest[i]..=rest[i + 2]).contains(&byte);
            i += 3;
        } else {
            hit |= rest[i] == byte;
            i += 1;
        }
    }
    Some((hit != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_the_shell() {
        for (pattern, text, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            ("[0-9]?-*", "10-x", true),
            ("[!a]x", "ax", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("[x", "[x", true),
            ("", "x", false),
        ] {
            assert_eq!(name(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(loose(b"/usr/share/doc/*", b"/usr/share/doc/a/.b"));
        let nasty = "*a".repeat(200);
        assert!(!name(nasty.as_bytes(), "a".repeat(150).as_bytes()));
    }
}
