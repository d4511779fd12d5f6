//! What can be the name of a host.

use core::net::Ipv4Addr;

pub(super) const BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Bytes of the host and port that a text begins with; none if it begins with no host.
pub(super) fn authority(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // `user:password@` hides the host from the reader.
    let user = bytes.iter().take(BYTES_MAX).position(|byte| !is_user(*byte));
    let user = user.filter(|at| bytes[*at] == b'@').map_or(0, |at| at + 1);
    let rest = &text[user..];
    let host = if rest.starts_with('[') { bracketed(rest)? } else { named(rest)? };
    let mut end = user + host;
    if bytes.get(end) == Some(&b':') {
        let digits = bytes[end + 1..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        if (1..=5).contains(&digits) {
            end += 1 + digits;
        }
    }
    Some(end)
}

fn is_user(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%:!$&+".contains(&byte)
}

fn bracketed(text: &str) -> Option<usize> {
    let close = text.bytes().take(48).position(|byte| byte == b']')?;
    text[1..close].parse::<core::net::Ipv6Addr>().ok()?;
    Some(close + 1)
}

fn named(text: &str) -> Option<usize> {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_');
    let ascii = text.find(|sign: char| !is_part(sign)).unwrap_or(text.len()).min(BYTES_MAX);
    let plain = text[..ascii].trim_end_matches('.');
    let is_name = |name: &str| {
        let name = name.to_ascii_lowercase();
        is_domain(&name)
            || name.parse::<Ipv4Addr>().is_ok()
            || name == "localhost"
            || is_number(&name)
    };
    if is_name(plain) {
        return Some(plain.len());
    }
    // Letters of other scripts: up to the first Latin top-level domain.
    let other = |sign: char| !is_part(sign) && !sign.is_alphanumeric();
    let whole = &text[..text.find(other).unwrap_or(text.len())];
    let (name, last) = whole.rsplit_once('.')?;
    let latin = last.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let end = name.len() + 1 + latin;
    is_idn(&whole[..end].to_lowercase()).then_some(end)
}

/// `http://3221225985/` and `http://0xC0000201/`.
fn is_number(name: &str) -> bool {
    let digits = name.strip_prefix("0x").unwrap_or(name);
    (8..=10).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && (name.starts_with("0x") || name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a lower-case text can be a domain: labels with a top-level domain that there is.
pub(super) fn is_domain(name: &str) -> bool {
    let Some((rest, top)) = name.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        let is_sign = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_sign)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= BYTES_MAX && rest.split('.').all(is_label) && is_top(top)
}

/// The same where labels have other letters.
pub(super) fn is_idn(name: &str) -> bool {
    let Some((rest, top)) = name.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        let is_sign = |sign: char| sign.is_alphanumeric() || matches!(sign, '-' | '_');
        !label.is_empty() && label.chars().count() <= LABEL_BYTES_MAX && label.chars().all(is_sign)
    };
    name.len() <= BYTES_MAX && rest.split('.').all(is_label) && is_top(top)
}

/// Names that the public suffix list does not have and notices use.
const SPECIAL: [&str; 5] = ["example", "test", "invalid", "onion", "bit"];

fn is_top(top: &str) -> bool {
    if !(2..=LABEL_BYTES_MAX).contains(&top.len()) {
        return false;
    }
    SPECIAL.contains(&top) || netname::Names::shipped().is_listed(top)
}

/// `end.The`: a blank was forgotten behind a sentence.
pub(super) fn is_sentence(written: &str) -> bool {
    let Some((before, top)) = written.rsplit_once('.') else { return false };
    let mut signs = top.chars();
    let is_begin = signs.next().is_some_and(|sign| sign.is_ascii_uppercase())
        && signs.clone().next().is_some()
        && signs.all(|sign| sign.is_ascii_lowercase());
    let is_small = before.bytes().all(|byte| !byte.is_ascii_uppercase());
    is_begin && is_small && before.ends_with(|sign: char| sign.is_ascii_lowercase())
}

/// Top-level domains that are endings of files too.
const ENDINGS: [&str; 16] = [
    "zip", "mov", "py", "sh", "pl", "rs", "md", "app", "so", "cc", "ps", "cab", "docs", "bat",
    "com", "java",
];

/// Whether a domain may as well be the name of a file: two labels, the last an ending of files.
pub(super) fn is_file_like(name: &str) -> bool {
    let Some((rest, top)) = name.rsplit_once('.') else { return false };
    !rest.contains('.') && top != "com" && ENDINGS.contains(&top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_ends_where_its_name_does() {
        assert_eq!(authority("a.example/x"), Some(9));
        assert_eq!(authority("a.example:8080/x"), Some(14));
        assert_eq!(authority("u:p@a.example/x"), Some(13));
        assert_eq!(authority("[2001:db8::1]:80/"), Some(16));
        assert_eq!(authority("例え.jpに接続"), Some("例え.jp".len()));
        assert_eq!(authority("a.exampleに接続"), Some(9));
        assert_eq!(authority("3221225985/"), Some(10));
        assert_eq!(authority("nothing here"), None);
        assert_eq!(authority(""), None);
    }

    #[test]
    fn a_file_is_no_domain() {
        assert!(!is_domain("invoice.exe") && !is_domain("readme.txt") && !is_domain("node.js"));
        assert!(is_domain("a.co.jp") && is_file_like("update.zip") && !is_file_like("a.b.zip"));
        assert!(is_sentence("end.The") && !is_sentence("Evil.Com") && !is_sentence("evil.com"));
    }
}
