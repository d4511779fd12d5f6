//! What was seen: a value of an event in its one form, with all under which it may be known.

use core::net::IpAddr;

use netname::{Host, Names, Url};

use super::{
    keys::separator,
    pack::{Packed, is_hash},
};
use crate::{Direction, Key, Kind, Reject, normalise};

/// A value that was seen.
#[derive(Clone, Debug)]
pub struct Observable {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Of a hash or an address: the bytes under which it lies.
    pub(super) packed: Packed,
    pub(super) direction: Direction,
    /// Of a URL or domain: where its host stands in the text.
    pub(super) host: (usize, usize),
    /// How short a name above the host still belongs to whoever registered it.
    pub(super) least: usize,
    pub(super) ip: Option<IpAddr>,
    /// Of a URL: where its path begins and ends.
    pub(super) path: (usize, usize),
    /// Of a path: the file's name in its one form. Names have no case; paths elsewhere than on Windows do.
    pub(super) file: Option<String>,
}

impl Observable {
    /// A field of an event as it stands there.
    pub fn read(
        kind: Kind,
        raw: &str,
        direction: Direction,
        names: &Names,
    ) -> Result<Observable, Reject> {
        match kind {
            Kind::Url => match Url::parse(raw.trim()) {
                Ok(url) => Ok(Observable::of_url(url, direction, names)),
                Err(_) => Ok(Observable::of(&normalise(kind, raw, names)?, direction, names)),
            },
            // A name in a log is that name, whatever it begins with.
            Kind::Domain => {
                let domain = netname::Domain::parse(raw.trim())?;
                Ok(Observable::of_text(kind, domain.into_string(), direction, names))
            }
            _ => Ok(Observable::of(&normalise(kind, raw, names)?, direction, names)),
        }
    }

    /// A value that is in its one form already.
    pub fn of(key: &Key, direction: Direction, names: &Names) -> Observable {
        if key.kind() != Kind::Url {
            return Observable::of_text(key.kind(), key.text().to_owned(), direction, names);
        }
        // Without a scheme it was seen by any; a host alone was seen as that.
        let text = key.text();
        let full = if text.starts_with("//") { format!("http:{text}") } else { text.to_owned() };
        match Url::parse(&full) {
            Ok(url) => Observable::of_url(url, direction, names),
            Err(_) => match Host::parse(text) {
                Ok(Host::Ip(ip)) => Observable::of_text(Kind::Ip, ip.to_string(), direction, names),
                _ => Observable::of_text(Kind::Domain, text.to_owned(), direction, names),
            },
        }
    }

    /// All names above count, public suffixes too: what lists of other people's names ask for.
    #[must_use]
    pub(crate) fn up_to_the_top(mut self) -> Observable {
        self.least = 0;
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn host(&self) -> &str {
        &self.text[self.host.0..self.host.1]
    }

    fn of_text(kind: Kind, text: String, direction: Direction, names: &Names) -> Observable {
        let ip = if kind == Kind::Ip { text.parse().ok() } else { None };
        let packed = if is_hash(kind) { Packed::of_hash(&text) } else { Packed::of_ip(ip) };
        let file = match kind {
            Kind::Path => text.rsplit_once(separator(&text)),
            _ => None,
        };
        let file = file.and_then(|(_, name)| crate::normalise::file_name(name));
        let path = (0, 0);
        let mut seen =
            Observable { kind, host: (0, 0), least: 0, ip, path, packed, text, direction, file };
        if kind == Kind::Domain {
            seen.host = (0, seen.text.len());
            seen.least = names.registrable(&seen.text).map_or(seen.text.len(), str::len);
        }
        seen
    }

    fn of_url(url: Url, direction: Direction, names: &Names) -> Observable {
        let start = url.scheme().len() + "://".len();
        let host = url.host();
        let (least, length) = match host {
            Host::Domain(domain) => {
                let name = domain.as_str();
                (names.registrable(name).map_or(name.len(), str::len), name.len())
            }
            Host::Ip(_) => (0, 0),
        };
        let path = url.as_str().len() - url.query().map_or(0, |query| query.len() + 1);
        Observable {
            kind: Kind::Url,
            host: (start, start + length),
            least,
            ip: host.ip(),
            packed: Packed::of_ip(host.ip()),
            path: (path - url.path().len(), path),
            text: url.into_string(),
            direction,
            file: None,
        }
    }
}
