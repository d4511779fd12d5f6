//! One form for the values of every kind.
//!
//! A row of a feed and a field of an event come here alike, so that afterwards they are compared as
//! bytes. Normalising is idempotent. Hosts, URLs and addresses are the engine `netname`'s. Defanged
//! forms (`hxxp`, `[.]`) are no values: [`extract`](crate) undoes them where they are read from text.

mod path;
mod registry;
mod text;

use netname::{Domain, Names, Url, ip};

use crate::{Key, Kind, Reject, Scope};

/// A value of any kind but a URL.
pub const VALUE_BYTES_MAX: usize = 32_768;
/// A pattern: comparing costs its length times that of the value.
pub const RESIDUE_BYTES_MAX: usize = 512;
const EXPRESSION_BYTES_MAX: usize = 1 << 20;
/// Literal characters that a pattern or substring needs.
pub const LITERAL_CHARS_MIN: usize = 4;

const ROUNDS_MAX: usize = 4;

type Form = fn(&str) -> Result<(Scope, String), Reject>;

/// The value in its one form, reaching as far as its form says: `*.example.com` a domain and what
/// lies below, `https://h/a/*` a prefix, `C:\x\*.exe` a pattern, all else the value itself.
///
/// `names` is what a domain's scope is judged by: nobody registers below `*.co.jp`.
pub fn normalise(kind: Kind, raw: &str, names: &Names) -> Result<Key, Reject> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Err(Reject::Empty);
    }
    let max = if kind == Kind::Url { netname::URL_BYTES_MAX } else { VALUE_BYTES_MAX };
    if raw.len() > max {
        return Err(Reject::TooLong { max });
    }
    let (scope, text) = match kind {
        Kind::Ip => (Scope::Exact, address(raw)?),
        Kind::Cidr => (Scope::Exact, ip::net(raw)?.to_string()),
        Kind::Domain => domain(raw, names)?,
        Kind::Url => url(raw, names)?,
        Kind::Email => text::email(raw)?,
        Kind::Md5 => (Scope::Exact, text::hex(raw, 32)?),
        Kind::Sha1 => (Scope::Exact, text::hex(raw, 40)?),
        Kind::Sha256 => (Scope::Exact, text::hex(raw, 64)?),
        Kind::Sha512 => (Scope::Exact, text::hex(raw, 128)?),
        Kind::Ssdeep => (Scope::Exact, text::ssdeep(raw)?),
        Kind::FileName => text::file_name(raw)?,
        Kind::Path => settled(raw, path::path)?,
        Kind::RegistryKey => settled(raw, registry::key)?,
        Kind::Mutex => settled(raw, text::mutex)?,
        Kind::UserAgent => (Scope::Exact, text::spaced(raw)?),
        Kind::Asn => (Scope::Exact, text::asn(raw)?),
    };
    if scope == Scope::Pattern {
        narrow_enough(&text)?;
    }
    Ok(Key { kind, scope, text })
}

/// What kind a value is by its form, where it is none but one. A name of a file may be a domain, so
/// domains go first and must have a suffix that is listed; names, mutexes and agents have no form.
pub fn guess(raw: &str, names: &Names) -> Option<Kind> {
    let raw = raw.trim();
    let listed = |key: &Key| names.is_listed(key.text());
    let asn = raw.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("as"));
    let all = [
        (Kind::Md5, true),
        (Kind::Sha1, true),
        (Kind::Sha256, true),
        (Kind::Sha512, true),
        (Kind::Ip, !raw.bytes().all(|b| b.is_ascii_digit())),
        (Kind::Cidr, raw.contains('/')),
        (Kind::Asn, asn),
        (Kind::Email, raw.contains('@') && !raw.contains('/')),
        (Kind::Ssdeep, raw.bytes().next().is_some_and(|b| b.is_ascii_digit())),
        (Kind::RegistryKey, raw.contains('\\')),
        (Kind::Path, true),
        (Kind::Url, raw.contains('/')),
        (Kind::Domain, raw.contains('.')),
    ];
    let fits = |kind: Kind| match normalise(kind, raw, names) {
        Ok(key) => kind != Kind::Domain || listed(&key),
        Err(_) => false,
    };
    all.into_iter().find(|(kind, may)| *may && fits(*kind)).map(|(kind, _)| kind)
}

/// What is taken away may leave behind a mark, a variable or a blank at the end that was none
/// before. Nobody nests them in earnest, so what does not settle soon is refused.
fn settled(raw: &str, form: Form) -> Result<(Scope, String), Reject> {
    let (mut scope, mut text) = form(raw)?;
    for _ in 0..ROUNDS_MAX {
        let (farther, next) = form(text.trim())?;
        if scope == Scope::Exact {
            scope = farther;
        }
        if next == text {
            return Ok((scope, text));
        }
        text = next;
    }
    Err(Reject::Unsettled)
}

/// A pattern, substring or expression over the canonical texts of a kind. It is taken as it stands, but for its
/// case where the kind has none, since half a URL has no form of its own.
pub fn residue(kind: Kind, scope: Scope, raw: &str) -> Result<Key, Reject> {
    if !matches!(scope, Scope::Pattern | Scope::Substring | Scope::Regex) || !scope.suits(kind) {
        return Err(Reject::Scope { kind, scope });
    }
    if raw.len() > RESIDUE_BYTES_MAX {
        return Err(Reject::TooLong { max: RESIDUE_BYTES_MAX });
    }
    text::no_control(raw)?;
    if scope == Scope::Regex {
        expression(raw).ok_or(Reject::Regex)?;
        return Ok(Key { kind, scope, text: raw.to_owned() });
    }
    let text = match kind {
        Kind::Domain | Kind::Email => raw.to_ascii_lowercase(),
        Kind::FileName | Kind::RegistryKey => text::folded(raw),
        // Below `/` case counts.
        Kind::Path if !raw.contains('/') => text::folded(raw),
        _ => raw.to_owned(),
    };
    narrow_enough(&text)?;
    Ok(Key { kind, scope, text })
}

/// An expression that compiles within its limit.
pub(crate) fn expression(raw: &str) -> Option<regex::Regex> {
    regex::RegexBuilder::new(raw).size_limit(EXPRESSION_BYTES_MAX).build().ok()
}

/// The one form of a file's name that stands at the end of a path.
pub(crate) fn file_name(raw: &str) -> Option<String> {
    text::file_name(raw).ok().map(|(_, name)| name)
}

fn narrow_enough(text: &str) -> Result<(), Reject> {
    let literal =
        text.chars().filter(|ch| !matches!(ch, '*' | '?' | '\\' | '/' | '.' | ':')).count();
    if literal < LITERAL_CHARS_MIN {
        return Err(Reject::Broad { min: LITERAL_CHARS_MIN });
    }
    Ok(())
}

fn address(raw: &str) -> Result<String, Reject> {
    let Some((address, length)) = raw.split_once('/') else {
        return Ok(ip::parse(raw)?.to_string());
    };
    let net = ip::net(raw)?;
    if net.prefix_len() != net.max_prefix_len() || length.is_empty() {
        return Err(Reject::Network);
    }
    Ok(ip::parse(address)?.to_string())
}

fn domain(raw: &str, names: &Names) -> Result<(Scope, String), Reject> {
    let wild = raw.strip_prefix("*.").or_else(|| raw.strip_prefix('.'));
    let name = Domain::parse(wild.unwrap_or(raw)).map_err(|error| wildcard_or(raw, error))?;
    if wild.is_none() {
        return Ok((Scope::Exact, name.into_string()));
    }
    below(name, names)
}

/// Whatever lies below a public suffix belongs to strangers, so nothing reaches that far.
fn below(name: Domain, names: &Names) -> Result<(Scope, String), Reject> {
    if names.is_public(name.as_str()) {
        return Err(Reject::Wildcard);
    }
    Ok((Scope::Subdomains, name.into_string()))
}

fn wildcard_or(raw: &str, error: netname::Error) -> Reject {
    if raw.contains('*') { Reject::Wildcard } else { error.into() }
}

fn url(raw: &str, names: &Names) -> Result<(Scope, String), Reject> {
    // `*.example.com/*` says hosts, and says it in place of a URL.
    let bare = raw.split_once("://").map_or(raw, |(_, rest)| rest);
    if let Some(rest) = bare.strip_prefix("*.") {
        let name = rest.strip_suffix("/*").or_else(|| rest.strip_suffix('/')).unwrap_or(rest);
        let name = Domain::parse(name).map_err(|error| wildcard_or(raw, error))?;
        return below(name, names);
    }
    let (text, prefix) = match raw.strip_suffix("/*") {
        Some(text) => (text, true),
        None => (raw, false),
    };
    let any_scheme = schemeless(text);
    let url = match any_scheme {
        Some(rest) => Url::parse(&format!("http://{rest}")),
        None => Url::parse(text),
    }
    .map_err(|error| wildcard_or(raw, error))?;
    // A host alone is no page of it. One label alone is hardly a host.
    if any_scheme.is_some_and(|rest| !rest.contains(['/', '\\', '?', '#'])) {
        let host = url.host().to_string();
        let far = host.contains('.') || host.starts_with('[');
        return if far { Ok((Scope::Host, host)) } else { Err(netname::Error::Url.into()) };
    }
    let shown = if prefix { url.as_prefix() } else { url.as_str() };
    let shown = if any_scheme.is_some() { &shown["http:".len()..] } else { shown };
    Ok((if prefix { Scope::Prefix } else { Scope::Exact }, shown.to_owned()))
}

/// Lists often leave the scheme out: `example.com/a.exe` is that path by any scheme.
fn schemeless(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("//") {
        return Some(rest);
    }
    if text.starts_with('[') {
        return Some(text);
    }
    let colon = text.find(':').unwrap_or(text.len());
    let host = &text[..text.find(['/', '\\', '?', '#']).unwrap_or(text.len())];
    // `h.jp:8080/a` has a port where a URL has its scheme.
    let port = text[(colon + 1).min(text.len())..].bytes().next();
    let has_scheme = colon < host.len() && !port.is_some_and(|b| b.is_ascii_digit());
    (!has_scheme && host.contains('.')).then_some(text)
}

#[cfg(test)]
mod tests;
