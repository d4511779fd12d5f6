//! Percent-encoding in one case, and only where it changes the meaning.

/// Upper-case escapes; escapes of unreserved characters (RFC 3986) undone.
pub(crate) fn normalise(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        match escape(&rest.as_bytes()[at..]) {
            Some(byte) if is_unreserved(byte) => out.push(char::from(byte)),
            Some(byte) => out.push_str(&format!("%{byte:02X}")),
            None => {
                out.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
}

fn escape(bytes: &[u8]) -> Option<u8> {
    let (high, low) = (*bytes.get(1)?, *bytes.get(2)?);
    Some(digit(high)? << 4 | digit(low)?)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// All escapes undone; what is no UTF-8 then is replaced, and refused as a host.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = if bytes[at] == b'%' { escape(&bytes[at..]) } else { None };
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_are_upper_case_and_only_where_needed() {
        let normal = |text: &str| {
            let mut out = String::new();
            super::normalise(text, &mut out);
            out
        };
        assert_eq!(normal("/%7euser/%e6%a2%85/a%2fb"), "/~user/%E6%A2%85/a%2Fb");
        // An escaped percent stays: what it would make is another URL.
        assert_eq!(normal("%2541 %zz %4 %"), "%2541 %zz %4 %");
        assert_eq!(super::decode("ex%61mple%ff%"), "example\u{fffd}%");
    }
}
