//! Under which keys a value is known: its whole text, what lies above it, its host, its file's name.

use super::{observable::Observable, open::Layer, pack::is_hash};
use crate::{Kind, Scope};

/// One question to a table: whether it holds these bytes, reaching so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'k> {
    pub kind: Kind,
    pub key: &'k [u8],
    pub scopes: &'static [Scope],
}

const WHOLE: &[Scope] = &[Scope::Exact];
const WHOLE_OR_BELOW: &[Scope] = &[Scope::Exact, Scope::Prefix];
const BELOW: &[Scope] = &[Scope::Prefix];
const HOST: &[Scope] = &[Scope::Exact, Scope::Subdomains, Scope::Host];
const ABOVE_HOST: &[Scope] = &[Scope::Subdomains];
/// Below an address lies nothing, whatever its source says.
const ADDRESS: &[Scope] = &[Scope::Exact, Scope::Subdomains, Scope::Host];
const MAIL_HOST: &[Scope] = &[Scope::Host];

/// Asks for every key under which a row of the file may name the value.
pub(super) fn keys<'k, F: FnMut(Ask<'k>)>(layer: &Layer<'_>, seen: &'k Observable, ask: F) {
    let mut walk = Walk { layer, seen, ask };
    let text = seen.text.as_str();
    match seen.kind {
        Kind::Domain => walk.domain(text),
        Kind::Ip if seen.ip.is_some() => walk.bytes(Kind::Ip, seen.packed.bytes(), ADDRESS),
        Kind::Ip | Kind::Cidr => {}
        Kind::Url => walk.url(),
        Kind::Email => walk.email(text),
        Kind::Path => walk.path(text),
        Kind::RegistryKey => walk.folders(Kind::RegistryKey, text, '\\'),
        kind if is_hash(kind) => walk.bytes(kind, seen.packed.bytes(), WHOLE),
        kind => walk.text(kind, text, WHOLE),
    }
}

struct Walk<'l, 'a, 'k, F> {
    layer: &'l Layer<'a>,
    seen: &'k Observable,
    ask: F,
}

impl<'k, F: FnMut(Ask<'k>)> Walk<'_, '_, 'k, F> {
    fn bytes(&mut self, kind: Kind, key: &'k [u8], scopes: &'static [Scope]) {
        (self.ask)(Ask { kind, key, scopes });
    }

    fn text(&mut self, kind: Kind, text: &'k str, scopes: &'static [Scope]) {
        self.bytes(kind, text.as_bytes(), scopes);
    }

    fn domain(&mut self, name: &'k str) {
        self.text(Kind::Domain, name, HOST);
        if self.layer.table(Kind::Domain, ABOVE_HOST).is_none() {
            return;
        }
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if above.len() < self.seen.least {
                break;
            }
            self.text(Kind::Domain, above, ABOVE_HOST);
            rest = above;
        }
    }

    fn url(&mut self) {
        let seen = self.seen;
        let schemes = match self.layer.table(Kind::Url, WHOLE_OR_BELOW) {
            None => 0,
            Some(table) if table.schemeless => 2,
            Some(_) => 1,
        };
        let scheme = seen.text.find("//").unwrap_or(0);
        for start in [0, scheme].into_iter().take(schemes) {
            self.url_text(start);
        }
        match seen.ip {
            Some(_) => self.bytes(Kind::Ip, seen.packed.bytes(), ADDRESS),
            None => self.domain(seen.host()),
        }
    }

    fn url_text(&mut self, start: usize) {
        let seen = self.seen;
        let text = &seen.text[start..];
        self.text(Kind::Url, text, WHOLE_OR_BELOW);
        if self.layer.table(Kind::Url, BELOW).is_none() {
            return;
        }
        let path = &seen.text[start..seen.path.1];
        let longest = path.strip_suffix('/').unwrap_or(path);
        if longest.len() < text.len() {
            self.text(Kind::Url, longest, BELOW);
        }
        let mut rest = longest;
        while let Some(cut) = rest.rfind('/').filter(|cut| start + cut >= seen.path.0) {
            rest = &rest[..cut];
            self.text(Kind::Url, rest, BELOW);
        }
    }

    fn email(&mut self, text: &'k str) {
        self.text(Kind::Email, text, WHOLE);
        if let Some(at) = text.rfind('@') {
            self.text(Kind::Email, &text[at..], MAIL_HOST);
        }
    }

    /// A path, the folders around it, and the file's name by itself.
    fn path(&mut self, text: &'k str) {
        self.folders(Kind::Path, text, separator(text));
        if let Some(name) = &self.seen.file {
            self.text(Kind::FileName, name, WHOLE);
        }
    }

    fn folders(&mut self, kind: Kind, text: &'k str, separator: char) {
        self.text(kind, text, WHOLE_OR_BELOW);
        if self.layer.table(kind, BELOW).is_none() {
            return;
        }
        let mut rest = text;
        while let Some((folder, _)) = rest.rsplit_once(separator) {
            self.text(kind, folder, BELOW);
            rest = folder;
        }
    }
}

/// What stands between the folders of a path in its one form.
pub(super) fn separator(path: &str) -> char {
    if path.contains('\\') { '\\' } else { '/' }
}
