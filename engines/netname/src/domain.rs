//! Domain names: lower-case A-labels without the root's dot.

use std::{borrow::Cow, fmt};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::Error;

/// Bytes of a host as it comes in. Unicode and percent-encoding make it longer than what it means.
pub const HOST_BYTES_MAX: usize = 2_048;
/// RFC 1035, without the root's dot.
pub const DOMAIN_BYTES_MAX: usize = 253;
pub const LABEL_BYTES_MAX: usize = 63;

/// A domain name. Equal names are equal texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    pub fn parse(text: &str) -> Result<Domain, Error> {
        Ok(Domain(canonical(text)?.into_owned()))
    }

    pub(crate) fn trusted(text: &str) -> Domain {
        Domain(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    /// Labels from the left.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// The name as people read it. A name that is no valid Unicode name as a whole stays as it is.
    pub fn unicode(&self) -> String {
        if !self.0.contains("xn--") {
            return self.0.clone();
        }
        match Uts46::new().to_unicode(self.0.as_bytes(), AsciiDenyList::URL, Hyphens::Allow) {
            (text, Ok(())) => text.into_owned(),
            _ => self.0.clone(),
        }
    }

    /// Whether `self` is `above` or lies below it.
    pub fn is_within(&self, above: &Domain) -> bool {
        match self.0.strip_suffix(&above.0) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical text of a domain, borrowed where it is canonical already.
pub fn canonical(text: &str) -> Result<Cow<'_, str>, Error> {
    if is_canonical(text) {
        return Ok(Cow::Borrowed(text));
    }
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.len() > HOST_BYTES_MAX {
        return Err(Error::TooLong { max: HOST_BYTES_MAX });
    }
    let ascii = to_ascii(text)?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    check(name)?;
    if ends_in_number(name) {
        let address = crate::ip::v4(name).is_ok();
        return Err(if address { Error::Address } else { Error::Number });
    }
    Ok(Cow::Owned(name.to_owned()))
}

/// UTS 46. A-labels that do not decode are no Unicode names, but DNS carries them: such an ASCII
/// name stays what it is in lower case, so that it can be looked for.
fn to_ascii(text: &str) -> Result<Cow<'_, str>, Error> {
    let ascii = Uts46::new().to_ascii(
        text.as_bytes(),
        AsciiDenyList::URL,
        Hyphens::Allow,
        DnsLength::Ignore,
    );
    match ascii {
        Ok(ascii) => Ok(ascii),
        Err(_) if text.is_ascii() => Ok(Cow::Owned(text.to_ascii_lowercase())),
        Err(_) => Err(Error::Idna),
    }
}

/// What [`crate::Host`] reads addresses from.
pub(crate) fn to_ascii_text(text: &str) -> Result<String, Error> {
    to_ascii(text).map(Cow::into_owned)
}

fn check(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::Empty);
    }
    if let Some(bad) = name.chars().find(|ch| !is_host_char(*ch)) {
        return Err(Error::Character(bad));
    }
    if name.len() > DOMAIN_BYTES_MAX {
        return Err(Error::TooLong { max: DOMAIN_BYTES_MAX });
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(Error::EmptyLabel);
        }
        if label.len() > LABEL_BYTES_MAX {
            return Err(Error::LongLabel);
        }
    }
    Ok(())
}

fn is_host_char(ch: char) -> bool {
    matches!(ch, 'a'..='z' | '0'..='9' | '-' | '_' | '.')
}

/// WHATWG: whoever sees such a name takes it for an IPv4 address.
pub(crate) fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.is_empty() {
        return false;
    }
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The way of nearly every name of a log: one pass, nothing allocated. Names with A-labels go the
/// long way, which validates them.
pub(crate) fn is_canonical(name: &str) -> bool {
    if name.is_empty() || name.len() > DOMAIN_BYTES_MAX {
        return false;
    }
    let mut length = 0;
    let mut digits = true;
    let mut previous = [0u8; 4];
    for byte in name.bytes() {
        match byte {
            b'.' if length == 0 => return false,
            b'.' => (length, digits) = (0, true),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                length += 1;
                digits &= byte.is_ascii_digit();
                if length > LABEL_BYTES_MAX {
                    return false;
                }
            }
            _ => return false,
        }
        previous = [previous[1], previous[2], previous[3], byte];
        if length == 4 && &previous == b"xn--" {
            return false;
        }
    }
    // A last label such as `0x7f` is a number as well; names never end so.
    length > 0 && !digits && !ends_in_number(name)
}
