//! Mail addresses, hashes, names of files, mutexes, user agents, autonomous systems.

use netname::Domain;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::{Reject, Scope};

/// RFC 5321: 64 octets, `@`, 255.
const EMAIL_BYTES_MAX: usize = 320;
const LOCAL_BYTES_MAX: usize = 64;
/// Names of files on all file systems in use.
const FILE_NAME_BYTES_MAX: usize = 1_024;

pub(super) fn no_control(text: &str) -> Result<(), Reject> {
    let control = match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    };
    if control { Err(Reject::Control) } else { Ok(()) }
}

/// NFC in lower case, character by character as file systems without case fold.
pub(super) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().map(lower).nfc().collect()
}

fn lower(ch: char) -> char {
    let mut lower = ch.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => ch,
    }
}

pub(super) fn nfc(text: &str) -> String {
    if text.is_ascii() || is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// `local@domain`, or `@domain` for all addresses of a domain. The local part has no case: nobody
/// keeps two mailboxes apart by it.
pub(super) fn email(raw: &str) -> Result<(Scope, String), Reject> {
    no_control(raw)?;
    if raw.len() > EMAIL_BYTES_MAX {
        return Err(Reject::TooLong { max: EMAIL_BYTES_MAX });
    }
    let bare = raw.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(raw);
    let (local, domain) = bare.rsplit_once('@').ok_or(Reject::Email)?;
    let host = match domain.strip_prefix('[') {
        Some(literal) => {
            let literal = literal.strip_suffix(']').ok_or(Reject::Email)?;
            let literal = literal.strip_prefix("IPv6:").unwrap_or(literal);
            format!("[{}]", netname::ip::parse(literal)?)
        }
        None => Domain::parse(domain)?.into_string(),
    };
    if local.is_empty() || local == "*" {
        return Ok((Scope::Host, format!("@{host}")));
    }
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let odd = |ch: char| {
        ch.is_whitespace()
            || matches!(ch, '"' | '(' | ')' | '<' | '>' | ',' | ';' | ':' | '@' | '*')
    };
    if local.len() > LOCAL_BYTES_MAX || (!quoted && local.contains(odd)) {
        return Err(Reject::Email);
    }
    Ok((Scope::Exact, format!("{}@{host}", folded(local))))
}

pub(super) fn hex(raw: &str, want: usize) -> Result<String, Reject> {
    if raw.len() != want || !raw.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Reject::Hex { want });
    }
    Ok(raw.to_ascii_lowercase())
}

/// The block's length is 3 times a power of two; the file's name behind a comma says nothing.
pub(super) fn ssdeep(raw: &str) -> Result<String, Reject> {
    let bare = raw.split_once(",\"").map_or(raw, |(bare, _)| bare);
    let mut parts = bare.split(':');
    let (Some(block), Some(one), Some(two), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Reject::Ssdeep);
    };
    let size: u64 = block.parse().map_err(|_| Reject::Ssdeep)?;
    let digest = |text: &str| {
        text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
    };
    let sized = size.is_multiple_of(3) && (size / 3).is_power_of_two() && block == size.to_string();
    if !sized || !digest(one) || !digest(two) || one.is_empty() {
        return Err(Reject::Ssdeep);
    }
    Ok(bare.to_owned())
}

/// A file's name without its folder. No case; dots and spaces at the end are not part of it, as
/// Windows opens it.
pub(super) fn file_name(raw: &str) -> Result<(Scope, String), Reject> {
    no_control(raw)?;
    if raw.len() > FILE_NAME_BYTES_MAX {
        return Err(Reject::TooLong { max: FILE_NAME_BYTES_MAX });
    }
    if raw.contains(['/', '\\']) {
        return Err(Reject::Separator);
    }
    let name = folded(raw);
    let name = name.trim_end_matches([' ', '.']);
    if name.is_empty() {
        return Err(Reject::Empty);
    }
    let scope = if name.contains(['*', '?']) { Scope::Pattern } else { Scope::Exact };
    Ok((scope, name.to_owned()))
}

/// Without its namespace: the same program makes it `Global\` as a service and bare as a user's.
pub(super) fn mutex(raw: &str) -> Result<(Scope, String), Reject> {
    no_control(raw)?;
    let mut name = raw;
    while let Some((head, rest)) = name.split_once('\\') {
        let space = ["", "global", "local", "basenamedobjects", "sessions", "session"];
        let number = !head.is_empty() && head.bytes().all(|b| b.is_ascii_digit());
        if !number && !space.iter().any(|known| head.eq_ignore_ascii_case(known)) {
            break;
        }
        name = rest;
    }
    if name.is_empty() {
        return Err(Reject::Empty);
    }
    Ok((Scope::Exact, nfc(name)))
}

/// Runs of blanks are one.
pub(super) fn spaced(raw: &str) -> Result<String, Reject> {
    let text = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    no_control(&text)?;
    Ok(text)
}

/// `AS64500`, `64500`, `1.10` (RFC 5396).
pub(super) fn asn(raw: &str) -> Result<String, Reject> {
    let lower = raw.to_ascii_lowercase();
    let bare = lower.strip_prefix("asn").or_else(|| lower.strip_prefix("as")).unwrap_or(&lower);
    let bare = bare.trim();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
    let number = match bare.split_once('.') {
        Some((high, low)) if digits(high) && digits(low) => {
            let part = |text: &str| text.parse::<u16>().map(u32::from).map_err(|_| Reject::Asn);
            part(high)? << 16 | part(low)?
        }
        None if digits(bare) => bare.parse().map_err(|_| Reject::Asn)?,
        _ => return Err(Reject::Asn),
    };
    if number == 0 { Err(Reject::Asn) } else { Ok(format!("AS{number}")) }
}
