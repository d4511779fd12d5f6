//! URLs in one form: WHATWG's, without what does not say where it leads.
//!
//! Removed: user-info, fragment, an empty query, default ports, the root's dot of the host, empty
//! path segments. Escapes are upper case and only where they change the meaning. The scheme stays:
//! `http` and `https` are two URLs.

use core::net::IpAddr;
use std::fmt;

use crate::{Domain, Error, Host, domain, percent};

/// Beyond what proxies and browsers carry on their way.
pub const URL_BYTES_MAX: usize = 65_536;

/// A canonical URL with a host. Equal URLs are equal texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    host: Host,
    /// Where `:` stands behind the scheme.
    scheme: usize,
    /// Where the path begins, with `/`, and where it ends.
    path: (usize, usize),
}

impl Url {
    pub fn parse(text: &str) -> Result<Url, Error> {
        if let Some(url) = quick(text) {
            return Ok(url);
        }
        if text.len() > URL_BYTES_MAX {
            return Err(Error::TooLong { max: URL_BYTES_MAX });
        }
        let parsed = url::Url::parse(text).map_err(|error| of(error, text))?;
        build(&parsed)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn into_string(self) -> String {
        self.text
    }

    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme]
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn path(&self) -> &str {
        &self.text[self.path.0..self.path.1]
    }

    /// Without `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path.1 + 1..).filter(|_| self.path.1 < self.text.len())
    }

    /// From `//` on: the URL whatever the scheme.
    pub fn without_scheme(&self) -> &str {
        &self.text[self.scheme + 1..]
    }

    /// The URL without query and without a slash at its end: what a prefix is written as.
    pub fn as_prefix(&self) -> &str {
        let text = &self.text[..self.path.1];
        text.strip_suffix('/').unwrap_or(text)
    }

    /// All prefixes of the URL, the longest first, each as [`Url::as_prefix`] writes it: whole
    /// segments of the path, down to scheme and host.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        let longest = self.as_prefix();
        std::iter::successors(Some(longest), move |text| {
            let cut = text.rfind('/')?;
            (cut >= self.path.0).then(|| &text[..cut])
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn of(error: url::ParseError, text: &str) -> Error {
    match error {
        url::ParseError::EmptyHost => Error::NoHost,
        url::ParseError::InvalidPort => Error::Port,
        url::ParseError::InvalidIpv4Address => Error::Number,
        url::ParseError::InvalidIpv6Address => Error::Ip,
        url::ParseError::IdnaError | url::ParseError::InvalidDomainCharacter => bad_character(text),
        url::ParseError::RelativeUrlWithoutBase if text.is_empty() => Error::Empty,
        _ => Error::Url,
    }
}

/// What exactly the host may not hold, where it is a character of ASCII.
fn bad_character(text: &str) -> Error {
    let rest = text.split_once("//").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let allowed =
        |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '-' | '_' | '.' | ':' | '%');
    let bad = host.chars().find(|ch| ch.is_ascii() && !allowed(*ch));
    bad.map_or(Error::Idna, Error::Character)
}

fn build(parsed: &url::Url) -> Result<Url, Error> {
    let host = match parsed.host() {
        Some(url::Host::Domain(name)) => Host::parse(&percent::decode(name))?,
        Some(url::Host::Ipv4(v4)) => Host::Ip(IpAddr::V4(v4)),
        Some(url::Host::Ipv6(v6)) => Host::Ip(v6.to_canonical()),
        None => return Err(Error::NoHost),
    };
    let mut text = format!("{}://{host}", parsed.scheme());
    if let Some(port) = parsed.port() {
        text.push_str(&format!(":{port}"));
    }
    let start = text.len();
    path(parsed.path(), &mut text);
    let end = text.len();
    if let Some(query) = parsed.query().filter(|query| !query.is_empty()) {
        text.push('?');
        percent::normalise(query, &mut text);
    }
    Ok(Url { text, host, scheme: parsed.scheme().len(), path: (start, end) })
}

/// Escapes in one form, and empty segments gone: servers take `//` for `/`.
fn path(path: &str, out: &mut String) {
    let mut normal = String::with_capacity(path.len());
    percent::normalise(path, &mut normal);
    out.push('/');
    let segments = normal.split('/').filter(|segment| !segment.is_empty());
    for (at, segment) in segments.enumerate() {
        if at > 0 {
            out.push('/');
        }
        out.push_str(segment);
    }
    if normal.len() > 1 && normal.ends_with('/') && !out.ends_with('/') {
        out.push('/');
    }
}

/// The way of most URLs of a log: canonical already, by characters that no rule touches. A test
/// holds it against the long way.
fn quick(text: &str) -> Option<Url> {
    if text.len() > URL_BYTES_MAX {
        return None;
    }
    let scheme = ["http", "https"]
        .into_iter()
        .find(|scheme| text.strip_prefix(scheme).is_some_and(|rest| rest.starts_with("://")))?;
    let authority = scheme.len() + 3;
    let start = authority + text[authority..].find('/')?;
    let name = &text[authority..start];
    if !domain::is_canonical(name) {
        return None;
    }
    let end = quick_path(&text.as_bytes()[start..])? + start;
    let host = Host::Domain(Domain::trusted(name));
    Some(Url { text: text.to_owned(), host, scheme: scheme.len(), path: (start, end) })
}

/// Where the path ends, if path and query are canonical.
fn quick_path(bytes: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut previous = 0;
    for (at, byte) in bytes.iter().copied().enumerate() {
        match byte {
            b'?' if end.is_none() => end = Some(at),
            // A dot at a segment's head may be a dot segment.
            b'/' | b'.' if end.is_none() && previous == b'/' => return None,
            b'/' | b'=' | b'&' | b'+' | b',' | b';' | b':' | b'@' | b'!' | b'$' | b'(' | b')'
            | b'*' => {}
            byte if percent::is_unreserved(byte) => {}
            _ => return None,
        }
        previous = byte;
    }
    match end {
        Some(end) if end + 1 == bytes.len() => None,
        Some(end) => Some(end),
        None => Some(bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Url::parse(text).map_or_else(|error| error.to_string(), Url::into_string)
    }

    #[test]
    fn what_leads_to_the_same_place_is_one_url() {
        let same = [
            "http://example.com/a/b~?q=1",
            "HTTP://user:secret@EXAMPLE.com.:80/a/./x/../b%7E?q=1#part",
            "http:\\\\example.com\\a\\b~?q=1",
            "http://example.com//a///b%7e?q=1#",
            "  http://exa\nmple.com/a/%2e/b~?q=1 ",
            "http://ｅｘａｍｐｌｅ．ｃｏｍ/a/b~?q=1",
            "http://ex%61mple.com/a/b~?%71=1",
        ];
        for form in same {
            assert_eq!(shown(form), "http://example.com/a/b~?q=1", "{form}");
        }
    }

    #[test]
    fn what_may_lead_elsewhere_stays_apart() {
        let apart = [
            "http://h.jp/a",
            "https://h.jp/a",
            "http://h.jp:81/a",
            "http://h.jp/A",
            "http://h.jp/a/",
            "http://h.jp/a?x",
            "http://h.jp/a%2Fb",
            "ftp://h.jp/a",
        ];
        for (at, one) in apart.iter().enumerate() {
            for other in &apart[at + 1..] {
                assert_ne!(shown(one), shown(other));
            }
        }
    }

    #[test]
    fn hosts_of_urls_are_hosts() {
        assert_eq!(shown("http://0x7f.1"), "http://127.0.0.1/");
        assert_eq!(shown("http://[::ffff:7f00:1]:8080/"), "http://127.0.0.1:8080/");
        assert_eq!(shown("https://日本語.jp?"), "https://xn--wgv71a119e.jp/");
        assert_eq!(shown("ldap://EXAMPLE.com:389/a/../b"), "ldap://example.com:389/b");
        assert_eq!(shown("tcp://1.2.3.4:443"), "tcp://1.2.3.4:443/");
    }

    #[test]
    fn what_is_no_url_with_a_host_is_refused() {
        assert_eq!(shown("mailto:a@example.com"), "a URL without a host");
        assert_eq!(shown("file:///etc/passwd"), "a URL without a host");
        assert_eq!(shown("http://"), "a URL without a host");
        assert_eq!(shown("example.com/a"), "no URL with a scheme");
        assert_eq!(shown("http://a b.jp/"), "character U+0020 is not allowed in a host");
        assert_eq!(shown("http://a\0b.jp/"), "character U+0000 is not allowed in a host");
        assert_eq!(shown("http://h.jp:99999/"), "no valid port");
        assert_eq!(shown("http://1.2.3.256/"), "ends in a number and is no IPv4 address");
        assert_eq!(
            shown(&format!("http://h.jp/{}", "a".repeat(1 << 20))),
            "longer than 65536 bytes"
        );
    }

    #[test]
    fn prefixes_are_whole_segments() {
        let url = Url::parse("http://h.jp/a/b/c.html?x=1").unwrap();
        let all: Vec<_> = url.prefixes().collect();
        assert_eq!(
            all,
            ["http://h.jp/a/b/c.html", "http://h.jp/a/b", "http://h.jp/a", "http://h.jp"]
        );
        assert_eq!(Url::parse("http://h.jp/a/b/").unwrap().as_prefix(), "http://h.jp/a/b");
        assert_eq!(
            Url::parse("http://h.jp").unwrap().prefixes().collect::<Vec<_>>(),
            ["http://h.jp"]
        );
        assert_eq!((url.scheme(), url.path(), url.query()), ("http", "/a/b/c.html", Some("x=1")));
        assert_eq!(url.without_scheme(), "//h.jp/a/b/c.html?x=1");
    }

    #[test]
    fn the_quick_way_agrees_with_the_long_way() {
        let forms = [
            "http://h.jp/",
            "https://a-b.h_x.jp/a/b.c?x=/../&y",
            "http://h.jp/a./b..c/",
            "http://xn--a.jp/",
            "http://1.2/",
            "http://h.0x1/",
            "http://h.jp/a?b?c",
            "http://h.jp/a?",
        ];
        for form in forms {
            let slow = url::Url::parse(form).map_err(|e| of(e, form)).and_then(|url| build(&url));
            assert!(quick(form).is_none_or(|quick| Ok(quick) == slow), "{form}");
        }
    }
}
