//! Texts that have a form.

use core::net::{Ipv4Addr, Ipv6Addr};

use uuid::Uuid;

/// ISO 3166-1 alpha-2.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ \
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES \
ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO \
IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK \
ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR \
PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK \
TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// Whether a text has a form of the tables.
pub(crate) fn is(format: &str, text: &str) -> bool {
    match format {
        "ipv4" => address(text, 32, |t| t.parse::<Ipv4Addr>().is_ok()),
        "ipv6" => address(text, 128, |t| t.parse::<Ipv6Addr>().is_ok()),
        "mac" => mac(text),
        "domain" => domain(text),
        "email" => text.contains('@') && !text.contains(char::is_whitespace),
        "url" => url(text),
        "cpe" => text.starts_with("cpe:2.3:") && cpe_parts(text) == 13,
        "charset" => charset(text),
        "country" => country(text),
        "relationship-type" => {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        }
        _ => true,
    }
}

/// RFC 1034, in ASCII or in any script (RFC 5890); `_` as DNS has it.
fn domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|ch| {
                ch.is_ascii_alphanumeric()
                    || matches!(ch, '-' | '_')
                    || (!ch.is_ascii() && !ch.is_whitespace())
            })
    };
    text.len() <= 1024 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

fn address(text: &str, longest: u8, bare: fn(&str) -> bool) -> bool {
    match text.split_once('/') {
        None => bare(text),
        Some((address, prefix)) => {
            let digits = prefix.bytes().all(|b| b.is_ascii_digit());
            bare(address) && digits && prefix.parse::<u8>().is_ok_and(|bits| bits <= longest)
        }
    }
}

/// Lower case, as the specification asks.
fn mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let pair = |p: &&str| p.len() == 2 && p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    parts.len() == 6 && parts.iter().all(pair)
}

/// A scheme and something behind it.
fn url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    starts && word && !rest.is_empty() && !text.contains(char::is_whitespace)
}

fn cpe_parts(text: &str) -> usize {
    let mut parts = 1;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b':' => parts += 1,
            _ => {}
        }
    }
    parts
}

/// The form of a name in the registry of character sets.
fn charset(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.:+/()".contains(&b);
    (2..=250).contains(&text.len()) && text.bytes().all(known)
}

fn country(text: &str) -> bool {
    COUNTRIES.split(' ').any(|code| code.eq_ignore_ascii_case(text))
}

/// RFC 5646 in form: subtags of letters and digits, the first of two to eight letters.
pub(crate) fn is_language(text: &str) -> bool {
    let mut tags = text.split('-');
    let first = tags.next().unwrap_or_default();
    let first = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    first
        && tags.all(|t| (1..=8).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Type and UUID of an identifier.
pub(crate) fn identifier(text: &str) -> Option<(&str, Uuid)> {
    let (name, uuid) = text.split_once("--")?;
    let hyphened = uuid.len() == 36;
    let uuid = Uuid::try_parse(uuid).ok().filter(|_| hyphened)?;
    is_type(name).then_some((name, uuid))
}

pub(crate) fn is_type(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (3..=250).contains(&name.len())
        && name.bytes().all(known)
        && !name.starts_with('-')
        && !name.contains("--")
}

/// Digits of a hash of this name; none if it has another form.
pub(crate) fn hash_digits(name: &str) -> Option<usize> {
    Some(match name {
        "MD5" => 32,
        "SHA-1" => 40,
        "SHA-256" | "SHA3-256" => 64,
        "SHA-512" | "SHA3-512" => 128,
        _ => return None,
    })
}

pub(crate) fn is_hash(name: &str, text: &str) -> bool {
    match (hash_digits(name), name) {
        (Some(digits), _) => text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()),
        (None, "SSDEEP") => {
            (1..=256).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/+:.".contains(&b))
        }
        (None, "TLSH") => {
            matches!(text.len(), 70 | 72) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        }
        _ => !text.is_empty(),
    }
}
